"""How attribution grows past one machine: the same operator's logs on one, two and more of them, split by prefix.

    python bench/partitions.py [--machines 1,2,4] [--subscribers 40000] [--flows 600000] [--questions 2000]

A machine is a process with a database and files of its own. Each public address, with all subscribers behind it,
belongs to one machine (a NAT's log is one machine's): its NAT log (conntrack) and the RADIUS sessions behind it are
taken in there the whole way, and a front door sends each question to the machine of its address, all at once. The truth
is known, and each answer is compared with it. The figures of N machines are those of the busiest: what a machine of its
own would need. They share this computer's cores, so processor time is what counts; the wall clock stands beside it.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_network
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

BEGIN = 1_772_323_200
DAY = 86_400
PUBLIC, INSIDE = int(IPv4Address("198.18.0.0")), int(IPv4Address("100.64.0.0"))
LATER = datetime(2026, 6, 1, tzinfo=UTC)
ADDRESSES = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", default="1,2,4")
    parser.add_argument("--subscribers", type=int, default=40_000)
    parser.add_argument("--flows", type=int, default=600_000)
    parser.add_argument("--questions", type=int, default=2_000)
    parser.add_argument("--machine", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.machine:
        number, of = map(int, options.machine.split("/"))
        machine(options, number, of)
        return
    told = {
        "command": " ".join(["python", *sys.argv]), "python": platform.python_version(), "cpus": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1), "flows": options.flows, "subscribers": options.subscribers,
        "by_machines": [spread_over(options, int(n)) for n in options.machines.split(",")],
        "load_after": round(os.getloadavg()[0], 1),
    }  # fmt: skip
    print(json.dumps(told, indent=1))


def spread_over(options: argparse.Namespace, of: int) -> dict:
    """Start the machines, let them take in their logs, and ask all questions at the door."""
    shared = ["--subscribers", str(options.subscribers), "--flows", str(options.flows)]
    machines = [
        subprocess.Popen(
            [sys.executable, __file__, "--machine", f"{n}/{of}", *shared],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for n in range(of)
    ]  # fmt: skip
    loaded = [json.loads(m.stdout.readline()) for m in machines]
    world, dice = World(options), np.random.default_rng(7)
    picks = dice.integers(0, options.flows, options.questions)
    door: list[list[list[int]]] = [[] for _ in range(of)]
    for address, port, at, subscriber in world.asked(picks):
        door[(address - PUBLIC) % of].append([address, port, at, subscriber])
    begin = time.perf_counter()
    for m, questions in zip(machines, door, strict=True):
        m.stdin.write(json.dumps(questions) + "\n")
        m.stdin.flush()
    answered = [json.loads(m.stdout.readline()) for m in machines]
    wall = time.perf_counter() - begin
    for m in machines:
        m.communicate()
    right, wrong = (sum(a[name] for a in answered) for name in ("right", "wrong"))
    # Of a whole log each question has one answer; a figure about answers that name nobody would be none.
    assert (right, wrong) == (options.questions, 0), (right, wrong, options.questions)
    return {
        "machines": of,
        "questions": sum(a["questions"] for a in answered),
        "right": right,
        "wrong_customer": wrong,
        "all_questions_wall_seconds": round(wall, 2),
        "busiest_machine": {
            key: max(part[key] for part in parts)
            for parts in (loaded, answered)
            for key in parts[0]
            if key not in ("questions", "right", "wrong")
        },
        "all_machines_import_cpu_seconds": round(sum(m["import_cpu_seconds"] for m in loaded), 2),
    }


class World:
    """Who had which port when. A subscriber is always behind the same public address (RFC 4787, paired pooling)."""

    def __init__(self, options: argparse.Namespace) -> None:
        dice = np.random.default_rng(1)
        self.subscribers = options.subscribers
        count = options.flows
        self.since = BEGIN + np.sort(dice.integers(0, DAY, count))
        self.lasts = np.maximum(4, dice.exponential(60, count).astype(np.int64))
        self.subscriber = dice.integers(0, self.subscribers, count)
        self.address = PUBLIC + self.subscriber % ADDRESSES
        # Each address gives its ports out in turn, so that none comes back before all others were used.
        self.port = np.empty(count, np.int64)
        for n in range(ADDRESSES):
            mine = np.flatnonzero(self.address == PUBLIC + n)
            self.port[mine] = 1024 + np.arange(len(mine)) % 60_000

    def asked(self, flows: np.ndarray):
        middle = self.since + self.lasts // 2
        for n in flows:
            yield int(self.address[n]), int(self.port[n]), int(middle[n]), int(self.subscriber[n])

    def nat_log(self, path: Path, number: int, of: int) -> int:
        mine = np.flatnonzero((self.address - PUBLIC) % of == number)
        at = np.concatenate((self.since[mine], self.since[mine] + self.lasts[mine]))
        flow = np.concatenate((mine, mine))
        new = np.arange(len(at)) < len(mine)
        with path.open("w") as file:
            for place in np.argsort(at, kind="stable"):
                f = flow[place]
                inside = IPv4Address(INSIDE + int(self.subscriber[f]))
                file.write(
                    f"[{at[place]}.000000]\t{'    [NEW]' if new[place] else '[DESTROY]'} tcp      6 src={inside} "
                    f"dst=203.0.113.9 sport={20000 + f % 40000} dport=443 src=203.0.113.9 "
                    f"dst={IPv4Address(int(self.address[f]))} sport=443 dport={self.port[f]} [ASSURED]\n"
                )
        return len(at)

    def sessions(self, path: Path, number: int, of: int) -> int:
        mine = [s for s in range(self.subscribers) if (s % ADDRESSES) % of == number]
        with path.open("w") as file:
            file.write("timestamp,acct_status_type,user_name,nas_ip_address,acct_session_id,framed_ip_address,"
                       "acct_session_time\n")  # fmt: skip
            for status, at, passed in (("Start", BEGIN - 3600, 0), ("Stop", BEGIN + DAY + 7200, DAY + 10800)):
                file.writelines(
                    f"{at},{status},u{s},192.0.2.1,{s:06X},{IPv4Address(INSIDE + s)},{passed}\n" for s in mine
                )
        return 2 * len(mine)


def machine(options: argparse.Namespace, number: int, of: int) -> None:
    """One of `of` machines: takes its logs in, says so, answers what stands on one line, says how."""
    from _database import database

    with database() as folder:
        from tipstaff.attribution.operations import add_identities, take_in
        from tipstaff.attribution.protocol import Options
        from tipstaff.procedures.lookup import who_held
        from tipstaff.registry import operations as registry
        from tipstaff.wiring import sources
        from tipstaff.words import HoldingKind, Identity, Moment, SubjectKind, Tier

        world = World(options)
        nat, radius = folder / "nat.log", folder / "radius.csv"
        records = world.nat_log(nat, number, of) + world.sessions(radius, number, of)
        for kind in (HoldingKind.STATIC, HoldingKind.POOL):
            registry.hold(tier=Tier.OPERATOR, kind=kind, prefix=ip_network("198.18.0.0/15"), source="bench",
                          held_from=datetime(2025, 1, 1, tzinfo=UTC), at=LATER, actor="bench")  # fmt: skip
        add_identities(
            (
                Identity(kind=SubjectKind.USERNAME, value=f"u{s}", customer=f"c{s}")
                for s in range(world.subscribers)
                if (s % ADDRESSES) % of == number
            ),
            source="bench", at=datetime(2025, 1, 1, tzinfo=UTC), actor="bench",
        )  # fmt: skip
        cpu, server, wall = time.process_time(), server_seconds(), time.perf_counter()
        # The NAT is as young as its log: no connection was there before that nobody saw.
        young = {"inside_realm": "cgn", "lasts_seconds": 0}
        for kind, log, more in (("nat-flows", nat, young), ("radius-csv", radius, {"realm": "cgn"})):
            chosen = Options(source=kind, clock_error_seconds=1.0, **more)
            for load in take_in(log, sources()[kind], chosen, at=LATER, actor="bench"):
                assert load.refused_total == 0, load.refused
        say({
            "log_records": records,
            "import_cpu_seconds": round(time.process_time() - cpu + server_seconds() - server, 2),
            "import_wall_seconds": round(time.perf_counter() - wall, 2),
        })  # fmt: skip
        asked, times, right, wrong = json.loads(sys.stdin.readline()), [], 0, 0
        cpu, server = time.process_time(), server_seconds()
        for address, port, at, subscriber in asked:
            begin = time.perf_counter()
            moment = Moment(datetime.fromtimestamp(at, UTC), 0.5)
            answer = who_held(IPv4Address(address), port=port, protocol=6, moment=moment, received_at=LATER)
            times.append(time.perf_counter() - begin)
            right += answer.customer == f"c{subscriber}"
            wrong += answer.customer not in (None, f"c{subscriber}")
        spent = time.process_time() - cpu + server_seconds() - server
        ordered = sorted(times)
        say({
            "questions": len(asked), "right": right, "wrong": wrong,
            "answers_cpu_seconds": round(spent, 2), "cpu_ms_a_question": round(1000 * spent / len(asked), 2),
            "question_ms_p50": round(1000 * ordered[len(asked) // 2], 2),
            "question_ms_p99": round(1000 * ordered[len(asked) * 99 // 100], 2),
        })  # fmt: skip


def say(told: dict) -> None:
    print(json.dumps(told), flush=True)


def server_seconds() -> float:
    """Processor time of this connection's server process."""
    from django.db import connection

    connection.ensure_connection()
    stat = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
