"""Reads mails by profiles, and tests profiles by their samples. What a profile does not understand, others read."""

import csv
import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tipstaff.words import Allegation, Reading

from ..forms.tables import UnreadableSheet, rows_of_sheet
from ..forms.taxonomy import kind_of_names
from ..mail import Mail, read_mail
from ..shaping import MOST_ALLEGATIONS, address_in, complaint, excerpt, moment_of_mail, port_in, reporter_of
from ..text.characters import decode, one_line
from ..text.find import refang
from ..text.names import is_host_name, to_ascii
from ..text.times import Stated, read_time
from .form import BadProfile, Profile, Sample, load_profile

log = logging.getLogger("tipstaff.profiles")

PREFIX = "profile:"
"""Before a profile's name in a reading's `parser`."""
_MOST_LINES = 20_000
_MOST_PROFILES = 1000
Values = dict[str, str]


class ProfilesParser:
    """All usable profiles of a folder as one parser. A file that changed is read, and tested, before the next mail."""

    name = "profiles"
    priority = 5

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, tuple[int, int]] = {}
        self._by_sender: dict[str, list[Profile]] = {}

    def read(self, mail: Mail) -> Reading | None:
        """The reading of the first profile that understands the mail, or None."""
        self._look_again()
        if not self._by_sender:
            return None
        address = mail.sender[1].lower()
        for key in (address, f"@{address.rpartition('@')[2]}"):
            for profile in self._by_sender.get(key, ()):
                reading = read_by(profile, mail)
                if reading is not None:
                    return reading
        return None

    def _look_again(self) -> None:
        try:
            files = [x for x in os.scandir(self._folder) if x.name.endswith(".toml") and x.is_file()]
        except OSError:
            files = []
        seen = {x.path: (x.stat().st_mtime_ns, x.stat().st_size) for x in files[:_MOST_PROFILES]}
        if seen == self._seen:
            return
        self._seen = seen
        self._by_sender = {}
        for path in sorted(seen):
            try:
                profile = load_profile(Path(path))
            except BadProfile as why:
                log.warning("a profile is not used: %s", why)
                continue
            faults = [x for sample in profile.samples for x in faults_of_sample(profile, sample)]
            if faults:
                log.warning("the profile %s is not used: %s", profile.name, faults[0])
                continue
            for sender in profile.senders:
                self._by_sender.setdefault(sender, []).append(profile)


def faults_of_sample(profile: Profile, sample: Sample, *, raw: bytes | None = None) -> list[str]:
    """What a profile reads otherwise than its sample says, in sentences; none when all is as expected."""
    try:
        mail = read_mail(sample.file.read_bytes() if raw is None else raw)
    except OSError as why:
        return [f"{sample.file} cannot be read ({why.strerror})."]
    reading = read_by(profile, mail)
    got = [shown(x) for x in reading.allegations] if reading else []
    faults = []
    if len(got) != len(sample.expect):
        faults.append(f"{sample.file.name}: {len(sample.expect)} allegations were expected, {len(got)} were read.")
    for n, (wanted, found) in enumerate(zip(sample.expect, got, strict=False), 1):
        for key, value in wanted.items():
            if str(found.get(key)) != str(value):
                faults.append(f"{sample.file.name}: {key} of allegation {n} is {found.get(key)!r}, not {value!r}.")
    return faults


def shown(allegation: Allegation) -> dict[str, Any]:
    """An allegation's fields as samples name them; those without a value are left out."""
    moment = allegation.moment
    found = {
        "type": allegation.type,
        "source": str(allegation.source) if allegation.source else None,
        "port": allegation.source_port,
        "time": moment.at.isoformat().replace("+00:00", "Z") if moment else None,
        "zone_stated": None if moment is None or moment.zone_stated else False,
        "url": allegation.url,
        "domain": allegation.domain,
        "protocol": allegation.protocol,
        "target": allegation.target,
        "target_port": allegation.target_port,
        "work": allegation.work,
        "claimant": allegation.claimant,
    }
    return {key: value for key, value in found.items() if value is not None}


def read_by(profile: Profile, mail: Mail) -> Reading | None:
    """The reading by one profile, or None when the mail is not what the profile knows."""
    address = mail.sender[1].lower()
    if not any(address == x or (x.startswith("@") and address.endswith(x)) for x in profile.senders):
        return None
    if profile.subject and profile.subject.lower() not in mail.subject.lower():
        return None
    common, rows = {"text": _text, "table": _table, "json": _json}[profile.form](profile, mail)
    found: list[Allegation] = []
    for values, line in rows:
        allegation = _allegation(profile, {**common, **values}, line, mail)
        if allegation is not None:
            found.append(allegation)
        if len(found) > MOST_ALLEGATIONS:
            break
    if not found:
        return None
    reference = one_line(common.get("reference", ""), longest=100)
    return complaint(mail, found, parser=f"{PREFIX}{profile.name}", reporter=reporter_of(mail, reference=reference))


_Found = tuple[Values, Iterator[tuple[Values, str]]]


