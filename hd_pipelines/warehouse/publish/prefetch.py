"""Computes one item ahead of its use, in a thread: the next block is prepared while the server receives this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield `work` of every item, in order; the next one runs while the caller uses the last. Errors are raised here."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="one-ahead") as worker:
        ahead: Future[Result] | None = None
        for item in items:
            following = worker.submit(work, item)
            if ahead is not None:
                yield ahead.result()
            ahead = following
        if ahead is not None:
            yield ahead.result()
