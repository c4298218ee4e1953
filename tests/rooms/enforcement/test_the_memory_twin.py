"""The in-memory twin keeps the drivers' contract, in memory and as a file."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tipstaff.enforcement.drivers.memory import MemoryTwin, make
from tipstaff.enforcement.protocol import BadOption, Driver
from tipstaff.testing.drivers import DriverContract
from tipstaff.words import Rule


class TestMemoryTwinAsAFile(DriverContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.file = tmp_path / "edge1.json"

    def make(self) -> Driver:
        return MemoryTwin("edge1", file=self.file)

    def again(self, driver: Driver) -> Driver:
        return MemoryTwin("edge1", file=self.file)

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        assert isinstance(driver, MemoryTwin)
        driver.unreachable = True
        yield
        driver.unreachable = False

    def put_foreign(self, driver: Driver) -> str:
        assert isinstance(driver, MemoryTwin)
        driver.put_foreign("a rule of somebody else's")
        return "a rule of somebody else's"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        assert isinstance(driver, MemoryTwin)
        driver.tamper(rule.measure)

    def forget(self, driver: Driver) -> None:
        assert isinstance(driver, MemoryTwin)
        driver.forget()


class TestMemoryTwinInMemory(TestMemoryTwinAsAFile):
    def make(self) -> Driver:
        return MemoryTwin("edge1")

    def again(self, driver: Driver) -> Driver:
        return driver

    @pytest.mark.parametrize("milliseconds", [0])
    def test_killed_midway_it_leaves_all_or_nothing(self, milliseconds: int) -> None:
        pytest.skip("what is only in memory dies with its process")


def test_a_damaged_file_is_unknown_and_never_absent(tmp_path: Path) -> None:
    from tipstaff.testing.drivers import NOON

    file = tmp_path / "edge1.json"
    file.write_text('{"generation": 3, "rul')
    seen = MemoryTwin("edge1", file=file).observe(at=NOON)
    assert not seen.complete
    assert "cannot be read" in seen.detail


def test_an_unknown_option_is_refused_in_a_sentence() -> None:
    with pytest.raises(BadOption, match="device edge1: colour is not an option of the memory driver"):
        make("edge1", {"colour": "blue"})
