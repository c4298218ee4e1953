"""The two files that nginx includes: how rules become maps, and how the files are read back. Pure.

nginx's map takes no account of case when it looks a text up, and knows no time. So a map only finds an entry,
`END STATUS HOST/PATH`, and a second one, of regular expressions, is shown "NOW END STATUS HOST/PATH" followed by what
was asked for: it matches if the same text stands twice, letter by letter, and NOW is before END. Both are seconds since
1970 with the same number of digits until the year 2286, so one is less than the other if behind a common beginning its
next digit is. An entry thus ends by itself, whether or not anybody comes back.
"""

import hashlib
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tipstaff.enforcement.kept import line_of, read_line
from tipstaff.enforcement.pages import LAW, POLICY, Page, page_of, plain_host
from tipstaff.words import Degree, Rule, Scope

NEVER = 9_999_999_999
"""The end of what has none."""
CAN = frozenset({(Scope.ITEM, Degree.BLOCK), (Scope.HOST_NAME, Degree.BLOCK)})
_KEY_OCTETS_MAX = 400
"""What is longer does not fit into a bucket of nginx's map, and becomes a regular expression."""
_QUERY_PAIRS_MAX = 8
_PLAIN = re.compile(rb"[A-Za-z0-9._~!*'(),:@&=+/%\x80-\xff-]+")
"""What stands for itself in nginx's file; everything else is written as a regular expression."""
_MARK = "# tipstaff"
_ENTRY = re.compile(rb'    ("(?:[^"\\]|\\.)+") ("(?:[^"\\]|\\.)*"|\$\w+);')

SHELVES = 256
"""A file is rendered in so many parts, and those in which nothing changed are kept as they are."""

