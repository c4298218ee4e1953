"""A network whose records in the registries stay wrong after our letter: its routes may be refused (row 60).

Two people decide, one of them an engineer. What is refused is narrow: each prefix that our registry has as the
customer's, on the customer's own session, at a device that touches that session and no other.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from ipaddress import ip_network

from tipstaff.enforcement.planner import Footprint, weigh
from tipstaff.policy.kinds import Event
from tipstaff.registry.queries import resources_of, sessions_of
from tipstaff.words import Candidate, Case, Degree, ResourceKind, Role, Rung, Scope

from .desk import Desk
from .joint import Joint
from .letters import edition_named, notices_sent
from .suspension import briefer_on, lasts_for

OF_RECORDS = 59
"""The row of the policy under which records in the registries are kept current."""
_LADDER = (Rung(scope=Scope.ROUTE, degree=Degree.BLOCK),)


def routes_on_sessions(case: Case, desk: Desk, at: datetime) -> tuple[Candidate, ...]:
    """Each prefix that is the customer's by our registry, on each session of theirs that a device touches, for as short
    a time as suffices."""
    devices = [ability for ability in desk.abilities(at) if ability.session in sessions_of(case.customer, at=at)]
    prefixes = sorted(
        {r.name.split()[0] for r in resources_of(case.customer, at=at) if r.kind is ResourceKind.ROUTE}
    )  # fmt: skip
    lasts = lasts_for(case, desk=desk, urgent=False)
    weigh_one = partial(
        weigh, devices=devices, ladder=_LADDER, measure_ports=(), resource=None, url=None, source_port=None,
        service=case.service, account=case.customer, footprint=Footprint(), lasts=lasts,
    )  # fmt: skip
    each = [
        partial(weigh_one, announced=ip_network(prefix), announced_on=(session,))
        for session in sorted({device.session for device in devices})
        for prefix in prefixes
    ]
    return tuple(c for one in each for c in one(briefer=briefer_on(case, one, desk=desk, at=at)))


def _is_about_records(case: Case, desk: Desk) -> bool:
    return OF_RECORDS in edition_named(desk, case.edition).clause(case.clause).rows


def _facts(case: Case, roles: frozenset[Role], at: datetime) -> Mapping[str, int | bool]:
    sent = notices_sent(case.key)
    days = (at - min(sent.values())).days if sent else 0
    return {"days_since_notice": days, "engineer_agrees": Role.ENGINEER in roles}


REFUSAL = Joint(
    kind="refuse_transit",
    event=Event.REGISTRY_UNCORRECTED,
    applies=_is_about_records,
    facts=_facts,
    what=routes_on_sessions,
)
