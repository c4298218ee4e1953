"""Several clocks of one kind may run about one thing: each counter-notice on a case has its own, and each entry of the
copyright agent in the directory."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cases", "0011_how_sure_of_each")]

    operations = [
        migrations.AddField("runningclockrow", "nth", models.PositiveIntegerField(default=1, db_default=1)),
        migrations.RemoveConstraint("runningclockrow", "cases_clock_once"),
        migrations.AddConstraint(
            "runningclockrow",
            models.UniqueConstraint(fields=["clock", "about", "nth"], name="cases_clock_once"),
        ),
    ]
