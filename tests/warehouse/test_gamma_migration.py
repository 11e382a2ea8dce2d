"""Revision 0013 moves gamma by strike and by expiration from JSON to rows, and back, without changing a value."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import psycopg
import pytest
from alembic import command
from psycopg.types.json import Jsonb
from sqlalchemy import create_engine

from hd_pipelines.warehouse.engine import Database, to_sqlalchemy_url
from hd_pipelines.warehouse.roles import ensure_roles
from hd_pipelines.warehouse.schema import revision as schema
from hd_pipelines.warehouse.schema.partitioned import GAMMA, GAMMA_EXPIRATIONS, GAMMA_STRIKES
from hd_pipelines.warehouse.schema.partitions import ensure_partition, list_partitions
from tests.warehouse.bar_frames import one
from tests.warehouse.option_frames import at, gamma_rows, put_rows

OCTOBER, NOVEMBER = date(2025, 10, 31), date(2025, 11, 3)
DOCUMENTS: dict[str, list[dict[str, Any]] | None] = {
    "gamma_by_strike": [
        {"strike": 95.0, "call": 0.0, "put": -1234567890.12, "net": -1234567890.12},
        {"strike": 102.5, "call": 0.1, "put": -0.3, "net": -0.2},
    ],
    "oi_by_strike": [
        {"strike": 95.0, "call": None, "put": 50},
        {"strike": 100.0, "call": 3, "put": None},
        {"strike": 102.5, "call": 1, "put": 2},
    ],
    "volume_by_strike": [
        {"strike": 95.0, "call": None, "put": None},
        {"strike": 100.0, "call": 0, "put": 9},
        {"strike": 102.5, "call": None, "put": 4},
    ],
    "gamma_by_expiration": [
        {"expiration": "2025-11-07", "call": 0.1, "put": -1234567890.42, "net": -1234567890.32},
        {"expiration": "2025-11-21", "call": 0.0, "put": 0.0, "net": 0.0},
    ],
}
STRIKES = [
    (95, 0.0, -1234567890.12, -1234567890.12, None, 50, None, None),
    (100, None, None, None, 3, None, 0, 9),
    (102.5, 0.1, -0.3, -0.2, 1, 2, None, 4),
]
EXPIRATIONS = [
    (date(2025, 11, 7), 0.1, -1234567890.42, -1234567890.32),
    (date(2025, 11, 21), 0.0, 0.0, 0.0),
]
SELECT_STRIKES = """
    SELECT strike, call_gex_usd_per_1pct, put_gex_usd_per_1pct, gex_usd_per_1pct, call_oi, put_oi, call_volume, put_volume
    FROM gamma_by_strike WHERE symbol = %s AND timestamp = %s ORDER BY strike
"""
SELECT_EXPIRATIONS = """
    SELECT expiration, call_gex_usd_per_1pct, put_gex_usd_per_1pct, gex_usd_per_1pct
    FROM gamma_by_expiration WHERE symbol = %s AND timestamp = %s ORDER BY expiration
"""


def _migrate(url: str, step: Any, revision: str) -> None:
    engine = create_engine(to_sqlalchemy_url(url))
    with engine.connect() as connection:
        connection.exec_driver_sql("SET ROLE hd_owner")
        connection.commit()
        config = schema.build_alembic_config()
        config.attributes["connection"] = connection
        step(config, revision)
    engine.dispose()


@pytest.fixture
def old_url(database_url: str) -> str:
    """A warehouse at 0012 with dbt's view and snapshots of two months; the last one has no documents."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        ensure_roles(connection)
    _migrate(database_url, command.upgrade, "0012")
    with Database(database_url) as database:
        for day in (OCTOBER, NOVEMBER):
            ensure_partition(database, day, GAMMA)
    with psycopg.connect(database_url) as connection:
        connection.execute("SET ROLE hd_service")
        for symbol, day, documents in (
            ("SPY", OCTOBER, DOCUMENTS),
            ("SPX", NOVEMBER, DOCUMENTS),
            ("SPY", NOVEMBER, dict.fromkeys(DOCUMENTS)),
        ):
            columns = ", ".join(documents)
            connection.execute(
                'INSERT INTO gamma_exposure_snapshots (id, symbol, "timestamp", session, kind, sign_model, contracts,'
                f" contracts_valued, zero_gamma_reason, positioning_reason, created_at, updated_at, {columns}) VALUES"
                " (gen_random_uuid(), %s, %s, %s, 'close', 'naive_calls_long', 6, 4, 'oi_unknown', 'no_gamma',"
                " '2025-11-04', '2025-11-05', %s, %s, %s, %s)",
                (symbol, at(day), day, *(value and Jsonb(value) for value in documents.values())),
            )
        connection.execute(
            "CREATE VIEW marts.stg_gamma_exposure AS SELECT gamma_by_strike FROM gamma_exposure_snapshots"
        )
    return database_url


