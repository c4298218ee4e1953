"""The sieve: what is sealed, what is not, and that no media of a sealed report is ever kept."""

import base64
import bz2
import gzip
import hashlib
import io
import json
import random
import tarfile
import zipfile
import zlib
from dataclasses import replace
from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tipstaff.intake import mail as mail_reading
from tipstaff.intake import sieve
from tipstaff.intake.sieve import sift

from .mails import forms_of, letter, survives, with_files, zipped

REPORTS = {
    "English": "We found child sexual abuse material at https://example.com/x on 192.0.2.7. Please remove it.",
    "abbreviation": "CSAM report: the URL https://example.com/x hosts illegal images.",
    "German": "Auf https://example.com/x liegt kinderpornografisches Material (Kinderpornografie). Bitte sperren.",
    "French": "Signalement de pédopornographie : https://example.com/x sur 192.0.2.7.",
    "Spanish": "Denunciamos pornografía infantil en https://example.com/x.",
    "Italian": "Segnalazione di pedopornografia all'indirizzo https://example.com/x.",
    "Portuguese": "Denúncia de pornografia infantil em https://example.com/x.",
    "Dutch": "Melding van kinderporno op https://example.com/x.",
    "Polish": "Zgłaszamy pornografię dziecięcą pod adresem https://example.com/x.",
    "Russian": "По адресу https://example.com/x размещена детская порнография.",
    "Japanese": "https://example.com/x に児童ポルノが掲載されています。",
    "Chinese": "https://example.com/x 存在儿童色情内容。",
    "Korean": "https://example.com/x 에 아동 음란물이 있습니다.",
    "Turkish": "https://example.com/x adresinde çocuk pornografisi bulunuyor.",
    "beside a policy": "This violates your acceptable use policy: child pornography is hosted on https://example.com/x",
    "to report": "We are writing to report child sexual abuse material on your server 192.0.2.7. Zero tolerance!",
    "beside other wrongs": "Phishing, malware, spam and child pornography are distributed from https://example.com/x",
    "with a mission": "Our mission is to fight abuse. We found child sexual abuse imagery at https://example.com/x",
    "described": "The image at https://example.com/x shows a girl of about 8 years, naked.",
    "described in German": "Auf https://example.com/x: nacktes Kind in sexueller Pose.",
    "described in Spanish": "Imagenes sexuales de una nina de 6 anos en https://example.com/x",
    "described in French": "La page https://example.com/x montre un enfant nu.",
    "described without an age": "Photos of naked children are on https://example.com/x.",
    "in two letters": "CP hosted at https://example.com/x, please remove it.",
    "in a hotline's words": "INHOPE report. Classification: baseline. https://example.com/x",
    "in a hotline's categories": "The IWF assessed https://example.com/x as Category A.",
    "broken over lines": "The page shows sexual images\nof children under ten: https://example.com/x",
}


@pytest.mark.parametrize("language", REPORTS)
def test_a_report_about_child_abuse_material_is_sealed(language: str) -> None:
    assert sift(letter(REPORTS[language])).sealed


@pytest.mark.parametrize("language", REPORTS)
def test_it_is_sealed_in_base64_in_html_and_inside_another_mail(language: str) -> None:
    text = REPORTS[language]
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "hotline@example.org", "Report"
    inner.set_content(text, cte="base64")
    outer = EmailMessage()
    outer["From"], outer["Subject"] = "forwarder@example.org", "Fwd: Report"
    outer.set_content("See below.")
    outer.add_attachment(inner)
    page = EmailMessage()
    page["From"], page["Subject"] = "hotline@example.org", "Report"
    page.set_content("<p>" + text.replace(" ", "&nbsp;") + "</p>", subtype="html", cte="quoted-printable")
    for mail in (inner, outer, page):
        assert sift(mail.as_bytes()).sealed


