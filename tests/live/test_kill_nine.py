"""`kill -9` of any process between any two steps of a complaint's way, then a new start: nothing lost, none doubled.

Which steps there are is learnt from a story that nobody disturbs: each transaction of it that writes to the record is
a step. Each is killed twice: before it is written, and within its COMMIT, when it is on record and nobody knows.
"""

from collections import Counter
from itertools import count

import pytest

from tests.live.conftest import MakeDesk
from tests.live.running import Desk, Killer, install_stops
from tests.live.story import Ended, differences, tell

pytestmark = pytest.mark.live

SHARES = 6
"""The steps are dealt out to so many tests, so that they can run side by side."""


class Scene:
    """A desk, the end of an undisturbed story on it, and the steps of that story."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._numbers = count()
        install_stops(desk)
        desk.start()
        desk.await_doors()
        self.tell_next()  # The first one warms everything up.
        desk.ask("DELETE FROM test_step RETURNING 1")
        self.undisturbed = self.tell_next()
        self.steps = self._steps()

    def tell_next(self) -> Ended:
        return tell(self.desk, next(self._numbers))

    def _steps(self) -> list[tuple[str, int]]:
        """(what, nth) of the first entry of each transaction, in their order."""
        seen: Counter[str] = Counter()
        first: dict[str, tuple[str, int]] = {}
        for what, xact in self.desk.ask("SELECT what, xact::text FROM test_step ORDER BY entry"):
            first.setdefault(xact, (what, seen[what]))
            seen[what] += 1
        return list(first.values())


@pytest.fixture(scope="session")
def scene(open_desk: MakeDesk) -> Scene:
    return Scene(open_desk())


def test_an_undisturbed_story_goes_all_its_way(scene: Scene) -> None:
    told = scene.undisturbed
    assert told.state["report"] == "measure_taken"
    assert told.state["case"] == ("closed", "fixed_after_measure", 1)
    assert told.state["measures"] == [("lifted", told.state["measures"][0][1], True)]  # type: ignore[index]  # a list
    assert told.state["held"] == []
    assert set(told.letters) == {
        "notice", "acknowledgement", "measure_taken", "measure_lifted", "case_closed", "outcome",
    }  # fmt: skip
    assert set(told.letters.values()) == {"sent"}
    assert set(told.arrived.values()) == {1}
    assert len(scene.steps) > 25, scene.steps


@pytest.mark.parametrize("share", range(SHARES))
def test_killed_at_any_step_a_story_ends_as_if_nothing_had_been(
    scene: Scene, share: int, subtests: pytest.Subtests
) -> None:
    for what, nth in scene.steps[share::SHARES]:
        for at_commit in (False, True):
            with subtests.test(step=f"{what} ({nth + 1})", killed="in its COMMIT" if at_commit else "before it"):
                with Killer(scene.desk, what=what, nth=nth, at_commit=at_commit) as killer:
                    ended = scene.tell_next()
                assert killer.killed, "nobody came to this step"
                assert differences(ended, scene.undisturbed) == []
