"""The restricted legal register."""

from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='MatterRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=32, unique=True)),
                ('kind', models.CharField(choices=[('request', 'request'), ('identity', 'identity'), ('report', 'report')], max_length=16)),
                ('state', models.CharField(choices=[('open', 'open'), ('proposed', 'proposed'), ('answered', 'answered'), ('refused', 'refused')], max_length=16)),
                ('clause', models.CharField(max_length=64)),
                ('edition', models.CharField(max_length=32)),
                ('opened_by', models.CharField(max_length=150)),
                ('opened_at', models.DateTimeField()),
                ('received_at', models.DateTimeField()),
                ('authority', models.TextField(default='')),
                ('reference', models.TextField(default='')),
                ('binding', models.BooleanField(default=False)),
                ('digest', models.CharField(default='', max_length=64)),
                ('report', models.CharField(default='', max_length=32)),
                ('shown', models.JSONField(default=list)),
                ('lacking', models.JSONField(default=list)),
                ('clock', models.CharField(default='', max_length=64)),
                ('due_at', models.DateTimeField(null=True)),
                ('address', models.GenericIPAddressField(null=True)),
                ('port', models.PositiveIntegerField(null=True)),
                ('protocol', models.CharField(default='', max_length=8)),
                ('used_at', models.DateTimeField(null=True)),
                ('error_seconds', models.FloatField(default=1.0)),
                ('url', models.TextField(default='')),
                ('grade', models.CharField(default='', max_length=32)),
                ('reason', models.CharField(default='', max_length=64)),
                ('customer', models.CharField(default='', max_length=64)),
                ('authenticated_by', models.CharField(default='', max_length=150)),
                ('authenticated_how', models.TextField(default='')),
                ('gives', models.JSONField(default=list)),
                ('why', models.TextField(default='')),
                ('decided_by', models.CharField(default='', max_length=150)),
                ('second_by', models.CharField(default='', max_length=150)),
                ('decided_at', models.DateTimeField(null=True)),
                ('ground', models.TextField(default='')),
                ('review_at', models.DateTimeField(null=True)),
                ('told_at', models.DateTimeField(null=True)),
                ('told_how', models.TextField(default='')),
                ('handed_at', models.DateTimeField(null=True)),
                ('handed_digest', models.CharField(default='', max_length=64)),
            ],
            options={
                'indexes': [models.Index(fields=['state', 'id'], name='legal_matter_state')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('report', ''), _negated=True), fields=('report', 'clause'), name='legal_matter_one_of_a_report'), models.CheckConstraint(condition=models.Q(models.Q(('kind', 'identity'), ('state', 'answered'), _negated=True), models.Q(models.Q(('second_by', ''), _negated=True), models.Q(('second_by', models.F('decided_by')), _negated=True)), _connector='OR'), name='legal_matter_identity_takes_two_people'), models.CheckConstraint(condition=models.Q(('ground', ''), ('review_at__isnull', False), _connector='OR'), name='legal_matter_silence_ends'), models.CheckConstraint(condition=models.Q(('handed_at__isnull', True), ('state', 'answered'), _connector='OR'), name='legal_matter_decided_before_handed')],
            },
        ),
    ]
