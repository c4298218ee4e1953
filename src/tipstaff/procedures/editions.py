"""An edition of the policy goes its way: drafted, approved by somebody else, compiled, announced, posted, accepted."""

import functools
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction

from tipstaff.editions import operations
from tipstaff.editions.operations import NoSuchEdition, NotAnnounced, WrongStep
from tipstaff.editions.queries import files_of, get_edition, list_editions, posted_editions, work_of
from tipstaff.host.viewing import hiding
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import entries_of
from tipstaff.notices import LetterFacts, compose
from tipstaff.notices.operations import queue_letter, withdraw_announcement
from tipstaff.notices.queries import handed_over, written_for
from tipstaff.policy import Edition, edition_to_go_by, read_files
from tipstaff.policy.clauses import Clock
from tipstaff.policy.deciding import may_decide
from tipstaff.policy.difference import Change, ChangeKind, Effect, differences, effects, is_significant
from tipstaff.policy.examples import Mismatch, try_examples
from tipstaff.policy.kinds import Event
from tipstaff.policy.replay import Tally
from tipstaff.policy.replay import differences as how
from tipstaff.registry.queries import list_customers
from tipstaff.words import (
    Adoption,
    AdoptionGround,
    Customer,
    EditionOnRecord,
    EditionState,
    EditionWork,
    LetterKind,
    Representative,
    Role,
    Standing,
    Stated,
    WorkStep,
)

from .answer_clock import ends_for, ends_for_us
from .desk import Desk
from .letters import quoted_in
from .replaying import PAST, replay_past
from .sealed import keys_hidden
from .suspension import NotYourDecision

log = logging.getLogger("tipstaff.worker")

ANNOUNCE_CLOCK = "policy.announce"
"""The clock of an edition that says how long before it counts a change is announced."""


class ExamplesDoNotHold(ValueError):
    """An edition is compiled only when each of its examples has the verdict that it promises."""

    def __init__(self, mismatches: Sequence[Mismatch]) -> None:
        self.mismatches = tuple(mismatches)
        super().__init__("; ".join(str(mismatch) for mismatch in mismatches[:5]))


def adopt_installed(
    editions: Sequence[Mapping[str, bytes]], *, at: datetime, since: datetime | None = None
) -> list[str]:
    """At the first start what the installation came with is posted; afterwards only the whole way leads there.

    Nobody has read it here, and two people have not approved it: it counts from now at the earliest, and the record and
    its page say on which ground it stands (`adoption_of`). `since` is the operator's own word that its words were
    posted to customers elsewhere. Of several, those that count by then are taken in, or else the one that does first;
    without `since` only the latest of them, for no earlier one ever counted here.
    """
    if posted_editions():
        return []
    read = sorted(
        ((read_files(files, thorough=True), files) for files in editions), key=lambda pair: pair[0].effective_at
    )
    counting = [pair for pair in read if pair[0].effective_at <= at] or read[:1]
    ground = AdoptionGround.FIRST_START if since is None else AdoptionGround.STATED
    return [
        edition.id
        for edition, files in (counting if since is not None else counting[-1:])
        if operations.adopt(
            edition.id, digest=edition.digest, title=edition.title, files=_texts(files),
            effective_at=max(edition.effective_at, at if since is None else since), ground=ground, at=at,
        )
    ]  # fmt: skip


def adoption_of(digest: str) -> Adoption | None:
    """How an edition came in that went not the whole way, and who has confirmed it since; None for one that did."""
    entries = entries_of(digest, what=["edition.adopted", "edition.confirmed"])
    first = next((each for each in entries if each.what == "edition.adopted"), None)
    if first is None:
        return None
    by = tuple(dict.fromkeys(each.actor for each in entries if each.what == "edition.confirmed"))
    said = first.detail.get("ground")
    return Adoption(
        at=first.at,
        ground=next((each for each in AdoptionGround if each.value == said), AdoptionGround.ITS_OWN_DATE),
        confirmed_by=by,
        confirmed_at=entries[-1].at if len(by) >= CONFIRMED_BY else None,
    )


CONFIRMED_BY = 2


