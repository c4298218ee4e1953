"""Findings: tables of scan feeds with many rows, weak services, machines that belong to a botnet, listings."""

from collections.abc import Iterator

from tipstaff.words import AttributionReason, ReportOutcome

from . import reporters
from .mail import Day, attachment, multipart, plain, text, xarf, xarf_mail, zipped
from .mail import table as csv_table
from .telling import about, fixed, fixes, forwarded, mailed, mixed
from .told import Told


def tellings(day: Day) -> Iterator[Told]:
    """Every finding."""
    yield from _tables(day)
    yield from _single(day)


def _tables(day: Day) -> Iterator[Told]:
    date = f"{day.at(-24):%Y-%m-%d}"
    columns: tuple[str, ...] = (
        *("timestamp", "severity", "ip", "protocol", "port", "hostname", "tag", "asn", "geo", "region", "city"),
        *("naics", "hostname_source", "sector", "min_amplification", "dns_version"),
    )
    rows: tuple[tuple[object, ...], ...] = tuple(
        (plain(day.at(hours)), "medium", ip, "udp", 53, "", "openresolver", 64500, "ZZ", "", "", 0, "", "", amp, "")
        for ip, hours, amp in (
            ("198.51.100.42", -9.5, "4.6190"),
            ("192.0.2.35", -9.4, "1.3810"),
            ("203.0.113.80", -9.3, "4.6190"),
            ("192.0.2.59", -9.2, "1.3810"),
        )
    )
    name = f"{date}-scan_dns-example_network-asn"
    yield mailed(
        day,
        "table-resolvers",
        "Scan feed as CSV: four open resolvers, four customers",
        hours=1.4,
        by=reporters.SCAN_FOUNDATION,
        subject=f"DNS Open Resolvers report for AS64500: {date}",
        content=multipart(
            (
                text(f"Your daily report for AS64500 is attached: 4 rows. All times are UTC.\n\nReport: {name}\n"),
                attachment(csv_table(columns, rows), content_type="text/csv", name=f"{name}.csv"),
            )
        ),
        expected=mixed(
            ReportOutcome.FORWARDED,
            about("vulnerability/open_service", "198.51.100.42", account=1041, outcome=ReportOutcome.FIXED),
            about("vulnerability/open_service", "192.0.2.35", account=1004),
            about("vulnerability/open_service", "203.0.113.80", account=1032),
            about("vulnerability/open_service", "192.0.2.59", account=1008),
        ),
        moves=(fixes(10, "The resolver of the cooling plant answers only inside now.", account=1041),),
    )

    columns = (
        *("timestamp", "severity", "protocol", "src_ip", "src_port", "src_asn", "src_geo", "src_region", "src_city"),
        *(
            "src_hostname",
            "src_naics",
            "src_sector",
            "dst_ip",
            "dst_port",
            "dst_asn",
            "dst_geo",
            "family",
            "infection",
            "tag",
        ),
    )
    hits = (
        ("192.0.2.152", 49811, 7.9),
        ("198.51.100.4", 30000, 7.95),
        ("192.0.2.161", 51020, -3),
    )
    rows = tuple(
        (
            *(plain(day.at(hours)), "high", "tcp", ip, port, 64500, "ZZ", "", "", "", 0, ""),
            *("203.0.113.205", 80, 64511, "ZZ", "example-bot", "example-bot", "sinkhole"),
        )
        for ip, port, hours in hits
    )
    name = f"{date}-event4_sinkhole-example_network-asn"
    yield mailed(
        day,
        "table-sinkhole",
        "Scan feed as a ZIP: infected machines; leases and port blocks decide who they are",
        hours=8.9,
        by=reporters.SCAN_FOUNDATION,
        subject=f"Sinkhole Events report for AS64500: {date}",
        content=multipart(
            (
                text(f"Your daily report for AS64500 is attached: 3 rows. All times are UTC.\n\nReport: {name}\n"),
                attachment(
                    zipped(csv_table(columns, rows), name=f"{name}.csv"),
                    content_type="application/zip",
                    name=f"{name}.csv.zip",
                ),
            )
        ),
        expected=forwarded(
            about("infrastructure/botnet", "192.0.2.152", port=49811, account=1015),
            about("infrastructure/botnet", "198.51.100.4", port=30000, account=1020),
            about("infrastructure/botnet", "192.0.2.161", port=51020, account=1010),
        ),
    )

    columns = (
        *("timestamp", "severity", "ip", "protocol", "port", "hostname", "tag", "asn", "geo", "region", "city"),
        *("naics", "hostname_source", "sector", "rdp_protocol"),
    )
    rows = tuple(
        (plain(day.at(-8)), "medium", ip, "tcp", 3389, "", "rdp", 64500, "ZZ", "", "", 0, "", "", "RDP")
        for ip in ("198.51.100.132", "203.0.113.140")
    )
    name = f"{date}-scan_rdp-example_network-asn"
    yield mailed(
        day,
        "table-not-all-ours",
        "Scan feed as CSV: one row is a reseller's customer, one is somebody else's address",
        hours=9.4,
        by=reporters.SCAN_FOUNDATION,
        subject=f"Accessible RDP report for AS64500: {date}",
        content=multipart(
            (
                text(f"Your daily report for AS64500 is attached: 2 rows. All times are UTC.\n\nReport: {name}\n"),
                attachment(csv_table(columns, rows), content_type="text/csv", name=f"{name}.csv"),
            )
        ),
        expected=mixed(
            ReportOutcome.FORWARDED,
            about("vulnerability/open_service", "198.51.100.132", account=1033, downstream=1037),
            about(
                "vulnerability/open_service",
                "203.0.113.140",
                outcome=ReportOutcome.NOT_OURS,
                attribution=AttributionReason.NOT_OUR_SPACE,
            ),
        ),
    )


