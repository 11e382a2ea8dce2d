"""Dealer gamma exposure of whole chains: one row per underlying and snapshot, as the warehouse stores it.

Belongs here: sums over valued contracts and the assembly of a snapshot. The profile over spots is in `gamma_profile`,
strikes that stand out in `gamma_levels`, classes in `dealer_positioning`. A contract's exposure is
gamma * open interest * shares per contract * spot² * 0.01: dollars of dealer delta per 1 % move of the underlying, calls
positive and puts negative (`SignModel.NAIVE_CALLS_LONG`). That dealers are long calls and short puts is an assumption; it
holds best for index options. Open interest is that of the session before, so contracts opened today are not in it.
Source of formula and sign: SqueezeMetrics, "The Implied Order Book" (2020).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hd_pipelines.analytics.gamma.dealer_positioning import History, expected_behavior, position
from hd_pipelines.analytics.gamma.frames import SNAPSHOT_COLUMNS
from hd_pipelines.analytics.gamma.levels import levels
from hd_pipelines.analytics.gamma.max_pain import nearest_max_pain
from hd_pipelines.analytics.gamma.profile import gamma_profile, usable_contracts, zero_gamma
from hd_pipelines.analytics.gamma.sums import KEY, by_strike_of, documents_of, exposed, sums_of

__all__ = ["SNAPSHOT_COLUMNS", "gamma_profile", "snapshots", "usable_contracts", "zero_gamma"]

SEARCH = 0.15
FEWEST_CONTRACTS = 10
"""Fewer contracts with open interest than this are no book whose zero gamma means anything."""
PIN_DAYS = 5
"""Calendar days to its expiration within which max pain counts as a pin level."""
SESSIONS_A_YEAR = 252


def snapshots(valued: pl.DataFrame, history: pl.DataFrame | None = None) -> pl.DataFrame:
    """Gamma exposure of every snapshot in `valued`.

    Args:
        valued: frame `VALUED`, any number of symbols and timestamps.
        history: columns symbol, timestamp, gex_usd_per_1pct of earlier snapshots. A row here with the key of a
            snapshot in `valued` is ignored, so recomputing a session needs no care. Rows at t see earlier sessions
            only, the rows of this call among them.

    Returns:
        Frame `SNAPSHOT_COLUMNS` sorted by symbol and timestamp, one row for every symbol and timestamp of `valued`.
        What could not be computed is null, with a reason where the column has one.
    """
    if valued.is_empty():
        return pl.DataFrame(schema=SNAPSHOT_COLUMNS)
    contracts = exposed(valued)
    by_strike = by_strike_of(contracts)
    table = (
        sums_of(contracts)
        .join(levels(by_strike), on=KEY, how="left")
        .join(nearest_max_pain(contracts), on=KEY, how="left")
        .join(documents_of(by_strike, contracts), on=KEY, how="left")
        .join(_zero_gammas(contracts), on=KEY, how="left")
        .sort(KEY)
    )
    spot = pl.col("underlying_price")
    table = table.with_columns(
        ((pl.col(level) / spot - 1) * 100).alias(f"distance_to_{name}_pct")
        for level, name in (
            ("gamma_wall_resistance", "resistance"),
            ("gamma_wall_support", "support"),
            ("zero_gamma", "zero_gamma"),
        )
    )
    classes = pl.DataFrame(_classes(table, history), schema_overrides={"n_history": pl.Int64}, infer_schema_length=None)
    return table.hstack(classes).select(pl.col(name).cast(dtype) for name, dtype in SNAPSHOT_COLUMNS.items())


def _zero_gammas(contracts: pl.DataFrame) -> pl.DataFrame:
    """Zero gamma of each snapshot. The discount factor enters through the multiplier, so that delta is a share's."""
    found: dict[str, list[Any]] = defaultdict(list)
    for (symbol, timestamp), chain in contracts.group_by(KEY, maintain_order=True):
        roots, reason = _zero_gamma_of(chain)
        found["symbol"].append(symbol)
        found["timestamp"].append(timestamp)
        found["zero_gamma"].append(float(roots[0]) if roots.size else None)
        found["zero_gamma_crossings"].append("[" + ",".join(f"{root:.10g}" for root in roots) + "]")
        found["zero_gamma_reason"].append(reason)
    schema = {name: SNAPSHOT_COLUMNS[name] for name in found}
    return pl.DataFrame(found, schema=schema)


