"""BIRD as the operator's own speaker: a blackhole for an address or prefix, or a FlowSpec rule for a port of it.

It owns one file that BIRD's configuration includes, with two static protocols in it, and the tables that these fill.
The file is replaced as a whole; BIRD takes in the whole configuration or keeps the one it has.
"""

from collections.abc import Mapping

from tipstaff.enforcement.drivers.bird.speaker import Bird, name_of
from tipstaff.enforcement.options import Options
from tipstaff.enforcement.routing.announcer import Announcer
from tipstaff.enforcement.routing.making import make_announcer, next_hops
from tipstaff.enforcement.routing.routes import Kind


def make(device: str, options: Mapping[str, object]) -> Announcer:
    """Make the driver that a `[[devices]]` table describes; nothing is touched yet."""
    return make_announcer(
        device, "bird", options, _speaker, module=__name__, known=("socket", "table4", "table6", "sessions")
    )


def _speaker(given: Options, kind: Kind) -> Bird:
    stem = name_of(given.device)
    infix = "flow" if kind is Kind.FLOWSPEC else ""
    return Bird(
        stem=stem,
        kind=kind,
        socket=given.text("socket", "/run/bird/bird.ctl"),
        tables={v: given.symbol(f"table{v}", f"{stem}_{infix}{v}") for v in (4, 6)},
        next_hops=next_hops(given),
        sessions=tuple(given.checked_symbol("sessions", name) for name in given.texts("sessions")),
        timeout_seconds=given.number("timeout_seconds", 20),
    )
