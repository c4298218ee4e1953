from django.db import migrations, models

OPEN = 2**63 - 1
# Of leases that were read before, what each was promised when it was last heard of.
TERMS = f"""
UPDATE attribution_sourcerow s SET term = l.term FROM (
    SELECT source_id, max(until - heard) AS term FROM attribution_bindingrow
    WHERE until < {OPEN} AND NOT final AND heard IS NOT NULL AND kind IN (2, 3) GROUP BY source_id
) l WHERE l.source_id = s.id AND l.term > 0
"""  # noqa: S608 - a constant


class Migration(migrations.Migration):
    dependencies = [("attribution", "0007_subscribers_are_the_registrys")]

    operations = [
        migrations.AddField("sourcerow", "term", models.BigIntegerField(default=0)),
        migrations.RunSQL(TERMS, migrations.RunSQL.noop),
    ]
