"""What befell one offender by the lines that name it: when, from and to which port, by which protocol, at whom."""

import re
from collections.abc import Iterator
from datetime import datetime

from tipstaff.words import Moment

from ...mail import Mail
from ...shaping import moment_of_mail
from ...text.candidate import Candidate
from ...text.dates import unplaced, unplaced_beside
from ...text.find import find_all
from ...text.sections import Line
from ...text.times import Stated, find_moment, find_stated, read_time, shown, stated_zone


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


_TIME_FIELD = re.compile(
    r"\A[ \t>*•-]{0,6}(?:(?:event|incident|attack|start|end|log|report)[ _-])?(?:(?:first|last)[ _-]?seen|"
    r"time[ _-]?stamp|(?:date|time)(?:[/ _-](?:time|date))?(?: of (?:the )?(?:event|incident|attack|detection))?|"
    r"datum|zeit|uhrzeit|zeitpunkt|date/heure|heure|fecha|hora|data/ora|ora|время|дата)[ \t]{0,3}"
    r"(?:\((?:utc|gmt)\))?[ \t]{0,6}[:=][ \t]{0,20}(\S.{0,100})",
    re.IGNORECASE,
)
"""A line that is a field for the time, whatever stands in it."""
_DIGIT = re.compile(r"\d")
_OTHERS_WORDS = ("headers", "file_headers", "register")
_SENDERS_WORDS = ("subject", "body", "quoted", "file", "embedded")


class Times:
    """When it happened: the time on a line that names the offender, else a labelled one, else the first stated.

    Days give way to instants of the same day. Two statements that cannot both be meant, and one that cannot be placed,
    are no statement: then the words are kept, so that nobody is named for the lack of a time.
    """

    def __init__(self, mail: Mail, lines: list[Line]) -> None:
        mail_date = moment_of_mail(mail)
        self._year_of: datetime | None = mail_date.at if mail_date else None
        self._zone = stated_zone(
            "\n".join(x.plain for x in lines[:400] if x.zone in ("body", "quoted", "embedded"))[:20_000]
        )
        self._lines = lines
        self._fallback = Stated()
        self._labelled = False
        self._looked = False
        self._read: dict[int, Stated] = {}
        self._told: dict[tuple[int, ...], Stated] = {}
        self._vague: str | None = None

    def of(self, this: Candidate) -> Stated:
        """The first-stated instant for one offender, else the day, else what could not be understood."""
        own = [x for x in this.lines[:12] if x.zone not in _OTHERS_WORDS]
        key = tuple(x.number for x in own)
        if key not in self._told:
            self._told[key] = self._of(own)
        return self._told[key]

    def _of(self, own: list[Line]) -> Stated:
        day, of_subject, unread = Stated(), Stated(), ""
        for line in own:
            found = self._on(line)
            if found.moment is None:
                unread = unread or found.unread
            elif not found.is_day:
                if line.zone != "subject" and day.moment is not None and not day.agrees(found.moment):
                    return Stated(None, shown(line.plain))
                return found
            elif line.zone == "subject":
                of_subject = found
            elif day.moment is None:
                day = found
        if unread:
            return Stated(None, shown(unread))
        general = self._general()
        if day.moment is not None:
            if general.moment is None or not self._labelled:
                return day
            return general if day.agrees(general.moment) else Stated(None, shown(own[0].plain))
        if self._labelled and general.moment is not None:
            return general
        around = [x.plain[:600] for x in self._around(own)]
        vague = next((said for x in around if (said := unplaced(x))), "")
        if vague or general.unread:
            return Stated(None, shown(vague or general.unread))
        if general.moment is not None or of_subject.moment is not None:
            return general if general.moment is not None else of_subject
        vague = next((said for x in around if (said := unplaced_beside(x))), "")
        return Stated(None, shown(vague or self._vaguely()))

    def _vaguely(self) -> str:
        """The first words anywhere in the letter that state a time which cannot be placed."""
        if self._vague is None:
            prose = [x.plain[:600] for x in self._lines[:400] if x.zone in _SENDERS_WORDS]
            may_be = unplaced("\n".join(prose))
            self._vague = next((said for x in prose if (said := unplaced(x))), "") if may_be else ""
        return self._vague

    def _on(self, line: Line) -> Stated:
        if line.number not in self._read:
            self._read[line.number] = find_stated(line.plain[:600], zone=self._zone, year_of=self._year_of)
        return self._read[line.number]

    def _around(self, own: list[Line]) -> Iterator[Line]:
        """The offender's lines and those that touch them, but for those whose time was read."""
        numbers = {n for x in own for n in (x.number - 1, x.number, x.number + 1)}
        for line in (self._lines[n] for n in sorted(numbers) if 0 <= n < len(self._lines)):
            if line.zone not in (*_OTHERS_WORDS, "signature") and self._on(line).moment is None:
                yield line

    def _general(self) -> Stated:
        """What the mail says of the time of all offenders: in a labelled line, else anywhere, else on its way."""
        if not self._looked:
            self._looked = True
            self._fallback = self._stated()
        return self._fallback

    def _stated(self) -> Stated:
        first, day, unread = Stated(), Stated(), ""
        for line in self._lines[:400]:
            if line.zone in ("headers", "register", "signature", "subject", "file_headers"):
                continue
            text = line.plain[:600]
            field = _TIME_FIELD.match(text) if ":" in text[:40] or "=" in text[:40] else None
            if field is None and not _DIGIT.search(text, 0, 300):
                continue
            found = self._on(line)
            if field is not None and found.moment is None:
                found = read_time(field[1], zone=self._zone, year_of=self._year_of)
            unread = unread or found.unread
            if found.moment is None:
                continue
            if field is not None or _TIME_LABEL.search(text) is not None:
                self._labelled = True
                return found
            if not found.is_day:
                first = first if first.moment else found
            elif line.zone in ("body", "quoted"):
                if day.moment is not None and not day.agrees(found.moment):
                    unread = unread or text
                day = day if day.moment else found
        if unread or (day.moment is not None and first.moment is not None and not day.agrees(first.moment)):
            return Stated(None, shown(unread or "two different times"))
        if first.moment is not None or day.moment is not None:
            return first if first.moment is not None else day
        return Stated(self._of_way())

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
