"""The default policy's numbers, that each can be varied, and that every change gives a new version."""

from dataclasses import fields, is_dataclass, replace

import pytest

from hd_pipelines.signals.detectors.detector import UnknownParameterError
from hd_pipelines.signals.engines.permissions import Policy
from hd_pipelines.signals.scanner.policy.default_policy import DEFAULT_POLICY
from hd_pipelines.signals.scanner.policy.vocabulary import StyleCondition, TimeWindow, VixBand
from hd_pipelines.tables.vocabulary import AssetClass, Strategy, TradingStyle, VixRegime

RULES = DEFAULT_POLICY.thresholds


@pytest.mark.parametrize(
    ("window", "published"),
    [
        # windows: 9:30-10, 10-11, 11-11:30, 11:30-13:30, 13:30-14:30, 14:30-15, 15-16
        (TimeWindow.OPENING, (65, 70, 1.2, 1.0)),
        (TimeWindow.MID_MORNING, (72, 75, 1.5, 1.0)),
        (TimeWindow.LATE_MORNING, (75, 78, 1.6, 0.9)),
        (TimeWindow.LUNCH, (85, 88, 2.2, 0.6)),
        (TimeWindow.EARLY_AFTERNOON, (72, 75, 1.5, 0.9)),
        (TimeWindow.AFTERNOON, (70, 73, 1.4, 1.0)),
        (TimeWindow.POWER_HOUR, (68, 72, 1.3, 1.1)),
        (TimeWindow.WHOLE_SESSION, (70, 75, 1.5, 1.0)),
    ],
)
def test_default_and_window_together_are_the_published_thresholds_of_the_window(window, published):
    added = RULES.windows[window]
    assert (
        RULES.default.base + added.base,
        RULES.default.style + added.style,
        pytest.approx(RULES.default.risk_reward + added.risk_reward),
        added.size,
    ) == published


def test_the_vix_adds_what_is_published():
    actual = {band: (a.base, a.style, a.risk_reward, a.size) for band, a in RULES.vix.items()}
    assert actual == {
        VixBand.LOW: (-5, -3, -0.2, 1.2),
        VixBand.MEDIUM: (0, 0, 0, 1),
        VixBand.HIGH: (5, 5, 0.3, 0.7),
        VixBand.EXTREME: (15, 12, 0.7, 0.4),
    }
    assert RULES.vix_bounds == (15, 25, 35)


def test_classes_and_strategies_start_where_it_is_published():
    def actual(each):
        return each.base, each.style, each.risk_reward

    assert actual(RULES.default) == (70, 75, 1.5)
    assert actual(RULES.by_asset_class[AssetClass.INDEX]) == (75, 80, 1.8)
    assert actual(RULES.by_strategy[Strategy.GAMMA_SQUEEZE])[:2] == (75, 80)
    for strategy in (Strategy.GAMMA_FLIP, Strategy.EOD_PIN):
        assert (RULES.by_strategy[strategy].base, RULES.by_strategy[strategy].risk_reward) == (80, 2.0)


@pytest.mark.parametrize(
    ("style", "published"),
    [
        (TradingStyle.SCALP, (0.75, 1, 1.5, 2, 1.5, 0.25, 2.0, 0.05)),
        (TradingStyle.DAY_TRADE, (1.0, 1.5, 2.5, 3.5, 1.8, 0.5, 3.5, 0.1)),
        (TradingStyle.SWING, (1.5, 2, 3, 4, 2.0, 1, 8, 0.15)),
    ],
)
def test_risk_profiles_are_the_published_ones(style, published):
    profile = DEFAULT_POLICY.plan.profiles[style]
    assert tuple(getattr(profile, field.name) for field in fields(profile)) == published


@pytest.mark.parametrize(
    ("condition", "published"),
    [
        ("opening", (1.35, 1.15, 0.75)),
        ("mid_morning", (1.1, 1.15, 1)),
        ("late_morning", (1, 1.1, 1.05)),
        ("lunch", (0.55, 0.75, 1)),
        ("early_afternoon", (0.85, 1, 1.05)),
        ("afternoon", (0.95, 1.1, 1)),
        ("power_hour", (1.25, 1.2, 0.85)),
        ("atr_very_high", (0.7, 1.05, 1.25)),
        ("atr_high", (0.9, 1.1, 1.15)),
        ("atr_very_low", (1.15, 0.85, 0.65)),
        ("atr_low", (1.1, 0.95, 0.8)),
        ("volume_high", (1.3, 1.15, 1)),
        ("volume_low", (0.8, 0.9, 0.98)),
        ("volume_very_low", (0.6, 0.75, 0.95)),
        ("near_key_level", (1.25, 1.15, 1.1)),
        ("rsi_extreme", (0.85, 1.1, 1.25)),
        ("trends_strongly_aligned", (1.05, 1.15, 1.3)),
        ("trends_aligned", (1, 1.05, 1.1)),
        ("trends_opposed", (1, 0.8, 0.6)),
        ("regime_trending", (1, 1.15, 1.25)),
        ("regime_ranging", (1.1, 1, 0.85)),
        ("regime_choppy", (0.65, 0.75, 0.55)),
        ("regime_volatile", (0.85, 1.1, 1.2)),
        ("close_within_30_minutes", (1.1, 0.6, 1)),
        ("close_within_60_minutes", (1, 0.85, 1)),
    ],
)
def test_style_modifiers_are_the_published_ones(condition, published):
    modifiers = DEFAULT_POLICY.styles.modifiers[StyleCondition(condition)]
    assert (modifiers.scalp, modifiers.day_trade, modifiers.swing) == published


