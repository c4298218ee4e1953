"""An edition, or some clauses of one, that is asked beside the one in force and decides nothing. Pure."""

from dataclasses import dataclass, field, replace

from .clauses import Edition
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
        """Under which the record keeps what it would have decided."""
        return f"shadow:{self.edition.id}"

    def beside(self, in_force: Edition) -> Edition:
        """The edition to ask where `in_force` was applied, as if it had been in force as long."""
        known = self._beside.get(in_force.id)
        if known is None:
            known = self._beside[in_force.id] = self._made(in_force)
        return known

    def _made(self, in_force: Edition) -> Edition:
        if not self.clauses:
            return as_if_always(self.edition)
        instead = {id: self.edition.clause(id) for id in self.clauses}
        kept = tuple(instead.pop(clause.id, clause) for clause in in_force.clauses)
        return replace(in_force, id=self.edition.id, clauses=(*kept, *instead.values()))
