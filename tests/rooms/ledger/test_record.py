"""The record keeps everything, in order, and shows when it was touched."""

import json
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from hashlib import sha256
from random import Random

import pytest
from django.db import InternalError, ProgrammingError, connection, transaction

from tipstaff.cli.trace import trace
from tipstaff.ledger import operations, queries
from tipstaff.ledger.models import EvidenceRow
from tipstaff.words import Channel

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db
REFUSED = (InternalError, ProgrammingError)


def write(what: str, *about: str, **detail: object) -> None:
    operations.record(what, at=NOON, actor="worker", about=about, **detail)


def test_entries_are_found_by_everything_they_name() -> None:
    write("case.opened", "C-000001", "R-000001", clause="mail.unsolicited")
    assert [e.what for e in queries.entries_about("R-000001")] == ["case.opened"]
    assert queries.entries_about("C-000001")[0].detail == {"clause": "mail.unsolicited"}


@pytest.mark.parametrize("statement", ["UPDATE ledger_entry SET what = 'x'", "DELETE FROM ledger_entry"])
def test_the_database_itself_refuses_to_change_an_entry(statement: str) -> None:
    write("case.opened", "C-000001")
    with pytest.raises(REFUSED, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_whole_record_verifies_sealed_or_not() -> None:
    for n in range(5):
        write("step", f"C-{n:06d}")
    assert operations.seal_entries() == 5
    write("step", "C-000009")
    found = queries.verify()
    assert (found.whole, found.entries, found.sealed) == (True, 6, 5)
    assert operations.seal_entries() == 1
    assert queries.verify().head != found.head


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE ledger_entry SET detail = '{\"n\": 7}' WHERE what = 'second'",
        "UPDATE ledger_entry SET at = at + interval '1 second' WHERE what = 'second'",
        "UPDATE ledger_link SET chain = repeat('0', 64) WHERE seq = 2",
    ],
)
def test_a_touched_record_is_found_out(tampering: str) -> None:
    for what in ("first", "second", "third"):
        write(what, "C-000001")
    operations.seal_entries()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE ledger_entry DISABLE TRIGGER append_only")
        cursor.execute("ALTER TABLE ledger_link DISABLE TRIGGER append_only")
        cursor.execute(tampering)
    found = queries.verify()
    assert not found.whole
    assert found.why


def test_the_newest_of_a_long_record_are_verified_by_themselves() -> None:
    for n in range(6):
        write("step", f"C-{n:06d}")
    operations.seal_entries()
    write("step", "C-000009")
    whole, newest = queries.verify(), queries.verify(newest=2)
    assert (newest.whole, newest.entries, newest.sealed, newest.after) == (True, 3, 2, 4)
    assert newest.head == whole.head
    assert queries.verify(newest=6) == whole
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE ledger_link DISABLE TRIGGER append_only")
        cursor.execute("UPDATE ledger_link SET chain = repeat('0', 64) WHERE seq = 5")
    assert not queries.verify(newest=2).whole
    assert queries.verify(newest=1).why == "the chain does not follow", "it begins with what was changed"
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ledger_link WHERE seq = 4")
    assert queries.verify(newest=2).why == "the chain does not follow", "nothing says how it begins"


def test_a_removed_entry_leaves_a_hole_that_is_found() -> None:
    for what in ("first", "second", "third"):
        write(what, "C-000001")
    operations.seal_entries()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE ledger_link DISABLE TRIGGER append_only")
        cursor.execute("DELETE FROM ledger_link WHERE seq = 2")
    assert not queries.verify().whole


def test_evidence_is_kept_byte_for_byte_and_once() -> None:
    raw = b"From: a\r\n\r\n\x00\xff broken"
    digest = sha256(raw).hexdigest()
    for expected in (True, False):
        evidence, new = operations.store_evidence(
            raw, digest=digest, at=NOON, channel=Channel.SMTP, sender="a@example.org", recipients=["b@example.net"]
        )
        assert (new, evidence.digest) == (expected, digest)
    assert queries.get_raw(digest) == raw
    assert [e.what for e in queries.entries_about(digest)] == ["evidence.stored", "evidence.seen_again"]


