"""Who may see and do what: each role at each door."""

from collections.abc import Callable

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, reverse

from tipstaff.cases.models import CaseRow
from tipstaff.cases.queries import get_case, list_cases
from tipstaff.intake.queries import list_reports
from tipstaff.notices.queries import list_letters
from tipstaff.policy.deciding import DESK
from tipstaff.web.api.auth import InPerson, Staff
from tipstaff.web.api.cases import etag
from tipstaff.web.api.urls import api
from tipstaff.web.console.actions import ACTIONS
from tipstaff.web.console.editions import STEPS
from tipstaff.web.console.staff import CHANGES
from tipstaff.web.console.urls import urlpatterns
from tipstaff.web.roles import ABILITIES, STAFF_ROLES, Ability
from tipstaff.web.urls import urlpatterns as site
from tipstaff.words import Case, CaseState, ReportOutcome, Role

LogIn = Callable[..., Client]
READ, ACT, BOTH = ("GET",), ("POST",), ("GET", "POST")
DOORS = {
    "live": (READ, Ability.SEE_DESK),
    "numbers": (READ, Ability.SEE_DESK),
    "overview": (READ, Ability.SEE_DESK),
    "wall": (READ, Ability.SEE_DESK),
    "search": (READ, Ability.SEE_DESK),
    "inbox": (READ, Ability.SEE_DESK),
    "cases": (READ, Ability.SEE_DESK),
    "case": (READ, Ability.SEE_DESK),
    "peek": (READ, Ability.SEE_DESK),
    "act": (ACT, Ability.SEE_DESK),
    "many": (ACT, Ability.NOTE),
    "undo_many": (ACT, Ability.NOTE),
    "keep_view": (ACT, Ability.NOTE),
    "levels": (READ, Ability.SEE_DESK),
    "clocks": (READ, Ability.SEE_DESK),
    "clock_told": (ACT, Ability.KEEP_LEGAL),
    "clock_end": (ACT, Ability.KEEP_LEGAL),
    "reports": (READ, Ability.SEE_DESK),
    "report": (READ, Ability.SEE_DESK),
    "set_aside": (ACT, Ability.DECIDE),
    "seal": (ACT, Ability.NOTE),
    "read_as": (ACT, Ability.DECIDE),
    "studio": (BOTH, Ability.DECIDE),
    "raw_evidence": (READ, Ability.SEE_DESK),
    "framed_evidence": (READ, Ability.SEE_DESK),
    "letter": (READ, Ability.SEE_DESK),
    "send_again": (ACT, Ability.SEND_AGAIN),
    "did_arrive": (ACT, Ability.SEND_AGAIN),
    "posted": (ACT, Ability.SEND_AGAIN),
    "phoned": (ACT, Ability.SEND_AGAIN),
    "unanswered": (ACT, Ability.SEND_AGAIN),
    "reached": (ACT, Ability.SEND_AGAIN),
    "print_letter": (ACT, Ability.SEND_AGAIN),
    "customers": (READ, Ability.SEE_DESK),
    "customer_add": (ACT, Ability.KEEP_REGISTRY),
    "customer": (READ, Ability.SEE_DESK),
    "customer_act": (ACT, Ability.KEEP_REGISTRY),
    "held": (READ, Ability.SEE_DESK),
    "import": (BOTH, Ability.KEEP_REGISTRY),
    "changes": (READ, Ability.SEE_DESK),
    "undo": (ACT, Ability.KEEP_REGISTRY),
    "admissions": (READ, Ability.SEE_DESK),
    "admission_decide": (ACT, Ability.ADMIT),
    "measures": (READ, Ability.SEE_MEASURES),
    "measure": (READ, Ability.SEE_MEASURES),
    "lift": (ACT, Ability.LIFT),
    "prolong": (ACT, Ability.DECIDE_CASES),
    "second_prolonging": (ACT, Ability.NOTE),
    "take_as_lifted": (ACT, Ability.LIFT),
    "devices": (READ, Ability.SEE_MEASURES),
    "device": (READ, Ability.SEE_MEASURES),
    "device_act": (ACT, Ability.LIFT),
    "driver": (READ, Ability.SEE_MEASURES),
    "driver_act": (ACT, Ability.LIFT),
    "accountability": (READ, Ability.SEE_DESK),
    "filters": (READ, Ability.SEE_MEASURES),
    "filter": (READ, Ability.SEE_MEASURES),
    "filter_propose": (ACT, Ability.PROPOSE_URGENT),
    "filter_decide": (ACT, Ability.SECOND_URGENT),
    "filter_go-on": (ACT, Ability.SECOND_URGENT),
    "filter_end": (ACT, Ability.LIFT),
    "policy": (READ, Ability.SEE_POLICY),
    "replay": (READ, Ability.SEE_DESK),
    "replay_begin": (ACT, Ability.SEE_DESK),
    "shadow": (READ, Ability.SEE_DESK),
    "editions": (READ, Ability.SEE_POLICY),
    "edition_step": (ACT, Ability.SEE_POLICY),
    "record": (READ, Ability.SEE_RECORD),
    "sightings": (READ, Ability.SEE_DESK),
    "sightings_decide": (ACT, Ability.NOTE),
    "sealed": (READ, Ability.SEE_SEALED),
    "legal": (READ, Ability.KEEP_LEGAL),
    "legal_enter": (ACT, Ability.KEEP_LEGAL),
    "harbour": (READ, Ability.KEEP_LEGAL),
    "harbour_note": (ACT, Ability.KEEP_LEGAL),
    "harbour_rely": (ACT, Ability.KEEP_LEGAL),
    "counter_notice": (ACT, Ability.KEEP_LEGAL),
    "matter": (READ, Ability.AGREE_LEGAL),
    "matter_act": (ACT, Ability.AGREE_LEGAL),
    "matter_hand_over": (ACT, Ability.KEEP_LEGAL),
    "health": (READ, Ability.SEE_HEALTH),
    "tokens": (READ, Ability.KEEP_TOKENS),
    "token_make": (ACT, Ability.KEEP_TOKENS),
    "token_revoke": (ACT, Ability.KEEP_TOKENS),
    "webhooks": (READ, Ability.KEEP_WEBHOOKS),
    "webhook_make": (ACT, Ability.KEEP_WEBHOOKS),
    "webhook": (READ, Ability.KEEP_WEBHOOKS),
    "webhook_act": (ACT, Ability.KEEP_WEBHOOKS),
    "staff": (READ, Ability.MANAGE_STAFF),
    "staff_add": (ACT, Ability.MANAGE_STAFF),
    "staff_change": (ACT, Ability.MANAGE_STAFF),
}
"""Every address of the console but the first, which only sends on: how it may be asked, and what that takes."""
ON_A_CASE = {
    "note": Ability.NOTE,
    "take": Ability.NOTE,
    "release": Ability.NOTE,
    "hand-over": Ability.NOTE,
    "snooze": Ability.NOTE,
    "wake": Ability.NOTE,
    "tag": Ability.NOTE,
    "link": Ability.NOTE,
    "watch": Ability.NOTE,
    "unwatch": Ability.NOTE,
    "merge": Ability.DECIDE_CASES,
    "part": Ability.DECIDE_CASES,
    "split": Ability.DECIDE_CASES,
    "reopen": Ability.DECIDE_CASES,
    "not-upheld": Ability.DECIDE_CASES,
    "fixed": Ability.DECIDE_CASES,
    "review": Ability.REVIEW,
    "decide": Ability.DECIDE_CASES,
    "answer-back": Ability.DECIDE_CASES,
    "joined": Ability.DECIDE_CASES,
    "note-answer": Ability.DECIDE_CASES,
    "propose-urgent": Ability.PROPOSE_URGENT,
    "second-urgent": Ability.SECOND_URGENT,
    "second-wide": Ability.DECIDE_CASES,
    "refuse-transit": Ability.PROPOSE_URGENT,
    "second-transit": Ability.SECOND_URGENT,
    "suspend-spreader": Ability.PROPOSE_URGENT,
    "second-suspension": Ability.SECOND_URGENT,
}
LEFT_TO_THE_DECIDER = {
    "not-upheld", "fixed", "review", "decide", "joined", "answer-back", "note-answer",
    "merge", "part", "split", "reopen",
}  # fmt: skip
ON_AN_EDITION = {
    "approve": Ability.APPROVE_POLICY,
    "compile": Ability.POST_POLICY,
    "announce": Ability.POST_POLICY,
    "post": Ability.POST_POLICY,
    "withdraw": Ability.DRAFT_POLICY,
    "confirm": Ability.SEE_POLICY,
}
OPERATIONS = {
    "GET /figures": Ability.SEE_DESK,
    "GET /cases": Ability.SEE_DESK,
    "GET /cases/{key}": Ability.SEE_DESK,
    "GET /cases/late": Ability.SEE_DESK,
    "POST /cases/many": Ability.NOTE,
    "POST /cases/many/{number}/undo": Ability.NOTE,
    "GET /cases/{key}/notes": Ability.SEE_DESK,
    "GET /cases/{key}/incidents": Ability.SEE_DESK,
    "GET /cases/{key}/history": Ability.SEE_DESK,
    "GET /cases/{key}/letters": Ability.SEE_DESK,
    **{f"POST /cases/{{key}}/{action}": ability for action, ability in ON_A_CASE.items()},
    "GET /views": Ability.SEE_DESK,
    "GET /search": Ability.SEE_DESK,
    "POST /views": Ability.NOTE,
    "DELETE /views/{number}": Ability.NOTE,
    "GET /reports": Ability.SEE_DESK,
    "GET /reports/{key}": Ability.SEE_DESK,
    "POST /reports/{key}/set-aside": Ability.DECIDE,
    "POST /reports/{key}/seal": Ability.NOTE,
    "POST /reports/{key}/read-as": Ability.DECIDE,
    "GET /letters": Ability.SEE_DESK,
    "GET /letters/{key}": Ability.SEE_DESK,
    "POST /letters/{key}/again": Ability.SEND_AGAIN,
    "POST /letters/{key}/arrived": Ability.SEND_AGAIN,
    "POST /letters/{key}/posted": Ability.SEND_AGAIN,
    "POST /letters/{key}/phoned": Ability.SEND_AGAIN,
    "POST /letters/{key}/unanswered": Ability.SEND_AGAIN,
    "POST /letters/{key}/reached": Ability.SEND_AGAIN,
    "POST /measures/{key}/lift": Ability.LIFT,
    "POST /measures/{key}/prolong": Ability.DECIDE_CASES,
    "POST /measures/{key}/agree": Ability.NOTE,
    "POST /measures/{key}/taken-as-lifted": Ability.LIFT,
    "GET /devices": Ability.SEE_MEASURES,
    "GET /devices/{name}": Ability.SEE_MEASURES,
    "POST /devices/{name}/lift-all": Ability.LIFT,
    "POST /devices/{name}/lift-all-agreed": Ability.LIFT,
    "POST /devices/{name}/let-pass": Ability.LIFT,
    "POST /devices/{name}/let-pass-agreed": Ability.LIFT,
    "POST /drivers/{name}/lift-all": Ability.LIFT,
    "POST /drivers/{name}/lift-all-agreed": Ability.LIFT,
    "GET /accountability": Ability.SEE_DESK,
    "POST /accountability/{key}/check": Ability.KEEP_REGISTRY,
    "GET /filters": Ability.SEE_MEASURES,
    "POST /filters": Ability.PROPOSE_URGENT,
    "GET /filters/{key}": Ability.SEE_MEASURES,
    "GET /filters/{key}/dry-run": Ability.SEE_MEASURES,
    "POST /filters/{key}/decide": Ability.SECOND_URGENT,
    "POST /filters/{key}/go-on": Ability.SECOND_URGENT,
    "POST /filters/{key}/end": Ability.LIFT,
    "GET /record": Ability.SEE_RECORD,
    "GET /inbox": Ability.SEE_DESK,
    "GET /health": Ability.SEE_HEALTH,
    "GET /sealed": Ability.SEE_SEALED,
    "GET /evidence/{key}": Ability.SEE_DESK,
    "GET /editions": Ability.SEE_POLICY,
    "GET /editions/{key}": Ability.SEE_POLICY,
    "GET /editions/{key}/replay": Ability.SEE_DESK,
    "POST /editions/{key}/replay": Ability.SEE_DESK,
    "GET /shadow": Ability.SEE_DESK,
    "GET /reports/{key}/profile": Ability.DECIDE,
    "POST /reports/{key}/profile": Ability.DECIDE,
    "POST /letters/{key}/print": Ability.SEND_AGAIN,
    "GET /tokens": Ability.KEEP_TOKENS,
    "POST /tokens": Ability.KEEP_TOKENS,
    "DELETE /tokens/{key}": Ability.KEEP_TOKENS,
    "GET /staff": Ability.MANAGE_STAFF,
    "POST /staff": Ability.MANAGE_STAFF,
    **{f"POST /staff/{{number}}/{do}": Ability.MANAGE_STAFF for do in CHANGES},
    **{f"POST /editions/{{key}}/{step}": ability for step, ability in ON_AN_EDITION.items()},
    "POST /legal/{key}/hand-over": Ability.KEEP_LEGAL,
    "POST /registry/customers/{key}/acceptances": Ability.KEEP_REGISTRY,
    "POST /registry/customers/{key}/reached": Ability.KEEP_REGISTRY,
    "POST /registry/customers/{key}/forget-log-in": Ability.KEEP_REGISTRY,
    "GET /clocks": Ability.SEE_DESK,
    "POST /clocks/told": Ability.KEEP_LEGAL,
    "POST /clocks/end": Ability.KEEP_LEGAL,
    "GET /legal": Ability.KEEP_LEGAL,
    "POST /legal": Ability.KEEP_LEGAL,
    "GET /legal/harbour": Ability.KEEP_LEGAL,
    "POST /legal/harbour": Ability.KEEP_LEGAL,
    "POST /legal/harbour/rely": Ability.KEEP_LEGAL,
    "POST /legal/counter-notices": Ability.KEEP_LEGAL,
    "GET /legal/{key}": Ability.AGREE_LEGAL,
    **{
        f"POST /legal/{{key}}/{step}": Ability.KEEP_LEGAL
        for step in ("authenticate", "look-up", "decide", "silence", "told")
    },
    "POST /legal/{key}/agree": Ability.AGREE_LEGAL,
    "GET /webhooks": Ability.KEEP_WEBHOOKS,
    "POST /webhooks": Ability.KEEP_WEBHOOKS,
    "GET /webhooks/{key}": Ability.KEEP_WEBHOOKS,
    "DELETE /webhooks/{key}": Ability.KEEP_WEBHOOKS,
    "POST /webhooks/{key}/switch": Ability.KEEP_WEBHOOKS,
    "POST /webhooks/{key}/try": Ability.KEEP_WEBHOOKS,
    "GET /webhooks/{key}/dispatches": Ability.KEEP_WEBHOOKS,
    "POST /webhooks/{key}/dispatches/{number}/again": Ability.KEEP_WEBHOOKS,
    "GET /measures": Ability.SEE_MEASURES,
    "GET /measures/{key}": Ability.SEE_MEASURES,
    "GET /sightings": Ability.SEE_DESK,
    "GET /sightings/{key}": Ability.SEE_DESK,
    "POST /sightings/decide": Ability.NOTE,
    "POST /attribute": Ability.SEE_DESK,
    "GET /registry/customers": Ability.SEE_DESK,
    "GET /registry/customers/{key}": Ability.SEE_DESK,
    "PUT /registry/customers/{key}": Ability.KEEP_REGISTRY,
    "PUT /registry/customers/{key}/representatives": Ability.KEEP_REGISTRY,
    "POST /registry/customers/{key}/standing": Ability.KEEP_REGISTRY,
    "PUT /registry/services/{key}": Ability.KEEP_REGISTRY,
    "POST /registry/services/{key}/end": Ability.KEEP_REGISTRY,
    "PUT /registry/users/{key}": Ability.KEEP_REGISTRY,
    "POST /registry/letters": Ability.KEEP_REGISTRY,
    "POST /registry/holdings/{number}/transfer": Ability.KEEP_REGISTRY,
    "GET /registry/customers/{key}/then": Ability.SEE_DESK,
    "POST /registry/holdings": Ability.KEEP_REGISTRY,
    "GET /registry/holdings": Ability.SEE_DESK,
    "POST /registry/holdings/{number}/end": Ability.KEEP_REGISTRY,
    "POST /registry/resources": Ability.KEEP_REGISTRY,
    "POST /registry/sites": Ability.KEEP_REGISTRY,
    "GET /registry/resources": Ability.SEE_DESK,
    "POST /registry/resources/{number}/end": Ability.KEEP_REGISTRY,
    "GET /registry/changes": Ability.SEE_DESK,
    "POST /registry/changes/{key}/undo": Ability.KEEP_REGISTRY,
    "POST /registry/import": Ability.KEEP_REGISTRY,
    "GET /registry/admissions": Ability.SEE_DESK,
    "POST /registry/admissions/{key}/decide": Ability.ADMIT,
}
WITH_A_TOKEN = {"/api/reports/in", "/api/sightings/in"}
"""Where programs hand in, each with a token of its own."""
SIGNED = {"POST /registry/deliveries"}
OWN = {
    "GET /own/accounts", "GET /own/cases", "GET /own/cases/{key}", "POST /own/cases/{key}/answer", "GET /own/measures",
    "GET /own/keys", "POST /own/keys",
    "GET /own/webhooks", "POST /own/webhooks", "POST /own/webhooks/{key}", "DELETE /own/webhooks/{key}",
    "GET /own/webhooks/{key}/dispatches",
}  # fmt: skip
"""For customers' programs: nobody of the desk gets in there, whoever is logged in."""
"""For whoever holds the customer system's key, and not for people."""

