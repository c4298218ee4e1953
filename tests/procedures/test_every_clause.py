"""What a clause promises is kept on the real rooms: a report goes its clause's way, whether its type leads there or a
person named the clause. Coverage calls a row served on the strength of these."""

import dataclasses
import hashlib
from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest

from tests.procedures.office import HOUR, MOVED_IN, NOON, Office, reporter
from tipstaff.cases.queries import notes_of
from tipstaff.intake.operations import open_report, store_reading
from tipstaff.intake.queries import get_report
from tipstaff.ledger.operations import store_evidence
from tipstaff.ledger.queries import entries_about, get_raw
from tipstaff.legal.queries import late_matters, list_matters
from tipstaff.policy import Clause, shipped_editions
from tipstaff.policy.clauses import Opens, Subject
from tipstaff.policy.deciding import SPEECH_ROWS
from tipstaff.policy.kinds import AutoStep
from tipstaff.procedures import complaint, disclosure
from tipstaff.procedures.disclosure import NotAnswerable
from tipstaff.procedures.refusals import NotYourDecision
from tipstaff.procedures.trust import vouch
from tipstaff.registry.operations import add_site
from tipstaff.words import (
    SEALED_TYPES,
    Allegation,
    CaseState,
    Channel,
    LegalMatter,
    LetterKind,
    MatterKind,
    MatterState,
    Moment,
    NoticePosture,
    Reading,
    ReadingOutcome,
    ReadingReason,
    Report,
    Reporter,
    ReportOutcome,
    Role,
)

ADDRESS = "198.51.100.7"
NAME = "shop.example.net"
EDITION = shipped_editions()[-1]
BY_TYPE = [c for c in EDITION.clauses if c.applies_to and not SEALED_TYPES & set(c.applies_to)]
BY_NAME = [
    c for c in EDITION.clauses if any("::test_a_person_names_a_clause_and_the_report_" in test for test in c.proved_by)
]


def host(name: str) -> None:
    add_site(
        name, address=ip_address(ADDRESS), customer="acct-1", service=None, since=MOVED_IN, at=MOVED_IN, actor="import"
    )


def read_as(
    office: Office,
    allegation: Allegation,
    *,
    of_person: bool,
    sender: str = "",
    vouched: bool = False,
    words: str = "A letter of words that no reader knows.",
    at: datetime = NOON,
) -> Report:
    """A report that its reader understood as `allegation`, or that a person has to read; then judged."""
    sender = sender or reporter().address
    evidence, _ = store_evidence(
        words.encode(), digest=hashlib.sha256(sender.encode()).hexdigest(), at=at,
        channel=Channel.SMTP, sender=sender, recipients=("abuse@operator.example.net",),
    )  # fmt: skip
    key = open_report(evidence, at=at, actor="intake")
    if vouched:
        vouch(key, by="tests", at=at)
    reading = Reading(
        outcome=ReadingOutcome.COMPLAINT, reason=ReadingReason.UNSURE if of_person else ReadingReason.UNDERSTOOD,
        allegations=(allegation,), reporter=Reporter(address=sender), parser="xarf",
    )  # fmt: skip
    store_reading(key, reading=reading, at=at, actor="worker")
    found = get_report(key)
    assert found is not None
    complaint.decide(found, desk=office.desk, at=at)
    return office.report(key)


def alleged(clause: Clause, type: str, *, cited: str | None = None) -> Allegation:
    by_name = clause.subject is Subject.NAME
    return Allegation(
        type=type,
        source=None if by_name else ip_address(ADDRESS),
        url=f"http://{NAME}/offer" if by_name else None,
        domain=NAME if by_name else None,
        moment=Moment(NOON - timedelta(days=3)),
        excerpt="connect from " + ADDRESS,
        cited=cited,
    )


def goes_its_way(office: Office, report: Report, clause: Clause) -> None:
    """The case, its words, who is told and by when, and who may decide are the clause's."""
    office.post(at=NOON + HOUR)
    case = office.case_of(report)
    told = [letter for letter in office.letters_to("acct-1@customer.example.com") if letter.kind is LetterKind.NOTICE]
    assert (case.clause, case.group, case.edition) == (clause.id, clause.group, EDITION.id)
    if clause.opens is Opens.PERSON or not SPEECH_ROWS.isdisjoint(clause.rows):
        assert case.state is CaseState.WAITING_PERSON
        assert case.decides is clause.decides
        assert told == [], "nobody is told before a person has decided"
        return
    assert case.state is CaseState.NOTIFIED
    [letter] = told
    assert clause.title in letter.body
    assert case.due_at == NOON + HOUR + (clause.answer_within or timedelta())
    assert clause.notice is not NoticePosture.WITHHELD
    assert reporter().address not in letter.body
    [answer] = office.letters_to(reporter().address)
    assert "acct-1" not in answer.body, "the complainant is answered and does not learn who it is"


@pytest.mark.parametrize("clause", [pytest.param(clause, id=clause.id) for clause in BY_TYPE])
def test_a_report_goes_its_clauses_way(office: Office, clause: Clause) -> None:
    office.admit("acct-1", ADDRESS)
    host(NAME)
    goes_its_way(office, read_as(office, alleged(clause, clause.applies_to[0]), of_person=False), clause)


