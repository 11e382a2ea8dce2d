"""Sums gamma, open interest and volume over a chain: in total, by strike, by expiration.

A contract's exposure and its sign are defined in `gamma_exposure`. A sum without any known value is null, not 0.
"""

from __future__ import annotations

import uuid
from typing import Any

import polars as pl

from hd_pipelines.analytics.gamma.smiles import fill_from_smile
from hd_pipelines.tables.vocabulary import SignModel

KEY = ["symbol", "timestamp"]
EXPOSURES = ("call_gex_usd_per_1pct", "put_gex_usd_per_1pct", "gex_usd_per_1pct")
_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "hd_pipelines/gamma_exposure_snapshots")


def add_exposure(valued: pl.DataFrame) -> pl.DataFrame:
    """Add `is_valued`, `is_own` and the signed exposure, which is null where a contract is left out."""
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
        fill_from_smile(valued)
        .sort(*KEY, "contract_ticker")
        .with_columns(is_valued=usable)
        .with_columns(
            signed=pl.when("is_valued").then(
                sign * pl.col("gamma") * pl.col("open_interest") * pl.col("shares_per_contract")
            )
        )
        .with_columns(exposure=pl.col("signed") * spot * spot * 0.01)
    )


def _is_side(name: str) -> pl.Expr:
    return pl.col("option_type") == name


def _sum_known(column: str, side: str) -> pl.Expr:
    """Sum over one side, null where no value is known."""
    values = pl.col(column).filter(_is_side(side))
    return pl.when(values.count() > 0).then(values.sum())


def _divide(numerator: str, denominator: str) -> pl.Expr:
    below = pl.col(denominator).abs()
    return pl.when(below > 0).then(pl.col(numerator).abs() / below)


def sum_snapshots(contracts: pl.DataFrame) -> pl.DataFrame:
    """Sum every snapshot and count its contracts; one row per symbol and timestamp."""
    exposure, absolute, held = pl.col("exposure"), pl.col("exposure").abs(), pl.col("is_valued")
    sums = contracts.group_by(KEY).agg(
        pl.col("session", "kind", "underlying_price").drop_nulls().first(),
        _sum_known("signed", "call").alias("call_gamma"),
        _sum_known("signed", "put").alias("put_gamma"),
        _sum_known("exposure", "call").alias("call_gex_usd_per_1pct"),
        _sum_known("exposure", "put").alias("put_gex_usd_per_1pct"),
        *(
            _sum_known(column, side).alias(f"total_{side}_{name}")
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
        _divide("call_gamma", "put_gamma").alias("gamma_skew"),
        _divide("total_put_oi", "total_call_oi").alias("put_call_oi_ratio"),
        _divide("total_put_volume", "total_call_volume").alias("put_call_volume_ratio"),
        total_gamma_notional=pl.col("total_gamma") * pl.col("underlying_price") ** 2,
        dealer_net_gamma=pl.col("gex_usd_per_1pct"),
        zero_dte_share=_divide("expiring", "gross"),
        oi_coverage=pl.col("contracts_valued") / pl.col("contracts"),
        sign_model=pl.lit(SignModel.NAIVE_CALLS_LONG.value),
        id=pl.struct(KEY).map_elements(_hash_key, return_dtype=pl.String),
    )


def _hash_key(key: dict[str, Any]) -> str:
    name = f"{key['symbol']}|{key['timestamp'].isoformat()}|{SignModel.NAIVE_CALLS_LONG.value}"
    return str(uuid.uuid5(_IDS, name))


def sum_by_strike(contracts: pl.DataFrame) -> pl.DataFrame:
    """Sum by strike over all expirations; exposures are null where no contract of the strike could be valued."""
    return (
        contracts.group_by(*KEY, "strike")
        .agg(
            pl.col("session", "underlying_price").first(),
            *_build_exposures(),
            *(
                _sum_known(column, side).alias(f"{side}_{name}")
                for column, name in (("open_interest", "oi"), ("volume", "volume"))
                for side in ("call", "put")
            ),
        )
        .sort(*KEY, "strike")
    )


def sum_by_expiration(contracts: pl.DataFrame) -> pl.DataFrame:
    """Sum by expiration over all strikes, with `absolute`, the sum without signs; expirations with a valued contract."""
    return (
        contracts.filter("is_valued")
        .group_by(*KEY, "expiration")
        .agg(pl.col("session").first(), *_build_exposures(), pl.col("exposure").abs().sum().alias("absolute"))
        .sort(*KEY, "expiration")
    )


def _build_exposures() -> list[pl.Expr]:
    """Exposure of calls, puts and both; null where no contract could be valued, 0 for the side that has none."""
    exposure, any_known = pl.col("exposure"), pl.col("is_valued").any()
    sums = [exposure.filter(_is_side("call")).sum(), exposure.filter(_is_side("put")).sum(), exposure.sum()]
    return [pl.when(any_known).then(each).alias(name) for name, each in zip(EXPOSURES, sums, strict=True)]


def find_expiration_focus(by_expiration: pl.DataFrame) -> pl.DataFrame:
    """The expiration of each snapshot with the most absolute gamma; null without any."""
    size = pl.col("absolute")
    focus = pl.col("expiration").filter((size == size.max()) & (size > 0)).first()
    return by_expiration.group_by(KEY).agg(focus.alias("expiration_focus"))


def round_exposures() -> list[pl.Expr]:
    """The exposures in whole cents, as published; a negative zero becomes 0, so that both are one value in a table."""
    cents = [pl.col(name).round(2) for name in EXPOSURES]
    return [
        pl.when(each == 0).then(0.0).otherwise(each).alias(name) for name, each in zip(EXPOSURES, cents, strict=True)
    ]
