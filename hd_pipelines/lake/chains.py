"""Option chains in the lake: one Parquet file per snapshot of one underlying.

Belongs here: the layout `option_chains/session=YYYY-MM-DD/<UNDERLYING>-<YYYYMMDDTHHMMSS>Z-<kind>.parquet`, publishing a
snapshot in one step, finding and reading snapshots. What may become one is decided in `loading.chains`.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from hd_pipelines.lake.stores import Store
from hd_pipelines.market.option_chains import CHAIN
from hd_pipelines.market.sessions import NEW_YORK
from hd_pipelines.market.symbols import ticker_of
from hd_pipelines.market.vocabulary import SnapshotKind

DATASET = "option_chains"
COMPRESSION_LEVEL = 1
READ_ATTEMPTS = 5
_STAMP = "%Y%m%dT%H%M%S"
_SNAPSHOT = re.compile(
    rf"^{DATASET}/session=(?P<session>\d{{4}}-\d{{2}}-\d{{2}})/"
    r"(?P<name>[A-Za-z0-9._~&\-]+)-(?P<stamp>\d{8}T\d{6})Z-(?P<kind>[a-z]+)\.parquet$"
)
_FOOTER_PREFIX = "hd."
_SCHEMA: dict[str, Any] = dict(CHAIN)


@dataclass(frozen=True, slots=True)
class ChainSource:
    """What a snapshot was made from, as its own footer tells it.

    `url`: the archive's file or the request, without a key. `sha256`: of the archive's file, or of the pages in order.
    `chain_version` is raised when the same bytes would give another snapshot.
    """

    url: str
    sha256: str
    chain_version: int


@dataclass(frozen=True, slots=True)
class ChainSnapshot:
    """One published snapshot. `underlying` is the vendor's ticker; `url` a path or s3:// URL any Parquet reader opens."""

    underlying: str
    session: date
    snapshot_at: datetime
    kind: SnapshotKind
    url: str


class ChainsUnsettledError(RuntimeError):
    """Snapshots that were read are being replaced faster than they can be read."""


