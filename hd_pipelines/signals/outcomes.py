"""Settle a signal from the bars after it: stop, target or time, and the result in R.

The rule: a position is entered at the signal's entry price at the signal's instant, is held whole, and its stop never moves.

- In each bar the stop is checked first: a bar that touches both stop and target counts as a loss, since it does not show
  which came first. A bar that opens beyond the stop exits at its open, which is worse than the stop.
- Then the third target: it exits there, even if the bar opens beyond it.
- When the signal expires, it exits at the last close. Beyond the second target that is T2, beyond the first T1, otherwise
  EXPIRED. A target that was touched and lost again does not count; the favorable excursion shows it.
- If nothing traded while the signal was valid (a halt), it exits at the first open after that; beyond the stop that is a
  STOP.

Bars must be on the same basis as the entry price: not adjusted for a later split.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

import numpy as np

from hd_pipelines.market.instants import to_ns
from hd_pipelines.market.sessions import count_trading_minutes
from hd_pipelines.signals.detectors.rules.conditions import Booleans
from hd_pipelines.signals.frame import Floats
from hd_pipelines.signals.tape import Bars
from hd_pipelines.tables.vocabulary import Direction, ExitReason, SignalStatus

_PLACES = Decimal("0.0001")
STATUS = {
    ExitReason.STOP: SignalStatus.STOPPED,
    ExitReason.TARGET_1: SignalStatus.TARGET_HIT,
    ExitReason.TARGET_2: SignalStatus.TARGET_HIT,
    ExitReason.TARGET_3: SignalStatus.TARGET_HIT,
    ExitReason.EXPIRED: SignalStatus.EXPIRED,
}
"""Signal status by exit reason."""


class Plan(Protocol):
    """The fields of a signal that its outcome depends on. Times carry a timezone."""

    @property
    def direction(self) -> Direction: ...
    @property
    def entry_price(self) -> Decimal: ...
    @property
    def stop_price(self) -> Decimal: ...
    @property
    def target_1(self) -> Decimal: ...
    @property
    def target_2(self) -> Decimal: ...
    @property
    def target_3(self) -> Decimal: ...
    @property
    def as_of(self) -> datetime: ...
    @property
    def valid_until(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a signal ended. R is the risk: entry to stop.

    max_favorable_excursion_r ≥ 0 and max_adverse_excursion_r ≤ 0: the best and worst price while held. Of the bar that hit
    the stop only the open counts as favorable, since the rest may have come later. highest_target: touched before the end,
    0 to 3. hold_minutes: in trading time.
    """

    exit_reason: ExitReason
    exit_price: Decimal
    exited_at: datetime
    r_multiple: float
    max_favorable_excursion_r: float
    max_adverse_excursion_r: float
    highest_target: int
    hold_minutes: float

    @property
    def status(self) -> SignalStatus:
        """Status of the settled signal."""
        return STATUS[self.exit_reason]


