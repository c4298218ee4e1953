"""The shipped weights and the arithmetic on them: sums of weights by feature number, and small decision trees."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from .words import number

FILE = "weights.json"

Tree = tuple[tuple[int, ...], tuple[float, ...], tuple[int, ...], tuple[int, ...], tuple[float, ...]]
"""Feature, threshold, left and right of each node, and the leaves' values; a negative child -k-1 is leaf k."""
_Node = tuple[int, float, Any, Any]
"""Feature, threshold, and what is left and right of a node: another node, or a leaf's value."""


_Weight = TypeVar("_Weight")
_MOST_NAMES = 65_536


class _ByName(dict[str, _Weight]):
    """Weights by the names of features that were met, so that a name's number is made once."""

    def __init__(self, weights: Mapping[int, _Weight], unknown: _Weight) -> None:
        super().__init__()
        self._weights, self._unknown = weights, unknown

    def __missing__(self, name: str) -> _Weight:
        if len(self) >= _MOST_NAMES:
            self.clear()
        found = self[name] = self._weights.get(number(name), self._unknown)
        return found


@dataclass(frozen=True, slots=True)
class Linear:
    """A bias and a weight for each known feature."""

    bias: float
    weights: Mapping[int, float]
    _by_name: "_ByName[float]" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", _ByName(self.weights, 0.0))

    def score(self, features: Iterable[tuple[str, float]]) -> float:
        """The sum over features with their strengths; what is not known counts nothing."""
        by_name = self._by_name
        total = self.bias
        for name, strength in features:
            total += by_name[name] * strength
        return total

    def reasons(self, features: Iterable[tuple[str, float]], *, most: int) -> list[tuple[str, float]]:
        """The features that spoke most for the score, the strongest first."""
        known = ((name, self.weights.get(number(name), 0.0) * strength) for name, strength in features)
        return sorted((x for x in known if x[1] > 0), key=lambda x: (-x[1], x[0]))[:most]


@dataclass(frozen=True, slots=True)
class Forest:
    """A sum of small trees, as odds."""

    trees: tuple[Tree, ...]
    roots: tuple[_Node, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "roots", tuple(_nested(x, 0) for x in self.trees))

    def probability(self, row: Sequence[float]) -> float:
        """How likely a row of features is a yes, 0 to 1."""
        total = 0.0
        for root in self.roots:
            feature, threshold, left, right = root
            node = left if row[feature] <= threshold else right
            while node.__class__ is tuple:
                feature, threshold, left, right = node
                node = left if row[feature] <= threshold else right
            total += node
        return sigmoid(total)


def _nested(tree: Tree, node: int) -> Any:
    """A tree from a node on, each node with its children in it; a leaf is its value."""
    if node < 0:
        return tree[4][-node - 1]
    return tree[0][node], tree[1][node], _nested(tree, tree[2][node]), _nested(tree, tree[3][node])


@dataclass(frozen=True, slots=True)
class Classes:
    """For each class a bias, and for each known feature what it adds to some of the classes."""

    names: tuple[str, ...]
    biases: tuple[float, ...]
    weights: Mapping[int, tuple[tuple[int, float], ...]]
    _by_name: "_ByName[tuple[tuple[int, float], ...]]" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", _ByName(self.weights, ()))

    def probabilities(self, features: Sequence[tuple[str, float]], *, length: float) -> list[float]:
        """How likely each class is; features are scaled to one common `length` so that long mails count no more."""
        by_name = self._by_name
        known = [(pairs, strength) for name, strength in features if (pairs := by_name[name])]
        squares = sum(strength * strength for _, strength in known)
        scale = length / math.sqrt(squares) if squares else 0.0
        sums = list(self.biases)
        for pairs, strength in known:
            scaled = scale * strength
            for place, weight in pairs:
                sums[place] += weight * scaled
        highest = max(sums)
        powers = [math.exp(x - highest) for x in sums]
        whole = sum(powers)
        return [x / whole for x in powers]


@dataclass(frozen=True, slots=True)
class Weights:
    """All that was learned."""

    address: Linear
    address_rivals: Forest
    host: Linear
    host_rivals: Forest
    kinds: Classes
    sure_address: Linear
    sure_host: Linear
    sure_kind: Linear
    sure_from: float
    """The confidence from which a reading needs no person."""
    reporters_min: int
    """No word is in it that fewer reporters wrote."""


def sigmoid(x: float) -> float:
    """A sum of evidence as a probability."""
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, x))))


@cache
def load_weights() -> Weights:
    """The weights that ship with this package."""
    return weights_from(json.loads(files(__package__).joinpath(FILE).read_text(encoding="utf-8")))


def weights_from(stored: Mapping[str, Any]) -> Weights:
    """Weights out of their stored form."""
    kinds = stored["kinds"]
    return Weights(
        address=_linear(stored["address"]),
        address_rivals=_forest(stored["address_rivals"]),
        host=_linear(stored["host"]),
        host_rivals=_forest(stored["host_rivals"]),
        kinds=Classes(
            tuple(kinds["names"]),
            tuple(kinds["biases"]),
            {int(x): tuple((int(k), w) for k, w in pairs) for x, pairs in kinds["weights"].items()},
        ),
        sure_address=_linear(stored["sure_address"]),
        sure_host=_linear(stored["sure_host"]),
        sure_kind=_linear(stored["sure_kind"]),
        sure_from=stored["sure_from"],
        reporters_min=stored["reporters_min"],
    )


def _linear(stored: Mapping[str, Any]) -> Linear:
    return Linear(stored["bias"], {int(x): w for x, w in stored["weights"].items()})


def _forest(stored: Sequence[Sequence[Any]]) -> Forest:
    return Forest(tuple(tuple(tuple(part) for part in tree) for tree in stored))  # type: ignore[misc]
