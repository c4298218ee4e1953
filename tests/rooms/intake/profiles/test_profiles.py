"""Profiles of reporters: strict to load, tested before use, linear to match, changed without a deploy."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.intake.mail import read_mail
from tipstaff.intake.profiles.form import BadProfile, Profile, load_profile, parse_profile
from tipstaff.intake.profiles.pattern import BadPattern, compile_pattern
from tipstaff.intake.profiles.proposing import propose
from tipstaff.intake.profiles.reader import ProfilesParser, faults_of_sample, read_by
from tipstaff.intake.protocol import load_parsers
from tipstaff.intake.reading import read
from tipstaff.words import Reading

TEXT = """
name = "csirt-example"
about = "Scan notices"
type = "connection/port_scan"
zone = "+01:00"
[match]
from = "@csirt.example.org"
subject = "scan"
[text]
once = ["Our reference: {reference}"]
each = ["{time} {source}:{port} -> {target}:{target_port} {protocol}"]
[[samples]]
file = "one.eml"
[[samples.expect]]
source = "192.0.2.5"
port = 40000
target = "203.0.113.9"
target_port = 22
time = "2026-03-10T03:00:00Z"
[[samples.expect]]
source = "2001:db8::5"
port = 40001
"""
MAIL = b"""From: CSIRT <notices@csirt.example.org>
To: abuse@example.net
Subject: Scan from your network
Date: Tue, 10 Mar 2026 12:00:00 +0000
Message-ID: <1@csirt.example.org>

Dear colleagues,
Our reference: EX-1
2026-03-10 04:00:00 192.0.2.5:40000 -> 203.0.113.9:22 tcp
2026-03-10 04:00:01 [2001:db8::5]:40001 -> [2001:db8:1::9]:22 tcp
We mean 192.0.2.99 as an example only.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "one.toml").write_text(TEXT)
    (tmp_path / "one.eml").write_bytes(MAIL)
    return tmp_path


def profile(text: str = TEXT) -> Profile:
    return parse_profile(text, path=Path("x.toml"))


def faults(folder: Path) -> list[str]:
    one = load_profile(folder / "one.toml")
    return [x for sample in one.samples for x in faults_of_sample(one, sample)]


def by_profiles(folder: Path, raw: bytes = MAIL) -> Reading:
    return read(raw, parsers=(ProfilesParser(folder), *load_parsers()))


def test_a_profile_reads_its_reporters_mail_before_anybody_else(folder: Path) -> None:
    reading = by_profiles(folder)
    assert faults(folder) == []
    assert (reading.parser, reading.reporter.reference) == ("profile:csirt-example", "EX-1")
    assert [str(x.source) for x in reading.allegations] == ["192.0.2.5", "2001:db8::5"]


def test_nobody_elses_mail_is_read_by_it(folder: Path) -> None:
    other = MAIL.replace(b"notices@csirt.example.org", b"notices@other.example.org")
    assert not by_profiles(folder, other).parser.startswith("profile:")
    beside = MAIL.replace(b"@csirt.example.org", b"@notcsirt.example.org")
    assert not by_profiles(folder, beside).parser.startswith("profile:")


def test_what_a_profile_does_not_understand_is_read_by_others(folder: Path) -> None:
    changed = MAIL.replace(b" -> ", b" to ")
    reading = by_profiles(folder, changed)
    assert reading.parser != "profile:csirt-example"
    assert reading.allegations


def test_a_changed_file_counts_at_once(folder: Path) -> None:
    parser = ProfilesParser(folder)
    mail = read_mail(MAIL)
    assert parser.read(mail) is not None
    (folder / "one.toml").unlink()
    assert parser.read(mail) is None
    (folder / "two.toml").write_text(TEXT.replace("csirt-example", "anew"))
    reading = parser.read(mail)
    assert reading is not None
    assert reading.parser == "profile:anew"


@pytest.mark.parametrize("change", [("port = 40001", "port = 40002"), ('zone = "+01:00"', 'zone = "UTC"')])
def test_a_profile_that_fails_its_own_sample_is_not_used(folder: Path, change: tuple[str, str]) -> None:
    (folder / "one.toml").write_text(TEXT.replace(*change))
    assert faults(folder)
    assert not by_profiles(folder).parser.startswith("profile:")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('name = "csirt-example"', 'name = "CSIRT Example"'), "name"),
        (('type = "connection/port_scan"', 'type = "connection/scanning"'), "no type of XARF"),
        (('from = "@csirt.example.org"', 'from = ""'), "reads nobody else's mail"),
        (("{time} {source}", "{time}{source}"), "side by side"),
        (("{time} {source}", "{time} {sauce}"), "is no field"),
        (('zone = "+01:00"', 'zone = "Europe/Berlin"'), "offset"),
        (('file = "one.eml"', 'file = "/etc/passwd"'), "beside the profile"),
        (('file = "one.eml"', 'file = "../x.eml"'), "beside the profile"),
        (("[[samples.expect]]", "[[samples.expects]]"), "what must be read"),
        (("about =", "abuot ="), "is not known"),
        (("[text]", "[text"), "not valid TOML"),
    ],
)
def test_a_fault_is_one_sentence_with_its_file(change: tuple[str, str], said: str) -> None:
    with pytest.raises(BadProfile, match=said) as told:
        profile(TEXT.replace(*change))
    assert str(told.value).startswith("x.toml: ")


