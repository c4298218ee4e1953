"""How long the desk's search and its lists take among many cases, on generated rows.

    python bench/search.py [--cases 1000000] [--reports-each 1] [--times 20]

Each question is asked `--times` times of a database that was analysed; the median and the slowest are said, in
milliseconds, with the number of what was found. The rows are addresses of documentation and words out of a small list,
so a word that is common is very common: the worst that full text can be asked.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

AT = datetime(2026, 6, 1, tzinfo=UTC)
ROWS = """
INSERT INTO cases_caserow (key, customer, customer_name, service, clause, "group", edition, type, severity, state,
    outcome, resource, opened_at, due_at, extended, reports, explanation, notice, ladder, measure_ports,
    measure_direction, answer, answer_seconds, repeats, version, closed_at)
SELECT 'C-' || lpad(n::text, 7, '0'), 'acct-' || CASE WHEN n %% 100 = 0 THEN n ELSE n %% 50000 END,
    'Sample Customer ' || n %% 50000, NULL,
    'mail.unsolicited', 'mail', '2026-01', 'messaging/spam', 1 + n %% 4,
    CASE WHEN n %% 100 = 0 THEN 'notified' ELSE 'closed' END, 'fixed',
    (inet '10.0.0.0' + n)::text, timestamptz '2026-01-01' + n * interval '10 seconds',
    CASE WHEN n %% 100 = 0 THEN timestamptz '2026-06-01' END, false, 1,
    'Mail of kind' || n %% 1000 || ' was reported once more', 'before', '[]', '[]', 'both', 'done word' || n, 86400, 0,
    1, timestamptz '2026-03-01'
FROM generate_series(1, %(n)s) n;
INSERT INTO intake_reportrow (key, evidence, received_at, channel, sender, outcome, outcome_reason, decided, first_n,
    reading_outcome, reading_reason, peer, authentication, parser, detail, reporter_address, reporter_name,
    reporter_reference, reporter_message_id, reporter_subject, reporter_language)
SELECT 'R-' || lpad(n::text, 8, '0'), md5(n::text) || md5('x' || n),
    timestamptz '2026-01-01' + n * interval '2 seconds', 'smtp', 'watch-' || n %% 500 || '@reporter.example.org',
    'fixed', '', false, 1, 'complaint', '', '', '{}', 'arf', '', '', '', '',
    '<m' || n || '@reporter.example.org>', 'Report number' || n %% 1000, ''
FROM generate_series(1, %(r)s) n;
INSERT INTO intake_incidentrow (report_id, n, received_at, type, source, excerpt, confidence, rest, site, outcome,
    reason, "case")
SELECT id, 1, received_at, 'messaging/spam', inet '10.0.0.0' + (1 + id %% %(n)s)::int,
    'seen line' || id %% 1000 || ' from host', 1, '{}', '', 'fixed', '', 'C-' || lpad((1 + id %% %(n)s)::text, 7, '0')
FROM intake_reportrow;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--reports-each", type=int, default=1)
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    from _database import database

    with database():
        print(json.dumps(run(options), indent=1))


def run(options: argparse.Namespace) -> dict:
    from django.db import connection

    from tipstaff.cases import queries
    from tipstaff.procedures.searching import find
    from tipstaff.web.console import reads

    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(ROWS, {"n": options.cases, "r": options.cases * options.reports_each})
        cursor.execute("ANALYZE")
    filled = time.perf_counter() - began
    found = {
        f"search {text}": timed(lambda text=text: count(find(text, limit=25, at=AT)), options.times)
        for text in (
            "10.0.4.210", "10.0.4.0/24", "10.0.0.0/12", "Sample Customer 4711", "<m4711@reporter.example.org>",
            "watch-7@reporter.example.org", "word4711", "line471", "kind471 reported", "nothing at all like it",
        )
    }  # fmt: skip
    view = reads.VIEWS["open"]
    found["list of open cases"] = timed(
        lambda: len(reads.list_cases(view, me="x", find="", page=1, at=AT).cases), options.times
    )
    found["list of open cases, Customer 4700"] = timed(
        lambda: len(reads.list_cases(view, me="x", find="Customer 4700", page=1, at=AT).cases), options.times
    )
    found["newest page by cursor"] = timed(
        lambda: len(queries.list_cases(order="newest", narrowed=queries.Narrowed(before=(AT, "C")), limit=51)),
        options.times,
    )
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores", "cases": options.cases,
        "reports": options.cases * options.reports_each, "filled_seconds": round(filled, 1), "milliseconds": found,
    }  # fmt: skip


def count(found) -> int:
    return len(found.cases) + len(found.reports) + len(found.letters) + len(found.customers)


def timed(ask, times: int) -> dict[str, float]:
    took, n = [], 0
    for _ in range(times):
        began = time.perf_counter()
        n = ask()
        took.append((time.perf_counter() - began) * 1000)
    return {"median": round(statistics.median(took), 1), "slowest": round(max(took), 1), "found": n}


if __name__ == "__main__":
    main()
