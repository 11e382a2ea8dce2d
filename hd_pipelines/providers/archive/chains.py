"""Reads and validates the option chains in the files of an archive. Which files there are: `archive.files`."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl

from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.market.sessions import (
    NEW_YORK,
    get_regular_hours,
    list_last_sessions,
)
from hd_pipelines.market.symbols import to_ticker
from hd_pipelines.providers.archive.columns import select_promised_columns
from hd_pipelines.providers.archive.files import ChainFile
from hd_pipelines.providers.chain_rules import ValidatedChain, build_standard_terms, validate_chains
from hd_pipelines.providers.errors import FileRefusedError
from hd_pipelines.tables.vocabulary import PriceSource, Rule, SnapshotKind

READ_VERSION = 1
"""Raised when the same file would give different rows; what an older version loaded is loaded again."""

COLUMNS: Mapping[str, type[pl.DataType]] = {
    "underlying": pl.String,
    "session": pl.Date,
    "underlying_price": pl.Float64,
    "ticker": pl.String,
    "root": pl.String,
    "expiration": pl.Date,
    "option_type": pl.String,
    "strike": pl.Float64,
    "bid": pl.Float64,
    "ask": pl.Float64,
    "last": pl.Float64,
    "volume": pl.Int64,
    "open_interest": pl.Int64,
    "vendor_iv": pl.Float64,
    "vendor_delta": pl.Float64,
    "vendor_gamma": pl.Float64,
    "vendor_theta": pl.Float64,
    "vendor_vega": pl.Float64,
}
"""Columns that every file has. `open_interest` is as published that morning, so as of the session before."""
OPTIONAL: Mapping[str, Any] = {
    "snapshot_at": STAMP,
    "quote_at": STAMP,
    "bid_size": pl.Int64,
    "ask_size": pl.Int64,
    "exercise_style": pl.String,
    "shares_per_contract": pl.Float64,
}
"""Columns that a file may have. Without `snapshot_at` the chain is stamped with the session's close."""
_FROM_ARCHIVE = [
    pl.lit(SnapshotKind.CLOSE.value).alias("kind"),
    pl.lit(PriceSource.CHAIN_ARCHIVE.value).alias("source"),
]
_NO_ROWS = pl.DataFrame(schema={**COLUMNS, **OPTIONAL, "place": pl.UInt32})


@dataclass(frozen=True, slots=True)
class ReadChain:
    """A file's chain with its findings; `sha256` of the file's bytes."""

    validated: ValidatedChain
    sha256: str


def read_chain(file: ChainFile) -> ReadChain:
    """Read and validate the file's chain. Raises `FileRefusedError` naming the column or rows that make it unusable."""
    (outcome,) = read_chains([file])
    if isinstance(outcome, FileRefusedError):
        raise outcome
    return outcome


def read_chains(files: Sequence[ChainFile]) -> list[ReadChain | FileRefusedError]:
    """Read many files as `read_chain` does, in their order. Each is validated, and refused, independently of the others.

    All rows are in memory together; larger batches than some hundred thousand rows are not faster.
    """
    bodies = [file.path.read_bytes() for file in files]
    refused: dict[int, FileRefusedError] = {}
    rows = _cast_rows(_read_tables(bodies, files, refused), files, refused)
    stamps = _find_stamps(rows, files, refused)
    if refused:
        rows = rows.filter(~pl.col("place").is_in(list(refused)))
    place, terms = rows["place"], build_standard_terms(rows["root"].unique())
    rows = rows.with_columns(
        *_FROM_ARCHIVE,
        pl.Series("underlying", [file.underlying for file in files], dtype=pl.String).gather(place),
        pl.Series("snapshot_at", stamps, dtype=STAMP).gather(place),
        *(pl.coalesce(pl.col(name), standard).alias(name) for name, standard in terms.items()),
        pl.Series("open_interest_as_of", [list_last_sessions(f.session, 2)[0] for f in files], dtype=pl.Date).gather(
            place
        ),
    )
    outcomes = refused | validate_chains(rows, [file.place for file in files])
    return [
        outcome if isinstance(outcome, FileRefusedError) else ReadChain(outcome, hashlib.sha256(body).hexdigest())
        for body, (_, outcome) in zip(bodies, sorted(outcomes.items()), strict=True)
    ]


