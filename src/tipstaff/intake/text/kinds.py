"""What kind of abuse a text speaks of: weighted words of many languages, for XARF types; none is one reporter's own."""

from functools import lru_cache

from .phrases import Phrases, Pieces

_RULES: dict[str, tuple[tuple[float, str], ...]] = {
    "connection/login_attack": (
        (
            5,
            r"brute[ -]?forc\w{0,6}|bruteforce|fuerza bruta|força bruta|forza bruta|force brute|"
            r"brutto?force|перебор парол",
        ),
        (
            4,
            r"(?:failed|fehlgeschlagene|invalid|unauthori[sz]ed|repeated|illegal|failure) (?:ssh |log "
            r"?[io]n |password|auth\w{0,12}|user|access)",
        ),
        (
            4,
            r"log ?in attempts?|login[ -]?attack|login[ -]?versuch\w{0,3}|tentativ\w{1,4} (?:de |di "
            r")(?:login|acces\w{0,3}|connexion|inicio)|authentication fail\w{0,5}|auth failed|failed "
            r"password",
        ),
        (
            3,
            r"sshd?\[|sshd:|pam_unix|\bfail2ban\b|dovecot|saslauth|sasl login|pop3-login|imap-login|"
            r"locked out|login failures|"
            r"xmlrpc\.php|wp-login|pass?word guess\w{0,3}|dictionary attack|credential stuffing",
        ),
        (
            2,
            r"(?:currently|seen|been|is|are|was|were) attacking|\bssh\b|\bimap\b|\bpop3\b|\brdp\b|\bsip\b|"
            r"hack\w{0,4} (?:attempt|attack)s?|break[ -]?in|intrusion attempts?|blocked by|banned",
        ),
    ),
    "connection/port_scan": (
        (
            6,
            r"port[ -]?scan\w{0,5}|portscan|netscan|scan(?:ning|ned)? (?:of |for )?(?:open )?ports?|"
            r"network scan\w{0,4}|netzwerk-?scans?\b|"
            r"escaneo|escaneamento|scansione|balayage|ポートスキャン|端口扫描|포트 ?스캔",
        ),
        (
            4,
            r"scan(?:s|ned|ning)? (?:activity|our|from|attack|detected|of our|the|packets?)|"
            r"unauthori[sz]ed scan\w{0,4}|probing|probes? "
            r"(?:our|from)|сканирован",
        ),
        (
            3,
            r"unallowed|in=\w{0,12} out=|\bdpt=\d|proto=tcp|\bsyn\b|dropped packets?|netfilter|"
            r"iptables|\bufw\b|firewall log|darknet",
        ),
        (1, r"firewall|connection attempts?|unsolicited connection|\bscan\b"),
    ),
    "connection/ddos": (
        (
            6,
            r"\bd?dos[ -]?(?:attack|angriff|атак)\w{0,3}|\bddos\w{0,3}|denial[ -]of[ -]service|"
            r"denegaci[oó]n de servicio|negação de serviço|déni de service|отказ в обслуживании",
        ),
        (
            4,
            r"(?:udp|syn|icmp|tcp|http|dns|ntp)[ -]?flood\w{0,4}|flooding|amplif\w{2,9}|reflection|"
            r"booter|gbps|mbit/s|\bpps\b|packets per second",
        ),
        (1, r"\battack(?:ed|ing|s)?\b"),
    ),
    "connection/sql_injection": ((6, r"sql[ -]?injec\w{2,5}|inyecci[oó]n sql|union(?:\+|%20| )select|sqlmap"),),
    "connection/scraping": (
        (6, r"\bscrap(?:ing|er|ers)\b|crawl(?:ing|er) (?:our|excessive|aggress)\w{0,8}|content harvesting"),
    ),
    "connection/vulnerability_scan": (
        (
            5,
            r"vulnerability[ -]?scan\w{0,5}|web[ -]?(?:app\w{0,12} )?attack|exploit (?:attempt|"
            r"scan)\w{0,4}|attempt\w{0,3} to exploit|path traversal|directory traversal|shellshock|"
            r"nmap|nikto|zgrab|phpunit|varredura de vulnerabilidades|escaneo de vulnerabilidades|脆弱性スキャン|"
            r"\bwaf\b|web application firewall|(?:php|code|command|script|header) injection",
        ),
        (
            3,
            r"web[ -]?attacks?|/etc/passwd|\.\./\.\.|/\.env|/cgi-bin/|modsecurity|mod_security|"
            r"access attempt|hackable",
        ),
    ),
    "connection/infected_host": (
        (
            4,
            r"infected (?:[\w.-]{2,20} ){0,2}(?:host|machine|computer|system|device|client|ip|node|pc)s?|"
            r"infected (?:with|by)|"
            r"infektion\w{0,2}|infiziert\w{0,3}|(?:schadprogramm|malware|virus|trojan\w{0,2}|"
            r"bot)[ -]?infe[ck]t\w{2,5}|"
            r"virus[ -]?infected|\bworm\b|infectad[oa]s?|infect[ée]e?s?\b|infett\w{1,2}\b|заражен\w{1,3}|"
            r"zainfekowan\w{1,3}",
        ),
    ),
    "content/phishing": (
        (7, r"phish\w{0,6}|フィッシング|фишинг\w{0,4}|钓鱼|網路釣魚"),
        (
            4,
            r"(?:fake|spoofed|fraudulent|counterfeit) (?:web ?)?(?:site|page|login)s?|credential "
            r"harvest\w{0,4}|steal\w{0,4} (?:credential|password|personal|sensitive)\w{0,2}|"
            r"hameçonnage|sito clone|página falsa|impersonat\w{2,5} (?:our|the|a) (?:bank|site|login)",
        ),
        (2, r"online banking|bank customers|personal (?:and|or) (?:financial|sensitive)|credentials"),
    ),
    "content/malware": (
        (
            5,
            r"malware (?:distribution|hosting|site|url|download|sample|payload|binar\w{1,3})\w{0,2}|"
            r"malicious (?:software|file|payload|executable|code|binar\w{1,3}|download|script)s?|"
            r"malicious (?:url|content|domain)s? |schadprogramm\w{0,3}|schadcode|trojaner\w{0,2}|"
            r"malware (?:family|family:|name|feed)",
        ),
        (
            4,
            r"\bmalware\b|\btrojan\b|\bransomware\b|\bexploit kit\b|\bdropper\b|\bviruses\b|"
            r"schadsoftware|maliciel|логвар|вредонос\w{2,6}|sha256|virus total",
        ),
        (2, r"md5 ?:|\bsha1\b|payload|\.exe\b|\bvirus\b"),
    ),
    "content/fraud": (
        (
            5,
            r"advance[ -]?fee|\b419\b|romance scam|investment (?:scam|fraud)|fake (?:web ?)?(?:shop|"
            r"store)s?|online fraud|\bbetrug\w{0,6}|\bestafa\w{0,3}|fraude?\b (?:site|web|shop)|"
            r"(?:tech(?:nical)?|customer) support (?:scam|fraud)\w{0,4}|fraudulent (?:activit|shop|store|offer)\w{1,3}|"
            r"мошенн\w{2,8}|extort\w{0,5}|sextortion",
        ),
        (
            3,
            r"\bscam(?:s|mer|mers|ming)?\b|\bfraud(?:ulent|ster|sters)?\b|\btruffa\w{0,3}|"
            r"\bfraudulent[aeo]?s?\b|\bfraude\b|support fraud|misrepresent\w{0,6}|deceiv\w{1,4}",
        ),
    ),
    "content/brand_infringement": (
        (
            6,
            r"trade ?mark\w{0,3}|brand (?:misuse|usurp\w{2,6})|misus\w{1,3} (?:[\w'-]{2,20} ){0,3}brand|"
            r"\bmarks?\b (?:registr|infring)\w{0,8}|counterfeit\w{0,4}|"
            r"markenrecht\w{0,6}|marque déposée|marca registrada|marchi\w{0,2} registrat\w|brand "
            r"(?:abuse|infring\w{0,7}|protection)|товарн\w{2,4} знак\w{0,3}",
        ),
        (
            3,
            r"cybersquat\w{0,6}|typosquat\w{0,6}|impersonat\w{2,5}|passing off|unauthori[sz]ed use of|"
            r"our brand|intellectual property|lookalike",
        ),
    ),
    "content/exposed_data": (
        (
            6,
            r"data (?:leak|breach|exposure)|leaked (?:data|credential|database)s?|exposed (?:data|"
            r"database|credential|personal|git|document)\w{0,2}|private document|personal data "
            r"(?:published|exposed)|doxx?(?:ing|ed)\b|non[- ]?consensual|revenge porn|"
            r"intimate (?:image|photo|picture|video)s?|without (?:her|his|their|my) consent|fuite de données|datenleck",
        ),
    ),
    "content/remote_compromise": (
        (
            5,
            r"web[ -]?shell\w{0,2}|defac\w{2,8}|compromised (?:web ?site|site|wordpress|cms|web)|"
            r"hacked (?:web ?)?(?:site|page)s?|gehackte?|sito compromesso|injected (?:code|script|"
            r"content)|skimm(?:er|ing)|magecart",
        ),
    ),
    "content/suspicious_registration": (
        (
            5,
            r"suspicious(?:ly)? (?:registered |)domains?|newly registered domains?|domain (?:was "
            r")?recently registered|will be used for fraud",
        ),
    ),
    "copyright/p2p": (
        (
            6,
            r"bit ?torrent|\btorrents?\b|peer[ -]?to[ -]?peer|\bp2p\b|info ?hash|e ?donkey|gnutella|"
            r"kademlia|\bμtorrent|utorrent|transmission/",
        ),
    ),
    "copyright/copyright": (
        (
            6,
            r"(?<!© )(?<!\(c\) )copyright\w{0,4}(?!\w| ?(?:©|\(c\)|&copy|19\d\d|20\d\d))|\bdmca\b|"
            r"urheberrecht\w{0,12}|droits? d.auteur|derechos? de autor|"
            r"diritt[oi] d.autore|direitos? autora\w{1,3}|авторск\w{2,4} прав\w{0,3}|著作権|版权",
        ),
        (
            3,
            r"original work|cop(?:y|ied|ies) (?:of )?(?:my|our) (?:web ?)?(?:site|page|content|work|photo|image|"
            r"article)\w{0,2}|"
            r"infring(?:ing|ement|ements|es|ed)\b|pirat(?:ed|ing|ación|aria|erie)|\bpiracy\b|"
            r"unauthori[sz]ed (?:copy|copies|copying|distribution|stream\w{0,4}|broadcast\w{0,3})|"
            r"penalty of perjury|rights ?holder|iptv",
        ),
    ),
    "infrastructure/botnet": (
        (
            4,
            r"(?:command|kontroll|steuerungs)[ -]?server|c2(?:servers?|hosts?|nodes?|panel)|bot infect\w{2,4}|"
            r"part of a bot|servidor de comando|serveur de commande",
        ),
        (6, r"\bbotnets?\b|command[ -](?:and|&)[ -]control|\bc ?& ?c\b|\bc2\b(?: server)?|\bcnc\b|\bmirai\b|zombie"),
        (3, r"\bbots?\b|sinkhole\w{0,2}|drone"),
    ),
    "infrastructure/compromised_server": (
        (
            4,
            r"compromised (?:server|host|machine|system|device|account|computer|node|hardware)s?|"
            r"kompromittiert\w{0,3}|kompromittierung\w{0,2}|servidor(?:es)? comprometid\w{1,2}|serveurs? compromis|"
            r"sistem\w{1,2} compromess[oi]|has been (?:hacked|compromised)|(?:is|are|was|were|been) compromised|"
            r"(?:hacked|backdoored) (?:server|host|system)s?|account compromise\w{0,1}|compromiso de",
        ),
        (
            2,
            r"possibl[ey] compromise\w{0,1}|backdoors?|hijacked (?:server|host|"
            r"account)s?",
        ),
    ),
    "messaging/spam": (
        (
            5,
            r"\bspam\w{0,5}\b|unsolicited (?:bulk |commercial )?(?:e-?mail|mail|message)s?|\bube\b|"
            r"\buce\b|junk (?:e-?)?mail|pourriel|correo no deseado|lixo eletr|posta indesiderata|"
            r"спам\w{0,3}|迷惑メール|垃圾邮件|unerw[uü]nscht\w{0,2} (?:e-?mail|werbe)",
        ),
        (
            3,
            r"spam[ -]?trap|spamcop|feedback-type: abuse|can-spam|forwarded message|werbung|feedback[ -]loop|\bfbl\b",
        ),
        (2, r"unsubscribe|opt-?out|newsletter"),
        (
            4,
            r"(?:scam|porn\w{0,6}|fraud\w{0,4}|unwanted|spoofed|bulk) (?:and \w{2,12} )?e-?mails?\b|"
            r"noqueue: reject|recipient address rejected|sender address rejected|relay(?:ing)? (?:access )?denied|"
            r"e-?mail abuse|mail abuse|spammers?\b|phishing[ -]?mails? (?:from|sent)",
        ),
        (1, r"\breceived: from|return-path:|x-spam"),
    ),
    "messaging/bulk_messaging": ((4, r"bulk (?:mailing|messag\w{2,4}|sending)"),),
    "vulnerability/open_service": (
        (
            6,
            r"open (?:dns )?(?:recursive |)(?:resolver|relay|proxy|proxies|recursor|mongodb|redis|"
            r"elasticsearch|memcached|ntp|snmp|ssdp|ldap|rdp|netbios|portmapper|smb|telnet|service|"
            r"port)s?\b|openly accessible|publicly accessible|accessible (?:from|to|over) (?:the "
            r")?(?:entire |whole |public )?internet|offene\w{0,2} \w{2,20}-?(?:server|dienst|"
            r"port)\w{0,2}",
        ),
        (
            5,
            r"(?:exposed|accessible|reachable|unprotected|insecure) (?:[\w.-]{2,20} ){0,3}(?:device|instance|"
            r"service|server|system|interface|console|panel|database|product|installation|host|port)s?\b|"
            r"(?:publicly|freely|openly) (?:exposed|available|reachable|accessible)|directory listing|"
            r"(?:exposed|reachable|visible) (?:on|to|from|via) the (?:public )?internet|"
            r"öffentlich (?:erreichbar|zug[äa]nglich)|aus dem internet erreichbar|frei (?:erreichbar|zug[äa]nglich)|"
            r"servicios? (?:expuesto|abierto)s?|serviços? expostos?|services? expos[ée]s?|servizi(?:o)? espost[oi]|"
            r"dost[ęe]pn\w{1,4} us[łl]u\w{1,3}|открыт\w{2,3} (?:порт|сервис|служб)\w{0,2}|"
            r"ohne authentifizierung erreichbar|"
            r"unverschl[üu]sselt\w{0,3} authentifizierung|without (?:any )?authentication",
        ),
        (
            4,
            r"vulnerable (?:[\w.-]{2,20} ){0,3}(?:device|instance|service|server|system|product|installation|host|"
            r"version|appliance|router|software)s?\b|verwundbar\w{0,3} [\w.-]{2,30}",
        ),
        (
            3,
            r"misconfigured|openresolver|amplifier|weak "
            r"security configuration|mdns|portmap|netbios|chargen|tftp|ipmi",
        ),
    ),
    "vulnerability/cve": (
        (
            5,
            r"\bcve-\d{4}-\d{4,7}\b|vulnerab(?:le|ility(?![ -]?scan)|ilities|ilità|ilidad(?!es))|"
            r"(?<!varredura de )vulnerabilidades|verwundbar\w{0,3}|"
            r"schwachstelle\w{0,2}|sicherheitsl[uü]cke\w{0,2}|unpatched|outdated (?:software|version)|"
            r"end[ -]of[ -]life|kwetsba\w{2,8}",
        ),
    ),
    "vulnerability/misconfiguration": ((3, r"\bmisconfigur\w{2,6}|ssl certificate|weak cipher|poodle|freak"),),
    "reputation/blocklist": (
        (
            5,
            r"block ?list(?:ed|ing|s)?|blacklist(?:ed|ing|s)?|\brbl\b|dnsbl|listed (?:on|in|by) "
            r"(?:our|the)? ?(?:block|black|spam|dns|bl)\w{0,8}|\bsbl\b",
        ),
    ),
}

