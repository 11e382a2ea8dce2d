"""Small derived tables: a scope is replaced, unchanged rows are left alone, a killed load changes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from hd_pipelines.market.findings import Finding
from hd_pipelines.tables.vocabulary import Rule, Severity
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.errors import PublishBlockedError, RowsRefusedError
from hd_pipelines.warehouse.publish.derived_rows import publish_rows
from hd_pipelines.warehouse.read import options as option_queries
from hd_pipelines.warehouse.records.derivations import MARKET, read_fingerprints, read_row_counts
from hd_pipelines.warehouse.records.findings import read_open_findings
from hd_pipelines.warehouse.schema.partitions import take_lock
from tests.warehouse.bar_frames import one
from tests.warehouse.option_frames import (
    at,
    gamma_parts,
    gamma_rows,
    iv_rows,
    put_greeks,
    put_rows,
    regime_rows,
    valued,
    yield_rows,
)

DECEMBER, JANUARY, MONDAY = date(2024, 12, 31), date(2025, 1, 2), date(2025, 11, 3)
DAYS = (DECEMBER, JANUARY, MONDAY)
MAKERS = {
    "iv_percentile_cache": lambda days: iv_rows(["SPY", "SPX"], days),
    "gamma_exposure_snapshots": lambda days: gamma_rows(["SPY", "SPX"], days, (15, 21)),
    "market_regime_history": regime_rows,
    "treasury_yields": yield_rows,
}
PARTS = ("gamma_by_strike", "gamma_by_expiration")
ROWS_OF_ALL = {"gamma_exposure_snapshots": 5}
"""Rows that a load has for each of the table's own, where the table has parts: the row, three strikes, an expiration."""
EVERY_TABLE = pytest.mark.parametrize("table", MAKERS)


