"""`tipstaff trace ID`: the chain of one complaint, case, letter or measure, from either end."""

import json
import re
from dataclasses import asdict
from ipaddress import ip_network
from itertools import chain
from typing import Annotated

import typer

from .base import database
from .tables import print_rows


def trace(
    key: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="R-, S-, C-, M- or L-000123; an admission AD-4, a change CH-12, "
            'a customer\'s key, "edition 2026-01", or a SHA-256.',
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print everything that led to ID and followed from it."""
    with database():
        from tipstaff.ledger.queries import trace_all

        # As it was typed first: a customer's key may look like anything.
        entries = trace_all(key.strip())
        first = next(entries, None)
        if first is None:
            entries = trace_all(in_full(key))
            first = next(entries, None)
        if first is None:
            typer.echo(f"tipstaff: nothing in the record is about {key!r}; {_hint(key.strip())}", err=True)
            raise typer.Exit(1)
        entries = chain([first], entries)
        if as_json:
            for entry in entries:
                typer.echo(json.dumps({**asdict(entry), "at": entry.at.isoformat()}, default=str, sort_keys=True))
            return
        print_rows(
            ("when (UTC)", "what", "who", "about", ""),
            (
                (
                    f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.what, entry.actor,
                    " ".join(k if len(k) < 64 else k[:12] + "…" for k in entry.about), _in_words(entry.detail),
                )
                for entry in entries
            ),
            head=3,
        )  # fmt: skip


_KEY = re.compile(r"(R|S|C|M|L|AD|CH)-0*(\d+)")


def in_full(key: str) -> str:
    """A key as the record has it, however it was typed: `c-64` is C-000064, `ad-04` is AD-4."""
    key = key.strip()
    if found := _KEY.fullmatch(key.upper()):
        return f"{found[1]}-{found[2] if len(found[1]) > 1 else found[2].zfill(6)}"
    return key.lower() if re.fullmatch(r"[0-9A-Fa-f]{64}", key) else key


def _hint(key: str) -> str:
    try:
        ip_network(key, strict=False)
    except ValueError:
        return (
            "an ID is R-000123, S-000123, C-000123, M-000123 or L-000123, an admission AD-4, a change CH-12, "
            'a customer\'s key, "edition 2026-01", or a SHA-256.'
        )
    return "who holds an address says `tipstaff registry who`, and the console's search names its cases and reports."


_SHOWN = (
    "clause", "edition", "reason", "grade", "attribution", "customer", "disposition", "outcome", "why", "answer",
    "words", "selector", "degree", "device", "proof", "state", "kind", "to", "due_at", "generation", "verb", "reply",
)  # fmt: skip


def _in_words(detail: object) -> str:
    assert isinstance(detail, dict), "an entry's detail is an object"
    return ", ".join(f"{name} {_said(detail[name])}" for name in _SHOWN if detail.get(name) not in (None, "", [], {}))


def _said(value: object) -> str:
    """A value in a line; of the rows that prove an attribution, what was held and where that is written."""
    if not isinstance(value, list):
        return str(value)
    rows = [row for row in value if isinstance(row, dict)]
    return "; ".join(f"{row.get('kind')} {row.get('prefix')} ({row.get('source')})" for row in rows)
