"""What comes to the mailbox and is no complaint: answers of machines, bounces, advertising, our own letters."""

from collections.abc import Iterator

from tipstaff.words import ReadingReason

from . import reporters
from .mail import Day, Part, enclosed, mail, multipart, rfc5322, text
from .operator import ABUSE_ADDRESS
from .reporters import Reporting
from .telling import as_told, mailed, nothing
from .told import Told

_DAEMON = Reporting("Mail Delivery System", "mailer-daemon@mailbox.example.com", mx="203.0.113.222")
_OURSELVES = Reporting("Example Network abuse desk", ABUSE_ADDRESS, mx="198.51.100.65")


def tellings(day: Day) -> Iterator[Told]:
    """Everything that must be set aside, each with its reason."""
    yield mailed(
        day,
        "auto-reply",
        "A ticket system answers by itself",
        hours=1.3,
        by=reporters.HOSPITAL,
        subject="[HOSP-2231] We have received your message",
        content="""
Thank you for your message. It has been filed under HOSP-2231. We answer within two working days.

This is an automatic reply. Please do not answer it.
""",
        headers=("Auto-Submitted: auto-replied", "X-Auto-Response-Suppress: All", "Precedence: auto_reply"),
        expected=nothing(ReadingReason.AUTO_REPLY),
    )

    yield mailed(
        day,
        "out-of-office",
        "Out of office, in French, without the header that says so",
        hours=2.6,
        by=Reporting("Camille Exemple", "camille@hebergement.example.com", 1, reporters.HOSTER_FR.mx),
        subject="Absence du bureau : Re: [R-000003] Votre signalement",
        content="""
Bonjour,

Je suis absent du bureau jusqu'à lundi et ne peux pas lire votre message. En cas d'urgence, veuillez écrire à
securite@hebergement.example.com.

Ceci est une réponse automatique.
""",
        expected=nothing(ReadingReason.AUTO_REPLY),
        lmtp=True,
    )

    bounced = mail(
        "We have received your report and filed it under R-000007.",
        sender=_OURSELVES,
        subject="[R-000007] Your report",
        at=day.at(4.2),
        to="nobody@mailbox.example.com",
    )
    content = multipart(
        (
            text(
                "I am sorry to have to tell you that your message could not be delivered to nobody@mailbox.example.com."
            ),
            Part(
                content_type="message/delivery-status",
                body=(
                    f"Reporting-MTA: dns; mx1.mailbox.example.com\r\nArrival-Date: {rfc5322(day.at(4.2))}\r\n\r\n"
                    "Final-Recipient: rfc822; nobody@mailbox.example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n"
                    "Diagnostic-Code: smtp; 550 5.1.1 No such user here\r\n"
                ).encode("ascii"),
            ),
            enclosed(bounced),
        ),
        subtype="report",
        parameters="report-type=delivery-status",
    )
    yield as_told(
        "bounce",
        "A letter of ours comes back as undeliverable",
        hours=4.25,
        raw=mail(
            content,
            sender=_DAEMON,
            subject="Undelivered Mail Returned to Sender",
            at=day.at(4.25, -60),
            headers=("Auto-Submitted: auto-replied",),
        ),
        sender="",
        expected=nothing(ReadingReason.BOUNCE),
    )

    yield mailed(
        day,
        "newsletter",
        "A newsletter with abuse in its programme",
        hours=5.4,
        by=reporters.CONFERENCE,
        subject="This year's programme: routing, abuse handling, IPv6",
        content="""
Dear members,

the programme is out. Talks on routing security, on abuse handling and phishing, and on 2001:db8::/32 as a
way of life. Early tickets until the end of the month.

You receive this newsletter because you came last year. Unsubscribe: https://conference.example.com/leave
""",
        headers=(
            "List-Id: Conference news <news.conference.example.com>",
            "List-Unsubscribe: <https://conference.example.com/leave>",
            "Precedence: bulk",
        ),
        expected=nothing(ReadingReason.NEWSLETTER),
    )

    yield mailed(
        day,
        "own-letter",
        "One of our own letters, sent back to us by a loop",
        hours=6.1,
        by=_OURSELVES,
        subject="[C-000001] Spam reported from 192.0.2.10",
        content=f"""
Dear Ada Example,

we have been told that unsolicited mail was sent from 192.0.2.10 at {rfc5322(day.at(-0.4))}.
Please look into it and answer within the time given below.

Example Network
""",
        headers=("Auto-Submitted: auto-generated", "X-Loop: abuse@operator.example.net"),
        expected=nothing(ReadingReason.OWN_LETTER),
    )

    yield mailed(
        day,
        "advertising",
        "Somebody wants to sell an appliance",
        hours=7.9,
        by=reporters.VENDOR,
        subject="Quick question about your firewall",
        content="""
Hi there,

are you happy with your firewall? Our new appliance is 30% off until Friday. Do you have ten minutes for a call
next week to learn more about our products and pricing?

Best regards
Sample Appliance Sales
""",
        expected=nothing(ReadingReason.NOT_ABUSE),
    )

    yield mailed(
        day,
        "empty",
        "An empty mail",
        hours=8.4,
        by=reporters.CITIZEN,
        subject="",
        content="",
        expected=nothing(ReadingReason.EMPTY),
    )
