"""The picture of gamma over spot: marks where the numbers are, colours by meaning, and a reason where there is none."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from functools import cache
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from hd_pipelines.analytics.gamma.snapshot_profile import compute_profile
from hd_pipelines.charts.figure import RIGHT
from hd_pipelines.charts.gamma import draw_gamma
from tests.charts.reading_svg import (
    BELOW_LINE,
    boxes,
    colour,
    get_reading,
    list_texts,
    parse,
    path,
    place,
    points,
    standing,
    through,
)
from tests.orchestration.test_option_suites import exposure, gamma, greeks


@cache
def snapshot() -> dict:
    return gamma().row(0, named=True)


@cache
def profile():
    return compute_profile(greeks())


def draw(row: dict, spots, values, strikes: pl.DataFrame | None = None):
    return draw_gamma(row, exposure().strikes if strikes is None else strikes, spots, values)


@cache
def gamma_drawn() -> ET.Element:
    return parse(draw(snapshot(), *profile()))


def test_spot_and_zero_gamma_are_drawn_at_their_place_on_the_axis():
    root = gamma_drawn()
    across = through(root, 0, {"4,900": 4900, "5,100": 5100})
    assert standing(root, "spot") == pytest.approx([across(5000)], abs=0.2)
    assert standing(root, "zero_gamma") == pytest.approx([across(snapshot()["zero_gamma"])], abs=0.2)
    assert standing(root, "call_wall") == pytest.approx([across(snapshot()["call_wall"])], abs=0.2)


def test_the_profile_crosses_zero_where_zero_gamma_is_marked():
    root = gamma_drawn()
    curve = path(root, "profile")
    assert colour(curve) == "var(--ink)"
    _, zero = place(root, "0")
    line = [(x, y - (zero - BELOW_LINE)) for x, y in points(curve)]
    crossings = [a[0] + (b[0] - a[0]) * a[1] / (a[1] - b[1]) for a, b in pairwise(line) if a[1] * b[1] < 0]
    assert crossings == pytest.approx(standing(root, "zero_gamma"), abs=1.5)


def test_the_profile_at_the_spot_is_the_total_of_the_snapshot():
    """European options without rates: the re-evaluated gamma at the spot is the sum of the contracts' own."""
    spots, values = profile()
    assert np.interp(5000.0, spots, values) == pytest.approx(snapshot()["gex_usd_per_1pct"], rel=2e-3)


def test_the_highest_bar_of_calls_stands_at_the_call_wall():
    left, right, *_ = max(boxes(path(gamma_drawn(), "call_bars")), key=lambda box: box[3] - box[2])
    assert (left + right) / 2 == pytest.approx(standing(gamma_drawn(), "call_wall")[0], abs=0.2)


def test_the_reading_gives_the_distance_of_spot_from_zero_gamma():
    away = (5000 / snapshot()["zero_gamma"] - 1) * 100
    assert away > 0.1
    assert get_reading(gamma_drawn()).startswith(f"Spot 5,000 is {away:.1f} % above zero gamma; dealers buy dips")


def test_below_zero_gamma_the_reading_turns():
    short = snapshot() | {
        "underlying_price": 4800.0,
        "gex_usd_per_1pct": -2.5e9,
        "distance_to_zero_gamma_pct": (snapshot()["zero_gamma"] / 4800 - 1) * 100,
    }
    text = get_reading(parse(draw(short, *profile())))
    assert "below zero gamma; dealers sell dips and buy rallies, $2.5 bn for every 1 % move" in text


def test_no_zero_gamma_is_explained_by_its_reason_and_not_marked():
    without = snapshot() | {
        "zero_gamma": None,
        "zero_gamma_reason": "no_crossing_within_15pct",
        "distance_to_zero_gamma_pct": None,
    }
    root = parse(draw(without, *profile()))
    assert get_reading(root).startswith("No zero-gamma level (no crossing within 15 %);")
    assert standing(root, "zero_gamma") == []


def test_walls_at_one_strike_share_one_mark():
    root = parse(draw(snapshot() | {"call_wall": 5050.0, "put_wall": 5050.0}, *profile()))
    assert "Call and put wall 5,050" in list_texts(root)
    assert standing(root, "put_wall") == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"underlying_price": None}, "without a price of the underlying"), ({"gex_usd_per_1pct": None}, "open interest")],
)
def test_gamma_without_numbers_has_a_reason(changed, reason):
    assert reason in get_reading(parse(draw(snapshot() | changed, np.empty(0), np.empty(0))))


def test_a_chain_without_open_interest_has_no_profile():
    spots, values = compute_profile(greeks().with_columns(open_interest=pl.lit(None, pl.Int64)))
    assert (spots.size, values.size) == (0, 0)
    assert any("No profile" in each for each in list_texts(parse(draw(snapshot(), spots, values))))


def test_hundreds_of_strikes_become_a_hundred_bars_inside_the_plot():
    strike = pl.Series([4800 + k / 2 for k in range(801)])
    many = pl.DataFrame({"strike": strike}).with_columns(
        call_gex_usd_per_1pct=pl.lit(2e6), put_gex_usd_per_1pct=pl.lit(-1e6), gex_usd_per_1pct=pl.lit(1e6)
    )
    root = parse(draw(snapshot(), *profile(), many))
    bars = boxes(path(root, "call_bars"))
    assert 60 < len(bars) <= 120
    assert max(right for _, right, *_ in bars) <= RIGHT


def test_a_strike_without_an_exposure_has_no_bar():
    strikes = exposure().strikes
    unknown = pl.when(pl.col("strike") == 5000).then(None)
    robbed = strikes.with_columns(
        unknown.otherwise(name).alias(name) for name in strikes.columns if name.endswith("gex_usd_per_1pct")
    )
    whole, without = (parse(draw(snapshot(), *profile(), each)) for each in (strikes, robbed))
    assert len(boxes(path(without, "put_bars"))) == len(boxes(path(whole, "put_bars"))) - 1


def test_calls_stand_above_the_line_and_puts_below_in_their_own_colours():
    root = gamma_drawn()
    calls, puts = (path(root, name) for name in ("call_bars", "put_bars"))
    assert (colour(calls), colour(puts)) == ("var(--call)", "var(--put)")
    zeros = {bottom for *_, bottom in boxes(calls)} | {top for _, _, top, _ in boxes(puts)}
    assert max(zeros) - min(zeros) <= 0.1


def test_the_profile_is_shaded_by_what_hedging_does():
    root = gamma_drawn()
    _, zero = place(root, "0")
    for name, words_inside, sign in (("call", "hedging damps moves", -1), ("put", "hedging amplifies moves", 1)):
        area = path(root, f"{name}_area")
        assert colour(area) == f"var(--{name})"
        assert all(sign * (y - (zero - BELOW_LINE)) >= -0.2 for _, y in points(area))
        assert words_inside in list_texts(root)
