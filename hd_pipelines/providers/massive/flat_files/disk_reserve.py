"""Keeps downloads from filling the disk: reserves the space of each, and names the error when it fills up all the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Protocol

from hd_pipelines.providers.errors import ObjectPlace
from hd_pipelines.providers.massive.flat_files import refusals

DISK_MARGIN_BYTES = 2 << 30
"""Free space that a download must leave, because a database without disk space is worse than a late file."""


class DiskUsage(Protocol):
    """The parts of `shutil.disk_usage`'s result that are used here."""

    @property
    def free(self) -> int:
        """Bytes free."""


class DiskReserve:
    """Space reserved on the disk of `folder` by all running downloads. It can be shared between threads."""

    def __init__(self, folder: Path, margin_bytes: int, usage: Callable[[Path], DiskUsage]) -> None:
        self._folder, self._margin_bytes, self._usage = folder, margin_bytes, usage
        self._lock = threading.Lock()
        self._reserved = 0

    @contextmanager
    def reserve(self, place: ObjectPlace, size: int) -> Iterator[None]:
        """Reserve `size` bytes inside the block. Raises `DiskNearlyFullError` if less than the margin would stay free."""
        with self._lock:
            free = self._usage(self._folder).free - self._reserved - size
            if free < self._margin_bytes:
                raise refusals.build_disk_error(
                    place,
                    f"{size:,} bytes would leave {max(free, 0):,} bytes free, the margin is {self._margin_bytes:,}.",
                )
            self._reserved += size
        try:
            yield
        finally:
            with self._lock:
                self._reserved -= size


@contextmanager
def name_disk_errors(place: ObjectPlace, size: int) -> Iterator[None]:
    """Raise `DiskNearlyFullError` for a disk that fills up while `size` bytes are written; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in {ENOSPC, EDQUOT}:
            raise
        raise refusals.build_disk_error(place, f"the disk filled up while {size:,} bytes were written.") from error
