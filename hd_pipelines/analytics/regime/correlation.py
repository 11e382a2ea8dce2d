"""Measures how much the market moves as one: rolling correlation of returns, and its classes.

Each window is computed from its own returns and not by a running sum: a value at t depends on exactly the window's returns,
to the last bit, and a flat stretch gives NaN instead of rounding noise.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hd_pipelines.analytics.cut_offs import classify_by_cut_offs
from hd_pipelines.tables.vocabulary import CorrelationRegime

Floats = NDArray[np.float64]

WINDOW = 20
SECTOR_CUT_OFFS = (0.25, 0.45, 0.70, 0.82)
"""Cut-offs of the average pairwise correlation of sector ETFs over 20 sessions."""
INDEX_CUT_OFFS = (0.77, 0.85, 0.925, 0.95)
"""Cut-offs of the mean of SPY–NDX and SPY–RUT, whose indices share most of their weight; used if sectors are not measured.
"""
FEWEST_SECTORS = 5


def compute_rolling_correlation(first: Floats, second: Floats, window: int = WINDOW) -> Floats:
    """Pearson correlation of the last `window` pairs at each position; NaN where a value is missing or one side is flat."""
    return average_pairwise_correlation(np.column_stack([first, second]), window, fewest=2)


def average_pairwise_correlation(returns: Floats, window: int = WINDOW, fewest: int = FEWEST_SECTORS) -> Floats:
    """Mean correlation over all pairs of columns of `returns` (sessions × series) in the last `window` rows.

    A series counts in a window if it has every return and moves; fewer than `fewest` of them give NaN. Returns one value
    per row, in [-1, 1]. It uses the identity that the sum of all correlations is the squared length of the summed
    standardised series.
    """
    sessions, series = returns.shape
    answer = np.full(sessions, np.nan)
    if sessions < window or series < fewest:
        return answer
    windows = sliding_window_view(returns, window, axis=0)
    centred = windows - windows.mean(axis=2, keepdims=True)
    length = np.sqrt((centred * centred).sum(axis=2))
    with np.errstate(invalid="ignore"):
        moves = length > 1e-12 * np.abs(windows).max(axis=2)
    counted = moves & np.isfinite(length)
    standardised = np.where(counted[:, :, None], centred / np.where(counted, length, 1.0)[:, :, None], 0.0)
    summed = standardised.sum(axis=1)
    count = counted.sum(axis=1)
    pairs = (count * (count - 1)).astype(np.float64)
    total = (summed * summed).sum(axis=1) - count
    enough = count >= max(fewest, 2)
    answer[window - 1 :][enough] = np.clip(total[enough] / pairs[enough], -1.0, 1.0)
    return answer


def classify_correlation(sectors: pl.Expr, spy_ndx: pl.Expr, spy_rut: pl.Expr) -> pl.Expr:
    """Classify by the sectors' average pairwise correlation, else by the mean of the two index pairs, else null.

    Over 1999–2022 the sectors were in the classes from DIVERGING to EXTREMELY_HIGH on 7, 20, 46, 20 and 6 % of sessions.
    """
    classes = list(CorrelationRegime)
    pairs = (spy_ndx + spy_rut) / 2
    return pl.coalesce(
        classify_by_cut_offs(sectors, SECTOR_CUT_OFFS, classes), classify_by_cut_offs(pairs, INDEX_CUT_OFFS, classes)
    )
