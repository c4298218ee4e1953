"""BIRD as the operator's own speaker: a blackhole for an address or prefix, or a FlowSpec rule for a port of it.

It owns one file that BIRD's configuration includes, with two static protocols in it, and the tables that these fill.
The file is replaced as a whole; BIRD takes in the whole configuration or keeps the one it has.
"""

from collections.abc import Mapping
from pathlib import Path

from tipstaff.enforcement.drivers.bird.speaker import Bird, name_of
from tipstaff.enforcement.options import Options
from tipstaff.enforcement.probing import vantage_of
from tipstaff.enforcement.protocol import BadOption
from tipstaff.enforcement.routing.announcer import Announcer
from tipstaff.enforcement.routing.routes import Kind


def make(device: str, options: Mapping[str, object]) -> Announcer:
    """Make the driver that a `[[devices]]` table describes; nothing is touched yet."""
    given = Options(
        device,
        "bird",
        options,
        texts=("announce", "file", "socket", "next_hop4", "next_hop6", "table4", "table6"),
        lists=("sessions", "peer_fib", "probe_inside", "probe_outside", "probe_outside_addresses"),
        numbers=("rate_bytes_per_second", "settle_seconds", "timeout_seconds"),
        flags=("peers_check_sources",),
        required=("file",),
    )
    kind = Kind(given.choice("announce", "blackhole", "flowspec"))
    if kind is Kind.FLOWSPEC and (given.texts("peer_fib") or given.flag("peers_check_sources")):
        raise BadOption(
            f"device {device}: peer_fib and peers_check_sources are for blackholes; FlowSpec is in no table."
        )
    if kind is Kind.BLACKHOLE and given.number("rate_bytes_per_second", 0):
        raise BadOption(f"device {device}: rate_bytes_per_second is for flowspec; a blackhole slows nothing down.")
    stem = name_of(device)
    timeout_seconds = given.number("timeout_seconds", 20)
    speaker = Bird(
        stem=stem,
        kind=kind,
        socket=given.text("socket", "/run/bird/bird.ctl"),
        tables={v: given.text(f"table{v}", f"{stem}_{'flow' if kind is Kind.FLOWSPEC else ''}{v}") for v in (4, 6)},
        next_hops={4: given.text("next_hop4"), 6: given.text("next_hop6")},
        sessions=given.texts("sessions"),
        timeout_seconds=timeout_seconds,
    )
    return Announcer(
        device,
        kind=kind,
        speaker=speaker,
        file=Path(given.text("file")),
        module=__name__,
        options=options,
        rate_bytes_per_second=given.number("rate_bytes_per_second", 0),
        peers_check_sources=given.flag("peers_check_sources"),
        peer_fib=given.texts("peer_fib"),
        settle_seconds=given.number("settle_seconds", 5),
        timeout_seconds=timeout_seconds,
        vantage=vantage_of(
            device,
            inside=given.texts("probe_inside"),
            outside=given.texts("probe_outside"),
            outside_addresses=given.texts("probe_outside_addresses"),
        ),
    )
