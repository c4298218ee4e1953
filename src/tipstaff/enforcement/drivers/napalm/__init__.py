"""A switch or router of Arista's (EOS) by NAPALM: access lists, changed as a whole and for a trial first.

NAPALM has drivers for other vendors too. Those by SSH cannot be told whose key to expect, and would hand a password to
anybody who answers; EOS is spoken to by HTTPS (eAPI), and only if its certificate is good.
"""

import contextlib
import importlib.util
import logging
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tipstaff.enforcement.access_lists import AccessLists, Entry, Held
from tipstaff.enforcement.alone import alone
from tipstaff.enforcement.drivers.napalm import eos
from tipstaff.enforcement.keeper import Keeper
from tipstaff.enforcement.options import LOOPBACK, Options
from tipstaff.enforcement.protocol import BadOption, DeviceRefused, DeviceUnreachable
from tipstaff.enforcement.secrets import Secret
from tipstaff.words import Rule

_KNOWN = (
    "host", "port", "transport", "ca_file", "username", "password_file", "password_command", "rest", "keeper_file",
    "confirm_seconds", "timeout_seconds",
)  # fmt: skip


def make(device: str, options: Mapping[str, object]) -> "NapalmDriver":
    """Make the driver that a `[[devices]]` table describes; nothing is reached yet, and no secret is read."""
    given = Options(device=device, driver="napalm", given=options)
    given.only(_KNOWN)
    if importlib.util.find_spec("napalm") is None:
        raise BadOption(f"device {device}: the napalm driver needs napalm: pip install 'tipstaff[napalm]'.")
    host, transport = given.needed("host"), given.choice("transport", "https", "http")
    if transport == "http" and host not in LOOPBACK:
        raise given.bad("transport", "is http, which is for this machine itself only.")
    given.needed("rest")
    more: dict[str, object] = {"transport": transport, "force_cfg_session_invalid": True}
    if port := given.number("port", 0, least=0):
        more["port"] = port
    if transport == "https":
        try:
            more["context"] = ssl.create_default_context(cafile=given.text("ca_file") or None)
        except (OSError, ssl.SSLError) as why:
            raise given.bad("ca_file", f"cannot be used ({why}).") from why
    return NapalmDriver(
        device,
        host=host,
        username=given.needed("username"),
        password=Secret.of(f"device {device}", options, stem="password"),
        more=more,
        accept_rest=given.choice("rest", "accept", "none") == "accept",
        keeper=Keeper(device, file=given.path("keeper_file"), module=__name__, options=options),
        confirm_seconds=given.number("confirm_seconds", 60),
        timeout_seconds=given.number("timeout_seconds", 30),
    )


class NapalmDriver(AccessLists):
    """One device. What stands in its configuration is all that is read, so that is all the proof there is."""

    def __init__(
        self, device: str, *, host: str, username: str, password: Secret, more: Mapping[str, object],
        accept_rest: bool, keeper: Keeper, confirm_seconds: int, timeout_seconds: int,
    ) -> None:  # fmt: skip
        super().__init__(device, keeper=keeper)
        self._host, self._username, self._password, self._more = host, username, password, more
        self._accept_rest = accept_rest
        self._confirm_seconds, self._timeout_seconds = confirm_seconds, timeout_seconds
        # A name that is always the same: what a predecessor left in it when it was killed is found and cleared away.
        self._change = f"tipstaff-{device}"

    @contextlib.contextmanager
    def _asking(self) -> Iterator[Any]:
        """A session, of one process at a time; what goes wrong with it comes out as one of ours."""
        napalm, exceptions = importlib.import_module("napalm"), importlib.import_module("napalm.base.exceptions")
        errors = importlib.import_module("pyeapi.eapilib")
        # It writes what it could not send, with all its words.
        logging.getLogger("pyeapi").setLevel(logging.CRITICAL)
        session = napalm.get_network_driver("eos")(
            self._host, self._username, self._password.read().decode(errors="replace"),
            timeout=self._timeout_seconds, optional_args=dict(self._more),
        )  # fmt: skip
        try:
            lock = self._keeper.file.with_name(f"{self._keeper.file.name}.lock")
            with alone(lock, device=self.device, seconds=self._timeout_seconds):
                session.open()
                try:
                    self._clear(session)
                    yield session
                finally:
                    session.config_session = None  # What is to be discarded was; nothing is left to be closed.
                    session.close()
        except exceptions.SessionLockedException as why:
            raise DeviceUnreachable(f"{self.device}: somebody else is changing it.") from why
        except (exceptions.MergeConfigException, errors.CommandError) as why:
            raise DeviceRefused(f"{self.device} refuses: {str(why).strip().rstrip('.')[:300]}.") from why
        except (exceptions.NapalmException, errors.ConnectionError, OSError, ValueError, KeyError) as why:
            raise DeviceUnreachable(f"{self.device} cannot be reached ({type(why).__name__}).") from why

    def _clear(self, session: Any) -> None:
        """Take back what somebody of ours left unfinished: nobody else is at it now."""
        session.config_session = self._change
        if session.has_pending_commit():
            session.rollback()  # Somebody else's is none of ours to take back, and an error.
            session.config_session = self._change
        with contextlib.suppress(importlib.import_module("pyeapi.eapilib").CommandError):
            session.discard_config()  # There is none, as a rule.
        session.config_session = self._change

    @contextlib.contextmanager
    def _locked(self, session: Any) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with contextlib.suppress(Exception):
                session.config_session = self._change
                session.discard_config()
            raise

    def _read(self, session: Any) -> Held:
        return eos.read(session.get_config(retrieve="running")["running"])

    def _entries_of(self, rule: Rule) -> list[Entry]:
        return eos.entries_of(rule)

    def _try(self, session: Any, generation: int, entries: Sequence[Entry], held: Held) -> None:
        session.load_merge_candidate(config=eos.config(generation, entries, held, accept_rest=self._accept_rest))
        session.commit_config(revert_in=self._confirm_seconds)

    def _settle(self, session: Any, *, good: bool) -> None:
        if good:
            session.confirm_commit()
        else:
            session.rollback()
