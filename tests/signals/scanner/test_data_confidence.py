"""Data confidence: completeness, critical features and steps."""

import pytest

from hd_pipelines.signals.scanner.policy.default_policy import DEFAULT_POLICY
from hd_pipelines.signals.scanner.scoring.data_confidence import explain_confidence, measure_confidence
from hd_pipelines.tables.vocabulary import AssetClass, Resolution
from tests.signals.scanner.setups import row

RULES = DEFAULT_POLICY.confidence
NAN = float("nan")


def trust(asset_class=AssetClass.STOCK, resolution=Resolution.MINUTE, **changes):
    return float(measure_confidence(row(asset_class, resolution=resolution, **changes), RULES).total[0])


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ((), 100),  # 100 and 5 more, at most 100
        (("flow_bias",), 99),  # 94 + 5
        (("flow_bias", "flow_score"), 88),  # what an installation without prints has: no step between 70 and 90
        (("average_daily_volume",), 73),  # 88 - 15
        (("atr_5m",), 80),  # 90 - 15 + 5
        (("average_daily_volume", "rvol", "vwap"), 55),  # 70 - 15
        (("flow_bias", "flow_score", "vwap", "rsi_14", "ema_21"), 54),  # 64 - 10
        (("average_daily_volume", "rvol", "vwap", "flow_bias", "flow_score"), 33),  # 58 - 15 - 10
        (("price", "atr_5m", "average_daily_volume", "rvol", "vwap"), 0),  # 40 - 45 - 20
    ],
)
def test_confidence_is_what_is_known_less_what_is_missed_most(missing, expected):
    assert trust(**dict.fromkeys(missing, NAN)) == expected


def test_an_index_without_its_funds_volume_is_less_trusted_but_heard():
    assert trust(AssetClass.INDEX, average_daily_volume=NAN, rvol=NAN, vwap=NAN) == 70
    assert trust(AssetClass.STOCK, average_daily_volume=NAN, rvol=NAN, vwap=NAN) == 55


def test_a_day_is_not_asked_for_what_only_minutes_have():
    of_minutes = dict.fromkeys(("vwap", "rsi_14", "ema_21", "flow_bias", "flow_score", "atr_5m"), NAN)
    assert trust(resolution=Resolution.DAY, minute=390, **of_minutes) == 100
    assert trust(resolution=Resolution.DAY, minute=390, atr_day_pct=NAN) == pytest.approx(100 * 54 / 64 - 15)


def test_the_parts_add_up_to_the_total():
    actual = explain_confidence(88.0, ("average_daily_volume",), AssetClass.STOCK, RULES)
    assert actual["missing_critical"] == ["average_daily_volume"]
    assert actual["completeness"] + actual["less_for_critical"] + actual["step"] == 73
