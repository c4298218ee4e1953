"""The newest of many rows, however rare or common what they are found by is."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import QuerySet

MANY = 2000
"""So many rows are sorted at the most, to find the newest of them."""


def newest(rows: "QuerySet[Any]", by: str, *, take: str, limit: int) -> list[Any]:
    """`take` of the `limit` rows with the greatest `by`, those first; each once.

    Few rows fit a rare word: its index finds them all, and they are sorted here. Very many fit a common one: then the
    newest are met soon by going back from the end. PostgreSQL cannot tell which it is, and would go back through five
    million rows for a word that stands in none.
    """
    some = list(rows.order_by().values_list(by, take)[:MANY])
    if len(some) < MANY:
        found = [value for _, value in sorted(some, key=lambda each: each[0], reverse=True)]
    else:
        found = list(rows.order_by(f"-{by}").values_list(take, flat=True)[: limit * 4])
    return list(dict.fromkeys(found))[:limit]
