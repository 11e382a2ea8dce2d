"""The default policy: the numbers that `scan` uses. A test compares them with docs/reference/scanner.md."""

from __future__ import annotations

from hd_pipelines.signals.scanner.policy.scan_policy import (
    Adjustment,
    ByStyle,
    ConfidenceRules,
    ContractRules,
    EdgeRules,
    IvGateRules,
    Pace,
    PlanRules,
    RiskProfile,
    ScanPolicy,
    StyleRules,
    ThresholdRules,
    Thresholds,
    UniversalFilters,
    Validity,
    ZeroDteLimits,
)
from hd_pipelines.signals.scanner.policy.vocabulary import StyleCondition, TimeWindow, VixBand
from hd_pipelines.tables.vocabulary import AssetClass, Strategy, TradingStyle

_CONFIDENCE = ConfidenceRules(
    weights={
        "price": 20.0,
        "average_daily_volume": 12.0,
        "atr": 10.0,
        "vwap": 10.0,
        "rsi_14": 8.0,
        "rvol": 8.0,
        "ema_21": 6.0,
        "flow_bias": 6.0,
        "flow_score": 6.0,
        "mtf_trend_day": 4.0,
        "market_regime": 4.0,
        "vix_level": 3.0,
        "iv_percentile": 3.0,
    },
    less_for_critical=15.0,
    less_below_50=20.0,
    less_below_70=10.0,
    more_from_90=5.0,
    least=40.0,
)
"""The four smallest weights, 14 points together, complete the sum of 100."""

_STYLES = StyleRules(
    modifiers={
        StyleCondition.OPENING: ByStyle(1.35, 1.15, 0.75),
        StyleCondition.MID_MORNING: ByStyle(1.1, 1.15, 1.0),
        StyleCondition.LATE_MORNING: ByStyle(1.0, 1.1, 1.05),
        StyleCondition.LUNCH: ByStyle(0.55, 0.75, 1.0),
        StyleCondition.EARLY_AFTERNOON: ByStyle(0.85, 1.0, 1.05),
        StyleCondition.AFTERNOON: ByStyle(0.95, 1.1, 1.0),
        StyleCondition.POWER_HOUR: ByStyle(1.25, 1.2, 0.85),
        StyleCondition.ATR_VERY_HIGH: ByStyle(0.7, 1.05, 1.25),
        StyleCondition.ATR_HIGH: ByStyle(0.9, 1.1, 1.15),
        StyleCondition.ATR_LOW: ByStyle(1.1, 0.95, 0.8),
        StyleCondition.ATR_VERY_LOW: ByStyle(1.15, 0.85, 0.65),
        StyleCondition.VOLUME_HIGH: ByStyle(1.3, 1.15, 1.0),
        StyleCondition.VOLUME_LOW: ByStyle(0.8, 0.9, 0.98),
        StyleCondition.VOLUME_VERY_LOW: ByStyle(0.6, 0.75, 0.95),
        StyleCondition.NEAR_KEY_LEVEL: ByStyle(1.25, 1.15, 1.1),
        StyleCondition.RSI_EXTREME: ByStyle(0.85, 1.1, 1.25),
        StyleCondition.TRENDS_STRONGLY_ALIGNED: ByStyle(1.05, 1.15, 1.3),
        StyleCondition.TRENDS_ALIGNED: ByStyle(1.0, 1.05, 1.1),
        StyleCondition.TRENDS_OPPOSED: ByStyle(1.0, 0.8, 0.6),
        StyleCondition.REGIME_TRENDING: ByStyle(1.0, 1.15, 1.25),
        StyleCondition.REGIME_RANGING: ByStyle(1.1, 1.0, 0.85),
        StyleCondition.REGIME_CHOPPY: ByStyle(0.65, 0.75, 0.55),
        StyleCondition.REGIME_VOLATILE: ByStyle(0.85, 1.1, 1.2),
        StyleCondition.CLOSE_WITHIN_30_MINUTES: ByStyle(1.1, 0.6, 1.0),
        StyleCondition.CLOSE_WITHIN_60_MINUTES: ByStyle(1.0, 0.85, 1.0),
    },
    bounds={
        StyleCondition.ATR_VERY_HIGH: 2.5,
        StyleCondition.ATR_HIGH: 1.5,
        StyleCondition.ATR_LOW: 1.0,
        StyleCondition.ATR_VERY_LOW: 0.5,
        StyleCondition.VOLUME_HIGH: 1.5,
        StyleCondition.VOLUME_LOW: 0.75,
        StyleCondition.VOLUME_VERY_LOW: 0.5,
        StyleCondition.RSI_EXTREME: 30.0,
        StyleCondition.TRENDS_STRONGLY_ALIGNED: 80.0,
        StyleCondition.TRENDS_ALIGNED: 60.0,
        StyleCondition.TRENDS_OPPOSED: 40.0,
        StyleCondition.CLOSE_WITHIN_30_MINUTES: 30.0,
        StyleCondition.CLOSE_WITHIN_60_MINUTES: 60.0,
    },
    least=0.5,
    most=1.5,
)

