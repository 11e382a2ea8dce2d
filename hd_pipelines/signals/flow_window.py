"""Summarize the option prints of a time window: volume, premium, lean, sweeps and blocks.

`summarize_prints` does it for one instant, `compute_flow_columns` for all rows of a frame. A print has a direction only if
its side is known: a print of unknown side counts as volume and premium only. A bought call and a sold put are bullish, a
bought put and a sold call bearish.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, measure_trading_time_ns, subtract_trading_minutes
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import Prints

WINDOW_HOURS = 4.0
"""Trading hours, not clock hours, so that a Monday morning still includes Friday afternoon's flow."""
FEWEST_PRINTS = 10
LEAST_PREMIUM_USD = 50_000.0
BULLISH_ABOVE, BEARISH_BELOW = 60.0, 40.0
"""Limits of buy pressure."""
SCORE_PER_SWEEP, SCORE_OF_SWEEPS = 15.0, 40.0
SCORE_PER_BLOCK, SCORE_OF_BLOCKS = 10.0, 30.0
SCORE_PER_LARGE, SCORE_OF_LARGE = 3.0, 20.0
SCORE_OF_ANY = 10.0
MEAN_PREMIUM_POINTS = ((100_000.0, 30.0), (50_000.0, 15.0), (10_000.0, 5.0))
"""Points of the institutional score for a mean premium above that many dollars."""
MOST_FOR_LARGE, MOST_FOR_SWEEPS, MOST_FOR_BLOCKS = 40.0, 20.0, 10.0
_HOUR_NS = 60 * NANOSECONDS_PER_MINUTE
_BEARISH_PUT, _BULLISH_PUT, _BEARISH_CALL, _BULLISH_CALL = 0, 2, 3, 5
"""Values of `3 × is_call + sentiment + 1`."""


