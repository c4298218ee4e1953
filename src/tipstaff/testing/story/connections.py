"""Complaints about traffic: guessed passwords, scans, floods, injections; most with a log pasted in."""

from collections.abc import Iterator

from tipstaff.words import ReportOutcome

from . import reporters
from .mail import Day, apache, attachment, multipart, plain, rfc3339, syslog, text, xarf, xarf_evidence, xarf_mail
from .telling import (
    about,
    disputes,
    doubts_that_it_is_theirs,
    ends,
    fixed,
    fixes,
    fixes_after_measure,
    forwarded,
    is_wrong,
    mailed,
    measured,
    takes_measure,
)
from .told import Told


def tellings(day: Day) -> Iterator[Told]:
    """Every complaint about connections."""
    yield from _passwords(day)
    yield from _scans(day)
    yield from _floods(day)
    yield from _web(day)


def _passwords(day: Day) -> Iterator[Told]:
    def lines(host: str, hours: float) -> str:
        users = ("root", "admin", "oracle", "backup", "test")
        return "\n".join(
            f"{rfc3339(day.at(hours, 7 * number))} {host} sshd[{4100 + number}]: "
            f"Failed password for {'invalid user ' if number else ''}{user} from 192.0.2.18 port {40112 + number} ssh2"
            for number, user in enumerate(users)
        )

    yield mailed(
        day,
        "ssh",
        "Guessed passwords on SSH from a dental practice, nobody answers",
        hours=0.8,
        by=reporters.WORKSHOP,
        subject="SSH brute force from 192.0.2.18",
        content=f"""
Hello,

a host in your network is trying to log in to my server by guessing passwords over SSH (port 22).
Source: 192.0.2.18. Lines from my log, times are UTC:

{lines("vault", 0.25)}

Please have a look at it.

Dana Sample
""",
        expected=measured(
            about("connection/login_attack", "192.0.2.18", account=1002), measure="tcp/22 from 192.0.2.18"
        ),
        moves=(
            takes_measure(1, "It is still going on. Port 22 outwards, and nothing else."),
            fixes_after_measure(2, "The X-ray computer had a remote access tool on it. Our supplier removed it."),
        ),
    )

    joined = about("connection/login_attack", "192.0.2.18", account=1002, joins="ssh")
    yield mailed(
        day,
        "ssh-resent",
        "The same complaint, sent once more by the same person: one event told twice",
        hours=2.1,
        by=reporters.WORKSHOP,
        subject="SSH brute force from 192.0.2.18",
        content=f"""
Hello,

I am not sure that this reached you, so here it is again.

a host in your network is trying to log in to my server by guessing passwords over SSH (port 22).
Source: 192.0.2.18. Lines from my log, times are UTC:

{lines("vault", 0.25)}

Please have a look at it.

Dana Sample
""",
        expected=ends(ReportOutcome.DUPLICATE, joined),
    )

    yield mailed(
        day,
        "ssh-joins",
        "A hospital about the same host: joins the case under its own number",
        hours=3.4,
        by=reporters.HOSPITAL,
        subject="Repeated failed logins from 192.0.2.18 [HOSP-2231]",
        content=f"""
Dear colleagues,

our gateway refused log-ins over SSH from 192.0.2.18. Our reference is HOSP-2231. Excerpt (UTC):

{lines("gateway", 2.9)}

Kind regards
Sample Hospital IT
""",
        expected=ends(ReportOutcome.MEASURE_TAKEN, joined),
    )

    yield mailed(
        day,
        "ssh-xarf",
        "Honeypot, XARF 4.0: guessed passwords from a German firm",
        hours=1.2,
        by=reporters.HONEYPOT,
        subject="XARF report: login_attack 192.0.2.27",
        content=xarf_mail(
            xarf(
                "connection/login_attack",
                version="4.0.0",
                reporter=reporters.HONEYPOT,
                at=day.at(0.9),
                source="192.0.2.27",
                source_port=50422,
                protocol="tcp",
                destination_ip="203.0.113.204",
                destination_port=22,
                first_seen=rfc3339(day.at(0.7)),
                last_seen=rfc3339(day.at(0.9)),
                evidence_source="honeypot",
                description="312 log-in attempts within twelve minutes",
            ),
            words="312 log-in attempts within twelve minutes. Details in the attached XARF 4.0 report.",
        ),
        expected=fixed(about("connection/login_attack", "192.0.2.27", port=50422, account=1003)),
        moves=(fixes(6, "Der Rechner der Werkstatt war befallen und ist vom Netz genommen."),),
        lmtp=True,
    )

    log = "\n".join(
        f"192.0.2.58 - - [{apache(day.at(1.5, 3 * number), hours=1)}] "
        '"POST /wp-login.php HTTP/1.1" 200 4523 "-" "Mozilla/5.0"'
        for number in range(6)
    )
    yield mailed(
        day,
        "wordpress-french",
        "French free text: guessed passwords on a web log-in, access log pasted in",
        hours=2.4,
        by=reporters.HOSTER_FR,
        subject="Attaque par force brute depuis 192.0.2.58",
        content=f"""
Bonjour,

l'adresse 192.0.2.58 de votre réseau mène une attaque par force brute contre la page de connexion
de plusieurs de nos clients. Voici un extrait du journal d'accès :

{log}

Merci de faire le nécessaire.

Cordialement,
L'équipe sécurité
""",
        expected=fixed(about("connection/login_attack", "192.0.2.58", account=1008)),
        moves=(fixes(7, "Un poste était infecté. Il est isolé et sera réinstallé."),),
    )

    log = "\n".join(
        f"{rfc3339(day.at(4.4, 11 * number), hours=1)} posta dovecot: imap-login: "
        f"Disconnected (auth failed, 1 attempts in 2 secs): user=<{user}@rete.example.com>, "
        "method=PLAIN, rip=2001:db8:107::99, lip=2001:db8:f000::25, TLS"
        for number, user in enumerate(("info", "vendite", "paolo"))
    )
    yield mailed(
        day,
        "imap-italian",
        "Italian free text: guessed passwords on IMAP from an address of IPv6",
        hours=4.8,
        by=reporters.PROVIDER_IT,
        subject="Tentativi di accesso da 2001:db8:107::99",
        content=f"""
Buongiorno,

dal vostro indirizzo 2001:db8:107::99 arrivano tentativi di accesso non autorizzato (brute force) alle
caselle dei nostri clienti:

{log}

Vi preghiamo di intervenire.

Rete Esempio
""",
        expected=fixed(about("connection/login_attack", "2001:db8:107::99", account=1007)),
        moves=(fixes(8, "A public computer in the reading room. It is locked down again."),),
    )

    log = "\n".join(
        f"{plain(day.at(5.1, 5 * number))} UTC bastion sshd[{990 + number}]: "
        f"Invalid user {user} from 198.51.100.59 port {33010 + number}"
        for number, user in enumerate(("pi", "guest", "ubuntu"))
    )
    yield mailed(
        day,
        "ssh-dutch",
        "Dutch free text, base64; the students say that it was not them, and are wrong",
        hours=5.5,
        by=reporters.PROVIDER_NL,
        subject="Inbraakpogingen vanaf 198.51.100.59",
        content=text(
            f"""
Geachte heer, mevrouw,

Vanaf 198.51.100.59 wordt geprobeerd in te breken op onze servers (SSH brute force):

{log}

Graag uw actie.

Met vriendelijke groet,
Voorbeeld Provider
""",
            encoding="base64",
        ),
        expected=fixed(about("connection/login_attack", "198.51.100.59", account=1043)),
        moves=(
            disputes(5, "Nobody here uses SSH."),
            is_wrong(
                8, "Our own flow records show 4,100 connections to port 22 from this address. The time runs again."
            ),
            fixes(14, "It was a games server that a student had left open. It is gone."),
        ),
    )

    yield mailed(
        day,
        "login-wrong-customer",
        "The customer says that the line is not theirs: a person looks",
        hours=13,
        by=reporters.HONEYPOT,
        subject="XARF report: login_attack 203.0.113.25",
        content=xarf_mail(
            xarf(
                "connection/login_attack",
                version="4.2.0",
                reporter=reporters.HONEYPOT,
                at=day.at(12.5),
                source="203.0.113.25",
                source_port=50990,
                protocol="tcp",
                destination_ip="203.0.113.204",
                destination_port=3389,
                first_seen=rfc3339(day.at(12.5)),
                evidence_source="honeypot",
            ),
            words="Log-in attempts on a remote desktop. Details in the attached XARF 4.2 report.",
        ),
        expected=forwarded(about("connection/login_attack", "203.0.113.25", port=50990, account=1029)),
        moves=(doubts_that_it_is_theirs(2, "We gave this server back last month."),),
    )