def keep(raw: bytes) -> str:
    digest = sha256(raw).hexdigest()
    operations.store_evidence(
        raw, digest=digest, at=NOON, channel=Channel.SMTP, sender='a"\\b@example.org',
        recipients=["x@example.net", 'a,{"b\\@example.net'],
    )  # fmt: skip
    return digest


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"x" * operations.PIECE_OCTETS,
        Random(3).randbytes(3 * operations.PIECE_OCTETS + 17),
        b"0" * (20 * operations.PIECE_OCTETS + 3),
        Random(4).randbytes(2 * operations.PIECE_OCTETS) + b"0" * (5 * operations.PIECE_OCTETS) + b"end",
    ],
    ids=["nothing", "one-piece", "noise", "unfolds-far", "both"],
)
def test_evidence_of_many_pieces_comes_back_whole(raw: bytes) -> None:
    digest = keep(raw)
    assert queries.get_raw(digest) == raw
    assert queries.get_raw(digest, octets=100) == raw[:100]
    assert queries.get_raw(digest, octets=2 * operations.PIECE_OCTETS + 5) == raw[: 2 * operations.PIECE_OCTETS + 5]
    evidence = queries.get_evidence(digest)
    assert evidence is not None
    assert (evidence.size, evidence.received_at, evidence.channel) == (len(raw), NOON, Channel.SMTP)
    assert (evidence.sender, evidence.recipients) == ('a"\\b@example.org', ("x@example.net", 'a,{"b\\@example.net'))


def test_large_evidence_is_fetched_with_its_own_size_of_memory_and_little_more() -> None:
    size = 24 * operations.PIECE_OCTETS
    digest = keep(Random(5).randbytes(size))
    tracemalloc.start()
    try:
        assert len(queries.get_raw(digest)) == size
        fetching = tracemalloc.get_traced_memory()[1]
        raw = queries.get_raw(digest)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        operations._folded(raw)
        folding = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert fetching < 1.5 * size
    assert folding < 1.5 * size


@pytest.mark.django_db(transaction=True)
def test_the_same_evidence_at_the_same_moment_is_kept_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both looked before either wrote: the second finds out when it writes."""
    insert = operations._insert

    def elsewhere(row: EvidenceRow, content: bytes) -> None:
        insert(row, content)
        connection.close()

    def second(row: EvidenceRow, content: bytes) -> None:
        with ThreadPoolExecutor(1) as other:
            other.submit(elsewhere, row, content).result()
        insert(row, content)

    monkeypatch.setattr(operations, "_insert", second)
    digest = keep(b"twice")
    assert queries.get_raw(digest) == b"twice"
    assert [e.what for e in queries.entries_about(digest)] == ["evidence.seen_again"]


def seal(digest: str, *, sealed: bytes = b"ciphertext") -> None:
    operations.seal_stored(digest, sealed=sealed, stripped=[], at=NOON, actor="ana")


TOUCHES = {
    "sealed": "sealed = true",
    "content": "content = 'other', sealed = true",
    "sender": "sender = 'other@example.org', sealed = true",
    "no sender": "sender = '', sealed = true",
    "size": "size = 1, sender = '', sealed = true",
    "channel": "channel = 'form', sender = '', sealed = true",
    "recipients": "recipients = '{}', sender = '', sealed = true",
    "time": "received_at = received_at + interval '1 second', sender = '', sealed = true",
    "digest": "digest = repeat('0', 64), sender = '', sealed = true",
}


@pytest.mark.parametrize("touch", TOUCHES)
@pytest.mark.parametrize("noted", [False, True], ids=["without an entry", "with an entry of a sealing"])
def test_the_database_itself_refuses_to_change_evidence(touch: str, noted: bool) -> None:
    """With the program's own role, and also when somebody wrote an entry that speaks of other bytes."""
    digest = keep(b"as it came")
    if noted:
        write("evidence.sealed", digest, sealed_as=sha256(b"other bytes").hexdigest())
    statement = f"UPDATE ledger_evidencerow SET {TOUCHES[touch]} WHERE digest = %s"
    with pytest.raises(REFUSED, match="as it came"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [digest])
    assert queries.get_raw(digest) == b"as it came"


