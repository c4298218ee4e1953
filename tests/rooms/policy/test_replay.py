"""Asking again: the same question comes back out of the record, and the count is that of a plain loop over verdicts."""

import dataclasses
import json
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rooms.policy import worlds
from tests.rooms.policy.worlds import NOW, Asked
from tipstaff.policy.editions import shipped_editions
from tipstaff.policy.judge import judge
from tipstaff.policy.past import PastQuestion, keep_question, question_again
from tipstaff.policy.replay import (
    Tally,
    as_if_always,
    ask_again,
    differences,
    replay,
    treatment_digest,
    treatment_of,
)
from tipstaff.policy.shadow import Shadow
from tipstaff.policy.strikes import Repeats
from tipstaff.words import Allegation, Attribution, AttributionReason, Disposition, Grade, History, Moment, Role

EDITION = shipped_editions()[-1]
STRICTER = as_if_always(
    dataclasses.replace(
        EDITION,
        id="2027-01",
        look_back=timedelta(days=30),
        clauses=tuple(
            dataclasses.replace(c, answer_within=timedelta(hours=8), answer_within_repeated=None, decides=Role.LEAD)
            if c.id == "mail.unsolicited"
            else c
            for c in EDITION.clauses
            if c.id != "network.scanning"
        ),
    )
)


def answered(asked: Asked) -> object:
    return judge(
        asked.allegation, attribution=asked.attribution, history=asked.history, edition=asked.edition,
        received_at=NOW, trust=asked.trust,
    )  # fmt: skip


def past(asked: Asked, *, n: int = 1, service: str | None = None) -> PastQuestion:
    """The question as the record would give it back: through JSON."""
    kept = keep_question(asked.allegation, history=asked.history, received_at=NOW, trust=asked.trust)
    verdict = judge(
        asked.allegation, attribution=asked.attribution, history=asked.history, edition=asked.edition,
        received_at=NOW, trust=asked.trust,
    )  # fmt: skip
    return question_again(
        f"R-{n:06}.1",
        json.loads(json.dumps(kept)),
        grade=asked.attribution.grade.value,
        reason=asked.attribution.reason.value,
        customer=asked.attribution.customer,
        service=service,
        edition=asked.edition.id,
        verdict=treatment_digest(treatment_of(verdict)),
    )


def finite(asked: Asked) -> bool:
    """JSON of the record knows no infinity; nor does a reader give such an error or confidence."""
    moment = asked.allegation.moment
    numbers = [asked.allegation.confidence, *([moment.error_seconds] if moment else [])]
    return all(abs(number) < 1e300 for number in numbers)


@given(worlds.questions().filter(finite))
@settings(max_examples=120, deadline=None)
def test_a_question_comes_back_out_of_the_record_with_the_same_verdict(asked: Asked) -> None:
    assert ask_again(past(asked), asked.edition) == answered(asked)


worlds_of_the_desk = st.lists(
    st.builds(
        Asked,
        allegation=worlds.allegations.filter(lambda a: abs(a.confidence) < 2)
        | worlds.allegations.map(lambda a: dataclasses.replace(a, type="messaging/spam", confidence=1.0, moment=None)),
        attribution=worlds.attributions | worlds.named,
        history=worlds.histories,
        edition=st.just(EDITION),
        trust=worlds.trusts,
        cited=st.none(),
    ).filter(finite),
    max_size=25,
)


