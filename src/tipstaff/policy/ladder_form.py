"""What the files of an edition say of remedies: the rungs of a ladder, and what is added when it happens again."""

from datetime import timedelta

from tipstaff.words import Degree, Role, Rung, Scope

from .strikes import Escalation, Repeats
from .toml_tables import Table, listed, names_of, perhaps


def read_rungs(table: Table, key: str = "ladder") -> tuple[Rung, ...]:
    """Rungs written as "scope: degree", each wider than the one before it."""
    rungs: list[Rung] = []
    for text in table.texts(key):
        scope, colon, degree = (part.strip() for part in text.partition(":"))
        if not colon:
            table.report(f'a rung is written "scope: degree", not {text!r}.', key, value=text)
            continue
        names, degrees = names_of(Scope), names_of(Degree)
        if scope not in names or degree not in degrees:
            unknown, known = (scope, names) if scope not in names else (degree, degrees)
            what = "scope" if scope not in names else "degree"
            sentence = f"{unknown!r} is no {what}; it is one of {listed(known)}{perhaps(unknown, known)}."
            table.report(sentence, key, value=text)
            continue
        rung = Rung(scope=Scope(names[scope]), degree=Degree(degrees[degree]))
        if rungs and (rung.scope, rung.degree) <= (rungs[-1].scope, rungs[-1].degree):
            table.report(f'the rung "{text}" is not wider than the one before it.', key, value=text)
        rungs.append(rung)
    if not rungs and table.table.get(key) == []:
        table.report(f"{key} is empty; name at least the narrowest remedy.", key)
    return tuple(rungs)


def read_repeats(head: Table) -> tuple[Repeats, ...]:
    """The table `[repeats]` of an edition: a lifetime and steps for each clause group that it names."""
    table = head.inner("repeats", "the table repeats", default=None)
    found = []
    for group, value in (table.table if table else {}).items():
        assert table is not None
        if not isinstance(value, dict):
            table.report(f'the group "{group}" must be a table.', group)
            continue
        inner = table.under(value, "a group's repeats", group)
        steps = inner.take("step", list, "tables written as [[repeats.GROUP.step]]", default=[])
        found.append(
            Repeats(
                group=group,
                lifetime=timedelta(days=inner.whole("days", least=1)),
                steps=tuple(_read_step(inner, step, n) for n, step in enumerate(steps) if isinstance(step, dict)),
            )
        )
        numbers = [step.strikes for step in found[-1].steps]
        if numbers != sorted(set(numbers)):
            inner.report("each step needs more strikes than the one before it.", "step")
        inner.done()
    return tuple(found)


def _read_step(table: Table, value: dict[str, object], number: int) -> Escalation:
    step = table.under(value, "a step", "step", number)
    hours = step.whole("answer_within_hours", default=None, least=1)
    escalation = Escalation(
        strikes=step.whole("strikes", least=1),
        decides=step.word("decides", Role, default=None),
        answer_within=timedelta(hours=hours) if hours else None,
        adds=read_rungs(step, "adds") if "adds" in step.table else (),
    )
    step.done()
    return escalation
