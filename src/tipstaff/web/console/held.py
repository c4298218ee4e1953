"""Who held it: an analyst asks address, port, time and precision, and sees the answer, its proof and the history."""

from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from django.http import HttpResponse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_safe

from tipstaff import wiring
from tipstaff.attribution.match import Window, window_of
from tipstaff.procedures.lookup import RESOURCE_KINDS, Known, known_of
from tipstaff.procedures.offender import who_did_it
from tipstaff.procedures.questions import REASONS, NoQuestion, question_of
from tipstaff.registry.names import plain_host_name
from tipstaff.registry.queries import holdings_as_known, resource_holders, sites_named_within
from tipstaff.words import Allegation, Attribution, Resource

from ..asked import asked_text
from ..roles import Ability, StaffRequest, needs
from .lanes import LANES_MAX, Row, moved, picture, rows_of
from .page import show_console

AROUND = {
    "hour": ("an hour", timedelta(hours=1)),
    "day": ("a day", timedelta(days=1)),
    "week": ("a week", timedelta(days=7)),
    "month": ("a month", timedelta(days=30)),
    "year": ("a year", timedelta(days=365)),
}
"""How much the picture shows before and after the asked window."""
FIELDS = ("address", "port", "protocol", "at", "precision", "destination", "destination_port", "known_at")
ROWS_MAX = 200


@require_safe
@needs(Ability.SEE_DESK)
def held(request: StaffRequest) -> HttpResponse:
    """The question, and, once it is asked, the answer."""
    asked = {name: asked_text(request.GET, name) for name in FIELDS}
    around = request.GET.get("around", "day")
    around = around if around in AROUND else "day"
    context: dict[str, Any] = {
        "asked": asked, "around": around, "choices": [(key, words) for key, (words, _) in AROUND.items()],
    }  # fmt: skip
    if asked["address"]:
        try:
            context |= _answered(asked, margin=AROUND[around][1])
        except NoQuestion as why:
            said = str(why)
            context["refused"] = f"{said[:1].upper()}{said[1:]}."
    return show_console(request, "tipstaff/console/held.html", here="console:customers", **context)


def _answered(asked: dict[str, str], *, margin: timedelta) -> dict[str, Any]:
    at = wiring.now()
    host = _host(asked["address"])
    if host and asked["known_at"]:
        raise NoQuestion(
            "what the registry knew earlier is told of an address, not of a host name; leave that time out"
        )
    # A name is asked for by itself; the rest of the question is read in the same way.
    question = question_of([
        "192.0.2.0" if host else asked["address"], asked["port"], asked["protocol"], asked["at"],
        asked["precision"], asked["destination"], asked["destination_port"],
    ], asked_at=at, zone=UTC)  # fmt: skip
    answer = who_did_it(
        Allegation(
            type="any/any", source=None if host else question.address, domain=host or None,
            source_port=question.port, moment=question.moment,
            protocol=None if question.protocol is None else str(question.protocol),
            target=None if question.there is None else str(question.there), target_port=question.there_port,
        ),
        received_at=at,
    )  # fmt: skip
    window = window_of(question.moment, received_at=at)
    begin, end = moved(window.earliest, -margin), moved(window.latest, margin)
    wide = Window(earliest=begin, latest=end, assumed=window.assumed)
    known = Known() if host else known_of(
        question.address, port=question.port, protocol=question.protocol, window=wide
    )  # fmt: skip
    sites = sites_named_within(host, earliest=begin, latest=end) if host else []
    rows = rows_of(
        holdings=_with(known.holdings, answer.proof), bindings=_with(known.bindings, answer.bindings),
        identities=_with(known.identities, answer.identities), gaps=known.gaps, sites=sites, answer=answer,
    )  # fmt: skip
    then = _as_known(asked["known_at"], question.address, window, answer) if not host else None
    drawn = {"begin": begin, "end": end, "earliest": window.earliest, "latest": window.latest}
    return {
        "answer": answer,
        "sentence": REASONS[answer.reason],
        "allows": sorted(answer.grade.allows),
        "tone": _tone(answer),
        "window": window,
        "rows": rows[:ROWS_MAX],
        "rows_left_out": max(0, len(rows) - ROWS_MAX),
        "wide": picture(rows, width=1000, **drawn) if rows else None,
        "narrow": picture(rows, width=340, **drawn) if rows else None,
        "lanes_left_out": max(0, len({r.lane for r in rows}) - LANES_MAX),
        "then": then,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """What the registry said of the address as it stood at an earlier time; logs have no such past."""

    known_at: datetime
    rows: list[Row]
    gone: list[Row]
    """Believed then, and not now."""
    new: list[Row]
    """Believed now, and not then."""


def _as_known(
    text: str, address: IPv4Address | IPv6Address, window: Window, answer: Attribution
) -> Then | None:  # fmt: skip
    if not text:
        return None
    try:
        said = parse_datetime(text.replace(" ", "T", 1))
    except ValueError:
        said = None
    # The first and the last year of a calendar have no neighbours into which a zone could move them.
    if said is None or not 1970 <= said.year < MAXYEAR:
        raise NoQuestion(f"{text[:40]!r} is no time at which the registry knew something; write 2026-03-01 12:00:00")
    known_at = said if said.tzinfo is not None else said.replace(tzinfo=UTC)
    names = {(RESOURCE_KINDS[i.kind], i.value) for i in answer.identities if i.kind in RESOURCE_KINDS}

    def believed(known_at: datetime) -> list[Row]:
        moments = (window.earliest, window.latest)
        held = dict.fromkeys(h for at in moments for h in holdings_as_known(address, at=at, known_at=known_at))
        named = dict.fromkeys(
            r for kind, name in sorted(names) for at in moments
            for r in resource_holders(kind, name, at=at, known_at=known_at)
        )  # fmt: skip
        rows = rows_of(holdings=held, bindings=(), identities=(), gaps=(), sites=(), answer=answer)
        return [*rows, *map(_row_of, named)]

    then, now = believed(known_at), believed(wiring.now())
    return Then(
        known_at=known_at, rows=then, gone=[row for row in then if row not in now],
        new=[row for row in now if row not in then],
    )  # fmt: skip


def _row_of(held: Resource) -> Row:
    """A log-in, circuit or MAC that a log names, and whose the registry says it is."""
    return Row(
        word="registry", what=f"{held.kind} {held.name}", ports="all", customer=held.customer or "",
        service=held.service or "", since=held.held_from, until=held.held_until, sure=(held.held_from, held.held_until),
        shown_by=held.source, proves=False, tone="blue",
    )  # fmt: skip


def _with(rows: tuple[Any, ...], proof: tuple[Any, ...]) -> tuple[Any, ...]:
    """The rows of the stretch, and those of the proof that a bound has left out of it."""
    return tuple(dict.fromkeys([*rows, *proof]))


def _host(text: str) -> str:
    """The host name that was asked for; empty for an address, or what is meant to be one."""
    try:
        ip_address(text)
    except ValueError:
        name = plain_host_name(text)
        last = name.rpartition(".")[2]
        return name if "." in name and not last.isdecimal() and not set(name) & set(" /:@") else ""
    return ""


def _tone(answer: Attribution) -> str:
    if answer.named:
        return "green" if answer.grade.value == "confirmed" else "amber"
    return "red" if answer.grade.value == "contradicted" else "grey" if answer.grade.value == "none" else "violet"
