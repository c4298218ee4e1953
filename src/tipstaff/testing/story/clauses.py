"""Under which clause of the edition 2026-01 each type of report falls that the story tells of."""

CLAUSES: dict[str, str] = {
    "messaging/spam": "mail.unsolicited",
    "messaging/bulk_messaging": "mail.unsolicited",
    "connection/login_attack": "access.login_attack",
    "connection/sql_injection": "access.unauthorised",
    "connection/port_scan": "network.scanning",
    "connection/reconnaissance": "network.scanning",
    "connection/vulnerability_scan": "network.scanning",
    "connection/ddos": "network.denial_of_service",
    "connection/scraping": "conduct.third_party_rules",
    "connection/infected_host": "hosts.exploited",
    "infrastructure/botnet": "hosts.exploited",
    "content/remote_compromise": "hosts.exploited",
    "content/phishing": "content.phishing",
    "content/malware": "content.malware",
    "content/fraud": "content.fraud",
    "content/exposed_data": "content.exposed_data",
    "content/brand_infringement": "content.brand",
    "copyright/p2p": "copyright.peer_to_peer",
    "copyright/copyright": "copyright.hosted",
    "vulnerability/open_service": "hosts.open_services",
    "vulnerability/cve": "hosts.patching",
}


def clause_for(type: str) -> str:
    """The clause's id."""
    return CLAUSES[type]
