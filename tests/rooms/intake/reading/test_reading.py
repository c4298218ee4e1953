"""What is set aside and what is not, what a person gets, and that every mail gets a reading."""

import json
from email.message import EmailMessage
from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tipstaff.intake.mail import Mail
from tipstaff.intake.protocol import load_parsers
from tipstaff.intake.reading import OWN_HEADER
from tipstaff.intake.reading import read as read_with
from tipstaff.words import Reading, ReadingOutcome, ReadingReason

from .mails import letter, with_files

NOT_A_COMPLAINT, COMPLAINT = ReadingOutcome.NOT_A_COMPLAINT, ReadingOutcome.COMPLAINT


def read(raw: bytes, *, own: tuple[str, ...] = (), space: tuple[IPv4Network | IPv6Network, ...] = ()) -> Reading:
    return read_with(raw, parsers=load_parsers(), own_addresses=frozenset(own), own_space=space)


BRUTE_FORCE = "Brute force attack on our server 203.0.113.5 from 192.0.2.7 at 2026-03-10 10:00:00 UTC."


def test_a_letter_of_ours_that_comes_back_is_set_aside() -> None:
    ours = letter(BRUTE_FORCE, sender="Abuse Desk <Abuse@Example.NET>")
    assert read(ours, own=("abuse@example.net",)).reason is ReadingReason.OWN_LETTER
    marked = letter(BRUTE_FORCE, **{OWN_HEADER: "L-000001"})
    assert read(marked).reason is ReadingReason.OWN_LETTER


def test_a_notice_of_another_operator_with_a_letters_key_is_a_complaint() -> None:
    own = ("abuse@example.net",)
    theirs = letter(BRUTE_FORCE, sender="Abuse Desk <abuse@example.org>", **{OWN_HEADER: "L-000001"})
    assert read(theirs, own=own).outcome is COMPLAINT
    assert (
        read(theirs.replace(b"abuse@example.org", b"noreply@example.net"), own=own).reason is ReadingReason.OWN_LETTER
    )
    head, _, rest = theirs.partition(b"\n\n")
    kept = b"\n".join(x for x in head.split(b"\n") if not x.lower().startswith(b"message-id:"))
    resent = kept + b"\nMessage-ID: <L-000001.1@Example.NET>\n\n" + rest
    assert read(resent, own=own).reason is ReadingReason.OWN_LETTER


def test_a_form_of_ours_that_comes_back_accuses_nobody() -> None:
    """A notice carries the report as XARF; a delivery report returns it, and a customer's answer may."""
    facts = {
        "xarf_version": "4.2.0",
        "report_id": "5d0b0a39-3a1c-4b0e-9a55-3f5f1e2c7a11",
        "timestamp": "2026-03-10T10:00:00Z",
        "reporter": {"org": "Operator", "contact": "abuse@example.net", "domain": "example.net"},
        "sender": {"org": "Operator", "contact": "abuse@example.net", "domain": "example.net"},
        "source_identifier": "192.0.2.7",
        "category": "connection",
        "type": "login_attack",
        "evidence_source": "third_party_report",
    }
    kind, name = "application/json", "C-000001-1.xarf.json"
    answer = with_files("Please see the file.", (kind, name, json.dumps(facts).encode()))
    for returned in (answer, answer.replace(b"\nTo:", b"\nAuto-Submitted: auto-replied\nTo:", 1)):
        assert read(returned, own=("ABUSE@example.net",)).parser != "xarf"
    theirs = json.dumps(facts).replace("example.net", "example.org").encode()
    assert read(with_files("Please see the file.", (kind, name, theirs)), own=("abuse@example.net",)).parser == "xarf"


def test_a_complaint_that_quotes_our_letter_is_no_letter_of_ours() -> None:
    quoting = letter(f"{BRUTE_FORCE}\n\n> X-Tipstaff-Letter: L-000001\n> From: abuse@example.net\n")
    assert read(quoting, own=("abuse@example.net",)).outcome is COMPLAINT


def bounce() -> bytes:
    return (
        b"From: MAILER-DAEMON@mx.example.org\nTo: abuse@example.net\nSubject: Undelivered Mail Returned to Sender\n"
        b"Auto-Submitted: auto-replied\nMIME-Version: 1.0\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\n"
        b"I could not deliver your mail to someone@example.org (192.0.2.99).\n--b\n"
        b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n"
        b"Final-Recipient: rfc822; someone@example.org\nAction: failed\nStatus: 5.1.1\n--b\n"
        b"Content-Type: message/rfc822\n\nSubject: Notice of abuse\n\nSpam from 192.0.2.7.\n--b--\n"
    )


