"""No measure without an end, whoever writes the row. One that had none ends after the longest time that is usual, from
now on: so nothing is lifted by this, and there is time to prolong it."""

from datetime import timedelta

from django.db import migrations, models
from django.db.models.functions import Coalesce, Now

_LASTS, _URGENT_LASTS = timedelta(days=7), timedelta(hours=24)
"""As `policy.remedies` had them when this was written."""
_ENDED = ("lifted", "failed")


def give_an_end(apps, schema_editor):
    rows = apps.get_model("enforcement", "MeasureRow").objects.filter(until__isnull=True)
    # What is over keeps its history: it ended when it was lifted.
    rows.filter(state__in=_ENDED).update(until=Coalesce("lifted_at", "planned_at"))
    rows.filter(notice__isnull=True).update(until=Now() + _URGENT_LASTS)
    rows.update(until=Now() + _LASTS)


class Migration(migrations.Migration):
    dependencies = (("enforcement", "0010_what_came_behind_a_mass"),)

    operations = (
        migrations.RunPython(give_an_end, migrations.RunPython.noop),
        migrations.AlterField("measurerow", "until", models.DateTimeField()),
    )
