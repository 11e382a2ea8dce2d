"""The picture of a smile: each maturity in its colour, the volatility at its forward marked, level and skew as text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import date, timedelta

import polars as pl
import pytest

from hd_pipelines.analytics.volatility.smile import interpolate_at_forward
from hd_pipelines.assets.option_pictures import draw_last_smile
from hd_pipelines.charts.smile import COLOURS
from tests.charts.reading_svg import colour, dots, get_reading, list_texts, parse, path, points, through
from tests.orchestration.test_option_suites import CLOSE, greeks

EXPIRATIONS = (date(2024, 3, 28), date(2024, 4, 26))


def test_the_smile_marks_the_volatility_at_each_forward():
    root = parse(draw_last_smile(greeks()))
    across = through(root, 0, {"4,800": 4800, "5,200": 5200})
    up = through(root, 1, {"16 %": 0.16, "20 %": 0.20})
    terms = interpolate_at_forward(greeks()).sort("years")
    assert terms.height == 2
    marked = [dots(root, f"forward_{expiration}")[0] for expiration in terms["expiration"]]
    for (x, y), term in zip(marked, terms.iter_rows(named=True), strict=True):
        assert x == pytest.approx(across(term["forward"]), abs=0.3)
        assert y == pytest.approx(up(term["atm_iv"]), abs=0.6)
        assert f"at the forward {term['atm_iv'] * 100:.1f} %" in list_texts(root)


def test_the_smile_slopes_as_its_volatilities_do():
    """18 % at 5000 and 0.4 points more for each percent below: drawn from high on the left to low on the right."""
    root = parse(draw_last_smile(greeks()))
    curves = [points(path(root, f"smile_{expiration}")) for expiration in EXPIRATIONS]
    assert [colour(path(root, f"smile_{expiration}")) for expiration in EXPIRATIONS] == list(COLOURS[:2])
    for curve in curves:
        assert [x for x, _ in curve] == sorted(x for x, _ in curve)
        assert curve[0][1] < curve[-1][1]


def test_the_reading_of_a_smile_is_level_and_skew():
    text = get_reading(parse(draw_last_smile(greeks())))
    found = re.fullmatch(
        r"(\d+)-day volatility at the forward is ([\d.]+) %; 25-delta puts trade ([\d.]+) volatility points over calls.",
        text,
    )
    assert found
    assert int(found[1]) == 43
    assert float(found[2]) == pytest.approx(18.0, abs=0.05)
    # Strikes of 25 delta are some 4 % apart each way at 18 % over 43 days: 2 * 4 * 0.4.
    assert 2.5 < float(found[3]) < 3.7


def test_only_the_last_snapshot_is_drawn():
    earlier = greeks().with_columns(timestamp=pl.lit(CLOSE - timedelta(hours=2)), implied_volatility=pl.lit(0.9))
    both = parse(draw_last_smile(pl.concat([earlier, greeks()])))
    assert ET.tostring(both) == ET.tostring(parse(draw_last_smile(greeks())))


def test_a_chain_without_volatilities_gives_the_commonest_reason():
    bare = greeks().with_columns(implied_volatility=pl.lit(None, pl.Float64), iv_reason=pl.lit("no_bid"))
    assert "100 of 100 contracts have no volatility (no_bid)" in get_reading(parse(draw_last_smile(bare)))
    assert "no contract was valued" in get_reading(parse(draw_last_smile(greeks().clear())))


def test_a_smile_of_two_symbols_is_refused_by_name():
    with pytest.raises(ValueError, match="OTHER"):
        draw_last_smile(pl.concat([greeks(), greeks().with_columns(symbol=pl.lit("OTHER"))]))


def test_a_snapshot_without_a_spot_still_has_its_smile():
    root = parse(draw_last_smile(greeks().with_columns(underlying_price=pl.lit(None, pl.Float64))))
    assert "spot" not in list_texts(root)
    assert "5,000" in list_texts(root)
