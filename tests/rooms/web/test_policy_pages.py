"""The policy for everybody, and the editions' page for counsel."""

import dataclasses
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.urls import reverse

from tests.as_read import approve_as_read, as_read
from tipstaff import wiring
from tipstaff.editions.models import EditionRow
from tipstaff.editions.queries import get_edition, work_of
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import entries_about
from tipstaff.policy import edition_files, edition_folders, shipped_editions
from tipstaff.policy.editions import digest_of
from tipstaff.procedures import editions
from tipstaff.procedures.agent import designate
from tipstaff.procedures.desk import Desk
from tipstaff.web.public.applied import facts_of
from tipstaff.web.public.judged import judged
from tipstaff.web.public.said import said_in
from tipstaff.wiring import jobs
from tipstaff.words import EditionState, Role, WorkStep

LogIn = Callable[..., Client]
SPAM = "clauses/mail.unsolicited.toml"


def written(id: str, was: str, now: str) -> dict[str, bytes]:
    files = {n: c for n, c in edition_files(edition_folders()[0]).items() if not n.startswith("locales/")}
    files["edition.toml"] = files["edition.toml"].replace(b'id = "2026-01"', f'id = "{id}"'.encode())
    files["edition.toml"] = files["edition.toml"].replace(b"Example Network Operator", b"Example Network")
    assert was.encode() in files[SPAM], "the shipped edition has changed; so must this test"
    files[SPAM] = files[SPAM].replace(was.encode(), now.encode())
    return files


@pytest.fixture
def adopted(db: None, at: datetime) -> datetime:
    editions.adopt_installed([edition_files(edition_folders()[0])], at=at - timedelta(days=60))
    return at


def post(id: str, was: str, now: str, *, at: datetime) -> None:
    """A change of words goes all its way."""
    editions.draft(written(id, was, now), at=at, actor="anna")
    for take in (editions.compile, editions.post):
        if take is editions.compile:
            approve_as_read(id, significant=False, why="Read.", desk=own_desk(), at=at, actor="counsel")
        take(id, desk=own_desk(), at=at, actor="counsel")


def own_desk() -> Desk:
    return wiring.desk()


def words_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def test_every_clause_of_the_edition_in_force_stands_on_the_public_page(adopted: datetime, client: Client) -> None:
    page = words_of(client, "/policy")
    [edition] = wiring.editions()
    for clause in edition.clauses:
        assert clause.title in page, clause.id
        assert clause.text in page, clause.id
        for example in clause.examples:
            assert example.says in page, f"{clause.id}/{example.id}"
    assert edition.digest in page


def test_the_agent_for_copyright_notices_is_named_while_the_entry_stands(adopted: datetime, client: Client) -> None:
    assert client.get("/copyright-agent").status_code == 404, "nobody is noted"
    desk, now = dataclasses.replace(wiring.desk(), roles_of=lambda name: frozenset({Role.COUNSEL})), wiring.now()
    stated = {"name": "Notices Desk", "address": "1 Example Street", "phone": "+1 555 0100", "email": "a@example.net"}
    designate(stated, entered_at=now - timedelta(days=4 * 365), desk=desk, at=now, actor="counsel")
    assert client.get("/copyright-agent").status_code == 404, "the entry has lapsed"
    designate(stated, entered_at=now - timedelta(days=30), desk=desk, at=now, actor="counsel")
    page = words_of(client, "/copyright-agent")
    for said in stated.values():
        assert said in page


