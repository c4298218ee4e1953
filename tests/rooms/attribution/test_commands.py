"""What people type: logs in, questions in, answers out with their proof."""

import json
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tipstaff.attribution.sources as built_in
from tipstaff.cli.main import app
from tipstaff.registry import operations as registry
from tipstaff.words import Customer, HoldingKind, Resource, ResourceKind, Service, ServiceKind, Tier

BY = {"at": datetime(2026, 3, 11, tzinfo=UTC), "actor": "engineer"}
SAMPLES = Path(built_in.__file__).parent
DETAIL = SAMPLES / "radius" / "samples" / "detail.log"


@pytest.fixture(autouse=True)
def operator(db):
    for kind in (HoldingKind.STATIC, HoldingKind.POOL):
        registry.hold(
            tier=Tier.OPERATOR, kind=kind, prefix=ip_network("198.51.100.0/24"), source="plan",
            held_from=datetime(2025, 1, 1, tzinfo=UTC), **BY,
        )  # fmt: skip
    for number in (1, 2):
        registry.add_customer(Customer(key=f"acct-{number}", name=f"Customer {number}", representative=None), **BY)
        service = Service(key=f"svc-{number}", customer=f"acct-{number}", kind=ServiceKind.ACCESS, port=f"dla0{number}")
        registry.add_service(service, **BY)


def run(*arguments: object, exit_code: int = 0, text: str | None = None) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"}, input=text)
    assert result.exit_code == exit_code, result.output
    return result.output


def subscribers(folder: Path) -> Path:
    file = folder / "crm.csv"
    file.write_text(
        "kind,value,service,customer,since,until\n"
        "username,alice,svc-1,,2026-01-01T00:00:00Z,\n"
        "username,bob,,acct-2,2026-01-01T00:00:00Z,\n"
        "username,carol,svc-9,,,\n"
        "mac,02:00:00:00:00:01,svc-1,acct-2,,\n"
        "username,dave,svc-1,,yesterday,\n"
    )
    return file


def test_logs_are_not_tried_out_and_nothing_of_them_is_written_then(tmp_path):
    for kind in ("subscribers", "radius-detail"):
        for option in ("--dry-run", "--rest"):
            said = run("registry", "import", option, kind, subscribers(tmp_path), exit_code=2)
            assert f"{kind} are taken in at once" in said
    assert run("registry", "changes", "--json").count("crm.csv") == 0


def test_questions_of_standard_input_may_begin_with_a_mark_of_their_order():
    (said,) = run("attribute", "-", text="\ufeffaddress,port,protocol,at\n198.51.100.7,,,\n").splitlines()
    assert (json.loads(said)["line"], "error" in json.loads(said)) == (2, False)


def test_logs_come_in_by_their_kind_and_bad_lines_are_named(tmp_path):
    said = run("registry", "import", "radius-detail", DETAIL)
    assert f"{DETAIL}:71: no User-Name" in said
    assert "2 refused, 5 bindings new; clock right to 1 s" in said
    assert "nothing new" in run("registry", "import", "radius-detail", DETAIL)
    told = json.loads(run("registry", "import", "radius-detail", "--source", "another", "--json", DETAIL))
    assert (told["records"], told["refused_total"], told["bindings"]) == (8, 2, 5)
    assert len(told["sha256"]) == 64


def test_what_cannot_be_taken_in_is_said_in_a_sentence(tmp_path):
    run("registry", "import", "radius-detail", DETAIL)
    assert "is of kind radius-detail" in run(
        "registry", "import", "kea-memfile", "--source", "radius-detail", DETAIL, exit_code=1
    )
    assert "its first line lacks" in run("registry", "import", "ipam", DETAIL, exit_code=1)
    assert "is no time zone" in run("registry", "import", "nat-blocks", "--zone", "Nowhere", DETAIL, exit_code=2)
    assert "give its lease time with --every" in run(
        "registry", "import", "dnsmasq", SAMPLES / "dnsmasq" / "samples" / "dnsmasq.leases", exit_code=1
    )
    assert "crm.csv:4: there is no service svc-9" in run("registry", "import", "subscribers", subscribers(tmp_path))


def test_the_kinds_say_what_they_prove():
    kinds = [json.loads(line) for line in run("registry", "sources", "--json").splitlines()]
    assert {"radius-detail", "kea-memfile", "nat-deterministic"} <= {k["kind"] for k in kinds}
    assert "proves that an authenticated log-in" in run("registry", "sources")


