"""The hard rules, in every form: sealed matter leaves nothing, and nothing in a complaint is opened or resolved."""

import base64
import json
import socket
import urllib.request
from importlib.resources import files
from pathlib import Path

import pytest

from tipstaff.intake.forms.wrapped import mail_of
from tipstaff.intake.protocol import load_parsers
from tipstaff.intake.reading import read
from tipstaff.intake.sieve import sift
from tipstaff.words import ReadingOutcome

from .mails import with_files, zipped

SAMPLES = sorted(Path(str(files("tipstaff.intake.parsers"))).glob("*/samples/*.eml"))
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8).decode()
ADDRESS = "192.0.2.199"
MISP = {
    "Event": {
        "info": "Child sexual abuse material hosted",
        "Attribute": [
            {"type": "ip-dst", "value": ADDRESS, "to_ids": True},
            {"type": "attachment", "value": "a.png", "data": PICTURE},
        ],
    }
}
STIX = {
    "type": "bundle",
    "objects": [
        {
            "type": "indicator",
            "id": "indicator--1",
            "name": "CSAM host",
            "labels": ["child-abuse"],
            "pattern": f"[ipv4-addr:value = '{ADDRESS}']",
        },
        {"type": "artifact", "id": "artifact--1", "mime_type": "image/png", "payload_bin": PICTURE},
    ],
}
IODEF = (
    "<IODEF-Document><Incident><Description>child pornography</Description><EventData><Flow><System>"
    f"<Node><Address>{ADDRESS}</Address></Node></System></Flow></EventData></Incident></IODEF-Document>"
)
TABLE = f"ip,time,type\n{ADDRESS},2026-03-10 10:00:00 UTC,child sexual abuse material\n"
FORMS = {
    "misp": with_files("A report.", ("application/json", "event.json", json.dumps(MISP).encode())),
    "stix": with_files("A report.", ("application/json", "bundle.json", json.dumps(STIX).encode())),
    "iodef": with_files("A report.", ("text/xml", "incident.xml", IODEF.encode())),
    "csv": with_files("A report.", ("text/csv", "list.csv", TABLE.encode())),
    "zip": with_files("A report.", ("application/zip", "list.zip", zipped(("list.csv", TABLE.encode())))),
    "labels": with_files(
        f"Child pornography.\nURL: http://{ADDRESS}/x\nReference: 1\n", ("image/png", "x.png", b"\x89PNG" * 99)
    ),
    "feed": mail_of(
        json.dumps({"feed": "urlhaus", "rows": [{"url": f"http://{ADDRESS}/", "tags": "child sexual abuse"}]}).encode(),
        content_type="application/vnd.tipstaff.feed+json",
        filename="x.json",
        sender="a@feed.invalid",
        subject="Feed",
    ),
    "xarf by HTTP": mail_of(
        json.dumps(
            {
                "xarf_version": "4.2.0",
                "category": "content",
                "type": "csam",
                "source_identifier": ADDRESS,
                "evidence": [{"content_type": "image/png", "payload": PICTURE}],
            }
        ).encode(),
        content_type="application/json",
        filename="xarf.json",
        sender="a@tipstaff.invalid",
        subject="XARF report",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_sealed_matter_leaves_no_media_in_any_form(form: str) -> None:
    sifted = sift(FORMS[form])
    assert sifted.sealed
    for media in (b"\x89PNG", PICTURE[:60].encode()):
        assert media not in sifted.kept


@pytest.mark.parametrize("form", FORMS)
def test_a_reading_of_sealed_matter_names_no_address(form: str) -> None:
    reading = read(FORMS[form], parsers=load_parsers())
    assert reading.outcome is ReadingOutcome.SEALED
    assert reading.allegations == ()
    assert ADDRESS not in repr(reading)


def test_words_that_only_sound_alike_seal_nothing() -> None:
    table = f"ip,time,type\n{ADDRESS},2026-03-10 10:00:00 UTC,brute force by child process\n"
    raw = with_files("Attacks.", ("text/csv", "list.csv", table.encode()))
    assert not sift(raw).sealed
    assert read(raw, parsers=load_parsers()).outcome is ReadingOutcome.COMPLAINT


def test_nothing_in_a_complaint_is_opened_or_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was opened")

    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    for sample in SAMPLES:
        assert "stopped at this mail" not in read(sample.read_bytes(), parsers=load_parsers()).detail, sample
