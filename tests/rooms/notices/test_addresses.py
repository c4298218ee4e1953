"""Who may be written to."""

import pytest

from tipstaff.notices.addresses import folded, mailable, may_be_answered

OWN = frozenset({"abuse@operator.example.net", "own.example.org"})


@pytest.mark.parametrize(
    "address",
    ["jane@example.org", "Abuse@Example.ORG", "postmaster@example.com", "reply@example.org", "o'hara+x@example.org"],
)
def test_a_person_is_answered(address: str) -> None:
    assert may_be_answered(address, OWN)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "<>",
        "jane",
        "MAILER-DAEMON@example.org",
        "no-reply@example.org",
        "noreply+x8@example.org",
        "do_not_reply@example.org",
        "donotreply@example.org",
        "feed-noreply@example.org",
        "bounces@example.org",
        "list-bounces@example.org",
        "bounce-123-x=example.com@example.org",
        "owner-list@example.org",
        "list-request@example.org",
        "abuse@operator.example.net",
        "<ABUSE@operator.example.net>",
        "abuse+C-000123@operator.example.net",
        "anybody@own.example.org",
        "a@b\r\nRCPT TO:<c@example.org>",
        "a b@example.org",
        "a@example.org,b@example.org",
    ],
)
def test_robots_strangers_to_mail_and_ourselves_are_not_answered(address: str) -> None:
    assert not may_be_answered(address, OWN)


def test_an_address_is_the_same_in_any_spelling() -> None:
    assert folded(" <Jane@Example.ORG> ") == folded("jane@example.org") == "jane@example.org"


def test_a_name_in_another_script_is_mailed_in_its_ascii_form() -> None:
    assert mailable("jane@bücher.example.net") == "jane@xn--bcher-kva.example.net"
    assert mailable("jäne@example.net") is None
    assert mailable("a@example.net\r\nDATA") is None
