"""An authority asks: counsel decides, two people name a customer, and what leaves the house is what was asked."""

import contextlib
import dataclasses
import json
import math
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.procedures.office import DAY, HOUR, MOVED_IN, NOON, Office
from tipstaff import wiring
from tipstaff.cli.main import app
from tipstaff.ledger.queries import entries_about
from tipstaff.legal.operations import AnotherHasToAgree, NoSuchMatter, NotNow
from tipstaff.legal.queries import get_matter
from tipstaff.procedures import disclosure
from tipstaff.procedures.disclosure import NotAnswerable
from tipstaff.procedures.refusals import NotYourDecision
from tipstaff.words import Gives, LegalMatter, MatterKind, MatterState, Role

ADDRESS = "198.51.100.7"
ORDER = (
    b"District Court, docket no. 12 C 34, 4 May 2026. Pursuant to section 9 the provider names who used 198.51.100.7."
)


@pytest.fixture
def house(office: Office) -> Office:
    """A customer who holds an address, one counsel, one lead, one analyst."""
    office.admit("acct-1", ADDRESS)
    office.roles = {
        "carla": frozenset({Role.COUNSEL}), "cem": frozenset({Role.COUNSEL}), "lena": frozenset({Role.LEAD}),
        "ana": frozenset({Role.ANALYST}), "adam": frozenset({Role.ADMINISTRATOR}),
    }  # fmt: skip
    return office


def asked(office: Office, *, kind: MatterKind = MatterKind.IDENTITY, by: str = "carla", **more: object) -> LegalMatter:
    stated: dict[str, object] = {
        "authority": "District Court", "reference": "12 C 34", "binding": True, "received_at": NOON,
        "clock": "disclosure.production_order", "address": ADDRESS, "used_at": NOON - DAY,
    } | more  # fmt: skip
    return disclosure.take_request(ORDER, kind=kind, desk=office.desk, at=NOON + HOUR, actor=by, **stated)  # type: ignore[arg-type]  # any of them


def ready(office: Office, **more: object) -> str:
    """One that was authenticated and looked up; its key."""
    key = asked(office, **more).key
    disclosure.authenticate(key, how="Called the court's own number.", desk=office.desk, at=NOON, actor="carla")
    disclosure.look_up(key, desk=office.desk, at=NOON, actor="carla")
    return key


def agree(office: Office, key: str, *, by: str, seen: str = "carla: name") -> LegalMatter:
    return disclosure.agree(key, seen=seen, desk=office.desk, at=NOON + HOUR, actor=by)


def decide(office: Office, key: str, *, answer: bool = True, gives: tuple[Gives, ...] = (Gives.NAME,)) -> LegalMatter:
    return disclosure.decide(
        key, answer=answer, gives=gives, why="A valid order.", desk=office.desk, at=NOON + HOUR, actor="carla"
    )


def test_the_form_of_a_request_is_looked_at_and_its_clock_started(house: Office) -> None:
    matter = asked(house)
    assert set(matter.shown) >= {"who orders it", "its reference", "its date", "the law it rests on"}
    assert matter.due_at is not None
    assert matter.due_at >= NOON + 10 * DAY
    assert matter.digest == sha256(ORDER).hexdigest(), "the text itself stays with counsel"
    assert asked(house, clock="").due_at is None
    [entry] = entries_about(matter.key)
    assert (entry.what, dict(entry.detail)) == ("matter.opened", {"kind": "identity"}), "colleagues read the record"
    for wrong in ({"clock": "mail.forward"}, {"address": ""}, {"used_at": None}, {"authority": " "}):
        with pytest.raises(NotAnswerable):
            asked(house, **wrong)
    assert disclosure.late(desk=house.desk, at=matter.due_at, actor="carla") == [matter]


@pytest.mark.parametrize(
    ("zone", "ends"),
    [("UTC", "2026-05-15T00:00:00+00:00"), ("America/Los_Angeles", "2026-05-14T07:00:00+00:00")],
)
def test_our_days_to_answer_an_authority_are_counted_where_we_are(house: Office, zone: str, ends: str) -> None:
    """It came at 02:00 UTC on 4 May, which is still the third on the other side."""
    house.desk = dataclasses.replace(house.desk, zone=zone)
    matter = asked(house, received_at=NOON - 10 * HOUR)
    assert matter.due_at is not None
    assert matter.due_at.isoformat() == ends


