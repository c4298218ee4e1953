"""What another edition would have changed: the page, its picture and its numbers as files, and the shadow."""

import dataclasses
import functools
import html
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType

import pytest
from django.test import Client
from django.urls import reverse
from typer.testing import CliRunner

from tests.procedures.office import HOUR, reporter, spam_report
from tipstaff import wiring
from tipstaff.cli.policy import app as commands
from tipstaff.editions.operations import note_replayed
from tipstaff.editions.queries import count_alike, get_replay, list_replays
from tipstaff.host.viewing import hiding
from tipstaff.policy.editions import shipped_editions
from tipstaff.policy.shadow import Shadow
from tipstaff.procedures import complaint, replaying
from tipstaff.procedures.desk import Desk
from tipstaff.procedures.replays import carry_on, found_by
from tipstaff.web.console.pictures import Pair, bars
from tipstaff.words import Channel, Role

LogIn = Callable[..., Client]
(EDITION, *_) = shipped_editions()
OTHER = dataclasses.replace(
    EDITION,
    id="2027-01",
    clauses=tuple(dataclasses.replace(c, answer_within=timedelta(hours=7)) for c in EDITION.clauses),
)


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another edition may be judged under: it runs in the shadow."""
    shadow = Shadow(edition=OTHER)
    monkeypatch.setattr(wiring, "shadow", lambda: shadow)


def asked_again(client: Client, *, at_a_time: timedelta = timedelta(days=1)) -> str:
    """The replay that a press of the button began, carried out as the worker does; its key."""
    answer = client.post(reverse("console:replay_begin"), {"edition": "2027-01"})
    assert answer.status_code == 302
    (run, *_) = list_replays()
    carry_on(run.key, desk=own_desk(), now=wiring.now, at_a_time=at_a_time)
    return run.key


def own_desk() -> Desk:
    return dataclasses.replace(wiring.desk(), shadow=wiring.shadow())


@pytest.fixture
def page(day: ModuleType, other: None, log_in: LogIn) -> Callable[..., str]:
    client = log_in(Role.ANALYST)
    asked_again(client)

    def ask(**more: str) -> str:
        answer = client.get(reverse("console:replay"), {"edition": "2027-01", **more})
        assert answer.status_code == 200
        return answer.content.decode()

    return ask


def test_the_page_shows_who_would_be_treated_differently_with_the_measures(page: Callable[..., str]) -> None:
    shown = page()
    assert "would have been treated differently." in shown
    assert re.search(", all (there are|that you may see), judged again", shown)
    assert "time to answer 24 h → 7 h" in shown
    assert "<svg" in shown
    assert "block tcp/25 from" in shown
    assert "others hit" in shown
    assert "not weighed" not in shown


BAR = re.compile(
    r'<a href="([^"]*behind=(\w+-\w+)%3A[^"]*)"><title>[^<]*</title><rect [^>]*/><text [^>]*>([^<]*)</text></a>'
)


@pytest.mark.parametrize("kind", ["clause-before", "clause-after", "class-before", "class-after"])
def test_each_bar_leads_to_exactly_the_cases_that_it_counts(page: Callable[..., str], log_in: LogIn, kind: str) -> None:
    bars_of_kind = [(html.unescape(link), int(n)) for link, which, n in BAR.findall(page()) if which == kind]
    assert sum(n for _, n in bars_of_kind) > 1
    client, numbers = log_in(Role.ANALYST), []
    for link, n in bars_of_kind:
        behind = client.get(link.partition("#")[0]).content.decode()
        assert len(re.findall('data-h="Report"', behind)) == n, link
        numbers.append(n)
    assert len(set(numbers)) > 1 or len(numbers) == 1, "not each leads to all of them"
    assert page(behind=f"{kind}:no.such").count('data-h="Report"') == 0


def test_what_a_bar_names_is_only_a_bar_s(page: Callable[..., str]) -> None:
    every = page().count('data-h="Report"')
    assert page(behind="clause:mail.unsolicited").count('data-h="Report"') == every, "no bar: all of them"
    assert page(behind="class-before:<script>").count("<script>alert") == 0
    assert page(page="999999").count('data-h="Report"') == every
    assert page(page="-1").count('data-h="Report"') == every


def test_a_replay_that_was_stopped_goes_on_where_it_was_and_counts_nothing_twice(
    day: ModuleType, other: None, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, asked = log_in(Role.ANALYST), {"edition": "2027-01"}
    whole = asked_again(client)
    monkeypatch.setattr(replaying, "stream", functools.partial(replaying.stream, chunk_size=3))
    key, steps = asked_again(client, at_a_time=timedelta()), 1
    shown = client.get(reverse("console:replay"), asked).content.decode()
    assert "The past is being judged again." in shown
    assert re.search(r"\b[0-3] past allegations so far", shown), "without what is closed to whoever looks"
    piles = count_alike(key)
    stale = get_replay(key)
    assert stale is not None
    while (run := get_replay(key)) is not None and run.finished_at is None:
        carry_on(key, desk=own_desk(), now=wiring.now, at_a_time=timedelta())
        steps += 1
    assert steps > 2
    assert piles < count_alike(key) == count_alike(whole)
    assert dataclasses.replace(get_replay(key), key=whole) == dataclasses.replace(
        get_replay(whole), asked_at=get_replay(key).asked_at, finished_at=get_replay(key).finished_at
    )
    assert not note_replayed(key, after=stale.place, place=stale.place + 1, totals={}, piles={}), "done by another"


def test_not_more_than_a_few_go_on_at_once_and_the_same_question_is_one(
    day: ModuleType, other: None, log_in: LogIn
) -> None:
    client = log_in(Role.ANALYST)

    def ask(first: str) -> str:
        begun = client.post(reverse("console:replay_begin"), {"edition": "2027-01", "from": first}, follow=True)
        return begun.content.decode()

    for first in ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-03"):
        ask(first)
    assert len(list_replays()) == 3
    assert "Several replays go on already" in html.unescape(ask("2026-01-04"))
    assert len(list_replays()) == 3
    assert client.get(reverse("console:replay_begin")).status_code == 405
    assert client.post(reverse("console:replay_begin"), {"edition": "no-such"}).status_code == 404


def test_what_is_closed_to_somebody_is_in_none_of_the_numbers(day: ModuleType, other: None, log_in: LogIn) -> None:
    client = log_in(Role.ANALYST)
    run = get_replay(asked_again(client))
    assert run is not None
    every = found_by(run, under=OTHER, desk=own_desk())
    first = next(every.lines(lambda alike: True, limit=1))
    with hiding(lambda: frozenset({first.key.partition(".")[0]})):
        left = found_by(run, under=OTHER, desk=own_desk())
        assert (left.tally.judged, left.tally.different) == (every.tally.judged - 1, every.tally.different - 1)
        assert sum(left.tally.clauses.values()) == left.tally.judged
        assert first.key not in {line.key for line in left.lines(lambda alike: True, limit=10**6)}
        assert len(list(left.lines(lambda alike: True, limit=10**6))) == left.tally.different == left.tally.weighed
        [second] = left.lines(lambda alike: True, offset=1, limit=1)
    assert [second] == list(every.lines(lambda alike: True, offset=2, limit=1))


def test_the_command_gives_the_numbers_of_the_page(
    day: ModuleType, other: None, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, own = log_in(Role.ANALYST, Role.COUNSEL), own_desk()
    asked_again(client)
    shown = json.loads(client.get(reverse("console:replay"), {"edition": "2027-01", "as": "json"}).content)
    monkeypatch.setattr(wiring, "desk", lambda: dataclasses.replace(own, editions=(*own.editions, OTHER)))
    asked = ("replay", "2027-01", "--from", shown["from"], "--to", shown["to"], "--processes", "1", "--json")
    told = CliRunner().invoke(commands, asked)
    assert told.exit_code == 0, told.output
    assert shown.pop("finished") is True
    assert json.loads(told.stdout) == shown


def test_picture_and_numbers_can_be_taken_along(day: ModuleType, other: None, log_in: LogIn) -> None:
    client = log_in(Role.LEAD)
    asked_again(client)
    for by in ("clause", "class"):
        picture = client.get(reverse("console:replay"), {"edition": "2027-01", "as": "svg", "by": by})
        assert picture["Content-Type"] == "image/svg+xml"
        assert picture["Content-Disposition"].startswith("attachment")
        root = ET.fromstring(picture.content)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not root.findall(".//{http://www.w3.org/2000/svg}a"), "no address of ours goes out with it"
    numbers = json.loads(client.get(reverse("console:replay"), {"edition": "2027-01", "as": "json"}).content)
    assert numbers["different"] == len(numbers["differences"]) > 0
    del numbers["finished"]
    told = client.get("/api/editions/2027-01/replay").json()
    assert (told["found"], told["trouble"]) == (numbers, "")
    assert told["finished_at"] is not None


def test_a_page_without_a_question_asks_for_one_and_a_bad_one_is_refused(
    day: ModuleType, other: None, log_in: LogIn
) -> None:
    client = log_in(Role.ANALYST)
    assert "Judge again" in client.get(reverse("console:replay")).content.decode()
    assert client.get(reverse("console:replay"), {"edition": "no-such"}).status_code == 404
    assert client.get(reverse("console:replay"), {"edition": "2027-01", "from": "yesterday"}).status_code == 400
    address = "/api/editions/2027-01/replay"
    assert [client.get(address + q).status_code for q in ("", "?from=2026-05-02&to=2026-05-02")] == [404, 422]
    assert client.get("/api/editions/no-such/replay").status_code == 404
    begun = client.post(address, {"from": "2026-05-01", "to": "2026-05-03"}, "application/json").json()
    assert (begun["since"], begun["finished_at"]) == ("2026-05-01T00:00:00Z", None)
    assert [run.until.day for run in list_replays()] == [3]


def test_the_shadows_disagreements_are_shown(day: ModuleType, other: None, log_in: LogIn) -> None:
    client = log_in(Role.ANALYST)
    assert "No disagreement yet" in client.get(reverse("console:shadow")).content.decode()
    own, now = dataclasses.replace(wiring.desk(), shadow=wiring.shadow()), wiring.now()
    raw = spam_report("192.0.2.10", at=now, by=reporter(3), happened=now - HOUR)
    key = complaint.accept(
        raw, sender=reporter(3).address, recipients=("abuse@operator.example.net",), channel=Channel.SMTP, desk=own,
        at=now,
    )  # fmt: skip
    complaint.understand(key, desk=own, at=now)
    shown = client.get(reverse("console:shadow")).content.decode()
    assert "It was asked at 1 judgements and would have decided 1 otherwise." in shown
    assert client.get("/api/shadow").json()["different"] == 1
    assert "time to answer 24 h → 7 h" in shown


def test_without_a_shadow_the_page_says_how_to_begin(at: object, log_in: LogIn) -> None:
    client = log_in(Role.ANALYST)
    assert "Nothing runs in the shadow" in client.get(reverse("console:shadow")).content.decode()
    assert client.get("/api/shadow").status_code == 404


def test_a_picture_keeps_what_it_is_told_apart_from_markup() -> None:
    drawn = bars([Pair(label="<b>&", before=0, after=3, link="?a=1&b=2")], title='"x"', alone=True)
    root = ET.fromstring(drawn)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "<b>&" in texts
    widths = [float(r.get("width", "0").rstrip("%")) for r in root.iter("{http://www.w3.org/2000/svg}rect")][-2:]
    assert widths[0] == 0 < widths[1]
