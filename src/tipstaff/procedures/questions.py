"""Questions about who held what as people and programs write them, and answers as JSON with their proof."""

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from tipstaff.attribution.match import PROTOCOLS, Question
from tipstaff.words import Attribution, AttributionReason, Binding, Holding, Identity, Moment, Site

REASONS = {
    AttributionReason.ONE_HOLDER: "One holder over the whole window.",
    AttributionReason.ONE_RESELLER: "A reseller holds it; the answer stops there, and its own customer is its to name.",
    AttributionReason.TIME_ASSUMED: "No time was stated; the same one held it over all of the last seven days.",
    AttributionReason.SHARED_WITHOUT_PORT: "Several share this address; only the source port can tell them apart.",
    AttributionReason.SEVERAL_HOLDERS_IN_WINDOW: "More than one held it in the window; a more exact time would tell.",
    AttributionReason.EDGE_IN_WINDOW: "A holding begins or ends within the window.",
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

COLUMNS = ("address", "port", "protocol", "at", "precision_seconds")


class NoQuestion(ValueError):
    """What was written is no question; the message says why."""


def question_of(row: list[str]) -> Question:
    """The question that the fields of COLUMNS ask, empty ones for what is not known; NoQuestion says why it is none."""
    if len(row) > len(COLUMNS):
        raise NoQuestion(f"{len(row)} fields, but there are {len(COLUMNS)}: {', '.join(COLUMNS)}")
    address, port, protocol, at, precision = [*row, "", "", "", "", ""][:5]
    try:
        source = ip_address(address)
    except ValueError:
        raise NoQuestion(f"{address!r} is not an IPv4 or IPv6 address") from None
    if port and not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise NoQuestion(f"{port!r} is not a port from 0 to 65535")
    number: int | None = None
    if protocol:
        number = int(protocol) if protocol.isascii() and protocol.isdigit() else PROTOCOLS.get(protocol.lower())
        if number is None or number > 255:
            raise NoQuestion(f"{protocol!r} is no protocol; write tcp, udp, or its IANA number")
    moment = _moment(at, precision)
    return Question(address=source, port=int(port) if port else None, protocol=number, moment=moment)


def _moment(at: str, precision: str) -> Moment | None:
    try:
        error = float(precision) if precision else 1.0
    except ValueError:
        raise NoQuestion(f"{precision!r} is not a number of seconds") from None
    if not 0 <= error <= 366 * 86400:
        raise NoQuestion("the precision is between 0 seconds and a year")
    if not at:
        return None
    try:
        instant = datetime.fromisoformat(at)
        if not 1970 <= instant.year < 9000:
            raise NoQuestion(f"{at!r} is no time that a log could have; write one like 2026-03-01T12:00:00Z")
        return Moment.without_zone(instant, error_seconds=error) if instant.tzinfo is None else Moment(instant, error)
    except NoQuestion:
        raise
    except (ValueError, OverflowError):
        raise NoQuestion(f"{at!r} is not a time; write one like 2026-03-01T12:00:00Z") from None


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
        "row": "log", "source": b.source, "realm": b.realm, "prefix": str(b.prefix),
        "ports": [b.port_first, b.port_last], "protocol": b.protocol, **leads_to,
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
