"""`tipstaff up` and the processes one by one."""

import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import typer
from rich.console import Console
from rich.markup import escape

from tipstaff.config import Config
from tipstaff.host.supervisor import Program, Supervisor

from .base import SUPERVISED, check_parts, database, doubt_of_folder, keep_database_up, one_at_a_time, read_settings

out = Console(highlight=False, soft_wrap=True)

_COLOURS = {"web": "cyan", "intake": "green", "worker": "yellow", "enforcer": "magenta", "tipstaff": "bold"}


WEB_PORT = "[web] port (TIPSTAFF_WEB_PORT)"


def programs(settings: Config) -> list[Program]:
    """One program for each process, each run as the command that also runs it alone."""
    alone = [sys.executable, "-m", "tipstaff"]
    environment = {"PYTHONUNBUFFERED": "1", SUPERVISED: "1"}
    if settings.path is not None:
        environment["TIPSTAFF_CONFIG"] = str(settings.path)
    return [
        Program(name=name, command=[*alone, name], environment=environment)
        for name in ("intake", "worker", "enforcer", "web", *_fetchers(settings))
    ]


def _fetchers(settings: Config) -> list[str]:
    """The processes that fetch, where there is anything to fetch, and the prober, where it may run."""
    wanted = {"feeds": settings.feeds, "mailboxes": settings.mailboxes, "prober": settings.prober.run}
    return [name for name, on in wanted.items() if on]


def write_line(name: str, line: str) -> None:
    """A process's line with its name before it."""
    out.print(f"[{_COLOURS.get(name, 'white')}]{name:>8}[/] ", end="")
    out.print(line, markup=False)


def check_before_start(settings: Config) -> None:
    """Find out in a sentence, before anything runs, what would stop a process from starting."""
    from tipstaff.wiring.processes import check_port

    check_port(settings.web.host, settings.web.port, WEB_PORT)
    check_port(settings.mail_in.host, settings.mail_in.smtp_port, "[mail_in] smtp_port (TIPSTAFF_MAIL_IN_SMTP_PORT)")
    check_port(
        settings.mail_in.lmtp_host, settings.mail_in.lmtp_port, "[mail_in] lmtp_port (TIPSTAFF_MAIL_IN_LMTP_PORT)"
    )  # fmt: skip
    check_parts(settings)


def up() -> None:
    """Start everything on this machine: database, web, intake, worker, enforcer. Ctrl-C stops it."""
    with one_at_a_time(read_settings().server.data_folder), database() as settings:
        check_before_start(settings)
        supervisor = Supervisor(programs(settings), write=write_line)

        stopping = threading.Event()

        def stop(number: int, frame: FrameType | None) -> None:
            stopping.set()
            supervisor.stop_soon()

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        supervisor.start()
        greeter = threading.Thread(target=_greet, args=(settings, stopping), daemon=True)
        greeter.start()
        try:
            supervisor.run(until=_keep_database_up)
        finally:
            out.print("[bold]tipstaff[/] is stopping")
            supervisor.stop()


def _keep_database_up() -> bool:
    """The supervisor asks at each turn; it is never over for this."""
    if said := keep_database_up():
        write_line("tipstaff", said)
    return False


def _greet(settings: Config, stopping: threading.Event) -> None:
    """Once the console answers: where it is, and how to log in the first time. Nothing, if it is to stop by then."""
    from tipstaff.cli.waiting import answers_http

    if not answers_http(f"{settings.public_url_local}/health", seconds=60):
        return
    said = "\n".join(_greeting(settings))
    if not stopping.is_set():
        out.print(f"\n{said}\n")


def _greeting(settings: Config) -> Iterator[str]:
    from tipstaff import wiring
    from tipstaff.web.first import make_first_token, needs_first

    yield f"[bold]Console[/]      {settings.public_url}/console/"
    if needs_first():
        token = make_first_token(at=wiring.now(), actor="command line")
        yield f"[bold]First log-in[/] {settings.public_url}/first/{token}"
        yield "             (opens once, within a day; `tipstaff login-link` makes another)"
    mail, way_out = settings.mail_in, settings.mail_out
    yield (
        f"[bold]Mailbox[/]      {settings.operator.abuse_address} by SMTP on {mail.host}:{mail.smtp_port}, "
        f"LMTP on {mail.lmtp_host}:{mail.lmtp_port}"
    )
    if way_out.host:
        yield f"[bold]Letters[/]      go out by {way_out.host}:{way_out.port}, from {settings.from_address}"
    else:
        yield "[bold]Letters[/]      are written and held: set \\[mail_out] host to let them out"
    if settings.devices:
        named = ", ".join(f"{device.name} ({device.driver})" for device in settings.devices)
        yield f"[bold]Devices[/]      {named}"
    else:
        yield "[bold]Devices[/]      none: add \\[\\[devices]] to let measures reach one"
    if said := doubt_of_folder(settings):
        yield f"[bold]Data[/]         {escape(said)}"
    for said in wiring.editions_of_others(wiring.editions()):
        yield f"[bold]Policy[/]       {escape(said)}"
    yield "Ctrl-C stops everything."


def web() -> None:
    """Serve console, portal and API only."""
    with database() as settings:
        from tipstaff.wiring.processes import check_port, web_command

        check_port(settings.web.host, settings.web.port, WEB_PORT)
        _run_child(web_command())


def _run_child(command: list[str]) -> None:
    """Run a program to its end with our signals passed on; the database stays ours."""
    from tipstaff.host.supervisor import run_in_foreground

    raise typer.Exit(run_in_foreground(command))


def intake() -> None:
    """Take mail by SMTP and LMTP only."""
    with database():
        from tipstaff.wiring.processes import run_intake

        run_intake()


def worker() -> None:
    """Do background work only: read, judge, write letters, keep clocks."""
    with database():
        from tipstaff.wiring.processes import run_worker

        run_worker()


def enforcer() -> None:
    """Carry measures out on devices only."""
    with database():
        from tipstaff.wiring.processes import run_enforcer

        run_enforcer()
