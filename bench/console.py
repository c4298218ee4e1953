"""How long the desk's search and its pages take among very many cases, on generated rows. Prints JSON.

    python bench/console.py [--cases 1000000] [--reports-each 5] [--times 20] [--folder FOLDER]

Each question is asked `--times` times of a database that was analysed, after one that is not counted: the median, the
95th of a hundred and the slowest are said in milliseconds, with the processor's own time of the page's process and of
its database session (a busy machine makes waiting longer and work not), and for a page the octets of its answer as a
browser gets them. A page is asked of the whole site, middleware and log-in with it, in this process, by an analyst to
whom one clause group is closed and what is sealed; `API` are its lists, and `portal` are a customer's. With `--folder`
the rows stay there for the next run.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

TEXTS = (
    "10.0.4.210", "10.0.4.0/24", "10.0.0.0/12", "Sample Customer 4711", "<m4711@reporter.example.org>",
    "watch-7@reporter.example.org", "h4711.example.net", "note4710", "word4711", "line471", "kind471 reported",
    "nothing at all like it",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--reports-each", type=int, default=5)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", default="", help="pages whose name has this in it, and no searches")
    options = parser.parse_args()
    from _database import database

    with database(options.folder):
        print(json.dumps(run(options), indent=1))


def run(options: argparse.Namespace) -> dict[str, Any]:
    from _desk_rows import CLOSED, fill
    from django.db import connection

    from tipstaff import wiring
    from tipstaff.procedures.searching import find

    with connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM cases_caserow), (SELECT count(*) FROM intake_reportrow)")
        cases, reports = cursor.fetchone()
    filled: dict[str, float] = {}
    if not cases:
        filled = fill(options.cases, options.reports_each)
        cases, reports = options.cases, options.cases * options.reports_each
    # The desk's clock stands where the rows end, so that a day of theirs is today.
    at = datetime(2023, 6, 1, tzinfo=UTC) + cases * timedelta(seconds=90)
    wiring.now = lambda: at
    own = wiring.settings()
    own = replace(
        own, staff=replace(own.staff, closed_groups=(f"{CLOSED}=counsel",)),
        api=replace(own.api, token_a_minute=0, address_a_minute=0),
    )  # fmt: skip
    wiring.settings = lambda: own
    texts = TEXTS if not options.only else ()
    searches = {text: timed(lambda text=text: count(find(text, limit=25, at=at)), options.times) for text in texts}
    return {
        "benchmark": "console", "command": " ".join(["python", *sys.argv]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "cases": cases, "reports": reports, "filled_seconds": filled,
        "search_milliseconds": searches, "page_milliseconds": pages(options.times, cases, only=options.only),
    }  # fmt: skip


def pages(times: int, cases: int, *, only: str) -> dict[str, dict[str, Any]]:
    """Each kind of page, asked at different places one after the other."""
    from _desk_rows import HOT
    from django.contrib.auth.models import User
    from django.test import Client

    from tipstaff.web.roles import give_roles
    from tipstaff.words import Role

    user, _ = User.objects.get_or_create(username="anna")
    give_roles(user, frozenset({Role.ANALYST, Role.LEAD, Role.ENGINEER}))
    client = Client(headers={"accept-encoding": "gzip"}, SERVER_NAME="localhost")
    client.force_login(user)
    contact = contact_of("acct-4700")
    open_ = (f"C-{n:07}" for n in cycle(range(25, cases, 25 * 137)))
    ended = (f"C-{n:07}" for n in cycle(range(3, cases, 1013)))
    report = (f"R-{n:08}" for n in cycle(range(3, cases, 1013)))
    kinds: dict[str, Callable[[], str]] = {
        "list of open cases": lambda: "cases",
        "list of cases that need a person": lambda: "cases?view=person",
        "list of closed cases": lambda: "cases?view=closed",
        "list of all cases, page 40": lambda: "cases?view=all&page=40",
        "list of mine": lambda: "cases?view=mine",
        "list by tag": lambda: "cases?view=all&tag=wave",
        "list, open, by a customer's name": lambda: "cases?find=Customer+4700",
        "list, all, by a word that most have": lambda: "cases?view=all&find=Sample",
        "list, all, by an address": lambda: "cases?view=all&find=10.0.4.210",
        "open case": lambda: f"cases/{next(open_)}",
        "closed case": lambda: f"cases/{next(ended)}",
        "case that very many reports joined": lambda: f"cases/C-{HOT:07}",
        "panel beside the list": lambda: f"cases/{next(open_)}/peek",
        "counters": lambda: "numbers",
        "inbox": lambda: "inbox",
        "late": lambda: "levels",
        "list of reports": lambda: "reports",
        "report": lambda: f"reports/{next(report)}",
        "list of customers": lambda: "customers",
        "customer": lambda: "customers/acct-4700",
        "list of measures": lambda: "measures",
        "record": lambda: "record",
        "wall": lambda: "wall",
        "overview": lambda: "overview",
        "search": lambda: "search?q=10.0.4.0/24",
        "list of sightings": lambda: "sightings",
        "clocks": lambda: "clocks",
        "list of filters": lambda: "filters",
        "devices": lambda: "devices",
        "changes": lambda: "changes",
        "health": lambda: "health",
        "letter": lambda: f"letters/L-{next(numbers):07}",
        "API: cases": lambda: "/api/cases?limit=200",
        "API: cases, the newest": lambda: "/api/cases?order=newest&limit=200",
        "API: cases by a word that most have": lambda: "/api/cases?order=newest&search=Sample",
        "API: cases by a tag": lambda: "/api/cases?order=newest&tag=wave",
        "API: cases, far behind": lambda: "/api/cases?offset=30000",
        "API: closed cases, far behind": lambda: "/api/cases?state=closed&offset=900000",
        "API: late": lambda: "/api/cases/late",
        "API: a case's history": lambda: f"/api/cases/{next(open_)}/history",
        "API: history of the case that very many joined": lambda: f"/api/cases/C-{HOT:07}/history",
        "API: what that case holds": lambda: f"/api/cases/C-{HOT:07}/incidents",
        "API: reports": lambda: "/api/reports?limit=200",
        "API: reports of an outcome": lambda: "/api/reports?outcome=with_a_person",
        "API: reports by a reporter": lambda: "/api/reports?search=watch-7%40reporter.example.org",
        "API: letters": lambda: "/api/letters?limit=200",
        "API: letters in doubt": lambda: "/api/letters?state=in_doubt",
        "API: measures": lambda: "/api/measures?limit=200",
        "API: measures of a device": lambda: "/api/measures?device=edge1&state=in_force",
        "API: sightings": lambda: "/api/sightings?limit=200",
        "API: customers": lambda: "/api/registry/customers?limit=200",
        "API: record": lambda: "/api/record?limit=200",
        "API: inbox": lambda: "/api/inbox",
        "API: figures": lambda: "/api/figures",
        "API: search": lambda: "/api/search?q=10.0.4.0/24",
        "API: clocks": lambda: "/api/clocks",
        "portal: the account": lambda: "/account/",
    }
    numbers = cycle(range(3, cases, 1013))
    found = {}
    for name, where in kinds.items():
        if only not in name:
            continue
        octets = 0

        def ask(where: Callable[[], str] = where, name: str = name) -> int:
            nonlocal octets
            who = contact if name.startswith("portal") else client
            address = where()
            answer = who.get(address if address.startswith("/") else f"/console/{address}")
            assert answer.status_code == 200, (name, answer.status_code)
            octets = len(answer.content)
            return octets

        took = timed(ask, times)
        took["octets"] = took.pop("found")
        found[name] = took
    return found


def contact_of(customer: str) -> Any:
    """A browser in which a contact of this customer is logged in."""
    from django.test import Client
    from django.test.client import RequestFactory

    from tipstaff import wiring
    from tipstaff.registry.models import RepresentativeRow
    from tipstaff.web.models import PortalPerson
    from tipstaff.web.sessions import enter_portal

    address = f"noc@{customer}.example.net"
    RepresentativeRow.objects.get_or_create(customer_id=customer, email=address, defaults={"name": "Noc"})
    person, _ = PortalPerson.objects.get_or_create(email=address, defaults={"made_at": wiring.now()})
    client = Client(headers={"accept-encoding": "gzip"}, SERVER_NAME="localhost")
    request = RequestFactory().get("/")
    request.session = client.session
    enter_portal(request, person.pk, how="link", strong=True, at=wiring.now())
    request.session.save()
    client.cookies["sessionid"] = request.session.session_key
    return client


def count(found: Any) -> int:
    return len(found.cases) + len(found.reports) + len(found.letters) + len(found.customers)


def timed(ask: Callable[[], int], times: int) -> dict[str, float]:
    """Milliseconds of `ask`, and what it said last."""
    ask()
    took, n, worked = [], 0, -sum(processor_seconds())
    for _ in range(times):
        began = time.perf_counter()
        n = ask()
        took.append((time.perf_counter() - began) * 1000)
    worked += sum(processor_seconds())
    return {
        "median": round(statistics.median(took), 1),
        "p95": round(sorted(took)[-(-95 * len(took) // 100) - 1], 1),
        "slowest": round(max(took), 1),
        "processor": round(worked * 1000 / times, 1),
        "found": n,
    }


def processor_seconds() -> Iterator[float]:
    """Of this process and of the database session that it asks."""
    from django.db import connection

    yield time.process_time()
    fields = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    yield (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
