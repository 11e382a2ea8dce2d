"""The synthetic market from day to day: factor returns, variances, levels at each open and close.

Everything that carries over from one session to the next is here. Each session is drawn from a generator keyed by (seed,
session), and the recursions start at one fixed epoch, so a session never depends on the requested window.

Model: market variance is GARCH(1,1) with Student-t shocks and rare jumps; sectors and companies add their own shocks,
whose volatility rises and falls with the market's; log prices are pulled weakly to a trend, so that ten years stay
plausible; log VIX reverts to the model's variance and falls when the market rises.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.market.sessions import list_sessions_between
from hd_pipelines.sandbox.market.universe import (
    INSTRUMENTS,
    LEVEL_DATE,
    SECTORS,
    VOLATILITY_INDICES,
    Instrument,
    compute_split_factor,
)

Floats = NDArray[np.float64]

MARKET_EPOCH = date(2016, 1, 4)
"""First session of the synthetic market."""
SIMULATED_UNTIL = date(2027, 11, 19)
"""All paths to here are simulated at once, and then by whole years. The last bits of a price depend on how many sessions
are simulated together, so this must not follow the calendar."""
DAILY_STREAM, MINUTE_STREAM, OPTION_STREAM, FULL_MARKET_STREAM = range(4)
"""Last part of a random key, one per use, so that no two uses share draws."""

MARKET_DAILY_VARIANCE = 0.0100**2
GARCH_SHOCK, GARCH_MEMORY = 0.10, 0.87
OVERNIGHT_SHARE = 0.30
"""Part of a day's variance that arrives between close and open."""
SECTOR_DAILY_VOL = {"gold": 0.0095, "bonds": 0.0085, "volatility": 0.030, "small_caps": 0.0075}
DEFAULT_SECTOR_DAILY_VOL = 0.0060
REVERSION_DAYS, VIX_REVERSION_DAYS = 400.0, 18.0
JUMP_PROBABILITY, MARKET_JUMP_PROBABILITY = 0.012, 0.006


@dataclass(frozen=True, slots=True)
class DayState:
    """Inputs from which one session is drawn minute by minute. Arrays over instruments (n) and factors (f), natural logs.

    `previous_close`, `open_`: log levels, unadjusted on the session's own basis. `factor_intraday` and `idio_intraday`
    are open-to-close returns, of which `*_jump` arrives within a single minute.
    """

    previous_close: Floats
    open_: Floats
    loadings: Floats
    factor_intraday: Floats
    factor_vol: Floats
    factor_jump: Floats
    idio_intraday: Floats
    idio_vol: Floats
    idio_jump: Floats
    stress: float
    """Market volatility of the session over its long-run value."""


@dataclass(frozen=True)
class DailyPaths:
    """All sessions from the epoch on: arrays (sessions, n) and (sessions, f) in the order of `INSTRUMENTS`."""

    position: dict[date, int]
    close: Floats
    overnight: Floats
    factor_intraday: Floats
    factor_jump: Floats
    idio_intraday: Floats
    idio_jump: Floats
    stress: Floats

    def state(self, session: date) -> DayState:
        """Return the state of `session`. Raises `ValueError` for a closed day or one before the epoch."""
        if session not in self.position:
            raise ValueError(
                f"{session}: the synthetic market has sessions from {min(self.position)} to {max(self.position)}; "
                "choose an exchange session in between"
            )
        i = self.position[session]
        previous = self.close[i - 1] if i else self.close[0] - self.overnight[0] - self._intraday(0)
        basis = np.log([compute_split_factor(instrument.ticker, session) for instrument in INSTRUMENTS])
        return DayState(
            previous_close=previous + basis,
            open_=previous + self.overnight[i] + basis,
            loadings=LOADINGS,
            factor_intraday=self.factor_intraday[i],
            factor_vol=_compute_factor_volatilities(self.stress[i]) * np.sqrt(1 - OVERNIGHT_SHARE),
            factor_jump=self.factor_jump[i],
            idio_intraday=self.idio_intraday[i],
            idio_vol=IDIO_VOL * self.stress[i] ** 0.6 * np.sqrt(1 - OVERNIGHT_SHARE),
            idio_jump=self.idio_jump[i],
            stress=float(self.stress[i]),
        )

    def _intraday(self, i: int) -> Floats:
        return np.asarray(LOADINGS @ self.factor_intraday[i] + self.idio_intraday[i])


