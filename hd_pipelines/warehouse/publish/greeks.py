"""Publishes valued contracts: replaces the rows of a scope in one transaction, with the fingerprints of their inputs.

How a scope is replaced is in `publication`, how rows become bytes in `row_encoding`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl
import psycopg
from psycopg import sql
from sqlalchemy import Numeric

from hd_pipelines.market.findings import Finding
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.errors import RowsRefusedError
from hd_pipelines.warehouse.publish.partition_build import Audit, Content
from hd_pipelines.warehouse.publish.publication import Method, PublishReport, ignore_step, publish
from hd_pipelines.warehouse.publish.row_copy import make_row_copier
from hd_pipelines.warehouse.publish.row_shape import check_rows
from hd_pipelines.warehouse.publish.scope import Scope, require_fingerprints, require_within, scope_to_sql
from hd_pipelines.warehouse.records.derivations import record_derivations
from hd_pipelines.warehouse.records.findings import CheckedScope
from hd_pipelines.warehouse.schema.partitioned import GREEKS

__all__ = ["Method", "PublishReport", "Scope", "publish_greeks"]

_KEY_ORDER = ("symbol", "timestamp", "contract_ticker")
"""Order on disk: the rows of a snapshot lie together, and so do the snapshots of a symbol."""

_PRICES = [column.name for column in GREEKS.table.columns if isinstance(column.type, Numeric)]
_DECIMALS = 8


def _sort_by_key(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort(_KEY_ORDER)


_CONTENT = Content(GREEKS, make_row_copier(GREEKS.table, RowsRefusedError), _sort_by_key, RowsRefusedError)


def _add_kept_rows(cursor: psycopg.Cursor[Any], counted: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """Return `counted` plus the rows of the same pairs that this load keeps."""
    whole, in_pair = scope_to_sql(GREEKS, counted)
    single, is_replaced = scope_to_sql(GREEKS, wanted)
    statement = sql.SQL(
        "SELECT held.symbol, held.session, count(*) FROM {parent} AS held, {whole} WHERE {in_pair}"
        " AND NOT EXISTS (SELECT FROM {single} WHERE {is_replaced}) GROUP BY held.symbol, held.session"
    ).format(parent=GREEKS.parent, whole=whole, in_pair=in_pair, single=single, is_replaced=is_replaced)
    schema = {"symbol": pl.String, "session": pl.Date, "others": pl.Int64}
    others = pl.DataFrame(cursor.execute(statement).fetchall(), schema=schema, orient="row")
    return counted.join(others, on=["symbol", "session"], how="left", maintain_order="left").with_columns(
        pl.col("rows") + pl.col("others").fill_null(0)
    )


def publish_greeks(
    database: Database,
    frame: pl.DataFrame,
    *,
    scope: Scope | pl.DataFrame,
    fingerprints: Mapping[tuple[str, date], str],
    run_id: str | None = None,
    findings: Sequence[Finding] = (),
    checked: Sequence[CheckedScope] = (),
    audit: Audit | None = None,
    method: Method | None = None,
    on_step: Callable[[str], None] = ignore_step,
) -> PublishReport:
    """Replace exactly the valued contracts of `scope` by those of `frame`, or change nothing.

    Args:
        database: The warehouse.
        frame: `option_chains.VALUED` plus `iv_rank` and `iv_percentile`, any order, every row inside `scope`.
        scope: Pairs of symbol and session; or a frame with the columns symbol, session and timestamp, to replace single
            snapshots and keep the others of the session.
        fingerprints: For every pair of `scope`, the fingerprint of the inputs of all its rows.
        findings: What is wrong with the input, recorded in the same transaction.
        checked: What the run has checked, so that earlier findings it does not repeat are resolved.
        run_id: The run that loads, kept with manifest and findings.
        audit: Called with every relation that holds the new rows before they can be read; raising stops the load.
        method: Forces one method for all partitions; None chooses by size.
        on_step: Called with the name of each step as it is reached.

    Prices are rounded to eight decimals: beyond these the mean of two quotes holds only float noise.
    Raises `RowsRefusedError` for rows that break a rule, `PublishBlockedError` if locks cannot be acquired in time.
    """
    wanted = scope.frame if isinstance(scope, Scope) else scope.unique().sort(scope.columns)
    pairs = set(wanted.select("symbol", "session").iter_rows())
    require_fingerprints(pairs, fingerprints, RowsRefusedError)
    rows = check_rows(frame, GREEKS.table).with_columns(pl.col(_PRICES).cast(pl.Float64).round(_DECIMALS))
    require_within(rows, wanted, RowsRefusedError)

    def record(cursor: psycopg.Cursor[Any], counted: pl.DataFrame) -> None:
        if "timestamp" in wanted.columns:
            counted = _add_kept_rows(cursor, counted, wanted)
        record_derivations(cursor, GREEKS.name, counted, fingerprints, run_id)

    return publish(
        database,
        _CONTENT,
        rows,
        wanted,
        record=record,
        run_id=run_id,
        findings=findings,
        checked=checked,
        audit=audit,
        method=method,
        on_step=on_step,
    )
