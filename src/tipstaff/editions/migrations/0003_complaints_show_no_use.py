"""A report about a customer shows no use of theirs: what was noted by one stays on record and counts no more."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("editions", "0002_kept")]
    operations = [
        migrations.RemoveConstraint(model_name="acceptancerow", name="editions_acceptance_once_a_customer"),
        migrations.AddConstraint(
            model_name="acceptancerow",
            constraint=models.UniqueConstraint(
                fields=["customer", "digest"],
                condition=models.Q(("shown_by__startswith", "R-"), _negated=True),
                name="editions_acceptance_once_a_customer",
            ),
        ),
    ]
