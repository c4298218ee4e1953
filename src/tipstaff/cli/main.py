"""`tipstaff`: every command, and the one place where a failure becomes a sentence and an exit code."""

import errno
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tipstaff import __version__

app = typer.Typer(
    name="tipstaff",
    help="Enforces an acceptable use policy end to end: from evidence to the narrowest effective action.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

errors = Console(stderr=True, highlight=False, soft_wrap=True)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tipstaff {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The settings file; TIPSTAFF_CONFIG names it too.", metavar="FILE"),
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    if config is not None:
        os.environ["TIPSTAFF_CONFIG"] = str(config.resolve())


_COMMANDS = (
    # (module, attribute, name): imported only here, so that `--help` stays quick.
    ("tipstaff.cli.running", "up", "up"),
    ("tipstaff.cli.running", "web", "web"),
    ("tipstaff.cli.running", "intake", "intake"),
    ("tipstaff.cli.running", "worker", "worker"),
    ("tipstaff.cli.running", "enforcer", "enforcer"),
    ("tipstaff.cli.devices", "end_due", "end-due"),
    ("tipstaff.cli.fetching", "feeds", "feeds"),
    ("tipstaff.cli.fetching", "mailboxes", "mailboxes"),
    ("tipstaff.cli.retests", "prober", "prober"),
    ("tipstaff.cli.retests", "retests", "retests"),
    ("tipstaff.cli.demo", "demo", "demo"),
    ("tipstaff.cli.parse", "parse", "parse"),
    ("tipstaff.cli.attribute", "attribute", "attribute"),
    ("tipstaff.cli.radius", "radius", "radius"),
    ("tipstaff.cli.postfix_policy", "postfix_policy", "postfix-policy"),
    ("tipstaff.cli.leases", "leases", "leases"),
    ("tipstaff.cli.neighbours", "neighbours", "neighbours"),
    ("tipstaff.cli.measures", "measures", "measures"),
    ("tipstaff.cli.measures", "plan", "plan"),
    ("tipstaff.cli.measures", "apply", "apply"),
    ("tipstaff.cli.measures", "drift", "drift"),
    ("tipstaff.cli.measures", "lift", "lift"),
    ("tipstaff.cli.measures", "prolong", "prolong"),
    ("tipstaff.cli.measures", "let_pass", "let-pass"),
    ("tipstaff.cli.trace", "trace", "trace"),
    ("tipstaff.cli.record", "verify", "verify"),
    ("tipstaff.cli.record", "backup", "backup"),
    ("tipstaff.cli.record", "restore", "restore"),
    ("tipstaff.cli.staff", "login_link", "login-link"),
    ("tipstaff.cli.staff", "check", "check"),
    ("tipstaff.cli.staff", "mailbox_probe", "mailbox-probe"),
)
_GROUPS = (
    ("tipstaff.cli.registry", "registry", "Customers and what they hold."),
    ("tipstaff.cli.admission", "admission", "Who is let in, and what the terminated still use."),
    ("tipstaff.cli.policy", "policy", "Editions of the policy."),
    ("tipstaff.cli.accountability", "accountability", "Customers who asked to be checked."),
    ("tipstaff.cli.clocks", "clocks", "Clocks of the edition that run on us."),
    ("tipstaff.cli.filters", "filters", "Filters in the network that belong to no case."),
    ("tipstaff.cli.letters", "letters", "Letters: what was written, and how it goes out."),
    ("tipstaff.cli.profiles", "profiles", "Readers of known reporters, as data."),
    ("tipstaff.cli.sightings", "sightings", "What your own sensors measured."),
    ("tipstaff.cli.detectors", "detectors", "Look through flows, logs and tables of your own."),
    ("tipstaff.cli.tokens", "token", "Tokens by which programs use the API in somebody's name."),
    ("tipstaff.cli.webhooks", "webhook", "Where your own programs are told what happens."),
    ("tipstaff.cli.sealed", "sealed", "The sealed queue, for counsel."),
    ("tipstaff.cli.legal", "legal", "The restricted legal register, for counsel."),
)

for _module, _attribute, _name in _COMMANDS:
    app.command(_name)(getattr(import_module(_module), _attribute))
for _module, _name, _help in _GROUPS:
    app.add_typer(import_module(_module).app, name=_name, help=_help)


def main() -> None:
    """Run a command; what can be said in one sentence is said so, on stderr, with exit code 1."""
    try:
        try:
            app()
        except SystemExit:
            if sys.stdout is not None:  # It is None where it was closed before we began.
                sys.stdout.flush()  # Here and not at the interpreter's end, where a failure is a traceback.
            raise
    except BrokenPipeError:
        _write_no_more()  # Whoever read our output has seen enough.
        sys.exit(141)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as why:
        if type(why).__module__.startswith("tipstaff.") and type(why).__name__ in _TOLD_IN_A_SENTENCE:
            said = str(why)
        elif type(why).__name__ == "OperationalError":
            said = f"The database does not answer: {str(why).strip().splitlines()[0]}"
        elif isinstance(why, OSError) and why.filename and why.strerror:
            said = f"{why.filename}: {why.strerror}."
        elif isinstance(why, OSError) and why.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            said = f"What it says cannot be written: {why.strerror}."
            _write_no_more()
        else:
            raise
        errors.print(f"tipstaff: {said}", markup=False)
        sys.exit(1)


def _write_no_more() -> None:
    """Not even what is buffered, at the interpreter's end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_TOLD_IN_A_SENTENCE = frozenset(
    {
        "BackupFailed",
        "BackupRunsAlready",
        "BadEdition",
        "BadOption",
        "BadProtected",
        "BadSetting",
        "BadToken",
        "CannotListen",
        "MailboxTrouble",
        "NoPostgres",
        "NameOfAProgram",
        "NoSuchDriver",
        "NotYours",
        "NoSuchFeed",
        "NoSuchEvent",
        "NoSuchToken",
        "NoSuchWebhook",
        "NotAllowed",
        "ParserIsBroken",
        "PortTaken",
        "RunsAlready",
    }
)
"""Failures whose message is written for the person at the terminal. By name: importing them would need a database."""
