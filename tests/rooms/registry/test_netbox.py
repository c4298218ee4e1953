"""NetBox through the real client, against an HTTP server on loopback that answers as NetBox' API does."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from urllib.parse import parse_qs, urlsplit

import pynetbox
import pytest

from tipstaff.procedures.registering import import_netbox
from tipstaff.registry import operations, queries
from tipstaff.words import ResourceKind, Tier

from .conftest import BY, NOW, day, hold

pytestmark = pytest.mark.usefixtures("operator")

TENANT = {"id": 1, "slug": "bakery", "name": "Example Bakery", "custom_fields": {"tipstaff_customer": "acct-1"}}
OTHER = {"id": 2, "slug": "library", "name": "Example Library", "custom_fields": {}}
BRIEF = {1: {"id": 1, "slug": "bakery", "name": "Example Bakery"}, 2: {"id": 2, "slug": "library", "name": "x"}}
DAY = "2026-01-04T00:00:00Z"
ACTIVE = {"value": "active", "label": "Active"}
STOCK = {
    "tenancy/tenants": [TENANT, OTHER],
    "ipam/aggregates": [{"id": 1, "prefix": "203.0.113.0/24", "created": DAY}],
    "ipam/prefixes": [
        {"id": 1, "prefix": "203.0.113.0/28", "tenant": BRIEF[1], "status": ACTIVE, "created": DAY},
        {"id": 2, "prefix": "203.0.113.16/28", "tenant": BRIEF[2], "status": ACTIVE, "created": None},
        {"id": 3, "prefix": "203.0.113.64/26", "tenant": None, "is_pool": True, "status": ACTIVE, "created": DAY},
        {"id": 4, "prefix": "203.0.113.32/28", "tenant": BRIEF[2], "status": {"value": "deprecated"}, "created": DAY},
    ],
    "ipam/ip-addresses": [
        {"id": n, "address": f"203.0.113.{n}/28", "tenant": BRIEF[1], "status": ACTIVE, "created": DAY}
        for n in range(1, 9)
    ]
    + [{"id": 50, "address": "203.0.113.50/32", "tenant": BRIEF[1], "status": ACTIVE, "created": DAY}],
    "ipam/asns": [{"id": 1, "asn": 64500, "tenant": BRIEF[1], "created": DAY}],
    "ipam/vlans": [
        {"id": 1, "vid": 100, "name": "shop", "tenant": BRIEF[1], "site": {"id": 1, "slug": "north"}, "created": DAY},
        {"id": 2, "vid": 101, "name": "lost", "tenant": BRIEF[1], "site": None, "status": ACTIVE, "created": DAY},
    ],
    "circuits/circuits": [
        {"id": 1, "cid": "C-4711", "tenant": BRIEF[2], "provider": {"id": 1, "slug": "carrier"}, "created": DAY}
    ],
}


@pytest.fixture
def netbox() -> Iterator[pynetbox.api]:
    """A server that pages as NetBox does, five objects at a time, and knows one token."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            name = asked.path.removeprefix("/api/").strip("/")
            if self.headers.get("Authorization") != "Token sesame" or name not in STOCK:
                self.send_error(403)
                return
            query = parse_qs(asked.query)
            begin = int(query.get("offset", ["0"])[0])
            objects = STOCK[name]
            more = begin + 5 < len(objects)
            url = f"http://127.0.0.1:{self.server.server_port}/api/{name}/"
            body = json.dumps(
                {
                    "count": len(objects),
                    "next": f"{url}?limit=5&offset={begin + 5}" if more else None,
                    "previous": None,
                    "results": [
                        {"url": f"{url}{one['id']}/", "display": str(one["id"]), **one}
                        for one in objects[begin : begin + 5]
                    ],
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield pynetbox.api(f"http://127.0.0.1:{server.server_port}", token="sesame")
    server.shutdown()
    thread.join()
    server.server_close()


def take_in(netbox, **more):
    return import_netbox(netbox, source_name="netbox", **{**BY, **more})


def test_who_holds_what_comes_in_from_when_it_is_first_seen(netbox):
    preview = take_in(netbox)
    assert preview.applied
    assert [(str(h.prefix), h.held_from) for h in queries.holdings_of("acct-1", at=NOW)] == [
        ("203.0.113.0/28", NOW), ("203.0.113.50/32", NOW),
    ]  # fmt: skip
    assert [str(h.prefix) for h in queries.holdings_of("library", at=NOW)] == ["203.0.113.16/28"]
    assert {(r.kind, r.scope, r.name) for r in queries.resources_of("acct-1", at=NOW)} == {
        (ResourceKind.ASN, "", "AS64500"), (ResourceKind.VLAN, "north", "100"),
    }  # fmt: skip
    assert [r.name for r in queries.resources_of("library", at=NOW)] == ["C-4711"]
    assert len(preview.refused) == 1
    assert "vlan 2 can't be read: A vlan needs a scope" in preview.refused[0].why
    space = queries.holdings_within(ip_network("203.0.113.0/24"))
    pools = [h for h in space if h.tier is Tier.OPERATOR and h.kind == "pool"]
    assert [(str(p.prefix), p.held_from) for p in pools] == [("203.0.113.64/26", day(3))]


def test_the_same_again_changes_nothing_and_a_preview_neither(netbox):
    assert take_in(netbox, dry_run=True).added > 5
    assert queries.get_customer("library") is None
    take_in(netbox)
    again = take_in(netbox, at=day(200))
    assert (again.added, again.changed, again.change) == (0, 0, None)


def test_a_customer_that_we_know_stays_as_they_are(netbox):
    before = queries.get_customer("acct-1")
    take_in(netbox)
    assert queries.get_customer("acct-1") == before


def test_what_a_person_has_given_stands_against_netbox(netbox):
    hold("203.0.113.0/28", "acct-2")
    preview = take_in(netbox)
    assert [k.why for k in preview.kept] == [
        "203.0.113.0/28 for acct-1: engineer has set it for acct-2 on 2026-03-10, and that stands."
    ]
    assert [str(h.prefix) for h in queries.holdings_of("acct-2", at=NOW)] == ["203.0.113.0/28"]


@pytest.fixture
def changed(monkeypatch):
    """NetBox after a prefix, an AS number and an address went, and a VLAN became somebody else's."""

    def change() -> None:
        left = {name: list(objects) for name, objects in STOCK.items()}
        left["ipam/prefixes"] = [p for p in STOCK["ipam/prefixes"] if p["id"] not in (2, 3)]
        left["ipam/asns"] = []
        left["ipam/vlans"] = [{**STOCK["ipam/vlans"][0], "tenant": BRIEF[2]}]
        left["ipam/ip-addresses"] = [a for a in STOCK["ipam/ip-addresses"] if a["id"] not in (4, 50)]
        for name, objects in left.items():
            monkeypatch.setitem(STOCK, name, objects)

    return change


GONE = ["203.0.113.16/28 for library", "203.0.113.64/26 for the operator's pools", "203.0.113.50 for acct-1",
        "asn AS64500 for acct-1", "vlan 100 on north for acct-1"]  # fmt: skip


def told_gone(preview) -> list[str]:
    return sorted(sentence.partition(" from ")[0] for sentence in preview.gone)


def open_now() -> set[str]:
    held = {str(h.prefix) for key in ("acct-1", "library") for h in queries.holdings_of(key, at=day(250))}
    return held | {r.name for key in ("acct-1", "library") for r in queries.resources_of(key, at=day(250))}


def test_what_is_gone_from_netbox_is_shown_and_does_not_end(netbox, changed):
    take_in(netbox)
    assert take_in(netbox, dry_run=True).gone == ()
    before = open_now()
    changed()
    for preview in (take_in(netbox, dry_run=True, at=day(200)), take_in(netbox, at=day(200))):
        assert told_gone(preview) == sorted(GONE)
        assert preview.gone_token
        assert preview.ended == 0
    assert open_now() == before


def test_what_was_shown_as_gone_ends_when_it_is_accepted_and_is_undone_at_once(netbox, changed):
    take_in(netbox)
    before = open_now()
    changed()
    shown = take_in(netbox, dry_run=True, at=day(200))
    done = take_in(netbox, at=day(201), end_gone=shown.gone_token)
    assert (done.ended, told_gone(done)) == (5, sorted(GONE))
    assert open_now() == {"203.0.113.0/28", "C-4711", "100"}, "the VLAN is another's there"
    assert {str(h.prefix) for h in queries.holdings_of("library", at=day(200))} == {"203.0.113.16/28"}, "until then"
    assert take_in(netbox, at=day(202)).gone == ()
    operations.undo(done.change, why="NetBox was wrong", at=day(203), actor="engineer")
    assert open_now() == before
    # By undoing it a person has said that they go on; NetBox is not asked about them any more.
    assert take_in(netbox, at=day(204)).gone == ()


def test_only_what_was_shown_is_accepted(netbox, changed):
    take_in(netbox)
    with pytest.raises(operations.NotWhatWasShown):
        take_in(netbox, at=day(200), end_gone="0123456789ab")
    changed()
    shown = take_in(netbox, dry_run=True, at=day(200))
    STOCK["circuits/circuits"], circuits = [], STOCK["circuits/circuits"]
    try:
        with pytest.raises(operations.NotWhatWasShown):
            take_in(netbox, at=day(201), end_gone=shown.gone_token)
    finally:
        STOCK["circuits/circuits"] = circuits
    assert "C-4711" in open_now()
    assert "203.0.113.16/28" in open_now()


def test_what_a_person_has_given_is_never_shown_as_gone(netbox, changed):
    hold("203.0.113.200/32", "acct-2", source="netbox address 99")
    take_in(netbox)
    changed()
    assert told_gone(take_in(netbox, at=day(200))) == sorted(GONE)


def test_what_can_not_be_read_is_not_taken_for_gone(netbox, monkeypatch):
    take_in(netbox)
    spoilt = [{**one, "asn": None} for one in STOCK["ipam/asns"]]
    monkeypatch.setitem(STOCK, "ipam/asns", spoilt)
    preview = take_in(netbox, at=day(200))
    assert any("asn 1" in refused.why for refused in preview.refused)
    assert preview.gone == ()


def test_what_is_gone_is_shown_on_the_command_line_with_its_token(netbox, changed):
    from tipstaff.cli.registry_files import import_in_words

    take_in(netbox)
    changed()
    shown = take_in(netbox, dry_run=True, at=day(200))
    text = import_in_words(shown, dry_run=True)
    assert "netbox: gone there: asn AS64500 for acct-1 from 2026-03-10 12:00 UTC (netbox asn 1)" in text
    assert f"Nothing of it has ended here. To end all of it now: --end-gone {shown.gone_token}" in text
    done = take_in(netbox, at=day(201), end_gone=shown.gone_token)
    assert "netbox: 5 rows ended here." in import_in_words(done, dry_run=False)


def test_all_of_it_is_undone_at_once(netbox):
    preview = take_in(netbox)
    assert preview.change is not None
    operations.undo(preview.change, why="wrong NetBox", **BY)
    assert queries.get_customer("library") is None
    assert queries.holdings_of("acct-1", at=NOW) == []


def test_another_tenant_arrives_and_is_not_named_for_the_time_before(netbox, monkeypatch):
    take_in(netbox)

    def holders(at) -> list[str]:
        held = queries.holdings_covering(ip_address("203.0.113.15"), earliest=at, latest=at)
        return [h.customer for h in held if h.tier is Tier.CUSTOMER]

    assert (holders(day(5)), holders(NOW)) == ([], ["acct-1"]), "`created` is no word of the tenant"
    prefixes = [dict(one) for one in STOCK["ipam/prefixes"]]
    prefixes[0]["tenant"] = BRIEF[2]
    monkeypatch.setitem(STOCK, "ipam/prefixes", prefixes)
    monkeypatch.setitem(STOCK, "ipam/ip-addresses", [])
    shown = take_in(netbox, dry_run=True, at=day(200))
    assert told_gone(shown)[0] == "203.0.113.0/28 for acct-1"
    done = take_in(netbox, at=day(200), end_gone=shown.gone_token)
    assert any("would go from acct-1 to library without a letter of authority" in r.why for r in done.refused)
    assert (holders(day(199)), holders(day(200))) == (["acct-1"], [])
    take_in(netbox, at=day(201))
    assert (holders(day(199)), holders(day(201))) == (["acct-1"], ["library"])


def test_an_address_within_a_prefix_is_its_own_tenants_though_the_prefix_has_another(netbox, monkeypatch):
    address = {"id": 51, "address": "203.0.113.3/28", "tenant": BRIEF[2], "status": ACTIVE, "created": DAY}
    monkeypatch.setitem(STOCK, "ipam/ip-addresses", [address])
    for at in (NOW, day(200)):
        told = take_in(netbox, at=at)
        assert [r.why[:25] for r in told.refused if "overlaps" in r.why] == ["203.0.113.0/28 for acct-1"]
        assert told.gone == ()
    assert {str(h.prefix) for h in queries.holdings_of("acct-1", at=day(250))} == set()
    rows = queries.holdings_covering(ip_address("203.0.113.3"), earliest=day(250), latest=day(250))
    assert {h.customer for h in rows if h.customer is not None} == {"library"}
