"""What became of each complaint of the example day, against what its story declares: cases, letters, measures."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tipstaff.cases.queries import get_case
from tipstaff.enforcement.queries import measures_of_case
from tipstaff.intake.queries import get_report
from tipstaff.ledger.queries import entries_of
from tipstaff.notices import COMPLAINANT_KINDS
from tipstaff.notices.queries import letter_written_for, letters_of_case, letters_of_report
from tipstaff.testing.mailbox import Mail
from tipstaff.testing.story import Expected, ExpectedIncident, Review, Told
from tipstaff.words import (
    Answer,
    Case,
    CaseState,
    Degree,
    Incident,
    Letter,
    LetterKind,
    LetterState,
    MeasureState,
    Proof,
    Report,
    ReportOutcome,
)


@dataclass(kw_only=True)
class Played:
    """What became of one complaint."""

    told: Told
    report: str = ""
    wrong: list[str] = field(default_factory=list)
    cases: dict[int, str] = field(default_factory=dict)
    """The number of each declared incident -> its case."""
    measures: list[str] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    """Kinds of the letters about its report and its cases that the mail server has."""


def compare(played: Mapping[str, Played], *, mails: Sequence[Mail], proof: Proof) -> None:
    """Note in `wrong` of each complaint whatever differs.

    `mails` is all that really went out, `proof` how surely the device can show a block: PROBE where packets pass it.
    """
    for each in played.values():
        _compare_report(each, played)
    of_case: dict[str, list[Played]] = {}
    for each in played.values():
        for key in dict.fromkeys(each.cases.values()):
            of_case.setdefault(key, []).append(each)
    arrived = Counter(str(mail.message["Message-ID"]) for mail in mails)
    readers = {str(mail.message["Message-ID"]): mail.recipients for mail in mails}
    for each in played.values():
        _compare_answers(each, arrived, readers)
    for key, theirs in of_case.items():
        case = get_case(key)
        assert case is not None, key
        _compare_measures(case, theirs, proof=proof)
        _compare_letters(case, theirs, arrived, readers)


def _compare_report(played: Played, others: Mapping[str, Played]) -> None:
    expected, wrong = played.told.expected, played.wrong
    report = get_report(played.report) if played.report else None
    if report is None:
        wrong.append("no report is on record")
        return
    if expected.same_as and others[expected.same_as].report != played.report:
        wrong.append(f"it is {played.report}, not the same report as {expected.same_as}")
    _differ(wrong, "outcome", report.outcome, expected.report_outcome)
    reading = report.reading
    _differ(wrong, "reading", reading.outcome if reading else None, expected.reading)
    if reading is not None:
        _differ(wrong, "reason", reading.reason, expected.reason)
    _compare_incidents(played, report, expected, others)


def _compare_incidents(played: Played, report: Report, expected: Expected, others: Mapping[str, Played]) -> None:
    if len(report.incidents) != len(expected.incidents):
        played.wrong.append(f"{len(report.incidents)} incidents, not {len(expected.incidents)}")
        return
    left = list(report.incidents)
    for n, wanted in enumerate(expected.incidents):
        match = next((i for i in left if _same_allegation(i, wanted)), None)
        if match is None:
            said = "; ".join(f"{i.allegation.type} {i.allegation.offender}:{i.allegation.source_port}" for i in left)
            played.wrong.append(f"no incident {wanted.type} {wanted.source or wanted.url or wanted.domain}: {said}")
            continue
        left.remove(match)
        _compare_one(played, n, match, wanted, others)


def _compare_one(
    played: Played, n: int, incident: Incident, wanted: ExpectedIncident, others: Mapping[str, Played]
) -> None:
    wrong = played.wrong
    _differ(wrong, f"outcome of incident {n + 1}", incident.outcome, wanted.outcome)
    case = get_case(incident.case) if incident.case else None
    if case is not None:
        played.cases[n] = case.key
        _differ(wrong, "clause", case.clause, wanted.clause)
    if wanted.customer is not None or case is not None:
        _differ(wrong, "customer", case.customer if case else _judged(incident, "customer"), wanted.customer)
    if wanted.attribution is not None:
        _differ(wrong, "attribution", _judged(incident, "attribution"), wanted.attribution)
    if wanted.downstream is not None:
        _differ(wrong, "downstream", _judged(incident, "downstream"), wanted.downstream)
    if wanted.joins is not None and case is not None and case.key not in set(others[wanted.joins].cases.values()):
        wrong.append(f"it stands in {case.key}, not in the case of {wanted.joins}")
    if wanted.repeats is not None and case is not None and case.repeats < 1:
        wrong.append("it does not count as a repeat")


def _judged(incident: Incident, name: str) -> object:
    judged = entries_of(incident.key, what=["incident.judged"])
    return judged[-1].detail.get(name) if judged else None


def _same_allegation(incident: Incident, wanted: ExpectedIncident) -> bool:
    a = incident.allegation
    return (
        a.type == wanted.type
        and (wanted.source is None or str(a.source) == wanted.source)
        and (wanted.port is None or a.source_port == wanted.port)
        and (wanted.url is None or a.url == wanted.url)
        and (wanted.domain is None or a.domain == wanted.domain)
    )


# Measures


def _compare_measures(case: Case, theirs: Iterable[Played], *, proof: Proof) -> None:
    """A case has exactly the measures that its complaints declare, and each was lifted and shown to be."""
    wanted = {p.told.expected.measure for p in theirs} - {None}
    taken = [m for m in measures_of_case(case.key) if m.in_force_at is not None]
    found = {str(m.selector) for m in taken}
    for played in theirs:
        played.measures = sorted(found | set(played.measures))
        if found != wanted:
            said, meant = (", ".join(sorted(filter(None, each))) or "none" for each in (found, wanted))
            played.wrong.append(f"the measures of {case.key} were {said}, not {meant}")
        for measure in taken:
            if case.state is CaseState.CLOSED and measure.state is not MeasureState.LIFTED:
                played.wrong.append(f"{measure.key} is {measure.state} although {case.key} is closed")
            shown = entries_of(measure.key, what=["measure.in_force", "measure.lifted"])
            if [e.what for e in shown] != ["measure.in_force", "measure.lifted"]:
                played.wrong.append(f"{measure.key} was not shown in force once and lifted once")
            elif measure.degree is Degree.BLOCK and {e.detail.get("proof") for e in shown} != {proof.name}:
                proofs = " and ".join(str(e.detail.get("proof")) for e in shown)
                played.wrong.append(f"{measure.key} was proven in force and lifted by {proofs}, not by {proof.name}")


# Letters


def _compare_answers(played: Played, arrived: Mapping[str, int], readers: Mapping[str, Sequence[str]]) -> None:
    """The complainant got the answer that is declared, once, or none; and the outcome where there is one."""
    expected = played.told.expected
    if not played.report or expected.same_as:
        return  # The same bytes twice are one report, and one answer.
    about = [x for x in letters_of_report(played.report) if x.kind is not LetterKind.OUTCOME]
    _differ(played.wrong, "answer to the complainant", [str(x.kind) for x in about], [str(k) for k in expected.answers])
    _delivered(played, about, arrived, readers)
    played.letters += [str(x.kind) for x in about]
    report = get_report(played.report)
    for case in dict.fromkeys(played.cases.values()) if report is not None and expected.answers else ():
        assert report is not None
        told = letter_written_for(f"outcome:{case}:{_complainant(report)}")
        inside = {i.outcome for i in report.incidents if i.case == case}
        ended = bool(inside & _ENDED)
        if ended != (told is not None) and ReportOutcome.DUPLICATE not in inside:
            played.wrong.append(f"the complainant was {'not ' if ended else ''}told how {case} ended")
        if told is not None:
            _delivered(played, [told], arrived, readers)
            played.letters.append(str(told.kind))


_ENDED = frozenset({ReportOutcome.FIXED, ReportOutcome.MEASURE_TAKEN, ReportOutcome.NOT_UPHELD})


def _complainant(report: Report) -> str:
    return ((report.reading.reporter.address if report.reading else "") or report.sender).lower()


def _compare_letters(
    case: Case, theirs: Sequence[Played], arrived: Mapping[str, int], readers: Mapping[str, Sequence[str]]
) -> None:
    """The customer got the letters that follow from what happened in the case, and no others."""
    mine = [x for x in letters_of_case(case.key) if x.kind not in COMPLAINANT_KINDS]
    sent = [x for x in mine if x.state is not LetterState.WITHDRAWN]
    moves = [m for p in theirs for m in p.told.moves if m.customer in (None, case.customer)]
    did = {move.does for move in moves}
    measures = sum(m.in_force_at is not None for m in measures_of_case(case.key))
    wanted: Counter[LetterKind] = Counter()
    declared = [i for p in theirs for n, i in enumerate(p.told.expected.incidents) if p.cases.get(n) == case.key]
    told = any(i.outcome in _ENDED or i.outcome is ReportOutcome.FORWARDED for i in declared)
    wanted[LetterKind.NOTICE] = _notices(case, theirs) if told else 0
    wanted[LetterKind.EXTENSION_GRANTED] = int(Answer.NEED_TIME in did)
    wanted[LetterKind.DISPUTE_RECEIVED] = sum(m.does in (Answer.DISPUTE, Answer.WRONG_CUSTOMER) for m in moves)
    wanted[LetterKind.REMINDER] = int(Review.AGAINST_CUSTOMER in did)
    wanted[LetterKind.MEASURE_TAKEN] = wanted[LetterKind.MEASURE_LIFTED] = measures
    wanted[LetterKind.CASE_CLOSED] = int(told and case.state is CaseState.CLOSED)
    found = Counter(x.kind for x in sent)
    for played in theirs:
        if +wanted != +found:
            said, meant = (", ".join(f"{n} {kind}" for kind, n in sorted((+each).items())) for each in (found, wanted))
            played.wrong.append(f"letters to the customer of {case.key} were {said or 'none'}, not {meant or 'none'}")
        _delivered(played, sent, arrived, readers)
        played.letters += [str(x.kind) for x in sent]


def _notices(case: Case, theirs: Sequence[Played]) -> int:
    """One letter for each complaint that names something which no earlier complaint of the case has named."""
    named: set[str | None] = set()
    letters = 0
    for played in sorted(theirs, key=lambda p: p.told.at):
        places = {
            i.url or i.source or i.domain
            for n, i in enumerate(played.told.expected.incidents)
            if played.cases.get(n) == case.key
        }
        letters += not places <= named
        named |= places
    return letters


def _delivered(
    played: Played, letters: Iterable[Letter], arrived: Mapping[str, int], readers: Mapping[str, Sequence[str]]
) -> None:
    """Each of these letters reached its reader's mail server, once."""
    for letter in letters:
        if letter.state is not LetterState.SENT or arrived.get(letter.message_id, 0) != 1:
            times = arrived.get(letter.message_id, 0)
            played.wrong.append(f"{letter.key} ({letter.kind}) is {letter.state} and arrived {times} times")
        elif [r.lower() for r in readers[letter.message_id]] != [letter.to.lower()]:
            played.wrong.append(f"{letter.key} went to {', '.join(readers[letter.message_id])}")


def _differ(wrong: list[str], what: str, found: object, wanted: object) -> None:
    if found != wanted:
        wrong.append(f"{what} is {found}, not {wanted}")
