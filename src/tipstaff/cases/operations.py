"""Writes of cases. Each is one transaction with its entry in the record."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, connection, transaction
from django.db.models import F

from tipstaff.ledger.operations import Step, next_key, next_keys, record, record_all
from tipstaff.words import Answer, Case, CaseOutcome, CaseState, Disposition, Fact, Role, Verdict, ranges

from . import rules
from .models import CaseRow, DecisionRow, MemberRow, NoteRow
from .rows import case_of, ladder_json, open_row


class StaleCase(Exception):
    """Somebody else changed this case meanwhile; look at it again and repeat what you wanted."""


class NoSuchCase(KeyError):
    """There is no case with this key."""


class SecondMustBeAnother(PermissionError):
    """Whoever proposed a measure cannot second it."""


def join_or_open(
    *,
    verdict: Verdict,
    customer: str,
    customer_name: str,
    brand: str = "",
    service: str | None,
    incident: str,
    evidence: str,
    type: str,
    resource: str,
    repeats: int,
    at: datetime,
    actor: str,
) -> tuple[Case, bool]:
    """Put an incident into the open case of customer x clause group x service, or open one. (case, opened).

    Doing it again for the same incident changes nothing, but that one which waited for a person waits no more when the
    verdict no longer says so. Two at once make one case: the database holds it.
    """
    if verdict.clause is None or verdict.group is None:
        raise ValueError("a verdict without a clause opens no case")
    report = incident.partition(".")[0]
    is_report = int(report != incident)  # A sighting is no report: nobody complained.
    for _ in range(2):
        try:
            with transaction.atomic():
                member = MemberRow.objects.select_related("case").filter(incident=incident).first()
                if member is not None:
                    if member.waits and not _waits(verdict):
                        # Judged again once what kept the judge from it was mended: nobody need look at it first.
                        member.waits, member.decides, member.confirmed = False, verdict.decides, _confirmed(verdict)
                        member.save(update_fields=["waits", "decides", "confirmed"])
                    return case_of(member.case), False
                row = open_row(customer, group=verdict.group, service=service, lock=True)
                opened = row is None
                if row is None:
                    joining = Joining(
                        verdict=verdict, customer=customer, customer_name=customer_name, brand=brand, service=service,
                        incident=incident, type=type, resource=resource, repeats=repeats,
                    )  # fmt: skip
                    row = _new_row(next_key("C"), joining, at=at)
                    row.save(force_insert=True)
                    record_all([_opened(row.key, joining, evidence=evidence)], at=at, actor=actor)
                MemberRow.objects.create(
                    case=row, incident=incident, decides=verdict.decides, waits=_waits(verdict),
                    confirmed=_confirmed(verdict),
                )  # fmt: skip
                CaseRow.objects.filter(pk=row.pk).update(
                    reports=F("reports") + is_report, version=F("version") + 1, snoozed_until=None
                )
                if not opened:
                    record("case.joined", at=at, actor=actor, about=[row.key, report, incident, evidence])
                    record_all(_leave_to_stricter(row, [(incident, verdict)]), at=at, actor=actor)
                row.refresh_from_db()
                return case_of(row), opened
        except IntegrityError:
            continue  # Another process opened the case, or took the incident, between our look and our write.
    raise StaleCase(f"{customer} {verdict.group} {service}")


def _waits(verdict: Verdict) -> bool:
    return verdict.disposition is Disposition.PERSON


def _confirmed(verdict: Verdict) -> bool:
    return any(basis.fact is Fact.HOLDER_CONFIRMED for basis in verdict.basis)


def _leave_to_stricter(row: CaseRow, joining: Iterable[tuple[str, Verdict]]) -> list[Step]:
    """Leave the case to whoever may decide on all of it, what joins it now as well; what to put on record of that."""
    before = role = Role(row.decides) if row.decides else None
    steps: list[Step] = []
    for incident, verdict in joining:
        if (now := rules.stricter(role, verdict.decides)) is not role:
            role = now
            steps.append(("case.left_to", [row.key, incident], {"role": role}))
    if role is not before:
        row.decides = role
        CaseRow.objects.filter(pk=row.pk).update(decides=role)
    return steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """An incident on its way into a case: the arguments of `join_or_open`."""

    verdict: Verdict
    customer: str
    customer_name: str
    brand: str = ""
    service: str | None
    incident: str
    type: str
    resource: str
    repeats: int

    @property
    def place(self) -> tuple[str, str, str | None]:
        """Customer x clause group x service: one case is open there at a time."""
        if self.verdict.clause is None or self.verdict.group is None:
            raise ValueError("a verdict without a clause opens no case")
        return self.customer, self.verdict.group, self.service


class Contended(Exception):
    """Somebody else was at the same cases or incidents; roll back and try again."""


def join_or_open_all(joinings: Sequence[Joining], *, evidence: str, at: datetime, actor: str) -> list[tuple[str, bool]]:
    """`join_or_open` for incidents of one report, in their order: (case, opened) of each; in the caller's transaction.

    The cases that are open already are locked in the order of their keys, new ones are made in the order of their
    places; Contended is raised where that was not the whole of it. What joins a case stands in one entry a case.
    """
    with connection.cursor() as cursor:
        question = "SELECT incident, case_id FROM cases_memberrow WHERE incident = ANY(%s)"
        cursor.execute(question, [[j.incident for j in joinings]])
        known: dict[str, str] = dict(cursor.fetchall())
    fresh = [j for j in joinings if j.incident not in known]
    open_ = _lock_open({j.place for j in fresh})
    first: dict[tuple[str, str, str | None], Joining] = {}
    for joining in fresh:
        if joining.place not in open_:
            first.setdefault(joining.place, joining)
    new = dict(zip(first, next_keys("C", len(first)), strict=True)) if first else {}
    case_at = open_ | new
    joined: dict[str, list[str]] = {}
    for joining in fresh:
        joined.setdefault(case_at[joining.place], []).append(joining.incident)
    rows = [_new_row(new[place], first[place], at=at) for place in sorted(new, key=_ordered)]
    for row in rows:
        row.reports = len(joined[row.key])
        row.version += row.reports
    try:
        with transaction.atomic():
            CaseRow.objects.bulk_create(rows)
            with connection.cursor() as cursor:
                columns = "case_id, incident, decides, waits, confirmed"
                with cursor.copy(f"COPY cases_memberrow ({columns}) FROM STDIN") as copy:
                    for joining in fresh:
                        verdict, case_key = joining.verdict, case_at[joining.place]
                        copy.write_row(
                            (case_key, joining.incident, verdict.decides, _waits(verdict), _confirmed(verdict))
                        )
                old = [key for key in joined if key in open_.values()]
                cursor.execute(
                    "UPDATE cases_caserow c SET reports = c.reports + w.n, version = c.version + w.n, "
                    "snoozed_until = NULL FROM unnest(%s::text[], %s::int[]) w(key, n) WHERE c.key = w.key",
                    [old, [len(joined[key]) for key in old]],
                )
    except IntegrityError as why:
        raise Contended("a case was opened, or an incident taken, meanwhile") from why
    opened_by = {joining.incident for joining in first.values()}
    rows_at = {row.key: row for row in [*rows, *CaseRow.objects.filter(key__in=old)]}
    further_in: dict[str, list[tuple[str, Verdict]]] = {}
    for joining in fresh:
        if joining.incident not in opened_by:
            further_in.setdefault(case_at[joining.place], []).append((joining.incident, joining.verdict))
    steps: list[Step] = [_opened(new[place], joining, evidence=evidence) for place, joining in first.items()]
    for case, incidents in joined.items():
        further = [incident for incident in incidents if incident not in opened_by]
        if further:
            report = further[0].partition(".")[0]
            numbers = ranges([int(incident.partition(".")[2]) for incident in further])
            steps.append(("case.joined", [case, report, further[0], evidence], {"incidents": numbers}))
            steps += _leave_to_stricter(rows_at[case], further_in[case])
    record_all(steps, at=at, actor=actor)
    return [
        (known[j.incident], False) if j.incident in known else (case_at[j.place], j.incident in opened_by)
        for j in joinings
    ]


def _ordered(place: tuple[str, str, str | None]) -> tuple[str, str, str]:
    return place[0], place[1], place[2] or ""


def _lock_open(places: set[tuple[str, str, str | None]]) -> dict[tuple[str, str, str | None], str]:
    """The case that is open at each of these places, locked in the order of keys."""
    wanted = sorted(places, key=_ordered)
    question = """
        SELECT c.customer, c."group", c.service, c.key FROM cases_caserow c
        JOIN unnest(%s::text[], %s::text[], %s::text[]) w(customer, grp, service)
          ON c.customer = w.customer AND c."group" = w.grp AND c.service IS NOT DISTINCT FROM w.service
        WHERE c.part = '' AND c.state <> ALL(%s) ORDER BY c.key FOR UPDATE OF c
    """
    with connection.cursor() as cursor:
        ended = [str(state) for state in CaseState if state not in rules.OPEN]
        cursor.execute(question, [*map(list, zip(*wanted, strict=True)), ended] if wanted else [[], [], [], ended])
        return {(customer, group, service): key for customer, group, service, key in cursor.fetchall()}


def _new_row(key: str, joining: Joining, *, at: datetime) -> CaseRow:
    """A case as its first incident opens it."""
    verdict = joining.verdict
    if verdict.clause is None or verdict.group is None:
        raise ValueError("a verdict without a clause opens no case")
    return CaseRow(
        key=key,
        customer=joining.customer,
        customer_name=joining.customer_name,
        brand=joining.brand,
        service=joining.service,
        clause=verdict.clause,
        group=verdict.group,
        edition=verdict.edition,
        type=joining.type,
        severity=verdict.severity,
        state=CaseState.WAITING_PERSON if verdict.disposition == "person" else CaseState.OPENED,
        resource=joining.resource,
        opened_at=at,
        explanation=verdict.explanation,
        notice=verdict.notice,
        ladder=ladder_json(verdict.ladder),
        measure_ports=[list(p) for p in verdict.measure_ports],
        measure_direction=verdict.measure_direction,
        decides=verdict.decides,
        answer_seconds=int((verdict.answer_within or timedelta(hours=72)).total_seconds()),
        repeats=joining.repeats,
        waits_since=at if verdict.disposition == "person" else None,
    )


def _opened(key: str, joining: Joining, *, evidence: str) -> Step:
    verdict, report = joining.verdict, joining.incident.partition(".")[0]
    detail = {
        "clause": verdict.clause, "edition": verdict.edition, "reason": verdict.reason, "severity": verdict.severity,
        "service": joining.service, "explanation": verdict.explanation,
    }  # fmt: skip
    return "case.opened", [key, report, joining.incident, evidence, joining.customer], detail


def lock_case(key: str, *, version: int | None = None) -> Case:
    """Hold the case for the rest of the caller's transaction: what is decided on it now is decided once.

    Cases are locked before devices, always. Raise StaleCase when `version` is no longer the case's.
    """
    return case_of(_locked(key, version))


def mark_told(key: str, *, incidents: Sequence[str], letter: str | None) -> None:
    """Note which letter named these incidents' addresses to the holder; None when it was withdrawn."""
    MemberRow.objects.filter(case_id=key, incident__in=list(incidents)).update(told_by=letter)


