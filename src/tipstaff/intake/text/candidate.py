"""One thing that a mail names and that could be meant."""

from collections import Counter
from dataclasses import dataclass, field

from .sections import Line

_TARGET_CUES = frozenset({"label_victims", "victim_key", "victim_column", "arrow_target", "name_server"})
_SOURCE_CUES = frozenset(
    {"source_key", "source_column", "arrow_source", "zone_subject", "near_strong", "label_strong", "near_yours"}
)

Shape = tuple[object, ...]
"""How a line leads to what it names; the members of one list or column share it."""


@dataclass(slots=True)
class Candidate:
    """One address or host with all that was seen of it."""

    kind: str
    """`ip` or `host`."""
    value: str
    """An address as text, or a host name in its ASCII form."""
    first: int
    """Place among all candidates of its kind, from 0."""
    features: dict[str, float] = field(default_factory=dict)
    """Cues by name, each with its strength."""
    words: dict[str, None] = field(default_factory=dict)
    """The words around it, with where they stand."""
    lines: list[Line] = field(default_factory=list)
    urls: dict[str, None] = field(default_factory=dict)
    ports: Counter[int] = field(default_factory=Counter)
    shapes: set[Shape] = field(default_factory=set)
    network: str = ""
    """The network in whose place its first address stands; empty for a single address."""
    count: int = 0
    score: float = 0.0

    def see(self, feature: str, value: float = 1.0) -> None:
        """Note a cue; of several the strongest counts."""
        if value > self.features.get(feature, 0.0):
            self.features[feature] = value

    @property
    def is_target(self) -> bool:
        """Whether it is named as somebody's target and as nothing else."""
        return not _TARGET_CUES.isdisjoint(self.features) and _SOURCE_CUES.isdisjoint(self.features)
