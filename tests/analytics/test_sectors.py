"""The leading sector over twenty sessions."""

from datetime import date, timedelta

import polars as pl
import pytest

from hd_pipelines.analytics.regime.sectors import ROTATION_GROUPS, SECTOR_FUNDS, find_sector_leadership


def closes(**gains):
    """21 sessions in which each fund goes from 100 to 100 + its gain; SPY and every fund not named gain 1."""
    days = [date(2026, 10, 1) + timedelta(days=n) for n in range(21)]
    ends = {name: 101.0 + gains.get(name, 1.0) - 1.0 for name in ("SPY", *SECTOR_FUNDS)}
    return pl.DataFrame({"date": days, **{n: [100.0] * 20 + [end] for n, end in ends.items()}})


def last(frame):
    return find_sector_leadership(frame).row(-1, named=True)


def test_the_strongest_and_the_weakest_against_spy_are_named():
    row = last(closes(XLE=6.0, XLU=-4.0))
    assert (row["leading_sector"], row["lagging_sector"]) == ("XLE", "XLU")


@pytest.mark.parametrize(
    ("winners", "expected"),
    [
        (("XLP", "XLU", "XLV"), "DEFENSIVE"),
        (("XLB", "XLI", "XLY"), "CYCLICAL"),
        (("XLC", "XLK"), "GROWTH"),
        (("XLE", "XLF"), "VALUE"),
        (SECTOR_FUNDS, "MIXED"),
        (("XLRE",), "MIXED"),
    ],
)
def test_every_rotation_occurs(winners, expected):
    assert last(closes(**dict.fromkeys(winners, 4.0)))["sector_rotation"] == expected


def test_no_fund_is_in_two_groups():
    members = [fund for group in ROTATION_GROUPS.values() for fund in group]
    assert len(members) == len(set(members))


def test_without_the_market_or_with_four_funds_no_sector_leads():
    assert last(closes(XLE=6.0).drop("SPY"))["leading_sector"] is None
    assert last(closes(XLE=6.0).select("date", "SPY", *SECTOR_FUNDS[:4]))["leading_sector"] is None


def test_the_first_twenty_sessions_have_no_leader():
    assert find_sector_leadership(closes())["leading_sector"].null_count() == 20


def test_a_session_without_spy_has_no_leader():
    frame = closes(XLE=6.0).with_columns(SPY=pl.Series([100.0] * 20 + [None]))
    assert last(frame)["leading_sector"] is None
    assert last(frame)["sector_rotation"] is None
