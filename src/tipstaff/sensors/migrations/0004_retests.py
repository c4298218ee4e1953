"""Looks at an address after a fix, before its case closes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sensors", "0003_account")]

    operations = [
        migrations.CreateModel(
            name="RetestRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=24, unique=True)),
                ("case", models.CharField(max_length=24)),
                ("customer", models.CharField(max_length=64)),
                ("clause", models.CharField(max_length=100)),
                ("address", models.GenericIPAddressField()),
                ("protocol", models.CharField(max_length=8)),
                ("port", models.PositiveIntegerField()),
                ("check_name", models.CharField(max_length=32)),
                ("asked_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("sent_at", models.DateTimeField(null=True)),
                ("found", models.CharField(blank=True, max_length=16)),
                ("said", models.TextField(blank=True)),
                ("found_at", models.DateTimeField(null=True)),
                ("evidence", models.CharField(blank=True, max_length=64)),
                ("sighting", models.CharField(blank=True, max_length=24)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["case"], name="sensors_retest_case"),
                    models.Index(
                        condition=models.Q(("found", "")), fields=["due_at"], name="sensors_retest_waits"
                    ),
                    models.Index(fields=["sent_at"], name="sensors_retest_sent"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("case", "address", "protocol", "port", "asked_at"), name="sensors_retest_once"
                    )
                ],
            },
        ),
    ]
