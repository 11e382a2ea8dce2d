"""Publishes the small derived tables: replaces the rows of a scope in one transaction and does not touch unchanged rows.

The tables are `iv_percentile_cache`, `gamma_exposure_snapshots`, `market_regime_history` and `treasury_yields`. Some have
parts: tables whose rows belong to a row of theirs and that are only ever replaced together with it. Rows are staged, then
merged: rows of the scope that no longer exist are deleted, changed ones updated, new ones inserted. So a repeated load
writes nothing, `created_at` stays, and `updated_at` is when a row last changed. Large loads are in `greeks`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import polars as pl

from hd_pipelines.market.findings import Finding
from hd_pipelines.warehouse.engine import Database, get_driver_connection
from hd_pipelines.warehouse.errors import RowsRefusedError
from hd_pipelines.warehouse.publish.partition_build import assume_role, watch_client_connection
from hd_pipelines.warehouse.publish.publication import ignore_step
from hd_pipelines.warehouse.publish.row_merge import RowMerge, stage_scope
from hd_pipelines.warehouse.publish.scope import require_fingerprints
from hd_pipelines.warehouse.records.derivations import MARKET, record_derivations
from hd_pipelines.warehouse.records.findings import CheckedScope, settle_findings
from hd_pipelines.warehouse.roles import Role
from hd_pipelines.warehouse.schema.partitioned import (
    GAMMA,
    GAMMA_EXPIRATIONS,
    GAMMA_STRIKES,
    IV_PERCENTILES,
    REGIME,
)
from hd_pipelines.warehouse.schema.partitions import take_lock
from hd_pipelines.warehouse.schema.tables import metadata, treasury_yields

_KEYS = {
    IV_PERCENTILES.name: ("symbol", "date"),
    GAMMA.name: ("symbol", "timestamp"),
    REGIME.name: ("date",),
    treasury_yields.name: ("date", "years"),
}
"""The tables that are published here, and the unique key that matches a new row to the one it replaces."""
_PARTS = {GAMMA.name: {GAMMA_STRIKES.name: GAMMA_STRIKES.key, GAMMA_EXPIRATIONS.name: GAMMA_EXPIRATIONS.key}}
"""The parts of a table, and their keys, which begin with that of the table."""
_NO_PARTS: Mapping[str, pl.DataFrame] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RowsReport:
    """Counts of a load, parts included: rows given, inserted or changed, and deleted because they no longer exist."""

    rows: int
    written: int
    deleted: int
    seconds: float


def publish_rows(
    database: Database,
    table_name: str,
    frame: pl.DataFrame,
    *,
    parts: Mapping[str, pl.DataFrame] = _NO_PARTS,
    scope: pl.DataFrame,
    fingerprints: Mapping[tuple[str, date], str],
    run_id: str | None = None,
    findings: Sequence[Finding] = (),
    checked: Sequence[CheckedScope] = (),
    on_step: Callable[[str], None] = ignore_step,
) -> RowsReport:
    """Replace exactly the rows of `scope` in a small derived table and its parts by those given, or change nothing.

    Args:
        database: The warehouse.
        table_name: `iv_percentile_cache`, `gamma_exposure_snapshots`, `market_regime_history` or `treasury_yields`.
        frame: The table's columns without `created_at` and `updated_at`, any order, every row inside `scope`.
        parts: Rows of each part of the table, by its name; each belongs to a row of `frame`. For
            `gamma_exposure_snapshots`: `gamma_by_strike` and `gamma_by_expiration`.
        scope: What to replace: column `session` (the `date` of tables that have one), `symbol` unless the table is
            about the market, and `timestamp` where single gamma snapshots are replaced.
        fingerprints: For every (symbol, session) of `scope`, the fingerprint of its inputs; symbol is
            `derivations.MARKET` for a table without symbols.
        findings: What is wrong with the input, recorded in the same transaction.
        checked: What the run has checked, so that earlier findings it does not repeat are resolved.
        run_id: The run that loads, kept with manifest and findings.
        on_step: Called with the name of each step as it is reached.

    Raises `RowsRefusedError` for rows that break a rule, `PublishBlockedError` if another load holds the lock for too long,
    `KeyError` for a table that is not published here.
    """
    started = time.perf_counter()
    covered = _normalize_scope(table_name, scope)
    merges = _build_merges(table_name, frame, parts, covered)
    require_fingerprints(_list_pairs(covered).iter_rows(), fingerprints, RowsRefusedError)
    with database.begin(Role.OWNER) as connection:
        cursor = get_driver_connection(connection).cursor()
        watch_client_connection(cursor)
        for each in merges:
            take_lock(cursor, each.table.name)
        on_step("locked")
        for each in merges:
            each.add_partitions(cursor)
        assume_role(cursor, Role.SERVICE)
        stage_scope(cursor, covered)
        for each in merges:
            each.stage(cursor)
        on_step("staged")
        deleted = sum(each.delete(cursor) for each in merges)
        on_step("deleted")
        written = sum(each.merge(cursor) for each in merges)
        on_step("merged")
        record_derivations(cursor, table_name, merges[0].count_rows(cursor), fingerprints, run_id)
        settle_findings(connection, findings, checked, run_id=run_id)
        on_step("before_commit")
    on_step("after_commit")
    rows = sum(each.rows.height for each in merges)
    return RowsReport(rows, written, deleted, time.perf_counter() - started)


def _normalize_scope(table_name: str, scope: pl.DataFrame) -> pl.DataFrame:
    """Return the unique rows of `scope`; refuse columns that the table cannot be narrowed by."""
    if table_name not in _KEYS:
        raise KeyError(f"{table_name} is not published row by row; there are {', '.join(_KEYS)}")
    needed = {"session"} | ({"symbol"} & set(metadata.tables[table_name].c.keys()))
    may = needed | ({"timestamp"} & set(_KEYS[table_name]))
    if not needed <= set(scope.columns) <= may:
        raise RowsRefusedError(
            f"A scope of {table_name} has the columns {sorted(needed)}, may have {sorted(may)}, and this one has "
            f"{sorted(scope.columns)}."
        )
    wanted = [name for name in ("symbol", "session", "timestamp") if name in scope.columns]
    return scope.select(wanted).unique().sort(wanted)


def _build_merges(
    table_name: str, frame: pl.DataFrame, parts: Mapping[str, pl.DataFrame], scope: pl.DataFrame
) -> list[RowMerge]:
    """Build the merge of the table and those of its parts, in the order in which every load takes their locks."""
    keys = _PARTS.get(table_name, {})
    if parts.keys() != keys.keys():
        raise RowsRefusedError(
            f"{table_name} is published together with {sorted(keys) or 'no other table'}, and this load has "
            f"{sorted(parts) or 'none'}. Remedy: give the rows of each, or an empty frame."
        )
    main = RowMerge(table_name, _KEYS[table_name], frame, scope)
    merges = [main, *(RowMerge(name, key, parts[name], scope) for name, key in keys.items())]
    owners = main.rows.select(main.key)
    for part in merges[1:]:
        lost = part.rows.join(owners, on=main.key, how="anti").select(main.key)
        if lost.height:
            raise RowsRefusedError(
                f"{lost.height} rows of {part.table.name} belong to no row of {table_name} in this load, first "
                f"{' '.join(map(str, lost.row(0)))}. Remedy: compute both from the same input."
            )
    return merges


def _list_pairs(scope: pl.DataFrame) -> pl.DataFrame:
    """`symbol`, `session` of the scope; the market's name where there is no symbol."""
    symbol = pl.col("symbol") if "symbol" in scope.columns else pl.lit(MARKET).alias("symbol")
    return scope.select(symbol, "session").unique().sort("symbol", "session")
