"""The way of an edition, for counsel: what was written, what it would change, and the next step."""

from dataclasses import dataclass
from typing import Protocol

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring
from tipstaff.editions.queries import get_edition, list_editions, work_of
from tipstaff.policy import edition_to_go_by
from tipstaff.policy.difference import Change, Effect, marked
from tipstaff.procedures import editions as procedure
from tipstaff.procedures.acceptance import count_accepted
from tipstaff.procedures.refusals import (
    ApproverMustBeAnother,
    NotAnnounced,
    NotWhatWasRead,
    NotYourDecision,
    StillWorking,
    WrongStep,
)
from tipstaff.words import EditionOnRecord, EditionState, WorkStep

from ..asked import asked_text
from ..roles import Ability, StaffRequest, may, needs
from .page import show_console


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One edition in the list."""

    edition: EditionOnRecord
    accepted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A change with both texts marked word by word."""

    change: Change
    words: tuple[tuple[str, str], ...]


@require_safe
@needs(Ability.SEE_POLICY)
def editions(request: StaffRequest) -> HttpResponse:
    """Every edition on record, and one of them with what it changes against the one in force."""
    rows = [Row(edition=each, accepted=count_accepted(each.id, digest=each.digest)) for each in list_editions()]
    chosen = request.GET.get("edition") or next((r.edition.id for r in rows if r.edition.state in _UNDER_WAY), "")
    shown = get_edition(chosen) if chosen else None
    changed: tuple[Marked, ...] = ()
    otherwise: tuple[Effect, ...] = ()
    if shown is not None and shown.state is not EditionState.POSTED:
        before, after = edition_to_go_by(wiring.editions(), at=wiring.now()), procedure.edition_on_record(shown.id)
        changes, otherwise = procedure.compare(before, after)
        changed = tuple(
            Marked(change=change, words=tuple(marked(change.was, change.now)) if change.was != change.now else ())
            for change in changes
        )
    return show_console(
        request,
        "tipstaff/console/editions.html",
        here="console:policy",
        rows=rows,
        shown=shown,
        work=work_of(shown.id) if shown is not None else None,
        changed=changed,
        otherwise=otherwise,
        may_approve=may(request.user, Ability.APPROVE_POLICY),
        may_post=may(request.user, Ability.POST_POLICY),
        may_draft=may(request.user, Ability.DRAFT_POLICY),
        adopted=procedure.adoption_of(shown.digest) if shown is not None else None,
        untold=procedure.untold(shown) if shown is not None and shown.announced_at is not None else 0,
        own=shown is not None and shown.drafted_by == request.user.get_username(),
    )


_UNDER_WAY = frozenset({EditionState.DRAFT, EditionState.APPROVED, EditionState.COMPILED, EditionState.ANNOUNCED})


@require_POST
@needs(Ability.SEE_POLICY)
def step(request: StaffRequest, id: str, action: str) -> HttpResponse:
    """Take an edition's next step; each needs its own ability, and a refusal is one sentence."""
    if action not in STEPS:
        raise Http404(action)
    ability, take = STEPS[action]
    if not may(request.user, ability):
        raise PermissionDenied(ability.value)
    if get_edition(id) is None:
        raise Http404(id)
    try:
        messages.success(request, take(request.POST, id, actor=request.user.get_username()))
    except REFUSED as why:
        messages.error(request, str(type(why).__doc__))
    return HttpResponseRedirect(f"{reverse('console:editions')}?edition={id}")


REFUSED = (ApproverMustBeAnother, NotAnnounced, NotWhatWasRead, NotYourDecision, StillWorking, WrongStep)


def _approve(form: QueryDict, id: str, *, actor: str) -> str:
    done = procedure.approve(
        id, seen=form.get("seen", ""), significant="significant" in form,
        why=asked_text(form, "why", characters_max=2000), desk=wiring.desk(), at=wiring.now(), actor=actor,
    )  # fmt: skip
    return f"Edition {id} is approved." + (" Customers are told before it counts." if done.significant else "")


def _compile(form: QueryDict, id: str, *, actor: str) -> str:
    _ask_for(id, WorkStep.COMPILE, actor=actor)
    return "Its examples are tried and the past is judged by it; this page shows how far it is."


def _announce(form: QueryDict, id: str, *, actor: str) -> str:
    _ask_for(id, WorkStep.ANNOUNCE, actor=actor)
    return "Letters to every customer are being written; this page shows when they are."


def _ask_for(id: str, step: WorkStep, *, actor: str) -> None:
    procedure.ask_for(id, step=step, desk=wiring.desk(), at=wiring.now(), actor=actor)


def _post(form: QueryDict, id: str, *, actor: str) -> str:
    done = procedure.post(id, desk=wiring.desk(), at=wiring.now(), actor=actor)
    return f"Edition {id} is posted and counts from {done.effective_at:%Y-%m-%d %H:%M} UTC."


def _withdraw(form: QueryDict, id: str, *, actor: str) -> str:
    why = asked_text(form, "why", characters_max=2000) or "No reason was given."
    procedure.withdraw(id, why=why, desk=wiring.desk(), at=wiring.now(), actor=actor)
    return f"Edition {id} is given up."


def _confirm(form: QueryDict, id: str, *, actor: str) -> str:
    why = asked_text(form, "why", characters_max=procedure.WHY_MAX)
    done = procedure.confirm(id, why=why, desk=wiring.desk(), at=wiring.now(), actor=actor)
    return f"Edition {id} is confirmed." if done.confirmed_at else f"Edition {id}: a second person confirms it as well."


class Take(Protocol):
    """Take a step of an edition by what a form says of it; what was done, in a sentence. Raise one of REFUSED."""

    def __call__(self, form: QueryDict, id: str, *, actor: str) -> str: ...


STEPS: dict[str, tuple[Ability, Take]] = {
    "approve": (Ability.APPROVE_POLICY, _approve),
    "compile": (Ability.POST_POLICY, _compile),
    "announce": (Ability.POST_POLICY, _announce),
    "post": (Ability.POST_POLICY, _post),
    "withdraw": (Ability.DRAFT_POLICY, _withdraw),
    "confirm": (Ability.SEE_POLICY, _confirm),
}
