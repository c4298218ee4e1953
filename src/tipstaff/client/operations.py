"""Every operation of the API. Made by tools/client.py; do not change it by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypedDict
from urllib.parse import quote

from .calling import Caller, Reply

AdmissionState = Literal["waiting", "clear", "accepted", "refused"]

Answer = Literal["fixed", "need_time", "dispute", "wrong_customer"]

AuditFound = Literal["met", "not_met", "unknown"]

AuditPoint = Literal[
    "contact",
    "second_contact",
    "answers",
    "address_question",
    "mail_peer",
    "mail_headers",
    "usenet_path",
    "users_known",
    "use_recorded",
    "complaints_read",
    "users_told",
]

CaseState = Literal[
    "opened",
    "waiting_person",
    "notified",
    "extended",
    "disputed",
    "overdue",
    "measure_planned",
    "measure_in_force",
    "fixed",
    "monitored",
    "appealed",
    "closed",
]

Disposition = Literal["open_case", "ask_complainant", "not_ours", "too_old", "unassigned", "person", "nothing"]

EditionState = Literal["draft", "approved", "compiled", "announced", "posted", "withdrawn"]

FilterState = Literal["proposed", "agreed", "stands", "ended", "refused"]

Gives = Literal["held", "name", "postal_address", "email", "phone"]

Ground = Literal["law", "liability", "network_harm", "listing"]

HoldingKind = Literal["static", "lease", "port_block", "delegated", "pool"]

LetterKind = Literal[
    "notice",
    "reminder",
    "measure_taken",
    "measure_lifted",
    "case_closed",
    "dispute_received",
    "extension_granted",
    "policy_change",
    "policy_kept",
    "filter",
    "filter_ended",
    "address_question",
    "log_in_link",
    "contact_check",
    "key_check",
    "contacts_changed",
    "passed_on",
    "passed_on_answered",
    "webhook_off",
    "acknowledgement",
    "needs_detail",
    "not_ours",
    "too_old",
    "in_touch",
    "outcome",
]

LetterState = Literal[
    "held", "queued", "sending", "handing_over", "sent", "returned", "in_doubt", "withdrawn", "refused"
]

MatterKind = Literal["request", "identity", "report"]

MatterState = Literal["open", "proposed", "answered", "refused"]

MeasureState = Literal["planned", "applying", "in_force", "lifting", "lifted", "failed"]

ReportOutcome = Literal[
    "received",
    "set_aside",
    "with_a_person",
    "sealed",
    "not_ours",
    "needs_detail",
    "too_old",
    "duplicate",
    "forwarded",
    "fixed",
    "measure_taken",
    "not_upheld",
]

ResourceKind = Literal[
    "asn", "vlan", "port", "bgp_session", "route", "domain", "mailbox", "login", "circuit", "mac", "handle"
]

Role = Literal["analyst", "lead", "counsel", "engineer", "administrator", "system", "customer"]

ServiceKind = Literal["access", "hosting", "mail", "transit", "colocation"]

Standing = Literal["good", "suspended", "terminated"]

Tier = Literal["operator", "reseller", "customer"]


class AcceptanceIn(TypedDict):
    """That a customer accepted an edition of the policy by contract."""

    contract: str
    edition: str
    accepted_by: str
    accepted_at: NotRequired[str | None]


class AcceptanceOut(TypedDict):
    edition: str
    contract: str
    accepted_at: str
    accepted_by: str


class AccountThenOut(TypedDict):
    """What was believed, at `known_at`, to be so of an account at `at`."""

    key: str
    name: str
    reseller: str | None
    at: str
    known_at: str
    standing: StandingOut | None
    representatives: list[ContactOut]
    services: list[dict[str, str]]
    users: list[UserOut]
    acceptances: list[AcceptanceOut]
    holdings: list[HoldingOut]
    resources: list[ResourceOut]
    sites: list[SiteOut]


class AdmissionOut(TypedDict):
    """The vetting of one customer."""

    key: str
    customer: str
    name: str
    state: str
    opened_at: str
    why: str
    decided_by: str
    concerns: list[ConcernOut]


class AnswerBackIn(TypedDict):
    why: str


class AskOut(TypedDict):
    """What one person asked for at a device, and a second must agree to."""

    what: str
    by: str
    why: str
    at: str
    driver: NotRequired[str]


class AskedOfOut(TypedDict):
    """The address and moment that a matter is about."""

    address: str
    port: int | None
    protocol: str
    used_at: str | None
    error_seconds: float


class AuditOut(TypedDict):
    """A customer's own check as it came out last; without a time it was never made."""

    customer: str
    checked_at: str | None
    score_percent: int | None
    known: int
    points: dict[str, AuditFound]


class CaseOut(TypedDict):
    """A case."""

    key: str
    customer: str
    customer_name: str
    service: str | None
    clause: str
    edition: str
    type: str
    severity: str
    state: CaseState
    outcome: str
    resource: str
    reports: int
    opened_at: str
    due_at: str | None
    closed_at: str | None
    assignee: str | None
    version: int
    extended: bool
    decides: str | None
    next: str
    next_at: str | None
    act_by: str | None
    fixed_at: str | None
    watched_until: str | None
    reopened: int
    merged_into: str | None
    split_from: str | None
    snoozed_until: str | None
    tags: list[str]
    campaign: str | None
    customer_may_answer: list[Answer]


class ChangeOut(TypedDict):
    """One change of the registry."""

    key: str
    at: str
    actor: str
    origin: str
    source: str
    says: list[str]
    count: int
    undoes: str | None
    undone_by: str | None


class ClockDoneOut(TypedDict):
    """What was done, in a sentence."""

    said: str


class ClockEndIn(TypedDict):
    """A clock is ended by hand."""

    clock: str
    about: str
    why: str
    nth: NotRequired[int | None]


class ClockOut(TypedDict):
    """A clock of the edition that runs on us."""

    clock: str
    about: str
    nth: int
    edition: str
    started_at: str
    due_at: str
    late_at: str | None
    seen_to: str


class ColleagueIn(TypedDict):
    """Somebody who is to log in here."""

    name: str
    roles: NotRequired[list[Role]]


class ConcernOut(TypedDict):
    """What speaks against letting a customer in."""

    kind: str
    score: int
    explanation: str
    against: str


class ConditionIn(TypedDict):
    """What counsel notes of a condition."""

    condition: str
    met: bool
    shown_by: str
    until: str


class ConditionOut(TypedDict):
    """How one condition of the limit of liability for copyright stands."""

    id: str
    says: str
    met: bool
    shown_by: str | None
    until: str | None
    noted_by: str | None


class ContactIn(TypedDict):
    """One contact of a chain."""

    name: str
    email: str
    language: NotRequired[str]
    timezone: NotRequired[str]
    phone: NotRequired[str]
    openpgp_key: NotRequired[str]
    smime_certificate: NotRequired[str]


class ContactOut(TypedDict):
    """One contact of a chain, and whether letters reach it."""

    name: str
    email: str
    language: NotRequired[str]
    timezone: NotRequired[str]
    phone: NotRequired[str]
    openpgp_key: NotRequired[str]
    smime_certificate: NotRequired[str]
    verified_at: str | None
    bounced_at: str | None


class CounterNoticeIn(TypedDict):
    """A counter-notice on a case, with its words: they are looked at and not kept."""

    case: str
    text: str
    received: NotRequired[str | None]


class CustomerIn(TypedDict):
    """A customer as a person states it."""

    name: str
    reseller: NotRequired[str | None]
    is_reseller: NotRequired[bool]
    phone: NotRequired[str]
    email: NotRequired[str]
    postal_address: NotRequired[str]
    country: NotRequired[str]
    brand: NotRequired[str | None]


class CustomerOut(TypedDict):
    """A customer with what they hold now."""

    key: str
    name: str
    standing: Standing
    reseller: str | None
    is_reseller: bool
    since: str | None
    letters_to: str | None


class CustomerPageOut(TypedDict):
    """One customer, with everything that belongs to them."""

    key: str
    name: str
    standing: Standing
    reseller: str | None
    is_reseller: bool
    since: str | None
    letters_to: str | None
    representatives: list[ContactOut]
    services: list[dict[str, str]]
    holdings: list[HoldingOut]
    resources: list[ResourceOut]


class DecideIn(TypedDict):
    decision: Literal["go_ahead", "stop"]
    why: str


class DecisionIn(TypedDict):
    accept: bool
    why: str


class DeviceActIn(TypedDict):
    why: NotRequired[str]


class DeviceDoneOut(TypedDict):
    """What was done, in a sentence, and the device as it stands now."""

    said: str
    device: DeviceOut


class DeviceOut(TypedDict):
    """A device, as the enforcer saw it last; all of it empty for one that nobody ever wrote to."""

    name: str
    driver: str
    generation: int
    seen_at: str | None
    failures: int
    detail: str
    foreign: list[str]
    held_back: str
    asks: list[AskOut]


class DispatchOut(TypedDict):
    """One event on its way, or taken."""

    number: int
    id: str
    event: str
    at: str
    state: Literal["waits", "taken", "given_up"]
    attempts: int
    due_at: str | None
    taken_at: str | None
    said: str


class DoneOut(TypedDict):
    """What was done, in a sentence, and the case as it stands now."""

    said: str
    case: CaseOut


