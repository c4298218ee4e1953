"""Hostile mail through the real intake and worker: a clear outcome each, bounded memory, nothing lost."""

import hashlib
import smtplib
import subprocess
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.live import hostile
from tests.live.conftest import MakeDesk
from tests.live.running import Desk, hand_over, until
from tipstaff.config import MailIn
from tipstaff.host.postgres import find_binaries
from tipstaff.testing import story
from tipstaff.testing.mailbox import Mail, Mailbox
from tipstaff.testing.story.mail import PICTURE_MARK, picture_traces, shows_picture

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("hostile")]

MAIL_IN = MailIn()
"""As it is unless set: so does the desk of these tests have it."""
MEMORY_MIB_MAX = {
    "intake": 150 + MAIL_IN.memory_mib + 3 * MAIL_IN.max_mib,
    "worker": 150 + 7 * MAIL_IN.max_mib,
}
"""What docs/operate/mail-in.md promises."""
HOURLY_MAX = 20
JOBS_AT_A_TIME = 4
HEADERS = {
    "subject", "from", "to", "date", "message-id", "in-reply-to", "references", "auto-submitted", "precedence",
    "x-tipstaff-letter", "x-auto-response-suppress", "content-type", "content-transfer-encoding", "mime-version",
    "reply-to",
}  # fmt: skip
"""What a letter of ours may carry."""
UNDERSTOOD = {"forwarded", "duplicate"}


@pytest.fixture(scope="module")
def desk(open_desk: MakeDesk) -> Desk:
    made = open_desk(settings={"mail_out": {"complainant_hourly_max": HOURLY_MAX}})
    made.start("intake", "worker")
    made.await_doors()
    return made


@pytest.fixture
def at(desk: Desk) -> datetime:
    """An hour ago; a day goes by between two tests, so that none shares its events or its letters with another."""
    desk.set_clock(desk.now() + timedelta(days=1))
    return desk.now() - timedelta(hours=1)


@pytest.fixture(autouse=True)
def _alive_and_small(desk: Desk) -> Iterator[None]:
    before = dict(desk.processes)
    yield
    for process in ("intake", "worker"):
        assert desk.alive(process), desk.log(process)[-2000:]
        assert desk.processes[process] == before[process], "no other one was started"
        assert desk.peak_mib(process) < MEMORY_MIB_MAX[process], process
    assert desk.answers_mail()


def outcome_of(desk: Desk, raw: bytes) -> tuple[str, str]:
    """Send it, wait until it is read, and return outcome and reason; its octets must be on record as they came."""
    key = desk.send(raw).rpartition(" ")[2]
    until(
        lambda: desk.one("SELECT read_at FROM intake_reportrow WHERE key = %s", key),
        what=lambda: f"{key} is not read: {desk.log('worker')[-2000:]}",
    )
    desk.settle()
    [(content,)] = desk.ask("SELECT content FROM ledger_evidencerow WHERE digest = %s", hashlib.sha256(raw).hexdigest())
    assert zlib.decompress(bytes(content)) == raw
    outcome, reason = desk.ask("SELECT outcome, outcome_reason FROM intake_reportrow WHERE key = %s", key)[0]
    assert outcome != "received", "nobody looks at it"
    assert reason, "no reason is given"
    return outcome, reason


def outcomes_of(desk: Desk, mails: dict[str, bytes]) -> dict[str, tuple[str, str]]:
    return {name: outcome_of(desk, raw) for name, raw in mails.items()}


def test_broken_mime_is_read_as_far_as_it_goes(desk: Desk, at: datetime) -> None:
    said = outcomes_of(desk, hostile.broken(at))
    assert said.pop("nothing-but-line-ends") == ("set_aside", "EMPTY")
    assert said.pop("random") == ("with_a_person", "NO_SOURCE")
    assert said.pop("half-a-feedback-report") == ("with_a_person", "READER_UNSURE")
    assert {outcome for outcome, _ in said.values()} == UNDERSTOOD


def test_words_in_another_charset_than_they_claim_are_read(desk: Desk, at: datetime) -> None:
    said = outcomes_of(desk, hostile.wrong_charsets(at))
    assert said.pop("says-utf16-is-utf8")[0] in {*UNDERSTOOD, "with_a_person"}
    assert {outcome for outcome, _ in said.values()} == UNDERSTOOD


