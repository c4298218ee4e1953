"""Reads of sightings."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from django.db.models import QuerySet

from tipstaff.host import viewing
from tipstaff.host.among import among
from tipstaff.host.newest import newest
from tipstaff.words import Disposition, Measured, Retest

from .models import LEFT, RetestRow, SightingRow
from .rows import measured_of, retest_of

seen = partial(viewing.seen, of=viewing.SIGHTINGS)


def get_measured(key: str) -> Measured | None:
    """One sighting by its key, `S-000123`."""
    row = seen(SightingRow.objects.filter(key=key)).first()
    return measured_of(row) if row else None


def is_known(sensor: str, id: str) -> bool:
    """Whether a sensor has named something so before."""
    return SightingRow.objects.filter(sensor=sensor, name=id).exists()


def closed_sightings(cases: Collection[str]) -> set[str]:
    """Keys of all sightings that joined these cases."""
    return set(among(SightingRow.objects.order_by(), "case", cases).values_list("key", flat=True)) if cases else set()


def measured_of_case(case: str) -> list[Measured]:
    """Every sighting that joined the case, oldest first."""
    return [measured_of(row) for row in seen(SightingRow.objects.filter(case=case)).order_by("id")]


def unjudged(*, limit: int, before: datetime | None = None) -> list[str]:
    """Keys of sightings that wait for the judge, oldest first; with `before` those that were received before then."""
    rows = SightingRow.objects.filter(disposition=None).order_by("id")
    if before is not None:
        rows = rows.filter(received_at__lt=before)
    return list(rows.values_list("key", flat=True)[:limit])


def newest_of_account(account: str, kind: str, *, since: datetime) -> Measured | None:
    """The newest sighting of this kind that names the customer, measured since then."""
    rows = SightingRow.objects.filter(account=account, kind=kind, moment_at__gte=since)
    row = rows.order_by("-moment_at", "-id").first()
    return measured_of(row) if row else None


def left_to_people(*, limit: int = 100) -> list[Measured]:
    """Sightings that wait for a person's decision and have no case to wait in, oldest first."""
    return [measured_of(row) for row in seen(SightingRow.objects.filter(LEFT)).order_by("id")[:limit]]


def count_left() -> int:
    """How many of those there are."""
    return seen(SightingRow.objects.filter(LEFT)).count()


def measured_at(
    source: IPv4Address | IPv6Address, *, earliest: datetime, latest: datetime, limit: int = 200
) -> list[Measured]:
    """What was measured of an address within [earliest, latest], the newest `limit`; a sighting's own error is left to
    the caller."""
    rows = SightingRow.objects.filter(source=str(source), moment_at__gte=earliest, moment_at__lte=latest)
    return [measured_of(row) for row in rows.order_by("-moment_at")[:limit]]


def measured_of_any(sources: Collection[IPv4Address | IPv6Address]) -> set[IPv4Address | IPv6Address]:
    """Those of the addresses of which anything was ever measured."""
    rows = SightingRow.objects.filter(source__in=[str(source) for source in sources])
    return {ip_address(found) for found in rows.values_list("source", flat=True).distinct() if found}


def list_measured(
    *,
    dispositions: Sequence[Disposition] = (),
    waiting: bool = False,
    search: str = "",
    limit: int = 100,
    before: str | None = None,
) -> list[Measured]:
    """Newest first; with `waiting` those that wait for the judge. `search` is a key, an address, a kind or a sensor.

    `before` is the last key of the page before.
    """
    rows: QuerySet[SightingRow] = seen(SightingRow.objects.order_by("-id"))
    if before is not None:
        rows = rows.filter(id__lt=SightingRow.objects.filter(key=before).values_list("id", flat=True).first() or 0)
    if waiting:
        rows = rows.filter(disposition=None)
    elif dispositions:
        rows = rows.filter(disposition__in=[str(each) for each in dispositions])
    if search := search.replace("\x00", "").strip():
        found: QuerySet[SightingRow] = rows.none()
        for column in ("key", "source", "kind", "sensor", "case"):
            if column != "source" or _is_address(search):
                found |= rows.filter(**{column: search})
        rows = found
    return [measured_of(row) for row in rows[:limit]]


def find_sources(network: IPv4Network | IPv6Network, *, limit: int) -> list[Measured]:
    """The newest sightings of an address inside of `network`."""
    rows = seen(SightingRow.objects.filter(source__range=(str(network[0]), str(network[-1]))))
    ids = newest(rows, "id", take="id", limit=limit)
    return [measured_of(row) for row in SightingRow.objects.filter(id__in=ids).order_by("-id")]


def count_by_disposition(*, most: int | None = None) -> dict[Disposition | None, int]:
    """How many sightings became what, counted no further than `most`; None for those that wait. What none became is
    left out."""
    rows = seen(SightingRow.objects.all())
    counts = {became: rows.filter(disposition=became).values("pk")[:most].count() for became in (None, *Disposition)}
    return {became: n for became, n in counts.items() if n}


def retests_of_case(case: str) -> list[Retest]:
    """Every look that was asked for before the case closes, oldest first."""
    return [retest_of(row) for row in RetestRow.objects.filter(case=case).order_by("id")]


def list_retests(*, limit: int = 100) -> list[Retest]:
    """The newest looks, of all cases."""
    return [retest_of(row) for row in RetestRow.objects.order_by("-id")[:limit]]


def retests_sent_since(at: datetime) -> int:
    """How many looks were begun since then."""
    return RetestRow.objects.filter(sent_at__gte=at).count()


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
