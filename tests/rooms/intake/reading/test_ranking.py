"""Who is meant: the learned choice, how sure it says it is, and what may never be in its weights."""

import json
import math
import os
import re
import subprocess
import sys
from collections import defaultdict
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tipstaff.cli.parse import describe
from tipstaff.intake.mail import read_mail
from tipstaff.intake.parsers.freetext import FreetextParser, prose
from tipstaff.intake.protocol import load_parsers
from tipstaff.intake.ranking import choose, kinds, rivals
from tipstaff.intake.ranking.letter import judged
from tipstaff.intake.ranking.model import FILE, Forest, Linear, load_weights
from tipstaff.intake.ranking.words import around, number
from tipstaff.intake.reading import read
from tipstaff.intake.text.candidate import Candidate
from tipstaff.intake.text.candidates import gather
from tipstaff.intake.text.kinds import weigh_kinds
from tipstaff.intake.text.sections import lay_out
from tipstaff.words import XARF_TYPES, Reading, ReadingOutcome, ReadingReason

from .mails import letter, with_files

CORPUS = Path(__file__).resolve().parents[5] / "shared" / "corpus"
STORED = json.loads(files("tipstaff.intake.ranking").joinpath(FILE).read_text(encoding="utf-8"))


def reading_of(raw: bytes) -> Reading:
    return read(raw, parsers=load_parsers())


def sources(reading: Reading) -> set[str]:
    return {str(x.source) for x in reading.allegations if x.source}


# What the shipped weights may hold.


def test_no_word_stands_in_the_weights_only_numbers() -> None:
    for part in ("address", "host", "kinds"):
        assert all(x.isdigit() for x in STORED[part]["weights"])
    assert all(x in rivals.FEATURES for x in rivals.CUES)
    assert set(STORED["kinds"]["names"]) <= XARF_TYPES
    assert STORED["reporters_min"] >= 5


def test_the_weights_are_small_enough_to_ship() -> None:
    assert len(files("tipstaff.intake.ranking").joinpath(FILE).read_bytes()) < 1_000_000


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the complaints that it learned from are not here")
def test_every_word_in_the_weights_is_known_from_five_reporters() -> None:
    writers: dict[str, dict[int, set[str]]] = {x: defaultdict(set) for x in ("address", "host", "kinds")}
    for path in sorted((CORPUS / "mails").glob("*.eml")):
        reporter = path.name.split(".")[0]
        mail = read_mail(path.read_bytes())
        lines = lay_out(mail)
        scene = gather(mail, lines)
        for part, found in (("address", scene.addresses), ("host", scene.hosts)):
            for this in found:
                for name, _ in choose.facts(this):
                    writers[part][number(name)].add(reporter)
        text = prose(lines)
        for name, _ in kinds.facts(subject=mail.subject, text=text, rules=weigh_kinds(subject=mail.subject, text=text)):
            writers["kinds"][number(name)].add("*" if name.startswith("#") else reporter)
    for part, who in writers.items():
        for stored in STORED[part]["weights"]:
            known = who[int(stored)]
            assert len(known) >= 5 or "*" in known, f"{part} {stored} is known from {len(known)} reporters"


# The choice.


@given(st.lists(st.integers(1, 250), min_size=2, max_size=30, unique=True))
@settings(max_examples=25, deadline=None)
def test_all_members_of_a_list_are_taken_wherever_they_stand_in_it(last: list[int]) -> None:
    addresses = [f"198.51.100.{x}" for x in last]
    text = "The following addresses of your network attacked our servers:\n\n" + "\n".join(addresses) + "\n\nRegards\n"
    assert sources(reading_of(letter(text, subject="Attacks from your network"))) == set(addresses)


def test_a_network_in_the_subject_only_says_where_the_addresses_lie() -> None:
    text = (
        '"asn","ip","seen","port"\n'
        '"64496","198.51.100.7","2026-03-09 10:00:00","3389"\n'
        '"64496","198.51.100.9","2026-03-09 10:05:00","3389"\n'
    )
    reading = reading_of(letter(text, subject="Exposed RDP servers in 198.51.100.0/24"))
    assert sources(reading) == {"198.51.100.7", "198.51.100.9"}


