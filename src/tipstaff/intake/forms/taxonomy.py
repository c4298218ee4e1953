"""Names that others give to kinds of abuse, and the XARF type that each means."""

import re
from functools import lru_cache

_NAMES = (
    # The Reference Incident Classification Taxonomy of ENISA's task force, and what feeds and CERTs write for it.
    (r"child.{0,3}(?:abuse|porn|sexual|exploit)|csam|csem|p[ae]{1,2}do(?:phil|porn)", "content/csam"),
    (
        r"c2|c&c|cnc|command.{0,5}control|botnet|\bbots?\b|zombie|sinkhole|\brat\b|drone|infected.?system",
        "infrastructure/botnet",
    ),
    (r"infected|infection|trojan|worm", "connection/infected_host"),
    (r"phish|credential.?harvest|masquerade", "content/phishing"),
    (
        r"malware.?(?:distribution|download|url|hosting|configuration)|malicious.?code|malware|virus|ransom|"
        r"dropper|payload",
        "content/malware",
    ),
    (r"bulk", "messaging/bulk_messaging"),
    (r"spam|unsolicited|\bube\b|\buce\b", "messaging/spam"),
    (r"ddos|\bdos\b|denial.{0,4}of.{0,4}service|flood|amplif.{0,12}attack|availability", "connection/ddos"),
    (
        r"brute|login|password.?guess|dictionary|credential.?stuff|\bssh\b.{0,20}(?:attack|attempt)|"
        r"unauthori[sz]ed.?access",
        "connection/login_attack",
    ),
    (r"sql.?inj", "connection/sql_injection"),
    (
        r"ids.?alert|exploit.?attempt|exploit(?:ation)?.?(?:of|known)|intrusion.?attempt|web.?attack|"
        r"vulnerability.?scan|application.?attack",
        "connection/vulnerability_scan",
    ),
    (r"scrap|harvest|crawl", "connection/scraping"),
    (r"port.?scan|scann|\bscan\b|sweep|probe|darknet|information.?gathering", "connection/port_scan"),
    (r"recon", "connection/reconnaissance"),
    (r"defac|web.?shell|backdoor|remote.?(?:code|compromise)", "content/remote_compromise"),
    (r"compromise|intrusion|hacked|privileged.?account", "infrastructure/compromised_server"),
    (r"copyright|infring|piracy|dmca", "copyright/copyright"),
    (r"trademark|brand", "content/brand_infringement"),
    (r"fraud|scam", "content/fraud"),
    (r"leak|exposed.?data|disclosure.?of.?confidential|data.?breach", "content/exposed_data"),
    (
        r"amplifier|open.?(?:service|resolver|port|relay|proxy)|accessible|potentially.?unwanted|ddos-amplifier|"
        r"exposed",
        "vulnerability/open_service",
    ),
    (r"weak.?crypto|misconfig|poodle|freak|certificate|information.?disclosure", "vulnerability/misconfiguration"),
    (r"cve-\d|vulnerab|unpatched|outdated", "vulnerability/cve"),
    (r"black.?list|block.?list|deny.?list|dnsbl|\brbl\b|reputation", "reputation/blocklist"),
    (r"suspicious.?(?:domain|registration)|dga", "content/suspicious_registration"),
    (r"threat|malicious.?activity|\bioc\b|indicator", "reputation/threat_intelligence"),
)
_COMPILED = tuple((re.compile(pattern), kind) for pattern, kind in _NAMES)


def kind_of_names(*names: str) -> str | None:
    """The XARF type of the first of the names that says one, or None."""
    return next((kind for kind in map(_kind, names) if kind), None)


@lru_cache(maxsize=4096)
def _kind(name: str) -> str | None:
    lowered = name[:300].lower().replace("_", " ")
    if not lowered.strip():
        return None
    return next((kind for pattern, kind in _COMPILED if pattern.search(lowered)), None)
