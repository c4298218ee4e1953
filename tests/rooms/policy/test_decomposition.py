"""Each of the 98 rows asks for something; the shipped edition, its judge and its procedures do that, or say why not."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from tipstaff.policy.clauses import Clause, Example, ExampleKind, Expected, Given
from tipstaff.policy.coverage import RowState, coverage, missing_tests
from tipstaff.policy.decomposition import (
    FROM_A_RUNG,
    TWO,
    decomposition,
    differences_from_rows,
    policy_rows,
    stale_reasons,
    why_otherwise,
)
from tipstaff.policy.editions import shipped_editions
from tipstaff.policy.examples import verdict_on
from tipstaff.policy.kinds import Actor
from tipstaff.words import Degree, Role, Scope

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared" / "clauses.csv"
EDITION = shipped_editions()[-1]
CONDUCT = [clause for clause in EDITION.clauses if clause.judged]


def test_whatever_the_edition_says_otherwise_than_a_row_asks_it_says_why() -> None:
    unsaid = [each for each in differences_from_rows(EDITION) if not why_otherwise(each)]
    assert unsaid == []
    assert list(stale_reasons(EDITION)) == []


@pytest.mark.parametrize(
    ("clause", "change", "column"),
    [
        ("mail.unsolicited", {"decides": Role.COUNSEL}, "people"),
        ("routes.forged", {"decides": Role.ANALYST}, "people"),
        ("reputation.listing", {"decides": None}, "people"),
        ("way.narrowest", {"decides": None}, "people"),
        ("way.suspend_or_terminate", {"two_people": False}, "people"),
        ("mail.storage", {"left_to_people": "That."}, "people"),
        ("content.phishing", {"answer_within": EDITION.clause("mail.storage").answer_within}, "clock"),
        ("content.phishing", {"notice": EDITION.clause("mail.storage").notice}, "notice"),
        ("conduct.harassment", {"withheld_until": None}, "notice"),
        ("content.defamation", {"tells_complainant": False}, "complainant"),
        ("content.malware", {"ladder": EDITION.clause("content.malware").ladder[1:]}, "content: item"),
        ("content.malware", {"ladder": EDITION.clause("mail.storage").ladder}, "remedies"),
        ("content.malware", {"automatic": ()}, "automatic"),
        ("content.malware", {"acts": Actor.OPERATOR}, "actor"),
        ("content.malware", {"proof": "The web address, and a scanner's verdict."}, "proof: digest"),
        ("content.malware", {"record": EDITION.clause("routes.forged").record}, "record"),
    ],
)
def test_each_column_is_compared(clause: str, change: dict[str, object], column: str) -> None:
    changed = replace(EDITION.clause(clause), **change)  # type: ignore[arg-type]  # any field
    edition = replace(EDITION, clauses=(changed,))
    found = [each for each in differences_from_rows(edition) if each.column == column and not why_otherwise(each)]
    assert {each.clause for each in found} == {clause}


def test_a_clause_that_names_ports_has_a_measure_on_them_before_any_on_a_service() -> None:
    """What a row asks for in between takes nothing narrower away."""
    for clause in (each for each in EDITION.clauses if each.measure_ports):
        assert clause.ladder[0].scope < Scope.SERVICE, clause.id
        assert Scope.FLOW in {rung.scope for rung in clause.ladder}, clause.id


def test_a_procedure_whose_clock_is_not_there_differs() -> None:
    shorter = tuple(
        replace(clock, amount=5) if clock.id == "transit.correct_first" else clock
        for clock in EDITION.clocks
        if clock.id != "complaint.forward"
    )
    found = [each for each in differences_from_rows(replace(EDITION, clocks=shorter)) if not why_otherwise(each)]
    assert {(each.row, each.column, each.says) for each in found} == {(60, "clock", "5 days"), (87, "clock", "none")}


def test_a_row_that_keeps_something_with_people_is_a_persons() -> None:
    states = {row.row: row.state for row in coverage(EDITION, rows=policy_rows())}
    for number, row in decomposition().items():
        assert not row.people or states[number] is not RowState.WORKS, number
    assert sum(state is RowState.WORKS for state in states.values()) > 15


@pytest.mark.parametrize("clause", CONDUCT, ids=lambda clause: clause.id)
def test_the_judge_does_what_the_rows_ask(clause: Clause) -> None:
    """A person cites the clause of something reported two hours ago; the verdict is what the row says, or stricter for
    a reason that is on record."""
    given = Given(type="unknown/unknown", cited=True)
    asked = Example(id="x", kind=ExampleKind.HIT, says="", given=given, expect=Expected())
    verdict = verdict_on(asked, clause=clause, edition=EDITION)
    assert verdict.clause == clause.id
    said = {each.column for each in differences_from_rows(EDITION) if each.clause == clause.id}
    for row in (decomposition()[number] for number in clause.rows):
        if row.people & set(Role):
            assert verdict.decides in set(row.people) | {Role.LEAD, Role.COUNSEL}
            assert verdict.decides is not None
        if FROM_A_RUNG in row.people:
            for rung in verdict.ladder:
                left = EDITION.decider_of(rung, clause=clause.id)
                assert (left is Role.ANALYST) is (rung.degree >= Degree.WALLED_GARDEN), rung
        if TWO in row.people:
            assert all(EDITION.takes_two_people(rung, clause=clause.id) for rung in verdict.ladder)
        if row.clock.endswith("hours") and not row.kept_by:
            assert clause.answer_within == verdict.answer_within
            assert verdict.answer_within is not None
            assert f"{verdict.answer_within.total_seconds() / 3600:.0f} hours" == row.clock
        if "notice" not in said:
            assert verdict.notice.value in row.notice
        if "people" not in said and not row.people and verdict.disposition == "open_case":
            assert verdict.decides is None
    assert verdict.ladder == clause.ladder


REFUSALS = {
    60: "tests/procedures/test_transit.py::test_without_an_engineer_nothing_is_refused",
    61: "tests/procedures/test_deciding.py::test_a_service_is_suspended_by_two_people_whatever_the_edition_says",
    62: "tests/procedures/test_deciding.py::test_a_service_is_suspended_by_two_people_whatever_the_edition_says",
    64: "tests/procedures/test_measures.py::"
    "test_an_urgent_measure_takes_a_ground_two_people_and_a_letter_at_the_same_moment",
    66: "tests/procedures/test_deciding.py::test_a_measure_that_only_a_repetition_opened_takes_two_people",
    67: "tests/procedures/test_deciding.py::test_a_go_ahead_counts_only_from_the_role_that_the_clause_names",
    68: "tests/procedures/test_spreading.py::"
    "test_after_two_takedowns_two_people_of_whom_one_is_a_lead_suspend_the_service",
    69: "tests/procedures/test_legal_form.py::test_the_limit_is_relied_on_only_while_every_condition_is_met",
    72: "tests/procedures/test_editions.py::test_drafting_and_approving_are_two_people",
    80: "tests/procedures/test_disclosure.py::test_the_register_is_counsels_alone",
    81: "tests/procedures/test_disclosure.py::"
    "test_two_people_name_a_customer_and_the_answer_holds_what_was_asked_and_no_more",
    82: "tests/procedures/test_editions.py::test_drafting_and_approving_are_two_people",
    83: "tests/procedures/test_filtering.py::test_nobody_puts_a_filter_in_alone_and_only_an_engineer_agrees",
    84: "tests/procedures/test_editions.py::test_drafting_and_approving_are_two_people",
    91: "tests/procedures/test_in_touch.py::test_it_takes_an_analyst_a_case_and_an_address",
    93: "tests/procedures/test_editions.py::test_drafting_and_approving_are_two_people",
    96: "tests/procedures/test_editions.py::test_drafting_and_approving_are_two_people",
    97: "tests/procedures/test_detecting.py::test_nobody_looks_without_an_authorisation_of_counsel",
}
"""Of what the operator does: the test that shows how it is not done without those whom the row names."""


def test_what_the_operator_keeps_with_people_is_refused_to_everybody_else() -> None:
    kept = {number for number, row in decomposition().items() if row.people} - {
        number for clause in CONDUCT for number in clause.rows
    }
    assert kept == REFUSALS.keys()
    named = replace(EDITION.clauses[0], proved_by=tuple(REFUSALS.values()))
    assert list(missing_tests(replace(EDITION, clauses=(named,)), root=ROOT)) == []


PEOPLE = {
    "none (sampled QA)": set(),
    "analyst confirms": {"analyst"},
    "analyst confirms (rises with rung)": {FROM_A_RUNG},
    "counsel decides": {"counsel"},
    "network engineer approves": {"engineer"},
    "two persons": {TWO},
    "child-safety staff only": {"child safety"},
}
NOTICES = {
    "none": "none",
    "public": "public",
    "before, with cure time": "before",
    "simultaneous, ground stated": "simultaneous",
    "withheld under recorded ground with review date": "withheld",
    "complainant acknowledgement/outcome": "complainant",
}
STEPS = {
    "vet": "vet", "own telemetry": "measure", "version": "publish", "ingest": "take_in", "corroborate": "corroborate",
    "validate": "check_form", "reconcile": "reconcile", "sealed queue": "seal", "recurring": "probe",
    "remedy plan": "plan", "template": "tell", "attribution": "attribute",
}  # fmt: skip
REMEDIES = {
    "none": "", "session": "account", "item": "content", "5-tuple": "network", "rate-limit": "mail",
    "alarm": "routes", "reminder": "duty", "ladder of the underlying": "of the clause",
}  # fmt: skip
RECORDS = {
    "policy log": "policy", "case: ": "case", "case + signed": "measure", "restricted": "legal", "media-free": "sealed",
    "case + registry": "routes", "contact log": "letters",
}  # fmt: skip

PROOFS = {
    "account tree": "tree of accounts", "resale chain": "resells", "service profile vs use": "its use",
    "first use": "first use", "version shown": "edition", "order": "order", "notice": "notice",
    "telemetry": "measurement", "counsel memo": "memorandum", "claimant notice": "claimant's notice",
    "linked cases": "cases of others", "URL": "place; web address", "written finding": "written finding",
    "TCO order": "order", "report": "report", "§512/Art.16 notice": "notice", "court/UDRP ruling": "ruling",
    "hash": "digest", "verdict": "verdict", "sample": "sample", "shown harm": "what it did",
    "victim report": "victim; victim's report", "capture": "capture", "regulator finding": "authority's finding",
    "KYC mismatch": "proof of identity", "chargeback": "payment service", "FBL/ARF": "feedback", "traps": "trap",
    "MTA logs": "mail servers' log", "recipient report": "recipient's report", "rate": "count",
    "body URL→our IP": "web address in its body", "opt-out": "opt-out", "later message": "sent later",
    "headers vs logs": "server logs", "burst counters": "counters", "its report": "operator's report",
    "its policy": "rules", "quota pattern": "quota", "site's report": "service's own report", "article": "article",
    "Path": "path", "flows": "flow records", "SYN ratio": "share of syn", "target report": "target's own report",
    "billing anomaly": "billed", "traffic past end-date": "later traffic", "alias match": "ties it to the account",
    "SBL ref": "register's entry", "live page": "page was seen", "brand report": "brand",
    "message/URL": "the words, the place", "regulator alert": "authority's warning",
    "subject complaint": "complaint of whose data", "CERT data": "response team", "judgment": "judgment",
    "substantiated notice": "notice", "hash hit": "digest", "hotline URL": "hotline", "auth logs": "log lines",
    "victim": "attacked; victim", "forensics": "finding on the entered machine", "fan-out": "how many targets",
    "honeypot": "trap", "ICMP rate": "icmp", "as 23": "counters", "SAV drops by port": "dropped, by port",
    "ROV-invalid": "route origin authorisations", "origin alarm": "collectors saw", "version scan": "version seen",
    "IPAM vs ARP/ND": "neighbour tables", "MAC/VLAN vs inventory": "inventory",
    "announcement after exit": "announcement seen later", "RDAP": "registration data; registry's record",
    "IRR": "route objects", "ROA": "origin authorisations", "LOA": "letters of authority",
    "RIB diff": "our routes beside", "path-length delta": "path lengths", "p95": "95th percentile",
    "drops": "dropped", "bounces": "came back", "59 uncured": "uncorrected record",
    "recorded belief+grounds": "grounds", "rung comparison": "measures that were weighed",
    "delivery attempts": "delivery", "ground code": "ground", "evidence": "evidence",
    "DNSBL change": "list's own entry", "strike history": "earlier cases", "awareness record": "from which we knew",
    "67 plus role": "ties it to the customer", "condition ledger": "list of conditions",
    "directory entry": "directory's entry", "page": "page", "self-audit score": "score",
    "advice log": "what was advised", "test article": "test article", "SMTP probe": "our test", "FCrDNS/SPF": "spf",
    "test message": "test message", "IP+time challenge": "address, port and time",
    "opt-in exposure scan": "probe's record", "report vs first sighting": "others first saw",
    "clean re-test": "looked at again", "authenticated request": "authenticated", "process": "order",
    "attribution proof": "who held the address", "clause version": "in force", "risk": "danger",
    "device plan": "plan of the filter", "purpose register": "register of purposes",
    "mirror config": "setting that copies", "stuffing logs": "log lines", "case→notice link": "letter on record",
    "reply": "your answer", "statement": "says was done", "re-test": "looked at again", "case state": "outcome",
    "role address": "desk's address", "consent": "agreement", "verified mailbox": "mailbox",
    "signed diff": "what it changes", "posting proof": "moment of its posting",
    "first use afterwards": "first use after posting", "scoring off by default": "no scoring",
    "authorisation record": "authorisation", "live probe": "test report",
}  # fmt: skip
"""What each part of the column on proof is called in `rows.csv`; with `; `, one or another, by the row."""


def begun(text: str, known: dict[str, str]) -> str:
    [found] = [said for begin, said in known.items() if text.startswith(begin)]
    return found


@pytest.mark.skipif(not SHARED.exists(), reason="the decomposition does not lie beside this folder")
def test_the_columns_are_those_of_the_decomposition() -> None:
    with SHARED.open(encoding="utf-8", newline="") as file:
        lines = {int(line["id"]): line for line in csv.DictReader(file)}
    assert lines.keys() == decomposition().keys()
    for number, line in lines.items():
        row = decomposition()[number]
        assert row.people == set().union(*(PEOPLE[part] for part in line["human"].split("; "))), number
        assert row.notice == {NOTICES[part] for part in line["notice"].split("; ")}, number
        assert {step.value for step in row.automatic} == {begun(part, STEPS) for part in line["automate"].split("; ")}
        assert row.remedies == begun(line["ladder_narrow_to_wide"], REMEDIES), number
        assert row.record == begun(line["record"], RECORDS), number
        assert row.actor == line["actor"], number
        for said, part in zip(row.proof, line["proof"].split(", "), strict=True):
            assert said in PROOFS[part].split("; "), (number, part)
        if any(character.isdigit() for character in row.clock):
            amount, unit = row.clock.split()
            months = {"36": "3", "12": "1"}.get(amount, amount) if unit == "months" else amount
            assert f"{months}{unit[0] if unit != 'months' else 'y'}" in line["clock"].replace(" ", ""), number
        else:
            assert line["clock"].startswith(row.clock or "\N{EN DASH}"), number


@pytest.mark.skipif(not SHARED.exists(), reason="the decomposition does not lie beside this folder")
def test_the_rows_are_those_of_the_decomposition() -> None:
    with SHARED.open(encoding="utf-8", newline="") as file:
        decomposed = {int(row["id"]): row for row in csv.DictReader(file)}
    assert decomposed.keys() == policy_rows().keys()
    renamed = {row for row, title in policy_rows().items() if decomposed[row]["clause"] != title}
    assert renamed <= {33}, "row 33 is named without the register's own name"