EVERYBODY = pytest.mark.parametrize(
    "who", [None, (), *((role,) for role in STAFF_ROLES)],
    ids=["not logged in", "without a role", *(role.value for role in STAFF_ROLES)],
)  # fmt: skip
Who = tuple[Role, ...] | None


def can(who: Who, ability: Ability) -> bool:
    return any(ability in ABILITIES[role] for role in who or ())


def came_in(answer: HttpResponse) -> str:
    """How a door of the console answered, whatever was behind it."""
    if answer.status_code == 302 and answer["Location"].startswith("/login"):
        return "log in"
    said = {401: "log in", 403: "refused", 405: "not so"}
    assert answer.status_code < 500
    return said.get(answer.status_code, "in")


def expected(who: Who, *, allowed: bool) -> str:
    return "log in" if who is None else "in" if allowed else "refused"


def person(who: Who, log_in: LogIn) -> Client:
    return Client() if who is None else log_in(*who)


def test_every_door_says_what_it_takes_and_stands_in_these_tables() -> None:
    views = {pattern.name: pattern.callback for pattern in urlpatterns}
    said = {name: getattr(view, "needs_ability", None) for name, view in views.items() if name != "home"}
    assert said == {name: ability for name, (_, ability) in DOORS.items()}
    assert {name: action.ability for name, action in ACTIONS.items()} == ON_A_CASE
    assert {name for name, action in ACTIONS.items() if action.decides} == LEFT_TO_THE_DECIDER
    assert {name: ability for name, (ability, _) in STEPS.items()} == ON_AN_EDITION


