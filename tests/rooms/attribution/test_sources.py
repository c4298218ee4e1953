"""Each kind of log, by its own sample: the bindings that it makes, and the lines that it refuses."""

import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import tipstaff.attribution.sources as built_in
from tipstaff.attribution.codes import ENDINGS, OPEN
from tipstaff.attribution.intervals import Clock, bindings, joined
from tipstaff.attribution.operations import take_in
from tipstaff.attribution.protocol import Options
from tipstaff.attribution.queries import bindings_covering
from tipstaff.attribution.sources.nat_syslog.formats import FORMATS
from tipstaff.testing.sources import SourceContract, read
from tipstaff.wiring import sources

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SAMPLES = Path(built_in.__file__).parent
CASES = {
    "radius-detail": ("radius/samples/detail.log", {}),
    "radius-csv": ("radius/samples/accounting.csv", {}),
    "kea-memfile": ("kea/samples/kea-leases4.csv", {}),
    "kea-postgresql": ("kea/samples/looks.csv", {}),
    "kea-forensic": ("kea/samples/legal.log", {}),
    "isc-dhcpd": ("isc_dhcpd/samples/dhcpd.leases", {}),
    "dnsmasq": ("dnsmasq/samples/dnsmasq.leases", {"interim_seconds": 3600.0}),
    "nat-blocks": ("nat_blocks/samples/cgn.log", {}),
    "nat-deterministic": ("nat_deterministic/samples/map.csv", {}),
    "nat-flows": ("nat_flows/samples/conntrack.log", {}),
    "nat-netflow": ("nat_ipfix/samples/flows.netflow", {}),
    "nat-syslog": ("nat_syslog/samples/flows.log", {"zone": ZoneInfo("UTC")}),
    "nat-ipfix": ("nat_ipfix/samples/flows.ipfix", {}),
    "neighbours": ("neighbours/samples/looks.jsonl", {"interim_seconds": 600.0}),
    "ipam": ("ipam/samples/plan.csv", {}),
}


def test_every_built_in_kind_has_its_case():
    assert set(CASES) == set(sources())


def _contract(kind: str) -> type:
    sample, options = CASES[kind]
    body = {
        "source": sources()[kind],
        "sample": (SAMPLES / sample).read_bytes(),
        "options": Options(source=kind, **options),
    }
    return type(f"Test_{kind.replace('-', '_')}", (SourceContract,), body)


for _kind in CASES:
    globals()[f"Test_{_kind.replace('-', '_')}"] = _contract(_kind)


def told(kind: str, sample: str = "", **options) -> tuple[list[str], list[str]]:
    """Bindings in words, with the clock's error left out, and the reasons of refusals."""
    path, usual = CASES[kind]
    source = sources()[kind]
    asked = Options(source=kind, **{**usual, **options})
    parsed = read(source, (SAMPLES / (sample or path)).read_bytes(), asked)
    interim = None if asked.interim_seconds is None else int(asked.interim_seconds * 1e6)
    found = bindings(
        joined(parsed.records, source.joins, look_seconds=asked.interim_seconds or 0),
        source.joins,
        clock=Clock(error=0, interim=interim),
        restarts=parsed.restarts,
        covers_until=parsed.covers[1] if parsed.covers else None,
    )
    return [in_words(row) for row in found.iter_rows(named=True)], [bad.why for bad in parsed.refused]


def in_words(row: dict) -> str:
    """`198.51.100.7/32 alice 12:00-14:00 explicit`, and what is sure where that is less."""
    number = row["lo"] if row["version"] == 4 else row["hi"] << 64 | row["lo"]
    who = row["subject"]
    if row["kind"] == 0:
        inside = row["inside_lo"] if row["inside_version"] == 4 else row["inside_hi"] << 64 | row["inside_lo"]
        who = f":{row['port_first']}-{row['port_last']} {ip_address(inside)}"
    sure = "" if (row["sure_from"], row["sure_until"]) == (row["possible_from"], row["possible_until"]) else (
        f" (sure {clock(row['sure_from'])}-{clock(row['sure_until'])})"
    )  # fmt: skip
    span = f"{clock(row['possible_from'])}-{clock(row['possible_until'])}"
    return f"{ip_address(number)}/{row['length']} {who} {span} {ENDINGS[row['ending']]}{sure}"


def clock(micro: int) -> str:
    if micro == OPEN:
        return "open"
    at = datetime.fromtimestamp(micro / 1e6, UTC)
    return f"{at:%H:%M}" if (at.year, at.month, at.day) == (2026, 3, 10) and not at.second else f"{at:%m-%dT%H:%M:%S}"


def test_radius_delays_interims_reused_ids_restarts_and_prefixes():
    found, refused = told("radius-detail")
    assert found == [
        "198.51.100.7/32 alice 12:00-14:00 explicit",
        "198.51.100.7/32 alice 16:00-16:30 explicit",
        "198.51.100.8/32 bob 17:00-18:00 superseded (sure 17:00-17:00)",
        "198.51.100.9/32 carol 18:50-open open (sure 18:50-19:00)",
        "2001:db8:0:4200::/56 alice 12:00-14:00 explicit",
    ]
    assert refused == [
        "no User-Name",
        "no Framed-IP-Address, IPv6 address or prefix, and no Calling-Station-Id that is a hardware address",
    ]


