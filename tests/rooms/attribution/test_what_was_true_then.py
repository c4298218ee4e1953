"""A change of the registry today does not change who is named for yesterday."""

import random
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from tipstaff.attribution.match import Question
from tipstaff.attribution.operations import take_in, take_out
from tipstaff.attribution.protocol import Options, UnusableFile
from tipstaff.attribution.queries import readings
from tipstaff.procedures.lookup import Asked, answer_one, who_held_them
from tipstaff.procedures.many import open_book
from tipstaff.procedures.offender import who_did_it
from tipstaff.procedures.subscribers import NotSubscribers, import_subscribers
from tipstaff.registry import operations as registry
from tipstaff.registry import queries
from tipstaff.wiring import sources
from tipstaff.words import (
    Allegation,
    Attribution,
    AttributionReason,
    Customer,
    Grade,
    HoldingKind,
    Moment,
    Origin,
    Service,
    ServiceKind,
    Tier,
)

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LATER = NOON + 10 * DAY
KEA = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"


def by(at: datetime) -> dict:
    return {"at": at, "actor": "engineer"}


@pytest.fixture(autouse=True)
def space(db) -> None:
    for prefix in ("198.51.100.0/24", "10.0.0.0/8"):
        for kind in (HoldingKind.STATIC, HoldingKind.POOL):
            registry.hold(
                tier=Tier.OPERATOR, kind=kind, prefix=ip_network(prefix), source="plan", held_from=NOON - 400 * DAY,
                **by(NOON - 400 * DAY),
            )  # fmt: skip
    for number in (1, 2, 8, 9):
        one = Customer(key=f"acct-{number}", name=f"Customer {number}", representative=None, is_reseller=number >= 8)
        registry.add_customer(one, **by(NOON - 300 * DAY))


def service(key: str, customer: str, port: str = "", *, at: datetime) -> None:
    registry.add_service(Service(key=key, customer=customer, kind=ServiceKind.ACCESS, port=port), **by(at))


@pytest.fixture
def leases(tmp_path):
    """Kea's file with one lease of a circuit, from a day before NOON until 20 days after."""

    def write(circuit: str, address: str = "10.0.0.1") -> None:
        begin, term = int((NOON - DAY).timestamp()), 21 * 86400
        option = (f"01{len(circuit):02x}" + circuit.encode().hex()).upper()
        context = f'{{ "ISC": {{ "relay-agent-info": {{ "sub-options": "0x{option}" }} }} }}'
        end = int((NOON + 40 * DAY).timestamp())
        file = tmp_path / "leases.csv"
        file.write_text(
            KEA
            + f"{address},02:00:00:00:00:01,,{term},{begin + term},1,0,0,,0,{context}\n"
            + f"10.0.0.200,02:00:00:00:00:99,,60,{end + 60},1,0,0,,0,\n"
        )
        list(
            take_in(file, sources()["kea-memfile"], Options(source="kea", circuits_unique=True), **by(LATER + 40 * DAY))
        )

    return write


def ask(address: str, at: datetime) -> Attribution:
    """The one answer of both ways to ask."""
    question = Question(address=ip_address(address), port=None, protocol=None, moment=Moment(at, 1.0))
    one = answer_one(question, received_at=LATER)
    (many,) = open_book(at=LATER).attribute([question], received_at=LATER)
    assert (one.grade, one.reason, one.customer, one.downstream, one.service) == (
        many.grade, many.reason, many.customer, many.downstream, many.service
    )  # fmt: skip
    return one


def said(address: str, at: datetime) -> tuple[Grade, str | None]:
    answer = ask(address, at)
    return answer.grade, answer.customer


def test_a_port_given_to_another_changes_nothing_before(leases):
    leases("dla01/3")
    service("svc-1", "acct-1", "dla01/3", at=NOON)
    assert said("10.0.0.1", NOON + DAY) == (Grade.CONFIRMED, "acct-1")

    moved = NOON + 3 * DAY
    service("svc-1", "acct-1", "dla01/9", at=moved)
    service("svc-2", "acct-2", "dla01/3", at=moved)
    assert said("10.0.0.1", NOON + DAY) == (Grade.CONFIRMED, "acct-1")
    assert said("10.0.0.1", moved + DAY) == (Grade.CONFIRMED, "acct-2")
    assert said("10.0.0.1", moved)[0] is Grade.CONTRADICTED or said("10.0.0.1", moved)[0] is Grade.AMBIGUOUS


