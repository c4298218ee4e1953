"""What a live test needs of the machine: it says what is missing, and is skipped only where that may be missing.

`./test`, as root, installs all of it and says so (TIPSTAFF_TEST_INSTALLED): there a test that would be skipped fails.
"""

import importlib.util
import os
import shutil
from typing import NoReturn

import pytest

from tipstaff.testing.lab import Lab

SBIN = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def lacking(why: str) -> NoReturn:
    """Skip the test for want of something, or fail it where nothing is wanting."""
    if os.environ.get("TIPSTAFF_TEST_INSTALLED"):
        pytest.fail(f"{why}, though everything was installed (TIPSTAFF_NO_APT=1 ./test skips such tests)")
    pytest.skip(why)


def tool(name: str, package: str) -> str:
    """The path of a program."""
    found = shutil.which(name, path=SBIN)
    if found is None:
        lacking(f"there is no {name}; `apt-get install {package}` brings it")
    return found


def need_library(name: str) -> None:
    """The test goes on only where a library of an extra is installed, as `make setup` does."""
    if importlib.util.find_spec(name) is None:
        lacking(f"there is no {name}; `make setup` brings it")


def need_lab() -> None:
    """The test goes on only where example networks can be built."""
    if why := Lab.unavailable():
        lacking(why)
