"""Builds everything from the settings; the only room that reads the clock or names a plug-in."""

import contextlib
import functools
import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from tipstaff import config
from tipstaff.config import Config, DeviceConfig, MailOut
from tipstaff.enforcement.guards import Limits
from tipstaff.enforcement.planner import Ability
from tipstaff.enforcement.protocol import BadOption, Driver
from tipstaff.enforcement.windows import BadWindow, maintenance_until, read_windows
from tipstaff.host import keys, sealing
from tipstaff.host.openid import Provider
from tipstaff.host.outward import NotAllowed, Outward
from tipstaff.intake.files import Scanner
from tipstaff.intake.files.clamd import Clamd
from tipstaff.intake.files.yara import Yara
from tipstaff.intake.profiles.reader import ProfilesParser
from tipstaff.intake.protocol import Parser, load_parsers
from tipstaff.intake.trust.found import MailAuthentication, Resolver
from tipstaff.policy import (
    Edition,
    UnknownClause,
    edition_files,
    edition_folders,
    in_the_name_of,
    load_edition,
    read_files,
)
from tipstaff.policy.clocks import zone_of
from tipstaff.policy.shadow import Shadow
from tipstaff.procedures import links
from tipstaff.procedures.desk import Desk
from tipstaff.registry.elsewhere import NotATable, announcer_of, check_table
from tipstaff.words import Announcer, Degree, Role, Rule, Selector

if TYPE_CHECKING:
    from tipstaff.attribution.protocol import Source  # It brings arrays along, which few processes need.
    from tipstaff.sensors.protocol import Detector

log = logging.getLogger("tipstaff.worker")
CASE_LINK_LASTS = timedelta(days=45)
LOG_IN_LINK_LASTS = timedelta(days=1)
CONTACT_LINK_LASTS = timedelta(days=7)


@functools.cache
def settings() -> Config:
    """The settings of this process."""
    return config.load(None, os.environ)


def now() -> datetime:
    """The time, aware UTC. In the demo the example day runs ahead of the real clock by what its file says."""
    real = datetime.now(UTC)  # noqa: TID251 - this is the one place that reads the clock
    ahead = settings().demo.clock_file
    if ahead is None:
        return real
    try:
        return real + timedelta(seconds=float(ahead.read_text() or 0))
    except (FileNotFoundError, ValueError):
        return real


@functools.cache
def parsers() -> tuple[Parser, ...]:
    """All parsers, built-in and plugged in, in the order in which they are asked; the operator's own profiles first."""
    folder = settings().server.profiles_folder
    if folder is None:
        return load_parsers()
    if not folder.is_dir():
        raise config.BadSetting(f"{_where('server', 'profiles_folder')} is {folder}, but there is no such folder.")
    return (ProfilesParser(folder), *load_parsers())


def _where(section: str, key: str) -> str:
    return settings().where(section, key)


@functools.cache
def report_tokens() -> dict[str, str]:
    """SHA-256 of each token -> the name of the program that has it; raise BadSetting for a file that cannot be used."""
    return _tokens_in(settings().reports_in.tokens_file, setting=_where("reports_in", "tokens_file"))


@functools.cache
def sensor_tokens() -> dict[str, str]:
    """The same for sensors. What they hand in is believed without a reporter, so no reporter's token is among them."""
    found = _tokens_in(settings().sightings_in.tokens_file, setting=_where("sightings_in", "tokens_file"))
    if shared := set(found) & set(report_tokens()):
        name = found[shared.pop()]
        raise config.BadSetting(
            f"{_where('sightings_in', 'tokens_file')}: {name} has a reporter's token; give it one of its own."
        )
    return found


def _tokens_in(path: Path | None, *, setting: str) -> dict[str, str]:
    if path is None:
        return {}
    try:
        text, mode = path.read_text(encoding="utf-8"), path.stat().st_mode
    except (OSError, UnicodeDecodeError) as why:
        raise config.BadSetting(f"{setting}: {path} cannot be read ({why}).") from why
    if mode & 0o077:
        raise config.BadSetting(f"{path}: others can read the tokens; run chmod 600 on the file.")
    found: dict[str, str] = {}
    for n, line in enumerate(text.splitlines(), 1):
        name, _, token = line.strip().partition(" ")
        if not name or name.startswith("#"):
            continue
        if len(token.strip()) < 20:
            raise config.BadSetting(f"{path}:{n}: the token of {name} is shorter than 20 characters.")
        found[hashlib.sha256(token.strip().encode()).hexdigest()] = name[:60]
    return found