@pytest.mark.parametrize(
    ("cells", "sealed"),
    [
        ("<si><r><t>child</t></r><r><rPr><b/></rPr><t xml:space='preserve'> porn</t></r></si>", True),
        ("<x:si><x:r><x:t>ch</x:t></x:r>\n<x:r><x:rPr><x:b/></x:rPr><x:t>ild porn</x:t></x:r></x:si>", True),
        ("<si><t>cs</t></si><si><t>am</t></si>", False),
    ],
    ids=["bold within a phrase", "bold within a word", "two cells"],
)
def test_what_a_sheet_shows_as_one_text_is_read_as_one(cells: str, sealed: bool) -> None:
    sheet = zipped(("xl/sharedStrings.xml", f'<?xml version="1.0"?><sst>{cells}</sst>'.encode()))
    assert sift(with_files("See the list.", ("application/octet-stream", "l.xlsx", sheet))).sealed is sealed


@pytest.mark.parametrize("kind", ["csam", "csem"])
def test_an_xarf_report_of_a_sealed_type_is_sealed_attached_inline_and_zipped(kind: str) -> None:
    report = json.dumps({"xarf_version": "4.2.0", "category": "content", "type": kind, "url": "https://example.com/x"})
    old = json.dumps(
        {"Version": "3", "ReporterInfo": {}, "Report": {"ReportType": "Child-Abuse", "Url": "https://example.com"}}
    )
    for content in (report.encode(), old.encode(), report.replace("s", "\\u0073").encode()):
        assert sift(with_files("See the attached report.", ("application/json", "xarf.json", content))).sealed
        assert sift(with_files("See it.", ("application/zip", "r.zip", zipped(("xarf.json", content))))).sealed
        assert sift(letter(content.decode())).sealed
        assert sift(letter(base64.encodebytes(content).decode())).sealed


@pytest.mark.parametrize(
    "text",
    [
        "A phishing page runs at https://example.com/login on 192.0.2.7.\n\n-- \nExample Trust\n"
        "We also fight child sexual abuse material.",
        "Spam came from 192.0.2.7.\n\nTo report other types: spam, phishing, malware, copyright, child pornography,"
        " terrorism, write to us.",
        "Login attempts from 192.0.2.7 for user child, children's hospital of example.org, minors' sports club.",
        "This torrent of the film 'Child of Glass' was shared by 192.0.2.7 port 6881.",
        "Spam from 192.0.2.7 advertises: naked girls over 18, free pictures, boys welcome.",
        "This kind of nude photo spam comes from 192.0.2.7; our spam trap is 12 years old.",
        "Our boys' school has used 192.0.2.9 for 14 years; 192.0.2.7 scans it.",
        "Spam from 192.0.2.7 for the cPanel of example.org (cp.example.org), category A of our list.",
        "Kindergarten e.V. meldet: Spam von 192.0.2.7, unsere Kinderseite ist betroffen.",
        "Your customer 192.0.2.7 sent us malware.\n\n"
        + "All this is confidential. " * 9
        + "Our policy prohibits child porn.",
    ],
)
def test_a_report_that_only_mentions_the_matter_is_kept_as_it_came(text: str) -> None:
    raw = letter(text)
    sifted = sift(raw)
    assert not sifted.sealed
    assert sifted.kept == raw
    assert sifted.stripped == ()


def test_the_digest_is_of_the_bytes_as_received() -> None:
    raw = letter(REPORTS["English"])
    sifted = sift(raw)
    assert sifted.digest == hashlib.sha256(raw).hexdigest()
    assert sifted.size == len(raw)
    assert sifted.digest.encode() in sifted.kept


def test_a_sealed_mail_keeps_its_words_and_names_what_was_taken_out() -> None:
    picture = b"\xff\xd8\xff\xe0" + random.Random(1).randbytes(3000)
    raw = with_files(REPORTS["English"], ("image/jpeg", "evidence.jpg", picture))
    sifted = sift(raw)
    assert b"child sexual abuse material" in sifted.kept
    assert b"https://example.com/x" in sifted.kept
    assert sifted.stripped == (("image/jpeg", len(picture), hashlib.sha256(picture).hexdigest()),)
    assert hashlib.sha256(picture).hexdigest().encode() in sifted.kept
    assert not survives(picture, sifted.kept)


def test_what_is_kept_of_a_sealed_mail_is_sealed_again() -> None:
    assert sift(sift(letter(REPORTS["French"])).kept).sealed


