"""The gate before the store: a report about child-abuse material is sealed, and no media of it is ever kept."""

import binascii
import hashlib
import html
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from .mail import PACKED, Limits, Mail, Part, entry_of, looks_like_text, read_mail, unfold
from .text.characters import decode, html_to_text, one_line, without
from .text.phrases import Phrases, Pieces


@dataclass(frozen=True, slots=True)
class Sifted:
    """What may be stored of a mail. `kept` is the mail itself unless it is sealed."""

    digest: str
    """SHA-256 (hex) of the bytes as received, media included."""
    size: int
    sealed: bool
    kept: bytes
    stripped: tuple[tuple[str, int, str], ...] = ()
    """(content type, octets, SHA-256) of everything that was taken out."""


def sift(raw: bytes, *, certain: bool = False, passwords: tuple[str, ...] = ()) -> Sifted:
    """Decide before anything is stored. Only a sealed mail is changed: it loses every part and run that could be media.

    With `certain`, somebody knows already that it belongs there. What could not be looked into is sealed as well: its
    media are not kept on the hope that nothing is in it, and a header of what is kept says why.
    """
    digest = hashlib.sha256(raw).hexdigest()
    mail = read_mail(raw, limits=Limits(archive_passwords=passwords) if passwords else None)
    unseen = ""
    looking = _Looking(mail.limits)
    if not certain and not _speaks(mail, looking):
        unseen = looking.unseen or ("no parser could read its form" if mail.unread and _hides(raw) else "")
        if not unseen:
            return Sifted(digest, len(raw), sealed=False, kept=raw)
    keeper = _Keeper()
    kept = keeper.rewrite(mail, digest, unseen)
    return Sifted(digest, len(raw), sealed=True, kept=kept, stripped=tuple(keeper.stripped))


def _hides(raw: bytes) -> bool:
    """Whether a mail that no parser could unfold may hold more than the words that stand in it as they are."""
    lowered = raw.lower()
    return any(x in lowered for x in _HIDING)


_HIDING = (
    *(b"base64", b"quoted-printable", b"uue", b"yenc", b"binhex", b"utf-7", b"utf-16", b"\0", b"\nbegin "),
    *(b"image/", b"video/", b"audio/", b"application/", b"data:"),
)
"""Codings that parts name, and kinds that hold something else than words."""


# ---- What is sealed ---------------------------------------------------------------------------------------------

