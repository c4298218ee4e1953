"""The guards, as somebody would try to get around them: another spelling, another way, or a part of it at a time."""

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import dns.name
import pytest

from tipstaff.config import BadSetting, load
from tipstaff.enforcement.drivers import haproxy, nginx, postfix
from tipstaff.enforcement.drivers.rpz import zone as zones
from tipstaff.enforcement.guards import Limits, refusal
from tipstaff.registry.names import plain_host_name
from tipstaff.words import Degree, Direction, Rule, Selector

OURS = frozenset(
    {"www.example.net", "noc.example.net", "a.noc.example.net", "xn--bcher-kva.example.net", "a@example.net",
     "root@noc.example.net"}
)  # fmt: skip
LIMITS = Limits(
    own=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")),
    protected=(ip_network("192.0.2.1/32"), ip_network("2001:db8:0:53::/64")),
    protected_names=("noc.example.net", "bücher.example.net", "02:00:5e:10:00:01", "desk@example.net"),
    owns_name=lambda name: name in OURS,
    owns_mailbox=lambda name: name in OURS,
    owns_session=lambda _: True,
    owns_port=lambda place: place == "sw1/ge-0/1",
    owns_account=lambda key: key == "acct-7",
    owns_service=lambda key: key == "svc-7",
)


def why(limits: Limits = LIMITS, **selector: object) -> str:
    """Why it is refused; empty if it is not."""
    if isinstance(selector.get("network"), str):
        selector["network"] = ip_network(str(selector["network"]))
    return refusal(Selector(**selector), limits) or ""  # type: ignore[arg-type]  # the words of a selector


def test_what_a_customer_has_passes_all_of_them() -> None:
    for selector in (
        {"network": "192.0.2.7"}, {"network": "2001:db8:1::/64"}, {"host_name": "www.example.net"},
        {"url": "https://WWW.example.net./a"}, {"mailbox": "A@Example.Net"}, {"account": "acct-7"},
        {"service": "svc-7"}, {"forged_on": "sw1/ge-0/1"}, {"session": "alice/02-00-5E-10-00-02"},
        {"network": "192.0.2.7", "protocol": "tcp", "port": 65535},
    ):  # fmt: skip
        assert why(**selector) == "", selector


@pytest.mark.parametrize("network", ["::ffff:192.0.2.1", "::ffff:192.0.2.7", "::ffff:0:0/96", "::192.0.2.1"])
def test_an_ipv4_address_written_as_ipv6_is_none_of_ours(network: str) -> None:
    everything = replace(LIMITS, own=(ip_network("::/8"), ip_network("::ffff:0:0/96"), *LIMITS.own), shortest_v6=16)
    for limits in (LIMITS, everything):
        assert "not within our own address space" in why(limits, network=network)


def test_a_protected_ipv4_address_written_as_ipv6_is_protected_as_ipv4() -> None:
    limits = replace(LIMITS, protected=(ip_network("::ffff:192.0.2.7"), ip_network("::ffff:192.0.2.64/122")))
    assert "would touch 192.0.2.7/32" in why(limits, network="192.0.2.7")
    assert "would touch 192.0.2.64/26" in why(limits, network="192.0.2.65")
    assert why(limits, network="192.0.2.8") == ""


def test_an_address_with_a_zone_is_an_address_of_one_link() -> None:
    assert "names an interface" in why(network="2001:db8::7%eth0")
    assert "names an interface" in why(network="2001:db8:0:53::1%1")


@pytest.mark.parametrize("halves", [("0.0.0.0/1", "128.0.0.0/1"), ("::/1", "8000::/1"), ("0.0.0.0/0", "::/0")])
def test_two_halves_of_everything_are_no_space_of_ours_and_no_measure(halves: tuple[str, str]) -> None:
    for half in halves:
        assert why(network=half) != ""
    mistaken = replace(LIMITS, own=tuple(map(ip_network, halves)), shortest_v4=1, shortest_v6=1)
    for network in (*halves, "198.51.100.7", "2001:db8::7"):
        assert why(mistaken, network=network) != "", network


@pytest.mark.parametrize("network", ["127.0.0.1", "0.0.0.0", "169.254.1.1", "224.0.0.5", "255.255.255.255", "ff02::1",
                                     "fe80::1", "::1", "::"])  # fmt: skip
def test_what_no_customer_can_be_given_is_not_touched_even_if_the_registry_says_so(network: str) -> None:
    mistaken = replace(LIMITS, own=(ip_network(network), *LIMITS.own))
    assert "not within our own address space" in why(mistaken, network=network)


def test_a_prefix_around_something_protected_is_refused_whichever_part_of_it_is_meant() -> None:
    narrow = replace(LIMITS, shortest_v4=8, shortest_v6=16)
    for around in ("192.0.2.0/31", "192.0.2.0/25", "2001:db8::/32", "2001:db8:0:53::/64", "2001:db8:0:53::1"):
        assert "is protected" in why(narrow, network=around), around
    assert "is protected" in why(network="192.0.2.1", protocol="tcp", port=25, direction=Direction.OUT)
    with pytest.raises(ValueError, match="host bits"):
        ip_network("192.0.2.1/24")  # Where the kernel or a router would cut it off, nothing of ours does.


@pytest.mark.parametrize(("protocol", "port"), [("tcp", 0), ("udp", 65536), ("tcp", -1), ("icmp", 25), ("TCP", 25)])
def test_there_is_no_such_port(protocol: str, port: int) -> None:
    assert "is no port" in why(network="192.0.2.7", protocol=protocol, port=port)


