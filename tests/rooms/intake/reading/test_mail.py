"""A mail is read whatever is broken in it, within bounds."""

import base64
import bz2
import email.header
import gzip
import lzma
import resource
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from email.message import EmailMessage, Message

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tipstaff.intake import mail as mail_reading
from tipstaff.intake.mail import Limits, Mail, read_mail, read_mail_by_standard_library
from tipstaff.intake.protocol import load_parsers
from tipstaff.intake.reading import read
from tipstaff.intake.text.characters import decode, html_to_text
from tipstaff.words import ReadingReason

from .mails import letter, with_files, zipped

SHAPES = {
    "plain": letter("Hello from 192.0.2.1"),
    "Latin 1": b"Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\nContent-Type: text/plain; charset=iso-8859-1\n\nGr\xfc\xdfe",
    "KOI8": b"Subject: x\nContent-Type: text/plain; charset=koi8-r\n\n" + "привет".encode("koi8-r"),
    "a charset that does not exist": b"Subject: x\nContent-Type: text/plain; charset=nonesuch-7\n\nGr\xc3\xbc\xc3\x9fe",
    "a charset that lies": b"Subject: x\nContent-Type: text/plain; charset=us-ascii\n\nGr\xc3\xbc\xc3\x9fe",
    "UTF-16": b"Subject: x\nContent-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64\n\n//5IAGkA",
    "quoted-printable": b"Subject: x\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=C3=9Fe =\nweiter",
    "broken base64": b"Subject: x\nContent-Transfer-Encoding: base64\n\nSGVsbG8gd29ybGQ!!!=",
    "no header at all": b"just words\nand more",
    "no body": b"Subject: only a header\n",
    "nothing": b"",
    "an mbox line": b"From someone Thu Jan  1 00:00:00 1970\nSubject: x\n\nHello",
    "carriage returns": b"Subject: x\rFrom: a@example.org\r\rHello",
    "nul bytes": b"Subject: x\0y\n\nHel\0lo",
    "a boundary that is never closed": b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHello",
    "a boundary that never comes": b"Content-Type: multipart/mixed; boundary=other\n\n--b\n\nHello\n--b--",
    "no boundary": b"Content-Type: multipart/mixed\n\nHello",
    "an empty boundary": b'Content-Type: multipart/mixed; boundary=""\n\n--\n\nHello\n----',
    "a header of one long line": b"Subject: " + b"x" * 300_000 + b"\n\nHello",
    "ten thousand headers": b"".join(b"X-%d: y\n" % n for n in range(10_000)) + b"\nHello",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_gives_a_mail(shape: str) -> None:
    mail = read_mail(SHAPES[shape])
    assert isinstance(mail.subject, str)
    assert isinstance(mail.body, str)
    assert "\n" not in mail.subject


@pytest.mark.parametrize(
    "shape",
    [
        "plain",
        "Latin 1",
        "KOI8",
        "a charset that lies",
        "UTF-16",
        "quoted-printable",
        "a boundary that is never closed",
    ],
)
def test_the_fast_parser_says_the_same_as_the_standard_library(shape: str) -> None:
    fast, slow = read_mail(SHAPES[shape]), read_mail_by_standard_library(SHAPES[shape])
    assert fast.subject == slow.subject
    assert fast.body.strip() == slow.body.strip()
    assert [(x.content_type, x.filename) for x in fast.leaves] == [(x.content_type, x.filename) for x in slow.leaves]


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=200)


@settings(max_examples=80, deadline=None)
@given(subject=words, text=words, name=st.from_regex(r"\A[a-z]{1,9}\.txt\Z"), content=st.binary(max_size=300))
def test_the_two_parsers_agree_on_well_formed_mail(subject: str, text: str, name: str, content: bytes) -> None:
    mail = EmailMessage()
    mail["From"] = "reporter@example.org"
    mail["Subject"] = subject
    mail.set_content(text)
    mail.add_attachment(content, maintype="application", subtype="x-test", filename=name)
    raw = mail.as_bytes()
    fast, slow = read_mail(raw), read_mail_by_standard_library(raw)
    assert fast.broken == ""
    assert fast.subject.split() == slow.subject.split()
    assert fast.body.split() == slow.body.split()
    assert [x.content for x in fast.attachments] == [x.content for x in slow.attachments]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_give_a_mail(raw: bytes) -> None:
    for mail in (read_mail(raw), read_mail_by_standard_library(raw)):
        assert isinstance(mail.body, str)
        assert mail.attachments is not None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.text(max_size=30))
