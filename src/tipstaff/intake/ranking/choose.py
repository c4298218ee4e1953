"""Who is meant: each candidate's likelihood, those that are chosen, and which cues and words spoke for them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..text.candidate import Candidate, Shape
from .model import Forest, Linear, sigmoid
from .rivals import FEATURES, NOTHING, PLACE, WAY, Around, rows
from .words import number

_CHOSEN_FROM = 0.6
"""Rather one too few than one too many: a stranger who is accused is worse than an offender who is told later."""
_MEANT_FROM = 0.12
_TELLING = 4
_FELLOW = 0.95
_TARGET = 0.1
_LISTED = frozenset({"alone", "cell", "text", "start"})
_LISTED_HOSTS = frozenset({"alone", "text"})
_CONTRARY = frozenset(
    {
        "well_known",
        "rightful",
        "near_ours",
        "label_victims",
        "other_hop",
        "victim_key",
        "victim_column",
        "arrow_target",
        "own_way",
    }
)
"""Cues that part a candidate from a list of offenders."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The candidates that a mail means, the likeliest first."""

    chosen: tuple[Candidate, ...]
    best: float
    """Likelihood of the likeliest."""
    least: float
    """Likelihood of the least likely that was chosen."""
    left: float
    """Likelihood of the likeliest that was not."""
    many: int
    """How many candidates there were."""
    around: Around = NOTHING

    @property
    def doubts(self) -> Iterator[tuple[str, float]]:
        """Features from which it is told how sure the choice is."""
        yield "best", self.best
        yield "least", self.least
        yield "left", self.left
        yield "gap", self.least - self.left
        yield "surest", float(self.least > 0.9 and self.left < 0.1)
        yield "one", float(len(self.chosen) == 1)
        yield "only", float(self.many == 1)
        yield "list", float(len(self.chosen) > 3)
        yield "only one named", float(self.many == 1 and self.around.others == 0)
        yield "no others", float(self.around.others == 0)
        yield "only item", self.around.about_items if self.many == 1 and self.around.others == 0 else 0.0
        yield "about items", self.around.about_items


NOBODY = Choice((), 0.0, 0.0, 0.0, 0)


def facts(this: Candidate) -> Iterator[tuple[str, float]]:
    """A candidate's cues with their strengths, and the words around it."""
    yield from this.features.items()
    for word in this.words:
        yield word, 1.0


def weigh(candidates: Sequence[Candidate], linear: Linear) -> tuple[list[float], list[float]]:
    """Each candidate's sum of evidence, and how much of it is only about its place."""
    weights = linear.weights
    places = [(x, weights.get(number(x), 0.0)) for x in PLACE]
    scores = [linear.score(facts(this)) for this in candidates]
    return scores, [sum(w * this.features.get(x, 0.0) for x, w in places) for this in candidates]


def choose(candidates: Sequence[Candidate], linear: Linear, rivals: Forest, around: Around) -> Choice:
    """Those of `candidates` that are meant: the likeliest, if anything speaks for it, and all that are likely."""
    if not candidates:
        return NOBODY
    likely = likelihoods(candidates, linear, rivals, around)
    order = sorted(range(len(candidates)), key=lambda i: (-likely[i], candidates[i].first))
    for this, chance in zip(candidates, likely, strict=True):
        this.score = chance
    chosen = [i for i in order if likely[i] >= _CHOSEN_FROM] or order[:1]
    if likely[chosen[0]] < _MEANT_FROM:
        return Choice((), 0.0, 0.0, likely[chosen[0]], len(candidates), around)
    left = order[len(chosen)] if len(chosen) < len(order) else None
    return Choice(
        tuple(candidates[i] for i in chosen),
        likely[chosen[0]],
        likely[chosen[-1]],
        likely[left] if left is not None else 0.0,
        len(candidates),
        around,
    )


def likelihoods(candidates: Sequence[Candidate], linear: Linear, rivals: Forest, around: Around) -> list[float]:
    """How likely each candidate is meant. Beyond the likeliest ones a member of a list is as likely as its fellows."""
    scores, places = weigh(candidates, linear)
    looked_at = rows(candidates, scores, places, around)
    likely = [0.0] * len(candidates)
    by_shape: dict[object, float] = {}
    for i, chance in zip(looked_at, rivals.probabilities(list(looked_at.values())), strict=True):
        likely[i] = chance
        for shape in candidates[i].shapes:
            by_shape.setdefault(shape, likely[i])
    for i, this in enumerate(candidates):
        if i not in looked_at:
            likely[i] = max((by_shape.get(x, 0.0) for x in this.shapes), default=0.0)
    return _with_fellows(candidates, _without_victims(candidates, _without_relays(candidates, likely)))


def _without_relays(candidates: Sequence[Candidate], likely: list[float]) -> list[float]:
    """Where somebody among the hops of one mail is meant, it is the one from outside rather than any relay."""
    if not any("outside_hop" in x.features for x in candidates):
        return likely
    pairs = list(zip(candidates, likely, strict=True))
    best = max(p for x, p in pairs if "outside_hop" in x.features or "other_hop" in x.features)
    return [
        max(p, best) if "outside_hop" in x.features else min(p, best * _FELLOW) if "other_hop" in x.features else p
        for x, p in pairs
    ]


def _without_victims(candidates: Sequence[Candidate], likely: list[float]) -> list[float]:
    """Who is only named as somebody's target is not meant, as long as another is named who is not."""
    targets = [x.is_target for x in candidates]
    if all(targets):
        return likely
    return [min(p, _TARGET) if target else p for p, target in zip(likely, targets, strict=True)]


def _with_fellows(candidates: Sequence[Candidate], likely: list[float]) -> list[float]:
    """Where the likeliest is named in lists only and stands out by nothing but its place, its fellows are as likely."""
    first = max(range(len(candidates)), key=lambda i: (likely[i], -candidates[i].first))
    best = candidates[first]
    told = {x for x in best.shapes if x[0] not in WAY}
    # What the letter itself lists counts before what it quotes or comes with.
    told = {x for x in told if x[0] == "body"} or told
    fellows: dict[Shape, list[int]] = {x: [] for x in told}
    for i, this in enumerate(candidates):
        if i != first and _CONTRARY.isdisjoint(this.features):
            for shape in told & this.shapes:
                fellows[shape].append(i)
    if not told or not all(fellows.values()):
        return likely
    listed = _LISTED if best.kind == "ip" else _LISTED_HOSTS
    taken = {i for shape in told if shape[1] in listed for i in fellows[shape]}
    return [max(p, likely[first] * _FELLOW) if i in taken else p for i, p in enumerate(likely)]


def telling(this: Candidate, linear: Linear) -> list[str]:
    """The cues and words that spoke most for a candidate, in words."""
    return [name for name, _ in linear.reasons(facts(this), most=_TELLING)]


def certainty(choice: Choice, linear: Linear) -> float:
    """How likely the choice as a whole is right, 0 to 1."""
    return sigmoid(linear.score(choice.doubts))


assert len(set(FEATURES)) == len(FEATURES)
