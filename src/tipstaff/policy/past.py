"""What a judge was asked, kept so that it can be asked again: small, exact, and without anybody's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from typing import Any

from tipstaff.words import (
    Allegation,
    Attribution,
    AttributionReason,
    Conduct,
    EvidenceGrade,
    Grade,
    History,
    Moment,
    Sighting,
    Trust,
)

_SOME_ADDRESS = IPv4Address("192.0.2.1")
"""Stands for the address in a question that is asked again: a verdict depends on whether one was stated, not which."""
_SOME_URL = "http://www.example.net/"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastQuestion:
    """A question that was put to the judge, with what was answered."""

    key: str
    """The incident, `R-000123.1`."""
    conduct: Conduct
    """With what a verdict depends on only: no address, name or excerpt."""
    attribution: Attribution
    history: History
    trust: Trust | None
    received_at: datetime
    source: str
    """The address that was complained about, or empty."""
    edition: str
    """The edition that was applied."""
    verdict: str
    """Digest of the treatment that was given (`replay.treatment_digest`), or empty."""

    @property
    def cited(self) -> str | None:
        """The clause that a person named."""
        return self.conduct.cited if isinstance(self.conduct, Allegation) else None


def keep_question(
    conduct: Conduct, *, history: History, received_at: datetime, trust: Trust | None
) -> dict[str, object]:
    """What a verdict depends on, as the record keeps it; whatever is usual is left out. The attribution stands beside
    it in the entry. It may go into JSON and come back."""
    moment = conduct.moment
    kept: dict[str, object] = {
        "received_at": received_at.isoformat(),
        "source": str(conduct.source) if conduct.source else None,
        "named": True if conduct.url or conduct.domain else None,
        "source_port": conduct.source_port,
        "target_port": conduct.target_port,
        "protocol": conduct.protocol,
        "moment": None if moment is None else [moment.at.isoformat(), moment.error_seconds, moment.zone_stated],
        "unread_time": True if isinstance(conduct, Allegation) and conduct.unread_time is not None else None,
        "target": True if conduct.target else None,
        "strikes": history.cases_before or None,
        "trust": None if trust is None else _kept_trust(trust),
    }
    if isinstance(conduct, Sighting):
        kept |= {"finding": conduct.kind, "facts": dict(conduct.facts) or None}
    else:
        kept |= {
            "type": conduct.type,
            "cited": conduct.cited,
            "confidence": None if conduct.confidence == 1.0 else conduct.confidence,
        }
    return {name: value for name, value in kept.items() if value is not None}


def _kept_trust(trust: Trust) -> list[object]:
    return [
        trust.evidence.value, trust.reporter_upheld, trust.reporter_overturned, trust.flooding, trust.authenticated,
    ]  # fmt: skip


def question_again(
    key: str,
    kept: Mapping[str, Any],
    *,
    grade: str,
    reason: str,
    customer: str | None,
    service: str | None,
    edition: str,
    verdict: str,
    named: tuple[str | None, str | None, str | None] | None = None,
) -> PastQuestion:
    """The question as it was asked, out of what the record kept of it.

    `named` are the URL, the host name and the target of the report, for conditions of clauses that ask for them; what
    stands for them otherwise says only that something was named.
    """
    trust, source = kept.get("trust"), kept.get("source", "")
    return PastQuestion(
        key=key,
        conduct=_conduct_again(kept, named=named or (_SOME_URL if kept.get("named") else None, None, None)),
        attribution=Attribution(
            grade=Grade(grade), reason=AttributionReason(reason), customer=customer, service=service
        ),
        history=History(cases_before=kept.get("strikes", 0)),
        trust=None
        if trust is None
        else Trust(
            evidence=EvidenceGrade(trust[0]),
            reporter_upheld=trust[1],
            reporter_overturned=trust[2],
            flooding=trust[3],
            authenticated=trust[4],
        ),
        received_at=datetime.fromisoformat(kept["received_at"]),
        source=source,
        edition=edition,
        verdict=verdict,
    )


def _conduct_again(kept: Mapping[str, Any], *, named: tuple[str | None, str | None, str | None]) -> Conduct:
    url, domain, target = named
    source = _SOME_ADDRESS if kept.get("source") else None
    given = kept.get("moment")
    moment = None if given is None else Moment(datetime.fromisoformat(given[0]), given[1], given[2])
    ports = (kept.get("source_port"), kept.get("target_port"), kept.get("protocol"))
    if "finding" in kept:
        assert moment is not None, "a sighting has its time"
        facts = {name: tuple(v) if isinstance(v, list) else v for name, v in kept.get("facts", {}).items()}
        return Sighting(
            kind=kept["finding"], facts=facts, moment=moment, source=source, url=url, domain=domain, target=target,
            source_port=ports[0], target_port=ports[1], protocol=ports[2],
        )  # fmt: skip
    return Allegation(
        type=kept["type"], source=source, url=url, domain=domain, target=target, moment=moment, source_port=ports[0],
        target_port=ports[1], protocol=ports[2], confidence=kept.get("confidence", 1.0), cited=kept.get("cited"),
        unread_time="" if kept.get("unread_time") else None,
    )  # fmt: skip
