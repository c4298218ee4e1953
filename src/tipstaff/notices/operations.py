"""Writes of the notices room. Each is one transaction with its entry in the record.

A letter is sent once, and none is lost, whatever dies when:

    HELD -> QUEUED -> SENDING -> HANDING_OVER -> SENT -> RETURNED (it reached nobody)
                 ^        |            |-> IN_DOUBT (the answer is lost: a person decides)
                 |        |            |
                 +--------+------------+-> REFUSED (a person sees it)

SENDING is committed before the mail server is called, HANDING_OVER after all of the text is with it and before the
dot that makes it the server's. A worker that dies in SENDING has sent nothing: the letter is queued again. One that
dies in HANDING_OVER may or may not have: the letter is in doubt, and only a person sends it again. Only the worker
that holds a letter may say what became of it, so one that was wrongly taken for dead stops before the dot.
"""

import secrets
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from tipstaff.ledger.operations import next_key, record
from tipstaff.words import Letter, LetterKind, LetterState, MailKeys, require_aware

from .addresses import folded
from .compose import Draft
from .models import LetterRow
from .rows import letter_of

BACK_OFF: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360))
"""How long to wait after the first, second ... temporary failure; the last one repeats."""
TRY_FOR: Final = timedelta(days=2)
"""So long a letter is tried before a person is asked."""


class NoSuchLetter(LookupError):
    """No letter has this key."""


class NotInYourHands(RuntimeError):
    """The letter is no longer with this worker; nothing more may be handed over."""


class NotForAPersonToDecide(ValueError):
    """Only a letter that was refused or is in doubt waits for a person's decision."""


@transaction.atomic
def queue_letter(
    kind: LetterKind,
    *,
    once: str,
    to: str,
    draft: Draft,
    case: str | None,
    report: str | None,
    at: datetime,
    actor: str,
    held: bool,
    language: str | None = None,
    in_reply_to: str = "",
    follows: str | None = None,
    log_in: str | None = None,
    brand: str = "",
    keys: MailKeys | None = None,
) -> str:
    """Keep a letter and return its key; the same `once` gives the same letter's key and writes nothing.

    `held` keeps it back until outbound mail is set up (`release_held`). `in_reply_to` is the Message-ID of the mail
    that it answers. `keys` close it, and no other. `language` is the draft's own unless told otherwise. `follows` is
    the letter that it takes back: it goes when that one went or may have gone, and never if that one was not taken;
    that one is not sent again.
    """
    at = require_aware(at)
    before = LetterRow.objects.filter(once=once).only("key").first()
    if before is not None:
        return before.key
    row, new = LetterRow.objects.get_or_create(
        once=once,
        defaults={
            "key": next_key("L"),
            "kind": kind.value,
            "to": _storable(to),
            "to_folded": folded(_storable(to)),
            "subject": _storable(draft.subject),
            "body": _storable(draft.body),
            "html": _storable(draft.html),
            "attachments": [[a.name, _storable(a.text)] for a in draft.attachments],
            "language": language or draft.language,
            "case": case,
            "report": report,
            "log_in": log_in,
            "brand": brand,
            "keys": {"openpgp": list(keys.openpgp), "smime": list(keys.smime)} if keys is not None else None,
            "in_reply_to": _storable(in_reply_to),
            "follows": LetterRow.objects.get(key=follows) if follows else None,
            "state": (LetterState.HELD if held else LetterState.QUEUED).value,
            "created_at": at,
            "due_at": None if held else at,
        },
    )
    if new:
        what = "letter.held" if held else "letter.queued"
        record(what, at=at, actor=actor, about=_about(row), kind=kind.value, language=row.language)
    return row.key


@transaction.atomic(durable=True)
def claim_letter(*, at: datetime, worker: str, domain: str = "mail.invalid") -> Letter | None:
    """Take the letter that is longest due, or None. Two workers never take the same one.

    `worker` names one thread of one process and is never used again by another. `domain` is that of the address which
    letters come from: it ends the Message-ID, which is fixed here the first time.
    """
    at = require_aware(at)
    for abandoned in _in_any_hand().filter(worker=worker):
        # A worker that asks for the next letter has let go of the one before, by an error that nobody caught.
        _settle(abandoned, at=at)
    row = (
        LetterRow.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(state=LetterState.QUEUED.value, due_at__lte=at)
        .exclude(follows__state__in=_IN_HAND)
        .order_by("due_at", "id")
        .first()
    )
    if row is None:
        return None
    row.state, row.due_at, row.worker = LetterState.SENDING.value, None, worker
    row.attempts += 1
    row.try_until = row.try_until or at + TRY_FOR
    if not row.message_id:
        row.message_id = _message_id(row, domain)
        row.in_reply_to = row.in_reply_to or _thread_of(row)
    row.save()
    record("letter.sending", at=at, actor="worker", about=_about(row), hand=worker, attempt=row.attempts)
    return letter_of(row)


