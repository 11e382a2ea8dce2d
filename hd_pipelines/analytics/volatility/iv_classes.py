"""What an IV percentile, its trend and its reasons are called: the one set of cut-offs.

Belongs here: limits and the words they divide. The numbers are computed in `iv_percentile`.
"""

from __future__ import annotations

from enum import StrEnum

import polars as pl

from hd_pipelines.analytics.cut_offs import by_cut_offs
from hd_pipelines.tables.vocabulary import IvRecommendation, IvRegime, IvTrend

REGIME_CUT_OFFS = (0.10, 0.20, 0.60, 0.80, 0.90)
"""Percentile, 0-1. The predecessor's ingestion cut at 0.10, 0.30, 0.70, 0.85, 0.95 and its engine as here. The engine's
are kept for both: its multipliers and recommendations were set for them, and its boosts change at 0.20 and 0.80, where
these classes change too, so that no score jumps inside a class."""
FAVORABLE_BELOW = 0.40
"""Within NORMAL."""
TREND_SHARE = 0.10
"""Change over 20 sessions, as a share of today's value, beyond which volatility expands or contracts."""


class PercentileReason(StrEnum):
    """Why there is no rank or percentile."""

    NO_SESSION = "no_session"
    NO_VALUE = "no_value_today"
    TOO_FEW = "fewer_than_126_observations"
    ALL_EQUAL = "all_observations_equal"


def iv_regime(percentile: pl.Expr) -> pl.Expr:
    """`IvRegime` of a percentile in 0-1; null where it is null."""
    return by_cut_offs(percentile, REGIME_CUT_OFFS, list(IvRegime))


def iv_recommendation(percentile: pl.Expr) -> pl.Expr:
    """`IvRecommendation` of a percentile in 0-1; null where it is null.

    BUY_PREMIUM up to LOW, BUY_FAVORABLE in the lower part of NORMAL, NEUTRAL in the rest of it, WAIT_FOR_IV_DROP in
    ELEVATED and HIGH, SELL_PREMIUM in EXTREMELY_HIGH.
    """
    _, normal_from, elevated_from, _, extreme_from = REGIME_CUT_OFFS
    return by_cut_offs(
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


def iv_trend(change_20d: pl.Expr, current: pl.Expr) -> pl.Expr:
    """`IvTrend` from the change over 20 sessions and today's value; null where either is."""
    share = change_20d / current
    word = (
        pl.when(share > TREND_SHARE)
        .then(pl.lit(IvTrend.EXPANDING.value))
        .when(share < -TREND_SHARE)
        .then(pl.lit(IvTrend.CONTRACTING.value))
        .otherwise(pl.lit(IvTrend.STABLE.value))
    )
    return pl.when(share.is_not_null()).then(word)
