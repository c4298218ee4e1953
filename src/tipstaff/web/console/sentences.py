"""An entry of the record as a plain sentence. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from tipstaff.words import Entry, Letter

from ..shown import instant, label, who


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a story, as a person reads it."""

    at: datetime
    title: str
    text: str
    actor: str
    tone: str
    entry: int
    minor: bool
    """True for what only the record needs: how a letter went from hand to hand, and the like."""


def tell_all(entries: Sequence[Entry], *, letters: Iterable[Letter] = ()) -> list[Step]:
    """The story of some entries, without what only the record needs; `letters` are those that were queued before."""
    kinds: dict[str, object] = {letter.key: letter.kind.value for letter in letters}
    kinds |= {_about("L-", e): e.detail["kind"] for e in entries if e.what.startswith("letter.") and "kind" in e.detail}
    whole = (
        replace(e, detail={**e.detail, "kind": kinds.get(_about("L-", e), "")}) if e.what.startswith("letter.") else e
        for e in entries
    )
    return [step for step in map(tell, whole) if not step.minor]


def tell(entry: Entry) -> Step:
    """The entry in words; one of a kind we have no words for is shown as it stands, never hidden."""
    title, tone, words = _KNOWN.get(entry.what, ("", "grey", _plain))
    return Step(
        at=entry.at,
        title=title or entry.what.replace(".", ": ").replace("_", " ").capitalize(),
        text=words(entry).strip(),
        actor="" if entry.actor.partition("-")[0] in _PROGRAMS else who(entry),
        tone=tone,
        entry=entry.id,
        minor=entry.what in _MINOR,
    )


_PROGRAMS = frozenset({"intake", "worker", "enforcer", "prober", "system", "clock"})
"""Steps that the program took by itself need no name beside them."""

_MINOR = frozenset(
    {
        "report.opened",
        "incident.decided",
        "retest.begun",
        "letter.queued",
        "letter.sending",
        "letter.handing_over",
        "letter.queued_again",
        "device.intent",
        "case.noted",
        "case.measure_planned",
        "case.measure_in_force",
        "evidence.seen_again",
        "sighting.decided",
        "shadow.disagreed",
        "condition.failed",
    }
)


def _get(entry: Entry, key: str) -> str:
    value = entry.detail.get(key)
    return "" if value is None else str(value)


def _plain(entry: Entry) -> str:
    return "; ".join(
        f"{key.replace('_', ' ')}: {_shown(value)}"
        for key, value in entry.detail.items()
        if value not in (None, "", [], {})
    )


def _shown(value: object) -> str:
    """A detail as a person reads it: lists without brackets, instants to the second in UTC."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_shown(one)}" for key, one in value.items())
    if isinstance(value, str) and (stamp := _STAMP.fullmatch(value)):
        return f"{stamp[1]} {stamp[2]} UTC"
    return value.lower().replace("_", " ") if isinstance(value, str) and _WORD.fullmatch(value) else str(value)


_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:\+00:00|Z)")
_WORD = re.compile(r"[A-Z]+(?:_[A-Z]+)+")


def _clock(entry: Entry) -> str:
    """Of what stands in the legal register no name is said."""
    due, why = _get(entry, "due_at"), _get(entry, "why")
    return " ".join(filter(None, [_get(entry, "clock"), f"due {due[:16].replace('T', ' ')} UTC" if due else "", why]))


def _says(*keys: str) -> Callable[[Entry], str]:
    """The first of the details that is there, as it is."""
    return lambda entry: next((found for key in keys if (found := _get(entry, key))), "")


def _parted(entry: Entry) -> str:
    """Which cases, how much went over, and why; the last is a person's sentence."""
    keys = " and ".join(key for key in entry.about if key.startswith("C-"))
    return f"{keys}: {_get(entry, 'incidents')} incidents. {_get(entry, 'why')}".strip()


def _snoozed(entry: Entry) -> str:
    return f"Until {_shown(entry.detail.get('until'))}. {_get(entry, 'why')}".strip()


def _opened(entry: Entry) -> str:
    return f"{_get(entry, 'clause')}, edition {_get(entry, 'edition')}. {_get(entry, 'explanation')}"


def _about(prefix: str, entry: Entry) -> str:
    return next((key for key in entry.about if key.startswith(prefix)), "")


