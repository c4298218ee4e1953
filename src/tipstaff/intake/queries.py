"""Reads of the intake room."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import connection
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import TruncHour

from tipstaff.host import viewing
from tipstaff.host.among import among, none_of, text_of
from tipstaff.host.newest import newest
from tipstaff.host.viewing import is_hidden
from tipstaff.words import Allegation, Channel, Incident, Report, ReportOutcome

from .models import FetchedRow, IncidentRow, ReportRow
from .rows import (
    incident_of,
    labels_from_the_right,
    plain_address,
    report_of,
    report_with,
    storable,
    storable_allegation,
)
from .teller import KEYS, Teller, domains_above

seen = partial(viewing.seen, of=viewing.REPORTS)

SHOWN_IN_LISTS = 20
"""Incidents that a list carries with each report; `incident_total` tells how many there are."""

SAME_EVENT_WITHIN = timedelta(hours=1)
"""The same type, source and port within an hour, told by the same reporter, is one event told twice."""

_REPORT_KEY = re.compile(r"(R-\d{6,})(?:\.\d+)?", re.IGNORECASE)
_CASE_KEY = re.compile(r"C-\d{6,}", re.IGNORECASE)


def get_report(key: str, *, incidents: Sequence[Incident] | None = None) -> Report | None:
    """The report with all its incidents, or with these where the caller holds them already."""
    row = seen(ReportRow.objects.filter(key=key)).first()
    if row is None or incidents is None:
        return _whole(row)
    return report_with(row, incidents=tuple(incidents))


def report_of_evidence(digest: str) -> Report | None:
    """The report that these bytes opened."""
    return _whole(seen(ReportRow.objects.filter(evidence=digest)).first())


def reports_of_evidences(digests: Collection[str]) -> dict[str, str]:
    """Digest -> key of the report that these bytes opened."""
    return dict(seen(ReportRow.objects.filter(evidence__in=list(digests))).values_list("evidence", "key"))


def get_incident(key: str) -> Incident | None:
    """One incident by its key, `R-000001.2`."""
    report_key, _, n = key.rpartition(".")
    if not n.isdecimal() or is_hidden(report_key):
        return None
    row = IncidentRow.objects.filter(report__key=report_key, n=int(n)).first()
    return incident_of(row, report_key=report_key) if row else None


def incidents_with(outcome: ReportOutcome, *, case: str, among: Collection[str]) -> list[str]:
    """Those of these incidents of a case that have come to this outcome, in the order in which they came."""
    reports = {key.rpartition(".")[0] for key in among}
    rows = _open_incidents().filter(case=case, report__key__in=reports, outcome=outcome).order_by("report_id", "n")
    found = (f"{report}.{n}" for report, n in rows.values_list("report__key", "n").iterator())
    return [key for key in found if key in among]


def what_was_named(keys: Sequence[str]) -> dict[str, tuple[str | None, str | None, str | None]]:
    """URL, host name and target of each of these incidents; those that are gone are left out."""
    reports = {key.rpartition(".")[0] for key in keys}
    rows = IncidentRow.objects.filter(report__key__in=reports).values_list("report__key", "n", "url", "domain", "rest")
    return {f"{report}.{n}": (url, domain, rest.get("target")) for report, n, url, domain, rest in rows.iterator()}


def offenders_of_case(case: str) -> dict[str, str]:
    """What each incident of a case is about, as `Allegation.offender` says it: many of them quickly."""
    rows = _open_incidents().filter(case=case).values_list("report__key", "n", "url", "source", "domain")
    return {
        f"{report}.{n}": url or (str(ip_address(source)) if source else None) or domain or ""
        for report, n, url, source, domain in rows.iterator()
    }


def reports_of_case(case: str, *, numbers: Sequence[int] | None = None) -> list[Report]:
    """Every report that joined the case, oldest first, each with those of its incidents that joined it, and no others;
    with `numbers` only these.

    The others may be about another customer, so nothing that is written to this one may draw on them.
    """
    joined: dict[int, list[IncidentRow]] = {}
    rows_of_case = _open_incidents().filter(case=case)
    if numbers is not None:
        rows_of_case = rows_of_case.filter(report__in=numbers)
    for incident in rows_of_case.order_by("report_id", "n").iterator():
        joined.setdefault(incident.report_id, []).append(incident)
    rows = ReportRow.objects.in_bulk(joined)
    totals = _totals(list(joined))
    return [report_of(rows[id], incidents=joined[id], total=totals[id]) for id in sorted(joined)]


def numbers_of_case(case: str) -> list[int]:
    """The reports that joined the case, oldest first, by their numbers: `reports_of_case` of some of them."""
    ids = _open_incidents().filter(case=case).order_by("report_id").values_list("report_id", flat=True)
    return list(dict.fromkeys(ids.iterator()))


def _open_incidents() -> QuerySet[IncidentRow]:
    """Without those of reports that are left out now."""
    left_out = viewing.once("reports by number", lambda: text_of(_left_out()))
    rows = IncidentRow.objects.all()
    return none_of(rows, "report", left_out, kind="bigint") if left_out else rows


def _left_out() -> dict[int, str]:
    """Number -> outcome of each report that is left out now."""
    keys = viewing.hidden_of(viewing.REPORTS).split()
    rows = among(ReportRow.objects.order_by(), "key", keys).values_list("id", "outcome")
    return viewing.once("reports", lambda: dict(rows)) if keys else {}


def _unsealed() -> tuple[QuerySet[ReportRow], QuerySet[IncidentRow]]:
    """All reports and incidents without what is left out now, and without what is sealed."""
    # The few that are sealed are found by their index once; a join would read the report of every incident that fits.
    sealed = ReportRow.objects.filter(outcome=ReportOutcome.SEALED).values("id")
    reports = seen(ReportRow.objects.exclude(outcome=ReportOutcome.SEALED))
    return reports, _open_incidents().exclude(report__in=sealed)


def list_reports(
    *,
    outcome: ReportOutcome | None = None,
    search: str = "",
    limit: int = 100,
    sealed: bool = True,
    before: str | None = None,
) -> list[Report]:
    """Newest first. `search` is a key, an address or network, a host name, a sender, or a reporter's reference.

    Without `sealed`, what is in the sealed queue is left out. `before` is the last key of the page before.
    """
    rows: QuerySet[ReportRow] = seen(ReportRow.objects.order_by("-id"))
    end = ReportRow.objects.filter(key=before).values_list("id", flat=True).first() if before is not None else None
    if before is not None:
        rows = rows.filter(id__lt=end or 0)
    if not sealed:
        rows = rows.exclude(outcome=ReportOutcome.SEALED)
    if outcome is not None:
        rows = rows.filter(outcome=outcome)
    search = storable(search).strip()
    if search:
        rows = rows.filter(id__in=_found(search, outcome=outcome, limit=limit, sealed=sealed, before=end))
    return _listed(rows[:limit])


def sealed_among(keys: Collection[str]) -> set[str]:
    """Which of these reports are in the sealed queue."""
    rows = ReportRow.objects.filter(key__in=list(keys), outcome=ReportOutcome.SEALED)
    return set(rows.values_list("key", flat=True)) if keys else set()


def closed_reports(cases: Collection[str], *, sealed: bool) -> dict[str, str]:
    """Key -> digest of its evidence of each report with an incident in these cases; with `sealed` of every sealed one.

    Whatever else such a report tells of: its bytes tell of this too.
    """
    rows = ReportRow.objects.values_list("key", "evidence")
    ids = among(IncidentRow.objects.order_by(), "case", cases).values_list("report_id", flat=True)
    found = dict(among(rows, "id", ids, kind="bigint")) if cases else {}
    if sealed:
        found.update(rows.filter(outcome=ReportOutcome.SEALED))
    return found


def count_by_outcome(
    outcomes: Collection[ReportOutcome] = tuple(ReportOutcome), *, most: int | None = None
) -> dict[ReportOutcome, int]:
    """How many reports have each of these outcomes, counted no further than `most`; those without any are left out."""
    question = """
        SELECT o.outcome, c.n FROM unnest(%s::text[]) o(outcome) CROSS JOIN LATERAL (
            SELECT count(*) FROM (SELECT FROM intake_reportrow r WHERE r.outcome = o.outcome LIMIT %s) few
        ) c(n) WHERE c.n > 0
    """
    # What is left out is taken away afterwards: a look at each key would read the rows, where the index does.
    less = Counter(_left_out().values())
    far = None if most is None else most + sum(less.values())
    with connection.cursor() as cursor:
        cursor.execute(question, [sorted(str(outcome) for outcome in outcomes), far])
        found = {ReportOutcome(outcome): n - less.get(outcome, 0) for outcome, n in cursor.fetchall()}
    return {outcome: n if most is None else min(n, most) for outcome, n in found.items() if n > 0}


def count_by_hour(*, since: datetime, until: datetime) -> dict[datetime, int]:
    """How many reports came in each hour (UTC, by its beginning) of [since, until); hours without any are left out.

    Sealed ones do not count: a number on a page that everybody reads would tell of them.
    """
    rows = seen(ReportRow.objects.filter(received_at__gte=since, received_at__lt=until))
    rows = rows.exclude(outcome=ReportOutcome.SEALED)
    hours = rows.annotate(hour=TruncHour("received_at", tzinfo=UTC)).values_list("hour").order_by()
    return dict(hours.annotate(n=Count("id")))


def unread(*, limit: int, before: datetime | None = None) -> list[str]:
    """Keys of reports that no reader has read yet, oldest first. A sealed report is never among them."""
    rows = seen(ReportRow.objects.filter(read_at__isnull=True)).order_by("id")
    if before is not None:
        rows = rows.filter(received_at__lt=before)
    return list(rows.values_list("key", flat=True)[:limit])


def same_event(
    allegation: Allegation,
    *,
    received_at: datetime,
    within: timedelta,
    before: str | None = None,
    teller: Teller | None = None,
    in_a_case: bool = False,
) -> str | None:
    """Key of the earliest incident that tells of the same event, or None.

    The same event is the same type, source, port, URL and host name, with times stated at most `within` apart; where
    either states no time, received at most `within` apart. `before` is the incident that asks: only incidents put on
    record before it are looked at, so that the first of two is never a duplicate of the second. With `teller` or
    `in_a_case`, only what the same told, or what joined a case.
    """
    allegation = storable_allegation(allegation)
    rows = IncidentRow.objects.filter(
        type=allegation.type,
        source=plain_address(allegation.source) if allegation.source else None,
        source_port=allegation.source_port,
        url=allegation.url,
        domain=allegation.domain,
    )
    if before is not None:
        report_key, _, n = before.rpartition(".")
        own = IncidentRow.objects.filter(report__key=report_key, n=int(n)).values_list("id", flat=True).first()
        rows = rows.filter(id__lt=own) if own is not None else rows
    if teller is not None:
        rows = rows.filter(teller.told())
    if in_a_case:
        rows = rows.filter(case__isnull=False)
    # Two questions, because each has its own index; an OR of them would have none.
    received_nearby = rows.filter(received_at__range=(received_at - within, received_at + within))
    if allegation.moment is None:
        nearby = [received_nearby]
    else:
        at = allegation.moment.at
        happened_nearby = rows.filter(moment_at__range=(_shift(at, -within), _shift(at, within)))
        nearby = [happened_nearby, received_nearby.filter(moment_at__isnull=True)]
    fields = ("received_at", "id", "report__key", "n")
    firsts = [rows.order_by("received_at", "id").values_list(*fields).first() for rows in nearby]
    found = [first for first in firsts if first is not None]
    if not found:
        return None
    _, _, earlier_report, earlier_n = min(found)
    return f"{earlier_report}.{earlier_n}"


def undecided(report: str, *, numbers: Sequence[int]) -> set[int]:
    """Which of these incidents of a report nobody has said anything of yet."""
    if not numbers:
        return set()
    # A lot is a stretch of numbers: a list of a thousand would be a thousand parameters.
    stretch = (min(numbers), max(numbers))
    rows = IncidentRow.objects.filter(report__key=report, n__range=stretch, outcome=str(ReportOutcome.RECEIVED))
    return set(numbers).intersection(rows.values_list("n", flat=True))


def report_just_read(key: str, *, incidents: Sequence[Incident]) -> Report | None:
    """A report with the incidents that were stored a moment ago, which are not read again."""
    return get_report(key, incidents=incidents)


def as_they_stand(report: Report) -> Report | None:
    """The report with what became of its incidents since it was read; nothing else of them ever changes."""
    rows = IncidentRow.objects.filter(report__key=report.key).values_list("n", "outcome", "reason", "case")
    now = {f"{report.key}.{n}": (outcome, reason, case) for n, outcome, reason, case in rows.iterator()}
    if now.keys() != {i.key for i in report.incidents}:
        return get_report(report.key)  # A person replaced the reading.
    fresh = []
    for incident in report.incidents:
        outcome, reason, case = now[incident.key]
        if (incident.outcome, incident.reason, incident.case) != (outcome, reason, case):
            incident = replace(incident, outcome=ReportOutcome(outcome), reason=reason, case=case)
        fresh.append(incident)
    return get_report(report.key, incidents=fresh)


def places_of(report: str) -> dict[int, int]:
    """The place on record of each incident of a report, by its number: what came earlier has a lower one."""
    return dict(IncidentRow.objects.filter(report__key=report).values_list("n", "id").iterator())


@dataclass(frozen=True, slots=True)
class Telling:
    """An incident that is in a case."""

    key: str
    case: str
    received_at: datetime
    place: int


def told_elsewhere(
    report: str, incidents: Sequence[Incident], *, received_at: datetime, teller: Teller
) -> dict[int, Telling]:
    """`same_event` by that teller and in a case, for many incidents of one report, by their numbers.

    Only what other reports told is looked at.
    """
    if not incidents:
        return {}
    columns: list[list[Any]] = [[] for _ in range(8)]
    for incident in incidents:
        allegation = storable_allegation(incident.allegation)
        at = allegation.moment.at if allegation.moment else None
        row = (
            int(incident.key.rpartition(".")[2]),
            allegation.type,
            plain_address(allegation.source) if allegation.source else None,
            allegation.source_port,
            allegation.url,
            allegation.domain,
            _shift(at, -SAME_EVENT_WITHIN) if at else None,
            _shift(at, SAME_EVENT_WITHIN) if at else None,
        )
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    # Each way of being the same and near has its own index; an OR of them would have none.
    same = ["i.source = w.source AND i.url IS NOT DISTINCT FROM w.url AND i.domain IS NOT DISTINCT FROM w.domain"]
    if None in columns[2]:
        no_source = "w.source IS NULL AND i.source IS NULL AND"
        same.append(f"{no_source} i.url = w.url AND i.domain IS NOT DISTINCT FROM w.domain")
        same.append(f"{no_source} w.url IS NULL AND i.url IS NULL AND i.domain = w.domain")
    received = "i.received_at BETWEEN %s AND %s"
    near = ["i.moment_at BETWEEN w.since AND w.until", f"w.since IS NOT NULL AND i.moment_at IS NULL AND {received}"]
    if None in columns[6]:
        near.append(f"w.since IS NULL AND {received}")
    found = " UNION ALL ".join(
        f"""
        SELECT w.n AS asked, i.received_at, i.id, i.n, i."case", i.report_id FROM w
        JOIN intake_incidentrow i ON {how} AND {when} AND i.type = w.type
            AND i.source_port IS NOT DISTINCT FROM w.port
        WHERE i."case" IS NOT NULL
        """  # noqa: S608 - only this function's own words; every value is a parameter
        for how in same
        for when in near
    )
    within = [received_at - SAME_EVENT_WITHIN, received_at + SAME_EVENT_WITHIN]
    the_same, named = teller.sql()
    question = f"""
        WITH w AS MATERIALIZED (
            SELECT * FROM unnest(%s::int[], %s::text[], %s::inet[], %s::int[], %s::text[], %s::text[],
                %s::timestamptz[], %s::timestamptz[]) w(n, type, source, port, url, domain, since, until)
        )
        SELECT DISTINCT ON (f.asked) f.asked, r.key, f.n, f."case", f.received_at, f.id FROM ({found}) f
        JOIN intake_reportrow r ON r.id = f.report_id
        JOIN intake_reportrow own ON own.key = %s
        JOIN intake_incidentrow o ON o.report_id = own.id AND o.n = f.asked
        WHERE f.id < o.id AND r.id <> own.id AND {the_same}
        ORDER BY f.asked, f.received_at, f.id
    """  # noqa: S608 - as above
    with connection.cursor() as cursor:
        cursor.execute(question, [*columns, *within * found.count(received), report, *named])
        return {
            asked: Telling(f"{key}.{n}", case, received, place)
            for asked, key, n, case, received, place in cursor.fetchall()
        }


@dataclass(frozen=True, slots=True)
class Fetching:
    """How it stands with one feed or mailbox."""

    name: str
    state: dict[str, Any]
    looked_at: datetime | None
    failures: int
    trouble: str
    next_at: datetime | None


def fetching(name: str) -> Fetching:
    """What is known of a feed or mailbox; nothing seen where it was never looked at."""
    row = FetchedRow.objects.filter(name=name).first()
    if row is None:
        return Fetching(name, {}, None, 0, "", None)
    return Fetching(name, row.state, row.looked_at, row.failures, row.trouble, row.next_at)


@dataclass(frozen=True, slots=True)
class Yield:
    """How much of a reporter's mail was understood, before and of late."""

    reporter: str
    """The domain that it came from."""
    mails_before: int
    understood_before: int
    mails_lately: int
    understood_lately: int


