"""Since when an address has stood in a chain of contacts: every page of the portal asks the past of that address."""

from django.db import migrations

INDEX = """
CREATE INDEX registry_past_contact ON registry_pastrow (upper(body ->> 'email'))
    WHERE kept_table = 'registry_representativerow';
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0007_no_prefix_is_lost")]

    operations = [migrations.RunSQL(INDEX, migrations.RunSQL.noop)]
