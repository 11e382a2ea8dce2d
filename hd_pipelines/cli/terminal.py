"""What the command line looks like: one console, progress that suits the place, refusals without tracebacks.

Belongs here: presentation shared by all commands.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import structlog
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

PLAIN_WIDTH = 200


class Refusal(Exception):  # noqa: N818  (it is an answer, not a fault of the program)
    """A command that cannot be carried out; the message says what, where and what to do."""


@cache
def console() -> Console:
    """Standard output."""
    # A pipe or a log has no width of its own; 80 columns would fold every finding into a ribbon.
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(file=sys.stdout, highlight=False, width=width, soft_wrap=width is not None)


def log_to_stderr() -> None:
    """One line per event on standard error, so that standard output stays data."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0),
        ],
        # Looked up at every event: a test, or a program that embeds us, may have put another stream in its place.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


@contextmanager
def showing_refusals() -> Iterator[None]:
    """Turn expected errors into one readable line and exit code 2; anything else keeps its traceback."""
    from hd_pipelines.settings import UnknownSettingError

    log_to_stderr()
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
        reason = _refusal_of_the_database(error)
        if reason is None:
            raise
        typer.echo(f"hd: {reason}", err=True)
        raise typer.Exit(2) from None


def _refusal_of_the_database(error: Exception) -> str | None:
    """What a person should read of an error that the database's state explains; None for any other."""
    from embedded_postgres.errors import EmbeddedPostgresError
    from hd_pipelines.warehouse.errors import WarehouseError, is_transient

    if isinstance(error, (WarehouseError, EmbeddedPostgresError)):
        return str(error)
    if is_transient(error):
        told = str(getattr(error, "orig", error)).strip().splitlines()[0]
        return f"the database did not answer: {told}; see `hd doctor`"
    return None


class Steps:
    """Numbered steps of long work: a bar on a terminal, a line when something changed elsewhere."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Time one step. On a terminal it shows a bar that `advance` moves; elsewhere one line at the end."""
        began = time.perf_counter()
        with Step(title) as step:
            yield step
        took = time.perf_counter() - began
        self.seconds[title] = round(took, 2)
        detail = f" ({step.note})" if step.note else ""
        console().print(f"  {title}{detail} [dim]{took:.1f} s[/dim]")

    @property
    def total(self) -> float:
        """Seconds since these steps began."""
        return time.perf_counter() - self._began


class Step:
    """One step under way: `advance` moves its bar, `note` is what its line says at the end."""

    def __init__(self, title: str) -> None:
        self.note = ""
        self._progress: Progress | None = None
        self._title = title

    def __enter__(self) -> Step:
        if console().is_terminal:
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
