"""Holds an order against lists and against those who were sent away. Pure: it explains, and decides nothing."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from rapidfuzz import fuzz

from tipstaff.words import Concern, ConcernKind, Customer, ListKind

from .names import plain_asn, plain_host_name

Network = IPv4Network | IPv6Network

LIKE_FROM = 88
"""Names from this likeness on (0 to 100) are put to a person. `tests/rooms/registry/test_vetting.py` holds pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a list, whatever its form."""

    name: str = ""
    aliases: tuple[str, ...] = ()
    prefix: str = ""
    asn: int = 0
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """A customer who was terminated, or refused, with everything by which they may be known again."""

    key: str
    name: str
    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    postal_address: str = ""
    ended: str = ""
    """`terminated on 2026-03-01`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who wants in, and with what."""

    customer: Customer
    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    prefixes: tuple[Network, ...] = ()
    asns: tuple[int, ...] = ()


class BadList(ValueError):
    """A list's file can't be read; the message says which line and why."""


def vet(
    order: Order, *, lists: Mapping[ListKind, Sequence[Entry]], former: Iterable[Former], at: datetime
) -> tuple[Concern, ...]:
    """Everything about an order that a person should look at, the weightiest first."""
    found = [
        *_order_concerns(order, at=at),
        *vet_against_lists(order, lists),
        *(c for one in former if one.key != order.customer.key for c in _former_concern(order, one)),
    ]
    return weightiest_first(found)


LISTED = frozenset({ConcernKind.ALIAS_MATCH, ConcernKind.DROP_PREFIX, ConcernKind.DROP_ASN})
"""The kinds of concern that come from a list, and may come and go with it."""


def vet_against_lists(order: Order, lists: Mapping[ListKind, Sequence[Entry]]) -> tuple[Concern, ...]:
    """Only what the lists say, as when one of them has changed."""
    return (*_alias_concerns(order, lists.get(ListKind.ALIASES, ())), *_drop_concerns(order, lists))


def weightiest_first(concerns: Iterable[Concern]) -> tuple[Concern, ...]:
    """In the order in which a person should read them."""
    return tuple(sorted(concerns, key=lambda concern: (-concern.score, concern.kind, concern.against)))


# --- lists


def read_list(kind: ListKind, lines: Iterable[str]) -> tuple[Entry, ...]:
    """A list in either of its forms: JSON lines, or plain text with the reference behind a semicolon."""
    entries = []
    for number, line in enumerate(lines, 1):
        text = line.strip().lstrip("\ufeff")
        if not text or text[0] in ";#":
            continue
        try:
            entry = _json_entry(kind, text) if text.startswith("{") else _text_entry(kind, text)
        except KeyError as why:
            raise BadList(f"line {number}: it has no {why}") from why
        except (ValueError, TypeError, AttributeError) as why:
            raise BadList(f"line {number}: {str(why)[:200]}") from why
        if entry is not None:
            entries.append(entry)
    return tuple(dict.fromkeys(entries))


def _json_entry(kind: ListKind, text: str) -> Entry | None:
    told = json.loads(text)
    if told.get("type") == "metadata":
        return None
    reference = str(told.get("sblid") or told.get("ref") or told.get("reference") or told.get("asname") or "")
    if kind is ListKind.DROP:
        return Entry(prefix=str(ip_network(told["cidr"])), reference=reference)
    if kind is ListKind.ASN_DROP:
        return Entry(asn=plain_asn(str(told["asn"])), reference=reference)
    aliases = told.get("aliases") or []
    if not str(told["name"]).strip() or not isinstance(aliases, list):
        raise ValueError("an entry has a name, and aliases in a list")
    return Entry(name=str(told["name"]).strip(), aliases=tuple(map(str, aliases)), reference=reference)


def _text_entry(kind: ListKind, text: str) -> Entry:
    first, *rest = [part.strip() for part in text.split(";")]
    if kind is ListKind.DROP:
        return Entry(prefix=str(ip_network(first)), reference=" ".join(rest))
    if kind is ListKind.ASN_DROP:
        return Entry(asn=plain_asn(first), reference=" ".join(rest))
    return Entry(name=first, aliases=tuple(part for part in rest if part))


# --- names


_FORMS = frozenset(
    re.findall(
        r"\w+",
        "ag bv bvba co company corp corporation doo eirl ek eurl ev gbr gmbh inc incorporated kft kg kgaa limited llc "
        "llp lp ltd ltda mbh nv ohg oy oyj ab aps as plc pty pte sa sarl sas sasu sl slu spa sro srl ug uab zoo sp "
        "the and und et y e of",
    )
)
"""Legal forms and little words: two companies are not alike because both are limited."""
_FOLDED = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i"})


@lru_cache(maxsize=100_000)
def plain_words(name: str) -> str:
    """A name without case, accents, punctuation and legal forms: `exämple Bakery, Ltd.` is `example bakery`."""
    text = name
    for _ in range(2):  # A letter may be written in another form (a bold A), which is not a small a until it is plain.
        text = unicodedata.normalize("NFKD", text).casefold()
    text = unicodedata.normalize("NFKD", text.translate(_FOLDED))
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = re.sub(r"\b([a-z])\.(?=[a-z]\b)", r"\1", re.sub(r"\.(?=\s|$)", " ", text))
    words = [word for word in re.split(r"[^\w]+", text.replace("_", " ")) if word]
    telling = [word for word in words if word not in _FORMS]
    return " ".join(telling or words)


def likeness(one: str, other: str) -> int:
    """How like two names are, 0 to 100: words in any order, or the letters without spaces; the same either way."""
    first, second = sorted((plain_words(one), plain_words(other)))
    if not first or not second:
        return 0
    if min(len(first), len(second)) < 4:
        return 100 if first == second else 0
    joined = fuzz.ratio(first.replace(" ", ""), second.replace(" ", ""))
    return int(max(fuzz.token_sort_ratio(first, second), joined))


def _explained(one: str, other: str, score: int) -> str:
    if score == 100:
        return f'"{one}" and "{other}" are the same without case, accents and legal form'
    return f'"{one}" is like "{other}": "{plain_words(one)}" and "{plain_words(other)}" agree by {score} of 100'


def _alias_concerns(order: Order, entries: Sequence[Entry]) -> Iterable[Concern]:
    for entry in entries:
        named = max((entry.name, *entry.aliases), key=lambda name: likeness(order.customer.name, name))
        score = likeness(order.customer.name, named)
        if score >= LIKE_FROM:
            of = f", an alias of {entry.name}" if named != entry.name else ""
            ref = f" ({entry.reference})" if entry.reference else ""
            yield Concern(
                kind=ConcernKind.ALIAS_MATCH,
                explanation=f"{_explained(order.customer.name, named, score)}{of}{ref} on the list of aliases.",
                score=score,
                against=entry.name,
            )


def _drop_concerns(order: Order, lists: Mapping[ListKind, Sequence[Entry]]) -> Iterable[Concern]:
    listed = [(ip_network(entry.prefix), entry) for entry in lists.get(ListKind.DROP, ()) if order.prefixes]
    for prefix in order.prefixes:
        for network, entry in listed:
            if network.version == prefix.version and network.overlaps(prefix):
                yield Concern(
                    kind=ConcernKind.DROP_PREFIX,
                    explanation=f"{prefix} overlaps {network}, which is on the DROP list ({entry.reference}).",
                    score=100,
                    against=str(network),
                )
    for entry in lists.get(ListKind.ASN_DROP, ()):
        if entry.asn in order.asns:
            yield Concern(
                kind=ConcernKind.DROP_ASN,
                explanation=f"AS{entry.asn} is on the ASN-DROP list ({entry.reference}).",
                score=100,
                against=f"AS{entry.asn}",
            )


# --- those who were sent away


def plain_phone(text: str) -> str:
    """Digits without the sign or zeros before the country; two numbers are one when their last nine digits agree."""
    return re.sub(r"\D", "", text).lstrip("0")[-9:]


def _former_concern(order: Order, former: Former) -> Iterable[Concern]:
    """One concern for one former customer, with all that speaks for it in one explanation."""
    signs: list[tuple[int, str]] = []
    score = likeness(order.customer.name, former.name)
    if score >= LIKE_FROM:
        signs.append((score, _explained(order.customer.name, former.name, score)))
    for email in sorted(order.emails & former.emails):
        signs.append((100, f"both use the mail address {email}"))
    phones = {plain_phone(p) for p in order.phones} & {plain_phone(p) for p in former.phones}
    for phone in sorted(p for p in phones if len(p) >= 6):
        signs.append((100, f"both use the telephone number that ends in {phone[-6:]}"))
    if _same_place(order.customer.postal_address, former.postal_address):
        signs.append((95, f'both give the postal address "{former.postal_address}"'))
    if signs:
        said = "; ".join(sentence for _, sentence in signs)
        yield Concern(
            kind=ConcernKind.TERMINATED_BEFORE,
            explanation=f"{former.key}, {former.name}, was {former.ended}: {said}.",
            score=max(number for number, _ in signs),
            against=former.key,
        )


def _same_place(one: str, other: str) -> bool:
    """The same numbers, and the same words but for spelling."""
    if len(one) < 8 or len(other) < 8 or sorted(re.findall(r"\d+", one)) != sorted(re.findall(r"\d+", other)):
        return False
    return bool(re.search(r"\d", one)) and fuzz.token_sort_ratio(plain_words(one), plain_words(other)) >= 90


# --- the order itself


_NEVER_DELIVERED = frozenset({"invalid", "localhost", "local", "test", "onion", "internal", "lan", "arpa"})
"""Names that mail can't reach from the internet (RFC 6761, RFC 6762, RFC 7686; `internal` by ICANN's reservation)."""
_CALLING = {
    "AT": "43", "AU": "61", "BE": "32", "BG": "359", "BR": "55", "CA": "1", "CH": "41", "CN": "86", "CZ": "420",
    "DE": "49", "DK": "45", "EE": "372", "ES": "34", "FI": "358", "FR": "33", "GB": "44", "GR": "30", "HR": "385",
    "HU": "36", "IE": "353", "IN": "91", "IT": "39", "JP": "81", "LT": "370", "LU": "352", "LV": "371", "MX": "52",
    "NL": "31", "NO": "47", "NZ": "64", "PL": "48", "PT": "351", "RO": "40", "SE": "46", "SI": "386", "SK": "421",
    "TR": "90", "UA": "380", "US": "1", "ZA": "27",
}  # fmt: skip
"""Calling codes of ITU-T E.164, where a telephone abroad is at least worth a question."""


def _order_concerns(order: Order, *, at: datetime) -> Iterable[Concern]:
    customer = order.customer
    lacking = [
        name
        for name, value in (
            ("a telephone number", order.phones),
            ("a mail address", order.emails),
            ("a postal address", customer.postal_address),
            ("a country", customer.country),
            ("a representative", customer.representative),
        )
        if not value
    ]
    if lacking:
        yield Concern(
            kind=ConcernKind.ORDER_INCOMPLETE,
            explanation=f"The order lacks {', '.join(lacking[:-1]) + ' and ' if lacking[1:] else ''}{lacking[-1]}.",
            score=40,
        )
    for sentence in _contradictions(order, at=at):
        yield Concern(kind=ConcernKind.ORDER_CONTRADICTS, explanation=sentence, score=60)


def _contradictions(order: Order, *, at: datetime) -> Iterable[str]:
    customer = order.customer
    for email in sorted(order.emails):
        if why := why_undeliverable(email):
            yield f"No mail can reach {email}: {why}."
    code = _CALLING.get(customer.country)
    for phone in sorted(order.phones):
        digits = re.sub(r"[^\d+]", "", phone)
        abroad = digits.removeprefix("+") if digits.startswith("+") else digits[2:] if digits[:2] == "00" else ""
        if code and abroad and not abroad.startswith(code):
            yield f"The country is {customer.country}, whose numbers begin with +{code}, but {phone} does not."
        if len(re.sub(r"\D", "", phone)) not in range(5, 16):
            yield f"{phone} has not between 5 and 15 digits (ITU-T E.164)."
    if customer.since is not None and customer.since > at:
        yield f"The contract begins only on {customer.since:%Y-%m-%d}."
    if not re.search(r"[^\W\d_]{2}", customer.name):
        yield f'"{customer.name}" is no name: it has no two letters in a row.'


def why_undeliverable(email: str) -> str:
    """Why an address can never work, by its form alone; empty when it may."""
    local, at, domain = email.rpartition("@")
    host = plain_host_name(domain)
    labels = host.split(".")
    if not at or not local or len(local.encode()) > 64:
        return "it has no local part of 1 to 64 octets (RFC 5321)"
    if ".." in local or local[0] == "." or local[-1] == ".":
        return "its local part has a dot where none may be (RFC 5321)"
    if len(labels) < 2 or len(host) > 253:
        return "its domain is no full host name"
    if any(not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label) for label in labels):
        return "its domain is not in the form of a host name (RFC 1123)"
    if labels[-1] in _NEVER_DELIVERED or labels[-1].isdigit():
        return f'nothing under "{labels[-1]}" is reached from the internet'
    return ""