YIELD_MAILS_MIN = 3
"""Of late; fewer say nothing."""


def yields_dropped(
    *, at: datetime, lately: timedelta = timedelta(days=7), before: timedelta = timedelta(days=60)
) -> list[Yield]:
    """Reporters of whose mail four fifths were understood, and of late not even half: their form has changed."""
    question = """
        SELECT domain, count(*) FILTER (WHERE old), count(*) FILTER (WHERE old AND ok),
               count(*) FILTER (WHERE NOT old), count(*) FILTER (WHERE NOT old AND ok)
        FROM (
            SELECT lower(split_part(coalesce(nullif(reporter_address, ''), sender), '@', 2)) AS domain,
                   received_at < %s AS old,
                   reading_outcome = 'complaint' AND reading_reason = 'UNDERSTOOD' AS ok
            FROM intake_reportrow
            WHERE received_at >= %s AND received_at <= %s AND read_at IS NOT NULL AND reading_outcome <> 'sealed'
        ) AS mails
        WHERE domain <> '' GROUP BY domain
        HAVING count(*) FILTER (WHERE old) >= 5 AND count(*) FILTER (WHERE NOT old) >= %s
           AND count(*) FILTER (WHERE old AND ok) >= 0.8 * count(*) FILTER (WHERE old)
           AND count(*) FILTER (WHERE NOT old AND ok) < 0.5 * count(*) FILTER (WHERE NOT old)
        ORDER BY domain
    """
    with connection.cursor() as cursor:
        cursor.execute(question, [at - lately, at - lately - before, at, YIELD_MAILS_MIN])
        return [Yield(*row) for row in cursor.fetchall()]


