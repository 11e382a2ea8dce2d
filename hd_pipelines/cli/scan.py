"""`hd scan`, `hd explain`, `hd prewarm`: which signals there are, why one was stored, and the whole week made up to date.

What decides on signals is `signals.scanner`; what they look like on a terminal is `cli.output.signals`.
"""

from __future__ import annotations

import textwrap
from datetime import UTC, date, datetime

from hd_pipelines.cli.installation import Installation, open_installation
from hd_pipelines.cli.output.radar import read_rows, show_radar
from hd_pipelines.cli.output.signals import Row, describe_outcome, show_signals
from hd_pipelines.cli.runs import run_job
from hd_pipelines.cli.terminal import Refusal, Steps, console, print_json
from hd_pipelines.loading.signals.outcomes import settle_outcomes
from hd_pipelines.loading.signals.reports import ScanReport
from hd_pipelines.loading.signals.scan import scan_now, scan_sessions
from hd_pipelines.market.live_times import can_bars_arrive
from hd_pipelines.market.sessions import (
    NEW_YORK,
    find_last_completed_session,
    list_sessions_between,
    list_week_sessions,
)
from hd_pipelines.settings import load_settings
from hd_pipelines.signals.scanner.explanation.text import render_lines
from hd_pipelines.warehouse.errors import MartMissingError
from hd_pipelines.warehouse.read.bars import find_newest_session
from hd_pipelines.warehouse.records.signals import count_rejections, find_signals, read_signals
from hd_pipelines.warehouse.records.watchlist import read_active_symbols


def run_scan(*, first: date | None, last: date | None, wide: bool = False, as_json: bool = False) -> None:
    """Scan the running session, or the given sessions, or else the newest one that has bars; print the result."""
    installation = open_installation(load_settings())
    now = datetime.now(UTC)
    with installation.database.connect() as connection:
        symbols = read_active_symbols(connection)
        newest = find_newest_session(connection)
    if newest is None:
        raise Refusal("the warehouse has no bars to scan; run `hd demo` or `hd backfill` first")
    if first is None and last is None and can_bars_arrive(now):
        report = scan_now(installation.database, symbols, now)
        window = [now.date()]
    else:
        window = _choose_window(first, last, newest)
        steps = Steps(is_quiet=as_json)
        with steps.step("Scan") as step:
            report = scan_sessions(installation.database, symbols, window, on_session=step.advance)
    settle_outcomes(installation.database, until=now)
    radar_session = last or find_last_completed_session(now)
    if as_json:
        print_json(_to_json(installation, window, report, radar_session))
        return
    try:
        show_radar(installation, radar_session, wide=wide)
    except MartMissingError as error:  # signals do not need the marts
        console().print(str(error))
    show_signals(installation, window[0], window[-1], report, wide=wide)


def _choose_window(first: date | None, last: date | None, newest: date) -> list[date]:
    window = list_sessions_between(first or last or newest, last or newest)
    if not window:
        raise Refusal(f"there is no exchange session from {first} to {last or newest}")
    return window


def _to_json(
    installation: Installation, window: list[date], report: ScanReport, radar_session: date
) -> dict[str, object]:
    try:
        radar = read_rows(installation, radar_session)
    except MartMissingError:
        radar = []
    with installation.database.connect() as connection:
        signals = read_signals(connection, window[0], window[-1], is_complete=True)
        rejections = count_rejections(connection, window[0], window[-1])
    return {
        "sessions": window,
        "symbol_minutes": report.rows,
        "new_signals": len(report.stored),
        "labels": {label: sorted(symbols) for label, symbols in report.labels.items()},
        "radar": radar,
        "signals": [dict(row) for row in signals],
        "rejections": [
            {"detector": detector, "reason": reason, "count": count}
            for (detector, reason), count in sorted(rejections.items())
        ],
    }


def run_explain(beginning: str, *, as_json: bool = False) -> None:
    """Print why a signal was stored. Raises `Refusal` unless exactly one signal's id begins with `beginning`."""
    installation = open_installation(load_settings())
    with installation.database.connect() as connection:
        found = find_signals(connection, beginning.lower())
    if not found:
        raise Refusal(f"no signal's id begins with {beginning!r}; `hd scan` lists them")
    if len(found) > 1:
        ids = ", ".join(row["signal_id"][:12] for row in found)
        raise Refusal(f"several signals begin with {beginning!r}: {ids}")
    if as_json:
        print_json(dict(found[0]))
    else:
        _show_explanation(found[0])


def _show_explanation(row: Row) -> None:
    out = console()
    time = f"{row['as_of'].astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York"
    out.print(f"[bold]{row['symbol']} {row['detector']}[/bold] {row['direction']} {row['style']}, {time}")
    out.print(f"Signal {row['signal_id']}; {describe_outcome(row)}")
    for line in render_lines(row["explanation"]):
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        out.print("\n".join(textwrap.wrap(line, out.width, subsequent_indent=indent)), markup=False)


def run_prewarm(*, wide: bool = False) -> None:
    """Compute everything of the week that its data allows, then print the radar and the week's signals."""
    installation = open_installation(load_settings())
    last = find_last_completed_session(datetime.now(UTC))
    week = [session for session in list_week_sessions(last) if session <= last]
    steps = Steps()
    with steps.step(f"Prewarm: {week[0]} to {week[-1]}") as step:
        outcome = run_job(installation, "prewarm", week, on_progress=step.advance)
    if not outcome.succeeded:
        raise Refusal(f"prewarm failed in {', '.join(outcome.failed_steps)}; see run {outcome.run_id} in `hd up`")
    show_radar(installation, last, wide=wide)
    show_signals(installation, week[0], week[-1], wide=wide)
