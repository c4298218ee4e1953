"""Who held what, asked by a program."""

from django.test import Client

from tipstaff.words import Role

ASKED = [
    {"address": "203.0.113.77", "at": "2026-05-03T12:00:00Z"},
    {"address": "nonsense"},
    {"address": "198.51.100.20", "port": 70000},
    {"address": "198.51.100.20", "precision_seconds": -5},
]


def test_many_are_answered_in_order_and_bad_ones_have_their_error(day, log_in):
    answer = log_in(Role.ANALYST).post("/api/attribute", ASKED, content_type="application/json")
    assert answer.status_code == 200
    first, second, third, fourth = answer.json()
    assert (first["grade"], first["customer"], first["service"]) == ("CONFIRMED", "acct-1032", "svc-1032-1")
    allocated, held = first["proof"]
    assert (allocated["tier"], allocated["prefix"]) == ("operator", "203.0.113.64/26")
    assert {key: held[key] for key in ("row", "tier", "prefix", "customer", "service")} == {
        "row": "holding", "tier": "customer", "prefix": "203.0.113.64/26", "customer": "acct-1032",
        "service": "svc-1032-1",
    }  # fmt: skip
    assert second == {"error": "'nonsense' is not an IPv4 or IPv6 address"}
    assert "70000" in third["error"]
    assert fourth == {"error": "the precision is between 0 seconds and a year"}


def test_a_time_to_come_is_refused(day, log_in):
    asked = [{"address": "198.51.100.20", "at": "2031-05-03T12:00:00Z"}]
    [answer] = log_in(Role.ANALYST).post("/api/attribute", asked, content_type="application/json").json()
    assert answer == {"error": "2031-05-03 12:00 UTC lies in the future, and nobody has held anything then"}


def test_a_day_is_asked_of_all_its_hours_in_any_zone(day, log_in):
    asked = [{"address": "198.51.100.20", "at": "2026-05-03"}]
    [answer] = log_in(Role.ANALYST).post("/api/attribute", asked, content_type="application/json").json()
    assert answer["window"] == ["2026-05-02T10:00:00Z", "2026-05-04T14:00:00Z"]


def test_only_the_desk_may_ask_and_not_for_too_many(day, log_in):
    assert Client().post("/api/attribute", ASKED, content_type="application/json").status_code == 401
    administrator = log_in(Role.ADMINISTRATOR)
    assert administrator.post("/api/attribute", ASKED, content_type="application/json").status_code == 403
    many = [{"address": "192.0.2.1"}] * 501
    assert log_in(Role.ANALYST).post("/api/attribute", many, content_type="application/json").status_code == 413