class DriverDoneOut(TypedDict):
    """What was done for all devices of one driver, in a sentence, and those devices as they stand now."""

    said: str
    devices: list[DeviceOut]


class DryRunOut(TypedDict):
    """What a filter would be and do, as things stand. Nothing was sent."""

    device: str | None
    flaw: str
    touches: list[str]
    accounts: int
    shared_out: bool
    unreached: list[str]
    narrower: list[str]


class EditionOut(TypedDict):
    """An edition of the policy, as it stands on record."""

    id: str
    digest: str
    state: EditionState
    title: str
    drafted_by: str
    drafted_at: str
    approved_by: str
    approved_at: str | None
    significant: bool
    compiled_at: str | None
    announced_at: str | None
    posted_by: str
    posted_at: str | None
    effective_at: str | None


class EndIn(TypedDict):
    held_until: str


class EntryOut(TypedDict):
    """One line of the record, with the sentence that the console tells it in."""

    id: int
    at: str
    what: str
    actor: str
    by_token: str | None
    about: list[str]
    title: str
    text: str
    digest: str
    seq: int | None


class FilterDecisionIn(TypedDict):
    decision: Literal["agree", "refuse"]
    seen: int
    why: str


class FilterEndIn(TypedDict):
    why: str


class FilterGoesOnIn(TypedDict):
    hours: int
    why: str


class FilterIn(TypedDict):
    network: str
    protocol: NotRequired[Literal["", "tcp", "udp"]]
    port: NotRequired[int | None]
    remote: NotRequired[str]
    source_port: NotRequired[int | None]
    direction: NotRequired[Literal["in", "out", "both"]]
    degree: NotRequired[Literal["rate_limit", "block"]]
    danger: str
    shown_by: list[str]
    lasts_hours: int
    why_no_narrower: NotRequired[str]
    ground: NotRequired[Ground | None]


class FilterOut(TypedDict):
    """A filter in the network that belongs to no case."""

    key: str
    network: str
    protocol: str | None
    port: int | None
    remote: str | None
    source_port: int | None
    direction: str
    degree: str
    device: str
    danger: str
    shown_by: list[str]
    state: FilterState
    proposed_by: str
    proposed_at: str
    lasts_hours: int
    touches: list[str]
    considered: list[str]
    ground: Ground | None
    decided_by: str
    decided_at: str | None
    decided_why: str
    starts_at: str | None
    letters: dict[str, str]
    measure: str
    ended_at: str | None
    ended_why: str


class FixedIn(TypedDict):
    why: str


class FoundOut(TypedDict):
    """What fits a search, newest first: keys of each kind."""

    cases: list[str]
    reports: list[str]
    letters: list[str]
    customers: list[str]
    sightings: list[str]


class HandOverIn(TypedDict):
    to: str
    note: NotRequired[str]


class HoldingIn(TypedDict):
    """Addresses to be given to a customer."""

    prefix: str
    customer: str
    kind: NotRequired[HoldingKind]
    tier: NotRequired[Tier]
    service: NotRequired[str | None]
    held_from: str
    held_until: NotRequired[str | None]
    port_first: NotRequired[int]
    port_last: NotRequired[int]


class HoldingOut(TypedDict):
    """Addresses, and when they were held."""

    number: int
    tier: Tier
    kind: HoldingKind
    prefix: str
    port_first: int
    port_last: int
    customer: str | None
    service: str | None
    held_from: str
    held_until: str | None
    source: str


class ImportOut(TypedDict):
    """What a file changed, or would."""

    kind: str
    rows: int
    added: int
    changed: int
    unchanged: int
    changes: list[str]
    refused: list[dict[str, Any]]
    kept: list[dict[str, Any]]
    outside: dict[str, Any] | None
    applied: bool
    change: str | None


class InboxOut(TypedDict):
    """What waits for a person: keys, of each kind as many as the console's page shows."""

    numbers: NumbersOut
    cases: list[WaitingCaseOut]
    reports: list[str]
    letters: list[str]
    to_carry: list[ToCarryOut]
    measures: list[str]
    still_stopped: list[str]
    devices: list[str]
    admissions: list[str]
    sightings: list[str]


class IncidentOut(TypedDict):
    """One allegation of a report."""

    key: str
    type: str
    offender: str
    port: int | None
    at: str | None
    outcome: str
    reason: str
    case: str | None


class JoinedIn(TypedDict):
    decision: Literal["tell", "leave"]
    why: str


class LateOut(TypedDict):
    """A case, and by when somebody should act on it."""

    case: str
    clause: str
    act_by: str


class LatenessOut(TypedDict):
    """What is late now, and what will be late today."""

    levels: list[LevelOut]
    late: list[LateOut]
    today: list[LateOut]


class LetterAgainIn(TypedDict):
    pass


class LetterArrivedIn(TypedDict):
    pass


class LetterDoneOut(TypedDict):
    said: str
    letter: WholeLetterOut


class LetterOfAuthorityOut(TypedDict):
    """A letter of authority as it is on file."""

    key: str
    sha256: str


class LetterOut(TypedDict):
    """A letter, without its text."""

    key: str
    kind: LetterKind
    to: str
    subject: str
    state: LetterState
    case: str | None
    report: str | None
    created_at: str
    sent_at: str | None


class LetterPhonedIn(TypedDict):
    whom: str
    said: str


class LetterPostedIn(TypedDict):
    on: str


class LetterReachedIn(TypedDict):
    whom: str
    how: str


class LetterUnansweredIn(TypedDict):
    whom: str


class LevelOut(TypedDict):
    """How the desk does on one clause."""

    clause: str
    within_seconds: int
    waiting: int
    late: int
    today: int


class LinkIn(TypedDict):
    campaign: NotRequired[str]
    why: str


class LinkOut(TypedDict):
    """A one-time link by which somebody sets their password, which is shown this once."""

    name: str
    secret: str | None


class ManyIn(TypedDict):
    """One act on many cases, each with the version that was looked at."""

    cases: dict[str, int]
    action: Literal["assign", "snooze", "tag", "link"]
    value: NotRequired[str]
    preview: NotRequired[bool]


class ManyOut(TypedDict):
    """What an act on many cases changed, or would."""

    id: int | None
    changed: list[str]
    left: list[str]


class MatterAgreeIn(TypedDict):
    seen: str


class MatterAuthenticateIn(TypedDict):
    how: str


class MatterDecideIn(TypedDict):
    decision: Literal["answer", "refuse"]
    why: str
    gives: NotRequired[list[Gives]]


class MatterDoneOut(TypedDict):
    """What was done, in a sentence. Whoever may read the matter asks for it."""

    said: str


class MatterIn(TypedDict):
    """A request of an authority, with its words: they are looked at and not kept."""

    kind: Literal["identity", "request"]
    authority: str
    reference: str
    text: NotRequired[str]
    binding: NotRequired[bool]
    received: NotRequired[str | None]
    clock: NotRequired[str]
    address: NotRequired[str]
    port: NotRequired[int | None]
    protocol: NotRequired[str]
    used_at: NotRequired[str | None]
    error_seconds: NotRequired[float]


class MatterLookUpIn(TypedDict):
    pass


class MatterOut(TypedDict):
    """One matter of the legal register."""

    key: str
    kind: MatterKind
    state: MatterState
    clause: str
    edition: str
    opened_by: str
    opened_at: str
    received_at: str
    authority: str
    reference: str
    binding: bool
    digest: str
    report: str
    shown: list[str]
    lacking: list[str]
    clock: str
    due_at: str | None
    asked: AskedOfOut | None
    url: str
    grade: str
    reason: str
    customer: str
    authenticated_by: str
    authenticated_how: str
    gives: list[Gives]
    why: str
    decided_by: str
    second_by: str
    decided_at: str | None
    ground: str
    review_at: str | None
    told_at: str | None
    told_how: str
    handed_at: str | None
    handed_digest: str
    proposal: str


class MatterSilenceIn(TypedDict):
    ground: str
    until: str


class MatterToldIn(TypedDict):
    how: str


class MeasureAgreeIn(TypedDict):
    pass


class MeasureDoneOut(TypedDict):
    said: str
    measure: MeasureOut


class MeasureLiftIn(TypedDict):
    why: str


class MeasureOut(TypedDict):
    """A measure."""

    key: str
    case: str
    customer: str
    device: str
    selector: str
    degree: str
    state: str
    proof: str
    proof_at: str | None
    planned_at: str
    in_force_at: str | None
    until: str | None
    lifted_when: str


class MeasureProlongIn(TypedDict):
    why: str


class MeasureTakenAsLiftedIn(TypedDict):
    why: str


class MemberOut(TypedDict):
    """How an incident or a sighting stands in its case."""

    key: str
    told_by: str | None
    decides: str | None
    waits: bool
    home: str | None


class MergeIn(TypedDict):
    into: str
    why: str


class NotUpheldIn(TypedDict):
    why: str


class NoteAnswerIn(TypedDict):
    answer: Answer
    words: str


class NoteIn(TypedDict):
    text: str


class NoteOut(TypedDict):
    """A colleague's note."""

    at: str
    actor: str
    text: str


class NumbersOut(TypedDict):
    """The row of counters above the list of cases."""

    open: int
    overdue: int
    waiting: int
    measures_in_force: int
    complaints_today: int


class OwnAccountOut(TypedDict):
    """An account for which the token's person may see something."""

    key: str
    name: str
    standing: str
    role: Literal["reads", "answers", "manages"]


