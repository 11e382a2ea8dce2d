"""Stores parts of the lake: one Parquet file per dataset and session.

Defines the layout `<dataset>/session=YYYY-MM-DD/part.parquet`, its physical form and its footer. `ingest` decides what
becomes a part.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from hd_pipelines.lake.chains import ChainLake
from hd_pipelines.lake.stores import open_store
from hd_pipelines.lake.yields import TreasuryYields
from hd_pipelines.market.dates import parse_iso_date
from hd_pipelines.providers.massive.flat_files.layout import FlatFileDataset
from hd_pipelines.providers.massive.flat_files.reading import BAR_SCHEMA

ROW_GROUP_ROWS = 131_072
"""Small enough that one ticker is in one or two groups of a full-market minute file, large enough to compress."""
COMPRESSION_LEVEL = 1
"""zstd 1: level 3 takes 30 % longer for 2 % less."""
READ_ATTEMPTS = 5
_PART = re.compile(r"^([a-z_]+)/session=(\d{4}-\d{2}-\d{2})/part\.parquet$")
_FOOTER_PREFIX = "hd."


@dataclass(frozen=True, slots=True)
class PartSource:
    """The vendor object from which a part was made, as recorded in the part's footer. `rows` counts the part's rows."""

    key: str
    etag: str
    sha256: str
    size: int
    rows: int
    rows_set_aside: int
    ingest_version: int


@dataclass(frozen=True, slots=True)
class LakePart:
    """One published part. `url` is a path or an s3:// URL that any Parquet reader opens."""

    dataset: FlatFileDataset
    session: date
    url: str
    source: PartSource


class LakeUnsettledError(RuntimeError):
    """The sessions being read are replaced faster than they can be read."""


class Lake:
    """Parquet below `root`, a path or `s3://bucket/prefix` (credentials and endpoint from the standard AWS variables).

    A part appears or changes in one step, so a reader sees one version. Option chains and Treasury yields are stored beside
    the bars and accessed by `lake.chains` and `lake.treasury_yields`.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = str(root)
        self._store, self._storage_options = open_store(self.root)
        self.chains = ChainLake(self._store, self._storage_options)
        self.treasury_yields = TreasuryYields(self._store, self._storage_options)

    def __repr__(self) -> str:
        return f"Lake({self.root!r})"

    def list_sessions(self, dataset: FlatFileDataset) -> list[date]:
        """List the sessions that have a part, ascending. One listing."""
        return sorted(self._versions(dataset))

    def scan(
        self, dataset: FlatFileDataset, first: date, last: date, tickers: Iterable[str] | None = None
    ) -> pl.LazyFrame:
        """Scan rows from `first` to `last` (both included) of `tickers` (None: all), with a `session` date column.

        Ordered by session, ticker and window_start. Empty where the lake has nothing. Row groups that cannot contain a
        wanted ticker are not read. Polars opens a file twice, footer first, so a part that is replaced in between gives an
        error. `read` retries; prefer it unless the query continues lazily.
        """
        return self._scan(dataset, [s for s in self.list_sessions(dataset) if first <= s <= last], tickers)

    def read(
        self,
        dataset: FlatFileDataset,
        first: date,
        last: date,
        tickers: Iterable[str] | None = None,
        where: pl.Expr | None = None,
    ) -> pl.DataFrame:
        """Collect what `scan` finds, from one state of the lake: no part of it was replaced meanwhile.

        `where`: a filter; a range of tickers is cheap, since row groups outside of it are not read. Raises
        `LakeUnsettledError` if parts are replaced again and again, and polars' errors if a part is damaged.
        """
        wanted = list(tickers) if tickers is not None else None
        for _ in range(READ_ATTEMPTS):
            before = self._versions(dataset, first, last)
            try:
                found = self._scan(dataset, sorted(before), wanted)
                rows = (found if where is None else found.filter(where)).collect()
            except (pl.exceptions.PolarsError, OSError):
                if self._versions(dataset, first, last) == before:
                    raise
                continue
            if self._versions(dataset, first, last) == before:
                return rows
        raise LakeUnsettledError(
            f"parts of {dataset} from {first} to {last} were replaced {READ_ATTEMPTS} times while they were read; "
            "let one ingestion of these sessions run at a time"
        )

    def _versions(self, dataset: FlatFileDataset, first: date = date.min, last: date = date.max) -> dict[date, str]:
        files = ((_PART.match(path), token) for path, token in self._store.list_versions(dataset.name).items())
        versions = {parse_iso_date(match[2]): token for match, token in files if match}
        return {
            session: token for session, token in versions.items() if session is not None and first <= session <= last
        }

    def _scan(self, dataset: FlatFileDataset, sessions: Sequence[date], tickers: Iterable[str] | None) -> pl.LazyFrame:
        if not sessions:
            return pl.LazyFrame(schema={**BAR_SCHEMA, "session": pl.Date()})
        rows = pl.scan_parquet(
            [self._store.url(_build_path(dataset, session)) for session in sessions],
            hive_partitioning=True,
            hive_schema={"session": pl.Date()},
            storage_options=self._storage_options,
        )
        return rows if tickers is None else rows.filter(pl.col("ticker").is_in(sorted(set(tickers))))

    def find_part(self, dataset: FlatFileDataset, session: date) -> LakePart | None:
        """Get the part of `session`, or None. Reads the footer only. Raises `ValueError` for a file of another program."""
        path = _build_path(dataset, session)
        if path not in self._store.list_versions(f"{dataset.name}/session={session}"):
            return None
        url = self._store.url(path)
        footer = pl.read_parquet_metadata(url, storage_options=self._storage_options)
        return LakePart(dataset, session, url, _read_source(footer, url))

    def publish(self, dataset: FlatFileDataset, session: date, bars: pl.DataFrame, source: PartSource) -> LakePart:
        """Write `bars` (`BAR_SCHEMA`, sorted by ticker and window_start) as the part of `session`, in one step.

        Raises `ValueError` for other columns or types; the caller guarantees the order.
        """
        if bars.schema != BAR_SCHEMA:
            raise ValueError(f"a part of {dataset} needs columns {list(BAR_SCHEMA)}, not {bars.schema}")
        written = self._store.scratch() / f"{dataset.name}-{session}-{os.getpid()}-{uuid.uuid4().hex}.parquet"
        try:
            bars.write_parquet(
                written,
                compression="zstd",
                compression_level=COMPRESSION_LEVEL,
                row_group_size=ROW_GROUP_ROWS,
                metadata={_FOOTER_PREFIX + name: str(value) for name, value in asdict(source).items()},
            )
            path = _build_path(dataset, session)
            self._store.publish(written, path)
        finally:
            written.unlink(missing_ok=True)
        return LakePart(dataset, session, self._store.url(path), source)

    def remove(self, dataset: FlatFileDataset, session: date) -> None:
        """Delete the part of `session`, if there is one."""
        self._store.remove(_build_path(dataset, session))


def _build_path(dataset: FlatFileDataset, session: date) -> str:
    return f"{dataset.name}/session={session}/part.parquet"


def _read_source(footer: dict[str, Any], url: str) -> PartSource:
    try:
        recorded = {field.name: footer[_FOOTER_PREFIX + field.name] for field in fields(PartSource)}
    except KeyError as missing:
        raise ValueError(
            f"{url} does not record its source ({missing} is not in the footer): it was not written by this lake. "
            "Remove it and ingest the session again."
        ) from None
    numbers = {name: int(recorded[name]) for name in ("size", "rows", "rows_set_aside", "ingest_version")}
    return PartSource(**(recorded | numbers))
