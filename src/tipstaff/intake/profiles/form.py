"""A profile as it is written in TOML, checked; every fault is one sentence with the file and the place."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tipstaff.words import XARF_TYPES

from .pattern import FIELDS, BadPattern, Pattern, compile_pattern

_ZONE = re.compile(r"UTC|GMT|Z|[+-]\d\d:?\d\d")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,40}")
_TOP = frozenset(["name", "about", "type", "zone", "form", "match", "text", "columns", "json", "types", "samples"])
_LARGEST = 200_000


class BadProfile(ValueError):
    """The profile cannot be used; the message says where and why."""

    permanent = True


@dataclass(frozen=True, slots=True)
class Sample:
    """A mail of this reporter, and what must be read from it."""

    file: Path
    expect: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How one reporter's mails are read."""

    name: str
    about: str
    type: str
    """The type where no row says another; empty where each must."""
    senders: tuple[str, ...]
    """`name@domain` or `@domain`, in lower case."""
    subject: str
    """What the subject must hold; empty for any."""
    zone: int | None
    """Minutes east of UTC of all times that state no zone of their own."""
    form: str
    """`text`, `table` or `json`."""
    once: tuple[Pattern, ...] = ()
    each: tuple[Pattern, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)
    """Field -> a column's name, in lower case."""
    rows: str = ""
    paths: dict[str, str] = field(default_factory=dict)
    """Field -> a dotted path within a row."""
    types: dict[str, str] = field(default_factory=dict)
    """What the reporter calls a kind, in lower case -> XARF type."""
    samples: tuple[Sample, ...] = ()


def load_profile(path: Path) -> Profile:
    """Read and check one profile. Raises BadProfile."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as why:
        raise BadProfile(f"{path}: cannot be read ({why}).") from why
    if len(text) > _LARGEST:
        raise BadProfile(f"{path}: is larger than any profile is.")
    return parse_profile(text, path=path)


def parse_profile(text: str, *, path: Path) -> Profile:
    """The same of a text; samples are looked for beside `path`."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as why:
        raise BadProfile(f"{path}: is not valid TOML: {why}.") from why
    return _Reader(tree, path).profile()


class _Reader:
    def __init__(self, tree: dict[str, Any], path: Path) -> None:
        self.tree, self.path = tree, path

    def sorry(self, where: str, why: str) -> BadProfile:
        return BadProfile(f"{self.path}: {where} {why}.")

    def text(self, table: dict[str, Any], key: str, where: str, *, needed: bool = False) -> str:
        value = table.get(key, "")
        if not isinstance(value, str) or (needed and not value.strip()):
            raise self.sorry(f"{where}{key}", "is missing" if needed and key not in table else "is no text")
        return value.strip()

    def table(self, key: str) -> dict[str, Any]:
        value = self.tree.get(key, {})
        if not isinstance(value, dict):
            raise self.sorry(f"[{key}]", "is no table")
        return value

    def profile(self) -> Profile:
        for key in self.tree:
            if key not in _TOP:
                raise self.sorry(key, f"is not known; known are {', '.join(sorted(_TOP))}")
        name = self.text(self.tree, "name", "", needed=True)
        if not _NAME.fullmatch(name):
            raise self.sorry("name", "takes small letters, digits and hyphens")
        match = self.table("match")
        senders = match.get("from", [])
        senders = [senders] if isinstance(senders, str) else senders
        if not isinstance(senders, list) or not senders or not all(isinstance(x, str) and "@" in x for x in senders):
            raise self.sorry("[match] from", "takes addresses or @domains, so that it reads nobody else's mail")
        form = self.text(self.tree, "form", "") or "text"
        if form not in ("text", "table", "json"):
            raise self.sorry("form", "is text, table or json")
        type_ = self.text(self.tree, "type", "")
        types = {str(k).lower(): v for k, v in self.table("types").items()}
        for kind in (*([type_] if type_ else []), *types.values()):
            if kind not in XARF_TYPES:
                raise self.sorry("type", f"{kind!r} is no type of XARF")
        text, json_ = self.table("text"), self.table("json")
        profile = Profile(
            name=name,
            about=self.text(self.tree, "about", ""),
            type=type_,
            senders=tuple(x.strip().lower() for x in senders),
            subject=self.text(match, "subject", "[match] "),
            zone=self.zone(),
            form=form,
            once=self.patterns(text, "once"),
            each=self.patterns(text, "each"),
            columns={k: v.lower() for k, v in self.fields(self.table("columns"), "columns").items()},
            rows=self.text(json_, "rows", "[json] "),
            paths=self.fields({k: v for k, v in json_.items() if k != "rows"}, "json"),
            types=types,
            samples=self.samples(),
        )
        self.check(profile)
        return profile

    def check(self, profile: Profile) -> None:
        names = {
            "text": {name for p in (*profile.once, *profile.each) for is_field, name in p.parts if is_field},
            "table": set(profile.columns),
            "json": set(profile.paths),
        }[profile.form]
        if not names & {"source", "url", "domain"}:
            raise self.sorry(f"form {profile.form}", "finds no source, url or domain")
        if not profile.type and "kind" not in names:
            raise self.sorry("type", "is missing, and no field says the kind")
        if not profile.samples:
            raise self.sorry("[[samples]]", "is missing: a profile is used only when it reads its own sample")

    def zone(self) -> int | None:
        text = self.text(self.tree, "zone", "").upper()
        if not text:
            return None
        if not _ZONE.fullmatch(text):
            raise self.sorry("zone", "is UTC or an offset such as +01:00")
        if text[0] not in "+-":
            return 0
        minutes = int(text[1:3]) * 60 + int(text[-2:])
        return -minutes if text[0] == "-" else minutes

    def patterns(self, table: dict[str, Any], key: str) -> tuple[Pattern, ...]:
        given = table.get(key, [])
        if not isinstance(given, list) or not all(isinstance(x, str) for x in given) or len(given) > 50:
            raise self.sorry(f"[text] {key}", "takes a list of at most 50 patterns")
        try:
            return tuple(compile_pattern(x) for x in given)
        except BadPattern as why:
            raise self.sorry(f"[text] {key}:", str(why)) from why

    def fields(self, table: dict[str, Any], where: str) -> dict[str, str]:
        for key, value in table.items():
            if key not in FIELDS or not isinstance(value, str):
                raise self.sorry(f"[{where}] {key}", f"is no field; known are {', '.join(sorted(FIELDS))}")
        return dict(table)

    def samples(self) -> tuple[Sample, ...]:
        given = self.tree.get("samples", [])
        if not isinstance(given, list) or not all(isinstance(x, dict) for x in given):
            raise self.sorry("[[samples]]", "are tables")
        found: list[Sample] = []
        for n, one in enumerate(given[:50], 1):
            file = self.text(one, "file", f"[[samples]] {n}: ", needed=True)
            if Path(file).is_absolute() or ".." in Path(file).parts:
                raise self.sorry(f"[[samples]] {n}: file", "lies beside the profile")
            expect = one.get("expect", [])
            if not isinstance(expect, list) or not expect or not all(isinstance(x, dict) for x in expect):
                raise self.sorry(f"[[samples]] {n}:", "lacks [[samples.expect]], what must be read from it")
            found.append(Sample(self.path.parent / file, tuple(expect)))
        return tuple(found)
