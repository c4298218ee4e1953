"""Where the operator's own addresses are known: a letter that seems to mean only others', and names one of ours."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address

from tipstaff.words import Reading, ReadingOutcome, ReadingReason

from .mail import Mail
from .ranking.choose import choose
from .ranking.marks import marks_of
from .ranking.model import load_weights
from .ranking.rivals import NOTHING
from .text.candidates import gather
from .text.sections import lay_out

_GUESSED = "freetext"
_MOST_NAMED = 3


def left_to_person(mail: Mail, reading: Reading, space: Sequence[IPv4Network | IPv6Network]) -> Reading:
    """The reading, unsure where it was guessed at others' addresses only and the letter names one in `space` too.

    Who complains here mostly means us, so nobody is answered that it is not ours before a person has looked. No other
    address is taken in its place: that a letter names a customer's says nothing of what the customer did. One that is
    only somebody's target, or lies on the letter's own way, is not counted.
    """
    meant = {x.source for x in reading.allegations if x.source is not None}
    if reading.outcome is not ReadingOutcome.COMPLAINT or reading.parser != _GUESSED or not meant or not space:
        return reading
    if any(source in network for source in meant for network in space):
        return reading
    scene = gather(mail, lay_out(mail))
    named = [
        x
        for x in scene.addresses
        if not x.is_target and "own_way" not in x.features and any(ip_address(x.value) in y for y in space)
    ]
    if not named:
        return reading
    weights = load_weights()
    choose(scene.addresses, weights.address, weights.address_rivals, NOTHING)
    known = {x.value for x in reading.marks}
    shown = ", ".join(x.value for x in named[:_MOST_NAMED])
    return replace(
        reading,
        reason=ReadingReason.UNSURE,
        detail=f"It seems to mean addresses of others, and names ours too: {shown}.",
        marks=(*(x for x in marks_of(named, weights.address) if x.value not in known), *reading.marks),
    )
