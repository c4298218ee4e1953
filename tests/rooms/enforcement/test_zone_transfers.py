"""Transfers of a policy zone: read as dnspython reads them, and nothing is believed that is not signed."""

import itertools
import socket
import struct
from collections.abc import Sequence

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.renderer
import dns.tsig
import dns.xfr
import dns.zone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tipstaff.enforcement.drivers.rpz import transfer, zone
from tipstaff.enforcement.drivers.rpz.transfer import BadTransfer, Copy, Transfer

ZONE = dns.name.from_text("rpz.example.net.")
KEY = dns.tsig.Key("tipstaff.", b"only for this test, and long enough", "hmac-sha256")
OTHER = dns.tsig.Key("tipstaff.", b"another one, that nobody else knows", "hmac-sha256")
Line = tuple[str, str, str]
"""(name, type, data)."""

LINES = st.tuples(
    st.sampled_from(["a.example.net", "A.b.Example.net", "b.example.net", "32.80.2.0.192.rpz-ip", "x._tipstaff"]),
    st.sampled_from([
        ("TXT", '"blocked"'), ("TXT", '"by hand" "and more"'), ("A", "192.0.2.1"), ("AAAA", "2001:db8::1"),
        ("MX", "5 mail.B.example.net"), ("PTR", "www.example.net.rpz.example.net."),
    ]),
).map(lambda pair: (pair[0], *pair[1]))  # fmt: skip
STATES = st.lists(st.lists(LINES, max_size=8, unique=True), min_size=1, max_size=4)


def soa(serial: int) -> Line:
    return ("@", "SOA", f"ns.example.net. noc.example.net. {serial} 60 60 3600 60")


def query(serial: int | None) -> dns.message.Message:
    asked = dns.message.make_query(ZONE, "AXFR" if serial is None else "IXFR", use_edns=False)
    asked.use_tsig(KEY, KEY.name)
    asked.to_wire()
    return asked


def answers(
    asked: dns.message.Message, lines: Sequence[Line], *, per_message: int, signed_by: dns.tsig.Key = KEY,
    signed: Sequence[bool] = (),
) -> list[bytes]:  # fmt: skip
    """As a server would send it; which messages are signed, or all."""
    assert asked.mac is not None
    mac, context, messages = asked.mac, None, []
    parts = [lines[i : i + per_message] for i in range(0, len(lines), per_message)]
    for n, part in enumerate(parts):
        made = dns.renderer.Renderer(asked.id, dns.flags.QR | dns.flags.AA, 65535)
        if n == 0:
            made.add_question(ZONE, asked.question[0].rdtype)
        for name, kind, text in part:
            owner = dns.name.from_text(name, origin=ZONE)
            data = dns.rdata.from_text("IN", kind, text, origin=ZONE, relativize=False)
            made.add_rdataset(dns.renderer.ANSWER, owner, dns.rdataset.from_rdata(60, data))
        made.write_header()
        if signed and not signed[n]:
            wire = made.get_wire()
            context.update(wire)  # type: ignore[union-attr]  # the first one is signed
        else:
            context = made.add_multi_tsig(context, signed_by.name, signed_by, 300, asked.id, 0, b"", mac)  # type: ignore[no-untyped-call]  # as it is
            wire = made.get_wire()
        messages.append(wire)
    return messages


def by_dnspython(
    zone: dns.zone.Zone, asked: dns.message.Message, messages: Sequence[bytes], serial: int | None
) -> None:
    kind, context = asked.question[0].rdtype, None
    with dns.xfr.Inbound(zone, kind, serial) as inbound:
        for wire in messages:
            message = dns.message.from_wire(
                wire, keyring=KEY, request_mac=asked.mac, xfr=True, origin=ZONE, tsig_ctx=context, multi=True,
                one_rr_per_rrset=serial is not None,
            )  # fmt: skip
            done, context = inbound.process_message(message), message.tsig_ctx
        assert done


def of_dnspython(zone: dns.zone.Zone) -> dict[tuple[bytes, ...], list[tuple[int, bytes]]]:
    return {
        tuple(label.lower() for label in name.labels): sorted(
            (int(one.rdtype), data.to_digestable(ZONE)) for one in node.rdatasets for data in one
        )
        for name, node in zone.nodes.items()
    }


def now_of(asked: dns.message.Message) -> int:
    assert asked.tsig is not None
    return int(asked.tsig[0].time_signed)


def take(copy: Copy, asked: dns.message.Message, messages: Sequence[bytes]) -> frozenset[tuple[bytes, ...]] | None:
    assert asked.mac is not None
    taken = Transfer(ZONE, number=asked.id, key=KEY, request_mac=asked.mac, serial=copy.serial)
    ends = [taken.take(wire, now=now_of(asked)) for wire in messages]
    assert ends == [False] * (len(messages) - 1) + [True]
    return copy.become(taken)


