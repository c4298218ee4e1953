"""The same letter as text, as HTML and for machines, signed for its domain."""

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import dkim
import pytest
import xarf
from hypothesis import given
from hypothesis import strategies as st

from tests.rooms.notices.test_outbound import AT, LETTER, LINK, send, server_of
from tipstaff.notices import dkim_signing
from tipstaff.notices.compose import LetterFacts, compose
from tipstaff.notices.dkim_signing import CannotSign
from tipstaff.notices.letters import languages
from tipstaff.notices.outbound import RefusedForNow, as_mail
from tipstaff.notices.prose import WIDTH, render, width_of
from tipstaff.testing.mailbox import Mailbox
from tipstaff.words import Attachment, LetterKind


class Seen(HTMLParser):
    """What a mail program would make of it: elements, addresses that it leads to, and words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.words += " "
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "background", "action")]
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("kind", list(LetterKind), ids=lambda kind: kind.value)
@pytest.mark.parametrize("language", sorted(languages()))
def test_html_says_the_same_words_and_loads_nothing(kind: LetterKind, language: str, facts: LetterFacts) -> None:
    draft = compose(kind, facts=replace(facts, language=language, note="It stands."))
    seen = Seen(draft.html)
    if language == "ja":  # Written without spaces: lines end within words.
        plain = re.sub(r"(?m)^(-+|\d+\.)( |$)|\s", "", draft.body)
        assert plain == re.sub(r"\s", "", seen.words)
        return
    marks = [w for w in draft.body.split() if set(w) == {"-"} or w.rstrip(".").isdigit()]
    assert set(draft.body.split()) - set(marks) <= set(seen.words.split())
    assert set(seen.links) <= {"{{portal_link}}"}
    assert set(seen.tags) <= {"p", "h2", "table", "tr", "th", "td", "ol", "ul", "li", "blockquote", "br", "pre", "a"}


@given(st.text(max_size=80))
def test_no_fact_becomes_an_element(words: str) -> None:
    template = "Subject: x\n\n# {fact}\n\n{fact}\n\nLabel :: {fact}\n\n- {fact}\n\n> {fact}\n\n| {fact}\n\n= {fact}"
    fact = f"<script>{words}</script>\"'<img src=x onerror=y>&"
    seen = Seen(render(template, {"fact": " ".join(fact.split()) or "x"}).html)
    assert {"script", "img"} & set(seen.tags) == set()


@given(st.text(alphabet="あ漢、。「」abc 12.", max_size=200))
def test_wide_scripts_wrap_at_the_same_column_and_lose_no_character(words: str) -> None:
    body = render("Subject: x\n\n{fact}", {"fact": words.strip() or "x"}).body
    assert "".join(body.split()) == "".join((words.strip() or "x").split())
    lines = body.splitlines()
    assert all(width_of(line) <= WIDTH for line in lines if re.fullmatch("[あ漢 ]+", line))
    assert not any(line[:1] in ("、", "。", "」") for line in lines[1:])
    assert not any(line[-1:] == "「" for line in lines[:-1])


def test_a_mail_carries_text_first_then_html_then_the_files() -> None:
    letter = replace(
        LETTER, html="<p>Grüße {{portal_link}}</p>", attachments=(Attachment(name="C-1-1.xarf.json", text='{"a": 1}'),)
    )
    with Mailbox() as box:
        send(box, letter)
        (mail,) = box.mails
    message = mail.message
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/json",
    ]  # fmt: skip
    html = message.get_body(("html",))
    assert html is not None
    assert f"<p>Grüße {LINK}</p>" in html.get_content()
    assert LINK in mail.text
    (file,) = message.iter_attachments()
    assert (file.get_filename(), json.loads(file.get_content())) == ("C-1-1.xarf.json", {"a": 1})


def test_a_notice_has_a_report_for_machines_that_names_nobody_who_complained(facts: LetterFacts) -> None:
    draft = compose(LetterKind.NOTICE, facts=replace(facts, further=("https://shop.example.net/x", "192.0.2.8")))
    reports = [json.loads(each.text) for each in draft.attachments]
    assert [r["source_identifier"] for r in reports] == [facts.resource, "https://shop.example.net/x", "192.0.2.8"]
    assert len({r["report_id"] for r in reports}) == 3
    for each in draft.attachments:
        read = xarf.parse(each.text)
        lacking = {e.message.split("'")[1] for e in read.errors if "required property" in e.message}
        assert len(lacking) == len(read.errors), read.errors
        assert lacking <= {"protocol", "smtp_from", "source_port"}, "what only this type asks for besides"
        assert facts.reporter_reference not in each.text
    assert reports[0]["reporter"]["contact"] == facts.abuse_contact
    kept = base64.b64decode(reports[0]["evidence"][0]["payload"]).decode()
    assert kept == facts.evidence


def test_without_a_time_there_is_no_report_for_machines(facts: LetterFacts) -> None:
    bare = replace(facts, first_seen=None, last_seen=None, moment=None)
    assert compose(LetterKind.NOTICE, facts=bare).attachments == ()


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("dkim") / "key.pem"
    dkim_signing.make_key(file)
    return file


def verified(mail: bytes, key: Path) -> bool:
    """As a receiver would, with the published record."""
    record = dkim_signing.record_of(key).encode()
    names: list[bytes] = []

    def answer(name: bytes, timeout: float = 5) -> bytes:
        names.append(name)
        return record

    valid = bool(dkim.verify(mail, dnsfunc=answer))
    assert names == [b"tipstaff._domainkey.operator.example.net."]
    return valid


def test_a_signed_letter_is_verified_by_its_published_key_and_a_changed_one_is_not(key: Path) -> None:
    with Mailbox() as box:
        server = replace(server_of(box), dkim_selector="tipstaff", dkim_key_file=key)
        send(box, replace(LETTER, html="<p>Hello</p>"), server=server)
        (mail,) = box.mails
    raw = mail.raw if mail.raw.endswith(b"\r\n") else mail.raw + b"\r\n"
    assert verified(raw, key)
    assert not verified(raw.replace(b"Hello", b"Howdy"), key)
    assert not verified(raw.replace(b"From: ", b"From: Eve <eve@else.example>\r\nFrom: ", 1), key)
    assert not verified(raw.replace(b"Subject: [C-000123]", b"Subject: [C-000124]"), key)


def test_a_letter_that_cannot_be_signed_is_not_sent_unsigned(tmp_path: Path) -> None:
    with Mailbox() as box:
        server = replace(server_of(box), dkim_selector="tipstaff", dkim_key_file=tmp_path / "none.pem")
        with pytest.raises(RefusedForNow, match=r"none\.pem"):
            send(box, server=server)
        assert not box.mails
        with pytest.raises(CannotSign):
            as_mail(LETTER, server=server, at=AT, portal_link=LINK)


def test_a_key_is_private_and_is_not_overwritten(key: Path) -> None:
    assert key.stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        dkim_signing.make_key(key)
