"""Who held many addresses: one snapshot of the registry and of all logs, then each question in its order."""

from datetime import datetime

import polars as pl

from tipstaff.attribution.book import Book
from tipstaff.attribution.bulk import book_from, bound_frame, held_frame, identities_frame, read_csv
from tipstaff.attribution.codes import CIRCUIT, KINDS, MAC, USERNAME
from tipstaff.registry.export import customers_csv, holdings_csv, services_csv, subscribers_csv
from tipstaff.registry.queries import records_begin_at, top_resellers

from .lookup import RESOURCE_KINDS, answer_one


def open_book(*, at: datetime) -> Book:
    """Everything that is known at `at`, in memory; but flows are looked up in their files, question by question."""
    bound = bound_frame()
    return book_from(
        held_frame(holdings_csv()), bound, _known(bound), records_begin_at=records_begin_at(),
        alone=lambda question, received_at: answer_one(question, received_at=received_at),
    )  # fmt: skip


def _known(bound: pl.DataFrame) -> pl.DataFrame:
    """By which customer and service each subscriber of the bindings is known; the rules are those of `lookup.py`."""
    told = identities_frame()
    subjects = bound.filter((pl.col("kind") > 0) & (pl.col("kind") != MAC)).select("kind", "subject").unique()
    told = pl.concat([told, _held(told)], how="diagonal")
    left = subjects.join(told, on=["kind", "subject"], how="anti").sort("kind", "subject")
    services = read_csv(services_csv(), text=("key", "customer", "port"))
    by_key = left.join(services, left_on="subject", right_on="key", how="inner").with_columns(
        pl.col("subject").alias("service")
    )
    circuits = left.filter(pl.col("kind") == CIRCUIT)
    by_port = circuits.join(services.filter(pl.col("port") != ""), left_on="subject", right_on="port", how="inner")
    by_port = by_port.rename({"key": "service"}).filter(pl.col("service") != pl.col("subject"))
    columns = ["kind", "subject", "customer", "service"]
    found = pl.concat([by_key.select(columns), by_port.select(columns)])
    names = left.filter(pl.col("kind") == USERNAME).join(found, on=["kind", "subject"], how="anti")
    customers = read_csv(customers_csv(), text=("key",))
    by_name = names.join(customers, left_on="subject", right_on="key", how="inner").select(
        "kind", "subject", pl.col("subject").alias("customer"), pl.lit(None, pl.String).alias("service")
    )
    known = pl.concat([told, found, by_name], how="diagonal")
    above = top_resellers(known.get_column("customer").unique().to_list())
    resellers = pl.DataFrame(
        {"customer": list(above), "reseller": list(above.values())},
        schema={"customer": pl.String, "reseller": pl.String},
    )
    return known.join(resellers, on="customer", how="left", maintain_order="left")


def _held(told: pl.DataFrame) -> pl.DataFrame:
    """Who held each log-in, circuit and MAC when, but for what an entry of the imported list `told` says in full."""
    kinds = {resource.value: KINDS.index(subject) for subject, resource in RESOURCE_KINDS.items()}
    held = read_csv(subscribers_csv(), text=("kind", "name", "scope", "customer", "service"))
    held = held.with_columns(pl.col("kind").replace_strict(kinds, return_dtype=pl.Int64)).with_row_index("row")
    alike = held.join(told, left_on=["kind", "name", "customer"], right_on=["kind", "subject", "customer"], how="inner")
    service, since, until = (pl.col(f"{c}_right") for c in ("service", "since", "until"))
    said = alike.filter(
        (pl.col("service").is_null() | (pl.col("service") == service).fill_null(value=False))
        & (since.is_null() | (since <= pl.col("since")))
        & (until.is_null() | (pl.col("until") <= until).fill_null(value=False))
    )
    source = pl.when(pl.col("scope") != "").then(pl.col("scope")).alias("source")
    return held.join(said, on="row", how="anti").select(
        "kind", pl.col("name").alias("subject"), "customer", "service", "since", "until", source
    )