@pytest.mark.parametrize("times", [1, 60])
def test_a_file_of_questions_is_answered_in_order_with_proof_and_errors(times, tmp_path):
    run("registry", "import", "radius-detail", DETAIL)
    run("registry", "import", "subscribers", subscribers(tmp_path))
    lines = [
        "198.51.100.7,,tcp,2026-03-10T13:00:00Z",
        "198.51.100.7,,,2026-03-10T13:59:59Z,60",
        "198.51.100.8,,,2026-03-10T17:30:00Z",
        "198.51.100.77,1,udp,2026-03-10T13:00:00Z",
        "198.51.100.9,,,2026-03-10T18:55:00Z",
        "203.0.113.5,,,2026-03-10T13:00:00Z",
        "nonsense",
        "198.51.100.7,x,,",
        "198.51.100.7,,,noon",
        "198.51.100.7,,,,,,,",
        "198.51.100.7,,,2999-03-10T13:00:00Z",
    ]
    said = run("attribute", "-", text="address,port,protocol,at\n" + "\n".join(lines * times) + "\n\n")
    answers = [json.loads(line) for line in said.splitlines()]
    assert [a["line"] for a in answers] == list(range(2, 2 + len(lines) * times))
    assert [a.get("grade", "error") for a in answers] == [
        "CONFIRMED", "PROBABLE", "PROBABLE", "NONE", "NO_DATA", "NONE", *["error"] * 5
    ] * times  # fmt: skip
    first = answers[0]
    assert (first["customer"], first["service"]) == ("acct-1", "svc-1")
    assert "suspension" in first["allows"]
    (log,) = [row for row in first["proof"] if row["row"] == "log"]
    assert (log["username"], log["file"], log["offset"]) == ("alice", str(DETAIL), 0)
    assert log["sha256"] == answers[1]["proof"][-2]["sha256"]
    assert (answers[2]["customer"], answers[2]["reason"]) == ("acct-2", "UNSEEN_END")
    assert answers[4]["reason"] == "UNKNOWN_SUBSCRIBER"


def holds(kind: ResourceKind, name: str, *, scope: str, changes_at: datetime) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for number, since, until in ((1, begin, changes_at), (2, changes_at, None)):
        registry.hold_resource(
            Resource(kind=kind, name=name, scope=scope, customer=f"acct-{number}", service=f"svc-{number}",
                     held_from=since, held_until=until), **BY,
        )  # fmt: skip


@pytest.mark.parametrize("times", [1, 110])
def test_a_log_in_leads_to_the_customer_who_held_it_then(times, tmp_path):
    run("registry", "import", "radius-detail", DETAIL)
    holds(ResourceKind.LOGIN, "alice", scope="radius", changes_at=datetime(2026, 3, 10, 13, tzinfo=UTC))
    holds(ResourceKind.LOGIN, "bob", scope="webmail", changes_at=datetime(2026, 3, 1, tzinfo=UTC))
    lines = [f"198.51.100.7,,,2026-03-10T{clock}Z" for clock in ("12:30:00", "13:30:00", "13:00:00")]
    text = "\n".join([*lines, "198.51.100.8,,,2026-03-10T17:30:00Z"] * times)
    answers = [json.loads(line) for line in run("attribute", "-", text=text).splitlines()]
    assert [(a["grade"], a["customer"], a["service"]) for a in answers] == [
        ("CONFIRMED", "acct-1", "svc-1"), ("CONFIRMED", "acct-2", "svc-2"), ("AMBIGUOUS", None, None),
        ("NO_DATA", None, None),
    ] * times  # fmt: skip
    (subscriber,) = [row for row in answers[0]["proof"] if row["row"] == "subscriber"]
    assert subscriber["known"] == ["2026-01-01T00:00:00Z", "2026-03-10T13:00:00Z"]
    run("registry", "import", "subscribers", subscribers(tmp_path))
    answers = [json.loads(line) for line in run("attribute", "-", text=text).splitlines()]
    # The imported list says acct-1 for ever, and acct-2 of bob.
    assert [(a["grade"], a["customer"]) for a in answers] == [
        ("CONFIRMED", "acct-1"), ("CONTRADICTED", None), ("CONTRADICTED", None), ("PROBABLE", "acct-2"),
    ] * times  # fmt: skip


@pytest.mark.parametrize("times", [1, 110])
def test_a_circuit_and_a_mac_lead_to_who_held_them_then(times):
    run("registry", "import", "kea-memfile", SAMPLES / "kea" / "samples" / "kea-leases4.csv")
    changes_at = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
    holds(ResourceKind.MAC, "02-00-00-00-00-01", scope="", changes_at=changes_at)
    holds(ResourceKind.CIRCUIT, "dla07 at aabbccdd", scope="", changes_at=changes_at)
    asked = [f"198.51.100.{host},,,2026-03-10T12:{minute}:00Z" for host in (7, 8) for minute in (10, 40)]
    answers = [json.loads(line) for line in run("attribute", "-", text="\n".join(asked * times)).splitlines()]
    assert [(a["grade"], a["customer"]) for a in answers] == [
        ("PROBABLE", "acct-1"), ("PROBABLE", "acct-2"), ("CONFIRMED", "acct-1"), ("CONFIRMED", "acct-2")
    ] * times  # fmt: skip