def _text(profile: Profile, mail: Mail) -> _Found:
    texts = [mail.body, *(decode(x.content) for x in mail.attachments if x.name.lower().endswith((".txt", ".log")))]
    lines = [x for text in texts for x in text.splitlines()][:_MOST_LINES]
    common: Values = {}
    for line in [mail.subject, *lines]:
        for pattern in profile.once:
            for name, value in (pattern.match(line) or pattern.match(refang(line)) or {}).items():
                common.setdefault(name, value)

    def rows() -> Iterator[tuple[Values, str]]:
        if not profile.each:
            yield {}, "\n".join(x for x in lines if any(p.match(x) for p in profile.once))
        for line in lines if profile.each else ():
            for pattern in profile.each:
                values = pattern.match(line) or pattern.match(refang(line))
                if values is not None:
                    yield values, line
                    break

    return common, rows()


def _table(profile: Profile, mail: Mail) -> _Found:
    def rows() -> Iterator[tuple[Values, str]]:
        for table in _cells(mail):
            heading: list[str] | None = None
            for cells in table:
                lowered = [x.strip().lower() for x in cells]
                if heading is None:
                    heading = lowered if all(x in lowered for x in profile.columns.values()) else None
                    continue
                row = dict(zip(heading, (x.strip() for x in cells), strict=False))
                values = {field: row[x] for field, x in profile.columns.items() if row.get(x)}
                yield values, "\n".join(f"{name}: {value}" for name, value in row.items() if value)

    return {}, rows()


def _cells(mail: Mail) -> Iterator[Iterator[list[str]]]:
    for attachment in mail.attachments:
        if attachment.name.lower().endswith((".xlsx", ".xls", ".ods")):
            yield _sheet(attachment.content)
        elif attachment.name.lower().endswith((".csv", ".tsv", ".txt")) or attachment.content_type == "text/csv":
            yield _lines(decode(attachment.content))
    yield _lines(mail.body)


def _sheet(content: bytes) -> Iterator[list[str]]:
    try:
        yield from rows_of_sheet(content)
    except UnreadableSheet:
        return


def _lines(text: str) -> Iterator[list[str]]:
    lines = [x for x in text.replace("\0", "").splitlines() if x.strip()][:_MOST_LINES]
    separator = max(",;\t|", key=lambda x: sum(line.count(x) for line in lines[:50]))
    try:
        yield from csv.reader(lines, delimiter=separator, skipinitialspace=True)
    except csv.Error:
        return


def _json(profile: Profile, mail: Mail) -> _Found:
    def rows() -> Iterator[tuple[Values, str]]:
        for content in (*(x.content for x in mail.attachments), mail.body.encode()):
            if content.lstrip()[:1] not in (b"{", b"["):
                continue
            for row in _documents(decode(content), profile.rows):
                if isinstance(row, dict):
                    values = {name: _said(_at(row, path)) for name, path in profile.paths.items()}
                    yield {k: v for k, v in values.items() if v}, json.dumps(row, ensure_ascii=False)[:2000]

    return {}, rows()


def _documents(text: str, path: str) -> Iterator[Any]:
    """The rows of a JSON document, or of one such a line (JSON Lines)."""
    trees: list[Any] = []
    try:
        trees = [json.loads(text)]
    except (ValueError, RecursionError):
        for line in text.splitlines()[:_MOST_LINES]:
            with suppress(ValueError, RecursionError):
                trees.append(json.loads(line))
    for tree in trees:
        rows = _at(tree, path)
        yield from rows if isinstance(rows, list) else [rows]


def _at(tree: Any, path: str) -> Any:
    for step in path.split(".") if path else ():
        if isinstance(tree, dict):
            tree = tree.get(step)
        elif isinstance(tree, list) and step.isdecimal() and int(step) < len(tree):
            tree = tree[int(step)]
        else:
            return None
    return tree


def _said(value: Any) -> str:
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""


def _allegation(profile: Profile, values: Values, line: str, mail: Mail) -> Allegation | None:
    source = address_in(values.get("source", ""))
    url = refang(values.get("url", ""))[:2000]
    name = refang(values.get("domain", "")).lower().rstrip(".")
    kind = values.get("kind", "").lower()
    type_ = profile.types.get(kind) or (kind_of_names(kind) if kind and not profile.type else None) or profile.type
    if not type_ or (source is None and "://" not in url and not is_host_name(name)):
        return None
    when = _when(values.get("time", ""), profile.zone, mail)
    return Allegation(
        type=type_,
        source=source,
        source_port=port_in(values.get("port")),
        url=url if "://" in url else None,
        domain=to_ascii(name) if is_host_name(name) else None,
        protocol=one_line(values.get("protocol", "").lower(), longest=30) or None,
        target=one_line(values.get("target", ""), longest=254) or None,
        target_port=port_in(values.get("target_port")),
        moment=when.moment,
        unread_time=when.unread or None,
        excerpt=excerpt([one_line(x, longest=600) for x in line.splitlines()]),
        work=one_line(values.get("work", ""), longest=300) or None,
        claimant=one_line(values.get("claimant", ""), longest=300) or None,
        confidence=0.97,
    )


def _when(text: str, zone: int | None, mail: Mail) -> Stated:
    of_mail = moment_of_mail(mail)
    return read_time(text, zone=zone, year_of=of_mail.at if of_mail else None)
