"""Rolling correlation against numpy, window by window."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.analytics.regime.correlation import (
    average_pairwise_correlation,
    classify_correlation,
    compute_rolling_correlation,
)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), series=st.integers(2, 8), scale=st.floats(1e-6, 1e3))
def test_the_average_is_that_of_the_correlation_matrix(seed, series, scale):
    rng = np.random.default_rng(seed)
    returns = scale * (rng.normal(size=(30, series)) + rng.normal(size=(30, 1)))
    found = average_pairwise_correlation(returns, fewest=2)
    matrix = np.corrcoef(returns[-20:].T)
    assert found[-1] == pytest.approx(matrix[np.triu_indices(series, 1)].mean(), abs=1e-9)
    assert np.isnan(found[:19]).all()


def test_a_window_with_a_hole_has_no_correlation():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 60))
    first[25] = np.nan
    found = compute_rolling_correlation(first, second)
    assert np.isnan(found[25:45]).all()
    assert np.isfinite(found[[24, 45]]).all()


def test_a_flat_series_correlates_with_nothing():
    assert np.isnan(compute_rolling_correlation(np.full(25, 0.01), np.arange(25.0))).all()


def test_a_sector_listed_later_joins_when_it_has_a_whole_window():
    rng = np.random.default_rng(2)
    returns = rng.normal(size=(40, 6))
    returns[:10, 5] = np.nan
    found = average_pairwise_correlation(returns)
    without = average_pairwise_correlation(returns[:, :5])
    assert found[28] == without[28]
    assert found[29] == pytest.approx(np.corrcoef(returns[10:30].T)[np.triu_indices(6, 1)].mean())
    assert np.isnan(average_pairwise_correlation(returns[:, :4])).all()  # four sectors are too few


def test_a_window_gives_the_same_result_wherever_the_series_begins():
    rng = np.random.default_rng(3)
    returns = rng.normal(size=(300, 5))
    assert average_pairwise_correlation(returns)[-1] == average_pairwise_correlation(returns[-20:])[-1]


@pytest.mark.parametrize(
    ("sectors", "pairs", "expected"),
    [
        (0.10, None, "DIVERGING"),
        (0.30, None, "LOW"),
        (0.50, None, "NORMAL"),
        (0.75, None, "HIGH"),
        (0.90, None, "EXTREMELY_HIGH"),
        (None, 0.90, "NORMAL"),
        (None, 0.60, "DIVERGING"),
        (0.50, 0.99, "NORMAL"),
        (None, None, None),
    ],
)
def test_sectors_class_the_correlation_and_index_pairs_stand_in(sectors, pairs, expected):
    frame = pl.DataFrame({"s": [sectors], "p": [pairs]}, schema={"s": pl.Float64, "p": pl.Float64})
    assert frame.select(classify_correlation(pl.col("s"), pl.col("p"), pl.col("p"))).item() == expected
