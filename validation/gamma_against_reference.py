"""Compares gamma exposure of recorded chains with totals and zero-gamma levels that others computed.

Reads a recording with `gex_reference.csv`. Formulas are in `analytics.gamma_exposure`, our own valuation in
`pricing.valuation`.

The reference's convention is that of public gamma scripts: the recording's own volatilities (0 means none), forward = spot,
no rates, years = weekdays to expiration / 262 with holidays counted, 100 shares, calls +, puts -. Contracts that expire
that day are left out, or given 1/262. In addition (found by trial; every published digit follows from it), the profile is
evaluated at 60 equally spaced spots from 80 % to 120 %, with straight lines between them, also for the value at the spot.
Those lines alone move SPY's level of 2023-09-14 by 0.18 % of spot, so the tables show the exact root too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hd_pipelines.analytics.gamma.smiles import fill_from_smile
from hd_pipelines.analytics.gamma_exposure import gamma_profile, zero_gamma
from hd_pipelines.pricing.valuation import value_chain
from hd_pipelines.providers.archive.chains import read_chain
from hd_pipelines.providers.archive.files import list_chain_files

Floats = NDArray[np.float64]

WEEKDAYS_A_YEAR = 262
GRID_SPOTS = 60
GRID_REACH = 0.2
TOTAL_LIMIT_PCT = 1.0
LEVEL_LIMIT_PCT = 0.1
BILLION = 1e9


@dataclass(frozen=True, slots=True)
class Convention:
    """The contracts of one chain as one convention values them; see `gamma_profile` for the columns."""

    spot: float
    strike: Floats
    years: Floats
    forward: Floats
    sigma: Floats
    open_interest: Floats
    multiplier: Floats
    is_call: NDArray[np.bool_]

    def columns(self) -> tuple[Any, ...]:
        """Arguments of `gamma_profile` and `zero_gamma` after the spot."""
        return self.strike, self.years, self.forward, self.sigma, self.open_interest, self.multiplier, self.is_call

    def profile(self, spots: Floats | float) -> Floats:
        """Billions of dollars per 1 % at trial spots."""
        return gamma_profile(spots, self.spot, *self.columns()) / BILLION

    def roots(self) -> Floats:
        """Exact zero-gamma spots within ±15 %, nearest first."""
        return zero_gamma(self.spot, *self.columns())


@dataclass(frozen=True, slots=True)
class Recorded:
    """One chain of the recording and the reference's row about it. `folder` is a folder below `chains`."""

    folder: str
    session: date
    chain: pl.DataFrame
    reference: dict[str, str]

    @property
    def name(self) -> str:
        """`spx_2023-09-14`, as the reference calls it."""
        return self.reference["file"]

    def weekdays(self) -> NDArray[np.int64]:
        """Weekdays from the reference's calculation date to expiration."""
        days = self.chain["expiration"].to_numpy().astype("datetime64[D]")
        return np.asarray(np.busday_count(np.datetime64(self.reference["calc_date_used"]), days), dtype=np.int64)

    def convention(self, same_day_years: float = np.nan) -> Convention:
        """Build the reference's convention. Contracts that expire that day get `same_day_years`; NaN leaves them out."""
        weekdays, chain = self.weekdays(), self.chain
        spot = float(chain["underlying_price"][0])
        return Convention(
            spot=spot,
            strike=chain["strike"].to_numpy(),
            years=np.where(weekdays == 0, same_day_years, weekdays / WEEKDAYS_A_YEAR),
            forward=np.full(chain.height, spot),
            sigma=chain["vendor_iv"].to_numpy(),
            open_interest=chain["open_interest"].cast(pl.Float64).to_numpy(),
            multiplier=np.full(chain.height, 100.0),
            is_call=(chain["option_type"] == "call").to_numpy(),
        )


def read_recorded_chains(recording: Path) -> Iterator[Recorded]:
    """Yield every chain of the recording that the reference covers, in the reference's order."""
    for row in pl.read_csv(recording / "gex_reference.csv", infer_schema=False).iter_rows(named=True):
        name, day = str(row["file"]).split("_")[:2]
        path = recording / "chains" / name.upper() / f"{day}.parquet"
        if path.exists():
            yield Recorded(name.upper(), date.fromisoformat(day), pl.read_parquet(path), row)


def compare_with_reference(recording: Path) -> pl.DataFrame:
    """Compare in the reference's convention: one row per chain and published number.

    file, quantity, number (which crossing, by spot), ours, reference, difference_pct (levels: of spot; totals: of the
    reference, or of 50 units of its last digit where that is more, so that its rounding is no difference), limit_pct,
    is_within, is_same_digits (ours rounds to the published number), exact (levels and value at spot without the reference's
    grid), exact_difference_pct.
    """
    rows = [row for recorded in read_recorded_chains(recording) for row in _compare_recorded(recorded)]
    return pl.DataFrame(rows).with_columns(is_within=pl.col("difference_pct").abs() <= pl.col("limit_pct"))


