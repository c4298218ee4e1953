from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('enforcement', '0006_when_it_was_shown'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='measurerow',
            index=models.Index(fields=['device', 'in_force_at'], name='enforcement_in_force_lately'),
        ),
    ]
