"""Cutting all inputs at t leaves every signal at or before t as it is: tape, features, detectors, engines, scanner.

The detectors are also tried with their thresholds out of the way, so that each of the seventeen fires on made-up minutes and
the law is not kept by silence.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions
from hd_pipelines.signals.detectors.detector import EQUITIES, Detector
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.detectors.rules.conditions import Comparison, Condition, Test
from hd_pipelines.signals.features import build_frames
from hd_pipelines.signals.scanner.scan import DEFAULT_POLICY, scan
from hd_pipelines.signals.tape import SymbolTape
from hd_pipelines.tables.vocabulary import AssetClass
from tests.signals.features.tapes import MINUTE, TODAY, contexts, tape_of, walk

WIDE = {Comparison.AT_LEAST: -1e12, Comparison.ABOVE: -1e12, Comparison.AT_MOST: 1e12, Comparison.BELOW: 1e12}
SESSIONS = list_last_sessions(TODAY, 23)
SCANNED = SESSIONS[-2:]
OPENS_NS = get_regular_hours(SCANNED[0]).opens_at_ns
# Nothing but the pace decides, and that from signals before.
POLICY = DEFAULT_POLICY.vary(
    {
        name: 0.0
        for name in DEFAULT_POLICY.parameters()
        if name.startswith("thresholds.") and name.endswith((".base", ".style", ".risk_reward"))
    }
    | {name: 1e6 for name in DEFAULT_POLICY.parameters() if name.endswith("per_hour")}
    | {
        "filters.min_relative_volume": 0.0,
        "filters.min_average_daily_volume": 0.0,
        "confidence.least": 0.0,
        "iv_gate.blocked_from": 2.0,
    }
)


def opened(detector: Detector) -> Detector:
    """The detector without what is particular about it: it fires wherever the features that it reads are known."""
    conditions = tuple(
        replace(
            condition,
            tests=tuple(
                replace(test, threshold=WIDE[test.comparison]) for test in condition.tests if isinstance(test, Test)
            ),
        )
        for condition in detector.conditions
        if isinstance(condition, Condition) and any(isinstance(test, Test) for test in condition.tests)
    )
    return replace(detector, conditions=conditions)


OPENED = {name: opened(detector) for name, detector in DETECTORS.items()}


def make_tape(asset_class: AssetClass, seed: int) -> SymbolTape:
    """23 sessions of minutes with chains, volatility and prints; an index with the volume of its fund."""
    minutes = walk(SESSIONS, seed=seed, volatility=0.0012)
    known = replace(contexts(minutes, seed=seed), regime=())
    if asset_class is not AssetClass.INDEX:
        return tape_of(minutes, asset_class=asset_class, contexts=known)
    fund = tape_of(walk(SESSIONS, seed=seed + 100), symbol="FUND", asset_class=AssetClass.EQUITY_ETF)
    return tape_of(minutes, symbol="SPX", asset_class=asset_class, contexts=known, proxy=fund)


@cache
def get_tape(asset_class: AssetClass) -> SymbolTape:
    return make_tape(asset_class, 5)


@cache
def get_frames(asset_class: AssetClass, until_ns: int | None = None):
    """The scanned minutes, of the whole tape or of one that ends at `until_ns`."""
    tape = get_tape(asset_class)
    if until_ns is None:
        return build_frames(tape, SCANNED)
    return build_frames(tape.until(until_ns), [session for session in SCANNED if _began(session, until_ns)])


@cache
def get_signals(asset_class: AssetClass):
    """What a scan of the whole tape accepts."""
    return scan(get_frames(asset_class), get_tape(asset_class).contexts, detectors=OPENED, policy=POLICY).signals


CUTS = tuple(OPENS_NS + minutes * MINUTE for minutes in (17, 64, 201, 389, 390, 1_440 + 31, 1_440 + 300))


def class_of(detector: Detector) -> AssetClass:
    return AssetClass.STOCK if detector.asset_classes == EQUITIES else AssetClass.INDEX


@pytest.mark.parametrize("cut_ns", CUTS)
@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_gives_the_same_result_for_every_minute_before_the_cut(name: str, cut_ns: int) -> None:
    asset_class = class_of(DETECTORS[name])
    cut, whole = get_frames(asset_class, cut_ns), get_frames(asset_class)
    whole = whole.select(whole.as_of_ns <= cut_ns)
    assert cut.as_of_ns.tolist() == whole.as_of_ns.tolist()
    for detector in (DETECTORS[name], OPENED[name]):
        for direction in detector.directions:
            assert detector.fires(cut, direction).tolist() == detector.fires(whole, direction).tolist()
            ours, theirs = detector.score(cut, direction), detector.score(whole, direction)
            assert ours.total.tobytes() == theirs.total.tobytes()


def _began(session, cut_ns: int) -> bool:
    return get_regular_hours(session).opens_at_ns < cut_ns


@pytest.mark.parametrize("asset_class", [AssetClass.STOCK, AssetClass.INDEX])
@pytest.mark.parametrize("cut_ns", CUTS)
def test_a_scan_finds_before_the_cut_what_the_whole_scan_finds_there(asset_class: AssetClass, cut_ns: int) -> None:
    contexts_then = get_tape(asset_class).until(cut_ns).contexts
    found = scan(get_frames(asset_class, cut_ns), contexts_then, detectors=OPENED, policy=POLICY).signals
    expected = [signal for signal in get_signals(asset_class) if signal.as_of.timestamp() * 1e9 <= cut_ns]
    assert [signal.signal_id for signal in found] == [signal.signal_id for signal in expected]
    assert list(found) == expected


def test_every_detector_has_signals_here() -> None:
    found = {
        signal.detector for asset_class in (AssetClass.STOCK, AssetClass.INDEX) for signal in get_signals(asset_class)
    }
    assert found == set(DETECTORS)


def test_a_feature_that_looks_ahead_by_one_minute_would_be_seen() -> None:
    frame = get_frames(AssetClass.STOCK)
    ahead = replace(frame, columns={**frame.columns, "rvol": np.roll(frame["rvol"], -1)})
    cut_ns = CUTS[2]
    cut = build_frames(get_tape(AssetClass.STOCK).until(cut_ns), SCANNED[:1])
    seen = replace(cut, columns={**cut.columns, "rvol": np.roll(cut["rvol"], -1)})
    detector = OPENED["breakout_bullish"]
    direction = detector.directions[0]
    before = ahead.select(ahead.as_of_ns <= cut_ns)
    assert detector.score(seen, direction).total.tobytes() != detector.score(before, direction).total.tobytes()
