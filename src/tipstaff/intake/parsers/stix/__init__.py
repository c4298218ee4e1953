"""Reads STIX 2.1 bundles in JSON (2.0 leniently): observed traffic first, else what indicators point to."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tipstaff.words import Allegation, Reading, ReadingReason

from ...forms.taxonomy import kind_of_names
from ...mail import Mail
from ...shaping import MOST_ALLEGATIONS, address_in, complaint, excerpt, port_in, reporter_of, unreadable
from ...text.characters import decode, one_line
from ...text.find import refang
from ...text.names import is_host_name, to_ascii
from ...text.times import Stated, read_time

_MOST_OCTETS = 16_000_000
_MOST_OBJECTS = 60_000
_COMPARISON = re.compile(
    r"\b(ipv4-addr|ipv6-addr|domain-name|url)\s{0,3}:\s{0,3}value\s{0,3}(?:=|IN\s{0,3}\()\s{0,3}'((?:[^'\\]|"
    r"\\.){1,2000})'"
)
_SOURCE_REF = re.compile(r"src_ref\.value\s{0,3}=\s{0,3}'([^'\\]{1,200})'")
"""A pattern on the source of traffic: `network-traffic:src_ref.value = '...'`."""

Thing = dict[str, Any]


class StixParser:
    """Reads a bundle that is attached or alone in the letter."""

    name = "stix"
    priority = 36

    def read(self, mail: Mail) -> Reading | None:
        """What the bundle says of sources, or None when the mail holds no bundle."""
        objects = _objects(mail)
        if objects is None:
            return None
        bundle = _Bundle(objects)
        allegations = list(dict.fromkeys([*bundle.observed(), *bundle.indicated()]))[: MOST_ALLEGATIONS + 1]
        if not allegations:
            return unreadable(
                mail, ReadingReason.NO_SOURCE, parser=self.name,
                detail="The STIX bundle holds no traffic and no indicator that names an address, a URL or a host.",
            )  # fmt: skip
        return complaint(mail, allegations, parser=self.name, reporter=reporter_of(mail, name=bundle.author()))


def _objects(mail: Mail) -> list[Thing] | None:
    for content in (*(x.content for x in mail.leaves if x.is_texty), *(x.content for x in mail.attachments)):
        head = content[:4000]
        if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] != b"{" or b'"bundle"' not in head or len(content) > _MOST_OCTETS:
            continue
        try:
            tree = json.loads(decode(content))
        except (ValueError, RecursionError):
            continue
        if isinstance(tree, dict) and tree.get("type") == "bundle" and isinstance(tree.get("objects"), list):
            return [x for x in tree["objects"][:_MOST_OBJECTS] if isinstance(x, dict)]
    return None


class _Bundle:
    """The bundle's objects by id, with what the relationships between them say."""

    def __init__(self, objects: list[Thing]) -> None:
        self.all = objects
        self.by_id = {str(x.get("id")): x for x in objects}
        self.sightings = [x for x in objects if x.get("type") == "sighting"][:1000]
        self.words: dict[str, list[str]] = {}
        for x in objects:
            if x.get("type") == "relationship":
                a, b = str(x.get("source_ref")), str(x.get("target_ref"))
                for one, other in ((a, b), (b, a)):
                    self.words.setdefault(one, []).extend(_names(self.by_id.get(other, {})))

    def author(self) -> str:
        who = next((self.by_id.get(str(x["created_by_ref"])) for x in self.all if x.get("created_by_ref")), None)
        return one_line(_text(who, "name"), longest=200) if who else ""

    def observed(self) -> Iterator[Allegation]:
        """Traffic within observed data: its source is said to have done it, at the time that was observed."""
        for data in (x for x in self.all if x.get("type") == "observed-data"):
            inside = data.get("objects")
            # STIX 2.0 keeps the observed things inside, by number; 2.1 refers to them.
            refs = _list(data.get("object_refs"))
            things = inside if isinstance(inside, dict) else {str(x): self.by_id.get(str(x), {}) for x in refs}
            resolve = things if isinstance(inside, dict) else self.by_id
            seen = [x for x in things.values() if isinstance(x, dict)]
            words = [*_names(data), *self.words.get(str(data.get("id")), ())]
            for sighting in self.sightings:
                if data.get("id") in _list(sighting.get("observed_data_refs")):
                    words += _names(self.by_id.get(str(sighting.get("sighting_of_ref")), {}))
            when = read_time(_text(data, "first_observed"), _text(data, "last_observed"))
            traffic = [x for x in seen if x.get("type") == "network-traffic"]
            for flow in traffic:
                yield from self._flow(flow, resolve, words, when)
            if not traffic:
                for thing in seen:
                    yield from _claims(thing, [*words, *self.words.get(str(thing.get("id")), ())], when, sure=0.8)

    def _flow(self, flow: Thing, resolve: Thing, words: list[str], when: Stated) -> Iterator[Allegation]:
        source = resolve.get(str(flow.get("src_ref")), {})
        target = resolve.get(str(flow.get("dst_ref")), {})
        address = address_in(source.get("value")) if isinstance(source, dict) else None
        if address is None:
            return
        protocols = [str(x).lower() for x in _list(flow.get("protocols"))]
        told = [x for x in ("start", "end", "src_port", "dst_port", "src_packets", "src_byte_count") if x in flow]
        own = read_time(_text(flow, "start"), _text(flow, "end"))
        when = own if own.moment or (own.unread and not when.moment) else when
        lines = [f"{name}: {one_line(str(flow[name]), longest=200)}" for name in told]
        yield Allegation(
            type=kind_of_names(*words, *protocols) or "reputation/threat_intelligence",
            source=address,
            source_port=port_in(flow.get("src_port")),
            protocol=next((x for x in reversed(protocols) if x not in ("ipv4", "ipv6")), None),
            target=one_line(str(target.get("value", "")), longest=254) or None if isinstance(target, dict) else None,
            target_port=port_in(flow.get("dst_port")),
            moment=when.moment,
            unread_time=when.unread or None,
            excerpt=excerpt([f"src: {address}", f"protocols: {' '.join(protocols)}"[:200], *lines]),
            confidence=0.95,
        )

    def indicated(self) -> Iterator[Allegation]:
        """What indicators match on; those of benign things are left out."""
        for indicator in (x for x in self.all if x.get("type") == "indicator"):
            if indicator.get("revoked") is True or "benign" in _list(indicator.get("indicator_types")):
                continue
            pattern = str(indicator.get("pattern") or "")[:20_000]
            words = [*_names(indicator), *self.words.get(str(indicator.get("id")), ())]
            found = [(x[1], x[2].replace("\\'", "'")) for x in _COMPARISON.finditer(pattern)]
            found += [("ipv4-addr", x[1]) for x in _SOURCE_REF.finditer(pattern)]
            # `valid_from` says since when the pattern is good, which is no time of an event; a sighting's times are.
            seen = [x for x in self.sightings if x.get("sighting_of_ref") == indicator.get("id")]
            when = read_time(*(_text(x, name) for x in seen for name in ("first_seen", "last_seen")))
            for form, value in found:
                yield from _claims({"type": form, "value": value}, words, when, sure=0.8)


