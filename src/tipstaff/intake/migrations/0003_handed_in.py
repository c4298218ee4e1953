from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0002_trust")]

    operations = [
        migrations.CreateModel(
            name="HandedInRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("who", models.CharField(max_length=100)),
                ("key", models.CharField(max_length=100)),
                ("digest", models.CharField(max_length=64)),
                ("answer", models.JSONField(default=dict)),
                ("at", models.DateTimeField(db_index=True)),
            ],
            options={
                "constraints": (models.UniqueConstraint(fields=("who", "key"), name="intake_handed_in_once"),),
            },
        ),
    ]
