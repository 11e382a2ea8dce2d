"""Coverage of a chain: what is measured, and from which limits on a finding is reported."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.market.chain_coverage import (
    compute_completeness,
    find_coverage_problems,
    measure_chains,
)
from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.tables.vocabulary import Rule, Severity
from tests.support.rest import CLOSE, SESSION, contract_rows


def chain(count=100, **changed):
    return (
        contract_rows(count)
        .with_columns(
            snapshot_at=pl.lit(CLOSE, dtype=STAMP),
            quote_at=pl.lit(CLOSE - timedelta(seconds=30), dtype=STAMP),
        )
        .with_columns(**changed)
    )


def rules(rows, share=1.0):
    return [found.rule for found in find_coverage_problems("SPY", SESSION, measure_chains([rows])[0], share)]


def test_a_chain_in_numbers():
    rows = chain(
        100,
        bid=pl.when(pl.col("strike") < 510).then(0.0).otherwise(pl.col("bid")),
        open_interest=pl.when(pl.col("strike") < 505).then(None).otherwise(pl.col("open_interest")),
        vendor_iv=pl.when(pl.col("strike") < 503).then(None).otherwise(pl.col("vendor_iv")),
    )
    found = measure_chains([rows])[0]
    assert (found.contracts, found.with_quote, found.with_open_interest, found.with_vendor_iv) == (100, 80, 90, 94)
    assert (found.strikes, found.paired_strikes) == (50, 50)
    assert (found.quote_age, found.foreign_quotes) == (timedelta(seconds=30), 0)


def test_many_chains_measure_as_each_alone():
    old = chain(40, quote_at=pl.lit(CLOSE - timedelta(days=3), dtype=STAMP))
    unquoted = chain(7, bid=pl.lit(0.0), quote_at=pl.lit(None, dtype=STAMP))
    chains = [chain(100), old, unquoted, chain(100, open_interest=pl.lit(None, dtype=pl.Int64))]
    assert measure_chains(chains) == [measure_chains([one])[0] for one in chains]
    assert [one.contracts for one in measure_chains(chains)] == [100, 40, 7, 100]


def test_completeness_is_a_share_of_the_median_before():
    assert compute_completeness(90, [100, 100, 100, 100]) is None
    assert compute_completeness(90, [100, 100, 100, 100, 20]) == 0.9
    assert compute_completeness(120, [100] * 5) == 1.0
    assert compute_completeness(50, [1000] * 30 + [100] * 20) == 0.5


@given(st.integers(0, 10_000), st.lists(st.integers(1, 10_000), max_size=40))
def test_completeness_is_none_or_a_share(contracts, earlier):
    share = compute_completeness(contracts, earlier)
    assert (share is None) == (len(earlier) < 5)
    assert share is None or 0 <= share <= 1


def test_a_whole_chain_has_no_findings():
    assert rules(chain()) == []
    assert rules(chain(), share=None) == []


@pytest.mark.parametrize(("share", "reported"), [(0.76, []), (0.74, [Rule.CHAIN_INCOMPLETE])])
def test_a_chain_with_far_fewer_contracts_than_usual_is_incomplete(share, reported):
    assert rules(chain(), share) == reported


def test_a_chain_missing_half_its_strikes_is_detected_from_its_history():
    share = compute_completeness(chain().filter(pl.col("strike") % 2 == 0).height, [100] * 10)
    assert rules(chain().filter(pl.col("strike") % 2 == 0), share) == [Rule.CHAIN_INCOMPLETE]


def test_strikes_without_their_put_are_detected_without_any_history():
    rows = chain().filter((pl.col("option_type") == "call") | (pl.col("strike") < 530))
    assert rules(rows, None) == [Rule.CHAIN_INCOMPLETE]


def test_a_chain_without_quotes_is_reported():
    assert rules(chain(bid=pl.lit(None, dtype=pl.Float64))) == [Rule.CHAIN_INCOMPLETE]


def test_old_quotes_and_quotes_of_another_day_are_reported():
    old = pl.lit(CLOSE - timedelta(minutes=21), dtype=STAMP)
    assert rules(chain(quote_at=old)) == [Rule.CHAIN_STALE]
    fifteen_minutes = pl.lit(CLOSE - timedelta(minutes=16), dtype=STAMP)
    assert rules(chain(quote_at=fifteen_minutes)) == []
    yesterday = pl.lit(CLOSE - timedelta(days=1), dtype=STAMP)
    findings = find_coverage_problems("SPY", SESSION, measure_chains([chain(quote_at=yesterday)])[0], 1.0)
    assert [(found.rule, found.severity, found.session) for found in findings] == [
        (Rule.CHAIN_STALE, Severity.WARNING, SESSION)
    ]


def test_quotes_without_a_time_are_not_called_stale():
    assert rules(chain(quote_at=pl.lit(None, dtype=STAMP))) == []


def test_roots_that_share_a_strike_are_two_strikes():
    spxw = contract_rows(20).with_columns(root=pl.lit("SPXW"))
    rows = pl.concat([contract_rows(20), spxw]).with_columns(
        snapshot_at=pl.lit(CLOSE, dtype=STAMP), quote_at=pl.lit(CLOSE, dtype=STAMP)
    )
    assert measure_chains([rows])[0].strikes == 20


def test_an_expiration_that_is_one_of_many_does_not_make_a_chain_incomplete():
    weeks = [
        chain(20, expiration=pl.lit(date(2026, 6, day))).with_columns(
            pl.col("ticker").str.replace("260619", f"2606{day}")
        )
        for day in range(10, 20)
    ]
    share = compute_completeness(pl.concat(weeks[1:]).height, [pl.concat(weeks).height] * 5)
    assert rules(pl.concat(weeks[1:]), share) == []
