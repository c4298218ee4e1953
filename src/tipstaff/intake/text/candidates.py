"""Who could be meant: every address and host a mail names, with the cues that speak for it and against it."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..mail import Mail
from .find import Found, find_all, is_public
from .hops import outside_hop, received_lines
from .names import registered_part
from .sections import Line

MOST_CANDIDATES = 20_000

_SOURCE_KEY = re.compile(
    r"(?:\bsrc|source|\bsrc_?ip|saddr|attacker|attacking|offend\w{0,3}|remote|rhost|\brip|client|"
    r"\boip|abuser|quell\w{0,2}|origem|origen|sorgente|from_?ip|bad_?ip|"
    r"источник|孔|来源|送信元)(?:[_ -]?(?:ip|addr|address|host))?(?:\(?v?[46]?\)?)?\"?\s?(?:=|:|=>)\s?[\"'\[(<]{0,2}\Z",
    re.IGNORECASE,
)
_VICTIM_KEY = re.compile(
    r"(?:\bdst|dest\w{0,8}|\bdst_?ip|daddr|target\w{0,2}|victim|\blip|laddr|local\w{0,2}|server|"
    r"honeypot|sensor|ziel\w{0,3}|destino|bestemming|назначен\w{0,3}|цель)"
    r"(?:[_ -]?(?:ip|addr|address|host|server))?\"?\s?(?:=|:|=>)\s?[\"'\[(<]{0,2}\Z",
    re.IGNORECASE,
)
_STRONG = re.compile(
    r"\b(?:source|src|attack(?:er|ing|s)?|offend(?:er|ing)|abus(?:er|ive|ing|e)|malicious|"
    r"infected|compromised|infring\w{2,8}|culprit|intruder|hostile|bad ?actor|hacker|spammer|"
    r"scanner|"
    r"perpetrator|suspicious|peer|have attacked|hat angegriffen|resolv\w{1,3}|reported|listed|"
    r"block(?:ed|ing)|banned|phish\w{0,4}|fraud\w{0,6}|originat\w{2,4}|quell\w{0,3}|"
    r"angreif\w{0,3}|angriff\w{0,3}|täter|attaquant\w{0,2}|atacante\w{0,2}|origem|origen|"
    r"ofensor|sorgente|attaccante|aanvaller|bron|verursach\w{2,4}|источник\w{0,2}|атак\w{1,5}|злоумышл\w{2,8})\b",
    re.IGNORECASE,
)
_YOURS = re.compile(
    r"\b(?:(?:your|you are|you're) ?(?:\w{1,20} ){0,3}(?:ip|client|customer|server|network|host|"
    r"user|machine|system|subscriber|range|address|responsib\w{2,6})\w{0,3}|(?:ihre?[mnrs]?|"
    r"eure?[mnrs]?) \w{2,20}|(?:votre|vos) \w{2,20}|"
    r"(?:su|sus|seu|sua|vostr[aeio]|uw|jouw) \w{2,20}|ваш\w{0,4} \w{2,20})\b",
    re.IGNORECASE,
)
_IP_WORD = re.compile(
    r"\b(?:IP(?:s|v4|v6)?|host|address(?:es)?|адрес\w{0,2}|adresse\w{0,2}|direcci[oó]n|endereço|"
    r"indirizz[oi]|adres)\b[^.;]{0,25}\Z",
    re.IGNORECASE,
)
_FROM = re.compile(
    r"(?:\b(?:from|by|von|vom|durch|depuis|desde|da|dal|do|från|fra|od|van|par|от|с|из|client|"
    r"host)\b)(?:[ :]{1,2}(?:the |your |an? |ip|address|host|server|адрес\w{0,2}|der|die|l'|"
    r"\w{2,10} ){0,4})[ :\[(<\"']{0,4}\Z",
    re.IGNORECASE,
)
_OUR = re.compile(
    r"\b(?:our|my|mine|we|unser\w{0,3}|mein\w{0,3}|notre|nos|nuestr\w{1,2}|mi|nosso|nossa|nostr\w|"
    r"ons|onze|mijn|vår\w{0,2}|nasz\w{0,3}|наш\w{0,3}|мо[йеяи])\b(?! ip range| records| logs?)|"
    r"\b(?:against|towards?|target(?:s|ed|ing)?|victims?|dest(?:ination)?|dst|honeypots?|(?:was|"
    r"were) (?:attacked|targeted|hit)|wurden? angegriffen|attacked (?:ip|host|server)|ziel\w{0,6}|"
    r"cible|objetivo|destino|vittima)\b",
    re.IGNORECASE,
)
_VICTIMS_BELOW = re.compile(
    r"\b(?:(?:was|were|been|being|is|are) (?:being )?(?:attacked|targeted|hit|probed|scanned|"
    r"affected)|targets?|victims?|destinations?(?: ip\w{0,2})?|honeypots?|endpoints?|our "
    r"(?:\w{1,12} ){0,2}(?:servers?|hosts?|systems?|ips?|networks?))\b[^:]{0,40}:\s{0,3}\Z",
    re.IGNORECASE,
)
_ATTACK_ON = re.compile(
    r"\b(?:attack\w{0,3}|flood\w{0,3}|angriff\w{0,2}|attaque\w{0,2}|ataque\w{0,2}|attacc\w{1,3}|"
    r"атак\w{1,3}|scan\w{0,5}|probes?|hits?)\b[^.:;]{0,30} "
    r"(?:on|against|towards?|at|auf|gegen|contre|contra|contro|sur|на)\s{1,2}(?:our |the |host |"
    r"server |ip |address ){0,3}[\[(<\"']{0,2}\Z",
    re.IGNORECASE,
)
_TO = re.compile(
    r"(?:\b(?:to|against|on|at|into|auf|gegen|nach|an|vers|contre|sur|a|al|contra|su|contro|naar|"
    r"op|на|к)\b|->|=>|→)[ :\[(<\"']{0,4}(?:our |my |the |host |server |ip |port |\w{1,12} "
    r"){0,2}[\[(<\"']{0,2}\Z",
    re.IGNORECASE,
)
_ARROW_BEFORE = re.compile(r"(?:->|=>|→|-->|>>|\s>)\s{0,3}[\[(\"']{0,2}\Z")
_ARROW_AFTER = re.compile(r"\A(?:[:.#/]\w{1,6})?[\])\"']{0,2}(?:\s?\([^)]{0,60}\))?\s{0,3}(?:->|=>|→|-->|>>|>\s)")
_DO_AFTER = re.compile(
    r"\A[\])\"'>,]{0,3}\s{0,2}(?:\([^)]{0,60}\)\s?)?(?:(?:which|that|and|is|was|has|have|been|are|"
    r"hat|ist|wurde|war|ha|est|a été|were|tried|started) ){0,3}(?:\w{2,12} )?(?:attack\w{0,3}|"
    r"scan\w{0,5}|tr(?:ied|ying)|attempt\w{0,3}|sen[dt]\w{0,3}|spam\w{0,4}|brute\w{0,8}|"
    r"flood\w{0,3}|host\w{0,3}|abus\w{0,4}|involved|blocked|banned|listed|detected|observed|"
    r"connect\w{0,3}|infected|compromised|violat\w{0,3}|perform\w{0,3}|seen|caught|found|located|"
    r"distribut\w{0,3}|infring\w{0,3}|angegriffen|versucht)",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\d:\d\d:\d\d")
_LOG_WORDS = ("sshd[", '"GET ', '"POST ', '"HEAD ', "PROTO=", "SRC=", "postfix/", "kernel:")
_CELL_NUMBER = re.compile(r"[,\t]\d{1,5}[,\t]")
_MENTION = re.compile(
    r"\b(?:dns|name ?server|resolver|mx|relay(?:ed)?|gateway|netmask|range|netblock|inetnum|whois|"
    r"asn?|network|route|subnet|cidr|legitimate|official|original|genuine|authentic|for example|"
    r"e\.g\.|such as|legitim\w{0,3}|oficial|ufficiale|officiel\w{0,3}|echte\w{0,2})\b",
    re.IGNORECASE,
)
_ITEM = re.compile(
    r"\b(?:url\w{0,3}|links?|uri|web ?sites?|site|page|domains?(?: names?)?|location|located|"
    r"hosted|hosting|host ?names?|fqdn|infring\w{2,8}|phish\w{0,6}|malicious|malware|fraud\w{0,6}|"
    r"offend\w{2,4}|reported|remove|removal|"
    r"take ?down|disable|suspend|block|fake|illegal|unauthori[sz]ed|content|following|below|"
    r"webseite|sito|sitio|enlace|lien|ссылк\w{1,3}|сайт\w{0,3}|страниц\w{1,3}|домен\w{0,3})\b",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"\b(?:more info\w{0,8}|further info\w{0,8}|for info\w{0,8}|details|see|visit|read|refer|"
    r"learn|help|contact|about|powered|policy|terms|privacy|unsubscribe|report(?:ed)? (?:at|on|to|"
    r"via|here)|our (?:web)?site|official|original|legitimate|genuine|"
    r"authori[sz]ed|rights? owner|owner|trade ?mark|copyrighted work|brand|belong\w{0,3}|"
    r"represent\w{0,6}|behalf|client|screenshot|scan result|analysis|evidence|proof|whois|lookup|"
    r"check|view|verify|database|tool|law|directive|regulation|weitere|siehe|infos?|voir|plus d'|"
    r"ver|más|mehr|approfond|informa\w{2,6})\b",
    re.IGNORECASE,
)
_REFERENCE_WORDS = """
    abuse policy polic legal law terms privacy about contact help faq support docs wiki rfc whois rdap
    lookup scan report result analysis ticket incident case unsubscribe xarf license statut directive
    blog news check search query info share view
