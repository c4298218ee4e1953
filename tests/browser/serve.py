"""Serves a played example day from a database of its own, for a browser. It prints its port.

A database of its own, because the record refuses to be emptied after a test.
"""

import dataclasses
import importlib.util
import json
import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django


class Server(ThreadingMixIn, WSGIServer):
    """Several requests at once, as a browser makes them."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Says nothing for each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


# Before the settings are read: passkeys are for a name, and the name has the port in it.
SERVER = Server(("127.0.0.1", 0), Quiet)
os.environ["TIPSTAFF_WEB_PUBLIC_URL"] = f"http://localhost:{SERVER.server_port}"
SETTINGS = f"""
[portal]
webhook_hosts = ["*"]
openid_issuer = "http://127.0.0.1:{SERVER.server_port}/nobody"
openid_client_id = "tipstaff"
openid_name = "Example Corp"
[[brands]]
name = "north"
shown_as = "North Line"
address = "abuse@north.example.net"
public_url = "http://north.localhost:{SERVER.server_port}"
mark = "NL"
colour = "teal"
language = "de"
"""
"""A brand at a host of its own (a browser takes each name under `localhost` for this machine), webhooks, and a provider
that nobody answers at."""
FOLDER = tempfile.TemporaryDirectory()
os.environ["TIPSTAFF_CONFIG"] = str(Path(FOLDER.name) / "tipstaff.toml")
Path(os.environ["TIPSTAFF_CONFIG"]).write_text(SETTINGS, encoding="utf-8")
django.setup()

from django.contrib.auth.models import User  # noqa: E402 - Django must be set up first
from django.core.management import call_command  # noqa: E402 - Django must be set up first
from django.core.wsgi import get_wsgi_application  # noqa: E402 - Django must be set up first
from django.http import QueryDict  # noqa: E402 - Django must be set up first

from tipstaff import wiring  # noqa: E402 - Django must be set up first
from tipstaff.config import DeviceConfig  # noqa: E402 - Django must be set up first
from tipstaff.policy import edition_files, edition_folders  # noqa: E402 - Django must be set up first
from tipstaff.procedures import editions, hooks, replays, sighting  # noqa: E402 - Django must be set up first
from tipstaff.procedures.replaying import PAST  # noqa: E402 - Django must be set up first
from tipstaff.web.console.filters import propose  # noqa: E402 - Django must be set up first
from tipstaff.web.console.legal import take  # noqa: E402 - Django must be set up first
from tipstaff.web.roles import give_roles  # noqa: E402 - Django must be set up first
from tipstaff.webhooks.models import WebhookRow  # noqa: E402 - Django must be set up first
from tipstaff.words import Role  # noqa: E402 - Django must be set up first

FEWER = frozenset(
    [
        "scan-shared-before",
        "spam-arf",
        "ssh",
        "ssh-same-bytes",
        "phishing-shared",
        "ssh-xarf",
        "auto-reply",
        "spam-arf-port",
        "ssh-resent",
        "spam-xarf",
        "sealed-xarf",
        "not-ours",
        "ssh-joins",
        "scan-japanese",
        "broken-xarf",
        "bounce",
        "shared-without-port",
        "spam-joins",
        "years-ago",
        "p2p-notice",
        "ddos-xarf",
        "flood-text",
        "brand-xarf",
        "no-source",
        "open-memcached",
        "table-resolvers",
    ]
)
PASSWORD = "correct horse battery"
STAFF = {
    "mary.king": {Role.LEAD, Role.ANALYST, Role.COUNSEL, Role.ADMINISTRATOR},
    "lena": {Role.ANALYST},
    "eva": {Role.ENGINEER},
    "pia": {Role.ANALYST},
}


def announce_an_edition() -> None:
    """The shipped edition is in force, and one with a longer time to answer is announced."""
    shipped = edition_files(edition_folders()[0])
    editions.adopt_installed([shipped], since=datetime(2026, 1, 1, tzinfo=UTC), at=wiring.now())
    files = {name: text for name, text in shipped.items() if not name.startswith("locales/")}
    for name, was, now in (
        ("edition.toml", b'id = "2026-01"', b'id = "2026-07"'),
        ("clauses/usenet.rules.toml", b"hours = 72\n", b"hours = 96\n"),
        ("clauses/usenet.rules.toml", b"within_hours = 72", b"within_hours = 96"),
        ("clauses/usenet.rules.toml", b"three days are left", b"four days are left"),
        ("clauses/mail.unsolicited.toml", b"or guessed. If", b"or made up. If"),
    ):
        files[name] = files[name].replace(was, now)
    at, desk = wiring.now(), wiring.desk()
    drafted = editions.draft(files, at=at, actor="anna")
    editions.approve(drafted.id, seen=drafted.digest, significant=True, why="Read.", desk=desk, at=at, actor="carla")
    editions.compile(drafted.id, desk=desk, at=at, actor="carla")
    editions.announce(drafted.id, desk=desk, at=at, actor="carla")


def leave_a_sighting_to_a_person() -> None:
    """A sensor of ours saw a scan from an address that nobody holds."""
    seen = {
        "id": "scan-1", "kind": "flows.scan", "at": wiring.now().isoformat(), "source": "192.0.2.251",
        "type": "connection/port_scan", "facts": {"targets": 300, "minutes": 30, "announced": False},
    }  # fmt: skip
    sighting.take(json.dumps(seen).encode(), sensor="flows-1", desk=wiring.desk(), at=wiring.now(), actor="flows-1")
    sighting.judge_waiting(desk=wiring.desk(), at=wiring.now())


def judge_the_past_again() -> None:
    """Somebody asked what the edition in the shadow would have changed, and the worker has answered."""
    shadow, at, desk = wiring.shadow(), wiring.now(), wiring.desk()
    assert shadow is not None
    today = at.replace(hour=0, minute=0, second=0, microsecond=0)
    run = replays.ask_for(
        shadow.edition, since=today - PAST, until=today + timedelta(days=1), desk=desk, at=at, actor="lena"
    )
    replays.carry_on(run.key, desk=desk, now=wiring.now)


def enter_what_few_desks_have() -> None:
    """A request of an authority, a webhook that leads nowhere, and a filter that was proposed for the sighting."""
    at = wiring.now()
    form = QueryDict(mutable=True)
    form.update({
        "kind": "identity", "authority": "District Court", "reference": "12 C 34", "binding": "on",
        "text": "District Court, docket no. 12 C 34, 4 May 2026. Who used the address?", "address": "192.0.2.131",
        "clock": "disclosure.production_order", "used_at": (at - timedelta(hours=1)).isoformat(),
    })  # fmt: skip
    take(form, actor="mary.king")
    made = hooks.operations.make_webhook(
        "https://hooks.example.net/tipstaff", events=["case.*"], sealed_secret=b"x", told_to=hooks.ledger.chain_end(),
        at=at, actor="eva",
    )  # fmt: skip
    WebhookRow.objects.filter(key=made.key).update(key="000000000001")  # So that its page has an address.
    danger = {"danger": "A worm spreads by it.", "shown_by": "S-000001", "lasts_hours": "24", "ground": "network_harm"}
    target = {"network": "192.0.2.251/32", "protocol": "tcp", "port": "445", "direction": "in", "degree": "block"}
    propose({**target, **danger, "why_no_narrower": "It would go on."}, actor="lena")


def main() -> None:
    own = wiring.settings()
    with_device = dataclasses.replace(own, devices=(DeviceConfig(name="edge-1", driver="memory"),))
    wiring.settings = lambda: with_device
    call_command("migrate", verbosity=0)
    day = Path(__file__).parent.parent / "rooms" / "web" / "day.py"
    spec = importlib.util.spec_from_file_location("web_day", day)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # The pictures show the whole day; the tests do with its beginning and a few more.
    whole = os.environ.get("TIPSTAFF_PICTURES") == "1"
    module.play(at=wiring.now(), ids=None if whole else FEWER)
    for name, roles in STAFF.items():
        give_roles(User.objects.create_user(name, password=PASSWORD), frozenset(roles))
    announce_an_edition()
    leave_a_sighting_to_a_person()
    judge_the_past_again()
    enter_what_few_desks_have()
    SERVER.set_app(get_wsgi_application())
    with SERVER:
        print(SERVER.server_port, flush=True)
        SERVER.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
