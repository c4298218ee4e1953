"""Nobody asks the API too fast: by token and by address, for all processes together, in one small table."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import override_settings

from tipstaff import wiring
from tipstaff.web.models import Pace
from tipstaff.web.pace import household, use
from tipstaff.web.peer import Peer
from tipstaff.web.tokens import make_token

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.mark.django_db
def test_a_minutes_worth_may_come_at_once_and_then_at_its_pace() -> None:
    left = [use("token", "a", quota=60, at=NOON) for _ in range(61)]
    assert [each.wait_seconds for each in left] == [0] * 60 + [1]
    assert [left[0].remaining, left[59].remaining, left[60].remaining] == [59, 0, 0]
    assert (left[0].stated, left[0].rule) == ('"token";r=59;t=1', '"token";q=60;w=60')
    assert use("token", "a", quota=60, at=NOON + timedelta(seconds=1)).wait_seconds == 0
    assert use("token", "a", quota=60, at=NOON + timedelta(seconds=1)).wait_seconds == 1
    assert use("token", "b", quota=60, at=NOON).remaining == 59, "another's pace is another's"
    assert use("token", "a", quota=60, at=NOON + timedelta(seconds=90)).remaining == 59


@pytest.mark.django_db
def test_the_table_holds_no_more_than_a_minutes_askers() -> None:
    for n in range(300):
        use("address", f"192.0.2.{n}", quota=1000, at=NOON + timedelta(seconds=n))
    assert Pace.objects.count() <= 2


@pytest.mark.django_db(transaction=True)
def test_two_processes_together_let_no_more_pass_than_one() -> None:
    def ask(n: int) -> int:
        try:
            return use("token", "a", quota=50, at=NOON).wait_seconds
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:  # Each thread has a connection of its own, as processes have.
        waits = list(pool.map(ask, range(80)))
    assert waits.count(0) == 50


@pytest.mark.django_db
def test_beyond_its_pace_a_token_and_an_address_are_told_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    own = wiring.settings()
    slow = replace(own, api=replace(own.api, token_a_minute=2, address_a_minute=4))
    monkeypatch.setattr(wiring, "settings", lambda: slow)
    monkeypatch.setattr(wiring, "now", lambda: NOON)
    User.objects.create(username="lena")
    _, token = make_token("x", owner="lena", scopes=["cases:read"], days=1, at=NOON, actor="lena")
    client = Client(headers={"Authorization": f"Bearer {token}"})
    answers = [client.get("/api/cases") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [403, 403, 429, 429, 429]
    assert answers[0]["RateLimit"] == '"address";r=3;t=15, "token";r=1;t=30'
    assert [answer.json().get("limit") for answer in answers[2:]] == ["token", "token", "address"]
    assert (answers[2]["Retry-After"], answers[2]["Content-Type"]) == ("30", "application/problem+json")
    assert answers[4]["RateLimit-Policy"] == '"address";q=4;w=60'
    assert Client(REMOTE_ADDR="198.51.100.7").get("/api/openapi.json").status_code == 200
    assert Client().get("/policy").status_code == 200, "pages are not the API"


def test_of_ipv6_a_whole_household_is_one_asker() -> None:
    assert household("2001:db8::1") == household("2001:db8::ffff:1") == "2001:db8::/64"
    assert household("::ffff:192.0.2.1") == household("192.0.2.1") == "192.0.2.1"
    assert household("") == "unknown"


@pytest.mark.parametrize(
    ("hops", "peer"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("10.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 192.0.2.2", "203.0.113.9"),
        ("junk", "192.0.2.1"),
        (None, "192.0.2.1"),
    ],
)
def test_only_our_own_proxy_is_believed_about_who_asks(hops: str | None, peer: str) -> None:
    seen = []
    own = wiring.settings()
    for proxies in ((), ("192.0.2.1", "192.0.2.2")):
        with override_settings(TIPSTAFF=replace(own, web=replace(own.web, proxies=proxies))):
            door = Peer(lambda request: seen.append(request.META["REMOTE_ADDR"]))  # type: ignore[arg-type,func-returns-value]  # it only looks
        headers = {} if hops is None else {"X-Forwarded-For": hops}
        door(RequestFactory().get("/", headers=headers, REMOTE_ADDR="192.0.2.1"))
    assert seen == ["192.0.2.1", peer]
