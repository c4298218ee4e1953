"""What a mail says: set aside with its reason, read by the first parser that knows its form, or left to a person."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network

from tipstaff.words import Reading, ReadingOutcome, ReadingReason

from .aside import not_a_complaint, without_offender
from .mail import Limits, Mail, is_bomb, read_mail
from .ours import left_to_person
from .protocol import Parser
from .resent import resent
from .shaping import sealed, set_aside, unreadable
from .sieve import speaks_of_child_abuse
from .text.languages import language_of

OWN_HEADER = "x-tipstaff-letter"
"""Every letter of ours carries it, so that one that comes back is known."""

_EXACT = 100
"""Parsers below this priority read an exact form; what they understand is a complaint, however automatic it looks."""


def read(
    raw: bytes,
    *,
    parsers: Iterable[Parser],
    own_addresses: frozenset[str] = frozenset(),
    passwords: tuple[str, ...] = (),
    own_space: Sequence[IPv4Network | IPv6Network] = (),
) -> Reading:
    """Read one mail. Whatever the bytes are, a Reading comes back, with a reason. `passwords` open locked archives.

    `own_space` are the operator's own addresses, where they are known.
    """
    mail = read_mail(raw, limits=Limits(archive_passwords=passwords) if passwords else None)
    reading = _read(mail, parsers=parsers, ours=own_addresses_in_lower_case(own_addresses))
    if reading.outcome is ReadingOutcome.SEALED:
        return reading
    reading = left_to_person(mail, reading, own_space)
    return replace(reading, reporter=replace(reading.reporter, language=language_of(mail)))


def _read(mail: Mail, *, parsers: Iterable[Parser], ours: frozenset[str]) -> Reading:
    if speaks_of_child_abuse(mail):
        return sealed(mail)
    if _is_empty(mail):
        return set_aside(mail, ReadingReason.EMPTY, detail="It holds no words.")
    if _is_own_letter(mail, ours):
        return set_aside(mail, ReadingReason.OWN_LETTER, detail="It is a letter of ours that came back.")
    ordered = sorted(parsers, key=lambda x: (x.priority, x.name))
    unusable: Reading | None = None
    for parser in (x for x in ordered if x.priority < _EXACT):
        reading = _ask(parser, mail)
        if reading is None or _is_ours(mail, reading, ours):
            continue
        if reading.outcome is not ReadingOutcome.UNREADABLE or reading.reason is ReadingReason.HOSTILE_FORM:
            return _with_bounds(mail, reading)
        unusable = unusable or reading
    if unusable is None:
        aside = resent(mail) or not_a_complaint(mail)
        if aside is not None:
            return aside
    for parser in (x for x in ordered if x.priority >= _EXACT):
        reading = _ask(parser, mail)
        if reading is None:
            continue
        if unusable is None:
            return _with_bounds(mail, _doubted(mail, reading))
        if reading.outcome is ReadingOutcome.COMPLAINT:
            # The form is broken but the letter around it can be read: a person sees both.
            return replace(reading, reason=ReadingReason.UNSURE, detail=unusable.detail)
    if unusable is not None:
        return _with_bounds(mail, unusable)
    return unreadable(mail, ReadingReason.NO_SOURCE, parser="", detail="No parser found a source in it.")


def own_addresses_in_lower_case(addresses: Iterable[str]) -> frozenset[str]:
    """Mail addresses as they are compared here."""
    return frozenset(x.strip().lower() for x in addresses)


def _ask(parser: Parser, mail: Mail) -> Reading | None:
    """A parser is asked as a door to another's code: when it breaks on a mail, a person gets the mail."""
    try:
        return parser.read(mail)
    except Exception as why:  # noqa: BLE001 - the mail is kept, the person is told, and nothing is lost.
        return unreadable(
            mail,
            ReadingReason.BROKEN_FORM,
            parser=parser.name,
            detail=f"The parser {parser.name} stopped at this mail ({type(why).__name__}).",
        )


def _with_bounds(mail: Mail, reading: Reading) -> Reading:
    """When a bound was met and nothing exact was found, the bound is the reason.

    Of a letter nested too deep, what stands above the bound is only its carriers' words: it is not taken for the whole.
    """
    if "depth" in mail.exceeded and reading.parser == "freetext":
        return unreadable(
            mail, ReadingReason.TOO_DEEP, parser=reading.parser, detail="Not all of it was unfolded: too deep."
        )
    if reading.outcome is not ReadingOutcome.UNREADABLE or reading.reason is not ReadingReason.NO_SOURCE:
        return reading
    if "size" in mail.exceeded or any(
        leaf.content[:4] == b"PK\x03\x04" and is_bomb(leaf.content, limits=mail.limits) for leaf in mail.leaves
    ):
        return unreadable(
            mail, ReadingReason.TOO_LARGE, parser=reading.parser, detail="Not all of it was unfolded: too large."
        )
    if closed := _closed_file(mail):
        return replace(reading, detail=f"{closed} is locked with a password that is not known here.")
    if not mail.exceeded:
        return reading
    return unreadable(
        mail, ReadingReason.TOO_DEEP, parser=reading.parser, detail="Not all of it was unfolded: too deep."
    )


def _closed_file(mail: Mail) -> str:
    """The first file that came locked and stayed so, by its name; an empty text where there is none."""
    closed = mail.closed
    return "" if closed is None else f"The file {closed.filename[:100]}" if closed.filename else "A file"


def _is_empty(mail: Mail) -> bool:
    return not mail.subject and not any(x.content.strip() for x in mail.leaves)


def _is_own_letter(mail: Mail, ours: frozenset[str]) -> bool:
    """From an address of ours, or with a letter's key and a From or Message-ID of a domain of ours.

    The key alone says little: other operators' letters carry one too, and anybody can write it.
    """
    sender = mail.sender[1].lower()
    if sender in ours:
        return True
    if not mail.header(OWN_HEADER):
        return False
    named = {sender.rpartition("@")[2], mail.header("message-id").strip().rstrip(">").rpartition("@")[2].lower()}
    return not ours or bool(named & {x.rpartition("@")[2] for x in ours})


def _is_ours(mail: Mail, reading: Reading, ours: frozenset[str]) -> bool:
    """A form that we filled in ourselves: our notices carry one, and a delivery report or an answer may return it."""
    if reading.reporter.address.lower() in ours:
        return True
    forms = [leaf.content.lower() for leaf in mail.leaves if leaf.filename.endswith(".xarf.json")]
    return any(f'"{address}"'.encode() in form for form in forms for address in ours)


def _doubted(mail: Mail, reading: Reading) -> Reading:
    """A guess at a mail that speaks of no abuse is no complaint, unless somebody complains by forwarding."""
    if mail.exceeded or reading.reason not in (ReadingReason.NO_SOURCE, ReadingReason.UNSURE):
        return reading
    if _closed_file(mail):
        # What it speaks of may stand in there.
        return reading
    return without_offender(mail, reading) or reading
