"""Every reason for which an act is refused, in one place for those who tell people about it."""

from tipstaff.cases.operations import AlreadyProposed, NoSuchCase, NothingProposed, SecondMustBeAnother, StaleCase
from tipstaff.cases.rules import AlreadyExtended, IllegalMove
from tipstaff.editions.operations import (
    ApproverMustBeAnother,
    NameTaken,
    NoSuchEdition,
    NotAnnounced,
    StillWorking,
    WrongStep,
)
from tipstaff.enforcement.operations import (
    AnotherMustAgree,
    NoSuchMeasure,
    NothingAsked,
    NothingHeldBack,
    NotStanding,
    NotStillStopped,
)
from tipstaff.intake.operations import AlreadyInACase, NoSuchReport, SealedStaysSealed
from tipstaff.notices.operations import NoSuchLetter, NotForAPersonToDecide
from tipstaff.sensors.operations import NoSuchSighting, NotLeftToAPerson

from .answers import AnswerTooLong
from .casework import AlreadyEnding, NothingToPlan, NothingWaits, NothingWasSaid, OwnDecision, ProposalLapsed
from .editions import ExamplesDoNotHold
from .suspension import NotWarned, NotYourDecision

__all__ = [
    "AlreadyEnding",
    "AlreadyExtended",
    "AlreadyInACase",
    "AlreadyProposed",
    "AnotherMustAgree",
    "AnswerTooLong",
    "ApproverMustBeAnother",
    "ExamplesDoNotHold",
    "IllegalMove",
    "NameTaken",
    "NoSuchCase",
    "NoSuchEdition",
    "NoSuchLetter",
    "NoSuchMeasure",
    "NoSuchReport",
    "NoSuchSighting",
    "NotAnnounced",
    "NotForAPersonToDecide",
    "NotLeftToAPerson",
    "NotStanding",
    "NotStillStopped",
    "NotWarned",
    "NotYourDecision",
    "NothingAsked",
    "NothingHeldBack",
    "NothingProposed",
    "NothingToPlan",
    "NothingWaits",
    "NothingWasSaid",
    "OwnDecision",
    "ProposalLapsed",
    "SealedStaysSealed",
    "SecondMustBeAnother",
    "StaleCase",
    "StillWorking",
    "WrongStep",
]