@transaction.atomic(durable=True)
def mark_handing_over(key: str, *, at: datetime, worker: str) -> None:
    """Note that all of the text is with the mail server, before the dot. Raise NotInYourHands to stop it there."""
    row = _in_hand(key, worker, LetterState.SENDING)
    row.state = LetterState.HANDING_OVER.value
    row.save()
    record(
        "letter.handing_over",
        at=require_aware(at),
        actor="worker",
        about=_about(row),
        hand=worker,
        message_id=row.message_id,
    )


@transaction.atomic(durable=True)
def mark_sent(
    key: str,
    *,
    at: datetime,
    reply: str,
    worker: str,
    on_sent: Callable[[Letter], None] | None = None,
    first: Callable[[], object] = lambda: None,
    diverted: bool = False,
    closed: str = "",
) -> None:
    """Note that the mail server took it, and by what it was `closed` for its reader alone.

    `on_sent` joins the transaction, so that what follows cannot be forgotten.
    A letter `diverted` to a recipient override told its reader nothing, and nothing follows from it. `first` is called
    at its beginning: what `on_sent` will lock is locked before the letter is, as everywhere else.
    Also when this worker was thought dead meanwhile, and even when a person has queued the letter again: while nobody
    else has claimed it, it need not go out twice.
    """
    first()
    row = _in_hand(key, worker, LetterState.HANDING_OVER, LetterState.IN_DOUBT, LetterState.QUEUED)
    row.due_at, row.diverted = None, diverted
    row.state, row.sent_at, row.detail = LetterState.SENT.value, require_aware(at), _storable(reply)
    row.save()
    record(
        "letter.sent", at=row.sent_at, actor="worker", about=_about(row), hand=worker, reply=row.detail,
        **({"closed_by": closed} if closed else {}),
    )  # fmt: skip
    if on_sent is not None and not diverted:
        on_sent(letter_of(row))


@transaction.atomic
def mark_returned(key: str, *, why: str, at: datetime, actor: str) -> bool:
    """Note that a letter which the mail server had taken came back; False when it is not one that was sent."""
    row = LetterRow.objects.select_for_update().filter(key=key).first()
    if row is None:
        raise NoSuchLetter(key)
    if row.state != LetterState.SENT.value:
        return False
    row.state, row.detail = LetterState.RETURNED.value, _storable(why)
    row.save()
    record("letter.returned", at=require_aware(at), actor=actor, about=_about(row), why=row.detail)
    return True


@transaction.atomic(durable=True)
def mark_failed(key: str, *, at: datetime, reply: str, permanent: bool, worker: str) -> None:
    """Note that the mail server did not take it. It is tried again later, unless that is hopeless."""
    at = require_aware(at)
    row = _in_hand(key, worker, LetterState.SENDING, LetterState.HANDING_OVER, LetterState.IN_DOUBT)
    row.detail = _storable(reply)
    next_at = at + BACK_OFF[min(row.attempts, len(BACK_OFF)) - 1]
    given_up = row.try_until is not None and next_at > row.try_until
    if why := _goes_no_more(row):
        row.state, row.due_at = LetterState.WITHDRAWN.value, None
        row.save()
        record("letter.withdrawn", at=at, actor="worker", about=_about(row), hand=worker, why=why)
        # Nobody has read it, so nobody needs to read that it does not count.
        _withdraw(row.followed_by.filter(state__in=_UNSENT), why=f"{row.key} reached nobody.", at=at, actor="worker")
    elif permanent or given_up:
        row.state = LetterState.REFUSED.value
        row.save()
        record(
            "letter.refused", at=at, actor="worker", about=_about(row), hand=worker, reply=row.detail, given_up=given_up
        )
    else:
        row.state, row.due_at, row.worker = LetterState.QUEUED.value, next_at, ""
        row.save()
        record(
            "letter.put_off",
            at=at,
            actor="worker",
            about=_about(row),
            hand=worker,
            reply=row.detail,
            until=next_at.isoformat(),
        )


@transaction.atomic(durable=True)
def mark_in_doubt(key: str, *, at: datetime, reply: str, worker: str) -> None:
    """Note that the mail server's answer was lost after the dot: it may have taken the letter."""
    row = _in_hand(key, worker, LetterState.HANDING_OVER)
    row.state, row.detail = LetterState.IN_DOUBT.value, _storable(reply)
    row.save()
    record("letter.in_doubt", at=require_aware(at), actor="worker", about=_about(row), hand=worker, reply=row.detail)


