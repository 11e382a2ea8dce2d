"""Tables about options and the market: the columns that other modules deliver, what is refused, who sees what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl
import psycopg
import pytest

from hd_pipelines.analytics.gamma.frames import EXPIRATION_COLUMNS, SNAPSHOT_COLUMNS, STRIKE_COLUMNS
from hd_pipelines.analytics.iv_percentile import OBSERVATIONS, compute_percentile_rows
from hd_pipelines.analytics.regime.classification import REGIME_ROWS
from hd_pipelines.market.option_chains import VALUED
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.errors import RowsRefusedError
from hd_pipelines.warehouse.publish.row_shape import list_published_columns
from hd_pipelines.warehouse.schema.partitioned import (
    GAMMA,
    GAMMA_EXPIRATIONS,
    GAMMA_STRIKES,
    GREEKS,
    IV_PERCENTILES,
    PARTITIONED,
    REGIME,
    Partition,
)
from hd_pipelines.warehouse.schema.partitions import ensure_partition, list_partitions
from hd_pipelines.warehouse.schema.retention import drop_old_rows
from hd_pipelines.warehouse.schema.tables import (
    gamma_by_expiration,
    gamma_by_strike,
    gamma_exposure_snapshots,
    historical_greeks,
    iv_percentile_cache,
    market_regime_history,
)
from tests.support.postgres import PostgresServer
from tests.warehouse.bar_frames import MONDAY, bars, one, publish
from tests.warehouse.option_frames import gamma_rows, iv_rows, put_greeks, put_rows, regime_rows, valued, yield_rows
from tests.warehouse.test_access import acting_as

FRIDAY = date(2025, 10, 31)
STAMPED = (
    "historical_greeks",
    "options_flow_history",
    "iv_percentile_cache",
    "gamma_exposure_snapshots",
    "gamma_by_strike",
    "gamma_by_expiration",
    "market_regime_history",
    "treasury_yields",
    "option_chain_snapshots",
)


@pytest.fixture(scope="module")
def filled_url(postgres_server: PostgresServer, migrated_url: str) -> Iterator[str]:
    """Two sessions of everything, written in every way there is; no test changes a number in it."""
    with postgres_server.copied_database(migrated_url) as url:
        with Database(url) as database:
            put_greeks(database, valued(["SPY", "SPX"], [FRIDAY, MONDAY]))
            put_rows(database, "iv_percentile_cache", iv_rows(["SPY"], [FRIDAY, MONDAY]))
            put_rows(database, "gamma_exposure_snapshots", gamma_rows(["SPY"], [FRIDAY, MONDAY]))
            put_rows(database, "market_regime_history", regime_rows([FRIDAY, MONDAY]))
            put_rows(database, "treasury_yields", yield_rows([FRIDAY, MONDAY]))
        yield url


def test_tables_have_the_columns_that_other_packages_write() -> None:
    assert set(list_published_columns(historical_greeks)) == {*VALUED, "iv_rank", "iv_percentile"}
    assert set(list_published_columns(iv_percentile_cache)) == set(
        compute_percentile_rows(pl.DataFrame(schema=OBSERVATIONS)).columns
    )
    assert set(list_published_columns(gamma_exposure_snapshots)) == set(SNAPSHOT_COLUMNS)
    assert set(list_published_columns(gamma_by_strike)) == set(STRIKE_COLUMNS)
    assert set(list_published_columns(gamma_by_expiration)) == set(EXPIRATION_COLUMNS)
    assert set(list_published_columns(market_regime_history)) == set(REGIME_ROWS)


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        *(
            (name, bad, "historical_greeks_finite")
            for name in ("delta", "gamma", "rho", "forward")
            for bad in (NAN, -INFINITY)
        ),
        *(("implied_volatility", bad, "historical_greeks_implied_volatility") for bad in (NAN, INFINITY, 0.0, -0.2)),
        ("implied_volatility", None, "historical_greeks_"),
        ("iv_reason", "below_intrinsic", "historical_greeks_iv_reason"),
        ("bid", NAN, "historical_greeks_prices"),
        ("ask", INFINITY, "historical_greeks_prices"),
        ("last", -0.01, "historical_greeks_prices"),
        ("strike", 0.0, "historical_greeks_strike"),
        ("underlying_price", NAN, "historical_greeks_strike"),
        ("iv_percentile", 1.01, "historical_greeks_rank"),
        ("iv_rank", NAN, "historical_greeks_rank"),
        ("volume", -1, "historical_greeks_counts"),
        ("dte", 5, "historical_greeks_dte"),
        ("session", FRIDAY, "outside the scope"),
        ("option_type", "CALL", "historical_greeks_option_type"),
        ("price_source", "guess", "historical_greeks_price_source"),
        ("contract_ticker", "", "historical_greeks_names"),
    ],
)
def test_one_bad_contract_publishes_nothing(
    database: Database, warehouse_url: str, column: str, value: object, rule: str
) -> None:
    frame = valued(["SPY"], [MONDAY])
    is_bad = pl.int_range(pl.len()) == 1
    bad = frame.with_columns(pl.when(is_bad).then(pl.lit(value, frame.schema[column])).otherwise(column).alias(column))
    assert not bad.equals(frame)
    scope = frame.select("symbol", "session", "timestamp").unique()
    with pytest.raises(RowsRefusedError, match=rule):
        put_greeks(database, bad, scope)
    assert one(warehouse_url, "SELECT count(*) FROM historical_greeks") == 0
    assert one(warehouse_url, "SELECT count(*) FROM derivation_manifest") == 0


@pytest.mark.parametrize(
    ("table", "column", "value", "rule"),
    [
        ("iv_percentile_cache", "iv30", NAN, "iv_percentile_cache_"),
        ("iv_percentile_cache", "iv30", 0.3, "iv_percentile_cache_current_iv"),
        ("iv_percentile_cache", "iv_reason", "no_chain", "iv_percentile_cache_iv_reason"),
        ("iv_percentile_cache", "percentile_reason", None, "iv_percentile_cache_percentile_reason"),
        ("iv_percentile_cache", "iv_rank", 1.5, "iv_percentile_cache_shares"),
        ("iv_percentile_cache", "n_observations", 2, "iv_percentile_cache_observations"),
        ("iv_percentile_cache", "iv_regime", "CHEAP", "iv_percentile_cache_iv_regime"),
        ("gamma_exposure_snapshots", "gex_usd_per_1pct", INFINITY, "gamma_exposure_snapshots_"),
        ("gamma_exposure_snapshots", "gex_usd_per_1pct", 1.0, "gamma_exposure_snapshots_dealer_net_gamma"),
        ("gamma_exposure_snapshots", "zero_gamma", None, "gamma_exposure_snapshots_zero_gamma_reason"),
        ("gamma_exposure_snapshots", "zero_gamma_crossings", '{"zero": 1}', "gamma_exposure_snapshots_documents"),
        ("gamma_exposure_snapshots", "zero_gamma_crossings", "[NaN]", 'Token "NaN" is invalid'),
        ("gamma_exposure_snapshots", "contracts_valued", 5, "gamma_exposure_snapshots_counts"),
        ("gamma_exposure_snapshots", "sign_model", "guess", "gamma_exposure_snapshots_sign_model"),
        ("market_regime_history", "vix_level", NAN, "market_regime_history_prices"),
        ("market_regime_history", "market_regime", "BULLISH", "market_regime_history_market_regime"),
        ("market_regime_history", "confidence_score", 101.0, "market_regime_history_confidence_score"),
        ("market_regime_history", "share_above_50d", 55.0, "market_regime_history_shares"),
        ("market_regime_history", "regime_since", MONDAY + timedelta(days=1), "market_regime_history_regime_since"),
        ("treasury_yields", "rate", 5.25, "treasury_yields_rate"),
        ("treasury_yields", "rate", NAN, "treasury_yields_rate"),
    ],
)
def test_one_bad_derived_row_publishes_nothing(
    database: Database, warehouse_url: str, table: str, column: str, value: object, rule: str
) -> None:
    frames = {
        "iv_percentile_cache": iv_rows(["SPY"], [MONDAY]),
        "gamma_exposure_snapshots": gamma_rows(["SPY"], [MONDAY]),
        "market_regime_history": regime_rows([MONDAY]),
        "treasury_yields": yield_rows([MONDAY]),
    }
    frame = frames[table]
    bad = frame.with_columns(pl.lit(value, frame.schema[column]).alias(column))
    with pytest.raises(RowsRefusedError, match=rule):
        put_rows(database, table, bad)
    assert one(warehouse_url, f"SELECT count(*) FROM {table}") == 0


@pytest.mark.parametrize(
    "table", [name for name in STAMPED if name not in {"options_flow_history", "option_chain_snapshots"}]
)
def test_an_update_stamps_the_row(filled_url: str, table: str) -> None:
    with psycopg.connect(filled_url) as connection:
        connection.execute("SET LOCAL ROLE hd_service")
        before = connection.execute(f"SELECT min(updated_at) FROM {table}").fetchone()
        assert before is not None
    with psycopg.connect(filled_url) as connection:
        connection.execute("SET LOCAL ROLE hd_service")
        column = (
            "rate" if table == "treasury_yields" else "n_stocks" if table == "market_regime_history" else "price_source"
        )
        if table.startswith("gamma_"):
            column = "session"
        connection.execute(f"UPDATE {table} SET {column} = {column}")
        after = connection.execute(f"SELECT min(updated_at) FROM {table}").fetchone()
    assert after is not None
    assert after[0] > before[0]


@pytest.mark.parametrize("table", STAMPED)
def test_every_table_has_the_trigger(migrated_url: str, table: str) -> None:
    query = "SELECT count(*) FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = 'stamp_updated_at'"
    assert one(migrated_url, query, table) == 1


@pytest.mark.parametrize(
    "table", [GREEKS, GAMMA, GAMMA_STRIKES, GAMMA_EXPIRATIONS, IV_PERCENTILES, REGIME], ids=lambda table: table.name
)
def test_rows_are_visible_through_the_parent_and_never_through_a_partition(filled_url: str, table: object) -> None:
    name = table.name  # type: ignore[attr-defined]
    partition = Partition.of(MONDAY, table).name  # type: ignore[arg-type]
    for role in ("hd_reader", "hd_service"):
        with acting_as(filled_url, role) as connection:
            row = connection.execute(f"SELECT count(*) > 0 FROM {name}").fetchone()
            assert row == (True,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT count(*) FROM {partition}")
    with acting_as(filled_url, "hd_webhook") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"SELECT count(*) FROM {name}")
    with acting_as(filled_url, "hd_owner") as connection:
        assert connection.execute(f"SELECT count(*) FROM {partition}").fetchone() == (0,)


@pytest.mark.parametrize("table", PARTITIONED.values(), ids=lambda table: table.name)
def test_a_partition_has_the_constraints_and_indexes_of_its_table(
    database: Database, warehouse_url: str, table: object
) -> None:
    assert ensure_partition(database, MONDAY, table)  # type: ignore[arg-type]
    (partition,) = list_partitions(database, table)  # type: ignore[arg-type]
    shape = """
        SELECT relrowsecurity, relforcerowsecurity,
               (SELECT array_agg(pg_get_constraintdef(oid) ORDER BY pg_get_constraintdef(oid)) FROM pg_constraint
                WHERE conrelid = pg_class.oid AND contype IN ('c', 'p', 'u')),
               (SELECT array_agg(definition ORDER BY definition) FROM (
                   SELECT regexp_replace(pg_get_indexdef(indexrelid), '^.* USING', '') AS definition
                   FROM pg_index WHERE indrelid = pg_class.oid) AS indexes),
               (SELECT count(*) FROM pg_trigger WHERE tgrelid = pg_class.oid)
        FROM pg_class WHERE relname = %s
    """
    with psycopg.connect(warehouse_url) as connection:
        parent = connection.execute(shape, (table.name,)).fetchone()  # type: ignore[attr-defined]
        child = connection.execute(shape, (partition,)).fetchone()
    assert child == parent
    assert child is not None
    assert child[:2] == (True, True)


def _is_kept(url: str, days: int) -> date:
    today = one(url, "SELECT (now() AT TIME ZONE 'America/New_York')::date")
    assert isinstance(today, date)
    return today - timedelta(days=days)


def test_retention_drops_whole_partitions_of_every_table_with_their_manifest_rows(
    database: Database, warehouse_url: str
) -> None:
    recent, old, ancient = (_is_kept(warehouse_url, days) for days in (3, 400, 3000))
    put_greeks(database, valued(["SPY"], [recent, old]))
    put_rows(database, "gamma_exposure_snapshots", gamma_rows(["SPY"], [recent, old]))
    put_rows(database, "iv_percentile_cache", iv_rows(["SPY"], [recent, old, ancient]))
    put_rows(database, "market_regime_history", regime_rows([recent, old, ancient]))
    publish(database, bars(["SPY"], [recent, old]))
    assert drop_old_rows(database) == {
        "historical_greeks": 4,
        "options_flow_history": 0,
        "iv_percentile_cache": 1,
        "gamma_exposure_snapshots": 1 + 3 + 1,  # with its rows by strike and by expiration
        "market_regime_history": 1,
        "historical_bars": 4,
    }
    assert list_partitions(database, GREEKS) == [Partition.of(recent, GREEKS).name]
    assert (one(warehouse_url, "SELECT count(*) FROM gamma_by_strike WHERE session = %s", old)) == 0
    assert (one(warehouse_url, "SELECT count(*) FROM gamma_by_strike WHERE session = %s", recent)) == 3
    assert one(warehouse_url, "SELECT count(*) FROM derivation_manifest WHERE session = %s", ancient) == 0
    assert one(warehouse_url, "SELECT count(*) FROM derivation_manifest WHERE session = %s", old) == 2
    assert set(drop_old_rows(database).values()) == {0}


def test_one_session_within_retention_keeps_the_whole_partition(database: Database, warehouse_url: str) -> None:
    edge = _is_kept(warehouse_url, 90)
    put_rows(database, "gamma_exposure_snapshots", gamma_rows(["SPY"], [edge.replace(day=1), edge]))
    with psycopg.connect(warehouse_url) as connection:
        connection.execute("SET LOCAL ROLE hd_service")
        assert connection.execute("SELECT cleanup_old_gamma()").fetchone() == (0,)
        with pytest.raises(psycopg.errors.RaiseException, match="must not be negative"):
            connection.execute("SELECT cleanup_old_gamma(interval '-1 day')")


def test_the_questions_answer_with_the_newest_row(filled_url: str) -> None:
    with acting_as(filled_url, "hd_reader") as connection:
        answers = {
            question: connection.execute(f"SELECT * FROM {question}").fetchall()
            for question in (
                "get_latest_iv_percentile('SPY')",
                "get_latest_gamma_exposure('SPY')",
                "get_current_market_regime()",
                "get_latest_iv_percentile('NOPE')",
                "get_latest_gamma_exposure('NOPE')",
                "get_flow_summary('SPY')",
            )
        }
    assert [str(row) for row in answers["get_current_market_regime()"]] == [
        "(datetime.date(2025, 11, 3), Decimal('15.5'), 'LOW', None, 'RANGE_BOUND', 60.0)"
    ]
    assert answers["get_latest_iv_percentile('SPY')"] == [("SPY", 0.2, None, None, None)]
    assert answers["get_latest_gamma_exposure('SPY')"] == [("SPY", "LONG_GAMMA", 105, 95, "PINNING")]
    assert answers["get_latest_iv_percentile('NOPE')"] == answers["get_latest_gamma_exposure('NOPE')"] == []
    assert answers["get_flow_summary('SPY')"] == [("SPY", None, None, None, None, None)]


def test_flow_is_summed_over_the_last_minutes_and_unknown_without_prints(
    database: Database, warehouse_url: str
) -> None:
    today = one(warehouse_url, "SELECT (now() AT TIME ZONE 'UTC')::date")
    ensure_partition(database, today, PARTITIONED["options_flow_history"])  # type: ignore[arg-type]
    insert = """
        INSERT INTO options_flow_history (id, symbol, contract_ticker, "timestamp", session, price, size, premium,
            trade_type, sentiment, strike, expiration, option_type, dte, is_sweep)
        SELECT gen_random_uuid(), 'SPY', 'O:SPY', now(), (now() AT TIME ZONE 'UTC')::date, 1.5, 10, 1500, 'SWEEP',
            sentiment, 100, (now() AT TIME ZONE 'UTC')::date, 'call', 0, sweep
        FROM (VALUES ('BULLISH', true), ('BULLISH', true), ('BEARISH', true), ('BEARISH', false)) AS p (sentiment, sweep)
    """
    with psycopg.connect(warehouse_url) as connection:
        connection.execute("SET LOCAL ROLE hd_service")
        connection.execute(insert)
        summary = connection.execute("SELECT * FROM get_flow_summary('SPY', 5)").fetchone()
        connection.rollback()
    assert summary is not None
    assert (*summary[:4], int(summary[4]), summary[5]) == ("SPY", 3, 2, 1, 6000, "BULLISH")


@pytest.mark.parametrize(
    "function",
    [
        "get_latest_iv_percentile(text)",
        "get_flow_summary(text,integer)",
        "get_latest_gamma_exposure(text)",
        "get_current_market_regime()",
    ],
)
def test_questions_are_asked_with_the_askers_own_rights(filled_url: str, function: str) -> None:
    with psycopg.connect(filled_url) as connection:
        row = connection.execute("SELECT prosecdef FROM pg_proc WHERE oid = %s::regprocedure", (function,)).fetchone()
        assert row == (False,)
        for role, may in (("hd_reader", True), ("hd_service", True), ("hd_webhook", False)):
            row = connection.execute("SELECT has_function_privilege(%s, %s, 'EXECUTE')", (role, function)).fetchone()
            assert row == (may,), role


def test_only_the_owner_drops_partitions_by_name(filled_url: str) -> None:
    for role in ("hd_service", "hd_reader", "hd_webhook"):
        with acting_as(filled_url, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT drop_old_leaves('historical_greeks', 'month', interval '0')")
