"""Scores of addresses as AbuseIPDB gives them: asks for each of the operator's own networks, tells what is "
"newly reported."""

import json
from ipaddress import IPv4Network, IPv6Network
from typing import Any
from urllib.parse import urlencode

from ..protocol import FORM, ROWS_A_DOCUMENT, Document, FeedTrouble, Fetched, Request

_URL = "https://api.abuseipdb.com/api/v2/check-block"
_MOST_ASKED = 100
"""Networks asked about in one look; the rest come next time, so that a daily allowance lasts."""


class Scores:
    """`options`: `score_min` (50), `days` to look back (1), `prefix_length` of the blocks asked about (24)."""

    seconds_between_min = 3600

    def fetch(self, request: Request) -> Fetched:
        blocks = [x for x in _blocks(request) if isinstance(x, IPv4Network)]
        start = int(request.state.get("next", 0)) if blocks else 0
        turn = [blocks[(start + n) % len(blocks)] for n in range(min(_MOST_ASKED, len(blocks)))]
        told: dict[str, str] = dict(request.state.get("told", {}))
        rows: list[dict[str, Any]] = []
        for block in turn:
            for found in self._ask(request, block):
                address, when = str(found.get("ipAddress", "")), str(found.get("mostRecentReport", ""))
                score = found.get("abuseConfidenceScore")
                if not isinstance(score, (int, float)) or score < _number(request, "score_min", 50):
                    continue
                if request.own.holds(address) and told.get(address) != when:
                    told[address] = when
                    rows.append({"ip": address, "score": score, "reports": found.get("numReports"), "last_seen": when})
        documents = []
        for n in range(0, len(rows), ROWS_A_DOCUMENT):
            part = {"feed": "scores", "rows": rows[n : n + ROWS_A_DOCUMENT]}
            documents.append(Document("scores.json", FORM, json.dumps(part, indent=0, sort_keys=True).encode()))
        following = (start + len(turn)) % len(blocks) if blocks else 0
        return Fetched(tuple(documents), {"next": following, "told": dict(list(told.items())[-50_000:])})

    @staticmethod
    def _ask(request: Request, block: IPv4Network) -> list[dict[str, Any]]:
        query = urlencode({"network": str(block), "maxAgeInDays": _number(request, "days", 1)})
        headers = {"Key": request.key, "Accept": "application/json"}
        answer = request.http.ask(f"{request.url or _URL}?{query}", headers=headers)
        if answer.status in (401, 403):
            raise FeedTrouble("The publisher refuses the key; check key_file.")
        if answer.status == 429:
            after = answer.headers.get("retry-after", "")
            raise FeedTrouble(
                "The allowance is used up.", retry_after_seconds=int(after) if after.isdecimal() else 6 * 3600
            )
        if answer.status != 200:
            raise FeedTrouble(f"{block} was answered with status {answer.status}.")
        try:
            rows = answer.json()["data"]["reportedAddress"]
        except (ValueError, KeyError, TypeError) as why:
            raise FeedTrouble("The answer is not of the form that is known.") from why
        return [x for x in rows if isinstance(x, dict)] if isinstance(rows, list) else []


def _blocks(request: Request) -> list[IPv4Network | IPv6Network]:
    length = _number(request, "prefix_length", 24)
    found: list[IPv4Network | IPv6Network] = []
    for network in request.own.networks:
        if isinstance(network, IPv4Network) and network.prefixlen < length:
            found += list(network.subnets(new_prefix=length))
        else:
            found.append(network)
    return found


def _number(request: Request, name: str, otherwise: int) -> int:
    value = request.options.get(name, otherwise)
    return value if isinstance(value, int) and 0 < value < 1000 else otherwise
