"""What each detector counts in what it reads, what it leaves out, and what it refuses. No database, no network."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff import wiring
from tipstaff.sensors.contacts import Contacts
from tipstaff.sensors.flows import COLUMNS, Flows, read_controls
from tipstaff.sensors.lan import Lan
from tipstaff.sensors.links import Links, SharedLink, SourceValidation
from tipstaff.sensors.listings import Listings
from tipstaff.sensors.mail import Postfix
from tipstaff.sensors.mailboxes import Dovecot
from tipstaff.sensors.profile import Profile
from tipstaff.sensors.protocol import Detector, Ended, Network, NotReadable, Roa, Seen
from tipstaff.sensors.routes import Routes, read_roas, validity_of
from tipstaff.words import ResourceKind, UsageKind

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@dataclass
class Known:
    """A registry in a few lines."""

    agreed: frozenset[str] = frozenset()
    roas: Sequence[Roa] = ()
    own_asn: int | None = None
    given: frozenset[str] = frozenset()
    held: dict[tuple[ResourceKind, str, str], str] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)
    past: dict[str, Ended] = field(default_factory=dict)
    needed: dict[str, str] = field(default_factory=dict)
    controls: dict[str, str] = field(default_factory=dict)
    named: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    leaves: frozenset[tuple[str, str]] = frozenset()
    rights: dict[tuple[str, str], tuple[bool, bool]] = field(default_factory=dict)

    def is_own(self, network: Network, *, at: datetime) -> bool:
        return network.version == 4 and network.subnet_of(ip_network("192.0.2.0/24"))  # type: ignore[arg-type]  # one version

    def allowed(self, customer: str, detector: str, *, at: datetime) -> bool:
        return (customer, detector) in self.leaves

    def represented_by(self, email: str, *, at: datetime) -> list[tuple[str, int]]:
        return self.named.get(email, [])

    def is_given(self, network: Network, *, at: datetime) -> bool:
        return str(network) in self.given

    def holder(self, network: Network, *, at: datetime) -> str | None:
        return self.holders.get(str(network))

    def ended(self, network: Network, *, at: datetime) -> Ended | None:
        return self.past.get(str(network))

    def holder_of(self, kind: ResourceKind, name: str, *, scope: str = "", at: datetime) -> str | None:
        return self.held.get((kind, name, scope))

    def may_announce(self, customer: str, prefix: Network, origin: int, *, at: datetime) -> tuple[bool, bool]:
        return self.rights.get((customer, str(prefix)), (False, False))


def found(
    detector: Detector, text: str, known: Known | None = None, *, controls: dict[str, str] | None = None
) -> list[Seen]:
    return list(detector.look(text.splitlines(keepends=True), books=known or Known(controls=controls or {})))


# Flows


def flows(*rows: tuple[object, ...]) -> str:
    return "\n".join([",".join(COLUMNS), *(", ".join(map(str, row)) for row in rows)])


def probe(
    n: int, *, source: str = "192.0.2.10", port: int = 22, seconds: float = 0, packets: int = 1
) -> tuple[object, ...]:
    start = NOON.timestamp() + seconds
    return (start, 0.1, source, f"203.0.113.{n}", "TCP", 40000 + n, port, "......S.", packets)


def test_talks_with_a_known_control_server_are_found() -> None:
    controls = read_controls("# of ours\n203.0.113.7 a feed  # seen in May\n")
    talks = [probe(7, port=8443, seconds=n, packets=12) for n in range(3)]
    [seen] = found(Flows(), flows(*talks, probe(8, port=8443, packets=12)), controls=controls)
    assert (seen.kind, seen.facts) == ("flows.control_server", {"conversations": 3, "listed_by": "a feed"})
    assert (str(seen.source), seen.target, seen.target_port) == ("192.0.2.10", "203.0.113.7", 8443)
    # A probe, or a packet with a forged source, is no conversation.
    assert found(Flows(), flows(probe(7, port=8443)), controls=controls) == []
    with pytest.raises(NotReadable, match="line 2"):
        read_controls("203.0.113.7\nevil.example.net\n")


def test_a_scan_is_counted_by_its_targets_and_its_time() -> None:
    [scan] = found(Flows(), flows(*(probe(n, seconds=n * 10) for n in range(120))))
    assert (scan.kind, scan.facts["targets"], scan.facts["minutes"]) == ("flows.scan", 120, 20)
    assert (str(scan.source), scan.target_port, scan.facts["announced"]) == ("192.0.2.10", 22, False)
    assert scan.at == NOON


def test_a_scan_that_was_agreed_on_says_so() -> None:
    [scan] = found(Flows(), flows(*(probe(n) for n in range(120))), Known(agreed=frozenset({"192.0.2.10"})))
    assert scan.facts["announced"] is True


@pytest.mark.parametrize(
    "rows",
    [
        [probe(n) for n in range(40)],
        [probe(n, source="203.0.113.200") for n in range(120)],
        [probe(n, packets=50) for n in range(120)],
        [probe(1) for _ in range(500)],
        [(*probe(n)[:7], "...AP.SF", 2) for n in range(120)],
    ],
    ids=["few targets", "not our space", "conversations", "one target", "connections that were made"],
)
def test_what_is_no_scan_is_not_handed_in(rows: list[tuple[object, ...]]) -> None:
    assert [s for s in found(Flows(), flows(*rows)) if s.kind == "flows.scan"] == []


@pytest.mark.parametrize(
    ("protocol", "flags", "syn_percent", "icmp"),
    [("TCP", "......S.", 100, False), ("1", "", 0, True), ("UDP", "........", 0, False)],
)
def test_a_flood_is_counted_by_its_rate_and_what_it_is_made_of(
    protocol: str, flags: str, syn_percent: int, icmp: bool
) -> None:
    rows = [(NOON.isoformat(), "00:02:00.000", "192.0.2.10", "203.0.113.7", protocol, 0, 53, flags, 12_000_000)]
    [flood] = found(Flows(), flows(*rows))
    assert (flood.kind, flood.facts["packets_per_second"], flood.facts["seconds"]) == ("flows.flood", 100_000, 120)
    assert (flood.facts["syn_percent"], flood.facts["icmp"]) == (syn_percent, icmp)
    assert flood.target == "203.0.113.7"


def test_the_rate_is_that_to_one_target_and_not_the_sum_over_all() -> None:
    rows = [(NOON.isoformat(), 120, "192.0.2.10", f"203.0.113.{n}", "UDP", 1, 53, "", 60_000) for n in range(200)]
    assert [s for s in found(Flows(), flows(*rows)) if s.kind == "flows.flood"] == []


# Mail


def log(*said: tuple[float, str]) -> str:
    return "\n".join(f"{(NOON + timedelta(seconds=s)).isoformat()} mx1 postfix/{line}" for s, line in said)


def mails(
    count: int, *, user: str = "u@example.net", to: str = "v@example.org", every: float = 0.1
) -> Iterator[tuple[float, str]]:
    for n in range(count):
        at = n * every
        yield at, f"smtpd[7]: Q{n}: client=unknown[192.0.2.10], sasl_method=PLAIN, sasl_username={user}"
        yield at, f"qmgr[8]: Q{n}: from=<{user}>, size=900, nrcpt=1 (queue active)"
        sent = "relay=mx.example.org[203.0.113.9]:25, dsn=2.0.0, status=sent (250 ok)"
        yield at, f"smtp[9]: Q{n}: to=<{to.format(n=n % 3)}>, {sent}"


def test_a_burst_is_counted_by_the_minute_with_its_recipients() -> None:
    burst = next(s for s in found(Postfix(), log(*mails(600, to="v{n}@example.org"))) if s.kind == "mail.burst")
    assert burst.facts == {"messages_per_minute": 600, "recipients": 3}
    assert burst.held == (ResourceKind.LOGIN, "u@example.net", "")
    assert "example.org" not in burst.excerpt, "who was written to is nobody's to learn"


def test_many_mails_to_one_person_are_counted_by_the_hour() -> None:
    [excess] = [seen for seen in found(Postfix(), log(*mails(120, every=20))) if seen.used is None]
    assert (excess.kind, excess.facts) == ("mail.excess_to_one", {"messages_per_hour": 120})


def test_a_mail_that_waits_and_comes_by_again_is_counted_once() -> None:
    again = (0.0, "qmgr[8]: Q1: from=<u@example.net>, size=900, nrcpt=1 (queue active)")
    [log_in] = found(Postfix(), log(*mails(3), *[again] * 500))
    assert log_in.used is not None, "nothing is counted but that somebody logged in"
    assert (log_in.used.kind, log_in.used.what, log_in.used.seen_at) == (UsageKind.LOGIN, "u@example.net", NOON)


def test_senders_that_are_not_the_users_own_are_counted() -> None:
    said = (
        "smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.10]: 553 5.7.1 <chief@example.org>: Sender address "
        "rejected: not owned by user u@example.net; from=<chief@example.org> to=<v@example.org> proto=ESMTP helo=<x>"
    )
    [forged] = found(Postfix(), log(*((n, said) for n in range(30))))
    assert (forged.kind, forged.facts) == ("mail.sender_not_owned", {"rejected": 30})


def test_a_log_without_year_and_zone_is_refused() -> None:
    with pytest.raises(NotReadable, match="RSYSLOG_FileFormat"):
        found(Postfix(), "May  4 12:00:00 mx1 postfix/smtpd[7]: Q1: client=unknown[192.0.2.10]")


QUOTA = (
    "Username\tQuota name\tType\tValue\tLimit\t%\n"
    "{u}\tUser quota\tSTORAGE\t{used}\t1000\t{used}\n"
    "{u}\tUser quota\tMESSAGE\t10\t-\t0\n"
)
STATUS = "username\tmailbox\tmessages\tunseen\n{u}\tINBOX\t10\t{unseen}\n{u}\tBackup\t990\t980\n"


def tables(*, used: int, unseen: int = 10) -> str:
    return f"# {NOON.isoformat()}\n" + (QUOTA + STATUS).format(u="u@example.net", used=used, unseen=unseen)


def test_a_mailbox_full_of_what_nobody_reads_is_counted() -> None:
    [full] = found(Dovecot(), tables(used=970))
    assert (full.kind, full.facts) == ("mail.stored_files", {"share_of_quota_percent": 97, "unread_percent": 99})
    assert full.held == (ResourceKind.MAILBOX, "u@example.net", "")
    assert found(Dovecot(), tables(used=300)) == []


def test_tables_that_do_not_say_when_are_refused() -> None:
    with pytest.raises(NotReadable, match="when the tables were printed"):
        found(Dovecot(), tables(used=970).partition("\n")[2])


# The plan of addresses and ports


def table(*rows: tuple[int, str, str, str, str]) -> str:
    said = (f"{(NOON + timedelta(minutes=m)).isoformat()},{a},{mac},{scope},{port}" for m, a, mac, scope, port in rows)
    return "\n".join(["seen_at,address,mac,scope,port", *said])


MAC = "02:00:5e:10:00:01"
SEEN = table((0, "192.0.2.50", MAC, "sw1", "ge-0/1"), (40, "192.0.2.50", MAC, "sw1", "ge-0/1"))


def test_an_address_that_nobody_was_given_leads_to_who_has_the_port() -> None:
    known = Known(held={(ResourceKind.PORT, "ge-0/1", "sw1"): "acct-1"})
    [one] = found(Lan(), SEEN, known)
    assert (one.kind, one.account, one.source) == ("network.unallocated_address", "acct-1", None)
    assert one.facts == {"minutes_seen": 40, "planned": False, "machine": f"sw1/ge-0/1/{MAC}"}


def test_on_a_port_that_nobody_has_it_names_nobody() -> None:
    [one] = found(Lan(), SEEN)
    assert (one.account, str(one.source)) == ("", "192.0.2.50")


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (SEEN, Known(given=frozenset({"192.0.2.50/32"}))),
        (SEEN.replace("192.0.2.50", "203.0.113.50"), Known()),
        (table((0, "192.0.2.50", MAC, "sw1", "1"), (5, "192.0.2.50", MAC, "sw1", "1")), Known()),
    ],
    ids=["in the plan", "not our space", "for five minutes"],
)
def test_what_is_in_the_plan_or_passes_by_is_not_handed_in(text: str, known: Known) -> None:
    assert [s for s in found(Lan(), text, known) if s.kind == "network.unallocated_address"] == []


def test_a_port_outside_the_inventory_leads_to_who_is_on_it() -> None:
    theirs = Known(given=frozenset({"192.0.2.50/32"}), holders={"192.0.2.50/32": "acct-1"})
    [one] = found(Lan(), SEEN, theirs)
    assert (one.kind, one.account, one.facts["assigned"]) == ("network.unassigned_port", "acct-1", False)
    theirs.held[ResourceKind.PORT, "ge-0/1", "sw1"] = "acct-1"
    assert found(Lan(), SEEN, theirs) == []


# Counters of ports


def polls(*, percent: int, hours: int, busy_of_20: int = 20) -> str:
    rows = (
        f"{(NOON + timedelta(hours=n)).isoformat()},r1,ge-0/1,{percent if n % 20 < busy_of_20 else 1},100"
        for n in range(hours)
    )
    return "\n".join(["at,scope,port,bits_per_second,speed_bps", *rows])


def test_a_full_link_is_known_by_the_95th_percentile() -> None:
    [full] = found(Links(), polls(percent=97, hours=15 * 24 + 1))
    assert (full.kind, full.facts["p95_percent"], full.facts["days"]) == ("routes.link_full", 97, 15)
    assert full.held == (ResourceKind.PORT, "ge-0/1", "r1")
    assert found(Links(), polls(percent=97, hours=400, busy_of_20=1)) == [], "1 poll of 20 is just below the rank"


def shared(*dropped: int, heavy: str = "ge-0/1", load: int = 900) -> str:
    """Polls of a link that three ports share, a minute apart, at which it dropped so much."""
    rows = (
        f"{(NOON + timedelta(minutes=m)).isoformat()},olt1,pon-3,{lost},{port},{load if port == heavy else 50}"
        for m, lost in enumerate(dropped)
        for port in ("ge-0/1", "ge-0/2", "ge-0/3")
    )
    return "\n".join(["at,scope,link,dropped,port,bits_per_second", *rows])


def neighbours() -> Known:
    held = {(ResourceKind.PORT, f"ge-0/{n}", "olt1"): f"acct-{n}" for n in (1, 2, 3)}
    return Known(held=held)


def test_who_keeps_others_from_a_shared_link_is_found() -> None:
    [harm] = found(SharedLink(), shared(0, 80, 90, 70, 0), neighbours())
    assert (harm.kind, harm.held) == ("network.harm_to_others", (ResourceKind.PORT, "ge-0/1", "olt1"))
    assert harm.facts == {
        "customers_affected": 2, "cause_confirmed": True, "share_percent": 90, "packets_dropped": 240, "polls": 3,
    }  # fmt: skip
    assert found(SharedLink(), shared(0, 80, 90, 0, 70), neighbours()) == [], "two bursts are no harm that goes on"
    assert found(SharedLink(), shared(1, 1, 1), neighbours()) == []
    alone = Known(held=dict.fromkeys(neighbours().held, "acct-1"))
    [own] = found(SharedLink(), shared(80, 90, 70), alone)
    assert own.facts["customers_affected"] == 0, "whoever fills their own ports harms nobody"


def test_a_shared_link_whose_load_nobody_makes_alone_confirms_no_cause() -> None:
    [together] = found(SharedLink(), shared(80, 90, 70, load=60), neighbours())
    assert together.facts["cause_confirmed"] is False


def test_what_source_validation_drops_is_counted_by_the_port() -> None:
    rows = [f"{(NOON + timedelta(minutes=m)).isoformat()},r1,ge-0/1,{300}" for m in range(0, 10)]
    [spoofed] = found(SourceValidation(), "\n".join(["at,scope,port,dropped", *rows]))
    assert (spoofed.kind, spoofed.facts) == (
        "network.spoofed_source", {"packets_dropped": 3000, "minutes": 9, "port": "r1/ge-0/1"},
    )  # fmt: skip
    assert found(SourceValidation(), f"at,scope,port,dropped\n{NOON.isoformat()},r1,ge-0/1,20") == []


# Routes

PREFIX, ORIGIN = "198.51.100.0/24", 64500
CUSTOMER = {(ResourceKind.ASN, "AS64500", ""): "acct-1"}
THEIRS = {("acct-1", PREFIX): (True, False)}
ROA = Roa(prefix=ip_network(PREFIX), longest=24, origin=64499)


def dump(path: str, *, peer: str = "203.0.113.1", peer_as: int = 64501, hours: int = 0, prefix: str = PREFIX) -> str:
    at = int((NOON + timedelta(hours=hours)).timestamp())
    return f"TABLE_DUMP2|{at}|B|{peer}|{peer_as}|{prefix}|{path}|IGP|{peer}|0|0||NAG||"


def kinds(text: str, known: Known) -> dict[str, Seen]:
    return {one.kind: one for one in found(Routes(), text, known)}


def test_an_origin_that_its_authorisations_do_not_allow_is_invalid() -> None:
    text = "\n".join(dump("64501 64500", peer=f"203.0.113.{n}") for n in (1, 2, 3))
    seen = kinds(text, Known(held=CUSTOMER, rights=THEIRS, roas=[ROA]))
    assert set(seen) == {"routes.origin_invalid"}
    assert seen["routes.origin_invalid"].facts == {"validity": "invalid", "seen_by": 3}
    assert seen["routes.origin_invalid"].account == "acct-1"


@pytest.mark.parametrize(
    ("roas", "validity"),
    [
        ([], "not_found"),
        ([Roa(prefix=ip_network(PREFIX), longest=24, origin=ORIGIN)], "valid"),
        ([ROA, Roa(prefix=ip_network("198.51.0.0/16"), longest=24, origin=ORIGIN)], "valid"),
        ([Roa(prefix=ip_network("198.51.0.0/16"), longest=20, origin=ORIGIN)], "invalid"),
        ([ROA], "invalid"),
        ([Roa(prefix=ip_network("2001:db8::/32"), longest=48, origin=1)], "not_found"),
        ([Roa(prefix=ip_network(PREFIX), longest=24, origin=0)], "invalid"),
    ],
)
def test_validity_is_that_of_rfc_6811(roas: list[Roa], validity: str) -> None:
    assert validity_of(ip_network(PREFIX), ORIGIN, roas) == validity


def test_origin_zero_is_never_valid() -> None:
    assert validity_of(ip_network(PREFIX), 0, [Roa(prefix=ip_network(PREFIX), longest=24, origin=0)]) == "invalid"


def test_only_what_registry_or_letter_names_may_be_announced() -> None:
    assert set(kinds(dump("64501 64500"), Known(held=CUSTOMER))) == {"routes.not_entitled"}
    for rights in ((True, False), (False, True)):
        assert kinds(dump("64501 64500"), Known(held=CUSTOMER, rights={("acct-1", PREFIX): rights})) == {}


def test_what_others_originate_accuses_no_customer() -> None:
    assert kinds(dump("64501 64499"), Known(held=CUSTOMER, roas=[ROA])) == {}


def test_space_of_ours_that_is_announced_after_its_end_is_found() -> None:
    own = "192.0.2.0/25"
    known = Known(held=CUSTOMER, past={own: Ended(customer="acct-1", at=NOON - timedelta(days=3))})
    seen = kinds(dump("64501 64500", prefix=own), known)
    assert set(seen) == {"routes.announced_after_exit"}
    assert seen["routes.announced_after_exit"].facts == {"days_after_exit": 3, "ours": True}


def test_only_what_an_origin_hands_to_us_itself_is_in_use_here() -> None:
    text = "\n".join(
        [
            dump("64510 64500 64500", peer_as=64510, prefix="203.0.113.0/25"),
            dump("64510 64500", peer_as=64510, prefix="203.0.113.0/25", hours=2),
            dump("64510 64501 64502", peer_as=64510, prefix="203.0.113.128/26"),
            dump("64501 64503", prefix="203.0.113.192/26"),
        ]
    )
    [seen] = [one for one in found(Routes(), text, Known(own_asn=64510)) if one.used is not None]
    assert seen.used is not None
    assert (seen.used.what, seen.used.seen_at) == ("203.0.113.0/25 AS64500", NOON + timedelta(hours=2))
    assert all(one.used is None for one in found(Routes(), text, Known())), "without a router of ours"


def test_what_came_after_a_prefixs_end_is_told_once() -> None:
    own = "192.0.2.0/25"
    known = Known(held=CUSTOMER, past={own: Ended(customer="acct-1", at=NOON - timedelta(days=3))}, own_asn=64510)
    assert set(kinds(dump("64510 64500", prefix=own, peer_as=64510), known)) == {"routes.announced_after_exit"}


def test_prepending_is_compared_with_the_shortest_elsewhere() -> None:
    text = "\n".join([dump("64510 64500 64500 64500 64500 64500 64500", peer_as=64510), dump("64501 64500 64500")])
    seen = kinds(text, Known(held=CUSTOMER, rights=THEIRS, own_asn=64510))
    assert seen["routes.prepended"].facts == {"times_longer": 4}


def test_what_collectors_see_and_we_never_do_is_missing_here() -> None:
    ours = dump("64510 64502", peer_as=64510, prefix="203.0.113.0/24")
    text = "\n".join([ours, dump("64501 64500"), dump("64501 64500", hours=30)])
    seen = kinds(text, Known(held=CUSTOMER, rights=THEIRS, own_asn=64510))
    assert seen["routes.missing_here"].facts == {"hours_missing": 30}
    assert kinds(text.partition("\n")[2], Known(held=CUSTOMER, rights=THEIRS, own_asn=64510)) == {}, (
        "without a table of our own nothing can be missing in it"
    )


def test_a_path_that_ends_in_a_set_names_nobody() -> None:
    assert kinds(dump("64501 {64500,64499}"), Known(held={(ResourceKind.ASN, "AS64501", ""): "acct-2"})) == {}


def test_route_origins_are_read_as_relying_parties_write_them() -> None:
    told = json.loads('{"roas": [{"asn": "AS64499", "prefix": "198.51.100.0/24", "maxLength": 24, "ta": "x"}]}')
    assert read_roas(told) == (ROA,)
    told["roas"][0]["asn"] = 64499
    assert read_roas(told) == (ROA,)
    with pytest.raises(NotReadable):
        read_roas({"roas": [{"asn": "AS1"}]})


# Listings


def answers(*looks: tuple[int, str, str], address: str = "192.0.2.10") -> str:
    said = (f"{(NOON + timedelta(hours=h)).isoformat()},{address},{name},{answer}" for h, name, answer in looks)
    return "\n".join(["at,address,list,answer", *said])


def test_an_address_that_came_onto_a_list_is_found() -> None:
    looks = (
        (0, "bl.example.org", ""),
        (1, "bl.example.org", "127.0.0.2"),
        (5, "bl.example.org", "127.0.0.2 127.0.0.4"),
    )
    [one] = found(Listings(), answers(*looks, (5, "other.example.org", "")))
    assert (one.kind, str(one.source), one.facts) == (
        "reputation.listed", "192.0.2.10", {"lists": 1, "hours_listed": 4},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("looks", "address"),
    [
        (((0, "bl.example.org", "127.0.0.2"), (1, "bl.example.org", "")), "192.0.2.10"),
        (((0, "bl.example.org", "127.255.255.254"),), "192.0.2.10"),
        (((0, "bl.example.org", "127.0.0.2"),), "203.0.113.10"),
    ],
    ids=["gone again", "the list refused the question", "not our space"],
)
def test_what_is_no_listing_of_ours_is_not_handed_in(looks: tuple[tuple[int, str, str], ...], address: str) -> None:
    assert found(Listings(), answers(*looks, address=address)) == []


# Contacts and profiles


def contacts(*looks: tuple[int, str, str, str]) -> str:
    said = (f"{(NOON + timedelta(days=d)).isoformat()},{handle},{who},{answer}" for d, handle, who, answer in looks)
    return "\n".join(["at,handle,contact,answer", *said])


GONE = "550 5.1.1 no such user"


def test_a_contact_whom_no_mail_reaches_is_found() -> None:
    text = contacts(
        (0, "ORG-EX1-EXAMPLE", "noc@example.net", ""),
        (1, "ORG-EX1-EXAMPLE", "noc@example.net", GONE),
        (9, "ORG-EX1-EXAMPLE", "NOC@example.net", GONE),
        (9, "", "desk@example.com", GONE),
    )
    stale, named = found(Contacts(), text, Known(named={"desk@example.com": [("acct-1", 0)]}))
    assert (stale.kind, stale.facts) == ("registry.stale_contact", {"days_stale": 8})
    assert stale.held == (ResourceKind.HANDLE, "ORG-EX1-EXAMPLE", "")
    assert (named.kind, named.account, named.facts) == ("representative.unreachable", "acct-1", {"contacts": 0})


@pytest.mark.parametrize("answer", ["", "451 4.7.1 try again", "554 5.7.1 blocked", "552 5.2.2 mailbox full"])
def test_an_answer_that_is_not_about_the_recipient_says_nothing_of_them(answer: str) -> None:
    assert found(Contacts(), contacts((0, "ORG-EX1-EXAMPLE", "noc@example.net", answer))) == []


def sent(*octets: int, address: str = "192.0.2.10") -> str:
    days = (f"{(NOON + timedelta(days=n)).date()},{address},{count}" for n, count in enumerate(octets))
    return "\n".join(["day,address,octets", *days])


def test_many_times_what_is_usual_is_found() -> None:
    [unlike] = found(Profile(), sent(*[100] * 14, 5000))
    assert (unlike.kind, unlike.facts) == ("service.unlike_its_profile", {"days_observed": 14, "times_usual": 50})
    assert str(unlike.source) == "192.0.2.10"


@pytest.mark.parametrize(
    ("octets", "address"),
    [
        ([100] * 14 + [500], "192.0.2.10"),
        ([100] * 3 + [5000], "192.0.2.10"),
        ([5000] * 8 + [100] * 6 + [5000], "192.0.2.10"),
        ([0] * 14 + [5000], "192.0.2.10"),
        ([100] * 14 + [5000], "203.0.113.10"),
    ],
    ids=["not so much", "too few days", "often so", "never used before", "not our space"],
)
def test_what_is_like_its_profile_is_not_handed_in(octets: list[int], address: str) -> None:
    assert found(Profile(), sent(*octets, address=address)) == []


# All of them


@given(st.lists(st.text(max_size=60), max_size=8))
def test_no_text_makes_a_detector_fail_in_another_way_than_by_a_sentence(lines: list[str]) -> None:
    for detector in wiring.detectors().values():
        with suppress(NotReadable):
            list(detector.look(lines, books=Known()))
