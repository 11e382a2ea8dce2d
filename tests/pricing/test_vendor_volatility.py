"""Volatility and delta recomputed from recorded quotes beside the vendor's own."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from hd_pipelines.validation.iv_against_vendor import (
    against_vendor,
    by_session,
    compared,
    sides_of_a_strike,
    valued_beside_vendor,
)

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"the market recordings are not at {RECORDINGS}"),
]


@pytest.fixture(scope="module")
def spx() -> pl.DataFrame:
    return valued_beside_vendor(RECORDINGS / "spx-2019q2", "SPX")


def test_spx_volatility_and_delta_out_of_the_money_are_the_vendors(spx):
    table = {row["selection"]: row for row in against_vendor(spx).iter_rows(named=True)}
    headline = table["out of the money"]
    assert headline["contracts"] > 115_000
    assert headline["std"] < 0.002
    assert abs(headline["mean"]) < 0.0005
    assert headline["delta_within"] > 0.995
    assert headline["is_within"]
    assert table["out of the money, more than 7 days"]["std"] < 0.001
    # Short of a week, the snapshots without a clock tell: a volatility of the close at an hour of the morning.
    assert table["out of the money, last 7 days"]["std"] < 0.007


def test_every_session_of_spx_is_within_the_limit(spx):
    sessions = by_session(spx)
    assert sessions.height == 41
    assert sessions["std"].max() < 0.004
    assert sessions["delta_within"].min() > 0.93


def test_our_call_and_put_of_one_strike_agree_better_than_the_vendors(spx):
    (strikes, ours, vendors, _) = sides_of_a_strike(spx).row(0)
    assert strikes > 100_000
    assert ours < 0.4 * vendors


def test_what_has_no_value_says_why(spx):
    assert spx["implied_volatility"].is_null().eq(spx["iv_reason"].is_not_null()).all()
    reasons = set(spx["iv_reason"].drop_nulls().unique())
    assert reasons == {"no_time_left", "no_bid", "below_intrinsic", "wide"}


def test_nothing_that_the_vendor_left_out_is_compared(spx):
    assert compared(spx).filter(pl.col("vendor_iv").is_null() | (pl.col("vendor_iv") <= 0)).is_empty()
