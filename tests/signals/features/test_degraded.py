"""Bad input gives fewer values and a label, never an exception and never an invented number."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions
from hd_pipelines.signals.catalogue import FEATURES, LEVELS
from hd_pipelines.signals.features import build_day_frame, build_frames, build_session_frame, evaluate
from hd_pipelines.signals.tape import Bars, Contexts, SymbolTape, empty_bars, to_day_number
from hd_pipelines.tables.vocabulary import AssetClass
from tests.signals.features.tapes import MINUTE, TODAY, bars, contexts, long_tape, resampled, tape_of, walk

HALF_DAY = date(2023, 11, 24)
SATURDAY_NS = get_regular_hours(TODAY).opens_at_ns + 2 * 86_400_000_000_000
NO_CONTEXT = ("no_regime", "no_vix", "no_iv_percentile", "no_chain", "no_flow")
EMPTY = SymbolTape("NONE", AssetClass.STOCK, empty_bars(), empty_bars(), empty_bars())


def list_known(frame, row=-1):
    """Features that have a value in a row."""
    return {name for name in FEATURES if not np.isnan(frame[name][row])}


def test_a_frame_has_exactly_the_catalogues_columns_and_nothing_infinite():
    tape = long_tape()
    frame = build_session_frame(replace(tape, contexts=contexts(walk(list_last_sessions(TODAY, 2)), seed=3)), TODAY)
    assert list(frame.columns) == list(FEATURES)
    assert list(frame.levels) == list(LEVELS)
    assert {values.dtype for values in frame.columns.values()} == {np.dtype(float)}
    assert not any(np.isinf(values).any() for values in frame.columns.values())
    assert frame.labels == ()
    assert list_known(frame) == set(FEATURES) - {"regime_family", "market_regime", "vix_regime"} | list_known(frame)


def test_a_symbol_with_all_its_history_lacks_only_the_context_that_is_missing():
    frame = build_session_frame(long_tape(), TODAY)
    assert frame.labels == NO_CONTEXT
    context = [name for name in FEATURES if np.isnan(frame[name]).all()]
    assert context == [name for name in FEATURES if name not in list_known(frame)]
    assert {"vix_level", "iv_percentile", "chain_age_minutes", "flow_bias", "zero_gamma_crossed"} < set(context)
    assert "rsi_14" not in context


@pytest.mark.parametrize(
    ("tape", "as_of_ns", "label"),
    [
        (EMPTY, get_regular_hours(TODAY).opens_at_ns + 60 * MINUTE, "no_bars_today"),
        (EMPTY, SATURDAY_NS, "no_session"),
        (EMPTY, get_regular_hours(TODAY).opens_at_ns + MINUTE - 1, "before_open"),
        (EMPTY, 0, "no_session"),
        (EMPTY, 4_000_000_000_000_000_000, "before_open"),  # a Tuesday of 2096, beyond the calendar's snapshot
    ],
)
def test_an_instant_without_data_gives_no_row_and_a_reason(tape, as_of_ns, label):
    frame = evaluate(tape, as_of_ns)
    assert (len(frame), frame.labels) == (0, (label,))
    assert list(frame.columns) == list(FEATURES)


def test_a_symbol_with_history_and_no_bars_today_has_no_rows():
    tape = long_tape()
    yesterday = list_last_sessions(TODAY, 2)[0]
    tape = replace(tape, minutes=tape.minutes.before(TODAY))
    assert build_session_frame(tape, TODAY).labels == ("no_bars_today",)
    assert len(build_session_frame(tape, TODAY)) == 0
    both = build_frames(tape, [yesterday, TODAY])
    assert len(both) == 390
    assert both.labels == ("no_bars_today", *NO_CONTEXT)


def test_a_day_without_a_session_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="2024-03-16 is not an exchange session"):
        build_session_frame(EMPTY, date(2024, 3, 16))
    with pytest.raises(ValueError, match="must ascend"):
        build_frames(EMPTY, [TODAY, TODAY])


def test_the_first_minute_of_a_new_listing_has_a_price_and_labels_for_what_is_missing():
    tape = tape_of(walk([TODAY]))
    frame = evaluate(tape, get_regular_hours(TODAY).opens_at_ns + MINUTE)
    assert list_known(frame) == {
        "minutes_from_open",
        "minutes_to_close",
        "price_age_minutes",
        "price",
        "day_open",
        "day_high",
        "day_low",
        "change_from_open_pct",
        "day_range_position",
        "above_day_low_pct",
        "below_day_high_pct",
        "is_proxy_volume",
        "vwap",
        "vwap_distance_pct",
        "distance_to_support_pct" if frame["price"][0] >= frame["vwap"][0] else "distance_to_resistance_pct",
    }
    assert {"bars_of_0_sessions", "rvol_of_0_sessions", "no_prior_day", "no_5m_indicators"} < set(frame.labels)


def test_a_listing_of_three_sessions_has_indicators_but_no_usual_volume():
    tape = tape_of(walk(list_last_sessions(TODAY, 4)))
    frame = build_session_frame(tape, TODAY)
    assert {"bars_of_3_sessions", "rvol_of_3_sessions", "no_rvol", "no_average_volume", "no_day_atr"} < set(
        frame.labels
    )
    assert "no_ema_200" not in frame.labels  # 234 bars
    assert np.isnan(frame["rvol"]).all()
    assert frame["rvol_sessions"][100] == 3
    assert not np.isnan(frame["rsi_1h"]).any()
    assert not np.isnan(frame["gap_pct"]).any()
    assert not np.isnan(frame["mtf_trend_1h"]).any()  # 21 hours
    assert not np.isnan(frame["mtf_trend_15m"]).any()


def test_indicators_begin_with_the_bars_they_need():
    frame = build_session_frame(tape_of(walk([TODAY])), TODAY)
    first = {name: int(np.argmin(np.isnan(frame[name]))) + 1 for name in ("ema_9", "rsi_14", "atr_5m", "adx_14")}
    assert first == {"ema_9": 45, "rsi_14": 75, "atr_5m": 75, "adx_14": 140}
    assert np.isnan(frame["ema_200"]).all()
    assert "no_ema_200" in frame.labels


def test_a_half_day_ends_at_its_own_close():
    frame = build_session_frame(tape_of(walk(list_last_sessions(HALF_DAY, 22))), HALF_DAY)
    assert len(frame) == 210
    assert frame["minutes_to_close"][[0, -1]].tolist() == [209, 0]
    assert frame.as_of(209) == get_regular_hours(HALF_DAY).closes_at
    assert not np.isnan(frame["rvol"][4:]).any()


def test_afternoons_are_compared_with_sessions_that_had_one():
    after = date(2023, 11, 27)
    frame = build_session_frame(tape_of(walk(list_last_sessions(after, 22))), after)
    assert frame["rvol_sessions"][[9, 208, 209, 214, 389]].tolist() == [20, 20, 20, 19, 19]
    assert "rvol_of_19_sessions" not in frame.labels


def test_a_halted_symbol_keeps_its_last_price_with_its_age():
    tape = long_tape()
    opens_ns = get_regular_hours(TODAY).opens_at_ns
    halted = tape.minutes.starts_ns >= opens_ns + 100 * MINUTE
    resumed = tape.minutes.starts_ns >= opens_ns + 160 * MINUTE
    keep = np.flatnonzero(~halted | resumed)
    tape = replace(tape, minutes=tape.minutes.select(keep))
    frame = build_session_frame(tape, TODAY)
    assert len(frame) == 390
    assert frame["price_age_minutes"][[99, 100, 159, 160]].tolist() == [0, 1, 60, 0]
    assert len(set(frame["price"][99:160])) == 1
    assert len(set(frame["rsi_14"][104:160])) == 1  # no bar was made, so no indicator moved
    during = evaluate(tape.until(opens_ns + 100 * MINUTE), opens_ns + 130 * MINUTE)
    assert "no_trade_for_15_minutes" in during.labels
    assert during["price_age_minutes"].tolist() == [30]
    rows_then = build_session_frame(tape, TODAY, opens_ns + 130 * MINUTE + 1)
    assert len(rows_then) == 130  # a scan at that minute sees the minutes that a later scan will see
    assert build_session_frame(tape, TODAY, opens_ns).labels == ("before_open",)
    assert frame["rvol"][155] < frame["rvol"][99]  # nothing traded while others' volume went on


def test_a_symbol_that_never_moves_is_neither_oversold_nor_trending():
    minutes = walk(list_last_sessions(TODAY, 22))
    minutes[["open", "high", "low", "close"]] = 50.0
    frame = build_session_frame(tape_of(minutes), TODAY)
    undefined = ("rsi_14", "adx_14", "atr_5m", "bollinger_position", "day_range_position", "ema_21_distance_atr")
    for name in (*undefined, "mtf_trend_day", "mtf_trend_15m", "bullish_divergence"):
        assert np.isnan(frame[name]).all(), name
    assert frame["vwap"].tolist() == [50.0] * 390
    assert set(frame["is_patience_candle"][9:]) == {0.0}


def test_nothing_but_falls_is_an_rsi_of_zero():
    minutes = walk(list_last_sessions(TODAY, 3))
    price = np.linspace(100, 50, len(minutes))
    minutes = minutes.assign(open=price, close=price - 0.01, high=price, low=price - 0.01)
    assert build_session_frame(tape_of(minutes), TODAY)["rsi_14"].tolist() == pytest.approx([0.0] * 390)


def test_zero_volume_has_no_vwap_and_no_ratio_to_nothing():
    minutes = walk(list_last_sessions(TODAY, 22))
    today = minutes["session"] == to_day_number(TODAY)
    quiet_today = build_session_frame(tape_of(minutes.assign(volume=minutes["volume"].where(~today, 0.0))), TODAY)
    assert np.isnan(quiet_today["vwap"]).all()
    assert quiet_today["rvol"][4:].tolist() == [0.0] * 386
    assert "no_vwap" in quiet_today.labels
    quiet_before = build_session_frame(tape_of(minutes.assign(volume=minutes["volume"].where(today, 0.0))), TODAY)
    assert np.isnan(quiet_before["rvol"]).all()
    assert {"no_rvol"} < set(quiet_before.labels)
    assert not np.isnan(quiet_before["vwap"]).any()


def test_volume_that_is_unknown_is_not_zero():
    minutes = walk(list_last_sessions(TODAY, 22)).assign(volume=np.nan)
    frame = build_session_frame(tape_of(minutes), TODAY)
    assert all(np.isnan(frame[name]).all() for name in ("rvol", "vwap", "average_daily_volume"))
    assert {"rvol_of_0_sessions", "no_rvol", "no_vwap", "no_average_volume"} < set(frame.labels)


def test_bars_that_end_after_the_instant_are_not_looked_at():
    tape = long_tape()
    as_of_ns = get_regular_hours(TODAY).opens_at_ns + 100 * MINUTE
    minutes = tape.minutes
    skewed = minutes.ends_ns.copy()
    skewed[minutes.ends_ns == as_of_ns] += 2_000_000_000  # stamped by a clock two seconds ahead
    frame = evaluate(replace(tape, minutes=replace(minutes, ends_ns=skewed)), as_of_ns)
    assert frame["price"] == build_session_frame(tape, TODAY)["price"][98]
    assert frame["price_age_minutes"] == 1


def test_bars_that_contradict_themselves_or_lie_outside_the_session_are_left_out_and_said():
    minutes = walk(list_last_sessions(TODAY, 22))
    today = minutes[minutes["session"] == to_day_number(TODAY)].reset_index(drop=True)
    bad = today.copy()
    bad.loc[10, "high"] = 1e9
    bad.loc[10, "low"] = -1.0
    bad.loc[20, "close"] = np.nan
    bad.loc[30, "high"] = bad.loc[30, "low"] / 2
    early = today.head(5).assign(starts_ns=today["starts_ns"] - 60 * MINUTE, ends_ns=today["ends_ns"] - 60 * MINUTE)
    tape = tape_of(minutes)
    good = replace(tape, minutes=bars(today.drop(index=[10, 20, 30])))
    worse = replace(tape, minutes=bars(pd.concat([early, bad])))
    one, other = build_session_frame(good, TODAY), build_session_frame(worse, TODAY)
    assert other.labels == ("bars_left_out", *one.labels)
    assert all(np.array_equal(one[name], other[name], equal_nan=True) for name in FEATURES)


def test_days_of_another_adjustment_than_minutes_are_not_used():
    tape = long_tape()
    split = {name: getattr(tape.days, name) / 4 for name in ("open", "high", "low", "close")}
    frame = build_session_frame(replace(tape, days=replace(tape.days, **split)), TODAY)
    assert {"days_contradict_minutes", "no_prior_day", "no_day_atr", "no_day_trend"} < set(frame.labels)
    assert np.isnan(frame["gap_pct"]).all()
    assert np.isnan(frame.levels["pivot"]).all()
    assert not np.isnan(frame["rsi_14"]).any()


def test_a_prior_day_that_is_missing_is_not_replaced_by_an_older_one():
    tape = long_tape()
    kept = np.flatnonzero(tape.days.session != to_day_number(list_last_sessions(TODAY, 2)[0]))
    frame = build_session_frame(replace(tape, days=tape.days.select(kept)), TODAY)
    assert "no_prior_day" in frame.labels
    assert np.isnan(frame.levels["prior_day_close"]).all()
    assert np.isnan(frame["gap_pct"]).all()
    assert not np.isnan(frame.levels["prior_week_close"]).any()
    assert not np.isnan(frame["atr_day_pct"]).any()


def index_and_fund() -> tuple[SymbolTape, SymbolTape]:
    sessions = list_last_sessions(TODAY, 22)
    index = walk(sessions, seed=1, start=5_000.0).assign(volume=np.nan)
    fund = tape_of(walk(sessions, seed=2), symbol="SPY", asset_class=AssetClass.EQUITY_ETF)
    return tape_of(index, symbol="SPX", asset_class=AssetClass.INDEX), fund


def test_an_index_without_its_fund_has_no_volume():
    index, _ = index_and_fund()
    frame = build_session_frame(index, TODAY)
    names = ("rvol", "rvol_sessions", "vwap", "vwap_distance_pct", "is_proxy_volume", "average_daily_volume")
    assert all(np.isnan(frame[name]).all() for name in names)
    assert {"no_volume", "no_vwap", "no_rvol"} < set(frame.labels)
    assert not np.isnan(frame["rsi_14"]).any()


def test_an_index_borrows_its_funds_volume_with_a_label():
    index, fund = index_and_fund()
    frame, of_fund = build_session_frame(replace(index, proxy=fund), TODAY), build_session_frame(fund, TODAY)
    assert frame.labels[0] == "volume_of_SPY"
    assert of_fund.labels == frame.labels[1:]
    assert set(frame["is_proxy_volume"]) == {1.0}
    assert set(of_fund["is_proxy_volume"]) == {0.0}
    for name in ("rvol", "rvol_sessions", "average_daily_volume"):
        assert np.array_equal(frame[name], of_fund[name], equal_nan=True)
    minutes, shares = index.minutes.of_session(TODAY), fund.minutes.of_session(TODAY).volume
    typical = (minutes.high + minutes.low + minutes.close) / 3
    assert frame["vwap"] == pytest.approx(np.cumsum(typical * shares) / np.cumsum(shares), rel=1e-12)
    assert (frame["vwap"] > 1_000).all()


def test_a_fund_that_stops_trading_stops_the_indexs_vwap_and_not_its_price():
    index, fund = index_and_fund()
    opens_ns = get_regular_hours(TODAY).opens_at_ns
    stopped = replace(fund, minutes=fund.minutes.until(opens_ns + 50 * MINUTE))
    frame = build_session_frame(replace(index, proxy=stopped), TODAY)
    assert len(set(frame["vwap"][50:])) == 1
    assert len(set(frame["price"][50:])) > 50
    gone = build_session_frame(replace(index, proxy=replace(fund, minutes=empty_bars())), TODAY)
    assert {"volume_of_SPY", "no_vwap", "no_rvol"} < set(gone.labels)


def test_bars_of_days_the_exchange_was_closed_do_not_count():
    tape = long_tape()
    sunday = np.array([to_day_number(date(2024, 3, 10))])
    days = tape.days
    at = int(np.searchsorted(days.session, sunday[0]))
    odd = Bars(
        *(np.insert(getattr(days, name), at, getattr(days, name)[at - 1] * 1) for name in days.__dataclass_fields__)
    )
    odd.session[at] = sunday[0]
    one, other = build_session_frame(tape, TODAY), build_session_frame(replace(tape, days=odd), TODAY)
    assert all(np.array_equal(one[name], other[name], equal_nan=True) for name in FEATURES if "volume" not in name)


def test_missing_context_is_named_one_by_one():
    tape = long_tape()
    whole = contexts(walk(list_last_sessions(TODAY, 2)), seed=3)
    for part, labels in {
        "regime": {"no_regime", "no_vix"},
        "iv": {"no_iv_percentile"},
        "gamma": {"no_chain"},
    }.items():
        frame = build_session_frame(replace(tape, contexts=replace(whole, **{part: ()})), TODAY)
        assert labels <= set(frame.labels), part
    assert build_session_frame(replace(tape, contexts=Contexts()), TODAY).labels == NO_CONTEXT
    assert len(resampled(walk([TODAY]), 5)) == 78


def test_damaged_numbers_never_raise_and_never_become_infinite():
    random = np.random.default_rng(0)
    tape = replace(long_tape(traded=0.95), contexts=contexts(walk(list_last_sessions(TODAY, 2)), seed=3))

    def damaged(whole: Bars) -> Bars:
        values = {name: getattr(whole, name).copy() for name in whole.__dataclass_fields__}
        for name in ("open", "high", "low", "close", "volume"):
            hit = random.integers(0, len(whole), len(whole) // 20)
            values[name][hit] = random.choice([np.nan, 0.0, -5.0, np.inf, 1e12], hit.size)
        values["ends_ns"][random.integers(0, len(whole), 3)] += random.integers(-(10**12), 10**12, 3)
        return Bars(**values)

    names = ["zero_gamma", "max_pain", "resistance", "typical_gex", "call_gex_usd_per_1pct", "option_volume"]
    for _ in range(10):
        gamma = tuple(
            replace(row, **{random.choice(names): float(random.choice([np.nan, 0.0, -1.0, np.inf]))})
            for row in tape.contexts.gamma
        )
        bad = replace(
            tape,
            minutes=damaged(tape.minutes),
            five_minutes=damaged(tape.five_minutes),
            days=damaged(tape.days),
            contexts=replace(tape.contexts, gamma=gamma),
        )
        frame = build_session_frame(bad, TODAY)
        for looked_at in (
            frame,
            evaluate(bad, int(frame.as_of_ns[-9])),
            build_day_frame(bad, list_last_sessions(TODAY, 3)),
        ):
            values = (*looked_at.columns.values(), *looked_at.levels.values())
            assert not any(np.isinf(column).any() for column in values)
        assert "bars_left_out" in frame.labels
