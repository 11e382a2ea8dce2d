"""Gamma exposure of recorded chains against published numbers, and against our own valuation of them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from hd_pipelines.analytics.gamma_exposure import compute_gamma_exposure
from validation.gamma_against_reference import (
    compare_own_convention,
    compare_with_reference,
    measure_convention_steps,
    value_recorded_chains,
)

RECORDING = Path(__file__).parents[2].parent / "shared" / "recordings" / "gex-days"
pytestmark = pytest.mark.skipif(not RECORDING.is_dir(), reason=f"the recorded chains are not at {RECORDING}")

CHAINS = {"spx_2023-09-14", "spy_2023-09-14", "ndx_2022-02-04", "spx_2022-02-04", "spx_2022-06-10"}


@pytest.fixture(scope="module")
def compared() -> pl.DataFrame:
    return compare_with_reference(RECORDING)


@pytest.fixture(scope="module")
def steps() -> pl.DataFrame:
    return measure_convention_steps(RECORDING)


def test_every_chain_is_compared_in_every_quantity(compared: pl.DataFrame):
    assert set(compared["file"]) == CHAINS
    counts = dict(compared.group_by("quantity").len().iter_rows())
    assert counts == {
        "gex_bn_vendor_gamma": 5,
        "bs_gex_bn_at_spot": 5,
        "zero_crossings_T0_dropped": 7,
        "zero_crossings_T0_as_1_262": 7,
    }


def test_totals_from_recorded_gammas_agree_within_one_percent(compared: pl.DataFrame):
    totals = compared.filter(pl.col("quantity") == "gex_bn_vendor_gamma")
    relative = (totals["ours"] / totals["reference"] - 1).abs()
    assert relative.max() < 0.01


def test_zero_gamma_agrees_within_a_tenth_of_a_percent_of_spot_in_both_same_day_treatments(compared: pl.DataFrame):
    levels = compared.filter(pl.col("quantity").str.starts_with("zero_crossings"))
    assert levels["is_within"].all()
    assert levels["difference_pct"].abs().max() < 0.02


def test_in_the_references_convention_every_published_digit_comes_out(compared: pl.DataFrame):
    assert compared["is_same_digits"].all()


def test_the_nasdaq_chain_has_its_three_crossings(compared: pl.DataFrame):
    found = compared.filter((pl.col("file") == "ndx_2022-02-04") & (pl.col("quantity") == "zero_crossings_T0_dropped"))
    assert found["ours"].round(1).to_list() == [14686.3, 16171.0, 16357.8]
    assert found["exact"].to_list() == pytest.approx([14686.56, 16164.13, 16355.73], abs=0.01)


def test_only_spy_is_moved_by_the_references_grid_beyond_the_limit(compared: pl.DataFrame):
    """The reference reads SPY's profile at steps of 0.7 % of spot, across strikes that expire next day."""
    levels = compared.filter(pl.col("quantity").str.starts_with("zero_crossings"))
    beyond = levels.filter(pl.col("exact_difference_pct").abs() > pl.col("limit_pct"))
    assert set(beyond["file"]) == {"spy_2023-09-14"}
    assert beyond["exact_difference_pct"].abs().max() < 0.18


def test_the_last_step_of_the_explanation_is_what_the_warehouse_stores(steps: pl.DataFrame):
    stored = pl.concat(compute_gamma_exposure(valued).snapshots for valued in value_recorded_chains(RECORDING).values())
    ours = steps.group_by("file", maintain_order=True).last().sort("file")
    file = pl.concat_str(pl.col("symbol").str.to_lowercase(), pl.lit("_"), "session")
    stored = stored.with_columns(file=file).sort("file")
    assert stored["file"].to_list() == ours["file"].to_list()
    assert (stored["zero_gamma"] / ours["zero_gamma"] - 1).abs().max() < 1e-9
    apart = (stored["gex_usd_per_1pct"] / 1e9 - ours["gex_bn"]).abs() / stored["call_gex_usd_per_1pct"] * 1e9
    assert apart.max() < 1e-9


def test_on_the_eve_of_a_dividend_the_total_has_the_size_of_the_vendors():
    """SPY paid 1.58 on 2023-09-15. The spike of American gamma at the boundary of exercise would make it 10 billion."""
    valued = next(chain for session, chain in value_recorded_chains(RECORDING).items() if str(session) == "2023-09-14")
    snapshots = compute_gamma_exposure(valued.filter(pl.col("symbol") == "SPY")).snapshots
    total = snapshots["gex_usd_per_1pct"].item() / 1e9
    vendors_without_the_expiring = 1.53
    assert abs(total - vendors_without_the_expiring) < 1.5


def test_contracts_without_a_bid_determine_zero_gamma_of_a_fallen_market():
    """On 2022-06-10, 8 % below its zero gamma, leaving out what has no volatility of its own moves it by 5 % of spot."""
    chain = next(chain for session, chain in value_recorded_chains(RECORDING).items() if str(session) == "2022-06-10")
    quoted = chain.filter(pl.col("implied_volatility").is_not_null())
    whole, quoted_only = (compute_gamma_exposure(each).snapshots["zero_gamma"][0] for each in (chain, quoted))
    assert abs(whole - 4209.6) / 3900.86 < 0.005
    assert (quoted_only - whole) / 3900.86 > 0.05


def test_the_steps_add_up_to_the_whole_difference(steps: pl.DataFrame):
    for _, of_chain in steps.group_by("file"):
        gex = of_chain["gex_bn"]
        assert of_chain["gex_change_bn"].sum() == pytest.approx(gex[-1] - gex[0])


def test_a_careful_valuation_moves_levels_by_about_a_percent_for_listed_reasons():
    table = compare_own_convention(RECORDING)
    assert set(table["file"]) == CHAINS
    assert table["zero_gamma_difference_pct"].abs().max() < 1.2
    assert table["gex_explained"].str.len_chars().min() > 0
