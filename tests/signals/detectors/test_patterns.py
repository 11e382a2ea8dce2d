"""What single patterns must do: pins point to max pain, squeezes have a side, half days have a last hour."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hd_pipelines.signals.catalogue import FEATURES, encode_value
from hd_pipelines.signals.detectors.detector import EQUITIES, ContractLimits, UnknownParameterError, build_pair
from hd_pipelines.signals.detectors.examples import build_firing_frame, build_frame, get_example
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.detectors.rules.conditions import Condition, above
from hd_pipelines.signals.detectors.rules.curves import Line
from hd_pipelines.signals.detectors.rules.factors import Factor
from hd_pipelines.tables.vocabulary import Direction, Strategy
from tests.signals.detectors.frames import SIDES, named

LONG, SHORT = Direction.LONG, Direction.SHORT


def fires(name, direction, **changes):
    detector = DETECTORS[name]
    return bool(detector.fires(build_frame(detector, get_example(detector, direction) | changes), direction)[0])


@pytest.mark.parametrize(
    ("distance", "pointing"),
    [(-0.2, LONG), (-0.001, LONG), (0.001, SHORT), (0.2, SHORT), (0.0, None), (0.6, None), (-0.6, None)],
)
def test_a_pin_points_to_max_pain(distance, pointing):
    changes = {"max_pain_distance_pct": distance}
    assert [d for d in (LONG, SHORT) if fires("eod_pin_setup", d, **changes)] == ([pointing] if pointing else [])


def test_a_squeeze_has_a_side_and_a_reason():
    up, down = "gamma_squeeze_bullish", "gamma_squeeze_bearish"
    for calls, change in [(62.0, 0.4), (38.0, -0.4), (62.0, -0.4), (38.0, 0.4), (50.0, 0.0)]:
        values = {"call_gamma_share": calls, "put_gamma_share": 100.0 - calls, "change_from_open_pct": change}
        assert fires(up, LONG, **values) == (calls >= 50 and change > 0)
        assert fires(down, SHORT, **values) == (calls <= 50 and change < 0)


@pytest.mark.parametrize(("name", "direction"), [("gamma_squeeze_bullish", LONG), ("gamma_squeeze_bearish", SHORT)])
def test_dealers_long_gamma_cause_no_squeeze(name, direction):
    assert fires(name, direction, dealer_gamma_ratio=-0.01)
    assert not fires(name, direction, dealer_gamma_ratio=0.01)


def test_a_flip_goes_the_way_of_the_crossing():
    assert fires("gamma_flip_bullish", LONG, zero_gamma_crossed=1.0)
    assert not fires("gamma_flip_bullish", LONG, zero_gamma_crossed=-1.0)
    assert fires("gamma_flip_bearish", SHORT, zero_gamma_crossed=-1.0)
    assert not fires("gamma_flip_bearish", SHORT, zero_gamma_crossed=1.0)


@pytest.mark.parametrize(
    ("name", "last"),
    [("power_hour_reversal_bullish", 60), ("gamma_squeeze_bullish", 90), ("gamma_flip_bullish", 180), ("eod_pin_setup", 30)],
)  # fmt: skip
def test_what_is_late_is_late_on_a_half_day_too(name, last):
    """A half day has 210 minutes; the clock of a whole one would never reach its last hours."""
    for to_close in (last + 1, last, 1):
        values = {"minutes_to_close": float(to_close), "minutes_from_open": 210.0 - to_close}
        assert fires(name, LONG, **values) == (to_close <= last)


def test_a_falling_market_is_stricter_on_longs_and_shorts_are_vetoed_only_when_it_rises():
    down, up = (encode_value("regime_family", word) for word in ("TRENDING_DOWN", "TRENDING_UP"))
    assert fires("mean_reversion_long", LONG, regime_family=down, rsi_14=20.0)
    assert not fires("mean_reversion_long", LONG, regime_family=down, rsi_14=20.5)
    assert fires("mean_reversion_long", LONG, regime_family=down, rsi_14=18.0, ema_9_distance_pct=-3.5)
    assert not fires(
        "mean_reversion_long", LONG, regime_family=down, rsi_14=18.0, ema_9_distance_pct=-3.5, ema_21_distance_pct=-3.5
    )
    for name in ("mean_reversion_short", "index_mean_reversion_short"):
        assert fires(name, SHORT, regime_family=down)
        assert not fires(name, SHORT, regime_family=up)
        assert fires(name, SHORT, regime_family=np.nan)


@pytest.mark.parametrize("name", ["mean_reversion_long", "index_mean_reversion_long"])
def test_opposing_flow_vetoes_a_long_and_missing_flow_does_not(name):
    against = {"flow_bias": -1.0, "flow_blocks": 0.0, "flow_sweeps": 0.0, "flow_score": 50.0}
    assert fires(name, LONG, **against)
    assert not fires(name, LONG, **against | {"flow_blocks": 3.0})
    assert not fires(name, LONG, **against | {"flow_sweeps": 3.0, "flow_score": 70.0})
    assert fires(name, LONG, **dict.fromkeys(against, np.nan))
    assert fires(name, LONG, **against | {"flow_bias": 1.0, "flow_blocks": 9.0})


@pytest.mark.parametrize(
    ("detector", "direction"), [side for side in SIDES if "flow" in {f.name for f in side[0].factors}], ids=named
)
def test_missing_flow_leaves_the_mean_instead_of_counting_fifty(detector, direction):
    values = get_example(detector, direction)
    without = build_frame(detector, {name: value for name, value in values.items() if not name.startswith("flow_")})
    scores = detector.score(without, direction)
    flow = next(factor.weight for factor in detector.factors if factor.name == "flow")
    assert detector.fires(without, direction)[0]
    assert np.isnan(scores.by_factor["flow"][0])
    assert scores.coverage[0] == pytest.approx(1.0 - flow)
    others = [(f.weight, scores.by_factor[f.name][0]) for f in detector.factors if f.name != "flow"]
    assert scores.total[0] == pytest.approx(sum(w * p for w, p in others) / sum(w for w, _ in others))


@pytest.mark.parametrize(("detector", "direction"), SIDES, ids=named)
def test_an_explanation_is_json_in_the_frame_s_own_terms(detector, direction):
    frame = build_firing_frame(detector, direction)
    actual = json.loads(json.dumps(detector.explain(frame, 0, direction), allow_nan=False))
    assert [c["name"] for c in actual["conditions"]] == [c.name for c in detector.conditions]
    assert all(c["passes"] for c in actual["conditions"])
    seen = {s["feature"]: s["value"] for c in actual["conditions"] for s in c["seen"]}
    seen |= {name: value for factor in actual["factors"] for name, value in factor["seen"].items()}
    for name, value in seen.items():
        given = frame[name][0]
        assert value == (FEATURES[name].enum_values[int(given)] if FEATURES[name].enum_values else pytest.approx(given))
    total = sum(f["weight"] * f["points"] for f in actual["factors"]) / sum(f["weight"] for f in actual["factors"])
    assert total == pytest.approx(detector.score(frame, direction).total[0])
    assert actual["coverage"] == 1.0


def test_an_explanation_of_a_short_shows_unmirrored_numbers():
    detector = DETECTORS["mean_reversion_short"]
    actual = detector.explain(build_firing_frame(detector, SHORT), 0, SHORT)
    assert actual["conditions"][0] == {
        "name": "extreme_rsi",
        "kind": "condition",
        "passes": True,
        "seen": [{"feature": "rsi_14", "value": 81.5, "test": "rsi_14 > 70"}],
    }
    assert actual["conditions"][-1]["seen"] == [
        {"feature": "regime_family", "value": "RANGING", "test": "regime_family is TRENDING_UP"}
    ]


def test_an_explanation_lists_what_was_missing():
    detector = DETECTORS["mean_reversion_long"]
    values = {n: v for n, v in get_example(detector, LONG).items() if not n.startswith(("flow_", "regime", "bullish"))}
    actual = detector.explain(build_frame(detector, values), 0, LONG)
    by_name = {factor["name"]: factor for factor in actual["factors"]}
    assert by_name["divergence"] == {
        "name": "divergence", "weight": 0.15, "points": None, "seen": {"bullish_divergence": None}
    }  # fmt: skip
    assert actual["coverage"] == 0.75
    veto = next(c for c in actual["conditions"] if c["name"] == "falling_knife")
    assert veto["passes"]
    assert veto["kind"] == "veto"
    assert veto["seen"][0] == {
        "feature": "regime_family", "value": None, "test": "regime_family is TRENDING_DOWN"
    }  # fmt: skip


def test_a_pair_cannot_be_without_something_it_never_had():
    def made(**differences):
        return build_pair(
            "gap",
            Strategy.BREAKOUT,
            purpose="Price gaps.",
            asset_classes=EQUITIES,
            conditions=(Condition("gaps", (above("gap_pct", 1.0),)),),
            factors=(Factor("gap", 1.0, Line("gap_pct", 0.0, 20.0)),),
            contract=ContractLimits((0.4, 0.5), (1, 2), 1, 1, 5.0),
            example={"gap_pct": 2.0},
            **differences,
        )

    long, short = made(short_changes={"condition.gaps.gap_pct.above": 2.5})
    frame = replace(build_firing_frame(long, LONG))
    assert long.fires(frame, LONG)[0]
    assert not short.fires(build_firing_frame(short, SHORT), SHORT)[0]
    assert (long.name, short.name) == ("gap_bullish", "gap_bearish")
    with pytest.raises(UnknownParameterError, match="cannot be without 'gasp'"):
        made(short_without=("gasp",))
    with pytest.raises(UnknownParameterError, match="has no parameter"):
        made(short_changes={"condition.gaps.gap_pct.below": 2.5})