def test_a_whole_network_is_always_for_a_person() -> None:
    reading = reading_of(letter("We get spam from your network 198.51.100.0/24 all the time.", subject="Spam"))
    assert reading.reason is ReadingReason.UNSURE
    assert any(mark.value == "198.51.100.0/24" and mark.chosen for mark in reading.marks)


def test_of_source_and_destination_the_source_is_meant() -> None:
    text = "Port scan detected.\nSource IP address: 198.51.100.4\nDestination IP address: 203.0.113.8\n"
    assert sources(reading_of(letter(text, subject="Port scan"))) == {"198.51.100.4"}


def test_an_arrow_from_a_name_says_where_it_lies_and_in_a_log_whom_somebody_sought() -> None:
    def targets(line: str) -> set[str]:
        mail = read_mail(letter(f"See below.\n{line}\n"))
        return {x.value for x in gather(mail, lay_out(mail)).addresses if "arrow_target" in x.features}

    assert targets("bank.example.com ---> 198.51.100.4 ---> abuse@example.net") == set()
    assert targets("198.51.100.4 -> 203.0.113.8") == {"203.0.113.8"}
    assert targets("10:00:00 host.example.com -> 203.0.113.8") == {"203.0.113.8"}


def candidates_of(text: str) -> dict[str, Candidate]:
    mail = read_mail(letter(text, subject="Abuse"))
    scene = gather(mail, lay_out(mail))
    return {x.value: x for x in (*scene.addresses, *scene.hosts)}


def test_the_page_that_a_request_came_from_is_on_the_server_that_was_asked() -> None:
    text = (
        "We saw abuse from 198.51.100.4.\n"
        '198.51.100.4 - - [04/Mar/2026:23:35:23 +0200] "GET /login HTTP/1.1" 404 162 "http://203.0.113.8/login"\n'
    )
    assert sources(reading_of(letter(text, subject="Brute force attack"))) == {"198.51.100.4"}
    found = candidates_of(text)
    assert found["203.0.113.8"].is_target
    assert not found["198.51.100.4"].is_target


def test_who_only_answers_the_named_one_in_a_log_of_both_ways_is_its_target() -> None:
    there, back = "198.51.100.4,203.0.113.8,1852,25522,443", "203.0.113.8,198.51.100.4,7003,443,25522"
    rows = "\n".join(f"2026-03-05T11:59:0{x}Z,{row}" for x, row in enumerate((there, back, there, back)))
    named = candidates_of(f"The address 198.51.100.4 tried to break in.\n{rows}")
    assert [named[x].is_target for x in ("198.51.100.4", "203.0.113.8")] == [False, True]
    unnamed = candidates_of(f"See the log.\n{rows}")
    assert not unnamed["203.0.113.8"].is_target, "a log alone does not say who of two began"
    one_way = candidates_of(f"The address 198.51.100.4 is our server.\n2026-03-05T11:59:01Z,{back}")
    assert not one_way["203.0.113.8"].is_target


def test_who_serves_the_names_of_a_domain_did_nothing() -> None:
    found = candidates_of("Phishing on bank.example.com.\nName Server: ns.example.net (203.0.113.8)\nA: 198.51.100.4")
    assert [found[x].is_target for x in ("198.51.100.4", "203.0.113.8")] == [False, True]


def test_columns_may_be_parted_by_spaces_that_do_not_break() -> None:
    rows = (
        "Time   Source IP   Target IP",
        "10:00:01   198.51.100.4   203.0.113.8",
        "9:00   198.51.100.77   203.0.113.9",
    )
    text = "Attacks:\n" + "\n".join(rows).replace("   ", " \N{NO-BREAK SPACE} ")
    assert sources(reading_of(letter(text, subject="Brute force attack"))) == {"198.51.100.4", "198.51.100.77"}


def test_whoever_a_sentence_names_as_harmed_its_list_is_of_those_that_it_accuses() -> None:
    text = "Counterfeit goods are on sale. This infringes the rights of our client.\nhttps://shop.example.com/a\n"
    assert "rightful" not in candidates_of(text)["shop.example.com"].features
    text = "It copies the work of our client at\nhttps://shop.example.com/a\n"
    assert "rightful" in candidates_of(text)["shop.example.com"].features