MEDIA = [b"\xff\xd8\xff\xe0\x00\x10JFIF" + random.Random(n).randbytes(2400) for n in range(1)]
MEDIA.append(b"\x89PNG\r\n\x1a\n" + random.Random(7).randbytes(2400))
FORMS = list(forms_of(MEDIA[0]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("media", MEDIA, ids=range(len(MEDIA)))
def test_no_media_survives_whatever_the_form_and_the_place(form: str, media: bytes) -> None:
    planted = forms_of(media)[form]
    for place, raw in places(planted).items():
        sifted = sift(raw)
        assert sifted.sealed, place
        assert not survives(media, sifted.kept), (form, place, survives(media, sifted.kept))


def places(planted: bytes) -> dict[str, bytes]:
    """Mails with the planted bytes in every place that a mail offers."""
    words = REPORTS["English"].encode()
    head = b"From: h@example.org\r\nSubject: report\r\nMIME-Version: 1.0\r\n"
    text = planted.decode("latin-1")
    found = {
        "in the text": head + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + words + b"\r\n\r\n" + planted,
        "between words": head + b"\r\n" + words + b"\r\nlook: " + planted + b" there\r\n" + words,
        "before the first boundary": head
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + planted
        + b"\r\n--b\r\n\r\n"
        + words
        + b"\r\n--b--\r\n"
        + planted,
        "in a part that calls itself text": head
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
        + words
        + b"\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
        + planted
        + b"\r\n--b--\r\n",
        "in a part that calls itself nothing": head
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
        + words
        + b"\r\n--b\r\nContent-Type: x/y\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(planted)
        + b"\r\n--b--\r\n",
        "in HTML": with_html(words, b"<img src='" + planted.replace(b"'", b"") + b"'>"),
        "in JSON": with_files(
            "See the report.",
            (
                "application/json",
                "xarf.json",
                json.dumps({"category": "content", "type": "csam", "evidence": [{"payload": text}]}).encode(),
            ),
        ),
        "in a mail inside": with_mail_inside(words, planted),
        "in a header": head
        + b"X-Picture: "
        + planted.replace(b"\n", b"").replace(b"\r", b"")[:900]
        + b"\r\nSubject: "
        + planted.replace(b"\n", b"").replace(b"\r", b"")[:900]
        + b"\r\n\r\n"
        + words,
        "as a file name": head
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
        + words
        + b'\r\n--b\r\nContent-Disposition: attachment; filename="'
        + planted.replace(b"\n", b"").replace(b'"', b"")[:600]
        + b'"\r\n\r\nx\r\n--b--\r\n',
        "under a boundary that is never closed": head
        + b"Content-Type: multipart/mixed; boundary=other\r\n\r\n--b\r\n"
        + words
        + b"\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n"
        + planted,
    }
    return found


def with_html(words: bytes, tag: bytes) -> bytes:
    return (
        b"From: h@example.org\r\nSubject: report\r\nContent-Type: text/html; charset=latin-1\r\n\r\n<html><p>"
        + words
        + b"</p>"
        + tag
        + b"</html>"
    )


def with_mail_inside(words: bytes, planted: bytes) -> bytes:
    return (
        b"From: h@example.org\r\nSubject: fwd\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n\r\nsee\r\n--b\r\n"
        b"Content-Type: message/rfc822\r\n\r\nFrom: x@example.com\r\nSubject: y\r\n"
        b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n"
        + words
        + b"\r\n--c\r\nContent-Type: image/png\r\n\r\n"
        + planted
        + b"\r\n--c--\r\n--b--\r\n"
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(200, 4000),
    form=st.sampled_from(FORMS),
    place=st.sampled_from(sorted(places(b"x"))),
)
def test_no_planted_media_survives_anywhere(seed: int, size: int, form: str, place: str) -> None:
    media = b"\xff\xd8\xff\xe1" + random.Random(seed).randbytes(size)
    sifted = sift(places(forms_of(media)[form])[place])
    assert sifted.sealed
    assert not survives(media, sifted.kept)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_can_be_sifted(raw: bytes) -> None:
    sifted = sift(raw)
    assert sifted.sealed or sifted.kept == raw


@pytest.mark.parametrize(
    "head",
    [
        'From: Reports <a@example.org>\nContent-Type: image/jpeg; name="child-porn-evidence.jpg"',
        "From: a@example.org\nContent-Type: image/jpeg\nContent-Disposition: attachment; filename=csam_0417.jpg",
        "From: a@example.org\nContent-Type: image/jpeg\nContent-Disposition: attachment; filename*=utf-8''child%2Dporn",
        'From: a@example.org\nContent-Type: image/jpeg; name="=?utf-8?q?child=2Dporn=2Ejpg?="',
        "From: CSAM Reporting <a@example.org>\nContent-Type: image/jpeg",
        "From: Reports <csam.reports@example.org>\nContent-Type: image/jpeg",
        "From: =?utf-8?b?Q1NBTSBSZXBvcnRpbmc=?= <a@example.org>\nContent-Type: image/jpeg",
    ],
)
def test_media_that_only_its_file_name_or_its_sender_speaks_of_is_sealed_and_stripped(head: str) -> None:
    picture = b"\xff\xd8\xff\xe0" + random.Random(7).randbytes(900)
    encoded = base64.encodebytes(picture)
    sifted = sift(f"Subject: Report\n{head}\nContent-Transfer-Encoding: base64\n\n".encode() + encoded)
    assert sifted.sealed
    assert encoded[:40] not in sifted.kept
    plain = (
        head.replace("child", "screen").replace("csam", "host").replace("CSAM", "Host").replace("Q1NBTSB", "SG9zdCB")
    )
    assert not sift(f"Subject: Report\n{plain}\nContent-Transfer-Encoding: base64\n\n".encode() + encoded).sealed


@pytest.mark.parametrize(
    "phrase",
    [
        "sexualised images of minors",
        "sexualized depictions of children",
        "video of children being sexually abused",
        "images of the abuse of children",
        "Missbrauchsbilder von Kindern",
        "abus sexuels commis sur des enfants",
        "explotación sexual de niños",
        "seksualne wykorzystywanie dzieci",
        "c\u200bhi\u200bld po\u2060rn",
        "C.S.A.M.",
        "C S A M",
        "c-s-a-m",
    ],
)
def test_further_words_for_it_seal_too(phrase: str) -> None:
    assert sift(letter(f"On your server 192.0.2.7 we found {phrase} today.")).sealed


@pytest.mark.parametrize(
    "text",
    [
        "Child process 811 exited: minor fault. Severity: minor. Parent: 1.",
        "We sell photos of children at school and videos of minor league games.",
        "Images of the disk were taken after the abuse of our server; a minor delay.",
        "See c. s. a. for the article.",
    ],
)
def test_ordinary_words_near_those_stay_in_clear(text: str) -> None:
    assert not sift(letter(text)).sealed


@pytest.mark.parametrize("at", [100_000, 3_999_990, 5_900_000])
@pytest.mark.parametrize("filling", ["some words of a log\n", "日誌の記録です。\n"])
def test_the_whole_of_a_large_text_is_searched(filling: str, at: int) -> None:
    raw = filling.encode() * (8_000_000 // len(filling.encode()))
    place = raw.find(b"\n", at) + 1
    told = raw[:place] + "児童ポルノ http://192.0.2.7/\n".encode() + raw[place:]
    head = b"Subject: Log\nContent-Type: text/plain; charset=utf-8\n\n"
    assert sift(head + told).sealed
    assert not sift(head + raw).sealed


def test_what_no_parser_could_unfold_is_kept_in_clear_only_where_it_can_hold_nothing_but_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise ValueError("no form at all")

    monkeypatch.setattr(mail_reading, "_from_fast", breaks)
    monkeypatch.setattr(mail_reading, "_from_standard", breaks)
    picture = b"\xff\xd8\xff\xe0" + random.Random(7).randbytes(900)
    sifted = sift(with_files("See the picture.", ("image/jpeg", "a.jpg", picture)))
    assert sifted.sealed
    assert b"X-Tipstaff-Not-Looked-Into: no parser could read its form" in sifted.kept
    assert not survives(picture, sifted.kept)
    assert not sift(letter("Spam from 192.0.2.7.")).sealed


REPORT = b"http://192.0.2.1/x hosts child sexual abuse material. Remove it."
NOT_LOOKED_INTO = b"X-Tipstaff-Not-Looked-Into: "


def pdf(*pages: bytes, more: bytes = b"") -> bytes:
    """A PDF with no more to it than the streams of its pages."""
    streams = (zlib.compress(b"BT (%s) Tj ET" % x) for x in pages)
    objects = (b"%d 0 obj <<%s>>\nstream\n%s\nendstream\nendobj\n" % (n, more, x) for n, x in enumerate(streams))
    return b"%PDF-1.4\n" + b"".join(objects)


def with_archives(*contents: bytes) -> bytes:
    return with_files("See the files.", *(("application/octet-stream", f"{n}.bin", x) for n, x in enumerate(contents)))


MANUAL = pdf(*[b"page of a manual"] * 100)
LOGS = zipped(*((f"{n}.txt", b"a line of a log") for n in range(40)))


@pytest.mark.parametrize(
    "files",
    [
        (MANUAL, MANUAL, MANUAL, MANUAL, zipped(("report.txt", REPORT))),
        (LOGS,) * 30 + (zipped(("report.txt", REPORT)),),
        (zipped(("all.zip", zipped(*((f"{n}.zip", LOGS) for n in range(8))))), pdf(REPORT)),
        (pdf(*[b"page of a manual"] * 60, REPORT),),
        (pdf(*[b"page of a manual"] * 700, REPORT),),
    ],
    ids=["after long PDFs", "after many archives", "after a full archive", "on page 61", "on page 701"],
)
def test_a_file_does_not_shut_off_what_comes_after_it(files: tuple[bytes, ...]) -> None:
    sifted = sift(with_archives(*files))
    assert sifted.sealed
    assert NOT_LOOKED_INTO not in sifted.kept, "it was heard"
    assert not sift(with_archives(*(x for x in files if x in (MANUAL, LOGS)))).sealed


FULL = zipped(*((f"{n}.txt", b"a line of a log") for n in range(4)))


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ((zipped(("a.zip", FULL)),), b"more files lie in it"),
        ((FULL, FULL, FULL), b"more files lie in it"),
        ((zipped(("a.gz", gzip.compress(bytes(9000))), ("b.gz", gzip.compress(bytes(9000)))),), b"it unfolds to more"),
        ((gzip.compress(b"a b " * 1700),) * 4, b"it unfolds to more"),
        ((pdf(*[b"a page"] * 5),), b"it unfolds to more"),
        ((zipped(("a.zip", zipped(("b.zip", zipped(("c.txt", b"words")))))),), b"files lie too deep"),
    ],
    ids=["files of a part", "files of a mail", "octets of a part", "octets of a mail", "streams of a PDF", "depth"],
)
def test_what_lies_beyond_a_bound_is_not_kept_in_clear(
    files: tuple[bytes, ...], why: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sieve, "_FILES_OF_PART", 4)
    monkeypatch.setattr(sieve, "_FILES_OF_MAIL", 8)
    monkeypatch.setattr(sieve, "_DEEPEST", 2)
    looking = sieve._Looking
    monkeypatch.setattr(sieve, "_Looking", lambda limits: looking(replace(limits, decoded_octets=10_000)))
    sifted = sift(with_archives(*files))
    assert sifted.sealed
    assert NOT_LOOKED_INTO + why in sifted.kept
    assert len(sifted.stripped) == len(files)
    assert not sift(with_archives(FULL, zipped(("a.zip", zipped(("b.txt", b"words")))))).sealed


BROKEN = zipped(("a.txt", b"a line of a log" * 50), ("b.txt", b"another"))


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (BROKEN.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x08", b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x62"),
         b"a file in it cannot be unfolded"),
        (BROKEN[:-60].replace(b"PK\x03\x04\x14\x00\x00\x00\x08", b"PK\x03\x04\x14\x00\x00\x00\x62"),
         b"a file in it cannot be unfolded"),
        (bz2.compress(random.Random(3).randbytes(9000))[:5000], b"a file in it cannot be unfolded"),
        (zipped(*((f"{n}.bin", bytes(2**24)) for n in range(4))), b"it unfolds to more"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(200), b"it is packed in a way"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(200), b"it is packed in a way"),
        (zipped(("a.zst", b"\x28\xb5\x2f\xfd" + bytes(200))), b"it is packed in a way"),
        (b"\x04\x22\x4d\x18" + bytes(200), b"it is packed in a way"),
        (b"\x1f\x9d\x90" + bytes(200), b"it is packed in a way"),
        (zipped(("a.Z", b"\x1f\x9d\x10" + bytes(200))), b"it is packed in a way"),
    ],
    ids=[
        *("unknown method", "unknown method, no directory", "cut short", "bomb", "RAR", "7z", "Zstandard in ZIP"),
        *("LZ4", "compress", "compress in ZIP"),
    ],
)  # fmt: skip
def test_what_cannot_be_unfolded_is_not_kept_in_clear(file: bytes, why: bytes) -> None:
    sifted = sift(with_archives(file))
    assert sifted.sealed
    assert NOT_LOOKED_INTO + why in sifted.kept
    assert len(sifted.stripped) == 1


