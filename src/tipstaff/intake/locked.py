"""Opens files of a ZIP archive that are locked with a password known beforehand, within bounds.

Two ways are in use: the old cipher, which Python's own `zipfile` opens, and AES as WinZip describes it (AE-1 and AE-2:
PBKDF2 with SHA-1 and 1000 rounds, AES in counter mode with a little-endian counter, HMAC-SHA-1 of ten octets).
"""

import hashlib
import hmac
import struct
import zipfile
import zlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_AES = 99
"""The compression method that stands for encryption by AES (APPNOTE.TXT, 4.4.5)."""
_EXTRA = 0x9901
_SALT = {1: 8, 2: 12, 3: 16}
_SLOW_OCTETS = 4 * 1024 * 1024
"""The old cipher runs in Python, octet by octet: larger files stay locked."""


def unlock(
    content: bytes, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, *, passwords: tuple[str, ...], octets: int
) -> bytes | None:
    """At most `octets` of the file by the first password that opens it; None when none does. It raises nothing."""
    for password in passwords:
        try:
            if entry.compress_type == _AES:
                found = _by_aes(content, entry, password.encode("utf-8"), octets)
            elif entry.compress_size <= _SLOW_OCTETS:
                with archive.open(entry, pwd=password.encode("utf-8")) as file:
                    found = file.read(octets)
            else:
                return None
        except (RuntimeError, ValueError, OSError, EOFError, zlib.error, struct.error, zipfile.BadZipFile, KeyError):
            # A wrong password shows as any of these; the next one may be right.
            continue
        if found is not None:
            return found
    return None


def _by_aes(content: bytes, entry: zipfile.ZipInfo, password: bytes, octets: int) -> bytes | None:
    strength, method = _aes_field(entry.extra)
    head = content[entry.header_offset : entry.header_offset + 30]
    names, extra = struct.unpack("<HH", head[26:30])
    start = entry.header_offset + 30 + names + extra
    stored = content[start : start + entry.compress_size]
    salt_octets, key_octets = _SALT[strength], 8 * (strength + 1)
    salt, check = stored[:salt_octets], stored[salt_octets : salt_octets + 2]
    sealed, mark = stored[salt_octets + 2 : -10], stored[-10:]
    keys = hashlib.pbkdf2_hmac("sha1", password, salt, 1000, 2 * key_octets + 2)
    if keys[-2:] != check or not hmac.compare_digest(
        hmac.new(keys[key_octets : 2 * key_octets], sealed, hashlib.sha1).digest()[:10], mark
    ):
        return None
    plain = _counter_mode(keys[:key_octets], sealed)
    if method == zipfile.ZIP_STORED:
        return plain[:octets]
    if method == zipfile.ZIP_DEFLATED:
        return zlib.decompressobj(-15).decompress(plain, octets)
    return None


def _aes_field(extra: bytes) -> tuple[int, int]:
    """Strength and real method out of the extra field 0x9901."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack("<HH", extra[at : at + 4])
        if kind == _EXTRA:
            _version, _vendor, strength, method = struct.unpack("<HHBH", extra[at + 4 : at + 11])
            return strength, method
        at += 4 + size
    raise ValueError("no AES field")


def _counter_mode(key: bytes, sealed: bytes) -> bytes:
    """AES in counter mode whose counter is little-endian and begins at one."""
    blocks = -(-len(sealed) // 16)
    counters = b"".join(n.to_bytes(16, "little") for n in range(1, blocks + 1))
    # ECB over the counters makes the key stream; no two blocks of it are alike.
    stream = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(counters)[: len(sealed)]  # noqa: S305
    mixed = int.from_bytes(sealed, "big") ^ int.from_bytes(stream, "big")
    return mixed.to_bytes(len(sealed), "big")
