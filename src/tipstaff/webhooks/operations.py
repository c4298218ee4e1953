"""Writes of the webhooks room.

An attempt is on record before it is made: the next one is due from then on, so a process that dies in between loses
nothing, and the receiver knows a message that comes twice by its id.
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Min

from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import chain_before
from tipstaff.words import Dispatch, Happening, Webhook, require_aware

from .models import DispatchRow, WebhookRow
from .rows import counted, dispatch_of, webhook_of

BACK_OFF = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""How long after each attempt the next one is due, as Standard Webhooks advises; after the last there is none."""
OFF_AFTER = timedelta(days=3)
"""Nothing was taken for so long: it is switched off, with a note, and what waits goes on waiting."""
TAKEN_KEPT = timedelta(days=30)
"""So long stands what was taken, and what waits for one that is off."""
TOLD_BACK = timedelta(days=7)
"""One that is switched on is told of what happened meanwhile, but of nothing longer ago: the record is long."""
MADE_BY_MAX = 150


class NoSuchWebhook(LookupError):
    """There is no such webhook."""


class NoSuchDispatch(LookupError):
    """There is no such dispatch that could be sent again."""


class WebhookIsOff(Exception):
    """This webhook is off."""


TRIED = "webhook.tried"


@transaction.atomic
def make_webhook(
    url: str, *, events: Sequence[str], sealed_secret: bytes, told_to: int, at: datetime, actor: str, customer: str = ""
) -> Webhook:  # fmt: skip
    """Tell `url` of what stands in the record after place `told_to` of its chain."""
    row = WebhookRow.objects.create(
        key=secrets.token_hex(6), url=url, events=list(events), secret=sealed_secret, made_at=require_aware(at),
        made_by=actor[:MADE_BY_MAX], told_to=told_to, customer=customer,
    )  # fmt: skip
    record("webhook.made", at=at, actor=actor, about=_about(row), url=url, events=list(events))
    return webhook_of(row)


@transaction.atomic
def switch(key: str, *, on: bool, note: str = "", at: datetime, actor: str) -> Webhook:
    """Switch it on or off. What waits goes out once it is on again; what happens while it is off is told then too, as
    far back as `TOLD_BACK`. Whoever switches on a customer's answers for it from then on, as if they had made it."""
    row = _locked(key)
    if row.on != on:
        row.on, row.note, row.failing_since = on, note, None
        if on:
            row.told_to = max(row.told_to, chain_before(at - TOLD_BACK))
            if row.customer:
                row.made_by, row.made_at = actor[:MADE_BY_MAX], at
        row.save(update_fields=["on", "note", "failing_since", "told_to", "made_by", "made_at"])
        if on:
            DispatchRow.objects.filter(webhook=row, taken_at=None).update(due_at=at, attempts=0)
        record(f"webhook.switched_{'on' if on else 'off'}", at=at, actor=actor, about=_about(row), note=note)
    return webhook_of(counted().get(pk=row.pk))


@transaction.atomic
def switch_off_of(
    email: str, *, still: Callable[[Webhook], bool], why: str, at: datetime, actor: str
) -> list[str]:  # fmt: skip
    """Switch off what somebody of a customer's made, but for what they may `still` keep; the keys. It leads to a
    program of theirs, which would hear of the account's cases after them."""
    made = WebhookRow.objects.filter(on=True, made_by=f"customer ({email.lower()})"[:MADE_BY_MAX]).exclude(customer="")
    ended = [row.key for row in made.order_by("id") if not still(webhook_of(row))]
    for key in ended:
        switch(key, on=False, note=why, at=at, actor=actor)
    return ended


@transaction.atomic
def forget_webhook(key: str, *, at: datetime, actor: str) -> None:
    """Take it away, with whatever waits for it."""
    row = _locked(key)
    waiting = row.dispatches.filter(taken_at=None).count()
    row.delete()
    record("webhook.forgotten", at=at, actor=actor, about=_about(row), url=row.url, waiting=waiting)


@transaction.atomic
def send_again(key: str, number: int, *, at: datetime) -> Dispatch:
    """A person asks for one more attempt, under the same id. Raise NoSuchDispatch."""
    row = DispatchRow.objects.select_for_update(of=("self",)).select_related("webhook")
    found = row.filter(pk=number, webhook__key=key).first()
    if found is None:
        raise NoSuchDispatch("There is no such dispatch.")
    found.due_at, found.attempts, found.taken_at = at, 0, None
    found.save(update_fields=["due_at", "attempts", "taken_at"])
    return dispatch_of(found)


