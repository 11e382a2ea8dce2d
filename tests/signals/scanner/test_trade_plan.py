"""Stops and targets: from ATR, moved by levels, always on their side."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hd_pipelines.signals.catalogue import LEVELS
from hd_pipelines.signals.scanner.planning.trade_plan import Plan, build_plan
from hd_pipelines.signals.scanner.policy.default_policy import DEFAULT_POLICY
from hd_pipelines.signals.scanner.rejections import Rejection
from hd_pipelines.tables.vocabulary import Direction, Resolution, TradingStyle
from tests.signals.scanner.setups import row

RULES = DEFAULT_POLICY.plan
LONG, SHORT = Direction.LONG, Direction.SHORT
SCALP, DAY_TRADE, SWING = TradingStyle


def plan(style=SCALP, direction=LONG, *, iv=0.5, levels=None, **changes):
    frame = row(levels=levels, **({"price": 200.0, "atr_5m": 1.0, "atr_15m": 2.0, "atr_1h": 4.0} | changes))
    return build_plan(frame, 0, direction=direction, style=style, iv_percentile=iv, rules=RULES)


def prices(found: Plan):
    return [float(price) for price in (found.entry_price, found.stop_price, *found.targets)]


@pytest.mark.parametrize(
    ("style", "direction", "expected"),
    [
        (SCALP, LONG, [200.0, 199.25, 201.0, 201.5, 202.0]),  # .75 / 1 / 1.5 / 2 ATR of 5 minutes
        (SCALP, SHORT, [200.0, 200.75, 199.0, 198.5, 198.0]),
        (DAY_TRADE, LONG, [200.0, 198.0, 203.0, 205.0, 207.0]),  # 1 / 1.5 / 2.5 / 3.5 of 15 minutes
        (SWING, LONG, [200.0, 194.0, 208.0, 212.0, 216.0]),  # 1.5 / 2 / 3 / 4 of hours
    ],
)
def test_without_levels_a_plan_is_its_profile(style, direction, expected):
    found = plan(style, direction)
    assert prices(found) == expected
    assert found.risk_reward == {SCALP: 2.0, DAY_TRADE: 2.5, SWING: 2.0}[style]
    assert found.levels == {}


def test_a_day_is_measured_in_its_own_atr():
    found = plan(SWING, resolution=Resolution.DAY, minute=390, atr_day_pct=2.0, atr_1h=float("nan"))
    assert found.atr_feature == "atr_day_pct"
    assert prices(found)[:2] == [200.0, 194.0]


@pytest.mark.parametrize(("style", "feature"), [(SCALP, "atr_5m"), (DAY_TRADE, "atr_15m"), (SWING, "atr_1h")])
@pytest.mark.parametrize("value", [float("nan"), 0.0, float("inf")])
def test_without_atr_there_is_no_plan(style, feature, value):
    assert plan(style, **{feature: value}) is Rejection.NO_ATR


def test_a_quiet_symbol_gets_the_least_stop_and_targets_in_proportion():
    found = plan(SCALP, atr_5m=0.2)  # .15 away; the least is 0.25 % of 200
    assert prices(found) == [200.0, 199.5, 200.67, 201.0, 201.33]
    assert found.risk_reward == 2.0


def test_a_stop_beyond_the_styles_most_is_refused_and_not_pulled_nearer():
    assert plan(SCALP, atr_5m=5.4) is Rejection.STOP_TOO_FAR  # 4.05 of 200, the most is 2 %
    assert isinstance(plan(SCALP, atr_5m=5.3), Plan)


def test_a_stop_hides_behind_the_nearest_level_with_a_buffer():
    found = plan(SCALP, levels={"vwap": 199.2, "pivot": 199.0, "prior_day_low": 198.0})
    assert found.stop_price == Decimal("199.15")  # .05 ATR beyond 199.20
    assert found.levels == {"stop": "vwap"}
    assert found.targets[1] == Decimal("201.70")  # still 2 R


def test_a_level_too_near_or_too_far_is_passed_over():
    assert plan(SCALP, levels={"vwap": 199.6}).levels == {}  # .45 away, three quarters of .75 is .5625
    assert plan(SCALP, levels={"vwap": 198.8}).levels == {}  # 1.25, the most is 1.125


def test_the_buffer_is_wider_where_options_are_expensive_and_narrower_where_cheap():
    level = {"vwap": 199.2}
    assert plan(SCALP, iv=0.75, levels=level).stop_price == Decimal("199.14")
    assert plan(SCALP, iv=0.10, levels=level).stop_price == Decimal("199.16")  # 199.155
    assert plan(SCALP, iv=None, levels=level).stop_price == Decimal("199.15")


def test_targets_move_to_levels_near_their_places():
    found = plan(SCALP, levels={"pivot_r1": 201.2, "prior_day_high": 201.6, "pivot_r2": 203.0})
    assert found.targets == (Decimal("201.20"), Decimal("201.60"), Decimal("202.00"))
    assert found.levels == {"target_1": "pivot_r1", "target_2": "prior_day_high"}
    assert found.risk_reward == 2.13


def test_a_wall_before_the_second_target_costs_reward():
    assert plan(SCALP, levels={"gamma_resistance": 201.05}).risk_reward == 2.0  # taken by the first target
    blocked = plan(SCALP, levels={"pivot_r1": 200.9, "gamma_resistance": 201.1})
    assert blocked.levels == {"target_1": "pivot_r1", "target_2": "gamma_resistance"}
    assert blocked.risk_reward == 1.47


def test_a_price_of_pennies_has_no_room():
    assert plan(SCALP, price=0.9, atr_5m=0.004) is Rejection.RISK_BELOW_A_CENT


def around(price):
    return st.dictionaries(st.sampled_from(LEVELS), st.floats(price * 0.9, price * 1.1), max_size=12)


@st.composite
def situations(draw):
    price = draw(st.floats(5, 5000))
    atr = price * draw(st.floats(0.0001, 0.05))
    return price, atr, draw(around(price)), draw(st.sampled_from(list(TradingStyle))), draw(st.floats(0, 1))


@given(situations(), st.sampled_from(list(Direction)))
def test_stop_and_targets_are_always_on_their_side_and_in_order(situation, direction):
    price, atr, levels, style, iv = situation
    found = plan(style, direction, iv=iv, price=price, atr_5m=atr, atr_15m=atr, atr_1h=atr, levels=levels)
    assume(isinstance(found, Plan))
    entry, sign, profile = found.entry_price, direction.sign, RULES.profiles[style]
    risk = (entry - found.stop_price) * sign
    first, second, third = ((target - entry) * sign for target in found.targets)
    assert risk > 0
    assert 0 < first <= second <= third
    cent = 0.011
    assert profile.min_stop_pct / 100 * price - cent <= float(risk) <= profile.max_stop_pct / 100 * price + cent
    assert float(second / risk) == pytest.approx(found.risk_reward, abs=0.006 + 4 * cent / float(risk))
    assert all(price == price.quantize(Decimal("0.01")) for price in (entry, found.stop_price, *found.targets))


@given(situations())
def test_a_short_plan_is_the_mirror_of_a_long_one(situation):
    price, atr, levels, style, iv = situation
    price = round(price, 2)
    atrs = dict.fromkeys(("atr_5m", "atr_15m", "atr_1h"), atr)
    mirrored = {name: 2 * price - level for name, level in levels.items()}
    long = plan(style, LONG, iv=iv, price=price, levels=levels, **atrs)
    short = plan(style, SHORT, iv=iv, price=price, levels=mirrored, **atrs)
    assume(isinstance(long, Plan) and isinstance(short, Plan))
    for ours, theirs in zip(prices(long), prices(short), strict=True):
        assert ours - price == pytest.approx(price - theirs, abs=0.011)
