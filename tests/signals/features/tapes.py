"""Made-up tapes for tests of features: a random walk of minutes, and every longer bar cut from it in plain pandas."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd

from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions
from hd_pipelines.signals.tape import (
    Bars,
    Contexts,
    GammaContext,
    IvContext,
    Prints,
    RegimeContext,
    SymbolTape,
    empty_bars,
    to_day_number,
)
from hd_pipelines.tables.vocabulary import AssetClass, MarketRegime, VixRegime

MINUTE = 60_000_000_000
TODAY = date(2024, 3, 14)
"""A Thursday, full session."""


def walk(
    sessions: Sequence[date],
    *,
    seed: int = 1,
    start: float = 100.0,
    volatility: float = 0.0008,
    traded: float = 1.0,
    volume: float = 1_000.0,
) -> pd.DataFrame:
    """Minutes of a random walk: starts_ns, ends_ns, session, minute (from 1), open … volume. `traded`: share kept."""
    random = np.random.default_rng(seed)
    parts = []
    for session in sessions:
        hours = get_regular_hours(session)
        minute = np.arange(1, hours.minutes + 1)
        parts.append(
            pd.DataFrame(
                {
                    "starts_ns": hours.opens_at_ns + (minute - 1) * MINUTE,
                    "ends_ns": hours.opens_at_ns + minute * MINUTE,
                    "session": to_day_number(session),
                    "minute": minute,
                }
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    moves = random.normal(0, volatility, (len(frame), 4))
    close = start * np.exp(np.cumsum(moves[:, 0]))
    frame["open"] = np.round(close * np.exp(moves[:, 1] / 2), 2)
    frame["close"] = np.round(close, 2)
    top, bottom = frame[["open", "close"]].max(axis=1), frame[["open", "close"]].min(axis=1)
    frame["high"] = np.round(top + np.abs(moves[:, 2]) * close / 2, 2)
    frame["low"] = np.round(bottom - np.abs(moves[:, 3]) * close / 2, 2)
    frame["volume"] = np.floor(random.lognormal(np.log(volume), 0.6, len(frame)))
    return frame[random.random(len(frame)) < traded].reset_index(drop=True) if traded < 1 else frame


def bars(frame: pd.DataFrame) -> Bars:
    """A frame of `walk` or `resampled` as bars of a tape."""
    if frame.empty:
        return empty_bars()
    integers = (frame[name].to_numpy(np.int64) for name in ("starts_ns", "ends_ns", "session"))
    return Bars(*integers, *(frame[name].to_numpy(float) for name in ("open", "high", "low", "close", "volume")))


def resampled(minutes: pd.DataFrame, length: int) -> pd.DataFrame:
    """Longer bars of the same, anchored at the open; a whole session with `length` 1000."""
    slot = (minutes["minute"] - 1) // length
    grouped = minutes.groupby(["session", slot.rename("slot")], sort=True)
    cut = grouped.agg(
        open=("open", "first"),
        high=("high", "max"),
        low=("low", "min"),
        close=("close", "last"),
        volume=("volume", lambda values: values.sum(skipna=False)),
    ).reset_index()
    hours = {day: get_regular_hours(date(1970, 1, 1) + timedelta(days=int(day))) for day in cut["session"].unique()}
    opens = cut["session"].map({day: each.opens_at_ns for day, each in hours.items()})
    closes = cut["session"].map({day: each.closes_at_ns for day, each in hours.items()})
    cut["starts_ns"] = opens + cut["slot"] * length * MINUTE
    cut["ends_ns"] = np.minimum(opens + (cut["slot"] + 1) * length * MINUTE, closes)
    cut["minute"] = (cut["ends_ns"] - opens) // MINUTE
    return cut


def tape_of(
    minutes: pd.DataFrame,
    days: pd.DataFrame | None = None,
    *,
    symbol: str = "TEST",
    asset_class: AssetClass = AssetClass.STOCK,
    contexts: Contexts | None = None,
    proxy: SymbolTape | None = None,
) -> SymbolTape:
    """A tape of these minutes, its 5-minute bars cut from them; days too unless given."""
    return SymbolTape(
        symbol,
        asset_class,
        bars(minutes),
        bars(resampled(minutes, 5)),
        bars(resampled(minutes, 1000) if days is None else days),
        contexts or Contexts(),
        proxy,
    )


def long_tape(
    last: date = TODAY, *, sessions: int = 25, seed: int = 1, traded: float = 1.0, days: int = 300
) -> SymbolTape:
    """`sessions` of minutes that end with `last`, and `days` of day bars that end with them."""
    minutes = walk(list_last_sessions(last, sessions), seed=seed, traded=traded)
    own = resampled(minutes, 1000)
    first = list_last_sessions(last, sessions)[0]
    earlier = list_last_sessions(first - timedelta(days=1), max(days - sessions, 0)) if days > sessions else []
    if earlier:
        old = resampled(walk(earlier, seed=seed + 1, volatility=0.0006), 1000)
        scale = own["open"].iloc[0] / old["close"].iloc[-1]
        old[["open", "high", "low", "close"]] *= scale
        own = pd.concat([old, own], ignore_index=True)
    return tape_of(minutes, own)


def contexts(minutes: pd.DataFrame, *, seed: int = 1, every: int = 15) -> Contexts:
    """A chain every 15 minutes, regime, volatility and VIX at each close, and option prints, around these minutes."""
    random = np.random.default_rng(seed)
    closes = minutes.groupby("session").last()
    at_chain = minutes[minutes["minute"] % every == 0]
    hours = {day: get_regular_hours(date(1970, 1, 1) + timedelta(days=int(day))) for day in closes.index}
    gamma = tuple(
        chain(
            int(row.ends_ns),
            float(row.close),
            zero_gamma=float(row.close * random.uniform(0.998, 1.002)) if random.random() < 0.9 else np.nan,
            expires_at_ns=hours[row.session].closes_at_ns,
            seed=int(random.integers(1_000)),
        )
        for row in at_chain.itertuples()
    )
    regimes = tuple(
        RegimeContext(
            each.closes_at_ns,
            each.session,
            random.choice([None, *MarketRegime]),
            random.choice([None, *VixRegime]),
            float(random.uniform(10, 40)),
            70.0,
        )
        for each in hours.values()
    )
    ivs = tuple(
        IvContext(each.closes_at_ns, float(random.uniform(0.1, 0.5)), 0.5, float(random.random()), None, 252)
        for each in hours.values()
    )
    at_ns = np.sort(random.choice(minutes["ends_ns"].to_numpy(np.int64), 40))
    prints = Prints(
        at_ns,
        random.lognormal(10, 1, 40),
        random.integers(1, 900, 40).astype(float),
        random.random(40) < 0.5,
        random.integers(-1, 2, 40).astype(float),
        *(random.random(40) < 0.2 for _ in range(3)),
    )
    return Contexts(ivs, gamma, regimes, prints)


def chain(
    known_at_ns: int,
    price: float = 100.0,
    *,
    zero_gamma: float = np.nan,
    max_pain: float | None = None,
    expires_at_ns: int | None = None,
    seed: int = 1,
    **given: float,
) -> GammaContext:
    """A snapshot of strikes a dollar apart within twenty of the price."""
    random = np.random.default_rng(seed)
    strikes = np.round(price) + np.arange(-20.0, 21.0)
    by_strike = np.column_stack((strikes, random.normal(0, 1e6, 41), random.integers(0, 9_000, 41)))
    values = {
        "underlying_price": price,
        "gex_usd_per_1pct": 2e7,
        "call_gex_usd_per_1pct": 6e7,
        "put_gex_usd_per_1pct": -4e7,
        "resistance": price * 1.02,
        "support": price * 0.98,
        "absolute_gamma_strike": float(strikes[22]),
        "total_open_interest": 1e5,
        "option_volume": 3e5,
        "zero_dte_share": 0.4,
        "typical_gex": 1e7,
        "typical_option_volume": 2e5,
    } | given
    return GammaContext(
        known_at_ns=known_at_ns,
        positioning=None,
        strength=None,
        behavior=None,
        zero_gamma=zero_gamma,
        max_pain=float(strikes[19]) if max_pain is None else max_pain,
        max_pain_expires_at_ns=expires_at_ns,
        by_strike=by_strike,
        **values,
    )
