"""Stores option chains in the lake: one Parquet file per snapshot of one underlying.

The layout is `option_chains/session=YYYY-MM-DD/<UNDERLYING>-<YYYYMMDDTHHMMSS>Z-<kind>.parquet`. A snapshot is published in
one step. `loading.inputs.chain_archive` decides which chains become snapshots.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

import polars as pl

from hd_pipelines.lake.stores import Store
from hd_pipelines.market.option_chains import CHAIN
from hd_pipelines.market.sessions import NEW_YORK
from hd_pipelines.market.symbols import to_ticker
from hd_pipelines.tables.vocabulary import SnapshotKind

DATASET = "option_chains"
_PHYSICAL: dict[str, Any] = {"compression": "lz4", "use_dictionary": False, "write_statistics": False}
"""Takes half the time of zstd with dictionaries. A thin chain needs the same space, one of 14,000 contracts half as much
again.
"""
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
    """Origin of a snapshot, as recorded in its footer.

    `url`: the archive's file, or the request without its key. `sha256`: of the archive's file, or of the pages in order.
    `chain_version` is raised when the same bytes would give a different snapshot.
    """

    url: str
    sha256: str
    chain_version: int


@dataclass(frozen=True, slots=True)
class ChainSnapshot:
    """One published snapshot. `underlying` is the vendor's ticker; `url` a path or s3:// URL for any Parquet reader."""

    underlying: str
    session: date
    snapshot_at: datetime
    kind: SnapshotKind
    url: str


class ChainsUnsettledError(RuntimeError):
    """The snapshots being read are replaced faster than they can be read."""


class ChainLake:
    """The snapshots below one root. Get it from a `Lake`: `lake.chains`."""

    def __init__(self, store: Store, storage_options: dict[str, str] | None) -> None:
        self._store, self._storage_options = store, storage_options

    def list_snapshots(
        self,
        first: date,
        last: date,
        underlyings: Iterable[str] | None = None,
        kind: SnapshotKind | None = None,
    ) -> list[ChainSnapshot]:
        """List the snapshots of sessions `first` to `last` (both included) by underlying and time. Opens no file.

        `underlyings`: symbols or tickers, None for all. `kind` None: all. With `SnapshotKind.CLOSE` at most one per
        underlying and session: the latest, so that this installation's own snapshot after the close takes precedence over a
        bought one stamped with the close.
        """
        return [snapshot for snapshot, _ in self._find(first, last, underlyings, kind)]

    def read(
        self,
        underlyings: Iterable[str] | None,
        first: date,
        last: date,
        kind: SnapshotKind | None = None,
    ) -> pl.DataFrame:
        """Read the rows of the listed snapshots as `CHAIN`, ordered by underlying, snapshot_at, ticker.

        Empty if there are none. No snapshot was replaced while it was read. Raises `ChainsUnsettledError` if that never
        succeeds, and polars' errors if a file is damaged.
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
        """Read the origin of a snapshot from its footer. Raises `ValueError` for a file that another program wrote."""
        footer = pl.read_parquet_metadata(snapshot.url, storage_options=self._storage_options)
        try:
            recorded = {field.name: footer[_FOOTER_PREFIX + field.name] for field in fields(ChainSource)}
        except KeyError as missing:
            raise ValueError(
                f"{snapshot.url} does not record its source ({missing} is not in the footer): it was not written by this "
                "lake. Remove it and load the session again."
            ) from None
        return ChainSource(recorded["url"], recorded["sha256"], int(recorded["chain_version"]))

    def publish(self, chain: pl.DataFrame, source: ChainSource) -> ChainSnapshot:
        """Write one snapshot (`CHAIN`, one underlying, one `snapshot_at`, whole seconds), replacing its old version.

        Raises `ValueError` for other columns, an empty chain, or rows of more than one snapshot.
        """
        return self.publish_all([(chain, source)])[0]

    def publish_all(self, chains: Sequence[tuple[pl.DataFrame, ChainSource]]) -> list[ChainSnapshot]:
        """Publish many snapshots, which is cheaper than one by one. Once this returns, all of them survive a crash."""
        import pyarrow.parquet

        placed = [self._place(chain) for chain, _ in chains]
        scratch = self._store.scratch()
        written = {path: scratch / f"{DATASET}-{os.getpid()}-{uuid.uuid4().hex}.parquet" for _, path in placed}
        start = 0
        try:
            rows = pl.concat([chain for chain, _ in chains], rechunk=True).to_arrow(
                compat_level=pl.CompatLevel.oldest()
            )
            for (chain, source), (_, path) in zip(chains, placed, strict=True):
                recorded = {_FOOTER_PREFIX + name: str(getattr(source, name)) for name in ChainSource.__slots__}
                one = rows.slice(start, chain.height).replace_schema_metadata(recorded)
                start += chain.height
                sink = pyarrow.BufferOutputStream()
                pyarrow.parquet.write_table(one, sink, **_PHYSICAL)
                written[path].write_bytes(sink.getvalue())
            self._store.publish_all(written)
        finally:
            for file in written.values():
                file.unlink(missing_ok=True)
        return [snapshot for snapshot, _ in placed]

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
        path = f"{DATASET}/session={session}/{to_file_name(underlying)}-{snapshot_at:{_STAMP}}Z-{kind}.parquet"
        return ChainSnapshot(underlying, session, snapshot_at, SnapshotKind(kind), self._store.url(path)), path

    def _find(
        self, first: date, last: date, underlyings: Iterable[str] | None, kind: SnapshotKind | None
    ) -> list[tuple[ChainSnapshot, str]]:
        """Find snapshots with the token of their version."""
        wanted = None if underlyings is None else {to_file_name(to_ticker(name)) for name in underlyings}
        if first == last:
            versions = self._store.list_versions(f"{DATASET}/session={first}")
        else:
            versions = self._store.list_versions(DATASET, f"session={first}", f"session={last}")
        found = []
        for path, token in versions.items():
            match = _SNAPSHOT.match(path)
            if match is None or (wanted is not None and match["name"] not in wanted):
                continue
            if kind is not None and match["kind"] != kind:
                continue
            try:
                snapshot = ChainSnapshot(
                    to_underlying(match["name"]),
                    date.fromisoformat(match["session"]),
                    datetime.fromisoformat(f"{match['stamp']}Z"),
                    SnapshotKind(match["kind"]),
                    self._store.url(path),
                )
            except ValueError:
                continue  # nobody published it: a date that does not exist, or a kind that is unknown
            found.append((snapshot, token))
        found.sort(key=lambda item: (item[0].underlying, item[0].snapshot_at))
        if kind is SnapshotKind.CLOSE:
            found = list(
                {(snapshot.underlying, snapshot.session): (snapshot, token) for snapshot, token in found}.values()
            )
        return found

    def _scan(self, urls: list[str]) -> pl.LazyFrame:
        return pl.scan_parquet(urls, storage_options=self._storage_options, hive_partitioning=False)


def to_file_name(underlying: str) -> str:
    """Convert a ticker to a part of a file name: `I:SPX` → `I_SPX`. Reversible, as no stock ticker contains `_`."""
    return underlying.replace(":", "_", 1).replace("/", "~")


def to_underlying(name: str) -> str:
    """Convert a `to_file_name` back to the ticker."""
    prefixed = f"I:{name[2:]}" if name.startswith("I_") else name
    return prefixed.replace("~", "/")
