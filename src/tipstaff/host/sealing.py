"""Sealing for the sealed queue: X25519, HKDF-SHA256, ChaCha20-Poly1305. Whoever can seal cannot open.

Each sealing makes a key pair of its own and throws the private half away: sealed = its public half (32 octets)
|| nonce (12) || ciphertext. The intake process holds the desk's public key only.
"""

import contextlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .keys import private_folder

_RAW, _RAW_PUBLIC = serialization.Encoding.Raw, serialization.PublicFormat.Raw
_INFO = b"tipstaff sealed queue 1"


class WrongSealingKey(ValueError):
    """These octets were not sealed for this key, or were changed since."""


def make_keys(folder: Path, *, stem: str = "sealed") -> None:
    """Make `{stem}.private` and `{stem}.public` in `folder`, both or neither; keys that are there stay.

    A private key that was carried away to a safer place is not replaced: its public half goes on sealing for it.
    """
    private, public = folder / f"{stem}.private", folder / f"{stem}.public"
    if public.exists():
        return
    private_folder(folder)
    if not private.exists():
        key = X25519PrivateKey.generate()
        _write_once(private, key.private_bytes(_RAW, serialization.PrivateFormat.Raw, serialization.NoEncryption()))
    own = X25519PrivateKey.from_private_bytes(private.read_bytes()).public_key()
    _write_once(public, own.public_bytes(_RAW, _RAW_PUBLIC))


def _write_once(path: Path, octets: bytes) -> None:
    """Whole or not at all; if another process was first, its file stays."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(octets)
        out.flush()
        os.fsync(out.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(fresh, path)
    fresh.unlink()


def seal(content: bytes, *, public: bytes) -> bytes:
    """Encrypt `content` for the holder of the private key."""
    once = X25519PrivateKey.generate()
    own = once.public_key().public_bytes(_RAW, _RAW_PUBLIC)
    key = _derive(once.exchange(X25519PublicKey.from_public_bytes(public)), own + public)
    nonce = os.urandom(12)
    return own + nonce + ChaCha20Poly1305(key).encrypt(nonce, content, own)


def unseal(sealed: bytes, *, private: bytes) -> bytes:
    """The content; raise WrongSealingKey when it does not open."""
    mine = X25519PrivateKey.from_private_bytes(private)
    own, nonce, ciphertext = sealed[:32], sealed[32:44], sealed[44:]
    public = mine.public_key().public_bytes(_RAW, _RAW_PUBLIC)
    key = _derive(mine.exchange(X25519PublicKey.from_public_bytes(own)), own + public)
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, own)
    except InvalidTag as why:
        raise WrongSealingKey from why


def _derive(shared: bytes, both: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=both, info=_INFO).derive(shared)
