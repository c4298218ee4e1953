"""What logs must not say: a link's token is its key, and what a mail says is no business of a log."""

import logging
import re

from tipstaff.host.faults import traced
from tipstaff.procedures.links import Link

_FIRST = "first"
"""A first log-in's: its token is drawn by chance, not signed."""
_PATHS = "|".join(map(re.escape, (*(kind.path for kind in Link), _FIRST)))
_TOKEN = re.compile(rf"/({_PATHS})/[^\s/?'\"]+")


def without_tokens(text: str) -> str:
    """The text with every link's token left out."""
    return _TOKEN.sub(r"/\1/…", text)


class HideLinks(logging.Filter):
    """Takes the tokens of portal, report and first log-in links out of whatever is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        hidden = without_tokens(said)
        if hidden != said:
            record.msg, record.args = hidden, ()
        return True


class HideMessages(logging.Filter):
    """Of an error, kinds and places are logged. Its message stays out: it may repeat what a mail or an address says."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = traced(record.exc_info[1])  # Taken by every formatter in place of its own.
        return True
