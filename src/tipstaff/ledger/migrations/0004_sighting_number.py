"""Numbers of sightings, `S-000001`: never given twice."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_no_truncate")]

    operations = [migrations.RunSQL("CREATE SEQUENCE sighting_number", migrations.RunSQL.noop)]
