"""What logs must not say: a link's token is its key."""

import logging
import re

_TOKEN = re.compile(r"/(p|r|first)/[^\s/?'\"]+")


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
