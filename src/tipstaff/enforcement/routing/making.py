"""The options that all drivers of announcements take, and the driver made of them."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from tipstaff.enforcement.options import Options
from tipstaff.enforcement.probing import vantage_of
from tipstaff.enforcement.protocol import BadOption
from tipstaff.enforcement.routing.announcer import Announcer, Speaker
from tipstaff.enforcement.routing.routes import Kind

_KNOWN = (
    "announce", "file", "next_hop4", "next_hop6", "peer_fib", "probe_inside", "probe_outside",
    "probe_outside_addresses", "rate_bytes_per_second", "settle_seconds", "timeout_seconds", "peers_check_sources",
)  # fmt: skip


def make_announcer(
    device: str,
    driver: str,
    options: Mapping[str, object],
    speaker: Callable[[Options, Kind], Speaker],
    *,
    module: str,
    known: Collection[str] = (),
) -> Announcer:
    """The driver that a `[[devices]]` table describes; nothing is touched yet. `module` is where its `make` is, and
    `known` are options of this driver alone.
    """
    given = Options(device=device, driver=driver, given=options)
    given.only((*_KNOWN, *known))
    given.needed("file")
    kind = Kind(given.choice("announce", "blackhole", "flowspec"))
    if kind is Kind.FLOWSPEC and (given.texts("peer_fib") or given.flag("peers_check_sources")):
        raise BadOption(f"device {device}: peer_fib and peers_check_sources are for blackholes; no table shows a flow.")
    if kind is Kind.BLACKHOLE and given.number("rate_bytes_per_second", 0, least=0):
        raise BadOption(f"device {device}: rate_bytes_per_second is for flowspec; a blackhole slows nothing down.")
    return Announcer(
        device,
        kind=kind,
        speaker=speaker(given, kind),
        file=Path(given.text("file")),
        module=module,
        options=options,
        rate_bytes_per_second=given.number("rate_bytes_per_second", 0, least=0),
        peers_check_sources=given.flag("peers_check_sources"),
        peer_fib=given.texts("peer_fib"),
        settle_seconds=given.number("settle_seconds", 5),
        timeout_seconds=given.number("timeout_seconds", 20),
        vantage=vantage_of(
            device,
            inside=given.texts("probe_inside"),
            outside=given.texts("probe_outside"),
            outside_addresses=given.texts("probe_outside_addresses"),
        ),
    )


def next_hops(given: Options) -> dict[int, str]:
    """IP version -> the next hop that peers discard what is sent to; empty where none was named."""
    return {version: given.address(f"next_hop{version}", version=version) for version in (4, 6)}
