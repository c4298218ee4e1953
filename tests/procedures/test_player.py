"""Whoever plays the example day lets the desk's own clock come round before asking it to look."""

from datetime import datetime
from pathlib import Path

import pytest

from tests.procedures.office import HOUR, NOON, Office
from tipstaff.testing import player as playing
from tipstaff.testing.mailbox import Mailbox
from tipstaff.testing.player import OWN_ROUNDS, DayStuck, Player
from tipstaff.words import CaseState, Proof


class Watched(Player):
    """One whose clock stands, beside a desk that looks at deadlines when it is looked at for the third time."""

    def __init__(self, office: Office, folder: Path, *, at: datetime, runs: bool = True) -> None:
        self.asked = 0
        looks = 0

        def now() -> datetime:
            nonlocal looks
            looks += 1
            if looks % 3 == 0 and runs:
                office.deadlines(at=at)
            return at

        def look_round() -> None:
            self.asked += 1
            office.deadlines(at=at)

        super().__init__(
            (), day=NOON, clock_file=folder / "clock", now=now, host="127.0.0.1", smtp_port=0, lmtp_port=0,
            colleague=lambda role: pytest.fail("nobody is asked"), letters=Mailbox(folder=folder / "letters"),
            look_round=look_round, proof=Proof.STATE,
        )  # fmt: skip


def due(office: Office, n: int) -> datetime:
    office.admit(f"acct-{n}", f"192.0.2.{n}/32")
    case = office.warned(f"192.0.2.{n}", at=NOON)
    assert case.due_at is not None
    return case.due_at + HOUR


def passed(office: Office) -> int:
    return sum(case.state not in (CaseState.NOTIFIED, CaseState.EXTENDED) for case in office.cases())


def test_the_first_deadlines_pass_by_the_desks_own_clock_and_the_rest_when_asked(
    office: Office, tmp_path: Path
) -> None:
    player = Watched(office, tmp_path, at=due(office, 1))
    player._let_deadlines_pass()
    assert (passed(office), player.asked) == (1, 0)
    player._let_deadlines_pass()
    assert player.asked == 1, "nothing is due: there is nothing to wait for"
    for n in range(2, OWN_ROUNDS + 2):
        due(office, n)
        player._let_deadlines_pass()
    assert (passed(office), player.asked) == (OWN_ROUNDS + 1, 2)


def test_a_desk_whose_clock_stands_is_seen(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    player = Watched(office, tmp_path, at=due(office, 1), runs=False)
    monkeypatch.setattr(playing, "SETTLE_SECONDS", 0.1)
    with pytest.raises(DayStuck, match="own clock did not come round"):
        player._let_deadlines_pass()
    assert player.asked == 0