def count_unread(*, most: int) -> int:
    """How many reports wait to be read; it counts no further than `most`."""
    return ReportRow.objects.filter(read_at__isnull=True).values("id")[:most].count()


def count_from_peer(peer: str, *, channel: Channel, since: datetime) -> int:
    """How many reports came this way from one address since then."""
    return ReportRow.objects.filter(received_at__gte=since, channel=channel, peer=peer).count()


def origin_of(key: str) -> tuple[str, bool | None, bool]:
    """(the address that handed a report over, whether its sender is vouched for, whether that was looked at)."""
    row = ReportRow.objects.filter(key=key).values_list("peer", "authenticated", "authentication").first()
    return (row[0], row[1], bool(row[2])) if row else ("", None, False)


def teller_of(report: Report) -> Teller:
    """Who told a report, as far as the way by which it came shows it."""
    row = ReportRow.objects.filter(key=report.key).values_list("authenticated", "authentication").first()
    vouched, found = row if row else (None, {})
    return Teller(
        report=report.key, address=(report.reading.reporter.address if report.reading else "") or report.sender,
        by=found.get("by", ""), vouched=vouched, domain=found.get("domain", ""), channel=report.channel,
    )  # fmt: skip


RECORD_LASTS = timedelta(days=400)
"""What a reporter sent longer ago speaks neither for nor against them."""


