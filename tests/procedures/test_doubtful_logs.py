"""What becomes of a complaint where the logs do not tell whose it was."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.procedures.office import DAY, HOUR, NOON, Office, reporter
from tipstaff.attribution.operations import add_identities, take_in
from tipstaff.attribution.protocol import Options
from tipstaff.ledger.queries import entries_about
from tipstaff.wiring import sources
from tipstaff.words import AttributionReason, Identity, LetterKind, Reason, ReportOutcome, SubjectKind

ADDRESS = "198.51.100.7"
BY = {"at": NOON - DAY, "actor": "engineer"}


def read(path: Path, kind: str, lines: Sequence[str], **options: Any) -> None:
    path.write_text("".join(lines))
    list(take_in(path, sources()[kind], Options(source=kind, **options), at=NOON + DAY, actor="engineer"))


def test_sources_that_name_two_at_once_open_a_finding_and_tell_no_customer(office: Office, tmp_path: Path) -> None:
    office.admit("acct-1", ADDRESS)
    office.admit("acct-2")
    add_identities(
        [Identity(kind=SubjectKind.USERNAME, value="alice", customer="acct-2", since=NOON - DAY)], source="crm", **BY
    )
    begin = int((NOON - 3 * HOUR).timestamp())
    header = "timestamp,acct_status_type,user_name,framed_ip_address,acct_session_id,acct_session_time\n"
    stay = [f"{begin},Start,alice,{ADDRESS},1,\n", f"{begin + 10_000},Stop,alice,{ADDRESS},1,10000\n"]
    read(tmp_path / "log", "radius-csv", [header, *stay])
    report = office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    assert [i.reason for i in report.incidents] == [Reason.HOLDER_CONTRADICTED]
    [finding] = [e for e in entries_about(report.key) if e.what == "finding.unassigned_use"]
    assert (finding.detail["address"], finding.detail["reason"]) == (ADDRESS, AttributionReason.SOURCES_DISAGREE)
    assert office.cases() == []
    assert [letter.to for letter in office.letters] == [reporter().address]


@pytest.mark.parametrize("unseen", [True, False])
def test_after_a_gap_of_a_nats_log_the_complainant_is_asked_for_the_destination(
    unseen: bool, office: Office, tmp_path: Path, settings: Any
) -> None:
    settings.FLOWS_FOLDER = tmp_path / "flows"
    office.admit("acct-1", "192.0.2.8")
    lines = []
    for port, first, last in ((40_000, -90, -30), (40_001, -180, 60)):
        way = f"src=192.0.2.8 dst=203.0.113.7 sport={port} dport=25 src=203.0.113.7 dst={ADDRESS} sport=25 dport={port}"
        for minutes, event in ((first, "NEW"), (last, "DESTROY")):
            at = NOON.timestamp() + 60 * minutes
            lines.append((at, f"[{at:.6f}]\t [{event}] tcp      6 {way}\n"))
    read(tmp_path / "log", "nat-flows", [line for _, line in sorted(lines)], lasts_seconds=None if unseen else 0.0)
    report = office.complain(ADDRESS, at=NOON, port=40_000)
    office.post(at=NOON)
    if not unseen:
        assert office.case_of(report).customer == "acct-1"
        return
    assert (report.outcome, office.cases()) == (ReportOutcome.NEEDS_DETAIL, [])
    assert [i.reason for i in report.incidents] == [AttributionReason.UNSEEN_CONNECTIONS]
    [asked] = office.letters
    assert (asked.to, asked.kind) == (reporter().address, LetterKind.NEEDS_DETAIL)
    assert "address and port of your own system" in " ".join(asked.body.split())
    assert "acct-" not in asked.body
