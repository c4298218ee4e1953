from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('enforcement', '0002_told_and_still_stopped'),
    ]

    operations = [
        migrations.AddField(
            model_name='devicerow',
            name='asks',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='devicerow',
            name='let_pass_at',
            field=models.DateTimeField(null=True),
        ),
    ]
