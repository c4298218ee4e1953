"""A complaint arrives: it is kept, read, attributed, judged, and joins a case or is answered why not."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from django.db import transaction

from tipstaff.cases.operations import forget_matter, join_or_open, lock_case, mark_told, move_case
from tipstaff.cases.queries import Member, lineage_of, members_of
from tipstaff.cases.rules import OPEN, IllegalMove
from tipstaff.editions.operations import blank_measures
from tipstaff.enforcement.queries import measures_of_case
from tipstaff.intake.authors import HEADER_OCTETS_MAX, Author, written_by_program
from tipstaff.intake.operations import (
    AlreadyInACase,
    NoSuchReport,
    lock_report,
    open_report,
    replace_reading,
    set_incident,
    set_incidents,
    set_report,
    store_reading,
)
from tipstaff.intake.queries import (
    SAME_EVENT_WITHIN,
    as_they_stand,
    get_incident,
    get_report,
    report_just_read,
    report_of_evidence,
    reports_of_case,
    same_event,
    teller_of,
)
from tipstaff.intake.reading import read
from tipstaff.intake.sieve import Sifted, sift
from tipstaff.intake.weight import is_heavy
from tipstaff.ledger.operations import record, seal_stored, store_evidence, store_sealed
from tipstaff.ledger.queries import get_raw
from tipstaff.legal.operations import open_matter
from tipstaff.notices.operations import blank_letters
from tipstaff.notices.queries import letters_of_case
from tipstaff.policy import edition_to_go_by
from tipstaff.policy.kinds import AutoStep
from tipstaff.registry.queries import get_customer, own_space
from tipstaff.words import (
    SEALED_TYPES,
    Allegation,
    Case,
    CaseState,
    Channel,
    Disposition,
    EvidenceGrade,
    Incident,
    LetterKind,
    Matter,
    MatterKind,
    Reading,
    ReadingOutcome,
    ReadingReason,
    Reason,
    Report,
    ReportOutcome,
    Trust,
)

from .books import look_up_in_books
from .corroboration import note_second_sources, seen_by_us
from .desk import Desk
from .judging import (
    Weighed,
    as_reachable,
    edition_at,
    matters_of_case,
    offenders_of,
    outcome_without_case,
    record_judgement,
    trust_in_words,
    weigh,
)
from .legal_form import check_forms
from .letters import notices_sent, tell_complainant, tell_customer
from .lots import MANY, Lots
from .offender import who_did_it
from .replies import letter_answered, take_reply
from .suspension import is_confirmed, lapsed_of, lapsed_on, left_to_of, terms_of, what_would_follow
from .trust import Belief, check_sender, raise_alarm

_UNANSWERED = frozenset({ReadingReason.HOSTILE_FORM, ReadingReason.REPLY})
"""An attack is not answered, and neither is an answer: a person does that."""


def accept(
    raw: bytes,
    *,
    sender: str,
    recipients: tuple[str, ...],
    channel: Channel,
    desk: Desk,
    at: datetime,
    peer: str = "",
) -> str:
    """Keep what arrived and give it a report; the sender may be told 250 once this has returned.

    One transaction: evidence, report and the job that reads it stand or fall together. The same bytes again, as
    after a lost 250, find the report that is already there. Nothing is read before it is kept, but for one thing:
    the sieve, because media of child abuse must never be kept at all (clause row 41).
    """
    sifted = sift(raw, passwords=desk.archive_passwords)
    with transaction.atomic():
        if sifted.sealed:
            evidence, _ = store_sealed(
                desk.seal(sifted.kept),
                digest=sifted.digest,
                size=sifted.size,
                at=at,
                channel=channel,
                sender="",
                recipients=recipients,
                stripped=_taken_out(sifted),
            )
        else:
            evidence, _ = store_evidence(
                sifted.kept, digest=sifted.digest, at=at, channel=channel, sender=sender, recipients=recipients
            )
        known = report_of_evidence(evidence.digest)
        if known is not None:
            return known.key
        report = open_report(evidence, at=at, actor="intake", peer=peer)
        if not evidence.sealed:
            desk.enqueue("understand_heavy" if is_heavy(raw) else "understand", report)
    return report


def understand(key: str, *, desk: Desk, at: datetime) -> None:
    """Read a report, judge each of its incidents, tell its complainant. Doing it again changes nothing."""
    report = get_report(key)
    if report is None or report.outcome is ReportOutcome.SEALED:
        return
    if report.reading is None:
        raw = get_raw(report.evidence)
        reading = read(
            raw,
            parsers=desk.parsers,
            own_addresses=desk.own_addresses,
            passwords=desk.archive_passwords,
            own_space=own_space(at=at),
        )
        if reading.outcome is ReadingOutcome.SEALED or any(a.type in SEALED_TYPES for a in reading.allegations):
            _seal(report, raw, desk=desk, at=at)
            return
        check_sender(report, raw, desk=desk, at=at)
        answered = letter_answered(raw, reading)
        if answered is None:
            incidents = store_reading(key, reading=reading, at=at, actor="worker")
            report = report_just_read(key, incidents=incidents)
        else:
            take_reply(report, answered, reading, at=at)
            report = get_report(key)
        assert report is not None, "a report does not vanish"
    if report.reading is None:
        return
    reading = report.reading
    if desk.scanners and reading.outcome in (ReadingOutcome.COMPLAINT, ReadingOutcome.UNREADABLE):
        desk.enqueue("examine", key)
    if reading.outcome is ReadingOutcome.COMPLAINT:
        decide(report, desk=desk, at=at)
    elif reading.outcome is ReadingOutcome.UNREADABLE and reading.reason not in _UNANSWERED:
        # A person reads it now; whoever wrote it need not wonder whether it arrived.
        _answer(report, desk=desk, at=at)


def hand_to_person(key: str, *, why: str, desk: Desk, at: datetime) -> None:
    """The reader failed on this report again and again: it stays kept as it came, and a person reads it."""
    report = get_report(key)
    if report is None or report.outcome is not ReportOutcome.RECEIVED:
        return
    with transaction.atomic():
        record("report.reader_failed", at=at, actor="worker", about=[key, report.evidence], why=why)
        if report.reading is None:
            reading = Reading(outcome=ReadingOutcome.UNREADABLE, reason=ReadingReason.BROKEN_FORM, detail=why)
            store_reading(key, reading=reading, at=at, actor="worker")
        else:
            set_report(key, outcome=ReportOutcome.WITH_A_PERSON, reason="READER_FAILED", at=at, actor="worker")
        fresh = get_report(key)
        assert fresh is not None, "a report does not vanish"
        _answer(fresh, desk=desk, at=at)


def decide(report: Report, *, desk: Desk, at: datetime) -> None:
    """Judge what is still open, write to whoever holds what it names, then answer the complainant once."""
    group(report, desk=desk, at=at)
    fresh = as_they_stand(report)
    assert fresh is not None, "a report does not vanish"
    for case in dict.fromkeys(i.case for i in fresh.incidents if i.case):
        with transaction.atomic():
            raise_alarm(case, desk=desk, at=at)
    note_second_sources(fresh, at=at)
    check_forms(fresh, desk=desk, at=at)
    for case in dict.fromkeys(i.case for i in fresh.incidents if i.case and i.outcome is ReportOutcome.FORWARDED):
        tell_untold(case, desk=desk, at=at, actor="worker")
    _answer(fresh, desk=desk, at=at)


def group(report: Report, *, desk: Desk, at: datetime) -> None:
    """Judge each incident that is still open and put it into its case, one by one or, where there are many, in lots.

    Where the reader was not sure, nothing is judged: a person says what the report alleges.
    """
    sure = report.reading is not None and report.reading.reason is not ReadingReason.UNSURE
    undecided = [i for i in report.incidents if i.outcome is ReportOutcome.RECEIVED]
    if not sure:
        set_incidents(
            [i.key for i in undecided], outcome=ReportOutcome.WITH_A_PERSON, reason=Reason.READER_UNSURE,
            at=at, actor="worker",
        )  # fmt: skip
    belief = Belief(report, desk=desk)
    if sure and len(undecided) >= MANY:
        Lots(report, belief=belief, desk=desk).decide(undecided, at=at)
    elif sure:
        decide_one_by_one(undecided, report, belief, desk=desk, at=at)


def decide_one_by_one(
    incidents: Sequence[Incident], report: Report, belief: Belief, *, desk: Desk, at: datetime
) -> None:
    """Judge each in its own transaction: what a lot of them must come to as well."""
    for incident in incidents:
        with transaction.atomic():
            _decide_incident(incident, report, belief, desk=desk, at=at)


def _decide_incident(incident: Incident, report: Report, belief: Belief, *, desk: Desk, at: datetime) -> None:
    weighed = weigh_allegation(incident.allegation, received_at=report.received_at, desk=desk, at=at, belief=belief)
    record_judgement(
        weighed, about=(incident.key, report.key, report.evidence), desk=desk, at=at, **trust_in_words(weighed.trust)
    )
    settled = outcome_without_case(weighed)
    outcome, reason, case = (
        (*settled, None) if settled is not None else _join(incident, report, weighed, desk=desk, at=at)
    )
    set_incident(incident.key, outcome=outcome, reason=reason, case=case, at=at, actor="worker")


def weigh_allegation(
    allegation: Allegation, *, received_at: datetime, desk: Desk, at: datetime, belief: Belief | None = None
) -> Weighed:
    """Who did it, under which edition, and what the policy says: reads only, decides nothing."""
    attribution = who_did_it(allegation, received_at=received_at)
    edition = edition_at(desk.editions, conduct=allegation, received_at=received_at)
    trust = belief.trust(allegation, customer=attribution.customer) if belief is not None else Trust()
    if seen_by_us(allegation, customer=attribution.customer, edition=edition):
        trust = replace(trust, evidence=EvidenceGrade.CORROBORATED)
    return weigh(
        allegation, attribution=attribution, edition=edition, trust=trust, received_at=received_at, at=at
    )  # fmt: skip


def _join(
    incident: Incident, report: Report, weighed: Weighed, *, desk: Desk, at: datetime
) -> tuple[ReportOutcome, str, str | None]:
    """Put an incident into its case: what became of it, why, and the case."""
    attribution = weighed.attribution
    customer = get_customer(attribution.customer) if attribution.customer is not None else None
    assert customer is not None, "attribution named a customer whom the registry does not know"
    twice = _told_before(incident, report)
    if twice is not None:
        return ReportOutcome.DUPLICATE, f"SAME_AS {twice.key}", twice.case
    verdict = as_reachable(weighed.verdict, customer)
    opened_case, opened = join_or_open(
        verdict=verdict,
        customer=customer.key,
        customer_name=customer.name,
        brand=customer.brand,
        service=attribution.service,
        incident=incident.key,
        evidence=report.evidence,
        type=incident.allegation.type,
        resource=incident.allegation.offender,
        repeats=weighed.history.cases_before,
        at=at,
        actor="worker",
    )
    if opened:
        look_up_in_books(
            opened_case, incident.allegation, verdict, repeats=weighed.history.cases_before, desk=desk, at=at
        )  # fmt: skip
    to_person = verdict.disposition is Disposition.PERSON
    outcome = ReportOutcome.WITH_A_PERSON if to_person else ReportOutcome.FORWARDED
    return outcome, verdict.reason if opened or to_person else "JOINED", opened_case.key


def tell_untold(
    key: str, *, desk: Desk, at: datetime, actor: str, without: Collection[str] = frozenset(), anew: bool = False
) -> str | None:
    """Write to the holder about every address of the case that no letter has named yet; the letter's key, if any.

    One letter for all of them: a report with fifty addresses is one letter, and so are 400 reports about one. What a
    letter has named already is not told again, and nothing is measured that no letter named. What waits for a person is
    left out, and so is what is in `without`. What was named before a measure on it ended by its own time is told anew
    when it is reported again; `anew` tells it now.
    """
    with transaction.atomic():
        case = lock_case(key)
        customer = get_customer(case.customer)
        if case.state not in OPEN or case.state is CaseState.WAITING_PERSON or customer is None:
            return None
        members = members_of(key)
        left = {k for k, m in members.items() if m.waits or m.told_by is not None or k in without}
        about = offenders_of(key) if left != members.keys() else {}
        if anew and not about:
            about = offenders_of(key)
        named = {about[k]: m.told_by for k, m in members.items() if m.told_by and k in about}
        again = _told_before_a_lapse(case, members, named, desk=desk, at=at)
        if not anew:
            again &= {about[k] for k in members if k not in left and k in about}
        named = {offender: letter for offender, letter in named.items() if offender not in again}
        left -= {k for k, m in members.items() if about.get(k) in again and not m.waits and k not in without}
        untold = []
        for incident in (k for k in members if k not in left and k in about):
            known = named.get(about[incident])
            if known is None:
                untold.append(incident)
            else:
                mark_told(key, incidents=[incident], letter=known)
        if not untold:
            return None
        reports = reports_of_case(key)
        by_key = {matter.key: matter for matter in matters_of_case(key, reports=reports) if matter.key in members}
        first = by_key[untold[0]]
        # No clock brings back what has ended: a person decides on more.
        follows = {} if about[untold[0]] in again else _next_step(case, first, list(by_key.values()), members, desk, at)
        written = tell_customer(
            LetterKind.NOTICE, case=case, customer=customer, reports=reports, desk=desk, at=at, actor=actor,
            once=f"notice:{key}:{untold[0]}:{len(letters_of_case(key))}", incidents=frozenset(untold),
            more=follows,
        )  # fmt: skip
        if written is not None:
            mark_told(key, incidents=untold, letter=written)
        return written


def _told_before(incident: Incident, report: Report) -> Incident | None:
    """An earlier incident of the same event by the same teller that is in a case already."""
    key = same_event(
        incident.allegation,
        received_at=report.received_at,
        within=SAME_EVENT_WITHIN,
        before=incident.key,
        teller=teller_of(report),
        in_a_case=True,
    )
    return get_incident(key) if key is not None else None


def _told_before_a_lapse(
    case: Case, members: Mapping[str, Member], named: Mapping[str, str], *, desk: Desk, at: datetime
) -> set[str]:  # fmt: skip
    """Those of what letters have `named` whose letter is older than the end of a measure on it, that came by its own
    time."""
    lapsed = lapsed_of(measures_of_case(case.key))
    if not lapsed:
        return set()
    sent = notices_sent(case.key)
    spent = set()
    for matter in matters_of_case(case.key):
        offender = matter.conduct.offender
        told_at = sent.get(named.get(offender, ""))
        if told_at is None or offender in spent or matter.key not in members:
            continue
        ended = lapsed_on(matter.conduct, terms_of(case, members[matter.key]), lapsed=lapsed, desk=desk, at=at)
        if ended is not None and told_at <= ended:
            spent.add(offender)
    return spent


def _next_step(
    case: Case, matter: Matter, matters: Sequence[Matter], members: Mapping[str, Member], desk: Desk, at: datetime
) -> dict[str, object]:
    """What the letter says of silence: the exact measure, or, by leaving it out, that a person decides."""
    left_to = left_to_of(matter.conduct, matters=matters, members=members)
    terms = terms_of(case, members.get(matter.key))
    confirmed = is_confirmed(matter.conduct, matters=matters, members=members)
    follows = what_would_follow(terms, matter.conduct, left_to=left_to, confirmed=confirmed, desk=desk, at=at)
    return {} if follows is None else {"next_degree": follows.degree, "next_selector": follows.selector}


_ANSWERS = {
    ReportOutcome.NOT_OURS: LetterKind.NOT_OURS,
    ReportOutcome.NEEDS_DETAIL: LetterKind.NEEDS_DETAIL,
    ReportOutcome.TOO_OLD: LetterKind.TOO_OLD,
    ReportOutcome.FORWARDED: LetterKind.ACKNOWLEDGEMENT,
    ReportOutcome.WITH_A_PERSON: LetterKind.ACKNOWLEDGEMENT,
    ReportOutcome.DUPLICATE: LetterKind.ACKNOWLEDGEMENT,
    ReportOutcome.RECEIVED: LetterKind.ACKNOWLEDGEMENT,
}


def _answer(report: Report, *, desk: Desk, at: datetime) -> None:
    kind = _ANSWERS.get(report.outcome)
    if kind is None:
        return
    written_by = written_by_program(get_raw(report.evidence, octets=HEADER_OCTETS_MAX))
    if written_by is Author.ANSWERING or (written_by is Author.PROGRAM and kind is LetterKind.ACKNOWLEDGEMENT):
        # RFC 3834, section 2: no program answers a program. Only a question that needs an answer is asked of one.
        record("letter.not_answered", at=at, actor="worker", about=[report.key], kind=kind, why="WRITTEN_BY_A_PROGRAM")
        return
    tell_complainant(kind, report=report, once=f"answer:{report.key}", desk=desk, at=at)


def _taken_out(sifted: Sifted) -> list[dict[str, object]]:
    return [{"type": type, "size": size, "sha256": digest} for type, size, digest in sifted.stripped]


def _seal(
    report: Report,
    raw: bytes,
    *,
    desk: Desk,
    at: datetime,
    actor: str = "worker",
    reason: ReadingReason = ReadingReason.CHILD_ABUSE,
) -> None:
    """Somebody found what the sieve had let pass: from now on only the sealed queue holds it."""
    sifted = sift(raw, certain=True)
    with transaction.atomic():
        seal_stored(
            report.evidence, sealed=desk.seal(sifted.kept), stripped=_taken_out(sifted), at=at, actor=actor
        )  # fmt: skip
        store_reading(
            report.key,
            reading=Reading(outcome=ReadingOutcome.SEALED, reason=reason),
            at=at,
            actor=actor,
        )
        set_report(report.key, outcome=ReportOutcome.SEALED, reason=reason, at=at, actor=actor)


# What people do with reports that the reader was not sure of.


class NotKeptBack(ValueError):
    """No notice under this clause may be kept back: name one whose notice its edition lets be withheld on a ground."""


class NoGround(ValueError):
    """Say why our notice would put somebody in danger: a notice is kept back on a ground, and for a time."""


def correct_reading(
    key: str, *, allegations: tuple[Allegation, ...], desk: Desk, at: datetime, actor: str, keep_back: bool = False,
    why: str = "",
) -> None:  # fmt: skip
    """A person says what a report alleges; it is then judged like any other. Left without a time, it keeps the one that
    the report states, or the words of one that was not understood.

    With `keep_back` our notice would put somebody in danger, and `why` says how: it goes to counsel, and the silence
    ends with the clause's time unless counsel names a ground anew (row 29). Raise NotKeptBack where a clause of theirs
    lets no notice be withheld, NoGround without a reason.
    """
    if any(a.type in SEALED_TYPES for a in allegations):
        seal_by_hand(key, desk=desk, at=at, actor=actor)
        return
    if keep_back and not _may_be_kept_back(allegations, desk=desk, at=at):
        raise NotKeptBack(NotKeptBack.__doc__)
    if keep_back and not why.strip():
        raise NoGround(NoGround.__doc__)
    alone = allegations if keep_back else for_counsel_alone(allegations, desk=desk, at=at)
    if alone:
        give_to_counsel(key, allegations=alone, ground=why.strip() if keep_back else "", desk=desk, at=at, actor=actor)
        return
    before = get_report(key)
    stated = [i.allegation for i in before.incidents] if before else []
    _read_by_person(key, tuple(_with_stated_time(a, stated) for a in allegations), desk=desk, at=at, actor=actor)


def _with_stated_time(told: Allegation, stated: Sequence[Allegation]) -> Allegation:
    """What the report says of a time is not made none by leaving the time out, whether it was understood or not.

    Of several times it is the one stated for that address; where none is, nobody knows which.
    """
    if told.moment is not None:
        return told
    of_it = [x for x in stated if x.source == told.source and (x.moment is not None or x.unread_time is not None)]
    one = next(iter(of_it or (x for x in stated if x.moment is not None or x.unread_time is not None)), None)
    if one is None:
        return told
    moments = {x.moment for x in stated if x.moment is not None}
    if not of_it and len(moments) > 1:
        return replace(told, unread_time=f"one of {len(moments)} times")
    return replace(told, moment=one.moment, unread_time=one.unread_time)


def _read_by_person(key: str, allegations: tuple[Allegation, ...], *, desk: Desk, at: datetime, actor: str) -> None:
    with transaction.atomic():
        replace_reading(key, allegations=allegations, at=at, actor=actor)
    report = get_report(key)
    assert report is not None, "a report does not vanish"
    decide(report, desk=desk, at=at)


class ReadAnew(ValueError):
    """The report was read anew since you looked at it; look at it again."""


def confirm_reading(key: str, *, first: str, desk: Desk, at: datetime, actor: str) -> None:
    """A person says that a report was read right: all that it alleges goes its way as it was read.

    `first` is the first incident that they saw. Raises ReadAnew, NoSuchReport.
    """
    report = get_report(key)
    if report is None:
        raise NoSuchReport(key)
    if report.outcome is not ReportOutcome.WITH_A_PERSON or not report.incidents or report.incidents[0].key != first:
        raise ReadAnew(key)
    read_so = tuple(incident.allegation for incident in report.incidents)
    if any(x.type in SEALED_TYPES for x in read_so) or for_counsel_alone(read_so, desk=desk, at=at):
        # Neither is ever read out of a report and kept: whoever confirms it says what it is.
        correct_reading(key, allegations=read_so, desk=desk, at=at, actor=actor)
        return
    _read_by_person(key, read_so, desk=desk, at=at, actor=actor)


def set_aside(key: str, *, why: str, tell: bool, desk: Desk, at: datetime, actor: str) -> None:
    """A person says that a report is no complaint, or none that can be followed; AlreadyInACase if it is in one.

    With `tell` its sender learns that, once; advertising and auto-replies are better not answered.
    """
    report = get_report(key)
    if report is not None and any(i.case for i in report.incidents):
        raise AlreadyInACase(key)
    with transaction.atomic():
        set_report(key, outcome=ReportOutcome.SET_ASIDE, reason=why, at=at, actor=actor)
        fresh = get_report(key)
        assert fresh is not None, "a report does not vanish"
        if tell:
            tell_complainant(LetterKind.OUTCOME, report=fresh, once=f"set_aside:{key}", desk=desk, at=at)


def for_counsel_alone(allegations: Iterable[Allegation], *, desk: Desk, at: datetime) -> list[Allegation]:
    """Those whose clause, which a person named, says that its reports are sealed (rows 36 and 39)."""
    edition = edition_to_go_by(desk.editions, at=at)
    named = ((each, edition.clause_named(each.cited)) for each in allegations if each.cited is not None)
    return [each for each, clause in named if clause is not None and AutoStep.SEAL in clause.automatic]


def _may_be_kept_back(allegations: Iterable[Allegation], *, desk: Desk, at: datetime) -> bool:
    edition = edition_to_go_by(desk.editions, at=at)
    named = [edition.clause_named(each.cited or "") for each in allegations]
    return bool(named) and all(clause is not None and clause.withheld_until is not None for clause in named)


def give_to_counsel(
    key: str, *, allegations: Iterable[Allegation], desk: Desk, at: datetime, actor: str, ground: str = ""
) -> None:  # fmt: skip
    """A person names a clause under which counsel alone reads these: the report's words go to the sealed queue, and
    where and when it was, with whoever held that address, to the legal register. No case, job or letter comes of it by
    itself. With a `ground` for silence the matter is late once the clause's time for it has ended, until they are told.

    What was made of the report so far goes out of sight, as in `seal_by_hand`.
    """
    report = get_report(key)
    if report is None:
        raise NoSuchReport(key)
    stated = next((i.allegation.moment for i in report.incidents if i.allegation.moment is not None), None)
    edition = edition_to_go_by(desk.editions, at=at)
    with transaction.atomic():
        seal_by_hand(key, desk=desk, at=at, actor=actor, reason=ReadingReason.COUNSEL_ALONE)
        for each in allegations:
            assert each.cited is not None, "a person named its clause"
            clause = edition.clause_named(each.cited)
            withheld = clause.withheld_until if clause is not None and ground else None
            moment = each.moment or stated
            found = who_did_it(replace(each, moment=moment), received_at=report.received_at)
            open_matter(
                MatterKind.REPORT, at=at, actor=actor, report=key, clause=each.cited, edition=edition.id,
                received_at=report.received_at, digest=report.evidence,
                address=str(each.source) if each.source is not None else None, port=each.source_port,
                protocol=each.protocol or "", used_at=moment.at if moment is not None else None,
                error_seconds=moment.error_seconds if moment is not None else 0.0, url=each.url or "",
                grade=found.grade.value, reason=found.reason.value, customer=found.customer or "",
                ground=ground[:2000] if withheld else "", review_at=at + withheld if withheld else None,
            )  # fmt: skip


def seal_by_hand(
    key: str,
    *,
    desk: Desk,
    at: datetime,
    actor: str,
    reason: ReadingReason = ReadingReason.CHILD_ABUSE,
) -> None:
    """A person sees that a report is about child abuse: it goes to the sealed queue, whatever became of it so far.

    What was made of it goes out of sight at once, so anybody at the desk may do it: letters about it lose their text,
    its cases no longer name what they are about, and replays no longer name its measures. It decides nothing: those
    cases wait for counsel, measures stay, and nobody is written to about them any more, so that nobody is warned.
    """
    while not _sealed(key, desk=desk, at=at, actor=actor, reason=reason):
        pass  # It joined another case between our look and our lock.


@transaction.atomic
def _sealed(key: str, *, desk: Desk, at: datetime, actor: str, reason: ReadingReason) -> bool:
    """Seal it if all its cases could be locked first: cases come before reports, reports before letters."""
    report = get_report(key)
    if report is None:
        raise NoSuchReport(key)
    if report.outcome is ReportOutcome.SEALED:
        return True
    own = {i.case for i in report.incidents if i.case}
    # What was merged with one of them or split off it may name the same matter.
    cases = {each for case in own for each in lineage_of(case)}
    held = [lock_case(case) for case in sorted(cases)]
    report = lock_report(key)
    if {i.case for i in report.incidents if i.case} != own:
        return False
    _seal(report, get_raw(report.evidence), desk=desk, at=at, actor=actor, reason=reason)
    blank_letters(reports=[key], cases=cases, at=at, actor=actor)
    blank_measures([key])
    for case in held:
        forget_matter(case.key, at=at, actor=actor)
        if case.state not in (CaseState.CLOSED, CaseState.WAITING_PERSON):
            why = "A report of it is in the sealed queue: counsel decides."
            with suppress(IllegalMove):  # Fixed already: it closes by itself, without a word.
                move_case(case.key, to=CaseState.WAITING_PERSON, at=at, actor=actor, why=why)
    return True
