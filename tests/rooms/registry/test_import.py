from ipaddress import ip_network

import pytest

from tipstaff.ledger.queries import entries_about
from tipstaff.registry import operations, queries
from tipstaff.words import HoldingKind, ImportPreview, ServiceKind, Standing, Tier

from .conftest import BY, NOW, day

pytestmark = pytest.mark.django_db

CUSTOMERS = """\
key,name,reseller,is_reseller,standing,since,representative_name,representative_email,language,timezone
acct-3,Example Shop,acct-9,,,2026-01-05,,shop@example.org,de,Europe/Berlin
acct-9,Example Reseller,,yes,good,2026-01-01T00:00:00+01:00,Rita Example,rita@example.net,,
acct-1,"Example Bakery, Ltd",,no,suspended,,,,,
"""
SERVICES = """\
key,customer,kind,label,port
svc-1-1,acct-1,access,Shop floor,sw-1:12
"""
HOLDINGS = """\
tier,kind,prefix,held_from,held_until,customer,service,port_first,port_last
operator,static,198.51.100.0/24,2026-01-01,,,,,
operator,pool,198.51.100.128/25,2026-01-01,,,,,
reseller,static,198.51.100.64/26,2026-01-01,,acct-9,,,
customer,static,198.51.100.7,2026-01-01,2026-02-01T12:00:00+02:00,acct-1,svc-1-1,,
customer,port_block,198.51.100.200/32,2026-01-01,,acct-1,,1024,2047
customer,port_block,198.51.100.200/32,2026-01-01,,acct-3,,2048,3071
"""


def take_in(text: str, *, name: str = "sheet.csv", dry_run: bool = False) -> ImportPreview:
    return operations.import_csv(text.splitlines(keepends=True), source_name=name, dry_run=dry_run, **BY)


def refusals(preview: ImportPreview) -> list[tuple[int, str]]:
    assert not preview.applied
    return [(row.line, row.why) for row in preview.refused]


def take_in_all() -> None:
    for text in (CUSTOMERS, SERVICES, HOLDINGS):
        assert take_in(text).applied


def test_customers_services_and_holdings_come_in_whatever_their_order():
    preview = take_in(CUSTOMERS)
    assert (preview.kind, preview.rows, preview.added, preview.refused) == ("customers", 3, 3, ())
    bakery = queries.get_customer("acct-1")
    assert bakery is not None
    assert (bakery.name, bakery.standing, bakery.representative) == ("Example Bakery, Ltd", Standing.SUSPENDED, None)
    shop = queries.get_customer("acct-3")
    assert shop is not None
    assert shop.representative is not None
    assert (shop.reseller, shop.representative.language, shop.representative.name) == ("acct-9", "de", "Example Shop")
    assert take_in(SERVICES).added == 1
    assert queries.services_of("acct-1")[0].kind is ServiceKind.ACCESS
    preview = take_in(HOLDINGS, name="holdings.csv")
    assert (preview.kind, preview.added, preview.refused) == ("holdings", 6, ())
    blocks = queries.holdings_of("acct-1", at=NOW)
    assert [(held.port_first, held.port_last, held.source) for held in blocks] == [(1024, 2047, "holdings.csv:6")]


def test_a_dry_run_shows_what_would_change_and_changes_nothing():
    preview = take_in(CUSTOMERS, dry_run=True)
    assert (preview.added, preview.applied) == (3, False)
    assert "new: customer acct-9, Example Reseller" in preview.changes
    assert queries.list_customers() == []
    take_in(CUSTOMERS)
    take_in(SERVICES)
    preview = take_in(HOLDINGS, dry_run=True)
    assert (preview.added, preview.applied) == (6, False)
    assert queries.records_begin_at() is None
    assert entries_about("registry") == []


def test_the_same_files_again_change_and_record_nothing():
    take_in_all()
    before = len(entries_about("sheet.csv"))
    for text, rows in ((CUSTOMERS, 3), (SERVICES, 1), (HOLDINGS, 6)):
        preview = take_in(text)
        assert (preview.added, preview.changed, preview.unchanged) == (0, 0, rows)
        assert preview.applied
    assert len(entries_about("sheet.csv")) == before