def test_a_table_is_read_by_the_columns_that_the_profile_names() -> None:
    text = """
name = "table-example"
form = "table"
zone = "UTC"
[match]
from = "feed@example.org"
[columns]
source = "Quelle"
time = "Gesehen"
kind = "Art"
[types]
"ssh-versuch" = "connection/login_attack"
"offen" = "vulnerability/open_service"
[[samples]]
file = "x.eml"
[[samples.expect]]
"""
    raw = (
        b"From: feed@example.org\nSubject: list\nContent-Type: text/plain\n\n"
        b"Art;Gesehen;Quelle\nSSH-Versuch;2026-03-10 04:00:00;192.0.2.6\n"
        b"Offen;2026-03-10 04:00:01;192.0.2.7\nAnderes;;192.0.2.8\n"
    )
    reading = read_by(profile(text), read_mail(raw))
    assert reading is not None
    assert [(x.type, str(x.source), x.moment is not None and x.moment.zone_stated) for x in reading.allegations] == [
        ("connection/login_attack", "192.0.2.6", True),
        ("vulnerability/open_service", "192.0.2.7", True),
    ]


def test_json_is_read_by_the_paths_that_the_profile_names() -> None:
    text = """
name = "json-example"
type = "infrastructure/botnet"
form = "json"
[match]
from = "feed@example.org"
[json]
rows = "data.events"
source = "src.ip"
port = "src.port"
time = "when"
[[samples]]
file = "x.eml"
[[samples.expect]]
"""
    raw = (
        b"From: feed@example.org\nSubject: events\n\n"
        b'{"data": {"events": [{"src": {"ip": "192.0.2.6", "port": 80}, "when": 1773115200}, {"src": {}}]}}\n'
    )
    reading = read_by(profile(text), read_mail(raw))
    assert reading is not None
    [allegation] = reading.allegations
    assert (str(allegation.source), allegation.source_port) == ("192.0.2.6", 80)
    line = b'{"data":{"events":{"src":{"ip":"192.0.2.%d"}}}}'
    raw = b"From: feed@example.org\nSubject: events\n\n" + b"\n".join([line % 7, b"{broken", b"[" * 9999, line % 8])
    reading = read_by(profile(text), read_mail(raw))
    assert reading is not None
    assert [str(x.source) for x in reading.allegations] == ["192.0.2.7", "192.0.2.8"], "each line is a document"


# ---- Patterns


def test_fields_stand_between_words() -> None:
    pattern = compile_pattern("from {source} port {port} at {time} ({any}) done")
    found = pattern.match("x from 192.0.2.1 port 22 at 10 March 2026 04:00 UTC (whatever) done")
    assert found == {"source": "192.0.2.1", "port": "22", "time": "10 March 2026 04:00 UTC"}
    assert pattern.match("from 192.0.2.1 port 22 at now (whatever) don") is None


def test_an_address_keeps_its_own_colons() -> None:
    assert compile_pattern("{source}:{port}").match("[2001:db8::1]:443") == {"source": "[2001:db8::1]", "port": "443"}


@given(
    st.lists(st.sampled_from(["{source}", "{any}", "{time}", "a", " ", ":", "->"]), min_size=1, max_size=8),
    st.text(max_size=80),
)
def test_any_pattern_on_any_line_matches_or_does_not(parts: list[str], line: str) -> None:
    try:
        pattern = compile_pattern("".join(parts))
    except BadPattern:
        return
    found = pattern.match(line)
    assert found is None or all(value in line for value in found.values())


def test_a_hostile_line_takes_no_more_steps_than_it_is_long() -> None:
    class Counting(str):
        looks = 0

        def find(self, *a: object) -> int:  # type: ignore[override]  # the test's own
            Counting.looks += 1
            return str.find(self, *a)  # type: ignore[arg-type]  # as above

    pattern = compile_pattern("a{any}a{any}a{any}a{any}b {source}")
    assert pattern.match(Counting("a" * 2000)) is None
    assert Counting.looks <= 51


# ---- Proposals


def test_a_proposal_reads_the_mail_that_it_was_made_from(tmp_path: Path) -> None:
    reading = read(MAIL, parsers=load_parsers())
    proposal = propose(read_mail(MAIL), reading, name="proposed", sample="one.eml")
    assert proposal is not None
    (tmp_path / "one.eml").write_bytes(MAIL)
    (tmp_path / "one.toml").write_text(proposal.toml)
    assert faults(tmp_path) == [], proposal.toml
    later = MAIL.replace(b"192.0.2.5:40000", b"192.0.2.77:41234").replace(b"04:00:00", b"05:10:20")
    again = by_profiles(tmp_path, later)
    assert again.parser == "profile:proposed"
    assert "192.0.2.77" in [str(x.source) for x in again.allegations]


def test_the_spans_shown_are_where_the_values_stand() -> None:
    reading = read(MAIL, parsers=load_parsers())
    proposal = propose(read_mail(MAIL), reading, name="proposed", sample="one.eml")
    assert proposal is not None
    for span in proposal.spans:
        assert proposal.lines[span.line][span.start : span.end] == span.value


def test_nothing_is_proposed_where_no_line_names_an_offender() -> None:
    reading = read(MAIL, parsers=load_parsers())
    assert propose(read_mail(b"From: a@example.org\n\nNothing here.\n"), reading, name="x", sample="x.eml") is None
