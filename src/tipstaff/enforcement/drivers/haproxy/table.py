"""The one map that HAProxy looks pages up in: how rules become its rows, and how a listing is read back. Pure.

Everything is in one map, because HAProxy puts a new version of one map in force as a whole: `page:HOST/PATH` and
`host:HOST` lead to `END STATUS`, `measure:KEY` to the rule itself, and `generation` to the number of the plan.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tipstaff.enforcement.kept import line_of, read_line
from tipstaff.enforcement.pages import answer_of, page_of, plain_host
from tipstaff.words import Degree, Rule, Scope

NEVER = 9_999_999_999
CAN = frozenset({(Scope.ITEM, Degree.BLOCK), (Scope.HOST_NAME, Degree.BLOCK)})
_LINE_OCTETS_MAX = 4000
"""A line of the runtime API must fit into a buffer of HAProxy, which is 16,384 octets at least."""
_WRITTEN = {b"?": b"%01", b"#": b"%02", b" ": b"%03"}
"""What would be no part of a path, or end a key: the rules in HAProxy write the same."""
_OTHERWISE = re.compile(rb"[?# ]")
_UNCLEAR = re.compile(rb"[\0-\x1f\x7f%]")

RULES = r"""
    http-request set-var(txn.tipstaff_uri) url
    http-request set-var(txn.tipstaff_path) "path,url_dec,regsub(\?,\x01,g),regsub('#',\x02,g),regsub(' ',\x03,g)"
    http-request set-path %[var(txn.tipstaff_path)] if { var(txn.tipstaff_path) -m found }
    http-request normalize-uri path-merge-slashes
    http-request normalize-uri path-strip-dot
    http-request normalize-uri path-strip-dotdot full
    http-request set-var(txn.tipstaff_path) path
    http-request set-uri %[var(txn.tipstaff_uri)]
    http-request set-var(txn.tipstaff_host) "req.hdr(host),host_only,lower,regsub('\.\$','')"
    http-request set-var(txn.tipstaff_now) date
    http-request set-var(txn.tipstaff_found) "str(page:),concat(,txn.tipstaff_host),concat(,txn.tipstaff_path),map_str(MAP)"
    http-request set-var(txn.tipstaff_left) "var(txn.tipstaff_found),field(1,' '),sub(txn.tipstaff_now)"
    http-request set-var(txn.tipstaff_stop) "var(txn.tipstaff_found),field(2,' ')" if { var(txn.tipstaff_left) -m int gt 0 }
    http-request set-var(txn.tipstaff_found) "str(host:),concat(,txn.tipstaff_host),map_str(MAP,0 -)"
    http-request set-var(txn.tipstaff_left) "var(txn.tipstaff_found),field(1,' '),sub(txn.tipstaff_now)"
    http-request set-var(txn.tipstaff_stop) "var(txn.tipstaff_found),field(2,' ')" if { var(txn.tipstaff_left) -m int gt 0 } !{ var(txn.tipstaff_stop) -m found }
    http-request return status 451 content-type text/plain string "This page is not available for legal reasons." hdr Link "<BLOCKED_BY>; rel=\"blocked-by\"" if { var(txn.tipstaff_stop) -m str 451 }
    http-request return status 403 content-type text/plain string "This page was found to break the acceptable use policy of its host." hdr Link "<POLICY_URL>; rel=\"terms-of-service\"" if { var(txn.tipstaff_stop) -m str 403 }