def _read(url: str, select: str, *key: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(select, key).fetchall()


def test_documents_become_rows_of_the_same_values(old_url: str) -> None:
    assert schema.upgrade(old_url) == schema.get_head_revision()
    for symbol, day in (("SPY", OCTOBER), ("SPX", NOVEMBER)):
        assert _read(old_url, SELECT_STRIKES, symbol, at(day)) == STRIKES
        assert _read(old_url, SELECT_EXPIRATIONS, symbol, at(day)) == EXPIRATIONS
    assert _read(old_url, SELECT_STRIKES, "SPY", at(NOVEMBER)) == []
    for table, rows in (("gamma_by_strike", 6), ("gamma_by_expiration", 4)):
        written = f"SELECT count(*) FROM {table} WHERE created_at = '2025-11-04' AND updated_at = '2025-11-05'"
        assert one(old_url, written) == rows
        assert one(old_url, f"SELECT count(*) FROM {table} WHERE session = timestamp::date") == rows
    assert one(old_url, "SELECT array_agg(DISTINCT updated_at::date) FROM gamma_exposure_snapshots") == [
        date(2025, 11, 5)
    ]
    assert one(old_url, "SELECT to_regclass('marts.stg_gamma_exposure')") is None


def test_a_load_that_commits_during_the_upgrade_keeps_its_rows(old_url: str) -> None:
    with psycopg.connect(old_url) as load, ThreadPoolExecutor(1) as upgrading:
        load.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (GAMMA.lock,))
        load.execute("SET LOCAL ROLE hd_service")
        load.execute(
            "INSERT INTO gamma_exposure_snapshots SELECT (jsonb_populate_record(held, jsonb_build_object('symbol', 'QQQ',"
            " 'id', gen_random_uuid()))).* FROM gamma_exposure_snapshots AS held WHERE symbol = 'SPX'"
        )
        upgraded = upgrading.submit(schema.upgrade, old_url)
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%advisory%%'"
        while not one(old_url, waiting):
            assert not upgraded.done(), upgraded.result()
            time.sleep(0.05)
        load.commit()
        assert upgraded.result(60) == schema.get_head_revision()
    assert _read(old_url, SELECT_STRIKES, "QQQ", at(NOVEMBER)) == STRIKES
    assert _read(old_url, SELECT_EXPIRATIONS, "QQQ", at(NOVEMBER)) == EXPIRATIONS


def test_the_new_tables_have_the_months_of_the_snapshots_closed_like_theirs(old_url: str) -> None:
    schema.upgrade(old_url)
    with Database(old_url) as database:
        for table in (GAMMA_STRIKES, GAMMA_EXPIRATIONS):
            assert list_partitions(database, table) == [f"{table.name}_y2025m10", f"{table.name}_y2025m11"]
            for partition in list_partitions(database, table):
                locked = "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE relname = %s"
                assert one(old_url, locked, partition) is True
                assert one(old_url, "SELECT has_table_privilege('hd_reader', %s, 'SELECT')", partition) is False
        report = put_rows(database, "gamma_exposure_snapshots", gamma_rows(["SPY", "SPX"], [OCTOBER, NOVEMBER]))
    assert report.written == 20
    assert one(old_url, "SELECT count(*) FROM gamma_by_strike") == 12


def test_rows_become_the_same_documents_again(old_url: str) -> None:
    schema.upgrade(old_url)
    _migrate(old_url, command.downgrade, "0012")
    select = f"SELECT {', '.join(DOCUMENTS)} FROM gamma_exposure_snapshots WHERE symbol = %s AND timestamp = %s"
    for symbol, day in (("SPY", OCTOBER), ("SPX", NOVEMBER)):
        (found,) = _read(old_url, select, symbol, at(day))
        assert json.loads(json.dumps(found)) == list(DOCUMENTS.values())
    written = "SELECT array_agg(DISTINCT updated_at::date) FROM gamma_exposure_snapshots"
    assert one(old_url, written) == [date(2025, 11, 5)]
    schema.upgrade(old_url)
    assert _read(old_url, SELECT_STRIKES, "SPX", at(NOVEMBER)) == STRIKES