def option_82(*parts: tuple[int, str]) -> str:
    return "0x" + "".join(f"{code:02x}{len(text):02x}{text.encode().hex()}" for code, text in parts)


CIRCUITS = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"


def leases_behind(file: Path, *relayed: str) -> Path:
    rows = (
        f"198.51.100.{n + 7},02:00:00:00:00:0{n},,3600,1773147600,1,0,0,,0,"
        f'{{ "ISC": {{ "relay-agent-info": {{ "sub-options": "{sub}" }} }} }}\n'
        for n, sub in enumerate(relayed)
    )
    # The row after them shows that the log was read beyond the hour that is asked about.
    later = "198.51.100.200,02:00:00:00:00:09,,3600,1773153000,1,0,0,,0,\n" * 2
    file.write_text(CIRCUITS + "".join(rows) + later)
    return file


def test_the_same_port_of_another_relay_is_another_circuit(tmp_path):
    file = leases_behind(
        tmp_path / "leases.csv", option_82((1, "eth0/1/1"), (2, "dslam-1")), option_82((1, "eth0/1/1"), (2, "dslam-2")),
        option_82((1, "eth0/1/1")), option_82((1, "dslam-3 eth 0/7:33")),
    )  # fmt: skip
    run("registry", "import", "kea-memfile", file)
    earlier, later = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 20, tzinfo=UTC))
    holds(ResourceKind.CIRCUIT, "eth0/1/1 at dslam-1", scope="", changes_at=later)
    holds(ResourceKind.CIRCUIT, "eth0/1/1", scope="", changes_at=later)
    holds(ResourceKind.CIRCUIT, "dslam-3 eth 0/7:33", scope="", changes_at=earlier)
    text = "\n".join(f"198.51.100.{host},,,2026-03-10T12:30:00Z" for host in (7, 8, 9, 10))
    answers = [json.loads(line) for line in run("attribute", "-", text=text).splitlines()]
    assert [(a["grade"], a["customer"]) for a in answers] == [
        ("CONFIRMED", "acct-1"), ("NO_DATA", None), ("PROBABLE", "acct-1"), ("CONFIRMED", "acct-2"),
    ]  # fmt: skip


def test_circuits_that_are_unique_in_the_whole_network_are_named_as_they_are(tmp_path):
    file = leases_behind(tmp_path / "leases.csv", option_82((1, "line-7"), (2, "dslam-1")), option_82((1, "line-8")))
    run("registry", "import", "kea-memfile", "--circuits-unique", file)
    for line in ("line-7", "line-8"):
        holds(ResourceKind.CIRCUIT, line, scope="", changes_at=datetime(2026, 3, 20, tzinfo=UTC))
    text = "\n".join(f"198.51.100.{host},,,2026-03-10T12:30:00Z" for host in (7, 8))
    answers = [json.loads(line) for line in run("attribute", "-", text=text).splitlines()]
    assert [(a["grade"], a["customer"]) for a in answers] == [("CONFIRMED", "acct-1")] * 2


def test_a_log_in_that_is_a_hardware_address_shows_no_secret(tmp_path):
    file = tmp_path / "accounting.csv"
    file.write_text(
        "timestamp,acct_status_type,user_name,nas_ip_address,acct_session_id,framed_ip_address\n"
        "1773144000,Start,02-00-00-00-00-01,192.0.2.1,s1,198.51.100.7\n"
        "1773144000,Start,line-8,192.0.2.1,s2,198.51.100.8\n"
        "1773147600,Stop,02-00-00-00-00-01,192.0.2.1,s1,198.51.100.7\n"
        "1773147600,Stop,line-8,192.0.2.1,s2,198.51.100.8\n"
    )
    run("registry", "import", "radius-csv", "--clock-error", "1", file)
    for login in ("02-00-00-00-00-01", "line-8"):
        holds(ResourceKind.LOGIN, login, scope="radius-csv", changes_at=datetime(2026, 3, 20, tzinfo=UTC))
    text = "\n".join(f"198.51.100.{host},,,2026-03-10T12:30:00Z" for host in (7, 8))
    answers = [json.loads(line) for line in run("attribute", "-", text=text).splitlines()]
    assert [(a["grade"], a["customer"]) for a in answers] == [("PROBABLE", "acct-1"), ("CONFIRMED", "acct-1")]


