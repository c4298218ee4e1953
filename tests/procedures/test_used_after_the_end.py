"""Whoever logs in or sends after the right to it has ended is found; whoever has the right, or may have, is not."""

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from tests.procedures.office import DAY, HOUR, NOON, Office
from tipstaff.attribution.operations import take_in
from tipstaff.attribution.protocol import Options
from tipstaff.procedures import admission
from tipstaff.procedures.admission import note_log_ins, note_traffic
from tipstaff.procedures.subscribers import import_subscribers
from tipstaff.registry import operations as registry
from tipstaff.registry.queries import list_late_uses
from tipstaff.wiring import sources
from tipstaff.words import (
    HoldingKind,
    LateUseReason,
    Moment,
    Resource,
    ResourceKind,
    Service,
    ServiceKind,
    Sighting,
    Standing,
    Usage,
    UsageKind,
)

BY = {"at": NOON, "actor": "engineer"}
ADDRESS = "198.51.100.7"


def session(log: Path, user: str, *, start, stop) -> None:
    head = "timestamp,acct_status_type,user_name,nas_ip_address,acct_session_id,framed_ip_address,acct_session_time\n"
    lasted = int((stop - start).total_seconds())
    with log.open("a") as file:
        if not file.tell():
            file.write(head)
        for status, at, passed in (("Start", start, 0), ("Stop", stop, lasted)):
            file.write(f"{int(at.timestamp())},{status},{user},192.0.2.1,{user}-{lasted},198.51.100.9,{passed}\n")


def read(log: Path) -> None:
    list(take_in(log, sources()["radius-csv"], Options(source="radius", clock_error_seconds=1.0), **BY))


def test_a_log_in_after_the_termination_is_found_once_and_nobody_elses_is(office: Office, tmp_path: Path) -> None:
    log = tmp_path / "accounting.csv"
    for number, name in ((1, "line-1"), (2, "line-2"), (3, "line-3")):
        office.admit(f"acct-{number}")
        registry.hold_resource(
            Resource(kind=ResourceKind.LOGIN, name=name, scope="radius", customer=f"acct-{number}",
                     held_from=NOON - 100 * DAY), **BY,
        )  # fmt: skip
    terminated = NOON - 10 * DAY
    for customer in ("acct-1", "acct-2"):
        registry.set_standing(customer, Standing.TERMINATED, since=terminated, why="Spam.", **BY)
    # One goes on, one had logged out before, and one is a customer still.
    session(log, "line-1", start=terminated - DAY, stop=terminated + HOUR)
    session(log, "line-2", start=terminated - DAY, stop=terminated - HOUR)
    session(log, "line-3", start=terminated - DAY, stop=terminated + HOUR)
    read(log)
    (found,) = note_log_ins(at=NOON, actor="worker")
    assert (found.customer, found.reason) == ("acct-1", LateUseReason.CUSTOMER_TERMINATED)
    assert found.use.what == "line-1"
    assert terminated < found.use.seen_at < terminated + HOUR
    assert note_log_ins(at=NOON + DAY, actor="worker") == []
    assert [(use.customer, count) for use, count in list_late_uses()] == [("acct-1", 1)]
    # Seen again on another day, it is the same finding, counted.
    session(log, "line-1", start=terminated + 2 * DAY, stop=terminated + 2 * DAY + HOUR)
    read(log)
    assert note_log_ins(at=NOON + 2 * DAY, actor="worker") == []
    assert [(use.customer, count) for use, count in list_late_uses()] == [("acct-1", 2)]


def test_a_log_in_of_a_list_of_subscribers_is_looked_for_as_well(office: Office, tmp_path: Path) -> None:
    ended = NOON - 10 * DAY
    for number in (1, 2, 3, 4):
        office.admit(f"acct-{number}")
        service = Service(key=f"svc-{number}", customer=f"acct-{number}", kind=ServiceKind.ACCESS)
        registry.add_service(service, **{**BY, "at": NOON - 100 * DAY})
    lines = ["kind,value,service\n", *(f"username,line-{n},svc-{n}\n" for n in (1, 2, 3, 4))]
    import_subscribers(lines, source="crm.csv", at=NOON - 90 * DAY, actor="engineer")
    registry.set_standing("acct-1", Standing.TERMINATED, since=ended, why="Spam.", **BY)
    registry.end_service("svc-2", held_until=ended, **BY)
    # The list says line-4 no more, and a registry's log-in says that it is another customer's by now.
    import_subscribers(lines[:4], source="crm.csv", at=ended, actor="engineer")
    registry.hold_resource(
        Resource(kind=ResourceKind.LOGIN, name="line-4", scope="radius", customer="acct-3", held_from=ended), **BY
    )
    log = tmp_path / "accounting.csv"
    for number in (1, 2, 3, 4):
        session(log, f"line-{number}", start=ended + HOUR, stop=ended + 2 * HOUR)
    read(log)
    found = {(late.customer, late.reason) for late in note_log_ins(at=NOON, actor="worker")}
    assert found == {("acct-1", LateUseReason.CUSTOMER_TERMINATED), ("acct-2", LateUseReason.HOLDING_ENDED)}


