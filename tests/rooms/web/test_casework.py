"""Forms of the console move cases through the procedures."""

import base64
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from tipstaff import wiring
from tipstaff.cases.operations import move_case, propose
from tipstaff.cases.queries import decisions_of, get_case, list_cases, notes_of
from tipstaff.enforcement.models import MeasureRow
from tipstaff.enforcement.queries import list_measures, measures_of_case
from tipstaff.intake.models import IncidentRow, ReportRow
from tipstaff.intake.queries import get_report, list_reports, reports_of_case
from tipstaff.ledger.operations import PIECE_OCTETS, record_all
from tipstaff.ledger.queries import TRACE_SHOWN, entries_about, left_out_of_trace, raw_pieces
from tipstaff.notices.queries import letters_of_report
from tipstaff.policy.remedies import COUNTERSIGN_WITHIN
from tipstaff.procedures import complaint
from tipstaff.web.console import evidence, views
from tipstaff.web.console.corrections import BadCorrection, allegations_from
from tipstaff.web.console.evidence import READ_OCTETS_MAX
from tipstaff.web.console.reads import REPORTS_SHOWN, STEPS_SHOWN, case_page
from tipstaff.web.shown import size_words
from tipstaff.web.templatetags.tipstaff_web import thousands
from tipstaff.words import Case, CaseOutcome, CaseState, Channel, LetterKind, Moment, Report, ReportOutcome, Role

LogIn = Callable[..., Client]
ADDRESS = "192.0.2.27"


def running(*, but: str = "") -> Case:
    return next(c for c in list_cases(states=frozenset({CaseState.NOTIFIED, CaseState.EXTENDED})) if c.key != but)


def do(client: Client, case: Case, action: str, **form: object) -> str:
    answer = client.post(
        reverse("console:act", args=[case.key, action]), {"version": case.version, **form}, follow=True
    )
    assert answer.status_code == 200
    return answer.content.decode()


def fresh(case: Case) -> Case:
    found = get_case(case.key)
    assert found is not None
    return found


def test_a_note_stands_on_the_case_and_in_no_letter(day: object, log_in: LogIn) -> None:
    case = running()
    page = do(log_in(Role.ANALYST, name="lena"), case, "note", text="Called them; <b>they</b> look into it.")
    assert [n.actor for n in notes_of(case.key)] == ["lena"]
    assert "&lt;b&gt;they&lt;/b&gt;" in page


def test_taking_a_case_puts_a_name_on_it(day: object, log_in: LogIn) -> None:
    case = running()
    assert "The case is yours." in do(log_in(Role.ANALYST, name="lena"), case, "take")
    assert fresh(case).assignee == "lena"


def test_a_stale_page_changes_nothing_and_says_so(day: object, log_in: LogIn) -> None:
    case = running()
    do(log_in(Role.ANALYST, name="lena"), case, "take")
    page = do(log_in(Role.LEAD, name="mary"), case, "take")
    assert "Somebody else changed this case meanwhile" in page
    assert fresh(case).assignee == "lena"


def test_a_case_is_closed_as_not_upheld_with_a_reason(day: object, log_in: LogIn) -> None:
    case = running()
    assert "Say why" in do(log_in(Role.LEAD), case, "not-upheld", why=" ")
    do(log_in(Role.LEAD), case, "not-upheld", why="The log is of another network.")
    assert (fresh(case).state, fresh(case).outcome) == (CaseState.CLOSED, CaseOutcome.NOT_UPHELD)


