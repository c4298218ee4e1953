"""How far a report is believed, and the alarm when many without a record speak against one customer at once."""

from datetime import datetime, timedelta

from tipstaff.cases.operations import lock_case, write_note
from tipstaff.cases.queries import keys_of_customers
from tipstaff.cases.rules import OPEN
from tipstaff.intake.operations import store_authentication
from tipstaff.intake.queries import count_unproven, origin_of, reporter_record, teller_of
from tipstaff.intake.trust.found import MailAuthentication
from tipstaff.intake.trust.grade import grade
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import has_entry
from tipstaff.words import Allegation, Channel, Report, Trust

from .desk import Desk

FLOOD_WITHIN = timedelta(hours=1)
FORGED_WEIGHT = 5
"""A mail that its own domain disowns counts for as many as this: honest senders seldom fail."""
CASES_MAX = 200
"""Of a customer's open cases so many are looked at, the most pressing."""
FLOOD = "case.flood_suspected"
_BY_MAIL = frozenset({Channel.SMTP, Channel.LMTP, Channel.IMAP, Channel.FILE})
"""What did not come by mail has no signature that could be looked at."""


def vouch(key: str, *, by: str, at: datetime) -> None:
    """Whoever handed this report in is known to us by a token or as a feed that we fetch; put that on record."""
    store_authentication(key, found=MailAuthentication(vouched=True, by=by), at=at, actor="intake")


def check_sender(report: Report, raw: bytes, *, desk: Desk, at: datetime) -> None:
    """Put on record who vouches for the mail, where anything is set up to check it."""
    peer, _vouched, checked = origin_of(report.key)
    if checked or report.channel not in _BY_MAIL:
        return
    found = desk.authenticate(raw, peer, report.sender)
    if found is not None:
        store_authentication(report.key, found=found, at=at, actor="worker")


def reporter_of(report: Report) -> str:
    """By which address whoever complains is known."""
    return (report.reading.reporter.address if report.reading else "") or report.sender


class Belief:
    """What is known of one report's worth, looked up once however many things it alleges."""

    def __init__(self, report: Report, *, desk: Desk) -> None:
        self._report, self._desk = report, desk
        _peer, self._vouched, checked = origin_of(report.key)
        teller = teller_of(report)
        # A name lends its record to nobody but whom it is shown to be: not to what its own domain disowns, nor to
        # another domain's mail that names it as the place to answer to.
        known = teller.keyed or not (teller.nobody or (checked and not self._vouched))
        self._upheld, self._overturned = (
            reporter_record(teller.address, before=report.received_at, by=teller.by if teller.keyed else "")
            if known else (0, 0)
        )  # fmt: skip
        self._floods: dict[str, bool] = {}

    def look_at(self, customers: set[str]) -> None:
        """Look up at once which of these customers are flooded."""
        new = customers - self._floods.keys()
        for customer, cases in keys_of_customers(new, states=OPEN, limit=CASES_MAX).items():
            self._floods[customer] = _floods(cases, until=self._report.received_at, desk=self._desk)

    def trust(self, allegation: Allegation, *, customer: str | None) -> Trust:
        """The evidence's grade, the reporter's record, and whether the customer is flooded with reports."""
        if customer is not None and customer not in self._floods:
            self._floods[customer] = _floods(_cases_of(customer), until=self._report.received_at, desk=self._desk)
        return Trust(
            evidence=grade(allegation, saw_the_same=self._desk.saw_the_same(allegation)),
            reporter_upheld=self._upheld,
            reporter_overturned=self._overturned,
            flooding=customer is not None and self._floods[customer],
            authenticated=self._vouched,
        )


def raise_alarm(key: str, *, desk: Desk, at: datetime) -> bool:
    """Put a flood against the case's customer on record, once for each case; True where one stands there now."""
    case = lock_case(key)
    if was_flooded(key):
        return True
    cases = _cases_of(case.customer)
    if not _floods(cases, until=at, desk=desk):
        return False
    reports, disowned = count_unproven(cases=cases, since=at - FLOOD_WITHIN, until=at)
    record(FLOOD, at=at, actor="worker", about=[case.key], reports=reports, disowned=disowned)
    sentence = (
        f"{reports} reports within an hour came from senders without a record, {disowned} of them disowned by their "
        "own domain. They may be forged: no measure follows by the clock; look at them first."
    )
    write_note(case.key, text=sentence, at=at, actor="worker")
    return True


def was_flooded(case: str) -> bool:
    """Whether such an alarm stands on the case's record: then no measure follows by the clock alone."""
    return has_entry(case, what=FLOOD)


def _cases_of(customer: str) -> list[str]:
    return keys_of_customers([customer], states=OPEN, limit=CASES_MAX)[customer]


def _floods(cases: list[str], *, until: datetime, desk: Desk) -> bool:
    if not cases:
        return False
    reports, disowned = count_unproven(cases=cases, since=until - FLOOD_WITHIN, until=until)
    return reports + (FORGED_WEIGHT - 1) * disowned >= desk.flood_hourly
