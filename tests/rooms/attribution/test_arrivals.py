"""How wrong a NAT's or DHCP server's clock is shows in when a growing log was last written to."""

import os
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.attribution.clocks import READINGS, Arrivals
from tipstaff.attribution.match import Question
from tipstaff.attribution.operations import take_in
from tipstaff.attribution.protocol import Options
from tipstaff.procedures.lookup import answer_one
from tipstaff.wiring import sources
from tipstaff.words import Attribution, Grade, Moment

from .test_flows import BY, LATER, NOON, PUBLIC, Flow, folder, operator, plan

__all__ = ["folder", "operator"]  # Fixtures.
KEA = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"
MINUTE = 60.0


def block(event: str, at: datetime, inside: int, ports: str = "1024-2047") -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ} nat event={event} inside=100.64.0.{inside} outside={PUBLIC[0]} ports={ports}\n"


def lease(at: datetime) -> str:
    return f"10.0.0.1,02:00:00:00:00:01,,3600,{int(at.timestamp()) + 3600},1,0,0,,0,\n"


def connection(at: datetime) -> str:
    since = (at - NOON).total_seconds()
    return Flow(int(since), PUBLIC[0], 1500, 6, "100.64.0.2", since, None).lines()[0][1]


def grow(path: Path, lines: list[tuple[float, str]], kind: str, *, begin: int = 0, **options) -> list[float]:
    """Reads a log after each line that is added to it, as of when it was written; as how wrong its clock counted."""
    told, text = [], KEA if kind == "kea-memfile" else ""
    for number, (at, line) in enumerate(lines):
        text += line
        if number < begin:
            continue
        path.write_text(text)
        os.utime(path, (0, NOON.timestamp() + at))
        made = Options(source=kind, inside_realm="cgn", **options)
        told += [load.clock_error_seconds for load in take_in(path, sources()[kind], made, **BY)]
    return told


def ticking(
    ahead: float, number: int, *, write=block, late=lambda n: 40.0 if n % 4 else 0.0
) -> list[tuple[float, str]]:
    """A record a minute, by a clock that is ahead, each of which is written a while later."""
    made = []
    for n in range(number):
        at = NOON + timedelta(seconds=n * MINUTE + ahead)
        made.append((n * MINUTE + late(n), write("interim", at, 3, "4096-5119") if write is block else write(at)))
    return made


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "write", "ahead"),
    [("nat-blocks", block, -45.0), ("kea-memfile", lease, 45.0), ("nat-flows", connection, -45.0)],
)
def test_a_clock_that_is_wrong_is_found_out_by_when_the_log_was_written(kind, write, ahead, tmp_path, operator):
    told = grow(tmp_path / "log", ticking(ahead, READINGS + 3, write=write), kind)
    # That it runs ahead shows at once, for nothing is written before it happened; the rest by many readings.
    assert told[0] == 1.0, "a file that was not there before may have been copied"
    assert told[READINGS // 2] == (1.0 if ahead < 0 else 45.0)
    assert told[-1] == 45.0


@pytest.mark.django_db
def test_what_was_read_before_is_as_unsure_as_what_is_read_then(tmp_path, operator):
    """acct-1 gave the block back at 20 s and acct-2 was given it at 30 s, by a clock that is 45 seconds behind."""
    plan(tmp_path)
    behind = timedelta(seconds=45)
    given = [
        (0.0, block("alloc", NOON - timedelta(hours=1) - behind, 1)),
        (20.0, block("release", NOON + timedelta(seconds=20) - behind, 1)),
        (30.0, block("alloc", NOON + timedelta(seconds=30) - behind, 2)),
    ]
    then = [(at + 90, line) for at, line in ticking(45.0, READINGS + 4)]

    def at(seconds: float) -> Attribution:
        moment = Moment(NOON + timedelta(seconds=seconds), 1.0)
        return answer_one(Question(address=ip_address(PUBLIC[0]), port=1500, moment=moment), received_at=LATER)

    grow(tmp_path / "log", [*given, *then], "nat-blocks", begin=4)
    assert at(10.0).grade is Grade.AMBIGUOUS, "until the clock is known acct-2 is named here"
    assert (at(-600.0).grade, at(-600.0).customer) == (Grade.CONFIRMED, "acct-1")


@pytest.mark.django_db
def test_what_is_not_written_as_it_happens_tells_nothing_and_what_is_stated_counts(tmp_path, operator):
    stale = ticking(0.0, READINGS + 3, late=lambda n: 1e6)
    assert set(grow(tmp_path / "stated", stale, "nat-blocks", clock_error_seconds=2.0)) == {2.0}
    longer = [(at, line.replace("100.64", "100.65")) for at, line in stale]
    assert set(grow(tmp_path / "brought here in lots", longer, "nat-blocks")) == {1.0}
    for number, (_, line) in enumerate(ticking(-330.0, READINGS + 3)):
        # A new file each time, as one that was rotated and copied here.
        assert set(grow(tmp_path / f"{number}", [(1e5, line)], "nat-blocks")) == {1.0}
    # RADIUS says with each record when it arrived.
    lines = [f"{int(NOON.timestamp()) + n},Start,u{n},10.0.0.{n},{n},\n" for n in range(READINGS + 3)]
    header = "timestamp,acct_status_type,user_name,framed_ip_address,acct_session_id,acct_session_time\n"
    told = grow(tmp_path / "radius", [(0.0, header), *((9e5, x) for x in lines)], "radius-csv", begin=1)
    assert set(told) == {1.0}


@given(
    ahead=st.integers(-10_000, 10_000), waits=st.lists(st.integers(0, 5000), min_size=READINGS, max_size=3 * READINGS)
)
def test_no_clock_is_believed_to_be_righter_than_it_is(ahead, waits):
    """Whatever a record waits to be written, as long as one in READINGS is prompt."""
    known = Arrivals()
    for number, wait in enumerate(waits):
        known = known.after((0 if number % READINGS == 7 else wait) - ahead)
    assert known.error == abs(ahead)
