"""The schema reaches its head once, whoever upgrades it, however many at a time, and whatever is killed in between."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import create_engine

import embedded_postgres as embedded
from hd_pipelines.tables import vocabulary
from hd_pipelines.tables.vocabulary import Severity, Timeframe
from hd_pipelines.warehouse.engine import Database, to_sqlalchemy_url
from hd_pipelines.warehouse.errors import (
    MigrationLockError,
    RoleSetupError,
    SchemaOutdatedError,
    SchemaTooNewError,
)
from hd_pipelines.warehouse.publish.bars import Method
from hd_pipelines.warehouse.read.reader import read_only_query
from hd_pipelines.warehouse.schema import revision as schema
from hd_pipelines.warehouse.schema.tables import metadata
from tests.support.postgres import PostgresServer
from tests.warehouse.bar_frames import MONDAY, bars, one, publish

# Each child is a process of its own; forked from one that has imported everything, because imports are the slow part.
FORK = """
import os, signal, sys
from sqlalchemy import Engine, event
from hd_pipelines.warehouse.schema import revision as schema

url, deadly = sys.argv[1], sys.argv[2:]

def die_at(statement):
    @event.listens_for(Engine, "before_cursor_execute")
    def die(connection, cursor, executed, *_):
        if statement in executed:
            os.kill(os.getpid(), signal.SIGKILL)

def child(statement=None):
    pid = os.fork()
    if pid:
        return pid
    if statement:
        die_at(statement)
    try:
        schema.upgrade(url)
    finally:
        os._exit(sys.exc_info()[0] is not None)

def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

if deadly:
    for statement in deadly:
        print(ended(child(statement)), schema.read_revision(url))
else:
    print(*[ended(pid) for pid in [child() for _ in range(8)]])
