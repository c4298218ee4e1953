"""What customers' and public pages say: every sentence in every language, and nothing said past the files."""

import ast
import re
import string
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.test import Client, RequestFactory

from tipstaff.policy.editions import shipped_editions
from tipstaff.web import said
from tipstaff.web.me.views import ADDED
from tipstaff.web.portal.checks import checks_of, lists_of_checks
from tipstaff.web.portal.forwards import COLOURS
from tipstaff.web.portal.standing import POINTS
from tipstaff.web.portal.views import NEEDED, STATE_WORDS
from tipstaff.web.portal.webhooks import DONE
from tipstaff.web.public.policy import LABELS
from tipstaff.web.public.report_form import KINDS
from tipstaff.web.public.views import OUTCOMES
from tipstaff.web.shown import label
from tipstaff.words import XARF_TYPES, Answer, AuditFound, CaseOutcome, Degree, MeasureState, Standing

WEB = Path(said.__file__).parents[1]
OTHERS = [language for language in said.LANGUAGES if language != said.FALLBACK]
PAGES = sorted(
    page
    for folder in ("portal", "public", "me", "")
    for page in (WEB / "templates" / "tipstaff" / folder).glob("*.html")
    if page.name != "mark.html"
)
MODULES = [
    *sorted([*WEB.glob("portal/*.py"), *WEB.glob("public/*.py"), WEB / "me" / "views.py", WEB / "factors.py"]),
    WEB.parent / "procedures" / "portal.py",
]
SAYS = {"say": 1, "_say": 1, "Sentence": 0, "NotSet": 0, "NotInvited": 0, "NotPassedOn": 0, "ContactsKept": 0,
        "NotMade": 0, "KeptFactor": 0, "NotLetIn": 0, "NoCode": 0}  # fmt: skip
"""Calls that say a sentence, and which of their arguments it is."""
NAMES = {"Tipstaff", "UTC", "SHA-256"}
"""What is called so in every language."""
_SAY = re.compile(r'{%\s*say\s+"([^"]*)"')


def sentences() -> list[str]:
    """Every English sentence that a page for customers or for everybody can say, once."""
    found = [sentence for page in PAGES for sentence in _SAY.findall(page.read_text())]
    found += [sentence for module in MODULES for sentence in _said_in(module)]
    found += [
        *ADDED.values(),
        *DONE.values(),
        *NEEDED.values(),
        *LABELS.values(),
        *(words for _, words in KINDS),
        *POINTS.values(),
    ]
    found += [words for pair in (*STATE_WORDS.values(), *OUTCOMES.values()) for words in pair]
    meant = [*Degree, *MeasureState, *CaseOutcome, *Standing, *Answer, *COLOURS, *AuditFound]
    found += [label(word) for word in meant]
    found += [check for checks in lists_of_checks().values() for check in checks]
    return list(dict.fromkeys(found))


