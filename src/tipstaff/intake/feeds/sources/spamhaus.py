"""Spamhaus DROP and ASN-DROP: what of the operator's own is listed, as new, changed and gone since the last look."""

import json
from ipaddress import ip_network
from typing import Any

from ..protocol import FORM, Document, FeedTrouble, Fetched, Request

_LISTS = (
    "https://www.spamhaus.org/drop/drop_v4.json",
    "https://www.spamhaus.org/drop/drop_v6.json",
    "https://www.spamhaus.org/drop/asndrop.json",
)


class SpamhausDrop:
    """`options`: `urls` in place of the publisher's three lists; `asns`, the operator's own AS numbers."""

    seconds_between_min = 3600
    """The publisher asks for no more than one download an hour, and blocks who does not keep to it."""

    def fetch(self, request: Request) -> Fetched:
        named = request.options.get("urls")
        urls = [str(x) for x in named] if isinstance(named, list) else [request.url] if request.url else list(_LISTS)
        marks: dict[str, dict[str, str]] = dict(request.state.get("marks", {}))
        entries: dict[str, dict[str, str]] = dict(request.state.get("lists", {}))
        rows: list[dict[str, Any]] = []
        for url in urls:
            answer = request.http.ask(url, headers=_conditions(marks.get(url, {})))
            if answer.status == 304:
                continue
            if answer.status != 200:
                raise FeedTrouble(f"{url} was answered with status {answer.status}.")
            now = _own_entries(answer.body, request)
            before = entries.get(url, {})
            rows += _changes(before, now)
            entries[url] = now
            marks[url] = {k: answer.headers[k] for k in ("etag", "last-modified") if k in answer.headers}
        documents: tuple[Document, ...] = ()
        if rows:
            body = json.dumps({"feed": "spamhaus-drop", "rows": rows}, indent=1, sort_keys=True).encode()
            documents = (Document("spamhaus-drop.json", FORM, body),)
        return Fetched(documents, {"marks": marks, "lists": entries})


def _conditions(mark: dict[str, str]) -> dict[str, str]:
    names = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
    return {names[key]: value for key, value in mark.items() if key in names}


def _own_entries(body: bytes, request: Request) -> dict[str, str]:
    """Entry -> its listing, of those that touch the operator's own. The file must be whole: a cut one lists nothing."""
    found: dict[str, str] = {}
    whole = False
    for line in body.decode("utf-8", "replace").splitlines():
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as why:
            raise FeedTrouble("A line of the list is no JSON; it may be cut off.") from why
        if not isinstance(entry, dict):
            continue
        if entry.get("type") == "metadata":
            whole = True
        elif "cidr" in entry:
            try:
                network = ip_network(str(entry["cidr"]), strict=False)
            except ValueError:
                continue
            if request.own.overlaps(network):
                found[str(network)] = str(entry.get("sblid", ""))
        elif str(entry.get("asn", "")).isdecimal() and int(entry["asn"]) in _asns(request):
            found[f"AS{entry['asn']}"] = str(entry.get("asname", ""))
    if not whole:
        # Its last line tells about the list; without it, what is missing would be taken for gone.
        raise FeedTrouble("The list has no last line of metadata; it was cut off.")
    return found


def _asns(request: Request) -> frozenset[int]:
    named = request.options.get("asns")
    own = frozenset(x for x in named if isinstance(x, int)) if isinstance(named, list) else frozenset[int]()
    return own | request.own.asns


def _changes(before: dict[str, str], now: dict[str, str]) -> list[dict[str, Any]]:
    rows = [
        {"change": "new" if x not in before else "changed", "listed": x, "reference": now[x]}
        for x in sorted(now)
        if before.get(x) != now[x]
    ]
    return rows + [{"change": "gone", "listed": x, "reference": before[x]} for x in sorted(before) if x not in now]