def test_an_urgent_measure_takes_two_different_people(day: object, log_in: LogIn) -> None:
    case = next(c for c in list_cases() if c.state is CaseState.NOTIFIED and c.measure_ports and c.decides is None)
    mary = log_in(Role.LEAD, name="mary")
    do(mary, case, "propose-urgent", ground="network_harm", shown_by="40,000 mails an hour")
    page = do(mary, case, "second-urgent")
    assert "cannot second" in page
    assert measures_of_case(case.key) == []
    do(log_in(Role.ENGINEER, name="eva"), case, "second-urgent")
    (measure,) = measures_of_case(case.key)
    assert measure.urgency is not None
    assert {measure.urgency.decided_by, measure.urgency.seconded_by} == {"mary", "eva"}
    assert decisions_of(case.key)[0].seconded_by == "eva"
    page_of_it, goes_on = reverse("console:measure", args=[measure.key]), reverse("console:prolong", args=[measure.key])
    assert "Let it go on" in mary.get(page_of_it).content.decode()
    mary.post(goes_on, {"why": "It goes on."})
    assert measures_of_case(case.key)[0].until == measure.until, "who proposed it does not review it"
    nora = log_in(Role.LEAD, name="nora")
    agrees = reverse("console:second_prolonging", args=[measure.key])
    assert "Proposed." in nora.post(goes_on, {"why": "It goes on."}, follow=True).content.decode()
    assert agrees not in nora.get(reverse("console:case", args=[case.key])).content.decode()
    assert "cannot second" in nora.post(agrees, follow=True).content.decode()
    assert measures_of_case(case.key)[0].until == measure.until, "two took it, so two let it go on"
    assert agrees in mary.get(reverse("console:case", args=[case.key])).content.decode()
    mary.post(agrees)
    (later,) = measures_of_case(case.key)
    assert later.until is not None
    assert measure.until is not None
    assert later.until > measure.until


def test_neither_proposal_hides_the_other_and_each_stands_as_long_as_it_counts(day: object, log_in: LogIn) -> None:
    at = day_now()
    case = next(c for c in list_cases() if c.state is CaseState.NOTIFIED and c.measure_ports and c.decides is None)
    wide, urgent, form = "Agree: take the measure", "Second it: measure at once", "Urgent measure…"
    lead = log_in(Role.LEAD, Role.ENGINEER, name="nora")

    def shown(*sentences: str) -> list[bool]:
        page = lead.get(reverse("console:case", args=[case.key])).content.decode()
        return [sentence in page for sentence in sentences]

    takes = "block 2001:db8:2001:db8:2001:db8:2001:db8 on the-edge-of-the-north hits 3"
    propose(case.key, kind="wide_measure", ground=takes, detail="It goes on.", at=at, actor="mary")
    assert shown(wide, urgent, form) == [False, False, True], "they have their time again: nobody agrees to a measure"
    move_case(case.key, to=CaseState.WAITING_PERSON, at=at, actor="tests", why="They wrote.")
    assert shown(wide, takes, urgent, form) == [True, True, False, True]
    propose(case.key, kind="urgent_measure", ground="network_harm", detail="40,000 mails", at=at, actor="mary")
    assert shown(wide, urgent, form) == [True, True, False]
    lapsed = at + COUNTERSIGN_WITHIN + timedelta(seconds=1)
    page = case_page(case.key, at=lapsed)
    assert page is not None
    assert (page.proposals, page.urgent_waits) == ([], False)


def test_a_dispute_is_reviewed_and_the_clock_runs_again(day: object, log_in: LogIn) -> None:
    from tipstaff.procedures.answers import answer_case
    from tipstaff.words import Answer

    case = running()
    answer_case(case.key, answer=Answer.DISPUTE, words="No.", via="portal", desk=day.desk(), at=day_now())  # type: ignore[attr-defined]  # the day's module
    disputed = fresh(case)
    do(log_in(Role.ANALYST, Role.LEAD), disputed, "review", decision="rejected", why="The port is theirs.")
    assert fresh(case).state is CaseState.NOTIFIED


def day_now():  # type: ignore[no-untyped-def]  # the instant that the fixture set
    from tipstaff import wiring

    return wiring.now()