AUTOMATIC = {
    "a bounce": (bounce(), ReadingReason.BOUNCE),
    "a bounce in words": (
        letter(
            "The message you sent to x@example.org could not be delivered: 550 5.1.1 user unknown",
            subject="Delivery Status Notification (Failure)",
            sender="postmaster@example.org",
        ),
        ReadingReason.BOUNCE,
    ),
    "a holiday note": (
        letter(
            "I am away until Monday.",
            subject="Automatic reply: Notice of abuse 192.0.2.7",
            Auto_Submitted="auto-replied",
        ),
        ReadingReason.AUTO_REPLY,
    ),
    "a German holiday note": (
        letter("Ich bin bis Montag nicht da.", subject="Abwesenheitsnotiz"),
        ReadingReason.AUTO_REPLY,
    ),
    "a ticket system's receipt": (
        letter(
            "Thank you for your report. Your ticket has been created with the number 77.",
            subject="[Ticket #77] Re: spam from 192.0.2.7",
            Auto_Submitted="auto-replied",
        ),
        ReadingReason.AUTO_REPLY,
    ),
    "an answer about a matter in hand": (
        letter(
            "Hello,\n\nthe account has been suspended.\n\nOn Mon, you wrote:\n> Brute force from 192.0.2.7",
            subject="Re: [C-000001] Notice",
            In_Reply_To="<2@example.net>",
        ),
        ReadingReason.NOT_ABUSE,
    ),
    "an empty mail": (b"From: a@example.org\n\n\n", ReadingReason.EMPTY),
    "a question about prices": (
        letter("Hello, what do you ask for a rack in your building? See www.example.com/needs.html", subject="Prices"),
        ReadingReason.NOT_ABUSE,
    ),
}


@pytest.mark.parametrize("what", AUTOMATIC)
def test_what_is_no_complaint_is_set_aside_with_its_reason(what: str) -> None:
    raw, reason = AUTOMATIC[what]
    reading = read(raw)
    assert (reading.outcome, reading.reason) == (NOT_A_COMPLAINT, reason)
    assert reading.allegations == ()
    assert reading.detail


def test_an_advertisement_is_set_aside() -> None:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "News <news@example.org>", "Spring offers"
    mail["List-Unsubscribe"] = "<https://news.example.org/u>"
    links = "".join(f"<a href='https://shop.example.org/{n}'>chair {n}</a>" for n in range(9))
    mail.set_content(f"<p>Chairs for spring</p>{links}<p>Unsubscribe</p>", subtype="html")
    assert read(mail.as_bytes()).reason is ReadingReason.NEWSLETTER


BULKY = {
    "sent automatically": {"Auto_Submitted": "auto-generated"},
    "even marked as a reply": {"Auto_Submitted": "auto-replied"},
    "in bulk": {"Precedence": "bulk"},
    "as junk": {"Precedence": "junk"},
    "through a list": {"List_Id": "<abuse.example.net>", "List_Unsubscribe": "<https://lists.example.net/u>"},
    "with no answer wanted": {"X_Auto_Response_Suppress": "All"},
}


@pytest.mark.parametrize("how", BULKY)
def test_a_real_complaint_is_never_set_aside_because_it_looks_automatic(how: str) -> None:
    reading = read(letter(BRUTE_FORCE, **BULKY[how]))
    assert reading.outcome is COMPLAINT
    assert str(reading.allegations[0].source) == "192.0.2.7"
    assert reading.allegations[0].type == "connection/login_attack"


def test_a_complaint_from_a_postmaster_about_bounces_is_a_complaint() -> None:
    text = "Your server 192.0.2.7 sends us backscatter spam, please stop the abuse."
    assert read(letter(text, sender="postmaster@example.org", subject="Spam from 192.0.2.7")).outcome is COMPLAINT


def test_a_sealed_report_shows_no_address_and_no_url() -> None:
    reading = read(letter("CSAM at https://example.com/x on 192.0.2.7", subject="Child sexual abuse material"))
    assert reading.outcome is ReadingOutcome.SEALED
    assert reading.reason is ReadingReason.CHILD_ABUSE
    assert reading.allegations == ()
    shown = repr(reading)
    assert "192.0.2.7" not in shown
    assert "example.com" not in shown
    assert "Child sexual" not in shown


