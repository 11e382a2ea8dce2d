"""Bars of every timeframe from the vendor's one-minute and day aggregates.

Belongs here: cutting, anchoring and adding up. Not here: whether a bar may be believed (`bar_audit`), and storage.

Rules of this house, each a choice that other platforms make differently:
- Intraday bars hold regular hours only and are anchored at the session's open: 09:30, 10:30 … for `1h`, 09:30 and 13:30
  for `4h`. The last bar of a session is as short as the session is; an early close simply ends it.
- A bar's timestamp is the instant it begins; for `day` and `week` that is the (first) session's open, in UTC.
- `day` and `week` come from the vendor's day aggregates, whose volume includes extended hours. A week is published once
  its last session is in, never while it is still forming.
- VWAP is the volume-weighted typical price, (high + low + close) / 3, of the minutes inside. Minutes themselves have
  none (flat files carry none), and neither has anything without volume, such as an index. A week's is the mean of its
  days' VWAPs weighted with their volume.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import polars as pl

from hd_pipelines.market.frames import frame_schema
from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, regular_hours, week_of
from hd_pipelines.tables.bars import HISTORICAL_BARS
from hd_pipelines.tables.vocabulary import Timeframe

DERIVATION = 1
"""Version of the rules above. Raising it makes every published bar out of date, and the next run derives it again."""


MINUTES = {Timeframe.M5: 5, Timeframe.M15: 15, Timeframe.H1: 60, Timeframe.H4: 240}
"""Derived intraday timeframes and their length in minutes."""

_ROUNDING = 1e-6

SCHEMA = pl.Schema(frame_schema(HISTORICAL_BARS, instants="ns"))
"""Columns of a bar frame. `volume`, `vwap` and `trades` are null where the source has none."""


def hours_frame(sessions: Iterable[date]) -> pl.DataFrame:
    """Regular hours as a frame to join with: session, opens_ns and closes_ns (int64, UTC), minutes."""
    hours = [regular_hours(session) for session in sessions]
    return pl.DataFrame(
        {
            "session": [h.session for h in hours],
            "opens_ns": [h.opens_at_ns for h in hours],
            "closes_ns": [h.closes_at_ns for h in hours],
            "minutes": [h.minutes for h in hours],
        },
        schema={"session": pl.Date, "opens_ns": pl.Int64, "closes_ns": pl.Int64, "minutes": pl.Int64},
    )


def intraday_bars(minutes: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """One-minute bars inside regular hours and the 5m, 15m, 1h and 4h bars made of them.

    `minutes`: symbol, session, window_start (int64 ns UTC), open, high, low, close, volume, transactions; any order.
    `hours`: as `hours_frame` gives it; minutes of a session not in it are left out. Returns `SCHEMA`, sorted.
    """
    regular = (
        minutes.join(hours, on="session", how="inner")
        .filter((pl.col("window_start") >= pl.col("opens_ns")) & (pl.col("window_start") < pl.col("closes_ns")))
        .sort("symbol", "window_start")
        .with_columns(turnover=pl.sum_horizontal("high", "low", "close") / 3.0 * pl.col("volume"))
    )
    one_minute = _bars(regular, Timeframe.M1, _instant("window_start"), vwap=pl.lit(None, pl.Float64))
    longer = [_cut(regular, timeframe, length) for timeframe, length in MINUTES.items()]
    return _in_order([one_minute, *longer])


def _cut(regular: pl.DataFrame, timeframe: Timeframe, length: int) -> pl.DataFrame:
    span = length * NANOSECONDS_PER_MINUTE
    start = pl.col("opens_ns") + (pl.col("window_start") - pl.col("opens_ns")) // span * span
    grouped = regular.with_columns(start=start).group_by("symbol", "session", "start", maintain_order=True)
    return _bars(grouped.agg(*_added_up()), timeframe, _instant("start"), vwap=_vwap())


def day_bars(days: pl.DataFrame, intraday: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """Day bars from the vendor's day aggregates; VWAP of regular hours from `intraday` where it has the session.

    `days`: columns as `intraday_bars` takes them, one row per symbol and session. Returns `SCHEMA`, sorted.
    """
    regular_vwap = (
        intraday.filter(pl.col("timeframe") == Timeframe.M1.value)
        .with_columns(turnover=pl.sum_horizontal("high", "low", "close") / 3.0 * pl.col("volume"))
        .group_by("symbol", "session")
        .agg(_total("turnover").alias("turnover"), _total("volume").alias("regular_volume"))
    )
    known = days.join(hours, on="session", how="inner").join(regular_vwap, on=["symbol", "session"], how="left")
    return _in_order([_bars(known, Timeframe.DAY, _instant("opens_ns"), vwap=_vwap("regular_volume"))])


def week_bars(day: pl.DataFrame) -> pl.DataFrame:
    """Week bars of all complete weeks in `day` (day bars, `SCHEMA`); `session` is the week's last session.

    A week is complete for a symbol when each of its exchange sessions has a day bar. Returns `SCHEMA`, sorted.
    """
    sessions = day["session"].unique().to_list()
    weeks = pl.DataFrame(
        {
            "session": sessions,
            "last": [week_of(session)[-1] for session in sessions],
            "expected": [len(week_of(session)) for session in sessions],
        },
        schema={"session": pl.Date, "last": pl.Date, "expected": pl.Int64},
    )
    whole = (
        day.join(weeks, on="session")
        .with_columns(turnover=pl.col("vwap") * pl.col("volume"), transactions=pl.col("trades"))
        .sort("symbol", "timestamp")
        .group_by("symbol", "last", maintain_order=True)
        .agg(
            pl.len().alias("found"),
            pl.col("expected").first(),
            pl.col("timestamp").first(),
            *_added_up(),
        )
        .filter(pl.col("found") == pl.col("expected"))
    )
    return _in_order([_bars(whole, Timeframe.WEEK, pl.col("timestamp"), vwap=_vwap(), session="last")])


def _bars(
    frame: pl.DataFrame, timeframe: Timeframe, begins: pl.Expr, *, vwap: pl.Expr, session: str = "session"
) -> pl.DataFrame:
    return frame.select(
        "symbol",
        timeframe=pl.lit(timeframe.value),
        timestamp=begins,
        session=session,
        open="open",
        high="high",
        low="low",
        close="close",
        volume="volume",
        vwap=vwap,
        trades="transactions",
    )


def _instant(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")


def _total(column: str) -> pl.Expr:
    # A sum over a missing part is missing: polars alone would give 0 for "all null" and ignore single nulls.
    return pl.when(pl.col(column).null_count() == 0).then(pl.col(column).sum())


def _added_up() -> list[pl.Expr]:
    # Callers sort by time first; groups keep that order.
    return [
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        _total("volume").alias("volume"),
        _total("turnover").alias("turnover"),
        _total("transactions").alias("transactions"),
    ]


def _vwap(volume: str = "volume") -> pl.Expr:
    # Six decimals, then kept inside the bar: (3 × 1.1) / 3 is a hair above 1.1 in floats, a VWAP never is. One that is
    # further out was made of minutes that contradict the bar (other adjustment, other instrument), and is none.
    raw = pl.when(pl.col(volume) > 0).then(pl.col("turnover") / pl.col(volume)).round(6)
    is_inside = raw.is_between(pl.col("low") * (1 - _ROUNDING), pl.col("high") * (1 + _ROUNDING))
    return pl.when(is_inside).then(raw.clip(pl.col("low"), pl.col("high")))


def _in_order(frames: list[pl.DataFrame]) -> pl.DataFrame:
    bars = pl.concat(frames).cast(dict(SCHEMA))  # type: ignore[arg-type]
    return bars.select(SCHEMA.names()).sort("symbol", "timeframe", "timestamp")
