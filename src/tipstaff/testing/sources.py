"""The contract of a source of identity: what every reader of logs must hold, whatever it reads.

class TestMyLog(SourceContract):
    source = MyLog()
    sample = Path("my.log").read_bytes()
    options = Options(source="my")
"""

import random

import polars as pl

from tipstaff.attribution.intervals import joined
from tipstaff.attribution.protocol import OPEN, RECORD, Options, Parsed, Source, Stretch


def read(source: Source, data: bytes, options: Options, *, offset: int = 0) -> Parsed:
    """All of `data`, the header taken off where the kind has one."""
    header = data[: data.index(b"\n") + 1] if source.has_header else b""
    body = data[len(header) :]
    return source.read(Stretch(body, offset + len(header), header), options)


class SourceContract:
    """Subclass it, name a source and a sample that has good and bad records."""

    source: Source
    sample: bytes
    options: Options

    def test_it_says_what_it_proves_its_clock_and_its_gaps(self) -> None:
        assert self.source.kind
        assert all(len(text) > 10 for text in (self.source.proves, self.source.clock, self.source.gaps))

    def test_what_it_tells_of_connections_lasts(self) -> None:
        assert self.source.lasts_seconds > 0 or not self.source.momentary

    def test_each_record_is_whole_and_cites_its_place(self) -> None:
        told = read(self.source, self.sample, self.options)
        records = told.records
        assert records.height > 0
        assert set(records.columns) <= set(RECORD), "only columns of RECORD"
        for column in set(records.columns) & {"offset", "since", "until", "lo", "kind"}:
            assert records.get_column(column).null_count() == 0, column
        assert records.get_column("offset").is_between(0, len(self.sample) - 1).all()
        assert (
            (records.get_column("since") <= records.get_column("until")).all() if "until" in records.columns else True
        )
        assert records.get_column("since").max() < OPEN  # type: ignore[operator]  # whole numbers

    def test_bad_records_are_refused_with_a_reason_and_the_rest_is_taken_in(self) -> None:
        told = read(self.source, self.sample, self.options)
        assert told.count > 0
        assert told.refused_total > 0, "the sample should have a bad record"
        assert len(told.refused) == told.refused_total
        assert all(bad.why and 0 <= bad.offset < len(self.sample) for bad in told.refused)

    def test_it_makes_no_difference_where_the_file_is_cut(self) -> None:
        whole = read(self.source, self.sample, self.options)
        header = self.sample[: self.sample.index(b"\n") + 1] if self.source.has_header else b""
        if self.source.whole:
            return
        for seed in range(3):
            dice, place, parts = random.Random(seed), len(header), []  # noqa: S311 - where a test cuts
            held, end, carried = b"", place, header
            while end < len(self.sample) or held:
                step = dice.randrange(1, 400)
                held += self.sample[end : end + step]
                end += step
                whole_bytes = self.source.cut(held)
                if whole_bytes:
                    parts.append(self.source.read(Stretch(held[:whole_bytes], place, carried), self.options).records)
                    carried = self.source.carry(carried, held[:whole_bytes])
                    place, held = place + whole_bytes, held[whole_bytes:]
                elif end >= len(self.sample):
                    break
            pieces = pl.concat([p for p in parts if p.height], how="diagonal")
            once, again = (joined(r, self.source.joins).sort("offset") for r in (whole.records, pieces))
            last = again.get_column("offset").max()  # What comes after the last whole record may wait.
            once = once.filter(pl.col("offset") <= last)
            assert again.drop("seen").to_dicts() == once.drop("seen").to_dicts()
            assert (again.get_column("seen") <= once.get_column("seen")).all(), "a cut never makes it surer"

    def test_noise_never_stops_it(self) -> None:
        dice = random.Random(0)  # noqa: S311 - noise for a test
        for _ in range(10):
            spoilt = bytearray(self.sample)
            for _ in range(20):
                spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
            body = bytes(spoilt)
            if self.source.has_header:
                body = self.sample[: self.sample.index(b"\n") + 1] + body[self.sample.index(b"\n") + 1 :]
            if b'"' in body and self.source.kind in ("radius-csv", "ipam"):
                body = body.replace(b'"', b"'")  # A quote that never ends is one field to CSV, however it is read.
            if body:
                read(self.source, body, self.options)
