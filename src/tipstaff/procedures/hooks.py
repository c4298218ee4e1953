"""Programs of the operator's and of customers are told what happens: what stands in the record, as Standard Webhooks.

What is told is that something happened and to what (a kind and keys), never what anybody wrote, and nothing about what
is in the sealed queue. Whoever wants more asks the API, under permissions of their own. What a customer's are told is
chosen in `hooks_of_customers`.
"""

import json
import re
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from tipstaff.host import signing
from tipstaff.host.outward import NotAllowed as NotAllowed
from tipstaff.host.outward import NotTaken, Outward
from tipstaff.ledger import queries as ledger
from tipstaff.registry.operations import lock_customer
from tipstaff.webhooks import operations, queries
from tipstaff.webhooks.operations import NoSuchDispatch as NoSuchDispatch
from tipstaff.webhooks.operations import NoSuchWebhook as NoSuchWebhook
from tipstaff.webhooks.operations import WebhookIsOff as WebhookIsOff
from tipstaff.webhooks.operations import forget_webhook as forget_webhook
from tipstaff.webhooks.operations import send_again as send_again
from tipstaff.webhooks.operations import switch as switch
from tipstaff.webhooks.operations import switch_off_of as switch_off_of
from tipstaff.webhooks.operations import tidy as tidy
from tipstaff.webhooks.operations import try_webhook as try_webhook
from tipstaff.words import Dispatch, Entry, Happening, ReportOutcome, Webhook

from .desk import Desk
from .hooks_of_customers import OWN_EVENTS, is_still_told, tell_switched_off, told_to_customers, why_over
from .sealed import keys_hidden

READ_AT_A_TIME, READS_A_ROUND, SENT_AT_A_TIME = 1000, 20, 50
"""Of the record, and how often in one round: what was read is sent before more is. How much is sent in one."""
POST_SECONDS, CUSTOMERS_POST_SECONDS, ROUND_SECONDS = 15, 5, 30
"""How long one attempt may take, and how long a round goes on before other work has its turn."""
HOOKS_MAX = 5
"""So many webhooks a customer has at the most."""
_KIND = re.compile(
    r"(case|letter|measure)\.(\*|[a-z_]+)|device\.(\*|silent|answers_again|held_back|let_pass)|report\.decided"
)
_UNTOLD = frozenset({"case.matter_sealed", "letter.blanked"})
_KINDS_OF_KEY = {"C": "case", "L": "letter", "M": "measure", "R": "report", "S": "sighting"}
_KEY = re.compile(r"([CLMRS])-\d+")


NOWHERE = Outward(())


class NoSuchEvent(ValueError):
    """Events are kinds of entries of the record (case.opened ...), or case.*, letter.*, measure.* and device.*."""


class TooManyWebhooks(ValueError):
    """There are five webhooks already; forget one first."""


def make(
    url: str, *, events: Sequence[str], outward: Outward, seal: Callable[[bytes], bytes], at: datetime, actor: str,
    customer: str = "",
) -> tuple[Webhook, str]:  # fmt: skip
    """A new webhook, and its secret, which is shown this once; a `customer`'s, or the operator's own.

    Raise NotAllowed, NoSuchEvent or TooManyWebhooks.
    """
    outward.check(url)
    wanted = tuple(dict.fromkeys(events))
    known = [event in OWN_EVENTS if customer else _KIND.fullmatch(event) and len(event) <= 64 for event in wanted]
    if not 0 < len(wanted) <= 50 or not all(known):
        raise NoSuchEvent(NoSuchEvent.__doc__)
    secret = signing.make_secret()
    with transaction.atomic():
        if customer:
            lock_customer(customer)  # Two at once count one another.
            if len(queries.list_webhooks(customer=customer)) >= HOOKS_MAX:
                raise TooManyWebhooks(TooManyWebhooks.__doc__)
        made = operations.make_webhook(
            url, events=wanted, sealed_secret=seal(secret.encode()), told_to=ledger.chain_end(), at=at, actor=actor,
            customer=customer,
        )  # fmt: skip
    return made, secret


