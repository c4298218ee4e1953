"""Starts a desk's processes quickly: everything is imported once, and each process is a fork of that.

Each has its own number, session, connections and end, and runs the same command as `python -m tipstaff NAME`.
It reads names from its standard input and answers each with the number of the process.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    from tipstaff.cli.base import start_django

    start_django()
    from django.db import connections

    from tipstaff import wiring
    from tipstaff.cli.main import app
    from tipstaff.wiring import enforcer, jobs, processes  # noqa: F401 - imported for the forks to have

    wiring.make_keys()
    wiring.parsers()
    wiring.installed_editions()
    connections.close_all()  # No two processes may speak over one connection.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # The kernel reaps who was killed.
    own = os.getpid()
    print("ready", flush=True)
    for line in sys.stdin:
        name, log = line.rstrip("\n").split("\t")
        pid = os.fork()
        if pid:
            print(pid, flush=True)
            continue
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != own:
            os._exit(1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        os.environ["PGAPPNAME"] = name
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, out), (2, out)):
            os.dup2(source, target)
        app([name])
        os._exit(0)


if __name__ == "__main__":
    main()
