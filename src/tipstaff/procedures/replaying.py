"""Past complaints are judged under another edition, on every core: who would be treated differently, and how.

It reads the record and writes nothing. What is compared is what the judge was asked then, as the record keeps it.
"""

import json
import multiprocessing
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from tipstaff.intake.queries import what_was_named
from tipstaff.ledger.queries import stream
from tipstaff.policy import Edition
from tipstaff.policy.past import PastQuestion, question_again
from tipstaff.policy.replay import LISTED_MAX, Tally, as_if_always, replay
from tipstaff.registry.queries import customer_classes

from .collateral import Collateral
from .desk import Desk

DETAILS = ("asked", "grade", "attribution", "customer", "service", "edition", "verdict")
Row = tuple[str | None, ...]
"""The incident, and DETAILS, as `ledger.queries.stream` gives them."""

PAST = timedelta(days=180)
"""So far back a replay goes where nobody says how far: at the console, on the command line and when an edition is
compiled."""
IN_FLIGHT_MAX = 8
"""Chunks that wait for a process: the record is read no faster than it is judged."""


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
    rows: Iterable[Row], *, named: Named, under: Edition, editions: Mapping[str, Edition], classes: Classes
) -> Tally:
    """Replay some rows in this process."""
    questions = list(questions_in(rows, named=named))
    tally = replay((q for q in questions if q is not None), under=under, editions=editions, class_of=classes)
    tally.not_kept += sum(q is None for q in questions)
    return tally


def replay_past(
    under: Edition,
    *,
    since: datetime,
    until: datetime,
    desk: Desk,
    at: datetime,
    processes: int = 1,
    listed_max: int = LISTED_MAX,
    measures: bool = True,
    told: Callable[[int], None] = lambda judged: None,
    each_part: Callable[[Tally], None] = lambda part: None,
) -> Tally:
    """Judge everything again that was judged within [since, until), as if `under` had been in force then, and weigh the
    measures of all that differ (not without `measures`), with the devices of `at`.

    `told` hears how many are done, `each_part` sees what is listed of every part before the sum cuts it. With several
    processes each takes chunks of the record; the answer is the same.
    """
    tally = Tally(listed_max=listed_max)
    for _, part in replayed_parts(
        under, since=since, until=until, desk=desk, processes=processes,
        collateral=Collateral(desk=desk, at=at) if measures else None,
    ):  # fmt: skip
        each_part(part)
        tally.add(part)
        told(tally.judged)
    return tally


def replayed_parts(
    under: Edition,
    *,
    since: datetime,
    until: datetime,
    desk: Desk,
    collateral: Collateral | None,
    after: int = 0,
    processes: int = 1,
    about: Collection[str] | None = None,
    upto: int | None = None,
) -> Iterator[tuple[int, Tally]]:
    """Part by part what `replay_past` sums up, every difference listed, each with the place in the record (`after`)
    behind which the next one begins; with `about`, only what names one of these keys, with `upto` nothing behind it."""
    chunks = stream("incident.judged", since=since, until=until, details=DETAILS, after=after, about=about, upto=upto)
    editions = {edition.id: edition for edition in desk.editions}
    of_service, of_customer = customer_classes()
    classes = Classes(of_service=of_service, of_customer=of_customer)
    for place, part in _parts(chunks, as_if_always(under), editions, classes, processes):
        if collateral is not None:
            part.listed = collateral.of(part.listed)
            part.alike = Counter(difference.alike for difference in part.listed)
            part.weighed = len(part.listed)
        yield place, part


def _parts(
    chunks: Iterable[tuple[int, list[Row]]],
    under: Edition,
    editions: Mapping[str, Edition],
    classes: Classes,
    processes: int,
) -> Iterator[tuple[int, Tally]]:
    """The chunks' tallies, in the chunks' order."""
    asked = (under, *editions.values())
    if processes <= 1:
        for place, rows in chunks:
            named = named_in(rows, asked)
            yield place, replay_rows(rows, named=named, under=under, editions=editions, classes=classes)
        return
    # The editions are inherited, not sent: their caches of verdicts are filled in each process.
    _inherited.update(under=under, editions=editions, classes=classes)
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
        waiting: list[tuple[int, Future[Tally]]] = []
        for place, rows in chunks:
            waiting.append((place, pool.submit(_replay_inherited, rows, named_in(rows, asked))))
            if len(waiting) >= IN_FLIGHT_MAX:
                first, future = waiting.pop(0)
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


_inherited: dict[str, object] = {}


def _replay_inherited(rows: list[Row], named: Named) -> Tally:
    return replay_rows(rows, named=named, **_inherited)  # type: ignore[arg-type]  # what `_parts` put there