_STEM_WORDS = """
    csam csem child kindes kinderporn pedo pédo paedo pädo pedó infant enfant дет несовершеннолет ребен ребён діт дит
    児童 儿童 兒童 아동 παιδ طفل أطفال ילד trẻ_em underage lolita niñ criança crianca
    pthc inhope iccam iwf
"""
_WEAK_STEM_WORDS = """
    kinder minor menor barn barne børne dziec nieletni małolet lapsi lasten copii çocuk gyermek děts dětí detsk anak
    bambin jugend dječj дец kind girl boy mädchen maedchen junge fillette fille garçon
    garcon nina nino menin ragazz meisje jongen девоч мальч toddler preteen pre-teen kids
"""
_SECOND_STEM_WORDS = """
    abuse sex seks porn porno nud rape pedo abuso abus_ missbrauch misbruik misshandlung exploit indecent obscene
    wykorzyst treści övergrepp overgrep istismar sömür zneuž naked nackt desnud naakt nago голы обнаж undress unclothed
    секс
"""
_STEMS = tuple(x.replace("_", " ") for x in _STEM_WORDS.split())
_WEAK_STEMS = tuple(_WEAK_STEM_WORDS.split())
_SECOND_STEMS = tuple(x.replace("_", " ") for x in _SECOND_STEM_WORDS.split())
_PLAIN_STEMS, _PLAIN_WEAK_STEMS, _PLAIN_SECOND_STEMS = (
    tuple(filter(str.isascii, x)) for x in (_STEMS, _WEAK_STEMS, _SECOND_STEMS)
)
"""Those that can stand in a text of ASCII alone, as most texts are."""
_PIECES = Pieces(x.rstrip() for x in (*_STEMS, *_WEAK_STEMS, *_SECOND_STEMS))
_PLAIN_PIECES = Pieces(x.rstrip() for x in (*_PLAIN_STEMS, *_PLAIN_WEAK_STEMS, *_PLAIN_SECOND_STEMS))
_STRONG = Phrases(
    r"\bcs[ae]m\b|\bchild (?:sex(?:ual)?(?:ly)? )?(?:abuse|exploitation|porn\w{0,8})(?: "
    r"(?:material|image|content|video|media|imagery))?|"
    r"\bchild(?:ren)?(?:'s|s)? (?:sexual|pornograph\w{1,4}|nud\w{1,4})|"
    r"\b(?:sexual(?:ly)?|porn\w{0,8}|indecent|obscene|nude|abusive|explicit|illegal|abuse)(?: "
    r"\w{1,12}){0,3} (?:image|imagery|photo|picture|video|depiction|material|content|film|abuse|"
    r"exploitation|act)\w{0,2}(?: \w{1,12}){0,2} (?:of|with|involving|depicting|showing|"
    r"containing) (?:a |an )?(?:\w{1,12} ){0,2}(?:child|children|minors?|infants?|toddlers?|"
    r"underage)|"
    r"\b(?:sexual|sexually) (?:abuse|exploitation|assault|explicit)\w{0,3} (?:of|with|against|"
    r"involving) (?:a |an )?(?:\w{1,12} ){0,2}(?:child|children|minors?|infants?)|"
    r"\bsexuali[sz]ed (?:image|photo|picture|video|depiction|content|material)\w{0,2} (?:of|with|involving|depicting|"
    r"showing) (?:\w{1,12} ){0,2}(?:child|children|minors?|infants?|toddlers?)|"
    r"\b(?:child|children|minors?|infants?|toddlers?) (?:being |who (?:are|were) )?sexually (?:abused|exploited|"
    r"assaulted)|"
    r"\b(?:image|imagery|photo|picture|video|depiction)\w{0,2} of (?:the |an? )?(?:\w{1,12} )?(?:abuse|exploitation) "
    r"of (?:\w{1,12} )?(?:child|children|minors?|infants?)|"
    r"\bmissbrauchs(?:bild|video|foto|material|aufnahme)\w{0,3} (?:von |mit )?(?:kindern|minderjährigen)|"
    r"\babus sexuels? commis (?:sur|contre) (?:des |un |une )?(?:enfants?|mineure?s?)|"
    r"\bexplotaci[oó]n sexual de (?:los |las )?(?:niñ[oa]s?|menores)|"
    r"\bseksualn\w{1,4} wykorzyst\w{1,8} (?:dzieci|małoletnich|nieletnich)|"
    r"\bunderage (?:porn\w{0,8}|sex\w{0,4}|nud\w{1,4}|girls?|boys?)|\bp(?:a|ä)?edo(?:philia|"
    r"philie|pornogra\w{1,5}|philic|porn|phil\w{1,5})|\bp[äa]dophil\w{1,5}|"
    r"\bkinderporno\w{0,10}|kinder(?:misshandlung|missbrauch)\w{0,12}|kindesmissbrauch\w{0,12}|"
    r"sexueller missbrauch von kindern|missbrauchsdarstellung\w{0,3}|jugendpornogra\w{1,5}|"
    r"p[ée]dopornogra\w{1,6}|p[ée]do-?pornogra\w{1,6}|pornographie (?:infantile|juvénile|"
    r"enfantine)|abus sexuels? (?:sur|d'|d’|de) ?(?:mineur|enfant)s?|exploitation sexuelle (?:des "
    r"|d'|d’)?(?:mineur|enfant)s?|"
    r"pornograf[ií]a infantil|abuso sexual (?:infantil|de menores|de niñ\w{1,3}|de crian[cç]as?)|"
    r"explotaci[oó]n sexual (?:infantil|de menores)|explora[cç][aã]o sexual (?:infantil|de "
    r"menores|de crian[cç]as)|material de abuso (?:sexual )?infantil|"
    r"pedopornogra\w{1,6}|pornografia (?:minorile|infantil|dzieci\w{0,3})|abus[oi] sessual[ei] su "
    r"(?:minori|bambini)|materiale pedo\w{1,12}|"
    r"kinderpornogra\w{1,4}|seksueel (?:kinder)?misbruik van (?:kinderen|minderjarigen)|seksueel kindermisbruik|"
    r"dziecięc\w{1,4} pornogra\w{1,4}|pornografi\w{1,3} dziecięc\w{1,4}|wykorzystywani\w{1,2} "
    r"seksualn\w{1,4} (?:dzieci|małoletnich)|treści pedofil\w{1,6}|"
    r"детск\w{2,4} порно\w{0,10}|порнографи\w{1,3} (?:с участием )?(?:несовершеннолетн\w{1,3}|"
    r"дет\w{1,3})|сексуальн\w{2,4} (?:эксплуатаци\w{1,2}|насили\w{1,2}) (?:над )?(?:дет\w{1,3}|"
    r"несовершеннолетн\w{1,3})|дитяч\w{1,4} порно\w{0,10}|"
    r"barnpornografi\w{0,4}|barneporno\w{0,8}|børneporno\w{0,8}|sexuella övergrepp mot barn|"
    r"seksuelle overgrep mot barn|lapsiporno\w{0,6}|lasten seksuaali\w{1,12}|"
    r"çocuk (?:pornografisi|istismar\w{1,4}|porno\w{0,6})|gyermekpornogr\w{1,8}|dětsk\w{1,3} "
    r"porno\w{0,8}|detsk\w{1,3} porno\w{0,8}|pornografie infantilă|παιδική πορνογραφία|παιδικής "
    r"πορνογραφίας|dječj\w{1,3} porno\w{0,8}|"
    r"児童ポルノ|児童の?性的(?:虐待|搾取)|儿童(?:色情|性虐待|性剥削)|兒童(?:色情|性虐待|性剝削|性剥削)|아동\s?(?:음란물|성착취|포르노|성학대)|"
    r"khiêu dâm trẻ em|pornografi anak|استغلال (?:جنسي )?(?:ل)?لأطفال|إباحية الأطفال|"
    r"פורנוגרפי\w{1,3} ילדים|חומרי התעללות",
)
_BARE = re.compile(
    r"\b(?:naked|nud(?:e|es|ity)|undressed|unclothed|nackt\w{0,2}|unbekleidet\w{0,2}|desnud[oa]s?|nues?|nud[oaei]|nuas?|"
    r"enfants? nus?|"
    r"naakte?|nag(?:a|ie|iego)|голы\w{1,2}|голая|обнаж\w{3,8}|"
    r"(?:sexual|sexuel|sexuell|sessual|seksuel|seksualn|сексуальн)\w{0,4} (?:\w{1,12} ){0,2}"
    r"(?:pos[ea]|act|akt|image|imagen|imágene|photo|foto|video|vídeo|scen|поз)\w{0,3}|"
    r"(?:pos[ea]|image|imagen|imágene|photo|foto|video|vídeo)\w{0,3} (?:sexual|sexuel|sessual)\w{0,3})\b"
)
_A_CHILD = re.compile(
    r"\b(?:child|children|kids|toddlers?|infants?|pre-?teens?|prepubescent|niñ[oa]s?|kleinkind\w{0,3}|enfants?|fillettes?|"
    r"bambin[oiae]|crianças?|criancas?|ребен\w{1,3}|ребён\w{1,3}|детей|dziec\w{1,4}|çocuk\w{0,5})\b"
)
_A_GERMAN_CHILD = re.compile(r"\bkind(?:er|ern|es)?\b")
"""Counts near a German word only: English has it as well."""
_YOUNG = re.compile(
    r"\b(?:girls?|boys?|females?|males?|child|kids?|daughters?|sons?|mädchen|maedchen|jungen?|niñ[oa]s?|"
    r"nin[oa]s?|filles?|fillettes?|garçons?|garcons?|enfants?|ragazz\w{1,3}|bambin[oiae]|menin[oa]s?|criança|crianca|"
    r"meisjes?|jongens?|девоч\w{1,3}|мальч\w{1,4}|dziewczyn\w{1,4}|chłop\w{1,4})\b"
)
_AGE = re.compile(
    r"\b(?:[1-9]|1[0-5])[ -]?(?:years?|yrs?|yo|y/o|jahre?n?|jährig\w{0,3}|años|anos|ans|anni|лет|года|jaar|jarige?|lat|"
    r"let)\b"
)
_HOTLINE = re.compile(
    r"\bpthc\b|\bcp (?:hosted|images?|videos?|pics?|pictures?|content|material|links?|forums?)\b|"
    r"\b(?:inhope|iccam)\b.{0,100}\b(?:baseline|nationally illegal)\b|"
    r"\b(?:baseline|nationally illegal)\b.{0,100}\b(?:inhope|iccam)\b|"
    r"\biwf\b.{0,100}\bcategory [abc]\b|\bcategory [abc]\b.{0,100}\biwf\b"
)
_TYPED = re.compile(
    r"[\"']?(?:type|report_?type|reporttype|report-type|category|classification|class|subtype|"
    r"abuse_?type|content_?type|tag)[\"']?\s{0,3}[:=]\s{0,3}[\"'\[]{0,3}(?:content[/:.])?"
    r"(?:cs[ae]m\b|child[ _-]?(?:sexual[ _-]?)?(?:abuse|porn|exploitation)|childabuse|child)",
    re.IGNORECASE,
)
_TYPED_STEMS = ("csam", "csem", "child")
_BYPASS = re.compile(
    r"\b(?:we also|also fight|fight(?:s|ing)? (?:against )?|combat(?:s|ing)?|prevent(?:s|ing|ion)?|"
    r"committed to|mission|"
    r"donat\w{2,4}|charit\w{1,4}|awareness|proud(?:ly)? (?:member|partner|support)|other types?|never tolerate|"
    r"polic(?:y|ies) (?:also )?(?:prohibits?|forbids?)|does not (?:contain|concern|involve)|not related|unrelated|"
    r"kämpf\w{1,3}|engagier\w{1,3}|setzen uns|luttons|lutte contre|luchamos|lottiamo|combatiamo)\b"
)
_POINTING = re.compile(r"h(?:tt|xx)ps?\b|\bwww\.|\burls?\b|(?<![\d.])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\d.])")
_ALLEGING = re.compile(
    r"\b(?:host(?:ed|s|ing)?|contain(?:s|ing)?|remov(?:e|al)|take ?down|found|discovered|located|distribut\w{1,4}|"
    r"upload\w{0,3}|shar(?:ed|es|ing)|available|serv(?:es|ed|ing)|depict\w{0,3}|your (?:server|"
    r"network|customer|platform|service))\b"
)
_OTHER_EVIL = re.compile(
    r"spam|phishing|malware|copyright|trademark|ddos|terroris|hate speech|fraud|scam|violen|"
    r"harass|drugs|weapons|defamat|counterfeit|gambling|botnet|viruses|suicide|self-harm",
    re.IGNORECASE,
)
_LONGEST_SEARCHED = 4_000_000
_OVERLAP = 4_000
_WHOLE_ENDS = re.compile(rb"\A[\x80-\xbf]{1,3}|[\xc0-\xff][\x80-\xbf]{0,3}\Z")
"""Pieces of a UTF-8 character at the edges of a piece, over which the whole would be read in another charset."""


