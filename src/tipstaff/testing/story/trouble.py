"""Mails that are broken or meant to break something. Each has a clear outcome, and none stops the next one."""

from collections.abc import Iterator
from dataclasses import replace

from tipstaff.words import ReadingReason

from . import reporters
from .mail import (
    Day,
    arf,
    attachment,
    enclosed,
    mail,
    multipart,
    plain,
    rfc3339,
    rfc5322,
    spam_sample,
    text,
    zipped,
)
from .reporters import Reporting
from .telling import about, fixed, fixes, for_a_person, mailed
from .told import Told


def tellings(day: Day) -> Iterator[Told]:
    """Everything that is broken or hostile."""
    yield from _broken(day)
    yield from _hostile(day)
    yield from _too_much(day)


def _broken(day: Day) -> Iterator[Told]:
    whole = multipart(
        (
            text(
                f"""
Hello,

198.51.100.45 scans our ports (port scan). From the firewall, times in UTC:

{plain(day.at(0.9))} UTC DROP TCP 198.51.100.45:40100 -> 203.0.113.229:22
{plain(day.at(0.9, 1))} UTC DROP TCP 198.51.100.45:40101 -> 203.0.113.229:445
{plain(day.at(0.9, 2))} UTC DROP TCP 198.51.100.45:40102 -> 203.0.113.229:3389

Example School
"""
            ),
            attachment(b"not much of a picture", content_type="image/png", name="graph.png"),
        )
    )
    cut = whole.body[: whole.body.rindex(b"\r\n--")].replace(b"bm90", b"b*m90")
    yield mailed(
        day,
        "broken-mime",
        "No closing boundary and broken base64: the complaint in it is read all the same",
        hours=1.6,
        by=reporters.SCHOOL,
        subject="Port scan from 198.51.100.45",
        content=replace(whole, body=cut),
        expected=fixed(about("connection/port_scan", "198.51.100.45", account=1041)),
        moves=(fixes(9, "The freezer's controller. It sits behind a filter now."),),
    )

    yield mailed(
        day,
        "wrong-charset",
        "German in ISO 8859-1 that says it is UTF-8",
        hours=2.8,
        by=reporters.CERT,
        subject="Spam von 192.0.2.28",
        content=text(
            f"""
Guten Tag,

über 192.0.2.28 wird Spam verschickt, wir werden damit überschüttet. Kopfzeilen:

Received: from werkstatt (unknown [192.0.2.28])
        by mx.cert.example.org (Postfix) with ESMTP id 88BC32; {rfc5322(day.at(2.3), hours=1)}
Subject: Größer, schöner, günstiger

Mit freundlichen Grüßen
""",
            charset="iso-8859-1",
            claimed="utf-8",
        ),
        expected=fixed(about("messaging/spam", "192.0.2.28", account=1003)),
        moves=(fixes(10, "Das Kennwort eines Postfachs war erraten worden. Geändert."),),
    )

    yield mailed(
        day,
        "broken-xarf",
        "An XARF file that was cut off: a person looks at it",
        hours=3.9,
        by=reporters.HONEYPOT,
        subject="XARF report",
        content=multipart(
            (
                text("Automatic report, see the attached file."),
                attachment(
                    b'{"xarf_version": "4.2.0", "report_id": "', content_type="application/json", name="xarf.json"
                ),
            )
        ),
        expected=for_a_person(ReadingReason.BROKEN_FORM),
    )