def test_what_a_person_gave_names_nobody_after_its_service_ended_though_it_stays():
    """The next customer's row is refused for it, and nobody is taken for the last one."""
    service("svc-1", "acct-1", at=NOON - 50 * DAY)
    ended = NOON - 2 * DAY
    given = {
        "tier": Tier.CUSTOMER,
        "kind": HoldingKind.STATIC,
        "customer": "acct-1",
        "service": "svc-1",
        "source": "desk",
    }
    for address, since in (("198.51.100.9/32", NOON - 40 * DAY), ("198.51.100.10/32", NOON - DAY)):
        registry.hold(prefix=ip_network(address), held_from=since, **given, **by(NOON - 40 * DAY))
    registry.end_service("svc-1", held_until=ended, origin=Origin.CRM, **by(ended))
    rows = f"tier,kind,prefix,held_from,customer\ncustomer,static,198.51.100.9,{NOON - DAY:%Y-%m-%d},acct-2\n"
    preview = registry.import_csv(rows.splitlines(keepends=True), source_name="crm.csv", **by(NOON))
    assert [f"svc-1 has ended on {ended:%Y-%m-%d}" in row.why for row in preview.kept] == [True]
    assert said("198.51.100.9", ended - DAY) == (Grade.CONFIRMED, "acct-1")
    for address in ("198.51.100.9", "198.51.100.10"):
        assert ask(address, NOON).customer is None


def test_before_a_port_was_known_its_first_customer_is_only_probable(leases):
    leases("dla01/3")
    service("svc-1", "acct-1", "dla01/3", at=NOON)
    assert said("10.0.0.1", NOON - DAY / 2) == (Grade.PROBABLE, "acct-1")


def test_a_port_that_was_a_slip_and_undone_was_never_anybodys(leases):
    leases("dla01/3")
    service("svc-1", "acct-1", "dla01/3", at=NOON - 2 * DAY)
    service("svc-2", "acct-2", "dla01/4", at=NOON - 2 * DAY)
    service("svc-2", "acct-2", "dla01/3", at=NOON)
    assert ask("10.0.0.1", NOON + DAY).customer is None
    slip = queries.list_changes()[0].key
    undone = registry.undo(slip, why="a slip", **by(NOON + 2 * DAY))
    assert said("10.0.0.1", NOON + DAY) == (Grade.CONFIRMED, "acct-1")
    registry.undo(undone, why="it was none", **by(NOON + 3 * DAY))
    assert ask("10.0.0.1", NOON + DAY).customer is None
    assert said("10.0.0.1", NOON - DAY / 2) == (Grade.CONFIRMED, "acct-1")


LIST = "kind,value,service,customer,since,until\n"


def read(*rows: str, at: datetime, source: str = "crm.csv") -> str:
    """The change that reading this list of subscribers made."""
    done, refused = import_subscribers([LIST, *(f"{row}\n" for row in rows)], source=source, **by(at))
    assert not refused
    return done.change


def test_an_entry_without_a_beginning_is_sure_from_its_reading_until_the_last_that_had_it(leases):
    leases("line-7")
    first, last, third = (NOON + n * DAY for n in (0, 3, 5))
    read("circuit,line-7,,acct-1,,", at=first)
    assert said("10.0.0.1", NOON - DAY / 2) == (Grade.PROBABLE, "acct-1")
    assert said("10.0.0.1", NOON + DAY) == (Grade.CONFIRMED, "acct-1")
    read("circuit,line-7,,acct-1,,", at=last)
    read("circuit,line-7,,acct-2,,", at=third)

    assert said("10.0.0.1", NOON - DAY / 2) == (Grade.PROBABLE, "acct-1")
    assert said("10.0.0.1", NOON + DAY) == (Grade.CONFIRMED, "acct-1")
    assert said("10.0.0.1", NOON + 4 * DAY) == (Grade.AMBIGUOUS, None)
    assert said("10.0.0.1", NOON + 6 * DAY) == (Grade.CONFIRMED, "acct-2")


def test_what_a_list_states_with_its_instants_counts_as_stated(leases):
    leases("line-7")
    read("circuit,line-7,,acct-1,,", at=NOON)
    read(
        f"circuit,line-7,,acct-1,,{(NOON + 2 * DAY).isoformat()}",
        f"circuit,line-7,,acct-2,{(NOON + 2 * DAY).isoformat()},",
        at=NOON + 6 * DAY,
    )
    assert said("10.0.0.1", NOON + 3 * DAY) == (Grade.CONFIRMED, "acct-2")
    assert said("10.0.0.1", NOON + DAY)[1] == "acct-1"
    # A stated beginning that leaves nothing of what was said before corrects it.
    read(f"circuit,line-7,,acct-2,{(NOON - 9 * DAY).isoformat()},", at=NOON + 7 * DAY)
    assert said("10.0.0.1", NOON + DAY) == (Grade.CONFIRMED, "acct-2")


