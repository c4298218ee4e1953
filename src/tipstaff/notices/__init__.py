"""Letters out: composed, kept until the mail server has answered, sent once. Never sends what it is unsure of twice.

`compose` and `redact` are pure; `operations` and `queries` are the doors to the store; `outbound` speaks SMTP;
`posting` carries one letter from the store to the mail server.
"""

from .addresses import may_be_answered
from .compose import COMPLAINANT_KINDS, Draft, Held, LacksAFact, LetterFacts, SealedMatter, compose
from .redact import place_shown, redact

__all__ = [
    "COMPLAINANT_KINDS",
    "Draft",
    "Held",
    "LacksAFact",
    "LetterFacts",
    "SealedMatter",
    "compose",
    "may_be_answered",
    "place_shown",
    "redact",
]
