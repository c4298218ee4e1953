"""Every parser's samples give the reading that stands beside them, by the fast mail parser and by the slow one."""

import json
import os
import re
from importlib.resources import files
from pathlib import Path

import pytest

from tipstaff.cli.parse import describe
from tipstaff.intake import mail as mail_module
from tipstaff.intake.mail import read_mail, read_mail_by_standard_library
from tipstaff.intake.protocol import Parser, load_parsers
from tipstaff.intake.reading import read
from tipstaff.intake.sieve import sift

PARSERS = Path(str(files("tipstaff.intake.parsers")))
SAMPLES = sorted(PARSERS.glob("*/samples/*.eml"))
NAMES = [f"{x.parent.parent.name}/{x.stem}" for x in SAMPLES]


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_a_sample_is_read_as_its_golden_file_says(sample: Path) -> None:
    told = describe(sample.name, read(sample.read_bytes(), parsers=load_parsers()))
    golden = sample.with_suffix(".json")
    if os.environ.get("TIPSTAFF_UPDATE_GOLDEN"):
        golden.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert told == json.loads(golden.read_text(encoding="utf-8"))


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_a_sample_is_read_alike_through_the_standard_library(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = read(sample.read_bytes(), parsers=load_parsers())
    monkeypatch.setattr(mail_module, "parse_email_tree", _refuse)
    assert read(sample.read_bytes(), parsers=load_parsers()) == fast


def _refuse(*_: object, **__: object) -> None:
    raise RuntimeError("not today")


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_no_sample_is_sealed(sample: Path) -> None:
    assert not sift(sample.read_bytes()).sealed


@pytest.mark.parametrize("parser", load_parsers(), ids=lambda x: x.name)
def test_a_parser_has_samples_and_says_what_it_reads(parser: Parser) -> None:
    folder = PARSERS / parser.name
    assert list(folder.glob("samples/*.eml"))
    assert len((folder / "README.md").read_text(encoding="utf-8").split()) > 60


def test_every_sample_is_a_whole_mail() -> None:
    for sample in SAMPLES:
        assert read_mail_by_standard_library(sample.read_bytes()).broken == ""


def test_samples_name_nobody_real() -> None:
    allowed = ("192.0.2.", "198.51.100.", "203.0.113.", "10.", "127.0.0.1", "99.0.4844.51")
    for sample in SAMPLES:
        mail = read_mail(sample.read_bytes())
        text = "\n".join([mail.body, *(x.text for x in mail.leaves), *mail.headers("received")])
        for address in re.findall(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])", text):
            assert address.startswith(allowed), (sample, address)
