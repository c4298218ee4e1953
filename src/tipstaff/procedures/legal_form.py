"""A notice or an order under a clause that has a form: what it shows of it is put on the case, for counsel to read.

Since when we know of it stands in the same entry: from that moment a statute's clock runs, whatever the form lacks.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from django.db import transaction

from tipstaff.cases.operations import write_note
from tipstaff.cases.queries import get_case
from tipstaff.intake.mail import read_mail
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import get_raw, has_entry
from tipstaff.legal.form import looked_for
from tipstaff.policy import Deadline, Edition, deadline
from tipstaff.policy.clauses import Clock, ClockKind, ClockUnit
from tipstaff.policy.kinds import LegalForm
from tipstaff.words import Case, Report

from .desk import Desk

CHECKED = "notice.form_checked"


CASES_MAX = 50
"""Of one report so many cases are looked at."""


def check_forms(report: Report, *, desk: Desk, at: datetime) -> None:
    """Say on each case of a report which elements of its clause's form the report shows, once.

    It accepts and refuses nothing, and nobody is told: a notice that lacks an element still tells us something.
    """
    editions = {edition.id: edition for edition in desk.editions}
    for key in islice(dict.fromkeys(i.case for i in report.incidents if i.case), CASES_MAX):
        case = get_case(key)
        edition = editions.get(case.edition) if case is not None else None
        clause = edition.clause_named(case.clause) if case is not None and edition is not None else None
        if case is None or edition is None or clause is None or clause.legal_form is None:
            continue
        if not has_entry(report.key, what=CHECKED, case=key):
            with transaction.atomic():
                _check(case, report, form=clause.legal_form, edition=edition, at=at)


def _check(case: Case, report: Report, *, form: LegalForm, edition: Edition, at: datetime) -> None:
    mail = read_mail(get_raw(report.evidence))
    found = list(looked_for(form, f"{mail.subject}\n{mail.body}"))
    shown = [element.name for element, there in found if there]
    lacking = [element for element, there in found if not there]
    record(
        CHECKED, at=at, actor="worker", about=[report.key, case.key], case=case.key,
        form=form, shown=shown, not_found=[f"{e.name} ({e.source})" for e in lacking],
        known_since=report.received_at.isoformat(),
    )  # fmt: skip
    said = (
        f"{report.key}, as a {form.said}: its words show {', '.join(shown) or 'nothing of what it needs'}."
        + (f" Not found: {', '.join(f'{e.name} ({e.source})' for e in lacking)}." if lacking else "")
        + f" We know of it since {report.received_at:%Y-%m-%d %H:%M} UTC."
        + "".join(
            f" If it is one, the clock {clock.id} ({clock.source}) ends {ends.by:%Y-%m-%d %H:%M} UTC."
            for clock, ends in _clocks(case.clause, edition=edition, since=report.received_at)
        )
        + " A program looked for words; counsel reads."
    )
    write_note(case.key, text=said, at=at, actor="worker")


def _clocks(clause: str, *, edition: Edition, since: datetime) -> Iterator[tuple[Clock, Deadline]]:
    """The clocks of a statute that begin with a notice or an order: those counted in hours, and when each ends."""
    for clock in edition.clocks:
        if clock.clause == clause and clock.kind is ClockKind.STATUTE and clock.unit is ClockUnit.HOURS:
            yield clock, deadline(clock, at=since)