def test_every_clause_to_which_no_report_leads_is_served_by_a_person_or_not_at_all() -> None:
    assert len(BY_NAME) > 20
    for clause in EDITION.clauses:
        if clause.judged and not clause.applies_to:
            served = clause in BY_NAME or AutoStep.SEAL in clause.automatic
            assert served is not bool(clause.awaits), clause.id


@pytest.mark.parametrize("clause", [pytest.param(clause, id=clause.id) for clause in BY_NAME])
def test_a_person_names_a_clause_and_the_report_goes_its_way(office: Office, clause: Clause) -> None:
    office.admit("acct-1", ADDRESS)
    host(NAME)
    report = read_as(office, alleged(clause, "messaging/spam"), of_person=True)
    assert report.outcome is ReportOutcome.WITH_A_PERSON
    assert office.cases() == []
    named = alleged(clause, "unknown/unknown", cited=clause.id)
    complaint.correct_reading(report.key, allegations=(named,), desk=office.desk, at=NOON, actor="anna")
    goes_its_way(office, office.report(report.key), clause)
    [judged] = [entry for entry in entries_about(report.key) if entry.what == "incident.judged"]
    assert judged.detail["clause"] == clause.id


@pytest.mark.parametrize("clause", ["conduct.harassment", "conduct.facilitation"])
def test_a_notice_that_would_endanger_somebody_is_kept_back_on_a_ground_that_ends(office: Office, clause: str) -> None:
    office.admit("acct-1", ADDRESS)
    host(NAME)
    named = EDITION.clause(clause)
    report = read_as(office, alleged(named, "messaging/spam"), of_person=True, words="Where she lives now.")
    told = {"allegations": (alleged(named, "unknown/unknown", cited=clause),), "desk": office.desk, "actor": "anna"}
    if named.withheld_until is None:
        with pytest.raises(complaint.NotKeptBack):
            complaint.correct_reading(report.key, keep_back=True, at=NOON, **told)  # type: ignore[arg-type]  # as keywords
        assert office.report(report.key).outcome is ReportOutcome.WITH_A_PERSON
        return
    with pytest.raises(complaint.NoGround):
        complaint.correct_reading(report.key, keep_back=True, at=NOON, **told)  # type: ignore[arg-type]  # as keywords
    with pytest.raises(complaint.NotKeptBack):
        complaint.correct_reading(report.key, keep_back=True, why="x", at=NOON, **{**told, "allegations": ()})  # type: ignore[arg-type]  # as keywords
    assert office.report(report.key).outcome is ReportOutcome.WITH_A_PERSON
    danger = "He does not know where she lives."
    complaint.correct_reading(report.key, keep_back=True, why=danger, at=NOON, **told)  # type: ignore[arg-type]  # as keywords
    office.post(at=NOON + HOUR)
    assert (office.cases(), office.letters_to("acct-1@customer.example.com")) == ([], [])
    [matter] = list_matters()
    assert (matter.report, matter.clause, matter.customer) == (report.key, clause, "acct-1")
    ends = NOON + named.withheld_until
    assert (matter.ground, matter.review_at) == (danger, ends)
    assert late_matters(at=ends - HOUR) == []
    assert late_matters(at=ends) == [matter], "it is not lost where counsel does nothing"
    office.roles = {"carla": frozenset({Role.COUNSEL})}
    silent = {"ground": "She fears for her life.", "desk": office.desk, "at": NOON, "actor": "carla"}
    with pytest.raises(NotAnswerable, match=f"within {named.withheld_until.days} days"):
        disclosure.keep_silent(matter.key, until=NOON + named.withheld_until + HOUR, **silent)  # type: ignore[arg-type]  # as keywords
    kept = disclosure.keep_silent(matter.key, until=NOON + named.withheld_until, **silent)  # type: ignore[arg-type]  # as keywords
    assert kept.review_at == NOON + named.withheld_until, "it is looked at again by then"
    [entry] = [each for each in entries_about(matter.key) if each.at == NOON and each.actor == "carla"]
    assert "She fears" not in str(entry.detail), "colleagues read the record"


SEALED = [c for c in EDITION.clauses if AutoStep.SEAL in c.automatic and not c.applies_to]


def sealed(office: Office, clause: Clause) -> LegalMatter:
    """A report that opened a case of another kind, until somebody saw what it is; its place in the register."""
    office.admit("acct-1", ADDRESS)
    host(NAME)
    report = read_as(office, alleged(clause, "messaging/spam"), of_person=True, words="A letter that names a victim.")
    named = alleged(clause, "unknown/unknown", cited=clause.id)
    complaint.correct_reading(report.key, allegations=(named,), desk=office.desk, at=NOON, actor="anna")
    complaint.correct_reading(report.key, allegations=(named,), desk=office.desk, at=NOON, actor="anna")
    [matter] = list_matters()
    assert matter.report == report.key
    return matter


