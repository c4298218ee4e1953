from django.db import migrations

REFUSE = """
CREATE FUNCTION editions_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'editions and their acceptances stay on record: TRUNCATE of % is refused', TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER kept_truncate BEFORE TRUNCATE ON editions_editionrow
  FOR EACH STATEMENT EXECUTE FUNCTION editions_refuse_truncate();
CREATE TRIGGER kept_truncate BEFORE TRUNCATE ON editions_acceptancerow
  FOR EACH STATEMENT EXECUTE FUNCTION editions_refuse_truncate();
"""
UNDO = """
DROP TRIGGER kept_truncate ON editions_editionrow; DROP TRIGGER kept_truncate ON editions_acceptancerow;
DROP FUNCTION editions_refuse_truncate();
"""


class Migration(migrations.Migration):
    dependencies = [("editions", "0004_work")]
    operations = [migrations.RunSQL(REFUSE, UNDO)]
