"""What speaks for or against a thing that a mail names: words, signs and keys next to it, in many languages.

The patterns are in lower case, and so is what they are sought in.
"""

import re

from .candidate import Candidate
from .find import Found
from .names import registered_part
from .sections import Line

HOP_ZONES = frozenset({"headers", "file_headers"})
"""Zones of pasted or forwarded mail headers."""

_SOURCE_KEY = re.compile(
    r"(?:\bsrc|source|\bsrc_?ip|saddr|attacker|attacking|offend\w{0,3}|remote|rhost|\brip|client|"
    r"\boip|abuser|quell\w{0,2}|origem|origen|sorgente|from_?ip|bad_?ip|"
    r"источник|孔|来源|送信元)(?:[_ -]?(?:ip|addr|address|host))?(?:\(?v?[46]?\)?)?\"?\s?(?:=|:|=>)\s?[\"'\[(<]{0,2}\Z",
)
_VICTIM_KEY = re.compile(
    r"(?:\bdst|dest\w{0,8}|\bdst_?ip|daddr|target\w{0,2}|victim|\blip|laddr|local\w{0,2}|server|"
    r"honeypot|sensor|ziel\w{0,3}|destino|bestemming|назначен\w{0,3}|цель)"
    r"(?:[_ -]?(?:ip|addr|address|host|server))?\"?\s?(?:=|:|=>)\s?[\"'\[(<]{0,2}\Z",
)
_STRONG = re.compile(
    r"\b(?:source|src|attack(?:er|ing|s)?|offend(?:er|ing)|abus(?:er|ive|ing|e)|malicious|"
    r"infected|compromised|infring\w{2,8}|culprit|intruder|hostile|bad ?actor|hacker|spammer|"
    r"scanner|"
    r"perpetrator|suspicious|peer|have attacked|hat angegriffen|resolv\w{1,3}|reported|listed|"
    r"block(?:ed|ing)|banned|phish\w{0,4}|fraud\w{0,6}|originat\w{2,4}|quell\w{0,3}|"
    r"angreif\w{0,3}|angriff\w{0,3}|täter|attaquant\w{0,2}|atacante\w{0,2}|origem|origen|"
    r"ofensor|sorgente|attaccante|aanvaller|bron|verursach\w{2,4}|источник\w{0,2}|атак\w{1,5}|злоумышл\w{2,8})\b",
)
_YOURS = re.compile(
    r"\b(?:(?:your|you are|you're) ?(?:(?!our |my |against |on |to |at )\w{1,20} ){0,3}"
    r"(?:ip|client|customer|server|network|host|"
    r"user|machine|system|subscriber|range|address|responsib\w{2,6})\w{0,3}|(?:ihre?[mnrs]?|"
    r"eure?[mnrs]?) \w{2,20}|(?:votre|vos) \w{2,20}|"
    r"(?:su|sus|seu|sua|vostr[aeio]|uw|jouw) \w{2,20}|ваш\w{0,4} \w{2,20})\b",
)
_IP_WORD = re.compile(
    r"\b(?:ip(?:s|v4|v6)?|host|address(?:es)?|адрес\w{0,2}|adresse\w{0,2}|direcci[oó]n|endereço|"
    r"indirizz[oi]|adres)\b[^.;]{0,25}\Z",
)
_FROM = re.compile(
    r"(?:\b(?:from|by|von|vom|durch|depuis|desde|da|dal|do|från|fra|od|van|par|от|с|из|client|"
    r"host)\b)(?:[ :]{1,2}(?:the |your |an? |ip|address|host|server|адрес\w{0,2}|der|die|l'|"
    r"\w{2,10} ){0,4})[ :\[(<\"']{0,4}\Z",
)
_OUR = re.compile(
    r"\b(?:our|my|mine|we|unser\w{0,3}|mein\w{0,3}|notre|nos|nuestr\w{1,2}|mi|nosso|nossa|nostr\w|"
    r"ons|onze|mijn|vår\w{0,2}|nasz\w{0,3}|наш\w{0,3}|мо[йеяи])\b(?! ip range| records| logs?)|"
    r"\b(?:against|towards?|target(?:s|ed|ing)?|victims?|dest(?:ination)?|dst|honeypots?|(?:was|"
    r"were) (?:attacked|targeted|hit)|wurden? angegriffen|attacked (?:ip|host|server)|ziel\w{0,6}|"
    r"cible|objetivo|destino|vittima)\b",
)
_VICTIMS_BELOW = re.compile(
    r"\b(?:(?:was|were|been|being|is|are) (?:being )?(?:attacked|targeted|hit|probed|scanned|"
    r"affected)|targets?|victims?|destinations?(?: ip\w{0,2})?|honeypots?|endpoints?|our "
    r"(?:\w{1,12} ){0,2}(?:servers?|hosts?|systems?|ips?|networks?))\b[^:]{0,40}:\s{0,3}\Z",
)
_ATTACKERS_BELOW = re.compile(r"\b(?:ha(?:ve|s)|did) (?:\w{2,12} )?(?:attack|scan|prob|hit|target|abus)")
_ATTACK_ON = re.compile(
    r"\b(?:attack\w{0,3}|flood\w{0,3}|angriff\w{0,2}|attaque\w{0,2}|ataque\w{0,2}|attacc\w{1,3}|"
    r"атак\w{1,3}|scan\w{0,5}|probes?|hits?)\b[^.:;]{0,30} "
    r"(?:on|against|towards?|at|auf|gegen|contre|contra|contro|sur|на)\s{1,2}(?:our |the |host |"
    r"server |ip |address ){0,3}[\[(<\"']{0,2}\Z",
)
_OWN_MACHINE = re.compile(
    r"\b(?:our|my|unser\w{0,3}|mein\w{0,3}|notre|nos|nuestr\w{1,2}|nosso|nossa|nostr\w|onze|mijn|наш\w{0,3}) "
    r"(?:own |\w{1,12}[ -]){0,2}(?:\w{0,12}server|host|machine|system|receiver|resolver|relay|router|firewall|"
    r"gateway|sensor|honeypot|website|ip|address|serveur|servidor|сервер\w{0,2})s?"
    r"(?:,? (?:at|with|on|having|the|ip|address|v4|v6)){0,4} ?[\[(<\"']{0,2}\Z",
)
_DONE_TO = re.compile(
    r"\A[\])\"'>]{0,3},?\s{1,2}(?:(?:in|at|of|on) (?:our|my) (?:\w{1,15} ){1,3})?"
    r"(?:(?:is|was|were|are|has|have|had|gets?|got|wurde|wird) )(?:(?:now|again|also|being|been|just) ){0,2}"
    r"(?:attacked|flooded|targeted|hit|probed|scanned|brute[ -]?forced|hammered|angegriffen)\b",
)
_TO = re.compile(
    r"(?:\b(?:to|against|on|at|into|auf|gegen|nach|an|vers|contre|sur|a|al|contra|su|contro|naar|"
    r"op|на|к)\b|->|=>|→)[ :\[(<\"']{0,4}(?:our |my |the |host |server |ip |port |\w{1,12} "
    r"){0,2}[\[(<\"']{0,2}\Z",
)
_ARROW_BEFORE = re.compile(r"(?:->|=>|→|-->|>>|\s>)\s{0,3}[\[(\"']{0,2}\Z")
_NAME_LEADS_TO = re.compile(
    r"(?<![\w.@-])(?:[\w-]{1,63}\.){1,6}[A-Za-z]{2,24}[\])\"']{0,2}\s{0,3}(?:-{1,3}>|=>|→)\s{0,3}[\[(\"']{0,2}\Z"
)
"""Outside of logs an arrow from a name to an address says where the name lies."""
_ARROW_AFTER = re.compile(r"\A(?:[:.#/]\w{1,6})?[\])\"']{0,2}(?:\s?\([^)]{0,60}\))?\s{0,3}(?:->|=>|→|-->|>>|>\s)")
_DO_AFTER = re.compile(
    r"\A[\])\"'>,]{0,3}\s{0,2}(?:\([^)]{0,60}\)\s?)?(?:(?:which|that|and|is|was|has|have|been|are|"
    r"hat|ist|wurde|war|ha|est|a été|were|tried|started) ){0,3}(?:\w{2,12} )?(?:attack\w{0,3}|"
    r"scan\w{0,5}|tr(?:ied|ying)|attempt\w{0,3}|sen[dt]\w{0,3}|spam\w{0,4}|brute\w{0,8}|"
    r"flood\w{0,3}|host\w{0,3}|abus\w{0,4}|involved|blocked|banned|listed|detected|observed|"
    r"connect\w{0,3}|infected|compromised|violat\w{0,3}|perform\w{0,3}|seen|caught|found|located|"
    r"distribut\w{0,3}|infring\w{0,3}|angegriffen|versucht)",
)
_NAME_SERVER = re.compile(
    r"[ \t*•-]{0,6}(?:name ?servers?|dns[ -]?servers?|ns ?\d{0,2})\b[^:=\n]{0,20}[:=]", re.IGNORECASE
)
"""A line that says by whom a name is told: whoever serves names is not who did it."""
_CLOCK = re.compile(r"\d:\d\d:\d\d")
_LOG_WORDS = ("sshd[", '"GET ', '"POST ', '"HEAD ', "PROTO=", "SRC=", "postfix/", "kernel:")
_CELL_NUMBER = re.compile(r"[,\t]\d{1,5}[,\t]")
_MENTION = re.compile(
    r"\b(?:dns|name ?server|resolver|mx|relay(?:ed)?|gateway|netmask|range|netblock|inetnum|whois|"
    r"asn?|network|route|subnet|cidr|legitimate|official|original|genuine|authentic|for example|"
    r"e\.g\.|such as|legitim\w{0,3}|oficial|ufficiale|officiel\w{0,3}|echte\w{0,2})\b",
)
_ITEM = re.compile(
    r"\b(?:url\w{0,3}|links?|uri|web ?sites?|site|page|domains?(?: names?)?|location|located|"
    r"hosted|hosting|host ?names?|fqdn|infring\w{2,8}|phish\w{0,6}|malicious|malware|fraud\w{0,6}|"
    r"offend\w{2,4}|reported|remove|removal|"
    r"take ?down|disable|suspend|block|fake|illegal|unauthori[sz]ed|content|following|below|"
    r"webseite|sito|sitio|enlace|lien|ссылк\w{1,3}|сайт\w{0,3}|страниц\w{1,3}|домен\w{0,3})\b|"
    r"違反|侵害|不正|偽|詐欺|違法|削除|钓鱼|仿冒|侵权|违规|诈骗|釣魚|침해|피싱|불법|위반|삭제",
)
_REFERENCE = re.compile(
    r"\b(?:more info\w{0,8}|further info\w{0,8}|for info\w{0,8}|details|see|visit|read|refer|"
    r"learn|help|contact|about|powered|policy|terms|privacy|unsubscribe|report(?:ed)? (?:at|on|to|"
    r"via|here)|our (?:web)?site|official|original|legitimate|genuine|"
    r"authori[sz]ed|rights? owner|owner|trade ?mark|copyrighted work|brand|belong\w{0,3}|"
    r"represent\w{0,6}|behalf|client|screenshot|scan result|analysis|evidence|proof|whois|lookup|"
    r"check|view|verify|database|tool|law|directive|regulation|weitere|siehe|infos?|voir|plus d'|"
    r"ver|más|mehr|approfond|informa\w{2,6})\b|参考|参照|詳細|詳しく|关于|參考|참고|자세",
)
_REFERENCE_WORDS = """
    abuse policy polic legal law terms privacy about contact help faq support docs wiki rfc whois rdap
    lookup scan report result analysis ticket incident case unsubscribe xarf license statut directive
    blog news check search query info share view
"""
_REFERENCE_PARTS = tuple(_REFERENCE_WORDS.split())
_WELL_KNOWN_SITES = """
    abuseipdb.com adobe.com amazon.com apple.com arin.net apnic.net afrinic.net lacnic.net ripe.net iana.org
    icann.org archive.org bing.com cert.org cisa.gov cisco.com cloudflare.com cve.org debian.org dmarc.org
    dnsbl.info docs.rs doi.org ebay.com europa.eu facebook.com first.org github.com gitlab.com gmail.com
    google.com hotmail.com iab.com ietf.org imdb.com instagram.com iso.org linkedin.com live.com maxmind.com
    microsoft.com mitre.org mozilla.org mxtoolbox.com netflix.com nist.gov nmap.org opendkim.org openssl.org
    outlook.com owasp.org paypal.com phishtank.com pinterest.com postfix.org rfc-editor.org sans.org
    shadowserver.org shodan.io spamcop.net spamhaus.org telegram.org t.me tiktok.com trusteddomain.org
    twitter.com ubuntu.com urlscan.io us-cert.gov vimeo.com virustotal.com w3.org whatsapp.com who.is whois.com
    wikipedia.org wipo.int wordpress.org x.com yahoo.com youtube.com
"""
_WELL_KNOWN = frozenset(_WELL_KNOWN_SITES.split())
"""Sites to which complaints refer for whatever reason. They are meant as well at times: it is one cue among others."""
_KEY_SIGNS = frozenset(("=", ":", ">"))
_RIGHTFUL = re.compile(
    r"\b(?:legitimate|official|genuine|authentic|authori[sz]ed (?:site|copy|version|example|"
    r"source|web)|original (?:work|content|site|source|url|page|version|material)|actual (?:url|"
    r"site)|real (?:site|url|website)|"
    r"copyrighted (?:work|material|content)\w{0,2}|works? (?:claimed|infringed|at issue)|claimed "
    r"to (?:have been|be) infringed|infringed (?:work|material)|rights? ?(?:owner|holder)|our "
    r"(?:client|brand|web ?site|site|own)|my (?:own|original|web ?site)|"
    r"owner of|owned by|brand(?:'s)? (?:site|website|url)|target(?:ed)? brand|oficial|ufficiale|"
    r"officiel\w{0,2}|offizielle\w{0,2}|legítim\w|echte\w{0,2})\b|正規|公式|権利者|官方|正版|권리자|공식",
)

