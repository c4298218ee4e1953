"""Filters in the network that belong to no case."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("enforcement", "0008_when_it_was_first_sent")]

    operations = [
        migrations.CreateModel(
            name="FilterRow",
            fields=[
                ("key", models.CharField(max_length=16, primary_key=True, serialize=False)),
                ("selector", models.JSONField()),
                ("degree", models.SmallIntegerField()),
                ("device", models.CharField(max_length=64)),
                ("danger", models.TextField()),
                ("shown_by", models.JSONField()),
                ("state", models.CharField(max_length=16)),
                ("proposed_by", models.CharField(max_length=150)),
                ("proposed_at", models.DateTimeField()),
                ("lasts_hours", models.PositiveIntegerField()),
                ("touches", models.JSONField(default=list)),
                ("considered", models.JSONField(default=list)),
                ("ground", models.CharField(blank=True, max_length=32)),
                ("decided_by", models.CharField(blank=True, max_length=150)),
                ("decided_at", models.DateTimeField(null=True)),
                ("decided_why", models.TextField(blank=True)),
                ("starts_at", models.DateTimeField(null=True)),
                ("letters", models.JSONField(default=dict)),
                ("measure", models.CharField(blank=True, max_length=16)),
                ("ended_at", models.DateTimeField(null=True)),
                ("ended_why", models.TextField(blank=True)),
            ],
            options={
                "indexes": [models.Index(fields=["state", "key"], name="enforcement_filter_state")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("decided_by", ""), models.Q(("decided_by", models.F("proposed_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="enforcement_filter_takes_two",
                    )
                ],
            },
        ),
    ]
