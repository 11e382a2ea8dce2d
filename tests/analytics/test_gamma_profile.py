"""The gamma profile and its roots: closed forms, laws, and the cases that break naive searches."""

from __future__ import annotations

import subprocess
import sys
from math import exp, log, pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.analytics.gamma_exposure import gamma_profile, zero_gamma

MINUTE = 1 / (365 * 24 * 60)


def density(x: float) -> float:
    return exp(-0.5 * x * x) / sqrt(2 * pi)


def book(seed: int, contracts: int = 40, spot: float = 100.0) -> dict[str, np.ndarray]:
    """A made-up chain around `spot`: strikes, expirations and open interest at random."""
    random = np.random.default_rng(seed)
    years = random.choice([2 / 365, 9 / 365, 30 / 365, 0.5], contracts)
    return {
        "strike": spot * random.uniform(0.8, 1.2, contracts),
        "years": years,
        "forward": spot * np.exp(random.uniform(-0.01, 0.04) * years),
        "sigma": random.uniform(0.1, 0.6, contracts),
        "open_interest": random.integers(0, 5000, contracts).astype(float),
        "multiplier": np.full(contracts, 100.0),
        "is_call": random.random(contracts) < 0.5,
    }


def test_an_at_the_money_call_has_the_gamma_of_the_textbook():
    """d1 = 0.1; n(0.1) / (100 * 0.2) = 0.0198476; times 10 contracts of 100 shares, 100² dollars, 1 %."""
    got = gamma_profile(100.0, 100.0, 100.0, 1.0, 100.0, 0.2, 10.0, 100.0, True)
    assert got == pytest.approx(1984.76, abs=0.01)
    assert gamma_profile(100.0, 100.0, 100.0, 1.0, 100.0, 0.2, 10.0, 100.0, False) == pytest.approx(-1984.76, abs=0.01)


def test_the_forward_moves_in_proportion_to_the_spot():
    strike, years, sigma, carry = 105.0, 0.25, 0.3, 0.05
    forward = 100 * exp(carry * years)
    for trial in (80.0, 100.0, 117.0):
        deviation = sigma * sqrt(years)
        moved = forward * trial / 100
        d1 = log(moved / strike) / deviation + deviation / 2
        expected = 7 * 100 * 0.01 * moved * density(d1) / deviation
        got = gamma_profile([trial], 100.0, [strike], [years], [forward], [sigma], [7.0], [100.0], [True])
        assert got == pytest.approx([expected], rel=1e-12)


def test_a_call_above_and_a_put_below_balance_at_the_closed_form_level():
    """Equal volatility and size: n(d1) of both is equal at sqrt(K1 K2) exp(-σ²T/2), times spot over forward."""
    years, sigma, forward = 20 / 365, 0.25, 101.0
    roots = zero_gamma(100.0, [105.0, 96.0], years, forward, sigma, 50.0, 100.0, [True, False])
    expected = sqrt(105 * 96) * exp(-0.5 * sigma**2 * years) * 100 / forward
    assert roots == pytest.approx([expected], rel=1e-10)


def test_all_crossings_are_found_nearest_first():
    """Narrow puts in a field of calls: the sign turns on both sides of each."""
    strikes = [95.0, 100.0, 104.0, 100.0]
    years = [1 / 365, 1 / 365, 1 / 365, 0.5]
    is_call = [False, False, False, True]
    roots = zero_gamma(100.5, strikes, years, 100.5, 0.1, [100.0, 100.0, 100.0, 600.0], 100.0, is_call)
    assert len(roots) == 6
    assert list(np.abs(roots - 100.5)) == sorted(np.abs(roots - 100.5))
    assert [np.sum(np.abs(roots - strike) < 1.5) for strike in (95, 100, 104)] == [2, 2, 2]


@pytest.mark.parametrize("minutes", [0.1, 1, 5, 30, 390])
def test_spikes_of_the_expiration_day_are_not_stepped_over(minutes: float):
    """A put in its last seconds is narrower than any fixed grid: the sign turns just below and just above it."""
    strikes, years = [101.37, 100.0], [minutes * MINUTE, 0.5]
    roots = zero_gamma(100.0, strikes, years, 100.0, 0.15, [100.0, 20.0], 100.0, [False, True])
    assert len(roots) == 2
    width = 0.15 * sqrt(minutes * MINUTE)
    assert np.all(np.abs(np.log(roots / 101.37)) < 6 * width)
    assert min(roots) < 101.37 < max(roots)


def test_without_a_crossing_there_is_no_root():
    assert zero_gamma(100.0, [90.0, 110.0], 0.1, 100.0, 0.2, 10.0, 100.0, True).size == 0
    assert zero_gamma(100.0, [90.0, 110.0], 0.1, 100.0, 0.2, 0.0, 100.0, [True, False]).size == 0
    assert zero_gamma(100.0, [], [], [], [], [], [], []).size == 0


def test_a_crossing_outside_the_search_is_not_reported():
    contracts = ([140.0, 70.0], 0.1, 100.0, 0.4, [10.0, 500.0], 100.0, [True, False])
    assert zero_gamma(100.0, *contracts, search=0.05).size == 0
    assert zero_gamma(100.0, *contracts, search=0.4).size == 1


def test_a_book_that_cancels_exactly_has_no_crossing_made_of_rounding():
    strikes = np.repeat(np.linspace(90, 110, 21), 2)
    assert zero_gamma(100.0, strikes, 0.1, 100.0, 0.2, 10.0, 100.0, np.arange(42) % 2 == 0).size == 0