def confirm(id: str, *, why: str, desk: Desk, at: datetime, actor: str) -> Adoption:
    """One of two people, one of them counsel, confirms an edition that was adopted: they have read it.

    Raise NoSuchEdition, WrongStep for one that was not adopted, is confirmed, or was read by this person already, and
    NotYourDecision for whoever is neither counsel nor lead, or for a second lead.
    """
    known = get_edition(id)
    if known is None:
        raise NoSuchEdition(id)
    with transaction.atomic():
        operations.hold(known.digest)
        before = adoption_of(known.digest)
        if before is None or before.confirmed_at is not None or actor in before.confirmed_by or not why.strip():
            raise WrongStep(f"{id} was not adopted, is confirmed, or was read by {actor}; and each says why")
        counsel = may_decide(desk.roles_of(actor), needed=Role.COUNSEL)
        lead = may_decide(desk.roles_of(actor), needed=Role.LEAD)
        by_counsel = any(may_decide(desk.roles_of(each), needed=Role.COUNSEL) for each in before.confirmed_by)
        if not (counsel or (lead and (by_counsel or not before.confirmed_by))):
            raise NotYourDecision("Counsel and one more, counsel or lead, confirm an edition that was adopted.")
        operations.note_confirmed(id, why=why.strip()[:WHY_MAX], at=at, actor=actor)
        confirmed = adoption_of(known.digest)
    assert confirmed is not None, "it was adopted"
    return confirmed


WHY_MAX = 2000


def draft(files: Mapping[str, bytes], *, at: datetime, actor: str) -> EditionOnRecord:
    """Keep what somebody wrote; raises BadEdition for what cannot be read, NameTaken."""
    edition = read_files(files, thorough=True)
    return operations.draft(
        edition.id, digest=edition.digest, title=edition.title, files=_texts(files), at=at, actor=actor
    )


def approve(
    id: str, *, seen: str, significant: bool, why: str, desk: Desk, at: datetime, actor: str
) -> EditionOnRecord:
    """Counsel approves the words that they read: `seen` is their SHA-256. A change of rules matters to customers
    whatever counsel says; one of words may."""
    matters = significant or is_significant(edition_to_go_by(desk.editions, at=at), edition_on_record(id))
    return operations.approve(id, seen=seen, significant=matters, why=why, at=at, actor=actor)


def ask_for(id: str, *, step: WorkStep, desk: Desk, at: datetime, actor: str) -> EditionWork:
    """Have a step carried out by the worker, so that no page waits for it; raises WrongStep, StillWorking."""
    known = get_edition(id)
    if known is None:
        raise NoSuchEdition(id)
    if known.state not in _READY[step]:
        raise WrongStep(f"{id} is {known.state}")
    with transaction.atomic():
        work = operations.ask_for_work(id, step=step, at=at, actor=actor)
        desk.enqueue("edition", id)
        return work


_READY = {
    WorkStep.COMPILE: (EditionState.APPROVED, EditionState.COMPILED),
    WorkStep.ANNOUNCE: (EditionState.COMPILED,),
}


def carry_out(id: str, *, desk: Desk, now: Callable[[], datetime], closed: Collection[str] = ()) -> None:
    """Carry out the step that was asked for; `closed` as for `compile`. Doing it again, as after a worker was killed,
    does nothing twice."""
    work, known = work_of(id), get_edition(id)
    if work is None or work.finished_at is not None or known is None:
        return
    trouble = ""
    try:
        if work.step is WorkStep.ANNOUNCE:
            if known.announced_at is None:
                announce(id, desk=desk, at=now(), actor=work.asked_by)
        elif known.compiled_at is None or known.compiled_at < work.asked_at:
            compile(
                id, desk=desk, at=now(), actor=work.asked_by, closed=closed,
                told=lambda done: operations.tell_progress(id, done=done),
            )  # fmt: skip
    except ExamplesDoNotHold as why:
        trouble = f"Not every example holds: {why}"
    except WrongStep as why:
        trouble = f"It could not be done any more: {why}."
    except (OperationalError, InterfaceError):
        raise  # The database itself: it is tried again.
    except Exception as why:
        log.exception("edition %s: %s failed", id, work.step)
        trouble = f"It failed: {type(why).__name__}. Nothing was changed; the log of the worker says more."
    operations.end_work(id, trouble=trouble, at=now())


def give_up(id: str, *, attempts: int, at: datetime) -> None:
    """A step that never came to its end is tried no more by itself; its page says so, and it can be asked for again."""
    trouble = f"It was tried {attempts} times and did not come to its end; the worker's log says why. Ask for it again."
    operations.end_work(id, trouble=trouble, at=at)


