"""A customer's own view by the API: what their person's pages show and take, by a token that the person made.

Who may see and answer what is looked up at each request, as for the pages of the account; nothing of anybody else is
here, nor what the customer was not told of, nor who complained.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from ninja.errors import HttpError
from pydantic import Field

from tipstaff import wiring
from tipstaff.cases.queries import get_case, lineage_of, standing_key
from tipstaff.cases.rules import OPEN, IllegalMove
from tipstaff.host.envelopes import KEY_CHARACTERS_MAX
from tipstaff.notices import place_shown
from tipstaff.notices.queries import cases_told
from tipstaff.procedures.answers import WORDS_MAX, answer_case, appeal_case
from tipstaff.procedures.hooks_of_customers import OWN_EVENTS
from tipstaff.registry.queries import get_customer
from tipstaff.webhooks import queries as hook_queries
from tipstaff.words import Answer, Case, Customer, Measure, Webhook

from ..models import PortalPerson, PortalToken
from ..portal import mail_keys, people, webhooks
from ..portal.people import PortalRole, role_on
from ..portal.reads import PortalPage, account_keys, accounts_of, in_force_on, known_page, portal_page
from ..portal.tokens import OwnScope
from ..portal.views import WORDS_NEEDED
from ..said import Sentence
from .pages import Cursor, Limit, goes_on_unseen, opened_case, opened_unseen, plain, text_of
from .problems import Problem

router = Router(tags=["own"])
_T = TypeVar("_T")
ACCOUNTS_MAX, ACCOUNTS_AT_ONCE = 1_000, 100
"""So many accounts are listed, and so many are looked into for what is in force."""


class Own:
    """A token of somebody of a customer's, with one scope. Nobody else gets in here, no session either."""

    openapi_name = "customer"

    def __init__(self, scope: OwnScope) -> None:
        self.scope_needed = scope

    def scope(self, method: str) -> str:
        return self.scope_needed.value

    def __call__(self, request: HttpRequest) -> object:
        token: PortalToken | None = getattr(request, "own_token", None)
        if token is None:
            raise Problem(401, "This takes a token that you made at /account/tokens: `Authorization: Bearer TOKEN`.")
        if self.scope_needed.value not in token.scopes:
            raise Problem(
                403, f"This token lacks the scope {self.scope_needed.value}.", missing_scope=self.scope_needed.value,
                scopes=list(token.scopes),
            )  # fmt: skip
        return token.person


class OwnAccountOut(Schema):
    """An account for which the token's person may see something."""

    key: str
    name: str
    standing: str
    role: Literal["reads", "answers", "manages"]


class OwnCaseOut(Schema):
    """A case in a list."""

    key: str
    account: str
    type: str
    """XARF `category/type`."""
    resource: str
    state: str
    outcome: str
    opened_at: datetime
    due_at: datetime | None
    closed_at: datetime | None


class OwnEventOut(Schema):
    """What is said to have happened, without who said it."""

    what: str
    port: int | None
    at: datetime | None
    """In UTC, where an instant was stated; with no zone stated it is the report's own time."""
    zone_stated: bool
    evidence: str


class OwnMeasureOut(Schema):
    """A measure on the account, with its exact scope."""

    key: str
    case: str
    degree: str
    scope: str
    state: str
    proof: str
    """How surely that is known: none, ack, config, state (read back from the device) or probe (shown by traffic)."""
    proof_at: datetime | None
    in_force_at: datetime | None
    until: datetime | None
    lifted_when: str


class OwnCaseDetailOut(OwnCaseOut):
    """A case as its page shows it."""

    clause: str
    clause_title: str
    edition: str
    reasons: list[str]
    events: list[OwnEventOut]
    events_more: int
    what_to_do: list[str]
    checklist: list[str]
    measures: list[OwnMeasureOut]
    answers: list[Literal["fixed", "need_time", "dispute", "wrong_customer"]]
    """What it takes by `answer_own_case` now; none for whoever may only read."""


class OwnAnswerIn(Schema):
    """An answer to a case, as by its page."""

    answer: Literal["fixed", "need_time", "dispute", "wrong_customer"]
    words: Annotated[str, Field(max_length=WORDS_MAX)] = ""
    """What was done, or why it is disputed: needed for both."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A case that somebody may see, and what they may do for its account."""

    page: PortalPage
    role: PortalRole


