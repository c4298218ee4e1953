from django.db import migrations

# Where sources of translations speak, as `staging.note_scope` notes it from now on. A source without a cover states all
# there is (a map, a plan), and has no gaps.
BLOCKS = """
INSERT INTO attribution_scoperow (source_id, version, block)
SELECT DISTINCT b.source_id, b.version, CASE b.version WHEN 4 THEN b.lo >> 8 ELSE (b.hi >> 24) & 1099511627775 END
FROM attribution_bindingrow b
WHERE b.kind = 0 AND b.version IN (4, 6)
    AND EXISTS (SELECT 1 FROM attribution_coverrow c WHERE c.source_id = b.source_id)
ON CONFLICT DO NOTHING
"""

# Flows in files: every neighbourhood between the first and the last address of a file. Of a file that spans more than
# 65,536 of them only the first and the last: reading all files would take hours, and what is read next adds its own.
FLOWS = """
INSERT INTO attribution_scoperow (source_id, version, block)
SELECT DISTINCT p.source_id, p.version, n.block
FROM (
    SELECT DISTINCT source_id, version,
        CASE version WHEN 4 THEN first >> 8 ELSE first >> 23 END AS low,
        CASE version WHEN 4 THEN last >> 8 ELSE last >> 23 END AS high
    FROM attribution_flowpartrow WHERE version IN (4, 6)
) p CROSS JOIN LATERAL (
    SELECT low + i AS block FROM generate_series(0, least(high - low, 65536)) i WHERE high - low <= 65536
    UNION ALL SELECT low WHERE high - low > 65536 UNION ALL SELECT high WHERE high - low > 65536
) n
ON CONFLICT DO NOTHING
"""

# Earlier versions forgot flows and went on saying that the log was read: what lies before the oldest that is left is
# taken for forgotten.
FORGOTTEN = (
    """
    DELETE FROM attribution_coverrow c USING (
        SELECT source_id, min(since) AS oldest FROM attribution_flowpartrow WHERE version > 0 GROUP BY source_id
    ) p WHERE c.source_id = p.source_id AND c.until <= p.oldest
    """,
    """
    UPDATE attribution_coverrow c SET since = p.oldest FROM (
        SELECT source_id, min(since) AS oldest FROM attribution_flowpartrow WHERE version > 0 GROUP BY source_id
    ) p WHERE c.source_id = p.source_id AND c.since < p.oldest
    """,
)


class Migration(migrations.Migration):

    dependencies = [("attribution", "0004_what_records_said")]

    operations = [
        migrations.RunSQL(statement, migrations.RunSQL.noop) for statement in (BLOCKS, FLOWS, *FORGOTTEN)
    ]