@pytest.mark.parametrize("touch", [t for t in TOUCHES if t not in ("sealed", "content", "no sender")])
def test_a_sealing_on_record_changes_nothing_but_the_bytes_and_the_sender(touch: str) -> None:
    digest = keep(b"as it came")
    write("evidence.sealed", digest, sealed_as=sha256(b"ciphertext").hexdigest())
    statement = f"UPDATE ledger_evidencerow SET content = 'ciphertext', {TOUCHES[touch]} WHERE digest = %s"
    with pytest.raises(REFUSED, match="as it came"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [digest])


def test_evidence_is_sealed_by_hand_once_and_never_opened_in_place() -> None:
    digest = keep(b"as it came")
    seal(digest)
    assert queries.get_sealed(digest) == b"ciphertext"
    seal(digest, sealed=b"again")
    assert queries.get_sealed(digest) == b"ciphertext"
    for statement in ("sealed = false", "content = 'other'"):
        with pytest.raises(REFUSED, match="as it came"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE ledger_evidencerow SET {statement}")


def test_a_vault_that_nobody_touched_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "_AT_A_TIME", 2)
    noise = Random(6).randbytes(2 * operations.PIECE_OCTETS)
    for raw in (b"", b"one", b"two", noise):
        keep(raw)
    seal(keep(b"sealed by hand"))
    operations.store_sealed(
        b"sealed", digest="a" * 64, size=9, at=NOON, channel=Channel.SMTP, sender="", recipients=[], stripped=[]
    )
    keep(b"one")
    heard: list[int] = []
    found = queries.verify_evidence(on_each=heard.append)
    assert (found.whole, found.kept, found.sealed, found.unfit, found.first) == (True, 6, 2, 0, ())
    assert found.octets == len(noise) + 6
    assert sum(heard) == queries.count_evidence() == 6


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE ledger_evidencerow SET content = %(other)s WHERE digest = %(digest)s", "not those"),
        ("UPDATE ledger_evidencerow SET content = %(longer)s WHERE digest = %(digest)s", "longer"),
        ("UPDATE ledger_evidencerow SET content = 'no zlib' WHERE digest = %(digest)s", "unfolded"),
        (
            "UPDATE ledger_evidencerow SET content = substr(content, 1, length(content) - 5) WHERE digest = %(digest)s",
            "unfolded",
        ),
        ("UPDATE ledger_evidencerow SET sealed = true WHERE digest = %(digest)s", "no entry says so"),
        ("UPDATE ledger_evidencerow SET size = size + 1 WHERE digest = %(digest)s", "size, channel or time"),
        ("UPDATE ledger_evidencerow SET channel = 'form' WHERE digest = %(digest)s", "size, channel or time"),
        (
            "UPDATE ledger_evidencerow SET received_at = received_at + interval '1s' WHERE digest = %(digest)s",
            "size, channel or time",
        ),
        ("DELETE FROM ledger_evidencerow WHERE digest = %(digest)s", "is gone"),
        ("UPDATE ledger_evidencerow SET digest = %(stranger)s WHERE digest = %(digest)s", "no entry says that it"),
        ("UPDATE ledger_evidencerow SET content = 'x' WHERE digest = %(sealed)s", "remainder"),
        ("UPDATE ledger_evidencerow SET sealed = false WHERE digest = %(sealed)s", "is in clear"),
    ],
)
def test_touched_evidence_is_found_out_though_the_record_is_whole(statement: str, why: str) -> None:
    digest, sealed = keep(b"as it came"), keep(b"sealed by hand")
    keep(b"untouched")
    seal(sealed)
    named = {
        "digest": digest, "sealed": sealed, "stranger": sha256(b"stranger").hexdigest(),
        "other": operations._folded(b"as it cane"), "longer": operations._folded(b"as it came, and more"),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE ledger_evidencerow DISABLE TRIGGER append_only")
        cursor.execute(statement, named)
    found = queries.verify_evidence()
    assert not found.whole
    assert {digest, sealed, named["stranger"]} >= {unfit for unfit, _ in found.first}
    assert any(why in said for _, said in found.first), found.first
    assert queries.verify().whole


def test_no_more_of_the_vault_is_held_than_pieces() -> None:
    size = 24 * operations.PIECE_OCTETS
    for seed in (7, 8):
        keep(Random(seed).randbytes(size))
    tracemalloc.start()
    try:
        assert queries.verify_evidence().octets == 2 * size
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size / 2


def test_sealed_evidence_is_never_handed_out() -> None:
    operations.store_sealed(
        b"ciphertext", digest="a" * 64, size=10, at=NOON, channel=Channel.SMTP, sender="", recipients=[], stripped=[]
    )
    with pytest.raises(queries.SealedEvidence):
        queries.get_raw("a" * 64)


def test_a_trace_from_a_report_leads_to_its_case_but_not_to_its_siblings() -> None:
    for n in (1, 2):
        write("report.opened", f"R-00000{n}", str(n) * 64)
        write("case.joined", "C-000001", f"R-00000{n}")
    write("letter.sent", "L-000001", "C-000001")
    write("measure.in_force", "M-000001", "C-000001")
    write("report.outcome", "R-000002", "C-000001")
    from_report = queries.trace("R-000001")
    assert [e.what for e in from_report] == ["report.opened", "case.joined", "letter.sent", "measure.in_force"]
    assert not any("R-000002" in e.about for e in from_report)
    assert queries.trace("1" * 64) == from_report
    assert len(queries.trace("C-000001")) == len(queries.trace("M-000001")) == 7


def crowded(number: int) -> None:
    """A case that so many reports joined, a decision after them, and another report's business between them."""
    write("report.opened", "R-000001", "1" * 64)
    write("case.opened", "C-000001", "R-000001")
    joins = (("case.joined", ["C-000001", f"R-9{n:05}"], {}) for n in range(number))
    operations.record_all(joins, at=NOON, actor="worker")
    write("case.decided", "C-000001", "M-000001")


def test_a_decision_is_found_behind_a_thousand_other_entries() -> None:
    crowded(1500)
    assert [e.what for e in queries.entries_of("C-000001", what=["case.decided", "case.opened"])] == [
        "case.opened",
        "case.decided",
    ]
    assert len(queries.entries_about("C-000001")) == 1502
    assert queries.has_entry("C-000001", what="case.decided")
    write("letter.replied", "C-000001", by="customer")
    assert queries.has_entry("C-000001", what="letter.replied", by="customer")
    assert not queries.has_entry("C-000001", what="letter.replied", by="reporter")


def test_a_long_chain_is_there_to_its_end_and_what_is_shown_of_it_says_what_it_leaves_out() -> None:
    crowded(queries.TRACE_SHOWN + 500)
    whole = list(queries.trace_all("C-000001"))
    assert [e.what for e in (whole[0], whole[1], whole[-1])] == ["report.opened", "case.opened", "case.decided"]
    assert len(whole) == queries.TRACE_SHOWN + 503
    shown = queries.trace("C-000001")
    assert shown == whole[: queries.TRACE_SHOWN // 2] + whole[-queries.TRACE_SHOWN // 2 :]
    assert queries.left_out_of_trace("C-000001") == len(whole) - len(shown) == 503
    assert queries.trace("C-000001", limit=len(whole)) == whole
    assert [e.what for e in queries.trace("R-000001")] == ["report.opened", "case.opened", "case.decided"]
    assert queries.left_out_of_trace("R-000001") == 0


def test_the_command_prints_a_long_chain_to_its_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tipstaff.cli.trace.database", nullcontext)
    crowded(queries.TRACE_SHOWN + 500)
    trace("C-000001", as_json=True)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["what"] == "case.decided"
    trace("C-000001")
    assert "case.decided" in capsys.readouterr().out


def test_what_names_a_key_is_read_back_page_by_page() -> None:
    crowded(250)
    pages: list[list[int]] = []
    before = None
    while page := queries.recent(about="C-000001", before=before, limit=100):
        pages.append([entry.id for entry in page])
        before = page[-1].id
    assert [len(page) for page in pages] == [100, 100, 52]
    assert [id for page in pages for id in page] == [e.id for e in reversed(queries.entries_about("C-000001"))]


def test_keys_are_never_given_twice() -> None:
    assert len({operations.next_key("C") for _ in range(50)}) == 50
