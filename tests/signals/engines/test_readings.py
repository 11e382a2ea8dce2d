"""All five engines together: their order, what they may look at, and the laws that hold for every one of them."""

from __future__ import annotations

import math
import re

from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.signals.engines import read_regime, read_shared
from hd_pipelines.signals.engines.reading import apply_readings
from hd_pipelines.signals.tape import Contexts
from hd_pipelines.tables.vocabulary import (
    ContextEngine,
    ContextStatus,
    DealerPositioning,
    Direction,
    ExpectedBehavior,
    IvRegime,
    MarketRegime,
    PositioningStrength,
    TradingStyle,
    VixRegime,
)
from tests.signals.engines import made
from tests.signals.engines.made import BOUGHT_CALL, BOUGHT_PUT, MINUTE, NOW, ns, read_all

LONG_WEEKEND = (ns(2025, 1, 17, 16, 0), ns(2025, 1, 21, 9, 30))
trend = st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0, math.nan])
known_at = st.integers(NOW - 30 * 24 * 60 * MINUTE, NOW)
strength = st.floats(0, 100)


@st.composite
def contexts(draw) -> Contexts:
    """Anything the warehouse could hold, or nothing."""
    iv = st.builds(
        made.iv,
        st.none() | st.floats(0, 1),
        st.none() | st.sampled_from(IvRegime),
        n_observations=st.integers(0, 252),
        known_at_ns=known_at,
    )
    gamma = st.builds(
        made.gamma,
        st.none() | st.sampled_from(DealerPositioning),
        st.none() | st.sampled_from(PositioningStrength),
        st.none() | st.sampled_from(ExpectedBehavior),
        resistance=st.just(math.nan) | st.floats(95, 120),
        support=st.just(math.nan) | st.floats(80, 105),
        total_open_interest=st.just(math.nan) | st.floats(0, 1e6),
        known_at_ns=known_at,
    )
    regime = st.builds(
        made.regime,
        st.none() | st.sampled_from(MarketRegime),
        st.none() | st.sampled_from(VixRegime),
        confidence=st.none() | st.floats(0, 100),
        known_at_ns=known_at,
    )
    print_of = st.builds(
        lambda row, size, premium, sweep: {**row, "size": float(size), "premium": float(premium), "is_sweep": sweep},
        st.sampled_from([BOUGHT_CALL, BOUGHT_PUT, {}]),
        st.integers(1, 500),
        st.integers(1_000, 200_000),
        st.booleans(),
    )
    several = draw(st.none() | st.lists(print_of, max_size=30))
    return Contexts(
        tuple(draw(st.lists(iv, max_size=1))),
        tuple(draw(st.lists(gamma, max_size=1))),
        tuple(draw(st.lists(regime, max_size=1))),
        None if several is None else made.prints(*several),
    )


rows = st.builds(made.trends, trend, trend, trend, trend, strength, price=st.just(100.0) | st.just(math.nan))
directions, styles = st.sampled_from(Direction), st.sampled_from(TradingStyle)


@given(contexts(), rows, directions, styles)
def test_a_multiplier_lies_between_its_opinion_and_one(held, row, direction, style):
    for reading in read_all(held, row, 0, direction=direction, style=style):
        low, high = sorted((reading.opinion, 1.0))
        assert low - 1e-12 <= reading.multiplier <= high + 1e-12
        assert 0.2 < reading.opinion < 2.1
        assert 0.0 <= reading.confidence <= 100.0


@given(contexts(), rows, directions, styles)
def test_every_answer_is_labelled_and_has_one_line_of_reason(held, row, direction, style):
    for reading in read_all(held, row, 0, direction=direction, style=style):
        assert reading.reason
        assert "\n" not in reading.reason
        assert not re.search(r"\bnan\b", reading.reason)
        assert reading.recommendation.isupper()
        if reading.status is ContextStatus.MISSING:
            assert (reading.multiplier, reading.age_minutes) == (1.0, None)
        else:
            assert reading.age_minutes is not None


def test_without_any_context_nothing_changes_a_score():
    found = read_all(Contexts(), made.frame(), 0, direction=Direction.LONG, style=TradingStyle.SCALP)
    assert [reading.engine for reading in found] == list(ContextEngine)
    assert all(reading.status is ContextStatus.MISSING for reading in found)
    assert apply_readings(73.0, found) == 73.0


@given(contexts(), rows, directions, styles)
def test_the_shared_four_and_the_regime_are_the_five(held, row, direction, style):
    shared = read_shared(held, row, 0, direction=direction)
    whole = read_all(held, row, 0, direction=direction, style=style)
    assert [*shared, read_regime(held, row, 0, direction=direction, style=style)] == whole
    assert [reading.engine for reading in whole] == list(ContextEngine)


@given(contexts(), rows, directions, styles, st.integers(0, 40 * 24 * 60))
def test_what_becomes_known_later_changes_nothing(held, row, direction, style, minutes):
    """A reading at an instant is the one from contexts that were cut there."""
    row.as_of_ns[0] = NOW - minutes * MINUTE
    whole = read_all(held, row, 0, direction=direction, style=style)
    assert whole == read_all(held.until(int(row.as_of_ns[0])), row, 0, direction=direction, style=style)


def test_the_newest_row_known_at_the_instant_is_used():
    earlier, later = (
        made.regime(MarketRegime.STRONG_DOWNTREND, known_at_ns=NOW - 60 * MINUTE),
        made.regime(known_at_ns=NOW),
    )
    held = Contexts(regime=(earlier, later))
    for as_of_ns, word in ((NOW, "STRONG_DOWNTREND"), (NOW + MINUTE, "STRONG_UPTREND")):
        row = made.frame(as_of_ns)
        assert read_regime(held, row, 0, direction=Direction.LONG, style=TradingStyle.SCALP).reason.startswith(word)


def test_daily_context_of_friday_is_fresh_on_the_tuesday_after_a_long_weekend():
    known, opens = LONG_WEEKEND
    held = Contexts((made.iv(known_at_ns=known),), (made.gamma(known_at_ns=known),), (made.regime(known_at_ns=known),))
    found = read_all(held, made.frame(opens, price=100.0), 0, direction=Direction.LONG, style=TradingStyle.SCALP)
    spoke = [reading for reading in found if reading.status is not ContextStatus.MISSING]
    assert [reading.age_minutes for reading in spoke] == [0.0, 0.0, 0.0]
    assert [reading.status for reading in spoke] == [ContextStatus.FRESH] * 3
