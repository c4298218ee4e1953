"""Helps parsers to build Readings: who complains, what may be quoted, and the bounds that hold for all of them."""

import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from tipstaff.words import SEALED_TYPES, Allegation, Mark, Moment, Reading, ReadingOutcome, ReadingReason, Reporter

from .mail import Mail
from .text.characters import one_line
from .text.find import refang
from .text.times import find_moment, stated_in

MOST_ALLEGATIONS = 20_000
"""Of a machine's feed. More in one mail is cut off, and the reading says so."""
LONGEST_EXCERPT = 4000

_NO_ANSWER = re.compile(
    r"\A(?:no-?_?reply|do-?_?not-?_?reply|donotreply|mailer-daemon|postmaster|bounces?|nobody|noanswer)(?:[+._-]|@|\Z)"
    r"|(?:[._+-]no-?reply|[._+-]bounces?)@",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"(?:ticket|case|ref(?:erence)?|incident|notice|abuse|issue|report|vorgang|complaint)"
    r"[ -]?(?:id|no|nr|number|key|ref)?\.?\s?[:#=]{0,2}\s?([A-Z0-9][A-Za-z0-9._/-]{3,40}\d[A-Za-z0-9-]{0,12})",
    re.IGNORECASE,
)


def reporter_of(mail: Mail, *, reference: str = "", address: str = "", name: str = "") -> Reporter:
    """Who sent the mail, every value one clean line. The address is empty when no answer may be sent there."""
    shown, sender = mail.sender
    answer = one_line(address or mail.reply_to, longest=254)
    auto = mail.header("auto-submitted").lower()
    if _NO_ANSWER.search(answer) or auto.startswith("auto-replied"):
        answer = ""
    if not reference:
        found = _REFERENCE.search(mail.subject)
        reference = found[1] if found else ""
    return Reporter(
        address=answer,
        name=one_line(name or shown or sender, longest=200),
        reference=one_line(reference, longest=100),
        message_id=one_line(mail.header("message-id").strip("<> "), longest=250),
        subject=one_line(mail.subject, longest=300),
    )


def complaint(
    mail: Mail,
    allegations: list[Allegation],
    *,
    parser: str,
    sure: bool = True,
    reporter: Reporter | None = None,
    detail: str = "",
    marks: tuple[Mark, ...] = (),
    prose_read: bool = False,
) -> Reading:
    """A reading with allegations, doubles taken out; sealed without a word when one of them is of a sealed type.

    Unless the parser has `prose_read` itself, an allegation without a time gets the one that the letter states.
    """
    if any(x.type in SEALED_TYPES for x in allegations):
        return sealed(mail, parser=parser)
    if not prose_read and any(x.moment is None and x.unread_time is None for x in allegations):
        of_mail = moment_of_mail(mail)
        said = stated_in(mail.subject, mail.body, year_of=of_mail.at if of_mail else None)
        if said.moment is not None or said.unread:
            allegations = [
                x
                if x.moment is not None or x.unread_time is not None
                else replace(x, moment=said.moment, unread_time=said.unread or None)
                for x in allegations
            ]
    unique = list(dict.fromkeys(allegations))
    if len(unique) > MOST_ALLEGATIONS:
        detail = f"It holds {len(unique)} events; the first {MOST_ALLEGATIONS} were read."
        unique = unique[:MOST_ALLEGATIONS]
    return Reading(
        outcome=ReadingOutcome.COMPLAINT,
        reason=ReadingReason.UNDERSTOOD if sure else ReadingReason.UNSURE,
        allegations=tuple(unique),
        reporter=reporter or reporter_of(mail),
        parser=parser,
        detail=detail,
        marks=marks,
    )


def unreadable(mail: Mail, reason: ReadingReason, *, parser: str, detail: str) -> Reading:
    """A reading for the queue of a person."""
    return Reading(
        outcome=ReadingOutcome.UNREADABLE, reason=reason, reporter=reporter_of(mail), parser=parser, detail=detail
    )


def set_aside(mail: Mail, reason: ReadingReason, *, detail: str, parser: str = "") -> Reading:
    """A reading of what is no complaint."""
    return Reading(
        outcome=ReadingOutcome.NOT_A_COMPLAINT, reason=reason, reporter=reporter_of(mail), parser=parser, detail=detail
    )


def sealed(mail: Mail, *, parser: str = "sieve") -> Reading:
    """A reading that says only that the report is sealed: no address, no URL, no subject."""
    return Reading(
        outcome=ReadingOutcome.SEALED,
        reason=ReadingReason.CHILD_ABUSE,
        reporter=Reporter(
            address=reporter_of(mail).address,
            message_id=one_line(mail.header("message-id").strip("<> "), longest=250),
        ),
        parser=parser,
        detail="A report about child-abuse material: only the sealed queue may open it.",
    )


def address_in(value: object) -> IPv4Address | IPv6Address | None:
    """The address that a field holds, with brackets, a port or defanging taken off; None when it holds none."""
    text = refang(str(value or "").strip())[:100].strip("[]()<>\"' ")
    for shape in (
        text,
        text.partition("]")[0],
        text.rpartition(":")[0] if text.count(":") == 1 else "",
        text.partition("/32")[0],
    ):
        try:
            found = ip_address(shape.strip("[] "))
        except ValueError:
            continue
        if isinstance(found, IPv6Address) and found.ipv4_mapped:
            return found.ipv4_mapped
        return found
    octets = text.split(".")
    if len(octets) == 4 and all(x.isdecimal() and len(x) == 3 for x in octets):
        try:
            return ip_address(".".join(str(int(x)) for x in octets))
        except ValueError:
            return None
    return None


def port_in(value: object) -> int | None:
    """The port that a field holds, or None."""
    text = str(value if value is not None else "").strip()
    return int(text) if text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536 else None


def excerpt(lines: list[str]) -> str:
    """Lines as they came, within the bound."""
    kept: list[str] = []
    length = 0
    for line in lines:
        length += len(line) + 1
        if length > LONGEST_EXCERPT:
            break
        kept.append(line)
    return "\n".join(kept)


def moment_of_mail(mail: Mail) -> Moment | None:
    """The instant of the mail's own Date header; it serves to find the year of log lines, never as an event's time."""
    return find_moment(mail.header("date"))
