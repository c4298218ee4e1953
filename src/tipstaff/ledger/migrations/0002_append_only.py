from django.db import migrations

REFUSE = """
CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the record is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger_entry
  FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger_entry
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger_link
  FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE FUNCTION ledger_evidence_only_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.sealed AND NOT OLD.sealed AND NEW.digest = OLD.digest AND NEW.received_at = OLD.received_at THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'evidence is kept as it came: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger_evidencerow
  FOR EACH ROW EXECUTE FUNCTION ledger_evidence_only_sealed();
CREATE SEQUENCE report_number;
CREATE SEQUENCE case_number;
CREATE SEQUENCE measure_number;
CREATE SEQUENCE letter_number;
"""
UNDO = """
DROP TRIGGER append_only ON ledger_entry; DROP TRIGGER append_only_truncate ON ledger_entry;
DROP TRIGGER append_only ON ledger_link; DROP TRIGGER append_only ON ledger_evidencerow;
DROP FUNCTION ledger_refuse_change(); DROP FUNCTION ledger_evidence_only_sealed();
DROP SEQUENCE report_number; DROP SEQUENCE case_number; DROP SEQUENCE measure_number; DROP SEQUENCE letter_number;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]
    operations = [migrations.RunSQL(REFUSE, UNDO)]
