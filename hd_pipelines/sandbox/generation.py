"""Fill the bucket with synthetic sessions: find missing objects, write them in several processes, record their origin.

What an object contains is decided in `market` and `recording`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Self

from hd_pipelines.providers.massive.flat_files.layout import DATASETS, FlatFileDataset
from hd_pipelines.sandbox.bucket import Bucket
from hd_pipelines.sandbox.market.sessions import build_synthetic_session
from hd_pipelines.sandbox.vendor_csv import compress, to_csv_bytes

GENERATOR_VERSION = "market-5"
"""Part of every object's origin; raise it whenever the same seed and session would give other bytes."""
MANIFEST_NAME = ".sandbox-manifest.json"
PROCESSES = 2
SESSIONS_WORTH_PROCESSES = 24
"""Below it, starting processes (about 2 s) costs more than it saves."""

Progress = Callable[[int, int], None]
"""Called with (sessions done, sessions to do)."""


@dataclass(frozen=True, slots=True)
class WrittenObject:
    """One entry of the manifest. `origin` names generator, parameters and version."""

    key: str
    origin: str
    rows: int
    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class GenerationReport:
    """Result of a call. `rows` and `size_bytes` count written objects only."""

    sessions: int
    objects_written: int
    objects_skipped: int
    rows: int
    size_bytes: int
    seconds: float


class Workers:
    """Processes that make objects day by day, started when enough days are requested. A context manager, may be nested.

    One set may serve several calls: starting it costs about 2 s.
    """

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._depth = 0

    def __enter__(self) -> Self:
        self._depth += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._pool is not None and not self._depth:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def cancel(self) -> None:
        """Skip the days that no process has begun."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def map(self, write: Callable[[date], list[WrittenObject]], days: Sequence[date]) -> Iterator[list[WrittenObject]]:
        """Apply `write` to each day; results come in order."""
        if self._pool is None and len(days) < SESSIONS_WORTH_PROCESSES:
            yield from map(write, days)
            return
        if self._pool is None:
            # Fresh processes: a fork would inherit the locks of polars' threads.
            self._pool = ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"))
        yield from self._pool.map(write, days, chunksize=4)


class Manifest:
    """Origin of each object that a generator wrote, kept beside the objects."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._path = bucket.root / MANIFEST_NAME
        self._entries: dict[str, WrittenObject] = {}
        if self._path.exists():
            entries = json.loads(self._path.read_text())
            self._entries = {key: WrittenObject(**entry) for key, entry in entries.items()}

    def holds(self, key: str, origin: str) -> bool:
        """Whether the object under `key` exists, unchanged since it was written from `origin`."""
        entry = self._entries.get(key)
        if entry is None or entry.origin != origin:
            return False
        try:
            stat = self._bucket.path(key).stat()
        except FileNotFoundError:
            return False
        return (stat.st_size, stat.st_mtime_ns) == (entry.size, entry.modified_ns)

    def add(self, objects: Sequence[WrittenObject]) -> None:
        """Add objects to the manifest; `save` writes it."""
        self._entries.update({entry.key: entry for entry in objects})

    def save(self) -> None:
        """Replace the manifest file atomically."""
        self._bucket.root.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(".tmp")
        unfinished.write_text(json.dumps({key: asdict(entry) for key, entry in sorted(self._entries.items())}))
        unfinished.replace(self._path)


def put_object(bucket: Bucket, key: str, origin: str, rows: int, body: bytes) -> WrittenObject:
    """Write one object and return its manifest entry."""
    stat = bucket.put(key, body).stat()
    return WrittenObject(key, origin, rows, stat.st_size, stat.st_mtime_ns)


def write_session(
    root: Path, seed: int, origin: str, datasets: Sequence[FlatFileDataset], session: date
) -> list[WrittenObject]:
    """Make the objects of one session. Runs in worker processes."""
    bucket = Bucket(root)
    return [
        put_object(bucket, dataset.key(session), origin, len(frame), compress(to_csv_bytes(frame, dataset, session)))
        for dataset, frame in build_synthetic_session(seed, session, datasets).items()
    ]


def generate(
    bucket: Path,
    sessions: Sequence[date],
    *,
    seed: int = 7,
    datasets: Sequence[FlatFileDataset] = DATASETS,
    workers: Workers | None = None,
    on_progress: Progress | None = None,
) -> GenerationReport:
    """Write the synthetic market's objects of `sessions` into `bucket`; objects from the same seed are kept.

    Raises `ValueError` for a closed day or a session before `daily_paths.MARKET_EPOCH`.
    """
    origin = f"{GENERATOR_VERSION} seed={seed}"
    keys = {session: [dataset.key(session) for dataset in datasets] for session in sessions}
    write = partial(write_session, bucket, seed, origin, tuple(datasets))
    with workers or Workers() as hands:
        return fill(Bucket(bucket), keys, origin, partial(hands.map, write), on_progress)


def fill(
    bucket: Bucket,
    keys: Mapping[date, Sequence[str]],
    origin: str,
    write: Callable[[Sequence[date]], Iterable[list[WrittenObject]]],
    on_progress: Progress | None,
) -> GenerationReport:
    """Call `write` with the days of `keys` that lack an object from `origin`, and update the manifest.

    `write` yields each day's objects as soon as they are written.
    """
    started = time.perf_counter()
    manifest = Manifest(bucket)
    missing = [day for day in keys if not all(manifest.holds(key, origin) for key in keys[day])]
    written: list[WrittenObject] = []
    try:
        for done, objects in enumerate(write(missing), start=1):
            manifest.add(objects)
            written += objects
            if on_progress:
                on_progress(done, len(missing))
    finally:
        if written:
            manifest.save()
    return GenerationReport(
        sessions=len(keys),
        objects_written=len(written),
        objects_skipped=sum(len(keys[day]) for day in keys) - sum(len(keys[day]) for day in missing),
        rows=sum(entry.rows for entry in written),
        size_bytes=sum(entry.size for entry in written),
        seconds=time.perf_counter() - started,
    )
