"""Whether the sender's domain vouches for a mail: DKIM (RFC 6376), SPF (7208), ARC (8617), aligned as DMARC wants it.

Nothing is asked of the DNS but through the resolver that is handed in; without one, only what the operator's own mail
server has noted (RFC 8601) is believed, and only from the server that the settings name.
"""

import re
import threading
from collections.abc import Callable
from email.utils import parseaddr
from typing import Any

import dkim
import dkim.canonicalization
import spf

from ..mail import Mail, read_mail
from ..text.find import is_public
from ..text.names import is_host_name, to_ascii
from .found import LookupFailed, MailAuthentication, Resolver

_MOST_SIGNATURES = 6
_LONGEST_CHECKED = 10 * 1024 * 1024
"""A signature over more is not checked: hashing it twice would stop the desk."""
_LABELS_MAX = 8


def authenticate(
    raw: bytes,
    *,
    resolver: Resolver | None,
    peer: str = "",
    sender: str = "",
    own_server: str = "",
    arc_sealers: frozenset[str] = frozenset(),
) -> MailAuthentication:
    """Check a mail as it came. `peer` is the address that handed it over, empty where another server was between."""
    mail = read_mail(raw)
    domain = _from_domain(mail)
    noted = _noted(mail, own_server) if own_server else None
    if noted is not None:
        return MailAuthentication(vouched=noted, domain=domain, dmarc="pass" if noted else "fail", by=own_server)
    if resolver is None or not domain or len(raw) > _LONGEST_CHECKED or _has_endless_signature(raw):
        return MailAuthentication(domain=domain)
    if peer and not _is_stranger(peer):
        peer = ""  # A relay of our own: whoever handed it the mail is not known.
    asked = _Asked(resolver)
    signatures = _dkim(raw, mail, asked)
    spf_result, spf_domain = _spf(peer, sender, asked) if peer else ("none", "")
    arc, sealer = _arc(raw, mail, asked)
    try:
        organisation, policy = _policy(domain, asked)
        signed = any(ok and _aligned(d, domain, organisation, policy.get("adkim"), asked) for d, ok in signatures)
        handed = spf_result == "pass" and _aligned(spf_domain, domain, organisation, policy.get("aspf"), asked)
    except LookupFailed:
        organisation, policy, signed, handed = domain, {}, False, False
    passed_on = arc == "pass" and sealer in arc_sealers and _arc_said_pass(mail)
    vouched: bool | None = True if signed or handed or passed_on else None
    if vouched is None and not asked.failed and peer and (policy or spf_result == "fail"):
        # Disowned only where all that could have vouched was asked, and the domain says that something should.
        vouched = False
    return MailAuthentication(
        vouched=vouched,
        domain=domain,
        dkim=tuple(signatures),
        spf=spf_result,
        arc=arc,
        dmarc=("pass" if signed or handed else "fail") if policy else "none",
        by="dns",
    )


_HEADER_END = re.compile(rb"\r?\n\r?\n")
_SIGNATURE = re.compile(rb"^(?:dkim-signature|arc-[a-z-]{1,40})[ \t]*:(?:[^\n]|\n[ \t])*", re.IGNORECASE | re.MULTILINE)
_LONGEST_SIGNATURE = 8_000
"""Octets of a field that the library takes apart: its patterns' work is the square of the blanks in one."""


def _has_endless_signature(raw: bytes) -> bool:
    end = _HEADER_END.search(raw)
    head = raw[: end.start()] if end else raw
    return any(len(found[0]) > _LONGEST_SIGNATURE for found in _SIGNATURE.finditer(head))


def _without_blanks_at_ends(content: bytes) -> bytes:
    """What the library does by a pattern whose work is the square of the blanks in a row: each run is begun once."""
    return _BLANKS_AT_END.sub(b"\r\n", content)


_BLANKS_AT_END = re.compile(rb"(?<![\t ])[\t ]++\r\n")
dkim.canonicalization.strip_trailing_whitespace = _without_blanks_at_ends


def _is_stranger(peer: str) -> bool:
    try:
        return is_public(peer)
    except ValueError:
        return False


class _Asked:
    """The resolver with its questions counted, each asked once, and failures remembered."""

    QUESTIONS_MAX = 60

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._known: dict[tuple[str, str], list[Any]] = {}
        self.failed = False

    def __call__(self, name: str, form: str) -> list[Any]:
        key = (name.lower().rstrip("."), form)
        if key not in self._known:
            if len(self._known) >= self.QUESTIONS_MAX:
                self.failed = True
                raise LookupFailed(f"more than {self.QUESTIONS_MAX} questions for one mail")
            try:
                self._known[key] = self._resolver(*key)
            except LookupFailed:
                self.failed = True
                raise
        return self._known[key]

    def text(self, name: str) -> list[str]:
        return [x.decode("utf-8", "replace") if isinstance(x, bytes) else str(x) for x in self(name, "TXT")]


def _from_domain(mail: Mail) -> str:
    if len(mail.headers("from")) != 1:
        # More than one author's header: nobody can say which one is vouched for (RFC 7489, 6.6.1).
        return ""
    domain = mail.sender[1].rpartition("@")[2].lower().rstrip(".")
    return to_ascii(domain) if is_host_name(domain) else ""


