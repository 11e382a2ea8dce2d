"""Labels that name what is missing or stale about the row behind a signal.

A frame's own labels describe its last rows. A signal carries only labels of its own row, so that it is the same signal
whenever its minute is scanned.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from hd_pipelines.market.symbols import VOLUME_PROXIES
from hd_pipelines.signals.engines.reading import Reading
from hd_pipelines.signals.features.indicators.relative_volume import FEWEST_SESSIONS
from hd_pipelines.signals.features.labels import FULL_WINDOW, MISSING, MISSING_OF_DAYS, RVOL_FROM_DAYS
from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.scanner.planning.trade_plan import ATR_OF_STYLE, has_atr
from hd_pipelines.signals.scanner.scoring.styles import STYLES
from hd_pipelines.tables.vocabulary import ContextStatus, Resolution


def list_row_labels(frame: FeatureFrame, row: int, readings: Iterable[Reading]) -> list[str]:
    """Return labels such as `no_vix`, `rvol_of_7_sessions`, `volume_of_SPY`, `regime_fading`; without repeats."""
    return list(
        dict.fromkeys((*_list_volume_labels(frame, row), *_list_missing(frame, row), *_list_context_labels(readings)))
    )


def _list_volume_labels(frame: FeatureFrame, row: int) -> Iterator[str]:
    if frame["is_proxy_volume"][row] == 1.0:
        yield f"volume_of_{VOLUME_PROXIES.get(frame.symbol, 'another_symbol')}"
    sessions = float(frame["rvol_sessions"][row])
    if sessions < FULL_WINDOW:
        yield f"rvol_of_{sessions:.0f}_sessions"
    if sessions < FEWEST_SESSIONS and not math.isnan(frame["rvol"][row]):
        yield RVOL_FROM_DAYS


def _list_missing(frame: FeatureFrame, row: int) -> Iterator[str]:
    is_of_days = frame.resolution is Resolution.DAY
    for label in MISSING_OF_DAYS if is_of_days else MISSING:
        feature = MISSING[label]
        if math.isnan((frame.columns if feature in frame.columns else frame.levels)[feature][row]):
            yield label
    if not is_of_days:
        yield from (f"no_{ATR_OF_STYLE[style]}" for style in STYLES if not has_atr(frame, row, style))


def _list_context_labels(readings: Iterable[Reading]) -> Iterator[str]:
    for reading in readings:
        if reading.status is not ContextStatus.FRESH:
            yield f"{reading.engine.value}_{'missing' if reading.status is ContextStatus.MISSING else 'fading'}"
