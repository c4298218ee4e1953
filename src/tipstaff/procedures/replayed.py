"""A replay as a document: for JSON, for the terminal and for the console's page."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from tipstaff.policy import Edition
from tipstaff.policy.replay import Difference, Tally, differences

from .replaying import Remedies


def as_document(
    tally: Tally, weighed: Sequence[tuple[Difference, Remedies]], *, under: Edition, begin: datetime, end: datetime
) -> dict[str, object]:
    """A replay as JSON."""
    remedies = {difference.key: found for difference, found in weighed}
    return {
        "edition": under.id,
        "digest": under.digest,
        "from": begin.isoformat(),
        "to": end.isoformat(),
        "judged": tally.judged,
        "different": tally.different,
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
        "how": dict(tally.how.most_common()),
        "measures": count_measures(weighed),
        "differences": [
            {
                "incident": d.key,
                "customer": d.customer,
                "class": d.customer_class,
                "received_at": d.received_at.isoformat(),
                "how": differences(d.before, d.after),
                **(_remedies(remedies[d.key]) if d.key in remedies else {}),
            }
            for d in tally.listed
        ],
    }


def _remedies(found: Remedies) -> dict[str, object]:
    return {
        name: [
            {"degree": c.degree.name.lower(), "selector": str(c.selector), "others_hit": c.others_hit,
             "services_hit": c.services_hit}
            for c in chosen
        ]
        for name, chosen in (("measure_before", found.before), ("measure_after", found.after))
    }  # fmt: skip


def count_measures(weighed: Sequence[tuple[Difference, Remedies]]) -> dict[str, object]:
    """Counted over the differences that were weighed: the narrowest measures, and whom else they would hit."""
    counted: dict[str, object] = {"weighed": len(weighed)}
    for name in ("before", "after"):
        chosen = [c for _, found in weighed for c in getattr(found, name)[:1]]
        kinds = Counter(f"{c.degree.name.lower()} {c.selector.scope.name.lower()}" for c in chosen)
        counted[name] = {"measures": dict(kinds), "others_hit": sum(c.others_hit for c in chosen)}
    return counted
