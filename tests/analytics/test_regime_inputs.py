"""Measures of the market from day bars: one axis of sessions, no look-ahead, no proxy under an index's name."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from hd_pipelines.analytics.regime.classification import classify_regimes
from hd_pipelines.analytics.regime.inputs import INPUTS, measure_inputs
from hd_pipelines.analytics.regime.put_call import VOLUMES
from hd_pipelines.analytics.regime.sectors import SECTOR_FUNDS
from hd_pipelines.market.sessions import list_last_sessions

LAST = date(2026, 11, 18)
SESSIONS = list_last_sessions(LAST, 260)


def bars(ticker, closes, volume=1e6, sessions=SESSIONS):
    return pl.DataFrame(
        {
            "ticker": ticker,
            "session": sessions,
            "open": closes,
            "high": np.asarray(closes) * 1.01,
            "low": np.asarray(closes) * 0.99,
            "close": closes,
            "volume": np.broadcast_to(volume, len(sessions)).astype(float),
        }
    )


def path(seed, level=100.0):
    return level * np.exp(np.random.default_rng(seed).normal(0.0003, 0.01, len(SESSIONS)).cumsum())


FUND_NAMES = ("SPY", "QQQ", "IWM", *SECTOR_FUNDS)
STOCKS = pl.concat(
    [bars(name, path(seed)) for seed, name in enumerate(FUND_NAMES)]
    + [bars(f"S{chr(65 + i // 26)}{chr(65 + i % 26)}", path(100 + i)) for i in range(60)]
)
INDICES = pl.concat(
    [
        bars("I:SPX", path(0, 6800.0)),
        bars("I:NDX", path(1, 25000.0)),
        bars("I:RUT", path(2, 2500.0)),
        bars("I:VIX", 15 + 3 * np.sin(np.arange(len(SESSIONS)) / 9)),
        bars("I:VIX3M", 18 + 2 * np.sin(np.arange(len(SESSIONS)) / 9)),
    ]
)
OPTIONS = pl.DataFrame({"session": SESSIONS, **dict.fromkeys(list(VOLUMES)[1:], 5000.0)}, schema=VOLUMES)


def last(frame):
    return frame.row(-1, named=True)


@pytest.fixture(scope="module")
def measured():
    return measure_inputs(STOCKS, INDICES, OPTIONS)


def test_a_year_of_bars_measures_everything(measured):
    row = last(measured)
    unmeasured = {name for name, value in row.items() if value is None}
    # futures and TICK are not in the vendor's files; nothing to explain; no stock need stand at a low
    assert unmeasured - {"high_low_ratio"} == {
        "vix_front_month", "vix_back_month", "tick_index", "put_call_reason",
    }  # fmt: skip
    assert measured.height == len(SESSIONS)
    assert dict(measured.schema) == INPUTS
    assert row["put_call_ratio_total"] == 1.0


def test_trend_axes_are_those_of_the_index(measured):
    closes, vix = path(0), 15 + 3 * np.sin(np.arange(len(SESSIONS)) / 9)
    row = last(measured)
    assert row["return_20d"] == pytest.approx(closes[-1] / closes[-21] - 1)
    assert row["return_20d_before"] == pytest.approx(closes[-2] / closes[-22] - 1)
    assert row["distance_50d"] == pytest.approx(closes[-1] / closes[-50:].mean() - 1)
    assert row["distance_200d"] == pytest.approx(closes[-1] / closes[-200:].mean() - 1)
    assert row["beyond_high_20d"] == pytest.approx(closes[-1] / closes[-21:-1].max() - 1)
    assert row["beyond_low_20d"] == pytest.approx(closes[-1] / closes[-21:-1].min() - 1)
    assert row["move_sigmas"] == pytest.approx((closes[-1] / closes[-2] - 1) / (vix[-2] / 100 / np.sqrt(252)))
    assert row["trend_sigmas"] == pytest.approx(row["return_20d"] / (vix[-21] / 100 * np.sqrt(20 / 252)))


@pytest.mark.parametrize("cut", [30, 120, 230])
def test_cutting_the_data_off_leaves_every_earlier_row_as_it_is(measured, cut):
    until = pl.col("session") <= SESSIONS[cut]
    earlier = measure_inputs(STOCKS.filter(until), INDICES.filter(until), OPTIONS.filter(until))
    assert earlier.equals(measured.head(cut + 1))
    assert classify_regimes(earlier).equals(classify_regimes(measured).head(cut + 1))


def test_a_session_that_is_missing_is_a_row_without_answers():
    hole = SESSIONS[-2]
    row = measure_inputs(STOCKS.filter(pl.col("session") != hole), INDICES.filter(pl.col("session") != hole), OPTIONS)
    missing, after = row.row(-2, named=True), last(row)
    assert (missing["date"], missing["vix_level"], missing["spy_close"]) == (hole, None, None)
    assert (after["vix_change"], after["spy_change_pct"], after["move_sigmas"], after["advancers"]) == (None,) * 4
    assert after["distance_200d"] is not None  # an average bears a hole
    assert after["return_20d"] is not None


def test_rows_of_closed_days_are_left_out():
    holiday = date(2026, 9, 7)  # Labor Day, on which VIX histories have rows
    on_holiday = INDICES.filter(pl.col("session") == SESSIONS[0]).with_columns(session=pl.lit(holiday), close=99.0)
    assert measure_inputs(STOCKS, pl.concat([INDICES, on_holiday]), OPTIONS).equals(
        measure_inputs(STOCKS, INDICES, OPTIONS)
    )


def test_a_fund_replaces_an_index_only_under_its_own_name():
    without = INDICES.filter(~pl.col("ticker").is_in(["I:NDX", "I:SPX"]))
    row = last(measure_inputs(STOCKS, without, OPTIONS))
    assert (row["ndx_close"], row["ndx_change_pct"]) == (None, None)
    assert row["spy_ndx_correlation"] is not None
    assert row["correlation_source"] == "QQQ for NDX, RUT"
    assert row["return_20d"] is not None  # SPY's


def test_a_split_of_spy_moves_its_price_and_nothing_else(measured):
    split = 250
    closes, volume = path(0), np.full(len(SESSIONS), 1e6)
    closes[split:] /= 4
    volume[split:] *= 4
    stocks = pl.concat([STOCKS.filter(pl.col("ticker") != "SPY"), bars("SPY", closes, volume)])
    row = measure_inputs(stocks, INDICES, OPTIONS).row(split, named=True)
    whole = measured.row(split, named=True)
    assert row["spy_close"] == pytest.approx(whole["spy_close"] / 4)
    for name in ("spy_change_pct", "spy_volume_ratio", "spy_ndx_correlation", "return_20d"):
        assert row[name] == pytest.approx(whole[name])
    assert row["leading_sector"] == whole["leading_sector"]


def test_what_is_not_given_is_null_with_a_reason():
    row = last(measure_inputs(STOCKS.clear(), INDICES))
    assert (row["advancers"], row["breadth_reason"]) == (None, "no day bars of stocks")
    assert (row["put_call_ratio_total"], row["put_call_reason"]) == (None, "no option day bars")
    assert (row["spy_close"], row["leading_sector"]) == (None, None)
    assert row["return_20d"] is not None  # the index is there


def test_a_session_without_option_bars_is_reported():
    row = last(measure_inputs(STOCKS, INDICES, OPTIONS.head(10)))
    assert (row["put_call_ratio_total"], row["put_call_reason"]) == (None, "no option day bars")


def test_no_bars_give_no_rows():
    assert dict(measure_inputs(STOCKS.clear(), INDICES.clear()).schema) == INPUTS


def test_the_axis_runs_from_the_first_session_to_the_last():
    few = INDICES.filter(pl.col("session").is_in([SESSIONS[0], SESSIONS[4]]))
    assert measure_inputs(STOCKS.clear(), few)["date"].to_list() == SESSIONS[:5]