@pytest.mark.parametrize("who", ["lena", "ana", "adam"])
def test_the_register_is_counsels_alone(house: Office, who: str) -> None:
    key = ready(house)
    with pytest.raises(NotYourDecision):
        asked(house, by=who)
    with pytest.raises(NotYourDecision):
        disclosure.register(desk=house.desk, actor=who)
    with pytest.raises(NotYourDecision):
        disclosure.look_up(key, desk=house.desk, at=NOON, actor=who)
    with pytest.raises(NoSuchMatter):
        disclosure.shown_to(key, desk=house.desk, actor=who)
    decide(house, key)
    if who == "lena":
        assert disclosure.shown_to(key, desk=house.desk, actor=who).key == key, "who may be the second reads that one"
        return
    with pytest.raises(NotYourDecision):
        agree(house, key, by=who)
    with pytest.raises(NoSuchMatter):
        disclosure.shown_to(key, desk=house.desk, actor=who)


def test_two_people_name_a_customer_and_the_answer_holds_what_was_asked_and_no_more(house: Office) -> None:
    key = ready(house)
    assert decide(house, key).state is MatterState.PROPOSED
    with pytest.raises(AnotherHasToAgree):
        agree(house, key, by="carla")
    with pytest.raises(NotAnswerable):
        disclosure.hand_over(key, desk=house.desk, at=NOON + HOUR, actor="carla")
    agreed = agree(house, key, by="lena")
    assert (agreed.state, agreed.decided_by, agreed.second_by) == (MatterState.ANSWERED, "carla", "lena")
    with pytest.raises(NotAnswerable, match="told first"):
        disclosure.hand_over(key, desk=house.desk, at=NOON + HOUR, actor="carla")
    disclosure.note_told(key, how="By a letter.", desk=house.desk, at=NOON + HOUR, actor="carla")
    text = disclosure.hand_over(key, desk=house.desk, at=NOON + 2 * HOUR, actor="carla")
    told = json.loads(text)
    assert told.keys() == {"reference", "asked", "customer"}
    assert told["customer"].keys() == {"name"}, "nothing that was not decided, and no account number"
    assert "acct-1@" not in text
    handed = get_matter(key)
    assert handed is not None
    assert handed.handed_digest == sha256(text.encode()).hexdigest()
    steps = [entry.what for entry in entries_about(key)]
    assert steps == [
        "matter.opened", "matter.authenticated", "matter.looked_up", "matter.proposed", "matter.answered",
        "matter.told", "matter.handed_over",
    ]  # fmt: skip
    assert all("Placeholder" not in str(entry.detail) for entry in entries_about(key))


def test_what_two_people_agree_to_does_not_change_under_their_hands(house: Office) -> None:
    key = ready(house)
    proposed = decide(house, key)
    with pytest.raises(NotNow):
        disclosure.look_up(key, desk=house.desk, at=NOON, actor="carla")
    decide(house, key, gives=(Gives.NAME, Gives.PHONE))
    with pytest.raises(NotNow, match="look at it again"):
        agree(house, key, by="lena", seen=proposed.proposal)
    found = get_matter(key)
    assert found is not None
    assert found.state is MatterState.PROPOSED
    assert agree(house, key, by="lena", seen="carla: name phone").gives == (Gives.NAME, Gives.PHONE)


@pytest.mark.parametrize(
    "odd",
    [
        {"received_at": datetime.max.replace(tzinfo=UTC)}, {"received_at": NOON + 2 * HOUR},
        {"used_at": datetime.max.replace(tzinfo=UTC)}, {"used_at": datetime.min.replace(tzinfo=UTC)},
        {"address": "fe80::1%eth0"}, {"port": 65536}, {"error_seconds": math.nan}, {"error_seconds": math.inf},
        {"error_seconds": 1e300}, {"error_seconds": -1.0},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_not_entered(house: Office, odd: dict[str, object]) -> None:
    with pytest.raises(NotAnswerable):
        asked(house, **odd)
    assert disclosure.register(desk=house.desk, actor="carla") == []


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"binding": False}, "binding"),
        ({"address": "198.51.100.99"}, "one holder surely"),
        ({"used_at": NOON - 4000 * DAY}, "one holder surely"),
        # Probably theirs: the time that is meant may lie before the holding began.
        ({"used_at": MOVED_IN + HOUR, "error_seconds": 7200}, "one holder surely"),
    ],
)
def test_what_is_not_binding_or_not_sure_is_never_answered_with_a_name(
    house: Office, more: dict[str, object], why: str
) -> None:
    key = ready(house, **more)
    with pytest.raises(NotAnswerable, match=why):
        decide(house, key)
    assert decide(house, key, answer=False).state is MatterState.REFUSED
    with pytest.raises(NotNow):
        agree(house, key, by="lena")


def test_a_time_that_was_still_to_come_is_not_looked_up(house: Office) -> None:
    key = asked(house, used_at=NOON + HOUR / 2).key
    disclosure.authenticate(key, how="By the number in the directory.", desk=house.desk, at=NOON, actor="carla")
    with pytest.raises(NotAnswerable, match="still to come"):
        disclosure.look_up(key, desk=house.desk, at=NOON + 2 * DAY, actor="carla")


