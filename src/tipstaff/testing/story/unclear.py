"""Complaints that are understood and still lead to nobody: not ours, no port, no time, too old, nobody there."""

from collections.abc import Iterator

from tipstaff.words import AttributionReason, ReadingReason, ReportOutcome

from . import reporters
from .mail import Day, plain, rfc3339, rfc5322, syslog, xarf, xarf_mail
from .telling import about, asks_for_detail, ends, for_a_person, mailed
from .told import Expected, Told


def tellings(day: Day) -> Iterator[Told]:
    """Every complaint that does not lead to a holder, and two that do though they look as if they did not."""
    yield from _somebody_elses(day)
    yield from _detail_missing(day)
    yield from _nobody_there(day)


def _somebody_elses(day: Day) -> Iterator[Told]:
    yield mailed(
        day,
        "not-ours",
        "Somebody else's address",
        hours=3.3,
        by=reporters.FIREWALL,
        subject="Port scan from 203.0.113.150",
        content=f"""
This is an automated notice from Sample Firewall Service.

Event:   port scan
Source:  203.0.113.150
First:   {rfc3339(day.at(3))}
Packets: 3

{rfc3339(day.at(3))} edge kernel: [DROP] IN=eth0 SRC=203.0.113.150 DST=198.51.100.36 PROTO=TCP SPT=60001 DPT=22 SYN
{rfc3339(day.at(3, 1))} edge kernel: [DROP] IN=eth0 SRC=203.0.113.150 DST=198.51.100.36 PROTO=TCP SPT=60002 DPT=23 SYN
{rfc3339(day.at(3, 2))} edge kernel: [DROP] IN=eth0 SRC=203.0.113.150 DST=198.51.100.36 PROTO=TCP SPT=60003 DPT=80 SYN
""",
        expected=_not_ours("connection/port_scan", "203.0.113.150"),
    )

    yield mailed(
        day,
        "not-ours-ipv6",
        "Somebody else's address of IPv6, XARF 4.2",
        hours=4.4,
        by=reporters.HONEYPOT,
        subject="XARF report: login_attack 2001:db8:9000::1",
        content=xarf_mail(
            xarf(
                "connection/login_attack",
                version="4.2.0",
                reporter=reporters.HONEYPOT,
                at=day.at(4.1),
                source="2001:db8:9000::1",
                source_port=38118,
                protocol="tcp",
                destination_port=22,
                first_seen=rfc3339(day.at(4.1)),
            ),
            words="Log-in attempts. Details in the attached XARF 4.2 report.",
        ),
        expected=_not_ours("connection/login_attack", "2001:db8:9000::1"),
    )


def _detail_missing(day: Day) -> Iterator[Told]:
    yield mailed(
        day,
        "shared-without-port",
        "A shared address without a port, in free text",
        hours=4.9,
        by=reporters.WORKSHOP,
        subject="Brute force from 198.51.100.4",
        content=f"""
Hello,

198.51.100.4 guesses passwords on my SSH server (brute force). My log keeps no ports:

{rfc3339(day.at(4.5))} vault sshd: authentication failure; user=root rhost=198.51.100.4
{rfc3339(day.at(4.5, 9))} vault sshd: authentication failure; user=admin rhost=198.51.100.4

Dana Sample
""",
        expected=asks_for_detail(
            about("connection/login_attack", "198.51.100.4", attribution=AttributionReason.SHARED_WITHOUT_PORT)
        ),
    )

    yield mailed(
        day,
        "pool-without-time",
        "An address from the pool, and no time at all",
        hours=5.3,
        by=reporters.CITIZEN,
        subject="spam",
        content="""
Hi,

I get spam from 192.0.2.131 all the time. That is in your network, says my provider. Please stop it.

Jamie
""",
        expected=asks_for_detail(
            about("messaging/spam", "192.0.2.131", attribution=AttributionReason.SEVERAL_HOLDERS_IN_WINDOW)
        ),
    )

    log = "\n".join(
        f"{syslog(day.at(-4, 6 * number))} vault sshd[77{number}]: "
        f"Failed password for root from 192.0.2.131 port {41000 + number} ssh2"
        for number in range(3)
    )
    yield mailed(
        day,
        "pool-without-zone",
        "The same address with a time but no zone: within 14 hours it had several holders",
        hours=5.7,
        by=reporters.PROVIDER_PL,
        subject="Próby włamania z 192.0.2.131",
        content=f"""
Dzień dobry,

z adresu 192.0.2.131 ktoś próbuje odgadnąć hasła SSH (brute force). Fragment dziennika:

{log}

Prosimy o reakcję.

Przykładowy Dostawca
""",
        expected=asks_for_detail(
            about("connection/login_attack", "192.0.2.131", attribution=AttributionReason.SEVERAL_HOLDERS_IN_WINDOW)
        ),
    )

    yield mailed(
        day,
        "years-ago",
        "Found in an old mailbox: years ago",
        hours=6.4,
        by=reporters.SCHOOL,
        subject="SSH attack from 192.0.2.18",
        content=f"""
Dear abuse desk,

while tidying up I found that 192.0.2.18 attacked our server (SSH brute force):

{rfc3339(day.at(-24 * 365 * 6))} files sshd[801]: Failed password for root from 192.0.2.18 port 40022 ssh2
{rfc3339(day.at(-24 * 365 * 6, 3))} files sshd[802]: Failed password for root from 192.0.2.18 port 40023 ssh2

Yours, Example School
""",
        expected=ends(
            ReportOutcome.TOO_OLD,
            about("connection/login_attack", "192.0.2.18", attribution=AttributionReason.BEFORE_RECORDS),
        ),
    )


