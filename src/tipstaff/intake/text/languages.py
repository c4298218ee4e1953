"""In which language somebody wrote to us: by the small words that no text goes without, and by its script. Pure."""

import re

from ..mail import Mail, Part
from .cues import is_log

LOOKED_AT_OCTETS = 6000
"""So much of a letter's beginning is looked at: below it stand logs, and what others wrote."""

_WORDS = {
    "en": "the and of to is from this that your you have has been was are please with for we our by which any not it "
    "or be an as at on if these following there will",
    "de": "der die das und ist nicht wir sie von mit für auf dem den ein eine einer wurde werden bitte sich auch bei "
    "ihre ihrer ihrem ihren zur zum aus haben diese dieser oder nach im ihr uns es wird sind hat",
    "es": "el la los las de del que en un una por con para su sus se es este esta hemos ha nuestro nuestra desde usted "
    "como al lo son está están sido hay no le y si",
    "fr": "le la les des du de et est une un vous nous que pour dans sur avec par votre notre ce cette qui pas au aux "
    "depuis été vos nos il en sont ont plus merci",
    "pt": "os as de do da dos das que em um uma por com para se seu sua não foi este esta nosso nossa ao pelo pela "
    "você desde na no nas nos são está mais à ou",
    "it": "il la le di che è un una per con del della dei non sono da questo questa vostro nostro gli nel alla si al "
    "dal stato lo ci vi ed",
    "nl": "de het een en van is dat niet met voor op zijn wij uw aan door deze dit naar ook wordt worden heeft om te "
    "bij uit wordt ons er als",
}
"""Small words of the languages that letters are written in, and of two that are easily taken for them."""
_SMALL = {language: frozenset(words.split()) for language, words in _WORDS.items()}
_WORD = re.compile(r"(?<![\w./@:=-])[^\W\d_]{1,24}(?![\w/@:=-]|\.\w)")
"""A word of a sentence: no part of an address, a path, a header or a log's pairs."""
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
_LETTER = re.compile(r"[^\W\d_]")
_FOREIGN = re.compile("[\u0370-\u1cff\u2e80-\ud7a3]")
"""Letters of scripts in which none of our languages but Japanese is written."""
_QUOTED = re.compile(
    r"^[ \t]{0,4}(?:[>|]|-{2,}[ \w]{0,40}(?:original|ursprüng|forward|weitergeleit|transf|reenvi|inoltr|encaminh)|"
    r"_{10,}|(?:received|return-path|dkim-signature):)",
    re.IGNORECASE | re.MULTILINE,
)

_DIFFERENT_MIN, _SHARE_MIN, _AHEAD_MIN = 4, 0.1, 1.5
"""So many different small words, as this share of all different words, and so far ahead of every other language."""
_ENGLISH_TOO = 10
"""So many different small words of English make it one of two languages."""


def language_of(mail: Mail) -> str:
    """The language in which the mail's own words are written, `de`; `und` for a script that none of ours is written in;
    what its header says (Content-Language, RFC 3282) where the words do not tell; else empty."""
    return language_of_text(_opening(mail)) or _stated(mail)


def language_of_text(text: str) -> str:
    """The language of a text's beginning, above whatever it quotes; empty where it is not clear."""
    text = text.strip()
    quoted = _QUOTED.search(text)
    text = "\n".join(line for line in text[: quoted.start() if quoted else None].splitlines() if not is_log(line))
    words = {word.lower() for word in _WORD.findall(text)}
    found = {language: len(words & small) for language, small in _SMALL.items()}
    foreign = 0 if text.isascii() else len(_FOREIGN.findall(text))
    if foreign and foreign * 2 > len(_LETTER.findall(text)):
        return "ja" if len(_KANA.findall(text)) * 10 > foreign else "und"
    (language, best), (_, second), *_ = sorted(found.items(), key=lambda each: -each[1])
    if best >= _DIFFERENT_MIN and best >= _SHARE_MIN * len(words) and best >= _AHEAD_MIN * second:
        return language
    # Who writes in two languages, one of them English, is answered in English.
    return "en" if found["en"] >= _ENGLISH_TOO else ""


def _stated(mail: Mail) -> str:
    tag = re.match(r"([A-Za-z]{2})(?:-[A-Za-z0-9-]{1,20})?\s*\Z", mail.header("content-language"))
    return tag[1].lower() if tag else ""


def _opening(mail: Mail) -> str:
    """The beginning of the mail's own first text, plain where there is one. Nothing else is unfolded for it."""
    own = _own_texts(mail.root)
    for wanted in ("text/plain", "text/html"):
        part = next((part for part in own if part.content_type == wanted and part.content.strip()), None)
        if part is not None:
            begin = Part(
                content_type=part.content_type, charset=part.charset, filename="", disposition="", headers={},
                content=part.content[:LOOKED_AT_OCTETS], children=(), is_message=False,
            )  # fmt: skip
            return begin.text if wanted == "text/plain" else re.sub(r"<[^>]{0,2000}>", " ", begin.text)
    return ""


def _own_texts(part: Part) -> list[Part]:
    """Texts of the mail itself, not of mails inside it nor of files beside it."""
    if part.is_message:
        return []
    if part.children:
        return [text for child in part.children for text in _own_texts(child)]
    beside = part.disposition == "attachment" or part.filename
    return [part] if part.content_type in ("text/plain", "text/html") and not beside else []
