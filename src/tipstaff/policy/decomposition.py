"""The 98 rows into which the policy is decomposed, and where an edition says something else than a row asks for.

`rows.csv` holds what each row asks for. `otherwise.csv` holds where the shipped edition differs on purpose, with why;
an entry that is no difference any more is a mistake.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from tipstaff.words import Degree, NoticePosture, Role, Scope

from .clauses import Clause, Edition
from .clocks import ClockUnit
from .kinds import Actor, AutoStep, RecordKind

_HERE = Path(__file__).parent

TWO = "two"
"""Two people decide."""
FROM_A_RUNG = "analyst from a rung"
"""The clock may take the narrow measures; from some rung on an analyst decides."""
OF_THE_CLAUSE = "of the clause"
"""The measures are those of the clause that a case is under."""

_N, _S = NoticePosture, Scope
_SUSPENDS = Degree.SUSPEND
_FAMILIES: Mapping[str, Mapping[str, tuple[tuple[Scope, ...], tuple[Degree, ...]]]] = {
    "content": {
        "item": ((_S.ITEM,), (Degree.BLOCK,)),
        "host name": ((_S.HOST_NAME,), (Degree.BLOCK,)),
        "address and port": ((_S.FLOW,), (Degree.BLOCK,)),
        "service": ((_S.SERVICE,), (_SUSPENDS,)),
        "account": ((_S.ACCOUNT,), (_SUSPENDS,)),
    },
    "network": {
        "flow": ((_S.FLOW,), (Degree.BLOCK,)),
        "rate limit": ((_S.FLOW, _S.ADDRESS), (Degree.RATE_LIMIT,)),
        "source validation": ((_S.FORGED,), (Degree.BLOCK,)),
        "address": ((_S.ADDRESS,), (Degree.BLOCK,)),
        "port": ((_S.SESSION,), (Degree.BLOCK, Degree.WALLED_GARDEN, Degree.DISCONNECT)),
        "account": ((_S.ACCOUNT,), (_SUSPENDS,)),
    },
    "mail": {
        "rate limit": ((_S.MAILBOX,), (Degree.RATE_LIMIT,)),
        "mailbox": ((_S.MAILBOX,), (Degree.HOLD,)),
        "mail port": ((_S.FLOW,), (Degree.BLOCK,)),
        "host": ((_S.ADDRESS,), (Degree.BLOCK,)),
        "service": ((_S.SERVICE,), (_SUSPENDS,)),
        "account": ((_S.ACCOUNT,), (_SUSPENDS,)),
    },
    "account": {
        "session": ((_S.SERVICE,), (Degree.DISCONNECT,)),
        "feature": ((_S.SERVICE,), (Degree.RATE_LIMIT,)),
        "order hold": ((_S.ACCOUNT,), (Degree.HOLD,)),
        "suspend": ((_S.ACCOUNT,), (_SUSPENDS,)),
        "terminate": ((_S.ACCOUNT,), (Degree.TERMINATE,)),
    },
    "routes": {
        "alarm": ((_S.PREFIX,), (Degree.NOTIFY,)),
        "prefix filter": ((_S.PREFIX, _S.ROUTE), (Degree.BLOCK,)),
        "most prefixes": ((_S.SERVICE,), (Degree.RATE_LIMIT,)),
        "session": ((_S.SERVICE,), (Degree.DISCONNECT,)),
        "transit refused": ((_S.SERVICE,), (_SUSPENDS,)),
    },
    "duty": {
        "reminder": ((_S.ACCOUNT, _S.FLOW), (Degree.NOTIFY,)),
        "portal limit": ((_S.ACCOUNT,), (Degree.RATE_LIMIT,)),
        "order freeze": ((_S.ACCOUNT,), (Degree.HOLD,)),
        "suspend": ((_S.ACCOUNT,), (_SUSPENDS,)),
    },
}  # fmt: skip
"""The remedies of a row, narrow to wide, each with the rungs that carry it out: one of these scopes and degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one row of the decomposition asks for."""

    number: int
    title: str
    actor: Actor
    proof: tuple[str, ...]
    """What shows it: each in words that a clause's own words on its proof have as well, in English."""
    automatic: frozenset[AutoStep]
    people: frozenset[str]
    """What it keeps with people: a role, TWO, FROM_A_RUNG. Empty: nothing, somebody looks at samples afterwards."""
    clock: str
    """`24 hours`, `as ordered`; empty for none."""
    kept_by: str
    """The edition's clock that keeps it; empty where it is the clause's own time to answer."""
    notice: frozenset[str]
    remedies: str
    """A family of remedies, OF_THE_CLAUSE, or empty for none."""
    record: RecordKind


