"""Interpolates implied volatility at 30 calendar days: at the forward, of calls, of puts, and the 25-delta skew.

Interpolates across the settlement instants of one snapshot of valued contracts. Across strikes: `smile`. History of the
result: `iv_percentile`. Model-free index: `model_free`.

Total variance sigma^2 * T is linear between the last instant within 30 days and the first after, the pair nearest to 30
days that has a volatility. Expirations less than 7 days ahead are excluded (the VIX uses 23 to 37 days, but many symbols
have monthlies only), and so are those more than `FURTHEST_DAYS` ahead. No maturity is extrapolated: without a pair there is
a reason and no value.
"""

from __future__ import annotations

from enum import StrEnum

import polars as pl

from hd_pipelines.analytics.volatility.smile import (
    INSTANT,
    Schema,
    cast_to_schema,
    interpolate_at_delta,
    interpolate_at_forward,
    interpolate_side_at_forward,
)
from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.tables.vocabulary import OptionType

__all__ = ["OBSERVED", "ObservationReason", "observe"]

TARGET_DAYS = 30
NEAREST_DAYS, FURTHEST_DAYS = 7, 93
"""Range of days to settlement that are used; 93 reaches the next quarter's expiration."""
SKEW_DELTA = 0.25
DAYS_PER_YEAR = 365
_TARGET_YEARS = TARGET_DAYS / DAYS_PER_YEAR
_ROUNDING = 1e-9
"""Years are divided minutes, so equal instants may differ by this much."""

OBSERVED: Schema = {
    "symbol": pl.String,
    "session": pl.Date,
    "timestamp": STAMP,
    "kind": pl.String,
    "iv30": pl.Float64,
    "iv30_call": pl.Float64,
    "iv30_put": pl.Float64,
    "iv_skew": pl.Float64,
    "near_expiration": pl.Date,
    "next_expiration": pl.Date,
    "iv30_reason": pl.String,
    "price_source": pl.String,
}
"""One snapshot of one symbol. Key: symbol, timestamp.

iv30                   30-day volatility at the forward, per year; null with a reason in `iv30_reason`
iv30_call, iv30_put    the same from calls only and from puts only, each null where its own contracts do not suffice
iv_skew                25-delta call minus 25-delta put, at 30 days; negative where puts are more expensive
near, next_expiration  the pair behind iv30; equal where one settles exactly 30 days ahead
price_source           of most of its contracts
"""

_SNAPSHOT = ["symbol", "timestamp"]


class ObservationReason(StrEnum):
    """Why there is no 30-day volatility, in addition to the `smile.SmileReason` of the expiration that lacks one."""

    NO_NEAR_EXPIRATION = "no_expiration_7_to_30_days_ahead"
    NO_NEXT_EXPIRATION = "no_expiration_30_to_93_days_ahead"


def observe(valued: pl.DataFrame) -> pl.DataFrame:
    """Compute 30-day volatility and skew (`OBSERVED`) of every snapshot in `valued` (`VALUED`), sorted by key."""
    terms = interpolate_at_forward(valued)
    snapshots = valued.group_by(_SNAPSHOT, maintain_order=True).agg(
        pl.col("session", "kind").first(), pl.col("price_source").drop_nulls().mode().sort().first()
    )
    middle = _interpolate_at_30_days(terms.select(*INSTANT, "expiration", "years", iv="atm_iv"))
    sides = [
        _interpolate_at_30_days(interpolate_side_at_forward(valued, option_type)).select(
            *_SNAPSHOT, pl.col("iv30").alias(name)
        )
        for option_type, name in ((OptionType.CALL, "iv30_call"), (OptionType.PUT, "iv30_put"))
    ]
    observed = snapshots.join(middle, on=_SNAPSHOT, how="left")
    for side in (*sides, _interpolate_skew(valued)):
        observed = observed.join(side, on=_SNAPSHOT, how="left")
    observed = observed.join(_find_reasons(terms), on=_SNAPSHOT, how="left").with_columns(
        iv30_reason=pl.when(pl.col("iv30").is_null()).then(pl.col("reason"))
    )
    return cast_to_schema(observed, OBSERVED).sort(_SNAPSHOT)