def test_a_holding_that_ended_makes_room_for_the_next_in_the_same_file():
    take_in_all()
    ended = "customer,port_block,198.51.100.200/32,2026-01-01,2026-03-01,acct-3,,2048,3071"
    text = HOLDINGS.replace(HOLDINGS.splitlines()[-1], ended)
    text += "customer,port_block,198.51.100.200/32,2026-03-01,,acct-1,,2048,3071\n"
    preview = take_in(text)
    assert (preview.added, preview.changed, preview.unchanged, preview.refused) == (1, 1, 5, ())
    assert queries.holdings_of("acct-3", at=NOW) == []
    assert len(queries.holdings_of("acct-3", at=day(5))) == 1
    assert len(queries.holdings_of("acct-1", at=NOW)) == 2


def test_overlaps_are_told_by_line_and_nothing_is_taken_in():
    take_in(CUSTOMERS)
    take_in(SERVICES)
    overlap = "customer,static,198.51.100.200/30,2026-02-01,,acct-9,,,\n"
    preview = take_in(HOLDINGS + overlap, name="holdings.csv")
    assert refusals(preview) == [
        (
            8,
            "198.51.100.200/30 for acct-9 from 2026-02-01 00:00 UTC (holdings.csv:8) overlaps "
            f"198.51.100.200 ports {ports} for {who} from 2026-01-01 00:00 UTC (holdings.csv:{line}).",
        )
        for ports, who, line in (("1024-2047", "acct-1", 6), ("2048-3071", "acct-3", 7))
    ]
    assert queries.records_begin_at() is None
    take_in(HOLDINGS, name="holdings.csv")
    ((line, why), *_) = refusals(
        take_in("tier,kind,prefix,held_from,customer\n" + "customer,static,198.51.100.200,2026-02-01,acct-9\n")
    )
    assert line == 2
    assert "overlaps 198.51.100.200 ports 1024-2047 for acct-1" in why


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("customer,static,198.51.100.300,2026-01-01,,acct-1,,,", '"198.51.100.300" is not an address or prefix.'),
        (
            "customer,static,198.51.100.7/28,2026-01-01,,acct-1,,,",
            '"198.51.100.7/28" is not an address or prefix; it has bits set to the right of its length.',
        ),
        ("customer,static,198.51.100.9,,,acct-1,,,", "The field held_from is empty."),
        (
            "customer,static,198.51.100.9,2026-01-01 10:00,,acct-1,,,",
            'held_from is "2026-01-01 10:00" without a zone; write 2026-01-01T12:00:00Z or +02:00.'.replace(
                "2026-01-01T", "2026-03-01T"
            ),
        ),
        (
            "customer,static,198.51.100.9,yesterday,,acct-1,,,",
            'held_from is "yesterday"; write a time like 2026-03-01T12:00:00Z.',
        ),
        ("customer,static,198.51.100.9,2026-02-01,2026-01-01,acct-1,,,", "It ends before it begins."),
        ("customer,static,198.51.100.9,2026-01-01,,,,,", "A holding of the tier customer needs a customer."),
        (
            "operator,static,198.51.100.9,2026-01-01,,acct-1,,,",
            "The operator's own space has no customer, but acct-1 is named.",
        ),
        ("customer,static,198.51.100.9,2026-01-01,,acct-404,,,", "There is no customer acct-404."),
        ("customer,static,198.51.100.9,2026-01-01,,acct-1,svc-404,,", "There is no service svc-404."),
        (
            "customer,static,198.51.100.9,2026-01-01,,acct-3,svc-1-1,,",
            "The service svc-1-1 is acct-1's, not acct-3's.",
        ),
        (
            "customer,lease,198.51.100.9,2026-01-01,,acct-1,,1024,2047",
            "Only a port_block has some of the ports; this is lease.",
        ),
        (
            "customer,port_block,198.51.100.9,2026-01-01,,acct-1,,1024,65536",
            'port_last is "65536"; ports go from 0 to 65535.',
        ),
        (
            "customer,rented,198.51.100.9,2026-01-01,,acct-1,,,",
            'kind is "rented"; it may be static, lease, port_block, delegated, pool.',
        ),
        ("customer,static,198.51.100.9", "There are 3 fields where the header has 9."),
    ],
)
def test_a_bad_row_is_one_clear_sentence_with_its_line_and_nothing_is_taken_in(row, why):
    take_in(CUSTOMERS)
    take_in(SERVICES)
    preview = take_in(f"{HOLDINGS}\n{row}\n")
    assert refusals(preview) == [(9, why)]
    assert queries.records_begin_at() is None


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", 1, "The header fits no kind of file."),
        ("a,b\n1,2\n", 1, "The header fits no kind of file."),
        ("key,name,colour\nacct-1,Example,red\n", 1, 'There is no column "colour" in a file of customers;'),
        ("key,name,name\nacct-1,Example,Example\n", 1, "The column name stands in the header twice."),
        ("key,name\nacct-1,Example\nacct-1,Example again\n", 3, "customer acct-1, Example again stands on line 2"),
        ("key,name,reseller\nacct-1,Example,acct-404\n", 2, "There is no reseller acct-404."),
        ("key,name,representative_email\nacct-1,Example,nobody\n", 2, '"nobody" is not a mail address.'),
        ("key,name,timezone\nacct-1,Example,Mars/Olympus\n", 2, '"Mars/Olympus" is not a time zone;'),
        ('key,name\nacct-1,"Example\n', 2, "This is not well-formed CSV;"),
        ('key,name\nacct-1,"Two\nlines"\n', 2, "The field name holds a line break"),
        ("key,name\nacct-1,Bell\x07\n", 2, "The field name holds a line break or another control character."),
        (f"key,name\n{'a' * 65},Example\n", 2, "The field key is longer than 64 characters."),
        ("key,name,reseller\nacct-1,One,acct-2\nacct-2,Two,acct-1\n", 2, "There is no reseller acct-2."),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(text, line, why):
    preview = take_in(text)
    assert refusals(preview)[0][0] == line
    assert refusals(preview)[0][1].startswith(why)
    assert queries.list_customers() == []


