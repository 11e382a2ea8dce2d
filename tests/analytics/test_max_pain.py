"""Max pain: worked by hand, and against the definition summed contract by contract."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.analytics.gamma.max_pain import find_nearest_max_pain, sum_settlement_payouts

NOW = datetime(2024, 3, 14, 20, tzinfo=UTC)
FRIDAY, NEXT_WEEK = date(2024, 3, 15), date(2024, 3, 22)


def contracts(rows: list[tuple], settles_at: dict[date, datetime] | None = None) -> pl.DataFrame:
    """Rows of (expiration, strike, type, open interest[, shares])."""
    settle = settles_at or {
        FRIDAY: datetime(2024, 3, 15, 20, tzinfo=UTC),
        NEXT_WEEK: datetime(2024, 3, 22, 20, tzinfo=UTC),
    }
    return pl.DataFrame(
        {
            "symbol": "XYZ",
            "timestamp": NOW,
            "expiration": [row[0] for row in rows],
            "settles_at": [settle[row[0]] for row in rows],
            "strike": [float(row[1]) for row in rows],
            "option_type": [row[2] for row in rows],
            "open_interest": [row[3] for row in rows],
            "shares_per_contract": [float(row[4]) if len(row) > 4 and row[4] else 100.0 for row in rows],
        }
    )


def test_three_strikes_by_hand():
    """At 95 the puts get 5 * 30 + 10 * 5; at 100 calls 5 * 10, puts 5 * 5; at 105 calls 10 * 10 + 5 * 20 per share."""
    chain = contracts(
        [
            (FRIDAY, 95, "call", 10),
            (FRIDAY, 100, "call", 20),
            (FRIDAY, 100, "put", 30),
            (FRIDAY, 105, "put", 5),
        ]
    )
    assert sum_settlement_payouts(chain)["payout_usd"].to_list() == [20_000.0, 7_500.0, 20_000.0]
    found = find_nearest_max_pain(chain).row(0, named=True)
    assert (found["max_pain"], found["max_pain_expiration"]) == (100.0, FRIDAY)


def test_only_the_nearest_unsettled_expiration_with_open_interest_counts():
    later = [(NEXT_WEEK, 120, "put", 5), (NEXT_WEEK, 110, "call", 1)]
    held = [(FRIDAY, 90, "call", 7), *later]
    assert find_nearest_max_pain(contracts(held))["max_pain"].to_list() == [90.0]
    assert find_nearest_max_pain(contracts([(FRIDAY, 90, "call", 0), *later]))["max_pain"].to_list() == [120.0]
    settled = {FRIDAY: NOW, NEXT_WEEK: datetime(2024, 3, 22, 20, tzinfo=UTC)}
    assert find_nearest_max_pain(contracts(held, settled))["max_pain_expiration"].to_list() == [NEXT_WEEK]


def test_without_open_interest_there_is_no_max_pain():
    assert find_nearest_max_pain(contracts([(FRIDAY, 90, "call", None), (FRIDAY, 95, "put", 0)])).is_empty()


def test_a_contract_weighs_by_what_it_delivers():
    rows = [(FRIDAY, 95, "call", 10, 100), (FRIDAY, 105, "put", 10, 10)]
    assert find_nearest_max_pain(contracts(rows))["max_pain"].to_list() == [95.0]
    rows = [(FRIDAY, 95, "call", 10, 10), (FRIDAY, 105, "put", 10, 100)]
    assert find_nearest_max_pain(contracts(rows))["max_pain"].to_list() == [105.0]


@given(seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_the_payouts_are_the_sums_of_intrinsic_values(seed: int):
    random = np.random.default_rng(seed)
    strikes = np.unique(random.integers(50, 150, 20)).astype(float)
    calls, puts = random.integers(0, 500, (2, strikes.size))
    chain = contracts(
        [(FRIDAY, k, "call", int(n)) for k, n in zip(strikes, calls, strict=True)]
        + [(FRIDAY, k, "put", int(n)) for k, n in zip(strikes, puts, strict=True)]
    )
    expected = [
        100 * float(np.sum(calls * np.maximum(s - strikes, 0)) + np.sum(puts * np.maximum(strikes - s, 0)))
        for s in strikes
    ]
    assert sum_settlement_payouts(chain)["payout_usd"].to_list() == pytest.approx(expected)
    assert find_nearest_max_pain(chain)["max_pain"][0] == strikes[int(np.argmin(expected))]
