"""What the rows of `market_regime_history` must meet before they are published.

Belongs here: the rules on a session's market.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from hd_pipelines.checks.table_suite import (
    TableRules,
    TableSuite,
    at_least,
    contradictions,
    differ,
    finite,
    known,
    never,
    not_finite,
    unique,
    within,
    words,
)
from hd_pipelines.tables.vocabulary import (
    BreadthRegime,
    CorrelationRegime,
    MarketRegime,
    PutCallRegime,
    SectorRotation,
    TickRegime,
    VixRegime,
    VixTermStructure,
)

VIX_RANGE = (5.0, 150.0)
"""From 1990 to 2025 it closed between 9.1 and 82.7."""
LARGEST_MOVE_PCT = 35.0
"""No index moved more in a session (1987: -20.5 %): more is two scales, as around a split."""
_COUNTS = ("advancers", "decliners", "unchanged", "new_highs", "new_lows", "n_stocks", "spy_volume")
_RATIOS = (
    *("advance_decline_ratio", "high_low_ratio", "spy_volume_ratio"),
    *("put_call_ratio_equity", "put_call_ratio_index", "put_call_ratio_total"),
)
_PRICES = ("vix_front_month", "vix_back_month", "spy_close", "ndx_close", "rut_close")
_SHARES = ("share_above_20d", "share_above_50d", "share_above_200d")
_CORRELATIONS = ("spy_ndx_correlation", "spy_rut_correlation", "average_pairwise_correlation")
_ALWAYS = (
    "vix_level",
    "vix_regime",
    "market_regime",
    "raw_regime",
    "regime_since",
    "regime_reason",
    "confidence_score",
)
_ROUNDING = 1e-6


def regime_suite() -> TableSuite:
    """Judges frames with the columns that `regime.regime_rows` returns."""
    return TableSuite(TableRules("market_regime_history", ("date",), _facts, _expectations))


def _contradictions() -> Mapping[str, pl.Expr]:
    advancers, decliners = pl.col("advancers"), pl.col("decliners")
    since, regime = pl.col("regime_since"), pl.col("market_regime")
    before, is_old = regime.shift(1), since <= pl.col("date").shift(1)
    return {
        "regime_began_before": since > pl.col("date"),
        # Sessions may be missing between two rows, and a regime may have ended and begun again in between.
        "a_regime_that_goes_on_keeps_its_beginning": (regime == before) & (since != since.shift(1)) & is_old,
        "a_new_regime_begins_after_the_old_one": (regime != before) & is_old,
        "difference_is_advancers_less_decliners": pl.col("advance_decline_diff") != advancers - decliners,
        "ratio_is_advancers_over_decliners": differ(pl.col("advance_decline_ratio"), advancers / decliners),
        "counts_are_of_the_stocks_counted": advancers + decliners + pl.col("unchanged") > pl.col("n_stocks"),
        "spread_is_back_less_front": (
            pl.col("vix_term_spread") - pl.col("vix_back_month") + pl.col("vix_front_month")
        ).abs()
        > _ROUNDING,
        "no_breadth_has_a_reason": advancers.is_null() & pl.col("breadth_reason").is_null(),
        "no_term_structure_has_a_reason": pl.col("vix_term_structure").is_null()
        & pl.col("term_structure_reason").is_null(),
        "no_put_call_has_a_reason": pl.col("pc_regime").is_null() & pl.col("put_call_reason").is_null(),
        "tick_has_its_class": pl.col("tick_index").is_null() != pl.col("tick_regime").is_null(),
        "leader_and_laggard_differ": pl.col("leading_sector") == pl.col("lagging_sector"),
    }


def _facts(frame: pl.DataFrame) -> Mapping[str, pl.DataFrame]:
    return {
        "sessions": frame.sort("date").with_columns(not_finite(frame.schema), *contradictions(_contradictions())),
    }


def _expectations() -> Mapping[str, Sequence[Any]]:
    return {
        "sessions": [
            *unique("session_has_one_row", ["date"]),
            *(each for name in ("date", *_ALWAYS) for each in known(f"{name}_is_known", [name])),
            *finite(),
            *never(_contradictions()),
            *within("vix_level_is_plausible", ["vix_level"], *VIX_RANGE),
            *(each for name in _PRICES for each in at_least(f"{name}_is_positive", [name], 0, above=True)),
            *(each for name in (*_COUNTS, *_RATIOS) for each in at_least(f"{name}_is_not_negative", [name], 0)),
            *(
                each
                for name in ("spy_change_pct", "ndx_change_pct", "rut_change_pct")
                for each in within(f"{name}_is_plausible", [name], -LARGEST_MOVE_PCT, LARGEST_MOVE_PCT)
            ),
            *(each for name in _SHARES for each in within(f"{name}_is_from_0_to_1", [name], 0, 1)),
            *(
                each
                for name in _CORRELATIONS
                for each in within(f"{name}_is_from_minus_1_to_1", [name], -1 - _ROUNDING, 1 + _ROUNDING)
            ),
            *within("confidence_is_from_0_to_100", ["confidence_score"], 0, 100),
            *words(
                {
                    "vix_regime": VixRegime,
                    "vix_term_structure": VixTermStructure,
                    "tick_regime": TickRegime,
                    "breadth_regime": BreadthRegime,
                    "correlation_regime": CorrelationRegime,
                    "sector_rotation": SectorRotation,
                    "pc_regime": PutCallRegime,
                    "market_regime": MarketRegime,
                    "raw_regime": MarketRegime,
                }
            ),
        ]
    }
