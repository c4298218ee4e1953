"""Who held it: an analyst asks address, port, time and precision, and sees the answer, its proof and the history."""

from datetime import UTC, timedelta
from ipaddress import ip_address
from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from tipstaff import wiring
from tipstaff.attribution.match import Window, window_of
from tipstaff.procedures.lookup import Known, known_of
from tipstaff.procedures.offender import who_did_it
from tipstaff.procedures.questions import REASONS, NoQuestion, question_of
from tipstaff.registry.names import plain_host_name
from tipstaff.registry.queries import sites_named_within
from tipstaff.words import Allegation, Attribution

from ..asked import asked_text
from ..roles import Ability, StaffRequest, needs
from .lanes import LANES_MAX, moved, picture, rows_of
from .page import show_console

AROUND = {
    "hour": ("an hour", timedelta(hours=1)),
    "day": ("a day", timedelta(days=1)),
    "week": ("a week", timedelta(days=7)),
    "month": ("a month", timedelta(days=30)),
    "year": ("a year", timedelta(days=365)),
}
"""How much the picture shows before and after the asked window."""
FIELDS = ("address", "port", "protocol", "at", "precision", "destination", "destination_port")
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
    }


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
