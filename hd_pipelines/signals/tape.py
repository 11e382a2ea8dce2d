"""The inputs of a frame: one symbol's bars and contexts, each with the instant from which it was known.

A bar is known at its end. Rows of a chain are known after the chain's instant, rows of a session after its close: after,
not at, because a scan at 16:00 cannot yet use what is computed from the 16:00 chain, in which options that expire that day
have no gamma any more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeVar

import numpy as np

from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.tables.vocabulary import (
    AssetClass,
    DealerPositioning,
    ExpectedBehavior,
    IvRegime,
    MarketRegime,
    PositioningStrength,
    VixRegime,
)


@dataclass(frozen=True)
class Bars:
    """Complete bars, ascending; shape (n,). `volume` is NaN where there is none.

    starts_ns, ends_ns: ns UTC, end exclusive. session: days since 1970-01-01.
    """

    starts_ns: Integers
    ends_ns: Integers
    session: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return self.starts_ns.size

    def select(self, chosen: slice) -> Bars:
        """Return only these bars, as views."""
        return Bars(
            self.starts_ns[chosen],
            self.ends_ns[chosen],
            self.session[chosen],
            self.open[chosen],
            self.high[chosen],
            self.low[chosen],
            self.close[chosen],
            self.volume[chosen],
        )

    def until(self, as_of_ns: int) -> Bars:
        """Return the bars that had ended at `as_of_ns`."""
        return self.select(slice(0, int(np.searchsorted(self.ends_ns, as_of_ns, side="right"))))

    def of_session(self, session: date) -> Bars:
        """Return the session's bars."""
        day = to_day_number(session)
        return self.select(slice(*np.searchsorted(self.session, [day, day + 1])))

    def before(self, session: date) -> Bars:
        """Return the bars of all earlier sessions."""
        return self.select(slice(0, int(np.searchsorted(self.session, to_day_number(session)))))


def empty_bars() -> Bars:
    """Bars of length zero."""
    whole, real = np.empty(0, np.int64), np.empty(0)
    return Bars(whole, whole, whole, real, real, real, real, real)


def to_day_number(session: date) -> int:
    """Convert a session to days since 1970-01-01."""
    return session.toordinal() - date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class IvContext:
    """A row of `iv_percentile_cache`. Shares are 0 to 1; None where the row has none."""

    known_at_ns: int
    iv30: float | None
    iv_rank: float | None
    iv_percentile: float | None
    regime: IvRegime | None
    n_observations: int
    reason: str | None = None


@dataclass(frozen=True)
class GammaContext:
    """A row of `gamma_exposure_snapshots`, with the symbol's usual gamma. Dollars per 1 % move; NaN for null.

    by_strike: shape (m, 3): strike, gamma in dollars per 1 %, open interest; ascending strikes.
    typical_gex: median of the absolute gamma of the last 20 closes before this snapshot's session; NaN under 10.
    typical_option_volume: mean of the options' volume until the same minute of the last 20 sessions that have it.
    """

    known_at_ns: int
    underlying_price: float
    gex_usd_per_1pct: float
    call_gex_usd_per_1pct: float
    put_gex_usd_per_1pct: float
    positioning: DealerPositioning | None
    strength: PositioningStrength | None
    behavior: ExpectedBehavior | None
    resistance: float
    support: float
    zero_gamma: float
    absolute_gamma_strike: float
    max_pain: float
    max_pain_expires_at_ns: int | None
    total_open_interest: float
    option_volume: float
    zero_dte_share: float
    by_strike: Floats
    typical_gex: float
    typical_option_volume: float


@dataclass(frozen=True, slots=True)
class RegimeContext:
    """A row of `market_regime_history`."""

    known_at_ns: int
    session: date
    market_regime: MarketRegime | None
    vix_regime: VixRegime | None
    vix_level: float
    confidence: float | None
    reason: str | None = None


@dataclass(frozen=True)
class Prints:
    """Option prints of one symbol, ascending; shape (n,).

    sentiment: 1 bullish, -1 bearish, 0 neither or unknown. is_*: booleans. premium: dollars.
    """

    at_ns: Integers
    premium: Floats
    size: Floats
    is_call: np.ndarray
    sentiment: Floats
    is_sweep: np.ndarray
    is_block: np.ndarray
    is_large: np.ndarray

    def __len__(self) -> int:
        return self.at_ns.size

    def select(self, chosen: slice) -> Prints:
        """Return only these prints."""
        return Prints(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def until(self, as_of_ns: int) -> Prints:
        """Return the prints up to and including `as_of_ns`."""
        return self.select(slice(0, int(np.searchsorted(self.at_ns, as_of_ns, side="right"))))


Known = TypeVar("Known", IvContext, GammaContext, RegimeContext)


@dataclass(frozen=True)
class Contexts:
    """Context besides bars, ascending by `known_at_ns`. `prints` is None if no print was ever recorded."""

    iv: tuple[IvContext, ...] = ()
    gamma: tuple[GammaContext, ...] = ()
    regime: tuple[RegimeContext, ...] = ()
    prints: Prints | None = None

    def until(self, as_of_ns: int) -> Contexts:
        """Return only what was known at `as_of_ns`."""
        return Contexts(
            _until(self.iv, as_of_ns),
            _until(self.gamma, as_of_ns),
            _until(self.regime, as_of_ns),
            self.prints.until(as_of_ns) if self.prints is not None else None,
        )


def find_newest(rows: Sequence[Known], as_of_ns: int) -> Known | None:
    """Find the last row known before `as_of_ns`, or None."""
    position = bisect_left(rows, as_of_ns, key=lambda row: row.known_at_ns)
    return rows[position - 1] if position else None


def _until(rows: tuple[Known, ...], as_of_ns: int) -> tuple[Known, ...]:
    return rows[: bisect_left(rows, as_of_ns, key=lambda row: row.known_at_ns)]


@dataclass(frozen=True)
class SymbolTape:
    """One symbol's bars and contexts.

    minutes: one-minute bars of the sessions to evaluate.
    five_minutes: 5-minute bars of at least 20 sessions before each of them (their own too once they are over).
    days: daily bars, two years back where available.
    proxy: for an index, the tape of the ETF whose volume stands in for its own; otherwise None.
    """

    symbol: str
    asset_class: AssetClass
    minutes: Bars
    five_minutes: Bars
    days: Bars
    contexts: Contexts = field(default_factory=Contexts)
    proxy: SymbolTape | None = None

    def until(self, as_of_ns: int) -> SymbolTape:
        """Return the tape as it was at `as_of_ns`, without anything later."""
        return replace(
            self,
            minutes=self.minutes.until(as_of_ns),
            five_minutes=self.five_minutes.until(as_of_ns),
            days=self.days.until(as_of_ns),
            contexts=self.contexts.until(as_of_ns),
            proxy=self.proxy.until(as_of_ns) if self.proxy is not None else None,
        )
