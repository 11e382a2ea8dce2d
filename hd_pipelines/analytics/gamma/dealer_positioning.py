"""Classifies a snapshot's dealer gamma relative to the same underlying's own past.

A billion dollars per 1 % is a quiet day for SPX and unheard of for a single stock. Therefore no cut-off is in dollars and
no distance in percent of spot: sizes are ranked among the underlying's earlier sessions, distances counted in its own daily
moves. The cut-offs are this project's. Expected behaviour describes what hedging does, not the direction: short gamma
amplifies rises and falls alike.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from hd_pipelines.tables.vocabulary import DealerPositioning, ExpectedBehavior, PositioningStrength

HISTORY_SESSIONS = 252
FEWEST_SESSIONS = 20
NEUTRAL_SHARE_OF_MEDIAN = 0.10
"""With a history: neutral if |gamma| is below this share of the median |gamma| of the underlying's earlier sessions."""
NEUTRAL_SHARE_OF_GROSS = 0.02
"""Without a history: neutral if |calls + puts| is below this share of |calls| + |puts|."""
STRENGTH_CUT_OFFS = (
    (0.25, PositioningStrength.WEAK),
    (0.75, PositioningStrength.MODERATE),
    (0.95, PositioningStrength.STRONG),
)
"""The class applies below this share of earlier sessions with strictly less |gamma|; EXTREME above the last one."""
PIN_MOVES = 0.25
FLIP_MOVES = 1.0
HISTORY_TOO_SHORT = f"history_below_{FEWEST_SESSIONS}_sessions"


class Position(NamedTuple):
    """Classes of one snapshot. `reason` says why `strength` (or both) is None; else it is None."""

    positioning: DealerPositioning | None
    strength: PositioningStrength | None
    reason: str | None
    n_history: int


def classify_position(gex: float | None, gross: float | None, earlier: Sequence[float]) -> Position:
    """Classify sign and size of one snapshot's gamma.

    Args:
        gex: net dealer gamma, dollars per 1 % move; None if unknown.
        gross: |calls| + |puts| in the same unit.
        earlier: `gex` of earlier sessions of the same underlying, one per session, oldest first; the last 252 count.
    """
    past = np.abs(np.asarray(earlier[-HISTORY_SESSIONS:], dtype=np.float64))
    if gex is None or not gross:
        return Position(None, None, "no_gamma", past.size)
    size = abs(gex)
    is_long = gex > 0
    if past.size < FEWEST_SESSIONS:
        is_neutral = size < NEUTRAL_SHARE_OF_GROSS * gross
        return Position(_classify_sign(is_neutral, is_long), None, HISTORY_TOO_SHORT, past.size)
    share = float(np.mean(past < size))
    strength = next((name for cut, name in STRENGTH_CUT_OFFS if share < cut), PositioningStrength.EXTREME)
    is_neutral = size == 0 or size < NEUTRAL_SHARE_OF_MEDIAN * float(np.median(past))
    return Position(_classify_sign(is_neutral, is_long), strength, None, past.size)


def _classify_sign(is_neutral: bool, is_long: bool) -> DealerPositioning:
    if is_neutral:
        return DealerPositioning.NEUTRAL
    return DealerPositioning.LONG_GAMMA if is_long else DealerPositioning.SHORT_GAMMA


def classify_expected_behavior(
    positioning: DealerPositioning | None, moves_to_pin: float | None, moves_to_flip: float | None
) -> ExpectedBehavior | None:
    """Classify what hedging does to the underlying. The first rule that applies decides.

    None only where `positioning` is None.

    | positioning | and                                              | behaviour   | because                          |
    |-------------|--------------------------------------------------|-------------|----------------------------------|
    | long gamma  | a pin level is at most 0.25 daily moves away     | PINNING     | hedging is strongest there       |
    | long gamma  | otherwise                                        | RANGE_BOUND | dealers sell rises and buy falls |
    | short gamma | zero gamma is at most 1 daily move away          | VOLATILE    | hedging turns within a day       |
    | short gamma | otherwise, or there is no zero gamma             | TRENDING    | hedging chases either direction  |
    | neutral     | zero gamma is at most 1 daily move away          | VOLATILE    | the sign is a day's move away    |
    | neutral     | otherwise                                        | TRENDING    | no hedging opposes a move        |

    Args:
        positioning: sign of the gamma.
        moves_to_pin: distance to the nearest pin level (the strike of most gamma, max pain while its expiration is
            near) in daily moves, one standard deviation of a session; None if there is no such level.
        moves_to_flip: distance to the nearest zero-gamma spot in daily moves; None if there is none.
    """
    if positioning is None:
        return None
    if positioning is DealerPositioning.LONG_GAMMA:
        near = moves_to_pin is not None and moves_to_pin <= PIN_MOVES
        return ExpectedBehavior.PINNING if near else ExpectedBehavior.RANGE_BOUND
    near = moves_to_flip is not None and moves_to_flip <= FLIP_MOVES
    return ExpectedBehavior.VOLATILE if near else ExpectedBehavior.TRENDING


class History:
    """Gamma of one underlying by session. If a session has several snapshots, the newest counts."""

    def __init__(self) -> None:
        self._sessions: list[date] = []
        self._values: list[float] = []

    def add(self, session: date, gex: float | None) -> None:
        """Add a snapshot; None is no observation. Raises `ValueError` unless snapshots come in time order."""
        if self._sessions and session < self._sessions[-1]:
            raise ValueError(f"{session} comes after {self._sessions[-1]}; sort the history by time")
        if gex is None:
            return
        if self._sessions and self._sessions[-1] == session:
            self._values[-1] = gex
        else:
            self._sessions.append(session)
            self._values.append(gex)

    def before(self, session: date) -> Sequence[float]:
        """Gamma of the sessions before `session`, oldest first."""
        return self._values[: bisect_left(self._sessions, session)]
