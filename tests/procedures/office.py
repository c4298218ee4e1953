"""An abuse desk in one process: the real rooms on a real database, a twin for the device, and letters that are read.

Only what leads out of the process is imagined: jobs are noted instead of run, and a mail server takes every letter.
"""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from tipstaff import wiring
from tipstaff.cases.queries import get_case, list_cases
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.guards import Limits
from tipstaff.enforcement.operations import Fence, become_writer, stop_writing
from tipstaff.enforcement.queries import measures_of_case
from tipstaff.intake.queries import get_report
from tipstaff.notices.operations import claim_letter, mark_handing_over, mark_sent
from tipstaff.notices.queries import get_letter
from tipstaff.procedures import complaint, enforcing, posting, suspension
from tipstaff.procedures.answers import answer_case
from tipstaff.procedures.desk import Desk
from tipstaff.procedures.sessions import holders_of_session
from tipstaff.registry import operations as registry
from tipstaff.testing.story.mail import arf, mail, rfc5322, spam_sample
from tipstaff.testing.story.reporters import Reporting
from tipstaff.words import (
    Answer,
    Case,
    Channel,
    Customer,
    Holding,
    HoldingKind,
    Letter,
    LetterKind,
    Measure,
    Report,
    Representative,
    Role,
    Standing,
    Tier,
)

STAFF_ROLES = (Role.ANALYST, Role.LEAD, Role.COUNSEL, Role.ENGINEER)
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
EDGE = "edge1"
ADDRESS_OF_REPRESENTATIVE = "{}@customer.example.com"
MOVED_IN = datetime(2024, 1, 1, tzinfo=UTC)
OURS = ("192.0.2.0/24", "198.51.100.0/24")


def reporter(n: int = 1) -> Reporting:
    """The n-th of those who complain."""
    return Reporting(f"Watchful Example {n}", f"watch-{n}@reporter-{n}.example.org")


