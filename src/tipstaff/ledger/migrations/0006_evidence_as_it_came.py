"""Kept evidence changes in one way only: from clear to the sealed remainder that an entry of the record names.

Before, whatever came with `sealed` set was taken: other bytes, another size, another sender.
"""

from django.db import migrations

REFUSE = """
CREATE OR REPLACE FUNCTION ledger_evidence_only_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.sealed AND NOT OLD.sealed AND NEW.sender = ''
    AND (NEW.digest, NEW.size, NEW.received_at, NEW.channel, NEW.recipients)
      IS NOT DISTINCT FROM (OLD.digest, OLD.size, OLD.received_at, OLD.channel, OLD.recipients)
    AND EXISTS (
      SELECT FROM ledger_entry WHERE about @> ARRAY[NEW.digest]::varchar[] AND what = 'evidence.sealed'
        AND detail ->> 'sealed_as' = encode(sha256(NEW.content), 'hex')
    )
  THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'evidence is kept as it came: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_about_without_a_queue")]
    operations = [migrations.RunSQL(REFUSE)]
