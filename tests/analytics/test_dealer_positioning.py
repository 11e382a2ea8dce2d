"""Classes of dealer gamma: scaled to the underlying's own past, defined for all inputs, and without look-ahead."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.analytics.gamma.dealer_positioning import (
    History,
    Position,
    classify_expected_behavior,
    classify_position,
)
from hd_pipelines.tables.vocabulary import DealerPositioning, ExpectedBehavior, PositioningStrength

LONG, SHORT, NEUTRAL = DealerPositioning.LONG_GAMMA, DealerPositioning.SHORT_GAMMA, DealerPositioning.NEUTRAL
HUNDRED = [float(n) for n in range(1, 101)]


@pytest.mark.parametrize(
    ("gex", "expected"),
    [
        (25.0, PositioningStrength.WEAK),
        (26.0, PositioningStrength.MODERATE),
        (-75.0, PositioningStrength.MODERATE),
        (-76.0, PositioningStrength.STRONG),
        (95.0, PositioningStrength.STRONG),
        (96.0, PositioningStrength.EXTREME),
        (-1000.0, PositioningStrength.EXTREME),
    ],
)
def test_strength_is_the_share_of_earlier_sessions_with_less_gamma(gex: float, expected: PositioningStrength):
    found = classify_position(gex, 2000.0, HUNDRED)
    assert found.strength is expected
    assert found.positioning is (LONG if gex > 0 else SHORT)
    assert (found.reason, found.n_history) == (None, 100)


@given(gex=st.floats(-1e4, 1e4), scale=st.sampled_from([1e-6, 1e3, 1e9]))
def test_no_class_depends_on_dollars(gex: float, scale: float):
    assert classify_position(gex * scale, 2e4 * scale, [h * scale for h in HUNDRED]) == classify_position(
        gex, 2e4, HUNDRED
    )


def test_neutral_is_little_against_the_usual():
    """The median of 1 … 100 is 50.5, a tenth of it 5.05."""
    assert classify_position(5.0, 2000.0, HUNDRED).positioning is NEUTRAL
    assert classify_position(-5.0, 2000.0, HUNDRED).positioning is NEUTRAL
    assert classify_position(5.1, 2000.0, HUNDRED).positioning is LONG


def test_a_short_history_gives_the_sign_by_the_share_of_gross_and_no_strength():
    reason = "history_below_20_sessions"
    assert classify_position(30.0, 1000.0, HUNDRED[:19]) == Position(LONG, None, reason, 19)
    assert classify_position(-30.0, 1000.0, []) == Position(SHORT, None, reason, 0)
    assert classify_position(19.0, 1000.0, []) == Position(NEUTRAL, None, reason, 0)
    assert classify_position(30.0, 1000.0, HUNDRED[:20]).reason is None


def test_without_gamma_there_is_no_class():
    assert classify_position(None, 0.0, HUNDRED) == Position(None, None, "no_gamma", 100)
    assert classify_position(0.0, 0.0, HUNDRED).positioning is None
    assert classify_expected_behavior(None, 0.1, 0.1) is None


def test_only_the_last_252_sessions_count():
    assert classify_position(2.0, 10.0, [1000.0] * 300 + [1.0] * 252).strength is PositioningStrength.EXTREME
    assert classify_position(2.0, 10.0, [1.0] * 300 + [1000.0] * 252).strength is PositioningStrength.WEAK


@pytest.mark.parametrize(
    ("positioning", "pin", "flip", "expected"),
    [
        (LONG, 0.25, 0.1, ExpectedBehavior.PINNING),
        (LONG, 0.26, 0.1, ExpectedBehavior.RANGE_BOUND),
        (LONG, None, None, ExpectedBehavior.RANGE_BOUND),
        (SHORT, 0.0, 1.0, ExpectedBehavior.VOLATILE),
        (SHORT, 0.0, 1.01, ExpectedBehavior.TRENDING),
        (SHORT, None, None, ExpectedBehavior.TRENDING),
        (NEUTRAL, 0.0, 0.5, ExpectedBehavior.VOLATILE),
        (NEUTRAL, 0.0, None, ExpectedBehavior.TRENDING),
    ],
)
def test_behaviour_follows_the_table(positioning, pin, flip, expected):
    assert classify_expected_behavior(positioning, pin, flip) is expected


moves = st.none() | st.floats(0, 100)


@given(positioning=st.sampled_from(DealerPositioning), pin=moves, flip=moves)
def test_the_table_is_total(positioning, pin, flip):
    assert isinstance(classify_expected_behavior(positioning, pin, flip), ExpectedBehavior)


def test_history_keeps_the_newest_of_a_session_and_shows_earlier_sessions_only():
    history = History()
    for day, gex in [(1, 10.0), (2, 20.0), (2, 21.0), (2, None), (3, None), (4, 40.0)]:
        history.add(date(2024, 3, day), gex)
    assert list(history.before(date(2024, 3, 2))) == [10.0]
    assert list(history.before(date(2024, 3, 4))) == [10.0, 21.0]
    assert list(history.before(date(2024, 3, 5))) == [10.0, 21.0, 40.0]
    with pytest.raises(ValueError, match="sort the history"):
        history.add(date(2024, 3, 1), 1.0)


def test_every_strength_is_reached():
    found = {classify_position(g, 2000.0, HUNDRED).strength for g in np.linspace(1, 120, 60)}
    assert found == set(PositioningStrength)
