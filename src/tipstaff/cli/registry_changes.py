"""`tipstaff registry`: its past, its changes, and what people do to it. `registry.py` hangs these on its commands."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import wraps
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any

import typer

from tipstaff.words import HoldingKind, ResourceKind, ServiceKind, Standing, Version

from .base import database, who_types
from .registry_files import import_in_words, many
from .tables import print_rows

AS_JSON = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
CUSTOMER = Annotated[str, typer.Argument(help="The key of a customer: acct-1.")]
SERVICE = Annotated[str, typer.Option("--service", help="The key of the customer's service that it belongs to.")]
EMAIL = Annotated[str, typer.Argument(help="A mail address that customers have designated.")]
WHY = Annotated[str, typer.Option("--why", help="The reason; it stands in the record.")]


def add_commands(app: typer.Typer) -> None:
    """Hang this module's commands on `tipstaff registry`."""
    for command in (
        show, customer, service, end_service, user, history, changes, undo, standing, contacts, bounced, reached,
        letter, hold, end, transfer, resource, site, accept, netbox, delivery_key,
    ):  # fmt: skip
        app.command(command.__name__.replace("_", "-"))(in_sentences(command))


def in_sentences(command: Callable[..., None]) -> Callable[..., None]:
    """A refusal of the registry as one sentence on standard error."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        with database():
            from tipstaff.procedures.registering import REFUSED

            try:
                command(*args, **kwargs)
            except REFUSED as why:
                said = str(why)
                typer.echo(f"tipstaff: {said[:1].upper()}{said[1:].removesuffix('.')}.", err=True)
                raise typer.Exit(1) from why

    return run


def by() -> dict[str, Any]:
    """Now, and who types."""
    from tipstaff import wiring

    return {"at": wiring.now(), "actor": who_types()}


def done(sentence: str, *, as_json: bool, **facts: Any) -> None:
    """What an act did: a sentence, or for a program what it has to know of it."""
    typer.echo(json.dumps(facts, default=plain_json) if as_json else sentence)


def instant(text: str, *, name: str = "The time") -> datetime | None:
    """A time as it was typed; None when nothing was."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{name} {text!r} is none; write one like 2026-03-01T12:00:00Z.") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def show(
    customer: CUSTOMER,
    at: Annotated[str, typer.Option("--at", help="What was so at this time; left out: now.")] = "",
    known_at: Annotated[
        str, typer.Option("--known-at", help="As the registry believed at this time; left out: as it does now.")
    ] = "",
    as_json: AS_JSON = False,
) -> None:
    """Show an account: its standing, contacts, services and all that it holds, now or then, as known now or then."""
    from tipstaff.registry import queries
    from tipstaff.registry.operations import UnknownKey

    now = by()["at"]
    when, known = instant(at, name="--at") or now, instant(known_at, name="--known-at") or now
    then = queries.account_as_known(customer, at=when, known_at=known)
    if then is None:
        raise UnknownKey(f"there was no customer {customer}" if known_at else f"there is no customer {customer}")
    if as_json:
        typer.echo(json.dumps(asdict(then), default=plain_json))
        return
    own = then.customer
    typer.echo(f"{own.key}  {own.name}" + (f", under {own.reseller}" if own.reseller else ""))
    if at or known_at:
        typer.echo(f"at {when:%Y-%m-%d %H:%M} UTC, as known at {known:%Y-%m-%d %H:%M} UTC")
    standing = then.standing
    if standing is not None:
        typer.echo(f"standing: {standing.standing} since {standing.since:%Y-%m-%d %H:%M} UTC")
    lines = {
        "contact": [
            f"{one.name} <{one.email}>" + (", letters come back" if one.bounced_at else "")
            for one in then.representatives
        ],
        "service": [" ".join(filter(None, (one.key, one.kind, one.label, one.port))) for one in then.services],
        "user": [f"{one.key} {one.name} {one.email}".rstrip() for one in then.users],
        "accepted": [f"{one.edition} by {one.contract} on {one.accepted_at:%Y-%m-%d}" for one in then.acceptances],
        "holds": [
            f"{one.prefix}" + (f" ports {one.port_first}-{one.port_last}" if one.shared else "") + f", {one.kind}"
            f" since {one.held_from:%Y-%m-%d %H:%M}, number {one.key}"
            for one in then.holdings
        ],
        "has": [
            f"{one.kind} {one.name}" + (f" on {one.scope}" if one.scope else "")
            + f" since {one.held_from:%Y-%m-%d %H:%M}, number {one.key}"
            for one in then.resources
        ],
        "site": [f"{one.host_name} at {one.address}" for one in then.sites],
    }  # fmt: skip
    for name, rows in lines.items():
        for row in rows:
            typer.echo(f"{name}: {row}")