def test_a_report_nobody_could_read_is_read_by_a_person(day: object, log_in: LogIn) -> None:
    report = list_reports(outcome=ReportOutcome.WITH_A_PERSON)
    broken = next(r for r in report if not r.incidents)
    client = log_in(Role.ANALYST)
    form = {"type": "connection/port_scan", "source": "not an address"}
    page = client.post(reverse("console:read_as", args=[broken.key]), form, follow=True).content.decode()
    assert "is not an IP address" in page
    form = {"type": "connection/port_scan", "source": "192.0.2.27", "source_port": "99999"}
    page = client.post(reverse("console:read_as", args=[broken.key]), form, follow=True).content.decode()
    assert "is not a port from 0 to 65535." in page
    form = {"type": "connection/port_scan", "source": "192.0.2.27", "at": "2026-05-04T08:00Z"}
    client.post(reverse("console:read_as", args=[broken.key]), form, follow=True)
    after = get_report(broken.key)
    assert after is not None
    assert [str(i.allegation.source) for i in after.incidents] == ["192.0.2.27"]
    assert "By hand: 1 incident." in client.get(reverse("console:report", args=[broken.key])).content.decode()


def unsure_of(text: str, subject: str = "Abuse") -> Report:
    """A report of which the reader is not sure."""
    desk = replace(wiring.desk(), enqueue=lambda job, key: None)
    raw = f"From: Reader <reader@reporter.example.org>\nSubject: {subject}\n\n{text}".encode()
    key = complaint.accept(
        raw, sender="reader@reporter.example.org", recipients=(), channel=Channel.SMTP, desk=desk, at=day_now()
    )
    complaint.understand(key, desk=desk, at=day_now())
    found = get_report(key)
    assert found is not None
    return found


def test_what_a_report_could_mean_is_listed_ours_first_and_marked_in_the_mail(day: object, log_in: LogIn) -> None:
    others = "The attacker is 203.0.113.200, brute force attack from 203.0.113.200.\n"
    report = unsure_of(f"{others}Their gateway is {ADDRESS.replace('.', '[.]')} <b>.\n", "203.0.113.200 brute force")
    assert report.outcome is ReportOutcome.WITH_A_PERSON
    page = log_in(Role.ANALYST).get(reverse("console:report", args=[report.key])).content.decode()
    could = page.partition("What it could mean")[2].partition("</section>")[0]
    assert re.findall(r'name="use" value="([^"]+)"', could) == [ADDRESS, "203.0.113.200"]
    assert could.count(">ours<") == 1
    assert f"<mark>{ADDRESS.replace('.', '[.]')}</mark> &lt;b&gt;" in page
    assert "<mark>203.0.113.200</mark>" in page
    assert f'spellcheck="false" value="{ADDRESS}"' in page, "whoever writes here mostly means us; a person decides"
    picked = log_in(Role.ANALYST).get(reverse("console:report", args=[report.key]), {"use": ["203.0.113.200", "x"]})
    assert 'spellcheck="false" value="203.0.113.200"' in picked.content.decode()
    watching = log_in(Role.ENGINEER).get(reverse("console:report", args=[report.key]))
    assert "Put those picked" not in watching.content.decode()


def test_what_was_read_is_gone_by_as_it_stands_when_a_person_says_that_it_is_right(day: object, log_in: LogIn) -> None:
    lines = "".join(
        f"2026-05-04T0{n}:00:00Z {ADDRESS.rpartition('.')[0]}.{20 + n}:{4000 + n} -> 203.0.113.201:22\n"
        for n in (1, 2, 3)
    )
    report = unsure_of(f"Dear all, please look at these.\n\n{lines}")
    assert report.outcome is ReportOutcome.WITH_A_PERSON
    before = [i.allegation for i in report.incidents]
    assert len({x.moment for x in before}) == 3
    client = log_in(Role.ANALYST)
    act = reverse("console:read_as", args=[report.key])
    late = client.post(act, {"as_read": "R-000000.1"}, follow=True).content.decode()
    assert "was read anew since you looked" in late
    assert [i.key for i in get_report(report.key).incidents] == [i.key for i in report.incidents]  # type: ignore[union-attr]  # it is there
    done = client.post(act, {"as_read": report.incidents[0].key}, follow=True).content.decode()
    assert "goes by what was read" in done
    after = get_report(report.key)
    assert after is not None
    assert [i.allegation for i in after.incidents] == before
    assert all(i.outcome is not ReportOutcome.RECEIVED for i in after.incidents)