_MY_PAGE = re.compile(
    r"(?<!of )(?<!from )(?<!behind )\bmy (?:\w{2,15} )?(?:page|blog|profile|channel)(?: is)?"
    r"\s?:?\s{0,3}[(<\[\"']{0,2}\s?\Z"
)
"""Only where the noun itself leads to the address: what is made of *my blog posts* stands elsewhere."""
_TAKEN = re.compile(
    r"\b(?:us(?:es?|ed|ing)|republish|re-?post|re-?upload|st[eo]l|hack|hijack|took|taken|mirror|harass)"
)

_SENTENCE = 200
_ACCUSES = re.compile(
    r"infring(?!ed\b)|phish|malicious|malware|fraud|offend|fake|illegal|unauthori|pirat|counterfeit|abus|scam|spam|"
    r"cop(?:y|ies|ied)\b|imitat|impersonat|clon|violat|stolen|hosted|hosting",
)


def is_log(text: str) -> bool:
    """True for a line that a machine wrote: a clock, a log's own words, a table's cells."""
    if ":" in text and _CLOCK.search(text):
        return True
    for word in _LOG_WORDS:
        if word in text:
            return True
    return ("," in text or "\t" in text) and _CELL_NUMBER.search(text) is not None


def look_at_address(
    this: Candidate, x: Found, line: Line, *, order: int, of: int, is_log: bool, column: str = ""
) -> None:
    """Note the cues for and against an address: the `order`th thing of `of` on its line, below the title `column`."""
    text = line.plain
    before = text[max(0, x.start - 70) : x.start].lower()
    after = text[x.end : x.end + 70].lower()
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
    if line.zone != "subject" and (_NAME_SERVER.match(text) or _goes_on_from_name_server(line)):
        see("name_server")
    said = before.strip(" \t*-•·>|[(\"'")
    if before.rstrip(" \"'[(<")[-1:] in _KEY_SIGNS:
        if _SOURCE_KEY.search(before):
            see("source_key")
        elif _VICTIM_KEY.search(before):
            see("victim_key")
    elif column:
        title = f"{column.lower()}: "
        if _SOURCE_KEY.search(title):
            see("source_column")
        elif _VICTIM_KEY.search(title):
            see("victim_column")
    if (">" in before or "→" in before) and _ARROW_BEFORE.search(before):
        if is_log or not _NAME_LEADS_TO.search(before):
            see("arrow_target")
    elif (">" in after or "→" in after) and _ARROW_AFTER.match(after):
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
        above = line.before.lower()
        if _VICTIMS_BELOW.search(above) and not _ATTACKERS_BELOW.search(above):
            see("label_victims")
        elif _STRONG.search(above) or _YOURS.search(above):
            see("label_strong")


