"""What a peer's own forwarding table says: the only read-back that speaks of packets and not of promises."""

import re
import subprocess
from collections.abc import Sequence

from tipstaff.enforcement.protocol import DeviceUnreachable
from tipstaff.enforcement.routing.routes import Kind, Route

_LEARNT = re.compile(r"\bproto (bgp|bird|zebra)\b")


def read_fib(command_prefix: Sequence[str], *, timeout_seconds: float) -> frozenset[Route]:
    """The blackholes that routing put into a Linux peer's kernel; raise DeviceUnreachable if it cannot be asked."""
    found: set[Route] = set()
    for family, length in (("-4", 32), ("-6", 128)):
        command = [*command_prefix, "ip", family, "route", "show", "table", "main", "type", "blackhole"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=timeout_seconds, check=False, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired as why:
            raise DeviceUnreachable(f"the peer's table was not read in {timeout_seconds:g} s") from why
        except OSError as why:
            raise DeviceUnreachable(f"{command[0]} cannot be run: {why.strerror}") from why
        if done.returncode != 0:
            raise DeviceUnreachable(f"the peer's table cannot be read: {done.stderr.strip()[:200]}")
        for line in done.stdout.splitlines():
            words = line.split(None, 2)
            # One that an administrator put there (no proto, static, boot) is no doing of ours.
            if len(words) == 3 and words[0] == "blackhole" and _LEARNT.search(words[2]):
                prefix = words[1] if "/" in words[1] else f"{words[1]}/{length}"
                found.add(Route(Kind.BLACKHOLE, "to", prefix))
    return frozenset(found)