def test_a_mail_of_forty_mib_is_kept_and_read(desk: Desk, at: datetime) -> None:
    raw = hostile.large(at, mib=40)
    assert len(raw) > 40 * 2**20 * 0.99
    assert outcome_of(desk, raw)[0] in UNDERSTOOD


def test_eight_mails_of_forty_mib_at_once_are_each_kept_and_read_and_small_ones_pass_them(
    desk: Desk, at: datetime
) -> None:
    raws = hostile.large_ones(at, mib=40, count=8)
    digests = [hashlib.sha256(raw).hexdigest() for raw in raws]
    assert len(set(digests)) == 8
    small = hostile.head("small", at=at) + hostile.text_part(hostile.words(at))
    with ThreadPoolExecutor(8) as senders:
        sendings = [senders.submit(desk.send, raw) for raw in raws]
        key = desk.send(small).rpartition(" ")[2]
        outcome = "SELECT outcome FROM intake_reportrow WHERE key = %s"
        until(lambda: desk.one(outcome, key) in UNDERSTOOD, what=lambda: desk.log("worker")[-2000:])
        read = "SELECT count(*) FROM intake_reportrow r JOIN ledger_evidencerow e ON r.evidence = e.digest"
        assert desk.one(f"{read} WHERE e.digest = ANY(%s) AND r.read_at IS NOT NULL", digests) < 8
        keys = [sending.result().rpartition(" ")[2] for sending in sendings]
    assert len(set(keys)) == 8
    unread = "SELECT count(*) FROM intake_reportrow WHERE key = ANY(%s) AND read_at IS NULL"
    until(lambda: desk.one(unread, keys) == 0, what=lambda: desk.log("worker")[-2000:], seconds=300)
    desk.settle()
    for digest, raw in zip(digests, raws, strict=True):
        [(content,)] = desk.ask("SELECT content FROM ledger_evidencerow WHERE digest = %s", digest)
        assert zlib.decompress(bytes(content)) == raw
    outcomes = dict(desk.ask("SELECT key, outcome FROM intake_reportrow WHERE key = ANY(%s)", keys))
    assert set(outcomes.values()) <= UNDERSTOOD, outcomes


def test_a_mail_above_the_limit_is_refused_and_leaves_nothing(desk: Desk, at: datetime) -> None:
    reports = desk.one("SELECT count(*) FROM intake_reportrow")
    with smtplib.SMTP("127.0.0.1", desk.smtp_port, timeout=60) as smtp:
        smtp.ehlo()
        code, _ = smtp.mail("reports@reporter.example.org", ["size=60000000"])
        assert code == 552
    assert desk.one("SELECT count(*) FROM intake_reportrow") == reports


def test_what_would_fill_the_memory_is_not_unfolded_and_its_mail_is_sealed(desk: Desk, at: datetime) -> None:
    for name, raw in hostile.bombs(at).items():
        key = desk.send(raw).rpartition(" ")[2]
        assert desk.one("SELECT outcome FROM intake_reportrow WHERE key = %s", key) == "sealed", name
        digest = hashlib.sha256(raw).hexdigest()
        [(content,)] = desk.ask("SELECT content FROM ledger_evidencerow WHERE digest = %s", digest)
        assert b"Abuse report" not in bytes(content), "what nobody looked into is not kept in clear"


def test_ten_thousand_addresses_in_one_mail_go_to_a_person_and_open_no_case(desk: Desk, at: datetime) -> None:
    cases = desk.one("SELECT count(*) FROM cases_caserow")
    mails = hostile.many_addresses(at)
    assert outcome_of(desk, mails["ten-thousand-sources"]) == ("with_a_person", "TOO_MANY_SOURCES")
    assert desk.one("SELECT count(*) FROM cases_caserow") == cases
    letters = desk.one("SELECT count(*) FROM notices_letterrow")
    assert outcome_of(desk, mails["ten-thousand-recipients"])[0] in UNDERSTOOD
    assert desk.one("SELECT count(*) FROM notices_letterrow") - letters <= 2


