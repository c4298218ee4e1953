"""Feeds and mailboxes are looked at: what is new is kept and read; trouble is remembered and loses nothing."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.procedures.office import HOUR, NOON, Office
from tipstaff.intake.channels.mailbox import Maildir
from tipstaff.intake.feeds.client import Answer, Http
from tipstaff.intake.feeds.protocol import FORM, Document, FeedTrouble, Fetched, Own, Request
from tipstaff.intake.queries import fetching, origin_of
from tipstaff.procedures import complaint
from tipstaff.procedures import fetching as procedure
from tipstaff.words import Channel, Report, ReportOutcome

ADDRESS = "192.0.2.77"


class Feed:
    """A feed that gives one row more each time, until it is in trouble."""

    seconds_between_min = 600

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.seen: list[object] = []

    def fetch(self, request: Request) -> Fetched:
        self.seen.append(request.state.get("n", 0))
        if self.trouble is not None:
            raise self.trouble
        n = int(request.state.get("n", 0)) + 1
        rows = [
            {
                "ioc": f"{ADDRESS}:{n}",
                "threat_type": "botnet_cc",
                "confidence_level": 95,
                "first_seen": "2026-05-04 10:00:00",
            }
        ]
        body = json.dumps({"feed": "threatfox", "rows": rows}).encode()
        return Fetched((Document("x.json", FORM, body),), {"n": n})


class NoHttp:
    def ask(self, url: str, *, body: bytes | None = None, headers: object = None) -> Answer:
        raise AssertionError("not asked here")


def look(feed: Feed, office: Office, *, at: datetime) -> list[str]:
    http: Http = NoHttp()
    return procedure.fetch_feed(
        "example", source=feed, http=http, url="", key="", secret="", options={}, every=timedelta(minutes=1), own=Own(),
        desk=office.desk, at=at,
    )  # fmt: skip


def understood(office: Office, key: str, *, at: datetime) -> Report:
    complaint.understand(key, desk=office.desk, at=at)
    return office.report(key)


def test_a_feeds_row_is_kept_read_and_told_to_its_holder_like_any_report(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    [key] = look(Feed(), office, at=NOON)
    report = understood(office, key, at=NOON)
    assert (report.channel, report.incidents[0].allegation.source_port) == (Channel.FEED, 1)
    assert origin_of(key) == ("", True, True), "who fetched it knows where from"
    assert report.outcome in (ReportOutcome.FORWARDED, ReportOutcome.WITH_A_PERSON)


def test_a_feed_goes_on_from_what_it_has_seen_and_the_same_again_is_the_same_report(office: Office) -> None:
    feed = Feed()
    first, second = look(feed, office, at=NOON), look(feed, office, at=NOON + HOUR)
    assert (feed.seen, first == second) == ([0, 1], False)
    assert look(Feed(), office, at=NOON) != first, "its state goes on whoever asks"


def test_trouble_is_remembered_and_the_next_look_comes_later_each_time(office: Office) -> None:
    feed = Feed()
    look(feed, office, at=NOON)
    feed.trouble = FeedTrouble("The publisher is away.")
    waits = []
    for n in range(3):
        assert look(feed, office, at=NOON + n * HOUR) == []
        due = procedure.next_look("example", source=feed, every=timedelta(minutes=1))
        assert due is not None
        waits.append(due - (NOON + n * HOUR))
    assert waits == [timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=40)]
    known = fetching("feed:example")
    assert (known.state, known.trouble, known.failures) == ({"n": 1}, "The publisher is away.", 3)


@pytest.mark.parametrize("why", [KeyError("rows"), TypeError("x"), RecursionError(), ValueError("x")])
def test_a_source_that_stumbles_over_an_answer_stops_nothing(office: Office, why: Exception) -> None:
    feed = Feed()
    feed.trouble = why
    assert look(feed, office, at=NOON) == []
    known = fetching("feed:example")
    assert known.failures == 1
    assert known.next_at is not None
    assert known.next_at > NOON
    feed.trouble = None
    assert len(look(feed, office, at=NOON + HOUR)) == 1


def test_a_feed_is_never_asked_sooner_than_its_terms_allow(office: Office) -> None:
    feed = Feed()
    look(feed, office, at=NOON)
    due = procedure.next_look("example", source=feed, every=timedelta(minutes=1))
    assert due == NOON + timedelta(seconds=feed.seconds_between_min)


def test_a_mailbox_is_emptied_into_the_record(office: Office, tmp_path: Path) -> None:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "1").write_bytes(
        b"From: a@example.org\nSubject: Spam\n\nSpam from 192.0.2.77 at 2026-05-04 10:00 UTC.\n"
    )
    box = Maildir("abuse", tmp_path, largest_octets=10_000)
    assert procedure.empty_mailbox(box, desk=office.desk, at=NOON) == 1
    assert procedure.empty_mailbox(box, desk=office.desk, at=NOON) == 0
    key = office.asked[-1][1]
    assert understood(office, key, at=NOON).channel is Channel.FILE


def test_a_mailbox_that_cannot_be_read_is_remembered(office: Office, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="new"):
        procedure.empty_mailbox(Maildir("abuse", tmp_path, largest_octets=10), desk=office.desk, at=NOON)
    assert "new, cur and tmp" in fetching("mailbox:abuse").trouble
