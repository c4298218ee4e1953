"""Mails that nobody should have to read, made on the spot, the same each time, with CRLF line ends."""

import base64
import gzip
import io
import random
import zipfile
from collections.abc import Iterator
from datetime import datetime

from tests.live.running import ABUSE
from tipstaff.testing.story.mail import rfc3339, rfc5322

HEAD = (
    "From: Sample Reporter <{sender}>\r\nTo: " + ABUSE + "\r\nSubject: {subject}\r\nDate: {date}\r\n"
    "Message-ID: <{id}@reporter.example.org>\r\nMIME-Version: 1.0\r\n"
)


def head(
    id: str, *, at: datetime, sender: str = "reports@reporter.example.org", subject: str = "Abuse report"
) -> bytes:
    """The header lines that all have."""
    return HEAD.format(sender=sender, subject=subject, date=rfc5322(at), id=id).encode()


def words(at: datetime, *, source: str = "198.51.100.7") -> str:
    """A complaint in a person's words that any reader understands."""
    return (
        f"Hello,\r\n\r\nwe see password guessing against our server from {source}:\r\n\r\n"
        f"{rfc3339(at)} sshd[811]: Failed password for root from {source} port 40123 ssh2\r\n"
        f"{rfc3339(at)} sshd[812]: Failed password for admin from {source} port 40124 ssh2\r\n\r\nPlease stop it.\r\n"
    )


def multipart(id: str, parts: list[bytes], *, at: datetime, closed: bool = True) -> bytes:
    """A mail of several parts, each given with its own header lines."""
    body = b"".join(b"--edge-7\r\n" + part + b"\r\n" for part in parts)
    return (
        head(id, at=at)
        + b'Content-Type: multipart/mixed; boundary="edge-7"\r\n\r\n'
        + body
        + (b"--edge-7--\r\n" if closed else b"")
    )


def text_part(text: str | bytes, *, charset: str = "utf-8") -> bytes:
    raw = text if isinstance(text, bytes) else text.encode()
    return f"Content-Type: text/plain; charset={charset}\r\n\r\n".encode() + raw


def file_part(raw: bytes, *, name: str, kind: str) -> bytes:
    encoded = base64.encodebytes(raw).replace(b"\n", b"\r\n")
    return f'Content-Type: {kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'.encode() + encoded


def broken(at: datetime) -> dict[str, bytes]:
    """MIME that is not."""
    good = text_part(words(at))
    spoiled = file_part(b"x" * 999, name="a.txt", kind="text/plain")[:-40] + b"=!?\r\n"
    noise = random.Random(3).randbytes(20_000).translate(None, b"\r\n")
    return {
        "never-closed": multipart("never-closed", [good], at=at, closed=False),
        "other-edge": multipart("other-edge", [good], at=at).replace(b'"edge-7"', b'"another"', 1),
        "no-edge": multipart("no-edge", [good], at=at).replace(b'; boundary="edge-7"', b"", 1),
        "no-blank-line": head("no-blank-line", at=at) + b"Content-Type: text/plain\r\n" + words(at).encode(),
        "bad-base64": multipart("bad-base64", [good, spoiled], at=at),
        "half-a-feedback-report": multipart(
            "half-a-feedback-report",
            [good, b"Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nSource-IP: 198.51.100.\r\n"],
            at=at,
        ),
        "no-header-at-all": b"\r\n" + words(at).encode(),
        "nothing-but-line-ends": b"\r\n\r\n\r\n",
        "random": b"X-A: b\r\n\r\n" + noise + b"\r\n",
    }  # fmt: skip


def wrong_charsets(at: datetime) -> dict[str, bytes]:
    """Words that are not in the charset that they claim."""
    german = "Sehr geehrte Damen und Herren, von Ihrem Netz wird versucht, Passwörter zu erraten. Grüße\r\n" + words(at)
    whole = {
        "says-ascii-is-latin1": text_part(german.encode("latin-1"), charset="us-ascii"),
        "says-utf8-is-latin1": text_part(german.encode("latin-1"), charset="utf-8"),
        "says-utf16-is-utf8": text_part(german.encode(), charset="utf-16"),
        "unheard-of": text_part(german.encode(), charset="x-nobody-knows"),
        "hostile-name": text_part(german.encode(), charset='"../../../etc/passwd\x00"'),
        "claims-utf7": text_part(german.encode(), charset="utf-7"),
    }
    return {name: head(name, at=at) + part for name, part in whole.items()}


