"""Filters and tags of the web room's templates."""

import hashlib
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from django import template
from django.contrib.staticfiles import finders
from django.template import Context
from django.templatetags.static import static
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from tipstaff.notices import place_shown
from tipstaff.notices.letters import phrases
from tipstaff.words import LIFTED_WHEN, Case

from .. import said, shown
from ..roles import Ability, may

register = template.Library()
register.filter("label", shown.label)
register.filter("tone", shown.tone)
register.filter("type_label", shown.type_label)
register.filter("type_tone", shown.type_tone)
register.filter("initials", shown.initials)
register.filter("who", shown.who)
register.filter("size", shown.size_words)
register.filter("stamp", shown.stamp)
register.filter("length_words", shown.length_words)
register.filter("ground", shown.ground_words)


register.filter("place", lambda this: place_shown(str(this)))
"""Of a resource or a selector on a page that its holder sees."""


@register.filter
def thousands(number: int) -> str:
    """`3214` as "3 214", with a space that does not break."""
    return f"{number:,}".replace(",", "\u202f")


@register.filter
def counted(number: int) -> str:
    """As `thousands`; with a plus where nobody counted on."""
    return thousands(number) + ("+" if number >= shown.COUNTED_MAX else "")


@register.filter
def chip(word: object) -> SafeString:
    """A word in its colour."""
    return format_html('<span class="chip tone-{}">{}</span>', shown.tone(word), shown.label(word))


@register.filter
def state(word: object) -> SafeString:
    """A state with its dot."""
    return format_html('<span class="state tone-{}">{}</span>', shown.tone(word), shown.label(word))


@register.filter
def kind(xarf_type: str) -> SafeString:
    """A type of complaint in its colour."""
    return format_html('<span class="chip tone-{}">{}</span>', shown.type_tone(xarf_type), shown.type_label(xarf_type))


@register.simple_tag(takes_context=True)
def ago(context: Context, then: datetime | None) -> SafeString | str:
    """How long ago, with the exact time beside it for who points at it."""
    if then is None:
        return "—"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        then.isoformat(),
        shown.stamp(then),
        shown.ago(then, at=context["at"]),
    )


@register.simple_tag(takes_context=True)
def clock(context: Context, then: datetime | None, zone: ZoneInfo | None = None) -> SafeString | str:
    """The exact time: as readers of the page's language write it, in the console as `2026-11-23 05:48 UTC`."""
    if then is None:
        return "—"
    language = context.get("page_language")
    zone = zone or getattr(context.get("operator"), "zone", None)
    words = said.moment(language, then, zone=zone) if language else shown.stamp(then, zone=zone)
    return format_html('<time datetime="{}">{}</time>', then.isoformat(), words)


@register.simple_tag(takes_context=True)
def say(context: Context, text: str, **values: object) -> SafeString:
    """The sentence in the page's language; whatever is put into it is escaped, unless it is HTML of ours already."""
    return format_html(said.pattern(_language(context), text), **values) if values else _plain(context, text)


def _plain(context: Context, text: str) -> SafeString:
    return SafeString(said.pattern(_language(context), text))


@register.simple_tag(takes_context=True)
def word(context: Context, meant: object) -> str:
    """A word of ours, such as a state or a degree, in the page's language."""
    return conditional_escape(said.say(_language(context), shown.label(meant)))


@register.simple_tag(takes_context=True)
def word_in_text(context: Context, meant: object) -> str:
    """The same within a sentence: small where the language writes it so."""
    language = _language(context)
    found = said.say(language, shown.label(meant))
    return conditional_escape(found if language in ("de", "ja") else found[:1].lower() + found[1:])


@register.simple_tag(takes_context=True)
def of_type(context: Context, xarf_type: str) -> str:
    """What kind of complaint it is, in the page's language."""
    return conditional_escape(said.type_said(_language(context), xarf_type))


@register.simple_tag(takes_context=True)
def lifted_when(context: Context, text: str) -> str:
    """When a measure ends, as it was kept with it: the usual sentence in the page's language."""
    language = _language(context)
    usual = language != said.FALLBACK and text == LIFTED_WHEN
    return conditional_escape(phrases(language)["lifted_when"] if usual else text)


def _language(context: Context) -> str:
    return str(context.get("page_language") or said.FALLBACK)


@register.simple_tag(takes_context=True)
def due(context: Context, case: Case) -> SafeString:
    """When the customer's time ends."""
    words, tone = shown.due_words(case, at=context["at"])
    return format_html(
        '<span class="{}" title="{}">{}</span>',
        f"tone-{tone} tone-text font-semibold" if tone == "red" else f"tone-{tone} tone-text",
        shown.stamp(case.due_at),
        words,
    )


@register.filter
def may_do(user: object, ability: str) -> bool:
    """True when the user has the ability named, e.g. `user|may_do:"LIFT"`."""
    return may(user, Ability[ability])  # type: ignore[arg-type]  # templates pass request.user


@register.simple_tag
def asset(path: str) -> str:
    """A static file's address with its content in it, so that a new release is never read from an old cache."""
    return f"{static(path)}?v={_digest(path)}"


@register.simple_tag
def asset_plain(path: str) -> str:
    """A file that the style sheet names too: the address must be the very same for a preload to count."""
    return static(path)


@cache
def _digest(path: str) -> str:
    found = finders.find(path)
    assert isinstance(found, str), f"{path} is not among the static files"
    with open(found, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:10]
