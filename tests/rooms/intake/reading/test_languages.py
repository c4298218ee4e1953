"""In which language somebody wrote: known only where it is clear, and never from what they quote."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.intake.protocol import load_parsers
from tipstaff.intake.reading import read
from tipstaff.intake.text.languages import language_of_text

from .mails import letter, with_files

WRITTEN = {
    "en": "Dear colleagues, this is a report about an attack on our mail server. The address below is one of yours; "
    "please find out who was using it at that time and let us know what you have done.",
    "de": "Guten Tag, von der unten genannten Adresse wurde unser Mailserver angegriffen. Bitte stellen Sie fest, wer "
    "die Adresse zu dieser Zeit benutzt hat, und sagen Sie uns, was Sie unternommen haben.",
    "es": "Buenos días: desde la dirección que figura abajo se ha atacado nuestro servidor de correo. Le pedimos que "
    "averigüe quién la usaba a esa hora y que nos diga qué ha hecho para que no se repita.",
    "fr": "Bonjour, depuis l'adresse ci-dessous, notre serveur de courrier a été attaqué. Nous vous prions de chercher "
    "qui l'utilisait à cette heure et de nous dire ce que vous avez fait pour que cela cesse.",
    "pt": "Bom dia, a partir do endereço abaixo foi atacado o nosso servidor de correio. Pedimos que apurem quem o "
    "usava a essa hora e que nos digam o que fizeram para que isso não se repita.",
    "ja": "お世話になっております。下記のアドレスから当社のメールサーバーへの攻撃がありました。対処をお願いします。",
}
LOG = "\n\nMar 10 10:00:00 mx sshd[811]: Failed password for root from 192.0.2.7 port 51234 ssh2\n" * 4


def language(raw: bytes) -> str:
    return read(raw, parsers=load_parsers()).reporter.language


@pytest.mark.parametrize(("tag", "text"), WRITTEN.items())
def test_a_letter_is_known_by_its_own_words(tag: str, text: str) -> None:
    assert language(letter(text + LOG)) == tag
    assert language(stating("it", f"{text}{LOG}")) == tag, "a mail program's setting is no proof"


@pytest.mark.parametrize(("tag", "text"), WRITTEN.items())
def test_what_is_quoted_or_enclosed_is_somebody_elses_language(tag: str, text: str) -> None:
    quoted = "\n".join(f"> {line}" for line in (text * 3).split(". "))
    assert language(letter(f"Port scan, 192.0.2.7\n\n{quoted}")) == ""
    assert language(letter(f"Port scan, 192.0.2.7\n\n---------- Forwarded message ----------\n{text * 3}")) == ""
    spam = letter(text * 3)
    assert language(with_files("Spam, 192.0.2.7", ("text/plain", "spam.txt", text.encode()))) == ""
    assert language(with_files("Spam, 192.0.2.7", ("application/octet-stream", "spam.eml", spam))) == ""


def test_a_log_a_form_or_a_line_tells_no_language() -> None:
    for text in (LOG, "Abuse from 192.0.2.7, please stop it.", "192.0.2.7", ""):
        assert language(letter(text)) == ""


def stating(tag: str, text: str) -> bytes:
    """A letter whose header names a language."""
    return f"Content-Language: {tag}\n".encode() + letter(text)


def test_where_the_words_do_not_tell_the_header_does() -> None:
    assert language(stating("de-AT", LOG)) == "de"
    for several in ("en, de", "klingon", "x" * 200, "ゑ"):
        assert language(stating(several, LOG)) == ""


def test_who_writes_in_two_languages_is_answered_in_english() -> None:
    for other in ("de", "es", "fr", "pt"):
        assert language_of_text(f"{WRITTEN[other]}\n\n{WRITTEN['en']}") == "en"
    assert language_of_text(f"{WRITTEN['de']}\n\n{WRITTEN['fr']}") == ""


def test_a_language_that_no_letter_is_written_in_is_not_taken_for_one_that_is() -> None:
    italian = (
        "Buongiorno, dal vostro indirizzo è stato attaccato il nostro server di posta. Vi preghiamo di verificare "
    )
    italian += "chi lo usava a quell'ora e di dirci che cosa avete fatto per la soluzione del problema."
    dutch = (
        "Goedendag, vanaf het adres hieronder is onze mailserver aangevallen. Wij vragen u om uit te zoeken wie het "
    )
    dutch += "op dat moment gebruikte en ons te laten weten wat er met de melding wordt gedaan."
    assert (language_of_text(italian), language_of_text(dutch)) == ("it", "nl")
    assert language_of_text("Здравствуйте, с вашего адреса атакован наш почтовый сервер, просим принять меры.") == "und"
    assert language_of_text("您好，我们的邮件服务器受到贵方地址的攻击，请处理。") == "und"


def test_a_page_is_read_without_its_marks() -> None:
    page = f"<html lang='fr'><body><p style='the and of to is from this'>{WRITTEN['de']}</p></body></html>"
    raw = b"From: reporter@example.org\nSubject: x\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n"
    raw += b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(page.encode())
    assert language(raw) == "de"


@given(st.text(max_size=300) | st.lists(st.sampled_from([*" ".join(WRITTEN.values()).split(), ">"])).map(" ".join))
def test_whatever_is_written_there_is_an_answer(text: str) -> None:
    assert language_of_text(text) in {"", "und", "it", "nl", *WRITTEN}
