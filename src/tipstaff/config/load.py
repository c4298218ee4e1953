"""Reads the settings file and the environment into a `Config`."""

import difflib
import functools
import re
import tomllib
import types
import typing
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from tipstaff.words import STAFF_ROLES

from .shape import COLOURS, Bounds, BrandConfig, Config, DeviceConfig, FeedConfig, MailboxConfig

_SECTIONS = (
    "server",
    "operator",
    "web",
    "staff",
    "api",
    "portal",
    "mail_in",
    "mail_out",
    "reports_in",
    "sightings_in",
    "trust",
    "files",
    "prober",
    "demo",
)
_SHORT = {"TIPSTAFF_DATABASE_URL": ("server", "database_url"), "TIPSTAFF_DATA": ("server", "data_folder")}
_IS_SETTING = re.compile(
    r"^TIPSTAFF_(?:SERVER|OPERATOR|WEB|STAFF|API|PORTAL|MAIL_IN|MAIL_OUT|REPORTS_IN|SIGHTINGS_IN|TRUST|FILES|PROBER|DEMO)_[A-Z_]+$"
)
_NEARLY = re.compile(r"^TIPSTAFF_([A-Z]+(?:_[A-Z]+)?)_[A-Z_]+$")


_TABLES: dict[str, Any] = {
    "devices": DeviceConfig,
    "mailboxes": MailboxConfig,
    "feeds": FeedConfig,
    "brands": BrandConfig,
}
"""Sections of which there may be many, each `[[name]]`."""