@dataclass(frozen=True, slots=True)
class FlowSummary:
    """Prints of one symbol in one window. Premium in dollars, sizes in contracts; an undefined ratio is NaN.

    calls, puts: contracts. bullish, bearish: contracts of prints whose side is known. bought_premium: of prints that
    were bought, calls or puts. sweeps, blocks, large: prints. is_rising: the last trading hour has more premium than the
    one before. newest_at_ns: of the newest print, ns UTC; None without a print.
    """

    prints: int
    premium: float
    calls: float
    puts: float
    call_premium: float
    put_premium: float
    bullish: float
    bearish: float
    bullish_premium: float
    bearish_premium: float
    bought_premium: float
    sweeps: int
    blocks: int
    large: int
    is_rising: bool
    newest_at_ns: int | None

    @property
    def is_enough(self) -> bool:
        """Whether the window has the minimum of 10 prints and $50,000 of premium."""
        return self.prints >= FEWEST_PRINTS and self.premium >= LEAST_PREMIUM_USD

    @property
    def put_call_by_volume(self) -> float:
        """Puts over calls, contracts; NaN if either has not traded."""
        return _ratio(self.puts, self.calls)

    @property
    def put_call_by_premium(self) -> float:
        """Puts over calls, premium; NaN if either has not traded."""
        return _ratio(self.put_premium, self.call_premium)

    @property
    def bearish_bullish_by_volume(self) -> float:
        """Bearish over bullish contracts, where a sold put is bullish. NaN if one side has not traded."""
        return _ratio(self.bearish, self.bullish)

    @property
    def bearish_bullish_by_premium(self) -> float:
        """Bearish over bullish premium."""
        return _ratio(self.bearish_premium, self.bullish_premium)

    @property
    def known_premium(self) -> float:
        """Premium of prints that have a direction."""
        return self.bullish_premium + self.bearish_premium

    @property
    def known_pct(self) -> float:
        """Share of the premium that has a direction, 0-100; NaN without premium."""
        return 100.0 * self.known_premium / self.premium if self.premium else math.nan

    @property
    def buy_pressure(self) -> float:
        """Share of directional premium that is bullish, 0-100; NaN if no side is known."""
        return 100.0 * self.bullish_premium / self.known_premium if self.known_premium else math.nan

    @property
    def bought_pct(self) -> float:
        """Share of directional premium that was bought, calls or puts, 0-100; NaN if no side is known."""
        return 100.0 * self.bought_premium / self.known_premium if self.known_premium else math.nan

    @property
    def bias(self) -> float:
        """1 bullish, -1 bearish, 0 neither; NaN if no side is known."""
        if math.isnan(self.buy_pressure):
            return math.nan
        return float(self.buy_pressure > BULLISH_ABOVE) - float(self.buy_pressure < BEARISH_BELOW)

    @property
    def score(self) -> float:
        """Strength of the window's flow, 10-100; 0 without a print."""
        if not self.prints:
            return 0.0
        return (
            min(SCORE_PER_SWEEP * self.sweeps, SCORE_OF_SWEEPS)
            + min(SCORE_PER_BLOCK * self.blocks, SCORE_OF_BLOCKS)
            + min(SCORE_PER_LARGE * self.large, SCORE_OF_LARGE)
            + SCORE_OF_ANY
        )

    @property
    def mean_premium(self) -> float:
        """Dollars per print; NaN without a print."""
        return self.premium / self.prints if self.prints else math.nan

    @property
    def sweep_pct(self) -> float:
        """Sweeps among the prints, 0-100; NaN without a print."""
        return self._of_prints(self.sweeps)

    @property
    def block_pct(self) -> float:
        """Blocks among the prints."""
        return self._of_prints(self.blocks)

    @property
    def large_pct(self) -> float:
        """Large prints among the prints."""
        return self._of_prints(self.large)

    @property
    def institutional_score(self) -> float:
        """Likelihood that the prints are institutional, 0-100; NaN without a print."""
        if not self.prints:
            return math.nan
        of_size = next((points for above, points in MEAN_PREMIUM_POINTS if self.mean_premium > above), 0.0)
        return (
            min(MOST_FOR_LARGE, self.large_pct)
            + of_size
            + min(MOST_FOR_SWEEPS, self.sweep_pct)
            + min(MOST_FOR_BLOCKS, self.block_pct)
        )

    @property
    def aggressiveness(self) -> float:
        """Mean of the share of sweeps and of bought premium, 0-100; NaN if no side is known."""
        return (self.sweep_pct + self.bought_pct) / 2.0

    def _of_prints(self, count: int) -> float:
        return 100.0 * count / self.prints if self.prints else math.nan


def summarize_prints(
    prints: Prints | None, as_of_ns: int, *, trading_hours: float = WINDOW_HOURS
) -> FlowSummary | None:
    """Summarize the prints of the last `trading_hours` up to and including `as_of_ns`.

    None if no print was ever recorded; a summary of zero prints if none fell into the window. NaN premium counts as zero.
    """
    if prints is None:
        return None
    end = int(np.searchsorted(prints.at_ns, as_of_ns, side="right"))
    start, hour, two_hours = _positions(prints, as_of_ns, 60.0 * trading_hours, 60.0, 120.0)
    first = min(start, two_hours)
    cents = _cents(prints.premium[first:end])
    window = slice(start, end)
    kind = (3.0 * prints.is_call[window] + prints.sentiment[window] + 1.0).astype(np.int64)
    contracts = np.bincount(kind, prints.size[window], 6).tolist()
    premium = np.bincount(kind, cents[start - first :], 6).tolist()
    return FlowSummary(
        prints=end - start,
        premium=sum(premium) / 100.0,
        calls=sum(contracts[3:]),
        puts=sum(contracts[:3]),
        call_premium=sum(premium[3:]) / 100.0,
        put_premium=sum(premium[:3]) / 100.0,
        bullish=contracts[_BULLISH_CALL] + contracts[_BULLISH_PUT],
        bearish=contracts[_BEARISH_CALL] + contracts[_BEARISH_PUT],
        bullish_premium=(premium[_BULLISH_CALL] + premium[_BULLISH_PUT]) / 100.0,
        bearish_premium=(premium[_BEARISH_CALL] + premium[_BEARISH_PUT]) / 100.0,
        bought_premium=(premium[_BULLISH_CALL] + premium[_BEARISH_PUT]) / 100.0,
        sweeps=int(np.count_nonzero(prints.is_sweep[window])),
        blocks=int(np.count_nonzero(prints.is_block[window])),
        large=int(np.count_nonzero(prints.is_large[window])),
        is_rising=bool(cents[hour - first :].sum() > cents[two_hours - first : hour - first].sum()),
        newest_at_ns=int(prints.at_ns[end - 1]) if end > start else None,
    )