"""  # noqa: E501 - HAProxy takes one rule a line
"""The lines that a frontend needs, before all its other rules. The request goes on as it came: only what is looked up
is written in its plain form."""


def rules_for(*, map_file: str, blocked_by: str, policy_url: str) -> str:
    """The lines of a frontend, for one map and two pages."""
    text = RULES.strip("\n").replace("(MAP", f"({map_file}")
    return text.replace("BLOCKED_BY", blocked_by).replace("POLICY_URL", policy_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A rule, and when it ends by the clock of HAProxy's machine: seconds since 1970."""

    rule: Rule
    ends: int
    fingerprint: str
    key: str | None = field(init=False, compare=False, repr=False)
    """Where the map has it; None where it cannot have it."""
    line: str = field(init=False, compare=False, repr=False)
    """How the map keeps the rule itself."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", _key_of(self.rule))
        object.__setattr__(self, "line", line_of(self.rule, ends=self.ends))


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a listing says."""

    generation: int = 0
    measures: Mapping[str, Measure] = field(default_factory=dict)
    lacking: frozenset[str] = frozenset()
    """Measures of which a row is missing, changed or doubled."""
    foreign: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    known: Mapping[str, Measure] = field(default_factory=dict)
    """Each measure by the words that were read for it: the next listing need not take those apart again."""


def supports(rule: Rule) -> bool:
    """Whether the map can hold exactly this. A page that its query names, or a port of its own, it cannot."""
    if (rule.selector.scope, rule.degree) not in CAN or not rule.measure.isprintable() or " " in rule.measure:
        return False
    key = _key_of(rule)
    return key is not None and len(key) + len(line_of(rule)) < _LINE_OCTETS_MAX


def _key_of(rule: Rule) -> str | None:
    if rule.selector.host_name is not None:
        try:
            host = rule.selector.host_name.rstrip(".").encode("idna").decode("ascii").lower()
        except UnicodeError:
            return None
        return f"host:{host}" if plain_host(host) else None
    page = page_of(rule.selector.url or "")
    if page is None or page.query or page.port is not None:
        return None
    if _UNCLEAR.search(page.path):
        return None  # HAProxy would write these in a way that something else is written in too.
    written = _OTHERWISE.sub(lambda found: _WRITTEN[found[0]], page.path)
    return f"page:{page.host}{written.decode('latin-1')}"


def rows_of(*, generation: int, measures: Iterable[Measure], foreign: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Key -> value of the whole map. Of two measures on one page the later end counts, and law before policy."""
    found: dict[str, tuple[int, int]] = {}
    rows: dict[str, str] = {"generation": str(generation)}
    for one in measures:
        key = one.key
        assert key is not None, one.rule
        ends, status = found.get(key, (0, 0))
        found[key] = max(ends, one.ends), max(status, answer_of(one.rule))
        rows[f"measure:{one.rule.measure}"] = one.line
    rows.update({key: f"{ends} {status}" for key, (ends, status) in found.items()})
    for key, value in foreign:
        rows.setdefault(key, value)
    return rows


def read(rows: Iterable[tuple[str, str]], *, before: Held | None = None) -> Held:
    """Read the rows of a listing; `before` is one that was read earlier."""
    known = before.known if before is not None else {}
    taken: dict[str, Measure] = {}
    rows = tuple(rows)
    generation = max((int(v) for k, v in rows if k == "generation" and v.isdecimal()), default=0)
    measures: dict[str, Measure] = {}
    others: list[tuple[str, str]] = []
    for key, value in rows:
        if key.startswith("measure:"):
            one = known.get(value) or _measure_of(value)
            if one is not None:
                measures[one.rule.measure] = taken[value] = one
                continue
        if key != "generation":
            others.append((key, value))
    wanted = rows_of(generation=generation, measures=measures.values(), foreign=())
    held: dict[str, list[str]] = {}
    for key, value in others:
        held.setdefault(key, []).append(value)
    lacking = {name for name, one in measures.items() if held.get(k := one.key or "") != [wanted.get(k)]}
    return Held(
        generation=generation, measures=measures, lacking=frozenset(lacking),
        foreign=tuple((key, value) for key, value in others if key not in wanted), rows=rows,
        known=taken,
    )  # fmt: skip


def _measure_of(value: str) -> Measure | None:
    """The measure that a row keeps; None if it is none of ours."""
    try:
        rule, kept = read_line(value)
        one = Measure(rule=rule, ends=int(kept["ends"]), fingerprint=kept["fingerprint"])
    except (ValueError, KeyError, TypeError):
        return None
    return one if one.key is not None else None
