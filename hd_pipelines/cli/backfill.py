"""`hd backfill`: chooses a range of sessions and runs the main job over it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from hd_pipelines.cli.installation import open_installation
from hd_pipelines.cli.runs import run_main_job
from hd_pipelines.cli.terminal import Refusal, Steps, console
from hd_pipelines.market.sessions import find_last_completed_session, list_last_sessions, list_sessions_between
from hd_pipelines.partitions import FIRST_PARTITION
from hd_pipelines.providers.source import SandboxNotRunningError, open_flat_files
from hd_pipelines.settings import load_settings
from hd_pipelines.warehouse.records.watchlist import add_to_watchlist

DEFAULT_SESSIONS = 90


def choose_window(days: int | None, first: date | None, last: date | None, *, now: datetime) -> list[date]:
    """Return the sessions of `--days` or of `--from` and `--to`. Raises `Refusal` for a contradiction or an empty range."""
    if days is not None and first is not None:
        raise Refusal("--days and --from contradict each other; give one of them")
    end = last or find_last_completed_session(now)
    window = list_sessions_between(first, end) if first else list_last_sessions(end, days or DEFAULT_SESSIONS)
    if not window:
        raise Refusal(f"there is no exchange session from {first} to {end}")
    if window[0] < FIRST_PARTITION:
        raise Refusal(f"partitions begin on {FIRST_PARTITION}; {window[0]} is before that")
    return window


def run_backfill(*, symbols: Sequence[str], days: int | None, first: date | None, last: date | None) -> None:
    """Add `symbols` to the watchlist and run the main job over the requested sessions."""
    window = choose_window(days, first, last, now=datetime.now(UTC))
    settings = load_settings()
    try:
        open_flat_files(settings)
    except SandboxNotRunningError as error:
        raise Refusal(str(error)) from None
    steps = Steps()
    with steps.step("Postgres and schema"):
        installation = open_installation(settings)
    if symbols:
        try:
            with installation.database.begin() as connection:
                add_to_watchlist(connection, symbols)
        except ValueError as error:
            raise Refusal(str(error)) from None
    with steps.step(f"Main job, {len(window)} sessions from {window[0]} to {window[-1]}") as step:
        outcome = run_main_job(installation, window, on_progress=step.advance)
        step.note = f"run {outcome.run_id[:8]}"
    if not outcome.succeeded:
        raise Refusal(f"the main job failed in {', '.join(outcome.failed_steps)}; see run {outcome.run_id} in `hd up`")
    console().print("done")
