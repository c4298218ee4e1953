"""Reads copyright notices in the ACNS form, versions 1.2 and 2.0; XML with a DTD or entities is refused unread."""

import re

from tipstaff.words import Allegation, Reading, ReadingReason

from ...forms.xml import BrokenXml, HostileXml, read_xml
from ...mail import Mail
from ...shaping import address_in, complaint, excerpt, port_in, reporter_of, unreadable
from ...text.characters import decode, one_line
from ...text.times import read_time

_OPENING = re.compile(r"<(?:\?xml[^<>]{0,200}\?>\s{0,20}<)?(?:[\w-]{1,20}:)?Infringement[\s>]")
_MOST_OCTETS = 2_000_000


class AcnsParser:
    """Reads an `<Infringement>` document, attached or pasted below the letter."""

    name = "acns"
    priority = 30

    def read(self, mail: Mail) -> Reading | None:
        """The reading of a copyright notice with ACNS XML, or None when there is none."""
        source = _document(mail)
        if source is None:
            return None
        try:
            elements = _elements(source)
        except HostileXml:
            return unreadable(
                mail,
                ReadingReason.HOSTILE_FORM,
                parser=self.name,
                detail="The notice's XML declares a DTD or entities, which are refused unread.",
            )
        except BrokenXml as why:
            elements = _by_pattern(source)
            if not elements.get("IP_Address"):
                return unreadable(
                    mail,
                    ReadingReason.BROKEN_FORM,
                    parser=self.name,
                    detail=one_line(f"The notice's XML is broken: {why}."),
                )
        return _reading(mail, elements, source)


def _reading(mail: Mail, elements: dict[str, list[str]], source: str) -> Reading:
    def first(*names: str) -> str:
        return next((x for name in names for x in elements.get(name, ()) if x), "")

    addresses = list(dict.fromkeys(x for x in map(address_in, elements.get("IP_Address", ())) if x))
    url = first("URL", "URL_Base", "Deja_URL") or None
    kind = first("Type", "SubType").lower()
    peer = bool(re.search(r"p2p|torrent|donkey|gnutella|kad", f"{kind} {first('Type')} {first('Protocol')}".lower()))
    if not addresses and not url:
        return unreadable(
            mail, ReadingReason.NO_SOURCE, parser="acns", detail="The notice's XML names no address and no URL."
        )
    when = read_time(first("TimeStamp", "Timestamp", "Time_Stamp"))
    allegations = [
        Allegation(
            type="copyright/p2p" if peer else "copyright/copyright",
            source=address,
            source_port=port_in(first("Port")),
            url=url[:2000] if url and "://" in url else None,
            domain=first("DNS_Name").lower()[:253] or None,
            protocol=one_line(first("Type", "Protocol").lower(), longest=30) or None,
            moment=when.moment,
            unread_time=when.unread or None,
            excerpt=excerpt(_shown(elements)),
            work=one_line(first("Title", "Work"), longest=300) or None,
            claimant=one_line(first("Rights_Holder", "Copyright_Owner", "Owner", "Entity"), longest=300) or None,
            confidence=0.95,
        )
        for address in addresses or (None,)
    ]
    contact = _contact(elements)
    return complaint(
        mail,
        allegations,
        parser="acns",
        reporter=reporter_of(mail, reference=first("ID"), address=contact),
    )


def _contact(elements: dict[str, list[str]]) -> str:
    complainant = [x for x in elements.get("Complainant/Email", ()) if "@" in x]
    return one_line(complainant[0], longest=254) if complainant else ""


def _document(mail: Mail) -> str | None:
    """The XML text, from an attachment or out of the letter; its end is the closing tag."""
    for leaf in mail.leaves:
        if leaf.content_type.startswith(("image/", "video/", "audio/")):
            continue
        head = leaf.content[:_MOST_OCTETS]
        if b"nfringement" not in head and b"n\0f\0r\0i\0n\0g\0e\0m" not in head:
            continue
        text = decode(head, charset=leaf.charset)
        if "<" not in text and "&lt;Infringement" in text:
            import html

            text = html.unescape(text)
        opening = _OPENING.search(text)
        if opening is None:
            continue
        start = text.rfind("<?xml", max(0, opening.start() - 500), opening.start() + 6)
        start = opening.start() if start < 0 else start
        doctype = text.rfind("<!DOCTYPE", max(0, opening.start() - 3000), opening.start())
        if 0 <= doctype < start:
            start = doctype
        end = text.find("Infringement>", opening.end())
        return text[start : end + len("Infringement>")] if end >= 0 else text[start:]
    return None


def _elements(source: str) -> dict[str, list[str]]:
    """Texts of all elements by local name; within Complainant also as `Complainant/Name`."""
    found: dict[str, list[str]] = {}
    waiting = [(read_xml(source), "")]
    while waiting:
        this, within = waiting.pop()
        if this.text:
            found.setdefault(this.name, []).append(this.text)
            if within:
                found.setdefault(f"{within}/{this.name}", []).append(this.text)
        below = this.name if this.name == "Complainant" else within
        waiting.extend((child, below) for child in reversed(this.children))
    return found


_SIMPLE = re.compile(
    r"<(?:[\w-]{1,20}:)?(IP_Address|Port|TimeStamp|Title|URL|DNS_Name|Type|Entity|ID)>([^<>]{1,2000})</"
)


def _by_pattern(source: str) -> dict[str, list[str]]:
    """What a broken document still says plainly. A document with a DTD never comes here."""
    found: dict[str, list[str]] = {}
    if "<!DOCTYPE" in source or "<!ENTITY" in source:
        return found
    for element in _SIMPLE.finditer(source):
        found.setdefault(element[1], []).append(element[2].strip())
    return found


def _shown(elements: dict[str, list[str]]) -> list[str]:
    names = (
        "ID",
        "IP_Address",
        "Port",
        "DNS_Name",
        "Type",
        "TimeStamp",
        "Title",
        "FileName",
        "FileSize",
        "Hash",
        "URL",
    )
    return [f"{name}: {one_line(value, longest=300)}" for name in names for value in elements.get(name, ())[:2]]
