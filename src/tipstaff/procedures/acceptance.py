"""Which customer accepted which edition, when and how: by a contract, or by the first use of a service under it.

Everything that asks or notes it comes here. A complaint about a customer shows no use of theirs: it is somebody's
claim, and it may be wrong about who it was (rows 3 and 95 of the policy ask for the first use, with the version shown).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tipstaff.attribution.queries import first_uses
from tipstaff.editions import operations
from tipstaff.editions.queries import customers_who_used, first_use, first_uses_of, get_edition
from tipstaff.notices.queries import handed_over, handed_over_at
from tipstaff.policy import Edition
from tipstaff.policy.clauses import Clock
from tipstaff.policy.kinds import Event
from tipstaff.registry.operations import accept_policy
from tipstaff.registry.queries import acceptances_of as contracts_of
from tipstaff.registry.queries import (
    customers_who_agreed,
    get_customer,
    holders_of_name,
    list_customers,
    names_in_logs,
    standings_of,
)
from tipstaff.words import (
    Acceptance,
    Accepted,
    AcceptedHow,
    AdoptionGround,
    Customer,
    EditionState,
    Origin,
    Standing,
    SubjectKind,
    Usage,
    UsageKind,
)

from .answer_clock import ends_for
from .desk import Desk
from .editions import adoption_of, notice_before

COMES_BACK_WITHIN = timedelta(days=5)
"""So long a mail server tries, and may still say that a letter reached nobody (RFC 5321, section 4.5.4.1). What counts
as accepted is never taken back, so nothing does before."""


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
    the use itself. Before the edition counts, and before the customer has known of it for as long as it takes
    (`use_counts_from`), nothing is accepted by using anything. Raise operations.ShowsNoUse for a report about the
    customer.
    """
    if not _counts(edition, at=at):
        return False  # It counts later, or no clause of it says that whoever uses a service agrees.
    if first_use(customer, digest=edition.digest) is not None:
        return False
    since = use_counts_from(customer, edition=edition)
    if since is None or at < since:
        return False
    return _accept(customer, edition=edition, shown_by=shown_by, at=at, noted_by=noted_by, noted_at=noted_at)


def use_counts_from(customer: str, *, edition: Edition) -> datetime | None:
    """From when a use by this customer accepts an edition; None while none does, because nobody has told them."""
    telling = _telling_of(edition)
    if telling is None or not telling.each:
        return None if telling is None else telling.least
    told_at = handed_over_at(once=f"{_letter_of(edition)}{customer}")
    return None if told_at is None else telling.known_from(get_customer(customer), told_at=told_at)


def _accept(
    customer: str, *, edition: Edition, shown_by: str, at: datetime, noted_by: str, noted_at: datetime | None
) -> bool:
    assert noted_at is None or at <= noted_at, "what has not come yet was not seen"
    _, new = operations.accept(
        customer, edition=edition.id, digest=edition.digest, shown_by=shown_by, at=at, actor=noted_by, noted_at=noted_at
    )
    return new


def note_log_in(use: Usage, *, editions: Sequence[Edition]) -> str | None:
    """A log-in that was seen is a use of the service, by whoever holds its name: their key if it was the first one
    under the edition in force then. None where several hold the name in what `use.source` writes, nobody does, or their
    contract had ended.

    Whoever logs in has shown a secret that the customer was given; traffic from an address shows no such thing.
    """
    if use.kind is not UsageKind.LOGIN:
        return None
    customer = _one_holder(SubjectKind.USERNAME, use.what, source=use.source, at=use.seen_at)
    edition = _in_force(editions, at=use.seen_at)
    if customer is None or edition is None:
        return None
    shown_by = f"log-in {use.what}, seen by {use.source}"
    return customer if note_first_use(customer, edition=edition, shown_by=shown_by, at=use.seen_at) else None


def note_first_uses(*, desk: Desk, at: datetime) -> int:
    """Look once through what logs of sessions and leases say of all customers who have not accepted the edition in
    force; how many have by now. What nobody has used since costs one look, whatever the logs hold."""
    edition = _in_force(desk.editions, at=at)
    waiting = _waiting(edition, at=at) if edition is not None else {}
    if edition is None or not waiting:
        return 0
    wanted = dict.fromkeys((kind, name, waiting[customer]) for kind, name, customer in names_in_logs(waiting))
    telling = _telling_of(edition)
    noted = 0
    # Whoever had to be told may have been connected since before, with nobody there: only what began since counts.
    for kind, name, used_at, source in first_uses(
        list(wanted), until=at, begun=telling is not None and telling.each
    ):  # fmt: skip
        customer = _one_holder(kind, name, source=source, at=used_at)
        if customer is None or customer not in waiting or used_at < waiting[customer]:
            continue
        shown_by = f"{'log-in' if kind is SubjectKind.USERNAME else 'line'} {name}, seen by {source}"
        noted += _accept(customer, edition=edition, shown_by=shown_by, at=used_at, noted_by="worker", noted_at=at)
    return noted


