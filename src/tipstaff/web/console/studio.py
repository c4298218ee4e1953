"""The parser studio: one report's mail with the values marked that were read, and a profile proposed from it."""

import re

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from tipstaff import wiring
from tipstaff.intake import queries as intake
from tipstaff.intake.profiles.proposing import Proposal
from tipstaff.procedures import studio as procedure
from tipstaff.words import Report, ReportOutcome

from ..roles import Ability, StaffRequest, needs
from .page import show_console

_SHOWN_LINES = 400
LONGEST = 200_000


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Ability.DECIDE)
def studio(request: StaffRequest, key: str) -> HttpResponse:
    """Propose a profile, test what the person made of it, and put it into use when they confirm it."""
    report = intake.get_report(key)
    if report is None or report.outcome is ReportOutcome.SEALED:
        raise Http404(key)
    folder = wiring.settings().server.profiles_folder
    toml, proposal = proposed_toml(report)
    toml = request.POST.get("toml", "")[:LONGEST] or toml
    faults: list[str] = []
    tested = request.method == "POST"
    if tested and folder is None:
        faults = ["No folder for profiles is set: set [server] profiles_folder, then start again."]
    elif tested and folder is not None:
        _profile, faults = procedure.check(toml, report=report, folder=folder)
        if not faults and request.POST.get("do") == "confirm":
            procedure.confirm(toml, report=report, folder=folder, at=wiring.now(), actor=request.user.get_username())
            return redirect(reverse("console:studio", args=[key]) + "?used")
    return show_console(
        request, "tipstaff/console/studio.html", here="console:reports", report=report, toml=toml, faults=faults,
        tested=tested, used="used" in request.GET, lines=_marked(proposal), ready=folder is not None,
        status=422 if faults else 200,
    )  # fmt: skip


def proposed_toml(report: Report) -> tuple[str, Proposal | None]:
    """The profile to begin with: as it is proposed, else an empty one for this report's reporter."""
    name = _name(report)
    proposal = procedure.propose_for(report, name=name, desk=wiring.desk())
    return (proposal.toml if proposal else _empty(report, name)), proposal


def _marked(proposal: Proposal | None) -> list[list[tuple[str, str]]]:
    """Each line as (text, field) pieces; the field is empty where nothing was marked."""
    if proposal is None:
        return []
    shown: list[list[tuple[str, str]]] = []
    for n, line in enumerate(proposal.lines[:_SHOWN_LINES]):
        pieces: list[tuple[str, str]] = []
        at = 0
        for span in sorted((x for x in proposal.spans if x.line == n), key=lambda x: x.start):
            if span.start < at or line[span.start : span.end] != span.value:
                continue
            pieces += [(line[at : span.start], ""), (line[span.start : span.end], span.field)]
            at = span.end
        shown.append([*pieces, (line[at:], "")])
    return shown


def _name(report: Report) -> str:
    sender = (report.reading.reporter.address if report.reading else "") or report.sender
    words = re.sub(r"[^a-z0-9]+", "-", sender.rpartition("@")[2].lower()).strip("-")
    return (words or report.key.lower())[:40]


def _empty(report: Report, name: str) -> str:
    sender = (report.reading.reporter.address if report.reading else "") or report.sender
    known = re.sub(r"[^A-Za-z0-9@._+-]", "", sender)
    return _EMPTY.format(name=name, sender=known)


_EMPTY = """name = "{name}"
about = ""
type = ""
form = "text"

[match]
from = ["{sender}"]

[text]
once = []
each = ["{{time}} {{source}}"]

[[samples]]
file = "{name}.eml"

[[samples.expect]]
source = ""
"""
