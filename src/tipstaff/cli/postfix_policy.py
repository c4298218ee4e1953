"""`tipstaff postfix-policy`: what Postfix asks before it takes a mail."""

import asyncio
import signal
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

import typer

from tipstaff.enforcement.mail_policy import Policy, serve

from .base import start_django


def postfix_policy(
    folder: Annotated[Path, typer.Argument(help="The folder that the device's option `folder` names.")],
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The TCP port; 0 lets the system choose.")
    ] = 10031,
    own: Annotated[
        list[str] | None,
        typer.Option("--own", help="A network of yours: its mail without a log-in goes by the sender."),
    ] = None,
    login_domain: Annotated[
        str, typer.Option("--login-domain", help="The domain of log-ins that are written without one.")
    ] = "",
) -> None:
    """Answer Postfix whether a mail may pass, by what the enforcer wrote into a folder.

    Run it as a user of its own, who may read that folder and write its file `held`. It asks no database.
    """
    try:
        networks = [ip_network(text) for text in own or ()]
    except ValueError as why:
        typer.echo(f"tipstaff: --own takes networks: {why}.", err=True)
        raise typer.Exit(2) from why
    start_django()
    from tipstaff import wiring

    policy = Policy(folder, now=lambda: wiring.now().timestamp(), own=networks, login_domain=login_domain)
    asyncio.run(_serve(policy, host, port))


async def _serve(policy: Policy, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await serve(policy, host, port, ready=lambda got: typer.echo(f"listening on {host} port {got}"), stop=stop)
    except OSError as why:
        typer.echo(f"tipstaff: nothing can listen on {host} port {port}: {why.strerror or why}", err=True)
        raise typer.Exit(1) from why
