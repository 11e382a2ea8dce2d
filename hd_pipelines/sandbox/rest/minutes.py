"""The vendor's one-minute aggregates as of a moment: completed minutes, and the forming one so far.

Cuts a window's minutes at the service's clock, adjusts for splits, pages, and builds the JSON. The minutes themselves come
from a market in `rest.market`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import polars as pl

from hd_pipelines.market.instants import to_ns
from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, NEW_YORK, compute_midnight_ns, list_sessions_between
from hd_pipelines.market.symbols import is_index
from hd_pipelines.sandbox.rest.market import RestMarket
from hd_pipelines.sandbox.rest.parameters import RestError, read_page_limit
from hd_pipelines.sandbox.rest.wire import RestPlan

MINUTES = re.compile(r"/v2/aggs/ticker/(?P<ticker>[^/]+)/range/1/minute/(?P<first>[\d-]+)/(?P<last>[\d-]+)")
"""Path of the minutes of a ticker from a day, or a time in milliseconds, to another."""
PLAN_DELAY = timedelta(minutes=15)
"""How far a delayed plan is behind."""
_MINUTE_MS = 60_000


def build_minute_page(
    market: RestMarket, plan: RestPlan, asked: re.Match[str], query: Mapping[str, str], *, now: datetime, base: str
) -> dict[str, Any]:
    """Build the answer to a path that `MINUTES` matches, without its request id.

    An unknown ticker, an index under its plain symbol, and a day without a session are an empty 200. The next page's
    cursor contains only limit and order, not that prices are unadjusted; the path contains the next position.
    Raises `RestError`.
    """
    ticker, first, last = asked["ticker"], asked["first"], asked["last"]
    if is_index(ticker) and not plan.has_indices:
        raise RestError(403)
    query = _merge_cursor(query)
    limit, order = read_page_limit(query, default=5000, most=50_000), query.get("sort", "asc")
    if order not in {"asc", "desc"}:
        raise RestError(400, "sort is invalid.")
    is_adjusted = query.get("adjusted", "true") == "true"
    rows = _read_rows(
        market, ticker, _parse_edge_ms(first), _parse_edge_ms(last, is_end=True), now, is_adjusted=is_adjusted
    )
    rows = select_minutes_as_of(rows, now, plan) if rows.height else rows
    rows = rows.reverse() if order == "desc" else rows
    page = [_to_aggregate(row) for row in rows.head(limit).iter_rows(named=True)]
    answer: dict[str, Any] = {"ticker": ticker, "adjusted": is_adjusted}
    answer |= dict.fromkeys(("queryCount", "resultsCount", "count"), len(page))
    if page:
        answer["results"] = page
    if plan.is_delayed:
        answer["status"] = "DELAYED"
    if rows.height > limit:
        edge = page[-1]["t"]
        window = f"{edge + _MINUTE_MS}/{last}" if order == "asc" else f"{first}/{edge - 1}"
        cursor = base64.urlsafe_b64encode(urlencode({"limit": limit, "sort": order}).encode()).decode()
        answer["next_url"] = f"{base}/v2/aggs/ticker/{ticker}/range/1/minute/{window}?cursor={cursor}"
    return answer


def select_minutes_as_of(rows: pl.DataFrame, moment: datetime, plan: RestPlan) -> pl.DataFrame:
    """Select the `rows` (a minute file's columns) that had begun at `moment`, or 15 minutes before for a delayed plan.

    The unfinished minute has its open as all prices, and volume in proportion to the elapsed part.
    """
    shown_ns = to_ns(moment - (PLAN_DELAY if plan.is_delayed else timedelta()))
    elapsed = (pl.lit(shown_ns) - pl.col("window_start")) / NANOSECONDS_PER_MINUTE
    is_forming = elapsed < 1
    begun = rows.filter(elapsed > 0)
    prices = [pl.when(is_forming).then("open").otherwise(name).alias(name) for name in ("close", "high", "low")]
    counts = [
        pl.when(is_forming).then((pl.col(name) * elapsed).ceil()).otherwise(name).cast(begun.schema[name]).alias(name)
        for name in ("volume", "transactions")
        if name in rows.columns
    ]
    return begun.with_columns(*prices, *counts)


def _read_rows(
    market: RestMarket, ticker: str, first_ms: int, last_ms: int, now: datetime, *, is_adjusted: bool
) -> pl.DataFrame:
    today = now.astimezone(NEW_YORK).date()
    parts = []
    for session in list_sessions_between(_find_day(first_ms), min(_find_day(last_ms), today)):
        rows = market.minutes(ticker, session)
        if rows.height:
            ratio = market.split_ratio(ticker, session, today) if is_adjusted else 1.0
            parts.append(_adjust_for_splits(rows, ratio) if ratio != 1.0 else rows)
    asked = pl.col("window_start").is_between(first_ms * 1_000_000, last_ms * 1_000_000)
    return pl.concat(parts).filter(asked) if parts else pl.DataFrame()


def _adjust_for_splits(rows: pl.DataFrame, ratio: float) -> pl.DataFrame:
    """Convert `rows` to shares of today, of which there are `ratio` per share of then."""
    prices = [(pl.col(name) / ratio).round(6) for name in ("open", "high", "low", "close")]
    return rows.with_columns(*prices, *([pl.col("volume") * ratio] if "volume" in rows.columns else []))


def _to_aggregate(row: Mapping[str, Any]) -> dict[str, Any]:
    """Convert one minute to JSON; an index has no volume, no number of trades and no average price."""
    answer = {name[0]: row[name] for name in ("open", "close", "high", "low")}
    answer["t"] = row["window_start"] // 1_000_000
    if row.get("volume") is not None:
        answer |= {"v": row["volume"], "vw": round((row["high"] + row["low"] + row["close"]) / 3, 4)}
    if row.get("transactions") is not None:
        answer["n"] = row["transactions"]
    return answer


def _merge_cursor(query: Mapping[str, str]) -> dict[str, str]:
    if "cursor" not in query:
        return dict(query)
    try:
        known = dict(parse_qsl(base64.urlsafe_b64decode(query["cursor"].encode()).decode()))
    except ValueError:
        known = {}
    if not known:
        raise RestError(400, "The cursor is invalid.")
    return dict(query) | known


def _parse_edge_ms(text: str, *, is_end: bool = False) -> int:
    """Parse a day (its first or last millisecond in New York) or a time in milliseconds."""
    if text.isdigit():
        return int(text)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise RestError(400, "from and to are days (YYYY-MM-DD) or milliseconds.") from None
    return (compute_midnight_ns(day + timedelta(days=1)) if is_end else compute_midnight_ns(day)) // 1_000_000 - is_end


def _find_day(milliseconds: int) -> date:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, NEW_YORK).date()
    except (ValueError, OverflowError, OSError):
        raise RestError(400, "from and to are days (YYYY-MM-DD) or milliseconds.") from None
