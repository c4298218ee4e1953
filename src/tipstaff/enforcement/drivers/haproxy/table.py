"""The one map that HAProxy looks pages up in: how rules become its rows, and how a listing is read back. Pure.

Everything is in one map, because HAProxy puts a new version of one map in force as a whole: `page:HOST/PATH` and
`host:HOST` lead to `END STATUS`, `measure:KEY` to the rule itself, and `generation` to the number of the plan.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

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


class Change(NamedTuple):
    """How rows are to differ."""

    rows: Mapping[str, str | None]
    """Key -> the value that it is to have, None for no row. In the order in which rows change; the generation is
    last, and says that all before it is done."""
    made: Mapping[str, Measure]
    """The measures that come, by the line that keeps each."""


class Held:
    """What the map was read to hold, kept up to date by the keys whose values change: of very many these are few."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[str, ...]] = {}
        """Key -> its values, in the order of the listing; more than one where a row was doubled."""
        self.count = 0
        """How many rows that is."""
        self.measures: dict[str, Measure] = {}
        self.lacking: set[str] = set()
        """Measures of which a row is missing, changed or doubled."""
        self._on: dict[str, tuple[str, ...]] = {}
        """Key of a page or a host -> the measures on it."""
        self._foreign: set[str] = set()

    @property
    def generation(self) -> int:
        return max((int(value) for value in self.rows.get("generation", ()) if value.isdecimal()), default=0)

    @property
    def foreign(self) -> tuple[str, ...]:
        """Rows of keys that are none of ours."""
        return tuple(f"{key} {value}" for key in sorted(self._foreign) for value in self.rows[key])

    def take(self, rows: Mapping[str, tuple[str, ...]], *, known: Mapping[str, Measure] = MappingProxyType({})) -> None:
        """Take in the values that these keys have from now on; none for a key that is gone.

        `known` are measures by the line that keeps each, which need not be read again.
        """
        pages: dict[str, None] = {}
        for key, values in rows.items():
            self.count += len(values) - len(self.rows.get(key, ()))
            if values:
                self.rows[key] = values
            else:
                self.rows.pop(key, None)
            if not key.startswith("measure:"):
                pages[key] = None
                continue
            name = key.removeprefix("measure:")
            old, new = self.measures.pop(name, None), _measure_of(values[-1], known) if values else None
            self.lacking.discard(name)
            if old is not None and old.key is not None:
                pages[old.key] = None
                self._on[old.key] = tuple(other for other in self._on[old.key] if other != name)
            if new is not None and new.key is not None and new.rule.measure == name:
                self.measures[name] = new
                pages[new.key] = None
                self._on[new.key] = (*self._on.get(new.key, ()), name)
            self._sort_out(key, ours=name in self.measures)
        for key in pages:
            names = self._on.get(key, ())
            if not names:
                self._on.pop(key, None)
                self._sort_out(key, ours=key == "generation")
                continue
            self._foreign.discard(key)
            whole = self.rows.get(key) == (_said([self.measures[name] for name in names]),)
            for name in names:
                if whole and len(self.rows[f"measure:{name}"]) == 1:
                    self.lacking.discard(name)
                else:
                    self.lacking.add(name)

    def _sort_out(self, key: str, *, ours: bool) -> None:
        if ours or key not in self.rows:
            self._foreign.discard(key)
        else:
            self._foreign.add(key)

    def change(self, *, generation: int, gone: Iterable[str], come: Iterable[Measure]) -> Change:
        """How the rows are to differ from what is there."""
        new = {one.rule.measure: one for one in come}
        old = {name: one for name in {*gone, *new} if (one := self.measures.get(name)) is not None}
        # A measure is named before it stops anything, and until it does no longer: whoever is killed between two rows
        # leaves nothing that stops a page and belongs to nobody.
        wanted: dict[str, str | None] = {f"measure:{name}": one.line for name, one in new.items()}
        on: dict[str, list[Measure]] = {}
        for one in old.values():
            on.setdefault(one.key or "", [])
        for one in new.values():
            on.setdefault(one.key or "", []).append(one)
        for key, some in on.items():
            some += [self.measures[name] for name in self._on.get(key, ()) if name not in old]
            wanted[key] = _said(some) if some else None
        wanted.update({f"measure:{name}": None for name in old if name not in new})
        wanted["generation"] = str(generation)
        rows = {
            key: value for key, value in wanted.items()
            if self.rows.get(key, ()) != (() if value is None else (value,))
        }  # fmt: skip
        return Change(rows, {one.line: one for one in new.values()})


def _said(measures: Sequence[Measure]) -> str:
    """What stands at a page. Of several measures on it the later end counts, and law before policy."""
    return f"{max(one.ends for one in measures)} {max(answer_of(one.rule) for one in measures)}"


def _measure_of(value: str, known: Mapping[str, Measure]) -> Measure | None:
    """The measure that a row keeps; None if it is none of ours."""
    if value in known:
        return known[value]
    try:
        rule, kept = read_line(value)
        one = Measure(rule=rule, ends=int(kept["ends"]), fingerprint=kept["fingerprint"])
    except (ValueError, KeyError, TypeError):
        return None
    return one if one.key is not None else None
