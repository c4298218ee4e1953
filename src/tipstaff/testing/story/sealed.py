"""Child-abuse material: what is said about it, and a picture that must be found nowhere afterwards.

The picture is a grey square made by `mail.innocent_picture`; what matters is that it is attached at all.
"""

from collections.abc import Iterator

from . import reporters
from .mail import (
    Day,
    attachment,
    enclosed,
    innocent_picture,
    mail,
    multipart,
    rfc3339,
    text,
    xarf,
    xarf_evidence,
    xarf_mail,
)
from .reporters import Reporting
from .telling import mailed, sealed
from .told import Told


def tellings(day: Day) -> Iterator[Told]:
    """Three ways in which such a report comes: as XARF with evidence, as free text, and forwarded."""
    picture = attachment(innocent_picture(), content_type="image/png", name="capture.png")
    url = "https://www.yoga.example.com/members/0417/"
    yield mailed(
        day,
        "sealed-xarf",
        "A hotline's report, XARF 4.2 with a picture in it and beside it: sealed",
        hours=2.3,
        by=reporters.HOTLINE,
        subject="URGENT: report 2231, content for immediate removal",
        content=xarf_mail(
            xarf(
                "content/csam",
                version="4.2.0",
                reporter=reporters.HOTLINE,
                at=day.at(2),
                source="203.0.113.10",
                url=url,
                domain="www.yoga.example.com",
                classification="baseline",
                detection_method="manual_review",
                media_type="image",
                evidence=xarf_evidence(innocent_picture(), content_type="image/png", description="Capture"),
            ),
            words="Please act on the attached report and preserve what the law asks you to preserve.",
            third=picture,
        ),
        expected=sealed(),
    )

    yield mailed(
        day,
        "sealed-text",
        "A private person reports child sexual abuse material and attaches a picture: sealed",
        hours=6.6,
        by=reporters.CITIZEN,
        subject="child sexual abuse material on a site you host",
        content=multipart(
            (
                text(
                    f"""
Hello,

I want to report child sexual abuse material (CSAM). The site is {url} and I saw it at {rfc3339(day.at(6.2))}.
I attached what I saw, I did not know how else to show you.

Jamie
"""
                ),
                picture,
            )
        ),
        expected=sealed(),
    )

    original = mail(
        multipart(
            (
                text(f"Auf {url} steht Kinderpornografie. Das Bild hängt an. Gesehen: {rfc3339(day.at(9.3))}"),
                attachment(innocent_picture(), content_type="application/octet-stream", name="bild.dat"),
            )
        ),
        sender=Reporting("Leser", "leser@mailbox.example.com", 1, reporters.CITIZEN.mx),
        subject="Meldung",
        at=day.at(9.4),
        to=reporters.CERT.address,
    )
    yield mailed(
        day,
        "sealed-forwarded",
        "A German report of the same, forwarded as an attachment, the picture under a false type: sealed",
        hours=10.2,
        by=reporters.CERT,
        subject="WG: Meldung",
        content=multipart((text("Zur sofortigen Bearbeitung."), enclosed(original))),
        expected=sealed(),
        lmtp=True,
    )
