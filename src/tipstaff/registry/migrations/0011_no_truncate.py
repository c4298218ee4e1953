"""TRUNCATE would go around the triggers that keep what was believed: it is refused of all that the registry keeps."""

from django.db import migrations

KEPT = (
    "registry_customerrow", "registry_userrow", "registry_representativerow", "registry_standingrow",
    "registry_acceptancerow", "registry_servicerow", "registry_letterrow", "registry_holdingrow", "registry_siterow",
    "registry_resourcerow", "registry_subscriberlistrow", "registry_subscriberrow", "registry_pastrow",
    "registry_changerow",
)  # fmt: skip

REFUSE = """
CREATE FUNCTION registry_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what the registry has believed is kept: TRUNCATE of % is refused', TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
"""
TRIGGERS = "".join(
    f"CREATE TRIGGER kept_truncate BEFORE TRUNCATE ON {table}\n"
    "    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_truncate();\n"
    for table in KEPT
)
UNDO = "".join(f"DROP TRIGGER kept_truncate ON {table};\n" for table in KEPT) + (
    "DROP FUNCTION registry_refuse_truncate();"
)


class Migration(migrations.Migration):
    dependencies = [("registry", "0010_brands")]
    operations = [migrations.RunSQL(REFUSE + TRIGGERS, UNDO)]
