"""Past complaints under another edition, and an edition in the shadow: both change nothing for anybody."""

import dataclasses
import json
from datetime import timedelta
from ipaddress import ip_address

import pytest
from django.db import connection
from typer.testing import CliRunner

from tests.procedures.office import DAY, HOUR, NOON, Office, reporter
from tipstaff import wiring
from tipstaff.cli.policy import app
from tipstaff.editions.models import ReplayPileRow
from tipstaff.editions.queries import get_replay
from tipstaff.ledger.queries import count_about, entries_about
from tipstaff.policy import Edition
from tipstaff.policy.conditions import read_condition
from tipstaff.policy.replay import Tally
from tipstaff.policy.shadow import Shadow
from tipstaff.procedures import complaint, replays
from tipstaff.procedures.replayed import as_document
from tipstaff.procedures.replaying import replay_past
from tipstaff.procedures.replays import line_again, line_of
from tipstaff.procedures.shadow import disagreements
from tipstaff.words import Allegation, CaseState, Degree, Rung, Scope, Service, ServiceKind

FIRST, SECOND = "192.0.2.7", "192.0.2.9"


@pytest.fixture
def office(db: None) -> Office:
    from tipstaff.registry import operations as registry

    made = Office()
    made.admit("acct-1", FIRST)
    made.admit("acct-2", SECOND)
    registry.add_service(
        Service(key="svc-2", customer="acct-2", kind=ServiceKind.HOSTING, label="A server"), at=NOON, actor="import"
    )
    return made


def other(edition: Edition, **changes: object) -> Edition:
    """The edition with another clause on bulk mail."""
    clauses = tuple(
        dataclasses.replace(c, **changes) if c.id == "mail.unsolicited" else c  # type: ignore[arg-type]  # by name
        for c in edition.clauses
    )
    return dataclasses.replace(edition, id="2027-01", clauses=clauses)


def complaints(office: Office) -> None:
    for n, (address, days) in enumerate([(FIRST, 0), (SECOND, 1), (FIRST, 2), ("203.0.113.5", 3), (SECOND, 400)]):
        office.complain(address, at=NOON + days * DAY, by=reporter(n + 1))


def replayed(office: Office, under: Edition, **more: int) -> Tally:
    return replay_past(
        under, since=NOON - DAY, until=NOON + 30 * DAY, desk=office.desk, at=NOON + 30 * DAY, **more
    )  # fmt: skip


def test_under_the_edition_that_was_applied_nothing_differs_and_every_verdict_comes_out_again(office: Office) -> None:
    complaints(office)
    tally = replayed(office, office.desk.editions[-1])
    assert (tally.judged, tally.different, tally.not_kept, tally.not_reproduced) == (4, 0, 0, 0)


def test_who_would_be_treated_differently_is_counted_and_listed_with_the_measures(office: Office) -> None:
    complaints(office)
    ladder = (Rung(scope=Scope.ADDRESS, degree=Degree.BLOCK),)
    under = other(office.desk.editions[-1], answer_within=timedelta(hours=6), ladder=ladder)
    before = entries(office)
    tally = replayed(office, under)
    assert (tally.judged, tally.different) == (4, 3), "what is not ours stays so; what came later was not asked"
    assert [(d.customer, d.alike.customer_class) for d in tally.listed] == [
        ("acct-1", "no service named"), ("acct-2", "hosting"), ("acct-1", "no service named"),
    ]  # fmt: skip
    assert tally.changed_clauses == {("mail.unsolicited", "mail.unsolicited"): 3}
    assert tally.how["time to answer 24 h → 6 h"] == 3
    assert tally.weighed == 3
    assert tally.listed[0].measures == (f"block tcp/25 from {FIRST}", f"block {FIRST}")
    lines = [line_again(line_of(d), d.alike) for d in tally.listed]
    document = json.loads(json.dumps(as_document(tally, lines, under=under, begin=NOON, end=NOON)))
    assert document["measures"]["before"] == {"measures": {"block flow": 3}, "others_hit": 0, "services_hit": 0}
    assert document["measures"]["after"] == {"measures": {"block address": 3}, "others_hit": 0, "services_hit": 0}
    assert len(document["differences"]) == 3
    assert entries(office) == before, "it reads only"