def _stored(url: str, table: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(f"SELECT held::text FROM {table} AS held ORDER BY 1").fetchall()


@EVERY_TABLE
def test_a_repeated_load_writes_nothing(database: Database, warehouse_url: str, table: str) -> None:
    frame = MAKERS[table](DAYS)
    first = put_rows(database, table, frame)
    stored = (table, *PARTS)
    before = [_stored(warehouse_url, name) for name in stored]
    again = put_rows(database, table, frame.sample(fraction=1.0, shuffle=True, seed=2))
    given = frame.height * ROWS_OF_ALL.get(table, 1)
    assert (first.rows, first.written, first.deleted, again.written, again.deleted) == (given, given, 0, 0, 0)
    assert [_stored(warehouse_url, name) for name in stored] == before


@EVERY_TABLE
def test_rows_of_the_scope_that_are_gone_are_deleted_and_others_stay(
    database: Database, warehouse_url: str, table: str
) -> None:
    frame = MAKERS[table](DAYS)
    put_rows(database, table, frame)
    key = "session" if "session" in frame.columns else "date"
    scope = frame.filter(pl.col(key) == MONDAY).select(
        *(["symbol"] if "symbol" in frame.columns else []), pl.col(key).alias("session")
    )
    report = put_rows(database, table, frame.filter(pl.col(key) == MONDAY).head(1), scope, mark="fewer")
    on_monday, of_all = frame.filter(pl.col(key) == MONDAY).height, ROWS_OF_ALL.get(table, 1)
    assert (report.rows, report.written, report.deleted) == (of_all, 0, (on_monday - 1) * of_all)
    assert len(_stored(warehouse_url, table)) == frame.height - on_monday + 1
    symbol = "SPX" if "symbol" in frame.columns else MARKET
    with database.connect() as connection:
        counted = read_row_counts(connection, table, [symbol], DECEMBER, MONDAY)
        assert read_fingerprints(connection, table, [symbol], MONDAY, MONDAY) == {(symbol, MONDAY): "fewer"}
    assert counted[symbol, MONDAY] == (0 if symbol == "SPX" else 1)
    assert counted[symbol, DECEMBER] == on_monday // (2 if symbol == "SPX" else 1)


def test_a_changed_row_keeps_its_creation_time_and_gets_a_new_update_time(
    database: Database, warehouse_url: str
) -> None:
    put_rows(database, "market_regime_history", regime_rows(DAYS))
    stamps = "SELECT date, created_at, updated_at FROM market_regime_history ORDER BY date"
    with psycopg.connect(warehouse_url) as connection:
        before = connection.execute(stamps).fetchall()
    changed = regime_rows(DAYS).with_columns(
        vix_level=pl.when(pl.col("date") == JANUARY).then(30.0).otherwise("vix_level")
    )
    assert put_rows(database, "market_regime_history", changed).written == 1
    with psycopg.connect(warehouse_url) as connection:
        after = connection.execute(stamps).fetchall()
    assert [row[:2] for row in after] == [row[:2] for row in before]
    assert [new[2] > old[2] for new, old in zip(after, before, strict=True)] == [False, True, False]


def test_a_single_gamma_snapshot_leaves_the_others_of_its_session_alone(database: Database) -> None:
    put_rows(database, "gamma_exposure_snapshots", gamma_rows(["SPY"], [MONDAY], (15, 16)))
    new = gamma_rows(["SPY"], [MONDAY], (16,), gex=-5e8)
    scope = pl.DataFrame(
        {"symbol": ["SPY", "SPY"], "session": [MONDAY] * 2, "timestamp": [at(MONDAY, 16), at(MONDAY, 17)]}
    )
    put_rows(
        database,
        "gamma_exposure_snapshots",
        new,
        scope.with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC"))),
    )
    with database.connect() as connection:
        held = option_queries.read_gamma_history(connection, ["SPY"], date(2026, 1, 1))
        assert read_row_counts(connection, "gamma_exposure_snapshots", None, MONDAY, MONDAY) == {("SPY", MONDAY): 2}
    assert held["gex_usd_per_1pct"].to_list() == [1e9, -5e8]


def test_strikes_and_expirations_are_replaced_for_exactly_the_scope_of_their_snapshots(
    database: Database, warehouse_url: str
) -> None:
    frame = gamma_rows(["SPY", "SPX"], [JANUARY, MONDAY], (15, 21))
    put_rows(database, "gamma_exposure_snapshots", frame)
    others = "SELECT array_agg(s::text ORDER BY s::text) FROM {} AS s WHERE (symbol, timestamp) <> ('SPX', %s)"
    before = [one(warehouse_url, others.format(name), at(MONDAY, 15)) for name in PARTS]
    new = frame.filter(pl.col("symbol") == "SPX", pl.col("timestamp") == at(MONDAY, 15))
    parts = gamma_parts(new, strikes=(95.0, 107.5))
    put_rows(database, "gamma_exposure_snapshots", new, new.select("symbol", "session", "timestamp"), parts=parts)
    assert [one(warehouse_url, others.format(name), at(MONDAY, 15)) for name in PARTS] == before
    with database.connect() as connection:
        held = option_queries.read_gamma_strikes(connection, ["SPX"], MONDAY, MONDAY)
    assert_frame_equal(held.filter(pl.col("timestamp") == at(MONDAY, 15)), parts["gamma_by_strike"])


def test_a_snapshot_that_is_gone_takes_its_strikes_and_expirations_along(
    database: Database, warehouse_url: str
) -> None:
    frame = gamma_rows(["SPY"], [MONDAY], (15, 21))
    put_rows(database, "gamma_exposure_snapshots", frame)
    put_rows(database, "gamma_exposure_snapshots", frame.clear(), frame.select("symbol", "session", "timestamp")[:1])
    for name in PARTS:
        assert one(warehouse_url, f"SELECT array_agg(DISTINCT timestamp) FROM {name}") == [at(MONDAY)]


def test_snapshots_are_never_published_without_their_parts_nor_parts_without_their_snapshot(
    database: Database, warehouse_url: str
) -> None:
    frame = gamma_rows(["SPY"], [MONDAY], (15, 21))
    parts = gamma_parts(frame)
    with pytest.raises(RowsRefusedError, match=r"is published together with .*'gamma_by_strike'"):
        put_rows(database, "gamma_exposure_snapshots", frame, parts={})
    with pytest.raises(RowsRefusedError, match="published together with no other table"):
        put_rows(database, "iv_percentile_cache", iv_rows(["SPY"], [MONDAY]), parts=parts)
    with pytest.raises(
        RowsRefusedError, match="3 rows of gamma_by_strike belong to no row of gamma_exposure_snapshots"
    ):
        put_rows(database, "gamma_exposure_snapshots", frame[:1], parts=parts)
    assert one(warehouse_url, "SELECT count(*) FROM gamma_by_strike") == 0


@pytest.mark.parametrize(
    ("part", "column", "value", "rule"),
    [
        ("gamma_by_strike", "gex_usd_per_1pct", float("nan"), "gamma_by_strike_finite"),
        ("gamma_by_strike", "strike", 0.0, "gamma_by_strike_strike"),
        ("gamma_by_strike", "put_volume", -1, "gamma_by_strike_counts"),
        ("gamma_by_strike", "call_gex_usd_per_1pct", None, "gamma_by_strike_exposures"),
        ("gamma_by_strike", "strike", 95.0, "95"),
        ("gamma_by_expiration", "call_gex_usd_per_1pct", float("inf"), "gamma_by_expiration_finite"),
        ("gamma_by_expiration", "session", JANUARY, "outside the scope"),
    ],
)
def test_one_bad_row_of_a_part_publishes_nothing(
    database: Database, warehouse_url: str, part: str, column: str, value: object, rule: str
) -> None:
    frame = gamma_rows(["SPY"], [MONDAY])
    parts = gamma_parts(frame)
    is_last = pl.int_range(pl.len()) == pl.len() - 1
    bad = pl.when(is_last).then(pl.lit(value, parts[part].schema[column])).otherwise(column).alias(column)
    with pytest.raises(RowsRefusedError, match=rule):
        put_rows(database, "gamma_exposure_snapshots", frame, parts={**parts, part: parts[part].with_columns(bad)})
    for name in ("gamma_exposure_snapshots", *PARTS, "derivation_manifest"):
        assert one(warehouse_url, f"SELECT count(*) FROM {name}") == 0


def test_thirty_years_of_regimes_have_one_partition_a_year(database: Database, warehouse_url: str) -> None:
    days = [date(year, 6, 1) for year in range(1990, 2023)]
    put_rows(database, "market_regime_history", regime_rows(days))
    assert (
        one(warehouse_url, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'market_regime_history'::regclass") == 33
    )
    with database.connect() as connection:
        assert option_queries.read_regime_history(connection, days[0], days[-1])["date"].to_list() == days


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1])
def test_an_integer_that_is_too_large_for_its_column_is_refused(database: Database, number: int) -> None:
    rows = iv_rows(["SPY"], [MONDAY]).with_columns(n_observations=pl.lit(number, pl.Int64))
    with pytest.raises(RowsRefusedError, match=f"n_observations.*{number} in row 0 is too large"):
        put_rows(database, "iv_percentile_cache", rows)


