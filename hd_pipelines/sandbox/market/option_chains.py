"""Which option contracts are listed on a session: roots, expirations, strikes.

Listing rules simplified from the exchanges': third Fridays, daily and weekly series, Wednesday VIX expirations, adjusted
roots, holidays moved to the session before. `option_tape` decides who trades them and at what price.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hd_pipelines.market.sessions import is_session, list_sessions_between
from hd_pipelines.sandbox.market.daily_paths import Floats
from hd_pipelines.sandbox.market.universe import LEVELS, OptionRoot

STEPS = (0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
STEPS_TO_PRICE = 80.0
"""How many steps make the price of a share that is not in the table of instruments."""
HIGHEST_STRIKE = 99_999.0
"""A strike has five digits before the point in an OCC symbol."""


@dataclass(frozen=True, slots=True)
class ListedContracts:
    """Contracts of one session as flat arrays; `root` and `expiration` index into `roots` and `expirations`."""

    roots: Sequence[OptionRoot]
    expirations: list[date]
    root: NDArray[np.int64]
    expiration: NDArray[np.int64]
    strike: Floats
    is_call: NDArray[np.bool_]
    is_monthly: NDArray[np.bool_]

    def tickers(self, chosen: NDArray[np.int64]) -> pl.Series:
        """Build OCC tickers (`O:SPXW190501C01800000`) of the chosen contracts."""
        frame = pl.DataFrame(
            {
                "root": pl.Series([root.root for root in self.roots]).gather(self.root[chosen]),
                "ymd": pl.Series([f"{day:%y%m%d}" for day in self.expirations]).gather(self.expiration[chosen]),
                "right": np.where(self.is_call[chosen], "C", "P"),
                "strike": np.round(self.strike[chosen] * 1000).astype(np.int64),
            }
        )
        return frame.select(
            pl.format("O:{}{}{}{}", "root", "ymd", "right", pl.col("strike").cast(pl.String).str.zfill(8))
        ).to_series()


def find_session_on_or_before(day: date) -> date:
    """Return `day` if the exchange opens, else the session before."""
    while not is_session(day):
        day -= timedelta(days=1)
    return day


def find_third_friday(year: int, month: int) -> date:
    """Find the third Friday of a month, before moving it for a holiday."""
    first = date(year, month, 1)
    return first + timedelta(days=(4 - first.weekday()) % 7 + 14)


def list_monthly_expirations(session: date, months: int = 6, leaps: int = 2) -> list[date]:
    """List third-Friday expirations of the next `months` months, then the Januaries of the next `leaps` years."""
    near = [_add_months(session, offset) for offset in range(months + 1)]
    wanted = [*near, *((session.year + years, 1) for years in range(1, leaps + 1))]
    return sorted(
        {day for year, month in wanted if (day := find_session_on_or_before(find_third_friday(year, month))) >= session}
    )


def _add_months(session: date, offset: int) -> tuple[int, int]:
    return session.year + (session.month - 1 + offset) // 12, (session.month - 1 + offset) % 12 + 1


def _list_next_weekdays(session: date, weekday: int, count: int) -> list[date]:
    first = session + timedelta(days=(weekday - session.weekday()) % 7)
    return [find_session_on_or_before(first + timedelta(weeks=week)) for week in range(count)]


def _list_vix_expirations(session: date) -> list[date]:
    months = (_add_months(session, offset) for offset in range(1, 8))
    days = (find_session_on_or_before(find_third_friday(year, month) - timedelta(days=30)) for year, month in months)
    return sorted({day for day in days if day >= session})


def list_expirations(root: OptionRoot, session: date) -> list[date]:
    """List the expirations under `root` on `session`, ascending. Morning-settled ones are gone on their own day."""
    if (root.since and session < root.since) or (root.until and session > root.until):
        return []
    monthly = list_monthly_expirations(session)
    by_calendar = {
        "monthly": lambda: monthly,
        "weekly": lambda: [*_list_next_weekdays(session, 4, 6), *monthly],
        "daily": lambda: [
            *list_sessions_between(session, session + timedelta(days=7))[:5],
            *_list_next_weekdays(session, 4, 6),
            *monthly,
        ],
        "vix_monthly": lambda: _list_vix_expirations(session),
        "vix_weekly": lambda: [
            day for day in _list_next_weekdays(session, 2, 5) if day not in _list_vix_expirations(session)
        ],
    }
    days = sorted({day for day in by_calendar[root.calendar]() if day >= session})
    if root.until:
        days = [day for day in days if day <= root.until]
    return [day for day in days if day > session] if root.settles_in_the_morning else days


def list_strikes(spot: float, step: float, width: float) -> Floats:
    """List strikes on multiples of `step` within exp(±`width`) of `spot`; the step doubles until they are at most 91."""
    low, high = spot * np.exp(-width), min(spot * np.exp(width), HIGHEST_STRIKE)
    while (high - low) / step > 90:
        step *= 2
    strikes = np.arange(max(np.ceil(low / step), 1), np.floor(high / step) + 1) * step
    return np.asarray(strikes)


def list_contracts(roots: Sequence[OptionRoot], spots: Floats, vols: Floats, session: date) -> ListedContracts:
    """List all contracts on `session`. `spots` and `vols` (yearly) are the underlyings', one per root."""
    expirations: dict[date, int] = {}
    parts: list[tuple[int, int, Floats, bool]] = []
    monthly = set(list_monthly_expirations(session)) | set(_list_vix_expirations(session))
    by_root: dict[tuple[object, ...], list[date]] = {}
    for position, root in enumerate(roots):
        rule = (root.calendar, root.settles_in_the_morning, root.since, root.until)
        days = by_root.setdefault(rule, list_expirations(root, session))
        step = _find_strike_step(spots[position] * root.deliverable, root)
        for day in days:
            years = max((day - session).days, 2) / 365
            width = min(4.5 * vols[position] * np.sqrt(years) + 0.01, 1.2)
            coarser = 1 if years < 0.12 else 2 if years < 0.5 else 4
            strikes = list_strikes(spots[position] * root.deliverable, step * coarser, width)
            parts.append((position, expirations.setdefault(day, len(expirations)), strikes, day in monthly))
    counts = np.array([len(strikes) for _, _, strikes, _ in parts])

    def spread(values: list[int]) -> NDArray[np.int64]:
        return np.tile(np.repeat(np.array(values, dtype=np.int64), counts), 2)

    strike = np.tile(np.concatenate([strikes for _, _, strikes, _ in parts]), 2)
    return ListedContracts(
        roots,
        list(expirations),
        spread([part[0] for part in parts]),
        spread([part[1] for part in parts]),
        strike,
        np.arange(len(strike)) < len(strike) // 2,
        spread([part[3] for part in parts]) == 1,
    )


def _find_strike_step(price: float, root: OptionRoot) -> float:
    """Find dollars between strikes near the money, a step up or down the ladder for each doubling or halving of the price.

    Compared with the price that `strike_step` is meant for; so steps are steady while a price stays near its level.
    """
    if root.tick == "index" or root.calendar.startswith("vix"):
        return root.strike_step
    usual = LEVELS.get(root.underlying, STEPS_TO_PRICE * root.strike_step) * root.deliverable
    doublings = round(np.log2(price / usual))
    return STEPS[int(np.clip(STEPS.index(root.strike_step) + doublings, 0, len(STEPS) - 1))]
