"""Every reason for which an act is refused, in one place for those who tell people about it."""

from tipstaff.cases.operations import (
    AlreadyProposed,
    NoSuchCase,
    NothingProposed,
    PlaceTaken,
    SecondMustBeAnother,
    StaleCase,
)
from tipstaff.cases.parting import NotInThisCase, NotMerged
from tipstaff.cases.rules import AlreadyExtended, CannotMerge, IllegalMove
from tipstaff.cases.working import NothingToUndo, NotInOrder, TooManyTags
from tipstaff.editions.operations import (
    ApproverMustBeAnother,
    NameTaken,
    NoSuchEdition,
    NotAnnounced,
    NotWhatWasRead,
    StillWorking,
    TooManyReplays,
    WrongStep,
)
from tipstaff.enforcement.filters import NoSuchFilter, NotThatFar
from tipstaff.enforcement.operations import (
    AnotherMustAgree,
    NoSuchMeasure,
    NotAllOfThem,
    NothingAsked,
    NothingHeldBack,
    NotStanding,
    NotStillStopped,
)
from tipstaff.intake.operations import AlreadyInACase, NoSuchReport, SealedStaysSealed
from tipstaff.legal.operations import AnotherHasToAgree, NoSuchMatter, NotNow
from tipstaff.notices.operations import NoSuchLetter, NotForAPersonToDecide
from tipstaff.registry.operations import UnknownKey
from tipstaff.sensors.operations import NoSuchSighting, NotLeftToAPerson

from .answers import AnswerTooLong
from .casework import AlreadyEnding, NothingToPlan, NothingWaits, NothingWasSaid, OwnDecision, ProposalLapsed
from .complaint import NoGround, NotKeptBack, ReadAnew
from .editions import ExamplesDoNotHold
from .our_clocks import NoSuchClock, NothingToTell
from .suspension import NotWarned, NotYourDecision
from .work import NoSuchColleague, NotThen

__all__ = [
    "AlreadyEnding",
    "AlreadyExtended",
    "AlreadyInACase",
    "AlreadyProposed",
    "AnotherHasToAgree",
    "AnotherMustAgree",
    "AnswerTooLong",
    "ApproverMustBeAnother",
    "CannotMerge",
    "ExamplesDoNotHold",
    "IllegalMove",
    "NameTaken",
    "NoGround",
    "NoSuchCase",
    "NoSuchClock",
    "NoSuchColleague",
    "NoSuchEdition",
    "NoSuchFilter",
    "NoSuchLetter",
    "NoSuchMatter",
    "NoSuchMeasure",
    "NoSuchReport",
    "NoSuchSighting",
    "NotAllOfThem",
    "NotAnnounced",
    "NotForAPersonToDecide",
    "NotInOrder",
    "NotInThisCase",
    "NotKeptBack",
    "NotLeftToAPerson",
    "NotMerged",
    "NotNow",
    "NotStanding",
    "NotStillStopped",
    "NotThatFar",
    "NotThen",
    "NotWarned",
    "NotWhatWasRead",
    "NotYourDecision",
    "NothingAsked",
    "NothingHeldBack",
    "NothingProposed",
    "NothingToPlan",
    "NothingToTell",
    "NothingToUndo",
    "NothingWaits",
    "NothingWasSaid",
    "OwnDecision",
    "PlaceTaken",
    "ProposalLapsed",
    "ReadAnew",
    "SealedStaysSealed",
    "SecondMustBeAnother",
    "StaleCase",
    "StillWorking",
    "TooManyReplays",
    "TooManyTags",
    "UnknownKey",
    "WrongStep",
]
