"""Forms, what they share, and what they bear: tables, XML, locked archives, spreadsheets, labels, names of kinds."""

import base64
import contextlib
import csv
import hashlib
import hmac
import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from tipstaff.intake import locked_office
from tipstaff.intake import mail as mail_reading
from tipstaff.intake.forms.labels import meaning_of
from tipstaff.intake.forms.tables import UnreadableSheet, meant, rows_of_sheet, sheet_cost, tables_in
from tipstaff.intake.forms.taxonomy import kind_of_names
from tipstaff.intake.forms.xml import BrokenXml, HostileXml, read_xml
from tipstaff.intake.locked_office import is_locked, unlock_office
from tipstaff.intake.mail import Limits, open_zip, read_mail
from tipstaff.intake.parsers import certlist
from tipstaff.intake.parsers.xarf.first_form import first_form
from tipstaff.intake.protocol import load_parsers
from tipstaff.intake.reading import read
from tipstaff.intake.sieve import sift
from tipstaff.intake.weight import is_heavy
from tipstaff.words import XARF_TYPES, Reading, ReadingOutcome, ReadingReason

from .mails import letter, with_files, zipped

ADDRESSES = st.integers(1, 254).map(lambda n: f"192.0.2.{n}")


# ---- Tables


@given(
    st.lists(st.tuples(ADDRESSES, st.integers(1, 65535), st.text("abc ,;|\"'", max_size=12)), min_size=1, max_size=20),
    st.sampled_from([",", ";", "\t"]),
)
def test_a_table_gives_back_what_was_written_whatever_its_separator(
    rows: list[tuple[str, int, str]], separator: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(["IP address", "Source port", "Comment"])
    writer.writerows(rows)
    (table,) = tables_in(f"Dear colleagues,\n\n{text.getvalue()}\n\nRegards\n")
    assert [(meant(x, "source"), meant(x, "source_port")) for x in table] == [(a, str(p)) for a, p, _ in rows]


@given(st.lists(st.tuples(ADDRESSES, st.booleans()), min_size=1, max_size=20))
def test_in_a_table_of_blanks_a_missing_cell_never_makes_a_victim_the_offender(rows: list[tuple[str, bool]]) -> None:
    lines = ["Time       Source IP       Port    Target IP"]
    lines += [f"10:00:00   {a if whole else ''}       {'80     ' if whole else ''} 203.0.113.5" for a, whole in rows]
    found = [meant(x, "source") for table in tables_in("\n".join(lines)) for x in table]
    assert found == [a for a, whole in rows if whole]


@settings(max_examples=150)
@given(st.text(max_size=400))
def test_any_text_gives_tables_or_none(text: str) -> None:
    for table in tables_in(text):
        assert all(table)


def test_rows_that_name_no_offender_make_no_list() -> None:
    table = "ip,time\nnone,2026-03-10 10:00:00\nnone,2026-03-10 10:00:00\n192.0.2.1,2026-03-10 10:00:00\n"
    reading = read(
        with_files("Port scan from 192.0.2.9 seen.", ("text/csv", "a.csv", table.encode())), parsers=load_parsers()
    )
    assert reading.parser != "certlist"


def test_a_spreadsheet_that_unfolds_too_far_is_refused() -> None:
    bomb = zipped(("xl/worksheets/sheet1.xml", b" " * (65 * 1024 * 1024)))
    with pytest.raises(UnreadableSheet, match="bound"):
        list(rows_of_sheet(bomb))


SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
OASIS = "urn:oasis:names:tc:opendocument:xmlns"


def xlsx(rows: str) -> bytes:
    """A workbook of one sheet (ECMA-376) with these rows."""
    texts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{LINKS}"><Relationship Id="a" Type="{OFFICE}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{SPREADSHEET}" xmlns:r="{OFFICE}"><sheets><sheet name="a" sheetId="1" '
        'r:id="b"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{LINKS}"><Relationship Id="b" Type="{OFFICE}/worksheet" '
        'Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SPREADSHEET}"><sheetData>{rows}</sheetData></worksheet>',
    }  # fmt: skip
    return zipped(*((name, text.encode()) for name, text in texts.items()))


def ods(rows: str) -> bytes:
    """A document of one table (OpenDocument 1.3) with these rows."""
    names = " ".join(f'xmlns:{x}="{OASIS}:{x}:1.0"' for x in ("office", "table", "text"))
    content = (
        f"<office:document-content {names}><office:body><office:spreadsheet>"
        f'<table:table table:name="a">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    return zipped(
        ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
        ("META-INF/manifest.xml", f'<manifest:manifest xmlns:manifest="{OASIS}:manifest:1.0"/>'.encode()),
        ("content.xml", content.encode()),
    )


def at_cell(*places: str) -> str:
    return "".join(f'<c r="{x}"><v>7</v></c>' for x in places)


def cell(more: str = "") -> str:
    return f'<table:table-cell office:value-type="float" office:value="7" {more}><text:p>7</text:p></table:table-cell>'


def row(cells: str, more: str = "") -> str:
    return f"<table:table-row {more}>{cells}</table:table-row>"


