"""Rows of the letters' store. Private to this room."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q

from tipstaff.words import LetterKind, LetterState


class LetterRow(models.Model):
    """One letter, from the moment it is composed. The portal link is not in it."""

    key = models.CharField(max_length=32, unique=True)
    once = models.CharField(max_length=255, unique=True)
    """The step of the story that wrote it: a step that runs twice finds its letter here."""
    kind = models.CharField(max_length=32, choices=[(kind.value, kind.value) for kind in LetterKind])
    to = models.TextField()
    to_folded = models.TextField()
    """`to` in lower case, for counting."""
    subject = models.TextField()
    body = models.TextField()
    html = models.TextField(default="")
    attachments = models.JSONField(default=list)
    """`[[name, text], ...]`."""
    language = models.CharField(max_length=16)
    case = models.CharField(max_length=32, null=True)
    report = models.CharField(max_length=32, null=True)
    log_in = models.CharField(max_length=32, null=True)
    """Whose log-in its link is for, where it has one."""
    keys = models.JSONField(null=True)
    """`{"openpgp": [...], "smime": [...]}`: it goes closed by these and by no other."""
    brand = models.CharField(max_length=32, default="")
    """Under which of the operator's brands it goes; empty: under the operator's own name."""
    in_reply_to = models.TextField(default="")
    follows = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="followed_by")
    """The letter that this one takes back: it waits until that one's fate is known."""
    message_id = models.TextField(default="")
    """Fixed when the letter is first claimed; a letter that is sent again keeps it."""
    state = models.CharField(max_length=16, choices=[(state.value, state.value) for state in LetterState])
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    """When the next attempt is due; only while queued."""
    try_until = models.DateTimeField(null=True)
    """From then on a temporary failure is final."""
    attempts = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=128, default="")
    """Who has it in hand; only the one named here may say what became of it."""
    diverted = models.BooleanField(default=False)
    sent_at = models.DateTimeField(null=True)
    detail = models.TextField(default="")

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state="queued") & Q(due_at__isnull=False) | ~Q(state="queued") & Q(due_at__isnull=True),
                name="notices_letter_queued_is_due",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=("sending", "handing_over")) | ~Q(worker=""),
                name="notices_letter_in_hand_names_its_worker",
            ),
        )
        indexes = (
            models.Index(fields=["due_at", "id"], condition=Q(state="queued"), name="notices_letter_due"),
            models.Index(fields=["state", "id"], name="notices_letter_state"),
            models.Index(fields=["case", "id"], name="notices_letter_case"),
            models.Index(fields=["report", "id"], name="notices_letter_report"),
            models.Index(fields=["to_folded", "created_at"], name="notices_letter_to"),
            GinIndex(SearchVector("subject", "body", config="simple"), name="notices_letter_words"),
        )
