"""A mail with an archive in it is heavy, whatever it is wrapped in; any other that is small is not."""

import base64
import binascii
import bz2
import gzip
import io
import lzma
import quopri
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tipstaff.intake.parsers
from tipstaff.intake.mail import Mail, read_mail
from tipstaff.intake.weight import LIGHT_OCTETS, is_heavy

SAMPLES = sorted(Path(tipstaff.intake.parsers.__path__[0]).glob("*/samples/*.eml"))


def zipped() -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log.txt", "x" * 100_000)
    return kept.getvalue()


ZIP, GZIP = zipped(), gzip.compress(b"x" * 100_000, mtime=0)
BZIP2, XZ = bz2.compress(b"x" * 100_000), lzma.compress(b"x" * 100_000)
FIRST = b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0"


def mail(encoding: str, body: bytes, *, kind: str = "application/octet-stream", boundary: str = "b") -> bytes:
    lines = (
        "From: somebody@example.org", "MIME-Version: 1.0", f"Content-Type: multipart/mixed; boundary={boundary}", "",
        f"--{boundary}", f"Content-Type: {kind}", f"Content-Transfer-Encoding: {encoding}",
        "Content-Disposition: attachment; filename=log.zip", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode() + body + f"\r\n--{boundary}--\r\n".encode()


def holds_archive(read: Mail) -> bool:
    return any(leaf.content.startswith(FIRST) for leaf in read.leaves)


def in_base64(octets: bytes, *, every: int = 76, between: bytes = b"\r\n") -> bytes:
    text = base64.b64encode(octets)
    return between.join(text[n : n + every] for n in range(0, len(text), every))


def quoted(octets: bytes, *, form: str = "=%02X", between: bytes = b"") -> bytes:
    return between.join((form % octet).encode() for octet in octets)


def in_uuencode(octets: bytes, *, every: int = 45) -> bytes:
    lines = (binascii.b2a_uu(octets[n : n + every]) for n in range(0, len(octets), every))
    return b"begin 644 log.zip\n" + b"".join(lines) + b"`\nend\n"


WRAPPED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "base64": ("base64", in_base64),
    "base64, a line an octet": ("base64", lambda x: in_base64(x, every=1)),
    "base64 with blanks": ("base64", lambda x: b"\t\r\n  \r\n" + in_base64(x, every=3, between=b" \t ")),
    "base64 without padding": ("base64", lambda x: in_base64(x).rstrip(b"=")),
    "base64 with what is none": ("base64", lambda x: in_base64(x, every=2, between=b"!\xff-")),
    "base64 with padding before it": ("base64", lambda x: b"====" + in_base64(x)),
    "quoted where it has to be": ("quoted-printable", quopri.encodestring),
    "quoted throughout": ("Quoted-Printable", quoted),
    "quoted in small letters": ("quoted-printable", lambda x: quoted(x, form="=%02x")),
    "quoted, a line an octet": ("quoted-printable", lambda x: quoted(x, between=b"=\r\n")),
    "quoted, with blanks at each end": ("quoted-printable", lambda x: quoted(x, between=b"=  \r\n")),
    "as it is": ("8bit", bytes),
    "as it is, and called otherwise": ("x-none", bytes),
}


@pytest.mark.parametrize(
    "archive",
    [ZIP, GZIP, BZIP2, XZ, bz2.compress(b"") + BZIP2],
    ids=["zip", "gzip", "bzip2", "xz", "bzip2 behind an empty one"],
)
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_an_archive_is_seen_in_every_wrapping_that_is_undone(wrapped: str, archive: bytes) -> None:
    encoding, wrap = WRAPPED[wrapped]
    raw = mail(encoding, wrap(archive + b"\0" * (wrapped == "base64 without padding" and len(archive) % 3 == 0)))
    read = read_mail(raw)
    assert holds_archive(read), "the reader undoes it"
    assert sum(len(file.content) for file in read.attachments) == 100_000
    assert is_heavy(raw)


