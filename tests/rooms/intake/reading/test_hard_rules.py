"""The hard rules, in every form: sealed matter leaves nothing, and nothing in a complaint is opened or resolved."""

import base64
import bz2
import gzip
import io
import json
import lzma
import random
import socket
import struct
import tarfile
import urllib.request
import zlib
from importlib.resources import files
from pathlib import Path

import pytest

from tipstaff.intake.forms.wrapped import mail_of
from tipstaff.intake.mail import Limits
from tipstaff.intake.protocol import load_parsers
from tipstaff.intake.reading import read
from tipstaff.intake.sieve import _Looking, sift
from tipstaff.words import ReadingOutcome

from .mails import uuencoded, with_files, zipped

SAMPLES = sorted(Path(str(files("tipstaff.intake.parsers"))).glob("*/samples/*.eml"))
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8).decode()
ADDRESS = "192.0.2.199"
MISP = {
    "Event": {
        "info": "Child sexual abuse material hosted",
        "Attribute": [
            {"type": "ip-dst", "value": ADDRESS, "to_ids": True},
            {"type": "attachment", "value": "a.png", "data": PICTURE},
        ],
    }
}
STIX = {
    "type": "bundle",
    "objects": [
        {
            "type": "indicator",
            "id": "indicator--1",
            "name": "CSAM host",
            "labels": ["child-abuse"],
            "pattern": f"[ipv4-addr:value = '{ADDRESS}']",
        },
        {"type": "artifact", "id": "artifact--1", "mime_type": "image/png", "payload_bin": PICTURE},
    ],
}
IODEF = (
    "<IODEF-Document><Incident><Description>child pornography</Description><EventData><Flow><System>"
    f"<Node><Address>{ADDRESS}</Address></Node></System></Flow></EventData></Incident></IODEF-Document>"
)
TABLE = f"ip,time,type\n{ADDRESS},2026-03-10 10:00:00 UTC,child sexual abuse material\n"
FORMS = {
    "misp": with_files("A report.", ("application/json", "event.json", json.dumps(MISP).encode())),
    "stix": with_files("A report.", ("application/json", "bundle.json", json.dumps(STIX).encode())),
    "iodef": with_files("A report.", ("text/xml", "incident.xml", IODEF.encode())),
    "csv": with_files("A report.", ("text/csv", "list.csv", TABLE.encode())),
    "zip": with_files("A report.", ("application/zip", "list.zip", zipped(("list.csv", TABLE.encode())))),
    "labels": with_files(
        f"Child pornography.\nURL: http://{ADDRESS}/x\nReference: 1\n", ("image/png", "x.png", b"\x89PNG" * 99)
    ),
    "feed": mail_of(
        json.dumps({"feed": "urlhaus", "rows": [{"url": f"http://{ADDRESS}/", "tags": "child sexual abuse"}]}).encode(),
        content_type="application/vnd.tipstaff.feed+json",
        filename="x.json",
        sender="a@feed.invalid",
        subject="Feed",
    ),
    "xarf by HTTP": mail_of(
        json.dumps(
            {
                "xarf_version": "4.2.0",
                "category": "content",
                "type": "csam",
                "source_identifier": ADDRESS,
                "evidence": [{"content_type": "image/png", "payload": PICTURE}],
            }
        ).encode(),
        content_type="application/json",
        filename="xarf.json",
        sender="a@tipstaff.invalid",
        subject="XARF report",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_sealed_matter_leaves_no_media_in_any_form(form: str) -> None:
    sifted = sift(FORMS[form])
    assert sifted.sealed
    for media in (b"\x89PNG", PICTURE[:60].encode()):
        assert media not in sifted.kept


@pytest.mark.parametrize("form", FORMS)
def test_a_reading_of_sealed_matter_names_no_address(form: str) -> None:
    reading = read(FORMS[form], parsers=load_parsers())
    assert reading.outcome is ReadingOutcome.SEALED
    assert reading.allegations == ()
    assert ADDRESS not in repr(reading)


WORDS = "Report: child sexual abuse material hosted at http://192.0.2.199/x, please remove it.\n"
IMAGE = base64.b64decode(PICTURE)


def tnef(body: bytes, attached: bytes) -> bytes:
    """A winmail.dat with a body and a file (MS-OXTNEF, 2.1)."""

    def attribute(level: int, name: int, value: bytes) -> bytes:
        return struct.pack("<BII", level, name, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)

    said = attribute(1, 0x00089006, struct.pack("<I", 0x10000)) + attribute(1, 0x0002800C, body + b"\0")
    return struct.pack("<IH", 0x223E9F78, 1) + said + attribute(2, 0x0006800F, attached)


def tar(name: str, content: bytes) -> bytes:
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return kept.getvalue()


def pdf(shown: bytes) -> bytes:
    stream = zlib.compress(b"BT " + b" ".join(b"[(" + shown[n : n + 7] + b")]TJ" for n in range(0, len(shown), 7)))
    return b"%PDF-1.4\n1 0 obj\n<</Filter/FlateDecode>>\nstream\r\n" + stream + b"\nendstream\n"


TOLD = WORDS.encode()
BESIDE = ("p.png", IMAGE)
WRAPPED = {
    "zip in zip": zipped(("b.zip", zipped(("r.txt", TOLD), BESIDE))),
    "zip in zip in zip": zipped(("b.zip", zipped(("c.zip", zipped(("r.txt", TOLD), BESIDE))))),
    "zip by another name in zip": zipped(("b.dat", zipped(("r.txt", TOLD), BESIDE))),
    "mail in zip": zipped(("m.eml", b"Subject: x\r\n\r\n" + TOLD), BESIDE),
    "gzip of tar": gzip.compress(tar("r.txt", TOLD)),
    "tar": tar("r.txt", TOLD),
    "word processor": zipped(
        ("word/document.xml", b"<w:document><w:t>child </w:t></w:r><w:r><w:t>sexual abuse material</w:t></w:document>"),
        ("word/media/image1.png", IMAGE),
    ),
    "spreadsheet": zipped(("xl/sharedStrings.xml", b"<sst><si><t>child sexual abuse material</t></si></sst>"), BESIDE),
    "TNEF": tnef(TOLD, IMAGE),
    "TNEF, wide": tnef(WORDS.encode("utf-16-le"), IMAGE),
    "PDF": pdf(TOLD.strip()),
    "bzip2 of tar": bz2.compress(tar("r.txt", TOLD)),
    "xz": lzma.compress(TOLD),
    "the second member of a gzip file": gzip.compress(b"A list follows.\n") + gzip.compress(TOLD),
    "the last of 500 files": zipped(*((f"{n}.txt", b"a line of a log") for n in range(499)), ("r.txt", TOLD)),
    "an archive cut short": zipped(("a.txt", b"a line of a log" * 50), ("r.txt", TOLD * 9))[:-150],
    "a gzip file cut short": gzip.compress(TOLD * 9 + random.Random(3).randbytes(900))[:-300],
    "behind 40 MiB of zeros": zipped(("a.bin", bytes(40 * 2**20)), ("r.txt", TOLD)),
    "an archive behind a program": b"MZ" + bytes(900) + zipped(("r.txt", TOLD)),
    "hexadecimal": TOLD.hex().encode(),
    "hexadecimal with gaps": b"\n".join(TOLD[n : n + 16].hex(" ").encode() for n in range(0, len(TOLD), 16)),
    "escaped octets": "".join(f"\\x{x:02x}" for x in TOLD).encode(),
    "uuencode": b"The file:\n" + uuencoded(TOLD),
    "an archive in uuencode": uuencoded(zipped(("r.txt", TOLD))),
    "an archive in base64": b"The file:\n" + base64.encodebytes(zipped(("r.txt", TOLD))),
    "the last of many runs of base64": b"\n\n".join(
        base64.b64encode(x * 3) for x in (*[b"a line of a log"] * 30, TOLD)
    ),
    "RTF": b"{\\rtf1\\ansi child \\b sexual\\b0  abuse material at http://192.0.2.199/}",
    "UTF-16": WORDS.encode("utf-16"),
    "UTF-16 without a mark": WORDS.encode("utf-16-le"),
}


@pytest.mark.parametrize("form", WRAPPED)
def test_a_report_is_known_whatever_its_words_are_wrapped_in(form: str) -> None:
    raw = with_files("See what is attached.", ("application/octet-stream", "a.bin", WRAPPED[form]))
    sifted = sift(raw)
    assert sifted.sealed
    assert b"\x89PNG" not in sifted.kept
    assert base64.b64encode(WRAPPED[form])[:60] not in sifted.kept
    assert read(raw, parsers=load_parsers()).outcome is ReadingOutcome.SEALED


@pytest.mark.parametrize(
    "text",
    [
        "see data:text/plain;base64," + base64.b64encode(TOLD * 2).decode(),
        '<html><iframe src="data:text/html;base64,' + base64.b64encode(TOLD * 2).decode() + '"></html>',
        "<html>child <!-- --> sexual <span style='x'>ab</span>use material at http://192.0.2.199/</html>",
        "see http://192.0.2.199/child%20sexual%20abuse%20material",
    ],
)
def test_a_report_is_known_by_what_a_link_or_a_page_hides(text: str) -> None:
    kind = "html" if text.startswith("<") else "plain"
    assert sift(f"Subject: x\r\nContent-Type: text/{kind}\r\n\r\n{text}\r\n".encode()).sealed


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("iso2022_jp", "これは児童ポルノです。"),
        ("cp932", "これは児童ポルノです。"),
        ("euc_jp", "これは児童ポルノです。"),
        ("gb18030", "请立即处理，这是儿童色情内容。"),
        ("big5", "請立即處理，這是兒童色情內容。"),
        ("euc_kr", "귀하의 서버에 아동 음란물 사진이 있습니다"),
        ("koi8_r", "на вашем сервере детская порнография"),
        ("cp1251", "на вашем сервере детская порнография"),
        ("utf_16_be", WORDS),
    ],
)
@pytest.mark.parametrize("label", ["", "; charset=us-ascii", "; charset=iso-8859-1", "; charset=nonesuch"])
def test_a_report_is_known_in_a_charset_that_nobody_named(charset: str, text: str, label: str) -> None:
    raw = b"Subject: x\r\nContent-Type: text/plain" + label.encode() + b"\r\n\r\n" + f"{text} ".encode(charset)
    assert sift(raw).sealed


