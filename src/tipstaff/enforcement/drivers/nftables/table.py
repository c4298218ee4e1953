"""The table `inet tipstaff`: what it is built of, how a rule becomes its elements, and how a listing is read. Pure.

The table holds two sets of book-keeping beside the sets that rules look into:

- `generation` has one element, `g17`: the generation of the last plan. A change deletes the element that it read
  and adds its own in the same transaction, so the kernel itself refuses a change that was made for another state.
- `measures_0` to `measures_f` have one element per measure, named by its key; the comment says which elements it
  needs. Two measures may need one element: it stays until the last of them is lifted.
"""

import json
import math
import re
import socket
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from ipaddress import ip_address, ip_network
from typing import Any

from tipstaff.enforcement.drivers.nftables.layout import (
    CHAINS,
    SETS,
    TABLE,
    Address,
    Element,
    Network,
    Rules,
    book_of,
    elements_of,
    is_book,
    is_of_prefixes,
)
from tipstaff.enforcement.planner import fingerprint
from tipstaff.enforcement.protocol import DeviceRefused
from tipstaff.words import Plan, Rule, Seen, Step

Packed = tuple[bytes, bytes | None, int | None]
"""An element in the kernel's terms: key, comment, milliseconds after which it ends."""

_COMMENT = re.compile(r"fp=(\S+) in=(\S+) el=(\S+)")


