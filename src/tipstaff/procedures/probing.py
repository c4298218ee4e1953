"""The prober makes the looks that were asked for before cases close: paced, and only at whom they are about.

Whether a look may still be made is asked again at the moment of sending, of our address plan, of who holds it, of the
edition and of counsel's leave. The looking itself is a program that has none of these.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_network

from django.db import transaction

from tipstaff.cases.queries import get_case
from tipstaff.ledger.operations import store_evidence
from tipstaff.registry.queries import own_space
from tipstaff.sensors.operations import begin_retest, claim_retest, end_retest
from tipstaff.sensors.queries import retests_sent_since
from tipstaff.sensors.retest.asking import Looked, Looks
from tipstaff.words import CaseState, Channel, Grade, Moment, Retest, RetestFound

from .desk import Desk
from .judging import matters_of_case
from .lookup import who_held
from .retesting import NAME, is_still_asked, why_not_now
from .sighting import take

KIND = "retest.still_there"
TRIES_MAX = 3
AGAIN_AFTER = timedelta(hours=1)
"""One that was unclear, or whose prober died, is tried again after this."""


def probe_due(prober: Looks, *, a_minute: int, desk: Desk, now: Callable[[], datetime]) -> int:
    """Make the looks that are due, as many as may be made within a minute; how many were made or given up.

    The intent is on record before anything is sent, the outcome after; whoever dies between the two lets another try.
    """
    done = 0
    while True:
        at = now()
        with transaction.atomic():
            retest = claim_retest(at=at)
            if retest is None:
                return done
            if why := _why_not_this(retest, desk=desk, at=at):
                end_retest(retest.key, found=RetestFound.NOT_MADE, said=why, at=at, actor="prober")
                done += 1
                continue
            if retest.tries >= TRIES_MAX:
                said = f"It stayed unclear {retest.tries} times."
                end_retest(retest.key, found=RetestFound.UNCLEAR, said=said, at=at, actor="prober")
                done += 1
                continue
            if retests_sent_since(at - timedelta(minutes=1)) >= a_minute:
                return done
            begin_retest(retest.key, at=at, again_at=at + AGAIN_AFTER)
        looked = prober.look(retest.check, retest.address, retest.port)
        _keep(retest, looked, sent_at=at, desk=desk, at=now())
        done += 1


def _why_not_this(retest: Retest, *, desk: Desk, at: datetime) -> str:
    """Why nothing is sent to this address now, in a sentence; empty where it may be."""
    if why := why_not_now(desk=desk, at=at):
        return why
    case = get_case(retest.case)
    if case is None or case.state is not CaseState.MONITORED:
        return "Its case does not wait for it any more."
    edition = next((each for each in desk.editions if each.id == case.edition), None)
    clause = edition.clause_named(retest.clause) if edition is not None else None
    if clause is None or retest.check not in clause.retest:
        return "The clause does not allow this look."
    if not is_still_asked(retest):
        return "What was reported is not asked of that port, by the rule of today."
    network = ip_network(retest.address)
    if not any(own.version == network.version and network.subnet_of(own) for own in own_space(at=at)):  # type: ignore[arg-type]  # one version
        return f"{retest.address} is not ours any more."
    held = who_held(retest.address, port=retest.port, protocol=retest.protocol, moment=Moment(at, 1.0), received_at=at)
    if held.grade is not Grade.CONFIRMED or held.customer != retest.customer:
        return f"Our records do not say that {retest.customer} alone holds {retest.address} now."
    return ""


def _keep(retest: Retest, looked: Looked, *, sent_at: datetime, desk: Desk, at: datetime) -> None:
    """What was sent and came back is evidence; still there, it is a sighting too, judged like any other."""
    told = {
        "retest": retest.key, "case": retest.case, "check": retest.check.value, "address": str(retest.address),
        "protocol": retest.protocol, "port": retest.port, "sent_at": sent_at.isoformat(), "found": looked.found.value,
        "said": looked.said, "sent": [part.hex() for part in looked.sent], "got": [part.hex() for part in looked.got],
    }  # fmt: skip
    raw = json.dumps(told, sort_keys=True).encode()
    digest = hashlib.sha256(raw).hexdigest()
    with transaction.atomic():
        store_evidence(raw, digest=digest, at=at, channel=Channel.SENSOR, sender=NAME, recipients=())
        if looked.found is RetestFound.UNCLEAR and retest.tries + 1 < TRIES_MAX:
            return  # It is due again within the hour.
        sighting = ""
        if looked.found is RetestFound.STILL_THERE:
            line = {
                "id": retest.key, "kind": KIND, "at": sent_at.isoformat(), "source": str(retest.address),
                "source_port": retest.port, "protocol": retest.protocol, "type": _type_of(retest),
                "facts": {"clause": retest.clause, "check": retest.check.value, "port": retest.port},
                "excerpt": f"{sent_at:%Y-%m-%d %H:%M:%S} UTC, {retest.protocol} {retest.port}: {looked.said}",
            }  # fmt: skip
            taken = take(json.dumps(line).encode(), sensor=NAME, desk=desk, at=at, actor="prober")
            sighting = taken.taken[0] if taken.taken else ""
        end_retest(
            retest.key, found=looked.found, said=looked.said, evidence=digest, sighting=sighting, at=at,
            actor="prober",
        )  # fmt: skip


def _type_of(retest: Retest) -> str:
    """What it was like, for the letter's words: as the case's own matters have it."""
    types = (m.conduct.type for m in matters_of_case(retest.case) if m.conduct.source == retest.address)
    return next((type for type in types if type), "vulnerability/open_service")