def take_up(key: str, *, incidents: Collection[str], why: str, at: datetime, actor: str) -> None:
    """A person has decided that the holder is told of these incidents."""
    MemberRow.objects.filter(case_id=key, incident__in=list(incidents)).update(waits=False)
    record("case.taken_up", at=at, actor=actor, about=[key, *sorted(incidents)[:ABOUT_MAX]], why=why)


ABOUT_MAX = 100
"""So many incidents are named in one entry; the rest are in the same case."""


def start_due(key: str, *, due_at: datetime, at: datetime, actor: str, about: tuple[str, ...] = ()) -> None:
    """Set the end of the time to answer of a case that had none yet, as after a reminder was handed over."""
    with transaction.atomic():
        row = _locked(key, None)
        if row.due_at is None and CaseState(row.state) in rules.CLOCK_RUNS:
            row.due_at = due_at
            _save(row)
            record("case.clock_started", at=at, actor=actor, about=[key, *about], due_at=due_at)


def forget_matter(key: str, *, at: datetime, actor: str) -> None:
    """Take out of sight what a case is about and what was written on it, and leave it to counsel."""
    with transaction.atomic():
        row = _locked(key, None)
        row.resource, row.answer, row.decides = SEALED_MATTER, "", Role.COUNSEL
        _save(row)
        NoteRow.objects.filter(case=row).update(text=SEALED_MATTER)
        MemberRow.objects.filter(case=row).update(decides=Role.COUNSEL)
        record("case.matter_sealed", at=at, actor=actor, about=[key])


