"""The example day is consistent: with its operator, with the policy, with the formats, and with our manners."""

import base64
import email
import email.policy
import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

import pytest
import xarf

from tipstaff.attribution.match import attribute
from tipstaff.policy.editions import shipped_editions
from tipstaff.testing.story import (
    ExpectedIncident,
    Move,
    Since,
    Told,
    complaints,
    customers,
    holdings,
    innocent_picture,
    services,
    sites,
)
from tipstaff.testing.story.clauses import CLAUSES
from tipstaff.testing.story.mail import shows_picture
from tipstaff.words import (
    AttributionReason,
    Channel,
    Moment,
    ReadingOutcome,
    ReadingReason,
    ReportOutcome,
    ServiceKind,
    Standing,
    Tier,
)

DAY = datetime(2026, 3, 2, tzinfo=UTC)
COMPLAINTS = complaints(DAY)
BY_ID = {told.id: told for told in COMPLAINTS}
EDITION = shipped_editions()[0]


def _cases() -> Iterator[tuple[Told, ExpectedIncident]]:
    for told in COMPLAINTS:
        for incident in told.expected.incidents:
            yield told, incident


# The operator.


def test_the_operator_has_more_than_thirty_customers_of_every_kind() -> None:
    keys = {customer.key for customer in customers()}
    assert len(keys) == len(customers()) >= 34
    assert {service.kind for service in services()} == set(ServiceKind)
    assert sum(customer.is_reseller for customer in customers()) == 2
    assert sum(customer.reseller is not None for customer in customers()) >= 5
    assert [customer.key for customer in customers() if customer.standing is Standing.TERMINATED] == ["acct-1005"]
    assert all(service.customer in keys for service in services())


def test_holdings_of_one_tier_never_overlap() -> None:
    rows = holdings(DAY)
    assert len({row.key for row in rows}) == len(rows)
    forever = datetime.max.replace(tzinfo=UTC)
    for number, one in enumerate(rows):
        for other in rows[number + 1 :]:
            same_time = one.held_from < (other.held_until or forever) and other.held_from < (one.held_until or forever)
            same_ports = one.port_first <= other.port_last and other.port_first <= one.port_last
            same_space = one.prefix.version == other.prefix.version and one.prefix.overlaps(other.prefix)
            assert not (one.tier is other.tier and same_time and same_ports and same_space), (one, other)


def test_every_holding_lies_in_the_operators_space_and_names_a_known_service() -> None:
    keys = {service.key: service.customer for service in services()}
    ours = [row.prefix for row in holdings(DAY) if row.tier is Tier.OPERATOR]
    for row in holdings(DAY):
        assert any(row.prefix.version == o.version and row.prefix.subnet_of(o) for o in ours), row  # type: ignore[arg-type]
        assert row.customer is None or keys[row.service or ""] == row.customer
        assert (row.customer is None) == (row.tier is Tier.OPERATOR)


def test_several_customers_share_one_web_server_and_one_has_its_own() -> None:
    by_address: dict[str, set[str]] = {}
    for site in sites(DAY):
        by_address.setdefault(str(site.address), set()).add(site.customer)
    assert len(by_address["203.0.113.10"]) == 5
    assert len(by_address["203.0.113.20"]) == 1


# The complaints.


def test_there_are_more_than_sixty_complaints_each_with_its_own_name_and_title() -> None:
    assert len(COMPLAINTS) >= 64
    assert len(BY_ID) == len(COMPLAINTS)
    assert len({told.title for told in COMPLAINTS}) == len(COMPLAINTS)
    assert len({told.sender for told in COMPLAINTS}) >= 20
    assert {told.channel for told in COMPLAINTS} == {Channel.SMTP, Channel.LMTP}


def test_the_same_day_gives_the_same_bytes_and_another_day_others() -> None:
    assert complaints(DAY) == COMPLAINTS
    assert {told.raw for told in complaints(DAY + timedelta(days=1))}.isdisjoint(told.raw for told in COMPLAINTS)


def test_only_the_mail_that_was_sent_twice_has_the_bytes_of_another() -> None:
    seen: dict[bytes, str] = {}
    for told in COMPLAINTS:
        assert told.expected.same_as == seen.get(told.raw), told.id
        seen.setdefault(told.raw, told.id)


