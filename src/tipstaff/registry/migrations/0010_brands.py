"""Customers are under one of the operator's brands."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0009_no_account_above_itself")]

    operations = [
        migrations.AddField(
            model_name="customerrow", name="brand", field=models.TextField(db_default="", default="")
        ),
    ]
