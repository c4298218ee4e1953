"""A mail's page is shown in a frame that can do nothing, from tags that do nothing."""

import re
import time
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.intake.queries import list_reports
from tipstaff.ledger.queries import get_raw
from tipstaff.web.console.framed import framed, laid_out
from tipstaff.words import ReportOutcome, Role

LogIn = Callable[..., Client]
PIECES = (
    "<", ">", "<p", "<script>", "</script>", "<a href=", "javascript:x", '"', "'", "&lt;img onerror=x&gt;", "/", "x",
    "<!--", "-->", "<style>", "</style>", "<svg/onload=x>", "<IMG SRC=x>", "&#60;b&#62;", "<b class=y>", "\x00",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=200))
def test_whatever_was_sent_only_bare_tags_are_left(sent: str) -> None:
    for tag in re.findall(r"<[^>]*>?", laid_out(sent)):
        assert re.fullmatch(r"</?[a-z0-9]{1,10}>", tag), tag


def test_what_a_reader_sees_is_there_and_what_would_be_fetched_is_not() -> None:
    page = laid_out(
        "<html><head><title>t</title><style>p{background:url(http://x.example)}</style></head><body onload=x>"
        "<h1>Spam &amp; more</h1><script>alert(1)</script><table><tr><td>192.0.2.1</td></tr></table>"
        '<a href="https://example.net/x">here</a><img src="https://example.net/p.png"><form action=x><input></form>'
    )
    assert page == (
        "<h1>Spam &amp; more</h1><table><tr><td>192.0.2.1</td></tr></table><u>here</u>[picture][field]"
    )  # fmt: skip


@pytest.mark.parametrize("piece", ["<", "<a ", "<!", "<script>", "&", "<b>", "&#x"])
def test_hostile_lengths_take_no_time(piece: str) -> None:
    began = time.process_time()
    laid_out(piece * 100_000)
    assert time.process_time() - began < 2


def test_the_report_shows_it_in_a_sandboxed_frame(day: object, log_in: LogIn) -> None:
    client = log_in(Role.ANALYST)
    report, part = next(
        (r, n) for r in list_reports(limit=50) if r.outcome is not ReportOutcome.SEALED
        for n in range(4) if framed(get_raw(r.evidence)[: 2**20], part=n)
    )  # fmt: skip
    answer = client.get(reverse("console:report", args=[report.key]))
    address = reverse("console:framed_evidence", args=[report.evidence, part])
    frame = re.search(rf'<iframe [^>]*src="{address}"[^>]*>', answer.content.decode())
    assert frame
    assert " sandbox " in frame[0]
    assert answer["Content-Security-Policy"].endswith("; frame-src 'self'")
    shown = client.get(address)
    assert shown["Content-Security-Policy"].startswith("default-src 'none'; sandbox;")
    assert shown["X-Frame-Options"] == "SAMEORIGIN"
    assert "=" not in re.sub(r"<meta charset=\"utf-8\">", "", "".join(re.findall(r"<[^>]*>", shown.content.decode())))
    assert client.get(reverse("console:framed_evidence", args=[report.evidence, 39])).status_code == 404
    (sealed,) = list_reports(outcome=ReportOutcome.SEALED)
    for role, status in ((Role.ANALYST, 404), (Role.COUNSEL, 403)):
        gone = log_in(role).get(reverse("console:framed_evidence", args=[sealed.evidence, 0]))
        assert gone.status_code == status