def reporter_record(address: str, *, before: datetime, by: str = "") -> tuple[int, int]:
    """(upheld, overturned): reports of this reporter that led to an end or a measure, and that a person refused.

    Only what they are known to have told: a mail that was never checked, or that the address's own domain vouches for;
    with `by`, what was handed in under that key. What came by the form, or somebody sent in their name, counts for
    neither.
    """
    if not address:
        return 0, 0
    known = Q(authentication={}) | Q(authenticated=True, authentication__domain__in=domains_above(address))
    rows = ReportRow.objects.filter(
        Q(authentication__by=by) if by else known,
        reporter_address=address, received_at__range=(before - RECORD_LASTS, before), outcome__in=_UPHELD | _OVERTURNED,
    ).exclude(channel=Channel.WEB)  # fmt: skip
    counts = dict(rows.order_by("outcome").values_list("outcome").annotate(n=Count("id")))
    return sum(counts.get(x, 0) for x in _UPHELD), sum(counts.get(x, 0) for x in _OVERTURNED)


_UPHELD = frozenset({ReportOutcome.FIXED, ReportOutcome.MEASURE_TAKEN})
_OVERTURNED = frozenset({ReportOutcome.NOT_UPHELD})


def _in_its_domain(row: str) -> str:
    """Whether a report came by a way that shows its address, and not under the From domain of somebody else."""
    address = f"split_part(lower({row}.reporter_address), '@', 2)"
    domain = f"lower({row}.authentication->>'domain')"
    return f"""(
        {row}.channel <> 'web' AND {row}.authenticated IS NOT FALSE AND ({row}.authentication = '{{}}'::jsonb OR (
            {domain} <> '' AND ({address} = {domain} OR right({address}, length({domain}) + 1) = '.' || {domain}))))"""


