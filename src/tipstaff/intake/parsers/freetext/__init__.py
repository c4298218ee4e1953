"""Reads complaints in anybody's words: finds what is named, weighs who is meant, and says when it is not sure."""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from tipstaff.words import Allegation, Reading, ReadingReason

from ...mail import Mail
from ...ranking.choose import Choice, certainty, choose
from ...ranking.letter import kind_of, prose
from ...ranking.marks import marks_of
from ...ranking.model import Weights, load_weights
from ...ranking.rivals import Around, about_items
from ...shaping import complaint, excerpt, unreadable
from ...text.candidate import Candidate
from ...text.candidates import gather
from ...text.kinds import weigh_kinds
from ...text.sections import lay_out
from .events import Times, facts_of

MOST_SOURCES = 500
"""More offenders in one letter are a matter for a person."""
MOST_URLS = 200
_ABOUT_ITEMS = ("content/", "copyright/")


class FreetextParser:
    """The last to be asked: it takes any mail that names an address or a host."""

    name = "freetext"
    priority = 1000

    def __init__(self, weights: Weights | None = None) -> None:
        self.weights = weights

    def read(self, mail: Mail) -> Reading | None:
        """What the letter alleges, or why that is left to a person."""
        weights = self.weights or load_weights()
        lines = lay_out(mail)
        scene = gather(mail, lines)
        if scene.overflow or len(scene.addresses) > 40 * MOST_SOURCES:
            return self._too_many(mail, len(scene.addresses))
        text = prose(lines)
        rules = weigh_kinds(subject=mail.subject, text=text)
        matter = about_items(rules)
        beside_addresses, beside_hosts = Around(len(scene.hosts), matter), Around(len(scene.addresses), matter)
        addresses = choose(scene.addresses, weights.address, weights.address_rivals, beside_addresses)
        hosts = choose(scene.hosts, weights.host, weights.host_rivals, beside_hosts)
        if len(addresses.chosen) > MOST_SOURCES:
            return self._too_many(mail, len(addresses.chosen))
        if not addresses.chosen and not hosts.chosen:
            return unreadable(
                mail, ReadingReason.NO_SOURCE, parser=self.name, detail="It names no address, no URL and no host."
            )
        writer = mail.sender[1].rpartition("@")[2].lower()
        if not addresses.chosen and all(f".{x.value}".endswith(f".{writer}") for x in hosts.chosen):
            return unreadable(
                mail, ReadingReason.NO_SOURCE, parser=self.name, detail="It names nobody but pages of its own writer."
            )
        kind, sure_of_kind = kind_of(mail.subject, text, rules, weights)
        with_items = kind.startswith(_ABOUT_ITEMS) and kind != "copyright/p2p"
        sure_of_source = (
            certainty(addresses, weights.sure_address) if addresses.chosen else certainty(hosts, weights.sure_host)
        )
        likelihood = sure_of_source * sure_of_kind
        confidence = round(likelihood, 3)
        sure = bool(rules) and likelihood >= weights.sure_from and not any(x.network for x in addresses.chosen)
        items = list(hosts.chosen) if with_items or not addresses.chosen else []
        return complaint(
            mail,
            list(_allegations(list(addresses.chosen), items, kind, Times(mail, lines), confidence)),
            parser=self.name,
            sure=sure,
            prose_read=True,
            marks=()
            if sure
            else (
                *marks_of(scene.addresses, weights.address, chosen=set(map(id, addresses.chosen))),
                *marks_of(scene.hosts, weights.host, chosen=set(map(id, hosts.chosen))),
            ),
            detail="" if sure else _doubt(bool(rules), sure_of_kind, sure_of_source, addresses),
        )

    def _too_many(self, mail: Mail, many: int) -> Reading:
        return unreadable(
            mail,
            ReadingReason.TOO_MANY_SOURCES,
            parser=self.name,
            detail=f"It names {many} addresses; a letter may name {MOST_SOURCES} sources.",
        )


def _telling(urls: Iterable[str]) -> list[str]:
    """Without the bare host where a page on it is named: the page is what is meant."""
    urls = list(urls)
    pages = [url for url in urls if urlsplit(url).path.strip("/") or urlsplit(url).query]
    return pages or urls


def _allegations(
    chosen: list[Candidate], items: list[Candidate], kind: str, times: Times, confidence: float
) -> Iterable[Allegation]:
    urls = [(url, item) for item in items for url in _telling(item.urls)][:MOST_URLS]
    bare = [x for x in items if not x.urls]
    if len(chosen) <= 1 and (urls or bare):
        # One address and its items: each item is an allegation of its own, at that address.
        source = ip_address(chosen[0].value) if chosen else None
        own_urls = [(url, chosen[0]) for url in _telling(chosen[0].urls)][:MOST_URLS] if chosen else []
        for url, item in own_urls + urls:
            when = times.of(chosen[0] if chosen else item)
            yield Allegation(
                type=kind,
                source=source,
                url=url,
                domain=item.value if item.kind == "host" else None,
                moment=when.moment,
                unread_time=when.unread or None,
                excerpt=excerpt([x.text for x in item.lines[:10]]),
                confidence=confidence,
            )
        for item in bare[:MOST_URLS]:
            when = times.of(chosen[0] if chosen else item)
            yield Allegation(
                type=kind,
                source=source,
                domain=item.value,
                moment=when.moment,
                unread_time=when.unread or None,
                excerpt=excerpt([x.text for x in item.lines[:10]]),
                confidence=confidence,
            )
        return
    for this in chosen:
        facts, when = facts_of(this), times.of(this)
        yield Allegation(
            type=kind,
            source=ip_address(this.value),
            source_port=facts.source_port,
            url=next(iter(this.urls), None),
            protocol=facts.protocol,
            target=facts.target,
            target_port=facts.target_port,
            moment=when.moment,
            unread_time=when.unread or None,
            excerpt=excerpt([x.text for x in this.lines[:20]]),
            confidence=confidence,
        )


def _doubt(rules: bool, sure_of_kind: float, sure_of_source: float, addresses: Choice) -> str:
    if not rules:
        return "It names no kind of abuse that is known here."
    if any(x.network for x in addresses.chosen):
        return "It means a whole network."
    if sure_of_kind < sure_of_source:
        return "Several kinds of abuse are likely."
    return "Another address or host in it could be meant as well."
