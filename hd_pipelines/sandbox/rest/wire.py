"""The vendor's JSON for contracts, indices and errors: which fields there are, and which are left out.

The service omits what it does not know instead of sending null: Greeks and IV of deep contracts, a day without trades
(`{}`), what the plan does not include.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hd_pipelines.market.instants import to_ns
from hd_pipelines.market.symbols import is_index
from hd_pipelines.sandbox.rest.market import IndexDay

NOT_ENTITLED = "You are not entitled to this data. Please upgrade your plan at https://massive.com/pricing"
TOO_MANY = "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue."


@dataclass(frozen=True, slots=True)
class RestPlan:
    """What the account may see: quotes, trades and prices of underlyings in chains; index values; real-time or delayed."""

    has_quotes: bool = True
    has_trades: bool = True
    has_underlying_prices: bool = True
    has_indices: bool = True
    is_delayed: bool = False

    @property
    def timeframe(self) -> str:
        """The `timeframe` field beside every price: real-time or delayed."""
        return "DELAYED" if self.is_delayed else "REAL-TIME"


def to_contract(row: Mapping[str, Any], plan: RestPlan) -> dict[str, Any]:
    """Convert one contract of a chain. `row`: columns as `chains.build_synthetic_chains`."""
    bid, ask, last, stamp = row["bid"], row["ask"], row["last"], row["quote_at_ns"]
    is_call = row["option_type"] == "call"
    middle = 0.5 * ((bid or 0.0) + (ask or 0.0))
    even = row["strike"] + (middle if is_call else -middle)
    answer: dict[str, Any] = {
        "break_even_price": round(even, 4),
        "day": _to_day(row, stamp),
        "details": {
            "contract_type": row["option_type"],
            "exercise_style": row["exercise_style"],
            "expiration_date": str(row["expiration"]),
            "shares_per_contract": _to_whole(row["shares_per_contract"]),
            "strike_price": _to_whole(row["strike"]),
            "ticker": row["ticker"],
        },
    }
    if row["vendor_iv"]:
        greeks = {name: row[f"vendor_{name}"] for name in ("delta", "gamma", "theta", "vega")}
        answer["greeks"] = {name: value for name, value in greeks.items() if value is not None}
        answer["implied_volatility"] = row["vendor_iv"]
    if plan.has_quotes:
        answer["last_quote"] = {
            "ask": ask,
            "ask_size": row["ask_size"] if row["ask_size"] is not None else 1,
            "ask_exchange": 302,
            "bid": bid,
            "bid_size": row["bid_size"] if row["bid_size"] is not None else 1,
            "bid_exchange": 302,
            "last_updated": stamp,
            "midpoint": round(middle, 4),
            "timeframe": plan.timeframe,
        }
    if plan.has_trades and last:
        trade = {"price": last, "sip_timestamp": stamp // 1_000_000 * 1_000_000, "size": 1, "conditions": [209]}
        answer["last_trade"] = trade | {"exchange": 302, "timeframe": plan.timeframe}
    answer["open_interest"] = row["open_interest"]
    price = row["underlying_price"]
    asset: dict[str, Any] = {"ticker": row["underlying"], "timeframe": plan.timeframe, "last_updated": stamp}
    if plan.has_underlying_prices and price is not None:
        asset |= {
            "value" if is_index(row["underlying"]) else "price": price,
            "change_to_break_even": round(even - price, 4),
        }
    answer["underlying_asset"] = asset
    return answer


def _to_day(row: Mapping[str, Any], stamp: int) -> dict[str, Any]:
    last = row["last"]
    if not row["volume"] or not last:
        return {}
    same = dict.fromkeys(("close", "high", "low", "open", "previous_close", "vwap"), last)
    return same | {"change": 0, "change_percent": 0, "last_updated": stamp, "volume": row["volume"]}


def to_index(day: IndexDay, moment: datetime, plan: RestPlan, *, is_open: bool) -> dict[str, Any]:
    """Convert one index of an index snapshot."""
    change = round(day.close - day.previous_close, 4)
    return {
        "value": day.close,
        "last_updated": to_ns(moment.replace(microsecond=0)),
        "timeframe": plan.timeframe,
        "ticker": day.ticker,
        "name": day.ticker.removeprefix("I:"),
        "type": "indices",
        "market_status": "open" if is_open else "closed",
        "session": {
            "change": change,
            "change_percent": round(100 * change / day.previous_close, 4),
            "close": day.close,
            "high": day.high,
            "low": day.low,
            "open": day.open,
            "previous_close": day.previous_close,
        },
    }


def to_refusal(status: int, request_id: str, text: str | None = None) -> dict[str, str]:
    """Build the body of a response that is not 200. The text is under `error`, for 403 and 404 under `message`."""
    defaults: dict[int, tuple[str, str, str]] = {
        400: ("ERROR", "error", "Bad request."),
        401: ("ERROR", "error", "Unknown API Key"),
        403: ("NOT_AUTHORIZED", "message", NOT_ENTITLED),
        404: ("NOT_FOUND", "message", "Ticker not found."),
        429: ("ERROR", "error", TOO_MANY),
    }
    name, field, default = defaults.get(status, ("ERROR", "error", "Something went wrong."))
    return {"status": name, "request_id": request_id, field: text or default}


def _to_whole(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value