def test_the_collateral_of_a_wider_measure_is_counted_from_the_registry(office: Office) -> None:
    office.hold("198.51.100.30", customer="acct-1")
    office.admit("acct-5")
    from tipstaff.registry import operations as registry

    registry.add_site(
        "shop.example.com", address=ip_address("198.51.100.30"), customer="acct-5", service=None, since=NOON - DAY,
        at=NOON, actor="import",
    )  # fmt: skip
    office.complain("198.51.100.30", at=NOON)
    only_ports = (Rung(scope=Scope.FLOW, degree=Degree.BLOCK),)
    [difference] = replayed(office, other(office.desk.editions[-1], ladder=only_ports)).listed
    before, after = difference.alike.before, difference.alike.after
    assert (difference.measures[0], before.others_hit) == ("suspend acct-1", 0), "their own before others'"
    assert (difference.measures[1], after.others_hit) == ("block tcp/25 from 198.51.100.30", 1)


@pytest.mark.parametrize(("asks_for", "different"), [("login", 0), ("no-such-word", 1)])
def test_a_condition_asks_the_report_itself_for_what_it_names(office: Office, asks_for: str, different: int) -> None:
    report = office.complain("203.0.113.5", at=NOON)
    read_anew = Allegation(
        type="content/phishing", source=ip_address(FIRST), url="http://www.example.com/login", domain="www.example.com"
    )
    complaint.correct_reading(report.key, allegations=(read_anew,), desk=office.desk, at=NOON + HOUR, actor="ana")
    edition = office.desk.editions[-1]
    condition = read_condition(f'report.url.contains("{asks_for}")')
    clauses = tuple(
        dataclasses.replace(c, when=condition) if c.id == "content.phishing" else c for c in edition.clauses
    )
    tally = replayed(office, dataclasses.replace(edition, id="2027-01", clauses=clauses))
    assert (tally.judged, tally.different, tally.not_reproduced) == (2, different, 0)


@pytest.mark.django_db(transaction=True)
def test_several_processes_find_what_one_finds(office: Office) -> None:
    complaints(office)
    under = other(office.desk.editions[-1], answer_within=timedelta(hours=6))
    told: list[int] = []
    span = {"since": NOON - DAY, "until": NOON + 900 * DAY, "at": NOON + 900 * DAY}
    alone = replay_past(under, desk=office.desk, **span)
    together = replay_past(under, desk=office.desk, processes=2, told=told.append, **span)
    assert dataclasses.asdict(alone) == dataclasses.asdict(together)
    assert together.judged == told[-1] == 5


def test_what_was_judged_before_questions_were_kept_is_counted_as_such(office: Office) -> None:
    complaints(office)
    with connection.cursor() as cursor:
        # The record itself refuses to be changed: for this the guard is taken away inside the test's transaction.
        cursor.execute("ALTER TABLE ledger_entry DISABLE TRIGGER USER")
        cursor.execute("UPDATE ledger_entry SET detail = detail - 'asked' WHERE what = 'incident.judged'")
        cursor.execute("ALTER TABLE ledger_entry ENABLE TRIGGER USER")
    tally = replayed(office, office.desk.editions[-1])
    assert (tally.judged, tally.not_kept) == (0, 4)