def test_a_person_names_several_addresses_and_each_keeps_the_time_that_was_stated_for_it(
    day: object, log_in: LogIn
) -> None:
    net = ADDRESS.rpartition(".")[0]
    lines = "".join(f"2026-05-04T0{n}:00:00Z {net}.{20 + n}:{4000 + n} -> 203.0.113.201:22\n" for n in (1, 2))
    report = unsure_of(f"Dear all, please look at these.\n\n{lines}")
    form = {"type": "connection/port_scan", "source": f"{net}.22, {net}.21\n{net}.77"}
    log_in(Role.ANALYST).post(reverse("console:read_as", args=[report.key]), form, follow=True)
    after = get_report(report.key)
    assert after is not None
    told = {str(i.allegation.source): i.allegation for i in after.incidents}
    assert list(told) == [f"{net}.22", f"{net}.21", f"{net}.77"]
    assert [told[f"{net}.2{n}"].moment.at.hour for n in (1, 2)] == [1, 2]  # type: ignore[union-attr]  # each has one
    assert (told[f"{net}.77"].moment, told[f"{net}.77"].unread_time) == (None, "one of 2 times")


def test_what_is_no_list_of_addresses_is_refused() -> None:
    many = " ".join(f"10.0.{n >> 8}.{n & 255}" for n in range(501))
    for source, said in (("192.0.2.1 nonsense", "is not an IP address"), (many, "at most 500"), (" , ", "Give the")):
        with pytest.raises(BadCorrection, match=said):
            allegations_from({"type": "connection/port_scan", "source": source}, clauses=())


def test_a_host_name_is_enough() -> None:
    [told] = allegations_from({"type": "content/phishing", "url": "Login.Shop.example"}, clauses=())
    assert (told.domain, told.url, told.source) == ("login.shop.example", None, None)


def test_the_form_to_read_a_report_begins_with_what_was_understood(day: object, log_in: LogIn) -> None:
    waits = next(r for r in list_reports(outcome=ReportOutcome.WITH_A_PERSON) if r.incidents)
    first = waits.incidents[0].allegation
    page = log_in(Role.ANALYST).get(reverse("console:report", args=[waits.key])).content.decode()
    assert f'<option value="{first.type}" selected>' in page
    assert f'name="source" class="input mono" spellcheck="false" value="{first.source or ""}"' in page
    assert "None" not in page.partition("Read it yourself")[2].partition("</section>")[0].replace("None of these", "")
    assert "It is none: set it aside</h3>" in page
    assert "text/plain</b> text/plain" not in page
    cases = log_in(Role.ANALYST, name="ola").get("/console/cases").content.decode()
    assert '<span class="label-caps">Complaints an hour</span>' in cases


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("2026-05-03", Moment(datetime(2026, 5, 3, 12, tzinfo=UTC), 26 * 3600, zone_stated=False)),
        ("2026-05-03 08:00", Moment(datetime(2026, 5, 3, 8, tzinfo=UTC), 60)),
        ("2026-05-03T08:00+02:00", Moment(datetime(2026, 5, 3, 6, tzinfo=UTC), 60)),
        ("", None),
    ],
)
def test_a_day_that_a_person_types_is_all_of_it_and_an_hour_is_utc_as_the_form_says(
    typed: str, moment: Moment | None
) -> None:
    form = {"type": "connection/port_scan", "source": "192.0.2.27", "at": typed}
    assert [x.moment for x in allegations_from(form, clauses=())] == [moment]


