"""The curve's history in the lake: merged by day, replaced as a whole."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.lake import Lake
from hd_pipelines.lake.yields import YIELDS

DAY = date(2026, 5, 22)


def curve(*points):
    return pl.DataFrame(points, schema=dict(YIELDS), orient="row")


@pytest.fixture
def yields(tmp_path):
    return Lake(tmp_path / "lake").treasury_yields


def test_no_curve_reads_as_no_points(yields):
    assert (yields.read().height, dict(yields.read().schema)) == (0, dict(YIELDS))
    assert yields.merge(curve()) is None


def test_days_are_added_and_replaced_whole(yields):
    yields.merge(curve((DAY, 0.25, 0.04), (DAY, 1.0, 0.041)))
    later = DAY + timedelta(days=4)
    assert yields.merge(curve((later, 1.0, 0.05), (DAY, 1.0, 0.042))) == (DAY, later)
    assert yields.read().rows() == [(DAY, 1.0, 0.042), (later, 1.0, 0.05)]


def test_points_that_are_none_are_refused_and_change_nothing(yields):
    yields.merge(curve((DAY, 1.0, 0.04)))
    for wrong in (
        curve((DAY, 1.0, 0.04), (DAY, 1.0, 0.05)),
        curve((DAY, 1.0, float("nan"))),
        curve((DAY, 1.0, 0.04)).rename({"rate": "yield"}),
    ):
        with pytest.raises(ValueError, match=r"yields need columns|given twice"):
            yields.merge(wrong)
    assert yields.read().rows() == [(DAY, 1.0, 0.04)]


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(4)))
def test_the_order_of_merges_does_not_matter_for_different_days(tmp_path_factory, order):
    yields = Lake(tmp_path_factory.mktemp("lake")).treasury_yields
    for day in order:
        yields.merge(curve((DAY + timedelta(days=day), 1.0, 0.01 * day)))
    assert [row[2] for row in yields.read().rows()] == [0.0, 0.01, 0.02, 0.03]
