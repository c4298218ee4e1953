"""An example operator and a day of its abuse desk: what comes in, and what must become of it.

`tipstaff demo` plays it. Everything is made of example addresses, domains and names, and of the start instant alone: it
refuses to read a clock, to draw a random number, or to hold anything that somebody really wrote.
"""

from .complaints import complaints
from .mail import PICTURE_MARK, innocent_picture
from .operator import ABUSE_ADDRESS, ASN, LMTP_ADDRESS, NAME, customers, holdings, services, sites
from .told import Expected, ExpectedIncident, Move, Review, Since, Told

__all__ = [
    "ABUSE_ADDRESS",
    "ASN",
    "LMTP_ADDRESS",
    "NAME",
    "PICTURE_MARK",
    "Expected",
    "ExpectedIncident",
    "Move",
    "Review",
    "Since",
    "Told",
    "complaints",
    "customers",
    "holdings",
    "innocent_picture",
    "services",
    "sites",
]
