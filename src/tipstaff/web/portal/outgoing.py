"""What our mail carries of what a customer's people type, and to how many addresses that they type.

Our letters pass every mail filter, so whoever could put a link or a sentence of their own into one, to an address of
their choice, would use it for what we are there to stop.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta

from ..models import Forward, ProposedContact
from ..said import Sentence
from .people import MAIL_ADDRESS

TO_ONE_MAX, TO_ALL_MAX = 3, 20
"""Letters within a day from one customer: to one address, and to all of them."""
_A_DAY = timedelta(days=1)
_URL = re.compile(r"://|www[.。]|[\w-][.。][\w-]{2,}(?::\d+)?[/\\?#]", re.IGNORECASE)
_TELEPHONE = re.compile(r"\+?[0-9][0-9 ()./-]{3,30}")
_UNSEEN = {"Cf", "Cs", "Co", "Cn"}
"""Kinds of characters that no letter keeps: what they part is one word there."""


def holds_url(text: str) -> bool:
    """Whether a mail program might make a link of it, or a line of its own."""
    if any(unicodedata.category(each) in {"Cc", "Zl", "Zp"} for each in text):
        return True
    seen = "".join(each for each in text if unicodedata.category(each) not in _UNSEEN)
    return _URL.search(unicodedata.normalize("NFKC", seen)) is not None


def is_no_name(text: str) -> bool:
    """Whether it holds an address of the web or of mail, as nothing does that is a name alone."""
    return holds_url(text) or "@" in unicodedata.normalize("NFKC", text)


def contact_in_letter(contact: str) -> str:
    """Of how somebody is reached, what a letter may say: addresses of mail and telephone numbers, and no other word."""
    parts = [part.strip() for part in re.split("[,;]", contact)]
    plain = all(MAIL_ADDRESS.fullmatch(part) or _TELEPHONE.fullmatch(part) for part in parts)
    return ", ".join(parts) if plain else ""


def refuse_too_many(customer: str, email: str, *, known: Iterable[str] = (), at: datetime) -> None:
    """Raise a Sentence where a customer's people have had us write to addresses that they typed as often as they may.

    `known` are addresses on record, which nobody chose: letters to them count only where they are typed again.
    """
    email, known = email.lower(), set(known)
    proposed = ProposedContact.objects.filter(customer=customer, made_at__gt=at - _A_DAY)
    passed_on = Forward.objects.filter(reseller=customer, made_at__gt=at - _A_DAY)
    if proposed.filter(email=email).count() + passed_on.filter(email=email).count() >= TO_ONE_MAX:
        raise Sentence("Too many letters went to that address today; try again tomorrow.")
    if proposed.count() + passed_on.exclude(email__in=known).count() >= TO_ALL_MAX:
        raise Sentence("Too many letters were sent for this account today; try again tomorrow.")
