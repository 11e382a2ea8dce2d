"""Contexts, prints and rows for the tests of engines: ordinary ones, of which a test changes what it is about."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np

from hd_pipelines.market.sessions import NEW_YORK
from hd_pipelines.signals.engines import read_regime, read_shared
from hd_pipelines.signals.engines.reading import Reading
from hd_pipelines.signals.frame import FeatureFrame, empty_columns, empty_levels
from hd_pipelines.signals.tape import Contexts, GammaContext, IvContext, Prints, RegimeContext
from hd_pipelines.tables.vocabulary import (
    AssetClass,
    DealerPositioning,
    Direction,
    ExpectedBehavior,
    IvRegime,
    MarketRegime,
    PositioningStrength,
    Resolution,
    TradingStyle,
    VixRegime,
)

MINUTE = 60_000_000_000


def ns(year: int, month: int, day: int, hour: int, minute: int) -> int:
    """New York's clock as ns UTC."""
    return int(datetime(year, month, day, hour, minute, tzinfo=NEW_YORK).timestamp()) * 1_000_000_000


NOW = ns(2025, 3, 12, 11, 0)
"""Wednesday, 90 minutes after the open."""
YESTERDAYS_CLOSE = ns(2025, 3, 11, 16, 0)


def iv(percentile: float | None = 0.15, regime: IvRegime | None = IvRegime.LOW, **changed) -> IvContext:
    given = {"known_at_ns": YESTERDAYS_CLOSE, "iv30": 0.2, "iv_rank": 0.3, "n_observations": 252}
    return IvContext(iv_percentile=percentile, regime=regime, **{**given, **changed})


def gamma(
    positioning: DealerPositioning | None = DealerPositioning.SHORT_GAMMA,
    strength: PositioningStrength | None = PositioningStrength.EXTREME,
    behavior: ExpectedBehavior | None = ExpectedBehavior.TRENDING,
    **changed,
) -> GammaContext:
    given = {
        "known_at_ns": NOW - 5 * MINUTE,
        "underlying_price": 100.0,
        "gex_usd_per_1pct": -2e9,
        "call_gex_usd_per_1pct": 1e9,
        "put_gex_usd_per_1pct": -3e9,
        "resistance": 110.0,
        "support": 90.0,
        "zero_gamma": 104.0,
        "absolute_gamma_strike": 100.0,
        "max_pain": 100.0,
        "max_pain_expires_at_ns": None,
        "total_open_interest": 1e6,
        "option_volume": 1e5,
        "zero_dte_share": 0.2,
        "by_strike": np.empty((0, 3)),
        "typical_gex": 1e9,
        "typical_option_volume": 1e5,
    }
    return GammaContext(positioning=positioning, strength=strength, behavior=behavior, **{**given, **changed})


def regime(
    market_regime: MarketRegime | None = MarketRegime.STRONG_UPTREND,
    vix_regime: VixRegime | None = VixRegime.NORMAL,
    **changed,
) -> RegimeContext:
    given = {"known_at_ns": YESTERDAYS_CLOSE, "session": date(2025, 3, 11), "vix_level": 18.0, "confidence": 100.0}
    return RegimeContext(market_regime=market_regime, vix_regime=vix_regime, **{**given, **changed})


def prints(*rows: dict, at_ns: int = NOW - 10 * MINUTE) -> Prints:
    """One print per row, ten minutes ago unless it has `at_ns`: a call of 10 contracts for $10,000, of unknown side."""
    ordinary = {
        "at_ns": at_ns,
        "premium": 10_000.0,
        "size": 10.0,
        "is_call": True,
        "sentiment": 0.0,
        "is_sweep": False,
        "is_block": False,
        "is_large": False,
    }
    whole = [{**ordinary, **row} for row in rows]
    types = {"at_ns": np.int64, "premium": np.float64, "size": np.float64, "sentiment": np.float64}
    return Prints(**{name: np.array([row[name] for row in whole], types.get(name, np.bool_)) for name in ordinary})


BOUGHT_CALL = {"is_call": True, "sentiment": 1.0}
SOLD_CALL = {"is_call": True, "sentiment": -1.0}
BOUGHT_PUT = {"is_call": False, "sentiment": -1.0}
SOLD_PUT = {"is_call": False, "sentiment": 1.0}


def frame(as_of_ns: int = NOW, **features: float) -> FeatureFrame:
    """One row with these features, NaN elsewhere."""
    columns = empty_columns(1)
    for name, value in features.items():
        columns[name][0] = value
    return FeatureFrame("SPY", AssetClass.EQUITY_ETF, Resolution.MINUTE, np.array([as_of_ns]), columns, empty_levels(1))


def trends(week: float, day: float, hour: float, quarter: float, strength: float = 50.0, **features) -> FeatureFrame:
    """One row with these trends."""
    named = {"week": week, "day": day, "1h": hour, "15m": quarter}
    return frame(
        **{f"mtf_trend_{name}": trend for name, trend in named.items()},
        **{f"mtf_strength_{name}": strength for name in named},
        **features,
    )


def read_all(
    contexts: Contexts, frame: FeatureFrame, row: int, *, direction: Direction, style: TradingStyle
) -> list[Reading]:
    """Read all five engines, in the order of `ContextEngine`, as the scanner does."""
    return [
        *read_shared(contexts, frame, row, direction=direction),
        read_regime(contexts, frame, row, direction=direction, style=style),
    ]
