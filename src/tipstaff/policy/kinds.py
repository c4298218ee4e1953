"""The words in which a clause says what it is: whom it binds, what it is for, what is automatic, what is kept."""

import enum


class Actor(enum.StrEnum):
    """Whose conduct a clause binds."""

    USER = "user"
    OPERATOR = "operator"
    COMPLAINANT = "complainant"


class ClauseKind(enum.StrEnum):
    """What a clause is for. Only conduct is judged."""

    CONDUCT = "conduct"
    """What a user does or leaves undone; a report or a finding of it is judged."""
    DUTY = "duty"
    """What binds by agreement or by law; nobody is judged under it."""
    PROCEDURE = "procedure"
    """What the operator does, step by step."""


class AutoStep(enum.StrEnum):
    """What is done without a person. Whether the software does it yet is what coverage says, not this."""

    TAKE_IN = "take_in"
    """Reports are taken in, told from each other, and tied to who held the address then."""
    CORROBORATE = "corroborate"
    """A second, independent source is asked for."""
    MEASURE = "measure"
    """Our own measurement looks for it: traffic, mail, names, routes."""
    RECONCILE = "reconcile"
    """Records are compared: our plan of addresses, switches, registries, letters of authority."""
    CHECK_FORM = "check_form"
    """The form that the law asks for is checked, and its clock begins."""
    VET = "vet"
    """Whoever signs up or changes their order is looked up."""
    SEAL = "seal"
    """It goes to the sealed queue, and its content is shown to nobody."""
    TELL = "tell"
    """A letter is written, and its delivery shown."""
    PLAN = "plan"
    """Measures are weighed and tried out on paper, with an end and a way back."""
    PUBLISH = "publish"
    """A text is kept in versions, compared, signed and posted."""
    PROBE = "probe"
    """The customer's own set-up is asked, at set times and with its leave."""
    ATTRIBUTE = "attribute"
    """Who held an address is looked up, and no more is told than was asked."""


class RecordKind(enum.StrEnum):
    """What is kept of a case under a clause."""

    CASE = "case"
    """The report's digest, who held the address, the edition, the decision."""
    MEASURE = "measure"
    """The same, and what was done on which device, with its proof."""
    LEGAL = "legal"
    """A register that only counsel reads."""
    SEALED = "sealed"
    """A register without any media (row 41)."""
    POLICY = "policy"
    """The editions and who approved, announced and accepted them."""
    ROUTES = "routes"
    """The case, with what registries and routers said at that time."""
    LETTERS = "letters"
    """Who was written to, when, and what their server answered."""


class Opens(enum.StrEnum):
    """What a first report under a clause leads to."""

    CASE = "case"
    """The holder is told."""
    PERSON = "person"
    """Counsel decides before anything is sent."""


class Subject(enum.StrEnum):
    """What is complained about: an address, or a name or URL with no address stated."""

    ADDRESS = "address"
    NAME = "name"


class PortOf(enum.StrEnum):
    """Where the port comes from that stopping this conduct takes."""

    TARGET = "target"
    """The port that was attacked."""
    SOURCE = "source"
    """The port of the customer's own service."""


class Event(enum.StrEnum):
    """Steps of the operator's that the program takes only where a clause of the edition answers them."""

    EDITION_PROPOSED = "edition.proposed"
    """A draft is to be announced or posted."""
    SERVICE_USED = "service.used"
    """A customer was seen to use a service."""
    MEASUREMENT_STARTED = "measurement.started"
    """A detector is to look through what devices and servers wrote."""
    ADVICE_GIVEN = "advice.given"
    """We advised a customer on settings."""
    CLAIM_MADE = "claim.against_us"
    """Somebody claims something of us for what happened."""
    AGENT_DESIGNATED = "agent.designated"
    """Our agent for copyright notices is to be named."""
    CONTACT_ASKED_FOR = "contact.asked_for"
    """An address is to be passed on, so that two can settle a matter."""
    CONTENT_SPREAD_AGAIN = "content.spread_again"
    """Something was put up again after takedowns, and a service is to be suspended."""
    AUTHORITY_ASKS = "authority.asks"
    """An authority's request that names nobody is to be answered."""
    IDENTITY_ASKED = "identity.asked"
    """Who a customer is is to be told to somebody else."""
    HARBOUR_QUESTIONED = "harbour.questioned"
    """A limit of liability is to be relied on."""
    DATA_COLLECTED = "data.collected"
    """What devices wrote about use is to be taken in."""
    FILTER_PROPOSED = "filter.proposed"
    """A filter that belongs to no case is to be put into the network."""
    REGISTRY_UNCORRECTED = "registry.uncorrected"
    """A network's records are still wrong, and its routes are to be refused."""


RAISED_EVENTS = frozenset(event.value for event in Event)
"""Of all events that clauses name, those that a procedure raises; the rest are words that examples try."""


WATCHED_CLOCKS = frozenset({
    "accountability.every", "child_abuse.preserve", "complaint.acknowledge", "complaint.forward", "complaint.outcome",
    "copyright.agent_renewal", "copyright.restore", "filter.notice", "filter.review", "measure.countersign",
    "measure.lifetime", "measure.lifetime_first", "measure.review", "policy.announce", "terror.preserve",
    "terror.remove", "threat.tell_police", "transit.correct_first",
})  # fmt: skip
"""The clocks of an edition that something in the program starts and watches. Besides these: `desk.decide` and what
begins with it, and every clock of a clause under which requests are answered, of which counsel names one with each."""
DESK_CLOCK = "desk.decide"
ASKED_EVENTS = frozenset({Event.AUTHORITY_ASKS.value, Event.IDENTITY_ASKED.value})
"""The events of clauses under which requests are answered."""


class LegalForm(enum.StrEnum):
    """The form that the law asks of what is sent in under a clause."""

    DMCA_NOTICE = "dmca_notice"
    """A notice of claimed infringement (17 U.S.C. 512(c)(3))."""
    DSA_NOTICE = "dsa_notice"
    """A notice of illegal content (Regulation (EU) 2022/2065, Article 16(2))."""
    ORDER = "order"
    """An order or a ruling of a court, a panel or an authority."""
    COUNTER_NOTICE = "counter_notice"
    """A customer's answer to a notice of claimed infringement (17 U.S.C. 512(g)(3))."""
    REMOVAL_ORDER = "removal_order"
    """A removal order (Regulation (EU) 2021/784, Article 3(4))."""

    @property
    def said(self) -> str:
        """As a sentence says it."""
        return _SAID[self]


_SAID = {
    LegalForm.DMCA_NOTICE: "notice of claimed infringement",
    LegalForm.DSA_NOTICE: "notice of illegal content",
    LegalForm.ORDER: "order or ruling",
    LegalForm.COUNTER_NOTICE: "counter-notice",
    LegalForm.REMOVAL_ORDER: "removal order",
}


class ExampleKind(enum.StrEnum):
    """What an example shows of its clause."""

    HIT = "hit"
    NEAR_MISS = "near_miss"
    EXEMPT = "exempt"
    EXIGENT = "exigent"
