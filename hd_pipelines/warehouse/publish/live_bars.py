"""Adds bars of the running session minute by minute: inserts new rows, updates corrected ones, deletes nothing.

Replacing the session, as `publication` does, would write every bar of the day again each minute: a million dead rows a day
for eleven symbols, and no `created_at` that shows when a bar was first known. Bars made from files are never touched; that
is decided under the publish lock, in the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from hd_pipelines.market.findings import Finding
from hd_pipelines.warehouse.engine import Database, get_driver_connection
from hd_pipelines.warehouse.errors import BarsRefusedError
from hd_pipelines.warehouse.publish.bar_rows import Scope, check_bars, copy_bars, sort_by_key
from hd_pipelines.warehouse.publish.partition_build import (
    assume_role,
    build_key,
    quote_columns,
    watch_client_connection,
)
from hd_pipelines.warehouse.publish.publication import ignore_step
from hd_pipelines.warehouse.records.findings import CheckedScope, settle_findings
from hd_pipelines.warehouse.roles import Role
from hd_pipelines.warehouse.schema.partitioned import BARS, Partition
from hd_pipelines.warehouse.schema.partitions import (
    add_empty_partition,
    drop_staging_tables,
    partition_exists,
    take_publish_lock,
)
from hd_pipelines.warehouse.schema.tables import BAR_COLUMNS, BAR_KEY

LIVE = "live-"
"""Prefix of the fingerprints of bars made from the running session's minutes; no fingerprint of a file has it."""
LOCK_WAIT_SECONDS = 45
"""Shorter than for other loads: the next minute brings everything that this one could not publish."""
_VALUES = tuple(name for name in BAR_COLUMNS if name not in BAR_KEY)
_STAGED = sql.Identifier("pg_temp", "live_bars_rows")


def is_live(fingerprint: str | None) -> bool:
    """Return whether bars with this fingerprint were made from the running session's minutes, not yet from files."""
    return fingerprint is not None and fingerprint.startswith(LIVE)


@dataclass(frozen=True, slots=True)
class LiveLoad:
    """What was written. `from_files`: symbols not touched, since their session has been loaded from files."""

    added: int
    corrected: int
    symbols: tuple[str, ...]
    from_files: tuple[str, ...]


def add_live_bars(
    database: Database,
    frame: pl.DataFrame,
    *,
    session: date,
    fingerprints: Mapping[str, str],
    run_id: str | None = None,
    findings: Sequence[Finding] = (),
    checked: Sequence[CheckedScope] = (),
    on_step: Callable[[str], None] = ignore_step,
) -> LiveLoad:
    """Add the bars of `frame` to `session` in one transaction, with manifest and findings, or change nothing.

    Args:
        database: The warehouse.
        frame: Bars; columns as `tables.BAR_COLUMNS`, all of the symbols of `fingerprints` and of `session`.
        session: The running session.
        fingerprints: By symbol; one equal to the published fingerprint means that the symbol has nothing new.
        run_id: The run that loads, kept with manifest and findings.
        findings: What is wrong with the input, recorded in the same transaction.
        checked: What the run has checked, so that earlier findings it does not repeat are resolved.
        on_step: Called with the name of each step as it is reached.

    Raises `BarsRefusedError` for bars that break a rule, `PublishBlockedError` if another load holds the lock for too long.
    """
    foreign = sorted(symbol for symbol, mark in fingerprints.items() if not is_live(mark))
    if foreign:
        raise BarsRefusedError(
            f"Live bars of {foreign[0]} have a fingerprint without the prefix {LIVE!r}. Remedy: add the prefix."
        )
    new_bars = check_bars(frame, Scope.of(fingerprints, [session]))
    with database.begin(Role.OWNER) as connection:
        cursor = get_driver_connection(connection).cursor()
        watch_client_connection(cursor)
        take_publish_lock(cursor, BARS, wait_seconds=LOCK_WAIT_SECONDS)
        on_step("locked")
        partition = Partition.of(session, BARS)
        if new_bars.height and not partition_exists(cursor, partition):
            drop_staging_tables(cursor, BARS)
            add_empty_partition(cursor, partition)
        assume_role(cursor, Role.SERVICE)
        held = _read_marks(cursor, session, sorted(fingerprints))
        from_files = tuple(symbol for symbol, mark in sorted(held.items()) if not is_live(mark))
        news = {
            symbol: mark
            for symbol, mark in sorted(fingerprints.items())
            if symbol not in from_files and held.get(symbol) != mark
        }
        added, corrected = {}, 0
        if news:
            rows = new_bars.filter(pl.col("symbol").is_in(list(news)))
            _stage(cursor, rows)
            on_step("copied")
            corrected = _correct(cursor, session, rows)
            on_step("corrected")
            added = _insert(cursor)
            on_step("inserted")
            _record(cursor, session, news, added, run_id)
        settle_findings(connection, findings, checked, run_id=run_id)
        on_step("recorded")
        on_step("before_commit")
    on_step("after_commit")
    return LiveLoad(sum(added.values()), corrected, tuple(news), from_files)


