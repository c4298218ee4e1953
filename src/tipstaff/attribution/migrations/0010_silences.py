"""How long each file of a log was silent at most."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("attribution", "0009_connections_outlast_gaps")]

    operations = [migrations.AddField("loadrow", "silence", models.BigIntegerField(null=True))]
