"""Reads bars, current loads and open findings for assets, checks and the command line."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
from psycopg import sql
from sqlalchemy import ColumnElement, Connection, func, select

from hd_pipelines.market.frames import frame_schema
from hd_pipelines.tables.bars import HISTORICAL_BARS
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.read.frames import read_frame, to_select_list
from hd_pipelines.warehouse.schema.tables import (
    TIMEFRAMES,
    bars_manifest,
    data_findings,
    historical_bars,
    load_manifest,
)

BAR_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = frame_schema(HISTORICAL_BARS)
"""Types of a frame of bars as read, and as `publish_bars` takes it."""


@dataclass(frozen=True, slots=True)
class CurrentLoad:
    """The current row of `load_manifest` for one dataset and session."""

    load_id: str
    dataset: str
    session: date
    etag: str
    size: int
    sha256: str
    rows: int
    rows_set_aside: int
    object_key: str
    landed_at: datetime
    ingested_at: datetime


@dataclass(frozen=True, slots=True)
class TimeframeSummary:
    """How much of one timeframe is published."""

    timeframe: str
    bars: int
    symbols: int
    sessions: int
    first_session: date
    last_session: date


@dataclass(frozen=True, slots=True)
class OpenFinding:
    """A finding that no later load has resolved."""

    finding_id: str
    rule: str
    severity: str
    dataset: str
    session: date | None
    subject: str
    detail: str
    cure: str
    rows: int
    first_row: int | None
    first_seen_at: datetime
    last_seen_at: datetime
    run_id: str | None


def read_bars(
    database: Database, symbols: Collection[str] | None, timeframe: str | None, first: date, last: date
) -> pl.DataFrame:
    """Read bars of the sessions `first` to `last`, both included, in key order; None means every symbol or timeframe.

    Prices come as float64: numerics are written from shortest decimals, so the floats that went in come out.
    """
    conditions: list[sql.Composable] = [
        sql.SQL("session BETWEEN {} AND {}").format(sql.Literal(first), sql.Literal(last))
    ]
    if symbols is not None:
        conditions.append(sql.SQL("symbol = ANY({}::text[])").format(sql.Literal(sorted(symbols))))
    if timeframe is not None:
        conditions.append(sql.SQL("timeframe = {}").format(sql.Literal(timeframe)))
    select = sql.SQL(
        'SELECT {} FROM public.historical_bars WHERE {} ORDER BY symbol, timeframe, "timestamp", session'
    ).format(to_select_list(BAR_SCHEMA), sql.SQL(" AND ").join(conditions))
    with database.connect() as connection:
        return read_frame(connection, select, BAR_SCHEMA)


def read_current_loads(connection: Connection, datasets: Collection[str], first: date, last: date) -> list[CurrentLoad]:
    """Read the current manifest rows of `datasets` from `first` to `last`, both included, by dataset and session."""
    manifest = load_manifest.c
    columns: list[ColumnElement[Any]] = [manifest[name] for name in CurrentLoad.__dataclass_fields__]
    statement = (
        select(*columns)
        .where(manifest.dataset.in_(sorted(datasets)), manifest.session.between(first, last))
        .where(manifest.superseded_by.is_(None))
        .order_by(manifest.dataset, manifest.session)
    )
    return [CurrentLoad(**row) for row in connection.execute(statement).mappings()]


def find_session_by_sha256(connection: Connection, dataset: str, sha256: str) -> date | None:
    """Find the session under which `dataset` currently holds a file of this content: the earliest, or None."""
    manifest = load_manifest.c
    statement = select(func.min(manifest.session)).where(
        manifest.dataset == dataset, manifest.sha256 == sha256, manifest.superseded_by.is_(None)
    )
    return connection.execute(statement).scalar_one()


def read_bar_fingerprints(
    connection: Connection, symbols: Collection[str], first: date, last: date
) -> dict[tuple[str, date], str]:
    """Read the fingerprints of the inputs of published bars, by (symbol, session); absent where none are published."""
    manifest = bars_manifest.c
    statement = select(manifest.symbol, manifest.session, manifest.fingerprint).where(
        manifest.symbol.in_(sorted(symbols)), manifest.session.between(first, last)
    )
    return {(row.symbol, row.session): row.fingerprint for row in connection.execute(statement)}


def read_open_findings(
    connection: Connection,
    *,
    datasets: Collection[str] | None = None,
    first: date | None = None,
    last: date | None = None,
) -> list[OpenFinding]:
    """Read the findings that are not resolved, errors first, then by dataset, session and subject.

    `first` and `last` restrict the findings to sessions in that window.
    """
    finding = data_findings.c
    columns: list[ColumnElement[Any]] = [finding[name] for name in OpenFinding.__dataclass_fields__]
    statement = select(*columns).where(finding.resolved_at.is_(None))
    if datasets is not None:
        statement = statement.where(finding.dataset.in_(sorted(datasets)))
    if first is not None:
        statement = statement.where(finding.session >= first)
    if last is not None:
        statement = statement.where(finding.session <= last)
    ordered = statement.order_by(finding.severity, finding.dataset, finding.session, finding.subject, finding.rule)
    return [OpenFinding(**row) for row in connection.execute(ordered).mappings()]


def summarize_bars(connection: Connection, timeframes: Sequence[str] | None = None) -> list[TimeframeSummary]:
    """Summarize the published bars by timeframe, shortest first. Reads every bar: about a second per ten million."""
    bar = historical_bars.c
    statement = select(
        bar.timeframe,
        func.count().label("bars"),
        func.count(bar.symbol.distinct()).label("symbols"),
        func.count(bar.session.distinct()).label("sessions"),
        func.min(bar.session).label("first_session"),
        func.max(bar.session).label("last_session"),
    ).group_by(bar.timeframe)
    if timeframes is not None:
        statement = statement.where(bar.timeframe.in_(list(timeframes)))
    found = [TimeframeSummary(**row) for row in connection.execute(statement).mappings()]
    return sorted(found, key=lambda row: TIMEFRAMES.index(row.timeframe))
