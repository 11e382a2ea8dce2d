"""Valued contracts read back: what was published, in order, however it is read, and as fast as columns allow."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.errors import RowsUnreadableError
from hd_pipelines.warehouse.read.column_reads import read_columns
from hd_pipelines.warehouse.read.options import read_valued, read_valued_in_parallel
from hd_pipelines.warehouse.schema.tables import historical_greeks, options_flow_history
from tests.warehouse.bar_frames import MONDAY
from tests.warehouse.option_frames import RANKED, put_greeks, valued

FRIDAY, DECEMBER = date(2025, 10, 31), date(2025, 12, 1)
SYMBOLS = ["SPY", "BRK.B", "ÄÖ"]


@pytest.fixture
def published(database: Database) -> pl.DataFrame:
    """Three symbols, three months, an intraday snapshot and a close on each session."""
    frame = valued(SYMBOLS, [FRIDAY, MONDAY, DECEMBER], hours=(15, 21))
    put_greeks(database, frame)
    return frame


@pytest.mark.parametrize("columns", [None, list(RANKED), ["iv_reason", "symbol"], ["session"], ["strike", "volume"]])
def test_both_ways_give_back_what_was_published(
    database: Database, published: pl.DataFrame, columns: list[str] | None
) -> None:
    wanted = published.select(
        [name for name in RANKED if name in (columns or [*RANKED][:-2])],
    )
    with database.connect() as connection:
        alone = read_valued(connection, SYMBOLS, FRIDAY, DECEMBER, columns=columns)
    assert alone.schema == wanted.schema
    assert alone.equals(wanted.with_columns(pl.selectors.by_name("mid_price", require_all=False).round(8)))
    assert read_valued_in_parallel(database, SYMBOLS, FRIDAY, DECEMBER, columns=columns).equals(alone)


def test_windows_end_with_their_days_and_a_kind_is_only_itself(database: Database, published: pl.DataFrame) -> None:
    read_back = read_valued_in_parallel(database, ["SPY", "NOPE"], MONDAY, MONDAY, kind="close")
    assert read_back.select("symbol", "timestamp").unique().rows() == [("SPY", datetime(2025, 11, 3, 21, tzinfo=UTC))]
    assert read_valued_in_parallel(database, [], FRIDAY, DECEMBER).schema == read_back.schema
    assert read_valued_in_parallel(database, ["SPY"], DECEMBER, FRIDAY).is_empty()


def test_order_does_not_depend_on_where_rows_lie(
    database: Database, published: pl.DataFrame, warehouse_url: str
) -> None:
    with psycopg.connect(warehouse_url) as connection:
        connection.execute("SET LOCAL ROLE hd_service")
        connection.execute("UPDATE historical_greeks SET volume = volume WHERE contract_ticker LIKE '%C00100000'")
    read_back = read_valued_in_parallel(
        database, SYMBOLS, FRIDAY, DECEMBER, columns=["symbol", "timestamp", "contract_ticker"]
    )
    assert read_back.equals(published.select(read_back.columns))


def test_a_failure_of_one_connection_is_raised(database: Database, published: pl.DataFrame, warehouse_url: str) -> None:
    with psycopg.connect(warehouse_url) as connection:
        connection.execute("SET LOCAL ROLE hd_service")
        connection.execute(
            "UPDATE historical_greeks SET iv_reason = E'no\\nquote' WHERE iv_reason = 'no_quote' AND symbol = 'SPY'"
        )
    with pytest.raises(RowsUnreadableError, match=r"Column iv_reason .* line break"):
        read_valued_in_parallel(database, SYMBOLS, FRIDAY, DECEMBER)


LINE = st.text(st.characters(exclude_characters="\n\x00", exclude_categories=["Cs"]), max_size=6).filter(
    lambda text: text != r"\N"
)
ROWS = st.lists(
    st.tuples(
        st.none() | LINE,
        st.none() | st.floats(allow_nan=False),
        st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
        st.none() | st.integers(-(2**31) + 1, 2**31 - 1),
        st.none() | st.dates(date(1, 1, 1), date(9999, 12, 31)),
        st.none() | st.datetimes(timezones=st.just(UTC)).filter(lambda at: 1 < at.year < 9999),
        st.none() | st.decimals(-(10**10), 10**10, places=4).map(float),
    ),
    max_size=6,
)
KINDS = {
    "iv_reason": pl.String,
    "delta": pl.Float64,
    "volume": pl.Int64,
    "dte": pl.Int32,
    "session": pl.Date,
    "settles_at": pl.Datetime("us", "UTC"),
    "bid": pl.Float64,
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_every_value_of_every_type_comes_back(database: Database, rows: list[tuple[object, ...]]) -> None:
    frame = pl.DataFrame(rows, schema=KINDS, orient="row")
    with database.begin() as connection:
        cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]
        cursor.execute(
            "CREATE TEMPORARY TABLE plain (iv_reason text, delta double precision, volume bigint, dte integer,"
            " session date, settles_at timestamptz, bid numeric) ON COMMIT DROP"
        )
        for row in rows:
            cursor.execute(
                sql.SQL("INSERT INTO plain ({}) VALUES (%s, %s, %s, %s, %s, %s, %s)").format(
                    sql.SQL(", ").join(map(sql.Identifier, KINDS))
                ),
                row,
            )
        read_back = read_columns(
            connection, historical_greeks, KINDS, sql.SQL("true"), KINDS, source=sql.Identifier("plain")
        )
    assert read_back.equals(frame)


def test_documents_do_not_travel_as_columns(database: Database) -> None:
    with database.connect() as connection, pytest.raises(KeyError):
        read_columns(connection, options_flow_history, ["conditions"], sql.SQL("true"), {"conditions": pl.String})
