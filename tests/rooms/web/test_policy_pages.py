"""The policy for everybody, and the editions' page for counsel."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from tipstaff import wiring
from tipstaff.editions.queries import get_edition
from tipstaff.policy import edition_files, edition_folders
from tipstaff.procedures import editions
from tipstaff.procedures.desk import Desk
from tipstaff.web.public.said import said_in
from tipstaff.words import EditionState, Role

LogIn = Callable[..., Client]
SPAM = "clauses/mail.unsolicited.toml"


def written(id: str, was: str, now: str) -> dict[str, bytes]:
    files = {n: c for n, c in edition_files(edition_folders()[0]).items() if not n.startswith("locales/")}
    files["edition.toml"] = files["edition.toml"].replace(b'id = "2026-01"', f'id = "{id}"'.encode())
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
            editions.approve(id, significant=False, why="Read.", desk=own_desk(), at=at, actor="counsel")
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


def test_the_public_page_says_all_of_it_to_machines(adopted: datetime, client: Client) -> None:
    told = client.get("/policy.json").json()
    [edition] = wiring.editions()
    assert (told["sha256"], told["state"]) == (edition.digest, "in force")
    assert [clause["id"] for clause in told["clauses"]] == [clause.id for clause in edition.clauses]
    restore = next(clock for clock in told["clocks"] if clock["id"] == "copyright.restore")
    assert (restore["kind"], restore["source"]) == ("statute", "17 U.S.C. 512(g)(2)(C)")
    assert client.get("/policy/2026-01.json").json()["sha256"] == edition.digest


def test_earlier_editions_stay_and_the_difference_is_shown_word_by_word(adopted: datetime, client: Client) -> None:
    post("2026-05", "or guessed. If", "or made up. If", at=adopted - timedelta(days=1))
    assert "Edition 2026-05 of Example Network Operator, in force since" in words_of(client, "/policy")
    assert "superseded" in words_of(client, "/policy/2026-01")
    page = client.get("/policy/2026-05/changes").content.decode()
    assert "<del>guessed. </del><ins>made up. </ins>" in page
    assert "None of the examples of either edition is judged otherwise." in page
    told = client.get("/policy/2026-05/changes?as=json").json()
    assert [change["what"] for change in told["changes"]] == ["mail.unsolicited"]
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


def test_nobody_outside_sees_a_draft_and_everybody_sees_what_is_announced(adopted: datetime, client: Client) -> None:
    editions.draft(written("2026-06", "or guessed. If", "or made up. If"), at=adopted, actor="anna")
    editions.approve("2026-06", significant=True, why="Read.", desk=own_desk(), at=adopted, actor="counsel")
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
    assert "Ausgabe 2026-01 von Example Network Operator, in Kraft seit" in words
    for said in ("Alle Ausgaben", "Für Maschinen", "Beispiele", "Nutzungsregeln", "Hell oder dunkel"):
        assert said in words
    for said in ("All editions", "in force", "For machines", "Light or dark", "Skip"):
        assert said not in words
    [edition] = wiring.editions()
    assert german.count('<ul lang="en"') == sum(bool(clause.examples) for clause in edition.clauses), "not translated"


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
    assert "anna" in page
    assert "guessed." in page
    assert "made up." in page
    for action, state in (
        ("approve", EditionState.APPROVED),
        ("compile", EditionState.COMPILED),
        ("post", EditionState.POSTED),
    ):
        answer = counsel.post(reverse("console:edition_step", args=["2026-06", action]), {"why": "Read."}, follow=True)
        assert answer.status_code == 200
        found = get_edition("2026-06")
        assert found is not None
        assert found.state is state, action
    again = counsel.post(reverse("console:edition_step", args=["2026-06", "post"]), follow=True)
    assert "An edition takes its steps in order" in again.content.decode()
    assert "in force" in words_of(counsel, "/policy/2026-06")


def test_who_may_not_approve_or_post_is_refused(adopted: datetime, log_in: LogIn) -> None:
    editions.draft(written("2026-06", "or guessed. If", "or made up. If"), at=adopted, actor="anna")
    for role, action in ((Role.LEAD, "approve"), (Role.ANALYST, "compile"), (Role.ENGINEER, "post")):
        answer = log_in(role).post(reverse("console:edition_step", args=["2026-06", action]), {"why": "x"})
        assert answer.status_code == 403
    found = get_edition("2026-06")
    assert found is not None
    assert found.state is EditionState.DRAFT