def speaks_of_child_abuse(mail: Mail) -> bool:
    """True for a report about such material, in any part of it. A footer that mentions the matter is not enough."""
    return _speaks(mail, _Looking(mail.limits))


def _speaks(mail: Mail, looking: "_Looking") -> bool:
    if any(_is_sealing(f"{x}\n", subject=True) for x in _labels(mail)):
        return True
    return any(_is_sealing(text, subject=False) for text in _texts(mail, looking))


def _labels(mail: Mail) -> Iterator[str]:
    """What a mail is called, by whom it says it is, and the names of its files: nobody writes those as an aside."""
    yield mail.subject
    name, address = mail.sender
    yield from (name, address.partition("@")[0])
    for part in mail.root.walk():
        if part.filename:
            yield _APART.sub(" ", part.filename)
        named = part.header("content-type"), part.header("content-disposition")
        yield from (_APART.sub(" ", x) for header in named for found in _FILE_NAMES.findall(header) for x in found)


_APART = re.compile(r"[._+~-]+|(?<=[^\W\d_])(?=\d)")
_FILE_NAMES = re.compile(r"(?:file)?name\*?=\s{0,4}(?:\"([^\"]{1,400})|([^\s;]{1,400}))", re.IGNORECASE)


def _texts(mail: Mail, looking: "_Looking") -> Iterator[str]:
    """Every text in a mail: its parts, mails in it, JSON with its escapes undone, what lies in files and archives."""
    for part in mail.root.walk():
        if part.is_message:
            for child in part.children:
                yield child.header("subject")
        if part.is_container or not part.content:
            continue
        yield from looking.part(part.content, part.charset, part.content_type)


_DEEPEST = 4
_FILES_OF_PART, _FILES_OF_MAIL = 10_000, 20_000
_FILES_WORTH = 12_000
"""Of how many empty files the octets are worth that are unfolded of a part: each file counts so much beside what it
holds, so that very many empty ones are no attack on time."""
_DIRECTORY_ENTRY = b"PK\x01\x02"
"""With what each entry of a ZIP archive's directory begins (APPNOTE.TXT, 4.3.12)."""
_PARTS_WORTH = 2
"""How many octets are unfolded of a whole mail, in what may be unfolded of one part of it."""


