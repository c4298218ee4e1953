"""Reads what the programs that ban log-in attackers write: fail2ban, CSF's lfd and DenyHosts."""

import re
from collections.abc import Iterator

from tipstaff.words import Allegation, Reading

from ...mail import Mail
from ...shaping import address_in, complaint, excerpt, moment_of_mail, port_in
from ...text.characters import one_line
from ...text.find import is_public
from ...text.times import Stated, find_stated, read_time, stated_zone

_FAIL2BAN = re.compile(
    r"\bThe IP:? (\S{3,60}) has (?:just )?been banned by Fail2Ban after\s{1,4}(\d{1,6}) attempts against "
    r"([\w.-]{1,60})",
    re.IGNORECASE,
)
_LFD_FIELD = re.compile(
    r"^(Time|IP|Failures|Interval|Blocked|Account|Hits|Connections)\s{0,4}:\s{1,12}(\S.{0,300})$", re.MULTILINE
)
_LFD_TIME = re.compile(r"\w{3} (\w{3}) {1,2}(\d{1,2}) (\d\d:\d\d:\d\d) (\d{4})(?: ([+-]\d{4}))?")
_DENYHOSTS = re.compile(r"^Added the following hosts to \S{3,60}:?\s{0,3}$", re.MULTILINE)
_DENIED = re.compile(r"^\s{0,4}([0-9A-Fa-f:.]{3,45})(?:\s{1,3}\([^()\n]{0,200}\))?\s{0,3}$")
_FROM = re.compile(r"\bfrom \S{3,45} port (\d{1,5})\b(?: on (\S{3,45}) port (\d{1,5})\b)?")
_MOST = 2000
_NO_TIME = Stated()

_JAILS = (
    (re.compile(r"badbot|scrap|crawl", re.I), "connection/scraping"),
    (re.compile(r"spam|rbl|postscreen|postfix(?!-sasl)|exim(?!-auth)", re.I), "messaging/spam"),
    (
        re.compile(
            r"noscript|overflow|nohome|phpmyadmin|404|modsec|shellshock|php-url|botsearch|drupal|forbidden", re.I
        ),
        "connection/vulnerability_scan",
    ),
    (re.compile(r"portscan|port_scan|psad|kernel|iptables|\bports?\b", re.I), "connection/port_scan"),
    (re.compile(r"ddos|limit-req|connlimit|synflood|ct_limit|\bflood", re.I), "connection/ddos"),
)


class BanLogParser:
    """Reads a ban's own mail, also with a letter around it."""

    name = "banlog"
    priority = 50

    def read(self, mail: Mail) -> Reading | None:
        """Each banned address with the log lines that show it, or None when no such program wrote."""
        body = mail.body
        if "Fail2Ban" in body or "fail2ban" in body:
            found = list(_fail2ban(mail, body))
        elif "Failures:" in body or "Blocked:" in body:
            found = list(_lfd(mail, body))
        elif "hosts.deny" in body or "DenyHosts" in mail.subject:
            found = list(_denyhosts(body))
        else:
            return None
        return complaint(mail, found, parser=self.name) if found else None


def _fail2ban(mail: Mail, body: str) -> Iterator[Allegation]:
    for ban in list(_FAIL2BAN.finditer(body))[:_MOST]:
        address = address_in(ban[1].rstrip(".,"))
        if address is not None and is_public(str(address)):
            lines = _lines_of(str(address), body)
            yield _allegation(mail, str(address), ban[3], lines=lines or [ban[0]], body=body)


def _lfd(mail: Mail, body: str) -> Iterator[Allegation]:
    fields = {x[1].lower(): x[2].strip() for x in reversed(list(_LFD_FIELD.finditer(body[:20_000])))}
    if "ip" not in fields or "blocked" not in fields:
        return
    address = address_in(fields["ip"].split(" ")[0])
    if address is None or not is_public(str(address)):
        return
    what = re.search(r"\(([\w.-]{2,40})\)", fields.get("failures", "") or fields.get("hits", ""))
    jail = what[1] if what else ("ct_limit" if "connections" in fields else mail.subject)
    stated = _LFD_TIME.search(fields.get("time", ""))
    said = f"{stated[2]} {stated[1]} {stated[4]} {stated[3]} {stated[5] or ''}" if stated else fields.get("time", "")
    lines = _lines_of(str(address), body)
    head = [f"{name.title()}: {value}" for name, value in fields.items()]
    yield _allegation(mail, str(address), jail, lines=lines, body=body, when=read_time(said), head=head)


def _denyhosts(body: str) -> Iterator[Allegation]:
    opening = _DENYHOSTS.search(body)
    if opening is None:
        return
    for line in body[opening.end() : opening.end() + 200_000].splitlines()[:_MOST]:
        found = _DENIED.match(line)
        address = address_in(found[1]) if found else None
        if address is not None and is_public(str(address)):
            # It says neither when nor how often: no time was stated, and none is made up.
            yield Allegation(
                type="connection/login_attack", source=address, protocol="ssh", excerpt=one_line(line), confidence=0.9
            )


def _allegation(
    mail: Mail,
    address: str,
    jail: str,
    *,
    lines: list[str],
    body: str,
    when: Stated = _NO_TIME,
    head: list[str] | None = None,
) -> Allegation:
    kind = next((kind for pattern, kind in _JAILS if pattern.search(jail)), "connection/login_attack")
    of_mail = moment_of_mail(mail)
    zone = stated_zone(body)
    if when.moment is None:
        times = (find_stated(x, zone=zone, year_of=of_mail.at if of_mail else None) for x in lines)
        when = next((x for x in times if x.moment or x.unread), when)
    way = next((x for line in lines if (x := _FROM.search(line))), None)
    service = re.match(r"[a-z]+", jail.lower())
    return Allegation(
        type=kind,
        source=address_in(address),
        source_port=port_in(way[1]) if way else None,
        target=one_line(way[2], longest=45) if way and way[2] else None,
        target_port=port_in(way[3]) if way and way[3] else None,
        protocol="ssh"
        if jail.lower().startswith("ssh")
        else (service[0][:20] if service and kind == "connection/login_attack" else None),
        moment=when.moment,
        unread_time=when.unread or None,
        excerpt=excerpt([*(head or []), *lines[:40]]),
        confidence=0.96,
    )


def _lines_of(address: str, body: str) -> list[str]:
    """Log lines that name the address and a time of day."""
    return [x.strip()[:600] for x in body.splitlines() if address in x and re.search(r"\d\d:\d\d:\d\d", x)][:200]
