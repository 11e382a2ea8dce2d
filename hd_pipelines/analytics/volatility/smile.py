"""Interpolates the smile of each settlement instant: volatility at the forward, of both rights or of one, and at 25 delta.

Interpolates across the strikes of one instant. Across maturities: `constant_maturity`. Volatilities of contracts:
`pricing`.

At the forward, variance is linear in log-moneyness ln(K/F), with out-of-the-money contracts first (puts below, calls above;
at a strike whose out-of-the-money contract has no volatility, the in-the-money one is used). Distances are in standard
deviations, sigma * sqrt(years). The first method that applies:
- `bracket`: strikes on both sides of the forward, at most `WIDEST_BRACKET` apart.
- `two_strikes`: two strikes of one side, the nearer within `NEAREST_STRIKE` and no nearer to the other than to the forward;
  their line is extended to the forward.
- `borrowed_slope`: one strike within `NEAREST_STRIKE`, moved to the forward along the slope that the adjacent maturity
  shows around the forward, in share of variance per standard deviation.

SPX chains thinned to four contracts an expiration came within 0.09 (bracket), 0.17 (two strikes) and 0.38 (borrowed slope)
volatility points of the full chain's value on average. Full chains give brackets only. At a delta, variance is linear in
delta between the two contracts around it.
"""

from __future__ import annotations

from enum import StrEnum

import polars as pl

from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.tables.vocabulary import OptionType

WIDEST_BRACKET = 1.5
NEAREST_STRIKE, NEXT_STRIKE = 0.5, 1.5
"""Largest distances from the forward, in standard deviations, of the nearer and the farther of two strikes on one side."""
LENDING_STRIKES, LENDING_SPAN, LENDING_REACH = 3, 0.5, 1.5
"""A smile lends its slope if it has this many strikes within the reach, over at least the span, in standard deviations."""
WIDEST_DELTAS = 0.25
"""Largest distance in delta between the two contracts around the wanted delta."""

Schema = dict[str, pl.DataType | type[pl.DataType]]

TERM_STRUCTURE: Schema = {
    "symbol": pl.String,
    "timestamp": STAMP,
    "expiration": pl.Date,
    "settles_at": STAMP,
    "years": pl.Float64,
    "forward": pl.Float64,
    "atm_iv": pl.Float64,
    "method": pl.String,
    "reason": pl.String,
}
"""One settlement instant of one snapshot. `atm_iv` per year, null with a `reason`; `method` is an `AtmMethod`."""

INSTANT = ["symbol", "timestamp", "settles_at"]
"""Key of a smile."""


class AtmMethod(StrEnum):
    """How the volatility at the forward was obtained."""

    BRACKET = "bracket"
    TWO_STRIKES = "two_strikes"
    BORROWED_SLOPE = "borrowed_slope"


class SmileReason(StrEnum):
    """Why an instant has no volatility at the forward."""

    NO_FORWARD = "no_forward"
    NO_IMPLIED_VOLATILITY = "no_implied_volatility"
    NO_STRIKES_AT_FORWARD = "no_strikes_at_the_forward"


def interpolate_at_forward(valued: pl.DataFrame) -> pl.DataFrame:
    """Compute the term structure of volatility at the forward (`TERM_STRUCTURE`) for every instant of every snapshot.

    `valued`: `option_chains.VALUED`. SPX and SPXW of one date settle at different instants and give two rows.
    """
    points = _select_points(valued)
    is_call = pl.col("option_type") == OptionType.CALL.value
    out_of_the_money = (is_call & (pl.col("moneyness") >= 0)) | (~is_call & (pl.col("moneyness") <= 0))
    own = pl.col("variance").filter(out_of_the_money).mean()
    by_strike = points.group_by(*INSTANT, "moneyness", "years", maintain_order=True).agg(
        variance=pl.coalesce(own, pl.col("variance").mean())
    )
    terms = valued.group_by(INSTANT, maintain_order=True).agg(
        pl.col("expiration").max(),
        pl.col("years").first(),
        pl.col("forward").drop_nulls().first(),
    )
    found = terms.join(_interpolate_at_zero_moneyness(by_strike), on=INSTANT, how="left")
    reason = (
        pl.when(pl.col("atm_iv").is_not_null())
        .then(None)
        .when(pl.col("forward").is_null())
        .then(pl.lit(SmileReason.NO_FORWARD.value))
        .when(pl.col("strikes").is_null())
        .then(pl.lit(SmileReason.NO_IMPLIED_VOLATILITY.value))
        .otherwise(pl.lit(SmileReason.NO_STRIKES_AT_FORWARD.value))
    )
    return cast_to_schema(found.with_columns(reason=reason), TERM_STRUCTURE).sort(INSTANT)


