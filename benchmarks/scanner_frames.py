"""The scanner alone, on frames in memory: quiet symbols, one stored signal, a year of minutes, all detectors on many rows,
the five context engines on one row, flow at every minute of a year.

`python -m benchmarks.scanner_frames` needs no database. Each task has a limit of its own. The peers do the same
work one row at a time, as a scanner without arrays does: `rows_one_by_one` scans `SAMPLE` minutes of the year singly and
`detectors_one_by_one` evaluates every detector on as many single rows; both are scaled up to the whole frame.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import describe_machine
from hd_pipelines.market.sessions import get_regular_hours, list_sessions_between
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.flow_window import compute_flow_columns
from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.scanner.scan import scan
from hd_pipelines.signals.tape import Contexts, Prints
from hd_pipelines.tables.vocabulary import AssetClass, Direction, TradingStyle
from tests.signals.detectors.frames import SIDES, random_frame
from tests.signals.engines import made
from tests.signals.scanner.setups import SESSION, chain, contexts, row, setup

SAMPLE = 500
ROWS_OF_DETECTORS = 49_000
LIMITS_S = {
    "fifty_quiet_symbols": 0.060,
    "one_stored_signal": 0.002,
    "year_of_minutes": 0.350,
    "all_detectors": 0.300,
    "five_engines": 0.0003,
    "year_of_flow": 0.050,
}


def run() -> dict[str, object]:
    """Measure each task and its peer; the best of several rounds, because other load is not the point."""
    before, known = describe_machine(), contexts()
    kinds = [AssetClass.STOCK, AssetClass.EQUITY_ETF, AssetClass.INDEX]
    quiet = [row(kinds[i % 3]) for i in range(50)]
    ready, quotes = setup(DETECTORS["breakout_bullish"]), chain()
    year = year_of_minutes()
    prints = year_of_prints(year.as_of_ns)
    compute_flow_columns(prints, year.as_of_ns[:10])  # compiles
    trends = made.trends(1, 1, 1, -1, price=100.0)
    bought = made.prints(*([made.BOUGHT_CALL] * 1_000 + [made.BOUGHT_PUT] * 1_000))
    held = Contexts((made.iv(),), (made.gamma(),), (made.regime(),), bought)

    def read_engines() -> object:
        return made.read_all(held, trends, 0, direction=Direction.LONG, style=TradingStyle.SWING)

    many = [random_frame(ROWS_OF_DETECTORS, kind, seed=3) for kind in (AssetClass.STOCK, AssetClass.INDEX)]
    single = [part(year, at) for at in range(0, len(year), len(year) // SAMPLE)][:SAMPLE]
    few = [part(frame, at) for frame in many for at in range(SAMPLE // 2)]
    taken = {
        "fifty_quiet_symbols": best_of(10, lambda: [scan(frame, known) for frame in quiet]),
        "one_stored_signal": best_of(30, lambda: scan(ready, known, chain_at=lambda _: quotes)),
        "year_of_minutes": best_of(3, lambda: scan(year, known)),
        "all_detectors": best_of(3, lambda: ask_detectors(many)),
        "five_engines": best_of(5, lambda: [read_engines() for _ in range(100)]) / 100,
        "year_of_flow": best_of(3, lambda: compute_flow_columns(prints, year.as_of_ns)),
    }
    one_by_one = best_of(2, lambda: [scan(frame, known) for frame in single]) * len(year) / len(single)
    asked = best_of(2, lambda: ask_detectors(few)) * sum(map(len, many)) / len(few)
    return {
        "benchmark": "scanner_frames",
        "machine": before,
        "rows": len(year),
        "rounds": 3,
        "contestants": {
            **{name: {"wall_s": round(value, 5), "limit_s": LIMITS_S[name]} for name, value in taken.items()},
            "rows_one_by_one": {"wall_s": round(one_by_one, 2), "beside": "year_of_minutes"},
            "detectors_one_by_one": {"wall_s": round(asked, 2), "beside": "all_detectors"},
        },
    }


def year_of_minutes() -> FeatureFrame:
    """A liquid stock's 252 sessions; some hundred minutes are candidates."""
    sessions = list_sessions_between(SESSION.replace(year=2024), SESSION)[:252]
    hours = [get_regular_hours(session) for session in sessions]
    minute = np.concatenate([np.arange(1, each.minutes + 1) for each in hours])
    opens = np.repeat([each.opens_at_ns for each in hours], [each.minutes for each in hours])
    one, random = row(rvol=1.0), np.random.default_rng(1)
    columns = {name: np.repeat(values, minute.size) for name, values in one.columns.items()}
    columns["rvol"] = np.exp(random.normal(0, 0.2, minute.size))
    columns["above_20_bar_high_pct"] = random.normal(-1, 0.5, minute.size)
    columns["vwap_distance_pct"] = random.normal(0, 0.5, minute.size)
    columns["rsi_14"] = random.normal(50, 10, minute.size)
    levels = {name: np.repeat(values, minute.size) for name, values in one.levels.items()}
    return FeatureFrame("AAPL", one.asset_class, one.resolution, opens + minute * 60_000_000_000, columns, levels)


def year_of_prints(instants: NDArray[np.int64]) -> Prints:
    """A hundred thousand prints between the first and the last of `instants`."""
    random, count = np.random.default_rng(5), 100_000
    return Prints(
        at_ns=np.sort(random.integers(instants[0], instants[-1], count)),
        premium=random.uniform(100, 1e5, count),
        size=random.uniform(1, 500, count).round(),
        is_call=random.random(count) < 0.5,
        sentiment=random.integers(-1, 2, count).astype(float),
        is_sweep=random.random(count) < 0.05,
        is_block=random.random(count) < 0.05,
        is_large=random.random(count) < 0.1,
    )


def part(frame: FeatureFrame, at: int) -> FeatureFrame:
    """The single row `at` of a frame."""
    columns, levels = (
        {name: values[at : at + 1] for name, values in held.items()} for held in (frame.columns, frame.levels)
    )
    return replace(frame, as_of_ns=frame.as_of_ns[at : at + 1], columns=columns, levels=levels)


def ask_detectors(frames: list[FeatureFrame]) -> int:
    """Where every detector fires on the frames, and the scores there; how many rows fired."""
    fired = 0
    for frame in frames:
        for detector, direction in SIDES:
            rows = np.flatnonzero(detector.fires(frame, direction))
            if rows.size:
                detector.score(frame, direction, rows)
                fired += rows.size
    return fired


def best_of(rounds: int, work: Callable[[], object]) -> float:
    """Seconds of the fastest round."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)


if __name__ == "__main__":
    print(run())
