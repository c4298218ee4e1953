"""How lines lead to what they name: wrapped lists, tables, hops of a traceroute, headers that lost their form."""

from ipaddress import ip_address

import pytest

from tipstaff.intake.mail import read_mail
from tipstaff.intake.parsers.freetext import FreetextParser
from tipstaff.intake.text.candidate import Candidate
from tipstaff.intake.text.candidates import gather
from tipstaff.intake.text.find import find_all
from tipstaff.intake.text.sections import lay_out

from .mails import letter


def candidates(text: str) -> dict[str, Candidate]:
    mail = read_mail(letter(text))
    scene = gather(mail, lay_out(mail))
    return {x.value: x for x in (*scene.addresses, *scene.hosts)}


def zones(text: str) -> dict[str, str]:
    return {x.plain.strip(): x.zone for x in lay_out(read_mail(letter(text)))}


def test_hops_of_a_traceroute_only_say_where_an_address_lies() -> None:
    found = zones(
        "Traceroute to 192.0.2.7 [host.example.com]\nHop (ms) IP Address\n1  3 2 2  198.51.100.1\n"
        "2  9 9 8  198.51.100.9\ncore.example.net\n3  * * *\nTrace complete\nPlease act on 192.0.2.7."
    )
    assert found["1  3 2 2  198.51.100.1"] == found["2  9 9 8  198.51.100.9"] == "register"
    assert found["Please act on 192.0.2.7."] == "body"


def test_a_pasted_header_that_lost_its_indentation_is_still_a_header() -> None:
    found = zones(
        "Your server sent this:\n\nReceived: from mail.example.com (192.0.2.7)\nby mx.example.org (203.0.113.5) with "
        "ESMTP\n"
        "id 77; Tue, 10 Mar 2026 12:00:00 +0000\nAuthentication-Results: mx.example.org;\nspf=fail\n"
        "permitted nowhere\nX-Spam-Flag: YES\nPlease stop it."
    )
    assert found["by mx.example.org (203.0.113.5) with ESMTP"] == "headers"
    assert found["permitted nowhere"] == "headers"
    assert found["Please stop it."] == "body"


def test_a_programs_version_in_a_received_line_is_no_address() -> None:
    for line in (
        "by mx.example.org (8.16.0.43/8.16.0.43) with SMTP",
        "(gate 3.6.6.45 r(Core:3.6.6.0)) with ESMTP",
        "(gate 2.2.2.40 r(29895/29896)) with ESMTP",
    ):
        assert [x for x in find_all(line) if x.kind == "ip"] == []
    assert [x.value for x in find_all("from a.example.com (a.example.com 192.0.2.7)")][-1] == "192.0.2.7"
    assert [x.value for x in find_all("between 192.0.2.7/198.51.100.7 only") if x.kind == "ip"] == [
        "192.0.2.7",
        "198.51.100.7",
    ]


def test_addresses_that_were_attacked_are_victims_even_when_your_network_did_it() -> None:
    found = candidates(
        "The following addresses were attacked from your network:\n203.0.113.5\n203.0.113.6\n\n"
        "The following addresses have attacked us:\n192.0.2.7\n"
    )
    assert "label_victims" in found["203.0.113.6"].features
    assert "label_strong" not in found["203.0.113.6"].features
    assert "label_victims" not in found["192.0.2.7"].features


def test_a_list_of_targets_that_is_wrapped_stays_a_list_of_targets() -> None:
    found = candidates(
        "Source IP: 192.0.2.7\nTarget IP: 203.0.113.1, 203.0.113.2,\nsystems: 203.0.113.3, 203.0.113.4\nThank you."
    )
    for value in ("203.0.113.2", "203.0.113.3", "203.0.113.4"):
        assert "victim_key" in found[value].features, value
    assert found["203.0.113.1"].shapes == found["203.0.113.4"].shapes
    assert "victim_key" not in found["192.0.2.7"].features


