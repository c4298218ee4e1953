"""Numbers of legal matters, `G-000001`: never given twice."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_evidence_as_it_came")]

    operations = [migrations.RunSQL("CREATE SEQUENCE matter_number", migrations.RunSQL.noop)]