def test_a_key_in_the_search_box_opens_its_page(day: object, log_in: LogIn) -> None:
    client = log_in(Role.ANALYST)
    assert client.get("/console/search?q=c-000001")["Location"] == "/console/cases/C-000001"
    assert client.get("/console/search?q=m-000001")["Location"] == "/console/measures/M-000001"


def test_every_page_of_the_day_can_be_opened(day: object, log_in: LogIn) -> None:
    client = log_in(Role.LEAD, Role.COUNSEL, Role.ADMINISTRATOR)
    for case in list_cases(limit=100):
        assert client.get(reverse("console:case", args=[case.key])).status_code == 200
        assert client.get(reverse("console:peek", args=[case.key])).status_code == 200
        assert client.get(reverse("console:customer", args=[case.customer])).status_code == 200
    for report in list_reports(limit=100):
        assert client.get(reverse("console:report", args=[report.key])).status_code == 200
    for view in ("open", "mine", "overdue", "person", "measure", "closed", "all"):
        assert client.get(f"/console/cases?view={view}&find=example").status_code == 200
    assert "Whole:" in client.get("/console/record?verify=1").content.decode()


def test_a_page_says_what_it_leaves_out_of_a_long_story_and_the_record_goes_on(
    day: object, log_in: LogIn, at: datetime
) -> None:
    client = log_in(Role.LEAD, Role.COUNSEL, Role.ADMINISTRATOR)
    key = list_cases(limit=1)[0].key
    pages = [reverse("console:case", args=[key]), reverse("console:peek", args=[key])]
    for page in pages:
        assert "are left out here" not in client.get(page).content.decode()
    joins = (("case.joined", [key, f"R-9{n:05}"], {}) for n in range(TRACE_SHOWN))
    record_all(joins, at=at, actor="worker")
    for page in pages:
        said = f"{thousands(left_out_of_trace(key, limit=STEPS_SHOWN))} entries between them are left out here"
        assert said in client.get(page).content.decode()
    shown, ids = f"/console/record?about={key}", list[int]()
    while shown:
        answer = client.get(shown)
        ids += [entry.id for entry, _ in answer.context["lines"]]
        older = answer.context["older"]
        assert older is None or f"?before={older}&amp;about={key}" in answer.content.decode()
        shown = f"/console/record?before={older}&about={key}" if older is not None else ""
    assert ids == [entry.id for entry in reversed(entries_about(key))]


def test_reports_that_joined_a_case_are_shown_page_by_page_each_once(day: object, log_in: LogIn) -> None:
    client = log_in(Role.ANALYST)
    case = running()
    first = reports_of_case(case.key)[0]
    report, incident = ReportRow.objects.get(key=first.key), IncidentRow.objects.get(report__key=first.key, n=1)
    for n in range(2 * REPORTS_SHOWN):
        report.pk, report.key, report.evidence = None, f"R-9{n:05}", f"{n:064}"
        report.save()
        incident.pk, incident.report = None, report
        incident.save()
    joined = reports_of_case(case.key)
    here, shown = reverse("console:case", args=[case.key]), []
    for page in ("", "?reports=2", "?reports=3"):
        answer = client.get(here + page)
        assert f'hx-get="{here}{page}"' in answer.content.decode(), "a page that refreshes itself stays where it is"
        shown += [one.report.key for one in answer.context["page"].reports]
    assert shown == [report.key for report in joined]
    assert f"of {len(joined)}, oldest first" in answer.content.decode()
    alone = f"Of reports {len(joined)} to {len(joined)} of {len(joined)}, as they are"
    assert answer.content.decode().count(alone) == 1, "the one on the last page may be split off"
    these = f"Of reports 1 to {REPORTS_SHOWN} of {len(joined)}, as they are"
    assert client.get(here).content.decode().count(these) == 2, "the reasons, and what may be split off, are of these"
    assert client.get(f"{here}?reports=999999").context["page"].reports_at.page == 3
    assert client.get(f"{here}?reports=-1").context["page"].reports_at.page == 1


