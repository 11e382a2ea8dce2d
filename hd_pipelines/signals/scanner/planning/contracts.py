"""Choose the option that a signal suggests from a real chain.

A long signal buys a call, a short one a put. Limits are the detector's, plus the policy's for options that expire today.
Of the contracts that pass, choose the one closest to the middle of the delta bounds with the narrowest spread, both
measured relative to what is allowed. Days to expiry count from the signal's session, not the chain's. If no contract
passes, the result counts near misses: contracts that break exactly one limit, by that limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.market.sessions import count_trading_minutes, get_regular_hours
from hd_pipelines.signals.detectors.detector import ContractLimits
from hd_pipelines.signals.detectors.rules.conditions import Booleans
from hd_pipelines.signals.frame import Floats
from hd_pipelines.signals.option_chain import OptionQuotes
from hd_pipelines.signals.scanner.policy.scan_policy import ContractRules, ZeroDteLimits
from hd_pipelines.tables.vocabulary import Direction


class Limit(StrEnum):
    """A limit on contracts. An unknown value breaks it."""

    DAYS_TO_EXPIRY = "days_to_expiry"
    OUTLIVES_THE_SIGNAL = "outlives_the_signal"
    DELTA = "delta"
    TWO_SIDED_QUOTE = "two_sided_quote"
    SPREAD = "spread"
    VOLUME = "volume"
    OPEN_INTEREST = "open_interest"
    PRICE = "price"


@dataclass(frozen=True)
class Choice:
    """contract: JSON-ready values, or None with the `reason`. near_misses: count by the only limit broken."""

    ticker: str | None
    contract: Mapping[str, Any] | None
    reason: str
    considered: int = 0
    near_misses: Mapping[str, int] = field(default_factory=dict)
    labels: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the choice as JSON-ready values, without the contract itself."""
        return {
            "ticker": self.ticker,
            "reason": self.reason,
            "considered": self.considered,
            "near_misses": dict(self.near_misses),
        }


def choose_contract(
    chain: OptionQuotes | None,
    *,
    symbol: str,
    direction: Direction,
    session: date,
    as_of_ns: int,
    valid_until: datetime,
    limits: ContractLimits,
    rules: ContractRules,
) -> Choice:
    """Choose the contract of a signal. `chain`: the newest one known at `as_of_ns`."""
    if chain is None:
        return Choice(None, None, "no chain of this symbol was known")
    age = count_trading_minutes(chain.known_at_ns, as_of_ns)
    if age > rules.max_chain_age_minutes:
        return Choice(None, None, f"the newest chain is {age:.0f} trading minutes old", labels=("chain_too_old",))
    side = chain.is_call if direction is Direction.LONG else ~chain.is_call
    rows = np.flatnonzero(side)
    if not rows.size:
        return Choice(None, None, "the chain has no contract of this side")
    dte = (chain.expirations[rows] - np.datetime64(session)) / np.timedelta64(1, "D")
    kept = _check_limits(chain, rows, dte, symbol=symbol, valid_until=valid_until, limits=limits, rules=rules)
    broken = len(kept) - np.sum(list(kept.values()), axis=0)
    if not (broken == 0).any():
        alone = {name.value: int(np.count_nonzero((broken == 1) & ~held)) for name, held in kept.items()}
        near_misses = {name: count for name, count in alone.items() if count}
        reason = f"none of {rows.size} contracts keeps to all limits"
        return Choice(None, None, reason, rows.size, near_misses)
    passing = np.flatnonzero(broken == 0)
    best = min(
        passing.tolist(), key=lambda i: (*_measure_distance(chain, int(rows[i]), limits), chain.tickers[int(rows[i])])
    )
    row = int(rows[best])
    labels = ("chain_of_an_earlier_session",) if chain.known_at_ns < get_regular_hours(session).opens_at_ns else ()
    contract = _to_json(chain, row, int(dte[best])) | {"chain_age_minutes": round(age, 2)}
    reason = f"best of {passing.size} that keep to all limits, of {rows.size}"
    return Choice(chain.tickers[row], contract, reason, rows.size, labels=labels)