@transaction.atomic
def recover_interrupted(*, at: datetime, is_alive: Callable[[str], bool]) -> list[str]:
    """Settle what dead workers left in hand: queue again what cannot have gone out, doubt what may have.

    Returns the keys of all letters that were settled. `is_alive` is asked once a worker's name.
    """
    at = require_aware(at)
    rows = list(_in_any_hand())
    alive = {worker: is_alive(worker) for worker in {row.worker for row in rows}}
    interrupted = [row for row in rows if not alive[row.worker]]
    for row in interrupted:
        _settle(row, at=at)
    return [row.key for row in interrupted]


@transaction.atomic
def release_held(*, at: datetime, limit: int = 500) -> int:
    """Queue held letters, oldest first, now that outbound mail is set up; return how many, 0 when none is left."""
    at = require_aware(at)
    held = LetterRow.objects.select_for_update(skip_locked=True).filter(state=LetterState.HELD.value)
    rows = list(held.order_by("id")[:limit])
    for row in rows:
        row.state, row.due_at = LetterState.QUEUED.value, at
        row.save()
        record("letter.queued", at=at, actor="worker", about=_about(row), released=True)
    return len(rows)


@transaction.atomic
def withdraw_unsent(
    case: str,
    *,
    why: str,
    at: datetime,
    actor: str,
    kinds: Collection[LetterKind],
    only: Collection[str] | None = None,
) -> list[str]:
    """Withdraw a case's letters of these kinds, or `only` these of them, that are still held or queued; their keys."""
    unsent = LetterRow.objects.filter(case=case, kind__in=[k.value for k in kinds])
    unsent = unsent.filter(state__in=_UNSENT)
    if only is not None:
        unsent = unsent.filter(key__in=list(only))
    return _withdraw(unsent, why=why, at=at, actor=actor)


@transaction.atomic
def withdraw_announcement(digest: str, *, why: str, at: datetime, actor: str) -> dict[str, str]:
    """Withdraw the letters that announce the edition of this digest and that no mail server has taken.

    Returns the letters that reached somebody or may yet: by the customer's key. What says that the edition does not
    come `follows` them.
    """
    mark = f"policy:{digest}:"
    of_it = LetterRow.objects.filter(once__startswith=mark, kind=LetterKind.POLICY_CHANGE.value)
    # Whoever is about to hand one over is stopped before the dot; one that was refused is not sent again by hand.
    of_none = (*_UNSENT, LetterState.SENDING.value, LetterState.REFUSED.value)
    _withdraw(of_it.filter(state__in=of_none), why=why, at=at, actor=actor)
    told = of_it.exclude(state__in=[LetterState.WITHDRAWN.value, LetterState.RETURNED.value]).order_by("id")
    return {once.removeprefix(mark): key for once, key in told.values_list("once", "key")}


_UNSENT: Final = (LetterState.HELD.value, LetterState.QUEUED.value)
_IN_HAND: Final = (LetterState.SENDING.value, LetterState.HANDING_OVER.value)


def _withdraw(unsent: QuerySet[LetterRow], *, why: str, at: datetime, actor: str) -> list[str]:
    rows = list(unsent.select_for_update().order_by("id"))
    for row in rows:
        row.state, row.due_at = LetterState.WITHDRAWN.value, None
        row.save()
        record("letter.withdrawn", at=require_aware(at), actor=actor, about=_about(row), why=why)
    return [row.key for row in rows]


@transaction.atomic
def blank_letters(*, reports: Collection[str], cases: Collection[str], at: datetime, actor: str) -> list[str]:
    """Take subject and text from all letters about these reports or cases, and withdraw what is not sent; their keys.

    For matter that went to the sealed queue: that a letter was written, to whom and when stays on record. One whose
    text the mail server has already is not called back; it is withdrawn if the server did not take it after all.
    """
    about = Q(report__in=list(reports)) | Q(case__in=list(cases))
    rows = list(LetterRow.objects.select_for_update().filter(about).order_by("id"))
    for row in rows:
        row.subject, row.body, row.html, row.attachments = SEALED_SUBJECT, "", "", []
        if row.state not in (LetterState.SENT.value, LetterState.HANDING_OVER.value):
            row.state, row.due_at = LetterState.WITHDRAWN.value, None
        row.save()
        record("letter.blanked", at=require_aware(at), actor=actor, about=_about(row))
    return [row.key for row in rows]