class OwnActIn(TypedDict):
    """What is done to a webhook."""

    act: Literal["try", "on", "off", "again"]
    number: NotRequired[int]


class OwnAnswerIn(TypedDict):
    """An answer to a case, as by its page."""

    answer: Literal["fixed", "need_time", "dispute", "wrong_customer"]
    words: NotRequired[str]


class OwnCaseDetailOut(TypedDict):
    """A case as its page shows it."""

    key: str
    account: str
    type: str
    resource: str
    state: str
    outcome: str
    opened_at: str
    due_at: str | None
    closed_at: str | None
    clause: str
    clause_title: str
    edition: str
    reasons: list[str]
    events: list[OwnEventOut]
    events_more: int
    what_to_do: list[str]
    checklist: list[str]
    measures: list[OwnMeasureOut]
    answers: list[Literal["fixed", "need_time", "dispute", "wrong_customer"]]


class OwnCaseOut(TypedDict):
    """A case in a list."""

    key: str
    account: str
    type: str
    resource: str
    state: str
    outcome: str
    opened_at: str
    due_at: str | None
    closed_at: str | None


class OwnDispatchOut(TypedDict):
    """One event on its way, or taken."""

    number: int
    id: str
    event: str
    at: str
    state: Literal["waits", "taken", "given_up"]
    attempts: int
    due_at: str | None
    taken_at: str | None
    status: int | None


class OwnEventOut(TypedDict):
    """What is said to have happened, without who said it."""

    what: str
    port: int | None
    at: str | None
    zone_stated: bool
    evidence: str


class OwnKeyIn(TypedDict):
    """A public key for letters to a token's person."""

    account: str
    key: str


class OwnKeyOut(TypedDict):
    """A key for letters to a token's person."""

    kind: Literal["OpenPGP", "S/MIME"]
    says: str
    used: bool


class OwnMeasureOut(TypedDict):
    """A measure on the account, with its exact scope."""

    key: str
    case: str
    degree: str
    scope: str
    state: str
    proof: str
    proof_at: str | None
    in_force_at: str | None
    until: str | None
    lifted_when: str


class OwnWebhookIn(TypedDict):
    """A webhook to be made for one account."""

    account: str
    url: str
    events: list[str]


class OwnWebhookMadeOut(TypedDict):
    """A new webhook, with the secret that its messages are signed with: it is shown this once."""

    webhook: OwnWebhookOut
    secret: str | None


class OwnWebhookOut(TypedDict):
    """Where a program of theirs is told of their cases. Its secret is not in it."""

    key: str
    account: str
    url: str
    events: list[str]
    on: bool
    made_at: str
    failing_since: str | None
    waiting: int


class PartIn(TypedDict):
    why: str


class PersonChangeIn(TypedDict):
    """What an act on an account takes that says nothing of roles."""

    roles: NotRequired[list[Role]]


class PersonDoneOut(TypedDict):
    """What was done, in a sentence, and the account as it stands now; of `link` the link, which is shown this once."""

    said: str
    person: PersonOut
    secret: str | None


class PersonIn(TypedDict):
    """Somebody who logs in for a customer."""

    email: str


class PersonOut(TypedDict):
    """One member of staff."""

    number: int
    name: str
    active: bool
    set_up: bool
    roles: list[Role]
    factors: int
    sessions: int


class PersonRolesIn(TypedDict):
    """The roles of an account, exactly: an empty list takes all away, no list at all is refused."""

    roles: list[Role]


class PrintIn(TypedDict):
    """To whom a letter is posted."""

    address: str


class ProfileIn(TypedDict):
    """A profile to be tried on its report's mail, and put into use where `use` says so."""

    toml: str
    use: NotRequired[bool]


class ProfileOut(TypedDict):
    """A profile for the reporter of one report, as it is proposed."""

    toml: str
    proposed: bool


class ProfileTriedOut(TypedDict):
    """What is wrong with a profile, in sentences, and under which name it is in use now."""

    faults: list[str]
    used_as: str | None


class ProgramOut(TypedDict):
    """How one program does, as the database tells it."""

    name: str
    well: bool
    detail: str


class ProposeUrgentIn(TypedDict):
    ground: Ground
    shown_by: str


class QuestionIn(TypedDict):
    """Who held it? Leave out what is not known."""

    address: str
    port: NotRequired[int | None]
    protocol: NotRequired[str]
    at: NotRequired[str]
    precision_seconds: NotRequired[float | int | None]
    destination: NotRequired[str]
    destination_port: NotRequired[int | None]


class ReachedIn(TypedDict):
    """Whether letters to an address of a customer arrive."""

    email: str
    bounced: NotRequired[bool]


class RefuseTransitIn(TypedDict):
    why: str


class ReleaseIn(TypedDict):
    pass


class RelyIn(TypedDict):
    on: str


class RelyOut(TypedDict):
    """Whether we may rely on the limit, and what is lacking."""

    under: str
    lacking: list[str]


class ReopenIn(TypedDict):
    why: str


ReplayIn = TypedDict("ReplayIn", {"from": NotRequired[str | None], "to": NotRequired[str | None]})


class ReplayOut(TypedDict):
    """What was found as far as it has come: the same document as `tipstaff policy replay --json` prints."""

    edition: str
    digest: str
    since: str
    until: str
    asked_by: str
    asked_at: str
    finished_at: str | None
    trouble: str
    found: dict[str, Any]


class ReplayRunOut(TypedDict):
    """A replay, and how far it is."""

    edition: str
    digest: str
    since: str
    until: str
    asked_by: str
    asked_at: str
    finished_at: str | None
    trouble: str


class ReportDoneOut(TypedDict):
    said: str
    report: ReportOut


class ReportOut(TypedDict):
    """A report."""

    key: str
    received_at: str
    evidence: str
    outcome: str
    reason: str
    incidents: list[IncidentOut]


class ReportReadAsIn(TypedDict):
    type: NotRequired[str]
    clause: NotRequired[str]
    source: NotRequired[str]
    source_port: NotRequired[int | None]
    url: NotRequired[str]
    at: NotRequired[str]
    keep_back: NotRequired[bool]
    why: NotRequired[str]
    as_read: NotRequired[str]


class ReportSealIn(TypedDict):
    pass


class ReportSetAsideIn(TypedDict):
    why: str
    tell: NotRequired[bool]


class ResourceIn(TypedDict):
    """Something else to be given to a customer."""

    kind: ResourceKind
    name: str
    scope: NotRequired[str]
    customer: str
    service: NotRequired[str | None]
    held_from: str
    held_until: NotRequired[str | None]


class ResourceOut(TypedDict):
    """Something beside addresses, and when it was held."""

    number: int
    kind: ResourceKind
    name: str
    scope: str
    tier: Tier
    customer: str | None
    service: str | None
    held_from: str
    held_until: str | None
    source: str


class ReviewIn(TypedDict):
    decision: Literal["upheld", "rejected"]
    why: str


class SaidOut(TypedDict):
    """What was done, in a sentence."""

    said: str


class SealedOut(TypedDict):
    """Something in the sealed queue: never its words."""

    digest: str
    octets: int
    received_at: str
    report: str | None
    taken_out: list[dict[str, Any]]


class SecondSuspensionIn(TypedDict):
    pass


class SecondTransitIn(TypedDict):
    pass


class SecondUrgentIn(TypedDict):
    pass


class SecondWideIn(TypedDict):
    pass


class ServiceEndIn(TypedDict):
    """When a service ended; what is held by it ends then too."""

    ended_at: str


class ServiceIn(TypedDict):
    customer: str
    kind: ServiceKind
    label: NotRequired[str]
    port: NotRequired[str]


class SightingOut(TypedDict):
    """What a sensor of our own measured, and what became of it."""

    key: str
    sensor: str
    id: str
    kind: str
    at: str
    offender: str
    became: Disposition | None
    reason: str
    case: str | None
    left_to_person: bool
    done_at: str | None
    done_by: str
    done_why: str


class SightingsDecision(TypedDict):
    """What a person decides on sightings that the judge left to a person: all of them, or none."""

    keys: list[str]
    decision: Literal["done", "again"]
    why: str


class SiteIn(TypedDict):
    host_name: str
    address: str
    customer: str
    service: NotRequired[str | None]
    since: str
    until: NotRequired[str | None]


class SiteOut(TypedDict):
    """A name that is answered at an address."""

    host_name: str
    address: str
    since: str
    until: str | None


class SnoozeIn(TypedDict):
    until: str
    why: NotRequired[str]


class SplitIn(TypedDict):
    incident: list[str]
    why: str


class StandingIn(TypedDict):
    standing: Standing
    why: str
    since: NotRequired[str | None]


class StandingOut(TypedDict):
    standing: Standing
    since: str
    until: str | None
    why: str


class StepDoneOut(TypedDict):
    """What was done, in a sentence, and the edition as it stands now."""

    said: str
    edition: EditionOut


class StepIn(TypedDict):
    """What a step of an edition takes, as the console's form has it."""

    seen: NotRequired[str]
    significant: NotRequired[bool]
    why: NotRequired[str]


class StepOut(TypedDict):
    """One step of a case's story, as the console tells it."""

    at: str
    title: str
    text: str
    actor: str
    entry: int


class SuspendSpreaderIn(TypedDict):
    why: str


class SwitchIn(TypedDict):
    on: bool


