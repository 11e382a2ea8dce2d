"""What a load of valued contracts promises: exactly its scope is replaced, all or nothing, whatever the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from hd_pipelines.market.findings import Finding
from hd_pipelines.tables.vocabulary import Rule, Severity
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.errors import RowsRefusedError
from hd_pipelines.warehouse.publish.greeks import Method, Scope, publish_greeks
from hd_pipelines.warehouse.read import options as option_queries
from hd_pipelines.warehouse.records.derivations import read_fingerprints, read_row_counts
from hd_pipelines.warehouse.records.findings import CheckedScope, read_open_findings
from tests.warehouse.bar_frames import MONDAY, bars, one, publish
from tests.warehouse.option_frames import RANKED, at, put_greeks, valued

FRIDAY, TUESDAY = date(2025, 10, 31), date(2025, 11, 4)
OCTOBER, NOVEMBER = "historical_greeks_y2025m10", "historical_greeks_y2025m11"
BOTH_WAYS = pytest.mark.parametrize("method", list(Method))


def _held(database: Database) -> pl.DataFrame:
    with database.connect() as connection:
        return option_queries.read_valued(
            connection, ["SPY", "SPX", "QQQ"], date(2025, 1, 1), date(2025, 12, 31), columns=list(RANKED)
        )


@BOTH_WAYS
def test_contracts_come_back_as_they_were_given(database: Database, method: Method) -> None:
    given_rows = valued(["SPY", "SPX"], [FRIDAY, MONDAY, TUESDAY], hours=(15, 21))
    report = put_greeks(database, given_rows.sample(fraction=1.0, shuffle=True, seed=1), method=method)
    assert_frame_equal(_held(database), given_rows)
    assert (report.rows, report.symbols, report.sessions) == (given_rows.height, 2, 3)
    assert set(report.partitions) == {OCTOBER, NOVEMBER}


@BOTH_WAYS
def test_only_the_scope_is_replaced(database: Database, method: Method) -> None:
    first = valued(["SPY", "SPX"], [FRIDAY, MONDAY])
    put_greeks(database, first)
    second = valued(["SPY"], [MONDAY], contracts=2, iv=0.9)
    put_greeks(database, second, method=method)
    is_scope = (pl.col("symbol") == "SPY") & (pl.col("session") == MONDAY)
    assert_frame_equal(_held(database).filter(~is_scope), first.filter(~is_scope))
    assert_frame_equal(_held(database).filter(is_scope), second)


@BOTH_WAYS
def test_a_single_snapshot_leaves_the_others_of_its_session_alone(database: Database, method: Method) -> None:
    put_greeks(database, valued(["SPY", "QQQ"], [MONDAY], hours=(15, 16)))
    new = valued(["SPY"], [MONDAY], hours=(17,), contracts=3)
    scope = new.select("symbol", "session", "timestamp").unique()
    put_greeks(database, new, scope, mark="three snapshots", method=method)
    again = valued(["SPY"], [MONDAY], hours=(16,), iv=0.7)
    put_greeks(database, again, again.select("symbol", "session", "timestamp").unique(), mark="again", method=method)
    held = _held(database).filter(pl.col("symbol") == "SPY")
    assert held.group_by("timestamp").len().sort("timestamp").rows() == [
        (at(MONDAY, 15), 4),
        (at(MONDAY, 16), 4),
        (at(MONDAY, 17), 3),
    ]
    with database.connect() as connection:
        assert read_fingerprints(connection, "historical_greeks", ["SPY"], MONDAY, MONDAY) == {("SPY", MONDAY): "again"}
        assert read_row_counts(connection, "historical_greeks", None, MONDAY, MONDAY) == {
            ("SPY", MONDAY): 11,
            ("QQQ", MONDAY): 8,
        }


@BOTH_WAYS
def test_a_pair_without_contracts_ends_up_empty_and_is_recorded_so(database: Database, method: Method) -> None:
    frame = valued(["SPY"], [MONDAY])
    put_greeks(database, frame)
    put_greeks(database, frame.clear(), Scope.of(["SPY"], [MONDAY]), mark="none", method=method)
    assert _held(database).is_empty()
    with database.connect() as connection:
        assert read_row_counts(connection, "historical_greeks", ["SPY"], MONDAY, MONDAY) == {("SPY", MONDAY): 0}


@BOTH_WAYS
def test_the_same_contract_twice_publishes_nothing_and_is_named(database: Database, method: Method) -> None:
    frame = valued(["SPY"], [MONDAY])
    with pytest.raises(RowsRefusedError, match=r"_pkey.*O:SPY"):
        put_greeks(database, pl.concat([frame, frame.head(1)]), method=method)
    assert _held(database).is_empty()


def test_findings_and_fingerprints_come_with_the_rows(database: Database) -> None:
    frame = valued(["SPY"], [MONDAY])
    over = Finding(Rule.ROW_COUNT_UNUSUAL, Severity.ERROR, "historical_greeks", MONDAY, "SPY", "few", "look")
    seen = Finding(Rule.SESSION_INCOMPLETE, Severity.WARNING, "historical_greeks", MONDAY, "SPY", "thin", "look")
    put_greeks(database, frame, findings=[over], run_id="run-1")
    put_greeks(
        database,
        frame,
        findings=[seen],
        checked=[CheckedScope("historical_greeks", frozenset({MONDAY}))],
        run_id="run-2",
    )
    with database.connect() as connection:
        assert [found.rule for found in read_open_findings(connection)] == ["session_incomplete"]


def test_a_pair_without_a_fingerprint_and_a_row_outside_the_scope_are_refused(database: Database) -> None:
    frame = valued(["SPY"], [MONDAY, TUESDAY])
    with pytest.raises(RowsRefusedError, match=r"outside the scope.*SPY 2025-11-04"):
        put_greeks(database, frame, Scope.of(["SPY"], [MONDAY]))
    with pytest.raises(RowsRefusedError, match="no fingerprint, first SPY 2025-11-03"):
        publish_greeks(
            database, frame, scope=Scope.of(["SPY"], [MONDAY, TUESDAY]), fingerprints={("SPY", TUESDAY): "x"}
        )


@pytest.mark.parametrize(
    ("change", "expected_error"),
    [
        (lambda f: f.drop("rho"), "missing: \\['rho'\\]"),
        (lambda f: f.with_columns(extra=1), "foreign: \\['extra'\\]"),
        (lambda f: f.with_columns(pl.col("delta").cast(pl.Float32)), "delta of historical_greeks is Float32"),
        (lambda f: f.with_columns(pl.col("volume").cast(pl.Float64)), "volume of historical_greeks is Float64"),
        (lambda f: f.with_columns(pl.lit(None, pl.String).alias("kind")), "kind of historical_greeks is null in row 0"),
        (
            lambda f: f.with_columns(pl.col("settles_at").dt.replace_time_zone(None)),
            "settles_at of historical_greeks is",
        ),
    ],
)
def test_a_frame_with_wrong_columns_is_refused_with_a_remedy(
    database: Database, change: object, expected_error: str
) -> None:
    with pytest.raises(RowsRefusedError, match=expected_error):
        put_greeks(database, change(valued(["SPY"], [MONDAY])), Scope.of(["SPY"], [MONDAY]))  # type: ignore[operator]


def test_columns_without_any_value_may_have_no_type(database: Database) -> None:
    frame = valued(["SPY"], [MONDAY])
    nothing = pl.lit(None)
    untyped = frame.with_columns(iv_rank=nothing, iv_percentile=nothing, last=nothing, price_age_seconds=nothing)
    put_greeks(database, untyped)
    assert _held(database)["last"].null_count() == frame.height


_PRICES = st.one_of(
    st.none(),
    st.integers(0, 10**7).map(lambda cents: cents / 100),
    st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).map(lambda ab: (ab[0] / 100 + ab[1] / 100) / 2),
    st.floats(0, 1e6),
)
_ANSWERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_PRICES, _ANSWERS, st.one_of(st.none(), st.integers(0, 2**62))), min_size=4, max_size=4))
def test_answers_are_kept_to_the_bit_and_prices_to_eight_decimals(
    database: Database, values: list[tuple[float | None, float | None, int | None]]
) -> None:
    prices, answers, counts = zip(*values, strict=True)
    frame = valued(["SPY"], [MONDAY]).with_columns(
        pl.Series("last", prices, pl.Float64),
        pl.Series("forward", answers, pl.Float64),
        pl.Series("volume", counts, pl.Int64),
    )
    put_greeks(database, frame)
    held = _held(database)
    assert held["forward"].to_list() == list(answers)
    assert held["volume"].to_list() == list(counts)
    assert held["last"].to_list() == frame["last"].round(8).to_list()


def test_a_mean_of_two_quotes_is_the_decimal_that_it_means(database: Database, warehouse_url: str) -> None:
    noisy = (0.1 + 0.2) / 2
    assert noisy != 0.15
    frame = valued(["SPY"], [MONDAY]).with_columns(
        mid_price=pl.when(pl.col("mid_price").is_not_null()).then(noisy), implied_volatility="implied_volatility"
    )
    put_greeks(database, frame)
    assert one(warehouse_url, "SELECT max(mid_price) FROM historical_greeks") == Decimal("0.15")


def test_texts_of_any_length_travel_whole(database: Database) -> None:
    frame = valued(["SPY", "ÄÖ", "BRK.B"], [MONDAY]).with_columns(
        iv_reason=pl.when(pl.col("iv_reason").is_not_null()).then(pl.lit("zu tief: " + "x" * 300))
    )
    put_greeks(database, frame)
    with database.connect() as connection:
        held = option_queries.read_valued(connection, ["SPY", "ÄÖ", "BRK.B"], MONDAY, MONDAY)
    assert_frame_equal(
        held, frame.sort("symbol", "timestamp", "contract_ticker").select(held.columns), check_row_order=False
    )


DIE_AT_EACH_STEP = """
import os, signal, sys
from datetime import date
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.publish.greeks import Method
from tests.warehouse.option_frames import put_greeks, valued

