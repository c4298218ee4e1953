"""Turns a template into a page, with what every page needs beside it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from tipstaff import wiring

from .brands import shown_for
from .said import COOKIE, LANGUAGES, language_of

_CHOICE_KEPT_SECONDS = 366 * 86400


def show_page(request: HttpRequest, template: str, *, status: int = 200, **context: object) -> HttpResponse:
    """A page of the desk's, in English, or a fragment of any page."""
    context.setdefault("at", wiring.now())
    return render(request, template, {"operator": settings.TIPSTAFF.operator, **context}, status=status)


def show_public(
    request: HttpRequest,
    template: str,
    *,
    status: int = 200,
    on_record: object = "",
    about: str = "",
    **context: object,
) -> HttpResponse:
    """A page for customers or for everybody, in the reader's language; `on_record` is the one that we have for them.
    It is under the brand of the customer whom it is `about`, else of the host.

    A view whose words are in a language already says which in `page_language`.
    """
    operator = shown_for(request, customer=about)
    otherwise = str(on_record) or operator.language
    language = str(context.setdefault("page_language", language_of(request, otherwise=otherwise)))
    context.setdefault("operator", operator)
    response = show_page(request, template, status=status, tongues=LANGUAGES, **context)
    response["Content-Language"] = language
    patch_vary_headers(response, ["Accept-Language"])
    if request.GET.get("in") in LANGUAGES:
        response.set_cookie(
            COOKIE, request.GET["in"], max_age=_CHOICE_KEPT_SECONDS, httponly=True, samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )  # fmt: skip
    return response
