"""Complaints about what is served: phishing, malware, leaks; and about works, where a rights holder writes."""

from collections.abc import Iterator

from tipstaff.words import AttributionReason, ReportOutcome, Role

from . import reporters
from .mail import Day, Part, multipart, plain, rfc3339, stamp, text, xarf, xarf_evidence, xarf_mail
from .reporters import Reporting
from .telling import (
    about,
    asks_for_detail,
    disputes,
    ends,
    fixed,
    fixes,
    forwarded,
    is_right,
    mailed,
)
from .told import ExpectedIncident, Told


def tellings(day: Day) -> Iterator[Told]:
    """Every complaint about content."""
    yield from _phishing(day)
    yield from _malware(day)
    yield from _other_content(day)
    yield from _works(day)


def _phishing(day: Day) -> Iterator[Told]:
    url = "https://shop.garden.example.com/wp-content/cache/secure/login.html"
    yield mailed(
        day,
        "phishing-shared",
        "Phishing on a shared web server, nobody answers: a block would hit neighbours, so a person decides",
        hours=1.1,
        by=reporters.BANK,
        subject="Phishing site on 203.0.113.10 [case FR-7781]",
        content=xarf_mail(
            xarf(
                "content/phishing",
                version="4.2.0",
                reporter=reporters.BANK,
                at=day.at(0.6),
                source="203.0.113.10",
                url=url,
                domain="shop.garden.example.com",
                target_brand="Example Bank",
                lure_type="account_suspension",
                credential_fields=["username", "password", "tan"],
                verified_at=rfc3339(day.at(0.9)),
                verification_method="manual",
            ),
            words="A copy of our log-in page is on a web server of yours. XARF 4.2 attached; our case is FR-7781.",
        ),
        expected=forwarded(_site("content/phishing", "203.0.113.10", url=url, account=1021)),
    )

    yield mailed(
        day,
        "phishing-joins",
        "A private person about the same page, the link written so that nobody clicks it",
        hours=4.6,
        by=reporters.CITIZEN,
        subject="Phishing: fake bank page on your server",
        content="""
Hi,

I got a text message with a link to a phishing page, a fake login page of Example Bank that steals passwords.
It is on your network. URL of the phishing page:

hxxps://shop[.]garden[.]example[.]com/wp-content/cache/secure/login.html

Please take it down before somebody loses money.

Jamie
""",
        expected=forwarded(_site("content/phishing", url=url, account=1021, joins="phishing-shared", timed=False)),
    )

    url = "http://forum.games.example.com/files/verify/index.php?id=20"
    yield mailed(
        day,
        "phishing-own-server",
        "Phishing on a server that one customer has for itself",
        hours=2.9,
        by=reporters.BANK,
        subject="Phishing page, please remove",
        content=f"""
Dear abuse team,

we found a phishing page that imitates our log-in:

  {url}
  IP: 203.0.113.20
  seen: {plain(day.at(2.6))} UTC

Please remove the page and keep the visitors' entries for the police.

Example Bank Fraud Desk
""",
        expected=fixed(_site("content/phishing", "203.0.113.20", url=url, account=1028)),
        moves=(fixes(0.6, "An old forum plug-in. The page is gone, the plug-in too; we kept a copy of the files."),),
    )

    url = "http://www.trattoria.example.com/menu/.well-known/pagamento/"
    yield mailed(
        day,
        "phishing-html",
        "Phishing, HTML mail in Italian with a table",
        hours=5.1,
        by=reporters.PROVIDER_IT,
        subject="Pagina di phishing su www.trattoria.example.com",
        content=multipart(
            (
                text(f"Segnaliamo una pagina di phishing:\n\n{url}\n\nVista alle {plain(day.at(4.9))} UTC.\n"),
                text(
                    f"""
<html><body><p>Segnaliamo una pagina di <b>phishing</b>:</p>
<table><tr><td>URL</td><td>{url}</td></tr>
<tr><td>Vista</td><td>{plain(day.at(4.9))} UTC</td></tr></table></body></html>
""",
                    subtype="html",
                ),
            ),
            subtype="alternative",
        ),
        expected=fixed(_site("content/phishing", url=url, account=1025)),
        moves=(fixes(0.7, "Abbiamo cancellato la pagina e cambiato le password."),),
    )


