"""What a detector counts in a file of the operator's becomes a case of whoever it is, under the clause that takes it.

Nothing is looked at without an authorisation, and nobody is accused who is not named.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest

from tests.procedures.office import DAY, HOUR, MOVED_IN, NOON, Office
from tests.rooms.sensors import test_detectors as said
from tests.rooms.sensors import test_exposure as exposed
from tipstaff import wiring
from tipstaff.cases.queries import list_cases
from tipstaff.config import DeviceConfig
from tipstaff.enforcement.planner import Footprint, weigh
from tipstaff.ledger.queries import entries_about
from tipstaff.policy.editions import shipped_editions
from tipstaff.procedures.detecting import NotAuthorised, asked_for, authorise, look, note_leave, purpose_of
from tipstaff.procedures.refusals import NotYourDecision
from tipstaff.procedures.sighting import judge_again, judge_waiting
from tipstaff.registry import operations as registry
from tipstaff.registry.queries import list_late_uses
from tipstaff.sensors.protocol import Roa
from tipstaff.sensors.queries import list_measured
from tipstaff.words import (
    Case,
    Degree,
    LateUseReason,
    Reason,
    Representative,
    Resource,
    ResourceKind,
    Role,
    Rule,
    Rung,
    Scope,
    Standing,
    TakenSightings,
)

LATER = NOON + 20 * DAY
"""By when all that the files show has happened."""


def allow(office: Office, detector: str) -> None:
    authorise(detector, purpose="To keep the network working.", until=LATER + DAY, desk=office.desk, at=NOON - DAY,
              actor="counsel")  # fmt: skip


def looked(
    office: Office,
    detector: str,
    text: str,
    *,
    at: object = None,
    roas: Sequence[Roa] = (),
    own_asn: int | None = None,
    needed: dict[str, str] | None = None,
) -> TakenSightings:
    allow(office, detector)
    when = LATER if at is None else at
    taken = look(detector, wiring.detectors()[detector], text.splitlines(keepends=True), desk=office.desk, at=when,
                 actor="tests", roas=roas, own_asn=own_asn, needed=needed)  # fmt: skip
    assert taken.refused == ()
    judge_waiting(desk=office.desk, at=when)
    return taken


def give(office: Office, kind: ResourceKind, name: str, *, scope: str = "", customer: str = "acct-1") -> None:
    thing = Resource(kind=kind, name=name, scope=scope, customer=customer, held_from=MOVED_IN)
    registry.hold_resource(thing, at=MOVED_IN, actor="import")


def case_under(clause: str) -> Case:
    [case] = [case for case in list_cases(limit=100) if case.clause == clause]
    return case


# Who may look


def test_nobody_looks_without_an_authorisation_of_counsel(office: Office) -> None:
    flows = wiring.detectors()["flows"]
    with pytest.raises(NotAuthorised):
        look("flows", flows, [], desk=office.desk, at=NOON, actor="tests")
    office.roles["anna"] = frozenset({Role.ANALYST})
    with pytest.raises(NotYourDecision):
        authorise("flows", purpose="Out of interest.", until=LATER, desk=office.desk, at=NOON, actor="anna")
    assert purpose_of("flows", at=NOON) == ""
    assert entries_about("detector:flows") == []


def test_an_authorisation_ends_and_is_for_one_detector(office: Office) -> None:
    allow(office, "flows")
    assert purpose_of("flows", at=NOON) == "To keep the network working."
    for name, at in (("flows", LATER + DAY), ("mail", NOON)):
        with pytest.raises(NotAuthorised):
            look(name, wiring.detectors()[name], [], desk=office.desk, at=at, actor="tests")


def test_each_look_is_on_record_with_the_clause_that_allows_it(office: Office) -> None:
    looked(office, "flows", said.flows())
    [made] = [entry for entry in entries_about("detector:flows") if entry.what == "measurement.made"]
    assert (made.detail["under"], made.detail["found"]) == ("terms.may_monitor", 0)


def test_what_is_found_before_the_first_edition_counts_is_kept_for_a_person_and_accuses_nobody(office: Office) -> None:
    office.admit("acct-1", "192.0.2.10")
    later = tuple(replace(edition, effective_at=LATER + DAY) for edition in office.desk.editions)
    office.desk = replace(office.desk, editions=later)
    text = said.flows(*(said.probe(n, seconds=n * 10) for n in range(120)))
    assert looked(office, "flows", text).taken
    [one] = list_measured()
    assert (one.reason, one.left_to_person, list_cases(limit=10)) == (Reason.NO_EDITION_IN_FORCE, True, [])
    office.desk = replace(office.desk, editions=shipped_editions())
    judge_again([one.key], why="It counts now.", desk=office.desk, at=LATER + 2 * DAY, actor="lena")
    judge_waiting(desk=office.desk, at=LATER + 2 * DAY)
    assert case_under("network.scanning").customer == "acct-1"


# What becomes of it


def test_a_scan_in_the_flow_records_becomes_a_case(office: Office) -> None:
    office.admit("acct-1", "192.0.2.10")
    text = said.flows(*(said.probe(n, seconds=n * 10) for n in range(120)))
    looked(office, "flows", text)
    case = case_under("network.scanning")
    assert (case.customer, case.resource) == ("acct-1", "192.0.2.10")
    assert looked(office, "flows", text).known == 1, "the same file again changes nothing"
    [letter] = office.post(at=LATER)
    assert "203.0.113" not in letter.body, "who was scanned is nobody's to learn from us"


def test_a_flood_in_the_flow_records_becomes_a_case(office: Office) -> None:
    office.admit("acct-1", "192.0.2.10")
    row = (NOON.isoformat(), 120, "192.0.2.10", "203.0.113.7", "TCP", 0, 80, "......S.", 12_000_000)
    looked(office, "flows", said.flows(row), at=NOON + HOUR)
    case = case_under("network.denial_of_service")
    [one] = list_measured()
    assert (case.customer, one.reason) == ("acct-1", Reason.HARM_IN_PROGRESS)
    office.deadlines(at=NOON + DAY)
    assert list(office.measures(case)) == [], "not before its letter"


def test_a_burst_in_the_mail_servers_log_becomes_a_case(office: Office) -> None:
    office.admit("acct-1")
    give(office, ResourceKind.MAILBOX, "u@example.net")
    looked(office, "mail", said.log(*said.mails(600, to="v{n}@example.org")))
    assert case_under("mail.bombing").customer == "acct-1"
    told = office.post(at=LATER)
    assert told
    assert not any("example.org" in letter.body for letter in told), "who was written to is nobody's to learn from us"


def test_many_mails_to_one_person_become_a_case(office: Office) -> None:
    office.admit("acct-1", "192.0.2.10")
    by_address = said.log(*said.mails(120, every=20)).replace(", sasl_method=PLAIN, sasl_username=u@example.net", "")
    looked(office, "mail", by_address)
    case = case_under("mail.harassing")
    assert (case.customer, case.resource, case.decides) == ("acct-1", "192.0.2.10", Role.ANALYST)


def test_senders_that_are_not_the_users_own_become_a_case(office: Office) -> None:
    office.admit("acct-1")
    give(office, ResourceKind.LOGIN, "u@example.net", scope="mail")
    refused = (
        "smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.10]: 553 5.7.1 <chief@example.org>: Sender address "
        "rejected: not owned by user u@example.net; from=<chief@example.org> to=<v@example.org> proto=ESMTP helo=<x>"
    )
    looked(office, "mail", said.log(*((n, refused) for n in range(30))))
    assert case_under("mail.forged_headers").customer == "acct-1"


def test_a_name_that_nobody_holds_accuses_nobody(office: Office) -> None:
    office.admit("acct-1")
    assert looked(office, "mail", said.log(*said.mails(600))).taken == ()
    assert list_cases() == []


def test_a_mailbox_that_is_a_store_becomes_a_case(office: Office) -> None:
    office.admit("acct-1")
    give(office, ResourceKind.MAILBOX, "u@example.net")
    looked(office, "mailboxes", said.tables(used=970))
    case = case_under("mail.storage")
    assert case.customer == "acct-1"
    office.post(at=LATER)
    assert office.fresh(case.key).due_at == LATER + timedelta(days=14)


def test_spoofed_sources_on_a_port_become_a_case_of_its_holder(office: Office) -> None:
    office.admit("acct-1")
    give(office, ResourceKind.PORT, "ge-0/1", scope="r1")
    rows = [f"{(NOON + timedelta(minutes=m)).isoformat()},r1,ge-0/1,300" for m in range(0, 10)]
    looked(office, "sav", "\n".join(["at,scope,port,dropped", *rows]))
    case = case_under("network.spoofing")
    assert case.customer == "acct-1"
    # Only the forged packets are to be stopped, on that port and no other; and only while it is this customer's.
    office.post(at=LATER)
    office.deadlines(at=LATER + 2 * DAY)
    [measure] = office.measures(case)
    assert (str(measure.selector), measure.degree) == ("forged packets on r1/ge-0/1", Degree.BLOCK)


def test_an_address_outside_the_plan_becomes_a_case_of_who_has_the_port(office: Office) -> None:
    office.admit("acct-1", "192.0.2.10")
    give(office, ResourceKind.PORT, "ge-0/1", scope="sw1")
    looked(office, "lan", said.SEEN)
    assert case_under("network.unallocated_addresses").customer == "acct-1"
    office.hold("192.0.2.50/32", customer="acct-1")
    assert looked(office, "lan", said.SEEN.replace("T12", "T15")).taken == (), "now it is in the plan"


MACHINE = f"sw1/ge-0/1/{said.MAC}"


def stopped_for(office: Office, clause: str) -> list[tuple[str, Degree]]:
    """What is stopped when the notice of a case under this clause was left unanswered."""
    office.post(at=LATER)
    office.deadlines(at=LATER + 2 * DAY)
    return [(str(measure.selector), measure.degree) for measure in office.measures(case_under(clause))]


def test_one_machine_is_stopped_on_its_port_and_not_the_customer(office: Office) -> None:
    office.admit("acct-1", "192.0.2.10")
    give(office, ResourceKind.PORT, "ge-0/1", scope="sw1")
    looked(office, "lan", said.SEEN)
    assert stopped_for(office, "network.unallocated_addresses") == [(MACHINE, Degree.BLOCK)]


def test_a_machine_of_another_on_the_port_is_nobodys_alone_and_is_not_stopped(office: Office) -> None:
    office.admit("acct-1", "192.0.2.10")
    office.admit("acct-2", "192.0.2.11")
    give(office, ResourceKind.PORT, "ge-0/1", scope="sw1")
    give(office, ResourceKind.MAC, said.MAC, customer="acct-2")
    looked(office, "lan", said.SEEN)
    assert stopped_for(office, "network.unallocated_addresses") == [], "the account takes two people"


@pytest.mark.parametrize(
    ("device", "options", "chosen"),
    [
        ("sw1", {"driver": "ovs", "bridge": "br0"}, True),
        ("olt3", {"driver": "ovs", "bridge": "br0"}, False),
        ("olt3", {"driver": "ovs", "bridge": "br0", "ports_of": "sw1"}, True),
        ("sw1", {"driver": "nftables", "customer_ports": ["eth7"]}, True),
        ("sw1", {"driver": "nftables", "customer_ports": ["eth8"]}, False),
        ("olt3", {"driver": "nftables", "customer_ports": ["eth7"]}, False),
    ],
)
def test_a_machine_is_stopped_by_the_switch_whose_port_it_is_and_by_no_other(
    device: str, options: dict[str, object], chosen: bool
) -> None:
    driver = wiring.driver(DeviceConfig(name=device, driver=str(options.pop("driver")), options=options))
    [option] = weigh(
        ladder=[Rung(scope=Scope.SESSION, degree=Degree.BLOCK)], measure_ports=(), resource=None, url=None,
        source_port=None, service=None, account="acct-1", footprint=Footprint(), session=f"sw1/eth7/{said.MAC}",
        devices=[driver.ability],
    )  # fmt: skip
    assert (option.chosen, option.device) == (chosen, device)
    rule = Rule(measure="M-000001", case="C-000001", selector=option.selector, degree=Degree.BLOCK)
    assert driver.supports(rule) is chosen


def test_an_address_outside_the_plan_on_nobodys_port_is_an_engineers(office: Office) -> None:
    office.admit("acct-1", "192.0.2.10")
    looked(office, "lan", said.SEEN)
    [one] = list_measured()
    assert (one.case, one.left_to_person, one.reason) == (None, True, Reason.NO_HOLDER)


def test_a_port_outside_the_inventory_waits_for_an_engineer(office: Office) -> None:
    office.admit("acct-1", "192.0.2.50")
    looked(office, "lan", said.SEEN)
    case = case_under("network.unassigned_ports")
    assert (case.customer, case.decides) == ("acct-1", Role.ENGINEER)
    office.post(at=LATER)
    office.deadlines(at=LATER + 2 * DAY)
    assert list(office.measures(case)) == []


def test_a_full_link_becomes_a_case_of_its_holder(office: Office) -> None:
    office.admit("acct-1")
    give(office, ResourceKind.PORT, "ge-0/1", scope="r1")
    looked(office, "links", said.polls(percent=97, hours=15 * 24 + 1))
    case = case_under("routes.capacity")
    assert (case.customer, case.decides) == ("acct-1", Role.ENGINEER)


def test_harm_on_a_shared_link_becomes_a_case_of_its_cause(office: Office) -> None:
    for n in (1, 2, 3):
        office.admit(f"acct-{n}")
        give(office, ResourceKind.PORT, f"ge-0/{n}", scope="olt1", customer=f"acct-{n}")
    looked(office, "shared-link", said.shared(80, 90, 70), at=NOON + HOUR)
    case = case_under("conduct.harm_to_the_network")
    assert (case.customer, case.decides) == ("acct-1", Role.ANALYST)
    office.deadlines(at=NOON + 3 * HOUR)
    assert list(office.measures(case)) == [], "an analyst decides"
    assert looked(office, "shared-link", said.shared(80, 90, 70, heavy="ge-0/2", load=60), at=NOON + 4 * HOUR).taken
    assert len(office.cases()) == 1, "while the cause is not confirmed nobody is accused of it"


OWN, GONE, FOREIGN = "198.51.100.0/24", "192.0.2.128/25", "203.0.113.0/24"


@pytest.mark.parametrize(
    ("clause", "text", "roas"),
    [
        (
            "routes.forged",
            [said.dump("64501 64500", peer=f"203.0.113.{n}", prefix=OWN) for n in (1, 2, 3)],
            [Roa(prefix=ip_network(OWN), longest=24, origin=64499)],
        ),
        ("routes.entitled_prefixes", [said.dump("64501 64500", prefix=FOREIGN)], []),
        ("routes.non_portable", [said.dump("64501 64500", prefix=GONE)], []),
        (
            "routes.announce_directly",
            [said.dump("64510 64502", peer_as=64510, prefix=FOREIGN), said.dump("64501 64500", prefix=OWN),
             said.dump("64501 64500", prefix=OWN, hours=30)],
            [],
        ),
        (
            "routes.prepending",
            [said.dump("64510 " + "64500 " * 6, peer_as=64510, prefix=OWN), said.dump("64501 64500", prefix=OWN)],
            [],
        ),
    ],
)  # fmt: skip
def test_routes_become_cases_of_whose_number_it_is(
    office: Office, clause: str, text: list[str], roas: list[Roa]
) -> None:
    office.admit("acct-1")
    office.hold(OWN, customer="acct-1")
    office.hold(GONE, customer="acct-1", until=NOON - 3 * DAY)
    give(office, ResourceKind.ASN, "AS64500")
    looked(office, "routes", "\n".join(text), roas=roas, own_asn=64510)
    assert {case.clause for case in list_cases()} == {clause}
    assert case_under(clause).customer == "acct-1"


def test_whoever_still_announces_to_us_after_the_termination_is_found_and_nobody_else(office: Office) -> None:
    for number, asn in ((1, "AS64500"), (2, "AS64501"), (3, "AS64502")):
        office.admit(f"acct-{number}")
        give(office, ResourceKind.ASN, asn, customer=f"acct-{number}")
        office.hold(f"203.0.113.{number * 16}/28", customer=f"acct-{number}")
    terminated = NOON - 3 * DAY
    for customer in ("acct-1", "acct-2"):
        registry.set_standing(customer, Standing.TERMINATED, since=terminated, why="Spam.", at=NOON, actor="tests")
    # One goes on; one is heard of behind another network only; one is a customer still, and behind it is the first.
    text = "\n".join(
        [
            said.dump("64510 64500", peer_as=64510, prefix="203.0.113.16/28"),
            said.dump("64510 64499 64501", peer_as=64510, prefix="203.0.113.32/28"),
            said.dump("64510 64502", peer_as=64510, prefix="203.0.113.48/28"),
        ]
    )
    looked(office, "routes", text, own_asn=64510)
    ((finding, count),) = list_late_uses()
    assert (finding.customer, finding.reason, count) == ("acct-1", LateUseReason.CUSTOMER_TERMINATED, 1)
    assert (finding.use.what, finding.use.seen_at) == ("203.0.113.16/28 AS64500", NOON)
    [told] = [one for one in list_measured() if one.sighting.kind == "service.used_after_end"]
    assert told.sighting.account == "acct-1"
    [made] = [e for e in entries_about("detector:routes") if e.what == "measurement.made"]
    assert made.detail["found"] == 1
    looked(office, "routes", text, own_asn=64510)
    ((_, count),) = list_late_uses()
    assert count == 1, "the same file again changes nothing"


# Those who asked for it


def leave(detector: str, customer: str = "acct-1", *, until: datetime = LATER + DAY) -> None:
    note_leave(customer, detector, until=until, shown_by="Their letter.", at=NOON - 30 * DAY, actor="tests")


def test_an_open_service_of_a_customer_who_asked_becomes_a_case(office: Office) -> None:
    office.admit("acct-1", exposed.ADDRESS)
    leave("exposure")
    assert [str(prefix) for _, prefix in asked_for("exposure", at=NOON)] == [f"{exposed.ADDRESS}/32"]
    looked(office, "exposure", exposed.scan(exposed.port(6379)))
    case = case_under("hosts.open_services")
    assert (case.customer, case.decides) == ("acct-1", Role.ANALYST)


def test_who_did_not_ask_or_took_it_back_is_not_held_to_a_scan(office: Office) -> None:
    office.admit("acct-1", exposed.ADDRESS)
    looked(office, "exposure", exposed.scan(exposed.port(6379)))
    leave("exposure", until=NOON - 10 * DAY)
    assert asked_for("exposure", at=NOON) == []
    looked(office, "exposure", exposed.scan(exposed.port(9200)))
    assert {m.reason for m in list_measured()} == {Reason.BELOW_THRESHOLD}
    assert list_cases() == []


def test_old_software_of_a_customer_who_asked_becomes_a_case(office: Office) -> None:
    office.admit("acct-1", exposed.ADDRESS)
    leave("exposure")
    text = exposed.scan(exposed.port(22, service=exposed.SSH.format("7.4")))
    looked(office, "exposure", text, needed={"openssh": "9.8"})
    assert case_under("hosts.patching").customer == "acct-1"


def test_a_listing_becomes_a_case_of_who_holds_the_address(office: Office) -> None:
    office.admit("acct-1", "192.0.2.10")
    looked(office, "listings", said.answers((0, "bl.example.org", ""), (1, "bl.example.org", "127.0.0.2")))
    case = case_under("reputation.listing")
    assert (case.customer, case.resource) == ("acct-1", "192.0.2.10")


@pytest.mark.parametrize(
    ("headers", "clause"),
    [([exposed.OURS, exposed.BELIEVED], "duty.mail_peers"), ([exposed.OURS], "duty.mail_headers")],
)
def test_a_test_message_becomes_a_case_of_whose_server_it_was(office: Office, headers: list[str], clause: str) -> None:
    office.admit("acct-1")
    leave("mail-probe")
    looked(office, "mail-probe", exposed.message(*headers))
    assert case_under(clause).customer == "acct-1"


def test_a_test_article_becomes_a_case_of_whose_server_it_was(office: Office) -> None:
    office.admit("acct-1")
    leave("news-probe")
    looked(office, "news-probe", exposed.message("Path: news.operator.example.net!not-for-mail"))
    assert case_under("duty.usenet_path").customer == "acct-1"


# Contacts and profiles


def test_a_stale_contact_in_a_registry_becomes_a_case_of_whose_record_it_is(office: Office) -> None:
    office.admit("acct-1")
    give(office, ResourceKind.HANDLE, "ORG-EX1-EXAMPLE")
    gone = [(day, "ORG-EX1-EXAMPLE", "noc@example.net", said.GONE) for day in (0, 8)]
    looked(office, "contacts", said.contacts(*gone))
    assert case_under("routes.registry_records").customer == "acct-1"


def test_a_contact_who_was_named_to_us_and_is_not_reached_becomes_a_case(office: Office) -> None:
    office.admit("acct-1")
    office.admit("acct-2")
    people = [Representative(name="A", email=e) for e in ("acct-2@customer.example.com", "deputy@customer.example.com")]
    registry.designate("acct-2", people, at=MOVED_IN, actor="import")
    gone = [(0, "", f"acct-{n}@customer.example.com", said.GONE) for n in (1, 2)]
    looked(office, "contacts", said.contacts(*gone))
    assert case_under("duty.representative").customer == "acct-1", "the other one has a deputy"


def test_a_service_unlike_its_profile_becomes_a_case(office: Office) -> None:
    office.admit("acct-1", "192.0.2.10")
    looked(office, "profile", said.sent(*[100] * 14, 5000))
    case = case_under("conduct.intended_purpose")
    assert (case.customer, case.decides) == ("acct-1", Role.ANALYST)
