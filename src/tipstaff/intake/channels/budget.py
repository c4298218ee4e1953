"""How many octets of mail may be in memory at once, over all connections."""

import threading


class Budget:
    """A number of octets that many threads share."""

    def __init__(self, octets: int) -> None:
        self._free = octets
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """Octets that nobody has taken."""
        return self._free

    def take(self, octets: int) -> bool:
        """Take them all, or none and return False."""
        with self._lock:
            if octets > self._free:
                return False
            self._free -= octets
            return True

    def give_back(self, octets: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self._free += octets


class Share:
    """What one mail has taken of a budget; given back once, whoever does it."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._held = 0

    def cover(self, octets: int, *, step: int = 1) -> bool:
        """Make the share at least this large, growing in whole steps; False leaves it as it was."""
        if octets <= self._held:
            return True
        wanted = -(-octets // step) * step
        if not self._budget.take(wanted - self._held):
            return False
        self._held = wanted
        return True

    def give_back(self) -> None:
        """Give all of it back."""
        held, self._held = self._held, 0
        self._budget.give_back(held)
