"""Reads the rows that fetched feeds are kept as: listings, URLs, indicators, scores; what is gone accuses nobody."""

import json
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from tipstaff.words import Allegation, Reading, ReadingReason

from ...forms.taxonomy import kind_of_names
from ...mail import Mail
from ...shaping import MOST_ALLEGATIONS, address_in, complaint, excerpt, set_aside, unreadable
from ...text.characters import decode, one_line
from ...text.find import find_all, refang
from ...text.names import is_host_name, to_ascii
from ...text.times import Stated, read_time

_FORM = "application/vnd.tipstaff.feed+json"
_TIMES = ("first_seen", "last_seen", "date_added", "dateadded", "timestamp")
Row = dict[str, Any]


class FeedParser:
    """Reads `{"feed": name, "rows": [...]}`, in which each row is as its publisher wrote it."""

    name = "feed"
    priority = 15

    def read(self, mail: Mail) -> Reading | None:
        """What the rows say, or None when the mail holds no such document."""
        leaf = next((x for x in mail.leaves if x.content_type == _FORM), None)
        if leaf is None:
            return None
        try:
            tree = json.loads(decode(leaf.content))
            rows = [x for x in tree["rows"] if isinstance(x, dict)][: MOST_ALLEGATIONS + 1]
            feed = str(tree["feed"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return unreadable(mail, ReadingReason.BROKEN_FORM, parser=self.name, detail="The feed's rows are no JSON.")
        gone = [one_line(str(x.get("listed", "")), longest=60) for x in rows if x.get("change") == "gone"]
        read = _READERS.get(feed, _indicators)
        allegations = [x for row in rows if row.get("change") != "gone" for x in read(row)]
        said = f"No longer listed: {', '.join(gone[:20])}." if gone else ""
        if not allegations:
            if gone:
                return set_aside(mail, ReadingReason.NOT_ABUSE, parser=self.name, detail=said)
            return unreadable(mail, ReadingReason.NO_SOURCE, parser=self.name, detail="No row names an address.")
        # A whole network or an AS is not one customer: a person says whom a listing concerns.
        return complaint(mail, allegations, parser=self.name, sure=feed != "spamhaus-drop", detail=said)


def _listings(row: Row) -> Iterator[Allegation]:
    listed = str(row.get("listed", ""))
    try:
        source = ip_network(listed, strict=False).network_address
    except ValueError:
        source = None
    about = f"{row.get('change', '')}: {listed} {row.get('reference', '')}"
    yield Allegation(
        type="reputation/blocklist", source=source, excerpt=excerpt([one_line(about)]), target=one_line(listed) or None,
        confidence=0.7,
    )  # fmt: skip


def _urls(row: Row) -> Iterator[Allegation]:
    url = refang(_text(row, "url"))[:2000]
    if not url.startswith(("http://", "https://", "ftp://")):
        return
    when = _when(row)
    yield Allegation(
        type=kind_of_names(_text(row, "threat"), _text(row, "tags")) or "content/malware",
        source=address_in(_text(row, "ip")),
        url=url,
        moment=when.moment,
        unread_time=when.unread or None,
        excerpt=_excerpt(row),
        confidence=0.9 if _text(row, "url_status") in ("", "online") else 0.6,
    )


def _indicators(row: Row) -> Iterator[Allegation]:
    for found in find_all(refang(_text(row, "ioc") or _text(row, "ip") or _text(row, "url"))[:2000])[:1]:
        name = found.value if found.kind == "name" else ""
        sure = _text(row, "confidence_level")
        kind = kind_of_names(_text(row, "threat_type").replace("_cc", " c2"), _text(row, "malware_printable"))
        when = _when(row)
        yield Allegation(
            type=kind or "reputation/threat_intelligence",
            source=address_in(found.value) if found.kind == "ip" else address_in(found.host),
            source_port=found.port if found.kind == "ip" else None,
            url=found.value if found.kind == "url" else None,
            domain=to_ascii(name) if is_host_name(name) else None,
            moment=when.moment,
            unread_time=when.unread or None,
            excerpt=_excerpt(row),
            confidence=min(0.95, int(sure) / 100) if sure.isdecimal() and 0 < int(sure) <= 100 else 0.8,
        )


def _scores(row: Row) -> Iterator[Allegation]:
    source = address_in(_text(row, "ip"))
    if source is not None:
        when = _when(row)
        yield Allegation(
            type="reputation/threat_intelligence",
            source=source,
            moment=when.moment,
            unread_time=when.unread or None,
            excerpt=_excerpt(row),
            confidence=0.7,
        )


_READERS = {"spamhaus-drop": _listings, "urlhaus": _urls, "threatfox": _indicators, "scores": _scores}


def _when(row: Row) -> Stated:
    # "2026-03-10 04:00:00 UTC", or without the zone that the publishers' documentation says they all are in.
    return read_time(*(_text(row, name) for name in _TIMES), zone=0)


def _excerpt(row: Row) -> str:
    return excerpt([one_line(f"{name}: {value}", longest=400) for name, value in sorted(row.items())])


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return str(value)[:2000].strip() if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
