"""The IV gate: whether options may be bought at the current implied volatility, and how it scales the position size.

The percentile is among 252 sessions. The gate changes only the size, because the IV engine already changes the score.
Earnings dates are not considered; no source here provides them. A missing percentile, or one so old that the IV engine
ignores it, lets the signal pass with a label.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean

from hd_pipelines.signals.engines.freshness import measure_freshness
from hd_pipelines.signals.scanner.policy.scan_policy import IvGateRules
from hd_pipelines.signals.tape import IvContext, find_newest
from hd_pipelines.tables.vocabulary import ContextEngine


@dataclass(frozen=True, slots=True)
class IvGate:
    """percentile: 0 to 1, None if unknown. change: relative change of IV against the mean of the readings before it.

    size: multiplier of the position size.
    """

    percentile: float | None
    change: float | None
    is_blocked: bool
    size: float
    reason: str

    def to_json(self) -> dict[str, object]:
        """Return the gate's result as JSON-ready values."""
        return {
            "percentile": self.percentile,
            "change": round(self.change, 6) if self.change is not None else None,
            "passes": not self.is_blocked,
            "size": self.size,
            "reason": self.reason,
        }


def evaluate_iv_gate(history: Sequence[IvContext], as_of_ns: int, rules: IvGateRules) -> IvGate:
    """Evaluate the IV known at `as_of_ns`. `history`: the symbol's rows, ascending; rows after `as_of_ns` are ignored."""
    row = find_newest(history, as_of_ns)
    if row is None or row.iv_percentile is None:
        why = "no row of this symbol" if row is None else row.reason or "its row has none"
        return IvGate(None, None, is_blocked=False, size=1.0, reason=f"IV percentile unknown: {why}")
    if not measure_freshness(ContextEngine.IV_PERCENTILE, row.known_at_ns, as_of_ns).share:
        return IvGate(None, None, is_blocked=False, size=1.0, reason="IV percentile is too old")
    percentile = row.iv_percentile
    change = _change(history, row, rules.readings)
    rank = f"{percentile:.0%} of sessions had a lower IV"
    if percentile >= rules.blocked_from:
        return IvGate(percentile, change, is_blocked=True, size=1.0, reason=f"{rank}: too dear to buy")
    if percentile > rules.optimal_to:
        size, what = rules.if_elevated, "elevated"
    elif percentile >= rules.optimal_from:
        size, what = rules.if_optimal, "optimal"
    else:
        size, what = rules.if_cheap, "cheap"
    if change is not None and change < rules.crush_below:
        size, what = size * rules.after_crush, f"{what}, after a crush of {-change:.0%}"
    elif change is not None and change > rules.spike_above:
        size, what = size * rules.after_spike, f"{what}, after a spike of {change:.0%}"
    size = round(min(max(size, rules.least), rules.most), 6)
    return IvGate(percentile, change, is_blocked=False, size=size, reason=f"{rank}: {what}")


def _change(history: Sequence[IvContext], row: IvContext, readings: int) -> float | None:
    """Return the relative change of IV against the mean of the `readings` before `row`; None with fewer readings."""
    end = bisect_left(history, row.known_at_ns, key=lambda each: each.known_at_ns)
    known = (each.iv30 for each in reversed(history[:end]) if each.iv30 is not None)
    before = list(islice(known, readings))
    if row.iv30 is None or len(before) < readings or not fmean(before) > 0.0:
        return None
    return row.iv30 / fmean(before) - 1.0