"""
LAST_STATEMENTS = {
    "0001": "GRANT SELECT ON bars_manifest",
    "0002": "GRANT SELECT ON data_findings",
    "0003": "CREATE TRIGGER queue_returning_symbol",
    "0004": "ALTER DEFAULT PRIVILEGES",
    "0005": "GRANT SELECT ON options_flow_history",
    "0006": "GRANT SELECT ON market_regime_history",
    "0007": "GRANT SELECT ON gamma_exposure_snapshots",
    "0008": "GRANT SELECT ON derivation_manifest",
    "0009": "GRANT EXECUTE ON FUNCTION cleanup_all_historical_data",
    "0010": "ALTER TABLE market_regime_history",
    "0011": "GRANT SELECT ON alert_channels",
    "0012": "GRANT SELECT ON signal_scans",
    "0013": "COMMENT ON FUNCTION cleanup_old_gamma",
}


def test_an_empty_database_is_brought_to_head_and_stays_there(database_url: str) -> None:
    assert schema.read_revision(database_url) is None
    with pytest.raises(SchemaOutdatedError, match="hd db upgrade"):
        schema.require_head(database_url)
    assert schema.upgrade(database_url) == schema.get_head_revision() == schema.upgrade(database_url)
    assert schema.read_revision(database_url) == schema.get_head_revision()
    schema.require_head(database_url)


def _fork(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", FORK, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_eight_processes_may_migrate_an_empty_database_at_once(database_url: str) -> None:
    assert _fork(database_url).split() == ["0"] * 8
    schema.require_head(database_url)
    assert one(database_url, "SELECT count(*) FROM alembic_version") == 1


@pytest.mark.slow
def test_databases_of_a_new_cluster_may_be_set_up_at_once(hd_home: Path) -> None:
    # Roles belong to the cluster and advisory locks to one database, so here nothing but the catalog settles the race.
    with embedded.running(hd_home, linger_seconds=2.0) as url:
        server = PostgresServer(url)
        urls = [server.new_database() for _ in range(6)]
        with ThreadPoolExecutor(len(urls)) as pool:
            assert set(pool.map(schema.upgrade, urls)) == {schema.get_head_revision()}


def test_a_migration_killed_in_any_revision_is_finished_by_the_next(database_url: str) -> None:
    before_each = [None, *LAST_STATEMENTS][:-1]
    killed = str(-signal.SIGKILL)
    reported = _fork(database_url, *LAST_STATEMENTS.values()).splitlines()
    assert reported == [f"{killed} {revision}" for revision in before_each]
    assert schema.upgrade(database_url) == schema.get_head_revision()


def test_every_revision_has_a_place_to_be_killed_at() -> None:
    assert max(LAST_STATEMENTS) == schema.get_head_revision()


def test_newer_code_has_been_here(database_url: str) -> None:
    schema.upgrade(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for attempt in (schema.require_head, schema.upgrade):
        with pytest.raises(SchemaTooNewError, match=r"revision 9999.*update hd_pipelines"):
            attempt(database_url)


def test_older_code_has_been_here(database_url: str) -> None:
    schema.upgrade(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
    with pytest.raises(SchemaOutdatedError, match=r"revision 0002.*needs.*hd db upgrade"):
        schema.require_head(database_url)


def test_a_migrator_that_never_ends_is_named(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('hd_pipelines:migrations', 0))")
        with pytest.raises(MigrationLockError, match=f"server pid {other.info.backend_pid}"):
            schema.upgrade(database_url, deadline_seconds=0.3)


def test_going_down_to_nothing_and_up_again_leaves_no_debris(database_url: str) -> None:
    schema.upgrade(database_url)
    before = _catalog(database_url)
    engine = create_engine(to_sqlalchemy_url(database_url))
    with engine.connect() as connection:
        connection.exec_driver_sql("SET ROLE hd_owner")
        connection.commit()
        config = schema.build_alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    engine.dispose()
    left = "SELECT array_agg(relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    assert one(database_url, left) == ["alembic_version"]
    assert one(database_url, "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace") == 0
    schema.upgrade(database_url)
    assert _catalog(database_url) == before


def _catalog(url: str) -> list[tuple[object, ...]]:
    """Columns, constraints and indexes of schema public as text; without partitions."""
    query = """
        SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull, collname, attidentity::text,
               pg_get_expr(adbin, adrelid)
        FROM pg_attribute
        JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        LEFT JOIN pg_collation ON pg_collation.oid = attcollation
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
          AND NOT relispartition AND relname <> 'alembic_version'
        UNION ALL
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated, NULL, contype::text, NULL
        FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version' AND contype <> 'n'
        UNION ALL
        SELECT tablename, indexname, indexdef, NULL, NULL, NULL, NULL
        FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
        ORDER BY 1, 2, 3
    """
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_metadata_and_migrated_schema_agree(database_url: str, migrated_url: str) -> None:
    engine = create_engine(to_sqlalchemy_url(database_url))
    metadata.create_all(engine)
    engine.dispose()
    assert _catalog(database_url) == _catalog(migrated_url)


def test_alembic_sees_nothing_to_generate(database: Database, warehouse_url: str) -> None:
    publish(database, bars(["SPY"], [MONDAY]), method=Method.REBUILD)
    engine = create_engine(to_sqlalchemy_url(warehouse_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_object": _is_not_a_partition}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def _is_not_a_partition(_: object, name: str | None, kind: str, *__: object) -> bool:
    return not (kind == "table" and re.search(r"_y\d{4}", str(name)))


@pytest.mark.parametrize(
    ("constraint", "enum_values"),
    [
        ("historical_bars_timeframe", Timeframe),
        ("data_findings_severity", Severity),
        ("historical_greeks_price_source", vocabulary.PriceSource),
        ("options_flow_history_trade_type", vocabulary.TradeType),
        ("iv_percentile_cache_iv_regime", vocabulary.IvRegime),
        ("iv_percentile_cache_iv_recommendation", vocabulary.IvRecommendation),
        ("gamma_exposure_snapshots_dealer_positioning", vocabulary.DealerPositioning),
        ("gamma_exposure_snapshots_expected_behavior", vocabulary.ExpectedBehavior),
        ("market_regime_history_market_regime", vocabulary.MarketRegime),
        ("market_regime_history_vix_term_structure", vocabulary.VixTermStructure),
        ("composite_signals_strategy", vocabulary.Strategy),
    ],
)
def test_database_checks_list_the_same_enum_values(
    migrated_url: str, constraint: str, enum_values: type[StrEnum]
) -> None:
    rule = str(one(migrated_url, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", constraint))
    assert [word for word in rule.split("'") if "::" not in word and word.strip("[]() ,")][1:] == list(enum_values)


@pytest.fixture
def plain_owner(postgres_server: PostgresServer) -> Iterator[tuple[str, str]]:
    """URL of a database as its plain owner with CREATEROLE, and the owner's name."""
    url = postgres_server.new_database()
    name = url.rsplit("/", 1)[1] + "_owner"
    login = sql.Identifier(name)
    database = sql.Identifier(url.rsplit("/", 1)[1])
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD 'plain'").format(login))
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, login))
        yield url.replace(url[: url.index("@")], f"postgresql://{name}:plain"), name
        postgres_server.drop_database(url)
        connection.execute(sql.SQL("DROP ROLE {}").format(login))


def test_a_plain_owner_who_administers_the_roles_can_set_up_and_use_everything(
    plain_owner: tuple[str, str], migrated_url: str, postgres_server: PostgresServer
) -> None:
    url, name = plain_owner
    assert migrated_url  # the roles exist, made by a superuser
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("GRANT hd_owner, hd_service, hd_reader, hd_webhook TO {} WITH ADMIN OPTION").format(
                sql.Identifier(name)
            )
        )
    schema.upgrade(url)
    schema.require_head(url)
    with Database(url) as database:
        publish(database, bars(["SPY"], [MONDAY]), method=Method.REBUILD)
        publish(database, bars(["SPY"], [MONDAY]), method=Method.REBUILD)
        publish(database, bars(["QQQ"], [MONDAY]), method=Method.REPLACE_ROWS)
    columns, rows = read_only_query(url, "SELECT symbol, count(*) FROM historical_bars GROUP BY 1 ORDER BY 1")
    assert (columns, list(rows)) == (["symbol", "count"], [("QQQ", 4), ("SPY", 4)])


def test_a_user_without_rights_sees_what_a_superuser_must_run(
    plain_owner: tuple[str, str], migrated_url: str, postgres_server: PostgresServer
) -> None:
    url, name = plain_owner
    assert migrated_url
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER ROLE {} NOCREATEROLE").format(sql.Identifier(name)))
    with pytest.raises(RoleSetupError, match=f'ALTER ROLE "{name}" CREATEROLE'):
        schema.upgrade(url)
    assert schema.read_revision(url) is None
