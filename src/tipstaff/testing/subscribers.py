"""An operator of any size with known truth: who really had which address and port, and what its logs say of it.

A third of the lines are PPPoE (RADIUS), a third DHCP with circuits (Kea), and a third sit behind deterministic or
port-block NAT. The logs have the faults of real ones: clocks that are off, Stops that are lost, NASes that restart,
sessions that reuse an id. The truth has none.
"""

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
DAY = 86_400
BEGIN = 1_772_323_200
"""2026-03-01 00:00 UTC, in seconds since 1970."""
POOL = int.from_bytes(bytes((10, 0, 0, 0)), "big")
INSIDE = int.from_bytes(bytes((100, 64, 0, 0)), "big")
PUBLIC = int.from_bytes(bytes((11, 0, 0, 0)), "big")
BLOCK = 504
PER_ADDRESS = 128


@dataclass(frozen=True, kw_only=True)
class Operator:
    """`subscribers` lines, each with `sessions` stays on an address; times are whole seconds since 1970."""

    subscribers: int
    sessions: int
    address: Array
    """Of each stay: the pool's address, as a number."""
    subscriber: Array
    begin: Array
    end: Array
    """When it really ended; the last stay of an address never ends."""
    stop_lost: Array
    error: int
    """The NAS's clock is off by at most so many seconds."""
    skew: Array
    """By how many seconds the NAS of each stay is off."""


def operator(*, subscribers: int, sessions: int, seed: int = 1, error: int = 2, lost: float = 0.01) -> Operator:
    """Each address is handed round: stays of random length with short pauses, never two at once."""
    dice = np.random.default_rng(seed)
    addresses = subscribers
    number = addresses * sessions
    address = np.repeat(np.arange(addresses), sessions)
    order = np.argsort(dice.random((sessions, addresses)), axis=1) if sessions * addresses < 5_000_000 else None
    if order is None:
        order = np.stack([dice.permutation(addresses) for _ in range(sessions)])
    subscriber = order.T.reshape(-1)
    lengths = dice.integers(3 * 3600, 30 * 3600, (addresses, sessions))
    # Three of ten addresses are given on within seconds: there it is easy to name the wrong one.
    pauses = np.where(
        dice.random((addresses, sessions)) < 0.3,
        dice.integers(0, 5, (addresses, sessions)),
        dice.integers(60, 7200, (addresses, sessions)),
    )
    begin = BEGIN + np.cumsum(lengths + pauses, axis=1) - lengths
    end = begin + lengths
    lost_stops = dice.random(number) < lost
    # A NAS serves 4096 addresses; its clock is off by its own constant.
    nas = address // 4096
    skews = dice.integers(-error, error + 1, int(nas.max()) + 1)
    return Operator(
        subscribers=subscribers,
        sessions=sessions,
        address=address,
        subscriber=subscriber,
        begin=begin.reshape(-1),
        end=end.reshape(-1),
        stop_lost=lost_stops,
        error=error,
        skew=skews[nas],
    )


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Questions with their truth."""

    address: Array
    at: Array
    """Seconds since 1970."""
    precision: Array
    truth: Array
    """The subscriber; -1 for nobody."""
    sole: Array
    """Whether nobody else, and not nobody, had it at any instant of at ± precision ± the clock's error."""


def ask(made: Operator, *, number: int, seed: int = 2, precisions: tuple[int, ...] = (1, 1, 1, 5, 60)) -> Asked:
    """Questions at random instants, half of them close to an edge where it is easy to be wrong, if `seed` is odd."""
    dice = np.random.default_rng(seed)
    stay = dice.integers(0, len(made.address), number)
    within = dice.random(number)
    at = (made.begin[stay] + within * (made.end[stay] - made.begin[stay])).astype(np.int64)
    if seed % 2:
        near = dice.random(number) < 0.5
        edges = np.where(dice.random(number) < 0.5, made.begin[stay], made.end[stay])
        at = np.where(near, edges + dice.integers(-90, 91, number), at)
    precision = np.array(precisions)[dice.integers(0, len(precisions), number)]
    slack = precision + made.error
    truth, sole = np.full(number, -1), np.zeros(number, bool)
    for place in range(made.sessions):
        each = made.address[stay] * made.sessions + place
        first, last = made.begin[each], made.end[each]
        truth = np.where((first <= at) & (at < last), made.subscriber[each], truth)
        sole |= (first <= at - slack) & (at + slack < last)
    return Asked(address=made.address[stay], at=at, precision=precision, truth=truth, sole=sole)


def radius_csv(made: Operator, *, interims: int = 0) -> bytes:
    """The accounting of all stays in order of time: Start, `interims` between, and Stop where it was not lost."""
    rows = []
    length = made.end - made.begin
    for step in range(interims + 2):
        kind = "Start" if step == 0 else "Stop" if step == interims + 1 else "Interim-Update"
        passed = length * step // (interims + 1)
        keep = np.flatnonzero(~made.stop_lost) if kind == "Stop" else np.arange(len(length))
        rows.append((np.full(len(keep), kind), keep, passed[keep]))
    kinds = np.concatenate([k for k, _, _ in rows])
    stays = np.concatenate([s for _, s, _ in rows])
    passed = np.concatenate([p for _, _, p in rows])
    at = made.begin[stays] + passed + made.skew[stays]
    order = np.argsort(at, kind="stable")
    head = b"timestamp,acct_status_type,user_name,nas_ip_address,acct_session_id,framed_ip_address,acct_session_time\n"
    lines = [
        f"{at[i]},{kinds[i]},u{made.subscriber[stays[i]]},192.0.2.{(made.address[stays[i]] // 4096) % 250},"
        f"{stays[i] % 65536:x},{dotted(POOL + int(made.address[stays[i]]))},{passed[i]}\n"
        for i in order.tolist()
    ]
    return head + "".join(lines).encode()


def kea_csv(made: Operator, *, term: int = 12 * 3600) -> bytes:
    """The leases of all stays, renewed at half their term, released where the Stop was not lost."""
    head = b"address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state\n"
    events: list[tuple[int, int, int]] = []
    for stay in range(len(made.address)):
        begin, end = int(made.begin[stay]), int(made.end[stay])
        renewals = list(range(begin, end, term // 2))
        events += [(at, stay, term) for at in renewals]
        if not made.stop_lost[stay]:
            events.append((end, stay, 0))
    events.sort()
    last: dict[int, int] = {}
    lines = []
    for at, stay, lasts in events:
        cltt = last.get(stay, at) if lasts == 0 else at
        last[stay] = cltt
        subscriber = int(made.subscriber[stay])
        mac = f"02:{subscriber >> 32 & 255:02x}:" + ":".join(f"{subscriber >> s & 255:02x}" for s in (24, 16, 8, 0))
        lines.append(f"{dotted(POOL + int(made.address[stay]))},{mac},,{lasts},{cltt + lasts},1,0,0,,0\n")
    return head + "".join(lines).encode()


def dotted(number: int) -> str:
    """A number as an IPv4 address."""
    return f"{number >> 24 & 255}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
