"""Reads takedown letters that name their matter in labelled lines: URL, address, brand, reference."""

from ipaddress import IPv4Address, IPv6Address

from tipstaff.words import Allegation, Reading

from ...forms.labels import labelled
from ...forms.taxonomy import kind_of_names
from ...mail import Mail
from ...ranking.letter import kind_of_letter
from ...ranking.model import Weights, load_weights
from ...shaping import address_in, complaint, excerpt, port_in, reporter_of
from ...text.characters import one_line
from ...text.find import find_all, is_public, refang
from ...text.names import is_host_name, to_ascii
from ...text.phrases import Phrases
from ...text.times import read_time, stated_zone

_ASKS = Phrases(
    r"take.?down|take (?:it|this|the .{0,30}) (?:down|offline)|phish|fraudulent|impersonat|malicious (?:site|"
    r"url|file|content)|"
    r"malware|remove (?:the|this) (?:content|page|site|material)|suspend the|shut ?down|abfisch|hameçonnage|"
    r"fraudulent[ao]",
)
_CONTENT = frozenset(
    ["content/phishing", "content/malware", "content/fraud", "content/brand_infringement", "content/remote_compromise"]
)
_STATED = 0.93
_MOST_LINES = 300
_MOST = 500


class TakedownParser:
    """Reads a letter with at least one labelled URL and one label more."""

    name = "takedown"
    priority = 70

    def __init__(self, weights: Weights | None = None) -> None:
        self.weights = weights

    def read(self, mail: Mail) -> Reading | None:
        """One allegation for each labelled URL, or None when the letter is not laid out so."""
        body = mail.body
        if "://" not in body and "[:" not in body and "[." not in body:
            return None
        if not _ASKS.search(f"{mail.subject}\n{body[:4000]}".lower()):
            return None
        fields: dict[str, list[str]] = {}
        lines: list[str] = []
        for meaning, value, line in labelled(body.splitlines()[:_MOST_LINES]):
            fields.setdefault(meaning, []).append(value)
            lines.append(line.strip()[:600])
        urls = [x for x in map(_url, fields.get("url", ())) if x][:_MOST]
        sources = [x for x in map(_address, fields.get("source", ())) if x is not None]
        if not urls or not (sources or fields.get("brand") or fields.get("reference") or fields.get("domain")):
            return None
        weights = self.weights or load_weights()
        named = kind_of_names(*fields.get("kind", ()))
        kind, chance = (named, _STATED) if named else kind_of_letter(mail, weights)
        if kind not in _CONTENT:
            return None
        sure = named is not None or _STATED * chance >= weights.sure_from
        zone = stated_zone(body)
        when = read_time(*fields.get("time", ()), zone=zone)
        # An address beside several pages is theirs only when it is the only one.
        source = sources[0] if len(set(sources)) == 1 else None
        names = [refang(x).lower().strip(".") for x in fields.get("domain", ())]
        domain = next((to_ascii(x) for x in names if is_host_name(x)), None) if len(urls) == 1 else None
        allegations = [
            Allegation(
                type=kind,
                source=source,
                source_port=port_in(next(iter(fields.get("source_port", ())), "")),
                url=url,
                domain=domain,
                target=one_line(next(iter(fields.get("brand", ())), ""), longest=254) or None,
                moment=when.moment,
                unread_time=when.unread or None,
                excerpt=excerpt(lines),
                confidence=_STATED if named else round(_STATED * chance, 3),
            )
            for url in dict.fromkeys(urls)
        ]
        reference = one_line(next(iter(fields.get("reference", ())), ""), longest=100)
        return complaint(
            mail,
            allegations,
            parser=self.name,
            sure=sure,
            reporter=reporter_of(mail, reference=reference),
            detail="" if sure else "Its words could mean several kinds of abuse.",
        )


def _url(value: str) -> str | None:
    plain = refang(value.strip("<>\"' "))[:2000]
    return next((x.value for x in find_all(plain) if x.kind == "url"), None)


def _address(value: str) -> IPv4Address | IPv6Address | None:
    found = address_in(value.split(" ")[0].strip(",;"))
    return found if found is not None and is_public(str(found)) else None
