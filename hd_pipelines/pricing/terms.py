"""Determines the terms of the expirations in a chain: settlement, exercise style, and whether they can be valued.

Covers everything that is the same for all strikes of one root and expiration in one snapshot. Prices are handled in
`quotes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from hd_pipelines.market.option_products import OptionProduct, find_product
from hd_pipelines.market.sessions import NEW_YORK, is_session
from hd_pipelines.market.symbols import canonicalize_symbol, is_index
from hd_pipelines.pricing.reasons import Reason
from hd_pipelines.pricing.settlement import count_years, list_settlements
from hd_pipelines.tables.vocabulary import ExerciseStyle, OptionType

_OPTIONS_ON_FUTURES = frozenset({"I:VIX"})
EXPIRATION_KEY = ["underlying", "snapshot_at", "root", "expiration"]


@dataclass(frozen=True, slots=True)
class Terms:
    """`contracts` with an integer column `expiry`, and `expirations` with one row each, in the order of `expiry`.

    Columns of `expirations`: those of `forwards.EXPIRIES` and `EXPIRATION_KEY`, `symbol`, `settles_at`, `terms_reason`.
    """

    contracts: pl.DataFrame
    expirations: pl.DataFrame


def read_terms(contracts: pl.DataFrame) -> Terms:
    """Read the terms of all expirations in `contracts`.

    `contracts`: `EXPIRATION_KEY`, `exercise_style` (may be null), `underlying_price`. The exercise style is the source's,
    else that of the root's product. `spot` is the first positive price of the underlying in the snapshot, null if there is
    none. Raises `ValueError` for an `option_type` that is neither call nor put: a "C" mistaken for a put gives a wrong
    price that looks right.
    """
    _require_rights(contracts)
    run = pl.struct(EXPIRATION_KEY).rle_id()
    has_price = pl.col("underlying_price").is_finite() & (pl.col("underlying_price") > 0)
    runs = (
        contracts.select(*EXPIRATION_KEY, "exercise_style", "underlying_price", run=run)
        .group_by("run", maintain_order=True)
        .agg(
            pl.col(EXPIRATION_KEY).first(),
            pl.col("exercise_style").first(ignore_nulls=True),
            pl.col("underlying_price").filter(has_price).first().alias("spot"),
        )
    )
    found = (
        runs.group_by(EXPIRATION_KEY, maintain_order=True)
        .agg(pl.col("exercise_style", "spot").first(ignore_nulls=True))
        .with_row_index("expiry")
        .with_columns(
            pl.col("expiry").cast(pl.Int64),
            snapshot=pl.struct("underlying", "snapshot_at").rank("dense").cast(pl.Int64),
        )
        .with_columns(pl.col("spot").first(ignore_nulls=True).over("snapshot"))
    )
    expiry_of_run = runs.join(found.select(*EXPIRATION_KEY, "expiry"), on=EXPIRATION_KEY, maintain_order="left")[
        "expiry"
    ]
    run_of_contract = contracts.select(run).to_series()
    return Terms(contracts.with_columns(expiry_of_run.gather(run_of_contract)), _add_calendar(found))


def _require_rights(contracts: pl.DataFrame) -> None:
    known = [right.value for right in OptionType]
    strange = contracts.filter(~pl.col("option_type").is_in(known).fill_null(False))
    if strange.height:
        one = strange.row(0, named=True)
        raise ValueError(
            f"{strange.height} contract(s) are neither {' nor '.join(known)}, "
            f"the first is {one['ticker']} with option_type {one['option_type']!r}"
        )


def _add_calendar(found: pl.DataFrame) -> pl.DataFrame:
    days = found.select(pl.col("snapshot_at").unique()).with_columns(
        session=pl.col("snapshot_at").dt.convert_time_zone(str(NEW_YORK)).dt.date()
    )
    names = found["underlying"].unique()
    symbols = pl.DataFrame({"underlying": names, "symbol": [canonicalize_symbol(name) for name in names]})
    instants = list_settlements(found.select("root", "expiration").unique(maintain_order=True))
    expirations = (
        found.join(days, on="snapshot_at", maintain_order="left")
        .join(symbols, on="underlying", maintain_order="left")
        .join(instants, on=["root", "expiration"], maintain_order="left")
    )
    expirations = expirations.with_columns(count_years(expirations["snapshot_at"], expirations["settles_at"]))
    return expirations.with_columns(_describe_roots(expirations))


def _describe_roots(expirations: pl.DataFrame) -> list[pl.Series]:
    styles, tied, reasons = [], [], []
    rows = expirations.select("root", "underlying", "exercise_style", "session", "years")
    for root, underlying, style, session, years in rows.iter_rows():
        product = find_product(root)
        styles.append((style or product.exercise_style.value) == ExerciseStyle.EUROPEAN.value)
        tied.append(underlying not in _OPTIONS_ON_FUTURES)
        reasons.append(_find_reason(product, underlying, session, years))
    return [
        pl.Series("is_european", styles, dtype=pl.Boolean),
        pl.Series("is_tied_to_spot", tied, dtype=pl.Boolean),
        pl.Series("terms_reason", reasons, dtype=pl.String),
    ]


def _find_reason(product: OptionProduct, underlying: str, session: date, years: float) -> str | None:
    conditions = {
        Reason.NO_SESSION: not is_session(session),
        Reason.FLEX_TERMS: product.is_flex,
        Reason.ADJUSTED_DELIVERABLE: product.is_adjusted,
        Reason.NO_SETTLEMENT_TIME: is_index(underlying) and product.underlying != underlying,
        Reason.NO_TIME_LEFT: years <= 0,
    }
    return next((reason.value for reason, holds in conditions.items() if holds), None)
