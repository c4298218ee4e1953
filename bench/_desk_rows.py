"""A desk after some years, on generated rows: cases, reports, incidents, letters, evidence, customers and the record.

The rows are made by PostgreSQL itself, with indexes taken away first and built again afterwards, so that a million
cases and five million reports take minutes. Addresses are of documentation's kind or private, names are invented, and
words come out of a small list: a word that is common is very common, the worst that full text can be asked. Nothing of
it has passed a procedure, so nothing here says that the desk would have made such rows; the sizes are what counts.
"""

import time
import zlib

from django.db import connection

HOT = 100
"""The case that very many reports joined."""

CLOSED = "copyright"
"""The clause group of one case in 3,000, which is to be closed to some of the staff; one report in 10,000 is sealed."""

MAIL = b"Subject: Spam\r\n\r\n" + b"Mail from 192.0.2.1 that nobody asked for.\r\n" * 80

SHAPES = """
CASE
    WHEN n %% 25 <> 0 THEN 'closed' WHEN n %% 500 = 0 THEN 'waiting_person' WHEN n %% 500 = 25 THEN 'overdue'
    WHEN n %% 500 = 50 THEN 'measure_in_force' WHEN n %% 5000 = 75 THEN 'disputed' ELSE 'notified'
END
"""
"""Of a hundred cases four are open, and one in some hundred waits for a person."""

CUSTOMERS = """
INSERT INTO registry_customerrow (key, name, is_reseller, standing, since)
SELECT 'acct-' || n, 'Sample Customer ' || n, false, 'good', timestamptz '2020-01-01'
FROM generate_series(0, 49999) n;
INSERT INTO registry_servicerow (key, customer_id, kind, label, port)
SELECT 'line-' || n, 'acct-' || n, 'access', 'Access', '' FROM generate_series(0, 49999) n;
INSERT INTO registry_holdingrow (tier, kind, prefix, ports, during, customer_id, service_id, source)
SELECT 'customer', 'static', (host(inet '10.0.0.0' + n * 32) || '/27')::cidr, '[0,65536)',
    '[2020-01-01,)', 'acct-' || n, 'line-' || n, 'bench'
FROM generate_series(0, 49999) n;
"""

CASES = f"""
INSERT INTO cases_caserow (key, customer, customer_name, service, clause, "group", edition, type, severity, state,
    outcome, resource, opened_at, due_at, extended, reports, explanation, notice, ladder, measure_ports,
    measure_direction, answer, answer_seconds, repeats, version, closed_at, waits_since, assignee, tags, part)
SELECT 'C-' || lpad(n::text, 7, '0'), 'acct-' || n %% 50000, 'Sample Customer ' || n %% 50000, 'line-' || n %% 50000,
    'mail.unsolicited', CASE WHEN n %% 3000 = 9 THEN '{CLOSED}' ELSE 'mail' END, '2026-01', 'messaging/spam',
    1 + n %% 4, {SHAPES},
    CASE WHEN n %% 25 = 0 THEN 'none' ELSE 'fixed' END, host(inet '10.0.0.0' + (n %% 1600000)::int),
    timestamptz '2023-06-01' + n * interval '90 seconds',
    CASE WHEN n %% 25 = 0 THEN timestamptz '2026-06-01' + (n %% 200) * interval '1 hour' END, false,
    CASE WHEN n = {HOT} THEN %(hot)s ELSE %(each)s END,
    'Mail of kind' || n %% 1000 || ' was reported once more', 'before', '[]', '[]', 'both',
    'done word' || n, 86400, 0, 1, CASE WHEN n %% 25 <> 0 THEN timestamptz '2023-06-10' + n * interval '90 seconds' END,
    CASE WHEN n %% 500 = 0 THEN timestamptz '2026-05-01' + n %% 40 * interval '1 day' END,
    CASE WHEN n %% 7500 = 0 THEN 'anna' WHEN n %% 75 = 0 THEN 'desk' || n %% 40 END,
    CASE WHEN n %% 50 = 0 THEN ARRAY['wave'] ELSE '{{}}' END,
    CASE WHEN n %% 25 = 0 THEN 'C-' || lpad(n::text, 7, '0') ELSE '' END
FROM generate_series(1, %(cases)s) n;
INSERT INTO cases_noterow (case_id, at, actor, text)
SELECT 'C-' || lpad(n::text, 7, '0'), timestamptz '2026-01-01', 'anna', 'asked for logs note' || n
FROM generate_series(10, %(cases)s, 10) n;
"""

