"""The shipped weights and the arithmetic on them: sums of weights by feature number, and small decision trees."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .words import number

FILE = "weights.json"

Tree = tuple[tuple[int, ...], tuple[float, ...], tuple[int, ...], tuple[int, ...], tuple[float, ...]]
"""Feature, threshold, left and right of each node, and the leaves' values; a negative child -k-1 is leaf k."""
_Nodes = tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.uint64], NDArray[np.intp], NDArray[np.float64]]
"""Of all nodes: feature, threshold, and the leaves that a no leaves; where each tree begins; the leaves by tree."""
_ALL = np.uint64(2**64 - 1)
_ONE = np.uint64(1)


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
        by_name = self._by_name
        known = ((name, by_name[name] * strength) for name, strength in features)
        return sorted((x for x in known if x[1] > 0), key=lambda x: (-x[1], x[0]))[:most]


MOST_LEAVES = 64
"""Leaves of one tree: as many as one word has bits."""


@dataclass(frozen=True, slots=True)
class Forest:
    """A sum of small trees, as odds.

    All nodes of all trees are asked at once (QuickScorer: Lucchese and others, SIGIR 2015): a node that says no rules
    out the leaves on its left, and of those that remain in a tree the leftmost counts.
    """

    trees: tuple[Tree, ...]
    _nodes: _Nodes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_nodes", _flattened(self.trees))

    def probabilities(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """How likely each row of features is a yes, 0 to 1."""
        if not rows:
            return []
        features, thresholds, ruled_out, starts, leaves = self._nodes
        asked = np.array(rows, np.float64)[:, features] <= thresholds
        left = np.bitwise_and.reduceat(np.where(asked, _ALL, ruled_out), starts, axis=1)
        # The lowest bit that is left, alone; as a power of two its exponent is the number of the leaf.
        place = np.frexp((left & (~left + _ONE)).astype(np.float64))[1] - 1
        sums = leaves[np.arange(len(starts)), place].sum(axis=1)
        return [sigmoid(float(x)) for x in sums]

    def probability(self, row: Sequence[float]) -> float:
        """How likely one row is a yes."""
        return self.probabilities([row])[0]


def _flattened(trees: Sequence[Tree]) -> _Nodes:
    features: list[int] = []
    thresholds: list[float] = []
    ruled_out: list[int] = []
    starts: list[int] = []
    leaves = np.zeros((len(trees), MOST_LEAVES))

    def walk(tree: int, node: int, first: int) -> int:
        """Note a node and all below it; `first` is its leftmost leaf's number. The number of its leaves comes back."""
        feature, threshold, left, right, values = trees[tree]
        if node < 0:
            leaves[tree, first] = values[-node - 1]
            return 1
        on_left = walk(tree, left[node], first)
        features.append(feature[node])
        thresholds.append(threshold[node])
        ruled_out.append(~(((1 << on_left) - 1) << first) & ((1 << MOST_LEAVES) - 1))
        return on_left + walk(tree, right[node], first + on_left)

    for tree in range(len(trees)):
        starts.append(len(features))
        walk(tree, 0, 0)
    return (
        np.array(features, np.intp),
        np.array(thresholds, np.float64),
        np.array(ruled_out, np.uint64),
        np.array(starts, np.intp),
        leaves,
    )


@dataclass(frozen=True, slots=True)
class Classes:
    """For each class a bias, and for each known feature what it adds to some of the classes."""

    names: tuple[str, ...]
    biases: tuple[float, ...]
    weights: Mapping[int, tuple[tuple[int, float], ...]]
    _rows: "_ByName[int]" = field(init=False, repr=False, compare=False)
    _matrix: NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        matrix = np.zeros((len(self.weights), len(self.names)))
        for row, pairs in enumerate(self.weights.values()):
            for place, weight in pairs:
                matrix[row, place] = weight
        object.__setattr__(self, "_matrix", matrix)
        object.__setattr__(self, "_rows", _ByName({x: row for row, x in enumerate(self.weights)}, -1))

    def probabilities(self, features: Sequence[tuple[str, float]], *, length: float) -> list[float]:
        """How likely each class is; features are scaled to one common `length` so that long mails count no more."""
        place_of = self._rows
        known = [(row, strength) for name, strength in features if (row := place_of[name]) >= 0]
        sums = np.array(self.biases)
        if known:
            rows, strengths = zip(*known, strict=True)
            found = np.array(strengths)
            sums += (length / math.sqrt(found @ found)) * (found @ self._matrix[list(rows)])
        powers = np.exp(sums - sums.max())
        return [float(x) for x in powers / powers.sum()]


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