@pytest.mark.parametrize("column", ["strike", "years", "forward", "sigma", "open_interest", "multiplier"])
def test_a_contract_with_an_unknown_number_is_left_out(column: str):
    whole = book(3)
    broken = {name: values.copy() for name, values in whole.items()}
    broken[column][5] = np.nan
    without = {name: np.delete(values, 5) for name, values in whole.items()}
    spots = np.linspace(85, 115, 31)
    assert gamma_profile(spots, 100.0, **broken) == pytest.approx(gamma_profile(spots, 100.0, **without), rel=1e-12)


def test_expired_and_negative_contracts_are_left_out_and_an_open_interest_of_zero_weighs_nothing():
    spots, sound = np.linspace(85, 115, 31), (100.0, 0.1, 100.0, 0.2, 5.0, 100.0, True)
    left_out = ([0.0, -0.1, 0.1, 0.1, 0.1], [0.2, 0.2, 0.0, 0.2, 0.2], [1.0, 1.0, 1.0, -1.0, 0.0])
    years, sigma, open_interest = (
        np.append(values, value) for values, value in zip(left_out, (0.1, 0.2, 5.0), strict=True)
    )
    found = gamma_profile(spots, 100.0, 100.0, years, 100.0, sigma, open_interest, 100.0, True)
    assert found == pytest.approx(gamma_profile(spots, 100.0, *sound), rel=1e-12)


def test_a_spot_that_is_no_price_is_refused():
    with pytest.raises(ValueError, match="spot must be positive"):
        zero_gamma(float("nan"), 100.0, 0.1, 100.0, 0.2, 1.0, 100.0, True)
    with pytest.raises(ValueError, match="trial spots must be positive"):
        gamma_profile([0.0], 100.0, 100.0, 0.1, 100.0, 0.2, 1.0, 100.0, True)
    with pytest.raises(TypeError, match="is_call must be True"):
        gamma_profile(100.0, 100.0, 100.0, 0.1, 100.0, 0.2, 1.0, 100.0, "C")
    with pytest.raises(ValueError, match="share of spot"):
        zero_gamma(100.0, 100.0, 0.1, 100.0, 0.2, 1.0, 100.0, True, search=15)


@given(seed=st.integers(0, 10_000), factor=st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_the_profile_is_linear_in_open_interest(seed: int, factor: float):
    one, spots = book(seed), np.linspace(85, 115, 31)
    more = one | {"open_interest": one["open_interest"] * factor}
    other = one | {"open_interest": book(seed + 1)["open_interest"]}
    both = one | {"open_interest": one["open_interest"] + other["open_interest"]}
    of_one, of_other = gamma_profile(spots, 100.0, **one), gamma_profile(spots, 100.0, **other)
    scale = 1e-11 * np.abs(of_one).max()
    assert gamma_profile(spots, 100.0, **more) == pytest.approx(factor * of_one, rel=1e-9, abs=factor * scale)
    assert gamma_profile(spots, 100.0, **both) == pytest.approx(of_one + of_other, rel=1e-9, abs=2 * scale)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_calls_alone_are_positive_and_puts_their_negative(seed: int):
    chain, spots = book(seed), np.linspace(85, 115, 31)
    calls = gamma_profile(spots, 100.0, **(chain | {"is_call": np.ones(40, dtype=bool)}))
    puts = gamma_profile(spots, 100.0, **(chain | {"is_call": np.zeros(40, dtype=bool)}))
    assert np.all(calls > 0)
    assert np.array_equal(puts, -calls)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_a_root_is_a_root_and_none_is_missed(seed: int):
    """At a root the profile is next to nothing and turns; between roots it does not turn on a grid five times finer."""
    chain = book(seed)
    roots = np.sort(zero_gamma(100.0, **chain))
    near = np.concatenate([roots * (1 - 1e-7), roots * (1 + 1e-7)])
    before, after = np.split(gamma_profile(near, 100.0, **chain), 2)
    gross = gamma_profile(roots, 100.0, **(chain | {"is_call": np.ones(40, dtype=bool)}))
    assert np.all(before * after < 0)
    assert np.all(np.abs(gamma_profile(roots, 100.0, **chain)) < 1e-8 * gross)
    fine = np.exp(np.linspace(log(0.85), log(1.15), 1501)) * 100
    values = gamma_profile(fine, 100.0, **chain)
    assert np.sum(np.sign(values[1:]) != np.sign(values[:-1])) == roots.size


@given(seed=st.integers(0, 10_000), factor=st.floats(0.01, 1000))
@settings(max_examples=30, deadline=None)
def test_prices_in_another_unit_scale_the_profile_and_move_the_roots_along(seed: int, factor: float):
    chain, spots = book(seed), np.linspace(85, 115, 31)
    scaled = chain | {"strike": chain["strike"] * factor, "forward": chain["forward"] * factor}
    expected = factor * gamma_profile(spots, 100.0, **chain)
    got = gamma_profile(factor * spots, factor * 100.0, **scaled)
    assert got == pytest.approx(expected, rel=1e-7, abs=1e-9 * np.abs(expected).max())
    assert zero_gamma(factor * 100.0, **scaled) == pytest.approx(factor * zero_gamma(100.0, **chain), rel=1e-8)


def test_work_split_over_threads_gives_the_same_sums():
    chain, spots = book(1, contracts=8000), np.linspace(85, 115, 400)
    together = gamma_profile(spots, 100.0, **chain)
    apart = np.concatenate([gamma_profile(part, 100.0, **chain) for part in np.array_split(spots, 40)])
    assert np.array_equal(together, apart)


def test_importing_gamma_exposure_loads_no_compiler():
    code = (
        "import sys, hd_pipelines.analytics.gamma_exposure; sys.exit('numba' in sys.modules or 'scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