def _said_in(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            wanted = node.args[2:4] if name == "_trouble" else node.args[SAYS[name] :][:1] if name in SAYS else []
            yield from (a.value for a in wanted if isinstance(a, ast.Constant) and isinstance(a.value, str))
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("trouble", "said"):
            yield from _constants(node.value)
        elif module.name == "report_form.py" and isinstance(node, ast.Tuple) and len(node.elts) == 2:
            last = node.elts[1]
            if isinstance(last, ast.Constant) and isinstance(last.value, str) and last.value.endswith("."):
                yield last.value


def _constants(node: ast.expr) -> Iterator[str]:
    nodes = node.values if isinstance(node, ast.BoolOp) else [node]
    yield from (n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value)


def _names(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_said_in_every_language_with_the_same_names_and_tags(language: str) -> None:
    kept = said._said(language)
    assert list(kept) == sentences(), "one line for each sentence, in the order of the pages"
    for english, other in kept.items():
        assert other.strip(), english
        assert _names(other) == _names(english), english
        assert sorted(re.findall(r"<[^>]+>", other)) == sorted(re.findall(r"<[^>]+>", english)), english


def test_no_page_for_customers_or_for_everybody_says_anything_past_the_files() -> None:
    assert len(PAGES) > 15
    for page in PAGES:
        text = re.sub(r"{#.*?#}|{%\s*comment.*?endcomment\s*%}", "", page.read_text(), flags=re.DOTALL)
        text = re.sub(r"{%.*?%}|{{.*?}}", "\0", text, flags=re.DOTALL)
        shown = re.findall(r'(?:aria-label|title|alt|placeholder|data-none)="([^"]*)"', text)
        bare = re.sub(r"<script.*?</script>|<[^>]*>", "\0", text, flags=re.DOTALL)
        for words in (*shown, *bare.split("\0")):
            left = re.sub(r"&\w+;", "", words).strip()
            assert not re.search(r"[^\W\d_]{2}", left) or left in NAMES, f"{page.name}: {left}"


def test_the_reader_chooses_then_their_browser_then_what_is_on_record() -> None:
    def asked(address: str = "/", wishes: str = "", cookie: str = "", on_record: str = "") -> str:
        request = RequestFactory().get(address, headers={"Accept-Language": wishes} if wishes else {})
        if cookie:
            request.COOKIES[said.COOKIE] = cookie
        return said.language_of(request, otherwise=on_record)

    assert asked() == "en"
    assert asked(on_record="pt-BR") == "pt"
    assert asked(wishes="nl, fr-CH;q=0.9, en;q=0.8", on_record="pt") == "fr"
    assert asked(cookie="ja", wishes="fr", on_record="pt") == "ja"
    assert asked("/?in=de", cookie="ja", wishes="fr", on_record="pt") == "de"
    assert asked("/?in=../../x", cookie="<b>", wishes="*;q=0.1", on_record="xx") == "en"
    assert asked(wishes=",".join(["xx"] * 10_000) + ",de") == "en", "a browser's wishes are read so far and no further"


def test_an_instant_is_written_as_in_the_readers_language() -> None:
    then = datetime(2026, 5, 4, 22, 30, tzinfo=UTC)
    assert [said.moment(language, then) for language in ("en", "de", "es", "fr", "pt", "ja", "xx")] == [
        "4 May 2026, 22:30 UTC", "4. Mai 2026, 22:30 UTC", "4 de mayo de 2026, 22:30 UTC", "4 mai 2026, 22:30 UTC",
        "4 de maio de 2026, 22:30 UTC", "2026年5月4日 22:30 UTC", "4 May 2026, 22:30 UTC",
    ]  # fmt: skip
    assert said.moment("de", then, zone=ZoneInfo("Asia/Tokyo")) == "5. Mai 2026, 07:30 JST"


@pytest.mark.parametrize("language", said.LANGUAGES)
def test_public_pages_are_in_the_language_that_is_asked_for(language: str, at: datetime, client: Client) -> None:
    for address in ("/", "/report", "/account/log-in"):
        page = client.get(address, headers={"Accept-Language": language})
        assert (page.status_code, page["Content-Language"]) == (200, language), address
        assert "Accept-Language" in page["Vary"]
        body = page.content.decode()
        assert f'<html lang="{language}">' in body
        for english in ("Light or dark", "Skip to the content"):
            assert said.say(language, english) in body
            assert (english in body) == (language == "en"), address
    chosen = Client()
    assert chosen.get("/?in=ja").cookies[said.COOKIE].value == "ja"
    assert chosen.get("/report")["Content-Language"] == "ja"


def test_what_is_put_into_a_sentence_is_escaped(at: datetime, client: Client) -> None:
    from django.template import Context, Template

    page = Template('{% load tipstaff_web %}{% say "<b>Thank you.</b> Your answer is with {brand}." brand=brand %}')
    for language in said.LANGUAGES:
        shown = page.render(Context({"brand": "<script>{x}</script>", "page_language": language}))
        assert "<script>" not in shown
        assert "&lt;script&gt;{x}" in shown
        assert "<b>" in shown


def test_every_kind_of_problem_has_its_checklist() -> None:
    for xarf_type in XARF_TYPES:
        assert checks_of(clause="", xarf_type=xarf_type)
    lists = lists_of_checks()
    assert checks_of(clause="mail.unsolicited", xarf_type="messaging/spam") == lists["mail"]
    assert checks_of(clause="content.phishing", xarf_type="content/phishing") == lists["website"]
    assert checks_of(clause="network.denial_of_service", xarf_type="connection/ddos") == lists["traffic"]
    assert checks_of(clause="nothing.known", xarf_type="nothing/known") == lists["any"]
    for edition in shipped_editions():
        for clause in edition.clauses:
            if clause.judged:
                assert checks_of(clause=clause.id, xarf_type="") != lists["any"], clause.id
