"""A letter on a webhook of a customer's that was switched off."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notices", "0011_letters_of_contacts_and_passing_on")]

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
                    ("contact_check", "contact_check"),
                    ("contacts_changed", "contacts_changed"),
                    ("passed_on", "passed_on"),
                    ("passed_on_answered", "passed_on_answered"),
                    ("webhook_off", "webhook_off"),
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