def _zero_gamma_of(chain: pl.DataFrame) -> tuple[NDArray[np.float64], str | None]:
    """Roots, and why there are none."""
    none = np.empty(0)
    if chain["open_interest"].null_count() == chain.height:
        return none, "oi_unknown"
    held = chain.filter(pl.col("is_valued") & (pl.col("open_interest") > 0))
    if held.height < FEWEST_CONTRACTS:
        return none, "too_few_contracts"
    roots = zero_gamma(
        float(held["underlying_price"][0]),
        held["strike"].to_numpy(),
        held["years"].to_numpy(),
        held["forward"].to_numpy(),
        held["implied_volatility"].to_numpy(),
        held["open_interest"].cast(pl.Float64).to_numpy(),
        (held["shares_per_contract"] * held["discount"]).to_numpy(),
        (held["option_type"] == "call").to_numpy(),
        SEARCH,
    )
    return roots, None if roots.size else f"no_crossing_within_{SEARCH * 100:.0f}pct"


def _classes(table: pl.DataFrame, history: pl.DataFrame | None) -> list[dict[str, Any]]:
    """Classes of each row of `table`, which is sorted by symbol and timestamp."""
    own = table.select(*KEY, "gex_usd_per_1pct", is_own=pl.lit(value=True))
    events = own
    if history is not None:
        past = history.select(pl.col(name).cast(SNAPSHOT_COLUMNS[name]) for name in (*KEY, "gex_usd_per_1pct"))
        events = pl.concat([past.join(own, on=KEY, how="anti").with_columns(is_own=pl.lit(value=False)), own])
    local = pl.col("timestamp").dt.convert_time_zone("America/New_York").dt.date()
    pasts: dict[str, History] = defaultdict(History)
    classes, rows = [], table.iter_rows(named=True)
    for event in events.with_columns(day=local).sort(KEY).iter_rows(named=True):
        past_of_symbol = pasts[event["symbol"]]
        if event["is_own"]:
            classes.append(_class_of(next(rows), past_of_symbol.before(event["day"])))
        past_of_symbol.add(event["day"], event["gex_usd_per_1pct"])
    return classes


def _class_of(row: dict[str, Any], earlier: Sequence[float]) -> dict[str, Any]:
    judged = position(row["gex_usd_per_1pct"], row["gross"], earlier)
    pins = [row["absolute_gamma_strike"]]
    if row["max_pain_expiration"] is not None and (row["max_pain_expiration"] - row["session"]).days <= PIN_DAYS:
        pins.append(row["max_pain"])
    behavior = expected_behavior(judged.positioning, _moves(row, pins), _moves(row, [row["zero_gamma"]]))
    return {
        "dealer_positioning": judged.positioning,
        "positioning_strength": judged.strength,
        "positioning_reason": judged.reason,
        "n_history": judged.n_history,
        "expected_behavior": behavior,
    }


def _moves(row: dict[str, Any], found: list[float | None]) -> float | None:
    """Distance to the nearest of the levels in daily moves: spot * gamma-weighted volatility / sqrt(252)."""
    spot, volatility = row["underlying_price"], row["volatility"]
    distances = [abs(level - spot) for level in found if level is not None]
    if not distances or not volatility or math.isnan(volatility):
        return None
    return float(min(distances) / (spot * volatility / math.sqrt(SESSIONS_A_YEAR)))