def customer(
    key: Annotated[str, typer.Argument(help="The account's key: acct-1. A new one adds it.")],
    name: Annotated[str | None, typer.Option("--name", help="Needed for a new one.")] = None,
    reseller: Annotated[str | None, typer.Option("--reseller", help="Key of the account above it; '': none.")] = None,
    is_reseller: Annotated[
        bool | None, typer.Option("--is-reseller/--no-reseller", help="Whether it may have accounts below it.")
    ] = None,
    phone: Annotated[str | None, typer.Option("--phone", help="Its own; compared at admission.")] = None,
    email: Annotated[str | None, typer.Option("--email", help="Its own; contacts are set by `contacts`.")] = None,
    postal_address: Annotated[str | None, typer.Option("--postal-address", help="In one line.")] = None,
    country: Annotated[str | None, typer.Option("--country", help="Two letters: DE.")] = None,
    brand: Annotated[str | None, typer.Option("--brand", help="One that the settings name; '': none.")] = None,
) -> None:
    """Add a customer or change one, and vet them. What is left out stays as it is."""
    from tipstaff import wiring
    from tipstaff.procedures import registering
    from tipstaff.registry import queries
    from tipstaff.words import Customer

    old = queries.get_customer(key)
    if old is None and not name:
        raise typer.BadParameter(f"There is no customer {key}; to add one, give its --name.")
    before = old or Customer(key=key, name=name or "", representative=None)
    if brand and brand not in wiring.brands():
        raise typer.BadParameter(f"The settings name no brand {brand}.")
    above = before.reseller if reseller is None else reseller or None
    wanted = replace(
        before, representative=queries.stated_representative(key), name=name or before.name, reseller=above,
        is_reseller=before.is_reseller if is_reseller is None else is_reseller,
        phone=before.phone if phone is None else phone, email=before.email if email is None else email,
        postal_address=before.postal_address if postal_address is None else postal_address,
        country=before.country if country is None else country, brand=before.brand if brand is None else brand,
    )  # fmt: skip
    registering.save_customer(wanted, **by())
    typer.echo(f"{key} is {'added' if old is None else 'saved'}.")


