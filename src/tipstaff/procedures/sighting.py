"""A sensor of our own hands in what it measured: it is kept, attributed at its time, judged, and may open a case.

A sighting is no complaint: nobody has to be believed, and nobody can be asked or told how it ended. So where it names
nobody it only stays on record. Whoever it does name is told before anything is done, as ever.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction

from tipstaff.cases.operations import join_or_open, lock_case, move_case, write_note
from tipstaff.cases.queries import told_incidents, untold_cases
from tipstaff.cases.rules import IllegalMove
from tipstaff.intake.queries import reports_of_case
from tipstaff.intake.sieve import sift
from tipstaff.ledger.operations import record, store_evidence
from tipstaff.policy.deciding import may_decide
from tipstaff.policy.judge import left_to
from tipstaff.registry.queries import get_customer
from tipstaff.sensors.form import LINES_MAX, OCTETS_MAX, NotASighting, read_lines
from tipstaff.sensors.operations import finish, keep_sightings, lock_measured, put_back, set_measured
from tipstaff.sensors.queries import measured_of_case, unjudged
from tipstaff.words import (
    CaseState,
    Channel,
    Disposition,
    Grade,
    Measured,
    Reason,
    RefusedSighting,
    Role,
    Sighting,
    TakenSightings,
)

from .admission import note_traffic
from .books import look_up_in_books
from .complaint import tell_untold
from .corroboration import is_same_event
from .desk import Desk
from .judging import Weighed, as_reachable, edition_at, record_judgement, weigh
from .offender import who_did_it
from .suspension import NotYourDecision, one_by_one

log = logging.getLogger("tipstaff.worker")

AT_A_TIME = 200
NOT_JUDGED = "COULD_NOT_BE_JUDGED"


class NotTelemetry(ValueError):
    """What was handed in is no sensor's: it belongs before other eyes. Nothing was kept."""


class TooManySightings(NotTelemetry):
    """More than is taken at once; hand in fewer. Nothing was kept."""


def take(raw: bytes, *, sensor: str, desk: Desk, at: datetime, actor: str, only: str | None = None) -> TakenSightings:
    """Keep what a sensor hands in, as it came, and ask for its judgement; each line for itself.

    Handing in the same again changes nothing. `sensor` names it where a line does not; with `only`, a line that names
    another one is refused: a sensor cannot speak in another's name. Raise TooManySightings, or NotTelemetry for what
    belongs in the sealed queue.
    """
    if len(raw) > OCTETS_MAX:
        raise TooManySightings(f"At most {OCTETS_MAX // 1024 // 1024} MiB at once; nothing was kept.")
    if raw.count(b"\n") > 2 * LINES_MAX:
        raise TooManySightings(f"At most {LINES_MAX} sightings at once; nothing was kept.")
    good: list[tuple[int, Sighting]] = []
    refused: list[RefusedSighting] = []
    for line, found in read_lines(raw, sensor=sensor):
        if isinstance(found, NotASighting):
            refused.append(RefusedSighting(line=line, why=str(found)))
        elif only is not None and found.sensor != only:
            refused.append(RefusedSighting(line=line, why=f"{only} cannot hand in for the sensor {found.sensor!r}."))
        elif not any(edition.takes(found.kind) for edition in desk.editions):
            refused.append(
                RefusedSighting(line=line, why=f"no clause of any edition takes findings of {found.kind!r}.")
            )
        else:
            good.append((line, found))
    if len(good) > LINES_MAX:
        raise TooManySightings(f"At most {LINES_MAX} sightings at once; nothing was kept.")
    digest = hashlib.sha256(raw).hexdigest()
    if not good:
        return TakenSightings(evidence=digest, taken=(), known=0, refused=tuple(refused))
    if sift(b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + raw).sealed:
        # Whatever speaks of child abuse comes by the ways that seal it (clause row 41), never as a measurement.
        raise NotTelemetry("It speaks of what only the sealed queue may hold: send it as a report. Nothing was kept.")
    with transaction.atomic():
        kept = keep_sightings(good, evidence=digest, at=at, actor=actor)
        if kept.taken:
            store_evidence(raw, digest=digest, at=at, channel=Channel.SENSOR, sender=sensor, recipients=())
            desk.enqueue("sightings", "all")
    return TakenSightings(
        evidence=digest, taken=kept.taken, known=kept.known,
        refused=tuple(sorted((*refused, *kept.refused), key=lambda each: each.line)),
    )  # fmt: skip


def judge_waiting(*, desk: Desk, at: datetime) -> int:
    """Judge every sighting that waits, each in its own transaction, then tell each holder once; how many were judged.

    Doing it again changes nothing, so it may be stopped anywhere.
    """
    judged = 0
    while keys := unjudged(limit=AT_A_TIME):
        for key in keys:
            try:
                with transaction.atomic():
                    _decide(key, desk=desk, at=at)
            except (OperationalError, InterfaceError):
                raise  # The database itself: nothing else would go better now.
            except Exception as why:
                log.exception("%s cannot be judged", key)
                with transaction.atomic():
                    record("sighting.failed", at=at, actor="worker", about=[key], why=type(why).__name__)
                    set_measured(
                        key, disposition=Disposition.PERSON, reason=NOT_JUDGED, case=None, at=at, actor="worker"
                    )
            judged += 1
    one_by_one(untold_cases(prefix="S-", limit=10_000), lambda case: _tell(case, desk=desk, at=at), at=at)
    return judged


