"""What scanners say of a report's files is on record with the report and its case, and decides nothing."""

import dataclasses
import email
from email.mime.application import MIMEApplication

import pytest
from django.db import connection

from tests.procedures.office import HOUR, NOON, Office, reporter, spam_report
from tipstaff import wiring
from tipstaff.config import BadSetting, load
from tipstaff.intake.files import ScannerAway
from tipstaff.ledger.queries import entries_of
from tipstaff.procedures.complaint import seal_by_hand
from tipstaff.procedures.examining import NotAllExamined, examine_files
from tipstaff.web.console.sentences import tell
from tipstaff.wiring import jobs
from tipstaff.words import FileVerdict, Report

ADDRESS = "192.0.2.10"


class Twin:
    """A scanner that knows one file, and can be away."""

    name = "twin"

    def __init__(self) -> None:
        self.away = False
        self.asked: list[bytes] = []

    def scan(self, content: bytes) -> tuple[str, ...]:
        if self.away:
            raise ScannerAway("twin cannot be asked.")
        self.asked.append(content)
        return ("Own.Sample",) if content == b"sample" else ()


@pytest.fixture
def twin(office: Office) -> Twin:
    twin = Twin()
    office.desk = dataclasses.replace(office.desk, scanners=(twin,))
    office.admit("acct-1", ADDRESS)
    return twin


def reported(office: Office, *files: tuple[str, bytes]) -> Report:
    raw = spam_report(ADDRESS, at=NOON, by=reporter(), happened=NOON - HOUR)
    message = email.message_from_bytes(raw)
    for name, content in files:
        part = MIMEApplication(content)
        part.add_header("Content-Disposition", "attachment", filename=name)
        message.attach(part)
    report = office.take_in(message.as_bytes(), at=NOON, sender=reporter().address)
    assert ("examine", report.key) in office.asked
    return report


def verdicts(key: str) -> list[tuple[str, str]]:
    return [(str(e.detail["name"]), str(e.detail["verdict"])) for e in entries_of(key, what=["file.examined"])]


def test_what_a_scanner_says_stands_with_the_report_and_its_case(office: Office, twin: Twin) -> None:
    report = reported(office, ("bill.exe", b"sample"), ("photo.jpg", b"plain"))
    case = office.case_of(report)
    examine_files(report.key, desk=office.desk, at=NOON)
    assert verdicts(report.key) == verdicts(case.key) == [("bill.exe", "matched"), ("photo.jpg", "nothing_found")]
    told = [tell(e).text for e in entries_of(case.key, what=["file.examined"])]
    assert "“bill.exe”: twin knows it as Own.Sample." in told[0]
    assert "which does not make it harmless" in told[1]
    assert office.fresh(case.key) == case, "nothing is decided by it"
    twin.asked.clear()
    examine_files(report.key, desk=office.desk, at=NOON)
    assert (twin.asked, len(verdicts(report.key))) == ([], 2), "the same again changes nothing"


def test_while_a_scanner_is_away_its_files_are_not_examined_and_it_is_asked_again(office: Office, twin: Twin) -> None:
    report = reported(office, ("bill.exe", b"sample"))
    twin.away = True
    for _ in range(2):
        with pytest.raises(NotAllExamined, match="cannot be asked"):
            examine_files(report.key, desk=office.desk, at=NOON)
    assert verdicts(report.key) == [("bill.exe", "not_examined")], "once on record, however often it was tried"
    twin.away = False
    examine_files(report.key, desk=office.desk, at=NOON + HOUR)
    assert verdicts(report.key)[1:] == [("bill.exe", "matched")]


def test_what_was_sealed_is_never_looked_through(office: Office, twin: Twin) -> None:
    report = reported(office, ("bill.exe", b"sample"))
    seal_by_hand(report.key, desk=office.desk, at=NOON, actor="counsel")
    assert examine_files(report.key, desk=office.desk, at=NOON) == []
    assert (twin.asked, verdicts(report.key)) == ([], [])


def test_more_files_than_are_examined_are_said_to_be_left_out(office: Office, twin: Twin) -> None:
    report = reported(office, *((f"{n}.bin", b"plain %d" % n) for n in range(22)))
    found = examine_files(report.key, desk=office.desk, at=NOON)
    assert len(twin.asked) == 20
    assert (found[-1].verdict, found[-1].why) == (
        FileVerdict.NOT_EXAMINED, "2 files more came with it; 20 are examined."
    )  # fmt: skip


def test_the_settings_name_the_scanners_and_the_worker_knows_the_job(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"TIPSTAFF_FILES_CLAMD": "127.0.0.1:3310", "TIPSTAFF_FILES_YARA_RULES": "/etc/tipstaff/yara"}
    monkeypatch.setattr(wiring, "settings", lambda: load(None, named))
    wiring.scanners.cache_clear()
    try:
        assert [scanner.name for scanner in wiring.scanners()] == ["clamd", "yara"]
    finally:
        wiring.scanners.cache_clear()
    jobs.defer("examine", "R-000001")
    with connection.cursor() as cursor:
        cursor.execute("SELECT queue_name, args->>'key' FROM procrastinate_jobs WHERE task_name = 'examine'")
        assert cursor.fetchall() == [("reports", "R-000001")]


@pytest.mark.parametrize("at", ["clamd.example.net:3310", "3310", "unix:/run/clamd"])
def test_where_clamd_is_must_be_a_socket_or_an_address(at: str) -> None:
    with pytest.raises(BadSetting, match="it takes a socket's path, or an address and a port"):
        load(None, {"TIPSTAFF_FILES_CLAMD": at})
