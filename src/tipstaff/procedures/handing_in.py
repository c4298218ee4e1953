"""Reports that do not come by mail: by a program over the REST endpoint, or by the public form."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tipstaff.intake.forms.wrapped import forwarded, mail_of
from tipstaff.intake.operations import KeyUsedOtherwise, once_for_key
from tipstaff.intake.queries import count_from_peer, count_unread
from tipstaff.words import Channel

from .complaint import accept
from .desk import Desk
from .trust import vouch

__all__ = ["KeyUsedOtherwise", "QueueIsFull", "hand_in", "hand_in_form", "hand_in_mail", "refuse_full"]

MOST_AT_ONCE = 1000
LARGEST_OCTETS = 5 * 1024 * 1024
"""Of one report, evidence included."""
FORMS_HOURLY_MAX = 30
"""From one address."""


class QueueIsFull(Exception):
    """More reports wait to be read than this desk takes; nothing was put on record, so send it again later."""

    permanent = False

    def __init__(self, seconds: int) -> None:
        super().__init__(f"The desk's queue is full; try again in {seconds} seconds.")
        self.seconds = seconds


def hand_in(
    reports: Sequence[Any], *, who: str, key: str, desk: Desk, at: datetime, queue_max: int, peer: str = ""
) -> tuple[dict[str, Any], bool]:
    """Put XARF reports on record, each for itself: what cannot be one is refused in its place, the others stand.

    The answer and whether it was given for the first time; under the same key the same answer comes again. Raises
    QueueIsFull, KeyUsedOtherwise.
    """
    waiting = count_unread(most=queue_max + 1)
    if waiting + len(reports) > queue_max and not (waiting == 0 and len(reports) <= MOST_AT_ONCE):
        raise QueueIsFull(seconds=max(5, min(600, waiting // 50)))
    digest = hashlib.sha256(json.dumps(reports, sort_keys=True).encode()).hexdigest()

    def make() -> dict[str, Any]:
        taken: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        for n, report in enumerate(reports):
            why = why_no_xarf(report)
            if why:
                refused.append({"index": n, "why": why})
                continue
            reference = _accept(
                report, who=who, subject="XARF report", channel=Channel.API, desk=desk, at=at, peer=peer
            )
            vouch(reference, by=f"token {who}", at=at)
            taken.append({"index": n, "reference": reference, "status": desk.report_link(reference, at)})
        return {"reports": taken, "refused": refused}

    return once_for_key(key or digest, who=who, digest=digest, make=make, at=at)


def hand_in_form(
    report: dict[str, Any], *, nonce: str, desk: Desk, at: datetime, peer: str, queue_max: int, brand: str = ""
) -> str:  # fmt: skip
    """Put what somebody wrote into the public form on record; its reference. The same form sent twice is one report.
    By the form at a brand's host it has come in at the brand's address."""
    desk = desk.speaking_as(brand)
    refuse_full(peer, at=at, queue_max=queue_max)

    def make() -> dict[str, Any]:
        return {"reference": _accept(
            report, who="Report form", subject="Report by form", channel=Channel.WEB, desk=desk, at=at, peer=peer
        )}  # fmt: skip

    answer, _first = once_for_key(nonce, who="form", digest=nonce[:64], make=make, at=at)
    return str(answer["reference"])


def hand_in_mail(
    mail: bytes, *, kind: str, words: str, contact: str, nonce: str, desk: Desk, at: datetime, peer: str,
    queue_max: int, brand: str = "",
) -> str:  # fmt: skip
    """Put a whole mail that somebody dropped into the public form on record; its reference. It comes in as they would
    have forwarded it, by all checks of one: the sieve unfolds it before it is kept. Raise QueueIsFull."""
    desk = desk.speaking_as(brand)
    refuse_full(peer, at=at, queue_max=queue_max)

    def make() -> dict[str, Any]:
        raw = forwarded(
            mail, sender=contact or f"Report form <no-reply@{_HERE}>", to=desk.abuse_address,
            subject=f"Abuse report: {kind}", words=f"{kind}\n\n{words}", mark=nonce[:64],
        )  # fmt: skip
        return {"reference": accept(
            raw, sender="", recipients=(desk.abuse_address,), channel=Channel.WEB, desk=desk,
            at=at, peer=peer,
        )}  # fmt: skip

    answer, _first = once_for_key(nonce, who="form", digest=nonce[:64], make=make, at=at)
    return str(answer["reference"])


def refuse_full(peer: str, *, at: datetime, queue_max: int) -> None:
    """Raise QueueIsFull where no more is taken by the form from this address, or at all: before anything is read."""
    if count_from_peer(peer, channel=Channel.WEB, since=at - timedelta(hours=1)) >= FORMS_HOURLY_MAX:
        raise QueueIsFull(seconds=3600)
    if count_unread(most=queue_max) >= queue_max:
        raise QueueIsFull(seconds=600)


def why_no_xarf(report: Any) -> str:
    """Why this is no XARF report at all; an empty text when it may be one. Smaller faults are read leniently later."""
    if not isinstance(report, dict):
        return "A report is a JSON object."
    if not {"xarf_version", "source_identifier", "ReporterInfo", "Report"} & set(report):
        return "It has neither xarf_version (XARF 4) nor ReporterInfo and Report (XARF 3)."
    if "xarf_version" in report and not (report.get("source_identifier") or report.get("url")):
        return "It lacks source_identifier."
    if len(json.dumps(report)) > LARGEST_OCTETS:
        return f"It is larger than {LARGEST_OCTETS // 1024 // 1024} MiB."
    return ""


def _accept(
    report: dict[str, Any], *, who: str, subject: str, channel: Channel, desk: Desk, at: datetime, peer: str
) -> str:
    document = json.dumps(report, indent=1, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
    # The sender's address cannot be answered: what the report itself names as its contact can.
    raw = mail_of(
        document,
        content_type="application/json",
        filename="xarf.json",
        sender=f"{who} <no-reply@{_HERE}>",
        subject=subject,
    )
    return accept(raw, sender="", recipients=(desk.abuse_address,), channel=channel, desk=desk, at=at, peer=peer)


_HERE = "tipstaff.invalid"
"""A name that no mail can reach (RFC 2606)."""