def _hostile(day: Day) -> Iterator[Told]:
    sample = spam_sample(
        source="203.0.113.28",
        helo="s28.figures.example.com",
        received_by="mx3.mailhost.example.com",
        at=day.at(4.3),
        sender="rates@exchange.example.org",
        to="fourth@mailhost.example.com",
        subject="Double it in a week",
        body="Only today.",
    )
    # Q-encoded line ends in a subject and in a name: whoever answers must not write them into a header of their own.
    attacker = Reporting("=?utf-8?q?Desk=0D=0ABcc=3A_everyone=40victims=2Eexample=2Eorg?=", "fbl2@mailhost.example.com")
    yield mailed(
        day,
        "header-injection",
        "Line ends hidden in the subject and the sender's name: read, and answered without them",
        hours=4.7,
        by=attacker,
        subject="=?utf-8?q?FW=3A_spam=0D=0ABcc=3A_everyone=40victims=2Eexample=2Eorg=0D=0A=0D=0AHello?=",
        content=arf(
            {
                "Feedback-Type": "abuse",
                "User-Agent": "SampleFBL/2.1",
                "Version": "1",
                "Arrival-Date": rfc5322(day.at(4.3)),
                "Source-IP": "203.0.113.28",
            },
            sample=sample,
            words="This is an email abuse report for a message received from 203.0.113.28.",
        ),
        expected=fixed(about("messaging/spam", "203.0.113.28", account=1029)),
        moves=(fixes(6, "A test machine with a mailer that should not have been there."),),
    )

    yield mailed(
        day,
        "hostile-xml",
        "A notice whose XML grows without end and asks for a file: a person looks at it, nothing is expanded",
        hours=5.6,
        by=reporters.RIGHTS_AGENCY,
        subject="Notice of claimed infringement - Case ID SRA-666",
        content=multipart(
            (
                text("Please see the notice attached."),
                attachment(_entities().encode("utf-8"), content_type="application/xml", name="notice.xml"),
            )
        ),
        expected=for_a_person(ReadingReason.HOSTILE_FORM),
    )

    name = f"{day.at(-24):%Y-%m-%d}-scan_ntp-example_network-asn.csv"
    zeros = zipped(b"\0" * (24 * 1024 * 1024), name=name)
    yield mailed(
        day,
        "zip-bomb",
        "A scan feed whose small archive unfolds to 24 MiB of nothing: a person looks at it, nothing is unfolded",
        hours=9.6,
        by=reporters.SCAN_FOUNDATION,
        subject="NTP Version report for AS64500",
        content=multipart(
            (
                text("Your daily report for AS64500 is attached. All times are UTC."),
                attachment(zeros, content_type="application/zip", name=f"{name}.zip"),
            )
        ),
        expected=for_a_person(ReadingReason.TOO_LARGE),
    )


def _too_much(day: Day) -> Iterator[Told]:
    yield mailed(
        day,
        "ten-thousand",
        "A log with ten thousand addresses: a person looks at it, no customer is told",
        hours=10.5,
        by=reporters.FIREWALL,
        subject="Attack log",
        content=text(
            "Dear abuse team,\n\nplease find below the complete log of the attack.\n\n"
            + "\n".join(
                f"{rfc3339(day.at(8, number))} DENY 2001:db8:{number // 4096:x}:{number % 4096:x}::1 tcp 445"
                for number in range(10_000)
            )
        ),
        expected=for_a_person(ReadingReason.TOO_MANY_SOURCES),
    )

    inside = mail(
        "Spam from 192.0.2.10, I think.", sender=reporters.CITIZEN, subject="spam", at=day.at(9), to="x@example.com"
    )
    for level in range(80):
        inside = mail(
            multipart((text(f"Forwarded, level {level}."), enclosed(inside))),
            sender=reporters.CITIZEN,
            subject="Fwd: spam",
            at=day.at(9, level + 1),
            to="x@example.com",
        )
    yield mailed(
        day,
        "too-deep",
        "A mail in a mail, eighty times: a person looks at it",
        hours=11.1,
        by=reporters.CITIZEN,
        subject="Fwd: spam",
        content=multipart((text("See below."), enclosed(inside))),
        expected=for_a_person(ReadingReason.TOO_DEEP),
    )


def _entities() -> str:
    """The form of a notice, with entities of entities, and one that names a file."""
    lines = ['<!ENTITY a0 "ha">']
    lines += [f'<!ENTITY a{number} "{f"&a{number - 1};" * 10}">' for number in range(1, 10)]
    declared = "\n  ".join(lines)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE Infringement [
  {declared}
  <!ENTITY file SYSTEM "file:///etc/hostname">
]>
<Infringement xmlns="http://www.acns.net/ACNS">
  <Case><ID>&a9;</ID></Case>
  <Source><TimeStamp>&file;</TimeStamp><IP_Address>192.0.2.10</IP_Address><Port>6881</Port></Source>
  <Content><Item><Title>&a9;</Title></Item></Content>
</Infringement>
"""
