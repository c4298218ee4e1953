"""A letter goes under one of the operator's brands."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notices", "0012_letter_on_a_webhook")]

    operations = [
        migrations.AddField(model_name="letterrow", name="brand", field=models.CharField(default="", max_length=32)),
    ]
