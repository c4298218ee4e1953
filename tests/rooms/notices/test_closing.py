"""Letters that only their reader can open, opened by programs that are not ours: GnuPG and OpenSSL."""

import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from pysequoia import Profile, Tsk, decrypt

from tipstaff import wiring
from tipstaff.host.envelopes import (
    KEY_CHARACTERS_MAX,
    UselessKey,
    check_openpgp,
    check_own,
    check_smime,
    make_openpgp_key,
    public_part,
)
from tipstaff.notices.closing import usable
from tipstaff.notices.outbound import RefusedForNow, as_mail, deliver
from tipstaff.testing.mailbox import Mailbox
from tipstaff.words import Attachment, MailKeys

from .test_outbound import LETTER, LINK, server_of

NOW = wiring.now()
"""The libraries ask the machine's clock whether a key has run out."""
SECRETS = ("Unsolicited mail", "192.0.2.7", LINK, "Maja", "incident")
WHOLE = replace(
    LETTER, html="<p>Dear Maja, <a href='{{portal_link}}'>here</a></p>",
    attachments=(Attachment(name="incident.json", text='{"address": "192.0.2.7"}'),),
)  # fmt: skip


def pair(*, seconds: int | None = None) -> tuple[Tsk, str]:
    """A reader's OpenPGP key, and its public part."""
    secret = Tsk.generate("Maja <maja@customer.example.org>", profile=Profile.RFC4880, validity_seconds=seconds)
    return secret, str(secret.extract_certificate())


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, *, days: int = 30, encrypts: bool = True
) -> str:  # fmt: skip
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "maja")])
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=encrypts, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(NOW - timedelta(days=60)).not_valid_after(NOW + timedelta(days=days))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    signed = made.add_extension(usage, critical=True).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def sent(keys: MailKeys, **settings: Path) -> EmailMessage:
    """The letter as the mail server got it."""
    with Mailbox() as box:
        server = replace(server_of(box), **settings)
        done = deliver(
            WHOLE, server=server, at=NOW, on_handing_over=lambda: None, portal_link=LINK, keys_of=lambda to: keys
        )  # fmt: skip
        (mail,) = box.mails
    assert done.closed == ("OpenPGP" if keys.openpgp else "S/MIME")
    for secret in SECRETS:
        assert secret.encode() not in mail.raw, f"{secret} is in the clear"
    outside = message_from_bytes(mail.raw, policy=default)
    assert isinstance(outside, EmailMessage)
    assert outside["Subject"] == "[C-000123] [...]"
    assert (outside["To"], outside["Message-ID"]) == (LETTER.to, LETTER.message_id)
    assert outside["X-Tipstaff-Letter"] == LETTER.key
    return outside


def holds_all(inside: bytes) -> None:
    """The opened mail is the letter: its own subject, text with the link, HTML and file."""
    mail = message_from_bytes(inside, policy=default)
    assert isinstance(mail, EmailMessage)
    assert mail["Subject"] == LETTER.subject
    assert mail["Content-Type"].params["hp"] == "cipher"
    assert "Subject: [C-000123] [...]" in mail.get_all("HP-Outer", [])
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == f"Dear Maja,\n\n{LINK}\n\n.leading dot\nGrüße\n"
    page = mail.get_body(("html",))
    assert page is not None
    assert LINK in page.get_content()
    assert [each.get_filename() for each in mail.iter_attachments()] == ["incident.json"]


def test_a_letter_is_closed_and_signed_by_openpgp(tmp_path: Path) -> None:
    secret, public = pair()
    own = tmp_path / "own.asc"
    own.write_text(make_openpgp_key(name="Example Net", address="abuse@operator.example.net"))
    mail = sent(MailKeys(openpgp=(public,)), openpgp_key_file=own)
    assert mail["Content-Type"].params["protocol"] == "application/pgp-encrypted"
    version, body = mail.iter_parts()
    assert version.get_content() == b"Version: 1\r\n"
    certificate = Tsk.from_bytes(own.read_bytes()).extract_certificate()
    opened = decrypt(body.get_content(), decryptor=secret.decryptor(), store=lambda ids: [certificate])
    assert len(opened.valid_sigs) == 1
    assert opened.bytes is not None
    holds_all(opened.bytes)


@pytest.mark.skipif(shutil.which("gpg") is None, reason="needs GnuPG")
def test_gnupg_opens_what_was_closed_and_knows_our_signature(tmp_path: Path) -> None:
    own = tmp_path / "own.asc"
    own.write_text(make_openpgp_key(name="Example Net", address="abuse@operator.example.net"))
    (home := tmp_path / "gpg").mkdir(mode=0o700)

    def gpg(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        order = ["gpg", "--homedir", str(home), "--batch", "--status-fd", "2", *words]
        return subprocess.run(order, input=given, capture_output=True, check=False, timeout=60)

    try:
        theirs = (
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
            "--quick-generate-key",
            LETTER.to,
            "future-default",
        )
        gpg(*theirs, "default", "1d")
        gpg("--import", given=public_part(own).encode())
        public = gpg("--armor", "--export", LETTER.to).stdout.decode("ascii")
        _, body = sent(MailKeys(openpgp=(public,)), openpgp_key_file=own).iter_parts()
        opened = gpg("--decrypt", given=body.get_content())
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, timeout=60)
    assert opened.returncode == 0, opened.stderr.decode()
    assert b"[GNUPG:] GOODSIG" in opened.stderr
    holds_all(opened.stdout)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs OpenSSL")