def _scans(day: Day) -> Iterator[Told]:
    log = "\n".join(
        f"{rfc3339(day.at(1.9, number))} edge kernel: [DROP] IN=eth0 OUT= "
        f"SRC=198.51.100.36 DST=203.0.113.{220 + number % 3} "
        f"LEN=44 TTL=241 PROTO=TCP SPT={61000 + number} DPT={port} WINDOW=1024 SYN"
        for number, port in enumerate((21, 22, 23, 80, 443, 445, 3306, 3389, 5900, 8080))
    )
    yield mailed(
        day,
        "scan-netfilter",
        "Port scan from the village hall, packet filter log pasted in, times in UTC",
        hours=2.7,
        by=reporters.FIREWALL,
        subject="Port scan from 198.51.100.36",
        content=f"""
This is an automated notice from Sample Firewall Service.

Event:   port scan
Source:  198.51.100.36
First:   {rfc3339(day.at(1.9))}
Packets: 10

{log}

You may answer to this address; a person reads it.
""",
        expected=fixed(about("connection/port_scan", "198.51.100.36", account=1040)),
        moves=(fixes(3, "The caretaker's tablet. It has been reset."),),
    )

    log = "\n".join(
        f"{plain(day.at(3.0, 2 * number), hours=9)} +0900 DENY TCP 192.0.2.141:{50123 + number} -> 203.0.113.213:{port}"
        for number, port in enumerate((23, 2323, 5555, 7547))
    )
    yield mailed(
        day,
        "scan-japanese",
        "Japanese free text in ISO-2022-JP: a scan from a home",
        hours=3.6,
        by=reporters.NETWORK_JP,
        subject="ポートスキャンについて (192.0.2.141)",
        content=text(
            f"""
ご担当者様

貴社のアドレス 192.0.2.141 から当社のネットワークに対するポートスキャンを検知しました。
ログは以下のとおりです。時刻は日本時間 (UTC+9) です。

{log}

ご確認と対応をお願いいたします。

見本ネットワーク
""",
            charset="iso-2022-jp",
        ),
        expected=fixed(about("connection/port_scan", "192.0.2.141", account=1014)),
        moves=(fixes(12, "Era a câmara da garagem. Foi atualizada."),),
    )

    for id, hours, event, account, title in (
        (
            "scan-shared-before",
            0.2,
            -5,
            1020,
            "Scan from a shared address with its port, before the blocks changed hands",
        ),
        ("scan-shared-after", 5.8, 5.2, 1019, "The same address and port later in the day: another holder"),
    ):
        yield mailed(
            day,
            id,
            title,
            hours=hours,
            by=reporters.HONEYPOT,
            subject="XARF report: port_scan 198.51.100.5",
            content=xarf_mail(
                xarf(
                    "connection/port_scan",
                    version="4.2.0",
                    reporter=reporters.HONEYPOT,
                    at=day.at(event),
                    source="198.51.100.5",
                    source_port=5000,
                    protocol="tcp",
                    destination_ip="203.0.113.204",
                    destination_port=445,
                    first_seen=rfc3339(day.at(event)),
                    evidence_source="honeypot",
                ),
                words="Connections to ports that nobody offers. Details in the attached XARF 4.2 report.",
            ),
            expected=fixed(about("connection/port_scan", "198.51.100.5", port=5000, account=account)),
            moves=(fixes(6, "An app that I did not know. It is removed."),),
        )

    yield mailed(
        day,
        "recon-xarf",
        "Reconnaissance, XARF 4.1, from a business line's prefix of IPv6",
        hours=6.2,
        by=reporters.HONEYPOT,
        subject="XARF report: reconnaissance 2001:db8:104::7",
        content=xarf_mail(
            xarf(
                "connection/reconnaissance",
                version="4.1.0",
                reporter=reporters.HONEYPOT,
                at=day.at(6),
                source="2001:db8:104::7",
                protocol="tcp",
                destination_port=443,
                first_seen=rfc3339(day.at(5.9)),
                probed_resources=["/.git/config", "/.env", "/backup.zip"],
                user_agent="probe/1.0",
                total_probes=3,
            ),
            words="Requests for files that are never published. Details in the attached XARF 4.1 report.",
        ),
        expected=fixed(about("connection/reconnaissance", "2001:db8:104::7", account=1004)),
        moves=(fixes(8, "A security test by our own staff that went to the wrong prefix. We are sorry."),),
    )

    log = "\n".join(
        f'198.51.100.50 - - [{apache(day.at(6.6, number), hours=-3)}] "GET {path} HTTP/1.1" 404 153 "-" "zgrabby/0.3"'
        for number, path in enumerate(("/.env", "/phpmyadmin/", "/admin/config.php", "/vendor/phpunit/eval-stdin.php"))
    )
    yield mailed(
        day,
        "scan-portuguese",
        "Portuguese free text: a scan for weak spots, access log pasted in",
        hours=7,
        by=reporters.PROVIDER_BR,
        subject="Varredura de vulnerabilidades a partir de 198.51.100.50",
        content=f"""
Prezados,

detectamos uma varredura de vulnerabilidades (vulnerability scan) em nossos servidores web, originada do
endereço 198.51.100.50 da rede de vocês. Registro de acesso:

{log}

Solicitamos providências.

Provedor Exemplo
""",
        expected=fixed(about("connection/vulnerability_scan", "198.51.100.50", account=1042)),
        moves=(fixes(9, "Era o tablet da loja. Já foi limpo."),),
    )

    yield mailed(
        day,
        "scraping-xarf",
        "Scraping, XARF 4.2: the address of a customer of the second reseller",
        hours=7.8,
        by=reporters.WEB_SHOP,
        subject="XARF: scraping from 198.51.100.194",
        content=xarf_mail(
            xarf(
                "connection/scraping",
                version="4.2.0",
                reporter=reporters.WEB_SHOP,
                at=day.at(7.4),
                source="198.51.100.194",
                protocol="tcp",
                destination_port=443,
                first_seen=rfc3339(day.at(5)),
                last_seen=rfc3339(day.at(7.4)),
                total_requests=48200,
                request_rate=5.6,
                respects_robots_txt=False,
                target_content="pricing_information",
            ),
            words="Our prices are copied at six requests a second, against robots.txt. XARF 4.2 attached.",
        ),
        expected=fixed(about("connection/scraping", "198.51.100.194", account=1034, downstream=1038)),
        moves=(fixes(6, "Unser Kunde hat das Programm angehalten."),),
    )

    log = "\n".join(
        f"{syslog(day.at(-3, number))} home kernel: IN=wan0 "
        f"SRC=192.0.2.160 DST=203.0.113.217 PROTO=TCP SPT={44000 + number} DPT={port}"
        for number, port in enumerate((22, 23, 80, 8080))
    )
    yield mailed(
        day,
        "scan-without-zone",
        "A log without a zone; the lease covers every zone that it may be in",
        hours=8,
        by=reporters.WORKSHOP,
        subject="Port scan from 192.0.2.160",
        content=f"""
Hello,

192.0.2.160 has scanned the ports of my home server. From the log of my router:

{log}

Dana
""",
        expected=fixed(about("connection/port_scan", "192.0.2.160", account=1009)),
        moves=(fixes(20, "It was the new television. It is off the net until there is an update."),),
    )


