"""What a report could mean, shown to the person who decides; read anew from what is kept, and kept nowhere."""

from tipstaff.intake.mail import read_mail
from tipstaff.intake.ours import candidates_in
from tipstaff.intake.weight import is_heavy
from tipstaff.ledger.queries import get_raw
from tipstaff.registry.queries import own_space, site_names
from tipstaff.words import Mark, Report, ReportOutcome


def candidates_of(report: Report) -> tuple[Mark, ...]:
    """The addresses and hosts that it names, ours first; none for a sealed report or one that is costly to unfold."""
    if report.outcome is not ReportOutcome.WITH_A_PERSON:
        return ()
    raw = get_raw(report.evidence)
    if is_heavy(raw):
        return ()
    return candidates_in(read_mail(raw), space=own_space(at=report.received_at), sites=site_names)
