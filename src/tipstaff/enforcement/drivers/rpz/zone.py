"""The response policy zone: how rules become its records, and how a transfer is read back. Pure, but for its sealing.

A blocked name, or every name that leads to a blocked address (`32.80.2.0.192.rpz-ip`), has a TXT record that says so
(and addresses of a page, where they are set): a resolver that applies the zone answers with these and with nothing
else. TXT tells our block from a name that is simply not there.

Whatever stands in such a zone can be asked for by every customer of the resolver. So the book-keeping, which says what
is blocked by which measure, is sealed, and its names say nothing: `LABEL._tipstaff`. `generation._tipstaff` is open: it
is how every resolver tells how far it has come.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network

import dns.name
import dns.rdatatype
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tipstaff.enforcement.drivers.rpz.transfer import BadTransfer, Labels, Record
from tipstaff.enforcement.kept import line_of, read_line
from tipstaff.enforcement.pages import plain_host
from tipstaff.words import Degree, Direction, Rule, Scope

BOOK: Labels = (b"_tipstaff",)
GENERATION: Labels = (b"generation", *BOOK)
_KNOWN_MAX = 1 << 17
_DIGITS_MAX = 19
"""Of a generation, which is a number of 64 bits."""
Records = Iterable[tuple[Labels, Sequence[Record]]]
"""(name, below the zone's own; its records). Labels and octets, for dnspython takes a name apart octet by octet to look
it up or to compare it, which is too slow for 100,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A measure as the zone keeps it."""

    rule: Rule
    fingerprint: str
    generation: int
    """The plan that brought it. Above the zone's own, it belongs to a change that was never finished."""
    owner: Labels


class Book:
    """Seals and opens the book-keeping of one zone with a key made from its TSIG secret."""

    def __init__(self, secret: bytes, *, zone: str) -> None:
        self._key = hmac.digest(secret, b"tipstaff zone " + zone.encode(), "sha256")
        self._box = AESGCM(self._key)
        self._owners: dict[str, Labels] = {}

    def owner(self, measure: str) -> Labels:
        known = self._owners.get(measure)
        if known is not None:
            return known
        label = hmac.digest(self._key, measure.encode(), hashlib.sha256)[:12]
        name = (base64.b32encode(label).rstrip(b"=").lower(), *BOOK)
        if len(self._owners) >= _KNOWN_MAX:
            self._owners.clear()
        self._owners[measure] = name
        return name

    def seal(self, rule: Rule, *, generation: int) -> list[bytes]:
        """The strings of a TXT record."""
        nonce = os.urandom(12)
        sealed = base64.b64encode(nonce + self._box.encrypt(nonce, line_of(rule, g=generation).encode(), None))
        return [sealed[i : i + 255] for i in range(0, len(sealed), 255)]

    def open(self, strings: Sequence[bytes], *, owner: Labels) -> Entry | None:
        """The entry; None if another key sealed it."""
        try:
            sealed = base64.b64decode(b"".join(strings), validate=True)
            rule, kept = read_line(self._box.decrypt(sealed[:12], sealed[12:], None).decode())
            told, generation = kept["fingerprint"], kept["g"]
            return Entry(rule=rule, fingerprint=told, generation=generation, owner=owner)
        except (InvalidTag, ValueError, KeyError, TypeError):
            return None


def can(*, addresses: bool) -> frozenset[tuple[Scope, Degree]]:
    """What a zone can say: names, and addresses where the operator wants that."""
    return frozenset((scope, Degree.BLOCK) for scope in (Scope.HOST_NAME, *[Scope.ADDRESS] * addresses))


def supports(rule: Rule, *, zone: dns.name.Name, addresses: bool) -> bool:
    """Whether the zone can hold exactly this: a host name short enough to stand before the zone's own, or what is sent
    to an address. What an address sends asks no resolver for it."""
    selector = rule.selector
    if (selector.scope, rule.degree) not in can(addresses=addresses):
        return False
    one_way = selector.network is None or selector.direction is Direction.IN
    return one_way and name_of(rule, zone=zone) is not None


def name_of(rule: Rule, *, zone: dns.name.Name) -> Labels | None:
    """Where the zone blocks it, below the zone's own name."""
    network = rule.selector.network
    if network is None:
        return _below(rule.selector.host_name or "", zone.labels)
    name = _of_network(network)
    return name if _fits(name, zone.labels) else None


@lru_cache(maxsize=_KNOWN_MAX)  # A hundred thousand names are asked for again in each round of a zone.
def _below(host_name: str, zone: Labels) -> Labels | None:
    try:
        name = _of_host(host_name)
    except UnicodeError:
        return None
    # Below `rpz-ip` and its like a name means addresses, clients or servers; below ours stand our own books.
    if not plain_host(b".".join(name).decode()) or name[-1].startswith(b"rpz-") or name[-1:] == BOOK:
        return None
    return name if _fits(name, zone) else None


def _fits(name: Labels, zone: Labels) -> bool:
    """Whether both together are no longer than a name may be (RFC 1035, 2.3.4)."""
    return sum(map(len, name)) + len(name) + sum(map(len, zone)) + len(zone) <= 255


def txt(strings: Sequence[bytes]) -> bytes:
    """The data of a TXT record."""
    return b"".join([bytes((len(one),)) + one for one in strings])


def strings_of(data: bytes) -> list[bytes]:
    """The strings of a TXT record."""
    strings, at = [], 0
    while at < len(data):
        strings.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return strings


def generation_of(texts: Iterable[bytes]) -> int | None:
    """The generation that is said, 0 for none; None for one so long that it cannot be ours. An answer that nobody
    signed may say a number that Python does not read."""
    said = [text for text in texts if text.isdigit()]
    return None if any(len(text) > _DIGITS_MAX for text in said) else max(map(int, said), default=0)


class Held:
    """What the zone was read to hold, kept up to date by the names that change: of very many these are few.

    `block` is what stands at a blocked name. It and the book stay the same for as long as this is kept.
    """

    def __init__(self, *, book: Book, block: Sequence[Record]) -> None:
        self._book, self._block = book, sorted(block)
        self.generation = 0
        self.exists = False
        """Whether a generation stands in it."""
        self.entries: dict[str, Entry] = {}
        self.unfinished: dict[str, Entry] = {}
        self.unreadable: set[Labels] = set()
        """Book-keeping that our key does not open."""
        self.blocks: dict[Labels, bool] = {}
        """Every other name -> whether it is blocked exactly as we do it."""
        self.lacking: set[Labels] = set()
        """Names that are to be blocked, and are not as we do it."""
        self._foreign: dict[Labels, str] = {}
        self._on: dict[Labels, tuple[str, ...]] = {}
        """A blocked name -> the measures on it."""
        self._owned: dict[Labels, str] = {}
        """Where a measure is kept -> which one it is."""

    @property
    def foreign(self) -> tuple[str, ...]:
        return tuple(sorted(self._foreign.values()))

    @property
    def drifted(self) -> frozenset[str]:
        """Measures whose name is not blocked as we do it."""
        return frozenset(measure for labels in self.lacking for measure in self._on[labels])

    def measures_on(self, labels: Labels) -> tuple[str, ...]:
        return self._on.get(labels, ())

    def take(self, names: Records) -> None:
        """Take in what stands at these names from now on; no records at one that is gone."""
        before = self.generation
        touched: dict[Labels, None] = {}
        for labels, records in names:
            if not labels:
                records = [r for r in records if r[0] not in (dns.rdatatype.SOA, dns.rdatatype.NS)]
            elif labels == GENERATION:
                texts = [b"".join(strings_of(data)) for kind, data in records if kind == dns.rdatatype.TXT]
                told = generation_of(texts)
                if told is None:
                    raise BadTransfer("its generation is no number that can be ours")
                self.generation = told
                self.exists = bool(records)
                continue
            elif labels[-1:] == BOOK:
                self._keep(labels, records, touched)
                continue
            touched[labels] = None
            if records:
                self.blocks[labels] = sorted(records) == self._block
            else:
                self.blocks.pop(labels, None)
        self._sort_out(before, touched)

    def _keep(self, labels: Labels, records: Sequence[Record], touched: dict[Labels, None]) -> None:
        old = self._owned.pop(labels, None)
        if old is not None:
            entry = self.entries.pop(old, None) or self.unfinished.pop(old)
            name = _blocked(entry.rule)
            self._on[name] = tuple(other for other in self._on[name] if other != old)
            touched[name] = None
        self.unreadable.discard(labels)
        if not records:
            return
        strings = next((strings_of(data) for kind, data in records if kind == dns.rdatatype.TXT), ())
        new = self._book.open(strings, owner=labels)
        if new is None or self._book.owner(new.rule.measure) != labels:
            self.unreadable.add(labels)
            return
        measure, name = new.rule.measure, _blocked(new.rule)
        self.entries[measure] = new  # Whether it is finished is seen when all is taken in.
        self._owned[labels] = measure
        self._on[name] = (*self._on.get(name, ()), measure)
        touched[name] = None

    def _sort_out(self, before: int, touched: Iterable[Labels]) -> None:
        for key in [key for key, entry in self.unfinished.items() if entry.generation <= self.generation]:
            self.entries[key] = self.unfinished.pop(key)
        # What was finished by one generation is so by each that follows.
        known = self.entries if self.generation < before else [m for x in touched for m in self._on.get(x, ())]
        for key in list(known):
            if key in self.entries and self.entries[key].generation > self.generation:
                self.unfinished[key] = self.entries.pop(key)
        for labels in touched:
            names = self._on.get(labels, ())
            if not names:
                self._on.pop(labels, None)
            if not names and labels in self.blocks:
                self._foreign[labels] = str(dns.name.Name(labels))
            else:
                self._foreign.pop(labels, None)
            if names and not self.blocks.get(labels, False):
                self.lacking.add(labels)
            else:
                self.lacking.discard(labels)


def _blocked(rule: Rule) -> Labels:
    network = rule.selector.network
    return _of_host(rule.selector.host_name or "") if network is None else _of_network(network)


@lru_cache(maxsize=_KNOWN_MAX)
def _of_host(host_name: str) -> Labels:
    """Raise UnicodeError for what cannot be a name."""
    return tuple(host_name.rstrip(".").encode("idna").lower().split(b"."))


def _of_network(network: IPv4Network | IPv6Network) -> Labels:
    # Words in reverse behind the length of the prefix; `zz` is the longest run of noughts.
    words = str(network.network_address).replace("::", ":zz:").strip(":").replace(":", ".").split(".")
    return tuple(word.encode() for word in (str(network.prefixlen), *reversed(words), "rpz-ip"))
