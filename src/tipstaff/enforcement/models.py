"""Rows of measures and devices. Private to this room."""

from django.db import models

WANTED = ("planned", "applying", "in_force")
ENDED = ("lifted", "failed")


class DeviceRow(models.Model):
    """One device: what was last wanted of it, who may write to it, how it answered."""

    name = models.CharField(max_length=64, primary_key=True)
    generation = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, default="")
    """Of the rules of that generation: the same rules keep their generation."""
    epoch = models.BigIntegerField(default=0)
    """The fence: a writer with a lower one has been replaced."""
    seen_at = models.DateTimeField(null=True)
    """When it was last read back whole."""
    tried_at = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0)
    """Failed rounds in a row."""
    detail = models.TextField(default="")
    foreign = models.JSONField(default=list)
    held_back = models.TextField(default="")
    """Why new measures are held back by the fuse; empty when they are not."""
    asks = models.JSONField(default=dict)
    """What one person asked for that takes a second: `lift_all` or `let_pass` -> who, why, when; of a whole driver,
    which, and for which devices."""
    let_pass_at = models.DateTimeField(null=True)
    """What was planned until then may pass the fuse: two people said so."""


class MeasureRow(models.Model):
    """One measure, wanted or ended."""

    key = models.CharField(max_length=16, primary_key=True)
    case = models.CharField(max_length=16)
    customer = models.CharField(max_length=64)
    device = models.CharField(max_length=64)
    selector = models.JSONField()
    selector_key = models.TextField()
    """The selector and direction in one line, for uniqueness."""
    degree = models.SmallIntegerField()
    state = models.CharField(max_length=16)
    proof = models.SmallIntegerField(default=0)
    proof_detail = models.TextField(default="")
    proof_at = models.DateTimeField(null=True)
    generation = models.BigIntegerField(default=0)
    planned_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    """When the intent to tell the device was first on record: from then on it may have an effect, shown or not."""
    until = models.DateTimeField()
    """When it ends whatever happens. There is none without."""
    lifted_when = models.TextField()
    notice = models.CharField(max_length=16, null=True)
    urgency = models.JSONField(null=True)
    in_force_at = models.DateTimeField(null=True)
    lifted_at = models.DateTimeField(null=True)
    told = models.CharField(max_length=16, default="")
    """How far its customer has heard of it: nothing, `in_force`, `lifted`."""
    still_stopped = models.TextField(default="")
    """While it is being lifted: what a probe found stopped although the device holds it no longer."""
    candidates = models.JSONField(default=list)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["case", "device", "selector_key"],
                condition=~models.Q(state__in=ENDED),
                name="enforcement_one_measure_per_case_and_selector",
            ),
            models.CheckConstraint(
                condition=models.Q(notice__isnull=False) | models.Q(urgency__isnull=False),
                name="enforcement_no_measure_without_notice_or_ground",
            ),
            models.CheckConstraint(
                condition=~models.Q(notice=""),
                name="enforcement_notice_is_a_letter",
            ),
        )
        indexes = (
            models.Index(
                fields=["device", "key"], condition=~models.Q(state__in=ENDED), name="enforcement_open_on_device"
            ),
            models.Index(
                fields=["device", "key"],
                condition=models.Q(state__in=("planned", "lifting")),
                name="enforcement_to_be_done",
            ),
            models.Index(fields=["device", "sent_at"], name="enforcement_sent_lately"),
            models.Index(fields=["device", "planned_at"], name="enforcement_planned_lately"),
            models.Index(fields=["device", "in_force_at"], name="enforcement_in_force_lately"),
            models.Index(fields=["case"], name="enforcement_case"),
            models.Index(fields=["customer"], name="enforcement_customer"),
            models.Index(fields=["state", "key"], condition=~models.Q(told="lifted"), name="enforcement_untold"),
            models.Index(fields=["until"], condition=~models.Q(state__in=ENDED), name="enforcement_until"),
        )


class FilterRow(models.Model):
    """A filter that belongs to no case: who proposed it, who agreed, who was told, and its measure."""

    key = models.CharField(max_length=16, primary_key=True)
    selector = models.JSONField()
    degree = models.SmallIntegerField()
    device = models.CharField(max_length=64)
    danger = models.TextField()
    shown_by = models.JSONField()
    state = models.CharField(max_length=16)
    proposed_by = models.CharField(max_length=150)
    proposed_at = models.DateTimeField()
    lasts_hours = models.PositiveIntegerField()
    touches = models.JSONField(default=list)
    considered = models.JSONField(default=list)
    ground = models.CharField(max_length=32, blank=True)
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)
    decided_why = models.TextField(blank=True)
    starts_at = models.DateTimeField(null=True)
    letters = models.JSONField(default=dict)
    """Customer -> the letter that told them."""
    measure = models.CharField(max_length=16, blank=True)
    ended_at = models.DateTimeField(null=True)
    ended_why = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(decided_by="") | ~models.Q(decided_by=models.F("proposed_by")),
                name="enforcement_filter_takes_two",
            ),
        )
        indexes = (models.Index(fields=["state", "key"], name="enforcement_filter_state"),)
