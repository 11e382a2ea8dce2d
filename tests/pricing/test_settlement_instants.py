"""When contracts settle: product by product, around holidays, early closes and the change of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.market.option_products import find_product
from hd_pipelines.market.sessions import get_last_snapshot_session, get_regular_hours, is_session
from hd_pipelines.pricing.settlement import (
    count_years,
    find_settlement_instant,
    find_settlement_session,
    list_settlements,
)


def settles(root: str, expiration: date) -> datetime:
    return find_settlement_instant(find_product(root).settlement, expiration)


def years(start: datetime, end: datetime) -> float:
    return count_years(pl.Series([start], dtype=STAMP), pl.Series([end], dtype=STAMP)).item()


def test_spx_and_spxw_of_one_date_settle_six_and_a_half_hours_apart():
    # Cboe: third-Friday SPX on the SET of the opening, SPXW on the close.
    assert settles("SPX", date(2019, 6, 21)) == datetime(2019, 6, 21, 13, 30, tzinfo=UTC)
    assert settles("SPXW", date(2019, 6, 21)) == datetime(2019, 6, 21, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("root", "utc_hour_and_minute"),
    [("NDX", (13, 30)), ("NDXP", (20, 0)), ("RUT", (13, 30)), ("RUTW", (20, 0)), ("XSP", (20, 0)), ("AAPL", (20, 0))],
)
def test_each_product_settles_at_its_own_hour(root, utc_hour_and_minute):
    moment = settles(root, date(2023, 9, 15))
    assert (moment.hour, moment.minute) == utc_hour_and_minute


def test_vix_settles_on_the_opening_of_its_wednesday():
    assert settles("VIX", date(2023, 9, 20)) == datetime(2023, 9, 20, 13, 30, tzinfo=UTC)
    assert settles("VIXW", date(2023, 9, 27)) == datetime(2023, 9, 27, 13, 30, tzinfo=UTC)


def test_an_early_close_settles_at_13_00_new_york():
    assert settles("SPXW", date(2019, 7, 3)) == datetime(2019, 7, 3, 17, 0, tzinfo=UTC)
    assert settles("SPX", date(2019, 7, 3)) == datetime(2019, 7, 3, 13, 30, tzinfo=UTC)


def test_a_product_that_trades_until_16_15_still_settles_at_16_00():
    assert find_product("SPY").closes.minute == 15
    assert settles("SPY", date(2023, 9, 15)) == datetime(2023, 9, 15, 20, 0, tzinfo=UTC)


def test_a_third_friday_on_good_friday_settles_on_thursday():
    assert settles("SPX", date(2019, 4, 19)) == datetime(2019, 4, 18, 13, 30, tzinfo=UTC)


def test_saturday_expirations_of_old_symbols_settle_on_friday():
    assert settles("AAPL", date(2014, 6, 21)) == datetime(2014, 6, 20, 20, 0, tzinfo=UTC)


def test_winter_and_summer_settle_at_the_same_new_york_time():
    assert settles("SPXW", date(2023, 3, 10)).hour == 21
    assert settles("SPXW", date(2023, 3, 13)).hour == 20
    # A weekend on which the clocks move is an hour shorter, and the option loses that hour of life.
    three_days = years(settles("SPXW", date(2023, 3, 10)), settles("SPXW", date(2023, 3, 13)))
    assert three_days == pytest.approx((3 * 24 - 1) / (365 * 24), abs=1e-15)


def test_after_the_calendar_snapshot_holidays_and_early_closes_are_known_too():
    assert date(2040, 11, 23) > get_last_snapshot_session()
    assert settles("SPX", date(2040, 12, 21)) == datetime(2040, 12, 21, 14, 30, tzinfo=UTC)
    assert settles("SPY", date(2040, 12, 22)) == datetime(2040, 12, 21, 21, 0, tzinfo=UTC)
    assert settles("SPX", date(2049, 4, 16)) == datetime(2049, 4, 15, 13, 30, tzinfo=UTC)  # Good Friday
    assert settles("SPXW", date(2040, 11, 23)) == datetime(2040, 11, 23, 18, 0, tzinfo=UTC)  # after Thanksgiving


def test_outside_the_calendar_the_normal_hours_are_taken():
    assert settles("SPX", date(2101, 12, 17)) == datetime(2101, 12, 16, 14, 30, tzinfo=UTC)
    assert settles("SPY", date(2001, 12, 22)) == datetime(2001, 12, 21, 21, 0, tzinfo=UTC)


def test_years_count_minutes_exactly_down_to_the_last_one():
    close = get_regular_hours(date(2023, 9, 15)).closes_at
    assert years(close - timedelta(minutes=1), close) == 1 / 525_600
    assert years(close - timedelta(days=365), close) == 1.0
    assert years(close, close) == 0.0
    assert years(close + timedelta(minutes=30), close) == -30 / 525_600


@given(st.dates(date(2010, 1, 1), date(2027, 10, 1)), st.sampled_from(["SPX", "SPXW", "SPY"]))
def test_settlement_falls_into_the_hours_of_a_session_on_or_before_the_expiration(expiration, root):
    session = find_settlement_session(expiration)
    assert is_session(session)
    assert expiration - timedelta(days=7) <= session <= expiration
    hours = get_regular_hours(session)
    assert settles(root, expiration) in {hours.opens_at, hours.closes_at}


def test_settlements_keep_rows_and_order():
    asked = pl.DataFrame({"root": ["SPXW", "SPX"], "expiration": [date(2019, 6, 21)] * 2})
    answer = list_settlements(asked)
    assert answer["root"].to_list() == ["SPXW", "SPX"]
    assert answer["settles_at"].diff().to_list()[1] == timedelta(hours=-6.5)
