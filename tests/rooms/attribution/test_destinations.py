"""Two connections of one public port are told apart by whom they were with, where the log and the complaint say it."""

import json
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from tipstaff.attribution.flow_files import _there
from tipstaff.attribution.match import Question
from tipstaff.attribution.operations import merge_flows
from tipstaff.cli.main import app
from tipstaff.procedures.lookup import answer_one
from tipstaff.procedures.many import open_book
from tipstaff.procedures.offender import who_did_it, who_did_them
from tipstaff.words import Allegation, Attribution, AttributionReason, Grade, Moment

from .test_flow_gaps import flow, read
from .test_flows import BY, LATER, NOON, PUBLIC, folder, log_of, operator, plan

__all__ = ["folder", "operator"]  # Fixtures.
pytestmark = pytest.mark.django_db
ONE, TWO, OTHER = "203.0.113.1", "203.0.113.2", "203.0.113.77"
AT = Moment(NOON + timedelta(seconds=50), error_seconds=10)
ALLEGED = Allegation(
    type="connection/scan", source=ip_address(PUBLIC[0]), source_port=1500, protocol="tcp", moment=AT, target=ONE
)


def ask(there: str | None = None, there_port: int | None = None, *, at: Moment | None = AT) -> Attribution:
    """One by one and many at once are the same."""
    question = Question(
        address=ip_address(PUBLIC[0]), port=1500, protocol=6, moment=at,
        there=None if there is None else ip_address(there), there_port=there_port,
    )  # fmt: skip
    answer = answer_one(question, received_at=LATER)
    assert open_book(at=LATER).attribute([question], received_at=LATER) == [answer]
    return answer


def said(*there, **more) -> tuple[Grade, AttributionReason, str | None]:
    answer = ask(*there, **more)
    return answer.grade, answer.reason, answer.customer


SEVERAL = (Grade.AMBIGUOUS, AttributionReason.SEVERAL_HOLDERS_IN_WINDOW, None)
ELSEWHERE = (Grade.AMBIGUOUS, AttributionReason.OTHER_DESTINATION, None)


def by_one(number: int) -> tuple[Grade, AttributionReason, str | None]:
    return Grade.CONFIRMED, AttributionReason.ONE_HOLDER, f"acct-{number}"


@pytest.fixture
def at_once(tmp_path, operator):
    """acct-1 with ONE and acct-2 with TWO, both from port 1500 of one public address."""
    plan(tmp_path)
    read(tmp_path / "nat.log", log_of([flow(1, 1, 0.0, 100.0), flow(2, 2, 10.0, 90.0), flow(3, 3, 5000.0, 5001.0)]))


def test_the_destination_tells_them_apart(at_once):
    assert said() == SEVERAL
    assert (said(ONE), said(TWO), said(ONE, 443)) == (by_one(1), by_one(2), by_one(1))
    # Their server may have another port behind a translation of theirs.
    assert said(TWO, 8443) == by_one(2)
    assert said(f"::ffff:{ONE}") == by_one(1)
    (shown,) = [b for b in ask(TWO, 443).bindings if b.momentary]
    assert (str(shown.there), shown.there_port) == (TWO, 443)


def test_nobody_is_named_when_no_connection_was_with_it(at_once):
    assert said(OTHER) == ELSEWHERE
    # In time in which the log was not read there may have been one.
    wide = Moment(NOON + timedelta(hours=5), error_seconds=14 * 3600)
    assert said(OTHER, at=wide)[:2] == (Grade.NO_DATA, AttributionReason.SOURCE_GAP)
    # Of acct-3 alone, too: its connection was with another server.
    alone = Moment(NOON + timedelta(seconds=5000.5), error_seconds=0.1)
    assert said(at=alone) == by_one(3)
    assert said(OTHER, at=alone) == ELSEWHERE


@pytest.mark.parametrize("inside", ["10.1.2.3", "192.168.0.9", "127.0.0.1", "fd00::1", "::", "224.0.0.1"])
def test_what_a_server_is_called_behind_its_own_nat_says_nothing(inside, at_once):
    assert said(inside) == SEVERAL


def test_the_port_tells_two_with_one_server_apart(tmp_path, operator):
    plan(tmp_path)
    log = log_of([flow(1, 1, 0.0, 100.0), flow(4, 2, 10.0, 90.0)]).decode()
    lines = [x.replace("dport=443 ", "dport=22 ").replace("sport=443 ", "sport=22 ") if "100.64.0.2" in x else x
             for x in log.splitlines(keepends=True)]  # fmt: skip
    read(tmp_path / "nat.log", "".join(lines).encode())
    assert said(ONE) == SEVERAL
    assert (said(ONE, 443), said(ONE, 22)) == (by_one(1), by_one(2))
    assert said(ONE, 8443) == SEVERAL