@pytest.mark.parametrize("sealed", ["afterwards", "while it is judged", "by an earlier release"])
def test_a_replay_no_longer_names_what_a_sealed_report_is_about(
    office: Office, monkeypatch: pytest.MonkeyPatch, sealed: str
) -> None:
    meanwhile = sealed == "while it is judged"
    report, other_one = office.complain("203.0.113.5", at=NOON), office.complain(SECOND, at=NOON, by=reporter(2))
    told = Allegation(
        type="content/phishing", source=ip_address(FIRST), url="http://www.example.com/login", domain="www.example.com"
    )
    complaint.correct_reading(report.key, allegations=(told,), desk=office.desk, at=NOON + HOUR, actor="ana")
    edition = office.desk.editions[-1]
    ladder = (Rung(scope=Scope.ITEM, degree=Degree.BLOCK),)
    clauses = tuple(dataclasses.replace(c, ladder=ladder) for c in other(edition).clauses)
    under = dataclasses.replace(edition, id="2027-01", clauses=clauses)
    desk = dataclasses.replace(office.desk, shadow=Shadow(edition=under))
    at = NOON + 2 * HOUR
    run = replays.ask_for(under, since=NOON - DAY, until=at, desk=desk, at=at, actor="ana")

    def seal() -> None:
        complaint.seal_by_hand(report.key, desk=office.desk, at=at, actor="ana")

    if meanwhile:
        piles_of = replays._piles
        monkeypatch.setattr(replays, "_piles", lambda part: (piles_of(part), seal())[0])
    replays.carry_on(run.key, desk=desk, now=lambda: at)
    piles = ReplayPileRow.objects.filter(replay=int(run.key))
    if not meanwhile:
        assert "www.example.com" in str([pile.differences for pile in piles]), "until it is sealed"
        if sealed == "by an earlier release":  # It left them as they were; the night after the upgrade they go.
            monkeypatch.setattr(complaint, "blank_measures", lambda keys: None)
            seal()
            replays.forget_sealed()
        else:
            seal()
    kept = [each for pile in piles.all() for each in pile.differences]
    assert "example.com/login" not in str(kept)
    assert {tuple(each[3:]) for each in kept if each[0].startswith(report.key)} == {("", "")}
    assert all(any(each[3:]) for each in kept if each[0].startswith(other_one.key)), "others still name theirs"
    found = get_replay(run.key)
    assert found is not None
    lines = list(replays.found_by(found, under=under, desk=desk).lines(lambda _: True, limit=100))
    assert "block item" in {line.after for line in lines if line.key.startswith(report.key)}


# In the shadow


def test_an_edition_in_the_shadow_decides_nothing_and_its_disagreements_are_kept(office: Office) -> None:
    strict = other(office.desk.editions[-1], answer_within=timedelta(hours=6))
    shadow = Shadow(edition=strict, clauses=("mail.unsolicited",))
    office.desk = dataclasses.replace(office.desk, shadow=shadow)
    case = office.warned(FIRST, at=NOON)
    office.complain("203.0.113.5", at=NOON + HOUR, by=reporter(2))
    assert (case.edition, case.answer_within) == (office.desk.editions[-1].id, timedelta(hours=24))
    assert office.fresh(case.key).state is CaseState.NOTIFIED

    found = disagreements(shadow, limit=10)
    assert (found.judged, found.different) == (2, 1)
    assert found.by_clause == (("mail.unsolicited", "mail.unsolicited", 1),)
    [one] = found.newest
    assert (one.customer, one.how) == ("acct-1", ("time to answer 24 h → 6 h",))
    assert "asked at 2 judgements and would have decided 1 otherwise" in found.in_a_sentence()
    assert json.dumps(found.as_document())


def test_strikes_are_counted_anew_for_the_shadow(office: Office) -> None:
    from tests.procedures.test_deciding import fixed_case
    from tipstaff.policy.strikes import Repeats

    office.admit("acct-9", "198.51.100.7")
    fixed_case(office, at_day=0)
    short = dataclasses.replace(
        office.desk.editions[-1], id="2027-01", repeats=(Repeats(group="mail", lifetime=timedelta(days=5)),)
    )
    office.desk = dataclasses.replace(office.desk, shadow=Shadow(edition=short))
    again = office.case_of(office.complain("198.51.100.7", at=NOON + 10 * DAY))
    assert again.repeats == 1
    [one] = disagreements(office.desk.shadow, limit=5).newest  # type: ignore[arg-type]  # it was just set
    assert one.how == ("time to answer 12 h → 24 h",)


