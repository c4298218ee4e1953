"""Who decides, and whether anybody may be told, is kept for each incident of a case and not for the first alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cases", "0002_memberrow_told_by")]

    operations = [
        migrations.AddField("memberrow", "decides", models.CharField(max_length=16, null=True)),
        migrations.AddField("memberrow", "waits", models.BooleanField(default=False, db_default=False)),
        migrations.RunSQL(
            "UPDATE cases_memberrow m SET decides = c.decides FROM cases_caserow c "
            "WHERE c.key = m.case_id AND c.decides IS NOT NULL",
            migrations.RunSQL.noop,
        ),
    ]
