"""Measures by webhook: the contract against a receiver over HTTP, and Standard Webhooks' own example."""

import base64
import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tipstaff.enforcement.drivers.webhook import WebhookDriver, make, sign
from tipstaff.enforcement.protocol import BadOption, DeviceRefused, DeviceUnreachable, Driver
from tipstaff.enforcement.secrets import Secret
from tipstaff.testing.drivers import NOON, DriverContract, carry_out
from tipstaff.testing.receiver import Receiver
from tipstaff.words import Plan, Proof, Rule, Seen

SECRET = "whsec_" + base64.b64encode(b"not a secret, but long enough").decode()
CAN = ["flow:block", "account:suspend"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(SECRET, now=NOON.timestamp) as listening:
        yield listening


@pytest.fixture
def options(receiver: Receiver, tmp_path: Path) -> dict[str, object]:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    file.chmod(0o600)
    return {"url": receiver.url, "can": CAN, "proof": "state", "secret_file": str(file)}


class TestWebhook(DriverContract):
    @pytest.fixture(autouse=True)
    def _receiver(self, receiver: Receiver, options: dict[str, object]) -> None:
        self.receiver, self.options = receiver, options

    def make(self) -> Driver:
        self.receiver.generation, self.receiver.rules, self.receiver.foreign = 0, {}, []
        return self.again(None)

    def again(self, driver: Driver | None) -> Driver:
        return make("desk2", self.options)

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        self.receiver.status = 503
        yield
        self.receiver.status = 0

    def put_foreign(self, driver: Driver) -> str:
        self.receiver.foreign.append("somebody else's ticket")
        return "somebody else's ticket"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        self.receiver.rules[rule.measure]["state"] = "drift"

    def forget(self, driver: Driver) -> None:
        self.receiver.generation, self.receiver.rules, self.receiver.ids = 0, {}, []


@pytest.fixture
def driver(options: dict[str, object]) -> WebhookDriver:
    return make("desk2", options)


def a_rule() -> Rule:
    return DriverContract().rule(0)


def test_it_signs_as_standard_webhooks_says(tmp_path: Path) -> None:
    """The example of the specification's own libraries."""
    file = tmp_path / "secret"
    file.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = sign(
        b'{"test": 2432232314}', id="msg_p5jXN8AQM9LWM0D4loKWxJek", at=datetime.fromtimestamp(1614265330, UTC),
        secret=Secret("it", file=str(file)),
    )  # fmt: skip
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_same_message_has_the_same_id_and_a_mending_one_has_another(
    receiver: Receiver, driver: WebhookDriver
) -> None:
    plan = Plan(device="desk2", generation=1, rules=(a_rule(),))
    driver.carry_out(plan, steps=(), at=NOON)
    driver.carry_out(plan, steps=(), at=NOON)
    assert len(receiver.ids) == 1
    receiver.generation, receiver.rules = 0, {}  # It lost what it held, but not the ids.
    assert carry_out(driver, 1, [a_rule()], at=NOON + timedelta(seconds=5)).of("M-000001") is Seen.IN_FORCE
    assert len(receiver.ids) == 2


def test_who_has_not_the_secret_is_refused(receiver: Receiver, options: dict[str, object], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("whsec_" + base64.b64encode(b"another one").decode())
    other.chmod(0o600)
    forger = make("desk2", {**options, "secret_file": str(other)})
    with pytest.raises(DeviceRefused, match="401"):
        forger.carry_out(Plan(device="desk2", generation=1, rules=(a_rule(),)), steps=(), at=NOON)
    seen = forger.observe(at=NOON)
    assert (seen.complete, receiver.rules) == (False, {})


def test_a_redirect_is_not_followed(receiver: Receiver, driver: WebhookDriver) -> None:
    receiver.status = 307
    with pytest.raises(DeviceUnreachable, match="307"):
        driver.carry_out(Plan(device="desk2", generation=1, rules=()), steps=(), at=NOON)


@pytest.mark.parametrize("answer", ["", "[]", '{"generation": -1, "rules": []}', '{"generation": 1, "rules": [{}]}',
                                    '{"generation": 1, "rules": [{"measure": "M-1", "state": "fine"}]}'])  # fmt: skip
def test_an_answer_that_makes_no_sense_is_unknown_and_never_absent(
    driver: WebhookDriver, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(driver, "_call", lambda *_, **__: answer.encode())
    seen = driver.observe(at=NOON)
    assert not seen.complete
    assert "cannot be read" in seen.detail


def test_the_whole_of_a_rule_is_sent(receiver: Receiver, driver: WebhookDriver) -> None:
    carry_out(driver, 1, [a_rule()])
    sent = receiver.rules["M-000001"]
    assert sent["selector"] == {"network": "192.0.2.1/32", "direction": "out", "protocol": "tcp", "port": 25}
    assert (sent["case"], sent["scope"], sent["degree"], sent["until"]) == ("C-000001", "flow", "block", None)
    json.dumps(sent)


def test_unless_told_so_its_word_is_not_enough_to_be_chosen(options: dict[str, object]) -> None:
    del options["proof"]
    assert make("desk2", options).ability.proof is Proof.CONFIG


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"url": "ftp://x"}, "takes an https address"),
        ({"url": "http://receiver.example.net/x"}, "http is for this machine"),
        ({"url": "https://me:hunter2@receiver.example.net/x"}, "takes an https address"),
        ({"can": ["account"]}, "can takes scopes and degrees"),
        ({"proof": "surely"}, "proof is .surely., but it takes"),
        ({"secret": "hunter2"}, "secret is not an option of the webhook driver"),
        ({"secret_command": ["cat"]}, "one of secret_file and secret_command"),
        ({"secret_file": "/nowhere"}, "cannot be read"),
    ],
)
def test_options_that_cannot_be_used_are_told_in_a_sentence(
    options: dict[str, object], more: dict[str, object], said: str
) -> None:
    with pytest.raises(BadOption, match=said) as told:
        make("desk2", {**options, **more})
    assert "hunter2" not in str(told.value)


def test_a_secret_can_be_a_commands(options: dict[str, object]) -> None:
    del options["secret_file"]
    driver = make("desk2", {**options, "secret_command": ["printf", SECRET]})
    assert driver.observe(at=NOON).complete
    failing = make("desk2", {**options, "secret_command": ["sh", "-c", f"echo {SECRET}; exit 3"]})
    seen = failing.observe(at=NOON)
    assert (seen.complete, SECRET in seen.detail) == (False, False)


def test_a_process_that_may_not_get_near_the_secret_can_check_the_options_all_the_same(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path, **_: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refused)
    assert make("desk2", options).ability.device == "desk2"
