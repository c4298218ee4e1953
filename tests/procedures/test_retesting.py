"""A fixed case is looked at once more before it closes: where the edition allows it, and only at its own holder."""

import dataclasses
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

import pytest

from tests.procedures.office import DAY, HOUR, NOON, Office
from tipstaff.cases.queries import list_cases
from tipstaff.intake.parsers.shadowserver import allegation_of, kind_named
from tipstaff.ledger.queries import entries_about, get_raw
from tipstaff.policy.editions import shipped_editions
from tipstaff.procedures.detecting import authorise
from tipstaff.procedures.probing import AGAIN_AFTER, TRIES_MAX, probe_due
from tipstaff.procedures.refusals import NotYourDecision
from tipstaff.procedures.sighting import judge_waiting, take
from tipstaff.registry.operations import end_holding
from tipstaff.registry.queries import holdings_of
from tipstaff.sensors.operations import ask_retest
from tipstaff.sensors.queries import list_retests, retests_of_case
from tipstaff.sensors.retest import check_of
from tipstaff.sensors.retest.asking import Looked
from tipstaff.words import (
    Answer,
    Case,
    CaseOutcome,
    CaseState,
    Moment,
    Retest,
    RetestCheck,
    RetestFound,
    Role,
    Sighting,
)

HERS = "192.0.2.10"
FIXED_AT = NOON + 2 * HOUR


@dataclasses.dataclass
class Scripted:
    """Looks at nothing, and shows what it was told to."""

    shows: list[RetestFound]
    looked_at: list[tuple[RetestCheck, str, int]] = dataclasses.field(default_factory=list)

    def look(self, check: RetestCheck, address: IPv4Address | IPv6Address, port: int) -> Looked:
        self.looked_at.append((check, str(address), port))
        found = self.shows.pop(0)
        return Looked(found=found, said=f"It is {found.value}.", sent=(b"?",), got=(b"!",))


def let_look(office: Office, *, until: datetime = NOON + 100 * DAY) -> None:
    authorise("retest", purpose="To see that it is closed.", until=until, desk=office.desk, at=NOON - DAY, actor="c")


def fixed(office: Office, *, port: int = 53, protocol: str = "udp", also: Sequence[int] = ()) -> Case:
    """A customer's open service was seen, told, and is called closed."""
    office.admit("acct-1", HERS)
    for n, each in enumerate((port, *also)):
        line = {
            "id": f"look-{n}", "kind": "probe.open_service", "at": (NOON - HOUR).isoformat(), "source": HERS,
            "protocol": protocol, "facts": {"opted_in": True, "port": each, "service": "x"},
        }  # fmt: skip
        take(json.dumps(line).encode(), sensor="scan", desk=office.desk, at=NOON, actor="tests")
    judge_waiting(desk=office.desk, at=NOON)
    office.post(at=NOON)
    [case] = list_cases(limit=10)
    office.answer(case, Answer.FIXED, at=FIXED_AT)
    office.follow(at=FIXED_AT)
    return office.fresh(case.key)


def probe(office: Office, *shows: RetestFound, at: datetime, a_minute: int = 6) -> Scripted:
    prober = Scripted(list(shows))
    probe_due(prober, a_minute=a_minute, desk=office.desk, now=lambda: at)
    return prober


def look_of(case: Case) -> Retest:
    [look] = retests_of_case(case.key)
    return look


def why_closed(case: Case) -> str:
    [why] = [e.detail["why"] for e in entries_about(case.key) if e.what == "case.closed"]
    return str(why)


def test_a_case_closes_with_a_clean_look_on_record(office: Office) -> None:
    let_look(office)
    case = fixed(office)
    assert case.state is CaseState.MONITORED
    office.follow(at=FIXED_AT + HOUR)
    assert office.fresh(case.key).state is CaseState.MONITORED, "it waits for the look"
    prober = probe(office, RetestFound.GONE, at=FIXED_AT + HOUR)
    assert prober.looked_at == [(RetestCheck.OPEN_RESOLVER, HERS, 53)]
    look = look_of(case)
    kept = json.loads(get_raw(look.evidence))
    assert (kept["case"], kept["found"], kept["sent"], kept["got"]) == (case.key, "gone", ["3f"], ["21"])
    office.follow(at=FIXED_AT + 2 * HOUR)
    closed = office.fresh(case.key)
    assert (closed.state, closed.outcome) == (CaseState.CLOSED, CaseOutcome.FIXED)
    assert f"no measurement of ours shows it any more. {look.key}: It is gone." in why_closed(case)
    assert probe(office, at=FIXED_AT + DAY).looked_at == []


