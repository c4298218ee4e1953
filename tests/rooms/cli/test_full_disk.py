"""What cannot be written is one sentence; what nobody reads any more is none."""

import os
import subprocess
import sys

import pytest

LITTLE = "import sys; sys.stdout.write('a line\\n')"
MUCH = "import sys; sys.stdout.writelines('a line\\n' for _ in range(100_000))"
TIPSTAFF = """
import sys
from tipstaff.cli.main import app, main
@app.command("say")
def say() -> None:
    {}
sys.argv[1:] = ["say"]
main()
"""


@pytest.mark.parametrize("says", [LITTLE, MUCH])
def test_a_full_disk_is_a_sentence_and_exit_code_1(says: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", TIPSTAFF.format(says)], stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            timeout=180,
        )  # fmt: skip
    assert done.stderr == "tipstaff: What it says cannot be written: No space left on device.\n"
    assert done.returncode == 1


@pytest.mark.parametrize("says", [LITTLE, MUCH])
def test_a_closed_pipe_is_no_trouble(says: str) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-c", TIPSTAFF.format(says)], stdout=pipe, stderr=subprocess.PIPE, text=True, check=False,
            timeout=180,
        )  # fmt: skip
    assert done.stderr == ""