def _compare_recorded(recorded: Recorded) -> Iterator[dict[str, Any]]:
    dropped, kept = recorded.convention(), recorded.convention(1 / WEEKDAYS_A_YEAR)
    spot = dropped.spot
    gamma = recorded.chain["vendor_gamma"].to_numpy()
    signs = np.where(dropped.is_call, 1.0, -1.0)
    total = float(np.sum(signs * gamma * dropped.open_interest * dropped.multiplier)) * spot**2 * 0.01 / BILLION
    yield _build_row(recorded, "gex_bn_vendor_gamma", 0, (total, total), None)
    grid = np.linspace((1 - GRID_REACH) * spot, (1 + GRID_REACH) * spot, GRID_SPOTS)
    at_spot = float(np.interp(spot, grid, dropped.profile(grid)))
    yield _build_row(recorded, "bs_gex_bn_at_spot", 0, (at_spot, float(dropped.profile(spot))), None)
    for quantity, convention in (("zero_crossings_T0_dropped", dropped), ("zero_crossings_T0_as_1_262", kept)):
        published = str(recorded.reference[quantity]).split("|")
        ours, exact = _find_crossings(grid, convention.profile(grid)), convention.roots()
        for number in range(max(len(published), ours.size)):
            root = ours[number] if number < ours.size else np.nan
            nearest = exact[np.argmin(np.abs(exact - root))] if exact.size else np.nan
            yield _build_row(recorded, quantity, number, (float(root), float(nearest)), spot)


def _find_crossings(spots: Floats, values: Floats) -> Floats:
    """Find where straight lines between the points cross 0, ascending."""
    at = np.flatnonzero(np.sign(values[1:]) != np.sign(values[:-1]))
    return np.asarray(spots[at] - values[at] * (spots[at + 1] - spots[at]) / (values[at + 1] - values[at]))


def _build_row(
    recorded: Recorded, quantity: str, number: int, found: tuple[float, float], spot: float | None
) -> dict[str, Any]:
    """Compare with the published number. `found`: on the grid, and exactly; `spot` for a level, None for a total."""
    ours, exact = found
    published = str(recorded.reference[quantity]).split("|")
    text = published[number] if number < len(published) else "nan"
    digits = len(text.partition(".")[2])
    reference = float(text)
    scale = spot if spot is not None else max(abs(reference), 0.5 * 10.0**-digits * 100 / TOTAL_LIMIT_PCT)
    return {
        "file": recorded.name,
        "quantity": quantity,
        "number": number,
        "ours": ours,
        "reference": reference,
        "difference_pct": 100 * (ours - reference) / scale,
        "limit_pct": TOTAL_LIMIT_PCT if spot is None else LEVEL_LIMIT_PCT,
        "is_same_digits": round(ours, digits) == reference,
        "exact": exact,
        "exact_difference_pct": 100 * (exact - reference) / scale,
    }


def measure_convention_steps(recording: Path, rates: pl.DataFrame | None = None) -> pl.DataFrame:
    """Change the reference's convention into ours, one step after the other, and measure the effect of each.

    file, step, gex_bn (at spot), zero_gamma (nearest root, null if none within 15 %), crossings, contracts (that count),
    gex_change_bn, zero_gamma_change_pct (of spot). `rates` as in `value_chain`, which values each session's chains
    together. The steps:
    - reference               straight lines between 60 spots; contracts that expire that day left out
    - exact profile           the value at the spot, and the root itself
    - minutes to settlement   years to each contract's own settlement instead of weekdays / 262
    - parity forward          forward and discount from put-call parity instead of spot and none
    - own volatility          from mids, where both the recording and we have one
    - smile                   contracts without a usable price, at the volatility of their smile (`gamma.smiles`)
    - deliverable             shares per contract of the product instead of 100
    """
    valued = value_recorded_chains(recording, rates)
    return pl.concat(_measure_steps(each, valued[each.session]) for each in read_recorded_chains(recording))


def value_recorded_chains(recording: Path, rates: pl.DataFrame | None = None) -> dict[date, pl.DataFrame]:
    """Compute `VALUED` of the recorded chains by session. Chains of a session share the rates that they show."""
    folders: dict[date, list[str]] = {}
    for each in read_recorded_chains(recording):
        folders.setdefault(each.session, []).append(each.folder)
    return {
        session: value_chain(
            pl.concat(read_chain(file).validated.chain for file in list_chain_files(recording, underlyings, [session])),
            rates,
        )
        for session, underlyings in folders.items()
    }