@settings(max_examples=60, deadline=None)
@given(STATES, st.integers(1, 5), st.integers(0, 2), st.booleans())
def test_a_zone_is_read_as_dnspython_reads_it_whole_and_by_what_changed(
    states: list[list[Line]], per_message: int, skipped: int, as_a_whole: bool
) -> None:
    """dnspython is the slow oracle."""
    ours, theirs = Copy(ZONE), dns.zone.Zone(ZONE)
    asked = query(None)
    messages = answers(asked, [soa(1), *states[0], soa(1)], per_message=per_message)
    assert take(ours, asked, messages) is None
    by_dnspython(theirs, asked, messages, None)
    serial = 1
    while serial < len(states):
        upto, before = min(len(states), serial + 1 + skipped), serial
        lines = [soa(upto)]
        if as_a_whole:
            lines += states[upto - 1] or [("@", "NS", "ns.example.net.")]
        else:
            for n in range(serial, upto):
                old, new = states[n - 1], states[n]
                lines += [soa(n), *(x for x in old if x not in new), soa(n + 1), *(x for x in new if x not in old)]
        asked = query(serial)
        messages = answers(asked, [*lines, soa(upto)], per_message=per_message)
        changed = take(ours, asked, messages)
        assert (changed is None) is as_a_whole
        by_dnspython(theirs, asked, messages, before)
        serial = upto
        assert ours.serial == serial
        assert {name: sorted(records) for name, records in ours.names.items()} == of_dnspython(theirs)


LOAD = [soa(7), *((f"h{n}.example.net", "TXT", '"blocked"') for n in range(9)), soa(7)]


def refused(messages: Sequence[bytes], asked: dns.message.Message, *, later: int = 0) -> str:
    taken = Transfer(ZONE, number=asked.id, key=KEY, request_mac=asked.mac or b"", serial=None)

    def take_all() -> None:
        for wire in messages:
            taken.take(wire, now=now_of(asked) + later)

    with pytest.raises((BadTransfer, dns.exception.DNSException)) as why:
        take_all()
    assert not taken.done
    return f"{type(why.value).__name__}: {why.value}"


def test_between_two_signatures_a_message_may_be_unsigned_but_never_the_first_or_the_last() -> None:
    asked = query(None)
    copy = Copy(ZONE)
    take(copy, asked, answers(asked, LOAD, per_message=3, signed=[True, False, False, True]))
    assert len(copy.names) == 10
    assert "missing TSIG" in refused(answers(asked, LOAD, per_message=3, signed=[True, True, False, False]), asked)
    plain = answers(asked, LOAD, per_message=99)[0]
    asked_elsewhere = query(None)
    unsigned = struct.pack("!H", asked_elsewhere.id) + plain[2:]
    assert "BadSignature" in refused([unsigned], asked_elsewhere), "signed for another question"


def test_a_transfer_that_was_changed_on_its_way_by_any_octet_is_not_taken() -> None:
    asked = query(None)
    messages = answers(asked, LOAD, per_message=6, signed=[True, True])
    for i in range(0, len(messages[0]), 3):
        spoilt = messages[0][:i] + bytes([messages[0][i] ^ 1]) + messages[0][i + 1 :]
        refused([spoilt, messages[1]], asked)
    for cut in range(len(messages[1])):
        refused([messages[0], messages[1][:cut]], asked)
    assert "BadSignature" in refused(answers(asked, LOAD, per_message=6, signed_by=OTHER), asked)
    assert "BadTime" in refused(messages, asked, later=301)
    assert "answers after" in refused(answers(asked, [*LOAD, LOAD[1]], per_message=99), asked)


def test_changes_for_another_state_leave_no_copy_that_could_be_believed() -> None:
    asked = query(None)
    copy = Copy(ZONE)
    take(copy, asked, answers(asked, LOAD, per_message=99))
    asked = query(7)
    gone = [soa(8), soa(7), ("never.example.net", "TXT", '"blocked"'), soa(8), soa(8)]
    with pytest.raises(BadTransfer, match="what is not there"):
        take(copy, asked, answers(asked, gone, per_message=99))
    for lines, why in (
        ([soa(6)], "went backwards"), ([soa(9), soa(8), soa(9), soa(9)], "another serial"),
        ([soa(9), soa(7), soa(8), soa(9)], "too early"), ([LOAD[1]], "not an SOA"),
    ):  # fmt: skip
        other = Copy(ZONE)
        other.serial = 7
        with pytest.raises(BadTransfer, match=why):
            take(other, asked, answers(asked, lines, per_message=99))
    same = Copy(ZONE)
    same.serial = 7
    assert take(same, asked, answers(asked, [soa(7)], per_message=9)) == frozenset()


@given(st.binary(max_size=80), st.integers(0, 3))
def test_octets_that_are_no_answer_are_refused_and_never_followed_in_a_circle(octets: bytes, answered: int) -> None:
    asked = query(None)
    head = struct.pack("!HHHHHH", asked.id, dns.flags.QR, 0, answered, 0, 0)
    refused([head + octets], asked)
    refused([head[:6] + b"\0\1\0\0\0\0" + b"\xc0\x0c" + octets], asked)


