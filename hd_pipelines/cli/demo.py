"""`hd demo`: runs the whole main job over the sandbox, from an empty folder to a summary, the radar and signals."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime
from pathlib import Path

from hd_pipelines.analytics.iv_percentile import WINDOW
from hd_pipelines.cli.background_fill import BackgroundFill, fill_in_background
from hd_pipelines.cli.installation import Installation, open_installation
from hd_pipelines.cli.output.radar import show_radar
from hd_pipelines.cli.output.signals import show_signals
from hd_pipelines.cli.output.summary import read_summary, show_summary
from hd_pipelines.cli.runs import JobOutcome, run_job
from hd_pipelines.cli.sandbox import (
    find_archive_folder,
    list_chain_sessions,
    list_minute_sessions,
    read_recording_range,
    serve_sandbox_in_process,
)
from hd_pipelines.cli.terminal import Refusal, Step, Steps, console, log_to_stderr
from hd_pipelines.market.sessions import find_last_completed_session, list_last_sessions, list_sessions_between
from hd_pipelines.sandbox.recording import has_bars
from hd_pipelines.settings import Settings, load_settings
from hd_pipelines.warehouse.records.derivations import read_fingerprints

SESSIONS = 90
SCANNED = 5
"""Number of sessions that a demo of the synthetic market scans; each needs the twenty sessions before it."""


def run_demo(
    *,
    sessions: int | None,
    replay: Path | None,
    first: date | None,
    last: date | None,
    report: Path | None,
    wide: bool = False,
) -> None:
    """Run the demo. Raises `Refusal` if the main job failed; findings about data are reported, they are not failures."""
    settings = load_settings()
    began = time.perf_counter()
    window = _choose_window(sessions, replay, first, last)
    if not window:
        raise Refusal(f"there is no exchange session from {first or 'the start'} to {last or 'the end'}")
    source = f"recording {replay.name}" if replay else "synthetic market"
    console().print(f"[bold]hd demo[/bold]: {source}, {len(window)} sessions from {window[0]} to {window[-1]}")
    steps = Steps()
    # Ranks need a year of sessions; those before the window come as day bars and sparse chains.
    is_sandboxed = replay is not None or not settings.has_vendor_credentials
    # The title has named the market: log lines about that choice would only break into the steps.
    log_to_stderr(logging.WARNING if is_sandboxed else logging.INFO)
    missing = max(WINDOW + 1 - len(window), 0) if is_sandboxed and replay is None else 0
    history = list_last_sessions(window[0], missing + 1)[:-1]
    with fill_in_background(settings, replay, window, history) if is_sandboxed else nullcontext() as files:
        with steps.step("Postgres and schema"):
            installation = open_installation(settings)
        # Other processes write the files; meanwhile this one imports the definitions, which takes some seconds.
        imports = threading.Thread(target=_load_definitions, daemon=True)
        imports.start()
        if files is not None and history:
            with steps.step("Sandbox: day bars and sparse chains of the history") as step:
                step.note = files.wait_for_history(step.advance).note
        with _open_vendor(settings, replay, window, files, steps) as wait_for_window:
            imports.join()  # two threads that import dagster at the same time can end in a deadlock of its modules
            if history and not _has_history(installation, history):
                with steps.step(f"History: {len(history)} earlier sessions of day bars and sparse chains") as step:
                    step.note = _run_step(installation, "history", history, step).run_id[:8]
            wait_for_window()
            outcome = _run_main_job(installation, _split_into_runs(replay, window), steps)
    scanned = _choose_scanned_sessions(replay, window)
    if outcome.succeeded:
        with steps.step(f"Signals of {len(scanned)} sessions, minute by minute") as step:
            step.note = f"run {_run_step(installation, 'signals', scanned, step).run_id[:8]}"
    summary = read_summary(
        installation, window, source, outcome, seconds=time.perf_counter() - began, steps=steps.seconds
    )
    show_summary(summary, settings, wide=wide)
    if outcome.succeeded:
        show_radar(installation, window[-1], wide=wide)
        show_signals(installation, scanned[0], scanned[-1], wide=wide)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps(summary.as_json(), indent=1, default=str))
    if not outcome.succeeded:
        raise Refusal(f"the main job failed in {', '.join(outcome.failed_steps)}; see run {outcome.run_id} in `hd up`")


def _choose_window(sessions: int | None, replay: Path | None, first: date | None, last: date | None) -> list[date]:
    count = sessions or SESSIONS
    if replay is not None:
        played = read_recording_range(replay)
        window = list_sessions_between(first or played[0], last or played[-1])
        if sessions is None and (chained := list_chain_sessions(replay)):
            count = max(count, sum(day >= chained[0] for day in window))
        return window if first else window[-count:]
    end = last or find_last_completed_session(datetime.now(UTC))
    return list_sessions_between(first, end) if first else list_last_sessions(end, count)


def _choose_scanned_sessions(replay: Path | None, window: list[date]) -> list[date]:
    """Return the sessions to scan: the last five, or of a recording all with minute bars, or else all with chains."""
    if replay is None:
        return window[-SCANNED:]
    played = set(list_minute_sessions(replay) or list_chain_sessions(replay)) or set(window)
    return [day for day in window if day in played] or window[-SCANNED:]


def _split_into_runs(replay: Path | None, window: list[date]) -> list[list[date]]:
    """Return the sessions of each run: the whole window, or single days if a recording holds only chains of single days."""
    if replay is None or has_bars(replay):
        return [window]
    return [[day] for day in list_chain_sessions(replay) if day in set(window)] or [window]


@contextmanager
def _open_vendor(
    settings: Settings, replay: Path | None, window: list[date], files: BackgroundFill | None, steps: Steps
) -> Iterator[Callable[[], None]]:
    """Make a vendor available during the block; yields a function that waits for the files of the window."""
    if files is None:
        yield lambda: None
        return

    def wait() -> None:
        with steps.step("Sandbox: vendor files and option chains") as step:
            step.note = files.wait_for_window(step.advance).note

    is_waiting = (
        find_archive_folder(settings, replay) is None
    )  # the server must know at its start whether there are chains
    if is_waiting:
        wait()
    with serve_sandbox_in_process(settings, replay, window[-1]):
        yield (lambda: None) if is_waiting else wait


def _load_definitions() -> None:
    import hd_pipelines.definitions  # noqa: F401


def _has_history(installation: Installation, history: Sequence[date]) -> bool:
    """Return whether every session of the history already has its volatility."""
    symbols = installation.settings.watchlist
    with installation.database.connect() as connection:
        held = read_fingerprints(connection, "iv_percentile_cache", symbols, history[0], history[-1])
    return {session for _, session in held} >= set(history)


def _run_main_job(installation: Installation, runs: Sequence[Sequence[date]], steps: Steps) -> JobOutcome:
    """Run the main job over each of `runs` until one fails, while dbt parses; returns how the last one ended."""
    from hd_pipelines.resources.dbt import parse_ahead

    with parse_ahead(installation.settings):
        for window in runs:
            with steps.step("Main job") as step:
                outcome = _run_step(installation, "main", window, step)
                step.note = f"run {outcome.run_id[:8]}, {outcome.steps} steps"
            if not outcome.succeeded:
                break
    return outcome


def _run_step(installation: Installation, name: str, window: Sequence[date], step: Step) -> JobOutcome:
    outcome = run_job(installation, name, window, on_progress=step.advance)
    if name != "main" and not outcome.succeeded:
        raise Refusal(f"job {name} failed in {', '.join(outcome.failed_steps)}; see run {outcome.run_id} in `hd up`")
    return outcome
