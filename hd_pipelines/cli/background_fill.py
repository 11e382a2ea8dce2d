"""Write the sandbox's files in the background, so that jobs that need only the first of them can start meanwhile.

Writing takes two processes; a Dagster run keeps about one core busy. The demo therefore starts the files at once, waits
only for the history's (day bars and sparse chains), and runs the history job while the window's files are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from hd_pipelines.cli.sandbox import Filled, Progress, fill
from hd_pipelines.sandbox.generation import Workers
from hd_pipelines.settings import Settings


class BackgroundFill:
    """The files of a demo under way. `history` and `window` return when theirs are there, or raise what stopped them."""

    def __init__(
        self,
        thread: ThreadPoolExecutor,
        write: Callable[[Sequence[date], Sequence[date], Progress], Filled],
        window: Sequence[date],
        history: Sequence[date],
    ) -> None:
        self._on_progress: Progress = _ignore_progress
        self._history = thread.submit(write, [], history, self._advance) if history else None
        self._window = thread.submit(write, window, [], self._advance)

    def _advance(self, done: int, total: int) -> None:
        self._on_progress(done, total)

    def wait_for_history(self, on_progress: Progress) -> Filled:
        """Wait until the history's files are written; without a history, until all are."""
        return self._wait(self._history or self._window, on_progress)

    def wait_for_window(self, on_progress: Progress) -> Filled:
        """Wait until all files are written."""
        return self._wait(self._window, on_progress)

    def _wait(self, files: Future[Filled], on_progress: Progress) -> Filled:
        self._on_progress = on_progress
        try:
            return files.result()
        finally:
            self._on_progress = _ignore_progress


@contextmanager
def fill_in_background(
    settings: Settings, replay: Path | None, window: Sequence[date], history: Sequence[date]
) -> Iterator[BackgroundFill]:
    """Write the files of `history`, then those of `window`, while the block runs. Leaving it early abandons the rest."""
    with Workers() as workers, ThreadPoolExecutor(1) as thread:

        def write(days: Sequence[date], before: Sequence[date], on_progress: Progress) -> Filled:
            return fill(settings, replay, days, on_progress, history=before, workers=workers)

        try:
            yield BackgroundFill(thread, write, window, history)
        except BaseException:
            workers.cancel()
            thread.shutdown(cancel_futures=True)
            raise


def _ignore_progress(_done: int, _of: int) -> None:
    """Show no progress."""