def operations() -> dict[str, list[object]]:
    """Every operation of the API, as "GET /cases", with what guards it."""
    return {
        f"{method} {prefix}{path}": list(operation.auth_callbacks)
        for prefix, router in api._routers
        for path, view in router.path_operations.items()
        for operation in view.operations
        for method in operation.methods
    }


def test_every_operation_of_the_api_says_what_it_takes() -> None:
    found = operations()
    declared = {
        name: guard.ability for name, guards in found.items() for guard in guards[:1] if isinstance(guard, Staff)
    }
    assert declared == OPERATIONS
    in_person = {
        name.split("/")[1] for name, guards in found.items() for guard in guards if isinstance(guard, InPerson)
    }
    assert in_person == {"tokens", "staff"}, "a token can do everything else"
    assert set(found) - set(declared) == SIGNED | OWN


@EVERYBODY
def test_every_door_of_the_console_opens_to_its_ability_alone(day: object, log_in: LogIn, who: Who) -> None:
    client, report = person(who, log_in), list_reports(limit=1)[0]
    real = {
        "case": list_cases()[0].key, "peek": list_cases()[0].key, "report": report.key, "studio": report.key,
        "raw_evidence": report.evidence, "letter": list_letters(limit=1)[0].key, "customer": list_cases()[0].customer,
    }  # fmt: skip
    found, wanted = {}, {}
    for name, (methods, ability) in DOORS.items():
        pattern = next(p.pattern for p in urlpatterns if p.name == name)
        filled = {argument: 0 if f"<int:{argument}>" in str(pattern) else "X-0" for argument in pattern.converters}
        for method in BOTH:
            # Pages are real ones; what is done is done to something that is not there.
            given = {k: real.get(name, v) if method == "GET" else v for k, v in filled.items()}
            given |= {"action": "agree"} if name == "matter_act" else {}
            given |= {"action": "note"} if name == "act" else {"action": "approve"} if name == "edition_step" else {}
            answer = client.generic(method, reverse(f"console:{name}", kwargs=given))
            found[method, name] = came_in(answer)
            wanted[method, name] = "not so" if method not in methods else expected(who, allowed=can(who, ability))
            if method == "GET" and (name in real or not filled) and wanted[method, name] == "in":
                assert answer.status_code == 200, name
    steps = wanted["POST", "edition_step"]  # Steps differ; see below.
    wanted["POST", "edition_step"] = "refused" if steps == "in" and not can(who, Ability.APPROVE_POLICY) else steps
    assert found == wanted


