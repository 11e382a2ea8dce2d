"""Classifies an IV percentile and its trend, and names the reasons why there is none. The only set of IV cut-offs.

The numbers are computed in `iv_percentile`.
"""

from __future__ import annotations

from enum import StrEnum

import polars as pl

from hd_pipelines.analytics.cut_offs import classify_by_cut_offs
from hd_pipelines.tables.vocabulary import IvRecommendation, IvRegime, IvTrend

REGIME_CUT_OFFS = (0.10, 0.20, 0.60, 0.80, 0.90)
"""Percentile, 0-1. Scoring multipliers and recommendations were calibrated to these limits, and score boosts change at 0.20
and 0.80, where these classes change too, so that no score jumps inside a class. (The limits 0.10, 0.30, 0.70, 0.85, 0.95,
which also occur in the field, would not have this property.)
"""
FAVORABLE_BELOW = 0.40
"""Percentile, 0-1: the limit inside NORMAL below which buying premium is favourable."""
TREND_SHARE = 0.10
"""Change over 20 sessions, as a share of today's value, above which volatility counts as expanding or contracting."""


class PercentileReason(StrEnum):
    """Why there is no rank or percentile."""

    NO_SESSION = "no_session"
    NO_VALUE = "no_value_today"
    TOO_FEW = "fewer_than_126_observations"
    ALL_EQUAL = "all_observations_equal"


def classify_iv_regime(percentile: pl.Expr) -> pl.Expr:
    """Classify a percentile in 0-1 as `IvRegime`; null where it is null."""
    return classify_by_cut_offs(percentile, REGIME_CUT_OFFS, list(IvRegime))


def classify_iv_recommendation(percentile: pl.Expr) -> pl.Expr:
    """Classify a percentile in 0-1 as `IvRecommendation`; null where it is null.

    BUY_PREMIUM up to LOW, BUY_FAVORABLE in the lower part of NORMAL, NEUTRAL in the rest of it, WAIT_FOR_IV_DROP in
    ELEVATED and HIGH, SELL_PREMIUM in EXTREMELY_HIGH.
    """
    _, normal_from, elevated_from, _, extreme_from = REGIME_CUT_OFFS
    return classify_by_cut_offs(
        percentile,
        (normal_from, FAVORABLE_BELOW, elevated_from, extreme_from),
        (
            IvRecommendation.BUY_PREMIUM,
            IvRecommendation.BUY_FAVORABLE,
            IvRecommendation.NEUTRAL,
            IvRecommendation.WAIT_FOR_IV_DROP,
            IvRecommendation.SELL_PREMIUM,
        ),
    )


def classify_iv_trend(change_20d: pl.Expr, current: pl.Expr) -> pl.Expr:
    """Classify the change over 20 sessions relative to today's value as `IvTrend`; null where either is null."""
    share = change_20d / current
    trend = (
        pl.when(share > TREND_SHARE)
        .then(pl.lit(IvTrend.EXPANDING.value))
        .when(share < -TREND_SHARE)
        .then(pl.lit(IvTrend.CONTRACTING.value))
        .otherwise(pl.lit(IvTrend.STABLE.value))
    )
    return pl.when(share.is_not_null()).then(trend)
