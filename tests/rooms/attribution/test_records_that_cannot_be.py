"""A record that is wrong by its own words names nobody in another's place: by its year, its delay, its time to come, or
by what it leaves out."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from zoneinfo import ZoneInfo

import pytest

from tipstaff.attribution.match import Question
from tipstaff.attribution.operations import add_identities, take_in
from tipstaff.attribution.protocol import Options
from tipstaff.attribution.queries import readings
from tipstaff.procedures.lookup import answer_one
from tipstaff.procedures.many import open_book
from tipstaff.procedures.sessions import holders_of_session
from tipstaff.registry import operations as registry
from tipstaff.wiring import sources
from tipstaff.words import Customer, HoldingKind, Identity, Moment, Selector, Service, ServiceKind, SubjectKind, Tier

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
T = int(NOON.timestamp())
HOUR = 3600
LATER = datetime(2026, 3, 30, tzinfo=UTC)
BEFORE = {"at": datetime(2024, 1, 1, tzinfo=UTC), "actor": "engineer"}
RADIUS = (
    "timestamp,acct_status_type,user_name,nas_ip_address,framed_ip_address,acct_session_id,acct_session_time,"
    "acct_delay_time\n"
)


@pytest.fixture(autouse=True)
def space(db):
    for prefix in ("198.51.100.0/24", "10.0.0.0/8"):
        for kind in (HoldingKind.STATIC, HoldingKind.POOL):
            registry.hold(
                tier=Tier.OPERATOR, kind=kind, prefix=ip_network(prefix), source="plan",
                held_from=BEFORE["at"], **BEFORE,
            )  # fmt: skip
    names = ("alice", "bob", "carol")
    for name in names:
        registry.add_customer(Customer(key=name, name=name, representative=None), **BEFORE)
        registry.add_service(Service(key=f"svc-{name}", customer=name, kind=ServiceKind.ACCESS), **BEFORE)
    known = [Identity(kind=SubjectKind.USERNAME, value=name, customer=name) for name in names]
    add_identities(known, source="crm", **BEFORE)


def load(kind, file, text, *, at=LATER, **options):
    file.write_text(text)
    return list(take_in(file, sources()[kind], Options(source=kind, **options), at=at, actor="engineer"))


def said(address, at, port=None):
    """Grade and customer, by one question and by many at once."""
    asked = Question(address=ip_address(address), port=port, moment=Moment(at, 1.0))
    one = answer_one(asked, received_at=LATER)
    (many,) = open_book(at=LATER).attribute([asked], received_at=LATER)
    assert (one.grade, one.reason, one.customer) == (many.grade, many.reason, many.customer)
    return one.grade.name, one.customer


def record(hours, status, name, *, address="10.0.0.1", lasted="", delay="", at=None):
    at = T + round(hours * HOUR) if at is None else at
    return f"{at},{status},{name},192.0.2.1,{address},{name or 'x'},{lasted},{delay}\n"


def hours(number):
    return NOON + timedelta(hours=number)


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (record(1, "Start", ""), "no User-Name"),
        (record(1, "Start", "bob", lasted=4294967295), "an Acct-Session-Time that cannot be"),
        (record(1, "Start", "bob", delay=4294967295), "an Acct-Delay-Time that cannot be"),
        (record(1, "Start", "bob", address="10.0.0.300"), "an address that is none (framed4)"),
        (record(1, "Start", "bob", at=4_000_000_000), "a time that has not come yet"),
    ],
    ids=lambda x: x if x[0] == "a" or x[0] == "n" else "",
)
def test_somebody_else_may_have_what_a_refused_record_speaks_of(start, why, tmp_path):
    """Alice's Stop was lost, and the next one's Start can't be read; carol is spoken of before and after."""
    lines = [record(-1, "Start", "alice"), record(-1, "Start", "carol", address="10.0.0.7"),
             record(0, "Interim-Update", "alice", lasted=HOUR), start,
             record(5, "Interim-Update", "carol", address="10.0.0.7", lasted=6 * HOUR)]  # fmt: skip
    (told,) = load("radius-csv", tmp_path / "log", RADIUS + "".join(lines))
    assert [bad.why for bad in told.refused] == [why]
    assert said("10.0.0.1", hours(-0.5)) == ("CONFIRMED", "alice")
    assert said("10.0.0.1", hours(3)) == ("NO_DATA", None)
    assert said("10.0.0.7", hours(3)) == ("CONFIRMED", "carol")
    # Neither is anything read beyond what the good records tell.
    assert (told.covers_from, told.covers_until) == (hours(-1), hours(5))
    assert [said("10.0.0.9", hours(h)) for h in (-1000, 1000)] == [("NO_DATA", None)] * 2