def test_findings_are_settled_in_the_same_transaction(database: Database) -> None:
    finding = Finding(Rule.NO_ROWS, Severity.ERROR, "iv_percentile_cache", MONDAY, "SPY", "d", "c")
    bad = iv_rows(["SPY"], [MONDAY]).with_columns(iv_rank=pl.lit(7.0))
    with pytest.raises(RowsRefusedError):
        put_rows(database, "iv_percentile_cache", bad, findings=[finding])
    with database.connect() as connection:
        assert read_open_findings(connection) == []
    put_rows(database, "iv_percentile_cache", iv_rows(["SPY"], [MONDAY]), findings=[finding])
    with database.connect() as connection:
        assert len(read_open_findings(connection)) == 1


@pytest.mark.parametrize(
    ("table", "scope", "expected_error"),
    [
        ("iv_percentile_cache", pl.DataFrame({"session": [MONDAY]}), "has the columns"),
        ("market_regime_history", pl.DataFrame({"symbol": ["SPY"], "session": [MONDAY]}), "has the columns"),
        (
            "iv_percentile_cache",
            pl.DataFrame({"symbol": ["SPX"], "session": [MONDAY]}),
            r"outside the scope.*SPY 2025-11-03",
        ),
    ],
)
def test_a_wrong_scope_is_refused(database: Database, table: str, scope: pl.DataFrame, expected_error: str) -> None:
    frame = iv_rows(["SPY"], [MONDAY]) if table == "iv_percentile_cache" else regime_rows([MONDAY])
    with pytest.raises(RowsRefusedError, match=expected_error):
        publish_rows(database, table, frame, scope=scope, fingerprints={})


def test_the_same_row_twice_is_refused_and_named(database: Database) -> None:
    frame = iv_rows(["SPY"], [MONDAY])
    with pytest.raises(RowsRefusedError, match=r"SPY.*2025-11-03"):
        put_rows(database, "iv_percentile_cache", pl.concat([frame, frame]))


def test_other_tables_are_not_published_this_way(database: Database) -> None:
    with pytest.raises(KeyError, match="watchlist is not published row by row"):
        publish_rows(database, "watchlist", pl.DataFrame(), scope=pl.DataFrame(), fingerprints={})


def test_a_load_that_never_ends_is_reported(warehouse_url: str) -> None:
    with psycopg.connect(warehouse_url) as other, psycopg.connect(warehouse_url) as waiting:
        take_lock(other.cursor(), "treasury_yields")
        with pytest.raises(PublishBlockedError, match="Another load has been publishing to treasury_yields"):
            take_lock(waiting.cursor(), "treasury_yields", wait_seconds=1)


def test_loads_of_one_scope_at_once_leave_one_of_them(warehouse_url: str) -> None:
    start = threading.Barrier(4)

    def load(number: int) -> None:
        with Database(warehouse_url) as own:
            start.wait()
            for _ in range(3):
                put_rows(
                    own, "iv_percentile_cache", iv_rows(["SPY", "SPX"], DAYS, iv=0.1 + number / 10), mark=str(number)
                )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(load, range(4)))
    assert one(warehouse_url, "SELECT count(DISTINCT fingerprint) FROM derivation_manifest") == 1
    winner = float(str(one(warehouse_url, "SELECT min(fingerprint) FROM derivation_manifest")))
    assert one(warehouse_url, "SELECT array_agg(DISTINCT iv30) FROM iv_percentile_cache") == [0.1 + winner / 10]


