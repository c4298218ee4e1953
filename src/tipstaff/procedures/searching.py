"""Search over everything that the desk may see: keys, addresses and prefixes, host names, message ids, words.

One question to one index for each thing that a text may be. What is sealed is never found, and never counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network

from tipstaff.cases import queries as cases
from tipstaff.intake import queries as intake
from tipstaff.notices import queries as notices
from tipstaff.registry import queries as registry
from tipstaff.sensors import queries as sensors
from tipstaff.words import Case, Customer, Letter, Measured, Report, ReportOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What fits, newest first in each kind."""

    cases: Sequence[Case] = ()
    reports: Sequence[Report] = ()
    letters: Sequence[Letter] = ()
    customers: Sequence[Customer] = ()
    sightings: Sequence[Measured] = ()


def find(text: str, *, limit: int, at: datetime) -> Found:
    """Everything that fits `text`, at most `limit` of each kind."""
    text = text.strip()
    if not text:
        return Found()
    network = _network(text)
    if network is not None:
        return _about(network, limit=limit, at=at)
    message = notices.letter_of_message(text if text.startswith("<") else f"<{text}>") if "@" in text else None
    reports = _merged(
        intake.list_reports(search=text, limit=limit, sealed=False), intake.find_words(text, limit=limit), limit=limit
    )
    about = dict.fromkeys(i.case for report in reports for i in report.incidents if i.case)
    found = {case.key: case for case in cases.list_cases(search=text, order="newest", limit=limit)}
    found |= {case.key: case for case in cases.find_words(text, limit=limit)}
    found |= {case.key: case for case in _cases(about, limit=limit)}
    letters = ([message] if message is not None else []) + notices.find_words(text, limit=limit)
    return Found(
        cases=sorted(found.values(), key=lambda case: (case.opened_at, case.key), reverse=True)[:limit],
        reports=reports,
        letters=list({letter.key: letter for letter in letters}.values())[:limit],
        customers=registry.list_customers(search=text, limit=limit),
    )


def _about(network: IPv4Network | IPv6Network, *, limit: int, at: datetime) -> Found:
    """What is about an address, or about anything inside of a prefix, or about a prefix around it; and who holds it."""
    about = dict.fromkeys(intake.cases_about(str(network), limit=limit))
    found = {case.key: case for case in (*cases.find_resources(network, limit=limit), *_cases(about, limit=limit))}
    holders = sorted(registry.accounts_on(network, at=at, rows_max=HOLDINGS_MAX))[:limit]
    known = registry.get_customers(holders)
    sealed = cases.closed_cases((), sealed=True)  # What is sealed is found by nobody, whoever may see it.
    return Found(
        cases=sorted(found.values(), key=lambda case: (case.opened_at, case.key), reverse=True)[:limit],
        reports=intake.list_reports(search=str(network), limit=limit, sealed=False),
        customers=[known[key] for key in holders if key in known],
        sightings=[m for m in sensors.find_sources(network, limit=limit) if m.case not in sealed],
    )


HOLDINGS_MAX = 2000
"""So much is looked at to name some holders of a wide network."""


def _cases(keys: dict[str, None], *, limit: int) -> Sequence[Case]:
    if not keys:
        return ()
    narrowed = cases.Narrowed(keys=frozenset(list(keys)[:limit]), unsealed=True)
    return cases.list_cases(narrowed=narrowed, order="newest", limit=limit)


def _merged(one: Sequence[Report], other: Sequence[Report], *, limit: int) -> Sequence[Report]:
    both = {report.key: report for report in (*one, *other) if report.outcome is not ReportOutcome.SEALED}
    return sorted(both.values(), key=lambda report: (report.received_at, report.key), reverse=True)[:limit]


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
