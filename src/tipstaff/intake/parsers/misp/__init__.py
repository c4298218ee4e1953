"""Reads MISP events in JSON: the attributes meant for detection, each as somebody's claim with its own time."""

import json
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
_ADDRESSES = frozenset(["ip-src", "ip-dst", "ip-src|port", "ip-dst|port", "domain|ip"])
_OTHERS = frozenset(["url", "uri", "domain", "hostname", "hostname|port"])
_VICTIMS = frozenset(["Targeting data", "Internal reference", "Attribution"])
"""Categories whose values name the attacked or the author (MISP core format, 2.4.2)."""


class MispParser:
    """Reads an exported event, or a list of them, attached or alone in the letter."""

    name = "misp"
    priority = 34

    def read(self, mail: Mail) -> Reading | None:
        """What the event's attributes say, or None when the mail holds no MISP event."""
        events = [x for text in _texts(mail) for x in _events(text)]
        if not events:
            return None
        allegations: list[Allegation] = []
        for event in events:
            for allegation in _allegations(event):
                if len(allegations) <= MOST_ALLEGATIONS:
                    allegations.append(allegation)
        if not allegations:
            return unreadable(
                mail, ReadingReason.NO_SOURCE, parser=self.name,
                detail="The MISP event has no attribute that names an address, a URL or a host for detection.",
            )  # fmt: skip
        who = events[0].get("Orgc") or events[0].get("Org")
        return complaint(
            mail,
            allegations,
            parser=self.name,
            reporter=reporter_of(
                mail, reference=_text(events[0], "uuid"), name=_text(who, "name") if isinstance(who, dict) else ""
            ),
        )


def _texts(mail: Mail) -> Iterator[str]:
    for content in (*(x.content for x in mail.leaves if x.is_texty), *(x.content for x in mail.attachments)):
        head = content[:200].lstrip(b"\xef\xbb\xbf \r\n\t")
        if head[:1] in b"{[" and b'"Attribute"' in content[:400_000] and len(content) <= _MOST_OCTETS:
            yield decode(content)
            return


def _events(text: str) -> Iterator[dict[str, Any]]:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return
    stack = [tree]
    while stack:
        this = stack.pop()
        if isinstance(this, list):
            stack.extend(reversed(this[:200]))
        elif isinstance(this, dict):
            if isinstance(this.get("Event"), dict):
                yield this["Event"]
            elif isinstance(this.get("response"), (list, dict)):
                stack.append(this["response"])


def _allegations(event: dict[str, Any]) -> Iterator[Allegation]:
    tags = _tags(event)
    info = _text(event, "info")
    day = read_time(_text(event, "date"))
    for attribute, words in _attributes(event):
        form = _text(attribute, "type")
        if form not in _ADDRESSES and form not in _OTHERS:
            continue
        if (
            attribute.get("to_ids") is False
            or _text(attribute, "category") in _VICTIMS
            or attribute.get("deleted") is True
        ):
            continue
        comment = _text(attribute, "comment")
        kind = kind_of_names(*_tags(attribute), comment, *words, *tags, info) or "reputation/threat_intelligence"
        value = _text(attribute, "value")
        name, _, port = value.partition("|") if "|" in form else (value, "", "")
        if form == "domain|ip":
            name, port = port, ""
        source = address_in(name) if form in _ADDRESSES else None
        url = refang(name)[:2000] if form in ("url", "uri") else None
        domain = refang(name).strip().rstrip(".").lower() if form not in ("url", "uri") and source is None else ""
        if source is None and not (url and "://" in url) and not is_host_name(domain):
            continue
        own = _when(attribute)
        when = own if own.moment or own.unread else day
        yield Allegation(
            type=kind,
            source=source,
            source_port=port_in(port),
            url=url if url and "://" in url else None,
            domain=to_ascii(domain) if is_host_name(domain) else None,
            moment=when.moment,
            unread_time=when.unread or None,
            excerpt=excerpt([one_line(f"{info}: {form} {value} {comment}".strip(), longest=600)]),
            confidence=0.85,
        )


def _attributes(event: dict[str, Any]) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """Attributes of the event and of its objects; an object lends its name and the ports that stand beside."""
    for attribute in _list(event, "Attribute"):
        yield attribute, ()
    for thing in _list(event, "Object"):
        inside = _list(thing, "Attribute")
        port = next((_text(x, "value") for x in inside if _text(x, "type") == "port"), "")
        for attribute in inside:
            form = _text(attribute, "type")
            if port and form in ("ip-src", "ip-dst"):
                attribute = {**attribute, "type": f"{form}|port", "value": f"{_text(attribute, 'value')}|{port}"}
            yield attribute, (_text(thing, "name"), _text(thing, "comment"))


def _when(attribute: dict[str, Any]) -> Stated:
    """When it was seen. `timestamp` is when somebody last edited the attribute, which is no time of an event."""
    return read_time(_text(attribute, "first_seen"), _text(attribute, "last_seen"))


def _tags(thing: dict[str, Any]) -> list[str]:
    return [name for x in _list(thing, "Tag") if not (name := _text(x, "name")).lower().startswith(("tlp:", "pap:"))]


def _list(thing: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = thing.get(name)
    return [x for x in found[:50_000] if isinstance(x, dict)] if isinstance(found, list) else []


def _text(thing: dict[str, Any], name: str) -> str:
    value = thing.get(name)
    return str(value)[:4000].strip() if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
