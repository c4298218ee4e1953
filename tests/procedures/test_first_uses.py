"""The first use after posting is learned of from what the program reads: sessions, leases, log-ins; once."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.procedures.office import DAY, HOUR, NOON, Office
from tests.procedures.test_detecting import looked
from tests.procedures.test_editions import LONGER, SHIPPED, fresh, ready
from tests.procedures.test_used_after_the_end import read, session
from tests.rooms.sensors import test_detectors as said
from tipstaff import wiring
from tipstaff.attribution.operations import take_in
from tipstaff.attribution.protocol import Options
from tipstaff.editions.queries import first_uses_of
from tipstaff.ledger.queries import entries_about
from tipstaff.notices.operations import mark_returned
from tipstaff.notices.queries import list_letters
from tipstaff.policy import edition_files
from tipstaff.procedures import editions
from tipstaff.procedures.acceptance import (
    COMES_BACK_WITHIN,
    note_first_use,
    note_first_uses,
    note_log_in,
    note_portal_log_in,
    use_counts_from,
    when_accepted,
)
from tipstaff.registry.operations import hold_resource, set_standing
from tipstaff.words import AcceptedHow, LetterKind, Resource, ResourceKind, Standing, Usage, UsageKind

POSTED = NOON - 30 * DAY
LONG_AGO = NOON - 900 * DAY


@pytest.fixture
def desk(office: Office) -> Office:
    """A desk whose one edition counts since a month ago, when its words were posted elsewhere; three customers with a
    log-in each."""
    return installed(office, since=POSTED)


def installed(office: Office, *, since: datetime | None) -> Office:
    first = {
        n: c.replace(b"2026-01-01T00:00:00Z", POSTED.isoformat().encode()) for n, c in edition_files(SHIPPED).items()
    }
    editions.adopt_installed([first], at=POSTED, since=since)
    fresh(office)
    for number in (1, 2, 3):
        office.admit(f"acct-{number}")
        hold(f"acct-{number}", ResourceKind.LOGIN, f"line-{number}")
    return office


def hold(customer: str, kind: ResourceKind, name: str, *, since: datetime = LONG_AGO, scope: str = "radius") -> None:
    thing = Resource(kind=kind, name=name, scope=scope, customer=customer, held_from=since)
    hold_resource(thing, at=NOON, actor="engineer")


def uses(customer: str) -> list[tuple[str, datetime]]:
    return [(each.shown_by, each.accepted_at) for each in first_uses_of(customer)]


def test_a_session_after_the_posting_accepts_once_and_stands_on_the_record(desk: Office, tmp_path: Path) -> None:
    log = tmp_path / "accounting.csv"
    session(log, "line-1", start=POSTED - 2 * DAY, stop=POSTED - DAY)
    session(log, "line-1", start=POSTED + DAY, stop=POSTED + 2 * DAY)
    session(log, "line-1", start=POSTED + 5 * DAY, stop=POSTED + 6 * DAY)
    session(log, "line-2", start=POSTED - 2 * DAY, stop=POSTED - DAY)
    read(log)
    assert note_first_uses(desk=desk.desk, at=NOON) == 1
    [(shown_by, at)] = uses("acct-1")
    assert shown_by == "log-in line-1, seen by radius"
    assert POSTED + DAY <= at < POSTED + DAY + timedelta(minutes=1), "the first one that came after it"
    assert uses("acct-2") == [], "they have not been here since"
    [entry] = [e for e in entries_about("acct-1") if e.what == "edition.accepted"]
    assert (entry.actor, entry.at, entry.detail["used_at"][:19]) == ("worker", NOON, at.isoformat()[:19])
    accepted = when_accepted("acct-1", edition="2026-01")
    assert accepted is not None
    assert accepted.how is AcceptedHow.USE
    assert note_first_uses(desk=desk.desk, at=NOON + DAY) == 0, "once for each edition"


def test_a_session_that_goes_on_over_the_posting_is_a_use_from_then_on(desk: Office, tmp_path: Path) -> None:
    log = tmp_path / "accounting.csv"
    session(log, "line-1", start=POSTED - DAY, stop=POSTED + DAY)
    read(log)
    assert note_first_uses(desk=desk.desk, at=NOON) == 1
    assert [at for _, at in uses("acct-1")] == [POSTED]


def test_a_log_in_that_several_may_have_held_or_of_one_who_was_sent_away_accepts_nothing(
    desk: Office, tmp_path: Path
) -> None:
    hold("acct-2", ResourceKind.LOGIN, "shared")
    hold("acct-3", ResourceKind.LOGIN, "shared", scope="radius-1")
    set_standing("acct-1", Standing.TERMINATED, since=POSTED, why="Spam.", at=NOON, actor="engineer")
    log = tmp_path / "accounting.csv"
    for name in ("line-1", "shared", "nobodys"):
        session(log, name, start=POSTED + DAY, stop=POSTED + 2 * DAY)
    read_late(log, at=NOON, source="radius-1")
    assert note_first_uses(desk=desk.desk, at=NOON) == 0
    assert [uses(f"acct-{n}") for n in (1, 2, 3)] == [[], [], []]


def test_a_lease_that_was_given_after_the_posting_is_a_use_and_one_from_before_is_none(
    desk: Office, tmp_path: Path
) -> None:
    """A lease of before may run on with nobody there; only its giving shows that somebody asked."""
    for n in (1, 2):
        hold(f"acct-{n}", ResourceKind.CIRCUIT, f"port-{n}", scope="dhcp")
    block = (
        "lease 198.51.100.{n} {{\n  starts epoch {a};\n  ends epoch {b};\n  binding state active;\n"
        '  hardware ethernet 02:00:00:00:00:0{n};\n  option agent.circuit-id "port-{n}";\n}}\n'
    )
    log = tmp_path / "dhcpd.leases"
    begins = {1: POSTED + DAY, 2: POSTED - HOUR}
    log.write_text(
        "".join(
            block.format(n=n, a=int(at.timestamp()), b=int((at + 10 * HOUR).timestamp()))
            for n, at in sorted(begins.items(), key=lambda pair: pair[1])
        )
    )
    list(
        take_in(log, wiring.sources()["isc-dhcpd"], Options(source="dhcp", clock_error_seconds=1.0), at=NOON, actor="e")
    )
    assert note_first_uses(desk=desk.desk, at=NOON) == 1
    [(shown_by, at)] = uses("acct-1")
    assert (shown_by, abs(at - begins[1]) < timedelta(minutes=1)) == ("line port-1, seen by dhcp", True)
    assert uses("acct-2") == []


def test_a_log_in_at_the_mail_server_is_a_use(desk: Office) -> None:
    hold("acct-1", ResourceKind.MAILBOX, "u@example.net")
    looked(desk, "mail", said.log(*said.mails(3, every=20)))
    [(shown_by, at)] = uses("acct-1")
    assert shown_by == "log-in u@example.net, seen by mail"
    assert at == NOON
    looked(desk, "mail", said.log(*said.mails(3, every=20)))
    assert len(uses("acct-1")) == 1
    assert uses("acct-2") == []


def test_what_was_sent_without_a_log_in_shows_nobodys_will(desk: Office) -> None:
    desk.hold("192.0.2.10", customer="acct-1")
    text = said.log(*said.mails(3, every=20)).replace(", sasl_method=PLAIN, sasl_username=u@example.net", "")
    looked(desk, "mail", text)
    assert uses("acct-1") == []


def test_a_log_in_to_the_portal_is_a_use(desk: Office) -> None:
    seen = {"by": "jo@customer.example.com", "desk": desk.desk}
    assert note_portal_log_in(["acct-1"], at=POSTED - DAY, **seen) == []
    assert note_portal_log_in(["acct-1", "acct-2"], at=NOON, **seen) == ["acct-1", "acct-2"]
    assert note_portal_log_in(["acct-1"], at=NOON + HOUR, **seen) == []
    assert uses("acct-1") == [("log-in to the portal, jo@customer.example.com", NOON)]


def test_before_a_customer_was_told_of_an_announced_edition_no_use_accepts_it(desk: Office, tmp_path: Path) -> None:
    """Whoever named nobody to write to was told of nothing, and is bound by a contract only."""
    desk.admit("acct-4", representative=False)
    hold("acct-4", ResourceKind.LOGIN, "line-4")
    ready(desk.desk, *LONGER)
    editions.announce("2026-07", desk=desk.desk, at=NOON, actor="counsel")
    posted = editions.post("2026-07", desk=desk.desk, at=NOON, actor="counsel")
    fresh(desk)
    assert posted.effective_at is not None
    counts = posted.effective_at
    told_at = counts + 3 * DAY  # The mail server was away for long.
    knows_it = (told_at + 31 * DAY).replace(hour=0)  # As long as an announcement takes, from the letter on.
    log = tmp_path / "accounting.csv"
    for name in ("line-1", "line-4"):
        session(log, name, start=counts + DAY, stop=counts + 2 * DAY)
    read_at = counts + 60 * DAY
    read_late(log, at=read_at)
    assert note_first_uses(desk=desk.desk, at=read_at) == 0
    assert note_portal_log_in(["acct-1"], by="x", desk=desk.desk, at=counts + DAY) == []
    desk.post(at=told_at)
    assert note_first_uses(desk=desk.desk, at=read_at) == 0, "that was before the letter"
    session(log, "line-1", start=told_at - HOUR, stop=told_at + 2 * DAY)
    session(log, "line-1", start=knows_it - DAY, stop=knows_it + DAY)
    read_late(log, at=read_at)
    assert note_first_uses(desk=desk.desk, at=read_at) == 0, "it went on over the letter, and over the time to read it"
    assert note_portal_log_in(["acct-1"], by="x", desk=desk.desk, at=knows_it - HOUR) == []
    for name in ("line-1", "line-4"):
        session(log, name, start=knows_it + 2 * DAY, stop=knows_it + 3 * DAY)
    read_late(log, at=read_at)
    assert note_first_uses(desk=desk.desk, at=read_at) == 1
    assert [at >= knows_it + 2 * DAY for _, at in uses("acct-1")] == [True]
    assert uses("acct-4") == []


def read_late(log: Path, *, at: datetime, source: str = "radius") -> None:
    list(
        take_in(log, wiring.sources()["radius-csv"], Options(source=source, clock_error_seconds=1.0), at=at, actor="e")
    )


def test_a_letter_that_came_back_told_nobody(desk: Office) -> None:
    announced(desk)
    [_, edition] = desk.desk.editions
    first, *_ = desk.post(at=edition.effective_at + DAY)
    late = edition.effective_at + 90 * DAY
    mark_returned(first.key, why="No such mailbox.", at=late, actor="worker")
    [back] = [n for n in (1, 2, 3) if first.to == f"acct-{n}@customer.example.com"]
    keys = [f"acct-{n}" for n in (1, 2, 3)]
    assert use_counts_from(f"acct-{back}", edition=edition) is None
    assert note_portal_log_in(keys, by="x", desk=desk.desk, at=late) == [k for k in keys if k != f"acct-{back}"]


def test_where_nothing_says_how_long_an_announcement_takes_a_letter_may_still_come_back_for_some_days(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced(desk)
    monkeypatch.setattr("tipstaff.procedures.acceptance.notice_before", lambda at: None)
    [_, edition] = desk.desk.editions
    told_at = edition.effective_at + DAY
    desk.post(at=told_at)
    assert use_counts_from("acct-1", edition=edition) == told_at + COMES_BACK_WITHIN


def announced(desk: Office) -> None:
    """An edition that matters to customers is posted; its letters wait."""
    ready(desk.desk, *LONGER)
    editions.announce("2026-07", desk=desk.desk, at=NOON, actor="counsel")
    editions.post("2026-07", desk=desk.desk, at=NOON, actor="counsel")
    fresh(desk)


def test_what_came_with_the_installation_is_accepted_by_no_use_before_two_confirmed_it_and_customers_were_told(
    office: Office, tmp_path: Path
) -> None:
    desk = installed(office, since=None).desk
    [edition] = desk.editions
    log = tmp_path / "accounting.csv"
    session(log, "line-1", start=POSTED + DAY, stop=POSTED + 2 * DAY)
    read(log)

    def accepting(at: datetime) -> list[str]:
        assert note_first_uses(desk=desk, at=at) == 0
        assert not note_first_use("acct-2", edition=edition, shown_by="seen", at=at)
        return note_portal_log_in(["acct-1"], by="x", desk=desk, at=at)

    assert accepting(NOON) == [], "nobody has read it here"
    for actor in ("carla", "lena"):
        editions.confirm("2026-01", why="Read.", desk=desk, at=NOON, actor=actor)
    assert accepting(NOON + 100 * DAY) == [], "two have read it, and no customer was told"
    [customer] = [c for c in editions._customers() if c.key == "acct-1"]
    editions._write(customer, edition, changes=(), counts_from=NOON, desk=desk, at=NOON, actor="counsel")
    assert accepting(NOON + 100 * DAY) == [], "the letter waits"
    office.post(at=NOON)
    assert accepting(NOON + 29 * DAY) == []
    assert accepting(NOON + 31 * DAY) == ["acct-1"]


def test_what_was_never_posted_here_is_accepted_by_no_use(desk: Office) -> None:
    [edition] = desk.desk.editions
    for other in (replace(edition, id="2031-01"), replace(edition, digest="0" * 64)):
        assert not note_first_use("acct-1", edition=other, shown_by="seen", at=NOON)
    assert note_first_use("acct-1", edition=edition, shown_by="seen", at=NOON)


def test_where_two_servers_each_have_an_alice_each_customer_accepts_by_their_own(desk: Office, tmp_path: Path) -> None:
    for number, scope in ((1, "radius-west"), (2, "radius-east")):
        hold(f"acct-{number}", ResourceKind.LOGIN, "alice", scope=scope)
    hold("acct-3", ResourceKind.LOGIN, "bob", scope="radius-west")
    begins = {"radius-west": POSTED + 3 * DAY, "radius-east-2": POSTED + DAY}
    for source, begin in begins.items():
        log = tmp_path / f"{source}.csv"
        session(log, "alice", start=begin, stop=begin + DAY)
        if source != "radius-west":
            session(log, "bob", start=begin, stop=begin + DAY)
        read_late(log, at=NOON, source=source)
    assert note_first_uses(desk=desk.desk, at=NOON) == 2
    for number, source in ((1, "radius-west"), (2, "radius-east-2")):
        [(shown_by, at)] = uses(f"acct-{number}")
        assert (shown_by, abs(at - begins[source]) < HOUR) == (f"log-in alice, seen by {source}", True)
    assert uses("acct-3") == [], "the other server's bob is somebody else"
    seen = Usage(kind=UsageKind.LOGIN, what="bob", seen_at=NOON, source="webmail")
    assert note_log_in(seen, editions=desk.desk.editions) is None
    assert note_log_in(replace(seen, source="radius-west"), editions=desk.desk.editions) == "acct-3"


def test_letters_of_an_edition_are_looked_through_once_a_night_and_at_no_log_in(desk: Office, tmp_path: Path) -> None:
    announced(desk)
    [_, edition] = desk.desk.editions
    desk.post(at=NOON)
    later = edition.effective_at + 10 * DAY
    log = tmp_path / "accounting.csv"
    for number in (1, 2, 3):
        session(log, f"line-{number}", start=later - DAY, stop=later - HOUR)
    read_late(log, at=later)
    assert len([x for x in list_letters(limit=9) if x.kind is LetterKind.POLICY_CHANGE]) == 3

    def letters_asked(asked: CaptureQueriesContext) -> list[str]:
        return [q["sql"] for q in asked.captured_queries if "notices_letterrow" in q["sql"]]

    with CaptureQueriesContext(connection) as asked:
        assert note_portal_log_in(["acct-1"], by="x", desk=desk.desk, at=later) == ["acct-1"]
    [one] = letters_asked(asked)
    assert "LIKE" not in one
    with CaptureQueriesContext(connection) as asked:
        assert note_portal_log_in(["acct-1"], by="x", desk=desk.desk, at=later + HOUR) == []
    assert letters_asked(asked) == []
    with CaptureQueriesContext(connection) as asked:
        assert note_first_uses(desk=desk.desk, at=later) == 2
    assert len(letters_asked(asked)) == 1


def test_one_look_serves_however_many_wait_and_none_is_made_when_nobody_does(
    desk: Office, tmp_path: Path, django_assert_max_num_queries: object
) -> None:
    log = tmp_path / "accounting.csv"
    for n in range(40):
        session(log, "line-1", start=POSTED + DAY + n * HOUR, stop=POSTED + DAY + n * HOUR + HOUR / 2)
    read(log)
    assert note_first_uses(desk=desk.desk, at=NOON) == 1
    with django_assert_max_num_queries(30):  # type: ignore[operator]  # pytest-django's own
        assert note_first_uses(desk=desk.desk, at=NOON + DAY) == 0
