"""Close a mail so that only its reader can open it, by the key that they gave; signed inside where we have one of ours.

OpenPGP (RFC 9580, in mail RFC 3156) and S/MIME (RFC 8551). A key that has run out, was revoked or cannot encrypt closes
nothing: who asked is told why, and nothing goes in the clear instead.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.serialization import pkcs7
from pysequoia import Cert, Profile, PySigner, Tsk, encrypt

KEY_CHARACTERS_MAX: Final = 128 * 1024
"""Longer than a key with many people's signatures on it; nothing longer is parsed."""
RSA_BITS_MIN: Final = 2048
_BROKEN = (RuntimeError, ValueError, TypeError, OSError, UnsupportedAlgorithm)
"""What the two libraries raise for keys that they cannot read or use."""


class UselessKey(ValueError):
    """Nothing can be closed with this key; the message says why, as the end of a sentence."""


def check_openpgp(key: str, *, at: datetime) -> str:
    """Say whose key that is, such as `0123… for a@example.net until 2029-11-24`. Raise UselessKey.

    `at` is when it is to be used, aware.
    """
    certificate = _openpgp(key, at=at)
    named = ", ".join(map(_shown, certificate.user_ids)) or "nobody in particular"
    until = f" until {certificate.expiration:%Y-%m-%d}" if certificate.expiration else ""
    return f"{certificate.fingerprint.upper()} for {named}{until}"


def check_smime(pem: str, *, at: datetime) -> str:
    """The same for an S/MIME certificate."""
    found = _certificate(pem, at=at)
    return (
        f"{found.fingerprint(hashes.SHA256()).hex().upper()[:40]} for {_shown(found.subject.rfc4514_string())} "
        f"until {found.not_valid_after_utc:%Y-%m-%d}"
    )


def _openpgp(key: str, *, at: datetime) -> Cert:
    _refuse_long(key)
    try:
        if "PRIVATE KEY" in key:
            raise UselessKey("it is a secret key; take the public one, and tell its owner to make a new pair")
        if "BEGIN PGP PUBLIC KEY BLOCK" not in key:
            raise UselessKey("it is not an ASCII-armoured public key block")
        certificate = Cert.from_bytes(key.encode())  # Programs write its owner's address above it, in any script.
        if certificate.is_revoked:
            raise UselessKey("it was revoked")
        if certificate.expiration is not None and certificate.expiration <= at:
            raise UselessKey(f"it ran out on {certificate.expiration:%Y-%m-%d}")
        encrypt(b"", recipients=[certificate])  # Whether a subkey of it can encrypt now is for the library to say.
    except UselessKey:
        raise
    except _BROKEN as why:
        raise UselessKey(_first_line(why)) from None
    return certificate


def _certificate(pem: str, *, at: datetime) -> x509.Certificate:
    _refuse_long(pem)
    try:
        if "PRIVATE KEY" in pem:
            raise UselessKey("a private key stands in it; take the certificate alone")
        if "BEGIN CERTIFICATE" not in pem:
            raise UselessKey("it is not in PEM form")
        found = x509.load_pem_x509_certificate(pem.encode("ascii"))
        key = found.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise UselessKey("its key is not an RSA key, and letters can be closed for no other")
        if key.key_size < RSA_BITS_MIN:
            raise UselessKey(f"its key has {key.key_size} bits, and less than {RSA_BITS_MIN} keep nothing")
        if not found.not_valid_before_utc <= at:
            raise UselessKey(f"it counts only from {found.not_valid_before_utc:%Y-%m-%d} on")
        if found.not_valid_after_utc <= at:
            raise UselessKey(f"it ran out on {found.not_valid_after_utc:%Y-%m-%d}")
        if not _may_encrypt(found):
            raise UselessKey("it is not for encrypting (its key usage)")
    except UselessKey:
        raise
    except _BROKEN as why:
        raise UselessKey(_first_line(why)) from None
    return found


def _may_encrypt(found: x509.Certificate) -> bool:
    try:
        return found.extensions.get_extension_for_class(x509.KeyUsage).value.key_encipherment
    except x509.ExtensionNotFound:
        return True


def close_openpgp(inside: bytes, keys: Sequence[str], *, own_key_file: Path | None, at: datetime) -> bytes:
    """`inside` for the owners of all these keys, ASCII-armoured, signed with ours where there is one; UselessKey."""
    readers = [_openpgp(key, at=at) for key in keys]
    try:
        return encrypt(inside, recipients=readers, signer=None if own_key_file is None else _signer(own_key_file))
    except _BROKEN as why:
        raise UselessKey(_first_line(why)) from None


def close_smime(inside: bytes, certificates: Sequence[str], *, own_key_file: Path | None, at: datetime) -> bytes:
    """The same by S/MIME: CMS EnvelopedData in DER, AES-256."""
    envelope = pkcs7.PKCS7EnvelopeBuilder()
    for pem in certificates:
        envelope = envelope.add_recipient(_certificate(pem, at=at))
    try:
        signed = inside if own_key_file is None else _signed(inside, own_key_file)
        envelope = envelope.set_data(signed).set_content_encryption_algorithm(algorithms.AES256)
        return envelope.encrypt(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
    except _BROKEN as why:
        raise UselessKey(_first_line(why)) from None


def _signed(inside: bytes, file: Path) -> bytes:
    pem = file.read_bytes()
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise UselessKey(f"{file}: its private key is neither RSA nor of an elliptic curve")
    own, *others = x509.load_pem_x509_certificates(pem)
    builder = pkcs7.PKCS7SignatureBuilder().set_data(inside).add_signer(own, key, hashes.SHA256())
    for each in others:
        builder = builder.add_certificate(each)
    return builder.sign(serialization.Encoding.SMIME, [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary])


def make_openpgp_key(*, name: str, address: str) -> str:
    """A new secret key of ours, ASCII-armoured, without an end, in the form that every program reads (RFC 4880)."""
    return str(Tsk.generate(f"{name} <{address}>", profile=Profile.RFC4880))


def public_part(file: Path) -> str:
    """What readers need of the secret key in `file`, ASCII-armoured. Raise UselessKey."""
    try:
        return str(Tsk.from_bytes(file.read_bytes()).extract_certificate())
    except _BROKEN as why:
        raise UselessKey(f"{file}: {_first_line(why)}") from None


def check_own(*, openpgp_file: Path | None, smime_file: Path | None) -> None:
    """Raise UselessKey, in a sentence, where a key of ours signs nothing."""
    try:
        if openpgp_file is not None:
            _signer(openpgp_file)
    except _BROKEN as why:
        raise UselessKey(f"{openpgp_file} is no OpenPGP secret key without a passphrase: {_first_line(why)}") from None
    try:
        if smime_file is not None:
            _signed(b"", smime_file)
    except _BROKEN as why:
        raise UselessKey(f"{smime_file} does not hold a private key and its certificate: {_first_line(why)}") from None


def _signer(file: Path) -> PySigner:
    return Tsk.from_bytes(file.read_bytes()).signer()


def _refuse_long(key: str) -> None:
    if len(key) > KEY_CHARACTERS_MAX:
        raise UselessKey(f"it is longer than {KEY_CHARACTERS_MAX} characters")
    if "\0" in key:
        raise UselessKey("it is not text")


def _shown(name: object) -> str:
    """What a key says whose it is, as it can be kept and shown: its maker may have written anything."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(name)[:200])


def _first_line(why: BaseException) -> str:
    return " ".join((str(why).splitlines() or [type(why).__name__])[0].split())[:200].removesuffix(".")
