"""Arguments of the public pricing functions: numbers that broadcast, None as missing; no text, no ambiguous flag."""

import numpy as np
import polars as pl
import pytest

from hd_pipelines.pricing import american, black, greeks, implied_volatility

EUROPEAN = {"forward": 100.0, "strike": 95.0, "years": 0.5, "discount": 0.98, "sigma": 0.2, "is_call": True}
AMERICAN = {
    "spot": 100.0,
    "strike": 95.0,
    "years": 0.5,
    "rate": 0.04,
    "dividend_yield": 0.02,
    "sigma": 0.2,
    "is_call": False,
}


def test_one_option_gives_one_number():
    worth = black.price(**EUROPEAN)
    assert np.ndim(worth) == 0
    assert worth == pytest.approx(8.186117, abs=1e-6)
    assert np.ndim(greeks(**EUROPEAN).delta) == 0
    assert np.ndim(american.price(**AMERICAN)) == 0


def test_arguments_broadcast_as_in_numpy():
    strikes, sigmas = np.array([[90.0], [100.0], [110.0]]), np.array([0.1, 0.3])
    for price, given in ((black.price, EUROPEAN), (american.price, AMERICAN)):
        table = price(**given | {"strike": strikes, "sigma": sigmas})
        assert table.shape == (3, 2)
        assert table[2, 1] == price(**given | {"strike": 110.0, "sigma": 0.3})


def test_no_option_depends_on_its_neighbours():
    # 10,000 options fill many blocks, go to both cores and leave a remainder; every answer is that of the option alone.
    random = np.random.default_rng(3)
    strikes, is_call = random.uniform(50, 150, 100_003), random.random(100_003) < 0.5
    some = random.integers(0, strikes.size, 50)
    for price, given in ((black.price, EUROPEAN), (american.price, AMERICAN)):
        together = price(**given | {"strike": strikes, "is_call": is_call})
        alone = [price(**given | {"strike": strikes[i], "is_call": is_call[i]}) for i in some]
        assert together[some].tolist() == alone


def test_nothing_gives_nothing():
    empty = np.array([])
    assert black.price(**EUROPEAN | {"strike": empty}).shape == (0,)
    assert american.solve(empty, 100, 95, 0.5, 0.04, 0.02, True)[1].shape == (0,)
    assert american.greeks(**AMERICAN | {"sigma": empty}).rho.shape == (0,)


def test_series_lists_and_integers_are_numbers():
    expected = black.price(**EUROPEAN | {"strike": np.array([95.0, 100.0])})
    for strikes in (pl.Series([95.0, 100.0]), pl.Series([95, 100]), [95, 100], (95.0, 100.0)):
        assert black.price(**EUROPEAN | {"strike": strikes}).tolist() == expected.tolist()


def test_none_is_missing_and_its_answer_too():
    assert np.isnan(black.price(**EUROPEAN | {"sigma": [None, 0.2]})).tolist() == [True, False]
    assert np.isnan(american.price(**AMERICAN | {"sigma": [None, 0.2]})).tolist() == [True, False]


@pytest.mark.parametrize("text", ["95", ["95", "100"], [95.0, "100"], np.array(["95"]), pl.Series(["95"]), b"95"])
def test_text_is_refused_even_where_it_reads_as_a_number(text):
    with pytest.raises(TypeError, match="strike"):
        black.price(**EUROPEAN | {"strike": text})
    with pytest.raises(TypeError, match="strike"):
        american.price(**AMERICAN | {"strike": text})


@pytest.mark.parametrize("dates", [np.array(["2024-01-19"], dtype="datetime64[D]"), np.array([1 + 2j]), [True]])
def test_dates_complex_numbers_and_flags_are_no_numbers(dates):
    with pytest.raises(TypeError, match="years"):
        implied_volatility(5.0, 100.0, 100.0, dates, 1.0, True)


@pytest.mark.parametrize("flag", ["C", "call", "P", -1, 2, 1.0, None, np.nan, ["call", "put"], [1, -1], [True, None]])
def test_only_booleans_and_0_and_1_mean_call_or_put(flag):
    # "C" taken for a put, as in openalgo#1327, is a wrong price that looks right.
    with pytest.raises(TypeError, match="is_call"):
        black.price(**EUROPEAN | {"is_call": flag})
    with pytest.raises(TypeError, match="is_call"):
        american.solve(5.0, 100.0, 100.0, 1.0, 0.05, 0.0, flag)


def test_1_is_a_call_and_0_a_put():
    both = black.price(**EUROPEAN | {"is_call": [1, 0]})
    assert both.tolist() == black.price(**EUROPEAN | {"is_call": [True, False]}).tolist()
    assert both[0] > both[1]


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"strike \(3,\).*sigma \(2,\)"):
        black.spot_greeks(100.0, 100.0, [90, 100, 110], 0.5, 1.0, [0.1, 0.2], True)
