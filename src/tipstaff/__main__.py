"""`python -m tipstaff`, and the command `tipstaff`."""

import os
import signal


def main() -> None:
    """Run the command line. Ctrl-C while it is still being loaded ends it without a word, as 128 + SIGINT."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))
    from tipstaff.cli import main as run

    signal.signal(signal.SIGINT, usual)
    run()


if __name__ == "__main__":
    main()
