"""Many questions at once are answered exactly as the walk answers each, on random histories of logs and holdings."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from tipstaff.attribution.book import book_of
from tipstaff.attribution.match import Question, window_of
from tipstaff.attribution.walk import walk
from tipstaff.words import (
    Binding,
    Ending,
    Gap,
    Grade,
    Holding,
    HoldingKind,
    Identity,
    Moment,
    Station,
    SubjectKind,
    Tier,
)

from .histories import BEGIN, PORT_BLOCKS, RECEIVED, histories, hour

PUBLIC = ("192.0.2.1", "192.0.2.9", "198.51.100.7", "2001:db8:0:42::1")
INSIDE = ("100.64.0.1", "100.64.0.2", "2001:db8:ffff::1")
PREFIXES = ("192.0.2.1/32", "192.0.2.9/32", "198.51.100.7/32", "192.0.2.0/28", "2001:db8:0:42::/64", "2001:db8::/40",
            "2001:db8:0:42::/120")  # fmt: skip
INSIDE_PREFIXES = ("100.64.0.1/32", "100.64.0.2/32", "100.64.0.0/30", "2001:db8:ffff::/64")
THERE = (ip_address("203.0.113.1"), ip_address("203.0.113.2"))
SUBJECTS = ((SubjectKind.USERNAME, "alice"), (SubjectKind.USERNAME, "bob"), (SubjectKind.MAC, "02:00:00:00:00:01"))
MACHINES = ("02:00:00:00:00:01", "02-00-00-00-00-01", "0200.0000.0002")
ERRORS = st.sampled_from((0.0, 1.0, 60.0, 3600.0, 20 * 3600.0))


@st.composite
def spans(draw: st.DrawFn) -> dict:
    """Possible and sure spans of a binding, as readers make them and as they do not; half of them steady."""
    source = draw(st.sampled_from(("radius-1", "dhcp-1", "neighbours")))
    if draw(st.booleans()):
        return {
            "possible_from": hour(-10), "sure_from": hour(-9), "sure_until": hour(900), "source": source,
            "ending": draw(st.sampled_from((Ending.EXPLICIT, Ending.PROMISED))), "strong": draw(st.integers(0, 4)) > 0,
        }  # fmt: skip
    begin = hour(draw(st.integers(0, 400)))
    lasts = draw(st.one_of(st.none(), st.integers(1, 200)))
    error = timedelta(seconds=draw(ERRORS))
    seen = timedelta(hours=draw(st.integers(0, 60)))
    end = None if lasts is None else begin + timedelta(hours=lasts)
    surely = begin + seen if end is None or draw(st.booleans()) else end
    return {
        "possible_from": begin - error,
        "sure_from": begin + error,
        "sure_until": surely - error,
        "possible_until": None if end is None else end + error,
        "ending": draw(st.sampled_from(list(Ending))),
        "strong": draw(st.sampled_from((True, True, False))),
        "source": source,
    }


@st.composite
def sessions(draw: st.DrawFn, *, prefixes=PREFIXES, realm: str = "") -> Binding:
    kind, subject = draw(st.sampled_from(SUBJECTS))
    span = draw(spans())
    return Binding(
        prefix=ip_network(draw(st.sampled_from(prefixes))), realm=realm, subject_kind=kind, subject=subject, **span
    )


@st.composite
def logins(draw: st.DrawFn) -> Binding:
    """Who was logged in with a machine that sessions name."""
    kind, subject = draw(st.sampled_from(SUBJECTS[:2]))
    machine = Station(draw(st.sampled_from((0x020000000001, 0x020000000001, 0x020000000002))))
    return Binding(prefix=machine, subject_kind=kind, subject=subject, **draw(spans()))


@st.composite
def translations(draw: st.DrawFn) -> Binding:
    first, last = draw(st.sampled_from(PORT_BLOCKS[2:]))
    protocol = draw(st.sampled_from((None, None, None, 6, 17)))
    momentary = draw(st.integers(0, 5)) == 0
    if momentary:
        first = last = draw(st.sampled_from((1500, 2047)))
    return Binding(
        prefix=ip_network(draw(st.sampled_from(PREFIXES[:3]))),
        port_first=first,
        port_last=last,
        protocol=protocol,
        momentary=momentary,
        there=draw(st.sampled_from((None, *THERE))) if momentary else None,
        there_port=443 if momentary else None,
        inside=ip_address(draw(st.sampled_from(INSIDE))),
        inside_realm=draw(st.sampled_from(("", "cgn"))),
        **draw(spans()),
    )


@st.composite
def identities(draw: st.DrawFn) -> Identity:
    kind, value = draw(st.sampled_from(SUBJECTS))
    since, until = draw(
        st.sampled_from(((None, None), (None, None), (None, hour(200)), (hour(200), None), (hour(100), hour(300))))
    )
    customer = draw(st.sampled_from(("acct-1", "acct-2", "acct-3")))
    reseller = draw(st.sampled_from((None, None, "acct-9")))
    return Identity(
        kind=kind,
        value=value,
        customer=customer,
        service=f"svc-{customer}",
        reseller=reseller,
        since=since,
        until=until,
        sure_from=draw(st.sampled_from((None, None, None, hour(40), hour(120)))),
        sure_until=draw(st.sampled_from((None, None, None, hour(160), hour(260)))),
        source=draw(st.sampled_from((None, None, "radius-1", "RADIUS", "dhcp"))),
    )


@st.composite
def questions(draw: st.DrawFn) -> Question:
    error = draw(st.sampled_from((0.0, 1.0, 1.0, 1800.0, 14 * 3600.0)))
    moment = None if draw(st.integers(0, 6)) == 0 else Moment(hour(draw(st.integers(0, 420))), error)
    return Question(
        address=ip_address(draw(st.sampled_from((*PUBLIC, "203.0.113.9")))),
        port=draw(st.sampled_from((None, 1024, 1500, 2047, 40000))),
        protocol=draw(st.sampled_from((None, None, 6, 17))),
        moment=moment,
        there=draw(st.sampled_from((None, None, *THERE))),
        there_port=draw(st.sampled_from((None, 443))),
    )


EVERYBODY = [
    Identity(kind=kind, value=value, customer=f"acct-{n}", service=f"svc-{n}", reseller="acct-9" if n == 2 else None)
    for n, (kind, value) in enumerate(SUBJECTS, start=1)
]
POOL = tuple(
    Holding(key=2000 + n, tier=Tier.OPERATOR, kind=HoldingKind.POOL, prefix=ip_network(p), held_from=hour(-9000))
    for n, p in enumerate(("192.0.2.0/25", "2001:db8::/33"))
)
GAPS = st.lists(
    st.tuples(
        st.sampled_from([ip_address(a) for a in (*PUBLIC, *INSIDE)]),
        st.sampled_from(
            (
                Gap(since=None, until=hour(50)),
                Gap(since=hour(200), until=hour(210)),
                Gap(since=hour(210), until=hour(225), lasting=True),
                Gap(since=hour(50), until=hour(380), lasting=True, beside=True),
                Gap(since=hour(380), until=None),
            )
        ),
    ),
    max_size=3,
)


def in_short(answer):
    named = answer.grade in (Grade.CONFIRMED, Grade.PROBABLE)
    proof = (answer.bindings, answer.identities) if named else ()
    return answer.grade, answer.reason, answer.customer, answer.service, answer.downstream, proof


@settings(max_examples=250, deadline=None)
@given(
    holdings=histories(max_size=5),
    inside_held=st.booleans(),
    bindings=st.lists(
        st.one_of(sessions(), sessions(), translations(), sessions(prefixes=INSIDE_PREFIXES, realm="cgn"),
                  sessions(prefixes=INSIDE_PREFIXES), logins()),
        max_size=7,
    ),
    known=st.one_of(st.lists(identities(), max_size=4), st.just(EVERYBODY), st.just(EVERYBODY[:2])),
    asked=st.lists(questions(), min_size=1, max_size=12),
    gaps=GAPS,
    spoken=st.lists(st.sampled_from([ip_address(a) for a in PUBLIC]), max_size=2),
)  # fmt: skip
def test_many_at_once_are_answered_as_each_alone(holdings, inside_held, bindings, known, asked, gaps, spoken):
    holdings = [*holdings, *POOL]
    if inside_held:
        holdings.append(
            Holding(
                key=3000, tier=Tier.CUSTOMER, kind=HoldingKind.STATIC, prefix=ip_network("100.64.0.2/32"),
                held_from=hour(-10), customer="acct-2", service="svc-acct-2",
            )
        )  # fmt: skip
    book = book_of(holdings, bindings, known, gaps, spoken=spoken, records_begin_at=BEGIN)
    answers = book.attribute(asked, received_at=RECEIVED)
    for question, answer in zip(asked, answers, strict=True):
        insides = {b.inside for b in bindings if b.inside and touches(b, question)}
        alone = walk(
            question.address,
            port=question.port,
            protocol=question.protocol,
            moment=question.moment,
            there=question.there,
            there_port=question.there_port,
            received_at=RECEIVED,
            holdings=holdings,
            bindings=bindings,
            identities=known,
            gaps=[
                *(g for a, g in gaps if neighbours(a, question.address)),
                *(replace(g, behind_nat=True) for a, g in gaps if any(neighbours(a, i) for i in insides)),
            ],
            unread=not any(neighbours(a, question.address) for a in [*(a for a, _ in gaps), *spoken])
            and not any(bound_near(b, question.address) for b in bindings)
            and not any(given_near(h, question.address) for h in holdings),
            records_begin_at=BEGIN,
        )
        assert in_short(answer) == in_short(alone)


def bound_near(binding: Binding, address) -> bool:
    return not binding.realm and not isinstance(binding.prefix, Station) and near(binding.prefix, address)


def given_near(holding: Holding, address) -> bool:
    return holding.kind in (HoldingKind.LEASE, HoldingKind.PORT_BLOCK) and near(holding.prefix, address)


def near(prefix, address) -> bool:
    around = ip_network((int(address), 24 if address.version == 4 else 40), strict=False)
    return prefix.version == address.version and prefix.overlaps(around)


def touches(binding: Binding, question: Question) -> bool:
    window = window_of(question.moment, received_at=RECEIVED)
    return (
        binding.realm == ""
        and question.address in binding.prefix
        and (question.port is None or binding.port_first <= question.port <= binding.port_last)
        and (question.protocol is None or binding.protocol in (None, question.protocol))
        and binding.possible_from <= window.latest
        and (binding.possible_until is None or binding.possible_until > window.earliest)
    )


def neighbours(one, other) -> bool:
    if one.version != other.version:
        return False
    shift = 8 if one.version == 4 else 88
    return int(one) >> shift == int(other) >> shift


@settings(max_examples=60, deadline=None)
@given(
    blocks=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(INSIDE[:2]), st.booleans()), min_size=1, max_size=5,
                    unique_by=lambda b: b[0]),
    behind=st.lists(st.tuples(st.sampled_from(INSIDE[:2]), st.sampled_from(SUBJECTS), st.integers(0, 4)), max_size=3),
    asked=st.lists(st.tuples(st.sampled_from((None, 1000, 1024, 1500, 2047, 2048, 4000, 7167)), st.integers(40, 390)),
                   min_size=1, max_size=8),
)  # fmt: skip
def test_chains_through_nat_are_answered_as_each_alone(blocks, behind, asked):
    steady = {"possible_from": hour(-10), "sure_from": hour(-10), "sure_until": hour(900), "ending": Ending.EXPLICIT}
    bindings = [
        Binding(
            source="nat-1", prefix=ip_network("192.0.2.1/32"), port_first=1024 + 1024 * number,
            port_last=2047 + 1024 * number, inside=ip_address(inside), inside_realm="cgn", strong=strong, **steady,
        )
        for number, inside, strong in blocks
    ]  # fmt: skip
    bindings += [
        Binding(
            source="radius-1", realm="cgn", prefix=ip_network(f"{inside}/32"), subject_kind=kind, subject=subject,
            strong=weak != 0, **steady,
        )
        for inside, (kind, subject), weak in behind
    ]  # fmt: skip
    holdings = [
        Holding(
            key=1, tier=Tier.OPERATOR, kind=HoldingKind.POOL, prefix=ip_network("192.0.2.0/24"), held_from=hour(-900)
        )
    ]
    book = book_of(holdings, bindings, EVERYBODY, records_begin_at=BEGIN)
    questions = [Question(address=ip_address("192.0.2.1"), port=p, moment=Moment(hour(h))) for p, h in asked]
    for question, answer in zip(questions, book.attribute(questions, received_at=RECEIVED), strict=True):
        alone = walk(
            question.address, port=question.port, protocol=None, moment=question.moment, received_at=RECEIVED,
            holdings=holdings, bindings=bindings, identities=EVERYBODY, records_begin_at=BEGIN,
        )  # fmt: skip
        assert in_short(answer) == in_short(alone)


@settings(max_examples=80, deadline=None)
@given(
    leases=st.lists(st.tuples(st.sampled_from(MACHINES), spans()), min_size=1, max_size=2),
    logged_in=st.lists(logins(), max_size=3),
    behind_nat=st.booleans(),
    known=st.sampled_from((EVERYBODY, EVERYBODY[:2], EVERYBODY[:1])),
    asked=st.lists(questions(), min_size=1, max_size=8),
)
def test_those_who_logged_in_with_a_machine_are_found_as_each_alone(leases, logged_in, behind_nat, known, asked):
    place, realm = ("100.64.0.1/32", "cgn") if behind_nat else ("192.0.2.1/32", "")
    bindings = [
        Binding(prefix=ip_network(place), realm=realm, subject_kind=SubjectKind.MAC, subject=machine, **span)
        for machine, span in leases
    ]
    steady = {"possible_from": hour(-10), "sure_from": hour(-10), "sure_until": hour(900), "ending": Ending.EXPLICIT}
    if behind_nat:
        bindings.append(
            Binding(
                source="nat-1", prefix=ip_network("192.0.2.1/32"), port_first=1024, port_last=2047,
                inside=ip_address("100.64.0.1"), inside_realm="cgn", **steady,
            )
        )  # fmt: skip
    bindings += logged_in
    book = book_of(POOL, bindings, known, records_begin_at=BEGIN)
    for question, answer in zip(asked, book.attribute(asked, received_at=RECEIVED), strict=True):
        alone = walk(
            question.address, port=question.port, protocol=question.protocol, moment=question.moment,
            received_at=RECEIVED, holdings=POOL, bindings=bindings, identities=known, records_begin_at=BEGIN,
            unread=not any(bound_near(b, question.address) for b in bindings),
        )  # fmt: skip
        assert in_short(answer) == in_short(alone)
