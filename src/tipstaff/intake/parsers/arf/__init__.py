"""Reads abuse feedback reports (RFC 5965, 6591, 6692; RFC 9477 loops), also without a Source-IP; it trusts no field."""

import re

from tipstaff.words import Allegation, Reading, ReadingReason

from ...mail import Mail, Part
from ...shaping import address_in, complaint, excerpt, port_in, reporter_of, unreadable
from ...text.characters import decode, one_line
from ...text.find import find_all, is_public, refang
from ...text.hops import outside_hop, stated_hop
from ...text.sections import headers_as_text
from ...text.times import read_time

_KINDS = {
    "abuse": "messaging/spam",
    "fraud": "content/phishing",
    "virus": "content/malware",
    "other": "messaging/spam",
    "not-spam": "messaging/spam",
    "auth-failure": "messaging/spam",
    "opt-out": "messaging/bulk_messaging",
    "opt-out-list": "messaging/bulk_messaging",
    "miscategorized": "messaging/spam",
    "dmarc": "messaging/spam",
}
_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9-]{1,60})[ \t]{0,5}:[ \t]{0,5}(.{0,4000})$")


class ArfParser:
    """Reads `multipart/report; report-type=feedback-report`."""

    name = "arf"
    priority = 20

    def read(self, mail: Mail) -> Reading | None:
        """The reading of a feedback report, or None when the mail carries none."""
        report = next((x for x in mail.leaves if x.content_type == "message/feedback-report"), None)
        fields = _fields(decode(report.content)) if report else _inline(mail)
        if fields is None:
            return None
        kind = (fields.get("feedback-type") or [""])[0].strip().lower()
        if kind == "xarf":
            # Only the envelope of an XARF report; its own parser reads it.
            return None
        if kind == "not-spam":
            return _not_spam(mail, fields)
        original = _original(mail)
        source, how = _source(fields, original)
        by_way = original.header("received").rpartition(";")[2] if original is not None else ""
        when = read_time(*fields.get("arrival-date", ()), *fields.get("received-date", ()), by_way)
        if source is None and not fields.get("reported-domain") and not fields.get("reported-uri"):
            return unreadable(
                mail,
                ReadingReason.NO_SOURCE,
                parser=self.name,
                detail="The feedback report names no source, and the mail in it shows none.",
            )
        uri = next((refang(x.strip())[:2000] for x in fields.get("reported-uri", ()) if x.strip()), None)
        domain = next((x.strip().lower().rstrip(".") for x in fields.get("reported-domain", ()) if "." in x), None)
        failure = (fields.get("auth-failure") or [""])[0].strip().lower() if kind == "auth-failure" else ""
        allegation = Allegation(
            type=_KINDS.get(kind, "messaging/spam"),
            source=address_in(source),
            source_port=port_in((fields.get("source-port") or [""])[0]),
            url=uri,
            domain=one_line(domain, longest=253) if domain else None,
            protocol="smtp",
            target=one_line((fields.get("original-rcpt-to") or [""])[0].strip("<> "), longest=254) or None,
            moment=when.moment,
            unread_time=when.unread or None,
            excerpt=excerpt(_shown(fields, original)),
            # Mail that a forwarder or a list changed fails like forged mail does (RFC 7489, 7.3): it shows less.
            confidence=0.75 if how != "field" else 0.8 if failure and not _was_stopped(fields) else 0.95,
        )
        return complaint(
            mail,
            [allegation],
            parser=self.name,
            sure=allegation.source is not None or uri is not None,
            reporter=reporter_of(mail, reference=_loop_reference(mail, original)),
            detail=f"Authentication failure: {one_line(failure, longest=40)}." if failure else "",
        )


def _was_stopped(fields: dict[str, list[str]]) -> bool:
    """Whether the receiver itself took the mail for forged (Delivery-Result, RFC 6591, 3.2.2)."""
    return (fields.get("delivery-result") or [""])[0].strip().lower() in ("reject", "policy", "spam")