def test_the_public_page_says_all_of_it_to_machines(adopted: datetime, client: Client) -> None:
    told = client.get("/policy.json").json()
    [edition] = wiring.editions()
    assert (told["sha256"], told["state"]) == (edition.digest, "in force")
    assert [clause["id"] for clause in told["clauses"]] == [clause.id for clause in edition.clauses]
    restore = next(clock for clock in told["clocks"] if clock["id"] == "copyright.restore")
    assert (restore["kind"], restore["source"]) == ("statute", "17 U.S.C. 512(g)(2)(C)")
    assert client.get("/policy/2026-01.json").json()["sha256"] == edition.digest
    spam = next(clause for clause in told["clauses"] if clause["id"] == "mail.unsolicited")
    assert (spam["answer_within_hours"], spam["answer_within_repeated_hours"]) == (24, 12)
    assert (spam["answer_kind"], spam["answer_source"]) == ("operator", None)
    assert (spam["ports"], spam["direction"], spam["found_when"]) == (["tcp/25"], "out", None)
    assert {"scope": "flow", "degree": "block"} in spam["ladder"]
    assert told["parameters"] == {
        "look_back_days": 180, "memory_days": 365, "in_progress_hours": 24.0, "reader_confidence_min": 0.5,
        "person_from": "walled_garden",
    }  # fmt: skip
    assert told["repeats"] == [
        {"group": "mail", "days": 365,
         "steps": [{"strikes": 3, "decides": "lead", "answer_within_hours": None, "adds": []}]}
    ]  # fmt: skip
    for known, shown in zip(edition.clauses, told["clauses"], strict=True):
        assert shown["found_when"] == (known.found_when.text if known.found_when else None)
        assert shown["two_people"] is known.two_people


def test_the_public_page_says_when_what_follows_and_who_decides(adopted: datetime, client: Client) -> None:
    page = words_of(client, "/policy")
    for said in (
        "Time to answer 24 hours; 12 hours when it happens again (set by us)",
        "An earlier case counts for 365 days. From 3 on: lead.",
        "one mailbox: hold → one port of an address: block",
        "the clock, after a notice and without an answer; a person from “walled garden” up",
        "lead, and a second person who agrees",
        "tcp/25 (sent by you)",
        "set by 17 U.S.C. 512(g)(2)(C)",
        "10–14 business days",
        "We look back 180 days",
        "two people on: suspend",
    ):
        assert said in page, said
    german = words_of(client, "/policy?in=de")
    assert "24 Stunden; 12 Stunden im Wiederholungsfall (von uns festgelegt)" in german
    assert "Time to answer" not in german


def test_who_decides_on_the_page_is_who_decides_at_the_desk(adopted: datetime) -> None:
    [edition] = wiring.editions()
    said = said_in("en")[1]
    for clause in edition.clauses:
        shown = dict(facts_of(clause, edition, said=said, language="en")).get(said["of_decides"], "")
        for rung in clause.ladder if clause.judged else ():
            degree = rung.degree.name.lower().replace("_", " ")
            two = "a second person" in shown or degree in shown.partition("two people on: ")[2]
            assert two is edition.takes_two_people(rung, clause=clause.id), (clause.id, rung)


def test_the_shipped_edition_is_the_operators_own_and_no_other_firms(adopted: datetime, client: Client) -> None:
    name = wiring.settings().operator.name
    [edition] = wiring.editions()
    assert (edition.entity, edition.digest) == (name, digest_of(edition_files(edition_folders()[0]).items()))
    assert f"Edition 2026-01 of {name}, in force since" in words_of(client, "/policy")
    assert wiring.editions_of_others([edition]) == []
    [said] = wiring.editions_of_others([replace(edition, entity="Sample Carrier")])
    assert "'Sample Carrier'" in said
    assert name in said


def test_earlier_editions_stay_and_the_difference_is_shown_word_by_word(adopted: datetime, client: Client) -> None:
    post("2026-05", "or guessed. If", "or made up. If", at=adopted - timedelta(days=1))
    assert "Edition 2026-05 of Example Network, in force since" in words_of(client, "/policy")
    assert "superseded" in words_of(client, "/policy/2026-01")
    page = client.get("/policy/2026-05/changes").content.decode()
    assert "<del>guessed. </del><ins>made up. </ins>" in page
    assert "None of the examples of either edition is judged otherwise." in page
    told = client.get("/policy/2026-05/changes?as=json").json()
    assert [change["what"] for change in told["changes"]] == ["mail.unsolicited", "translation de"]
    assert [each["state"] for each in client.get("/policy.json").json()["editions"]] == ["in force", "superseded"]
    assert "This is the first edition" in words_of(client, "/policy/2026-01/changes")


