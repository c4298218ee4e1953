from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0003_handed_in")]

    operations = [
        migrations.CreateModel(
            name="FetchedRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120, unique=True)),
                ("state", models.JSONField(default=dict)),
                ("looked_at", models.DateTimeField(null=True)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("trouble", models.TextField(blank=True)),
                ("next_at", models.DateTimeField(null=True)),
            ],
        ),
    ]
