"""One prefix is not taken from one BGP session: a filter as text for BIRD, FRR, OpenBGPD, Junos and IOS XR.

One device is one session. It owns one list, which the operator's own import policy of that session looks into, and
nothing beside it. BIRD and FRR are told and read back; to the others the text is handed over by a command.
"""

from collections.abc import Mapping
from pathlib import Path

from tipstaff.enforcement.drivers.prefix_filter.routers import BirdFilter, FrrFilter, HandedOver
from tipstaff.enforcement.drivers.prefix_filter.text import DIALECTS
from tipstaff.enforcement.options import Options
from tipstaff.enforcement.protocol import BadOption
from tipstaff.enforcement.routing.announcer import Announcer, Speaker
from tipstaff.enforcement.routing.book import Shelf
from tipstaff.enforcement.routing.routes import Kind

_KNOWN = (
    "dialect", "session", "protocol", "file", "name", "neighbor", "socket", "vtysh", "check", "hand_over",
    "settle_seconds", "timeout_seconds",
)  # fmt: skip


def make(device: str, options: Mapping[str, object]) -> Announcer:
    """Make the driver that a `[[devices]]` table describes; nothing is touched yet."""
    given = Options(device=device, driver="prefix-filter", given=options)
    given.only(_KNOWN)
    for name in ("dialect", "session", "file"):
        given.needed(name)
    return Announcer(
        device,
        kind=Kind.DENIAL,
        speaker=_router(given),
        file=Path(given.text("file")),
        module=__name__,
        options=options,
        session=given.text("session"),
        stub=_stub(given),
        settle_seconds=given.number("settle_seconds", 5),
        timeout_seconds=given.number("timeout_seconds", 20),
    )


def _name(given: Options) -> str:
    # BIRD's names have no hyphens, and an underscore is usual nowhere else.
    if given.choice("dialect", *DIALECTS) == "bird":
        return given.symbol("name", f"tipstaff_denied_{given.device}".replace("-", "_"))
    return given.text("name", f"tipstaff-{given.device}")


def _stub(given: Options) -> tuple[str, ...]:
    """What stands in the file before the first plan: BIRD does not start without the function that its filter calls."""
    return tuple(DIALECTS["bird"](_name(given), (), "")) if given.text("dialect") == "bird" else ()


def _router(given: Options) -> Speaker:
    dialect = given.choice("dialect", *DIALECTS)
    bird, name = dialect == "bird", _name(given)
    shelf = Shelf(given.device, Path(given.text("file")), stub=_stub(given))
    timeout_seconds = given.number("timeout_seconds", 20)
    if bird:
        socket = given.text("socket", "/run/bird/bird.ctl")
        protocol = given.checked_symbol("protocol", given.text("protocol", given.text("session")))
        return BirdFilter(name=name, session=protocol, shelf=shelf, socket=socket, timeout_seconds=timeout_seconds)
    neighbor = given.text("neighbor")
    if dialect in ("frr", "openbgpd") and not neighbor:
        raise BadOption(f"device {given.device}: the dialect {dialect} takes neighbor, the address of the session.")
    if dialect == "frr":
        vtysh = given.texts("vtysh")
        return FrrFilter(name=name, neighbor=neighbor, shelf=shelf, vtysh=vtysh, timeout_seconds=timeout_seconds)
    if not given.texts("hand_over"):
        raise BadOption(f"device {given.device}: the dialect {dialect} takes hand_over, a command that takes the text.")
    return HandedOver(
        dialect=dialect,
        name=name,
        neighbor=neighbor,
        shelf=shelf,
        check=given.texts("check"),
        hand_over=given.texts("hand_over"),
        timeout_seconds=timeout_seconds,
    )
