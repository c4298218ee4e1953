"""PostgreSQL itself refuses that an account stands above itself, and finds a customer's past by an index.

The doors looked before they wrote. Two at once, or an undoing, could still close a circle; whoever then asked for the
accounts above or below one would never have had an answer. Whoever changes a reseller waits for the others who do.
"""

from django.db import migrations

CIRCLES = """
CREATE FUNCTION registry_no_circle() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    above text := NEW.reseller_id;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('registry resellers'));
    WHILE above IS NOT NULL LOOP
        IF above = NEW.key THEN
            RAISE EXCEPTION 'account % would stand above itself', NEW.key USING ERRCODE = 'check_violation';
        END IF;
        above := (SELECT reseller_id FROM registry_customerrow WHERE key = above);
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER registry_no_circle_new AFTER INSERT ON registry_customerrow
    FOR EACH ROW WHEN (NEW.reseller_id IS NOT NULL) EXECUTE FUNCTION registry_no_circle();
CREATE TRIGGER registry_no_circle AFTER UPDATE OF reseller_id ON registry_customerrow
    FOR EACH ROW WHEN (NEW.reseller_id IS NOT NULL AND NEW.reseller_id IS DISTINCT FROM OLD.reseller_id)
    EXECUTE FUNCTION registry_no_circle();

CREATE INDEX registry_past_customer ON registry_pastrow ((body ->> 'customer_id'));
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0008_since_when_an_address_speaks")]

    operations = [migrations.RunSQL(CIRCLES, migrations.RunSQL.noop)]
