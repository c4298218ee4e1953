"""Reads complaints in anybody's words: finds what is named, weighs who is meant, and says when it is not sure."""

import math
import re
from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from tipstaff.words import Allegation, Moment, Reading, ReadingReason

from ...mail import Mail
from ...shaping import complaint, excerpt, moment_of_mail, unreadable
from ...text.candidates import Candidate, gather
from ...text.find import find_all
from ...text.kinds import choose_kind, weigh_kinds
from ...text.sections import Line, lay_out
from ...text.times import find_date, find_moment, stated_zone
from ...text.weights import ADDRESS, ADDRESS_BIAS, HOST, HOST_BIAS

MOST_SOURCES = 500
"""More offenders in one letter are a matter for a person."""
MOST_URLS = 200
_ADDRESS_MARGIN = 0.35
_HOST_MARGIN = 0.35
_LIST_MARGIN = 1.6
_FLOOR = -0.5
_HOST_FLOOR = -1.5
_OWN_HOST_FLOOR = 0.3
_SURE_GAP = 0.8
_SURE_SCORE = 0.3
_SURE_KIND = 0.45
UNKNOWN_KIND = "reputation/threat_intelligence"
"""The type of a complaint that names somebody and no kind of abuse: a person looks at it."""


class FreetextParser:
    """The last to be asked: it takes any mail that names an address or a host."""

    name = "freetext"
    priority = 1000

    def read(self, mail: Mail) -> Reading | None:
        """What the letter alleges, or why that is left to a person."""
        lines = lay_out(mail)
        scene = gather(mail, lines)
        addresses = _rank(scene.addresses, ADDRESS, ADDRESS_BIAS)
        hosts = _rank(scene.hosts, HOST, HOST_BIAS)
        kind, kind_sure = choose_kind(weigh_kinds(subject=mail.subject, text=_prose(lines)))
        chosen, left = _choose_addresses(addresses)
        items, items_left = _choose_hosts(hosts)
        if len(chosen) > MOST_SOURCES or scene.overflow:
            return unreadable(
                mail,
                ReadingReason.TOO_MANY_SOURCES,
                parser=self.name,
                detail=f"It names {len(scene.addresses)} addresses; a letter may name {MOST_SOURCES} sources.",
            )
        if not chosen and not items:
            return unreadable(
                mail, ReadingReason.NO_SOURCE, parser=self.name, detail="It names no address, no URL and no host."
            )
        about_items = kind.startswith(("content/", "copyright/")) and kind != "copyright/p2p"
        times = _Times(mail, lines)
        if chosen:
            top = chosen[0].score
            gap = top - left
        else:
            top = items[0].score + 0.7
            gap = items[0].score - items_left + 0.3
        sure = bool(kind) and kind_sure >= _SURE_KIND and top >= _SURE_SCORE and gap >= _SURE_GAP
        confidence = round(_sigmoid(top) * (0.5 + 0.5 * kind_sure), 3)
        allegations = list(
            _allegations(chosen, items if about_items or not chosen else [], kind or UNKNOWN_KIND, times, confidence)
        )
        return complaint(
            mail,
            allegations,
            parser=self.name,
            sure=sure,
            detail="" if sure else _doubt(kind, kind_sure, gap, chosen, items),
        )


def _rank(candidates: list[Candidate], weights: dict[str, float], bias: float) -> list[Candidate]:
    for this in candidates:
        this.score = bias + sum(weights.get(name, 0.0) * value for name, value in this.features.items())
    return sorted(candidates, key=lambda x: (-x.score, x.first))


def _choose_addresses(ranked: list[Candidate]) -> tuple[list[Candidate], float]:
    """The offenders (the likeliest, what is as likely, its fellows in a list) and the best score left out."""
    if not ranked:
        return [], -9.0
    top = ranked[0]
    chosen = [x for x in ranked if x is top or x.score >= max(_FLOOR, top.score - _ADDRESS_MARGIN)]
    lists = {x for x in top.shapes if x[0] not in _WAY_ZONES}
    in_subject = sum("zone_subject" in x.features for x in ranked)
    if lists and not ("zone_subject" in top.features and in_subject == 1):
        taken = set(map(id, chosen))
        for x in ranked:
            if id(x) not in taken and not lists.isdisjoint(x.shapes) and _CONTRARY.isdisjoint(x.features):
                chosen.append(x)
                taken.add(id(x))
    ids = set(map(id, chosen))
    # A victim or a relay is no rival: it does not make the choice doubtful.
    rest = next((x.score for x in ranked if id(x) not in ids and _CONTRARY.isdisjoint(x.features)), -9.0)
    return chosen, rest


