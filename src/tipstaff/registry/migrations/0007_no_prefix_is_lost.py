"""Prefixes are looked up by GiST: PostgreSQL's SP-GiST loses rows of one family of addresses beside many of the other.

Seen with 18.6, both families in one index: after other rows had come and been rolled back, a look-up found none of 32
rows that a scan of the table found, each time; another failed with "inconsistent inner_consistent results for
allTheSame inner tuple". Whoever held a narrower prefix would not be found, and the holder of the wider one named.
"""

from django.db import migrations

INDEXES = """
DROP INDEX registry_holding_prefix;
CREATE INDEX registry_holding_prefix ON registry_holdingrow USING gist (prefix inet_ops);
DROP INDEX registry_past_prefix;
CREATE INDEX registry_past_prefix ON registry_pastrow USING gist (((body ->> 'prefix')::cidr) inet_ops)
    WHERE kept_table = 'registry_holdingrow';
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0006_whom_an_address_speaks_for")]

    operations = [migrations.RunSQL(INDEXES, migrations.RunSQL.noop)]
