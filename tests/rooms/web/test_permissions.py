"""Who may see and do what: each role at each door."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from tipstaff.cases.queries import get_case, list_cases
from tipstaff.web.console.urls import urlpatterns
from tipstaff.web.roles import ABILITIES, STAFF_ROLES, Ability
from tipstaff.words import CaseState, Role

LogIn = Callable[..., Client]
PAGES = {
    "console:cases": Ability.SEE_DESK,
    "console:numbers": Ability.SEE_DESK,
    "console:inbox": Ability.SEE_DESK,
    "console:reports": Ability.SEE_DESK,
    "console:customers": Ability.SEE_DESK,
    "console:changes": Ability.SEE_DESK,
    "console:admissions": Ability.SEE_DESK,
    "console:held": Ability.SEE_DESK,
    "console:search": Ability.SEE_DESK,
    "console:measures": Ability.SEE_MEASURES,
    "console:policy": Ability.SEE_POLICY,
    "console:replay": Ability.SEE_DESK,
    "console:shadow": Ability.SEE_DESK,
    "console:record": Ability.SEE_RECORD,
    "console:sealed": Ability.SEE_SEALED,
    "console:health": Ability.SEE_HEALTH,
    "console:staff": Ability.MANAGE_STAFF,
}


@pytest.mark.parametrize("role", STAFF_ROLES)
@pytest.mark.parametrize("page", PAGES)
def test_a_role_sees_what_the_table_says_and_nothing_else(at: object, log_in: LogIn, page: str, role: Role) -> None:
    answer = log_in(role).get(reverse(page))
    assert answer.status_code == (200 if PAGES[page] in ABILITIES[role] else 403)


@pytest.mark.django_db
@pytest.mark.parametrize("page", PAGES)
def test_who_is_not_logged_in_is_asked_to(page: str) -> None:
    answer = Client().get(reverse(page))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login?next=")


@pytest.mark.django_db
def test_a_fragment_sends_the_whole_page_to_the_log_in() -> None:
    answer = Client().get(reverse("console:numbers"), headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (204, "/login")


def test_somebody_without_a_role_sees_nothing(at: object, log_in: LogIn) -> None:
    client = log_in()
    assert {client.get(reverse(page)).status_code for page in PAGES} == {403}
    assert client.get("/console/").status_code == 403


def test_no_view_of_the_console_lacks_its_ability() -> None:
    views = {pattern.name: pattern.callback for pattern in urlpatterns}
    unguarded = {name for name, view in views.items() if not hasattr(view, "needs_ability")}
    assert unguarded == {"home"}, "home only sends on"


def test_only_counsel_sees_the_sealed_queue_and_it_shows_no_content(day: object, log_in: LogIn) -> None:
    page = log_in(Role.COUNSEL).get(reverse("console:sealed")).content.decode()
    assert "SHA-256" in page
    assert "jamie" not in page
    assert log_in(Role.LEAD).get(reverse("console:sealed")).status_code == 403


def test_sealed_bytes_leave_by_no_door(day: object, log_in: LogIn) -> None:
    from tipstaff.intake.queries import list_reports
    from tipstaff.words import ReportOutcome

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
