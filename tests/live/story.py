"""One complaint's whole way at a running desk: the mail, the deadline, the measure, the answer, the end.

It is driven as the world drives it: a mail without its 250 is sent again, a page that did not come is asked for again,
and a person looks at a letter that is in doubt.
"""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.live.moving_in import network_of
from tests.live.running import Desk, clean_environment, run_python, until
from tipstaff.testing.story.mail import arf, mail, rfc5322, spam_sample
from tipstaff.testing.story.reporters import Reporting

_LINK = re.compile(r"http://\S+/p/\S+")

PASSING = frozenset(
    {
        "evidence.seen_again", "letter.sending", "letter.queued_again", "letter.in_doubt", "letter.taken_as_sent",
        "letter.send_again", "letter.handing_over", "letter.sent", "device.writer", "device.intent", "measure.drifted",
        "measure.weighed",
    }
)  # fmt: skip
"""What may stand on record more often, or in other words, when somebody died: letters are compared one by one."""


@dataclass(kw_only=True)
class Ended:
    """What became of one story, in words that are the same for each."""

    customer: str
    report: str = ""
    case: str = ""
    state: dict[str, object] = field(default_factory=dict)
    letters: dict[str, str] = field(default_factory=dict)
    """Kind -> state."""
    arrived: dict[str, int] = field(default_factory=dict)
    """Kind -> how often it is at the mailbox."""
    doubted: dict[str, str] = field(default_factory=dict)
    """Kind -> key of each letter that was in doubt, even if a person has looked at it since."""
    steps: Counter[str] = field(default_factory=Counter)


def complaint_of(n: int, *, at: datetime) -> bytes:
    """A feedback loop's report about the n-th customer's address."""
    source = str(network_of(n).network_address)
    reporter = Reporting(f"Sample Loop {n}", f"loop-{n}@reporter.example.org")
    happened = at - timedelta(hours=1)
    sample = spam_sample(
        source=source,
        helo=f"host-{n}.customer.example.com",
        received_by="mx.reporter.example.org",
        at=happened,
        sender="prizes@sender.example.com",
        to="someone@reporter.example.org",
        subject="You have won",
        body="Answer today.",
    )
    fields = {
        "Feedback-Type": "abuse", "User-Agent": "SampleFBL/1", "Version": "1", "Source-IP": source,
        "Arrival-Date": rfc5322(happened),
    }  # fmt: skip
    words = f"This is a report about mail from {source} on {rfc5322(happened)}."
    return mail(arf(fields, sample=sample, words=words), sender=reporter, subject=f"Report {n}", at=at)


def tell(desk: Desk, n: int, *, hurried: bool = True) -> Ended:
    """Play the story of the n-th customer to its end and say what became of it.

    Once the deadline has passed, a hurried one asks the worker to look at deadlines at once, which saves up to five
    seconds a story. Nothing else in it is asked for by hand.
    """
    ended = Ended(customer=f"acct-{n}")
    after = desk.one("SELECT coalesce(max(id), 0) FROM ledger_entry")
    desk.send(complaint_of(n, at=desk.now()), sender=f"loop-{n}@reporter.example.org")
    _await_state(desk, ended, "notified")
    desk.set_clock(desk.one("SELECT due_at FROM cases_caserow WHERE key = %s", ended.case) + timedelta(seconds=1))
    if hurried:
        desk.look_round()
    _await_state(desk, ended, "measure_in_force")
    desk.settle()
    assert desk.letters is not None
    link = next(
        found.group(0)
        for letter in reversed(desk.letters.mails)
        if ended.case in letter.text and (found := _LINK.search(letter.text))
    )
    assert desk.answer(link, answer="fixed", words="The machine was cleaned.") in (200, 409)
    _await_state(desk, ended, "closed")
    desk.settle()
    return _look_at(desk, ended, after=after)


def _await_state(desk: Desk, ended: Ended, state: str) -> None:
    def arrived() -> bool:
        rows = desk.ask("SELECT key, state FROM cases_caserow WHERE customer = %s", ended.customer)
        assert len(rows) <= 1, f"{len(rows)} cases of {ended.customer}"
        if rows:
            ended.case = rows[0][0]
            _look_at_doubtful(desk, ended)
        return bool(rows) and rows[0][1] == state

    def stuck() -> str:
        entries = desk.ask("SELECT what, actor FROM ledger_entry ORDER BY id DESC LIMIT 12")
        jobs = desk.ask("SELECT id, task_name, status, worker_id FROM procrastinate_jobs ORDER BY id DESC LIMIT 8")
        log = desk.log("worker")[-1500:]
        return f"{ended.case} of {ended.customer} does not become {state}: {entries} {jobs} {log}"

    until(arrived, what=stuck)


