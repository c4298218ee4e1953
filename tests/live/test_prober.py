"""The prober looks at real daemons: a resolver, a mail server, a cache; in a network namespace, and on loopback."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.live.mail_server import POSTFIX, Postfix
from tests.live.name_servers import PATH, UNBOUND
from tests.live.running import free_ports
from tests.procedures.office import DAY, Office
from tests.procedures.test_retesting import FIXED_AT, HERS, fixed, let_look, look_of
from tipstaff.cases.queries import list_cases
from tipstaff.procedures.probing import probe_due
from tipstaff.procedures.sighting import judge_waiting
from tipstaff.sensors.queries import list_retests
from tipstaff.sensors.retest.asking import Looks, Prober
from tipstaff.testing.drivers import await_true
from tipstaff.words import Answer, CaseState, RetestCheck, RetestFound

pytestmark = pytest.mark.live
HERE = ip_address("127.0.0.1")
MEMCACHED = shutil.which("memcached", path=PATH)
IP = shutil.which("ip", path=PATH)
ROOT = os.geteuid() == 0
NAMESPACE = f"tipstaff-{os.getpid()}"


@pytest.fixture
def office(db: None) -> Office:
    return Office()


def prober(*through: str) -> Prober:
    return Prober(name="www.example.net", mailbox="abuse@operator.example.net", wait_seconds=1.5, through=through)


@contextmanager
def running(*command: str) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        try:
            yield
        finally:
            daemon.terminate()


@pytest.fixture(scope="module")
def customers_side() -> Iterator[tuple[str, ...]]:
    """A namespace in which the customer's address is; the command that runs something there."""
    if IP is None or not ROOT:
        pytest.skip("it takes iproute2, and root for network namespaces")
    made = subprocess.run([IP, "netns", "add", NAMESPACE], check=False, capture_output=True)
    if made.returncode:
        pytest.skip(f"no network namespace can be made here: {made.stderr.decode()}")
    try:
        for words in ("link set lo up", f"addr add {HERS}/32 dev lo"):
            subprocess.run([IP, "-n", NAMESPACE, *words.split()], check=True)
        yield (IP, "netns", "exec", NAMESPACE)
    finally:
        subprocess.run([IP, "netns", "del", NAMESPACE], check=True)


def resolver(folder: Path, *, lets_in: bool) -> list[str]:
    """An Unbound on the customer's address, open to all or to nobody."""
    file = folder / f"unbound-{lets_in}.conf"
    file.write_text(
        f'server:\n directory: "{folder}"\n pidfile: ""\n chroot: ""\n username: ""\n'
        f" use-syslog: no\n do-daemonize: no\n"
        f" interface: {HERS}@53\n access-control: 0.0.0.0/0 {'allow' if lets_in else 'refuse'}\n num-threads: 1\n"
        ' local-zone: "example.net." static\n local-data: "www.example.net. A 192.0.2.80"\n'
        "remote-control:\n control-enable: no\n"
    )
    return [UNBOUND or "", "-d", "-c", str(file)]


def answers(through: tuple[str, ...]) -> None:
    """Until something listens on port 53 there."""
    await_true(
        lambda: HERS in subprocess.run([*through, "ss", "-lun"], capture_output=True, text=True, check=True).stdout,
        seconds=10,
    )


def look_now(office: Office, prober: Looks, *, at: object) -> None:
    probe_due(prober, a_minute=6, desk=office.desk, now=lambda: at)  # type: ignore[arg-type,return-value]  # an instant


@pytest.mark.skipif(UNBOUND is None, reason="Unbound is not installed")
def test_a_real_resolver_is_still_there_until_it_is_closed(
    office: Office, customers_side: tuple[str, ...], tmp_path: Path
) -> None:
    let_look(office)
    case = fixed(office)
    office.follow(at=FIXED_AT)
    with running(*customers_side, *resolver(tmp_path, lets_in=True)):
        answers(customers_side)
        look_now(office, prober(*customers_side), at=FIXED_AT)
    look = look_of(case)
    assert (look.found, look.said) == (
        RetestFound.STILL_THERE,
        "The name server resolves names of others for anybody.",
    )
    judge_waiting(desk=office.desk, at=FIXED_AT)
    office.post(at=FIXED_AT)
    [again] = [each for each in list_cases(limit=10) if each.key != case.key]
    office.answer(again, Answer.FIXED, at=FIXED_AT + DAY)
    for _ in range(2):
        office.follow(at=FIXED_AT + DAY)
    with running(*customers_side, *resolver(tmp_path, lets_in=False)):
        answers(customers_side)
        look_now(office, prober(*customers_side), at=FIXED_AT + DAY)
    newest = list_retests()[0]
    assert (newest.case, newest.found) == (again.key, RetestFound.GONE)
    for _ in range(2):
        office.follow(at=FIXED_AT + 2 * DAY)
    assert {office.fresh(each.key).state for each in (case, again)} == {CaseState.CLOSED}


@pytest.mark.skipif(POSTFIX is None or not ROOT, reason="Postfix is not installed, or it is not root who asks")
def test_a_real_mail_server_is_asked_no_further_than_the_recipient() -> None:
    server = Postfix()
    server.start()
    try:
        looked = prober().look(RetestCheck.OPEN_RELAY, HERE, server.port)
        assert looked.found is RetestFound.STILL_THERE
        assert [part.split()[0] for part in looked.sent] == [b"MAIL", b"RCPT"]
        assert server.queue() == {}, "no mail was sent"
    finally:
        server.stop()
    assert prober().look(RetestCheck.OPEN_RELAY, HERE, server.port).said == "No mail server answers."


@pytest.mark.skipif(MEMCACHED is None, reason="memcached is not installed")
def test_a_real_cache_that_answers_anybody_is_still_there_until_it_listens_no_longer() -> None:
    [port] = free_ports(1)
    with running(MEMCACHED or "", "-u", "nobody", "-l", "127.0.0.1", "-p", "0", "-U", str(port)):
        await_true(
            lambda: prober().look(RetestCheck.MEMCACHED, HERE, port).found is RetestFound.STILL_THERE, seconds=10
        )
    assert prober().look(RetestCheck.MEMCACHED, HERE, port).found is RetestFound.GONE
