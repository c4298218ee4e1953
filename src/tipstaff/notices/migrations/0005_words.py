"""Letters are found by their words."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = (("notices", "0004_policy_change"),)

    operations = (
        migrations.AddIndex(
            "letterrow", GinIndex(SearchVector("subject", "body", config="simple"), name="notices_letter_words")
        ),
    )
