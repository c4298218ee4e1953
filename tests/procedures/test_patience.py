"""While a BGP session is down its measures are tried ever more rarely: the record is not filled, nothing is lost."""

from datetime import datetime, timedelta

from tests.procedures.office import EDGE, HOUR, NOON, Office
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.ledger.queries import entries_of
from tipstaff.procedures import enforcing
from tipstaff.procedures.enforcing import Patience
from tipstaff.words import Case, MeasureState, Observation, Seen

ROUND = timedelta(seconds=5)
FIRST, SECOND = "192.0.2.10", "192.0.2.11"


class Session(MemoryTwin):
    """Holds everything, and shows nothing of it in force while its session is down."""

    down = False
    told = 0

    def observe(self, *, at: datetime) -> Observation:
        seen = super().observe(at=at)
        if not self.down:
            return seen
        kept = {name: getattr(seen, name) for name in ("complete", "generation", "at", "fingerprints")}
        return Observation(**kept, rules=tuple((key, Seen.DRIFT) for key, _ in seen.rules))

    def carry_out(self, *given, **more) -> None:
        self.told += 1
        super().carry_out(*given, **more)


def in_force(office: Office) -> tuple[Session, Case, datetime]:
    office.twin = session = Session(EDGE)
    for address in (FIRST, SECOND):
        office.admit(f"acct-{address}", address)
    case = office.measured(FIRST, at=NOON)
    assert case.state.value == "measure_in_force"
    return session, case, NOON + timedelta(days=30)


def rounds(office: Office, at: datetime, *, last: timedelta, patience: Patience) -> datetime:
    fence = office.fence(at=at)
    until = at + last
    while at < until:
        enforcing.reconcile(office.twin, fence=fence, limits=office.limits(at), at=at, patience=patience)
        at += ROUND
    return at


def test_a_while_with_the_session_down_is_a_few_entries_and_not_one_a_round(office: Office) -> None:
    session, case, _ = in_force(office)
    [measure] = office.measures(case)
    at = measure.in_force_at
    assert at is not None
    at += HOUR
    before = len(entries_of(EDGE, what=["device.intent"]))
    session.down, session.told = True, 0
    patience = Patience()
    at = rounds(office, at, last=timedelta(minutes=5), patience=patience)
    tried = len(entries_of(EDGE, what=["device.intent"])) - before
    assert tried == session.told, "each try is on record before it is made"
    # In the next round that is 2, 4, 8 ... 128 s later: 8 tries in 60 rounds.
    assert tried == 8
    assert office.measures(case)[0].state is MeasureState.APPLYING, "it is wanted, and not called in force"
    # What comes right by itself is seen in the next round, however long the rest still is.
    session.down = False
    at = rounds(office, at, last=ROUND, patience=patience)
    assert office.measures(case)[0].state is MeasureState.IN_FORCE


def test_what_is_newly_wanted_does_not_wait_for_what_rests(office: Office) -> None:
    session, case, _ = in_force(office)
    at = office.measures(case)[0].in_force_at
    assert at is not None
    session.down = True
    patience = Patience()
    at = rounds(office, at + HOUR, last=timedelta(minutes=1), patience=patience)
    other = office.warned(SECOND, at=at)
    assert other.due_at is not None
    office.deadlines(at=other.due_at)
    [wanted] = office.measures(other)
    rounds(office, other.due_at, last=ROUND, patience=patience)
    assert wanted.key in dict(session.rules()), "told in the same round"