_THRESHOLDS = ThresholdRules(
    default=Thresholds(70.0, 75.0, 1.5),
    by_asset_class={AssetClass.INDEX: Thresholds(75.0, 80.0, 1.8)},
    by_strategy={
        Strategy.GAMMA_SQUEEZE: Thresholds(75.0, 80.0, 1.8),
        Strategy.GAMMA_FLIP: Thresholds(80.0, 80.0, 2.0),
        Strategy.EOD_PIN: Thresholds(80.0, 80.0, 2.0),
    },
    windows={
        TimeWindow.OPENING: Adjustment(-5.0, -5.0, -0.3, 1.0),
        TimeWindow.MID_MORNING: Adjustment(2.0, 0.0, 0.0, 1.0),
        TimeWindow.LATE_MORNING: Adjustment(5.0, 3.0, 0.1, 0.9),
        TimeWindow.LUNCH: Adjustment(15.0, 13.0, 0.7, 0.6),
        TimeWindow.EARLY_AFTERNOON: Adjustment(2.0, 0.0, 0.0, 0.9),
        TimeWindow.AFTERNOON: Adjustment(0.0, -2.0, -0.1, 1.0),
        TimeWindow.POWER_HOUR: Adjustment(-2.0, -3.0, -0.2, 1.1),
        TimeWindow.WHOLE_SESSION: Adjustment(0.0, 0.0, 0.0, 1.0),
    },
    vix={
        VixBand.LOW: Adjustment(-5.0, -3.0, -0.2, 1.2),
        VixBand.MEDIUM: Adjustment(0.0, 0.0, 0.0, 1.0),
        VixBand.HIGH: Adjustment(5.0, 5.0, 0.3, 0.7),
        VixBand.EXTREME: Adjustment(15.0, 12.0, 0.7, 0.4),
    },
    vix_bounds=(15.0, 25.0, 35.0),
    highest_score=95.0,
    lowest_risk_reward=1.0,
)
"""Windows are differences from the default: 9:30-10 gives a stock thresholds of 65, 70 and 1.2."""

_PLAN = PlanRules(
    profiles={
        TradingStyle.SCALP: RiskProfile(0.75, 1.0, 1.5, 2.0, 1.5, 0.25, 2.0, 0.05),
        TradingStyle.DAY_TRADE: RiskProfile(1.0, 1.5, 2.5, 3.5, 1.8, 0.5, 3.5, 0.1),
        TradingStyle.SWING: RiskProfile(1.5, 2.0, 3.0, 4.0, 2.0, 1.0, 8.0, 0.15),
    },
    nearest_stop=0.75,
    farthest_stop=1.5,
    target_reach_r=(0.5, 0.75, 0.75),
    high_iv=0.75,
    buffer_in_high_iv=1.2,
    low_iv=0.25,
    buffer_in_low_iv=0.9,
)

_IV_GATE = IvGateRules(
    blocked_from=0.75,
    optimal_from=0.10,
    optimal_to=0.50,
    crush_below=-0.20,
    spike_above=0.30,
    readings=5,
    if_cheap=1.05,
    if_optimal=1.1,
    if_elevated=0.85,
    after_crush=1.1,
    after_spike=0.9,
    least=0.5,
    most=1.2,
)

_EDGE = EdgeRules(
    few=5,
    some=20,
    many=40,
    span_of_few=0.05,
    span_of_some=0.15,
    span_of_many=0.30,
    full_at_r=0.5,
    min_profit_factor=0.9,
    min_win_rate=0.45,
)

DEFAULT_POLICY = ScanPolicy(
    filters=UniversalFilters(min_relative_volume=0.8, min_average_daily_volume=100_000.0, max_price_age_minutes=5.0),
    confidence=_CONFIDENCE,
    styles=_STYLES,
    thresholds=_THRESHOLDS,
    plan=_PLAN,
    iv_gate=_IV_GATE,
    edge=_EDGE,
    pace=Pace(15, 2),
    pace_by_asset_class={AssetClass.INDEX: Pace(10, 3)},
    validity=Validity(30, 15, 3, ByStyle(10.0, 15.0, 0.0)),
    contracts=ContractRules(
        max_chain_age_minutes=390.0,
        zero_dte={
            "SPX": ZeroDteLimits((0.25, 0.65), 1000, 5000, 3.0, (1.0, 50.0)),
            "NDX": ZeroDteLimits((0.25, 0.65), 500, 2000, 5.0, (2.0, 100.0)),
        },
    ),
)
"""The policy `scan` uses unless it is given another one."""
