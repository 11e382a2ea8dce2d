"""Which strategies a market forbids regardless of score, as a table that can be exchanged.

Unknown context forbids nothing; readings and frames carry the label that it is missing.

- No momentum against a strong trend: no long breakout while the market falls.
- No reversal against a trend. With the trend, a reversal is an entry after a pullback.
- No breakout and no trend strategy where the market has no trend.
- The VIX matrix: fading moves needs movement, following them needs calm, and from a VIX of 40 nothing is allowed.
- Nothing is held overnight against a strong trend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hd_pipelines.tables.vocabulary import (
    REGIME_FAMILIES,
    Direction,
    MarketRegime,
    RegimeFamily,
    Strategy,
    TradingStyle,
    VixRegime,
)

MOMENTUM = frozenset({Strategy.BREAKOUT, Strategy.TREND_CONTINUATION, Strategy.OPENING_DRIVE})
REVERSAL = frozenset({Strategy.MEAN_REVERSION, Strategy.INDEX_MEAN_REVERSION, Strategy.POWER_HOUR_REVERSAL})
NEEDS_A_TREND = frozenset({Strategy.BREAKOUT, Strategy.TREND_CONTINUATION})
TREND = {RegimeFamily.TRENDING_UP: Direction.LONG, RegimeFamily.TRENDING_DOWN: Direction.SHORT}
STRONG_TREND = {
    MarketRegime.STRONG_UPTREND: Direction.LONG,
    MarketRegime.BREAKOUT: Direction.LONG,
    MarketRegime.STRONG_DOWNTREND: Direction.SHORT,
    MarketRegime.BREAKDOWN: Direction.SHORT,
}
"""Directions that go with each trending family, and with each strong regime."""

PUBLISHED_VIX_MATRIX: Mapping[VixRegime, frozenset[Strategy]] = {
    VixRegime.EXTREMELY_LOW: REVERSAL,
    VixRegime.LOW: REVERSAL,
    VixRegime.HIGH: NEEDS_A_TREND,
    VixRegime.EXTREME: frozenset(Strategy),
}
"""Strategies forbidden in each VIX class."""


@dataclass(frozen=True)
class Policy:
    """What is forbidden where; each table may be emptied or changed on its own.

    against_trend, against_strong_trend: strategies that may not trade against one. in_family, at_vix: forbidden there in
    both directions. styles_against_strong_trend: styles that may not trade against one.
    """

    against_trend: frozenset[Strategy] = REVERSAL
    against_strong_trend: frozenset[Strategy] = MOMENTUM
    in_family: Mapping[RegimeFamily, frozenset[Strategy]] = field(
        default_factory=lambda: {RegimeFamily.RANGING: NEEDS_A_TREND, RegimeFamily.CHOPPY: NEEDS_A_TREND}
    )
    at_vix: Mapping[VixRegime, frozenset[Strategy]] = field(default_factory=lambda: PUBLISHED_VIX_MATRIX)
    styles_against_strong_trend: frozenset[TradingStyle] = frozenset({TradingStyle.SWING})


PUBLISHED = Policy()
"""The default rules. They forbid every reversal on 250 of the 251 sessions of 2017, and everything on 18 of the 22 sessions
of March 2020. Pass another `at_vix` to trade then."""


def find_refusal(
    strategy: Strategy,
    direction: Direction,
    *,
    regime: MarketRegime | None,
    vix: VixRegime | None,
    style: TradingStyle | None = None,
    policy: Policy = PUBLISHED,
) -> str | None:
    """Return the rule that forbids a strategy (`momentum_long_in_strong_downtrend`), or None if it is allowed.

    An unknown regime or VIX forbids nothing. Without `style` the rules about holding times are not applied.
    """
    if regime is not None:
        against = _find_market_refusal(strategy, direction, regime, style, policy)
        if against is not None:
            return against
    if vix is not None and strategy in policy.at_vix.get(vix, frozenset()):
        return f"vix_{vix.value.lower()}_allows_no_{strategy.value}"
    return None


def _find_market_refusal(
    strategy: Strategy, direction: Direction, regime: MarketRegime, style: TradingStyle | None, policy: Policy
) -> str | None:
    family = REGIME_FAMILIES[regime]
    side, market = direction.value.lower(), regime.value.lower()
    opposes_strong_trend = STRONG_TREND.get(regime, direction) is not direction
    if opposes_strong_trend and strategy in policy.against_strong_trend:
        return f"momentum_{side}_in_{market}"
    if strategy in policy.against_trend and TREND.get(family, direction) is not direction:
        return f"reversal_{side}_in_{_MARKETS[family]}"
    if strategy in policy.in_family.get(family, frozenset()):
        return f"{_KINDS.get(strategy, strategy.value)}_in_{_MARKETS[family]}"
    if opposes_strong_trend and style is not None and style in policy.styles_against_strong_trend:
        return f"{style.value}_{side}_in_{market}"
    return None


_KINDS = {Strategy.TREND_CONTINUATION: "trend_strategy"}
_MARKETS = {
    RegimeFamily.TRENDING_UP: "uptrend",
    RegimeFamily.TRENDING_DOWN: "downtrend",
    RegimeFamily.RANGING: "range",
    RegimeFamily.CHOPPY: "choppy_market",
    RegimeFamily.VOLATILE: "volatile_market",
}
