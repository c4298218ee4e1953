"""What other processes of this machine show to whoever may look at them."""

import contextlib
from pathlib import Path


def who_shows(secret: str) -> list[str]:
    """The processes, of whatever kind, whose arguments or environment have this text in them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        for what in ("cmdline", "environ"):
            with contextlib.suppress(OSError):  # It has ended meanwhile, or is not ours to look at.
                if secret.encode() in (folder / what).read_bytes():
                    found.append(f"{what} of {folder.name}: {(folder / 'cmdline').read_bytes()!r}")
    return found
