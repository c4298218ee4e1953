from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0001_initial")]

    operations = [
        migrations.AddField("reportrow", "peer", models.CharField(blank=True, default="", max_length=45), preserve_default=False),
        migrations.AddField("reportrow", "authenticated", models.BooleanField(null=True)),
        migrations.AddField("reportrow", "authentication", models.JSONField(default=dict)),
    ]
