"""Dealer gamma of one valued snapshot at trial spots around the present one."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hd_pipelines.analytics.gamma.smiles import fill_from_smile
from hd_pipelines.analytics.gamma_exposure import gamma_profile

Floats = NDArray[np.float64]

SEARCH = 0.15
"""Share of spot to either side, as in the search for zero gamma."""


def compute_profile(valued: pl.DataFrame, points: int = 201) -> tuple[Floats, Floats]:
    """Trial spots within ±15 % and dealer gamma there, dollars per 1 % move.

    `valued`: one snapshot of one symbol, as `market.option_chains.VALUED`. Both answers are empty where nothing with open
    interest could be valued.
    """
    held = fill_from_smile(valued).filter(
        pl.col("gamma").is_finite()
        & (pl.col("open_interest") > 0)
        & (pl.col("shares_per_contract") > 0)
        & (pl.col("underlying_price") > 0)
    )
    if held.is_empty():
        return np.empty(0), np.empty(0)
    spot = float(held["underlying_price"][0])
    spots = np.linspace(spot * (1 - SEARCH), spot * (1 + SEARCH), points)
    values = gamma_profile(
        spots,
        spot,
        held["strike"].to_numpy(),
        held["years"].to_numpy(),
        held["forward"].to_numpy(),
        held["implied_volatility"].to_numpy(),
        held["open_interest"].cast(pl.Float64).to_numpy(),
        (held["shares_per_contract"] * held["discount"]).to_numpy(),
        (held["option_type"] == "call").to_numpy(),
    )
    return spots, values