def test_every_outcome_of_a_report_and_every_reason_of_a_reader_occurs() -> None:
    final = {told.expected.report_outcome for told in COMPLAINTS}
    assert final == set(ReportOutcome) - {ReportOutcome.RECEIVED}
    reasons = {told.expected.reason for told in COMPLAINTS}
    # What answers a letter of ours is no complaint.
    answers = {ReadingReason.REPLY, ReadingReason.IN_HAND}
    # No reader gives this one: a person named a clause that counsel alone may read.
    by_hand = {ReadingReason.COUNSEL_ALONE}
    assert reasons == set(ReadingReason) - {ReadingReason.UNSURE} - answers - by_hand


@pytest.mark.parametrize("told", COMPLAINTS, ids=lambda told: told.id)
def test_a_mail_can_be_sent_and_has_a_message_id(told: Told) -> None:
    assert not set(b"\r\n") & set(told.raw.replace(b"\r\n", b""))
    assert max(map(len, told.raw.split(b"\r\n"))) <= 998  # RFC 5322 2.1.1
    message = email.message_from_bytes(told.raw)
    assert re.fullmatch(r"<[0-9a-f]{20}@[a-z0-9.-]+>", message["Message-ID"])
    assert all(message[name] for name in ("From", "Date", "To"))


def test_every_xarf_document_but_the_broken_one_is_valid() -> None:
    found = 0
    for told in COMPLAINTS:
        for document in _xarf_documents(told.raw):
            found += 1
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = xarf.parse(document)
            # The schema decides: the library's own models refuse a confidence of 0.98, which the schema asks for.
            assert not result.errors, (told.id, [(error.field, error.message) for error in result.errors])
    assert found >= 20


# What is declared agrees with the operator's record and with the policy.


@pytest.mark.parametrize(
    ("told", "incident"), list(_cases()), ids=lambda value: value.id if isinstance(value, Told) else ""
)
def test_the_declared_holder_is_the_one_that_the_record_names(told: Told, incident: ExpectedIncident) -> None:
    host = incident.domain or (urlsplit(incident.url).hostname if incident.url else None)
    hosted = [site for site in sites(DAY) if site.host_name == host]
    if hosted:
        assert {site.customer for site in hosted} == {incident.customer}
        assert incident.source is None or {str(site.address) for site in hosted} == {incident.source}
        return
    assert incident.source is not None
    found = attribute(
        ip_address(incident.source),
        port=incident.port,
        moment=_moment_in(told, incident),
        received_at=DAY + told.at,
        holdings=holdings(DAY),
        records_begin_at=DAY - timedelta(days=400),
    )
    named = incident.customer
    assert (found.reason, found.customer, found.downstream) == (incident.attribution, named, incident.downstream)


@pytest.mark.parametrize("type", sorted(CLAUSES))
def test_the_declared_clause_is_the_one_of_the_edition(type: str) -> None:
    assert type in EDITION.clause(CLAUSES[type]).applies_to


def test_a_complaint_joins_exactly_the_case_that_is_open_then() -> None:
    """One case per customer, clause group and service, from its complaint until the customer says that it is fixed."""
    opened: dict[tuple[str, str], tuple[Told, timedelta]] = {}
    for told, incident in sorted(_cases(), key=lambda pair: pair[0].at):
        if incident.customer is None or incident.clause is None or told.expected.same_as:
            continue
        key = (incident.customer, EDITION.clause(incident.clause).group)
        before = opened.get(key)
        if before is not None and told.at < before[1]:
            assert incident.joins == before[0].id, told.id
            continue
        assert incident.joins is None, told.id
        assert incident.repeats == (before[0].id if before else None), told.id
        opened[key] = (told, _closed(told, incident))


def test_what_joins_a_case_ends_as_the_case_does_unless_it_is_the_same_event_again() -> None:
    for told, incident in _cases():
        if incident.joins is not None:
            case = BY_ID[incident.joins].expected.report_outcome
            assert incident.outcome in (case, ReportOutcome.DUPLICATE), told.id


