"""By what name a circuit is known, and whether that name can mean one line only. Pure.

A relay agent's circuit-id (RFC 3046, sub-option 1) is unique within that relay agent, and no further: `eth0/1/1` is a
port of every switch of a kind. The remote-id (sub-option 2) tells the relays apart. A circuit-id in the form that the
Broadband Forum recommends (TR-101, R-124: `ACCESS-NODE eth SLOT/PORT[:VLAN]`, or `atm` and VPI.VCI) names its access
node itself.
"""

import re

_NAMES_ITS_NODE = re.compile(r"\S.* (?:eth|atm) \d+(?:/\d+)+(?::\d+(?:\.\d+)?)?")


def circuit_named(circuit: str, remote: str = "", *, unique: bool = False) -> tuple[str, bool]:
    """The name of a circuit, and whether it can be one line only: `eth0/1/1 at dslam-2`; empty where there is none.

    `unique` says that the operator knows the circuit-ids to be unique in the whole network.
    """
    if not circuit:
        return "", False
    if unique or _NAMES_ITS_NODE.fullmatch(circuit):
        return circuit, True
    return (f"{circuit} at {remote}", True) if remote else (circuit, False)


def readable(octets: bytes) -> str:
    """As text where it is printable, as hexadecimal otherwise."""
    return octets.decode() if octets.isascii() and octets.decode().isprintable() else octets.hex()