@dataclass(kw_only=True)
class Held:
    """What the device holds, as it was read; `take` follows a change that the kernel has taken."""

    generation: int = 0
    generation_elements: tuple[str, ...] = ()
    measures: dict[str, str] = field(default_factory=dict)
    """Measure key -> comment of its element."""
    elsewhere: dict[str, str] = field(default_factory=dict)
    """Measure key -> the set that names it, of those that stand in another than their own: an older version's."""
    elements: dict[Element, str] = field(default_factory=dict)
    """Element -> comment; a comment that does not name measures is foreign."""
    prefixes: Mapping[Element, Any] = field(default_factory=dict)
    """Every element of the prefix sets as it was listed, time left included."""
    sets: frozenset[str] = frozenset()
    rule_comments: tuple[tuple[str, str], ...] = ()
    """(chain, comment) of each rule of ours, in the order in which it stands there."""
    own_rule_handles: tuple[tuple[str, int], ...] = ()
    """(chain, handle) of the same."""
    chains: frozenset[str] = frozenset()
    """Those of our chains that hang where they should."""
    foreign: tuple[str, ...] = ()
    foreign_elements: tuple[str, ...] = ()
    """Those of `foreign` that stand in our sets."""
    exists: bool = False
    raw: dict[str, dict[bytes, bytes | None]] = field(default_factory=dict)
    """Set -> key -> comment, in the kernel's own bytes; only where it was read by netlink."""
    has_taken: bool = False
    """Whether it followed a change since it was read."""

    def stands(self, rules: Rules) -> bool:
        """Whether the rules that look into the sets are all there, as this version and these settings write them."""
        wanted = [(chain, comment) for chain, comment, _ in rules]
        # Each chain has its own order, and that of the chains says nothing.
        same = sorted(self.rule_comments, key=_first) == sorted(wanted, key=_first)
        return same and self.chains >= {chain for chain, _ in wanted} and self.sets >= SETS.keys()

    @cached_property
    def needed(self) -> dict[Element, tuple[str, ...]]:
        """Element -> the measures on the device that need it."""
        return required(self.measures)

    @cached_property
    def in_prefix_sets(self) -> frozenset[str]:
        """The measures that need an element of a prefix set: those depend on each other."""
        return frozenset(key for e, keys in self.needed.items() if is_of_prefixes(e[0]) for key in keys)

    @cached_property
    def astray(self) -> dict[Element, tuple[str, ...]]:
        """Elements that are not as the measures on the device need them, and the measures that need them."""
        found = {e: keys for e, keys in self.needed.items() if self.elements.get(e) != element_comment(keys)}
        found |= {e: () for e, comment in self.elements.items() if e not in self.needed and is_ours(comment)}
        return found

    @cached_property
    def drifted(self) -> frozenset[str]:
        """Measures that lack an element, or that nothing but an element is left of."""
        lacking = {key for e, keys in self.astray.items() if e not in self.elements for key in keys}
        # An element of ours that no measure needs any more is still in force: named, so that it is lifted.
        for element, keys in self.astray.items():
            if not keys:
                lacking |= {*self.elements[element].split()[1:2]} or {"orphan"}
        return frozenset(lacking)

    @cached_property
    def hosts_with_ports(self) -> frozenset[str]:
        """Addresses of which a port is touched."""
        return frozenset(words.partition(",")[0] for name, words in self.elements if "_flow_" in name)

    def covers(self, address: Address) -> bool:
        """Whether a measure touches all of this address."""
        words, version = str(address), address.version
        if any("_addr_" in name and name.endswith(str(version)) and (name, words) in self.elements for name in SETS):
            return True
        return any(address in ip_network(net) for _, net in self.prefixes)

    @cached_property
    def fingerprints(self) -> tuple[tuple[str, str], ...]:
        return tuple([(key, fingerprint_of(self.measures[key])) for key in self._in_order])

    def seen(self, *, stands: bool) -> tuple[tuple[str, Seen], ...]:
        """What is seen of each measure."""
        orphans = self.drifted - self.measures.keys()
        if not stands:
            return tuple((key, Seen.DRIFT) for key in sorted({*self.measures, *orphans}))
        if not self.drifted:
            return self._all_in_force
        seen = {key: Seen.DRIFT if key in self.drifted else Seen.IN_FORCE for key in self.measures}
        return tuple(sorted((seen | dict.fromkeys(orphans, Seen.DRIFT)).items()))

    @cached_property
    def _all_in_force(self) -> tuple[tuple[str, Seen], ...]:
        return tuple([(key, Seen.IN_FORCE) for key in self._in_order])

    @cached_property
    def _in_order(self) -> list[str]:
        return sorted(self.measures)

    def read_again(self) -> None:
        """Work the long lists out anew, where something was taken; not in `take`: to let go of them takes a while."""
        if self.has_taken:
            self.has_taken = False
            for derived in ("fingerprints", "_all_in_force", "_in_order"):
                self.__dict__.pop(derived, None)

    def take(self, change: "Change") -> None:
        """Follow a change of no prefix set that the kernel has taken."""
        self.has_taken = True
        needed = self.needed
        self.generation, self.generation_elements = change.generation, (f"g{change.generation}",)
        self.raw["generation"] = {key_of("generation", f"g{change.generation}"): None}
        for name, gone in change.gone.items():
            raw = self.raw[name]
            for key in change.keys[name]:
                raw.pop(key, None)
            for words in gone:
                self.measures.pop(words, None) if is_book(name) else self.elements.pop((name, words), None)
                self.elsewhere.pop(words, None)
        for name, come in change.come.items():
            self.raw[name].update((key, comment) for key, comment, _ in change.packed[name])
            if is_book(name):
                self.measures.update((words, comment) for words, comment, _ in come)
            else:
                self.elements.update(((name, words), comment) for words, comment, _ in come)
        for element, keys in change.needed.items():
            if keys:
                needed[element] = keys
            else:
                needed.pop(element, None)
        for derived in ("drifted", "hosts_with_ports"):
            self.__dict__.pop(derived, None)
        # What was astray has been set right with it; what was not ours stays so.
        self.astray = {e: keys for e, keys in change.left_alone.items() if e in self.elements}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One transaction: what goes and what comes, set by set, with the generation."""

    generation: int
    gone: dict[str, list[str]]
    come: dict[str, list[tuple[str, str, int | None]]]
    """Set -> (element in words, comment, seconds after which it ends)."""
    needed: Mapping[Element, tuple[str, ...]]
    """What each element that was looked at is needed by from now on."""
    left_alone: Mapping[Element, tuple[str, ...]]
    """Elements that are somebody else's and would do."""

    @property
    def touches_prefixes(self) -> bool:
        return any(is_of_prefixes(name) for name in (*self.gone, *self.come))

    @cached_property
    def keys(self) -> dict[str, list[bytes]]:
        """What goes, as the kernel's keys; of sets of single values."""
        return {name: list(map(_writer_of(name), gone)) for name, gone in self.gone.items()}

    @cached_property
    def packed(self) -> dict[str, list[Packed]]:
        """What comes, in the kernel's terms; of sets of single values."""
        return {
            name: [(write(words), said.encode(), seconds and seconds * 1000) for words, said, seconds in come]
            for name, come in self.come.items()
            for write in [_writer_of(name)]
        }


