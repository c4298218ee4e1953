"""What a customer may read of the evidence."""

import base64
import html
import quopri
import re
from collections.abc import Callable
from datetime import datetime
from random import Random
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tipstaff.notices.redact import CHARACTERS_MAX, LINES_MAX, place_shown, redact

TRAP = "orchid.trap@reporter.example.org"
HIDE = frozenset({TRAP, "203.0.113.9", "2001:db8:99::25", "Jane Quillfeather", "mx1.reporter.example.org"})
KEEP = frozenset({"192.0.2.7", "shop.example.net", "2001:db8::7"})


def test_the_offenders_address_port_and_time_stay() -> None:
    line = "Mar 14 09:12:44 fw1 sshd[4242]: Failed password for root from 192.0.2.7 port 51234 ssh2"
    shown = redact(line, hide=HIDE, keep=KEEP)
    assert shown == "Mar 14 09:12:44 […] sshd[4242]: Failed password for root from 192.0.2.7 port 51234 ssh2"


def test_a_spam_shows_the_customer_what_was_sent_and_when_but_not_to_whom() -> None:
    mail = f"""Return-Path: <bounce-orchid.trap=reporter.example.org@lists.example.com>
Received: from mail.shop.example.net (HELO mail) (192.0.2.7)
    by mx1.reporter.example.org (Postfix) with ESMTP id 4F1A2B3C4D
    for <{TRAP}>; Sat, 14 Mar 2026 09:12:44 +0000
Message-ID: <20260314.1234@shop.example.net>
From: "Great Offers" <offers@shop.example.net>
To: Jane Quillfeather <{TRAP}>
Subject: Cheap watches
List-Unsubscribe: <https://shop.example.net/u?x=b3JjaGlkLnRyYXA>,
    <mailto:leave-8812@shop.example.net>

Buy at https://shop.example.net/watches.html?visitor=b3JjaGlkLnRyYXA
"""
    assert redact(mail, hide=HIDE, keep=KEEP | {"mail.shop.example.net"}).splitlines() == [
        "Return-Path: […]",
        "Received: from mail.shop.example.net (HELO mail) (192.0.2.7)",
        "    by […] (Postfix) with ESMTP id […]",
        "    for […]; Sat, 14 Mar 2026 09:12:44 +0000",
        "Message-ID: […]",
        "From: […] […]",
        "To: […]",
        "Subject: Cheap watches",
        "List-Unsubscribe: […]",
        "Buy at https://shop.example.net/watches.html[…]",
    ]


def test_an_encoded_subject_is_shown_decoded() -> None:
    assert redact("Subject: =?utf-8?q?G=C3=BCnstige_Uhren?=", hide=HIDE, keep=KEEP) == "Subject: Günstige Uhren"


def test_a_strangers_address_is_left_out_though_nobody_named_it() -> None:
    shown = redact(
        "SRC=192.0.2.7 DST=198.51.100.4 SPT=51234 DPT=22 Host: www.victim.example.com", hide=frozenset(), keep=KEEP
    )
    assert shown == "SRC=192.0.2.7 DST=[…] SPT=51234 DPT=22 Host: […]"


def test_an_address_that_only_begins_like_a_hidden_one_stays() -> None:
    shown = redact("from 192.0.2.7 and 192.0.2.70", hide=frozenset({"192.0.2.70"}), keep=frozenset({"192.0.2.7"}))
    assert shown == "from 192.0.2.7 and […]"


def test_a_file_name_and_a_path_are_no_host_names() -> None:
    line = '192.0.2.7 - - [14/Mar/2026:09:12:44 +0000] "POST /blog/wp-login.php HTTP/1.1" 200 4523'
    assert redact(line, hide=HIDE, keep=KEEP) == line


def test_a_long_token_is_left_out_and_long_words_in_a_row_stay() -> None:
    shown = redact("key 8f3kd92jf83kd93jf83kd9 path this-is-a-rather-long-name", hide=HIDE, keep=KEEP)
    assert shown == "key […] path this-is-a-rather-long-name"


def test_base64_over_several_lines_is_left_out_to_its_last_line() -> None:
    block = base64.encodebytes(b"x" * 50 + TRAP.encode() + b"y" * 40).decode()
    assert redact(f"before\n{block}after the block", hide=HIDE, keep=KEEP).splitlines()[-1] == "after the block"
    assert unread(redact(block, hide=HIDE, keep=KEEP), TRAP)


def test_short_lines_of_base64_that_together_name_somebody_are_left_out() -> None:
    code = base64.b64encode(TRAP.encode()).decode()
    block = "\n".join(code[at : at + 12] for at in range(0, len(code), 12))
    shown = redact(f"begin\n{block}\nend of it", hide=HIDE, keep=KEEP)
    assert unread(shown.replace("\n", ""), TRAP)


