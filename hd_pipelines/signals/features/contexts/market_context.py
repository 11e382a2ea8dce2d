"""Features of market regime, VIX, implied volatility and option flow known at each row.

Uses the newest row of `market_regime_history` and `iv_percentile_cache` known at each row. A row more than five sessions
old counts as unknown, so that a pipeline that stopped a week ago does not pass for today's market. Prints are counted by
`signals.flow_window`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hd_pipelines.market.sessions import subtract_trading_minutes
from hd_pipelines.signals.catalogue import encode_value
from hd_pipelines.signals.features.contexts.newest_known import find_newest_of_each, select_known_between
from hd_pipelines.signals.flow_window import WINDOW_HOURS, compute_flow_columns
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import Contexts, Known, Prints
from hd_pipelines.tables.vocabulary import REGIME_FAMILIES, MarketRegime, VixRegime

OLDEST_MINUTES = 5 * 390.0
"""Trading minutes."""
REGIME_FEATURES = ("market_regime", "regime_family", "vix_regime", "vix_level")
IV_FEATURES = ("iv_percentile", "iv30")
_REGIMES = {regime: encode_value("market_regime", regime) for regime in MarketRegime}
_FAMILIES = {regime: encode_value("regime_family", family) for regime, family in REGIME_FAMILIES.items()}
_VIX = {regime: encode_value("vix_regime", regime) for regime in VixRegime}


def compute_market_features(contexts: Contexts, as_of_ns: Integers, clock_ns: Integers) -> dict[str, Floats]:
    """Compute `REGIME_FEATURES`, `IV_FEATURES` and flow features of rows at `as_of_ns` (ascending).

    `clock_ns`: `measure_trading_time_ns` of `as_of_ns`. NaN where nothing recent is known.
    """
    regimes = select_known_between(contexts.regime, as_of_ns)
    of_regimes = [
        (
            _REGIMES.get(row.market_regime) if row.market_regime else None,
            _FAMILIES.get(row.market_regime) if row.market_regime else None,
            _VIX.get(row.vix_regime) if row.vix_regime else None,
            row.vix_level,
        )
        for row in regimes
    ]
    ivs = select_known_between(contexts.iv, as_of_ns)
    of_ivs = [(row.iv_percentile, row.iv30) for row in ivs]
    return {
        **dict(
            zip(REGIME_FEATURES, _at_rows(regimes, of_regimes, len(REGIME_FEATURES), as_of_ns, clock_ns), strict=True)
        ),
        **dict(zip(IV_FEATURES, _at_rows(ivs, of_ivs, len(IV_FEATURES), as_of_ns, clock_ns), strict=True)),
        **_flow_features(contexts.prints, as_of_ns),
    }


def _at_rows(
    known: Sequence[Known],
    values: Sequence[tuple[float | None, ...]],
    features: int,
    as_of_ns: Integers,
    clock_ns: Integers,
) -> Floats:
    """Return the values of the newest context row at each row, shape (features, n)."""
    if not known:
        return np.full((features, as_of_ns.size), np.nan)
    table = np.full((features, len(known) + 1), np.nan)
    table[:, :-1] = np.array(values, np.float64).T
    newest, _ = find_newest_of_each(known, as_of_ns, clock_ns, OLDEST_MINUTES)
    answers: Floats = table.take(newest, axis=1)
    return answers


def _flow_features(prints: Prints | None, as_of_ns: Integers) -> dict[str, Floats]:
    """Compute flow columns from only those prints that fall into some row's window."""
    if prints is None or as_of_ns.size == 0:
        return compute_flow_columns(prints, as_of_ns)
    oldest = subtract_trading_minutes(int(as_of_ns[0]), 60.0 * WINDOW_HOURS)
    first, end = prints.at_ns.searchsorted([oldest, int(as_of_ns[-1])], side="right").tolist()
    return compute_flow_columns(prints.select(slice(first, end)), as_of_ns)
