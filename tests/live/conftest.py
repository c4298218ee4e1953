"""Desks of real processes for the live tests."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.live.running import Desk, clean_environment, database, run_python, url_of
from tipstaff.testing.mailbox import Mailbox


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones run with `make live` only, so that every change need not wait for them; but those that a mark names."""
    if os.environ.get("TIPSTAFF_TEST_SOAK"):
        return
    for item in items:
        mark = item.get_closest_marker("thorough")
        if mark is not None and item.name not in mark.kwargs.get("but", ()):
            item.add_marker(pytest.mark.skip(reason="it takes long; `make live` runs it (TIPSTAFF_TEST_SOAK=1)"))


MakeDesk = Callable[..., Desk]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with all tables and a hundred customers, to be copied."""
    name = f"live_template_{os.getpid()}"
    with database(name) as url:
        folder = tmp_path_factory.mktemp("template")
        run_python(
            "-m", "tests.live.moving_in",
            environment=clean_environment(TIPSTAFF_DATABASE_URL=url, TIPSTAFF_DATA=str(folder)),
        )  # fmt: skip
        assert url == url_of(name)
        yield name


@pytest.fixture(scope="session")
def open_desk(template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeDesk]:
    """Makes desks, each with a database, a data folder and a mail server of its own; all end with the run."""
    with ExitStack() as stack:
        count = 0

        def make(**more: object) -> Desk:
            nonlocal count
            count += 1
            url = stack.enter_context(database(f"live_{os.getpid()}_{count}", template=template))
            folder: Path = tmp_path_factory.mktemp("desk")
            letters = stack.enter_context(Mailbox())
            desk = Desk(folder, url=url, letters=letters, **more)  # type: ignore[arg-type]  # Desk's own words
            stack.callback(desk.stop)
            return desk

        yield make