def test_another_servers_log_in_of_the_same_name_accuses_nobody(office: Office, tmp_path: Path) -> None:
    ended = NOON - 10 * DAY
    office.admit("acct-1")
    held = {"kind": ResourceKind.LOGIN, "name": "alice", "customer": "acct-1", "held_from": NOON - 100 * DAY}
    for scope in ("mail-7", "radius-east"):
        registry.hold_resource(Resource(scope=scope, held_until=ended, **held), **BY)
    log = tmp_path / "accounting.csv"
    session(log, "alice", start=ended + 2 * HOUR, stop=ended + 3 * HOUR)
    read(log)
    # `radius` is no log of either; whoever is called alice there is nobody whom the registry knows.
    assert note_log_ins(at=NOON, actor="worker") == []
    east = Options(source="radius-east", clock_error_seconds=1.0)
    earlier = tmp_path / "east.csv"
    session(earlier, "alice", start=ended + HOUR, stop=ended + 2 * HOUR)
    list(take_in(earlier, sources()["radius-csv"], east, **BY))
    (found,) = note_log_ins(at=NOON, actor="worker")
    assert (found.customer, found.use.source) == ("acct-1", "radius-east")
    assert found.use.seen_at < ended + 2 * HOUR, "the later use on the other server hides nothing"


def test_a_lease_of_a_line_whose_service_has_ended_is_found_and_put_to_a_person_as_a_machines_is(
    office: Office, tmp_path: Path, monkeypatch
) -> None:
    ended, judged = NOON - 10 * DAY, []
    monkeypatch.setattr(admission, "used_after_end", lambda found, **_: judged.append(found.customer))
    for number in (1, 2, 3, 4):
        office.admit(f"acct-{number}")
        service = Service(
            key=f"svc-{number}", customer=f"acct-{number}", kind=ServiceKind.ACCESS, port=f"dla01/{number}"
        )
        registry.add_service(service, **{**BY, "at": NOON - 100 * DAY})
    # By a list of subscribers, by the registry, and by the port of a service alone; and a machine.
    import_subscribers(["kind,value,service\n", "circuit,dla01/1,svc-1\n"], source="crm.csv", at=NOON - 90 * DAY,
                       actor="engineer")  # fmt: skip
    for kind, name, number in (("circuit", "dla01/2", 2), ("mac", "02:00:5e:10:00:04", 4)):
        registry.hold_resource(
            Resource(kind=ResourceKind(kind), name=name, customer=f"acct-{number}", service=f"svc-{number}",
                     held_from=NOON - 100 * DAY), **BY,
        )  # fmt: skip
    log = tmp_path / "kea.log"

    def leased(line: str, at, host: int, machine: str = "02:00:5e:10:00:09") -> str:
        relay = " connected via relay at address: 198.51.100.1, identified by circuit-id: " if line else ""
        return (
            f"{at:%Y-%m-%d %H:%M:%S}.000 UTC Address: 10.0.0.{host} has been assigned for 1 hrs 0 mins 0 secs to a "
            f"device with hardware address: hwtype=1 {machine}{relay}{line.encode().hex(':')}\n"
        )

    rows = [leased(f"dla01/{n}", ended - HOUR / 2, n) for n in (1, 2, 3)]
    rows.append(leased("", ended - HOUR / 2, 4, "02:00:5e:10:00:04"))
    log.write_text("".join(rows))
    kea = Options(source="kea", circuits_unique=True, clock_error_seconds=1.0)
    list(take_in(log, sources()["kea-forensic"], kea, **BY))
    for number in (1, 2, 3, 4):
        registry.end_service(f"svc-{number}", held_until=ended, **BY)
    assert note_log_ins(at=NOON, actor="worker") == [], "a term that goes on after the end is no use"
    log.write_text("".join(rows + [r.replace(f"{ended - HOUR / 2:%H:%M}", f"{ended + HOUR:%H:%M}") for r in rows]))
    list(take_in(log, sources()["kea-forensic"], kea, **BY))
    found = note_log_ins(at=NOON, actor="worker", desk=office.desk)
    assert [(late.customer, late.use.kind, late.use.what) for late in found] == [
        ("acct-1", UsageKind.LEASE, "circuit dla01/1"), ("acct-2", UsageKind.LEASE, "circuit dla01/2"),
        ("acct-3", UsageKind.LEASE, "circuit dla01/3"), ("acct-4", UsageKind.LEASE, "mac 02:00:5e:10:00:04"),
    ]  # fmt: skip
    assert judged == [], "a circuit is a place, and somebody else may be there now"
    # Whoever's service runs at that port since has a right to it, though the list and the registry know the last alone.
    office.admit("acct-5")
    for line in ("dla01/1", "dla01/2"):
        running = Service(key=f"svc-of-{line}", customer="acct-5", kind=ServiceKind.ACCESS, port=line)
        registry.add_service(running, **{**BY, "at": ended + HOUR / 2})
    accused = [
        admission.note_use(
            Usage(kind=UsageKind.LEASE, what=f"circuit dla01/{n}", seen_at=ended + HOUR, source="kea"), **BY
        )
        for n in (1, 2, 3)
    ]
    assert [found and found.customer for found in accused] == [None, None, "acct-3"]


def test_a_sighting_of_what_nobody_has_a_right_to_is_found_when_all_of_its_time_lies_behind_the_end(
    office: Office,
) -> None:
    office.admit("acct-1")
    ended = NOON - 10 * DAY
    office.hold(ADDRESS, customer="acct-1", kind=HoldingKind.STATIC, until=ended)

    def seen(after: timedelta, error: float) -> bool:
        moment = Moment(ended + after, error)
        sighting = Sighting(kind="flows.scan", moment=moment, sensor="edge", source=ip_address(ADDRESS))
        return note_traffic(sighting, at=NOON) is not None

    assert not seen(timedelta(seconds=30), 60.0)
    assert list_late_uses() == []
    assert seen(timedelta(seconds=90), 60.0)
    ((found, _),) = list_late_uses()
    assert (found.customer, found.reason) == ("acct-1", LateUseReason.HOLDING_ENDED)
