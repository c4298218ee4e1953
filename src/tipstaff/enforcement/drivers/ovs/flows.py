"""The flows of a switch: how a rule becomes flows, how a dump is read, and what changes between two states. Pure.

Three kinds are ours, told by their cookie or their table:

- in table 0 what stops traffic, or leads it into the quarantine: `Element`s, each as often as its port is named;
- in table 250, which no packet ever reaches, one flow a measure with a note of all that is needed to lift it, and one
  with the generation of the last plan. A change takes away the generation that it read and then adds a flow that may
  overlap with no other generation, all in one bundle: so the switch itself refuses what was made for another state;
- in table 251 which machine in the quarantine is behind which port, as the switch learned it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tipstaff.enforcement.planner import fingerprint
from tipstaff.words import Degree, Plan, Rule, Scope, Selector, Step, machine_named

COOKIE = 0x74697073 << 32
BOOKS, LEARNED = 250, 251
TIMEOUT_MAX = 65_535
"""Seconds: an OpenFlow timeout has sixteen bits. What lasts longer is wound up again when half of it has passed."""
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")

BLOCKS = frozenset({Degree.BLOCK, Degree.DISCONNECT, Degree.SUSPEND, Degree.TERMINATE})

Element = tuple[str, int, str]
"""(`block` or `garden` or `back`, OpenFlow port, MAC or nothing)."""
Ports = Mapping[str, Sequence[int]]
"""`service:S-000007` -> OpenFlow ports; `port:eth7` -> the one of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Garden:
    """Where the quarantine is: a port of the switch, and its VLAN there."""

    port: str
    vlan: int


@dataclass(frozen=True, slots=True)
class Note:
    """What stands in the books about one measure."""

    measure: str
    fingerprint: str
    does: str
    on: str
    """`service:S-000007`, `account:acct-7` or `port:eth7/02:00:5e:10:00:01`."""
    until: int | None
    case: str

    def __str__(self) -> str:
        end = "-" if self.until is None else self.until
        return f"m={self.measure} fp={self.fingerprint} do={self.does} until={end} case={self.case} on={self.on}"


