"""An explanation holds everything that decided, as JSON and as text."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.scanner.explanation.context_line import describe_context, format_ordinal
from hd_pipelines.signals.scanner.explanation.text import render_blocks, render_lines
from hd_pipelines.signals.scanner.scan import scan
from hd_pipelines.signals.tape import Contexts, Prints
from hd_pipelines.tables.vocabulary import ContextEngine, DealerPositioning, Direction, MarketRegime
from tests.signals.scanner.setups import chain, contexts, gamma, row, setup

KEYS = {
    "context_line",
    "detector",
    "raw_score",
    "data_confidence",
    "base_score",
    "styles",
    "readings",
    "permissions",
    "thresholds",
    "plan",
    "iv_gate",
    "edge",
    "size_multiplier",
    "contract",
    "labels",
}


@pytest.fixture(scope="module")
def signal():
    frame = setup(DETECTORS["breakout_bullish"], levels={"vwap": 198.7})
    return scan(frame, contexts(), chain_at=lambda _: chain()).signals[0]


def test_everything_that_decided_is_in_the_document(signal):
    document = signal.explanation
    assert set(document) == KEYS
    assert [reading["engine"] for reading in document["readings"]] == [engine.value for engine in ContextEngine]
    assert {factor["name"] for factor in document["detector"]["factors"]} == {
        factor.name for factor in DETECTORS["breakout_bullish"].factors
    }
    assert document["plan"]["levels"] == {"stop": "vwap"}
    assert document["contract"]["ticker"] == signal.contract_ticker


def test_the_document_is_json_and_stays_what_it_is(signal):
    assert json.loads(json.dumps(signal.explanation, allow_nan=False)) == signal.explanation
    assert json.loads(json.dumps(signal.contract, allow_nan=False)) == signal.contract


def test_scores_can_be_computed_again_from_the_document(signal):
    document = signal.explanation
    factors = [f for f in document["detector"]["factors"] if f["points"] is not None]
    raw = sum(f["weight"] * f["points"] for f in factors) / sum(f["weight"] for f in factors)
    assert raw == pytest.approx(document["raw_score"])
    base = raw * document["data_confidence"]["total"] / 100
    assert base == pytest.approx(signal.base_score)
    style = document["styles"]["recommended"]
    product = np.prod([modifiers[style] for modifiers in document["styles"]["modifiers"].values()])
    score = min(base * float(np.clip(product, 0.5, 1.5)), 100.0)
    assert score == pytest.approx(document["styles"]["before_contexts"][style])
    for reading in document["readings"]:
        score = min(max(score * reading["multiplier"], 0.0), 100.0)
    score = min(score * document["edge"]["multiplier"], 100.0)
    assert score == pytest.approx(signal.style_score, abs=1e-3)
    assert document["thresholds"]["size"] * document["iv_gate"]["size"] == pytest.approx(signal.size_multiplier)


def test_the_document_is_read_aloud_in_the_order_of_decisions(signal):
    titles = [block.title for block in render_blocks(signal.explanation)]
    assert titles[:4] == ["Context", "Detector", "Data confidence", "Base score"]
    text = "\n".join(render_lines(signal.explanation))
    for expected in (
        "factor volume: 75 points × 0.3 (rvol 2.8)",
        "mid_morning: scalp ×1.1, day_trade ×1.15, swing ×1",
        "allowed with regime STRONG_UPTREND and VIX NORMAL",
        "stop at vwap",
        f"{signal.contract_ticker}: best of",
    ):
        assert expected in text


def test_what_was_stored_is_read_like_what_was_made(signal):
    stored = json.loads(json.dumps(signal.explanation))
    assert render_lines(stored) == render_lines(signal.explanation)


def test_a_document_of_another_version_is_read_as_far_as_it_goes(signal):
    less = {key: value for key, value in signal.explanation.items() if key not in {"edge", "plan"}}
    assert "Edge" not in [block.title for block in render_blocks(less)]
    assert render_lines({}) == []


def test_a_missing_contract_lists_its_near_misses():
    quotes = replace(chain(), volume=np.zeros(len(chain())))
    found = scan(setup(DETECTORS["breakout_bullish"]), contexts(), chain_at=lambda _: quotes).signals[0]
    assert (found.contract_ticker, found.contract) == (None, None)
    assert "  kept out by one limit alone: volume 6" in render_lines(found.explanation)


def test_the_context_line_of_a_good_day():
    frame = row(mtf_trend_week=1.0, mtf_trend_day=2.0, mtf_trend_1h=1.0, mtf_trend_15m=1.0, iv_percentile=0.23)
    assert (
        describe_context(frame, 0, contexts(), Direction.LONG)
        == "IV 23rd pctl · short gamma STRONG · 4 of 4 timeframes up · flow none · WEAK_UPTREND"
    )


def test_a_short_trade_counts_timeframes_that_fall():
    frame = row(mtf_trend_week=-1.0, mtf_trend_day=-2.0, mtf_trend_1h=float("nan"), mtf_trend_15m=1.0)
    assert "2 of 3 timeframes down" in describe_context(frame, 0, contexts(), Direction.SHORT)


def test_unknown_values_are_named_as_unknown():
    nothing = {f"mtf_trend_{name}": float("nan") for name in ("week", "day", "1h", "15m")}
    frame = row(regime=None, iv_percentile=float("nan"), **nothing)
    assert (
        describe_context(frame, 0, Contexts(), Direction.LONG)
        == "IV unknown · gamma unknown · trends unknown · flow none · regime unknown"
    )


@pytest.mark.parametrize(
    ("bias", "score", "expected"),
    [
        (1.0, 60.0, "flow bullish"),
        (-1.0, 60.0, "flow bearish"),
        (0.0, 60.0, "flow mixed"),
        (float("nan"), 60.0, "flow of unknown side"),
        (float("nan"), float("nan"), "flow too thin"),
    ],
)
def test_flow_is_described_as_far_as_it_is_known(bias, score, expected):
    none = np.empty(0)
    prints = Prints(none.astype(np.int64), none, none, none, none, none, none, none)
    line = describe_context(row(flow_bias=bias, flow_score=score), 0, Contexts(prints=prints), Direction.LONG)
    assert expected in line


def test_gamma_of_unknown_strength_is_described_without_a_strength():
    known = Contexts(gamma=(gamma(0, strength=None, positioning=DealerPositioning.LONG_GAMMA),))
    assert "· long gamma ·" in describe_context(row(regime=MarketRegime.EUPHORIA), 0, known, Direction.LONG)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (23, "23rd"),
        (100, "100th"),
    ],
)
def test_ordinals(number, expected):
    assert format_ordinal(number) == expected