def tell(*, at: datetime, closed: Collection[str] = ()) -> int:
    """Make dispatches of what came to stand in the record's chain since the last time; how many. Nothing is told of
    what is sealed, or of cases of the clause groups that are `closed` to some of the staff. After `READS_A_ROUND` the
    next round goes on."""
    made = 0
    for _ in range(READS_A_ROUND):
        after = queries.told_to()
        if after is None:
            break
        entries = ledger.in_chain(after=after, limit=READ_AT_A_TIME)
        if not entries:
            break
        last = entries[-1].seq
        assert last is not None, "it stands in the chain"
        hidden = keys_hidden(closed, sealed=True)
        open_ = [e for e in entries if hidden.isdisjoint(key.partition(".")[0] for key in e.about)]
        theirs = told_to_customers(open_, closed=closed)
        events = [event for event in map(event_of, open_) if event is not None]
        made += operations.queue(events, theirs=theirs, up_to=last, at=at)
    return made


def event_of(entry: Entry) -> Happening | None:
    """What is told of an entry; None where nothing is."""
    if not _KIND.fullmatch(entry.what) or entry.what in _UNTOLD:
        return None
    if entry.detail.get("outcome") == ReportOutcome.SEALED:
        return None
    keys: dict[str, str] = {}
    if entry.what.startswith("device."):
        keys["device"] = entry.about[0]
    for about in entry.about:
        if match := _KEY.match(about):
            keys.setdefault(_KINDS_OF_KEY[match[1]], match[0])
    assert entry.seq is not None, "it stands in the chain"
    return Happening(seq=entry.seq, entry=entry.id, kind=entry.what, at=entry.at, keys=keys)


def send_due(
    *, outward: Outward, unseal: Callable[[bytes], bytes], now: Callable[[], datetime],
    to_customers: Outward | None = None, desk: Desk | None = None, closed: Collection[str] = (),
) -> int:  # fmt: skip
    """Make the attempts that are due, each on record before and after; how many were taken.

    Customers' go `to_customers`, a way out of their own. One that is switched off after long failure is told of by a
    letter, for which the desk is there.
    """
    began, taken = now(), 0
    for number in queries.due(began, limit=SENT_AT_A_TIME):
        if now() - began > timedelta(seconds=ROUND_SECONDS):
            break
        begun = operations.begin_attempt(number, at=now())
        if begun is None:
            continue
        dispatch, webhook = begun
        if webhook.customer and (over := why_over(webhook)):
            switch(webhook.key, on=False, note=over, at=now(), actor="worker")
            continue
        if webhook.customer and not is_still_told(json.loads(dispatch.body), to=webhook.customer, closed=closed):
            operations.take_out(number)
            continue
        way = (to_customers or NOWHERE) if webhook.customer else outward
        taken += _attempt(dispatch, webhook, outward=way, unseal=unseal, now=now, desk=desk)
    operations.tidy(at=began)
    return taken


def _attempt(
    dispatch: Dispatch, webhook: Webhook, *, outward: Outward, unseal: Callable[[bytes], bytes],
    now: Callable[[], datetime], desk: Desk | None,
) -> bool:  # fmt: skip
    body, status, said = dispatch.body.encode(), 0, ""
    try:
        secret = unseal(queries.sealed_secret(dispatch.webhook)).decode()
        headers = signing.sign(body, id=dispatch.id, at=now(), secret=secret)
        answer = outward.post(
            webhook.url, body, {"content-type": "application/json", "user-agent": "tipstaff", **headers},
            timeout_seconds=CUSTOMERS_POST_SECONDS if webhook.customer else POST_SECONDS,
        )  # fmt: skip
        # What a stranger's server says stands on none of our pages: its number is enough.
        status, said = answer.status, f"{answer.status} {'' if webhook.customer else answer.text}".strip()
    except (NotAllowed, NotTaken) as why:
        said = str(why)
    taken = 200 <= status < 300
    with transaction.atomic():
        off = operations.end_attempt(
            dispatch.number, taken=taken, gone=status == 410, said=said, at=now(), actor="worker"
        )  # fmt: skip
        if off is not None and off.customer and desk is not None:
            tell_switched_off(off, desk=desk, at=now())
    return taken


def told(dispatch: Dispatch) -> dict[str, Any]:
    """How a dispatch stands, for who keeps webhooks."""
    state = "taken" if dispatch.taken_at else "waits" if dispatch.due_at else "given_up"
    return {
        "number": dispatch.number, "id": dispatch.id, "event": dispatch.event, "at": dispatch.at, "state": state,
        "attempts": dispatch.attempts, "due_at": dispatch.due_at, "taken_at": dispatch.taken_at, "said": dispatch.said,
    }  # fmt: skip