def test_any_bytes_and_any_charset_give_characters(content: bytes, charset: str) -> None:
    assert isinstance(decode(content, charset=charset), str)


@pytest.mark.parametrize(
    "charset", ["base64", "zlib", "bz2", "hex", "rot13", "unicode_escape", "idna", "undefined", "x\0y"]
)
def test_a_charset_that_is_none_does_no_harm(charset: str) -> None:
    assert isinstance(decode(b"Gr\xc3\xbc\xc3\x9fe \\u0041", charset=charset), str)


def test_html_becomes_lines_of_words() -> None:
    page = (
        "<html><head><style>p{color:red}</style><script>alert('192.0.2.9')</script></head><body><!-- 192.0.2.8 -->"
        "<table><tr><td>Source&nbsp;IP:</td><td>192.0.2.7</td></tr></table><a href='https://example.com/x?a=1&amp;b=2'>here</a>"
    )
    text, links = html_to_text(page)
    assert text.splitlines()[0].split() == ["Source", "IP:", "192.0.2.7"]
    assert links == ["https://example.com/x?a=1&b=2"]
    assert "192.0.2.9" not in text
    assert "192.0.2.8" not in text


@pytest.mark.parametrize("piece", ["<", "<!--", "<a href='", "<style>", "&lt;", "<p", "</", "<![CDATA["])
def test_hostile_html_takes_work_in_proportion_to_its_length(piece: str) -> None:
    text, _ = html_to_text(piece * 100_000)
    assert len(text) <= 100_000 * len(piece)


@pytest.mark.parametrize(
    ("plain", "page"),
    [
        ("-- \nYou receive this because of a list.", "The address 192.0.2.7 attacked us. " + "Please act. " * 40),
        ("Please see the HTML part.", "The address 192[.]0[.]2[.]7 attacked us (192.0.2.7)."),
        ("Report of 10.03.2026. See HTML.", "The address 192.0.2.7 attacked our mail server by SMTP logins."),
        ("Sent 10:12:44. See HTML.", "The address 192.0.2.7 attacked our mail server by SMTP logins."),
    ],
    ids=["signature", "short page", "date", "clock"],
)
def test_a_stub_beside_a_page_does_not_hide_the_page(plain: str, page: str) -> None:
    mail = EmailMessage()
    mail["From"] = "reporter@example.org"
    mail.set_content(plain)
    mail.add_alternative(f"<p>{page}</p>", subtype="html")
    assert "192.0.2.7" in read_mail(mail.as_bytes()).body


def test_files_in_an_archive_are_read_and_archives_in_it_are_not() -> None:
    inner = zipped(("secret.csv", b"x"))
    raw = with_files(
        "See.",
        ("application/zip", "r.zip", zipped(("report.csv", b"timestamp,ip"), ("inner.zip", inner), ("x", inner))),
    )
    assert [(x.name, x.content) for x in read_mail(raw).attachments] == [("report.csv", b"timestamp,ip")]


def test_a_zip_bomb_is_left_closed() -> None:
    bomb = zipped(("bomb.csv", b"0" * 60_000_000))
    assert len(bomb) < 100_000
    mail = read_mail(with_files("See.", ("application/zip", "r.zip", bomb)))
    assert sum(len(x.content) for x in mail.attachments) < 1_000_000


def test_a_gzip_bomb_is_cut_off() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = packer.compress(b"0" * 60_000_000) + packer.flush()
    mail = read_mail(with_files("See.", ("application/gzip", "r.csv.gz", bomb)))
    assert sum(len(x.content) for x in mail.attachments) <= Limits().archive_octets


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress])
def test_a_list_that_is_packed_alone_is_read(packed: Callable[[bytes], bytes]) -> None:
    ending = {gzip.compress: "gz", bz2.compress: "bz2", lzma.compress: "xz"}[packed]
    rows = packed(b"timestamp,ip\n") + packed(b"2026-03-10 10:00:00,192.0.2.7\n")
    (found,) = read_mail(with_files("See.", ("application/octet-stream", f"list.csv.{ending}", rows))).attachments
    assert found.name == "list.csv"
    assert found.content == b"timestamp,ip\n2026-03-10 10:00:00,192.0.2.7\n"


