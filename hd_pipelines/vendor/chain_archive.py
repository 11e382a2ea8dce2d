"""A folder of archived option chains: one Parquet file per underlying and session.

Belongs here: what the archive contains, against the exchange calendar, and reading one of its files. No vendor sells
chains of the past, so a gap in the archive stays one, and has to be known before anybody computes with it. Layout:
docs/vendor.md.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from hd_pipelines.market.findings import Finding, Rule, Severity
from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.market.sessions import NEW_YORK, is_session, regular_hours, sessions_back, sessions_between
from hd_pipelines.market.symbols import canonical_symbol, ticker_of
from hd_pipelines.market.vocabulary import PriceSource, SnapshotKind
from hd_pipelines.vendor.chain_rules import JudgedChain, judge_chain, standard_terms
from hd_pipelines.vendor.errors import FileRefusedError, ObjectPlace

DATASET = "option_chains"
ARCHIVE_RULES = frozenset({Rule.OBJECT_ON_CLOSED_DAY, Rule.SESSION_MISSING})
READ_VERSION = 1
"""Raised when the same file would give other rows; what was loaded by an older version is loaded again."""

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
"""Columns every file has. `open_interest` is as published that morning, so as of the session before."""
OPTIONAL: Mapping[str, Any] = {
    "snapshot_at": STAMP,
    "quote_at": STAMP,
    "bid_size": pl.Int64,
    "ask_size": pl.Int64,
    "exercise_style": pl.String,
    "shares_per_contract": pl.Float64,
}
"""Columns a file may have. Without `snapshot_at` the chain is stamped with the session's close."""
_FROM_ARCHIVE = [
    pl.lit(SnapshotKind.CLOSE.value).alias("kind"),
    pl.lit(PriceSource.CHAIN_ARCHIVE.value).alias("source"),
]
_ABSENT = {name: pl.lit(None, dtype=dtype).alias(name) for name, dtype in OPTIONAL.items()}
_TYPES: Mapping[str, pl.DataType] = pl.Schema({**COLUMNS, **OPTIONAL})


@dataclass(frozen=True, slots=True)
class ChainFile:
    """One file of an archive. `underlying` is the vendor's ticker; `key` the path below the archive."""

    path: Path
    underlying: str
    session: date
    key: str

    @property
    def place(self) -> ObjectPlace:
        """What findings about this file have in common."""
        return ObjectPlace(DATASET, self.session, self.key)


@dataclass(frozen=True, slots=True)
class ReadChain:
    """A file's chain with its findings; `sha256` of the file's bytes."""

    judged: JudgedChain
    sha256: str


def archived_days(archive: Path) -> dict[str, list[date]]:
    """Days that have a file, by underlying, ascending; empty if `archive` has no chains."""
    found: dict[str, list[date]] = {}
    for file in sorted((archive / "chains").glob("*/*.parquet")):
        found.setdefault(file.parent.name, []).append(date.fromisoformat(file.stem))
    return found


def archive_findings(days: Mapping[str, Sequence[date]]) -> list[Finding]:
    """Files on days without a session, and sessions between the first and last file that have none."""
    findings = []
    for underlying, have in sorted(days.items()):
        findings += [
            Finding(
                rule=Rule.OBJECT_ON_CLOSED_DAY,
                severity=Severity.WARNING,
                dataset=DATASET,
                session=day,
                subject=underlying,
                detail=f"chains/{underlying}/{day}.parquet is dated on a day on which the exchange was closed.",
                cure="Leave it out: its quotes are those of the session before, or of nobody.",
            )
            for day in have
            if not is_session(day)
        ]
        findings += [
            Finding(
                rule=Rule.SESSION_MISSING,
                severity=Severity.ERROR,
                dataset=DATASET,
                session=day,
                subject=underlying,
                detail=f"The exchange was open and there is no chains/{underlying}/{day}.parquet.",
                cure="Nothing can bring it back; what is computed from chains has a gap here.",
            )
            for day in sessions_between(have[0], have[-1])
            if day not in set(have)
        ]
    return findings


def chain_files(archive: Path, underlyings: Sequence[str], sessions: Sequence[date]) -> list[ChainFile]:
    """Files of `underlyings` (symbols or tickers) on `sessions`, by underlying and session.

    Files of other days stay where they are: a day without a session has no chain, whatever the file says.
    """
    wanted = {day for day in sessions if is_session(day)}
    found = []
    for symbol in sorted({canonical_symbol(name) for name in underlyings}):
        folder = archive / "chains" / folder_of(symbol)
        found += [
            ChainFile(file, ticker_of(symbol), session, f"chains/{folder.name}/{file.name}")
            for file in sorted(folder.glob("*.parquet"))
            if (session := date.fromisoformat(file.stem)) in wanted
        ]
    return found