def test_a_mail_from_an_authoritys_address_proves_nothing(house: Office) -> None:
    for kind, gives in ((MatterKind.IDENTITY, (Gives.NAME,)), (MatterKind.REQUEST, (Gives.HELD,))):
        key = asked(house, kind=kind).key
        disclosure.look_up(key, desk=house.desk, at=NOON, actor="carla")
        with pytest.raises(NotAnswerable, match="by a way of our own"):
            decide(house, key, gives=gives)


def test_counsel_answers_alone_what_names_nobody(house: Office) -> None:
    key = ready(house, kind=MatterKind.REQUEST, binding=False, clock="disclosure.preserve")
    with pytest.raises(NotAnswerable, match="two people"):
        decide(house, key)
    assert decide(house, key, gives=(Gives.HELD,)).state is MatterState.ANSWERED
    silent = disclosure.keep_silent(
        key, ground="The order forbids it.", until=NOON + 20 * DAY, desk=house.desk, at=NOON, actor="carla"
    )
    text = disclosure.hand_over(key, desk=house.desk, at=NOON + HOUR, actor="carla")
    assert json.loads(text)["held_by_one_customer"] is True
    assert "customer" not in json.loads(text)
    assert silent.review_at == NOON + 20 * DAY


def test_a_ground_for_silence_ends_and_is_looked_at_again(house: Office) -> None:
    key = ready(house)
    with pytest.raises(NotAnswerable, match="30 days"):
        disclosure.keep_silent(key, ground="x", until=NOON + 31 * DAY, desk=house.desk, at=NOON, actor="carla")
    disclosure.keep_silent(key, ground="The order forbids it.", until=NOON + DAY, desk=house.desk, at=NOON,
                           actor="carla")  # fmt: skip
    decide(house, key)
    agree(house, key, by="cem")
    assert disclosure.late(desk=house.desk, at=NOON + DAY - timedelta(seconds=1), actor="carla") == []
    [late] = disclosure.late(desk=house.desk, at=NOON + DAY, actor="carla")
    assert late.key == key
    with pytest.raises(NotAnswerable, match="told first"):
        disclosure.hand_over(key, desk=house.desk, at=NOON + DAY, actor="carla")
    disclosure.note_told(key, how="By a letter.", desk=house.desk, at=NOON + DAY, actor="carla")
    assert disclosure.late(desk=house.desk, at=NOON + 2 * DAY, actor="carla") == []


def test_counsel_takes_a_request_its_way_at_a_terminal(
    house: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(wiring, "now", lambda: NOON + HOUR)
    monkeypatch.setattr(wiring, "desk", lambda: house.desk)
    monkeypatch.setattr("tipstaff.cli.legal.database", contextlib.nullcontext)
    (tmp_path / "order.txt").write_bytes(ORDER)

    def run(*what: str, code: int = 0, by: str = "carla") -> str:
        done = CliRunner().invoke(app, ["legal", *what, "--by", by], env={"COLUMNS": "200"})
        assert done.exit_code == code, done.output
        return done.output

    new = ("request", str(tmp_path / "order.txt"), "--kind", "identity", "--authority", "District Court", "--reference",
           "12 C 34", "--binding", "--clock", "disclosure.production_order", "--address", ADDRESS, "--used-at",
           (NOON - DAY).isoformat())  # fmt: skip
    assert "kept by the role counsel" in run(*new, code=1, by="lena")
    said = run(*new)
    key = said[:8]
    assert "The clock disclosure.production_order ends" in said
    assert key in run("list", "--waiting")
    run("authenticate", key, "--how", "Called the court's own number.")
    assert "confirmed (ONE_HOLDER), acct-1" in run("look-up", key)
    assert "second person" in run("decide", key, "--why", "Valid.", "--gives", "name")
    assert f"There is no matter {key} for you." in run("show", key, code=1, by="ana")
    shown = json.loads(run("show", key, by="lena"))
    assert (shown["why"], shown["proposal"]) == ("Valid.", "carla: name")
    assert "cannot be the second person" in run("agree", key, "--seen", shown["proposal"], code=1)
    assert "look at it again" in run("agree", key, "--seen", "carla: phone", code=1, by="lena")
    assert "carla and lena answer for it" in run("agree", key, "--seen", shown["proposal"], by="lena")
    run("silence", key, "--ground", "The order forbids it.", "--until", (NOON + 9 * DAY).isoformat())
    assert json.loads(run("hand-over", key))["customer"].keys() == {"name"}
    run("told", key, "--how", "By a letter.")
    assert "Nothing was changed" in run("decide", key, "--why", "x", "--refuse", code=1)
    assert run("list", "--late").count("G-") == 0
