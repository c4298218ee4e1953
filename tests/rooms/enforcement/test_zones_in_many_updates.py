"""A change of a policy zone that takes several updates, cut off between any two of them."""

import struct
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import dns.rdataclass
import pytest

from tipstaff.enforcement.drivers import rpz
from tipstaff.enforcement.drivers.rpz import zone
from tipstaff.enforcement.drivers.rpz.transfer import Labels, Record
from tipstaff.testing.drivers import NOON
from tipstaff.words import Degree, Plan, Rule, Selector, Step

RULES = [
    Rule(
        measure=f"M-{n:06d}", case="C-000001", degree=Degree.BLOCK,
        selector=Selector(host_name=f"h{n}.{'.'.join(['x' * 60] * 3)}.example.net"),
    )
    for n in range(330)
]  # fmt: skip


class Killed(BaseException):
    """In place of a `kill -9`."""


class Zone:
    """What a primary server holds, which takes updates as octets and dies after so many."""

    def __init__(self) -> None:
        self.names: dict[Labels, list[Record]] = {}
        self.left = 1000
        self.book = zone.Book(b"only for this test, and long enough", zone="rpz.example.net.")

    def driver(self, monkeypatch: pytest.MonkeyPatch) -> rpz.RpzDriver:
        options = {
            "server": "127.0.0.1:53", "zone": "rpz.example.net", "tsig_name": "key", "tsig_command": ["true"],
            "keeper_file": "/nowhere/keeper",
        }  # fmt: skip
        driver = rpz.make("ns1", options)
        secret: Any = (None, self.book)
        driver._secret = secret

        def read() -> zone.Held:
            held = zone.Held(book=self.book, block=driver._block)
            held.take(self.names.items())
            return held

        def keep(held: zone.Held, *, at: datetime) -> None:
            pass

        for name, stand_in in (("_read", read), ("_send", self.take), ("_keep", keep)):
            monkeypatch.setattr(driver, name, stand_in)
        return driver

    def take(self, records: rpz._Records, *, if_generation: bytes | None) -> None:
        held = [b"".join(zone.strings_of(data)) for _, data in self.names.get(zone.GENERATION, ())]
        assert held == ([] if if_generation is None else [if_generation])
        if self.left == 0:
            raise Killed
        self.left -= 1
        wire, at = bytes(records.wire), 0
        assert len(wire) <= rpz._UPDATE_OCTETS_MAX
        while at < len(wire):
            labels = []
            while wire[at : at + 2] != rpz._ZONE_NAME:
                labels.append(wire[at + 1 : at + 1 + wire[at]])
                at += 1 + wire[at]
            kind, group, _, octets = struct.unpack_from("!HHIH", wire, at + 2)
            at += 12 + octets
            name = tuple(labels)
            if group == dns.rdataclass.ANY:
                self.names.pop(name, None)
                continue
            self.names.setdefault(name, []).append((kind, wire[at - octets : at]))


def carry_out(driver: rpz.RpzDriver, generation: int, wanted: Sequence[Rule]) -> None:
    held = driver._read()
    there = {**held.entries, **held.unfinished}
    steps = [
        Step(verb="lift", measure=key, rule=None) for key in held.entries if key not in {r.measure for r in wanted}
    ]
    steps += [Step(verb="apply", measure=rule.measure, rule=rule) for rule in wanted if rule.measure not in there]
    driver.carry_out(Plan(device="ns1", generation=generation, rules=tuple(wanted)), steps=steps, at=NOON)


def test_cut_off_after_any_update_no_name_stays_blocked_that_no_measure_owns(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Zone()
    carry_out(begin.driver(monkeypatch), 1, RULES)
    assert len(begin.names) == 2 * len(RULES) + 1
    for updates in range(10):
        now = Zone()
        now.names, now.left = dict(begin.names), updates
        killed = False
        try:
            carry_out(now.driver(monkeypatch), 2, RULES[:1])
        except Killed:
            killed = True
        assert now.driver(monkeypatch).observe(at=NOON).foreign == (), updates
        now.left = 1000
        carry_out(now.driver(monkeypatch), 3, RULES[:1])
        assert len(now.names) == 3, updates
        if not killed:
            break
    assert updates >= 3, "it took several updates"
