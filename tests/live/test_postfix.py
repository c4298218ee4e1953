"""The Postfix driver on a real Postfix: the contract, and what becomes of mail."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.live.mail_server import POSTFIX, Postfix
from tests.live.running import clean_environment, free_ports
from tipstaff.enforcement.drivers.postfix import PostfixDriver, make
from tipstaff.enforcement.protocol import BadOption, Driver
from tipstaff.testing.drivers import NOON, DriverContract, await_true, carry_out
from tipstaff.words import Degree, Rule, Seen, Selector

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(POSTFIX is None, reason="Postfix is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start Postfix"),
]
SAYS = "Mail from this account is stopped under the acceptable use policy."


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    built = Postfix()
    built.start()
    yield built
    built.stop()


@pytest.fixture
def driver(postfix: Postfix) -> PostfixDriver:
    postfix.wipe()
    return make("mx1", postfix.options())


def mail_of(name: str, degree: Degree, *, key: str = "M-000001", until: datetime | None = None) -> Rule:
    return Rule(measure=key, case="C-000001", selector=Selector(mailbox=name), degree=degree, until=until)


class TestPostfixDriver(DriverContract):
    @pytest.fixture(autouse=True)
    def _postfix(self, postfix: Postfix) -> None:
        self.postfix = postfix

    def make(self) -> Driver:
        self.forget(None)
        return make("mx1", self.postfix.options())

    def again(self, driver: Driver) -> Driver:
        return make("mx1", self.postfix.options())

    def rule(self, n: int, *, until: datetime | None = None, key: int | None = None) -> Rule:
        degree = (Degree.BLOCK, Degree.RATE_LIMIT)[n % 2]
        return mail_of(f"u{n}@example.net", degree, key=f"M-{(n if key is None else key) + 1:06d}", until=until)

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        assert isinstance(driver, PostfixDriver)
        works, driver._policy = driver._policy, ("127.0.0.1", 1)
        yield
        driver._policy = works

    def put_foreign(self, driver: Driver) -> str:
        with open(self.postfix.rows / "rows.jsonl", "a") as out:
            out.write("by hand\n")
        return "by hand"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        file = self.postfix.rows / "rows.jsonl"
        file.write_text(file.read_text().replace('"u0@example.net"', '"somebody@example.net"'))

    def forget(self, driver: Driver | None) -> None:
        for name in ("rows.jsonl", "held"):
            (self.postfix.rows / name).unlink(missing_ok=True)


def test_a_refused_log_in_sends_nothing_and_its_neighbour_does(postfix: Postfix, driver: PostfixDriver) -> None:
    rule = mail_of("bot@example.net", Degree.BLOCK)
    assert driver.probe(rule).proves_lifted
    carry_out(driver, 1, [rule])
    assert postfix.send("bot@example.net") == f"554 5.7.1 <r0@example.org>: Recipient address rejected: {SAYS}"
    # The log-in counts, whatever is written as sender, and however the log-in is written.
    assert postfix.send("BOT", sender="other@example.net").startswith("554")
    assert postfix.send("other@example.net", sender="bot@example.net").startswith("250")
    assert postfix.send("", sender="bot@example.net").startswith("250")
    result = driver.probe(rule)
    assert result.proves_in_force, result
    carry_out(driver, 2, [])
    assert postfix.send("bot@example.net").startswith("250")


def test_a_sender_without_a_log_in_is_stopped_from_our_own_network_and_believed_from_nowhere_else(
    postfix: Postfix, driver: PostfixDriver
) -> None:
    postfix.stop_policy()
    postfix.start_policy(own="192.0.2.0/24")
    try:
        carry_out(driver, 1, [mail_of("bot@example.net", Degree.BLOCK)])
        assert postfix.send("", sender="Bot@example.net", client="192.0.2.7").startswith("554")
        assert postfix.send("", sender="other@example.net", client="192.0.2.7").startswith("250")
        assert postfix.send("", sender="bot@example.net", client="198.51.100.7").startswith("250")
        carry_out(driver, 2, [mail_of("bot@example.net", Degree.HOLD, key="M-000002")])
        held = postfix.send("", sender="bot@example.net", client="192.0.2.7").split()[-1]
        assert postfix.queue()[held][1] == "hold"
    finally:
        postfix.stop_policy()
        postfix.start_policy()


def test_held_mail_waits_and_is_let_go_and_no_other_held_mail_is(postfix: Postfix, driver: PostfixDriver) -> None:
    waiting = postfix.send("anna@example.net").split()[-1]
    by_hand = postfix.send("anna@example.net").split()[-1]
    other = postfix.send("berta@example.net").split()[-1]
    postfix.tool("postsuper", "-h", by_hand)
    await_true(lambda: postfix.queue()[waiting][1] == "deferred")
    carry_out(driver, 1, [mail_of("anna@example.net", Degree.HOLD)])
    new = postfix.send("anna@example.net").split()[-1]
    names = {key: name for key, (_, name) in postfix.queue().items()}
    assert (names[waiting], names[new], names[by_hand]) == ("hold", "hold", "hold")
    assert names[other] != "hold"
    carry_out(driver, 2, [])
    names = {key: name for key, (_, name) in postfix.queue().items()}
    assert names[by_hand] == "hold"
    assert "hold" not in (names[waiting], names[new], names[other])
    assert not (postfix.rows / "held").read_text()


def test_a_slowed_mailbox_sends_some_and_not_many(postfix: Postfix, driver: PostfixDriver) -> None:
    slow = make("mx1", postfix.options(recipients_per_hour=3))
    carry_out(slow, 1, [mail_of("carl@example.net", Degree.RATE_LIMIT)])
    assert [postfix.send("carl@example.net")[:3] for _ in range(2)] == ["250", "250"]
    assert postfix.send("carl@example.net", recipients=2).startswith("450 4.7.1")
    assert postfix.send("carl@example.net")[:3] == "250"
    assert postfix.send("carl@example.net")[:3] == "450"
    assert postfix.send("dora@example.net")[:3] == "250"


def test_a_row_ends_by_itself_while_nobody_looks(postfix: Postfix, driver: PostfixDriver) -> None:
    carry_out(driver, 1, [mail_of("bot@example.net", Degree.BLOCK, until=NOON + timedelta(seconds=1))])
    assert postfix.send("bot@example.net").startswith("554")
    await_true(lambda: postfix.send("bot@example.net").startswith("250"))


@pytest.mark.parametrize(("when_down", "said"), [("open", "250"), ("closed", "450")])
def test_while_the_policy_server_is_down_mail_passes_or_waits_as_chosen(
    postfix: Postfix, driver: PostfixDriver, when_down: str, said: str
) -> None:
    rule = mail_of("bot@example.net", Degree.BLOCK)
    other = make("mx1", postfix.options(when_down="closed" if when_down == "open" else "open"))
    postfix.asks(when_down)
    postfix.run("reload")
    chosen = make("mx1", postfix.options(when_down=when_down))
    try:
        assert carry_out(chosen, 1, [rule]).of("M-000001") is Seen.IN_FORCE
        seen = other.observe(at=NOON)
        assert seen.of("M-000001") is Seen.DRIFT
        assert "need check_policy_service" in seen.detail
        postfix.stop_policy()
        assert postfix.send("bot@example.net").startswith(said)
        assert not chosen.observe(at=NOON).complete
    finally:
        postfix.asks("open")
        postfix.run("reload")
        postfix.start_policy()


def test_options_that_cannot_be_used_are_told_in_a_sentence(postfix: Postfix) -> None:
    for more, said in (
        ({"when_down": "maybe"}, 'takes "open" or "closed"'), ({"policy": "mx:1"}, "takes an address and a port"),
        ({"probe_recipient": ""}, "set both or none"), ({"says": "ü"}, "ASCII"), ({"rows_mode": "rw"}, "octal digits"),
        ({"queue": "x"}, "queue is not an option"),
    ):  # fmt: skip
        with pytest.raises(BadOption, match=said):
            make("mx1", postfix.options(**more))
    with pytest.raises(BadOption, match="when_down is missing"):
        make("mx1", {"folder": "/x", "policy": "127.0.0.1:1"})


def test_the_command_answers_as_the_server_does(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "tipstaff", "postfix-policy", str(tmp_path), "--port", str(port)]
    environment = clean_environment(TIPSTAFF_DATA=str(tmp_path))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"listening on 127.0.0.1 port {port}\n"
        with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
            wire.sendall(b"request=smtpd_access_policy\nprotocol_state=RCPT\nsasl_username=bot@example.net\n\n")
            assert wire.recv(100) == b"action=DUNNO\n\n"
        process.terminate()
    assert process.returncode == 0