def _look_at_doubtful(desk: Desk, ended: Ended) -> None:
    """What a person does with a notice in doubt: see whether it arrived, and say so or send it again."""
    doubtful = desk.ask(
        "SELECT key, message_id FROM notices_letterrow WHERE \"case\" = %s AND kind = 'notice' AND state = 'in_doubt'",
        ended.case,
    )
    for key, message_id in doubtful:
        ended.doubted["notice"] = key
        call = "take_letter_as_sent" if _times_arrived(desk, message_id) else "send_letter_again"
        why = ", why='It is in the mailbox.'" if call == "take_letter_as_sent" else ""
        run_python(
            "-c",
            "from tipstaff.cli.base import start_django; start_django()\n"
            "from tipstaff import wiring\nfrom tipstaff.procedures import casework\n"
            f"casework.{call}({key!r}, desk=wiring.desk(), at=wiring.now(), actor='ana'{why})",
            environment={**clean_environment(), **desk.environment("person")},
        )


def _times_arrived(desk: Desk, message_id: str) -> int:
    assert desk.letters is not None
    return sum(str(letter.message["Message-ID"]) == message_id for letter in desk.letters.mails)


def _look_at(desk: Desk, ended: Ended, *, after: int) -> Ended:
    reports = desk.ask("SELECT key, outcome FROM intake_reportrow WHERE sender = %s", _sender_of(ended.customer))
    assert len(reports) == 1, f"{len(reports)} reports of one mail"
    ended.report = reports[0][0]
    case = desk.ask("SELECT state, outcome, reports FROM cases_caserow WHERE key = %s", ended.case)[0]
    measures = desk.ask(
        "SELECT key, state, degree, selector_key, in_force_at IS NOT NULL, proof FROM enforcement_measurerow"
        ' WHERE "case" = %s',
        ended.case,
    )
    held = desk.held()
    ended.state = {
        "report": reports[0][1],
        "case": case,
        "measures": [row[1:3] + row[4:] for row in measures],
        "held": [key for key, *_ in measures if key in held],
    }
    for key, kind, state, message_id in desk.ask(
        'SELECT key, kind, state, message_id FROM notices_letterrow WHERE "case" = %s OR report = %s ORDER BY id',
        ended.case, ended.report,
    ):  # fmt: skip
        assert kind not in ended.letters, f"two letters of the kind {kind}"
        ended.letters[kind] = state
        if state == "in_doubt":
            ended.doubted[kind] = key
        ended.arrived[kind] = _times_arrived(desk, message_id)
    ours = desk.ask(
        "SELECT what FROM ledger_entry WHERE id > %s AND about && %s",
        after, [ended.report, f"{ended.report}.1", ended.case, *(row[0] for row in measures)],
    )  # fmt: skip
    ended.steps = Counter(what for (what,) in ours if what not in PASSING)
    return ended


def _sender_of(customer: str) -> str:
    return f"loop-{customer.removeprefix('acct-')}@reporter.example.org"


def differences(ended: Ended, undisturbed: Ended, *, in_hand: Collection[str] = ()) -> list[str]:
    """How a story with a kill in it ended otherwise than one without, in sentences; none if nothing was lost.

    `in_hand` names the letters that the killed worker was handing over: those, and no others, may be in doubt.
    """
    wrong = []
    if ended.state != undisturbed.state:
        wrong.append(f"it ended as {ended.state}, not as {undisturbed.state}")
    if ended.steps != undisturbed.steps:
        less, more = undisturbed.steps - ended.steps, ended.steps - undisturbed.steps
        wrong.append(f"on record: missing {dict(less)}, too many {dict(more)}")
    if ended.letters.keys() != undisturbed.letters.keys():
        wrong.append(f"letters {sorted(ended.letters)}, not {sorted(undisturbed.letters)}")
    for kind, key in ended.doubted.items():
        if key not in in_hand:
            wrong.append(f"the letter {kind} was in doubt although nobody was killed while handing it over")
    for kind, state in ended.letters.items():
        times = ended.arrived[kind]
        if not ((state == "sent" and times == 1) or (state == "in_doubt" and times <= 1)):
            wrong.append(f"the letter {kind} is {state} and arrived {times} times")
    return wrong
