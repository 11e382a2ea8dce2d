"""How memory changes decisions, and the rows that are published."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.analytics.regime.classification import (
    CONFIRMATIONS,
    EVENT_DWELL,
    EVENTS,
    REGIME_ROWS,
    SHORTEST_DWELL,
    URGENT,
    Memory,
    classify_regimes,
    list_sessions_without_vix,
    update_memory,
)
from hd_pipelines.analytics.regime.inputs import INPUTS
from hd_pipelines.analytics.regime.rules import MEASURES
from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.tables.vocabulary import MarketRegime

UP, DOWN, RANGE = MarketRegime.WEAK_UPTREND, MarketRegime.WEAK_DOWNTREND, MarketRegime.RANGE_BOUND
DAYS = list_last_sessions(date(2026, 11, 18), 200)


def lived(decisions, may_stay=True):
    """Regimes held over `decisions`; `may_stay`: whether the held regime's conditions go on holding."""
    memory, held = None, []
    for day, decision in zip(DAYS, decisions, strict=False):
        memory = update_memory(memory, day, decision, may_stay=may_stay)
        held.append(memory.regime)
    return held


def test_a_single_contrary_session_changes_nothing():
    assert lived([UP] * 10 + [DOWN] + [UP] * 5) == [UP] * 16


def test_a_regime_whose_conditions_hold_gives_way_after_three_contrary_sessions():
    assert lived([UP] * 10 + [RANGE] * 4) == [UP] * 12 + [RANGE] * 2


def test_contrary_sessions_must_agree_with_one_another():
    assert lived([UP] * 10 + [RANGE, DOWN] * 3) == [UP] * 16


def test_a_regime_whose_conditions_fail_is_left_at_once_but_not_before_its_dwell():
    assert lived([UP] * 10 + [DOWN], may_stay=False)[-1] is DOWN
    assert lived([UP, DOWN, DOWN, DOWN, DOWN, DOWN], may_stay=False) == [UP] * SHORTEST_DWELL + [DOWN]


@pytest.mark.parametrize("regime", sorted(URGENT))
def test_panic_and_broken_ranges_do_not_wait(regime):
    assert lived([UP, regime])[-1] is regime


def test_euphoria_waits():
    assert lived([UP] * 10 + [MarketRegime.EUPHORIA] * 3) == [UP] * 12 + [MarketRegime.EUPHORIA]


def test_an_event_lasts_three_sessions():
    held = lived([UP] * 6 + [MarketRegime.BREAKDOWN] + [DOWN] * 4, may_stay=False)
    assert held == [UP] * 6 + [MarketRegime.BREAKDOWN] * EVENT_DWELL + [DOWN] * 2


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(MarketRegime)), st.booleans()), min_size=1, max_size=60))
def test_only_an_urgent_regime_cuts_a_dwell_short(decisions):
    memory = None
    for day, (decision, may_stay) in zip(DAYS, decisions, strict=False):
        before, memory = memory, update_memory(memory, day, decision, may_stay=may_stay)
        assert memory.since <= day
        if before is None or memory.regime is before.regime:
            continue
        assert memory == Memory(decision, day, 1)
        dwell = EVENT_DWELL if before.regime in EVENTS else SHORTEST_DWELL
        assert decision in URGENT or before.sessions >= dwell
        assert decision in URGENT or not may_stay or before.challenged + 1 >= CONFIRMATIONS


measures = st.fixed_dictionaries(
    {
        "vix_level": st.none() | st.floats(9, 80),
        **dict.fromkeys((m for m in MEASURES if m != "vix_level"), st.none() | st.floats(-3, 3)),
    }
)


def inputs(rows, days=DAYS):
    columns = {name: [row.get(name) for row in rows] for name in INPUTS if name != "date"}
    return pl.DataFrame({"date": days[: len(rows)], **columns}, schema=INPUTS)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(measures, min_size=1, max_size=25), cut=st.integers(1, 25))
def test_rows_use_no_later_data(rows, cut):
    frame = inputs(rows)
    last = DAYS[cut - 1]
    whole = classify_regimes(frame)
    assert classify_regimes(frame.filter(pl.col("date") <= last)).equals(whole.filter(pl.col("date") <= last))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(measures, min_size=2, max_size=40), cut=st.integers(1, 39))
def test_a_day_added_to_published_rows_continues_them(rows, cut):
    frame = inputs(rows)
    whole = classify_regimes(frame)
    published, rest = whole.filter(pl.col("date") <= DAYS[cut - 1]), frame.filter(pl.col("date") > DAYS[cut - 1])
    assert classify_regimes(rest, published.tail(10)).equals(whole.tail(whole.height - published.height))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(measures, min_size=1, max_size=10))
def test_every_session_with_a_vix_has_a_whole_verdict(rows):
    frame = inputs(rows)
    published = classify_regimes(frame)
    assert published.height + len(list_sessions_without_vix(frame)) == len(rows)
    verdict = published.select("market_regime", "raw_regime", "regime_since", "regime_reason", "confidence_score")
    assert verdict.null_count().sum_horizontal().item() == 0
    assert published["confidence_score"].is_between(0, 100).all()


def test_a_session_without_vix_has_no_row_and_is_reported():
    frame = inputs([{"vix_level": 17.0}, {"vix_level": None}, {"vix_level": 18.0}])
    assert classify_regimes(frame)["date"].to_list() == [DAYS[0], DAYS[2]]
    assert list_sessions_without_vix(frame) == [DAYS[1]]


def test_the_reason_gives_rule_hold_and_what_is_missing():
    rise = {"vix_level": 17.0, "return_20d": 0.02, "trend_sigmas": 0.4, "distance_50d": 0.02, "distance_200d": 0.05}
    flat = rise | {"return_20d": 0.0, "trend_sigmas": 0.0, "distance_50d": 0.0, "move_sigmas": 0.0}
    rows = classify_regimes(inputs([rise] * 6 + [flat]))
    assert rows["regime_reason"][0] == (
        "rise; not or partly measured: trend, breadth, term structure, correlation, put/call"
    )
    assert rows["regime_reason"][6].startswith(
        "held; the session itself: flat_and_calm; not or partly measured: breadth"
    )
    assert (rows["market_regime"][6], rows["raw_regime"][6]) == ("WEAK_UPTREND", "RANGE_BOUND")
    assert rows["regime_since"][6] == DAYS[0]


def test_a_held_regime_is_less_sure_than_a_decided_one():
    rise = {"vix_level": 17.0, "return_20d": 0.02, "trend_sigmas": 0.4, "distance_50d": 0.02, "distance_200d": 0.05}
    flat = rise | {"return_20d": 0.0, "trend_sigmas": 0.0, "distance_50d": 0.0}
    held = classify_regimes(inputs([rise] * 6 + [flat]))["confidence_score"][6]
    decided = classify_regimes(inputs([flat]))["confidence_score"][0]
    assert held == pytest.approx(0.8 * decided, abs=0.1)


def test_tick_is_classed_where_there_is_one():
    frame = inputs([{"vix_level": 17.0, "tick_index": tick} for tick in (-801.0, -500.0, 0.0, 500.0, 800.0, None)])
    expected = ["EXTREME_SELLING", "WEAK", "NEUTRAL", "STRONG", "EXTREME_BUYING", None]
    assert classify_regimes(frame)["tick_regime"].to_list() == expected


def test_the_columns_are_as_published_also_when_there_is_nothing():
    assert dict(classify_regimes(inputs([])).schema) == REGIME_ROWS
    assert classify_regimes(inputs([{"vix_level": None}])).is_empty()
