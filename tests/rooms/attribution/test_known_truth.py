"""An operator whose truth is known: nobody is ever named in another's place, whatever its logs lost."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import numpy as np
import pytest

from tipstaff.attribution.match import Question
from tipstaff.attribution.operations import add_identities, take_in
from tipstaff.attribution.protocol import Options
from tipstaff.procedures.lookup import answer_one
from tipstaff.procedures.many import open_book
from tipstaff.registry import operations as registry
from tipstaff.testing.subscribers import POOL, ask, kea_csv, operator, radius_csv
from tipstaff.wiring import sources
from tipstaff.words import Grade, HoldingKind, Identity, Moment, SubjectKind, Tier

LATER = datetime(2026, 5, 1, tzinfo=UTC)
BY = {"at": LATER, "actor": "engineer"}
BEFORE = {**BY, "at": datetime(2026, 1, 1, tzinfo=UTC)}


def mac(subscriber: int) -> str:
    return "02:00:" + ":".join(f"{subscriber >> s & 255:02x}" for s in (24, 16, 8, 0))


@pytest.fixture
def space(db):
    for kind in (HoldingKind.STATIC, HoldingKind.POOL):
        registry.hold(
            tier=Tier.OPERATOR, kind=kind, prefix=ip_network("10.0.0.0/8"), source="plan",
            held_from=datetime(2025, 1, 1, tzinfo=UTC), **BY,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "write", "subject"),
    [
        ("radius-csv", lambda made: radius_csv(made, interims=2), lambda n: (SubjectKind.USERNAME, f"u{n}")),
        ("kea-memfile", kea_csv, lambda n: (SubjectKind.MAC, mac(n))),
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_nobody_is_named_in_anothers_place(kind, write, subject, seed, space, tmp_path):
    made = operator(subscribers=60, sessions=5, seed=seed, lost=0.1)
    log = tmp_path / "log"
    log.write_bytes(write(made))
    loads = list(take_in(log, sources()[kind], Options(source="s", clock_error_seconds=2.0), **BY))
    assert sum(x.refused_total for x in loads) == 0
    known = []
    for number in range(60):
        name, value = subject(number)
        known.append(Identity(kind=name, value=value, customer=f"acct-{number}"))
    add_identities(known, source="crm", **BEFORE)

    asked = ask(made, number=1500, seed=seed)
    questions = [
        Question(
            address=ip_address(POOL + int(asked.address[i])),
            moment=Moment(datetime.fromtimestamp(int(asked.at[i]), UTC), float(asked.precision[i])),
        )
        for i in range(len(asked.at))
    ]
    answers = open_book(at=LATER).attribute(questions, received_at=LATER)
    sure = Grade.CONFIRMED if kind == "radius-csv" else Grade.PROBABLE  # A MAC alone never confirms.
    surely_right = 0
    for i, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        holders = really(made, asked, i)
        if answer.named:
            assert {f"acct-{h}" for h in holders} <= {answer.customer}
        if answer.grade is Grade.CONFIRMED:
            assert asked.truth[i] >= 0
            assert answer.customer == f"acct-{asked.truth[i]}"
        if len(holders) > 1:
            assert answer.grade is Grade.AMBIGUOUS
        surely_right += asked.sole[i] and answer.grade is sure
        if i % 50 == 0:
            alone = answer_one(question, received_at=LATER)
            assert (alone.grade, alone.reason, alone.customer) == (answer.grade, answer.reason, answer.customer)
            assert answer.bindings == alone.bindings or not answer.named
    assert surely_right > 0.8 * asked.sole.sum()


def really(made, asked, i: int) -> set[int]:
    """Everybody who had the address at some instant of the stated time and its precision."""
    first, last = asked.at[i] - asked.precision[i], asked.at[i] + asked.precision[i]
    here = (made.address == asked.address[i]) & (made.begin <= last) & (made.end > first)
    return set(made.subscriber[np.flatnonzero(here)].tolist())


def test_an_import_goes_on_where_it_ended_and_joins_what_it_left_open(space, tmp_path):
    made = operator(subscribers=40, sessions=4, seed=3, lost=0.05)
    whole = radius_csv(made, interims=1)
    log, pieces = tmp_path / "log", tmp_path / "pieces"
    log.write_bytes(whole)
    options = {"clock_error_seconds": 2.0}
    list(take_in(log, sources()["radius-csv"], Options(source="whole", **options), **BY))
    lines = whole.splitlines(keepends=True)
    for end in (50, 51, 200, len(lines)):
        pieces.write_bytes(b"".join(lines[:end]) + (b"177" if end < len(lines) else b""))
        list(take_in(pieces, sources()["radius-csv"], Options(source="pieces", **options), **BY))
    assert list(take_in(pieces, sources()["radius-csv"], Options(source="pieces", **options), **BY)) == []

    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.name, b.lo, b.subject, b.possible_from, b.sure_from, b.sure_until, b.possible_until, b.ending
            FROM attribution_bindingrow b JOIN attribution_sourcerow s ON s.id = b.source_id ORDER BY 1, 2, 4
            """
        )
        rows = cursor.fetchall()
    of = {name: [r[1:] for r in rows if r[0] == name] for name in ("whole", "pieces")}
    assert len(of["whole"]) == 160
    assert of["pieces"] == of["whole"]


def test_a_lost_stop_is_probable_until_the_next_start_and_unassigned_never_names(space, tmp_path):
    log = tmp_path / "log"
    log.write_text(
        "timestamp,acct_status_type,user_name,framed_ip_address,acct_session_id,acct_session_time\n"
        "1772323200,Start,alice,10.0.0.1,1,\n"
        "1772330400,Interim-Update,alice,10.0.0.1,1,7200\n"
        "1772341200,Start,bob,10.0.0.1,2,\n"
        "1772348400,Stop,bob,10.0.0.1,2,7200\n"
        "1772355600,Start,carol,10.0.0.9,3,\n"
    )
    list(take_in(log, sources()["radius-csv"], Options(source="radius"), **BY))
    add_identities(
        [Identity(kind=SubjectKind.USERNAME, value=n, customer=n) for n in ("alice", "bob")], source="x", **BEFORE
    )

    def at(hours: float):
        moment = Moment(datetime.fromtimestamp(1772323200, UTC) + timedelta(hours=hours))
        answer = answer_one(Question(address=ip_address("10.0.0.1"), moment=moment), received_at=LATER)
        return answer.grade.name, answer.customer

    assert at(1) == ("CONFIRMED", "alice")
    assert at(3) == ("PROBABLE", "alice")
    assert at(5) == ("AMBIGUOUS", None)
    assert at(6) == ("CONFIRMED", "bob")
    assert at(8) == ("NONE", None)
    assert at(10) == ("NO_DATA", None)
