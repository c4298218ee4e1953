"""What scans and test messages show of customers who asked for them."""

import pytest

from tests.rooms.sensors.test_detectors import NOON, Known, found
from tipstaff.sensors.exposure import Exposure, parts
from tipstaff.sensors.probes import MailProbe, NewsProbe
from tipstaff.sensors.protocol import NotReadable

ADDRESS = "192.0.2.10"
HOLDS = {f"{ADDRESS}/32": "acct-1"}


def scan(*ports: str) -> str:
    end = int(NOON.timestamp())
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE nmaprun>
<nmaprun scanner="nmap" args="nmap -sV -oX -" start="{end}" version="7.94">
<host starttime="{end}" endtime="{end}"><status state="up" reason="syn-ack"/>
<address addr="{ADDRESS}" addrtype="ipv4"/><ports>{"".join(ports)}</ports></host>
</nmaprun>"""


def port(number: int, *, protocol: str = "tcp", state: str = "open", service: str = "") -> str:
    return f'<port protocol="{protocol}" portid="{number}"><state state="{state}" reason="syn-ack"/>{service}</port>'


SSH = '<service name="ssh" product="OpenSSH" version="{}" method="probed"/>'


def test_a_service_that_is_open_to_misuse_is_found() -> None:
    text = scan(port(6379), port(443), port(23, state="closed"), port(1900, protocol="udp"))
    asked = Known(holders=HOLDS, leaves=frozenset({("acct-1", "exposure")}))
    redis, ssdp = found(Exposure(), text, asked)
    assert (redis.kind, redis.facts) == (
        "probe.open_service", {"opted_in": True, "port": 6379, "service": "redis"},
    )  # fmt: skip
    assert (str(redis.source), redis.protocol, ssdp.protocol) == (ADDRESS, "tcp", "udp")


def test_of_whoever_did_not_ask_it_says_so() -> None:
    [one] = found(Exposure(), scan(port(6379)), Known(holders=HOLDS))
    assert one.facts["opted_in"] is False
    [nobodys] = found(Exposure(), scan(port(6379)), Known(leaves=frozenset({("acct-1", "exposure")})))
    assert nobodys.facts["opted_in"] is False


def test_software_that_is_older_than_what_is_needed_is_found() -> None:
    asked = Known(holders=HOLDS, leaves=frozenset({("acct-1", "exposure")}), needed={"openssh": "9.8"})
    [old] = found(Exposure(), scan(port(22, service=SSH.format("9.6p1 Debian 3"))), asked)
    assert old.facts == {"opted_in": True, "product": "OpenSSH", "version": "9.6p1 Debian 3", "needed": "9.8"}
    for enough in ("9.8", "9.8p1", "10.0"):
        assert found(Exposure(), scan(port(22, service=SSH.format(enough))), asked) == [], enough


def test_versions_are_compared_as_numbers() -> None:
    assert parts("9.10") > parts("9.9p1 Debian 7")
    assert parts("") == ()


@pytest.mark.parametrize("text", ["", "no xml", "<other/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><nmaprun/>"])
def test_what_is_not_nmaps_is_refused(text: str) -> None:
    with pytest.raises(NotReadable):
        found(Exposure(), text)


def message(*headers: str) -> str:
    probe = "X-Tipstaff-Probe: account=acct-1; helo=probe.example.org; from=192.0.2.200; by=mail.customer.example.com"
    return "\n".join([*headers, probe, "Date: Mon, 4 May 2026 12:00:00 +0000", "Subject: A test", "", "A test."])


OURS = (
    "Received: from mail.customer.example.com (mail.customer.example.com [192.0.2.10])\n\tby mx.operator.example.net; x"
)
NOTED = "Received: from probe.example.org (unknown [192.0.2.200])\n\tby mail.customer.example.com with ESMTP; x"
BELIEVED = "Received: from probe.example.org\n\tby mail.customer.example.com with ESMTP; x"
LEAVE = Known(leaves=frozenset({("acct-1", "mail-probe"), ("acct-1", "news-probe")}))


def test_a_mail_server_that_notes_who_connects_is_in_order() -> None:
    way, peer = found(MailProbe(), message(OURS, NOTED), LEAVE)
    assert (way.kind, way.facts) == ("probe.mail_headers", {"opted_in": True, "way_shown": True})
    assert (peer.kind, peer.facts) == ("probe.mail_peer", {"opted_in": True, "peer_noted": True})


def test_a_mail_server_that_believes_any_name_is_found() -> None:
    _, peer = found(MailProbe(), message(OURS, BELIEVED), LEAVE)
    assert (peer.account, peer.facts) == ("acct-1", {"opted_in": True, "peer_noted": False})


def test_a_mail_server_that_removes_the_way_is_found() -> None:
    [way] = found(MailProbe(), message(OURS), LEAVE)
    assert way.facts == {"opted_in": True, "way_shown": False}
    [unasked] = found(MailProbe(), message(OURS))
    assert unasked.facts["opted_in"] is False


INJECTED = "Injection-Info: mail.customer.example.com; posting-host=192.0.2.200"


@pytest.mark.parametrize(
    ("headers", "truthful"),
    [
        (["Path: news.operator.example.net!mail.customer.example.com!.POSTED!not-for-mail", INJECTED], True),
        (["Path: news.operator.example.net!not-for-mail", INJECTED], False),
        (["Path: news.operator.example.net!mail.customer.example.com!not-for-mail"], False),
    ],
)
def test_a_news_server_without_a_truthful_path_is_found(headers: list[str], truthful: bool) -> None:
    [path] = found(NewsProbe(), message(*headers), LEAVE)
    assert (path.kind, path.facts) == ("probe.usenet_path", {"opted_in": True, "truthful_path": truthful})


def test_a_message_that_is_no_test_is_refused() -> None:
    with pytest.raises(NotReadable, match="X-Tipstaff-Probe"):
        found(MailProbe(), "Subject: Hello\n\nHello.")
