"""Facts for the golden letters: one story, as the procedures would tell it; and what the posting tests need."""

from dataclasses import replace
from datetime import UTC, date, datetime
from ipaddress import IPv4Address, IPv4Network

import pytest

from tipstaff.notices.compose import Held, LetterFacts
from tipstaff.words import (
    Allegation,
    Announcer,
    CaseOutcome,
    Degree,
    Direction,
    Ground,
    Incident,
    Measure,
    MeasureState,
    Missing,
    Moment,
    Proof,
    ReportOutcome,
    Selector,
    SourceKind,
    Urgency,
)

SELECTOR = Selector(network=IPv4Network("192.0.2.7/32"), protocol="tcp", port=25, direction=Direction.OUT)

MEASURE = Measure(
    key="M-000012",
    case="C-000123",
    customer="acct-1001",
    device="edge-1",
    selector=SELECTOR,
    degree=Degree.BLOCK,
    state=MeasureState.IN_FORCE,
    proof=Proof.PROBE,
    proof_detail="",
    generation=7,
    planned_at=datetime(2026, 3, 17, 12, 0, 5, tzinfo=UTC),
    until=datetime(2026, 3, 24, 12, 0, tzinfo=UTC),
    lifted_when="The measure is lifted when you tell us that the sending host is cleaned.",
    notice="L-000044",
    urgency=None,
    in_force_at=datetime(2026, 3, 17, 12, 0, 9, tzinfo=UTC),
    lifted_at=datetime(2026, 3, 17, 15, 31, 2, tzinfo=UTC),
)

URGENT = Urgency(ground=Ground.NETWORK_HARM, shown_by="flow export", decided_by="ana", seconded_by="ben")

ALLEGATION = Allegation(
    type="messaging/spam",
    source=IPv4Address("192.0.2.7"),
    source_port=51234,
    protocol="tcp",
    moment=Moment(datetime(2026, 3, 14, 9, 12, 44, tzinfo=UTC), 1.0),
)

FACTS = LetterFacts(
    operator="Example Net Abuse Desk",
    abuse_contact="abuse@example.net",
    reports=("R-000301", "R-000302", "R-000307"),
    expect_by=datetime(2026, 3, 17, 9, 15, tzinfo=UTC),
    link_until=datetime(2026, 9, 10, 9, 15, tzinfo=UTC),
    counts_from=datetime(2026, 5, 1, tzinfo=UTC),
    changes=("Unsolicited bulk mail", "Forged routes"),
    question="AQ-1f2e3d4c5b",
    contact="abuse@customer.example.com",
    edition_kept="2026-04",
    policy_link="https://operator.example.net/policy/2026-05/changes",
    contacts=("Ana Example <ana@example.com>", "Ben Example <ben@example.com>"),
    by="Example Hosting",
    webhook="hooks.example.com",
    by_contact="help@example.com",
    case="C-000123",
    customer="Orchard Lane Bakery",
    representative="Maja Lindqvist",
    timezone="Europe/Stockholm",
    report_count=3,
    first_seen=datetime(2026, 3, 14, 9, 12, 44, tzinfo=UTC),
    last_seen=datetime(2026, 3, 14, 10, 2, 1, tzinfo=UTC),
    type="messaging/spam",
    resource="192.0.2.7",
    protocol="tcp",
    source_kind=SourceKind.FEEDBACK_LOOP,
    evidence=(
        "Received: from mail.shop.example.net (192.0.2.7) by […]; Sat, 14 Mar 2026 09:12:44 +0000\n"
        "From: […]\n"
        "Subject: Cheap watches"
    ),
    held=(
        Held(what="192.0.2.0/28", since=datetime(2025, 2, 3, 9, 0, tzinfo=UTC)),
        Held(
            what="198.51.100.4",
            since=datetime(2026, 3, 14, 9, 0, tzinfo=UTC),
            until=datetime(2026, 3, 14, 11, 30, tzinfo=UTC),
            ports=(1024, 9215),
        ),
    ),
    explanation="No case of this kind was upheld within the last 365 days.",
    clause="mail.unsolicited",
    clause_title="Unsolicited mail",
    clause_text="You may not send bulk mail to people who have not asked for it, nor let others send it through you.",
    edition="2026-01",
    what_to_do=(
        "Find the host or account that sent the mail and stop it.",
        "Look in your mail server's log for the times above; a sudden rise in mail from one account names it.",
        "Change that account's password, and look for software that you did not install.",
    ),
    answer_by=datetime(2026, 3, 17, 12, 0, tzinfo=UTC),
    next_degree=Degree.BLOCK,
    next_selector=SELECTOR,
    measure=MEASURE,
    case_outcome=CaseOutcome.FIXED_AFTER_MEASURE,
    reporter_reference="FBL-88123",
    received_at=datetime(2026, 3, 14, 9, 15, 2, tzinfo=UTC),
    digest="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    incidents=(
        Incident(
            key="R-000301.1",
            allegation=ALLEGATION,
            outcome=ReportOutcome.FORWARDED,
            reason="",
            case="C-000123",
        ),
    ),
    missing=frozenset({Missing.SOURCE_PORT, Missing.TIME}),
    outcome=ReportOutcome.FIXED,
    look_back_days=180,
    elsewhere=(
        ("192.0.2.7", Announcer(64501, "SE", "EXAMPLE-TRANSIT Example Transit AB", date(2026, 3, 9))),
        ("192.0.2.8", Announcer(64501, "SE", "EXAMPLE-TRANSIT Example Transit AB", date(2026, 3, 9))),
        ("2001:db8::7", Announcer(64502, "", "EXAMPLE-HOSTING", date(2026, 3, 9))),
    ),
)


@pytest.fixture
def facts() -> LetterFacts:
    """One story's facts, enough for every kind of letter."""
    return FACTS


@pytest.fixture
def urgent_measure() -> Measure:
    """The same measure, taken at once on a recorded ground."""
    return replace(MEASURE, urgency=URGENT)