class BadSetting(ValueError):
    """A setting is unknown or has a value that cannot be used; the message says where and what to do."""


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read settings from `path` (or `TIPSTAFF_CONFIG`) and `environ`; raise BadSetting with one clear sentence."""
    if path is None and environ.get("TIPSTAFF_CONFIG"):
        path = Path(environ["TIPSTAFF_CONFIG"])
    text, folder = "", Path()
    if path is not None:
        folder = path.absolute().parent
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as why:
            raise BadSetting(
                f"{path}: the settings file cannot be read ({why.strerror}); name another with --config."
            ) from why
        except UnicodeDecodeError as why:
            raise BadSetting(f"{path}: the settings file is not UTF-8 text; save it as UTF-8.") from why
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as why:
        raise BadSetting(f"{path}:{_broken_line(text, why)}: the file is not valid TOML: {why}.") from why

    sections: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    places: dict[tuple[str, str], str] = {}
    for name, value in tree.items():
        if name in _TABLES:
            continue
        if name not in _SECTIONS or not isinstance(value, dict):
            hint = _did_you_mean(name, (*_SECTIONS, *_TABLES))
            where = f"{path}:{_line_of(text, '', name)}"
            below = [section for section in _SECTIONS if name in typing.get_type_hints(_type_of(section))]
            if below and not isinstance(value, dict):
                raise BadSetting(f"{where}: {name} stands in no section; write it below [{'] or ['.join(below)}].")
            raise BadSetting(f"{where}: unknown section [{name}]{hint}.")
        hints = typing.get_type_hints(_type_of(name))
        for key, given in value.items():
            places[name, key] = f"{path}:{_line_of(text, name, key)}"
            where = f"{places[name, key]}: [{name}] {key}"
            if key not in hints:
                raise BadSetting(f"{where} is not a setting{_did_you_mean(key, hints)}.")
            if _means_not_set(given, hints[key]):
                continue
            sections[name][key] = _convert(given, hints[key], where, folder=folder)
    _lay_environment_over(sections, environ, places)
    devices = _devices(tree.get("devices", []), path, text)
    built = {name: _type_of(name)(**values) for name, values in sections.items()}
    tables: dict[str, Any] = {
        name: _tables(tree.get(name, []), kind, name, path=path, text=text)
        for name, kind in _TABLES.items()
        if name != "devices"
    }
    for name in _TABLES:
        for n, table in enumerate(tree.get(name, [])):
            places[name, table["name"]] = f"{path}:{_nth_line(text, f'[[{name}]]', n)}"
    config = Config(**built, devices=devices, **tables, path=path, places=places)
    _check(config, environ)
    return config


def _type_of(section: str) -> Any:
    return typing.get_type_hints(Config)[section]


def _lay_environment_over(
    sections: dict[str, dict[str, Any]], environ: Mapping[str, str], places: dict[tuple[str, str], str]
) -> None:
    for name, given in environ.items():
        if name in _SHORT:
            section, key = _SHORT[name]
        elif _IS_SETTING.match(name):
            rest = name.removeprefix("TIPSTAFF_").lower()
            section = next(s for s in sorted(_SECTIONS, key=len, reverse=True) if rest.startswith(s + "_"))
            key = rest[len(section) + 1 :]
        else:
            _refuse_unknown(name, environ)
            continue
        hints = typing.get_type_hints(_type_of(section))
        if key not in hints:
            raise BadSetting(
                f"environment: {name} is not a setting{_did_you_mean(key, hints, f'TIPSTAFF_{section.upper()}_')}."
            )
        if _means_not_set(given, hints[key]):
            continue
        places[section, key] = f"environment: {name}"
        sections[section][key] = _convert(given, hints[key], places[section, key], from_text=True)


def _refuse_unknown(name: str, environ: Mapping[str, str]) -> None:
    """A variable with our prefix that is no setting would be ignored in silence."""
    if not name.startswith("TIPSTAFF_") or _NO_SETTING.fullmatch(name):
        return
    if "KUBERNETES_SERVICE_HOST" in environ and _OF_A_SERVICE.fullmatch(name):
        return
    section = _NEARLY.match(name)
    for candidate in {section.group(1), section.group(1).partition("_")[0]} if section else ():
        near = difflib.get_close_matches(candidate.lower(), _SECTIONS, n=1, cutoff=0.8)
        if near and candidate.lower() not in _SECTIONS:
            raise BadSetting(
                f"environment: {name} is not a setting; did you mean {name.replace(candidate, near[0].upper(), 1)}?"
            )
    raise BadSetting(
        f"environment: {name} is not a setting; unset it, or see docs/operate/settings.md for those there are."
    )


_NO_SETTING = re.compile(
    r"TIPSTAFF_(CONFIG|LOG_LEVEL|SUPERVISED|NO_APT|PYTHON|PICTURES|GOLDEN|UPDATE_GOLDEN|TEST_[A-Z_]+)"
)
"""What has our prefix and is for others: the command line, the supervisor, the set-up, tests."""
_OF_A_SERVICE = re.compile(r"TIPSTAFF_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)")
"""Kubernetes sets these for a service that is called tipstaff."""


def _means_not_set(given: Any, hint: Any) -> bool:
    """An empty path would be the current folder, and an empty URL some server by chance: neither is ever meant."""
    return given == "" and hint in (Path, Path | None, str | None)


def _convert(given: Any, hint: Any, where: str, *, from_text: bool = False, folder: Path = Path()) -> Any:
    """A value as its setting takes it; a path of the file is meant from the file's `folder`."""
    value = _converted(given, hint, where, from_text=from_text, folder=folder)
    for text in map(str, value if isinstance(value, tuple) else (value,)):
        # It would break a mail's header or a log's line. Cs: octets of the environment that are no UTF-8.
        if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in text):
            raise BadSetting(f"{where} holds a control character or is no UTF-8; write it as one line of plain text.")
    return value