def note_log_ins_seen(uses: Iterable[Usage], *, desk: Desk, at: datetime) -> int:
    """Log-ins that a detector saw in a file, of customers who have not accepted the edition in force; how many have."""
    edition = _in_force(desk.editions, at=at)
    seen = {use.what: use for use in uses if use.kind is UsageKind.LOGIN and use.seen_at <= at}
    if edition is None or not seen:
        return 0
    waiting = _waiting(edition, at=at)
    named = {name for kind, name, _ in names_in_logs(waiting) if kind is SubjectKind.USERNAME} if waiting else ()
    return sum(
        note_log_in(use, editions=desk.editions) is not None
        for what, use in sorted(seen.items())
        if what in named or what.lower() in named
    )


def note_portal_log_in(customers: Iterable[str], *, by: str, desk: Desk, at: datetime) -> list[str]:
    """Somebody whom a customer let in has logged in to the portal: a use of theirs; those who accepted by it."""
    edition = _in_force(desk.editions, at=at)
    if edition is None:
        return []
    shown_by = f"log-in to the portal, {by}"
    return [
        key for key in customers
        if not _had_ended(key, at=at) and note_first_use(key, edition=edition, shown_by=shown_by, at=at)
    ]  # fmt: skip


def _one_holder(kind: SubjectKind, name: str, *, source: str, at: datetime) -> str | None:
    """The one customer whom `source` means by this name then, if their contract ran."""
    holders = holders_of_name(kind, name, source=source, at=at)
    if len(holders) != 1:
        return None
    [customer] = holders
    return None if _had_ended(customer, at=at) else customer


def _in_force(editions: Sequence[Edition], *, at: datetime) -> Edition | None:
    """The edition that counted then; None before the first one, and for one that no use accepts."""
    found = max((e for e in editions if e.effective_at <= at), key=lambda e: (e.effective_at, e.id), default=None)
    return found if found is not None and _counts(found, at=at) else None


def _counts(edition: Edition, *, at: datetime) -> bool:
    counts = {"edition_in_force": at >= edition.effective_at}
    return edition.clause_for_event(Event.SERVICE_USED, facts=counts) is not None


def _had_ended(customer: str, *, at: datetime) -> bool:
    return any(
        s.standing is Standing.TERMINATED and s.since <= at and (s.until is None or at < s.until)
        for s in standings_of(customer)
    )


def _waiting(edition: Edition, *, at: datetime) -> dict[str, datetime]:
    """Who has not accepted an edition, and from when a use of theirs would accept it."""
    telling = _telling_of(edition)
    if telling is None:
        return {}
    told = handed_over(once=_letter_of(edition)) if telling.each else {}
    accepted = customers_who_used(edition.digest) | customers_who_agreed(edition.id)
    from_when = {
        c.key: telling.known_from(c, told_at=told[c.key]) if telling.each else telling.least
        for c in list_customers(limit=1_000_000)
        if c.standing is not Standing.TERMINATED and c.key not in accepted and (not telling.each or c.key in told)
    }
    return {key: since for key, since in from_when.items() if since < at}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Telling:
    """What has to come before a use accepts an edition."""

    least: datetime
    """Nobody's use before this does."""
    each: bool
    """Whether each customer has to be written to first."""
    clock: Clock | None = None
    """How long they have to know of it then."""

    def known_from(self, customer: Customer | None, *, told_at: datetime) -> datetime:
        """From when whoever was told then has had the time that an announcement takes, where they live."""
        notice = told_at if self.clock is None else ends_for(customer, self.clock, at=told_at).by
        return max(self.least, notice, told_at + COMES_BACK_WITHIN)


def _telling_of(edition: Edition) -> _Telling | None:
    """None while nobody's use accepts it: what was not posted here, and what came with the installation and two people
    have not confirmed."""
    known = get_edition(edition.id)
    if known is None or known.digest != edition.digest or known.state is not EditionState.POSTED:
        return None
    if known.announced_at is not None:
        return _Telling(least=edition.effective_at, each=True, clock=notice_before(known.announced_at))
    adoption = adoption_of(edition.digest)
    if adoption is None or adoption.ground is AdoptionGround.STATED:
        # It changed only words, or the operator states that it told its customers elsewhere.
        return _Telling(least=edition.effective_at, each=False)
    if adoption.confirmed_at is None:
        return None
    least = max(edition.effective_at, adoption.confirmed_at)
    return _Telling(least=least, each=True, clock=notice_before(edition.effective_at))


def _letter_of(edition: Edition) -> str:
    """How the steps are named that tell customers of an edition; each ends with the customer's key."""
    return f"policy:{edition.digest}:"


def _digest_of(edition: str) -> str:
    """The digest of the posted edition of that name; empty where none was posted here."""
    known = get_edition(edition)
    return known.digest if known is not None and known.state is EditionState.POSTED else ""
