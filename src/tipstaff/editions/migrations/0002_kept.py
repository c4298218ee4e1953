from django.db import migrations

REFUSE = """
CREATE FUNCTION editions_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.state <> 'posted' AND NEW.digest = OLD.digest AND NEW.files = OLD.files
     AND NEW.name = OLD.name AND NEW.drafted_by = OLD.drafted_by THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'editions are kept as they were written: % of % is refused', TG_OP, OLD.name
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON editions_editionrow
  FOR EACH ROW EXECUTE FUNCTION editions_refuse_change();
CREATE FUNCTION editions_refuse_any() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'an acceptance stays on record: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON editions_acceptancerow
  FOR EACH ROW EXECUTE FUNCTION editions_refuse_any();
"""
UNDO = """
DROP TRIGGER kept ON editions_editionrow; DROP TRIGGER kept ON editions_acceptancerow;
DROP FUNCTION editions_refuse_change(); DROP FUNCTION editions_refuse_any();
"""


class Migration(migrations.Migration):
    dependencies = [("editions", "0001_initial")]
    operations = [migrations.RunSQL(REFUSE, UNDO)]