def _goes_on_from_name_server(line: Line) -> bool:
    """Whether the line was wrapped within the brackets in which a name server's addresses stand."""
    above = line.before
    return (
        ")" in line.plain
        and "(" not in line.plain.partition(")")[0]
        and above.count("(") > above.count(")")
        and _NAME_SERVER.match(above) is not None
    )


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
    done_to = _DONE_TO.match(after) is not None
    if done_to or _ATTACK_ON.search(before) or _OWN_MACHINE.search(before):
        # Whom an attack was on is a target, as what an arrow points at is; so is a machine of the writer's own.
        see("near_ours")
        see("arrow_target")
    elif nearest >= 0:
        see("near_ours" if nearest == our else "near_strong" if nearest == strong else "near_yours")
    if _IP_WORD.search(before):
        see("ip_word")
    if not done_to and _DO_AFTER.match(after):
        see("does")
    if _MENTION.search(before[-40:]):
        see("mention")


def look_at_host(this: Candidate, x: Found, line: Line, *, own: frozenset[str], alone: bool) -> None:
    """Note the cues for and against a host; `own` are the domains of the people in the mail."""
    text = line.plain
    before = text[max(0, x.start - 80) : x.start]
    see = this.see
    see(f"zone_{line.zone}")
    part = registered_part(x.host)
    if part in own:
        see("own_domain")
    if part in _WELL_KNOWN:
        see("well_known")
    see("as_url" if x.kind == "url" else "as_name")
    if line.zone in HOP_ZONES:
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
    label = before if before.strip(" \t*-•>|<([\"'") else line.before[-_SENTENCE:]
    direct = label is before
    item = reference = -1
    said = label.lower()
    for found in _ITEM.finditer(said):
        item = found.end()
    for found in _REFERENCE.finditer(said):
        reference = found.end()
    rightful = -1
    # What is said of an owner holds to the end of the sentence, unless the other side is named after it.
    sentence = text[max(0, x.start - _SENTENCE) : x.start].rpartition(". ")[2] if direct else label
    sentence = sentence.lower()
    for found in _RIGHTFUL.finditer(sentence):
        rightful = found.end()
    if _MY_PAGE.search(sentence) and not _ACCUSES.search(sentence) and not _TAKEN.search(sentence):
        rightful = len(sentence)
    # A whole sentence above a list that accuses is about the list, whomever it names as harmed.
    accuses = not direct and label.rstrip().endswith(".") and _ACCUSES.search(sentence) is not None
    if rightful >= 0 and not accuses and not _ACCUSES.search(sentence, rightful):
        see("rightful")
    if item > reference or (accuses and item >= 0):
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
