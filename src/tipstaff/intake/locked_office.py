"""Opens a spreadsheet that is locked with a password known beforehand, within bounds.

Excel since 2010 and LibreOffice lock an XLSX file by "agile encryption" (MS-OFFCRYPTO, 2.3.4.10 to 2.3.4.15), Excel of
2007 and programs that write as it did by "standard encryption" (2.3.4.5 to 2.3.4.9), and put what comes of it into a
compound file (MS-CFB). Any other way of locking stays locked.
"""

import base64
import hashlib
import hmac
import struct
from collections.abc import Callable, Iterator
from itertools import islice

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .forms.xml import Element, read_xml

SIGN = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The first octets of a compound file (MS-CFB, 2.2)."""
_SPINS_MAX = 100_000
"""Rounds of hashing for one password, which the file itself names: what programs write. More is an attack on time."""
_PASSWORDS_MAX = 10
_PACKAGE_OCTETS = 16 * 1024 * 1024
_INFO_OCTETS = 64 * 1024
_ENTRIES_MAX = 10_000
_LAST_SECTOR = 0xFFFFFFFA
_SEGMENT = 4096
_HASHES = {"SHA1": "sha1", "SHA256": "sha256", "SHA384": "sha384", "SHA512": "sha512"}
_KEY_BITS = ("128", "192", "256")
_LONGEST_TOLD = 64
"""Octets of a salt, a verifier or a key: SHA-512 has so many."""
_FOR_INPUT, _FOR_HASH, _FOR_KEY = (
    bytes.fromhex(x) for x in ("fea7d2763b4b9e79", "d7aa0f6d3061344e", "146e0be7abacd0d6")
)
_FOR_MARK_KEY, _FOR_MARK = bytes.fromhex("5fb2ad010cb9e1f6"), bytes.fromhex("a0677f02b22c8433")


def is_locked(content: bytes) -> bool:
    """Whether it is a compound file with an encrypted package in it."""
    try:
        return content.startswith(SIGN) and "EncryptedPackage" in _Streams(content).names
    except (ValueError, IndexError, struct.error):
        return False


def unlock_office(content: bytes, *, passwords: tuple[str, ...]) -> bytes | None:
    """The document by the first of ten passwords that opens it; None when none does. It raises nothing."""
    try:
        streams = _Streams(content)
        info = streams.read("EncryptionInfo", octets_max=_INFO_OCTETS)
        package = streams.read("EncryptedPackage", octets_max=_PACKAGE_OCTETS)
        terms = _terms(info)
        for password in passwords[:_PASSWORDS_MAX]:
            if (secret := terms.secret(password)) is not None:
                return terms.plain(secret, package)
    except Exception:  # noqa: BLE001 - hostile octets in two formats and a cipher: whatever breaks, it stays locked.
        return None
    return None


def _terms(info: bytes) -> "_Terms | _TermsOf2007":
    """How the document was locked, by the version that stands first. Raises ValueError for any other way."""
    version = struct.unpack_from("<HH", info)
    if version == (4, 4):
        return _Terms(read_xml(info[8:].decode("utf-8", "replace")))
    if version in _VERSIONS_OF_2007:
        return _TermsOf2007(info)
    raise ValueError("another way of locking")


class _Streams:
    """The streams of a compound file by name. A broken one raises ValueError, IndexError or struct.error."""

    def __init__(self, content: bytes) -> None:
        shift, small_shift = struct.unpack_from("<HH", content, 30)
        if shift not in (9, 12) or small_shift != 6 or len(content) > _PACKAGE_OCTETS:
            raise ValueError("no compound file of a size that is looked into")
        self._content, self._octets = content, 1 << shift
        self._small_next: list[int] = []
        self._sectors = len(content) // self._octets
        first_entry, _, self._cutoff, first_small, _, first_more, _ = struct.unpack_from("<7I", content, 48)
        tables = list(struct.unpack_from("<109I", content, 76))
        for number in self._walk(first_more, lambda n: self._numbers(n)[-1]):
            tables += self._numbers(number)[:-1]
            if len(tables) > self._sectors + 500:
                raise ValueError("more tables than sectors")
        numbers = (x for n in tables if n < _LAST_SECTOR for x in self._numbers(n))
        self._next = list(islice(numbers, self._sectors))
        self._small_next = list(islice((x for n in self._chain(first_small) for x in self._numbers(n)), _ENTRIES_MAX))
        self.names: dict[str, tuple[int, int]] = {}
        self._small = b""
        root: int | None = None
        listed = b"".join(map(self._sector, self._chain(first_entry)))
        for at in range(0, min(len(listed), 128 * _ENTRIES_MAX) - 127, 128):
            letters, kind = struct.unpack_from("<HB", listed, at + 64)
            start, size = struct.unpack_from("<IQ", listed, at + 116)
            if kind == 5 and root is None:
                # There is one root (MS-CFB, 2.6.2): each further one would cost the reading of the whole file again.
                root = start
                sectors = islice(self._chain(start), 64 * _ENTRIES_MAX // self._octets)
                self._small = b"".join(map(self._sector, sectors))
            elif kind == 2 and 2 <= letters <= 64:
                name = listed[at : at + letters - 2].decode("utf-16-le", "replace")
                self.names.setdefault(name, (start, size))

    def read(self, name: str, *, octets_max: int) -> bytes:
        start, size = self.names[name]
        if size > min(octets_max, len(self._content)):
            raise ValueError("larger than the bound")
        if size >= self._cutoff:
            return b"".join(map(self._sector, self._chain(start)))[:size]
        pieces = self._walk(start, self._small_next.__getitem__)
        return b"".join(self._small[64 * n : 64 * n + 64] for n in pieces)[:size]

    def _sector(self, number: int) -> bytes:
        return self._content[(number + 1) * self._octets : (number + 2) * self._octets]

    def _numbers(self, number: int) -> tuple[int, ...]:
        return struct.unpack(f"<{self._octets // 4}I", self._sector(number))

    def _chain(self, start: int) -> Iterator[int]:
        return self._walk(start, self._next.__getitem__)

    def _walk(self, start: int, follow: Callable[[int], int]) -> Iterator[int]:
        """The numbers from `start` on; one that comes to no end is broken."""
        left = max(self._sectors, len(self._small_next))
        while start < _LAST_SECTOR:
            if (left := left - 1) < 0:
                raise ValueError("a chain without an end")
            yield start
            start = follow(start)


class _Terms:
    """How a document was locked, as it says itself."""

    def __init__(self, told: Element) -> None:
        self._of_document = next(told.below("keyData")).attributes
        self._of_password = next(told.below("encryptedKey")).attributes
        self._integrity = next(told.below("dataIntegrity")).attributes
        for this in (self._of_document, self._of_password):
            if this["cipherAlgorithm"] != "AES" or this["cipherChaining"] != "ChainingModeCBC":
                raise ValueError("another cipher")
        self._spins = int(self._of_password["spinCount"])
        if not 0 <= self._spins <= _SPINS_MAX:
            raise ValueError("too many rounds")
        if self._of_password["keyBits"] not in _KEY_BITS:
            raise ValueError("no key of AES")
        self._octets = int(self._of_password["keyBits"]) // 8

    def secret(self, password: str) -> bytes | None:
        """The document's key, where the password is right."""
        salt, name = _octets(self._of_password, "saltValue"), _HASHES[self._of_password["hashAlgorithm"]]
        digest = _spun(name, salt, password, self._spins)

        def opened(field: str, purpose: bytes) -> bytes:
            key = hashlib.new(name, digest + purpose).digest()
            return _by_aes(_fitted(key, self._octets), _fitted(salt, 16), _octets(self._of_password, field))

        said, proof = opened("encryptedVerifierHashInput", _FOR_INPUT), opened("encryptedVerifierHashValue", _FOR_HASH)
        wanted = hashlib.new(name, said[: len(salt)]).digest()
        if not hmac.compare_digest(wanted, proof[: len(wanted)]):
            return None
        return opened("encryptedKeyValue", _FOR_KEY)[: self._octets]

    def plain(self, secret: bytes, package: bytes) -> bytes | None:
        """The document, unless it was changed after it was locked."""
        salt, name = _octets(self._of_document, "saltValue"), _HASHES[self._of_document["hashAlgorithm"]]

        def opened(sealed: bytes, purpose: bytes) -> bytes:
            return _by_aes(secret, _fitted(hashlib.new(name, salt + purpose).digest(), 16), sealed)

        octets = hashlib.new(name).digest_size
        key = opened(_octets(self._integrity, "encryptedHmacKey"), _FOR_MARK_KEY)[:octets]
        mark = opened(_octets(self._integrity, "encryptedHmacValue"), _FOR_MARK)[:octets]
        if not hmac.compare_digest(hmac.new(key, package, name).digest(), mark):
            return None
        (size,) = struct.unpack_from("<Q", package)
        sealed = package[8:]
        pieces = (sealed[at : at + _SEGMENT] for at in range(0, len(sealed), _SEGMENT))
        return b"".join(opened(x, n.to_bytes(4, "little")) for n, x in enumerate(pieces))[:size]


