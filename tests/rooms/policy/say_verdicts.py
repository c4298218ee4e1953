"""Judges a fixed mixed world under a fixed edition and weighs what follows; prints how many verdicts and one digest
over them all, each with its question and its candidates, in order."""

import hashlib
import itertools
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import Any

from tipstaff.policy.canonical import verdict_digest
from tipstaff.policy.clauses import Clause, ClauseKind, ClockKind, Edition, Opens, PortOf
from tipstaff.policy.judge import judge
from tipstaff.policy.remedies import Footprint, Reached, weigh
from tipstaff.policy.strikes import Escalation, Repeats
from tipstaff.words import (
    XARF_TYPES,
    Allegation,
    Attribution,
    AttributionReason,
    Degree,
    EvidenceGrade,
    Grade,
    History,
    Moment,
    NoticePosture,
    Role,
    Rung,
    Scope,
    Severity,
    Trust,
)

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
AROUND = Footprint(
    others_on_address=frozenset({"acct-1002", "acct-1003"}), services_of_account=frozenset({"svc-1", "svc-2"})
)


def clause(id: str, *, row: int, applies_to: tuple[str, ...], ladder: str, **more: Any) -> Clause:
    return Clause(
        id=id, rows=(row,), title=id, text="Do not.", kind=ClauseKind.CONDUCT, applies_to=applies_to, subject=None,
        group=id.partition(".")[0], answer_within=timedelta(hours=24), answer_kind=ClockKind.OPERATOR,
        ladder=tuple(
            Rung(scope=Scope[scope], degree=Degree[degree])
            for scope, degree in (rung.split(":") for rung in ladder.split())
        ),
        **more,
    )  # fmt: skip


MAIL = "FLOW:BLOCK ADDRESS:BLOCK SERVICE:SUSPEND ACCOUNT:SUSPEND"
EDITION = Edition(
    id="2026-01", title="A policy", entity="Example Network Operator", locale="en",
    effective_at=AT - timedelta(days=300), look_back=timedelta(days=500), memory=timedelta(days=365),
    reader_confidence_min=0.5, in_progress=timedelta(hours=12), person_from=Degree.SUSPEND,
    introduction="What may not be done.", clocks=(),
    clauses=(
        clause("mail.bulk", row=18, applies_to=("messaging/spam", "messaging/bulk_messaging"), ladder=MAIL,
               severity=Severity.MEDIUM, notice=NoticePosture.BEFORE, opens=Opens.CASE, measure_ports=(("tcp", 25),),
               answer_within_repeated=timedelta(hours=12)),
        clause("network.flood", row=9, applies_to=("connection/ddos", "connection/port_scan"), severity=Severity.HIGH,
               ladder="FLOW:RATE_LIMIT ADDRESS:BLOCK PREFIX:BLOCK", notice=NoticePosture.SIMULTANEOUS,
               opens=Opens.CASE, measure_port_of=PortOf.TARGET),
        clause("content.fraud", row=40, applies_to=("content/phishing", "content/malware"), severity=Severity.HIGH,
               ladder="ITEM:BLOCK ADDRESS:BLOCK", notice=NoticePosture.BEFORE, opens=Opens.PERSON, two_people=True),
    ),
    repeats=(
        Repeats(group="mail", lifetime=timedelta(days=200),
                steps=(Escalation(strikes=3, decides=Role.LEAD, answer_within=timedelta(hours=6)),)),
    ),
)  # fmt: skip


def main() -> None:
    """Print the number of verdicts and the digest."""
    digests = []
    for type, grade, hours, strikes, evidence, port in itertools.product(
        sorted(XARF_TYPES), Grade, (1, 60, 9000), (0, 1, 3), EvidenceGrade, (None, 22)
    ):
        moment = Moment(AT - timedelta(hours=hours))
        verdict = judge(
            Allegation(type=type, source=IPv4Address("192.0.2.10"), target_port=port, moment=moment),
            attribution=Attribution(grade=grade, reason=AttributionReason.ONE_HOLDER, customer="acct-1001"),
            history=History(cases_before=strikes),
            edition=EDITION,
            received_at=AT,
            trust=Trust(evidence=evidence),
        )
        weighed = weigh(
            ladder=verdict.ladder, measure_ports=verdict.measure_ports, direction=verdict.measure_direction,
            resource=IPv4Address("192.0.2.10"), url=None, source_port=None, service="svc-1", account="acct-1001",
            footprint=AROUND, reach=lambda rung, selectors: Reached(device="edge1"),
        )  # fmt: skip
        asked = (type, grade.value, hours, strikes, evidence.value, port)
        digests.append(
            repr((asked, verdict_digest(verdict), [(str(c.selector), c.degree.name, c.why) for c in weighed]))
        )
    print(len(digests), hashlib.sha256("\n".join(digests).encode()).hexdigest())


if __name__ == "__main__":
    main()