_COMPILED = {kind: tuple((weight, Phrases(pattern)) for weight, pattern in rules) for kind, rules in _RULES.items()}
_PIECES = Pieces(word for rules in _COMPILED.values() for _, pattern in rules for word in pattern.words)
_PRIOR = {
    "reputation/blocklist": 0.7,
    "infrastructure/compromised_server": 0.7,
    "content/fraud": 0.7,
    "content/remote_compromise": 0.8,
    "vulnerability/cve": 0.8,
    "connection/infected_host": 0.8,
    "messaging/spam": 0.85,
    "connection/vulnerability_scan": 0.8,
    "content/malware": 0.85,
    "vulnerability/misconfiguration": 0.6,
}
_LONGEST = 8_000
_OUTRIGHT = 4


def weigh_kinds(*, subject: str, text: str) -> dict[str, float]:
    """Points for every XARF type that the words speak of. The subject counts thrice; repetition counts little."""
    points: dict[str, float] = {}
    text = text[:_LONGEST].lower()
    subject = subject.lower()
    early = text[:1500]
    whole = f"{subject}\n{text}"
    held = _PIECES.held_by(whole)
    for kind, rules in _COMPILED.items():
        sum_ = 0.0
        for weight, pattern in rules:
            if not pattern.search_by_words(whole, held):
                continue
            in_subject = bool(subject) and pattern.search(subject)
            in_early = pattern.search(early)
            in_text = in_early or pattern.search(text)
            sum_ += weight * (2.0 * in_subject + 1.0 * in_early + 0.5 * in_text)
        if sum_:
            points[kind] = sum_ * _PRIOR.get(kind, 1.0)
    return points


def named_on(line: str) -> frozenset[str]:
    """The types that a line names outright, by a word that hardly means anything else."""
    line = line.lower()
    return frozenset(
        kind
        for kind, rules in _COMPILED.items()
        if any(weight >= _OUTRIGHT and pattern.search(line) for weight, pattern in rules)
    )


@lru_cache(maxsize=1)
def known_kinds() -> frozenset[str]:
    """The types that the rules can name."""
    return frozenset(_RULES)


def choose_kind(points: dict[str, float]) -> tuple[str, float]:
    """The likeliest type and how sure that is, 0 to 1. With nothing to go by: an empty text."""
    if not points:
        return "", 0.0
    ordered = sorted(points.items(), key=lambda x: (-x[1], x[0]))
    best, most = ordered[0]
    second = ordered[1][1] if len(ordered) > 1 else 0.0
    return best, round(most / (most + second + 2.0), 3)
