"""Chains priced by formula, from which valuation has to recover the inputs. The formula is independent of the platform's."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import date, datetime
from statistics import NormalDist

import polars as pl

from hd_pipelines.market.option_chains import CHAIN
from hd_pipelines.market.option_products import find_product
from hd_pipelines.pricing.settlement import find_settlement_instant

NORMAL = NormalDist()


def black_76(forward: float, strike: float, years: float, discount: float, sigma: float, is_call: bool) -> float:
    deviation = sigma * math.sqrt(years)
    d1 = math.log(forward / strike) / deviation + deviation / 2
    call = discount * (forward * NORMAL.cdf(d1) - strike * NORMAL.cdf(d1 - deviation))
    return call if is_call else call - discount * (forward - strike)


def years_to(snapshot_at: datetime, root: str, expiration: date) -> float:
    settles_at = find_settlement_instant(find_product(root).settlement, expiration)
    return (settles_at - snapshot_at).total_seconds() / (365 * 86_400)


def european_chain(
    snapshot_at: datetime,
    expirations: Iterable[tuple[str, date]],
    strikes: Iterable[float],
    *,
    spot: float = 4500.0,
    rate: float = 0.05,
    dividends: float = 0.015,
    smile: Callable[[float], float] = lambda moneyness: 0.18 - 0.35 * moneyness + 0.6 * moneyness**2,
    spread: float = 0.4,
    underlying: str = "I:SPX",
) -> pl.DataFrame:
    """`CHAIN` of sound quotes: mid by Black-76 with a smile over ln(K/F), bid and ask half a `spread` from it."""
    rows = []
    for root, expiration in expirations:
        years = years_to(snapshot_at, root, expiration)
        forward, discount = spot * math.exp((rate - dividends) * years), math.exp(-rate * years)
        for strike in strikes:
            for kind in ("call", "put"):
                sigma = smile(math.log(strike / forward))
                mid = black_76(forward, strike, years, discount, sigma, kind == "call")
                half = min(spread / 2, mid / 4)
                rows.append(
                    contract(snapshot_at, root, expiration, kind, strike, mid - half, mid + half, spot, underlying)
                )
    return as_chain(rows)


def contract(
    snapshot_at: datetime,
    root: str,
    expiration: date,
    option_type: str,
    strike: float,
    bid: float | None,
    ask: float | None,
    spot: float | None,
    underlying: str,
) -> dict[str, object]:
    """One row of a chain; columns that a test does not set have a harmless value."""
    right = "C" if option_type == "call" else "P"
    return {
        "underlying": underlying,
        "snapshot_at": snapshot_at,
        "kind": "close",
        "source": "chain_snapshot",
        "ticker": f"O:{root}{expiration:%y%m%d}{right}{round(strike * 1000):08d}",
        "root": root,
        "expiration": expiration,
        "option_type": option_type,
        "strike": strike,
        "exercise_style": find_product(root).exercise_style.value,
        "shares_per_contract": 100.0,
        "bid": bid,
        "ask": ask,
        "quote_at": snapshot_at,
        "volume": 10,
        "open_interest": 100,
        "underlying_price": spot,
    }


def as_chain(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Rows as a sorted `CHAIN`; absent columns are null."""
    return pl.DataFrame(rows, schema=CHAIN).sort("underlying", "snapshot_at", "ticker")