def test_a_spreadsheets_own_form_is_read():
    preview = take_in("\ufeffKey;Name\r\nacct-1;Example Bakery\r\n\r\n")
    assert (preview.kind, preview.added, preview.applied) == ("customers", 1, True)


def test_sites_come_in_and_end():
    take_in_all()
    header = "host_name,address,customer,service,since,until\n"
    assert take_in(header + "Shop.example.net,198.51.100.7,acct-1,svc-1-1,2026-01-01,\n").added == 1
    assert queries.sites_named("shop.example.net", at=NOW)[0].customer == "acct-1"
    preview = take_in(header + "shop.example.net,198.51.100.7,acct-1,svc-1-1,2026-01-01,2026-02-01\n")
    assert (preview.changed, preview.applied) == (1, True)
    assert queries.sites_named("shop.example.net", at=NOW) == []
    preview = take_in(header + "shop.example.net,198.51.100.7,acct-3,,2026-01-10,\n")
    assert refusals(preview) == [(2, "Shop.example.net at 198.51.100.7 is already answered for acct-1 then.")]


FULL = {
    "customers": (
        "key,name,reseller,is_reseller,standing,since,representative_name,representative_email,language,timezone,phone,"
        "email,postal_address,country",
        "acct-3,Shop,acct-9,yes,terminated,2026-01-05,Ada Example,ada@example.org,de,Europe/Berlin,+49 30 000000,"
        "desk@example.org,Example Street 1,DE",
    ),
    "services": ("key,customer,kind,label,port", "svc-3,acct-3,access,Shop floor,sw-1:12"),
    "holdings": (
        "tier,kind,prefix,held_from,held_until,customer,service",
        "customer,static,198.51.100.7/32,2026-01-01,2026-02-01,acct-3,svc-3",
    ),
    "sites": (
        "host_name,address,customer,since,service,until",
        "s.example.org,198.51.100.7,acct-3,2026-01-01,svc-3,2026-02-01"
    ),
    "resources": (
        "resource,name,held_from,customer,service,held_until",
        "domain,shop.example.net,2026-01-01,acct-3,svc-3,2026-02-01"
    ),
    "users": ("key,customer,name,email", "u-1,acct-3,Ben,ben@example.org"),
    "representatives": (
        "customer,email,place,name,language,timezone,phone",
        "acct-3,ada@example.org,1,Ada Example,de,Europe/Berlin,+49 1"
    ),
}  # fmt: skip
NEEDED = {
    "customers": ("key", "name"),
    "services": ("key", "customer", "kind"),
    "holdings": ("tier", "kind", "prefix", "held_from", "customer"),
    "sites": ("host_name", "address", "customer", "since"),
    "resources": ("resource", "name", "held_from", "customer"),
    "users": ("key", "customer", "name"),
    "representatives": ("customer", "email"),
}