class Office:
    """What the tests do at the desk, each act with the time at which it is done."""

    def __init__(self) -> None:
        self.twin = MemoryTwin(EDGE)
        self.roles: dict[str, frozenset[Role]] = {}
        """Who holds which role, where it matters: everybody else at the desk holds them all."""
        self.asked: list[tuple[str, str]] = []
        """Jobs that were asked for: (job, key)."""
        self.desk: Desk = dataclasses.replace(
            wiring.desk(),
            abuse_address="abuse@operator.example.net",
            own_addresses=frozenset({"abuse@operator.example.net"}),
            enqueue=lambda job, key: self.asked.append((job, key)),
            mail_out_ready=True,
            complainant_hourly_max=1000,
            seal=lambda kept: b"sealed" + bytes(len(kept)),
            abilities=lambda at: (self.twin.ability,),
            roles_of=lambda name: self.roles.get(name, frozenset(STAFF_ROLES)),
        )
        self.letters: list[Letter] = []
        """Everything that was handed over, in its order."""
        for own in OURS:
            self.hold(own, tier=Tier.OPERATOR, customer=None)

    # Who is there

    def admit(
        self,
        key: str,
        *addresses: str,
        representative: bool = True,
        standing: Standing = Standing.GOOD,
        reseller: str | None = None,
        is_reseller: bool = False,
        language: str = "en",
        timezone: str = "UTC",
    ) -> Customer:
        """A customer with what it holds."""
        written_to = Representative(
            name=f"Desk of {key}", email=f"{key}@customer.example.com", language=language, timezone=timezone
        )
        named = written_to if representative else None
        customer = Customer(
            key=key, name=f"Placeholder {key}", representative=named, standing=standing, reseller=reseller,
            is_reseller=is_reseller,
        )  # fmt: skip
        registry.add_customer(customer, at=MOVED_IN, actor="import")
        for address in addresses:
            self.hold(address, tier=Tier.RESELLER if is_reseller else Tier.CUSTOMER, customer=key)
        return customer

    def hold(
        self,
        prefix: str,
        *,
        customer: str | None,
        tier: Tier = Tier.CUSTOMER,
        kind: HoldingKind = HoldingKind.STATIC,
        ports: tuple[int, int] = (0, 65535),
        since: datetime = MOVED_IN,
        until: datetime | None = None,
    ) -> None:
        row = Holding(
            key=0, tier=tier, kind=kind, prefix=ip_network(prefix), held_from=since, held_until=until,
            customer=customer, port_first=ports[0], port_last=ports[1],
        )  # fmt: skip
        registry.add_holdings([row], at=MOVED_IN, actor="import")

    # What comes in

    def complain(
        self,
        source: str,
        *,
        at: datetime,
        by: Reporting | None = None,
        happened: datetime | None = None,
        port: int | None = None,
        subject: str = "Abuse report",
    ) -> Report:
        """A feedback loop reports spam from an address; it is taken in and read at once."""
        raw = spam_report(
            source, at=at, by=by or reporter(), happened=happened or at - HOUR, port=port, subject=subject
        )
        return self.take_in(raw, at=at, sender=(by or reporter()).address)

    def take_in(self, raw: bytes, *, at: datetime, sender: str) -> Report:
        """Any mail: it is kept, and read if it is to be read."""
        before = len(self.asked)
        key = complaint.accept(
            raw, sender=sender, recipients=("abuse@operator.example.net",), channel=Channel.SMTP, desk=self.desk, at=at
        )
        if {("understand", key), ("understand_heavy", key)} & set(self.asked[before:]):
            complaint.understand(key, desk=self.desk, at=at)
        return self.report(key)

    # What goes out

    def post(self, *, at: datetime) -> list[Letter]:
        """A mail server takes every letter that is due; those that it took."""
        taken = []
        while (letter := claim_letter(at=at, worker="tests", domain="operator.example.net")) is not None:
            mark_handing_over(letter.key, at=at, worker="tests")
            mark_sent(letter.key, at=at, reply="250 kept", worker="tests", on_sent=self.start_clock_of)
            fresh = get_letter(letter.key)
            assert fresh is not None
            taken.append(fresh)
        self.letters += taken
        return taken

    def start_clock_of(self, letter: Letter) -> None:
        posting.start_clock_of(letter, desk=self.desk)

    def letters_to(self, address: str) -> list[Letter]:
        return [letter for letter in self.letters if letter.to == address]

    def kinds_to(self, address: str) -> list[LetterKind]:
        return [letter.kind for letter in self.letters_to(address)]

    # What passes

    def deadlines(self, *, at: datetime) -> None:
        suspension.deadlines_pass(desk=self.desk, at=at)

    def follow(self, *, at: datetime) -> None:
        suspension.follow(desk=self.desk, at=at)

    def fence(self, *, at: datetime) -> Fence:
        return become_writer(EDGE, at=at)

    def enforce(self, *, at: datetime) -> enforcing.Reconciled:
        """One round of the enforcer, then the cases follow."""
        fence = self.fence(at=at)
        try:
            done = enforcing.reconcile(self.twin, fence=fence, limits=self.limits(at), at=at)
        finally:
            stop_writing(fence)
        self.follow(at=at)
        return done

    def limits(self, at: datetime = NOON) -> Limits:
        return Limits(
            own=tuple(ip_network(own) for own in OURS),
            owns_session=lambda selector: bool(holders_of_session(selector, at=at)),
            others_beyond=lambda customer, rule: suspension.others_beyond(
                customer, rule.selector, measure=rule.measure, at=at
            ),
        )

    def answer(self, case: Case, answer: Answer, *, at: datetime, words: str = "It is done.") -> Case:
        return answer_case(case.key, answer=answer, words=words, via="portal", desk=self.desk, at=at)

    # What is on record

    def case_of(self, report: Report) -> Case:
        """The case of a report's first incident, as it stands now."""
        key = self.report(report.key).incidents[0].case
        assert key is not None, self.report(report.key)
        return self.fresh(key)

    def fresh(self, key: str) -> Case:
        case = get_case(key)
        assert case is not None
        return case

    def report(self, key: str) -> Report:
        report = get_report(key)
        assert report is not None
        return report

    def cases(self) -> list[Case]:
        return list_cases(limit=1000)

    def measures(self, case: Case) -> Sequence[Measure]:
        return measures_of_case(case.key)

    # Whole stretches of the way

    def warned(self, source: str, *, at: datetime, by: Reporting | None = None) -> Case:
        """A case whose notice was handed over at `at`."""
        report = self.complain(source, at=at, by=by)
        self.post(at=at)
        return self.case_of(report)

    def measured(self, source: str, *, at: datetime, by: Reporting | None = None) -> Case:
        """A case that was warned of at `at`, not answered, and whose measure is in force."""
        case = self.warned(source, at=at, by=by)
        assert case.due_at is not None
        self.deadlines(at=case.due_at)
        self.enforce(at=case.due_at)
        self.post(at=case.due_at)
        return self.fresh(case.key)


def spam_report(
    source: str,
    *,
    at: datetime,
    by: Reporting,
    happened: datetime,
    port: int | None = None,
    subject: str = "Abuse report",
) -> bytes:
    """A report after RFC 5965; the mail that it is about names its victim and the reporter's own server."""
    sample = spam_sample(
        source=source, helo="host.customer.example.com", received_by=f"mx.{by.domain}", at=happened,
        sender="prizes@sender.example.com", to=f"victim@{by.domain}", subject="You have won", body="Answer today.",
        source_port=port,
    )  # fmt: skip
    fields = {
        "Feedback-Type": "abuse", "User-Agent": "SampleFBL/1", "Version": "1", "Source-IP": source,
        "Arrival-Date": rfc5322(happened),
    }  # fmt: skip
    if port is not None:
        fields["Source-Port"] = str(port)
    words = f"This is a report about mail from {source} on {rfc5322(happened)}. Our reference: REF-{by.name[-1]}77."
    return mail(arf(fields, sample=sample, words=words), sender=by, subject=subject, at=at)