FIRST = "<row><c><v>7</v></c></row>"
EMPTY = '<table:table-cell table:number-columns-repeated="16384"/>'
SPREAD = {
    "the farthest corner": lambda: xlsx(FIRST + f'<row r="1048576">{at_cell("XFD1048576")}</row>'),
    "in small letters": lambda: xlsx(FIRST + f"<row>{at_cell('xfd5000')}</row>"),
    "a row far down": lambda: xlsx(FIRST + f'<row r="300000"><c/>{at_cell("CV300000")}</row>'),
    "cells without a place": lambda: xlsx(f"<row>{'<c><v>7</v></c>' * 3000}</row>" + FIRST * 9000),
    "with prefixes": lambda: xlsx(FIRST + "<x:row><x:c r='XFD9999'/></x:row>"),
    "repeated cells": lambda: ods(row(cell('table:number-columns-repeated="16384"')) * 1000),
    "repeated rows": lambda: ods(row(cell() * 3, 'table:number-rows-repeated="1048576"')),
    "a gap in each row": lambda: ods(row(EMPTY + cell()) * 1000),
    "a gap of rows": lambda: ods(row(cell() * 3) + row(EMPTY, 'table:number-rows-repeated="1000000"') + row(cell())),
    "hidden in attributes": lambda: ods(row(cell('x="<table:table-row>"') * 300) + row(cell()) * 9000),
    "hidden in comments": lambda: ods(row((cell() + "<!-- <table:table-row> -->") * 300) + row(cell()) * 9000),
}  # fmt: skip


@pytest.mark.parametrize("shape", SPREAD)
def test_a_small_spreadsheet_whose_cells_lie_far_apart_is_refused_before_it_takes_any_room(shape: str) -> None:
    content = SPREAD[shape]()
    assert len(content) < 20_000
    with pytest.raises(UnreadableSheet, match=r"spread over more than 2,000,000 places|comments stand among"):
        list(rows_of_sheet(content))


def test_a_refused_spreadsheet_goes_to_a_person_with_a_sentence() -> None:
    sheet = SPREAD["the farthest corner"]()
    reading = read(
        with_files("Infected hosts, see the list.", ("application/vnd.ms-excel", "bots.xlsx", sheet)),
        parsers=load_parsers(),
    )
    assert reading.outcome is ReadingOutcome.UNREADABLE
    assert reading.detail == (
        "The spreadsheet bots.xlsx cannot be read: its cells are spread over more than 2,000,000 places."
    )


def test_spreadsheets_as_programs_write_them_are_read_whole() -> None:
    """An office program fills a table up with empty cells and rows to the farthest corner, said in two repetitions."""
    filled = EMPTY.replace("16384", "16382")
    rows = row(cell() * 2 + filled) + row(EMPTY, 'table:number-rows-repeated="9"') + row(cell() * 2 + filled)
    table = ods(rows + row(EMPTY, 'table:number-rows-repeated="1048565"'))
    assert [x for x in rows_of_sheet(table) if any(x)] == [["7", "7"], ["7", "7"]]
    many = "".join(f'<row r="{n}">{at_cell(f"A{n}", f"E{n}")}</row>' for n in range(1, 20_001))
    found = list(rows_of_sheet(xlsx(many)))
    assert len(found) == 20_000
    assert found[-1] == ["7", "", "", "", "7"]


def test_what_says_its_cells_in_a_form_that_is_not_counted_is_refused() -> None:
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)
    for content in (old, zipped(("xl/workbook.bin", b"x"))):
        with pytest.raises(UnreadableSheet, match="neither XLSX nor ODS"):
            list(rows_of_sheet(content))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_are_a_spreadsheet_or_refused(content: bytes) -> None:
    for start in (b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        with contextlib.suppress(UnreadableSheet):
            list(rows_of_sheet(start + content))


# ---- XML


@pytest.mark.parametrize(
    "source",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        '<!DOCTYPE a SYSTEM "http://198.51.100.1/x.dtd"><a/>',
        "<a>" * 100 + "</a>" * 100,
    ],
)
def test_xml_that_attacks_its_reader_is_refused(source: str) -> None:
    with pytest.raises(HostileXml):
        read_xml(source)


@settings(max_examples=150)
@given(st.text('<>/ab&;!"= x', max_size=120))
def test_any_text_is_xml_or_refused(source: str) -> None:
    with contextlib.suppress(BrokenXml, HostileXml):
        assert read_xml(source).name


# ---- The first form of X-ARF


def test_yaml_that_refers_to_itself_is_not_unfolded() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\nSource: 192.0.2.1\n"
    assert first_form(f"---\n{bomb}")["source"] == "192.0.2.1"


def test_yaml_calls_nothing() -> None:
    assert (
        first_form("---\nSource: 192.0.2.1\nx: !!python/object/apply:os.system ['exit 1']\n")["source"] == "192.0.2.1"
    )


def test_a_date_keeps_the_zone_that_it_was_written_with() -> None:
    assert first_form("---\nDate: 2026-03-10 09:15:00 +0100\nSource: 192.0.2.1\n")["date"].endswith("+0100")


@settings(max_examples=150)
@given(st.text(max_size=200))
def test_any_text_has_fields_or_none(text: str) -> None:
    assert all(isinstance(x, str) for x in first_form(text).values())


# ---- Locked archives

PASSWORD = "a word agreed"
TABLE = b"ip,time,type\n192.0.2.31,2026-03-10 10:00:00 UTC,phishing\n"


