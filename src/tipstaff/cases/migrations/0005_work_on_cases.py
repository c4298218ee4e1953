"""A watch after a fix, an appeal, reopening; merge and split; and what people need who work on many cases at once."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cases', '0004_a_ground_of_any_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='BulkRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('action', models.CharField(max_length=16)),
                ('value', models.TextField()),
                ('before', models.JSONField()),
                ('at', models.DateTimeField()),
                ('actor', models.CharField(max_length=150)),
                ('undone_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='MergeRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('into', models.CharField(db_index=True, max_length=16)),
                ('incidents', models.JSONField()),
                ('before', models.JSONField()),
                ('at', models.DateTimeField()),
                ('undone_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='PresenceRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=150)),
                ('since', models.DateTimeField()),
                ('seen_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='SavedViewRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('owner', models.CharField(max_length=150)),
                ('name', models.CharField(max_length=60)),
                ('query', models.CharField(max_length=500)),
                ('shared', models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name='WatcherRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=150)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='caserow',
            name='cases_one_open_per_customer_group_service',
        ),
        migrations.AddField(
            model_name='caserow',
            name='appealed',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='caserow',
            name='campaign',
            field=models.CharField(max_length=64, null=True),
        ),
        migrations.AddField(
            model_name='caserow',
            name='fixed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='caserow',
            name='merged_into',
            field=models.CharField(max_length=16, null=True),
        ),
        migrations.AddField(
            model_name='caserow',
            name='part',
            field=models.CharField(db_default='', default='', max_length=16),
        ),
        migrations.AddField(
            model_name='caserow',
            name='reopened',
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='caserow',
            name='snoozed_until',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='caserow',
            name='split_from',
            field=models.CharField(max_length=16, null=True),
        ),
        migrations.AddField(
            model_name='caserow',
            name='tags',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=32), db_default=[], default=list, size=None),
        ),
        migrations.AddField(
            model_name='caserow',
            name='waits_since',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='caserow',
            name='watched_until',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='memberrow',
            name='home',
            field=models.CharField(max_length=16, null=True),
        ),
        migrations.AddIndex(
            model_name='caserow',
            index=models.Index(condition=models.Q(('state', 'monitored')), fields=['watched_until'], name='cases_watched'),
        ),
        migrations.AddIndex(
            model_name='caserow',
            index=models.Index(condition=models.Q(('waits_since__isnull', False)), fields=['waits_since'], name='cases_waits'),
        ),
        migrations.AddIndex(
            model_name='caserow',
            index=models.Index(condition=models.Q(('merged_into__isnull', False)), fields=['merged_into'], name='cases_merged'),
        ),
        migrations.AddIndex(
            model_name='caserow',
            index=models.Index(condition=models.Q(('split_from__isnull', False)), fields=['split_from'], name='cases_split'),
        ),
        migrations.AddIndex(
            model_name='caserow',
            index=models.Index(condition=models.Q(('campaign__isnull', False)), fields=['campaign'], name='cases_campaign'),
        ),
        migrations.AddIndex(
            model_name='caserow',
            index=django.contrib.postgres.indexes.GinIndex(fields=['tags'], name='cases_tags'),
        ),
        migrations.AddIndex(
            model_name='memberrow',
            index=models.Index(condition=models.Q(('told_by__isnull', False)), fields=['told_by'], name='cases_member_told'),
        ),
        migrations.AddConstraint(
            model_name='caserow',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['fixed', 'monitored', 'appealed', 'closed']), _negated=True), fields=('customer', 'group', 'service', 'part'), name='cases_one_open_per_place_and_part', nulls_distinct=False),
        ),
        migrations.AddField(
            model_name='mergerow',
            name='case',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='merges', to='cases.caserow'),
        ),
        migrations.AddField(
            model_name='presencerow',
            name='case',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='present', to='cases.caserow'),
        ),
        migrations.AddConstraint(
            model_name='savedviewrow',
            constraint=models.UniqueConstraint(fields=('owner', 'name'), name='cases_view_once'),
        ),
        migrations.AddField(
            model_name='watcherrow',
            name='case',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='watchers', to='cases.caserow'),
        ),
        migrations.AddConstraint(
            model_name='presencerow',
            constraint=models.UniqueConstraint(fields=('case', 'name'), name='cases_present_once'),
        ),
        migrations.AddConstraint(
            model_name='watcherrow',
            constraint=models.UniqueConstraint(fields=('name', 'case'), name='cases_watched_once'),
        ),
        # Since when is not known of what waits already: since it was opened, at the longest.
        migrations.RunSQL(
            "UPDATE cases_caserow SET waits_since = opened_at WHERE state IN ('waiting_person', 'disputed')",
            migrations.RunSQL.noop,
        ),
    ]