REPORTS = """
INSERT INTO intake_reportrow (id, key, evidence, received_at, channel, sender, outcome, outcome_reason, decided,
    first_n, read_at, reading_outcome, reading_reason, peer, authentication, parser, detail, reporter_address,
    reporter_name, reporter_reference, reporter_message_id, reporter_subject, reporter_language)
SELECT n, 'R-' || lpad(n::text, 8, '0'), md5(n::text) || md5('x' || n),
    timestamptz '2023-06-01' + n * interval '90 seconds' / %(each)s, 'smtp',
    'watch-' || n %% 500 || '@reporter.example.org',
    CASE WHEN n %% 10000 = 7 THEN 'sealed' WHEN n %% 20 = 0 THEN 'not_ours' WHEN n %% 3000 = 1 THEN 'with_a_person'
        ELSE 'fixed' END, '', false, 1,
    timestamptz '2023-06-01' + n * interval '90 seconds' / %(each)s, 'complaint', 'UNDERSTOOD', '', '{}', 'arf', '',
    'watch-' || n %% 500 || '@reporter.example.org', '', 'ref-' || n, '<m' || n || '@reporter.example.org>',
    'Report number' || n %% 1000, ''
FROM generate_series(1, %(reports)s) n;
"""

_CASE_OF = (
    """'C-' || lpad((CASE WHEN n %% %(hot_step)s = 0 THEN %(hot_case)s ELSE 1 + n %% %(cases)s END)::text, 7, '0')"""
)

INCIDENTS = f"""
INSERT INTO intake_incidentrow (report_id, n, received_at, type, source, domain, site, excerpt, confidence, rest,
    outcome, reason, "case")
SELECT n, 1, timestamptz '2023-06-01' + n * interval '90 seconds' / %(each)s, 'messaging/spam',
    inet '10.0.0.0' + (1 + n %% %(cases)s) %% 1600000, 'h' || n %% 100000 || '.example.net',
    'net.example.h' || n %% 100000, 'seen line' || n %% 1000 || ' from host', 1, '{{}}', 'fixed', '',
    CASE WHEN n %% 20 <> 0 OR n %% %(hot_step)s = 0 THEN {_CASE_OF} END
FROM generate_series(1, %(reports)s) n;
INSERT INTO cases_memberrow (case_id, incident, told_by, waits)
SELECT "case", 'R-' || lpad(report_id::text, 8, '0') || '.1', 'L' || substr("case", 2), false
FROM intake_incidentrow WHERE "case" IS NOT NULL;
"""

EVIDENCE = """
INSERT INTO ledger_evidencerow (digest, size, received_at, channel, sender, recipients, sealed, content, stripped)
SELECT md5(n::text) || md5('x' || n), 4000, timestamptz '2023-06-01' + n * interval '90 seconds' / %(each)s, 'smtp',
    'watch-' || n %% 500 || '@reporter.example.org', ARRAY['abuse@example.net'], false, %(mail)s, '[]'
FROM generate_series(1, %(reports)s) n;
"""

LETTERS = """
INSERT INTO notices_letterrow (key, once, kind, "to", to_folded, subject, body, html, attachments, language, "case",
    in_reply_to, message_id, state, created_at, attempts, worker, diverted, sent_at, detail, brand)
SELECT 'L-' || lpad(n::text, 7, '0'), 'notice C-' || n, 'notice', 'noc@h' || n || '.example.net',
    'noc@h' || n || '.example.net', 'Please look at case ' || n, repeat('Mail was reported to us once more. ', 12)
    || 'word' || n, '', '[]', 'en', 'C-' || lpad(n::text, 7, '0'), '', '<l' || n || '@desk.example.net>',
    CASE WHEN n %% 20000 = 0 THEN 'in_doubt' ELSE 'sent' END, timestamptz '2023-06-01' + n * interval '90 seconds', 1,
    '', false, timestamptz '2023-06-01' + n * interval '90 seconds', '', ''
FROM generate_series(1, %(cases)s) n;
"""

MEASURES = """
INSERT INTO enforcement_measurerow (key, "case", customer, device, selector, selector_key, degree, state, proof,
    proof_detail, generation, still_stopped, planned_at, until, lifted_when, notice, in_force_at, lifted_at, told,
    candidates)
SELECT 'M-' || lpad(n::text, 7, '0'), 'C-' || lpad(n::text, 7, '0'), 'acct-' || n %% 50000, 'edge1',
    jsonb_build_object('network', host(inet '10.0.0.0' + (n %% 1600000)::int) || '/32', 'protocol', 'tcp',
        'port', 25, 'direction', 'both'), 'one ' || n, 2,
    CASE WHEN n %% 500 = 50 THEN 'in_force' ELSE 'lifted' END, 3, '', 1, '', timestamptz '2026-05-01',
    timestamptz '2036-05-01', 'fixed',
    'L-' || lpad(n::text, 7, '0'), timestamptz '2026-05-01',
    CASE WHEN n %% 500 = 50 THEN NULL ELSE timestamptz '2026-05-02' END,
    CASE WHEN n %% 500 = 50 THEN 'in_force' ELSE 'lifted' END, '[]'
FROM generate_series(50, %(cases)s, 50) n;
"""

