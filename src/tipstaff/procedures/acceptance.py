"""Which customer accepted which edition, when and how: by a contract, or by the first use of a service under it.

Everything that asks or notes it comes here. A complaint about a customer shows no use of theirs: it is somebody's
claim, and it may be wrong about who it was (rows 3 and 95 of the policy ask for the first use, with the version shown).
"""

from collections.abc import Sequence
from datetime import datetime

from tipstaff.editions import operations
from tipstaff.editions.queries import customers_who_used, first_use, first_uses_of, get_edition
from tipstaff.policy import Edition
from tipstaff.policy.kinds import Event
from tipstaff.registry.operations import accept_policy
from tipstaff.registry.queries import acceptances_of as contracts_of
from tipstaff.registry.queries import customers_who_agreed, periods_of_resources, standings_of
from tipstaff.words import (
    Acceptance,
    Accepted,
    AcceptedHow,
    EditionState,
    Origin,
    ResourceKind,
    Standing,
    Usage,
    UsageKind,
)


def acceptances_of(customer: str) -> list[Accepted]:
    """Every acceptance of a customer that is on record, the latest first."""
    by_contract = [
        Accepted(
            customer=customer, edition=each.edition, digest=_digest_of(each.edition), accepted_at=each.accepted_at,
            how=AcceptedHow.CONTRACT, shown_by=each.contract, accepted_by=each.accepted_by,
        )
        for each in contracts_of(customer)
    ]  # fmt: skip
    by_use = [
        Accepted(
            customer=customer, edition=each.edition, digest=each.digest, accepted_at=each.accepted_at,
            how=AcceptedHow.USE, shown_by=each.shown_by,
        )
        for each in first_uses_of(customer)
    ]  # fmt: skip
    return sorted((*by_contract, *by_use), key=lambda each: each.accepted_at, reverse=True)


def when_accepted(customer: str, *, edition: str) -> Accepted | None:
    """When and how a customer first accepted an edition; None when nothing shows that they did."""
    found = [each for each in acceptances_of(customer) if each.edition == edition]
    return found[-1] if found else None


def count_accepted(edition: str, *, digest: str) -> int:
    """How many customers accepted an edition in one way or the other."""
    return len(customers_who_used(digest) | customers_who_agreed(edition))


def accept_by_contract(acceptance: Acceptance, *, at: datetime, actor: str, origin: Origin = Origin.PERSON) -> None:
    """A contract, or whoever signed it, says that a customer accepted an edition. The same again does nothing."""
    accept_policy(acceptance, at=at, actor=actor, origin=origin)


def note_first_use(
    customer: str,
    *,
    edition: Edition,
    shown_by: str,
    at: datetime,
    noted_by: str = "customer",
    noted_at: datetime | None = None,
) -> bool:
    """The first use of a service under an edition counts as accepting it; True when this was the first.

    `at` is when the service was used; `noted_by` and `noted_at` say who put it on record and when, where that was not
    the use itself. Before the edition counts nothing is accepted by using anything. Raise
    operations.ShowsNoUse for a report about the customer.
    """
    counts = {"edition_in_force": at >= edition.effective_at}
    if edition.clause_for_event(Event.SERVICE_USED, facts=counts) is None:
        return False  # No clause of it says that whoever uses a service agrees.
    if first_use(customer, digest=edition.digest) is not None:
        return False
    assert noted_at is None or at <= noted_at, "what has not come yet was not seen"
    _, new = operations.accept(
        customer, edition=edition.id, digest=edition.digest, shown_by=shown_by, at=at, actor=noted_by, noted_at=noted_at
    )
    return new


def note_log_in(use: Usage, *, editions: Sequence[Edition]) -> str | None:
    """A log-in that was seen is a use of the service, by whoever holds its name: their key if it was the first one
    under the edition in force then. None where several hold the name, nobody does, or their contract had ended.

    Whoever logs in has shown a secret that the customer was given; traffic from an address shows no such thing.
    """
    at = use.seen_at
    if use.kind is not UsageKind.LOGIN:
        return None
    named = periods_of_resources([ResourceKind.LOGIN], use.what)
    named += periods_of_resources([ResourceKind.MAILBOX], use.what.lower())
    holders = {p.customer for p in named if p.held_from <= at and (p.held_until is None or at < p.held_until)}
    in_force = [edition for edition in editions if edition.effective_at <= at]
    if len(holders) != 1 or not in_force:
        return None
    [customer] = holders
    if any(
        s.standing is Standing.TERMINATED and s.since <= at and (s.until is None or at < s.until)
        for s in standings_of(customer)
    ):
        return None
    edition = max(in_force, key=lambda each: each.effective_at)
    shown_by = f"log-in {use.what}, seen by {use.source}"
    return customer if note_first_use(customer, edition=edition, shown_by=shown_by, at=at) else None


def _digest_of(edition: str) -> str:
    """The digest of the posted edition of that name; empty where none was posted here."""
    known = get_edition(edition)
    return known.digest if known is not None and known.state is EditionState.POSTED else ""
