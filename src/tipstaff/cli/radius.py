"""`tipstaff radius`: a live accounting server that writes a detail file."""

import asyncio
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, cast

import typer

from tipstaff.attribution.accounting import Accounting, DetailFile, NotAccounting, read_secrets

from .base import start_django

Clock = Callable[[], datetime]


def radius(
    clients: Annotated[Path, typer.Option("--clients", help="A file of lines ADDRESS SECRET, readable by you only.")],
    into: Annotated[Path, typer.Option("--into", help="The detail file that records are added to.")],
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The UDP port; 0 lets the system choose.")
    ] = 1813,
) -> None:
    """Hear RADIUS accounting (RFC 2866) and keep it as a detail file for `registry import radius-detail`.

    A packet is answered only when it is on the disk. SIGHUP opens the file anew after it was moved away.
    """
    try:
        secrets = read_secrets(clients)
    except (OSError, ValueError) as why:
        typer.echo(f"tipstaff: {why}", err=True)
        raise typer.Exit(1) from why
    start_django()
    from tipstaff import wiring

    asyncio.run(_serve(Accounting(secrets=secrets), DetailFile(into), host, port, wiring.now))


async def _serve(accounting: Accounting, file: DetailFile, host: str, port: int, now: Clock) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, file.reopen)
    try:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Hearing(accounting, file, now), local_addr=(host, port)
        )
    except OSError as why:
        typer.echo(f"tipstaff: nothing can listen on {host} port {port}: {why.strerror or why}", err=True)
        raise typer.Exit(1) from why
    typer.echo(f"listening on {transport.get_extra_info('sockname')[0]} port {transport.get_extra_info('sockname')[1]}")
    sys.stdout.flush()
    await stop.wait()
    transport.close()
    file.close()


class _Hearing(asyncio.DatagramProtocol):
    """Packets that come in together are written together, then answered."""

    def __init__(self, accounting: Accounting, file: DetailFile, now: Clock) -> None:
        self._accounting, self._file, self._now = accounting, file, now
        self._waiting: list[tuple[str, bytes, tuple[str, int]]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # Python 3.11's own is no subclass of it.

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            record, answer = self._accounting.take(data, sender=addr[0], at=self._now())
        except NotAccounting as why:
            typer.echo(f"tipstaff: not taken: {why}", err=True)
            return
        self._waiting.append((record, answer, addr))
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._file.add("".join(record for record, _, _ in waiting))
        for _, answer, sender in waiting:
            self._transport.sendto(answer, sender)
