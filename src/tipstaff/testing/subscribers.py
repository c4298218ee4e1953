"""An operator of any size with known truth: who really had which address when, and what its RADIUS servers' logs say.

An address is handed round on the access server (NAS) that has it; some are given out by a second NAS of the same RADIUS
server too, so that two have one at once. Servers' clocks are ahead or behind by tens of seconds, packets are sent again
and come late, records are lost, NASes restart and number their sessions anew. The truth has none of it.

`networks.py` has the other logs of a small operator; `bench/attribution.py` takes this one for a million subscribers.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

Array = np.ndarray
HOUR, DAY = 3600, 86_400
BEGIN = 1_772_323_200
"""2026-03-01 00:00 UTC, in seconds since 1970."""
POOL = int.from_bytes(bytes((10, 0, 0, 0)), "big")
INSIDE = int.from_bytes(bytes((100, 64, 0, 0)), "big")
BLOCK = 504
PER_ADDRESS = 128
SERVER_OF_NASES = 8
"""So many NASes report to one RADIUS server."""
_WAIT = 3
"""A packet that comes at once takes no longer, in seconds."""
NONE = np.iinfo(np.int64).max
NEVER = 2**40


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Stays by lane, which is an address as one NAS gives it out, `sessions` stays each; whole seconds since 1970."""

    addresses: int
    sessions: int
    address: Array
    """Of each stay: the pool's address, as a number."""
    second: Array
    """Of each address the lane of the second NAS that gives it out; -1."""
    subscriber: Array
    begin: Array
    end: Array
    nas: Array
    session: Array
    """What the NAS calls it; others are called so too."""
    cut: Array
    """Whether its NAS restarted under it: then no Stop was ever sent."""
    restarts: Array
    """When each NAS restarted, a row each."""
    told: Array
    """Whether a restart was told of."""
    server_ahead: Array
    """By how many seconds the clock of each RADIUS server is ahead of the truth."""
    nas_ahead: Array

    @property
    def server(self) -> Array:
        """Of each stay."""
        return self.nas // SERVER_OF_NASES

    @property
    def error(self) -> Array:
        """Of each server: what the estimate of its clock's error can be at most, in seconds."""
        most: Array = np.abs(self.server_ahead) + _WAIT + 2
        return most


