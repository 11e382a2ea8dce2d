"""Bars added to a running session: new rows in, corrected rows changed, nothing else touched, nothing half done."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import polars as pl
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.market.findings import Finding
from hd_pipelines.tables.vocabulary import Rule, Severity
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.errors import BarsRefusedError, PublishBlockedError
from hd_pipelines.warehouse.publish import live_bars
from hd_pipelines.warehouse.publish.bars import Method
from hd_pipelines.warehouse.publish.live_bars import LiveLoad, add_live_bars, is_live
from hd_pipelines.warehouse.read.bars import read_bar_fingerprints
from hd_pipelines.warehouse.records.findings import CheckedScope, read_open_findings
from hd_pipelines.warehouse.schema.partitioned import BARS, Partition
from hd_pipelines.warehouse.schema.partitions import create_staging_table
from tests.warehouse.bar_frames import LAST_OF_OCTOBER, MONDAY, TUESDAY, bars, one, publish, stored


def add(
    database: Database, frame: pl.DataFrame, mark: str = "a", session: date = TUESDAY, **options: object
) -> LiveLoad:
    """Add `frame`, all of its symbols with a live fingerprint that ends with `mark`."""
    marks = dict.fromkeys(frame["symbol"].unique(), f"live-2025-11-04T15:00Z-{mark}")
    return add_live_bars(database, frame, session=session, fingerprints=marks, **options)  # type: ignore[arg-type]


def minutes(count: int, symbols: tuple[str, ...] = ("SPY", "QQQ"), session: date = TUESDAY) -> pl.DataFrame:
    return bars(symbols, [session], minutes=count, day_bar=False)


def versions(url: str) -> list[tuple[object, ...]]:
    return stored(url, "symbol, timeframe, timestamp, ctid::text, xmin::text, created_at")


def test_bars_grow_and_those_that_are_there_stay_as_they_were_written(database: Database, warehouse_url: str) -> None:
    assert add(database, minutes(3)) == LiveLoad(6, 0, ("QQQ", "SPY"), ())
    before = set(versions(warehouse_url))
    assert add(database, minutes(5), "b") == LiveLoad(4, 0, ("QQQ", "SPY"), ())
    assert before < set(versions(warehouse_url))
    count = "SELECT rows FROM bars_manifest WHERE symbol = 'SPY' AND session = %s"
    assert one(warehouse_url, count, TUESDAY) == 5
    with database.connect() as connection:
        assert read_bar_fingerprints(connection, ["SPY"], TUESDAY, TUESDAY)["SPY", TUESDAY].endswith("-b")


def test_the_same_bars_again_write_nothing(database: Database, warehouse_url: str) -> None:
    add(database, minutes(3))
    before = versions(warehouse_url), one(warehouse_url, "SELECT array_agg(xmin::text) FROM bars_manifest")
    assert add(database, minutes(3)) == LiveLoad(0, 0, (), ())
    assert (versions(warehouse_url), one(warehouse_url, "SELECT array_agg(xmin::text) FROM bars_manifest")) == before


def test_a_corrected_bar_is_the_only_one_that_is_written(database: Database, warehouse_url: str) -> None:
    add(database, minutes(4))
    before = set(versions(warehouse_url))
    is_corrected = (pl.col("symbol") == "SPY") & (
        pl.col("timestamp") == pl.col("timestamp").min() + timedelta(minutes=2)
    )
    corrected = minutes(4).with_columns(
        pl.when(is_corrected).then(pl.col("volume") + 1).otherwise("volume").alias("volume")
    )
    assert add(database, corrected, "b") == LiveLoad(0, 1, ("QQQ", "SPY"), ())
    after = set(versions(warehouse_url))
    assert len(before - after) == len(after - before) == 1
    assert max(row[5] for row in after - before) > max(row[5] for row in before)  # type: ignore[type-var]


def test_null_becomes_a_value_and_a_value_null(database: Database, warehouse_url: str) -> None:
    with_none = minutes(1, ("SPX",)).with_columns(volume=pl.lit(None, pl.Float64), trades=pl.lit(None, pl.Int64))
    add(database, with_none)
    assert add(database, with_none, "b").corrected == 0
    assert add(database, minutes(1, ("SPX",)), "c").corrected == 1
    assert add(database, with_none, "d").corrected == 1
    assert stored(warehouse_url, "volume, trades") == [(None, None)]


def test_a_session_from_files_is_left_alone(database: Database, warehouse_url: str) -> None:
    publish(database, bars(["SPY"], [TUESDAY]))
    before = versions(warehouse_url)
    load = add(database, minutes(9))
    assert (load.from_files, load.symbols, load.added) == (("SPY",), ("QQQ",), 9)
    assert [row for row in versions(warehouse_url) if row[0] == "SPY"] == before
    with database.connect() as connection:
        assert not is_live(read_bar_fingerprints(connection, ["SPY"], TUESDAY, TUESDAY)["SPY", TUESDAY])


def test_files_that_come_between_two_rounds_win_whoever_is_first(warehouse_url: str) -> None:
    """The check is made under the lock: what was seen before it does not count."""
    start = threading.Barrier(2)

    def live() -> None:
        with Database(warehouse_url) as database:
            start.wait()
            for count in range(1, 12):
                add(database, minutes(count), str(count))

    def files() -> None:
        with Database(warehouse_url) as database:
            start.wait()
            for method in (*Method, *Method):
                publish(database, bars(["SPY", "QQQ"], [TUESDAY, MONDAY], price=300.0), method=method)

    with ThreadPoolExecutor(2) as pool:
        for done in (pool.submit(live), pool.submit(files)):
            done.result()
    with Database(warehouse_url) as database:
        publish(database, bars(["SPY", "QQQ"], [TUESDAY, MONDAY], price=300.0))
        expected = stored(warehouse_url)
        add(database, minutes(12), "late")
    assert stored(warehouse_url) == expected


def test_a_month_that_is_rebuilt_meanwhile_keeps_the_live_bars(database: Database, warehouse_url: str) -> None:
    add(database, minutes(5))
    live = [row for row in stored(warehouse_url) if row[3] == TUESDAY]
    publish(database, bars(["SPY", "QQQ"], [MONDAY], price=300.0), method=Method.REBUILD)
    assert [row for row in stored(warehouse_url) if row[3] == TUESDAY] == live
    assert add(database, minutes(5)) == LiveLoad(0, 0, (), ())


def test_the_first_bar_of_a_month_creates_its_partition_even_after_a_killed_load(
    database: Database, warehouse_url: str
) -> None:
    with psycopg.connect(warehouse_url) as connection:
        connection.execute("SET ROLE hd_owner")
        create_staging_table(connection.cursor(), Partition.of(TUESDAY, BARS))
    assert add(database, minutes(2)).added == 4
    assert one(warehouse_url, "SELECT count(*) FROM historical_bars_y2025m11") == 4


def test_bars_that_break_a_rule_are_refused_and_nothing_is_written(database: Database, warehouse_url: str) -> None:
    add(database, minutes(2))
    before = versions(warehouse_url)
    broken = minutes(3).with_columns(high=pl.col("low") / 2)
    with pytest.raises(BarsRefusedError, match="historical_bars_prices"):
        add(database, broken, "b")
    with pytest.raises(BarsRefusedError, match="live_bars_rows_pkey"):
        add(database, pl.concat([minutes(3), minutes(1)]), "b")
    with pytest.raises(BarsRefusedError, match="outside the scope"):
        add(database, minutes(3, session=LAST_OF_OCTOBER), "b")
    with pytest.raises(BarsRefusedError, match="without the prefix 'live-'"):
        add_live_bars(database, minutes(3, ("SPY",)), session=TUESDAY, fingerprints={"SPY": "abc"})
    assert versions(warehouse_url) == before


def test_a_load_that_never_ends_is_reported(
    database: Database, warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_bars, "LOCK_WAIT_SECONDS", 1)
    with psycopg.connect(warehouse_url) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (BARS.lock,))
        with pytest.raises(PublishBlockedError, match="Another load"):
            add(database, minutes(1))


def test_findings_live_and_end_with_the_bars(database: Database) -> None:
    stale = Finding(Rule.BARS_STALE, Severity.WARNING, "live_bars", TUESDAY, "SPY", "Still.", "Wait.")
    checked = [CheckedScope("live_bars", frozenset({TUESDAY}), subjects=frozenset({"SPY"}))]
    add(database, minutes(1), findings=[stale], checked=checked)
    with database.connect() as connection:
        assert [finding.rule for finding in read_open_findings(connection)] == [Rule.BARS_STALE]
    add(database, minutes(2), "b", checked=checked)
    with database.connect() as connection:
        assert read_open_findings(connection) == []


def test_readers_see_whole_rounds_and_are_not_kept_waiting(database: Database, warehouse_url: str) -> None:
    add(database, minutes(3))
    seen = []

    def look(step: str) -> None:
        if step in {"inserted", "before_commit"}:
            with psycopg.connect(warehouse_url) as connection:
                connection.execute("SET lock_timeout = '200ms'")
                seen.append(connection.execute("SELECT count(*) FROM historical_bars").fetchone())

    add(database, minutes(5), "b", on_step=look)
    assert seen == [(6,), (6,)]
    assert one(warehouse_url, "SELECT count(*) FROM historical_bars") == 10


def test_any_rounds_leave_the_union_of_what_they_brought(database: Database, warehouse_url: str) -> None:
    """Whatever the order and the corrections, a bar has the values of the last round that contained it."""

    @settings(max_examples=15, deadline=None)
    @given(rounds=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3)), min_size=1, max_size=5))
    def whatever_comes(rounds: list[tuple[int, int]]) -> None:
        with psycopg.connect(warehouse_url) as connection:
            connection.execute("DELETE FROM historical_bars")
            connection.execute("DELETE FROM bars_manifest")
        expected: dict[object, float] = {}
        for number, (count, shift) in enumerate(rounds):
            frame = minutes(count, ("SPY",)).with_columns(pl.col("volume") + shift)
            add(database, frame, str(number))
            expected |= dict(zip(frame["timestamp"], frame["volume"], strict=True))
        held = {stamp: float(volume) for stamp, volume in stored(warehouse_url, "timestamp, volume")}  # type: ignore[arg-type]
        assert held == expected
        assert one(warehouse_url, "SELECT rows FROM bars_manifest") == len(expected)

    whatever_comes()