def change_of(held: Held, plan: Plan, steps: Sequence[Step], *, at: datetime) -> Change | None:
    """The change that does the steps; None if nothing is to be done and the generation stands."""
    books: dict[str, tuple[Element, ...]] = {}
    """Measure -> the elements that it needs from now on; none for one that is lifted."""
    applied: dict[str, Rule] = {}
    for step in steps:
        rule = step.rule if step.verb == "apply" else None
        if rule is None or has_ended(rule, at=at):
            applied.pop(step.measure, None)
            books[step.measure] = ()
        else:
            applied[step.measure] = rule
            books[step.measure] = elements_of(rule)
    gone: dict[str, list[str]] = {}
    come: dict[str, list[tuple[str, str, int | None]]] = {}
    for key in sorted(books.keys() & held.measures.keys()):
        gone.setdefault(book_of(key), []).append(key)
        if key in held.elsewhere:
            gone.setdefault(held.elsewhere[key], []).append(key)
    left = {until: seconds_left(until, at=at) for until in {rule.until for rule in applied.values()}}
    for key, rule in sorted(applied.items(), key=_first):
        come.setdefault(book_of(key), []).append((key, _comment_of(rule, books[key]), left[rule.until]))

    needed = _needed_after(held, books)
    left_alone: dict[Element, tuple[str, ...]] = {}
    others: dict[str, datetime | None] | None = None
    for element, keys in needed.items():
        there = held.elements.get(element)
        name, words = element
        if not keys:
            if there is not None and is_ours(there):
                gone.setdefault(name, []).append(words)
            continue
        comment = element_comment(keys) if len(keys) > 1 else f"{TABLE} {keys[0]}"
        if there is not None:
            if not is_ours(there):
                left_alone[element] = keys  # Somebody else's, which is left alone.
                continue
            if there == comment and books.keys().isdisjoint(keys):
                continue
            gone.setdefault(name, []).append(words)
        if len(keys) == 1 and keys[0] in applied:
            seconds = left[applied[keys[0]].until]
        else:
            if others is None:
                if not plan.whole:
                    raise DeviceRefused(f"{plan.device}: {words} is other measures' too; that takes a whole plan")
                others = {rule.measure: rule.until for rule in plan.rules}
            ends = [applied[key].until if key in applied else others.get(key) for key in keys]
            seconds = seconds_left(None if None in ends else max(end for end in ends if end is not None), at=at)
        come.setdefault(name, []).append((words, comment, seconds))
    if not gone and not come and held.generation == plan.generation:
        return None
    return Change(generation=plan.generation, gone=gone, come=come, needed=needed, left_alone=left_alone)


def _first(pair: tuple[str, Any]) -> str:
    return pair[0]


def _needed_after(held: Held, books: Mapping[str, tuple[Element, ...]]) -> dict[Element, tuple[str, ...]]:
    """What each element is needed by once the books stand so; only elements that this or a fault touches."""
    before = held.needed
    after: dict[Element, tuple[str, ...]] = {}
    prefixes: set[str] = set()
    for key, elements in books.items():
        if key in held.measures:
            for element in needs_of(held.measures[key]):
                after.setdefault(element, tuple(k for k in before.get(element, ()) if k not in books))
        for element in elements:
            keys = after.get(element)
            if keys is None:
                keys = before.get(element, ())
                if keys:
                    keys = tuple(k for k in keys if k not in books)
            after[element] = tuple(sorted((*keys, key))) if keys else (key,)
            if is_of_prefixes(element[0]):
                prefixes.add(key)
    if prefixes or not held.in_prefix_sets.isdisjoint(books):
        # Which prefix stands for which measures depends on all of them.
        stand = {key: needs_of(held.measures[key]) for key in held.in_prefix_sets if key not in books}
        stand |= {key: books[key] for key in prefixes}
        after = {e: keys for e, keys in after.items() if not is_of_prefixes(e[0])}
        after |= {e: () for e in before if is_of_prefixes(e[0])}
        after |= {e: keys for e, keys in _required(stand).items() if is_of_prefixes(e[0])}
    for element, keys in held.astray.items():
        after.setdefault(element, keys)
    return after


