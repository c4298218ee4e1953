"""A case remembers the brand that its customer was under."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cases", "0009_clocks_that_run_on_us")]

    operations = [
        migrations.AddField(
            model_name="caserow", name="brand", field=models.CharField(db_default="", default="", max_length=32)
        ),
        migrations.AddIndex(
            model_name="caserow",
            index=models.Index(
                condition=models.Q(("brand", ""), _negated=True), fields=["brand", "state"], name="cases_case_brand"
            ),
        ),
    ]
