"""How times and steps read on a page."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.template.loader import render_to_string
from django.utils.html import strip_tags

from tipstaff.web.console.sentences import Step, tell
from tipstaff.web.shown import instant
from tipstaff.words import Entry

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-05-04T06:52:03Z", "2026-05-04T06:52:09Z", ("2026-05-04 06:52:03 UTC", "2026-05-04 06:52:09 UTC")),
        ("2026-05-04T06:52:03Z", "2026-05-04T06:53:03Z", ("2026-05-04 06:52 UTC", "2026-05-04 06:53 UTC")),
        ("2026-05-04T06:52:03Z", None, ("2026-05-04 06:52 UTC", "")),
    ],
)
def test_a_span_within_one_minute_is_told_in_seconds(since: str, until: str | None, said: tuple[str, str]) -> None:
    assert (instant(since, until), instant(until, since)) == said


def test_a_step_says_what_and_then_who_and_does_not_run_them_together() -> None:
    step = Step(
        at=NOON, title="Urgent measure proposed", text="40,000 packets a second, and rising", actor="lena",
        tone="red", entry=7, minor=False,
    )  # fmt: skip

    def shown(step: Step) -> str:
        return strip_tags(render_to_string("tipstaff/console/_steps.html", {"steps": [step], "at": NOON})).strip()

    assert shown(step).endswith("40,000 packets a second, and rising · lena")
    assert shown(replace(step, text="")).endswith("lena")
    assert "·" not in shown(replace(step, text=""))
    assert shown(replace(step, actor="")).endswith("and rising")


@pytest.mark.parametrize(
    ("what", "detail", "title", "text"),
    [
        (
            "drifted",
            {"seen": "absent"},
            "Gone from the device",
            "M-000001: edge1 no longer holds it. It is applied anew.",
        ),
        ("ineffective", {"detail": "It gets through."}, "Held, yet traffic gets through", "It gets through."),
        ("neighbour_harmed", {"detail": "It is silent."}, "Its neighbour is stopped too", "It is silent."),
        ("proven", {"proof": "PROBE", "detail": "No answer."}, "Shown by traffic", "No answer."),
        ("unshown", {"proof": "CONFIG", "detail": "No vantage."}, "Not shown to be in force", "No vantage."),
    ],
)
def test_what_a_device_showed_is_told_in_words(what: str, detail: dict[str, str], title: str, text: str) -> None:
    entry = Entry(
        id=7, at=NOON, actor="enforcer", what=f"measure.{what}", about=("M-000001", "C-000001"),
        detail={"device": "edge1", "generation": 3, **detail}, digest="", seq=None,
    )  # fmt: skip
    step = tell(entry)
    assert (step.title, step.text.endswith(text), "M-000001" in step.text) == (title, True, True)
