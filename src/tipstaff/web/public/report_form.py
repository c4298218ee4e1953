"""The public form: what happened, where, when, what shows it. No script is needed, no other site is asked."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from tipstaff import wiring
from tipstaff.intake.shaping import port_in
from tipstaff.procedures.handing_in import LARGEST_OCTETS, QueueIsFull, hand_in_form, hand_in_mail, refuse_full

from ..brands import brand_asked
from ..pages import show_public
from ..said import language_of, say

KINDS = (
    ("messaging/spam", "Spam or unwanted mail"),
    ("content/phishing", "Phishing page"),
    ("content/malware", "Malware offered for download"),
    ("connection/login_attack", "Attempts to log in"),
    ("connection/port_scan", "Scanning of ports"),
    ("connection/ddos", "Denial of service"),
    ("infrastructure/compromised_server", "A server that was broken into"),
    ("infrastructure/botnet", "A botnet's host"),
    ("content/fraud", "Fraud"),
    ("vulnerability/open_service", "A service that is open to misuse"),
)
_UNEVEN = "-09:30 -03:30 -02:30 +03:30 +04:30 +05:30 +05:45 +06:30 +08:45 +09:30 +10:30 +12:45 +13:45"
_EVEN = [f"{sign}{n:02d}:00" for sign in "+-" for n in range(15) if (sign, n) != ("-", 0)]
ZONES = ("unknown", *sorted([*_EVEN, *_UNEVEN.split()], key=lambda zone: (zone[0] == "-", zone)))
"""Offsets from UTC that clocks somewhere have, by the IANA time zone database; the uneven ones with summer time."""
_SALT = "tipstaff.report-form"
_OPEN_SECONDS = 6 * 3600
_FASTEST_SECONDS = 3
"""Nobody fills it in sooner; programs that post to every form do."""
_LONGEST_EVIDENCE = 200_000
_MAIL = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,255}")


# The signed ticket in the form is its protection: it opens once, and cookies play no part, so none is needed.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def report_form(request: HttpRequest) -> HttpResponse:
    """Show the form; take it, and lead to the page where one sees what becomes of the report."""
    own = wiring.settings().reports_in
    if not own.form:
        raise Http404
    if request.method != "POST":
        return _show(request, {}, [])
    given = {name: request.POST.get(name, "").strip() for name in _FIELDS}
    nonce = _nonce(request.POST.get("ticket", ""))
    if nonce is None or request.POST.get("website"):
        # Not said which: a person reads one sentence, a program learns nothing.
        return _show(request, given, [("", "The form was open too long or was sent too soon; send it once more.")])
    at, peer = wiring.now(), request.META.get("REMOTE_ADDR") or ""
    how: dict[str, Any] = {
        "nonce": nonce, "desk": wiring.desk(), "at": at, "peer": peer, "queue_max": own.queue_max,
        "brand": brand_asked(request),
    }  # fmt: skip
    try:
        refuse_full(peer, at=at, queue_max=own.queue_max)
        dropped, troubles = _dropped(request, given)
        report, wrong = ({}, []) if dropped or troubles else _report(given)
        if troubles or wrong:
            return _show(request, given, [*troubles, *wrong])
        if dropped:
            reference = hand_in_mail(
                dropped, kind=dict(KINDS)[given["kind"]], words=_words(given), contact=given["mail"], **how
            )  # fmt: skip
        else:
            reference = hand_in_form(report, **how)
    except QueueIsFull as why:
        page = _show(request, given, [("", "Too many reports came at once. Send it again later, or write us a mail.")])
        page.status_code = 429
        page["Retry-After"] = str(why.seconds)
        return page
    return HttpResponseRedirect(wiring.report_link(reference, at).removeprefix(wiring.settings().public_url))


_FIELDS = ("kind", "offender", "port", "when", "zone", "evidence", "mail", "reference")


def _show(request: HttpRequest, given: dict[str, str], troubles: list[tuple[str, str]]) -> HttpResponse:
    language = language_of(request)
    ticket = signing.dumps({"n": secrets.token_hex(16), "at": wiring.now().timestamp()}, salt=_SALT)
    return show_public(
        request, "tipstaff/public/report_form.html", given=given, kinds=KINDS, zones=ZONES, ticket=ticket,
        troubles=[(field, say(language, trouble)) for field, trouble in troubles], page_language=language,
        wrong={field for field, _ in troubles}, status=400 if troubles else 200,
    )  # fmt: skip


def _nonce(ticket: str) -> str | None:
    """The form's own number, when it was made here and filled in neither too fast nor too slowly."""
    try:
        said = signing.loads(ticket[:500], salt=_SALT)
        age = wiring.now().timestamp() - float(said["at"])
        return str(said["n"]) if _FASTEST_SECONDS <= age <= _OPEN_SECONDS else None
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        return None


def _dropped(request: HttpRequest, given: dict[str, str]) -> tuple[bytes, list[tuple[str, str]]]:
    """The mail that was dropped into the form, or what is wrong with it; nothing where none was. With a whole mail the
    rest need not be told: it is read as if it had been forwarded."""
    file = request.FILES.get("message")
    if file is None or not file.size:
        return b"", []
    if file.size > LARGEST_OCTETS:
        return b"", [("message", "This file is larger than 5 MiB; send it to us by mail.")]
    content, troubles = file.read(), []
    if not {b"from", b"received", b"date", b"message-id"} & _header_names(content[:65536]):
        troubles.append(("message", "This is no whole mail: save it with its headers, as .eml, and choose that file."))
    if given["kind"] not in dict(KINDS):
        troubles.append(("kind", "Say what happened."))
    _, wrong = _when_and_port(given)
    troubles += wrong
    return (b"" if troubles else content), troubles