NOISE = random.Random(1).randbytes(60_000).hex().encode()
GZIP = gzip.compress(b"hi")


def faulty(packed: bytes, at: int) -> bytes:
    return packed[:at] + bytes((packed[at] ^ 0xFF,)) + packed[at + 1 :]


@pytest.mark.parametrize(
    "file",
    [
        faulty(gzip.compress(REPORT), -8),
        faulty(gzip.compress(REPORT + NOISE), -200),
        faulty(gzip.compress(NOISE + REPORT), -8),
        faulty(gzip.compress(NOISE + REPORT * 2 + b"0" * 40), -12),
        faulty(GZIP, -8) + gzip.compress(REPORT),
        faulty(GZIP, -8) + REPORT,
        GZIP + REPORT,
        GZIP + b"\0\0" + REPORT,
        GZIP + zipped(("report.txt", REPORT)),
        faulty(GZIP, -8) + zipped(("report.txt", REPORT)),
        GZIP + pdf(REPORT),
    ],
    ids=[
        *("check sum", "fault near the end", "check sum of a long one", "fault in the last octets"),
        *("fault, and a member", "fault, and a text", "a text behind", "a text behind zeros", "a ZIP archive behind"),
        *("fault, and an archive", "a PDF behind"),
    ],
)
def test_all_of_a_gzip_file_is_looked_at_that_stands_around_a_fault_or_is_no_member(file: bytes) -> None:
    sifted = sift(with_archives(file))
    assert sifted.sealed
    assert NOT_LOOKED_INTO not in sifted.kept, "it was heard"