def count_unproven(*, cases: Sequence[str], since: datetime, until: datetime) -> tuple[int, int]:
    """(reports, those disowned by their domain) that joined these cases in the time, by senders without a record.

    A signature shows whose mail it is, not what their word is worth: a stranger's counts like any other. What came
    under a key of ours, or we fetched, is no stranger's.
    """
    question = f"""
        SELECT count(*), count(*) FILTER (WHERE r.authenticated IS FALSE)
        FROM intake_reportrow r
        WHERE r.id IN (SELECT report_id FROM intake_incidentrow WHERE "case" = ANY(%s) AND received_at >= %s)
          AND r.received_at >= %s AND r.received_at <= %s
          AND NOT coalesce(r.authentication->>'by' ^@ ANY(%s), FALSE)
          AND (r.reporter_address = '' OR {_in_its_domain("r")} IS NOT TRUE OR NOT EXISTS (
            SELECT 1 FROM intake_reportrow u
            WHERE u.reporter_address = r.reporter_address AND u.outcome = ANY(%s)
              AND u.received_at < %s AND {_in_its_domain("u")}))
    """  # noqa: S608 - only this room's own words; every value is a parameter
    upheld = [str(x) for x in sorted(_UPHELD)]
    with connection.cursor() as cursor:
        cursor.execute(question, [list(cases), since, since, until, list(KEYS), upheld, since])
        found = cursor.fetchone()
    return (found[0], found[1]) if found else (0, 0)