def test_whoever_is_not_shown_silent_answers_in_time() -> None:
    for told, incident in _cases():
        if incident.outcome is not ReportOutcome.FIXED or incident.joins:
            continue
        clause = EDITION.clause(incident.clause or "")
        within = clause.answer_within_repeated if incident.repeats else clause.answer_within
        first = _moves(told, incident)[0]
        assert within is not None
        assert first.since is Since.OPENED
        assert first.after < within, told.id


def test_a_clock_alone_never_ends_the_silence_where_the_story_says_forwarded() -> None:
    """A silent case under a clause that the clock may act on must be told as a measure, or hit neighbours."""
    for told, incident in _cases():
        if incident.outcome is ReportOutcome.FORWARDED:
            clause = EDITION.clause(incident.clause or "")
            shared = [site for site in sites(DAY) if incident.url and site.host_name == urlsplit(incident.url).hostname]
            assert clause.decides is not None or shared, told.id


# Our manners.

_ALLOWED = [
    ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "10.0.0.0/8", "::/127")
]
_DOMAINS = re.compile(r"(^|\.)(example\.(com|net|org)|example|test|invalid)$")
_FORMAT_NAMES = {"www.acns.net"}
"""The namespace of the notices' form; it names a format and is never opened."""
_TOP_LEVEL = "com|net|org|info|io|de|fr|es|pt|br|jp|pl|it|nl|eu|uk|us|ru|cn|biz|edu|gov"


def test_only_example_addresses_occur() -> None:
    for where, text in _texts():
        for word in re.findall(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", text):
            assert any(ip_address(word) in allowed for allowed in _ALLOWED if allowed.version == 4), (where, word)
        for word in re.findall(r"(?<![\w:])[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:]*", text):
            try:
                address = ip_address(word.rstrip(":") if not word.endswith("::") else word)
            except ValueError:
                continue
            if isinstance(address, IPv6Address):
                assert any(address in allowed for allowed in _ALLOWED if allowed.version == 6), (where, word)


def test_only_example_domains_occur() -> None:
    for where, text in _texts():
        text = text.replace("[.]", ".")
        hosts = re.findall(r"@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)", text)
        hosts += re.findall(r"h(?:tt|xx)ps?://([A-Za-z0-9.-]+)", text)
        hosts += re.findall(rf"\b((?:[A-Za-z0-9-]+\.)+(?:{_TOP_LEVEL}))\b", text)
        for host in (host.lower().rstrip(".") for host in hosts):
            known = bool(_DOMAINS.search(host)) or host in _FORMAT_NAMES or re.fullmatch(r"[\d.]+", host)
            assert known, (where, host)


def test_only_example_system_numbers_occur() -> None:
    for where, text in _texts():
        for number in re.findall(r"\bAS ?(\d+)\b", text):
            assert 64496 <= int(number) <= 64511, (where, number)


def test_the_picture_is_in_the_sealed_complaints_and_nowhere_else() -> None:
    for told in COMPLAINTS:
        assert shows_picture(told.raw) == (told.expected.reading is ReadingOutcome.SEALED), told.id


@pytest.mark.parametrize("before", range(6))
def test_the_picture_is_recognised_however_it_was_packed(before: int) -> None:
    raw = b"x" * before + innocent_picture() + b"y" * before
    assert shows_picture(raw)
    assert shows_picture(base64.b64encode(raw))
    assert shows_picture(base64.encodebytes(raw))
    assert shows_picture(raw.hex().encode())
    assert not shows_picture(raw.replace(b"innocent", b""))


# Helpers.


def _moves(told: Told, incident: ExpectedIncident) -> list[Move]:
    return [move for move in told.moves if move.customer in (None, incident.customer)]


def _closed(told: Told, incident: ExpectedIncident) -> timedelta:
    """When the case is closed; without a last word, never within the story."""
    moves = _moves(told, incident)
    if not moves or moves[-1].since is not Since.OPENED or incident.outcome is ReportOutcome.FORWARDED:
        return timedelta.max
    return told.at + moves[-1].after


_STATED = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(Z| UTC|[+-]\d\d:\d\d| \+\d{4})?"
    r"|(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})"
    r"|([A-Z][a-z]{2}), +(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d\d:\d\d:\d\d) ([+-]\d{4})"
    r"|([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d)"
)


