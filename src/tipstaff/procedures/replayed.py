"""A replay as a document: for JSON, for the terminal and for the console's page; and what its bars count."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from tipstaff.policy import Edition
from tipstaff.policy.replay import Alike, Side, Tally

from .replays import Line


class Bar(NamedTuple):
    """One bar of the picture. It counts differences, and those that it counts are the ones `holds` says."""

    by: str
    """`clause` or `class`."""
    when: str
    """`before` or `after`."""
    name: str
    """A clause, empty for none; or a class of customer."""

    @property
    def text(self) -> str:
        """`clause-before:mail.unsolicited`, as an address names it."""
        return f"{self.by}-{self.when}:{self.name}"

    def holds(self, alike: Alike) -> bool:
        """Of a clause: what fell under it. Of a class: where a case opened against such a customer."""
        side: Side = alike.before if self.when == "before" else alike.after
        return side.clause == self.name if self.by == "clause" else side.opens and alike.customer_class == self.name

    def count(self, tally: Tally) -> int:
        return sum(n for alike, n in tally.alike.items() if self.holds(alike))


def bar_named(text: str) -> Bar | None:
    """The bar that an address names; None for what names none."""
    kind, colon, name = text.partition(":")
    by, _, when = kind.partition("-")
    known = colon and by in ("clause", "class") and when in ("before", "after")
    return Bar(by, when, name) if known else None


def bars_of(tally: Tally, by: str) -> list[tuple[str, Bar, Bar]]:
    """(name, bar before, bar after) for each clause, or each class of customer, where something differs; the most
    first."""
    counted: Counter[str] = Counter()
    for alike, n in tally.alike.items():
        names = {alike.before.clause, alike.after.clause} if by == "clause" else {alike.customer_class} - {""}
        for name in names:
            counted[name] += n
    names_in_order = sorted(counted, key=lambda name: (-counted[name], name))
    return [(name, Bar(by, "before", name), Bar(by, "after", name)) for name in names_in_order]


def as_document(
    tally: Tally, lines: Iterable[Line], *, under: Edition, begin: datetime, end: datetime
) -> dict[str, object]:
    """A replay as JSON."""
    return {
        "edition": under.id,
        "digest": under.digest,
        "from": begin.isoformat(),
        "to": end.isoformat(),
        "judged": tally.judged,
        "not_kept": tally.not_kept,
        "not_reproduced": tally.not_reproduced,
        "history_unknown": tally.history_unknown,
        "of_history": tally.said_of_history,
        "clauses": [
            {"before": before, "after": after, "judged": n, "different": tally.changed_clauses[before, after]}
            for (before, after), n in sorted(tally.clauses.items())
        ],
        "customer_classes": [
            {"class": kind, "case_before": before, "case_after": after, "judged": n}
            for (kind, before, after), n in sorted(tally.cases.items())
        ],
        "different": tally.different,
        "how": dict(sorted(tally.how.items(), key=_most_first)),
        "bars": {
            by: [{"name": n, "before": b.count(tally), "after": a.count(tally)} for n, b, a in bars_of(tally, by)]
            for by in ("clause", "class")
        },
        "measures": count_measures(tally),
        "differences": [
            {
                "incident": line.key,
                "customer": line.customer,
                "class": line.alike.customer_class,
                "received_at": line.received_at.isoformat(),
                "how": list(line.alike.how),
                "measure_before": _measure(line.before, line.alike.before),
                "measure_after": _measure(line.after, line.alike.after),
            }
            for line in sorted(lines, key=lambda line: (line.received_at, line.key))
        ],
    }


def _most_first(named: tuple[str, int]) -> tuple[int, str]:
    return -named[1], named[0]


def _measure(words: str, side: Side) -> dict[str, object] | None:
    if not words:
        return None
    return {"says": words, "others_hit": side.others_hit, "services_hit": side.services_hit}


def count_measures(tally: Tally) -> dict[str, object]:
    """The narrowest measures that silence would have led to, and whom else they would hit: over all that differ."""

    def of(side_of: Callable[[Alike], Side]) -> dict[str, object]:
        kinds: Counter[str] = Counter()
        others = services = 0
        for alike, n in tally.alike.items():
            side = side_of(alike)
            if side.measure:
                kinds[side.measure] += n
                others += side.others_hit * n
                services += side.services_hit * n
        return {
            "measures": dict(sorted(kinds.items(), key=_most_first)), "others_hit": others, "services_hit": services
        }  # fmt: skip

    return {"weighed": tally.weighed, "before": of(lambda a: a.before), "after": of(lambda a: a.after)}
