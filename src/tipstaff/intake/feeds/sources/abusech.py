"""abuse.ch's URLhaus and ThreatFox: the entries about the operator's own space and domains, each told once."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from ..client import Answer
from ..protocol import FORM, ROWS_A_DOCUMENT, Document, FeedTrouble, Fetched, Request

_REMEMBERED = 20_000


class Urlhaus:
    """Takes the CSV of an AS (`https://urlhaus.abuse.ch/feeds/asn/64500/`) or the API's JSON of recent URLs."""

    seconds_between_min = 300
    """The publisher makes its lists anew every five minutes."""

    def fetch(self, request: Request) -> Fetched:
        url = request.url or "https://urlhaus-api.abuse.ch/v1/urls/recent/"
        answer = _answered(request, url, body=None)
        rows = _of_json(answer, "urls") if answer.body.lstrip()[:1] == b"{" else list(_of_csv(answer.body))
        own = (x for x in rows if request.own.holds(x.get("ip", "")) or request.own.holds(x.get("url", "")))
        return _new(request, "urlhaus", own, key="url")


class Threatfox:
    """Asks the API for the indicators of the last days; `options`: `days` (1 to 7)."""

    seconds_between_min = 300

    def fetch(self, request: Request) -> Fetched:
        days = request.options.get("days", 1)
        asked = {"query": "get_iocs", "days": days if isinstance(days, int) and 0 < days < 8 else 1}
        url = request.url or "https://threatfox-api.abuse.ch/api/v1/"
        answer = _answered(request, url, body=json.dumps(asked).encode())
        own = (x for x in _of_json(answer, "data") if request.own.holds(x.get("ioc", "")))
        return _new(request, "threatfox", own, key="id")


def _answered(request: Request, url: str, *, body: bytes | None) -> Answer:
    headers = {"Auth-Key": request.key} if request.key else {}
    answer = request.http.ask(url, body=body, headers=headers)
    if answer.status in (401, 403):
        raise FeedTrouble("The publisher refuses the key; check key_file.")
    if answer.status == 429:
        after = answer.headers.get("retry-after", "")
        raise FeedTrouble(
            "The publisher asks to come back later.", retry_after_seconds=int(after) if after.isdecimal() else 3600
        )
    if answer.status != 200:
        raise FeedTrouble(f"It was answered with status {answer.status}.")
    return answer


def _of_json(answer: Answer, name: str) -> list[dict[str, str]]:
    try:
        tree = answer.json()
    except ValueError as why:
        raise FeedTrouble("The answer is no JSON.") from why
    status = str(tree.get("query_status", "ok")) if isinstance(tree, dict) else "no object"
    if status in ("no_result", "no_results"):
        return []
    if status != "ok":
        raise FeedTrouble(f"The publisher says: {status[:100]}.")
    rows = tree.get(name)
    return [_texts(x) for x in rows if isinstance(x, dict)] if isinstance(rows, list) else []


def _texts(row: dict[str, Any]) -> dict[str, str]:
    said = {str(k).lower(): v for k, v in row.items()}
    texts = {k: " ".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in said.items() if v is not None}
    return {**texts, **({"ip": texts["host"]} if "host" in texts and "ip" not in texts else {})}


_COLUMNS = ("date_added", "url", "url_status", "threat", "host", "ip", "asn", "country")


def _of_csv(body: bytes) -> Iterator[dict[str, str]]:
    """Rows below comment lines; the columns are those of the publisher's feeds by AS."""
    lines = (x for x in body.decode("utf-8", "replace").splitlines() if x.strip() and not x.startswith("#"))
    for cells in csv.reader(io.StringIO("\n".join(lines))):
        if len(cells) >= 6:
            yield dict(zip(_COLUMNS, (x.strip() for x in cells), strict=False))


def _new(request: Request, feed: str, rows: Iterable[dict[str, str]], *, key: str) -> Fetched:
    seen = [str(x) for x in request.state.get("seen", [])]
    known = set(seen)
    fresh: list[dict[str, str]] = []
    for row in rows:
        mark = row.get(key, "")
        if mark and mark not in known:
            known.add(mark)
            seen.append(mark)
            fresh.append(row)
    documents = []
    for n in range(0, len(fresh), ROWS_A_DOCUMENT):
        part = {"feed": feed, "rows": fresh[n : n + ROWS_A_DOCUMENT]}
        documents.append(Document(f"{feed}.json", FORM, json.dumps(part, indent=0, sort_keys=True).encode()))
    return Fetched(tuple(documents), {"seen": seen[-_REMEMBERED:]})