def test_noise_seals_nothing() -> None:
    noise = random.Random(4).randbytes(2**20)
    assert not sift(with_files("A capture.", ("application/octet-stream", "a.pcap", noise))).sealed


def test_archives_in_archives_are_gone_into_within_bounds() -> None:
    """A few files that unfold to thousands: no more than 48 MiB of them are looked at."""
    many = zipped(*((f"{n}.txt", b" " * 200_000) for n in range(40)))
    deep = zipped(*((f"{n}.zip", many) for n in range(40)))
    opened: list[int] = []
    looking = _Looking(Limits())
    for text in looking.texts(deep, "", ""):
        opened.append(len(text))
    assert len(opened) <= 500
    assert sum(opened) <= 48 * 2**20


def test_words_that_only_sound_alike_seal_nothing() -> None:
    table = f"ip,time,type\n{ADDRESS},2026-03-10 10:00:00 UTC,brute force by child process\n"
    raw = with_files("Attacks.", ("text/csv", "list.csv", table.encode()))
    assert not sift(raw).sealed
    assert read(raw, parsers=load_parsers()).outcome is ReadingOutcome.COMPLAINT


def test_nothing_in_a_complaint_is_opened_or_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was opened")

    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    for sample in SAMPLES:
        assert "stopped at this mail" not in read(sample.read_bytes(), parsers=load_parsers()).detail, sample