SEALED_SUBJECT: Final = "Sealed"


def _is_blank(row: LetterRow) -> bool:
    return row.subject == SEALED_SUBJECT and not row.body


@transaction.atomic
def send_again(key: str, *, at: datetime, actor: str) -> None:
    """A person's decision: queue a refused or doubtful letter again, under the same Message-ID."""
    row = _for_a_person(key)
    if row.followed_by.exists():
        raise NotForAPersonToDecide(f"{key} is {row.state}, and what it says was taken back")
    was = row.state
    row.state, row.due_at, row.try_until = LetterState.QUEUED.value, require_aware(at), None
    row.save()
    record("letter.send_again", at=require_aware(at), actor=actor, about=_about(row), was=was)


@transaction.atomic
def take_as_sent(
    key: str, *, at: datetime, actor: str, why: str, came_back: bool = False,
    on_sent: Callable[[Letter], None] | None = None,
) -> None:  # fmt: skip
    """A person's decision: the doubtful letter did arrive; with `came_back`, its words did by another way.

    `on_sent` as in `mark_sent`.
    """
    row = _for_a_person(key, came_back=came_back)
    row.state, row.sent_at, row.detail = LetterState.SENT.value, require_aware(at), _storable(why)
    row.save()
    record("letter.taken_as_sent", at=row.sent_at, actor=actor, about=_about(row), why=row.detail)
    if on_sent is not None:
        on_sent(letter_of(row))


def _in_hand(key: str, worker: str, *states: LetterState) -> LetterRow:
    row = LetterRow.objects.select_for_update().filter(key=key).first()
    if row is None:
        raise NoSuchLetter(key)
    if row.worker != worker or row.state not in [state.value for state in states]:
        raise NotInYourHands(f"{key} is {row.state}, with {row.worker or 'nobody'}")
    return row


def _in_any_hand() -> QuerySet[LetterRow]:
    """Letters that some worker has claimed, locked; one that is being settled this moment is left to who settles it."""
    return LetterRow.objects.select_for_update(skip_locked=True).filter(state__in=_IN_HAND).order_by("id")


def _settle(row: LetterRow, *, at: datetime) -> None:
    """Queue again what cannot have gone out, doubt what may have."""
    by = row.worker
    if _is_blank(row):
        row.state, row.due_at = LetterState.WITHDRAWN.value, None
        row.save()
        record("letter.withdrawn", at=at, actor="worker", about=_about(row), why=_SEALED_MEANWHILE)
    elif row.state == LetterState.SENDING.value:
        row.state, row.due_at, row.worker = LetterState.QUEUED.value, at, ""
        row.save()
        record("letter.queued_again", at=at, actor="worker", about=_about(row), left_by=by)
    else:
        row.state = LetterState.IN_DOUBT.value
        row.detail = "The process stopped while it handed the letter over; the mail server may have it."
        row.save()
        record("letter.in_doubt", at=at, actor="worker", about=_about(row), left_by=by)


def _for_a_person(key: str, *, came_back: bool = False) -> LetterRow:
    row = LetterRow.objects.select_for_update().filter(key=key).first()
    if row is None:
        raise NoSuchLetter(key)
    states = {LetterState.REFUSED.value, LetterState.IN_DOUBT.value}
    if row.state not in states | ({LetterState.RETURNED.value} if came_back else set()) or _is_blank(row):
        raise NotForAPersonToDecide(f"{key} is {row.state}")
    return row


_SEALED_MEANWHILE: Final = "Its matter was sealed meanwhile."


def _goes_no_more(row: LetterRow) -> str:
    """Why a letter that the mail server did not take is not tried again; empty where it is."""
    if _is_blank(row):
        return _SEALED_MEANWHILE
    return "What it says was taken back meanwhile." if row.followed_by.exists() else ""


def _message_id(row: LetterRow, domain: str) -> str:
    """One that nobody can work out: who returns it has seen the letter (`returned.py`, `replies.py`)."""
    return f"<{row.key}.{secrets.token_hex(8)}@{domain}>"


def _thread_of(row: LetterRow) -> str:
    """The first letter about the same case or report to the same reader, so that theirs are one conversation."""
    about = Q(case=row.case) if row.case else Q(report=row.report, report__isnull=False)
    first = LetterRow.objects.filter(about, to_folded=row.to_folded, id__lt=row.pk).exclude(message_id="")
    return first.order_by("id").values_list("message_id", flat=True).first() or ""


def _about(row: LetterRow) -> tuple[str, ...]:
    return tuple(key for key in (row.key, row.case, row.report) if key)


def _storable(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
