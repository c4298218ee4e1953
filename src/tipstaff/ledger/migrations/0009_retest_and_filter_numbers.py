"""Looks at an address before a case closes, and filters without a case, have numbers of their own."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ledger", "0008_told_to_who_looks")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE retest_number", migrations.RunSQL.noop),
        migrations.RunSQL("CREATE SEQUENCE filter_number", migrations.RunSQL.noop),
    ]
