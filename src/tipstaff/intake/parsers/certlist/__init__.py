"""Reads lists of addresses as CERTs and networks send them: CSV, tables in the letter, spreadsheets, zipped too."""

import re
from collections.abc import Iterator

from tipstaff.words import Allegation, Reading, ReadingReason

from ...forms.tables import Row, UnreadableSheet, meant, rows_of_sheet, sheet_cost, shown, table_of_rows, tables_in
from ...forms.taxonomy import kind_of_names
from ...mail import Mail
from ...ranking.letter import UNKNOWN_KIND, kind_of_letter
from ...ranking.model import Weights, load_weights
from ...shaping import MOST_ALLEGATIONS, address_in, complaint, excerpt, port_in, unreadable
from ...text.characters import decode, one_line
from ...text.find import is_public, refang
from ...text.names import is_host_name, to_ascii
from ...text.times import Stated, find_moment, read_time, stated_zone

_SHEETS = (".xlsx", ".xlsm", ".xls", ".ods")
_TABLES = (".csv", ".tsv", ".txt", ".log", ".dat", ".psv")
_SHEETS_OCTETS = 8 * 1024 * 1024
"""To which the spreadsheets of one mail may unfold together, in its archives too. The first has a bound of its own."""
_MOST_SHEETS = 40
_NO_INFECTION = frozenset(["no", "none", "false", "0", "clean", "negative", "not infected", "uninfected"])
_INFECTION_UNSAID = frozenset(["", "-", "--", "?", "n/a", "na", "null", "nil", "unknown", "not available"])
_PROTOCOLS = frozenset(["tcp", "udp", "icmp", "sctp", "gre", "http", "https", "smtp", "ssh", "ftp", "dns", "sip"])
_NUMBERS = {"6": "tcp", "17": "udp", "1": "icmp"}
_UTC = re.compile(r"\b(?:utc|gmt)\b", re.IGNORECASE)
_STATED = 0.92
"""Confidence where the row, or the name of its file, says the kind of abuse."""
_TABLE = 0.97
"""Confidence that a table's rows are the offenders; that its kind is what the letter speaks of is another question."""
_AT_LEAST = 0.6
"""The share of a table's rows that must name an offender; with less it is no list of offenders."""


class CertListParser:
    """Reads each table whose heading names an address, URL or host and one thing more."""

    name = "certlist"
    priority = 60

    def __init__(self, weights: Weights | None = None) -> None:
        self.weights = weights

    def read(self, mail: Mail) -> Reading | None:
        """An allegation for each row of a list, or None when the mail holds no such list."""
        allegations: list[Allegation] = []
        faults: list[str] = []
        about = f"{mail.subject}\n{mail.body[:8000]}"
        weights = self.weights or load_weights()
        general: tuple[str, float] | None = None
        zone: int | None = None
        least = 1.0
        for name, table in _tables(mail, faults):
            usable = [x for x in table if _offender(x) is not None]
            if len(usable) < max(1, _AT_LEAST * len(table)):
                continue
            if general is None:
                general = kind_of_letter(mail, weights)
                zone = stated_zone(mail.body)
            named = kind_of_names(name)
            kind, confidence = (named, _STATED) if named else (general[0], round(_TABLE * general[1], 3))
            cleared = False
            for row in usable:
                if _is_cleared(row, kind):
                    cleared = True
                    continue
                allegation = _allegation(row, kind, confidence, zone=zone)
                if allegation is not None and len(allegations) <= MOST_ALLEGATIONS:
                    allegations.append(allegation)
                    least = min(least, allegation.confidence)
            if cleared:
                faults.append("Some rows of the list say that there is no infection, and were left out.")
        if allegations:
            sure = not faults and least >= min(_STATED, weights.sure_from)
            why = faults[0] if faults else "" if sure else "The list does not say which kind of abuse it is about."
            return complaint(mail, allegations, parser=self.name, sure=sure, detail=why)
        if faults and kind_of_names(about):
            return unreadable(mail, ReadingReason.BROKEN_FORM, parser=self.name, detail=faults[0])
        return None


