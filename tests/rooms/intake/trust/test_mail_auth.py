"""Who vouches for a mail: real signatures and policies, an offline DNS, and no way to the network."""

import functools
import re
import socket
import time

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from dkim import canonicalization
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.intake.trust.found import LookupFailed, MailAuthentication
from tipstaff.intake.trust.found import Resolver as Asks
from tipstaff.intake.trust.mail_auth import authenticate

PEER, OTHER = "198.51.100.25", "203.0.113.66"


@functools.cache
def key(_name: str) -> tuple[bytes, bytes]:
    """A private key in PEM, and what its DKIM record holds."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    der = made.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    import base64

    return pem, b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


class Zone:
    """An offline DNS: what it does not hold does not exist, and every question is noted."""

    def __init__(self, **more: bytes) -> None:
        self.texts: dict[str, bytes] = {
            "_dmarc.example.org": b"v=DMARC1; p=reject",
            "example.org": f"v=spf1 ip4:{PEER} -all".encode(),
            "s1._domainkey.example.org": key("org")[1],
            "s1._domainkey.example.com": key("com")[1],
            "s1._domainkey.list.example.net": key("list")[1],
        }
        self.texts.update({name.replace("__", "."): value for name, value in more.items()})
        self.asked: list[tuple[str, str]] = []

    def __call__(self, name: str, form: str) -> list[object]:
        self.asked.append((name, form))
        return [self.texts[name]] if form == "TXT" and name in self.texts else []


def mail(sender: str = "reports@example.org", *, words: str = "Spam from 192.0.2.1.") -> bytes:
    lines = (
        f"From: Reports <{sender}>",
        "To: abuse@example.net",
        "Subject: Spam",
        "Date: Tue, 10 Mar 2026 12:00:00 +0000",
        "Message-ID: <1@example.org>",
        "",
        words,
        "",
    )
    return "\r\n".join(lines).encode()


def signed(raw: bytes, *, domain: str, by: str, length: bool = False) -> bytes:
    header = dkim.sign(raw, b"s1", domain.encode(), key(by)[0], include_headers=[b"from", b"subject"], length=length)
    return bytes(header) + raw


def check(raw: bytes, zone: Asks | None = None, **more: object) -> MailAuthentication:
    return authenticate(raw, resolver=zone or Zone(), **more)  # type: ignore[arg-type]  # the test's own words


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "sendto", refuse)


def test_nothing_is_looked_up_unless_a_resolver_was_named() -> None:
    found = authenticate(
        signed(mail(), domain="example.org", by="org"), resolver=None, peer=PEER, sender="a@example.org"
    )
    assert (found.vouched, found.by) == (None, "")


def test_a_signature_of_the_authors_own_domain_vouches() -> None:
    found = check(signed(mail(), domain="example.org", by="org"))
    assert (found.vouched, found.dmarc, found.dkim) == (True, "pass", (("example.org", True),))


def test_a_signature_of_somebody_elses_domain_does_not() -> None:
    found = check(signed(mail(), domain="example.com", by="com"), peer=OTHER, sender="x@example.com")
    assert found.dkim == (("example.com", True),)
    assert found.vouched is False


def test_a_mail_that_was_changed_is_not_vouched_for() -> None:
    raw = signed(mail(), domain="example.org", by="org").replace(b"192.0.2.1", b"192.0.2.9")
    assert check(raw, peer=OTHER, sender="x@example.com").vouched is False


def test_a_signature_over_a_part_of_the_body_vouches_for_nothing() -> None:
    raw = signed(mail(), domain="example.org", by="org", length=True) + b"and from 192.0.2.99\r\n"
    assert check(raw).vouched is None


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"\n", b"\r", b"a"]), max_size=40).map(b"".join))
def test_blanks_at_the_ends_of_lines_are_taken_off_as_the_standard_says(body: bytes) -> None:
    """RFC 6376, 3.4.4: ignore all whitespace at the end of lines."""
    assert canonicalization.strip_trailing_whitespace(body) == re.sub(rb"[\t ]+\r\n", b"\r\n", body)


@pytest.mark.parametrize("body", [" " * 1_000_000 + "x", ("\t " * 400 + "x") * 1000])
def test_a_body_of_blanks_takes_no_more_work_than_it_is_long(body: str) -> None:
    raw = signed(mail(words=body), domain="example.org", by="org")
    began = time.process_time()
    assert check(raw).vouched is True
    assert time.process_time() - began < 5, "by the library's own pattern it is a quarter of an hour"


def test_a_signature_without_end_is_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    zone = Zone()
    for field in (b"DKIM-Signature", b"ARC-Seal", b"arc-message-signature"):
        raw = field + b": v=1; d=example.org; s=s1; b=A" + b" \r\n " * 4000 + b"!\r\n" + mail()
        assert check(raw, zone).vouched is None
    assert zone.asked == []


def test_a_server_that_the_domain_names_vouches_and_another_does_not() -> None:
    assert check(mail(), peer=PEER, sender="reports@example.org").spf == "pass"
    assert check(mail(), peer=PEER, sender="reports@example.org").vouched is True
    assert check(mail(), peer=OTHER, sender="reports@example.org").vouched is False


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3", "::1", "not an address"])
def test_a_relay_of_our_own_vouches_for_nobody(peer: str) -> None:
    found = check(mail(), peer=peer, sender="reports@example.org")
    assert (found.vouched, found.spf) == (None, "none")


def test_an_envelope_of_another_domain_vouches_for_no_author() -> None:
    zone = Zone(attacker__example__com=f"v=spf1 ip4:{OTHER} -all".encode())
    found = check(mail(), zone, peer=OTHER, sender="x@attacker.example.com")
    assert (found.spf, found.vouched) == ("pass", False)


def test_a_subdomain_is_its_organisations_own_unless_the_policy_is_strict() -> None:
    raw = signed(mail("reports@abuse.example.org"), domain="example.org", by="org")
    assert check(raw).vouched is True
    assert check(raw, Zone(_dmarc__example__org=b"v=DMARC1; p=none; adkim=s")).vouched is None


def test_two_neighbours_below_a_public_suffix_are_not_one_organisation() -> None:
    zone = Zone(
        _dmarc__org=b"v=DMARC1; p=none; psd=y", s1___domainkey__other__org=b"", _dmarc__other__org=b"v=DMARC1; p=none"
    )
    zone.texts["s1._domainkey.other.org"] = key("com")[1]
    found = check(signed(mail(), domain="other.org", by="com"), zone, peer=OTHER, sender="x@other.org")
    assert (found.dkim, found.vouched) == ((("other.org", True),), False)


def test_a_dns_that_does_not_answer_disowns_nobody() -> None:
    def silent(name: str, form: str) -> list[object]:
        raise LookupFailed(name)

    found = check(signed(mail(), domain="example.org", by="org"), silent, peer=OTHER, sender="reports@example.org")
    assert found.vouched is None


def test_two_authors_headers_are_vouched_for_by_nobody() -> None:
    raw = b"From: a@example.com\r\n" + signed(mail(), domain="example.org", by="org")
    assert check(raw).vouched is None


def test_a_record_that_asks_without_end_is_cut_off() -> None:
    zone = Zone(example__org=b"v=spf1 include:a.example.org include:b.example.org -all")
    for name in "abcdefghijkl":
        zone.texts[f"{name}.example.org"] = b"v=spf1 include:a.example.org include:b.example.org ?all"
    check(mail(), zone, peer=OTHER, sender="reports@example.org")
    assert len(zone.asked) <= 60


def sealed(raw: bytes, *, said: bytes) -> bytes:
    noted = b"Authentication-Results: list.example.net; " + said + b"\r\n" + raw
    lines = dkim.arc_sign(
        noted, b"s1", b"list.example.net", key("list")[0], b"list.example.net", include_headers=[b"from", b"subject"]
    )
    return b"".join(lines) + noted


def test_a_sealer_that_the_operator_names_may_pass_a_voucher_on() -> None:
    raw = sealed(mail(), said=b"dmarc=pass header.from=example.org")
    known = frozenset({"list.example.net"})
    assert check(raw, peer=OTHER, sender="x@list.example.net", arc_sealers=known).vouched is True
    assert check(raw, peer=OTHER, sender="x@list.example.net").vouched is False
    assert check(raw.replace(b"192.0.2.1", b"192.0.2.7"), peer=OTHER, arc_sealers=known).vouched is not True
    told_fail = sealed(mail(), said=b"dmarc=fail header.from=example.org")
    assert check(told_fail, peer=OTHER, arc_sealers=known).vouched is not True


def test_only_our_own_servers_first_note_is_believed() -> None:
    ours = b"Authentication-Results: mx.example.net; dmarc=fail header.from=example.org\r\n"
    forged = b"Authentication-Results: mx.example.net; dmarc=pass header.from=example.org\r\n"
    assert authenticate(ours + forged + mail(), resolver=None, own_server="mx.example.net").vouched is False
    assert authenticate(forged + mail(), resolver=None, own_server="mail.example.net").vouched is None


@pytest.mark.parametrize(
    "noise",
    [
        b"DKIM-Signature: v=1; d=\xff; s=x; b=!!; bh=; h=from; a=rsa-sha256\r\n",
        b"ARC-Seal: i=999\r\n",
        b"DKIM-Signature: " + b"a" * 5000 + b"\r\n",
        b"ARC-Seal: i=1; d=x\r\n" * 60,
    ],
)
def test_a_broken_header_is_no_voucher_and_breaks_nothing(noise: bytes) -> None:
    assert check(noise + mail()).vouched is None
