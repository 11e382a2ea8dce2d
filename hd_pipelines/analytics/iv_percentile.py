"""Computes how expensive options are relative to their own last 252 sessions: IV rank, percentile and statistics.

Takes one number per session and symbol, which `volatility.constant_maturity` computes. The classes of a percentile are in
`volatility.iv_classes`.

- Percentile: share of the values of the previous 252 sessions that are strictly below today's. Today is not among them.
- Rank: (today - lowest) / (highest - lowest) over the last 252 sessions, today included, so it lies in 0-1. High, low,
  mean, median and standard deviation are of these same values. The deviation is the population's, since the window is all
  there is to describe; z = (today - mean) / deviation.
- A session without a value stays a gap: it takes a place in the window and is not counted. `n_observations` counts the
  values among the previous 252. Below 126 of them rank, percentile and statistics are null.
- Changes are differences from 5 and 20 sessions earlier, null if that session has no value.

No row uses anything after its own date. Source: the usual distinction of IV rank and IV percentile (tastytrade, 2016); the
limits are this project's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from hd_pipelines.analytics.volatility.iv_classes import (
    PercentileReason,
    classify_iv_recommendation,
    classify_iv_regime,
    classify_iv_trend,
)
from hd_pipelines.analytics.volatility.model_free import MODEL_FREE
from hd_pipelines.market.frames import build_frame_schema
from hd_pipelines.market.sessions import is_session, list_sessions_between
from hd_pipelines.market.symbols import canonicalize_symbol
from hd_pipelines.tables.vocabulary import SnapshotKind
from hd_pipelines.tables.volatility import IV_PERCENTILE_CACHE

WINDOW = 252
FEWEST_OBSERVATIONS = 126

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_CHUNK = 16_384

_SCHEMA = build_frame_schema(IV_PERCENTILE_CACHE)
OBSERVATIONS: dict[str, pl.DataType | type[pl.DataType]] = {
    name: _SCHEMA[name]
    for name in (
        *("symbol", "date", "timestamp", "current_iv", "current_iv_call", "current_iv_put", "iv_skew"),
        *("model_free_iv30", "iv_reason", "price_source"),
    )
}
"""One session's observation of one symbol. Key: symbol, date. `current_iv` is the 30-day constant-maturity volatility at the
forward, null with a reason in `iv_reason`. Only symbol, date and current_iv are required.
"""

_STATISTICS = ("iv_52w_high", "iv_52w_low", "iv_52w_mean", "iv_52w_median", "iv_52w_stddev", "iv_zscore")
_COLUMNS = tuple(_SCHEMA)


class RankAndPercentile(NamedTuple):
    """Arrays of the length of the series: rank and percentile in 0-1, NaN where there is none; number of earlier values."""

    rank: Floats
    percentile: Floats
    n_observations: Integers


def rank_and_percentile(series: ArrayLike, window: int = WINDOW) -> RankAndPercentile:
    """Rank and percentile of each value in its own past. `series`: one value per session, oldest first; NaN is a gap.

    NaN results where today is a gap, where fewer than 126 of the previous `window` values exist (half of a window shorter
    than 252), and for the rank where all values are equal. Raises `ValueError` for a window below 2 or a series of more
    than one dimension.
    """
    rank, percentile, count = [], [], []
    for spans in _iterate_spans(_to_finite(series), window):
        today, previous = spans[:, -1], spans[:, :-1]
        known = np.isfinite(previous).sum(axis=1)
        enough = np.isfinite(today) & (known >= _count_required(window))
        low, high = np.fmin.reduce(spans[:, 1:], axis=1), np.fmax.reduce(spans[:, 1:], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            rank.append(np.where(enough, (today - low) / (high - low), np.nan))
            percentile.append(np.where(enough, (previous < today[:, None]).sum(axis=1) / known, np.nan))
        count.append(known)
    if not count:
        return RankAndPercentile(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))
    return RankAndPercentile(np.concatenate(rank), np.concatenate(percentile), np.concatenate(count))


def rank_against_history(iv: ArrayLike, history: ArrayLike, window: int = WINDOW) -> tuple[Floats, Floats]:
    """Rank each of `iv` against one history, such as contracts' volatilities in their underlying's past.

    `history`: earlier values, one per session, oldest first, NaN for gaps; only its last `window` count. As above, the
    rank's window is the value itself and the last `window` - 1. NaN where `iv` is NaN, everywhere if fewer than 126 values
    are known, and for the rank where all values are equal.
    """
    values, past = _to_finite(iv), _to_finite(history)[-window:]
    known = np.sort(past[np.isfinite(past)])
    if known.size < _count_required(window):
        return np.full(values.shape, np.nan), np.full(values.shape, np.nan)
    recent = past[-(window - 1) :]
    low, high = np.fmin(values, np.nanmin(recent)), np.fmax(values, np.nanmax(recent))
    with np.errstate(divide="ignore", invalid="ignore"):
        rank = (values - low) / (high - low)
    percentile = np.where(np.isfinite(values), np.searchsorted(known, values, side="left") / known.size, np.nan)
    return rank, percentile


def select_session_observations(observed: pl.DataFrame, model_free: pl.DataFrame | None = None) -> pl.DataFrame:
    """Select one row of `OBSERVATIONS` per symbol and session: its snapshot at the close, else its last one.

    `observed`: `constant_maturity.OBSERVED`. `model_free`: `model_free.MODEL_FREE`, matched by symbol and instant; null
    where there is none.
    """
    is_close = pl.col("kind") == SnapshotKind.CLOSE.value
    last = (
        observed.sort("symbol", "session", is_close, "timestamp")
        .group_by("symbol", "session", maintain_order=True)
        .last()
    )
    index = pl.DataFrame(schema=MODEL_FREE) if model_free is None else model_free
    symbols = [canonicalize_symbol(name) for name in index["underlying"]]
    index = index.select(
        pl.Series("symbol", symbols, dtype=pl.String), timestamp="snapshot_at", model_free_iv30="model_free_iv30"
    )
    return (
        last.join(index, on=["symbol", "timestamp"], how="left")
        .select(
            "symbol",
            "timestamp",
            "iv_skew",
            "model_free_iv30",
            "price_source",
            date="session",
            current_iv="iv30",
            current_iv_call="iv30_call",
            current_iv_put="iv30_put",
            iv_reason="iv30_reason",
        )
        .select(OBSERVATIONS.keys())
        .sort("symbol", "date")
    )


def compute_percentile_rows(observations: pl.DataFrame) -> pl.DataFrame:
    """Compute rows of `iv_percentile_cache`, one for each of `observations`, sorted by symbol and date.

    To obtain complete rows, include the 252 sessions before the wanted ones; a session that is not included is a gap.
    `iv_reason` says why `iv30` is null, `percentile_reason` why rank or percentile is. A row dated on a day without a
    session gets `no_session` and affects no other row. Raises `ValueError` for a missing column or a repeated key.
    """
    required = [name for name in ("symbol", "date", "current_iv") if name not in observations.columns]
    if required:
        raise ValueError(f"observations lack the column(s) {', '.join(required)}")
    given = observations.select(
        (pl.col(name) if name in observations.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in OBSERVATIONS.items()
    )
    given = given.with_columns(pl.col(pl.Float64).fill_nan(None)).sort("symbol", "date")
    if (repeated := given.select("symbol", "date").is_duplicated()).any():
        symbol, day = given.filter(repeated).row(0)[:2]
        raise ValueError(f"{symbol} has more than one observation of {day}; give one per session")
    days = given["date"].unique()
    open_days = days.filter(pl.Series([is_session(day) for day in days], dtype=pl.Boolean))
    on_sessions = given.filter(pl.col("date").is_in(open_days.implode()))
    computed = [_compute_symbol_rows(rows) for _, rows in on_sessions.group_by("symbol", maintain_order=True)]
    closed = given.filter(~pl.col("date").is_in(open_days.implode())).with_columns(
        percentile_reason=pl.lit(PercentileReason.NO_SESSION.value), n_observations=pl.lit(0, pl.Int64)
    )
    joined = pl.concat([*computed, closed], how="diagonal") if computed else closed
    return _add_classes(joined).sort("symbol", "date")


def _compute_symbol_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Compute the numbers of one symbol from its `rows` on sessions, ascending."""
    calendar = pl.DataFrame(
        {"date": list_sessions_between(rows["date"][0], rows["date"][-1])}, schema={"date": pl.Date}
    )
    whole = calendar.join(rows, on="date", how="left", maintain_order="left")
    iv, skew = (_to_finite(whole[name].to_numpy()) for name in ("current_iv", "iv_skew"))
    rank, percentile, count = rank_and_percentile(iv)
    statistics = _compute_statistics(iv, np.isfinite(percentile))
    reason = np.full(iv.size, None, dtype=object)
    reason[np.isnan(rank)] = PercentileReason.ALL_EQUAL.value
    reason[np.isnan(percentile)] = PercentileReason.TOO_FEW.value
    reason[np.isnan(iv)] = PercentileReason.NO_VALUE.value
    columns = {
        "iv_rank": rank,
        "iv_percentile": percentile,
        "skew_percentile": rank_and_percentile(skew).percentile,
        "iv_change_5d": _compute_change(iv, 5),
        "iv_change_20d": _compute_change(iv, 20),
        **statistics,
    }
    computed = whole.with_columns(
        *(pl.Series(name, values, dtype=pl.Float64, nan_to_null=True) for name, values in columns.items()),
        pl.Series("n_observations", count),
        pl.Series("percentile_reason", reason.tolist(), dtype=pl.String),
    )
    return computed.filter(pl.col("symbol").is_not_null())


