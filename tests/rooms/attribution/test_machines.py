"""From a machine that a lease names to whoever was logged in with it: nobody is named in another's place."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tipstaff.attribution.match import Question
from tipstaff.attribution.operations import add_identities, take_in
from tipstaff.attribution.protocol import Options, Stretch
from tipstaff.attribution.reading import machines
from tipstaff.attribution.sources.radius import SCANNER, Detail, records_of_detail
from tipstaff.attribution.walk import walk
from tipstaff.procedures.lookup import Asked, who_held, who_held_them
from tipstaff.procedures.many import open_book
from tipstaff.procedures.questions import answer_json
from tipstaff.registry.operations import add_holdings
from tipstaff.wiring import sources
from tipstaff.words import (
    AttributionReason,
    Binding,
    Ending,
    Grade,
    Holding,
    HoldingKind,
    Identity,
    Moment,
    Station,
    SubjectKind,
    Tier,
    station_of,
)

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)
LATER = NOON + timedelta(days=2)
MAC = "02:00:5e:10:00:03"
SPACE = Holding(
    key=1, tier=Tier.OPERATOR, kind=HoldingKind.POOL, prefix=ip_network("198.51.100.0/24"),
    held_from=NOON - timedelta(days=300),
)  # fmt: skip
CUSTOMERS = {"alice": "acct-1", "bob": "acct-2", "carol": "acct-1"}
KNOWN = [
    Identity(kind=SubjectKind.USERNAME, value=user, customer=customer, service=f"svc-{user}")
    for user, customer in CUSTOMERS.items()
]


def span(begin: float, end: float | None, *, error: float = 1.0) -> dict:
    since, wrong = NOON + begin * HOUR, timedelta(seconds=error)
    until = None if end is None else NOON + end * HOUR
    return {
        "possible_from": since - wrong, "sure_from": since + wrong,
        "sure_until": (since if until is None else until) - wrong,
        "possible_until": None if until is None else until + wrong,
        "ending": Ending.OPEN if until is None else Ending.EXPLICIT,
    }  # fmt: skip


def lease(machine: str = MAC, begin: float = -5, end: float | None = 5, **more) -> Binding:
    return Binding(**{
        "source": "dhcp", "prefix": ip_network("198.51.100.7/32"), "subject_kind": SubjectKind.MAC, "subject": machine,
        "strong": False, **span(begin, end), **more,
    })  # fmt: skip


def login(user: str, begin: float = -4, end: float | None = 4, *, machine: str = MAC, **more) -> Binding:
    station = station_of(machine)
    assert station is not None
    return Binding(**{
        "source": "radius", "prefix": station, "subject_kind": SubjectKind.USERNAME, "subject": user,
        **span(begin, end), **more,
    })  # fmt: skip


def ask(*rows: Binding | Identity, at: datetime = NOON, error: float = 1.0, port: int | None = None):
    return walk(
        ip_address("198.51.100.7"), port=port, protocol=None, moment=Moment(at, error), received_at=LATER,
        holdings=[SPACE], bindings=[r for r in rows if isinstance(r, Binding)],
        identities=[*KNOWN, *(r for r in rows if isinstance(r, Identity))],
        records_begin_at=NOON - timedelta(days=365),
    )  # fmt: skip


@pytest.mark.parametrize("spelt", [MAC, "02-00-5E-10-00-03", "0200.5e10.0003", "02005E100003", " 02:00:5E:10:00:03 "])
def test_whoever_was_logged_in_with_the_machine_of_a_lease_is_named_with_both_rows(spelt):
    given_out, in_use = lease(spelt), login("alice")
    answer = ask(given_out, in_use)
    assert (answer.grade, answer.reason) == (Grade.PROBABLE, AttributionReason.ONE_SOURCE)
    assert (answer.customer, answer.service) == ("acct-1", "svc-alice")
    assert answer.bindings == (given_out, in_use)
    assert [i.value for i in answer.identities] == ["alice"]
    told = answer_json(answer)["proof"]
    assert [row.get("station") for row in told if row["row"] == "log"] == [None, MAC]


@pytest.mark.parametrize(
    "text", ["", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "120000000005", "02:00:5e:10:00",
             "02:00:5e:10:00:03:07", "alice", "000100012c5d02005e100003"],
)  # fmt: skip
def test_what_is_no_machines_address_leads_to_nobody(text):
    assert station_of(text) is None


def test_a_lease_and_a_neighbour_table_repeat_what_the_machine_claims_and_are_one_witness():
    seen = lease(source="arp")
    assert ask(lease(), seen, login("alice")).grade is Grade.PROBABLE
    # One lease stays one source, however many say whose the machine is.
    also = Identity(kind=SubjectKind.MAC, value=MAC, customer="acct-1")
    assert ask(lease(), login("alice"), also).grade is Grade.PROBABLE


def test_two_customers_at_once_with_one_machine_are_ambiguous_however_surely_both_were_there():
    answer = ask(lease(), login("alice"), login("bob", begin=-1))
    assert (answer.grade, answer.customer) == (Grade.AMBIGUOUS, None)
    # A second log-in of the same customer changes nothing.
    assert ask(lease(), login("alice"), login("carol", begin=-1)).customer == "acct-1"
    # Nor does one before or after.
    assert ask(lease(), login("alice", -1, 4), login("bob", -4, -2)).customer == "acct-1"
    # Somebody whom the registry does not know may have been it, too.
    assert ask(lease(), login("alice"), login("mallory")).grade is Grade.AMBIGUOUS
    # One whose Stop never came may still be there.
    assert ask(lease(), login("alice"), login("bob", -9, None)).grade is Grade.AMBIGUOUS


def test_sources_that_disagree_contradict_each_other():
    of_bob = Identity(kind=SubjectKind.MAC, value=MAC, customer="acct-2")
    registered = ask(lease(), login("alice"), of_bob)
    assert (registered.grade, registered.reason) == (Grade.CONTRADICTED, AttributionReason.SOURCES_DISAGREE)
    session = lease(subject_kind=SubjectKind.USERNAME, subject="bob", source="radius", strong=True)
    assert ask(lease(), login("alice"), session).grade is Grade.CONTRADICTED


def test_a_machine_with_which_nobody_was_logged_in_names_nobody():
    assert ask(lease()).reason is AttributionReason.UNKNOWN_SUBSCRIBER
    assert ask(lease(), login("alice", machine="02:00:5e:10:00:04")).customer is None
    assert ask(lease(), login("alice", 1, 4)).customer is None
    assert ask(lease(), login("alice", -4, 0)).customer is None, "logged in for a part of the window only"


def test_a_log_in_whose_end_was_not_seen_is_no_more_than_probable():
    seen = lease(source="arp")
    answer = ask(lease(), seen, login("alice", -4, None))
    assert (answer.grade, answer.reason) == (Grade.PROBABLE, AttributionReason.UNSEEN_END)


HOURS = st.integers(-6, 6)
SPANS = st.tuples(HOURS, st.one_of(st.none(), st.integers(1, 8)), st.sampled_from((1.0, 1800.0)))


def spans_of(drawn) -> dict:
    begin, lasts, error = drawn
    return span(begin, None if lasts is None else begin + lasts, error=error)


@settings(max_examples=400, deadline=None)
@given(
    leases=st.lists(st.tuples(st.sampled_from((MAC, "02-00-5E-10-00-04")), SPANS), min_size=1, max_size=3),
    logins=st.lists(
        st.tuples(st.sampled_from(("alice", "bob", "carol", "mallory")), st.sampled_from((MAC, "02005e100004")), SPANS),
        max_size=4,
    ),
    at=st.tuples(HOURS, st.sampled_from((0.0, 1.0, 3600.0))),
)
def test_whoever_is_named_is_the_only_one_possible_at_every_instant(leases, logins, at):
    """Against the obvious: at each instant at which anything changes, all pairs of lease and log-in."""
    given_out = [lease(machine, **spans_of(s)) for machine, s in leases]
    in_use = [login(user, machine=machine, **spans_of(s)) for user, machine, s in logins]
    moment = NOON + at[0] * HOUR
    answer = ask(*given_out, *in_use, at=moment, error=at[1])
    earliest, latest = answer.earliest, answer.latest
    assert earliest is not None
    assert latest is not None
    edges = {e for b in (*given_out, *in_use) for e in (b.possible_from, b.possible_until, b.sure_from, b.sure_until)}
    near = {e + d for e in edges if e is not None for d in (-TICK, timedelta(0))}
    instants = {earliest, latest, *(e for e in near if earliest <= e <= latest)}

    def there(rows: list[Binding], when: datetime) -> list[Binding]:
        return [b for b in rows if b.possible_from <= when and (b.possible_until is None or when < b.possible_until)]

    possible: set[str | None] = set()
    two_sure = False
    for when in instants:
        sure = set()
        for outer in there(given_out, when):
            behind = [b for b in there(in_use, when) if b.prefix == station_of(outer.subject)]
            who = {CUSTOMERS.get(b.subject) for b in behind}
            possible |= who or {None}
            surely = [b for b in behind if b.sure_from <= when < b.sure_until]
            if len(who) == 1 and surely and outer.sure_from <= when < outer.sure_until:
                sure |= who - {None}
        two_sure |= len(sure) > 1
    expected = possible.pop() if len(possible) == 1 else None
    assert answer.customer == expected
    assert (answer.grade is Grade.CONTRADICTED) == two_sure
    if answer.named:
        assert {b.subject_kind for b in answer.bindings} == {SubjectKind.MAC, SubjectKind.USERNAME}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=14),
            st.text(alphabet="0123456789abcdefABCDEF:-. ", max_size=20),
            st.builds(lambda n, s: s.join(f"{n:012x}"[i : i + 2] for i in range(0, 12, 2)),
                      st.integers(0, 2**48 - 1), st.sampled_from((":", "-", ""))),
        ),
        min_size=1, max_size=8,
    )
)  # fmt: skip
def test_columns_of_machines_are_read_as_each_alone(texts):
    found = pl.DataFrame({"t": texts}, schema={"t": pl.String}).select(machines(pl.col("t"))).to_series().to_list()
    assert found == [None if (s := station_of(t)) is None else s.number for t in texts]


RECORD = """Tue Mar 10 {clock} 2026
\tAcct-Status-Type = {status}
\tUser-Name = "{user}"
\tNAS-IP-Address = {nas}
\tAcct-Session-Id = "{session}"
\tCalling-Station-Id = "{station}"
\tAcct-Session-Time = {lasted}
\tTimestamp = {at}