def _joined(entry: Entry) -> str:
    if sighting := _about("S-", entry):
        return f"{sighting}: our own measurement is about the same thing."
    spans = [span.partition("-") for span in _get(entry, "incidents").split()]
    number = sum(int(last or first) - int(first) + 1 for first, _, last in spans)
    if number > 1:
        report = _about("R-", entry).partition(".")[0]
        return f"{number} incidents of {report} are about the same thing and keep their own outcomes."
    return f"{_about('R-', entry)} is about the same thing and keeps its own outcome."


def _agrees(entry: Entry) -> str:
    reports = ", ".join(key for key in entry.about if key.startswith("R-"))
    return f"{_about('S-', entry)} saw the same as {reports}."


def _examined(entry: Entry) -> str:
    name = f"“{_get(entry, 'name')}”" if _get(entry, "name") else "A file without a name"
    match _get(entry, "verdict"):
        case "matched":
            return f"{name}: {_get(entry, 'by')} knows it as {_shown(entry.detail.get('found', []))}."
        case "nothing_found":
            return f"{name}: {_get(entry, 'by')} found nothing, which does not make it harmless."
        case _:
            return f"{name if _get(entry, 'sha256') else 'Files'}: not examined. {_get(entry, 'why')}"


def _received(entry: Entry) -> str:
    digest = next((key for key in entry.about if len(key) == 64), "")
    channel, size = _get(entry, "channel").upper() or "mail", _get(entry, "size")
    channel = "a sensor of ours" if channel == "SENSOR" else channel
    octets = f", {size} octets" if size else ""
    return f"By {channel}{octets}; stored as {digest[:12]}… before anything read it."


def _answered(entry: Entry) -> str:
    words = _get(entry, "words")
    said = {"fixed": "It is fixed", "need_time": "More time, please", "dispute": "Disputed", "wrong_customer": "Not us"}
    answer = said.get(_get(entry, "answer"), _get(entry, "answer"))
    return f"{answer}. “{words}”" if words else f"{answer}."


def _assigned(entry: Entry) -> str:
    return f"To {_get(entry, 'to')}." if _get(entry, "to") else "To nobody."


def _due(entry: Entry) -> str:
    due = instant(_get(entry, "due_at"))
    return f"The answer is due by {due}." if due else _get(entry, "why")


def _report_read(entry: Entry) -> str:
    count = _get(entry, "incidents")
    found = f"{count} {'incident' if count == '1' else 'incidents'}"
    if _get(entry, "parser") == "person":
        return f"By hand: {found}."
    if _get(entry, "outcome") == "complaint":
        return f"By the {_get(entry, 'parser')} reader: {found}."
    return f"{label(_get(entry, 'outcome'))}: {label(_get(entry, 'reason')).lower()}."


def _judged(entry: Entry) -> str:
    holder, proof = _get(entry, "customer"), entry.detail.get("proof")
    rows = proof if isinstance(proof, list) else []
    if not holder:
        return f"Nobody is named ({label(_get(entry, 'attribution')).lower()}). {_get(entry, 'explanation')}"
    row = next((r for r in rows if isinstance(r, Mapping) and r.get("customer") == holder), None)
    sites = entry.detail.get("sites")
    site = next((s for s in sites if isinstance(s, Mapping)), None) if isinstance(sites, list) else None
    held = f" held {_span_held(row)};" if row is not None else ":"
    if site is not None:
        held = f" had the site {site.get('host_name')} at {_span_held({**site, 'prefix': site.get('address')})};"
    clause = f"Clause {_get(entry, 'clause')}, edition {_get(entry, 'edition')}."
    return f"{holder}{held} {label(_get(entry, 'attribution')).lower()}. {clause}"


def _span_held(row: Mapping[str, object]) -> str:
    ports = row.get("ports")
    some = f" ports {ports[0]}–{ports[1]}" if isinstance(ports, list) and ports != [0, 65535] else ""
    since, until = row.get("from"), row.get("until")
    return f"{row.get('prefix')}{some} from {instant(since, until)} until {instant(until, since) or 'now'}"


def _decided(entry: Entry) -> str:
    return f"{_about('R-', entry)}: {label(_get(entry, 'outcome')).lower()}, {label(_get(entry, 'reason')).lower()}."


