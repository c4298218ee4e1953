"""Builds mails for tests, byte by byte where a form must be broken."""

import base64
import binascii
import gzip
import io
import quopri
import zipfile
from email.message import EmailMessage


def letter(
    text: str, *, subject: str = "Abuse report", sender: str = "Reporter <reporter@example.org>", **headers: str
) -> bytes:
    """A plain letter to the abuse desk."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = "abuse@example.net"
    mail["Subject"] = subject
    mail["Date"] = "Tue, 10 Mar 2026 12:00:00 +0000"
    mail["Message-ID"] = "<1@example.org>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes()


def with_files(text: str, *files: tuple[str, str, bytes], subject: str = "Abuse report") -> bytes:
    """A letter with files: (content type, name, bytes)."""
    mail = EmailMessage()
    mail["From"] = "reporter@example.org"
    mail["To"] = "abuse@example.net"
    mail["Subject"] = subject
    mail["Date"] = "Tue, 10 Mar 2026 12:00:00 +0000"
    mail.set_content(text)
    for kind, name, content in files:
        main, _, sub = kind.partition("/")
        mail.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return mail.as_bytes()


def zipped(*files: tuple[str, bytes]) -> bytes:
    """A ZIP archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


def uuencoded(content: bytes) -> bytes:
    """Content as uuencode writes it."""
    lines = [b"begin 644 picture.jpg\n"]
    for start in range(0, len(content), 45):
        lines.append(binascii.b2a_uu(content[start : start + 45]))
    return b"".join([*lines, b"`\nend\n"])


def forms_of(media: bytes) -> dict[str, bytes]:
    """Every way in which media bytes travel in letters that this project knows of."""
    base = base64.encodebytes(media)
    return {
        "raw": media,
        "base64": base,
        "base64 in one line": base64.b64encode(media),
        "base64 quoted": b"".join(b"> " + x + b"\n" for x in base.splitlines()),
        "base64 in short lines": b"\n".join(base64.b64encode(media)[i : i + 40] for i in range(0, len(media) * 2, 40)),
        "base64 url-safe": base64.urlsafe_b64encode(media),
        "quoted-printable": quopri.encodestring(media),
        "uuencode": uuencoded(media),
        "hex": media.hex().encode(),
        "hex dump": b"\n".join(
            b"%08x  %s" % (i, media[i : i + 16].hex(" ").encode()) for i in range(0, len(media), 16)
        ),
        "escapes": "".join(f"\\x{x:02x}" for x in media).encode(),
        "JSON escapes": "".join(f"\\u00{x:02x}" for x in media).encode(),
        "percent": "".join(f"%{x:02X}" for x in media).encode(),
        "data URI": b"data:image/jpeg;base64," + base64.b64encode(media),
        "gzip": gzip.compress(media),
        "zip": zipped(("picture.jpg", media)),
        "ascii85": base64.a85encode(media, wrapcol=72, adobe=True),
        "base85": base64.b85encode(media),
        "numbers": ",".join(str(x) for x in media).encode(),
    }


def survives(media: bytes, kept: bytes) -> str:
    """How a piece of the media can still be read from what is kept; empty when it cannot."""
    flat = kept.replace(b"\n", b"").replace(b"\r", b"").replace(b"> ", b"").replace(b"\\n", b"")
    for start in range(0, max(1, len(media) - 48), 31):
        piece = media[start : start + 48]
        if piece[:16] in kept or piece.decode("latin-1")[:16].encode() in kept:
            return "raw"
        for shift in range(3):
            coded = base64.b64encode(piece[shift : shift + 45])[4:-4]
            if coded[:32] in flat or coded[:32].replace(b"+", b"-").replace(b"/", b"_") in flat:
                return "base64"
        if piece[:16].hex().encode() in flat.lower().replace(b" ", b""):
            return "hex"
        if b",".join(str(x).encode() for x in piece[:16]) in flat.replace(b" ", b""):
            return "numbers"
        if "".join(f"%{x:02X}" for x in piece[:12]).encode() in flat.upper():
            return "percent"
        if quopri.encodestring(piece[:20]).strip() in flat and len(quopri.encodestring(piece[:20])) > 30:
            return "quoted-printable"
    for start in range(0, len(media) - 45, 45):
        if binascii.b2a_uu(media[start : start + 45]).strip() in kept:
            return "uuencode"
    for start in range(0, len(media) - 40, 20):
        if base64.b85encode(media[start : start + 40]) in flat or base64.a85encode(media[start : start + 40]) in flat:
            return "base85"
    return ""
