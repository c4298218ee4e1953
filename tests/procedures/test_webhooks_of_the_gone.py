"""A customer's webhook ends with the account and with the contact who made it, however the registry came to say so."""

from dataclasses import replace

import pytest

from tests.procedures.office import Office
from tipstaff import wiring
from tipstaff.host.outward import Outward
from tipstaff.ledger.operations import record, seal_entries
from tipstaff.ledger.queries import chain_end, entries_of
from tipstaff.procedures import hooks
from tipstaff.procedures.hooks_of_customers import CONTACTS_CHANGED, OWN_EVENTS, end_of_the_gone
from tipstaff.registry import operations as registry
from tipstaff.registry.queries import get_customer
from tipstaff.webhooks import operations, queries
from tipstaff.words import Representative, Standing, Webhook

THEIRS = "acct-1@customer.example.com"


@pytest.fixture
def office(transactional_db: None) -> Office:
    made = Office()
    made.admit("shop", is_reseller=True)
    made.admit("acct-1", reseller="shop")
    return made


def hook_of(customer: str, *, by: str) -> Webhook:
    return operations.make_webhook(
        "https://hooks.example.net/", events=OWN_EVENTS, sealed_secret=b"x", told_to=chain_end(), at=wiring.now(),
        actor=f"customer ({by})", customer=customer,
    )  # fmt: skip


def name_contacts(customer: str, *emails: str) -> None:
    """As an import does, which knows nothing of webhooks."""
    chain = [Representative(name="x", email=email) for email in emails]
    registry.designate(customer, chain, at=wiring.now(), actor="import")


def on() -> list[str]:
    return [hook.key for hook in queries.list_webhooks() if hook.on]


def test_it_ends_with_a_contact_whom_an_import_names_no_more_and_stays_so_when_they_come_back(office: Office) -> None:
    gone, colleague = hook_of("acct-1", by=THEIRS), hook_of("acct-1", by="colleague@example.com")
    above = hook_of("acct-1", by="shop@customer.example.com")
    name_contacts("acct-1", THEIRS, "second@example.com")
    name_contacts("acct-1", "second@example.com", THEIRS)
    assert end_of_the_gone(at=wiring.now()) == [], "a changed place in the chain is no gap"
    name_contacts("acct-1", "second@example.com")
    name_contacts("acct-1", "second@example.com", THEIRS)
    assert end_of_the_gone(at=wiring.now()) == [gone.key]
    assert on() == [colleague.key, above.key]
    assert entries_of("acct-1", what=["webhook.switched_off"])[0].detail["note"].startswith("Who made it")
    operations.switch(gone.key, on=True, at=wiring.now(), actor="customer (second@example.com)")
    assert end_of_the_gone(at=wiring.now()) == [], "another answers for it now"
    name_contacts("acct-1", THEIRS)
    assert end_of_the_gone(at=wiring.now()) == [gone.key]


def test_it_ends_with_the_account_and_with_the_reseller_over_it(office: Office) -> None:
    own, above = hook_of("acct-1", by=THEIRS), hook_of("acct-1", by="shop@customer.example.com")
    office.admit("mall", is_reseller=True)
    account = get_customer("acct-1")
    assert account is not None
    registry.add_customer(replace(account, reseller="mall"), at=wiring.now(), actor="import")
    assert end_of_the_gone(at=wiring.now()) == [above.key], "it hears of an account that is another's by now"
    registry.set_standing("acct-1", Standing.TERMINATED, since=wiring.now(), why="x", at=wiring.now(), actor="import")
    assert end_of_the_gone(at=wiring.now()) == [own.key]


def let(what: str, email: str, *, customer: str) -> None:
    record(f"portal.let_{what}", at=wiring.now(), actor=f"customer ({customer})", about=[customer], email=email)


def test_a_resellers_colleague_hears_no_more_of_an_account_that_is_another_resellers(office: Office) -> None:
    for email in ("worker@example.com", "both@example.com", "twice@example.com"):
        let("in", email, customer="shop")
    let("in", "both@example.com", customer="acct-1")
    let("in", "Own@example.com", customer="acct-1")
    by = ("worker@example.com", "both@example.com", "own@example.com", "twice@example.com")
    hooks_made = {email: hook_of("acct-1", by=email).key for email in by}
    assert end_of_the_gone(at=wiring.now()) == []
    let("out", "twice@example.com", customer="shop")
    let("in", "twice@example.com", customer="shop")
    assert end_of_the_gone(at=wiring.now()) == [hooks_made["twice@example.com"]], "there was a gap"
    office.admit("mall", is_reseller=True)
    let("in", "worker@example.com", customer="mall")
    account = get_customer("acct-1")
    assert account is not None
    registry.add_customer(replace(account, reseller="mall"), at=wiring.now(), actor="import")
    assert end_of_the_gone(at=wiring.now()) == [hooks_made["worker@example.com"]]
    assert on() == [hooks_made["both@example.com"], hooks_made["own@example.com"]]


@pytest.mark.parametrize("whose", [THEIRS, "colleague@example.com"])
def test_nothing_is_sent_to_one_that_is_over_before_anybody_looked(office: Office, whose: str) -> None:
    hook = hook_of("acct-1", by=whose)
    operations.try_webhook(hook.key, at=wiring.now(), actor="x")
    name_contacts("acct-1", "second@example.com")
    asked: list[bytes] = []

    class Way(Outward):
        def post(self, url: str, body: bytes, *args: object, **more: object) -> object:  # type: ignore[override]
            asked.append(body)
            raise hooks.NotTaken("x")

    hooks.send_due(
        outward=hooks.NOWHERE, to_customers=Way(()), unseal=lambda sealed: b"whsec_" + b"A" * 32, now=wiring.now,
    )  # fmt: skip
    assert (len(asked), on()) == ((0, []) if whose == THEIRS else (1, [hook.key]))


def test_changed_contacts_are_told_to_the_accounts_own_webhooks(office: Office) -> None:
    own, above = hook_of("acct-1", by=THEIRS), hook_of("shop", by="shop@customer.example.com")
    record(
        "portal.contacts_changed", at=wiring.now(), actor=f"customer ({THEIRS})", about=["acct-1"], now=["x@y.example"]
    )
    seal_entries()
    assert hooks.tell(at=wiring.now()) == 1
    (told,) = queries.list_dispatches(own.key)
    assert (told.event, '"account": "acct-1"' in told.body, "x@y" in told.body) == (CONTACTS_CHANGED, True, False)
    assert queries.list_dispatches(above.key) == []
