"""Exchange sessions after the end of the calendar snapshot, computed by `exchange_calendars`.

The library takes more than a second to import and to compute, so `market.sessions` asks it only about days that the
snapshot does not cover. Its rules know regular holidays and early closes; closures that are announced later need a new
release of the library and a new snapshot (`make calendar`).
"""

from __future__ import annotations

import logging
from datetime import date, time

_EARLY_CLOSE = time(13)
_log = logging.getLogger(__name__)


def compute_later_sessions(first: date, last: date) -> tuple[tuple[date, ...], frozenset[date]]:
    """All sessions from `first` to `last`, ascending, and those of them that close at 13:00 New York."""
    import exchange_calendars

    _log.warning(
        "the calendar snapshot ends before %s: computing sessions until %s with exchange_calendars %s, which costs "
        "each process a second or two; update exchange-calendars in the lock and run `make calendar`",
        first,
        last,
        exchange_calendars.__version__,
    )
    schedule = exchange_calendars.get_calendar("XNYS", start=str(first), end=str(last)).schedule
    sessions = [stamp.date() for stamp in schedule.index]
    closes = schedule["close"].dt.tz_convert("America/New_York").dt.time
    early = frozenset(day for day, close in zip(sessions, closes, strict=True) if close <= _EARLY_CLOSE)
    return tuple(sessions), early