def _converted(given: Any, hint: Any, where: str, *, from_text: bool, folder: Path) -> Any:
    if isinstance(hint, types.UnionType):
        hint = next(h for h in typing.get_args(hint) if h is not type(None))
    if from_text:
        text = str(given)
        if hint is int:
            try:
                return int(text)
            except ValueError:
                raise BadSetting(f"{where} is {text!r}, but it takes a whole number.") from None
        if hint is bool:
            if text.lower() in ("1", "true", "yes", "on"):
                return True
            if text.lower() in ("0", "false", "no", "off", ""):
                return False
            raise BadSetting(f"{where} is {text!r}, but it takes true or false.")
        if typing.get_origin(hint) is tuple:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        # Whoever sets a variable means the folder that they are in; no process may be in another when it is used.
        return Path(text).expanduser().absolute() if hint is Path else text
    if hint is Path:
        if isinstance(given, str):
            return folder / Path(given).expanduser()
        raise BadSetting(f"{where} is {given!r}, but it takes a path in quotes.")
    if typing.get_origin(hint) is tuple:
        if isinstance(given, list) and all(isinstance(x, str) for x in given):
            return tuple(given)
        raise BadSetting(f'{where} is {given!r}, but it takes a list of texts, for example ["a", "b"].')
    words = {int: "a whole number", bool: "true or false", str: "a text in quotes"}
    if hint in words and type(given) is not hint:
        shown = str(given).lower() if isinstance(given, bool) else repr(given)
        raise BadSetting(f"{where} is {shown}, but it takes {words[hint]}.")
    return given


def _devices(given: Any, path: Path | None, text: str) -> tuple[DeviceConfig, ...]:
    if not isinstance(given, list):
        raise BadSetting(
            f"{path}:{_line_of(text, '', 'devices')}: devices are written as [[devices]], one table a device."
        )
    devices: list[DeviceConfig] = []
    for n, table in enumerate(given):
        if not isinstance(table, dict):
            where = f"{path}:{_line_of(text, '', 'devices')}"
            raise BadSetting(f"{where}: devices are written as [[devices]], one table a device.")
        line = _nth_line(text, "[[devices]]", n)
        for key in ("name", "driver"):
            if not isinstance(table.get(key), str) or not table[key]:
                raise BadSetting(f"{path}:{line}: a [[devices]] table lacks its {key}, a text in quotes.")
        whole = ("shortest_ipv4", "shortest_ipv6", "new_measures_max")
        ours = ("name", "driver", "protected", "let_pass_by", "maintenance", *whole)
        rest = {k: v for k, v in table.items() if k not in ours}
        protected = _convert(table.get("protected", []), tuple[str, ...], f"{path}:{line}: [[devices]] protected")
        people = _convert(table.get("let_pass_by", []), tuple[str, ...], f"{path}:{line}: [[devices]] let_pass_by")
        windows = _convert(table.get("maintenance", []), tuple[str, ...], f"{path}:{line}: [[devices]] maintenance")
        numbers = {key: _convert(table[key], int, f"{path}:{line}: [[devices]] {key}") for key in whole if key in table}
        if people and len({p.strip().lower() for p in people if p.strip()}) != 2:
            raise BadSetting(f"{path}:{line}: [[devices]] let_pass_by takes the names of two different people.")
        if table["name"] in {d.name for d in devices}:
            raise BadSetting(f"{path}:{line}: the device {table['name']!r} is named twice; give each its own name.")
        device = DeviceConfig(
            name=table["name"],
            driver=table["driver"],
            options=rest,
            protected=protected,
            let_pass_by=people,
            maintenance=windows,
            **numbers,
        )
        _check_bounds(device, lambda key, line=line: f"{path}:{line}: [[devices]] {key}")  # type: ignore[misc]  # a lambda with a default has no type
        devices.append(device)
    return tuple(devices)


