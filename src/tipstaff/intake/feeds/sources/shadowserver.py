"""Shadowserver's reports API: lists the reports of the last days and fetches those not seen yet, requests signed."""

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

from ..client import Answer
from ..protocol import Document, FeedTrouble, Fetched, Request

_URL = "https://transform.shadowserver.org/api2/"
_REMEMBERED = 5000


class Shadowserver:
    """`options`: `days` to look back (2), `reports` to take only these names of subscriptions."""

    seconds_between_min = 15 * 60
    needs = ("key_file", "secret_file")

    def fetch(self, request: Request) -> Fetched:
        if not request.key or not request.secret:
            raise FeedTrouble("It needs key_file and secret_file: the API key and its secret.")
        days = request.options.get("days", 2)
        since = request.at - timedelta(days=days if isinstance(days, int) and 0 < days < 15 else 2)
        asked: dict[str, Any] = {"date": f"{since:%Y-%m-%d}:{request.at:%Y-%m-%d}"}
        if isinstance(names := request.options.get("reports"), list):
            asked["reports"] = names
        listed = _rows(self._ask(request, "reports/list", asked), "reports/list")
        seen = [str(x) for x in request.state.get("seen", [])]
        known = set(seen)
        documents: list[Document] = []
        for report in listed:
            number, kind = str(report.get("id", "")), str(report.get("type") or report.get("report") or "report")
            if not number or number in known:
                continue
            rows = _rows(self._ask(request, "reports/download", {"id": number}), f"report {number}")
            known.add(number)
            seen.append(number)
            if rows:
                name = f"{str(report.get('timestamp', ''))[:10] or 'undated'}-{_plain(kind)}-{_plain(number)}.json"
                body = json.dumps(rows, indent=0, ensure_ascii=False).encode()
                documents.append(Document(name, "application/json", body))
        return Fetched(tuple(documents), {"seen": seen[-_REMEMBERED:]})

    @staticmethod
    def _ask(request: Request, call: str, asked: dict[str, Any]) -> Answer:
        body = json.dumps({"apikey": request.key, **asked}).encode()
        mark = hmac.new(request.secret.encode(), body, hashlib.sha256).hexdigest()
        url = f"{(request.url or _URL).rstrip('/')}/{call}"
        answer = request.http.ask(url, body=body, headers={"HMAC2": mark, "Content-Type": "application/json"})
        if answer.status in (401, 403):
            raise FeedTrouble("The publisher refuses the key or the signature; check key_file and secret_file.")
        if answer.status != 200:
            raise FeedTrouble(f"{call} was answered with status {answer.status}.")
        return answer


def _rows(answer: Answer, what: str) -> list[dict[str, Any]]:
    try:
        tree = answer.json()
    except ValueError as why:
        raise FeedTrouble(f"The answer to {what} is no JSON.") from why
    if isinstance(tree, dict) and tree.get("error"):
        raise FeedTrouble(f"{what}: {str(tree['error'])[:200]}")
    return [x for x in tree if isinstance(x, dict)] if isinstance(tree, list) else []


def _plain(text: str) -> str:
    return "".join(x if x.isalnum() or x in "_" else "_" for x in text)[:80]
