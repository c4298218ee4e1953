"""Letters about filters in the network that belong to no case."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notices", "0009_letters_with_a_link_to_log_in")]

    operations = [
        migrations.AlterField(
            model_name="letterrow",
            name="kind",
            field=models.CharField(
                choices=[
                    ("notice", "notice"),
                    ("reminder", "reminder"),
                    ("measure_taken", "measure_taken"),
                    ("measure_lifted", "measure_lifted"),
                    ("case_closed", "case_closed"),
                    ("dispute_received", "dispute_received"),
                    ("extension_granted", "extension_granted"),
                    ("policy_change", "policy_change"),
                    ("policy_kept", "policy_kept"),
                    ("filter", "filter"),
                    ("filter_ended", "filter_ended"),
                    ("address_question", "address_question"),
                    ("log_in_link", "log_in_link"),
                    ("acknowledgement", "acknowledgement"),
                    ("needs_detail", "needs_detail"),
                    ("not_ours", "not_ours"),
                    ("too_old", "too_old"),
                    ("in_touch", "in_touch"),
                    ("outcome", "outcome"),
                ],
                max_length=32,
            ),
        ),
    ]