def begun() -> tuple[dns.message.Message, Transfer]:
    """A transfer whose first message is here, and signed."""
    asked = query(None)
    taken = Transfer(ZONE, number=asked.id, key=KEY, request_mac=asked.mac or b"", serial=None)
    taken.take(answers(asked, LOAD, per_message=3)[0], now=now_of(asked))
    return asked, taken


def middle(asked: dns.message.Message, *names: bytes) -> bytes:
    """An unsigned message that somebody put in between."""
    record = struct.pack("!HHIH", dns.rdatatype.TXT, dns.rdataclass.IN, 60, 2) + b"\x01x"
    head = struct.pack("!HHHHHH", asked.id, dns.flags.QR, 0, len(names), 0, 0)
    return head + b"".join(name + record for name in names)


def test_a_hundredth_message_in_a_row_that_nobody_signed_is_not_taken() -> None:
    asked = query(None)
    lines = [soa(7), *((f"h{n}.example.net", "TXT", '"blocked"') for n in range(99)), soa(7)]
    take(Copy(ZONE), asked, answers(asked, lines, per_message=1, signed=[True, *[False] * 99, True]))
    lines = [*lines[:-1], ("one.more.example.net", "TXT", '"blocked"'), soa(7)]
    told = answers(asked, lines, per_message=1, signed=[True, *[False] * 100, True])
    assert "more than 99 messages" in refused(told, asked)
    take(Copy(ZONE), asked, answers(asked, lines, per_message=1, signed=[True, *[False] * 99, True, True]))


def test_a_name_has_255_octets_at_most_however_it_is_put_together() -> None:
    label, of_zone = b"\x3f" + b"a" * 63, ZONE.to_wire()
    left = 255 - len(of_zone) - 3 * len(label)
    longest = label * 3 + bytes((left - 1,)) + b"b" * (left - 1) + of_zone
    asked, taken = begun()
    taken.take(middle(asked, longest), now=now_of(asked))
    for too_long in (b"\x01c\xc0\x0c", b"\x01c" + longest):
        asked, taken = begun()
        with pytest.raises(BadTransfer, match="a name is too long"):
            taken.take(middle(asked, longest, too_long), now=now_of(asked))


def test_pointers_to_pointers_are_each_followed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    names, at = [ZONE.to_wire()], 12
    for _ in range(transfer._POINTERS_MAX * 3):
        names.append(struct.pack("!H", 0xC000 | at))
        at += len(names[-2]) + 12
    asked, taken = begun()
    read, calls = transfer._name, itertools.count()
    monkeypatch.setattr(transfer, "_name", lambda *a, **k: (next(calls), read(*a, **k))[1])
    taken.take(middle(asked, *names), now=now_of(asked))
    assert next(calls) == len(names)


def sent(octets: bytes) -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(octets)
    return ours


def test_a_transfer_ends_when_its_time_is_over_also_while_more_is_coming() -> None:
    message = struct.pack("!H", 4) + b"more"
    for clock, taken in (([9, 9, 1, 0], 2), ([9, -1], 0)):
        left = iter(clock)
        with sent(message * 9) as connection:
            messages = transfer._messages(connection, lambda left=left: next(left))  # type: ignore[misc]  # bound now
            assert [next(messages) for _ in range(taken)] == [b"more"] * taken
            with pytest.raises(TimeoutError):
                next(messages)


def test_a_transfer_longer_than_anything_we_put_there_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_OCTETS_MAX", 11)
    message = struct.pack("!H", 4) + b"more"
    with sent(message) as connection:
        messages = transfer._messages(connection, lambda: 9)
        assert next(messages) == b"more"
        with pytest.raises(EOFError):
            next(messages)
    with sent(message * 2) as connection, pytest.raises(BadTransfer, match="longer than 11 octets"):
        next(transfer._messages(connection, lambda: 9))


@pytest.mark.parametrize(("said", "known"), [
    ([], 0), ([b"7"], 7), ([b"7", b"12", b"x"], 12), ([str(2**63 - 1).encode()], 2**63 - 1), ([b"9" * 20], None),
    ([b"7", b"1" * 5000], None),
])  # fmt: skip
def test_a_generation_that_no_number_of_64_bits_can_be_is_unknown(said: list[bytes], known: int | None) -> None:
    assert zone.generation_of(said) == known
    held = zone.Held(book=zone.Book(b"only for this test", zone="rpz"), block=())
    records = [(int(dns.rdatatype.TXT), zone.txt([s[i : i + 255] for i in range(0, len(s), 255)])) for s in said]
    if known is None:
        with pytest.raises(BadTransfer, match="no number"):
            held.take([(zone.GENERATION, records)])
    else:
        held.take([(zone.GENERATION, records)])
        assert held.generation == known
