"""How many verdicts the judge gives in a second of processor time. Prints JSON: `python bench/judge.py [VERDICTS]`."""

import itertools
import json
import platform
import sys
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from tipstaff.policy.editions import shipped_editions
from tipstaff.policy.judge import judge
from tipstaff.words import XARF_TYPES, Allegation, Attribution, AttributionReason, Grade, History, Moment

RECEIVED_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
ATTRIBUTIONS = [
    *[Attribution(grade=Grade.CONFIRMED, reason=AttributionReason.ONE_HOLDER, customer=f"acct-{n}") for n in range(8)],
    *[Attribution(grade=Grade.PROBABLE, reason=AttributionReason.TIME_ASSUMED, customer=f"acct-{n}") for n in range(2)],
    Attribution(grade=Grade.AMBIGUOUS, reason=AttributionReason.SHARED_WITHOUT_PORT),
    Attribution(grade=Grade.NONE, reason=AttributionReason.NOT_OUR_SPACE),
]
AGES = [timedelta(minutes=5), timedelta(hours=20), timedelta(days=3), timedelta(days=400)]
PORTS = [None, 22, 443, 8443, 50000]


def main() -> None:
    """Judge a mixed world over and over, and print the speed."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    (edition, *_) = shipped_editions()
    world = [
        (
            Allegation(
                type=type,
                source=IPv4Address("192.0.2.10"),
                target_port=port,
                source_port=port,
                moment=Moment(RECEIVED_AT - age),
            ),
            attribution,
            History(cases_before=number % 3),
        )
        for number, (type, attribution, age, port) in enumerate(
            itertools.product(sorted(XARF_TYPES), ATTRIBUTIONS, AGES, PORTS)
        )
    ]
    dispositions: dict[str, int] = {}
    for allegation, attribution, history in world:
        verdict = judge(allegation, attribution=attribution, history=history, edition=edition, received_at=RECEIVED_AT)
        dispositions[verdict.disposition] = dispositions.get(verdict.disposition, 0) + 1
    questions = itertools.islice(itertools.cycle(world), wanted)
    began = time.process_time()
    for allegation, attribution, history in questions:
        judge(allegation, attribution=attribution, history=history, edition=edition, received_at=RECEIVED_AT)
    seconds = time.process_time() - began
    print(
        json.dumps(
            {
                "bench": "judge",
                "verdicts": wanted,
                "cpu_seconds": round(seconds, 3),
                "verdicts_per_cpu_second": round(wanted / seconds),
                "different_questions": len(world),
                "dispositions_of_one_round": dispositions,
                "edition": edition.id,
                "python": platform.python_version(),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