@pytest.mark.parametrize("behind", [random.Random(2).randbytes(200), b"Rar!\x1a\x07\x01\x00" + bytes(200)])
def test_octets_behind_a_gzip_file_that_nobody_knows_are_not_kept_in_clear(behind: bytes) -> None:
    assert NOT_LOOKED_INTO in sift(with_archives(GZIP + behind)).kept
    harmless = GZIP + b"a line of a log", GZIP + bytes(40), faulty(gzip.compress(NOISE), 9000), faulty(GZIP, -8)
    assert not sift(with_archives(*harmless)).sealed


def stored(*files: tuple[str, bytes]) -> bytes:
    """A ZIP archive whose sizes stand behind the files, as a program writes it that cannot go back."""
    kept = io.BytesIO()
    with zipfile.ZipFile(Unseekable(kept), "w") as archive:
        for name, content in files:
            archive.writestr(name, content)
    return kept.getvalue()


class Unseekable:
    def __init__(self, file: io.BytesIO) -> None:
        self.write, self.flush = file.write, file.flush


@pytest.mark.parametrize(
    "file",
    [
        stored(("a.txt", b"one"), ("b.txt", REPORT)).replace(b"a.txt", b"A.txt", 1),
        stored(("a.txt", b"one"), ("b.txt", REPORT)).replace(b"a.txt", b"A.txt", 1).replace(b"b.txt", b"B.txt", 1),
        stored(("a.txt", b"one"), ("b.txt", REPORT))[:-60],
        zipped(("a.txt", REPORT)).replace(b"a.txt", b"A.txt", 1),
        faulty(stored(("a.txt", b"one" + REPORT), ("b.txt", b"two")), 36),
    ],
    ids=["another name before it", "other names", "no directory", "another name, deflated", "a wrong check sum"],
)
def test_a_file_of_an_archive_is_looked_at_although_one_in_it_is_broken(file: bytes) -> None:
    sifted = sift(with_archives(file))
    assert sifted.sealed
    assert NOT_LOOKED_INTO not in sifted.kept, "it was heard"