def test_a_list_of_all_that_may_be_reported_alleges_nothing() -> None:
    policy = "\n".join(
        f"* {x} - 8 hrs" for x in ("Phishing attack", "DDoS attack", "Copyright infringement", "Botnet controllers")
    )
    mail = read_mail(letter(f"Unsolicited bulk email from 198.51.100.4.\n\nOur deadlines:\n{policy}\nRegards\n"))
    text = prose(lay_out(mail))
    assert "Phishing" not in text
    assert "Unsolicited bulk email" in text
    assert "Regards" in text
    of_one_kind = read_mail(letter("\n".join(f"* Phishing page number {x}" for x in range(5))))
    assert "number 4" in prose(lay_out(of_one_kind))


def test_a_private_address_is_never_preferred_to_a_public_one() -> None:
    text = "SSH brute force: sshd[1]: Failed password for root from 198.51.100.4 port 2222, forwarded by 10.0.0.1"
    assert sources(reading_of(letter(text))) == {"198.51.100.4"}


def test_an_unsure_reading_marks_what_could_be_meant_and_says_why() -> None:
    text = "Something odd happened with 198.51.100.4 and with 203.0.113.8 too, and with https://shop.example.org/x"
    reading = reading_of(letter(text, subject="Abuse"))
    assert reading.reason is ReadingReason.UNSURE
    assert {x.value for x in reading.marks} >= {"198.51.100.4", "203.0.113.8", "shop.example.org"}
    assert all(0.0 <= x.likelihood <= 1.0 for x in reading.marks)
    assert any(x.why for x in reading.marks)
    assert all(x.line in text or x.line == "Abuse" for x in reading.marks)


def test_a_sure_reading_needs_no_marks() -> None:
    reading = reading_of(letter("Brute force from 192.0.2.7 port 4711 at 2026-03-10 10:00:00 UTC"))
    assert (reading.reason, reading.marks) == (ReadingReason.UNDERSTOOD, ())


def test_json_says_whether_a_person_is_needed_and_shows_the_best_incidents_all_the_same() -> None:
    told = describe(
        "a.eml", reading_of(letter("Something odd came from 198.51.100.4 and 203.0.113.8.", subject="Abuse"))
    )
    assert told["needs_person"] is True
    assert 0.0 <= told["confidence"] < load_weights().sure_from
    assert {x["source"] for x in told["incidents"]} & {"198.51.100.4", "203.0.113.8"}
    assert {x["value"] for x in told["candidates"]} == {"198.51.100.4", "203.0.113.8"}


def test_a_page_at_an_address_is_told_as_page_and_as_address() -> None:
    text = "Phishing page: https://bank.example.com/login\nIP address: 198.51.100.4\nPlease take it down."
    told = describe("a.eml", reading_of(letter(text, subject="Phishing")))
    assert {x["source"] for x in told["incidents"]} == {"198.51.100.4", "https://bank.example.com/login"}


# The arithmetic, against the obvious form.


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 3)), max_size=8), st.floats(-2, 2))
@settings(deadline=None)
def test_a_score_is_the_bias_and_all_known_weights(facts: list[tuple[str, float]], bias: float) -> None:
    weights = {"a": 1.5, "c": -0.5, "e": 0.25}
    linear = Linear(bias, {number(x): w for x, w in weights.items()})
    assert math.isclose(linear.score(facts), bias + sum(weights.get(x, 0.0) * s for x, s in facts), abs_tol=1e-9)


@given(st.floats(-5, 5), st.floats(-5, 5))
@settings(deadline=None)
def test_a_tree_takes_the_way_that_its_thresholds_say(first: float, second: float) -> None:
    tree = ((0, 1), (0.5, -1.0), (1, -1), (-3, -2), (0.1, 0.2, 0.3))
    expected = (0.1 if second <= -1.0 else 0.2) if first <= 0.5 else 0.3
    assert math.isclose(Forest((tree,)).probability([first, second]), 1 / (1 + math.exp(-expected)))


_TREES = st.recursive(
    st.floats(-1, 1), lambda x: st.tuples(st.integers(0, 2), st.floats(-1, 1), x, x), max_leaves=8
).filter(lambda x: isinstance(x, tuple))


