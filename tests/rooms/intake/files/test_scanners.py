"""Scanners say what matched, that nothing did, or that they did not look: never the second for the third."""

import contextlib
import io
import socket
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from tipstaff.intake.files import File, NotScanned, ScannerAway, examine, files_of
from tipstaff.intake.files.clamd import Clamd
from tipstaff.intake.files.yara import Yara
from tipstaff.intake.mail import read_mail
from tipstaff.words import FileVerdict

SAMPLE = b"A harmless text that our own rule calls a SAMPLE-OF-MALWARE for this test."
RULE = 'rule sample { strings: $a = "SAMPLE-OF-MALWARE" condition: $a }'


@contextlib.contextmanager
def daemon(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Something that listens where clamd should."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            with contextlib.suppress(OSError):
                wire, _ = door.accept()
                with wire:
                    answer(wire)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{door.getsockname()[1]}"
        thread.join(5)


def hear(wire: socket.socket) -> bytes:
    """A whole INSTREAM."""
    with wire.makefile("rb") as heard:
        assert heard.read(10) == b"zINSTREAM\0"
        found = b""
        while octets := struct.unpack(">I", heard.read(4))[0]:
            found += heard.read(octets)
    return found


@pytest.mark.parametrize(
    ("said", "found"), [(b"stream: OK\0", ()), (b"stream: Own.Sample-1 FOUND\0", ("Own.Sample-1",))]
)
def test_clamd_hears_the_whole_file_and_its_word_is_taken(said: bytes, found: tuple[str, ...]) -> None:
    heard: list[bytes] = []

    def answer(wire: socket.socket) -> None:
        heard.append(hear(wire))
        wire.sendall(said)

    content = SAMPLE * 3000  # Several pieces.
    with daemon(answer) as at:
        assert Clamd(at, timeout_seconds=5).scan(content) == found
    assert heard == [content]


@pytest.mark.parametrize("said", [b"INSTREAM size limit exceeded. ERROR\0", b"stream: broken ERROR\0", b"OK\0", b""])
def test_whatever_else_clamd_says_is_no_verdict(said: bytes) -> None:
    def answer(wire: socket.socket) -> None:
        hear(wire)
        wire.sendall(said)

    with daemon(answer) as at, pytest.raises(NotScanned):
        Clamd(at, timeout_seconds=5).scan(SAMPLE)


def test_a_clamd_that_hangs_is_left_in_time() -> None:
    over = threading.Event()
    with daemon(lambda wire: over.wait(5) and None) as at:
        with pytest.raises(NotScanned, match=r"within 0\.2 seconds"):
            Clamd(at, timeout_seconds=0.2).scan(SAMPLE)
        over.set()


def test_a_clamd_that_is_away_is_asked_again_and_its_files_are_not_examined(tmp_path: Path) -> None:
    for at in (str(tmp_path / "no.socket"), "127.0.0.1:1"):
        with pytest.raises(ScannerAway, match="clamd cannot be asked"):
            Clamd(at, timeout_seconds=1).scan(SAMPLE)
        said = examine(File("a.exe", SAMPLE), scanner=Clamd(at, timeout_seconds=1), octets_max=1000)
        assert (said.verdict, said.again) == (FileVerdict.NOT_EXAMINED, True)
    too_large = examine(File("a.exe", SAMPLE), scanner=Clamd("127.0.0.1:1", timeout_seconds=1), octets_max=10)
    assert (too_large.verdict, too_large.again, too_large.why) == (
        FileVerdict.NOT_EXAMINED, False, "It is larger than 10 octets."
    )  # fmt: skip


def test_own_yara_rules_find_the_sample_and_not_its_sibling(tmp_path: Path) -> None:
    (tmp_path / "own.yar").write_text(RULE)
    (tmp_path / "notes.txt").write_text("no rule")
    yara = Yara(tmp_path, timeout_seconds=5)
    assert yara.scan(SAMPLE) == ("own.sample",)
    assert yara.scan(SAMPLE.lower()) == ()


def test_yara_without_rules_or_with_broken_ones_examines_nothing(tmp_path: Path) -> None:
    with pytest.raises(ScannerAway, match="There are no rules"):
        Yara(tmp_path, timeout_seconds=5).scan(SAMPLE)
    (tmp_path / "own.yar").write_text("rule broken {")
    with pytest.raises(NotScanned, match="yara failed"):
        Yara(tmp_path, timeout_seconds=5).scan(SAMPLE)


def test_a_file_on_which_yara_takes_too_long_is_not_examined(tmp_path: Path) -> None:
    # Each octet begins a match that goes on to the end.
    rule = "rule slow { condition: for any i in (0..filesize) : (for any j in (0..filesize) : (uint8(j) == 300 + i)) }"
    (tmp_path / "slow.yar").write_text(rule)
    with pytest.raises(NotScanned):
        Yara(tmp_path, timeout_seconds=1).scan(b"x" * 1_000_000)


def mail_with(*files: tuple[str, bytes]) -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"] = "desk@example.org", "Files"
    message.set_content("See the files.")
    for name, content in files:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def zipped(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return packed.getvalue()


def test_files_of_a_mail_are_found_in_its_archives_too() -> None:
    mail = read_mail(mail_with(("a.bin", SAMPLE), ("b.zip", zipped(c_bin=SAMPLE, d_txt=b"words"))))
    assert [file.name for file in files_of(mail)] == ["a.bin", "b.zip", "c.bin", "d.txt"]
    assert all(not file.flaw for file in files_of(mail)), "all of it was unfolded"


def test_an_archive_that_could_not_be_opened_whole_is_never_said_to_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "own.yar").write_text(RULE)
    yara = Yara(tmp_path, timeout_seconds=5)
    nested = zipped(inner_zip=zipped(c_bin=SAMPLE), d_txt=b"words")
    for content in (nested, nested[:-30]):
        said = [examine(f, scanner=yara, octets_max=10**6) for f in files_of(read_mail(mail_with(("b.zip", content))))]
        assert said[0].verdict is FileVerdict.NOT_EXAMINED
        assert "locked, packed once more, or beyond the bounds" in said[0].why