SEALED_MATTER = rules.SEALED


class NotDue(Exception):
    """The deadline has not passed: it was moved, or an answer came, a moment ago."""


def move_case(
    key: str,
    *,
    to: CaseState,
    at: datetime,
    actor: str,
    why: str,
    version: int | None = None,
    due_at: datetime | None = None,
    outcome: CaseOutcome | None = None,
    about: tuple[str, ...] = (),
    only_if_due: bool = False,
    watched_until: datetime | None = None,
) -> Case:
    """Move a case; raise IllegalMove where the rules forbid it, StaleCase when `version` is no longer the case's.

    With `only_if_due`, raise NotDue unless the deadline has passed at `at`, as it stands under the lock.
    """
    with transaction.atomic():
        row = _locked(key, version)
        if only_if_due and (row.due_at is None or row.due_at > at):
            raise NotDue(key)
        before = CaseState(row.state)
        row.state = rules.move(before, to)
        _note_wait(row, before, at=at)
        if to is CaseState.FIXED:
            row.fixed_at = at
        if watched_until is not None:
            row.watched_until = watched_until
        if to in rules.CLOCK_RUNS:
            row.due_at = due_at
        elif to is CaseState.CLOSED:
            # One that was appealed ended when it ended: the review does not make its strike a younger one.
            row.due_at, row.closed_at = None, row.closed_at or at
        elif to is not CaseState.OVERDUE:
            row.due_at = None
        if outcome is not None:
            row.outcome = outcome
        _save(row)
        record(
            f"case.{to}", at=at, actor=actor, about=[key, *about],
            before=before, why=why, due_at=row.due_at, outcome=row.outcome,
        )  # fmt: skip
        return case_of(row)