def _measure_steps(recorded: Recorded, valued: pl.DataFrame) -> pl.DataFrame:
    answers = fill_from_smile(valued).select(
        pl.col("contract_ticker").alias("ticker"),
        *("years", "forward", "discount", "shares_per_contract"),
        pl.col("implied_volatility").alias("smile"),
        pl.when("is_own").then("implied_volatility").alias("own"),
    )
    joined = recorded.chain.select("ticker").join(answers, on="ticker", how="left", maintain_order="left")
    ours = {name: joined[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in joined.columns[1:]}
    reference = recorded.convention()
    grid = np.linspace((1 - GRID_REACH) * reference.spot, (1 + GRID_REACH) * reference.spot, GRID_SPOTS)
    values = reference.profile(grid)
    crossings = _find_crossings(grid, values)
    nearest = crossings[np.argsort(np.abs(crossings - reference.spot))]
    rows = [_build_step("reference", reference, float(np.interp(reference.spot, grid, values)), nearest)]
    own_sigma, smile = ours["own"], ours["smile"]
    vendor_sigma = np.where(reference.sigma > 0, reference.sigma, np.nan)
    timed = replace(reference, years=ours["years"])
    carried = replace(timed, forward=ours["forward"], multiplier=100.0 * ours["discount"])
    where_both = np.where(np.isnan(vendor_sigma) | np.isnan(own_sigma), vendor_sigma, own_sigma)
    for name, convention in (
        ("exact profile", reference),
        ("minutes to settlement", timed),
        ("parity forward", carried),
        ("own volatility", replace(carried, sigma=where_both)),
        ("smile", replace(carried, sigma=smile)),
        ("deliverable", replace(carried, sigma=smile, multiplier=ours["shares_per_contract"] * ours["discount"])),
    ):
        rows.append(_build_step(name, convention, float(convention.profile(convention.spot)), convention.roots()))
    change = (pl.col("zero_gamma") - pl.col("zero_gamma").shift()) / reference.spot * 100
    return pl.DataFrame(rows).select(
        pl.lit(recorded.name).alias("file"),
        pl.all(),
        gex_change_bn=pl.col("gex_bn").diff(),
        zero_gamma_change_pct=change,
    )


def _build_step(name: str, convention: Convention, gex_bn: float, roots: Floats) -> dict[str, Any]:
    counted = np.isfinite(convention.sigma) & (convention.sigma > 0) & (convention.years > 0)
    return {
        "step": name,
        "gex_bn": gex_bn,
        "zero_gamma": float(roots[0]) if roots.size else None,
        "crossings": len(roots),
        "contracts": int(np.sum(counted & np.isfinite(convention.forward))),
    }


def compare_own_convention(recording: Path, rates: pl.DataFrame | None = None) -> pl.DataFrame:
    """Compare in our own convention, one row per chain: the reference, ours, and what the difference consists of.

    file, spot, reference_gex_bn, gex_bn, gex_difference_bn, reference_zero_gamma, zero_gamma, zero_gamma_difference_pct (of
    spot), gex_explained and zero_gamma_explained: every step's part, largest first.
    """
    steps = measure_convention_steps(recording, rates)
    spots = {each.name: float(each.chain["underlying_price"][0]) for each in read_recorded_chains(recording)}
    first, last = (
        steps.group_by("file", maintain_order=True).first(),
        steps.group_by("file", maintain_order=True).last(),
    )
    table = first.select(
        "file",
        pl.col("file").replace_strict(spots, return_dtype=pl.Float64).alias("spot"),
        reference_gex_bn="gex_bn",
        gex_bn=last["gex_bn"],
        gex_difference_bn=last["gex_bn"] - first["gex_bn"],
        reference_zero_gamma="zero_gamma",
        zero_gamma=last["zero_gamma"],
    )
    explained = steps.group_by("file", maintain_order=True).agg(
        _explain("gex_change_bn", " bn").alias("gex_explained"),
        _explain("zero_gamma_change_pct", " %").alias("zero_gamma_explained"),
    )
    return table.with_columns(
        zero_gamma_difference_pct=(pl.col("zero_gamma") - pl.col("reference_zero_gamma")) / pl.col("spot") * 100
    ).join(explained, on="file", how="left", maintain_order="left")


def _explain(column: str, unit: str) -> pl.Expr:
    """Describe the steps that show in two decimals, largest first: `own volatility -0.31 %, parity forward +0.10 %`."""
    size = pl.col(column).abs().fill_null(0.0)
    number = pl.col(column).round(2).cast(pl.String)
    sign = pl.when(pl.col(column) > 0).then(pl.lit("+")).otherwise(pl.lit(""))
    said = pl.concat_str("step", pl.lit(" "), sign, number, pl.lit(unit))
    return said.sort_by(size, descending=True).filter(size.sort(descending=True) >= 0.005).str.join(", ")
