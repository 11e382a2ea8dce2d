"""The desk as commands see it: settings, database at the right schema, Dagster instance, running a job.

Belongs here: bringing these together in one process. What runs inside is `definitions`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from hd_pipelines.settings import Settings
from hd_pipelines.warehouse.address import database_url
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records.watchlist import active_symbols, add_to_watchlist
from hd_pipelines.warehouse.schema.revision import upgrade

if TYPE_CHECKING:
    import dagster as dg

QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
"""Run configuration for a person at a terminal: everything is in the event log, only errors are printed."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One HD_HOME, ready: its database is at this code's schema and has a watchlist."""

    settings: Settings
    database: Database


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a run ended."""

    run_id: str
    succeeded: bool
    steps: int
    failed_steps: tuple[str, ...]
    materializations: int


def open_desk(settings: Settings) -> Desk:
    """Start or find the database, migrate it, and give an empty watchlist the configured symbols."""
    settings.home.mkdir(parents=True, exist_ok=True)
    url = database_url(settings)
    upgrade(url)
    database = Database(url)
    with database.begin() as connection:
        if not active_symbols(connection):
            add_to_watchlist(connection, settings.watchlist, note="default watchlist")
    return Desk(settings, database)


def run_main_job(
    desk: Desk, window: Sequence[date], *, on_progress: Callable[[int, int], None] = lambda _done, _of: None
) -> JobOutcome:
    """Run all assets over the sessions of `window` (ascending) in this process, in one run."""
    return run_job(desk, "main", window, on_progress=on_progress)


def run_job(
    desk: Desk, name: str, window: Sequence[date], *, on_progress: Callable[[int, int], None] = lambda _done, _of: None
) -> JobOutcome:
    """Run a job of `jobs` over the sessions of `window` (ascending) in this process, in one run."""
    from hd_pipelines.definitions import build_definitions
    from hd_pipelines.partitions import build_range_tags
    from hd_pipelines.resources.instance import open_instance

    log = desk.settings.home / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    job = build_definitions().resolve_job_def(name)
    # dbt tells its whole story on standard output; a person wants the summary, and the story when something is wrong.
    with log.open("a") as story, redirect_stdout(story), open_instance(desk.settings) as instance:
        result = job.with_hooks({_progress_hook(on_progress, len(job.nodes))}).execute_in_process(
            instance=instance,
            run_config=QUIET,
            tags=build_range_tags(window[0], window[-1]),
            raise_on_error=False,
        )
        failed = tuple(event.step_key or "?" for event in result.all_events if event.is_step_failure)
        return JobOutcome(
            run_id=result.run_id,
            succeeded=result.success,
            steps=len(job.nodes),
            failed_steps=failed,
            materializations=sum(1 for event in result.all_events if event.is_step_materialization),
        )


def _progress_hook(on_progress: Callable[[int, int], None], total: int) -> dg.HookDefinition:
    import dagster as dg

    done = 0

    @dg.success_hook(name="tell_progress")
    def tell(_context: dg.HookContext) -> None:
        nonlocal done
        done += 1
        on_progress(done, total)

    return tell