def test_a_column_that_a_file_does_not_have_changes_nothing():
    assert take_in("key,name,is_reseller\nacct-9,Example Reseller,yes\n").applied
    operations.hold(
        tier=Tier.OPERATOR, kind=HoldingKind.STATIC, prefix=ip_network("198.51.100.0/24"), held_from=day(-90),
        source="plan", **BY,
    )  # fmt: skip
    for header, row in FULL.values():
        assert take_in(f"{header}\n{row}\n").applied
    for kind, names in NEEDED.items():
        header, row = (line.split(",") for line in FULL[kind])
        short = dict(zip(header, row, strict=True))
        preview = take_in(f"{','.join(names)}\n{','.join(short[name] for name in names)}\n")
        assert (preview.kind, preview.unchanged, preview.changes, preview.refused) == (kind, 1, (), ())
        # With the columns, and nothing in them, it says that there is nothing.
        if kind not in ("representatives", "users"):
            empty = ",".join(short[name] if name in names else "" for name in header)
            assert take_in(f"{','.join(header)}\n{empty}\n", dry_run=True).changed == 1


def test_a_file_does_not_bring_back_what_ended_with_its_service():
    for kind in ("customers", "services", "holdings"):
        take_in({"customers": CUSTOMERS, "services": SERVICES, "holdings": HOLDINGS}[kind])
    header = "tier,kind,prefix,held_from,held_until,customer,service\n"
    row = "customer,static,198.51.100.9,{},,acct-1,svc-1-1\n"
    assert take_in(header + row.format("2026-01-01")).applied
    operations.end_service("svc-1-1", held_until=day(20), **BY)
    again = take_in(header + row.format("2026-01-01"))
    assert (again.unchanged, again.changes) == (1, ())
    assert [h for h in queries.holdings_of("acct-1", at=day(20)) if h.service] == []
    said = "The service svc-1-1 has ended on 2026-01-21 00:00 UTC."
    assert refusals(take_in(header + row.format("2026-02-01"))) == [(2, said)]
    with pytest.raises(operations.NotAHolding, match="the service svc-1-1 has ended"):
        operations.hold(
            tier=Tier.CUSTOMER, kind=HoldingKind.STATIC, prefix=ip_network("198.51.100.10/32"), held_from=day(1),
            customer="acct-1", service="svc-1-1", source="desk", **BY,
        )  # fmt: skip


def test_a_preview_names_the_fields_that_would_change():
    take_in("key,name,standing,phone,country\nacct-3,Shop,terminated,+49 30 000000,DE\n")
    preview = take_in("key,name,phone\nacct-3,Shop,+49 30 111111\n", dry_run=True)
    assert preview.changes == ("changed: customer acct-3, Shop: phone",)
    preview = take_in("key,name,standing,phone\nacct-3,Shop,,\n", dry_run=True)
    assert preview.changes == ("changed: customer acct-3, Shop: standing, phone",)
