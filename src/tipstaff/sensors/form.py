"""How sightings are handed in: a JSON object a line. What is no sighting is refused with its line and why. Pure."""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import MappingProxyType
from typing import Any

from tipstaff.words import SEALED_TYPES, XARF_TYPES, Moment, Sighting, Stated

LINES_MAX = 10_000
"""So many lines make one delivery."""
OCTETS_MAX = 20 * 1024 * 1024
_LINE_OCTETS_MAX = 64 * 1024
_FACTS_MAX = 50
_ERROR_SECONDS_MAX = 86_400.0
_KIND = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_FACT = re.compile(r"[a-z][a-z0-9_]{0,63}")
_HOST = re.compile(r"(?=.{1,253}\Z)(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})+")
_KEYS = frozenset(
    {
        "sensor", "id", "kind", "at", "error_seconds", "facts", "type", "source", "source_port", "url", "domain",
        "account", "protocol", "target", "target_port", "excerpt",
    }
)  # fmt: skip


class NotASighting(ValueError):
    """The line is no sighting; the message says why, in a sentence."""


def read_lines(raw: bytes, *, sensor: str) -> Iterator[tuple[int, Sighting | NotASighting]]:
    """(line from 1, its sighting or why it is none) for each line that is not empty; `sensor` where one names none."""
    for number, line in enumerate(raw.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, read_line(line, sensor=sensor)
        except NotASighting as why:
            yield number, why


def read_line(line: bytes, *, sensor: str) -> Sighting:
    """The sighting that a line states; raise NotASighting."""
    if len(line) > _LINE_OCTETS_MAX:
        raise NotASighting(f"It is longer than {_LINE_OCTETS_MAX // 1024} KiB.")
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        raise NotASighting("It is no JSON.") from None
    if not isinstance(given, dict):
        raise NotASighting("A sighting is a JSON object.")
    if strange := sorted(set(given) - _KEYS):
        raise NotASighting(f"{strange[0]!r} is no part of a sighting.")
    kind = _text(given, "kind", most=100)
    if not _KIND.fullmatch(kind):
        raise NotASighting(f"kind {kind!r} is not of the form flows.scan.")
    type = _text(given, "type", most=64, needed=False)
    if type and (type not in XARF_TYPES or type in SEALED_TYPES):
        raise NotASighting(f"type {type!r} is no XARF type that a sensor may name.")
    sighting = Sighting(
        kind=kind,
        moment=_moment(given),
        sensor=_text(given, "sensor", most=100, needed=False) or sensor,
        id=_text(given, "id", most=200),
        facts=_facts(given.get("facts", {})),
        type=type,
        source=_address(given),
        source_port=_port(given, "source_port"),
        url=_url(given),
        domain=_domain(given),
        account=_text(given, "account", most=64, needed=False) or None,
        protocol=_text(given, "protocol", most=16, needed=False).lower() or None,
        target=_text(given, "target", most=500, needed=False) or None,
        target_port=_port(given, "target_port"),
        excerpt=_text(given, "excerpt", most=4000, needed=False, lines=True),
    )
    if not sighting.offender:
        raise NotASighting("It names neither a source nor a url nor a domain nor an account.")
    if sighting.account and (sighting.source or sighting.url or sighting.domain):
        # Who held an address is looked up at its time; nobody's word stands in its place.
        raise NotASighting("It names an account beside an address or a name; leave the account out.")
    return sighting


def digest_of(sighting: Sighting) -> str:
    """SHA-256 (hex) over what a sighting states, by which a second delivery of it is known."""
    moment = sighting.moment
    parts = [
        sighting.kind, moment.at.isoformat(), moment.error_seconds, dict(sighting.facts), sighting.type,
        str(sighting.source or ""), sighting.source_port, sighting.url, sighting.domain, sighting.protocol,
        sighting.target, sighting.target_port, sighting.excerpt,
    ]  # fmt: skip
    if sighting.account:  # What was handed in before there were accounts keeps its digest.
        parts.append(sighting.account)
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _text(given: Mapping[str, Any], key: str, *, most: int, needed: bool = True, lines: bool = False) -> str:
    value = given.get(key)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or (needed and not value.strip()):
        raise NotASighting(f"{key} is {'missing' if value is None else 'no text, or an empty one'}.")
    if len(value) > most:
        raise NotASighting(f"{key} has more than {most} characters.")
    if not all(c.isprintable() or (lines and c in "\n\t") for c in value):
        raise NotASighting(f"{key} holds a character that cannot be printed.")
    return value


def _moment(given: Mapping[str, Any]) -> Moment:
    text = _text(given, "at", most=40)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise NotASighting(f"at {text!r} is no time; write it as 2026-03-10T08:00:00Z.") from None
    if at.tzinfo is None:
        raise NotASighting(f"at {text!r} states no zone.")
    error = given.get("error_seconds", 1.0)
    if isinstance(error, bool) or not isinstance(error, int | float) or not 0 <= error <= _ERROR_SECONDS_MAX:
        raise NotASighting(f"error_seconds is no number from 0 to {_ERROR_SECONDS_MAX:.0f}.")
    try:
        return Moment(at, float(error))
    except OverflowError:
        raise NotASighting(f"at {text!r} lies outside the calendar.") from None


def _facts(value: object) -> Mapping[str, Stated]:
    if not isinstance(value, dict) or len(value) > _FACTS_MAX:
        raise NotASighting(f"facts is no object of at most {_FACTS_MAX} facts.")
    facts: dict[str, Stated] = {}
    for name, fact in value.items():
        if not _FACT.fullmatch(name):
            raise NotASighting(f"the fact {name!r} is not named in small letters.")
        if isinstance(fact, list) and all(isinstance(part, str) and len(part) <= 500 for part in fact):
            facts[name] = tuple(fact)
        elif (
            isinstance(fact, bool)
            or (isinstance(fact, str) and len(fact) <= 500)
            or (isinstance(fact, int | float) and abs(fact) < 2**63 and math.isfinite(fact))
        ):
            facts[name] = fact
        else:
            raise NotASighting(f"the fact {name} is neither a truth, a number, a text nor a list of texts.")
    texts = [text for fact in facts.values() for text in (fact if isinstance(fact, tuple) else (str(fact),))]
    if not all(map(_can_be_kept, texts)):
        raise NotASighting("a fact holds a character that cannot be kept.")
    return MappingProxyType(facts)


def _can_be_kept(text: str) -> bool:
    """PostgreSQL keeps no NUL, and no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _address(given: Mapping[str, Any]) -> IPv4Address | IPv6Address | None:
    text = _text(given, "source", most=64, needed=False)
    if not text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        raise NotASighting(f"source {text!r} is no address.") from None
    if getattr(address, "scope_id", None) is not None:
        raise NotASighting("source has a zone, which is only of use on one machine.")
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def _port(given: Mapping[str, Any], key: str) -> int | None:
    port = given.get(key)
    if port is None:
        return None
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise NotASighting(f"{key} is no port.")
    return port


def _url(given: Mapping[str, Any]) -> str | None:
    url = _text(given, "url", most=2000, needed=False)
    if url and not re.match(r"https?://[^\s/]+", url):
        raise NotASighting("url is no address of the web.")
    return url or None


def _domain(given: Mapping[str, Any]) -> str | None:
    domain = _text(given, "domain", most=253, needed=False).lower().rstrip(".")
    if domain and not _HOST.fullmatch(domain):
        raise NotASighting(f"domain {domain!r} is no host name in its ASCII form.")
    return domain or None
