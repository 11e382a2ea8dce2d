"""Publishes bars: replaces the bars of a scope in one transaction, with the fingerprints of their inputs.

How a scope is replaced is in `publication`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl
import psycopg

from hd_pipelines.market.findings import Finding
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.errors import BarsRefusedError
from hd_pipelines.warehouse.publish.bar_rows import check_bars, copy_bars, sort_by_key
from hd_pipelines.warehouse.publish.partition_build import Audit, Content
from hd_pipelines.warehouse.publish.publication import Method, PublishReport, ignore_step, publish
from hd_pipelines.warehouse.publish.scope import Scope, require_fingerprints
from hd_pipelines.warehouse.records.findings import CheckedScope
from hd_pipelines.warehouse.schema.partitioned import BARS

__all__ = ["Method", "PublishReport", "Scope", "publish_bars"]

_CONTENT = Content(BARS, copy_bars, sort_by_key, BarsRefusedError)


def publish_bars(
    database: Database,
    frame: pl.DataFrame,
    *,
    scope: Scope,
    fingerprints: Mapping[tuple[str, date], str],
    run_id: str | None = None,
    findings: Sequence[Finding] = (),
    checked: Sequence[CheckedScope] = (),
    audit: Audit | None = None,
    method: Method | None = None,
    on_step: Callable[[str], None] = ignore_step,
) -> PublishReport:
    """Replace exactly the bars of `scope` by those of `frame`, with their manifest and findings, or change nothing.

    Args:
        database: The warehouse.
        frame: Bars; columns as `tables.BAR_COLUMNS`, any order, every one inside `scope`.
        scope: Pairs to replace; a pair without bars in `frame` ends up with none.
        fingerprints: For every pair of `scope`, the fingerprint of its inputs.
        run_id: The run that loads, kept with manifest and findings.
        findings: What is wrong with the input, recorded in the same transaction.
        checked: What the run has checked, so that earlier findings it does not repeat are resolved.
        audit: Called with every relation that holds the new bars before they can be read; raising stops the load.
        method: Forces one method for all partitions; None chooses by size.
        on_step: Called with the name of each step as it is reached.

    Raises `BarsRefusedError` for bars that break a rule, `PublishBlockedError` if locks cannot be acquired in time.
    """
    require_fingerprints(scope.pairs, fingerprints, BarsRefusedError)

    def record(cursor: psycopg.Cursor[Any], pairs: pl.DataFrame) -> None:
        named = [fingerprints[(symbol, session)] for symbol, session, _ in pairs.iter_rows()]
        cursor.execute(
            "INSERT INTO public.bars_manifest AS held (symbol, session, fingerprint, rows, run_id, loaded_at)"
            " SELECT symbol, session, fingerprint, rows, %s, now()"
            " FROM unnest(%s::text[], %s::date[], %s::text[], %s::int[]) AS made (symbol, session, fingerprint, rows)"
            " ON CONFLICT (symbol, session) DO UPDATE SET fingerprint = excluded.fingerprint, rows = excluded.rows,"
            " run_id = excluded.run_id, loaded_at = excluded.loaded_at",
            (run_id, pairs["symbol"].to_list(), pairs["session"].to_list(), named, pairs["rows"].to_list()),
        )

    return publish(
        database,
        _CONTENT,
        check_bars(frame, scope),
        scope.frame,
        record=record,
        run_id=run_id,
        findings=findings,
        checked=checked,
        audit=audit,
        method=method,
        on_step=on_step,
    )