@functools.cache
def _resolver() -> Resolver | None:
    """The one way by which anything of a complaint may be looked up; None, unless the operator names a resolver."""
    address = settings().trust.resolver
    if not address:
        return None
    from tipstaff.intake.trust.dns import resolver_at

    return resolver_at(address)


def authenticate(raw: bytes, peer: str, sender: str) -> MailAuthentication | None:
    """Who vouches for a mail, where a resolver or the operator's own mail server's notes are set up."""
    trust = settings().trust
    if not trust.resolver and not trust.own_server:
        return None
    from tipstaff.intake.trust import mail_auth

    return mail_auth.authenticate(
        raw,
        resolver=_resolver(),
        peer=peer,
        sender=sender,
        own_server=trust.own_server,
        arc_sealers=frozenset(x.lower() for x in trust.arc_sealers),
    )


@functools.cache
def scanners() -> tuple[Scanner, ...]:
    """What looks through files that come with reports, as far as the settings name it; nothing is asked yet."""
    files = settings().files
    found: list[Scanner] = []
    if files.clamd:
        found.append(Clamd(files.clamd, timeout_seconds=files.timeout_seconds))
    if files.yara_rules is not None:
        found.append(Yara(files.yara_rules, timeout_seconds=files.timeout_seconds))
    return tuple(found)


@functools.cache
def archive_passwords() -> tuple[str, ...]:
    """The passwords agreed with reporters; raise BadSetting when the file cannot be read or others can read it."""
    path = settings().mail_in.archive_passwords_file
    if path is None:
        return ()
    try:
        text, mode = path.read_text(encoding="utf-8"), path.stat().st_mode
    except (OSError, UnicodeDecodeError) as why:
        raise config.BadSetting(
            f"{_where('mail_in', 'archive_passwords_file')}: {path} cannot be read ({why})."
        ) from why
    if mode & 0o077:
        raise config.BadSetting(f"{path}: others can read the archives' passwords; run chmod 600 on the file.")
    return tuple(x for x in text.splitlines() if x.strip())[:50]


def check_announcements() -> None:
    """Raise BadSetting for a table of announcements that cannot be used."""
    path = settings().mail_out.announcements_file
    if path is None:
        return
    try:
        check_table(path)
    except (OSError, NotATable) as why:
        raise config.BadSetting(f"{_where('mail_out', 'announcements_file')}: {path} cannot be used ({why}).") from why


def _announcer_of(address: IPv4Address | IPv6Address) -> Announcer | None:
    """Who likely holds what is not ours. A hint: where the table cannot be read, the letter goes without one."""
    path = settings().mail_out.announcements_file
    if path is None:
        return None
    try:
        return announcer_of(address, path)
    except (OSError, NotATable) as why:
        log.warning("[mail_out] announcements_file %s cannot be used (%s); letters name no likely holder.", path, why)
        return None


@functools.cache
def installed_editions() -> tuple[Edition, ...]:
    """What this installation came with: the editions in the operator's own folder, or the shipped one."""
    return tuple(_in_our_name(load_edition(folder)) for folder in _installed_folders())


def _in_our_name(edition: Edition) -> Edition:
    return in_the_name_of(edition, settings().operator.name)


def editions_of_others(editions: Iterable[Edition]) -> list[str]:
    """A sentence for each edition of the operator's own that names another than the settings do."""
    name = settings().operator.name
    return [
        f"Edition {edition.id} says that it is the policy of {edition.entity!r} (entity in its edition.toml), but "
        f"[operator] name is {name!r}, and customers read both. If that is not meant, set the name, or publish an "
        "edition with another entity."
        for edition in editions
        if edition.entity != name
    ]


