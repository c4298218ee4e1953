"""What is known of the table already is kept while some of its sets are read anew."""

import pytest

from tipstaff.enforcement.drivers.nftables import layout, table
from tipstaff.enforcement.drivers.nftables.netlink import Kernel, Shape
from tipstaff.enforcement.drivers.nftables.reading import _held, read
from tipstaff.enforcement.protocol import DeviceRefused

SHAPE = Shape(sets={}, chains={}, rules=())
SAYS = "fp=0 in=block_flow_out4 el=192.0.2.7,tcp,25 case=C-000001"


def test_a_measure_in_an_older_versions_set_is_known_also_when_its_own_set_changes() -> None:
    own = layout.book_of("M-000001")
    elsewhere = next(book for book in layout.BOOKS if book != own)
    there = next(key for n in range(2, 999) if layout.book_of(key := f"M-{n:06}") == own)
    raw: dict[str, dict[bytes, bytes | None]] = {
        elsewhere: {table.key_of(elsewhere, "M-000001"): SAYS.encode()},
        own: {},
    }
    before = _held(SHAPE, raw, [], None)
    assert before.elsewhere == {"M-000001": elsewhere}
    raw = raw | {own: {table.key_of(own, there): SAYS.encode()}}
    after = _held(SHAPE, raw, [], before)
    assert after.measures.keys() == {"M-000001", there}
    assert after.elsewhere == before.elsewhere


class Flushed(Kernel):
    """The table is there when it is listed, and somebody flushes it before its sets are read; so often."""

    def __init__(self, times: int) -> None:
        self.times = times

    def generation(self) -> int:
        return 7

    def shape(self, name: str) -> Shape | None:
        return Shape(sets={"generation": 0}, chains={}, rules=()) if self.times else None

    def elements(self, name: str, of: str) -> dict[bytes, bytes | None]:
        self.times -= 1
        raise FileNotFoundError(of)


def test_a_table_that_is_flushed_while_it_is_read_is_read_anew_and_not_for_ever() -> None:
    def no_listing(name: str) -> str:
        pytest.fail(f"{name} is none of prefixes")

    assert "generation" in layout.READ_SETS
    assert not read(Flushed(2), believed=None, list_set=no_listing).exists
    with pytest.raises(DeviceRefused, match="changes faster than it can be read"):
        read(Flushed(99), believed=None, list_set=no_listing)
