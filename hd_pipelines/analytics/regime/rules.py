"""The rules of the market regime as data: axes, thresholds and order.

`conditions` defines what a rule is, `decision` applies the table to rows, `classification` adds memory.

Rules are tried in order and the first that fires decides. The last one has no condition, so there is always a result. Rare
regimes come before the trends that would hide them. `slack` is for staying: once in a regime, its conditions may fail by
that much before it is left, so that a value which fluctuates around a threshold changes nothing.

Moves are measured in the standard deviations that the VIX implied when they began, so that -2 % means something else at VIX
12 than at 40, and a calm rise of 2 % in a month is as strong a trend as a nervous one of 4 %. (The return over 20 sessions
has a standard deviation of 4.4 % over 1990-2022.) The thresholds are this project's; `validation.regime_history` shows
their result for 1990-2022, the years on which they were chosen.
"""

from __future__ import annotations

from enum import StrEnum

from hd_pipelines.analytics.regime.conditions import Rule, at_least, at_most, is_measured
from hd_pipelines.tables.vocabulary import MarketRegime


class Axis(StrEnum):
    """Independent kinds of evidence."""

    TREND = "trend"
    VOLATILITY = "volatility"
    BREADTH = "breadth"
    TERM_STRUCTURE = "term structure"
    CORRELATION = "correlation"
    PUT_CALL = "put/call"


AXES: dict[Axis, tuple[float, tuple[str, ...]]] = {
    Axis.TREND: (0.40, ("return_20d", "trend_sigmas", "distance_50d", "distance_200d", "move_sigmas")),
    Axis.VOLATILITY: (0.20, ("vix_level",)),
    Axis.BREADTH: (0.20, ("share_above_50d", "share_above_200d", "net_advances_10d")),
    Axis.TERM_STRUCTURE: (0.08, ("term_ratio",)),
    Axis.CORRELATION: (0.06, ("average_pairwise_correlation",)),
    Axis.PUT_CALL: (0.06, ("put_call_ratio_total",)),
}
"""Weight of each axis in the confidence, and its columns; the weights add up to 1."""

MEASURES = (
    *(column for _, columns in AXES.values() for column in columns),
    "beyond_high_20d",
    "beyond_low_20d",
    "return_20d_before",
)
"""Every column that a rule may use. Returns, distances and shares are fractions.

trend_sigmas       20-session return over the VIX of 20 sessions ago / 100 / √12.6
move_sigmas        return of the session over yesterday's VIX / 100 / √252
beyond_high_20d    close over the highest close of the 20 sessions before, minus 1
beyond_low_20d     close over the lowest close of the 20 sessions before, minus 1
return_20d_before  20-session return that ended yesterday
"""


