"""Reads notices that an address stands on a blocklist, left one, or changed on it; a removal accuses nobody."""

import re
from ipaddress import IPv4Network, ip_network

from tipstaff.words import Allegation, Reading, ReadingReason

from ...mail import Mail
from ...shaping import address_in, complaint, excerpt, reporter_of, set_aside
from ...text.characters import one_line
from ...text.find import find_all, is_public, refang
from ...text.times import find_stated, stated_zone

_LIST = (
    r"(?:SBL|XBL|CSS|CBL|PBL|DROP|EDROP|DNSBL|RBL|DBL|ZEN|BCL|"
    r"UCEPROTECT(?i:-(?:network|level ?-?[123]))?|BACKSCATTERER|SORBS|PSBL|"
    r"(?i:block ?list(?:e|s)?|black ?list(?:e|s)?|deny ?list|level [123] list|reputation list))"
)
_LISTED = re.compile(
    rf"\b(?:(?:is|are|was|were|been|currently|now|newly|new)\s{{1,3}}(?:\w{{1,12}}\s{{1,3}}){{0,2}}(?:listed|"
    rf"blacklisted|blocklisted|added)"
    rf"|added to \S{{2,40}}|listing notification|new listing|{_LIST} (?:listing|notification|advisory|alert))\b",
    re.IGNORECASE,
)
_REMOVED = re.compile(
    r"\b(?:de-?listed|de-?listing (?:notification|confirmation|notice)|(?:has|have) been removed from|"
    r"removal (?:confirmation|notification)|was removed from|"
    r"listing (?:has )?expired|no longer listed)\b",
    re.IGNORECASE,
)
_NAMED = re.compile(rf"\b{_LIST}\b")
_ZONE = re.compile(
    r"\b(?:[a-z0-9-]{1,30}\.){0,3}(?:dnsbl|rbl|bl|zen|sbl|xbl|blacklist|blocklist|"
    r"dbl)\.(?:[a-z0-9-]{1,40}\.){0,2}[a-z]{2,20}\b",
    re.I,
)
_REFERENCE = re.compile(r"\b((?:SBL|CSS|DROP|BL|RBL)#?\d{4,9})\b")
_EARLY = 1500
_MOST = 500


class BlocklistParser:
    """Reads a listing notice by its subject or first lines."""

    name = "blocklist"
    priority = 55

    def read(self, mail: Mail) -> Reading | None:
        """The addresses listed, or None when the mail is no listing notice."""
        subject = mail.subject
        early = mail.body[:_EARLY]
        if not _NAMED.search(subject) and not ("list" in subject.lower() and _ZONE.search(early)):
            return None
        head = f"{subject}\n{early}"
        listed, removed = _LISTED.search(head), _REMOVED.search(head)
        if not listed and not removed:
            return None
        if removed and (not listed or removed.start() < listed.start()):
            return set_aside(
                mail, ReadingReason.NOT_ABUSE, detail="It says that an address left a blocklist.", parser=self.name
            )
        zone = stated_zone(mail.body)
        allegations: list[Allegation] = []
        sure = True
        for line in [subject, *mail.body.splitlines()[:400]]:
            plain = refang(line[:500])
            when = find_stated(line, zone=zone)
            for found in find_all(plain, names=False):
                if found.kind == "net":
                    network = ip_network(found.value, strict=False)
                    if network.num_addresses > 1:
                        # Many customers may live in one network: a person says who is meant.
                        sure = False
                    source = address_in(network.network_address)
                elif found.kind == "ip":
                    source = address_in(found.value)
                else:
                    continue
                if source is None or not is_public(str(source)) or _is_answer(str(source)) or len(allegations) >= _MOST:
                    continue
                allegations.append(
                    Allegation(
                        type="reputation/blocklist",
                        source=source,
                        moment=when.moment,
                        unread_time=when.unread or None,
                        excerpt=excerpt([one_line(subject), line.strip()[:500]]),
                        confidence=0.9,
                    )
                )
        if not allegations:
            return None
        first: dict[object, Allegation] = {}
        listed_first = [x for x in allegations if _begins(x)]
        for x in listed_first if 2 * len(listed_first) >= len(allegations) else allegations:
            known = first.get(x.source)
            if known is None or (known.moment is None and x.moment is not None):
                first[x.source] = x
        reference = _REFERENCE.search(head)
        who = reporter_of(mail, reference=reference[1] if reference else "")
        return complaint(mail, list(first.values()), parser=self.name, sure=sure, reporter=who)


def _begins(allegation: Allegation) -> bool:
    """Whether its line begins with the address, as in a list."""
    line = refang(allegation.excerpt.rpartition("\n")[2]).lstrip(" *-•>|\"'[(")
    return line.startswith(str(allegation.source))


_ANSWERS = IPv4Network("127.0.0.0/8")


def _is_answer(address: str) -> bool:
    """A blocklist's DNS answer (RFC 5782, 2.1), which is no host."""
    return "." in address and address_in(address) in _ANSWERS
