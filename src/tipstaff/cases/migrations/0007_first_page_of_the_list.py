"""The first page of what is under way, or of one's own, is read from an index in its order, among however many ended."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("cases", "0006_search"),)

    operations = (
        migrations.AddIndex(
            "caserow",
            models.Index(
                fields=["due_at", "-severity", "-opened_at", "key"],
                name="cases_under_way",
                condition=~models.Q(state="closed"),
                include=["state", "snoozed_until"],
            ),
        ),
        migrations.AddIndex(
            "caserow",
            models.Index(
                fields=["assignee", "due_at"],
                name="cases_assigned",
                condition=models.Q(assignee__isnull=False) & ~models.Q(state="closed"),
            ),
        ),
    )