def test_radius_that_is_silent_for_longer_than_an_interim_has_ended_at_some_time():
    found, _ = told("radius-detail", interim_seconds=300)
    assert found[2] == "198.51.100.8/32 bob 17:00-17:05 inferred (sure 17:00-17:00)"
    assert found[3].endswith("open (sure 18:50-19:00)"), "the log does not reach beyond its next interim"


def test_radius_csv_wants_a_zone_and_refuses_what_it_does_not_know():
    found, refused = told("radius-csv")
    assert found == ["198.51.100.7/32 alice 12:00-14:00 explicit"]
    assert len(refused) == 3
    in_berlin, refused = told("radius-csv", zone=ZoneInfo("Europe/Berlin"))
    assert "198.51.100.7/32 bob 14:00-open open (sure 14:00-14:00)" in in_berlin
    assert len(refused) == 2


def test_kea_leases_are_renewed_released_and_given_on():
    found, refused = told("kea-memfile")
    assert found == [
        "198.51.100.7/32 02:00:00:00:00:01 12:00-13:20 superseded",
        "198.51.100.7/32 02:00:00:00:00:04 13:20-14:20 promised",
        "198.51.100.8/32 dla07 at aabbccdd 12:01-13:01 promised",
        "198.51.100.9/32 02:00:00:00:00:03 12:40-13:20 explicit (sure 12:40-12:40)",
    ]
    assert refused == ["no lifetime or expiry in whole seconds", "no address"]


def test_kea_delegates_prefixes():
    found, _ = told("kea-memfile", "kea/samples/kea-leases6.csv")
    assert found == [
        "2001:db8:0:4200::/56 02:00:00:00:00:01 12:00-14:00 promised",
        "2001:db8:ffff::5/128 00:01:00:01:03 12:00-14:00 promised",
    ]


def test_looks_at_keas_tables_bound_what_is_gone_by_the_look_before_and_this_one():
    found, refused = told("kea-postgresql")
    assert found == [
        "198.51.100.7/32 02:00:00:00:00:01 12:00-13:30 promised",
        "198.51.100.8/32 dla07 12:01-12:25 explicit (sure 12:01-12:01)",
        "198.51.100.8/32 02:00:00:00:00:04 12:25-13:25 promised",
        "198.51.100.9/32 02:00:00:00:00:03 12:01-12:31 explicit (sure 12:01-12:01)",
        "198.51.100.10/32 declined 12:01-13:01 promised",
        "2001:db8:0:4200::/56 00:01:00:01:01 12:00-open open",
    ]
    assert refused == ["no address"]


def test_keas_forensic_log_names_circuits():
    found, refused = told("kea-forensic")
    assert found == ["198.51.100.7/32 dla07 12:00-12:45 explicit"]
    assert len(refused) == 2
    with_zone, refused = told("kea-forensic", zone=ZoneInfo("Europe/Berlin"))
    assert "2001:db8:0:4200::/56 02:00:00:00:00:02 12:00-12:30 promised" in with_zone
    assert len(refused) == 1


def test_dhcpd_and_dnsmasq():
    found, refused = told("isc-dhcpd")
    assert found == [
        "198.51.100.7/32 dla07 12:00-12:45 explicit",
        "198.51.100.8/32 02:00:00:00:00:02 12:00-open open",
        "198.51.100.9/32 declined 12:00-open open",
    ]
    assert refused == ["a lease that nobody had (backup)"]
    assert told("dnsmasq")[0] == ["198.51.100.7/32 02:00:00:00:00:01 12:00-13:00 promised"]


def test_nat_blocks_of_several_vendors_and_a_lost_release():
    found, refused = told("nat-blocks")
    assert found == [
        "198.51.100.1/32 :1024-1151 100.64.0.1 12:00-14:00 explicit",
        "198.51.100.1/32 :1152-1279 100.64.0.2 12:00-open open (sure 12:00-12:00)",
        "198.51.100.1/32 :1280-1791 100.64.0.3 03-10T12:00:05-03-10T12:10:05 explicit",
        "198.51.100.1/32 :1280-1791 100.64.0.4 12:20-open open (sure 12:20-12:20)",
    ]
    assert len(refused) == 3
    assert len(told("nat-blocks", year=2026, zone=ZoneInfo("UTC"))[0]) == 5


def test_deterministic_maps_in_both_orders_and_versions():
    found, refused = told("nat-deterministic")
    assert [f for f in found if "100.64.0.3 " in f] == [
        "198.51.100.0/32 :49408-65535 100.64.0.3 01-01T00:00:00-03-01T00:00:00 explicit",
        "198.51.100.1/32 :33280-65535 100.64.0.3 03-01T00:00:00-open open",
    ]
    assert len(found) == 8
    assert refused == ["outside has fewer blocks than inside has hosts", "since is no instant with a zone"]