def test_a_reading_of_a_list_is_a_change_that_can_be_undone(leases):
    leases("line-7")
    read("circuit,line-7,,acct-1,,", at=NOON)
    wrong = read("circuit,line-7,,acct-2,,", "circuit,line-8,,acct-2,,", at=NOON + DAY)
    assert said("10.0.0.1", NOON + 2 * DAY) == (Grade.CONFIRMED, "acct-2")
    undone = registry.undo(wrong, why="the wrong file", **by(NOON + 3 * DAY))
    assert said("10.0.0.1", NOON + 2 * DAY) == (Grade.CONFIRMED, "acct-1")
    assert queries.get_change(wrong).undone_by == undone
    registry.undo(undone, why="it was right", **by(NOON + 4 * DAY))
    assert said("10.0.0.1", NOON + 2 * DAY) == (Grade.CONFIRMED, "acct-2")


@pytest.mark.parametrize(
    "rows", [[], ["circuit,line-7,svc-x,,,\n"], ["port,line-7,,acct-1,,\n", "circuit,,,acct-1,,\n"]]
)
def test_a_list_without_a_good_row_is_refused_and_what_was_said_stands(rows, leases):
    leases("line-7")
    read("circuit,line-7,,acct-1,,", at=NOON)
    before = queries.list_changes()
    with pytest.raises(NotSubscribers, match="not one row of it is good, so what it said before stands"):
        import_subscribers([LIST, *rows], source="crm.csv", **by(NOON + DAY))
    assert queries.list_changes() == before
    assert said("10.0.0.1", NOON + 2 * DAY) == (Grade.CONFIRMED, "acct-1")


def reseller(key: str, above: str | None, *, at: datetime) -> None:
    registry.add_customer(
        Customer(key=key, name=key, representative=None, reseller=above, is_reseller=key >= "acct-8"), **by(at)
    )


def test_the_reseller_is_whoever_it_was_then(leases):
    leases("line-7")
    read("circuit,line-7,,acct-1,,", at=NOON - 9 * DAY)
    registry.add_site(
        "shop.example.net", address=ip_address("198.51.100.9"), customer="acct-1", service=None, since=NOON - 9 * DAY,
        **by(NOON - 9 * DAY),
    )  # fmt: skip
    own = {"kind": HoldingKind.STATIC, "source": "plan", "held_from": NOON - 9 * DAY, **by(NOON - 9 * DAY)}
    registry.hold(tier=Tier.CUSTOMER, prefix=ip_network("198.51.100.20"), customer="acct-1", **own)
    registry.hold(tier=Tier.RESELLER, prefix=ip_network("198.51.100.32/28"), customer="acct-8", **own)
    moved, sold = NOON + 2 * DAY, NOON + 4 * DAY
    reseller("acct-1", "acct-8", at=moved)
    reseller("acct-8", "acct-9", at=sold)

    def site(at: datetime) -> Attribution:
        asked = Allegation(type="messaging/spam", domain="shop.example.net", moment=Moment(at, 1.0))
        return who_did_it(asked, received_at=LATER)

    for at, who in ((NOON + DAY, "acct-1"), (moved + DAY, "acct-8"), (sold + DAY, "acct-9")):
        (by_many,) = who_held_them([Asked(ip_address("198.51.100.20"), None, None, Moment(at, 1.0))], received_at=LATER)
        for answer in (ask("10.0.0.1", at), site(at), ask("198.51.100.20", at), by_many):
            assert (answer.grade, answer.customer) == (Grade.CONFIRMED, who)
            assert answer.downstream == (None if who == "acct-1" else "acct-1")
    for answer in (ask("10.0.0.1", moved), site(moved), ask("198.51.100.20", moved)):
        assert (answer.grade, answer.customer) == (Grade.AMBIGUOUS, None)
    below, above = (ask("198.51.100.33", at) for at in (NOON, sold + DAY))
    assert (below.customer, below.downstream) == ("acct-8", None)
    assert (above.reason, above.customer, above.downstream) == (AttributionReason.ONE_RESELLER, "acct-9", "acct-8")
    assert queries.top_resellers({"acct-1"}, at=moved + DAY) == {"acct-1": "acct-8"}
    assert queries.top_resellers({"acct-1"}, at=NOON) == {}


