"""Five context engines: each reads one kind of context and returns how it scales a trade's score.

`readings` order: implied volatility, gamma, multi-timeframe alignment, flow, regime.
"""

from __future__ import annotations

from hd_pipelines.signals.engines import flow, gamma_exposure, iv_percentile, mtf_alignment, regime
from hd_pipelines.signals.engines.reading import Reading
from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.tape import Contexts, find_newest
from hd_pipelines.tables.vocabulary import Direction, TradingStyle


def read_shared(contexts: Contexts, frame: FeatureFrame, row: int, *, direction: Direction) -> list[Reading]:
    """Read the four engines whose answer is the same for every style: volatility, gamma, alignment, flow."""
    as_of_ns = int(frame.as_of_ns[row])
    price = float(frame.columns["price"][row])
    return [
        iv_percentile.read(find_newest(contexts.iv, as_of_ns), as_of_ns=as_of_ns, direction=direction),
        gamma_exposure.read(find_newest(contexts.gamma, as_of_ns), as_of_ns=as_of_ns, direction=direction, price=price),
        mtf_alignment.read(frame, row, direction=direction),
        flow.read(contexts.prints, as_of_ns=as_of_ns, direction=direction),
    ]


def read_regime(
    contexts: Contexts, frame: FeatureFrame, row: int, *, direction: Direction, style: TradingStyle
) -> Reading:
    """Read the regime engine, which depends on the style and is applied last."""
    as_of_ns = int(frame.as_of_ns[row])
    return regime.read(find_newest(contexts.regime, as_of_ns), as_of_ns=as_of_ns, direction=direction, style=style)
