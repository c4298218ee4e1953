"""How an edition of the policy comes to count, and who has accepted it."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


class EditionState(enum.StrEnum):
    """How far an edition has come. None is ever deleted."""

    DRAFT = "draft"
    """Somebody wrote it."""
    APPROVED = "approved"
    """Counsel, who is somebody else, found the words right."""
    COMPILED = "compiled"
    """Its examples hold, and the past was judged by it to see what would change."""
    ANNOUNCED = "announced"
    """Customers were written to."""
    POSTED = "posted"
    """Its digest and the moment from which it counts are on record for good."""
    WITHDRAWN = "withdrawn"
    """It was given up before it was posted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionOnRecord:
    """One edition as it stands on record. Its files are kept with it, and never change under its digest."""

    id: str
    """`2026-07`."""
    digest: str
    """SHA-256 (hex) over its files."""
    state: EditionState
    title: str
    drafted_by: str
    drafted_at: datetime
    approved_by: str = ""
    approved_at: datetime | None = None
    significant: bool = True
    """Whether customers are told before it counts."""
    compiled_at: datetime | None = None
    effects: Mapping[str, object] = field(default_factory=dict)
    """What compiling found: examples tried, past reports judged, and how many would be judged otherwise."""
    announced_at: datetime | None = None
    posted_by: str = ""
    posted_at: datetime | None = None
    effective_at: datetime | None = None
    """From when it counts; fixed by its posting."""


class AdoptionGround(enum.StrEnum):
    """Why an edition counts from when it does that came with the installation and went not the whole way."""

    FIRST_START = "first_start"
    """It counts from the first start of the program."""
    STATED = "stated"
    """The operator states that its words were posted to customers before, elsewhere."""
    ITS_OWN_DATE = "its_own_date"
    """It counts from the date in its files, as releases before 2026-12 adopted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """How an edition came in at the first start, and who answers for it since."""

    at: datetime
    ground: AdoptionGround
    confirmed_by: tuple[str, ...] = ()
    """Who has read it and confirmed it so far."""
    confirmed_at: datetime | None = None
    """When two people had, one of them counsel."""


class WorkStep(enum.StrEnum):
    """A step of an edition that takes too long for a page to wait for."""

    COMPILE = "compile"
    """Its examples are tried, and the past is judged by it."""
    ANNOUNCE = "announce"
    """Every customer is written to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionWork:
    """A step that somebody asked for and that a program carries out."""

    edition: str
    step: WorkStep
    asked_by: str
    asked_at: datetime
    done: int
    """So many past judgements were judged again so far."""
    finished_at: datetime | None
    """None while it goes on."""
    trouble: str
    """Why it could not be done, in a sentence; empty where it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRun:
    """The past, judged again under an edition because somebody asked: how far that is, and what was found."""

    key: str
    edition: str
    digest: str
    since: datetime
    until: datetime
    """What was judged within [since, until)."""
    asked_by: str
    asked_at: datetime
    place: int
    """Up to this entry of the record it has come."""
    totals: Mapping[str, object]
    """What was counted over everything that was judged, as its procedure writes it."""
    finished_at: datetime | None
    """None while it goes on."""
    trouble: str
    """Why it could not be done, in a sentence; empty where it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstUse:
    """A customer who used a service under an edition: by that they accepted it."""

    customer: str
    edition: str
    digest: str
    accepted_at: datetime
    """The first use after it took effect that we know of."""
    shown_by: str
    """What shows the use, as somebody wrote it. Never a report about the customer."""


class AcceptedHow(enum.StrEnum):
    """How an edition was accepted."""

    CONTRACT = "contract"
    """A contract names it, or whoever signed said so."""
    USE = "use"
    """A service was used after it took effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A customer accepted an edition at a moment, in one way or the other."""

    customer: str
    edition: str
    digest: str
    """Of the edition as posted; empty where a contract names one that was never posted here."""
    accepted_at: datetime
    how: AcceptedHow
    shown_by: str
    """The contract's number or file, or what shows the use."""
    accepted_by: str = ""
    """Who signed, where that is known."""
