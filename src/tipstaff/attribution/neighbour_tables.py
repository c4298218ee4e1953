"""Looks at a router's neighbour table (ARP, ND) by the operator's own tool for it: what it printed becomes a line.

The line is the proof, and the source `neighbours` reads it. What a tool is, and how it proves to the router that it may
ask, is the operator's: no secret of a router comes here.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

UNSTATED = "UNSTATED"
"""The state of an entry of a table that states none: the router would have sent to that hardware, and no more."""

Neighbour = dict[str, Any]
"""As `ip -j neigh` prints one: `dst`, `lladdr` and `state`, a list."""


class NoTable(ValueError):
    """The tool failed, or printed no neighbour table; the message says what it said."""


def look(
    command: Sequence[str], into: Path, *, now: Callable[[], datetime], timeout_seconds: float = 300.0
) -> tuple[int, int]:
    """Run a tool and add what it printed as one line; (neighbours, of them those in a state that proves nothing).

    Only a tool that ended well is believed. The line is on the disk when this returns.
    """
    began = now()
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired as why:
        raise NoTable(f"{command[0]} did not end within {timeout_seconds:.0f} seconds") from why
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["nothing"]
        raise NoTable(f"{command[0]} ended with {done.returncode} and said: {said[0]}")
    found = neighbours_in(done.stdout.decode(errors="replace"))
    line = {"at": now().isoformat(), "began": began.isoformat(), "command": command[0], "neighbours": found}
    _add(into, json.dumps(line, separators=(",", ":")).encode() + b"\n")
    return len(found), sum(not heard(n) and not unstated(n) for n in found)


HEARD = frozenset({"REACHABLE", "DELAY"})
"""States in which the neighbour has answered lately (RFC 4861 section 7.3.2); STALE may be anybody's past."""


def heard(neighbour: Mapping[str, Any]) -> bool:
    """Whether it answered when the router looked."""
    return not HEARD.isdisjoint(neighbour.get("state") or ())


def unstated(neighbour: Mapping[str, Any]) -> bool:
    """Whether the table has no states."""
    return UNSTATED in (neighbour.get("state") or ())


def neighbours_in(printed: str) -> list[Neighbour]:
    """What `ip -j neigh`, `snmpbulkwalk -Onx` or `gnmic get` printed. NoTable when it is none of these."""
    text = printed.lstrip()
    if text.startswith((".1.3.", "1.3.", "iso.")):
        return list(_of_snmp(text))
    try:
        told = json.loads(text)
    except ValueError as why:
        raise NoTable("it printed neither JSON nor the numbers of SNMP objects (snmpbulkwalk -Onx)") from why
    if isinstance(told, list) and all(isinstance(n, dict) and "dst" in n for n in told):
        return [{k: n[k] for k in ("dst", "lladdr", "state") if k in n} for n in told]
    if isinstance(told, list) and all(isinstance(n, dict) and "updates" in n for n in told):
        return list(_of_gnmi(told))
    raise NoTable("it printed JSON that is neither that of `ip -j neigh` nor that of `gnmic get`")


# RFC 4293: ipNetToPhysicalTable (35), and ipNetToMediaTable (22), which is older, without IPv6 and without states.
_PHYSICAL = "35"
_VARIABLE = re.compile(r"^(?:\.?1|iso)\.3\.6\.1\.2\.1\.4\.(35|22)\.1\.(\d+)\.([\d.]+) = (.*)$", re.MULTILINE)
_STATES = {1: "REACHABLE", 2: "STALE", 3: "DELAY", 4: "PROBE", 5: "FAILED", 6: UNSTATED, 7: "INCOMPLETE"}
_DYNAMIC = 3


def _of_snmp(text: str) -> Iterator[Neighbour]:
    """Rows of either table that the router learnt; those of fixed entries are the operator's own word."""
    rows: dict[tuple[str, str], dict[int, str]] = {}
    for table, column, index, value in _VARIABLE.findall(text):
        rows.setdefault((table, index), {})[int(column)] = value
    for (table, index), row in rows.items():
        if table == _PHYSICAL:
            address, hardware, kind, state = _physical_address(index), row.get(4), row.get(6), _number(row.get(7))
        else:
            address, hardware, kind, state = index.partition(".")[2], row.get(2), row.get(4), 0
        if address is not None and _number(kind) == _DYNAMIC:
            yield _neighbour(address, hardware, _STATES.get(state, UNSTATED))


def _physical_address(index: str) -> str | None:
    """ifIndex, type (RFC 4001: 1 IPv4, 2 IPv6; those of a zone are of one link only), length, octets."""
    _, kind, length, *octets = (int(n) for n in index.split("."))
    if (kind, length) not in ((1, 4), (2, 16)) or len(octets) != length:
        return None
    return str(ip_address(bytes(octets)))


def _neighbour(address: str, hardware: str | None, state: str) -> Neighbour:
    """One neighbour; without hardware, which counts for nothing, where it can't be read."""
    found: Neighbour = {"dst": address, "state": [state]}
    kind, _, value = (hardware or "").partition(": ")
    octets = [o for o in re.split(r"[: ]", value.strip()) if o]
    # Without -Ox six octets that happen to be letters would be printed as such; those are passed over.
    if (
        kind in ("Hex-STRING", "STRING")
        and len(octets) == 6
        and all(re.fullmatch("[0-9A-Fa-f]{1,2}", o) for o in octets)
    ):
        found["lladdr"] = ":".join(f"{int(o, 16):02x}" for o in octets)
    return found


def _number(value: str | None) -> int:
    """`INTEGER: 3`, or with the MIB's names `INTEGER: dynamic(3)`."""
    digits = re.search(r"(\d+)\)?$", value or "")
    return int(digits.group(1)) if digits else 0


def _of_gnmi(told: Sequence[Mapping[str, Any]]) -> Iterator[Neighbour]:
    """OpenConfig's interfaces (openconfig-if-ip): every neighbor's state, wherever in the tree it was asked for."""
    for state in _states_below([u.get("values") for n in told for u in n["updates"] or ()]):
        if state.get("origin", "DYNAMIC") == "DYNAMIC":
            known = str(state.get("neighbor-state", UNSTATED))
            found: Neighbour = {"dst": str(state["ip"]), "state": [known]}
            if state.get("link-layer-address"):
                found["lladdr"] = str(state["link-layer-address"]).lower()
            yield found


def _states_below(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, list):
        for each in tree:
            yield from _states_below(each)
    elif isinstance(tree, dict):
        plain = {str(k).rpartition(":")[2]: v for k, v in tree.items()}
        if "ip" in plain and "link-layer-address" in plain:
            yield plain
        else:
            for each in tree.values():
                yield from _states_below(each)


def _add(into: Path, line: bytes) -> None:
    handle = os.open(into, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(handle).st_size
        # What a killed look left without its end is refused by itself and spoils no other.
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, (b"\n" if torn else b"") + line)
        os.fsync(handle)
    finally:
        os.close(handle)
