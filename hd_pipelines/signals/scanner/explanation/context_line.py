"""The one-line summary of a signal's context. It is stored with the signal, so its wording must not change.

Example: "IV 23rd pctl · short gamma STRONG · 4 of 4 timeframes up · flow none · WEAK_UPTREND". Unknown parts are named as
unknown.
"""

from __future__ import annotations

import math

from hd_pipelines.signals.catalogue import decode_value
from hd_pipelines.signals.engines.mtf_alignment import WEIGHTS
from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.tape import Contexts, find_newest
from hd_pipelines.tables.vocabulary import DealerPositioning, Direction

_POSITIONING = {
    DealerPositioning.LONG_GAMMA: "long gamma",
    DealerPositioning.SHORT_GAMMA: "short gamma",
    DealerPositioning.NEUTRAL: "neutral gamma",
}
_FLOW = {1.0: "bullish", 0.0: "mixed", -1.0: "bearish"}


def describe_context(frame: FeatureFrame, row: int, contexts: Contexts, direction: Direction) -> str:
    """Describe volatility, gamma, trends, flow and regime of a row, as known at its instant."""
    return " · ".join(
        (
            _describe_volatility(frame, row),
            _describe_gamma(frame, row, contexts),
            _describe_trends(frame, row, direction),
            _describe_flow(frame, row, contexts),
            decode_value("market_regime", float(frame["market_regime"][row])) or "regime unknown",
        )
    )


def format_ordinal(number: int) -> str:
    """Format a number as 1st, 2nd, 3rd, 4th, 11th, 23rd."""
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _describe_volatility(frame: FeatureFrame, row: int) -> str:
    percentile = float(frame["iv_percentile"][row])
    return "IV unknown" if math.isnan(percentile) else f"IV {format_ordinal(round(100.0 * percentile))} pctl"


def _describe_gamma(frame: FeatureFrame, row: int, contexts: Contexts) -> str:
    known = find_newest(contexts.gamma, int(frame.as_of_ns[row]))
    if known is None or known.positioning is None:
        return "gamma unknown"
    strength = f" {known.strength.value}" if known.strength is not None else ""
    return f"{_POSITIONING[known.positioning]}{strength}"


def _describe_trends(frame: FeatureFrame, row: int, direction: Direction) -> str:
    trends = [float(frame[f"mtf_trend_{name}"][row]) for name in WEIGHTS]
    known = [trend for trend in trends if not math.isnan(trend)]
    if not known:
        return "trends unknown"
    towards = "up" if direction is Direction.LONG else "down"
    return f"{sum(trend * direction.sign > 0 for trend in known)} of {len(known)} timeframes {towards}"


def _describe_flow(frame: FeatureFrame, row: int, contexts: Contexts) -> str:
    if contexts.prints is None:
        return "flow none"
    bias, score = float(frame["flow_bias"][row]), float(frame["flow_score"][row])
    if math.isnan(score):
        return "flow too thin"
    return "flow of unknown side" if math.isnan(bias) else f"flow {_FLOW[bias]}"
