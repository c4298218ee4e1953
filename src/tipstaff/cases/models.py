"""Rows of cases. Private to this room."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models.functions import Upper


class CaseRow(models.Model):
    key = models.CharField(max_length=16, primary_key=True)
    customer = models.CharField(max_length=64)
    brand = models.CharField(max_length=32, default="", db_default="")
    """The customer's brand when it was opened."""
    customer_name = models.CharField(max_length=200)
    service = models.CharField(max_length=64, null=True)
    clause = models.CharField(max_length=64)
    group = models.CharField(max_length=64)
    edition = models.CharField(max_length=32)
    type = models.CharField(max_length=64)
    severity = models.SmallIntegerField()
    state = models.CharField(max_length=20)
    outcome = models.CharField(max_length=24, default="none")
    resource = models.TextField()
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    extended = models.BooleanField(default=False)
    reports = models.IntegerField(default=0)
    explanation = models.TextField()
    notice = models.CharField(max_length=16)
    ladder = models.JSONField()
    measure_ports = models.JSONField()
    measure_direction = models.CharField(max_length=8, default="both")
    decides = models.CharField(max_length=16, null=True)
    assignee = models.CharField(max_length=150, null=True)
    answer = models.TextField(default="")
    answer_seconds = models.BigIntegerField()
    repeats = models.IntegerField(default=0)
    version = models.IntegerField(default=1)
    fixed_at = models.DateTimeField(null=True)
    watched_until = models.DateTimeField(null=True)
    reopened = models.IntegerField(default=0, db_default=0)
    appealed = models.BooleanField(default=False, db_default=False)
    part = models.CharField(max_length=16, default="", db_default="")
    """Its own key where it was split off, so that it may be open beside the case that further reports join."""
    merged_into = models.CharField(max_length=16, null=True)
    split_from = models.CharField(max_length=16, null=True)
    waits_since = models.DateTimeField(null=True)
    snoozed_until = models.DateTimeField(null=True)
    tags = ArrayField(models.CharField(max_length=32), default=list, db_default=[])
    campaign = models.CharField(max_length=64, null=True)

    class Meta:
        constraints = (
            # Two reports that arrive at once can open one case only; the other joins it.
            models.UniqueConstraint(
                fields=["customer", "group", "service", "part"],
                condition=~models.Q(state__in=["fixed", "monitored", "appealed", "closed"]),
                name="cases_one_open_per_place_and_part",
                nulls_distinct=False,
            ),
        )
        indexes = (
            models.Index(fields=["state", "due_at"], name="cases_state_due"),
            models.Index(fields=["customer", "group", "closed_at"], name="cases_customer_group"),
            models.Index(fields=["-opened_at"], name="cases_opened"),
            models.Index(fields=["watched_until"], name="cases_watched", condition=models.Q(state="monitored")),
            models.Index(fields=["waits_since"], name="cases_waits", condition=models.Q(waits_since__isnull=False)),
            models.Index(fields=["merged_into"], name="cases_merged", condition=models.Q(merged_into__isnull=False)),
            models.Index(fields=["split_from"], name="cases_split", condition=models.Q(split_from__isnull=False)),
            models.Index(fields=["brand", "state"], name="cases_case_brand", condition=~models.Q(brand="")),
            models.Index(fields=["campaign"], name="cases_campaign", condition=models.Q(campaign__isnull=False)),
            # In the order of the list, so that its first page reads no further.
            models.Index(
                fields=["due_at", "-severity", "-opened_at", "key"],
                name="cases_under_way",
                condition=~models.Q(state="closed"),
                include=["state", "snoozed_until"],
            ),
            models.Index(
                fields=["assignee", "due_at"],
                name="cases_assigned",
                condition=models.Q(assignee__isnull=False) & ~models.Q(state="closed"),
            ),
            # What is closed to somebody is looked up at the beginning of each look.
            models.Index(fields=["group"], name="cases_group"),
            models.Index(fields=["key"], name="cases_sealed", condition=models.Q(resource="sealed")),
            GinIndex(fields=["tags"], name="cases_tags"),
            models.Index(Upper("customer"), name="cases_customer_upper"),
            GinIndex(SearchVector("explanation", "answer", config="simple"), name="cases_words"),
        )


