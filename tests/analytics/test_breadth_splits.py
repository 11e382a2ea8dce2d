"""Splits are distinguished from falls, on real unadjusted prices."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from hd_pipelines.analytics.regime.breadth_splits import adjust_for_splits

HISTORY = Path(__file__).parents[2].parent / "shared" / "data" / "daily_history" / "lean_equity_daily_raw.csv.gz"

SPLITS = [
    ("AAPL", date(2000, 6, 21), 2.0),
    ("AAPL", date(2005, 2, 28), 2.0),
    ("AAPL", date(2014, 6, 9), 7.0),
    ("AIG", date(1998, 8, 3), 1.5),
    ("AIG", date(2000, 7, 31), 1.5),
    ("AIG", date(2009, 7, 1), 0.05),
    ("BAC", date(2004, 8, 30), 2.0),
    ("EEM", date(2005, 6, 9), 3.0),
    ("EEM", date(2008, 7, 24), 3.0),
    ("GOOG", date(2014, 4, 3), 2.0),
    ("IBM", date(1999, 5, 27), 2.0),
    ("IWM", date(2005, 6, 9), 2.0),
    ("QQQ", date(2000, 3, 20), 2.0),
    ("WM", date(2001, 5, 16), 1.5),
]
"""As the companies announced them."""


@pytest.mark.skipif(not HISTORY.exists(), reason="needs the reference data folder shared/ beside the checkout")
def test_every_split_of_nineteen_years_is_found_and_no_crash_is_taken_for_one():
    """The same file holds Apple's -52 % of 2000-09-29, AIG's and Washington Mutual's September 2008, a bad print."""
    bars = pl.read_csv(HISTORY, try_parse_dates=True, infer_schema_length=None).rename(
        {"symbol": "ticker", "date": "session"}
    )
    scaled = adjust_for_splits(bars)
    found = scaled.filter(pl.col("split_ratio") != 1.0).select("ticker", "session", "split_ratio").rows()
    assert found == SPLITS
    apple = scaled.filter((pl.col("ticker") == "AAPL") & (pl.col("session") == date(2014, 6, 9)))
    assert apple["factor"].item() == 2 * 2 * 7


def test_a_ticker_that_comes_back_after_a_month_is_another_company():
    days = [date(2026, 1, 5), date(2026, 1, 6)] + [date(2026, 1, day) for day in range(7, 31)] + [date(2026, 2, 2)]
    kept = {"X": [days[0], days[1], days[-1]], "Y": days}
    bars = pl.DataFrame(
        [
            {"ticker": t, "session": s, "open": 9.0, "close": 9.0, "volume": 1.0}
            for t, sessions in kept.items()
            for s in sessions
        ]
    )
    lives = adjust_for_splits(bars).filter(pl.col("ticker") == "X")["life"].to_list()
    assert lives[0] == lives[1] != lives[2]


def test_a_price_that_is_none_is_left_out():
    bars = pl.DataFrame(
        {
            "ticker": ["X"] * 3,
            "session": [date(2026, 1, day) for day in (5, 6, 7)],
            "open": [9.0, 0.0, 9.0],
            "close": [9.0, 0.0, float("nan")],
            "volume": [1.0, 0.0, 1.0],
        }
    )
    assert adjust_for_splits(bars)["session"].to_list() == [date(2026, 1, 5)]
