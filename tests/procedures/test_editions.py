"""How an edition of the policy comes to count, and that nothing else ever judges anybody."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest
from django.db import IntegrityError, InternalError, ProgrammingError, connection, transaction

from tests.as_read import approve_as_read, as_read
from tests.procedures.office import ADDRESS_OF_REPRESENTATIVE, DAY, HOUR, MOVED_IN, NOON, Office, reporter
from tipstaff import wiring
from tipstaff.editions.operations import ApproverMustBeAnother, NameTaken, NotAnnounced, ShowsNoUse, WrongStep, accept
from tipstaff.editions.queries import get_edition, list_editions, posted_editions
from tipstaff.ledger.queries import entries_about
from tipstaff.notices.operations import (
    NotForAPersonToDecide,
    NotInYourHands,
    claim_letter,
    mark_failed,
    mark_handing_over,
    mark_in_doubt,
    mark_returned,
    mark_sent,
    send_again,
)
from tipstaff.notices.queries import list_letters
from tipstaff.policy import BadEdition, deadline, edition_files, edition_folders, edition_in_force
from tipstaff.procedures import editions
from tipstaff.procedures.acceptance import (
    accept_by_contract,
    acceptances_of,
    count_accepted,
    note_first_use,
    when_accepted,
)
from tipstaff.procedures.admission import note_use, read_use
from tipstaff.procedures.complaint import weigh_allegation
from tipstaff.procedures.desk import Desk
from tipstaff.procedures.judging import edition_at
from tipstaff.procedures.refusals import NotYourDecision
from tipstaff.registry import operations as registry
from tipstaff.words import (
    Acceptance,
    AcceptedHow,
    Adoption,
    AdoptionGround,
    Allegation,
    CaseState,
    EditionState,
    LetterKind,
    LetterState,
    Moment,
    Reason,
    ReportOutcome,
    Resource,
    ResourceKind,
    Role,
    Standing,
    UsageKind,
)

SHIPPED = edition_folders()[0]
SPAM = "clauses/mail.unsolicited.toml"
ADDRESS = "198.51.100.7"


OPERATOR = "Example Network"
"""Under this name the shipped edition was adopted; under another it would be another party's."""


def written(*changes: tuple[str, str, str], id: str = "2026-07") -> dict[str, bytes]:
    """The shipped edition with its name and a few more things changed."""
    files = {name: content for name, content in edition_files(SHIPPED).items() if not name.startswith("locales/")}
    own = (("edition.toml", 'id = "2026-01"', f'id = "{id}"'), ("edition.toml", "Example Network Operator", OPERATOR))
    for name, was, now in (*own, *changes):
        text = files[name].decode()
        assert was in text, "the shipped edition has changed; so must this test"
        files[name] = text.replace(was, now).encode()
    return files


LONGER = ((SPAM, "\nhours = 24\n", "\nhours = 48\n"), (SPAM, "within_hours = 24", "within_hours = 48"),
          ("clauses/way.warn_first.toml", "within_hours = 24", "within_hours = 48"))  # fmt: skip
OTHER_WORDS = ((SPAM, "or guessed. If", "or made up. If"),)


@pytest.fixture
def desk(office: Office) -> Desk:
    """The desk after the first start, which adopts the shipped edition; its words were posted elsewhere before."""
    editions.adopt_installed([edition_files(SHIPPED)], at=NOON - 30 * DAY, since=NOON - 30 * DAY)
    return fresh(office)


def fresh(office: Office) -> Desk:
    """The desk as it is built anew for each job, with what is posted by now."""
    office.desk = dataclasses.replace(office.desk, editions=wiring.editions())
    return office.desk


def ready(desk: Desk, *changes: tuple[str, str, str], id: str = "2026-07", at: datetime = NOON) -> None:
    """A draft that was approved and compiled."""
    editions.draft(written(*changes, id=id), at=at, actor="anna")
    approve_as_read(id, significant=False, why="Read.", desk=desk, at=at, actor="counsel")
    editions.compile(id, desk=desk, at=at, actor="counsel")


def test_the_first_start_adopts_what_the_installation_came_with_once(office: Office) -> None:
    files = edition_files(SHIPPED)
    assert editions.adopt_installed([files], at=NOON) == ["2026-01"]
    assert editions.adopt_installed([written(*LONGER)], at=NOON) == [], "afterwards only the whole way leads there"
    [edition] = list_editions()
    assert (edition.state, edition.effective_at) == (EditionState.POSTED, NOON), "nobody was told of it before"
    [entry] = entries_about(edition.digest)
    assert (entry.what, entry.detail["ground"]) == ("edition.adopted", "first_start")
    [kept] = wiring.editions()
    assert kept.digest == edition.digest
    assert [clause.id for clause in kept.clauses] == sorted(clause.id for clause in kept.clauses)


