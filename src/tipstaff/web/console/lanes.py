"""The history of one address as a picture: a lane for each holding and each row of a log, the asked window over all.

Drawn as SVG on the server, once for a wide page and once for a phone. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tipstaff.words import PUBLIC, Attribution, Binding, Gap, Holding, HoldingKind, Identity, Site, Tier

LANES_MAX = 30
_ORDER = (Tier.OPERATOR, Tier.RESELLER, Tier.CUSTOMER)
LANE, TOP, FOOT, LETTER, TICK = 38, 22, 24, 6.6, 80
"""User units: a lane with its label, the room above and below all lanes, the width of a letter and of an instant."""
_STEPS = [
    timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 180, 360, 720, 1440, 2880, 10080, 43200, 129600, 525600, 2628000)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row that speaks of the address, as the table shows it and a lane draws it."""

    word: str
    """`registry`, the name of a log's source, `site`, `not read` or `after a gap`."""
    what: str
    ports: str
    customer: str = ""
    named: str = ""
    """What the row itself names, where that is no customer: a log-in, an inside address, the operator."""
    service: str = ""
    since: datetime | None
    until: datetime | None
    sure: tuple[datetime, datetime | None] | None = None
    """When it surely was so; None where no instant is sure."""
    shown_by: str
    proves: bool
    tone: str

    @property
    def whose(self) -> str:
        return " · ".join(filter(None, (self.named, self.customer)))

    @property
    def lane(self) -> tuple[str, str, str, str]:
        return self.word, self.what, self.ports, self.whose

    @property
    def label(self) -> str:
        ports = "" if self.ports == "all" else f" ports {self.ports}"
        return f"{self.word}: {self.what}{ports}" + (f" → {self.whose}" if self.whose else "")


def rows_of(
    *,
    holdings: Iterable[Holding],
    bindings: Iterable[Binding],
    identities: Sequence[Identity],
    gaps: Iterable[Gap],
    sites: Iterable[Site],
    answer: Attribution,
) -> list[Row]:
    """The rows in the order of the walk: sites, the registry, the logs, and when no log was read, or something that
    began then may last."""
    rows = [
        Row(
            word="site", what=s.host_name, ports="all", customer=s.customer, named=str(s.address),
            service=s.service or "", since=s.since, until=s.until, sure=(s.since, s.until), shown_by="registry",
            proves=s in answer.sites, tone=_tone(s.customer, answer),
        )
        for s in sites
    ]  # fmt: skip
    rows += [
        Row(
            word="registry", what=str(h.prefix), ports=f"{h.port_first}–{h.port_last}" if h.shared else "all",
            customer=h.customer or "",
            named="" if h.customer else "the operator's pool" if h.kind is HoldingKind.POOL else "the operator",
            service=h.service or "", since=h.held_from, until=h.held_until, sure=(h.held_from, h.held_until),
            shown_by=h.source, proves=h in answer.proof,
            tone="grey" if h.tier is Tier.OPERATOR else _tone(h.customer, answer),
        )
        for h in sorted(holdings, key=lambda h: (_ORDER.index(h.tier), h.held_from, h.port_first))
    ]  # fmt: skip
    for b in bindings:
        known = [
            i for i in identities if b.subject_kind and (i.kind, i.value) == (b.subject_kind, b.subject)
            and i.in_logs_of(b.source) and _meet(i, b)
        ]  # fmt: skip
        customers = list(dict.fromkeys(i.customer for i in known))
        services = {i.service for i in known}
        rows.append(
            Row(
                word=b.source + (f" ({b.realm})" if b.realm != PUBLIC else ""), what=str(b.prefix),
                ports=f"{b.port_first}–{b.port_last}" if b.shared else "all", customer=" or ".join(customers),
                named=b.subject or (f"{b.inside}" + (f" ({b.inside_realm})" if b.inside_realm else "")),
                service=services.pop() or "" if len(services) == 1 else "", since=b.possible_from,
                until=b.possible_until, sure=(b.sure_from, b.sure_until) if b.sure_from < b.sure_until else None,
                shown_by=f"{b.file}:{b.offset}", proves=b in answer.bindings,
                tone="violet" if b.inside is not None
                else "amber" if len(customers) != 1 else _tone(customers[0], answer),
            )
        )  # fmt: skip
    rows += [
        Row(word="after a gap" if lasting else "not read",
            what="what began unseen may last" if lasting else "no log of this neighbourhood", ports="all", since=since,
            until=until, sure=None, shown_by="", proves=False, tone="amber" if lasting else "red")
        for since, until, lasting in dict.fromkeys((g.since, g.until, g.lasting) for g in gaps)
    ]  # fmt: skip
    return rows