def _nobody_there(day: Day) -> Iterator[Told]:
    yield mailed(
        day,
        "customer-gone",
        "The customer who did it has left: a person decides",
        hours=7.3,
        by=reporters.SPAMTRAP,
        subject="Unsolicited mail from 192.0.2.41",
        content=f"""
Hello abuse desk,

a trap of ours received this spam some days ago:

Received: from studio (unknown [192.0.2.41])
        by trap.spamtrap.example.org (Postfix) with SMTP id 4F1C2A0101
        for <trap-0107@spamtrap.example.org>; {rfc5322(day.at(-60))}
Subject: Houses for nothing

Example Spamtrap Project
""",
        expected=ends(
            ReportOutcome.WITH_A_PERSON,
            about("messaging/spam", "192.0.2.41", account=1005),
        ),
    )

    yield mailed(
        day,
        "unassigned",
        "The same address today, when nobody holds it: a finding for an engineer",
        hours=7.6,
        by=reporters.SPAMTRAP,
        subject="Unsolicited mail from 192.0.2.41, again",
        content=f"""
Hello abuse desk,

another one of the same kind, from today:

Received: from studio (unknown [192.0.2.41])
        by trap.spamtrap.example.org (Postfix) with SMTP id 4F1C2A0102
        for <trap-0107@spamtrap.example.org>; {rfc5322(day.at(6.9))}
Subject: Houses for nothing, spam number two

Example Spamtrap Project
""",
        expected=ends(
            ReportOutcome.WITH_A_PERSON,
            about("messaging/spam", "192.0.2.41", attribution=AttributionReason.UNASSIGNED),
        ),
    )

    yield mailed(
        day,
        "no-representative",
        "The customer has named nobody to write to: a person decides",
        hours=8.2,
        by=reporters.PROVIDER_NL,
        subject="Portscan vanaf 192.0.2.45",
        content=f"""
Beste collega's,

192.0.2.45 scant poorten in ons netwerk (port scan):

{plain(day.at(7.9))} UTC fw DROP TCP 192.0.2.45:55000 -> 203.0.113.216:22
{plain(day.at(7.9, 1))} UTC fw DROP TCP 192.0.2.45:55001 -> 203.0.113.216:23
{plain(day.at(7.9, 2))} UTC fw DROP TCP 192.0.2.45:55002 -> 203.0.113.216:3389

Voorbeeld Provider
""",
        expected=ends(
            ReportOutcome.WITH_A_PERSON,
            about("connection/port_scan", "192.0.2.45", account=1006),
        ),
    )

    yield mailed(
        day,
        "no-source",
        "Anger without an address: a person asks back",
        hours=9.7,
        by=reporters.CITIZEN,
        subject="You are attacking my computer!!",
        content="""
Somebody in your network is attacking my computer since yesterday. My virus scanner says so.
Stop this abuse at once or I will go to the police!

Jamie
""",
        expected=for_a_person(ReadingReason.NO_SOURCE),
    )

    yield mailed(
        day,
        "late-lease",
        "A lease that had ended two hours before: nobody held the address then",
        hours=9.9,
        by=reporters.WORKSHOP,
        subject="SSH brute force from 192.0.2.151",
        content=f"""
Hello,

192.0.2.151 guesses passwords over SSH (brute force). From my log, times are UTC:

{rfc3339(day.at(8))} vault sshd[5001]: Failed password for root from 192.0.2.151 port 47001 ssh2
{rfc3339(day.at(8, 4))} vault sshd[5002]: Failed password for admin from 192.0.2.151 port 47002 ssh2

Dana Sample
""",
        expected=ends(
            ReportOutcome.WITH_A_PERSON,
            about("connection/login_attack", "192.0.2.151", attribution=AttributionReason.UNASSIGNED),
        ),
    )


def _not_ours(type: str, source: str) -> Expected:
    return ends(ReportOutcome.NOT_OURS, about(type, source, attribution=AttributionReason.NOT_OUR_SPACE))