def compile(
    id: str,
    *,
    desk: Desk,
    at: datetime,
    actor: str,
    closed: Collection[str] = (),
    told: Callable[[int], None] = lambda done: None,
) -> EditionOnRecord:
    """Try every example, judge the past anew, and note what would change; raises ExamplesDoNotHold. `told` hears how
    much of the past is judged. Of `closed` clause groups, and of what is sealed, nothing is counted: everybody sees the
    numbers."""
    edition = edition_on_record(id)
    mismatches = try_examples(edition)
    if mismatches:
        raise ExamplesDoNotHold(mismatches)
    in_force = edition_to_go_by(desk.editions, at=at)
    changed, otherwise = compare(in_force, edition)
    whose: dict[tuple[str, str], set[str]] = {}

    def note_whose(part: Tally) -> None:
        for each in part.listed:
            if each.customer:
                whose.setdefault((each.alike.before.clause, each.alike.after.clause), set()).add(each.customer)

    with hiding(lambda: keys_hidden(closed, sealed=True)):
        past = replay_past(
            edition, since=at - PAST, until=at, desk=desk, at=at, listed_max=50, measures=False, told=told,
            each_part=note_whose,
        )  # fmt: skip
    return operations.note_compiled(
        id,
        effects={
            "compared_with": in_force.id,
            "examples": sum(1 for _ in edition.examples()),
            "changes": len(changed),
            "examples_judged_otherwise": len(otherwise),
            "past_judged": past.judged,
            "past_judged_otherwise": past.different,
            # How many reports, and of how many customers.
            "past_clauses": [
                [*names, n, len(whose.get(names, ()))] for names, n in sorted(past.changed_clauses.items())
            ],
            "first_of_them": [[each.key, "; ".join(how(each.before, each.after))] for each in past.listed],
        },
        at=at,
        actor=actor,
    )


def announce(id: str, *, desk: Desk, at: datetime, actor: str) -> EditionOnRecord:
    """Write to every customer who has named somebody; raises WrongStep. Twice writes no second letter."""
    edition, in_force = edition_on_record(id), edition_to_go_by(desk.editions, at=at)
    _is_answered(id, in_force)
    customers = _customers()
    everywhere = _announced_until(customers, in_force, at=at)
    counts_from = max([_earliest(edition, in_force, announced_at=at, desk=desk, at=at), *everywhere])
    changes = [change for change in differences(in_force, edition) if change.kind is not ChangeKind.WORDS]
    letters = unreachable = 0
    with transaction.atomic():
        for customer in customers:
            if customer.representative is None:
                unreachable += 1
                continue
            _write(customer, edition, changes=changes, counts_from=counts_from, desk=desk, at=at, actor=actor)
            letters += 1
        noted = operations.note_announced(
            id, letters=letters, unreachable=unreachable, counts_from=counts_from, at=at, actor=actor
        )
        desk.enqueue("letters", "all")
    return noted


def tell_newcomers(*, desk: Desk, at: datetime) -> int:
    """Write to whoever was taken on, or has named somebody, only since an edition was announced that does not count
    yet; how many letters."""
    coming = [
        known for known in list_editions()
        if known.announced_at is not None and known.state in (EditionState.ANNOUNCED, EditionState.POSTED)
        and (known.effective_at is None or at < known.effective_at)
    ]  # fmt: skip
    return sum(_tell_newcomers(known.id, desk=desk, at=at, actor="worker") for known in coming)


def _tell_newcomers(id: str, *, desk: Desk, at: datetime, actor: str) -> int:
    with transaction.atomic():
        # Whoever gives it up waits for this, and then takes back these letters too.
        if not operations.hold_announced(id):
            return 0
        known, edition, in_force = get_edition(id), edition_on_record(id), edition_to_go_by(desk.editions, at=at)
        assert known is not None, "it is held"
        told = written_for(once=f"policy:{edition.digest}:")
        new = [c for c in _customers() if c.representative is not None and c.key not in told]
        if not new:
            return 0
        earliest = _earliest(edition, in_force, announced_at=known.announced_at, desk=desk, at=at)
        counts_from = known.effective_at or max([earliest, *_told_of(known)])
        changes = [change for change in differences(in_force, edition) if change.kind is not ChangeKind.WORDS]
        for customer in new:
            _write(customer, edition, changes=changes, counts_from=counts_from, desk=desk, at=at, actor=actor)
        record(
            "edition.announced_later", at=at, actor=actor, about=[f"edition {id}", edition.digest], letters=len(new),
            counts_from=counts_from,
        )  # fmt: skip
        desk.enqueue("letters", "all")
    return len(new)


