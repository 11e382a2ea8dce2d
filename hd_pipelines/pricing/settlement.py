"""Finds the instant at which a contract settles, by calendar and product, and the time left until then.

- A morning-settled index option (SPX, NDX, RUT, VIX) settles on the opening prices of its expiration day: 09:30 New York.
- Everything else settles at the close: 16:00, or 13:00 on an early close. Products that trade until 16:15 stop at 16:00 on
  the day they expire.
- An expiration on a day without a session (a holiday Friday; the Saturdays of symbols before 2015) means the session before
  it.

Sources: Cboe, "SPX Options Product Specifications" and "Cash Settlement"; OCC, expiration moved from Saturday to Friday in
February 2015. Products are in `market.option_products`, trading hours in `market.sessions`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import polars as pl

from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.market.option_products import SettlementTime, find_product
from hd_pipelines.market.sessions import NEW_YORK, get_regular_hours, is_session

MINUTES_PER_YEAR = 365 * 24 * 60
_MICROSECONDS_PER_MINUTE = 60_000_000
_OPEN, _CLOSE = time(9, 30), time(16)
_LONGEST_CLOSURE_DAYS = 7


def find_settlement_session(expiration: date) -> date:
    """Find the session on which `expiration` settles: that day, or the session before if the exchange is closed then.

    Outside the calendar only weekends are known; a holiday there is treated as a session.
    """
    for days in range(_LONGEST_CLOSURE_DAYS + 1):
        if is_session(session := expiration - timedelta(days=days)):
            return session
    return expiration - timedelta(days=max(expiration.weekday() - 4, 0))


@cache
def find_settlement_instant(settlement: SettlementTime, expiration: date) -> datetime:
    """Find the UTC instant at which a contract that expires on `expiration` settles.

    Beyond the end of the calendar early closes are unknown and the normal close is used.
    """
    session = find_settlement_session(expiration)
    if is_session(session):
        hours = get_regular_hours(session)
        return hours.opens_at if settlement is SettlementTime.MORNING else hours.closes_at
    clock = _OPEN if settlement is SettlementTime.MORNING else _CLOSE
    return datetime.combine(session, clock, tzinfo=NEW_YORK).astimezone(UTC)


def list_settlements(roots_and_expirations: pl.DataFrame) -> pl.DataFrame:
    """Add `settles_at` to `root` and `expiration`, which must contain each pair once. Returns these three columns."""
    instants = [
        find_settlement_instant(find_product(root).settlement, expiration)
        for root, expiration in roots_and_expirations.select("root", "expiration").iter_rows()
    ]
    return roots_and_expirations.select("root", "expiration").with_columns(
        pl.Series("settles_at", instants, dtype=STAMP)
    )


def count_years(start: pl.Series, end: pl.Series) -> pl.Series:
    """Count years of 365 days from the instants `start` to `end`, by minutes and fractions of them; negative if over."""
    microseconds = (end - start).dt.total_microseconds().to_numpy()
    # NumPy divides exactly; polars multiplies by the reciprocal, which is off in the last bit of some rows.
    return pl.Series("years", microseconds / (_MICROSECONDS_PER_MINUTE * MINUTES_PER_YEAR))