@EVERYBODY
def test_every_act_on_a_case_takes_its_ability_and_the_clauses_decider(day: object, log_in: LogIn, who: Who) -> None:
    client = person(who, log_in)
    deciders: tuple[Role | None, ...] = (None, Role.COUNSEL, Role.ENGINEER)
    found, wanted = {}, {}
    for decides in deciders:
        theirs = decides is Role.ENGINEER
        case = left_to_engineers() if theirs else next(c for c in list_cases() if c.decides is decides)
        for action, ability in ON_A_CASE.items():
            answer = client.post(reverse("console:act", args=[case.key, action]))
            found[decides, action] = came_in(answer)
            theirs = action not in LEFT_TO_THE_DECIDER or (
                decides in (who or ()) if decides else not DESK.isdisjoint(who or ())
            )
            wanted[decides, action] = expected(who, allowed=can(who, ability) and theirs)
        assert get_case(case.key) == case, "an empty form changes nothing"
    assert found == wanted


@EVERYBODY
def test_every_step_of_an_edition_takes_its_ability(at: object, log_in: LogIn, who: Who) -> None:
    client = person(who, log_in)
    for action, ability in ON_AN_EDITION.items():
        answer = client.post(reverse("console:edition_step", args=["1999-01", action]))
        assert came_in(answer) == expected(who, allowed=can(who, ability)), action


