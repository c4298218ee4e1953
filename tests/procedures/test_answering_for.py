"""What we advised is on record, and a claim is met with the words that were in force when it happened."""

import pytest

from tests.procedures.office import DAY, HOUR, MOVED_IN, NOON, Office
from tipstaff.ledger.queries import entries_about
from tipstaff.policy import edition_files, edition_folders, shipped_editions
from tipstaff.procedures.acceptance import note_first_use
from tipstaff.procedures.answering_for import NoSuchWords, advice_to, advise, meet_claim
from tipstaff.procedures.editions import adopt_installed
from tipstaff.registry.operations import UnknownKey

EDITION = shipped_editions()[-1]


def test_what_was_advised_is_on_record_and_can_be_looked_up(office: Office) -> None:
    office.admit("acct-1")
    clause = advise("acct-1", words=" Close port 6379. ", desk=office.desk, at=NOON, actor="anna")
    [noted] = advice_to("acct-1")
    assert (noted.actor, noted.at, noted.detail["words"]) == ("anna", NOON, "Close port 6379.")
    assert noted.detail["under"] == clause == "terms.configuration_advice"
    assert advice_to("acct-2") == []


def test_advice_without_words_is_not_noted(office: Office) -> None:
    office.admit("acct-1")
    with pytest.raises(NoSuchWords):
        advise("acct-1", words="  ", desk=office.desk, at=NOON, actor="anna")
    with pytest.raises(UnknownKey):
        advise("acct-404", words="Anything.", desk=office.desk, at=NOON, actor="anna")
    assert advice_to("acct-1") == []


def claimed(office: Office, *, of_another: bool = True, law_forbids: bool = False):  # type: ignore[no-untyped-def]  # whatever the office makes
    return meet_claim(
        "acct-1", happened_at=NOON, of_another=of_another, law_forbids=law_forbids, desk=office.desk, at=NOON + DAY,
        actor="counsel",
    )  # fmt: skip


def test_a_claim_is_met_with_the_words_that_were_in_force_and_accepted(office: Office) -> None:
    adopt_installed([edition_files(edition_folders()[-1])], at=NOON, since=EDITION.effective_at)
    office.admit("acct-1")
    clause, accepted = claimed(office)
    assert (clause, accepted) == ("terms.no_liability", None)
    note_first_use("acct-1", edition=EDITION, shown_by="log-in", at=NOON - HOUR)
    note_first_use("acct-1", edition=EDITION, shown_by="log-in", at=MOVED_IN)
    _, accepted = claimed(office)
    assert accepted is not None
    assert (accepted.edition, accepted.digest, accepted.accepted_at) == (EDITION.id, EDITION.digest, NOON - HOUR)
    met = [entry for entry in entries_about("acct-1") if entry.what == "claim.met"]
    assert met[-1].detail["edition_digest"] == EDITION.digest


@pytest.mark.parametrize("facts", [{"of_another": False}, {"law_forbids": True}])
def test_a_claim_over_our_own_conduct_is_met_with_nothing(office: Office, facts: dict[str, bool]) -> None:
    office.admit("acct-1")
    with pytest.raises(NoSuchWords):
        claimed(office, **facts)
