"""ExaBGP as the operator's speaker: the same blackholes and FlowSpec rules as `bird` announces.

A small process that ExaBGP itself starts announces what the book says, and reads every answer. ExaBGP says "done" to
withdrawing what it never announced, so nothing is taken for in force that it does not have for its peers.
"""

from collections.abc import Mapping
from pathlib import Path

from tipstaff.enforcement.drivers.exabgp.speaker import ExaBgp
from tipstaff.enforcement.options import Options
from tipstaff.enforcement.routing.announcer import Announcer
from tipstaff.enforcement.routing.making import make_announcer, next_hops
from tipstaff.enforcement.routing.routes import Kind


def make(device: str, options: Mapping[str, object]) -> Announcer:
    """Make the driver that a `[[devices]]` table describes; nothing is touched yet."""
    return make_announcer(device, "exabgp", options, _speaker, module=__name__)


def _speaker(given: Options, kind: Kind) -> ExaBgp:
    return ExaBgp(
        file=Path(given.text("file")), next_hops=next_hops(given), timeout_seconds=given.number("timeout_seconds", 20)
    )