def test_nobody_is_judged_by_an_adopted_edition_for_what_happened_before_the_first_start(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    editions.adopt_installed([edition_files(SHIPPED)], at=NOON)
    fresh(office)
    before = office.case_of(office.complain(ADDRESS, at=NOON + HOUR, happened=NOON - HOUR))
    assert (before.state, before.decides) == (CaseState.WAITING_PERSON, Role.LEAD)
    reasons = [e.detail["reason"] for e in entries_about(before.key) if e.what == "case.opened"]
    assert reasons == ["NO_EDITION_IN_FORCE"]
    office.admit("acct-2", "198.51.100.8")
    after = office.case_of(office.complain("198.51.100.8", at=NOON + 2 * HOUR, happened=NOON + HOUR))
    assert after.state is CaseState.OPENED


def test_an_operator_may_state_that_the_words_were_posted_before_and_the_record_says_who_does(office: Office) -> None:
    old, new = written(("edition.toml", "2026-01-01T00", "2025-01-01T00"), id="2025-01"), edition_files(SHIPPED)
    since = datetime(2025, 6, 1, tzinfo=UTC)
    assert editions.adopt_installed([new, old], since=since, at=NOON) == ["2025-01", "2026-01"]
    assert [(e.id, e.effective_at) for e in sorted(list_editions(), key=lambda e: e.id)] == [
        ("2025-01", since), ("2026-01", datetime(2026, 1, 1, tzinfo=UTC)),
    ]  # fmt: skip
    for each in list_editions():
        adoption = editions.adoption_of(each.digest)
        assert adoption is not None
        assert adoption.ground is AdoptionGround.STATED


def test_of_several_editions_only_the_latest_counts_where_nobody_states_more(office: Office) -> None:
    old = written(("edition.toml", "2026-01-01T00", "2025-01-01T00"), id="2025-01")
    assert editions.adopt_installed([edition_files(SHIPPED), old], at=NOON) == ["2026-01"]


def test_two_people_of_whom_one_is_counsel_confirm_what_was_adopted(office: Office, desk: Desk) -> None:
    office.roles = {
        "lena": frozenset({Role.LEAD}), "leo": frozenset({Role.LEAD}), "carla": frozenset({Role.COUNSEL}),
        "anna": frozenset({Role.ANALYST}),
    }  # fmt: skip
    [edition] = list_editions()

    def confirm(actor: str, why: str = "Read.") -> Adoption:
        return editions.confirm("2026-01", why=why, desk=fresh(office), at=NOON, actor=actor)

    with pytest.raises(NotYourDecision):
        confirm("anna")
    with pytest.raises(WrongStep):
        confirm("lena", " ")
    assert confirm("lena").confirmed_at is None
    with pytest.raises(WrongStep):
        confirm("lena")
    with pytest.raises(NotYourDecision):
        confirm("leo")
    assert confirm("carla").confirmed_at == NOON
    with pytest.raises(WrongStep):
        confirm("carla")
    adoption = editions.adoption_of(edition.digest)
    assert adoption is not None
    assert adoption.confirmed_by == ("lena", "carla")
    ready(desk, *OTHER_WORDS)
    editions.post("2026-07", desk=desk, at=NOON, actor="counsel")
    with pytest.raises(WrongStep):
        editions.confirm("2026-07", why="Read.", desk=desk, at=NOON, actor="carla")


def test_drafting_and_approving_are_two_people(desk: Desk) -> None:
    drafted = editions.draft(written(*LONGER), at=NOON, actor="anna")
    with pytest.raises(ApproverMustBeAnother):
        approve_as_read("2026-07", significant=True, why="Mine.", desk=desk, at=NOON, actor="anna")
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE editions_editionrow SET approved_by = 'anna' WHERE digest = %s", [drafted.digest])
    approved = approve_as_read("2026-07", significant=False, why="Read.", desk=desk, at=NOON, actor="counsel")
    assert (approved.state, approved.drafted_by, approved.approved_by) == (EditionState.APPROVED, "anna", "counsel")
    assert [(e.what, e.actor) for e in entries_about(drafted.digest)] == [
        ("edition.drafted", "anna"),
        ("edition.approved", "counsel"),
    ]


def test_the_steps_are_taken_in_order(desk: Desk) -> None:
    editions.draft(written(*OTHER_WORDS), at=NOON, actor="anna")
    for step in (editions.compile, editions.announce, editions.post):
        with pytest.raises(WrongStep):
            step("2026-07", desk=desk, at=NOON, actor="counsel")
    approve_as_read("2026-07", significant=False, why="Read.", desk=desk, at=NOON, actor="counsel")
    for step in (editions.announce, editions.post):
        with pytest.raises(WrongStep):
            step("2026-07", desk=desk, at=NOON, actor="counsel")
    editions.compile("2026-07", desk=desk, at=NOON, actor="counsel")
    editions.post("2026-07", desk=desk, at=NOON, actor="counsel")
    with pytest.raises(WrongStep):
        editions.post("2026-07", desk=desk, at=NOON, actor="counsel")
    with pytest.raises(WrongStep):
        editions.withdraw("2026-07", why="No.", desk=desk, at=NOON, actor="counsel")


def test_an_edition_is_compiled_only_when_its_examples_hold(desk: Desk) -> None:
    editions.draft(written(LONGER[0]), at=NOON, actor="anna")
    approve_as_read("2026-07", significant=True, why="Read.", desk=desk, at=NOON, actor="counsel")
    with pytest.raises(editions.ExamplesDoNotHold, match=r"mail\.unsolicited/first-report"):
        editions.compile("2026-07", desk=desk, at=NOON, actor="counsel")
    found = get_edition("2026-07")
    assert found is not None
    assert found.state is EditionState.APPROVED


def test_what_cannot_be_read_is_no_draft(desk: Desk) -> None:
    with pytest.raises(BadEdition, match="is no severity"):
        editions.draft(written((SPAM, '"medium"', '"middling"')), at=NOON, actor="anna")
    with pytest.raises(NameTaken):
        editions.draft(written(*LONGER, id="2026-01"), at=NOON, actor="anna")
    assert len(list_editions()) == 1


def test_a_significant_change_is_announced_to_every_customer_before_it_is_posted(office: Office, desk: Desk) -> None:
    office.admit("acct-1", ADDRESS)
    office.admit("acct-2", representative=False)
    office.admit("acct-3", standing=Standing.TERMINATED)
    ready(desk, *LONGER)
    found = get_edition("2026-07")
    assert found is not None
    assert found.significant, "a longer time to answer is no change of words"
    with pytest.raises(NotAnnounced):
        editions.post("2026-07", desk=desk, at=NOON, actor="counsel")
    editions.announce("2026-07", desk=desk, at=NOON, actor="counsel")
    assert ("letters", "all") in office.asked
    [letter] = list_letters(limit=10)
    assert (letter.kind, letter.to) == (LetterKind.POLICY_CHANGE, ADDRESS_OF_REPRESENTATIVE.format("acct-1"))
    assert "Unsolicited bulk mail" in letter.body
    assert "/policy/2026-07/changes" in letter.body
    posted = editions.post("2026-07", desk=desk, at=NOON + HOUR, actor="counsel")
    announced = deadline(desk.editions[-1].clock("policy.announce"), at=NOON).by
    assert posted.effective_at == announced > NOON + 29 * DAY
    [entry] = [e for e in entries_about("edition 2026-07") if e.what == "edition.announced"]
    assert (entry.detail["letters"], entry.detail["unreachable"]) == (1, 1)


@pytest.mark.parametrize(
    ("zones", "counts_from"),
    [
        (["Asia/Tokyo", "America/Los_Angeles", "Nowhere/At_All"], datetime(2026, 6, 4, 7, tzinfo=UTC)),
        (["Asia/Tokyo"], datetime(2026, 6, 4, tzinfo=UTC)),
    ],
)
def test_an_announcement_lasts_until_the_last_of_the_customers_told_has_had_their_days(
    office: Office, desk: Desk, zones: list[str], counts_from: datetime
) -> None:
    for number, zone in enumerate(zones):
        office.admit(f"acct-{number}", timezone=zone)
    ready(desk, *LONGER)
    editions.announce("2026-07", desk=desk, at=NOON, actor="counsel")
    told = {letter.to: letter.body for letter in list_letters(limit=10)}
    assert len(told) == len(zones)
    assert "4 June 2026" in told[ADDRESS_OF_REPRESENTATIVE.format("acct-0")]
    for number in range(len(zones)):
        registry.set_standing(
            f"acct-{number}", Standing.TERMINATED, since=NOON, why="Moved out.", at=NOON + HOUR, actor="anna"
        )
    office.admit("acct-9", timezone="Pacific/Honolulu")
    posted = editions.post("2026-07", desk=desk, at=NOON + HOUR, actor="counsel")
    assert posted.effective_at == counts_from, "as the letters said, whoever came or left since"
    [newcomer] = [letter for letter in list_letters(limit=10) if letter.to not in told]
    assert newcomer.to == ADDRESS_OF_REPRESENTATIVE.format("acct-9"), "who came before it was posted is told as well"
    assert ("3 June 2026" if "America/Los_Angeles" not in zones else "4 June 2026") in newcomer.body


def test_whoever_comes_between_announcement_and_its_day_is_told_once_and_learns_that_it_does_not_come(
    office: Office, desk: Desk
) -> None:
    office.admit("acct-1", ADDRESS)
    ready(desk, *LONGER)
    assert editions.tell_newcomers(desk=desk, at=NOON) == 0, "nothing is announced yet"
    editions.announce("2026-07", desk=desk, at=NOON, actor="counsel")
    assert editions.tell_newcomers(desk=desk, at=NOON + HOUR) == 0
    office.admit("acct-2")
    office.admit("acct-3", representative=False)
    office.admit("acct-4", standing=Standing.TERMINATED)
    office.asked.clear()
    assert editions.tell_newcomers(desk=desk, at=NOON + DAY) == 1
    assert ("letters", "all") in office.asked
    assert editions.tell_newcomers(desk=desk, at=NOON + DAY) == 0
    first, later = sorted(list_letters(limit=10), key=lambda letter: letter.key)
    assert later.to == ADDRESS_OF_REPRESENTATIVE.format("acct-2")
    assert later.subject == first.subject
    [entry] = [e for e in entries_about("edition 2026-07") if e.what == "edition.announced_later"]
    assert entry.detail["letters"] == 1
    office.post(at=NOON + DAY)
    editions.withdraw("2026-07", why="Not now.", desk=desk, at=NOON + 2 * DAY, actor="counsel")
    assert len([one for one in list_letters(limit=10) if one.kind is LetterKind.POLICY_KEPT]) == 2
    office.admit("acct-5")
    assert editions.tell_newcomers(desk=desk, at=NOON + 2 * DAY) == 0, "it does not come"


def test_nobody_is_told_any_more_of_an_edition_that_was_given_up(office: Office, desk: Desk) -> None:
    office.admit("acct-1", ADDRESS)
    ready(desk, *LONGER)
    editions.announce("2026-07", desk=desk, at=NOON, actor="counsel")
    editions.withdraw("2026-07", why="Not now.", desk=desk, at=NOON + HOUR, actor="counsel")
    assert office.post(at=NOON + HOUR) == []
    [letter] = list_letters(limit=10)
    assert letter.state is LetterState.WITHDRAWN
    [entry] = [e for e in entries_about(letter.key) if e.what == "letter.withdrawn"]
    assert (entry.actor, entry.detail["why"]) == ("counsel", "Edition 2026-07 was given up.")


def test_whoever_was_told_of_an_edition_that_was_given_up_is_told_that_it_does_not_come(
    office: Office, desk: Desk
) -> None:
    office.admit("acct-1", ADDRESS)
    office.admit("acct-2", language="de")
    ready(desk, *LONGER)
    editions.announce("2026-07", desk=desk, at=NOON, actor="counsel")
    [first, second] = office.post(at=NOON)
    mark_returned(second.key, why="No such mailbox.", at=NOON, actor="worker")
    office.admit("acct-3")
    office.asked.clear()
    editions.withdraw("2026-07", why="Not now.", desk=desk, at=NOON + HOUR, actor="counsel")
    assert ("letters", "all") in office.asked
    [letter] = office.post(at=NOON + HOUR)
    assert (letter.kind, letter.to) == (LetterKind.POLICY_KEPT, first.to), (
        "the other one, and who came later, never read it"
    )
    assert "edition 2026-07" in letter.subject
    assert "Edition 2026-01 goes on counting" in " ".join(letter.body.split())
    assert "/policy/2026-01/" in letter.body


@pytest.fixture
def under_way(office: Office, desk: Desk) -> str:
    """An announcement that a worker has in hand; its key."""
    office.admit("acct-1", ADDRESS)
    ready(desk, *LONGER)
    editions.announce("2026-07", desk=desk, at=NOON, actor="counsel")
    letter = claim_letter(at=NOON, worker="one")
    assert letter is not None
    return letter.key


def given_up(desk: Desk) -> None:
    editions.withdraw("2026-07", why="Not now.", desk=desk, at=NOON + HOUR, actor="counsel")


def states() -> dict[LetterKind, LetterState]:
    return {letter.kind: letter.state for letter in list_letters(limit=10)}


def test_an_announcement_that_was_not_handed_over_yet_is_stopped_before_the_dot(under_way: str, desk: Desk) -> None:
    given_up(desk)
    with pytest.raises(NotInYourHands):
        mark_handing_over(under_way, at=NOON + HOUR, worker="one")
    assert states() == {LetterKind.POLICY_CHANGE: LetterState.WITHDRAWN}, "nobody read it, so nobody is told otherwise"


def test_what_takes_an_announcement_back_never_overtakes_it(under_way: str, desk: Desk) -> None:
    mark_handing_over(under_way, at=NOON, worker="one")
    given_up(desk)
    assert claim_letter(at=NOON + HOUR, worker="two") is None, "the server may still take the announcement"
    mark_sent(under_way, at=NOON + HOUR, reply="250 kept", worker="one")
    after = claim_letter(at=NOON + HOUR, worker="two")
    assert after is not None
    assert after.kind is LetterKind.POLICY_KEPT


def test_an_announcement_that_was_taken_back_is_not_tried_again(under_way: str, desk: Desk) -> None:
    mark_handing_over(under_way, at=NOON, worker="one")
    given_up(desk)
    mark_failed(under_way, at=NOON + HOUR, reply="451 later", permanent=False, worker="one")
    withdrawn = LetterState.WITHDRAWN
    assert states() == {LetterKind.POLICY_CHANGE: withdrawn, LetterKind.POLICY_KEPT: withdrawn}


@pytest.mark.parametrize("doubtful", [True, False])
def test_no_person_sends_an_announcement_again_that_was_taken_back(under_way: str, desk: Desk, doubtful: bool) -> None:
    mark_handing_over(under_way, at=NOON, worker="one")
    if doubtful:
        mark_in_doubt(under_way, at=NOON, reply="no answer", worker="one")
    else:
        mark_failed(under_way, at=NOON, reply="550 no", permanent=True, worker="one")
    given_up(desk)
    with pytest.raises(NotForAPersonToDecide):
        send_again(under_way, at=NOON + HOUR, actor="anna")
    follows = claim_letter(at=NOON + HOUR, worker="two")
    assert (follows is not None) == doubtful, "who may have read the one reads the other"


def test_a_change_of_words_is_posted_without_letters_unless_counsel_says_that_it_matters(desk: Desk) -> None:
    ready(desk, *OTHER_WORDS)
    assert editions.post("2026-07", desk=desk, at=NOON + HOUR, actor="counsel").effective_at == NOON + HOUR
    editions.draft(written(*OTHER_WORDS, id="2026-08"), at=NOON, actor="anna")
    editions.approve(
        "2026-08",
        seen=as_read("2026-08"),
        significant=True,
        why="It reads otherwise.",
        desk=desk,
        at=NOON,
        actor="counsel",
    )
    editions.compile("2026-08", desk=desk, at=NOON, actor="counsel")
    with pytest.raises(NotAnnounced):
        editions.post("2026-08", desk=desk, at=NOON, actor="counsel")


def test_posting_fixes_the_moment_from_which_an_edition_counts(office: Office, desk: Desk) -> None:
    ready(desk, *OTHER_WORDS)
    posted = editions.post("2026-07", desk=desk, at=NOON, actor="counsel")
    [entry] = [e for e in entries_about(posted.digest) if e.what == "edition.posted"]
    assert (entry.at, entry.actor, entry.detail["effective_at"]) == (NOON, "counsel", NOON.isoformat())
    assert (entry.detail["drafted_by"], entry.detail["approved_by"]) == ("anna", "counsel")
    assert posted_editions()[-1] == (posted.digest, NOON)
    for change in ("files = '{}'", "effective_at = now()", "state = 'draft'"):
        with pytest.raises((InternalError, ProgrammingError)), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE editions_editionrow SET {change} WHERE digest = %s", [posted.digest])
    with pytest.raises((InternalError, ProgrammingError)), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM editions_editionrow")
    assert [edition.id for edition in fresh(office).editions] == ["2026-01", "2026-07"], "the earlier one stays"


def test_of_two_for_one_moment_the_one_posted_later_counts_whatever_its_name(desk: Desk) -> None:
    for id in ("2026-07", "2026-06"):
        ready(desk, *LONGER, id=id)
        editions.announce(id, desk=desk, at=NOON, actor="counsel")
        last = editions.post(id, desk=desk, at=NOON + HOUR, actor="counsel")
    assert last.effective_at is not None
    posted = [wiring._posted(digest, at) for digest, at in posted_editions()]
    assert edition_in_force(posted, at=last.effective_at).id == "2026-06"
    assert len({each.effective_at for each in posted}) == len(posted)


def test_a_draft_cannot_be_changed_under_its_digest(desk: Desk) -> None:
    drafted = editions.draft(written(*LONGER), at=NOON, actor="anna")
    for change in ("files = '{}'", "digest = repeat('0', 64)", "drafted_by = 'ben'"):
        with pytest.raises((InternalError, ProgrammingError)), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE editions_editionrow SET {change} WHERE digest = %s", [drafted.digest])


def test_an_edition_that_is_not_posted_judges_nobody(office: Office, desk: Desk) -> None:
    office.admit("acct-1", ADDRESS)
    office.admit("acct-2", "198.51.100.8")
    ready(desk, *LONGER)
    fresh(office)
    case = office.case_of(office.complain(ADDRESS, at=NOON + HOUR))
    assert (case.edition, case.answer_within) == ("2026-01", DAY)
    editions.announce("2026-07", desk=desk, at=NOON, actor="counsel")
    posted = editions.post("2026-07", desk=desk, at=NOON, actor="counsel")
    assert posted.effective_at is not None
    fresh(office)
    before = office.case_of(office.complain("198.51.100.8", at=posted.effective_at - HOUR))
    assert (before.edition, before.answer_within) == ("2026-01", DAY), "posted, and not in force yet"
    after = office.complain("198.51.100.8", at=posted.effective_at + 2 * DAY)
    [judged] = [e for e in entries_about(after.key) if e.what == "incident.judged"]
    assert (judged.detail["edition"], judged.detail["edition_digest"]) == ("2026-07", posted.digest)


def test_what_happened_before_a_new_edition_is_judged_by_the_old_one(office: Office, desk: Desk) -> None:
    office.admit("acct-1", ADDRESS)
    ready(desk, *OTHER_WORDS)
    editions.post("2026-07", desk=desk, at=NOON, actor="counsel")
    fresh(office)
    report = office.complain(ADDRESS, at=NOON + HOUR, happened=NOON - HOUR)
    assert office.case_of(report).edition == "2026-01"


def test_compiling_judges_the_past_anew_and_says_how_much_would_change(office: Office, desk: Desk) -> None:
    office.admit("acct-1", ADDRESS)
    office.complain(ADDRESS, at=NOON - DAY)
    ready(desk, *LONGER)
    found = get_edition("2026-07")
    assert found is not None
    effects = found.effects
    assert (effects["past_judged"], effects["past_judged_otherwise"]) == (1, 1)
    assert effects["compared_with"] == "2026-01"
    [[incident, how]] = effects["first_of_them"]  # type: ignore[misc,has-type]  # it came out of JSON
    assert incident.startswith("R-")
    assert "24 h → 48 h" in how


def test_a_draft_that_was_given_up_leaves_its_name_free_and_stays_on_record(desk: Desk) -> None:
    first = editions.draft(written(*LONGER), at=NOON, actor="anna")
    editions.withdraw("2026-07", why="Not now.", desk=desk, at=NOON, actor="anna")
    second = editions.draft(written(*OTHER_WORDS), at=NOON + HOUR, actor="anna")
    assert {e.digest for e in list_editions()} >= {first.digest, second.digest}
    assert [e.what for e in entries_about(first.digest)] == ["edition.drafted", "edition.withdrawn"]


def test_the_first_use_after_posting_counts_as_acceptance_and_is_on_record_once(office: Office, desk: Desk) -> None:
    office.admit("acct-1", ADDRESS)
    ready(desk, *OTHER_WORDS)
    posted = editions.post("2026-07", desk=desk, at=NOON, actor="counsel")
    fresh(office)
    [_, edition] = office.desk.editions
    assert not note_first_use("acct-1", edition=edition, shown_by="seen", at=NOON - HOUR), "it did not count yet"
    assert note_first_use("acct-1", edition=edition, shown_by="log-in to the portal", at=NOON + HOUR)
    [accepted] = acceptances_of("acct-1")
    assert (accepted.edition, accepted.digest, accepted.how) == ("2026-07", posted.digest, AcceptedHow.USE)
    assert accepted.accepted_at == NOON + HOUR, "the use, not when we learned of it"
    assert accepted.shown_by == "log-in to the portal"
    assert not note_first_use("acct-1", edition=edition, shown_by="seen", at=NOON + DAY)
    assert [e.what for e in entries_about("acct-1") if e.what.startswith("edition.")] == ["edition.accepted"]
    assert count_accepted("2026-07", digest=posted.digest) == 1
    with pytest.raises((InternalError, ProgrammingError)), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM editions_acceptancerow")


def test_a_log_in_that_is_seen_accepts_the_edition_in_force_for_its_one_holder_whose_contract_runs(
    office: Office, desk: Desk
) -> None:
    for customer in ("acct-1", "acct-2"):
        office.admit(customer)
    for name, scope, customer in (
        ("line-7", "radius", "acct-1"), ("late", "radius", "acct-2"),
        ("twice", "radius", "acct-1"), ("twice", "radius-1", "acct-2"), ("elsewhere", "web", "acct-1"),
    ):  # fmt: skip
        login = Resource(kind=ResourceKind.LOGIN, name=name, scope=scope, customer=customer, held_from=MOVED_IN)
        registry.hold_resource(login, at=MOVED_IN, actor="tests")
    registry.set_standing("acct-2", Standing.TERMINATED, since=NOON, why="Spam.", at=NOON, actor="tests")
    ready(desk, *OTHER_WORDS)
    posted = editions.post("2026-07", desk=desk, at=NOON, actor="counsel")
    fresh(office)

    def seen(what: str, *, kind: UsageKind = UsageKind.LOGIN, at: datetime = NOON + HOUR) -> None:
        use = read_use(kind, what, seen_at=at, source="radius-1")
        note_use(use, at=NOON + DAY, actor="tests", editions=office.desk.editions)

    office.hold(f"{ADDRESS}/32", customer="acct-1")
    seen(ADDRESS, kind=UsageKind.TRAFFIC)
    for what in ("twice", "nobody", "late", "elsewhere"):
        seen(what)
    assert acceptances_of("acct-1") == acceptances_of("acct-2") == []
    seen("line-7", at=NOON - HOUR)
    [before] = acceptances_of("acct-1")
    assert before.edition == office.desk.editions[0].id, "then the earlier edition was in force"
    seen("line-7")
    seen("line-7", at=NOON + 2 * HOUR)
    now, _ = acceptances_of("acct-1")
    assert (now.edition, now.digest, now.how) == ("2026-07", posted.digest, AcceptedHow.USE)
    assert (now.accepted_at, now.shown_by) == (NOON + HOUR, "log-in line-7, seen by radius-1")
    assert acceptances_of("acct-2") == []


def test_a_complaint_about_a_customer_is_no_acceptance_of_theirs(office: Office, desk: Desk) -> None:
    office.admit("acct-1", ADDRESS)
    ready(desk, *OTHER_WORDS)
    posted = editions.post("2026-07", desk=desk, at=NOON, actor="counsel")
    fresh(office)
    [_, edition] = office.desk.editions
    report = office.complain(ADDRESS, at=NOON + 3 * HOUR, happened=NOON + HOUR)
    assert office.case_of(report).state is CaseState.OPENED
    assert acceptances_of("acct-1") == []
    shown_by = report.incidents[0].key
    with pytest.raises(ShowsNoUse):
        note_first_use("acct-1", edition=edition, shown_by=shown_by, at=NOON + HOUR)
    with connection.cursor() as cursor:  # As an earlier version left it.
        cursor.execute(
            "INSERT INTO editions_acceptancerow (customer, edition, digest, accepted_at, shown_by)"
            " VALUES ('acct-1', '2026-07', %s, %s, %s)",
            [posted.digest, NOON + HOUR, shown_by],
        )
    assert acceptances_of("acct-1") == []
    assert count_accepted("2026-07", digest=posted.digest) == 0
    assert note_first_use("acct-1", edition=edition, shown_by="log-in to the portal", at=NOON + DAY)
    assert [each.accepted_at for each in acceptances_of("acct-1")] == [NOON + DAY]


def test_one_answer_has_acceptance_by_contract_and_by_use(office: Office, desk: Desk) -> None:
    office.admit("acct-1", ADDRESS)
    ready(desk, *OTHER_WORDS)
    posted = editions.post("2026-07", desk=desk, at=NOON, actor="counsel")
    fresh(office)
    [_, edition] = office.desk.editions
    note_first_use("acct-1", edition=edition, shown_by="log-in to the portal", at=NOON + DAY)
    signed = Acceptance(
        customer="acct-1", contract="K-7", edition="2026-07", accepted_at=NOON + HOUR, accepted_by="Placeholder"
    )
    accept_by_contract(signed, at=NOON + 2 * DAY, actor="ada")
    accept_by_contract(
        dataclasses.replace(signed, edition="2019-01", accepted_at=NOON - DAY), at=NOON + 2 * DAY, actor="ada"
    )
    assert [(a.edition, a.how, a.shown_by, bool(a.digest)) for a in acceptances_of("acct-1")] == [
        ("2026-07", AcceptedHow.USE, "log-in to the portal", True),
        ("2026-07", AcceptedHow.CONTRACT, "K-7", True),
        ("2019-01", AcceptedHow.CONTRACT, "K-7", False),
    ]
    first = when_accepted("acct-1", edition="2026-07")
    assert first is not None
    assert (first.how, first.accepted_at) == (AcceptedHow.CONTRACT, NOON + HOUR)
    assert when_accepted("acct-1", edition="2027-01") is None
    assert count_accepted("2026-07", digest=posted.digest) == 1, "one customer, however often"


def test_two_who_note_one_use_at_once_leave_one_acceptance(desk: Desk) -> None:
    one = accept("acct-1", edition="2026-01", digest="ab" * 32, shown_by="log-in 1", at=NOON)
    other = accept("acct-1", edition="2026-01", digest="ab" * 32, shown_by="log-in 2", at=NOON + HOUR)
    assert (one[1], other[1]) == (True, False)
    assert one[0] == other[0]


class Forgetful(dict):  # type: ignore[type-arg]  # any pair
    """A cache that another page, made at the same time, empties after every step of ours."""

    def __contains__(self, pair: object) -> bool:
        known = super().__contains__(pair)
        self.clear()
        return known

    def __setitem__(self, pair: object, found: object) -> None:
        super().__setitem__(pair, found)
        self.clear()


def test_two_pages_that_compare_editions_at_once_do_not_stand_in_each_others_way(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    [old] = desk.editions
    new = editions.draft(written(*OTHER_WORDS), at=NOON, actor="anna")
    monkeypatch.setattr(editions, "_compared", Forgetful())
    for _ in range(2):
        changed, otherwise = editions.compare(old, editions.edition_on_record(new.id))
        assert [change.what for change in changed] == ["mail.unsolicited", "translation de"]
        assert otherwise == ()


def test_what_was_only_words_when_it_was_approved_is_announced_when_it_is_more_by_now(
    desk: Desk, office: Office
) -> None:
    ready(desk, *OTHER_WORDS, id="2026-08")
    ready(desk, *LONGER, id="2026-07")
    editions.announce("2026-07", desk=desk, at=NOON, actor="counsel")
    editions.post("2026-07", desk=desk, at=NOON, actor="counsel")
    later = NOON + 400 * DAY
    with pytest.raises(NotAnnounced):
        editions.post("2026-08", desk=fresh(office), at=later, actor="counsel")
    editions.announce("2026-08", desk=fresh(office), at=later, actor="counsel")
    assert editions.post("2026-08", desk=fresh(office), at=later, actor="counsel").state is EditionState.POSTED


def test_nothing_is_judged_under_an_edition_that_was_not_in_force_when_it_came(desk: Desk) -> None:
    [now] = desk.editions
    later = dataclasses.replace(now, id="2027-01", effective_at=NOON + 30 * DAY)
    ahead = Allegation(type="messaging/spam", moment=Moment(NOON + 60 * DAY))
    assert edition_at((now, later), conduct=ahead, received_at=NOON) is now
    twin = dataclasses.replace(later, id="2027-02")
    for both in ((later, twin), (twin, later)):
        after = NOON + 40 * DAY
        chosen = edition_at((now, *both), conduct=Allegation(type="messaging/spam"), received_at=after)
        assert chosen is edition_in_force((now, *both), at=after) is twin


@pytest.mark.parametrize("table", ["editions_editionrow", "editions_acceptancerow"])
def test_what_is_on_record_of_editions_is_not_emptied_at_once(db: None, table: str) -> None:
    migration = import_module("tipstaff.editions.migrations.0005_no_truncate")
    with connection.cursor() as cursor:
        # Tests with real transactions empty all tables: conftest took the triggers away for this database.
        cursor.execute(migration.UNDO.replace("DROP TRIGGER ", "DROP TRIGGER IF EXISTS "))
        cursor.execute(migration.REFUSE)
        with pytest.raises((InternalError, ProgrammingError), match="TRUNCATE of"), transaction.atomic():
            cursor.execute(f"TRUNCATE {table} CASCADE")


def test_before_the_first_edition_counts_everything_waits_for_a_person_and_nothing_is_lost(office: Office) -> None:
    [first] = editions.adopt_installed([written(("edition.toml", "2026-01-01T00", "2026-06-01T00"))], at=NOON)
    office.admit("acct-1", ADDRESS)
    [edition] = fresh(office).editions
    assert (first, edition.effective_at > NOON) == ("2026-07", True)
    report = office.complain(ADDRESS, at=NOON)
    assert (report.outcome, report.outcome_reason) == (ReportOutcome.WITH_A_PERSON, Reason.NO_EDITION_IN_FORCE)
    assert office.cases() == []
    office.post(at=NOON)
    [answer] = office.letters_to(reporter().address)
    assert "No edition of our acceptable use policy was in force yet" in " ".join(answer.body.split())
    assert not office.letters_to("acct-1@customer.example.com")
    judged = weigh_allegation(report.incidents[0].allegation, received_at=NOON, desk=office.desk, at=NOON)
    assert judged.verdict.explanation == (
        "No edition of our acceptable use policy was in force yet when it came in, so a person decides."
    )
    counts = office.complain(ADDRESS, at=NOON + 40 * DAY)
    assert counts.outcome is ReportOutcome.FORWARDED


def test_a_name_that_no_page_and_no_column_takes_is_one_sentence_at_the_draft(desk: Desk) -> None:
    for id in ("2026/07", "2026-07-" * 5, "..", "July 2026"):
        with pytest.raises(
            BadEdition, match=r"edition\.toml:\d+: the id .* is no name of an edition: 1 to 32"
        ) as caught:
            editions.draft(written(id=id), at=NOON, actor="anna")
        assert len(caught.value.problems) == 1


def test_what_everybody_may_read_of_the_past_counts_customers_and_nothing_that_is_closed(
    office: Office, desk: Desk
) -> None:
    from tipstaff.procedures.complaint import seal_by_hand

    first, second = "192.0.2.11", "192.0.2.12"
    office.admit("acct-11", first)
    office.admit("acct-12", second)
    reports = [
        office.complain(address, at=NOON - DAY + n * HOUR, by=reporter(n + 1))
        for n, address in enumerate([first, first, second])
    ]
    ready(desk, *LONGER)
    assert known_effects()["past_clauses"] == [["mail.unsolicited", "mail.unsolicited", 3, 2]]
    seal_by_hand(reports[2].key, desk=office.desk, at=NOON, actor="anna")
    editions.compile("2026-07", desk=desk, at=NOON, actor="counsel")
    assert known_effects()["past_clauses"] == [["mail.unsolicited", "mail.unsolicited", 2, 1]]
    assert reports[2].key not in str(known_effects())
    [group] = {office.case_of(report).group for report in reports[:2]}
    editions.compile("2026-07", desk=desk, at=NOON, actor="counsel", closed=[group])
    assert (known_effects()["past_judged"], known_effects()["past_clauses"]) == (0, [])


def known_effects() -> Mapping[str, Any]:
    found = get_edition("2026-07")
    assert found is not None
    return found.effects