class ChainLake:
    """The snapshots below one root. Get it from a `Lake`: `lake.chains`."""

    def __init__(self, store: Store, storage_options: dict[str, str] | None) -> None:
        self._store, self._storage_options = store, storage_options

    def snapshots(
        self,
        first: date,
        last: date,
        underlyings: Iterable[str] | None = None,
        kind: SnapshotKind | None = None,
    ) -> list[ChainSnapshot]:
        """Snapshots of sessions `first` to `last` (both included), by underlying and time. One listing, no file opened.

        `underlyings`: symbols or tickers, None for all. `kind` None: all. With `SnapshotKind.CLOSE` at most one per
        underlying and session: the latest, so that an own snapshot after the close precedes a bought one stamped with it.
        """
        return [snapshot for snapshot, _ in self._find(first, last, underlyings, kind)]

    def read(
        self,
        underlyings: Iterable[str] | None,
        first: date,
        last: date,
        kind: SnapshotKind | None = None,
    ) -> pl.DataFrame:
        """Rows of `snapshots(...)` as `CHAIN`, ordered by underlying, snapshot_at, ticker; empty where there are none.

        No snapshot was replaced while it was read. Raises `ChainsUnsettledError` if that never succeeds, polars' errors
        if a file is damaged.
        """
        wanted = None if underlyings is None else list(underlyings)
        for _ in range(READ_ATTEMPTS):
            before = self._find(first, last, wanted, kind)
            if not before:
                return pl.DataFrame(schema=_SCHEMA)
            try:
                rows = self._scan([snapshot.url for snapshot, _ in before]).collect()
            except (pl.exceptions.PolarsError, OSError):
                if self._find(first, last, wanted, kind) == before:
                    raise
                continue
            if self._find(first, last, wanted, kind) == before:
                return rows
        raise ChainsUnsettledError(
            f"option chains from {first} to {last} were replaced {READ_ATTEMPTS} times while they were read; "
            "let one load of these sessions run at a time"
        )

    def source(self, snapshot: ChainSnapshot) -> ChainSource:
        """What the snapshot was made from; reads the footer only. Raises `ValueError` for a file of another maker."""
        footer = pl.read_parquet_metadata(snapshot.url, storage_options=self._storage_options)
        try:
            told = {field.name: footer[_FOOTER_PREFIX + field.name] for field in fields(ChainSource)}
        except KeyError as missing:
            raise ValueError(
                f"{snapshot.url} does not tell its source ({missing} is not in the footer): it was not written by this "
                "lake. Remove it and load the session again."
            ) from None
        return ChainSource(told["url"], told["sha256"], int(told["chain_version"]))

    def publish(self, chain: pl.DataFrame, source: ChainSource) -> ChainSnapshot:
        """Write one snapshot (`CHAIN`, one underlying, one `snapshot_at`, whole seconds) in one step, replacing its own.

        Raises `ValueError` for other columns, an empty chain, or rows of more than one snapshot.
        """
        snapshot, path = self._place(chain)
        written = self._store.scratch() / f"{DATASET}-{os.getpid()}-{uuid.uuid4().hex}.parquet"
        try:
            chain.write_parquet(
                written,
                compression="zstd",
                compression_level=COMPRESSION_LEVEL,
                metadata={_FOOTER_PREFIX + name: str(value) for name, value in asdict(source).items()},
            )
            self._store.publish(written, path)
        finally:
            written.unlink(missing_ok=True)
        return snapshot

    def _place(self, chain: pl.DataFrame) -> tuple[ChainSnapshot, str]:
        if dict(chain.schema) != _SCHEMA:
            raise ValueError(f"a snapshot needs the columns of CHAIN, {list(CHAIN)}, not {dict(chain.schema)}")
        keys = ("underlying", "snapshot_at", "kind")
        counts = tuple(chain[name].n_unique() for name in keys)
        if counts != (1, 1, 1):
            raise ValueError(f"a snapshot has one underlying, one time and one kind; this chain has {counts}")
        underlying, snapshot_at, kind = (chain[name][0] for name in keys)
        if snapshot_at.microsecond:
            raise ValueError(f"snapshot_at is stamped in whole seconds, not {snapshot_at}")
        session = snapshot_at.astimezone(NEW_YORK).date()
        path = f"{DATASET}/session={session}/{file_name(underlying)}-{snapshot_at:{_STAMP}}Z-{kind}.parquet"
        return ChainSnapshot(underlying, session, snapshot_at, SnapshotKind(kind), self._store.url(path)), path

    def _find(
        self, first: date, last: date, underlyings: Iterable[str] | None, kind: SnapshotKind | None
    ) -> list[tuple[ChainSnapshot, str]]:
        """Snapshots with the token of their version."""
        wanted = None if underlyings is None else {ticker_of(name) for name in underlyings}
        folder = f"{DATASET}/session={first}" if first == last else DATASET
        found = []
        for path, token in self._store.versions(folder).items():
            match = _SNAPSHOT.match(path)
            if match is None:
                continue
            snapshot = ChainSnapshot(
                underlying_of(match["name"]),
                date.fromisoformat(match["session"]),
                datetime.strptime(match["stamp"], _STAMP).replace(tzinfo=UTC),
                SnapshotKind(match["kind"]),
                self._store.url(path),
            )
            is_wanted = wanted is None or snapshot.underlying in wanted
            if is_wanted and first <= snapshot.session <= last and kind in {None, snapshot.kind}:
                found.append((snapshot, token))
        found.sort(key=lambda item: (item[0].underlying, item[0].snapshot_at))
        if kind is SnapshotKind.CLOSE:
            found = list(
                {(snapshot.underlying, snapshot.session): (snapshot, token) for snapshot, token in found}.values()
            )
        return found

    def _scan(self, urls: list[str]) -> pl.LazyFrame:
        return pl.scan_parquet(urls, storage_options=self._storage_options, hive_partitioning=False)


def file_name(underlying: str) -> str:
    """A ticker as part of a file name: `I:SPX` → `I_SPX`. No ticker of a stock holds `_`, so it can be told back."""
    return underlying.replace(":", "_", 1).replace("/", "~")


def underlying_of(name: str) -> str:
    """The ticker of a `file_name`."""
    prefixed = f"I:{name[2:]}" if name.startswith("I_") else name
    return prefixed.replace("~", "/")
