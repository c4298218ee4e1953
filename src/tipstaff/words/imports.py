"""What an import would do, or did."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRow:
    """A row of a file that can't be taken in, and why, in one sentence."""

    line: int
    """Counted from 1, the header included, as an editor shows it."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Holdings of customers that are no part of the operator's own space: complaints about them name nobody."""

    count: int = 0
    first: str = ""
    """`203.0.113.7/32 of acct-1`."""

    def __bool__(self) -> bool:
        return self.count > 0

    def __str__(self) -> str:
        many = "1 holding lies" if self.count == 1 else f"{self.count} holdings lie"
        return (
            f"{many} outside the operator's own space ({self.first}{' and more' if self.count > 1 else ''}), so "
            "complaints about them are answered that it is not your network. Import your own space too, as rows of the "
            "tier operator in a file of holdings."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPreview:
    """What a file changes. Nothing at all is taken in while one of its rows is refused."""

    source: str
    """The file's name, as its rows cite it."""
    kind: str
    """`customers`, `services`, `holdings`, `sites`, `resources` ..."""
    rows: int
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    changes: tuple[str, ...] = ()
    """The first of the additions and changes, a sentence each."""
    refused: tuple[RefusedRow, ...] = ()
    kept: tuple[RefusedRow, ...] = ()
    """Rows that say otherwise than a person has set: the person's word stands, and why it does."""
    change: str | None = None
    """The change that it was, by which it can be undone; None when nothing was written."""
    gone: tuple[str, ...] = ()
    """What the source said before and says no more. It ends only when a person accepts it, by `gone_token`."""
    gone_token: str = ""
    ended: int = 0
    """How many of them were ended by this import, because a person accepted it."""
    outside: Outside | None = None
    """What is held outside the operator's own space after this; None for a file without addresses."""
    applied: bool = False
    """True when it was carried out; False for a dry run and for a file with refused rows."""
