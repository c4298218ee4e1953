"""The program that looks: one JSON object in, one out. The standard library only, no database, no secrets.

It is started with an empty environment and may neither write files nor become more than it is. It speaks to the one
literal address that it is told, sends a few fixed bytes, and reads little of what comes back.
"""

import base64
import contextlib
import ipaddress
import json
import os
import smtplib
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any

TRIES = 3
"""Datagrams get lost: so many are sent, one after the other, before silence counts."""
OCTETS_MAX = 2048
"""So much of each answer is read, and kept."""
_NTP_READ_VARIABLES = bytes.fromhex("160200010000000000000000")
"""Mode 6 (RFC 9327): a keeper's question, twelve octets."""
_NTP_MONITOR_LIST = bytes.fromhex("1700032a00000000")
"""Mode 7, the list of those who asked before: the question behind CVE-2013-5211."""
_MEMCACHED_VERSION = b"\x00\x01\x00\x00\x00\x01\x00\x00version\r\n"
"""A frame's head (memcached's protocol.txt, UDP), and the smallest question."""


def look(asked: Mapping[str, Any]) -> dict[str, Any]:
    """`{found, said, sent, got}` of one look; `sent` and `got` are lists of base64."""
    address = ipaddress.ip_address(asked["address"])
    port, wait = int(asked["port"]), float(asked["wait_seconds"])
    if not 0 < port < 65536 or address.is_multicast or address.is_unspecified:
        raise ValueError("that is no address and port of one machine")
    sent: list[bytes] = []
    got: list[bytes] = []
    try:
        found, said = _CHECKS[asked["check"]](str(address), port, wait, asked, sent, got)
    except OSError as why:
        # Whatever failed here failed on our side of the way: nothing is said of the machine.
        found, said = "unclear", f"It could not be looked at: {why.strerror or type(why).__name__}."
    return {"found": found, "said": said, "sent": _plain(sent), "got": _plain(got)}


def _plain(parts: list[bytes]) -> list[str]:
    return [base64.b64encode(part[:OCTETS_MAX]).decode() for part in parts]


Found = tuple[str, str]


def _tcp_port(
    host: str, port: int, wait: float, asked: Mapping[str, Any], sent: list[bytes], got: list[bytes]
) -> Found:
    try:
        line = socket.create_connection((host, port), timeout=wait)
    except TimeoutError:
        return "gone", f"Port {port} does not answer."
    except ConnectionRefusedError:
        return "gone", f"Port {port} refuses."
    with line:
        with contextlib.suppress(OSError):  # It may wait for us to speak first, which we do not.
            got.append(line.recv(256))
        return "still_there", f"Port {port} takes a connection."


def _open_relay(
    host: str, port: int, wait: float, asked: Mapping[str, Any], sent: list[bytes], got: list[bytes]
) -> Found:
    """As far as RCPT (RFC 5321, section 3.3), then RSET: DATA is never said, so there is no mail."""
    name, mailbox = str(asked["name"]), str(asked["mailbox"])
    try:
        line = smtplib.SMTP(host, port, local_hostname=name, timeout=wait)
    except (TimeoutError, ConnectionRefusedError):
        return "gone", "No mail server answers."
    except smtplib.SMTPServerDisconnected:
        return "gone", "The mail server hangs up."
    except smtplib.SMTPResponseException as why:
        return _refused(why.smtp_code)
    try:
        line.ehlo_or_helo_if_needed()
        for verb, step in (("MAIL", line.mail), ("RCPT", line.rcpt)):
            code, answer = step(mailbox)
            sent.append(f"{verb} {mailbox}".encode())
            got.append(f"{code} ".encode() + answer[:OCTETS_MAX])
            if code >= 400:
                return _refused(code)
    except smtplib.SMTPServerDisconnected:
        return "gone", "The mail server hangs up."
    except smtplib.SMTPResponseException as why:
        return _refused(why.smtp_code)
    else:
        return "still_there", "The mail server would take a mail for somebody elsewhere."
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            line.rset()
            line.quit()
        line.close()


