"""The lists of subscribers go to the registry, which keeps what they said before.

When an entry without a beginning was read first was not kept here, so it is sure from now on.
"""

from django.db import migrations

MOVE = """
INSERT INTO registry_subscriberrow
    (kind, value, customer_id, service_id, since, until, stated_until, sure_from, source, known_from)
SELECT (ARRAY['username', 'circuit', 'mac', 'service'])[kind], value, customer, service,
    to_timestamp(since / 1000000.0), to_timestamp(until / 1000000.0), to_timestamp(until / 1000000.0),
    CASE WHEN since IS NULL THEN now() END, source, now()
FROM attribution_identityrow;
INSERT INTO registry_subscriberlistrow (key, read_at, known_from)
SELECT DISTINCT source, now(), now() FROM attribution_identityrow;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("attribution", "0006_records_that_could_not_be_read"),
        ("registry", "0005_services_end_and_lists_of_subscribers"),
    ]

    operations = [migrations.RunSQL(MOVE, migrations.RunSQL.noop), migrations.DeleteModel("IdentityRow")]
