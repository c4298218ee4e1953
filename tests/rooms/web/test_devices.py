"""Devices and measures for people, at a terminal and in the console; and what takes two of them."""

import contextlib
import dataclasses
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from typer.testing import CliRunner

from tipstaff import wiring
from tipstaff.cli.main import app
from tipstaff.config import BrandConfig, DeviceConfig
from tipstaff.enforcement import operations, queries
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.guards import Limits, refusal
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures.enforcing import reconcile
from tipstaff.registry import operations as registry
from tipstaff.web.roles import give_roles
from tipstaff.words import (
    Candidate,
    Customer,
    Degree,
    Direction,
    HoldingKind,
    MeasureState,
    Representative,
    Role,
    Selector,
    Tier,
)

LogIn = Callable[..., Client]
EDGE = "edge1"


@pytest.fixture
def edge(db: None, at: datetime, monkeypatch: pytest.MonkeyPatch) -> MemoryTwin:
    """A device of the settings that holds what is wanted, and two who may lift."""
    twin = MemoryTwin(EDGE)
    settings = dataclasses.replace(
        wiring.settings(), devices=(DeviceConfig(name=EDGE, driver="memory", protected=("192.0.2.1",)),)
    )
    monkeypatch.setattr(wiring, "settings", lambda: settings)
    monkeypatch.setattr(wiring, "drivers", lambda: (twin,))
    monkeypatch.setattr("tipstaff.cli.measures.database", contextlib.nullcontext)
    desk = dataclasses.replace(wiring.desk(), enqueue=lambda *_: None)
    monkeypatch.setattr(wiring, "desk", lambda: desk)
    named = Representative(name="Desk", email="desk@customer.example.com")
    for n in (7, 8):
        registry.add_customer(
            Customer(key=f"acct-{n}", name=f"Placeholder {n}", representative=named), at=at, actor="import"
        )
    registry.hold(tier=Tier.OPERATOR, kind=HoldingKind.POOL, prefix=ip_network("192.0.2.0/24"), source="plan",
                  held_from=at - timedelta(days=9), at=at, actor="import")  # fmt: skip
    for name, role in (("anna", Role.LEAD), ("emil", Role.ENGINEER), ("ole", Role.ANALYST)):
        give_roles(User.objects.create_user(name), frozenset({role}))
    return twin


@pytest.fixture
def two(edge: MemoryTwin, monkeypatch: pytest.MonkeyPatch) -> tuple[MemoryTwin, MemoryTwin]:
    """A second device of the same driver, and one of another."""
    (config,) = wiring.settings().devices
    others = [
        dataclasses.replace(config, name=name, driver=driver) for name, driver in (("edge2", "memory"), ("n", "rpz"))
    ]
    settings = dataclasses.replace(wiring.settings(), devices=(config, *others))
    monkeypatch.setattr(wiring, "settings", lambda: settings)
    return edge, MemoryTwin("edge2")


def planned(n: int, *, at: datetime, device: str = EDGE, others: int = 0) -> str:
    chosen = Candidate(
        selector=Selector(network=ip_network(f"192.0.2.{n}"), protocol="tcp", port=25, direction=Direction.OUT),
        degree=Degree.BLOCK, device=device, sufficient=True, others_hit=others, services_hit=1,
        chosen=True, why="Narrowest.",
    )  # fmt: skip
    return operations.plan_measure(
        case="C-000001", customer=f"acct-{n % 250}", candidates=[chosen], chosen=chosen, until=at + timedelta(days=7),
        lifted_when="It is fixed.", notice="L-000001", urgency=None, at=at, actor="worker",
    )  # fmt: skip


def theirs(n: int, *, at: datetime) -> None:
    """The address is this customer's."""
    registry.hold(tier=Tier.CUSTOMER, kind=HoldingKind.STATIC, prefix=ip_network(f"192.0.2.{n}/32"), source="plan",
                  customer=f"acct-{n}", held_from=at - timedelta(days=1), at=at, actor="import")  # fmt: skip


def a_round(edge: MemoryTwin, at: datetime, **limits: int) -> None:
    fence = operations.become_writer(edge.device, at=at)
    reconcile(edge, fence=fence, limits=Limits(own=(ip_network("192.0.2.0/24"),), **limits), at=at)
    operations.stop_writing(fence)