def test_who_shows_the_rows_of_logs(tmp_path):
    run("registry", "import", "radius-detail", DETAIL)
    run("registry", "import", "subscribers", subscribers(tmp_path))
    shown = run("registry", "who", "198.51.100.7", "--at", "2026-03-10T13:00:00Z")
    assert shown.startswith("CONFIRMED: acct-1, service svc-1")
    assert "alice" in shown
    assert "explicit" in shown


def test_a_deterministic_map_leads_on_to_the_plan_behind_it(tmp_path):
    map_file, plan, changed = tmp_path / "map.csv", tmp_path / "plan.csv", "svc-1"
    since = "2026-01-01T00:00:00Z"
    map_file.write_text(
        "inside,outside,ports_per_host,since\n100.64.0.0/30,198.51.100.200/32,1000,2026-01-01T00:00:00Z\n"
    )
    plan.write_text(f"prefix,service,since\n100.64.0.0/32,svc-1,{since}\n100.64.0.1/32,svc-2,{since}\n")
    run("registry", "import", "nat-deterministic", "--inside-realm", "cgn", map_file)
    run("registry", "import", "ipam", "--realm", "cgn", plan)

    def ask(port: str) -> tuple[str, str | None]:
        told = json.loads(run("attribute", "-", text=f"198.51.100.200,{port},tcp,2026-03-10T13:00:00Z\n"))
        return told["grade"], told["service"]

    assert ask("1500") == ("CONFIRMED", changed)
    assert ask("2024") == ("CONFIRMED", "svc-2")
    assert ask("3500") == ("NO_DATA", None)
    assert ask("") == ("AMBIGUOUS", None)
    plan.write_text(f"prefix,service,since\n100.64.0.0/32,svc-2,{since}\n")
    run("registry", "import", "ipam", "--realm", "cgn", plan)
    # The plan says whose it was since when, and nothing of the other any more: that one's has ended now.
    assert ask("1500") == ("CONFIRMED", "svc-2")
    assert ask("2024") == ("CONFIRMED", "svc-2")


def test_a_day_in_a_file_of_questions_is_all_of_it():
    began, changed = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, 16, tzinfo=UTC)
    for customer, since, until in (("acct-1", began, changed), ("acct-2", changed, None)):
        registry.hold(
            tier=Tier.CUSTOMER, kind=HoldingKind.STATIC, prefix=ip_network("198.51.100.17"), source="crm",
            customer=customer, held_from=since, held_until=until, **BY,
        )  # fmt: skip
    rows = ("2026-03-01,", "2026-02-01,", "2026-02-01,", ",-5")
    ports = ("", "", "99999", "")
    asked = "".join(f"198.51.100.17,{port},,{row}\n" for port, row in zip(ports, rows, strict=True))
    day, earlier, port, precision = (json.loads(x) for x in run("attribute", "-", text=asked).splitlines())
    assert (day["grade"], day["customer"], day["allows"]) == ("AMBIGUOUS", None, ["question"])
    assert day["window"] == ["2026-02-28T10:00:00Z", "2026-03-02T14:00:00Z"]
    assert (earlier["grade"], earlier["customer"]) == ("CONFIRMED", "acct-1")
    assert "99999" in port["error"]
    assert "precision" in precision["error"]


def test_the_second_of_a_time_in_minutes_was_never_said():
    began, changed = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, 16, 0, 30, tzinfo=UTC)
    for customer, since, until in (("acct-1", began, changed), ("acct-2", changed, None)):
        registry.hold(
            tier=Tier.CUSTOMER, kind=HoldingKind.STATIC, prefix=ip_network("198.51.100.17"), source="crm",
            customer=customer, held_from=since, held_until=until, **BY,
        )  # fmt: skip
    asked = {
        "2026-03-01T16:00:00Z,": "acct-1", "2026-03-01T15:59Z,": "acct-1", "2026-03-01T16:00Z,1": "acct-1",
        "2026-03-01T16:00Z,": None, "20260301T1600Z,": None, "2026-03-01_16:00,": None, "2026-03-01T16Z,": None,
        "2026-W09-7T16:00Z,": None,
    }  # fmt: skip
    told = run("attribute", "-", text="".join(f"198.51.100.17,,,{at}\n" for at in asked)).splitlines()
    assert [json.loads(line)["customer"] for line in told] == list(asked.values())
    who = json.loads(run("registry", "who", "198.51.100.17", "--at", "2026-03-01T16:00Z", "--json"))
    assert (who["grade"], who["customer"]) == ("ambiguous", None)