def test_openssl_opens_what_was_closed_by_smime_and_knows_our_signature(
    tmp_path: Path, rsa_key: rsa.RSAPrivateKey
) -> None:
    own_key = ec.generate_private_key(ec.SECP256R1())
    (ca := tmp_path / "ca.pem").write_text(certificate(own_key))
    (own := tmp_path / "own.pem").write_bytes(pem(own_key) + ca.read_bytes())
    (key := tmp_path / "key.pem").write_bytes(pem(rsa_key))
    (reader := tmp_path / "reader.pem").write_text(certificate(rsa_key))
    mail = sent(MailKeys(smime=(reader.read_text(),)), smime_key_file=own)
    assert mail["Content-Type"].params["smime-type"] == "enveloped-data"

    def openssl(*words: str, given: bytes) -> bytes:
        order = ["openssl", "smime", *words]
        done = subprocess.run(order, input=given, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    signed = openssl("-decrypt", "-recip", str(reader), "-inkey", str(key), given=mail.as_bytes())
    assert b"multipart/signed" in signed
    holds_all(openssl("-verify", "-CAfile", str(ca), "-purpose", "any", given=signed))


def test_every_key_on_record_for_an_address_opens_its_letter() -> None:
    (one, first), (other, second) = pair(), pair()
    _, body = sent(MailKeys(openpgp=(first, second))).iter_parts()
    for secret in (one, other):
        opened = decrypt(body.get_content(), decryptor=secret.decryptor()).bytes
        assert opened is not None
        holds_all(opened)


def test_a_useless_key_among_several_stops_no_letter(rsa_key: rsa.RSAPrivateKey) -> None:
    secret, good = pair()
    _, ended = pair(seconds=1)
    late = certificate(rsa_key, days=-1)
    _, body = sent(MailKeys(openpgp=("nonsense", good), smime=(late,))).iter_parts()
    opened = decrypt(body.get_content(), decryptor=secret.decryptor()).bytes
    assert opened is not None
    holds_all(opened)
    keys = MailKeys(openpgp=("nonsense",), smime=(late, certificate(rsa_key)))
    assert usable(keys, at=NOW) == MailKeys(smime=keys.smime[1:]), "by the other kind, where that alone is left"
    with pytest.raises(UselessKey, match="ran out"):
        usable(MailKeys(openpgp=(ended,), smime=(late,)), at=NOW + timedelta(days=1))
    assert usable(MailKeys(), at=NOW) == MailKeys()


def test_a_letter_without_a_key_goes_as_it_is() -> None:
    with Mailbox() as box:
        server = server_of(box)
        done = deliver(LETTER, server=server, at=NOW, on_handing_over=lambda: None, portal_link=LINK)
        (mail,) = box.mails
    assert done.closed == ""
    assert mail.raw == as_mail(LETTER, server=server, at=NOW, portal_link=LINK)


def test_nothing_goes_in_the_clear_where_a_key_has_run_out(rsa_key: rsa.RSAPrivateKey) -> None:
    """It waits, as for a mail server that is away: with another key, or none, it goes by itself."""
    (_, public), later = pair(seconds=3600), NOW + timedelta(days=400)
    for keys in (MailKeys(openpgp=(public,)), MailKeys(smime=(certificate(rsa_key),))):
        with Mailbox() as box, pytest.raises(RefusedForNow, match="it ran out on"):
            deliver(
                LETTER, server=server_of(box), at=later, on_handing_over=lambda: None, portal_link=LINK,
                keys_of=lambda to, keys=keys: keys,
            )  # fmt: skip
        assert not box.mails


def test_a_key_that_closes_nothing_is_refused_in_a_sentence(rsa_key: rsa.RSAPrivateKey) -> None:
    secret, public = pair()
    curve = ec.generate_private_key(ec.SECP256R1())
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    for check, text, why in (
        (check_openpgp, "no key at all", "."),
        (check_openpgp, "ключ", "."),
        (check_openpgp, public[: len(public) // 2], "."),
        (check_openpgp, "x" * (KEY_CHARACTERS_MAX + 1), "longer than"),
        (check_openpgp, str(secret), "it is a secret key"),
        (check_smime, "no certificate", "."),
        (check_smime, "x" * (KEY_CHARACTERS_MAX + 1), "longer than"),
        (check_smime, certificate(curve), "not an RSA key"),
        (check_smime, certificate(small), "1024 bits"),
        (check_smime, certificate(rsa_key, days=-1), "ran out"),
        (check_smime, certificate(rsa_key, encrypts=False), "not for encrypting"),
    ):
        with pytest.raises(UselessKey, match=why) as refused:
            check(text, at=NOW)
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 250
    assert "maja@customer.example.org" in check_openpgp(public, at=NOW)
    assert "CN=maja" in check_smime(certificate(rsa_key), at=NOW)


def test_a_key_of_ours_that_signs_nothing_is_said_before_anything_starts(
    tmp_path: Path, rsa_key: rsa.RSAPrivateKey
) -> None:
    (only := tmp_path / "only.pem").write_bytes(pem(rsa_key))
    (public := tmp_path / "public.asc").write_text(pair()[1])
    with pytest.raises(UselessKey, match=r"public\.asc is no OpenPGP secret key"):
        check_own(openpgp_file=public, smime_file=None)
    with pytest.raises(UselessKey, match=r"only\.pem does not hold a private key and its certificate"):
        check_own(openpgp_file=None, smime_file=only)
