"""Sign letters for the domain that they come from (DKIM, RFC 6376), and make the key and its DNS record."""

import base64
from pathlib import Path
from typing import Final

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tipstaff.host.keys import write_private

SIGNED_HEADERS: Final = (
    b"From", b"To", b"Subject", b"Date", b"Message-ID", b"In-Reply-To", b"References", b"Auto-Submitted",
    b"Content-Type", b"MIME-Version", b"Content-Language", b"X-Tipstaff-Letter",
)  # fmt: skip
KEY_BITS: Final = 2048
"""RFC 8301 asks for at least 1024 and recommends 2048; a longer key's record is too long for one DNS answer."""


class CannotSign(Exception):
    """The letter cannot be signed with the key that the settings name."""


def signed(text: bytes, *, selector: str, domain: str, key_file: Path) -> bytes:
    """Return the mail with its signature in front; raise CannotSign."""
    try:
        key = key_file.read_bytes()
        present = {line.split(b":", 1)[0].lower() for line in text.split(b"\r\n\r\n", 1)[0].split(b"\r\n")}
        headers = [name for name in SIGNED_HEADERS if name.lower() in present]
        # From is signed once more than it stands there, so that no second one can be added (RFC 6376, section 8.15).
        signature: bytes = dkim.sign(
            text,
            selector.encode("idna"),
            domain.encode("idna"),
            key,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[*headers, b"From"],
        )
    except (OSError, UnicodeError, ValueError, dkim.DKIMException) as why:
        raise CannotSign(f"{key_file}: {why}") from why
    return signature + text


def make_key(file: Path) -> None:
    """Write a new RSA key that only its owner can read; FileExistsError where one lies already."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    write_private(file, pem)


def record_of(file: Path) -> str:
    """The value of the TXT record at `SELECTOR._domainkey.DOMAIN` for the key in `file`."""
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
