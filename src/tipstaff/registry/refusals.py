"""What the registry refuses, and the sentence that it says."""

from collections.abc import Sequence

from tipstaff.words import Holding

from .rows import in_words


class HeldTwice(Exception):
    """The same addresses and ports would be held twice at once; end the first holding before the second begins."""

    def __init__(self, overlaps: Sequence[tuple[Holding, Holding]]) -> None:
        self.overlaps = tuple(overlaps)
        """(the row that was refused, the row that it overlaps), the first few."""
        super().__init__("; ".join(f"{in_words(new)} overlaps {in_words(old)}" for new, old in overlaps))

    def __str__(self) -> str:
        return super().__str__() or str(self.__doc__)


class HeldAtThisMomentByAnother(Exception):
    """Somebody else records a holding of the same addresses at this very moment; try again."""

    permanent = False

    def __str__(self) -> str:
        return super().__str__() or str(self.__doc__)


class UnknownKey(Exception):
    """The registry knows no such customer, service or holding."""


class ResellersInACircle(Exception):
    """An account can't stand above itself, by however many resellers between."""


class NotTheCustomersService(Exception):
    """A holding's or site's service must belong to the customer who holds it."""


class NotAHolding(Exception):
    """A holding needs a customer in the reseller and customer tiers and none in the operator's, and a time to begin."""


class SiteHeldTwice(Exception):
    """The same host name would be answered at the same address for two at once."""