def _floods(day: Day) -> Iterator[Told]:
    yield mailed(
        day,
        "ddos-xarf",
        "Denial of service, XARF 4.2: a game server's port was used as a reflector",
        hours=8.3,
        by=reporters.ARCADE,
        subject="XARF: ddos from 203.0.113.20",
        content=xarf_mail(
            xarf(
                "connection/ddos",
                version="4.2.0",
                reporter=reporters.ARCADE,
                at=day.at(8.2),
                source="203.0.113.20",
                source_port=27015,
                protocol="udp",
                destination_ip="203.0.113.219",
                destination_port=80,
                attack_vector="reflection",
                peak_pps=410000,
                peak_bps=4100000000,
                first_seen=rfc3339(day.at(8.1)),
                last_seen=rfc3339(day.at(8.2)),
                service_impact="degraded",
                evidence_source="flow_analysis",
            ),
            words="4.1 Gbit/s that nobody asked for, from UDP port 27015 of 203.0.113.20. XARF 4.2 attached.",
        ),
        expected=fixed(about("connection/ddos", "203.0.113.20", port=27015, account=1028)),
        moves=(fixes(0.5, "The query port answers only to known players now."),),
    )

    yield mailed(
        day,
        "flood-text",
        "Free text from a games host about a UDP flood, figures as a table",
        hours=8.8,
        by=reporters.ARCADE,
        subject="UDP flood (DDoS attack) from 203.0.113.26",
        content=f"""
Hi abuse team,

we are being hit by a UDP flood from a server of yours. This is a denial of service attack on our match servers.

  attacker   203.0.113.26
  victim     203.0.113.219 port 7777/udp
  from       {plain(day.at(8.5))} UTC
  until      {plain(day.at(8.7))} UTC
  rate       220,000 packets a second

Please stop it as soon as you can.

NOC, Example Arcade Servers
""",
        expected=fixed(about("connection/ddos", "203.0.113.26", account=1029)),
        moves=(fixes(0.7, "A rented virtual machine. We stopped it and keep its disk for you."),),
    )


