"""Writes and reads `derivation_manifest`, the fingerprints of the inputs of derived rows, so that a second run does nothing.

Bars have a manifest of their own, `bars_manifest`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

import polars as pl
import psycopg
from sqlalchemy import Connection, func, select

from hd_pipelines.warehouse.schema.tables import derivation_manifest

SIGNALS = "composite_signals"
MARKET = "*"
"""Used as the symbol of tables about the market as a whole."""


def record_derivations(
    cursor: psycopg.Cursor[Any],
    table_name: str,
    pairs: pl.DataFrame,
    fingerprints: Mapping[tuple[str, date], str],
    run_id: str | None,
) -> None:
    """Record the fingerprint of the inputs of every pair (`symbol`, `session`, `rows`) of `table_name`."""
    named = [fingerprints[(symbol, session)] for symbol, session in pairs.select("symbol", "session").iter_rows()]
    cursor.execute(
        "INSERT INTO public.derivation_manifest AS held"
        " (table_name, symbol, session, fingerprint, rows, run_id, loaded_at)"
        " SELECT %s, symbol, session, fingerprint, rows, %s, now()"
        " FROM unnest(%s::text[], %s::date[], %s::text[], %s::bigint[]) AS made (symbol, session, fingerprint, rows)"
        " ON CONFLICT (table_name, symbol, session) DO UPDATE SET fingerprint = excluded.fingerprint,"
        " rows = excluded.rows, run_id = excluded.run_id, loaded_at = excluded.loaded_at",
        (
            table_name,
            run_id,
            pairs["symbol"].to_list(),
            pairs["session"].to_list(),
            named,
            pairs["rows"].to_list(),
        ),
    )


def read_fingerprints(
    connection: Connection, table_name: str, symbols: Collection[str] | None, first: date, last: date
) -> dict[tuple[str, date], str]:
    """Read the fingerprints of `table_name` by (symbol, session); absent where there are no rows. None: all symbols."""
    held = derivation_manifest.c
    statement = select(held.symbol, held.session, held.fingerprint).where(
        held.table_name == table_name, held.session.between(first, last)
    )
    if symbols is not None:
        statement = statement.where(held.symbol.in_(sorted(symbols)))
    return {(row.symbol, row.session): row.fingerprint for row in connection.execute(statement)}


def read_publication_times(
    connection: Connection, table_name: str, symbols: Collection[str], first: date, last: date
) -> dict[tuple[str, date], datetime]:
    """Read when the rows of `table_name` were last published, by (symbol, session); absent where there are none.

    Unlike a fingerprint, it also changes when rows are published again because rows that they refer to have changed, such
    as the ranks of later sessions.
    """
    held = derivation_manifest.c
    statement = select(held.symbol, held.session, held.loaded_at).where(
        held.table_name == table_name, held.session.between(first, last), held.symbol.in_(sorted(symbols))
    )
    return {(row.symbol, row.session): row.loaded_at for row in connection.execute(statement)}


def read_row_counts(
    connection: Connection, table_name: str, symbols: Collection[str] | None, first: date, last: date
) -> dict[tuple[str, date], int]:
    """Read how many rows `table_name` holds, by (symbol, session), as its loads recorded it."""
    held = derivation_manifest.c
    statement = select(held.symbol, held.session, held.rows).where(
        held.table_name == table_name, held.session.between(first, last)
    )
    if symbols is not None:
        statement = statement.where(held.symbol.in_(sorted(symbols)))
    return {(row.symbol, row.session): row.rows for row in connection.execute(statement)}


def read_derived_state(connection: Connection) -> str:
    """Return a text that changes whenever derived rows that marts read are published; equal texts mean equal marts.

    Signals are excluded: no mart reads them.
    """
    held = derivation_manifest.c
    state = select(func.count(), func.sum(held.rows), func.max(held.loaded_at)).where(held.table_name != SIGNALS)
    pairs, rows, newest = connection.execute(state).one()
    return f"{pairs} derivations, {rows} rows, {newest}"
