"""What PostgreSQL itself holds: nothing is overwritten, and nothing but an address is held twice either.

Each kept table holds what is believed now. A trigger puts the version that an UPDATE replaces or a DELETE takes away
into `registry_pastrow`, with when it was believed and which change ended it; so a writer that goes around the doors
loses nothing either, and look-ups of what is believed now are not slowed by the past.

The doors say by two settings of the transaction when they know what they write (`tipstaff.known_at`) and which change
it belongs to (`tipstaff.change`). Without them it is known now, by no change.

A resource is compared as a number, the hash of tier, kind, scope and name, as a site is (0002): no extension is needed.
"""

from django.db import migrations

KEPT = (
    "registry_customerrow",
    "registry_userrow",
    "registry_representativerow",
    "registry_standingrow",
    "registry_acceptancerow",
    "registry_servicerow",
    "registry_letterrow",
    "registry_holdingrow",
    "registry_siterow",
    "registry_resourcerow",
)

FUNCTIONS = """
CREATE SEQUENCE registry_change_number;

CREATE FUNCTION registry_keep_past() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    known timestamptz := greatest(
        OLD.known_from,
        coalesce(nullif(current_setting('tipstaff.known_at', true), '')::timestamptz, clock_timestamp()));
    act bigint := nullif(current_setting('tipstaff.change', true), '')::bigint;
    made CONSTANT text[] := '{known_from,change,restored_from,span,lower_span,place}';
    before CONSTANT jsonb := to_jsonb(OLD);
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - made = before - made
            AND coalesce(current_setting('tipstaff.undoing', true), '') <> 'yes' THEN
        RETURN OLD;
    END IF;
    INSERT INTO registry_pastrow (kept_table, kept_key, body, known_from, known_until, came_by, ended_by)
    VALUES (TG_TABLE_NAME, coalesce(before ->> 'key', before ->> 'id'), before - '{span,lower_span,place}'::text[],
        OLD.known_from, known, OLD.change, act);
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    NEW.known_from := known;
    NEW.change := act;
    IF coalesce(current_setting('tipstaff.undoing', true), '') <> 'yes' THEN
        NEW.restored_from := NULL;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION registry_past_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what the registry has believed is kept; it is neither changed nor deleted';
END $$;

CREATE TRIGGER registry_past_stays BEFORE UPDATE OR DELETE ON registry_pastrow
    FOR EACH ROW EXECUTE FUNCTION registry_past_stays();

-- A name of a kind within a scope and tier, as a number.
CREATE FUNCTION registry_named(tier text, kind text, scope text, name text)
    RETURNS int8range LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN registry_numbers(
        hashtextextended(tier || chr(31) || kind || chr(31) || scope || chr(31) || name, 0),
        hashtextextended(tier || chr(31) || kind || chr(31) || scope || chr(31) || name, 0));

CREATE INDEX registry_past_prefix ON registry_pastrow USING spgist (((body ->> 'prefix')::cidr))
    WHERE kept_table = 'registry_holdingrow';
"""

TRIGGERS = "".join(
    f"CREATE TRIGGER registry_keep_past BEFORE UPDATE OR DELETE ON {table}\n"
    "    FOR EACH ROW EXECUTE FUNCTION registry_keep_past();\n"
    for table in KEPT
)

RESOURCES = """
ALTER TABLE registry_resourcerow
    ADD COLUMN place int8range GENERATED ALWAYS AS (registry_named(tier, kind, scope, name)) STORED NOT NULL,
    ADD CONSTRAINT registry_only_the_operators_resource_has_no_customer
        CHECK ((tier = 'operator') = (customer_id IS NULL)),
    ADD CONSTRAINT registry_resource_has_a_beginning
        CHECK (NOT isempty(during) AND lower(during) IS NOT NULL AND lower_inc(during) AND NOT upper_inc(during)),
    ADD CONSTRAINT registry_resource_service_is_the_customers
        FOREIGN KEY (service_id, customer_id) REFERENCES registry_servicerow (key, customer_id),
    ADD CONSTRAINT registry_resource_service_has_a_customer CHECK (service_id IS NULL OR customer_id IS NOT NULL),
    ADD CONSTRAINT registry_resource_held_once EXCLUDE USING gist (place WITH &&, during WITH &&);

ALTER TABLE registry_standingrow
    ADD COLUMN place int8range GENERATED ALWAYS AS (registry_named('', 'standing', '', customer_id)) STORED NOT NULL,
    ADD CONSTRAINT registry_standing_has_a_beginning
        CHECK (NOT isempty(during) AND lower(during) IS NOT NULL AND lower_inc(during) AND NOT upper_inc(during)),
    ADD CONSTRAINT registry_one_standing_at_a_time EXCLUDE USING gist (place WITH &&, during WITH &&);

INSERT INTO registry_standingrow (customer_id, standing, during, why, known_from)
SELECT key, standing, tstzrange(coalesce(since, known_from), NULL), '', known_from FROM registry_customerrow;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0003_accounts_resources_and_changes")]

    operations = [migrations.RunSQL(FUNCTIONS + TRIGGERS + RESOURCES, migrations.RunSQL.noop)]
