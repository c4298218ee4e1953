"""A mail that somebody hands on as it came, without a word: spamtraps and redirects complain so (RFC 5322, 3.6.6)."""

import re
from ipaddress import ip_address

from tipstaff.words import Allegation, Mark, Reading

from .mail import Mail
from .shaping import complaint, excerpt
from .text.characters import one_line
from .text.find import is_address, is_public
from .text.hops import sender_of
from .text.names import registered_part
from .text.times import find_moment

_ROLE = re.compile(
    r"abuse|admin|billing|cert|cirt|compliance|contact|copyright|csirt|desk|dmca|fraud|help|info|irt|legal|list|mail|"
    r"noc\b|notice|office|phish|piracy|postmaster|privacy|report|rir|security|service|soc\b|spam|support|takedown|"
    r"trademark|trust|hostmaster|webmaster|whois",
    re.IGNORECASE,
)
"""What stands in the mailboxes of desks. Mail that was sent to one is addressed to us, whoever handed it on."""
_FOR = re.compile(r"\bfor\s{1,4}<?([\w.+=%#-]{1,64}@[\w.-]{1,255})", re.IGNORECASE)
_BY = re.compile(r"\bby\s{1,4}([\w-]{1,63}(?:\.[\w-]{1,63}){1,6})", re.IGNORECASE)
_ADDRESSES = re.compile(r"[\w.+=%#-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
_MOST_HOPS = 30
_LIKELIHOOD = 0.5


def is_role(address: str) -> bool:
    """Whether a mailbox is a desk's rather than a person's."""
    return _ROLE.search(address.partition("@")[0]) is not None


def addressees(mail: Mail) -> list[str]:
    """The addresses to which a mail says that it goes, in lower case; at most fifty."""
    values = (*mail.headers("to")[:5], *mail.headers("cc")[:5])
    return [x.lower() for value in values for x in _ADDRESSES.findall(value[:3000])][:50]


def resent(mail: Mail) -> Reading | None:
    """A doubtful complaint about whoever sent the mail to its addressee, or None when it was addressed to a desk.

    What a server wrote on taking it for its addressee (`for`, RFC 5321, 4.4) is above what the sender may have
    invented; what other servers wrote above that shows that it was handed on.
    """
    if not mail.headers("received") or mail.header("auto-submitted").lower().startswith("auto-replied"):
        return None
    to = addressees(mail)
    if not to or any(map(is_role, to)) or mail.header("in-reply-to") or mail.header("references"):
        return None
    hops = [" ".join(x[:2000].split()) for x in mail.headers("received")[:_MOST_HOPS]]
    for place, hop in enumerate(hops):
        taken = _FOR.search(hop)
        if taken is None or taken[1].lower().rstrip(".") not in to:
            continue
        by = _BY.search(hop)
        above = [x for x in map(_BY.search, hops[:place]) if x]
        if by is None or not any(registered_part(x[1]) != registered_part(by[1]) for x in above):
            return None
        source = sender_of(hop)
        if source is None or not is_address(source) or not is_public(source):
            return None
        allegation = Allegation(
            type="messaging/spam",
            source=ip_address(source),
            protocol="smtp",
            moment=find_moment(hop.rpartition(";")[2]),
            excerpt=excerpt([one_line(f"Received: {x}", longest=500) for x in hops[place:]]),
            confidence=_LIKELIHOOD,
        )
        return complaint(
            mail,
            [allegation],
            parser="resent",
            sure=False,
            marks=(
                Mark(
                    kind="address",
                    value=source,
                    likelihood=_LIKELIHOOD,
                    chosen=True,
                    why=("outside_hop",),
                    line=hop[:300],
                ),
            ),
            detail="It was sent to somebody else, who hands it on as it came.",
        )
    return None
