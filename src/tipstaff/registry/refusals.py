"""What the registry refuses, and the sentence that it says."""

from collections.abc import Sequence

from tipstaff.words import Holding

from .rows import in_words


class HeldTwice(Exception):
    """The same addresses and ports would be held twice at once; end the first holding before the second begins."""

    def __init__(self, overlaps: Sequence[tuple[Holding, Holding]], *, said: str = "") -> None:
        self.overlaps = tuple(overlaps)
        """(the row that was refused, the row that it overlaps), the first few."""
        # Whatever was in the way may be gone when it is looked for; then PostgreSQL's own words say what it was.
        super().__init__("; ".join(f"{in_words(new)} overlaps {in_words(old)}" for new, old in overlaps) or said)

    def __str__(self) -> str:
        return super().__str__() or str(self.__doc__)


class HeldAtThisMomentByAnother(Exception):
    """Somebody else records a holding of the same addresses at this very moment; try again."""

    permanent = False

    def __str__(self) -> str:
        return super().__str__() or str(self.__doc__)


class NotWhatWasShown(Exception):
    """A person accepted what a preview had shown, and by now it would be something else; look at it again."""


class UnknownKey(Exception):
    """The registry knows no such customer, service or holding."""


class ResellersInACircle(Exception):
    """An account can't stand above itself, by however many resellers between."""


class NotTheCustomersService(Exception):
    """A holding's or site's service must belong to the customer who holds it."""


class NotTheCustomersUser(Exception):
    """A user's key is in use at another customer: a person does not move one by writing its key."""


class NotAHolding(Exception):
    """A holding needs a customer in the reseller and customer tiers and none in the operator's, and a time to begin."""


class SiteHeldTwice(Exception):
    """The same host name would be answered at the same address for two at once."""


class NoSuchChange(Exception):
    """The registry knows no such change."""


class AlreadyUndone(Exception):
    """The change was undone before."""


class ChangedSince(Exception):
    """What the change wrote was changed again since; undo the later change first."""


class UndoingRefused(Exception):
    """What the change had ended can't come back: another holds it by now, or something refers to what it added."""


class NotAResource(Exception):
    """A resource's name is not in the form of its kind."""


class ResourceHeldTwice(Exception):
    """The same resource would be held by two at once; end the first holding before the second begins."""


class TransferNeedsALetter(Exception):
    """Addresses are the operator's: they move from one customer to another only by a letter of authority."""


class NotALetter(Exception):
    """A letter of authority names an issuer, at least one prefix, and from when it is valid."""


class NotAContact(Exception):
    """A contact needs a mail address, and a chain of contacts has no gap and no contact twice."""


class NotYetSo(Exception):
    """A contract is said to have ended, rested or begun when it has: not before."""


class NoSuchAdmission(Exception):
    """There is no such admission, or it was decided already."""


class DecisionNeedsAReason(Exception):
    """An admission is decided by a person, with the reason in words."""
