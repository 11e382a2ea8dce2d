"""Who may see and change what: each role through the parent, through a partition and through views."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.publish.bars import Method
from tests.support.postgres import PostgresServer
from tests.warehouse.bar_frames import MONDAY, TUESDAY, bars, one, publish

TABLES = (
    "historical_bars",
    "bars_manifest",
    "load_manifest",
    "data_findings",
    "watchlist",
    "historical_ingestion_queue",
    "historical_greeks",
    "options_flow_history",
    "iv_percentile_cache",
    "gamma_exposure_snapshots",
    "gamma_by_strike",
    "gamma_by_expiration",
    "market_regime_history",
    "treasury_yields",
    "option_chain_snapshots",
    "derivation_manifest",
    "alerts",
    "alert_outbox",
    "alert_channels",
    "composite_signals",
    "signal_scans",
)
CLEANED = ("greeks", "flow", "iv", "gamma", "regime")
LEAF = "historical_bars_y2025m11"


@contextmanager
def acting_as(url: str, role: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A transaction in which the superuser has become `role`; rolled back."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('role', %s, true)", (role,))
        yield connection
        connection.rollback()


@pytest.fixture(scope="module", params=list(Method))
def filled_url(request: pytest.FixtureRequest, postgres_server: PostgresServer, migrated_url: str) -> Iterator[str]:
    """A warehouse whose partition was created and refilled in one of both ways; what a test writes it rolls back."""
    with postgres_server.copied_database(migrated_url) as url:
        with Database(url) as database:
            publish(database, bars(["SPY"], [MONDAY]), method=request.param)
            publish(database, bars(["QQQ"], [TUESDAY]), method=request.param)
        yield url


def _count(connection: psycopg.Connection[tuple[object, ...]], relation: str) -> object:
    row = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
    return row[0] if row else None


@pytest.mark.parametrize("role", ["hd_reader", "hd_service"])
def test_reader_and_service_see_bars_through_the_parent(filled_url: str, role: str) -> None:
    with acting_as(filled_url, role) as connection:
        assert _count(connection, "historical_bars") == 8


@pytest.mark.parametrize("role", ["hd_reader", "hd_service", "hd_webhook"])
def test_nobody_reads_a_partition_directly(filled_url: str, role: str) -> None:
    with acting_as(filled_url, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        _count(connection, LEAF)


@pytest.mark.parametrize("role", ["hd_reader", "hd_service", "hd_webhook"])
def test_only_the_owner_has_any_right_on_a_partition(filled_url: str, role: str) -> None:
    with psycopg.connect(filled_url) as connection:
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"):
            row = connection.execute("SELECT has_table_privilege(%s, %s, %s)", (role, LEAF, right)).fetchone()
            assert row == (False,), right


@pytest.mark.parametrize("relation", ["historical_bars", LEAF, "bars_manifest"])
def test_even_the_owner_sees_no_rows(filled_url: str, relation: str) -> None:
    with acting_as(filled_url, "hd_owner") as connection:
        assert _count(connection, relation) == 0


@pytest.mark.parametrize("table", TABLES)
def test_the_reader_changes_nothing(filled_url: str, table: str) -> None:
    for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}", f"INSERT INTO {table} DEFAULT VALUES"):
        with acting_as(filled_url, "hd_reader") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


@pytest.mark.parametrize("table", [*TABLES, LEAF, "alembic_version"])
def test_the_webhook_reads_nothing(filled_url: str, table: str) -> None:
    with acting_as(filled_url, "hd_webhook") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        _count(connection, table)


def test_the_service_may_not_change_the_schema(filled_url: str) -> None:
    for statement in (
        f"DROP TABLE {LEAF}",
        "ALTER TABLE historical_bars DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE public.mine (a int)",
    ):
        with acting_as(filled_url, "hd_service") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


@pytest.mark.parametrize(("option", "seen"), [("false", 0), ("true", 0)])
def test_the_owners_view_shows_nothing_that_its_reader_may_not_see(filled_url: str, option: str, seen: int) -> None:
    with psycopg.connect(filled_url) as connection:
        connection.execute("SET LOCAL ROLE hd_owner")
        connection.execute(
            f"CREATE VIEW marts.peek WITH (security_invoker = {option}) AS SELECT * FROM historical_bars"
        )
        connection.execute("GRANT USAGE ON SCHEMA marts TO hd_webhook")
        connection.execute("GRANT SELECT ON marts.peek TO hd_webhook")
        connection.execute("SET LOCAL ROLE hd_webhook")
        if option == "true":
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                _count(connection, "marts.peek")
        else:
            assert _count(connection, "marts.peek") == seen
        connection.rollback()


def test_a_plain_view_of_the_service_leaks_where_an_invokers_view_does_not(filled_url: str) -> None:
    # Why dbt's views are made with security_invoker: a plain one gives its owner's rights to every role that may select.
    with psycopg.connect(filled_url) as connection:
        connection.execute("SET LOCAL ROLE hd_service")
        for name, option in (("plain", "false"), ("invoked", "true")):
            connection.execute(
                f"CREATE VIEW marts.{name} WITH (security_invoker = {option}) AS SELECT * FROM historical_bars"
            )
            connection.execute(f"GRANT SELECT ON marts.{name} TO hd_webhook")
        connection.execute("SET LOCAL ROLE hd_owner")
        connection.execute("GRANT USAGE ON SCHEMA marts TO hd_webhook")
        connection.execute("SET LOCAL ROLE hd_webhook")
        assert _count(connection, "marts.plain") == 8
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _count(connection, "marts.invoked")
        connection.rollback()


def test_what_the_service_builds_in_marts_the_reader_may_read(filled_url: str) -> None:
    with psycopg.connect(filled_url) as connection:
        connection.execute("SET LOCAL ROLE hd_service")
        connection.execute("CREATE TABLE marts.days AS SELECT DISTINCT session FROM historical_bars")
        connection.execute("SET LOCAL ROLE hd_reader")
        assert _count(connection, "marts.days") == 2
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE marts.mine (a int)")
        connection.rollback()


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_the_owners_and_under_forced_row_level_security(filled_url: str, table: str) -> None:
    with psycopg.connect(filled_url) as connection:
        row = connection.execute(
            "SELECT pg_get_userbyid(relowner), relrowsecurity, relforcerowsecurity FROM pg_class"
            " WHERE oid = %s::regclass",
            (table,),
        ).fetchone()
    assert row == ("hd_owner", True, True)


def test_every_table_of_the_warehouse_is_in_this_test(filled_url: str) -> None:
    query = """
        SELECT array_agg(relname::text ORDER BY relname) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    """
    assert one(filled_url, query) == sorted([*TABLES, "alembic_version"])


def test_no_role_can_log_in_or_go_round_row_level_security(filled_url: str) -> None:
    query = """
        SELECT count(*) FROM pg_roles
        WHERE rolname LIKE 'hd\\_%' AND rolname IN ('hd_owner', 'hd_service', 'hd_reader', 'hd_webhook')
          AND NOT rolcanlogin AND NOT rolsuper AND NOT rolbypassrls AND NOT rolcreaterole
    """
    assert one(filled_url, query) == 4


@pytest.mark.parametrize(
    ("function", "may"),
    [
        ("cleanup_old_historical_bars(interval)", {"hd_owner", "hd_service"}),
        ("forget_bars_before(date)", {"hd_owner", "hd_service"}),
        ("get_all_watchlist_symbols()", {"hd_service", "hd_reader"}),
        ("forget_rows_before(text, date)", {"hd_owner", "hd_service"}),
        *((f"cleanup_old_{name}(interval)", {"hd_owner", "hd_service"}) for name in CLEANED),
        ("run_as_reader(text)", {"hd_reader"}),
    ],
)
def test_functions_are_closed_to_everybody_else(filled_url: str, function: str, may: set[str]) -> None:
    with psycopg.connect(filled_url) as connection:
        for role in ("hd_owner", "hd_service", "hd_reader", "hd_webhook"):
            row = connection.execute("SELECT has_function_privilege(%s, %s, 'EXECUTE')", (role, function)).fetchone()
            assert row == (role in may,), role
        row = connection.execute("SELECT prosecdef, proconfig FROM pg_proc WHERE oid = %s::regprocedure", (function,))
        security_definer, settings = row.fetchone()  # type: ignore[misc]
    assert security_definer
    assert any(setting.startswith("search_path=") for setting in settings)


@pytest.mark.parametrize("role", ["hd_reader", "hd_webhook"])
def test_readers_have_no_access_to_the_staging_schema(filled_url: str, role: str) -> None:
    with psycopg.connect(filled_url) as connection:
        for right in ("USAGE", "CREATE"):
            row = connection.execute("SELECT has_schema_privilege(%s, 'staging', %s)", (role, right)).fetchone()
            assert row == (False,), right
