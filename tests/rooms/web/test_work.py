"""Many cases, many hands: nothing is lost, everything can be undone, and nothing of it leaves the desk."""

import dataclasses
import random
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse

from tipstaff import wiring
from tipstaff.cases.clocks import look_again, running_clocks, start_clocks
from tipstaff.cases.models import CaseRow
from tipstaff.cases.queries import Narrowed, get_case, lineage_of, list_cases, members_of, notes_of
from tipstaff.cases.rules import NEEDS_PERSON
from tipstaff.cases.working import be_present, saved_views
from tipstaff.intake.queries import list_reports, reports_of_case
from tipstaff.ledger.queries import trace
from tipstaff.notices.queries import letters_of_case
from tipstaff.procedures import complaint, work
from tipstaff.procedures.links import Link, make_link
from tipstaff.procedures.suspension import close
from tipstaff.web.console import reads
from tipstaff.words import Case, CaseOutcome, CaseState, ReportOutcome, Role, RunningClock

LogIn = Callable[..., Client]
RUNNING = frozenset({CaseState.NOTIFIED, CaseState.EXTENDED})


def running() -> Case:
    return list_cases(states=RUNNING)[0]


def fresh(case: Case) -> Case:
    found = get_case(case.key)
    assert found is not None
    return found


def do(client: Client, case: Case, action: str, **form: object) -> str:
    url = reverse("console:act", args=[case.key, action])
    answer = client.post(url, {"version": case.version, **form}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_what_is_snoozed_is_out_of_sight_and_comes_back_by_itself(
    day: object, at: datetime, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, case = log_in(Role.ANALYST, name="lena"), running()
    listed = reverse("console:cases")
    assert f'id="row-{case.key}"' in client.get(listed).content.decode()
    assert "Choose a time" in do(client, case, "snooze", until=(at - timedelta(hours=1)).isoformat())
    do(client, case, "snooze", until=(at + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M"), why="They call at two.")
    assert fresh(case).snoozed_until == at + timedelta(hours=2)
    assert fresh(case).due_at == case.due_at
    assert f'id="row-{case.key}"' not in client.get(listed).content.decode()
    assert f'id="row-{case.key}"' in client.get(listed, {"view": "snoozed"}).content.decode()
    monkeypatch.setattr(wiring, "now", lambda: at + timedelta(hours=2))
    assert f'id="row-{case.key}"' in client.get(listed).content.decode()


def test_whoever_is_second_sees_both_versions_and_keeps_their_words(day: object, log_in: LogIn) -> None:
    lena, mary, case = log_in(Role.LEAD, name="lena"), log_in(Role.LEAD, name="mary"), running()
    page = reads.case_page(case.key, at=wiring.now())
    assert page is not None
    do(lena, case, "take")
    form = {"why": "The log is of another network.", "seen": page.seen, "seen_entry": page.entry}
    conflict = do(mary, case, "not-upheld", **form)
    assert "Somebody else changed this case meanwhile" in conflict
    assert "nobody&#x27;s" in conflict
    assert "lena&#x27;s" in conflict
    assert "The log is of another network.</textarea>" in conflict
    assert "Assigned" in conflict
    assert fresh(case).state is case.state
    do(mary, fresh(case), "not-upheld", **form)
    assert fresh(case).outcome is CaseOutcome.NOT_UPHELD


def test_the_page_says_who_else_has_the_case_open(day: object, at: datetime, log_in: LogIn) -> None:
    case = running()
    url = reverse("console:case", args=[case.key])
    log_in(Role.ANALYST, name="lena").get(url)
    mary = log_in(Role.LEAD, name="mary")
    page = mary.get(url).content.decode()
    assert "lena</b> has this case open as well" in page
    assert be_present(case.key, name="mary", at=at + timedelta(seconds=31)) == []


def test_a_case_is_handed_to_a_colleague_and_to_nobody_else(day: object, log_in: LogIn) -> None:
    client, case = log_in(Role.ANALYST, name="lena"), running()
    log_in(Role.LEAD, name="mary")
    log_in(Role.ADMINISTRATOR, name="adam")
    assert "mary" in reads.colleagues(but="lena")
    assert "adam" not in reads.colleagues(but="lena")
    assert "Nobody called zoe" in do(client, case, "hand-over", to="zoe")
    do(client, case, "hand-over", to="mary", note="They speak Spanish.")
    assert fresh(case).assignee == "mary"
    assert [n.text for n in notes_of(case.key)] == ["They speak Spanish."]


def test_tags_campaigns_and_followed_cases_are_lists(day: object, log_in: LogIn) -> None:
    client, case = log_in(Role.ANALYST, name="lena"), running()
    do(client, case, "tag", add="Botnet mirai")
    do(client, fresh(case), "tag", remove="mirai")
    do(client, fresh(case), "link", campaign="Spring Wave", why="Same bait.")
    do(client, fresh(case), "watch")
    assert (fresh(case).tags, fresh(case).campaign) == (("botnet",), "spring-wave")
    for narrowed in (Narrowed(tag="botnet"), Narrowed(campaign="spring-wave"), Narrowed(watcher="lena")):
        assert [c.key for c in list_cases(narrowed=narrowed)] == [case.key]
    for asked in ({"view": "all", "tag": "botnet"}, {"view": "all", "campaign": "spring-wave"}, {"view": "followed"}):
        page = client.get(reverse("console:cases"), asked).content.decode()
        assert f'id="row-{case.key}"' in page
        assert page.count('id="row-') == 1
    do(client, fresh(case), "unwatch")
    assert list_cases(narrowed=Narrowed(watcher="lena")) == []


def test_nothing_of_the_desks_own_leaves_it(day: object, at: datetime, log_in: LogIn) -> None:
    """A note, a tag, a campaign, a snooze, who follows: in no letter, not in the portal, not in a report's status."""
    client, case = log_in(Role.LEAD, name="lena-of-the-desk"), running()
    secret = ("zweitmeinung", "bulletproof-suspect", "operation-nightfall", "not-before-monday", "lena-of-the-desk")
    do(client, case, "note", text=secret[0])
    do(client, fresh(case), "tag", add=secret[1])
    do(client, fresh(case), "link", campaign=secret[2], why=secret[3])
    do(client, fresh(case), "watch")
    do(client, fresh(case), "snooze", until=(at + timedelta(hours=2)).isoformat(), why=secret[3])
    close(case.key, outcome=CaseOutcome.NOT_UPHELD, why="Not so.", desk=wiring.desk(), at=at, actor="lena-of-the-desk")
    shown = [letter.subject + letter.body + letter.html for letter in letters_of_case(case.key)]
    assert len(shown) > 1
    outside = Client()
    later = at + timedelta(days=1)
    shown.append(outside.get(f"/p/{make_link(Link.CASE, case.key, at=at, expires_at=later)}").content.decode())
    for report in reports_of_case(case.key):
        shown.append(outside.get(f"/r/{make_link(Link.REPORT, report.key, at=at, expires_at=later)}").content.decode())
    assert [word for word in secret for text in shown if word in text.lower()] == []


def test_many_at_once_are_shown_first_and_put_back_without_losing_a_later_edit(day: object, log_in: LogIn) -> None:
    client = log_in(Role.ANALYST, name="lena")
    one, two, three = list_cases(limit=3)
    do(client, three, "take")
    chosen = {"case": [f"{c.key}:{c.version}" for c in (one, two, three)], "action": "tag", "value": "wave"}
    preview = client.post(reverse("console:many"), chosen).content.decode()
    assert "Nothing is changed yet" in preview
    assert "changed since you saw it" in preview
    assert fresh(one) == one
    done = client.post(reverse("console:many"), {**chosen, "sure": "1"}, follow=True).content.decode()
    assert "2 cases changed." in done
    assert f"{three.key}: changed by somebody meanwhile" in done
    assert [fresh(c).tags for c in (one, two, three)] == [("wave",), ("wave",), ()]
    told = {key for entry in trace(one.key) for key in entry.about if key.startswith("C-")}
    assert told == {one.key}, "each case has its own story"
    do(client, fresh(two), "tag", add="mine")
    bulk = work.undoable("lena", at=wiring.now())
    assert bulk is not None
    undo = reverse("console:undo_many", args=[bulk.id])
    assert "no such act" in log_in(Role.LEAD, name="mary").post(undo, follow=True).content.decode()
    page = client.post(undo, follow=True).content.decode()
    assert f"1 cases put back. {two.key}: changed since" in page
    assert [fresh(c).tags for c in (one, two)] == [(), ("wave", "mine")]
    assert "undone already" in client.post(undo, follow=True).content.decode()


@pytest.mark.parametrize(
    ("action", "value", "why"),
    [("assign", "zoe", "Nobody called zoe"), ("snooze", "yesterday", "Choose until when"), ("tag", "a<b", "letters")],
)
def test_many_at_once_are_refused_as_one_would_be(
    day: object, log_in: LogIn, action: str, value: str, why: str
) -> None:  # fmt: skip
    case = running()
    form = {"case": f"{case.key}:{case.version}", "action": action, "value": value, "sure": "1"}
    assert why in log_in(Role.ANALYST).post(reverse("console:many"), form, follow=True).content.decode()
    assert fresh(case) == case


def test_views_are_kept_shared_and_forgotten_by_their_owner_alone(day: object, log_in: LogIn) -> None:
    lena, mary = log_in(Role.ANALYST, name="lena"), log_in(Role.LEAD, name="mary")
    keep = reverse("console:keep_view")
    lena.post(keep, {"name": "My spam", "query": "view=all&find=spam&page=3&evil=1", "shared": "1"})
    lena.post(keep, {"name": "Only mine", "query": "view=mine"})
    page = mary.get(reverse("console:cases")).content.decode()
    assert 'href="?view=all&amp;find=spam"' in page
    assert "Only mine" not in page
    [shared] = saved_views("mary")
    mary.post(keep, {"forget": shared.id})
    assert saved_views("mary") == [shared]
    lena.post(keep, {"forget": shared.id})
    assert [view.name for view in saved_views("lena")] == ["Only mine"]


def test_lateness_is_what_a_look_at_every_case_finds(day: object, at: datetime) -> None:
    zone = ZoneInfo("America/New_York")
    desk, chance = dataclasses.replace(wiring.desk(), zone=zone.key), random.Random(6)
    row = CaseRow.objects.order_by("key")[0]
    states = (CaseState.WAITING_PERSON, CaseState.DISPUTED, CaseState.APPEALED, CaseState.CLOSED, CaseState.NOTIFIED)
    for n in range(150):
        row.pk = row.part = f"C-9{n:05}"
        row.clause, row.group = chance.choice((("mail.unsolicited", "mail"), ("x.y", "x"), ("x.z", "x")))
        row.severity, row.state = chance.randrange(1, 5), str(chance.choice(states))
        row.waits_since = chance.choice((None, at - timedelta(hours=chance.randrange(90))))
        row.snoozed_until = chance.choice((None, at + timedelta(days=1)))
        row.save(force_insert=True)
    waiting = [case for case in list_cases(states=NEEDS_PERSON, limit=1000) if case.waits_since]
    assert len(waiting) > 40
    midnight = datetime.combine(at.astimezone(zone).date() + timedelta(days=1), time(), zone)
    by = {case.key: work.act_by(case, desk=desk) for case in waiting}
    found = work.lateness(desk=desk, at=at)
    late = sorted((due, key) for key, due in by.items() if due and due <= at)
    today = sorted((due, key) for key, due in by.items() if due and at < due < midnight)
    assert late
    assert today
    assert [(due, case.key) for case, due in found.late] == late
    assert [(due, case.key) for case, due in found.today] == today
    for level in found.levels:
        own = [case for case in waiting if case.clause == level.clause]
        assert level.within == min(work.level_of(case, desk=desk) for case in own)
        assert (level.waiting, level.late, level.today) == (
            len(own), *(sum(case.key in {key for _, key in some} for case in own) for some in (late, today)),
        )  # fmt: skip
    assert {level.clause for level in found.levels} == {case.clause for case in waiting}


def test_late_is_counted_by_clause_from_when_a_person_was_waited_for(day: object, at: datetime, log_in: LogIn) -> None:
    waiting = list_cases(states=frozenset({CaseState.WAITING_PERSON, CaseState.DISPUTED}), order="waits")
    assert waiting
    first = waiting[0]
    assert first.waits_since is not None
    desk = wiring.desk()
    by = work.act_by(first, desk=desk)
    assert by == first.waits_since + work.level_of(first, desk=desk)
    before = work.lateness(desk=desk, at=by - timedelta(seconds=1))
    assert first.key not in {case.key for case, _ in before.late}
    assert first.key in {case.key for case, _ in before.today}
    after = work.lateness(desk=desk, at=by)
    assert first.key in {case.key for case, _ in after.late}
    assert sum(level.waiting for level in after.levels) == len(waiting)
    page = log_in(Role.ANALYST).get(reverse("console:levels")).content.decode()
    assert first.clause in page
    assert by.tzinfo is UTC


def test_a_closed_case_is_opened_again_from_its_page(day: object, log_in: LogIn) -> None:
    client, case = log_in(Role.LEAD, name="mary"), running()
    url = reverse("console:case", args=[case.key])
    assert "Open it again" not in client.get(url).content.decode()
    do(client, case, "not-upheld", why="Not so.")
    assert "Open it again" in client.get(url).content.decode()
    assert "told why and has their time anew" in do(client, fresh(case), "reopen", why="New evidence came.")
    again = fresh(case)
    assert (again.state, again.outcome, again.reopened) == (CaseState.NOTIFIED, CaseOutcome.NONE, 1)
    assert "begins anew when the letter" in client.get(url).content.decode()


def test_a_split_and_its_merge_are_offered_and_done_on_the_page(day: object, at: datetime, log_in: LogIn) -> None:
    client, case = log_in(Role.LEAD, name="mary"), running()
    [report] = reports_of_case(case.key)[:1]
    assert report.reading is not None
    first = report.incidents[0].allegation
    correct = next(
        r for r in list_reports() if r.outcome is not ReportOutcome.SEALED and not any(i.case for i in r.incidents)
    )
    complaint.correct_reading(
        correct.key, allegations=(first,), desk=wiring.desk(), at=at, actor="mary"
    )  # fmt: skip
    members = list(members_of(case.key))
    assert len(members) > 1, "what was read by hand has joined"
    page = client.get(reverse("console:case", args=[case.key])).content.decode()
    assert f'value="{members[1]}"' in page
    do(client, fresh(case), "split", incident=members[1:], why="Two matters.")
    [new] = lineage_of(case.key) - {case.key}
    assert list(members_of(new)) == members[1:]
    page = client.get(reverse("console:case", args=[new])).content.decode()
    assert f'<option value="{case.key}">' in page
    do(client, get_case(new), "merge", into=case.key, why="One matter.")  # type: ignore[arg-type]  # it is there
    page = client.get(reverse("console:case", args=[new])).content.decode()
    assert f"It goes on in {case.key}" in page
    assert "Undo the merge" in page
    assert sorted(members_of(case.key)) == sorted(members)


def test_clocks_that_run_on_us_are_shown_and_only_counsel_notes_what_people_do(
    day: object, at: datetime, log_in: LogIn
) -> None:
    case, late_at = running(), at - timedelta(minutes=1)
    clocks = [
        RunningClock(clock=clock, about=about, edition="2026-01", started_at=at - timedelta(hours=3), due_at=due)
        for clock, about, due in (
            ("terror.preserve", case.key, late_at), ("complaint.forward", case.key, at + timedelta(hours=2)),
            ("threat.tell_police", "G-999999", late_at),
        )
    ]  # fmt: skip
    assert len(start_clocks(clocks, look_at=at)) == 3
    look_again(clocks[0], look_at=at, late_at=at)
    analyst, counsel = log_in(Role.ANALYST), log_in(Role.COUNSEL, name="carla")
    for url in (reverse("console:inbox"), reverse("console:clocks"), reverse("console:case", args=[case.key])):
        page = analyst.get(url).content.decode()
        assert "terror.preserve" in page, url
        assert "complaint.forward" in page, url
        assert '<span class="state tone-red">late</span>' in page, url
        assert "G-999999" not in page, "what stands in the legal register is counsel's"
    [order] = start_clocks(
        [dataclasses.replace(clocks[0], clock="terror.remove", about=reports_of_case(case.key)[0].key)], look_at=at
    )
    assert f"terror.remove {order.about}" in analyst.get(reverse("console:case", args=[case.key])).content.decode()
    assert "clocks of ours late" in analyst.get(reverse("console:wall")).content.decode()
    look_again(clocks[2], look_at=at, late_at=at)
    for client, late in ((analyst, 1), (counsel, 2)):
        tiles = client.get(reverse("console:wall")).context["tiles"]
        assert ("clocks of ours late", late, True) in tiles, "the wall counts what its reader's list shows"
    assert "G-999999" in counsel.get(reverse("console:clocks")).content.decode()
    told = {"about": case.key, "authority": "The police <b>", "how": "By telephone"}
    ended = {"clock": "terror.preserve", "about": case.key, "why": "Nobody needs it."}
    for name, form in (("clock_told", told), ("clock_end", ended)):
        assert analyst.post(reverse(f"console:{name}"), form).status_code == 403
    said = counsel.post(reverse("console:clock_told"), told, follow=True).content.decode()
    assert f"Noted for {case.key}." in said
    assert "The police &lt;b&gt;" in counsel.get(reverse("console:case", args=[case.key])).content.decode()
    assert "Say why it ends." in counsel.post(
        reverse("console:clock_end"), {**ended, "why": " "}, follow=True
    ).content.decode()  # fmt: skip
    assert f"Ended for {case.key}." in counsel.post(
        reverse("console:clock_end"), ended, follow=True
    ).content.decode()  # fmt: skip
    assert running_clocks(about=[case.key], clocks=["terror.preserve"]) == []
    counsel.post(reverse("console:clock_told"), {**told, "how": "x" * 5000})
    assert max(len(str(e.detail["how"])) for e in trace(case.key) if e.what == "authority.told") == 500