def _read_tables(
    bodies: Sequence[bytes], files: Sequence[ChainFile], refused: dict[int, FileRefusedError]
) -> dict[int, pl.DataFrame]:
    """Read the files, by position; one that is not Parquet goes to `refused`."""
    try:
        scans = [pl.scan_parquet(io.BytesIO(body), hive_partitioning=False) for body in bodies]
        return dict(enumerate(pl.collect_all(scans, optimizations=pl.QueryOptFlags.none())))
    except (pl.exceptions.PolarsError, OSError):
        pass  # a fault of one of them; reading one by one shows which, and why
    tables = {}
    for at, (body, file) in enumerate(zip(bodies, files, strict=True)):
        try:
            tables[at] = pl.read_parquet(io.BytesIO(body), hive_partitioning=False)
        except (pl.exceptions.PolarsError, OSError) as error:
            refused[at] = FileRefusedError(
                file.place.error(Rule.VALUE_UNREADABLE, f"it is no readable Parquet file ({error}).", "Fetch it again.")
            )
    return tables


def _cast_rows(
    tables: dict[int, pl.DataFrame], files: Sequence[ChainFile], refused: dict[int, FileRefusedError]
) -> pl.DataFrame:
    """Cast the rows of all tables to their types and add `place`, their position.

    A table without the promised columns is `refused`.
    """

    def typed(group: list[int]) -> list[pl.DataFrame]:
        stacked = pl.concat([tables[at] for at in group])
        try:
            rows = select_promised_columns(stacked, COLUMNS, OPTIONAL, files[group[0]].place)
        except FileRefusedError as refusal:
            if len(group) > 1:
                return [part for at in group for part in typed([at])]
            refused[group[0]] = refusal
            return []
        heights = [tables[at].height for at in group]
        return [rows.with_columns(pl.Series("place", np.repeat(np.array(group, dtype=np.uint32), heights)))]

    alike: dict[tuple[tuple[str, pl.DataType], ...], list[int]] = {}
    for at, table in tables.items():
        alike.setdefault(tuple(table.schema.items()), []).append(at)
    parts = [part for group in alike.values() for part in typed(group)]
    if len(parts) == 1:
        return parts[0]
    return pl.concat([_NO_ROWS, *parts]).sort("place", maintain_order=True)


def _find_stamps(
    rows: pl.DataFrame, files: Sequence[ChainFile], refused: dict[int, FileRefusedError]
) -> list[datetime | None]:
    """Find `snapshot_at` of every file; one whose rows are of another place or time is `refused`."""
    stated = {
        at: (sessions, underlyings, taken_at)
        for at, sessions, underlyings, taken_at in rows.group_by("place")
        .agg(pl.col("session", "underlying").unique(maintain_order=True), pl.col("snapshot_at").max())
        .iter_rows()
    }
    stamps: list[datetime | None] = [None] * len(files)
    for at, file in enumerate(files):
        sessions, underlyings, taken_at = stated.get(at, ([], [], None))
        if at in refused:
            continue
        try:
            _require_place(sessions, underlyings, file)
            stamps[at] = _find_snapshot_time(taken_at, file)
        except FileRefusedError as refusal:
            refused[at] = refusal
    return stamps


def _find_snapshot_time(stated: datetime | None, file: ChainFile) -> datetime:
    """Find the chain's instant: `stated` (the file's newest `snapshot_at`) in whole seconds, else the session's close."""
    if stated is None:
        return get_regular_hours(file.session).closes_at
    if stated.astimezone(NEW_YORK).date() != file.session:
        raise FileRefusedError(
            file.place.error(
                Rule.FOREIGN_DATE, f"its snapshot_at, {stated}, lies outside the session.", "Fix the file."
            )
        )
    return stated.replace(microsecond=0)


def _require_place(sessions: Sequence[date], underlyings: Sequence[str | None], file: ChainFile) -> None:
    if sessions != [file.session]:
        raise FileRefusedError(
            file.place.error(
                Rule.FOREIGN_DATE,
                f"its rows are of {sessions[:3]}, not of {file.session}.",
                "Rename or remove the file.",
            )
        )
    if any(name is None or to_ticker(name) != file.underlying for name in underlyings):
        raise FileRefusedError(
            file.place.error(
                Rule.CONTRACT_CONTRADICTORY,
                f"its rows are of {underlyings[:3]}, not of {file.underlying}.",
                "Move the file to the folder of its underlying.",
            )
        )