def test_what_is_still_there_keeps_the_case_open_and_has_a_case_of_its_own(office: Office) -> None:
    let_look(office)
    case = fixed(office)
    office.follow(at=FIXED_AT)
    probe(office, RetestFound.STILL_THERE, at=FIXED_AT + HOUR)
    office.follow(at=FIXED_AT + HOUR)
    assert office.fresh(case.key).state is CaseState.MONITORED, "what was seen is not judged yet"
    judge_waiting(desk=office.desk, at=FIXED_AT + HOUR)
    office.post(at=FIXED_AT + HOUR)
    [again] = [each for each in list_cases(limit=10) if each.key != case.key]
    assert (again.clause, again.customer, again.state) == ("hosts.open_services", "acct-1", CaseState.NOTIFIED)
    assert again.due_at is not None, "with a notice"
    assert again.due_at > FIXED_AT + DAY, "and a time of its own"
    assert "It is still_there." in office.letters[-1].body
    office.answer(again, Answer.FIXED, at=FIXED_AT + DAY)
    office.follow(at=FIXED_AT + DAY)
    office.follow(at=FIXED_AT + DAY)
    assert {office.fresh(c.key).state for c in (case, again)} == {CaseState.MONITORED}, "the first waits for the second"
    probe(office, RetestFound.GONE, at=FIXED_AT + DAY)
    for _ in range(2):
        office.follow(at=FIXED_AT + 2 * DAY)
    assert {office.fresh(c.key).state for c in (case, again)} == {CaseState.CLOSED}


def test_without_counsels_leave_or_the_clauses_nothing_is_looked_at(office: Office) -> None:
    case = fixed(office)
    assert case.state is CaseState.CLOSED
    assert list_retests() == []
    office.roles["anna"] = frozenset({Role.ANALYST})
    with pytest.raises(NotYourDecision):
        authorise("retest", purpose="Curious.", until=NOON + DAY, desk=office.desk, at=NOON, actor="anna")


def test_an_edition_that_does_not_allow_it_closes_as_before(office: Office) -> None:
    let_look(office)
    [edition] = shipped_editions()
    clauses = tuple(dataclasses.replace(c, retest=()) for c in edition.clauses)
    office.desk = dataclasses.replace(office.desk, editions=(dataclasses.replace(edition, clauses=clauses),))
    assert fixed(office).state is CaseState.CLOSED


@pytest.mark.parametrize("moved", ["address", "leave", "register"])
def test_whether_it_may_be_looked_at_is_asked_at_the_moment_of_sending(office: Office, moved: str) -> None:
    let_look(office, until=FIXED_AT + HOUR if moved == "leave" else NOON + 100 * DAY)
    case = fixed(office)
    office.follow(at=FIXED_AT)
    later = FIXED_AT + 2 * HOUR
    if moved == "address":
        [holding] = holdings_of("acct-1", at=NOON)
        end_holding(holding.key, held_until=FIXED_AT + HOUR, at=FIXED_AT + HOUR, actor="import")
    elif moved == "register":
        [edition] = office.desk.editions
        purposes = tuple(p for p in edition.purposes if "detector: retest" not in p.collects)
        office.desk = dataclasses.replace(office.desk, editions=(dataclasses.replace(edition, purposes=purposes),))
    prober = probe(office, at=later)
    assert prober.looked_at == []
    assert look_of(case).found is RetestFound.NOT_MADE
    assert look_of(case).said
    office.follow(at=later)
    assert office.fresh(case.key).state is CaseState.CLOSED, "what we could not look at is held against nobody"


def test_what_fails_on_our_side_is_tried_again_and_then_held_against_nobody(office: Office) -> None:
    let_look(office)
    case = fixed(office)
    office.follow(at=FIXED_AT)
    at = FIXED_AT
    for tried in range(1, TRIES_MAX + 1):
        assert len(probe(office, RetestFound.UNCLEAR, at=at).looked_at) == 1
        assert probe(office, at=at).looked_at == []
        assert look_of(case).tries == tried
        at += AGAIN_AFTER
    assert look_of(case).found is RetestFound.UNCLEAR
    office.follow(at=at)
    assert office.fresh(case.key).state is CaseState.CLOSED
    assert len(list_cases(limit=10)) == 1


def test_no_case_waits_for_a_prober_that_does_not_run(office: Office) -> None:
    let_look(office)
    case = fixed(office)
    office.follow(at=FIXED_AT)
    office.follow(at=FIXED_AT + DAY)
    assert office.fresh(case.key).state is CaseState.CLOSED
    assert look_of(case).found is RetestFound.NOT_MADE
    assert "Whether it is gone was not measured." in why_closed(case)
    assert "no measurement of ours" not in why_closed(case), "none was made"


