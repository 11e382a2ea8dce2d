"""Spot Greeks compared with those that a broker published.

Interactive Brokers, model Greeks of SPX options streamed on 2023-08-04 from 13:31 UTC: price, volatility, delta, gamma,
vega, theta and price of the underlying; without forward, rate or settlement time.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.pricing import black
from hd_pipelines.pricing.settlement import count_years, list_settlements
from hd_pipelines.pricing.spot_greeks import to_spot_greeks

FILE = Path(__file__).parents[2].parent / "shared/data/reference_values/ib_model_greeks_spx_2023-08-04.csv.gz"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"the broker's figures are not at {FILE}")

RATE = 0.0547
"""The rate at which their thetas fit best; SPX forwards of the day imply 5.5 to 5.6 %, Treasury bills paid 5.3 %."""


@pytest.fixture(scope="module")
def quoted() -> pl.DataFrame:
    """The broker's rows with `years` to the close of the expiration (weekly SPX: SPXW)."""
    rows = pl.read_csv(FILE, try_parse_dates=True).drop_nulls()
    at = rows["timestamp_utc"].str.to_datetime("%Y%m%d %H:%M:%S%.f").dt.replace_time_zone("UTC").cast(STAMP)
    rows = rows.with_columns(root=pl.lit("SPXW"))
    instants = list_settlements(rows.select("root", "expiration").unique())
    rows = rows.join(instants, on=["root", "expiration"], maintain_order="left")
    return rows.with_columns(count_years(at, rows["settles_at"]))


def forward_that_prices(row: dict[str, float], is_call: bool, discount: float) -> float:
    low, high = 0.8 * row["strike"], 1.3 * row["strike"]
    for _ in range(80):
        middle = (low + high) / 2
        price = black.price(middle, row["strike"], row["years"], discount, row["model_impliedVol"], is_call)
        if (price < row["model_price"]) == is_call:
            low = middle
        else:
            high = middle
    return low


@pytest.fixture(scope="module")
def ours(quoted: pl.DataFrame) -> pl.DataFrame:
    """Our Greeks at the broker's volatility, with the forward at which Black-76 gives the broker's price."""
    is_call = (quoted["right"] == "call").to_numpy()
    years = quoted["years"].to_numpy()
    discount = np.exp(-RATE * years)
    rows = quoted.iter_rows(named=True)
    forward = np.array([forward_that_prices(*given) for given in zip(rows, is_call, discount, strict=True)])
    numbers = quoted["strike"].to_numpy(), years, discount, quoted["model_impliedVol"].to_numpy()
    spot = quoted["model_undPrice"].to_numpy()
    greeks = to_spot_greeks(black.greeks(forward, *numbers, is_call), spot, forward, years, discount)
    return quoted.with_columns(
        basis=pl.Series(forward - spot), **{name: pl.Series(values) for name, values in greeks._asdict().items()}
    )


def test_one_forward_explains_all_prices_of_an_expiration(ours):
    # Six contracts each, calls and puts from 5 % below to 4 % above: our clock to settlement is the broker's.
    for expiration, basis in ((date(2023, 8, 11), 1.99), (date(2023, 9, 1), 11.1)):
        found = ours.filter(pl.col("expiration") == expiration)["basis"]
        assert found.median() == pytest.approx(basis, abs=0.05)
        assert found.max() - found.min() < 0.2


@pytest.mark.parametrize(("greek", "limit"), [("delta", 0.002), ("gamma", 0.004), ("vega", 0.001)])
def test_greeks_are_the_brokers(ours, greek, limit):
    assert ours.height == 219
    assert ours.select((pl.col(greek) / pl.col(f"model_{greek}") - 1).abs().max()).item() < limit


def test_thetas_are_the_brokers(ours):
    # Two rows, the 4300 call at 13:40 and 13:41, where the broker's theta does not follow from its own gamma and delta.
    difference = (pl.col("theta") / pl.col("model_theta") - 1).abs()
    assert ours.filter(difference > 0.01).select("contract").to_series().to_list() == ["SPX230811C04300000"] * 2
