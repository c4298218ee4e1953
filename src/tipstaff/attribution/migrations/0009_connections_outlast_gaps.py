from django.db import migrations, models

# Connections that were read before this version: each may have lasted a day, and had its port beside another's.
DAY = 86_400 * 1_000_000
LASTING = f"""
UPDATE attribution_sourcerow s SET term = greatest(term, {DAY}), beside = (kind <> 'nat-blocks')
WHERE kind IN ('nat-blocks', 'nat-flows', 'nat-syslog', 'nat-ipfix', 'nat-netflow')
    OR EXISTS (SELECT FROM attribution_flowpartrow p WHERE p.source_id = s.id)
"""  # noqa: S608 - a constant


class Migration(migrations.Migration):
    dependencies = [("attribution", "0008_how_long_leases_are_given")]

    operations = [
        migrations.AddField("sourcerow", "beside", models.BooleanField(default=False)),
        migrations.RunSQL(LASTING, migrations.RunSQL.noop),
    ]