def test_a_watch_without_a_look_ends_without_the_claim_of_a_measurement(office: Office) -> None:
    [edition] = office.desk.editions
    watch = dataclasses.replace(edition.clock("measure.lifetime"), id="case.watch")
    office.desk = dataclasses.replace(
        office.desk, editions=(dataclasses.replace(edition, clocks=(*edition.clocks, watch)),)
    )  # fmt: skip
    let_look(office)
    case = fixed(office, port=50123)
    assert case.state is CaseState.MONITORED
    assert case.watched_until is not None
    office.follow(at=case.watched_until)
    assert office.fresh(case.key).state is CaseState.CLOSED
    assert list_retests() == []
    assert why_closed(case) == (
        "Watched since the fix: nothing that came in shows it any more. Whether it is gone was not measured."
    )


def test_looks_are_paced(office: Office) -> None:
    let_look(office)
    fixed(office, also=[123])
    office.follow(at=FIXED_AT)
    assert len(probe(office, RetestFound.GONE, at=FIXED_AT, a_minute=1).looked_at) == 1
    assert probe(office, at=FIXED_AT + timedelta(seconds=59), a_minute=1).looked_at == []
    assert len(probe(office, RetestFound.GONE, at=FIXED_AT + timedelta(seconds=61), a_minute=1).looked_at) == 1


def test_a_look_that_an_older_release_asked_for_is_not_made_by_its_wider_rule(office: Office) -> None:
    """The clause allows such a look, and nothing that was reported is asked of that port by the rule of today."""
    let_look(office)
    case = fixed(office)
    office.follow(at=FIXED_AT)
    ask_retest(
        case=case.key, customer="acct-1", clause=case.clause, address=IPv4Address(HERS), protocol="udp", port=123,
        check=RetestCheck.NTP, at=FIXED_AT + timedelta(seconds=1), actor="tests",
    )  # fmt: skip
    prober = probe(office, RetestFound.GONE, at=FIXED_AT + HOUR)
    assert prober.looked_at == [(RetestCheck.OPEN_RESOLVER, HERS, 53)], "the one that today's rule asks"
    old = next(each for each in retests_of_case(case.key) if each.port == 123)
    assert (old.found, old.said) == (
        RetestFound.NOT_MADE, "What was reported is not asked of that port, by the rule of today.",
    )  # fmt: skip


def seen(type: str = "", *, port: int | None = 53, protocol: str = "udp", kind: str = "x.y") -> Sighting:
    return Sighting(
        kind=kind, moment=Moment(NOON, 1.0), type=type, source=IPv4Address(HERS), source_port=port, protocol=protocol
    )


@pytest.mark.parametrize(
    ("conduct", "asked"),
    [
        (seen("vulnerability/open_service"), (RetestCheck.OPEN_RESOLVER, "udp", 53)),
        (seen("vulnerability/open_service", port=25, protocol="tcp"), (RetestCheck.OPEN_RELAY, "tcp", 25)),
        (seen("vulnerability/open_service", port=6379, protocol="tcp"), (RetestCheck.TCP_PORT, "tcp", 6379)),
        # A weak cipher is mended on a port that stays open; of a botnet's host the port may be a neighbour's by now.
        (seen("vulnerability/misconfiguration", port=443, protocol="tcp"), None),
        (seen("vulnerability/misconfiguration", port=25, protocol="tcp"), None),
        (seen("vulnerability/misconfiguration", port=53), None),
        (seen("infrastructure/botnet", port=8443, protocol="tcp"), None),
        (seen("infrastructure/botnet", port=50123, protocol="tcp"), None),
        # A site that was broken into is repaired, and still there; an infected machine's port was the system's choice.
        (seen("infrastructure/compromised_server", port=443, protocol="tcp"), None),
        (seen("connection/infected_host", port=50123, protocol="tcp"), None),
        (seen("vulnerability/open_service", port=5353), None),
        (seen("vulnerability/open_service", port=None), None),
        (dataclasses.replace(seen("vulnerability/open_service"), source=None, url="http://x.example.net/"), None),
    ],
)
def test_only_what_a_harmless_question_can_show_is_asked(conduct: Sighting, asked: Sequence[object] | None) -> None:
    assert check_of(conduct) == asked


@pytest.mark.parametrize(
    ("report", "asked"),
    [
        ("scan_ssl_poodle", None),
        ("scan_ssl_freak", None),
        ("scan_ssl", None),
        ("event4_sinkhole", None),
        ("event4_sinkhole_http", None),
        ("event4_microsoft_sinkhole", None),
        ("botnet_drone", None),
        ("cc_ip", None),
        ("scan_redis", (RetestCheck.TCP_PORT, "tcp", 443)),
    ],
)
def test_of_a_shadowserver_report_an_open_port_is_asked_only_where_it_is_the_fault(
    report: str, asked: Sequence[object] | None
) -> None:
    row = {"timestamp": "2026-05-04 10:00:00", "ip": HERS, "port": "443", "protocol": "tcp"}
    said = allegation_of(row, kind_named(f"2026-05-04-{report}-example-asn.csv"))
    assert said is not None
    assert check_of(said) == asked
