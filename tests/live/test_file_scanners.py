"""A real ClamAV daemon and real YARA-X rules know the test file of the anti-virus makers, and not its sibling.

The daemon has one signature, our own; it downloads none. The file is put together here, so that no scanner finds it in
this repository.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.test_real_sources import running
from tipstaff.intake.files import File, examine
from tipstaff.intake.files.clamd import Clamd
from tipstaff.intake.files.yara import Yara
from tipstaff.words import FileVerdict

pytestmark = pytest.mark.live

KNOWN = "".join(("X5O!P%@AP[4\\PZX54(P^)7CC)7}", "$EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!", "$H+H*")).encode()
SIBLING = KNOWN.replace(b"TEST-FILE", b"TEST-FIVE")
CONF = """
DatabaseDirectory {folder}
LocalSocket {folder}/clamd.socket
Foreground yes
LogTime no
StreamMaxLength 1M
ConcurrentDatabaseReload no
"""


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clamd]:
    program = shutil.which("clamd", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("clamd is not installed (Debian: apt-get install clamav-daemon)")
    folder = tmp_path_factory.mktemp("clamd")
    folder.chmod(0o755)
    (folder / "own.ndb").write_text(f"Own.Known:0:*:{KNOWN.hex()}\n")
    (folder / "clamd.conf").write_text(CONF.format(folder=folder))
    with running([program, "-c", str(folder / "clamd.conf")], until="Self checking"):
        yield Clamd(str(folder / "clamd.socket"), timeout_seconds=5)


def test_clamd_knows_the_file_and_not_its_sibling(clamd: Clamd) -> None:
    found = examine(File("bill.com", KNOWN), scanner=clamd, octets_max=10**6)
    assert (found.verdict, found.found) == (FileVerdict.MATCHED, ("Own.Known.UNOFFICIAL",))
    assert examine(File("bill.com", SIBLING), scanner=clamd, octets_max=10**6).verdict is FileVerdict.NOTHING_FOUND


def test_a_file_that_clamd_takes_no_more_of_is_not_examined(clamd: Clamd) -> None:
    said = examine(File("film.bin", bytes(3 << 20)), scanner=clamd, octets_max=10**9)
    assert said.verdict is FileVerdict.NOT_EXAMINED
    assert "size limit exceeded" in said.why or "hung up" in said.why


def test_a_rule_of_our_own_knows_the_file_and_not_its_sibling(tmp_path: Path) -> None:
    text = KNOWN.decode().replace("\\", "\\\\")
    (tmp_path / "own.yar").write_text(f'rule known {{ strings: $a = "{text}" condition: $a at 0 }}')
    yara = Yara(tmp_path / "own.yar", timeout_seconds=5)
    assert examine(File("bill.com", KNOWN), scanner=yara, octets_max=10**6).found == ("own.known",)
    assert examine(File("bill.com", SIBLING), scanner=yara, octets_max=10**6).verdict is FileVerdict.NOTHING_FOUND