class OwnKeyOut(Schema):
    """A key for letters to a token's person."""

    kind: Literal["OpenPGP", "S/MIME"]
    says: str
    """Its fingerprint, whose it says it is, and until when; or why it is no use any more."""
    used: bool
    """False while they have not opened the letter that is closed by it."""


class OwnKeyIn(Schema):
    """A public key for letters to a token's person."""

    account: str
    key: Annotated[str, Field(max_length=KEY_CHARACTERS_MAX)]
    """An ASCII-armoured OpenPGP key, or an S/MIME certificate as PEM."""


class OwnWebhookOut(Schema):
    """Where a program of theirs is told of their cases. Its secret is not in it."""

    key: str
    account: str
    url: str
    events: list[str]
    on: bool
    made_at: datetime
    failing_since: datetime | None
    waiting: int


class OwnWebhookIn(Schema):
    """A webhook to be made for one account."""

    account: Annotated[str, Field(max_length=64)]
    url: Annotated[str, Field(max_length=webhooks.URL_MAX)]
    events: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=len(OWN_EVENTS))]
    """`case.opened`, `case.deadline_near`, `case.decided`, `case.closed`, `measure.in_force`, `measure.lifted`,
    `contacts.changed`."""


class OwnWebhookMadeOut(Schema):
    """A new webhook, with the secret that its messages are signed with: it is shown this once."""

    webhook: OwnWebhookOut
    secret: str | None
    """None where the same request comes again under the same Idempotency-Key."""


class OwnDispatchOut(Schema):
    """One event on its way, or taken."""

    number: int
    id: str
    event: str
    at: datetime
    state: Literal["waits", "taken", "given_up"]
    attempts: int
    due_at: datetime | None
    taken_at: datetime | None
    status: int | None
    """The HTTP status that the last attempt was answered with; None where nobody answered."""


class OwnActIn(Schema):
    """What is done to a webhook."""

    act: Literal["try", "on", "off", "again"]
    number: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Of what is sent again."""


@router.get("/accounts", auth=Own(OwnScope.READ), response=list[OwnAccountOut])
def list_own_accounts(request: HttpRequest) -> list[dict[str, str]]:
    """The accounts for which the token's person may see something now, their own first: up to 1,000."""
    return [
        {"key": one.key, "name": one.name, "standing": one.standing.value, "role": role.value}
        for one, role in accounts_of(_person(request), most=ACCOUNTS_MAX)[0]
    ]


