"""Rows that satisfy a detector fully, and contexts that suit them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np

from hd_pipelines.market.sessions import get_regular_hours
from hd_pipelines.signals.catalogue import encode_value
from hd_pipelines.signals.detectors.examples import get_example
from hd_pipelines.signals.frame import FeatureFrame, empty_columns, empty_levels, join_frames
from hd_pipelines.signals.option_chain import OptionQuotes
from hd_pipelines.signals.tape import Contexts, GammaContext, IvContext, RegimeContext
from hd_pipelines.tables.vocabulary import (
    REGIME_FAMILIES,
    AssetClass,
    DealerPositioning,
    Direction,
    ExpectedBehavior,
    IvRegime,
    MarketRegime,
    PositioningStrength,
    Resolution,
    VixRegime,
)

SESSION = date(2025, 6, 17)
HALF_DAY = date(2025, 7, 3)
SYMBOLS = {AssetClass.STOCK: "AAPL", AssetClass.INDEX: "SPX", AssetClass.EQUITY_ETF: "SPY"}
PRICES = {AssetClass.STOCK: 200.0, AssetClass.INDEX: 6000.0, AssetClass.EQUITY_ETF: 600.0}


def at(minute: int, session: date = SESSION) -> datetime:
    return get_regular_hours(session).opens_at + timedelta(minutes=minute)


def ns(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000_000


def row(
    asset_class: AssetClass = AssetClass.STOCK,
    *,
    minute: int = 20,
    session: date = SESSION,
    regime: MarketRegime | None = MarketRegime.WEAK_UPTREND,
    vix: float = 17.0,
    levels: dict[str, float] | None = None,
    resolution: Resolution = Resolution.MINUTE,
    **values: float,
) -> FeatureFrame:
    """One row of a liquid, calm market on which everything is known. `values` take precedence."""
    price = values.get("price", PRICES[asset_class])
    hours = get_regular_hours(session)
    known = {
        "minutes_from_open": minute,
        "minutes_to_close": hours.minutes - minute,
        "price_age_minutes": 0.0,
        "price": price,
        "rvol": 1.4,
        "average_daily_volume": 5e7,
        "vwap": price,
        "atr_5m": 0.004 * price,
        "atr_15m": 0.006 * price,
        "atr_1h": 0.010 * price,
        "atr_day_pct": 1.2,
        "rsi_14": 50.0,
        "ema_21": price,
        "flow_bias": 0.0,
        "flow_score": 50.0,
        "mtf_trend_week": 0.0,
        "mtf_trend_day": 0.0,
        "mtf_trend_1h": 0.0,
        "mtf_trend_15m": 0.0,
        "mtf_strength_week": 50.0,
        "mtf_strength_day": 50.0,
        "mtf_strength_1h": 50.0,
        "mtf_strength_15m": 50.0,
        "is_near_key_level": 0.0,
        "iv_percentile": 0.3,
        "vix_level": vix,
        "vix_regime": encode_value("vix_regime", _vix_regime(vix)) if vix == vix else np.nan,
    }
    if regime is not None:
        known["market_regime"] = encode_value("market_regime", regime)
        known["regime_family"] = encode_value("regime_family", REGIME_FAMILIES[regime])
    columns = empty_columns(1)
    for name, value in (known | values).items():
        columns[name][0] = value
    placed = empty_levels(1)
    for name, value in (levels or {}).items():
        placed[name][0] = value
    as_of = hours.closes_at if resolution is Resolution.DAY else hours.opens_at + timedelta(minutes=minute)
    as_of_ns = np.array([ns(as_of)], np.int64)
    return FeatureFrame(SYMBOLS[asset_class], asset_class, resolution, as_of_ns, columns, placed)


def _vix_regime(level: float) -> VixRegime:
    from hd_pipelines.analytics.regime.volatility_index import VIX_CUT_OFFS

    return list(VixRegime)[int(np.searchsorted(VIX_CUT_OFFS, level, side="right"))]


def setup(detector, direction: Direction | None = None, **changes) -> FeatureFrame:
    """A row on which `detector` fires, in the detector's own example, with everything else going its way."""
    direction = direction or detector.directions[0]
    example = get_example(detector, direction)
    minute = 20 if detector.strategy == "opening_drive" else 75
    if "minutes_to_close" in example:
        minute = 390 - int(example.pop("minutes_to_close"))
    if detector.strategy == "eod_pin":
        minute = 378
    minute = int(example.pop("minutes_from_open", minute))
    family = example.pop("regime_family", None)
    asset_class = AssetClass.INDEX if AssetClass.INDEX in detector.asset_classes else AssetClass.STOCK
    towards = direction.sign
    trends = {f"mtf_trend_{name}": 1.0 * towards for name in ("week", "day", "1h", "15m")}
    market = MarketRegime.STRONG_UPTREND if direction is Direction.LONG else MarketRegime.STRONG_DOWNTREND
    if family is not None:
        market = {0.0: MarketRegime.STRONG_UPTREND, 1.0: MarketRegime.STRONG_DOWNTREND, 2.0: MarketRegime.RANGE_BOUND}[
            family
        ]
    background = {"minute": minute, "regime": market, "is_near_key_level": 1.0} | trends
    return row(asset_class, **(background | example | changes))


