"""Who is behind what a complaint names: the site at that time where it names one we host, else the address."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from tipstaff.attribution.match import Window, window_of
from tipstaff.registry.queries import accounts_over, get_customer, holdings_covering, site_names, sites_named_within
from tipstaff.words import Allegation, Attribution, AttributionReason, Conduct, Grade, Moment, Sighting, Site, host_of

from .lookup import Asked, tops_of, who_held, who_held_them

_TICK = timedelta(microseconds=1)


def who_did_it(allegation: Conduct, *, received_at: datetime) -> Attribution:
    """Attribute what was alleged or measured. A host name is looked up in our registry; nothing is ever resolved.

    A time that was stated and not understood is not the lack of one: the last days say nothing of it, so who held it
    then is not named.
    """
    return _unless_unread(allegation, _who_did_it(allegation, received_at=received_at))


def _unless_unread(allegation: Conduct, answer: Attribution) -> Attribution:
    unread = isinstance(allegation, Allegation) and allegation.moment is None and allegation.unread_time is not None
    if unread and (answer.named or answer.reason is AttributionReason.UNASSIGNED):
        return replace(
            answer, grade=Grade.AMBIGUOUS, reason=AttributionReason.TIME_UNREAD,
            customer=None, service=None, downstream=None,
        )  # fmt: skip
    return answer


def _who_did_it(allegation: Conduct, *, received_at: datetime) -> Attribution:
    if isinstance(allegation, Sighting) and allegation.account is not None:
        window = window_of(allegation.moment, received_at=received_at)
        return _of_account(allegation.account, window=window)
    host = allegation.domain or host_of(allegation.url)
    if host:
        found = who_answered(host, at=allegation.source, moment=allegation.moment, received_at=received_at)
        if found is not None:
            return found
    source = allegation.source or _literal(host)
    if source is None:
        reason = AttributionReason.NOT_OUR_SPACE if host else AttributionReason.NO_ADDRESS
        return Attribution(grade=Grade.NONE, reason=reason)
    return who_held(
        source,
        port=allegation.source_port,
        moment=allegation.moment,
        received_at=received_at,
        protocol=allegation.protocol,
        there=_victim(allegation),
        there_port=allegation.target_port,
    )


def _victim(allegation: Conduct) -> IPv4Address | IPv6Address | None:
    """With whom the connection was, where the target is one address and no name or network."""
    try:
        network = ip_network(allegation.target or "")
    except ValueError:
        return None
    return network.network_address if network.num_addresses == 1 else None


def _of_account(key: str, *, window: Window) -> Attribution:
    """Whose account it is; the answer stops at the reseller who had the contract with us, as for addresses."""
    customer = get_customer(key)
    if customer is None:
        return Attribution(grade=Grade.NO_DATA, reason=AttributionReason.UNKNOWN_ACCOUNT)
    subjects = _answerable(key, since=window.earliest, until=window.latest)
    if len(subjects) > 1:
        return Attribution(grade=Grade.AMBIGUOUS, reason=AttributionReason.SEVERAL_HOLDERS_IN_WINDOW)
    above = None if subjects == {key} else subjects.pop()
    return Attribution(
        grade=Grade.CONFIRMED,
        reason=AttributionReason.ONE_RESELLER if above else AttributionReason.OUR_BOOKS,
        customer=above or key,
        downstream=key if above else None,
    )


def _answerable(customer: str, *, since: datetime, until: datetime) -> set[str]:
    """Who had the contract with us for an account at some instant of [since, until]: a reseller, or the account."""
    return tops_of(accounts_over([customer]).get(customer, []), since=since, until=until) or {customer}


def who_did_them(allegations: Sequence[Allegation], *, received_at: datetime) -> list[Attribution]:
    """`who_did_it` for many; only what names a site of ours is asked for one by one."""
    hosts = [a.domain or host_of(a.url) for a in allegations]
    ours = site_names({host for host in hosts if host})
    found: dict[int, Attribution] = {}
    asked: list[tuple[int, Asked]] = []
    for place, (allegation, host) in enumerate(zip(allegations, hosts, strict=True)):
        source = allegation.source or _literal(host)
        if host in ours or source is None:
            found[place] = who_did_it(allegation, received_at=received_at)
        else:
            question = Asked(
                source, allegation.source_port, allegation.protocol, allegation.moment, _victim(allegation),
                allegation.target_port,
            )  # fmt: skip
            asked.append((place, question))
    answers = who_held_them([question for _, question in asked], received_at=received_at)
    for (place, _), answer in zip(asked, answers, strict=True):
        found[place] = _unless_unread(allegations[place], answer)
    return [found[place] for place in range(len(allegations))]


def who_answered(
    host: str, *, at: IPv4Address | IPv6Address | None = None, moment: Moment | None, received_at: datetime
) -> Attribution | None:
    """Whose site a host name was over the whole window, at one address or at any; None when it was no site of ours."""
    window = window_of(moment, received_at=received_at)
    sites = sites_named_within(host, earliest=window.earliest, latest=window.latest)
    sites = [s for s in sites if at is None or s.address == at]
    return _from_sites(sites, window=window) if sites else None


def _from_sites(sites: list[Site], *, window: Window) -> Attribution:
    """The one whose site it was at every instant of the window; the answer stops at a reseller, as for addresses."""
    subjects = {
        subject
        for s in sites
        for subject in _answerable(
            s.customer, since=max(s.since, window.earliest),
            until=window.latest if s.until is None else min(s.until - _TICK, window.latest),
        )
    }  # fmt: skip
    above = not subjects & {s.customer for s in sites}
    holdings = {
        h.key: h
        for address in dict.fromkeys(s.address for s in sites)
        for h in holdings_covering(address, earliest=window.earliest, latest=window.latest)
    }
    grade, reason = Grade.CONFIRMED, AttributionReason.ONE_RESELLER if above else AttributionReason.ONE_HOLDER
    if len(subjects) > 1:
        grade, reason = Grade.AMBIGUOUS, AttributionReason.SEVERAL_HOLDERS_IN_WINDOW
    elif not _without_a_break(sites, window=window):
        grade, reason = Grade.PROBABLE, AttributionReason.EDGE_IN_WINDOW
    elif window.assumed:
        grade, reason = Grade.PROBABLE, AttributionReason.TIME_ASSUMED
    named = grade is not Grade.AMBIGUOUS
    return Attribution(
        grade=grade,
        reason=reason,
        customer=subjects.pop() if named else None,
        service=_only(s.service for s in sites) if named and not above else None,
        downstream=_only(s.customer for s in sites) if named and above else None,
        proof=tuple(holdings.values()),
        sites=tuple(sites),
        earliest=window.earliest,
        latest=window.latest,
    )


def _without_a_break(sites: list[Site], *, window: Window) -> bool:
    """True when at every instant of the window one of them stood; `sites` come by their beginning."""
    reach: datetime | None = window.earliest
    for site in sites:
        if reach is None or site.since > reach:
            break
        reach = None if site.until is None else max(reach, site.until)
    return reach is None or reach > window.latest


def _only(values: Iterable[str | None]) -> str | None:
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _literal(host: str | None):  # type: ignore[no-untyped-def]  # an address of either family, or None
    try:
        return ip_address(host) if host else None
    except ValueError:
        return None
