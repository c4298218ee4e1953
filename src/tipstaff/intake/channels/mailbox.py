"""Fetches mail from a Maildir, an mbox or an IMAP folder; a mail leaves its place only once `accept` has it on "
"record."""

import contextlib
import fcntl
import imaplib
import logging
import mmap
import os
import re
import select
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from tipstaff.words import Channel

from .protocol import Accept, Refused

log = logging.getLogger(__name__)

IDLE_SECONDS = 29 * 60.0
"""A client must end IDLE within half an hour (RFC 2177)."""
_ANSWER_SECONDS = 60.0
_LOOK_SECONDS = 1.0
"""Between two looks at a folder of files, which cannot tell of new mail."""
_DEEPEST = 1000
imaplib._MAXLINE = 16 * 1024 * 1024  # type: ignore[attr-defined]  # private; a folder of 150,000 mails is one line of SEARCH


class MailboxTrouble(OSError):
    """The mailbox cannot be read; the message says what to do. It is looked into again later."""

    permanent = False


class Mailbox(Protocol):
    """A place that mail is fetched from."""

    name: str

    def take(self, accept: Accept, state: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Hand each new mail to `accept`; after each, what has been seen by now. Raises MailboxTrouble, TryAgain."""
        ...

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Return when there may be new mail, after `seconds` at the latest, or soon after `stop` is set."""
        ...


class Maildir:
    """A Maildir: mails are taken from `new` and moved to `cur` as seen. What came twice is known to be the same."""

    def __init__(self, name: str, folder: Path, *, largest_octets: int) -> None:
        self.name = name
        self._new, self._cur = folder / "new", folder / "cur"
        self._largest = largest_octets

    def take(self, accept: Accept, state: dict[str, Any]) -> Iterator[dict[str, Any]]:
        try:
            names = sorted(x.name for x in os.scandir(self._new) if x.is_file(follow_symlinks=False))
        except OSError as why:
            raise MailboxTrouble(f"{self._new}: {why.strerror}; a Maildir has the folders new, cur and tmp.") from why
        for name in names:
            path = self._new / name
            try:
                if path.stat().st_size > self._largest:
                    log.warning("%s holds a mail larger than [mail_in] max_mib; it stays there.", path)
                    continue
                raw = path.read_bytes()
            except FileNotFoundError:
                continue  # Another reader took it.
            _hand_over(raw, accept, Channel.FILE, place=str(path))
            # After the record, not before: what is interrupted here is taken again and found to be there.
            os.replace(path, self._cur / (name if ":2," in name else f"{name}:2,S"))
            yield state

    def wait(self, seconds: float, stop: threading.Event) -> None:
        _pause(seconds, stop, until=lambda: any(os.scandir(self._new)) if self._new.is_dir() else False)


class Mbox:
    """An mbox file: it is put aside in one step, so that its writer begins a new one, and then taken mail by mail."""

    def __init__(self, name: str, path: Path, *, largest_octets: int) -> None:
        self.name = name
        self._path, self._aside = path, path.with_name(f"{path.name}.taken")
        self._largest = largest_octets

    def take(self, accept: Accept, state: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if not self._aside.exists() and not self._put_aside():
            return
        with open(self._aside, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                self._aside.unlink()
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
                if whole[:5] != b"From ":
                    raise MailboxTrouble(f"{self._aside} does not begin with `From `; it is no mbox. Move it away.")
                done = int(state.get("offset", 0)) if state.get("file") == self._mark(file.fileno()) else 0
                for start, end in _pieces(whole, done):
                    body = whole.find(b"\n", start, end) + 1
                    if end - body > self._largest:
                        log.warning("%s holds a mail larger than [mail_in] max_mib; it is left out.", self._aside)
                        self._keep(whole[start:end])
                    else:
                        _hand_over(_unquoted(whole[body:end]), accept, Channel.FILE, place=str(self._aside))
                    yield {"file": self._mark(file.fileno()), "offset": end}
                taken = len(whole)
            with open(self._aside, "r+b") as last:
                # A writer that had the file open before it was put aside may have added to it: that comes next time.
                fcntl.lockf(last, fcntl.LOCK_EX)
                if os.fstat(last.fileno()).st_size > taken:
                    return
                self._aside.unlink()
        yield {}

    def _put_aside(self) -> bool:
        try:
            with open(self._path, "r+b") as file:
                fcntl.lockf(file, fcntl.LOCK_EX)
                with _dotlock(self._path):
                    if os.fstat(file.fileno()).st_size == 0:
                        return False
                    os.rename(self._path, self._aside)
                    return True
        except FileNotFoundError:
            return False
        except OSError as why:
            raise MailboxTrouble(f"{self._path}: {why.strerror or why}.") from why

    @staticmethod
    def _mark(number: int) -> str:
        status = os.fstat(number)
        return f"{status.st_ino}-{status.st_dev}"

    def _keep(self, octets: bytes) -> None:
        with open(self._path.with_name(f"{self._path.name}.too-large"), "ab") as file:
            file.write(octets)

    def wait(self, seconds: float, stop: threading.Event) -> None:
        _pause(seconds, stop, until=lambda: self._path.exists() and self._path.stat().st_size > 0)


_NEXT_MAIL = re.compile(rb"\n\r?\nFrom ")


def _pieces(whole: mmap.mmap, start: int) -> Iterator[tuple[int, int]]:
    """From each line that begins with `From ` after an empty line to the next, however its lines end."""
    while start < len(whole):
        found = _NEXT_MAIL.search(whole, start)
        end = len(whole) if found is None else found.end() - len(b"From ")
        yield start, end
        start = end


def _unquoted(raw: bytes) -> bytes:
    return re.sub(rb"^>(>*From )", rb"\1", raw, flags=re.MULTILINE)


@contextlib.contextmanager
def _dotlock(path: Path) -> Iterator[None]:
    lock = path.with_name(f"{path.name}.lock")
    try:
        number = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError as why:
        raise OSError(11, f"{lock} exists: another program writes there") from why
    os.close(number)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


class Imap:
    """A folder at an IMAP server. What was taken is remembered by UID, so nobody's flags decide; it is marked "
    "as seen."""

    def __init__(
        self,
        name: str,
        *,
        host: str,
        port: int,
        tls: str,
        username: str,
        password: str,
        folder: str,
        largest_octets: int,
    ) -> None:
        self.name = name
        self._host, self._port, self._tls = host, port, tls
        self._username, self._password, self._folder = username, password, folder
        self._largest = largest_octets
        self._link: imaplib.IMAP4 | None = None
        self._last = 0
        """The highest UID that was looked at."""

    def take(self, accept: Accept, state: dict[str, Any]) -> Iterator[dict[str, Any]]:
        try:
            link = self._connected()
            validity = self._selected(link)
            last = int(state.get("uid", 0)) if state.get("validity") == validity else 0
            self._last = last
            for uid in self._uids_after(link, last):
                self._last = uid
                size = self._size(link, uid)
                if size is None:
                    continue  # Gone since.
                if size > self._largest:
                    log.warning("%s: mail %d is larger than [mail_in] max_mib; it stays there.", self.name, uid)
                else:
                    raw = self._body(link, uid)
                    _hand_over(raw, accept, Channel.IMAP, place=f"{self.name} {uid}")
                    link.uid("STORE", str(uid), "+FLAGS.SILENT", "(\\Seen)")
                yield {"validity": validity, "uid": uid}
        except (imaplib.IMAP4.error, ssl.SSLError, OSError, EOFError) as why:
            self.close()
            if isinstance(why, MailboxTrouble):
                raise
            raise MailboxTrouble(f"{self.name} at {self._host}: {_plain(why)}") from why

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """By IDLE (RFC 2177) where the server can; else by waiting."""
        link = self._link
        if link is None or "IDLE" not in link.capabilities:
            _pause(seconds, stop, until=lambda: False)
            return
        try:
            # IDLE tells of what the server has not told yet (RFC 2177), and it may have told with any answer since the
            # last search. What comes after this one is told with its answer, or while IDLE runs.
            _, known = link.response("EXISTS")
            link.response("EXPUNGE")
            if self._uids_after(link, self._last):
                return
            told = link.untagged_responses
            if "EXPUNGE" in told or ("EXISTS" in told and told["EXISTS"][-1:] != known[-1:]):
                return
            taken = self._idle(link, min(IDLE_SECONDS, max(seconds, 1.0)) if seconds < 5 else IDLE_SECONDS, stop)
            if not taken:
                _pause(seconds, stop, until=lambda: False)
        except (imaplib.IMAP4.error, OSError, EOFError):
            self.close()

    def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            with contextlib.suppress(imaplib.IMAP4.error, OSError, EOFError):
                link.shutdown()

    def _connected(self) -> imaplib.IMAP4:
        if self._link is not None:
            return self._link
        if self._tls == "none" and self._host not in ("127.0.0.1", "::1", "localhost"):
            raise MailboxTrouble(f"{self.name}: without TLS the password would be readable on its way to {self._host}.")
        context = ssl.create_default_context()
        if self._tls == "tls":
            link: imaplib.IMAP4 = imaplib.IMAP4_SSL(
                self._host, self._port, ssl_context=context, timeout=_ANSWER_SECONDS
            )
        else:
            link = imaplib.IMAP4(self._host, self._port, timeout=_ANSWER_SECONDS)
            if self._tls == "starttls":
                link.starttls(ssl_context=context)
        try:
            link.login(self._username, self._password)
        except imaplib.IMAP4.error as why:
            link.shutdown()
            raise MailboxTrouble(f"{self.name}: {self._host} refuses the log-in of {self._username}.") from why
        self._link = link
        return link

    def _selected(self, link: imaplib.IMAP4) -> str:
        done, said = link.select(f'"{self._folder}"')
        if done != "OK":
            why = _plain(Exception((said or [b""])[0]))
            raise MailboxTrouble(f"{self.name}: the folder {self._folder} cannot be opened: {why}.")
        return str((link.response("UIDVALIDITY")[1] or [b"0"])[-1] or b"0")

    def _uids_after(self, link: imaplib.IMAP4, last: int) -> list[int]:
        done, said = link.uid("SEARCH", "UID", f"{last + 1}:*")
        if done != "OK":
            raise MailboxTrouble(f"{self.name}: the server does not search.")
        numbers = [int(x) for part in said if isinstance(part, bytes) for x in part.split() if x.isdigit()]
        # `n:*` names the last mail also where its number is below n (RFC 9051, 9).
        return sorted(x for x in numbers if x > last)

    def _size(self, link: imaplib.IMAP4, uid: int) -> int | None:
        _done, said = link.uid("FETCH", str(uid), "(RFC822.SIZE)")
        found = re.search(rb"RFC822\.SIZE (\d+)", b" ".join(x for x in said if isinstance(x, bytes)))
        return int(found[1]) if found else None

    def _body(self, link: imaplib.IMAP4, uid: int) -> bytes:
        _done, said = link.uid("FETCH", str(uid), "(BODY.PEEK[])")
        for part in said:
            if isinstance(part, tuple):
                return bytes(part[1])
        raise MailboxTrouble(f"{self.name}: the server gave no text of mail {uid}.")

    def _idle(self, link: imaplib.IMAP4, seconds: float, stop: threading.Event) -> bool:
        """Wait for news; False if the server does not take IDLE now."""
        tag = link._new_tag()  # The library itself has no IDLE before Python 3.14.
        link.send(tag + b" IDLE\r\n")
        news = False
        while not (line := _line(link)).startswith(b"+"):
            if line.startswith(tag):
                return False
            news = news or b"EXISTS" in line
        until = time.monotonic() + seconds
        while not news and time.monotonic() < until and not stop.is_set():
            if _lies_unread(link) or select.select([link.sock], [], [], 0.5)[0]:
                news = b"EXISTS" in _line(link)
        link.send(b"DONE\r\n")
        for _ in range(_DEEPEST):
            if _line(link).startswith(tag):
                break
        return True


def _line(link: imaplib.IMAP4) -> bytes:
    line = link.readline()
    if not line:
        raise EOFError("the server hung up")
    return line


def _lies_unread(link: imaplib.IMAP4) -> bool:
    """Whether more was read than the last line: the socket itself, asked by select(2), does not know of that."""
    file: Any = link.file
    link.sock.settimeout(0)
    try:
        return bool(file.peek(1))
    except ssl.SSLWantReadError:
        return False
    finally:
        link.sock.settimeout(_ANSWER_SECONDS)


def _hand_over(raw: bytes, accept: Accept, channel: Channel, *, place: str) -> None:
    try:
        accept(raw, "", (), channel)
    except Refused as why:
        # For good: coming again would not help, and nobody waits for an answer here.
        log.warning("%s is not taken: %s", place, why)


def _pause(seconds: float, stop: threading.Event, *, until: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not until() and (left := end - time.monotonic()) > 0 and not stop.wait(min(_LOOK_SECONDS, left)):
        pass


def _plain(why: BaseException) -> str:
    return re.sub(r"[^\x20-\x7e]+", " ", str(why))[:200] or type(why).__name__
