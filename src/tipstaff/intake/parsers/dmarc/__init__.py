"""Reads DMARC aggregate reports (RFC 7489, 7.2): what fails under a domain is a hint to its holder, for a person."""

import re
from collections.abc import Iterator

from tipstaff.words import Allegation, Reading, ReadingReason

from ...forms.xml import MOST_OCTETS, BrokenXml, Element, HostileXml, read_xml
from ...mail import Mail
from ...shaping import complaint, excerpt, reporter_of, set_aside, unreadable
from ...text.characters import decode, one_line
from ...text.names import is_host_name, to_ascii

_SUBJECT = re.compile(r"Report Domain:\s{0,5}\S{1,253}\s{1,5}Submitter:\s{0,5}\S{1,253}", re.IGNORECASE)
_MOST_SHOWN = 40


class DmarcParser:
    """Reads a `<feedback>` document with policy and records. Failure reports are feedback reports; see `arf`."""

    name = "dmarc"
    priority = 25

    def read(self, mail: Mail) -> Reading | None:
        """What fails under the domain, also by half, for a person; set aside where all passes; None for other mail."""
        for attachment in mail.attachments:
            if b"<feedback" not in attachment.content[:3000]:
                continue
            try:
                root = read_xml(decode(attachment.content[:MOST_OCTETS]))
            except HostileXml:
                return unreadable(
                    mail, ReadingReason.HOSTILE_FORM, parser=self.name,
                    detail="The DMARC report's XML declares a document type or entities, which are refused unread.",
                )  # fmt: skip
            except BrokenXml as why:
                if not _SUBJECT.search(mail.subject):
                    return None
                return unreadable(
                    mail, ReadingReason.BROKEN_FORM, parser=self.name, detail=f"The DMARC report is broken: {why}."
                )
            if root.name == "feedback":
                return _reading(mail, root)
        return None


def _reading(mail: Mail, root: Element) -> Reading:
    domain = next((x.first("domain") for x in root.below("policy_published")), "").lower().rstrip(".")
    rows = list(root.below("record"))
    failing = [x for x in rows if _fails(x)] or [x for x in rows if _half_fails(x)]
    if not failing or not is_host_name(domain):
        return set_aside(
            mail, ReadingReason.NOT_ABUSE, parser="dmarc",
            detail=f"It is a DMARC aggregate report with {len(rows)} rows, none of which fails.",
        )  # fmt: skip
    allegation = Allegation(
        type="vulnerability/misconfiguration",
        domain=to_ascii(domain),
        protocol="smtp",
        excerpt=excerpt(list(_shown(failing))),
        confidence=0.4,
    )
    return complaint(
        mail, [allegation], parser="dmarc", sure=False,
        reporter=reporter_of(mail, reference=next((x.first("report_id") for x in root.below("report_metadata")), "")),
        detail=(
            f"It is a DMARC aggregate report: {len(failing)} of {len(rows)} rows "
            f"{'fail' if _fails(failing[0]) else 'pass by one of DKIM and SPF only'} under {one_line(domain)}."
        ),
    )  # fmt: skip


def _fails(record: Element) -> bool:
    """Neither DKIM nor SPF passed in alignment (RFC 7489, 6.6.2)."""
    return _passed(record) == []


def _half_fails(record: Element) -> bool:
    """One of the two passed, the other did not: the domain's holder has something to mend (RFC 7489, 7)."""
    return len(_passed(record) or ()) == 1


def _passed(record: Element) -> list[str] | None:
    """Which of the two passed in alignment, or None for a record that does not say it."""
    evaluated = next(record.below("policy_evaluated"), None)
    if evaluated is None:
        return None
    return [x for x in ("dkim", "spf") if evaluated.first(x).lower() == "pass"]


def _shown(records: list[Element]) -> Iterator[str]:
    for record in records[:_MOST_SHOWN]:
        row = next(record.all("row"), record)
        names = next(record.all("identifiers"), record)
        failed = " and ".join(x.upper() for x in ("dkim", "spf") if x not in (_passed(record) or ()))
        yield one_line(
            f"{row.first('source_ip')} sent {row.first('count') or '?'} as {names.first('header_from')}; "
            f"{failed} failed",
            longest=300,
        )