def test_an_ended_service_is_nobodys_name_any_more(leases):
    leases("dla01/3")
    service("svc-1", "acct-1", "dla01/3", at=NOON - 9 * DAY)
    read("circuit,line-7,svc-1,,,", at=NOON - 9 * DAY)
    more = {
        "tier": Tier.CUSTOMER,
        "kind": HoldingKind.STATIC,
        "customer": "acct-1",
        "service": "svc-1",
        "source": "order",
    }
    fixed = {"held_from": NOON - 60 * DAY, "held_until": NOON + 300 * DAY}
    registry.hold(prefix=ip_network("198.51.100.7/32"), **fixed, **more, **by(NOON - 60 * DAY))
    registry.hold(prefix=ip_network("198.51.100.8/32"), held_from=NOON + 4 * DAY, **more, **by(NOON - 60 * DAY))
    over = NOON + 2 * DAY
    assert registry.end_service("svc-1", held_until=over, **by(LATER)).holdings == 2
    ended = queries.list_changes()[0]

    for address in ("198.51.100.7", "10.0.0.1"):
        assert said(address, NOON + DAY) == (Grade.CONFIRMED, "acct-1")
        assert ask(address, over + DAY).customer is None
    assert ask("198.51.100.8", NOON + 5 * DAY).customer is None
    leases("line-7", "10.0.0.2")
    assert said("10.0.0.2", NOON + DAY) == (Grade.CONFIRMED, "acct-1")
    assert ask("10.0.0.2", over + DAY).customer is None
    assert registry.end_service("svc-1", held_until=over + DAY, **by(LATER)).holdings == 0

    registry.undo(ended.key, why="the wrong service", **by(LATER))
    for address in ("198.51.100.7", "10.0.0.1", "10.0.0.2"):
        assert said(address, over + DAY) == (Grade.CONFIRMED, "acct-1")
    assert said("198.51.100.8", NOON + 5 * DAY) == (Grade.CONFIRMED, "acct-1")


def test_a_system_takes_nothing_away_that_a_person_has_set_for_after_the_end():
    service("svc-1", "acct-1", at=NOON - 9 * DAY)
    more = {
        "tier": Tier.CUSTOMER,
        "kind": HoldingKind.STATIC,
        "customer": "acct-1",
        "service": "svc-1",
        "source": "order",
    }
    registry.hold(prefix=ip_network("198.51.100.8/32"), held_from=NOON + 4 * DAY, **more, **by(NOON))
    assert registry.end_service("svc-1", held_until=NOON, origin=Origin.CRM, **by(NOON)).holdings == 0
    assert [str(h.prefix) for h in queries.holdings_of("acct-1", at=NOON + 5 * DAY)] == ["198.51.100.8/32"]
    assert ask("198.51.100.8", NOON + 5 * DAY).customer is None, "two say otherwise: whose it is a person says"


@pytest.fixture
def plan(tmp_path):
    """Reads an address plan anew, always the same file."""

    def write(*rows: str, at: datetime) -> None:
        file = tmp_path / "plan.csv"
        file.write_text("prefix,service,since,until\n" + "".join(f"{row}\n" for row in rows))
        list(take_in(file, sources()["ipam"], Options(source="ipam"), **by(at)))

    for number in (1, 2):
        service(f"svc-{number}", f"acct-{number}", at=NOON - 9 * DAY)
    return write


ROW = "198.51.100.40/32,svc-{},{},{}"


def test_a_plans_row_given_to_another_changes_nothing_before(plan):
    plan(ROW.format(1, "", ""), at=NOON)
    plan(ROW.format(1, "", ""), "198.51.100.41/32,svc-1,,", at=NOON + 3 * DAY)
    assert said("198.51.100.40", NOON - DAY) == (Grade.PROBABLE, "acct-1")
    assert said("198.51.100.40", NOON + DAY) == (Grade.CONFIRMED, "acct-1")
    plan(ROW.format(2, "", ""), at=NOON + 5 * DAY)
    assert said("198.51.100.40", NOON - DAY) == (Grade.PROBABLE, "acct-1")
    assert said("198.51.100.40", NOON + DAY) == (Grade.CONFIRMED, "acct-1")
    assert said("198.51.100.40", NOON + 4 * DAY) == (Grade.AMBIGUOUS, None)
    assert said("198.51.100.40", NOON + 6 * DAY) == (Grade.CONFIRMED, "acct-2")
    assert said("198.51.100.41", NOON + 3.5 * DAY) == (Grade.PROBABLE, "acct-1")
    assert ask("198.51.100.41", NOON + 6 * DAY).customer is None