def take_answer(
    key: str, *, answer: Answer, words: str, at: datetime, actor: str, extended_due: datetime | None = None
) -> Case:
    """The customer's answer: it moves the case, and is kept in their own words.

    `extended_due` is when the time ends that they are given more of; without it, it is counted in plain hours.
    """
    with transaction.atomic():
        row = _locked(key, None)
        if answer is Answer.NEED_TIME and row.extended:
            raise rules.AlreadyExtended(key)
        before = CaseState(row.state)
        row.state = rules.move(before, rules.ANSWER_MOVES[answer])
        _note_wait(row, before, at=at)
        if row.state == CaseState.FIXED:
            row.fixed_at = at
        if answer is Answer.NEED_TIME:
            row.extended = True
            within = timedelta(seconds=row.answer_seconds)
            row.due_at = extended_due or rules.extended_due(due=row.due_at or at, answer_within=within)
        else:
            row.due_at = None
        row.answer = words
        _save(row)
        record(
            "case.answered", at=at, actor=actor, about=[key],
            answer=answer, words=words, before=before, now=row.state, due_at=row.due_at,
        )  # fmt: skip
        return case_of(row)


def take_appeal(key: str, *, words: str, at: datetime, actor: str) -> Case:
    """The customer disputes how it ended. Raise IllegalMove, AppealedBefore or TooLate."""
    with transaction.atomic():
        row = _locked(key, None)
        before = CaseState(row.state)
        row.state, row.appealed, row.answer = rules.appealed(case_of(row), at=at), True, words
        _note_wait(row, before, at=at)
        _save(row)
        record(
            "case.answered", at=at, actor=actor, about=[key],
            answer=Answer.DISPUTE, words=words, before=before, now=row.state, due_at=None,
        )  # fmt: skip
        return case_of(row)


def reopen_case(key: str, *, why: str, version: int, at: datetime, actor: str) -> Case:
    """Open a closed case again: it waits for a person. Raise IllegalMove, TooLate or PlaceTaken."""
    with transaction.atomic():
        row = _locked(key, version)
        before = row.outcome
        row.state = rules.reopened(case_of(row), at=at)
        if not row.part and (other := open_row(row.customer, group=row.group, service=row.service, lock=False)):
            raise PlaceTaken(f"{other.key} is open for the same customer, clause group and service: work there.")
        row.outcome, row.closed_at, row.fixed_at, row.watched_until = CaseOutcome.NONE, None, None, None
        row.reopened += 1
        row.waits_since, row.snoozed_until = at, None
        _save(row)
        record("case.reopened", at=at, actor=actor, about=[key], why=why, before=before)
        return case_of(row)


