"""Sums of gamma, open interest and volume over a chain: whole, by strike, by expiration.

Belongs here: which contracts count and what is added up. What a contract's exposure is, and under which sign, is said in
`gamma_exposure`. A sum over nothing known is null, not 0.
"""

from __future__ import annotations

import uuid
from typing import Any

import polars as pl

from hd_pipelines.analytics.gamma.smiles import with_smile
from hd_pipelines.tables.vocabulary import SignModel

KEY = ["symbol", "timestamp"]
_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "hd_pipelines/gamma_exposure_snapshots")


def exposed(valued: pl.DataFrame) -> pl.DataFrame:
    """The contracts with `is_valued`, `is_own` and their signed exposure, null where a contract is left out."""
    spot = pl.col("underlying_price")
    usable = (
        pl.col("gamma").is_finite()
        & (pl.col("open_interest") >= 0)
        & (pl.col("shares_per_contract") > 0)
        & (spot > 0)
        & spot.is_finite()
    ).fill_null(value=False)
    sign = pl.when(pl.col("option_type") == "call").then(1.0).otherwise(-1.0)
    return (
        with_smile(valued)
        .sort(*KEY, "contract_ticker")
        .with_columns(is_valued=usable)
        .with_columns(
            signed=pl.when("is_valued").then(
                sign * pl.col("gamma") * pl.col("open_interest") * pl.col("shares_per_contract")
            )
        )
        .with_columns(exposure=pl.col("signed") * spot * spot * 0.01)
    )


def _side(name: str) -> pl.Expr:
    return pl.col("option_type") == name


def _known_sum(column: str, side: str) -> pl.Expr:
    """Sum over one side, null where no value is known."""
    values = pl.col(column).filter(_side(side))
    return pl.when(values.count() > 0).then(values.sum())


def _ratio(numerator: str, denominator: str) -> pl.Expr:
    below = pl.col(denominator).abs()
    return pl.when(below > 0).then(pl.col(numerator).abs() / below)


def sums_of(contracts: pl.DataFrame) -> pl.DataFrame:
    """Totals of every snapshot, and what it consists of; one row per symbol and timestamp."""
    exposure, absolute, held = pl.col("exposure"), pl.col("exposure").abs(), pl.col("is_valued")
    sums = contracts.group_by(KEY).agg(
        pl.col("session", "kind", "underlying_price").drop_nulls().first(),
        _known_sum("signed", "call").alias("call_gamma"),
        _known_sum("signed", "put").alias("put_gamma"),
        _known_sum("exposure", "call").alias("call_gex_usd_per_1pct"),
        _known_sum("exposure", "put").alias("put_gex_usd_per_1pct"),
        *(
            _known_sum(column, side).alias(f"total_{side}_{name}")
            for column, name in (("open_interest", "oi"), ("volume", "volume"))
            for side in ("call", "put")
        ),
        total_gamma=pl.when(held.any()).then(pl.col("signed").sum()),
        gex_usd_per_1pct=pl.when(held.any()).then(exposure.sum()),
        gross=absolute.sum(),
        volatility=(absolute * pl.col("implied_volatility")).sum() / absolute.sum(),
        expiring=absolute.filter(pl.col("expiration") == pl.col("session")).sum(),
        expirations_included=pl.col("expiration").filter(held).unique().sort().cast(pl.String),
        contracts=pl.len(),
        contracts_valued=(held & pl.col("is_own")).sum(),
        open_interest_as_of=pl.col("open_interest_as_of").min(),
    )
    return sums.with_columns(
        _ratio("call_gamma", "put_gamma").alias("gamma_skew"),
        _ratio("total_put_oi", "total_call_oi").alias("put_call_oi_ratio"),
        _ratio("total_put_volume", "total_call_volume").alias("put_call_volume_ratio"),
        total_gamma_notional=pl.col("total_gamma") * pl.col("underlying_price") ** 2,
        dealer_net_gamma=pl.col("gex_usd_per_1pct"),
        zero_dte_share=_ratio("expiring", "gross"),
        oi_coverage=pl.col("contracts_valued") / pl.col("contracts"),
        sign_model=pl.lit(SignModel.NAIVE_CALLS_LONG.value),
        id=pl.struct(KEY).map_elements(_identity, return_dtype=pl.String),
    )


def _identity(key: dict[str, Any]) -> str:
    name = f"{key['symbol']}|{key['timestamp'].isoformat()}|{SignModel.NAIVE_CALLS_LONG.value}"
    return str(uuid.uuid5(_IDS, name))


def by_strike_of(contracts: pl.DataFrame) -> pl.DataFrame:
    """Sums by strike over all expirations; exposures null where no contract of the strike could be valued."""
    return (
        contracts.group_by(*KEY, "strike")
        .agg(
            pl.col("underlying_price").first(),
            *_sides(),
            *(
                _known_sum(column, side).alias(f"{side}_{name}")
                for column, name in (("open_interest", "oi"), ("volume", "volume"))
                for side in ("call", "put")
            ),
        )
        .sort(*KEY, "strike")
    )


def _sides() -> list[pl.Expr]:
    """Exposure of calls, puts and both; null where no contract could be valued, 0 for the side that has none."""
    exposure, any_known = pl.col("exposure"), pl.col("is_valued").any()
    return [
        *(pl.when(any_known).then(exposure.filter(_side(name)).sum()).alias(name) for name in ("call", "put")),
        pl.when(any_known).then(exposure.sum()).alias("net"),
    ]


def documents_of(by_strike: pl.DataFrame, contracts: pl.DataFrame) -> pl.DataFrame:
    """The JSON columns, and the expiration with the most absolute gamma."""
    absolute = pl.col("exposure").abs().sum().alias("absolute")
    by_expiration = (
        contracts.filter("is_valued").group_by(*KEY, "expiration").agg(*_sides(), absolute).sort(*KEY, "expiration")
    )
    size = pl.col("absolute")
    cents = [pl.col(name).round(2) for name in ("call", "put", "net")]
    strikes = by_strike.group_by(KEY).agg(
        _json([pl.col("strike"), *cents], where=pl.col("net").is_not_null()).alias("gamma_by_strike"),
        *(
            _json([pl.col("strike"), pl.col(f"call_{name}").alias("call"), pl.col(f"put_{name}").alias("put")]).alias(
                f"{name}_by_strike"
            )
            for name in ("oi", "volume")
        ),
    )
    expirations = by_expiration.group_by(KEY).agg(
        _json([pl.col("expiration").cast(pl.String), *cents]).alias("gamma_by_expiration"),
        expiration_focus=pl.col("expiration").filter((size == size.max()) & (size > 0)).first(),
    )
    return strikes.join(expirations, on=KEY, how="left").with_columns(pl.col("gamma_by_expiration").fill_null("[]"))


def _json(fields: list[pl.Expr], where: pl.Expr | None = None) -> pl.Expr:
    rows = pl.struct(*fields).struct.json_encode()
    return pl.concat_str(pl.lit("["), (rows if where is None else rows.filter(where)).str.join(","), pl.lit("]"))