def run(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    if exit_code == 0 and result.exception is not None:
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result.output


def rows(*arguments: str, exit_code: int = 0) -> list[dict[str, object]]:
    return [json.loads(line) for line in run(*arguments, "--json", exit_code=exit_code).splitlines()]


def state_of(key: str) -> MeasureState:
    found = queries.get_measure(key)
    assert found is not None
    return found.state


def test_what_a_guard_refuses_is_said_with_why(edge: MemoryTwin, at: datetime) -> None:
    theirs(7, at=at)
    good, refused = planned(7, at=at), planned(1, at=at)
    (told,) = rows("apply", exit_code=1)
    measure = queries.get_measure(refused)
    assert measure is not None
    assert measure.proof_detail
    assert told["refused"] == [refused]
    again = planned(1, at=at)
    said = run("apply", exit_code=1)
    assert "1 refused" in said
    assert f"  refuse {again}  {measure.proof_detail}" in said
    assert state_of(good) is MeasureState.IN_FORCE
    assert "refused" not in run("apply"), "it is said once"


def test_what_is_wanted_tried_and_done_can_be_followed_at_a_terminal(edge: MemoryTwin, at: datetime) -> None:
    theirs(7, at=at)
    key = planned(7, at=at)
    (told,) = rows("plan")
    assert (told["device"], [r["measure"] for r in told["rules"]]) == (EDGE, [key])  # type: ignore[union-attr]  # JSON
    assert f"{key}  block tcp/25 from 192.0.2.7 until 2026-05-11 12:00  C-000001" in run("plan", "--device", EDGE)
    dry = run("apply", "--dry-run")
    assert f"apply  {key}  block tcp/25 from 192.0.2.7" in dry
    assert "also hits 0 other account(s) and 1 other service(s)" in dry
    assert edge.observe(at=at).rules == (), "a dry run sends nothing"
    assert state_of(key) is MeasureState.PLANNED
    (drift,) = rows("drift", exit_code=1)
    assert drift["drift"] == [{"measure": key, "seen": "absent"}]
    assert f"  {key}  block tcp/25 from 192.0.2.7: wanted, and not there\n" in run("drift", exit_code=1)
    assert "1 step(s), 1 measure(s) turned" in run("apply")
    assert state_of(key) is MeasureState.IN_FORCE
    assert f"{EDGE}: as it is wanted" in run("drift")
    (measure,) = rows("measures", "--device", EDGE, "--state", "in_force")
    assert (measure["measure"], measure["why"], measure["proof"]) == (key, "Narrowest.", "state")
    assert measure["proof_at"] == at.isoformat()
    assert f"state {at:%Y-%m-%d %H:%M}" in run("measures"), "how surely, and since when that is known"
    edge.forget()
    assert f"  {key}  block tcp/25 from 192.0.2.7: wanted, and not there\n" in run("drift", exit_code=1)
    run("apply")
    assert rows("measures", "--customer", "acct-8") == []
    assert f"{key} is being lifted." in run("lift", key, "--by", "anna", "--why", "A mistake.")
    run("apply")
    assert state_of(key) is MeasureState.LIFTED
    assert "(anna)" not in run("measures")


def test_a_dry_run_names_everybody_who_would_be_hit_and_what_is_refused(edge: MemoryTwin, at: datetime) -> None:
    for n, ports in ((7, (0, 32_767)), (8, (32_768, 65_535))):
        registry.hold(tier=Tier.CUSTOMER, kind=HoldingKind.PORT_BLOCK, prefix=ip_network("192.0.2.7/32"), source="plan",
                      customer=f"acct-{n}", port_first=ports[0], port_last=ports[1], held_from=at - timedelta(days=1),
                      at=at, actor="import")  # fmt: skip
    key, never = planned(7, at=at, others=1), planned(1, at=at)
    dry = run("apply", "--dry-run")
    assert "also hits acct-8" in dry
    assert f"refuse {never}  It would touch 192.0.2.1/32, which is protected." in dry
    (told,) = rows("apply", "--dry-run")
    assert [s["measure"] for s in told["steps"]] == [key]  # type: ignore[union-attr]  # JSON
    assert told["steps"][0]["collateral"]["accounts"] == ["acct-8"]  # type: ignore[index]  # JSON


def test_what_the_settings_name_as_our_own_is_touched_on_no_device(
    edge: MemoryTwin, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config,) = wiring.settings().devices
    told = dataclasses.replace(
        config, options={"server": "[2001:db8::53]:53", "resolvers": ["192.0.2.8:53"], "page": "x"}
    )
    settings = dataclasses.replace(wiring.settings(), devices=(told,))
    monkeypatch.setattr(wiring, "settings", lambda: settings)
    assert [str(n) for n in wiring.infrastructure()] == ["192.0.2.8/32", "2001:db8::53/128"]
    theirs(7, at=at)
    free, ours = planned(7, at=at), planned(8, at=at)
    dry = run("apply", "--dry-run", "--device", EDGE)
    assert f"refuse {ours}  It would touch 192.0.2.8/32, which is protected." in dry
    assert f"apply  {free}" in dry


def test_our_own_pages_and_mailboxes_and_those_of_a_brand_are_touched_on_no_device(
    edge: MemoryTwin, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = wiring.settings()
    north = BrandConfig(name="north", address="abuse@north.example", public_url="https://abuse.north.example:8443")
    branded = dataclasses.replace(
        own, brands=(north, BrandConfig(name="bare")),
        operator=dataclasses.replace(own.operator, abuse_address="abuse@example.net"),
        web=dataclasses.replace(own.web, public_url="https://abuse.example.net"),
    )  # fmt: skip
    monkeypatch.setattr(wiring, "settings", lambda: branded)
    (config,) = branded.devices
    limits = wiring.limits(config, at=at)
    for selector in (
        Selector(host_name="abuse.example.net"), Selector(host_name="abuse.north.example"),
        Selector(mailbox="abuse@example.net"), Selector(mailbox="abuse@north.example"),
    ):  # fmt: skip
        assert "is protected" in (refusal(selector, limits) or ""), selector


def test_nobodys_account_is_suspended_on_no_device(edge: MemoryTwin, at: datetime) -> None:
    (config,) = wiring.settings().devices
    limits = wiring.limits(config, at=at)
    assert refusal(Selector(account="acct-7"), limits) is None
    assert "not the account of a customer" in (refusal(Selector(account="acct-77"), limits) or "")
    assert "not a service of a customer" in (refusal(Selector(service="svc-77"), limits) or "")


def test_what_is_somebody_elses_by_now_is_not_sent(edge: MemoryTwin, at: datetime) -> None:
    theirs(7, at=at)
    key, former = planned(7, at=at), planned(8, at=at)
    dry = run("apply", "--dry-run")
    assert f"apply  {key}" in dry
    assert f"refuse {former}  acct-8 does not hold 192.0.2.8/32 now." in dry
    run("apply", exit_code=1)
    assert [state_of(each) for each in (key, former)] == [MeasureState.IN_FORCE, MeasureState.FAILED]


def test_a_device_that_cannot_be_read_is_said_to_be_so(edge: MemoryTwin, at: datetime) -> None:
    planned(7, at=at)
    edge.unreachable = True
    assert "cannot be read: The device does not answer." in run("drift", exit_code=1)
    assert run("measures", "--state", "lifted") == "There is no such measure.\n"
    assert rows("measures", "--state", "lifted") == []
    assert "nothing would be sent" in run("apply", "--dry-run", exit_code=1)
    assert "does not answer" in run("apply", exit_code=1)


def test_a_device_in_trouble_comes_into_the_inbox_and_goes_when_it_is_well(
    edge: MemoryTwin, at: datetime, log_in: LogIn
) -> None:
    client = log_in(Role.ENGINEER, name="eve")

    def inbox() -> tuple[list[str], bool, int]:
        told = client.get("/api/inbox").json()
        return (
            told["devices"],
            "Devices in trouble" in client.get(reverse("console:inbox")).content.decode(),
            told["numbers"]["waiting"],
        )

    quiet = inbox()
    assert quiet[:2] == ([], False)
    planned(7, at=at)
    edge.unreachable = True
    for _ in range(queries.SILENT_AFTER - 1):
        a_round(edge, at)
    assert inbox() == quiet, "it may be back in a moment"
    a_round(edge, at)
    assert inbox() == ([EDGE], True, quiet[2] + 1)
    assert "The device does not answer." in client.get(reverse("console:inbox")).content.decode()
    edge.unreachable = False
    a_round(edge, at)
    assert inbox() == quiet
    planned(8, at=at)
    a_round(edge, at, new_rules_max=0)
    assert inbox() == ([EDGE], True, quiet[2] + 1), "what is held back waits for two people"


def test_who_has_not_the_role_lifts_nothing(edge: MemoryTwin, at: datetime) -> None:
    key = planned(7, at=at)
    assert "ole has not the role" in run("lift", key, "--by", "ole", "--why", "x", exit_code=1)
    assert "nobody has not the role" in run(
        "lift", "--everything-on", EDGE, "--by", "nobody", "--why", "x", exit_code=1
    )
    assert "There is no measure M-999999" in run("lift", "M-999999", "--by", "anna", "--why", "x", exit_code=1)
    assert "name no device other" in run("plan", "--device", "other", exit_code=1)
    assert "There is no device other" in run("measures", "--device", "other", exit_code=1)
    assert "There is no customer acct-77" in run("measures", "--customer", "acct-77", exit_code=1)
    run("lift", key, "--by", "anna", exit_code=2)
    run("lift", "--by", "anna", "--why", "x", exit_code=2)
    assert state_of(key) is MeasureState.PLANNED


def test_everything_on_a_device_is_lifted_by_two_people_and_both_are_on_record(edge: MemoryTwin, at: datetime) -> None:
    keys = [planned(7, at=at), planned(8, at=at)]
    a_round(edge, at)
    red = ("lift", "--everything-on", EDGE)
    assert "Nobody has asked" in run(*red, "--agree", "--by", "emil", exit_code=1)
    assert "nothing is lifted yet" in run(*red, "--by", "anna", "--why", "It drops everything.")
    assert "another person must" in run(*red, "--agree", "--by", "anna", exit_code=1)
    assert {state_of(key) for key in keys} == {MeasureState.IN_FORCE}
    assert "2 measure(s) are being lifted" in run(*red, "--agree", "--by", "emil")
    a_round(edge, at)
    assert {state_of(key) for key in keys} == {MeasureState.LIFTED}
    said = [e for e in entries_about(EDGE) if e.what == "device.lift_all_agreed"]
    assert [(e.detail["asked_by"], e.detail["agreed_by"], e.detail["count"]) for e in said] == [("anna", "emil", 2)]
    lifting = next(e for e in entries_about(keys[0]) if e.what == "measure.lifting")
    assert (lifting.actor, lifting.detail["why"]) == (
        "anna, emil",
        f"Everything on {EDGE} is lifted: It drops everything.",
    )
    assert "Nobody has asked" in run(*red, "--agree", "--by", "emil", exit_code=1), "once agreed it is used up"


def test_everything_of_one_driver_is_lifted_by_two_people_on_all_its_devices_at_once(
    two: tuple[MemoryTwin, MemoryTwin], at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [planned(7, at=at), planned(8, at=at, device="edge2")]
    other = planned(9, at=at, device="n")
    for device in two:
        a_round(device, at)
    red = ("lift", "--everything-of", "memory")
    assert "Nobody has asked" in run(*red, "--agree", "--by", "emil", exit_code=1)
    assert "memory (edge1, edge2): nothing is lifted yet" in run(*red, "--by", "anna", "--why", "It drops all.")
    assert "another person must" in run(*red, "--agree", "--by", "anna", exit_code=1)
    assert "ole has not the role" in run(*red, "--agree", "--by", "ole", exit_code=1)
    assert {state_of(key) for key in keys} == {MeasureState.IN_FORCE}
    assert "memory: 2 measure(s) are being lifted." in run(*red, "--agree", "--by", "emil")
    for device in two:
        a_round(device, at)
        (said,) = [e for e in entries_about(device.device) if e.what == "device.lift_all_agreed"]
        assert (said.actor, said.detail["asked_by"], said.detail["driver"]) == ("emil", "anna", "memory")
    assert {state_of(key) for key in keys} == {MeasureState.LIFTED}
    assert state_of(other) is MeasureState.PLANNED, "another driver's is not touched"
    lifting = next(e for e in entries_about(keys[1]) if e.what == "measure.lifting")
    assert lifting.detail["why"] == "Everything of the driver memory is lifted: It drops all."
    assert "Nobody has asked" in run(*red, "--agree", "--by", "emil", exit_code=1), "once agreed it is used up"
    for device in two:
        a_round(device, at + timedelta(hours=1))
        assert device.observe(at=at).rules == (), "nothing comes back by itself"
    # A new decision is a new measure, with a notice or a ground of its own.
    assert planned(7, at=at) not in keys
    assert "name no device of a driver nginx; there are memory, rpz" in run(
        "lift", "--everything-of", "nginx", "--by", "anna", "--why", "x", exit_code=1
    )
    for bad in (("--why", "x", "--everything-on", EDGE), ("--why", "x", "--agree"), ()):
        run(*red, "--by", "anna", *bad, exit_code=2)
    run(*red, "--by", "anna", "--why", "Again.")
    monkeypatch.setattr(wiring, "now", lambda: at + timedelta(hours=4, seconds=1))
    assert "Nobody has asked" in run(*red, "--agree", "--by", "emil", exit_code=1), "it has lapsed"


def test_a_device_that_came_to_the_driver_after_it_was_asked_keeps_its_measures(
    two: tuple[MemoryTwin, MemoryTwin], at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, later = planned(7, at=at), planned(8, at=at, device="edge2")
    settings = wiring.settings()
    monkeypatch.setattr(wiring, "settings", lambda: dataclasses.replace(settings, devices=settings.devices[:1]))
    run("lift", "--everything-of", "memory", "--by", "anna", "--why", "It drops all.")
    monkeypatch.setattr(wiring, "settings", lambda: settings)
    run("lift", "--everything-of", "memory", "--agree", "--by", "emil")
    assert (state_of(key), state_of(later)) == (MeasureState.LIFTED, MeasureState.PLANNED)


def test_all_devices_of_a_driver_are_lifted_or_none_and_whoever_agrees_is_told_which_one_is_missing(
    two: tuple[MemoryTwin, MemoryTwin], at: datetime, log_in: LogIn
) -> None:
    keys = [planned(7, at=at), planned(8, at=at, device="edge2")]
    red, desk = ("lift", "--everything-of", "memory"), log_in(Role.LEAD, name="emil")
    run(*red, "--by", "anna", "--why", "It drops all.")
    desk.post(reverse("console:device_act", args=["edge2", "lift-all"]), {"why": "This one at least."})
    told = "on edge2 no more"
    assert told in run(*red, "--agree", "--by", "emil", exit_code=1)
    agree = reverse("console:driver_act", args=["memory", "lift-all-agreed"])
    assert told in desk.post(agree, follow=True).content.decode()
    answer = desk.post("/api/drivers/memory/lift-all-agreed", {}, "application/json")
    assert (answer.status_code, told in answer.json()["detail"]) == (409, True)
    assert {state_of(key) for key in keys} == {MeasureState.PLANNED}, "none of them"
    log_in(Role.LEAD, name="anna").post(reverse("console:device_act", args=["edge2", "lift-all-agreed"]))
    assert "memory: 1 measure(s)" in run(*red, "--agree", "--by", "emil"), "on the other nothing is wanted any more"
    assert {state_of(key) for key in keys} == {MeasureState.LIFTED}


def test_what_was_asked_for_lapses(edge: MemoryTwin, at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    key = planned(7, at=at)
    run("lift", "--everything-on", EDGE, "--by", "anna", "--why", "Quick!")
    monkeypatch.setattr(wiring, "now", lambda: at + timedelta(hours=4, seconds=1))
    run("lift", "--everything-on", EDGE, "--agree", "--by", "emil", exit_code=1)
    assert state_of(key) is MeasureState.PLANNED


def test_a_mass_that_is_held_back_passes_when_two_people_say_so_and_the_next_does_not(
    edge: MemoryTwin, at: datetime
) -> None:
    assert "holds nothing back" in run("let-pass", EDGE, "--by", "anna", "--why", "A worm.", exit_code=1)
    first = [planned(n, at=at) for n in (7, 8)]
    a_round(edge, at, new_rules_max=1)
    assert {state_of(key) for key in first} == {MeasureState.PLANNED}
    assert "held back: 2 new measures" in run("plan")
    run("let-pass", EDGE, "--by", "anna", "--why", "A worm.")
    assert "another person must" in run("let-pass", EDGE, "--agree", "--by", "anna", exit_code=1)
    assert "2 new measure(s) may pass" in run("let-pass", EDGE, "--agree", "--by", "emil")
    later = at + timedelta(minutes=1)
    a_round(edge, later, new_rules_max=1)
    assert {state_of(key) for key in first} == {MeasureState.IN_FORCE}
    more = [planned(n, at=later) for n in (9, 10)]
    a_round(edge, later, new_rules_max=1)
    assert {state_of(key) for key in more} == {MeasureState.PLANNED}, "they are a matter of their own"


def test_the_devices_page_shows_desired_seen_drift_and_history(edge: MemoryTwin, at: datetime, log_in: LogIn) -> None:
    held, waits = planned(7, at=at), ""
    a_round(edge, at)
    waits = planned(8, at=at)
    edge.put_foreign("a rule by hand")
    a_round(edge, at + timedelta(seconds=5), new_rules_max=0)
    client = log_in(Role.ANALYST)
    assert f'href="{reverse("console:device", args=[EDGE])}"' in client.get(reverse("console:devices")).content.decode()
    page = client.get(reverse("console:device", args=[EDGE])).content.decode()
    proven = f'Read back</span> <span class="muted whitespace-nowrap"><time datetime="{at.isoformat()}"'
    since = f'since <time datetime="{at.isoformat()}"'
    (row,) = (x for x in page.partition('id="want-h"')[2].split("<tr ") if f'id="row-{held}"' in x)
    assert (proven in row, since in row) == (True, True), row
    of_it = client.get(reverse("console:measure", args=[held])).content.decode()
    assert proven.replace("</span> <span", "</span><span") in of_it
    assert f'at <time datetime="{at.isoformat()}"' in of_it or f" at {at:%Y-%m-%d %H:%M}" in of_it
    for shown in (held, waits, "Not as it is wanted", "a rule by hand", "2 new measures within an hour", "192.0.2.1"):
        assert shown in page, shown
    assert "New measures held back" in page, "its history"
    assert "About to write" in page, "each writing to it is part of that"
    assert "Ended lately" not in page
    operations.want_lifted(held, why="Fixed.", at=at, actor="anna")
    a_round(edge, at + timedelta(seconds=10))
    page = client.get(reverse("console:device", args=[EDGE])).content.decode()
    assert "Ended lately" in page
    assert "What takes two people" not in page, "an analyst lifts nothing"
    assert client.get(reverse("console:device", args=["nowhere"])).status_code == 404


def test_the_red_button_takes_two_people_in_the_console_too(edge: MemoryTwin, at: datetime, log_in: LogIn) -> None:
    key = planned(7, at=at)
    a_round(edge, at)
    first, second = log_in(Role.LEAD, name="anna"), log_in(Role.ENGINEER, name="emil")
    page, ask, agree = (
        reverse("console:device", args=[EDGE]),
        reverse("console:device_act", args=[EDGE, "lift-all"]),
        reverse("console:device_act", args=[EDGE, "lift-all-agreed"]),
    )
    assert "Say why" in first.post(ask, {"why": " "}, follow=True).content.decode()
    first.post(ask, {"why": "It drops everything."})
    assert "Another person must agree." in first.get(page).content.decode()
    assert "Agree: lift everything now" in second.get(page).content.decode()
    assert "another person must" in first.post(agree, follow=True).content.decode()
    assert state_of(key) is MeasureState.IN_FORCE
    assert "1 measures are being lifted" in second.post(agree, follow=True).content.decode()
    assert state_of(key) is MeasureState.LIFTING
    assert "Two people lifted everything" in second.get(page).content.decode()
    assert second.post(reverse("console:device_act", args=[EDGE, "burn"])).status_code == 404


def test_the_red_button_of_a_driver_has_a_page_and_takes_two_people_there_and_by_the_api(
    two: tuple[MemoryTwin, MemoryTwin], at: datetime, log_in: LogIn
) -> None:
    keys = [planned(7, at=at), planned(8, at=at, device="edge2")]
    for device in two:
        a_round(device, at)
    first, second = log_in(Role.LEAD, name="anna"), log_in(Role.ENGINEER, name="emil")
    page, ask, agree = (
        reverse("console:driver", args=["memory"]),
        reverse("console:driver_act", args=["memory", "lift-all"]),
        reverse("console:driver_act", args=["memory", "lift-all-agreed"]),
    )
    assert f'href="{page}"' in first.get(reverse("console:devices")).content.decode()
    assert "2 measures wanted on 2 devices" in first.get(page).content.decode()
    assert "Ask to lift" not in log_in(Role.ANALYST, name="olga").get(page).content.decode()
    assert "Say why" in first.post(ask, {"why": " "}, follow=True).content.decode()
    first.post(ask, {"why": "It drops <all>."})
    assert "Another person must agree." in first.get(page).content.decode()
    shown = second.get(page).content.decode()
    assert "lift everything on edge1, edge2. It drops &lt;all&gt;." in shown
    assert "Agree for edge1 only" in second.get(reverse("console:device", args=[EDGE])).content.decode()
    assert "another person must" in first.post(agree, follow=True).content.decode()
    assert {state_of(key) for key in keys} == {MeasureState.IN_FORCE}
    assert "2 measures are being lifted" in second.post(agree, follow=True).content.decode()
    assert {state_of(key) for key in keys} == {MeasureState.LIFTING}
    assert "for all devices of the driver memory" in second.get(reverse("console:device", args=[EDGE])).content.decode()
    for url in (reverse("console:driver", args=["x"]), reverse("console:driver_act", args=["memory", "let-pass"])):
        assert second.post(url).status_code in (404, 405), url

    def post(client: Client, act: str, why: str = "", driver: str = "memory") -> tuple[int, str]:
        answer = client.post(f"/api/drivers/{driver}/{act}", {"why": why}, "application/json")
        told = answer.json()
        return answer.status_code, told.get("said") or told["detail"]

    assert post(first, "lift-all")[0] == 422
    assert post(first, "lift-all", "x", driver="nginx")[0] == 404
    assert "memory (edge1, edge2): asked for" in post(first, "lift-all", "Again.")[1]
    (told,) = [d for d in second.get("/api/devices").json() if d["name"] == "edge2"]
    assert (told["driver"], told["asks"][0]["driver"]) == ("memory", "memory")
    assert post(first, "lift-all-agreed")[0] == 409
    assert post(second, "lift-all-agreed") == (200, "memory: 0 measures are being lifted.")


def test_the_red_button_takes_two_people_by_the_api_too(edge: MemoryTwin, at: datetime, log_in: LogIn) -> None:
    key = planned(7, at=at)
    a_round(edge, at)
    first, second = log_in(Role.LEAD, name="anna"), log_in(Role.ENGINEER, name="emil")

    def post(client: Client, act: str, why: str = "") -> tuple[int, str]:
        answer = client.post(f"/api/devices/{EDGE}/{act}", {"why": why}, "application/json").json()
        return answer.get("status", 200), answer.get("said") or answer["detail"]

    assert [(d["name"], d["failures"]) for d in first.get("/api/devices").json()] == [(EDGE, 0)]
    assert post(first, "lift-all")[0] == 422
    assert post(first, "lift-all", "It drops everything.") == (
        200,
        f"{EDGE}: asked for. Nothing happens until another person agrees.",
    )
    (ask,) = second.get(f"/api/devices/{EDGE}").json()["asks"]
    assert (ask["by"], ask["why"]) == ("anna", "It drops everything.")
    assert post(first, "lift-all-agreed")[0] == 409
    assert state_of(key) is MeasureState.IN_FORCE
    assert post(second, "lift-all-agreed") == (200, f"{EDGE}: 1 measures are being lifted.")
    assert state_of(key) is MeasureState.LIFTING
    assert post(second, "let-pass", "A worm.")[0] == 409
    assert second.post("/api/devices/nowhere/lift-all", {"why": "x"}, "application/json").status_code == 404
    assert second.get("/api/devices/nowhere").status_code == 404


def test_what_people_do_at_a_terminal_is_told_as_json_too(edge: MemoryTwin, at: datetime) -> None:
    keys = [planned(n, at=at) for n in (7, 8)]
    a_round(edge, at, new_rules_max=1)
    asked = ("let-pass", EDGE, "--by")
    assert rows(*asked, "anna", "--why", "A worm.") == [{"device": EDGE, "may_pass": [], "another_must_agree": True}]
    assert rows(*asked, "emil", "--agree") == [{"device": EDGE, "may_pass": keys, "another_must_agree": False}]
    said = rows("lift", keys[0], "--by", "anna", "--why", "A mistake.")
    assert said == [{"measure": keys[0], "state": "lifting"}]
    red = ("lift", "--everything-on", EDGE, "--by")
    first = {"device": EDGE, "lifting": [], "another_must_agree": True}
    assert rows(*red, "anna", "--why", "It drops all.") == [first]
    assert rows(*red, "emil", "--agree") == [{**first, "lifting": keys[1:], "another_must_agree": False}]
    of = ("lift", "--everything-of", "memory", "--by", "anna", "--why", "It drops all.")
    assert [(one["driver"], one["another_must_agree"]) for one in rows(*of)] == [("memory", True)]
    assert "Nobody has asked" in run("let-pass", EDGE, "--agree", "--by", "emil", "--json", exit_code=1), "a sentence"