_VERSIONS_OF_2007 = frozenset({(2, 2), (3, 2), (4, 2)})
_SPINS_OF_2007 = 50_000
_HEAD_OF_2007 = 12
"""Where the header begins: behind the version, the flags and its own size."""
_AES_OF_2007 = {0x660E: 16, 0x660F: 24, 0x6610: 32}
"""Octets of a key by the number of its cipher (MS-OFFCRYPTO, 2.3.2)."""
_SHA1 = 0x8004


class _TermsOf2007:
    """How a document was locked by standard encryption. Nothing marks it: what was changed cannot be told."""

    def __init__(self, info: bytes) -> None:
        (head,) = struct.unpack_from("<I", info, 8)
        cipher, hash_, bits = struct.unpack_from("<III", info, _HEAD_OF_2007 + 8)
        self._octets = _AES_OF_2007[cipher]
        if hash_ not in (0, _SHA1) or bits != 8 * self._octets:
            raise ValueError("another cipher")
        at = _HEAD_OF_2007 + head
        salted, self._salt, self._said, hashed, self._proof = struct.unpack_from("<I16s16sI32s", info, at)
        if (salted, hashed) != (16, 20):
            raise ValueError("another salt or hash")

    def secret(self, password: str) -> bytes | None:
        """The document's key, where the password is right (2.3.4.7 and 2.3.4.9)."""
        digest = _sha1(_spun("sha1", self._salt, password, _SPINS_OF_2007) + bytes(4))
        padded = digest.ljust(64, b"\0")
        halves = (bytes(x ^ mask for x in padded) for mask in (0x36, 0x5C))
        key = b"".join(map(_sha1, halves))[: self._octets]
        wanted = _sha1(_by_blocks(key, self._said))
        return key if hmac.compare_digest(wanted, _by_blocks(key, self._proof)[:20]) else None

    def plain(self, secret: bytes, package: bytes) -> bytes | None:
        """The document."""
        (size,) = struct.unpack_from("<Q", package)
        return _by_blocks(secret, package[8:])[:size]


