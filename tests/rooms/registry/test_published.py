"""RPSL objects, ARIN's records and delegated-extended statistics become rows, by handles that the registry knows."""

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.procedures.admission import import_registry
from tipstaff.registry import operations, queries
from tipstaff.registry.whois import looks_published, read_published
from tipstaff.words import Holding, Resource, ResourceKind, Tier

from .conftest import BY, NOW, customer, day

RPSL = """\
% This is the example registry's answer.

inetnum:        198.51.100.0 - 198.51.100.255
netname:        EX-OPERATOR
org:            ORG-OP1-EXAMPLE
status:         ALLOCATED PA
created:        2020-01-01T00:00:00Z
source:         EXAMPLE # Filtered

inetnum:        198.51.100.8 - 198.51.100.19
netname:        EX-BAKERY
descr:          Example Bakery
+               second line
status:         ASSIGNED PA
created:        2026-01-05T10:00:00Z
source:         EXAMPLE

inet6num:       2001:db8:9::/48
netname:        EX-RESELLER
status:         SUB-ALLOCATED PA
source:         EXAMPLE

aut-num:        AS64500
as-name:        EX-BAKERY
source:         EXAMPLE

route:          198.51.100.8/29
origin:         AS64500
source:         EXAMPLE

organisation:   ORG-OP1-EXAMPLE
org-name:       Example Network
source:         EXAMPLE

inetnum:        203.0.113.0 - 203.0.113.7
netname:        EX-STRANGER
status:         ASSIGNED PA
source:         EXAMPLE

inetnum:        203.0.113.9 - 203.0.113.1
netname:        EX-BAKERY
source:         EXAMPLE
"""
ARIN = """\
# ARIN WHOIS data and services are subject to terms.

NetRange:       203.0.113.0 - 203.0.113.63
CIDR:           203.0.113.0/26
NetName:        EX-BAKERY-2
NetHandle:      NET-203-0-113-0-1
NetType:        Reassigned
Customer:       Example Bakery (C00000001)
RegDate:        2025-03-04

ASNumber:       64501 - 64503
ASName:         EX-OP
Organization:   Example Network (EXOP-1)
RegDate:        2019-01-01
"""
STATISTICS = """\
2|example|20260301|4|19830101|20260301|+0000
example|*|ipv4|*|2|summary
example|DE|ipv4|203.0.113.0|192|20200203|allocated|op-1
example|DE|ipv6|2001:db8::|32|20200203|allocated|op-1
example|DE|asn|64505|2|20200203|assigned|op-1
example|FR|ipv4|192.0.2.0|256|20200203|allocated|somebody-else
example||ipv4|192.0.2.0|256||available|
example|DE|ipv4|300.0.113.0|256|20200203|allocated|op-1
"""
KNOWN = {
    "ORG-OP1-EXAMPLE": (Tier.OPERATOR, None),
    "OP-1": (Tier.OPERATOR, None),
    "EXOP-1": (Tier.OPERATOR, None),
    "EX-BAKERY": (Tier.CUSTOMER, "acct-1"),
    "C00000001": (Tier.CUSTOMER, "acct-1"),
    "EX-RESELLER": (Tier.CUSTOMER, "acct-9"),
    "AS64500": (Tier.CUSTOMER, "acct-1"),
}


def read(text: str):
    return read_published(text.splitlines(True), source_name="whois.txt", at=NOW, holder_of=KNOWN.get)


def rows(sheet):
    held = [
        (v.tier, str(v.prefix), v.customer, v.held_from)
        for v in (line.value for line in sheet.lines)
        if isinstance(v, Holding)
    ]
    things = [(v.kind, v.name, v.customer) for v in (line.value for line in sheet.lines) if isinstance(v, Resource)]
    return held, things


def test_objects_of_the_ripe_kind_are_read():
    sheet = read(RPSL)
    held, things = rows(sheet)
    created = datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert held == [
        (Tier.OPERATOR, "198.51.100.0/24", None, datetime(2020, 1, 1, tzinfo=UTC)),
        (Tier.CUSTOMER, "198.51.100.8/29", "acct-1", created),
        (Tier.CUSTOMER, "198.51.100.16/30", "acct-1", created),
        (Tier.RESELLER, "2001:db8:9::/48", "acct-9", NOW),
    ]
    assert things == [
        (ResourceKind.ASN, "AS64500", "acct-1"),
        (ResourceKind.ROUTE, "198.51.100.8/29 AS64500", "acct-1"),
    ]
    assert [(r.line, r.why[:30]) for r in sheet.refused] == [
        (35, "It names EX-STRANGER, and no h"),
        (40, "This object can't be read: las"),
    ]


def test_records_of_the_arin_kind_are_read():
    held, things = rows(read(ARIN))
    assert held == [(Tier.CUSTOMER, "203.0.113.0/26", "acct-1", datetime(2025, 3, 4, tzinfo=UTC))]
    assert [name for _, name, _ in things] == ["AS64501", "AS64502", "AS64503"]


def test_statistics_tell_our_own_space_and_pass_over_the_rest_of_the_world():
    sheet = read(STATISTICS)
    held, things = rows(sheet)
    assert [(tier, prefix) for tier, prefix, *_ in held] == [
        (Tier.OPERATOR, "203.0.113.0/25"),
        (Tier.OPERATOR, "203.0.113.128/26"),
        (Tier.OPERATOR, "2001:db8::/32"),
    ]
    assert [name for _, name, _ in things] == ["AS64505", "AS64506"]
    assert [r.line for r in sheet.refused] == [8]


@pytest.mark.parametrize("text", [RPSL, ARIN, STATISTICS])
def test_each_form_is_known_by_its_first_line(text):
    assert looks_published(text.splitlines()[0])
    assert not looks_published("key,name,reseller")
    assert not looks_published("tier,kind,prefix,held_from")


@given(st.text(alphabet=st.sampled_from(list("inetum:rga 0123456789.-/|\n+%#AS")), max_size=300))
def test_no_text_makes_the_reader_fail(text):
    sheet = read(text)
    assert all(row.why.endswith(".") for row in sheet.refused)


@pytest.mark.usefixtures("operator")
class TestTakenIn:
    def handles(self) -> None:
        operations.add_customer(customer("acct-8"), **BY)
        for name, (tier, holder) in KNOWN.items():
            if not name.startswith("AS6"):
                operations.hold_resource(
                    Resource(kind=ResourceKind.HANDLE, name=name, tier=tier, customer=holder, held_from=day(0)), **BY
                )

    def test_what_names_no_handle_is_refused_by_line_and_the_rest_taken_in(self):
        self.handles()
        text = RPSL.replace("198.51.100.0 - 198.51.100.255", "192.0.2.0 - 192.0.2.255")
        arguments = {"source_name": "whois.txt", **BY}
        assert not import_registry(text.splitlines(True), **arguments).applied
        preview = import_registry(text.splitlines(True), rest=True, **arguments)
        assert preview.applied
        assert ip_network("192.0.2.0/24") in queries.own_space(at=NOW)
        assert {str(h.prefix) for h in queries.holdings_of("acct-1", at=NOW)} == {"198.51.100.8/29", "198.51.100.16/30"}
        # The reseller's prefix lies in the operator's own, and the route's origin is nobody's handle.
        assert [h.tier for h in queries.holdings_covering(ip_address("2001:db8:9::1"), earliest=NOW, latest=NOW)] == [
            "operator", "reseller",
        ]  # fmt: skip
        later = {"at": day(300), "actor": "engineer"}
        again = import_registry(text.splitlines(True), source_name="whois.txt", rest=True, **later)
        assert (again.added, again.changed) == (0, 0)
