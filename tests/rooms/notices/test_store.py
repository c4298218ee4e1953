"""Letters from the store to a real mail server: each once, none lost, whatever dies when."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError, connection, transaction

from tipstaff.config import MailOut
from tipstaff.ledger.queries import entries_about
from tipstaff.notices import Draft, operations, queries
from tipstaff.notices.models import LetterRow
from tipstaff.notices.operations import (
    NoSuchLetter,
    NotForAPersonToDecide,
    NotInYourHands,
    claim_letter,
    mark_handing_over,
    mark_sent,
    queue_letter,
    recover_interrupted,
    release_held,
    send_again,
    take_as_sent,
)
from tipstaff.notices.posting import LOST_SESSION_WAITS_SECONDS, post_next
from tipstaff.testing.mailbox import Mail, Mailbox, Trouble
from tipstaff.words import Letter, LetterKind, LetterState

AT = datetime(2026, 3, 14, 9, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DRAFT = Draft(subject="[C-000123] Unsolicited mail: 192.0.2.7", body="Dear Maja,\n\n{{portal_link}}\n")
WORKER = Path(__file__).parent / "worker_process.py"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with Mailbox() as box:
        yield box


def queue(once: str = "notice:C-000123", *, held: bool = False, **more: object) -> str:
    facts = {"to": "maja@customer.example.org", "case": "C-000123", "report": None, "draft": DRAFT, **more}
    kind = facts.pop("kind", LetterKind.NOTICE)
    return queue_letter(kind, once=once, at=AT, actor="worker", held=held, **facts)  # type: ignore[arg-type]  # facts vary by test


def post(box: Mailbox, *, at: datetime = AT, worker: str = "w1", **more: object) -> Letter | None:
    server = MailOut(host=box.host, port=box.port, from_address="abuse@operator.example.net")
    return post_next(
        server,
        worker=worker,
        now=lambda: at,
        link=lambda case, at: f"https://portal.example.net/{case}",
        **more,  # type: ignore[arg-type]  # more varies by test
    )


def state_of(key: str) -> LetterState:
    letter = queries.get_letter(key)
    assert letter is not None
    return letter.state


def trace_of(key: str) -> list[str]:
    return [entry.what for entry in entries_about(key)]


# The plain way.


def test_a_letter_is_sent_once_and_each_step_is_on_record(box: Mailbox) -> None:
    key = queue()
    letter = post(box)
    assert letter is not None
    assert (letter.key, letter.state, letter.sent_at) == (key, LetterState.SENT, AT)
    assert letter.detail == "250 OK: queued"
    assert post(box) is None
    (mail,) = box.mails
    assert "https://portal.example.net/C-000123" in mail.text
    assert mail.message["Message-ID"] == letter.message_id
    assert trace_of(key) == ["letter.queued", "letter.sending", "letter.handing_over", "letter.sent"]
    assert trace_of("C-000123") == trace_of(key)


def test_the_portal_link_is_never_stored(box: Mailbox) -> None:
    key = queue()
    post(box)
    letter = queries.get_letter(key)
    assert letter is not None
    assert letter.body == DRAFT.body
    assert not any("portal.example.net" in str(entry.detail) for entry in entries_about(key))


def test_a_step_that_runs_twice_writes_one_letter() -> None:
    assert queue() == queue(draft=Draft(subject="another", body="another"))
    assert len(queries.list_letters()) == 1
    assert queries.letter_written_for("notice:C-000123") == queries.list_letters()[0]
    assert queries.letter_written_for("notice:C-000999") is None


def test_what_follows_a_sending_stands_or_falls_with_it(box: Mailbox) -> None:
    told: list[tuple[str, LetterState, bool]] = []
    key = queue()
    post(box, on_sent=lambda letter: told.append((letter.key, letter.state, connection.in_atomic_block)))
    assert told == [(key, LetterState.SENT, True)]


def test_a_later_letter_of_a_case_follows_the_first_in_one_thread(box: Mailbox) -> None:
    queue()
    queue("reminder:C-000123", kind=LetterKind.REMINDER)
    queue("notice:C-000124", case="C-000124")
    first, second, other = (post(box) for _ in range(3))
    assert first is not None
    assert second is not None
    assert other is not None
    assert second.in_reply_to == first.message_id
    assert other.in_reply_to == ""
    assert len({first.message_id, second.message_id, other.message_id}) == 3


def test_an_answer_follows_the_mail_that_it_answers(box: Mailbox) -> None:
    key = queue(
        "ack:R-000001",
        kind=LetterKind.ACKNOWLEDGEMENT,
        draft=Draft(subject="[R-000001] We have received your report", body="Hello\n"),
        case=None,
        report="R-000001",
        in_reply_to="<c@example.org>",
    )
    post(box)
    assert box.mails[0].message["In-Reply-To"] == "<c@example.org>"
    assert queries.letters_of_report("R-000001")[0].key == key


# Held until outbound mail is set up.


def test_letters_are_held_until_outbound_mail_is_set_up_and_then_released(box: Mailbox) -> None:
    key = queue(held=True)
    assert post(box) is None
    assert state_of(key) is LetterState.HELD
    assert release_held(at=AT) == 1
    assert release_held(at=AT) == 0
    post(box)
    assert state_of(key) is LetterState.SENT


# The server says no.


def next_due_at() -> datetime | None:
    return LetterRow.objects.filter(state=LetterState.QUEUED.value).values_list("due_at", flat=True).first()


def test_a_temporary_failure_is_tried_again_later_with_longer_and_longer_rests(box: Mailbox) -> None:
    key = queue()
    at, rests = AT, []
    for _ in range(6):
        box.answer_next(Trouble(at="RCPT", reply="451 4.3.0 Come back later"))
        letter = post(box, at=at)
        assert letter is not None
        assert (letter.state, letter.detail) == (LetterState.QUEUED, "451 4.3.0 Come back later")
        due = next_due_at()
        assert due is not None
        assert post(box, at=due - timedelta(seconds=1)) is None
        rests.append((due - at) // MINUTE)
        at = due
    assert rests == [1, 5, 30, 120, 360, 360]
    post(box, at=at)
    assert state_of(key) is LetterState.SENT
    assert len(box.mails) == 1


def test_after_two_days_a_person_is_asked(box: Mailbox) -> None:
    key = queue()
    at = AT
    while state_of(key) is LetterState.QUEUED:
        box.answer_next(Trouble(at="RCPT", reply="451 4.3.0 Come back later"))
        post(box, at=at)
        at = next_due_at() or at
    assert state_of(key) is LetterState.REFUSED
    assert timedelta(days=1) < at - AT <= timedelta(days=2)
    assert trace_of(key)[-1] == "letter.refused"
    send_again(key, at=at, actor="ana")
    post(box, at=at)
    assert state_of(key) is LetterState.SENT


def test_a_permanent_refusal_is_seen_by_a_person_and_never_tried_again(box: Mailbox) -> None:
    key = queue()
    box.answer_next(Trouble(at="RCPT", reply="550 5.1.1 No such user"))
    post(box)
    assert state_of(key) is LetterState.REFUSED
    assert post(box, at=AT + timedelta(days=30)) is None
    (letter,) = queries.list_letters(state=LetterState.REFUSED)
    assert letter.detail == "550 5.1.1 No such user"
    assert queries.count_by_state()[LetterState.REFUSED] == 1


def test_a_refusal_at_the_dot_is_no_doubt(box: Mailbox) -> None:
    key = queue()
    box.answer_next(Trouble(at="DOT", reply="451 4.3.0 Come back later"))
    post(box)
    assert state_of(key) is LetterState.QUEUED
    post(box, at=AT + MINUTE)
    assert state_of(key) is LetterState.SENT


def test_a_mail_server_that_is_away_loses_no_letter() -> None:
    with Mailbox() as gone:
        pass
    key = queue()
    post(gone)
    assert state_of(key) is LetterState.QUEUED
    with Mailbox() as box:
        post(box, at=AT + MINUTE)
        assert len(box.mails) == 1
    assert state_of(key) is LetterState.SENT


# In doubt.


@pytest.mark.parametrize("kept", [True, False])
def test_an_answer_that_is_lost_leaves_it_to_a_person(box: Mailbox, kept: bool) -> None:
    key = queue()
    box.answer_next(Trouble(at="DOT", drop=True, keep=kept))
    post(box)
    assert state_of(key) is LetterState.IN_DOUBT
    assert post(box, at=AT + timedelta(days=30)) is None
    assert recover_interrupted(at=AT, is_alive=lambda worker: False) == []
    assert len(box.mails) == kept


def test_a_person_may_send_a_doubtful_letter_again_under_the_same_message_id(box: Mailbox) -> None:
    key = queue()
    box.answer_next(Trouble(at="DOT", drop=True, keep=True))
    post(box)
    send_again(key, at=AT, actor="ana")
    post(box, worker="w2")
    first, second = box.wait_for(2)
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert state_of(key) is LetterState.SENT


def test_a_person_may_say_that_a_doubtful_letter_arrived(box: Mailbox) -> None:
    key = queue()
    box.answer_next(Trouble(at="DOT", drop=True, keep=True))
    post(box)
    told: list[str] = []
    take_as_sent(key, at=AT, actor="ana", why="The mail server's log shows it.", on_sent=lambda x: told.append(x.key))
    assert state_of(key) is LetterState.SENT
    assert told == [key]
    assert post(box) is None


def test_only_what_waits_for_a_person_can_be_decided_by_one(box: Mailbox) -> None:
    key = queue()
    with pytest.raises(NotForAPersonToDecide):
        send_again(key, at=AT, actor="ana")
    post(box)
    with pytest.raises(NotForAPersonToDecide):
        send_again(key, at=AT, actor="ana")
    with pytest.raises(NotForAPersonToDecide):
        take_as_sent(key, at=AT, actor="ana", why="x")
    with pytest.raises(NoSuchLetter):
        send_again("L-999999", at=AT, actor="ana")


# A worker that was taken for dead and is not.


def test_a_worker_that_was_taken_for_dead_stops_before_the_dot(box: Mailbox) -> None:
    key = queue()
    box.answer_next(Trouble(at="RCPT", stall=True))
    with in_thread(lambda: post(box, worker="slow")):
        box.wait_until_stalled()
        assert recover_interrupted(at=AT, is_alive=lambda worker: False) == [key]
        post(box, worker="quick")
        box.release()
    assert len(box.mails) == 1
    assert state_of(key) is LetterState.SENT


def test_a_late_answer_settles_a_doubt(box: Mailbox) -> None:
    key = queue()
    box.answer_next(Trouble(at="DOT", stall=True))
    with in_thread(lambda: post(box, worker="slow")):
        box.wait_until_stalled()
        assert recover_interrupted(at=AT, is_alive=lambda worker: False) == [key]
        assert state_of(key) is LetterState.IN_DOUBT
        send_again(key, at=AT, actor="ana")
        box.release()
    assert state_of(key) is LetterState.SENT
    assert post(box, worker="w2") is None
    assert len(box.mails) == 1


def test_a_worker_that_stumbled_settles_its_letter_when_it_asks_for_the_next(box: Mailbox) -> None:
    def stumble(letter: Letter) -> None:
        raise LookupError

    key = queue()
    with pytest.raises(LookupError):
        post(box, on_sent=stumble)
    assert state_of(key) is LetterState.HANDING_OVER
    assert post(box) is None
    assert state_of(key) is LetterState.IN_DOUBT
    assert len(box.mails) == 1


def end_own_session() -> None:
    """As an administrator or a restart of the server ends it: seen by another session, not by this one."""
    connection.ensure_connection()
    own = connection.connection.info.backend_pid

    def end() -> None:
        with connection.cursor() as elsewhere:
            elsewhere.execute("SELECT pg_terminate_backend(%s, 5000)", [own])
        connection.close()

    with ThreadPoolExecutor(1) as other:
        other.submit(end).result()


@pytest.mark.parametrize("when", ["before the note", "in the note", "in what follows"])
def test_a_lost_session_does_not_cast_doubt_on_what_the_mail_server_took(
    box: Mailbox, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session is really ended; the note is written on another one, with all that follows, once."""
    key = queue()
    lost: list[str] = []
    followed: list[str] = []

    def lose(moment: str) -> None:
        if moment == when and not lost:
            lost.append(moment)
            end_own_session()

    def follow(letter: Letter) -> None:
        operations.record("case.notified", at=AT, actor="worker", about=[letter.key])
        lose("in what follows")
        assert connection.in_atomic_block
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        followed.append(letter.key)

    def note(*what: Any, **more: Any) -> None:
        lose("before the note")
        done(*what, **more)

    rests: list[float] = []
    done = operations.mark_sent
    monkeypatch.setattr(operations, "mark_sent", note)
    letter = post(box, on_sent=follow, first=lambda letter: lose("in the note"), rest=rests.append)
    assert lost == [when]
    assert letter is not None
    assert letter.state is LetterState.SENT
    assert followed == [key]
    assert rests == [0.0]
    assert trace_of(key).count("letter.sent") == trace_of(key).count("case.notified") == 1
    assert post(box) is None
    assert len(box.mails) == 1