@pytest.mark.parametrize("text", [b"BZhang of 192.0.2.7 sends spam.", b"QlpoAAAA and 0BZhaaaa", b"=42Zh is a name"])
def test_what_only_begins_as_bzip2_is_light(text: bytes) -> None:
    assert not is_heavy(mail("quoted-printable", text))


@pytest.mark.parametrize("name", ["x-uuencode", "uuencode", "UUE"])
@pytest.mark.parametrize("every", [1, 45])
def test_what_is_uuencoded_is_heavy_because_the_lenient_reader_undoes_it(name: str, every: int) -> None:
    raw = mail(name, in_uuencode(ZIP, every=every)) + b"\r\n"
    broken = mail("base64", b"A=BC", boundary="a").replace(b"\r\n--a--", b"\r\n--a\r\n" + raw.partition(b"1.0\r\n")[2])
    assert holds_archive(read_mail(broken)), "one broken part is enough, and the lenient reader reads them all"
    assert is_heavy(broken)


@pytest.mark.parametrize("kind", ["message/rfc822", "Message/Global"])
@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_an_encoded_mail_inside_a_mail_is_heavy_as_nobody_sees_what_is_in_it(kind: str, encoding: str) -> None:
    inner = mail("base64", in_base64(ZIP))
    raw = mail(encoding, in_base64(inner) if encoding == "base64" else quoted(inner), kind=kind, boundary="outer")
    assert is_heavy(raw)
    type_last = raw.replace(f"Content-Type: {kind}\r\n".encode(), b"").replace(
        b"filename=log.zip", f"filename=log.zip\r\nContent-Type: {kind}".encode(), 1
    )
    within = mail("8bit", type_last.partition(b"--outer\r\n")[2].partition(b"--outer--")[0], kind="message/rfc822")
    assert is_heavy(within), "the encoding may stand first, and just below an empty line"
    plain = mail("base64", in_base64(b"a picture"), boundary="inner")
    assert not is_heavy(mail("8bit", plain, kind=kind, boundary="outer")), "one that is not encoded is looked into"


@pytest.mark.parametrize(
    ("kind", "encoding"),
    [
        ("message/rfc822", "=?us-ascii?q?base64?="),
        ("message/rfc822", "=?us-ascii?b?YmFzZTY0?="),
        ("=?us-ascii?q?message=2Frfc822?=", "base64"),
    ],
)
def test_an_encoded_word_where_none_may_be_hides_nothing(kind: str, encoding: str) -> None:
    raw = mail(encoding, in_base64(mail("base64", in_base64(ZIP))), kind=kind, boundary="outer")
    assert holds_archive(read_mail(raw)), "the reader undoes it"
    assert is_heavy(raw)
    named = mail("base64", in_base64(b"a picture"), kind='image/png; name="=?utf-8?q?Bild=C3=A4?="')
    assert not is_heavy(named), "names of files are often encoded so"


@given(st.lists(st.sampled_from([b"", b" ", b"\r\n", b"\t", b"=\r\n", b"!", b"\x00"]), min_size=8, max_size=8))
def test_nothing_that_a_decoder_passes_over_hides_an_archive(between: list[bytes]) -> None:
    text = base64.b64encode(ZIP)
    body = b"".join(bytes((c,)) + b for c, b in zip(text[:8], between, strict=True)) + text[8:]
    raw = mail("base64", body)
    assert is_heavy(raw) or not holds_archive(read_mail(raw))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.parent.name}/{path.stem}")
def test_a_sample_is_heavy_when_there_is_an_archive_in_it_and_only_then(path: Path) -> None:
    raw = path.read_bytes()
    assert is_heavy(raw) == holds_archive(read_mail(raw))


def test_a_large_mail_is_heavy_whatever_is_in_it() -> None:
    assert not is_heavy(b"x" * LIGHT_OCTETS)
    assert is_heavy(b"x" * (LIGHT_OCTETS + 1))
