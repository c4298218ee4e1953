"""A pytest plug-in (`-p tipstaff.testing.postgres`): one embedded PostgreSQL for a whole run.

It must come before pytest-django reads the settings, so it is a plug-in and not a conftest. The server listens on
a Unix socket in a folder that goes with it; `TIPSTAFF_DATABASE_URL` names a server of your own instead.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

_KEY = "TIPSTAFF_TEST_FOLDER"


def _begin() -> None:
    """Runs once, in the process that pytest was started in; xdist's workers inherit the environment."""
    if os.environ.get(_KEY):
        return
    folder = Path(tempfile.mkdtemp(prefix="tipstaff-tests-"))
    os.environ[_KEY] = str(folder)
    os.environ["TIPSTAFF_DATA"] = str(folder)
    if not os.environ.get("TIPSTAFF_DATABASE_URL"):
        from tipstaff.host.postgres import EmbeddedPostgres

        server = EmbeddedPostgres(folder / "postgres", durable=False)
        server.start()
        _begin.server = server  # type: ignore[attr-defined]  # kept for _end, which has no other way to it
        os.environ["TIPSTAFF_DATABASE_URL"] = server.url
    _begin.folder = folder  # type: ignore[attr-defined]


_begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    stop()


def stop() -> None:
    """Take down the server that was begun here, and its folder; nothing where none was."""
    server, folder = getattr(_begin, "server", None), getattr(_begin, "folder", None)
    if server is not None:
        server.stop()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