def test_lines_of_a_time_to_come_are_told_once_each_in_their_order(tmp_path):
    """Each speaks of an address and of a prefix."""
    head = RADIUS.replace("framed_ip_address", "framed_ip_address,delegated_ipv6_prefix")
    lines = [record(0, "Start", "alice"), *(record(0, "Start", "bob", at=4_000_000_000 + n) for n in range(3)),
             record(1, "Stop", "alice")]  # fmt: skip
    rows = [line.replace("10.0.0.1,", "10.0.0.1,2001:db8::/56,") for line in lines]
    (told,) = load("radius-csv", tmp_path / "log", head + "".join(rows))
    assert (told.records, told.refused_total, [bad.line for bad in told.refused]) == (2, 3, [3, 4, 5])
    assert said("10.0.0.1", hours(0.5)) == ("CONFIRMED", "alice")


KEA = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"


def kea(hours, circuit, term, *, address="10.0.0.1", state=0):
    option = f"01{len(circuit):02x}{circuit.encode().hex()}"
    context = f'{{ "ISC": {{ "relay-agent-info": {{ "sub-options": "0x{option}" }} }} }}' if circuit else ""
    machine = "02:00:00:00:00:01" if circuit else ""
    return f"{address},{machine},,{term},{T + hours * HOUR + term},1,0,0,,{state},{context}\n"


def dhcpd(hours, circuit, term, *, address="10.0.0.1"):
    begin, end = (f"{datetime.fromtimestamp(T + hours * HOUR + n, UTC):%w %Y/%m/%d %H:%M:%S}" for n in (0, term))
    named = f'  option agent.circuit-id "{circuit}";\n' if circuit else ""
    return f"lease {address} {{\n  starts {begin};\n  ends {end};\n  binding state active;\n{named}}}\n"


@pytest.mark.parametrize(
    ("kind", "head", "row", "odd"),
    [
        ("kea-memfile", KEA, kea, {"circuit": ""}),
        ("kea-memfile", KEA, kea, {"circuit": "bob", "state": 9}),
        ("isc-dhcpd", "", dhcpd, {"circuit": ""}),
    ],
)
def test_a_lease_to_a_client_that_cannot_be_read_may_have_broken_the_one_before(kind, head, row, odd, tmp_path):
    """Alice's lease was promised for a day; the server gave the address to somebody else, so it was given back."""
    known = [Identity(kind=SubjectKind.CIRCUIT, value=name, customer=name) for name in ("alice", "bob", "carol")]
    add_identities(known, source="lines", **BEFORE)
    lines = [row(-1, "alice", 24 * HOUR), row(1, "carol", 2 * HOUR, address="10.0.0.7"), row(2, term=HOUR, **odd),
             *(row(h, "carol", HOUR, address="10.0.0.7") for h in (5, 6))]  # fmt: skip
    (told,) = load(kind, tmp_path / "leases", head + "".join(lines), circuits_unique=True)
    assert told.refused_total == 1
    assert said("10.0.0.1", hours(0.5)) == ("CONFIRMED", "alice")
    assert said("10.0.0.1", hours(3)) == ("NO_DATA", None)
    assert said("10.0.0.7", hours(5.5)) == ("CONFIRMED", "carol")


