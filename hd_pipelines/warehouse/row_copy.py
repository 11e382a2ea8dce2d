"""COPY of checked rows into a table.

Belongs here: choosing between the binary format and CSV, and the COPY itself. The formats are `row_encoding` and
`row_shape`.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import psycopg
from psycopg import sql
from sqlalchemy import Table

from hd_pipelines.warehouse.errors import RowsRefusedError, refused
from hd_pipelines.warehouse.leaf_build import CopyRows
from hd_pipelines.warehouse.lookahead import one_ahead
from hd_pipelines.warehouse.row_shape import NULL, encode_csv, published_columns

_ROWS_PER_BLOCK = 20_000


def copy_of(table: Table, error: type[RowsRefusedError]) -> CopyRows:
    """The COPY of rows of `table`; columns as `published_columns`. The next block is encoded while one is taken."""
    columns = published_columns(table)

    def copy_rows(cursor: psycopg.Cursor[Any], target: sql.Composable, rows: pl.DataFrame, *, frozen: bool) -> None:
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, NULL {}, FREEZE {})").format(
            target,
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.Literal(NULL),
            sql.SQL("true" if frozen else "false"),
        )
        try:
            with cursor.copy(statement) as copy:
                for text in one_ahead(encode_csv, rows.iter_slices(_ROWS_PER_BLOCK)):
                    copy.write(text)
        except (psycopg.errors.IntegrityError, psycopg.errors.DataError) as refusal:
            raise refused(refusal, error) from refusal

    return copy_rows