RULES: tuple[Rule, ...] = (
    Rule(
        "panic_selling",
        MarketRegime.CAPITULATION,
        90,
        requires=(
            at_least("vix_level", 40, 5),
            at_most("distance_50d", -0.06, 0.02),
            at_most("beyond_low_20d", 0.03, 0.03),
        ),
        unless_contradicted=(
            at_most("share_above_50d", 0.25, 0.05),
            at_most("term_ratio", 0.02, 0.05),
            at_least("average_pairwise_correlation", 0.45, 0.10),
            at_least("put_call_ratio_total", 0.8, 0.1),
        ),
    ),
    Rule(
        "stretched_and_carefree",
        MarketRegime.EUPHORIA,
        85,
        requires=(
            at_most("vix_level", 12, 1.5),
            at_least("trend_sigmas", 1.0, 0.4),
            at_least("distance_200d", 0.08, 0.015),
        ),
        unless_contradicted=(
            at_least("share_above_50d", 0.65, 0.10),
            at_least("share_above_200d", 0.65, 0.05),
            at_least("term_ratio", 0.0, 0.02),
            at_most("put_call_ratio_total", 1.1, 0.1),
        ),
    ),
    Rule(
        "fell_out_of_its_range",
        MarketRegime.BREAKDOWN,
        75,
        requires=(
            at_most("move_sigmas", -2.0),
            at_most("beyond_low_20d", 0.0),
            at_least("return_20d_before", -0.03),
        ),
        is_event=True,
    ),
    Rule(
        "fell_hard_from_calm",
        MarketRegime.BREAKDOWN,
        70,
        requires=(at_most("move_sigmas", -2.5), at_least("return_20d_before", -0.03)),
        is_event=True,
    ),
    Rule(
        "rose_out_of_its_range",
        MarketRegime.BREAKOUT,
        70,
        requires=(
            at_least("move_sigmas", 1.25),
            at_least("beyond_high_20d", 0.0),
            at_most("return_20d_before", 0.015),
        ),
        is_event=True,
    ),
    Rule(
        "broad_and_steep_rise",
        MarketRegime.STRONG_UPTREND,
        85,
        requires=(
            at_least("trend_sigmas", 0.6, 0.3),
            at_least("distance_50d", 0.01, 0.01),
            at_most("vix_level", 25, 3),
        ),
        unless_contradicted=(
            at_least("distance_200d", 0.02, 0.02),
            at_least("share_above_50d", 0.60, 0.08),
            at_least("net_advances_10d", 0.0, 0.05),
            at_least("term_ratio", 0.0, 0.03),
        ),
    ),
    Rule(
        "broad_and_steep_fall",
        MarketRegime.STRONG_DOWNTREND,
        85,
        requires=(
            at_most("trend_sigmas", -0.7, 0.3),
            at_most("distance_50d", -0.03, 0.015),
            at_most("beyond_low_20d", 0.04, 0.02),
            at_least("vix_level", 22, 2),
        ),
        unless_contradicted=(
            at_most("distance_200d", -0.01, 0.02),
            at_most("share_above_50d", 0.40, 0.08),
            at_most("net_advances_10d", 0.0, 0.05),
        ),
    ),
    Rule(
        "flat_and_calm",
        MarketRegime.RANGE_BOUND,
        65,
        requires=(
            at_least("trend_sigmas", -0.25, 0.15),
            at_most("trend_sigmas", 0.25, 0.15),
            at_least("distance_50d", -0.012, 0.006),
            at_most("distance_50d", 0.012, 0.006),
            at_most("vix_level", 22, 2),
        ),
    ),
    Rule(
        "bounce_off_the_low",
        MarketRegime.CHOPPY_BEARISH,
        60,
        requires=(at_least("beyond_low_20d", 0.05, 0.02), at_most("distance_50d", 0.0, 0.005)),
    ),
    Rule(
        "rise_with_high_volatility",
        MarketRegime.CHOPPY_BULLISH,
        60,
        requires=(
            at_least("return_20d", 0.0, 0.005),
            at_least("distance_50d", 0.0, 0.005),
            at_least("vix_level", 30, 2),
        ),
    ),
    Rule(
        "rise",
        MarketRegime.WEAK_UPTREND,
        70,
        requires=(at_least("return_20d", 0.0, 0.01), at_least("distance_50d", 0.0, 0.005)),
        unless_contradicted=(at_least("distance_200d", 0.0, 0.01),),
    ),
    Rule(
        "fall",
        MarketRegime.WEAK_DOWNTREND,
        70,
        requires=(at_most("return_20d", 0.0, 0.01), at_most("distance_50d", 0.0, 0.005)),
        unless_contradicted=(at_most("distance_200d", 0.0, 0.01),),
    ),
    Rule(
        "rally_in_a_bear_market",
        MarketRegime.CHOPPY_BULLISH,
        55,
        requires=(at_least("return_20d", 0.0, 0.005), at_least("distance_50d", 0.0, 0.005)),
    ),
    Rule(
        "deep_dip_above_the_long_average",
        MarketRegime.CHOPPY_BEARISH,
        60,
        requires=(
            at_most("trend_sigmas", -0.6, 0.2),
            at_most("distance_50d", 0.0, 0.005),
        ),
    ),
    Rule(
        "mixed_above_the_long_average",
        MarketRegime.CHOPPY_BULLISH,
        60,
        requires=(at_least("distance_200d", 0.0, 0.01), at_most("vix_level", 28, 2)),
    ),
    Rule(
        "mixed_below_the_long_average_or_nervous",
        MarketRegime.CHOPPY_BEARISH,
        55,
        requires=(is_measured("distance_200d"),),
    ),
    Rule(
        "nervous_without_a_measured_trend",
        MarketRegime.CHOPPY_BEARISH,
        50,
        requires=(at_least("vix_level", 25, 2),),
    ),
    Rule("nothing_else_fires", MarketRegime.RANGE_BOUND, 50),
)
