"""Logs say what failed and where; what a mail says, and the token of a link, are not in them."""

import logging
import sys
from types import SimpleNamespace

import pytest
from django.db import OperationalError

from tipstaff.host.faults import described, traced
from tipstaff.procedures import complaint
from tipstaff.site.quiet import HideMessages
from tipstaff.wiring import jobs

WORDS = "what a mail says"


def as_logged(record: logging.LogRecord) -> str:
    """As the program's own handler writes it."""
    [handler] = [h for h in logging.getLogger().handlers if any(isinstance(f, HideMessages) for f in h.filters)]
    assert handler.filter(record)
    return handler.format(record)


def read_the_number(mail: str) -> int:
    try:
        return int(mail)
    except ValueError as why:
        raise KeyError(mail) from why


@pytest.mark.django_db
def test_a_mail_that_defeats_its_reader_is_not_quoted_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(complaint, "understand", lambda key, **_: read_the_number(WORDS))
    last = SimpleNamespace(job=SimpleNamespace(attempts=jobs.ATTEMPTS_MAX - 1, queue="reports"))
    jobs.understand.func(last, "R-000001")
    [record] = caplog.records
    assert record.exc_info is not None
    assert WORDS in str(record.exc_info[1]), "as it would be logged"
    logged = as_logged(record)
    assert WORDS not in logged
    assert "report R-000001 could not be read" in logged
    assert "KeyError\n" in logged
    assert "after ValueError\n" in logged
    assert f"{__file__}:" in logged
    assert "in read_the_number" in logged


def test_a_links_token_is_not_in_an_errors_trace() -> None:
    try:
        raise ValueError("no such page: /p/AbCdEf")
    except ValueError:
        record = logging.LogRecord("any", logging.ERROR, "", 1, "%s failed", ("/first/AbCdEf",), sys.exc_info())
    logged = as_logged(record)
    assert "AbCdEf" not in logged
    assert "/first/… failed" in logged
    assert "ValueError\n" in logged


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OperationalError("the server is away")])
def test_what_the_machine_and_the_database_say_is_logged(error: Exception) -> None:
    for told in (described(error), traced(error)):
        assert str(error) in told


def test_an_error_in_one_line_has_its_place_and_no_word_of_its_message() -> None:
    try:
        read_the_number(WORDS)
    except KeyError as why:
        told = described(why)
    assert told.startswith("KeyError (read_the_number line ")
    assert "\n" not in told