def _check_limits(
    chain: OptionQuotes,
    rows: NDArray[np.intp],
    dte: Floats,
    *,
    symbol: str,
    valid_until: datetime,
    limits: ContractLimits,
    rules: ContractRules,
) -> dict[Limit, Booleans]:
    """Return which contracts meet each limit; shape of `rows`."""
    delta, bid, ask = np.abs(chain.delta[rows]), chain.bid[rows], chain.ask[rows]
    volume, open_interest = chain.volume[rows], chain.open_interest[rows]
    with np.errstate(invalid="ignore", divide="ignore"):
        mid = (bid + ask) / 2.0
        spread_pct = 100.0 * (ask - bid) / mid
    today: ZeroDteLimits | None = rules.zero_dte.get(symbol)
    expires_today = (dte == 0) if today is not None else np.zeros(rows.size, np.bool_)
    kept = {
        Limit.DAYS_TO_EXPIRY: (dte >= limits.days_to_expiry[0]) & (dte <= limits.days_to_expiry[1]),
        Limit.OUTLIVES_THE_SIGNAL: chain.expirations[rows] >= np.datetime64(valid_until.date()),
        Limit.DELTA: (delta >= limits.delta[0]) & (delta <= limits.delta[1]),
        Limit.TWO_SIDED_QUOTE: (bid > 0.0) & (ask >= bid),
        Limit.SPREAD: spread_pct <= limits.max_spread_pct,
        Limit.VOLUME: volume >= limits.min_volume,
        Limit.OPEN_INTEREST: open_interest >= limits.min_open_interest,
    }
    if today is not None:
        stricter = {
            Limit.DELTA: (delta >= today.delta[0]) & (delta <= today.delta[1]),
            Limit.SPREAD: spread_pct <= today.max_spread_pct,
            Limit.VOLUME: volume >= today.min_volume,
            Limit.OPEN_INTEREST: open_interest >= today.min_open_interest,
            Limit.PRICE: (mid >= today.price[0]) & (mid <= today.price[1]),
        }
        everything = np.ones(rows.size, np.bool_)
        for name, held in stricter.items():
            kept[name] = kept.get(name, everything) & (held | ~expires_today)
    return kept


def _measure_distance(chain: OptionQuotes, row: int, limits: ContractLimits) -> tuple[float, float]:
    """Return the sort key of a contract: distance of delta from the middle plus spread, relative to limits; then volume."""
    middle, half = sum(limits.delta) / 2.0, (limits.delta[1] - limits.delta[0]) / 2.0
    spread_pct = 200.0 * float(chain.ask[row] - chain.bid[row]) / float(chain.ask[row] + chain.bid[row])
    off_middle = abs(abs(float(chain.delta[row])) - middle) / half if half else 0.0
    return round(off_middle + spread_pct / limits.max_spread_pct, 9), -float(chain.volume[row])


def _to_json(chain: OptionQuotes, row: int, dte: int) -> dict[str, Any]:
    bid, ask = float(chain.bid[row]), float(chain.ask[row])
    facts: dict[str, Any] = {
        "ticker": chain.tickers[row],
        "expiration": str(chain.expirations[row].astype("datetime64[D]")),
        "days_to_expiry": dte,
        "right": "call" if chain.is_call[row] else "put",
        "strike": _to_json_number(chain.strike[row]),
        "bid": _to_json_number(bid),
        "ask": _to_json_number(ask),
        "mid": _to_json_number((bid + ask) / 2.0),
        "spread_pct": _to_json_number(200.0 * (ask - bid) / (ask + bid)),
        "quoted_at": datetime.fromtimestamp(chain.known_at_ns // 1_000_000_000, UTC).isoformat(),
    }
    for name in ("volume", "open_interest", "implied_volatility", "delta", "gamma", "theta", "vega"):
        facts[name] = _to_json_number(getattr(chain, name)[row])
    return facts


def _to_json_number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
