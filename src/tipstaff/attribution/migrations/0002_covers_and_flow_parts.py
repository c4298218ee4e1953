import django.db.models.deletion
from django.db import migrations, models

# One stretch for readings that lie no farther apart than an hour, as `covers.py` joins them from now on.
JOIN_READINGS = """
INSERT INTO attribution_coverrow (source_id, since, until)
SELECT source_id, min(first), max(last) FROM (
    SELECT *, count(*) FILTER (WHERE first > reach + 3600000000) OVER (PARTITION BY source_id ORDER BY first, last, id)
        AS stretch
    FROM (
        SELECT id, source_id, covers_from AS first, covers_until AS last,
            max(covers_until) OVER (
                PARTITION BY source_id ORDER BY covers_from, covers_until, id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS reach
        FROM attribution_loadrow WHERE covers_from IS NOT NULL
    ) readings
) numbered GROUP BY source_id, stretch
"""


class Migration(migrations.Migration):

    dependencies = [("attribution", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="CoverRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.BigIntegerField()),
                ("until", models.BigIntegerField()),
                ("source", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="attribution.sourcerow")),
            ],
            options={"indexes": [models.Index(fields=["source", "since"], name="attribution_cover_since")]},
        ),
        migrations.RunSQL(JOIN_READINGS, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="FlowPartRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200, unique=True)),
                ("realm", models.IntegerField()),
                ("inside_realm", models.IntegerField()),
                ("version", models.SmallIntegerField()),
                ("span", models.SmallIntegerField()),
                ("slot", models.BigIntegerField()),
                ("first", models.BigIntegerField()),
                ("last", models.BigIntegerField()),
                ("since", models.BigIntegerField()),
                ("until", models.BigIntegerField()),
                ("error", models.BigIntegerField()),
                ("rows", models.BigIntegerField()),
                ("octets", models.BigIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("written_at", models.DateTimeField()),
                ("source", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="attribution.sourcerow")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["realm", "version", "until"], name="attribution_flow_part_until"),
                    models.Index(fields=["source", "span", "slot"], name="attribution_flow_part_slot"),
                ],
            },
        ),
    ]