PORTS = {1: "1024-2047", 2: "1024-2047", 3: "5120-8191"}
BLOCKS = [
    f"{at} nat event={event} inside=100.64.0.{host} outside=198.51.100.9 ports={PORTS[host]}\n"
    for at, event, host in (
        ("Dec 31 22:00:00", "alloc", 1), ("Jan  1 03:00:00", "release", 1), ("Dec 31 23:59:59", "active", 3),
        ("Jan  1 04:00:00", "alloc", 2), ("Feb 29 09:00:00", "release", 2), ("Mar  1 09:00:00", "alloc", 1),
    )
]  # fmt: skip


@pytest.mark.parametrize("cut", [None, 1, 2, 4, 5])
def test_the_year_turns_within_a_log_whose_times_state_none(cut, tmp_path):
    load("ipam", tmp_path / "plan.csv", "prefix,service\n100.64.0.1/32,svc-alice\n100.64.0.2/32,svc-bob\n",
         at=BEFORE["at"], realm="cgn")  # fmt: skip
    options = {"inside_realm": "cgn", "zone": ZoneInfo("UTC"), "year": 2023}
    # The source is two years ahead of what is read of an archive.
    now = BLOCKS[0].replace("Dec 31", "Jan 20").replace(PORTS[1], "9000-9999")
    load("nat-blocks", tmp_path / "now.log", now, **{**options, "year": 2026})
    for end in (cut, None):
        load("nat-blocks", tmp_path / "cgn.log", "".join(BLOCKS[:end]), **options)
    assert said("198.51.100.9", datetime(2024, 1, 1, 2, tzinfo=UTC), 1500) == ("CONFIRMED", "alice")
    assert said("198.51.100.9", datetime(2024, 2, 29, 8, tzinfo=UTC), 1500) == ("CONFIRMED", "bob")
    assert said("198.51.100.9", datetime(2023, 2, 28, 8, tzinfo=UTC), 1500)[1] is None
    assert sum(r.records for r in readings(source="nat-blocks")) == len(BLOCKS) + 1


def test_a_timer_that_goes_on_stating_the_old_year_names_nobody(tmp_path):
    options = {"inside_realm": "cgn", "zone": ZoneInfo("UTC")}
    load("nat-blocks", tmp_path / "cgn.log.1", "".join(BLOCKS[:1]), year=2024, **options)
    (told,) = load("nat-blocks", tmp_path / "cgn.log", BLOCKS[3] + BLOCKS[1], year=2024, **options)
    assert told.records == 0
    assert {bad.why for bad in told.refused} == {"no time, or one that needs --zone (and --year)"}
    (told,) = load("nat-blocks", tmp_path / "cgn.log", BLOCKS[3] + BLOCKS[1] + BLOCKS[1], year=2025, **options)
    assert told.covers_from == datetime(2025, 1, 1, 3, tzinfo=UTC)


def test_decembers_last_lines_are_read_in_january_when_the_timer_states_the_new_year(tmp_path):
    options = {"inside_realm": "cgn", "zone": ZoneInfo("America/New_York"), "at": datetime(2025, 1, 2, tzinfo=UTC)}
    lines = BLOCKS[0] + BLOCKS[2]
    load("nat-blocks", tmp_path / "cgn.log", BLOCKS[0], year=2024, **options)
    (told,) = load("nat-blocks", tmp_path / "cgn.log", lines + BLOCKS[1], year=2025, **options)
    assert (told.records, told.refused_total) == (2, 0)
    assert told.covers_from == datetime(2025, 1, 1, 4, 59, 59, tzinfo=UTC)
    (told,) = load("nat-blocks", tmp_path / "cgn.log", lines + BLOCKS[1] + BLOCKS[3], year=2025, **options)
    assert told.covers_from == datetime(2025, 1, 1, 9, tzinfo=UTC)