def _whole(row: ReportRow | None) -> Report | None:
    if row is None:
        return None
    incidents = list(row.incidents.order_by("n"))
    return report_of(row, incidents=incidents, total=len(incidents))


def _listed(rows: QuerySet[ReportRow]) -> list[Report]:
    """Reports with their first incidents: three queries, however many reports."""
    found = list(rows)
    ids = [row.id for row in found]
    shown = F("report__first_n") + SHOWN_IN_LISTS
    incidents: dict[int, list[IncidentRow]] = {}
    for incident in IncidentRow.objects.filter(report__in=ids, n__lt=shown).order_by("report_id", "n"):
        incidents.setdefault(incident.report_id, []).append(incident)
    totals = _totals(ids)
    return [report_of(row, incidents=incidents.get(row.id, []), total=totals.get(row.id, 0)) for row in found]


def _totals(ids: Sequence[int]) -> dict[int, int]:
    counts = IncidentRow.objects.filter(report__in=ids).order_by("report").values_list("report").annotate(n=Count("id"))
    return dict(counts)


def _found(
    search: str, *, outcome: ReportOutcome | None, limit: int, sealed: bool, before: int | None = None
) -> list[int]:
    """Ids of the newest `limit` reports that match; one question to one index for each thing that `search` may be."""
    if match := _REPORT_KEY.fullmatch(search):
        return list(ReportRow.objects.filter(key=match[1].upper()).values_list("id", flat=True))
    reports, incidents = (seen(ReportRow.objects.all()), _open_incidents()) if sealed else _unsealed()
    if outcome is not None:
        reports, incidents = reports.filter(outcome=outcome), incidents.filter(report__outcome=outcome)
    if before is not None:
        reports, incidents = reports.filter(id__lt=before), incidents.filter(report_id__lt=before)
    if _CASE_KEY.fullmatch(search):
        return _newest(incidents.filter(case=search.upper()), limit=limit)
    network = _network(search)
    if network is not None:
        return _newest(incidents.filter(source__range=network), limit=limit)
    found: set[int] = set()
    for field in ("sender", "reporter_address", "reporter_reference", "reporter_message_id"):
        found.update(newest(reports.filter(**{field: search}), "id", take="id", limit=limit))
    site = labels_from_the_right(search)
    if site:
        found.update(_newest(incidents.filter(Q(site=site) | Q(site__startswith=f"{site}.")), limit=limit))
    found.update(_newest(incidents.filter(url=search), limit=limit))
    return sorted(found, reverse=True)[:limit]


