"""`hd scan`, `hd explain`, `hd prewarm`: what the market offers now, why, and whether a weekend has all it needs.

Belongs here: what these commands run and how a person sees it. What decides is `signals.scanner`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from rich.table import Table

from hd_pipelines.cli.desk import Desk, open_desk
from hd_pipelines.cli.radar import NOTHING, show_radar
from hd_pipelines.cli.runs import run_job
from hd_pipelines.cli.terminal import Refusal, Steps, console
from hd_pipelines.loading.outcomes import settle_outcomes
from hd_pipelines.loading.scan_reports import ScanReport
from hd_pipelines.loading.signals import scan_now, scan_sessions
from hd_pipelines.market.live_times import bars_may_come
from hd_pipelines.market.sessions import (
    NEW_YORK,
    last_completed_session,
    sessions_between,
    week_of,
)
from hd_pipelines.settings import load_settings
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.scanner.explanation.text import explanation_lines
from hd_pipelines.warehouse.errors import MartMissingError
from hd_pipelines.warehouse.read.bars import newest_session
from hd_pipelines.warehouse.records.signals import find_signals, rejections_of, signals_of
from hd_pipelines.warehouse.records.watchlist import active_symbols

SHOWN = 12
REASONS_SHOWN = 8
Row = Mapping[str, Any]


def run_scan(*, first: date | None, last: date | None) -> None:
    """Scan the running session, or whole sessions: those asked for, else the newest that has bars. Prints what came out."""
    desk = open_desk(load_settings())
    now = datetime.now(UTC)
    with desk.database.connect() as connection:
        symbols = active_symbols(connection)
        newest = newest_session(connection)
    if newest is None:
        raise Refusal("the warehouse has no bars to scan; run `hd demo` or `hd backfill` first")
    if first is None and last is None and bars_may_come(now):
        report = scan_now(desk.database, symbols, now)
        window = [now.date()]
    else:
        window = _window(first, last, newest)
        steps = Steps()
        with steps.step("Scan") as step:
            report = scan_sessions(desk.database, symbols, window, on_session=step.advance)
    settle_outcomes(desk.database, until=now)
    try:
        show_radar(desk, last or last_completed_session(now))
    except MartMissingError as error:  # signals do not need the marts
        console().print(str(error))
    show_signals(desk, window[0], window[-1], report)


def _window(first: date | None, last: date | None, newest: date) -> list[date]:
    window = sessions_between(first or last or newest, last or newest)
    if not window:
        raise Refusal(f"there is no exchange session from {first} to {last or newest}")
    return window


def show_signals(desk: Desk, first: date, last: date, report: ScanReport | None = None) -> None:
    """Print signals of the sessions `first` to `last`: by detector, the newest one by one, and why others were refused."""
    out = console()
    with desk.database.connect() as connection:
        rows = signals_of(connection, first, last)
        rejections = rejections_of(connection, first, last)
    if report is not None:
        out.print(_scanned(report))
    out.print(_by_detector(rows, rejections, sessions_between(first, last)))
    if not rows:
        out.print(f"No signals.{_reasons(rejections)}")
        return
    out.print(_newest(rows[:SHOWN]))
    out.print(f"`hd explain {rows[0]['signal_id'][:8]}` says why the first of these.{_reasons(rejections)}")


def _scanned(report: ScanReport) -> str:
    if not report.rows:
        return f"Nothing changed since the last scan.{_labels(report)}"
    took = f"{report.rows:,} symbol-minutes scanned in {report.seconds:.2f} s"
    return f"{took}, {len(report.stored)} new signals.{_labels(report)}"


def _labels(report: ScanReport) -> str:
    words = [
        f"{label} ({'all' if len(found) > SHOWN_SYMBOLS else ', '.join(sorted(found))})"
        for label, found in sorted(report.labels.items())
    ]
    return f" Without: {'; '.join(words)}." if words else ""


SHOWN_SYMBOLS = 4


def _reasons(rejections: Mapping[tuple[str, str], int]) -> str:
    counts: Counter[str] = Counter()
    for (_, reason), count in rejections.items():
        counts[reason] += count
    if not counts:
        return ""
    told = ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common(REASONS_SHOWN))
    return f" Kept back: {told}."


def _by_detector(rows: Sequence[Row], rejections: Mapping[tuple[str, str], int], sessions: Sequence[date]) -> Table:
    """Per detector: signals of each session, how the settled ones ended, and how many candidates were kept back."""
    span = str(sessions[0]) if len(sessions) == 1 else f"{sessions[0]} to {sessions[-1]}"
    table = Table(title=f"Signals, {span}", title_justify="left", header_style="bold", pad_edge=False)
    table.add_column("detector", no_wrap=True)
    for session in sessions[-MOST_SESSIONS:]:
        table.add_column(f"{session:%m-%d}", justify="right")
    for name in ("all", "T1-T3", "stop", "expired", "open", "mean R", "kept back"):
        table.add_column(name, justify="right", no_wrap=True)
    kept_back: Counter[str] = Counter()
    for (detector, _), count in rejections.items():
        kept_back[detector] += count
    for detector in DETECTORS:
        of_one = [row for row in rows if row["detector"] == detector]
        if not of_one and not kept_back[detector]:
            continue
        by_session = Counter(row["session"] for row in of_one)
        ended = Counter(row["exit_reason"] for row in of_one)
        gained = [row["r_multiple"] for row in of_one if row["r_multiple"] is not None]
        numbers = (
            *(by_session[session] for session in sessions[-MOST_SESSIONS:]),
            len(of_one),
            ended["T1"] + ended["T2"] + ended["T3"],
            ended["STOP"],
            ended["EXPIRED"],
            ended[None],
        )
        mean = f"{sum(gained) / len(gained):+.2f}" if gained else NOTHING
        table.add_row(
            detector,
            *(str(n or NOTHING) for n in numbers),
            mean,
            f"{kept_back[detector]:,}" if kept_back[detector] else NOTHING,
        )
    return table


MOST_SESSIONS = 8


def _newest(rows: Sequence[Row]) -> Table:
    table = Table(title=f"The newest {len(rows)}", title_justify="left", header_style="bold", pad_edge=False)
    for name, justify in _COLUMNS:
        table.add_column(name, justify="right" if justify == "r" else "left", no_wrap=True)
    for row in rows:
        colour = "green" if row["direction"] == "LONG" else "red"
        table.add_row(
            row["signal_id"][:8],
            f"{row['as_of'].astimezone(NEW_YORK):%m-%d %H:%M}",
            row["symbol"],
            row["detector"],
            f"[{colour}]{row['direction']}[/{colour}]",
            row["style"],
            f"{row['style_score']:.0f}",
            *(f"{row[name]:,.2f}" for name in ("entry_price", "stop_price", "target_1", "target_2", "target_3")),
            f"{row['risk_reward']:.1f}",
            row["contract_ticker"] or NOTHING,
            _outcome(row),
        )
    return table


_COLUMNS = (
    ("id", "l"),
    ("New York", "l"),
    ("symbol", "l"),
    ("detector", "l"),
    ("", "l"),
    ("style", "l"),
    ("score", "r"),
    ("entry", "r"),
    ("stop", "r"),
    ("T1", "r"),
    ("T2", "r"),
    ("T3", "r"),
    ("R:R", "r"),
    ("contract", "l"),
    ("outcome", "l"),
)


def _outcome(row: Row) -> str:
    if row["exit_reason"] is None:
        return f"{row['status']} until {row['valid_until'].astimezone(NEW_YORK):%m-%d %H:%M}"
    return f"{row['exit_reason']} {row['r_multiple']:+.2f} R in {row['hold_minutes']:.0f} min"


def run_explain(beginning: str) -> None:
    """Print why a signal was stored. `beginning` of its id is enough. Raises `Refusal` if none or several begin so."""
    desk = open_desk(load_settings())
    with desk.database.connect() as connection:
        found = find_signals(connection, beginning.lower())
    if not found:
        raise Refusal(f"no signal's id begins with {beginning!r}; `hd scan` lists them")
    if len(found) > 1:
        ids = ", ".join(row["signal_id"][:12] for row in found)
        raise Refusal(f"several signals begin with {beginning!r}: {ids}")
    row = found[0]
    out = console()
    clock = f"{row['as_of'].astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York"
    out.print(f"[bold]{row['symbol']} {row['detector']}[/bold] {row['direction']} {row['style']}, {clock}")
    out.print(f"Signal {row['signal_id']}; {_outcome(row)}")
    for line in explanation_lines(row["explanation"]):
        out.print(line)


def run_prewarm() -> None:
    """Make everything of the week that its data allows, then say what a weekend's reader finds and what is missing."""
    desk = open_desk(load_settings())
    last = last_completed_session(datetime.now(UTC))
    week = [session for session in week_of(last) if session <= last]
    steps = Steps()
    with steps.step(f"Prewarm: {week[0]} to {week[-1]}") as step:
        outcome = run_job(desk, "prewarm", week, on_progress=step.advance)
    if not outcome.succeeded:
        raise Refusal(f"prewarm failed in {', '.join(outcome.failed_steps)}; see run {outcome.run_id} in `hd up`")
    show_radar(desk, last)
    show_signals(desk, week[0], week[-1])