def test_a_session_lost_after_the_commit_makes_nothing_follow_twice(
    box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = operations.mark_sent

    def answer_lost(*what: Any, **more: Any) -> None:
        done(*what, **more)
        end_own_session()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    monkeypatch.setattr(operations, "mark_sent", answer_lost)
    followed: list[str] = []
    key = queue()
    post(box, on_sent=lambda letter: followed.append(letter.key), rest=lambda seconds: None)
    assert state_of(key) is LetterState.SENT
    assert followed == [key]
    assert trace_of(key).count("letter.sent") == 1


def test_a_database_that_stays_away_is_not_asked_for_ever(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("the server closed the connection unexpectedly")

    key = queue()
    rests: list[float] = []
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(operations, "mark_sent", away)
        with pytest.raises(OperationalError):
            post(box, rest=rests.append)
    assert tuple(rests) == LOST_SESSION_WAITS_SECONDS
    assert post(box) is None
    assert state_of(key) is LetterState.IN_DOUBT
    assert len(box.mails) == 1


def test_a_refusal_is_noted_though_the_session_was_lost(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    done, lost = operations.mark_failed, []

    def lose(*what: Any, **more: Any) -> None:
        if not lost:
            lost.append(True)
            end_own_session()
        done(*what, **more)

    monkeypatch.setattr(operations, "mark_failed", lose)
    key = queue()
    box.answer_next(Trouble(at="RCPT", reply="550 5.1.1 No such user"))
    post(box, rest=lambda seconds: None)
    assert lost
    assert state_of(key) is LetterState.REFUSED


def test_a_letter_whose_link_cannot_be_made_is_not_lost(box: Mailbox) -> None:
    key = queue(case=None)
    post(box)
    assert state_of(key) is LetterState.QUEUED
    assert box.mails == ()


def test_only_the_worker_that_holds_a_letter_may_speak_about_it() -> None:
    key = queue()
    letter = claim_letter(at=AT, worker="w1")
    assert letter is not None
    with pytest.raises(NotInYourHands):
        mark_handing_over(key, at=AT, worker="w2")
    with pytest.raises(NotInYourHands):
        mark_sent(key, at=AT, reply="250", worker="w1")
    assert recover_interrupted(at=AT, is_alive=lambda worker: worker == "w1") == []
    assert state_of(key) is LetterState.SENDING


def test_operations_refuse_to_run_inside_a_transaction_of_the_caller() -> None:
    """What is committed before the wire is touched must really be committed."""
    queue()
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        operations.claim_letter(at=AT, worker="w1")


# A worker that is killed.


def test_killed_before_the_text_is_over_the_letter_goes_again(box: Mailbox) -> None:
    key = queue()
    box.answer_next(Trouble(at="RCPT", stall=True))
    with worker_process(box) as worker:
        box.wait_until_stalled()
        worker.kill()
    assert state_of(key) is LetterState.SENDING
    assert post(box, at=AT + timedelta(days=1)) is None
    box.release()
    assert recover_interrupted(at=AT, is_alive=lambda worker: False) == [key]
    post(box)
    assert state_of(key) is LetterState.SENT
    assert len(box.mails) == 1


def test_killed_between_the_note_and_the_dot_the_letter_is_in_doubt_and_not_sent(box: Mailbox) -> None:
    key = queue()
    with worker_process(box, "handing_over") as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "stopped\n"
        worker.kill()
    assert_in_doubt_and_left_alone(key, box, mails=0)


def test_killed_while_the_server_thinks_the_letter_is_in_doubt_and_not_doubled(box: Mailbox) -> None:
    key = queue()
    box.answer_next(Trouble(at="DOT", stall=True, keep=True))
    with worker_process(box):
        box.wait_until_stalled()
    box.release()
    assert_in_doubt_and_left_alone(key, box, mails=1)


def test_killed_after_the_answer_and_before_it_is_on_record_the_letter_is_not_doubled(box: Mailbox) -> None:
    key = queue()
    with worker_process(box, "answered") as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "stopped\n"
    assert_in_doubt_and_left_alone(key, box, mails=1)


def test_killed_at_any_moment_no_letter_is_doubled_and_none_is_lost(box: Mailbox) -> None:
    keys = [queue(f"notice:C-{n:06d}", case=f"C-{n:06d}") for n in range(12)]
    for taken in (2, 5, 8):
        with worker_process(box):
            box.wait_for(taken)
        recover_interrupted(at=AT, is_alive=lambda worker: False)
    while post(box):
        pass
    by_letter = mails_by_letter(box.mails)
    assert all(count == 1 for count in by_letter.values())
    for key in keys:
        state = state_of(key)
        assert state in (LetterState.SENT, LetterState.IN_DOUBT)
        assert key in by_letter or state is LetterState.IN_DOUBT
    assert len(queries.list_letters(state=LetterState.IN_DOUBT)) <= 3


# Several workers.


def test_several_workers_never_send_one_letter_twice(box: Mailbox) -> None:
    keys = {queue(f"notice:C-{n:06d}", case=f"C-{n:06d}") for n in range(30)}

    def work(name: str) -> Callable[[], None]:
        def all_of_them() -> None:
            while post(box, worker=name):
                pass

        return all_of_them

    with worker_process(box, name="far", kill=False), in_thread(work("a")), in_thread(work("b")), in_thread(work("c")):
        pass
    assert mails_by_letter(box.wait_for(30)) == dict.fromkeys(keys, 1)
    assert queries.count_by_state()[LetterState.SENT] == 30


# Storms.


def test_a_storm_of_complaints_is_not_answered_without_end() -> None:
    for n in range(3):
        queue(f"ack:R-{n}", kind=LetterKind.ACKNOWLEDGEMENT, case=None, report=f"R-{n}", to="Jane@Example.org")
    assert queries.too_many_to("jane@example.org", at=AT + MINUTE, hourly_max=3)
    assert not queries.too_many_to("jane@example.org", at=AT + MINUTE, hourly_max=4)
    assert not queries.too_many_to("jane@example.org", at=AT + 61 * MINUTE, hourly_max=3)
    assert not queries.too_many_to("maja@example.org", at=AT + MINUTE, hourly_max=1)


def test_letters_to_customers_are_not_counted_as_a_storm() -> None:
    queue()
    assert not queries.too_many_to("maja@customer.example.org", at=AT, hourly_max=1)


def test_text_that_no_database_holds_is_kept_as_far_as_it_goes() -> None:
    key = queue(draft=Draft(subject="a\x00b", body="c\ud800d\n"))
    letter = queries.get_letter(key)
    assert letter is not None
    assert letter.subject == "a\ufffdb"


def assert_in_doubt_and_left_alone(key: str, box: Mailbox, *, mails: int) -> None:
    """The letter is in doubt after the crash, a person sees it, and nothing sends it by itself."""
    assert state_of(key) is LetterState.HANDING_OVER
    assert recover_interrupted(at=AT, is_alive=lambda worker: False) == [key]
    assert [letter.key for letter in queries.list_letters(state=LetterState.IN_DOUBT)] == [key]
    assert trace_of(key)[-1] == "letter.in_doubt"
    assert post(box, at=AT + timedelta(days=30)) is None
    assert len(box.mails) == mails
    send_again(key, at=AT, actor="ana")
    post(box, worker="w2")
    assert state_of(key) is LetterState.SENT
    assert len(box.mails) == mails + 1
    assert len({mail.message["Message-ID"] for mail in box.mails}) == 1


def mails_by_letter(mails: tuple[Mail, ...]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for mail in mails:
        key = mail.message["X-Tipstaff-Letter"]
        counted[key] = counted.get(key, 0) + 1
    return counted


@contextmanager
def worker_process(
    box: Mailbox, stop: str = "", *, name: str = "w-killed", kill: bool = True
) -> Iterator[subprocess.Popen[str]]:
    """Run a worker in a process of its own, and kill it at the end, or else let it finish."""
    url = urlsplit(os.environ["TIPSTAFF_DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    worker = subprocess.Popen(
        [sys.executable, str(WORKER), name, box.host, str(box.port), *filter(None, (stop,))],
        env={**os.environ, "TIPSTAFF_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tipstaff.site.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield worker
        if not kill:
            assert worker.wait(timeout=60) == 0
    finally:
        worker.kill()
        worker.communicate()


@contextmanager
def in_thread(work: Callable[[], object]) -> Iterator[None]:
    """Do the work in a thread of its own, with a database connection of its own, and wait for it at the end."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as pool:
        done = pool.submit(run)
        yield
        done.result(timeout=60)
