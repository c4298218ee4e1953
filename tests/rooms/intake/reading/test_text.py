"""Characters to facts: addresses, times, kinds, the way of a mail. And no pattern that an attacker could make slow."""

import re
import re._parser as sre_parser  # type: ignore[import-not-found]
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.intake import aside, reading, shaping, sieve
from tipstaff.intake.parsers import acns, arf, freetext, shadowserver, xarf
from tipstaff.intake.parsers.freetext import events
from tipstaff.intake.ranking import kinds as learned_kinds
from tipstaff.intake.ranking import words as learned_words
from tipstaff.intake.text import (
    candidates,
    characters,
    cues,
    find,
    hops,
    kinds,
    names,
    phrases,
    sections,
    shapes,
    times,
)
from tipstaff.intake.text.find import find_all, is_public, refang
from tipstaff.intake.text.hops import outside_hop, received_lines
from tipstaff.intake.text.kinds import choose_kind, known_kinds, weigh_kinds
from tipstaff.intake.text.names import is_host_name, registered_part, to_ascii
from tipstaff.intake.text.phrases import Phrases, Pieces
from tipstaff.intake.text.times import find_moment, stated_zone
from tipstaff.words import XARF_TYPES, Moment
from tipstaff.words.moments import UNKNOWN_ZONE_SECONDS


