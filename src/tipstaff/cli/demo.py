"""`tipstaff demo`: an example operator, its network and its mail, and a day of its abuse desk."""

import json
import os
import shlex
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from tipstaff.config import Config
from tipstaff.host.keys import private_folder
from tipstaff.host.supervisor import Supervisor
from tipstaff.words import LetterState, MeasureState, Proof, Role

from .base import LOCK, database, one_at_a_time, read_settings
from .tables import print_rows
from .waiting import answers_http

if TYPE_CHECKING:
    from tipstaff.testing.mailbox import Mailbox

out = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
notes = Console(stderr=True, highlight=False)

DAY_START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
"""When the example day begins if the real clock is earlier; otherwise it begins now."""


def demo(
    leave: Annotated[bool, typer.Option("--exit", help="Stop when the day is over instead of serving on.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what became of each complaint as JSON.")] = False,
) -> None:
    """Bring up an example operator, play its day, and leave the console open on it.

    Everything is real: the mailbox, the database, the letters, the portal, and, where nftables and network namespaces
    are to be had, the packet filter. The day's data lie in a folder of their own and are made anew each time.
    """
    folder = read_settings().server.data_folder / "demo"
    with ExitStack() as stack:
        example = _prepare(folder, stack)
        settings = stack.enter_context(database())
        played = _play(settings, example, stack, quiet=as_json, stay=not leave)
    if played is None:
        raise typer.Exit(1)
    raise typer.Exit(0 if all(not p["wrong"] for p in played) else 1)


@dataclass(frozen=True, kw_only=True)
class Example:
    """What the day is played with."""

    folder: Path
    letters: "Mailbox"
    proof: Proof
    """The surest that its device can give: by packets, where a network can be made."""
    notes: list[str]
    """What a person should know of this playing: what was missing, which port was taken."""


def _prepare(folder: Path, stack: ExitStack) -> Example:
    """A fresh data folder, a network if there can be one, a mail server for the letters, and settings for all of it."""
    from tipstaff.testing.lab import Lab
    from tipstaff.testing.mailbox import Mailbox
    from tipstaff.testing.story import ABUSE_ADDRESS, LMTP_ADDRESS, NAME

    marker = folder / ".tipstaff-demo"
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        notes.print(f"tipstaff: {folder} is not a demo's folder; move it away, or set TIPSTAFF_DATA to another folder.")
        raise typer.Exit(1)
    private_folder(folder)
    marker.touch()
    stack.enter_context(one_at_a_time(folder / "data"))
    _refuse_in_use(folder)
    _clear(folder, keep=(marker, folder / "data" / LOCK))
    said: list[str] = []
    letters = stack.enter_context(Mailbox(folder=folder / "letters"))
    why_not = Lab.unavailable()
    if why_not is None:
        from tipstaff.testing.story.network import OUTSIDE, lab_addresses

        lab = stack.enter_context(Lab(customers=lab_addresses(DAY_START), outside=OUTSIDE))
        device: dict[str, Any] = {"name": "edge1", "driver": "nftables", **lab.device_options()}
        said.append("Packet filter: nftables, in network namespaces of this demo's own.")
    else:
        device = {"name": "edge1", "driver": "memory", "state_file": str(folder / "edge1.json")}
        said.append(f"Packet filter: none. {why_not} Measures go to a twin in memory, which proves nothing by packets.")
    taken: set[int] = set()
    sections: dict[str, dict[str, Any]] = {
        # The example operator's policy was posted long before its day: what it plays happened under it.
        "server": {"data_folder": str(folder / "data"), "first_edition_since": "2026-01-01T00:00:00Z"},
        "operator": {"name": NAME, "abuse_address": ABUSE_ADDRESS, "own_domains": [ABUSE_ADDRESS.rpartition("@")[2]]},
        "web": {"port": _port("TIPSTAFF_WEB_PORT", 8080, taken, said)},
        "mail_in": {
            "smtp_port": _port("TIPSTAFF_MAIL_IN_SMTP_PORT", 2525, taken, said),
            "lmtp_port": _port("TIPSTAFF_MAIL_IN_LMTP_PORT", 2424, taken, said),
            "recipients": [LMTP_ADDRESS],
        },
        "mail_out": {"host": letters.host, "port": letters.port},
        "demo": {"clock_file": str(folder / "clock")},
    }
    file = folder / "tipstaff.toml"
    file.write_text(_toml(sections, [device]), encoding="utf-8")
    for name in [n for n in os.environ if n.startswith("TIPSTAFF_") and n not in ("TIPSTAFF_LOG_LEVEL",)]:
        del os.environ[name]  # The example's settings are the file's alone.
    os.environ["TIPSTAFF_CONFIG"] = str(file)
    os.environ["TIPSTAFF_DATA"] = str(folder / "data")
    proof = Proof.PROBE if why_not is None else Proof.STATE
    return Example(folder=folder, letters=letters, proof=proof, notes=said)