class PlaceTaken(ValueError):
    """Another case is open for the same customer, clause group and service."""


def _note_wait(row: CaseRow, before: CaseState, *, at: datetime) -> None:
    """Since when a person is waited for; and what moves is in sight again, however long it was to be out of it."""
    now = CaseState(row.state)
    if now not in rules.NEEDS_PERSON:
        row.waits_since = None
    elif before is not now:
        row.waits_since = at
    row.snoozed_until = None


def assign_case(key: str, *, to: str | None, version: int, at: datetime, actor: str) -> Case:
    with transaction.atomic():
        row = _locked(key, version)
        row.assignee = to
        _save(row)
        record("case.assigned", at=at, actor=actor, about=[key], to=to)
        return case_of(row)


def write_note(key: str, *, text: str, at: datetime, actor: str) -> None:
    """A colleague's note; the record says that there is one, its words stay on the case."""
    with transaction.atomic():
        row = _locked(key, None)
        NoteRow.objects.create(case=row, at=at, actor=actor, text=text)
        record("case.noted", at=at, actor=actor, about=[key])


def propose(
    key: str,
    *,
    kind: str,
    ground: str,
    detail: str,
    at: datetime,
    actor: str,
    lapsed_before: datetime | None = None,
    beside_others: bool = False,
) -> None:
    """Propose what takes two people; AlreadyProposed while one waits: nobody seconds what they did not read.

    One that was proposed before `lapsed_before` waits no longer: the record keeps it, and the new one takes its place.
    With `beside_others`, another of its kind may wait as long as its `ground` is another.
    """
    with transaction.atomic():
        row = _locked(key, None)
        waiting = DecisionRow.objects.filter(case=row, kind=kind, seconded_by__isnull=True)
        if beside_others:
            waiting = waiting.filter(ground=ground)
        if lapsed_before is not None:
            for lapsed in waiting.filter(proposed_at__lt=lapsed_before):
                record(
                    f"case.{kind}_lapsed", at=at, actor=actor, about=[key], ground=lapsed.ground,
                    shown_by=lapsed.detail, proposed_by=lapsed.proposed_by, proposed_at=lapsed.proposed_at,
                )  # fmt: skip
                lapsed.delete()
        if waiting.exists():
            raise AlreadyProposed(key)
        DecisionRow.objects.create(case=row, kind=kind, ground=ground, detail=detail, proposed_by=actor, proposed_at=at)
        record(f"case.{kind}_proposed", at=at, actor=actor, about=[key], ground=ground, shown_by=detail)


class AlreadyProposed(ValueError):
    """A proposal waits for a second person already; second that one."""


class NothingProposed(LookupError):
    """Nothing waits for a second person here."""


def second(key: str, *, kind: str, at: datetime, actor: str, ground: str | None = None) -> tuple[str, str, str]:
    """Second a proposal, the one on this `ground` where several wait; returns (ground, what shows it, who proposed
    it). Raise NothingProposed, or SecondMustBeAnother for oneself."""
    with transaction.atomic():
        row = _locked(key, None)
        proposals = DecisionRow.objects.filter(case=row, kind=kind, seconded_by__isnull=True)
        waiting = proposals.filter(**({} if ground is None else {"ground": ground})).first()
        if waiting is None:
            raise NothingProposed(key)
        if waiting.proposed_by == actor:
            raise SecondMustBeAnother(actor)
        waiting.seconded_by = actor
        waiting.save(update_fields=["seconded_by"])
        record(f"case.{kind}_seconded", at=at, actor=actor, about=[key], proposed_by=waiting.proposed_by)
        return waiting.ground, waiting.detail, waiting.proposed_by


def _locked(key: str, version: int | None) -> CaseRow:
    row = CaseRow.objects.select_for_update().filter(pk=key).first()
    if row is None:
        raise NoSuchCase(key)
    if version is not None and row.version != version:
        raise StaleCase(key)
    return row


def _save(row: CaseRow) -> None:
    row.version += 1
    row.save()