@given(worlds_of_the_desk, st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_a_replay_in_parts_counts_what_a_plain_loop_over_verdicts_counts(world: list[Asked], size: int) -> None:
    questions = [past(asked, n=n, service=f"svc-{n % 3}") for n, asked in enumerate(world)]

    def class_of(question: PastQuestion) -> str:
        return question.attribution.service or ""

    total = Tally()
    for start in range(0, len(questions), size):
        part = replay(
            questions[start : start + size], under=STRICTER, editions={EDITION.id: EDITION}, class_of=class_of
        )
        total.add(part)

    different, opened_before, opened_after = [], 0, 0
    for n, asked in enumerate(world):
        before, after = (
            judge(
                asked.allegation, attribution=asked.attribution, history=asked.history, edition=edition,
                received_at=NOW, trust=asked.trust,
            )
            for edition in (EDITION, STRICTER)
        )  # fmt: skip
        opened_before += before.disposition is Disposition.OPEN_CASE and asked.attribution.customer is not None
        opened_after += after.disposition is Disposition.OPEN_CASE and asked.attribution.customer is not None
        changed = [
            name
            for name in ("disposition", "reason", "clause", "answer_within", "notice", "decides", "ladder",
                         "measure_ports", "measure_direction")
            if getattr(before, name) != getattr(after, name)
        ]  # fmt: skip
        if changed:
            different.append(f"R-{n:06}.1")
    assert [d.key for d in total.listed] == different
    assert (total.judged, total.different, total.not_kept) == (len(world), len(different), 0)
    assert total.not_reproduced == 0
    assert sum(total.clauses.values()) == len(world)
    assert sum(total.changed_clauses.values()) == len(different)
    assert sum(n for (_, before, _), n in total.cases.items() if before) == opened_before
    assert sum(n for (_, _, after), n in total.cases.items() if after) == opened_after
    assert all(differences(d.before, d.after) for d in total.listed)


def one(**changes: object) -> Asked:
    from ipaddress import IPv4Address

    from tipstaff.words import Allegation, Attribution, AttributionReason, Grade, History

    usual = Asked(
        allegation=Allegation(type="messaging/spam", source=IPv4Address("192.0.2.10")),
        attribution=Attribution(grade=Grade.CONFIRMED, reason=AttributionReason.ONE_HOLDER, customer="acct-1001"),
        history=History(),
        edition=EDITION,
        trust=None,
        cited=None,
    )
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]  # fields by name


def replayed(asked: list[Asked], **more: int) -> Tally:
    questions = [past(each, n=n) for n, each in enumerate(asked)]
    total = Tally(**more)
    for question in questions:
        total.add(replay([question], under=STRICTER, editions={EDITION.id: EDITION}, class_of=lambda q: "access"))
    return total


def test_a_difference_says_in_what() -> None:
    [difference] = replayed([one()]).listed
    assert differences(difference.before, difference.after) == (
        "time to answer 24 h → 8 h",
        "decided by the clock → lead",
    )


def test_the_list_is_bounded_and_the_count_is_not() -> None:
    tally = replayed([one()] * 9, listed_max=4)
    assert (tally.different, len(tally.listed), tally.how["time to answer 24 h → 8 h"]) == (9, 4, 9)


def test_an_edition_that_was_changed_behind_our_back_is_noticed() -> None:
    question = dataclasses.replace(past(one()), verdict="0" * 64)
    tally = replay([question], under=EDITION, editions={EDITION.id: EDITION}, class_of=lambda q: "")
    assert (tally.not_reproduced, tally.different) == (1, 0)
    gone = replay([past(one())], under=EDITION, editions={}, class_of=lambda q: "")
    assert (gone.not_kept, gone.judged) == (1, 0)


def test_a_clause_in_the_shadow_stands_beside_all_others_of_the_edition_in_force() -> None:
    shadow = Shadow(edition=STRICTER, clauses=("mail.unsolicited",))
    beside = shadow.beside(EDITION)
    assert [c.id for c in beside.clauses] == [c.id for c in EDITION.clauses]
    assert beside.clause("mail.unsolicited") is STRICTER.clause("mail.unsolicited")
    assert beside.clause("network.scanning") is EDITION.clause("network.scanning")
    assert beside.look_back == EDITION.look_back
    assert shadow.beside(EDITION) is beside
    assert {c.id for c in Shadow(edition=STRICTER).beside(EDITION).clauses} == {c.id for c in STRICTER.clauses}