DIE_AT_EACH_STEP = """
import os, signal, sys
from datetime import date
from hd_pipelines.warehouse.engine import Database
from tests.warehouse.option_frames import gamma_rows, put_rows

url, *steps = sys.argv[1:]
for step in steps:
    pid = os.fork()
    if not pid:
        def die(reached):
            if reached == step:
                os.kill(os.getpid(), signal.SIGKILL)
        try:
            frame = gamma_rows(["SPY"], [date(2025, 1, 2), date(2025, 12, 1)], gex=5.0)
            put_rows(Database(url), "gamma_exposure_snapshots", frame, mark="new", on_step=die)
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_load_killed_at_any_step_changes_nothing(database: Database, warehouse_url: str) -> None:
    put_rows(database, "gamma_exposure_snapshots", gamma_rows(["SPY", "SPX"], [JANUARY], (15, 21)), mark="old")
    tables = ("gamma_exposure_snapshots", *PARTS, "derivation_manifest")
    before = [_stored(warehouse_url, name) for name in tables]
    steps = ["locked", "staged", "deleted", "merged", "before_commit"]
    done = subprocess.run(
        [sys.executable, "-c", DIE_AT_EACH_STEP, warehouse_url, *steps],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([".", *sys.path]), "PYTHONHASHSEED": "0"},
    )
    assert done.stdout.split() == [str(-signal.SIGKILL)] * len(steps), done.stderr
    assert [_stored(warehouse_url, name) for name in tables] == before
    put_rows(database, "gamma_exposure_snapshots", gamma_rows(["SPY"], [JANUARY], gex=5.0), mark="new")
    assert len(_stored(warehouse_url, "gamma_exposure_snapshots")) == 3


def test_what_is_read_is_what_was_published(database: Database, warehouse_url: str) -> None:
    frames = {table: make(DAYS) for table, make in MAKERS.items()}
    for table, frame in frames.items():
        put_rows(database, table, frame)
    first, last = DECEMBER, MONDAY
    with database.connect() as connection:
        percentiles = option_queries.read_iv_percentiles(connection, ["SPY", "SPX"], first, last)
        gamma = option_queries.read_gamma_snapshots(connection, ["SPY", "SPX"], first, last)
        strikes = option_queries.read_gamma_strikes(connection, ["SPY", "SPX"], first, last)
        regimes = option_queries.read_regime_history(connection, first, last)
        curve = option_queries.read_yields(connection, first, last)
        history = option_queries.read_iv_history(connection, ["SPY"], MONDAY)
    assert_frame_equal(percentiles, frames["iv_percentile_cache"].sort("symbol", "date"))
    given = frames["gamma_exposure_snapshots"].sort("symbol", "timestamp")
    assert_frame_equal(gamma, given)
    assert_frame_equal(strikes, gamma_parts(given)["gamma_by_strike"])
    assert_frame_equal(regimes, frames["market_regime_history"])
    assert_frame_equal(curve, frames["treasury_yields"])
    newest = "SELECT max(timestamp) FROM gamma_exposure_snapshots WHERE symbol = %s"
    assert [one(warehouse_url, newest, symbol) for symbol in ("SPX", "SPY", "NOPE")] == [at(MONDAY), at(MONDAY), None]
    assert one(warehouse_url, "SELECT max(date) FROM iv_percentile_cache WHERE symbol = 'SPX'") == MONDAY
    assert history["date"].to_list() == [DECEMBER, JANUARY]


def test_an_empty_warehouse_gives_empty_frames_of_the_same_shape(database: Database) -> None:
    with database.connect() as connection:
        assert option_queries.read_valued(connection, ["SPY"], DECEMBER, MONDAY).is_empty()
        regimes = option_queries.read_regime_history(connection, DECEMBER, MONDAY)
        assert regimes.is_empty()
        assert regimes.schema == regime_rows([MONDAY]).schema
        assert option_queries.read_gamma_snapshots(connection, [], DECEMBER, MONDAY).is_empty()


def test_only_one_kind_of_snapshot_is_read_if_asked_for(database: Database) -> None:
    put_greeks(database, valued(["SPY"], [MONDAY], hours=(15, 21)))
    with database.connect() as connection:
        closes = option_queries.read_valued(
            connection, ["SPY"], MONDAY, MONDAY, kind="close", columns=["delta", "symbol", "kind"]
        )
    assert closes.columns == ["symbol", "kind", "delta"]
    assert closes["kind"].to_list() == ["close"] * 4