def _malware(day: Day) -> Iterator[Told]:
    url = "http://api.figures.example.com/download/update.exe"
    yield mailed(
        day,
        "malware-xarf",
        "Malware download, XARF 4.1 with hashes",
        hours=3.8,
        by=reporters.MALWARE_WATCH,
        subject="Malware distribution: api.figures.example.com",
        content=xarf_mail(
            xarf(
                "content/malware",
                version="4.1.0",
                reporter=reporters.MALWARE_WATCH,
                at=day.at(3.5),
                source="203.0.113.24",
                url=url,
                domain="api.figures.example.com",
                malware_type="loader",
                file_hashes={"sha256": stamp("update.exe")},
                distribution_method="direct_download",
            ),
            words="A loader is offered for download. We have not opened it to anybody. XARF 4.1 attached.",
        ),
        expected=fixed(_site("content/malware", "203.0.113.24", url=url, account=1029)),
        moves=(fixes(5, "The build server was broken into. Rebuilt, keys changed."),),
    )

    url = "http://198.51.100.131/photos/setup.zip"
    yield mailed(
        day,
        "malware-xarf-3",
        "Malware, XARF 3: a URL with a bare address, at a reseller",
        hours=4.1,
        by=reporters.MALWARE_WATCH,
        subject="XARF report: Malware 198.51.100.131",
        content=xarf_mail(
            {
                "Version": "3",
                "ReporterInfo": {
                    "ReporterOrg": reporters.MALWARE_WATCH.name,
                    "ReporterOrgDomain": reporters.MALWARE_WATCH.domain,
                    "ReporterOrgEmail": reporters.MALWARE_WATCH.address,
                    "ReporterContactEmail": reporters.MALWARE_WATCH.address,
                },
                "Report": {
                    "ReportClass": "Content",
                    "ReportType": "Malware",
                    "Date": rfc3339(day.at(3.7)),
                    "SourceIp": "198.51.100.131",
                    "Url": url,
                },
            },
            words="Automatic report. The attached file is XARF 3.",
        ),
        expected=fixed(about("content/malware", "198.51.100.131", url=url, account=1033, downstream=1036)),
        moves=(fixes(9, "Our customer has removed the file."),),
    )

    url = "http://old.photo.example.org/tmp/rechnung.js"
    yield mailed(
        day,
        "malware-german",
        "German free text in windows-1252 about malware on a forgotten site",
        hours=6.8,
        by=reporters.CERT,
        subject="Schadsoftware auf old.photo.example.org",
        content=text(
            f"""
Guten Tag,

auf einem Ihrer Server liegt Schadsoftware (Malware) zum Herunterladen – bitte entfernen:

{url.replace("http", "hxxp")}

Festgestellt am {plain(day.at(6.5))} UTC, Adresse des Servers: 203.0.113.11
SHA-256: {stamp("rechnung.js")}

Mit freundlichen Grüßen
Beispiel-CERT
""",
            charset="windows-1252",
            encoding="quoted-printable",
        ),
        expected=fixed(_site("content/malware", "203.0.113.11", url=url, account=1026)),
        moves=(fixes(12, "We have taken the old site down for good."),),
    )


def _other_content(day: Day) -> Iterator[Told]:
    url = "http://198.51.100.44:9200/"
    yield mailed(
        day,
        "exposed-data",
        "A database that anybody can read, XARF 4.2",
        hours=8.6,
        by=reporters.UNIVERSITY,
        subject="Open database on 198.51.100.44",
        content=xarf_mail(
            xarf(
                "content/exposed_data",
                version="4.2.0",
                reporter=reporters.UNIVERSITY,
                at=day.at(8),
                source="198.51.100.44",
                url=url,
                data_types=["personal_information"],
                exposure_method="database_exposure",
                accessibility="public",
                record_count=1200,
            ),
            words="We found it in a survey and read nothing but the number of records. XARF 4.2 attached.",
        ),
        expected=fixed(about("content/exposed_data", "198.51.100.44", url=url, account=1041)),
        moves=(fixes(6, "The search server listens inside only now."),),
    )

    url = "https://www.photo.example.org/sale/"
    yield mailed(
        day,
        "fraud-xarf",
        "A shop that takes money and sends nothing, XARF 4.2",
        hours=9.1,
        by=reporters.BRAND_DESK,
        subject="Fraudulent shop on www.photo.example.org",
        content=xarf_mail(
            xarf(
                "content/fraud",
                version="4.2.0",
                reporter=reporters.BRAND_DESK,
                at=day.at(8.7),
                source="www.photo.example.org",
                url=url,
                domain="www.photo.example.org",
                fraud_type="shopping",
                payment_methods=["bank_transfer"],
            ),
            words="Eleven buyers have told us that they paid and got nothing. XARF 4.2 attached.",
        ),
        expected=fixed(_site("content/fraud", url=url, domain="www.photo.example.org", account=1026)),
        moves=(fixes(8, "The folder was put there by a stranger. It is deleted, and the password is new."),),
    )

    url = "https://www.records.example.com/placeholder-brand/"
    yield mailed(
        day,
        "brand-xarf",
        "A trade mark complaint: counsel decides before anybody is told",
        hours=9.5,
        by=reporters.BRAND_DESK,
        subject="Trade mark: www.records.example.com",
        content=xarf_mail(
            xarf(
                "content/brand_infringement",
                version="4.2.0",
                reporter=reporters.BRAND_DESK,
                at=day.at(9.1),
                source="www.records.example.com",
                url=url,
                domain="www.records.example.com",
                infringement_type="logo_misuse",
                legitimate_site="https://brands.example.com/",
            ),
            words="Our mark is shown without a licence. XARF 4.2 attached.",
        ),
        expected=ends(
            ReportOutcome.WITH_A_PERSON,
            _site("content/brand_infringement", url=url, domain="www.records.example.com", account=1023),
        ),
    )

    url = "http://www.football.example.org/uploads/shell.php"
    yield mailed(
        day,
        "webshell-xarf",
        "A web shell on a club's site, XARF 4.2",
        hours=10.1,
        by=reporters.CERT,
        subject="Web shell on www.football.example.org",
        content=xarf_mail(
            xarf(
                "content/remote_compromise",
                version="4.2.0",
                reporter=reporters.CERT,
                at=day.at(9.6),
                source="203.0.113.10",
                url=url,
                domain="www.football.example.org",
                compromise_type="webshell",
                affected_cms="wordpress",
                evidence=xarf_evidence(
                    b"HTTP/1.1 200 OK\r\n\r\nuid=33", content_type="text/plain", description="Answer"
                ),
            ),
            words="A web shell answers on this site. XARF 4.2 attached.",
        ),
        expected=fixed(_site("content/remote_compromise", "203.0.113.10", url=url, account=1024)),
        moves=(fixes(12, "Restored from a copy of last month, everything updated."),),
    )


