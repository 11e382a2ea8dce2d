"""What a detector's settled signals say about its next one.

Belongs here: the multiplier of a style's score and the verdict that a detector has lost its edge. Steps are the policy's.
Source: product facts §3.7, which has the ranges and no formula; ours is the mean result in R, full at half an R either way:

    multiplier = 1 + span × mean R / 0.5, within 1 ± span

where the span is 0 below 5 signals, 0.05 below 20, 0.15 below 40, then 0.30. From 40 on, a profit factor below 0.9 or a
win rate below 45 % keeps new signals back, until enough of those have passed out of the 30 days.
"""

from __future__ import annotations

from dataclasses import dataclass

from hd_pipelines.signals.scanner.policy.scan_policy import EdgeRules
from hd_pipelines.signals.scanner.signal import Edge


@dataclass(frozen=True, slots=True)
class EdgeVerdict:
    """multiplier: of a style's score. is_lost: no signal of this style now."""

    multiplier: float
    is_lost: bool
    reason: str

    def to_json(self) -> dict[str, object]:
        """JSON-ready."""
        return {"multiplier": self.multiplier, "passes": not self.is_lost, "reason": self.reason}


def evaluate_edge(edge: Edge | None, rules: EdgeRules) -> EdgeVerdict:
    """The verdict on one detector and style; None and few signals say nothing. `lost_r` may carry either sign."""
    if edge is None or edge.count < max(rules.few, 1):
        return EdgeVerdict(1.0, is_lost=False, reason=f"{edge.count if edge else 0} settled signals say nothing yet")
    lost = abs(edge.lost_r)
    mean_r = (edge.won_r - lost) / edge.count
    win_rate = edge.wins / edge.count
    told = f"{edge.count} settled signals: {win_rate:.0%} won, mean {mean_r:+.2f} R"
    if edge.count >= rules.many and (edge.won_r < rules.min_profit_factor * lost or win_rate < rules.min_win_rate):
        return EdgeVerdict(1.0, is_lost=True, reason=told)
    span = rules.span_of_few
    if edge.count >= rules.some:
        span = rules.span_of_some if edge.count < rules.many else rules.span_of_many
    share = min(max(mean_r / rules.full_at_r, -1.0), 1.0)
    return EdgeVerdict(round(1.0 + span * share, 6), is_lost=False, reason=told)
