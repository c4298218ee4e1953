"""What befell one offender by the lines that name it: when, from and to which port, by which protocol, at whom."""

import re
from datetime import datetime

from tipstaff.words import Moment

from ...mail import Mail
from ...shaping import moment_of_mail
from ...text.candidate import Candidate
from ...text.find import find_all
from ...text.sections import Line
from ...text.times import find_date, find_moment, stated_zone


class Facts:
    """Ports, protocol and target of one offender, as far as they are stated."""

    __slots__ = ("protocol", "source_port", "target", "target_port")

    def __init__(self) -> None:
        self.source_port: int | None = None
        self.target_port: int | None = None
        self.protocol: str | None = None
        self.target: str | None = None


_SOURCE_PORT = re.compile(
    r"\b(?:SPT|sport|src_?port|source[ _-]?port|from port|quellport|origin port)\b[\s:=\"]{1,4}(\d{1,5})\b",
    re.IGNORECASE,
)
_AFTER_PORT = re.compile(r"\A[\])\"']{0,2},?\s{0,2}(?:port|puerto|porta|порт)[\s:=]{1,3}(\d{1,5})\b", re.IGNORECASE)
_TARGET_PORT = re.compile(
    r"\b(?:DPT|dport|dst_?port|dest(?:ination)?[ _-]?port|target[ _-]?port|to port|"
    r"ziel-?port)\b[\s:=\"]{1,4}(\d{1,5})\b",
    re.IGNORECASE,
)
_PROTOCOL = re.compile(
    r"\b(?:PROTO=|proto(?:col)?[\s:=\"]{1,4}|)(tcp|udp|icmp|sctp|ssh(?=2?\b|d\b)|smtp|imap|pop3|sip|rdp|ftp|http)\b",
    re.IGNORECASE,
)
_SSH_PORT = re.compile(r"\bfrom (?:\S{3,60}) port (\d{1,5})\b")


def facts_of(this: Candidate) -> Facts:
    """Ports, protocol and target in the first lines that name an address."""
    facts = Facts()
    for line in this.lines[:8]:
        if line.zone in ("headers", "file_headers", "register", "subject"):
            continue
        text = line.plain[:1000]
        at = text.find(this.value)
        after = text[at + len(this.value) : at + len(this.value) + 30] if at >= 0 else ""
        if facts.source_port is None:
            found = _SOURCE_PORT.search(text) or _AFTER_PORT.match(after) or _SSH_PORT.search(text)
            if found:
                facts.source_port = _port(found[1])
        if facts.target_port is None:
            found = _TARGET_PORT.search(text)
            if found:
                facts.target_port = _port(found[1])
        if facts.protocol is None:
            found = _PROTOCOL.search(text)
            if found:
                facts.protocol = found[1].lower()
        if facts.target is None and at >= 0:
            others = [
                x.value for x in find_all(text[at + len(this.value) :]) if x.kind == "ip" and x.value != this.value
            ]
            facts.target = others[0] if len(others) == 1 else None
        if facts.source_port and facts.target_port and facts.protocol and facts.target:
            break
    if facts.source_port is None and this.ports:
        facts.source_port = this.ports.most_common(1)[0][0]
    return facts


def _port(text: str) -> int | None:
    return int(text) if 0 < int(text) < 65536 else None


_TIME_LABEL = re.compile(
    r"\b(?:time|date|timestamp|when|seen|observed|detected|occurred|datum|zeit|uhrzeit|fecha|hora|"
    r"data|ora|date/heure|heure|время|дата)\b",
    re.IGNORECASE,
)


_DIGIT = re.compile(r"\d")


class Times:
    """When it happened: the time on a line that names the offender, else a labelled one, else the first stated."""

    def __init__(self, mail: Mail, lines: list[Line]) -> None:
        mail_date = moment_of_mail(mail)
        self._year_of: datetime | None = mail_date.at if mail_date else None
        self._zone = stated_zone(
            "\n".join(x.plain for x in lines[:400] if x.zone in ("body", "quoted", "embedded"))[:20_000]
        )
        self._lines = lines
        self._fallback: Moment | None = None
        self._looked = False

    def of(self, this: Candidate) -> Moment | None:
        """The latest-stated instant for one offender, or None when the mail states none."""
        for line in this.lines[:12]:
            if line.zone in ("headers", "file_headers", "register"):
                continue
            moment = self._on(line)
            if moment:
                return moment
        return self._labelled()

    def _on(self, line: Line) -> Moment | None:
        return find_moment(line.plain[:600], zone=self._zone, year_of=self._year_of)

    def _labelled(self) -> Moment | None:
        if self._looked:
            return self._fallback
        self._looked = True
        first: Moment | None = None
        for line in self._lines[:400]:
            if line.zone in ("headers", "register", "signature", "subject", "file_headers"):
                continue
            text = line.plain[:600]
            if not _DIGIT.search(text, 0, 300):
                continue
            moment = self._on(line)
            label = _TIME_LABEL.search(text) is not None
            if moment is None and label:
                moment = find_date(text)
            if moment and label:
                self._fallback = moment
                return moment
            first = first or moment
        if first is None:
            first = self._of_way()
        self._fallback = first
        return first

    def _of_way(self) -> Moment | None:
        """The instant in the newest Received line of a mail that was forwarded."""
        for line, after in zip(self._lines, [*self._lines[1:], None], strict=True):
            if line.zone in ("headers", "file_headers") and ";" in line.plain:
                # The field may be folded behind its semicolon (RFC 5322, 2.2.3).
                folded = after.plain if after is not None else ""
                moment = find_moment(f"{line.plain.rpartition(';')[2]} {folded}"[:600], year_of=self._year_of)
                if moment:
                    return moment
        return None
