"""Rank and percentile of implied volatility: published figures since 1990, a plain recomputation, and no look-ahead."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hd_pipelines.analytics.iv_percentile import (
    compute_percentile_rows,
    rank_against_history,
    rank_and_percentile,
    select_session_observations,
)
from hd_pipelines.analytics.volatility.constant_maturity import OBSERVED
from hd_pipelines.analytics.volatility.iv_classes import FAVORABLE_BELOW, REGIME_CUT_OFFS, PercentileReason
from hd_pipelines.analytics.volatility.model_free import MODEL_FREE
from hd_pipelines.market.sessions import list_sessions_between
from hd_pipelines.tables.vocabulary import IvRecommendation, IvRegime, IvTrend
from hd_pipelines.warehouse.schema.tables import iv_percentile_cache
from validation.iv_rank_against_published import compare_vix_rank, compare_with_recomputation

DAILY_HISTORY = Path(__file__).parents[2].parent / "shared" / "data" / "daily_history"
SESSIONS = list_sessions_between(date(2019, 1, 2), date(2021, 12, 31))

volatilities = st.one_of(st.sampled_from([0.1, 0.15, 0.2, 0.25]), st.floats(0.05, 1.5), st.just(float("nan")))
series = hnp.arrays(np.float64, st.integers(0, 420), elements=volatilities, fill=st.nothing())


def observations(values, symbol="SPY", skew=None):
    frame = pl.DataFrame(
        {"date": SESSIONS[: len(values)], "current_iv": values}, schema_overrides={"current_iv": pl.Float64}
    )
    frame = frame.with_columns(symbol=pl.lit(symbol))
    return frame if skew is None else frame.with_columns(iv_skew=pl.Series(skew))


def random_walk(count, seed=7):
    return 0.2 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.05, count)))


def plain(values, window=252):
    """The definition, computed literally."""
    found = []
    for at, today in enumerate(values):
        previous = [value for value in values[max(0, at - window) : at] if not np.isnan(value)]
        year = [value for value in values[max(0, at - window + 1) : at + 1] if not np.isnan(value)]
        if np.isnan(today) or len(previous) < min(126, -(-window // 2)):
            found.append((np.nan, np.nan, len(previous)))
            continue
        rank = (today - min(year)) / (max(year) - min(year)) if max(year) > min(year) else np.nan
        found.append((rank, sum(value < today for value in previous) / len(previous), len(previous)))
    return [np.array(column) for column in zip(*found, strict=True)] if found else [np.array([])] * 3


# --- against others ----------------------------------------------------------------------------------------------


def test_rank_and_percentile_of_the_vix_since_1990_equal_the_published_ones():
    if not DAILY_HISTORY.exists():
        pytest.skip("needs the VIX from 1990 in ../shared/data/daily_history")
    table = compare_vix_rank(DAILY_HISTORY)
    assert table.height == 8065
    assert table["is_equal"].all()
    assert table["n_observations"].unique().to_list() == [252]


@settings(max_examples=60, deadline=None)
@given(series)
def test_rank_and_percentile_equal_their_definition(values):
    ours = rank_and_percentile(values)
    for mine, theirs in zip(ours, plain(values), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@settings(max_examples=60, deadline=None)
@given(series, st.integers(2, 300))
def test_any_window_equals_its_definition(values, window):
    for mine, theirs in zip(rank_and_percentile(values, window), plain(values, window), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_long_series_is_computed_in_blocks_without_a_seam():
    values = random_walk(40_000)
    whole, tail = rank_and_percentile(values), rank_and_percentile(values[16_000:])
    np.testing.assert_array_equal(whole.rank[17_000:], tail.rank[1_000:])
    np.testing.assert_array_equal(whole.percentile[17_000:], tail.percentile[1_000:])


# --- laws ----------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(series, st.integers(0, 420))
def test_no_value_uses_anything_after_it(values, cut):
    whole, known = rank_and_percentile(values), rank_and_percentile(values[:cut])
    for all_of_it, part in zip(whole, known, strict=True):
        np.testing.assert_array_equal(all_of_it[:cut], part)


@settings(max_examples=25, deadline=None)
@given(series.filter(len), st.integers(1, 420))
def test_rows_up_to_a_date_are_the_same_when_later_dates_are_unknown(values, cut):
    skew = -values / 10
    whole = compute_percentile_rows(observations(values, skew=skew))
    known = compute_percentile_rows(observations(values[:cut], skew=skew[:cut]))
    assert whole.head(cut).equals(known, null_equal=True)


@settings(max_examples=40, deadline=None)
@given(series)
def test_rank_and_percentile_are_shares(values):
    rank, percentile, count = rank_and_percentile(values)
    for share in (rank, percentile):
        known = share[~np.isnan(share)]
        assert ((known >= 0) & (known <= 1)).all()
    assert ((count >= 0) & (count <= 252)).all()
    assert np.isnan(percentile[count < 126]).all()


def test_today_is_not_among_the_values_it_is_compared_with():
    # All earlier values are below: the percentile is 1. Counting today as one of 253 would give 252/253.
    assert rank_and_percentile(np.arange(1.0, 254.0)).percentile[-1] == 1.0


def test_values_equal_to_today_are_not_below_it():
    values = np.array([0.2] * 126 + [0.1] * 126 + [0.2])
    assert rank_and_percentile(values).percentile[-1] == 0.5


def test_the_first_answer_comes_after_126_observations():
    _, percentile, count = rank_and_percentile(random_walk(200))
    assert np.flatnonzero(np.isfinite(percentile))[0] == 126
    assert count[126] == 126


def test_a_gap_keeps_its_place_in_the_window():
    # 252 sessions ago volatility was extreme; a gap since then must not pull that session back into the window.
    values = np.concatenate([[9.0], random_walk(252)])
    values[100] = np.nan
    rank, _, count = rank_and_percentile(np.append(values, 0.2))
    assert count[-1] == 251
    assert rank[-1] > 0.02


@pytest.mark.parametrize(("values", "window"), [(np.ones((3, 3)), 252), (np.ones(3), 1)])
def test_a_table_or_a_window_of_one_is_refused(values, window):
    with pytest.raises(ValueError, match="one dimension and a window"):
        rank_and_percentile(values, window)


# --- one contract against its underlying -----------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(series.filter(len), volatilities)
def test_a_contract_against_a_history_is_the_next_value_of_the_series(history, value):
    rank, percentile = rank_against_history(np.array([value]), history)
    expected = rank_and_percentile(np.append(history, value))
    np.testing.assert_array_equal(percentile[0], expected.percentile[-1])
    np.testing.assert_array_equal(rank[0], expected.rank[-1])


def test_many_contracts_are_ranked_at_once():
    rank, percentile = rank_against_history([0.01, np.nan, 5.0], random_walk(300))
    np.testing.assert_array_equal(rank, [0.0, np.nan, 1.0])
    np.testing.assert_array_equal(percentile, [0.0, np.nan, 1.0])


def test_the_252nd_session_before_counts_for_the_percentile_and_not_for_the_range():
    history = np.concatenate([[9.0], np.linspace(0.1, 0.2, 251)])
    rank, percentile = rank_against_history([0.3], history)
    assert (rank[0], percentile[0]) == (1.0, 251 / 252)


def test_a_short_history_ranks_nothing():
    for answer in rank_against_history([0.2, 0.3], random_walk(125)):
        assert np.isnan(answer).all()


# --- rows ----------------------------------------------------------------------------------------------------------


def test_rows_have_the_columns_of_the_table():
    rows = compute_percentile_rows(observations(random_walk(10)))
    assert rows.columns == [column.name for column in iv_percentile_cache.columns if column.name != "updated_at"]


def test_statistics_are_of_the_last_252_sessions_with_today():
    values = random_walk(400)
    row = compute_percentile_rows(observations(values)).row(-1, named=True)
    year = values[-252:]
    assert row["iv_52w_high"] == year.max()
    assert row["iv_52w_low"] == year.min()
    assert row["iv_52w_mean"] == pytest.approx(year.mean())
    assert row["iv_52w_median"] == pytest.approx(np.median(year))
    assert row["iv_52w_stddev"] == pytest.approx(year.std(ddof=0))
    assert row["iv_zscore"] == pytest.approx((year[-1] - year.mean()) / year.std(ddof=0))
    assert row["iv_change_5d"] == pytest.approx(values[-1] - values[-6])
    assert row["iv_change_20d"] == pytest.approx(values[-1] - values[-21])
    assert row["n_observations"] == row["data_points_52w"] == 252
    assert row["percentile_reason"] is None


def test_skew_has_a_percentile_of_its_own():
    values, skew = random_walk(300), random_walk(300, seed=9) - 0.3
    row = compute_percentile_rows(observations(values, skew=skew)).row(-1, named=True)
    assert row["skew_percentile"] == (skew[-253:-1] < skew[-1]).mean()


@pytest.mark.parametrize(
    ("growth", "trend"),
    [(1.2, IvTrend.EXPANDING), (1.0, IvTrend.STABLE), (1.1, IvTrend.STABLE), (0.8, IvTrend.CONTRACTING)],
)
def test_trend_compares_the_change_of_20_sessions_with_today(growth, trend):
    # 1.1 is a change of 9.1 % of today's value: still stable.
    rows = compute_percentile_rows(observations(np.array([0.2] * 20 + [0.2 * growth])))
    assert rows["iv_trend"][-1] == trend.value
    assert rows["iv_trend"].head(20).null_count() == 20


def test_a_missing_session_is_a_gap_not_a_neighbour():
    values = random_walk(300)
    without = observations(values).filter(pl.col("date") != SESSIONS[294])
    rows = compute_percentile_rows(without)
    assert rows.height == 299
    last = rows.row(-1, named=True)
    assert last["n_observations"] == 251
    assert last["iv_change_5d"] is None
    assert last["iv_change_20d"] == pytest.approx(values[-1] - values[-21])


def test_each_missing_answer_has_a_reason():
    values = np.full(140, 0.2)
    values[130] = np.nan
    rows = compute_percentile_rows(observations(values))
    assert set(rows["percentile_reason"].head(126)) == {PercentileReason.TOO_FEW.value}
    assert rows["percentile_reason"][130] == PercentileReason.NO_VALUE.value
    assert rows["iv_reason"][130] == "not_observed"
    assert rows["percentile_reason"][135] == PercentileReason.ALL_EQUAL.value
    assert (rows["iv_rank"][135], rows["iv_percentile"][135], rows["iv_zscore"][135]) == (None, 0.0, None)
    assert rows["iv_regime"].head(126).null_count() == 126


def test_the_reason_of_a_missing_volatility_is_passed_on():
    frame = observations([np.nan]).with_columns(iv_reason=pl.lit("no_forward"))
    assert compute_percentile_rows(frame)["iv_reason"].item() == "no_forward"


def test_a_row_on_a_holiday_takes_part_in_nothing():
    values = random_walk(140)
    holiday = pl.DataFrame({"date": [date(2019, 5, 27)], "current_iv": [9.0], "symbol": ["SPY"]})
    clean = observations(values)
    rows = compute_percentile_rows(pl.concat([clean, holiday], how="diagonal"))
    on_holiday = rows.filter(pl.col("date") == date(2019, 5, 27)).row(0, named=True)
    assert on_holiday["percentile_reason"] == PercentileReason.NO_SESSION.value
    assert rows.filter(pl.col("date") != date(2019, 5, 27)).equals(compute_percentile_rows(clean))


def test_symbols_do_not_mix():
    one, two = observations(random_walk(300), "QQQ"), observations(random_walk(280, seed=3), "SPY")
    mixed = compute_percentile_rows(pl.concat([two, one]).sample(fraction=1, shuffle=True, seed=1))
    assert mixed.equals(pl.concat([compute_percentile_rows(one), compute_percentile_rows(two)]))


def test_two_observations_of_one_session_are_refused_by_name():
    frame = observations([0.2, 0.3])
    with pytest.raises(ValueError, match=r"SPY has more than one observation of 2019-01-02"):
        compute_percentile_rows(pl.concat([frame, frame]))
    with pytest.raises(ValueError, match="current_iv"):
        compute_percentile_rows(frame.drop("current_iv"))


def test_no_observations_give_no_rows():
    assert compute_percentile_rows(observations([]).cast({"date": pl.Date})).is_empty()


def test_what_is_carried_along_stays():
    at = datetime(2019, 1, 2, 21, tzinfo=UTC)
    frame = observations([0.2]).with_columns(
        timestamp=pl.lit(at), current_iv_call=0.19, current_iv_put=0.21, model_free_iv30=0.22, price_source=pl.lit("x")
    )
    row = compute_percentile_rows(frame).row(0, named=True)
    assert (row["timestamp"], row["current_iv_call"], row["current_iv_put"]) == (at, 0.19, 0.21)
    assert (row["model_free_iv30"], row["iv30"], row["current_iv"], row["price_source"]) == (0.22, 0.2, 0.2, "x")


def observed(*snapshots):
    """Snapshots (hour UTC, kind, iv30) of SPX on 2019-01-02."""
    rows = [
        {
            "symbol": "SPX",
            "session": SESSIONS[0],
            "timestamp": datetime(2019, 1, 2, hour, tzinfo=UTC),
            "kind": kind,
            "iv30": iv,
        }
        for hour, kind, iv in snapshots
    ]
    return pl.DataFrame(rows, schema=OBSERVED)


def test_a_session_is_observed_at_its_close_and_without_one_at_its_last_snapshot():
    close_last = observed((15, "intraday", 0.2), (21, "close", 0.22), (22, "intraday", 0.9))
    assert select_session_observations(close_last)["current_iv"].to_list() == [0.22]
    no_close = observed((17, "intraday", 0.21), (15, "intraday", 0.2))
    assert select_session_observations(no_close)["current_iv"].to_list() == [0.21]


def test_the_model_free_volatility_is_that_of_the_same_snapshot():
    index = pl.DataFrame(
        {
            "underlying": ["I:SPX", "I:SPX"],
            "snapshot_at": [datetime(2019, 1, 2, hour, tzinfo=UTC) for hour in (15, 21)],
            "model_free_iv30": [0.3, 0.25],
        }
    )
    index = index.select(
        (pl.col(name) if name in index.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in MODEL_FREE.items()
    )
    row = select_session_observations(observed((15, "intraday", 0.2), (21, "close", 0.22)), index).row(0, named=True)
    assert (row["current_iv"], row["model_free_iv30"]) == (0.22, 0.25)
    assert compute_percentile_rows(pl.DataFrame([row]))["model_free_iv30"].item() == 0.25


# --- classes -------------------------------------------------------------------------------------------------------


def classes_at(percentile):
    """Classes of the 253rd of 252 earlier values, `percentile` of which are below it."""
    below = round(percentile * 252)
    values = np.array([0.1] * below + [0.3] * (252 - below) + [0.2])
    row = compute_percentile_rows(observations(values)).row(-1, named=True)
    return row["iv_regime"], row["iv_recommendation"]


@pytest.mark.parametrize(
    ("percentile", "regime", "recommendation"),
    [
        (0.0, IvRegime.EXTREMELY_LOW, IvRecommendation.BUY_PREMIUM),
        (0.15, IvRegime.LOW, IvRecommendation.BUY_PREMIUM),
        (0.25, IvRegime.NORMAL, IvRecommendation.BUY_FAVORABLE),
        (0.50, IvRegime.NORMAL, IvRecommendation.NEUTRAL),
        (0.70, IvRegime.ELEVATED, IvRecommendation.WAIT_FOR_IV_DROP),
        (0.85, IvRegime.HIGH, IvRecommendation.WAIT_FOR_IV_DROP),
        (0.95, IvRegime.EXTREMELY_HIGH, IvRecommendation.SELL_PREMIUM),
        (1.0, IvRegime.EXTREMELY_HIGH, IvRecommendation.SELL_PREMIUM),
    ],
)
def test_every_regime_and_recommendation_is_reached(percentile, regime, recommendation):
    # A percentile is a share: 0.95 read as 0.95 of 100 would be EXTREMELY_LOW for ever.
    assert classes_at(percentile) == (regime.value, recommendation.value)


def test_cut_offs_divide_all_classes():
    assert len(REGIME_CUT_OFFS) == len(IvRegime) - 1
    assert REGIME_CUT_OFFS[1] < FAVORABLE_BELOW < REGIME_CUT_OFFS[2]


# --- the comparison tables -------------------------------------------------------------------------------------------


def test_the_recomputation_agrees_and_would_show_a_wrong_row():
    values = random_walk(300)
    values[[40, 200]] = np.nan
    rows = compute_percentile_rows(observations(values))
    gaps_kept = compare_with_recomputation(rows)
    assert gaps_kept["is_equal"].all()
    wrong = rows.with_columns(iv_percentile=pl.col("iv_percentile") + 1 / 252)
    assert not compare_with_recomputation(wrong)["is_equal"].all()
