"""Regimes that the rules give for 1990–2022, compared with what those months are known for."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from hd_pipelines.analytics.regime.classification import classify_regimes
from hd_pipelines.tables.vocabulary import MarketRegime
from validation.regime_history import build_history_inputs, classify_history, read_index_closes

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "daily_history"
pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="needs the reference data folder shared/ beside the checkout"
)


@pytest.fixture(scope="module")
def history():
    return classify_history(FOLDER)


def share(history, episode, *regimes):
    row = history.episodes.filter(pl.col("episode") == episode).row(0, named=True)
    return sum(row[regime] for regime in regimes)


def test_every_session_with_a_vix_is_classified(history):
    closes = read_index_closes(FOLDER)
    assert history.rows.height == closes["I:VIX"].count() == 8311
    assert (history.rows["date"].min(), history.rows["date"].max()) == (date(1990, 1, 2), date(2022, 12, 30))


def test_every_class_occurs(history):
    assert history.classes["regime"].to_list() == list(MarketRegime)
    assert history.classes["sessions"].min() >= 40
    assert history.classes["sessions"].sum() == history.rows.height


def test_a_regime_lasts_weeks_and_an_event_days(history):
    assert 7 <= history.mean_dwell_sessions <= 12
    dwell = dict(history.classes.select("regime", "mean_dwell_sessions").iter_rows())
    assert dwell["BREAKOUT"] < 4
    assert dwell["BREAKDOWN"] < 4
    assert min(value for regime, value in dwell.items() if regime not in {"BREAKOUT", "BREAKDOWN"}) > 5


def test_october_2008_is_panic_with_bounces(history):
    assert share(history, "2008-10", "CAPITULATION", "STRONG_DOWNTREND") > 0.6
    assert share(history, "2008-10", "STRONG_UPTREND", "WEAK_UPTREND", "BREAKOUT", "RANGE_BOUND", "EUPHORIA") == 0


def test_2017_is_a_year_of_calm_rises(history):
    assert share(history, "2017", "STRONG_UPTREND", "WEAK_UPTREND", "EUPHORIA", "BREAKOUT") > 0.7
    assert share(history, "2017", "WEAK_DOWNTREND", "STRONG_DOWNTREND", "CAPITULATION", "CHOPPY_BEARISH") == 0


def test_february_2018_breaks_down_and_stays_choppy(history):
    assert share(history, "2018-02", "BREAKDOWN", "CHOPPY_BEARISH") > 0.7
    held = dict(history.rows.select("date", "market_regime").iter_rows())
    assert held[date(2018, 1, 26)] == "EUPHORIA"
    assert held[date(2018, 2, 5)] == "BREAKDOWN"


def test_march_2020_is_panic_until_the_low_of_the_23rd(history):
    held = dict(history.rows.select("date", "market_regime").iter_rows())
    assert held[date(2020, 2, 24)] == "BREAKDOWN"
    assert held[date(2020, 3, 16)] == held[date(2020, 3, 23)] == "CAPITULATION"
    assert held[date(2020, 3, 31)] == "CHOPPY_BEARISH"


def test_2022_is_a_bear_market_with_rallies(history):
    down = share(history, "2022", "STRONG_DOWNTREND", "WEAK_DOWNTREND", "CHOPPY_BEARISH", "BREAKDOWN")
    assert down > 0.65
    assert share(history, "2022", "STRONG_UPTREND", "EUPHORIA") == 0


def test_the_regime_of_a_day_needs_nothing_after_it(history):
    inputs = build_history_inputs(FOLDER, read_index_closes(FOLDER))
    for cut in (date(1995, 3, 1), date(2008, 10, 10), date(2020, 3, 16)):
        earlier = classify_regimes(inputs.filter(pl.col("date") <= cut))
        assert earlier.equals(history.rows.filter(pl.col("date") <= cut))


def test_confidence_is_lower_where_less_was_measured(history):
    by_year = dict(
        history.rows.filter(pl.col("market_regime") == "WEAK_UPTREND")
        .group_by(pl.col("date").dt.year())
        .agg(pl.col("confidence_score").median())
        .iter_rows()
    )
    assert by_year[1991] < by_year[1996] < by_year[2000] < by_year[2013]