_NAMES = ("page", "port", "hard", "gate", "host")
_ASKED = {
    "page": '"$host$uri"',
    "port": '"$host:$server_port$uri"',
    "hard": '"$args $host$uri"',
    "gate": "$host",
    "host": "$host",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A rule, and when it ends by the clock of the machine that nginx runs on: seconds since 1970."""

    rule: Rule
    ends: int
    fingerprint: str
    page: Page | None = field(init=False, compare=False, repr=False)
    """The page that its URL names; None for a whole host."""
    line: bytes = field(init=False, compare=False, repr=False)
    """How the file keeps the rule itself."""
    shelf: int = field(init=False, compare=False, repr=False)
    """Among which it is rendered: together with all on the same page, whatever its case and its port."""

    def __post_init__(self) -> None:
        url = self.rule.selector.url
        page = None if url is None else page_of(url)
        object.__setattr__(self, "page", page)
        whole = (_host_of(self.rule) or "").encode() if page is None else page.host.encode() + page.path.lower()
        object.__setattr__(self, "shelf", zlib.crc32(whole) % SHELVES)
        object.__setattr__(self, "line", f"{_MARK} {line_of(self.rule, ends=self.ends)}".encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What an include file says."""

    generation: int = 0
    digest: str = ""
    """What the running nginx says of itself if it has read this very file."""
    measures: Mapping[str, Measure] = field(default_factory=dict)
    lacking: frozenset[str] = frozenset()
    """Measures of which an entry is missing."""
    stands: bool = True
    """Whether all that gives the entries effect is there as we write it."""
    foreign: tuple[str, ...] = ()
    """Entries that no plan knows, as they stand in their map."""
    exists: bool = False

    @property
    def foreign_lines(self) -> tuple[tuple[str, str], ...]:
        """(map, line) of what is foreign."""
        return tuple((name, line) for name, _, line in (text.partition(": ") for text in self.foreign))


def supports(rule: Rule) -> bool:
    """Whether nginx can stop exactly this."""
    if (rule.selector.scope, rule.degree) not in CAN:
        return False
    if rule.selector.host_name is not None:
        return _host_of(rule) is not None
    page = page_of(rule.selector.url or "")
    return page is not None and len(page.query.split("&")) <= _QUERY_PAIRS_MAX


def _host_of(rule: Rule) -> str | None:
    try:
        host = (rule.selector.host_name or "").rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    return host if plain_host(host) else None


Entries = dict[str, dict[bytes, tuple[bytes, tuple[str, ...]]]]
"""Map -> what is looked up -> (what is found, measures that need it); each as it is written in the file."""


def entries_of(measures: Iterable[Measure]) -> Entries:
    """The entries of all maps. Of two measures on one page the later end counts, and the law before the policy."""
    found: dict[tuple[str, bytes], list[Measure]] = {}
    hosts_of_hard: dict[str, list[Measure]] = {}
    same_but_for_case: dict[tuple[str, bytes], set[bytes]] = {}
    pages = []
    for one in measures:
        if one.rule.selector.host_name is not None:
            host = _host_of(one.rule)
            assert host is not None, one.rule
            found.setdefault(("host", host.encode()), []).append(one)
            continue
        page = one.page
        assert page is not None, one.rule
        if page.port is None:
            name, key = "page", page.host.encode() + page.path
        else:
            name, key = "port", f"{page.host}:{page.port}".encode() + page.path
        same_but_for_case.setdefault((name, key.lower()), set()).add(key)
        pages.append((one, page, name, key))
    for one, page, name, key in pages:
        alone = len(same_but_for_case[name, key.lower()]) == 1
        if alone and not page.query and len(key) <= _KEY_OCTETS_MAX and _PLAIN.fullmatch(key):
            found.setdefault((name, key), []).append(one)
        else:
            # A port that is named is asked for by another text; regular expressions for that are one map too many.
            pattern = b"~" + _query_pattern(page.query) + _literally(key) + rb"\z"
            found.setdefault(("hard_port" if name == "port" else "hard", pattern), []).append(one)
            hosts_of_hard.setdefault(page.host, []).append(one)
    entries: Entries = {name: {} for name in _NAMES}
    entries["hard_port"] = {}
    for (name, key), needed in found.items():
        ends = max(one.ends for one in needed)
        status = LAW if any(one.rule.by_law for one in needed) else POLICY
        what = b"=" if key.startswith(b"~") else key
        names = tuple(sorted(one.rule.measure for one in needed))
        entries[name][_quoted(key)] = (b'"%d %d %s"' % (ends, status, what), names)
    for host, needed in hosts_of_hard.items():
        entries["gate"][_quoted(host.encode())] = (
            b"$tipstaff_hard_found",
            tuple(sorted(one.rule.measure for one in needed)),
        )
    return entries


def _quoted(text: bytes) -> bytes:
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _literally(text: bytes) -> bytes:
    """A regular expression of these octets and no others."""
    return b"".join(bytes([c]) if chr(c).isalnum() and c < 128 else b"\\x%02x" % c for c in text)


def _query_pattern(query: str) -> bytes:
    """What asks that each pair of the query is there, in any order and whatever else is; octets may be encoded."""
    wanted = [pair for pair in query.split("&") if pair]
    asked = b"".join(b"(?=(?:[^ ]*&)?%s(?:&[^ ]*)? )" % _encoded_or_not(pair) for pair in wanted)
    return b"^" + asked + rb"[^ ]* "


def _encoded_or_not(pair: str) -> bytes:
    out = []
    octets = re.findall(rb"%[0-9A-Fa-f]{2}|.", pair.encode(), re.DOTALL)
    for octet in octets:
        code = int(octet[1:], 16) if len(octet) == 3 else octet[0]
        ways = [b"%%(?i:%02x)" % code]
        if octet == b"+" or code == 32:
            ways = [rb"\+", rb"%20"]
        elif (code not in b" &%#\0" and 32 < code < 127) or code >= 128:
            ways.append(b"\\x%02x" % code)
        out.append(b"(?:" + b"|".join(ways) + b")")
    return b"".join(out)


_BEFORE = "|".join(rf"{d}\d*\.\d+ \g{{1}}[{d + 1}-9]" for d in range(9))
"""Behind the digits that both begin with: the next one is less in the first number than in the second."""


def _verdict(status: int) -> str:
    return rf'"~^(\d*)(?:{_BEFORE})\d* {status} (?:=|(.+)\g{{2}}\z)"'


class Shelf(NamedTuple):
    """A part of the measures, as the file has it."""

    measures: tuple[Measure, ...]
    lines: bytes
    """How the file keeps them."""
    entries: Mapping[str, bytes]
    """Map -> its lines."""
    gate: frozenset[bytes]
    """Hosts with pages that only an expression can name: of several parts each may know one."""

    @classmethod
    def of(cls, measures: Sequence[Measure]) -> "Shelf":
        entries = entries_of(measures)
        gate = frozenset(entries.pop("gate"))
        return cls(
            tuple(measures),
            b"".join([b"%s\n" % one.line for one in measures]),
            {name: _lines_of({k: v for k, (v, _) in inside.items()}) for name, inside in entries.items() if inside},
            gate,
        )


def _lines_of(entries: Mapping[bytes, bytes]) -> bytes:
    return b"".join([b"    %s %s;\n" % entry for entry in sorted(entries.items())])


def shelved(measures: Iterable[Measure], before: Mapping[int, Shelf]) -> dict[int, Shelf]:
    """The measures in their parts; a part of which nothing changed is the one `before`."""
    parts: dict[int, list[Measure]] = {}
    for one in measures:
        parts.setdefault(one.shelf, []).append(one)
    found = {}
    for n, some in sorted(parts.items()):
        known = before.get(n)
        found[n] = known if known is not None and known.measures == tuple(some) else Shelf.of(some)
    return found


def render(
    *, generation: int, shelves: Mapping[int, Shelf], foreign: Sequence[tuple[str, str]], status: str,
    links: Mapping[int, str], hash_sizes: bool,
) -> bytes:  # fmt: skip
    """The file that nginx includes within `http`."""
    parts = list(shelves.values())
    text = [
        f"{_MARK} writes this file and nothing else should.\n{_MARK} generation {generation}\n".encode(),
        *(part.lines for part in parts),
        _body(parts, foreign, links=links, hash_sizes=hash_sizes, count=sum(len(part.measures) for part in parts)),
    ]
    whole = b"".join(text)
    digest = hashlib.sha256(whole).hexdigest()[:24]
    return (
        whole
        + f"""\
server {{
    listen {status};
    access_log off;
    location / {{
        default_type text/plain;
        return 200 "tipstaff {generation} {digest}\\n";
    }}
}}
""".encode()
    )


def _body(
    parts: Sequence[Shelf],
    foreign: Sequence[tuple[str, str]],
    *,
    links: Mapping[int, str],
    hash_sizes: bool,
    count: int,
) -> bytes:
    text = []
    if hash_sizes:
        text.append(b"map_hash_bucket_size 512;\nmap_hash_max_size %d;\n" % max(4096, 4 * count))
    gate = _lines_of(dict.fromkeys(frozenset[bytes]().union(*(p.gate for p in parts)), b"$tipstaff_hard_found"))
    for name in (*_NAMES, "hard_port"):
        asked = _ASKED.get(name, '"$args $host:$server_port$uri"')
        text.append(f"map {asked} $tipstaff_{name}_found {{\n".encode())
        # Where no expression fits, those with a port are tried; of those that are left, none.
        text.append(b"    default $tipstaff_hard_port_found;\n" if name == "hard" else b'    default "";\n')
        text += [gate] if name == "gate" else [part.entries[name] for part in parts if name in part.entries]
        text += [line.encode("latin-1") + b"\n" for where, line in foreign if where == name]
        text.append(b"}\n")
    lines = []
    last = '""'
    for name, asked in (("host", "$host"), ("gate", ""), ("port", "$host:$server_port$uri"), ("page", "$host$uri")):
        lines += [
            f'map "$msec $tipstaff_{name}_found{asked}" $tipstaff_{name}_stop {{'.encode(),
            f"    default {last};".encode(),
            f"    {_verdict(LAW)} {LAW};".encode(),
            f"    {_verdict(POLICY)} {POLICY};".encode(),
            b"}",
        ]
        last = f"$tipstaff_{name}_stop"
    lines += [
        f"map {last} $tipstaff_stop {{".encode(),
        f'    default "";\n    {LAW} {LAW};\n    {POLICY} {POLICY};'.encode(),
        b"}",
        b"map $tipstaff_stop $tipstaff_link {",
        b'    default "";',
        *(f'    {status} "{link}";'.encode() for status, link in sorted(links.items())),
        b"}",
    ]
    return b"".join([*text, *(line + b"\n" for line in lines)])


SERVER = f"""\
{_MARK} writes this file. Include it first in each server block.
if ($tipstaff_stop = {LAW}) {{ rewrite ^ /.tipstaff-{LAW} last; }}
if ($tipstaff_stop = {POLICY}) {{ rewrite ^ /.tipstaff-{POLICY} last; }}
location = /.tipstaff-{LAW} {{
    internal;
    default_type text/plain;
    add_header Link $tipstaff_link always;
    return {LAW} "This page is not available for legal reasons.\\n";
}}
location = /.tipstaff-{POLICY} {{
    internal;
    default_type text/plain;
    add_header Link $tipstaff_link always;
    return {POLICY} "This page is not available: it was found to break the acceptable use policy of its host.\\n";
}}
""".encode()


def as_rendered(*, generation: int, digest: str, measures: Mapping[str, Measure]) -> Held:
    """What `read` says of a file that `render` made of these and of nothing foreign, and that nobody has touched."""
    return Held(generation=generation, digest=digest, measures=measures, exists=True)


def read(text: bytes, *, status: str, links: Mapping[int, str], hash_sizes: bool) -> Held:
    """Read a file that `render` wrote, whatever was done to it since; raise ValueError for one that is not ours."""
    lines = text.split(b"\n")
    generation = -1
    measures: dict[str, Measure] = {}
    rest: list[bytes] = []
    for line in lines:
        if line.startswith(f"{_MARK} generation ".encode()):
            generation = int(line.rsplit(b" ", 1)[1])
        elif line.startswith(f"{_MARK} {{".encode()):
            rule, kept = read_line(line[len(_MARK) + 1 :].decode())
            measures[rule.measure] = Measure(rule=rule, ends=kept["ends"], fingerprint=kept["fingerprint"])
        elif not line.startswith(_MARK.encode()):
            rest.append(line)
    if generation < 0:
        raise ValueError("no generation stands in it")
    entries = entries_of(measures.values())
    stand, foreign, skeleton = _sorted_out(rest, entries)
    lacking: set[str] = set()
    for name, inside in entries.items():
        lacking.update(key for entry, (_, keys) in inside.items() if (name, entry) not in stand for key in keys)
    empty = _body((), (), links=links, hash_sizes=hash_sizes, count=len(measures))
    ours = b"\n".join(skeleton).startswith(empty)
    written = re.search(rb'return 200 "tipstaff \d+ ([0-9a-f]+)', text)
    return Held(
        generation=generation,
        digest=written[1].decode() if written else "",
        measures=measures,
        lacking=frozenset(lacking),
        stands=ours and f"listen {status};".encode() in text and written is not None,
        foreign=foreign,
        exists=True,
    )


def _sorted_out(
    lines: Sequence[bytes], entries: Entries
) -> tuple[set[tuple[str, bytes]], tuple[str, ...], list[bytes]]:
    """Our entries that stand, entries that are not ours, and all lines that are no entries."""
    stand: set[tuple[str, bytes]] = set()
    foreign: list[str] = []
    skeleton: list[bytes] = []
    inside = ""
    for line in lines:
        if begun := re.match(rb"map .* \$tipstaff_(\w+)_found \{", line):
            inside = begun[1].decode()
        elif line == b"}":
            inside = ""
        elif inside and not line.startswith(b"    default "):
            entry = _ENTRY.fullmatch(line)
            if entry and inside in entries and entries[inside].get(entry[1], (b"",))[0] == entry[2]:
                stand.add((inside, entry[1]))
            elif not (entry and inside in entries and entry[1] in entries[inside]):
                foreign.append(f"{inside}: {line.decode('latin-1')}")
            continue
        skeleton.append(line)
    return stand, tuple(foreign), skeleton
