"""An edition, or some clauses of one, that is asked beside the one in force and decides nothing. Pure."""

from dataclasses import dataclass, field, replace

from .canonical import digest
from .clauses import Clause, Edition
from .replay import as_if_always


@dataclass(frozen=True, kw_only=True, eq=False)
class Shadow:
    """What runs in the shadow. Raise UnknownClause for a clause that its edition does not have."""

    edition: Edition
    clauses: tuple[str, ...] = ()
    """Only these clauses of it, beside all others of the edition in force; empty for the whole edition."""
    _beside: dict[str, Edition] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for clause in self.clauses:
            self.edition.clause(clause)

    @property
    def key(self) -> str:
        """Under which the record keeps what it would have decided; other words or clauses are something else."""
        words = self.edition.digest or self.edition.id
        return f"shadow:{digest([words, sorted(self.clauses)]) if self.clauses else words}"

    def beside(self, in_force: Edition) -> Edition:
        """The edition to ask where `in_force` was applied, as if it had been in force as long."""
        words = in_force.digest or in_force.id
        known = self._beside.get(words)
        if known is None:
            known = self._beside[words] = self._made(in_force)
        return known

    def _made(self, in_force: Edition) -> Edition:
        if not self.clauses:
            return as_if_always(self.edition)
        instead = {id: self.edition.clause(id) for id in self.clauses}
        types = frozenset(type for clause in instead.values() for type in clause.applies_to)
        findings = frozenset(kind for clause in instead.values() for kind in clause.findings)
        kept = tuple(
            instead.pop(clause.id) if clause.id in instead else self._without(clause, types=types, findings=findings)
            for clause in in_force.clauses
        )
        return replace(in_force, id=self.edition.id, clauses=(*kept, *instead.values()))

    def _without(self, clause: Clause, *, types: frozenset[str], findings: frozenset[str]) -> Clause:
        """A clause in force without what one in the shadow takes over from it: what it would lose in that edition."""
        there = self.edition.clause_named(clause.id)
        types -= frozenset(there.applies_to) if there is not None else frozenset()
        findings -= frozenset(there.findings) if there is not None else frozenset()
        if types.isdisjoint(clause.applies_to) and findings.isdisjoint(clause.findings):
            return clause
        return replace(
            clause,
            applies_to=tuple(type for type in clause.applies_to if type not in types),
            findings=tuple(kind for kind in clause.findings if kind not in findings),
        )