@EVERYBODY
def test_every_operation_of_the_api_takes_its_ability(at: object, log_in: LogIn, who: Who) -> None:
    client, known = person(who, log_in), operations()
    found, wanted = {}, {}
    for path in {name.partition(" ")[2] for name in known}:
        for method in ("GET", "POST", "PUT", "DELETE"):
            name = f"{method} {path}"
            answer = client.generic(
                method, f"/api{path.format(key='X-0', name='x', number=0)}", "{}", "application/json"
            )
            found[name] = came_in(answer)
            if name in OPERATIONS:
                wanted[name] = expected(who, allowed=can(who, OPERATIONS[name]))
            elif name in OWN:
                wanted[name] = "log in"
            else:
                # Without a key for the customer system there is nothing there, for nobody.
                wanted[name] = "in" if name in SIGNED else "not so"
    assert found == wanted


@EVERYBODY
def test_programs_hand_in_with_a_token_whoever_is_logged_in(at: object, log_in: LogIn, who: Who) -> None:
    client = person(who, log_in)
    for path in WITH_A_TOKEN:
        found = {method: client.generic(method, path, "{}", "application/json").status_code for method in BOTH}
        assert found == {"GET": 405, "POST": 401}, path


def test_every_door_for_programs_stands_in_that_table() -> None:
    assert {f"/{p.pattern}" for p in site if isinstance(p, URLPattern) and "api/" in str(p.pattern)} == WITH_A_TOKEN


