"""What a customer's webhooks are told: of their own cases, and only what a letter has told them already.

Nothing of a case that they were not written to about, that is sealed, or whose clause group is closed to some of the
staff; no word of anybody's, and nothing about who complained. A reseller is told of the accounts below as well.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from tipstaff.cases.queries import cases_of_letter, due_soon, get_case, lineage_of, standing_key
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import entries_of, has_entry
from tipstaff.notices import LetterFacts, compose
from tipstaff.notices.operations import queue_letter
from tipstaff.notices.queries import cases_told, get_letter
from tipstaff.registry.queries import (
    accounts_above,
    accounts_below,
    chain_then,
    get_customer,
    represented_since,
    represented_then,
)
from tipstaff.webhooks.operations import switch
from tipstaff.webhooks.queries import customers_on, list_webhooks
from tipstaff.words import Case, Entry, Happening, LetterKind, Standing, Webhook

from .desk import Desk
from .portal import is_sealed

DEADLINE_NEAR = "case.deadline_near"
OF_LETTERS: Mapping[LetterKind, str] = {
    LetterKind.NOTICE: "case.opened",
    LetterKind.REMINDER: "case.decided",
    LetterKind.MEASURE_TAKEN: "measure.in_force",
    LetterKind.MEASURE_LIFTED: "measure.lifted",
    LetterKind.CASE_CLOSED: "case.closed",
}
"""What is told when a letter was handed over, or reached them another way. A reminder says that a person has read what
they wrote and that the case stands; where it does not, the case closes."""
CONTACTS_CHANGED = "contacts.changed"
"""Somebody of the account's changed to whom letters go: the contacts of before get a letter, and programs this."""
OWN_EVENTS = (*dict.fromkeys([*OF_LETTERS.values(), DEADLINE_NEAR, CONTACTS_CHANGED]),)
NEAR = timedelta(hours=24)
CASES_MAX = 100
"""So many cases one message names."""


def told_to_customers(entries: Sequence[Entry], *, closed: Collection[str]) -> dict[str, list[Happening]]:
    """What each customer with a webhook is told of these entries of the record's chain."""
    listening = customers_on()
    told: dict[str, list[Happening]] = {}
    for entry in entries if listening else ():
        if entry.what == "portal.contacts_changed":
            _tell_contacts_changed(entry, listening, told)
            continue
        event, cases = _event(entry)
        of: dict[str, list[str]] = {}
        for case in cases[:CASES_MAX]:
            for customer in sorted(_may_know(case, closed=closed) & listening):
                of.setdefault(customer, []).append(case.key)
        for customer, keys in of.items():
            told.setdefault(customer, []).append(_happening(event, entry, {"cases": keys}))
    return told


def _tell_contacts_changed(entry: Entry, listening: Collection[str], told: dict[str, list[Happening]]) -> None:
    """The account's own webhooks alone: a reseller's are told of cases."""
    for customer in entry.about:
        if customer in listening:
            told.setdefault(customer, []).append(_happening(CONTACTS_CHANGED, entry, {"account": customer}))


def _happening(kind: str, entry: Entry, keys: Mapping[str, str | Sequence[str]]) -> Happening:
    assert entry.seq is not None, "it stands in the chain"
    return Happening(seq=entry.seq, entry=None, kind=kind, at=entry.at, keys=keys)


def why_over(hook: Webhook) -> str:
    """Why a customer's webhook may tell nothing more; empty where it may. However the registry came to say so: by an
    import, an undoing, or the desk.

    The account has ended, or whoever made it was a contact or a colleague who was let in, of it or of a reseller over
    it, and has not been one all the time since: of the account, or of who is over it now.
    """
    customer = get_customer(hook.customer)
    if customer is None or customer.standing is Standing.TERMINATED:
        return "The account has ended."
    maker = _MADE_BY.fullmatch(hook.made_by)
    if maker is None:
        return ""
    chain = chain_then(hook.customer, at=hook.made_at)
    now = [hook.customer, *(account.key for account in accounts_above(hook.customer))]
    contacts, colleagues = represented_then(maker[1], at=hook.made_at), _let_in_then(maker[1], chain, at=hook.made_at)
    then = colleagues.keys() | contacts.intersection(chain)
    since = represented_since(maker[1])
    stays = {key for key, still in colleagues.items() if still}
    stays |= {key for key in contacts if key in since and since[key] <= hook.made_at}
    if then and not stays.intersection(now):
        return "Who made it is no contact of the account any more."
    return ""


