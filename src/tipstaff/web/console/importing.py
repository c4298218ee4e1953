"""A file into the registry by way of the console: first what it would change, then, if a person says so, the change."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from tipstaff import wiring
from tipstaff.procedures.admission import import_registry
from tipstaff.words import ImportPreview

from ..asked import asked_text
from ..roles import Ability, StaffRequest, needs
from .page import show_console

OCTETS_MAX = 1_000_000
"""Larger files come by the command line or the API."""


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Ability.KEEP_REGISTRY)
def import_file(request: StaffRequest) -> HttpResponse:
    """Choose a file, see what it would change, take it in."""
    if request.method != "POST":
        return _page(request)
    text, name, why = _content(request)
    if why:
        messages.error(request, why)
        return _page(request)
    rest, sure = "rest" in request.POST, request.POST.get("do") == "take"
    preview = import_registry(
        text.splitlines(keepends=True), source_name=name, at=wiring.now(), actor=request.user.get_username(),
        dry_run=not sure, rest=rest, editions=wiring.editions(),
    )  # fmt: skip
    if sure and preview.applied:
        messages.success(
            request,
            f"{name}: {preview.added} new, {preview.changed} changed, {preview.unchanged} unchanged, "
            f"{len(preview.refused)} refused, {len(preview.kept)} kept."
            + (f" It is {preview.change}, and can be undone." if preview.change else ""),
        )
        if preview.outside:
            messages.warning(request, f"Now {preview.outside}")
        return redirect("console:changes")
    return _page(request, preview=preview, text=text, rest=rest)


def _content(request: HttpRequest) -> tuple[str, str, str]:
    """The file's text and name; or why it can't be taken."""
    name = asked_text(request.POST, "name", characters_max=100) or "upload.csv"
    if "text" in request.POST:
        return request.POST["text"].replace("\x00", ""), name, ""
    upload = request.FILES.get("file")
    if upload is None:
        return "", name, "Choose a file first."
    if upload.size is None or upload.size > OCTETS_MAX:
        return "", name, "By this page a file is at most 1 MB; use tipstaff registry import for larger ones."
    try:
        return upload.read().decode("utf-8-sig").replace("\x00", ""), (upload.name or name)[:100], ""
    except UnicodeDecodeError:
        return "", name, "The file is not UTF-8 text."


def _page(
    request: StaffRequest, *, preview: ImportPreview | None = None, text: str = "", rest: bool = False
) -> HttpResponse:
    return show_console(
        request, "tipstaff/console/import.html", here="console:customers", preview=preview,
        text=text, rest=rest,
    )  # fmt: skip
