"""Complaints about mail: feedback loops, spam traps, and people who paste what they got."""

from collections.abc import Iterator

from tipstaff.words import AttributionReason, ReportOutcome

from . import reporters
from .mail import (
    Day,
    arf,
    enclosed,
    mail,
    multipart,
    plain,
    rfc3339,
    rfc5322,
    spam_sample,
    text,
    xarf,
    xarf_evidence,
    xarf_mail,
)
from .reporters import Reporting
from .telling import (
    about,
    asks_for_time,
    disputes,
    ends,
    fixed,
    fixes,
    fixes_after_measure,
    is_right,
    mailed,
    measured,
)
from .told import Told


def tellings(day: Day) -> Iterator[Told]:
    """Every complaint about mail."""
    yield from _feedback_loops(day)
    yield from _xarf(day)
    yield from _people(day)


def _feedback_loops(day: Day) -> Iterator[Told]:
    sample = spam_sample(
        source="192.0.2.10",
        helo="till.bakery.example.com",
        received_by="mx3.mailhost.example.com",
        at=day.at(-0.4),
        sender="winner@prizes.example.com",
        to="someone@mailhost.example.com",
        subject="You have been chosen",
        body="Congratulations! Your parcel waits for you. Answer today with your account number.",
    )
    yield mailed(
        day,
        "spam-arf",
        "Feedback loop: spam from a bakery's line, nobody answers",
        hours=0.5,
        by=reporters.FEEDBACK_LOOP,
        subject="FW: You have been chosen",
        content=arf(
            {
                "Feedback-Type": "abuse",
                "User-Agent": "SampleFBL/2.1",
                "Version": "1",
                "Original-Mail-From": "<winner@prizes.example.com>",
                "Arrival-Date": rfc5322(day.at(-0.4)),
                "Source-IP": "192.0.2.10",
                "Reporting-MTA": "dns; mx3.mailhost.example.com",
                "Incidents": "14",
            },
            sample=sample,
            words=f"""
This is an email abuse report for a message received from IP 192.0.2.10 on {rfc5322(day.at(-0.4))}.
Fourteen of our users marked mail from this address as junk within one hour.
""",
        ),
        expected=measured(about("messaging/spam", "192.0.2.10", account=1001), measure="tcp/25 from 192.0.2.10"),
        moves=(
            fixes_after_measure(
                3, "The till's computer was infected. We have set it up anew and changed all passwords."
            ),
        ),
    )

    sample = spam_sample(
        source="198.51.100.66",
        helo="out.newsletters.example.com",
        received_by="mx1.freemail.example.org",
        at=day.at(0.6),
        sender="offers@letters.example.com",
        to="redacted@freemail.example.org",
        subject="Last chance for the spring offer",
        body="Only until Friday: everything at half the price. You receive this because you are on our list.",
    )
    yield mailed(
        day,
        "spam-arf-without-source",
        "Feedback loop that names no address: the enclosed mail does",
        hours=1,
        by=reporters.FREEMAIL,
        subject="Abuse report",
        content=arf(
            {"Feedback-Type": "abuse", "User-Agent": "Freemail-Loop/0.9", "Version": "0.1"},
            sample=sample,
            words="A user of ours declared the enclosed message to be spam. You asked to be told.",
        ),
        expected=fixed(about("messaging/spam", "198.51.100.66", account=1030)),
        moves=(fixes(4, "A customer of ours uploaded a bought list. The list is gone and the customer is barred."),),
    )

    sample = spam_sample(
        source="198.51.100.4",
        source_port=20000,
        helo="phone.mobile.example.net",
        received_by="mx2.mailhost.example.com",
        at=day.at(1.2),
        sender="lou@pills.example.com",
        to="someone.else@mailhost.example.com",
        subject="Cheap and without a prescription",
        body="Order now, pay later.",
    )
    yield mailed(
        day,
        "spam-arf-port",
        "Feedback loop about a shared address: the source port decides who it was",
        hours=1.5,
        by=reporters.FEEDBACK_LOOP,
        subject="FW: Cheap and without a prescription",
        content=arf(
            {
                "Feedback-Type": "abuse",
                "User-Agent": "SampleFBL/2.1",
                "Version": "1",
                "Arrival-Date": rfc5322(day.at(1.2)),
                "Source-IP": "198.51.100.4",
                "Source-Port": "20000",
            },
            sample=sample,
            words="This is an email abuse report for a message received from 198.51.100.4, source port 20000.",
            headers_only=True,
        ),
        expected=fixed(about("messaging/spam", "198.51.100.4", port=20000, account=1019)),
        moves=(fixes(6, "C'était une application sur mon téléphone. Je l'ai supprimée."),),
    )

    sample = spam_sample(
        source="203.0.113.70",
        helo="relay70.cooperative.example.net",
        received_by="mx4.mailhost.example.com",
        at=day.at(2.1),
        sender="jobs@offers.example.org",
        to="third@mailhost.example.com",
        subject="Work from home",
        body="Earn more with three hours a week.",
    )
    yield mailed(
        day,
        "spam-arf-opt-out",
        "Feedback loop about a BGP customer's own prefix",
        hours=2.5,
        by=reporters.FEEDBACK_LOOP,
        subject="FW: Work from home",
        content=arf(
            {
                "Feedback-Type": "abuse",
                "User-Agent": "SampleFBL/2.1",
                "Version": "1",
                "Received-Date": rfc5322(day.at(2.1)),
                "Source-IP": "203.0.113.70",
            },
            sample=sample,
            words="This is an email abuse report for a message received from 203.0.113.70.",
            also=("Reported-Domain: offers.example.org", "Removal-Recipient: third@mailhost.example.com"),
        ),
        expected=fixed(about("messaging/spam", "203.0.113.70", account=1032)),
        moves=(fixes(7, "A member's relay was open. It is closed now."),),
    )

    sample = spam_sample(
        source="198.51.100.66",
        helo="out.newsletters.example.com",
        received_by="mx1.freemail.example.org",
        at=day.at(11.5),
        sender="offers@letters.example.com",
        to="redacted@freemail.example.org",
        subject="The spring offer is back",
        body="Now everything at a third of the price.",
    )
    yield mailed(
        day,
        "spam-again",
        "The newsletter house again, after it had fixed the first case",
        hours=12,
        by=reporters.FREEMAIL,
        subject="Abuse report",
        content=arf(
            {
                "Feedback-Type": "abuse",
                "User-Agent": "Freemail-Loop/0.9",
                "Version": "0.1",
                "Arrival-Date": rfc5322(day.at(11.5)),
                "Source-IP": "198.51.100.66",
            },
            sample=sample,
            words="A user of ours declared the enclosed message to be spam. You asked to be told.",
        ),
        expected=fixed(about("messaging/spam", "198.51.100.66", account=1030, repeats="spam-arf-without-source")),
        moves=(fixes(5, "The same customer came back under another name. We now check every new list by hand."),),
    )