def test_an_archive_with_a_lying_directory_gives_nothing_or_little() -> None:
    archive = bytearray(zipped(("a.csv", b"timestamp,ip\n" * 100)))
    for at in range(len(archive) - 60, len(archive), 7):
        archive[at] ^= 0xFF
    assert read_mail(with_files("See.", ("application/zip", "r.zip", bytes(archive)))).attachments is not None


@pytest.mark.parametrize(
    "text",
    [
        "Sehr geehrte Damen und Herren, aus Ihrem Netz werden Passwörter erraten. Grüße",
        "Être prié de cesser: l'adresse a été bloquée, réponse souhaitée à l'équipe",
        "Señor, ¿puede ayudar? Atención: dirección IP atacó",
        "ÄÖÜäöüß",
    ],
)
@pytest.mark.parametrize("label", ["", "iso-8859-1", "us-ascii", "nonesuch"])
def test_western_letters_stay_western_whatever_the_label_says(text: str, label: str) -> None:
    assert decode(text.encode("cp1252"), charset=label) == text


@pytest.mark.parametrize("label", ["", "iso-8859-1", "us-ascii", "utf-8", "nonesuch"])
@pytest.mark.parametrize("charset", ["koi8_r", "cp1251", "cp866"])
def test_cyrillic_letters_are_known_without_a_label(charset: str, label: str) -> None:
    text = "Здравствуйте! С адреса 192.0.2.7 подбирают пароли к нашему серверу."
    assert decode(text.encode(charset), charset=label) == text


@pytest.mark.parametrize("depth", [20, 300, 5000])
@pytest.mark.parametrize("kind", ["multipart/mixed; boundary=b%d", "message/rfc822"])
def test_absurd_nesting_ends_with_a_mail_that_says_so(depth: int, kind: str) -> None:
    raw = b"Subject: deep\n"
    for n in range(depth):
        boundary = b"--b%d\n" % n if "boundary" in kind else b""
        raw += b"Content-Type: " + (kind % n if "%" in kind else kind).encode() + b"\n\n" + boundary
    mail = read_mail(raw + b"\nthe end")
    assert mail.subject == "deep"
    assert mail.exceeded or mail.broken