_NOTE = re.compile(r"m=(\S+) fp=(\S+) do=(\S+) until=(\S+) case=(\S+) on=(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a dump says."""

    generations: tuple[int, ...] = ()
    notes: Mapping[str, Note] = field(default_factory=dict)
    left: Mapping[str, int | None] = field(default_factory=dict)
    """Measure -> seconds until its flow ends by itself; None for never."""
    elements: frozenset[Element] = frozenset()
    foreign: tuple[str, ...] = ()

    @property
    def generation(self) -> int:
        return max(self.generations, default=0)


def note_of(rule: Rule) -> Note:
    selector = rule.selector
    if selector.session is not None:
        place, mac = machine_named(selector.session) or ("", "")
        on = f"port:{place.rpartition('/')[2]}/{mac}"
    else:
        on = f"service:{selector.service}" if selector.service is not None else f"account:{selector.account}"
    return Note(
        measure=rule.measure,
        fingerprint=fingerprint(rule),
        does="block" if rule.degree in BLOCKS else "garden",
        on=on,
        until=None if rule.until is None else int(rule.until.timestamp()),
        case=rule.case,
    )


def holds(selector: Selector, degree: Degree, *, garden: Garden | None, ports_of: str) -> bool:
    """Whether flows can hold exactly this. Ports of another switch have the same names."""
    if (selector.scope, degree) not in can(garden):
        return False
    if selector.session is None:
        return True
    machine = machine_named(selector.session)
    return machine is not None and machine[0].rpartition("/")[0] in ("", ports_of)


def can(garden: Garden | None) -> frozenset[tuple[Scope, Degree]]:
    scopes = (Scope.SESSION, Scope.SERVICE, Scope.ACCOUNT)
    degrees = BLOCKS | ({Degree.WALLED_GARDEN} if garden else frozenset())
    return frozenset((scope, degree) for scope in scopes for degree in degrees)


def elements_of(note: Note, ports: Ports, garden: Garden | None) -> frozenset[Element]:
    """What must stand in table 0 for this measure; nothing where no port has the name."""
    if note.on.startswith("port:"):
        name, _, mac = note.on.rpartition("/")
    else:
        name, mac = note.on, ""
    found = {(note.does, port, mac) for port in ports.get(name, ())}
    if note.does == "garden" and found:
        back = ports.get(f"port:{garden.port}", ()) if garden else ()
        found |= {("back", port, "") for port in back}
        if not back:
            return frozenset()  # Nowhere to lead them to: not in force.
    return frozenset(found)


# Reading a dump.

_MATCH = re.compile(r"cookie=(0x[0-9a-f]+), duration=([0-9.]+)s, (?:table=(\d+), )?.*?(?:hard_timeout=(\d+), )?.*?"
                    r"priority=(\d+)(\S*) actions=(.*)")  # fmt: skip


def read_dump(text: str) -> Held:
    """Read `ovs-ofctl dump-flows` of our cookie in table 0 and of all in table 250."""
    generations, notes, left, elements, foreign = [], {}, {}, set(), []
    for line in text.splitlines():
        told = _MATCH.search(line)
        if told is None:
            continue
        cookie, duration, table, timeout, priority, match, actions = told.groups()
        ours = int(cookie, 16) >> 32 == COOKIE >> 32
        if table == str(BOOKS):
            words = _note(actions) if ours else ""
            note = _NOTE.fullmatch(words)
            if note is not None:
                measure, fp, does, until, case, on = note.groups()
                notes[measure] = Note(measure, fp, does, on, None if until == "-" else int(until), case)
                left[measure] = int(timeout) - int(float(duration)) if timeout else None
            elif words.startswith("g") and words[1:].isdecimal():
                generations.append(int(words[1:]))
            else:
                foreign.append(f"flow priority={priority}{match} in table {BOOKS}")
        elif ours and (one := _element(match, actions)) is not None:
            elements.add(one)
    return Held(
        generations=tuple(generations), notes=notes, left=left, elements=frozenset(elements), foreign=tuple(foreign)
    )


def _note(actions: str) -> str:
    found = re.match(r"note:([0-9a-f.]+)", actions)
    return bytes.fromhex(found[1].replace(".", "")).rstrip(b"\0").decode(errors="replace") if found else ""


def _element(match: str, actions: str) -> Element | None:
    port = re.search(r"in_port=(\d+)", match)
    if port is None:
        return None
    mac = re.search(r"dl_src=([0-9a-f:]+)", match)
    kind = "block" if actions == "drop" else "garden" if actions.startswith("learn(") else "back"
    return kind, int(port[1]), mac[1] if mac else ""


# What changes.


def bundle(
    held: Held, plan: Plan, steps: Sequence[Step], *, ports: Ports, garden: Garden | None, at: datetime
) -> list[str]:
    """The lines of one bundle that do the steps; none if nothing is to be done and the generation stands."""
    # What has ended by our clock goes, even where the switch counts on for a while; no step says so.
    over = {key for key, note in held.notes.items() if note.until is not None and note.until <= at.timestamp()}
    notes = {key: note for key, note in held.notes.items() if key not in over}
    applied: set[str] = set()
    for step in steps:
        notes.pop(step.measure, None)
        if step.verb == "apply" and step.rule is not None and not _over(step.rule.until, at):
            notes[step.measure] = note_of(step.rule)
            applied.add(step.measure)
    before, needed = _needed(held.notes, ports, garden), _needed(notes, ports, garden)
    gone = ({step.measure for step in steps} | over) - notes.keys()
    lines = [f"delete_strict table={BOOKS},priority=1,{_name(measure)}" for measure in sorted(gone)]
    lines += [f"delete_strict table=0,{_match(e, garden)}" for e in sorted(held.elements - needed.keys())]
    for measure in sorted(applied):
        note = notes[measure]
        lines.append(
            f"add cookie={COOKIE:#x},table={BOOKS},priority=1,{_name(measure)}{_timeout([note], at)},"
            f"actions=note:{_hex(str(note))}"
        )
    for element, by in sorted(needed.items()):
        stands = element in held.elements and before.get(element) == by
        if not stands or any(note.measure in applied for note in by):
            lines.append(
                f"add cookie={COOKIE + 1:#x},table=0,{_match(element, garden)}{_timeout(by, at)},"
                f"actions={_action(element, ports, garden, by, at)}"
            )
    if not lines and held.generation == plan.generation:
        return []
    if garden and not any(kind == "garden" for kind, *_ in needed):
        lines.append(f"delete table={LEARNED}")
    return [
        *(f"delete_strict table={BOOKS},priority=3,xxreg1={g:#x}" for g in held.generations),
        f"add check_overlap,table={BOOKS},priority=3,actions=drop",
        f"delete_strict table={BOOKS},priority=3",
        f"add cookie={COOKIE:#x},table={BOOKS},priority=3,xxreg1={plan.generation:#x},"
        f"actions=note:{_hex(f'g{plan.generation}')}",
        *lines,
    ]  # fmt: skip


def _needed(notes: Mapping[str, Note], ports: Ports, garden: Garden | None) -> dict[Element, list[Note]]:
    """Element -> the measures that need it. It stays until the last of them is lifted."""
    needed: dict[Element, list[Note]] = {}
    for _, note in sorted(notes.items()):
        for element in elements_of(note, ports, garden):
            needed.setdefault(element, []).append(note)
    return needed


def winds_down(note: Note, left: int | None, *, at: datetime) -> bool:
    """Whether its flow would end by itself so long before its time that it must be wound up again."""
    if left is None or note.until is None:
        return left is not None
    return left < min(TIMEOUT_MAX // 2, note.until - int(at.timestamp()) - 2)


def _over(until: datetime | None, at: datetime) -> bool:
    return until is not None and until <= at


def _timeout(by: Iterable[Note], at: datetime) -> str:
    ends = [note.until for note in by]
    if None in ends:
        return ""
    left = max(end for end in ends if end is not None) - int(at.timestamp())
    return f",hard_timeout={max(1, min(TIMEOUT_MAX, left))}"


def _name(measure: str) -> str:
    return f"xxreg0=0x{measure.encode().hex()}"


def _match(element: Element, garden: Garden | None) -> str:
    kind, port, mac = element
    priority = {"block": 40_001, "garden": 40_000, "back": 40_000}[kind]
    vlan = f",dl_vlan={garden.vlan}" if kind == "back" and garden else ""
    return f"priority={priority},in_port={port}{f',dl_src={mac}' if mac else ''}{vlan}"


def _action(element: Element, ports: Ports, garden: Garden | None, by: Sequence[Note], at: datetime) -> str:
    kind, *_ = element
    if kind == "block":
        return "drop"
    assert garden is not None, "only a garden needs the rest"
    if kind == "back":
        return f"pop_vlan,resubmit(,{LEARNED})"
    out = ports[f"port:{garden.port}"][0]
    end = _timeout(by, at) or ",hard_timeout=0"
    return (
        f"learn(table={LEARNED},priority=1,idle_timeout=300{end},NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
        f"output:NXM_OF_IN_PORT[]),push_vlan:0x8100,set_field:{4096 + garden.vlan}->vlan_vid,output:{out}"
    )


def _hex(text: str) -> str:
    return ".".join(f"{byte:02x}" for byte in text.encode())
