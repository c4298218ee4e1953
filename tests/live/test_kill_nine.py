"""`kill -9` of any process between any two steps of a complaint's way, then a new start: nothing lost, none doubled.

Which steps there are is learnt from a story that nobody disturbs: each transaction of it that writes to the record is
a step. It is killed before it is written, and within its COMMIT, when it is on record and nobody knows: at both moments
with `TIPSTAFF_TEST_SOAK` (`make live` sets it), else at one of them by turns.
"""

import json
import os
import signal
import smtplib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from tests.live.conftest import MakeDesk
from tests.live.moving_in import network_of
from tests.live.running import (
    ABUSE,
    ROOT,
    Desk,
    Killer,
    clean_environment,
    hand_over,
    install_stops,
    run_python,
    until,
    wire_form,
)
from tests.live.story import Ended, complaint_of, differences, tell
from tipstaff.host.postgres import EmbeddedPostgres
from tipstaff.testing.lab import Lab
from tipstaff.testing.mailbox import Trouble
from tipstaff.words import Proof

pytestmark = pytest.mark.live

HOUR = timedelta(hours=1)
SOAK = bool(os.environ.get("TIPSTAFF_TEST_SOAK"))
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

    def next_number(self) -> int:
        """Of a customer who had no story yet."""
        return next(self._numbers)

    def tell_next(self) -> Ended:
        return tell(self.desk, self.next_number())

    def _steps(self) -> list[tuple[str, int]]:
        """(what, nth) of the first entry of each transaction, in their order, as far as each story has it.

        A measure is put in force and lifted; a further intent is that of a round which found one of the two not shown
        yet, and comes on a slow machine only.
        """
        seen: Counter[str] = Counter()
        first: dict[str, tuple[str, int]] = {}
        for what, xact in self.desk.ask("SELECT what, xact::text FROM test_step ORDER BY entry"):
            first.setdefault(xact, (what, seen[what]))
            seen[what] += 1
        return [(what, nth) for what, nth in first.values() if what != "device.intent" or nth < 2]


@pytest.fixture(scope="session")
def scene(open_desk: MakeDesk) -> Scene:
    return Scene(open_desk())


def test_an_undisturbed_story_goes_all_its_way(scene: Scene) -> None:
    told = scene.undisturbed
    assert told.state["report"] == "measure_taken"
    assert told.state["case"] == ("closed", "fixed_after_measure", 1)
    degree = told.state["measures"][0][1]  # type: ignore[index]  # a list
    assert told.state["measures"] == [("lifted", degree, True, Proof.STATE)]
    assert told.state["held"] == []
    assert set(told.letters) == {
        "notice", "acknowledgement", "measure_taken", "measure_lifted", "case_closed", "outcome",
    }  # fmt: skip
    assert set(told.letters.values()) == {"sent"}
    assert set(told.arrived.values()) == {1}
    assert len(scene.steps) > 25, scene.steps


def test_only_the_letter_that_was_in_hand_may_be_in_doubt() -> None:
    """The comparison that all of the kills rest on."""
    whole = Ended(customer="acct-1", letters={"notice": "sent", "outcome": "sent"}, arrived={"notice": 1, "outcome": 1})
    for arrived in (0, 1):
        doubtful = replace(
            whole, letters={**whole.letters, "outcome": "in_doubt"}, arrived={"notice": 1, "outcome": arrived},
            doubted={"outcome": "L-000002"},
        )  # fmt: skip
        assert differences(doubtful, whole, in_hand={"L-000002"}) == []
        assert len(differences(doubtful, whole)) == len(differences(doubtful, whole, in_hand={"L-000001"})) == 1
    looked_at = replace(whole, doubted={"notice": "L-000001"})
    assert differences(looked_at, whole, in_hand={"L-000001"}) == []
    assert len(differences(looked_at, whole)) == 1
    twice = replace(whole, arrived={"notice": 1, "outcome": 2})
    assert len(differences(twice, whole, in_hand={"L-000002"})) == 1


def test_the_clock_comes_round_without_being_asked(scene: Scene) -> None:
    """Deadlines, letters and lifts of a story in which nobody but the desk itself looks round."""
    assert differences(tell(scene.desk, scene.next_number(), hurried=False), scene.undisturbed) == []