def test_a_clause_in_the_shadow_is_asked_for_what_it_would_take_over() -> None:
    spam = EDITION.clause("mail.unsolicited")
    scan = EDITION.clause("network.scanning")
    taken = dataclasses.replace(
        scan, id="mail.bulk", applies_to=spam.applies_to, findings=("flows.scan",), when=None, found_when=None
    )
    there = tuple(
        dataclasses.replace(c, applies_to=()) if c is spam else dataclasses.replace(c, findings=()) if c is scan else c
        for c in EDITION.clauses
    )
    shadow = Shadow(edition=dataclasses.replace(EDITION, id="2027-01", clauses=(*there, taken)), clauses=("mail.bulk",))
    beside = shadow.beside(EDITION)
    assert beside.clause_for(Allegation(type="messaging/spam")) is taken
    assert beside.clause_for_finding("flows.scan", facts={}) is taken
    assert beside.clause_for(Allegation(type="connection/port_scan")) == beside.clause("network.scanning")
    assert EDITION.clause_for(Allegation(type="messaging/spam")) is spam


def test_what_runs_in_the_shadow_is_known_by_its_words_and_its_clauses() -> None:
    def key(digest: str, *clauses: str) -> str:
        return Shadow(edition=dataclasses.replace(EDITION, digest=digest), clauses=clauses).key

    assert key("a" * 64) == "shadow:" + "a" * 64
    assert key("a" * 64) != key("b" * 64), "the same name over other words is another edition"
    assert key("a" * 64, "mail.unsolicited") not in (key("a" * 64), key("a" * 64, "network.scanning"))
    both = ("mail.unsolicited", "network.scanning")
    assert key("a" * 64, *both) == key("a" * 64, *reversed(both))


def test_a_time_that_was_not_understood_is_kept_without_its_words_and_older_entries_are_still_read() -> None:
    kept = keep_question(
        Allegation(type="messaging/spam", unread_time="last month"), history=History(), received_at=NOW, trust=None
    )
    assert "last month" not in json.dumps(kept)

    def again(kept: dict[str, object]) -> Allegation:
        conduct = question_again(
            "R-000001.1", kept, grade="probable", reason="TIME_ASSUMED", customer="acct-1", service=None, edition="e",
            verdict="",
        ).conduct  # fmt: skip
        assert isinstance(conduct, Allegation)
        return conduct

    assert again(kept).unread_time is not None
    del kept["unread_time"]
    assert again(kept).unread_time is None


def of_history(under_days: int, *, strikes: int, group: str = "mail", customer: bool = True) -> Tally:
    """A replay of one question about mail, under an edition that counts strikes for so many days and in that group."""
    asked = Asked(
        allegation=Allegation(type="messaging/spam", moment=Moment(NOW - timedelta(hours=3))),
        attribution=Attribution(
            grade=Grade.CONFIRMED, reason=AttributionReason.ONE_HOLDER, customer="acct-1001" if customer else None
        ),
        history=History(cases_before=strikes), edition=EDITION, trust=None, cited=None,
    )  # fmt: skip
    under = dataclasses.replace(
        EDITION,
        id="2027-01",
        repeats=(Repeats(group=group, lifetime=timedelta(days=under_days)),),
        clauses=tuple(
            dataclasses.replace(c, group=group) if c.id == "mail.unsolicited" else c for c in EDITION.clauses
        ),
    )
    editions = {EDITION.id: EDITION}
    return replay([past(asked)], under=as_if_always(under), editions=editions, class_of=lambda _: "")


def test_a_replay_says_of_how_many_the_history_is_not_known() -> None:
    same = EDITION.repeats_of("mail").lifetime.days
    assert of_history(same, strikes=2).history_unknown == 0
    assert of_history(same - 1, strikes=2).history_unknown == 1
    assert of_history(same - 1, strikes=0).history_unknown == 0, "a shorter time adds no strike where none was"
    assert of_history(same + 1, strikes=0).history_unknown == 1
    assert of_history(same, strikes=0, group="post").history_unknown == 1, "strikes of another group were not counted"
    assert of_history(same + 1, strikes=0, customer=False).history_unknown == 0, "nobody is named"
    total = Tally()
    for days in (same, same + 1, same + 1):
        total.add(of_history(days, strikes=1))
    assert (total.judged, total.history_unknown) == (3, 2)
    assert "may count others for 2 of them: their treatment is not sure." in total.said_of_history
    assert "change nothing for any of them" in of_history(same, strikes=2).said_of_history
