"""Features of the newest option chain at each row: gamma levels, nearest expiration, max pain, dealer gamma.

Each row uses the newest row of `gamma_exposure_snapshots` known then. A chain older than two sessions of trading is
ignored, apart from its age, because its levels belong to positions that are gone. "Today" features come only from today's
chain, and an expiration that has settled has no max pain.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import numpy as np

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE
from hd_pipelines.signals.features.contexts.newest_known import NONE, find_newest_of_each, select_known_between
from hd_pipelines.signals.features.percentages import percent, ratio
from hd_pipelines.signals.features.session_grid import Grid
from hd_pipelines.signals.frame import Floats, Integers
from hd_pipelines.signals.tape import GammaContext

OLDEST_CHAIN_MINUTES = 780.0
"""Trading minutes: two full sessions."""
CROSSING_MINUTES = 15
NANOSECONDS_PER_DAY = 86_400_000_000_000
CHAIN_LEVELS = ("gamma_resistance", "gamma_support", "zero_gamma", "max_pain")
CHAIN_FEATURES = (
    "chain_age_minutes",
    "minutes_to_expiry",
    "is_zero_dte",
    "zero_dte_share",
    "max_gamma_distance_pct",
    "dealer_gamma_ratio",
    "call_gamma_share",
    "put_gamma_share",
    "zero_gamma_distance_pct",
    "flip_strike_gamma_share",
    "option_volume_ratio",
    "max_pain_distance_pct",
    "max_pain_open_interest",
    "max_pain_oi_share",
    "max_pain_gamma",
)
_LEVELS = ("resistance", "support", "zero_gamma", "max_pain", "absolute_gamma_strike")
_SIZES = (
    "gex_usd_per_1pct",
    "call_gex_usd_per_1pct",
    "put_gex_usd_per_1pct",
    "option_volume",
    "zero_dte_share",
    "typical_gex",
    "typical_option_volume",
)
_SHARES = ("call_gamma_share", "dealer_gamma_ratio", "option_volume_ratio")
_AT_STRIKES = ("flip_strike_share", "max_pain_open_interest", "max_pain_share", "max_pain_gamma")
_GIVEN = (*_LEVELS, *_SIZES)
_COLUMNS = (*_GIVEN, *_SHARES, *_AT_STRIKES)
_given_by = attrgetter(*_GIVEN)


def compute_chain_features(
    gamma: Sequence[GammaContext], as_of_ns: Integers, clock_ns: Integers, price: Floats
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Compute `CHAIN_FEATURES` and `CHAIN_LEVELS` of rows at `as_of_ns` (ascending) with that `price`.

    `clock_ns`: `measure_trading_time_ns` of `as_of_ns`. NaN where no snapshot is known, or its value is null.
    """
    known = select_known_between(gamma, as_of_ns)
    if not known:
        features, levels = (
            dict(zip(names, np.full((len(names), price.size), np.nan), strict=True))
            for names in (CHAIN_FEATURES, CHAIN_LEVELS)
        )
        return features, levels
    snapshot, age = find_newest_of_each(known, as_of_ns, clock_ns, OLDEST_CHAIN_MINUTES)
    known_values = dict(zip(_COLUMNS, _table(known, snapshot).take(snapshot, axis=1), strict=True))
    expires_ns = np.array([row.max_pain_expires_at_ns or 0 for row in known] + [0], np.int64)[snapshot]
    to_expiry = np.where(expires_ns > 0, (expires_ns - as_of_ns) / NANOSECONDS_PER_MINUTE, np.nan)
    has_settled = to_expiry < 0
    for name in ("max_pain", "max_pain_open_interest", "max_pain_share", "max_pain_gamma"):
        known_values[name][has_settled] = np.nan
    to_expiry[has_settled] = np.nan
    today = as_of_ns // NANOSECONDS_PER_DAY
    known_day = np.array([row.known_at_ns // NANOSECONDS_PER_DAY for row in known] + [NONE])[snapshot]
    expires_today = (expires_ns // NANOSECONDS_PER_DAY == today).astype(np.float64)
    answers = (
        age,
        to_expiry,
        np.where(np.isnan(to_expiry), np.nan, expires_today),
        np.where(known_day == today, known_values["zero_dte_share"], np.nan),
        np.abs(percent(price, known_values["absolute_gamma_strike"])),
        known_values["dealer_gamma_ratio"],
        known_values["call_gamma_share"],
        100.0 - known_values["call_gamma_share"],
        percent(price, known_values["zero_gamma"]),
        known_values["flip_strike_share"],
        known_values["option_volume_ratio"],
        percent(price, known_values["max_pain"]),
        known_values["max_pain_open_interest"],
        known_values["max_pain_share"],
        known_values["max_pain_gamma"],
    )
    found = {level: known_values[name] for level, name in zip(CHAIN_LEVELS, _LEVELS[: len(CHAIN_LEVELS)], strict=True)}
    return dict(zip(CHAIN_FEATURES, answers, strict=True)), found


def find_crossings(price: Floats, zero_gamma: Floats, rows: Grid) -> Floats:
    """Return 1 where the price last rose through the level known then, within 15 minutes, -1 where it fell; else 0.

    A level that moves past a constant price is no crossing, and neither is an overnight gap. NaN without a level.
    """
    from hd_pipelines.signals.features.kernels import running as kernels_running

    crossed: Floats = kernels_running.find_crossings(price, zero_gamma, rows.session, CROSSING_MINUTES)
    return crossed


def _table(known: Sequence[GammaContext], snapshot: Integers) -> Floats:
    """Return the values of each snapshot, one row per name in `_COLUMNS`; the last column is NaN and stands for `NONE`."""
    from hd_pipelines.signals.features.kernels import shapes as kernels_shapes

    table = np.full((len(_COLUMNS), len(known) + 1), np.nan)
    numbers, shares, at_strikes = np.split(table, (len(_GIVEN), len(_GIVEN) + len(_SHARES)))
    numbers[:, :-1] = np.array([_given_by(row) for row in known], np.float64).T
    numbers[~np.isfinite(numbers)] = np.nan
    levels = numbers[: len(_LEVELS)]
    levels[levels <= 0] = np.nan
    of = dict(zip(_GIVEN, numbers, strict=True))
    call, put = np.abs(of["call_gex_usd_per_1pct"]), np.abs(of["put_gex_usd_per_1pct"])
    shares[0] = 100.0 * ratio(call, call + put)
    shares[1] = ratio(of["gex_usd_per_1pct"], of["typical_gex"])
    shares[2] = ratio(of["option_volume"], of["typical_option_volume"])
    for index in set(snapshot.tolist()) - {NONE}:
        by_strike = known[index].by_strike
        at_strikes[:, index] = kernels_shapes.read_strikes(by_strike, of["zero_gamma"][index], of["max_pain"][index])
    return table