def test_a_list_that_begins_beside_its_label_goes_on_below() -> None:
    found = candidates("Related IP address: 192.0.2.7\n192.0.2.8\n192.0.2.9\n\nBest regards")
    assert found["192.0.2.7"].shapes & found["192.0.2.8"].shapes & found["192.0.2.9"].shapes


def test_rows_that_other_signs_stand_in_are_still_rows_of_their_table() -> None:
    found = candidates(
        "Time                 Source IP      Rule    Target IP     Request\n"
        "2026-03-10 10:00:00  192.0.2.7      333145  203.0.113.5   GET /a\n"
        "2026-03-10 10:00:09  192.0.2.8      27      203.0.113.5   GET /a?b=1;c=2;d=3|e|f\n"
    )
    assert found["192.0.2.7"].shapes == found["192.0.2.8"].shapes
    assert "source_column" in found["192.0.2.8"].features


def test_a_log_line_leads_to_its_address_whatever_site_it_names_first() -> None:
    line = '{} {} - - [10/Mar/2026:10:00:00 +0000] "POST /wp-login.php HTTP/1.1" 200 1'
    found = candidates(
        line.format("shop.example.org", "192.0.2.7") + "\n" + line.format("blog.example.net", "192.0.2.8")
    )
    assert found["192.0.2.7"].shapes == found["192.0.2.8"].shapes


def test_items_that_head_a_record_each_are_fellows() -> None:
    found = candidates(
        "We saw https://example.com/bad here:\n192.0.2.7\nis announced by EXAMPLE (64496).\n"
        "192.0.2.8\nis announced by EXAMPLE (64496).\n"
    )
    assert found["192.0.2.7"].shapes == found["192.0.2.8"].shapes


def test_a_page_in_a_logged_request_is_no_source() -> None:
    found = candidates(
        '192.0.2.7 - - [10/Mar/2026:10:00:00 +0000] "GET /x HTTP/1.1" 404 1 "http://203.0.113.5/x" "Mozilla/5.0"'
    )
    assert "log_later" in found["203.0.113.5"].features
    assert "log_later" not in found["192.0.2.7"].features


def test_a_listing_by_its_reversed_name_is_about_that_address() -> None:
    found = candidates(
        "Mail was refused:\n7.2.0.192.list.example.org\n\nReceived: from x ([192.0.2.7]) by mx.example.org"
    )
    assert {"near_strong", "zone_body"} <= set(found["192.0.2.7"].features)


def test_the_owners_own_page_is_told_from_the_other_sides() -> None:
    found = candidates(
        "Example Corp. is the owner of all trade marks, names and logos of any kind that appear on the page "
        "(https://www.example.org/).\nThe original material is located on my website at:\nhttps://mine.example.net/a\n"
        "The original is ours and the infringing copy is at https://other.example.com/copy\n"
    )
    assert "rightful" in found["www.example.org"].features
    assert "rightful" in found["mine.example.net"].features
    assert "rightful" not in found["other.example.com"].features


def test_a_page_of_the_writers_own_is_rightful_whatever_it_is_called() -> None:
    found = candidates(
        "I created my holiday page: https://mine.example.net/p\n\nSomebody copied it to https://other.example.com/c\n"
    )
    assert "rightful" in found["mine.example.net"].features
    assert "rightful" not in found["other.example.com"].features


