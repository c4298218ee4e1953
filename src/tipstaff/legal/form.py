"""Whether a notice or an order shows what the law asks of its form: which elements its words show, and which not. Pure.

It finds words and decides nothing. What it does not find may be there in other words, or in a language that it does not
know; what it finds may be false. Counsel reads the notice with this list beside it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tipstaff.policy.kinds import LegalForm

_URL = r"https?://\S+|\bhxxps?\S+|\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,7}\b"
_MAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_SIGNED = (
    r"(?:^|\n)\s*/s/|\bsigned\b|\bsignature\b|\b(?:sincerely|regards|yours)\b"
    r"|unterschrift|unterzeichnet|gr[uü](?:ß|ss)e"
)
_DATE = (
    r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./]\s?\d{1,2}[./]\s?\d{4}\b|\b\d{1,2}\.?\s+\w+\s+\d{4}\b|\b\w+\s+\d{1,2},\s+\d{4}\b"
)
_GOOD_FAITH = r"good[\s-]faith|bona\s+fide|guten\s+glaubens|nach\s+bestem\s+wissen"
_AUTHORITY = (
    r"\b(?:court|tribunal|prosecutor|police|ministry|competent\s+authority|registrar|panel)\b"
    r"|gericht|staatsanwaltschaft|polizei|beh[oö]rde|ministerium"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One thing that a form asks for."""

    name: str
    """In a phrase that a sentence can list."""
    source: str
    """The provision that asks for it."""
    words: str
    """A pattern of what shows it, in English or German."""


FORMS: Mapping[LegalForm, tuple[Element, ...]] = MappingProxyType(
    {
        LegalForm.DMCA_NOTICE: (
            Element(name="a signature", source="17 U.S.C. 512(c)(3)(A)(i)", words=_SIGNED),
            Element(
                name="the work", source="17 U.S.C. 512(c)(3)(A)(ii)",
                words=r"copyrighted\s+works?|\btitle\b|\bworks?\b|infringed\s+work|urheberrechtlich|\bwerke?s?\b",
            ),
            Element(name="the material and its place", source="17 U.S.C. 512(c)(3)(A)(iii)", words=_URL),
            Element(name="how to reach whoever complains", source="17 U.S.C. 512(c)(3)(A)(iv)", words=_MAIL),
            Element(name="the belief in good faith", source="17 U.S.C. 512(c)(3)(A)(v)", words=_GOOD_FAITH),
            Element(
                name="accuracy and authority, under penalty of perjury", source="17 U.S.C. 512(c)(3)(A)(vi)",
                words=r"penalt(?:y|ies)\s+of\s+perjury|an\s+eides\s+statt",
            ),
        ),
        LegalForm.DSA_NOTICE: (
            Element(
                name="why it is illegal", source="Regulation (EU) 2022/2065, Article 16(2)(a)",
                words=r"\b(?:because|illegal|unlawful|infring\w+|violat\w+)\b|rechtswidrig|verletzt|versto[ßs]",
            ),
            Element(name="its exact place", source="Regulation (EU) 2022/2065, Article 16(2)(b)", words=_URL),
            Element(
                name="a name and a mail address", source="Regulation (EU) 2022/2065, Article 16(2)(c)", words=_MAIL
            ),
            Element(
                name="the belief that it is accurate and complete",
                source="Regulation (EU) 2022/2065, Article 16(2)(d)", words=_GOOD_FAITH,
            ),
        ),
        LegalForm.ORDER: (
            Element(name="who orders it", source="what an order needs to be one", words=_AUTHORITY),
            Element(
                name="its reference", source="what an order needs to be one",
                words=r"\b(?:case|docket|file|ref(?:erence)?|order)\b\W{0,3}(?:no|nr|number)?\W{0,4}\w*\d|aktenzeichen|\baz\b",
            ),
            Element(name="its date", source="what an order needs to be one", words=_DATE),
            Element(
                name="the law it rests on", source="what an order needs to be one",
                words=r"\b(?:article|section|pursuant|under\s+the)\b|§|gem[aä]ß|\bart\.",
            ),
            Element(name="what it is about", source="what an order needs to be one", words=_URL),
        ),
        LegalForm.COUNTER_NOTICE: (
            Element(name="a signature", source="17 U.S.C. 512(g)(3)(A)", words=_SIGNED),
            Element(name="the material and where it was", source="17 U.S.C. 512(g)(3)(B)", words=_URL),
            Element(
                name="under penalty of perjury, that it was a mistake", source="17 U.S.C. 512(g)(3)(C)",
                words=r"penalt(?:y|ies)\s+of\s+perjury|an\s+eides\s+statt",
            ),
            Element(
                name="a telephone number, beside name and address", source="17 U.S.C. 512(g)(3)(D)",
                words=r"\+?\d[\d ()/-]{6,}\d",
            ),
            Element(
                name="the consent to a court's jurisdiction", source="17 U.S.C. 512(g)(3)(D)",
                words=r"\bjurisdiction\b|gerichtsbarkeit|gerichtsstand",
            ),
        ),
        LegalForm.REMOVAL_ORDER: (
            Element(
                name="the competent authority", source="Regulation (EU) 2021/784, Article 3(4)", words=_AUTHORITY
            ),
            Element(
                name="why it is terrorist content", source="Regulation (EU) 2021/784, Article 3(4)",
                words=r"terroris\w+",
            ),
            Element(name="the exact URL", source="Regulation (EU) 2021/784, Article 3(4)", words=r"https?://\S+"),
            Element(
                name="the Regulation as its legal basis", source="Regulation (EU) 2021/784, Article 3(4)",
                words=r"2021/784",
            ),
            Element(name="date and time", source="Regulation (EU) 2021/784, Article 3(4)", words=_DATE),
            Element(name="a signature", source="Regulation (EU) 2021/784, Article 3(4)", words=_SIGNED),
        ),
    }
)  # fmt: skip


def looked_for(form: LegalForm, words: str) -> Iterator[tuple[Element, bool]]:
    """Each element of a form, and whether the words show it."""
    for element in FORMS[form]:
        yield element, re.search(element.words, words, flags=re.IGNORECASE) is not None