url, method, *steps = sys.argv[1:]

def die_at(step):
    def on_step(reached):
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)
    return on_step

for step in steps:
    pid = os.fork()
    if not pid:
        frame = valued(["SPY", "SPX"], [date(2025, 10, 31), date(2025, 11, 3)], iv=0.8)
        try:
            put_greeks(Database(url), frame, mark="new", method=Method(method), on_step=die_at(step))
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
STEPS = {
    Method.REBUILD: [
        "locked",
        f"copied:{OCTOBER}",
        f"kept:{OCTOBER}",
        f"keyed:{NOVEMBER}",
        f"built:{NOVEMBER}",
        "recorded",
        "exchanged",
        "before_commit",
    ],
    Method.REPLACE_ROWS: [
        f"copied:{OCTOBER}",
        f"deleted:{OCTOBER}",
        f"inserted:{NOVEMBER}",
        "recorded",
        "before_commit",
    ],
}


def _everything(database: Database, url: str) -> tuple[object, ...]:
    manifest = (
        "SELECT array_agg((symbol, session, fingerprint, rows)::text ORDER BY symbol, session) FROM derivation_manifest"
    )
    relations = (
        "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    )
    return _held(database).rows(), one(url, manifest), one(url, relations)


@BOTH_WAYS
def test_a_load_killed_at_any_step_changes_nothing_and_can_be_repeated(
    database: Database, warehouse_url: str, method: Method
) -> None:
    put_greeks(database, valued(["SPY", "SPX", "QQQ"], [FRIDAY, MONDAY]), mark="old")
    before = _everything(database, warehouse_url)
    done = subprocess.run(
        [sys.executable, "-c", DIE_AT_EACH_STEP, warehouse_url, method, *STEPS[method]],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([".", *sys.path])},
    )
    assert done.stdout.split() == [str(-signal.SIGKILL)] * len(STEPS[method]), done.stderr
    _wait_until_alone(warehouse_url)
    assert _everything(database, warehouse_url) == before
    again = valued(["SPY", "SPX"], [FRIDAY, MONDAY], iv=0.8)
    put_greeks(database, again, mark="new", method=method)
    after = _everything(database, warehouse_url)
    put_greeks(database, again, mark="new", method=method)
    assert _everything(database, warehouse_url) == after != before
    assert one(warehouse_url, "SELECT count(*) FROM pg_class WHERE relnamespace = 'staging'::regnamespace") == 0


