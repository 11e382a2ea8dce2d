"""Computes dealer gamma exposure of whole chains: rows per snapshot, strike and expiration, as the warehouse stores them.

Assembles a snapshot from sums over valued contracts. The profile over spots is in `gamma.profile`, notable strikes in
`gamma.levels`, classes in `gamma.dealer_positioning`.

A contract's exposure is gamma * open interest * shares per contract * spot² * 0.01: dollars of dealer delta per 1 % move of
the underlying, calls positive and puts negative (`SignModel.NAIVE_CALLS_LONG`). That dealers are long calls and short puts
is an assumption, which holds best for index options. Open interest is that of the session before, so contracts opened today
are not included. Source of formula and sign: SqueezeMetrics, "The Implied Order Book" (2020).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hd_pipelines.analytics.gamma.dealer_positioning import History, classify_expected_behavior, classify_position
from hd_pipelines.analytics.gamma.frames import EXPIRATION_COLUMNS, SNAPSHOT_COLUMNS, STRIKE_COLUMNS, GammaExposure
from hd_pipelines.analytics.gamma.levels import find_levels
from hd_pipelines.analytics.gamma.max_pain import find_nearest_max_pain
from hd_pipelines.analytics.gamma.profile import gamma_profile, zero_gamma
from hd_pipelines.analytics.gamma.sums import (
    KEY,
    add_exposure,
    find_expiration_focus,
    round_exposures,
    sum_by_expiration,
    sum_by_strike,
    sum_snapshots,
)
from hd_pipelines.pricing.reasons import Reason

__all__ = ["GammaExposure", "compute_gamma_exposure", "gamma_profile", "zero_gamma"]

SEARCH = 0.15
FEWEST_CONTRACTS = 10
"""With fewer contracts with open interest than this, zero gamma is not meaningful and stays null."""
PIN_DAYS = 5
"""Max pain counts as a pin level within this many calendar days of its expiration."""
SESSIONS_A_YEAR = 252


def compute_gamma_exposure(valued: pl.DataFrame, history: pl.DataFrame | None = None) -> GammaExposure:
    """Compute the gamma exposure of every snapshot in `valued`.

    Args:
        valued: frame `VALUED`, any number of symbols and timestamps.
        history: columns symbol, timestamp, gex_usd_per_1pct of earlier snapshots. A row with the key of a snapshot in
            `valued` is ignored, so recomputing a session needs no special care. A row at t is compared with earlier
            sessions only, those of this call included.

    Returns:
        One snapshot for every symbol and timestamp of `valued`, and its strikes and expirations.
        What could not be computed is null, with a reason where the column has one.
    """
    if valued.is_empty():
        return GammaExposure(
            pl.DataFrame(schema=SNAPSHOT_COLUMNS),
            pl.DataFrame(schema=STRIKE_COLUMNS),
            pl.DataFrame(schema=EXPIRATION_COLUMNS),
        )
    contracts = add_exposure(valued)
    by_strike, by_expiration = sum_by_strike(contracts), sum_by_expiration(contracts)
    table = (
        sum_snapshots(contracts)
        .join(find_levels(by_strike), on=KEY, how="left")
        .join(find_nearest_max_pain(contracts), on=KEY, how="left")
        .join(find_expiration_focus(by_expiration), on=KEY, how="left")
        .join(_find_zero_gammas(contracts), on=KEY, how="left")
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
    classes = pl.DataFrame(
        _classify_rows(table, history), schema_overrides={"n_history": pl.Int64}, infer_schema_length=None
    )
    return GammaExposure(
        _select_typed(table.hstack(classes), SNAPSHOT_COLUMNS),
        _select_typed(by_strike.with_columns(round_exposures()), STRIKE_COLUMNS),
        _select_typed(by_expiration.with_columns(round_exposures()), EXPIRATION_COLUMNS),
    )


def _select_typed(frame: pl.DataFrame, schema: Mapping[str, Any]) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _find_zero_gammas(contracts: pl.DataFrame) -> pl.DataFrame:
    """Zero gamma of each snapshot. The multiplier includes the discount factor, so that delta is that of a share."""
    found: dict[str, list[Any]] = defaultdict(list)
    for (symbol, timestamp), chain in contracts.group_by(KEY, maintain_order=True):
        roots, reason = _find_zero_gamma(chain)
        found["symbol"].append(symbol)
        found["timestamp"].append(timestamp)
        found["zero_gamma"].append(float(roots[0]) if roots.size else None)
        found["zero_gamma_crossings"].append("[" + ",".join(f"{root:.10g}" for root in roots) + "]")
        found["zero_gamma_reason"].append(reason)
    schema = {name: SNAPSHOT_COLUMNS[name] for name in found}
    return pl.DataFrame(found, schema=schema)


def _find_zero_gamma(chain: pl.DataFrame) -> tuple[NDArray[np.float64], str | None]:
    """Find the roots, and the reason if there are none."""
    none = np.empty(0)
    if chain["underlying_price"].null_count() == chain.height:
        return none, Reason.NO_SPOT.value
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


def _classify_rows(table: pl.DataFrame, history: pl.DataFrame | None) -> list[dict[str, Any]]:
    """Classify each row of `table`, which is sorted by symbol and timestamp."""
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
            classes.append(_classify_row(next(rows), past_of_symbol.before(event["day"])))
        past_of_symbol.add(event["day"], event["gex_usd_per_1pct"])
    return classes


def _classify_row(row: dict[str, Any], earlier: Sequence[float]) -> dict[str, Any]:
    classified = classify_position(row["gex_usd_per_1pct"], row["gross"], earlier)
    pins = [row["absolute_gamma_strike"]]
    if row["max_pain_expiration"] is not None and (row["max_pain_expiration"] - row["session"]).days <= PIN_DAYS:
        pins.append(row["max_pain"])
    behavior = classify_expected_behavior(
        classified.positioning, _count_daily_moves(row, pins), _count_daily_moves(row, [row["zero_gamma"]])
    )
    return {
        "dealer_positioning": classified.positioning,
        "positioning_strength": classified.strength,
        "positioning_reason": Reason.NO_SPOT.value if row["underlying_price"] is None else classified.reason,
        "n_history": classified.n_history,
        "expected_behavior": behavior,
    }


def _count_daily_moves(row: dict[str, Any], found: list[float | None]) -> float | None:
    """Distance to the nearest level in daily moves of spot * gamma-weighted volatility / sqrt(252)."""
    spot, volatility = row["underlying_price"], row["volatility"]
    if spot is None:
        return None
    distances = [abs(level - spot) for level in found if level is not None]
    if not distances or not volatility or math.isnan(volatility):
        return None
    return float(min(distances) / (spot * volatility / math.sqrt(SESSIONS_A_YEAR)))
