"""A benchmark's figure counts to a level of proof; where that is not reached there is no figure."""

import importlib.util
from ipaddress import ip_network
from pathlib import Path

import pytest

from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.words import Direction, Selector

BENCH = Path(__file__).parents[3] / "bench" / "_one_measure.py"


@pytest.mark.django_db
def test_a_measure_that_is_shown_less_surely_than_the_figure_says_ends_the_benchmark() -> None:
    spec = importlib.util.spec_from_file_location("_one_measure", BENCH)
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)

    def one(i: int) -> Selector:
        return Selector(network=ip_network(f"192.0.2.{i}"), protocol="tcp", port=25, direction=Direction.OUT)

    own = (ip_network("192.0.2.0/24"),)
    found = bench.latency(MemoryTwin("edge1"), one, 2, proof="STATE", own=own)
    assert (found["measures"], found["proof"]) == (2, ["STATE"])
    with pytest.raises(SystemExit) as ended:
        bench.latency(MemoryTwin("edge2"), one, 1, proof="PROBE", own=own)
    assert "is in_force at proof level STATE, and this benchmark counts to PROBE" in str(ended.value)
