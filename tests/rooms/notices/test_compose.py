"""What letters may and may not say."""

import re
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rooms.notices.conftest import MEASURE
from tipstaff.notices.compose import (
    COMPLAINANT_KINDS,
    PORTAL_LINK,
    LacksAFact,
    LetterFacts,
    SealedMatter,
    compose,
)
from tipstaff.notices.letters import languages, phrases
from tipstaff.notices.prose import WIDTH, clean, render
from tipstaff.words import (
    SEALED_TYPES,
    XARF_TYPES,
    Allegation,
    CaseOutcome,
    Degree,
    Ground,
    Incident,
    LetterKind,
    Missing,
    Moment,
    ReportOutcome,
    Scope,
    Selector,
    SourceKind,
)

CUSTOMER_KINDS = tuple(kind for kind in LetterKind if kind not in COMPLAINANT_KINDS)
CUSTOMERS_TEXTS = (
    *("case", "customer", "representative", "timezone", "resource", "protocol", "target", "evidence", "explanation"),
    *("clause", "clause_title", "clause_text", "edition", "what_happens_next", "keeps_working"),
    *("measure_why", "measure_detail", "note"),
)
"""Every text of `LetterFacts` that is about the customer or the case."""


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(COMPLAINANT_KINDS)),
    language=st.sampled_from(sorted(languages())),
    marks=st.lists(st.integers(10**9, 10**10), min_size=len(CUSTOMERS_TEXTS), max_size=len(CUSTOMERS_TEXTS)),
)
def test_nothing_of_the_customer_reaches_a_complainant(kind: LetterKind, language: str, marks: list[int]) -> None:
    story: dict[str, Any] = {name: f"secret{mark}" for name, mark in zip(CUSTOMERS_TEXTS, marks, strict=True)}
    facts = LetterFacts(
        operator="Example Net",
        abuse_contact="abuse@example.net",
        language=language,
        reports=("R-000001",),
        missing=frozenset(Missing),
        outcome=ReportOutcome.FIXED,
        what_to_do=("secret step",),
        contact="abuse@customer.example.com" if kind is LetterKind.IN_TOUCH else "secret contact",
        **story,
    )
    draft = compose(kind, facts=facts)
    assert "secret" not in draft.subject + draft.body


@pytest.mark.parametrize("kind", sorted(COMPLAINANT_KINDS))
def test_a_complainants_letter_is_the_same_whoever_the_customer_is(kind: LetterKind, facts: LetterFacts) -> None:
    nobody = facts.for_complainant()
    passed_on = replace(nobody, contact=facts.contact) if kind is LetterKind.IN_TOUCH else nobody
    assert compose(kind, facts=facts) == compose(kind, facts=passed_on)
    shared = {"operator", "abuse_contact", "language", "reports", "expect_by", "link_until"}
    shared |= {"reporter_reference", "received_at", "digest", "incidents", "missing", "outcome", "look_back_days"}
    shared |= {"elsewhere"}
    for field in fields(LetterFacts):
        if field.name not in shared:
            assert getattr(nobody, field.name) == field.default, field.name


@pytest.mark.parametrize("kind", CUSTOMER_KINDS)
def test_nothing_of_who_complained_reaches_a_customer(kind: LetterKind, facts: LetterFacts) -> None:
    told = replace(
        facts,
        note="It stands.",
        reporter_reference="secret-reference",
        digest="secret-digest",
        incidents=(
            Incident(
                key="R-000301.1",
                allegation=Allegation(type="messaging/spam", target="secret-target", excerpt="secret-excerpt"),
                outcome=ReportOutcome.FORWARDED,
                reason="secret-reason",
                case=None,
            ),
        ),
    )
    draft = compose(kind, facts=told)
    assert "secret" not in draft.subject + draft.body


@pytest.mark.parametrize("sealed", sorted(SEALED_TYPES))
@pytest.mark.parametrize("kind", CUSTOMER_KINDS)
def test_a_sealed_matter_is_never_written_about_to_a_customer(
    kind: LetterKind, sealed: str, facts: LetterFacts
) -> None:
    with pytest.raises(SealedMatter):
        compose(kind, facts=replace(facts, type=sealed))


def test_a_sealed_item_is_not_repeated_to_who_reported_it(facts: LetterFacts) -> None:
    allegation = Allegation(type="content/csam", url="http://bad.example.net/x", source=IPv4Address("192.0.2.7"))
    sealed = Incident(key="R-1.1", allegation=allegation, outcome=ReportOutcome.SEALED, reason="", case=None)
    other = replace(sealed, outcome=ReportOutcome.NOT_OURS)
    for incidents in ((sealed,), (sealed, other)):
        body = compose(LetterKind.OUTCOME, facts=replace(facts, incidents=incidents)).body
        assert "example.net/x" not in body
        assert "192.0.2.7" not in body
        assert "only designated staff" in " ".join(body.split())


