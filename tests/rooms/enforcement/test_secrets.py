"""A device's secret from a vault: a real command, asked when it is needed, and what is said if it does not give it."""

import base64
import logging
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import who_shows
from tipstaff.enforcement import secrets
from tipstaff.enforcement.drivers.webhook import WebhookDriver, make
from tipstaff.enforcement.protocol import DeviceUnreachable
from tipstaff.enforcement.secrets import SECRET_OCTETS_MAX, Secret
from tipstaff.testing.drivers import NOON, DriverContract, await_true, carry_out
from tipstaff.testing.receiver import Receiver
from tipstaff.words import Seen

FIRST, SECOND = ("whsec_" + base64.b64encode(f"the vault's secret {n}, no other".encode()).decode() for n in (1, 2))


class Vault:
    """A vault's client: a script that prints what lies in the vault, as `vault kv get` would."""

    def __init__(self, folder: Path) -> None:
        self.store, self.asked, self.script = folder / "store", folder / "asked", folder / "vault"
        self.script.write_text(f'#!/bin/sh\necho asked >> {shlex.quote(str(self.asked))}\nexec cat "$1"\n')
        self.script.chmod(0o700)

    @property
    def command(self) -> list[str]:
        return [str(self.script), str(self.store)]

    def holds(self, secret: str) -> None:
        self.store.write_text(secret + "\n")
        self.store.chmod(0o600)

    def times_asked(self) -> int:
        return len(self.asked.read_text().splitlines())


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(FIRST, now=NOON.timestamp) as listening:
        yield listening


def driver_of(receiver: Receiver, vault: Vault) -> WebhookDriver:
    return make(
        "desk2", {"url": receiver.url, "can": ["flow:block"], "proof": "state", "secret_command": vault.command}
    )


def test_a_secret_that_was_changed_in_the_vault_is_used_at_the_next_call(vault: Vault, receiver: Receiver) -> None:
    vault.holds(FIRST)
    driver, rule = driver_of(receiver, vault), DriverContract().rule(0)
    assert not vault.asked.exists(), "to check the settings takes no secret"
    assert carry_out(driver, 1, [rule]).of(rule.measure) is Seen.IN_FORCE
    assert vault.times_asked() == 3, "it is asked at each call, and nothing is kept"
    vault.holds(SECOND)
    seen = driver.observe(at=NOON)
    assert (seen.complete, seen.of(rule.measure)) == (False, Seen.UNKNOWN), "the receiver does not know it yet"
    receiver._key = base64.b64decode(SECOND.removeprefix("whsec_"))
    assert driver.observe(at=NOON).of(rule.measure) is Seen.IN_FORCE


def test_it_stands_in_no_argument_environment_log_or_representation(
    vault: Vault, receiver: Receiver, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    vault.holds(FIRST)
    driver = driver_of(receiver, vault)
    shown: list[str] = []
    hear = receiver.hear
    monkeypatch.setattr(receiver, "hear", lambda *asked: shown.extend(who_shows(FIRST)) or hear(*asked))
    carry_out(driver, 1, [DriverContract().rule(0)])
    assert receiver.ids, "it was heard, and looked at while it was"
    vault.holds(SECOND)
    refused = driver.observe(at=NOON).detail
    vault.script.write_text(f"#!/bin/sh\necho {FIRST}\necho {FIRST} >&2\nexit 3\n")
    failed = driver.observe(at=NOON).detail
    assert shown == []
    for text in (caplog.text, refused, failed, repr(driver), repr(vars(driver))):
        for secret in (FIRST, SECOND):
            assert secret not in text
            assert secret.removeprefix("whsec_") not in text


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo $SECRET; exit 3", "the password cannot be read: its command ended with 3."),
        ("true", "the password is empty."),
        ("head -c 70000 /dev/zero", f"the password is longer than {SECRET_OCTETS_MAX} octets: that is none."),
        ("cat /dev/zero", f"the password is longer than {SECRET_OCTETS_MAX} octets: that is none."),
        ("kill -9 $$", "the password cannot be read: its command ended with -9."),
    ],
)
def test_what_a_vault_does_not_give_is_told_in_a_sentence(script: str, said: str) -> None:
    secret = Secret.of("device r1", {"password_command": ["sh", "-c", script]}, stem="password")
    with pytest.raises(DeviceUnreachable) as told:
        secret.read()
    assert str(told.value) == f"device r1: {said}"
    assert told.value.__cause__ is None


def test_a_vaults_client_that_is_not_there_is_named() -> None:
    with pytest.raises(DeviceUnreachable, match=r"/nowhere/vault cannot be run \(No such file or directory\)"):
        Secret("device r1: the password", command=["/nowhere/vault"]).read()
    with pytest.raises(DeviceUnreachable, match=r"cannot be read \(No such file or directory\)"):
        Secret("device r1: the password", file="/nowhere/file").read()


def test_a_vault_that_hangs_keeps_nobody_waiting_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "SECRET_SECONDS", 0.5)
    note = tmp_path / "child"
    script = f"tail -f /dev/null & echo $! > {shlex.quote(str(note))}; wait"
    with pytest.raises(DeviceUnreachable, match=r"its command did not end in 0\.5 s"):
        Secret("device r1: the password", command=["sh", "-c", script]).read()
    child = int(note.read_text())
    await_true(lambda: not alive(child))


def alive(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return os.path.exists(f"/proc/{process}")