def _comment_of(rule: Rule, needs: tuple[Element, ...]) -> str:
    """The comment of a measure's element: enough to lift it without any plan."""
    into = needs[0][0] if len(needs) == 1 else "+".join(name for name, _ in needs)
    return f"fp={fingerprint(rule)} in={into} el={needs[0][1]} case={rule.case}"[:127]


def needs_of(comment: str) -> tuple[Element, ...]:
    """The elements that a measure's comment names; none if it is not ours."""
    told = _COMMENT.match(comment)
    return tuple((name, told[3]) for name in told[2].split("+")) if told else ()


def fingerprint_of(comment: str) -> str:
    """The fingerprint that a measure's comment carries."""
    if comment[:3] == "fp=" and comment[15:19] == " in=" and comment[3:15].isalnum():
        return comment[3:15]
    told = _COMMENT.match(comment)
    return told[1] if told else ""


def required(measures: Mapping[str, str]) -> dict[Element, tuple[str, ...]]:
    """Element -> measures that need it. Of prefixes that lie within each other only the widest stands in a set."""
    return _required({key: needs_of(comment) for key, comment in measures.items()})


def _required(needs: Mapping[str, tuple[Element, ...]]) -> dict[Element, tuple[str, ...]]:
    needed: dict[Element, tuple[str, ...]] = {}
    by_set: dict[str, list[str]] = {}
    for key, elements in needs.items():
        for element in elements:
            keys = needed.get(element)
            needed[element] = (key,) if keys is None else tuple(sorted((*keys, key)))
            if keys is None and is_of_prefixes(element[0]):
                by_set.setdefault(element[0], []).append(element[1])
    for name, nets in by_set.items():
        if len(nets) > 1:
            for words in nets:
                wider = _widest(words, nets)
                if wider != words:
                    needed[(name, wider)] = tuple(sorted({*needed[(name, wider)], *needed.pop((name, words))}))
    return needed


def element_comment(keys: Iterable[str]) -> str:
    """The comment of an element: the measures that need it, as many as fit."""
    text = "tipstaff"
    for key in keys:
        if len(text) + len(key) + 1 > 120:
            return text + " ..."
        text += f" {key}"
    return text


def is_ours(comment: str) -> bool:
    """Whether an element's comment is one that we write."""
    return comment == "tipstaff" or comment.startswith("tipstaff ")


def has_ended(rule: Rule, *, at: datetime) -> bool:
    return rule.until is not None and rule.until <= at


def seconds_left(until: datetime | None, *, at: datetime) -> int | None:
    """Whole seconds until then, at least one; None for no end."""
    return None if until is None else max(1, math.ceil((until - at).total_seconds()))


def element_value(element: Element) -> Any:
    """An element as nft's JSON wants it."""
    name, words = element
    if "_flow_" in name:
        host, protocol, port = words.split(",")
        return {"concat": [host, protocol, int(port)]}
    if "," in words:
        return {"concat": words.split(",")}
    if is_of_prefixes(name) and "/" in words:
        net, _, length = words.partition("/")
        return {"prefix": {"addr": net, "len": int(length)}}
    return words


def command(verb: str, set_name: str, elements: list[Any]) -> dict[str, Any]:
    """One command of nft's JSON."""
    return {verb: {"element": {"family": "inet", "table": TABLE, "name": set_name, "elem": elements}}}


def flush(set_name: str) -> dict[str, Any]:
    """The command that empties a set."""
    return {"flush": {"set": {"family": "inet", "table": TABLE, "name": set_name}}}


def as_json(held: Held, change: Change) -> str:
    """The change as nft's JSON."""
    commands = [
        command("delete", "generation", list(held.generation_elements)),
        command("add", "generation", [f"g{change.generation}"]),
    ]
    gone = {name: [element_value((name, words)) for words in gone] for name, gone in change.gone.items()}
    for name in {name for name in (*change.gone, *change.come) if is_of_prefixes(name)}:
        # nft 1.0.6 takes a prefix that is deleted and added again for one that overlaps with itself: the whole set is
        # written anew instead, in the same transaction, with what is not ours as it was.
        removed = set(change.gone.get(name, ()))
        gone.pop(name, None)
        kept = [raw for element, raw in held.prefixes.items() if element[0] == name and element[1] not in removed]
        commands.append(flush(name))
        if kept:
            commands.append(command("add", name, kept))
    for name, values in gone.items():
        # It may have ended by itself since it was read, and deleting what is absent would undo everything else:
        # nft 1.0.6 knows no `destroy`, so each is added first.
        commands += [command("add", name, values), command("delete", name, values)]
    for name, come in change.come.items():
        commands.append(command("add", name, [_elem(name, *one) for one in come]))
    return json.dumps({"nftables": commands})


