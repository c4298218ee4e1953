from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('enforcement', '0007_what_came_in_force_within_an_hour'),
    ]

    operations = [
        migrations.AddField(
            model_name='measurerow',
            name='sent_at',
            field=models.DateTimeField(null=True),
        ),
        # The fuse looks back one hour: of what was sent before this version, that much is kept.
        migrations.RunSQL(
            "UPDATE enforcement_measurerow SET sent_at = planned_at"
            " WHERE generation > 0 AND planned_at > now() - interval '1 day'",
            migrations.RunSQL.noop,
        ),
        migrations.RemoveIndex(
            model_name='measurerow',
            name='enforcement_planned_lately',
        ),
        migrations.AddIndex(
            model_name='measurerow',
            index=models.Index(fields=['device', 'sent_at'], name='enforcement_sent_lately'),
        ),
    ]