def _installed_folders() -> list[Path]:
    own = settings().server.editions_folder
    folders = edition_folders() if own is None else edition_folders(own)
    if not folders:
        raise config.BadSetting(
            f"{_where('server', 'editions_folder')} is {own}, but no edition lies there: one folder for each."
        )
    return folders


def editions() -> tuple[Edition, ...]:
    """What may be judged by: every edition that was posted, each with the moment from which it counts.

    Before the first start has adopted what the installation came with, that is all there is.
    """
    from tipstaff.editions.queries import posted_editions

    posted = posted_editions()
    return tuple(_posted(digest, effective_at) for digest, effective_at in posted) if posted else installed_editions()


@functools.lru_cache(maxsize=64)
def _posted(digest: str, effective_at: datetime) -> Edition:
    """An edition as it was posted. Its folder may be gone: what counts is kept on record."""
    from tipstaff.editions.queries import files_of

    files = {name: text.encode() for name, text in files_of(digest).items()}
    edition = read_files(files, where=f"edition {digest[:12]}")
    assert edition.digest == digest, "what is kept is what was posted"
    return _in_our_name(replace(edition, effective_at=effective_at))


def adopt_editions() -> None:
    """At the first start: what the installation came with is posted, and the record says so."""
    from tipstaff.editions.queries import posted_editions

    folders = _installed_folders()
    if posted_editions():
        return  # As at every later start: what the procedure needs takes longer to load than most commands to run.
    from tipstaff.procedures.editions import adopt_installed

    stated = settings().server.first_edition_since
    since = datetime.fromisoformat(stated) if stated else None
    adopt_installed([edition_files(folder) for folder in folders], since=since, at=now())


@functools.cache
def shadow() -> Shadow | None:
    """The edition, or some clauses of one, that runs in the shadow, if the settings name one."""
    own = settings().server
    if own.shadow_folder is None:
        if own.shadow_clauses:
            raise config.BadSetting(
                f"{_where('server', 'shadow_clauses')} names clauses, but no shadow_folder says of which edition."
            )
        return None
    try:
        return Shadow(edition=load_edition(own.shadow_folder), clauses=own.shadow_clauses)
    except UnknownClause as why:
        raise config.BadSetting(f"{_where('server', 'shadow_clauses')}: {why}.") from why


def source_kinds() -> frozenset[str]:
    """The names of all kinds of identity source; none is loaded for it."""
    return frozenset(ep.name for ep in entry_points(group="tipstaff.sources"))


@functools.cache
def sources() -> "Mapping[str, Source]":
    """All kinds of identity source, by name."""
    return {ep.name: ep.load()() for ep in sorted(entry_points(group="tipstaff.sources"), key=lambda ep: ep.name)}


@functools.cache
def detectors() -> "Mapping[str, Detector]":
    """All detectors that are installed, by name."""
    return {ep.name: ep.load()() for ep in sorted(entry_points(group="tipstaff.detectors"), key=lambda ep: ep.name)}


class NoSuchDriver(LookupError):
    """The settings name a driver that is not installed; the message lists those that are."""


def driver(device: DeviceConfig) -> Driver:
    """The driver of a configured device; raise NoSuchDriver, or BadOption for options it cannot use."""
    known = {ep.name: ep for ep in entry_points(group="tipstaff.drivers")}
    if device.driver not in known:
        raise NoSuchDriver(
            f"device {device.name!r} names the driver {device.driver!r}; installed are {', '.join(sorted(known))}"
        )
    options: Mapping[str, object] = device.options
    made: Driver = known[device.driver].load()(device.name, options)
    return made


class BadProtected(ValueError):
    """A device's protected list holds what is no address or prefix; the message names it."""


def protected(device: DeviceConfig) -> tuple[IPv4Network | IPv6Network, ...]:
    """The addresses that no measure on this device may touch; raise BadProtected for what is none, nor a name."""
    try:
        return tuple(ip_network(p, strict=False) for p in device.protected if not _is_name(p))
    except ValueError as why:
        raise BadProtected(f"device {device.name!r}: protected: {why}") from why


_OUR_OWN = ("address", "server", "resolvers", "policy", "status", "garden", "garden_resolvers", "page_addresses")
"""Options of devices that name a thing of the operator's own: a device, a resolver, a page."""