def test_ten_thousand_addresses_go_to_a_person() -> None:
    text = "These hosts attacked us (brute force):\n" + "\n".join(
        f"198.51.{100 + n // 65536}.{n % 256} 192.{n // 256 % 256}.{n % 251}.{n % 256}" for n in range(10_000)
    )
    reading = read(letter(text))
    assert (reading.outcome, reading.reason) == (ReadingOutcome.UNREADABLE, ReadingReason.TOO_MANY_SOURCES)


def test_no_header_of_a_reporter_can_start_another_header() -> None:
    raw = (
        b"From: =?utf-8?Q?Eve=0D=0ABcc:_victim@example.org?= <eve@example.org>\n"
        b"Reply-To: =?utf-8?Q?eve=40example.org=0D=0ABcc:_victim@example.org?=\n"
        b"Message-ID: <1@example.org>\n"
        b"Subject: =?utf-8?Q?Abuse=0D=0ABcc:_victim@example.org=0D=0A=0D=0ABody?= =?utf-8?B?DQpYLVk6IHo=?=\n\n"
        b"Brute force from 192.0.2.7\n"
    )
    reporter = read(raw).reporter
    for value in (reporter.address, reporter.name, reporter.subject, reporter.reference, reporter.message_id):
        assert not set(value) & {"\r", "\n", "\0", "\x0b", "\x0c", "\x85", "\u2028"}
        assert len(value) <= 300


@pytest.mark.parametrize(
    "sender", ["no-reply@example.org", "noreply@example.org", "MAILER-DAEMON@example.org", "x-noreply@example.org"]
)
def test_nobody_is_answered_who_takes_no_answer(sender: str) -> None:
    assert read(letter(BRUTE_FORCE, sender=sender)).reporter.address == ""


def test_a_broken_form_does_not_hide_the_letter_around_it() -> None:
    raw = with_files(BRUTE_FORCE, ("application/json", "xarf.json", b'{"xarf_version": "4.2.0", "type": '))
    reading = read(raw)
    assert (reading.outcome, reading.reason) == (COMPLAINT, ReadingReason.UNSURE)
    assert str(reading.allegations[0].source) == "192.0.2.7"
    assert "broken" in reading.detail


def test_a_parser_that_breaks_loses_nothing() -> None:
    class Broken:
        name = "broken"
        priority = 1

        def read(self, mail: Mail) -> Reading | None:
            raise ZeroDivisionError

    reading = read_with(letter("Hello"), parsers=(Broken(),))
    assert (reading.outcome, reading.reason) == (ReadingOutcome.UNREADABLE, ReadingReason.BROKEN_FORM)
    assert "broken" in reading.detail


def test_parsers_are_asked_in_the_order_of_their_priority() -> None:
    names = [x.name for x in load_parsers()]
    assert names[:7] == ["xarf", "feed", "arf", "dmarc", "acns", "iodef", "misp"]
    assert names[7:] == ["stix", "shadowserver", "banlog", "blocklist", "certlist", "takedown", "freetext"]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_get_a_reading(raw: bytes) -> None:
    reading = read(raw)
    assert reading.outcome in ReadingOutcome
    assert (reading.outcome is COMPLAINT) == bool(reading.allegations)


hostile = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        [
            "<Infringement>",
            "<!DOCTYPE x>",
            '{"xarf_version":',
            "timestamp,ip,port\n",
            "Feedback-Type: abuse\n",
            "Source-IP: ",
            "192.0.2.7",
            "Received: from x by y",
            "http://",
            "[.]",
            "::1",
            "999.999.999.999",
            "\0",
            "\r",
            "=?utf-8?Q?",
            "Report-Type: x\nReported-From: y\n",
        ]
    ),
)


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(hostile, max_size=12),
    kind=st.sampled_from(
        [
            "text/plain",
            "text/html",
            "application/json",
            "message/feedback-report",
            "message/rfc822",
            "application/xml",
            "text/csv",
            "multipart/report; report-type=feedback-report; boundary=b",
            "application/zip",
            "text/rfc822-headers",
        ]
    ),
)
def test_any_mixture_of_forms_gets_a_reading(pieces: list[str], kind: str) -> None:
    body = "\n".join(pieces).encode("utf-8", "replace")
    raw = b"From: a@example.org\nSubject: abuse\nContent-Type: multipart/mixed; boundary=q\n\n--q\nContent-Type: "
    reading = read(raw + kind.encode() + b"\n\n" + body + b"\n--q--\n")
    assert reading.outcome in ReadingOutcome


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=40))
values = st.recursive(
    scalars, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=8), x, max_size=3), max_leaves=8
)
FIELDS = [
    "xarf_version",
    "category",
    "type",
    "source_identifier",
    "timestamp",
    "reporter",
    "evidence",
    "url",
    "Report",
    "ReporterInfo",
    "Source",
    "ReportType",
    "Date",
    "reports",
    "confidence",
    "source_port",
    "Samples",
]


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), values, max_size=9))
def test_any_json_that_looks_like_xarf_gets_a_reading(document: dict[str, object]) -> None:
    reading = read(with_files("Report.", ("application/json", "xarf.json", json.dumps(document).encode())))
    assert reading.reason in ReadingReason
    assert not reading.detail.startswith("The parser")