@pytest.mark.parametrize("clause", [pytest.param(clause, id=clause.id) for clause in SEALED])
def test_what_counsel_alone_reads_goes_to_the_sealed_queue_and_the_register(office: Office, clause: Clause) -> None:
    matter = sealed(office, clause)
    assert (matter.kind, matter.clause, matter.customer) == (MatterKind.REPORT, clause.id, "acct-1"), "as it held then"
    assert matter.asked is not None
    assert matter.asked.used_at == NOON - timedelta(days=3)
    report = office.report(matter.report)
    assert (report.outcome, report.incidents, report.sender) == (ReportOutcome.SEALED, (), "")
    assert report.reading is not None
    assert report.reading.reason is ReadingReason.COUNSEL_ALONE
    with pytest.raises(PermissionError):
        get_raw(report.evidence)
    office.post(at=NOON + HOUR)
    assert office.cases() == []
    assert office.letters_to("acct-1@customer.example.com") == [], "an early word could warn"
    for entry in (*entries_about(matter.report), *entries_about(matter.key)):
        assert clause.id not in str(entry.detail), "colleagues read the record"
        assert ADDRESS not in str(entry.detail)


def test_the_register_makes_up_no_time_that_a_sealed_report_did_not_state(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    named = dataclasses.replace(alleged(SEALED[0], "unknown/unknown", cited=SEALED[0].id), moment=None)
    report = read_as(office, dataclasses.replace(named, type="messaging/spam", cited=None), of_person=True)
    complaint.correct_reading(report.key, allegations=(named,), desk=office.desk, at=NOON, actor="anna")
    [matter] = list_matters()
    assert matter.asked is not None
    assert (matter.asked.address, matter.asked.used_at) == (ADDRESS, None)


@pytest.mark.parametrize("clause", [pytest.param(clause, id=clause.id) for clause in SEALED])
def test_counsel_decides_on_what_was_sealed_and_silence_ends(office: Office, clause: Clause) -> None:
    key = sealed(office, clause).key
    office.roles = {"carla": frozenset({Role.COUNSEL}), "lena": frozenset({Role.LEAD})}
    with pytest.raises(NotYourDecision):
        disclosure.decide(key, answer=True, why="Seen.", desk=office.desk, at=NOON, actor="lena")
    until = NOON + (clause.withheld_until or timedelta())
    with pytest.raises(NotAnswerable):
        disclosure.keep_silent(key, ground="x", until=until + HOUR, desk=office.desk, at=NOON, actor="carla")
    disclosure.keep_silent(key, ground="The police asked.", until=until, desk=office.desk, at=NOON, actor="carla")
    done = disclosure.decide(key, answer=True, why="The police were told.", desk=office.desk, at=NOON, actor="carla")
    assert (done.state, done.decided_by, done.gives) == (MatterState.ANSWERED, "carla", ())
    with pytest.raises(NotAnswerable):
        disclosure.hand_over(key, desk=office.desk, at=NOON, actor="carla")
    assert [late.key for late in disclosure.late(desk=office.desk, at=until, actor="carla")] == [key]


CORROBORATED = [c for c in EDITION.clauses if c.id in ("content.malware", "mail.unsolicited", "access.account_theft")]


@pytest.mark.parametrize("clause", [pytest.param(clause, id=clause.id) for clause in CORROBORATED])
def test_a_second_sender_who_depends_on_nobody_is_noted_on_the_case(office: Office, clause: Clause) -> None:
    """By name, by address, and by a person's word: the way is one for all clauses."""
    office.admit("acct-1", ADDRESS)
    host(NAME)
    cited = None if clause.applies_to else clause.id
    named = alleged(clause, clause.applies_to[0] if clause.applies_to else "unknown/unknown", cited=cited)

    def told(sender: str, *, vouched: bool = True) -> Report:
        return read_as(office, named, of_person=False, sender=sender, vouched=vouched)

    case = office.case_of(told("watch@one.example.org"))
    told("other@two.example.org")
    told("third@three.example.com", vouched=False)
    assert notes_of(case.key) == [], "one party's two desks, and a mail that anybody may have forged"
    last = told("fourth@four.example.net")
    [note] = notes_of(case.key)
    assert f"{last.key}.1" in note.text
    assert "fourth" not in note.text
    told("fifth@five.example.com")
    assert notes_of(case.key) == [note], "once for each place"


def test_a_clause_that_was_not_in_force_then_opens_no_case(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    report = read_as(office, alleged(BY_NAME[0], "messaging/spam"), of_person=True)
    named = alleged(BY_NAME[0], "unknown/unknown", cited="content.of_a_later_edition")
    complaint.correct_reading(report.key, allegations=(named,), desk=office.desk, at=NOON, actor="anna")
    assert office.report(report.key).outcome is ReportOutcome.WITH_A_PERSON
    assert office.cases() == []


def test_nobody_is_judged_under_a_duty_or_a_procedure(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    report = read_as(office, alleged(BY_NAME[0], "messaging/spam"), of_person=True)
    named = alleged(BY_NAME[0], "unknown/unknown", cited="terms.use_is_consent")
    complaint.correct_reading(report.key, allegations=(named,), desk=office.desk, at=NOON, actor="anna")
    assert office.cases() == []