def found(line: str) -> list[tuple[str, str]]:
    return [(x.kind, x.value) for x in find_all(refang(line))]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("from 192.0.2.1.", "192.0.2.1"),
        ("192[.]0[.]2[.]1", "192.0.2.1"),
        ("192(dot)0(dot)2(dot)1", "192.0.2.1"),
        ("192.0.2.1:443", "192.0.2.1"),
        ("src=192.0.2.1,dst=", "192.0.2.1"),
        ("192.000.002.001", "192.0.2.1"),
        ("192.0.2.1/32", "192.0.2.1"),
        ("[2001:db8::1]:25", "2001:db8::1"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_an_address_is_found_in_any_dress(line: str, value: str) -> None:
    assert ("ip", value) in found(line)


@pytest.mark.parametrize(
    "line",
    [
        "Chrome/99.0.4844.51",
        "version 1.2.3.4",
        "1.2.3.4.5.6",
        "12:30:45",
        "00:1a:2b:3c:4d:5e",
        "999.1.1.1",
        "1.2.3.4.static.example.com",
        "a1.2.3.4",
        "std::string",
        "300.400.1.2",
    ],
)
def test_what_is_no_address_is_not_taken_for_one(line: str) -> None:
    assert not [x for x in found(line) if x[0] == "ip"]


@pytest.mark.parametrize(
    ("line", "kind", "value"),
    [
        ("hxxps://evil[.]example[.]com/a.php", "url", "https://evil.example.com/a.php"),
        ("(see http://evil.example.com/a)", "url", "http://evil.example.com/a"),
        ("h**p://evil.example.com/", "url", "http://evil.example.com/"),
        ("http://192.0.2.1:8080/x", "url", "http://192.0.2.1:8080/x"),
        ("evil.example.com/a/b", "url", "http://evil.example.com/a/b"),
        ("the domain evil.example.com, which", "name", "evil.example.com"),
        ("https://bücher.example/", "url", "https://xn--bcher-kva.example/"),
    ],
)
def test_an_item_is_found_in_any_dress(line: str, kind: str, value: str) -> None:
    assert (kind, value) in found(line)


def test_digits_of_other_scripts_are_no_address_and_wide_ones_are() -> None:
    assert found("من ٣.٤.٥.٦ في ٢٠٢٦.٣.١٠.٤") == []
    assert found("攻撃元：１９２．０．２．７") == [("ip", "192.0.2.7")]


@pytest.mark.parametrize("line", ["index.html", "file.txt and a.py", "someone@example.org", "e.g.", "v1.2"])
def test_what_is_no_host_is_not_taken_for_one(line: str) -> None:
    assert not [x for x in found(line) if x[0] in ("name", "url") and not x[1].endswith(".py")]


def test_documentation_addresses_count_as_public_and_private_ones_do_not() -> None:
    assert all(map(is_public, ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1")))
    assert not any(
        map(
            is_public, ("10.0.0.1", "192.168.1.1", "127.0.0.1", "172.16.0.1", "100.64.0.1", "fe80::1", "fc00::1", "::1")
        )
    )


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("2026-03-10T10:00:00Z", datetime(2026, 3, 10, 10, tzinfo=UTC)),
        ("2026-03-10 10:00:00 +0100", datetime(2026, 3, 10, 9, tzinfo=UTC)),
        ("2026-03-10 10:00:00.123 CET", datetime(2026, 3, 10, 9, tzinfo=UTC)),
        ("10/Mar/2026:10:00:00 +0200", datetime(2026, 3, 10, 8, tzinfo=UTC)),
        ("Tue, 10 Mar 2026 10:00:00 -0500", datetime(2026, 3, 10, 15, tzinfo=UTC)),
        ("Mar 10, 2026 10:00:00 PM UTC", datetime(2026, 3, 10, 22, tzinfo=UTC)),
        ("10.03.2026 10:00 IST", None),
        ("10 de marzo de 2026 10:00 UTC", datetime(2026, 3, 10, 10, tzinfo=UTC)),
        ("Tue Mar 10 10:00:00 UTC 2026", datetime(2026, 3, 10, 10, tzinfo=UTC)),
        ("20260310T100000Z", datetime(2026, 3, 10, 10, tzinfo=UTC)),
        ("2026-03-10 10:00:00 UTC+2", datetime(2026, 3, 10, 8, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_with_its_zone(line: str, at: datetime | None) -> None:
    moment = find_moment(line)
    assert moment is not None
    if at is None:
        assert not moment.zone_stated
    else:
        assert moment.zone_stated
        assert moment.at == at


def test_a_missing_zone_stays_missing() -> None:
    moment = find_moment("2026-03-10 10:00:00")
    assert moment is not None
    assert not moment.zone_stated
    assert moment.error_seconds > 14 * 3600


@pytest.mark.parametrize(
    ("line", "hour"),
    [
        ("am 10.03.2026 um 10:12:44 MEZ", 9),
        ("10.07.2026, 10:12 Uhr (MESZ)", 8),
        ("Mar 10 10:12:44 +0200 gate sshd[1]: no", 8),
        ("Mar 10 10:12:44 CET gate sshd[1]: no", 9),
        ("Mar 10 10:12:44 EST sshd[1]: no", None),
        ("10.03.2026, 10:12 Uhr, gestern", None),
    ],
)
def test_a_zone_in_german_or_beside_a_log_s_time_is_taken_and_a_host_s_name_is_none(
    line: str, hour: int | None
) -> None:
    moment = find_moment(line, year_of=datetime(2026, 7, 11, tzinfo=UTC))
    assert moment is not None
    assert (moment.zone_stated, moment.at.hour) == (hour is not None, hour or 10)


@pytest.mark.parametrize(
    ("line", "hour", "error"),
    [
        ("14.07.2026 08:05 Uhr -09:30 Uhr", None, 60),
        ("14.07.2026 08:05-09:30", None, 60),
        ("14.07.2026 08:05:10 -09:30:20", None, 1),
        ("14.07.2026 08:05 AM-09:30 AM", None, 60),
        ("14.07.2026 08:05 Uhr -09 Uhr", None, 60),
        ("2026-07-14 08:05:10 -18:00", None, 1),
        ("2026-07-14 08:05:10 -05:00", 13, 1),
        ("2026-07-14 08:05:10 -0500: login", 13, 1),
        ("14.07.2026 08:05 -05:00", 13, 60),
        ("14.07.2026 08:05:10 MEZ/MESZ", None, 1),
        ("14.07.2026 08:05:10 MEZ bzw. MESZ", None, 1),
        ("14.07.2026 08:05:10 MEZ (Sommerzeit)", None, 1),
        ("2026-07-14 08:05:10 CET/CEST", None, 1),
        ("2026-07-14 08:05:10 EST or EDT", None, 1),
        ("2026-07-14 08:05:10 MEZ+1", None, 1),
        ("2026-07-14 08:05:10 UTC/GMT", 8, 1),
        ("2026-07-14 08:05:10 UTC (POST /login)", 8, 1),
        ("2026-07-14 08:05:10 CEST (UTC+2)", 6, 1),
        ("2026-07-14 08:05:10 EST -0500", 13, 1),
        ("14.07.2026 08:05:10 MEZ", 7, 3601),
        ("14.01.2026 08:05:10 MESZ", 6, 3601),
        ("Jul 14 08:05:10 CET gate sshd[1]:", 7, 3601),
        ("25.10.2026 02:30:00 MEZ", 1, 1),
        ("25.10.2026 02:30:00 MESZ", 0, 1),
        ("Tue Jul 14 08:05:10 CST 2026", None, 1),
        ("2026-07-14 08:05:10 BST", None, 1),
        ("2026-07-14 08:05:10 PST", None, 1),
    ],
)
def test_a_zone_that_may_be_another_is_not_taken_for_certain(line: str, hour: int | None, error: int) -> None:
    moment = find_moment(line, year_of=datetime(2026, 7, 16, tzinfo=UTC))
    assert moment is not None
    assert moment.zone_stated == (hour is not None)
    assert hour is None or moment.at.hour == hour
    assert moment.error_seconds == error + (UNKNOWN_ZONE_SECONDS if hour is None else 0)


@pytest.mark.parametrize(
    "said", ["MEZ/MESZ", "MEZ bzw. MESZ", "CET / CEST", "CET or CEST", "MEZ (Sommerzeit)", "CST", "BST", "IST"]
)
def test_a_zone_stated_once_that_may_be_another_is_none(said: str) -> None:
    assert stated_zone(f"Zeitzone: {said}") is None
    assert stated_zone(f"All times are in {said}.") is None


def test_a_zone_stated_once_is_known_to_an_hour_out_of_its_season() -> None:
    zone = stated_zone("All times are in CET.")
    moment = find_moment("Jul 14 08:05:10 gate sshd[1]:", zone=zone, year_of=datetime(2026, 7, 16, tzinfo=UTC))
    assert moment == Moment(datetime(2026, 7, 14, 7, 5, 10, tzinfo=UTC), 3601.0)


def test_a_zone_stated_once_holds_for_all_times() -> None:
    assert stated_zone("Alle Zeiten in der Zeitzone MEZ.") == 60
    zone = stated_zone("Please note: all timestamps are in CEST.")
    assert zone == 120
    moment = find_moment("Jun 10 10:00:00 gate sshd[1]:", zone=zone, year_of=datetime(2026, 6, 11, tzinfo=UTC))
    assert moment is not None
    assert moment.at == datetime(2026, 6, 10, 8, tzinfo=UTC)


def test_a_log_line_of_december_in_a_mail_of_january_is_last_years() -> None:
    moment = find_moment("Dec 31 23:00:00 gate x", zone=0, year_of=datetime(2026, 1, 2, tzinfo=UTC))
    assert moment is not None
    assert moment.at == datetime(2025, 12, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize("line", ["2026-13-45 25:61:61", "99:99:99", "Foo 10 2026 10:00", "2026-02-30 10:00:00 UTC"])
def test_an_impossible_instant_is_none(line: str) -> None:
    assert find_moment(line) is None


RECEIVED = [
    "from store.example.org (store.example.org [203.0.113.21]) by mail.example.org; Tue, 10 Mar 2026 08:00:03 +0000",
    "from out.customer.example.com (out.customer.example.com [192.0.2.74]) by store.example.org; Tue, 10 Mar 2026",
    "from forged.example.net (forged.example.net [198.51.100.1]) by out.customer.example.com; Tue, 10 Mar 2026",
]


def test_the_hop_from_outside_is_the_first_that_is_not_the_receivers_own() -> None:
    assert outside_hop(RECEIVED) == "192.0.2.74"
    assert outside_hop(RECEIVED[1:]) == "192.0.2.74"
    assert outside_hop([]) is None
    assert outside_hop(["from localhost (localhost [127.0.0.1]) by x.example.org"]) is None


def test_folded_received_lines_are_joined() -> None:
    lines = ["Received: from a.example.com (a.example.com [192.0.2.74])", " by b.example.org; Tue", "Subject: x"]
    assert outside_hop(received_lines(lines)) == "192.0.2.74"


KINDS = {
    "connection/login_attack": "brute force ssh login attempts, failed password",
    "connection/port_scan": "port scan of our network",
    "connection/ddos": "your host took part in a DDoS attack, UDP flood",
    "content/phishing": "a phishing page that steals credentials",
    "content/malware": "malware download, trojan",
    "content/brand_infringement": "infringes our trademark, counterfeit goods",
    "copyright/copyright": "copyright infringement under the DMCA",
    "copyright/p2p": "shared by BitTorrent, infohash, peer-to-peer",
    "infrastructure/botnet": "botnet command and control server",
    "messaging/spam": "unsolicited bulk email, spam from your network",
    "vulnerability/open_service": "open DNS resolver that is publicly accessible",
    "reputation/blocklist": "your address is blacklisted on our DNSBL",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_known_by_its_words(kind: str) -> None:
    assert choose_kind(weigh_kinds(subject="", text=KINDS[kind]))[0] == kind


@pytest.mark.parametrize(
    "footer", ["Copyright © Example Net", "Copyright (c) 2026", "© Copyright 2026", "copyright 2019"]
)
def test_a_footer_that_claims_its_own_text_complains_of_nothing(footer: str) -> None:
    assert "copyright/copyright" not in weigh_kinds(subject="Spam", text=f"Spam from your network.\n{footer}")
    assert "copyright/copyright" in weigh_kinds(subject="", text=f"He infringes our copyright.\n{footer}")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("connection/login_attack", "The user was locked out after too many login failures"),
        ("connection/port_scan", "They detected unauthorized scanning packets from your network"),
        ("content/fraud", "Tech support fraud that deceives our customers"),
        ("connection/vulnerability_scan", "The WAF stopped a PHP injection"),
        ("messaging/spam", "A scam email came from your server"),
        ("messaging/spam", "Report of a feedback loop (FBL)"),
        ("messaging/spam", "postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[198.51.100.4]: 550 5.1.1"),
        ("content/malware", "Ein Computer ist mit einem Trojaner befallen"),
        ("content/exposed_data", "Non-consensual intimate images of a person"),
    ],
)
def test_rarer_words_for_a_kind_are_known_too(kind: str, words: str) -> None:
    assert choose_kind(weigh_kinds(subject="", text=words))[0] == kind


def test_every_kind_is_one_of_xarf() -> None:
    assert known_kinds() <= XARF_TYPES
    assert set(arf._KINDS.values()) <= XARF_TYPES
    assert set(xarf._OLD_KINDS.values()) | {x for _, x in xarf._PARTS} <= XARF_TYPES
    assert {x for _, x in shadowserver._KINDS} <= XARF_TYPES


def test_host_names_and_their_registered_part() -> None:
    assert is_host_name("a.example.com")
    assert not is_host_name("example")
    assert not is_host_name("a..example.com")
    assert not is_host_name("-a.example.com")
    assert registered_part("www.shop.example.co.uk") == "example.co.uk"
    assert registered_part("a.b.example.com") == "example.com"
    assert to_ascii("Bücher.Example.") == "xn--bcher-kva.example"


def test_phrases_find_what_their_pattern_finds() -> None:
    pattern = r"ab[cd]e|(?:x|y)z+|longer phrase here?|a\w{1,3}b|[ab]|p(?:q|r) s|größe|o ß|u  v"
    texts = ("abce", "xz", "longer phrase her", "a12b", "b", "pq s", "none of them!", "", "zzz", "größe", "o ß", "u  v")
    phrases = Phrases(pattern)
    for text in (*texts, "longer\nphrase here", "zweig längs", "u v", " ".join(texts)):
        expected = bool(re.search(pattern, text))
        assert phrases.search(text) == expected, text
        assert phrases.search_by_words(text, Pieces(phrases.words).held_by(text)) == expected, text


@given(
    st.lists(st.text("ab é儿\U0001f600\ud800", max_size=6), max_size=6),
    st.text("abc é儿童\U0001f600\ud800", max_size=30),
    st.sampled_from(["", "x", "ab é"]),
)
def test_pieces_are_found_at_once_as_one_by_one(sought: list[str], text: str, filling: str) -> None:
    for whole in (text, filling * 100 + text, text + filling * 400):
        assert Pieces(sought).held_by(whole) == {x for x in sought if x in whole}


def test_a_piece_across_the_edge_of_what_is_looked_at_at_once_is_found() -> None:
    for before in range((1 << 18) - 6, (1 << 18) + 2):
        assert Pieces(["child", "other"]).held_by("." * before + "child" + "." * 9) == {"child"}


MODULES = (
    aside,
    reading,
    shaping,
    sieve,
    acns,
    arf,
    freetext,
    shadowserver,
    xarf,
    events,
    learned_kinds,
    learned_words,
    candidates,
    characters,
    cues,
    find,
    hops,
    kinds,
    names,
    phrases,
    sections,
    shapes,
    times,
)


def patterns() -> list[re.Pattern[str]]:
    """Every compiled pattern of the reading part."""
    found: list[re.Pattern[str]] = []

    def collect(value: object) -> None:
        if isinstance(value, re.Pattern):
            found.append(value)
        elif isinstance(value, Phrases):
            found.extend(value.patterns)
        elif isinstance(value, dict):
            for x in value.values():
                collect(x)
        elif isinstance(value, (tuple, list)):
            for x in value:
                collect(x)

    for module in MODULES:
        for value in vars(module).values():
            collect(value)
    return found


def test_no_pattern_repeats_without_bound_what_itself_repeats() -> None:
    assert len(patterns()) > 200
    for pattern in patterns():
        text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode()
        assert not _nested(
            sre_parser.parse(text, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else 0)
        ), text


def _nested(tree: object, *, inside: bool = False) -> bool:
    """True when an unbounded repetition holds, or is held by, another unbounded one."""
    for operation, argument in tree:  # type: ignore[attr-defined]
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            _, most, below = argument
            unbounded = most == sre_parser.MAXREPEAT or int(most) > 5000
            if unbounded and inside:
                return True
            if _nested(below, inside=inside or unbounded):
                return True
        elif name == "SUBPATTERN":
            if _nested(argument[3], inside=inside):
                return True
        elif name == "BRANCH":
            if any(_nested(x, inside=inside) for x in argument[1]):
                return True
        elif name in ("ASSERT", "ASSERT_NOT") and _nested(argument[1], inside=inside):
            return True
    return False


@pytest.mark.parametrize(
    "piece",
    [
        "1.",
        "a.",
        "ab:",
        "http://",
        "192.0.2.1 ",
        "src=",
        "from ",
        "x" * 10,
        "::",
        "=?",
        "2026-",
        "Mar 1 ",
        "<a",
        "[",
        "_._",
        "1:1:",
    ],
)
def test_a_long_line_is_cut_before_any_pattern_sees_it(piece: str) -> None:
    from tipstaff.intake.mail import read_mail
    from tipstaff.intake.text.sections import LONGEST_LINE, MOST_LINES, lay_out

    lines = lay_out(read_mail(b"Subject: x\n\n" + (piece * 100_000).encode()))
    assert all(len(x.text) <= LONGEST_LINE for x in lines)
    assert len(lines) <= MOST_LINES
    for line in lines:
        find_all(line.plain)
        find_moment(line.plain)
