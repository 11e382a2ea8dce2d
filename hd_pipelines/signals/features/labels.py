"""Labels that name what is degraded about a frame. They are stored with scans, so their names must not change.

A frame is labelled by what the last rows of its sessions lack; the single row of `evaluate` by what that row lacks.

volume_of_<ETF>, no_volume              an index uses its ETF's volume, or has none
rvol_of_<n>_sessions                    average volume is a mean of fewer than 20 sessions
rvol_from_days                          relative volume is estimated from daily bars
bars_of_<n>_sessions                    indicators start from fewer than 20 sessions of 5-minute bars
bars_left_out                           bars outside regular hours or with inconsistent prices were dropped
days_contradict_minutes                 daily bars have another split adjustment than minutes and were not used
no_trade_for_15_minutes                 the symbol is halted or very illiquid
no_<what>                               see `MISSING`
no_bars_today, no_session, before_open  why a frame has no rows
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import SymbolTape
from hd_pipelines.tables.vocabulary import AssetClass

NO_BARS, NO_SESSION, BEFORE_OPEN = "no_bars_today", "no_session", "before_open"
RVOL_FROM_DAYS = "rvol_from_days"
BARS_LEFT_OUT, DAYS_CONTRADICT, IDLE = "bars_left_out", "days_contradict_minutes", "no_trade_for_15_minutes"
MISSING = {
    "no_rvol": "rvol",
    "no_vwap": "vwap",
    "no_average_volume": "average_daily_volume",
    "no_5m_indicators": "rsi_14",
    "no_ema_200": "ema_200",
    "no_prior_day": "prior_day_close",
    "no_prior_week": "prior_week_close",
    "no_day_atr": "atr_day_pct",
    "no_week_trend": "mtf_trend_week",
    "no_day_trend": "mtf_trend_day",
    "no_1h_trend": "mtf_trend_1h",
    "no_15m_trend": "mtf_trend_15m",
    "no_regime": "market_regime",
    "no_vix": "vix_level",
    "no_iv_percentile": "iv_percentile",
    "no_chain": "chain_age_minutes",
    "no_flow": "flow_score",
}
"""Label, and the feature or level whose absence it names."""
MISSING_OF_DAYS = (
    "no_rvol",
    "no_average_volume",
    "no_prior_day",
    "no_prior_week",
    "no_day_atr",
    "no_week_trend",
    "no_day_trend",
    "no_regime",
    "no_vix",
    "no_iv_percentile",
    "no_chain",
)
"""Labels that apply to daily frames, which never have features made of minute bars."""
IDLE_MINUTES = 15
FULL_WINDOW = 20


def list_volume_labels(tape: SymbolTape) -> list[str]:
    """Return the label of an index's volume source; empty for other symbols."""
    if tape.asset_class is not AssetClass.INDEX:
        return []
    return ["no_volume" if tape.proxy is None else f"volume_of_{tape.proxy.symbol}"]


def list_missing(values: Mapping[str, Floats], last: Integers, asked: tuple[str, ...] = tuple(MISSING)) -> list[str]:
    """Return labels of values that are missing in any of the rows `last`."""
    answers = np.array([values[MISSING[label]][last] for label in asked])
    unknown: list[bool] = np.isnan(answers).any(axis=1).tolist()
    return [label for label, is_unknown in zip(asked, unknown, strict=True) if is_unknown]


def list_short_windows(name: str, sessions: Integers) -> list[str]:
    """Return `<name>_of_<n>_sessions` for every n below 20 that occurs."""
    return [f"{name}_of_{n}_sessions" for n in sorted(set(sessions.tolist())) if n < FULL_WINDOW]