_LETTERS: Mapping[str, str] = MappingProxyType(
    {
        "notice": "The notice to the customer",
        "reminder": "A reminder to the customer",
        "measure_taken": "The letter about the measure",
        "measure_lifted": "The letter about the lifted measure",
        "case_closed": "The letter that the case is closed",
        "dispute_received": "The letter that the dispute was received",
        "extension_granted": "The letter that grants more time",
        "acknowledgement": "The acknowledgement to the complainant",
        "needs_detail": "The question to the complainant",
        "not_ours": "The answer that it is not ours",
        "too_old": "The answer that it is too old",
        "outcome": "The outcome to the complainant",
    }
)


def _letter(end: str) -> Callable[[Entry], str]:
    def words(entry: Entry) -> str:
        what = _LETTERS.get(_get(entry, "kind"), "")
        name = f"{what} ({_about('L-', entry)})" if what else _about("L-", entry)
        said = _get(entry, "reply") or _get(entry, "why")
        return f"{name} {end}{f': {said}' if said else ''}."

    return words


def _weighed(entry: Entry) -> str:
    candidates = entry.detail.get("candidates")
    rows = [c for c in candidates if isinstance(c, Mapping)] if isinstance(candidates, list) else []
    chosen = next((c for c in rows if c.get("chosen")), None)
    weighed = f"{len(rows)} candidates for {_get(entry, 'resource')}"
    if chosen is None:
        return f"{weighed}; none suffices within reach."
    degree = label(str(chosen.get("degree", ""))).lower()
    return f"{weighed}. Chosen: {degree} {chosen.get('selector')}. {chosen.get('why')}"


def _measure(entry: Entry) -> str:
    what = f"{label(_get(entry, 'degree')).lower()} {_get(entry, 'selector')}" if _get(entry, "selector") else ""
    where = f"on {_get(entry, 'device')}" if _get(entry, "device") else ""
    until = f"until {instant(_get(entry, 'until'))}" if _get(entry, "until") else ""
    said = _get(entry, "why") or _get(entry, "detail")
    return f"{' '.join(filter(None, (_about('M-', entry), what, where, until)))}. {said}"


def _drifted(entry: Entry) -> str:
    how = "no longer holds it" if _get(entry, "seen") == "absent" else "does not hold it as it should"
    return f"{_about('M-', entry)}: {_get(entry, 'device')} {how}. It is applied anew."


def _intent(entry: Entry) -> str:
    return f"Generation {_get(entry, 'generation')}: {_get(entry, 'apply')} to apply, {_get(entry, 'lift')} to lift."


def _foreign(entry: Entry) -> str:
    said = entry.detail.get("entries")
    return "; ".join(map(str, said)) if isinstance(said, list) and said else "None any more."


def _by_two(entry: Entry) -> str:
    both = f"{_get(entry, 'asked_by')} asked, {_get(entry, 'agreed_by')} agreed"
    return f"{both}{_of_driver(entry)}: {_get(entry, 'count')} measures. {_get(entry, 'why')}"


def _asked_all(entry: Entry) -> str:
    return (
        f"{_of_driver(entry).strip().capitalize()}: {_get(entry, 'why')}" if _of_driver(entry) else _get(entry, "why")
    )


def _of_driver(entry: Entry) -> str:
    return f" for all devices of the driver {_get(entry, 'driver')}" if entry.detail.get("driver") else ""


def _standing(entry: Entry) -> str:
    since = instant(_get(entry, "since"))
    return f"{label(_get(entry, 'standing'))} since {since}. {_get(entry, 'why')}"


def _concerns(entry: Entry) -> str:
    said = entry.detail.get("concerns")
    return " ".join(map(str, said)) if isinstance(said, list) else ""


def _undone(entry: Entry) -> str:
    keys = [key for key in entry.about if key.startswith("CH-")]
    return (
        f"{keys[-1] if keys else 'A change'} was taken back by {keys[0] if keys else 'another'}. {_get(entry, 'why')}"
    )


def _replied(entry: Entry) -> str:
    return f"{_about('R-', entry)} answers {_about('L-', entry)}."