def test_nothing_in_a_mails_header_becomes_a_header_of_our_letters(desk: Desk, at: datetime) -> None:
    before = len(letters(desk))
    said = outcomes_of(desk, hostile.injections(at))
    assert {outcome for outcome, _ in said.values()} == UNDERSTOOD
    written = letters(desk)[before:]
    assert len(written) >= len(said)
    for letter in written:
        message = letter.message
        assert {name.lower() for name in message} <= HEADERS, message.keys()
        assert len(letter.recipients) == 1, "each letter has one reader"
        assert len(message.get_all("To", [])) == 1
        assert str(message["To"]) == letter.recipients[0]
        assert str(message["From"]).endswith("<abuse@operator.example.net>")
        assert "\r" not in str(message["Subject"]) + str(message["Message-ID"])
        assert all(len(line) < 999 for line in letter.raw.split(b"\r\n"))
        assert b"\n" not in letter.raw.replace(b"\r\n", b"")
        assert b"\r" not in letter.raw.replace(b"\r\n", b"")
    # What a name says is no address: whom an answer goes to stands in the brackets, or in Reply-To.
    told = {letter.recipients[0] for letter in written}
    assert "victim@target.example.orgX-Injected" not in told


def letters(desk: Desk) -> tuple[Mail, ...]:
    assert isinstance(desk.letters, Mailbox)
    return desk.letters.mails


def test_our_own_letters_coming_back_settle_and_call_for_none(desk: Desk, at: datetime) -> None:
    """A mail loop: whatever we write is sent back to us, as it is, bounced, and quoted by a robot that says nothing."""
    assert outcome_of(desk, hostile.head("loop", at=at) + hostile.text_part(hostile.words(at)))[0] in UNDERSTOOD
    written = letters(desk)
    assert written
    for letter in written:
        assert outcome_of(desk, _again(letter.raw)) == ("set_aside", "OWN_LETTER")
        assert outcome_of(desk, _bounced(letter.raw))[0] == "set_aside"
    assert len(letters(desk)) == len(written), "no letter was written"


def _again(raw: bytes) -> bytes:
    """Redirected by somebody's server: one more Received line."""
    return b"Received: from mx.reporter.example.org by mx.operator.example.net; now\r\n" + raw


def _bounced(raw: bytes) -> bytes:
    return (
        b"From: Mail Delivery System <mailer-daemon@mx.reporter.example.org>\r\nTo: abuse@operator.example.net\r\n"
        b"Subject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b-1"\r\n\r\n'
        b"--b-1\r\nContent-Type: text/plain\r\n\r\nYour message could not be delivered.\r\n"
        b"--b-1\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.reporter.example.org\r\n\r\n"
        b"Final-Recipient: rfc822; reports@reporter.example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        b"--b-1\r\nContent-Type: message/rfc822\r\n\r\n" + raw + b"\r\n--b-1--\r\n"
    )


def test_a_robot_that_answers_each_answer_gets_few_and_then_none(desk: Desk, at: datetime) -> None:
    """A ticket system that breaks every rule: it writes anew to each of our letters, quotes it, and marks nothing."""
    own = "robot@tickets.example.org"
    desk.send(hostile.head("robot", at=at, sender=own) + hostile.text_part(hostile.words(at)), sender=own)
    desk.settle()
    answered = 0
    while waiting := [m for m in letters(desk) if m.recipients == (own,)][answered:]:
        for letter in waiting:
            answered += 1
            assert answered < HOURLY_MAX + JOBS_AT_A_TIME, "it does not settle"
            quoted = letter.text.replace("\n", "\r\n> ")
            subject = f"[Ticket {answered}] Re: {letter.subject}"
            robot = hostile.head(f"robot-{answered}", at=at, sender=own, subject=subject)
            said = f"Thank you for your mail. Ticket {answered} was opened.\r\n\r\n> {quoted}\r\n"
            desk.send(robot + hostile.text_part(said), sender=own)
        desk.settle()
    assert answered >= 1
    assert desk.one("SELECT count(*) FROM cases_caserow WHERE opened_at > %s", at) <= 1


