"""The IV engine's multipliers and recommendations, on percentiles that are fractions of 1."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.analytics.volatility.iv_classes import classify_iv_recommendation, classify_iv_regime
from hd_pipelines.signals.engines import iv_percentile
from hd_pipelines.tables.vocabulary import ContextStatus, Direction, IvRecommendation, IvRegime
from tests.signals.engines.made import NOW, iv

LONG, SHORT = Direction.LONG, Direction.SHORT
shares = st.floats(0.0, 1.0)


def read(percentile: float, direction: Direction = LONG, **changed):
    """The class is the one that the table would store."""
    word = pl.DataFrame({"p": [percentile]}).select(classify_iv_regime(pl.col("p"))).item()
    return iv_percentile.read(iv(percentile, IvRegime(word), **changed), as_of_ns=NOW, direction=direction)


@pytest.mark.parametrize(
    ("percentile", "for_a_long", "for_a_short"),
    [
        (0.07, 1.20 * 1.15, 1.20 * 0.90),
        (0.15, 1.10 * 1.15, 1.10 * 0.90),
        (0.30, 1.00, 1.00),
        (0.70, 0.95, 0.95),
        (0.80, 0.85 * 0.80, 0.85 * 1.10),
        (0.85, 0.85 * 0.80, 0.85 * 1.10),
        (0.93, 0.70 * 0.80, 0.70 * 1.10),
    ],
)
def test_multipliers_match_the_published_table(percentile, for_a_long, for_a_short):
    assert read(percentile, LONG).multiplier == pytest.approx(for_a_long)
    assert read(percentile, SHORT).multiplier == pytest.approx(for_a_short)


def test_a_share_is_not_read_as_per_cent():
    """Regression guard: 0.93 is the 93rd percentile, not the first."""
    assert read(0.93).recommendation == IvRecommendation.SELL_PREMIUM
    wrong = iv_percentile.read(iv(93.0, IvRegime.EXTREMELY_HIGH), as_of_ns=NOW, direction=LONG)
    assert (wrong.multiplier, wrong.status) == (1.0, ContextStatus.MISSING)
    assert wrong.reason == "no IV percentile: 93 is no share between 0 and 1"


@pytest.mark.parametrize(
    ("percentile", "observations", "confidence"),
    [(0.5, 252, 100), (0.5, 200, 100), (0.5, 126, 92.6), (0.04, 252, 90), (0.05, 252, 100), (0.96, 126, 82.6)],
)
def test_confidence_matches_the_published_table(percentile, observations, confidence):
    assert read(percentile, n_observations=observations).confidence == pytest.approx(confidence)


@given(shares)
def test_the_recommendation_is_the_one_that_the_table_stores(percentile):
    stored = pl.DataFrame({"p": [percentile]}).select(classify_iv_recommendation(pl.col("p"))).item()
    assert read(percentile).recommendation == stored


@given(shares, shares)
def test_more_expensive_options_never_help_a_long_trade(one, other):
    cheap, expensive = sorted((one, other))
    assert read(cheap).opinion >= read(expensive).opinion


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (None, "no IV percentile: no row of this symbol"),
        (iv(None, None, reason="fewer_than_126_observations"), "no IV percentile: fewer_than_126_observations"),
        (iv(0.3, None), "no IV percentile: its row has none"),
        (iv(float("nan"), IvRegime.LOW), "no IV percentile: nan is no share between 0 and 1"),
    ],
)
def test_what_is_missing_is_named_and_neutral(context, reason):
    found = iv_percentile.read(context, as_of_ns=NOW, direction=LONG)
    assert (found.multiplier, found.status, found.reason) == (1.0, ContextStatus.MISSING, reason)
    assert found.recommendation == IvRecommendation.NEUTRAL
    assert found.age_minutes is None


def test_the_reason_gives_percentile_and_class():
    assert read(0.15, n_observations=240).reason == "IV above 15 % of 240 sessions: LOW"