def settle(signal: Plan, bars: Bars, *, until_ns: int) -> Outcome | None:
    """Settle a signal from bars that had ended at `until_ns`; None while it is still open.

    bars: the symbol's bars of any length, ascending; those that start before the signal are ignored. Once settled, later
    bars change nothing. Raises `ValueError` if the stop is on the wrong side of the entry.
    """
    as_of_ns, lapses_ns = to_ns(signal.as_of), to_ns(signal.valid_until)
    bars = bars.until(until_ns)
    bars = bars.select(slice(int(np.searchsorted(bars.starts_ns, as_of_ns)), None))
    held = bars.select(slice(0, int(np.searchsorted(bars.ends_ns, lapses_ns, side="right"))))
    scale = _Scale.of(signal)
    end = _find_exit_while_held(signal, held, scale)
    if end is None and until_ns >= lapses_ns:
        end = _find_exit_after_lapse(held, bars, scale)
    if end is None:
        return None
    return Outcome(
        exit_reason=end.reason,
        exit_price=end.price,
        exited_at=datetime.fromtimestamp(end.at_ns // 1_000_000_000, UTC),
        r_multiple=end.move,
        max_favorable_excursion_r=end.best,
        max_adverse_excursion_r=end.worst,
        highest_target=sum(end.best >= target for target in scale.targets),
        hold_minutes=count_trading_minutes(as_of_ns, end.at_ns),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """Converts prices to distances from the entry in R, positive where the trade gains."""

    entry: float
    risk: float
    targets: tuple[float, float, float]

    @classmethod
    def of(cls, signal: Plan) -> _Scale:
        entry, stop, sign = float(signal.entry_price), float(signal.stop_price), signal.direction.sign
        risk = entry - stop
        if not risk * sign > 0.0:
            side = "below" if signal.direction is Direction.LONG else "above"
            raise ValueError(
                f"the stop of a {signal.direction} signal must lie {side} its entry {entry:g}, not at {stop:g}"
            )
        first, second, third = (
            (float(price) - entry) / risk for price in (signal.target_1, signal.target_2, signal.target_3)
        )
        return cls(entry, risk, (first, second, third))

    def to_r(self, prices: Floats) -> Floats:
        """Convert prices to R."""
        return (prices - self.entry) / self.risk

    def find_reason(self, move: float) -> ExitReason:
        """Find the exit reason of the highest target that a move has reached."""
        reached = sum(move >= target for target in self.targets)
        return (ExitReason.EXPIRED, ExitReason.TARGET_1, ExitReason.TARGET_2, ExitReason.TARGET_3)[reached]


class _End(NamedTuple):
    """move, best, worst: in R."""

    reason: ExitReason
    price: Decimal
    at_ns: int
    move: float
    best: float
    worst: float


def _find_exit_while_held(signal: Plan, held: Bars, scale: _Scale) -> _End | None:
    """Find where the stop or the third target ends the trade."""
    opens = scale.to_r(held.open)
    edges = np.stack((scale.to_r(held.high), scale.to_r(held.low)))
    best, worst = edges.max(axis=0), edges.min(axis=0)
    third = scale.targets[2]
    stopped, reached = _find_first(worst <= -1.0), _find_first(best >= third)
    if stopped < len(held) and stopped <= reached:
        before = _find_most(best[:stopped], max(float(opens[stopped]), 0.0))
        gap = float(opens[stopped])
        if gap <= -1.0:
            return _End(
                ExitReason.STOP, _to_decimal(held.open[stopped]), int(held.starts_ns[stopped]), gap, before, gap
            )
        return _End(ExitReason.STOP, signal.stop_price, int(held.ends_ns[stopped]), -1.0, before, -1.0)
    if reached < len(held):
        deepest = -_find_most(-worst[: reached + 1], 0.0)
        return _End(ExitReason.TARGET_3, signal.target_3, int(held.ends_ns[reached]), third, third, deepest)
    return None


def _find_exit_after_lapse(held: Bars, bars: Bars, scale: _Scale) -> _End | None:
    """Find the exit of an expired signal; None until the symbol trades again."""
    if len(held):
        edges = np.stack((scale.to_r(held.high), scale.to_r(held.low)))
        move = float(scale.to_r(held.close[-1:])[0])
        best, worst = max(float(edges.max()), 0.0), min(float(edges.min()), 0.0)
        return _End(scale.find_reason(move), _to_decimal(held.close[-1]), int(held.ends_ns[-1]), move, best, worst)
    if not len(bars):
        return None
    move = float(scale.to_r(bars.open[:1])[0])
    reason = ExitReason.STOP if move <= -1.0 else scale.find_reason(move)
    return _End(reason, _to_decimal(bars.open[0]), int(bars.starts_ns[0]), move, max(move, 0.0), min(move, 0.0))


def _find_first(where: Booleans) -> int:
    """Return the position of the first True; the length if there is none."""
    return int(np.argmax(where)) if where.any() else where.size


def _find_most(moves: Floats, least: float) -> float:
    return max(float(moves.max()), least) if moves.size else least


def _to_decimal(price: float) -> Decimal:
    return Decimal(float(price)).quantize(_PLACES)
