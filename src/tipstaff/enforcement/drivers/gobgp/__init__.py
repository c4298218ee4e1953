"""GoBGP as the operator's speaker: the same blackholes and FlowSpec rules as `bird` announces, by its command line.

GoBGP holds routes in memory only and forgets them when it is started again; the next round puts them back. Ours are
told from others in its table by a community of the operator's, and others are left alone.
"""

from collections.abc import Mapping

from tipstaff.enforcement.drivers.gobgp.speaker import GoBgp
from tipstaff.enforcement.options import Options
from tipstaff.enforcement.protocol import BadOption
from tipstaff.enforcement.routing.announcer import Announcer
from tipstaff.enforcement.routing.making import make_announcer, next_hops
from tipstaff.enforcement.routing.routes import Kind


def make(device: str, options: Mapping[str, object]) -> Announcer:
    """Make the driver that a `[[devices]]` table describes; nothing is touched yet."""
    known = ("gobgp", "target", "mark", "sessions")
    return make_announcer(device, "gobgp", options, _speaker, module=__name__, known=known)


def _speaker(given: Options, kind: Kind) -> GoBgp:
    halves = given.text("mark").split(":")
    if not (len(halves) == 2 and all(x.isdigit() and int(x) < 65535 for x in halves)):
        raise BadOption(
            f"device {given.device}: mark is {given.text('mark')!r}, but it takes a community of your own, "
            'for example "64500:7".'
        )
    return GoBgp(
        device=given.device,
        command=(given.text("gobgp", "gobgp"), "--target", given.text("target", "unix:///run/gobgpd.sock")),
        kind=kind,
        mark=(int(halves[0]), int(halves[1])),
        next_hops=next_hops(given),
        sessions=given.texts("sessions"),
        timeout_seconds=given.number("timeout_seconds", 20),
    )
