"""NetBox through the real client, against an HTTP server on loopback that answers as NetBox' API does."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
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


def test_who_holds_what_comes_in_with_its_day(netbox):
    preview = take_in(netbox)
    assert preview.applied
    assert [(str(h.prefix), h.held_from) for h in queries.holdings_of("acct-1", at=NOW)] == [
        ("203.0.113.0/28", day(3)), ("203.0.113.50/32", day(3)),
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
    assert [str(p.prefix) for p in pools] == ["203.0.113.64/26"]


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


def test_all_of_it_is_undone_at_once(netbox):
    preview = take_in(netbox)
    assert preview.change is not None
    operations.undo(preview.change, why="wrong NetBox", **BY)
    assert queries.get_customer("library") is None
    assert queries.holdings_of("acct-1", at=NOW) == []
