"""A finding of our own books names an account where no address does."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sensors", "0002_done")]

    operations = [
        migrations.AddField(
            model_name="sightingrow", name="account", field=models.CharField(max_length=64, null=True)
        ),
    ]