def contexts(
    *, session: date = SESSION, regime: MarketRegime | None = MarketRegime.STRONG_UPTREND, vix: float = 17.0
) -> Contexts:
    """Cheap options, dealers short gamma, the regime given; all known at the close before `session`."""
    before = ns(get_regular_hours(session).opens_at) - 1
    iv = tuple(
        IvContext(before - (20 - i) * 86_400_000_000_000, 0.2, 30.0, 0.3, IvRegime.NORMAL, 252) for i in range(21)
    )
    return Contexts(
        iv=iv,
        gamma=(gamma(before),),
        regime=(RegimeContext(before, session, regime, _vix_regime(vix) if vix == vix else None, vix, 90.0),),
    )


def gamma(known_at_ns: int, **changes) -> GammaContext:
    plain = GammaContext(
        known_at_ns=known_at_ns,
        underlying_price=6000.0,
        gex_usd_per_1pct=-2e9,
        call_gex_usd_per_1pct=1e9,
        put_gex_usd_per_1pct=-3e9,
        positioning=DealerPositioning.SHORT_GAMMA,
        strength=PositioningStrength.STRONG,
        behavior=ExpectedBehavior.TRENDING,
        resistance=float("nan"),
        support=float("nan"),
        zero_gamma=6010.0,
        absolute_gamma_strike=6000.0,
        max_pain=5990.0,
        max_pain_expires_at_ns=None,
        total_open_interest=1e6,
        option_volume=1e5,
        zero_dte_share=0.4,
        by_strike=np.empty((0, 3)),
        typical_gex=1e9,
        typical_option_volume=1e5,
    )
    return replace(plain, **changes)


def chain(
    spot: float = 200.0,
    *,
    session: date = SESSION,
    known_at: datetime | None = None,
    days: tuple[int, ...] = (0, 3, 7, 10),
) -> OptionQuotes:
    """Calls and puts around the spot at four expirations, tightly quoted and well traded."""
    strikes = np.round(spot * np.arange(0.95, 1.0501, 0.005), 2)
    rights, grid, dte = (each.ravel() for each in np.meshgrid([1.0, 0.0], strikes, days, indexing="ij"))
    is_call = rights == 1.0
    delta = np.clip(0.5 + (spot - grid) / spot * 12.0, 0.02, 0.98)
    delta = np.where(is_call, delta, delta - 1.0)
    mid = 0.01 * spot * np.abs(delta) + 0.5
    expirations = np.datetime64(session) + dte.astype(int)
    return OptionQuotes(
        known_at_ns=ns(known_at or at(1, session)),
        tickers=tuple(
            f"O:X{str(day).replace('-', '')[2:]}{'C' if call else 'P'}{round(strike * 1000):08d}"
            for day, call, strike in zip(expirations.astype("datetime64[D]"), is_call, grid, strict=True)
        ),
        expirations=expirations.astype("datetime64[D]"),
        is_call=is_call,
        strike=grid,
        dte=dte,
        bid=mid * 0.995,
        ask=mid * 1.005,
        volume=np.full(grid.size, 5000.0),
        open_interest=np.full(grid.size, 20000.0),
        implied_volatility=np.full(grid.size, 0.2),
        delta=delta,
        gamma=np.full(grid.size, 0.01),
        theta=np.full(grid.size, -0.1),
        vega=np.full(grid.size, 0.2),
    )


def session_of(one: FeatureFrame, minutes: range, session: date = SESSION) -> FeatureFrame:
    """The same row at other minutes of the session."""
    hours = get_regular_hours(session)
    frames = []
    for minute in minutes:
        columns = {name: values.copy() for name, values in one.columns.items()}
        columns["minutes_from_open"][0], columns["minutes_to_close"][0] = minute, hours.minutes - minute
        frames.append(replace(one, as_of_ns=np.array([ns(at(minute, session))], np.int64), columns=columns))
    return join_frames(frames)