def test_however_deep_a_mail_is_folded_it_ends_with_a_person_or_is_understood(desk: Desk, at: datetime) -> None:
    said = outcomes_of(desk, hostile.deep(at))
    assert said["deep-parts"] == said["deeper-than-a-stack"] == said["deep-mails"] == ("with_a_person", "TOO_DEEP")
    assert said["many-parts"][0] in UNDERSTOOD


def test_octets_that_may_not_stand_there_hurt_nobody(desk: Desk, at: datetime) -> None:
    said = outcomes_of(desk, hostile.odd_octets(at))
    assert said.pop("one-line-of-a-megabyte")[0] in {*UNDERSTOOD, "with_a_person"}
    assert {outcome for outcome, _ in said.values()} == UNDERSTOOD


def test_a_storm_from_one_sender_is_kept_and_answered_a_few_times_only(desk: Desk, at: datetime) -> None:
    sender = "robot@storm.example.org"
    count = 60
    with smtplib.SMTP("127.0.0.1", desk.smtp_port, timeout=60) as smtp:
        smtp.ehlo()
        for automatic in (False, True):
            for raw in hostile.storm(at, count=count, automatic=automatic):
                hand_over(smtp, raw, sender=sender)
    until(lambda: desk.one("SELECT count(*) FROM intake_reportrow WHERE sender = %s AND read_at IS NULL", sender) == 0,
          what="the storm is not read")  # fmt: skip
    desk.settle()
    outcomes = dict(desk.ask("SELECT outcome, count(*) FROM intake_reportrow WHERE sender = %s GROUP BY 1", sender))
    assert sum(outcomes.values()) == 2 * count
    assert outcomes["forwarded"] == count
    # Each of the jobs that run at the same time may find the last place free.
    answered = sum(letter.recipients == (sender,) for letter in letters(desk))
    assert HOURLY_MAX <= answered < HOURLY_MAX + JOBS_AT_A_TIME
    silent = desk.one("SELECT count(*) FROM ledger_entry WHERE what = 'letter.not_answered' AND at > %s", at)
    assert silent >= count - answered, "that no answer was sent is on record"


def test_a_mail_that_passed_too_many_servers_is_refused(desk: Desk, at: datetime) -> None:
    raw = b"Received: from a by b; now\r\n" * 60 + hostile.head("hops", at=at) + hostile.text_part(hostile.words(at))
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        desk.send(raw)
    assert refused.value.smtp_code == 554


def test_child_abuse_media_and_address_are_nowhere_afterwards(desk: Desk, at: datetime) -> None:
    """Not in the database, not in any file of the data folder, not in a log, not in a letter."""
    told = [t for t in story.complaints(at) if t.expected.report_outcome == "sealed"]
    assert len(told) >= 3
    url = b"www.yoga.example.com/members/0417"
    before = len(letters(desk))
    for complaint in told:
        assert PICTURE_MARK in complaint.raw or shows_picture(complaint.raw)
        key = desk.send(complaint.raw, sender=complaint.sender).rpartition(" ")[2]
        desk.settle()
        assert desk.ask("SELECT outcome, sender FROM intake_reportrow WHERE key = %s", key) == [("sealed", "")]
        digest = hashlib.sha256(complaint.raw).hexdigest()
        assert desk.one("SELECT sealed FROM ledger_evidencerow WHERE digest = %s", digest) is True
    traces = (*picture_traces(), url, url.hex().encode())
    dumped = subprocess.run(
        [str(find_binaries() / "pg_dump"), "--inserts", "--no-owner", desk.url], capture_output=True, check=True
    ).stdout
    assert b"ledger_evidencerow" in dumped
    found = [trace for trace in traces if trace in dumped]
    assert found == []
    for (content,) in desk.ask("SELECT content FROM ledger_evidencerow WHERE NOT sealed"):
        clear = zlib.decompress(bytes(content))
        assert url not in clear
        assert not shows_picture(clear)
    files = [f for f in desk.folder.rglob("*") if f.is_file()]
    assert {f.name for f in files} >= {"intake.log", "worker.log", "signing.key"}
    for file in files:
        assert not _holds(file, url), file
    for letter in letters(desk)[before:]:
        assert url not in letter.raw
        assert not shows_picture(letter.raw)


def _holds(file: Path, url: bytes) -> bool:
    octets = file.read_bytes()
    return url in octets or shows_picture(octets)