RECORD = f"""
INSERT INTO ledger_entry (at, what, actor, about, detail, digest)
SELECT timestamptz '2023-06-01' + n * interval '90 seconds' / %(each)s, 'incident.judged', 'judge',
    ARRAY['R-' || lpad(n::text, 8, '0') || '.1', 'R-' || lpad(n::text, 8, '0'), {_CASE_OF}],
    jsonb_build_object('clause', 'mail.unsolicited', 'customer', 'acct-1', 'grade', 'one', 'reason', 'first_report',
        'window', ARRAY['2026-01-01T00:00:00+00:00', '2026-01-01T01:00:00+00:00'], 'proof', '[]'::jsonb),
    md5(n::text) || md5('y' || n)
FROM generate_series(1, %(reports)s) n;
INSERT INTO ledger_entry (at, what, actor, about, detail, digest)
SELECT timestamptz '2023-06-01' + n * interval '90 seconds' + i * interval '1 minute', k.what, k.actor,
    ARRAY['C-' || lpad(n::text, 7, '0')] || CASE WHEN k.what LIKE 'letter.%%' THEN ARRAY['L-' || lpad(n::text, 7, '0')]
        ELSE '{{}}' END, jsonb_build_object('reason', 'first_report', 'to', 'noc@example.net'),
    md5(n::text) || md5(k.what)
FROM generate_series(1, %(cases)s) n, (VALUES (1, 'case.opened', 'judge'), (2, 'letter.queued', 'clerk'),
    (3, 'letter.sent', 'clerk'), (4, 'case.notified', 'clerk')) k(i, what, actor);
INSERT INTO ledger_link (seq, entry_id, chain) SELECT id, id, digest FROM ledger_entry;
"""

SIGHTINGS = """
INSERT INTO sensors_sightingrow (key, sensor, name, digest, evidence, line, received_at, kind, type, moment_at,
    moment_error_seconds, source, facts, excerpt, disposition, reason, "case", done_by, done_why)
SELECT 'S-' || lpad(n::text, 7, '0'), 'flows-' || n %% 4, 'scan-' || n, md5(n::text) || md5('s' || n),
    md5(n::text) || md5('x' || n), 1, timestamptz '2023-06-01' + n * interval '90 seconds', 'flows.scan',
    'connection/port_scan', timestamptz '2023-06-01' + n * interval '90 seconds', 1, inet '10.0.0.0' + n %% 1600000,
    '{}', '', CASE WHEN n %% 50 = 0 THEN 'open_case' ELSE 'nothing' END, '',
    CASE WHEN n %% 50 = 0 THEN 'C-' || lpad(n::text, 7, '0') END, '', ''
FROM generate_series(1, %(cases)s) n;
"""

STEPS = (
    ("customers", CUSTOMERS, ("registry_customerrow", "registry_servicerow", "registry_holdingrow")),
    ("cases", CASES, ("cases_caserow", "cases_noterow")),
    ("reports", REPORTS, ("intake_reportrow",)),
    ("incidents", INCIDENTS, ("intake_incidentrow", "cases_memberrow")),
    ("evidence", EVIDENCE, ("ledger_evidencerow",)),
    ("letters", LETTERS, ("notices_letterrow",)),
    ("measures", MEASURES, ("enforcement_measurerow",)),
    ("record", RECORD, ("ledger_entry", "ledger_link")),
    ("sightings", SIGHTINGS, ("sensors_sightingrow",)),
)


def fill(cases: int, each: int) -> dict[str, float]:
    """Every table, with `each` reports to a case; seconds that each step took."""
    return {name: fill_one(number, cases, each) for number, (name, _, _) in enumerate(STEPS)}


def fill_one(number: int, cases: int, each: int) -> float:
    """One step of `STEPS`; its seconds."""
    _, rows, tables = STEPS[number]
    hot_reports = min(2000, cases // 5)
    numbers = {
        "cases": cases, "each": each, "reports": cases * each, "hot_case": HOT, "hot": hot_reports + each,
        "hot_step": cases * each // hot_reports, "mail": zlib.compress(MAIL),
    }  # fmt: skip
    began = time.perf_counter()
    with connection.cursor() as cursor:
        # No trigger and no foreign key is asked: all rows are of one making. What keeps order is asked all the same.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
            " WHERE indrelid = ANY(%s::regclass[]) AND NOT indisunique AND NOT indisexclusion",
            [list(tables)],
        )
        indexes = cursor.fetchall()
        for index, _ in indexes:
            cursor.execute(f"DROP INDEX {index}")  # the name is the database's own
        for statement in filter(str.strip, rows.split(";\n")):
            cursor.execute(statement, numbers)
        for _, made in indexes:
            cursor.execute(made)
        for table in tables:
            cursor.execute(f"VACUUM ANALYZE {table}")
        cursor.execute("SET session_replication_role = origin")
    return round(time.perf_counter() - began, 1)
