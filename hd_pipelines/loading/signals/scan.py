"""Scans new minutes for signals, stores the accepted ones, and settles those that have ended.

Inputs are read by `loading.signals.tapes`; `signals.scanner` accepts or rejects candidates.

A scan of past sessions sees every minute as it was known then, so it finds at each minute what a live scan would have
found. A session is skipped if its bars, contexts, detectors and policy have not changed since its last scan.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from hd_pipelines.loading.derived.fingerprints import Pair, digest
from hd_pipelines.loading.signals.outcomes import settle_outcomes
from hd_pipelines.loading.signals.reports import ScanReport, compute_edges, group_by_symbol, to_scan_row, to_signal_row
from hd_pipelines.loading.signals.tapes import Inputs, read_inputs
from hd_pipelines.market.instants import to_ns
from hd_pipelines.market.live_times import can_bars_arrive
from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions
from hd_pipelines.market.symbols import VOLUME_PROXIES
from hd_pipelines.signals.detectors.detector import Detector
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.features import build_day_frame, build_frames, build_session_frame
from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.scanner.policy.scan_policy import ScanPolicy
from hd_pipelines.signals.scanner.scan import DEFAULT_POLICY, scan
from hd_pipelines.signals.scanner.signal import ScanOutcome
from hd_pipelines.signals.tape import SymbolTape
from hd_pipelines.tables.vocabulary import Resolution
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.read.bars import read_bar_fingerprints
from hd_pipelines.warehouse.read.scan_inputs import find_newest_minute
from hd_pipelines.warehouse.records.derivations import MARKET, read_fingerprints
from hd_pipelines.warehouse.records.signals import (
    find_last_scanned,
    read_earlier_signals,
    read_settled_since,
    record_scan,
    record_session_scans,
    store_signals,
    take_scan_lock,
)

TABLE = "composite_signals"
CHUNK = 5
"""Sessions whose inputs are read together; 50 symbols × 5 sessions of minutes are about 100,000 rows."""
CATCH_UP_MINUTES = 5
"""How many minutes a late scan covers: signals of older minutes are no longer useful."""
ON_TIME_MINUTES = 2
"""If the newest bar is older than this at scan time, the report carries a `bars_are_N_minutes_old` label."""
_MINUTE = timedelta(minutes=1)
EDGE_DAYS = 30
"""How far back settled signals count for the edge of their detector."""


def scan_now(
    database: Database,
    symbols: Sequence[str],
    now: datetime,
    *,
    policy: ScanPolicy = DEFAULT_POLICY,
    run_id: str | None = None,
) -> ScanReport:
    """Scan the newest minutes of the running session and store new signals, in one transaction.

    The newest bar is the clock: a delayed feed is scanned at its own time, with a label. Minutes since the last scan are
    scanned one by one, at most `CATCH_UP_MINUTES`. Outside of regular hours, and before the first bar, the report is
    empty except for a label. `now` is timezone-aware.
    """
    began = time.perf_counter()
    report = ScanReport()
    session = now.astimezone(UTC).date()
    if not can_bars_arrive(now):
        report.labels["closed"] = set(symbols)
        return report
    with database.connect() as connection:
        newest = find_newest_minute(connection, symbols, session)
        scanned = find_last_scanned(connection, session)
    if newest is None:
        report.labels["no_bars_today"] = set(symbols)
        return report
    as_of = min(newest + _MINUTE, now.replace(second=0, microsecond=0))
    if (behind := int((now - as_of) / _MINUTE)) > ON_TIME_MINUTES:
        report.labels[f"bars_are_{behind}_minutes_old"] = set(symbols)
    since = max(as_of - CATCH_UP_MINUTES * _MINUTE, min(scanned or as_of, as_of - _MINUTE))
    inputs = read_inputs(database, symbols, [session], since=since, until=as_of)
    frames = {}
    for symbol, tape in inputs.tapes.items():
        frame = build_session_frame(tape.until(to_ns(as_of)), session, to_ns(as_of))
        frames[symbol] = frame.select(frame.as_of_ns > to_ns(since))
    _scan_frames(database, inputs, frames, session, report, policy=policy, run_id=run_id)
    report.sessions, report.seconds = 1, time.perf_counter() - began
    return report


def scan_sessions(
    database: Database,
    symbols: Sequence[str],
    sessions: Sequence[date],
    *,
    policy: ScanPolicy = DEFAULT_POLICY,
    run_id: str | None = None,
    on_session: Callable[[int, int], None] = lambda _done, _of: None,
) -> ScanReport:
    """Scan every minute of `sessions` (ascending) that changed since their last scan; day bars if there are no minutes.

    One transaction per session: after a crash, the next run continues with the first session that was not stored.
    """
    began = time.perf_counter()
    total = ScanReport(sessions=len(sessions))
    marks = _compute_marks(database, symbols, sessions, policy)
    with database.connect() as connection:
        held = read_fingerprints(connection, TABLE, symbols, sessions[0], sessions[-1])
    due = [day for day in sessions if any(held.get((symbol, day)) != marks[symbol, day] for symbol in symbols)]
    total.up_to_date = len(sessions) - len(due)
    for first in range(0, len(due), CHUNK):
        chunk = due[first : first + CHUNK]
        inputs = read_inputs(database, symbols, chunk)
        for offset, session in enumerate(chunk):
            report = ScanReport()
            frames = {symbol: _build_frame(tape, session) for symbol, tape in inputs.tapes.items()}
            of_session = {symbol: marks[symbol, session] for symbol in symbols}
            _scan_frames(database, inputs, frames, session, report, policy=policy, run_id=run_id, marks=of_session)
            # The next session uses these outcomes for its edges.
            report.settled = settle_outcomes(database, until=get_regular_hours(session).closes_at)
            total.merge(report)
            on_session(first + offset + 1, len(due))
    total.seconds = time.perf_counter() - began
    return total


def _build_frame(tape: SymbolTape, session: date) -> FeatureFrame:
    if len(tape.minutes.of_session(session)):
        return build_frames(tape, [session])
    return build_day_frame(tape, [session])


def _scan_frames(
    database: Database,
    inputs: Inputs,
    frames: Mapping[str, FeatureFrame],
    session: date,
    report: ScanReport,
    *,
    policy: ScanPolicy,
    run_id: str | None,
    marks: Mapping[str, str] | None = None,
) -> None:
    """Scan and store in one transaction that excludes other scans, since cool-downs depend on stored signals."""
    began = time.perf_counter()
    as_of = {symbol: frame for symbol, frame in frames.items() if len(frame)}
    for symbol, frame in frames.items():
        if not len(frame):
            report.add(ScanOutcome(symbol, 0, 0, (), labels=frame.labels))
    with database.begin() as connection:
        take_scan_lock(connection)
        before = group_by_symbol(read_earlier_signals(connection, list(frames), [session]))
        edges = compute_edges(
            read_settled_since(connection, session - timedelta(days=EDGE_DAYS), get_regular_hours(session).opens_at)
        )
        for symbol, frame in as_of.items():
            outcome = scan(
                frame,
                inputs.tapes[symbol].contexts,
                policy=policy,
                earlier=before.get(symbol, ()),
                chain_at=inputs.chains[symbol],
                edges=edges,
            )
            report.add(outcome)
        report.stored = store_signals(connection, [to_signal_row(signal) for signal in report.signals], run_id=run_id)
        for resolution in Resolution:
            of_kind = {symbol: frame for symbol, frame in as_of.items() if frame.resolution is resolution}
            if of_kind:
                row = to_scan_row(
                    of_kind,
                    session,
                    report,
                    policy_version=policy.policy_version,
                    seconds=time.perf_counter() - began,
                    run_id=run_id,
                )
                record_scan(connection, row)
        if marks is not None:
            found = Counter(signal.symbol for signal in report.signals)
            record_session_scans(connection, session, marks, {symbol: found[symbol] for symbol in marks}, run_id=run_id)


def _compute_marks(
    database: Database, symbols: Collection[str], sessions: Sequence[date], policy: ScanPolicy
) -> dict[Pair, str]:
    """Compute the fingerprint of each scan: bars, contexts of its day and the day before, all rules."""
    first, last = list_last_sessions(sessions[0], 2)[0], sessions[-1]
    wanted = sorted({*symbols, *VOLUME_PROXIES.values()})
    with database.connect() as connection:
        bars = read_bar_fingerprints(connection, wanted, sessions[0], last)
        gamma = read_fingerprints(connection, "gamma_exposure_snapshots", symbols, first, last)
        iv = read_fingerprints(connection, "iv_percentile_cache", symbols, first, last)
        regime = read_fingerprints(connection, "market_regime_history", [MARKET], first, last)
    rules = compute_rules_version(policy)

    def compute_mark(symbol: str, session: date) -> str:
        days = list_last_sessions(session, 2)
        fund = VOLUME_PROXIES.get(symbol)
        return digest(
            rules,
            bars.get((symbol, session)),
            bars.get((fund, session)) if fund else None,
            *(gamma.get((symbol, day)) for day in days),
            *(iv.get((symbol, day)) for day in days),
            regime.get((MARKET, days[0])),
        )

    return {(symbol, session): compute_mark(symbol, session) for symbol in symbols for session in sessions}


def compute_rules_version(
    policy: ScanPolicy = DEFAULT_POLICY, detectors: Iterable[Detector] = tuple(DETECTORS.values())
) -> str:
    """Compute 16 hex digits that change when any number or version of policy or detectors does."""
    return digest(policy.policy_version, *((d.name, d.version, d.parameter_version) for d in detectors))
