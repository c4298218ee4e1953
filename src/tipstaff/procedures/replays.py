"""A replay in the background: somebody asks, the worker judges the past part by part, and each part is kept with the
place up to which it has come, so that a worker that was killed goes on from there.

It decides nothing, and what it keeps is no part of the record: it follows from the record, and can be had again.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

from tipstaff.editions import operations
from tipstaff.editions.operations import NoSuchEdition
from tipstaff.editions.queries import count_alike, get_replay, replayed_differences
from tipstaff.host.viewing import hidden
from tipstaff.intake.queries import sealed_among
from tipstaff.policy import Edition
from tipstaff.policy.replay import Alike, Difference, Side, Tally
from tipstaff.words import ReplayRun

from .collateral import Collateral
from .desk import Desk
from .editions import edition_on_record
from .replaying import replayed_parts

log = logging.getLogger("tipstaff.worker")

AT_A_TIME = timedelta(seconds=8)
"""So long the worker stays at it; then other jobs have their turn, and it goes on."""


def ask_for(under: Edition, *, since: datetime, until: datetime, desk: Desk, at: datetime, actor: str) -> ReplayRun:
    """Have the past judged again under an edition; raises TooManyReplays."""
    with transaction.atomic():
        run = operations.ask_for_replay(
            under.id, digest=under.digest, since=since, until=until, at=at, actor=actor
        )  # fmt: skip
        desk.enqueue("replay", run.key)
    return run


def carry_on(key: str, *, desk: Desk, now: Callable[[], datetime], at_a_time: timedelta = AT_A_TIME) -> None:
    """Judge the next parts, and ask for the rest; done twice, nothing is counted twice."""
    run = get_replay(key)
    if run is None or run.finished_at is not None:
        return
    try:
        _carry_on(run, desk=desk, now=now, at_a_time=at_a_time)
    except NoSuchEdition:
        operations.end_replay(key, trouble=f"Edition {run.edition} is not there any more.", at=now())
    except (OperationalError, InterfaceError):
        raise  # The database itself: it is tried again.
    except Exception as why:
        log.exception("replay %s failed", key)
        operations.end_replay(key, trouble=f"It failed: {type(why).__name__}. The worker's log says more.", at=now())


def forget_sealed() -> None:
    """Take out of what replays list the measures of whatever is sealed by now, also of what was sealed before releases
    did so at once."""
    for reports in operations.reports_with_measures():
        operations.blank_measures(sealed_among(reports))


def give_up(key: str, *, attempts: int, at: datetime) -> None:
    """A replay that stops the worker each time is tried no more by itself; its page says so."""
    trouble = f"It was tried {attempts} times and did not come to its end; the worker's log says why. Ask for it again."
    operations.end_replay(key, trouble=trouble, at=at)


def _carry_on(run: ReplayRun, *, desk: Desk, now: Callable[[], datetime], at_a_time: timedelta) -> None:
    under, began, place, tally = _edition_of(run, desk=desk), now(), run.place, tally_of(run.totals)
    parts = replayed_parts(
        under, since=run.since, until=run.until, desk=desk, after=place,
        collateral=Collateral(desk=desk, at=run.asked_at),
    )  # fmt: skip
    for reached, part in parts:
        tally.add(part)
        with transaction.atomic():
            if not operations.note_replayed(
                run.key, after=place, place=reached, totals=totals_of(tally), piles=_piles(part)
            ):
                return
            # Sealed while it was judged: its measures are no longer to be named.
            reports = {d.key.partition(".")[0] for d in part.listed if any(d.measures)}
            operations.blank_measures(sealed_among(reports), replay=run.key)
            place = reached
            if now() - began >= at_a_time:
                desk.enqueue("replay", run.key)
                return
    operations.end_replay(run.key, trouble="", at=now())


def _edition_of(run: ReplayRun, *, desk: Desk) -> Edition:
    shadow: tuple[Edition, ...] = (desk.shadow.edition,) if desk.shadow else ()
    for edition in (*desk.editions, *shadow):
        if (edition.id, edition.digest) == (run.edition, run.digest):
            return edition
    edition = edition_on_record(run.edition)
    if edition.digest != run.digest:
        raise NoSuchEdition(run.edition)
    return edition


# How it is kept


def totals_of(tally: Tally) -> dict[str, object]:
    """What was counted over everything that was judged, for JSON."""
    return {
        "judged": tally.judged,
        "not_kept": tally.not_kept,
        "not_reproduced": tally.not_reproduced,
        "history_unknown": tally.history_unknown,
        "weighed": tally.weighed,
        "clauses": [[*names, n] for names, n in sorted(tally.clauses.items())],
        "cases": [[*names, n] for names, n in sorted(tally.cases.items())],
    }


def tally_of(totals: Mapping[str, Any], *, alike: Mapping[Alike, int] | None = None) -> Tally:
    """The tally again; what differs stands beside it."""
    numbers = ("judged", "not_kept", "not_reproduced", "history_unknown", "weighed")
    return Tally(
        **{name: totals.get(name, 0) for name in numbers},
        clauses=Counter({(was, now): n for was, now, n in totals.get("clauses", ())}),
        cases=Counter({(kind, was, now): n for kind, was, now, n in totals.get("cases", ())}),
        alike=Counter(alike or {}),
    )


def _piles(part: Tally) -> dict[str, list[list[object]]]:
    texts: dict[Alike, str] = {}
    piles: dict[str, list[list[object]]] = {}
    for d in part.listed:
        text = texts.get(d.alike) or texts.setdefault(d.alike, json.dumps(d.alike, ensure_ascii=False))
        piles.setdefault(text, []).append(line_of(d))
    return piles


def line_of(difference: Difference) -> list[object]:
    """What is kept of one difference beside what it has in common with others."""
    return [difference.key, difference.customer, difference.received_at.isoformat(), *difference.measures]


def _alike_of(text: str) -> Alike:
    kind, how, before, after = json.loads(text)
    return Alike(customer_class=kind, how=tuple(how), before=Side(*before), after=Side(*after))


# What is read of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One difference as it is listed."""

    key: str
    customer: str
    received_at: datetime
    alike: Alike
    before: str
    """What silence would have led to; empty for nothing."""
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a replay has found so far, for whoever looks."""

    run: ReplayRun
    tally: Tally
    texts: Mapping[Alike, str]
    closed: bool
    """Something is left out everywhere because it is closed to whoever looks."""

    def lines(self, wanted: Callable[[Alike], bool], *, offset: int = 0, limit: int) -> Iterator[Line]:
        """The differences that have in common what is wanted, part by part as they were judged."""
        texts = {text: alike for alike, text in self.texts.items() if wanted(alike)}
        for text, each in replayed_differences(self.run.key, alike=list(texts), offset=offset, limit=limit):
            yield line_again(each, texts[text])


def line_again(each: list[Any], alike: Alike) -> Line:
    """One difference, out of what `line_of` kept. Of a sealed report only how wide and how strong a measure is is left,
    which it has in common with others."""
    key, customer, received_at, before, after = each
    return Line(
        key=key, customer=customer, received_at=datetime.fromisoformat(received_at), alike=alike,
        before=before or alike.before.measure, after=after or alike.after.measure,
    )  # fmt: skip


def found_by(run: ReplayRun, *, under: Edition, desk: Desk) -> Found:
    """What it has found so far. What is closed to whoever looks is in none of its numbers: it is judged once more here
    to be taken away from them, which takes as long as there is of it."""
    counted = count_alike(run.key)
    alike = {_alike_of(text): n for text, n in counted.items()}
    texts = dict(zip(alike, counted, strict=True))
    tally = tally_of(run.totals, alike=alike)
    if closed := hidden():
        for _, part in replayed_parts(
            under, since=run.since, until=run.until, desk=desk, collateral=None, upto=run.place,
            about=[key for key in closed if key[:2] in ("R-", "S-")],
        ):  # fmt: skip
            tally.take_away(part)
        tally.weighed = tally.different
    return Found(run=run, tally=tally, texts=texts, closed=bool(closed))
