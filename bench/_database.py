"""What benchmarks that need PostgreSQL share: an embedded one of their own, with the tables of this version."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def database(kept: Path | None = None, *, durable: bool = False) -> Iterator[Path]:
    """A server in a folder that goes with it, or in one that is kept; yields the folder. A durable one waits for the
    disk at each commit, as in use."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
    from tipstaff.host.postgres import EmbeddedPostgres

    with contextlib.ExitStack() as until:
        folder = kept or Path(until.enter_context(tempfile.TemporaryDirectory(prefix="tipstaff-bench-")))
        folder.mkdir(exist_ok=True, mode=0o700)
        os.environ["TIPSTAFF_DATA"] = str(folder)
        server = EmbeddedPostgres(folder / "postgres", durable=durable)
        server.start()
        os.environ["TIPSTAFF_DATABASE_URL"] = server.url
        os.environ["DJANGO_SETTINGS_MODULE"] = "tipstaff.site.settings"
        try:
            import django

            django.setup()
            from django.core.management import call_command
            from django.db import connections

            call_command("migrate", verbosity=0)
            yield folder
            connections.close_all()
        finally:
            server.stop()
