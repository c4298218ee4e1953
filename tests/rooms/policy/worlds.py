"""Random worlds: editions as an operator could write them, and everything that a judge can be asked under them."""

import dataclasses
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from hypothesis import strategies as st

from tipstaff.policy.clauses import Clause, ClauseKind, Clock, ClockKind, ClockUnit, Edition, Opens, PortOf, Subject
from tipstaff.policy.remedies import Footprint
from tipstaff.policy.strikes import Escalation, Repeats
from tipstaff.words import (
    XARF_TYPES,
    Allegation,
    Attribution,
    AttributionReason,
    Degree,
    Direction,
    EvidenceGrade,
    Grade,
    History,
    Moment,
    NoticePosture,
    Role,
    Rung,
    Scope,
    Severity,
    Strike,
    Trust,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GROUPS = ("mail", "exposure", "copyright")
TYPES = ("messaging/spam", "connection/ddos", "content/phishing", "copyright/p2p", "content/csam")

rungs = st.builds(Rung, scope=st.sampled_from(Scope), degree=st.sampled_from(Degree))


def ladders(**bounds: int) -> st.SearchStrategy[tuple[Rung, ...]]:
    """Rungs from narrow to wide, none twice."""
    return st.sets(rungs, **bounds).map(lambda found: tuple(sorted(found, key=lambda r: (r.scope, r.degree))))


hours = st.integers(1, 200).map(lambda n: timedelta(hours=n))
days = st.integers(1, 800).map(lambda n: timedelta(days=n))
ports = st.lists(st.tuples(st.sampled_from(["tcp", "udp"]), st.integers(1, 65535)), max_size=2, unique=True).map(tuple)


@st.composite
def clauses(draw: st.DrawFn, number: int) -> Clause:
    first = draw(hours)
    statute = draw(st.booleans())
    return Clause(
        id=f"topic.clause{number}",
        rows=tuple(draw(st.sets(st.sampled_from([9, 40, 81, 18, 30, 34, 46, 79]), min_size=1, max_size=2))),
        title=f"Clause {number}",
        text="Do not.",
        kind=draw(st.sampled_from([ClauseKind.CONDUCT] * 4 + [ClauseKind.PROCEDURE])),
        applies_to=tuple(draw(st.sets(st.sampled_from(TYPES), max_size=3))),
        subject=draw(st.none() | st.sampled_from(Subject)),
        group=draw(st.sampled_from(GROUPS)),
        severity=draw(st.sampled_from(Severity)),
        answer_within=first,
        answer_within_repeated=draw(st.none() | st.integers(1, 200).map(lambda n: min(first, timedelta(hours=n)))),
        answer_kind=ClockKind.STATUTE if statute else ClockKind.OPERATOR,
        answer_source="17 U.S.C. 512" if statute else "",
        notice=draw(st.sampled_from(NoticePosture)),
        opens=draw(st.sampled_from([Opens.CASE, Opens.CASE, Opens.PERSON])),
        decides=draw(st.none() | st.sampled_from(Role)),
        two_people=draw(st.booleans()),
        ladder=draw(ladders(min_size=1, max_size=6)),
        measure_ports=draw(ports),
        measure_port_of=draw(st.none() | st.sampled_from(PortOf)),
        measure_direction=draw(st.sampled_from(Direction)),
    )


@st.composite
def steps(draw: st.DrawFn) -> tuple[Escalation, ...]:
    return tuple(
        Escalation(
            strikes=n,
            decides=draw(st.none() | st.sampled_from([Role.ANALYST, Role.LEAD, Role.COUNSEL])),
            answer_within=draw(st.none() | hours),
            adds=draw(ladders(max_size=2)),
        )
        for n in sorted(draw(st.sets(st.integers(1, 5), max_size=3)))
    )


@st.composite
def editions(draw: st.DrawFn) -> Edition:
    return Edition(
        id=f"2026-{draw(st.integers(1, 12)):02}",
        title="A policy",
        entity="Example Network Operator",
        locale="en",
        effective_at=NOW - timedelta(days=draw(st.sampled_from([-20, 0, 1, 30, 300, 400]))),
        look_back=draw(days),
        memory=draw(days),
        reader_confidence_min=draw(st.floats(0, 1)),
        in_progress=draw(hours),
        person_from=draw(st.sampled_from(Degree)),
        introduction="What may not be done.",
        clauses=tuple(draw(clauses(n)) for n in range(draw(st.integers(1, 3)))),
        clocks=(
            Clock(
                id="measure.lifetime", kind=ClockKind.OPERATOR, clause="", unit=ClockUnit.DAYS,
                amount=draw(st.integers(1, 30)),
            ),
        ),
        repeats=tuple(
            Repeats(group=group, lifetime=draw(days), steps=draw(steps()))
            for group in sorted(draw(st.sets(st.sampled_from(GROUPS))))
        ),
    )  # fmt: skip


instants = st.datetimes(timezones=st.just(UTC))
moments = st.none() | st.builds(
    Moment,
    instants
    | st.integers(-3, 24 * 300).map(lambda n: NOW - timedelta(hours=n))
    | st.integers(-100, 100).map(lambda n: NOW + timedelta(seconds=n)),
    st.floats(0, 1e6) | st.floats(),
    st.booleans(),
)
allegations = st.builds(
    Allegation,
    type=st.sampled_from(TYPES) | st.sampled_from(sorted(XARF_TYPES)) | st.text(max_size=20),
    source=st.none() | st.ip_addresses(),
    source_port=st.none() | st.integers(-1, 70000),
    target_port=st.none() | st.integers(-1, 70000),
    url=st.none() | st.just("http://www.example.net/x"),
    domain=st.none() | st.just("www.example.net"),
    protocol=st.none() | st.sampled_from(["tcp", "UDP", "icmp", "", "gré"]),
    moment=moments,
    confidence=st.floats(0, 1) | st.floats(),
)
attributions = st.builds(
    Attribution,
    grade=st.sampled_from(Grade),
    reason=st.sampled_from(AttributionReason),
    customer=st.none() | st.just("acct-1001"),
)
named = st.builds(
    Attribution,
    grade=st.sampled_from([Grade.CONFIRMED, Grade.PROBABLE]),
    reason=st.just(AttributionReason.ONE_HOLDER),
    customer=st.just("acct-1001"),
)
unnamed = st.builds(
    Attribution,
    grade=st.sampled_from([g for g in Grade if g not in (Grade.CONFIRMED, Grade.PROBABLE)]),
    reason=st.sampled_from(AttributionReason),
    customer=st.just("acct-1001"),
)
"""Whoever asks may have somebody in mind all the same."""
histories = st.builds(History, cases_before=st.integers(-1, 7))
trusts = st.none() | st.builds(
    Trust,
    evidence=st.sampled_from(EvidenceGrade),
    reporter_upheld=st.integers(-1, 9),
    reporter_overturned=st.integers(-1, 9),
    flooding=st.booleans(),
    authenticated=st.none() | st.booleans(),
)
strikes = st.lists(
    st.builds(
        Strike,
        case=st.integers(1, 99).map(lambda n: f"C-{n:06}"),
        group=st.sampled_from(GROUPS),
        at=st.integers(0, 900).map(lambda n: NOW - timedelta(days=n)),
        contested=st.booleans(),
    ),
    max_size=8,
)


@dataclasses.dataclass(frozen=True)
class Asked:
    """One question to the judge."""

    allegation: Allegation
    attribution: Attribution
    history: History
    edition: Edition
    trust: Trust | None
    cited: str | None


@st.composite
def questions(
    draw: st.DrawFn,
    *,
    attributed: st.SearchStrategy[Attribution] = attributions,
    on_clause: bool = False,
    plain: bool = False,
) -> Asked:
    """Any question; with `on_clause`, one that often becomes a case: sure, recent, and under a clause that is cited.
    With `plain` as well, no clause is left to a person by what it is about: what the test asks for decides alone."""
    edition = draw(editions())
    if plain:
        open_to_all = {"kind": ClauseKind.CONDUCT, "rows": (18,), "opens": Opens.CASE}
        edition = dataclasses.replace(
            edition,
            clauses=tuple(dataclasses.replace(clause, **open_to_all) for clause in edition.clauses),
            look_back=max(edition.look_back, timedelta(days=500)),
        )
    known = [clause.id for clause in edition.clauses]
    cited = st.sampled_from(known) if on_clause and known else st.none() | st.sampled_from([*known, "no.such", ""])
    allegation = draw(allegations)
    if on_clause and draw(st.integers(0, 3)):
        # On both sides of the bounds that matter: the edition's first instant, what counts as going on, now.
        bounds = [edition.effective_at, NOW - edition.in_progress, NOW, NOW - timedelta(minutes=30)]
        near = draw(st.sampled_from(bounds)) + timedelta(seconds=draw(st.integers(-4000, 4000)))
        allegation = dataclasses.replace(
            allegation, type="messaging/spam", confidence=1.0, moment=Moment(near, draw(st.integers(0, 4000)))
        )
    return Asked(
        allegation=allegation,
        attribution=draw(attributed),
        history=draw(histories),
        edition=edition,
        trust=draw(trusts),
        cited=draw(cited),
    )


accounts = st.frozensets(st.sampled_from([f"acct-{n}" for n in range(2, 8)]), max_size=4)
services = st.frozensets(st.sampled_from(["svc-2", "svc-3", "svc-4"]), max_size=3)


@st.composite
def footprints(draw: st.DrawFn) -> Footprint:
    """What lies around 192.0.2.7, as an inventory could say it: whatever uses the address uses the prefix too."""
    on_address, near = draw(accounts), draw(services)
    on_prefix = draw(services) | near
    return Footprint(
        prefix=draw(st.sampled_from([None, ip_network("192.0.2.0/29"), ip_network("192.0.2.7/32")])),
        others_on_address=on_address,
        others_on_prefix=on_address | draw(accounts),
        services_on_address=near,
        services_on_prefix=on_prefix,
        services_of_account=on_prefix | draw(services) | {"svc-1"},
        accounts_below=draw(st.frozensets(st.sampled_from(["acct-8", "acct-9"]), max_size=2)),
    )
