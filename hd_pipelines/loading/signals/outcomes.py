"""Settles open signals: reads their bars, applies the rule of `signals.outcomes`, and stores the outcomes.

The newest bar is the clock: a signal expires when bars have reached that time, not when the system clock has. So an
installation that was switched off settles from the bars it missed. A symbol that never trades again has no price to
settle at, so its signals are dismissed without an outcome.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hd_pipelines.market.instants import to_ns
from hd_pipelines.signals.outcomes import settle
from hd_pipelines.signals.tape import Bars, empty_bars
from hd_pipelines.tables.vocabulary import Direction, Resolution, Timeframe
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.read.bars import find_newest_session
from hd_pipelines.warehouse.read.symbol_arrays import read_bar_arrays
from hd_pipelines.warehouse.records.signals import (
    Settlement,
    dismiss_signals,
    read_active_signals,
    settle_signals,
    take_scan_lock,
)

GIVEN_UP_AFTER = timedelta(days=30)
"""If trading in a halted share resumes at all, it has resumed by then."""
_FRAMES = {Resolution.MINUTE: Timeframe.M1, Resolution.DAY: Timeframe.DAY}


def settle_outcomes(database: Database, *, until: datetime) -> int:
    """Settle every open signal that bars before `until` (timezone-aware) decide, in one transaction. Returns the number.

    A signal is dismissed if it cannot be settled and expired more than `GIVEN_UP_AFTER` before the newest session that
    has bars.
    """
    with database.connect() as connection:
        waiting = read_active_signals(connection)
        newest = find_newest_session(connection)
        bars: dict[Resolution, dict[str, Bars]] = {}
        for resolution, timeframe in _FRAMES.items():
            of_kind = [row for row in waiting if row["resolution"] == resolution.value]
            if of_kind:
                symbols = sorted({row["symbol"] for row in of_kind})
                first: date = min(row["session"] for row in of_kind)
                found = read_bar_arrays(connection, symbols, timeframe, first, until.astimezone(UTC).date())
                bars[resolution] = {symbol: found.get(symbol, empty_bars()) for symbol in symbols}
    settlements: list[Settlement] = []
    given_up: list[str] = []
    for row in waiting:
        by_symbol = bars[Resolution(row["resolution"])]
        settlement = _settle_row(row, by_symbol[row["symbol"]], _find_clock_ns(by_symbol, until))
        if settlement is not None:
            settlements.append(settlement)
        elif newest is not None and newest > row["valid_until"].date() + GIVEN_UP_AFTER:
            given_up.append(row["signal_id"])
    if not settlements and not given_up:
        return 0
    with database.begin() as connection:
        take_scan_lock(connection)
        dismiss_signals(connection, given_up, at=until)
        return settle_signals(connection, settlements)


def _find_clock_ns(bars: dict[str, Bars], until: datetime) -> int:
    """Find the end of the newest bar of any symbol, at most `until`."""
    newest = max((int(each.ends_ns[-1]) for each in bars.values() if len(each)), default=0)
    return min(newest, to_ns(until))


def _settle_row(row: dict[str, Any], bars: Bars, until_ns: int) -> Settlement | None:
    outcome = settle(_StoredPlan(row), bars, until_ns=until_ns)
    if outcome is None:
        return None
    return Settlement(
        signal_id=row["signal_id"],
        status=outcome.status,
        exit_reason=outcome.exit_reason,
        exit_price=outcome.exit_price,
        exited_at=outcome.exited_at,
        r_multiple=outcome.r_multiple,
        max_favorable_excursion_r=outcome.max_favorable_excursion_r,
        max_adverse_excursion_r=outcome.max_adverse_excursion_r,
        hold_minutes=outcome.hold_minutes,
    )


class _StoredPlan:
    """The plan of a stored signal."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.direction = Direction(row["direction"])
        self.entry_price, self.stop_price = row["entry_price"], row["stop_price"]
        self.target_1, self.target_2, self.target_3 = row["target_1"], row["target_2"], row["target_3"]
        self.as_of: datetime = row["as_of"]
        self.valid_until: datetime = row["valid_until"]
