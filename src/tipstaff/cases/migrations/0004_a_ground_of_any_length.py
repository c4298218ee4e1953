from django.db import migrations, models


class Migration(migrations.Migration):
    """What a measure that hits others would take and hit is longer than the name of a ground."""

    dependencies = (("cases", "0003_who_decides_on_each"),)

    operations = (migrations.AlterField(model_name="decisionrow", name="ground", field=models.TextField()),)