def _compute_statistics(iv: Floats, wanted: NDArray[np.bool_]) -> dict[str, Floats]:
    """Statistics of the last 252 sessions, today included; NaN where not `wanted`."""
    found = {name: np.full(iv.size, np.nan) for name in _STATISTICS}
    position = 0
    for spans in _iterate_spans(iv, WINDOW):
        here = np.flatnonzero(wanted[position : position + len(spans)])
        year, today = spans[here, 1:], spans[here, -1]
        here += position
        position += len(spans)
        if not here.size:
            continue
        mean, deviation = np.nanmean(year, axis=1), np.nanstd(year, axis=1)
        # The deviation of equal values is only rounding error, so it counts as none.
        deviation[np.nanmax(year, axis=1) == np.nanmin(year, axis=1)] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            zscore = np.where(deviation > 0, (today - mean) / deviation, np.nan)
        values = (np.nanmax(year, axis=1), np.nanmin(year, axis=1), mean, np.nanmedian(year, axis=1), deviation, zscore)
        for name, value in zip(_STATISTICS, values, strict=True):
            found[name][here] = value
    return found


def _add_classes(rows: pl.DataFrame) -> pl.DataFrame:
    percentile = pl.col("iv_percentile")
    missing = [name for name in _COLUMNS if name not in rows.columns]
    return (
        rows.with_columns(pl.lit(None, pl.Float64).alias(name) for name in missing)
        .with_columns(
            iv30="current_iv",
            data_points_52w="n_observations",
            iv_regime=classify_iv_regime(percentile),
            iv_recommendation=classify_iv_recommendation(percentile),
            iv_trend=classify_iv_trend(pl.col("iv_change_20d"), pl.col("current_iv")),
            iv_reason=pl.when(pl.col("current_iv").is_null()).then(pl.col("iv_reason").fill_null("not_observed")),
        )
        .select(_COLUMNS)
    )


def _count_required(window: int) -> int:
    return min(FEWEST_OBSERVATIONS, -(-window // 2))


def _to_finite(values: ArrayLike) -> Floats:
    """Convert to floats; values that are not finite become gaps (NaN)."""
    array = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(array), array, np.nan)


def _compute_change(values: Floats, sessions: int) -> Floats:
    earlier = np.concatenate([np.full(sessions, np.nan), values])[: values.size]
    change: Floats = values - earlier
    return change


def _iterate_spans(values: Floats, window: int) -> Iterator[Floats]:
    """Yield rows of the previous `window` values followed by the value itself, in blocks that fit into memory."""
    if values.ndim != 1 or window < 2:
        raise ValueError(f"needs one dimension and a window of 2 or more, not {values.ndim} and {window}")
    padded = np.concatenate([np.full(window, np.nan), values])
    for start in range(0, values.size, _CHUNK):
        stop = min(start + _CHUNK, values.size)
        yield sliding_window_view(padded[start : stop + window], window + 1)