def find_words(text: str, *, limit: int) -> list[Report]:
    """The newest reports with all these words in their subject, or in the lines that they show; none that is sealed."""
    asked = SearchQuery(text, config="simple", search_type="websearch")
    # What may not be seen is left out first: among the newest it would take the place of what may, and so be told of.
    reports, incidents = _unsealed()
    named = reports.annotate(words=SearchVector("reporter_subject", "detail", config="simple")).filter(words=asked)
    shown = incidents.annotate(words=SearchVector("excerpt", config="simple")).filter(words=asked)
    ids = {
        *newest(named, "id", take="id", limit=limit),
        *_newest(shown, limit=limit),
    }
    return _listed(reports.filter(id__in=sorted(ids, reverse=True)[:limit]).order_by("-id"))


def cases_about(network: str, *, limit: int) -> list[str]:
    """Cases that hold an incident from an address of this network, newest first."""
    between = _network(network)
    if between is None:
        return []
    rows = seen(IncidentRow.objects.filter(source__range=between, case__isnull=False), "report__key")
    rows = rows.order_by("-report_id")
    return list(dict.fromkeys(case for case in rows.values_list("case", flat=True)[: limit * 20] if case))[:limit]


def _newest(incidents: QuerySet[IncidentRow], *, limit: int) -> list[int]:
    return newest(incidents, "report_id", take="report_id", limit=limit)


def _network(text: str) -> tuple[str, str] | None:
    """First and last address of an address or a network, as PostgreSQL's `inet` orders them; None for other text."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    return plain_address(network.network_address), plain_address(network.broadcast_address)


def _shift(at: datetime, by: timedelta) -> datetime:
    """`at + by`, held within what a datetime can say: a reporter may state the year 1 or 9999."""
    try:
        return at + by
    except OverflowError:
        return at
