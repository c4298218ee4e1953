"""The customer system's webhook: signed, once, and never against what a person has set."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.procedures.registering import take_delivery
from tipstaff.registry import operations, queries
from tipstaff.registry.crm import BadDelivery, NotSigned, check_signature, read_event, signature_of
from tipstaff.words import Standing

from .conftest import BY, NOW, day, hold

KEY = b"k" * 32
TIME = str(int(NOW.timestamp()))
CUSTOMER = {
    "event": "customer.saved",
    "customer": {
        "key": "crm-1", "name": "Example Bakery", "email": "office@bakery.example.com", "phone": "+49 30 000000",
        "postal_address": "Example Street 1, 10115 Berlin", "country": "de",
        "representative_email": "it@bakery.example.com", "representative_name": "Ada Example", "language": "de",
    },
}  # fmt: skip


def send(told, *, delivery: str = "delivery-1", at=NOW, time: str = TIME, key: bytes = KEY, **more):
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    signature = signature_of(key=key, delivery=delivery, timestamp=time, body=body)
    return take_delivery(
        body, delivery=delivery, timestamp=time, signature=more.get("signature", signature), key=KEY, at=at
    )


@pytest.mark.usefixtures("operator")
class TestDeliveries:
    def test_a_customer_comes_in_and_is_vetted(self):
        assert send(CUSTOMER) == {"event": "customer.saved", "kept": [], "again": False}
        found = queries.get_customer("crm-1")
        assert found is not None
        assert found.representative is not None
        assert (found.country, found.representative.language) == ("DE", "de")
        assert [a.state for a in queries.list_admissions(customer="crm-1")] == ["clear"]
        assert queries.changes_of("crm-1")[0].origin == "crm"

    def test_the_same_delivery_again_does_nothing_and_says_so(self):
        send(CUSTOMER)
        operations.set_standing("crm-1", Standing.SUSPENDED, since=NOW, why="", **BY)
        changes = len(queries.list_changes())
        assert send(CUSTOMER)["again"] is True
        assert len(queries.list_changes()) == changes
        with pytest.raises(BadDelivery, match="another body before"):
            send({**CUSTOMER, "customer": {**CUSTOMER["customer"], "name": "Other"}})

    def test_a_delivery_that_was_refused_may_be_mended_and_sent_again(self):
        with pytest.raises(BadDelivery, match="There is no customer crm-404"):
            send({"event": "service.saved", "service": {"key": "s", "customer": "crm-404", "kind": "access"}})
        send(CUSTOMER)
        assert queries.get_customer("crm-1") is not None

    def test_what_a_delivery_leaves_out_stays_as_it_is(self):
        send(CUSTOMER)
        send({"event": "customer.saved", "customer": {"key": "crm-1", "name": "Example Bakers"}}, delivery="delivery-2")
        found = queries.get_customer("crm-1")
        assert found is not None
        assert found.representative is not None
        assert (found.name, found.phone) == ("Example Bakers", "+49 30 000000")

    def test_a_new_telephone_number_brings_nobody_back_who_was_sent_away(self):
        send({**CUSTOMER, "customer": {**CUSTOMER["customer"], "is_reseller": "yes"}})
        gone = {"event": "customer.standing", "customer": {"key": "crm-1", "standing": "terminated", "why": "fraud"}}
        send(gone, delivery="delivery-2")
        send({**CUSTOMER, "customer": {**CUSTOMER["customer"], "phone": "+49 30 111111"}}, delivery="delivery-3")
        found = queries.get_customer("crm-1")
        assert (found.phone, found.standing, found.is_reseller) == ("+49 30 111111", Standing.TERMINATED, True)
        told = {"key": "crm-1", "name": "Example Bakery", "is_reseller": False}
        send({"event": "customer.saved", "customer": told}, delivery="delivery-4")
        found = queries.get_customer("crm-1")
        assert (found.is_reseller, found.representative.language) == (False, "de")

    def test_a_service_keeps_the_port_that_a_delivery_does_not_say(self):
        send(CUSTOMER)
        service = {"key": "svc-1", "customer": "crm-1", "kind": "access"}
        send({"event": "service.saved", "service": {**service, "port": "sw-1:12"}}, delivery="delivery-2")
        send({"event": "service.saved", "service": {**service, "label": "Shop floor"}}, delivery="delivery-3")
        (kept,) = queries.services_of("crm-1")
        assert (kept.port, kept.label) == ("sw-1:12", "Shop floor")

    def test_whom_a_person_sent_away_no_delivery_lets_in_again(self):
        send(CUSTOMER)
        operations.set_standing("crm-1", Standing.TERMINATED, since=NOW, why="Spam.", **BY)
        answer = send(
            {"event": "customer.standing", "customer": {"key": "crm-1", "standing": "good"}}, delivery="delivery-2"
        )
        assert "standing stays" in answer["kept"][0]
        found = queries.get_customer("crm-1")
        assert found is not None
        assert found.standing is Standing.TERMINATED

    def test_standing_services_and_editions_come_by_delivery(self):
        send(CUSTOMER)
        send({"event": "service.saved", "service": {"key": "s-1", "customer": "crm-1", "kind": "access"}},
             delivery="delivery-2")  # fmt: skip
        hold("198.51.100.6/32", "crm-1", service="s-1")
        held = "tier,kind,prefix,held_from,customer,service\ncustomer,static,198.51.100.7,2026-01-01,crm-1,s-1\n"
        operations.import_csv(held.splitlines(keepends=True), source_name="holdings.csv", **BY)
        send({"event": "policy.accepted", "acceptance": {"customer": "crm-1", "contract": "K-1",
              "edition": "2026-01", "accepted_at": "2026-01-05"}}, delivery="delivery-3")  # fmt: skip
        answer = send({"event": "service.ended", "service": {"key": "s-1", "ended_at": "2026-03-01T00:00:00Z"}},
                      delivery="delivery-4")  # fmt: skip
        assert ["198.51.100.6 for crm-1" in kept for kept in answer["kept"]] == [True]
        send({"event": "customer.standing", "customer": {"key": "crm-1", "standing": "terminated",
              "since": "2026-03-01T00:00:00Z", "why": "moved away"}}, delivery="delivery-5")  # fmt: skip
        # What a person gave by hand, a person takes back.
        assert [str(h.prefix) for h in queries.holdings_of("crm-1", at=NOW)] == ["198.51.100.6/32"]
        assert len(queries.holdings_of("crm-1", at=day(20))) == 2
        assert [a.edition for a in queries.acceptances_of("crm-1")] == ["2026-01"]
        standing = queries.standing_at("crm-1", at=NOW)
        assert standing is not None
        assert (standing.standing, standing.why) == (Standing.TERMINATED, "moved away")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"key": b"x" * 32}, "does not fit"),
        ({"signature": "sha256=00"}, "does not fit"),
        ({"signature": "sha256=\u00fc"}, "does not fit"),
        ({"time": str(int(NOW.timestamp()) - 301)}, "five minutes"),
        ({"time": str(int(NOW.timestamp()) + 301)}, "five minutes"),
        ({"time": "noon"}, "number of seconds"),
        ({"delivery": "short"}, "name of its own"),
    ],
)
def test_what_is_not_signed_now_is_refused(wrong, why):
    with pytest.raises(NotSigned, match=why):
        send(CUSTOMER, **wrong)


@given(body=st.binary(max_size=60), at=st.integers(0, 40), bit=st.integers(0, 7))
def test_no_changed_body_fits_its_signature(body, at, bit):
    named = {"key": KEY, "delivery": "delivery-1", "timestamp": TIME}
    signature = signature_of(body=body, **named)
    check_signature(body=body, signature=signature, at=NOW, **named)
    changed = bytearray(body or b"\0")
    changed[at % len(changed)] ^= 1 << bit
    with pytest.raises(NotSigned):
        check_signature(body=bytes(changed) if body else b"\1", signature=signature, at=NOW, **named)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (b"[]", '"event"'),
        (b"{", "not JSON"),
        (b"[" * 60000, "not JSON|event"),
        (b" " * 70000, "at most"),
        ({"event": "customer.born"}, "There is no event"),
        ({"event": "customer.saved"}, "lacks the object"),
        ({"event": "customer.saved", "customer": {"key": "x"}}, "name is empty"),
        ({"event": "customer.saved", "customer": {"key": "x", "name": "y", "colour": "red"}}, "no field"),
        ({"event": "customer.saved", "customer": {"key": "x" * 65, "name": "y"}}, "64 characters"),
        ({"event": "customer.saved", "customer": {"key": "x", "name": {"a": 1}}}, "text of at most"),
        ({"event": "customer.saved", "customer": {"key": "x", "name": "y", "country": "Germany"}}, "two letters"),
        ({"event": "customer.standing", "customer": {"key": "x", "standing": "odd"}}, "standing may be"),
        ({"event": "service.ended", "service": {"key": "x", "ended_at": "noon"}}, "write a time"),
    ],
)
def test_a_delivery_out_of_form_is_told_in_one_sentence(told, why):
    with pytest.raises(BadDelivery, match=why):
        read_event(told if isinstance(told, bytes) else json.dumps(told).encode(), at=NOW)