def test_every_condition_has_modifiers_and_they_count_from_one_half_to_one_and_a_half():
    assert set(DEFAULT_POLICY.styles.modifiers) == set(StyleCondition)
    assert (DEFAULT_POLICY.styles.least, DEFAULT_POLICY.styles.most) == (0.5, 1.5)


def test_filters_pace_gate_and_confidence_are_the_published_ones():
    policy = DEFAULT_POLICY
    assert (policy.filters.min_relative_volume, policy.filters.min_average_daily_volume) == (0.8, 100_000)
    assert (policy.pace.cool_down_minutes, policy.pace.per_hour) == (15, 2)
    index = policy.get_pace(AssetClass.INDEX)
    assert (index.cool_down_minutes, index.per_hour) == (10, 3)
    assert policy.get_pace(AssetClass.STOCK) is policy.pace
    gate = policy.iv_gate
    assert (gate.blocked_from, gate.crush_below, gate.spike_above, gate.readings) == (0.75, -0.2, 0.3, 5)
    weights = policy.confidence.weights
    assert sum(weights.values()) == 100
    published = {"price": 20, "average_daily_volume": 12, "atr": 10, "vwap": 10, "rsi_14": 8, "rvol": 8, "ema_21": 6}
    assert published.items() <= weights.items()
    assert weights["flow_bias"] == weights["flow_score"] == 6
    edge = policy.edge
    assert (edge.few, edge.some, edge.many) == (5, 20, 40)
    assert (edge.span_of_few, edge.span_of_some, edge.span_of_many) == (0.05, 0.15, 0.3)
    assert (edge.min_profit_factor, edge.min_win_rate) == (0.9, 0.45)


def test_options_that_expire_today_have_the_published_limits():
    limits = DEFAULT_POLICY.contracts.zero_dte
    spx, ndx = limits["SPX"], limits["NDX"]
    assert (spx.delta, spx.min_volume, spx.min_open_interest, spx.max_spread_pct, spx.price) == (
        (0.25, 0.65),
        1000,
        5000,
        3,
        (1, 50),
    )
    assert (ndx.min_volume, ndx.min_open_interest, ndx.max_spread_pct, ndx.price) == (500, 2000, 5, (2, 100))


def test_every_number_can_be_varied_and_each_change_gives_its_own_version():
    versions = {DEFAULT_POLICY.policy_version}
    for name, number in DEFAULT_POLICY.parameters().items():
        other = DEFAULT_POLICY.vary({name: number + 1})
        assert other.parameters() == DEFAULT_POLICY.parameters() | {name: number + 1}
        versions.add(other.policy_version)
    assert len(versions) == len(DEFAULT_POLICY.parameters()) + 1


def test_other_permissions_are_another_version_too():
    looser = replace(DEFAULT_POLICY, permissions=Policy(at_vix={VixRegime.EXTREME: frozenset({Strategy.EOD_PIN})}))
    assert looser.policy_version != DEFAULT_POLICY.policy_version
    assert replace(DEFAULT_POLICY, permissions=Policy()).policy_version == DEFAULT_POLICY.policy_version
    assert replace(DEFAULT_POLICY, version=2).policy_version != DEFAULT_POLICY.policy_version


def test_the_version_is_the_same_tomorrow():
    assert DEFAULT_POLICY.vary({}).policy_version == DEFAULT_POLICY.policy_version
    assert len(DEFAULT_POLICY.policy_version) == 12


def test_an_unknown_parameter_is_refused_by_name():
    with pytest.raises(UnknownParameterError, match=r"thresholds\.defualt\.base"):
        DEFAULT_POLICY.vary({"thresholds.defualt.base": 71.0})


def test_a_number_that_may_have_a_fraction_keeps_it():
    def numbers(value):
        for field in fields(value):
            child = getattr(value, field.name)
            if is_dataclass(child):
                yield from numbers(child)
            elif field.type == "float":
                yield field.name, child

    parts = [
        getattr(DEFAULT_POLICY, f.name) for f in fields(DEFAULT_POLICY) if f.name not in {"permissions", "version"}
    ]
    found = [pair for part in parts if is_dataclass(part) for pair in numbers(part)]
    assert [name for name, number in found if not isinstance(number, float)] == []
    tables = (RULES.windows, RULES.vix, RULES.by_strategy, RULES.by_asset_class, DEFAULT_POLICY.plan.profiles)
    inside = [pair for table in tables for row in table.values() for pair in numbers(row)]
    assert [name for name, number in inside if not isinstance(number, float)] == []
    assert DEFAULT_POLICY.vary({"thresholds.default.base": 71.5}).thresholds.default.base == 71.5
