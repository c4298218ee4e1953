"""What is known of the table already is kept while some of its sets are read anew."""

from tipstaff.enforcement.drivers.nftables import layout, table
from tipstaff.enforcement.drivers.nftables.netlink import Shape
from tipstaff.enforcement.drivers.nftables.reading import _held

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