def _refused(code: int) -> Found:
    if 400 <= code < 500:
        return "unclear", f"The mail server asks to come back: {code}."
    return "gone", f"The mail server refuses a mail for somebody elsewhere: {code}."


def _by_datagram(
    questions: Callable[[Mapping[str, Any]], list[bytes]], tells: Callable[[bytes, bytes], str]
) -> Callable[..., Found]:
    """A check by UDP. `tells` says what an answer to a question shows, empty where it shows nothing."""

    def check(
        host: str, port: int, wait: float, asked: Mapping[str, Any], sent: list[bytes], got: list[bytes]
    ) -> Found:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(wait / TRIES)
            line.connect((host, port))  # The kernel hands us nobody else's answers then.
            for _ in range(TRIES):
                for question in questions(asked):
                    try:
                        line.send(question)
                        sent.append(question)
                        answer = line.recv(65535)
                    except TimeoutError:
                        continue
                    except ConnectionRefusedError:
                        return "gone", f"Port {port} refuses."
                    got.append(answer[:OCTETS_MAX])
                    if said := tells(question, answer):
                        return "still_there", said
                if got:
                    return "gone", f"Port {port} answers, and refuses."
        return "gone", f"Nothing answers {len(sent)} questions to port {port}."

    return check


def dns_question(asked: Mapping[str, Any]) -> list[bytes]:
    """A question for the address of a name of ours, recursion desired (RFC 1035, section 4)."""
    labels = str(asked["name"]).rstrip(".").split(".")
    name = b"".join(bytes((len(label),)) + label.encode("ascii") for label in labels) + b"\x00"
    return [os.urandom(2) + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + name + struct.pack("!HH", 1, 1)]


def tells_dns(question: bytes, answer: bytes) -> str:
    """It resolves for anybody where it offers recursion and found something out: an answer, or that there is none."""
    if len(answer) < 12 or answer[:2] != question[:2] or not answer[2] & 0x80:
        return ""
    offers, code = bool(answer[3] & 0x80), answer[3] & 0x0F
    return "The name server resolves names of others for anybody." if offers and code in (0, 3) else ""


def _ntp_questions(asked: Mapping[str, Any]) -> list[bytes]:
    return [_NTP_READ_VARIABLES, _NTP_MONITOR_LIST]


def tells_ntp(question: bytes, answer: bytes) -> str:
    """A keeper's question that is answered at all, by more than was asked, multiplies traffic."""
    if len(answer) <= len(question) or answer[0] & 0x07 != question[0] & 0x07:
        return ""
    return f"The time server answers {len(question)} octets with {len(answer)}."


def _memcached_questions(asked: Mapping[str, Any]) -> list[bytes]:
    return [_MEMCACHED_VERSION]


def tells_memcached(question: bytes, answer: bytes) -> str:
    return "The cache answers anybody." if answer[8:].startswith(b"VERSION ") else ""


def ssdp_questions(asked: Mapping[str, Any]) -> list[bytes]:
    """To the one address, not to the group (UPnP Device Architecture 2.0, section 1.3.2)."""
    host = f"[{asked['address']}]" if ":" in asked["address"] else asked["address"]
    return [
        f'M-SEARCH * HTTP/1.1\r\nHOST: {host}:{asked["port"]}\r\nMAN: "ssdp:discover"\r\n'
        "ST: upnp:rootdevice\r\n\r\n".encode()
    ]


def tells_ssdp(question: bytes, answer: bytes) -> str:
    return "The device describes itself to anybody." if answer.startswith(b"HTTP/1.1 200") else ""


_CHECKS: Mapping[str, Callable[..., Found]] = {
    "tcp_port": _tcp_port,
    "open_relay": _open_relay,
    "open_resolver": _by_datagram(dns_question, tells_dns),
    "ntp": _by_datagram(_ntp_questions, tells_ntp),
    "memcached": _by_datagram(_memcached_questions, tells_memcached),
    "ssdp": _by_datagram(ssdp_questions, tells_ssdp),
}


if __name__ == "__main__":
    json.dump(look(json.loads(sys.stdin.read(4096))), sys.stdout)
