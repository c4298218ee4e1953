"""Who had an address that we used: asked with leave, about what our records tie to one customer, and judged."""

from datetime import datetime
from ipaddress import ip_address

import pytest

from tests.procedures.office import DAY, HOUR, NOON, Office
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures.address_questions import LEAVE, AnsweredBefore, NoSuchQuestion, NotToBeAsked, ask, note_answer
from tipstaff.procedures.detecting import note_leave
from tipstaff.procedures.refusals import NotYourDecision
from tipstaff.procedures.sighting import judge_waiting
from tipstaff.registry.operations import UnknownKey
from tipstaff.sensors.queries import list_measured
from tipstaff.words import HoldingKind, LetterKind, Reason, Role

ADDRESS, SHARED = "198.51.100.7", "192.0.2.77"
USED = NOON - HOUR


@pytest.fixture
def provider(office: Office) -> Office:
    office.admit("acct-1", ADDRESS)
    office.hold(SHARED, customer="acct-1", kind=HoldingKind.PORT_BLOCK, ports=(1024, 2047))
    note_leave("acct-1", LEAVE, until=NOON + DAY, shown_by="Their letter.", at=NOON - DAY, actor="ana")
    return office


def put(
    office: Office, customer: str = "acct-1", *, address: str = ADDRESS, port: int = 1500, at: datetime = NOON
) -> str:
    return ask(
        customer, address=ip_address(address), port=port, protocol="tcp", used_at=USED, line="Line 7", desk=office.desk,
        at=at, actor="ana",
    )  # fmt: skip


def answer(office: Office, key: str, named: str) -> str:
    said = note_answer(key, named=named, desk=office.desk, at=NOON + HOUR, actor="ana")
    judge_waiting(desk=office.desk, at=NOON + HOUR)
    return said


def test_the_question_names_address_port_and_time_and_not_the_answer(provider: Office) -> None:
    key = put(provider)
    [letter] = provider.post(at=NOON)
    assert (letter.kind, letter.to) == (LetterKind.ADDRESS_QUESTION, "acct-1@customer.example.com")
    assert key in letter.subject
    for part in (ADDRESS, "1500", "11:00:00"):
        assert part in letter.body
    assert "Line 7" not in letter.body
    assert put(provider) == key
    assert provider.post(at=NOON) == [], "it is asked once"


def test_a_wrong_answer_becomes_a_case_with_a_month_to_set_it_right(provider: Office) -> None:
    assert answer(provider, put(provider), "Line 9") == "wrong"
    [case] = provider.cases()
    assert (case.customer, case.clause) == ("acct-1", "duty.address_logs")
    assert (case.answer_within, case.decides) == (30 * DAY, Role.ANALYST)
    assert "it was our own line Line 7" in provider.post(at=NOON + HOUR)[-1].body


@pytest.mark.parametrize(("named", "said"), [("line 7 ", "right"), ("", "no record")])
def test_a_right_answer_and_an_honest_none_accuse_nobody(provider: Office, named: str, said: str) -> None:
    key = put(provider)
    assert answer(provider, key, named) == said
    assert provider.cases() == []
    [one] = list_measured()
    assert one.reason == Reason.BELOW_THRESHOLD
    with pytest.raises(AnsweredBefore):
        answer(provider, key, "Line 9")


def test_nobody_is_asked_who_did_not_agree_or_whom_our_records_do_not_name_alone(provider: Office) -> None:
    provider.admit("acct-2", "198.51.100.9")
    provider.admit("acct-3", "198.51.100.10", representative=False)
    note_leave("acct-3", LEAVE, until=NOON + DAY, shown_by="Their letter.", at=NOON - DAY, actor="ana")
    for customer, address, port in (
        ("acct-2", "198.51.100.9", 1500),
        ("acct-1", "198.51.100.9", 1500),
        ("acct-1", "203.0.113.9", 1500),
        ("acct-1", SHARED, 3000),
        ("acct-3", "198.51.100.10", 1500),
    ):
        with pytest.raises(NotToBeAsked):
            put(provider, customer, address=address, port=port)
    with pytest.raises(NotToBeAsked):
        put(provider, at=NOON + 2 * DAY)
    with pytest.raises(UnknownKey):
        put(provider, "acct-9")
    assert provider.post(at=NOON) == []
    assert put(provider, address=SHARED), "with its port the shared address is theirs alone"


def test_only_what_was_asked_is_answered_and_an_analyst_notes_it(provider: Office) -> None:
    with pytest.raises(NoSuchQuestion):
        answer(provider, "AQ-0000000000", "Line 7")
    key = put(provider)
    provider.roles["erik"] = frozenset({Role.ENGINEER})
    with pytest.raises(NotYourDecision):
        note_answer(key, named="Line 7", desk=provider.desk, at=NOON, actor="erik")
    assert [e.what for e in entries_about(key)] == ["address_question.asked"]
