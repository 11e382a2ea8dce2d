"""Put/call ratios from option day bars."""

from datetime import date

import polars as pl
import pytest

from hd_pipelines.analytics.regime.put_call import VOLUMES, compute_put_call, sum_option_volumes

DAY = date(2026, 11, 18)


def volumes(**given):
    return pl.DataFrame({"session": [DAY], **{name: [float(given.get(name, 0))] for name in list(VOLUMES)[1:]}})


def row(**given):
    return compute_put_call(volumes(**given)).row(0, named=True)


def test_contracts_are_added_up_by_what_their_root_is_an_option_on():
    bars = pl.DataFrame(
        {
            "ticker": [
                "O:SPXW261120P06800000",
                "O:VIX261118C00020000",
                "O:SPY261120P00680000",
                "O:AAPL261120C00270000",
                "O:AAPL261120P00270000",
                "O:TSLA1261120C00270000",
                "O:BRKB261120C00500000",
            ],
            "session": [DAY] * 7,
            "volume": [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0],
        }
    )
    expected = {
        "session": DAY,
        "equity_calls": 170.0,
        "equity_puts": 50.0,
        "index_calls": 20.0,
        "index_puts": 10.0,
        "fund_calls": 0.0,
        "fund_puts": 30.0,
    }
    assert sum_option_volumes(bars).row(0, named=True) == expected
    assert sum_option_volumes(bars.lazy()).equals(sum_option_volumes(bars))


def test_total_is_of_all_three_classes():
    ratios = row(
        equity_calls=2000, equity_puts=1000, index_calls=1000, index_puts=1500, fund_calls=1000, fund_puts=1500
    )
    assert ratios["put_call_ratio_equity"] == 0.5
    assert ratios["put_call_ratio_index"] == 1.5
    assert ratios["put_call_ratio_total"] == 1.0
    assert (ratios["pc_regime"], ratios["put_call_reason"]) == ("NEUTRAL", None)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (0.70, "EXTREME_GREED"),
        (0.71, "GREED"),
        (0.90, "GREED"),
        (0.91, "NEUTRAL"),
        (1.10, "NEUTRAL"),
        (1.11, "FEAR"),
        (1.50, "FEAR"),
        (1.51, "EXTREME_FEAR"),
    ],
)
def test_classes_begin_above_their_cut_offs(ratio, expected):
    assert row(equity_calls=10_000, equity_puts=ratio * 10_000)["pc_regime"] == expected


def test_a_market_without_calls_has_no_ratio_and_a_reason():
    ratios = row(equity_puts=5000, equity_calls=999)
    assert (ratios["put_call_ratio_total"], ratios["pc_regime"]) == (None, None)
    assert ratios["put_call_reason"] == "999 calls traded, fewer than 1000"
