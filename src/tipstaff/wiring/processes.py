"""The processes, split by what each may touch. They meet in PostgreSQL only.

`web` serves pages and has no device's secret; `intake` takes hostile bytes and has no way out; `worker` reads,
judges and writes letters; `enforcer` has the devices and listens to nobody but the database.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Iterator

import psycopg
from django.conf import settings as django_settings
from django.db import close_old_connections, connection

from tipstaff import wiring
from tipstaff.config import BadSetting, MailIn
from tipstaff.host.memory import collect_rarely, give_large_pieces_back
from tipstaff.intake.channels.mail_server import Limits, MailServer
from tipstaff.intake.channels.protocol import Refused, count_hops
from tipstaff.procedures import complaint, posting
from tipstaff.wiring import jobs, mail
from tipstaff.words import Channel

log = logging.getLogger("tipstaff")

HOPS_MAX = 50
"""Received fields; no real way is so long (RFC 5321, 6.3, suggests at least 100 for relays; we are the end)."""


class PortTaken(OSError):
    """Another program listens on this port already; name another one in the settings, or stop that program."""


def check_port(host: str, port: int, setting: str) -> None:
    """Raise PortTaken with one sentence if `port` cannot be listened on."""
    if port <= 0:
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as why:
            raise PortTaken(
                f"{host} port {port} cannot be listened on: a port below 1024 takes a permission that this user does "
                f"not have (CAP_NET_BIND_SERVICE); set {setting} to a higher port, or give it."
            ) from why
        except OSError as why:
            raise PortTaken(
                f"{host} port {port} cannot be listened on ({why.strerror}); set {setting} to another port, "
                "or stop the program that has it."
            ) from why


def tls_context(mail_in: MailIn) -> ssl.SSLContext | None:
    """What SMTP offers STARTTLS with; None without a certificate. Raise BadSetting for one that cannot be used."""
    if mail_in.tls_certificate is None and mail_in.tls_key is None:
        return None
    where = wiring.settings().where
    if mail_in.tls_certificate is None or mail_in.tls_key is None:
        keys = ("tls_certificate", "tls_key")
        given, other = keys if mail_in.tls_certificate is not None else reversed(keys)
        raise BadSetting(f"{where('mail_in', given)} and {other} go together; set both or none.")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(mail_in.tls_certificate, mail_in.tls_key)
    except (OSError, ssl.SSLError) as why:
        raise BadSetting(
            f"{where('mail_in', 'tls_certificate')} {mail_in.tls_certificate} and tls_key cannot be used: {why}."
        ) from why
    return context


def run_intake() -> None:
    """The mailbox: SMTP and LMTP in, evidence and a job out."""
    give_large_pieces_back()
    own = wiring.settings()
    desk = wiring.desk()

    def accept(raw: bytes, sender: str, recipients: tuple[str, ...], channel: Channel, *, peer: str = "") -> str:
        if count_hops(raw) > HOPS_MAX:
            raise Refused(f"This mail has passed more than {HOPS_MAX} servers: it is in a loop.")
        close_old_connections()
        return complaint.accept(
            raw, sender=sender, recipients=recipients, channel=channel, desk=desk, at=wiring.now(), peer=peer
        )

    server = MailServer(
        own.mail_in.host,
        own.mail_in.smtp_port,
        own.mail_in.lmtp_port,
        lmtp_host=own.mail_in.lmtp_host,
        accept=accept,
        hostname=own.operator.own_domains[0] if own.operator.own_domains else socket.gethostname(),
        local_recipients=(
            own.operator.abuse_address,
            *own.mail_in.recipients,
            *(b.address for b in own.brands if b.address),
        ),
        limits=Limits(
            mail_octets=own.mail_in.max_mib * 1024 * 1024,
            memory_octets=own.mail_in.memory_mib * 1024 * 1024,
            mails_a_minute=own.mail_in.mails_a_minute,
        ),
        tls=tls_context(own.mail_in),
    )
    with _stopping() as stop:
        server.start()
        log.info("taking mail: %s", ", ".join(f"{c.upper()} on port {n}" for c, n in server.ports.items()))
        stop.wait()
        server.stop()


def run_worker() -> None:
    """Background work: reading, judging, letters and clocks."""
    give_large_pieces_back()
    collect_rarely()
    recovered = posting.recover(at=wiring.now(), is_alive=mail.is_alive)
    for key in recovered:
        log.warning("letter %s was in a dead worker's hands; see its state", key)
    connection.close()
    from procrastinate.contrib.django import app

    jobs.tick  # noqa: B018 - naming it is what registers the tasks

    async def work(life: psycopg.Connection) -> None:
        with app.replace_connector(app.connector.get_worker_connector()) as running:  # type: ignore[attr-defined]
            async with running.open_async():
                # PostgreSQL gives the lock back the moment its holder is gone: no heartbeat need be waited for.
                got = life.execute("SELECT pg_try_advisory_lock(%s)", [jobs.WORKERS_LOCK]).fetchone()
                alone = got is not None and got[0]
                await jobs.put_back_stalled(0.0 if alone else jobs.STALLED_AFTER_SECONDS)
                life.execute("SELECT pg_advisory_lock_shared(%s)", [jobs.WORKERS_LOCK])
                if alone:
                    life.execute("SELECT pg_advisory_unlock(%s)", [jobs.WORKERS_LOCK])
                await jobs.work(running)

    with psycopg.connect(database_url(), autocommit=True) as life:
        asyncio.run(work(life))


def run_enforcer() -> None:
    """The one process that touches devices: what is planned is carried out, read back and probed."""
    from tipstaff.wiring.enforcer import Enforcer

    enforcer = Enforcer()
    with _stopping() as stop:
        enforcer.run(stop)


THREADS = 6
"""For pages, in each server process; an open page that is told of changes has one more for itself."""


def web_command() -> list[str]:
    """The command of the web process: gunicorn, whose workers go when their parent is killed."""
    own = wiring.settings()
    host = f"[{own.web.host}]" if ":" in own.web.host else own.web.host
    return [
        sys.executable, "-m", "gunicorn", "tipstaff.site.wsgi:application", "--bind", f"{host}:{own.web.port}",
        "--worker-class", "tipstaff.site.worker.Worker", "--workers", str(own.web.processes),
        "--threads", str(THREADS + own.web.live_pages), "--no-control-socket",
        "--graceful-timeout", "5", "--log-level", "warning", "--name", "tipstaff-web", "--max-requests", "0",
    ]  # fmt: skip


@contextlib.contextmanager
def _stopping() -> Iterator[threading.Event]:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    yield stop


def database_url() -> str:
    """The database in libpq's words, for connections of our own beside Django's."""
    url = wiring.settings().server.database_url
    assert url is not None, "set by the command that started the database"
    assert django_settings.configured, "the command sets Django up first"
    return url