def _loop_reference(mail: Mail, original: Part | None) -> str:
    """The CFBL-Feedback-ID by which the sender of the reported mail knows it again (RFC 9477, 4.2)."""
    of_report = mail.header("cfbl-feedback-id")
    return one_line(of_report or (original.header("cfbl-feedback-id") if original else ""), longest=100)


def _not_spam(mail: Mail, fields: dict[str, list[str]]) -> Reading:
    source, _ = _source(fields, _original(mail))
    if source is None:
        return unreadable(
            mail, ReadingReason.NO_SOURCE, parser="arf", detail="It withdraws an earlier report and names no source."
        )
    allegation = Allegation(type="messaging/spam", source=address_in(source), protocol="smtp", confidence=0.2)
    return complaint(
        mail,
        [allegation],
        parser="arf",
        sure=False,
        detail="Its type is not-spam: a recipient says that the mail was wanted.",
    )


def _fields(text: str) -> dict[str, list[str]]:
    """The report's fields in lower case, folded lines joined."""
    found: dict[str, list[str]] = {}
    last: list[str] | None = None
    if "\n" not in text.strip() and re.fullmatch(r"[A-Za-z0-9+/=\s]{40,}", text):
        # Some senders leave the part in base64 without saying so.
        import base64

        try:
            text = decode(base64.b64decode(text))
        except ValueError:
            return {}
    for line in text[:200_000].splitlines()[:500]:
        if line[:1] in " \t" and last:
            last[-1] += " " + line.strip()[:2000]
            continue
        field = _FIELD.match(line)
        if field:
            last = found.setdefault(field[1].lower(), [])
            last.append(field[2].strip())
    return found


def _inline(mail: Mail) -> dict[str, list[str]] | None:
    """Fields of a report that was pasted as text, as some senders do."""
    for leaf in mail.leaves:
        if leaf.content_type == "text/plain" and b"eedback-Type:" in leaf.content[:5000]:
            fields = _fields(leaf.text)
            if "feedback-type" in fields and ("source-ip" in fields or "user-agent" in fields):
                return fields
    return None


def _original(mail: Mail) -> Part | None:
    """The reported mail, or its headers alone."""
    for message in mail.embedded:
        if message.headers.get("received") or message.headers.get("from"):
            return message
    for leaf in mail.leaves:
        if leaf.content_type == "text/rfc822-headers" or leaf.filename.lower().endswith((".eml", ".txt")):
            headers = _fields(leaf.text)
            if "received" in headers or "from" in headers:
                shaped = {name: tuple(values) for name, values in headers.items()}
                return Part("message/rfc822", "", "", "", shaped, b"", (), False)
    return None


def _source(fields: dict[str, list[str]], original: Part | None) -> tuple[str | None, str]:
    for value in fields.get("source-ip", ()):
        if address_in(value):
            return str(address_in(value)), "field"
        for found in find_all(refang(value[:200])):
            if found.kind == "ip":
                return found.value, "field"
    way = _by_way(original)
    return way, "way"


def _by_way(original: Part | None) -> str | None:
    """The first hop from outside in the reported mail; at most thirty of its Received lines are read."""
    if original is None:
        return None
    for name in ("x-source-ip", "x-originating-ip", "x-sender-ip"):
        address = address_in(original.header(name))
        if name == "x-source-ip" and address and is_public(str(address)):
            return str(address)
    checked = stated_hop([f"Received-SPF: {x[:1000]}" for x in original.headers.get("received-spf", ())[:1]])
    return checked or outside_hop(original.headers.get("received", ())[:30])


def _shown(fields: dict[str, list[str]], original: Part | None) -> list[str]:
    lines = [
        f"{name.title()}: {one_line(value, longest=500)}" for name, values in fields.items() for value in values[:3]
    ]
    if original is not None:
        lines += ["", *headers_as_text(original).splitlines()[:20]]
    return lines