def build_factor_loadings(instruments: tuple[Instrument, ...]) -> Floats:
    """Build the exposure of each instrument to (market, *SECTORS), shape (n, 1 + sectors)."""
    loadings = np.zeros((len(instruments), 1 + len(SECTORS)))
    for row, instrument in enumerate(instruments):
        loadings[row, 0] = instrument.beta
        loadings[row, 1 + SECTORS.index(instrument.sector)] = instrument.sector_load
    return loadings


LOADINGS = build_factor_loadings(INSTRUMENTS)
IDIO_VOL = np.array([instrument.idio_vol for instrument in INSTRUMENTS])
_SECTOR_VOL = np.array([SECTOR_DAILY_VOL.get(sector, DEFAULT_SECTOR_DAILY_VOL) for sector in SECTORS])


def _compute_factor_volatilities(stress: float) -> Floats:
    return np.concatenate(([np.sqrt(MARKET_DAILY_VARIANCE) * stress], _SECTOR_VOL * stress**0.6))


@dataclass(frozen=True, slots=True)
class _Draws:
    market: Floats  # (sessions, 2): overnight, intraday
    sectors: Floats  # (sessions, 2, sectors)
    idio: Floats  # (sessions, 2, n)
    jump_chance: Floats  # (sessions, 1 + n)
    jump_size: Floats  # (sessions, 1 + n)
    jump_overnight: Floats  # (sessions, 1 + n)


def _draw(seed: int, sessions: list[date]) -> _Draws:
    days, n, k = len(sessions), len(INSTRUMENTS), len(SECTORS)
    market, sectors, idio = np.empty((days, 2)), np.empty((days, 2, k)), np.empty((days, 2, n))
    chance, size, overnight = (np.empty((days, 1 + n)) for _ in range(3))
    for i, session in enumerate(sessions):
        rng = np.random.default_rng([seed, session.toordinal(), DAILY_STREAM])
        market[i] = rng.standard_t(5, 2) * np.sqrt(3 / 5)
        sectors[i] = rng.standard_normal((2, k))
        uniform = rng.random((2, 1 + n))
        chance[i], overnight[i] = uniform
        idio[i] = rng.standard_normal((2, n))
        size[i] = rng.standard_normal(1 + n)
    return _Draws(market, sectors, idio, chance, size, overnight)


def _simulate_market_returns(draws: _Draws) -> tuple[Floats, Floats, Floats, Floats]:
    """Draw overnight and intraday market returns, the intraday jump among them, and stress. Each of shape (sessions,)."""
    days = len(draws.market)
    stress, overnight, intraday = np.empty(days), np.empty(days), np.empty(days)
    jumps = np.where(draws.jump_chance[:, 0] < MARKET_JUMP_PROBABILITY, draws.jump_size[:, 0] * 0.014 - 0.006, 0.0)
    at_night = draws.jump_overnight[:, 0] < 0.6
    variance = MARKET_DAILY_VARIANCE
    weight = 1 - GARCH_SHOCK - GARCH_MEMORY
    for i in range(days):
        variance = min(max(variance, 0.2 * MARKET_DAILY_VARIANCE), 10 * MARKET_DAILY_VARIANCE)
        stress[i] = np.sqrt(variance / MARKET_DAILY_VARIANCE)
        overnight[i] = draws.market[i, 0] * np.sqrt(variance * OVERNIGHT_SHARE) + jumps[i] * at_night[i]
        intraday[i] = draws.market[i, 1] * np.sqrt(variance * (1 - OVERNIGHT_SHARE)) + jumps[i] * ~at_night[i]
        shock = min((overnight[i] + intraday[i]) ** 2, 20 * MARKET_DAILY_VARIANCE)
        variance = weight * MARKET_DAILY_VARIANCE + GARCH_SHOCK * shock + GARCH_MEMORY * variance
    return overnight, intraday, jumps * ~at_night, stress