def _clear(folder: Path, *, keep: tuple[Path, ...]) -> None:
    """Take away what an earlier day left; a lock that is held must stay the file that others find."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path in keep:
            continue
        if path.is_dir() and not path.is_symlink():
            with suppress(OSError):  # What is kept lies below it.
                path.rmdir()
        else:
            path.unlink(missing_ok=True)


def _refuse_in_use(folder: Path) -> None:
    """A command that somebody runs on an earlier demo's data must have ended: two at once would share one database."""
    from tipstaff.host.postgres import is_owned

    if is_owned(folder / "data" / "postgres"):
        notes.print(f"tipstaff: a demo runs in {folder} already; stop it, or set TIPSTAFF_DATA to another folder.")
        raise typer.Exit(1)


def _port(variable: str, usual: int, taken: set[int], said: list[str]) -> int:
    """The usual port, or the one that the environment names, or a free one if somebody has the usual one."""
    wanted = int(os.environ.get(variable, usual))
    for candidate in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                said.append(f"Port {wanted} is taken; another one is used instead ({variable} names one).")
                continue
            found: int = probe.getsockname()[1]
            if found not in taken:
                taken.add(found)
                return found
    raise OSError("no free port")


def _toml(sections: dict[str, dict[str, Any]], devices: list[dict[str, Any]]) -> str:
    lines: list[str] = []
    for name, values in sections.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
    for device in devices:
        lines += ["[[devices]]", *(f"{key} = {json.dumps(value)}" for key, value in device.items()), ""]
    return "\n".join(lines)


def _play(
    settings: Config, example: Example, stack: ExitStack, *, quiet: bool, stay: bool
) -> list[dict[str, Any]] | None:
    from .running import programs

    folder = example.folder
    log = stack.enter_context((folder / "tipstaff.log").open("a", encoding="utf-8", buffering=1))
    supervisor = Supervisor(programs(settings), write=lambda name, line: print(f"{name:>8} {line}", file=log))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _stop(supervisor))
    result: list[dict[str, Any]] = []
    failure: list[BaseException] = []
    over = threading.Event()

    def story() -> None:
        try:
            result.extend(_tell(settings, example, quiet=quiet))
        except BaseException as why:  # noqa: BLE001 - a thread's door: the main thread says it and stops
            failure.append(why)
        finally:
            over.set()
            if not stay or failure:
                supervisor.stop_soon()

    supervisor.start()
    teller = threading.Thread(target=story, name="story", daemon=True)
    teller.start()
    try:
        supervisor.run()
    finally:
        supervisor.stop()
    if failure:
        notes.print(f"tipstaff: the day did not come to its end: {failure[0]} (log: {folder / 'tipstaff.log'})")
        return None
    return result if over.is_set() else None


def _stop(supervisor: Supervisor) -> None:
    os.write(sys.stderr.fileno(), b"\ntipstaff: the demo is stopping\n")  # A signal handler may not print.
    supervisor.stop_soon()


