"""Files that come with a form stay in memory: what the sieve has not looked at must not stand on a disk in clear."""

from typing import Any

from django.core.files.uploadhandler import MemoryFileUploadHandler

from .slashes import FORM_OCTETS_MAX


class InMemory(MemoryFileUploadHandler):
    """The only handler, whatever the size: Django's other one writes what is larger than 2.5 MB to a temporary file.

    No form is larger than `FORM_OCTETS_MAX`; one that is was refused before (`slashes`), and of it nothing is kept.
    """

    def handle_raw_input(self, *asked: Any, **named: Any) -> None:
        """Django's own compares with a setting for small files. `asked`: the input, META, its length, ..."""
        self.activated = asked[2] <= FORM_OCTETS_MAX