_CONTROLLED = (
    "We are contacting you about a server under your control (203.0.113.9).\n\n"
    "Jul 14 03:12:44 gate sshd[11]: Failed password for root, seen at 198.51.100.7\n\nPlease stop this brute force.",
    "We are contacting you regarding a machine under your control: 203.0.113.9\n\n"
    "It tried to log in by SSH to our server 198.51.100.7 many times on 2026-07-14 03:12:44 UTC.",
    "I am contacting you about an address under your control, 203.0.113.9, which sent us spam.\n\n"
    "Our mail server is mx.example.org [198.51.100.7].",
    "I am contacting you regarding a command and control server at 203.0.113.9.\n"
    "Bots such as 198.51.100.4 called it on 2026-07-14 03:12:44 UTC.",
    "We are contacting you because of a C2 server hosted at 203.0.113.9\n\nOur sensor 198.51.100.7 found the botnet.",
    "We saw malware communicating with a C2 server in your network at 203.0.113.9 on 2026-07-14.\n"
    "The bot was 198.51.100.4.\nPlease take the botnet controller down.",
    "Bots in our network are connecting to your C2 server 203.0.113.9. One of them is 198.51.100.4.\n"
    "Please shut this botnet controller down.",
    "Infizierte Rechner bauen Verbindungen zu einem Kontrollserver in Ihrem Netz auf: 203.0.113.9\n"
    "Ein Bot war 198.51.100.4, am 14.07.2026 um 03:12:44 UTC.\nBitte schalten Sie das Botnetz ab.",
)


@pytest.mark.parametrize("letter_said", _CONTROLLED)
def test_whoever_controls_or_is_called_is_reported_and_not_the_other_side(letter_said: str) -> None:
    reading = FreetextParser().read(read_mail(letter(letter_said)))
    assert reading is not None
    assert {x.source for x in reading.allegations} == {ip_address("203.0.113.9")}


def test_a_control_server_that_bots_called_is_never_excluded_by_their_call_alone() -> None:
    found = candidates("Infected hosts contacted your customer's C2 server 203.0.113.9 yesterday.\n")
    assert not found["203.0.113.9"].is_target


def test_a_control_server_that_is_reported_itself_is_no_target() -> None:
    found = candidates("Your host 198.51.100.7 is a command and control server.\nThe C2 server is: 198.51.100.9\n")
    assert not found["198.51.100.7"].is_target
    assert not found["198.51.100.9"].is_target


@pytest.mark.parametrize(
    "said",
    [
        "somebody uses my profile picture on",
        "A stolen video of my channel is at",
        "A video from my channel is",
        "They republished my blog posts at",
        "The person behind my profile",
        "Somebody reposted my holiday page:",
    ],
)
def test_where_the_writers_own_things_were_taken_to_is_not_theirs(said: str) -> None:
    found = candidates(f"Hello,\n\n{said} https://fake.example.com/u/1 without permission.\n")
    assert "rightful" not in found["fake.example.com"].features


def test_a_name_servers_addresses_go_on_in_a_wrapped_bracket() -> None:
    found = candidates(
        "Domain: shop.example.com\nName Server: ns.example.net (203.0.113.5 and\n203.0.113.6) (Example)\n"
        "A record: 198.51.100.7 (Example)\n"
    )
    assert found["203.0.113.5"].is_target
    assert found["203.0.113.6"].is_target
    assert not found["198.51.100.7"].is_target


def test_what_was_found_of_a_mails_sender_belongs_to_its_headers() -> None:
    found = zones("It came so:\n\nspf=none (example.org: 203.0.113.5 is neither permitted nor denied)\n\nspf is a word")
    assert found["spf=none (example.org: 203.0.113.5 is neither permitted nor denied)"] == "headers"
    assert found["spf is a word"] == "body"


def test_a_pasted_result_takes_no_line_behind_it_with_it() -> None:
    found = zones(
        "It came so:\n\nspf=fail (sender is forged)\nOffender: 203.0.113.9\ndkim=none (no signature)\nVictim: us"
    )
    assert found["spf=fail (sender is forged)"] == found["dkim=none (no signature)"] == "headers"
    assert found["Offender: 203.0.113.9"] == found["Victim: us"] == "body"


def test_labels_in_japanese_say_what_is_meant_and_what_is_a_reference() -> None:
    found = candidates("違反ページURL: https://shop.example.com/item\n参考\nhttps://www.example.org/law\n")
    assert "item" in found["shop.example.com"].features
    assert "reference_above" in found["www.example.org"].features
