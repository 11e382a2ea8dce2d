"""The VIX: level, change, class and term structure with its source."""

from datetime import date

import polars as pl
import pytest

from hd_pipelines.analytics.regime.volatility_index import VOLATILITY_INDEX, SecondMaturities, measure_volatility_index

DAYS = [date(2026, 11, day) for day in (16, 17, 18)]


def closes(vix, **others):
    return pl.DataFrame(
        {"date": DAYS[: len(vix)], "I:VIX": vix, **others},
        schema_overrides={"I:VIX": pl.Float64, **dict.fromkeys(others, pl.Float64)},
    )


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (11.99, "EXTREMELY_LOW"),
        (12.0, "LOW"),
        (16.0, "NORMAL"),
        (20.0, "ELEVATED"),
        (30.0, "HIGH"),
        (39.99, "HIGH"),
        (40.0, "EXTREME"),
    ],
)
def test_levels_are_classed_below_their_cut_offs(level, expected):
    assert measure_volatility_index(closes([level]))["vix_regime"].item() == expected


def test_a_change_needs_the_session_before():
    measured = measure_volatility_index(closes([20.0, None, 25.0]))
    assert measured["vix_change"].to_list() == [None, None, None]
    measured = measure_volatility_index(closes([20.0, 25.0]))
    assert measured.row(1, named=True)["vix_change_pct"] == pytest.approx(25.0)


def test_a_level_of_zero_is_a_defect_not_a_calm():
    measured = measure_volatility_index(closes([0.0, 20.0]))
    assert measured["vix_level"].to_list() == [None, 20.0]
    assert measured["vix_change"].to_list() == [None, None]


@pytest.mark.parametrize(
    ("three_months", "expected"),
    [
        (23.1, "STEEP_CONTANGO"),
        (22.0, "CONTANGO"),
        (20.1, "FLAT"),
        (19.5, "BACKWARDATION"),
        (17.0, "STEEP_BACKWARDATION"),
    ],
)
def test_every_shape_of_the_term_structure_occurs(three_months, expected):
    row = measure_volatility_index(closes([20.0], **{"I:VIX3M": [three_months]})).row(0, named=True)
    assert row["vix_term_structure"] == expected
    assert row["vix_term_spread"] == pytest.approx(three_months - 20.0)
    assert row["term_ratio"] == pytest.approx(three_months / 20.0 - 1)
    assert row["term_structure_reason"] == "VIX3M over VIX; no VIX futures"
    assert (row["vix_front_month"], row["vix_back_month"]) == (None, None)


def test_futures_come_first_and_fill_their_columns():
    futures = pl.DataFrame({"date": DAYS[:1], "front_month": [20.0], "back_month": [21.0]})
    row = measure_volatility_index(closes([19.0], **{"I:VIX3M": [15.0]}), SecondMaturities(futures=futures)).row(
        0, named=True
    )
    assert (row["vix_front_month"], row["vix_back_month"], row["vix_term_spread"]) == (20.0, 21.0, 1.0)
    assert row["vix_term_structure"] == "CONTANGO"
    assert row["term_structure_reason"] == "VIX futures, front and back month"


def test_our_own_volatilities_serve_where_the_vendor_has_no_second_maturity():
    own = pl.DataFrame({"date": DAYS[1:2], "iv30": [0.20], "iv93": [0.19]})
    measured = measure_volatility_index(closes([20.0, 20.0]), SecondMaturities(own_volatility=own))
    assert measured["vix_term_structure"].to_list() == [None, "BACKWARDATION"]
    assert measured["term_structure_reason"][0].startswith("no second maturity")
    assert measured["term_structure_reason"][1] == "own 93-day over 30-day implied volatility; no VIX futures"


def test_the_columns_are_as_published():
    assert dict(measure_volatility_index(closes([20.0])).schema) == VOLATILITY_INDEX