def _compute_trends(sessions: list[date], stress: Floats) -> Floats:
    """Compute the log level to which each instrument is pulled, shape (sessions, n)."""
    years = np.array([(session - LEVEL_DATE).days / 365.25 for session in sessions])
    level = np.log([instrument.level for instrument in INSTRUMENTS])
    growth = np.array([instrument.growth for instrument in INSTRUMENTS])
    trends = level + growth * years[:, None]
    implied = np.log(100 * np.sqrt(252 * MARKET_DAILY_VARIANCE) * stress) + 0.10
    tickers = [instrument.ticker for instrument in INSTRUMENTS]
    vix, vix3m = (tickers.index(ticker) for ticker in VOLATILITY_INDICES)
    trends[:, vix] = implied
    trends[:, vix3m] = 0.6 * implied + 0.4 * np.log(20.5)
    return np.asarray(trends)


def get_daily_paths(seed: int, session: date | None = None) -> DailyPaths:
    """Simulate every session from the epoch to `SIMULATED_UNTIL`, or to the end of the year of a later `session`."""
    if session is None or session <= SIMULATED_UNTIL:
        return simulate_paths(seed, SIMULATED_UNTIL)
    return simulate_paths(seed, date(session.year, 12, 31))


@lru_cache(maxsize=4)
def simulate_paths(seed: int, end: date) -> DailyPaths:
    """Takes about 0.2 s, so paths are kept per seed."""
    sessions = list_sessions_between(MARKET_EPOCH, end)
    draws = _draw(seed, sessions)
    market_overnight, market_intraday, market_jump, stress = _simulate_market_returns(draws)

    sector_vol = _SECTOR_VOL * stress[:, None] ** 0.6
    sector_overnight = draws.sectors[:, 0] * sector_vol * np.sqrt(OVERNIGHT_SHARE)
    sector_intraday = draws.sectors[:, 1] * sector_vol * np.sqrt(1 - OVERNIGHT_SHARE)
    factor_overnight = np.column_stack((market_overnight, sector_overnight))
    factor_intraday = np.column_stack((market_intraday, sector_intraday))
    factor_jump = np.zeros_like(factor_intraday)
    factor_jump[:, 0] = market_jump

    idio_vol = IDIO_VOL * stress[:, None] ** 0.6
    jumps = np.where(draws.jump_chance[:, 1:] < JUMP_PROBABILITY, draws.jump_size[:, 1:] * 4 * IDIO_VOL, 0.0)
    at_night = draws.jump_overnight[:, 1:] < 0.75
    idio_overnight = draws.idio[:, 0] * idio_vol * np.sqrt(OVERNIGHT_SHARE) + jumps * at_night
    idio_intraday = draws.idio[:, 1] * idio_vol * np.sqrt(1 - OVERNIGHT_SHARE) + jumps * ~at_night

    trends = _compute_trends(sessions, stress)
    is_volatility = np.array([instrument.ticker in VOLATILITY_INDICES for instrument in INSTRUMENTS])
    pull = np.where(is_volatility, 1 / VIX_REVERSION_DAYS, 1 / REVERSION_DAYS)
    shocks_overnight = factor_overnight @ LOADINGS.T + idio_overnight
    shocks_intraday = factor_intraday @ LOADINGS.T + idio_intraday
    close, overnight = np.empty_like(trends), np.empty_like(trends)
    level = trends[0]
    for i in range(len(sessions)):
        drift = trends[i] - trends[i - 1] if i else np.zeros_like(level)
        overnight[i] = np.where(is_volatility, 0.0, drift) + pull * (trends[i] - level) + shocks_overnight[i]
        level = level + overnight[i] + shocks_intraday[i]
        close[i] = level
    return DailyPaths(
        {session: i for i, session in enumerate(sessions)},
        close,
        overnight,
        factor_intraday,
        factor_jump,
        idio_intraday,
        jumps * ~at_night,
        stress,
    )
