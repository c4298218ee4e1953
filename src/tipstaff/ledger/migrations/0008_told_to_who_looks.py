"""Whoever listens hears at commit which keys an entry of the record names, so that open pages need not ask.

Keys and nothing else are told, `C-000001 L-000004`, together where one entry names them. Of a statement that writes
more than a hundred such, or names too many at once, only that there was one, `*`: PostgreSQL keeps what is told in
memory until the end of the transaction, one feed writes ten thousand entries, and 8,000 octets are its limit.
"""

from django.db import migrations

TELL = """
CREATE FUNCTION ledger_tell() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE told text[];
BEGIN
  SELECT array_agg(DISTINCT named.keys) INTO told FROM fresh CROSS JOIN LATERAL (
    SELECT string_agg(DISTINCT split_part(key, '.', 1), ' ') FROM unnest(fresh.about) key WHERE key ~ '^[A-Z]-'
  ) named(keys) WHERE named.keys IS NOT NULL;
  IF cardinality(told) > 100 OR octet_length(array_to_string(told, ' ')) > 7000 THEN
    PERFORM pg_notify('tipstaff_record', '*');
  ELSE
    PERFORM pg_notify('tipstaff_record', keys) FROM unnest(told) keys;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT ON ledger_entry
  REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_tell();
"""
UNDO = "DROP TRIGGER tell ON ledger_entry; DROP FUNCTION ledger_tell()"


class Migration(migrations.Migration):
    dependencies = (("ledger", "0007_matter_number"),)
    operations = (migrations.RunSQL(TELL, UNDO),)