def _elem(name: str, words: str, comment: str, timeout: int | None) -> dict[str, Any]:
    elem: dict[str, Any] = {"val": element_value((name, words)), "comment": comment}
    if timeout is not None:
        elem["timeout"] = timeout
    return {"elem": elem}


# The kernel's own bytes.


def as_elements(held: Held, change: Change) -> list[tuple[bool, str, list[Packed]]]:
    """The change of single values as (adds, set, elements), in their order."""
    commands: list[tuple[bool, str, list[Packed]]] = [
        (False, "generation", [(key_of("generation", words), None, None) for words in held.generation_elements]),
        (True, "generation", [(key_of("generation", f"g{change.generation}"), None, None)]),
    ]
    for name, keys in change.keys.items():
        # It may have ended by itself since it was read, and deleting what is absent would undo everything else.
        values: list[Packed] = [(key, None, None) for key in keys]
        commands += [(True, name, values), (False, name, values)]
    return [*commands, *((True, name, come) for name, come in change.packed.items())]


_NUMBERS = {"tcp": 6, "udp": 17}
_PROTOCOLS = {number: name for name, number in _NUMBERS.items()}
_PORTS = struct.Struct("!H2x")


def _protocol_key(words: str) -> bytes:
    return bytes((_NUMBERS.get(words) or int(words), 0, 0, 0))


def _protocol_words(key: bytes) -> str:
    return _PROTOCOLS.get(key[0]) or str(key[0])


_FIELDS: dict[str, tuple[int, Callable[[str], bytes], Callable[[bytes], str]]] = {
    # Each field of a key takes whole registers of four bytes.
    "ipv4_addr": (4, socket.inet_aton, socket.inet_ntoa),
    "ipv6_addr": (16, lambda w: socket.inet_pton(socket.AF_INET6, w), lambda key: str(ip_address(key))),
    "inet_proto": (4, _protocol_key, _protocol_words),
    "inet_service": (4, lambda w: _PORTS.pack(int(w)), lambda key: str(key[0] << 8 | key[1])),
    "ether_addr": (8, lambda w: bytes.fromhex(w.replace(":", "")) + b"\0\0", lambda key: key[:6].hex(":")),
    "ifname": (16, lambda w: w.encode().ljust(16, b"\0"), lambda key: key.rstrip(b"\0").decode(errors="replace")),
}


@cache
def _fields_of(name: str) -> tuple[tuple[int, Callable[[str], bytes], Callable[[bytes], str]], ...]:
    return tuple(_FIELDS[kind] for kind in SETS[name].removeprefix("type ").partition(";")[0].split(" . "))


def key_of(name: str, words: str) -> bytes:
    """An element of a set of single values as the kernel's key."""
    return _writer_of(name)(words)


@cache
def _writer_of(name: str) -> Callable[[str], bytes]:
    writers = [write for _, write, _ in _fields_of(name)]
    if len(writers) == 1:
        return writers[0]
    if "_flow_" in name:
        # These are the many: a word each, and no loop.
        address = writers[0]
        protocols = {word: _protocol_key(word) for word in _NUMBERS}

        def of_flow(words: str) -> bytes:
            host, protocol, port = words.split(",")
            return address(host) + (protocols.get(protocol) or _protocol_key(protocol)) + _PORTS.pack(int(port))

        return of_flow
    return lambda words: b"".join([write(word) for write, word in zip(writers, words.split(","), strict=True)])


def words_of(name: str, key: bytes) -> str:
    """The kernel's key in words."""
    words, at = [], 0
    for size, _, read in _fields_of(name):
        words.append(read(key[at : at + size]))
        at += size
    return ",".join(words)


# Reading a listing.


