"""How a candidate stands among the others of its mail: alone at the top, one of a list, or one of many in the way."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..text.candidate import Candidate, Shape

PLACE = ("is_first", "rank", "zone_subject", "share", "often", "only")
"""Cues that say where a candidate stands, not what is said of it: they would part the members of one list."""
CUES = (
    "source_column", "victim_column", "alone", "near_ours", "log_later", "log_first", "zone_body", "zone_file",
    "zone_quoted", "zone_embedded", "zone_register", "zone_signature", "unroutable", "own_way", "outside_hop",
    "other_hop", "own_domain", "in_url", "label_victims", "victim_key", "source_key", "arrow_target", "arrow_source",
    "near_strong", "near_yours", "ip_word", "prose_later", "mention", "defanged", "hxxp", "deep", "rightful",
    "reference", "reference_above", "item", "item_above", "as_url", "as_name", "bracketed", "well_known",
    "sender_domain",
)  # fmt: skip
WAY = frozenset({"subject", "headers", "file_headers", "register", "signature"})
_LISTS = frozenset({"alone", "cell"})
_ITEMS = ("content/", "copyright/copyright")
_LOOKED_AT = 60
_RIVALS_LOOKED_AT = 30

FEATURES = (
    "score", "said", "list_best", "list_said", "list_size", "list_first", "behind_best", "said_beside_list",
    "before_rival", "is_best_or_fellow", "is_fellow", "best_elsewhere", "shapes", "many", "in_subject",
    "subject_size", "best_in_subject", "count", "behind_count", "share", "network", "six", "loose_fellow",
    "loose_size", "loose_said", "others", "about_items", "shape_alone", "shape_cell", "shape_text", "first", *CUES,
)  # fmt: skip


@dataclass(slots=True)
class _List:
    """The members of one shape."""

    best: float
    said: float
    size: int
    first: int


@dataclass(frozen=True, slots=True)
class Around:
    """What a mail holds beside the candidates of one kind."""

    others: int = 0
    """How many candidates of the other kind it names."""
    about_items: float = 0.0
    """How far its words speak of pages and files rather than of what an address did, 0 to 1."""


NOTHING = Around()


def about_items(rules: Mapping[str, float]) -> float:
    """The share of the rules' points for kinds that are about pages and files."""
    whole = sum(rules.values())
    return sum(x for kind, x in rules.items() if kind.startswith(_ITEMS)) / whole if whole else 0.0


def rows(
    candidates: Sequence[Candidate], scores: Sequence[float], places: Sequence[float], around: Around
) -> dict[int, list[float]]:
    """For the likeliest candidates, by their number, the features named in `FEATURES`.

    `scores` are the candidates' sums of cues and words, `places` what the cues in `PLACE` added to them.
    """
    many = len(candidates)
    if not many:
        return {}
    said = [score - place for score, place in zip(scores, places, strict=True)]
    order = sorted(range(many), key=lambda i: (-scores[i], i))
    best = candidates[order[0]]
    highest = scores[order[0]]
    members: dict[Shape, list[int]] = {}
    loose_members: dict[Shape, list[int]] = {}
    looser = [_loose(x) for x in candidates]
    for i, this in enumerate(candidates):
        for shape in this.shapes:
            members.setdefault(shape, []).append(i)
        for shape in looser[i]:
            loose_members.setdefault(shape, []).append(i)
    lists = {
        shape: _List(
            max(scores[j] for j in inside),
            sum(said[j] for j in inside) / len(inside),
            len(inside),
            min(candidates[j].first for j in inside),
        )
        for shape, inside in members.items()
    }
    loose_said = {shape: sum(said[j] for j in inside) / len(inside) for shape, inside in loose_members.items()}
    best_lists = {x for x in best.shapes if x[0] not in WAY}
    best_loose = looser[order[0]]
    in_subject = sum("zone_subject" in x.features for x in candidates)
    found: dict[int, list[float]] = {}
    for i in order[:_LOOKED_AT]:
        this = candidates[i]
        features = this.features
        foremost = max(this.shapes, key=lambda s: (lists[s].best, lists[s].size, str(s))) if this.shapes else None
        own = lists[foremost] if foremost is not None else _List(scores[i], said[i], 1, this.first)
        kind = foremost[1] if foremost is not None else ""
        rival = next(
            (scores[j] for j in order[:_RIVALS_LOOKED_AT] if j != i and this.shapes.isdisjoint(candidates[j].shapes)),
            -9.0,
        )
        fellow = not best_lists.isdisjoint(this.shapes)
        found[i] = [
            scores[i] if own.size == 1 else max(scores[i], said[i]),
            said[i],
            own.best,
            own.said,
            math.log(own.size),
            float(own.first),
            own.best - highest,
            said[i] - own.said,
            own.best - rival,
            float(i == order[0] or fellow),
            float(fellow and i != order[0]),
            float(len(best.shapes) - len(best.shapes & this.shapes)) if fellow else -1.0,
            float(len(this.shapes)),
            math.log(many),
            float("zone_subject" in features),
            float(in_subject),
            float("zone_subject" in best.features),
            float(min(this.count, 50)),
            float(min(best.count, 50) - min(this.count, 50)),
            features.get("share", 0.0),
            float(bool(this.network)),
            float(":" in this.value),
            float(not looser[i].isdisjoint(best_loose)),
            float(max((len(loose_members[x]) for x in looser[i]), default=1)),
            max((loose_said[x] for x in looser[i]), default=said[i]),
            # What a mail speaks of tells whether a page is meant; of addresses it told nothing new.
            math.log1p(around.others) if this.kind == "host" else 0.0,
            around.about_items if this.kind == "host" else 0.0,
            float(kind == "alone"),
            float(kind == "cell"),
            float(kind == "text"),
            float(min(this.first if own.size == 1 else own.first, 20)),
            *[features.get(x, 0.0) for x in CUES],
        ]
    return found


def _loose(this: Candidate) -> set[Shape]:
    """Its lists, less what leads to them."""
    return {x[:2] for x in this.shapes if x[1] in _LISTS and x[0] not in WAY}
