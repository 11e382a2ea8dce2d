"""The exchange calendar as arrays, to place bars of many sessions at once. The calendar itself is `market.sessions`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hd_pipelines.market.sessions import get_regular_hours, list_known_sessions
from hd_pipelines.signals.frame import Integers
from hd_pipelines.signals.tape import to_day_number


class ExchangeDays(NamedTuple):
    """All sessions of the calendar, ascending; shape (n,). "Position" elsewhere means a session's index here.

    day: days since 1970-01-01. minutes: length of the session. week: number of its Monday-to-Sunday week.
    week_sessions: how many sessions that week has. week_begins: day of the week's first session.
    """

    day: Integers
    opens_ns: Integers
    closes_ns: Integers
    minutes: Integers
    week: Integers
    week_sessions: Integers
    week_begins: Integers


def load_exchange_days() -> ExchangeDays:
    """Load the calendar, which covers at least every session passed to `find_positions` so far; cached."""
    return _build_exchange_days(len(list_known_sessions()))


@lru_cache(maxsize=4)
def _build_exchange_days(known: int) -> ExchangeDays:
    sessions = list_known_sessions()[:known]
    hours = [get_regular_hours(session) for session in sessions]
    day = np.array([to_day_number(session) for session in sessions], np.int64)
    week = compute_week(day)
    _, first, number, count = np.unique(week, return_index=True, return_inverse=True, return_counts=True)
    return ExchangeDays(
        day,
        np.array([each.opens_at_ns for each in hours], np.int64),
        np.array([each.closes_at_ns for each in hours], np.int64),
        np.array([each.minutes for each in hours], np.int64),
        week,
        count[number].astype(np.int64),
        day[first][number],
    )


def compute_week(day: Integers) -> Integers:
    """Compute the number of a day's Monday-to-Sunday week; 1970-01-01 was a Thursday."""
    week: Integers = (day + 3) // 7
    return week


def find_positions(sessions: Sequence[date]) -> Integers:
    """Find the positions of sessions in `load_exchange_days`.

    Raises `ValueError` for a day without a session, and if the sessions do not ascend.
    """
    known = _number_sessions(len(list_known_sessions(max(sessions, default=None))))
    unknown = [session for session in sessions if session not in known]
    if unknown:
        raise ValueError(f"{unknown[0]} is not an exchange session; use sessions from market.sessions")
    positions = np.array([known[session] for session in sessions], np.int64)
    if (positions[1:] <= positions[:-1]).any():
        raise ValueError("sessions must ascend without repeats; sort them")
    return positions


@lru_cache(maxsize=4)
def _number_sessions(count: int) -> dict[date, int]:
    return {session: position for position, session in enumerate(list_known_sessions()[:count])}
