"""Questions about who held what as people and programs write them, and answers as JSON with their proof."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from tipstaff.attribution.match import PROTOCOLS, Question, is_ahead
from tipstaff.words import Attribution, AttributionReason, Binding, Holding, Identity, Moment, Site, Station

REASONS = {
    AttributionReason.ONE_HOLDER: "One holder over the whole window.",
    AttributionReason.ONE_RESELLER: "A reseller holds it; the answer stops there, and its own customer is its to name.",
    AttributionReason.OUR_BOOKS: "Our own books name the account; no address had to be looked up.",
    AttributionReason.TIME_ASSUMED: "No time was stated; the same one held it over all of the last seven days.",
    AttributionReason.TIME_UNREAD: "A time was stated that could not be read; the exact one would tell.",
    AttributionReason.SHARED_WITHOUT_PORT: "Several share this address; only the source port can tell them apart.",
    AttributionReason.SEVERAL_HOLDERS_IN_WINDOW: "More than one held it in the window; a more exact time would tell.",
    AttributionReason.OTHER_DESTINATION: "None of the port's connections was with the destination that is stated.",
    AttributionReason.UNSEEN_CONNECTIONS: "The NAT's log has a gap, and a connection that began in it may have had the "
    "port, too; the protocol and the destination's address and port would tell.",
    AttributionReason.EDGE_IN_WINDOW: "A holding begins or ends within the window.",
    AttributionReason.UNKNOWN_ACCOUNT: "It names an account that our registry does not know.",
    AttributionReason.UNASSIGNED: "It is our space, and nobody held it.",
    AttributionReason.NOT_OUR_SPACE: "It was not our space.",
    AttributionReason.NO_ADDRESS: "No address was given.",
    AttributionReason.BEFORE_RECORDS: "The registry's records begin later.",
    AttributionReason.ONE_SOURCE: "One holder, by the word of one source that does not prove a subscriber alone.",
    AttributionReason.UNSEEN_END: "One holder, whose end was not seen: it may have ended before.",
    AttributionReason.SOURCES_DISAGREE: "At the same instant two rows surely name different holders.",
    AttributionReason.UNKNOWN_SUBSCRIBER: "A log names a subscriber whom the registry does not know.",
    AttributionReason.SOURCE_GAP: "No log was read for a part of the window, or the registry is empty.",
}
"""Each reason as a sentence."""

PRECISION_SECONDS_MAX = 366 * 86400
COLUMNS = ("address", "port", "protocol", "at", "precision_seconds", "destination", "destination_port")


class NoQuestion(ValueError):
    """What was written is no question; the message says why."""


def question_of(row: list[str], *, asked_at: datetime, zone: tzinfo | None = None) -> Question:
    """The question that the fields of COLUMNS ask, empty ones for what is not known; NoQuestion says why it is none.

    `zone` is that of a time without one, where the form says so.
    """
    if len(row) > len(COLUMNS):
        raise NoQuestion(f"{len(row)} fields, but there are {len(COLUMNS)}: {', '.join(COLUMNS)}")
    fields = [*row, *[""] * len(COLUMNS)]
    address, port, protocol, at, precision, there, there_port = fields[: len(COLUMNS)]
    source = _address_of(address)
    number: int | None = None
    if protocol:
        number = int(protocol) if protocol.isascii() and protocol.isdigit() else PROTOCOLS.get(protocol.lower())
        if number is None or number > 255:
            raise NoQuestion(f"{protocol!r} is no protocol; write tcp, udp, or its IANA number")
    return Question(
        address=source,
        port=port_of(port),
        protocol=number,
        moment=past(moment_of(at, precision_seconds=precision, zone=zone), asked_at=asked_at),
        there=_address_of(there) if there else None,
        there_port=port_of(there_port),
    )


def _address_of(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError:
        raise NoQuestion(f"{text!r} is not an IPv4 or IPv6 address") from None


def port_of(text: str) -> int | None:
    """The port that somebody typed, None where nothing was; NoQuestion says what is wrong with another."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:6]) < 65536):
        raise NoQuestion(f"{text[:20]!r} is not a port from 0 to 65535")
    return int(text)


def moment_of(
    at: str, *, precision_seconds: str = "", usual_seconds: float = 1.0, zone: tzinfo | None = None
) -> Moment | None:
    """The time that somebody typed, right to `precision_seconds`, and to `usual_seconds` where that is left out.

    A day without a clock is that day, in any zone of the world, as in a complaint: midnight was never said. Neither
    was the second of a time in minutes: where no precision is said, it is right to a minute. A time without a zone is
    in `zone` where the form says so, else in any. None where nothing was typed; NoQuestion says what is wrong.
    """
    error = seconds_of(precision_seconds, usual=max(usual_seconds, _as_written(at)))
    if not at:
        return None
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        raise NoQuestion(f"{at[:40]!r} is not a time; write one like 2026-03-01T12:00:00Z") from None
    if not 1970 <= instant.year < 9000:
        raise NoQuestion(f"{at[:40]!r} is no time that a log could have; write one like 2026-03-01T12:00:00Z")
    try:
        if _is_day(at):
            return Moment.without_zone(instant + timedelta(hours=12), error_seconds=max(error, 12 * 3600.0))
        if instant.tzinfo is None and zone is None:
            return Moment.without_zone(instant, error_seconds=error)
        return Moment(instant if instant.tzinfo is not None else instant.replace(tzinfo=zone), error)
    except (ValueError, OverflowError):
        raise NoQuestion(f"{at[:40]!r} is not a time; write one like 2026-03-01T12:00:00Z") from None