def _header_names(mail: bytes) -> set[bytes]:
    """The names of a mail's header fields, in small letters (RFC 5322, section 2.2). What they say is not looked at:
    anybody may send anything here."""
    found: set[bytes] = set()
    for line in mail.splitlines():
        field = _FIELD.match(line)
        if field is not None:
            found.add(field[1].lower())
        elif not line.startswith((b" ", b"\t", b"From ")):  # The last begins a mail in a mailbox's file (RFC 4155).
            break
    return found


_FIELD = re.compile(rb"([!-9;-~]{1,100})[ \t]*:")


def _words(given: dict[str, str]) -> str:
    """What was filled in beside a whole mail: who it was behind a shared address is known by port and time alone."""
    when, port = _instant(given["when"], given["zone"]), port_in(given["port"]) if given["port"] else None
    source = given["offender"][:2000]
    if source and port and "://" not in source:
        source = f"[{source}]:{port}" if ":" in source else f"{source}:{port}"
    told = (
        ("Source", source), ("Source port", str(port or "")), ("Time", when or ""),
        ("Reference", given["reference"][:100]),
    )  # fmt: skip
    return "\n".join([*(f"{name}: {text}" for name, text in told if text), given["evidence"][:_LONGEST_EVIDENCE]])


def _when_and_port(given: dict[str, str]) -> tuple[str | None, list[tuple[str, str]]]:
    """When it was, as it was told, and what is wrong with that, the port and the address for answers."""
    troubles: list[tuple[str, str]] = []
    if given["port"] and port_in(given["port"]) is None:
        troubles.append(("port", "A port is a number from 1 to 65535."))
    when = _instant(given["when"], given["zone"])
    if given["when"] and when is None:
        troubles.append(("when", "Write the time as year-month-day hour:minute."))
    elif when and _is_to_come(when):
        troubles.append(("when", "This time has not come yet: say when it happened, or leave it empty."))
    if given["mail"] and not _MAIL.fullmatch(given["mail"]):
        troubles.append(("mail", "This is no mail address; leave it empty if you want no answer."))
    return when, troubles


def _report(given: dict[str, str]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """An XARF report of what was filled in, or what is wrong with it: (field, sentence)."""
    troubles: list[tuple[str, str]] = []
    kind = given["kind"] if given["kind"] in dict(KINDS) else ""
    if not kind:
        troubles.append(("kind", "Say what happened."))
    offender, url = given["offender"][:2000], ""
    if "://" in offender:
        url = offender
        if not _has_host(url):
            troubles.append(("offender", "This address of a page cannot be read."))
    elif not _is_address(offender) and not re.fullmatch(r"[\w.-]{1,200}\.[\w-]{2,60}", offender):
        troubles.append(("offender", "Give one IP address, or the whole address of the page."))
    when, wrong = _when_and_port(given)
    troubles += wrong
    if len(given["evidence"]) < 10:
        troubles.append(("evidence", "Paste what shows it: log lines, or the mail with its headers."))
    category, _, type_ = kind.partition("/")
    report: dict[str, Any] = {
        "xarf_version": "4.2.0",
        "category": category,
        "type": type_,
        "source_identifier": offender,
        "reporter": {"org": "Report form", "contact": given["mail"] or "no-reply@tipstaff.invalid", "domain": ""},
        "report_id": given["reference"][:100],
        "confidence": 0.9,
        "evidence": [{"content_type": "text/plain", "payload": given["evidence"][:_LONGEST_EVIDENCE]}],
        "description": given["evidence"][:1500],
    }
    if url:
        report["url"] = url
    if given["port"] and not troubles:
        report["source_port"] = port_in(given["port"])
    if when:
        report["timestamp"] = when
    return report, troubles


def _instant(when: str, zone: str) -> str | None:
    try:
        naive = parse_datetime(when.replace(" ", "T", 1)) if when else None
    except ValueError:
        return None
    if naive is None or naive.tzinfo is not None:
        return None
    # A second that nobody wrote is not made up: the minute is how exactly the time was told.
    text = naive.isoformat(timespec="seconds" if when.count(":") > 1 else "minutes")
    if zone == "+00:00":
        return f"{text}+00:00"
    # Without a zone it is said to be without one; nobody guesses the reporter's country.
    return f"{text}{zone}" if zone in ZONES and zone != "unknown" else text


def _is_to_come(when: str) -> bool:
    """Whether this time lies ahead everywhere; a clock that is an hour fast is let pass."""
    said = datetime.fromisoformat(when)
    # The furthest zone is 14 hours ahead of UTC: what is said without a zone may still have been there.
    spared, said = (timedelta(hours=1), said) if said.tzinfo else (timedelta(hours=15), said.replace(tzinfo=UTC))
    return said > wiring.now() + spared


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url.replace("hxxp", "http", 1).replace("[.]", ".")).hostname)
    except ValueError:
        return False
