"""Customers have webhooks of their own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0002_what_waits_and_what_was_taken")]

    operations = [
        migrations.AddField(
            model_name="webhookrow", name="customer", field=models.CharField(default="", max_length=64)
        ),
        migrations.AddIndex(
            model_name="webhookrow",
            index=models.Index(
                condition=models.Q(("customer", ""), _negated=True), fields=["customer"],
                name="webhooks_webhook_customer",
            ),
        ),
    ]
