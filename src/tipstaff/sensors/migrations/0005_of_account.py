"""What was measured of one customer is found by their key."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sensors", "0004_retests")]

    operations = [
        migrations.AddIndex(
            model_name="sightingrow",
            index=models.Index(
                condition=models.Q(("account__isnull", False)), fields=["account", "kind"],
                name="sensors_sighting_account",
            ),
        ),
    ]
