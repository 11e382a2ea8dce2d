"""Build daily feature frames, for data sets without minute bars: one row per session, at its close.

A row includes its session's own bar, complete at the close. Everything else is the same as in a minute frame: the days and
weeks before the session, and the context known at the close. A feature that both frames have means the same in both;
features that need minute bars are NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from hd_pipelines.market.sessions import measure_trading_time_ns
from hd_pipelines.signals.features import labels
from hd_pipelines.signals.features.contexts.chain_features import compute_chain_features
from hd_pipelines.signals.features.contexts.market_context import compute_market_features
from hd_pipelines.signals.features.day_history import compute_day_history, select_valid_days
from hd_pipelines.signals.features.exchange_days import find_positions, load_exchange_days
from hd_pipelines.signals.features.indicators.key_levels import measure_nearest_levels
from hd_pipelines.signals.features.indicators.relative_volume import choose_volume_source
from hd_pipelines.signals.features.percentages import ratio
from hd_pipelines.signals.features.session_columns import (
    Columns,
    compute_session_features,
    compute_session_levels,
    compute_trend_features,
)
from hd_pipelines.signals.features.session_grid import Grid, Running
from hd_pipelines.signals.frame import FeatureFrame, Floats, Integers, empty_columns, empty_levels
from hd_pipelines.signals.tape import Bars, SymbolTape
from hd_pipelines.tables.vocabulary import Resolution


def build_day_frame(tape: SymbolTape, sessions: Sequence[date]) -> FeatureFrame:
    """Build one row for each of `sessions` that has a daily bar, at its close.

    rvol: the day's volume relative to the mean of the last 20 days. zero_gamma_crossed: whether the price moved through
    the level between the previous close and this one. Label `no_bars_today` if a session has no bar. Raises `ValueError`
    for a day without a session, and if the sessions do not ascend.
    """
    positions = find_positions(sessions)
    calendar = load_exchange_days()
    own, has_bar = _select_own_bars(tape.days, positions)
    positions = positions[has_bar]
    columns, levels = empty_columns(positions.size), empty_levels(positions.size)
    degraded: list[str] = []
    if positions.size:
        with np.errstate(all="ignore"):
            found, found_levels = _compute_day_columns(tape, own, positions)
        columns |= found
        levels |= found_levels
        degraded = _list_degraded(tape, columns | levels)
    if not has_bar.all():
        degraded = [labels.NO_BARS, *degraded]
    as_of_ns = calendar.closes_ns[positions]
    return FeatureFrame(tape.symbol, tape.asset_class, Resolution.DAY, as_of_ns, columns, levels, tuple(degraded))


def _select_own_bars(days: Bars, positions: Integers) -> tuple[Bars, np.ndarray]:
    """Return the valid bars of the sessions, and which sessions have one."""
    wanted = load_exchange_days().day[positions]
    if positions.size == 0:
        return days.select(slice(0, 0)), np.zeros(0, np.bool_)
    kept, _ = select_valid_days(days, int(wanted[0]), int(wanted[-1]) + 1)
    valid = days.session[kept]
    has_bar = np.isin(wanted, valid)
    at = kept[valid.searchsorted(wanted[has_bar])]
    return days.select(at), has_bar  # type: ignore[arg-type]  # numpy takes it wherever it takes a slice


def _compute_day_columns(tape: SymbolTape, own: Bars, positions: Integers) -> tuple[Columns, Columns]:
    rows = _build_close_grid(positions)
    unknown = np.full(len(rows), np.nan)
    running = Running(own.close, np.zeros(len(rows)), own.open, own.high, own.low, unknown, unknown)
    source = choose_volume_source(tape)
    days = compute_day_history(tape.days, None if source is None else source.days, positions)
    columns = compute_session_features(running, rows, days) | compute_trend_features(days, {}, own.close, rows)
    clock_ns = measure_trading_time_ns(rows.as_of_ns)
    columns |= compute_market_features(tape.contexts, rows.as_of_ns, clock_ns)
    of_chain, chain_levels = compute_chain_features(tape.contexts.gamma, rows.as_of_ns, clock_ns, own.close)
    columns |= of_chain
    columns["zero_gamma_crossed"] = _find_crossings(days.prior_day[2], own.close, chain_levels["zero_gamma"])
    levels = compute_session_levels(running, rows, days) | chain_levels
    columns |= measure_nearest_levels(own.close, levels, columns["atr_day_pct"])
    columns["is_proxy_volume"] = np.full(len(rows), np.nan if source is None else float(source is not tape))
    if source is not None:
        columns["rvol"] = ratio(_select_volume(source.days, positions), days.volume[0])
        columns["rvol_sessions"] = days.volume[1]
    return columns, levels


def _list_degraded(tape: SymbolTape, values: Columns) -> list[str]:
    sessions = values["rvol_sessions"]
    return [
        *labels.list_volume_labels(tape),
        *labels.list_short_windows("rvol", sessions[~np.isnan(sessions)].astype(np.int64)),
        *labels.list_missing(values, np.arange(values["price"].size), labels.MISSING_OF_DAYS),
    ]


def _build_close_grid(positions: Integers) -> Grid:
    """Build a grid of one row per session: its last minute."""
    minutes, row = load_exchange_days().minutes[positions], np.arange(positions.size)
    return Grid(positions, minutes, row, row, row, positions, minutes, load_exchange_days().closes_ns[positions], row)


def _select_volume(days: Bars, positions: Integers) -> Floats:
    wanted = load_exchange_days().day[positions]
    if len(days) == 0:
        return np.full(positions.size, np.nan)
    at = np.minimum(days.session.searchsorted(wanted), len(days) - 1)
    volume = days.volume[at]
    return np.where((days.session[at] == wanted) & (volume >= 0) & (volume < np.inf), volume, np.nan)


def _find_crossings(before: Floats, close: Floats, zero_gamma: Floats) -> Floats:
    rose, fell = (before < zero_gamma) & (close >= zero_gamma), (before >= zero_gamma) & (close < zero_gamma)
    crossed = rose.astype(np.float64) - fell
    crossed[np.isnan(before) | np.isnan(zero_gamma)] = np.nan
    return crossed