def large(at: datetime, *, mib: int) -> bytes:
    """A complaint with a large file that cannot be squeezed."""
    noise = random.Random(5).randbytes(mib * 2**20 * 57 // 78)
    return multipart(
        "large", [text_part(words(at)), file_part(noise, name="capture.pcap", kind="application/octet-stream")], at=at
    )


def large_ones(at: datetime, *, mib: int, count: int) -> list[bytes]:
    """Complaints of that size, no two the same: noise, plain words, a page, a table, and mails within mails."""
    size = mib * 2**20 - 4096
    row = f'"198.51.100.7","{rfc3339(at)}","scan"\r\n'
    shapes = [
        lambda: large(at, mib=mib),
        lambda: head("words", at=at) + _plain(words(at) + _filled("A line of a log that goes on.\r\n", size)),
        lambda: head("page", at=at) + _plain(
            "<html><body>" + words(at).replace("\r\n", "<br>") + _filled("<p>the <b>same</b> again</p>\r\n", size),
            "text/html",
        ),
        lambda: multipart(
            "table", [text_part(words(at)), _plain('"ip","timestamp","type"\r\n' + _filled(row, size), "text/csv",
             b'Content-Disposition: attachment; filename="report.csv"\r\n')], at=at,
        ),
        lambda: multipart(
            "within", [text_part(words(at)), b"Content-Type: message/rfc822\r\n\r\n" + large(at, mib=mib - 1)], at=at
        ),
    ]  # fmt: skip
    return [b"X-Number: %d\r\n" % n + shapes[n % len(shapes)]() for n in range(count)]


def _plain(text: str, kind: str = "text/plain", more: bytes = b"") -> bytes:
    return f"Content-Type: {kind}; charset=utf-8\r\n".encode() + more + b"\r\n" + text.encode()


def _filled(line: str, size: int) -> str:
    return line * (size // len(line))


def bombs(at: datetime) -> dict[str, bytes]:
    """Archives that would fill the memory: half a GiB of one line, squeezed by ZIP, by gzip, and ZIP within ZIP."""
    line = b'"198.51.100.7","2026-01-01 00:00:00"\n' * 28_000
    once = io.BytesIO()
    with zipfile.ZipFile(once, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("report.csv", "w") as out:
        for _ in range(512):
            out.write(line)
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(40):
            archive.writestr(f"report-{n}.zip", once.getvalue())
    squeezed = gzip.compress(line * 200) * 3
    good = text_part(words(at))

    def of(id: str, raw: bytes, name: str, kind: str = "application/zip") -> bytes:
        return multipart(id, [good, file_part(raw, name=name, kind=kind)], at=at)

    return {
        "zip-bomb": of("zip-bomb", once.getvalue(), "report.zip"),
        "zip-in-zip": of("zip-in-zip", twice.getvalue(), "all.zip"),
        "gzip-bomb": of("gzip-bomb", squeezed, "report.csv.gz", "application/gzip"),
        "only-a-bomb": of("only-a-bomb", once.getvalue(), "xarf.json.zip").replace(good, text_part("\r\n")),
    }


def many_addresses(at: datetime) -> dict[str, bytes]:
    """Ten thousand addresses: in the words, and in the header."""
    lines = "".join(
        f"{rfc3339(at)} sshd: Failed password for root from 198.51.{n >> 8}.{n & 255} port {1024 + n}\r\n"
        for n in range(10_000)
    )
    crowd = ",\r\n ".join(f"desk-{n}@provider.example.org" for n in range(10_000)).encode()
    crowded = head("ten-thousand-recipients", at=at) + b"Cc: " + crowd + b"\r\n"
    return {
        "ten-thousand-sources": head("ten-thousand-sources", at=at) + text_part(lines),
        "ten-thousand-recipients": crowded + text_part(words(at)),
    }


def injections(at: datetime) -> dict[str, bytes]:
    """Line ends and orders in what an answer repeats: the name, the subject, the Message-ID, where to answer."""
    tail = text_part(words(at))

    def of(id: str, *lines: str) -> bytes:
        given = {line.partition(":")[0].lower() for line in lines}
        usual = [
            line for line in head(id, at=at).decode().split("\r\n")[:-1] if line.partition(":")[0].lower() not in given
        ]
        return "\r\n".join([*usual, *lines]).encode() + b"\r\n" + tail

    smuggled = "=0D=0ABcc:_victim@target.example.org=0D=0AX-Injected:_yes=0D=0A=0D=0AThe_body_is_mine"
    return {
        "subject": of("subject", f"Subject: =?utf-8?q?Report{smuggled}?="),
        "from-name": of("from-name", f"From: =?utf-8?q?Ana{smuggled}?= <reports@reporter.example.org>"),
        "from-address": of("from-address", f"From: <=?utf-8?q?reports{smuggled}?=@reporter.example.org>"),
        "from-base64": of(
            "from-base64",
            "From: =?utf-8?b?"
            + base64.b64encode(b"a@reporter.example.org>\r\nBcc: victim@target.example.org").decode()
            + "?=",
        ),
        "reply-to": of("reply-to", 'Reply-To: "a\\\r\n Bcc: victim@target.example.org" <reports@reporter.example.org>'),
        "reply-to-many": of("reply-to-many", "Reply-To: victim@target.example.org, second@target.example.org"),
        "message-id": of("message-id", "Message-ID: <a@reporter.example.org>\r\n\tBcc:victim@target.example.org"),
        "message-id-encoded": of("message-id-encoded", f"Message-ID: =?utf-8?q?<x{smuggled}>?="),
        "bare-cr": of("bare-cr", "Subject: Report\rBcc: victim@target.example.org"),
        "bare-lf": of("bare-lf", "Subject: Report\nBcc: victim@target.example.org"),
        "line-separators": of("line-separators", "Subject: Report\u2028Bcc: victim@target.example.org\u0085X: y"),
    }


def deep(at: datetime) -> dict[str, bytes]:
    """Parts within parts within parts."""
    inner = text_part(words(at))

    def wrapped(levels: int) -> bytes:
        edges = [b"e%d" % n for n in range(levels)]
        opened = [b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n--%s\r\n' % (x, x) for x in edges]
        return b"".join(opened) + inner + b"".join(b"\r\n--%s--\r\n" % x for x in reversed(edges))

    forwarded = inner
    for _ in range(1500):
        forwarded = b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n" + forwarded
    many = [b"Content-Type: text/plain\r\n\r\nx" for _ in range(20_000)]
    return {
        "deep-parts": head("deep-parts", at=at) + wrapped(1500),
        "deeper-than-a-stack": head("deeper-than-a-stack", at=at) + wrapped(40_000),
        "deep-mails": head("deep-mails", at=at) + forwarded + b"\r\n",
        "many-parts": multipart("many-parts", [inner, *many], at=at),
    }


def odd_octets(at: datetime) -> dict[str, bytes]:
    """Octets that a header or a text may not hold."""
    tail = text_part(words(at))
    usual = head("odd", at=at)
    return {
        "8-bit-utf8": usual.replace(b"Abuse report", "Missbrauch: Grüße, жалоба, 苦情".encode()) + tail,
        "8-bit-latin1": usual.replace(b"Sample Reporter", "Jörg Müller".encode("latin-1")) + tail,
        "nul-in-header": usual.replace(b"Abuse report", b"Abuse\x00report") + tail,
        "nul-in-body": usual + tail.replace(b"Hello", b"He\x00llo\x00"),
        "lone-surrogates": usual + b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xed\xa0\x80" + words(at).encode(),
        "control-characters": usual + tail.replace(b"Hello", b"\x1b[2J\x07\x08Hello"),
        "one-line-of-a-megabyte": usual + text_part("a" * 2**20 + "\r\n" + words(at)),
        "a-header-of-a-megabyte": usual + b"X-Long: " + b"a" * 2**20 + b"\r\n" + tail,
        "ten-thousand-headers": usual + b"".join(b"X-%d: y\r\n" % n for n in range(10_000)) + tail,
    }  # fmt: skip


def storm(at: datetime, *, count: int, automatic: bool) -> Iterator[bytes]:
    """One sender who does not stop: complaints, each of another moment, or automatic replies."""
    for n in range(count):
        first = head(f"storm-{automatic}-{n}", at=at, sender="robot@storm.example.org", subject=f"Report {n}")
        if automatic:
            first += b"Auto-Submitted: auto-replied\r\n"
        yield first + text_part(words(at, source=f"198.51.100.{n + 1}"))