def test_a_size_that_a_file_s_own_header_tells_otherwise_hides_nothing() -> None:
    file = bytearray(stored(("a.txt", b"one"), ("b.txt", REPORT)).replace(b"b.txt", b"B.txt", 1))
    at = file.rindex(b"PK\x03\x04") + 18
    file[at : at + 8] = bytes((3, 0, 0, 0)) * 2
    assert sift(with_archives(bytes(file))).sealed, "the directory tells it"


def tar(*files: tuple[str, bytes]) -> bytes:
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w") as archive:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return kept.getvalue()


PACKED_REPORT = ("report.gz", gzip.compress(REPORT))


@pytest.mark.parametrize(
    "file",
    [
        tar(("a.bin", b"\xff" * 700), PACKED_REPORT),
        gzip.compress(tar(("a.bin", b"\xff" * 700), ("b.tar", tar(PACKED_REPORT)))),
        tar(("report.zip", zipped(("report.txt", REPORT)))),
        faulty(tar(("a.txt", b"words"), PACKED_REPORT), 3),
        faulty(tar(("a.txt", b"words"), ("b.txt", b"words"), PACKED_REPORT), 1030),
        tar(("a" * 120, b"words"), PACKED_REPORT),
        base64.encodebytes(tar(PACKED_REPORT)),
        tar(("report.gz", PACKED_REPORT[1] + bytes(5000)))[:1500],
        b"\x01\xff\x02" * 1_500_000 + REPORT,
        tar(("a.bin", b"\x01\xff\x02" * 1_500_000), ("report.txt", REPORT)),
        b"%PDF-1.4\n" + b"\x01\xff\x02" * 1_500_000 + REPORT,
    ],
    ids=[
        *("gzip", "tar in tar", "ZIP", "broken header", "broken header later", "long name", "base64"),
        *("cut short", "far behind in a file", "far behind in tar", "far behind in a PDF"),
    ],
)
def test_each_file_of_a_tar_file_is_looked_into_and_the_end_of_a_long_one(file: bytes) -> None:
    sifted = sift(with_archives(file))
    assert sifted.sealed
    assert NOT_LOOKED_INTO not in sifted.kept, "it was heard"