def post(id: str, *, desk: Desk, at: datetime, actor: str) -> EditionOnRecord:
    """Fix digest and moment for good. It counts from what it says itself, but never before now or too soon after its
    announcement; raises WrongStep, NotAnnounced."""
    known = get_edition(id)
    if known is None:
        raise NoSuchEdition(id)
    edition, in_force = edition_on_record(id), edition_to_go_by(desk.editions, at=at)
    _is_answered(id, in_force)
    earliest = _earliest(edition, in_force, announced_at=known.announced_at, desk=desk, at=at)
    counts_from = max([earliest, *_told_of(known)])
    compiled = known.state is EditionState.COMPILED
    if (
        compiled
        and known.announced_at is None
        and is_significant(edition_to_go_by(desk.editions, at=counts_from), edition)
    ):
        # Since counsel looked, another edition was posted: beside that one it changes more than words.
        raise NotAnnounced(id)
    with transaction.atomic():
        posted = operations.post(id, effective_at=counts_from, untold=untold(known), at=at, actor=actor)
        _tell_newcomers(id, desk=desk, at=at, actor=actor)
    return posted


def untold(edition: EditionOnRecord) -> int:
    """How many letters of its announcement no mail server has taken, or came back: so many customers were not told, as
    all of them while outbound mail is not set up."""
    once = f"policy:{edition.digest}:"
    return len(written_for(once=once)) - len(handed_over(once=once))


def _is_answered(id: str, in_force: Edition) -> None:
    """Raise WrongStep unless the clause of the edition in force lets this one go its way (row 93). An edition that says
    nothing of its own change leaves that to the steps themselves."""
    known = get_edition(id)
    if known is None:
        raise NoSuchEdition(id)
    facts: dict[str, Stated] = {
        "author": known.drafted_by, "approved": bool(known.approved_by), "approver": known.approved_by,
    }  # fmt: skip
    answered = in_force.clause_for_event(Event.EDITION_PROPOSED, facts=facts)
    if answered is None and in_force.answers(Event.EDITION_PROPOSED):
        raise WrongStep(f"no clause of {in_force.id} lets {id} go its way: {known.state}")


def withdraw(id: str, *, why: str, desk: Desk, at: datetime, actor: str) -> EditionOnRecord:
    """Give up an edition that was not posted; raises WrongStep. Nobody is told any more that it will count, and whoever
    was told so learns that it will not."""
    with transaction.atomic():
        given_up = operations.withdraw(id, why=why, at=at, actor=actor)
        told = withdraw_announcement(given_up.digest, why=f"Edition {id} was given up.", at=at, actor=actor)
        for customer in _customers():
            if customer.key in told and customer.representative is not None:
                _write_that_it_does_not_come(
                    customer, given_up, follows=told[customer.key], desk=desk, at=at, actor=actor
                )
        if told:
            desk.enqueue("letters", "all")
        return given_up


def compare(old: Edition, new: Edition) -> tuple[tuple[Change, ...], tuple[Effect, ...]]:
    """The difference in words and rules, and the examples that would be judged otherwise.

    It follows from the two digests alone, so it is worked out once for each pair that pages ask for again and again.
    """
    pair = (old.digest, new.digest)
    found = _compared.get(pair)
    if found is None:
        found = differences(old, new), effects(old, new)
        if len(_compared) >= COMPARED_MAX:
            _compared.clear()  # Whatever another page that is being made has found already, it keeps.
        _compared[pair] = found
    return found


COMPARED_MAX = 32
_compared: dict[tuple[str, str], tuple[tuple[Change, ...], tuple[Effect, ...]]] = {}


def edition_on_record(id: str) -> Edition:
    """An edition as its files on record say it; raises NoSuchEdition."""
    known = get_edition(id)
    if known is None:
        raise NoSuchEdition(id)
    return _read(known.digest, id)


@functools.lru_cache(maxsize=32)
def _read(digest: str, id: str) -> Edition:
    """What stands on record under a digest never changes."""
    return read_files({name: text.encode() for name, text in files_of(digest).items()}, where=f"edition {id}")


def notice_before(announced_at: datetime) -> Clock | None:
    """The clock of an announcement made then, by the edition in force then; None where that one has none."""
    posted = posted_editions()
    in_force = [digest for digest, since in posted if since <= announced_at][-1:] or [digest for digest, _ in posted]
    clocks = _read(in_force[0], in_force[0]).clocks if in_force else ()
    return next((clock for clock in clocks if clock.id == ANNOUNCE_CLOCK), None)


