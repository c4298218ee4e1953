"""No measure without an end, whoever writes the row. One that had none ends after the longest time that is usual, from
now on: so nothing is lifted by this, and there is time to prolong it. Of each the record says so."""

from datetime import timedelta

from django.db import connection, migrations, models
from django.db.models.functions import Coalesce

from tipstaff.ledger.operations import record

_LASTS, _URGENT_LASTS = timedelta(days=7), timedelta(hours=24)
"""As `policy.remedies` had them when this was written."""
_ENDED = ("lifted", "failed")
_WHY = "It had no end, and every measure has one since this upgrade. It can be prolonged until then."


def give_an_end(apps, schema_editor):
    rows = apps.get_model("enforcement", "MeasureRow").objects.filter(until__isnull=True)
    # What is over keeps its history: it ended when it was lifted.
    rows.filter(state__in=_ENDED).update(until=Coalesce("lifted_at", "planned_at"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        at = cursor.fetchone()[0]
    for key, case, customer, notice in rows.order_by("key").values_list("key", "case", "customer", "notice"):
        until = at + (_URGENT_LASTS if notice is None else _LASTS)
        rows.filter(key=key).update(until=until)
        record("measure.given_end", at=at, actor="upgrade", about=[key, case, customer], until=until, why=_WHY)


class Migration(migrations.Migration):
    # The record is written, as it is from its first step on, by all of its columns.
    dependencies = (("enforcement", "0010_what_came_behind_a_mass"), ("ledger", "0009_retest_and_filter_numbers"))

    operations = (
        migrations.RunPython(give_an_end, migrations.RunPython.noop),
        migrations.AlterField("measurerow", "until", models.DateTimeField()),
    )
