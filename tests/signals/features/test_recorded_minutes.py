"""Frames of a real market's minutes beside polars: day high and low, VWAP, relative volume, opening range.

The recording of February 2019 lies beside the checkout; where it does not the tests are skipped.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hd_pipelines.market.sessions import NEW_YORK, get_regular_hours, list_sessions_between
from hd_pipelines.signals.features import build_frames, build_session_frame
from hd_pipelines.signals.tape import Bars, SymbolTape, to_day_number
from hd_pipelines.tables.vocabulary import AssetClass
from tests.signals.features.tapes import MINUTE

RECORDING = Path(__file__).parents[3].parent / "shared" / "recordings" / "minutes-2019-02"
SESSIONS = list_sessions_between(date(2019, 2, 11), date(2019, 2, 14))
pytestmark = pytest.mark.skipif(not RECORDING.is_dir(), reason=f"the recording of minutes is not at {RECORDING}")


@pytest.fixture(scope="module")
def recorded() -> pl.DataFrame:
    start = pl.col("window_start")
    local = start.dt.convert_time_zone(NEW_YORK.key)
    clock = local.dt.hour().cast(int) * 60 + local.dt.minute()
    return (
        pl.read_parquet(RECORDING / "minute_bars.parquet")
        .with_columns(day=local.dt.date(), minute=clock - 9 * 60 - 29)
        .filter(pl.col("minute").is_between(1, 390))
        .sort("ticker", "window_start")
    )


def bars_of(frame: pl.DataFrame, length: int) -> Bars:
    starts_ns = frame["starts_ns"].to_numpy()
    numbers = (frame[name].cast(float).to_numpy() for name in ("open", "high", "low", "close", "volume"))
    session = np.array([to_day_number(day) for day in frame["day"]], np.int64)
    return Bars(starts_ns, starts_ns + length * MINUTE, session, *numbers)


def tape_of(symbol: str, recorded: pl.DataFrame) -> SymbolTape:
    minutes = recorded.filter(pl.col("ticker") == symbol).with_columns(
        starts_ns=pl.col("window_start").cast(pl.Datetime("ns", "UTC")).cast(pl.Int64)
    )
    slot = ((pl.col("minute") - 1) // 5).alias("slot")
    five = (
        minutes.group_by("day", slot, maintain_order=True)
        .agg(
            (pl.col("starts_ns").first() - (pl.col("minute").first() - 1) % 5 * MINUTE),
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
        )
        .sort("starts_ns")
    )
    days = (
        pl.read_parquet(RECORDING / "day_bars.parquet")
        .filter(pl.col("ticker") == symbol)
        .with_columns(day=pl.col("session").cast(pl.Date))
        .sort("day")
    )
    opens = [get_regular_hours(day).opens_at_ns for day in days["day"]]
    day_bars = bars_of(days.with_columns(starts_ns=pl.Series(opens)), 390)
    return SymbolTape(symbol, AssetClass.STOCK, bars_of(minutes, 1), bars_of(five, 5), day_bars)


@pytest.mark.parametrize("symbol", ["SPY", "MSFT", "AMT", "UGA"])
def test_the_day_so_far_and_vwap_are_those_of_polars(symbol, recorded):
    frame = build_frames(tape_of(symbol, recorded), SESSIONS)
    typical = (pl.col("high") + pl.col("low") + pl.col("close")) / 3
    expected = recorded.filter(pl.col("ticker") == symbol).select(
        "day",
        "minute",
        price="close",
        day_open=pl.col("open").first().over("day"),
        day_high=pl.col("high").cum_max().over("day"),
        day_low=pl.col("low").cum_min().over("day"),
        vwap=((typical * pl.col("volume")).cum_sum() / pl.col("volume").cum_sum()).over("day"),
    )
    ours = pl.DataFrame(
        {
            "day": [frame.session(row) for row in range(len(frame))],
            "minute": frame["minutes_from_open"].astype(int),
            **{name: frame[name] for name in ("price", "day_open", "day_high", "day_low", "vwap", "price_age_minutes")},
        }
    )
    both = expected.join(ours, on=["day", "minute"], how="left", suffix="_ours")
    assert both.height == recorded.filter(pl.col("ticker") == symbol).height
    for name in ("price", "day_open", "day_high", "day_low"):
        assert both[name].equals(both[f"{name}_ours"].alias(name)), name
    has_volume = both["vwap"].is_finite()
    assert both.filter(has_volume)["vwap_ours"].to_numpy() == pytest.approx(
        both.filter(has_volume)["vwap"].to_numpy(), rel=1e-12
    )
    assert both["price_age_minutes"].max() == 0


def test_the_last_row_of_a_day_is_the_vendors_day_of_that_symbol(recorded):
    """The opening and closing auctions may lie outside the minutes, so high and low agree to half a thousandth."""
    tape = tape_of("SPY", recorded)
    frame = build_session_frame(tape, date(2019, 2, 12))
    day = tape.days.of_session(date(2019, 2, 12))
    assert len(frame) == 390
    assert frame["day_high"][-1] == pytest.approx(day.high[0], rel=5e-4)
    assert frame["day_low"][-1] == pytest.approx(day.low[0], rel=5e-4)
    assert day.low[0] <= frame["vwap"][-1] <= day.high[0]
    assert frame.levels["prior_day_close"][0] == tape.days.of_session(date(2019, 2, 11)).close[0]


def test_a_fund_that_hardly_trades_has_every_minute_and_an_honest_age(recorded):
    frame = build_session_frame(tape_of("UGA", recorded), date(2019, 2, 12))
    traded = recorded.filter((pl.col("ticker") == "UGA") & (pl.col("day") == date(2019, 2, 12)))
    assert len(frame) == traded["minute"].max()
    assert np.flatnonzero(frame["price_age_minutes"] == 0).tolist() == (traded["minute"] - 1).to_list()


def test_days_adjusted_for_a_later_split_are_not_mixed_with_minutes(recorded):
    frame = build_session_frame(tape_of("AAPL", recorded), date(2019, 2, 13))
    assert "days_contradict_minutes" in frame.labels
    assert np.isnan(frame["gap_pct"]).all()


def test_three_sessions_of_history_are_said_to_be_three(recorded):
    frame = build_session_frame(tape_of("SPY", recorded), date(2019, 2, 14))
    assert {"bars_of_3_sessions", "rvol_of_3_sessions", "rvol_from_days"} < set(frame.labels)
    assert "no_rvol" not in frame.labels
    assert 0.3 < np.nanmedian(frame["rvol"]) < 3.0
    assert "no_day_atr" not in frame.labels
    assert "no_week_trend" not in frame.labels
