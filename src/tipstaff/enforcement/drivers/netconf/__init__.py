"""A router or switch by NETCONF (RFC 6241 over SSH, RFC 6242): access control lists of RFC 8519, changed as a whole.

Each change goes into the candidate under a lock, is committed for a trial (confirmed commit), read back, and only then
confirmed. If we die in between, or cannot reach the device any more, it takes the change back by itself.
"""

import contextlib
import importlib.util
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tipstaff.enforcement.access_lists import AccessLists, Entry, Held
from tipstaff.enforcement.drivers.netconf import acl
from tipstaff.enforcement.keeper import Keeper
from tipstaff.enforcement.options import Listener, Options
from tipstaff.enforcement.protocol import BadOption, DeviceRefused, DeviceUnreachable
from tipstaff.enforcement.secrets import Secret
from tipstaff.words import Proof, Rule

_KNOWN = (
    "address", "username", "password_file", "password_command", "key_file", "host_key", "rest", "statistics",
    "keeper_file", "confirm_seconds", "timeout_seconds",
)  # fmt: skip

_LISTENS_SECONDS = 0.02


def make(device: str, options: Mapping[str, object]) -> "NetconfDriver":
    """Make the driver that a `[[devices]]` table describes; nothing is reached yet, and no secret is read."""
    given = Options(device=device, driver="netconf", given=options)
    given.only(_KNOWN)
    if importlib.util.find_spec("ncclient") is None:
        raise BadOption(f"device {device}: the netconf driver needs ncclient: pip install 'tipstaff[netconf]'.")
    at = given.listener("address")
    if at is None:
        raise given.bad("address", "is missing: the device's address and port, for example 192.0.2.1:830.")
    key = given.path("key_file") if given.text("key_file") else None
    by_password = bool(options.get("password_file") or options.get("password_command"))
    if by_password is (key is not None):
        raise given.bad("key_file", "or a password says how to log in: set one of them.")
    given.needed("rest")
    return NetconfDriver(
        device,
        at=at,
        username=given.needed("username"),
        password=Secret.of(f"device {device}", options, stem="password") if by_password else None,
        key=key,
        host_key=given.needed("host_key"),
        accept_rest=given.choice("rest", "accept", "none") == "accept",
        statistics=given.flag("statistics"),
        keeper=Keeper(device, file=given.path("keeper_file"), module=__name__, options=options),
        confirm_seconds=given.number("confirm_seconds", 60),
        timeout_seconds=given.number("timeout_seconds", 30),
    )


class NetconfDriver(AccessLists):
    """One device, and three lists of our own on it."""

    def __init__(
        self, device: str, *, at: Listener, username: str, password: Secret | None, key: Path | None, host_key: str,
        accept_rest: bool, statistics: bool, keeper: Keeper, confirm_seconds: int, timeout_seconds: int,
    ) -> None:  # fmt: skip
        super().__init__(device, keeper=keeper)
        # What stands in a configuration need not be where packets pass; only its counters say so.
        self.max_proof = Proof.STATE if statistics else Proof.CONFIG
        self._at, self._username, self._password, self._key, self._host_key = at, username, password, key, host_key
        self._accept_rest, self._statistics = accept_rest, statistics
        self._confirm_seconds, self._timeout_seconds = confirm_seconds, timeout_seconds
        self._session: Any = None

    # What goes over the wire.

    def _read(self, session: Any) -> Held:
        return acl.read(session.get_config(source="running", filter=("subtree", acl.only_ours())).data_ele)

    def _idle(self, session: Any, held: Held) -> frozenset[str]:
        if not self._statistics or not held.entries:
            return frozenset()
        wanted = f'<acls xmlns="{acl.NS}"><attachment-points/></acls>'
        counted = acl.counted(session.get(filter=("subtree", wanted)).data_ele)
        return frozenset(e.name for e in held.entries) - counted

    def _entries_of(self, rule: Rule) -> list[Entry]:
        return acl.entries_of(rule)

    def _try(self, session: Any, generation: int, entries: Sequence[Entry], held: Held) -> None:
        text = acl.config(generation, entries, held, accept_rest=self._accept_rest)
        session.edit_config(target="candidate", config=text, default_operation="merge")
        session.commit(confirmed=True, timeout=str(self._confirm_seconds))

    def _settle(self, session: Any, *, good: bool) -> None:
        if good:
            session.commit()
        else:
            session.cancel_commit()

    @contextlib.contextmanager
    def _locked(self, session: Any) -> Iterator[None]:
        """The candidate is ours alone; what is left in it when something fails is discarded."""
        with session.locked("candidate"):
            try:
                yield
            except BaseException:
                with contextlib.suppress(Exception):
                    session.discard_changes()
                raise

    @contextlib.contextmanager
    def _asking(self) -> Iterator[Any]:
        """A session; what goes wrong with it comes out as one of ours, and it is not used again."""
        from ncclient.operations import RPCError
        from ncclient.operations.errors import OperationError
        from ncclient.transport.errors import TransportError

        try:
            yield self._connected()
        except RPCError as why:
            said = str(why.message or why.tag).strip().rstrip(".")
            if why.tag in ("lock-denied", "in-use"):
                raise DeviceUnreachable(f"{self.device}: somebody else is changing it ({said}).") from why
            raise DeviceRefused(f"{self.device}: {said}.") from why
        except (OperationError, TransportError, OSError, EOFError) as why:
            self.close()
            raise DeviceUnreachable(f"{self.device} cannot be reached ({type(why).__name__}).") from why

    def _connected(self) -> Any:
        """The session that stands, or a new one. A device may have hung up meanwhile."""
        from ncclient import manager
        from ncclient.transport import session as ssh

        # It looks for something to send between two listenings of this length; by itself, ten times a second.
        ssh.TICK = _LISTENS_SECONDS
        # It writes every word that goes either way.
        logging.getLogger("ncclient").setLevel(logging.WARNING)
        if self._session is not None and self._session.connected:
            return self._session
        host, port = self._at
        login = {"password": self._password.read().decode()} if self._password else {"key_filename": str(self._key)}
        self._session = manager.connect_ssh(
            host=host, port=port, username=self._username, hostkey_verify=True, hostkey_b64=self._host_key,
            allow_agent=False, look_for_keys=False, timeout=self._timeout_seconds, **login,
        )  # fmt: skip
        self._session.timeout = self._timeout_seconds
        return self._session

    def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            with contextlib.suppress(Exception):
                self._session.close_session()
            self._session = None