@given(
    st.lists(_TREES, min_size=1, max_size=4), st.lists(st.lists(st.floats(-2, 2), min_size=3, max_size=3), max_size=4)
)
@settings(deadline=None)
def test_a_forest_asks_all_nodes_at_once_and_says_what_each_way_down_says(
    nested: list[Any], rows: list[list[float]]
) -> None:
    def value(node: Any, row: list[float]) -> float:
        while isinstance(node, tuple):
            node = node[2] if row[node[0]] <= node[1] else node[3]
        return float(node)

    def stored(root: Any) -> Any:
        feature, threshold, left, right, leaves = [], [], [], [], []

        def place(node: Any) -> int:
            if not isinstance(node, tuple):
                leaves.append(node)
                return -len(leaves)
            here = len(feature)
            for column, x in zip((feature, threshold, left, right), (node[0], node[1], 0, 0), strict=True):
                column.append(x)
            left[here], right[here] = place(node[2]), place(node[3])
            return here

        place(root)
        return feature, threshold, left, right, leaves

    found = Forest(tuple(stored(x) for x in nested)).probabilities(rows)
    expected = [1 / (1 + math.exp(-sum(value(x, row) for x in nested))) for row in rows]
    assert found == pytest.approx(expected)


@given(st.text("ab z_9-é.Q" * 3, max_size=200), st.booleans())
@settings(deadline=None)
def test_words_of_a_kind_are_runs_of_letters_in_any_script(text: str, plain: bool) -> None:
    text = text.lower().replace("é", "e") if plain else text.lower()
    names = {x for x, _ in kinds.facts(subject="", text=text, rules={}) if x.startswith("w=")}
    assert names == {f"w={x[:9]}" for x in re.findall(r"[^\W\d_]{2,24}", text)}


def test_words_around_keep_their_places_and_name_nobody_whole() -> None:
    found = around("the attacker used 198.51.100.4 against us", 18, 30, label="")
    assert {"b1=used", "b=attacker", "b2=attacker used", "a1=against"} <= set(found)
    assert all(len(x.split("=")[1].split()[0]) <= 8 for x in found)
    assert "l=followin" in around("198.51.100.4", 0, 12, label="these are the following:")


def test_rows_are_as_long_as_their_titles() -> None:
    several = [Candidate("ip", f"198.51.100.{x}", x, count=1) for x in range(3)]
    found = rivals.rows(several, [0.5, 0.2, 0.1], [0.0, 0.0, 0.0], rivals.NOTHING)
    assert [len(x) for x in found.values()] == [len(rivals.FEATURES)] * 3


# Hostile input.


@pytest.mark.parametrize(
    "piece",
    ["198.51.100.0/24 ", "https://a.example.org/ ", "a.example.org, ", "1.2.3.4,", "\t198.51.100.7", '","1.2.3.4'],
)
def test_thousands_of_things_on_every_line_are_read_to_an_end(piece: str) -> None:
    reading = reading_of(letter("\n".join([piece * 150] * 400), subject="attack"))
    assert reading.outcome in (ReadingOutcome.COMPLAINT, ReadingOutcome.UNREADABLE)


def test_more_candidates_than_are_weighed_singly_still_all_count() -> None:
    rows = "\n".join(f"198.18.{x // 250}.{x % 250 + 1}" for x in range(400))
    reading = reading_of(letter("These addresses attacked us:\n\n" + rows, subject="Attack"))
    assert len(sources(reading)) == 400


# No complaint.