def test_a_hidden_value_that_is_the_customers_own_stays() -> None:
    assert redact("to shop.example.net", hide=frozenset({"shop.example.net"}), keep=KEEP) == "to shop.example.net"


@given(st.text(max_size=3000))
@example("\n".join(["x" * 500] * 40))
def test_what_is_shown_is_bounded_and_harmless(excerpt: str) -> None:
    lines = redact(excerpt, hide=HIDE, keep=KEEP).split("\n")
    assert len(lines) <= LINES_MAX
    assert all(len(line) <= CHARACTERS_MAX and line.isprintable() for line in lines)


@pytest.mark.parametrize(
    "piece", ["a", "a@", "1.", "=", "%41", "[.]", "\n ", ":", "-", "a at ", "A" * 19 + " ", "<", "?="]
)
def test_a_long_hostile_excerpt_is_read_only_in_part(piece: str) -> None:
    assert len(redact(piece * 100_000, hide=HIDE, keep=KEEP)) <= LINES_MAX * (CHARACTERS_MAX + 1)


REPORTER = frozenset({"Ana Muster", "ana.muster@reporter.example.org", "RT-99812"})


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Failed password for ana_muster from 192.0.2.7", "Failed password for […] from 192.0.2.7"),
        ("user muster, ana reported it", "user […] reported it"),
        ("MUSTER.ANA logged in", "[…] logged in"),
        ("musterana logged in", "[…] logged in"),
        ("login=muster-ana;", "login=[…];"),
        ("Muster%2C%20Ana", "[…]"),
        ("ticket RT99812 is open", "ticket […] is open"),
        ("ticket rt #99812 is open", "ticket […] is open"),
        ("call +49 30 1234567 now", "call […] now"),
        ("call +49 (0)30/123 45 67 now", "call […] now"),
        ("call +1 212-555-0147 at 09:12:44", "call […] at 09:12:44"),
        ("+493012345678 192.0.2.7 51234", "[…] 192.0.2.7 51234"),
        ("+49 30 1234567 2026-03-14 09:12:44", "[…] 2026-03-14 09:12:44"),
        ("Phone: 030 1234567, room 4", "[…], room 4"),
    ],
)
def test_a_reporter_is_not_read_in_a_name_turned_round_nor_in_a_number(line: str, shown: str) -> None:
    assert redact(line, hide=REPORTER, keep=KEEP) == shown


@pytest.mark.parametrize(
    "line",
    [
        "ana and the muster roll", "a muster of peacocks", "bananas mustered", "RT-88123 and SMART99812",
        "Sat, 14 Mar 2026 19:12:44 +1000 192.0.2.7", "19:12:44 +1030 200 4523 51234", "09:12:44 +0000 192.0.2.7 51234",
        "[ +12.345678] link up", "telnet 192.0.2.7 port 23", "phone 192.0.2.7 51234 22", "seq 1:1449 win 65535",
        "2026-03-14T09:12:44+11:00 192.0.2.7", "epoch 1773479564 pid 4242 size 1234567890",
    ],
)  # fmt: skip
def test_words_and_numbers_that_name_nobody_stay(line: str) -> None:
    assert redact(line, hide=REPORTER, keep=KEEP) == line


def test_the_desk_of_a_reporter_is_no_name() -> None:
    hide = frozenset({"Abuse Desk", "abuse-report@reporter.example.org"})
    assert redact("report, abuse of it and its desk abuse", hide=hide, keep=KEEP).startswith("report, abuse of it")


_PARTS = st.from_regex(r"[a-z]{3,9}", fullmatch=True)


@settings(max_examples=300, deadline=None)
@given(
    names=st.lists(_PARTS, min_size=2, max_size=3, unique=True),
    turned=st.randoms(use_true_random=False),
    between=st.sampled_from(["", "_", ".", "-", ", ", " ", "  ", "+", "/", "=", "; "]),
    as_local_part=st.booleans(),
    cased=st.sampled_from([str.lower, str.upper, str.title]),
)
def test_no_order_and_no_mark_between_its_parts_makes_a_name_readable(
    names: list[str], turned: Random, between: str, as_local_part: bool, cased: Callable[[str], str]
) -> None:
    value = ".".join(names) + "@reporter.example.org" if as_local_part else " ".join(names).title()
    order = list(names)
    turned.shuffle(order)
    written = cased(between.join(order))
    shown = redact(f"for {written} from 192.0.2.7 port 51234", hide=frozenset({value}), keep=KEEP)
    assert shown == "for […] from 192.0.2.7 port 51234"


