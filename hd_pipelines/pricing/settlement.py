"""When a contract settles, and how much time is left until then.

Belongs here: the settlement instant of an expiration by calendar and product, and years to it in minutes. Not here: what
a root is (`market.option_products`), opening hours (`market.sessions`).

- A morning-settled index option (SPX, NDX, RUT, VIX) settles on the opening prices of its expiration day: 09:30 New York.
- Everything else settles at the close: 16:00, or 13:00 on an early close. The quarter of an hour that some products
  trade on is not theirs on the day they expire.
- An expiration without a session (a holiday Friday; the Saturdays of symbols before 2015) means the session before it.
Sources: Cboe, "SPX Options Product Specifications" and "Cash Settlement"; OCC, expiration moved from Saturday to Friday
in February 2015.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import polars as pl

from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.market.option_products import SettlementTime, product_of_root
from hd_pipelines.market.sessions import NEW_YORK, is_session, regular_hours

MINUTES_PER_YEAR = 365 * 24 * 60
_MICROSECONDS_PER_MINUTE = 60_000_000
_OPEN, _CLOSE = time(9, 30), time(16)
_LONGEST_CLOSURE_DAYS = 7


def settlement_session(expiration: date) -> date:
    """The session on which `expiration` settles: itself, or the one before if the exchange is closed that day.

    Before the calendar's beginning and from 2100 on only weekends are known; a holiday there stays unmoved.
    """
    for days in range(_LONGEST_CLOSURE_DAYS + 1):
        if is_session(session := expiration - timedelta(days=days)):
            return session
    return expiration - timedelta(days=max(expiration.weekday() - 4, 0))


@cache
def settlement_instant(settlement: SettlementTime, expiration: date) -> datetime:
    """UTC instant at which a contract that expires on `expiration` settles.

    Outside the calendar (before 2003, from 2100 on) early closes are not known and the normal close is taken.
    """
    session = settlement_session(expiration)
    if is_session(session):
        hours = regular_hours(session)
        return hours.opens_at if settlement is SettlementTime.MORNING else hours.closes_at
    clock = _OPEN if settlement is SettlementTime.MORNING else _CLOSE
    return datetime.combine(session, clock, tzinfo=NEW_YORK).astimezone(UTC)


def settlements(roots_and_expirations: pl.DataFrame) -> pl.DataFrame:
    """Settlement instants. Takes columns `root`, `expiration` with each pair once; returns them and `settles_at`."""
    instants = [
        settlement_instant(product_of_root(root).settlement, expiration)
        for root, expiration in roots_and_expirations.select("root", "expiration").iter_rows()
    ]
    return roots_and_expirations.select("root", "expiration").with_columns(
        pl.Series("settles_at", instants, dtype=STAMP)
    )


def years_between(start: pl.Series, end: pl.Series) -> pl.Series:
    """Years of 365 days from instants `start` to `end`, counted in minutes and parts of them; negative if over."""
    microseconds = (end - start).dt.total_microseconds().to_numpy()
    # NumPy's division is the exact one; polars multiplies whole lanes with the reciprocal, a bit off in some rows.
    return pl.Series("years", microseconds / (_MICROSECONDS_PER_MINUTE * MINUTES_PER_YEAR))