@pytest.mark.parametrize("name", [
    "NOC.Example.NET", "noc.example.net.", "noc.example.net..", "noc。example。net", "noc.example.net。",
    "ｎｏｃ.example.net", "a.NOC.example.net", "BÜCHER.example.net", "xn--bcher-kva.example.net",
    "x.bücher.example.net", " noc.example.net",
])  # fmt: skip
def test_a_protected_name_is_protected_however_it_is_spelt(name: str) -> None:
    assert "is protected" in why(host_name=name)
    assert "is protected" in why(mailbox=f"root@{name}")
    assert " " in name or "is protected" in why(url=f"https://user@{name}:8443/x")


@pytest.mark.parametrize("name", ["*.example.net", "*", "net", ".", "www.example.net,noc.example.net", "192.0.2.7",
                                  "www.example.net\nnoc.example.net", "www.example.net/noc",
                                  "www.example.net@noc.example.org"])  # fmt: skip
def test_a_name_that_takes_in_others_is_no_site_and_no_device_holds_it(name: str) -> None:
    assert why(host_name=name) != ""
    rule = Rule(measure="M-000001", case="C-000001", selector=Selector(host_name=name), degree=Degree.BLOCK)
    assert not zones.supports(rule, zone=dns.name.from_text("rpz.example.net"), addresses=True)
    assert not nginx.include.supports(rule)
    assert not haproxy.table.supports(rule)


def test_the_parent_of_a_customers_name_is_not_the_customers() -> None:
    assert "example.net is not a site of a customer" in why(host_name="example.net")
    assert "is not a site of a customer" in why(host_name="a.www.example.net")


@pytest.mark.parametrize("name", ["32.7.2.0.192.rpz-ip", "24.0.2.0.192.rpz-client-ip", "ns1.example.net.rpz-nsdname",
                                  "generation._tipstaff", "abc._tipstaff"])  # fmt: skip
def test_a_policy_zone_takes_no_name_that_means_something_else_there(name: str) -> None:
    rule = Rule(measure="M-000001", case="C-000001", selector=Selector(host_name=name), degree=Degree.BLOCK)
    zone = dns.name.from_text("rpz.example.net")
    assert not zones.supports(rule, zone=zone, addresses=True)
    good = replace(rule, selector=Selector(host_name="rpz-ip.example.net"))
    assert zones.supports(good, zone=zone, addresses=True)


@pytest.mark.parametrize("url", [
    "https://noc.example.net\\@www.example.net/", "https://www.example.net@noc.example.net/",
    "https://NOC.EXAMPLE.NET:443//x/../", "https://noc%2eexample.net/", "https://noc.example.net%00.www.example.net/",
    "https://noc.exam\tple.net/", "//noc.example.net/", "https:/noc.example.net", "javascript:noc.example.net",
    "https://[::ffff:192.0.2.1]/", "https://192.0.2.1/", "https://3221225985/", "https://0xc0000201/", "http://[/a",
    "https://noc.example.net:99999/",
])  # fmt: skip
def test_a_url_leads_to_no_other_host_than_the_one_that_was_weighed(url: str) -> None:
    assert why(url=url) != ""


def test_an_empty_mailbox_or_a_domain_for_one_is_nobodys() -> None:
    for mailbox in ("", "@", "example.net", "@example.net", "*@example.net", "a@example.net,desk@example.net",
                    "DESK@Example.net.", "desk@example.net"):  # fmt: skip
        assert why(mailbox=mailbox) != "", mailbox
    rule = Rule(measure="M-000001", case="C-000001", selector=Selector(mailbox="a@example.net x"), degree=Degree.BLOCK)
    assert (rule.selector.scope, rule.degree) in postfix.CAN
    assert not postfix.PostfixDriver.supports(object.__new__(postfix.PostfixDriver), rule)


@pytest.mark.parametrize("station", ["02:00:5e:10:00:01", "02:00:5E:10:00:01", "02-00-5E-10-00-01"])
def test_a_protected_machine_is_protected_on_every_port_and_behind_every_log_in(station: str) -> None:
    for place in ("sw1/ge-0/1", "alice", "r9/x/y"):
        assert "is protected" in why(session=f"{place}/{station}")
    assert "would touch desk@example.net" in why(session="Desk@example.net/02-00-5E-10-00-02")
    assert "would touch noc.example.net" in why(session="x@noc.example.net/02-00-5E-10-00-02")


@pytest.mark.parametrize("station", ["ff:ff:ff:ff:ff:ff", "FF-FF-FF-FF-FF-FF", "01:00:5e:00:00:05", "33:33:00:00:00:01",
                                     "00:00:00:00:00:00"])  # fmt: skip
def test_a_group_of_machines_is_no_machine(station: str) -> None:
    assert "is no one's machine" in why(session=f"sw1/ge-0/1/{station}")


def test_another_ports_accounts_or_services_key_is_nobodys() -> None:
    for selector in ({"account": "acct-8"}, {"account": "ACCT-7"}, {"account": ""}, {"service": "svc-7 "},
                     {"forged_on": "sw1/ge-0/2"}, {"forged_on": ""}):  # fmt: skip
        assert "of a customer of ours" in why(**selector), selector


def test_the_settings_take_no_bound_that_would_let_half_of_everything_pass(tmp_path: Path) -> None:
    file = tmp_path / "tipstaff.toml"
    for key, value in (("shortest_ipv4", 1), ("shortest_ipv6", 1), ("shortest_ipv4", 33), ("new_measures_max", 0)):
        file.write_text(f'[[devices]]\nname = "edge1"\ndriver = "memory"\n{key} = {value}\n')
        with pytest.raises(BadSetting, match=key):
            load(file, {})


def test_all_spellings_of_a_host_name_are_one() -> None:
    assert {plain_host_name(x) for x in ("BÜCHER.example", "bücher。example。", "xn--bcher-kva.example.")} == {
        "xn--bcher-kva.example"
    }