_WAY_ZONES = frozenset({"subject", "headers", "file_headers", "register", "signature"})
_CONTRARY = frozenset(
    {
        "near_ours",
        "label_victims",
        "other_hop",
        "victim_key",
        "arrow_target",
        "log_later",
        "unroutable",
        "own_way",
        "zone_register",
    }
)


def _choose_hosts(ranked: list[Candidate]) -> tuple[list[Candidate], float]:
    # The reporter's own pages are hardly what they complain about.
    ranked = [x for x in ranked if x.score >= (_OWN_HOST_FLOOR if "own_domain" in x.features else _HOST_FLOOR)]
    if not ranked:
        return [], -9.0
    top = ranked[0]
    listed = "alone" in top.features
    chosen = [
        x
        for x in ranked
        if x is top
        or x.score >= top.score - _HOST_MARGIN
        or (listed and "alone" in x.features and x.score >= top.score - _LIST_MARGIN and "own_domain" not in x.features)
    ]
    rest = next((x.score for x in ranked if x not in chosen), -9.0) if len(ranked) < 2000 else -9.0
    return chosen, rest


def _telling(urls: Iterable[str]) -> list[str]:
    """Without the bare host where a page on it is named: the page is what is meant."""
    urls = list(urls)
    pages = [url for url in urls if urlsplit(url).path.strip("/") or urlsplit(url).query]
    return pages or urls


def _allegations(
    chosen: list[Candidate], items: list[Candidate], kind: str, times: "_Times", confidence: float
) -> Iterable[Allegation]:
    urls = [(url, item) for item in items for url in _telling(item.urls)][:MOST_URLS]
    bare = [x for x in items if not x.urls]
    if len(chosen) <= 1 and (urls or bare):
        # One address and its items: each item is an allegation of its own, at that address.
        source = ip_address(chosen[0].value) if chosen else None
        own_urls = [(url, chosen[0]) for url in _telling(chosen[0].urls)][:MOST_URLS] if chosen else []
        for url, item in own_urls + urls:
            yield Allegation(
                type=kind,
                source=source,
                url=url,
                domain=item.value if item.kind == "host" else None,
                moment=times.of(chosen[0] if chosen else item),
                excerpt=excerpt([x.text for x in item.lines[:10]]),
                confidence=confidence,
            )
        for item in bare[:MOST_URLS]:
            yield Allegation(
                type=kind,
                source=source,
                domain=item.value,
                moment=times.of(chosen[0] if chosen else item),
                excerpt=excerpt([x.text for x in item.lines[:10]]),
                confidence=confidence,
            )
        return
    for this in chosen:
        facts = _facts(this)
        yield Allegation(
            type=kind,
            source=ip_address(this.value),
            source_port=facts.source_port,
            url=next(iter(this.urls), None),
            protocol=facts.protocol,
            target=facts.target,
            target_port=facts.target_port,
            moment=times.of(this),
            excerpt=excerpt([x.text for x in this.lines[:20]]),
            confidence=confidence,
        )


class _Facts:
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


def _facts(this: Candidate) -> _Facts:
    """Ports, protocol and target in the first lines that name an address."""
    facts = _Facts()
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


class _Times:
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


def _prose(lines: list[Line]) -> str:
    """The words to judge the kind of abuse by: what the reporter wrote, and the logs; not register entries."""
    own = [x.plain for x in lines if x.zone in ("body", "quoted", "signature")]
    other = [x.plain for x in lines if x.zone in ("file", "embedded", "headers", "file_headers")][:120]
    return "\n".join(own)[:14_000] + "\n" + "\n".join(other)[:5000]


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, x))))


def _doubt(kind: str, kind_sure: float, gap: float, chosen: list[Candidate], items: list[Candidate]) -> str:
    if not kind:
        return "It names no kind of abuse that is known here."
    if kind_sure < _SURE_KIND:
        return "Several kinds of abuse are equally likely."
    if gap < _SURE_GAP:
        return "Another address or host in it could be meant as well."
    return "Little in it says who is meant."
