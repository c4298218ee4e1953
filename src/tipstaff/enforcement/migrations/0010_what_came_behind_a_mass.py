from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('enforcement', '0009_filters_without_a_case'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='measurerow',
            index=models.Index(fields=['device', 'planned_at'], name='enforcement_planned_lately'),
        ),
    ]
