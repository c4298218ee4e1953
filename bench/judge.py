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
from tipstaff.words import XARF_TYPES, Allegation, Attribution, AttributionReason, Grade, History, Moment, Sighting

RECEIVED_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
ATTRIBUTIONS = [
    *[Attribution(grade=Grade.CONFIRMED, reason=AttributionReason.ONE_HOLDER, customer=f"acct-{n}") for n in range(8)],
    *[Attribution(grade=Grade.PROBABLE, reason=AttributionReason.TIME_ASSUMED, customer=f"acct-{n}") for n in range(2)],
    Attribution(grade=Grade.AMBIGUOUS, reason=AttributionReason.SHARED_WITHOUT_PORT),
    Attribution(grade=Grade.NONE, reason=AttributionReason.NOT_OUR_SPACE),
]
AGES = [timedelta(minutes=5), timedelta(hours=20), timedelta(days=3), timedelta(days=400)]
SCANS = [
    Sighting(
        sensor="flows", id=str(targets), kind="flows.scan", source=IPv4Address("192.0.2.10"),
        moment=Moment(RECEIVED_AT - timedelta(hours=1)),
        facts={"targets": targets, "minutes": 30, "announced": False},
    )
    for targets in (300, 40, "many")
]  # fmt: skip
"""A threshold is reached, or not, or cannot be told: the condition is asked each time."""
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
    began = time.process_time()
    for sighting in itertools.islice(itertools.cycle(SCANS), wanted // 10):
        judge(sighting, attribution=ATTRIBUTIONS[0], history=History(), edition=edition, received_at=RECEIVED_AT)
    seconds_of_scans = time.process_time() - began
    print(
        json.dumps(
            {
                "bench": "judge",
                "verdicts": wanted,
                "cpu_seconds": round(seconds, 3),
                "verdicts_per_cpu_second": round(wanted / seconds),
                "sightings_that_ask_a_condition_per_cpu_second": round(wanted // 10 / seconds_of_scans),
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
