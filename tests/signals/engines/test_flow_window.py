"""Windows of option prints: in trading time, exact, and equal for one instant and for a whole frame."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.signals.flow_window import FlowSummary, compute_flow_columns, summarize_prints
from hd_pipelines.signals.tape import Prints
from tests.signals.engines.made import BOUGHT_CALL, BOUGHT_PUT, MINUTE, NOW, SOLD_CALL, SOLD_PUT, ns, prints

MONDAY_OPEN, FRIDAY_OPEN = ns(2025, 3, 10, 9, 30), ns(2025, 3, 7, 9, 30)


def counted(*rows: dict, at: int = NOW, **options) -> FlowSummary:
    found = summarize_prints(prints(*rows), at, **options)
    assert found is not None
    return found


def test_without_a_recorded_print_there_is_no_summary():
    assert summarize_prints(None, NOW) is None
    assert all(np.isnan(values).all() for values in compute_flow_columns(None, np.array([NOW, NOW + MINUTE])).values())


def test_a_window_without_prints_counts_none_and_has_no_ratio():
    found = counted({}, at=ns(2025, 3, 20, 11, 0))
    assert (found.prints, found.premium, found.score, found.newest_at_ns) == (0, 0.0, 0.0, None)
    assert math.isnan(found.put_call_by_volume)
    assert math.isnan(found.institutional_score)
    assert math.isnan(found.aggressiveness)
    assert not found.is_enough


def test_four_trading_hours_of_a_monday_morning_reach_into_friday_afternoon():
    at = {"12:59": ns(2025, 3, 7, 12, 59), "13:01": ns(2025, 3, 7, 13, 1), "monday": MONDAY_OPEN + MINUTE}
    found = counted(*({"at_ns": instant} for instant in at.values()), at=ns(2025, 3, 10, 10, 30))
    assert found.prints == 2
    assert found.newest_at_ns == at["monday"]


def test_the_window_is_open_at_its_beginning_and_closed_at_its_end():
    begins, ends = ns(2025, 3, 12, 10, 0), ns(2025, 3, 12, 14, 0)
    rows = [{"at_ns": instant} for instant in (begins, begins + 1, ends, ends + 1)]
    assert counted(*rows, at=ends).prints == 2


def test_a_shorter_window_can_be_asked_for():
    rows = [{"at_ns": NOW - 70 * MINUTE}, {"at_ns": NOW - 50 * MINUTE}]
    assert counted(*rows, trading_hours=1.0).prints == 1
    assert counted(*rows).prints == 2


def test_a_sold_put_is_bullish_and_a_sold_call_bearish():
    found = counted(
        {**BOUGHT_CALL, "premium": 1e3, "size": 1.0},
        {**SOLD_CALL, "premium": 2e3, "size": 2.0},
        {**BOUGHT_PUT, "premium": 4e3, "size": 4.0},
        {**SOLD_PUT, "premium": 8e3, "size": 8.0},
        {"premium": 16e3, "size": 16.0, "is_call": False},
    )
    assert (found.calls, found.puts, found.call_premium, found.put_premium) == (3, 28, 3e3, 28e3)
    assert (found.bullish, found.bearish, found.bullish_premium, found.bearish_premium) == (9, 6, 9e3, 6e3)
    assert found.bought_premium == 5e3
    assert found.buy_pressure == 60.0
    assert found.known_pct == pytest.approx(100 * 15 / 31)
    assert found.put_call_by_volume == pytest.approx(28 / 3)
    assert found.bearish_bullish_by_volume == pytest.approx(6 / 9)


def test_a_ratio_without_one_of_its_sides_is_missing_and_not_zero():
    only_calls, only_puts = counted(BOUGHT_CALL), counted(BOUGHT_PUT)
    for found in (only_calls, only_puts):
        assert math.isnan(found.put_call_by_volume)
        assert math.isnan(found.put_call_by_premium)
        assert math.isnan(found.bearish_bullish_by_volume)
    assert (only_calls.bias, only_puts.bias) == (1.0, -1.0)


def test_prints_of_unknown_side_count_as_volume_and_never_as_a_direction():
    without = [{**BOUGHT_CALL, "premium": 30_000.0}, {**BOUGHT_PUT, "premium": 20_000.0}]
    unknown = [{"is_call": False, "premium": 1e6, "size": 900.0}] * 20
    found, sided = counted(*without, *unknown), counted(*without)
    assert found.buy_pressure == sided.buy_pressure == 60.0
    assert found.bearish_bullish_by_premium == sided.bearish_bullish_by_premium
    assert found.premium == sided.premium + 20e6
    assert math.isnan(counted(*unknown).bias)


def test_a_print_without_a_premium_is_a_print():
    found = counted({"premium": math.nan}, {"premium": 10.0})
    assert (found.prints, found.premium, found.mean_premium) == (2, 10.0, 5.0)


@pytest.mark.parametrize(
    ("sweeps", "blocks", "large", "score"),
    [(0, 0, 0, 10), (1, 0, 0, 25), (3, 0, 0, 50), (0, 2, 0, 30), (0, 5, 0, 40), (0, 0, 5, 25), (9, 9, 9, 100)],
)
def test_aggregate_scores_match_the_published_table(sweeps, blocks, large, score):
    rows = [{"is_sweep": True}] * sweeps + [{"is_block": True}] * blocks + [{"is_large": True}] * large + [{}]
    assert counted(*rows).score == score


@pytest.mark.parametrize(
    ("large", "sweeps", "blocks", "premium", "score"),
    [
        (0, 0, 0, 10_000, 0),
        (0, 0, 0, 10_001, 5),
        (0, 0, 0, 50_001, 15),
        (0, 0, 0, 100_001, 30),
        (3, 0, 0, 1_000, 30),
        (5, 0, 0, 1_000, 40),
        (0, 1, 0, 1_000, 10),
        (0, 5, 0, 1_000, 20),
        (0, 0, 4, 1_000, 10),
        (10, 10, 10, 200_000, 100),
    ],
)
def test_institutional_scores_match_the_published_table(large, sweeps, blocks, premium, score):
    """Of ten prints."""
    rows = [
        {"premium": float(premium), "is_large": n < large, "is_sweep": n < sweeps, "is_block": n < blocks}
        for n in range(10)
    ]
    assert counted(*rows).institutional_score == score


def test_aggressiveness_is_the_mean_of_swept_and_bought():
    rows = [{**BOUGHT_CALL, "is_sweep": True}] + [BOUGHT_PUT] * 2 + [SOLD_PUT]
    assert counted(*rows).aggressiveness == (25 + 75) / 2


@pytest.mark.parametrize(
    ("count", "premium", "is_enough"), [(10, 5_000, True), (9, 9_000, False), (10, 4_999.99, False)]
)
def test_ten_prints_and_fifty_thousand_dollars_are_the_least(count, premium, is_enough):
    table = prints(*[{**BOUGHT_CALL, "premium": premium}] * count)
    found = summarize_prints(table, NOW)
    assert found is not None
    assert found.is_enough is is_enough
    assert np.isnan(compute_flow_columns(table, np.array([NOW]))["flow_score"][0]) != is_enough


def test_rising_compares_the_last_trading_hour_with_the_one_before():
    recent = {"at_ns": NOW - 30 * MINUTE}
    friday = {"at_ns": ns(2025, 3, 11, 15, 45), "premium": 10_001.0}
    assert counted(recent).is_rising
    assert not counted(friday, recent).is_rising, "90 minutes from the open: the hour before reaches to 15:30"
    assert not counted(friday, recent, trading_hours=1.0).is_rising


times = st.integers(FRIDAY_OPEN, MONDAY_OPEN + 300 * MINUTE)
rows = st.builds(
    lambda at, cents, size, call, side, sweep, block, large: {
        "at_ns": at,
        "premium": cents / 100.0,
        "size": float(size),
        "is_call": call,
        "sentiment": float(side),
        "is_sweep": sweep,
        "is_block": block,
        "is_large": large,
    },
    times,
    st.integers(0, 3_000_000),
    st.integers(1, 900),
    st.booleans(),
    st.integers(-1, 1),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
tables = st.lists(rows, max_size=60).map(lambda several: prints(*sorted(several, key=lambda row: row["at_ns"])))


def expected_columns(found: FlowSummary) -> dict[str, float]:
    if not found.is_enough:
        return dict.fromkeys(compute_flow_columns(None, np.empty(0, np.int64)), math.nan)
    return {
        "flow_bias": found.bias,
        "flow_score": found.score,
        "flow_sweeps": found.sweeps,
        "flow_blocks": found.blocks,
        "flow_buy_pressure": found.buy_pressure,
        "flow_is_rising": found.is_rising,
    }


@given(tables, st.lists(times, min_size=1, max_size=8))
def test_the_columns_are_the_summary_at_each_instant(table: Prints, instants: list[int]):
    columns = compute_flow_columns(table, np.array(instants))
    for position, instant in enumerate(instants):
        found = summarize_prints(table, instant)
        assert found is not None
        for name, value in expected_columns(found).items():
            assert columns[name][position] == pytest.approx(float(value), rel=1e-12, nan_ok=True), name


@given(tables, times, st.lists(times, min_size=1, max_size=8))
def test_what_comes_later_changes_no_column(table: Prints, cut: int, instants: list[int]):
    known = np.array([instant for instant in instants if instant <= cut], np.int64)
    whole, cut_off = compute_flow_columns(table, known), compute_flow_columns(table.until(cut), known)
    for name, values in whole.items():
        np.testing.assert_array_equal(values, cut_off[name], err_msg=name)


@given(tables)
@settings(max_examples=50)
def test_turning_the_market_around_turns_the_lean_around(table: Prints):
    turned = Prints(
        **{**{name: getattr(table, name) for name in table.__dataclass_fields__}, "sentiment": -table.sentiment}
    )
    here, there = (
        summarize_prints(table, MONDAY_OPEN + 300 * MINUTE),
        summarize_prints(turned, MONDAY_OPEN + 300 * MINUTE),
    )
    assert here is not None
    assert there is not None
    assert (here.bullish, here.bearish_premium, here.score) == (there.bearish, there.bullish_premium, there.score)
    assert here.buy_pressure == pytest.approx(100 - there.buy_pressure, nan_ok=True)
