"""Signals on the terminal: counts by detector, the newest ones, and why candidates were rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from hd_pipelines.cli.installation import Installation
from hd_pipelines.cli.output.radar import NOTHING
from hd_pipelines.cli.output.table import Column, Priority, print_table
from hd_pipelines.cli.terminal import console, get_command_prefix
from hd_pipelines.loading.signals.reports import ScanReport
from hd_pipelines.market.sessions import NEW_YORK, list_sessions_between
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.warehouse.records.signals import count_rejections, read_signals

NEWEST_SHOWN = 12
REASONS_SHOWN = 8
SYMBOLS_SHOWN = 4
SESSIONS_SHOWN = 8
Row = Mapping[str, Any]
Rejections = Mapping[tuple[str, str], int]
"""Number of rejected candidates by (detector, reason)."""


def show_signals(
    installation: Installation, first: date, last: date, report: ScanReport | None = None, *, wide: bool = False
) -> None:
    """Print the signals of the sessions `first` to `last`: by detector, then the newest, then reasons of rejection."""
    out = console()
    with installation.database.connect() as connection:
        rows = read_signals(connection, first, last)
        rejections = count_rejections(connection, first, last)
    if report is not None:
        out.print(describe_report(report))
    _show_counts(rows, rejections, list_sessions_between(first, last), wide=wide)
    if not rows:
        out.print(f"No signals.{_list_rejections(rejections)}")
        return
    newest = rows[:NEWEST_SHOWN]
    print_table(_SIGNAL_COLUMNS, newest, title="Newest signals", wide=wide)
    command = f"{get_command_prefix(installation.settings.home)}.venv/bin/hd explain {rows[0]['signal_id'][:8]}"
    out.print(f"`{command}` explains the first of these.{_list_rejections(rejections)}")


def describe_report(report: ScanReport) -> str:
    """Say in one line what a scan did and what it had to do without."""
    if not report.rows:
        return f"Nothing changed since the last scan.{_list_labels(report)}"
    took = f"{report.rows:,} symbol-minutes scanned in {report.seconds:.2f} s"
    return f"{took}, {len(report.stored)} new signals.{_list_labels(report)}"


def describe_outcome(row: Row) -> str:
    """Say in one line how a signal ended, or until when it is valid."""
    return f"{_write_result(row)} {_write_span(row)}"


def _list_labels(report: ScanReport) -> str:
    labels = [
        f"{label} ({'all' if len(symbols) > SYMBOLS_SHOWN else ', '.join(sorted(symbols))})"
        for label, symbols in sorted(report.labels.items())
    ]
    return f" Without: {'; '.join(labels)}." if labels else ""


def _list_rejections(rejections: Rejections) -> str:
    counts: Counter[str] = Counter()
    for (_, reason), count in rejections.items():
        counts[reason] += count
    if not counts:
        return ""
    return f" Rejected: {', '.join(f'{reason} {count:,}' for reason, count in counts.most_common(REASONS_SHOWN))}."


@dataclass(frozen=True, slots=True)
class _DetectorCounts:
    """Signals of one detector: by session, by how they ended, and the candidates rejected."""

    detector: str
    by_session: Mapping[date, int]
    total: int
    ended: Mapping[str | None, int]
    mean_r: float | None
    rejected: int


def _show_counts(rows: Sequence[Row], rejections: Rejections, sessions: Sequence[date], *, wide: bool) -> None:
    counts = [found for name in DETECTORS if (found := _count_signals(name, rows, rejections)).total or found.rejected]
    span = str(sessions[0]) if len(sessions) == 1 else f"{sessions[0]} to {sessions[-1]}"
    columns = [
        Column("detector", lambda each: each.detector),
        *(_make_session_column(session) for session in sessions[-SESSIONS_SHOWN:]),
        *_COUNT_COLUMNS,
    ]
    print_table(columns, counts, title=f"Signals, {span}", wide=wide)


def _count_signals(detector: str, rows: Sequence[Row], rejections: Rejections) -> _DetectorCounts:
    own = [row for row in rows if row["detector"] == detector]
    gains = [row["r_multiple"] for row in own if row["r_multiple"] is not None]
    return _DetectorCounts(
        detector=detector,
        by_session=Counter(row["session"] for row in own),
        total=len(own),
        ended=Counter(row["exit_reason"] for row in own),
        mean_r=sum(gains) / len(gains) if gains else None,
        rejected=sum(count for (name, _), count in rejections.items() if name == detector),
    )


def _make_session_column(session: date) -> Column[_DetectorCounts]:
    return Column(
        f"{session:%m-%d}", lambda each: _write_count(each.by_session.get(session, 0)), Priority.DETAIL, is_number=True
    )


def _write_count(count: int) -> str:
    return f"{count:,}" if count else NOTHING


_COUNT_COLUMNS: tuple[Column[_DetectorCounts], ...] = (
    Column("all", lambda each: _write_count(each.total), is_number=True),
    Column("T1-T3", lambda each: _write_count(sum(each.ended.get(t, 0) for t in ("T1", "T2", "T3"))), is_number=True),
    Column("stop", lambda each: _write_count(each.ended.get("STOP", 0)), is_number=True),
    Column("expired", lambda each: _write_count(each.ended.get("EXPIRED", 0)), Priority.USUAL, is_number=True),
    Column("open", lambda each: _write_count(each.ended.get(None, 0)), is_number=True),
    Column("mean R", lambda each: NOTHING if each.mean_r is None else f"{each.mean_r:+.2f}", is_number=True),
    Column("rejected", lambda each: _write_count(each.rejected), is_number=True),
)


def _write_result(row: Row) -> str:
    if row["exit_reason"] is None:
        return str(row["status"])
    return f"{row['exit_reason']} {row['r_multiple']:+.2f} R"


def _write_span(row: Row) -> str:
    if row["exit_reason"] is None:
        return f"until {row['valid_until'].astimezone(NEW_YORK):%m-%d %H:%M}"
    return f"in {row['hold_minutes']:.0f} min"


def _write_direction(row: Row) -> str:
    colour = "green" if row["direction"] == "LONG" else "red"
    return f"[{colour}]{row['direction']}[/{colour}]"


def _make_price_column(title: str, name: str, priority: Priority) -> Column[Row]:
    return Column(title, lambda row: f"{row[name]:,.2f}", priority, is_number=True)


_SIGNAL_COLUMNS: tuple[Column[Row], ...] = (
    Column("id", lambda row: row["signal_id"][:8]),
    Column("New York", lambda row: f"{row['as_of'].astimezone(NEW_YORK):%m-%d %H:%M}"),
    Column("symbol", lambda row: row["symbol"]),
    Column("detector", lambda row: row["detector"]),
    Column("side", _write_direction, Priority.USUAL),
    Column("style", lambda row: row["style"], Priority.DETAIL),
    Column("score", lambda row: f"{row['style_score']:.0f}", Priority.USUAL, is_number=True),
    _make_price_column("entry", "entry_price", Priority.USUAL),
    _make_price_column("stop", "stop_price", Priority.USUAL),
    _make_price_column("T1", "target_1", Priority.USUAL),
    _make_price_column("T2", "target_2", Priority.DETAIL),
    _make_price_column("T3", "target_3", Priority.DETAIL),
    Column("R:R", lambda row: f"{row['risk_reward']:.1f}", Priority.DETAIL, is_number=True),
    Column("contract", lambda row: row["contract_ticker"] or NOTHING, Priority.DETAIL),
    Column("outcome", _write_result),
    Column("held", _write_span, Priority.DETAIL),
)