def rows_on_record(detail: Mapping[str, object]) -> list[Row]:
    """What proved an attribution, as the entry `incident.judged` keeps it; nothing that the registry says since."""
    named = {detail.get("customer"), detail.get("downstream")} - {None, ""}

    def rows(of: str) -> Iterable[Mapping[str, Any]]:
        kept = detail.get(of)  # Entries older than a kind of row have none of it.
        return (row for row in kept if isinstance(row, Mapping)) if isinstance(kept, list | tuple) else ()

    def tone(row: Mapping[str, Any], otherwise: str) -> str:
        return "green" if row.get("customer") in named else otherwise

    found = []
    for row in rows("sites"):
        since, until = _instant(row.get("from")), _instant(row.get("until"))
        found.append(Row(
            word="site", what=_said(row, "host_name"), ports="all", customer=_said(row, "customer"),
            named=_said(row, "address"), service=_said(row, "service"), since=since, until=until,
            sure=(since, until) if since else None, shown_by="registry", proves=True, tone=tone(row, "blue"),
        ))  # fmt: skip
    for row in rows("proof"):
        since, until, tier = _instant(row.get("from")), _instant(row.get("until")), _said(row, "tier")
        found.append(Row(
            word="registry", what=_said(row, "prefix"), ports=_ports(row), customer=_said(row, "customer"),
            named="" if row.get("customer") else "the operator", since=since, until=until,
            sure=(since, until) if since else None, proves=True,
            shown_by=" ".join(filter(None, (_said(row, "source"), tier, _said(row, "kind").replace("_", " ")))),
            tone=tone(row, "grey" if tier == Tier.OPERATOR else "blue"),
        ))  # fmt: skip
    for row in rows("logs"):
        (since, until), (sure_from, sure_until) = span_kept(row.get("possible")), span_kept(row.get("sure"))
        realm = _said(row, "realm")
        found.append(Row(
            word=_said(row, "source") + (f" ({realm})" if realm not in ("", PUBLIC) else ""),
            what=_said(row, "prefix"), ports=_ports(row), named=_said(row, "subject") or _said(row, "inside"),
            since=since, until=until, proves=True, tone="violet" if row.get("inside") else "amber",
            sure=(sure_from, sure_until) if sure_from and sure_until and sure_from < sure_until else None,
            shown_by=f"{_said(row, 'file')}:{_said(row, 'offset')}",
        ))  # fmt: skip
    return found


def _said(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    return "" if value is None else str(value)


def _ports(row: Mapping[str, Any]) -> str:
    first, last = _two(row.get("ports"))
    return "all" if first is None or (first, last) == (0, 65535) else f"{first}–{last}"


def _two(pair: object) -> tuple[Any, Any]:
    return (pair[0], pair[1]) if isinstance(pair, list | tuple) and len(pair) == 2 else (None, None)


def span_kept(pair: object) -> tuple[datetime | None, datetime | None]:
    """Two instants as the record keeps them."""
    since, until = _two(pair)
    return _instant(since), _instant(until)


def _instant(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


def moved(at: datetime, by: timedelta) -> datetime:
    """`at + by`, or `at` where no calendar goes so far."""
    try:
        return at + by
    except OverflowError:
        return at


def _meet(identity: Identity, binding: Binding) -> bool:
    return (identity.until is None or identity.until > binding.possible_from) and (
        identity.since is None or binding.possible_until is None or identity.since < binding.possible_until
    )


def _tone(customer: str | None, answer: Attribution) -> str:
    return "green" if customer is not None and customer in (answer.customer, answer.downstream) else "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    x: float
    width: float
    tone: str
    sure: bool
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    label: str
    y: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What the template draws, in user units."""

    width: int
    height: int
    floor: int
    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, str], ...]
    asked_x: float
    asked_width: float
    asked_label_x: float
    asked_anchor: str


def picture(
    rows: Sequence[Row], *, begin: datetime, end: datetime, earliest: datetime, latest: datetime, width: int
) -> Picture:
    """The lanes between `begin` and `end`, with the asked window [earliest, latest] marked."""
    length = (end - begin).total_seconds()

    def place(at: datetime | None, *, open_end: float) -> float:
        if at is None:
            return open_end
        return round(min(max((at - begin).total_seconds() / length, 0), 1) * width, 1)

    def bar(row: Row, since: datetime | None, until: datetime | None, *, sure: bool) -> Bar:
        x = place(since, open_end=0)
        span = max(place(until, open_end=width) - x, 2)
        return Bar(
            x=min(x, width - 2), width=span, tone=row.tone, sure=sure, says=f"{row.label}, {_span(since, until)}"
        )

    grouped: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.lane, []).append(row)
    lanes = []
    for number, found in enumerate(list(grouped.values())[:LANES_MAX]):
        bars = [bar(r, r.since, r.until, sure=False) for r in found if r.sure != (r.since, r.until)]
        bars += [bar(r, *r.sure, sure=True) for r in found if r.sure is not None]
        label, letters = found[0].label, int(width / LETTER)
        label = label if len(label) <= letters else f"{label[: letters - 1]}…"
        lanes.append(Lane(label=label, y=TOP + number * LANE, bars=tuple(bars)))
    floor = TOP + len(lanes) * LANE
    x = place(earliest, open_end=0)
    right = x > width / 2
    asked = max(place(latest, open_end=width) - x, 2)
    return Picture(
        width=width, height=floor + FOOT, floor=floor, lanes=tuple(lanes),
        ticks=tuple(_ticks(begin, end, width=width)), asked_x=x, asked_width=asked,
        asked_label_x=x + asked if right else x, asked_anchor="end" if right else "start",
    )  # fmt: skip


def _ticks(begin: datetime, end: datetime, *, width: int) -> Iterable[tuple[float, str]]:
    """Round instants, as many as have room."""
    most = max(2, width // (TICK + 20))
    step = next((s for s in _STEPS if (end - begin) / s <= most), _STEPS[-1])
    form = "%Y-%m-%d" if step >= timedelta(days=1) else "%m-%d %H:%M"
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + step * ((begin - midnight) // step + 1)
    while at < end:
        x = round((at - begin) / (end - begin) * width, 1)
        if x < width - TICK:
            yield x, f"{at:{form}}"
        at += step


def _span(since: datetime | None, until: datetime | None) -> str:
    begins = f"since {since:%Y-%m-%d %H:%M:%S} " if since else ""
    ends = f"until {until:%Y-%m-%d %H:%M:%S} " if until else ""
    return f"{begins}{ends}UTC" if begins or ends else "always"
