"""Runs of Dagster jobs in this process, for commands. They appear on the page as if the page had launched them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from hd_pipelines.cli.installation import Installation

if TYPE_CHECKING:
    import dagster as dg
    from dagster._core.remote_origin import RemoteJobOrigin

WORKSPACE = Path(__file__).parents[2] / "workspace.yaml"
QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
"""Run configuration for a person at a terminal: everything is in the event log, only errors are printed."""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a run ended."""

    run_id: str
    succeeded: bool
    steps: int
    failed_steps: tuple[str, ...]
    materializations: int


def run_main_job(
    installation: Installation,
    window: Sequence[date],
    *,
    on_progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> JobOutcome:
    """Run all assets over the sessions of `window` (ascending) in this process, in one run."""
    return run_job(installation, "main", window, on_progress=on_progress)


def run_job(
    installation: Installation,
    name: str,
    window: Sequence[date],
    *,
    on_progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> JobOutcome:
    """Run a job over the sessions of `window` (ascending) in this process, in one run.

    The run carries the code location of `workspace.yaml`: it is listed on the Timeline and under its job, and can be
    re-executed from the page, which `JobDefinition.execute_in_process` does not offer.
    """
    from dagster._core.definitions.job_base import InMemoryJob
    from dagster._core.execution.api import execute_run

    from hd_pipelines.definitions import build_definitions
    from hd_pipelines.partitions import build_range_tags
    from hd_pipelines.resources.instance import open_instance

    log = installation.settings.home / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    job = build_definitions().resolve_job_def(name)
    watched = job.with_hooks({_build_progress_hook(on_progress, len(job.nodes))})
    # dbt writes its log to standard output; a person wants the summary, and the log only when something is wrong.
    with log.open("a") as output, redirect_stdout(output), open_instance(installation.settings) as instance:
        run = instance.create_run_for_job(
            job_def=job,
            run_config=QUIET,
            tags={**job.run_tags, **build_range_tags(window[0], window[-1])},
            remote_job_origin=_locate_job(name),
        )
        result = execute_run(InMemoryJob(watched), run, instance)
        failed = tuple(event.step_key or "?" for event in result.all_events if event.is_step_failure)
        return JobOutcome(
            run_id=run.run_id,
            succeeded=result.success,
            steps=len(job.nodes),
            failed_steps=failed,
            materializations=sum(1 for event in result.all_events if event.is_step_materialization),
        )


def _locate_job(name: str) -> RemoteJobOrigin:
    """The job as the web server and the daemon know it, by the code location in `workspace.yaml`."""
    from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
    from dagster._core.remote_origin import RemoteRepositoryOrigin
    from dagster._core.workspace.load_target import WorkspaceFileTarget

    (location,) = WorkspaceFileTarget([str(WORKSPACE)]).create_origins()
    return RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME).get_job_origin(name)


def _build_progress_hook(on_progress: Callable[[int, int], None], total: int) -> dg.HookDefinition:
    import dagster as dg

    done = 0

    @dg.success_hook(name="report_progress")
    def report_progress(_context: dg.HookContext) -> None:
        nonlocal done
        done += 1
        on_progress(done, total)

    return report_progress