@pytest.mark.parametrize(
    "field",
    [
        b'a="' + b"; a=" * 250_000,
        b'a="' + b";boundary*0=a" * 15_000,
        b'a="' + b"; a*0*=x" * 120_000,
        b'boundary="' + b"]" * 1_000_000 + b'"',
    ],
    ids=["open", "continued", "encoded", "boundary"],
)
def test_no_field_with_parameters_takes_more_work_than_its_first_characters(
    field: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's work is the square of a field's length, and it makes a pattern of a boundary."""
    seen: list[int] = []
    take = Message.get_param

    def taken(self: Message, *args: object, **more: object) -> object:
        seen.append(len(str(self.get("content-type", ""))))
        return take(self, *args, **more)

    monkeypatch.setattr(Message, "get_param", taken)
    mail = read_mail(b"Subject: long\nContent-Type: multipart/mixed; " + field + b"\n\nattacks from 192.0.2.7\n")
    assert "size" in mail.exceeded
    assert "192.0.2.7" in mail.body, "it goes by the lenient reader, and what it says is read"
    assert seen
    assert max(seen) <= 4000


WORD = b"=?utf-8?q?a?= "


@pytest.mark.parametrize(
    "words", [WORD * 200_000, b"=? " * 200_000, b"=?utf-8?q?" * 50_000], ids=["words", "open", "begun"]
)
def test_a_header_of_endless_encoded_words_costs_the_parser_a_hundred_and_is_said(
    words: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parser's work is the square of the words in a line; so they are counted where it is called."""
    given: list[bytes] = []
    parse = mail_reading.parse_email_tree

    def parsed(raw: bytes, *, mode: str) -> object:
        given.append(raw)
        return parse(raw, mode="lazy")

    monkeypatch.setattr(mail_reading, "parse_email_tree", parsed)
    text = b"Go to https://example.org/?a=?" + b"&b=?" * 30_000
    mail = read_mail(b"Subject: Scan\r\nX-Long: " + words + b"\r\n\r\n" + text)
    [raw] = given
    assert max(line.count(b"=?") for line in raw.split(b"\n")) <= 100
    assert "size" in mail.exceeded
    assert mail.subject == "Scan"
    assert mail.header("x-long").startswith("a" * 50 if words.startswith(WORD) else "=?")
    assert mail.leaves[0].content == text, "what is no header stays as it came"


def test_encoded_words_in_folded_lines_are_all_decoded() -> None:
    mail = read_mail(b"Subject: " + b"\r\n ".join([b"=?utf-8?q?word?="] * 200) + b"\r\n\r\n" + b"x" * 70_000)
    assert mail.headers("subject") == ("word" * 200,)
    assert not mail.exceeded


def test_the_standard_library_decodes_no_more_than_64_kib_of_a_field(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    decode_header = email.header.decode_header

    def counted(value: str) -> object:
        decoded.append(len(value))
        return decode_header(value)

    monkeypatch.setattr(email.header, "decode_header", counted)
    mail = read_mail_by_standard_library(b"Subject: Scan\r\nX-Long: " + WORD * 100_000 + b"\r\n\r\nhi")
    assert decoded == [64 * 1024]
    assert mail.subject == "Scan"
    assert "size" in mail.exceeded


WALLS_TOLD = [
    b"Content-Type: multipart/mixed; boundary=e%d",
    b"CONTENT-TYPE:\r\n\tMultiPart/Mixed;\r\n boundary=e%d",
    b"Content-Type: =?utf-8?q?multip=61rt/mixed;_boundary=3De%d?=",
]
CARRIED = [
    b"",
    b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    b"Content-Type: Message/RFC822\r\nContent-Transfer-Encoding: BASE64\r\n\r\n",
    b"Content-Type: =?utf-8?q?mess=61ge/rfc822?=\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    b"Content-Type: multipart/digest; boundary=q\r\n\r\n--q\r\nContent-Transfer-Encoding: base64\r\n\r\n",
]
DEEPER = """
import base64, sys
from tipstaff.intake.mail import read_mail
told, carried = (x.encode() for x in sys.argv[1:3])
walls = b"".join(told % n + b"\\r\\n\\r\\n--e%d\\r\\n" % n for n in range(60_000))
inside = b"Subject: inside\\r\\n" + walls + b"\\r\\nend"
mail = read_mail(b"Subject: deep\\r\\n" + carried + (base64.encodebytes(inside) if carried else inside))
print(mail.subject, *sorted(mail.exceeded))
"""


@pytest.mark.parametrize("carried", CARRIED, ids=["plain", "in a mail", "in a MAIL", "in a hidden mail", "in a digest"])
@pytest.mark.parametrize("told", WALLS_TOLD, ids=["plain", "folded", "in an encoded word"])
def test_no_nesting_however_it_is_written_ends_the_process(told: bytes, carried: bytes) -> None:
    """In a process of its own: what is read into a stack's end is no exception."""
    ended = subprocess.run(
        [sys.executable, "-c", DEEPER, told.decode(), carried.decode()], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-500:]
    assert ended.stdout.startswith("deep"), ended.stdout
    if b"=?" not in carried + told:
        assert "depth" in ended.stdout, ended.stdout


MAIL_INSIDE = b"Subject: inside\r\nFrom: a@example.org\r\n\r\nIt says Content-Type: message/rfc822 and no more.\r\n"


@pytest.mark.parametrize(
    "around",
    [
        b"Content-Type: Message/RFC822; name=a\r\n\r\n" + MAIL_INSIDE,
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(MAIL_INSIDE),
        b"Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\n" + MAIL_INSIDE,
        b"Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\n" + MAIL_INSIDE + b"\r\n--d--\r\n",
    ],
    ids=["as it is", "in base64", "twice", "in a digest"],
)
def test_mails_inside_a_large_mail_are_read_as_those_inside_a_small_one(around: bytes) -> None:
    def of(filling: bytes) -> Mail:
        head = b"Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        return read_mail(head + around + b"\r\n--b\r\nContent-Type: text/plain\r\n\r\n" + filling + b"\r\n--b--\r\n")

    def shape(mail: Mail) -> list[object]:
        return [(x.is_message, bool(x.children), str(x.headers).lower(), x.content_type) for x in mail.root.walk()] + [
            x.content.strip() for x in mail.leaves if b"filling" not in x.content
        ]

    small, large = of(b"filling "), of(b"filling " * 20_000)
    assert [x.header("subject") for x in small.embedded][-1] == "inside"
    assert shape(large) == shape(small)
    assert not large.exceeded


def test_ten_thousand_parts_are_not_all_unfolded() -> None:
    part = b"--b\n\nHello 192.0.2.1\n"
    mail = read_mail(b"Content-Type: multipart/mixed; boundary=b\n\n" + part * 10_000 + b"--b--")
    assert "parts" in mail.exceeded
    assert len(mail.leaves) <= Limits().parts


PROBE = """
import resource, sys
from tipstaff.intake.protocol import load_parsers
from tipstaff.intake.reading import read
from tipstaff.intake.sieve import sift
from pathlib import Path
parsers = load_parsers()
read(b"Subject: x\\n\\nBrute force from 192.0.2.1", parsers=parsers)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
raw = Path(sys.argv[1]).read_bytes()
sift(raw)
reading = read(raw, parsers=parsers)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) // 1024, reading.outcome.value, reading.reason.value)
"""

FORTY = 40_000_000
LARGE = {
    "an attachment": lambda: with_files(
        "Brute force attack from 192.0.2.7.", ("application/x-core", "core", b"\1\2\3\4" * (FORTY // 5))
    ),
    "one text": lambda: letter("Brute force attack from 192.0.2.7.\n" + "word and more words\n" * (FORTY // 20)),
    "one line": lambda: b"Subject: Brute force from 192.0.2.7\n\n" + b"x" * FORTY,
    "one HTML page": lambda: (
        b"Subject: Spam\nContent-Type: text/html\n\n<p>Spam from 192.0.2.7</p>" + b"<td>x" * (FORTY // 5)
    ),
    "a mail in a mail a hundred times": lambda: (
        b"Content-Type: message/rfc822\n\n" * 100 + b"Subject: x\n\n" + b"Spam\n" * (FORTY // 5)
    ),
    "a container in a container": lambda: (
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(200))
        + b"\n"
        + b"Spam\n" * (FORTY // 5)
    ),
    "a log": lambda: with_files(
        "Brute force attack from 192.0.2.7.",
        (
            "text/plain",
            "auth.log",
            b"Mar 10 09:14:58 gate sshd[411]: Failed password for root from 192.0.2.7 port 51022 ssh2\n"
            * (FORTY // 90),
        ),
    ),
    "an opening brace": lambda: letter("{" * (FORTY // 2)),
    "broken base64": lambda: b"Subject: x\nContent-Transfer-Encoding: base64\n\n" + b"QUJD!!\n" * (FORTY // 7),
}


@pytest.mark.parametrize("what", LARGE)
def test_a_mail_of_forty_megabytes_takes_bounded_memory(what: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "large.eml"
    path.write_bytes(LARGE[what]())
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROBE), str(path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (120, 120)),
    )
    grown, outcome, reason = done.stdout.split()
    assert int(grown) < 700, f"{grown} MB for 40 MB"
    assert outcome
    assert reason


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-27T10:00:00Z host sshd[1]: Failed password for root from 192.0.2.10 port 22 ssh2",
        "Nov 27 10:00:00 host sshd[1]: Failed password for root from 192.0.2.10 port 22 ssh2",
        "Spam from 192.0.2.10: stop it",
    ],
)
@pytest.mark.parametrize("before", ["", "\n", "\r\n\r\n"])
def test_text_without_a_mail_around_it_is_read_as_text(line: str, before: str) -> None:
    raw = (before + line + "\n").encode()
    mail = read_mail(raw)
    assert mail.size == len(raw)
    assert [leaf.content.strip() for leaf in mail.leaves] == [line.encode()]
    reading = read(raw, parsers=load_parsers())
    assert reading.reason is not ReadingReason.EMPTY
    assert "192.0.2.10" in str(reading)


@pytest.mark.parametrize("within", [False, True])
def test_no_octet_of_a_file_changes_whatever_is_left_closed_around_it(within: bool) -> None:
    octets = b"PK\x01\x1e\x1f message/x-closed multipart/x-closed =? \x1e\x1fleft coded\x1f\x1e" * 2000
    message = EmailMessage()
    message["Subject"] = "A file" + " =?utf-8?q?a?=" * (150 if within else 0)
    message.set_content("See the file.")
    message.add_attachment(octets, maintype="application", subtype="octet-stream", filename="capture.pcap")
    if within:
        inner = EmailMessage()
        inner.set_content("Inside.")
        message.add_attachment(inner)
    assert [x.content for x in read_mail(message.as_bytes()).leaves if x.filename] == [octets]
