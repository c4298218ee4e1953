"""Who held many addresses: one snapshot of the registry and of all logs, then each question in its order."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from tipstaff.attribution.book import Book
from tipstaff.attribution.bulk import book_from, bound_frame, held_frame, read_csv
from tipstaff.attribution.codes import CIRCUIT, KINDS, MAC, USERNAME
from tipstaff.attribution.queries import micro
from tipstaff.registry.export import customers_csv, ended_csv, holdings_csv, listed_csv, services_csv, subscribers_csv
from tipstaff.registry.queries import Above, accounts_over, records_begin_at

from .lookup import NEVER, RESOURCE_KINDS, answer_one, stopped_at_reseller

CODES = {kind.value: code for code, kind in enumerate(KINDS) if kind is not None}


def open_book(*, at: datetime) -> Book:
    """Everything that is known at `at`, in memory; but flows are looked up in their files, question by question."""
    bound, above = bound_frame(), accounts_over()
    return book_from(
        held_frame(holdings_csv()), bound, _known(bound, above), records_begin_at=records_begin_at(),
        alone=lambda question, received_at: answer_one(question, received_at=received_at),
        settled=lambda answer: stopped_at_reseller(answer, above),
    )  # fmt: skip


def _known(bound: pl.DataFrame, above: Mapping[str, Sequence[Above]]) -> pl.DataFrame:
    """By which customer and service each subscriber of the bindings is known; the rules are those of `lookup.py`."""
    told = read_csv(listed_csv(), text=("kind", "subject", "customer", "service"))
    told = told.with_columns(pl.col("kind").replace_strict(CODES, return_dtype=pl.Int64))
    subjects = bound.filter((pl.col("kind") > 0) & (pl.col("kind") != MAC)).select("kind", "subject").unique()
    told = pl.concat([told, _held(told)], how="diagonal")
    left = subjects.join(told, on=["kind", "subject"], how="anti").sort("kind", "subject")
    services = read_csv(services_csv(), text=("value", "customer", "service"))
    found = pl.concat([
        left.join(services.filter(pl.col("by_port") == 0), left_on="subject", right_on="value", how="inner"),
        left.filter(pl.col("kind") == CIRCUIT).join(
            services.filter((pl.col("by_port") == 1) & (pl.col("value") != pl.col("service"))),
            left_on="subject", right_on="value", how="inner",
        ),
    ]).drop("by_port").sort("kind", "subject", "service", "since", nulls_last=False)  # fmt: skip
    names = left.filter(pl.col("kind") == USERNAME).join(found, on=["kind", "subject"], how="anti")
    customers = read_csv(customers_csv(), text=("key",))
    by_name = names.join(customers, left_on="subject", right_on="key", how="inner").select(
        "kind", "subject", pl.col("subject").alias("customer"), pl.lit(None, pl.String).alias("service"),
        pl.lit(micro(NEVER), pl.Int64).alias("sure_from"),
    )  # fmt: skip
    known = pl.concat([told, found, by_name], how="diagonal")
    return _below_resellers(_of_running_services(known), above)


def _of_running_services(known: pl.DataFrame) -> pl.DataFrame:
    """Who is known by a service is so until it ends."""
    ended = read_csv(ended_csv(), text=("service",))
    known = known.join(ended, on="service", how="left", maintain_order="left")
    known = known.with_columns(pl.min_horizontal("until", "ended").alias("until"), pl.col("ended"))
    # What had ended before the service did stays as it was.
    return known.filter(pl.col("ended").is_null() | pl.col("since").is_null() | (pl.col("since") < pl.col("until")))


def _below_resellers(known: pl.DataFrame, above: Mapping[str, Sequence[Above]]) -> pl.DataFrame:
    """With the account above each then, that answers to the operator."""
    steps = [
        (
            customer,
            step.top,
            None if step.since is None else micro(step.since),
            None if step.until is None else micro(step.until),
        )
        for customer, steps in above.items()
        for step in steps
    ]
    text, number = pl.String, pl.Int64
    over = pl.DataFrame(steps, schema={"customer": text, "top": text, "from": number, "to": number}, orient="row")
    known = known.join(over, on="customer", how="left", maintain_order="left_right").with_columns(
        pl.max_horizontal("since", "from").alias("since"), pl.min_horizontal("until", "to").alias("until"),
        pl.when(pl.col("top") != pl.col("customer")).then("top").alias("reseller"),
    )  # fmt: skip
    within = pl.col("since").is_null() | pl.col("until").is_null() | (pl.col("since") < pl.col("until"))
    return known.filter(pl.col("top").is_null() | within)


def _held(told: pl.DataFrame) -> pl.DataFrame:
    """Who held each log-in, circuit and MAC when, but for what an entry of the imported list `told` says in full."""
    kinds = {resource.value: KINDS.index(subject) for subject, resource in RESOURCE_KINDS.items()}
    held = read_csv(subscribers_csv(), text=("kind", "name", "scope", "customer", "service"))
    held = held.with_columns(pl.col("kind").replace_strict(kinds, return_dtype=pl.Int64)).with_row_index("row")
    alike = held.join(told, left_on=["kind", "name", "customer"], right_on=["kind", "subject", "customer"], how="inner")
    service = pl.col("service_right")
    since, until = (pl.coalesce(sure, f"{c}_right") for sure, c in (("sure_from", "since"), ("sure_until", "until")))
    said = alike.filter(
        (pl.col("service").is_null() | (pl.col("service") == service).fill_null(value=False))
        & (since.is_null() | (since <= pl.col("since")))
        & (until.is_null() | (pl.col("until") <= until).fill_null(value=False))
    )
    source = pl.when(pl.col("scope") != "").then(pl.col("scope")).alias("source")
    return held.join(said, on="row", how="anti").select(
        "kind", pl.col("name").alias("subject"), "customer", "service", "since", "until", source
    )