# What answers us, what somebody else was sent, and what accuses nobody, goes to a person and names nobody.


def handed_on(*, to: str, above: str = "", taken_for: str = "") -> bytes:
    """Mail as a trap got it: by `for`, its server took it for `taken_for`; `above` stands what was written later."""
    return (
        f"{above}Received: from mail.example.com ([192.0.2.7])\n by mx.trap.example (8.14.9/8.14.9) with ESMTP id 20I\n"
        f" for <{taken_for or to}>; Mon, 9 Mar 2026 23:06:40 +0000\n"
        f"Received: from [198.51.100.9] by mail.example.com for <someone@example.com>; Mon, 9 Mar 2026 23:06:00 +0000\n"
        f"From: Cheap Chairs <chairs@example.com>\nTo: {to}\nSubject: Chairs\nDate: Mon, 9 Mar 2026 23:06:00 +0000\n\n"
        "Chairs for spring, at www.example.com, for a small price.\n"
    ).encode()


RELAY = (
    "Received: from mx.trap.example (mx.trap.example [203.0.113.9])\n by desk.example.net with ESMTPS id 7\n"
    " for <abuse@example.net>; Tue, 10 Mar 2026 00:00:00 +0000\n"
)


def test_mail_that_a_trap_hands_on_accuses_whoever_sent_it_to_the_trap() -> None:
    reading = read(handed_on(to="k4@trap.example", above=RELAY))
    assert (reading.outcome, reading.reason) == (COMPLAINT, ReadingReason.UNSURE)
    [allegation] = reading.allegations
    assert (str(allegation.source), allegation.type) == ("192.0.2.7", "messaging/spam")
    assert allegation.moment is not None
    assert allegation.moment.at.isoformat() == "2026-03-09T23:06:40+00:00"


NOT_HANDED_ON = {
    "nobody handed it on": handed_on(to="k4@trap.example"),
    "a desk was its addressee": handed_on(to="abuse@trap.example", above=RELAY),
    "no server took it for its addressee": handed_on(to="k4@trap.example", above=RELAY, taken_for="x@trap.example"),
    "it was handed on within one house": handed_on(
        to="k4@trap.example", above=RELAY.replace("desk.example.net", "desk.trap.example")
    ),
}


@pytest.mark.parametrize("why", NOT_HANDED_ON)
def test_other_mail_is_not_taken_for_a_traps(why: str) -> None:
    assert read(NOT_HANDED_ON[why]).parser != "resent"


ANSWERS = {
    "English": "On 9 Mar 2026 15:28, Abuse Desk wrote:\n> Could you send us the logs?",
    "German": "Am 09.03.2026 um 15:28 schrieb Abuse Desk:\n> Bitte senden Sie uns die Protokolle.",
    "with the address only": "On Mon, 9 Mar 2026, abuse@example.net <abuse@example.net> wrote:\n> Please send logs.",
    "with a quoted header": "-----Original message-----\nFrom: Abuse Desk <abuse@example.net>\nSent: Monday\n\nLogs?",
}


@pytest.mark.parametrize("how", ANSWERS)
def test_an_answer_to_the_mailboxs_own_letter_is_for_the_person_who_has_the_matter(how: str) -> None:
    text = f"Hello, it was 192.0.2.7 that attacked us by ssh, brute force.\n\n{ANSWERS[how]}\n"
    raw = letter(text, subject="Re: your report").replace(
        b"To: abuse@example.net", b"To: Abuse Desk <abuse@example.net>"
    )
    reading = read(raw)
    assert (reading.outcome, reading.reason) == (ReadingOutcome.UNREADABLE, ReadingReason.IN_HAND)