class _Looking:
    """Goes into what a mail holds, within bounds: files in archives in archives, and so on."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._files = self._octets = 0
        self._files_before = self._octets_before = 0
        self.unseen = ""
        """Why something was not looked into, where a bound was met."""

    def part(self, content: bytes, charset: str, kind: str) -> Iterator[str]:
        """The texts in one part of the mail. Each has bounds of its own, so that one does not shut off the next."""
        self._files_before, self._octets_before = self._files, self._octets
        yield from self._file(content, charset, kind)

    def _file(self, content: bytes, charset: str, kind: str, depth: int = 0) -> Iterator[str]:
        """The texts in a file that nothing stands before. A sign of two octets counts there alone: what is decoded of a
        text is often random (a digest, a key), and such octets begin with it now and then."""
        if _is_compressed(content):
            self.unseen = _PACKED_OTHERWISE
        yield from self.texts(content, charset, kind, depth)

    def _afford(self, octets: int = 0, *, files: int = 0) -> bool:
        """Whether the bounds hold with so much more; with nothing more, whether they were met already."""
        self._files += files
        self._octets += octets
        most = self._limits.decoded_octets
        if self._files - self._files_before > _FILES_OF_PART or self._files > _FILES_OF_MAIL:
            self.unseen = "more files lie in it than are looked into"
        elif self._octets - self._octets_before > most or self._octets > _PARTS_WORTH * most:
            self.unseen = "it unfolds to more than is looked into"
        else:
            return True
        return False

    def texts(self, content: bytes, charset: str, kind: str, depth: int = 0) -> Iterator[str]:
        """The texts in one part, or in one file within it."""
        if _is_archive(content):
            if depth < _DEEPEST:
                yield from self._inside(content, depth + 1)
                if content.startswith(_UNFOLDING) or _is_tar(content):
                    return
            else:
                self.unseen = _TOO_DEEP
        if content.startswith(_SHUT):
            self.unseen = _PACKED_OTHERWISE
        if not _is_searched(content, kind):
            if not kind.startswith(_MEDIA) and not content.startswith(_MEDIA_SIGNS):
                yield from _runs_in(content)
            return
        if len(content) > _LONGEST_SEARCHED + 2:
            # In pieces, so that the memory it takes has a bound; what lies across an edge is whole in the next one.
            for start in range(0, len(content), _LONGEST_SEARCHED - _OVERLAP):
                piece = _WHOLE_ENDS.sub(b"", content[start : start + _LONGEST_SEARCHED])
                if start and content[:2] in (b"\xff\xfe", b"\xfe\xff"):
                    piece = content[:2] + content[start : start + _LONGEST_SEARCHED]
                yield from self.texts(piece, charset, kind, depth)
            return
        text = decode(content, charset=charset)
        yield from _as_read(text, kind)
        for inner in _coded_in(text):
            if not (looks_like_text(inner) or _is_tar(inner) or inner.startswith((*_UNFOLDING, *_SHUT))):
                continue
            if depth >= _DEEPEST:
                self.unseen = _TOO_DEEP
                return
            yield from self.texts(inner, "", "", depth + 1)

    def _inside(self, content: bytes, depth: int) -> Iterator[str]:
        """The texts in an archive or a PDF; nothing is unpacked of it once a bound was met."""
        if not self._afford():
            return
        if content.startswith(b"%PDF-"):
            for shown in self._of_pdf(content):
                yield from self.texts(shown, "", "", depth)
            return
        tar = not content.startswith(_UNFOLDING) and _is_tar(content)
        unfold_it = self._of_tar if tar else self._of_packed if content.startswith(PACKED) else self._of_zip
        for name, file in unfold_it(content):
            # What stands in a tar file as it is has been counted with it.
            if not self._afford((0 if tar else len(file)) + self._limits.decoded_octets // _FILES_WORTH, files=1):
                return
            yield name
            yield from self._file(file, "", "", depth)
            if not self._afford():
                return

    @property
    def _left(self) -> int:
        """How many octets may still be unfolded."""
        most = self._limits.decoded_octets
        return max(0, min(most - self._octets + self._octets_before, _PARTS_WORTH * most - self._octets))

    def _of_packed(self, content: bytes) -> Iterator[tuple[str, bytes]]:
        """What a file unfolds to that is packed alone, and what stands in it that is no member."""
        unfolded = unfold(content, octets=self._left + 1)
        behind = unfolded.behind
        cut = not unfolded.whole and len(unfolded.content) <= self._left
        if cut or (behind and not _is_searched(behind, "") and not _is_archive(behind)):
            self.unseen = _NOT_UNFOLDED
        if self._afford(files=unfolded.members - 1):
            yield from (("", x) for x in (unfolded.content, *unfolded.skipped, behind) if x)

    def _of_tar(self, content: bytes) -> Iterator[tuple[str, bytes]]:
        """All files of a tar file with their names, and what stands between them where a header is broken."""
        at = behind = 0
        while at < len(content):
            size = _tar_size(content[at : at + 512])
            if size is None:
                at += 512
                continue
            if size > len(content) - at - 512:
                # It is cut short, or tells a size to hide the next header.
                size = 0
            if between := content[behind:at].strip(b"\0"):
                yield "", between
            yield decode(content[at : at + 100].rstrip(b"\0")), content[at + 512 : at + 512 + size]
            at = behind = at + 512 + -(-size // 512) * 512
        if between := content[behind:].strip(b"\0"):
            yield "", between

    def _of_zip(self, content: bytes) -> Iterator[tuple[str, bytes]]:
        """All files of a ZIP archive with their names; of one that stays locked only the name."""
        if content.count(_DIRECTORY_ENTRY) > _FILES_OF_MAIL:
            self.unseen = "more files lie in it than are looked into"
            return
        try:
            archive = zipfile.ZipFile(io.BytesIO(content))
        except NotImplementedError:
            self.unseen = _NOT_UNFOLDED
            return
        except Exception:  # noqa: BLE001 - whatever a hostile archive raises in the library, what is in it is looked for.
            yield from self._saved(content)
            return
        broken = False
        for entry in archive.infolist():
            if entry.is_dir() and not entry.file_size:
                continue
            taken = min(entry.compress_size, len(content))
            try:
                file = entry_of(content, archive, entry, self._left, self._limits.archive_passwords) or b""
            except NotImplementedError:
                self.unseen = _NOT_UNFOLDED
                return
            except Exception:  # noqa: BLE001 - one file that is broken does not hide the next.
                broken = True
                file, taken = self._as_the_directory_says(content, entry)
            # Entries may share octets that unfold to nothing: what is taken in counts as well.
            if not self._afford(max(0, taken - len(file))):
                return
            yield one_line(entry.filename), file
        if broken:
            yield from self._saved(content)

    def _as_the_directory_says(self, content: bytes, entry: zipfile.ZipInfo) -> tuple[bytes, int]:
        """A file with a wrong check sum, or before which another name stands, and how many octets were taken in: other
        programs show it all the same."""
        head = content[max(0, entry.header_offset) : max(0, entry.header_offset) + 30]
        if len(head) < 30 or entry.flag_bits & 1:
            return b"", 0
        start = entry.header_offset + 30 + sum(struct.unpack_from("<HH", head, 26))
        if entry.compress_type == zipfile.ZIP_DEFLATED:
            return _inflated_file(content, start, self._left + 1)
        if entry.compress_type != zipfile.ZIP_STORED:
            self.unseen = _NOT_UNFOLDED
        return content[start : start + entry.compress_size], 0

    def _saved(self, content: bytes) -> Iterator[tuple[str, bytes]]:
        """What programs that mend archives get out of a broken one: a file behind each header (APPNOTE.TXT, 4.3.7)."""
        for found in _FILE_HEADER.finditer(content):
            flags, method, size, name, extra = struct.unpack_from("<HH8xI4xHH", content, found.start() + 6)
            start = found.end() + name + extra
            taken = 0
            if flags & 1:
                file = b""
            elif method == zipfile.ZIP_DEFLATED:
                file, taken = _inflated_file(content, start, self._left + 1)
            elif method == zipfile.ZIP_STORED:
                if not size and flags & _SIZE_BEHIND:
                    further = _FURTHER_HEADER.search(content, start)
                    size = (further.start() if further else len(content)) - start
                file = content[start : start + size]
            else:
                self.unseen = _NOT_UNFOLDED
                return
            # Headers may lie upon each other, with all that they share: what is taken in counts as well.
            if not self._afford(name + max(0, taken - len(file))):
                return
            yield decode(content[found.end() : found.end() + name]), file

    def _of_pdf(self, content: bytes) -> Iterator[bytes]:
        """What the page streams of a PDF show, and the file as it stands (ISO 32000, 7.3.8 and 9.4.3)."""
        # After a line end, so that its own first octets are not taken for another PDF's.
        for piece in _pieces_of(content):
            yield b"\n".join([b"", *_PRINTED.findall(piece)])
        for found in _PDF_STREAM.finditer(content):
            start = found.start()
            least = max(0, start - 1000)
            if _PDF_PICTURE.search(content, max(content.rfind(b"obj", least, start), least), start):
                # No page shows its octets as words, and a scan has more of them than the bound.
                if not self._afford(_PDF_PICTURE_LEAST):
                    return
                continue
            shown, taken = _inflated(content, found.end())
            if not self._afford(max(len(shown), taken, _PDF_STREAM_LEAST)):
                return
            yield b"".join(_PDF_WORDS.findall(shown))


def _inflated(content: bytes, start: int) -> tuple[bytes, int]:
    """What a stream unfolds to, up to a bound, and how many octets of it were taken; piece by piece, because the
    library keeps a copy of all that it is given beyond the stream's end."""
    unpacker = zlib.decompressobj()
    shown = b""
    at = start
    while at < len(content) and at - start < _PDF_STREAM_OCTETS and len(shown) < _PDF_STREAM_OCTETS:
        try:
            shown += unpacker.decompress(content[at : at + _PDF_PIECE], _PDF_STREAM_OCTETS - len(shown))
        except zlib.error:
            break
        at += _PDF_PIECE
        if unpacker.eof:
            break
    return shown, at - start - len(unpacker.unused_data)