def infrastructure() -> tuple[IPv4Network | IPv6Network, ...]:
    """The addresses that the settings name as the operator's own things: no measure on any device may touch them."""
    found = set()
    for device in settings().devices:
        for name in _OUR_OWN:
            given = device.options.get(name)
            for text in given if isinstance(given, list | tuple) else (given,):
                host = str(text).rpartition(":")[0].strip("[]")
                for written in (str(text), host):
                    with contextlib.suppress(ValueError):
                        found.add(ip_network(ip_address(written)))
                        break
    return tuple(sorted(found, key=lambda n: (n.version, n)))


def _protected_names(device: DeviceConfig) -> tuple[str, ...]:
    """The names that no measure on this device may touch; the desk's own pages and mailboxes are always among them,
    those of each brand too."""
    own = settings()
    mailboxes = {own.operator.abuse_address, own.from_address, *(brand.address for brand in own.brands)}
    return tuple(name for name in (*device.protected, *sorted(own_hosts() | mailboxes)) if _is_name(name))


def _is_name(text: str) -> bool:
    """Whether it is a host name, mail address or machine (MAC), and not an address that is written wrongly."""
    if re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", text):
        return True
    last = text.rstrip(".").rpartition("@")[2].rpartition(".")[2]
    return "/" not in text and ":" not in text and "." in text and any(c.isalpha() for c in last)


def in_maintenance(device: DeviceConfig, *, at: datetime) -> datetime | None:
    """When the maintenance of a device ends that lasts at `at`; None if none does."""
    return maintenance_until(read_windows(device.maintenance), at)


def limits(device: DeviceConfig, *, at: datetime) -> Limits:
    """What may not be sent to a device: beyond our own space now, onto what is protected, or too much at once."""
    from tipstaff.procedures.sessions import holders_of_port, holders_of_session
    from tipstaff.procedures.suspension import others_beyond
    from tipstaff.registry.queries import (
        count_customers,
        customers_named_by,
        get_customer,
        get_service,
        names_of_customers,
        own_space,
    )

    # Below a hundred customers a tenth of them is a handful, and a handful is no mass: only the count is fused then.
    total = count_customers()
    return Limits(
        own=own_space(at=at),
        protected=(*protected(device), *infrastructure()),
        protected_names=_protected_names(device),
        owns_name=lambda name: bool(customers_named_by(name, at=at)),
        owns_session=lambda selector: bool(holders_of_session(selector, at=at)),
        owns_mailbox=lambda name: bool(customers_named_by(name, at=at)),
        owns_port=lambda place: bool(holders_of_port(place, at=at)),
        names_owned=lambda names: names_of_customers(names, at=at),
        owns_account=lambda key: get_customer(key) is not None,
        owns_service=lambda key: get_service(key) is not None,
        others_beyond=lambda customer, rule: others_beyond(customer, rule.selector, measure=rule.measure, at=at),
        shortest_v4=device.shortest_ipv4,
        shortest_v6=device.shortest_ipv6,
        new_rules_max=device.new_measures_max,
        customers_total=total if total >= 100 else None,
        overridden_by=(device.let_pass_by[0], device.let_pass_by[1]) if device.let_pass_by else None,
    )


@functools.cache
def drivers() -> tuple[Driver, ...]:
    """The drivers of all configured devices; raise BadSetting for one that cannot be made. It touches nothing yet."""
    made = []
    for device in settings().devices:
        try:
            made.append(driver(device))
            protected(device)
            read_windows(device.maintenance)
        except (NoSuchDriver, BadOption, BadProtected, BadWindow) as why:
            where = settings().where_table("devices", device.name)
            raise config.BadSetting(f"{where} {str(why).rstrip('.')}.") from why
    return tuple(made)


def abilities(at: datetime) -> tuple[Ability, ...]:
    """What each device can do, within what may be sent to it at `at`."""
    named = {d.name: d for d in settings().devices}
    return tuple(replace(d.ability, limits=limits(named[d.device], at=at), holds=_holds(d)) for d in drivers())