"""


def record(
    status: str, user: str, hour: float, *, lasted: float = 0, nas: str = "192.0.2.1", station: str = MAC
) -> str:
    at = NOON + hour * HOUR
    return RECORD.format(
        clock=at.strftime("%H:%M:%S"), status=status, user=user, nas=nas, session=f"{user}-{nas}", station=station,
        lasted=round(lasted * 3600), at=int(at.timestamp()),
    )  # fmt: skip


WIRED = (
    record("Start", "alice", -4, station="02-00-5E-10-00-03")
    + record("Start", "bob", -3, nas="192.0.2.2", station="02-00-5E-10-00-04")
    + record("Stop", "alice", -1, lasted=3, station="02-00-5E-10-00-03")
    + record("Start", "bob", 1, station="02-00-5E-10-00-03")
    + record("Stop", "bob", 3, lasted=2, station="02-00-5E-10-00-03")
    + record("Stop", "bob", 4, lasted=7, nas="192.0.2.2", station="02-00-5E-10-00-04")
    + record("Start", "carol", 4, station="493012345678")
)


def test_both_readers_of_detail_files_find_the_machines():
    stretch = Stretch(WIRED.encode(), 0)
    fast, slow = SCANNER.records(stretch.data, 0), records_of_detail(stretch)
    assert fast is not None
    assert fast["station"].to_list() == slow["station"].to_list()
    parsed = Detail().read(stretch, Options(source="radius"))
    assert set(parsed.records.select("version", "lo").rows()) == {(48, 0x02005E100003), (48, 0x02005E100004)}
    assert parsed.refused_total == 1
    assert "Calling-Station-Id" in parsed.refused[0].why


@pytest.mark.django_db
def test_a_lease_of_kea_and_the_log_in_behind_a_switch_name_the_customer_through_the_database(tmp_path):
    began, ends = int((NOON - 5 * HOUR).timestamp()), int((NOON + 5 * HOUR).timestamp())
    leases = tmp_path / "kea-leases4.csv"
    leases.write_text(
        "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n"
        f"198.51.100.7,{MAC},,{ends - began},{ends},1,0,0,,0,,0\n"
        # So far was the log read: a lease promises nothing beyond.
        f"198.51.100.200,02:00:5e:10:00:77,,60,{ends + 60},1,0,0,,0,,0\n"
    )
    add_holdings([SPACE], at=LATER, actor="engineer")
    add_identities(KNOWN, source="crm", at=NOON - timedelta(days=30), actor="engineer")
    (load,) = take_in(
        leases, sources()["kea-memfile"], Options(source="dhcp", clock_error_seconds=1), at=LATER, actor="e"
    )
    assert load.bindings == 2
    # Two halves, as a timer reads them: the second goes on with what the first left open.
    detail = tmp_path / "detail"
    half = WIRED.index("Tue Mar 10 13:00")
    for text in (WIRED[:half], WIRED):
        detail.write_text(text)
        list(take_in(detail, sources()["radius-detail"], Options(source="radius", clock_error_seconds=1), at=LATER,
                     actor="e"))  # fmt: skip

    def asked(hour: float):
        return who_held(
            ip_address("198.51.100.7"), port=None, moment=Moment(NOON + hour * HOUR, 1.0), received_at=LATER
        )

    hours = (-4.5, -2, -1, 0, 2, 3.5)
    answers = [asked(h) for h in hours]
    assert [a.customer for a in answers] == [None, "acct-1", None, None, "acct-2", None]
    assert [b.source for b in answers[1].bindings] == ["dhcp", "radius"]
    assert answers[1].bindings[1].prefix == Station(0x02005E100003)
    assert answers[1].bindings[1].file == str(detail)
    address = ip_address("198.51.100.7")
    many = who_held_them([Asked(address, None, None, Moment(NOON + h * HOUR, 1.0)) for h in hours], received_at=LATER)
    assert many == answers
    questions = [Question(address=address, moment=Moment(NOON + h * HOUR, 1.0)) for h in hours]
    # The book proves what is plain by the rows that name somebody, and leaves out whose space it is.
    at_once = open_book(at=LATER).attribute(questions, received_at=LATER)
    assert [replace(a, proof=()) for a in at_once] == [replace(a, proof=()) for a in answers]