def _tables(given: Any, kind: Any, section: str, *, path: Path | None, text: str) -> tuple[Any, ...]:
    """Each `[[section]]` as a `kind`; keys that are no field of it are its `options`, where it has any."""
    if not isinstance(given, list) or not all(isinstance(x, dict) for x in given):
        raise BadSetting(
            f"{path}:{_line_of(text, '', section)}: {section} are written as [[{section}]], one table for each."
        )
    hints = typing.get_type_hints(kind)
    built: list[Any] = []
    for n, table in enumerate(given):
        where = f"{path}:{_nth_line(text, f'[[{section}]]', n)}: [[{section}]]"
        folder = Path() if path is None else path.absolute().parent
        values: dict[str, Any] = {}
        for key, value in table.items():
            if _means_not_set(value, hints.get(key)):
                continue
            if key in hints and key != "options":
                values[key] = _convert(value, hints[key], f"{where} {key}", folder=folder)
            elif "options" in hints:
                values.setdefault("options", {})[key] = value
            else:
                raise BadSetting(f"{where} {key} is not a setting{_did_you_mean(key, hints)}.")
        for needed in ("name", "kind"):
            if needed in hints and not values.get(needed):
                raise BadSetting(f"{where} lacks its {needed}, a text in quotes.")
        if values["name"] in {x.name for x in built}:
            raise BadSetting(f"{where}: the name {values['name']!r} is used twice; give each its own.")
        built.append(kind(**values))
        _check_bounds(built[-1], f"{where} {{}}".format)
    return tuple(built)


def _check(config: Config, environ: Mapping[str, str]) -> None:
    where = config.where
    for section in _SECTIONS:
        _check_bounds(getattr(config, section), functools.partial(where, section))
    _check_values(config, where)
    mail_in = config.mail_in
    if mail_in.memory_mib < mail_in.max_mib:
        raise BadSetting(
            f"{where('mail_in', 'memory_mib')} is {mail_in.memory_mib}, "
            f"but it must hold one mail of the largest size ([mail_in] max_mib, {mail_in.max_mib})."
        )
    if config.trust.resolver:
        try:
            ip_address(config.trust.resolver)
        except ValueError:
            raise BadSetting(
                f"{where('trust', 'resolver')} is {config.trust.resolver!r}, but it takes the address of a resolver."
            ) from None
    clamd = config.files.clamd
    if clamd and not clamd.startswith("/") and not re.fullmatch(r"[0-9.]+:\d{1,5}|\[[0-9a-fA-F:.]+\]:\d{1,5}", clamd):
        raise BadSetting(
            f"{where('files', 'clamd')} is {clamd!r}, but it takes a socket's path, or an address and a port."
        )
    url = config.server.database_url
    if url is not None and not re.match(r"^postgres(?:ql)?://", url):
        raise BadSetting(
            f"{where('server', 'database_url')} does not begin with postgresql://; write postgresql://user@host/name."
        )
    level = environ.get("TIPSTAFF_LOG_LEVEL", "INFO")
    if level not in _LEVELS:
        raise BadSetting(f"environment: TIPSTAFF_LOG_LEVEL is {level!r}, but it takes one of {', '.join(_LEVELS)}.")
    if bool(config.mail_out.dkim_selector) != bool(config.mail_out.dkim_key_file):
        keys = ("dkim_selector", "dkim_key_file")
        given, other = keys if config.mail_out.dkim_selector else reversed(keys)
        raise BadSetting(f"{where('mail_out', given)} and {other} go together: set both, or neither.")
    _check_openid(config, where)
    secrets = {
        "log-in secret": config.staff.openid_secret_file,
        "mail password": config.mail_out.password_file,
        "DKIM key": config.mail_out.dkim_key_file,
        "OpenPGP key": config.mail_out.openpgp_key_file,
        "S/MIME key": config.mail_out.smime_key_file,
    }
    for what, file in secrets.items():
        if file and file.exists() and file.stat().st_mode & 0o077:
            raise BadSetting(f"{file}: others can read the {what}; run chmod 600 on the file.")


