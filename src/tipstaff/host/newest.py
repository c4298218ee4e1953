"""The newest of many rows, however rare or common what they are found by is."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import QuerySet

MANY = 2000
"""So many rows are sorted at the most, to find the newest of them."""
PARTS = (1000, 50, 5)
"""Of what was kept, this part at the end is looked at, one after the other."""


def newest(rows: "QuerySet[Any]", by: str, *, take: str, limit: int) -> list[Any]:
    """`take` of the `limit` rows with the greatest `by`, those first; each once.

    Few rows fit a rare word: its index finds them all, and they are sorted here. Very many fit a common one: then the
    end of the table has enough of them. PostgreSQL cannot tell which it is: asked for the newest, it would go back
    through five million rows, taking the words out of each, for a word that stands in one of a thousand.
    """
    found = list(rows.order_by().values_list(by, take)[:MANY])
    if len(found) >= MANY:
        found = _at_the_end(rows, by, take=take, limit=limit)
    found.sort(key=lambda each: each[0], reverse=True)
    return list(dict.fromkeys(value for _, value in found))[:limit]


def _at_the_end(rows: "QuerySet[Any]", by: str, *, take: str, limit: int) -> list[Any]:
    from django.db.models import Max, Min

    ends = rows.model._default_manager.aggregate(first=Min(by), last=Max(by))
    for part in PARTS:
        since = ends["last"] - (ends["last"] - ends["first"]) // part
        # No order is asked for, so that those that fit are found by their index.
        found = list(rows.filter(**{f"{by}__gte": since}).order_by().values_list(by, take))
        if len({value for _, value in found}) >= limit:
            return found
    return list(rows.order_by(f"-{by}").values_list(by, take)[: limit * 4])