def test_a_timer_that_states_the_old_year_names_nobody_at_the_end_of_january_either(tmp_path):
    options = {"inside_realm": "cgn", "zone": ZoneInfo("UTC")}
    load("nat-blocks", tmp_path / "cgn.log.1", BLOCKS[0].replace("Dec 31", "Jan 30"), year=2025, **options)
    (told,) = load("nat-blocks", tmp_path / "cgn.log", BLOCKS[0].replace("Dec 31", "Jan 31"), year=2024, **options)
    assert told.records == 0


def test_another_file_that_ended_at_the_same_byte_says_nothing_of_the_year(tmp_path):
    options = {"inside_realm": "cgn", "zone": ZoneInfo("UTC")}
    load("nat-blocks", tmp_path / "archive.log", BLOCKS[3], year=2024, **options)
    load("nat-blocks", tmp_path / "now.log", BLOCKS[3].replace("nat event", "cgn event"), year=2026, **options)
    (told,) = load("nat-blocks", tmp_path / "archive.log", BLOCKS[3] + BLOCKS[4], year=2024, **options)
    assert told.covers_from == datetime(2024, 2, 29, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "then"),
    [
        ("100.64.0.2/32,198.51.100.9/32,100O,2026-03-01T00:00:00Z", ("CONFIRMED", "alice")),
        ("100.64.0.2/32,198.51.100.9/32,1000,March", ("NONE", None)),
        ("100.64.0.2/32,198.51.100.,1000,2026-03-01T00:00:00Z", ("CONFIRMED", "alice")),
        ("100.64.0.2/32,198.51.100.10/32,100O,2026-03-01T00:00:00Z", None),
        ("100.64.0.2/32,198.51.100.9/32,100O,2025-12-01T00:00:00Z", None),
    ],
)
def test_a_version_of_a_map_that_cannot_be_read_ends_the_one_before_it(line, then, tmp_path):
    load("ipam", tmp_path / "plan.csv", "prefix,service\n100.64.0.1/32,svc-alice\n100.64.0.2/32,svc-bob\n",
         at=BEFORE["at"], realm="cgn")  # fmt: skip
    version = "100.64.0.1/32,198.51.100.9/32,1000,2026-01-01T00:00:00Z"
    other = "100.64.0.2/32,198.51.100.11/32,1000,2026-04-01T00:00:00Z"
    text = f"inside,outside,ports_per_host,since\n{version}\n{line}\n{other}\n"
    (told,) = load("nat-deterministic", tmp_path / "map.csv", text, inside_realm="cgn")
    assert told.refused_total == 1
    assert said("198.51.100.9", datetime(2026, 2, 1, tzinfo=UTC), 1500) == (then or ("CONFIRMED", "alice"))
    assert said("198.51.100.9", NOON, 1500) == (("NONE", None) if then else ("CONFIRMED", "alice"))


def test_a_log_in_that_reads_like_a_customers_key_is_nobodys_for_sure(tmp_path):
    """Two numberings can meet: nobody has said that the log-in 1001 is customer 1001's."""
    registry.add_customer(Customer(key="1001", name="One", representative=None), **BEFORE)
    day = [record(0, "Start", "1001"), record(1, "Interim-Update", "1001", lasted=HOUR)]
    load("radius-csv", tmp_path / "radius.csv", RADIUS + "".join(day) + record(2, "Stop", "1001", lasted=2 * HOUR))
    assert said("10.0.0.1", hours(1)) == ("PROBABLE", "1001")
    assert holders_of_session(Selector(session="1001/x"), at=LATER) == frozenset()
    add_identities([Identity(kind=SubjectKind.USERNAME, value="1001", customer="1001")], source="crm", **BEFORE)
    assert said("10.0.0.1", hours(1)) == ("CONFIRMED", "1001")
    assert holders_of_session(Selector(session="1001/x"), at=LATER) == {"1001"}