def _inflated_file(content: bytes, start: int, octets: int) -> tuple[bytes, int]:
    """At most so many octets of what is deflated from there on, as far as it can be, and how many were taken in."""
    unpacker = zlib.decompressobj(-15)
    found: list[bytes] = []
    held = 0
    at = start
    while at < len(content) and held < octets and not unpacker.eof:
        try:
            found.append(unpacker.decompress(content[at : at + _PDF_PIECE], octets - held))
        except zlib.error:
            break
        held += len(found[-1])
        at += _PDF_PIECE
    return b"".join(found), max(0, min(at, len(content)) - start - len(unpacker.unused_data))


_UNFOLDING = (b"PK\x03\x04", b"PK\x05\x06", b"%PDF-", *PACKED)
_DIRECTORY_END, _DIRECTORY_END_OCTETS = b"PK\x05\x06", 66_000
"""With what the last record of a ZIP archive begins, and how near the end it lies; anything may stand before the whole
(APPNOTE.TXT, 4.3.16)."""


def _is_archive(content: bytes) -> bool:
    """Whether it is what is looked into here."""
    return content.startswith(_UNFOLDING) or _DIRECTORY_END in content[-_DIRECTORY_END_OCTETS:] or _is_tar(content)


def _is_tar(content: bytes) -> bool:
    """Whether it begins with a header of a tar file (POSIX.1-2017, pax): by its check sum, or by its sign."""
    return content.startswith(b"ustar", 257) or _tar_size(content[:512]) is not None


def _tar_size(head: bytes) -> int | None:
    """How many octets stand behind a header of a tar file; None if it is none."""
    told = _OCTAL.match(head, 148, 156)
    if told is None or len(head) < 512 or int(told[1], 8) != sum(head[:148]) + 8 * 0x20 + sum(head[156:]):
        return None
    if head[124] & 0x80:
        return int.from_bytes(head[125:136], "big")
    size = _OCTAL.match(head, 124, 136)
    return int(size[1], 8) if size is not None else 0


_OCTAL = re.compile(rb"[ \0]*([0-7]+)")


def _is_compressed(content: bytes) -> bool:
    """Whether a file is one of compress: two octets, and the longest of its codes in bits."""
    return content.startswith(b"\x1f\x9d") and content[2:3] in _COMPRESS_FLAGS


_COMPRESS_FLAGS = tuple(bytes((block | bits,)) for block in (0, 0x80) for bits in range(9, 17))
_SHUT = (
    *(b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\x28\xb5\x2f\xfd", b"MSCF\0\0\0\0", b"LZIP\x01"),
    *(b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18"),
)
"""RAR, 7z, Zstandard, cabinets, lzip and both forms of LZ4: nothing here unfolds them."""
_PACKED_OTHERWISE = "it is packed in a way that is not unfolded here"
_TOO_DEEP = "files lie too deep in it"
_NOT_UNFOLDED = "a file in it cannot be unfolded"
_FILE_HEADER = re.compile(rb"PK\x03\x04[\s\S]{26}")
_FURTHER_HEADER = re.compile(rb"PK(?:\x03\x04|\x01\x02)")
_SIZE_BEHIND = 1 << 3
"""A file's size stands behind it (APPNOTE.TXT, 4.4.4)."""
_PDF_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_PDF_PICTURE = re.compile(rb"/Subtype\s{0,4}/Image\b")
_PDF_STREAM_OCTETS = 1 << 20
_PDF_STREAM_LEAST, _PDF_PICTURE_LEAST = 2048, 256
"""For how many octets even an empty one counts: a book has some thousands of streams, more are an attack on time."""
_PDF_PIECE = 32 * 1024
_PDF_WORDS = re.compile(rb"\(([^()\\]{0,1000})\)")
_PRINTED, _PRINTED_WIDE = re.compile(rb"[\t\r\n\x20-\x7e]{24,}"), re.compile(rb"(?:[\t\r\n\x20-\x7e]\x00){12,}")
"""So long that no noise has any: a picture or a capture is not sealed for four letters in it."""
_MEDIA = ("image/", "video/", "audio/", "font/")
_MEDIA_SIGNS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"OggS", b"FLV", b"\x1aE\xdf\xa3", b"ID3")


def _is_searched(content: bytes, kind: str) -> bool:
    if kind.startswith(("text/", "message/")) or kind == "application/json":
        return True
    return looks_like_text(content) or (b"\0" in content[:64] and "\0" not in decode(content[:400]))


def _runs_in(content: bytes) -> Iterator[str]:
    """The runs of printed characters in a file of another kind: TNEF, tar, a word processor's, a message store."""
    for piece in _pieces_of(content):
        # Noise has no such run: seeking one is much faster than a pattern.
        marked = piece.translate(_TO_PRINTED)
        if b"p" * 24 in marked:
            yield b"\n".join(_PRINTED.findall(piece)).decode("ascii")
        if b"p\0" * 12 in marked:
            yield "\n".join(x.decode("utf-16-le") for x in _PRINTED_WIDE.findall(piece))


_TO_PRINTED = bytes(ord("p") if 0x20 <= x <= 0x7E or x in b"\t\r\n" else min(x, 1) for x in range(256))


def _pieces_of(content: bytes) -> Iterator[bytes]:
    """In pieces, so that the memory it takes has a bound; what lies across an edge is whole in the next one."""
    for start in range(0, max(1, len(content) - _OVERLAP), _LONGEST_SEARCHED - _OVERLAP):
        yield content[start : start + _LONGEST_SEARCHED]


def _as_read(text: str, kind: str) -> Iterator[str]:
    """A text as a reader sees it: escapes undone, and no tag or comment between the letters of a phrase."""
    if "\\u00" in text or "\\u0" in text:
        text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda x: chr(int(x[1], 16)), text)
    if "%20" in text:
        text = text.replace("%20", " ")
    page = kind == "text/html" or "<html" in text[:2000].lower()
    if page or "&#" in text:
        text = html.unescape(text)
    if page:
        text = without(text, "<!--", "-->")
        yield re.sub(r"</?(?:b|i|em|strong|span|font|u|wbr|a)\b[^<>]{0,500}>", "", text)
        return
    yield text
    if text.startswith("<") and ("</w:" in text or "</text:" in text or "</a:" in text):
        # A word processor's own (ECMA-376, OpenDocument): words may be cut anywhere.
        yield re.sub(r"<[^<>]{0,500}>", "", text)
    if ("</t" in text or ":t" in text) and text[:100].lstrip("\ufeff\r\n\t ").startswith("<"):
        # A sheet's (ECMA-376, 18.4.4): what stands in runs of one cell is one text; two cells stay apart.
        yield _BETWEEN_RUNS.sub("", text)
    if text.startswith("{\\rtf"):
        yield re.sub(r"\\[a-z]{1,30}-?\d{0,9} ?|[{}]", "", text)