def _interpolate_at_30_days(terms: pl.DataFrame) -> pl.DataFrame:
    """`iv30`, `near_expiration`, `next_expiration` of each snapshot that has a bracket. Takes instants with `iv`."""
    days = pl.col("years") * DAYS_PER_YEAR
    usable = terms.filter(
        pl.col("iv").is_not_null() & (days >= NEAREST_DAYS - _ROUNDING) & (days <= FURTHEST_DAYS + _ROUNDING)
    )
    usable = usable.sort("years", "settles_at").with_columns(total=pl.col("iv").pow(2) * pl.col("years"))
    chosen = ["years", "total", "expiration"]
    near = (
        usable.filter(pl.col("years") <= _TARGET_YEARS + _ROUNDING)
        .group_by(_SNAPSHOT, maintain_order=True)
        .agg(pl.col(chosen).last())
    )
    after = (
        usable.filter(pl.col("years") >= _TARGET_YEARS - _ROUNDING)
        .group_by(_SNAPSHOT, maintain_order=True)
        .agg(pl.col(chosen).first())
    )
    distance = pl.col("years_next") - pl.col("years")
    share = pl.when(distance > _ROUNDING).then((_TARGET_YEARS - pl.col("years")) / distance).otherwise(0.0)
    total = (1 - share) * pl.col("total") + share * pl.col("total_next")
    return near.join(after, on=_SNAPSHOT, suffix="_next").select(
        *_SNAPSHOT,
        # Multiplied, not divided: polars divides a column by a number with last-bit differences between rows.
        iv30=(total * (1 / _TARGET_YEARS)).sqrt(),
        near_expiration="expiration",
        next_expiration="expiration_next",
    )


def _interpolate_skew(valued: pl.DataFrame) -> pl.DataFrame:
    """`iv_skew` of each snapshot, from the instants that show both 25-delta contracts."""
    calls, puts = (
        interpolate_at_delta(valued, option_type, SKEW_DELTA) for option_type in (OptionType.CALL, OptionType.PUT)
    )
    both = calls.join(puts.select(*INSTANT, iv_put="iv"), on=INSTANT)
    call = _interpolate_at_30_days(both).select(*_SNAPSHOT, call="iv30")
    put = _interpolate_at_30_days(both.with_columns(iv="iv_put")).select(*_SNAPSHOT, put="iv30")
    return call.join(put, on=_SNAPSHOT).select(*_SNAPSHOT, iv_skew=pl.col("call") - pl.col("put"))


def _find_reasons(terms: pl.DataFrame) -> pl.DataFrame:
    """Find why snapshots have no 30-day volatility: the first of the two sides that lacks one decides.

    If an expiration on that side exists but has no volatility at the forward, its own reason is used, the one nearest to 30
    days first.
    """
    days = pl.col("years") * DAYS_PER_YEAR
    is_near = (days >= NEAREST_DAYS - _ROUNDING) & (days <= TARGET_DAYS + _ROUNDING)
    is_next = (days >= TARGET_DAYS - _ROUNDING) & (days <= FURTHEST_DAYS + _ROUNDING)
    answered = pl.col("atm_iv").is_not_null()
    nearest_first = pl.col("reason").sort_by((days - TARGET_DAYS).abs())
    near_reason = pl.coalesce(
        nearest_first.filter(is_near.sort_by((days - TARGET_DAYS).abs())).first(),
        pl.lit(ObservationReason.NO_NEAR_EXPIRATION.value),
    )
    next_reason = pl.coalesce(
        nearest_first.filter(is_next.sort_by((days - TARGET_DAYS).abs())).first(),
        pl.lit(ObservationReason.NO_NEXT_EXPIRATION.value),
    )
    return terms.group_by(_SNAPSHOT, maintain_order=True).agg(
        reason=pl.when((is_near & answered).any()).then(next_reason).otherwise(near_reason)
    )
