"""A desk for each story."""

import pytest

from tests.procedures.office import Office


@pytest.fixture
def office(db: None) -> Office:
    return Office()
