"""Age is trading time; it fades context towards neutral, is stated in the reason, and never turns a boost into a penalty."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.signals.engines import gamma_exposure, iv_percentile, regime
from hd_pipelines.signals.engines.freshness import GONE_AT, STALE_AFTER_MINUTES, compute_share_left, measure_freshness
from hd_pipelines.tables.vocabulary import ContextEngine, ContextStatus, Direction, TradingStyle
from tests.signals.engines import made
from tests.signals.engines.made import MINUTE, ns

FRIDAYS_CLOSE, TUESDAYS_OPEN = ns(2025, 1, 17, 16, 0), ns(2025, 1, 21, 9, 30)
"""Around Martin Luther King day."""
LONG = {"direction": Direction.LONG}
SWING = {**LONG, "style": TradingStyle.SWING}

engines = st.sampled_from(ContextEngine)
ages = st.floats(0, 3000)


def test_a_regime_is_not_a_minute_old_after_a_long_weekend():
    row = made.regime(known_at_ns=FRIDAYS_CLOSE)
    found = regime.read(row, as_of_ns=TUESDAYS_OPEN, **SWING)
    assert (found.age_minutes, found.freshness, found.status) == (0.0, 1.0, ContextStatus.FRESH)
    assert found == regime.read(row, as_of_ns=FRIDAYS_CLOSE, **SWING)


def test_a_daily_row_counts_through_the_whole_session_after_its_own_and_then_fades_over_three():
    def share(*clock: int) -> float:
        return measure_freshness(ContextEngine.REGIME, FRIDAYS_CLOSE, ns(*clock)).share

    assert share(2025, 1, 21, 16, 0) == 1.0
    assert share(2025, 1, 22, 16, 0) == pytest.approx(2 / 3)
    assert share(2025, 1, 23, 16, 0) == pytest.approx(1 / 3)
    assert share(2025, 1, 24, 16, 0) == share(2025, 3, 3, 12, 0) == 0.0


def test_gamma_of_yesterdays_close_counts_until_ten_and_no_more_from_half_past_eleven():
    row = made.gamma(known_at_ns=ns(2025, 3, 11, 16, 0))
    found = {
        clock: gamma_exposure.read(row, as_of_ns=ns(2025, 3, 12, *clock), price=100.0, **LONG)
        for clock in ((10, 0), (10, 1), (10, 45), (11, 30))
    }
    assert found[10, 0].status is ContextStatus.FRESH
    assert found[10, 1].status is ContextStatus.FADING
    assert found[10, 45].freshness == pytest.approx(0.5)
    assert found[10, 45].multiplier == pytest.approx(1 + (found[10, 0].multiplier - 1) / 2)
    assert found[11, 30].multiplier == 1.0


def test_a_reading_gives_the_age_of_its_context_once_age_lowers_confidence():
    row = made.iv()
    fresh = iv_percentile.read(row, as_of_ns=made.NOW, **LONG)
    older = iv_percentile.read(row, as_of_ns=ns(2025, 3, 13, 11, 0), **LONG)
    gone = iv_percentile.read(row, as_of_ns=ns(2025, 4, 13, 11, 0), **LONG)
    assert "old" not in fresh.reason
    assert older.reason == f"{fresh.reason}; 480 trading minutes old, counts 92 %"
    assert gone.reason.endswith("trading minutes old, counts no more")
    assert gone.recommendation == fresh.recommendation


@given(engines, ages, ages)
def test_older_context_never_counts_more(engine, one, other):
    young, old = sorted((one, other))
    assert 0.0 <= compute_share_left(engine, old) <= compute_share_left(engine, young) <= 1.0


@given(engines)
def test_every_engine_counts_fully_at_its_limit_and_not_at_all_at_four_times_it(engine):
    limit = STALE_AFTER_MINUTES[engine]
    assert compute_share_left(engine, limit) == 1.0
    assert compute_share_left(engine, limit + 0.01) < 1.0
    assert compute_share_left(engine, GONE_AT * limit) == 0.0
    assert compute_share_left(engine, GONE_AT * limit - 0.01) > 0.0


@given(st.integers(0, 40 * 24 * 60), st.integers(0, 40 * 24 * 60), st.sampled_from(Direction))
def test_a_multiplier_approaches_one_as_its_row_ages_and_never_crosses_it(one, other, direction):
    """In clock minutes over five weeks, whatever nights and weekends lie between."""
    sooner, later = sorted((one, other))
    row = made.regime()
    young, old = (
        regime.read(row, as_of_ns=row.known_at_ns + minutes * MINUTE, direction=direction, style=TradingStyle.SCALP)
        for minutes in (sooner, later)
    )
    assert (old.multiplier - 1) * (young.opinion - 1) >= 0
    assert abs(old.multiplier - 1) <= abs(young.multiplier - 1)