@pytest.mark.parametrize(
    "wrong",
    [
        (ROW.format(2, "", ""),),
        ("198.51.100.44/32,svc-2,,",),
        (ROW.format(1, "", (NOON - DAY).isoformat()),),
        (ROW.format(2, (NOON - 20 * DAY).isoformat(), ""),),
    ],
)
def test_a_reading_of_a_plan_is_taken_out_and_what_was_said_before_stands_as_it_did(wrong, plan):
    days = [NOON + n * DAY for n in (-1, 1, 3, 6, 8, 12)]
    gone = "198.51.100.42/32,svc-2,,"
    plan(ROW.format(1, "", ""), gone, at=NOON)
    plan(ROW.format(1, "", ""), "198.51.100.43/32,svc-2,,", at=NOON + 2 * DAY)

    def all_said() -> list[tuple[Grade, str | None]]:
        asked = [
            Question(address=ip_address(f"198.51.100.{n}"), moment=Moment(at, 1.0))
            for n in (40, 42, 43, 44)
            for at in days
        ]
        many = [(a.grade, a.customer) for a in open_book(at=LATER).attribute(asked, received_at=LATER)]
        assert many[4] == said("198.51.100.40", days[4])
        return many

    before = all_said()
    assert before[:5] == [(Grade.PROBABLE, "acct-1"), *[(Grade.CONFIRMED, "acct-1")] * 4]
    plan(*wrong, at=NOON + 5 * DAY)
    assert all_said() != before
    plan(*wrong, ROW.replace("40", "45").format(2, "", ""), at=NOON + 7 * DAY)
    numbers = [r.number for r in readings(source="ipam")]
    (told,) = take_out([numbers[2]], why="another customer's plan", **by(NOON + 9 * DAY))
    assert [r.number for r in told.readings] == numbers[2:], "what was read of it later rests on it"
    assert all_said() == before
    plan(ROW.format(1, "", ""), "198.51.100.43/32,svc-2,,", at=NOON + 9 * DAY)
    assert all_said() == before


@pytest.mark.parametrize("out", [(1,), (2, 1)])
def test_an_end_that_was_stated_comes_back_when_more_than_one_reading_is_taken_out(out, plan):
    end = NOON + DAY
    plan(ROW.format(1, "", end.isoformat()), at=NOON - DAY)
    plan(ROW.format(1, "", ""), at=NOON)
    plan(ROW.format(2, "", ""), at=NOON + 2 * DAY)
    numbers = [r.number for r in readings(source="ipam")]
    for place in out:
        take_out([numbers[place]], why="another customer's plan", **by(NOON + 9 * DAY))
    assert len(readings(source="ipam")) == 1
    assert said("198.51.100.40", end - DAY / 2) == (Grade.CONFIRMED, "acct-1")
    assert ask("198.51.100.40", end + DAY / 2).customer is None
    assert ask("198.51.100.40", NOON + 8 * DAY).customer is None


def test_what_a_plan_states_with_its_instants_counts_as_stated(plan):
    begin, end = ((NOON + n * DAY).isoformat() for n in (-5, 2))
    plan(ROW.format(1, begin, ""), at=NOON)
    assert said("198.51.100.40", NOON - DAY) == (Grade.CONFIRMED, "acct-1")
    plan(ROW.format(1, begin, end), ROW.format(2, end, ""), at=NOON + 5 * DAY)
    assert said("198.51.100.40", NOON + DAY) == (Grade.CONFIRMED, "acct-1")
    assert said("198.51.100.40", NOON + 3 * DAY) == (Grade.CONFIRMED, "acct-2")
    plan(ROW.format(2, begin, ""), at=NOON + 6 * DAY)
    assert said("198.51.100.40", NOON + DAY) == (Grade.CONFIRMED, "acct-2")


def test_a_plan_without_a_good_row_is_refused_and_what_was_said_stands(plan):
    plan(ROW.format(1, "", ""), at=NOON)
    with pytest.raises(UnusableFile, match="what it said before stands; line 2: since is no instant with a zone"):
        plan(ROW.format(1, "2026-01-01", ""), at=NOON + DAY)
    plan(at=NOON + DAY)
    assert said("198.51.100.40", NOON + 2 * DAY) == (Grade.CONFIRMED, "acct-1")