@settings(max_examples=400, deadline=None)
@given(
    at=st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2099, 1, 1)),
    zone=st.sampled_from(["+0000", "+0100", "+0545", "+1000", "+1030", "+1100", "+1245", "+1400", "-0500", ""]),
    address=st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6, network="2001:db8::/32")),
    port=st.integers(1, 65535),
    size=st.integers(0, 10**10),
    reference=st.sampled_from(["RT-99812", "4711-22990", "2026-03-14", "INC0012345", "+49 30 1234567"]),
    form=st.sampled_from(
        [
            "{t:%b %d %H:%M:%S} sshd[{n}]: root from {a} port {p}", "{a} - - [{t:%d/%b/%Y:%H:%M:%S} {z}] {n} {p}",
            "{t:%Y-%m-%d %H:%M:%S} {z} {a} {p} {n}",
            "{t:%a, %d %b %Y %H:%M:%S} {z} {a} {p}", "{a} {p} {z} {t:%H:%M:%S}",
        ]
    ),
)  # fmt: skip
def test_times_ports_and_the_customers_addresses_stay(
    at: datetime, zone: str, address: object, port: int, size: int, reference: str, form: str
) -> None:
    """Whatever the reporter's name, reference and telephone number are."""
    line = re.sub(r" +", " ", form.format(t=at, z=zone, a=address, p=port, n=size)).replace(" ]", "]")
    hide = REPORTER | {reference} if reference not in line else REPORTER
    assert redact(line, hide=hide, keep=frozenset({str(address)})) == line


def _verp(value: str) -> str:
    local, mark, host = value.rpartition("@")
    return f"bounce-{local}={host}@lists.example.com" if mark else value


def _encoded_word(value: str) -> str:
    return f"=?utf-8?b?{base64.b64encode(value.encode()).decode()}?="


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper": str.upper,
    "title": str.title,
    "angled": lambda value: f"<{value}>",
    "quoted": lambda value: f'"{value}"',
    "verp": _verp,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64, url-safe": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64, no padding": lambda value: base64.b64encode(value.encode()).decode().rstrip("="),
    "base64, shifted": lambda value: base64.b64encode(b"to:" + value.encode() + b"!").decode(),
    "base64, twice": lambda value: base64.b64encode(base64.b64encode(value.encode())).decode(),
    "hexadecimal": lambda value: value.encode().hex(),
    "quoted-printable": lambda value: "".join(f"={byte:02X}" for byte in value.encode()),
    "quoted-printable, some": lambda value: value.replace(".", "=2E").replace("@", "=40"),
    "quoted-printable, broken": lambda value: value[: len(value) // 2] + "=\n" + value[len(value) // 2 :],
    "percent": lambda value: quote(value, safe=""),
    "percent, all": lambda value: "".join(f"%{byte:02x}" for byte in value.encode()),
    "entities": lambda value: "".join(f"&#{ord(character)};" for character in value),
    "entities, hex": lambda value: "".join(f"&#x{ord(character):x};" for character in value),
    "encoded word": _encoded_word,
    "defanged": lambda value: value.replace(".", "[.]").replace("@", "[at]"),
    "defanged, round": lambda value: value.replace(".", "(.)").replace("@", "(at)"),
    "defanged, words": lambda value: value.replace(".", "[dot]").replace("@", " at "),
    "reversed": lambda value: value[::-1],
    "full width": lambda value: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in value),
    "zero width": lambda value: "\u200b".join(value),
}


@settings(max_examples=600, deadline=None)
@given(
    value=st.sampled_from(sorted(HIDE)),
    encoding=st.sampled_from(sorted(ENCODINGS)),
    before=st.text(st.sampled_from("abcXYZ 019.,:;=<>()[]{}@/-_\t\n\"'%&#"), max_size=40),
    after=st.text(st.sampled_from("abcXYZ 019.,:;=<>()[]{}@/-_\t\n\"'%&#"), max_size=40),
    apart=st.booleans(),
)
def test_no_hidden_value_can_be_read_in_any_spelling(
    value: str, encoding: str, before: str, after: str, apart: bool
) -> None:
    gap = " " if apart else ""
    glued = not apart and (before[-1:].isalnum() or after[:1].isalnum())
    if glued and (encoding not in ("plain", "upper", "defanged", "verp") or value[0].isdigit()):
        # A letter or digit next to an encoding makes it another encoding, and next to an address another address.
        return
    excerpt = f"{before}{gap}{ENCODINGS[encoding](value)}{gap}{after}"
    shown = redact(excerpt, hide=HIDE, keep=KEEP)
    assert unread(shown, value), shown


@settings(max_examples=200, deadline=None)
@given(
    local=st.from_regex(r"[a-z][a-z0-9._+-]{2,20}[a-z0-9]", fullmatch=True),
    host=st.from_regex(r"[a-z][a-z0-9-]{1,12}[a-z0-9]\.example\.(?:net|org|com)", fullmatch=True),
    encoding=st.sampled_from(sorted(ENCODINGS)),
)
def test_no_recipient_of_any_name_can_be_read_in_any_spelling(local: str, host: str, encoding: str) -> None:
    value = f"{local}@{host}"
    excerpt = f"Mar 14 09:12:44 delivered {ENCODINGS[encoding](value)} from 192.0.2.7"
    assert unread(redact(excerpt, hide=frozenset({value}), keep=KEEP), value)