def test_a_case_draws_who_held_it_and_asks_the_same_again_today(day: object, log_in: LogIn) -> None:
    client, case = log_in(Role.ANALYST), running()
    answer = client.get(reverse("console:case", args=[case.key]))
    page, found = answer.content.decode(), answer.context["page"].attribution
    assert page.count(">event</text>") == 2, "one picture for a wide page, one for a phone"
    assert case.customer in {row.customer for row in found.rows}
    assert page.count('<span class="chip tone-green">proof</span>') == len(found.rows) > 0
    again = f"{reverse('console:held')}?{found.question}"
    assert again.replace("&", "&amp;") in page
    assert client.get(again).context["answer"].customer == case.customer


@pytest.mark.parametrize("kind", ["report", "measure"])
def test_a_list_goes_on_to_its_end(
    day: object, log_in: LogIn, at: datetime, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for n in range(3):
        MeasureRow.objects.create(
            key=f"M-9{n:05}", case="C-000001", customer="any", device="edge-1", selector_key=str(n), degree=2, proof=3,
            selector={"network": f"{ADDRESS}/32", "protocol": "tcp", "port": 25 + n, "direction": "both"},
            notice="L-000001", state="in_force", planned_at=at, in_force_at=at, lifted_when="fixed",
            until=at + timedelta(days=7),
        )  # fmt: skip
    monkeypatch.setattr(views, f"{kind.upper()}_LINES", 2)
    client, shown, asked = log_in(Role.LEAD), list[str](), "state="
    while asked:
        answer = client.get(f"/console/{kind}s?{asked}")
        shown += [each.key for each in answer.context[f"{kind}s"]]
        asked = answer.context["older"]
        assert not asked or f"?{asked.replace('&', '&amp;')}" in answer.content.decode()
    every = list_reports(limit=1000, sealed=False) if kind == "report" else list_measures(limit=1000)
    assert shown == [each.key for each in every]
    assert len(shown) > 2


def test_raw_evidence_is_plain_text_that_nothing_runs(day: object, log_in: LogIn) -> None:
    report = next(r for r in list_reports() if r.outcome is not ReportOutcome.SEALED)
    answer = log_in(Role.ANALYST).get(reverse("console:raw_evidence", args=[report.evidence]))
    assert answer["Content-Type"].startswith("text/plain")
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_large_mail_is_shown_in_part_and_can_be_had_whole(
    day: object, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = b"192.0.2.27 attacks us\r\n" * 100
    raw = (
        b"From: watch@reporter.example.org\r\nTo: abuse@operator.example.net\r\nSubject: A long log\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee the log.\r\n--b\r\n"
        b"Content-Type: text/plain; name=log.txt\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(log + os.urandom(3 * READ_OCTETS_MAX)) + b"--b--\r\n"
    )  # fmt: skip
    key = complaint.accept(
        raw, sender="watch@reporter.example.org", recipients=("abuse@operator.example.net",), channel=Channel.SMTP,
        desk=wiring.desk(), at=day_now(),
    )  # fmt: skip
    report = get_report(key)
    assert report is not None
    seen = []
    shown = evidence.read_mail
    monkeypatch.setattr(evidence, "read_mail", lambda head: seen.append(len(head)) or shown(head))
    client = log_in(Role.ANALYST)
    page = client.get(reverse("console:report", args=[key])).content.decode()
    assert seen == [READ_OCTETS_MAX]
    assert f"Only the first {size_words(READ_OCTETS_MAX)} of {size_words(len(raw))} are shown here" in page
    assert "See the log." in page
    assert "192.0.2.27 attacks us" in page
    assert "form is broken" not in page, "it is whole; only the page is not"
    whole = client.get(reverse("console:raw_evidence", args=[report.evidence]) + "?save")
    assert whole.getvalue() == raw
    assert whole["Content-Length"] == str(len(raw))
    assert max(len(piece) for piece in raw_pieces(report.evidence)) <= PIECE_OCTETS


def test_whoever_comes_upon_child_abuse_seals_the_report_from_its_page(day: object, log_in: LogIn) -> None:
    report = next(r for r in list_reports() if r.outcome is ReportOutcome.WITH_A_PERSON)
    client = log_in(Role.ANALYST)
    page = client.get(reverse("console:report", args=[report.key])).content.decode()
    assert "Seal this report" in page
    page = client.post(reverse("console:seal", args=[report.key]), follow=True).content.decode()
    assert f"{report.key} is in the sealed queue now." in page
    assert client.get(reverse("console:report", args=[report.key])).status_code == 404
    assert "never shown" in log_in(Role.COUNSEL).get(reverse("console:report", args=[report.key])).content.decode()
    assert get_report(report.key).outcome is ReportOutcome.SEALED  # type: ignore[union-attr]  # it is there
    assert client.get(reverse("console:raw_evidence", args=[report.evidence])).status_code == 404


def test_setting_a_report_aside_takes_a_reason_and_says_whether_its_sender_hears(day: object, log_in: LogIn) -> None:
    report = next(r for r in list_reports() if r.outcome is ReportOutcome.WITH_A_PERSON and not r.incidents)
    client = log_in(Role.ANALYST)
    aside = reverse("console:set_aside", args=[report.key])
    assert "Say why" in client.post(aside, {"why": " \0"}, follow=True).content.decode()
    client.post(aside, {"why": "Nothing in it.", "tell": "on"})
    assert [x.kind for x in letters_of_report(report.key)][-1] is LetterKind.OUTCOME


def test_what_no_browser_sends_is_no_failure(day: object, log_in: LogIn) -> None:
    client = log_in(Role.LEAD)
    for path in ("reports?find=a%00b", "customers?find=%00", "record?about=%00", "cases?find=%00", "search?q=x%00"):
        assert client.get(f"/console/{path}").status_code == 200
    case = running()
    assert "Choose one of the grounds" in do(client, case, "propose-urgent", ground="whim", shown_by="Because.")
    assert "meanwhile" in do(client, case, "take", version="9" * 30)


def test_a_measure_that_the_policy_leaves_to_two_people_waits_for_the_second(
    day: object, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = next(c for c in list_cases() if c.state is CaseState.NOTIFIED and c.measure_ports and c.decides is None)
    desk = wiring.desk()
    [*earlier, edition] = desk.editions
    clauses = tuple(replace(c, two_people=True) if c.id == case.clause else c for c in edition.clauses)
    changed = replace(desk, editions=(*earlier, replace(edition, clauses=clauses)))
    monkeypatch.setattr(wiring, "desk", lambda: changed)
    assert case.due_at is not None
    due = case.due_at + timedelta(hours=1)
    monkeypatch.setattr(wiring, "now", lambda: due)
    move_case(case.key, to=CaseState.OVERDUE, at=due, actor="tests", why="No answer.")
    move_case(case.key, to=CaseState.WAITING_PERSON, at=due, actor="tests", why="Two people decide.")
    mary, nora = log_in(Role.ANALYST, name="mary"), log_in(Role.LEAD, name="nora")
    page = do(mary, fresh(case), "decide", decision="go_ahead", why="It goes on.")
    assert "Proposed: it takes two people." in page
    assert f"Under clause {case.clause} of edition {case.edition} two people decide on this measure" in page
    assert "Agree: take the measure" not in page, "nobody is their own second person"
    assert measures_of_case(case.key) == []
    assert "two people answer for it" in do(nora, fresh(case), "second-wide")
    assert len(measures_of_case(case.key)) >= 1
    assert {decisions_of(case.key)[0].proposed_by, decisions_of(case.key)[0].seconded_by} == {"mary", "nora"}