@pytest.mark.django_db
def test_the_way_to_the_log_in_leads_back() -> None:
    assert Client().get(reverse("console:inbox"))["Location"] == "/login?next=/console/inbox"


@pytest.mark.django_db
def test_a_fragment_sends_the_whole_page_to_the_log_in() -> None:
    answer = Client().get(reverse("console:numbers"), headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (204, "/login")


def test_somebody_without_a_role_is_sent_nowhere(at: object, log_in: LogIn) -> None:
    assert log_in().get("/console/").status_code == 403


def test_only_counsel_sees_the_sealed_queue_and_it_shows_no_content(day: object, log_in: LogIn) -> None:
    page = log_in(Role.COUNSEL).get(reverse("console:sealed")).content.decode()
    assert "SHA-256" in page
    assert "jamie" not in page
    assert log_in(Role.LEAD).get(reverse("console:sealed")).status_code == 403


def test_sealed_bytes_leave_by_no_door(day: object, log_in: LogIn) -> None:
    (sealed,) = list_reports(outcome=ReportOutcome.SEALED)
    client = log_in(Role.COUNSEL, Role.LEAD)
    assert client.get(reverse("console:raw_evidence", args=[sealed.evidence])).status_code == 403
    page = client.get(reverse("console:report", args=[sealed.key])).content.decode()
    assert "never shown" in page
    assert "jamie" not in page


def test_an_engineer_cannot_close_a_case(day: object, log_in: LogIn) -> None:
    case = list_cases(states=frozenset({CaseState.NOTIFIED, CaseState.EXTENDED}))[0]
    answer = log_in(Role.ENGINEER).post(
        reverse("console:act", args=[case.key, "not-upheld"]), {"why": "no", "version": case.version}
    )
    assert answer.status_code == 403
    assert get_case(case.key) == case


def test_what_the_clause_leaves_to_counsel_no_lead_decides(day: object, log_in: LogIn) -> None:
    (case,) = [c for c in list_cases() if c.decides is Role.COUNSEL]
    url = reverse("console:act", args=[case.key, "decide"])
    form = {"decision": "stop", "why": "The mark is not registered here.", "version": case.version}
    assert log_in(Role.LEAD).post(url, form).status_code == 403
    assert log_in(Role.COUNSEL).post(url, form).status_code == 303
    assert get_case(case.key).state is CaseState.CLOSED  # type: ignore[union-attr]  # it was there a line ago


def left_to_engineers() -> Case:
    """A case of the day that waits for a person, as under a clause that leaves it to an engineer."""
    key = next(case.key for case in list_cases() if case.decides is Role.COUNSEL)
    CaseRow.objects.filter(key=key).update(decides=Role.ENGINEER)
    case = get_case(key)
    assert case is not None
    return case


@pytest.mark.parametrize("door", ["console", "api"])
def test_what_the_clause_leaves_to_an_engineer_an_engineer_decides(day: object, log_in: LogIn, door: str) -> None:
    case = left_to_engineers()
    assert case.state is CaseState.WAITING_PERSON
    form = {"decision": "stop", "why": "The route is theirs by a letter of authority."}

    def decide(client: Client) -> int:
        if door == "console":
            url = reverse("console:act", args=[case.key, "decide"])
            return client.post(url, {**form, "version": case.version}).status_code
        return client.post(
            f"/api/cases/{case.key}/decide", form, "application/json", headers={"If-Match": etag(case)}
        ).status_code

    assert decide(log_in(Role.LEAD)) == 403, "a lead stands in for no engineer"
    engineer = log_in(Role.ENGINEER)
    assert "Decide…" in engineer.get(reverse("console:case", args=[case.key])).content.decode()
    assert decide(engineer) == (303 if door == "console" else 200)
    assert get_case(case.key).state is CaseState.CLOSED  # type: ignore[union-attr]  # it was there a line ago


def test_a_form_from_elsewhere_is_refused(day: object, log_in: LogIn) -> None:
    case = list_cases()[0]
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = log_in(Role.LEAD).cookies
    assert strict.post(reverse("console:act", args=[case.key, "note"]), {"text": "x"}).status_code == 403


@pytest.mark.parametrize("path", ["/api/cases", "/api/reports", "/api/measures"])
def test_the_api_follows_the_same_table(day: object, log_in: LogIn, path: str) -> None:
    assert Client().get(path).status_code == 401
    assert log_in(Role.ADMINISTRATOR).get(path).status_code == 403
    answer = log_in(Role.ANALYST).get(path)
    assert answer.status_code == 200
    assert answer.json() or path == "/api/measures", "no deadline has passed yet"
