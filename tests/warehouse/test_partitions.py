"""Monthly partitions: created once, dropped whole, and only when all of their month is old."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import psycopg
import pytest
from sqlalchemy import text

from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.read.bars import read_bar_fingerprints
from hd_pipelines.warehouse.roles import Role
from hd_pipelines.warehouse.schema.partitioned import Partition
from hd_pipelines.warehouse.schema.partitions import ensure_partition, list_partitions
from tests.warehouse.bar_frames import MONDAY, bars, one, publish, stored


def drop_partitions_older_than(database: Database, keep: timedelta = timedelta(days=365)) -> int:
    """Drop the partitions of bars that lie wholly before now - `keep`; rows dropped."""
    with database.begin(Role.SERVICE) as connection:
        return int(connection.execute(text("SELECT cleanup_old_historical_bars(:keep)"), {"keep": keep}).scalar_one())


@pytest.mark.parametrize(
    ("session", "name", "end"),
    [
        (date(2025, 11, 3), "historical_bars_y2025m11", date(2025, 12, 1)),
        (date(2025, 12, 31), "historical_bars_y2025m12", date(2026, 1, 1)),
        (date(2024, 2, 29), "historical_bars_y2024m02", date(2024, 3, 1)),
    ],
)
def test_a_partition_covers_a_month(session: date, name: str, end: date) -> None:
    partition = Partition.of(session)
    assert (partition.first, partition.name, partition.end) == (session.replace(day=1), name, end)


def test_concurrent_requests_create_a_partition_once(warehouse_url: str) -> None:
    def make(_: int) -> bool:
        with Database(warehouse_url) as database:
            return ensure_partition(database, MONDAY)

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(make, range(6)))
    assert sorted(made) == [False] * 5 + [True]
    with Database(warehouse_url) as database:
        assert list_partitions(database) == ["historical_bars_y2025m11"]


def test_a_bar_without_a_partition_is_refused_not_stored_elsewhere(warehouse_url: str) -> None:
    with psycopg.connect(warehouse_url) as connection, pytest.raises(psycopg.errors.CheckViolation, match="partition"):
        connection.execute(
            "INSERT INTO historical_bars (symbol, timeframe, timestamp, session, open, high, low, close)"
            " VALUES ('SPY', 'day', '2025-11-03 14:30Z', '2025-11-03', 1, 1, 1, 1)"
        )


def _months_ago(today: date, months: int) -> date:
    for _ in range(months):
        today = today.replace(day=1) - timedelta(days=1)
    return today.replace(day=15)


def test_retention_drops_only_months_that_are_wholly_old(database: Database, warehouse_url: str) -> None:
    today = one(warehouse_url, "SELECT (now() AT TIME ZONE 'America/New_York')::date")
    assert isinstance(today, date)
    months = {ago: _months_ago(today, ago) for ago in (0, 11, 12, 13, 25)}
    for session in months.values():
        publish(database, bars(["SPY"], [session]))
    assert (
        drop_partitions_older_than(database) == 8
    )  # 13 and 25 months ago; in the 12th, some sessions are within a year
    kept = [months[ago] for ago in (12, 11, 0)]
    assert list_partitions(database) == [Partition.of(session).name for session in kept]
    assert sorted({row[0] for row in stored(warehouse_url, "session")}) == kept  # type: ignore[type-var]
    assert drop_partitions_older_than(database) == 0


def test_dropped_bars_are_forgotten_so_that_they_can_be_loaded_again(database: Database) -> None:
    publish(database, bars(["SPY"], [date(2019, 5, 1), MONDAY]))
    drop_partitions_older_than(database, timedelta(days=365 * 5))
    with database.connect() as connection:
        known = read_bar_fingerprints(connection, ["SPY"], date(2019, 1, 1), MONDAY)
    assert set(known) == {("SPY", MONDAY)}
    publish(database, bars(["SPY"], [date(2019, 5, 1)]))


def test_retention_of_a_negative_time_is_refused(database: Database, warehouse_url: str) -> None:
    publish(database, bars(["SPY"], [MONDAY]))
    with pytest.raises(Exception, match="must not be negative"):
        drop_partitions_older_than(database, timedelta(days=-365))
    assert len(stored(warehouse_url)) == 4