PLACES = [f"{kind}-{n}" for kind in ("line", "port") for n in range(3)]
QUARTER = timedelta(minutes=15)
ROUNDS = 24


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_told_later_nobody_is_surely_named_who_was_not_there(seed, tmp_path):
    """Customers move between lines, ports and resellers. A port and a reseller are told when they change, the list of
    lines is read each hour, and some acts are slips that are undone a round later."""
    dice = random.Random(seed)
    rows = ""
    begin, term = int((NOON - DAY).timestamp()), 21 * 86400
    for number, place in enumerate(PLACES, start=1):
        option = (f"01{len(place):02x}" + place.encode().hex()).upper()
        context = f'{{ "ISC": {{ "relay-agent-info": {{ "sub-options": "0x{option}" }} }} }}'
        rows += f"10.0.0.{number},02:00:00:00:00:{number:02x},,{term},{begin + term},1,0,0,,0,{context}\n"
    (tmp_path / "leases.csv").write_text(f"{KEA}{rows}10.0.0.200,02:00:00:00:00:99,,60,{begin + 3 * term},1,0,0,,0,\n")
    kea = Options(source="kea", circuits_unique=True)
    list(take_in(tmp_path / "leases.csv", sources()["kea-memfile"], kea, **by(LATER + 60 * DAY)))
    customers = ("acct-1", "acct-2")
    for place in PLACES:
        for customer in customers:
            service(f"{place}-{customer}", customer, at=NOON - 9 * DAY)
    there: dict[str, str] = {}
    above: dict[str, str | None] = dict.fromkeys(customers)
    truth: list[tuple[datetime, dict[str, str | None]]] = []

    def note(at: datetime) -> None:
        truth.append((at, {p: above[c] or c for p, c in there.items()}))

    slip = None
    for number in range(ROUNDS):
        at = NOON + number * 4 * QUARTER
        if slip:
            registry.undo(slip, why="a slip", **by(at))
            slip = None
        # Between two readings somebody moves in or out; the list tells of it at the next.
        line, act = dice.choice(PLACES[:3]), dice.random()
        if act < 0.6:
            there.pop(line, None)
            if act < 0.4:
                there[line] = dice.choice(customers)
            note(at - QUARTER)
        read(*(f"circuit,{p},,{there[p]},," for p in PLACES[:3] if p in there), "username,nobody,,acct-1,,", at=at)
        port, act = dice.choice(PLACES[3:]), dice.random()
        if act < 0.4:
            new = dice.choice(customers)
            for customer in customers:
                service(f"{port}-{customer}", customer, port if customer == new else "", at=at)
            there[port] = new
        elif act < 0.55:
            customer = dice.choice(customers)
            above[customer] = dice.choice((None, "acct-8", "acct-9"))
            reseller(customer, above[customer], at=at)
        elif act < 0.7 and port in there:
            (other,) = {*customers} - {there[port]}
            service(f"{port}-{other}", other, port, at=at)
            slip = queries.list_changes(limit=1)[0].key
        note(at)
    if slip:
        registry.undo(slip, why="a slip", **by(LATER))

    def was(place: str, at: datetime) -> str | None:
        return next((told.get(place) for since, told in reversed(truth) if since <= at), None)

    asked = [
        (place, NOON + step * QUARTER + timedelta(minutes=5), f"10.0.0.{number}")
        for number, place in enumerate(PLACES, start=1)
        for step in range(-4, ROUNDS * 4)
    ]
    questions = [
        Question(address=ip_address(a), port=None, protocol=None, moment=Moment(at, 1.0)) for _, at, a in asked
    ]
    answers = open_book(at=LATER).attribute(questions, received_at=LATER)
    sure = 0
    for (place, at, _), question, answer in zip(asked, questions, answers, strict=True):
        if answer.grade is Grade.CONFIRMED:
            assert answer.customer == was(place, at), (place, at)
            sure += 1
        if dice.random() < 0.15:
            alone = answer_one(question, received_at=LATER)
            assert (alone.grade, alone.reason, alone.customer, alone.downstream, alone.service) == (
                answer.grade, answer.reason, answer.customer, answer.downstream, answer.service
            )  # fmt: skip
    assert sure > 0.5 * sum(was(place, at) is not None for place, at, _ in asked)
