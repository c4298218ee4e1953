"""What of the cases is closed to somebody is found without reading the others; and figures are kept a while."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("cases", "0007_first_page_of_the_list"),)

    operations = (
        migrations.CreateModel(
            "FiguresRow",
            fields=(
                ("name", models.CharField(max_length=120, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("found", models.JSONField()),
            ),
        ),
        migrations.AddIndex("caserow", models.Index(fields=["group"], name="cases_group")),
        migrations.AddIndex(
            "caserow", models.Index(fields=["key"], name="cases_sealed", condition=models.Q(resource="sealed"))
        ),
    )
