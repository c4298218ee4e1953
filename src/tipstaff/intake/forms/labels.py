"""Lines of `Label: value`, by what the label means whatever its words."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

_MEANINGS = {
    "source": (
        "ip|ip address|ip addr|ipaddress|ipv4|ipv6|source|src|source ip|source ip address|source address|src ip|"
        "srcip|src addr|"
        "offending ip|offender|offender ip|attacker|attacker ip|attacking ip|malicious ip|abusive ip|infected ip|"
        "suspicious ip|reported ip|host ip|server ip|ip host|remote ip|client ip|bot ip|saddr|sourceip|"
        "src ip addr|adresse ip|"
        "ip adresse|ip-adresse|indirizzo ip|direccion ip|adres ip|address|host address|cc ip|hosting ip|phishing ip"
    ),
    "source_port": "source port|src port|srcport|sport|port|local port|client port|port source|server port|open port",
    "target": (
        "destination|dst|destination ip|dest ip|dst ip|dstip|dst addr|target|target ip|target ip address|victim|"
        "victim ip|"
        "destination address|attacked ip|daddr|destination ip address|targeted ip"
    ),
    "target_port": "destination port|dest port|dst port|dstport|dport|target port|targeted port|victim port",
    "protocol": "protocol|proto|transport|ip protocol|service|l4 proto|app proto",
    "time": (
        "time|timestamp|time stamp|date|datetime|date time|date/time|time utc|utc time|event time|"
        "detection time|detected|"
        "detected at|last seen|lastseen|first seen|firstseen|seen|observed|time of incident|incident time|"
        "start time|start|"
        "begin|date utc|timestamp utc|timestamp (utc)|time (utc)|date (utc)|time of detection|occurred|log time|"
        "reported|source time|"
        "time of event|date of incident|datum|zeit|zeitpunkt|uhrzeit|date and time|event timestamp|"
        "observation time|time.source"
    ),
    "url": "url|phishing url|malicious url|link|uri|site|website|page|web page|offending url|infringing url|"
    "malware url|location|reported url|abusive url",
    "domain": "domain|domain name|fqdn|hostname|host|host name|dns name|reported domain|c2 domain|phishing domain",
    "kind": (
        "type|category|attack|attack type|incident type|abuse type|classification|class|kind|reason|event type|"
        "infection|"
        "malware|malware family|threat|threat type|tag|description|classification type|issue|report type|"
        "taxonomy|problem"
    ),
    "brand": "brand|target brand|targeted brand|impersonated brand|customer|organisation|organization|"
    "targeted organisation|targeted organization",
    "reference": "reference|ref|ticket|ticket id|case|case id|case number|incident id|incident|report id|id|"
    "reference number|reference id",
}
MEANING = {name: meaning for meaning, names in _MEANINGS.items() for name in names.split("|")}
"""What a label or a column's name means: `source`, `target`, `time`, `url` ..."""

_WORDS = re.compile(r"[^a-z0-9()/.+]+")
_LINE = re.compile(
    r"^[ \t>*•-]{0,6}([A-Za-zÀ-ž][A-Za-zÀ-ž0-9 ()/._-]{1,40}?)[ \t]{0,6}(?::|=|\t)[ \t]{0,20}(\S.{0,2000})$"
)


@lru_cache(maxsize=4096)
def meaning_of(name: str) -> str | None:
    """What a label means, or None when it is none of ours."""
    plain = _WORDS.sub(" ", name.lower()).strip()
    if plain in MEANING or ("(" not in plain and ")" not in plain):
        return MEANING.get(plain)
    return MEANING.get(plain.replace("(", "").replace(")", "").strip())


def labelled(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """(meaning, value, line) of each line that has a label of ours."""
    for line in lines:
        if ":" not in line and "=" not in line and "\t" not in line:
            continue
        found = _LINE.match(line[:2200])
        if found and (meaning := meaning_of(found[1])):
            yield meaning, found[2].strip().strip("*").strip(), line