def locked_by_aes(content: bytes, *, password: str, strength: int = 3) -> bytes:
    """A ZIP archive as WinZip's AE-2 has it, made by hand."""
    key_octets, salt = 8 * (strength + 1), bytes(range(4 * (strength + 1)))
    keys = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1000, 2 * key_octets + 2)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(content) + packer.flush()
    stream = b""
    for n in range(1, len(packed) // 16 + 2):
        stream += Cipher(algorithms.AES(keys[:key_octets]), modes.ECB()).encryptor().update(n.to_bytes(16, "little"))
    sealed = bytes(a ^ b for a, b in zip(packed, stream, strict=False))
    mark = hmac.new(keys[key_octets : 2 * key_octets], sealed, hashlib.sha1).digest()[:10]
    body = salt + keys[-2:] + sealed + mark
    extra = struct.pack("<HHHHBH", 0x9901, 7, 2, 0x4541, strength, zipfile.ZIP_DEFLATED)
    name = b"list.csv"
    common = struct.pack("<HHHHHIII", 51, 1, 99, 0, 0, 0, len(body), len(content))
    local = b"PK\x03\x04" + common + struct.pack("<HH", len(name), len(extra)) + name + extra
    central = b"PK\x01\x02" + struct.pack("<H", 51) + common
    central += struct.pack("<HHHHHII", len(name), len(extra), 0, 0, 0, 0, 0) + name + extra
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(central), len(local) + len(body), 0)
    return local + body + central + end


@pytest.mark.parametrize("strength", [1, 2, 3])
def test_an_archive_locked_with_a_known_password_is_read(strength: int) -> None:
    archive = locked_by_aes(TABLE, password=PASSWORD, strength=strength)
    raw = with_files("Phishing in your network.", ("application/zip", "list.zip", archive))
    with_it = read(raw, parsers=load_parsers(), passwords=("another", PASSWORD))
    assert [str(x.source) for x in with_it.allegations] == ["192.0.2.31"]
    without = read(raw, parsers=load_parsers(), passwords=("another",))
    assert not without.allegations


def test_an_archive_that_was_changed_stays_locked() -> None:
    archive = bytearray(locked_by_aes(TABLE, password=PASSWORD))
    archive[70] ^= 1
    assert list(open_zip(bytes(archive), limits=Limits(archive_passwords=(PASSWORD,)))) == []


def test_the_sieve_looks_into_a_locked_archive_too() -> None:
    archive = locked_by_aes(b"category: child pornography\nurl: http://192.0.2.1/x\n", password=PASSWORD)
    raw = with_files("See the archive.", ("application/zip", "list.zip", archive))
    assert sift(raw, passwords=(PASSWORD,)).sealed


OLD_CIPHER = base64.b64decode(
    "UEsDBBQACQAIAEcFfF2DRKtXRAAAADkAAAAIAAAAbGlzdC5jc3a3Y2TUOY2h1COZ2daAkpFpaMpkr1LBU6xhsNwhwlQLQcT5VTTbPD7eTVcd7m"
    "OIoKar68lDKX0zlcrXQv6hwqPqmWgNTVBLBwiDRKtXRAAAADkAAABQSwECHgMUAAkACABHBXxdg0SrV0QAAAA5AAAACAAAAAAAAAABAAAApIEA"
    "AAAAbGlzdC5jc3ZQSwUGAAAAAAEAAQA2AAAAegAAAAAA"
)
"""TABLE as Info-ZIP 3.0 locked it by its old cipher (`zip -P`)."""
LOCKED_SHEET = Path(__file__).with_name("locked.xlsx").read_bytes()
"""Two rows that openpyxl wrote and msoffcrypto-tool 6.1 locked as Excel does."""


