"""Works one item ahead of its use, in a thread: the next one is read or encoded while the caller is busy with the last."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(work: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result]:
    """Yield `work` of every item, in order; the next one runs while the caller uses the last. Errors are raised here.

    A caller that may stop early closes the generator, which waits for the item that is being worked on. At most two results
    are in memory: the generator keeps none that it has yielded.
    """
    under_way: deque[Future[Result]] = deque()
    worker = ThreadPoolExecutor(1, thread_name_prefix="one-ahead")
    try:
        for item in items:
            under_way.append(worker.submit(work, item))
            if len(under_way) > 1:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        worker.shutdown(cancel_futures=True)