def read_listing(text: str) -> Held:
    """Read `nft -j list table inet tipstaff`; raise ValueError if it is not one."""
    tree = json.loads(text)
    objects = tree["nftables"]
    sets: dict[str, list[Any]] = {}
    foreign: list[str] = []
    comments: list[tuple[str, str]] = []
    handles: list[tuple[str, int]] = []
    chains: set[str] = set()
    for entry in objects:
        if "set" in entry:
            one = entry["set"]
            if one["name"] in SETS:
                sets[one["name"]] = one.get("elem", [])
            else:
                foreign.append(f"set {one['name']}")
        elif "map" in entry:
            foreign.append(f"map {entry['map']['name']}")
        elif "chain" in entry:
            one = entry["chain"]
            if one["name"] not in CHAINS:
                foreign.append(f"chain {one['name']}")
            elif (one.get("type"), one.get("hook")) == CHAINS[one["name"]][:2]:
                chains.add(one["name"])
        elif "rule" in entry:
            one = entry["rule"]
            comment = one.get("comment", "")
            if one["chain"] in CHAINS and is_ours(comment):
                comments.append((one["chain"], comment))
                handles.append((one["chain"], one["handle"]))
            else:
                foreign.append(f"rule {one['handle']} in chain {one['chain']}")
    generations = tuple(str(_value(e)[0]) for e in sets.get("generation", []))
    measures = {}
    elsewhere = {}
    strange: list[str] = []
    for name in filter(is_book, sets):
        for raw in sets[name]:
            value, comment = _value(raw)
            if not needs_of(comment):
                strange.append(f"element {value} in set {name}")
                continue
            measures[str(value)] = comment
            if name != book_of(str(value)):
                elsewhere[str(value)] = name
    elements: dict[Element, str] = {}
    prefixes: dict[Element, Any] = {}
    for name, raws in sets.items():
        if name == "generation" or is_book(name) or name.startswith("meter_"):
            continue
        for raw in raws:
            value, comment = _value(raw)
            element = (name, _words(value))
            elements[element] = comment
            if is_of_prefixes(name):
                prefixes[element] = raw
            if not is_ours(comment):
                strange.append(f"element {element[1]} in set {name}")
    return Held(
        generation=generation_of(generations),
        generation_elements=generations,
        measures=measures,
        elsewhere=elsewhere,
        elements=elements,
        prefixes=prefixes,
        sets=frozenset(sets),
        rule_comments=tuple(comments),
        own_rule_handles=tuple(handles),
        chains=frozenset(chains),
        foreign=(*foreign, *strange),
        foreign_elements=tuple(strange),
        exists=True,
    )


def generation_of(elements: Iterable[str]) -> int:
    """The generation that the elements of its set say; 0 if none does."""
    return max((int(g[1:]) for g in elements if re.fullmatch(r"g\d+", g)), default=0)


def _value(raw: Any) -> tuple[Any, str]:
    if isinstance(raw, dict) and "elem" in raw:
        return raw["elem"]["val"], raw["elem"].get("comment", "")
    return raw, ""


def _words(value: Any) -> str:
    if isinstance(value, dict) and "concat" in value:
        return ",".join(str(x) for x in value["concat"])
    if isinstance(value, dict) and "prefix" in value:
        return f"{value['prefix']['addr']}/{value['prefix']['len']}"
    return value if isinstance(value, str) else json.dumps(value)


def _widest(words: str, nets: list[str]) -> str:
    narrow = ip_network(words)
    return str(min((n for n in map(ip_network, nets) if lies_within(narrow, n)), key=lambda n: n.prefixlen))


def lies_within(a: Network, b: Network) -> bool:
    """Whether `a` is part of `b`."""
    return a.version == b.version and a.prefixlen >= b.prefixlen and a.network_address in b


# What the table is built of.


def skeleton(*, held: Held, rules: Rules) -> str:
    """The commands that build the table, or complete it without touching what is foreign or in force."""
    lines = [] if held.exists else [f"create table inet {TABLE}"]
    lines += [f"delete rule inet {TABLE} {chain} handle {handle}" for chain, handle in held.own_rule_handles]
    lines.append(f"table inet {TABLE} {{")
    for name, kind in SETS.items():
        if name == "generation" and not held.generation_elements:
            kind += ' elements = { "g0" };'
        lines.append(f"  set {name} {{ {kind} }}")
    for name, (kind, hook, priority) in CHAINS.items():
        written = [f'    {text} comment "{comment}"' for chain, comment, text in rules if chain == name]
        if written:
            lines += [f"  chain {name} {{", f"    type {kind} hook {hook} priority {priority}; policy accept;"]
            lines += [*written, "  }"]
    lines += ["}", ""]
    return "\n".join(lines)
