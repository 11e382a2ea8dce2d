"""What a chain must meet before it enters the lake.

Belongs here: the rules on contracts as the vendor quotes them. Whether a chain is complete and fresh is measured in
`market.chain_coverage`; single rows that cannot be right were set aside where they were read (`providers.chain_rules`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from hd_pipelines.checks.table_suite import (
    TableRules,
    TableSuite,
    at_least,
    finite,
    known,
    never,
    not_finite,
    within,
    words,
)
from hd_pipelines.market.sessions import NEW_YORK
from hd_pipelines.tables.vocabulary import ExerciseStyle, OptionType, PriceSource, SnapshotKind

MOST_CROSSED = 0.10
"""Share of two-sided quotes with the bid above the ask: more is two columns in each other's place."""
_VOCABULARY = {
    "kind": SnapshotKind,
    "source": PriceSource,
    "option_type": OptionType,
    "exercise_style": ExerciseStyle,
}
_POSITIVE = ("strike", "shares_per_contract", "underlying_price", "vendor_iv")
_NEVER_NEGATIVE = ("bid", "ask", "last", "bid_size", "ask_size", "volume", "open_interest")


def chain_suite() -> TableSuite:
    """Judges frames `CHAIN`, any number of snapshots."""
    return TableSuite(TableRules("option_chains", ("underlying", "snapshot_at"), _facts, _expectations))


def _contradictions() -> Mapping[str, pl.Expr]:
    day = pl.col("snapshot_at").dt.convert_time_zone(NEW_YORK.key).dt.date()
    names = ("underlying", "ticker", "root")
    return {
        "contract_has_its_names": pl.any_horizontal(
            *(pl.col(name).is_null() | (pl.col(name) == "") for name in names),
            pl.col("strike", "expiration").is_null(),
        ),
        "contract_has_not_expired": pl.col("expiration") < day,
        "open_interest_is_of_an_earlier_session": pl.col("open_interest_as_of") >= day,
        "quote_is_not_of_the_future": pl.col("quote_at") > pl.col("snapshot_at") + pl.duration(minutes=1),
    }


def _facts(frame: pl.DataFrame) -> Mapping[str, pl.DataFrame]:
    two_sided = (pl.col("bid") > 0) & (pl.col("ask") > 0)
    crossed = two_sided & (pl.col("bid") > pl.col("ask"))
    snapshots = (
        frame.with_columns(not_finite(frame.schema))
        .group_by("underlying", "snapshot_at", maintain_order=True)
        .agg(
            *(pl.col(name).min().alias(f"{name}_min") for name in (*_POSITIVE, *_NEVER_NEGATIVE)),
            pl.col("not_finite").drop_nulls().first(),
            contract_comes_once=pl.len() - pl.col("ticker").n_unique(),
            prices_of_the_underlying=pl.col("underlying_price").drop_nulls().n_unique(),
            crossed=crossed.sum() / pl.max_horizontal(two_sided.sum(), 1),
            calls=(pl.col("option_type") == OptionType.CALL.value).sum(),
            puts=(pl.col("option_type") == OptionType.PUT.value).sum(),
            **{rule: broken.fill_null(value=False).sum() for rule, broken in _contradictions().items()},
        )
    )
    spoken = frame.select("underlying", "snapshot_at", *_VOCABULARY).unique(maintain_order=True)
    return {"snapshots": snapshots, "words": spoken}


def _expectations() -> Mapping[str, Sequence[Any]]:
    return {
        "snapshots": [
            *finite(),
            *never(["contract_comes_once", *_contradictions()]),
            *(each for name in _POSITIVE for each in at_least(f"{name}_is_positive", [f"{name}_min"], 0, above=True)),
            *(each for name in _NEVER_NEGATIVE for each in at_least(f"{name}_is_not_negative", [f"{name}_min"], 0)),
            *within("underlying_has_one_price", ["prices_of_the_underlying"], 0, 1),
            *within("bids_are_below_asks", ["crossed"], 0, MOST_CROSSED),
            *at_least("chain_has_calls_and_puts", ["calls", "puts"], 1),
        ],
        "words": [*known("words_are_known", _VOCABULARY), *words(_VOCABULARY)],
    }