def test_an_answer_to_a_spammer_with_a_copy_to_us_is_a_complaint() -> None:
    text = (
        "We got this spam from 192.0.2.7, please stop it.\n\n"
        "On Mon, 9 Mar 2026, Chairs <chairs@example.com> wrote:\n> Buy chairs"
    )
    raw = letter(text, subject="Re: Chairs").replace(
        b"To: abuse@example.net", b"To: Chairs <chairs@example.com>, abuse@example.net"
    )
    assert [str(x.source) for x in read(raw).allegations] == ["192.0.2.7"]


def test_a_letter_that_names_addresses_and_alleges_nothing_accuses_nobody() -> None:
    text = (
        "Dear customer,\n\nthe power button of your server AX (192.0.2.7) has just been pressed as you asked us.\n\n"
        "Kind regards\nYour host\n"
    )
    reading = read(letter(text, subject="Power button of your server (192.0.2.7)"))
    assert (reading.outcome, reading.allegations) == (ReadingOutcome.UNREADABLE, ())


def test_a_letter_that_names_only_its_writers_own_pages_accuses_nobody() -> None:
    text = (
        "Dear colleagues, an address in your network spoofs our mail; please look at the picture below.\n\n"
        "This abuse notice is a service; see https://www.example.org/monitoring for more.\n"
    )
    reading = read(letter(text, subject="Spoofing report"))
    assert (reading.reason, reading.allegations) == (ReadingReason.NO_SOURCE, ())


ON_WHOM = {
    "on our server": "We saw an attack on our server 192.0.2.7 from 198.51.100.9 today: ssh brute force.",
    "passive": "Server 192.0.2.7 in our data centre was flooded (DDoS) by your server 198.51.100.9.",
    "being attacked": "our server (192.0.2.7) is being attacked by 198.51.100.9, a DDoS UDP flood.",
    "ours first": "Our mail server 192.0.2.7 received spam from your customer 198.51.100.9.",
    "ours last": "Your server 198.51.100.9 attacked our server 192.0.2.7 with ssh brute force logins.",
    "named by its work": "Our receiver 192.0.2.7 got a DDoS flood from the server 198.51.100.9.",
    "from your network": "SSH brute force attacks against my server 192.0.2.7 come from your network: 198.51.100.9",
}


@pytest.mark.parametrize("how", ON_WHOM)
def test_whoever_attacks_is_meant_and_not_whom_they_attack(how: str) -> None:
    reading = read(letter(f"Hello,\n\n{ON_WHOM[how]} Please stop it.\n", subject="Abuse"))
    assert [str(x.source) for x in reading.allegations] == ["198.51.100.9"]


def test_a_server_that_is_named_is_no_version() -> None:
    reading = read(letter("Your server 192.0.2.7 attacks us with ssh brute force logins.\n", subject="Abuse"))
    assert [str(x.source) for x in reading.allegations] == ["192.0.2.7"]


OURS = (ip_network("198.51.100.0/24"), ip_network("2001:db8::/32"))


def test_a_letter_that_seems_to_mean_others_and_names_one_of_ours_is_for_a_person() -> None:
    text = "Source IP: 203.0.113.8\nBrute force attack, failed password for root from 203.0.113.8.\n"
    text += "\nGateway: 198.51.100.4"
    raw = letter(text, subject="Abuse from 203.0.113.8: SSH brute force")
    alone = read(raw)
    assert {str(x.source) for x in alone.allegations} == {"203.0.113.8"}
    assert alone.reason is ReadingReason.UNDERSTOOD
    known = read(raw, space=OURS)
    assert known.allegations == alone.allegations, "who is meant is for a person to say"
    assert known.reason is ReadingReason.UNSURE
    assert "198.51.100.4" in known.detail
    assert [x.value for x in known.marks].count("198.51.100.4") == 1


@pytest.mark.parametrize(
    "text",
    [
        "SSH brute force from 203.0.113.8 port 4711 at 2026-03-10 10:00:00 UTC against 203.0.113.9.",
        "SSH brute force from 198.51.100.4 port 4711 at 2026-03-10 10:00:00 UTC. Seen by 198.51.100.5 too.",
        "SSH brute force from 203.0.113.8 port 4711 at 2026-03-10 10:00:00 UTC.\nTarget IP: 198.51.100.4",
    ],
    ids=["none is ours", "the one that is meant is ours", "ours is only the target"],
)
def test_our_own_space_changes_no_other_reading(text: str) -> None:
    raw = letter(text, subject="Brute force attack")
    assert read(raw, space=OURS) == read(raw)