def _works(day: Day) -> Iterator[Told]:
    yield mailed(
        day,
        "p2p-notice",
        "ACNS notice: a film shared from a home, with port and time",
        hours=6.9,
        by=reporters.RIGHTS_AGENCY,
        subject="Notice of claimed infringement - Case ID SRA-100231",
        content=_acns(
            day,
            by=reporters.RIGHTS_AGENCY,
            case="SRA-100231",
            address="192.0.2.150",
            port=51413,
            hours=5,
            title="A Day in March",
        ),
        expected=fixed(about("copyright/p2p", "192.0.2.150", port=51413, account=1015)),
        moves=(fixes(9, "Mój syn. Program usunięty."),),
    )

    yield mailed(
        day,
        "p2p-notice-joins",
        "Another agency about the same home in the same hour: joins the case",
        hours=8.1,
        by=reporters.FILM_STUDIO,
        subject="Copyright infringement notice 55-0092",
        content=_acns(
            day,
            by=reporters.FILM_STUDIO,
            case="55-0092",
            address="192.0.2.150",
            port=51413,
            hours=5.5,
            title="The Placeholder",
        ),
        expected=fixed(about("copyright/p2p", "192.0.2.150", port=51413, account=1015, joins="p2p-notice")),
    )

    yield mailed(
        day,
        "p2p-without-port",
        "ACNS notice about a shared address without a port: the complainant is asked for it",
        hours=7.1,
        by=reporters.RIGHTS_AGENCY,
        subject="Notice of claimed infringement - Case ID SRA-100232",
        content=_acns(
            day,
            by=reporters.RIGHTS_AGENCY,
            case="SRA-100232",
            address="198.51.100.4",
            port=None,
            hours=5,
            title="A Day in March",
        ),
        expected=asks_for_detail(
            about("copyright/p2p", "198.51.100.4", attribution=AttributionReason.SHARED_WITHOUT_PORT)
        ),
    )

    yield mailed(
        day,
        "p2p-with-port",
        "The same with the port: one holder",
        hours=7.2,
        by=reporters.RIGHTS_AGENCY,
        subject="Notice of claimed infringement - Case ID SRA-100233",
        content=_acns(
            day,
            by=reporters.RIGHTS_AGENCY,
            case="SRA-100233",
            address="198.51.100.4",
            port=12000,
            hours=5.1,
            title="A Day in March",
        ),
        expected=forwarded(about("copyright/p2p", "198.51.100.4", port=12000, account=1018)),
    )

    yield mailed(
        day,
        "p2p-xarf",
        "Shared work, XARF 4.2: the newest holder of the pool address",
        hours=10.4,
        by=reporters.FILM_STUDIO,
        subject="XARF: copyright/p2p 192.0.2.131",
        content=xarf_mail(
            xarf(
                "copyright/p2p",
                version="4.2.0",
                reporter=reporters.FILM_STUDIO,
                at=day.at(10),
                source="192.0.2.131",
                source_port=6881,
                p2p_protocol="bittorrent",
                swarm_info={"info_hash": stamp("swarm")[:40]},
                work_title="The Placeholder",
                rights_holder="Placeholder Pictures",
                work_category="movie",
                detection_method="manual_verification",
            ),
            words="A work of ours is shared from this address. XARF 4.2 attached.",
        ),
        expected=fixed(about("copyright/p2p", "192.0.2.131", port=6881, account=1012)),
        moves=(fixes(7, "Sorry. It is off."),),
    )

    url = "https://www.chess.example.org/library/opening-book.pdf"
    yield mailed(
        day,
        "takedown-text",
        "A takedown notice in free text with all its elements",
        hours=10.7,
        by=reporters.RIGHTS_AGENCY,
        subject="DMCA takedown notice",
        content=f"""
To the designated agent:

I am authorised to act for the owner of the copyright in the book "Openings for Everybody" by A. Placeholder.
Without permission it is offered for download at

  {url}

I have a good faith belief that this use is not authorised by the copyright owner, its agent, or the law.
The information in this notice is accurate, and under penalty of perjury I am authorised to act for the owner.

/Sam Sample/
Sample Rights Agency, 1 Example Street, notices@rights.example.com, +1 555 0100
""",
        expected=forwarded(_site("copyright/copyright", url=url, account=1027, timed=False)),
    )

    url = "https://www.records.example.com/shop/first-album.zip"
    yield mailed(
        day,
        "takedown-disputed",
        "A label is accused of copying, and shows its licence: not upheld",
        hours=11,
        by=reporters.RIGHTS_AGENCY,
        subject="XARF: copyright www.records.example.com",
        content=xarf_mail(
            xarf(
                "copyright/copyright",
                version="4.2.0",
                reporter=reporters.RIGHTS_AGENCY,
                at=day.at(10.8),
                source="203.0.113.10",
                infringing_url=url,
                work_title="First Album",
                rights_holder="The Specimens",
                infringement_type="distribution",
            ),
            words="This album is offered without a licence. XARF 4.2 attached.",
        ),
        expected=ends(ReportOutcome.NOT_UPHELD, _site("copyright/copyright", "203.0.113.10", url=url, account=1023)),
        moves=(
            disputes(4, "We are the label. The contract with The Specimens is attached; page 3 has the licence."),
            is_right(20, "The licence covers this shop. Not upheld; the agency is told.", who=Role.COUNSEL),
        ),
    )