def test_without_a_shadow_nothing_is_kept_of_one(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    assert not any(key.startswith("shadow:") for entry in entries_about(case.key) for key in entry.about)
    assert count_about("shadow:2027-01", what="incident.judged") == 0


def entries(office: Office) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_entry")
        return int(cursor.fetchone()[0])


# On the command line


def run(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "100"})
    if exit_code == 0 and result.exception is not None:
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result.stdout if exit_code == 0 else result.output


@pytest.fixture
def commanded(office: Office, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An office whose desk is the one that commands find, a month later."""
    monkeypatch.setattr(wiring, "desk", lambda: office.desk)
    monkeypatch.setattr(wiring, "now", lambda: NOON + 30 * DAY)
    return office


def test_the_command_says_who_would_be_treated_differently_and_lists_them(commanded: Office) -> None:
    complaints(commanded)
    lenient = other(commanded.desk.editions[-1], answer_within=timedelta(hours=48))
    commanded.desk = dataclasses.replace(commanded.desk, editions=(*commanded.desk.editions, lenient))
    told = run("replay", "2027-01", "--from", "2026-05-03", "--processes", "1")
    assert "4 past allegations from 2026-05-03 to 2026-06-03" in told
    assert "3 would have been treated differently." in " ".join(told.split())
    assert "time to answer 24 h → 48 h" in told
    document = json.loads(run("replay", "2027-01", "--from", "2026-05-03", "--processes", "1", "--json"))
    assert (document["judged"], document["different"], document["not_reproduced"]) == (4, 3, 0)
    assert {each["customer"] for each in document["differences"]} == {"acct-1", "acct-2"}
    assert all("time to answer 24 h → 48 h" in each["how"] for each in document["differences"])
    [first] = json.loads(
        run("replay", "2027-01", "--from", "2026-05-05", "--to", "2026-05-06", "--processes", "1", "--json")
    )["differences"]
    assert first["customer"] == "acct-2", "only what was judged within the time that was asked for"


def test_the_command_changes_nothing(commanded: Office) -> None:
    complaints(commanded)
    before = [(case.key, case.version, case.due_at) for case in commanded.cases()]
    entries = entries_about("acct-1")
    run("replay", commanded.desk.editions[-1].id, "--processes", "1")
    assert [(case.key, case.version, case.due_at) for case in commanded.cases()] == before
    assert entries_about("acct-1") == entries


def test_the_command_says_what_is_wrong_with_a_question(commanded: Office) -> None:
    used = commanded.desk.editions[-1].id
    assert "no edition on record" in run("replay", "2031-01", exit_code=2)
    assert "is no day" in run("replay", used, "--from", "last week", exit_code=2)
    assert "0 past allegations" in run("replay", used, "--processes", "1", exit_code=1), (
        "nothing to judge is no success"
    )


def test_the_shadow_s_command_shows_where_it_disagrees(commanded: Office) -> None:
    assert "`shadow_folder` under [server] names one" in run("shadow", exit_code=1)
    strict = other(commanded.desk.editions[-1], answer_within=timedelta(hours=2))
    commanded.desk = dataclasses.replace(commanded.desk, shadow=Shadow(edition=strict))
    report = commanded.complain(FIRST, at=NOON)
    told = run("shadow")
    assert f"{report.key}.1" in told
    assert "time to answer 24 h → 2 h" in told
    document = json.loads(run("shadow", "--json"))
    assert document == disagreements(commanded.desk.shadow, limit=20).as_document()  # type: ignore[arg-type]  # set above