def service(
    key: Annotated[str, typer.Argument(help="The service's key: svc-1. A new one adds it.")],
    customer: CUSTOMER,
    kind: Annotated[ServiceKind | None, typer.Option("--kind", help="Needed for a new one.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="What it is called.")] = None,
    port: Annotated[str | None, typer.Option("--port", help="Its port or circuit, as logs name it.")] = None,
) -> None:
    """Add a service of a customer's or change one. What is left out stays as it is."""
    from tipstaff.procedures import registering
    from tipstaff.registry import queries
    from tipstaff.words import Service

    old = next((one for one in queries.services_of(customer) if one.key == key), None)
    how = kind or (old.kind if old else None)
    if how is None:
        raise typer.BadParameter(f"{customer} has no service {key}; to add one, give its --kind.")
    registering.save_service(
        Service(
            key=key, customer=customer, kind=how,
            label=label if label is not None else old.label if old else "",
            port=port if port is not None else old.port if old else "",
        ),
        **by(),
    )  # fmt: skip
    typer.echo(f"{key} is {'added' if old is None else 'saved'}.")


def end_service(
    key: Annotated[str, typer.Argument(help="The service's key: svc-1.")],
    at: Annotated[str, typer.Option("--at", help="Left out: now.")] = "",
    as_json: AS_JSON = False,
) -> None:
    """Say that a service has ended, and with it what is held by it."""
    from tipstaff.procedures import registering

    who = by()
    ended = registering.end_service(key, held_until=instant(at, name="--at") or who["at"], **who)
    done(f"{key} has its end, and with it {many(ended, 'holding')}.", as_json=as_json, service=key, holdings=ended)


def user(
    key: Annotated[str, typer.Argument(help="The user's key. A new one adds them.")],
    customer: CUSTOMER,
    name: Annotated[str, typer.Option("--name", help="Who that is.")],
    email: Annotated[str, typer.Option("--email", help="Their mail address.")] = "",
) -> None:
    """Add somebody who uses a customer's account, or change them."""
    from tipstaff.procedures import registering
    from tipstaff.words import AccountUser

    registering.save_user(AccountUser(key=key, customer=customer, name=name, email=email), **by())
    typer.echo(f"User {key} of {customer} is saved.")


def history(
    what: Annotated[str, typer.Argument(help="An address, a prefix, or with --kind the name of a resource.")],
    kind: Annotated[
        ResourceKind | None, typer.Option("--kind", help="What kind of resource: asn, vlan, domain, mac ...")
    ] = None,
    at: Annotated[str, typer.Option("--at", help="Who held it at this time.")] = "",
    known_at: Annotated[str, typer.Option("--known-at", help="As the registry believed at this time.")] = "",
    as_json: AS_JSON = False,
) -> None:
    """Show every version of who held WHAT; or who was believed to hold it then."""
    from tipstaff import wiring
    from tipstaff.registry import queries
    from tipstaff.registry.names import NotInItsForm

    when, known = instant(at, name="--at"), instant(known_at, name="--known-at")
    try:
        if when is None and known is None:
            versions = (
                queries.versions_of_resource(kind, what) if kind else queries.versions_of_addresses(ip_network(what))
            )
            _tell_versions(versions, as_json=as_json)
            return
        now = wiring.now()
        then: list[Any] = (
            list(queries.resource_holders(kind, what, at=when or now, known_at=known or now))
            if kind
            else list(queries.holdings_as_known(ip_address(what), at=when or now, known_at=known or now))
        )
    except NotInItsForm as why:
        raise typer.BadParameter(str(why)) from None
    except ValueError:
        raise typer.BadParameter(
            f"{what!r} is no address or prefix; of something else say its --kind: domain, asn, vlan, mac ..."
        ) from None
    for held in then:
        if as_json:
            typer.echo(json.dumps(asdict(held), default=plain_json))
        else:
            until = f" until {held.held_until:%Y-%m-%d %H:%M}" if held.held_until else ""
            named = getattr(held, "prefix", None) or held.name
            typer.echo(
                f"{held.tier}: {named} {held.customer or 'the operator'} from {held.held_from:%Y-%m-%d %H:%M}{until}"
            )
    if not then and not as_json:
        typer.echo("Nobody was believed to hold it then.")


def _tell_versions(versions: list[Version], *, as_json: bool) -> None:
    if as_json:
        for version in versions:
            typer.echo(json.dumps(asdict(version), default=plain_json))
        return
    if not versions:
        typer.echo("Nobody holds it or ever did, as far as the registry knows.")
        return
    print_rows(
        ("what was believed", "known from (UTC)", "until", "by", "ended by"),
        [
            (
                version.says,
                f"{version.known_from:%Y-%m-%d %H:%M}",
                f"{version.known_until:%Y-%m-%d %H:%M}" if version.known_until else "now",
                version.change or "",
                version.ended_by or "",
            )
            for version in versions
        ],
    )


def changes(
    about: Annotated[str, typer.Argument(help="The key of a customer or a service; left out: all.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many at most.")] = 50,
    as_json: AS_JSON = False,
) -> None:
    """List changes of the registry, the latest first. Each can be undone."""
    from tipstaff.registry import queries

    found = queries.changes_of(about, limit=limit) if about else queries.list_changes(limit=limit)
    if as_json:
        for change in found:
            typer.echo(json.dumps(asdict(change), default=plain_json))
        return
    rows = []
    for change in found:
        gone = f" [undone by {change.undone_by}]" if change.undone_by else ""
        said = change.says[0] if change.says else ""
        more = f" and {change.count - 1} more" if change.count > 1 else ""
        rows.append((change.key, f"{change.at:%Y-%m-%d %H:%M}", change.actor, change.origin, f"{said}{more}{gone}"))
    print_rows(("change", "when (UTC)", "by", "from", "what"), rows, head=2)


def undo(
    keys: Annotated[list[str], typer.Argument(help="Changes, the latest first.", metavar="CHANGE...")],
    why: WHY = "",
) -> None:
    """Bring back what stood before a change. The undoing is a change itself."""
    from tipstaff.procedures import registering

    for key in keys:
        typer.echo(f"{key} is undone by {registering.undo(key, why=why, **by())}.")


def standing(
    customer: CUSTOMER,
    standing: Annotated[Standing, typer.Argument(help="good, suspended or terminated")],
    since: Annotated[str, typer.Option("--since", help="Left out: now.")] = "",
    why: WHY = "",
) -> None:
    """Say that a contract runs, rests or has ended."""
    from tipstaff.procedures import registering

    who = by()
    registering.set_standing(customer, standing, since=instant(since) or who["at"], why=why, **who)
    typer.echo(f"{customer} is {standing}.")


def contacts(
    customer: CUSTOMER,
    emails: Annotated[list[str] | None, typer.Argument(help="The chain, foremost first; left out: show it.")] = None,
    language: Annotated[str, typer.Option("--language", help="Of contacts that are new.")] = "en",
    zone: Annotated[str, typer.Option("--timezone", help="Of contacts that are new.")] = "UTC",
    pgp: Annotated[
        Path | None,
        typer.Option("--openpgp-key", exists=True, dir_okay=False, help="The public key of --of, ASCII-armoured."),
    ] = None,
    smime: Annotated[
        Path | None, typer.Option("--smime", exists=True, dir_okay=False, help="The certificate of --of, PEM.")
    ] = None,
    keyless: Annotated[bool, typer.Option("--no-keys", help="Take the keys of --of away.")] = False,
    of: Annotated[str, typer.Option("--of", help="Whose keys: a contact's address. Left out: the first one's.")] = "",
    as_json: AS_JSON = False,
) -> None:
    """Show or set whom a customer designates for complaints; the next is written to when letters come back.

    Letters to a contact with a key can be read by nobody else.
    """
    from tipstaff.host.envelopes import check_openpgp, check_smime
    from tipstaff.procedures import registering
    from tipstaff.registry import queries
    from tipstaff.registry.operations import UnknownKey
    from tipstaff.words import Representative

    if queries.get_customer(customer) is None:
        raise UnknownKey(f"there is no customer {customer}")
    chain_now = queries.representatives_of(customer)
    known = {person.email.lower(): person for person in chain_now}
    chain = [
        known.get(email.lower()) or Representative(name=email, email=email, language=language, timezone=zone)
        for email in emails or ()
    ] or chain_now
    if pgp or smime or keyless:
        place = next((n for n, one in enumerate(chain) if one.email.lower() == (of or one.email).lower()), None)
        if place is None:
            raise typer.BadParameter(f"{of or 'nobody'} is none of the contacts of {customer}.")
        keys = (_text_of(pgp), _text_of(smime))
        here = chain[place] if not keyless else replace(chain[place], openpgp_key="", smime_certificate="")
        chain[place] = replace(
            here, openpgp_key=keys[0] or here.openpgp_key, smime_certificate=keys[1] or here.smime_certificate
        )
    if chain != chain_now:
        registering.designate(customer, chain, **by())
        chain_now = queries.representatives_of(customer)
    if as_json:
        for person in chain_now:
            typer.echo(json.dumps(asdict(person), default=plain_json))
        return
    if not chain_now:
        typer.echo(f"{customer} has designated nobody: its cases wait for a person.")
    for place, person in enumerate(chain_now, 1):
        marks = [
            f"letters come back since {person.bounced_at:%Y-%m-%d}" if person.bounced_at else "",
            f"verified {person.verified_at:%Y-%m-%d}" if person.verified_at else "",
        ]
        typer.echo(
            f"{place}. {person.name} <{person.email}> {person.language} {', '.join(filter(None, marks))}".rstrip()
        )
        for name, key, check in (
            ("OpenPGP", person.openpgp_key, check_openpgp), ("S/MIME", person.smime_certificate, check_smime)
        ):  # fmt: skip
            if key:
                typer.echo(f"   {name} {_judged(check, key)}")


def _text_of(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise typer.BadParameter(f"{file} is no text in ASCII.") from None


def _judged(check: Callable[..., str], key: str) -> str:
    """Whose key it is, or why letters wait."""
    from tipstaff import wiring
    from tipstaff.host.envelopes import UselessKey

    try:
        return check(key, at=wiring.now())
    except UselessKey as why:
        return f"closes no letter, so letters to them wait: {why}"


def bounced(email: EMAIL, why: WHY = "") -> None:
    """Note that letters to EMAIL come back: the next contact is written to."""
    from tipstaff.procedures import registering

    found = registering.note_bounce(email, why=why, **by())
    typer.echo(f"Noted for {', '.join(found)}." if found else f"No contact has the address {email}, or it was noted.")


def reached(email: EMAIL, why: WHY = "") -> None:
    """Note that EMAIL was shown to reach its representative, who counts as verified."""
    from tipstaff.procedures import registering

    found = registering.note_reached(email, why=why, **by())
    typer.echo(f"Verified for {', '.join(found)}." if found else f"No contact has the address {email}.")


def letter(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="The letter itself; its SHA-256 and name are kept.")
    ],
    customer: Annotated[str, typer.Option("--customer", help="Who may use the prefixes.")],
    issuer: Annotated[str, typer.Option("--issuer", help="Who grants it.")],
    prefixes: Annotated[list[str], typer.Option("--prefix", help="Once for each prefix.")],
    since: Annotated[str, typer.Option("--since", help="Left out: now.")] = "",
    until: Annotated[str, typer.Option("--until", help="Left out: without end.")] = "",
    as_json: AS_JSON = False,
) -> None:
    """File a letter of authority, by which addresses may move to another customer."""
    from tipstaff.procedures import registering

    who = by()
    try:
        networks = [ip_network(prefix) for prefix in prefixes]
        content = file.read_bytes()
    except (ValueError, OSError) as why:
        raise typer.BadParameter(str(why)) from None
    filed = registering.file_letter(
        issuer=issuer, customer=customer, prefixes=networks, valid_from=instant(since) or who["at"],
        valid_until=instant(until), file_name=file.name, content=content, **who,
    )  # fmt: skip
    done(f"{filed.key} is filed: {filed.digest}", as_json=as_json, letter=filed.key, sha256=filed.digest)


def hold(
    prefix: Annotated[str, typer.Argument(help="An address or a prefix: 198.51.100.16/29.")],
    customer: CUSTOMER,
    kind: Annotated[HoldingKind, typer.Option("--kind", help="static, lease, port_block or delegated")] = (
        HoldingKind.STATIC
    ),
    service: SERVICE = "",
    since: Annotated[str, typer.Option("--since", help="Left out: now.")] = "",
    as_json: AS_JSON = False,
) -> None:
    """Give addresses to a customer."""
    from tipstaff.procedures import registering
    from tipstaff.registry import queries
    from tipstaff.words import Holding, Tier

    who = by()
    try:
        network = ip_network(prefix)
    except ValueError as why:
        raise typer.BadParameter(str(why)) from None
    key = registering.hold(
        Holding(
            key=0, tier=Tier.CUSTOMER, kind=kind, prefix=network, held_from=instant(since) or who["at"],
            customer=customer, service=service or None, source="command line",
        ),
        **who,
    )  # fmt: skip
    done(f"{customer} holds {prefix}; the holding's number is {key}.", as_json=as_json, number=key)
    if outside := queries.held_outside(at=who["at"], prefix=network):
        typer.echo(f"tipstaff: {outside}", err=True)


def end(
    key: Annotated[int, typer.Argument(help="The number of a holding, or with --resource of a resource.")],
    is_resource: Annotated[bool, typer.Option("--resource", help="KEY is the number of a resource.")] = False,
    at: Annotated[str, typer.Option("--at", help="Left out: now.")] = "",
    as_json: AS_JSON = False,
) -> None:
    """Set when a holding ends."""
    from tipstaff.procedures import registering

    who = by()
    act = registering.end_resource if is_resource else registering.end_holding
    until = instant(at, name="--at") or who["at"]
    act(key, held_until=until, **who)
    what = "Resource" if is_resource else "Holding"
    done(f"{what} {key} ends on {until:%Y-%m-%d %H:%M} UTC.", as_json=as_json, number=key, held_until=until)


def transfer(
    key: Annotated[int, typer.Argument(help="The number of the holding.")],
    customer: Annotated[str, typer.Argument(help="To whom.")],
    since: Annotated[str, typer.Option("--since", help="Left out: now.")] = "",
    as_json: AS_JSON = False,
) -> None:
    """Move addresses to another customer: refused without a letter of authority."""
    from tipstaff.procedures import registering

    who = by()
    new = registering.transfer_holding(key, to=customer, since=instant(since) or who["at"], **who)
    done(f"{customer} has it; the new holding's number is {new}.", as_json=as_json, number=new)


def resource(
    kind: Annotated[ResourceKind, typer.Argument(help="What it is.")],
    name: Annotated[str, typer.Argument(help="Its name in the form of its kind: AS64500, 100, shop.example.net.")],
    customer: CUSTOMER,
    scope: Annotated[str, typer.Option("--scope", help="The switch, router or service within which it counts.")] = "",
    service: SERVICE = "",
    since: Annotated[str, typer.Option("--since", help="Left out: now.")] = "",
    as_json: AS_JSON = False,
) -> None:
    """Give a customer something beside addresses: an AS number, a VLAN, a domain ..."""
    from tipstaff.procedures import registering
    from tipstaff.words import Resource

    who = by()
    key = registering.hold_resource(
        Resource(
            kind=kind, name=name, scope=scope, customer=customer, service=service or None,
            held_from=instant(since) or who["at"], source="command line",
        ),
        **who,
    )  # fmt: skip
    done(f"{customer} holds {kind} {name}; its number is {key}.", as_json=as_json, number=key)


def site(
    host_name: Annotated[str, typer.Argument(help="shop.example.net")],
    address: Annotated[str, typer.Argument(help="Where it is answered.")],
    customer: CUSTOMER,
    service: SERVICE = "",
    since: Annotated[str, typer.Option("--since", help="Left out: now, or of a known one as it is.")] = "",
    until: Annotated[str, typer.Option("--until", help="When it ends, or has ended.")] = "",
    as_json: AS_JSON = False,
) -> None:
    """Say for which customer a virtual host is answered at an address, or when that ends."""
    from tipstaff.procedures import registering
    from tipstaff.registry import queries
    from tipstaff.words import Site

    who = by()
    try:
        where = ip_address(address)
    except ValueError:
        raise typer.BadParameter(f"{address!r} is not an IPv4 or IPv6 address.") from None
    known = [s for s in queries.sites_named(host_name, at=who["at"]) if (s.address, s.customer) == (where, customer)]
    begin = instant(since) or (known[0].since if known else who["at"])
    kept = known[0].service if known else None
    told = Site(
        host_name=host_name, address=where, customer=customer, service=service or kept, since=begin,
        until=instant(until),
    )  # fmt: skip
    new = registering.save_site(told, **who)
    done(f"{host_name} at {where} is {customer}'s." if new else "Nothing has changed.", as_json=as_json, changed=new)


def accept(
    customer: CUSTOMER,
    edition: Annotated[str, typer.Argument(help="The id of an edition that is posted: 2026-01.")],
    contract: Annotated[str, typer.Option("--contract", help="Its number or file.")],
    accepted_by: Annotated[str, typer.Option("--by", help="Who signed.")] = "",
    at: Annotated[str, typer.Option("--at", help="Left out: now.")] = "",
) -> None:
    """Note that a customer accepted an edition of the policy."""
    from tipstaff import wiring
    from tipstaff.procedures.acceptance import accept_by_contract
    from tipstaff.words import Acceptance

    if edition not in (known := sorted({one.id for one in wiring.editions()})):
        raise typer.BadParameter(f"There is no edition {edition!r} of the policy in use; there is {', '.join(known)}.")
    who = by()
    accept_by_contract(
        Acceptance(
            customer=customer, contract=contract, edition=edition, accepted_at=instant(at) or who["at"],
            accepted_by=accepted_by,
        ),
        **who,
    )  # fmt: skip
    typer.echo(f"{customer} accepted edition {edition}.")


def netbox(
    url: Annotated[str, typer.Argument(help="NetBox' own address: https://netbox.example.net")],
    token_file: Annotated[
        Path,
        typer.Option("--token-file", exists=True, dir_okay=False, help="A file with an API token that may only read."),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    end_gone: Annotated[
        str, typer.Option("--end-gone", help="End what was shown as gone there; the token that stood beneath it.")
    ] = "",
    as_json: AS_JSON = False,
) -> None:
    """Take in tenants, prefixes, addresses, AS numbers, VLANs and circuits from NetBox.

    What is gone there is shown and goes on here, until you accept its end with --end-gone.
    """
    import pynetbox
    import requests

    from tipstaff.procedures.registering import import_netbox

    if not url.startswith(("https://", "http://")):
        raise typer.BadParameter(f"{url!r} is no address of a NetBox; write one like https://netbox.example.net.")
    try:
        api = pynetbox.api(url, token=token_file.read_text(encoding="ascii").strip())
        preview = import_netbox(api, source_name="netbox", dry_run=dry_run, end_gone=end_gone, **by())
    except (OSError, requests.RequestException, pynetbox.RequestError, pynetbox.ContentError) as why:
        typer.echo(f"tipstaff: NetBox at {url} did not answer as it should: {str(why)[:300]}", err=True)
        raise typer.Exit(1) from why
    typer.echo(json.dumps(asdict(preview)) if as_json else import_in_words(preview, dry_run=dry_run))
    if preview.outside:
        typer.echo(f"tipstaff: {preview.outside}", err=True)


def delivery_key() -> None:
    """Print the key by which the customer system signs its deliveries; a first one is made."""
    from tipstaff import wiring

    key = wiring.delivery_key(make=True)
    assert key is not None
    typer.echo(key.decode())


def plain_json(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
