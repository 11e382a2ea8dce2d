"""The regime engine's opinions for every regime, VIX class, direction and style."""

from __future__ import annotations

from itertools import product

import pytest

from hd_pipelines.signals.engines import regime
from hd_pipelines.tables.vocabulary import (
    ContextStatus,
    Direction,
    MarketRegime,
    RegimeRecommendation,
    TradingStyle,
    VixRegime,
)
from tests.signals.engines.made import NOW
from tests.signals.engines.made import regime as row_of

LONG, SHORT = Direction.LONG, Direction.SHORT
SCALP, DAY_TRADE, SWING = TradingStyle
EVERYTHING = list(product(MarketRegime, [*VixRegime, None], Direction, TradingStyle))


def read(context, direction: Direction = LONG, style: TradingStyle = SCALP):
    return regime.read(context, as_of_ns=NOW, direction=direction, style=style)


@pytest.mark.parametrize(
    ("market", "vix", "direction", "style", "opinion"),
    [
        (MarketRegime.STRONG_UPTREND, VixRegime.LOW, LONG, SWING, 1.25 * 1.10 * 1.20),
        (MarketRegime.STRONG_UPTREND, VixRegime.NORMAL, SHORT, SCALP, 1.25 * 0.70),
        (MarketRegime.WEAK_UPTREND, VixRegime.EXTREMELY_LOW, LONG, SWING, 1.10 * 1.05 * 1.20 * 0.85),
        (MarketRegime.CHOPPY_BULLISH, VixRegime.ELEVATED, LONG, SCALP, 0.95 * 0.95 * 1.20 * 0.85),
        (MarketRegime.RANGE_BOUND, VixRegime.NORMAL, LONG, DAY_TRADE, 0.80 * 0.85),
        (MarketRegime.RANGE_BOUND, VixRegime.NORMAL, SHORT, DAY_TRADE, 0.80 * 0.85),
        (MarketRegime.CHOPPY_BEARISH, VixRegime.NORMAL, SHORT, SWING, 0.90 * 1.20 * 0.85),
        (MarketRegime.WEAK_DOWNTREND, VixRegime.NORMAL, SHORT, DAY_TRADE, 1.05 * 1.20),
        (MarketRegime.WEAK_DOWNTREND, VixRegime.NORMAL, SHORT, SCALP, 1.05 * 1.20 * 0.85),
        (MarketRegime.STRONG_DOWNTREND, VixRegime.HIGH, LONG, SCALP, 1.20 * 0.85 * 0.70),
        (MarketRegime.STRONG_DOWNTREND, VixRegime.HIGH, SHORT, SCALP, 1.20 * 0.85 * 1.20),
        (MarketRegime.BREAKOUT, VixRegime.NORMAL, LONG, SCALP, 1.30 * 1.20),
        (MarketRegime.BREAKDOWN, VixRegime.ELEVATED, SHORT, SWING, 1.25 * 0.95 * 1.20),
        (MarketRegime.CAPITULATION, VixRegime.EXTREME, LONG, SWING, 1.40 * 0.70 * 1.30),
        (MarketRegime.CAPITULATION, VixRegime.EXTREME, SHORT, SCALP, 1.40 * 0.70 * 0.65 * 0.85),
        (MarketRegime.EUPHORIA, VixRegime.EXTREMELY_LOW, LONG, SCALP, 0.70 * 1.05 * 0.60 * 0.85),
        (MarketRegime.EUPHORIA, VixRegime.EXTREMELY_LOW, SHORT, SCALP, 0.70 * 1.05 * 1.25 * 0.85),
    ],
)
def test_multipliers_match_the_published_table(market, vix, direction, style, opinion):
    assert read(row_of(market, vix), direction, style).multiplier == pytest.approx(opinion)


def test_a_market_against_the_trade_never_boosts_it():
    """By the table alone a short in a breakout with a LOW VIX would: 1.30 × 1.10 × 0.70 = 1.001."""
    assert 1.30 * 1.10 * 0.70 > 1.0
    for market, vix, direction, style in EVERYTHING:
        if regime.find_course(market, direction) < 0:
            assert regime.compute_opinion(market, vix, direction, style) <= 1.0


def test_no_market_boosts_both_directions():
    for market, vix, _, style in EVERYTHING:
        assert min(regime.compute_opinion(market, vix, direction, style) for direction in Direction) <= 1.0


def test_every_market_goes_one_way_or_none():
    ways = {market: [regime.find_course(market, direction) for direction in Direction] for market in MarketRegime}
    assert all(sum(way) == 0 for way in ways.values())
    assert [market for market, way in ways.items() if way == [0, 0]] == [MarketRegime.RANGE_BOUND]


@pytest.mark.parametrize(
    ("market", "vix", "recommendation"),
    [
        (MarketRegime.STRONG_UPTREND, VixRegime.LOW, RegimeRecommendation.AGGRESSIVE_LONGS),
        (MarketRegime.CHOPPY_BULLISH, VixRegime.LOW, RegimeRecommendation.SELECTIVE_LONGS),
        (MarketRegime.RANGE_BOUND, VixRegime.LOW, RegimeRecommendation.NEUTRAL),
        (MarketRegime.RANGE_BOUND, VixRegime.NORMAL, RegimeRecommendation.AVOID_TRADING),
        (MarketRegime.RANGE_BOUND, None, RegimeRecommendation.NEUTRAL),
        (MarketRegime.WEAK_DOWNTREND, VixRegime.NORMAL, RegimeRecommendation.SELECTIVE_SHORTS),
        (MarketRegime.BREAKDOWN, VixRegime.HIGH, RegimeRecommendation.AGGRESSIVE_SHORTS),
        (MarketRegime.CAPITULATION, VixRegime.EXTREME, RegimeRecommendation.CONTRARIAN_OPPORTUNITY),
    ],
)
def test_recommendations(market, vix, recommendation):
    assert read(row_of(market, vix)).recommendation == recommendation


def test_a_missing_vix_is_left_out_and_reported():
    found = read(row_of(MarketRegime.STRONG_UPTREND, None, vix_level=float("nan")))
    assert found.multiplier == pytest.approx(1.25 * 1.20)
    assert "VIX unknown and left out" in found.reason


def test_confidence_is_that_of_the_row_and_only_pulls_towards_one():
    sure, unsure = (read(row_of(confidence=value)) for value in (100.0, 40.0))
    assert unsure.confidence == 40.0
    assert unsure.multiplier == pytest.approx(1 + 0.4 * (sure.multiplier - 1))


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (None, "no regime: no session has one yet"),
        (row_of(None, None, reason="no closes of I:SPX"), "no regime: no closes of I:SPX"),
        (row_of(None), "no regime: its row has none"),
        (row_of(confidence=float("nan")), "regime STRONG_UPTREND without confidence counts for nothing"),
        (row_of(confidence=None), "regime STRONG_UPTREND without confidence counts for nothing"),
    ],
)
def test_what_is_missing_is_named_and_neutral(context, reason):
    found = read(context)
    assert (found.multiplier, found.status, found.reason) == (1.0, ContextStatus.MISSING, reason)
    assert found.recommendation == RegimeRecommendation.NEUTRAL


def test_the_reason_gives_the_direction_of_the_market_and_the_side_it_helps():
    reason = read(row_of(MarketRegime.WEAK_UPTREND), SHORT, SWING).reason
    assert reason == "WEAK_UPTREND against the trade, VIX NORMAL, no regime for a swing"