def _tell(settings: Config, example: Example, *, quiet: bool) -> list[dict[str, Any]]:
    from tipstaff import wiring
    from tipstaff.testing import story
    from tipstaff.testing.player import Player, close_connections
    from tipstaff.testing.staff import Colleague
    from tipstaff.testing.story.settling import settle_in
    from tipstaff.wiring import jobs

    if not answers_http(f"{settings.public_url_local}/health", seconds=90):
        raise TimeoutError(f"the web process does not answer at {settings.public_url_local}")
    day = max(DAY_START, wiring.now()).replace(microsecond=0)
    told = story.complaints(day)
    with Progress(
        TextColumn("{task.fields[clock]}"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        expand=True, console=notes, transient=True, disable=quiet and not notes.is_terminal,
    ) as bar, ExitStack() as live:  # fmt: skip
        task = bar.add_task("settling in", total=len(told), clock="")
        at_work = "settling in"
        if not notes.is_terminal:
            notes.print(f"Settling in; then {len(told)} complaints come in.")
            live.enter_context(_signs_of_life(lambda: f"{wiring.now():%a %H:%M}  {at_work}"))
        settle_in(day, at=wiring.now())
        _make_people()
        at_work = "the first complaints are on their way"

        def progress(title: str) -> None:
            nonlocal at_work
            bar.update(task, advance=1, description=title[:60], clock=f"{wiring.now():%a %H:%M}")
            done = int(bar.tasks[task].completed)
            at_work = f"{done} of {len(told)} complaints have come in"
            if done == len(told):
                at_work += "; deadlines pass, measures are taken and lifted, the last letters go out"
            if not notes.is_terminal and done % LINE_EVERY == 0:
                notes.print(f"{wiring.now():%a %H:%M}  {done} of {len(told)} complaints have come in", soft_wrap=True)

        player = Player(
            told,
            day=day,
            clock_file=example.folder / "clock",
            now=wiring.now,
            host=settings.mail_in.host,
            smtp_port=settings.mail_in.smtp_port,
            lmtp_port=settings.mail_in.lmtp_port,
            colleague=lambda role: Colleague(settings.public_url_local, name=_WHO[role], password=DEMO_PASSWORD),
            letters=example.letters,
            proof=example.proof,
            look_round=lambda: jobs.defer("round", "all"),
            progress=progress,
        )
        played = player.play()
    rows = [_row(p) for p in played]
    summary = _summary(rows, example)
    if quiet:
        typer.echo(json.dumps({"complaints": rows, "summary": summary}, indent=2, ensure_ascii=False))
    else:
        _show(rows, summary, settings, example.folder)
    close_connections()
    return [*rows, {"wrong": summary["wrong"]}]


@contextmanager
def _signs_of_life(say: Callable[[], str]) -> Iterator[None]:
    """A line now and then, where no bar can move: the day has stretches in which nothing else is told."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(SIGN_OF_LIFE_SECONDS):
            notes.print(say(), soft_wrap=True)

    teller = threading.Thread(target=tell, name="signs of life", daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _make_people() -> None:
    """Staff of the example desk; one password for all, printed at the end, on loopback only."""
    from django.contrib.auth.models import User

    from tipstaff.web.roles import give_roles

    for name, roles in _PEOPLE.items():
        user = User.objects.create_user(name, password=DEMO_PASSWORD)
        give_roles(user, frozenset(Role(r) for r in roles))


_PEOPLE = {
    "ana": ("analyst",),
    "lead": ("lead",),
    "counsel": ("counsel",),
    "engineer": ("engineer",),
    "admin": ("administrator", "lead"),
}
_WHO = {Role.ANALYST: "ana", Role.LEAD: "lead", Role.COUNSEL: "counsel", Role.ENGINEER: "engineer"}
SIGN_OF_LIFE_SECONDS = 20.0
LINE_EVERY = 15
"""Without a terminal, where no bar can move, so many complaints are one line of progress."""
DEMO_PASSWORD = "example-desk-1"  # noqa: S105 - of the example operator, whose data are made anew each time


def _row(played: Any) -> dict[str, Any]:
    from tipstaff.cases.queries import get_case
    from tipstaff.intake.queries import get_report

    report = get_report(played.report) if played.report else None
    cases = [c for key in dict.fromkeys(played.cases.values()) if (c := get_case(key)) is not None]
    return {
        "id": played.told.id,
        "title": played.told.title,
        "report": played.report,
        "outcome": report.outcome if report else None,
        "reason": report.outcome_reason if report else None,
        "expected": played.told.expected.report_outcome,
        "cases": [
            {"case": c.key, "customer": c.customer, "clause": c.clause, "edition": c.edition, "state": c.state,
             "outcome": c.outcome, "reports": c.reports}
            for c in cases
        ],
        "measures": played.measures,
        "letters": played.letters,
        "right": not played.wrong,
        "wrong": played.wrong,
    }  # fmt: skip


def _summary(rows: list[dict[str, Any]], example: Example) -> dict[str, Any]:
    """What must hold of the whole day, besides each complaint's own end."""
    from tipstaff import wiring
    from tipstaff.enforcement.queries import count_by_measure_state
    from tipstaff.ledger.operations import seal_entries
    from tipstaff.ledger.queries import verify
    from tipstaff.notices.queries import count_by_state, list_letters
    from tipstaff.testing import story
    from tipstaff.testing.story.settling import leaks_of

    while seal_entries():
        pass
    record = verify()
    letters = example.letters.mails
    ids = [mail.message["Message-ID"] for mail in letters]
    wrong = []
    if not record.whole:
        wrong.append(f"the record was touched: {record.why}")
    if len(ids) != len(set(ids)):
        wrong.append(f"{len(ids) - len(set(ids))} letters were sent twice")
    states = count_by_state()
    sent = {letter.message_id for letter in list_letters(state=LetterState.SENT, limit=len(ids) + 1000)}
    if sent != set(ids):
        wrong.append(f"sent on record and arrived are not the same letters: {sorted(sent ^ set(ids))[:5]}")
    wrong += [f"{n} letters are {state}" for state, n in states.items() if n and state not in _SETTLED]
    for driver in wiring.drivers():
        held = {key for key, _ in driver.observe(at=wiring.now()).rules}
        if len(held) != count_by_measure_state().get(MeasureState.IN_FORCE, 0):
            wrong.append(f"{driver.device} holds {', '.join(sorted(held)) or 'nothing'}, which is not what is in force")
    wrong += leaks_of(letters, mark=story.PICTURE_MARK, folder=example.folder)
    return {
        "complaints": len(rows),
        "right": sum(r["right"] for r in rows),
        "letters": len(ids),
        "measures": sorted({m for r in rows for m in r["measures"]}),
        "record_entries": record.entries,
        "record_head": record.head,
        "notes": list(dict.fromkeys(example.notes)),
        "wrong": wrong,
    }


def _command(folder: Path) -> str:
    """How a shell runs Tipstaff on the demo's data, whatever characters the path has."""
    data, file = shlex.quote(str(folder / "data")), shlex.quote(str(folder / "tipstaff.toml"))
    return f"TIPSTAFF_DATA={data} .venv/bin/tipstaff -c {file}"


_SETTLED = frozenset({LetterState.SENT, LetterState.WITHDRAWN})
WIDE_TABLE = 160
"""Columns that the table of the day needs; in a narrower window each complaint is two lines."""


def _show(rows: list[dict[str, Any]], summary: dict[str, Any], settings: Config, folder: Path) -> None:
    out.print("[bold]What became of each complaint[/]")
    print_rows(
        ("", "report", "outcome", "complaint", "case", "clause", "customer", "measure"),
        (
            (
                "✓" if row["right"] else "✗", row["report"], str(row["outcome"] or "–").replace("_", " "), row["title"],
                ", ".join(c["case"] for c in row["cases"]),
                ", ".join(dict.fromkeys(c["clause"] for c in row["cases"])),
                ", ".join(dict.fromkeys(c["customer"] for c in row["cases"])), ", ".join(row["measures"]),
            )
            for row in rows
        ),
        head=4,
        wide=WIDE_TABLE,
    )  # fmt: skip
    for row in rows:
        for why in row["wrong"]:
            out.print(f"[red]✗[/] {row['id']}: {why}", markup=True)
    for why in summary["wrong"]:
        out.print(f"[red]✗[/] {why}")
    out.print(
        f"\n{summary['right']} of {summary['complaints']} complaints ended as the story declares. "
        f"{summary['letters']} letters, each sent once; {summary['record_entries']} entries in a whole record."
    )
    for note in summary["notes"]:
        out.print(note)
    out.print(f"\n[bold]Console[/]  {settings.public_url}/console/   (log in as ana, lead, counsel, engineer or admin; "
              f"password {DEMO_PASSWORD})")  # fmt: skip
    mail = settings.mail_in
    out.print(f"[bold]Mailbox[/]  SMTP on {mail.host}:{mail.smtp_port}, for {settings.operator.abuse_address}")
    out.print(f"[bold]Letters[/]  {folder / 'letters'}")
    out.print(f"[bold]Log[/]      {folder / 'tipstaff.log'}")
    if rows:
        out.print("[bold]Try[/]      ", end="")
        out.print(f"{_command(folder)} trace {rows[0]['report']}", soft_wrap=True, markup=False)
    ahead = float((folder / "clock").read_text()) / 86400
    out.print(f"The example's clock is {ahead:.0f} days ahead of the real one: the day was played to its very end.")
    out.print("Ctrl-C stops everything." if sys.stdout.isatty() else "")
    if os.environ.get("DISPLAY") and sys.stdout.isatty():
        webbrowser.open(f"{settings.public_url}/console/")
