"""Reads the table by netlink. What is as it was believed to be is compared in the kernel's own bytes."""

import contextlib
from collections.abc import Callable

from tipstaff.enforcement.drivers.nftables import layout, table
from tipstaff.enforcement.drivers.nftables.netlink import ANONYMOUS, HOOKS, MAP, Kernel, Shape
from tipstaff.enforcement.protocol import DeviceRefused

_TRIES = 5


def read(kernel: Kernel, *, believed: table.Held | None, list_set: Callable[[str], str]) -> table.Held:
    """All that the table holds now. `list_set` gives nft's listing of one set: those of prefixes are read by it."""
    for _ in range(_TRIES):
        # What was listed a moment ago may be gone by now: the table was flushed, and is read anew.
        with contextlib.suppress(FileNotFoundError):
            generation = kernel.generation()
            shape = kernel.shape(layout.TABLE)
            if shape is None:
                return table.Held()
            raw: dict[str, dict[bytes, bytes | None]] = {}
            listed: list[str] = []
            for name in layout.READ_SETS & shape.sets.keys():
                elements = kernel.elements(layout.TABLE, name)
                if not layout.is_of_prefixes(name):
                    raw[name] = elements
                elif elements:
                    listed.append(list_set(name))
            if kernel.generation() == generation:
                return _held(shape, raw, [table.read_listing(text) for text in listed], believed)
    raise DeviceRefused("the packet filter changes faster than it can be read")


def _held(
    shape: Shape, raw: dict[str, dict[bytes, bytes | None]], listed: list[table.Held], believed: table.Held | None
) -> table.Held:
    before = believed if believed is not None and believed.raw else table.Held()
    changed = {name for name in raw if raw[name] != before.raw.get(name)} | (before.raw.keys() - raw.keys())
    held = before
    held.read_again()
    if changed or listed or before.prefixes or not before.exists:
        held = table.Held(raw=raw, exists=True)
        kept = {e: c for e, c in before.elements.items() if e[0] in raw and e[0] not in changed}
        held.elements = kept | {e: c for one in listed for e, c in one.elements.items()}
        held.prefixes = {e: p for one in listed for e, p in one.prefixes.items()}
        held.generation, held.generation_elements = before.generation, before.generation_elements
        if layout.OLD_BOOK in changed or (before.elsewhere and any(map(layout.is_book, changed))):
            changed |= {name for name in raw if layout.is_book(name)}
        held.measures = {k: c for k, c in before.measures.items() if layout.book_of(k) not in changed}
        held.elsewhere = {k: name for k, name in before.elsewhere.items() if k in held.measures}
        held.foreign_elements = tuple(f for one in listed for f in one.foreign_elements)
        for name in sorted(raw):
            if name in changed or before.foreign_elements:
                _decode(held, name, raw[name])
    return shaped(held, shape)


def shaped(held: table.Held, shape: Shape) -> table.Held:
    """The same, with what the table is built of as it is now."""
    held.sets = frozenset(shape.sets.keys() & layout.SETS)
    held.chains = frozenset(
        name for name, (kind, hook, _) in layout.CHAINS.items() if shape.chains.get(name) == (kind, HOOKS[hook])
    )
    ours = [rule for rule in shape.rules if rule[0] in layout.CHAINS and table.is_ours(rule[2])]
    held.rule_comments = tuple((chain, comment) for chain, _, comment in ours)
    held.own_rule_handles = tuple((chain, handle) for chain, handle, _ in ours)
    held.foreign = (
        *(f"{'map' if flags & MAP else 'set'} {name}" for name, flags in sorted(shape.sets.items())
          if name not in layout.SETS and not flags & ANONYMOUS),
        *(f"chain {name}" for name in sorted(shape.chains) if name not in layout.CHAINS),
        *(f"rule {handle} in chain {chain}" for chain, handle, c in shape.rules
          if chain not in layout.CHAINS or not table.is_ours(c)),
        *held.foreign_elements,
    )  # fmt: skip
    return held


def _decode(held: table.Held, name: str, raw: dict[bytes, bytes | None]) -> None:
    told = {table.words_of(name, key): (comment or b"").decode(errors="replace") for key, comment in raw.items()}
    if name == "generation":
        held.generation_elements = tuple(told)
        held.generation = table.generation_of(told)
        return
    if layout.is_book(name):
        ours = {key: comment for key, comment in told.items() if table.needs_of(comment)}
        held.measures |= ours
        held.elsewhere |= {key: name for key in ours if layout.book_of(key) != name}
        strange = tuple(f"element {key} in set {name}" for key in told.keys() - ours.keys())
    else:
        held.elements |= {(name, words): comment for words, comment in told.items()}
        strange = tuple(f"element {w} in set {name}" for w, comment in told.items() if not table.is_ours(comment))
    held.foreign_elements += strange