def edition_to_read(id: str, *, posted: Sequence[Edition]) -> Edition:
    """An edition on record, however far it has come: a posted one with the moment from which it counts, else as its
    draft says; raises NoSuchEdition."""
    return next((edition for edition in posted if edition.id == id), None) or edition_on_record(id)


def _earliest(
    edition: Edition, in_force: Edition, *, announced_at: datetime | None, desk: Desk, at: datetime
) -> datetime:
    """From when an edition may count: what it says itself, not before now, and not too soon after its announcement."""
    moments = [at, edition.effective_at]
    if announced_at is not None:
        moments += [ends_for_us(c, at=announced_at, desk=desk).by for c in in_force.clocks if c.id == ANNOUNCE_CLOCK]
    return max(moments)


def _announced_until(customers: Sequence[Customer], in_force: Edition, *, at: datetime) -> list[datetime]:
    """When the time that an announcement takes has passed where each customer lives who is told."""
    one_of_each = {c.representative.timezone: c for c in customers if c.representative is not None}
    return [
        ends_for(customer, clock, at=at).by
        for clock in in_force.clocks
        if clock.id == ANNOUNCE_CLOCK
        for customer in one_of_each.values()
    ]


def _told_of(known: EditionOnRecord) -> list[datetime]:
    """From when it counts by the letters that announced it: customers and their zones may be others by now. Nothing
    for an announcement noted before releases kept this."""
    return [
        datetime.fromisoformat(str(entry.detail["counts_from"]))
        for entry in entries_of(known.digest, what=["edition.announced"])
        if entry.at == known.announced_at and "counts_from" in entry.detail
    ]


def _write(
    customer: Customer,
    edition: Edition,
    *,
    changes: Sequence[Change],
    counts_from: datetime,
    desk: Desk,
    at: datetime,
    actor: str,
) -> None:
    representative = customer.representative
    assert representative is not None, "checked by the caller"
    desk = desk.speaking_to(customer)
    facts = _facts(customer, representative, edition.id, desk=desk)
    said = edition.said_in(representative.language)
    titles = {id: wording.title for id, wording in said.clauses.items()} if said else {}
    facts = replace(
        facts,
        quoted_in=quoted_in(edition, language=representative.language),
        counts_from=counts_from,
        changes=tuple(titles.get(change.what, change.title) for change in changes),
        policy_link=desk.policy_link(edition.id),
    )
    _queue(
        LetterKind.POLICY_CHANGE, once=f"policy:{edition.digest}:{customer.key}", to=representative.email,
        facts=facts, desk=desk, at=at, actor=actor,
    )  # fmt: skip


def _write_that_it_does_not_come(
    customer: Customer, given_up: EditionOnRecord, *, follows: str, desk: Desk, at: datetime, actor: str
) -> None:
    in_force = edition_to_go_by(desk.editions, at=at)
    assert customer.representative is not None, "checked by the caller"
    desk = desk.speaking_to(customer)
    facts = _facts(customer, customer.representative, given_up.id, desk=desk)
    _queue(
        LetterKind.POLICY_KEPT, once=f"policy-kept:{given_up.digest}:{customer.key}", to=customer.representative.email,
        facts=replace(facts, policy_link=desk.policy_link(in_force.id), edition_kept=in_force.id), desk=desk, at=at,
        actor=actor, follows=follows,
    )  # fmt: skip


def _facts(customer: Customer, representative: Representative, edition: str, *, desk: Desk) -> LetterFacts:
    return LetterFacts(
        operator=desk.operator,
        abuse_contact=desk.abuse_address,
        language=representative.language,
        customer=customer.name,
        representative=representative.name,
        timezone=representative.timezone,
        edition=edition,
    )


def _queue(
    kind: LetterKind, *, once: str, to: str, facts: LetterFacts, desk: Desk, at: datetime, actor: str,
    follows: str | None = None,
) -> None:  # fmt: skip
    queue_letter(
        kind, once=once, to=to, draft=compose(kind, facts=facts), case=None, report=None, at=at, actor=actor,
        held=not desk.mail_out_ready, follows=follows, brand=desk.brand,
    )  # fmt: skip


def _customers() -> list[Customer]:
    """All customers whose contract runs."""
    return [c for c in list_customers(limit=1_000_000) if c.standing is not Standing.TERMINATED]


def _texts(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: content.decode() for name, content in files.items()}