"""
_REFERENCE_PARTS = tuple(_REFERENCE_WORDS.split())
_KEY_SIGNS = frozenset(("=", ":", ">"))
_RIGHTFUL = re.compile(
    r"\b(?:legitimate|official|genuine|authentic|authori[sz]ed (?:site|copy|version|example|"
    r"source|web)|original (?:work|content|site|source|url|page|version|material)|actual (?:url|"
    r"site)|real (?:site|url|website)|"
    r"copyrighted (?:work|material|content)\w{0,2}|works? (?:claimed|infringed|at issue)|claimed "
    r"to (?:have been|be) infringed|infringed (?:work|material)|rights? ?(?:owner|holder)|our "
    r"(?:client|brand|web ?site|site|own)|my (?:own|original|web ?site)|"
    r"owner of|owned by|brand(?:'s)? (?:site|website|url)|target(?:ed)? brand|oficial|ufficiale|"
    r"officiel\w{0,2}|offizielle\w{0,2}|legítim\w|echte\w{0,2})\b",
    re.IGNORECASE,
)
_CONNECTED = re.compile(r"(?:\bclient-ip=|\bsender ip is |\bdesignates )\[?([0-9A-Fa-f.:]{4,45})", re.IGNORECASE)
_ORIGIN = re.compile(r"\Ax-(?:originating|source|sender|client|real)-ip:\s{0,4}\[?([0-9A-Fa-f.:]{4,45})", re.IGNORECASE)
_LINES_KEPT = 8
_LINES_LOOKED_AT = 6
_LINES_READ_CLOSELY = 300
_DOTTED = re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}")
_MAIL_ADDRESS = re.compile(r"[\w.+=%#-]{1,64}@([\w-]{1,63}(?:\.[\w-]{1,63}){1,6})")


@dataclass(slots=True)
class Candidate:
    """One address or host with all that was seen of it."""

    kind: str
    """`ip` or `host`."""
    value: str
    first: int
    """Place among all candidates of its kind, from 0."""
    features: dict[str, float] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    urls: dict[str, None] = field(default_factory=dict)
    ports: Counter[int] = field(default_factory=Counter)
    shapes: set[tuple[object, ...]] = field(default_factory=set)
    """How the lines that name it are built, for knowing the members of one list."""
    count: int = 0
    score: float = 0.0

    def see(self, feature: str, value: float = 1.0) -> None:
        """Note a cue; of several the strongest counts."""
        if value > self.features.get(feature, 0.0):
            self.features[feature] = value


@dataclass(frozen=True, slots=True)
class Scene:
    """All candidates of a mail."""

    addresses: list[Candidate]
    hosts: list[Candidate]
    overflow: bool
    """True when the mail names more than anybody could mean."""


def gather(mail: Mail, lines: list[Line]) -> Scene:
    """Every candidate of a mail with its cues."""
    own = _own_domains(mail, lines)
    addresses: dict[str, Candidate] = {}
    hosts: dict[str, Candidate] = {}
    total_ip = total_host = 0
    overflow = False
    per_zone: Counter[tuple[str, str]] = Counter()
    for line in lines:
        text = line.plain
        if "." not in text and "::" not in text and text.count(":") < 6:
            continue
        if line.number >= _LINES_READ_CLOSELY:
            known = [addresses.get(x) for x in _DOTTED.findall(text)]
            if known and None not in known:
                # The thousandth line of a log says no more than the hundredth: it only counts.
                for this in known:
                    if this is not None:
                        this.count += 1
                        total_ip += 1
                continue
        found = find_all(text, names=line.zone not in _HOP_ZONES)
        if not found:
            continue
        ips = [x for x in found if x.kind == "ip"]
        is_log = bool(ips) and _is_log(text)
        shapes = _shapes(line, ips) if ips else []
        for order, x in enumerate(ips):
            total_ip += 1
            this = addresses.get(x.value)
            if this is None:
                if len(addresses) >= MOST_CANDIDATES:
                    overflow = True
                    continue
                this = addresses[x.value] = Candidate("ip", x.value, len(addresses))
            this.count += 1
            if x.port:
                this.ports[x.port] += 1
            # A line built like an earlier one says the same of its address.
            new = shapes[order] not in this.shapes
            if new and len(this.shapes) < 12:
                this.shapes.add(shapes[order])
            if len(this.lines) < _LINES_KEPT:
                this.lines.append(line)
                if new and len(this.lines) <= _LINES_LOOKED_AT:
                    _look_at_address(this, x, line, order=order, of=len(ips), is_log=is_log)
        for x in found:
            if x.kind not in ("url", "name"):
                continue
            total_host += 1
            if x.kind == "url" and (x.host[:1].isdigit() or ":" in x.host) and _is_ip(x.host):
                this = addresses.get(x.host)
                if this is None:
                    if len(addresses) >= MOST_CANDIDATES:
                        overflow = True
                        continue
                    this = addresses[x.host] = Candidate("ip", x.host, len(addresses))
                this.count += 1
                this.see("in_url")
                this.see(f"zone_{line.zone}")
                if line.defanged:
                    this.see("defanged")
                this.urls.setdefault(x.value)
                if len(this.lines) < _LINES_KEPT:
                    this.lines.append(line)
                continue
            this = hosts.get(x.host)
            if this is None:
                if len(hosts) >= MOST_CANDIDATES:
                    overflow = True
                    continue
                this = hosts[x.host] = Candidate("host", x.host, len(hosts))
            this.count += 1
            if x.kind == "url" and len(this.urls) < 200:
                this.urls.setdefault(x.value)
            if len(this.lines) < _LINES_KEPT:
                this.lines.append(line)
                if len(this.lines) <= _LINES_LOOKED_AT:
                    _look_at_host(this, x, line, own=own, alone=len(found) == 1)
        per_zone[(line.zone, "ip")] += len(ips)
    _look_at_way(mail, lines, addresses)
    _compare(list(addresses.values()), total_ip)
    _compare(list(hosts.values()), total_host)
    for this in addresses.values():
        if not is_public(this.value):
            this.see("unroutable")
    return Scene(list(addresses.values()), list(hosts.values()), overflow)


def _is_log(text: str) -> bool:
    """True for a line that a machine wrote: a clock, a log's own words, a table's cells."""
    if _CLOCK.search(text) or any(x in text for x in _LOG_WORDS):
        return True
    return _CELL_NUMBER.search(text) is not None


def _is_ip(host: str) -> bool:
    try:
        is_public(host)
    except ValueError:
        return False
    return True


_SEPARATORS = re.compile(r"[\t|;]|,(?! )| {2,}|\s\|\s")
_LIST_JOIN = re.compile(
    r"\A[\])\"']{0,2}(?:\s?\([^)]{0,40}\))?\s{0,3}(?:,|;|/|&|\band\b|\bund\b|\bet\b|\by\b|\be\b|"
    r"\bи\b|\+|\s)\s{0,3}[\[(\"']{0,2}\Z"
)
_DIGITS = re.compile(r"\d+")
_LAST_WORD = re.compile(r"([^\W\d_]{1,20}|)[^\w]{0,6}\Z")


def _shapes(line: Line, ips: list[Found]) -> list[tuple[object, ...]]:
    """For each address of a line how that line leads to it: the same for all members of a list or column."""
    text = line.plain
    zone = "body" if line.zone in ("body", "quoted", "embedded") else line.zone
    shapes: list[tuple[object, ...]] = []
    cells = len(_SEPARATORS.findall(text))
    for order, x in enumerate(ips):
        before = text[: x.start]
        if order and _LIST_JOIN.match(text[ips[order - 1].end : x.start]):
            # Addresses in a row, with nothing between them but commas: all of them stand or fall together.
            shapes.append(shapes[-1])
        elif not before.strip(" \t*-•·>|[(\"'") and len(text) - x.end < 4:
            shapes.append((zone, "alone"))
        elif cells >= 2:
            shapes.append((zone, "cell", len(_SEPARATORS.findall(before)), order, cells if cells < 40 else 40))
        elif not before.strip(" \t*-•·>|[(\"'"):
            shapes.append((zone, "start"))
        else:
            led = before[-30:].rstrip()
            word = _LAST_WORD.search(led)
            sign = _DIGITS.sub("9", led[-3:])
            shapes.append(
                (
                    zone,
                    "text",
                    order,
                    word[0].lower() if word and word[1] else sign,
                    line.number if line.zone == "subject" else 0,
                )
            )
    return shapes


def _look_at_address(this: Candidate, x: Found, line: Line, *, order: int, of: int, is_log: bool) -> None:
    text = line.plain
    before = text[max(0, x.start - 70) : x.start]
    after = text[x.end : x.end + 70]
    see = this.see
    see(f"zone_{line.zone}")
    if line.zone in ("headers", "file_headers", "register"):
        return
    if line.defanged:
        see("defanged")
    if is_log:
        see("log")
        see("log_first" if order == 0 else "log_later")
        if x.start < 3:
            see("log_start")
    elif of > 1:
        see("prose_first" if order == 0 else "prose_later")
    said = before.strip(" \t*-•·>|[(\"'")
    if before.rstrip(" \"'[(<")[-1:] in _KEY_SIGNS:
        if _SOURCE_KEY.search(before):
            see("source_key")
        elif _VICTIM_KEY.search(before):
            see("victim_key")
    if _ARROW_BEFORE.search(before):
        see("arrow_target")
    elif _ARROW_AFTER.match(after):
        see("arrow_source")
    if len(said) > 1:
        _look_at_words(this, before, after)
    if (
        line.zone in ("body", "quoted", "embedded", "file")
        and not text[: x.start].strip(" \t*-•·>|[(\"'")
        and not text[x.end :].strip(" \t.,;])\"'|")
    ):
        see("alone")
        if line.before.rstrip().endswith(":"):
            see("alone_labelled")
    if line.before.endswith(":") and len(before.strip()) < 3:
        if _VICTIMS_BELOW.search(line.before):
            see("label_victims")
        if _STRONG.search(line.before) or _YOURS.search(line.before):
            see("label_strong")


def _look_at_words(this: Candidate, before: str, after: str) -> None:
    """What the words before an address say of it: the nearest cue decides."""
    see = this.see
    if _FROM.search(before):
        see("from")
    elif _TO.search(before):
        see("to")
    strong = our = yours = -1
    for pattern, name in ((_STRONG, "s"), (_OUR, "o"), (_YOURS, "y")):
        for found in pattern.finditer(before):
            if name == "s":
                strong = found.end()
            elif name == "o":
                our = found.end()
            else:
                yours = found.end()
    nearest = max(strong, our, yours)
    if _ATTACK_ON.search(before):
        see("near_ours")
    elif nearest >= 0:
        see("near_ours" if nearest == our else "near_strong" if nearest == strong else "near_yours")
    if _IP_WORD.search(before):
        see("ip_word")
    if _DO_AFTER.match(after):
        see("does")
    if _MENTION.search(before[-40:]):
        see("mention")


def _look_at_host(this: Candidate, x: Found, line: Line, *, own: frozenset[str], alone: bool) -> None:
    text = line.plain
    before = text[max(0, x.start - 80) : x.start]
    see = this.see
    see(f"zone_{line.zone}")
    if registered_part(x.host) in own:
        see("own_domain")
    see("as_url" if x.kind == "url" else "as_name")
    if line.zone in _HOP_ZONES:
        return
    path = ""
    if x.kind == "url":
        path = x.value.partition("://")[2].partition("/")[2]
        if len(path) > 1:
            see("deep")
        if "xx" in line.text[max(0, x.start - 4) : x.start + 8].lower():
            see("hxxp")
        if _is_reference(path[:200]):
            see("reference_path")
    if _is_reference(x.host):
        see("reference_host")
    if line.defanged:
        see("defanged")
    label = before if before.strip(" \t*-•>|<([\"'") else line.before[-90:]
    direct = label is before
    item = reference = -1
    for found in _ITEM.finditer(label):
        item = found.end()
    for found in _REFERENCE.finditer(label):
        reference = found.end()
    rightful = -1
    for found in _RIGHTFUL.finditer(label):
        rightful = found.end()
    if rightful >= 0 and rightful >= item - 12:
        see("rightful")
    if item > reference:
        see("item" if direct else "item_above")
    elif reference >= 0:
        see("reference" if direct else "reference_above")
    if label.rstrip(" \t<([\"'").endswith(":"):
        see("labelled")
    if alone and not text[: x.start].strip(" \t*-•·>|<[(\"'") and not text[x.end :].strip(" \t.,;])>\"'|"):
        see("alone")
    if text[max(0, x.start - 1) : x.start] == "<" and before.strip():
        see("bracketed")


def _is_reference(text: str) -> bool:
    lowered = text.lower()
    return any(x in lowered for x in _REFERENCE_PARTS)


def _look_at_way(mail: Mail, lines: list[Line], addresses: dict[str, Candidate]) -> None:
    """Received lines: of a mail inside this one or pasted into it, the first hop from outside is the likely sender."""
    by_zone: dict[str, list[str]] = {}
    for line in lines:
        by_zone.setdefault(line.zone, []).append(line.plain)
    for zone in ("headers", "file_headers", "file", "body", "quoted", "embedded"):
        shown = by_zone.get(zone, [])
        if not any(x[:9] in _RECEIVED for x in shown):
            continue
        hop = _stated_hop(shown) or outside_hop(received_lines(shown))
        if hop and hop in addresses:
            addresses[hop].see("outside_hop")
            for other in addresses.values():
                if other.value != hop and all(x.zone in _HOP_ZONES for x in other.lines):
                    other.see("other_hop")
            break
    if addresses:
        way = " ".join(x[:1000] for x in mail.headers("received")[:10])
        for value in {*_DOTTED.findall(way), *(x for x in addresses if ":" in x and x in way)}:
            if value in addresses:
                addresses[value].see("own_way")


def _compare(candidates: list[Candidate], total: int) -> None:
    many = len(candidates)
    most = max((x.count for x in candidates), default=1)
    for this in candidates:
        this.see("rank", 1.0 / (1 + this.first))
        if this.first == 0:
            this.see("is_first")
        if many == 1:
            this.see("only")
        this.see("share", this.count / max(1, total))
        this.see("often", math.log1p(this.count) / math.log1p(most) if most > 1 else 0.0)


_RECEIVED = frozenset(("Received:", "received:", "RECEIVED:"))
_HOP_ZONES = frozenset({"headers", "file_headers"})


def _stated_hop(shown: list[str]) -> str | None:
    """The connecting address as the receiving server itself put it down (RFC 7208 9.1, RFC 8601)."""
    for line in shown[:120]:
        found = _CONNECTED.search(line) or _ORIGIN.match(line)
        if found:
            address = found[1].rstrip(".:")
            if _is_ip(address) and is_public(address):
                return address
    return None


def _own_domains(mail: Mail, lines: Iterable[Line]) -> frozenset[str]:
    """Domains of the people in the mail: sender, answer address, and addresses in the signature or the prose."""
    found: set[str] = set()
    for value in (mail.sender[1], mail.reply_to, mail.header("message-id").strip("<>"), mail.header("return-path")):
        name = value.rpartition("@")[2].strip(" <>")
        if "." in name:
            found.add(registered_part(name))
    for line in lines:
        if "@" in line.plain and line.zone in ("body", "signature", "quoted"):
            for name in _MAIL_ADDRESS.findall(line.plain)[:20]:
                found.add(registered_part(name))
    for value in (*mail.headers("to"), *mail.headers("cc")):
        for name in _MAIL_ADDRESS.findall(value[:2000])[:20]:
            found.discard("")
            found.add(registered_part(name)) if name.lower().startswith("abuse.") else None
    return frozenset(found)
