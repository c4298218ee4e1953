"""Options of a `[[devices]]` table, read and refused in one sentence each."""

import re
from collections.abc import Collection, Mapping
from ipaddress import ip_address

from tipstaff.enforcement.protocol import BadOption


class Options:
    """The options of one device; it raises BadOption for an unknown one and for one of the wrong kind."""

    def __init__(
        self,
        device: str,
        driver: str,
        given: Mapping[str, object],
        *,
        texts: Collection[str] = (),
        lists: Collection[str] = (),
        numbers: Collection[str] = (),
        flags: Collection[str] = (),
        required: Collection[str] = (),
    ) -> None:
        self.device = device
        self.driver = driver
        self._given = given
        known = {*texts, *lists, *numbers, *flags}
        for name, value in given.items():
            where = f"device {device}: {name}"
            if name not in known:
                names = ", ".join(sorted(known))
                raise BadOption(f"{where} is not an option of the {driver} driver; known are {names}.")
            if name in texts and not (isinstance(value, str) and value):
                raise BadOption(f"{where} is {value!r}, but it takes a text in quotes.")
            if name in lists and not (isinstance(value, list | tuple) and all(isinstance(x, str) for x in value)):
                raise BadOption(f'{where} is {value!r}, but it takes a list of texts, for example ["ip", "netns"].')
            if name in numbers and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise BadOption(f"{where} is {value!r}, but it takes a whole number from 1 up.")
            if name in flags and not isinstance(value, bool):
                raise BadOption(f"{where} is {value!r}, but it takes true or false.")
        for name in required:
            if name not in given:
                raise BadOption(f"device {device}: the {driver} driver takes {name}, which is missing.")

    def text(self, name: str, usual: str = "") -> str:
        return str(self._given.get(name, usual))

    def choice(self, name: str, *among: str) -> str:
        """One of these words; the first is the usual one."""
        value = self.text(name, among[0])
        if value not in among:
            words = " or ".join(f'"{x}"' for x in among)
            raise BadOption(f"device {self.device}: {name} is {value!r}, but it takes {words}.")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._given.get(name)
        return tuple(str(x) for x in value) if isinstance(value, list | tuple) else ()

    def number(self, name: str, usual: int) -> int:
        value = self._given.get(name)
        return value if isinstance(value, int) else usual

    def flag(self, name: str) -> bool:
        return self._given.get(name) is True

    def symbol(self, name: str, usual: str) -> str:
        """A name as the speakers' languages allow it."""
        return self.checked_symbol(name, self.text(name, usual))

    def checked_symbol(self, name: str, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise BadOption(f"device {self.device}: {name} is {value!r}, but it takes letters, digits and underscores.")
        return value

    def address(self, name: str, *, version: int) -> str:
        """An IP address of this version, or nothing."""
        value = self.text(name)
        try:
            if value and ip_address(value).version != version:
                raise ValueError
        except ValueError:
            problem = f"device {self.device}: {name} is {value!r}, but it takes an IPv{version} address."
            raise BadOption(problem) from None
        return value