def interpolate_side_at_forward(valued: pl.DataFrame, option_type: OptionType) -> pl.DataFrame:
    """Interpolate volatility at the forward from contracts of one right: instants with `iv`."""
    points = _select_points(valued.filter(pl.col("option_type") == option_type.value))
    instants = points.group_by(INSTANT, maintain_order=True).agg(pl.col("expiration").max(), pl.col("years").first())
    by_strike = points.group_by(*INSTANT, "moneyness", "years", maintain_order=True).agg(pl.col("variance").mean())
    return instants.join(_interpolate_at_zero_moneyness(by_strike), on=INSTANT, how="left").rename({"atm_iv": "iv"})


def interpolate_at_delta(valued: pl.DataFrame, option_type: OptionType, wanted: float) -> pl.DataFrame:
    """Interpolate volatility of one right where |delta| is `wanted`: instants with `iv`.

    `iv` is null where no two contracts are around that delta.
    """
    points = (
        _select_points(valued.filter((pl.col("option_type") == option_type.value) & pl.col("delta").is_not_null()))
        .with_columns(distance=pl.col("delta").abs() - wanted)
        .sort(*INSTANT, "distance")
    )
    d, v = pl.col("distance"), pl.col("variance")
    around = points.group_by(INSTANT, maintain_order=True).agg(
        pl.col("expiration").max(),
        pl.col("years").first(),
        k_below=d.filter(d <= 0).last(),
        v_below=v.filter(d <= 0).last(),
        k_above=d.filter(d >= 0).first(),
        v_above=v.filter(d >= 0).first(),
    )
    close = pl.col("k_above") - pl.col("k_below") <= WIDEST_DELTAS
    return around.select(
        *INSTANT, "expiration", "years", iv=pl.when(close).then(_extend_line_to_zero("below", "above").sqrt())
    )


