"""The legal register: counsel's page, and for a second person the one matter that waits for them."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring
from tipstaff.policy import edition_to_go_by
from tipstaff.procedures import disclosure
from tipstaff.procedures.disclosure import NotAnswerable
from tipstaff.procedures.refusals import AnotherHasToAgree, NoSuchMatter, NotNow, NotYourDecision
from tipstaff.words import Gives, MatterKind

from ..asked import asked_text
from ..roles import Ability, StaffRequest, may, needs
from .actions import MissingWords, NoSuchTime, instant_of
from .acts import Act, Given
from .page import show_console

REFUSED = (NotAnswerable, NotNow, NotYourDecision, AnotherHasToAgree, MissingWords, NoSuchTime)
TEXT_OCTETS_MAX = 1_000_000


def _words(given: Given, name: str) -> str:
    text = asked_text(given.form, name, characters_max=4000)
    if not text:
        raise MissingWords
    return text


def _authenticate(given: Given) -> str:
    disclosure.authenticate(
        given.key, how=_words(given, "how"), desk=given.desk, at=given.at, actor=given.actor
    )  # fmt: skip
    return f"{given.key} is authenticated."


def _look_up(given: Given) -> str:
    found = disclosure.look_up(given.key, desk=given.desk, at=given.at, actor=given.actor)
    return f"{given.key}: {found.grade} ({found.reason})."


def _decide(given: Given) -> str:
    gives = [each for each in Gives if each.value in given.form.getlist("gives")]
    done = disclosure.decide(
        given.key, answer=given.form.get("decision") == "answer", gives=gives, why=_words(given, "why"),
        desk=given.desk, at=given.at, actor=given.actor,
    )  # fmt: skip
    return f"{given.key} is {done.state.value}."


def _agree(given: Given) -> str:
    seen = given.form.get("seen", "")
    disclosure.agree(given.key, seen=seen, desk=given.desk, at=given.at, actor=given.actor)
    return f"{given.key}: agreed, and two people answer for it."


def _silence(given: Given) -> str:
    disclosure.keep_silent(
        given.key, ground=_words(given, "ground"), until=instant_of(_words(given, "until")), desk=given.desk,
        at=given.at, actor=given.actor,
    )  # fmt: skip
    return f"{given.key}: the customer is not told yet."


def _told(given: Given) -> str:
    disclosure.note_told(given.key, how=_words(given, "how"), desk=given.desk, at=given.at, actor=given.actor)
    return f"{given.key}: the customer was told."


ON_MATTERS: Mapping[str, Act] = MappingProxyType(
    {
        "authenticate": Act(ability=Ability.KEEP_LEGAL, run=_authenticate),
        "look-up": Act(ability=Ability.KEEP_LEGAL, run=_look_up),
        "decide": Act(ability=Ability.KEEP_LEGAL, run=_decide),
        "agree": Act(ability=Ability.AGREE_LEGAL, run=_agree),
        "silence": Act(ability=Ability.KEEP_LEGAL, run=_silence),
        "told": Act(ability=Ability.KEEP_LEGAL, run=_told),
    }
)
"""Each step of a matter; who may read which, and what the edition lets be answered, the procedure asks."""


@require_safe
@needs(Ability.KEEP_LEGAL)
def register(request: StaffRequest) -> HttpResponse:
    """All matters, and what is overdue."""
    desk, at, me = wiring.desk(), wiring.now(), request.user.get_username()
    edition = edition_to_go_by(desk.editions, at=at)
    return show_console(
        request,
        "tipstaff/console/legal.html",
        here="console:legal",
        matters=disclosure.register(desk=desk, actor=me),
        late={each.key for each in disclosure.late(desk=desk, at=at, actor=me)},
        kinds=[MatterKind.IDENTITY, MatterKind.REQUEST],
        clocks=[clock for clock in edition.clocks if clock.clause in disclosure.clauses_asked(edition)],
    )


@require_POST
@needs(Ability.KEEP_LEGAL)
def enter(request: StaffRequest) -> HttpResponse:
    """Enter a request from its text."""

    def run() -> str:
        taken = take(request.POST, actor=request.user.get_username())
        return f"{taken} is entered."

    return _tell(request, run, to=reverse("console:legal"))


def take(form: QueryDict, *, actor: str) -> str:
    """Enter the request that a form states; its key."""
    try:
        kind, port = MatterKind(form.get("kind", "")), int(form.get("port") or 0)
        received, used = asked_text(form, "received"), asked_text(form, "used_at")
        received_at, used_at = instant_of(received) if received else wiring.now(), instant_of(used) if used else None
        error = float(form.get("error_seconds") or 1)
        taken = disclosure.take_request(
            asked_text(form, "text", characters_max=TEXT_OCTETS_MAX).encode(), kind=kind,
            authority=asked_text(form, "authority", characters_max=500), reference=asked_text(form, "reference"),
            binding=form.get("binding", "") in ("on", "true", "True"), received_at=received_at,
            clock=asked_text(form, "clock"), address=asked_text(form, "address"), port=port or None,
            protocol=asked_text(form, "protocol", characters_max=8), used_at=used_at, error_seconds=error,
            desk=wiring.desk(), at=wiring.now(), actor=actor,
        )  # fmt: skip
    except ValueError as why:
        if isinstance(why, REFUSED):
            raise
        raise NotAnswerable("Its kind, the address, the port or the error in seconds cannot be read.") from why
    return taken.key


@require_safe
@needs(Ability.AGREE_LEGAL)
def matter(request: StaffRequest, key: str) -> HttpResponse:
    """One matter, for whoever may read it."""
    try:
        found = disclosure.shown_to(key, desk=wiring.desk(), actor=request.user.get_username())
    except NoSuchMatter as none:
        raise Http404(key) from none
    waits = found.state in ("open", "proposed")
    return show_console(
        request, "tipstaff/console/matter.html", here="console:legal", matter=found, waits=waits, gives=list(Gives)
    )


@require_POST
@needs(Ability.AGREE_LEGAL)
def act(request: StaffRequest, key: str, action: str) -> HttpResponse:
    """Take one step of a matter, and go back to it."""
    chosen = ON_MATTERS.get(action)
    if chosen is None:
        raise Http404(action)
    given = Given(
        key=key, form=request.POST, desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username()
    )  # fmt: skip
    # Once agreed, it is counsel's alone again.
    keeps = may(request.user, Ability.KEEP_LEGAL)
    return _tell(request, lambda: chosen.run(given), to=reverse("console:matter", args=[key]) if keeps else "/console/")


@require_POST
@needs(Ability.KEEP_LEGAL)
def hand_over(request: StaffRequest, key: str) -> HttpResponse:
    """The answer as a file."""
    try:
        text = disclosure.hand_over(key, desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username())
    except NoSuchMatter as none:
        raise Http404(key) from none
    except REFUSED as refusal:
        messages.error(request, said_of(refusal))
        return HttpResponseRedirect(reverse("console:matter", args=[key]), status=HTTPStatus.SEE_OTHER)
    headers = {"Content-Disposition": f'attachment; filename="{key}.json"', "Cache-Control": "no-store"}
    return HttpResponse(text, content_type="application/json", headers=headers)


def said_of(refusal: Exception) -> str:
    """A refusal's own sentence, else its class's."""
    own = str(refusal)
    return own if " " in own else " ".join((type(refusal).__doc__ or "").split())


def _tell(request: HttpRequest, run: Callable[[], str], *, to: str) -> HttpResponse:
    try:
        messages.success(request, run())
    except NoSuchMatter as none:
        raise Http404(str(none)) from none
    except REFUSED as refusal:
        messages.error(request, said_of(refusal))
    return HttpResponseRedirect(to, status=HTTPStatus.SEE_OTHER)