@pytest.mark.parametrize("language", sorted(languages()))
def test_a_language_has_a_phrase_for_every_word(language: str) -> None:
    said = phrases(language)
    assert set(said) == set(phrases("en"))
    assert set(said["types"]) == {*XARF_TYPES, "other"}
    assert set(said["will_do"]) == set(said["have_done"]) == {degree.name.lower() for degree in Degree}
    assert set(said["keeps_working"]) == {scope.name.lower() for scope in Scope}
    assert set(said["outcomes"]) == {outcome.value for outcome in ReportOutcome}
    assert set(said["case_outcomes"]) == {outcome.value for outcome in CaseOutcome}
    assert set(said["missing"]) == {missing.value for missing in Missing}
    assert set(said["sources"]) == {source.value for source in SourceKind}
    assert set(said["grounds"]) == {ground.value for ground in Ground}
    assert len(said["months"]) == 12
    assert len(said["weekdays"]) == 7


@pytest.mark.parametrize("language", sorted(languages()))
def test_a_machine_that_is_stopped_is_called_a_device_on_its_port(language: str, facts: LetterFacts) -> None:
    assert facts.measure is not None
    stopped = replace(facts.measure, selector=Selector(session="sw1/ge-0/1/02:00:5e:10:00:01"))
    body = compose(LetterKind.MEASURE_TAKEN, facts=replace(facts, measure=stopped, language=language)).body
    told = phrases(language)["selectors"]["machine"].format(place="sw1/ge-0/1", mac="02:00:5e:10:00:01")
    assert "".join(told.split()) in "".join(body.split())


def test_a_language_that_is_not_written_yet_falls_back_to_english(facts: LetterFacts) -> None:
    assert compose(LetterKind.NOTICE, facts=replace(facts, language="xx")).language == "en"
    assert compose(LetterKind.NOTICE, facts=replace(facts, language="de-AT")).language == "de"
    assert compose(LetterKind.NOTICE, facts=replace(facts, language="../de")).language == "en"


def test_a_zone_that_nobody_knows_leaves_the_deadline_in_utc(facts: LetterFacts) -> None:
    for zone in ("Mars/Olympus", "../../etc/passwd", "", "UTC"):
        body = compose(LetterKind.NOTICE, facts=replace(facts, timezone=zone)).body
        assert "Tuesday 17 March 2026, 12:00 UTC. A report is not" in " ".join(body.split())


def test_a_deadline_on_another_day_of_the_readers_says_so(facts: LetterFacts) -> None:
    late = replace(facts, timezone="Asia/Tokyo", answer_by=datetime(2026, 3, 17, 20, 0, tzinfo=UTC))
    draft = compose(LetterKind.NOTICE, facts=late)
    assert "20:00 UTC (Wednesday 18 March 2026, 05:00, in Asia/Tokyo)" in " ".join(draft.body.split())
    assert draft.subject.endswith("please answer by Wednesday 18 March 2026")


def test_a_notice_without_a_deadline_is_not_written(facts: LetterFacts) -> None:
    with pytest.raises(LacksAFact, match="answer_by"):
        compose(LetterKind.NOTICE, facts=replace(facts, answer_by=None))


@pytest.mark.parametrize(("error", "said"), [(0.5, None), (90, "90 seconds"), (120, "2 minutes"), (3600, "1 hour")])
def test_the_uncertainty_of_a_time_is_told(facts: LetterFacts, error: float, said: str | None) -> None:
    moment = Moment(datetime(2026, 3, 14, 9, 12, 44, tzinfo=UTC), error)
    body = compose(LetterKind.NOTICE, facts=replace(facts, moment=moment, first_seen=None)).body
    assert ("give or take" in body) is (said is not None)
    assert said is None or said in " ".join(body.split())


def test_times_come_in_utc_whatever_zone_they_came_in(facts: LetterFacts) -> None:
    east = facts.received_at.astimezone(timezone(timedelta(hours=9))) if facts.received_at else None
    assert compose(LetterKind.OUTCOME, facts=replace(facts, received_at=east)) == compose(
        LetterKind.OUTCOME, facts=facts
    )


