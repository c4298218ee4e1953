"""Reports are found by the words of their subject and of the lines that they show."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = (("intake", "0006_language"),)

    operations = (
        migrations.AddIndex(
            "reportrow",
            GinIndex(SearchVector("reporter_subject", "detail", config="simple"), name="intake_report_words"),
        ),
        migrations.AddIndex(
            "incidentrow", GinIndex(SearchVector("excerpt", config="simple"), name="intake_incident_words")
        ),
    )