def test_a_translation_is_shown_with_the_word_that_it_does_not_bind(adopted: datetime, client: Client) -> None:
    page = words_of(client, "/policy?in=de")
    assert "Unverlangte Massenpost" in page
    assert "Verbindlich ist die englische Ausgabe" in page
    assert "Unverlangte Massenpost" not in words_of(client, "/policy?in=fr")
    told = client.get("/policy.json").json()
    assert (told["binding_locale"], told["locales"]) == ("en", ["en", "de"])
    assert told["clauses"][0]["translations"]["de"]["title"] == "Diebstahl von Zugängen"


def test_each_example_says_what_is_given_and_what_the_judge_says_of_it(adopted: datetime, client: Client) -> None:
    [edition] = wiring.editions()
    told = {clause["id"]: clause for clause in client.get("/policy.json").json()["clauses"]}
    page = words_of(client, "/policy")
    for clause in edition.clauses:
        for example, shown in zip(clause.examples, told[clause.id]["examples"], strict=True):
            spoken = judged(example, clause=clause, edition=edition, said=said_in("en")[1], language="en")
            for words in (example.says, spoken.given, spoken.verdict):
                assert " ".join(words.split()) in page, (clause.id, example.id)
            wanted = example.expect
            assert shown["verdict"]["clause"] == wanted.clause, (clause.id, example.id)
            if wanted.disposition is not None:
                assert shown["verdict"]["disposition"] == wanted.disposition.value
                assert shown["given"]["holder"] == example.given.grade.value


@pytest.mark.parametrize("language", ["en", "de", "es", "fr", "pt", "ja"])
def test_every_example_can_be_said_in_every_language(language: str) -> None:
    [edition] = shipped_editions()
    said = said_in(language)[1]
    for clause in edition.clauses:
        for example in clause.examples:
            spoken = judged(example, clause=clause, edition=edition, said=said, language=language)
            assert spoken.given
            assert spoken.verdict
            assert "{" not in spoken.given + spoken.verdict


def test_the_difference_says_in_numbers_what_it_would_have_done_and_names_nobody(
    adopted: datetime, client: Client
) -> None:
    editions.draft(written("2026-05", ', "account: suspend"]', "]"), at=adopted, actor="anna")
    approve_as_read("2026-05", significant=True, why="Read.", desk=own_desk(), at=adopted, actor="counsel")
    editions.compile("2026-05", desk=own_desk(), at=adopted, actor="counsel")
    editions.announce("2026-05", desk=own_desk(), at=adopted, actor="counsel")
    page, told = words_of(client, "/policy/2026-05/changes"), client.get("/policy/2026-05/changes?as=json").json()
    assert told["past_reports"] == {"judged_at_least": 0, "withheld_below": 10, "judged_otherwise": []}
    assert "None of them would have been treated otherwise, or too few to say." in page
    was, now = re.findall(r"Remedies: ([^;“”]*?(?:suspend|close))(?= |;)", page)[:2]
    assert was.startswith(now), "examples, as they were judged and are, with each remedy"
    assert ", the account: suspend" in was.removeprefix(now)
    assert told["effects"][0]["before"]["ladder"][:-1] == told["effects"][0]["after"]["ladder"]
    counted = [
        ["mail.unsolicited", "mail.unsolicited", 1234, 57], ["network.scanning", "", 9, 9], ["", "", 10, 10],
        ["content.phishing", "", 500, 9], ["content.malware", "", 500],
    ]  # fmt: skip
    row = EditionRow.objects.get(name="2026-05")
    row.effects |= {"past_judged": 4321, "past_clauses": counted, "first_of_them": [["R-000001.1", "secret"]]}
    row.save()
    told = client.get("/policy/2026-05/changes?as=json").json()["past_reports"]
    assert told["judged_at_least"] == 4320
    assert [each["reports"] for each in told["judged_otherwise"]] == [1230, 10], (
        "nine might be known, or whose they are"
    )
    page = words_of(client, "/policy/2026-05/changes")
    assert "4320 of them at least" in page
    assert "network.scanning" not in page.partition("What past reports would have met")[2]
    assert "R-000001" not in client.get("/policy/2026-05/changes").content.decode()