class TagIn(TypedDict):
    add: NotRequired[list[str]]
    remove: NotRequired[list[str]]


class TakeIn(TypedDict):
    pass


class ToCarryOut(TypedDict):
    """A letter that mail brought to nobody, and what somebody does next about it."""

    letter: str
    case: str
    next: Literal["call", "print", "post", "ask", "find"]
    phone: str | None
    printable: bool


class TokenIn(TypedDict):
    """A token of one's own."""

    name: str
    scopes: list[str]
    days: int


class TokenMadeOut(TypedDict):
    """A new token, which is shown this once."""

    token: TokenOut
    secret: str | None


class TokenOut(TypedDict):
    """A token as its owner sees it: everything but the token."""

    key: str
    name: str
    owner: str
    scopes: list[str]
    made_at: str
    expires_at: str
    used_at: str | None
    revoked_at: str | None
    revoked_by: str


class ToldIn(TypedDict):
    """An authority was told of a case, a report or a matter."""

    about: str
    authority: str
    how: str


class TransferIn(TypedDict):
    """To whom addresses move, by a letter of authority that is on file."""

    customer: str
    since: str
    service: NotRequired[str | None]


class UndoneOut(TypedDict):
    """What an undo put back."""

    put_back: list[str]
    left: list[str]


class UnwatchIn(TypedDict):
    pass


class UserIn(TypedDict):
    """Somebody who uses an account."""

    customer: str
    name: str
    email: NotRequired[str]


class UserOut(TypedDict):
    """Somebody who uses an account."""

    key: str
    name: str
    email: str


class ViewIn(TypedDict):
    """A list of cases to keep: the query of its address in the console."""

    name: str
    query: str
    shared: NotRequired[bool]


class ViewOut(TypedDict):
    """A list of cases under a name."""

    id: int
    owner: str
    name: str
    query: str
    shared: bool


class WaitingCaseOut(TypedDict):
    """A case that waits for a person, and why."""

    case: str
    why: str


class WakeIn(TypedDict):
    pass


class WatchIn(TypedDict):
    pass


class WebhookIn(TypedDict):
    """A webhook to be made."""

    url: str
    events: list[str]


class WebhookMadeOut(TypedDict):
    """A new webhook, with the secret that its messages are signed with: it is shown this once."""

    webhook: WebhookOut
    secret: str | None


class WebhookOut(TypedDict):
    """Where events are sent. Its secret is not in it."""

    key: str
    customer: str
    url: str
    events: list[str]
    on: bool
    note: str
    made_at: str
    made_by: str
    failing_since: str | None
    waiting: int


class WholeLetterOut(TypedDict):
    """A letter as it was written. The customer's link is not in it: it is put in only when it is sent."""

    key: str
    kind: LetterKind
    to: str
    subject: str
    state: LetterState
    case: str | None
    report: str | None
    created_at: str
    sent_at: str | None
    language: str
    text: str
    attempts: int
    detail: str


class WhyIn(TypedDict):
    why: str


class WindowOut(TypedDict):
    """When what was disabled comes back, unless the claimant goes to court; and what the words lack."""

    not_before: str | None
    by: str
    not_found: list[str]


