"""Where the operator's own addresses and sites are known: what of them a letter names, and what a person sees first."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address

from tipstaff.words import Mark, Reading, ReadingOutcome, ReadingReason

from .mail import Mail
from .ranking.choose import choose
from .ranking.marks import MOST_MARKS, marks_of
from .ranking.model import load_weights
from .ranking.rivals import NOTHING
from .text.candidate import Candidate
from .text.candidates import gather
from .text.sections import lay_out

_GUESSED = "freetext"
_MOST_NAMED = 3
_MOST_WEIGHED = 2000

Space = Sequence[IPv4Network | IPv6Network]


def left_to_person(mail: Mail, reading: Reading, space: Space) -> Reading:
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
    named = [x for x in scene.addresses if _may_be_meant(x) and _within(x, space)]
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


def candidates_in(mail: Mail, *, space: Space, sites: Callable[[Collection[str]], Collection[str]]) -> tuple[Mark, ...]:
    """What a letter could mean, for the person who decides: of our own space and sites first, each the likeliest first.

    `sites` says which of some host names are sites of ours. A letter that names more than anybody can weigh has none.
    """
    scene = gather(mail, lay_out(mail))
    if scene.overflow or len(scene.addresses) + len(scene.hosts) > _MOST_WEIGHED:
        return ()
    weights = load_weights()
    addresses = choose(scene.addresses, weights.address, weights.address_rivals, NOTHING)
    hosts = choose(scene.hosts, weights.host, weights.host_rivals, NOTHING)
    sited = sites([x.value for x in scene.hosts])
    ours = [x for x in scene.addresses if _may_be_meant(x) and _within(x, space)]
    ours += [x for x in scene.hosts if _may_be_meant(x) and x.value in sited]
    others = [*scene.addresses, *scene.hosts]
    known = set(map(id, ours))
    taken = set(map(id, (*addresses.chosen, *hosts.chosen)))

    def marked(some: Iterable[Candidate]) -> list[Mark]:
        some = list(some)
        return [
            *marks_of((x for x in some if x.kind == "ip"), weights.address, chosen=taken),
            *marks_of((x for x in some if x.kind != "ip"), weights.host, chosen=taken),
        ]

    first = [replace(x, ours=True) for x in marked(ours)]
    rest = sorted(marked(x for x in others if id(x) not in known), key=lambda x: -x.likelihood)
    return (*sorted(first, key=lambda x: -x.likelihood), *rest)[: 2 * MOST_MARKS]


def _may_be_meant(this: Candidate) -> bool:
    return not this.is_target and "own_way" not in this.features


def _within(this: Candidate, space: Space) -> bool:
    return any(ip_address(this.value) in network for network in space)