def test_nobody_outside_sees_a_draft_and_everybody_sees_what_is_announced(adopted: datetime, client: Client) -> None:
    editions.draft(written("2026-06", "or guessed. If", "or made up. If"), at=adopted, actor="anna")
    approve_as_read("2026-06", significant=True, why="Read.", desk=own_desk(), at=adopted, actor="counsel")
    editions.compile("2026-06", desk=own_desk(), at=adopted, actor="counsel")
    assert client.get("/policy/2026-06").status_code == 404
    assert client.get("/policy/2026-06/changes").status_code == 404
    editions.announce("2026-06", desk=own_desk(), at=adopted, actor="counsel")
    assert "announced; it does not count yet" in words_of(client, "/policy/2026-06")
    assert "is announced and does not count yet" in words_of(client, "/policy/2026-06/changes")
    assert "Edition 2026-01" in words_of(client, "/policy"), "the one in force is still the earlier one"


def test_around_a_translated_policy_the_page_speaks_its_language(adopted: datetime, client: Client) -> None:
    german, english = client.get("/policy?in=de").content.decode(), client.get("/policy").content.decode()
    assert '<html lang="de">' in german
    assert '<html lang="en">' in english
    words = words_of(client, "/policy?in=de")
    assert "Ausgabe 2026-01 von Example Network, in Kraft seit" in words
    for said in ("Alle Ausgaben", "Für Maschinen", "Beispiele", "Nutzungsregeln", "Hell oder dunkel"):
        assert said in words
    for said in ("All editions", "in force", "For machines", "Light or dark", "Skip"):
        assert said not in words
    [edition] = wiring.editions()
    assert german.count('<ul lang="de"') == sum(bool(clause.examples) for clause in edition.clauses)
    assert 'lang="en"' not in german.partition('id="purposes"')[0].partition("<h2")[2], "nothing left in English"
    assert "Wir bestätigen jede Meldung innerhalb dieser Zeit." in words, "clocks"
    for given, verdict in (
        ("eine Meldung messaging/spam; 5 Stunden zuvor geschehen; der Inhaber ist sicher",
         "ein Fall wird eröffnet; Klausel „Unverlangte Massenpost“; 24 Stunden zum Antworten"),
        ("mehrere Inhaber sind möglich", "der Melder wird gefragt; kein Kunde wird benachrichtigt"),
    ):  # fmt: skip
        assert given in words
        assert verdict in words


def test_a_language_that_is_not_written_is_english_and_all_say_the_same_things() -> None:
    assert said_in("xx-YY") == said_in("en")
    for language in ("de", "es", "fr", "pt", "ja"):
        spoken, said = said_in(f"{language}-XX")
        assert spoken == language
        for key, words in said_in("en")[1].items():
            assert re.findall(r"{\w+}", said[key]) == re.findall(r"{\w+}", words) or sorted(
                re.findall(r"{\w+}", said[key])
            ) == sorted(re.findall(r"{\w+}", words)), (language, key)