def _check_openid(config: Config, where: Callable[[str, str], str]) -> None:
    staff = config.staff
    if staff.openid_issuer:
        parts = urlsplit(staff.openid_issuer)
        if not parts.hostname or parts.query or parts.fragment or parts.scheme not in ("https", "http"):
            raise BadSetting(
                f"{where('staff', 'openid_issuer')} is {staff.openid_issuer!r}, "
                "but it takes an address, for example https://login.example.net."
            )
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise BadSetting(f"{where('staff', 'openid_issuer')} takes https; http is for this machine's own address.")
        if not staff.openid_client_id:
            raise BadSetting(f"{where('staff', 'openid_issuer')} needs openid_client_id beside it.")
    named = {"second_factor_for": set(staff.second_factor_for) - {"*"}}
    for key in (pairs := ("openid_roles", "closed_groups")):
        named[key] = {pair.rpartition("=")[2].strip() for pair in getattr(staff, key)}
    for key, roles in named.items():
        if unknown := sorted(roles - set(_ROLES)):
            raise BadSetting(f"{where('staff', key)}: there is no role {unknown[0]!r}; roles are {', '.join(_ROLES)}.")
    for key in pairs:
        if any(not pair.rpartition("=")[0].strip() for pair in getattr(staff, key)):
            raise BadSetting(f"{where('staff', key)}: each is written group=role.")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check_values(config: Config, where: Callable[[str, str], str]) -> None:
    """What is of the right type and still cannot be meant."""

    def refuse(section: str, key: str, wants: str) -> None:
        value = getattr(getattr(config, section), key)
        shown = ", ".join(map(repr, value)) if isinstance(value, tuple) else repr(value)
        raise BadSetting(f"{where(section, key)} is {shown}, but {wants}.")

    if not config.operator.name.strip():
        refuse("operator", "name", "letters are signed with it")
    if config.server.first_edition_since and not _is_instant(config.server.first_edition_since):
        refuse("server", "first_edition_since", "it takes an instant with its zone, as 2026-01-01T00:00:00Z")
    if config.operator.zone and not _is_zone(config.operator.zone):
        refuse("operator", "zone", "there is no such time zone; one is written as Europe/Berlin")
    if not _ADDRESS.fullmatch(config.operator.abuse_address):
        refuse("operator", "abuse_address", "it takes a mail address, for example abuse@example.net")
    if config.web.public_url:
        parts = urlsplit(config.web.public_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            refuse("web", "public_url", "it takes an address without a path, for example https://abuse.example.net")
    for section in ("web", "mail_in"):
        host = getattr(config, section).host
        if not _is_host(host):
            refuse(section, "host", "it takes an address of this machine, for example 127.0.0.1")
    if config.mail_out.host and not _is_host(config.mail_out.host):
        refuse("mail_out", "host", "it takes the name or address of a mail server alone; its port is [mail_out] port")
    for proxy in config.web.proxies:
        try:
            ip_address(proxy)
        except ValueError:
            refuse("web", "proxies", "it takes addresses, for example 127.0.0.1")
    for mailbox in config.mailboxes:
        if mailbox.host and not _is_host(mailbox.host):
            raise BadSetting(
                f"{config.where_table('mailboxes', mailbox.name)} host is {mailbox.host!r}, "
                "but it takes the name or address of a mail server alone; its port is port."
            )
    for brand in config.brands:
        if wrong := _wrong_in(brand, https=config.public_url.startswith("https://")):
            raise BadSetting(f"{config.where_table('brands', brand.name)} {wrong}.")
    ports: dict[tuple[str, int], str] = {}
    for section, key in (("web", "port"), ("mail_in", "smtp_port"), ("mail_in", "lmtp_port")):
        part = getattr(config, section)
        place = (part.lmtp_host if key == "lmtp_port" else part.host, getattr(part, key))
        if place[1] > 0 and place in ports:
            refuse(section, key, f"{ports[place]} has that port already; give each its own")
        ports[place] = f"[{section}] {key}"
    for recipient in config.mail_in.recipients:
        if "@" not in recipient:
            refuse("mail_in", "recipients", "each is a mail address or a domain written as @example.net")
    for key in ("from_address", "recipient_override"):
        value = getattr(config.mail_out, key)
        if value and not _ADDRESS.fullmatch(value):
            refuse("mail_out", key, "it takes a mail address")


def _wrong_in(brand: BrandConfig, *, https: bool) -> str:
    """What cannot be meant in a brand, as the rest of a sentence; empty where all can."""
    parts = urlsplit(brand.public_url)
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", brand.name):
        return f"name is {brand.name!r}, but it takes small letters, digits and hyphens"
    if brand.address and not _ADDRESS.fullmatch(brand.address):
        return f"address is {brand.address!r}, but it takes a mail address"
    if brand.public_url and (
        parts.scheme != ("https" if https else "http") or not parts.hostname or parts.path.strip("/") or parts.query
    ):
        return f"public_url is {brand.public_url!r}, but it takes an address like [web] public_url, without a path"
    if brand.colour not in COLOURS or len(brand.mark) > 12:
        return f"colour and mark are {brand.colour!r} and {brand.mark!r}: one of {', '.join(COLOURS)}, and 12 letters"
    if brand.timezone not in available_timezones():
        return f"timezone is {brand.timezone!r}, but it takes a zone, for example Europe/Berlin"
    if not re.fullmatch(r"[a-z]{2}", brand.language):
        return f"language is {brand.language!r}, but it takes two letters, for example de"
    return ""


def _check_bounds(part: Any, where: Callable[[str], str]) -> None:
    """Raise BadSetting for a number of a section or table that is out of the bounds beside it in `shape`."""
    for key, hint in typing.get_type_hints(type(part), include_extras=True).items():
        for bounds in (x for x in getattr(hint, "__metadata__", ()) if isinstance(x, Bounds)):
            value = getattr(part, key)
            if bounds.least <= value <= bounds.most:
                continue
            what = "a port is a number" if key.endswith("port") else "it takes a number"
            wants = f"{what} from {bounds.least} to {bounds.most}"
            if value < bounds.least and bounds.most == Bounds(0).most:
                wants = f"it takes {bounds.least} or more"
            raise BadSetting(f"{where(key)} is {value}, but {wants}.")


def _is_host(text: str) -> bool:
    """Whether it can be a name or an address, without a port or anything else of a URL."""
    try:
        ip_address(text)
    except ValueError:
        return bool(text) and not any(c.isspace() or c in "/@:" for c in text)
    return True


_ROLES = tuple(role.value for role in STAFF_ROLES)
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")


def _did_you_mean(name: str, known: Any, prefix: str = "") -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    if near:
        return f"; did you mean {prefix}{near[0].upper() if prefix else near[0]}"
    return "; known are " + ", ".join(sorted(known))


def _broken_line(text: str, why: tomllib.TOMLDecodeError) -> int:
    """The line on which the file stops being TOML; of what is never closed, the one on which it begins."""
    said = re.search(r"\(at line (\d+),", str(why))
    if said:
        return int(said[1])
    lines = text.splitlines()
    for whole in range(len(lines) - 1, 0, -1):
        try:
            tomllib.loads("\n".join(lines[:whole]))
        except tomllib.TOMLDecodeError:
            continue
        return whole + 1
    return 1


def _line_of(text: str, section: str, key: str) -> int:
    """The line on which `key` of `[section]` is set, or on which `[key]` begins; 1 if it cannot be found."""
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
        if header:
            current = header.group(1)
            if not section and current.partition(".")[0] == key:
                return number
            continue
        name = re.match(r"""\s*["']?([\w.-]+)["']?\s*=""", line)
        if name and current == section and name.group(1) == key:
            return number
    return 1


def _nth_line(text: str, wanted: str, n: int) -> int:
    found = [number for number, line in enumerate(text.splitlines(), 1) if line.strip().startswith(wanted)]
    return found[n] if n < len(found) else 1


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_instant(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