class MemberRow(models.Model):
    """An incident inside a case; once, however often it is offered."""

    case = models.ForeignKey(CaseRow, on_delete=models.PROTECT, related_name="members")
    incident = models.CharField(max_length=24, unique=True)
    told_by = models.CharField(max_length=16, null=True)
    """The letter that named what this incident is about to the holder."""
    decides = models.CharField(max_length=16, null=True)
    """Who must decide on a measure against what this incident is about; null leaves it to the clock."""
    waits = models.BooleanField(default=False, db_default=False)
    """A person decides whether the holder is told of it at all."""
    confirmed = models.BooleanField(default=False, db_default=False)
    """The holder was sure and not only probable; false as well where an older version noted it and nobody knows."""
    home = models.CharField(max_length=16, null=True)
    """The case that it was judged into, where that is another by now: its ladder, ports and service stay the incident's
    own, whatever it is merged with."""

    class Meta:
        indexes = (
            models.Index(fields=["told_by"], name="cases_member_told", condition=models.Q(told_by__isnull=False)),
        )


class NoteRow(models.Model):
    case = models.ForeignKey(CaseRow, on_delete=models.PROTECT, related_name="notes")
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    text = models.TextField()

    class Meta:
        indexes = (GinIndex(SearchVector("text", config="simple"), name="cases_note_words"),)


class DecisionRow(models.Model):
    case = models.ForeignKey(CaseRow, on_delete=models.PROTECT, related_name="decisions")
    kind = models.CharField(max_length=32)
    ground = models.TextField()
    detail = models.TextField()
    proposed_by = models.CharField(max_length=150)
    proposed_at = models.DateTimeField()
    seconded_by = models.CharField(max_length=150, null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(seconded_by__isnull=True) | ~models.Q(seconded_by=models.F("proposed_by")),
                name="cases_seconded_by_another",
            ),
        )


class MergeRow(models.Model):
    """What went over when one case was merged into another, so that it can be taken apart again."""

    case = models.ForeignKey(CaseRow, on_delete=models.PROTECT, related_name="merges")
    into = models.CharField(max_length=16, db_index=True)
    incidents = models.JSONField()
    before = models.JSONField()
    """State, due_at and extended of the case before."""
    at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)


class WatcherRow(models.Model):
    """Somebody at the desk who follows a case."""

    case = models.ForeignKey(CaseRow, on_delete=models.CASCADE, related_name="watchers")
    name = models.CharField(max_length=150)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["name", "case"], name="cases_watched_once"),)


class PresenceRow(models.Model):
    """Who has a case before them just now: seen by the page that refreshes itself."""

    case = models.ForeignKey(CaseRow, on_delete=models.CASCADE, related_name="present")
    name = models.CharField(max_length=150)
    since = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["case", "name"], name="cases_present_once"),)


class SavedViewRow(models.Model):
    """A list of cases that somebody keeps under a name: the query of its address."""

    owner = models.CharField(max_length=150)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=500)
    shared = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["owner", "name"], name="cases_view_once"),)


class FiguresRow(models.Model):
    """Figures of the desk as they were counted, so that not every look at them counts anew."""

    name = models.CharField(max_length=120, primary_key=True)
    at = models.DateTimeField()
    found = models.JSONField()


class BulkRow(models.Model):
    """What one act did to many cases at once, and how each was before."""

    action = models.CharField(max_length=16)
    value = models.TextField()
    before = models.JSONField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    undone_at = models.DateTimeField(null=True)


class RunningClockRow(models.Model):
    """A clock that runs on the operator: about a case, a report, a matter of the legal register, or a designation."""

    clock = models.CharField(max_length=64)
    about = models.CharField(max_length=24)
    nth = models.PositiveIntegerField(default=1, db_default=1)
    edition = models.CharField(max_length=32)
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    look_at = models.DateTimeField()
    late_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["clock", "about", "nth"], name="cases_clock_once"),)
        indexes = (
            models.Index(fields=["look_at"], name="cases_clock_look", condition=models.Q(ended_at__isnull=True)),
            models.Index(fields=["due_at"], name="cases_clock_due", condition=models.Q(ended_at__isnull=True)),
            models.Index(fields=["about"], name="cases_clock_about"),
        )


class ClockPlaceRow(models.Model):
    """How far into the record's chain the events were read that start such clocks: one row, and one for the short
    clocks, which are read ahead of what is left behind."""

    seq = models.BigIntegerField()