def _holds(driver: Driver) -> Callable[[Selector, Degree], bool]:
    """Ask a driver before anything is planned; which measure it would be does not matter to it."""
    return lambda selector, degree: driver.supports(
        Rule(measure="M-000000", case="C-000000", selector=selector, degree=degree)
    )


def keys_folder() -> Path:
    return settings().server.data_folder / "keys"


def make_keys() -> None:
    """Make what is missing of this installation's own keys."""
    sealing.make_keys(keys_folder())


def delivery_key(*, make: bool = False) -> bytes | None:
    """The key by which the customer system signs its deliveries; None, or with `make` a new one, if there is none."""
    path = keys_folder() / "customer-system"
    return keys.read_or_make(path).encode() if make or path.exists() else None


def make_webhook_keys() -> None:
    """Make the keys that webhooks' secrets are sealed with, if they are missing."""
    sealing.make_keys(keys_folder(), stem="webhooks")


def seal_secret(secret: bytes) -> bytes:
    """Seal a webhook's secret for the worker."""
    make_webhook_keys()
    return sealing.seal(secret, public=(keys_folder() / "webhooks.public").read_bytes())


def unseal_secret(sealed: bytes) -> bytes:
    """Open what `seal_secret` sealed; only the worker does."""
    return sealing.unseal(sealed, private=(keys_folder() / "webhooks.private").read_bytes())


def seal_log_in(secret: bytes) -> bytes:
    """Seal what a person logs in with, so that a copy of the database alone logs nobody in."""
    sealing.make_keys(keys_folder(), stem="log-ins")
    return sealing.seal(secret, public=(keys_folder() / "log-ins.public").read_bytes())


def unseal_log_in(sealed: bytes) -> bytes:
    """Open what `seal_log_in` sealed; only the web process does."""
    return sealing.unseal(sealed, private=(keys_folder() / "log-ins.private").read_bytes())


def openid_provider() -> Provider | None:
    """The operator's identity provider, where the settings name one."""
    return _provider(settings().staff, back="/login/company/back")


def customers_openid_provider(base: str) -> Provider | None:
    """The identity provider of customers' people, where the settings name one; they come back to a host of ours."""
    return _provider(settings().portal, back="/account/company/back", base=base)


def _provider(own: config.Staff | config.Portal, *, back: str, base: str = "") -> Provider | None:
    if not own.openid_issuer:
        return None
    file = own.openid_secret_file
    return Provider(
        issuer=own.openid_issuer, client_id=own.openid_client_id,
        secret=file.read_text("utf-8").strip() if file is not None else "",
        back=f"{base or settings().public_url}{back}",
    )  # fmt: skip


def outward() -> Outward:
    """The way out for webhooks: to the hosts that the settings name."""
    try:
        return Outward(settings().api.webhook_hosts)
    except NotAllowed as why:
        raise config.BadSetting(f"{_where('api', 'webhook_hosts')}: {why}.") from why


def outward_to_customers() -> Outward:
    """The same for customers' webhooks."""
    try:
        return Outward(settings().portal.webhook_hosts, setting="[portal] webhook_hosts")
    except NotAllowed as why:
        raise config.BadSetting(f"{_where('portal', 'webhook_hosts')}: {why}.") from why


def _seal(content: bytes) -> bytes:
    return sealing.seal(content, public=(keys_folder() / "sealed.public").read_bytes())


def unseal(sealed: bytes) -> bytes:
    """Open what was sealed, with the desk's private key; only `tipstaff sealed open` does."""
    return sealing.unseal(sealed, private=(keys_folder() / "sealed.private").read_bytes())


def brands() -> Mapping[str, config.BrandConfig]:
    """The operator's brands by name."""
    return {brand.name: brand for brand in settings().brands}


def on_host_of(brand: config.BrandConfig, link: str) -> str:
    """A link to our pages as it leads to the brand's own host."""
    base = settings().public_url
    if not brand.public_url or not link.startswith(f"{base}/"):
        return link
    return brand.public_url.rstrip("/") + link.removeprefix(base)


def own_hosts() -> frozenset[str]:
    """The names under which our pages are reached."""
    urls = (settings().public_url, *(brand.public_url for brand in settings().brands))
    return frozenset(filter(None, ((urlsplit(url).hostname or "").lower() for url in urls)))