@pytest.mark.parametrize("share", range(SHARES))
def test_killed_at_any_step_a_story_ends_as_if_nothing_had_been(
    scene: Scene, share: int, subtests: pytest.Subtests
) -> None:
    for place, (what, nth) in list(enumerate(scene.steps))[share::SHARES]:
        for at_commit in (False, True) if SOAK else (place // SHARES % 2 == 1,):
            with subtests.test(step=f"{what} ({nth + 1})", killed="in its COMMIT" if at_commit else "before it"):
                with Killer(scene.desk, what=what, nth=nth, at_commit=at_commit) as killer:
                    ended = scene.tell_next()
                assert killer.killed, "nobody came to this step"
                assert differences(ended, scene.undisturbed, in_hand=killer.in_hand) == []


# The same on a real packet filter


@pytest.fixture(scope="module")
def filtered(open_desk: MakeDesk) -> Iterator[Scene]:
    """A desk whose device is nftables in a network namespace, which shows each measure by packets."""
    if why := Lab.unavailable():
        pytest.skip(why)
    customers = [str(network_of(n).network_address) for n in range(2 * len(ON_THE_DEVICE) + 6)]
    with Lab(customers=customers, outside=("203.0.113.250",)) as lab:
        yield Scene(open_desk(device={"name": "edge1", "driver": "nftables", **lab.device_options()}))


ON_THE_DEVICE = (("device.intent", 0), ("measure.in_force", 0), ("device.intent", 1), ("measure.lifted", 0))


def test_killed_at_the_devices_steps_a_packet_filter_holds_and_gives_back_the_same(
    filtered: Scene, subtests: pytest.Subtests
) -> None:
    degree = filtered.undisturbed.state["measures"][0][1]  # type: ignore[index]  # a list
    assert filtered.undisturbed.state["measures"] == [("lifted", degree, True, Proof.PROBE)]
    for place, (what, nth) in enumerate(ON_THE_DEVICE):
        for at_commit in (False, True) if SOAK else (place % 2 == 1,):
            with subtests.test(step=f"{what} ({nth + 1})", killed="in its COMMIT" if at_commit else "before it"):
                with Killer(filtered.desk, what=what, nth=nth, at_commit=at_commit) as killer:
                    ended = filtered.tell_next()
                assert killer.killed == "enforcer"
                assert differences(ended, filtered.undisturbed) == []
    assert filtered.desk.held() == frozenset()


def test_the_record_is_whole_after_all_of_it(scene: Scene) -> None:
    for process in ("intake", "worker", "enforcer"):
        scene.desk.kill(process)
        scene.desk.start(process)
    scene.desk.await_doors()
    scene.tell_next()
    said = run_python("-m", "tipstaff", "verify", "--json", environment=scene.desk.environment("verify"))
    assert json.loads(said)["whole"] is True


# On the wire, between two steps of the record


def test_a_letter_whose_answer_never_came_is_in_doubt_and_not_sent_again(scene: Scene) -> None:
    """The mail server has all of the letter and says nothing; the worker is killed while it waits."""
    desk = scene.desk
    assert desk.letters is not None
    n = scene.next_number()
    before = len(desk.letters.mails)
    desk.letters.answer_next(Trouble(at="DOT", stall=True, keep=True))
    desk.send(complaint_of(n, at=desk.now()), sender=f"loop-{n}@reporter.example.org")
    desk.letters.wait_until_stalled()
    desk.kill("worker")
    desk.letters.release()
    desk.start("worker")
    [(key, kind)] = until(
        lambda: desk.ask("SELECT key, kind FROM notices_letterrow WHERE state = 'in_doubt' AND created_at > %s",
                         desk.now() - HOUR),
        what="no letter is in doubt",
    )  # fmt: skip
    desk.settle()
    arrived = [str(letter.message["Message-ID"]) for letter in desk.letters.mails[before:]]
    assert len(arrived) == len(set(arrived)) == 2, (kind, arrived)
    assert f"letter {key} was in a dead worker's hands" in desk.log("worker")
    traced = run_python("-m", "tipstaff", "trace", key, "--json", environment=desk.environment("trace"))
    assert "letter.in_doubt" in [json.loads(line)["what"] for line in traced.splitlines()]


def test_a_mail_that_was_cut_off_by_a_kill_is_not_on_record_until_it_comes_again(scene: Scene) -> None:
    desk, n = scene.desk, scene.next_number()
    raw = complaint_of(n, at=desk.now())
    reports = desk.one("SELECT count(*) FROM intake_reportrow")
    with smtplib.SMTP("127.0.0.1", desk.smtp_port, timeout=60) as smtp:
        smtp.ehlo()
        for command in (f"MAIL FROM:<loop-{n}@reporter.example.org>", f"RCPT TO:<{ABUSE}>", "DATA"):
            assert smtp.docmd(command)[0] in (250, 354)
        smtp.send(wire_form(raw)[: len(raw) // 2])
        assert smtp.sock is not None
        desk.kill("intake")
        with suppress(OSError):
            assert smtp.sock.recv(100) == b"", "no reply was given"
    assert desk.one("SELECT count(*) FROM intake_reportrow") == reports
    desk.start("intake")
    desk.send(raw, sender=f"loop-{n}@reporter.example.org")
    assert desk.one("SELECT count(*) FROM intake_reportrow") == reports + 1
    desk.settle()


def test_a_sender_who_lost_the_answer_to_a_kill_sends_again_and_finds_the_same_report(scene: Scene) -> None:
    desk, n = scene.desk, scene.next_number()
    raw = complaint_of(n, at=desk.now())
    reports = desk.one("SELECT count(*) FROM intake_reportrow")
    with (
        Killer(desk, what="report.opened", nth=0, at_commit=True) as killer,
        smtplib.SMTP("127.0.0.1", desk.smtp_port, timeout=60) as smtp,
    ):
        smtp.ehlo()
        with pytest.raises(smtplib.SMTPServerDisconnected):
            hand_over(smtp, raw, sender=f"loop-{n}@reporter.example.org")
        until(lambda: killer.killed, what="nobody was killed")
    key = desk.one("SELECT max(key) FROM intake_reportrow")
    assert f"On record as {key}" in desk.send(raw, sender=f"loop-{n}@reporter.example.org")
    assert desk.one("SELECT count(*) FROM intake_reportrow") == reports + 1
    desk.settle()
    assert desk.one("SELECT count(*) FROM notices_letterrow WHERE report = %s AND kind = 'acknowledgement'", key) == 1


def test_a_session_that_the_server_ends_costs_no_report(scene: Scene) -> None:
    """Not the process is killed but its session: the job fails, and is tried again on a new one."""
    desk, n = scene.desk, scene.next_number()
    with Killer(desk, what="report.read", nth=0, at_commit=False, session_only=True) as killer:
        desk.send(complaint_of(n, at=desk.now()), sender=f"loop-{n}@reporter.example.org")
        until(lambda: killer.killed, what="nobody was killed")
    until(
        lambda: desk.one("SELECT state FROM cases_caserow WHERE customer = %s", f"acct-{n}") == "notified",
        what=lambda: f"the report was lost: {desk.log('worker')[-3000:]}",
    )
    desk.settle()


# The whole program


@contextmanager
def brought_up(desk: Desk) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {"TIPSTAFF_CONFIG": desk.environment()["TIPSTAFF_CONFIG"]}
    with (desk.folder / "up.log").open("ab") as log:
        up = subprocess.Popen(
            [sys.executable, "-m", "tipstaff", "up"], env=clean_environment(**environment), cwd=ROOT,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield up
    finally:
        if up.poll() is None:
            up.send_signal(signal.SIGINT)
        up.wait(60)


def test_when_postgresql_is_killed_it_runs_again_and_nothing_on_record_is_lost(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data" / "postgres")
    desk = Desk(tmp_path, url=server.url, letters=None)
    with brought_up(desk):
        until(desk.answers_mail, what=lambda: f"no mail is taken: {desk.log('up')}", seconds=120)
        at = desk.now()
        first = desk.send(complaint_of(1, at=at))
        postmaster = int((server.data / "postmaster.pid").read_text().split()[0])
        desk.sql.close()
        os.kill(postmaster, signal.SIGKILL)
        second = desk.send(complaint_of(2, at=at))
        keys = [words.rpartition(" ")[2] for words in (first, second)]
        until(
            lambda: desk.ask("SELECT 1 FROM intake_reportrow WHERE read_at IS NOT NULL HAVING count(*) = 2"),
            what=lambda: f"they are not read: {desk.log('up')[-3000:]}",
            seconds=90,
        )
        assert [key for (key,) in desk.ask("SELECT key FROM intake_reportrow ORDER BY key")] == keys
        assert "PostgreSQL was killed; it runs again" in desk.log("up")
    desk.stop()