hostile = st.text(max_size=40) | st.sampled_from(
    [PORTAL_LINK, "{case}", "[end]", "[if note]", "# Heading", "a :: b", "x\r\nBcc: trap@example.org", "\u202etxet"]
)


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(sorted(LetterKind)), language=st.sampled_from(sorted(languages())), text=hostile.filter(clean)
)
def test_no_fact_can_forge_a_header_a_heading_or_a_link(kind: LetterKind, language: str, text: str) -> None:
    texts: dict[str, Any] = dict.fromkeys([*CUSTOMERS_TEXTS, "reporter_reference"], text)
    facts = LetterFacts(
        operator="Example Net",
        abuse_contact="abuse@example.net",
        language=language,
        reports=("R-000001",),
        type="messaging/spam",
        missing=frozenset(Missing),
        outcome=ReportOutcome.FIXED,
        case_outcome=CaseOutcome.FIXED,
        answer_by=datetime(2026, 3, 17, 12, 0, tzinfo=UTC),
        counts_from=datetime(2026, 5, 1, tzinfo=UTC),
        changes=(text, "Forged routes"),
        question="AQ-1f2e3d4c5b",
        contact="abuse@customer.example.com",
        edition_kept="2026-04",
        policy_link="https://operator.example.net/policy/2026-05/changes",
        measure=MEASURE,
        by=f"Example Hosting {text}",
        by_contact=text,
        webhook=text,
        contacts=(text, "ana@example.com"),
        **{**texts, "case": "C-000001", "resource": f"192.0.2.7 {texts['resource']}", "timezone": "UTC"},
    )
    plain = compose(kind, facts=replace(facts, note="x", explanation="x"))
    draft = compose(kind, facts=facts)
    assert "\n" not in draft.subject
    assert "\r" not in draft.subject + draft.body
    assert draft.subject.isprintable()
    assert draft.body.count(PORTAL_LINK) == plain.body.count(PORTAL_LINK) <= 1
    assert re.findall(r"\n\n\n(.+)\n-+\n", draft.body) == re.findall(r"\n\n\n(.+)\n-+\n", plain.body)


@pytest.mark.parametrize("language", sorted(languages()))
@pytest.mark.parametrize("kind", sorted(LetterKind))
def test_lines_are_short_but_for_what_must_not_be_broken(kind: LetterKind, language: str, facts: LetterFacts) -> None:
    body = compose(kind, facts=replace(facts, language=language, note="It stands.")).body
    long = [line for line in body.splitlines() if len(line) > WIDTH and not line.startswith("    ")]
    assert [line for line in long if "SHA-256" not in line] == []
    assert not any(line != line.rstrip() for line in body.splitlines())


@pytest.mark.parametrize("language", sorted(languages()))
def test_no_reminder_is_written_without_what_a_person_said(language: str, facts: LetterFacts) -> None:
    """It answers what the customer wrote; no letter says that nothing was heard."""
    with pytest.raises(LacksAFact, match="note"):
        compose(LetterKind.REMINDER, facts=replace(facts, language=language, note=""))


def test_a_link_to_a_bad_page_cannot_be_clicked(facts: LetterFacts) -> None:
    page = replace(facts, resource="http://bad.example.net/a.b", evidence="GET http://bad.example.net/a.b")
    draft = compose(LetterKind.NOTICE, facts=page)
    assert "http://" not in draft.subject + draft.body
    assert "hxxp://bad[.]example[.]net/a.b" in draft.body


def test_many_incidents_are_counted_and_not_all_listed(facts: LetterFacts) -> None:
    many = tuple(replace(facts.incidents[0], key=f"R-000301.{n}") for n in range(1, 10_001))
    body = compose(LetterKind.ACKNOWLEDGEMENT, facts=replace(facts, incidents=many)).body
    assert body.count("- Unsolicited mail: 192.0.2.7") == 10
    assert "and 9990 more" in body
    mixed = (replace(many[0], outcome=ReportOutcome.NOT_OURS), *many[1:])
    body = " ".join(compose(LetterKind.OUTCOME, facts=replace(facts, incidents=mixed)).body.split())
    assert body.count("192.0.2.7") == 11
    assert "and 9989 more" in body


def test_a_missing_fact_is_named() -> None:
    with pytest.raises(LacksAFact, match="case"):
        render("Subject: {case}\n\nx", {})


def test_the_facts_keep_their_hours_over_a_change_of_clocks(facts: LetterFacts) -> None:
    spring = replace(facts, answer_by=datetime(2026, 3, 29, 1, 30, tzinfo=UTC))
    assert "01:30 UTC (03:30 in Europe/Stockholm)" in " ".join(compose(LetterKind.NOTICE, facts=spring).body.split())


def test_a_report_is_said_to_stand_with_earlier_ones_and_never_with_itself(facts: LetterFacts) -> None:
    def said(*told: tuple[str, str]) -> str:
        incidents = tuple(
            Incident(
                key=f"R-000007.{n}", case="C-000001", reason=f"SAME_AS {same}" if same else "",
                outcome=ReportOutcome.DUPLICATE if same else ReportOutcome.FORWARDED,
                allegation=Allegation(type="messaging/spam", source=IPv4Address(source)),
            )
            for n, (source, same) in enumerate(told, start=1)
        )  # fmt: skip
        asked = replace(facts, reports=("R-000007",), incidents=incidents, language="en")
        return " ".join(compose(LetterKind.ACKNOWLEDGEMENT, facts=asked).body.split())

    assert "told us" not in said(("192.0.2.7", ""), ("192.0.2.7", "R-000007.1"))
    assert "this report stands with R-000003." in said(("192.0.2.7", "R-000003.1"), ("192.0.2.7", "R-000003.2"))
    some = said(("192.0.2.7", ""), ("192.0.2.8", "R-000003.1"), ("192.0.2.7", "R-000007.1"))
    assert "this report stands" not in some
    assert re.search(r"Of \S*192\S*8\S* you had told us the same event before; it stands with R-000003\.", some)