def test_the_editions_page_judges_the_examples_once(
    adopted: datetime, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    editions.draft(written("2026-06", "or guessed. If", "or made up. If"), at=adopted, actor="anna")
    asked: list[str] = []
    judged = editions.effects
    monkeypatch.setattr(editions, "effects", lambda old, new: asked.append(new.id) or judged(old, new))
    editions._compared.clear()
    counsel = log_in(Role.COUNSEL)
    for _ in range(3):
        assert "made up." in words_of(counsel, reverse("console:editions"))
    assert asked == ["2026-06"]


@pytest.mark.parametrize("address", ["/policy/nothing", "/policy/nothing.json", "/policy/2026-01/changes?from=nothing"])
def test_what_is_not_there_is_not_found(adopted: datetime, client: Client, address: str) -> None:
    assert client.get(address).status_code == 404


def test_counsel_takes_an_edition_its_way_in_the_console(adopted: datetime, log_in: LogIn) -> None:
    editions.draft(written("2026-06", "or guessed. If", "or made up. If"), at=adopted, actor="anna")
    counsel = log_in(Role.COUNSEL)
    page = words_of(counsel, reverse("console:editions"))
    seen = as_read("2026-06")
    assert f'name="seen" value="{seen}"' in counsel.get(reverse("console:editions")).content.decode()
    assert "anna" in page
    assert "guessed." in page
    assert "made up." in page
    for action, state in (
        ("approve", EditionState.APPROVED),
        ("compile", EditionState.COMPILED),
        ("post", EditionState.POSTED),
    ):
        given = {"why": "Read.", "seen": seen}
        answer = counsel.post(reverse("console:edition_step", args=["2026-06", action]), given, follow=True)
        assert answer.status_code == 200
        editions.carry_out("2026-06", desk=own_desk(), now=lambda: adopted)
        found = get_edition("2026-06")
        assert found is not None
        assert found.state is state, action
    again = counsel.post(reverse("console:edition_step", args=["2026-06", "post"]), follow=True)
    assert "An edition takes its steps in order" in again.content.decode()
    assert "in force" in words_of(counsel, "/policy/2026-06")


def test_a_condition_that_failed_is_shown_with_the_policy_and_in_the_inbox(adopted: datetime, log_in: LogIn) -> None:
    analyst, pages = log_in(Role.ANALYST), (reverse("console:policy"), reverse("console:inbox"))
    assert not any("it compares what" in words_of(analyst, page) for page in pages)
    for about in ("S-000001", "S-000002"):
        record(
            "condition.failed", at=adopted, actor="worker", about=[about, "condition:2026-01:network.scanning"],
            edition="2026-01", clause="network.scanning", condition="found_when", why="it compares what is not alike",
        )  # fmt: skip
    for page in pages:
        assert "network.scanning it compares what is not alike S-000002" in words_of(analyst, page), page
    assert f"{reverse('console:sightings')}?find=S-000002" in analyst.get(pages[0]).content.decode()


def approved(at: datetime, *, examples_hold: bool = True) -> None:
    files = written("2026-06", "or guessed. If", "or made up. If")
    if not examples_hold:
        was, now = (
            b'reason = "FIRST_REPORT", clause = "mail.unsolicited"',
            b'reason = "SPEECH", clause = "mail.unsolicited"',
        )
        assert was in files[SPAM], "the shipped edition has changed; so must this test"
        files[SPAM] = files[SPAM].replace(was, now)
    editions.draft(files, at=at, actor="anna")
    approve_as_read("2026-06", significant=True, why="Read.", desk=own_desk(), at=at, actor="counsel")


def test_no_page_waits_for_a_step_that_takes_long(adopted: datetime, log_in: LogIn) -> None:
    approved(adopted)
    counsel = log_in(Role.COUNSEL)
    address = reverse("console:edition_step", args=["2026-06", "compile"])
    page = counsel.post(address, follow=True).content.decode()
    assert "0 past judgements so far" in page
    assert 'hx-trigger="every 2s"' in page
    assert "Try its examples" not in page, "not twice at once"
    assert get_edition("2026-06").state is EditionState.APPROVED, "nothing is done in the request"  # type: ignore[union-attr]  # it is there
    assert "wait until it has ended" in counsel.post(address, follow=True).content.decode()
    editions.carry_out("2026-06", desk=own_desk(), now=lambda: adopted)
    again = own_desk()
    editions.carry_out("2026-06", desk=again, now=lambda: adopted)
    assert [e.what for e in entries_about("edition 2026-06")].count("edition.compiled") == 1
    page = counsel.get(reverse("console:editions") + "?edition=2026-06").content.decode()
    assert "past judgements so far" not in page
    assert "Write to every customer" in page


def test_a_step_that_cannot_be_done_says_why_and_can_be_asked_for_again(adopted: datetime, log_in: LogIn) -> None:
    approved(adopted, examples_hold=False)
    counsel = log_in(Role.COUNSEL)
    address = reverse("console:edition_step", args=["2026-06", "compile"])
    counsel.post(address)
    editions.carry_out("2026-06", desk=own_desk(), now=lambda: adopted)
    page = words_of(counsel, reverse("console:editions") + "?edition=2026-06")
    assert re.search(
        r"Not every example holds: \S* ?2026-06/clauses/mail\.unsolicited\.toml:\d+: mail\.unsolicited/", page
    )
    assert "Try its examples" in page
    assert get_edition("2026-06").state is EditionState.APPROVED  # type: ignore[union-attr]  # it is there
    assert "An edition takes its steps in order" in words_of_post(counsel, "2026-06", "announce")


def words_of_post(client: Client, id: str, action: str) -> str:
    return client.post(reverse("console:edition_step", args=[id, action]), follow=True).content.decode()


def test_a_worker_that_dies_while_it_writes_letters_writes_none_twice(
    adopted: datetime, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved(adopted)
    editions.compile("2026-06", desk=own_desk(), at=adopted, actor="counsel")
    words_of_post(log_in(Role.COUNSEL), "2026-06", "announce")
    with monkeypatch.context() as dying:
        dying.setattr(editions.operations, "end_work", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            editions.carry_out("2026-06", desk=own_desk(), now=lambda: adopted)
    assert work_of("2026-06").finished_at is None  # type: ignore[union-attr]  # it was asked for
    editions.carry_out("2026-06", desk=own_desk(), now=lambda: adopted)
    work = work_of("2026-06")
    assert work is not None
    assert (work.finished_at, work.trouble) == (adopted, "")
    assert [e.what for e in entries_about("edition 2026-06")].count("edition.announced") == 1


@pytest.mark.parametrize("killed", [False, True])
def test_a_step_that_fails_to_the_last_is_said_to_have_failed_and_can_be_asked_for_again(
    adopted: datetime, log_in: LogIn, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    approved(adopted)
    counsel = log_in(Role.COUNSEL)
    assert "the past is judged by it" in words_of_post(counsel, "2026-06", "compile")

    def away(*_: object, **__: object) -> None:
        raise OperationalError("the connection is lost")

    def attempt(n: int) -> None:
        jobs.edition.func(SimpleNamespace(job=SimpleNamespace(attempts=n, queue="editions")), "2026-06")

    with monkeypatch.context() as broken:
        broken.setattr(editions, "try_examples", away)
        with pytest.raises(OperationalError):
            attempt(0)
        assert work_of("2026-06").finished_at is None  # type: ignore[union-attr]  # it is tried again
        attempt(jobs.ATTEMPTS_MAX if killed else jobs.ATTEMPTS_MAX - 1)
    page = counsel.get(reverse("console:editions") + "?edition=2026-06").content.decode()
    assert f"It was tried {jobs.ATTEMPTS_MAX} times and did not come to its end" in page
    assert "every 2s" not in page, "nothing is waited for"
    assert get_edition("2026-06").state is EditionState.APPROVED  # type: ignore[union-attr]  # it is there
    assert "the past is judged by it" in words_of_post(counsel, "2026-06", "compile")
    attempt(0)
    assert get_edition("2026-06").state is EditionState.COMPILED  # type: ignore[union-attr]  # it is there


@pytest.mark.django_db(transaction=True)
def test_whoever_looks_sees_how_far_a_step_is_before_it_ends(at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    editions.adopt_installed([edition_files(edition_folders()[0])], at=at - timedelta(days=60))
    approved(at)
    editions.ask_for("2026-06", step=WorkStep.COMPILE, desk=own_desk(), at=at, actor="counsel")
    replay, seen = editions.replay_past, []

    def slowly(*asked: object, told: Callable[[int], None], **more: object) -> object:
        with transaction.atomic():
            told(5000)
            beside = connection.copy()
            with beside.cursor() as cursor:
                cursor.execute("SELECT done FROM editions_workrow")
                seen.append(cursor.fetchone()[0])
            beside.close()
        return replay(*asked, **more)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(editions, "replay_past", slowly)
    editions.carry_out("2026-06", desk=own_desk(), now=lambda: at)
    work = work_of("2026-06")
    assert work is not None
    assert (seen, work.done, work.finished_at) == ([5000], 5000, at)


def test_the_public_page_says_how_a_first_edition_came_in_until_two_people_have_confirmed_it(
    adopted: datetime, client: Client, log_in: LogIn
) -> None:
    [edition] = wiring.editions()
    assert edition.effective_at == adopted - timedelta(days=60), "from the first start, and not before"
    assert "It was taken in when our program first started, on" in words_of(client, "/policy")
    assert "Two people of ours have yet to confirm it." in words_of(client, "/policy")
    assert "müssen sie noch bestätigen" in words_of(client, "/policy?in=de")
    told = client.get("/policy.json").json()["adopted"]
    assert (told["ground"], told["confirmed_at"]) == ("first_start", None)
    step = reverse("console:edition_step", args=["2026-01", "confirm"])
    refused = log_in(Role.ANALYST).post(step, {"why": "x"}, follow=True).content.decode()
    assert "is confirmed" not in refused
    page = log_in(Role.LEAD, name="lena").post(step, {"why": "Read <b>"}, follow=True).content.decode()
    assert "a second person confirms it as well" in page
    assert "so far lena has" in page
    assert (
        "is confirmed." in log_in(Role.COUNSEL, name="carla").post(step, {"why": "Read"}, follow=True).content.decode()
    )
    assert "Two people of ours have confirmed it" in words_of(client, "/policy")
    assert client.get("/policy.json").json()["adopted"]["confirmed_at"] == adopted.isoformat()
    post("2026-05", "or guessed. If", "or made up. If", at=adopted)
    assert client.get("/policy/2026-05.json").json()["adopted"] is None, "one that went all its way has nothing to say"
    assert "first started" not in words_of(client, "/policy/2026-05")


def test_counsel_approves_the_words_that_they_read_and_no_others(adopted: datetime, log_in: LogIn) -> None:
    editions.draft(written("2026-06", "or guessed. If", "or made up. If"), at=adopted, actor="anna")
    read = as_read("2026-06")
    editions.withdraw("2026-06", why="Better words.", desk=own_desk(), at=adopted, actor="anna")
    editions.draft(written("2026-06", "or guessed. If", "or as we please. If"), at=adopted, actor="anna")
    counsel, step = log_in(Role.COUNSEL), reverse("console:edition_step", args=["2026-06", "approve"])
    for seen in (read, "", as_read("2026-06")[:11]):
        answer = counsel.post(step, {"why": "Read word by word.", "seen": seen}, follow=True)
        assert "is not the one that you read" in answer.content.decode()
        by_api = counsel.post(f"/api{step.removeprefix('/console')}", {"seen": seen}, "application/json")
        assert by_api.status_code in {403, 409}, "as the console, or no token at hand"
    found = get_edition("2026-06")
    assert found is not None
    assert found.state is EditionState.DRAFT
    assert counsel.post(step, {"why": "Read.", "seen": as_read("2026-06")[:12]}).status_code == 302
    found = get_edition("2026-06")
    assert found is not None
    assert found.state is EditionState.APPROVED


def test_who_may_not_approve_or_post_is_refused(adopted: datetime, log_in: LogIn) -> None:
    editions.draft(written("2026-06", "or guessed. If", "or made up. If"), at=adopted, actor="anna")
    for role, action in ((Role.LEAD, "approve"), (Role.ANALYST, "compile"), (Role.ENGINEER, "post")):
        answer = log_in(role).post(reverse("console:edition_step", args=["2026-06", action]), {"why": "x"})
        assert answer.status_code == 403
    found = get_edition("2026-06")
    assert found is not None
    assert found.state is EditionState.DRAFT


def test_before_the_first_edition_counts_the_page_shows_it_and_does_not_call_it_in_force(
    db: None, at: datetime, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    [edition] = wiring.installed_editions()
    coming = replace(edition, effective_at=at + timedelta(days=9))
    monkeypatch.setattr(wiring, "editions", lambda: (coming,))
    page = client.get("/policy")
    assert page.status_code == 200
    assert "This is not the edition in force." in page.content.decode()
    assert client.get("/policy.json").json()["state"] == "posted"


def test_everybody_can_read_what_is_collected_and_why(adopted: datetime, client: Client) -> None:
    page, told = words_of(client, "/policy"), client.get("/policy.json").json()["purposes"]
    [edition] = wiring.editions()
    assert [one["id"] for one in told] == [one.id for one in edition.purposes] != []
    for one in edition.purposes:
        for said in (one.data, one.why, one.kept):
            assert said in page, one.id
