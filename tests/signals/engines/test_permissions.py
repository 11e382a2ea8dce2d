"""Permissions: defined for every state, named, and never so strict that a strategy could not trade at all."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from hd_pipelines.analytics.regime.rules import RULES
from hd_pipelines.signals.engines.permissions import PUBLISHED, Policy, find_refusal
from hd_pipelines.tables.vocabulary import (
    REGIME_FAMILIES,
    Direction,
    MarketRegime,
    RegimeFamily,
    Strategy,
    TradingStyle,
    VixRegime,
)

LONG, SHORT = Direction.LONG, Direction.SHORT
STATES = list(product(MarketRegime, VixRegime))
TRADES = list(product(Strategy, Direction))
TURNED = {
    MarketRegime.STRONG_UPTREND: MarketRegime.STRONG_DOWNTREND,
    MarketRegime.WEAK_UPTREND: MarketRegime.WEAK_DOWNTREND,
    MarketRegime.CHOPPY_BULLISH: MarketRegime.CHOPPY_BEARISH,
    MarketRegime.BREAKOUT: MarketRegime.BREAKDOWN,
    MarketRegime.EUPHORIA: MarketRegime.CAPITULATION,
}
TURNED |= {there: here for here, there in TURNED.items()}
TREND_OF = {LONG: RegimeFamily.TRENDING_UP, SHORT: RegimeFamily.TRENDING_DOWN}
"""What a trend strategy's own conditions require."""
VIX_LIMITS = dict(zip(VixRegime, [(0, 12), (12, 16), (16, 20), (20, 30), (30, 40), (40, 100)], strict=True))


def vix_range(regime: MarketRegime) -> tuple[float, float]:
    """The VIX that the rules of a regime admit on the day they fire, over all of its rules."""
    lows, highs = [], []
    for rule in (rule for rule in RULES if rule.regime is regime):
        asked = [condition for condition in rule.requires if condition.measure == "vix_level"]
        lows.append(max([each.threshold for each in asked if not each.is_ceiling], default=0.0))
        highs.append(min([each.threshold for each in asked if each.is_ceiling], default=100.0))
    return min(lows), max(highs)


@pytest.mark.parametrize(
    ("strategy", "direction", "regime", "vix", "reason"),
    [
        (
            Strategy.BREAKOUT,
            LONG,
            MarketRegime.STRONG_DOWNTREND,
            VixRegime.ELEVATED,
            "momentum_long_in_strong_downtrend",
        ),
        (Strategy.OPENING_DRIVE, LONG, MarketRegime.BREAKDOWN, VixRegime.NORMAL, "momentum_long_in_breakdown"),
        (Strategy.OPENING_DRIVE, SHORT, MarketRegime.STRONG_UPTREND, VixRegime.LOW, "momentum_short_in_strong_uptrend"),
        (Strategy.BREAKOUT, SHORT, MarketRegime.STRONG_DOWNTREND, VixRegime.ELEVATED, None),
        (Strategy.MEAN_REVERSION, LONG, MarketRegime.WEAK_DOWNTREND, VixRegime.NORMAL, "reversal_long_in_downtrend"),
        (Strategy.MEAN_REVERSION, LONG, MarketRegime.WEAK_UPTREND, VixRegime.NORMAL, None),
        (Strategy.POWER_HOUR_REVERSAL, SHORT, MarketRegime.BREAKOUT, VixRegime.NORMAL, "reversal_short_in_uptrend"),
        (Strategy.TREND_CONTINUATION, LONG, MarketRegime.RANGE_BOUND, VixRegime.NORMAL, "trend_strategy_in_range"),
        (Strategy.BREAKOUT, SHORT, MarketRegime.CHOPPY_BULLISH, VixRegime.NORMAL, "breakout_in_choppy_market"),
        (Strategy.INDEX_MEAN_REVERSION, LONG, MarketRegime.RANGE_BOUND, VixRegime.NORMAL, None),
        (
            Strategy.MEAN_REVERSION,
            LONG,
            MarketRegime.RANGE_BOUND,
            VixRegime.EXTREMELY_LOW,
            "vix_extremely_low_allows_no_mean_reversion",
        ),
        (
            Strategy.TREND_CONTINUATION,
            SHORT,
            MarketRegime.WEAK_DOWNTREND,
            VixRegime.HIGH,
            "vix_high_allows_no_trend_continuation",
        ),
        (
            Strategy.GAMMA_SQUEEZE,
            LONG,
            MarketRegime.CAPITULATION,
            VixRegime.EXTREME,
            "vix_extreme_allows_no_gamma_squeeze",
        ),
        (Strategy.EOD_PIN, SHORT, MarketRegime.WEAK_UPTREND, VixRegime.HIGH, None),
    ],
)
def test_reasons(strategy, direction, regime, vix, reason):
    assert find_refusal(strategy, direction, regime=regime, vix=vix) == reason


