from django.db import migrations

REFUSE = """
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger_link
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger_evidencerow
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
"""
UNDO = """
DROP TRIGGER append_only_truncate ON ledger_link;
DROP TRIGGER append_only_truncate ON ledger_evidencerow;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_append_only")]
    operations = [migrations.RunSQL(REFUSE, UNDO)]