def cast_to_schema(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Select the columns of `schema`, in its order and types."""
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _select_points(valued: pl.DataFrame) -> pl.DataFrame:
    """Contracts with a volatility, their log-moneyness and variance, in a fixed order so that sums are reproducible."""
    numbers = pl.col("implied_volatility", "forward", "strike", "years")
    return (
        valued.filter(pl.all_horizontal(numbers.is_finite() & (numbers > 0)))
        .with_columns(
            moneyness=(pl.col("strike") / pl.col("forward")).log(), variance=pl.col("implied_volatility").pow(2)
        )
        .sort(*INSTANT, "moneyness", "option_type", "implied_volatility")
    )


def _interpolate_at_zero_moneyness(points: pl.DataFrame) -> pl.DataFrame:
    """Volatility at the forward by instant: `atm_iv`, `method`, `strikes`. Takes one variance per moneyness."""
    k, v = pl.col("moneyness"), pl.col("variance")
    near = (
        points.sort(*INSTANT, "moneyness")
        .group_by(INSTANT, maintain_order=True)
        .agg(
            pl.col("years").first(),
            pl.len().alias("strikes"),
            k_nearest=k.sort_by(k.abs()).first(),
            v_nearest=v.sort_by(k.abs()).first(),
            # One standard deviation at the forward, from the variance of the nearest strike.
            deviation=(v.sort_by(k.abs()).first() * pl.col("years").first()).sqrt(),
            **{f"{name}_below": column.filter(k <= 0).last() for name, column in (("k", k), ("v", v))},
            **{f"{name}_above": column.filter(k >= 0).first() for name, column in (("k", k), ("v", v))},
            **{f"{name}_below_2": column.filter(k <= 0).slice(-2, 1).first() for name, column in (("k", k), ("v", v))},
            **{f"{name}_above_2": column.filter(k >= 0).slice(1, 1).first() for name, column in (("k", k), ("v", v))},
            count_below=(k <= 0).sum(),
        )
    )
    # slice(-2, 1) of a single strike is that same strike, not a second one.
    second_below = pl.when(pl.col("count_below") > 1).then(pl.col("k_below_2"))
    near = near.with_columns(k_below_2=second_below)
    bracket = pl.col("k_above") - pl.col("k_below") <= WIDEST_BRACKET * pl.col("deviation")
    near = near.with_columns(
        between=pl.when(bracket).then(_extend_line_to_zero("below", "above")),
        from_below=pl.when(_is_near("below")).then(_extend_line_to_zero("below", "below_2")),
        from_above=pl.when(_is_near("above")).then(_extend_line_to_zero("above", "above_2")),
    )
    below_is_nearer = (-pl.col("k_below") <= pl.col("k_above")).fill_null(False)
    line = (
        pl.when(below_is_nearer)
        .then(pl.coalesce("from_below", "from_above"))
        .otherwise(pl.coalesce("from_above", "from_below"))
    )
    near = near.with_columns(line=line).join(_borrow_slope(near, points), on=INSTANT, how="left")
    answers = {
        AtmMethod.BRACKET: pl.col("between"),
        AtmMethod.TWO_STRIKES: pl.col("line"),
        AtmMethod.BORROWED_SLOPE: pl.col("borrowed"),
    }
    variance, method = pl.lit(None, pl.Float64), pl.lit(None, pl.String)
    for name, answer in reversed(answers.items()):
        variance = pl.when(answer > 0).then(answer).otherwise(variance)
        method = pl.when(answer > 0).then(pl.lit(name.value)).otherwise(method)
    return near.select(*INSTANT, "strikes", atm_iv=variance.sqrt(), method=method)


def _borrow_slope(near: pl.DataFrame, points: pl.DataFrame) -> pl.DataFrame:
    """Variance at the forward from each smile's nearest strike and the slope of the smile next to it in maturity."""
    k, deviation = pl.col("moneyness"), pl.col("deviation")
    lenders = (
        points.join(near.select(*INSTANT, "deviation"), on=INSTANT, maintain_order="left")
        .filter(k.abs() <= LENDING_REACH * deviation)
        .group_by(INSTANT, maintain_order=True)
        .agg(
            pl.col("years", "deviation").first(),
            strikes=pl.len(),
            span=k.max() - k.min(),
            slope=pl.cov(k, pl.col("variance")) / k.var(),
        )
        .filter((pl.col("strikes") >= LENDING_STRIKES) & (pl.col("span") >= LENDING_SPAN * deviation))
        # Share of variance per standard deviation: slope * deviation / variance, and deviation^2 is variance * years.
        .select("symbol", "timestamp", "years", share=pl.col("slope") * pl.col("years") / deviation)
        .sort("years", "symbol", "timestamp")
    )
    borrowers = near.filter(pl.col("k_nearest").abs() <= NEAREST_STRIKE * deviation).sort(
        "years", "symbol", "timestamp"
    )
    lent = borrowers.join_asof(
        lenders, on="years", by=["symbol", "timestamp"], strategy="nearest", check_sortedness=False
    )
    # v = v0 + share * v0 * k / sqrt(v0 * years) at the strike, a quadratic in sqrt(v0).
    linear = pl.col("share") * pl.col("k_nearest") / pl.col("years").sqrt()
    root = ((linear.pow(2) + 4 * pl.col("v_nearest")).sqrt() - linear) * 0.5
    return lent.select(*INSTANT, borrowed=root.pow(2))


def _is_near(side: str) -> pl.Expr:
    """Whether two strikes of one side reach the forward; the line is extended by at most the distance between them."""
    nearer, farther, deviation = pl.col(f"k_{side}").abs(), pl.col(f"k_{side}_2").abs(), pl.col("deviation")
    return (nearer <= NEAREST_STRIKE * deviation) & (farther <= NEXT_STRIKE * deviation) & (farther >= 2 * nearer)


def _extend_line_to_zero(one: str, other: str) -> pl.Expr:
    """Variance at the forward, on the line through two strikes or of a strike at the forward."""
    k_one, k_other, v_one, v_other = (pl.col(f"{name}_{side}") for name in "kv" for side in (one, other))
    slope = pl.when(k_other == k_one).then(0.0).otherwise((v_other - v_one) / (k_other - k_one))
    return v_one - slope * k_one
