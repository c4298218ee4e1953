"""Filters that belong to no case: what stands, what is proposed, and what an engineer decides."""

from collections.abc import Mapping
from http import HTTPStatus
from ipaddress import ip_network
from types import MappingProxyType
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring
from tipstaff.enforcement import queries as enforcement
from tipstaff.ledger import queries as ledger
from tipstaff.procedures import filtering
from tipstaff.procedures.filtering import NotAFilter
from tipstaff.words import Degree, Direction, Filter, FilterState, Ground, Selector, names_an_interface

from ..asked import asked_text
from ..roles import Ability, StaffRequest, needs
from .acts import Act, Given
from .page import show_console
from .sentences import tell_all
from .views import why_refused

_OPEN = (FilterState.PROPOSED, FilterState.AGREED, FilterState.STANDS)
_HOURS_MAX = 10_000


def proposal_of(form: Mapping[str, str]) -> dict[str, Any]:
    """What a form proposes, as `filtering.propose` takes it; raise NotAFilter in a sentence."""
    try:
        network = ip_network(asked_text(form, "network", characters_max=50), strict=True)
    except ValueError as why:
        raise NotAFilter(f"{why}." if str(why) else "A filter names an address or a prefix.") from why
    port, hours = _number(form, "port", most=65535), _number(form, "lasts_hours", most=_HOURS_MAX)
    protocol = asked_text(form, "protocol", characters_max=8).lower() or None
    if (port is None) is not (protocol is None) or protocol not in (None, "tcp", "udp"):
        raise NotAFilter("A port and its protocol, tcp or udp, come together.")
    source_port, far = _number(form, "source_port", most=65535), asked_text(form, "remote", characters_max=50)
    try:
        remote = ip_network(far, strict=True) if far else None
    except ValueError as why:
        raise NotAFilter(f"{why}.") from why
    if any(names_an_interface(each) for each in (network, remote) if each is not None):
        raise NotAFilter("A filter's addresses name no interface behind a %.")
    if (remote or source_port) and (port is None or (remote is not None and remote.version != network.version)):
        raise NotAFilter("A far end, of the same IP version, and a source port go with a port.")
    try:
        direction = Direction(form.get("direction") or "both")
        degree = Degree[asked_text(form, "degree", characters_max=20).upper()]
        ground = Ground(form["ground"]) if form.get("ground") else None
    except (ValueError, KeyError) as why:
        raise NotAFilter("The way, the degree or the ground is none that is known.") from why
    return {
        "selector": Selector(
            network=network, protocol=protocol, port=port, direction=direction, remote=remote, source_port=source_port
        ),
        "degree": degree,
        "danger": asked_text(form, "danger", characters_max=filtering.TEXT_MAX + 1),
        "shown_by": asked_text(form, "shown_by", characters_max=500).replace(",", " ").split(),
        "lasts_hours": hours or 0, "ground": ground,
        "why_no_narrower": asked_text(form, "why_no_narrower", characters_max=filtering.TEXT_MAX + 1),
    }  # fmt: skip


def _number(form: Mapping[str, str], name: str, *, most: int) -> int | None:
    text = asked_text(form, name, characters_max=8)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) <= most:
        raise NotAFilter(f"{name.replace('_', ' ').capitalize()} is a number from 1 to {most}.")
    return int(text)


def propose(form: Mapping[str, str], *, actor: str) -> Filter:
    """Propose what a form states; raise NotAFilter."""
    return filtering.propose(desk=wiring.desk(), at=wiring.now(), actor=actor, **proposal_of(form))


def _decide(given: Given) -> str:
    decided = given.form.get("decision")
    if decided not in ("agree", "refuse"):
        raise NotAFilter("A decision is to agree, or to refuse.")
    seen = _number(given.form, "seen", most=10**7) if given.form.get("seen") != "0" else 0
    done = filtering.decide(
        given.key, agree=decided == "agree", seen=-1 if seen is None else seen, why=given.why, desk=given.desk,
        at=given.at, actor=given.actor,
    )  # fmt: skip
    return f"{given.key} is {done.state.value}."


def _go_on(given: Given) -> str:
    hours = _number(given.form, "hours", most=_HOURS_MAX) or 0
    filtering.let_go_on(given.key, hours=hours, why=given.why, desk=given.desk, at=given.at, actor=given.actor)
    return f"{given.key} goes on for {hours} hours."


def _end(given: Given) -> str:
    filtering.end(given.key, why=given.why, desk=given.desk, at=given.at, actor=given.actor)
    return f"{given.key} is taken out."


ON_FILTERS: Mapping[str, Act] = MappingProxyType(
    {
        "decide": Act(ability=Ability.SECOND_URGENT, run=_decide),
        "go-on": Act(ability=Ability.SECOND_URGENT, run=_go_on),
        "end": Act(ability=Ability.LIFT, run=_end),
    }
)
"""What may be done to a filter; that an engineer decides, and who else, the procedure asks."""


@require_safe
@needs(Ability.SEE_MEASURES)
def filters(request: StaffRequest) -> HttpResponse:
    """Filters that stand or wait, those that ended, and the form that proposes one."""
    return show_console(
        request,
        "tipstaff/console/filters.html",
        here="console:measures",
        standing=enforcement.list_filters(states=_OPEN),
        past=enforcement.list_filters(states=(FilterState.ENDED, FilterState.REFUSED), limit=50),
        degrees=(Degree.RATE_LIMIT, Degree.BLOCK),
        directions=tuple(Direction),
        grounds=tuple(Ground),
        asked=request.GET,
    )


@require_safe
@needs(Ability.SEE_MEASURES)
def one(request: StaffRequest, key: str) -> HttpResponse:
    """One filter: the danger, the plan as things stand, who was told, what happened."""
    found = enforcement.get_filter(key)
    if found is None:
        raise Http404(key)
    waits = found.state in (FilterState.PROPOSED, FilterState.AGREED)
    return show_console(
        request,
        "tipstaff/console/filter.html",
        here="console:measures",
        filter=found,
        waits=waits,
        dry=filtering.dry_run(found.selector, found.degree, desk=wiring.desk(), at=wiring.now()) if waits else None,
        measure=enforcement.get_measure(found.measure) if found.measure else None,
        touched=[(customer, dict(found.letters).get(customer, "")) for customer in found.touches],
        steps=tell_all(ledger.recent(about=key, limit=60)[::-1]),
    )


@require_POST
@needs(Ability.PROPOSE_URGENT)
def enter(request: StaffRequest) -> HttpResponse:
    """Propose a filter; what was typed stays in the form where it is refused."""
    try:
        key = propose(request.POST, actor=request.user.get_username()).key
    except NotAFilter as refusal:
        messages.error(request, f"{why_refused(refusal)} Nothing was planned.")
        kept = QueryDict(mutable=True)
        kept.update({name: asked_text(request.POST, name, characters_max=500) for name in _KEPT})
        return _see(f"{reverse('console:filters')}?{kept.urlencode()}")
    messages.success(request, f"{key} is proposed. An engineer, who is not you, decides.")
    return _see(reverse("console:filter", args=[key]))


_KEPT = (
    "network", "protocol", "port", "direction", "degree", "danger", "shown_by", "lasts_hours", "why_no_narrower",
    "ground",
)  # fmt: skip


def _see(url: str) -> HttpResponse:
    return HttpResponseRedirect(url, status=HTTPStatus.SEE_OTHER)