def compute_flow_columns(prints: Prints | None, as_of_ns: Integers) -> dict[str, Floats]:
    """Compute the flow features of the catalogue at each instant (ns UTC, any order); shape of `as_of_ns`.

    Values equal those of `summarize_prints` over the last four trading hours, counted from running totals. NaN where no
    print was ever recorded or the window has too few; bias and buy pressure also where no side is known.
    """
    if prints is None:
        return {name: np.full(as_of_ns.shape, np.nan) for name in _COLUMNS}
    print_clock, clock = measure_trading_time_ns(prints.at_ns), measure_trading_time_ns(as_of_ns)
    end = np.searchsorted(prints.at_ns, as_of_ns, side="right")
    start, hour, two_hours = (
        np.searchsorted(print_clock, np.maximum(clock - round(hours * _HOUR_NS), 0), side="right")
        for hours in (WINDOW_HOURS, 1.0, 2.0)
    )
    premium = _cents(prints.premium)
    total, bullish, bearish = (
        _running(premium * counted) for counted in (1, prints.sentiment > 0, prints.sentiment < 0)
    )
    sweeps, blocks, large = (
        (running[end] - running[start]).astype(np.float64)
        for running in map(_running, (prints.is_sweep, prints.is_block, prints.is_large))
    )
    known = (bullish[end] - bullish[start]) + (bearish[end] - bearish[start])
    pressure = 100.0 * (bullish[end] - bullish[start]) / np.where(known > 0, known, np.nan)
    bias = np.where(np.isnan(pressure), np.nan, 1.0 * (pressure > BULLISH_ABOVE) - (pressure < BEARISH_BELOW))
    score = (
        np.minimum(SCORE_PER_SWEEP * sweeps, SCORE_OF_SWEEPS)
        + np.minimum(SCORE_PER_BLOCK * blocks, SCORE_OF_BLOCKS)
        + np.minimum(SCORE_PER_LARGE * large, SCORE_OF_LARGE)
        + SCORE_OF_ANY
    )
    is_rising = (total[end] - total[hour] > total[hour] - total[two_hours]).astype(np.float64)
    is_enough = (end - start >= FEWEST_PRINTS) & (total[end] - total[start] >= round(100 * LEAST_PREMIUM_USD))
    answers = (bias, score, sweeps, blocks, pressure, is_rising)
    return {name: np.where(is_enough, values, np.nan) for name, values in zip(_COLUMNS, answers, strict=True)}


_COLUMNS = ("flow_bias", "flow_score", "flow_sweeps", "flow_blocks", "flow_buy_pressure", "flow_is_rising")


def _positions(prints: Prints, as_of_ns: int, *trading_minutes: float) -> list[int]:
    """Return the positions of the first prints less than each number of trading minutes before `as_of_ns`."""
    begins_ns = [subtract_trading_minutes(as_of_ns, minutes) for minutes in trading_minutes]
    found: list[int] = np.searchsorted(prints.at_ns, begins_ns, side="right").tolist()
    return found


def _cents(premium: Floats) -> Floats:
    """Round to whole cents, so that totals are exact (below 2⁵³ cents) and both functions agree."""
    return np.rint(np.where(np.isnan(premium), 0.0, 100.0 * premium))


def _running(counted: Floats | NDArray[np.bool_]) -> Integers:
    """Return the running total before each print and after the last."""
    return np.concatenate(([0], np.cumsum(counted, dtype=np.int64)))


def _ratio(bears: float, bulls: float) -> float:
    return bears / bulls if bears > 0 and bulls > 0 else math.nan