def past(moment: Moment | None, *, asked_at: datetime) -> Moment | None:
    """The time of a question; NoQuestion where all of it is still to come: whoever has the address now may not then."""
    if moment is not None and is_ahead(moment, received_at=asked_at):
        raise NoQuestion(f"{moment.at:%Y-%m-%d %H:%M} UTC lies in the future, and nobody has held anything then")
    return moment


_CLOCK = re.compile(r"(?:\d{4}-\d\d-\d\d|\d{8}|\d{4}-?W\d\d(?:-?\d)?)\D\d\d(?P<minute>:?\d\d(?P<second>:?\d\d)?)?")
"""A day as ISO 8601 writes it, and the clock behind it."""


def _as_written(at: str) -> float:
    """To how many seconds an instant is told by how it is written: to the second, the minute or the hour."""
    clock = _CLOCK.match(at)
    return 3600.0 if clock and not clock["minute"] else 60.0 if clock and not clock["second"] else 0.0


def _is_day(at: str) -> bool:
    try:
        date.fromisoformat(at)
    except ValueError:
        return False
    return True


def seconds_of(text: str, *, usual: float = 1.0) -> float:
    """To how many seconds a time is right, as somebody typed it; `usual` where nothing was."""
    try:
        error = float(text) if text else usual
    except ValueError:
        raise NoQuestion(f"{text[:20]!r} is not a number of seconds") from None
    if not 0 <= error <= PRECISION_SECONDS_MAX:
        raise NoQuestion("the precision is between 0 seconds and a year")
    return error


def answer_json(answer: Attribution) -> dict[str, Any]:
    """An answer as `tipstaff attribute` and the API print it."""
    return {
        "grade": answer.grade.name,
        "customer": answer.customer,
        "service": answer.service,
        "reason": answer.reason.value,
        "downstream": answer.downstream,
        "allows": sorted(answer.grade.allows),
        "window": [_stamp(answer.earliest), _stamp(answer.latest)],
        "proof": [
            *(_site(s) for s in answer.sites),
            *(_holding(h) for h in answer.proof),
            *(_binding(b) for b in answer.bindings),
            *(_identity(i) for i in answer.identities),
        ],
    }


def _site(s: Site) -> dict[str, Any]:
    return {
        "row": "site", "host_name": s.host_name, "address": str(s.address), "customer": s.customer,
        "service": s.service, "held": [_stamp(s.since), _stamp(s.until)],
    }  # fmt: skip


def _holding(h: Holding) -> dict[str, Any]:
    return {
        "row": "holding", "key": h.key, "tier": h.tier, "kind": h.kind, "prefix": str(h.prefix),
        "ports": [h.port_first, h.port_last], "held": [_stamp(h.held_from), _stamp(h.held_until)],
        "customer": h.customer, "service": h.service, "source": h.source,
    }  # fmt: skip


def _binding(b: Binding) -> dict[str, Any]:
    leads_to = {"inside": str(b.inside), "inside_realm": b.inside_realm} if b.inside is not None else {
        b.subject_kind or "subject": b.subject
    }  # fmt: skip
    return {
        "row": "log", "source": b.source, "realm": b.realm,
        "station" if isinstance(b.prefix, Station) else "prefix": str(b.prefix),
        "ports": [b.port_first, b.port_last], "protocol": b.protocol, **leads_to,
        **({"destination": str(b.there), "destination_port": b.there_port} if b.there is not None else {}),
        "possible": [_stamp(b.possible_from), _stamp(b.possible_until)],
        "sure": [_stamp(b.sure_from), _stamp(b.sure_until)] if b.sure_from < b.sure_until else None,
        "ending": b.ending, "clock_error_seconds": b.clock_error_seconds,
        "file": b.file, "offset": b.offset, "stretch": list(b.stretch), "sha256": b.sha256,
        **({"part": b.part, "part_row": b.part_row, "part_sha256": b.part_sha256} if b.part else {}),
    }  # fmt: skip


def _identity(i: Identity) -> dict[str, Any]:
    return {
        "row": "subscriber", i.kind: i.value, "customer": i.customer, "service": i.service, "reseller": i.reseller,
        "known": [_stamp(i.since), _stamp(i.until)], "source": i.source,
    }  # fmt: skip


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
