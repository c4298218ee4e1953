"""Past complaints are judged under another edition, on every core: who would be treated differently, and how.

It reads the record and writes nothing. What is compared is what the judge was asked then, as the record keeps it.
"""

import json
import multiprocessing
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from tipstaff.intake.queries import get_incident, what_was_named
from tipstaff.ledger.queries import stream
from tipstaff.policy import Edition
from tipstaff.policy.past import PastQuestion, question_again
from tipstaff.policy.replay import LISTED_MAX, Difference, Tally, Treatment, as_if_always, replay
from tipstaff.registry.queries import customer_classes
from tipstaff.sensors.queries import get_measured
from tipstaff.words import Candidate, Conduct

from .desk import Desk
from .weighing import weigh_for

DETAILS = ("asked", "grade", "attribution", "customer", "service", "edition", "verdict")
Row = tuple[str | None, ...]
"""The incident, and DETAILS, as `ledger.queries.stream` gives them."""

PAST = timedelta(days=180)
"""So far back a replay goes where nobody says how far: at the console, on the command line and when an edition is
compiled."""
IN_FLIGHT_MAX = 8
"""Chunks that wait for a process: the record is read no faster than it is judged."""
WEIGHED_MAX = 2_000
"""Differences whose remedies are weighed with what they would hit; each takes some questions to the registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """What kind of customer somebody is."""

    of_service: Mapping[str, str]
    of_customer: Mapping[str, str]

    def __call__(self, question: PastQuestion) -> str:
        """The kind of the service that was named, else the customer's own."""
        by_service = self.of_service.get(question.attribution.service or "")
        return by_service or self.of_customer.get(question.attribution.customer or "", "unknown")


Named = Mapping[str, tuple[str | None, str | None, str | None]]
"""What incidents name, by key: URL, host name, target."""


def named_in(rows: Iterable[Row], editions: Iterable[Edition]) -> Named:
    """What the rows' reports name, where a clause has a condition, which may ask for it; else nothing is looked up."""
    if not any(clause.when is not None for edition in editions for clause in edition.clauses):
        return {}
    return what_was_named([row[0] for row in rows if row[0] and row[1] and _NAMES.search(row[1])])


_NAMES = re.compile(r'"(named|target)"')


def questions_in(rows: Iterable[Row], *, named: Named) -> Iterator[PastQuestion | None]:
    """The rows' questions; None for one that was judged before questions were kept."""
    for key, asked, grade, reason, customer, service, edition, verdict in rows:
        if asked is None or key is None or grade is None or reason is None:
            yield None
            continue
        yield question_again(
            key,
            json.loads(asked),
            grade=grade,
            reason=reason,
            customer=customer,
            service=service,
            edition=edition or "",
            verdict=verdict or "",
            named=named.get(key),
        )


def replay_rows(
    rows: Iterable[Row],
    *,
    named: Named,
    under: Edition,
    editions: Mapping[str, Edition],
    classes: Classes,
    listed_max: int,
) -> Tally:
    """Replay some rows in this process."""
    questions = list(questions_in(rows, named=named))
    tally = replay(
        (q for q in questions if q is not None), under=under, editions=editions, class_of=classes, listed_max=listed_max
    )
    tally.not_kept += sum(q is None for q in questions)
    return tally


def replay_past(
    under: Edition,
    *,
    since: datetime,
    until: datetime,
    desk: Desk,
    processes: int = 1,
    listed_max: int = LISTED_MAX,
    judged_max: int | None = None,
    told: Callable[[int], None] = lambda judged: None,
) -> Tally:
    """Judge everything again that was judged within [since, until), as if `under` had been in force then.

    With `judged_max`, only the first so many. `told` hears how many are done. With several processes each takes chunks
    of the record; the answer is the same.
    """
    chunks = stream("incident.judged", since=since, until=until, details=DETAILS, limit=judged_max)
    editions = {edition.id: edition for edition in desk.editions}
    of_service, of_customer = customer_classes()
    classes = Classes(of_service=of_service, of_customer=of_customer)
    tally = Tally(listed_max=listed_max)

    def still_listed() -> int:
        return listed_max - len(tally.listed)

    for part in _parts(chunks, as_if_always(under), editions, classes, still_listed, processes):
        tally.add(part)
        told(tally.judged)
    return tally


def _parts(
    chunks: Iterable[list[Row]],
    under: Edition,
    editions: Mapping[str, Edition],
    classes: Classes,
    still_listed: Callable[[], int],
    processes: int,
) -> Iterator[Tally]:
    """The chunks' tallies, in the chunks' order; what is beyond the list is not even sent from one to the other."""
    asked = (under, *editions.values())
    if processes <= 1:
        for rows in chunks:
            named = named_in(rows, asked)
            yield replay_rows(
                rows, named=named, under=under, editions=editions, classes=classes, listed_max=still_listed()
            )
        return
    # The editions are inherited, not sent: their caches of verdicts are filled in each process.
    _inherited.update(under=under, editions=editions, classes=classes)
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
        waiting: list[Future[Tally]] = []
        for rows in chunks:
            waiting.append(pool.submit(_replay_inherited, rows, named_in(rows, asked), still_listed()))
            if len(waiting) >= IN_FLIGHT_MAX:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


_inherited: dict[str, object] = {}


def _replay_inherited(rows: list[Row], named: Named, listed_max: int) -> Tally:
    return replay_rows(rows, named=named, **_inherited, listed_max=listed_max)  # type: ignore[arg-type]  # what `_parts` put there


# Remedies, and whom they would hit.


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedies:
    """The narrowest remedy that silence would have led to under each edition, with what it would hit."""

    before: tuple[Candidate, ...]
    after: tuple[Candidate, ...]


def remedies_of(difference: Difference, *, desk: Desk) -> Remedies:
    """What would have been chosen on the registry's facts at that time, with the devices of today."""
    incident = get_incident(difference.key) or get_measured(difference.key)
    if incident is None or not difference.customer:
        return Remedies(before=(), after=())
    weighed = [
        _chosen(treatment, incident.conduct, difference, desk=desk)
        for treatment in (difference.before, difference.after)
    ]
    return Remedies(before=weighed[0], after=weighed[1])


def _chosen(treatment: Treatment, allegation: Conduct, difference: Difference, *, desk: Desk) -> tuple[Candidate, ...]:
    if not treatment.ladder:
        return ()
    candidates = weigh_for(
        customer=difference.customer,
        service=difference.service or None,
        ladder=treatment.ladder,
        measure_ports=treatment.measure_ports,
        direction=treatment.measure_direction,
        allegation=allegation,
        desk=desk,
        at=difference.received_at,
    )
    return tuple(candidate for candidate in candidates if candidate.chosen)