def _wait_until_alone(url: str) -> None:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'hd_pipelines' AND state <> 'idle'"
    )
    for _ in range(100):
        if one(url, query) == 0:
            return
        time.sleep(0.05)
    raise AssertionError("killed loads still run on the server")


def test_loads_of_bars_and_of_contracts_do_not_clear_each_others_table(database: Database, warehouse_url: str) -> None:
    def greeks(number: int) -> None:
        with Database(warehouse_url) as own:
            put_greeks(own, valued(["SPY"], [MONDAY], iv=0.2 + number / 10), method=Method.REBUILD)

    def prices(number: int) -> None:
        with Database(warehouse_url) as own:
            publish(own, bars(["SPY"], [MONDAY], price=100.0 + number), method=Method.REBUILD)

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(work, number) for number in range(4) for work in (greeks, prices)]
        assert [each.exception() for each in done] == [None] * 8
    assert one(warehouse_url, "SELECT count(*) FROM historical_greeks") == 4
    assert one(warehouse_url, "SELECT count(*) FROM historical_bars") == 4


def test_a_rebuilt_partition_has_the_index_that_readers_need(database: Database, warehouse_url: str) -> None:
    put_greeks(database, valued(["SPY"], [MONDAY]), method=Method.REBUILD)
    put_greeks(database, valued(["SPX"], [MONDAY]), method=Method.REBUILD)
    with psycopg.connect(warehouse_url) as connection:
        attached = connection.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent IN"
            " ('historical_greeks_symbol_idx'::regclass, 'historical_greeks_pkey'::regclass)"
        ).fetchone()
    assert attached == (2,)