_KNOWN: Mapping[str, tuple[str, str, Callable[[Entry], str]]] = MappingProxyType(
    {
        "case.deadline_near": ("Less than a day left to answer", "amber", _plain),
        "case.flood_suspected": ("Many reports at once", "amber", _plain),
        "customer.accepted_policy": ("Policy accepted by contract", "green", _plain),
        "edition.accepted": ("Policy in use with this customer", "green", _plain),
        "edition.adopted": ("Edition adopted at the first start", "blue", _plain),
        "edition.confirmed": ("An adopted edition confirmed", "green", _says("why")),
        "edition.announced": ("Edition announced to all customers", "blue", _plain),
        "edition.announced_later": ("Edition announced to customers who came later", "blue", _plain),
        "edition.approved": ("Edition approved", "green", _plain),
        "edition.compiled": ("Edition compiled: its examples hold", "green", _plain),
        "edition.drafted": ("Edition drafted", "grey", _plain),
        "edition.posted": ("Edition posted", "green", _plain),
        "edition.withdrawn": ("Edition withdrawn", "amber", _plain),
        "incident.corroborated": ("Our own measurement agrees", "blue", _agrees),
        "file.examined": ("A file of a report examined", "blue", _examined),
        "sightings.taken": ("Sightings taken in", "blue", _plain),
        "retest.asked": ("To be looked at before it closes", "blue", _plain),
        "retest.begun": ("A look is made", "grey", _plain),
        "retest.ended": ("Looked at before it closes", "blue", _says("said")),
        "accountability.checked": ("Their own check", "blue", _plain),
        "accountability.declared": ("What they say of themselves", "grey", _plain),
        "filter.proposed": ("Filter proposed", "amber", _plain),
        "filter.agreed": ("An engineer agreed", "green", _says("why")),
        "filter.refused": ("An engineer did not want it", "grey", _says("why")),
        "filter.told": ("Whoever it touches is told", "blue", _plain),
        "filter.touches": ("It would touch others now", "amber", _plain),
        "filter.planned": ("Its measure is planned", "blue", _plain),
        "filter.ended": ("The filter ended", "green", _says("why")),
        "sighting.done": ("A sighting closed by a person", "violet", _says("why")),
        "sighting.put_back": ("A sighting goes to the judge again", "violet", _says("why")),
        "sighting.failed": ("A sighting could not be judged", "red", _says("why")),
        "finding.unassigned_use": ("Used, but assigned to nobody", "amber", _plain),
        "identities.read": ("Names of identities read", "violet", _plain),
        "flows.merged": ("Files of flows merged", "grey", _plain),
        "source.taken_out": ("A reading of a log taken out", "violet", _says("why")),
        "flows.forgotten": ("Old flows forgotten", "violet", _plain),
        "letter.printed": ("Letter printed for the post", "grey", _plain),
        "letter.posted": ("Letter posted", "blue", _says("on")),
        "letter.phoned": ("Somebody telephoned", "blue", _says("said")),
        "letter.reached": ("Letter reached somebody by another way", "green", _says("how")),
        "letter.named_nobody": ("What the letter named was named to nobody", "amber", _plain),
        "letter.taken_as_sent": ("Letter taken as sent", "amber", _says("why")),
        "letter.withdrawn": ("Letter withdrawn", "grey", _says("why")),
        "list.loaded": ("List loaded", "grey", _plain),
        "report.authenticated": ("Sender checked", "grey", _plain),
        "report.reader_failed": ("A reader failed at it", "amber", _plain),
        "evidence.stored": ("Evidence received", "blue", _received),
        "case.opened": ("Policy matched, case opened", "blue", _opened),
        "case.joined": ("More of the same joined", "grey", _joined),
        "case.notified": ("Customer told", "blue", _due),
        "case.extended": ("More time given", "blue", _due),
        "case.answered": ("Customer answered", "green", _answered),
        "case.disputed": ("Disputed", "violet", _says("why")),
        "case.overdue": ("Deadline passed", "red", _says("why")),
        "case.waiting_person": ("Waits for a person", "violet", _says("why")),
        "case.measure_planned": ("Measure planned", "amber", _says("why")),
        "case.measure_in_force": ("Measure in force", "amber", _says("why")),
        "case.fixed": ("Fixed", "green", _says("why")),
        "case.monitored": ("Watched after the fix", "green", _says("why")),
        "case.closed": ("Case closed", "green", _says("why")),
        "case.reopened": ("Opened again", "violet", _says("why")),
        "case.merged": ("Merged", "violet", _parted),
        "case.parted": ("A merge undone", "violet", _parted),
        "case.split": ("Split", "violet", _parted),
        "case.snoozed": ("Snoozed", "grey", _snoozed),
        "case.woken": ("Back in sight", "grey", _says("why")),
        "case.tagged": ("Tags changed", "grey", _plain),
        "case.linked": ("Linked to a campaign", "grey", _plain),
        "case.changed_at_once": ("Changed with others", "grey", _plain),
        "case.change_undone": ("A change of many cases undone", "grey", _plain),
        "case.decided": ("A person decided", "violet", _says("why")),
        "case.left_to": (
            "Left to a person",
            "violet",
            lambda entry: f"For {_get(entry, 'role')}.",
        ),
        "harbour.noted": (
            "A condition of a limit of liability was looked at",
            "grey",
            lambda entry: f"{_get(entry, 'condition')}: {'met' if entry.detail.get('met') else 'not met'}.",
        ),
        "harbour.questioned": (
            "Whether we may rely on a limit of liability",
            "violet",
            lambda entry: f"Yes, under {_get(entry, 'under')}." if entry.detail.get("under") else "No.",
        ),
        "notice.counter_notice": (
            "A counter-notice came",
            "amber",
            lambda entry: f"It comes back before {_get(entry, 'by')}.",
        ),
        "matter.opened": ("A legal matter was entered", "grey", lambda _: "It is for counsel."),
        "matter.authenticated": ("A request was authenticated", "grey", lambda _: "By a way of our own."),
        "matter.looked_up": ("Our records were asked for a legal matter", "grey", lambda _: ""),
        "matter.proposed": ("It is proposed to answer a legal matter", "amber", lambda _: "Another has to agree."),
        "matter.answered": ("A legal matter was decided: answered", "violet", lambda _: ""),
        "matter.refused": ("A legal matter was decided: refused", "violet", lambda _: ""),
        "matter.silence": (
            "A customer is not told yet",
            "amber",
            lambda entry: f"Looked at again by {_get(entry, 'until')}.",
        ),
        "matter.told": ("A customer was told of a legal matter", "grey", lambda _: ""),
        "matter.handed_over": ("An answer was handed over", "violet", lambda entry: f"{_get(entry, 'sha256')}"),
        "case.taken_up": ("A person took it up", "violet", _says("why")),
        "case.left_aside": ("Left aside", "grey", _says("why")),
        "case.assigned": ("Assigned", "grey", _assigned),
        "case.noted": ("Note written", "grey", lambda _: ""),
        "case.urgent_measure_proposed": ("Urgent measure proposed", "red", _says("shown_by")),
        "case.urgent_measure_lapsed": ("Proposal lapsed", "grey", _says("shown_by")),
        "case.urgent_measure_seconded": ("Urgent measure seconded", "red", lambda _: "Two people answer for it."),
        "case.wide_measure_proposed": ("Measure that takes two people proposed", "red", _says("shown_by")),
        "case.wide_measure_lapsed": ("Proposal lapsed", "grey", _says("shown_by")),
        "case.wide_measure_seconded": (
            "Measure by two people agreed",
            "red",
            lambda _: "Two people answer for it.",
        ),
        "case.prolonged_measure_proposed": ("Proposed that a measure goes on", "amber", _says("shown_by")),
        "case.prolonged_measure_lapsed": ("Proposal lapsed", "grey", _says("shown_by")),
        "case.prolonged_measure_seconded": (
            "Agreed that a measure goes on",
            "amber",
            lambda _: "Two people answer for it.",
        ),
        "case.refuse_transit_proposed": ("Proposed that routes are refused", "red", _says("shown_by")),
        "case.refuse_transit_lapsed": ("Proposal lapsed", "grey", _says("shown_by")),
        "case.refuse_transit_seconded": (
            "Agreed that routes are refused",
            "red",
            lambda _: "Two people answer for it.",
        ),
        "case.suspend_spreader_proposed": ("Proposed that a service is suspended", "red", _says("shown_by")),
        "case.suspend_spreader_lapsed": ("Proposal lapsed", "grey", _says("shown_by")),
        "case.suspend_spreader_seconded": (
            "Agreed that a service is suspended",
            "red",
            lambda _: "Two people answer for it.",
        ),
        "case.matter_sealed": ("Matter sealed", "violet", lambda _: "Its report is in the sealed queue."),
        "closed.viewed": ("Looked at", "grey", lambda entry: f"By {entry.actor}; not everybody may see it."),
        "letter.blanked": ("Letter blanked", "violet", _letter("lost its text: its matter is sealed")),
        "report.opened": ("Report opened", "blue", lambda entry: f"{_about('R-', entry)}."),
        "report.read": ("Read", "blue", _report_read),
        "report.decided": ("Report decided", "grey", _decided),
        "incident.judged": ("Attributed and judged", "blue", _judged),
        "incident.decided": ("Outcome of the report", "grey", _decided),
        "letter.queued": ("Letter written", "grey", _letter("waits to be sent")),
        "letter.held": ("Letter held", "amber", _letter("is held: no mail server is set")),
        "letter.sending": ("Letter taken up", "grey", _letter("is being sent")),
        "letter.handing_over": ("Handing over", "grey", _letter("goes to the mail server")),
        "letter.sent": ("Letter sent", "green", _letter("was taken by the mail server")),
        "letter.returned": ("Letter came back", "red", _letter("came back")),
        "letter.not_written": ("No letter written", "violet", lambda _: "Its matter is sealed."),
        "letter.replied": (
            "Answered by mail",
            "green",
            _replied,
        ),
        "letter.refused": ("Letter refused", "red", _letter("was refused for good")),
        "letter.put_off": ("Letter put off", "amber", _letter("was put off")),
        "letter.in_doubt": ("Letter in doubt", "violet", _letter("may or may not have arrived")),
        "letter.send_again": ("Sent again", "grey", _letter("is sent again")),
        "letter.not_answered": ("No answer sent", "grey", lambda entry: f"{label(_get(entry, 'why'))}."),
        "letter.nobody_to_tell": ("Nobody to write to", "red", lambda _: "The customer has no representative."),
        "clock.started": ("A clock runs on us", "blue", _clock),
        "clock.late": ("A clock of ours is late", "red", _clock),
        "clock.ended": ("A clock of ours ended", "green", _clock),
        "authority.told": ("An authority was told", "blue", lambda e: f"{_get(e, 'authority')}: {_get(e, 'how')}"),
        "measure.weighed": ("Remedies weighed", "amber", _weighed),
        "measure.planned": ("Measure planned", "amber", _measure),
        "measure.applying": ("Measure being applied", "amber", _measure),
        "measure.in_force": ("Measure in force", "amber", _measure),
        "measure.proven": ("Shown by traffic", "green", _measure),
        "measure.drifted": ("Gone from the device", "red", _drifted),
        "measure.ineffective": ("Held, yet traffic gets through", "red", _measure),
        "measure.neighbour_harmed": ("Its neighbour is stopped too", "red", _measure),
        "measure.unshown": ("Not shown to be in force", "amber", _measure),
        "measure.lifting": ("Measure being lifted", "blue", _measure),
        "measure.given_end": ("Measure given an end", "amber", _says("why")),
        "measure.prolonged": ("Measure prolonged", "amber", _says("why")),
        "measure.still_stopped": ("Lifted, yet still stopped", "red", _measure),
        "measure.taken_as_lifted": ("Taken as lifted", "blue", _measure),
        "measure.lifted": ("Measure lifted", "green", _measure),
        "measure.failed": ("Measure failed", "red", _measure),
        "measure.refused": ("Measure refused", "red", _measure),
        "measure.withdrawn": ("Measure withdrawn", "grey", _measure),
        "measure.wanted_again": ("Measure wanted again", "amber", _measure),
        "device.intent": ("About to write", "grey", _intent),
        "device.writer": ("Another writer", "grey", lambda entry: f"It writes with epoch {_get(entry, 'epoch')}."),
        "device.silent": ("Does not answer", "red", _says("why")),
        "device.answers_again": ("Answers again", "green", _plain),
        "device.foreign": ("Entries that are not ours", "amber", _foreign),
        "device.held_back": ("New measures held back", "amber", _says("why")),
        "device.let_pass": ("Held back no more", "green", _plain),
        "device.let_pass_asked": ("Asked to let them pass", "amber", _says("why")),
        "device.let_pass_agreed": ("Two people let them pass", "red", _by_two),
        "device.lift_all_asked": ("Asked to lift everything", "red", _asked_all),
        "device.lift_all_agreed": ("Two people lifted everything", "red", _by_two),
        "customer.standing": ("Standing changed", "amber", _standing),
        "contact.bounced": ("Letters come back", "red", _says("why")),
        "contact.verified": ("Contact verified", "green", _says("why")),
        "admission.opened": ("Admission waits for a person", "violet", _concerns),
        "admission.accepted": ("Customer accepted", "green", _says("why")),
        "admission.refused": ("Customer refused", "red", _says("why")),
        "late_use.found": ("Used after the end", "red", _says("explanation")),
        "registry.undone": ("Change undone", "blue", _undone),
    }
)
