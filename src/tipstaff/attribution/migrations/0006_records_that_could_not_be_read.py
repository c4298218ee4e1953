import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Where a source wrote what could not be read."""

    dependencies = [("attribution", "0005_translations_have_gaps")]

    operations = [
        migrations.CreateModel(
            name="MissedRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.BigIntegerField()),
                ("until", models.BigIntegerField()),
                ("source", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="attribution.sourcerow")),
            ],
            options={"indexes": [models.Index(fields=["source", "until"], name="attribution_missed_until")]},
        ),
    ]
