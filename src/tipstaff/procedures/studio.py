"""A person makes a profile of a reporter out of one report: proposed, corrected, tested, and then in use."""

import os
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tipstaff.intake.mail import read_mail
from tipstaff.intake.profiles.form import BadProfile, Profile, load_profile, parse_profile
from tipstaff.intake.profiles.proposing import Proposal, propose
from tipstaff.intake.profiles.reader import faults_of_sample
from tipstaff.intake.queries import get_report
from tipstaff.intake.reading import read
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import get_raw
from tipstaff.words import Reading, ReadingOutcome, ReadingReason, Report, ReportOutcome

from .desk import Desk


class NoFolder(LookupError):
    """No folder for profiles is set; set [server] profiles_folder, which this program may write to."""


class NotUsable(ValueError):
    """The profile does not read its own sample, or has a fault; the message says which."""


def propose_for(report: Report, *, name: str, desk: Desk) -> Proposal | None:
    """A proposal by what a person said the report alleges, else by what is read of it now."""
    if report.outcome is ReportOutcome.SEALED:
        return None
    raw = get_raw(report.evidence)
    if report.reading is not None and report.reading.parser == "person" and report.incidents:
        told = tuple(x.allegation for x in report.incidents)
        reading = replace(report.reading, allegations=told)
    else:
        reading = read(raw, parsers=desk.parsers, own_addresses=desk.own_addresses)
    if not reading.allegations:
        # Nothing is understood of it: the lines are shown all the same, for a person to write patterns by.
        reading = Reading(outcome=ReadingOutcome.UNREADABLE, reason=ReadingReason.NO_SOURCE)
    return propose(read_mail(raw), reading, name=name, sample=f"{name}.eml")


def check(toml: str, *, report: Report, folder: Path) -> tuple[Profile | None, list[str]]:
    """The profile and what is wrong with it, in sentences; with the report's mail as its first sample."""
    try:
        profile = parse_profile(toml, path=folder / "profile.toml")
    except BadProfile as why:
        return None, [str(why).removeprefix(f"{folder / 'profile.toml'}: ").capitalize()]
    raw = get_raw(report.evidence)
    own = folder / f"{profile.name}.eml"
    faults = [
        x
        for sample in profile.samples
        for x in faults_of_sample(profile, sample, raw=raw if sample.file == own else None)
    ]
    faults += _of_another(profile, folder)
    if own not in [sample.file for sample in profile.samples]:
        faults.append(f"Its samples must have this report's mail, under the name {own.name}.")
    return profile, faults


def _of_another(profile: Profile, folder: Path) -> list[str]:
    """A profile that stands under this name for other senders, or that nobody can read, is not written over."""
    path = folder / f"{profile.name}.toml"
    if not path.exists():
        return []
    try:
        known = load_profile(path)
    except BadProfile:
        known = None
    if known is not None and set(known.senders) & set(profile.senders):
        return []
    return [f"There is a profile {profile.name} already, of other senders; choose another name."]


def confirm(toml: str, *, report: Report, folder: Path | None, at: datetime, actor: str) -> str:
    """Put the profile and its sample into the folder, whole or not at all; its name. Raises NotUsable, NoFolder."""
    if folder is None or not folder.is_dir():
        raise NoFolder
    if report.outcome is ReportOutcome.SEALED:
        raise NotUsable("A sealed report makes no profile.")
    profile, faults = check(toml, report=report, folder=folder)
    if profile is None or faults:
        raise NotUsable(faults[0] if faults else "It cannot be read.")
    # The sample first: a profile without it would not be used, and so nothing half is ever in use.
    _write(folder / f"{profile.name}.eml", get_raw(report.evidence))
    _write(folder / f"{profile.name}.toml", toml.replace("\r\n", "\n").encode("utf-8"))
    record("profile.confirmed", at=at, actor=actor, about=[report.key, f"profile:{profile.name}"])
    return profile.name


def _write(path: Path, content: bytes) -> None:
    number, name = tempfile.mkstemp(dir=path.parent, prefix=".profile-")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


__all__ = ["NoFolder", "NotUsable", "check", "confirm", "get_report", "propose_for"]
