"""`hd query`: one read-only statement as the reader, whatever it tries."""

from __future__ import annotations

import tracemalloc
from decimal import Decimal

import psycopg
import pytest

from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.errors import QueryRefusedError
from hd_pipelines.warehouse.read.reader import read_only_query
from tests.warehouse.bar_frames import MONDAY, bars, one, publish


@pytest.fixture
def url(database: Database, warehouse_url: str) -> str:
    publish(database, bars(["SPY", "QQQ"], [MONDAY]))
    return warehouse_url


def _ask(url: str, statement: str, **options: float) -> list[tuple[object, ...]]:
    _, rows = read_only_query(url, statement, **options)
    with rows:
        return list(rows)


def test_columns_and_rows_come_back_typed(url: str) -> None:
    columns, rows = read_only_query(
        url, "SELECT symbol, timeframe, count(*), max(trades) AS trades, min(close) FROM historical_bars GROUP BY 1, 2"
    )
    assert columns == ["symbol", "timeframe", "count", "trades", "min"]
    found = sorted(rows)
    assert [row[:4] for row in found] == [
        ("QQQ", "1m", 3, 7),
        ("QQQ", "day", 1, 99),
        ("SPY", "1m", 3, 7),
        ("SPY", "day", 1, 99),
    ]
    assert isinstance(found[0][4], Decimal)


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("VALUES (1, '100 %s'), (2, NULL)", [(1, "100 %s"), (2, None)]),
        ("SELECT 1 AS a, 2 AS a;", [(1, 2)]),
        ("TABLE watchlist", []),
        ("SHOW timezone", [("UTC",)]),
        ("SELECT 'it''s', $$dollar$$ -- a comment", [("it's", "dollar")]),
        ("WITH bars AS (SELECT * FROM historical_bars) SELECT count(*) FROM bars", [(8,)]),
        ("SELECT current_user::text", [("hd_reader",)]),
        ("SELECT symbol FROM historical_bars WHERE false", []),
    ],
)
def test_plain_queries_of_every_form_are_answered(url: str, statement: str, rows: list[tuple[object, ...]]) -> None:
    assert _ask(url, statement) == rows


@pytest.mark.parametrize(
    ("statement", "expected_error"),
    [
        ("RESET ROLE; DROP TABLE historical_bars", "multiple commands"),
        ("SELECT 1; SELECT 2", "multiple commands"),
        ("COMMIT; DELETE FROM historical_bars", "multiple commands"),
        ("RESET ROLE", "returns no rows"),
        ("COMMIT", "returns no rows"),
        ("DROP TABLE historical_bars", "returns no rows"),
        ("DO $$ BEGIN DELETE FROM historical_bars; END $$", "returns no rows"),
        ("COPY (SELECT 1) TO PROGRAM 'touch /tmp/owned'", "returns no rows"),
        ("COPY historical_bars TO STDOUT", "returns no rows"),
        ("SELECT * INTO mine FROM historical_bars", "returns no rows"),
        ("", "returns no rows"),
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM nowhere", "does not exist"),
        ("WITH gone AS (DELETE FROM historical_bars RETURNING 1) SELECT * FROM gone", "read-only|permission denied"),
        ("INSERT INTO watchlist (symbol, ticker) VALUES ('X', 'X') RETURNING 1", "read-only|permission denied"),
        ("SELECT set_config('role', 'none', true)", "security-definer"),
        ("SELECT set_config('role', 'hd_service', false)", "security-definer"),
        ("SELECT set_config('session_authorization', 'postgres', true)", "security-definer"),
        ("SELECT set_config('transaction_read_only', 'off', true)", "read-write|cannot set"),
        # Inner SQL would run as the role that was set: here it is still the reader.
        (
            "SELECT query_to_xml('SELECT set_config(''role'', ''none'', true)', true, true, '')::text",
            "security-definer",
        ),
        ("SELECT query_to_xml('SELECT rolpassword FROM pg_authid', true, true, '')::text", "permission denied"),
        ("SELECT query_to_xml('DELETE FROM historical_bars', true, true, '')::text", "invalid query|not allowed"),
        ("EXPLAIN ANALYZE DELETE FROM historical_bars", "read-only|permission denied"),
        ("SELECT * FROM pg_authid", "permission denied"),
        ("SELECT pg_read_file('/etc/passwd')", "permission denied"),
        ("SELECT * FROM historical_bars_y2025m11", "permission denied"),
        ("SELECT forget_bars_before('2030-01-01')", "permission denied"),
        ("SELECT cleanup_old_historical_bars(interval '0')", "permission denied"),
        ("SELECT $1", "parameter"),
        ("SELECT ROW(1, 2)", "cast it"),
    ],
)
def test_anything_else_is_refused_and_changes_nothing(url: str, statement: str, expected_error: str) -> None:
    with pytest.raises(QueryRefusedError, match=expected_error):
        _ask(url, statement)
    assert one(url, "SELECT count(*) FROM historical_bars") == 8
    assert one(url, "SELECT count(*) FROM bars_manifest") == 2


def test_a_query_that_takes_too_long_is_ended(url: str) -> None:
    with pytest.raises(QueryRefusedError, match="statement timeout"):
        _ask(url, "SELECT count(*) FROM generate_series(1, 1000000000)", timeout_seconds=0.3)


def test_rows_are_streamed(url: str) -> None:
    columns, rows = read_only_query(url, "SELECT n, repeat('x', 1000) FROM generate_series(1, 60000) AS n")
    tracemalloc.start()
    with rows:
        count = sum(1 for _ in rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (columns, count) == (["n", "repeat"], 60_000)
    assert peak < 25_000_000  # the whole answer is 60 MB


def test_stopping_early_ends_the_query_on_the_server(url: str) -> None:
    _, rows = read_only_query(url, "SELECT n FROM generate_series(1, 100000) AS n")
    assert next(rows) == (1,)
    rows.close()
    open_queries = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hd_query'"
    for _ in range(50):
        if one(url, open_queries) == 0:
            return
        psycopg.connect(url).close()
    raise AssertionError("the query's connection is still there")


def test_reading_an_unmigrated_database_names_the_remedy(database_url: str) -> None:
    with pytest.raises(QueryRefusedError, match=r"hd db upgrade|does not exist"):
        _ask(database_url, "SELECT 1")