@cache
def decomposition() -> Mapping[int, Row]:
    """The rows by their numbers."""
    rows = (_row(line) for line in _lines("rows.csv"))
    return MappingProxyType({row.number: row for row in rows})


@cache
def policy_rows() -> MappingProxyType[int, str]:
    """The rows' numbers and short titles."""
    return MappingProxyType({number: row.title for number, row in decomposition().items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where a clause says something else than a row of it."""

    row: int
    clause: str
    column: str
    """`actor`, `people`, `clock`, `notice`, `automatic`, `record`, or a remedy or a proof that is missing:
    `network: port`, `proof: capture`."""
    says: str
    """What the clause says instead; empty for what is missing."""


def differences_from_rows(edition: Edition) -> Iterator[Difference]:
    """Everything that an edition says otherwise than the rows ask for, on purpose or not."""
    for clause in edition.clauses:
        for number in clause.rows:
            row = decomposition()[number]
            for column, says in (
                *_actor(clause, row), *_proof(clause, row, edition), *_people(clause, row, edition),
                *_clock(clause, row, edition), *_notice(clause, row),
                *_remedies(clause, row), *_steps(clause, row), *_record(clause, row),
            ):  # fmt: skip
                yield Difference(row=number, clause=clause.id, column=column, says=says)


def why_otherwise(difference: Difference) -> str:
    """Why the shipped edition says it otherwise, in a sentence; empty where nobody said so."""
    for clause in (difference.clause, "*"):
        if (found := _otherwise().get((clause, difference.column))) is not None and found[0] in ("", difference.says):
            return found[1]
    return ""


def stale_reasons(edition: Edition) -> Iterator[tuple[str, str]]:
    """Reasons for differences that there are not: the clause and the column of each."""
    there = set(differences_from_rows(edition))
    for (clause, column), (says, _) in _otherwise().items():
        if not any(d.column == column and clause in ("*", d.clause) and says in ("", d.says) for d in there):
            yield clause, column


@cache
def _otherwise() -> Mapping[tuple[str, str], tuple[str, str]]:
    return MappingProxyType({(r["clause"], r["column"]): (r["says"], r["why"]) for r in _lines("otherwise.csv")})


def _lines(name: str) -> list[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _row(line: Mapping[str, str]) -> Row:
    return Row(
        number=int(line["row"]),
        title=line["title"],
        actor=Actor(line["actor"]),
        proof=tuple(line["proof"].split("; ")),
        automatic=frozenset(map(AutoStep, _several(line["automatic"]))),
        people=frozenset(_several(line["people"])),
        clock=line["clock"],
        kept_by=line["kept_by"],
        notice=frozenset(_several(line["notice"])),
        remedies=line["remedies"],
        record=RecordKind(line["record"]),
    )


def _several(text: str) -> list[str]:
    return [part for part in text.split(", ") if part]


def _actor(clause: Clause, row: Row) -> Iterator[tuple[str, str]]:
    if clause.acts is not row.actor:
        yield "actor", clause.acts.value


def _proof(clause: Clause, row: Row, edition: Edition) -> Iterator[tuple[str, str]]:
    """Compared by its words, so only in the language in which the rows are written."""
    if edition.locale.partition("-")[0] != "en":
        return
    said = " ".join(clause.proof.lower().split())
    yield from ((f"proof: {each}", "") for each in row.proof if each not in said)


def _people(clause: Clause, row: Row, edition: Edition) -> Iterator[tuple[str, str]]:
    says = ", ".join(filter(None, [str(clause.decides or ""), TWO if clause.two_people else ""]))
    if FROM_A_RUNG in row.people:
        asked = [rung.degree for rung in clause.ladder if edition.decider_of(rung, clause=clause.id) is not None]
        kept = bool(asked) and clause.decides is None and not clause.two_people
    elif row.people <= {TWO}:
        # Who the two are is the edition's to say.
        kept = clause.two_people is (TWO in row.people) and (TWO in row.people or clause.decides is None)
        kept = kept and (bool(row.people) or not clause.left_to_people)
        says = says or ("left to people" if clause.left_to_people else "")
    else:
        kept = clause.decides in {Role(name) for name in row.people - {TWO} if name in set(Role)}
        kept = kept and clause.two_people is (TWO in row.people)
    if not kept:
        yield "people", says or "nobody"


def _clock(clause: Clause, row: Row, edition: Edition) -> Iterator[tuple[str, str]]:
    if row.kept_by:
        clock = next((each for each in edition.clocks if each.id == row.kept_by and each.clause == clause.id), None)
        says = f"{clock.amount} {clock.unit.value}" if clock else ""
        fixed = row.clock.endswith(tuple(unit.value for unit in ClockUnit))
        kept = clock is not None and (not fixed or says == row.clock)
    elif row.clock.endswith("hours") or row.clock.endswith("days"):
        says = clause.time_said(clause.answer_within) if clause.answer_within is not None else ""
        amount, unit = row.clock.split()
        kept = says == f"{int(amount) * (24 if unit == 'days' else 1)} hours"
    else:
        return  # `as ordered`, `expeditious`, none: no length that a clause could miss.
    if not kept:
        yield "clock", says or "none"


_NOTICES = {
    frozenset({"none"}): (_N.NONE, False),
    frozenset({"public"}): (_N.PUBLIC, False),
    frozenset({"complainant"}): (_N.NONE, False),
    frozenset({"before"}): (_N.BEFORE, False),
    frozenset({"simultaneous"}): (_N.SIMULTANEOUS, False),
    frozenset({"withheld"}): (_N.WITHHELD, True),
    frozenset({"before", "withheld"}): (_N.BEFORE, True),
}


def _notice(clause: Clause, row: Row) -> Iterator[tuple[str, str]]:
    alone = row.notice - {"complainant"} or row.notice
    posture, may_be_withheld = _NOTICES[alone]
    says = clause.notice.value + (", may be withheld" if clause.withheld_until and posture is not _N.WITHHELD else "")
    kept = clause.notice is posture and (clause.withheld_until is not None) is may_be_withheld
    if not kept:
        yield "notice", says
    if "complainant" in row.notice and not clause.tells_complainant:
        yield "complainant", "nothing"


def _remedies(clause: Clause, row: Row) -> Iterator[tuple[str, str]]:
    if row.remedies == OF_THE_CLAUSE or (not clause.judged and not clause.ladder):
        return  # A procedure takes the measures of the clause that its case is under.
    if not row.remedies:
        if clause.ladder:
            yield "remedies", "some"
        return
    for remedy, (scopes, degrees) in _FAMILIES[row.remedies].items():
        if not any(rung.scope in scopes and rung.degree in degrees for rung in clause.ladder):
            yield f"{row.remedies}: {remedy}", ""
    widest = max(max(degrees) for _, degrees in _FAMILIES[row.remedies].values())
    if any(rung.degree > widest for rung in clause.ladder):
        yield "remedies", "wider"


def _steps(clause: Clause, row: Row) -> Iterator[tuple[str, str]]:
    asked = frozenset[AutoStep]().union(*(decomposition()[number].automatic for number in clause.rows))
    if not row.automatic <= set(clause.automatic) <= asked:
        yield "automatic", ", ".join(step.value for step in clause.automatic)


def _record(clause: Clause, row: Row) -> Iterator[tuple[str, str]]:
    if clause.record is not row.record:
        yield "record", clause.record.value
