"""Files that came with a report are looked through, and what the scanners say goes on record with its report and cases.

It decides nothing: no report is believed more and none less, and no measure follows. A person who decides sees it. What
the sieve sealed is not here to be looked at, and what it took out of a report was never kept.
"""

from datetime import datetime

from django.db import transaction

from tipstaff.intake.files import FILES_MAX, examine, files_of
from tipstaff.intake.mail import Limits, Mail, read_mail
from tipstaff.intake.queries import get_report
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import entries_of, get_raw
from tipstaff.words import ExaminedFile, FileVerdict, ReportOutcome

from .desk import Desk

EXAMINED = "file.examined"


class NotAllExamined(Exception):
    """A scanner could not be asked, so that files are not examined; they are tried again."""


def examine_files(key: str, *, desk: Desk, at: datetime) -> list[ExaminedFile]:
    """Let every scanner look through every file of a report, and put on record what is new of what they say.

    Doing it again asks only for what was not examined, and raises NotAllExamined while that stays so for want of a
    scanner.
    """
    report = get_report(key)
    if report is None or report.outcome is ReportOutcome.SEALED or not desk.scanners:
        return []
    known = _known(key)
    mail = read_mail(get_raw(report.evidence), limits=Limits(archive_passwords=desk.archive_passwords))
    files = list(files_of(mail))
    found = [
        examine(file, scanner=scanner, octets_max=desk.file_octets_max)
        for file in files[:FILES_MAX]
        for scanner in desk.scanners
        if known.get((file.sha256, scanner.name), FileVerdict.NOT_EXAMINED) is FileVerdict.NOT_EXAMINED
    ]
    found += _left_out(len(files) - FILES_MAX, mail)
    fresh = get_report(key)
    if fresh is None or fresh.outcome is ReportOutcome.SEALED:
        return []  # Somebody sealed it meanwhile: nothing of it is said anywhere.
    cases = sorted({i.case for i in fresh.incidents if i.case})
    with transaction.atomic():
        for one in found:
            if known.get((one.sha256, one.by)) is not one.verdict:
                record(
                    EXAMINED, at=at, actor="worker", about=[key, report.evidence, *cases], name=one.name,
                    sha256=one.sha256, octets=one.octets, by=one.by, verdict=one.verdict, found=list(one.found),
                    why=one.why,
                )  # fmt: skip
    if away := [one for one in found if one.again]:
        raise NotAllExamined(f"{key}: {away[0].why}")
    return found


def _left_out(more: int, mail: Mail) -> list[ExaminedFile]:
    """What nobody looked at, so that its absence is not taken for a clean bill."""
    whys = [f"{more} files more came with it; {FILES_MAX} are examined."] if more > 0 else []
    whys += [f"It was not unfolded to its end ({', '.join(sorted(mail.exceeded))})."] if mail.exceeded else []
    return [
        ExaminedFile(name="", sha256="", octets=0, by="tipstaff", verdict=FileVerdict.NOT_EXAMINED, why=why)
        for why in [" ".join(whys)]
        if why
    ]


def _known(key: str) -> dict[tuple[str, str], FileVerdict]:
    """(file, scanner) -> the last verdict that is on record."""
    return {
        (str(e.detail["sha256"]), str(e.detail["by"])): FileVerdict(str(e.detail["verdict"]))
        for e in entries_of(key, what=[EXAMINED])
    }