def folder_of(underlying: str) -> str:
    """Folder of an underlying: its plain symbol, `SPX`; `I:COMP`, whose plain symbol is a stock's, is `I_COMP`."""
    return canonical_symbol(underlying).replace(":", "_").replace("/", "~")


def read_chain(file: ChainFile) -> ReadChain:
    """The file's chain, judged. Raises `FileRefusedError` naming column or rows that make it unusable."""
    body = file.path.read_bytes()
    sha256 = hashlib.sha256(body).hexdigest()
    try:
        rows = pl.read_parquet(io.BytesIO(body), hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise FileRefusedError(
            file.place.error(Rule.VALUE_UNREADABLE, f"it is no readable Parquet file ({error}).", "Fetch it again.")
        ) from error
    rows = _typed(rows, file.place)
    told = rows.select(pl.col("session", "underlying", "root").unique().implode(), pl.col("snapshot_at").max())
    sessions, underlyings, roots, taken_at = told.row(0)
    _expect_place(sessions, underlyings, file)
    snapshot_at = _snapshot_at(taken_at, file)
    terms = standard_terms(roots)
    rows = rows.with_columns(
        *_FROM_ARCHIVE,
        pl.lit(file.underlying).alias("underlying"),
        pl.lit(snapshot_at, dtype=STAMP).alias("snapshot_at"),
        *(pl.coalesce(pl.col(name), standard).alias(name) for name, standard in terms.items()),
        pl.lit(sessions_back(file.session, 2)[0]).alias("open_interest_as_of"),
    )
    return ReadChain(judge_chain(rows, file.place, file.session), sha256)


def _snapshot_at(told: datetime | None, file: ChainFile) -> datetime:
    """The session's close, or `told`, the newest `snapshot_at` of the file, in whole seconds."""
    if told is None:
        return regular_hours(file.session).closes_at
    if told.astimezone(NEW_YORK).date() != file.session:
        raise FileRefusedError(
            file.place.error(Rule.FOREIGN_DATE, f"its snapshot_at, {told}, lies outside the session.", "Fix the file.")
        )
    return told.replace(microsecond=0)


def _typed(rows: pl.DataFrame, place: ObjectPlace) -> pl.DataFrame:
    """All columns in their types. A number of another width is taken; text for a number, or a number for a date, is not."""
    have = rows.schema
    missing = [name for name in COLUMNS if name not in have]
    if missing:
        raise FileRefusedError(
            place.error(Rule.COLUMN_MISSING, f"it has no column {', '.join(missing)}.", "Rename or add the columns.")
        )
    wrong = [
        f"{name} is {have[name]}, not {dtype}"
        for name, dtype in _TYPES.items()
        if name in have and not _fits(have[name], dtype)
    ]
    if wrong:
        raise FileRefusedError(
            place.error(Rule.COLUMN_TYPE_WRONG, f"{'; '.join(wrong)}.", "Write the archive with the types it promises.")
        )
    absent = [missing_column for name, missing_column in _ABSENT.items() if name not in have]
    other = {name: dtype for name, dtype in _TYPES.items() if name in have and have[name] != dtype}
    if not absent and not other:
        return rows
    try:
        return rows.with_columns(*absent, *(pl.col(name).cast(dtype) for name, dtype in other.items()))
    except pl.exceptions.InvalidOperationError as error:
        raise FileRefusedError(
            place.error(Rule.COLUMN_TYPE_WRONG, f"a number does not fit its column ({error}).", "Fix the archive.")
        ) from error


def _fits(have: pl.DataType, wanted: pl.DataType) -> bool:
    if have in (wanted, pl.Null):
        return True
    if isinstance(wanted, pl.Datetime):
        return isinstance(have, pl.Datetime) and have.time_zone is not None
    return (wanted.is_float() and have.is_numeric()) or (wanted.is_integer() and have.is_integer())


def _expect_place(sessions: Sequence[date], underlyings: Sequence[str | None], file: ChainFile) -> None:
    if sessions != [file.session]:
        raise FileRefusedError(
            file.place.error(
                Rule.FOREIGN_DATE,
                f"its rows are of {sessions[:3]}, not of {file.session}.",
                "Rename or remove the file.",
            )
        )
    if any(name is None or ticker_of(name) != file.underlying for name in underlyings):
        raise FileRefusedError(
            file.place.error(
                Rule.CONTRACT_CONTRADICTORY,
                f"its rows are of {underlyings[:3]}, not of {file.underlying}.",
                "Move the file to the folder of its underlying.",
            )
        )