def _tables(mail: Mail, faults: list[str]) -> Iterator[tuple[str, list[Row]]]:
    sheets = cost = 0
    for attachment in mail.attachments:
        name = attachment.name.lower()
        if name.endswith(_SHEETS) or "spreadsheet" in attachment.content_type or "ms-excel" in attachment.content_type:
            cost += sheet_cost(attachment.content)
            sheets += 1
            try:
                if sheets > _MOST_SHEETS or (sheets > 1 and cost > _SHEETS_OCTETS):
                    raise UnreadableSheet("the mail's spreadsheets are more than are read of one mail")
                yield attachment.name, table_of_rows(rows_of_sheet(attachment.content))
            except UnreadableSheet as why:
                faults.append(one_line(f"The spreadsheet {attachment.name or 'attached'} cannot be read: {why}."))
        elif name.endswith(_TABLES) or attachment.content_type in (
            "text/csv",
            "text/plain",
            "text/tab-separated-values",
        ):
            for table in tables_in(decode(attachment.content)):
                yield attachment.name, table
    body = mail.body
    if "|" in body or "," in body or ";" in body or "\t" in body or "  " in body:
        for table in tables_in(body):
            yield "", table


def _offender(row: Row) -> str | None:
    source = meant(row, "source")
    if source:
        found = address_in(source)
        return source if found is not None and is_public(str(found)) else None
    url = refang(meant(row, "url"))
    if "://" in url:
        return url
    name = refang(meant(row, "domain")).lower().rstrip(".")
    return name if is_host_name(name) else None


_MAY_BE_INFECTED = (UNKNOWN_KIND, "content/malware")


def _infection(row: Row) -> str:
    return row.get("infection", "").strip().lower()


def _own_kind(row: Row) -> str | None:
    said = (meant(row, "kind"), *(row.get(x, "") for x in ("malware", "infection", "tag", "description")))
    return kind_of_names(*(x for x in said if x.strip().lower() not in _NO_INFECTION))


def _names_page(row: Row) -> bool:
    return "://" in refang(meant(row, "url"))


def _is_cleared(row: Row, kind: str) -> bool:
    """Whether a row of infected machines says that this one is not infected, and alleges nothing else."""
    meant_so = kind in (*_MAY_BE_INFECTED, "connection/infected_host")
    return _infection(row) in _NO_INFECTION and meant_so and _own_kind(row) is None and not _names_page(row)


def _allegation(row: Row, kind: str, confidence: float, *, zone: int | None) -> Allegation | None:
    own = _own_kind(row)
    is_infected = _infection(row) not in _NO_INFECTION | _INFECTION_UNSAID
    if own is None and is_infected and kind in _MAY_BE_INFECTED and not _names_page(row):
        # The column says it, whatever the family in it is called; a letter may know more of the matter. What stands
        # beside a page is what the page offers.
        own = "connection/infected_host"
    kind = own or kind
    if kind == UNKNOWN_KIND:
        return None
    source = address_in(meant(row, "source"))
    url = refang(meant(row, "url"))[:2000]
    name = refang(meant(row, "domain")).lower().rstrip(".")
    protocol = meant(row, "protocol").lower()
    target = meant(row, "target")
    when = _when(row, zone)
    return Allegation(
        type=kind,
        source=source,
        source_port=port_in(meant(row, "source_port")),
        url=url if url.startswith(("http://", "https://", "ftp://")) else None,
        domain=to_ascii(name) if is_host_name(name) else None,
        protocol=_NUMBERS.get(protocol, protocol if protocol in _PROTOCOLS else None),
        target=one_line(target, longest=254) or None,
        target_port=port_in(meant(row, "target_port")),
        moment=when.moment,
        unread_time=when.unread or None,
        excerpt=excerpt([one_line(x, longest=300) for x in shown(row)])[:1500],
        confidence=_STATED if own else confidence,
    )


def _when(row: Row, zone: int | None) -> Stated:
    """The row's time; its zone as the cell, a column beside, the column's own name, or the letter states it."""
    value = meant(row, "time")
    if row.get("date") and row.get("time") and ":" in row["time"]:
        value = f"{row['date']} {row['time']}"
    beside = next((row[x] for x in ("timezone", "time zone", "tz", "zone") if row.get(x)), "")
    column = next((x for x, cell in row.items() if cell == value and not x.startswith("=")), "")
    if _UTC.search(column) or _UTC.fullmatch(beside.strip()):
        zone = 0
    elif beside and (stated := find_moment(f"{value} {beside}")):
        return Stated(stated)
    return read_time(value, zone=zone)
