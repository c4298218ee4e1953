import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='ReportRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=24, unique=True)),
                ('evidence', models.CharField(max_length=64, unique=True)),
                ('received_at', models.DateTimeField()),
                ('channel', models.CharField(max_length=8)),
                ('sender', models.TextField()),
                ('outcome', models.CharField(max_length=32)),
                ('outcome_reason', models.TextField(blank=True)),
                ('decided', models.BooleanField(default=False)),
                ('first_n', models.PositiveIntegerField(default=1)),
                ('read_at', models.DateTimeField(null=True)),
                ('reading_outcome', models.CharField(blank=True, max_length=32)),
                ('reading_reason', models.CharField(blank=True, max_length=32)),
                ('parser', models.TextField(blank=True)),
                ('detail', models.TextField(blank=True)),
                ('reporter_address', models.TextField(blank=True)),
                ('reporter_name', models.TextField(blank=True)),
                ('reporter_reference', models.TextField(blank=True)),
                ('reporter_message_id', models.TextField(blank=True)),
                ('reporter_subject', models.TextField(blank=True)),
            ],
            options={
                'indexes': [models.Index(fields=['outcome', '-id'], name='intake_report_outcome'), models.Index(fields=['received_at'], name='intake_report_received'), models.Index(condition=models.Q(('read_at__isnull', True)), fields=['id'], name='intake_report_unread'), django.contrib.postgres.indexes.HashIndex(fields=['sender'], name='intake_report_sender'), django.contrib.postgres.indexes.HashIndex(fields=['reporter_address'], name='intake_report_reporter'), django.contrib.postgres.indexes.HashIndex(fields=['reporter_reference'], name='intake_report_reference'), django.contrib.postgres.indexes.HashIndex(fields=['reporter_message_id'], name='intake_report_message_id')],
            },
        ),
        migrations.CreateModel(
            name='IncidentRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('n', models.PositiveIntegerField()),
                ('received_at', models.DateTimeField()),
                ('type', models.TextField()),
                ('source', models.GenericIPAddressField(null=True)),
                ('source_port', models.IntegerField(null=True)),
                ('url', models.TextField(null=True)),
                ('domain', models.TextField(null=True)),
                ('moment_at', models.DateTimeField(null=True)),
                ('moment_error_seconds', models.FloatField(null=True)),
                ('moment_zone_stated', models.BooleanField(null=True)),
                ('excerpt', models.TextField(blank=True)),
                ('confidence', models.FloatField()),
                ('rest', models.JSONField(default=dict)),
                ('site', models.CharField(blank=True, max_length=255)),
                ('outcome', models.CharField(max_length=32)),
                ('reason', models.TextField(blank=True)),
                ('case', models.CharField(max_length=24, null=True)),
                ('report', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='incidents', to='intake.reportrow')),
            ],
            options={
                'indexes': [models.Index(fields=['report', 'outcome', 'n'], name='intake_incident_outcome'), models.Index(condition=models.Q(('case__isnull', False)), fields=['case'], name='intake_incident_case'), models.Index(fields=['source', 'received_at'], name='intake_incident_source'), models.Index(fields=['source', 'moment_at'], name='intake_incident_moment'), models.Index(fields=['received_at'], name='intake_incident_received'), models.Index(fields=['site'], name='intake_incident_site', opclasses=['varchar_pattern_ops']), django.contrib.postgres.indexes.HashIndex(fields=['url'], name='intake_incident_url'), django.contrib.postgres.indexes.HashIndex(fields=['domain'], name='intake_incident_domain')],
                'constraints': [models.UniqueConstraint(fields=('report', 'n'), name='intake_incident_place')],
            },
        ),
    ]