def _single(day: Day) -> Iterator[Told]:
    yield mailed(
        day,
        "botnet-xarf",
        "A library computer talks to a botnet's server, XARF 4.2",
        hours=10.9,
        by=reporters.CERT,
        subject="Botnet: 192.0.2.50",
        content=xarf_mail(
            xarf(
                "infrastructure/botnet",
                version="4.2.0",
                reporter=reporters.CERT,
                at=day.at(10.2),
                source="192.0.2.50",
                source_port=52113,
                compromise_evidence="Connections to a sinkholed control server, one a minute",
                c2_protocol="http",
                malware_family="example-bot",
            ),
            words="The machine asks a control server of a botnet for orders. XARF 4.2 attached.",
        ),
        expected=fixed(about("infrastructure/botnet", "192.0.2.50", port=52113, account=1007)),
        moves=(fixes(22, "A catalogue terminal. It was set up anew."),),
    )

    yield mailed(
        day,
        "open-memcached",
        "An open cache that floods others, XARF 4.2",
        hours=11.2,
        by=reporters.UNIVERSITY,
        subject="Open memcached on 203.0.113.27",
        content=xarf_mail(
            xarf(
                "vulnerability/open_service",
                version="4.2.0",
                reporter=reporters.UNIVERSITY,
                at=day.at(10.6),
                source="203.0.113.27",
                service="memcached",
                source_port=11211,
            ),
            words="A memcached server answers to everybody and can be used to flood others. XARF 4.2 attached.",
        ),
        expected=fixed(about("vulnerability/open_service", "203.0.113.27", port=11211, account=1029)),
        moves=(fixes(5, "Listens on loopback only now."),),
    )

    yield mailed(
        day,
        "weak-server",
        "A server with a known hole, XARF 4.1",
        hours=11.4,
        by=reporters.HOSPITAL,
        subject="Unpatched service on 198.51.100.37",
        content=xarf_mail(
            xarf(
                "vulnerability/cve",
                version="4.1.0",
                reporter=reporters.HOSPITAL,
                at=day.at(10.9),
                source="198.51.100.37",
                service="https",
                service_port=443,
                cve_id="CVE-2000-99999",
                severity="high",
            ),
            words="We found it while looking after our own partners' servers. XARF 4.1 attached.",
        ),
        expected=fixed(about("vulnerability/cve", "198.51.100.37", account=1040)),
        moves=(fixes(6, "Updated."),),
    )

    yield mailed(
        day,
        "infected-xarf",
        "An automated client behind a business line, XARF 4.0",
        hours=11.6,
        by=reporters.WEB_SHOP,
        subject="XARF: infected_host 198.51.100.51",
        content=xarf_mail(
            xarf(
                "connection/infected_host",
                version="4.0.0",
                reporter=reporters.WEB_SHOP,
                at=day.at(11.1),
                source="198.51.100.51",
                protocol="tcp",
                bot_type="malicious",
                behavior_pattern="comment_spam",
                total_requests=5200,
                first_seen=plain(day.at(10)).replace(" ", "T") + "Z",
            ),
            words="A machine fills our forms by itself. XARF 4.0 attached.",
        ),
        expected=forwarded(about("connection/infected_host", "198.51.100.51", account=1042)),
    )
