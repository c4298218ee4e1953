"""A letter that takes back another one waits until that one's fate is known."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notices', '0007_questions_and_contacts'),
    ]

    operations = [
        migrations.AddField(
            model_name='letterrow',
            name='follows',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='followed_by', to='notices.letterrow'),
        ),
    ]