@transaction.atomic
def try_webhook(key: str, *, at: datetime, actor: str) -> Dispatch:
    """Send it a message that tells of nothing, `webhook.tried`, to see whether it is taken. Raise WebhookIsOff."""
    row = _locked(key)
    if not row.on:
        raise WebhookIsOff("It is off; switch it on first, and what waits goes out too.")
    first = row.dispatches.aggregate(first=Min("seq"))["first"] or 0  # No place in the chain: those begin with 1.
    made = DispatchRow.objects.create(
        webhook=row, seq=min(first, 0) - 1, message=f"msg_{secrets.token_hex(16)}", event=TRIED, at=at, due_at=at,
        body=json.dumps({"type": TRIED, "timestamp": at.isoformat(), "data": {}}),
    )  # fmt: skip
    record(TRIED, at=at, actor=actor, about=_about(row))
    return dispatch_of(made)


@transaction.atomic
def queue(
    events: Sequence[Happening], *, theirs: Mapping[str, Sequence[Happening]], up_to: int, at: datetime
) -> int:  # fmt: skip
    """Make a dispatch of each event for each webhook that wants it; `up_to` is the place in the chain that was read.

    `events` are for the operator's own, `theirs` for those of each customer. How many were made. A webhook that is
    ahead of the others is told of nothing twice.
    """
    made: list[DispatchRow] = []
    for row in WebhookRow.objects.select_for_update().filter(on=True, told_to__lt=up_to).order_by("id"):
        made += [
            DispatchRow(
                webhook=row, seq=event.seq, message=f"msg_{secrets.token_hex(16)}", event=event.kind,
                body=_body(event), at=event.at, due_at=at,
            )
            for event in (theirs.get(row.customer, ()) if row.customer else events)
            if event.seq > row.told_to and wants(row.events, event.kind)
        ]  # fmt: skip
        row.told_to = up_to
        row.save(update_fields=["told_to"])
    DispatchRow.objects.bulk_create(made)
    return len(made)


def wants(events: Sequence[str], kind: str) -> bool:
    return kind in events or f"{kind.partition('.')[0]}.*" in events


def _body(event: Happening) -> str:
    data = {**({"entry": event.entry} if event.entry is not None else {}), **event.keys}
    return json.dumps({"type": event.kind, "timestamp": event.at.isoformat(), "data": data})


@transaction.atomic
def begin_attempt(number: int, *, at: datetime) -> tuple[Dispatch, Webhook] | None:
    """Note that an attempt begins: (what is sent, to which), or None if it is due no more. Two never begin the same."""
    rows = DispatchRow.objects.select_for_update(of=("self",), skip_locked=True).select_related("webhook")
    row = rows.filter(pk=number, due_at__lte=at, webhook__on=True).first()
    if row is None:
        return None
    row.due_at = at + BACK_OFF[min(row.attempts, len(BACK_OFF) - 1)]
    row.attempts += 1
    row.save(update_fields=["due_at", "attempts"])
    return dispatch_of(row), webhook_of(row.webhook)


@transaction.atomic
def take_out(number: int) -> None:
    """It is nothing to be told any more: it is gone, as if it had never been."""
    DispatchRow.objects.filter(pk=number, taken_at=None).delete()


@transaction.atomic
def end_attempt(number: int, *, taken: bool, gone: bool, said: str, at: datetime, actor: str) -> Webhook | None:
    """Note how an attempt ended. One that is `gone` (410), or takes nothing for long, is switched off with a note, and
    returned."""
    row = DispatchRow.objects.select_for_update(of=("self",)).select_related("webhook").filter(pk=number).first()
    if row is None:
        return None  # It was forgotten meanwhile.
    row.said = said.replace("\x00", "")[:500]
    if taken:
        row.taken_at, row.due_at = at, None
    elif row.attempts > len(BACK_OFF):
        row.due_at = None
    row.save(update_fields=["said", "taken_at", "due_at"])
    webhook = _locked(row.webhook.key)
    since = None if taken else webhook.failing_since or at
    webhook.failing_since, webhook.note = since, "" if taken else row.said
    webhook.save(update_fields=["failing_since", "note"])
    if since is not None and webhook.on and (gone or at - since >= OFF_AFTER):
        why = "It says that it is gone (410)." if gone else f"Nothing was taken since {since:%Y-%m-%d %H:%M} UTC."
        return switch(webhook.key, on=False, note=f"{why} The last answer: {row.said}", at=at, actor=actor)
    return None


def tidy(*, at: datetime) -> int:
    """Forget what was taken long ago, and what has waited as long for one that is off; how many."""
    gone, _ = DispatchRow.objects.filter(taken_at__lt=at - TAKEN_KEPT).delete()
    left, _ = DispatchRow.objects.filter(webhook__on=False, taken_at=None, at__lt=at - TAKEN_KEPT).delete()
    return gone + left


def _about(row: WebhookRow) -> list[str]:
    return [f"webhook:{row.key}", *filter(None, [row.customer])]


def _locked(key: str) -> WebhookRow:
    row = WebhookRow.objects.select_for_update().filter(key=key).first()
    if row is None:
        raise NoSuchWebhook(f"There is no webhook {key}.")
    return row
