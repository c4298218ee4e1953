"""What commands share: settings, the database that they need, and Django."""

import contextlib
import fcntl
import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tipstaff import config
from tipstaff.config import Config
from tipstaff.host.keys import private_folder
from tipstaff.host.postgres import EmbeddedPostgres, NoPostgres

SUPERVISED = "TIPSTAFF_SUPERVISED"
"""Set for the processes of a supervisor, which has brought the database and the keys to this version already."""


def read_settings() -> Config:
    """The settings of this command; raise BadSetting with one sentence, also where others could change our data."""
    settings = config.load(None, os.environ)
    _refuse_others_folder(settings)
    return settings


def _refuse_others_folder(settings: Config) -> None:
    """Keys and the database are only as safe as the folder that holds them."""
    folder = settings.server.data_folder
    try:
        status = folder.stat()
    except OSError:
        return  # It is made, privately; where it cannot be, that is said then.
    where = f"{settings.where('server', 'data_folder')} is {folder}, but"
    if not stat.S_ISDIR(status.st_mode):
        raise config.BadSetting(f"{where} that is no folder.")
    if status.st_mode & stat.S_IWOTH:
        raise config.BadSetting(
            f"{where} everybody can write there; name a folder of Tipstaff's own, or run chmod 700 on it."
        )
    # Root's is no danger: a container's volume often is, and root could do anything anyway.
    if status.st_uid not in (os.geteuid(), 0):
        raise config.BadSetting(f"{where} it belongs to another user; run Tipstaff as that user, or name another.")


def doubt_of_folder(settings: Config) -> str:
    """What should be said of a data folder that can be used; empty if nothing."""
    folder = settings.server.data_folder
    if folder.exists() and folder.stat().st_mode & stat.S_IWGRP:
        return f"{folder}: the folder's group can write to the data folder; run chmod 700 on it unless that is meant."
    return ""


LOCK = "up.lock"


class RunsAlready(RuntimeError):
    """Tipstaff runs on this data folder already; the message names it and says what to do."""


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold a data folder for a program that nothing else may run beside; raise RunsAlready.

    The lock goes with the process, however it ends (flock(2)).
    """
    with (private_folder(folder) / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as why:
            raise RunsAlready(
                f"tipstaff runs on {folder} already; stop it first, or set TIPSTAFF_DATA to another folder."
            ) from why
        yield


def check_files(settings: Config) -> None:
    """Raise BadSetting for a file that the settings name and that is not there, or is no key of ours."""
    for key in ("password_file", "dkim_key_file", "openpgp_key_file", "smime_key_file"):
        file = getattr(settings.mail_out, key)
        if file is not None and not file.exists():
            raise config.BadSetting(f"{settings.where('mail_out', key)} is {file}, but there is no such file.")
    own = settings.mail_out
    if own.openpgp_key_file is None and own.smime_key_file is None:
        return
    from tipstaff.host.envelopes import UselessKey, check_own

    try:
        check_own(openpgp_file=own.openpgp_key_file, smime_file=own.smime_key_file)
    except UselessKey as why:
        raise config.BadSetting(f"[mail_out] {why}.") from None


def check_folder(settings: Config) -> None:
    """Raise BadSetting for a data folder that can neither be made nor written to. Nothing is left behind."""
    folder = settings.server.data_folder
    there = next(one for one in (folder, *folder.parents) if one.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=".tipstaff-", dir=there):
            pass
    except OSError as why:
        raise config.BadSetting(
            f"[server] data_folder (TIPSTAFF_DATA) is {folder}, but nothing can be written there ({why.strerror})."
        ) from why


def check_parts(settings: Config) -> None:
    """Raise BadSetting, in a sentence, for whatever the settings name and no process could use. Needs no database."""
    from tipstaff import wiring
    from tipstaff.wiring.fetchers import check_feeds, prober
    from tipstaff.wiring.processes import tls_context

    check_folder(settings)
    check_files(settings)
    wiring.installed_editions()
    wiring.shadow()
    wiring.parsers()
    wiring.report_tokens()
    wiring.sensor_tokens()
    wiring.archive_passwords()
    wiring.check_announcements()
    wiring.drivers()
    wiring.outward()
    check_feeds()
    if settings.prober.run:
        prober()
    tls_context(settings.mail_in)


def start_django() -> None:
    """Set Django up on the database that TIPSTAFF_DATABASE_URL names."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tipstaff.site.settings")
    import django

    django.setup()


@contextlib.contextmanager
def database(*, quiet: bool = True) -> Iterator[Config]:
    """The database of the settings, started if it is the embedded one and nobody runs it yet; then Django, migrated.

    It is stopped again at the end by whoever started it.
    """
    settings = read_settings()
    server: EmbeddedPostgres | None = None
    if settings.server.database_url is None:
        server = EmbeddedPostgres(settings.server.data_folder / "postgres")
        settings.server.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        server.start()
        _own.append(server)
        os.environ["TIPSTAFF_DATABASE_URL"] = server.url
    try:
        start_django()
        from tipstaff import wiring

        if SUPERVISED not in os.environ:
            migrate()
            wiring.make_keys()
            wiring.adopt_editions()
        yield wiring.settings()
    finally:
        if server is not None:
            from django.db import connections

            connections.close_all()
            _own.remove(server)
            server.stop()


_own: list[EmbeddedPostgres] = []
"""The server that this process started; none while another process runs it, or the settings name one."""


def keep_database_up() -> str:
    """Start our own PostgreSQL again if it was killed, and say so; empty when there was nothing to do."""
    try:
        revived = any(server.revive() for server in _own)
    except NoPostgres as why:
        return f"PostgreSQL was killed and does not start yet: {why}"
    return "PostgreSQL was killed; it runs again, with all that was committed" if revived else ""


def migrate() -> None:
    """Bring the database to this version; nothing happens when it is there already."""
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    with connection.cursor() as cursor:
        # Two processes that start at once must not both migrate.
        cursor.execute("SELECT pg_advisory_lock(727077)")
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", interactive=False, verbosity=0)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(727077)")


def who_types() -> str:
    """The log-in name of whom the process runs as, for the record: LOGNAME and USER are what anybody sets them to."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