class Client(Caller):
    """The API of one desk, asked by one token."""

    def list_customers(
        self,
        *,
        search: str | None = None,
        standing: Standing | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Reply[list[CustomerOut]]:
        """Customers, by key, in pages."""
        return self._call(
            "GET",
            "/api/registry/customers",
            query={"search": search, "standing": standing, "cursor": cursor, "limit": limit, "offset": offset},
        )

    def get_customer(self, key: str, *, at: str | None = None) -> Reply[CustomerPageOut]:
        """One customer with what they hold now, or held at `at`; the ETag is what a change sends as `If-Match`."""
        return self._call("GET", f"/api/registry/customers/{quote(str(key), safe='')}", query={"at": at})

    def save_customer(
        self, key: str, asked: CustomerIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[CustomerOut]:
        """Add a customer or change one; they are vetted. With `If-Match` only if they are as that ETag says."""
        return self._call(
            "PUT",
            f"/api/registry/customers/{quote(str(key), safe='')}",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def get_customer_then(
        self, key: str, *, at: str | None = None, known_at: str | None = None
    ) -> Reply[AccountThenOut]:
        """What was believed at `known_at` to be so of an account at `at`; either left out is now."""
        return self._call(
            "GET", f"/api/registry/customers/{quote(str(key), safe='')}/then", query={"at": at, "known_at": known_at}
        )

    def designate(
        self, key: str, asked: Sequence[ContactIn], *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[list[ContactOut]]:
        """Say who represents a customer, the foremost first."""
        return self._call(
            "PUT",
            f"/api/registry/customers/{quote(str(key), safe='')}/representatives",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def set_standing(
        self, key: str, asked: StandingIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[CustomerOut]:
        """A contract runs, rests or has ended."""
        return self._call(
            "POST",
            f"/api/registry/customers/{quote(str(key), safe='')}/standing",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def accept(self, key: str, asked: AcceptanceIn, *, idempotency_key: str | None = None) -> Reply[SaidOut]:
        """Put on record that a customer accepted an edition by contract."""
        return self._call(
            "POST",
            f"/api/registry/customers/{quote(str(key), safe='')}/acceptances",
            body=asked,
            idempotency_key=idempotency_key,
        )

    def note_reached(self, key: str, asked: ReachedIn, *, idempotency_key: str | None = None) -> Reply[SaidOut]:
        """Put on record that letters to one of a customer's addresses arrive, or come back."""
        return self._call(
            "POST",
            f"/api/registry/customers/{quote(str(key), safe='')}/reached",
            body=asked,
            idempotency_key=idempotency_key,
        )

    def forget_log_in(self, key: str, asked: PersonIn, *, idempotency_key: str | None = None) -> Reply[SaidOut]:
        """What somebody of a customer logs in with was lost: none of it counts any more; sessions and tokens end."""
        return self._call(
            "POST",
            f"/api/registry/customers/{quote(str(key), safe='')}/forget-log-in",
            body=asked,
            idempotency_key=idempotency_key,
        )

    def save_service(self, key: str, asked: ServiceIn, *, idempotency_key: str | None = None) -> Reply[dict[str, str]]:
        """Takes the scope `registry:act` and a role that may change customers and what they hold, and undo changes."""
        return self._call(
            "PUT", f"/api/registry/services/{quote(str(key), safe='')}", body=asked, idempotency_key=idempotency_key
        )

    def end_service(
        self, key: str, asked: ServiceEndIn, *, idempotency_key: str | None = None
    ) -> Reply[dict[str, int]]:
        """A service has ended, and with it what is held by it: how many holdings that were."""
        return self._call(
            "POST",
            f"/api/registry/services/{quote(str(key), safe='')}/end",
            body=asked,
            idempotency_key=idempotency_key,
        )

    def save_user(self, key: str, asked: UserIn, *, idempotency_key: str | None = None) -> Reply[dict[str, str]]:
        """Add somebody who uses an account, or change them."""
        return self._call(
            "PUT", f"/api/registry/users/{quote(str(key), safe='')}", body=asked, idempotency_key=idempotency_key
        )

    def file_letter(
        self,
        file: tuple[str, bytes],
        *,
        customer: str,
        issuer: str,
        prefix: list[str],
        valid_from: str | None = None,
        valid_until: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[LetterOfAuthorityOut]:
        """File a letter of authority, by which addresses may move: its name and SHA-256 are kept, the file is not."""
        return self._call(
            "POST",
            "/api/registry/letters",
            file=file,
            idempotency_key=idempotency_key,
            query={
                "customer": customer,
                "issuer": issuer,
                "prefix": prefix,
                "valid_from": valid_from,
                "valid_until": valid_until,
            },
        )

    def transfer_holding(
        self, number: int, asked: TransferIn, *, idempotency_key: str | None = None
    ) -> Reply[dict[str, int]]:
        """Move addresses to another customer; 409 without a letter of authority that is valid then and covers them."""
        return self._call(
            "POST",
            f"/api/registry/holdings/{quote(str(number), safe='')}/transfer",
            body=asked,
            idempotency_key=idempotency_key,
        )

    def hold(self, asked: HoldingIn, *, idempotency_key: str | None = None) -> Reply[dict[str, int]]:
        """Give addresses to a customer; 409 when somebody holds them then."""
        return self._call("POST", "/api/registry/holdings", body=asked, idempotency_key=idempotency_key)

    def holdings_then(self, *, address: str, at: str, known_at: str | None = None) -> Reply[list[HoldingOut]]:
        """Who held an address at a time, as believed now or at `known_at`."""
        return self._call("GET", "/api/registry/holdings", query={"address": address, "at": at, "known_at": known_at})

    def end_holding(self, number: int, asked: EndIn, *, idempotency_key: str | None = None) -> Reply[dict[str, int]]:
        """Takes the scope `registry:act` and a role that may change customers and what they hold, and undo changes."""
        return self._call(
            "POST",
            f"/api/registry/holdings/{quote(str(number), safe='')}/end",
            body=asked,
            idempotency_key=idempotency_key,
        )

    def hold_resource(self, asked: ResourceIn, *, idempotency_key: str | None = None) -> Reply[dict[str, int]]:
        """Give a customer something beside addresses; 409 when somebody holds it then."""
        return self._call("POST", "/api/registry/resources", body=asked, idempotency_key=idempotency_key)

    def resources_then(
        self,
        *,
        kind: Literal[
            "asn", "vlan", "port", "bgp_session", "route", "domain", "mailbox", "login", "circuit", "mac", "handle"
        ],
        name: str,
        at: str,
        known_at: str | None = None,
    ) -> Reply[list[ResourceOut]]:
        """Who held a resource at a time, as believed now or at `known_at`."""
        return self._call(
            "GET", "/api/registry/resources", query={"kind": kind, "name": name, "at": at, "known_at": known_at}
        )

    def save_site(self, asked: SiteIn, *, idempotency_key: str | None = None) -> Reply[dict[str, bool]]:
        """Say for whom a host name is answered at an address; with the same `since` again its end. 409 when it is"""
        return self._call("POST", "/api/registry/sites", body=asked, idempotency_key=idempotency_key)

    def end_resource(self, number: int, asked: EndIn, *, idempotency_key: str | None = None) -> Reply[dict[str, int]]:
        """Takes the scope `registry:act` and a role that may change customers and what they hold, and undo changes."""
        return self._call(
            "POST",
            f"/api/registry/resources/{quote(str(number), safe='')}/end",
            body=asked,
            idempotency_key=idempotency_key,
        )

    def list_changes(
        self, *, about: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> Reply[list[ChangeOut]]:
        """Changes of the registry, the latest first, in pages."""
        return self._call("GET", "/api/registry/changes", query={"about": about, "cursor": cursor, "limit": limit})

    def undo(self, key: str, asked: WhyIn, *, idempotency_key: str | None = None) -> Reply[dict[str, str]]:
        """Bring back what stood before a change; the undoing's own key."""
        return self._call(
            "POST",
            f"/api/registry/changes/{quote(str(key), safe='')}/undo",
            body=asked,
            idempotency_key=idempotency_key,
        )

    def import_file(
        self,
        file: tuple[str, bytes],
        *,
        dry_run: bool | None = None,
        rest: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[ImportOut]:
        """Take in a CSV file or published objects, or only say what would change. 10 MB at most."""
        return self._call(
            "POST",
            "/api/registry/import",
            file=file,
            idempotency_key=idempotency_key,
            query={"dry_run": dry_run, "rest": rest},
        )

    def list_admissions(
        self,
        *,
        state: Literal["waiting", "clear", "accepted", "refused"] | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Reply[list[AdmissionOut]]:
        """Vettings of one state, in pages; those that wait, the longest first."""
        return self._call("GET", "/api/registry/admissions", query={"state": state, "cursor": cursor, "limit": limit})

    def decide(self, key: str, asked: DecisionIn, *, idempotency_key: str | None = None) -> Reply[AdmissionOut]:
        """Accept or refuse, with the reason."""
        return self._call(
            "POST",
            f"/api/registry/admissions/{quote(str(key), safe='')}/decide",
            body=asked,
            idempotency_key=idempotency_key,
        )

    def figures(self, *, from_: str | None = None, to: str | None = None) -> Reply[dict[str, Any]]:
        """What came and how it fared, by day, source, clause, kind of customer and month."""
        return self._call("GET", "/api/figures", query={"from": from_, "to": to})

    def list_webhooks(self) -> Reply[list[WebhookOut]]:
        """All webhooks, the oldest first."""
        return self._call("GET", "/api/webhooks")

    def make_webhook(self, asked: WebhookIn, *, idempotency_key: str | None = None) -> Reply[WebhookMadeOut]:
        """Send events to an address of the operator's from now on, signed with a secret that is shown this once."""
        return self._call("POST", "/api/webhooks", body=asked, idempotency_key=idempotency_key)

    def get_webhook(self, key: str) -> Reply[WebhookOut]:
        """One webhook, with why it is off or what went wrong last; an act on it may send its ETag as `If-Match`."""
        return self._call("GET", f"/api/webhooks/{quote(str(key), safe='')}")

    def forget_webhook(
        self, key: str, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[None]:
        """Take it away, with whatever waits for it."""
        return self._call(
            "DELETE", f"/api/webhooks/{quote(str(key), safe='')}", if_match=if_match, idempotency_key=idempotency_key
        )

    def switch_webhook(
        self, key: str, asked: SwitchIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[WebhookOut]:
        """Switch it on or off; what waits goes out once it is on again."""
        return self._call(
            "POST",
            f"/api/webhooks/{quote(str(key), safe='')}/switch",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def try_webhook(self, key: str, *, idempotency_key: str | None = None) -> Reply[DispatchOut]:
        """Send a message of the kind `webhook.tried`, which tells of nothing, to see whether it is taken."""
        return self._call("POST", f"/api/webhooks/{quote(str(key), safe='')}/try", idempotency_key=idempotency_key)

    def list_dispatches(
        self, key: str, *, cursor: str | None = None, limit: int | None = None
    ) -> Reply[list[DispatchOut]]:
        """What was sent to it or waits to be, newest first, in pages. What was taken is kept for 30 days."""
        return self._call(
            "GET", f"/api/webhooks/{quote(str(key), safe='')}/dispatches", query={"cursor": cursor, "limit": limit}
        )

    def dispatch_again(self, key: str, number: int, *, idempotency_key: str | None = None) -> Reply[DispatchOut]:
        """Send one once more, under the same `webhook-id`."""
        return self._call(
            "POST",
            f"/api/webhooks/{quote(str(key), safe='')}/dispatches/{quote(str(number), safe='')}/again",
            idempotency_key=idempotency_key,
        )

    def list_matters(
        self,
        *,
        late: bool | None = None,
        waiting: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Reply[list[MatterOut]]:
        """The register, newest first, in pages: all of it, or what waits for a decision; or all that is overdue."""
        return self._call(
            "GET", "/api/legal", query={"late": late, "waiting": waiting, "cursor": cursor, "limit": limit}
        )

    def enter_matter(self, asked: MatterIn, *, idempotency_key: str | None = None) -> Reply[MatterOut]:
        """Enter what an authority asks: its form is looked at and its clock started."""
        return self._call("POST", "/api/legal", body=asked, idempotency_key=idempotency_key)

    def list_conditions(self) -> Reply[list[ConditionOut]]:
        """The conditions of the limit of liability for copyright, and how each stands."""
        return self._call("GET", "/api/legal/harbour")

    def note_condition(self, asked: ConditionIn, *, idempotency_key: str | None = None) -> Reply[list[ConditionOut]]:
        """Note how a condition stands, what shows it, and when it is looked at again."""
        return self._call("POST", "/api/legal/harbour", body=asked, idempotency_key=idempotency_key)

    def may_rely(self, asked: RelyIn, *, idempotency_key: str | None = None) -> Reply[RelyOut]:
        """Ask the edition in force whether we may rely on the limit; question and answer go on record."""
        return self._call("POST", "/api/legal/harbour/rely", body=asked, idempotency_key=idempotency_key)

    def take_counter_notice(self, asked: CounterNoticeIn, *, idempotency_key: str | None = None) -> Reply[WindowOut]:
        """Take a counter-notice: its form is looked at, and the window stands on the case."""
        return self._call("POST", "/api/legal/counter-notices", body=asked, idempotency_key=idempotency_key)

    def get_matter(self, key: str) -> Reply[MatterOut]:
        """One matter, to whoever may read it; an act on it may send its ETag as `If-Match`."""
        return self._call("GET", f"/api/legal/{quote(str(key), safe='')}")

    def matter_authenticate(
        self, key: str, asked: MatterAuthenticateIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[MatterDoneOut]:
        """Authenticate: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/legal/{quote(str(key), safe='')}/authenticate",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def matter_look_up(
        self,
        key: str,
        asked: MatterLookUpIn | None = None,
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[MatterDoneOut]:
        """Look up: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/legal/{quote(str(key), safe='')}/look-up",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def matter_decide(
        self, key: str, asked: MatterDecideIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[MatterDoneOut]:
        """Decide: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/legal/{quote(str(key), safe='')}/decide",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def matter_agree(
        self, key: str, asked: MatterAgreeIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[MatterDoneOut]:
        """Agree: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/legal/{quote(str(key), safe='')}/agree",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def matter_silence(
        self, key: str, asked: MatterSilenceIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[MatterDoneOut]:
        """Silence: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/legal/{quote(str(key), safe='')}/silence",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def matter_told(
        self, key: str, asked: MatterToldIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[MatterDoneOut]:
        """Told: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/legal/{quote(str(key), safe='')}/told",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def hand_over(self, key: str, *, idempotency_key: str | None = None) -> Reply[dict[str, Any]]:
        """The answer to a request, as the text whose SHA-256 is put on record."""
        return self._call("POST", f"/api/legal/{quote(str(key), safe='')}/hand-over", idempotency_key=idempotency_key)

    def list_own_accounts(self) -> Reply[list[OwnAccountOut]]:
        """The accounts for which the token's person may see something now, their own first: up to 1,000."""
        return self._call("GET", "/api/own/accounts")

    def list_own_cases(
        self,
        *,
        account: str | None = None,
        open: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Reply[list[OwnCaseOut]]:
        """The cases that one account, or each of them, was told of, the newest first; `Link` has the next page."""
        return self._call(
            "GET", "/api/own/cases", query={"account": account, "open": open, "cursor": cursor, "limit": limit}
        )

    def get_own_case(self, key: str) -> Reply[OwnCaseDetailOut]:
        """One case: what is said to have happened, the rule, what was done and its exact scope, what it takes now."""
        return self._call("GET", f"/api/own/cases/{quote(str(key), safe='')}")

    def answer_own_case(
        self, key: str, asked: OwnAnswerIn, *, idempotency_key: str | None = None
    ) -> Reply[OwnCaseDetailOut]:
        """Answer a case, as its page does: fixed, more time (once), disputed, or not theirs."""
        return self._call(
            "POST", f"/api/own/cases/{quote(str(key), safe='')}/answer", body=asked, idempotency_key=idempotency_key
        )

    def list_own_measures(self) -> Reply[list[OwnMeasureOut]]:
        """What is in force on the first 100 accounts now."""
        return self._call("GET", "/api/own/measures")

    def list_own_webhooks(self, *, account: str) -> Reply[list[OwnWebhookOut]]:
        """The webhooks of one account that the token's person manages."""
        return self._call("GET", "/api/own/webhooks", query={"account": account})

    def make_own_webhook(self, asked: OwnWebhookIn, *, idempotency_key: str | None = None) -> Reply[OwnWebhookMadeOut]:
        """Have a program told of the account's cases from now on, signed with a secret that is shown this once."""
        return self._call("POST", "/api/own/webhooks", body=asked, idempotency_key=idempotency_key)

    def forget_own_webhook(self, key: str, *, idempotency_key: str | None = None) -> Reply[None]:
        """Take it away, with whatever waits for it."""
        return self._call("DELETE", f"/api/own/webhooks/{quote(str(key), safe='')}", idempotency_key=idempotency_key)

    def act_on_own_webhook(
        self, key: str, asked: OwnActIn, *, idempotency_key: str | None = None
    ) -> Reply[OwnWebhookOut]:
        """Send a test, switch it on or off, or send something again under its id."""
        return self._call(
            "POST", f"/api/own/webhooks/{quote(str(key), safe='')}", body=asked, idempotency_key=idempotency_key
        )

    def list_own_dispatches(self, key: str) -> Reply[list[OwnDispatchOut]]:
        """The newest 50 that were sent to it or wait to be. What was taken is kept for 30 days."""
        return self._call("GET", f"/api/own/webhooks/{quote(str(key), safe='')}/dispatches")

    def list_own_keys(self, *, account: str) -> Reply[list[OwnKeyOut]]:
        """By what letters to the token's person about an account are closed, and what waits to be shown as theirs."""
        return self._call("GET", "/api/own/keys", query={"account": account})

    def give_own_key(self, asked: OwnKeyIn, *, idempotency_key: str | None = None) -> Reply[OwnKeyOut]:
        """Give a key for letters to the token's person; 422 where nothing can be closed by it."""
        return self._call("POST", "/api/own/keys", body=asked, idempotency_key=idempotency_key)

    def list_cases(
        self,
        *,
        state: CaseState | None = None,
        search: str | None = None,
        tag: str | None = None,
        campaign: str | None = None,
        brand: str | None = None,
        watched: bool | None = None,
        order: Literal["due", "newest"] | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Reply[list[CaseOut]]:
        """Cases, most pressing first; with `order=newest` in pages, whose next one stands in the header `Link`."""
        return self._call(
            "GET",
            "/api/cases",
            query={
                "state": state,
                "search": search,
                "tag": tag,
                "campaign": campaign,
                "brand": brand,
                "watched": watched,
                "order": order,
                "cursor": cursor,
                "limit": limit,
                "offset": offset,
            },
        )

    def search(self, *, q: str, limit: int | None = None) -> Reply[FoundOut]:
        """Everything that fits an address, a prefix, a host name, a Message-ID, a name or words."""
        return self._call("GET", "/api/search", query={"q": q, "limit": limit})

    def late(self) -> Reply[LatenessOut]:
        """What of the desk's own work is late now, and will be today, by clause; of each the first 200 cases."""
        return self._call("GET", "/api/cases/late")

    def change_many(self, asked: ManyIn, *, idempotency_key: str | None = None) -> Reply[ManyOut]:
        """Give many cases to somebody, snooze, tag or link them; `preview` only says what that would change."""
        return self._call("POST", "/api/cases/many", body=asked, idempotency_key=idempotency_key)

    def undo_many(self, number: int, *, idempotency_key: str | None = None) -> Reply[UndoneOut]:
        """Undo what one did to many cases, where nobody changed them since."""
        return self._call(
            "POST", f"/api/cases/many/{quote(str(number), safe='')}/undo", idempotency_key=idempotency_key
        )

    def list_views(self) -> Reply[list[ViewOut]]:
        """Lists that one keeps, and those that colleagues share."""
        return self._call("GET", "/api/views")

    def keep_view(self, asked: ViewIn, *, idempotency_key: str | None = None) -> Reply[ViewOut]:
        """Keep a list under a name, or change one's own of that name."""
        return self._call("POST", "/api/views", body=asked, idempotency_key=idempotency_key)

    def forget_view(self, number: int, *, idempotency_key: str | None = None) -> Reply[None]:
        """Forget a list of one's own."""
        return self._call("DELETE", f"/api/views/{quote(str(number), safe='')}", idempotency_key=idempotency_key)

    def get_case(self, key: str) -> Reply[CaseOut]:
        """One case; its ETag is what an act on it sends as `If-Match`."""
        return self._call("GET", f"/api/cases/{quote(str(key), safe='')}")

    def list_notes(self, key: str) -> Reply[list[NoteOut]]:
        """What colleagues wrote on a case, oldest first."""
        return self._call("GET", f"/api/cases/{quote(str(key), safe='')}/notes")

    def list_members(self, key: str, *, cursor: str | None = None, limit: int | None = None) -> Reply[list[MemberOut]]:
        """What a case holds, and how each stands in it, in the order in which they came, in pages."""
        return self._call(
            "GET", f"/api/cases/{quote(str(key), safe='')}/incidents", query={"cursor": cursor, "limit": limit}
        )

    def tell_history(self, key: str, *, cursor: str | None = None, limit: int | None = None) -> Reply[list[StepOut]]:
        """What happened, step by step, oldest first, in pages; entries that only the record needs are no steps."""
        return self._call(
            "GET", f"/api/cases/{quote(str(key), safe='')}/history", query={"cursor": cursor, "limit": limit}
        )

    def list_case_letters(self, key: str) -> Reply[list[LetterOut]]:
        """The letters about a case, oldest first."""
        return self._call("GET", f"/api/cases/{quote(str(key), safe='')}/letters")

    def case_note(
        self, key: str, asked: NoteIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Note: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/note",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_take(
        self, key: str, asked: TakeIn | None = None, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Take: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/take",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_release(
        self,
        key: str,
        asked: ReleaseIn | None = None,
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[DoneOut]:
        """Release: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/release",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_hand_over(
        self, key: str, asked: HandOverIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Hand over: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/hand-over",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_snooze(
        self, key: str, asked: SnoozeIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Snooze: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/snooze",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_wake(
        self, key: str, asked: WakeIn | None = None, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Wake: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/wake",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_tag(
        self, key: str, asked: TagIn | None = None, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Tag: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/tag",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_link(
        self, key: str, asked: LinkIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Link: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/link",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_watch(
        self, key: str, asked: WatchIn | None = None, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Watch: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/watch",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_unwatch(
        self,
        key: str,
        asked: UnwatchIn | None = None,
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[DoneOut]:
        """Unwatch: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/unwatch",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_merge(
        self, key: str, asked: MergeIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Merge: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/merge",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_part(
        self, key: str, asked: PartIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Part: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/part",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_split(
        self, key: str, asked: SplitIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Split: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/split",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_reopen(
        self, key: str, asked: ReopenIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Reopen: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/reopen",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_not_upheld(
        self, key: str, asked: NotUpheldIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Not upheld: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/not-upheld",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_fixed(
        self, key: str, asked: FixedIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Fixed: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/fixed",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_review(
        self, key: str, asked: ReviewIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Review: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/review",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_decide(
        self, key: str, asked: DecideIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Decide: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/decide",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_joined(
        self, key: str, asked: JoinedIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Joined: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/joined",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_answer_back(
        self, key: str, asked: AnswerBackIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Answer back: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/answer-back",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_note_answer(
        self, key: str, asked: NoteAnswerIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Note answer: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/note-answer",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_propose_urgent(
        self, key: str, asked: ProposeUrgentIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Propose urgent: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/propose-urgent",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_second_urgent(
        self,
        key: str,
        asked: SecondUrgentIn | None = None,
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[DoneOut]:
        """Second urgent: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/second-urgent",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_second_wide(
        self,
        key: str,
        asked: SecondWideIn | None = None,
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[DoneOut]:
        """Second wide: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/second-wide",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_refuse_transit(
        self, key: str, asked: RefuseTransitIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Refuse transit: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/refuse-transit",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_suspend_spreader(
        self, key: str, asked: SuspendSpreaderIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[DoneOut]:
        """Suspend spreader: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/suspend-spreader",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_second_suspension(
        self,
        key: str,
        asked: SecondSuspensionIn | None = None,
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[DoneOut]:
        """Second suspension: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/second-suspension",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def case_second_transit(
        self,
        key: str,
        asked: SecondTransitIn | None = None,
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[DoneOut]:
        """Second transit: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/cases/{quote(str(key), safe='')}/second-transit",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def list_reports(
        self,
        *,
        outcome: ReportOutcome | None = None,
        search: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Reply[list[ReportOut]]:
        """Reports, newest first, in pages."""
        return self._call(
            "GET", "/api/reports", query={"outcome": outcome, "search": search, "cursor": cursor, "limit": limit}
        )

    def get_report(self, key: str) -> Reply[ReportOut]:
        """One report; its ETag is what an act on it sends as `If-Match`."""
        return self._call("GET", f"/api/reports/{quote(str(key), safe='')}")

    def list_letters(
        self,
        *,
        state: LetterState | None = None,
        kind: LetterKind | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Reply[list[LetterOut]]:
        """Letters without their text, newest first, in pages."""
        return self._call("GET", "/api/letters", query={"state": state, "kind": kind, "cursor": cursor, "limit": limit})

    def get_letter(self, key: str) -> Reply[WholeLetterOut]:
        """One letter with its text; its ETag is what an act on it sends as `If-Match`."""
        return self._call("GET", f"/api/letters/{quote(str(key), safe='')}")

    def list_measures(
        self,
        *,
        state: MeasureState | None = None,
        device: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Reply[list[MeasureOut]]:
        """Measures, newest first, in pages."""
        return self._call(
            "GET", "/api/measures", query={"state": state, "device": device, "cursor": cursor, "limit": limit}
        )

    def get_measure(self, key: str) -> Reply[MeasureOut]:
        """One measure; its ETag is what an act on it sends as `If-Match`."""
        return self._call("GET", f"/api/measures/{quote(str(key), safe='')}")

    def decide_sightings(
        self, asked: SightingsDecision, *, idempotency_key: str | None = None
    ) -> Reply[list[SightingOut]]:
        """Close sightings that wait for a person (`done`), or put them to the judge again (`again`)."""
        return self._call("POST", "/api/sightings/decide", body=asked, idempotency_key=idempotency_key)

    def list_sightings(
        self,
        *,
        became: Disposition | None = None,
        left: bool | None = None,
        search: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Reply[list[SightingOut]]:
        """Sightings, newest first, in pages; with `left` those that wait for a person, oldest first, in one."""
        return self._call(
            "GET",
            "/api/sightings",
            query={"became": became, "left": left, "search": search, "cursor": cursor, "limit": limit},
        )

    def get_sighting(self, key: str) -> Reply[SightingOut]:
        """Takes the scope `sightings:read` and a role that may see cases, reports and customers."""
        return self._call("GET", f"/api/sightings/{quote(str(key), safe='')}")

    def attribute(
        self, asked: Sequence[QuestionIn], *, idempotency_key: str | None = None
    ) -> Reply[list[dict[str, Any]]]:
        """Who held each, in order: grade, customer, service and proof, or an error. At most 500 at once."""
        return self._call("POST", "/api/attribute", body=asked, idempotency_key=idempotency_key)

    def print_letter(self, key: str, asked: PrintIn, *, idempotency_key: str | None = None) -> Reply[None]:
        """A letter that reached nobody, as a PDF to print and post, with the customer's link in it."""
        return self._call(
            "POST", f"/api/letters/{quote(str(key), safe='')}/print", body=asked, idempotency_key=idempotency_key
        )

    def report_set_aside(
        self, key: str, asked: ReportSetAsideIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[ReportDoneOut]:
        """Set aside: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/reports/{quote(str(key), safe='')}/set-aside",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def report_seal(
        self,
        key: str,
        asked: ReportSealIn | None = None,
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[ReportDoneOut]:
        """Seal: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/reports/{quote(str(key), safe='')}/seal",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def report_read_as(
        self,
        key: str,
        asked: ReportReadAsIn | None = None,
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[ReportDoneOut]:
        """Read as: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/reports/{quote(str(key), safe='')}/read-as",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def letter_again(
        self,
        key: str,
        asked: LetterAgainIn | None = None,
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[LetterDoneOut]:
        """Again: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/letters/{quote(str(key), safe='')}/again",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def letter_arrived(
        self,
        key: str,
        asked: LetterArrivedIn | None = None,
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[LetterDoneOut]:
        """Arrived: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/letters/{quote(str(key), safe='')}/arrived",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def letter_posted(
        self, key: str, asked: LetterPostedIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[LetterDoneOut]:
        """Posted: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/letters/{quote(str(key), safe='')}/posted",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def letter_phoned(
        self, key: str, asked: LetterPhonedIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[LetterDoneOut]:
        """Phoned: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/letters/{quote(str(key), safe='')}/phoned",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def letter_unanswered(
        self, key: str, asked: LetterUnansweredIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[LetterDoneOut]:
        """Unanswered: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/letters/{quote(str(key), safe='')}/unanswered",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def letter_reached(
        self, key: str, asked: LetterReachedIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[LetterDoneOut]:
        """Reached: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/letters/{quote(str(key), safe='')}/reached",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def measure_lift(
        self, key: str, asked: MeasureLiftIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[MeasureDoneOut]:
        """Lift: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/measures/{quote(str(key), safe='')}/lift",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def measure_prolong(
        self, key: str, asked: MeasureProlongIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[MeasureDoneOut]:
        """Prolong: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/measures/{quote(str(key), safe='')}/prolong",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def measure_agree(
        self,
        key: str,
        asked: MeasureAgreeIn | None = None,
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[MeasureDoneOut]:
        """Agree: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/measures/{quote(str(key), safe='')}/agree",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def measure_taken_as_lifted(
        self,
        key: str,
        asked: MeasureTakenAsLiftedIn,
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[MeasureDoneOut]:
        """Taken as lifted: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/measures/{quote(str(key), safe='')}/taken-as-lifted",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def list_devices(self) -> Reply[list[DeviceOut]]:
        """All devices of the settings, and those that ever held a measure."""
        return self._call("GET", "/api/devices")

    def get_device(self, name: str) -> Reply[DeviceOut]:
        """Takes the scope `measures:read` and a role that may see measures and their proof."""
        return self._call("GET", f"/api/devices/{quote(str(name), safe='')}")

    def device_lift_all(
        self, name: str, asked: DeviceActIn | None = None, *, idempotency_key: str | None = None
    ) -> Reply[DeviceDoneOut]:
        """Lift all: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/devices/{quote(str(name), safe='')}/lift-all",
            body=asked or {},
            idempotency_key=idempotency_key,
        )

    def device_let_pass(
        self, name: str, asked: DeviceActIn | None = None, *, idempotency_key: str | None = None
    ) -> Reply[DeviceDoneOut]:
        """Let pass: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/devices/{quote(str(name), safe='')}/let-pass",
            body=asked or {},
            idempotency_key=idempotency_key,
        )

    def device_lift_all_agreed(
        self, name: str, asked: DeviceActIn | None = None, *, idempotency_key: str | None = None
    ) -> Reply[DeviceDoneOut]:
        """Lift all agreed: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/devices/{quote(str(name), safe='')}/lift-all-agreed",
            body=asked or {},
            idempotency_key=idempotency_key,
        )

    def device_let_pass_agreed(
        self, name: str, asked: DeviceActIn | None = None, *, idempotency_key: str | None = None
    ) -> Reply[DeviceDoneOut]:
        """Let pass agreed: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/devices/{quote(str(name), safe='')}/let-pass-agreed",
            body=asked or {},
            idempotency_key=idempotency_key,
        )

    def driver_lift_all(
        self, name: str, asked: DeviceActIn | None = None, *, idempotency_key: str | None = None
    ) -> Reply[DriverDoneOut]:
        """Lift all, on all devices of one driver: takes two people."""
        return self._call(
            "POST",
            f"/api/drivers/{quote(str(name), safe='')}/lift-all",
            body=asked or {},
            idempotency_key=idempotency_key,
        )

    def driver_lift_all_agreed(
        self, name: str, asked: DeviceActIn | None = None, *, idempotency_key: str | None = None
    ) -> Reply[DriverDoneOut]:
        """Lift all agreed, on all devices of one driver: takes two people."""
        return self._call(
            "POST",
            f"/api/drivers/{quote(str(name), safe='')}/lift-all-agreed",
            body=asked or {},
            idempotency_key=idempotency_key,
        )

    def list_entries(
        self, *, about: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> Reply[list[EntryOut]]:
        """The record, newest first, in pages; `about` is a key that entries name."""
        return self._call("GET", "/api/record", query={"about": about, "cursor": cursor, "limit": limit})

    def list_filters(
        self, *, state: FilterState | None = None, cursor: str | None = None, limit: int | None = None
    ) -> Reply[list[FilterOut]]:
        """Filters that belong to no case, newest first, in pages."""
        return self._call("GET", "/api/filters", query={"state": state, "cursor": cursor, "limit": limit})

    def propose_filter(self, asked: FilterIn, *, idempotency_key: str | None = None) -> Reply[FilterOut]:
        """Propose a filter; an engineer, who is somebody else, decides."""
        return self._call("POST", "/api/filters", body=asked, idempotency_key=idempotency_key)

    def get_filter(self, key: str) -> Reply[FilterOut]:
        """One filter; an act on it may send its ETag as `If-Match`."""
        return self._call("GET", f"/api/filters/{quote(str(key), safe='')}")

    def dry_run_filter(self, key: str) -> Reply[DryRunOut]:
        """Where it would be put in now, and whom it would touch."""
        return self._call("GET", f"/api/filters/{quote(str(key), safe='')}/dry-run")

    def decide_filter(
        self, key: str, asked: FilterDecisionIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[FilterOut]:
        """Agree to a filter, or refuse it: an engineer's, who did not propose it."""
        return self._call(
            "POST",
            f"/api/filters/{quote(str(key), safe='')}/decide",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def let_filter_go_on(
        self, key: str, asked: FilterGoesOnIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[FilterOut]:
        """Let a filter stand for so many hours from now: an engineer's."""
        return self._call(
            "POST",
            f"/api/filters/{quote(str(key), safe='')}/go-on",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def end_filter(
        self, key: str, asked: FilterEndIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[FilterOut]:
        """Take a filter out, or withdraw it before it begins."""
        return self._call(
            "POST",
            f"/api/filters/{quote(str(key), safe='')}/end",
            body=asked,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def list_audits(self) -> Reply[list[AuditOut]]:
        """Everybody who asked for the check; who was never checked first, then the lowest score."""
        return self._call("GET", "/api/accountability")

    def check_customer(self, key: str, *, idempotency_key: str | None = None) -> Reply[AuditOut]:
        """Make the check of a customer who asked for it now; it is put to the judge."""
        return self._call(
            "POST", f"/api/accountability/{quote(str(key), safe='')}/check", idempotency_key=idempotency_key
        )

    def clocks(self) -> Reply[list[ClockOut]]:
        """The clocks that run on us, soonest due first, at most as many as the console's page shows."""
        return self._call("GET", "/api/clocks")

    def told(self, asked: ToldIn, *, idempotency_key: str | None = None) -> Reply[ClockDoneOut]:
        """Note that an authority was told of something: whom, and how."""
        return self._call("POST", "/api/clocks/told", body=asked, idempotency_key=idempotency_key)

    def end(self, asked: ClockEndIn, *, idempotency_key: str | None = None) -> Reply[ClockDoneOut]:
        """End a clock by hand, with the reason."""
        return self._call("POST", "/api/clocks/end", body=asked, idempotency_key=idempotency_key)

    def inbox(self) -> Reply[InboxOut]:
        """What waits for a person, and the counters above the list of cases."""
        return self._call("GET", "/api/inbox")

    def health(self) -> Reply[list[ProgramOut]]:
        """How the programs are doing: one that stands still leaves its work lying."""
        return self._call("GET", "/api/health")

    def sealed(self, *, cursor: str | None = None, limit: int | None = None) -> Reply[list[SealedOut]]:
        """The sealed queue, newest first, in pages: digests, sizes and references. Who looked is in the record."""
        return self._call("GET", "/api/sealed", query={"cursor": cursor, "limit": limit})

    def evidence(self, key: str) -> Reply[None]:
        """The bytes as they were received, as text that nothing runs. Sealed bytes never leave: 403."""
        return self._call("GET", f"/api/evidence/{quote(str(key), safe='')}")

    def editions(self) -> Reply[list[EditionOut]]:
        """Every edition on record, and how far each is. What they say is at `/policy/EDITION.json`."""
        return self._call("GET", "/api/editions")

    def one_edition(self, key: str) -> Reply[EditionOut]:
        """One edition on record; a step of it may send its ETag as `If-Match`."""
        return self._call("GET", f"/api/editions/{quote(str(key), safe='')}")

    def edition_approve(
        self, key: str, asked: StepIn | None = None, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[StepDoneOut]:
        """Approve an edition: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/editions/{quote(str(key), safe='')}/approve",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def edition_compile(
        self, key: str, asked: StepIn | None = None, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[StepDoneOut]:
        """Compile an edition: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/editions/{quote(str(key), safe='')}/compile",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def edition_announce(
        self, key: str, asked: StepIn | None = None, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[StepDoneOut]:
        """Announce an edition: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/editions/{quote(str(key), safe='')}/announce",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def edition_post(
        self, key: str, asked: StepIn | None = None, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[StepDoneOut]:
        """Post an edition: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/editions/{quote(str(key), safe='')}/post",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def edition_withdraw(
        self, key: str, asked: StepIn | None = None, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[StepDoneOut]:
        """Withdraw an edition: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/editions/{quote(str(key), safe='')}/withdraw",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def edition_confirm(
        self, key: str, asked: StepIn | None = None, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Reply[StepDoneOut]:
        """Confirm an edition: what the console does under that name."""
        return self._call(
            "POST",
            f"/api/editions/{quote(str(key), safe='')}/confirm",
            body=asked or {},
            if_match=if_match,
            idempotency_key=idempotency_key,
        )

    def get_replay(self, key: str, *, from_: str | None = None, to: str | None = None) -> Reply[ReplayOut]:
        """Past complaints under this edition, as far as they have been judged: the newest replay of those days."""
        return self._call("GET", f"/api/editions/{quote(str(key), safe='')}/replay", query={"from": from_, "to": to})

    def begin_replay(
        self, key: str, asked: ReplayIn | None = None, *, idempotency_key: str | None = None
    ) -> Reply[ReplayRunOut]:
        """Have the complaints of these days judged again in the background; without days the usual ones up to today."""
        return self._call(
            "POST",
            f"/api/editions/{quote(str(key), safe='')}/replay",
            body=asked or {},
            idempotency_key=idempotency_key,
        )

    def get_shadow(self) -> Reply[dict[str, Any]]:
        """Where the edition in the shadow would have decided otherwise; the newest disagreements one by one."""
        return self._call("GET", "/api/shadow")

    def propose_profile(self, key: str) -> Reply[ProfileOut]:
        """A profile proposed from what was read of this report's mail, or an empty one for its reporter."""
        return self._call("GET", f"/api/reports/{quote(str(key), safe='')}/profile")

    def try_profile(self, key: str, asked: ProfileIn, *, idempotency_key: str | None = None) -> Reply[ProfileTriedOut]:
        """Try a profile on this report's mail; with `use`, and where nothing is wrong, it is in use from then on."""
        return self._call(
            "POST", f"/api/reports/{quote(str(key), safe='')}/profile", body=asked, idempotency_key=idempotency_key
        )

    def tokens(self) -> Reply[list[TokenOut]]:
        """One's own tokens, newest first; an administrator's answer has everybody's."""
        return self._call("GET", "/api/tokens")

    def make_own_token(self, asked: TokenIn, *, idempotency_key: str | None = None) -> Reply[TokenMadeOut]:
        """Make a token of one's own."""
        return self._call("POST", "/api/tokens", body=asked, idempotency_key=idempotency_key)

    def revoke_one_token(self, key: str, *, idempotency_key: str | None = None) -> Reply[None]:
        """End a token of one's own; an administrator ends anybody's."""
        return self._call("DELETE", f"/api/tokens/{quote(str(key), safe='')}", idempotency_key=idempotency_key)

    def list_staff(self) -> Reply[list[PersonOut]]:
        """All accounts of staff, by name."""
        return self._call("GET", "/api/staff")

    def add_to_staff(self, asked: ColleagueIn, *, idempotency_key: str | None = None) -> Reply[LinkOut]:
        """Add a colleague, with the one-time link by which they set their password."""
        return self._call("POST", "/api/staff", body=asked, idempotency_key=idempotency_key)

    def staff_link(
        self, number: int, asked: PersonChangeIn | None = None, *, idempotency_key: str | None = None
    ) -> Reply[PersonDoneOut]:
        """Link: what the console's page of staff does to an account under that name."""
        return self._call(
            "POST", f"/api/staff/{quote(str(number), safe='')}/link", body=asked or {}, idempotency_key=idempotency_key
        )

    def staff_roles(
        self, number: int, asked: PersonRolesIn, *, idempotency_key: str | None = None
    ) -> Reply[PersonDoneOut]:
        """Roles: what the console's page of staff does to an account under that name."""
        return self._call(
            "POST", f"/api/staff/{quote(str(number), safe='')}/roles", body=asked, idempotency_key=idempotency_key
        )

    def staff_sessions(
        self, number: int, asked: PersonChangeIn | None = None, *, idempotency_key: str | None = None
    ) -> Reply[PersonDoneOut]:
        """Sessions: what the console's page of staff does to an account under that name."""
        return self._call(
            "POST",
            f"/api/staff/{quote(str(number), safe='')}/sessions",
            body=asked or {},
            idempotency_key=idempotency_key,
        )

    def staff_factors(
        self, number: int, asked: PersonChangeIn | None = None, *, idempotency_key: str | None = None
    ) -> Reply[PersonDoneOut]:
        """Factors: what the console's page of staff does to an account under that name."""
        return self._call(
            "POST",
            f"/api/staff/{quote(str(number), safe='')}/factors",
            body=asked or {},
            idempotency_key=idempotency_key,
        )

    def staff_on(
        self, number: int, asked: PersonChangeIn | None = None, *, idempotency_key: str | None = None
    ) -> Reply[PersonDoneOut]:
        """On: what the console's page of staff does to an account under that name."""
        return self._call(
            "POST", f"/api/staff/{quote(str(number), safe='')}/on", body=asked or {}, idempotency_key=idempotency_key
        )

    def staff_off(
        self, number: int, asked: PersonChangeIn | None = None, *, idempotency_key: str | None = None
    ) -> Reply[PersonDoneOut]:
        """Off: what the console's page of staff does to an account under that name."""
        return self._call(
            "POST", f"/api/staff/{quote(str(number), safe='')}/off", body=asked or {}, idempotency_key=idempotency_key
        )
