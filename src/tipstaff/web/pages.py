"""Turns a template into a page, with what every page needs beside it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from tipstaff import wiring


def show_page(request: HttpRequest, template: str, *, status: int = 200, **context: object) -> HttpResponse:
    """A public page, or a fragment of any page."""
    context.setdefault("at", wiring.now())
    return render(request, template, {"operator": settings.TIPSTAFF.operator, **context}, status=status)
