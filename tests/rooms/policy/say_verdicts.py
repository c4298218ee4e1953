"""Judges a fixed mixed world under the shipped edition and prints how many verdicts and one digest over them all."""

import hashlib
import itertools
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from tipstaff.policy.canonical import verdict_digest
from tipstaff.policy.editions import shipped_editions
from tipstaff.policy.judge import judge
from tipstaff.words import (
    XARF_TYPES,
    Allegation,
    Attribution,
    AttributionReason,
    EvidenceGrade,
    Grade,
    History,
    Moment,
    Trust,
)

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def main() -> None:
    """Print the number of verdicts and the digest."""
    edition = shipped_editions()[-1]
    digests = []
    for type, grade, hours, strikes, evidence, port in itertools.product(
        XARF_TYPES, Grade, (1, 60, 9000), (0, 1, 3), EvidenceGrade, (None, 22)
    ):
        moment = Moment(AT - timedelta(hours=hours))
        verdict = judge(
            Allegation(type=type, source=IPv4Address("192.0.2.10"), target_port=port, moment=moment),
            attribution=Attribution(grade=grade, reason=AttributionReason.ONE_HOLDER, customer="acct-1001"),
            history=History(cases_before=strikes),
            edition=edition,
            received_at=AT,
            trust=Trust(evidence=evidence),
        )
        digests.append(verdict_digest(verdict))
    # XARF_TYPES is a set and comes in any order.
    print(len(digests), hashlib.sha256("".join(sorted(digests)).encode()).hexdigest())


if __name__ == "__main__":
    main()