def test_a_connection_whose_destination_is_not_known_is_not_named_for_being_left(tmp_path, operator, folder):
    """That the other one went elsewhere, or to another port of the server, says nothing of this one."""
    plan(tmp_path)
    read(tmp_path / "nat.log", log_of([flow(1, 1, 0.0, 100.0)]))
    before = set(Path(folder).glob("*.parquet"))
    read(tmp_path / "more.log", log_of([flow(2, 2, 10.0, 90.0)]))
    for part in set(Path(folder).glob("*.parquet")) - before:
        rows = pl.read_parquet(part, memory_map=False)
        if "lasts" in rows.columns:
            rows.drop("there_version", "there_hi", "there_lo", "there_port").write_parquet(part)
    assert (said(), said(ONE), said(ONE, 8443), said(OTHER)) == (SEVERAL, SEVERAL, SEVERAL, SEVERAL)


def test_parts_that_are_merged_keep_it_and_those_of_an_earlier_version_do_not_know_it(at_once, tmp_path, folder):
    read(tmp_path / "next.log", log_of([flow(5, 4, 6000.0, 6001.0)]))
    assert merge_flows("cgn-1", parts_min=2, **BY) > 0
    assert said(TWO) == by_one(2)
    for part in Path(folder).glob("*.parquet"):
        rows = pl.read_parquet(part, memory_map=False)
        if "lasts" in rows.columns:
            rows.drop("there_version", "there_hi", "there_lo", "there_port").write_parquet(part)
    assert said(TWO) == SEVERAL
    read(tmp_path / "later.log", log_of([flow(6, 4, 7000.0, 7001.0)]))
    merge_flows("cgn-1", parts_min=2, **BY)
    assert said(TWO) == SEVERAL


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("203.0.113.5 dport=443", ("203.0.113.5", 443)), ("203.0.113.5 443", ("203.0.113.5", 443)),
        ("203.0.113.5:443", ("203.0.113.5", 443)), ("203.0.113.5/443", ("203.0.113.5", 443)),
        ("203.0.113.5", ("203.0.113.5", -1)), ("0.3405803781:0", ("203.0.113.5", -1)),
        ("203.0.113.5:80", ("203.0.113.5", 80)), ("0.3405803781:443", ("203.0.113.5", 443)),
        ("2306139568115548160.1:53", ("2001:db8::1", 53)), ("", None), ("server.example.net 443", None),
        ("0.0:443", None), (None, None), ("203.0.113.500", None),
    ],
)  # fmt: skip
def test_it_is_read_as_the_readers_write_it(written, there):
    found = _there(pl.DataFrame({"remote": [written]}, schema={"remote": pl.String})).row(0, named=True)
    if there is None:
        assert found["there_version"] == 0
        return
    address = ip_address(there[0])
    number = found["there_hi"] << 64 | found["there_lo"]
    assert (found["there_version"], number, found["there_port"]) == (address.version, int(address), there[1])


def test_a_complaint_that_names_the_victim_is_told_apart_by_it(at_once):
    def named(**more) -> list[str | None]:
        alleged = replace(ALLEGED, **more)
        (many,) = who_did_them([alleged], received_at=LATER)
        one = who_did_it(alleged, received_at=LATER)
        assert many == one
        return [one.customer]

    assert named() == ["acct-1"]
    assert named(target=TWO, target_port=443) == ["acct-2"]
    for nobody in (None, "www.example.org", "203.0.113.0/24", OTHER):
        assert named(target=nobody) == [None]


def test_it_is_asked_in_a_file(at_once):
    lines = [
        f"{PUBLIC[0]},1500,tcp,2026-03-10T12:00:50Z,10,{there}" for there in ("", TWO, f"{TWO},443", "x", f"{ONE},y")
    ]
    done = CliRunner().invoke(app, ["attribute", "-"], input="\n".join(lines))
    answers = [json.loads(line) for line in done.output.splitlines()]
    assert [a.get("customer") for a in answers] == [None, "acct-2", "acct-2", None, None]
    assert ["error" in a for a in answers] == [False, False, False, True, True]
    (row,) = [r for r in answers[1]["proof"] if "destination" in r]
    assert (row["destination"], row["destination_port"]) == (TWO, 443)