def _xarf(day: Day) -> Iterator[Told]:
    sample = spam_sample(
        source="198.51.100.67",
        helo="mail.clinic.example.org",
        received_by="trap.spamtrap.example.org",
        at=day.at(2.0),
        sender="invoice@clinic.example.org",
        to="trap-0417@spamtrap.example.org",
        subject="Unpaid invoice",
        body="Please find the invoice on our page and pay it today.",
    )
    yield mailed(
        day,
        "spam-xarf",
        "Spam trap, XARF 4.2: the clinic asks for time and gets it once",
        hours=2.2,
        by=reporters.SPAMTRAP,
        subject="[XARF] messaging/spam from 198.51.100.67",
        content=xarf_mail(
            xarf(
                "messaging/spam",
                version="4.2.0",
                reporter=reporters.SPAMTRAP,
                at=day.at(2.0),
                source="198.51.100.67",
                source_port=41022,
                protocol="smtp",
                smtp_from="invoice@clinic.example.org",
                smtp_to="trap-0417@spamtrap.example.org",
                subject="Unpaid invoice",
                evidence_source="spamtrap",
                confidence=0.98,
                evidence=xarf_evidence(sample, content_type="message/rfc822", description="The mail as received"),
            ),
            words="An address that nobody ever used received this. The report is attached as XARF 4.2.",
        ),
        expected=fixed(about("messaging/spam", "198.51.100.67", port=41022, account=1031)),
        moves=(
            asks_for_time(
                10, "Our mail server is looked after by a firm that comes tomorrow. May we have one more day?"
            ),
            fixes(30, "One mailbox had a guessed password. It is changed, and two factors are needed now."),
        ),
    )

    sample = spam_sample(
        source="192.0.2.131",
        helo="[192.0.2.131]",
        received_by="pot7.honeypot.example.org",
        at=day.at(-10),
        sender="casino@luck.example.com",
        to="pot@honeypot.example.org",
        subject="Free spins",
        body="Your first hundred spins cost nothing.",
    )
    yield mailed(
        day,
        "spam-xarf-3",
        "Honeypot, XARF 3: an address from the residential pool, ten hours ago",
        hours=1.8,
        by=reporters.HONEYPOT,
        subject="XARF report: Spam 192.0.2.131",
        content=xarf_mail(
            {
                "Version": "3",
                "ReporterInfo": {
                    "ReporterOrg": reporters.HONEYPOT.name,
                    "ReporterOrgDomain": reporters.HONEYPOT.domain,
                    "ReporterOrgEmail": reporters.HONEYPOT.address,
                    "ReporterContactEmail": reporters.HONEYPOT.address,
                    "ReporterContactName": "Report robot",
                },
                "Disclosure": True,
                "Report": {
                    "ReportClass": "Activity",
                    "ReportType": "Spam",
                    "Date": rfc3339(day.at(-10)),
                    "SourceIp": "192.0.2.131",
                    "SourcePort": 55120,
                    "Protocol": "smtp",
                    "DestinationPort": 25,
                    "SmtpMailFromAddress": "casino@luck.example.com",
                    "SmtpMessageSubject": "Free spins",
                    "Samples": [
                        {
                            "ContentType": "message/rfc822",
                            "Base64Encoded": True,
                            "Description": "The mail",
                            "Data": str(
                                xarf_evidence(sample, content_type="message/rfc822", description="")[0]["payload"]
                            ),
                        }
                    ],
                },
            },
            words="Automatic report. The attached file is XARF 3.",
        ),
        expected=fixed(about("messaging/spam", "192.0.2.131", port=55120, account=1010)),
        moves=(fixes(5, "My old laptop. It is off and stays off."),),
    )

    yield mailed(
        day,
        "bulk-xarf",
        "Bulk mail, XARF 4.1: the students show that every reader had signed up",
        hours=3,
        by=reporters.SCHOOL,
        subject="Bulk mailing from 198.51.100.58",
        content=xarf_mail(
            xarf(
                "messaging/bulk_messaging",
                version="4.1.0",
                reporter=reporters.SCHOOL,
                at=day.at(2.5),
                source="198.51.100.58",
                source_port=40125,
                protocol="smtp",
                smtp_from="news@students.example.org",
                subject="What is on this term",
                recipient_count=310,
                unsubscribe_provided=True,
                evidence_source="volume_analysis",
            ),
            words="310 copies of one letter reached our school within a quarter of an hour.",
        ),
        expected=ends(
            ReportOutcome.NOT_UPHELD,
            about("messaging/bulk_messaging", "198.51.100.58", port=40125, account=1043),
        ),
        moves=(
            disputes(
                6, "All 310 pupils signed up at the open day; here is the list with the time of each confirmation."
            ),
            is_right(9, "The confirmations are in order, and the letter carries a way out. Not upheld."),
        ),
    )