def _web(day: Day) -> Iterator[Told]:
    yield mailed(
        day,
        "injection-xarf",
        "SQL injection, XARF 4.1, from the BGP customer's prefix",
        hours=9.2,
        by=reporters.WEB_SHOP,
        subject="XARF: sql_injection from 203.0.113.77",
        content=xarf_mail(
            xarf(
                "connection/sql_injection",
                version="4.1.0",
                reporter=reporters.WEB_SHOP,
                at=day.at(9),
                source="203.0.113.77",
                protocol="tcp",
                destination_ip="203.0.113.218",
                destination_port=443,
                http_method="GET",
                target_url="https://webshop.example.com/item?id=7",
                injection_point="query_parameter",
                payload_sample="id=7' OR '1'='1",
                attempts_count=64,
                first_seen=rfc3339(day.at(8.9)),
                evidence=xarf_evidence(
                    f'203.0.113.77 - - [{apache(day.at(9))}] "GET /item?id=7%27%20OR%20%271 HTTP/1.1" 403 0'.encode(),
                    content_type="text/plain",
                    description="One of 64 requests",
                ),
            ),
            words="Somebody tried to reach our database through the shop. XARF 4.1 attached.",
        ),
        expected=fixed(about("connection/sql_injection", "203.0.113.77", account=1032)),
        moves=(fixes(5, "A member's machine; its port is closed until it is clean."),),
    )

    log = "\n".join(
        f"{rfc3339(day.at(9.3, 20 * number))} proxy denied 192.0.2.51 -> GET /login?user={number} (rate)"
        for number in range(4)
    )
    yield mailed(
        day,
        "login-arf-attachment",
        "Guessed passwords, the log as an attached file",
        hours=9.8,
        by=reporters.WEB_SHOP,
        subject="Login attempts (credential stuffing, brute force) from 192.0.2.51",
        content=multipart(
            (
                text(
                    f"""
Hello,

your address 192.0.2.51 tried passwords on our customers' accounts since {rfc3339(day.at(9.3))}.
This is a brute force attack. The log is attached.

Sample Web Shop
"""
                ),
                attachment(log.encode(), content_type="text/plain", name="attempts.log"),
            )
        ),
        expected=fixed(about("connection/login_attack", "192.0.2.51", account=1007, joins="imap-italian")),
    )