def test_every_state_of_the_market_has_an_answer_for_every_trade_in_every_style():
    for (regime, vix), (strategy, direction), style in product(STATES, TRADES, [*TradingStyle, None]):
        answer = find_refusal(strategy, direction, regime=regime, vix=vix, style=style)
        assert answer is None or answer == answer.lower().replace(" ", "_") != ""


def test_every_strategy_may_trade_either_way_somewhere_the_market_can_be():
    """Some regimes exclude some levels of the VIX by their own rules; what is left must be enough."""
    reachable = [
        (regime, vix)
        for regime, vix in STATES
        if vix_range(regime)[0] < VIX_LIMITS[vix][1] and vix_range(regime)[1] > VIX_LIMITS[vix][0]
    ]
    assert (MarketRegime.CAPITULATION, VixRegime.LOW) not in reachable
    for (strategy, direction), style in product(TRADES, TradingStyle):
        allowed = [
            (regime, vix)
            for regime, vix in reachable
            if find_refusal(strategy, direction, regime=regime, vix=vix, style=style) is None
        ]
        assert allowed, f"{strategy.value} {direction.value} {style.value} could never trade"
        if strategy is Strategy.TREND_CONTINUATION:
            assert any(REGIME_FAMILIES[regime] is TREND_OF[direction] for regime, _ in allowed)


def test_a_market_turned_around_forbids_the_mirrored_trade():
    for (regime, vix), (strategy, direction), style in product(STATES, TRADES, [*TradingStyle, None]):
        turned = find_refusal(
            strategy, SHORT if direction is LONG else LONG, regime=TURNED.get(regime, regime), vix=vix, style=style
        )
        here = find_refusal(strategy, direction, regime=regime, vix=vix, style=style)
        assert (here is None) == (turned is None)


def test_the_vix_matrix_matches_the_published_table():
    refused = {
        vix: {strategy for strategy in Strategy if strategy in PUBLISHED.at_vix.get(vix, frozenset())}
        for vix in VixRegime
    }
    reversals = {Strategy.MEAN_REVERSION, Strategy.INDEX_MEAN_REVERSION, Strategy.POWER_HOUR_REVERSAL}
    assert refused == {
        VixRegime.EXTREMELY_LOW: reversals,
        VixRegime.LOW: reversals,
        VixRegime.NORMAL: set(),
        VixRegime.ELEVATED: set(),
        VixRegime.HIGH: {Strategy.BREAKOUT, Strategy.TREND_CONTINUATION},
        VixRegime.EXTREME: set(Strategy),
    }


def test_an_unknown_market_forbids_nothing():
    for strategy, direction in TRADES:
        assert find_refusal(strategy, direction, regime=None, vix=None, style=TradingStyle.SWING) is None


def test_what_is_known_of_the_market_counts_alone():
    assert find_refusal(Strategy.MEAN_REVERSION, LONG, regime=MarketRegime.RANGE_BOUND, vix=None) is None
    assert find_refusal(Strategy.MEAN_REVERSION, LONG, regime=None, vix=VixRegime.LOW) is not None


def test_nothing_is_held_over_nights_against_a_strong_trend():
    state = {"regime": MarketRegime.STRONG_DOWNTREND, "vix": VixRegime.ELEVATED}
    assert find_refusal(Strategy.GAMMA_FLIP, LONG, **state, style=TradingStyle.SCALP) is None
    assert find_refusal(Strategy.GAMMA_FLIP, LONG, **state) is None
    assert (
        find_refusal(Strategy.GAMMA_FLIP, LONG, **state, style=TradingStyle.SWING) == "swing_long_in_strong_downtrend"
    )


def test_a_policy_may_do_without_the_vix_matrix():
    """By the table alone it forbids reversals wherever the VIX is below 16: on 250 of 251 sessions of 2017."""
    calm = {"regime": MarketRegime.RANGE_BOUND, "vix": VixRegime.EXTREMELY_LOW}
    assert find_refusal(Strategy.MEAN_REVERSION, LONG, **calm) is not None
    assert find_refusal(Strategy.MEAN_REVERSION, LONG, **calm, policy=Policy(at_vix={})) is None


def test_trends_ranges_and_chop_share_the_strategies_among_them():
    """Where following is refused, fading is not, so a market without extremes always has something to trade."""
    counts = Counter()
    for regime in MarketRegime:
        allowed = {
            strategy
            for strategy, direction in TRADES
            if find_refusal(strategy, direction, regime=regime, vix=VixRegime.NORMAL) is None
        }
        counts[regime] = len(allowed & {Strategy.BREAKOUT, Strategy.MEAN_REVERSION})
    assert all(counts[regime] >= 1 for regime in MarketRegime)
