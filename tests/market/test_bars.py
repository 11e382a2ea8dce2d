"""Bars of longer timeframes: golden values computed by hand, and laws as properties."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.market.bars import SCHEMA, build_hours_frame, derive_day_bars, derive_intraday_bars, derive_week_bars
from hd_pipelines.market.sessions import get_regular_hours, list_week_sessions
from hd_pipelines.tables.vocabulary import Timeframe

FULL_DAY = date(2026, 11, 20)
HALF_DAY = date(2024, 11, 29)


def minutes(session: date, *, symbol="SPY", offsets=None, volume: float | None = 100.0) -> pl.DataFrame:
    """One bar a minute from the open: close rises by a cent a minute, high and low half a cent around it."""
    hours = get_regular_hours(session)
    offsets = range(hours.minutes) if offsets is None else offsets
    close = [100 + 0.01 * offset for offset in offsets]
    return pl.DataFrame(
        {
            "symbol": symbol,
            "session": session,
            "window_start": [hours.opens_at_ns + offset * 60 * 10**9 for offset in offsets],
            "open": close,
            "high": [price + 0.005 for price in close],
            "low": [price - 0.005 for price in close],
            "close": close,
            "volume": [volume] * len(close),
            "transactions": [3] * len(close),
        },
        schema_overrides={"session": pl.Date, "window_start": pl.Int64, "volume": pl.Float64, "transactions": pl.Int64},
    )


def of(bars: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
    return bars.filter(pl.col("timeframe") == timeframe.value)


@pytest.mark.parametrize(
    ("session", "counts"),
    [
        (FULL_DAY, {"1m": 390, "5m": 78, "15m": 26, "1h": 7, "4h": 2}),
        (HALF_DAY, {"1m": 210, "5m": 42, "15m": 14, "1h": 4, "4h": 1}),
    ],
)
def test_a_session_is_cut_from_its_open_to_its_close(session, counts):
    bars = derive_intraday_bars(minutes(session), build_hours_frame([session]))
    assert dict(bars.group_by("timeframe").len().iter_rows()) == counts


def test_hours_begin_at_half_past_and_the_last_is_half_as_long():
    bars = of(derive_intraday_bars(minutes(FULL_DAY), build_hours_frame([FULL_DAY])), Timeframe.H1)
    local = bars["timestamp"].dt.convert_time_zone("America/New_York").dt.strftime("%H:%M").to_list()
    assert local == ["09:30", "10:30", "11:30", "12:30", "13:30", "14:30", "15:30"]
    assert bars["volume"].to_list() == [6000.0] * 6 + [3000.0]


def test_four_hour_bars_begin_at_the_open_also_across_the_clock_change():
    days = [date(2026, 10, 30), date(2026, 11, 2)]
    bars = of(derive_intraday_bars(pl.concat(minutes(d) for d in days), build_hours_frame(days)), Timeframe.H4)
    assert bars["timestamp"].to_list() == [
        datetime(2026, 10, 30, 13, 30, tzinfo=UTC),
        datetime(2026, 10, 30, 17, 30, tzinfo=UTC),
        datetime(2026, 11, 2, 14, 30, tzinfo=UTC),
        datetime(2026, 11, 2, 18, 30, tzinfo=UTC),
    ]


def test_a_bar_is_first_open_highest_high_lowest_low_last_close_and_sums():
    bars = of(derive_intraday_bars(minutes(FULL_DAY), build_hours_frame([FULL_DAY])), Timeframe.M15)
    first = bars.row(0, named=True)
    assert (first["open"], first["close"]) == (100.0, 100.14)
    assert (first["low"], first["high"]) == pytest.approx((99.995, 100.145))
    assert (first["volume"], first["trades"]) == (1500.0, 45)
    assert first["vwap"] == pytest.approx(100.07)  # equal volumes: the mean of 100.00 … 100.14


def test_extended_hours_do_not_enter():
    early_and_late = minutes(FULL_DAY, offsets=[-1, 390, 391])
    bars = derive_intraday_bars(pl.concat([minutes(FULL_DAY), early_and_late]), build_hours_frame([FULL_DAY]))
    assert of(bars, Timeframe.M1).height == 390
    assert bars["timestamp"].min() == get_regular_hours(FULL_DAY).opens_at


def test_a_minute_without_trades_leaves_no_bar_and_moves_no_anchor():
    bars = derive_intraday_bars(minutes(FULL_DAY, offsets=[7, 8, 389]), build_hours_frame([FULL_DAY]))
    opens_at = get_regular_hours(FULL_DAY).opens_at
    assert of(bars, Timeframe.M5)["timestamp"].to_list() == [
        opens_at + timedelta(minutes=5),
        opens_at + timedelta(minutes=385),
    ]


def test_an_index_has_neither_volume_nor_vwap_rather_than_zero():
    bars = derive_intraday_bars(minutes(FULL_DAY, symbol="SPX", volume=None), build_hours_frame([FULL_DAY]))
    assert bars["volume"].null_count() == bars.height
    assert bars["vwap"].null_count() == bars.height


def test_one_minute_of_unknown_volume_makes_the_sum_unknown():
    some = minutes(FULL_DAY).with_columns(
        volume=pl.when(pl.int_range(pl.len()) == 3).then(None).otherwise(pl.col("volume"))
    )
    five = of(derive_intraday_bars(some, build_hours_frame([FULL_DAY])), Timeframe.M5)
    assert five["volume"].to_list()[:2] == [None, 500.0]
    assert five["vwap"][0] is None


def day_aggregates(days: list[date], symbol="SPY") -> pl.DataFrame:
    return pl.concat(
        pl.DataFrame(
            {
                "symbol": symbol,
                "session": day,
                "open": 100.0 + i,
                "high": 103.0 + i,
                "low": 99.0 + i,
                "close": 102.0 + i,
                "volume": 1000.0,
                "transactions": 10,
            }
        )
        for i, day in enumerate(days)
    )


def test_a_day_bar_is_the_vendors_and_takes_its_vwap_from_regular_minutes():
    hours = build_hours_frame([FULL_DAY])
    bars = derive_day_bars(day_aggregates([FULL_DAY]), derive_intraday_bars(minutes(FULL_DAY), hours), hours)
    row = bars.row(0, named=True)
    assert (row["open"], row["close"], row["volume"], row["trades"]) == (100.0, 102.0, 1000.0, 10)
    assert row["timestamp"] == get_regular_hours(FULL_DAY).opens_at
    assert row["vwap"] == pytest.approx(100 + 0.01 * 389 / 2)


def test_a_day_without_minutes_has_no_vwap():
    hours = build_hours_frame([FULL_DAY])
    assert derive_day_bars(day_aggregates([FULL_DAY]), pl.DataFrame(schema=SCHEMA), hours)["vwap"].to_list() == [None]


def test_a_holiday_week_is_complete_with_four_days_and_belongs_to_its_last_session():
    days = list(list_week_sessions(date(2026, 11, 25)))
    week = derive_week_bars(
        derive_day_bars(day_aggregates(days), pl.DataFrame(schema=SCHEMA), build_hours_frame(days))
    ).row(0, named=True)
    assert week["session"] == date(2026, 11, 27)
    assert week["timestamp"] == get_regular_hours(date(2026, 11, 23)).opens_at
    assert (week["open"], week["high"], week["low"], week["close"], week["volume"]) == (100, 106, 99, 105, 4000)


def test_a_week_that_is_still_forming_is_not_published():
    days = list(list_week_sessions(date(2026, 11, 20)))[:-1]
    assert derive_week_bars(
        derive_day_bars(day_aggregates(days), pl.DataFrame(schema=SCHEMA), build_hours_frame(days))
    ).is_empty()


prices = st.floats(0.01, 9_999, allow_nan=False).map(lambda price: round(price, 4))


@st.composite
def sessions_of_minutes(draw):
    session = draw(st.sampled_from([FULL_DAY, HALF_DAY]))
    offsets = draw(
        st.lists(st.integers(0, get_regular_hours(session).minutes - 1), min_size=1, max_size=60, unique=True)
    )
    quotes = [sorted(draw(st.tuples(prices, prices, prices, prices))) for _ in offsets]
    volumes = [draw(st.integers(0, 10**7)) for _ in offsets]
    return session, pl.DataFrame(
        {
            "symbol": "X",
            "session": session,
            "window_start": [get_regular_hours(session).opens_at_ns + o * 60 * 10**9 for o in offsets],
            "open": [q[1] for q in quotes],
            "high": [q[3] for q in quotes],
            "low": [q[0] for q in quotes],
            "close": [q[2] for q in quotes],
            "volume": volumes,
            "transactions": 1,
        },
        schema_overrides={"volume": pl.Float64, "transactions": pl.Int64},
    )


@settings(max_examples=60, deadline=None)
@given(sessions_of_minutes(), st.randoms(use_true_random=False))
def test_volume_is_conserved_ranges_nest_and_row_order_does_not_matter(drawn, random):
    session, frame = drawn
    hours = build_hours_frame([session])
    bars = derive_intraday_bars(frame, hours)
    for timeframe in (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.H4):
        cut = of(bars, timeframe)
        assert cut["volume"].sum() == frame["volume"].sum()
        assert cut["high"].max() == frame["high"].max()
        assert cut["low"].min() == frame["low"].min()
        assert (cut["vwap"].is_between(cut["low"], cut["high"]) | cut["vwap"].is_null()).all()
    order = list(range(frame.height))
    random.shuffle(order)
    assert derive_intraday_bars(frame[order], hours).equals(bars)


@settings(max_examples=40, deadline=None)
@given(sessions_of_minutes(), st.integers(0, 389))
def test_a_bar_that_is_over_does_not_change_with_what_comes_later(drawn, cut_after):
    session, frame = drawn
    hours = build_hours_frame([session])
    now = get_regular_hours(session).opens_at + timedelta(minutes=cut_after)
    known = frame.filter(pl.from_epoch("window_start", "ns").dt.replace_time_zone("UTC") < now)
    for timeframe, length in ((Timeframe.M5, 5), (Timeframe.M15, 15), (Timeframe.H1, 60)):
        over = pl.col("timestamp") + pl.duration(minutes=length) <= now
        then = of(derive_intraday_bars(known, hours), timeframe).filter(over)
        assert then.equals(of(derive_intraday_bars(frame, hours), timeframe).filter(over))