def unread(shown: str, value: str) -> bool:
    """Say that nobody reads the value in the text, however they decode it. Written apart from the code it checks."""
    wanted = value.casefold()
    clear = {shown}
    for _ in range(3):
        for text in list(clear):
            clear |= {
                text[::-1] if len(clear) < 64 else text,
                unquote(text),
                html.unescape(text),
                quopri.decodestring(text.encode()).decode("utf-8", "replace"),
                re.sub(r"[\[({](\.|dot|@|at)[\])}]", lambda m: {"dot": ".", "at": "@"}.get(m[1], m[1]), text),
            }
            for run in re.findall(r"[A-Za-z0-9+/_-]{6,}", text)[:20]:
                for part in (run, run + "=", run + "=="):
                    try:
                        clear.add(base64.b64decode(part, altchars=b"-_", validate=False).decode())
                        clear.add(base64.b64decode(part).decode())
                    except ValueError:
                        continue
                if re.fullmatch(r"(?:[0-9a-f]{2})+", run):
                    clear.add(bytes.fromhex(run).decode("utf-8", "replace"))
        if len(clear) > 300:
            break
    return not any(wanted in text.casefold() for text in clear)


VISITOR = "victim@example.org"
IN_BASE64, IN_HEX = base64.b64encode(VISITOR.encode()).decode().rstrip("="), VISITOR.encode().hex()


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        (f"http://s.example/t/{IN_BASE64}", "http://s.example/t/[…]"),
        (f"http://s.example/t/{IN_HEX}/index.html", "http://s.example/t/[…]/index.html"),
        (f"http://s.example/e{IN_HEX}", "http://s.example/[…]"),
        (f"http://s.example/u-{IN_BASE64}", "http://s.example/[…]"),
        (f"http://s.example/a?to=/t/{IN_BASE64}", "http://s.example/a?to=/t/[…]"),
        (f"see http://s.example/t/{IN_HEX} there", "see http://s.example/t/[…] there"),
        (f"ftp://s.example/u?e={VISITOR}", "ftp://s.example/u?[…]"),
        (f"s.example/u?e={VISITOR}", "s.example/u?[…]"),
        (f"s.example/t/{IN_BASE64}", "s.example/t/[…]"),
        (f'http://s.example/a/"{VISITOR}', "http://s.example/a/[…]"),
        (f"http://s.example/a/'{VISITOR}'", "http://s.example/a/[…]"),
        (f"http://s.example/a/<{VISITOR}>", "http://s.example/a/[…]"),
        (f"http://s.example/a/?e= {VISITOR}", "http://s.example/a/?[…]"),
        (f"http://s.example {VISITOR}", "http://s.example[…]"),
        (f'<http://s.example/a/"{VISITOR}', "<http://s.example/a/[…]"),
        (f"http://s.example\\{VISITOR}", "http://s.example\\[…]"),
    ],
)
def test_a_place_never_says_to_whom_a_link_was_sent_and_keeps_its_host(place: str, shown: str) -> None:
    assert place_shown(place) == shown


@pytest.mark.parametrize(
    "place",
    [
        "192.0.2.0/24", "2001:db8::/32", "http://[2001:db8::1]:8080/a/b", "192.0.2.7, tcp 25", "ftp://s.example/pub/a.zip",
        "s.example/wp-content/plugins/some-plugin_name/index.php?id=12", "http://s.example/a page/with'it.html",
        "http://s.example/d41d8cd98f00b204e9800998ecf8427e/x",
    ],
)  # fmt: skip
def test_a_place_without_a_visitor_stays(place: str) -> None:
    assert place_shown(place) == place


@pytest.mark.parametrize("url", [f"http://s.example/t/{IN_BASE64}", f"http://s.example/t/{IN_HEX}"])
@pytest.mark.parametrize("hide", [frozenset(), frozenset({VISITOR})])
def test_evidence_never_says_to_whom_a_link_was_sent_and_keeps_its_host(url: str, hide: frozenset[str]) -> None:
    shown = redact(f"GET {url} HTTP/1.1", hide=hide, keep=frozenset({url}))
    assert shown == "GET http://s.example/t/[…] HTTP/1.1"


def test_evidence_hides_hex_behind_a_path_of_no_urls() -> None:
    shown = redact(f"GET /t/{IN_HEX} 200", hide=frozenset({VISITOR}), keep=KEEP)
    assert IN_HEX not in shown