def _moment_in(told: Told, incident: ExpectedIncident) -> Moment | None:
    """The first time that stands in the complaint itself, behind its own headers, read the way a person would."""
    rows = [line for _, text in _texts_of(told, skip_own_headers=True) for line in text.splitlines()]
    of_source = [row for row in rows if incident.source and incident.source in row and _STATED.search(row)]
    for row in [*of_source, *rows]:
        stated = _STATED.search(row)
        if stated:
            return _moment(stated, utc="UTC" in "".join(rows) or "timestamp" in "".join(rows))
    return None


def _moment(stated: "re.Match[str]", *, utc: bool) -> Moment:
    date, time, zone, d1, m1, y1, t1, z1, _, d2, m2, y2, t2, z2, m3, d3, t3 = stated.groups()
    if date:
        if zone in (None, " UTC", "Z"):
            assert zone or utc
            return Moment(datetime.fromisoformat(f"{date}T{time}+00:00"))
        return Moment(datetime.fromisoformat(f"{date}T{time}{zone.strip()}"))
    if d1:
        return Moment(datetime.strptime(f"{d1} {m1} {y1} {t1} {z1}", "%d %b %Y %H:%M:%S %z"))
    if d2:
        return Moment(datetime.strptime(f"{d2} {m2} {y2} {t2} {z2}", "%d %b %Y %H:%M:%S %z"))
    return Moment.without_zone(datetime.strptime(f"{d3} {m3} {DAY.year} {t3}", "%d %b %Y %H:%M:%S"))


def _texts() -> Iterator[tuple[str, str]]:
    """Every piece of text of the story: of the operator, of the envelopes, of the mails and what is packed in them."""
    yield "operator", repr((customers(), services(), holdings(DAY), sites(DAY)))
    for told in COMPLAINTS:
        yield told.id, f"{told.sender} {told.recipient} {told.title} {told.moves} {told.expected}"
        yield told.id, told.raw.decode("latin-1")
        yield from _texts_of(told)


def _texts_of(told: Told, *, skip_own_headers: bool = False) -> Iterator[tuple[str, str]]:
    if not skip_own_headers:
        yield told.id, str(email.message_from_bytes(told.raw).items())
    for leaf in _leaves(told.raw):
        for charset in ("iso-2022-jp", "utf-8", "latin-1"):
            try:
                yield told.id, leaf.decode(charset)
                break
            except UnicodeDecodeError:
                continue


def _leaves(raw: bytes) -> Iterator[bytes]:
    """What a mail holds, unpacked: parts, archives, and the evidence in XARF."""

    def walk(part: Message, *, top: bool) -> Iterator[bytes]:
        if not top:
            yield "\n".join(f"{name}: {value}" for name, value in part.items()).encode("utf-8", "replace")
        payload = part.get_payload()
        if isinstance(payload, list):
            for inner in payload:
                if isinstance(inner, Message):
                    yield from walk(inner, top=False)
            return
        leaf = part.get_payload(decode=True)
        assert isinstance(leaf, bytes)
        if leaf.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(leaf)) as archive:
                for entry in archive.infolist():
                    if entry.file_size < 1_000_000:
                        yield archive.read(entry)
            return
        yield leaf
        yield from _evidence(leaf)

    yield from walk(email.message_from_bytes(raw), top=True)


def _evidence(leaf: bytes) -> Iterator[bytes]:
    try:
        document = json.loads(leaf)
    except ValueError:
        return
    if isinstance(document, dict):
        for item in document.get("evidence") or document.get("Report", {}).get("Samples") or ():
            yield base64.b64decode(item.get("payload") or item.get("Data"))


def _xarf_documents(raw: bytes) -> Iterator[dict[str, object]]:
    for part in email.message_from_bytes(raw).walk():
        if part.get_content_type() == "application/json":
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            try:
                yield json.loads(payload)
            except ValueError:
                assert b"xarf_version" in payload


def test_a_reason_of_attribution_is_declared_wherever_there_is_an_incident() -> None:
    assert all(isinstance(incident.attribution, AttributionReason) for _, incident in _cases())
