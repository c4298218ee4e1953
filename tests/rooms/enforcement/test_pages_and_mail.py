"""Pages as a server reads them, rules as devices keep them, and what may never be sent by its name."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import dns.name
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tipstaff.enforcement import mail_policy
from tipstaff.enforcement.drivers import haproxy, nginx, postfix, rpz
from tipstaff.enforcement.drivers.haproxy import table
from tipstaff.enforcement.drivers.rpz import zone
from tipstaff.enforcement.drivers.rpz.transfer import Labels, Record
from tipstaff.enforcement.guards import Limits, refusal
from tipstaff.enforcement.kept import line_of, read_line
from tipstaff.enforcement.mail_policy import NEVER, Policy, Row, identity
from tipstaff.enforcement.operations import _stops_all_of
from tipstaff.enforcement.pages import page_of, plain_path
from tipstaff.enforcement.planner import Ability, Footprint, fingerprint, weigh
from tipstaff.enforcement.protocol import BadOption, MakesDriver
from tipstaff.words import Degree, Direction, Proof, Rule, Rung, Scope, Selector

DOCS = Path(__file__).parents[3] / "docs"
PAGE, HOST, BOX = (
    Selector(url="http://www.example.net/a"), Selector(host_name="www.example.net"), Selector(mailbox="a@example.net"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("http://WWW.Example.net:80//a/./b/../c%2Fd", "www.example.net", b"/a/c/d"),
        ("https://www.example.net.", "www.example.net", b"/"),
        ("https://www.example.net/a/b/..", "www.example.net", b"/a/"),
        ("https://b\u00fccher.example.net/%C3%A4#top", "xn--bcher-kva.example.net", b"/\xc3\xa4"),
    ],
)
def test_a_url_is_read_as_a_server_reads_a_request_for_it(url: str, host: str, path: bytes) -> None:
    page = page_of(url)
    assert page is not None
    assert (page.host, page.path) == (host, path)


@given(st.binary(max_size=30).map(lambda b: b.replace(b"\0", b"")))
def test_a_plain_path_stays_as_it_is(path: bytes) -> None:
    plain = plain_path(path)
    if plain is not None:
        assert plain_path(plain) == plain
        assert plain.startswith(b"/")
        assert b"//" not in plain
        assert not {b".", b".."} & set(plain.split(b"/"))


def test_a_rule_is_kept_and_read_back_as_it_was() -> None:
    at = datetime(2026, 5, 4, tzinfo=UTC)
    rule = Rule(measure="M-000001", case="C-000001", selector=PAGE, degree=Degree.BLOCK, until=at, by_law=True)
    flow = Selector(network=ip_network("192.0.2.7"), protocol="tcp", port=25, direction=Direction.OUT)
    for one in (rule, replace(rule, selector=flow, until=None), replace(rule, selector=BOX, by_law=False)):
        back, kept = read_line(line_of(one, ends=5))
        assert (back, kept["ends"], kept["fingerprint"]) == (one, 5, fingerprint(one))
    assert fingerprint(rule) != fingerprint(replace(rule, by_law=False))


def test_what_the_registry_does_not_know_as_ours_is_never_touched_by_its_name() -> None:
    unknown = Limits(own=())
    ours = Limits(
        own=(), owns_name=lambda name: name == "www.example.net", owns_mailbox=lambda name: name == "a@example.net",
        protected_names=("noc.example.net", "abuse@example.net"),
    )  # fmt: skip
    for selector in (PAGE, HOST, BOX):
        assert "of a customer of ours" in (refusal(selector, unknown) or "")
        assert refusal(selector, ours) is None
    for other in (
        Selector(url="http://www.example.org/a"), Selector(url="http://example.net/a"), Selector(url="http://[/a"),
        Selector(host_name="a.www.example.net"), Selector(mailbox="b@example.net"),
    ):  # fmt: skip
        assert refusal(other, ours) is not None, other
    for kept in (
        Selector(url="https://NOC.example.net/x"), Selector(host_name="a.noc.example.net."),
        Selector(mailbox="Abuse@example.net"), Selector(mailbox="x@noc.example.net"),
    ):  # fmt: skip
        assert "is protected" in (refusal(kept, ours) or ""), kept


def test_the_ladder_reaches_the_narrow_drivers_and_falls_back_where_the_name_is_not_ours() -> None:
    ladder = tuple(Rung(scope=s, degree=Degree.BLOCK) for s in (Scope.ITEM, Scope.HOST_NAME, Scope.FLOW))
    limits = Limits(own=(ip_network("192.0.2.0/24"),), owns_name=lambda name: name == "www.example.net")
    devices = [
        Ability(device="web1", can=nginx.include.CAN, proof=Proof.PROBE, limits=limits),
        Ability(device="edge1", can=frozenset({(Scope.FLOW, Degree.BLOCK)}), proof=Proof.PROBE, limits=limits),
    ]
    for host, device in (("www.example.net", "web1"), ("www.example.org", "edge1")):
        candidates = weigh(
            devices=devices, ladder=ladder, measure_ports=(("tcp", 443),), resource=ip_network("192.0.2.7")[0],
            url=f"https://{host}/a", source_port=None, service=None, account="acct-1", footprint=Footprint(),
        )  # fmt: skip
        assert [(c.device, c.selector.scope) for c in candidates if c.chosen] == [
            (device, Scope.ITEM if device == "web1" else Scope.FLOW)
        ]


def test_a_device_that_cannot_hold_exactly_this_page_is_passed_over_for_one_that_can() -> None:
    def ability(name: str, make: MakesDriver, **options: object) -> Ability:
        driver = make(name, {"blocked_by": "https://noc.example.net/", **options})
        rule = Rule(measure="M-000001", case="C-000001", selector=PAGE, degree=Degree.BLOCK)
        return replace(driver.ability, holds=lambda s, d: driver.supports(replace(rule, selector=s, degree=d)))

    balancer = ability("lb1", haproxy.make, socket="/s", map_file="/m", probe_http=["127.0.0.1:80"])
    server = ability("web1", nginx.make, folder="/f", status="127.0.0.1:8479")
    for devices, chosen in (((balancer,), []), ((balancer, server), ["web1"])):
        candidates = weigh(
            devices=devices, ladder=(Rung(scope=Scope.ITEM, degree=Degree.BLOCK),), measure_ports=(), resource=None,
            url="https://www.example.net/show?id=7", source_port=None, service=None, account="acct-1",
            footprint=Footprint(),
        )  # fmt: skip
        assert [c.device for c in candidates if c.chosen] == chosen
        assert chosen or candidates[0].why == "lb1 cannot hold exactly this, no wider and no narrower."


@pytest.mark.parametrize(
    ("other", "own", "does"),
    [
        (PAGE, Selector(url="https://WWW.example.net//a"), True),
        (PAGE, Selector(url="http://www.example.net/A"), False),
        (PAGE, Selector(url="http://www.example.net/a?id=7"), True),
        (Selector(url="http://www.example.net/a?id=7"), PAGE, False),
        (HOST, PAGE, True),
        (PAGE, HOST, False),
        (HOST, Selector(host_name="WWW.example.net."), True),
        (BOX, Selector(mailbox="A@example.net"), True),
        (BOX, HOST, False),
        (Selector(network=ip_network("192.0.2.7")), PAGE, False),
    ],
)
def test_a_measure_that_stops_the_same_by_its_name_keeps_no_lifted_one_in_doubt(
    other: Selector, own: Selector, does: bool
) -> None:
    assert _stops_all_of(other, own, Degree.BLOCK) is does


def asked(**more: str) -> dict[str, str]:
    return {"request": "smtpd_access_policy", "protocol_state": "END-OF-MESSAGE", "client_address": "192.0.2.7", **more}


def test_a_sender_from_elsewhere_names_nobody_and_a_log_in_counts_before_a_sender() -> None:
    own = [ip_network("192.0.2.0/24")]
    assert identity(asked(sender="A@example.net"), own=own, login_domain="") == "a@example.net"
    assert identity(asked(sender="a@example.net", client_address="198.51.100.1"), own=own, login_domain="") == ""
    assert (
        identity(asked(sender="a@example.net", sasl_username="B"), own=own, login_domain="example.net")
        == "b@example.net"
    )
    assert identity(asked(sender="a@example.net", client_address="unknown"), own=own, login_domain="") == ""


def test_of_several_rows_the_hardest_counts_until_its_end(tmp_path: Path) -> None:
    clock = [1000.0]
    policy = Policy(tmp_path, now=lambda: clock[0])
    rows = [
        Row(rule=Rule(measure=f"M-{n:06d}", case="C", selector=BOX, degree=degree), ends=ends, fingerprint="x")
        for n, (degree, ends) in enumerate(
            [(Degree.BLOCK, 1010), (Degree.HOLD, 1020), (Degree.RATE_LIMIT, NEVER)]
        )
    ]  # fmt: skip
    file = tmp_path / "rows.jsonl"
    question = asked(sasl_username="a@example.net", queue_id="4Xyz", recipient_count="3")
    assert policy.answer(question) == "DUNNO"
    text = mail_policy.render(generation=7, rows=rows, foreign=("by hand",), says="Stopped.", per_hour=4)
    mail_policy.write_whole(file, text, mode=0o640)
    assert policy.answer(question) == "REJECT 5.7.1 Stopped."
    clock[0] = 1010
    assert policy.answer({**question, "protocol_state": "RCPT"}) == "DUNNO"
    assert policy.answer(question) == "HOLD Stopped."
    assert (tmp_path / "held").read_text() == "M-000001 4Xyz\n"
    clock[0] = 1020
    assert [policy.answer(question) for _ in range(2)] == ["DUNNO", "DEFER 4.7.1 Stopped."]
    clock[0] += mail_policy.HOUR
    assert policy.answer(question) == "DUNNO"
    status = policy.answer({"request": mail_policy.ASK_STATUS}).split()
    assert status[:2] == ["generation", "7"]
    file.write_text("{}")
    with pytest.raises(ValueError, match="not ours"):
        policy.answer(question)


@pytest.mark.parametrize(
    ("driver", "make"), [("nginx", nginx.make), ("haproxy", haproxy.make), ("rpz", rpz.make), ("postfix", postfix.make)]
)
def test_every_option_of_the_driver_is_documented(driver: str, make: MakesDriver) -> None:
    section = (DOCS / "operate" / "devices.md").read_text().partition(f"## `{driver}`")[2].partition("\n## ")[0]
    with pytest.raises(BadOption) as told:
        make("edge1", {"?": 1})
    known = str(told.value).partition("known are ")[2].rstrip(".").split(", ")
    assert len(known) > 5
    assert [name for name in known if f"| `{name}` |" not in section] == []


def test_resolvers_are_asked_for_names_and_never_for_an_address() -> None:
    options = {
        "server": "127.0.0.1:53", "zone": "rpz.example.net", "tsig_name": "key", "tsig_command": ["true"],
        "keeper_file": "/nowhere/keeper", "resolvers": ["127.0.0.1:53"], "addresses": True,
    }  # fmt: skip
    driver = rpz.make("ns1", options)
    address = replace(HOST, host_name=None, network=ip_network("192.0.2.80"), direction=Direction.IN)
    rules = [
        Rule(measure=f"M-00000{n}", case="C-000001", selector=selector, degree=Degree.BLOCK)
        for n, selector in enumerate((HOST, address))
    ]
    names = [zone.name_of(rule, zone=dns.name.from_text("rpz.example.net")) for rule in rules]
    changes = [rpz._Change(name, ()) for name in names if name is not None]
    assert len(changes) == 2
    assert driver._few(changes, stopped=True) == [(names[0], True)]


def test_the_rules_for_haproxy_stand_in_the_documentation_as_they_are_tested() -> None:
    text = (DOCS / "operate" / "devices.md").read_text()
    pages = {"blocked_by": "https://noc.example.net/orders", "policy_url": "https://noc.example.net/policy"}
    assert table.rules_for(map_file="/etc/haproxy/tipstaff.map", **pages) in text


URLS = st.one_of(
    st.sampled_from(["/a", "/A", "/a?x=1", "/a?x=1&y=%20", "/%22quoted%22", "/ä", "/" + "long" * 120]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12).map(lambda text: f"/{text}"),
).flatmap(lambda path: st.sampled_from([f"http://www.example.net{path}", f"http://www.example.net:8080{path}"]))


@given(st.lists(st.tuples(st.one_of(URLS, st.just("")), st.booleans()), max_size=8))
def test_a_file_of_ours_need_not_be_read_to_know_what_stands_in_it(told: list[tuple[str, bool]]) -> None:
    measures = {}
    for n, (url, by_law) in enumerate(told):
        selector = Selector(url=url) if url else Selector(host_name=f"h{n}.example.net")
        rule = Rule(measure=f"M-{n:06d}", case="C-000001", selector=selector, degree=Degree.BLOCK, by_law=by_law)
        if nginx.include.supports(rule):
            measures[rule.measure] = nginx.include.Measure(rule=rule, ends=5 + n, fingerprint=fingerprint(rule))
    for hash_sizes in (False, True):
        form = {"status": "127.0.0.1:8479", "links": {451: "a", 403: "b"}, "hash_sizes": hash_sizes}
        shelves = nginx.include.shelved(measures.values(), {})
        text = nginx.include.render(generation=7, shelves=shelves, foreign=(), **form)  # type: ignore[arg-type]  # one dict of three kinds
        read = nginx.include.read(text, **form)  # type: ignore[arg-type]  # as above
        assert nginx.include.as_rendered(generation=7, digest=read.digest, measures=measures) == read
        assert read.digest == nginx._digest(text)


_MOVES = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(0, 3), st.sampled_from(["keep", "drop", "double", "spoil", "free", "by hand"])
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(_MOVES)
def test_a_map_that_is_followed_row_by_row_is_known_as_if_it_were_read_as_a_whole(
    moves: list[tuple[int, int, str]],
) -> None:
    """The whole reading is the oracle of the short one."""
    followed, rows = table.Held(), dict[str, tuple[str, ...]]()
    for n, (measure, path, move) in enumerate(moves):
        rule = Rule(
            measure=f"M-{measure:06d}", case="C-000001", selector=Selector(url=f"http://www.example.net/{path}"),
            degree=Degree.BLOCK, by_law=bool(n % 2),
        )  # fmt: skip
        one = table.Measure(rule=rule, ends=table.NEVER - n, fingerprint=fingerprint(rule))
        name, key = rule.measure, one.key or ""
        step: dict[str, tuple[str, ...]] = {"generation": (str(n),)}
        if move in ("keep", "drop"):
            change = followed.change(generation=n, gone=[name], come=[one] if move == "keep" else [])
            step = {k: () if value is None else (value,) for k, value in change.rows.items()}
        elif move == "double":
            step[key] = (*rows.get(key, ()), "1 403")
        elif move == "spoil":
            step[f"measure:{name}"] = ("{}",)
        elif move == "free":
            step[key] = ()
        else:
            step["page:by-hand.example.net/"] = ("1 403",)
        followed.take(step)
        rows = {k: v for k, v in {**rows, **step}.items() if v}
        whole = table.Held()
        whole.take(rows)
        for what in ("rows", "count", "generation", "measures", "lacking", "foreign"):
            assert getattr(followed, what) == getattr(whole, what), (what, moves[: n + 1])


@settings(max_examples=60, deadline=None)
@given(_MOVES)
def test_a_zone_that_is_followed_name_by_name_is_known_as_if_it_were_transferred_as_a_whole(
    moves: list[tuple[int, int, str]],
) -> None:
    """The whole transfer is the oracle of the incremental one."""
    book = zone.Book(b"only for this test, and long enough", zone="rpz.example.net.")
    block, other = [(16, zone.txt([b"blocked"]))], [(16, zone.txt([b"by hand"]))]
    followed, names = zone.Held(book=book, block=block), dict[Labels, Sequence[Record]]()
    for n, (measure, host, move) in enumerate(moves):
        rule = Rule(
            measure=f"M-{measure:06d}", case="C-000001", selector=Selector(host_name=f"h{host}.example.net"),
            degree=Degree.BLOCK,
        )  # fmt: skip
        owner, name = book.owner(rule.measure), (b"h%d" % host, b"example", b"net")
        generation = n if move != "double" else 0
        step: dict[Labels, Sequence[Record]] = {zone.GENERATION: [(16, zone.txt([str(generation).encode()]))]}
        if move in ("keep", "double"):
            step |= {owner: [(16, zone.txt(book.seal(rule, generation=n)))], name: block}
        elif move == "drop":
            step |= {owner: (), name: ()}
        elif move == "spoil":
            step[owner] = other
        else:
            step[name] = () if move == "free" else other
        followed.take(step.items())
        names = {k: v for k, v in {**names, **step}.items() if v}
        whole = zone.Held(book=book, block=block)
        whole.take(names.items())
        for what in (
            "generation",
            "exists",
            "entries",
            "unfinished",
            "unreadable",
            "blocks",
            "lacking",
            "foreign",
            "drifted",
        ):
            assert getattr(followed, what) == getattr(whole, what), (what, moves[: n + 1])