def _site(
    type: str,
    source: str | None = None,
    *,
    url: str,
    account: int,
    domain: str | None = None,
    joins: str | None = None,
    timed: bool = True,
) -> ExpectedIncident:
    """An incident on a web site: the host name names the customer, even where the address is shared.

    Without a time, the customer is the one whose site it was all through the look-back.
    """
    assumed = None if timed else AttributionReason.TIME_ASSUMED
    return about(type, source, url=url, domain=domain, account=account, joins=joins, attribution=assumed)


def _acns(day: Day, *, by: Reporting, case: str, address: str, port: int | None, hours: float, title: str) -> Part:
    """A notice in the form of the Automated Copyright Notice System: prose, then XML in the text."""
    port_line = f"\n    <Port>{port}</Port>" if port else ""
    when = rfc3339(day.at(hours))
    return text(
        f"""
Dear Sir or Madam,

we represent the holder of the exclusive rights in the work named below. It was offered to the public over a
peer-to-peer network from an address of yours, without permission. Please tell your subscriber.

Work:      {title}
Address:   {address}{f" port {port}" if port else ""}
Time:      {when}

- ----Start ACNS XML
<?xml version="1.0" encoding="UTF-8"?>
<Infringement xmlns="http://www.acns.net/ACNS">
  <Case>
    <ID>{case}</ID>
    <Status>Open</Status>
    <Severity>Normal</Severity>
  </Case>
  <Complainant>
    <Entity>{by.name}</Entity>
    <Contact>Notices desk</Contact>
    <Address>1 Example Street</Address>
    <Phone>+1 555 0100</Phone>
    <Email>{by.address}</Email>
  </Complainant>
  <Service_Provider>
    <Entity>Example Network</Entity>
    <Email>abuse@operator.example.net</Email>
  </Service_Provider>
  <Source>
    <TimeStamp>{when}</TimeStamp>
    <IP_Address>{address}</IP_Address>{port_line}
    <DNS_Name></DNS_Name>
    <Type>BitTorrent</Type>
    <UserName></UserName>
    <Number_Files>1</Number_Files>
  </Source>
  <Content>
    <Item>
      <TimeStamp>{when}</TimeStamp>
      <Title>{title}</Title>
      <FileName>{title.replace(" ", ".")}.mkv</FileName>
      <FileSize>734003200</FileSize>
      <Hash Type="SHA1">{stamp(title)[:40]}</Hash>
    </Item>
  </Content>
</Infringement>
- ----End ACNS XML
"""
    )
