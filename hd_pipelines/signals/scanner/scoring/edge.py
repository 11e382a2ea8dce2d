"""Edge: how the results of a detector's settled signals scale the score of its next one.

    multiplier = 1 + span × mean R / 0.5, bounded to 1 ± span

The full span applies at a mean result of half an R either way. The span is 0 below 5 signals, 0.05 below 20, 0.15 below
40, then 0.30. From 40 signals on, a profit factor below 0.9 or a win rate below 45 % rejects new signals until enough of
the losing ones have left the 30-day window.
"""

from __future__ import annotations

from dataclasses import dataclass

from hd_pipelines.signals.scanner.policy.scan_policy import EdgeRules
from hd_pipelines.signals.scanner.signal import Edge


@dataclass(frozen=True, slots=True)
class EdgeVerdict:
    """multiplier: applied to a style's score. is_lost: reject signals of this style."""

    multiplier: float
    is_lost: bool
    reason: str

    def to_json(self) -> dict[str, object]:
        """Return the verdict as JSON-ready values."""
        return {"multiplier": self.multiplier, "passes": not self.is_lost, "reason": self.reason}


def evaluate_edge(edge: Edge | None, rules: EdgeRules) -> EdgeVerdict:
    """Evaluate one detector and style. None or few signals leave the score unchanged. `lost_r` may have either sign."""
    if edge is None or edge.count < max(rules.few, 1):
        return EdgeVerdict(1.0, is_lost=False, reason=f"{edge.count if edge else 0} settled signals say nothing yet")
    lost = abs(edge.lost_r)
    mean_r = (edge.won_r - lost) / edge.count
    win_rate = edge.wins / edge.count
    reason = f"{edge.count} settled signals: {win_rate:.0%} won, mean {mean_r:+.2f} R"
    if edge.count >= rules.many and (edge.won_r < rules.min_profit_factor * lost or win_rate < rules.min_win_rate):
        return EdgeVerdict(1.0, is_lost=True, reason=reason)
    span = rules.span_of_few
    if edge.count >= rules.some:
        span = rules.span_of_some if edge.count < rules.many else rules.span_of_many
    share = min(max(mean_r / rules.full_at_r, -1.0), 1.0)
    return EdgeVerdict(round(1.0 + span * share, 6), is_lost=False, reason=reason)
