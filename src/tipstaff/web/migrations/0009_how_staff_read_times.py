"""Staff have a time zone, and a way to write dates, of their own."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("web", "0008_log_in_of_customers_by_company"),
    ]

    operations = [
        migrations.CreateModel(
            name="StaffReader",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name="+",
                        serialize=False, to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("timezone", models.CharField(default="UTC", max_length=64)),
                ("dates", models.CharField(default="", max_length=8)),
            ],
        ),
    ]