def locked_as_in_2007(content: bytes, *, password: str, bits: int = 128) -> bytes:
    """The document in the locked one, locked anew by standard encryption (MS-OFFCRYPTO, 2.3.4.5 to 2.3.4.9).

    msoffcrypto-tool, which writes no such file, opens those that this gives.
    """
    plain = unlock_office(content, passwords=(PASSWORD,))
    assert plain is not None
    salt, said = bytes(range(16)), bytes(range(16, 32))
    digest = hashlib.sha1(salt + password.encode("utf-16-le")).digest()
    for n in range(50_000):
        digest = hashlib.sha1(struct.pack("<I", n) + digest).digest()
    digest = hashlib.sha1(digest + struct.pack("<I", 0)).digest()
    padded = digest + bytes(44)
    inner, outer = (hashlib.sha1(bytes(x ^ mask for x in padded)).digest() for mask in (0x36, 0x5C))
    cipher = Cipher(algorithms.AES((inner + outer)[: bits // 8]), modes.ECB())

    def sealed(octets: bytes) -> bytes:
        return cipher.encryptor().update(octets + bytes(-len(octets) % 16))

    number = {128: 0x660E, 192: 0x660F, 256: 0x6610}[bits]
    head = struct.pack("<8I", 0x24, 0, number, 0x8004, bits, 0x18, 0, 0) + "AES\0".encode("utf-16-le")
    proof = struct.pack("<I16s16sI32s", 16, salt, sealed(said), 20, sealed(hashlib.sha1(said).digest()))
    info = struct.pack("<HHII", 4, 2, 0x24, len(head)) + head + proof
    at = content.index(struct.pack("<HHI", 4, 4, 0x40))
    end = content.index(b"</encryption>") + len(b"</encryption>")
    start = content.index(
        struct.pack("<Q", len(plain))
        + locked_office._Streams(content).read("EncryptedPackage", octets_max=1 << 24)[8:24]
    )
    package = struct.pack("<Q", len(plain)) + sealed(plain)
    return content[:at] + info.ljust(end - at, b"\0") + content[end:start] + package + content[start + len(package) :]


LOCKED_IN_2007 = {bits: locked_as_in_2007(LOCKED_SHEET, password=PASSWORD, bits=bits) for bits in (128, 256)}
SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def read_locked(kind: str, name: str, content: bytes, *passwords: str) -> Reading:
    raw = with_files("Phishing in your network, see the list.", (kind, name, content))
    return read(raw, parsers=load_parsers(), passwords=passwords)


@pytest.mark.parametrize(
    ("kind", "name", "content", "sources"),
    [
        ("application/zip", "list.zip", OLD_CIPHER, ["192.0.2.31"]),
        (SPREADSHEET, "list.xlsx", LOCKED_SHEET, ["192.0.2.31", "192.0.2.32"]),
        (SPREADSHEET, "2007.xlsx", LOCKED_IN_2007[128], ["192.0.2.31", "192.0.2.32"]),
        (SPREADSHEET, "2007.xlsx", LOCKED_IN_2007[256], ["192.0.2.31", "192.0.2.32"]),
    ],
    ids=["old cipher", "spreadsheet", "spreadsheet of 2007", "its longest key"],
)
def test_what_other_programs_locked_is_read_with_its_password_and_said_to_be_locked_without(
    kind: str, name: str, content: bytes, sources: list[str]
) -> None:
    found = read_locked(kind, name, content, "another", PASSWORD)
    assert [str(x.source) for x in found.allegations] == sources
    assert all(x.moment is not None and x.moment.zone_stated for x in found.allegations)
    for passwords in ((), ("another",)):
        closed = read_locked(kind, name, content, *passwords)
        assert closed.outcome is ReadingOutcome.UNREADABLE
        assert name in closed.detail
        assert "is locked with a password that is not known here" in closed.detail


def infected(number: int, *, padding: int = 0) -> bytes:
    """A workbook that lists one infected host, and blanks behind it."""
    cells = ("timestamp", "ip", "infection", "2026-03-10 03:12:44 UTC", f"192.0.2.{number}", "some-family")
    told = [f'<c t="inlineStr"><is><t>{x}</t></is></c>' for x in cells]
    return xlsx(f"<row>{''.join(told[:3])}</row><row>{''.join(told[3:])}</row>{' ' * padding}")


def test_every_spreadsheet_in_an_archive_is_read() -> None:
    archive = zipped(*((f"{n}.xls{'mx'[n % 2]}", infected(40 + n)) for n in range(5)), ("other.docx", infected(50)))
    found = read(with_files("Infected hosts.", ("application/zip", "lists.zip", archive)), parsers=load_parsers())
    assert [str(x.source) for x in found.allegations] == [f"192.0.2.{40 + n}" for n in range(5)]
    assert found.reason is ReadingReason.UNDERSTOOD


def test_a_spreadsheet_with_macros_is_a_file_and_no_archive() -> None:
    mail = with_files("Infected hosts.", ("application/octet-stream", "list.xlsm", infected(40)))
    assert [x.name for x in read_mail(mail).attachments] == ["list.xlsm"]
    assert [str(x.source) for x in read(mail, parsers=load_parsers()).allegations] == ["192.0.2.40"]


def test_spreadsheets_of_one_mail_have_one_bound_and_what_is_not_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    one = infected(40, padding=10_000)
    monkeypatch.setattr(certlist, "_SHEETS_OCTETS", 2 * sheet_cost(one) + 1000)
    archives = [
        (
            "application/zip",
            f"{a}.zip",
            zipped(*((f"{a}{n}.xlsx", infected(10 * a + n, padding=10_000)) for n in (1, 2))),
        )
        for a in (4, 5)
    ]
    found = read(with_files("Infected hosts.", *archives), parsers=load_parsers())
    assert [str(x.source) for x in found.allegations] == ["192.0.2.41", "192.0.2.42"]
    assert found.reason is ReadingReason.UNSURE
    assert "51.xlsx" in found.detail
    monkeypatch.setattr(certlist, "_MOST_SHEETS", 1)
    again = read(with_files("Infected hosts.", archives[0]), parsers=load_parsers())
    assert ([str(x.source) for x in again.allegations], again.reason) == (["192.0.2.41"], ReadingReason.UNSURE)


@pytest.mark.parametrize("said", ["none", "no", "0", "false", "Clean", "N/A", "-", "unknown"])
@pytest.mark.parametrize("text", ["Your network.", "These hosts are infected with malware.", "Infected hosts."])
def test_a_row_without_an_infection_alleges_none_by_it(said: str, text: str) -> None:
    at = "2026-03-10 03:12:44 UTC"
    rows = f"timestamp;ip;infection\n{at};192.0.2.91;{said}\n{at};192.0.2.92;some-family\n"
    found = read(with_files(text, ("text/csv", "list.csv", rows.encode())), parsers=load_parsers())
    sources = {str(x.source): x.type for x in found.allegations}
    assert "192.0.2.92" in sources
    if said in ("N/A", "-", "unknown"):
        assert ("192.0.2.91" in sources) == (text != "Your network.")
    else:
        assert "192.0.2.91" not in sources
        assert found.reason is ReadingReason.UNSURE
        assert "no infection" in found.detail


def test_a_row_without_an_infection_may_allege_another_thing() -> None:
    rows = b"timestamp;ip;infection;description\n2026-03-10 03:12:44 UTC;192.0.2.91;none;Phishing\n"
    found = read(with_files("Your network.", ("text/csv", "list.csv", rows)), parsers=load_parsers())
    assert [(x.type, str(x.source)) for x in found.allegations] == [("content/phishing", "192.0.2.91")]


@pytest.mark.parametrize("said", ["some-family", "none"])
def test_an_infection_beside_a_page_is_what_the_page_offers(said: str) -> None:
    rows = (
        f"timestamp;url;ip;infection\n2026-03-10 03:12:44 UTC;http://bad.example.com/x.exe;192.0.2.91;{said}\n".encode()
    )
    text = "Malware is offered for download at these URLs."
    found = read(with_files(text, ("text/csv", "list.csv", rows)), parsers=load_parsers())
    assert [(x.type, x.url) for x in found.allegations] == [("content/malware", "http://bad.example.com/x.exe")]


def test_a_list_of_infections_alleges_infections_whatever_they_are_called() -> None:
    rows = b"timestamp;ip;port;infection\n2026-03-10 03:12:44 UTC;192.0.2.91;4000;some-family\n"
    found = read(with_files("Your network.", ("text/csv", "list.csv", rows)), parsers=load_parsers())
    assert [(x.type, str(x.source), x.source_port) for x in found.allegations] == [
        ("connection/infected_host", "192.0.2.91", 4000)
    ]
    assert found.reason is ReadingReason.UNDERSTOOD
    other = read(
        with_files("A compromised server runs in your network.", ("text/csv", "l.csv", rows)), parsers=load_parsers()
    )
    assert [x.type for x in other.allegations] == ["infrastructure/compromised_server"], "the letter knows it better"


def test_a_network_s_notice_of_a_blocklist_s_name_is_read() -> None:
    text = (
        "The following IPs of your network have been listed within the last day:\n\n192.0.2.65  2026-03-10 03:12 CET\n"
    )
    found = read(letter(text, subject="UCEPROTECT-Network notification for 192.0.2.65"), parsers=load_parsers())
    assert found.parser == "blocklist"
    assert {(x.type, str(x.source)) for x in found.allegations} == {("reputation/blocklist", "192.0.2.65")}


def test_a_locked_spreadsheet_is_heavy_and_the_sieve_looks_into_it() -> None:
    raw = with_files("See the list.", (SPREADSHEET, "list.xlsx", LOCKED_SHEET))
    assert is_heavy(raw), "it is an archive once it is opened"
    assert read_mail(raw, limits=Limits(archive_passwords=(PASSWORD,))).leaves[-1].content[:4] == b"PK\x03\x04"


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.replace(b'spinCount="100000"', b'spinCount="999999"'),
        lambda x: x.replace(b'cipherAlgorithm="AES"', b'cipherAlgorithm="RC2"'),
        lambda x: x[:-3000] + bytes(1) + x[-2999:],
        lambda x: x[:76] + struct.pack("<I", 1) * 109 + x[512:],
        lambda x: x[:48] + struct.pack("<I", 0) + x[52:],
    ],
    ids=["rounds", "cipher", "changed", "tables", "entries"],
)
def test_a_spreadsheet_that_was_made_to_cost_time_or_was_changed_stays_locked(
    change: Callable[[bytes], bytes],
) -> None:
    changed = change(LOCKED_SHEET)
    assert changed != LOCKED_SHEET
    assert unlock_office(changed, passwords=(PASSWORD,)) is None


@pytest.mark.parametrize(
    "change",
    [(b"\x0e\x66\0\0\x04\x80", b"\x01\x68\0\0\x04\x80"), (b"\x04\x80\0\0\x80", b"\x04\x80\0\0\x28"),
     (b"\x0e\x66\0\0\x04\x80", b"\x0e\x66\0\0\x03\x80"), (b"\x10\0\0\0\0\x01\x02", b"\x0f\0\0\0\0\x01\x02"),
     (b"\x04\0\x02\0\x24", b"\x05\0\x02\0\x24"), (b"\x24\0\0\0\x28\0\0\0", b"\x24\0\0\0\xff\xff\xff\xff")],
    ids=["RC4", "a shorter key", "MD5", "salt", "version", "size"],
)  # fmt: skip
def test_a_spreadsheet_of_2007_that_says_what_its_programs_never_say_stays_locked(change: tuple[bytes, bytes]) -> None:
    assert LOCKED_IN_2007[128].count(change[0]) == 1
    assert unlock_office(LOCKED_IN_2007[128].replace(*change), passwords=(PASSWORD,)) is None


def test_passwords_are_tried_on_two_spreadsheets_of_a_mail_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bytes] = []
    monkeypatch.setattr(mail_reading, "unlock_office", lambda content, passwords: tried.append(content))
    raw = with_files("See.", *((SPREADSHEET, f"{n}.xlsx", LOCKED_SHEET) for n in range(5)))
    read_mail(raw, limits=Limits(archive_passwords=("another",)))
    assert len(tried) == 2