def _read_marks(cursor: psycopg.Cursor[Any], session: date, symbols: Sequence[str]) -> dict[str, str]:
    cursor.execute(
        "SELECT symbol, fingerprint FROM public.bars_manifest WHERE session = %s AND symbol = ANY(%s::text[])",
        (session, list(symbols)),
    )
    return dict(cursor.fetchall())


def _stage(cursor: psycopg.Cursor[Any], rows: pl.DataFrame) -> None:
    cursor.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE live_bars_rows (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) ON COMMIT DROP"
        ).format(BARS.parent)
    )
    copy_bars(cursor, _STAGED, sort_by_key(rows), frozen=False)
    build_key(
        cursor, sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(_STAGED, quote_columns(BAR_KEY)), BarsRefusedError
    )


def _correct(cursor: psycopg.Cursor[Any], session: date, rows: pl.DataFrame) -> int:
    """Update bars that are stored with other values; return how many.

    The day's bars are looked up by the first columns of their key: the planner has no statistics of a running session,
    and a search by session alone would read the index of the whole month.
    """
    cursor.execute(
        sql.SQL(
            "UPDATE {parent} AS held SET {changes}, created_at = now() FROM {staged} AS fresh"
            " WHERE held.session = {session} AND held.symbol = ANY({symbols}) AND held.timeframe = ANY({timeframes})"
            ' AND held."timestamp" BETWEEN {first} AND {last} AND {same} AND ({theirs}) IS DISTINCT FROM ({ours})'
        ).format(
            parent=BARS.parent,
            changes=sql.SQL(", ").join(sql.SQL("{0} = fresh.{0}").format(sql.Identifier(name)) for name in _VALUES),
            staged=_STAGED,
            session=sql.Literal(session),
            symbols=sql.Literal(rows["symbol"].unique().sort().to_list()),
            timeframes=sql.Literal(rows["timeframe"].unique().sort().to_list()),
            first=sql.Literal(rows["timestamp"].min()),
            last=sql.Literal(rows["timestamp"].max()),
            same=sql.SQL(" AND ").join(
                sql.SQL("held.{0} = fresh.{0}").format(sql.Identifier(name)) for name in BAR_KEY
            ),
            theirs=_of("held", _VALUES),
            ours=_of("fresh", _VALUES),
        )
    )
    return cursor.rowcount


def _insert(cursor: psycopg.Cursor[Any]) -> dict[str, int]:
    """Insert bars that are not stored yet; return how many of each symbol. ON CONFLICT looks each up by its key."""
    cursor.execute(
        sql.SQL(
            "WITH added AS (INSERT INTO {parent} ({columns}) SELECT {columns} FROM {staged}"
            " ON CONFLICT ({key}) DO NOTHING RETURNING symbol) SELECT symbol, count(*) FROM added GROUP BY symbol"
        ).format(parent=BARS.parent, columns=quote_columns(BAR_COLUMNS), staged=_STAGED, key=quote_columns(BAR_KEY))
    )
    return dict(cursor.fetchall())


def _of(relation: str, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(relation, name) for name in columns)


def _record(
    cursor: psycopg.Cursor[Any], session: date, marks: Mapping[str, str], added: Mapping[str, int], run_id: str | None
) -> None:
    cursor.execute(
        "INSERT INTO public.bars_manifest AS held (symbol, session, fingerprint, rows, run_id, loaded_at)"
        " SELECT symbol, %s, fingerprint, rows, %s, now()"
        " FROM unnest(%s::text[], %s::text[], %s::int[]) AS made (symbol, fingerprint, rows)"
        " ON CONFLICT (symbol, session) DO UPDATE SET fingerprint = excluded.fingerprint,"
        " rows = held.rows + excluded.rows, run_id = excluded.run_id, loaded_at = excluded.loaded_at",
        (session, run_id, list(marks), list(marks.values()), [added.get(symbol, 0) for symbol in marks]),
    )
