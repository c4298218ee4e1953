"""Open pages are told that something changed, and never of what their reader may not see."""

from collections.abc import Callable, Iterable
from types import ModuleType

import pytest
from django.test import Client

from tipstaff.cases.queries import list_cases
from tipstaff.intake.queries import list_reports
from tipstaff.procedures.sealed import sealed_among
from tipstaff.web.console import live
from tipstaff.wiring.live import Hub, Listener, NoRoom
from tipstaff.words import ReportOutcome, Role

LogIn = Callable[..., Client]


class Deaf(Hub):
    """Hears nothing by itself: the browser's test has one that does."""

    def _hear(self) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("key", "sealed", "told", "heard"),
    [
        ("", False, {"C-000001 L-000002"}, True),
        ("", False, {"R-000009"}, False),
        ("", True, {"R-000009"}, True),
        ("", False, {"R-000009 L-000003"}, False),
        ("", False, {"R-000009 L-000003", "L-000004"}, True),
        ("C-000001", False, {"C-000001 L-000002"}, True),
        ("C-000001", False, {"C-000002"}, False),
        ("C-000001", False, {"*"}, True),
        ("C-000001", False, {"C-000001 R-000009"}, False),
        ("C-000001", True, {"C-000001 R-000009"}, True),
    ],
)
def test_a_page_hears_of_its_own_case_or_of_all_but_nothing_that_comes_with_what_is_sealed(
    key: str, sealed: bool, told: Iterable[str], heard: bool
) -> None:
    assert Listener(key=key, sealed=sealed).hears(set(told), hidden={"R-000009"}) is heard


def test_a_sealed_report_is_known_as_such(day: ModuleType) -> None:
    sealed = {report.key for report in list_reports(outcome=ReportOutcome.SEALED)}
    assert sealed
    assert sealed_among({*sealed, list_cases(limit=1)[0].key, "R-999999", "L-000001", "*"}) == sealed


def test_so_many_pages_are_told_and_one_that_goes_makes_room() -> None:
    hub = Deaf()
    first = hub.stream(Listener(key="", sealed=False), most=1, clock=lambda: 0.0)
    with pytest.raises(NoRoom):
        hub.stream(Listener(key="", sealed=False), most=1, clock=lambda: 0.0)
    first.close()
    hub.stream(Listener(key="", sealed=False), most=1, clock=lambda: 0.0)


def test_a_stream_says_changed_and_ends_when_the_process_goes(db: None) -> None:
    hub, page = Deaf(hidden_of=lambda keys: set()), Listener(key="", sealed=False)
    events = hub.stream(page, most=1, clock=lambda: 0.0)
    assert next(events) == b"retry: 5000\n\n"
    hub._tell({"C-000001"})
    assert next(events) == b"event: changed\ndata: \n\n"
    hub.stop()
    assert list(events) == []


def test_news_are_for_who_may_see_the_desk(day: ModuleType, log_in: LogIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HUB", Deaf())
    assert Client().get("/console/live").status_code == 302
    assert log_in(Role.ADMINISTRATOR).get("/console/live").status_code == 403
    answer = log_in(Role.ANALYST).get("/console/live?case=C-000001")
    assert answer["Content-Type"] == "text/event-stream"
    assert answer["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in answer
    assert next(iter(answer)) == b"retry: 5000\n\n"


def test_without_room_a_page_is_told_to_ask_by_itself(
    day: ModuleType, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Deaf()
    monkeypatch.setattr(live, "HUB", hub)
    hub.stop()
    assert log_in(Role.ANALYST).get("/console/live").status_code == 204


def test_a_page_is_folded_on_the_wire_and_an_api_is_not(day: ModuleType, log_in: LogIn) -> None:
    client = log_in(Role.ANALYST)
    page = client.get("/console/cases", headers={"accept-encoding": "gzip"})
    assert page["Content-Encoding"] == "gzip"
    assert len(page.content) < len(client.get("/console/cases").content) / 3
    assert "Content-Encoding" not in client.get("/api/cases", headers={"accept-encoding": "gzip"})