def _people(day: Day) -> Iterator[Told]:
    yield mailed(
        day,
        "spam-joins",
        "A spam trap about the same line of the bakery: joins the open case",
        hours=5,
        by=reporters.SPAMTRAP,
        subject="Unsolicited mail from 192.0.2.10",
        content=f"""
Hello abuse desk,

one of our traps received unsolicited mail from an address of yours. The headers:

Received: from till.bakery.example.com (unknown [192.0.2.10])
        by trap.spamtrap.example.org (Postfix) with SMTP id 4F1C2A0077
        for <trap-0099@spamtrap.example.org>; {rfc5322(day.at(4.5))}
Date: {rfc5322(day.at(4.5))}
From: winner@prizes.example.com
Subject: Second reminder of your prize

Please stop this.

Example Spamtrap Project
""",
        expected=ends(
            ReportOutcome.MEASURE_TAKEN, about("messaging/spam", "192.0.2.10", account=1001, joins="spam-arf")
        ),
    )

    yield mailed(
        day,
        "spam-german",
        "German free text: the same pool address later, so another household",
        hours=3.2,
        by=reporters.CERT,
        subject="Spamversand über 192.0.2.131",
        content=f"""
Sehr geehrte Damen und Herren,

über die Adresse 192.0.2.131 aus Ihrem Netz wird unerwünschte Werbung (Spam) verschickt.
Auszug aus den Kopfzeilen der Nachricht:

Received: from pc-wohnzimmer (unknown [192.0.2.131])
        by mx.cert.example.org (Postfix) with ESMTP id 77AB31;
        {rfc5322(day.at(2.75), hours=1)}
From: "Gewinnspiel" <gewinn@lose.example.com>
Subject: Ihr Gewinn liegt bereit

Bitte prüfen Sie den Anschluss und veranlassen Sie das Nötige.

Mit freundlichen Grüßen
Beispiel-CERT
""",
        expected=fixed(about("messaging/spam", "192.0.2.131", account=1011)),
        moves=(fixes(8, "Der Rechner im Wohnzimmer war befallen. Er ist neu aufgesetzt."),),
    )

    local = plain(day.at(3.5))
    yield mailed(
        day,
        "spam-spanish",
        "Spanish free text with the log of a mail server",
        hours=4,
        by=reporters.UNIVERSITY,
        subject="Correo no deseado desde 192.0.2.140",
        content=text(
            f"""
Estimados señores:

Desde la dirección 192.0.2.140 se está enviando correo no deseado (spam) a nuestros buzones.
Adjuntamos el registro de nuestro servidor. Todas las horas están en UTC.

{local} UTC mx postfix/smtpd[2211]: connect from unknown[192.0.2.140]
{local} UTC mx postfix/smtpd[2211]: NOQUEUE: reject: RCPT from unknown[192.0.2.140]: 554 Spam; from=<premio@example.com>
{local} UTC mx postfix/smtpd[2211]: disconnect from unknown[192.0.2.140]

Les rogamos que tomen medidas.

Servicio de seguridad
Universidad de Ejemplo
""",
            charset="iso-8859-1",
            encoding="quoted-printable",
        ),
        expected=fixed(about("messaging/spam", "192.0.2.140", account=1013)),
        moves=(fixes(9, "Era un virus en el ordenador de mi hijo. Ya está limpio."),),
    )

    yield mailed(
        day,
        "spam-polish",
        "Polish free text in ISO 8859-2 about an address of IPv6",
        hours=4.3,
        by=reporters.PROVIDER_PL,
        subject="Niechciana poczta z Państwa sieci",
        content=text(
            f"""
Dzień dobry,

z adresu 2001:db8:2:1200::25 w Państwa sieci wysyłany jest spam do naszych klientów.
Nagłówki wiadomości:

Received: from dom (unknown [IPv6:2001:db8:2:1200::25])
        by poczta.dostawca.example.org (Postfix) with ESMTPS id 9C0D1E;
        {rfc5322(day.at(3.9), hours=1)}
From: okazja@promocje.example.com
Subject: Wyprzedaż

Prosimy o zajęcie się sprawą.

Zespół bezpieczeństwa
Przykładowy Dostawca
""",
            charset="iso-8859-2",
            encoding="base64",
        ),
        expected=fixed(about("messaging/spam", "2001:db8:2:1200::25", account=1012)),
        moves=(fixes(3, "The printer had an open relay, of all things. Updated."),),
    )

    yield mailed(
        day,
        "spam-html",
        "A private person, HTML only, with the headers pasted in",
        hours=6,
        by=reporters.CITIZEN,
        subject="junk mail from your network",
        content=text(
            f"""
<html><head><style>p {{ color: #333 }}</style></head><body>
<p>Hi,</p>
<p>I keep getting <b>spam</b> from one of your machines. My provider says I should send you the header:</p>
<pre>
Received: from plant-pc (unknown [198.51.100.43])
 by mx1.mailbox.example.com with ESMTP; {rfc5322(day.at(5.2))}
From: &quot;Watches&quot; &lt;deal@watches.example.com&gt;
Subject: Genuine copies
</pre>
<p>Can you make it stop?&nbsp; Thanks<br>Jamie</p>
</body></html>
""",
            subtype="html",
        ),
        expected=fixed(about("messaging/spam", "198.51.100.43", account=1041)),
        moves=(fixes(9, "The control room's PC sent it. It has been set up anew."),),
    )

    inner = spam_sample(
        source="198.51.100.130",
        helo="srv1.toys.example.com",
        received_by="mx.school.example.org",
        at=day.at(6.1),
        sender="loan@credit.example.com",
        to="head@school.example.org",
        subject="Money within the hour",
        body="No questions asked.",
    )
    forward = _forward(reporters.SCHOOL, day, inner)
    yield mailed(
        day,
        "spam-forwarded",
        "Forwarded twice as an attachment; the address is a reseller's customer's",
        hours=6.5,
        by=reporters.SCHOOL,
        subject="Spam from your network: Fwd: Fwd: Money within the hour",
        content=multipart(
            (
                text("Our head teacher got this spam and forwarded it to me. It comes from your network. Please act."),
                enclosed(forward),
            )
        ),
        expected=fixed(about("messaging/spam", "198.51.100.130", account=1033, downstream=1035)),
        moves=(fixes(10, "Our customer's contact form was used to send it. It is closed until they repair it."),),
        lmtp=True,
    )

    yield mailed(
        day,
        "spam-portuguese",
        "Portuguese free text: no time at all, but one holder for weeks",
        hours=7.5,
        by=reporters.PROVIDER_BR,
        subject="Spam a partir de 198.51.100.52",
        content="""
Prezados,

o endereço 198.51.100.52, da rede de vocês, envia spam continuamente aos nossos clientes.
Pedimos que verifiquem a máquina e interrompam o envio.

Atenciosamente,
Equipe de abuso
Provedor Exemplo
""",
        expected=fixed(
            about(
                "messaging/spam",
                "198.51.100.52",
                account=1042,
                attribution=AttributionReason.TIME_ASSUMED,
            )
        ),
        moves=(fixes(11, "Era o computador do balcão. Foi formatado."),),
    )


def _forward(by: Reporting, day: Day, inner: bytes) -> bytes:
    """The head teacher's own forward, as the school's administrator got it."""
    return mail(
        multipart((text("What is this?"), enclosed(inner))),
        sender=Reporting("Head Teacher", f"head@{by.domain}", by.zone_hours, "10.20.0.12"),
        subject="Fwd: Money within the hour",
        at=day.at(6.3),
        to=by.address,
        received_by=f"mx.{by.domain}",
    )
