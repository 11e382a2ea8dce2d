"""A scan of every minute on its own finds what one scan of the session finds, and nothing depends on what came later."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.market.sessions import get_regular_hours
from hd_pipelines.signals.catalogue import FEATURES, LEVELS
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.features import build_frames, evaluate
from hd_pipelines.signals.frame import FeatureFrame, empty_columns, empty_levels
from hd_pipelines.signals.scanner.scan import DEFAULT_POLICY, scan
from hd_pipelines.signals.scanner.signal import EarlierSignal
from hd_pipelines.tables.vocabulary import AssetClass, MarketRegime, Resolution
from tests.signals.features.tapes import TODAY, long_tape
from tests.signals.scanner.setups import at, chain, contexts, ns

EASY = DEFAULT_POLICY.vary(
    {
        "thresholds.default.base": 25.0,
        "thresholds.default.style": 25.0,
        "thresholds.by_asset_class.INDEX.base": 25.0,
        "thresholds.by_asset_class.INDEX.style": 25.0,
        "filters.min_relative_volume": 0.2,
        "filters.min_average_daily_volume": 0.0,
        "thresholds.default.risk_reward": 0.5,
        "plan.profiles.scalp.min_risk_reward": 0.5,
        "plan.profiles.day_trade.min_risk_reward": 0.5,
        "plan.profiles.swing.min_risk_reward": 0.5,
        "pace.cool_down_minutes": 4,
    }
)
EAGER = {
    name: detector.vary(
        {parameter: 0.0 for parameter in detector.parameters() if parameter == "condition.volume.rvol.above"}
    )
    for name, detector in DETECTORS.items()
}


def stored(signals):
    return [EarlierSignal(signal.detector, signal.as_of, signal.bar_time) for signal in signals]


def minute_by_minute(frame, known, **asked):
    found = []
    for position in range(len(frame)):
        outcome = scan(frame, known, earlier=stored(found), rows=slice(position, position + 1), **asked)
        found += outcome.signals
    return found


def noise(seed: int, minutes: int = 60, asset_class: AssetClass = AssetClass.STOCK) -> FeatureFrame:
    """A session of rows without any sense, some of them with holes."""
    random = np.random.default_rng(seed)
    columns, levels = empty_columns(minutes), empty_levels(minutes)
    for name, feature in FEATURES.items():
        if feature.enum_values:
            columns[name] = random.integers(0, len(feature.enum_values), minutes).astype(float)
        elif name.startswith("mtf_trend"):
            columns[name] = random.integers(-2, 3, minutes).astype(float)
        elif feature.unit in {"0-100", "0/1"}:
            columns[name] = random.uniform(0, 100, minutes)
        else:
            columns[name] = random.normal(0, 1, minutes)
        columns[name][random.random(minutes) < 0.02] = np.nan
    first = int(random.integers(1, 390 - minutes))
    clock = np.arange(first, first + minutes)
    columns["minutes_from_open"], columns["minutes_to_close"] = clock.astype(float), 390.0 - clock
    columns["price"] = 100.0 + random.normal(0, 0.1, minutes).cumsum()
    columns["price_age_minutes"] = np.zeros(minutes)
    columns["rvol"], columns["average_daily_volume"] = random.uniform(0.1, 4, minutes), np.full(minutes, 1e6)
    columns["above_20_bar_high_pct"] = columns["below_20_bar_low_pct"] = random.normal(0, 1, minutes)
    for name, size in (("atr_5m", 0.4), ("atr_15m", 0.7), ("atr_1h", 1.2), ("atr_day_pct", 1.5)):
        columns[name] = np.full(minutes, size)
    columns["iv_percentile"], columns["flow_bias"] = (
        random.uniform(0, 1, minutes),
        random.integers(-1, 2, minutes) * 1.0,
    )
    for name in LEVELS:
        levels[name] = np.full(minutes, 100.0 + random.normal(0, 1.5))
    as_of_ns = np.array([ns(at(int(minute))) for minute in clock], np.int64)
    symbol = "SPX" if asset_class is AssetClass.INDEX else "AAPL"
    return FeatureFrame(symbol, asset_class, Resolution.MINUTE, as_of_ns, columns, levels)


@pytest.fixture(scope="module")
def walks():
    """Frames of the last session of random walks, from the features themselves."""
    known = contexts(session=TODAY, regime=MarketRegime.STRONG_UPTREND)
    tapes = [replace(long_tape(seed=seed, sessions=22, days=60), contexts=known) for seed in range(2)]
    return [build_frames(tape, [TODAY]) for tape in tapes], known


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([AssetClass.STOCK, AssetClass.INDEX]))
def test_minute_by_minute_is_one_pass_over_noise(seed, asset_class):
    frame, known = noise(seed, asset_class=asset_class), contexts(regime=None)
    asked = {"policy": EASY, "chain_at": lambda as_of_ns: chain(100.0)}
    assert minute_by_minute(frame, known, **asked) == list(scan(frame, known, **asked).signals)


def test_noise_is_not_silent():
    assert sum(len(scan(noise(seed), contexts(regime=None), policy=EASY).signals) for seed in range(10)) >= 10


def test_minute_by_minute_is_one_pass_over_real_frames(walks):
    real, known = walks
    asked = {"policy": EASY, "detectors": EAGER, "chain_at": lambda as_of_ns: chain(100.0, session=TODAY)}
    counts = []
    for frame in real:
        one_pass = list(scan(frame, known, **asked).signals)
        assert minute_by_minute(frame, known, **asked) == one_pass
        counts.append(len(one_pass))
    assert min(counts) > 0


def test_scanning_each_minute_as_it_comes_is_scanning_the_session_later():
    """Frames of instants (`evaluate`) against the frame of the session, whose labels are others."""
    known = contexts(session=TODAY, regime=MarketRegime.STRONG_UPTREND)
    tape = replace(long_tape(seed=0, sessions=22, days=60), contexts=known)
    opens_ns = get_regular_hours(TODAY).opens_at_ns
    live = []
    for minute in range(1, 121):
        as_of_ns = opens_ns + minute * 60_000_000_000
        cut = tape.until(as_of_ns)
        row = evaluate(cut, as_of_ns)
        live += scan(row, cut.contexts, policy=EASY, detectors=EAGER, earlier=stored(live)).signals
    later = scan(build_frames(tape, [TODAY]), known, policy=EASY, detectors=EAGER, rows=slice(0, 120))
    assert live
    assert live == list(later.signals)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 59))
def test_what_is_cut_off_later_never_changes_a_signal(seed, rows):
    frame, known = noise(seed), contexts(regime=None)
    cut = int(frame.as_of_ns[rows - 1])
    whole = scan(frame, known, policy=EASY).signals
    assert [signal for signal in whole if ns(signal.as_of) <= cut] == list(
        scan(frame.select(slice(0, rows)), known.until(cut), policy=EASY).signals
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_a_second_scan_finds_nothing_new_and_rejects_nothing_of_it(seed):
    frame, known = noise(seed), contexts(regime=None)
    first = scan(frame, known, policy=EASY)
    again = scan(frame, known, policy=EASY, earlier=stored(first.signals))
    assert again.signals == ()
    assert again.already_stored == len(first.signals)
    assert again.rejections == first.rejections
    assert again.candidates == first.candidates


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_scan_that_died_halfway_is_completed_by_the_next(seed, lost):
    frame, known = noise(seed), contexts(regime=None)
    whole = list(scan(frame, known, policy=EASY).signals)
    kept = [signal for position, signal in enumerate(whole) if (lost >> position) % 2]
    again = scan(frame, known, policy=EASY, earlier=stored(kept)).signals
    assert sorted([*kept, *again], key=lambda s: (s.as_of, s.detector)) == sorted(
        whole, key=lambda s: (s.as_of, s.detector)
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_every_candidate_is_a_signal_or_has_one_reason(seed):
    outcome = scan(noise(seed), contexts(regime=None), policy=EASY)
    assert len(outcome.signals) + sum(outcome.rejections.values()) == outcome.candidates


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_the_same_inputs_give_the_same_bytes(seed):
    def actual():
        signals = scan(noise(seed), contexts(regime=None), policy=EASY, chain_at=lambda _: chain(100.0)).signals
        return json.dumps([(s.signal_id, s.explanation, s.contract) for s in signals], allow_nan=False)

    assert actual() == actual()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.data())
def test_holes_make_fewer_signals_and_never_an_error(seed, data):
    frame = noise(seed, minutes=10)
    holes = data.draw(st.sets(st.sampled_from(sorted(FEATURES)), max_size=40))
    columns = {name: np.full(10, np.nan) if name in holes else values for name, values in frame.columns.items()}
    outcome = scan(replace(frame, columns=columns), contexts(regime=None), policy=EASY)
    for signal in outcome.signals:
        json.dumps(signal.explanation, allow_nan=False)
        assert signal.stop_price != signal.entry_price


def test_a_session_that_is_not_the_contexts_own_is_no_error():
    assert scan(noise(1), contexts(session=date(2025, 3, 3)), policy=EASY).rows == 60
