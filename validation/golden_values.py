"""Compares prices and Greeks with values printed in books and papers, and with those of a broker and of Cboe.

Reads the files of reference values and builds one table of largest errors. Formulas are in `pricing`.

Sources: Haug, "The Complete Guide to Option Pricing Formulas" (1998); Ju, "An Approximate Formula for Pricing American
Options" (1999); the Black-Scholes grid with which py_vollib is tested; Interactive Brokers' model Greeks of SPX options on
2023-08-04 and of SPY options on 2024-02-07; Cboe, "VIX White Paper" (2009).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hd_pipelines.analytics.volatility.variance_strip import (
    Strip,
    StripQuotes,
    compute_volatility_at_30_days,
    strip_variance,
)
from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.pricing import black
from hd_pipelines.pricing.settlement import MINUTES_PER_YEAR, count_years, list_settlements
from hd_pipelines.pricing.spot_greeks import to_spot_greeks

Floats = NDArray[np.float64]

ABSOLUTE, OF_SPOT, RELATIVE = "absolute", "of the spot", "relative"
AMERICAN_LIMIT_OF_SPOT = 1e-3
"""Largest accepted error of an American price, as a share of spot. All printed American values here are approximations with
nearly this error: exact engines (QuantLib's QdFp) agree with `pricing.american` on these options to 3e-4, and not with the
printed values.
"""

GRID_LIMIT = 1e-6
BROKER_LIMIT = 0.02
BROKER_VEGA_LIMIT = 0.10
"""For American options: the broker's vegas are up to 9 % from gamma * spot^2 * volatility * years of its own gammas, while
options two days from settlement, where early exercise is worth next to nothing, satisfy that relation.
"""
DELTA_LIMIT = 0.01
SMALLEST_DELTA = 0.10
"""American gamma, theta and vega are compared by ratio where |delta| is at least this and at most 1 minus this. Beyond, the
broker's figures of call and put at one strike contradict each other by more than the limit.
"""

BROKER_RATE = 0.0547
"""Rate at which the broker's thetas fit best. SPX forwards of 2023-08-04 imply 5.5 to 5.6 %, Treasury bills paid 5.3 %."""


def compare_golden_values(folder: Path) -> pl.DataFrame:
    """Compare all sources: one row per source and quantity with its largest error.

    Columns source, quantity, rows, largest_error, measure, limit, is_within. `measure` says what the error is a share of.
    Limit and `is_within` are null for rows that the source itself contradicts. Raises `FileNotFoundError` naming the
    missing file.
    """
    rows = [
        *_compare_european_prices(folder),
        *_compare_european_greeks(folder),
        *_compare_grid(folder),
        *_compare_american_prices(folder),
        *_compare_european_broker(folder),
        *_compare_american_broker(folder),
        *_compare_vix_example(folder),
    ]
    return pl.DataFrame(rows).with_columns(is_within=pl.col("largest_error") <= pl.col("limit"))


def _build_row(
    source: str, quantity: str, errors: Floats, limit: float | None, measure: str = ABSOLUTE
) -> dict[str, Any]:
    """Build a row; a missing answer makes the error infinite."""
    sizes = np.where(np.isnan(errors), np.inf, np.abs(errors))
    return {
        "source": source,
        "quantity": quantity,
        "rows": int(sizes.size),
        "largest_error": float(sizes.max()),
        "measure": measure,
        "limit": limit,
    }


def _select_market(rows: pl.DataFrame) -> dict[str, NDArray[Any]]:
    numbers = {name: rows[name].cast(pl.Float64).to_numpy() for name in ("spot", "strike", "t", "r", "q", "vol")}
    forward = numbers["spot"] * np.exp((numbers["r"] - numbers["q"]) * numbers["t"])
    discount = np.exp(-numbers["r"] * numbers["t"])
    return numbers | {"forward": forward, "discount": discount, "is_call": (rows["right"] == "call").to_numpy()}


def _compare_european_prices(folder: Path) -> Iterator[dict[str, Any]]:
    rows = pl.read_csv(folder / "option_prices_haug_ju.csv.gz").filter(pl.col("model") == "european_bsm")
    m = _select_market(rows)
    ours = black.price(m["forward"], m["strike"], m["t"], m["discount"], m["vol"], m["is_call"])
    yield _build_row("Haug 1998", "European price", ours - rows["value"].to_numpy(), 1e-4)


def _compare_european_greeks(folder: Path) -> Iterator[dict[str, Any]]:
    rows = pl.read_csv(folder / "greeks_haug.csv.gz")
    m = _select_market(rows)
    terms = m["forward"], m["strike"], m["t"], m["discount"], m["vol"], m["is_call"]
    ours = black.spot_greeks(m["spot"], *terms)
    worth = black.price(*terms)
    # A dividend yield lowers the forward and nothing else: dV/dq = -T * S * delta.
    by_name = {
        "delta": ours.delta,
        "gamma": ours.gamma,
        "elasticity": ours.delta * m["spot"] / worth,
        "vega_per_1.00": ours.vega * 100,
        "theta_per_year": ours.theta * 365,
        "theta_per_day_365": ours.theta,
        "rho_per_1.00": ours.rho * 100,
        "dividend_rho": -m["t"] * m["spot"] * ours.delta,
    }
    found = np.array([by_name[name][at] for at, name in enumerate(rows["greek"])])
    yield _build_row("Haug 1998", "European Greeks", found - rows["value"].to_numpy(), 1e-4)


def _compare_grid(folder: Path) -> Iterator[dict[str, Any]]:
    rows = pl.read_csv(folder / "py_vollib_bs_grid.csv.gz", infer_schema_length=None)
    s, k, r, t, v = (rows[name].to_numpy() for name in ("S", "K", "R", "t", "v"))
    forward, discount = s * np.exp(r * t), np.exp(-r * t)
    for letter, right in (("C", "call"), ("P", "put")):
        is_call = np.full(s.shape, right == "call")
        price = black.price(forward, k, t, discount, v, is_call)
        yield _build_row("py_vollib grid", f"{right} price", price - rows[f"bs_{right}"].to_numpy(), GRID_LIMIT)
        greeks = black.spot_greeks(s, forward, k, t, discount, v, is_call)
        units = {
            "delta": ("D", 1.0),
            "gamma": ("G", 1.0),
            "theta": ("T", 365.0),
            "vega": ("V", 100.0),
            "rho": ("R", 100),
        }
        errors = [
            getattr(greeks, name) * unit - rows[letter + column].to_numpy() for name, (column, unit) in units.items()
        ]
        yield _build_row("py_vollib grid", f"{right} Greeks", np.concatenate(errors), GRID_LIMIT)


def _compare_american_prices(folder: Path) -> Iterator[dict[str, Any]]:
    from hd_pipelines.pricing import american

    table = pl.read_csv(folder / "option_prices_haug_ju.csv.gz")
    for origin, source in (
        ("Ju 1999", "Ju 1999"),
        ("Barone-Adesi-Whaley", "Barone-Adesi-Whaley, in Haug 1998"),
        ("Bjerksund-Stensland", "Bjerksund-Stensland, in Haug 1998"),
    ):
        m = _select_market(rows := table.filter(pl.col("origin").str.contains(origin, literal=True)))
        ours = american.price(m["spot"], m["strike"], m["t"], m["r"], m["q"], m["vol"], m["is_call"])
        errors = ours - rows["value"].to_numpy()
        yield _build_row(source, "American price", errors / m["spot"], AMERICAN_LIMIT_OF_SPOT, OF_SPOT)


def _compare_european_broker(folder: Path) -> Iterator[dict[str, Any]]:
    """The broker gives no forward, so the one at which Black-76 gives its price at its volatility is used."""
    rows = pl.read_csv(folder / "ib_model_greeks_spx_2023-08-04.csv.gz", try_parse_dates=True).drop_nulls()
    rows = rows.with_columns(root=pl.lit("SPXW"))
    at = rows["timestamp_utc"].str.to_datetime("%Y%m%d %H:%M:%S%.f").dt.replace_time_zone("UTC").cast(STAMP)
    settles = rows.join(
        list_settlements(rows.select("root", "expiration").unique()), on=["root", "expiration"], how="left"
    )
    years = count_years(at, settles["settles_at"]).to_numpy()
    discount = np.exp(-BROKER_RATE * years)
    strike, sigma, spot, price = (
        rows[name].to_numpy() for name in ("strike", "model_impliedVol", "model_undPrice", "model_price")
    )
    is_call = (rows["right"] == "call").to_numpy()
    low, high = 0.8 * strike, 1.3 * strike
    for _ in range(80):
        middle = (low + high) / 2
        is_low = (black.price(middle, strike, years, discount, sigma, is_call) < price) == is_call
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    greeks = to_spot_greeks(black.greeks(low, strike, years, discount, sigma, is_call), spot, low, years, discount)
    source = "Interactive Brokers, SPX 2023-08-04"
    errors = {
        name: greek / rows[f"model_{name}"].to_numpy() - 1 for name, greek in greeks._asdict().items() if name != "rho"
    }
    for name in ("delta", "gamma", "vega"):
        yield _build_row(source, name, errors[name], BROKER_LIMIT, RELATIVE)
    follows = _is_theta_consistent(rows)
    yield _build_row(source, "theta", errors["theta"][follows], BROKER_LIMIT, RELATIVE)
    yield _build_row(source, "theta against the broker's own gamma", errors["theta"][~follows], None, RELATIVE)


def _is_theta_consistent(rows: pl.DataFrame) -> NDArray[np.bool_]:
    """Whether a row's theta satisfies the Black-Scholes equation with the broker's own gamma, delta and price, to 1 %.

    All do to 0.4 %, except two rows of one call in which theta and volatility are not of the same instant.
    """
    spot, sigma, gamma, delta, price, theta = (
        rows[f"model_{name}"].to_numpy() for name in ("undPrice", "impliedVol", "gamma", "delta", "price", "theta")
    )
    own = (BROKER_RATE * (price - spot * delta) - 0.5 * sigma**2 * spot**2 * gamma) / 365
    return np.asarray(np.abs(own / theta - 1) < 0.01, dtype=np.bool_)


def _compare_american_broker(folder: Path) -> Iterator[dict[str, Any]]:
    """The file's column TTM is in whole days; the broker's figures need the minutes from the quote's time in Berlin."""
    from hd_pipelines.pricing import american

    rows = pl.read_csv(folder / "american_third_party_1_greeks.csv.gz")
    at = rows["time"].str.to_datetime("%d/%m/%Y %H:%M:%S").dt.replace_time_zone("Europe/Berlin")
    expiration = rows["expiry"].str.to_datetime("%d/%m/%Y %H:%M:%S").dt.date()
    settles = list_settlements(pl.DataFrame({"root": "SPY", "expiration": expiration.unique()}))
    settles_at = rows.select(expiration=expiration).join(settles, on="expiration", how="left", maintain_order="left")
    years = count_years(at.dt.convert_time_zone("UTC").cast(STAMP), settles_at["settles_at"]).to_numpy()
    spot, strike, rate, dividends = (
        rows[name].cast(pl.Float64).to_numpy()
        for name in ("model_undPrice", "strike", "interest_rate", "dividend_yield")
    )
    source = "Interactive Brokers, SPY 2024-02-07"
    for right in ("put", "call"):
        sigma, is_call = rows[f"model_impliedVol_{right}"].to_numpy(), np.full(rows.height, right == "call")
        price = american.price(spot, strike, years, rate, dividends, sigma, is_call)
        errors = (price - rows[f"model_price_{right}"].to_numpy()) / spot
        yield _build_row(source, f"{right} price", errors, AMERICAN_LIMIT_OF_SPOT, OF_SPOT)
        greeks = american.greeks(spot, strike, years, rate, dividends, sigma, is_call)
        published = rows[f"model_delta_{right}"].to_numpy()
        yield _build_row(source, f"{right} delta", greeks.delta - published, DELTA_LIMIT)
        chosen = (np.abs(published) > SMALLEST_DELTA) & (np.abs(published) < 1 - SMALLEST_DELTA)
        for name, limit in (("gamma", BROKER_LIMIT), ("theta", BROKER_LIMIT), ("vega", BROKER_VEGA_LIMIT)):
            errors = getattr(greeks, name) / rows[f"model_{name}_{right}"].to_numpy() - 1
            yield _build_row(source, f"{right} {name}", errors[chosen], limit, RELATIVE)


def _compare_vix_example(folder: Path) -> Iterator[dict[str, Any]]:
    paper = json.loads((folder / "vix_whitepaper_reference.json").read_text())["whitepaper_2009"]
    quotes = pl.read_csv(folder / paper["options_file"])
    columns = ("Strike", "Call Bid", "Call Ask", "Put Bid", "Put Ask")
    strips = []
    for days, minutes in ((9, 12960), (37, 53280)):
        rows = quotes.filter(pl.col("Days") == days).sort("Strike")
        sides = StripQuotes(*(rows[name].cast(pl.Float64).to_numpy() for name in columns))
        strips.append((strip_variance(sides, minutes / MINUTES_PER_YEAR, paper["rate"]), minutes))
    (near, near_minutes), (after, after_minutes) = strips
    if not (isinstance(near, Strip) and isinstance(after, Strip)):
        raise TypeError(f"{folder / paper['options_file']}: no variance from the paper's quotes: {near}, {after}")
    index = 100 * compute_volatility_at_30_days(near.variance, near_minutes, after.variance, after_minutes)
    source = "Cboe, VIX White Paper 2009"
    forwards = np.array([near.forward - paper["F1"], after.forward - paper["F2"]])
    variances = np.array([near.variance - paper["sigma1_sq"], after.variance - paper["sigma2_sq"]])
    yield _build_row(source, "forwards", forwards, 5e-6)
    yield _build_row(source, "variances", variances, 5e-8)
    yield _build_row(source, f"the index, {paper['VIX']}", np.array([index - paper["VIX"]]), 0.005)
