"""Runs inside ExaBGP, as its `process`: announces what the book says, and answers the driver. Standard library only.

    process tipstaff { run /usr/bin/python3 /path/to/mouth.py /var/lib/tipstaff/edge1.book; encoder text; }

When ExaBGP starts, it starts this, and this announces the whole book: no enforcer is needed for that. Every answer of
ExaBGP is read, or its pipe fills up and it stops for good.
"""

import contextlib
import json
import os
import select
import socket
import sys

ANSWERS_WITHIN_SECONDS = 60.0


class Gone(Exception):
    """ExaBGP has closed its end."""


class ExaBgp:
    """The other end of our standard input and output."""

    def __init__(self) -> None:
        os.set_blocking(1, False)
        self._read = b""

    def tell(self, commands: list[str]) -> list[tuple[str, list[str]]]:
        """(`done` or `error`, lines before it) of each command, in their order."""
        unsent = "".join(f"{c}\n" for c in commands).encode()
        answers: list[tuple[str, list[str]]] = []
        lines: list[str] = []
        while len(answers) < len(commands):
            readable, writable, _ = select.select([0], [1] if unsent else [], [], ANSWERS_WITHIN_SECONDS)
            if not readable and not writable:
                raise Gone
            if writable:
                with contextlib.suppress(BlockingIOError):
                    unsent = unsent[os.write(1, unsent[:4096]) :]
            if readable:
                data = os.read(0, 65536)
                if not data:
                    raise Gone
                *whole, self._read = (self._read + data).split(b"\n")
                for line in whole:
                    text = line.decode(errors="replace").strip()
                    if text in ("done", "error"):
                        answers.append((text, lines))
                        lines = []
                    elif text:
                        lines.append(text)
        return answers


def main(book: str) -> None:
    """Announce, and listen at the socket beside the book until ExaBGP goes."""
    exabgp, told = ExaBgp(), set[str]()
    address = f"{book}.mouth"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as ear:
        ear.bind(address)
        os.chmod(address, 0o660)
        ear.listen(8)
        load(exabgp, told, book)
        while True:
            if 0 in select.select([0, ear.fileno()], [], [])[0] and not os.read(0, 65536):
                return
            ear.settimeout(0)
            with contextlib.suppress(OSError):
                caller = ear.accept()[0]
                with caller, caller.makefile("rw", encoding="utf-8") as line:
                    caller.settimeout(ANSWERS_WITHIN_SECONDS)
                    asked = line.readline().strip()
                    answer = load(exabgp, told, book) if asked == "load" else read(exabgp, told)
                    line.write(json.dumps(answer) + "\n")
                    line.flush()


def load(exabgp: ExaBgp, told: set[str], book: str) -> dict[str, object]:
    """Announce and withdraw the difference; what ExaBGP would not take."""
    try:
        with open(book, encoding="utf-8") as lines:
            wanted = {line.strip() for line in lines if line.startswith("announce ")}
    except FileNotFoundError:
        wanted = set()
    gone, come = sorted(told - wanted), sorted(wanted - told)
    commands = [f"withdraw {line.removeprefix('announce ')}" for line in gone] + come
    answers = exabgp.tell(commands)
    errors = [command for command, (how, _) in zip(commands, answers, strict=True) if how == "error"]
    told.difference_update(gone)
    told.update(line for line in come if line not in errors)
    return {"errors": errors}


def read(exabgp: ExaBgp, told: set[str]) -> dict[str, object]:
    """What was announced, what ExaBGP has for its peers, and whether these are there."""
    (_, rib), (_, peers) = exabgp.tell(["show adj-rib out extensive", "show neighbor summary"])
    return {"told": sorted(told), "rib": rib, "peers": peers}


if __name__ == "__main__":
    with contextlib.suppress(Gone, KeyboardInterrupt):
        main(sys.argv[1])
