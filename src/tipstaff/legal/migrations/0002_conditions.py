"""What counsel noted of the conditions of a limit of liability."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('legal', '0001_register'),
    ]

    operations = [
        migrations.CreateModel(
            name='ConditionRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('condition', models.CharField(max_length=32)),
                ('met', models.BooleanField()),
                ('shown_by', models.TextField()),
                ('until', models.DateTimeField()),
                ('noted_by', models.CharField(max_length=150)),
                ('noted_at', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['condition', '-id'], name='legal_condition_last')],
            },
        ),
    ]