def _let_in_then(email: str, customers: Iterable[str], *, at: datetime) -> dict[str, bool]:
    """Of these customers those who had let somebody in as a colleague at `at`, by the record; each with whether they
    have not let them out since."""
    found: dict[str, bool] = {}
    for customer in customers:
        for entry in entries_of(customer, what=["portal.let_in", "portal.let_out"]):
            if str(entry.detail.get("email", "")).lower() != email.lower():
                continue
            if entry.at > at and entry.what == "portal.let_out" and customer in found:
                found[customer] = False
            elif entry.at <= at and entry.what == "portal.let_in":
                found[customer] = True
            elif entry.at <= at:
                found.pop(customer, None)
    return found


_MADE_BY = re.compile(r"customer \((.+)\)")


def end_of_the_gone(*, at: datetime) -> list[str]:
    """Switch off customers' webhooks that may tell nothing more; their keys."""
    ended = [(hook.key, why) for hook in list_webhooks() if hook.customer and hook.on and (why := why_over(hook))]
    for key, why in ended:
        switch(key, on=False, note=why, at=at, actor="worker")
    return [key for key, _ in ended]


def is_still_told(message: Mapping[str, Any], *, to: str, closed: Collection[str]) -> bool:
    """Whether each case that a message names is one that they may know of now: between the event and a later attempt it
    may have been sealed, or the account may have got another reseller."""
    keys: list[str] = message["data"].get("cases", [])
    return all(to in _may_know(case, closed=closed) for case in _cases(keys)) and len(_cases(keys)) == len(keys)


def note_deadlines_near(*, at: datetime, closed: Collection[str] = ()) -> int:
    """Put on record which cases are answered late after less than a day, where a webhook asks for it and may be told;
    how many. Two at once would note it twice: it runs in one job, one at a time."""
    noted = 0
    for customer in sorted(customers_on(event=DEADLINE_NEAR)):
        accounts = [customer, *(account.key for account in accounts_below(customer))]
        for key, due in due_soon(accounts, at=at, until=at + NEAR):
            if has_entry(key, what=DEADLINE_NEAR, due=due.isoformat()):
                continue
            if any(customer in _may_know(case, closed=closed) for case in _cases([key])):
                record(DEADLINE_NEAR, at=at, actor="worker", about=[key], due=due.isoformat())
                noted += 1
    return noted


def tell_switched_off(webhook: Webhook, *, desk: Desk, at: datetime) -> str | None:
    """Write to the customer's contact that a webhook of theirs was switched off; the letter's key."""
    customer = get_customer(webhook.customer)
    to = customer.representative if customer is not None else None
    if customer is None or to is None:
        return None
    desk = desk.speaking_to(customer)
    facts = LetterFacts(
        operator=desk.operator, abuse_contact=desk.abuse_address, language=to.language, representative=to.name,
        customer=f"{customer.name} ({customer.key})", webhook=urlsplit(webhook.url).hostname or "",
    )  # fmt: skip
    key = queue_letter(
        LetterKind.WEBHOOK_OFF, once=f"webhook_off:{webhook.key}:{at.isoformat()}", to=to.email, case=None, report=None,
        draft=compose(LetterKind.WEBHOOK_OFF, facts=facts), at=at, actor="worker",
        held=not desk.mail_out_ready, brand=desk.brand,
    )  # fmt: skip
    desk.enqueue("letters", "all")
    return key


def _event(entry: Entry) -> tuple[str, list[Case]]:
    """What an entry means to whom it concerns, and the cases that it is about; no case where it means nothing."""
    if entry.what == DEADLINE_NEAR:
        return DEADLINE_NEAR, _cases(key for key in entry.about if key.startswith("C-"))
    if entry.what not in ("letter.sent", "letter.taken_as_sent"):
        return "", []
    letter = next(filter(None, (get_letter(key) for key in entry.about if key.startswith("L-"))), None)
    if letter is None or letter.diverted or letter.kind not in OF_LETTERS:
        return "", []
    return OF_LETTERS[letter.kind], _cases(cases_of_letter(letter.key, case=letter.case))


def _cases(keys: Iterable[str]) -> list[Case]:
    found = (get_case(standing_key(key)) for key in keys)
    return list({case.key: case for case in found if case is not None}.values())


def _may_know(case: Case, *, closed: Collection[str]) -> frozenset[str]:
    """The customers who may be told of a case: whose it is, and the resellers above."""
    if is_sealed(case) or case.group in closed or not cases_told(lineage_of(case.key)):
        return frozenset()
    return frozenset([case.customer, *(account.key for account in accounts_above(case.customer))])
