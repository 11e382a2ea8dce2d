"""Runs one read-only statement with the rights of the reader role and streams its rows: `hd query`.

The statement is first only parsed (one statement, as hd_reader), which gives its columns; then it runs inside
`run_as_reader`, where PostgreSQL refuses any change of role, in a read-only transaction under a time limit. So the login
user's own rights, often a superuser's, are out of reach whatever functions the statement calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.pq import ExecStatus

from hd_pipelines.warehouse.engine import CONNECT_TIMEOUT_SECONDS, to_libpq_url
from hd_pipelines.warehouse.errors import QueryRefusedError
from hd_pipelines.warehouse.roles import Role, can_use_roles

_ROWS_PER_FETCH = 5_000


class RowStream(Iterator[tuple[Any, ...]]):
    """Rows as they arrive; holds one connection until exhausted or closed."""

    def __init__(self, connection: psycopg.Connection[Any], cursor: psycopg.ServerCursor[Any]) -> None:
        self._connection = connection
        self._rows = iter(cursor)

    def __next__(self) -> tuple[Any, ...]:
        try:
            row: tuple[Any, ...] = next(self._rows)
        except StopIteration:
            self.close()
            raise
        except psycopg.Error as refusal:
            self.close()
            raise _to_refusal(refusal) from refusal
        return row

    def close(self) -> None:
        """Close the connection without reading the remaining rows."""
        self._connection.close()

    def __enter__(self) -> RowStream:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def read_only_query(url: str, statement: str, *, timeout_seconds: float = 300.0) -> tuple[list[str], RowStream]:
    """Run one query as hd_reader; return its column names and rows. Rows are streamed in constant memory.

    Raises `QueryRefusedError` for anything that is not one row-returning, read-only statement within the reader's
    rights, or that takes longer than `timeout_seconds`.
    """
    connection = psycopg.connect(
        to_libpq_url(url), connect_timeout=CONNECT_TIMEOUT_SECONDS, application_name="hd_query", autocommit=False
    )
    try:
        return _start_query(connection, statement, timeout_seconds)
    except psycopg.Error as refusal:
        connection.close()
        raise _to_refusal(refusal) from refusal
    except BaseException:
        connection.close()
        raise


def _start_query(
    connection: psycopg.Connection[Any], statement: str, timeout_seconds: float
) -> tuple[list[str], RowStream]:
    connection.read_only = True
    if not can_use_roles(connection):
        raise QueryRefusedError("This database has no hd_reader for the login user. Remedy: run `hd db upgrade`.")
    limit = f"{max(1, round(timeout_seconds * 1000))}ms"
    connection.execute("SELECT set_config('statement_timeout', %s, true)", (limit,))
    connection.execute("SELECT set_config('timezone', 'UTC', true), set_config('search_path', 'public, marts', true)")
    connection.execute("SELECT set_config('role', %s, true)", (Role.READER.value,))
    columns = _find_columns(connection, statement)
    types = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(f"c{position}"), sql.SQL(_find_type_name(connection, oid, modifier)))
        for position, (_, oid, modifier) in enumerate(columns)
    )
    cursor = connection.cursor("hd_query")
    cursor.itersize = _ROWS_PER_FETCH
    cursor.execute(
        sql.SQL("SELECT * FROM public.run_as_reader({}) AS answer ({})").format(sql.Literal(statement), types)
    )
    return [name for name, _, _ in columns], RowStream(connection, cursor)


def _find_columns(connection: psycopg.Connection[Any], statement: str) -> list[tuple[str, int, int]]:
    # Parse and Describe of the extended protocol: nothing is executed, and more than one statement is a syntax error.
    encoding = connection.info.encoding
    parsed = connection.pgconn.prepare(b"", statement.encode(encoding))
    if parsed.status != ExecStatus.COMMAND_OK:
        raise QueryRefusedError(_describe_refusal(parsed.get_error_message()))
    described = connection.pgconn.describe_prepared(b"")
    if described.status != ExecStatus.COMMAND_OK:
        raise QueryRefusedError(_describe_refusal(described.get_error_message()))
    if not described.nfields:
        raise QueryRefusedError(
            "The statement returns no rows. Remedy: give one SELECT, VALUES, TABLE, SHOW or EXPLAIN."
        )
    return [
        ((described.fname(position) or b"").decode(encoding), described.ftype(position), described.fmod(position))
        for position in range(described.nfields)
    ]


def _find_type_name(connection: psycopg.Connection[Any], oid: int, modifier: int) -> LiteralString:
    row = connection.execute("SELECT format_type(%s, %s)", (oid, modifier)).fetchone()
    name: Any = row[0] if row else None
    if not name or name == "record":
        raise QueryRefusedError(
            f"A column of type {name or oid} cannot be shown. Remedy: cast it, for example to text."
        )
    return name  # type: ignore[no-any-return]  # from the catalog, as SQL


def _to_refusal(refusal: psycopg.Error) -> QueryRefusedError:
    return QueryRefusedError(_describe_refusal(refusal.diag.message_primary or str(refusal)))


def _describe_refusal(reason: str) -> str:
    return f"The reader's query was refused: {reason.strip()}"
