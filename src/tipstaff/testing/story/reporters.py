"""Who complains in the story. Nobody here exists; every domain is reserved for examples."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reporting:
    """A sender of mail: name, address, and the zone in which they write their times."""

    name: str
    address: str
    zone_hours: float = 0
    mx: str = "203.0.113.200"

    @property
    def domain(self) -> str:
        return self.address.partition("@")[2]


SPAMTRAP = Reporting("Example Spamtrap Project", "reports@spamtrap.example.org", mx="203.0.113.201")
FEEDBACK_LOOP = Reporting("Sample Mail Feedback Loop", "fbl@mailhost.example.com", mx="203.0.113.202")
FREEMAIL = Reporting("Freemail Postmaster", "feedback@freemail.example.org", mx="203.0.113.203")
HONEYPOT = Reporting("Example Honeypot Network", "xarf@honeypot.example.org", mx="203.0.113.204")
SCAN_FOUNDATION = Reporting("Example Scan Foundation", "autoreports@scans.example.org", mx="203.0.113.205")
RIGHTS_AGENCY = Reporting("Sample Rights Agency", "notices@rights.example.com", mx="203.0.113.206")
FILM_STUDIO = Reporting("Placeholder Pictures", "compliance@pictures.example.com", mx="203.0.113.207")
BANK = Reporting("Example Bank Fraud Desk", "phishing@bank.example.com", mx="203.0.113.208")
CERT = Reporting("Beispiel-CERT", "meldungen@cert.example.org", 1, mx="203.0.113.209")
HOSTER_FR = Reporting("Exemple Hébergement", "securite@hebergement.example.com", 1, mx="203.0.113.210")
UNIVERSITY = Reporting("Universidad de Ejemplo", "seguridad@universidad.example.org", 1, mx="203.0.113.211")
PROVIDER_BR = Reporting("Provedor Exemplo", "abuso@provedor.example.com", -3, mx="203.0.113.212")
NETWORK_JP = Reporting("見本ネットワーク", "abuse@mihon.example.com", 9, mx="203.0.113.213")
PROVIDER_PL = Reporting("Przykładowy Dostawca", "abuse@dostawca.example.org", 1, mx="203.0.113.214")
PROVIDER_IT = Reporting("Rete Esempio", "abuse@rete.example.com", 1, mx="203.0.113.215")
PROVIDER_NL = Reporting("Voorbeeld Provider", "misbruik@provider.example.org", 1, mx="203.0.113.216")
WORKSHOP = Reporting("Dana Sample", "dana@workshop.example.org", mx="203.0.113.217")
WEB_SHOP = Reporting("Sample Web Shop", "root@webshop.example.com", mx="203.0.113.218")
ARCADE = Reporting("Example Arcade Servers", "noc@arcade.example.com", mx="203.0.113.219")
FIREWALL = Reporting("Sample Firewall Service", "alerts@firewall.example.com", mx="203.0.113.220")
HOTLINE = Reporting("Example Child Protection Hotline", "reports@hotline.example.org", mx="203.0.113.221")
CITIZEN = Reporting("Jamie Sample", "jamie@mailbox.example.com", mx="203.0.113.222")
MALWARE_WATCH = Reporting("Example Malware Watch", "reports@malwarewatch.example.org", mx="203.0.113.223")
BRAND_DESK = Reporting("Placeholder Brand Protection", "takedown@brands.example.com", mx="203.0.113.225")
HOSPITAL = Reporting("Sample Hospital IT", "security@hospital.example.org", mx="203.0.113.226")
CONFERENCE = Reporting("Example Network Conference", "newsletter@conference.example.com", mx="203.0.113.227")
VENDOR = Reporting("Sample Appliance Sales", "sales@appliances.example.com", mx="203.0.113.228")
SCHOOL = Reporting("Example School", "it@school.example.org", mx="203.0.113.229")