def mail_server() -> MailOut:
    """The way out for letters, with the address that they come from."""
    return replace(settings().mail_out, from_address=settings().from_address)


def portal_link(case: str, at: datetime) -> str:
    """Where a customer answers, on the host of the brand that they are under now."""
    brand = _brand_of(case)
    return case_link(case, at, brand=brand.name if brand is not None else "")


def case_link(case: str, at: datetime, *, brand: str = "") -> str:
    """The same on the host of this brand, as a letter's link is on that of the letter's; made anew for each letter,
    never stored."""
    link = _link(links.Link.CASE, case, at=at, lasts=CASE_LINK_LASTS)
    return on_host_of(found, link) if (found := brands().get(brand)) is not None else link


def _brand_of(case: str) -> config.BrandConfig | None:
    """The brand of the customer whose case it is."""
    from tipstaff.cases.queries import get_case
    from tipstaff.registry.queries import get_customer

    found = get_case(case) if settings().brands else None
    customer = get_customer(found.customer) if found is not None else None
    return brands().get(customer.brand) if customer is not None else None


def log_in_link(log_in: str, at: datetime) -> str:
    """Where somebody of a customer's logs in, agrees to be a contact, shows that a key is theirs, or sees what their
    reseller passed on.

    Made anew for each letter, never stored.
    """
    if log_in.startswith(links.CONTACT):
        return _link(links.Link.CONTACT, log_in, at=at, lasts=CONTACT_LINK_LASTS)
    if log_in.startswith(links.KEY):
        return _link(links.Link.KEY, log_in, at=at, lasts=LOG_IN_LINK_LASTS)
    if log_in.startswith(links.FORWARD):
        return _link(links.Link.FORWARD, log_in, at=at, lasts=CASE_LINK_LASTS)
    return _link(links.Link.LOG_IN, log_in, at=at, lasts=LOG_IN_LINK_LASTS)


def report_link(report: str, at: datetime) -> str:
    """Where a complainant sees what became of a report."""
    return _link(links.Link.REPORT, report, at=at, lasts=links.REPORT_LINK_LASTS)


def _link(kind: links.Link, key: str, *, at: datetime, lasts: timedelta) -> str:
    return f"{settings().public_url}/{kind.path}/{links.make_link(kind, key, at=at, expires_at=at + lasts)}"


def policy_link(edition: str) -> str:
    """Where an edition of the policy is shown, and what it changes."""
    return f"{settings().public_url}/policy/{quote(edition)}/changes"


def enqueue(job: str, key: str) -> None:
    """Ask for background work in the caller's transaction."""
    from .jobs import defer

    defer(job, key)


def _roles_of(name: str) -> frozenset[Role]:
    from tipstaff.procedures.staffing import roles_of

    return roles_of(name)


def desk() -> Desk:
    """What every procedure needs, with the editions that are posted by now."""
    return _desk(editions())


@functools.lru_cache(maxsize=2)
def _desk(editions: tuple[Edition, ...]) -> Desk:
    own = settings()
    return Desk(
        operator=own.operator.name,
        abuse_address=own.operator.abuse_address,
        own_addresses=frozenset(
            {own.operator.abuse_address.lower(), own.from_address.lower(), *(b.address.lower() for b in own.brands)}
            - {""}
        ),
        brands=brands(),
        own_domains=frozenset(d.lower() for d in own.operator.own_domains),
        editions=editions,
        parsers=parsers(),
        abilities=abilities,
        mail_out_ready=bool(own.mail_out.host),
        zone=own.operator.zone or zone_of(editions[-1].locale if editions else ""),
        complainant_hourly_max=own.mail_out.complainant_hourly_max,
        roles_of=_roles_of,
        shadow=shadow(),
        enqueue=enqueue,
        seal=_seal,
        portal_link=portal_link,
        policy_link=policy_link,
        on_host_of=on_host_of,
        report_link=report_link,
        announcer_of=_announcer_of,
        archive_passwords=archive_passwords(),
        authenticate=authenticate,
        flood_hourly=own.trust.flood_hourly,
        scanners=scanners(),
        file_octets_max=own.files.max_mib * 1024 * 1024,
    )
