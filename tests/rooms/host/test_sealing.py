"""What is sealed opens with the desk's private key only, and whoever seals needs no more than the public one."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tipstaff.host.sealing import WrongSealingKey, make_keys, seal, unseal

from .waiting import start_python

DESK = X25519PrivateKey.generate()
PRIVATE, PUBLIC = DESK.private_bytes_raw(), DESK.public_key().public_bytes_raw()
MAKE = """
import sys
from pathlib import Path
from tipstaff.host.sealing import make_keys
make_keys(Path(sys.argv[1]))
"""
CONTENT = b"Received: from mx.example.org\r\n\r\nThe media were taken out.\r\n"


@settings(deadline=None)
@given(st.binary(max_size=4096))
def test_what_was_sealed_opens_as_it_was(content: bytes) -> None:
    assert unseal(seal(content, public=PUBLIC), private=PRIVATE) == content


def test_the_sealed_octets_show_nothing_of_the_content() -> None:
    sealed = seal(CONTENT * 10, public=PUBLIC)
    assert b"mx.example.org" not in sealed
    assert seal(CONTENT, public=PUBLIC) != seal(CONTENT, public=PUBLIC), "each sealing has a key of its own"


@pytest.mark.parametrize("place", ["its own public half", "nonce", "ciphertext", "tag"])
def test_one_changed_bit_is_noticed(place: str) -> None:
    sealed = bytearray(seal(CONTENT, public=PUBLIC))
    sealed[{"its own public half": 3, "nonce": 35, "ciphertext": 50, "tag": len(sealed) - 1}[place]] ^= 1
    with pytest.raises(WrongSealingKey):
        unseal(bytes(sealed), private=PRIVATE)


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(WrongSealingKey):
        unseal(seal(CONTENT, public=PUBLIC), private=X25519PrivateKey.generate().private_bytes_raw())


def test_a_shortened_one_does_not_open() -> None:
    with pytest.raises(WrongSealingKey):
        unseal(seal(CONTENT, public=PUBLIC)[:-1], private=PRIVATE)


def test_sealing_needs_only_the_public_key(tmp_path: Path) -> None:
    make_keys(tmp_path)
    kept_elsewhere = (tmp_path / "sealed.private").read_bytes()
    (tmp_path / "sealed.private").unlink()
    sealed = seal(CONTENT, public=(tmp_path / "sealed.public").read_bytes())
    assert unseal(sealed, private=kept_elsewhere) == CONTENT


def test_the_private_key_is_its_owners_only(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys")
    assert stat.S_IMODE((tmp_path / "keys" / "sealed.private").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_keys_are_made_once_by_eight_processes_at_once(tmp_path: Path) -> None:
    makers = [start_python(MAKE, tmp_path / "keys") for _ in range(8)]
    assert [maker.wait() for maker in makers] == [0] * 8
    private, public = ((tmp_path / "keys" / f"sealed.{half}").read_bytes() for half in ("private", "public"))
    assert unseal(seal(CONTENT, public=public), private=private) == CONTENT
    assert {file.name for file in (tmp_path / "keys").iterdir()} == {"sealed.private", "sealed.public"}


def test_made_again_they_stay_as_they_are(tmp_path: Path) -> None:
    make_keys(tmp_path)
    before = (tmp_path / "sealed.private").read_bytes()
    make_keys(tmp_path)
    assert (tmp_path / "sealed.private").read_bytes() == before