def operator(
    *, subscribers: int, sessions: int, seed: int = 1, ahead: int = 40, per_nas: int = 4096, reused: float = 0.1,
    restarts: int = 1,
    restarting: float = 1.0,
) -> Operator:  # fmt: skip
    """Stays of random length with short pauses; of each NAS an address is one's at a time. A second NAS gives out
    `reused` of the addresses, too; `restarting` of the NASes restart `restarts` times."""
    dice = np.random.default_rng(seed)
    addresses = subscribers
    again = np.flatnonzero(dice.random(addresses) < reused)
    second = np.full(addresses, -1)
    second[again] = addresses + np.arange(len(again))
    of_lane = np.concatenate([np.arange(addresses), again])
    lanes = len(of_lane)
    shape = lanes, sessions
    nas_of_lane = of_lane // per_nas * 2 + (np.arange(lanes) >= addresses)
    who = np.stack([dice.permutation(lanes) % subscribers for _ in range(sessions)], axis=1)
    # Some come back at once, some when another had it in between.
    for place in range(1, sessions):
        for before, share in ((1, 0.15), (2, 0.25)):
            back = dice.random(lanes) < share
            who[back, place] = who[back, max(place - before, 0)]
    lengths = dice.integers(3 * HOUR, 30 * HOUR, shape)
    # Three of ten addresses are given on within seconds: there it is easy to name the wrong one.
    pauses = np.where(dice.random(shape) < 0.3, dice.integers(0, 5, shape), dice.integers(60, 7200, shape))
    pauses[addresses:] += dice.integers(0, 40 * HOUR, (len(again), sessions))
    begin = BEGIN + np.cumsum(lengths + pauses, axis=1) - lengths
    end = begin + lengths
    nas = np.repeat(nas_of_lane, sessions).reshape(shape)
    number = int(nas.max()) + 1
    down = np.sort(dice.integers(BEGIN + DAY, BEGIN + max(sessions * 16 * HOUR, 2 * DAY), (number, restarts)), axis=1)
    down[dice.random(number) >= restarting] = NEVER
    cut = np.zeros(shape, bool)
    for place in range(restarts):
        at = down[:, place][nas]
        under = (begin < at) & (at < end)
        end, cut = np.where(under, at, end), cut | under
        soon = (at <= begin) & (begin < at + 30)
        begin = np.where(soon, at + 30, begin)
    return Operator(
        addresses=addresses,
        sessions=sessions,
        address=np.repeat(of_lane, sessions),
        second=second,
        subscriber=who.reshape(-1),
        begin=begin.reshape(-1),
        end=end.reshape(-1),
        nas=nas.reshape(-1),
        session=dice.integers(0, 12, lanes * sessions),
        cut=cut.reshape(-1),
        restarts=down,
        told=(dice.random(down.shape) < 0.7) & (down < NEVER),
        server_ahead=dice.integers(-ahead, ahead + 1, number // SERVER_OF_NASES + 1),
        nas_ahead=dice.integers(-1, 2, number),
    )


@dataclass(frozen=True, kw_only=True)
class Log:
    """What one RADIUS server wrote, in the order in which it arrived."""

    records: pl.DataFrame
    """arrived, status, nas, and of all but restarts: delay, event, subscriber, address, session, lasted."""
    told: Array
    """Of each stay of the operator whether both its beginning and its end stand in the log."""


def log_of(
    made: Operator, *, server: int | None = None, interims: int = 2, lost: float = 0.02, seed: int = 5,
    hole: tuple[int, int] | None = None,
) -> Log:  # fmt: skip
    """The accounting of a server (None: of all of them): Start, `interims` between, and Stop.

    `lost` of the records are, but never all of a stay, for of such a one nobody could know; and all that arrived within
    `hole` (seconds since 1970) were rotated away before they were read.
    """
    dice = np.random.default_rng(seed if server is None else (seed, server))
    stays = np.flatnonzero(made.server == server) if server is not None else np.arange(len(made.begin))
    length = (made.end - made.begin)[stays]
    kept = dice.random((interims + 2, len(stays))) >= lost
    kept[-1] &= ~made.cut[stays]
    kept[0] |= ~kept.any(axis=0)
    told = np.zeros(len(made.begin), bool)
    told[stays] = kept[0] & kept[-1]
    parts = []
    for step in range(interims + 2):
        passed = length * step // (interims + 1)
        here = np.flatnonzero(kept[step])
        kind = "Start" if step == 0 else "Stop" if step == interims + 1 else "Interim-Update"
        of = stays[here]
        parts.append({
            "status": np.full(len(of), kind), "at": made.begin[of] + passed[here], "nas": made.nas[of],
            "subscriber": made.subscriber[of], "address": made.address[of], "session": made.session[of],
            "lasted": passed[here],
        })  # fmt: skip
    records = pl.concat([pl.DataFrame(p) for p in parts])
    # One of a hundred is sent again, and says how late it is; some that say nothing are slow.
    again = np.where(dice.random(records.height) < 0.01, dice.integers(1, 61, records.height), 0)
    wait = again + dice.integers(0, _WAIT, records.height)
    nases = np.arange(len(made.restarts)) if server is None else np.unique(made.nas[stays])
    down = pl.DataFrame({
        "status": "Accounting-On", "at": made.restarts[nases][made.told[nases]] + 2,
        "nas": np.repeat(nases, made.restarts.shape[1])[made.told[nases].reshape(-1)],
    })  # fmt: skip
    records = records.with_columns(pl.Series("delay", again), pl.Series("wait", wait))
    records = pl.concat([records, down], how="diagonal").with_columns(pl.col("delay", "wait").fill_null(0))
    nas = records.get_column("nas").to_numpy()
    ahead = made.server_ahead[nas // SERVER_OF_NASES]
    records = records.with_columns(
        (pl.col("at") + pl.col("wait")).alias("really"),
        (pl.col("at") + pl.col("wait") + pl.Series(ahead)).alias("arrived"),
        # Some NASes never say when it was by their own clock, and all of them only for a time.
        pl.when((pl.col("nas") % 3 > 0) & pl.col("at").is_between(BEGIN + 6 * HOUR, BEGIN + 2 * DAY))
        .then(pl.col("at") + pl.Series(made.nas_ahead[nas]))
        .alias("event"),
    ).sort("really")  # fmt: skip
    if hole is not None:
        records = records.filter(~pl.col("really").is_between(*hole))
    return Log(records=records.drop("at", "wait"), told=told)


def radius_csv(log: Log, *, base: int = POOL) -> bytes:
    """The log as one record a line."""
    return log.records.select(
        pl.col("arrived").alias("timestamp"),
        pl.col("event").alias("event_timestamp"),
        pl.col("delay").alias("acct_delay_time"),
        pl.col("status").alias("acct_status_type"),
        pl.when(pl.col("subscriber").is_not_null()).then(pl.format("u{}", "subscriber")).alias("user_name"),
        _nas().alias("nas_ip_address"),
        pl.col("session").alias("acct_session_id"),
        pl.when(pl.col("address").is_not_null()).then(_dotted(pl.col("address") + base)).alias("framed_ip_address"),
        pl.col("lasted").alias("acct_session_time"),
    ).write_csv().encode()  # fmt: skip


def radius_detail(log: Log, *, base: int = POOL) -> bytes:
    """The log as FreeRADIUS writes it."""
    text = []
    for row in log.records.with_columns(_nas().alias("nas_ip")).iter_rows(named=True):
        lines = [f"Acct-Status-Type = {row['status']}", f"NAS-IP-Address = {row['nas_ip']}"]
        if row["subscriber"] is not None:
            lines += [
                f'User-Name = "u{row["subscriber"]}"', f'Acct-Session-Id = "{row["session"]:08x}"',
                f"Framed-IP-Address = {dotted(base + row['address'])}", f"Acct-Session-Time = {row['lasted']}",
                f"Acct-Delay-Time = {row['delay']}",
            ]  # fmt: skip
        if row["event"] is not None:
            lines.append(f"Event-Timestamp = {row['event']}")
        lines.append(f"Timestamp = {row['arrived']}")
        text.append("Sun Mar  1 00:00:00 2026\n" + "".join(f"\t{line}\n" for line in lines) + "\n")
    return "".join(text).encode()


def _nas() -> pl.Expr:
    return pl.format("192.0.{}.{}", 2 + pl.col("nas") // 250, pl.col("nas") % 250 + 1)


def _dotted(number: pl.Expr) -> pl.Expr:
    return pl.format("{}.{}.{}.{}", *(number // 2**bits % 256 for bits in (24, 16, 8, 0)))


def dotted(number: int) -> str:
    """A number as an IPv4 address."""
    return f"{number >> 24 & 255}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Questions with their truth."""

    address: Array
    at: Array
    """Seconds since 1970."""
    precision: Array
    least: Array
    """Of the subscribers who had the address at some instant of at ± precision, the one with the least number; NONE
    where nobody had it."""
    greatest: Array
    """And the one with the greatest; -1."""
    always: Array
    """Whether one of them had it at every instant of that."""
    clean: Array
    """Whether by the log nobody else could have had it: the clock's error and all records taken into account."""

    def wrong(self, named: Array, *, surely: Array) -> Array:
        """Where one subscriber is named (-1: nobody is) and another had it; and where that is said to be sure, where
        nobody had it at some instant."""
        others = (self.greatest >= 0) & ((self.least != named) | (self.greatest != named))
        found: Array = (named >= 0) & (others | (surely & ~self.always))
        return found

    @property
    def several(self) -> Array:
        """Where more than one had it."""
        found: Array = (self.greatest >= 0) & (self.least != self.greatest)
        return found


def ask(
    made: Operator, *, told: Array, number: int, seed: int = 2, precisions: tuple[int, ...] = (1, 1, 1, 5, 60)
) -> Asked:
    """Questions at random instants, half of them close to an edge where it is easy to be wrong, if `seed` is odd."""
    dice = np.random.default_rng(seed)
    stay = dice.integers(0, len(made.address), number)
    at = (made.begin[stay] + dice.random(number) * (made.end[stay] - made.begin[stay])).astype(np.int64)
    if seed % 2:
        near = dice.random(number) < 0.5
        edges = np.where(dice.random(number) < 0.5, made.begin[stay], made.end[stay])
        at = np.where(near, edges + dice.integers(-90, 91, number), at)
    precision = np.array(precisions)[dice.integers(0, len(precisions), number)]
    return asked_of(made, told=told, address=made.address[stay], at=at, precision=precision)


def asked_of(made: Operator, *, told: Array, address: Array, at: Array, precision: Array) -> Asked:
    """The truth of questions."""
    number = len(at)
    slack = precision + 2 * made.error[made.nas[address * made.sessions] // SERVER_OF_NASES] + 2
    least, greatest = np.full(number, NONE), np.full(number, -1)
    wide_least, wide_greatest = least.copy(), greatest.copy()
    always, clean = np.zeros(number, bool), np.zeros(number, bool)
    for lane in (address, made.second[address]):
        for place in range(made.sessions):
            each = np.maximum(lane, 0) * made.sessions + place
            first, last = made.begin[each], np.where(lane >= 0, made.end[each], -1)
            who = made.subscriber[each]
            here = (first <= at + precision) & (last > at - precision)
            least, greatest = (
                np.where(here, np.minimum(least, who), least),
                np.where(here, np.maximum(greatest, who), greatest),
            )
            wide = (first <= at + slack) & (last > at - slack)
            wide_least = np.where(wide, np.minimum(wide_least, who), wide_least)
            wide_greatest = np.where(wide, np.maximum(wide_greatest, who), wide_greatest)
            always |= (first <= at - precision) & (at + precision < last)
            clean |= (first <= at - slack) & (at + slack < last) & told[each]
    clean &= wide_least == wide_greatest
    return Asked(
        address=address, at=at, precision=precision, least=least, greatest=greatest, always=always, clean=clean
    )
