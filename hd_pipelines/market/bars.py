"""Derives bars of every timeframe from the vendor's one-minute and day aggregates. Auditing is done in `bar_audit`.

Conventions, on each of which other platforms differ:
- Intraday bars cover regular hours only and are anchored at the session's open: `1h` bars begin at 09:30, 10:30 and so on,
  `4h` bars at 09:30 and 13:30. The last bar of a session is shortened by the close, early or not.
- A bar's timestamp is the instant at which it begins. For `day` and `week` that is the open of the (first) session, in UTC.
- `day` and `week` come from the vendor's day aggregates, whose volume includes extended hours. A week is published once its
  last session is in, never while it is still forming.
- VWAP is the volume-weighted typical price, (high + low + close) / 3, of the minutes inside a bar. One-minute bars have
  none, because flat files carry none; neither has anything without volume, such as an index. A week's VWAP is the mean of
  its days' VWAPs weighted by their volume.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import polars as pl

from hd_pipelines.market.frames import build_frame_schema
from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, get_regular_hours, list_week_sessions
from hd_pipelines.tables.bars import HISTORICAL_BARS
from hd_pipelines.tables.vocabulary import Timeframe

DERIVATION = 1
"""Version of the conventions above. Raising it makes every published bar outdated, so that the next run derives it again."""


MINUTES = {Timeframe.M5: 5, Timeframe.M15: 15, Timeframe.H1: 60, Timeframe.H4: 240}
"""Derived intraday timeframes and their length in minutes."""

_ROUNDING = 1e-6

SCHEMA = pl.Schema(build_frame_schema(HISTORICAL_BARS, instants="ns"))
"""Columns of a bar frame. `volume`, `vwap` and `trades` are null where the source has none."""


def build_hours_frame(sessions: Iterable[date]) -> pl.DataFrame:
    """Build a frame of regular hours to join with: session, opens_ns and closes_ns (int64, UTC), minutes."""
    hours = [get_regular_hours(session) for session in sessions]
    return pl.DataFrame(
        {
            "session": [h.session for h in hours],
            "opens_ns": [h.opens_at_ns for h in hours],
            "closes_ns": [h.closes_at_ns for h in hours],
            "minutes": [h.minutes for h in hours],
        },
        schema={"session": pl.Date, "opens_ns": pl.Int64, "closes_ns": pl.Int64, "minutes": pl.Int64},
    )


def derive_intraday_bars(minutes: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """Derive one-minute bars inside regular hours, and the 5m, 15m, 1h and 4h bars made of them.

    `minutes`: symbol, session, window_start (int64 ns UTC), open, high, low, close, volume, transactions; any order.
    `hours`: result of `build_hours_frame`; minutes of sessions not in it are dropped. Returns `SCHEMA`, sorted.
    """
    regular = (
        minutes.join(hours, on="session", how="inner")
        .filter((pl.col("window_start") >= pl.col("opens_ns")) & (pl.col("window_start") < pl.col("closes_ns")))
        .sort("symbol", "window_start")
        .with_columns(turnover=pl.sum_horizontal("high", "low", "close") / 3.0 * pl.col("volume"))
    )
    one_minute = _select_bar_columns(
        regular, Timeframe.M1, _to_timestamp("window_start"), vwap=pl.lit(None, pl.Float64)
    )
    longer = [_aggregate_minutes(regular, timeframe, length) for timeframe, length in MINUTES.items()]
    return _concat_sorted([one_minute, *longer])


def _aggregate_minutes(regular: pl.DataFrame, timeframe: Timeframe, length: int) -> pl.DataFrame:
    span = length * NANOSECONDS_PER_MINUTE
    start = pl.col("opens_ns") + (pl.col("window_start") - pl.col("opens_ns")) // span * span
    grouped = regular.with_columns(start=start).group_by("symbol", "session", "start", maintain_order=True)
    return _select_bar_columns(
        grouped.agg(*_aggregate_columns()), timeframe, _to_timestamp("start"), vwap=_divide_vwap()
    )


def derive_day_bars(days: pl.DataFrame, intraday: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """Derive day bars from the vendor's day aggregates; VWAP of regular hours from `intraday` where it has the session.

    `days`: columns as in `derive_intraday_bars`, one row per symbol and session. Returns `SCHEMA`, sorted.
    """
    regular_vwap = (
        intraday.filter(pl.col("timeframe") == Timeframe.M1.value)
        .with_columns(turnover=pl.sum_horizontal("high", "low", "close") / 3.0 * pl.col("volume"))
        .group_by("symbol", "session")
        .agg(_sum_or_null("turnover").alias("turnover"), _sum_or_null("volume").alias("regular_volume"))
    )
    known = days.join(hours, on="session", how="inner").join(regular_vwap, on=["symbol", "session"], how="left")
    return _concat_sorted(
        [_select_bar_columns(known, Timeframe.DAY, _to_timestamp("opens_ns"), vwap=_divide_vwap("regular_volume"))]
    )


def derive_week_bars(day: pl.DataFrame) -> pl.DataFrame:
    """Derive week bars of all complete weeks in `day` (day bars, `SCHEMA`); `session` is the week's last session.

    A week is complete for a symbol if each of its exchange sessions has a day bar. Returns `SCHEMA`, sorted.
    """
    sessions = day["session"].unique().to_list()
    weeks = pl.DataFrame(
        {
            "session": sessions,
            "last": [list_week_sessions(session)[-1] for session in sessions],
            "expected": [len(list_week_sessions(session)) for session in sessions],
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
            *_aggregate_columns(),
        )
        .filter(pl.col("found") == pl.col("expected"))
    )
    return _concat_sorted(
        [_select_bar_columns(whole, Timeframe.WEEK, pl.col("timestamp"), vwap=_divide_vwap(), session="last")]
    )


def _select_bar_columns(
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


def _to_timestamp(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")


def _sum_or_null(column: str) -> pl.Expr:
    # A sum with a missing part is missing. By itself polars gives 0 for "all null" and ignores single nulls.
    return pl.when(pl.col(column).null_count() == 0).then(pl.col(column).sum())


def _aggregate_columns() -> list[pl.Expr]:
    # Requires rows sorted by time; groups keep that order.
    return [
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        _sum_or_null("volume").alias("volume"),
        _sum_or_null("turnover").alias("turnover"),
        _sum_or_null("transactions").alias("transactions"),
    ]


def _divide_vwap(volume: str = "volume") -> pl.Expr:
    # Rounded to six decimals, then clipped to the bar: in floats (3 × 1.1) / 3 is slightly above 1.1, which a VWAP cannot
    # be. A value further out comes from minutes that contradict the bar (another adjustment or instrument) and is null.
    raw = pl.when(pl.col(volume) > 0).then(pl.col("turnover") / pl.col(volume)).round(6)
    is_inside = raw.is_between(pl.col("low") * (1 - _ROUNDING), pl.col("high") * (1 + _ROUNDING))
    return pl.when(is_inside).then(raw.clip(pl.col("low"), pl.col("high")))


def _concat_sorted(frames: list[pl.DataFrame]) -> pl.DataFrame:
    bars = pl.concat(frames).cast(dict(SCHEMA))  # type: ignore[arg-type]
    return bars.select(SCHEMA.names()).sort("symbol", "timeframe", "timestamp")