ANSWERS = {
    "settled": ("Re: Abuse from 198.51.100.4", "Thank you for your report. The account has been suspended."),
    "receipt": ("[Ticket#4711] Phishing", "Dear team,\n\nwe have received your complaint and opened a case."),
    "german": ("Ihre Anfrage [Ticket#99]", "Wir haben Ihre Nachricht erhalten und melden uns bald."),
    "spanish": ("Ticket#12: complaint", "Hemos recibido su correo. Un agente le responderá."),
    "state": ("Abuse case [#4711]", "A statement has been successfully entered for this issue.\nIt will be checked."),
    "unread": ("This mailbox", "This mailbox is no longer monitored. Please use our form."),
    "unreached": (
        "Delivery problem",
        "We are unable to notify you: host mx.example.net[198.51.100.4] said: 550 5.1.1 recipient rejected",
    ),
    "fishing": (
        "abuse@example.net: action needed",
        "Hello abuse@example.net,\nyour mailbox will be suspended.\nhttps://x.example.org/login",
    ),
    "czech": ("Automatická odpověď: dovolená", "Jsem mimo kancelář."),
    "japanese": ("自動返信", "ただいま不在にしております。"),
    "away": ("Auto: Re: Abuse", "I am out of the office until Monday. For urgent matters call us."),
    "german away": ("Re: Abuse", "Guten Tag, ich bin bis Freitag nicht im Büro."),
    "read": ("Read: Abuse report", "Your message\n\nSubject: Abuse report\n\nwas read on 10 March 2026 12:00."),
    "italian": ("Conferma ricezione", "Gentile utente, la sua segnalazione è stata presa in carico."),
    "russian": ("Ваше обращение", "Здравствуйте! Ваше обращение №4711 зарегистрировано."),
    "chinese": ("工单 4711", "您好，您的工单 4711 已创建，我们会尽快处理。"),
    "survey": ("Your request 4711", "Hello,\n\nhow would you rate the help that you got from us? It takes a minute."),
    "german survey": ("Ihre Anfrage", "Guten Tag, wie zufrieden waren Sie mit uns? Antworten Sie mit einer Zahl."),
    "list": (
        "Your message to members",
        "Your mail to 'members' awaits moderator approval, as you are not on the list.",
    ),
    "filter": ("Please confirm", "Click here to confirm your message: https://filter.example.org/c/1"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_answers_and_notices_are_set_aside(answer: str) -> None:
    subject, text = ANSWERS[answer]
    headers = {"In-Reply-To": "<2@example.net>"} if subject.startswith("Re:") else {}
    reading = reading_of(letter(text, subject=subject, **headers))
    assert reading.outcome is ReadingOutcome.NOT_A_COMPLAINT, reading


def certified(kind: str, inner: bytes, **headers: str) -> bytes:
    mail = EmailMessage()
    mail["From"] = '"On behalf of: a@pec.example.org" <posta-certificata@pec.example.com>'
    mail["To"] = "abuse@example.net"
    mail["Subject"] = f"{kind}: message"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("This is a message of certified mail. The message is in the file postacert.eml.")
    mail.add_attachment(message_from_bytes(inner, policy=default), filename="postacert.eml")
    return mail.as_bytes()


SPAM_LETTER = letter("Your server 198.51.100.4 sends us spam all day.", subject="Spam from 198.51.100.4")


@pytest.mark.parametrize(
    ("receipt", "reason"),
    [("avvenuta-consegna", ReadingReason.AUTO_REPLY), ("errore-consegna", ReadingReason.BOUNCE)],
)
def test_a_receipt_of_certified_mail_is_set_aside_whatever_it_returns(receipt: str, reason: ReadingReason) -> None:
    assert reading_of(certified("CONSEGNA", SPAM_LETTER, X_Ricevuta=receipt)).reason is reason


def test_what_certified_mail_carries_is_looked_at_by_itself() -> None:
    header = {"X_Trasporto": "posta-certificata"}
    away = letter("I am not here.", subject="Out of office")
    assert reading_of(certified("POSTA CERTIFICATA", away, **header)).reason is ReadingReason.AUTO_REPLY
    assert sources(reading_of(certified("POSTA CERTIFICATA", SPAM_LETTER, **header))) == {"198.51.100.4"}


def with_part(text: str, kind: str, content: str) -> bytes:
    return (
        "From: writer@example.org\nTo: abuse@example.net\nSubject: Note\nMIME-Version: 1.0\n"
        "Content-Type: multipart/mixed; boundary=b\n\n"
        f"--b\nContent-Type: text/plain\n\n{text}\n--b\nContent-Type: {kind}\n\n{content}\n--b--\n"
    ).encode()


INVITATION = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR\n"
STATUS = "Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; a@example.org\nAction: failed\n"


def test_appointments_and_wrapped_reports_of_delivery_are_set_aside_and_complaints_with_them_are_not() -> None:
    assert reading_of(with_part("Let us meet.", "text/calendar; method=REQUEST", INVITATION)).reason is (
        ReadingReason.NOT_ABUSE
    )
    assert reading_of(with_part("Not here.", "message/delivery-status", STATUS)).reason is ReadingReason.BOUNCE
    spam = "Your server 198.51.100.4 sends spam."
    for kind, content in (("text/calendar; method=REQUEST", INVITATION), ("message/delivery-status", STATUS)):
        assert sources(reading_of(with_part(spam, kind, content))) == {"198.51.100.4"}


COMPLAINTS = {
    "new ticket": (
        "[Ticket: 4711] DDoS attack: 198.51.100.4",
        "A new ticket has been opened for you: your server attacks us.",
    ),
    "still": (
        "Re: still spamming",
        "Your customer has been contacted, but spam still comes from 198.51.100.4:\n"
        "Received: from x.example.org ([198.51.100.4]) by mx.example.net",
    ),
    "polish": (
        "Phishing",
        "Otrzymaliśmy zgłoszenie o stronie phishing https://bank.example.com/login pod adresem 198.51.100.4",
    ),
    "japanese": ("違反サイトの削除依頼", "以下のサイトは法律に違反しています。\nhttps://shop.example.com/item/1"),
    "quoted words": (
        "Phishing from your network",
        "Somebody wrote to us: click below to confirm your message. It leads to https://bank.example.com/login",
    ),
    "holiday": ("Spam", "I am on holiday, and your customer sends me spam every day. Do something."),
    "survey as bait": (
        "Fraud",
        "We got 'how would you rate our service?' from your customer 198.51.100.4, and it asks for a card.",
    ),
    "threat": ("Abuse", "Please note that we will suspend your account if the attacks from 198.51.100.4 go on."),
}


@pytest.mark.parametrize("complaint", COMPLAINTS)
def test_a_complaint_that_sounds_like_an_answer_is_not_lost(complaint: str) -> None:
    subject, text = COMPLAINTS[complaint]
    assert reading_of(letter(text, subject=subject)).outcome is not ReadingOutcome.NOT_A_COMPLAINT


def test_a_table_in_html_with_paragraphs_in_its_cells_keeps_its_rows() -> None:
    rows = "".join(
        f"<tr><td><p>2026-03-09 10:0{x}:00</p></td><td><p>198.51.100.{x}</p></td><td><p>203.0.113.9</p></td></tr>"
        for x in range(1, 4)
    )
    page = f"<table><tr><td>Time</td><td>Source IP</td><td>Target IP</td></tr>{rows}</table>"
    raw = with_files(
        "", ("text/html", "table.html", f"<html><body>Attacks: {page}</body></html>".encode()), subject="Attack"
    )
    assert sources(reading_of(raw)) == {"198.51.100.1", "198.51.100.2", "198.51.100.3"}


def test_the_reader_takes_other_weights_than_the_shipped_ones() -> None:
    parser = FreetextParser(load_weights())
    mail = read_mail(letter("Brute force from 192.0.2.7 port 4711 at 2026-03-10 10:00:00 UTC"))
    assert parser.read(mail) == FreetextParser().read(mail)


def test_a_reading_does_not_depend_on_the_order_in_which_python_keeps_sets() -> None:
    folder = str(files("tipstaff.intake.parsers.freetext").joinpath("samples"))
    program = "import sys; from tipstaff.cli import main; sys.argv[1:1] = ['parse', '--json', '-j', '1']; main()"
    told = {
        subprocess.run(
            [sys.executable, "-c", program, folder],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=False,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
    assert b"incidents" in told.pop()


def test_a_kind_known_by_rules_alone_says_so_where_it_is_asked_how_sure_it_is() -> None:
    text = "Our films are shared by BitTorrent from your network. Torrent info hash below, peer to peer."
    rules = weigh_kinds(subject="BitTorrent", text=text)
    facts = kinds.facts(subject="BitTorrent", text=text, rules=rules)
    kind, doubts = judged(facts, rules, load_weights().kinds)
    assert (kind, dict(doubts)["narrower"]) == ("copyright/p2p", 1.0)
    text = "Failed password for root: ssh brute force from your network."
    rules = weigh_kinds(subject="Brute force", text=text)
    facts = kinds.facts(subject="Brute force", text=text, rules=rules)
    kind, doubts = judged(facts, rules, load_weights().kinds)
    assert (kind, "narrower" in dict(doubts)) == ("connection/login_attack", False)