def test_a_tar_file_of_many_logs_stays_in_clear() -> None:
    logs = tar(*((f"{n}.log", b"a line of a log") for n in range(2000)), ("picture.jpg", b"\xff\xd8\xff" + bytes(900)))
    assert not sift(with_archives(logs, gzip.compress(logs))).sealed


def test_many_harmless_files_and_what_only_looks_like_code_stay_in_clear() -> None:
    table = "\n".join(f"2026-03-10 10:00:{n:02},{n:064x},192.0.2.{n}" for n in range(60)).encode()
    assert not sift(with_archives(zipped(*((f"{n}.log", b"a line of a log") for n in range(3000))))).sealed
    assert not sift(with_archives(gzip.compress(b"a line of a log\n" * 200_000))).sealed
    assert not sift(with_archives(BROKEN[:-60], gzip.compress(BROKEN)[:-9])).sealed
    assert not sift(with_archives(table, random.Random(5).randbytes(900).hex().encode())).sealed


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([b"", b"\x1f\x9d", b"\x1f\x9d\x90", b"\x1f\x8b", b"\x1f\x8b\x08", b"BZ", b"BZh", b"PK"]),
    st.integers(0, 2**32),
)
def test_no_digest_or_key_in_a_text_is_taken_for_something_packed(first: bytes, seed: int) -> None:
    octets = first + random.Random(seed).randbytes(90)
    for text in (octets.hex(), base64.b64encode(octets).decode()):
        assert not sift(letter(f"Samples at http://192.0.2.1/a.exe:\n{text}\n")).sealed


