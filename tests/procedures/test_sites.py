"""Whose site it was: the rows that name the customer stand in the proof, and the whole window is asked."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest
from django.contrib.auth.models import User
from typer.testing import CliRunner

from tipstaff.cli.main import app
from tipstaff.enforcement.guards import Limits
from tipstaff.enforcement.pages import page_of
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures.offender import who_answered, who_did_it
from tipstaff.procedures.weighing import weigh_for
from tipstaff.registry.operations import add_site
from tipstaff.registry.queries import customers_named_by, names_of_customers
from tipstaff.registry.resources import hold_resource
from tipstaff.web.console import reads
from tipstaff.web.console.sentences import tell_all
from tipstaff.web.roles import give_roles
from tipstaff.words import (
    Allegation,
    AttributionReason,
    Degree,
    Grade,
    MeasureState,
    Moment,
    Resource,
    ResourceKind,
    Role,
    Rung,
    Scope,
    Sighting,
    host_of,
)

from .office import HOUR, MOVED_IN, NOON, Office
from .test_every_clause import read_as

ADDRESS, NAME = ip_address("198.51.100.7"), "shop.example.net"
BEGIN = NOON - timedelta(days=100)


def host(customer: str, since: datetime = MOVED_IN, until: datetime | None = None, *, name: str = NAME) -> None:
    more = {"since": since, "until": until, "at": MOVED_IN, "actor": "import"}
    add_site(name, address=ADDRESS, customer=customer, service=None, **more)


def ask(at: datetime, *, error: float = 1.0, url: str = f"http://{NAME}/offer"):
    alleged = Allegation(type="content/phishing", url=url, moment=Moment(at, error))
    return who_did_it(alleged, received_at=NOON)


@pytest.fixture
def shop(office: Office) -> Office:
    office.admit("acct-1")
    office.admit("acct-2")
    return office


def test_a_site_that_went_and_came_back_within_the_window_names_nobody(shop):
    host("acct-1", until=BEGIN)
    host("acct-2", BEGIN, BEGIN + HOUR)
    host("acct-1", BEGIN + HOUR)
    answer = ask(BEGIN + HOUR / 2, error=2 * 3600)
    assert (answer.grade, answer.reason) == (Grade.AMBIGUOUS, AttributionReason.SEVERAL_HOLDERS_IN_WINDOW)
    assert answer.customer is None
    assert [s.customer for s in answer.sites] == ["acct-1", "acct-2", "acct-1"]
    assert ask(BEGIN + HOUR / 2, error=60).customer == "acct-2"
    assert ask(BEGIN + 2 * HOUR, error=60).customer == "acct-1"


@pytest.mark.parametrize(
    ("url", "customer"),
    [
        (f"http://{NAME}\\@evil.example.org/", "acct-1"),
        (f"http://evil.example.org\\@{NAME}/", None),
        (f"http:\\\\evil.example.org\\@{NAME}/", None),
        (f"http://evil.example.org/\\@{NAME}/", None),
        (f"http://evil.example.org@{NAME}/", "acct-1"),
        (f"http://{NAME}@evil.example.org/", None),
    ],
)
def test_a_page_is_its_hosts_that_a_browser_would_ask(shop, url, customer):
    host("acct-1")
    assert ask(BEGIN, url=url).customer == customer
    page = page_of(url)
    assert page is None or page.host == host_of(url)


def test_a_pause_in_the_midst_of_the_window_is_probable(shop):
    host("acct-1", until=BEGIN)
    host("acct-1", BEGIN + HOUR)
    answer = ask(BEGIN + HOUR / 2, error=2 * 3600)
    assert (answer.grade, answer.reason) == (Grade.PROBABLE, AttributionReason.EDGE_IN_WINDOW)
    assert answer.customer == "acct-1"
    assert ask(BEGIN + HOUR / 2, error=60).reason is AttributionReason.NOT_OUR_SPACE
    host("acct-1", BEGIN, BEGIN + HOUR)
    assert ask(BEGIN + HOUR / 2, error=2 * 3600).grade is Grade.CONFIRMED


def test_the_answer_stops_at_the_reseller_at_the_top(office):
    office.admit("acct-9", is_reseller=True)
    office.admit("acct-8", is_reseller=True, reseller="acct-9")
    office.admit("acct-3", reseller="acct-8")
    host("acct-3")
    answer = ask(BEGIN)
    assert (answer.reason, answer.customer, answer.downstream) == (
        AttributionReason.ONE_RESELLER, "acct-9", "acct-3"
    )  # fmt: skip


def test_the_row_of_the_site_stands_in_the_record_and_on_the_cases_page(shop, client):
    host("acct-1")
    answer = who_answered(NAME, moment=Moment(BEGIN), received_at=NOON)
    assert answer is not None
    assert [str(h.prefix) for h in answer.proof] == ["198.51.100.0/24"]
    alleged = Allegation(type="content/phishing", url=f"http://{NAME}/offer", moment=Moment(NOON - HOUR))
    report = read_as(shop, alleged, of_person=False)
    case = shop.case_of(report)
    (judged,) = [e for e in entries_about(report.key) if e.what == "incident.judged"]
    (row,) = judged.detail["sites"]
    assert (row["host_name"], row["address"], row["customer"], row["until"]) == (NAME, str(ADDRESS), "acct-1", None)
    page = reads.case_page(case.key, at=NOON)
    assert page is not None
    assert page.attribution is not None
    site = page.attribution.rows[0]
    assert (site.word, site.what, site.named, site.customer) == ("site", NAME, str(ADDRESS), "acct-1")
    assert site.until is None
    [step] = tell_all([judged])
    assert step.text.startswith(f"acct-1 had the site {NAME} at {ADDRESS} from 2024-01-01 00:00 UTC until now;")
    lena = User.objects.create_user("lena")
    give_roles(lena, frozenset({Role.LEAD}))
    client.force_login(lena)
    shown = client.get(f"/console/cases/{case.key}").content.decode()
    held = shown[shown.index('id="held-h"') :]
    assert f'<span class="mono">{NAME}</span>' in held[: held.index("</section>")]


def test_who_takes_a_host_name_and_shows_its_row(shop):
    host("acct-1")
    shown = CliRunner().invoke(app, ["registry", "who", NAME, "--at", "2026-02-01T12:00:00Z"]).output
    assert shown.startswith("CONFIRMED: acct-1\n")
    row = [NAME, f"    address: {ADDRESS}", "    from (UTC): 2024-01-01 00:00:00", "    customer: acct-1"]
    assert "\n".join(row) in shown
    told = json.loads(CliRunner().invoke(app, ["registry", "who", NAME, "--json"]).output)
    assert told["sites"][0]["host_name"] == NAME
    assert "NONE: nobody is named" in CliRunner().invoke(app, ["registry", "who", "other.example.org"]).output


def test_a_stopped_page_is_let_go_when_its_name_changes_hands(shop):
    shop.limits = lambda at: Limits(own=(), owns_name=lambda name: bool(customers_named_by(name, at=NOON)))
    moves = NOON + timedelta(days=10)
    host("acct-1", until=moves)
    host("acct-2", moves)
    alleged = Allegation(type="content/phishing", url=f"http://{NAME}/offer", moment=Moment(NOON - HOUR))
    case = shop.case_of(read_as(shop, alleged, of_person=False))
    shop.post(at=NOON)
    due = shop.fresh(case.key).due_at
    assert due is not None
    shop.deadlines(at=due)
    shop.enforce(at=due)
    (measure,) = shop.measures(case)
    assert (str(measure.selector), measure.selector.scope) == (f"http://{NAME}/offer", Scope.ITEM)
    assert measure.state is MeasureState.IN_FORCE
    shop.follow(at=due + HOUR)
    assert shop.measures(case)[0].state is MeasureState.IN_FORCE
    shop.follow(at=moves)
    assert shop.measures(case)[0].state is MeasureState.LIFTING


def test_many_names_are_known_at_once_as_each_by_itself(shop):
    host("acct-1", until=NOON)
    hold_resource(
        Resource(kind=ResourceKind.MAILBOX, name="Anna@example.net", customer="acct-1", held_from=MOVED_IN),
        at=NOON, actor="import",
    )  # fmt: skip
    names = {NAME, NAME.upper(), "anna@EXAMPLE.net", "nobody@example.net", "other.example.org", f"a@{NAME}", "", "%"}
    for at in (BEGIN, NOON - HOUR, NOON, MOVED_IN - HOUR):
        each = {name for name in names if customers_named_by(name, at=at)}
        assert names_of_customers(names, at=at) == each
    assert NAME in names_of_customers(names, at=NOON - HOUR)
    assert NAME not in names_of_customers(names, at=NOON)
    assert "anna@EXAMPLE.net" in names_of_customers(names, at=NOON)
    assert names_of_customers([], at=NOON) == frozenset()


def test_a_page_whose_site_the_registry_does_not_know_is_never_stopped_by_its_name(shop):
    shop.limits = lambda at: Limits(own=(), owns_name=lambda name: bool(customers_named_by(name, at=NOON)))
    host("acct-1")
    alleged = Allegation(type="content/phishing", url=f"http://{NAME}/offer", moment=Moment(NOON - HOUR))
    case = shop.case_of(read_as(shop, alleged, of_person=False))
    shop.post(at=NOON)
    due = shop.fresh(case.key).due_at
    assert due is not None
    shop.deadlines(at=due)
    shop.limits = lambda at: Limits(own=(), owns_name=lambda _: False)
    shop.enforce(at=due)
    (measure,) = shop.measures(case)
    assert measure.state is MeasureState.FAILED
    assert measure.proof_detail.startswith(f"{NAME} is not a site of a customer of ours")
    assert shop.twin.rules() == []


def test_a_mailbox_that_our_own_mail_system_names_is_what_a_measure_takes(shop):
    hold_resource(
        Resource(kind=ResourceKind.MAILBOX, name="anna@example.net", customer="acct-1", held_from=MOVED_IN),
        at=MOVED_IN, actor="import",
    )  # fmt: skip

    def chosen(conduct, customer="acct-1"):
        found = weigh_for(
            customer=customer, service=None, ladder=(Rung(scope=Scope.MAILBOX, degree=Degree.HOLD),), measure_ports=(),
            direction=None, allegation=conduct, desk=shop.desk, at=NOON,
        )  # fmt: skip
        return [c.selector.mailbox for c in found if c.chosen]

    seen = Sighting(kind="mail.volume", moment=Moment(NOON), facts={"mailbox": "Anna@example.net"})
    assert chosen(seen) == ["anna@example.net"]
    assert chosen(seen, "acct-2") == []
    assert chosen(replace(seen, facts={"login": "berta@example.net"})) == []
    assert chosen(Allegation(type="messaging/spam", target="anna@example.net")) == []
