"""What is known of the market and of the symbol's options beside its own bars: regime, VIX, implied volatility.

Belongs here: the newest row of `market_regime_history` and `iv_percentile_cache` known at each row. One that is more than
five sessions old is no answer: a pipeline that stopped a week ago must not pass for today's market.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, trading_time_ns
from hd_pipelines.market.vocabulary import REGIME_FAMILIES, MarketRegime, VixRegime
from hd_pipelines.signals.catalogue import code_of
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import Contexts, Known

OLDEST_MINUTES = 5 * 390.0
"""Trading minutes."""
REGIME_FEATURES = ("market_regime", "regime_family", "vix_regime", "vix_level")
IV_FEATURES = ("iv_percentile", "iv30")
_REGIMES = {regime: code_of("market_regime", regime) for regime in MarketRegime}
_FAMILIES = {regime: code_of("regime_family", family) for regime, family in REGIME_FAMILIES.items()}
_VIX = {regime: code_of("vix_regime", regime) for regime in VixRegime}


def market_features(contexts: Contexts, as_of_ns: Integers) -> dict[str, Floats]:
    """`REGIME_FEATURES` and `IV_FEATURES` of rows at `as_of_ns` (ascending); NaN where nothing recent is known."""
    regimes = _known_between(contexts.regime, as_of_ns)
    said = [
        (
            np.nan if row.market_regime is None else _REGIMES[row.market_regime],
            np.nan if row.market_regime is None else _FAMILIES[row.market_regime],
            np.nan if row.vix_regime is None else _VIX[row.vix_regime],
            row.vix_level,
        )
        for row in regimes
    ]
    ivs = _known_between(contexts.iv, as_of_ns)
    of_regimes = _newest([row.known_at_ns for row in regimes], said, len(REGIME_FEATURES), as_of_ns)
    of_ivs = _newest(
        [row.known_at_ns for row in ivs], [(row.iv_percentile, row.iv30) for row in ivs], len(IV_FEATURES), as_of_ns
    )
    return dict(zip((*REGIME_FEATURES, *IV_FEATURES), (*of_regimes, *of_ivs), strict=True))


def _known_between(rows: Sequence[Known], as_of_ns: Integers) -> Sequence[Known]:
    if as_of_ns.size == 0:
        return ()
    first, end = (bisect_right(rows, int(at), key=lambda row: row.known_at_ns) for at in as_of_ns[[0, -1]])
    return rows[max(first - 1, 0) : end]


def _newest(known_at: list[int], said: Sequence[tuple[float | None, ...]], features: int, as_of_ns: Integers) -> Floats:
    if not known_at:
        return np.full((features, as_of_ns.size), np.nan)
    table = np.full((features, len(known_at) + 1), np.nan)
    table[:, :-1] = np.array(said, np.float64).T
    known_ns = np.array(known_at, np.int64)
    row = known_ns.searchsorted(as_of_ns, side="right") - 1
    age_ns = trading_time_ns(as_of_ns) - trading_time_ns(known_ns)[row]
    row[age_ns > OLDEST_MINUTES * NANOSECONDS_PER_MINUTE] = -1
    answers: Floats = table.take(row, axis=1)
    return answers
