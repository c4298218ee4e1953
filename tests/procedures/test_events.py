"""A clause that answers an event of the operator's is asked in the program, and its answer decides."""

import dataclasses
from pathlib import Path

import pytest

import tipstaff.procedures
from tests.as_read import approve_as_read
from tests.procedures.office import DAY, NOON, Office
from tipstaff import wiring
from tipstaff.policy import Edition, edition_files, edition_folders, shipped_editions
from tipstaff.policy.conditions import read_condition
from tipstaff.policy.coverage import RowState, missing, state_of
from tipstaff.policy.kinds import Event
from tipstaff.procedures import editions
from tipstaff.procedures.acceptance import note_first_use
from tipstaff.procedures.detecting import NotAuthorised, authorise, look
from tipstaff.procedures.editions import WrongStep

EDITION = shipped_editions()[-1]
PROCEDURES = Path(tipstaff.procedures.__file__).parent


@pytest.mark.parametrize("event", Event)
def test_every_event_of_the_program_is_raised_by_a_procedure_and_answered_by_a_clause(event: Event) -> None:
    raised = f"Event.{event.name}"
    assert any(raised in file.read_text(encoding="utf-8") for file in PROCEDURES.glob("*.py")), event
    assert EDITION.answers(event), event


def test_what_nothing_raises_is_not_called_served() -> None:
    assert [clause.id for clause in EDITION.clauses if clause.untried_events] == []
    served = EDITION.clause("way.filtering_devices")
    assert state_of(served) is not RowState.NOT_YET
    tried_only = dataclasses.replace(served, events=("nothing.raises_this",))
    assert state_of(tried_only) is RowState.NOT_YET
    assert any("nothing in the program raises" in sentence for sentence in missing(tried_only))


def never(clause: str) -> Edition:
    """The edition with a clause that answers nothing any more."""
    mute = dataclasses.replace(EDITION.clause(clause), when=read_condition("facts.never"))
    clauses = tuple(mute if c.id == clause else c for c in EDITION.clauses)
    return dataclasses.replace(EDITION, clauses=clauses)


def test_use_accepts_an_edition_only_where_a_clause_of_it_says_so(office: Office) -> None:
    editions.adopt_installed([edition_files(edition_folders()[-1])], at=NOON, since=EDITION.effective_at)
    office.admit("acct-1")
    used = {"shown_by": "log-in", "at": NOON}
    assert not note_first_use("acct-1", edition=never("terms.use_is_consent"), **used)  # type: ignore[arg-type]  # one dict of several kinds
    assert note_first_use("acct-1", edition=EDITION, **used)  # type: ignore[arg-type]  # one dict of several kinds


def test_an_edition_goes_its_way_only_where_the_one_in_force_lets_it(office: Office) -> None:
    folder = Path(tipstaff.policy.__file__).parent / "editions" / "2026-01"
    files = {
        name: content.replace(b'id = "2026-01"', b'id = "2027-01"') for name, content in edition_files(folder).items()
    }
    editions.draft(files, at=NOON, actor="anna")
    approve_as_read("2027-01", significant=True, why="Read.", desk=office.desk, at=NOON, actor="counsel")
    editions.compile("2027-01", desk=office.desk, at=NOON, actor="anna")
    mute = dataclasses.replace(office.desk, editions=(never("terms.amendment"),))
    with pytest.raises(WrongStep):
        editions.announce("2027-01", desk=mute, at=NOON, actor="anna")
    with pytest.raises(WrongStep):
        editions.post("2027-01", desk=mute, at=NOON, actor="anna")
    editions.announce("2027-01", desk=office.desk, at=NOON, actor="anna")


def test_a_detector_looks_only_where_a_clause_lets_it(office: Office) -> None:
    authorise("flows", purpose="Why not.", until=NOON + DAY, desk=office.desk, at=NOON, actor="counsel")
    mute = dataclasses.replace(office.desk, editions=(never("terms.may_monitor"),))
    with pytest.raises(NotAuthorised):
        look("flows", wiring.detectors()["flows"], [], desk=mute, at=NOON, actor="tests")