def test_a_text_that_begins_as_a_packed_file_stays_in_clear() -> None:
    assert not sift(with_archives(b"BZhang of 192.0.2.7 sends spam.", b"\x1f\x9d\xff" + bytes(200))).sealed


def test_nothing_is_unpacked_once_a_bound_was_met(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[bytes] = []
    unfold = sieve.unfold
    monkeypatch.setattr(sieve, "unfold", lambda x, octets: unpacked.append(x) or unfold(x, octets=octets))
    looking = sieve._Looking
    monkeypatch.setattr(sieve, "_Looking", lambda limits: looking(replace(limits, decoded_octets=10_000)))
    assert sift(with_archives(*[gzip.compress(b"a b " * 2000)] * 9)).sealed
    assert len(unpacked) == 3


class Fed:
    """An unpacker that notes how many octets it is given in all."""

    octets = 0

    def __init__(self, *how: int) -> None:
        self._unpacker = REAL_UNPACKER(*how)

    def __getattr__(self, name: str) -> object:
        return getattr(self._unpacker, name)

    def copy(self) -> "Fed":
        same = Fed()
        same._unpacker = self._unpacker.copy()
        return same

    def decompress(self, octets: bytes, most: int) -> bytes:
        Fed.octets += len(octets)
        return bytes(self._unpacker.decompress(octets, most))


REAL_UNPACKER = zlib.decompressobj
EMPTY_BLOCKS = b"\x00\x00\x00\xff\xff" * 20_000


def broken_archive(headers: int) -> bytes:
    """Of files that all hold the same octets, which unfold to nothing."""
    sizes = ((30 * left, b"PK\x03\x04\x14\0\0\0\x08\0") for left in reversed(range(headers)))
    return b"".join(x + bytes(16) + n.to_bytes(2, "little") + b"\0\0" for n, x in sizes) + EMPTY_BLOCKS


def shared_entries(count: int) -> bytes:
    """An archive whose directory tells the same file under many names, and it unfolds to nothing."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        archive.writestr("a.txt", EMPTY_BLOCKS + b"\x03\x00")
        entry = archive.infolist()[0]
        entry.file_size, entry.CRC = 0, 0
        archive.filelist.extend([entry] * (count - 1))
    return kept.getvalue().replace(b"PK\x01\x02\x14\x03\x14\0\0\0\0", b"PK\x01\x02\x14\x03\x14\0\0\0\x08")


@pytest.mark.parametrize(
    ("file", "most"),
    [
        (gzip.compress(b"", mtime=0) * 3000, 30),
        (gzip.compress(gzip.compress(b"", mtime=0) * 30_000, mtime=0), 600_000 * 30),
        (broken_archive(500), 25),
        (shared_entries(500), 25),
    ],
    ids=["members", "more members than files are looked at", "headers of an archive", "entries of a directory"],
)
def test_what_unfolds_to_nothing_is_no_attack_on_time(file: bytes, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlib, "decompressobj", Fed)
    monkeypatch.setattr(Fed, "octets", 0)
    looking = sieve._Looking
    monkeypatch.setattr(sieve, "_Looking", lambda limits: looking(replace(limits, decoded_octets=1_000_000)))
    sifted = sift(with_archives(file))
    assert 0 < Fed.octets <= (most * len(file) if most < 100 else most)
    assert sifted.sealed == (not file.startswith(gzip.compress(b"", mtime=0))), "what is not looked at is sealed"


def test_a_scan_of_many_pictures_meets_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    looking = sieve._Looking
    monkeypatch.setattr(sieve, "_Looking", lambda limits: looking(replace(limits, decoded_octets=10_000)))
    pictures = pdf(*[bytes(6000)] * 20, more=b"/Type /XObject /Subtype /Image")
    assert not sift(with_archives(pictures)).sealed
    assert sift(with_archives(pictures.replace(b"/Image", b"/Other"))).sealed