def _claims(thing: Thing, words: list[str], when: Stated, *, sure: float) -> Iterator[Allegation]:
    form, value = str(thing.get("type")), refang(_text(thing, "value"))
    source = address_in(value) if form in ("ipv4-addr", "ipv6-addr") else None
    url = value[:2000] if form == "url" and "://" in value else None
    name = value.strip().rstrip(".").lower()
    domain = to_ascii(name) if form == "domain-name" and is_host_name(name) else None
    if source is None and url is None and domain is None:
        return
    yield Allegation(
        type=kind_of_names(*words) or "reputation/threat_intelligence",
        source=source,
        url=url,
        domain=domain,
        moment=when.moment,
        unread_time=when.unread or None,
        excerpt=excerpt([one_line(f"{form}: {value}", longest=500), *(one_line(x, longest=300) for x in words[:6])]),
        confidence=sure,
    )


def _names(thing: Thing) -> list[str]:
    """Words of an object that may name a kind, the most particular first."""
    lists = ("indicator_types", "malware_types", "infrastructure_types", "labels", "threat_actor_types")
    words = [str(x) for name in lists for x in _list(thing.get(name))]
    return [x for x in (_text(thing, "name"), *words, _text(thing, "description")) if x][:20]


def _list(value: Any) -> list[Any]:
    return value[:5000] if isinstance(value, list) else []


def _text(thing: Thing | None, name: str) -> str:
    value = (thing or {}).get(name)
    return value[:4000].strip() if isinstance(value, str) else ""