_BETWEEN_RUNS = re.compile(
    r"</(?:\w{1,20}:)?t\s*>\s*(?:<(?!/?(?:\w{1,20}:)?(?:si|is|c|t)\b)[^<>]{0,500}>\s*){1,200}"
    r"<(?:\w{1,20}:)?t(?:\s[^<>]{0,500})?>"
)
_BASE64_RUN, _BASE64_LINE, _BASE64_QUOTED = (re.compile(rf"{x}[A-Za-z0-9+/]{{56}}") for x in (r"\A", "\n", '[",]'))
_BASE64_TEXT = re.compile(r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{40,2000}[\r\n]{0,2}){1,2000}[A-Za-z0-9+/]{0,39}={0,2}")


def _coded_in(text: str) -> Iterator[bytes]:
    """What is written in base64, in hexadecimal digits or by uuencode (POSIX.1-2017) within a text, decoded."""
    shown = text.encode("ascii", "replace")
    # Most texts have no such run: mapping and seeking is much faster than a pattern.
    if _MANY_CODED in shown.translate(_TO_CODED) and any(
        x.search(text) for x in (_BASE64_RUN, _BASE64_LINE, _BASE64_QUOTED)
    ):
        for run in _BASE64_TEXT.finditer(text):
            compact = "".join(run[0].split()).rstrip("=")
            # What is cut short ends with the last whole octet.
            compact = compact[:-1] if len(compact) % 4 == 1 else compact
            yield binascii.a2b_base64(compact + "=" * (-len(compact) % 4))
    if _MANY_DIGITS in shown.translate(_TO_DIGITS, _BETWEEN_DIGITS):
        marked = shown.translate(_TO_RUNS)
        for place in _MAYBE_HEX.finditer(marked):
            if marked.count(b"0", *place.span()) < len(_MANY_DIGITS):
                continue
            for run in _HEX_TEXT.finditer(text, *place.span()):
                digits = _NO_DIGITS.sub("", run[0])
                yield bytes.fromhex(digits[: len(digits) // 2 * 2])
    if b"begin " in shown:
        for file in _UUENCODED.finditer(text):
            yield b"".join(map(_uudecoded, file[1].splitlines()))


_MANY_CODED = b"A" * 56
_TO_CODED = bytes(ord("A") if (chr(x).isalnum() and x < 128) or x in b"+/" else 0x20 for x in range(256))
_MANY_DIGITS = b"0" * 80
_BETWEEN_DIGITS = b" \t\r\n:,;-\\xX"
_TO_DIGITS = bytes(0x30 if chr(x) in "0123456789abcdefABCDEF" else 0x2E for x in range(256))
_TO_RUNS = bytes(
    0x30 if chr(x) in "0123456789abcdefABCDEF" else 0x20 if x in b"\\xX:,;-?" or chr(x).isspace() else 0x2E
    for x in range(256)
)
"""What is not in ASCII stands as a question mark, and may be a blank."""
_MAYBE_HEX = re.compile(rb"[0 ]{80,}")
_HEX_TEXT = re.compile(r"(?:(?:\\x|0x)?[0-9A-Fa-f]{2}[\s:,;-]{0,3}){40,}")
_NO_DIGITS = re.compile(r"0x|[^0-9A-Fa-f]+")
_UUENCODED = re.compile(r"^begin(?:-base64)? [0-7]{3,4} [^\r\n]{0,200}\r?\n((?:[ -`]{1,90}\r?\n)+)", re.MULTILINE)


def _uudecoded(line: str) -> bytes:
    try:
        return binascii.a2b_uu(line.encode("ascii"))
    except (binascii.Error, ValueError):
        # Programs that fill a line up make it longer than it says.
        said = ((ord(line[0]) - 32) & 63) * 4 // 3 + 4
        try:
            return binascii.a2b_uu(line[:said].encode("ascii"))
        except (binascii.Error, ValueError):
            return b""


_UNSEEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
"""Characters of no width: within a word they hide it from a search, and not from a reader."""
_SPELT = re.compile(r"c(?<![a-z0-9].)(?:[.-] ?| )s[. -]{1,2}([ae])[. -]{1,2}m(?![a-z0-9])")


def _is_sealing(text: str, *, subject: bool) -> bool:
    lowered = text.lower()
    if not lowered.isascii():
        for sign in _UNSEEN:
            lowered = lowered.replace(sign, "")
    if any(x in lowered for x in ("c s", "c.s", "c-s", "c. s", "c- s")):
        lowered = _SPELT.sub(r"cs\1m", lowered)
    for window in _windows(lowered):
        window = _SPACES.sub(" ", window)
        if any(x in window for x in _TYPED_STEMS) and _TYPED.search(window):
            return True
        for start, end in _named(window):
            if subject or not _is_aside(window, start, end):
                return True
    return False


def _named(window: str) -> Iterator[tuple[int, int]]:
    """Where the matter is named, or described: a child and its nakedness, a child's age, a hotline's own words."""
    for found in islice(_STRONG.finditer(window), 200):
        yield found.span()
    for found in islice(_HOTLINE.finditer(window), 200):
        yield found.span()
    for found in islice(_BARE.finditer(window), 200):
        start, end = found.span()
        near = window[max(0, start - 50) : end + 50]
        german = found[0].startswith(("nackt", "unbekleidet", "sexuell"))
        if _A_CHILD.search(near) or (german and _A_GERMAN_CHILD.search(near)):
            yield start, end
    for found in islice(_AGE.finditer(window), 200):
        start, end = found.span()
        near = window[max(0, start - 80) : end + 80]
        young = _YOUNG.search(near) or ("hr" in found[0] and _A_GERMAN_CHILD.search(near))
        if young and _BARE.search(near):
            yield start, end


_AROUND = 500
_TWO_LETTERS = re.compile(r"cp(?<![a-z0-9]cp)(?![a-z0-9])")
_MOST_WINDOWS = 400


def _windows(lowered: str) -> Iterator[str]:
    """The surroundings of every word that the matter's phrases need; most mails have none."""
    plain = lowered.isascii()
    held = (_PLAIN_PIECES if plain else _PIECES).held_by(lowered)
    stems = [x for x in (_PLAIN_STEMS if plain else _STEMS) if x in held]
    if any(x.rstrip() in held for x in (_PLAIN_SECOND_STEMS if plain else _SECOND_STEMS)):
        stems += [x for x in (_PLAIN_WEAK_STEMS if plain else _WEAK_STEMS) if x in held]
    places = [x.start() for x in islice(_TWO_LETTERS.finditer(lowered), 200)] if "cp" in lowered else []
    for stem in stems:
        at = lowered.find(stem)
        while at >= 0 and len(places) < 20_000:
            places.append(at)
            # A phrase within the same surroundings is found with its neighbour.
            at = lowered.find(stem, at + 40)
    start = end = -1
    shown = 0
    for place in sorted(places):
        if start >= 0 and place - _AROUND > end:
            yield lowered[start:end]
            shown += 1
            start = -1
            if shown >= _MOST_WINDOWS:
                # So many mentions are no footer: the rest is looked at as one.
                yield lowered[place:]
                return
        if start < 0:
            start = max(0, place - _AROUND)
        end = place + _AROUND
    if start >= 0:
        yield lowered[start:end]


_SPACES = re.compile(r"[\s\u00a0\u200b-\u200d\u00ad_-]+")


def _is_aside(text: str, start: int, end: int) -> bool:
    """True when the matter is only mentioned: in a mission statement, or in a list of all that one may report."""
    near = text[max(0, start - 160) : end + 160]
    if _POINTING.search(near) and _ALLEGING.search(near):
        # It says where the material is: whatever else is said beside it, this is a report.
        return False
    if _BYPASS.search(near):
        return True
    return len({x.group() for x in _OTHER_EVIL.finditer(text[max(0, start - 250) : end + 250])}) >= 3


# ---- What is kept of it -----------------------------------------------------------------------------------------

_KEPT_HEADERS = ("from", "to", "cc", "reply-to", "subject", "date", "message-id", "received", "in-reply-to", "x-xarf")
_MOST_KEPT = 2_000_000


class _Keeper:
    """Writes a sealed mail anew from its words alone: what is not known to be words is not written."""

    def __init__(self) -> None:
        self.stripped: list[tuple[str, int, str]] = []
        self._room = _MOST_KEPT

    def rewrite(self, mail: Mail, digest: str, unseen: str = "") -> bytes:
        lines = [*self._headers(mail.root), f"X-Tipstaff-Sealed: sha256={digest} size={mail.size}"]
        lines += [f"X-Tipstaff-Not-Looked-Into: {unseen}"] if unseen else []
        lines += ["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", ""]
        stack = [mail.root]
        while stack:
            part = stack.pop()
            if part is not mail.root:
                lines += ["", f"[part {one_line(part.content_type, longest=80)}]", *self._headers(part)]
            if part.is_container:
                stack.extend(reversed(part.children))
                continue
            lines += ["", self._leaf(part)]
        return "\n".join(lines).encode("utf-8", "replace")

    def _headers(self, part: Part) -> list[str]:
        return [
            f"{name.title()}: {self._header(value)}"
            for name in _KEPT_HEADERS
            for value in part.headers.get(name, ())[:20]
        ]

    def _header(self, value: str) -> str:
        if _BINARY_CHARACTERS.search(value[:2000]):
            return self._take("header", value.encode("utf-8", "replace"))
        return one_line(self.scrub(one_line(value, longest=500)), longest=1000)

    def _leaf(self, part: Part) -> str:
        kind = part.content_type
        wordy = kind.startswith("text/") or kind in _WORDY or kind.endswith(("+json", "+xml"))
        if not part.content:
            return ""
        if not wordy or _looks_encoded(part.content):
            return self._take(kind, part.content)
        text = decode(part.content, charset=part.charset)
        if _is_binary(text):
            return self._take(kind, part.content)
        if kind == "text/html":
            # What stands in tags is looked at too: a picture may be written there.
            return self.scrub(html_to_text(self._without_uris(text))[0])
        return self.scrub(self._told(text))

    def _take(self, kind: str, content: bytes) -> str:
        entry = (one_line(kind, longest=80), len(content), hashlib.sha256(content).hexdigest())
        self.stripped.append(entry)
        return f"[removed: {entry[0]}, {entry[1]} octets, sha256 {entry[2]}]"

    def _told(self, text: str) -> str:
        """JSON as a list of its values, one a line, its escapes undone; any other text as it is."""
        stripped = text.strip()
        if stripped[:1] not in ("{", "["):
            return text
        try:
            value = json.loads(stripped)
        except (ValueError, RecursionError):
            return text
        lines: list[str] = []
        stack: list[tuple[str, object]] = [("", value)]
        while stack and len(lines) < 20_000:
            name, this = stack.pop()
            if isinstance(this, dict):
                stack += [(f"{name}.{key}".strip("."), x) for key, x in reversed(this.items())]
            elif isinstance(this, list):
                stack += [(name, x) for x in reversed(this)]
            else:
                told = str(this)
                if _BINARY_CHARACTERS.search(told):
                    told = self._take("JSON value", told.encode("utf-8", "replace"))
                lines.append(f"{name}: {told}")
        return "\n".join(lines)

    def _without_uris(self, text: str) -> str:
        return _DATA_URI.sub(lambda x: self._take("data URI", x[0].encode("utf-8", "replace")), text)

    def scrub(self, text: str) -> str:
        """A text without runs that could be media in letters: any piece that does not read like words goes."""
        text = text[: self._room]
        self._room = max(0, self._room - len(text))
        text = self._without_uris(text)
        text = text.replace("\\r\\n", "\n").replace("\\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
        kept: list[str] = []
        run: list[str] = []
        for line in text.split("\n"):
            for piece in _pieces(line):
                coded = _coded_octets(piece)
                if coded * 5 >= len(piece) * 2 and (coded >= 16 or (run and coded >= 2)):
                    run.append(piece)
                    continue
                if run and not piece.strip(_MARKS):
                    # Empty lines and quotation marks do not end a run.
                    continue
                kept += self._close(run)
                run = []
                kept.append(self._inline(piece))
        kept += self._close(run)
        return "\n".join(kept)

    def _close(self, run: list[str]) -> list[str]:
        """A run of coded pieces is taken out whole; a single short one (a digest, a key) may stay."""
        if not run:
            return []
        if len(run) == 1 and len(run[0].strip()) < _SHORT_RUN and not _BINARY_CHARACTERS.search(run[0]):
            return [run[0]]
        return [self._take("encoded run", "\n".join(run).encode("utf-8", "replace"))]

    def _inline(self, piece: str) -> str:
        """Long words of code within a piece of prose; a digest may stay."""

        def take(found: re.Match[str]) -> str:
            word = found[0]
            if not _odd(word) or _DIGEST.fullmatch(word.strip(_MARKS)):
                return word
            return self._take("encoded run", word.encode("utf-8", "replace"))

        return _LONG_WORD.sub(take, piece)


_SHORT_RUN = 44
_WORDY = frozenset(
    ("application/json", "application/xml", "application/csv", "message/feedback-report", "message/delivery-status")
)
_DATA_URI = re.compile(r"data:[\w/+.;=-]{0,200},[^\s\"'<>)]{0,50000000}", re.IGNORECASE)
_LONG_WORD = re.compile(r"[^\s,;|<>]{44,}")
_DIGEST = re.compile(r"(?:(?:md5|sha1|sha256):)?(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})", re.IGNORECASE)
_BINARY_CHARACTERS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffd]")
_MARKS = "()[]{}\"'.!?:*#_-–—•·=~`/\\“”„’‘«»…> \t"
_SPLIT = re.compile(r"[\s,;|<>]+")
_WORD = re.compile(
    r"[^\W\d_]{1,30}(?:[-'’./&+:][^\W\d_]{1,30}){0,4}"
    r"|[+-]?[\d.,:/%x×T+Z-]{1,27}"
    r"|\w{2,10}://\S{1,300}"
    r"|[\w.+%-]{1,60}@[\w.-]{1,80}"
    r"|[\w-]{1,30}(?:\.[\w-]{1,30}){1,8}(?::\d{1,5})?(?:/[\w./?=&%~#-]{0,100})?"
    r"|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}"
    r"|\w{1,24}[=:][\"']?[\w.:/@-]{0,40}"
    r"|[\w-]{1,20}"
)
_CHANGES = re.compile(r"[a-z0-9][A-Z]|[A-Za-z][0-9]")
_SIGN = re.compile(r"[!-/:-@\[-`{-~]")
_LOWER = re.compile(r"[a-z]")
_SHORT_NUMBERS = re.compile(r"(?<![\w.:/-])\d{1,3}(?![\w.:/-])")
_HEX_WORDS = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{2,8}(?![0-9A-Za-z])")


def _pieces(line: str) -> Iterator[str]:
    """A line in pieces of some hundred characters, so that code in one place does not hide among words in another."""
    while len(line) > 160:
        cut = line.rfind(" ", 60, 120)
        cut = cut if cut > 0 else 120
        if not line[:cut].strip():
            cut = 120
        if cut == 120 and " " not in line[:160]:
            # One long word stays whole: its length tells what it is.
            end = line.find(" ", 160)
            cut = end if end > 0 else len(line)
        yield line[:cut]
        line = line[cut:]
    yield line


def _coded_octets(piece: str) -> int:
    """How many characters of a piece are not words, names, numbers or addresses."""
    if _BINARY_CHARACTERS.search(piece):
        return len(piece)
    words = _HEX_WORDS.findall(piece)
    if len(words) >= 8 and sum(map(len, words)) * 3 > len(piece):
        return len(piece)
    if len(_SHORT_NUMBERS.findall(piece)) >= 12:
        return len(piece)
    signs = _SIGN.findall(piece)
    kinds = len(set(signs))
    if len(piece) >= 16 and (kinds >= 10 or (kinds >= 5 and not _LOWER.search(piece))) and len(signs) * 6 >= len(piece):
        return len(piece)
    return sum(map(_odd, _SPLIT.split(piece)))


def _odd(word: str) -> int:
    """The length of a word that no language writes, else 0."""
    core = word.strip(_MARKS)
    if not core:
        return 0
    if sum(ord(x) >= 0x370 for x in core) * 2 >= len(core):
        return 0
    if len(_CHANGES.findall(core)) >= 3 and "://" not in core and "@" not in core:
        return len(word)
    return 0 if _WORD.fullmatch(core) else len(word)


def _looks_encoded(content: bytes) -> bool:
    """True for a part that is binary whatever its label says."""
    head = content[:65536]
    if head[:4] in _MAGIC4 or head[:3] == b"\xff\xd8\xff" or head[:8] == b"\x89PNG\r\n\x1a\n" or head[4:8] == b"ftyp":
        return True
    controls = len(head) - len(head.translate(None, _CONTROL_OCTETS))
    return controls * 100 > len(head) and not head.startswith((b"\xff\xfe", b"\xfe\xff"))


_MAGIC4 = (
    b"GIF8",
    b"RIFF",
    b"PK\x03\x04",
    b"%PDF",
    b"\x1aE\xdf\xa3",
    b"OggS",
    b"FLV\x01",
    b"Rar!",
    b"7z\xbc\xaf",
    b"ID3\x03",
    b"II*\x00",
    b"MM\x00*",
)
_CONTROL_OCTETS = bytes(x for x in range(32) if x not in b"\t\r\n\f\x1b") + b"\x7f"


def _is_binary(text: str) -> bool:
    return len(_BINARY_CHARACTERS.findall(text[:200_000])) * 100 > len(text[:200_000])