@given(st.integers(0, 2**32), st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_any_compound_file_is_opened_or_stays_closed(seed: int, blows: int) -> None:
    chance, spoiled = random.Random(seed), bytearray(LOCKED_SHEET)
    for _ in range(blows):
        spoiled[chance.randrange(8, 2048)] = chance.randrange(256)
    is_locked(bytes(spoiled))
    unlock_office(bytes(spoiled[: chance.randrange(len(spoiled))]), passwords=())


def locked_as(told: str) -> bytes:
    """The locked spreadsheet with another account of how it was locked, as long as its own."""
    at = LOCKED_SHEET.index(b"<encryption")
    end = LOCKED_SHEET.index(b"</encryption>") + len(b"</encryption>")
    assert len(told) <= end - at
    return LOCKED_SHEET[:at] + told.encode().ljust(end - at) + LOCKED_SHEET[end:]


def told_again(**changed: str) -> str:
    """Its own account with some of what it says of the password's key changed."""
    at, end = LOCKED_SHEET.index(b"<encryption"), LOCKED_SHEET.index(b"</encryption>") + len(b"</encryption>")
    head, sign, rest = LOCKED_SHEET[at:end].decode().partition("encryptedKey ")
    for name, value in changed.items():
        rest = re.sub(rf'\b{name}="[^"]*"', f'{name}="{value}"', rest)
    return f"{head}{sign}{rest}"


TERMS_THAT_BREAK = {
    "none": "<encryption></encryption>",
    "no number": told_again(keyBits="9" * 30, encryptedKeyValue=""),
}


@pytest.mark.parametrize("told", TERMS_THAT_BREAK.values(), ids=TERMS_THAT_BREAK)
def test_a_malformed_locked_spreadsheet_stays_locked_and_costs_the_mail_nothing(told: str) -> None:
    broken = locked_as(told)
    assert unlock_office(broken, passwords=(PASSWORD,)) is None
    raw = with_files("See.", (SPREADSHEET, "list.xlsx", broken))
    coded = base64.encodebytes(b"Auf https://example.com/x: Kinderpornografie.")
    raw = raw.replace(b"Content-Transfer-Encoding: 7bit\n\nSee.\n", b"Content-Transfer-Encoding: base64\n\n" + coded)
    mail = read_mail(raw, limits=Limits(archive_passwords=(PASSWORD,)))
    assert not mail.broken
    assert sift(raw, passwords=(PASSWORD,)).sealed, "the words are still decoded and heard"


@pytest.mark.parametrize("bits", ["8", "64", "0", "512", " 256"])
def test_a_key_of_another_length_than_aes_has_is_not_tried(bits: str) -> None:
    assert unlock_office(locked_as(told_again(keyBits="256")), passwords=(PASSWORD,))
    said = locked_as(told_again(keyBits=bits, encryptedKeyValue=""))
    tried: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locked_office._Terms, "secret", lambda terms, password: tried.append(password))
        assert unlock_office(said, passwords=(PASSWORD,)) is None
    assert not tried