def _sha1(octets: bytes) -> bytes:
    return hashlib.new("sha1", octets).digest()  # noqa: S324 - what others locked so is read, nothing is proved by it.


def _spun(name: str, salt: bytes, password: str, rounds: int) -> bytes:
    digest = hashlib.new(name, salt + password.encode("utf-16-le")).digest()
    for n in range(rounds):
        digest = hashlib.new(name, n.to_bytes(4, "little") + digest).digest()
    return digest


def _octets(attributes: dict[str, str], name: str) -> bytes:
    found = base64.b64decode(attributes[name], validate=True)
    if len(found) > _LONGEST_TOLD:
        raise ValueError("longer than any salt or hash")
    return found


def _fitted(octets: bytes, length: int) -> bytes:
    """Cut, or filled up as MS-OFFCRYPTO (2.3.4.12) says."""
    return octets[:length] + b"\x36" * (length - len(octets))


def _by_aes(key: bytes, start: bytes, sealed: bytes) -> bytes:
    opener = Cipher(algorithms.AES(key), modes.CBC(start)).decryptor()
    return opener.update(sealed[: len(sealed) // 16 * 16]) + opener.finalize()


def _by_blocks(key: bytes, sealed: bytes) -> bytes:
    opener = Cipher(algorithms.AES(key), modes.ECB()).decryptor()  # noqa: S305 - what others locked so is read, nothing is written.
    return opener.update(sealed[: len(sealed) // 16 * 16]) + opener.finalize()
