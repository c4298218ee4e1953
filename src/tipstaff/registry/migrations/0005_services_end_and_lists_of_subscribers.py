"""A service's end, and the lists of whose a log-in, circuit or MAC is, kept as everything here is."""

import django.db.models.functions
from django.db import migrations, models

from tipstaff.words import Origin

SUBSCRIBERS = """
CREATE TRIGGER registry_keep_past BEFORE UPDATE OR DELETE ON registry_subscriberrow
    FOR EACH ROW EXECUTE FUNCTION registry_keep_past();
CREATE TRIGGER registry_keep_past BEFORE UPDATE OR DELETE ON registry_subscriberlistrow
    FOR EACH ROW EXECUTE FUNCTION registry_keep_past();
CREATE INDEX registry_past_port ON registry_pastrow ((body ->> 'port')) WHERE kept_table = 'registry_servicerow';
"""
KEPT = [
    ("known_from", models.DateTimeField(db_default=django.db.models.functions.Now())),
    ("change", models.BigIntegerField(null=True)),
    ("restored_from", models.BigIntegerField(null=True)),
]


class Migration(migrations.Migration):
    dependencies = [("registry", "0004_nothing_is_overwritten")]

    operations = [
        migrations.AlterField(
            "changerow", "origin", models.CharField(max_length=8, choices=[(x.value, x.value) for x in Origin])
        ),
        migrations.AddField("servicerow", "ended_at", models.DateTimeField(null=True)),
        migrations.AddIndex(
            "servicerow",
            models.Index(fields=["port"], condition=models.Q(("port", ""), _negated=True), name="registry_service_port"),
        ),
        migrations.CreateModel(
            name="SubscriberListRow",
            fields=[
                *((name, field.clone()) for name, field in KEPT),
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("read_at", models.DateTimeField()),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="SubscriberRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                *((name, field.clone()) for name, field in KEPT),
                ("kind", models.CharField(max_length=8)),
                ("value", models.TextField()),
                ("customer", models.CharField(db_column="customer_id", max_length=64)),
                ("service", models.CharField(db_column="service_id", max_length=64, null=True)),
                ("since", models.DateTimeField(null=True)),
                ("until", models.DateTimeField(null=True)),
                ("stated_until", models.DateTimeField(null=True)),
                ("sure_from", models.DateTimeField(null=True)),
                ("sure_until", models.DateTimeField(null=True)),
                ("source", models.TextField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["kind", "value"], name="registry_subscriber_value"),
                    models.Index(fields=["source"], name="registry_subscriber_source"),
                ],
            },
        ),
        migrations.RunSQL(SUBSCRIBERS, migrations.RunSQL.noop),
    ]
