"""The end of a mail, and dots, however the octets are cut into pieces."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from tipstaff.intake.channels.dots import END, Undotter
from tipstaff.intake.channels.protocol import count_hops

octets = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"..", END])).map(b"".join)


def dotted(mail: bytes) -> bytes:
    return re.sub(rb"(\A|\r\n)\.", rb"\1..", mail) + b".\r\n"


@given(octets.map(lambda mail: mail + b"\r\n"), octets, st.lists(st.integers(1, 5)))
@example(b"\r\n", b"", [1])
@example(b".\r\n", b"", [1, 1, 1])
@example(b"\r.\r\n", b".", [2, 1])
def test_what_was_dotted_comes_back_and_what_follows_is_kept(mail: bytes, rest: bytes, cuts: list[int]) -> None:
    stream = dotted(mail) + rest
    undotter, got, start = Undotter(), b"", 0
    for length in [*cuts, *[1] * len(stream)]:
        if undotter.rest is not None:
            break
        got += undotter.feed(stream[start : start + length])
        start += length
    assert got == mail
    assert (undotter.rest or b"") + stream[start:] == rest


def test_an_empty_mail_is_a_mail() -> None:
    undotter = Undotter()
    assert undotter.feed(b".\r\nQUIT\r\n") == b""
    assert undotter.rest == b"QUIT\r\n"


def test_hops_are_counted_in_the_header_alone() -> None:
    assert count_hops(b"") == 0
    assert count_hops(b"Received: from a\r\n by b\r\nRECEIVED:x\r\nSubject: y\r\n\r\nReceived: quoted\r\n") == 2
    assert count_hops(b"Received: from a\nX-Received: b\n\nReceived: c\n") == 1
    assert count_hops(b"Received: a\r\n" * 51) == 51
    assert count_hops(b"x" * 3_000_000) == 0
