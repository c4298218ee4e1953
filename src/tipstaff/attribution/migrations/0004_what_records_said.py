import django.db.models.deletion
from django.db import migrations, models

SAID = {
    **dict.fromkeys(("since", "seen", "until", "heard"), models.BigIntegerField),
    **dict.fromkeys(("final", "begun"), models.BooleanField),
    "session": models.TextField,
}


class Migration(migrations.Migration):
    """Rows keep what their records said, so that records that are read later are joined with that; the error of a
    source's clock and its NASes' restarts are kept from one reading to the next."""

    dependencies = [("attribution", "0003_the_machines_of_a_log_in")]

    operations = [
        *(migrations.AddField("bindingrow", name, kind(null=True)) for name, kind in SAID.items()),
        migrations.AddIndex(
            "bindingrow",
            models.Index(fields=["source"], condition=models.Q(ending=4), name="attribution_binding_open"),
        ),
        migrations.AddField("sourcerow", "error_before", models.BigIntegerField(default=0)),
        migrations.AddField("sourcerow", "error_lately", models.BigIntegerField(default=0)),
        migrations.AddField("sourcerow", "error_samples", models.IntegerField(default=0)),
        migrations.CreateModel(
            name="RestartRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("nas", models.TextField()),
                ("at", models.BigIntegerField()),
                ("source", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="attribution.sourcerow")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=["source", "nas", "at"], name="attribution_one_restart")],
            },
        ),
    ]