@router.get("/cases", auth=Own(OwnScope.READ), response=list[OwnCaseOut])
def list_own_cases(
    request: HttpRequest,
    response: HttpResponse,
    account: Annotated[str, Query(max_length=64)] = "",
    open: bool | None = None,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> list[OwnCaseOut]:
    """The cases that one account, or each of them, was told of, the newest first; `Link` has the next page.

    A page may be short, or empty, though `Link` names another: read on until there is none.
    """
    before = opened_case(opened_unseen(cursor))
    person, wanted = _person(request), plain(account)
    if wanted and role_on(person, wanted) is None:
        return []
    keys = [wanted] if wanted else account_keys(person)
    found, further = known_page(keys, open=open, before=before, most=limit)
    if further is not None:
        goes_on_unseen(request, response, text_of(*further))
    return [_case_out(case) for case in found]


@router.get("/cases/{key}", auth=Own(OwnScope.READ), response=OwnCaseDetailOut)
def get_own_case(request: HttpRequest, key: str) -> dict[str, Any]:
    """One case: what is said to have happened, the rule, what was done and its exact scope, what it takes now."""
    return _detail(_seen(request, key))


@router.post("/cases/{key}/answer", auth=Own(OwnScope.ANSWER), response=OwnCaseDetailOut)
def answer_own_case(request: HttpRequest, key: str, asked: OwnAnswerIn) -> dict[str, Any]:
    """Answer a case, as its page does: fixed, more time (once), disputed, or not theirs."""
    person, seen, at = _person(request), _seen(request, key), wiring.now()
    if not people.may(seen.role, PortalRole.ANSWERS):
        raise HttpError(403, "Whoever made this token may only read for this account.")
    answer, words = Answer(asked.answer), asked.words.replace("\x00", "").strip()
    if answer not in seen.page.answers:
        raise HttpError(409, "This answer is not open any more.")
    if answer in WORDS_NEEDED and not words:
        raise HttpError(422, "Say in `words` what you did, or why you dispute it.")
    take = answer_case if seen.page.case.state in OPEN else None
    via = f"API, {person.email}"
    try:
        if take is not None:
            take(seen.page.case.key, answer=answer, words=words, via=via, desk=wiring.desk(), at=at)
        else:
            appeal_case(seen.page.case.key, words=words, via=via, desk=wiring.desk(), at=at)
    except IllegalMove as why:
        raise HttpError(409, "The case moved meanwhile; look at it again.") from why
    return _detail(_seen(request, key))


@router.get("/measures", auth=Own(OwnScope.READ), response=list[OwnMeasureOut])
def list_own_measures(request: HttpRequest) -> list[dict[str, Any]]:
    """What is in force on the first 100 accounts now."""
    return [_measure_out(measure) for key in _first_accounts(request) for measure in in_force_on(key)]


@router.get("/webhooks", auth=Own(OwnScope.WEBHOOKS), response=list[OwnWebhookOut])
def list_own_webhooks(request: HttpRequest, account: Annotated[str, Query(max_length=64)]) -> list[OwnWebhookOut]:
    """The webhooks of one account that the token's person manages."""
    return [_hook_out(hook) for hook in hook_queries.list_webhooks(customer=_managed(request, account).key)]


@router.post("/webhooks", auth=Own(OwnScope.WEBHOOKS), response=OwnWebhookMadeOut)
def make_own_webhook(request: HttpRequest, asked: OwnWebhookIn) -> dict[str, Any]:
    """Have a program told of the account's cases from now on, signed with a secret that is shown this once."""
    account = _managed(request, asked.account)
    made, secret = _or_refused(
        lambda: webhooks.make_for(account, url=asked.url, events=asked.events, by=_person(request))
    )
    return {"webhook": _hook_out(made), "secret": secret}


@router.delete("/webhooks/{key}", auth=Own(OwnScope.WEBHOOKS), response={204: None})
def forget_own_webhook(request: HttpRequest, key: str) -> HttpResponse:
    """Take it away, with whatever waits for it."""
    hook = _hook(request, key)
    _or_refused(lambda: webhooks.act_on(hook, "forget", by=_person(request)))
    return HttpResponse(status=204)


@router.post("/webhooks/{key}", auth=Own(OwnScope.WEBHOOKS), response=OwnWebhookOut)
def act_on_own_webhook(request: HttpRequest, key: str, asked: OwnActIn) -> OwnWebhookOut:
    """Send a test, switch it on or off, or send something again under its id."""
    hook = _hook(request, key)
    _or_refused(lambda: webhooks.act_on(hook, asked.act, number=asked.number, by=_person(request)))
    return _hook_out(_hook(request, key))


@router.get("/webhooks/{key}/dispatches", auth=Own(OwnScope.WEBHOOKS), response=list[OwnDispatchOut])
def list_own_dispatches(request: HttpRequest, key: str) -> list[OwnDispatchOut]:
    """The newest 50 that were sent to it or wait to be. What was taken is kept for 30 days."""
    return [OwnDispatchOut(**one) for one in webhooks.told_of(_hook(request, key))]


@router.get("/keys", auth=Own(OwnScope.KEYS), response=list[OwnKeyOut])
def list_own_keys(request: HttpRequest, account: str) -> list[OwnKeyOut]:
    """By what letters to the token's person about an account are closed, and what waits to be shown as theirs."""
    customer, person, at = _managed(request, account), _person(request), wiring.now()
    contact = mail_keys.own_contact(person, customer.key)
    used = mail_keys.says_of(contact, at=at) if contact is not None else []
    waits = mail_keys.proposed_by(person, customer.key, at=at)
    found = [OwnKeyOut(kind=kind, says=says, used=True) for kind, says in used]
    return [*found, *([OwnKeyOut(kind=waits.kind, says=waits.says, used=False)] if waits is not None else [])]


@router.post("/keys", auth=Own(OwnScope.KEYS), response=OwnKeyOut)
def give_own_key(request: HttpRequest, given: OwnKeyIn) -> OwnKeyOut:
    """Give a key for letters to the token's person; 422 where nothing can be closed by it.

    They get a letter that only this key opens, and it is used once they have followed the link in it.
    """
    customer, person = _managed(request, given.account), _person(request)
    _or_refused(lambda: webhooks.pace_of(person))  # To look at a key is work.
    waits = _or_refused(lambda: mail_keys.propose(given.key.strip(), customer=customer, by=person, at=wiring.now()))
    return OwnKeyOut(kind=waits.kind, says=waits.says, used=False)


def _or_refused(act: Callable[[], _T]) -> _T:
    try:
        return act()
    except Sentence as why:
        raise HttpError(422, str(why)) from why


def _managed(request: HttpRequest, account: str) -> Customer:
    """The account, for whom may manage it; any other and none at all are the same."""
    wanted = plain(account)
    customer = get_customer(wanted)
    if customer is None or not people.may(role_on(_person(request), customer.key), PortalRole.MANAGES):
        raise HttpError(404, f"There is no account {wanted} that you manage.")
    return customer


def _hook(request: HttpRequest, key: str) -> Webhook:
    found = hook_queries.get_webhook(plain(key))
    if (
        found is None
        or not found.customer
        or not people.may(role_on(_person(request), found.customer), PortalRole.MANAGES)
    ):
        raise HttpError(404, f"There is no webhook {plain(key)}.")
    return found


def _hook_out(hook: Webhook) -> OwnWebhookOut:
    return OwnWebhookOut(
        key=hook.key, account=hook.customer, url=hook.url, events=list(hook.events), on=hook.on, made_at=hook.made_at,
        failing_since=hook.failing_since, waiting=hook.waiting,
    )  # fmt: skip


def _person(request: HttpRequest) -> PortalPerson:
    person: PortalPerson = request.own_token.person  # type: ignore[attr-defined]  # Own has let it in
    return person


def _first_accounts(request: HttpRequest) -> list[str]:
    return [one.key for one, _ in accounts_of(_person(request), most=ACCOUNTS_AT_ONCE)[0]]


def _seen(request: HttpRequest, key: str) -> _Seen:
    """The case, for whom may see it; of somebody else's, one that nobody was told of, and none at all are the same."""
    person, wanted = _person(request), plain(key)
    case = get_case(standing_key(wanted))
    role = role_on(person, case.customer) if case is not None else None
    page = None
    if case is not None and role is not None and cases_told(lineage_of(case.key)):
        page = portal_page(case.key, language=person.language)
    if page is None or role is None:
        raise HttpError(404, f"There is no case {wanted}.")
    return _Seen(page, role)


def _case_out(case: Case) -> OwnCaseOut:
    return OwnCaseOut(
        key=case.key, account=case.customer, type=case.type, resource=place_shown(case.resource),
        state=case.state.value, outcome=case.outcome.value, opened_at=case.opened_at, due_at=case.due_at,
        closed_at=case.closed_at,
    )  # fmt: skip


def _measure_out(measure: Measure) -> dict[str, Any]:
    return {
        "key": measure.key, "case": measure.case, "degree": measure.degree.name.lower(),
        "scope": place_shown(str(measure.selector)), "state": measure.state.value,
        "proof": measure.proof.name.lower(), "proof_at": measure.proof_at, "in_force_at": measure.in_force_at,
        "until": measure.until, "lifted_when": measure.lifted_when,
    }  # fmt: skip


def _detail(seen: _Seen) -> dict[str, Any]:
    page = seen.page
    may_answer = people.may(seen.role, PortalRole.ANSWERS)
    return {
        **_case_out(page.case).model_dump(),
        "clause": page.case.clause,
        "clause_title": page.wording.title if page.wording else "",
        "edition": page.case.edition,
        "reasons": list(page.reasons) or [page.case.explanation],
        "events": [
            {
                "what": each.what, "port": each.port, "at": each.moment.at if each.moment else None,
                "zone_stated": bool(each.moment and each.moment.zone_stated), "evidence": each.evidence,
            }
            for each in page.events
        ],
        "events_more": page.events_more,
        "what_to_do": list(page.steps),
        "checklist": list(page.checks),
        "measures": [_measure_out(measure) for measure in page.measures],
        "answers": [answer.value for answer in page.answers] if may_answer else [],
    }  # fmt: skip
