"""`hd demo`: the whole main job over the sandbox, from an empty folder to a summary.

Belongs here: the order of things and what a person sees of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from hd_pipelines.cli.desk import Desk, MainJobOutcome, open_desk, run_main_job
from hd_pipelines.cli.sandbox import fill, recording_sessions, serving
from hd_pipelines.cli.summary import show_summary, summary_of
from hd_pipelines.cli.terminal import Refusal, Steps, console
from hd_pipelines.market.sessions import last_completed_session, sessions_back, sessions_between
from hd_pipelines.settings import Settings, load_settings
from hd_pipelines.vendor import chain_archive
from hd_pipelines.vendor.chain_archive import ARCHIVE_RULES, archive_findings, archived_days
from hd_pipelines.warehouse.findings import Judged, settle


def run_demo(*, sessions: int, replay: Path | None, first: date | None, last: date | None, report: Path | None) -> None:
    """Run the demo. Raises `Refusal` if the main job failed; data findings are part of the summary, not failures."""
    settings = load_settings()
    began = time.perf_counter()
    window = _window(sessions, replay, first, last)
    if not window:
        raise Refusal(f"there is no exchange session from {first or 'the start'} to {last or 'the end'}")
    source = f"recording {replay.name}" if replay else "synthetic market"
    console().print(f"[bold]hd demo[/bold]: {source}, {len(window)} sessions from {window[0]} to {window[-1]}")
    steps = Steps()
    with steps.step("Postgres and schema"):
        desk = open_desk(settings)
    with _vendor(settings, replay, window, steps):
        outcome = _main_job(desk, window, steps)
    if replay is not None:
        _check_chains(desk, replay, outcome.run_id)
    summary = summary_of(desk, window, source, outcome, seconds=time.perf_counter() - began, steps=steps.seconds)
    show_summary(summary, settings)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps(summary.as_json(), indent=1, default=str))
    if not outcome.succeeded:
        raise Refusal(f"the main job failed in {', '.join(outcome.failed_steps)}; see run {outcome.run_id} in `hd up`")


def _window(sessions: int, replay: Path | None, first: date | None, last: date | None) -> list[date]:
    if replay is not None:
        played = recording_sessions(replay)
        window = sessions_between(first or played[0], last or played[-1])
        return window if first else window[-sessions:]
    end = last or last_completed_session(datetime.now(UTC))
    return sessions_between(first, end) if first else sessions_back(end, sessions)


@contextmanager
def _vendor(settings: Settings, replay: Path | None, window: list[date], steps: Steps) -> Iterator[None]:
    """The vendor's bucket for the time of the block: the real one with credentials, else the sandbox."""
    if settings.has_vendor_credentials and replay is None:
        yield
        return
    with steps.step("Sandbox: vendor files") as step:
        report = fill(settings, replay, window, step.advance)
        step.note = f"{report.objects_written} objects written, {report.objects_skipped} known"
    with serving(settings, replay):
        yield


def _check_chains(desk: Desk, replay: Path, run_id: str) -> None:
    days = archived_days(replay)
    seen = frozenset(day for have in days.values() for day in sessions_between(have[0], have[-1])) | frozenset(
        day for have in days.values() for day in have
    )
    judged = Judged(chain_archive.DATASET, seen, ARCHIVE_RULES, frozenset(days))
    with desk.database.begin() as connection:
        settle(connection, archive_findings(days), [judged], run_id=run_id)


def _main_job(desk: Desk, window: list[date], steps: Steps) -> MainJobOutcome:
    with steps.step("Main job") as step:
        outcome = run_main_job(desk, window, on_progress=step.advance)
        step.note = f"run {outcome.run_id[:8]}, {outcome.steps} steps"
    return outcome