@pytest.mark.parametrize("name", ["saltValue", "encryptedVerifierHashInput", "encryptedVerifierHashValue"])
def test_a_salt_or_a_verifier_of_hundreds_of_octets_is_not_hashed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[bytes] = []
    fitted = locked_office._fitted
    monkeypatch.setattr(locked_office, "_by_aes", lambda key, start, sealed: hashed.append(sealed) or sealed)
    monkeypatch.setattr(locked_office, "_fitted", lambda octets, n: hashed.append(octets) or fitted(octets, n))
    others = dict.fromkeys(("encryptedKeyValue", "encryptedVerifierHashInput", "encryptedVerifierHashValue"), "")
    long = base64.b64encode(bytes(90)).decode()
    assert unlock_office(locked_as(told_again(**{**others, "spinCount": "0", name: long})), passwords=("x",)) is None
    assert all(len(x) <= 64 for x in hashed)


def with_entries(count: int, *, kind: int, start: int, octets: int) -> bytes:
    """A compound file with the octets of one long stream and many directory entries, to cost time."""
    entry = b"R\0".ljust(64, b"\0") + struct.pack("<HB", 4, kind)
    entry = (entry.ljust(116, b"\0") + struct.pack("<IQ", start, octets)).ljust(128, b"\0")
    contents = [bytes(octets), entry * count]
    sectors, following, starts = b"", [], []
    for content in contents:
        starts.append(len(following))
        number = -(-len(content) // 512)
        following += [*range(len(following) + 1, len(following) + number), 0xFFFFFFFE]
        sectors += content.ljust(512 * number, b"\0")
    tables = range(len(following), len(following) + len(following) // 128 + 1)
    following += [0xFFFFFFFF] * (128 * len(tables) - len(following))
    head = locked_office.SIGN.ljust(30, b"\0") + struct.pack("<HH", 9, 6)
    head = head.ljust(48, b"\0") + struct.pack("<7I", starts[1], 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    head += struct.pack("<109I", *tables, *[0xFFFFFFFF] * (109 - len(tables)))
    return head + sectors + struct.pack(f"<{len(following)}I", *following)


def test_a_compound_file_of_many_roots_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    sector = locked_office._Streams._sector
    monkeypatch.setattr(locked_office._Streams, "_sector", lambda self, n: (asked.append(n), sector(self, n))[1])
    content = with_entries(1000, kind=5, start=0, octets=1_500_000)
    assert not is_locked(content)
    assert len(asked) <= 2 * len(content) // 512
    mail = read_mail(with_files("See.", ("application/vnd.ms-excel", "a.xls", content)))
    assert mail.closed is None
    asked.clear()
    assert mail.closed is None
    assert not asked, "its answer is kept"


def test_an_attachment_that_breaks_what_opens_it_is_left_as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(content: bytes, passwords: tuple[str, ...]) -> bytes:
        raise StopIteration

    monkeypatch.setattr(mail_reading, "unlock_office", breaks)
    raw = with_files("See.", (SPREADSHEET, "list.xlsx", LOCKED_SHEET))
    mail = read_mail(raw, limits=Limits(archive_passwords=(PASSWORD,)))
    assert (mail.broken, mail.leaves[-1].content) == ("", LOCKED_SHEET)


def test_a_broken_spreadsheet_of_any_kind_is_said_to_be_broken() -> None:
    sheet = bytearray(xlsx(at_cell("A1", "B1")))
    for at in range(60, 75):
        sheet[at] ^= 0x5A
    with pytest.raises(UnreadableSheet):
        list(rows_of_sheet(bytes(sheet)))


def test_a_password_is_never_said() -> None:
    mail = read_mail(letter("x"), limits=Limits(archive_passwords=(PASSWORD,)))
    assert PASSWORD not in repr(mail)


# ---- Words


def test_every_name_of_a_kind_leads_to_a_type_of_xarf() -> None:
    names = ["Brute force", "scanner", "C2 server", "open-resolver", "Phishing", "spam", "ddos", "infected system"]
    assert {kind_of_names(x) for x in names} <= XARF_TYPES
    assert kind_of_names("", "nothing of the kind", "rsit:fraud=phishing") == "content/phishing"


@pytest.mark.parametrize(
    ("label", "meaning"),
    [
        ("IP-Adresse", "source"),
        ("src_ip", "source"),
        ("Dst IP", "target"),
        ("Timestamp (UTC)", "time"),
        ("Wetter", None),
    ],
)
def test_a_label_means_the_same_however_it_is_spelled(label: str, meaning: str | None) -> None:
    assert meaning_of(label) == meaning


# ---- Every form bears everything


FORMS = (
    "<IODEF-Document><Incident><EventData><Flow><System><Node><Address>192.0.2.1</Address></Node></System></Flow></EventData></Incident></IODEF-Document>",
    '{"type":"bundle","objects":[{"type":"indicator","id":"i","pattern":"[ipv4-addr:value = \'192.0.2.1\']"}]}',
    '{"Event":{"info":"x","Attribute":[{"type":"ip-src","value":"192.0.2.1"}]}}',
    "ip,time\n192.0.2.1,2026-03-10 10:00:00\n",
    "The IP 192.0.2.1 has just been banned by Fail2Ban after 5 attempts against sshd.",
    "<feedback><policy_published><domain>example.com</domain></policy_published><record/></feedback>",
    "---\nReported-From: x@example.org\nReport-Type: spam\nSource: 192.0.2.1\n",
)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(FORMS), st.integers(0, 2**32), st.integers(0, 12))
def test_a_form_that_was_damaged_gets_a_reading_and_breaks_nothing(form: str, seed: int, blows: int) -> None:
    chance = random.Random(seed)
    content = bytearray(form.encode())
    for _ in range(blows):
        content[chance.randrange(len(content))] = chance.randrange(256)
    reading = read(with_files("Attack.", ("application/octet-stream", "a.txt", bytes(content))), parsers=load_parsers())
    assert "stopped at this mail" not in reading.detail
    assert reading.outcome in ReadingOutcome
    assert reading.reason in ReadingReason


# ---- The kind of abuse, where a form does not say it


ODD = [
    None, True, -1, 1e308, float("nan"), 10**400, "", "x" * 5000, "::", "999.1.1.1", "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00", "2026-02-30", "65536", "1e400", "http://[", "http://[::1]:99999/", "a\0b", "xn--9.com",
    "10/Mar/2026:99:00:00", "٣.٤.٥.٦", "٢٠٢٦-٠٣-١٠", "²", "1_000", [], {}, [[]], [None], {"": None}, {"a": [{}]},
]  # fmt: skip
"""Values that a field may hold and no writer of a parser thinks of."""


def with_odd_value(text: str, chance: random.Random) -> str:
    """The same document with another value in one place."""
    odd = chance.choice(ODD)
    try:
        tree = json.loads(text)
    except ValueError:
        words = list(re.finditer(r"[^\s,;|<>\"']+", text)) or [re.match("", text)]
        place = chance.choice(words)
        assert place is not None
        return f"{text[: place.start()]}{odd}{text[place.end() :]}"
    where: list[tuple[Any, Any]] = []
    stack = [tree]
    while stack:
        this = stack.pop()
        keys = list(this) if isinstance(this, dict) else list(range(len(this))) if isinstance(this, list) else []
        where += [(this, key) for key in keys]
        stack += [this[key] for key in keys]
    if where:
        holder, key = chance.choice(where)
        holder[key] = odd
    return json.dumps(tree)


@pytest.mark.parametrize("seed", range(5))
def test_no_value_in_any_field_of_any_form_stops_a_parser(seed: int) -> None:
    chance, parsers = random.Random(seed), load_parsers()
    for sample in sorted(Path(str(files("tipstaff.intake.parsers"))).glob("*/samples/*.eml")):
        leaf = chance.choice(read_mail(sample.read_bytes()).leaves)
        odd = with_odd_value(with_odd_value(leaf.text[:20_000], chance), chance).encode("utf-8", "replace")
        raw = (
            with_files("See.", (leaf.content_type, leaf.filename or "x.txt", odd))
            if leaf.filename
            else letter(odd.decode())
        )
        assert "stopped at this mail" not in read(raw, parsers=parsers).detail, (sample, odd)


def test_an_impact_that_a_program_fills_in_for_everything_is_believed_less_than_the_letter() -> None:
    document = (
        b'<IODEF-Document version="1.00"><Incident purpose="reporting"><IncidentID name="x">1</IncidentID>'
        b'<Assessment><Impact type="dos"/></Assessment><EventData><Flow><System category="source"><Node>'
        b'<Address category="ipv4-addr">192.0.2.9</Address></Node></System></Flow></EventData></Incident>'
        b"</IODEF-Document>"
    )
    file = ("text/xml", "incident.xml", document)
    told = with_files(
        "We saw failed ssh login attempts, a brute force attack on the passwords of our server, from 192.0.2.9.",
        file,
        subject="SSH brute force attack, login attempts from 192.0.2.9",
    )
    by_letter = read(told, parsers=load_parsers())
    assert {(x.type, str(x.source)) for x in by_letter.allegations} == {("connection/login_attack", "192.0.2.9")}
    silent = read(with_files("Attached.", file, subject="Incident 1"), parsers=load_parsers())
    assert [x.type for x in silent.allegations] == ["connection/ddos"]
    assert silent.reason is ReadingReason.UNSURE


def test_an_impact_in_the_senders_own_word_is_what_the_sender_says() -> None:
    document = (
        b'<IODEF-Document version="1.00"><Incident purpose="reporting"><IncidentID name="x">1</IncidentID>'
        b'<Assessment><Impact type="ext-value" ext-type="SPAM"/></Assessment><EventData><Flow><System '
        b'category="source"><Node><Address category="ipv4-addr">192.0.2.9</Address></Node></System></Flow></EventData>'
        b"</Incident></IODEF-Document>"
    )
    terms = "Our time limits: phishing 1 hour, DDoS attack 1 hour, DMCA copyright 3 days, malware 8 hours."
    reading = read(with_files(terms, ("text/xml", "incident.xml", document), subject="Abuse"), parsers=load_parsers())
    assert [(x.type, x.confidence) for x in reading.allegations] == [("messaging/spam", 0.95)]


def test_a_table_of_another_sender_is_no_report_of_shadowservers() -> None:
    rows = '"asn","ip","timestamp","port"\n"64496","192.0.2.9","2026-03-10 08:00:00","443"\n'
    ours = letter(f"Vulnerable VPN servers in your network:\n\n{rows}", subject="Vulnerable SSL VPN servers")
    assert read(ours, parsers=load_parsers()).parser != "shadowserver"
    theirs = with_files("Attached.", ("text/csv", "2026-03-10-scan_ssl-example-asn.csv", rows.encode()))
    assert read(theirs, parsers=load_parsers()).parser == "shadowserver"


def test_who_fetched_a_reported_mail_from_a_mailbox_did_not_send_it() -> None:
    original = (
        "Received: from mail.example.org (203.0.113.6:143) by box with IMAP4 fetcher; 10 Mar 2026 04:44:08 -0000\n"
        "Received: from mx.example.org (mx.example.org [203.0.113.3]) by box with LMTPA; Tue, 10 Mar 2026 01:42:16 "
        "+0000\n"
        "Received-SPF: Pass (mailfrom) identity=mailfrom; client-ip=192.0.2.9; helo=mail.example.com\n"
        "Received: from mail.example.com ([192.0.2.9]) by mx.example.org with ESMTP; Tue, 10 Mar 2026 01:42:11 +0000\n"
        "From: offer@example.com\nSubject: Offer\n\nBuy.\n"
    )
    raw = (
        "From: loop@example.org\nTo: abuse@example.net\nSubject: report\nMIME-Version: 1.0\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nAn abuse report.\n--b\n"
        "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: Loop/1\nVersion: 1\n\n--b\n"
        f"Content-Type: message/rfc822\n\n{original}\n--b--\n"
    )
    for way in (raw, raw.replace("Received-SPF", "X-Nothing")):
        found = read(way.encode(), parsers=load_parsers()).allegations
        assert str(found[0].source) != "203.0.113.6"
    assert str(read(raw.encode(), parsers=load_parsers()).allegations[0].source) == "192.0.2.9"