def _tell(key: str, *, desk: Desk, at: datetime) -> None:
    """Tell a case's holder of what came to it without a person; where nobody can be told, a person looks."""
    left = {m.key for m in measured_of_case(key) if m.disposition is not Disposition.OPEN_CASE}
    if not any(letter is None and k.startswith("S-") and k not in left for k, letter in told_incidents(key).items()):
        return
    customer = get_customer(lock_case(key).customer)
    if customer is None or customer.representative is None:
        with suppress(IllegalMove):
            why = "There is nobody to write to about what was measured."
            move_case(key, to=CaseState.WAITING_PERSON, at=at, actor="worker", why=why)
        return
    tell_untold(key, desk=desk, at=at, actor="worker", without=left)


def _decide(key: str, *, desk: Desk, at: datetime) -> None:
    measured = lock_measured(key)
    if measured.disposition is not None:
        return
    weighed = weigh_sighting(measured, desk=desk, at=at)
    verdict = weighed.verdict
    # The delivery is named in the detail only: a thousand sightings may have come in it, about as many customers.
    record_judgement(
        weighed, about=(key,), desk=desk, at=at, delivery=measured.evidence, line=measured.line,
        sensor=measured.sighting.sensor, finding=measured.sighting.kind, stated=dict(measured.sighting.facts),
    )  # fmt: skip
    note_traffic(measured.sighting, desk=desk, at=at)
    disposition, reason, case = verdict.disposition, str(verdict.reason), None
    if disposition in (Disposition.OPEN_CASE, Disposition.PERSON):
        disposition, reason, case = _join(measured, weighed, desk=desk, at=at)
    set_measured(key, disposition=disposition, reason=reason, case=case, at=at, actor="worker")


def close_left(keys: Sequence[str], *, why: str, desk: Desk, at: datetime, actor: str) -> None:
    """A person has seen to what the judge left to a person, and says in words why nothing more follows: all or none.

    Raise NoSuchSighting, NotLeftToAPerson, or NotYourDecision for whoever lacks the role that each one is left to.
    """
    _for_each_left(keys, finish, why=why, desk=desk, at=at, actor=actor)


def judge_again(keys: Sequence[str], *, why: str, desk: Desk, at: datetime, actor: str) -> None:
    """What kept the judge from these is mended (late logs, a wrong row of the registry): ask once more, all or none.

    Raise as `close_left` does. Nobody is told anything that the judge does not say.
    """
    _for_each_left(keys, put_back, why=why, desk=desk, at=at, actor=actor)
    desk.enqueue("sightings", "all")


def role_for(measured: Measured) -> Role | None:
    """Who sees to a sighting that is left to a person; None leaves it to the whole desk."""
    return Role.ENGINEER if measured.reason == NOT_JUDGED else left_to(Reason(measured.reason))


def _for_each_left(
    keys: Sequence[str], act: Callable[..., None], *, why: str, desk: Desk, at: datetime, actor: str
) -> None:
    with transaction.atomic():
        for key in sorted(set(keys)):  # One order for all, so that two callers cannot lock each other out.
            measured = lock_measured(key)
            if measured.left_to_person and not may_decide(desk.roles_of(actor), needed=role_for(measured)):
                raise NotYourDecision(
                    f"{key}: {measured.reason} leaves this decision to the role {role_for(measured)}."
                )
            act(key, why=why, at=at, actor=actor)


def weigh_sighting(measured: Measured, *, desk: Desk, at: datetime) -> Weighed:
    """Who it was, under which edition, and what the policy says: reads only, decides nothing."""
    sighting, received_at = measured.sighting, measured.received_at
    return weigh(
        sighting,
        attribution=who_did_it(sighting, received_at=received_at),
        edition=edition_at(desk.editions, conduct=sighting, received_at=received_at),
        trust=None,
        received_at=received_at,
        at=at,
    )


def _join(measured: Measured, weighed: Weighed, *, desk: Desk, at: datetime) -> tuple[Disposition, str, str | None]:
    """(what became of it, why, its case): a case where clause and holder are known, else a person's matter."""
    verdict, attribution, sighting = weighed.verdict, weighed.attribution, measured.sighting
    if verdict.clause is None or attribution.customer is None:
        return Disposition.PERSON, str(verdict.reason), None
    assert attribution.grade in (Grade.CONFIRMED, Grade.PROBABLE), "nobody is named on an ambiguous answer"
    customer = get_customer(attribution.customer)
    assert customer is not None, "attribution named a customer whom the registry does not know"
    verdict = as_reachable(verdict, customer)
    case, opened = join_or_open(
        verdict=verdict,
        customer=customer.key,
        customer_name=customer.name,
        brand=customer.brand,
        service=attribution.service,
        incident=measured.key,
        evidence="",
        type=sighting.type or sighting.kind,
        resource=sighting.offender,
        repeats=weighed.history.cases_before,
        at=at,
        actor="worker",
    )
    if opened:
        look_up_in_books(case, sighting, verdict, repeats=weighed.history.cases_before, desk=desk, at=at)
    else:
        _corroborate(case.key, measured, at=at)
    to_person = verdict.disposition is Disposition.PERSON
    return verdict.disposition, str(verdict.reason) if opened or to_person else "JOINED", case.key


def _corroborate(case: str, measured: Measured, *, at: datetime) -> None:
    """Say on the case which reports of it our measurement bears out. What was judged stays judged: a person who waits
    over a doubt sees that it is gone."""
    agreeing = [
        incident.key
        for report in reports_of_case(case)
        for incident in report.incidents
        if is_same_event(incident.allegation, measured.sighting)
    ]
    if not agreeing:
        return
    shown = ", ".join(agreeing[:5]) + (" and others" if len(agreeing) > 5 else "")
    record("incident.corroborated", at=at, actor="worker", about=[case, measured.key, *agreeing[:50]])
    sentence = f"Our own measurement {measured.key} ({measured.sighting.kind}) saw the same as {shown}."
    write_note(case, text=sentence, at=at, actor="worker")