def test_flows_of_conntrack():
    found, refused = told("nat-flows")
    assert found == [
        "198.51.100.1/32 :1500-1500 100.64.0.1 12:00-12:01 explicit",
        "198.51.100.1/32 :1500-1500 100.64.0.2 03-10T12:01:01-open open (sure 03-10T12:01:01-03-10T12:01:01)",
    ]
    assert refused == ["no time; run conntrack with -o timestamp"]


def test_flows_of_ipfix():
    found, refused = told("nat-ipfix")
    assert found == [
        "198.51.100.1/32 :1500-1500 100.64.0.1 12:00-12:01 explicit",
        "198.51.100.1/32 :1500-1500 100.64.0.2 03-10T12:01:01-open open (sure 03-10T12:01:01-03-10T12:01:01)",
        "198.51.100.1/32 :1600-1600 100.64.0.4 03-10T12:01:37-open open (sure 03-10T12:01:37-03-10T12:01:37)",
        "198.51.100.2/32 :2000-2000 2001:db8:0:42::9 03-10T12:01:30-open open (sure 03-10T12:01:30-03-10T12:01:30)",
    ]
    assert refused == [
        "no event of a session of NAT", "data of the template 300, which was not stated before",
        "data of the template 258, which has fields of variable length",
    ]  # fmt: skip


def test_netflow_version_9_says_the_same_as_ipfix():
    assert told("nat-netflow") == told("nat-ipfix")


def test_flows_in_the_words_of_each_vendor():
    found, refused = told("nat-syslog")
    assert found == [
        *(f"198.51.100.1/32 :{1000 + n}-{1000 + n} 100.64.0.{n} 12:00-12:01 explicit" for n in range(1, 13)),
        "198.51.100.1/32 :1013-1013 100.64.0.13 12:00-open open (sure 12:00-12:00)",
    ]
    assert refused == ["not a line about one connection of a NAT that this reader knows", "no public port"]
    # Of times without a zone nothing is guessed.
    in_utc, without = set(found), told("nat-syslog", zone=None)
    assert in_utc - set(without[0]) == {found[9], found[11]}
    assert without[1].count("no time, or one that needs --zone (and --year)") == 3


@pytest.mark.parametrize("shape", FORMATS, ids=lambda f: f.name)
def test_each_format_has_a_sample_and_reads_no_half_of_a_line(shape):
    lines = (SAMPLES / CASES["nat-syslog"][0]).read_text().splitlines(keepends=True)
    mine = [line for line in lines if re.search(shape.marker, line.replace(",", ";")) and "/0\n" not in line]
    assert mine
    source, options = sources()["nat-syslog"], Options(source="nat", zone=ZoneInfo("UTC"))
    assert read(source, "".join(mine).encode(), options).refused_total == 0
    for line in mine:
        inside = re.search(r"100\.64\.0\.\d+", line)
        assert inside is not None
        broken = line.replace(inside[0], "nobody")
        assert read(source, broken.encode(), options).records.height == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("kind", "sizes"), [("nat-ipfix", (140, 200)), ("nat-netflow", (150, 230))])
def test_a_template_is_known_when_the_file_has_grown(tmp_path, kind, sizes):
    whole = (SAMPLES / CASES[kind][0]).read_bytes()
    file, source, by = tmp_path / "flows", sources()[kind], {"at": NOON, "actor": "engineer"}
    refused = records = 0
    for size in (*sizes, len(whole)):
        file.write_bytes(whole[:size])
        for load in take_in(file, source, Options(source="cgn-1", inside_realm="cgn"), **by):
            refused, records = refused + load.refused_total, records + load.records
    assert (records, refused) == (5, 3)
    asked = {"earliest": NOON, "latest": NOON + timedelta(seconds=120), "port": 1500}
    found = bindings_covering(ip_address("198.51.100.1"), **asked)
    assert [str(b.inside) for b in found] == ["100.64.0.1", "100.64.0.2"]


def test_neighbours_are_sure_between_looks_that_are_close_together():
    found, refused = told("neighbours")
    assert found == [
        "198.51.100.7/32 02:00:00:00:00:01 11:50-12:15 inferred (sure 12:00-12:05)",
        "198.51.100.7/32 02:00:00:00:00:01 12:20-12:40 inferred (sure 12:30-12:30)",
    ]
    assert len(refused) == 1


def test_an_address_plan():
    found, refused = told("ipam")
    assert found == [
        "198.51.100.16/28 svc-1001-1 01-01T00:00:00-open open",
        "198.51.100.32/28 svc-1002-1 01-01T00:00:00-03-01T00:00:00 explicit",
        "2001:db8:0:4200::/56 svc-1001-1 01-01T00:00:00-open open",
    ]
    assert sorted(refused) == ["no service", "since is no instant with a zone"]


@pytest.mark.parametrize("kind", ["kea-memfile", "radius-csv", "nat-deterministic", "ipam"])
def test_a_file_of_another_kind_is_refused_as_a_whole(kind):
    with pytest.raises(ValueError, match="lacks"):
        read(sources()[kind], b"a,b,c\n1,2,3\n", Options(source=kind))