def _dkim(raw: bytes, mail: Mail, asked: _Asked) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    for n, header in enumerate(mail.headers("dkim-signature")[:_MOST_SIGNATURES]):
        tag = re.search(r"(?:^|;)\s{0,20}d\s{0,5}=\s{0,5}([A-Za-z0-9._-]{1,253})", header)
        domain = tag[1].lower() if tag else ""
        body_length = re.search(r"(?:^|;)\s{0,20}l\s{0,5}=", header)
        try:
            # A signature over a part of the body (l=) lets anybody write the rest (RFC 6376, 8.2).
            holds = bool(dkim.DKIM(raw).verify(idx=n, dnsfunc=_txt(asked))) and not body_length
        except (dkim.DKIMException, LookupFailed, ValueError, IndexError, KeyError, TypeError):
            holds = False
        found.append((domain, holds))
    return found


def _arc(raw: bytes, mail: Mail, asked: _Asked) -> tuple[str, str]:
    """The chain's result, and the domain that sealed it last."""
    seals = mail.headers("arc-seal")[:20]
    if not seals:
        return "none", ""
    try:
        result, sets, _why = dkim.ARC(raw).verify(dnsfunc=_txt(asked))
    except (dkim.DKIMException, LookupFailed, ValueError, IndexError, KeyError, TypeError):
        return "fail", ""
    sealer = sets[0].get("as-domain", b"") if sets else b""
    return ("pass" if result == dkim.CV_Pass else "fail"), sealer.decode("ascii", "replace").lower()


def _arc_said_pass(mail: Mail) -> bool:
    """Whether the last intermediary noted that DMARC passed when the mail reached it."""
    newest = max(mail.headers("arc-authentication-results"), key=_instance, default="")
    return re.search(r"\bdmarc\s{0,5}=\s{0,5}pass\b", newest, re.IGNORECASE) is not None


def _instance(header: str) -> int:
    number = re.match(r"\s{0,20}i\s{0,5}=\s{0,5}(\d{1,3})", header)
    return int(number[1]) if number else 0


def _txt(asked: _Asked) -> Callable[..., bytes | None]:
    def ask(name: bytes, timeout: float = 5) -> bytes | None:
        records = asked(name.decode("ascii", "replace"), "TXT")
        return next((x if isinstance(x, bytes) else str(x).encode() for x in records), None)

    return ask


# pyspf asks through one function of its module. It is replaced for good by one that asks the resolver of the thread's
# own check, so that the library never reaches the network by itself.
_own = threading.local()


def _spf_lookup(name: str, form: str, *_: object) -> list[tuple[tuple[str, str], Any]]:
    asked: _Asked | None = getattr(_own, "asked", None)
    if asked is None:
        raise spf.TempError("no resolver")
    try:
        records = asked(str(name), form)
    except LookupFailed as why:
        raise spf.TempError(str(why)) from why
    return [((str(name), form), (x,) if form in ("TXT", "SPF") else x) for x in records]


spf.DNSLookup = _spf_lookup


def _spf(peer: str, sender: str, asked: _Asked) -> tuple[str, str]:
    """The result for the envelope's sender, and its domain."""
    domain = parseaddr(sender)[1].rpartition("@")[2].lower()
    if not domain or len(domain) > 253:
        return "none", ""
    _own.asked = asked
    try:
        result, _explanation = spf.check2(i=peer, s=sender, h=domain, querytime=0)
    except Exception:  # noqa: BLE001 - a stranger's record may break the library; then it vouches for nobody.
        return "permerror", domain
    finally:
        _own.asked = None
    return str(result), domain


def _policy(domain: str, asked: _Asked) -> tuple[str, dict[str, str]]:
    """The organisational domain and the policy that holds, by a walk up the tree: no list of suffixes is needed.

    The record with the fewest labels marks the organisation, unless it is a public suffix's own (`psd=y`).
    """
    labels = domain.split(".")
    names = [domain, *(".".join(labels[-n:]) for n in range(min(len(labels) - 1, _LABELS_MAX), 0, -1))]
    records: dict[str, dict[str, str]] = {}
    for name in dict.fromkeys(names):
        for text in asked.text(f"_dmarc.{name}"):
            if re.match(r"v\s{0,5}=\s{0,5}DMARC1\b", text):
                tags = (x.partition("=") for x in text.split(";"))
                records[name] = {a.strip().lower(): b.strip().lower() for a, _, b in tags}
                break
    if not records:
        return domain, {}
    policy = records.get(domain) or next(iter(records.values()))
    for name in reversed(records):
        if records[name].get("psd") == "y":
            below = labels[-(name.count(".") + 2) :]
            if len(below) > name.count(".") + 1:
                return ".".join(below), policy
            continue
        return name, policy
    return domain, policy


def _aligned(domain: str, of_from: str, organisation: str, mode: str | None, asked: _Asked) -> bool:
    """Whether a domain that passed is the author's own (RFC 7489, 3.1)."""
    if domain == of_from:
        return True
    if mode == "s" or not is_host_name(domain):
        return False
    within = domain == organisation or domain.endswith(f".{organisation}")
    return within and _policy(domain, asked)[0] == organisation


_RESULT = re.compile(r"\bdmarc\s{0,5}=\s{0,5}(pass|fail|none|temperror|permerror)\b", re.IGNORECASE)


def _noted(mail: Mail, server: str) -> bool | None:
    """What our own server noted of DMARC, in its first note: notes below it may be anybody's (RFC 8601, 5)."""
    for header in mail.headers("authentication-results")[:1]:
        name = re.match(r"\s{0,20}([^\s;]{1,253})", header)
        if name and name[1].lower() == server.lower():
            found = _RESULT.search(header)
            return {"pass": True, "fail": False}.get(found[1].lower()) if found else None
    return None
