"""Loads that die and loads that meet: identical tables afterwards, and no debris."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.errors import PublishBlockedError
from hd_pipelines.warehouse.publish.bars import Method
from hd_pipelines.warehouse.schema.partitioned import BARS, Partition
from hd_pipelines.warehouse.schema.partitions import exchange_partitions
from tests.warehouse.bar_frames import LAST_OF_OCTOBER, MONDAY, TUESDAY, bars, one, publish, stored

# One process with everything imported forks a child per step; the child loads and kills itself when it reaches it.
DIE_AT_EACH_STEP = """
import os, signal, sys
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.publish.bars import Method
from tests.warehouse.bar_frames import LAST_OF_OCTOBER, MONDAY, TUESDAY, bars, publish

url, method, *steps = sys.argv[1:]

def die_at(step):
    def on_step(reached):
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)
    return on_step

for step in steps:
    pid = os.fork()
    if not pid:
        frame = bars(["SPY", "QQQ"], [LAST_OF_OCTOBER, MONDAY, TUESDAY], price=300.0)
        try:
            publish(Database(url), frame, method=Method(method), on_step=die_at(step))
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
OCTOBER, NOVEMBER = "historical_bars_y2025m10", "historical_bars_y2025m11"
STEPS = {
    Method.REBUILD: [
        "locked",
        f"staging_created:{OCTOBER}",
        f"copied:{OCTOBER}",
        f"kept:{OCTOBER}",
        f"keyed:{OCTOBER}",
        f"built:{OCTOBER}",
        f"copied:{NOVEMBER}",
        f"built:{NOVEMBER}",
        "recorded",
        "exchanged",
        "before_commit",
    ],
    Method.REPLACE_ROWS: [
        f"copied:{OCTOBER}",
        f"deleted:{OCTOBER}",
        f"inserted:{OCTOBER}",
        f"deleted:{NOVEMBER}",
        "recorded",
        "before_commit",
    ],
}


UNFINISHED = "SELECT count(*) FROM pg_class WHERE relnamespace = 'staging'::regnamespace"


def _everything(url: str) -> tuple[object, ...]:
    manifest = (
        "SELECT array_agg((symbol, session, fingerprint, rows)::text ORDER BY symbol, session) FROM bars_manifest"
    )
    relations = (
        "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace OR relpersistence = 't'"
    )
    return stored(url), one(url, manifest), one(url, relations)


@pytest.mark.parametrize("method", list(Method))
def test_a_load_killed_at_any_step_changes_nothing_and_can_be_repeated(
    database: Database, warehouse_url: str, method: Method
) -> None:
    publish(database, bars(["SPY", "QQQ", "IWM"], [LAST_OF_OCTOBER, MONDAY, TUESDAY]))
    before = _everything(warehouse_url)
    exit_codes = _kill_at(STEPS[method], warehouse_url, method)
    assert exit_codes == [-signal.SIGKILL] * len(STEPS[method])
    _wait_until_alone(warehouse_url)
    assert _everything(warehouse_url) == before
    again = bars(["SPY", "QQQ"], [LAST_OF_OCTOBER, MONDAY, TUESDAY], price=300.0)
    publish(database, again, method=method)
    after = _everything(warehouse_url)
    publish(database, again, method=method)
    assert _everything(warehouse_url) == after
    assert after[2] == before[2]
    assert one(warehouse_url, UNFINISHED) == 0
    assert {row[0] for row in stored(warehouse_url, "symbol")} == {"SPY", "QQQ", "IWM"}


def test_a_load_killed_after_its_commit_is_whole(database: Database, warehouse_url: str) -> None:
    publish(database, bars(["SPY", "QQQ"], [LAST_OF_OCTOBER, MONDAY, TUESDAY], price=300.0))
    expected = stored(warehouse_url)
    with psycopg.connect(warehouse_url) as connection:
        connection.execute("DELETE FROM historical_bars")
    assert _kill_at(["after_commit"], warehouse_url, Method.REBUILD) == [-signal.SIGKILL]
    assert stored(warehouse_url) == expected


def _kill_at(steps: list[str], url: str, method: Method) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", DIE_AT_EACH_STEP, url, method, *steps],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([".", *sys.path])},
    )
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


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


@pytest.mark.parametrize("methods", [(a, b) for a in Method for b in Method], ids=str)
def test_two_loads_of_one_scope_at_once_leave_one_of_them(warehouse_url: str, methods: tuple[Method, Method]) -> None:
    frames = [bars(["SPY", "QQQ"], [LAST_OF_OCTOBER, MONDAY], price=price) for price in (100.0, 400.0)]
    start = threading.Barrier(2)

    def load(position: int) -> None:
        with Database(warehouse_url) as database:
            start.wait()
            for _ in range(3):
                publish(database, frames[position], method=methods[position], run_id=str(position))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(load, range(2)))
    winner = int(str(one(warehouse_url, "SELECT min(run_id) FROM bars_manifest")))
    assert one(warehouse_url, "SELECT count(DISTINCT run_id) FROM bars_manifest") == 1
    both = stored(warehouse_url)
    with Database(warehouse_url) as database:
        publish(database, frames[winner])
    assert stored(warehouse_url) == both


def test_loads_of_different_months_and_symbols_at_once_all_arrive(warehouse_url: str) -> None:
    parts = [bars([symbol], [day]) for symbol in ("SPY", "QQQ", "IWM") for day in (LAST_OF_OCTOBER, MONDAY)]

    def load(position: int) -> None:
        with Database(warehouse_url) as database:
            publish(database, parts[position], method=list(Method)[position % 2])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(load, range(6)))
    assert one(warehouse_url, "SELECT count(*) FROM historical_bars") == sum(part.height for part in parts)


def test_readers_see_the_old_bars_until_the_commit_and_are_not_kept_waiting(
    database: Database, warehouse_url: str
) -> None:
    publish(database, bars(["SPY"], [MONDAY]))
    seen = []

    def look(step: str) -> None:
        if step in {f"keyed:{NOVEMBER}", "recorded"}:
            with psycopg.connect(warehouse_url) as connection:
                connection.execute("SET lock_timeout = '200ms'")
                seen.append(connection.execute("SELECT max(close) < 200 FROM historical_bars").fetchone())

    publish(database, bars(["SPY"], [MONDAY], price=500.0), method=Method.REBUILD, on_step=look)
    assert seen == [(True,), (True,)]
    assert one(warehouse_url, "SELECT max(close) < 200 FROM historical_bars") is False


def test_a_reader_who_lets_go_in_time_only_delays_the_exchange(database: Database, warehouse_url: str) -> None:
    publish(database, bars(["SPY"], [MONDAY]))
    with psycopg.connect(warehouse_url) as reader:
        reader.execute("SELECT count(*) FROM historical_bars")
        threading.Timer(0.5, reader.rollback).start()
        publish(database, bars(["SPY"], [MONDAY], price=500.0), method=Method.REBUILD)
    assert one(warehouse_url, "SELECT min(close) > 400 FROM historical_bars") is True


def test_a_reader_who_never_lets_go_is_named(database: Database, warehouse_url: str) -> None:
    publish(database, bars(["SPY"], [MONDAY]))
    with psycopg.connect(warehouse_url) as reader, psycopg.connect(warehouse_url) as loader:
        reader.execute("SELECT count(*) FROM historical_bars")
        with pytest.raises(PublishBlockedError, match=f"pids {reader.info.backend_pid}"):
            exchange_partitions(loader.cursor(), [Partition.of(MONDAY)], wait_seconds=0.1)


def test_a_load_that_never_ends_is_reported(
    database: Database, warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hd_pipelines.warehouse.publish.publication.LOCK_WAIT_SECONDS", 1)
    with psycopg.connect(warehouse_url) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (BARS.lock,))
        with pytest.raises(PublishBlockedError, match="Another load"):
            publish(database, bars(["SPY"], [MONDAY]))


def test_what_a_killed_load_left_is_dropped_by_the_next_load_of_anything(
    database: Database, warehouse_url: str
) -> None:
    assert _kill_at(["recorded"], warehouse_url, Method.REBUILD) == [-signal.SIGKILL]
    _wait_until_alone(warehouse_url)
    assert int(str(one(warehouse_url, UNFINISHED))) > 0
    publish(database, bars(["IWM"], [MONDAY]), method=Method.REPLACE_ROWS)
    assert one(warehouse_url, UNFINISHED) == 0


def test_a_load_that_fails_late_leaves_nothing_unfinished(database: Database, warehouse_url: str) -> None:
    def stop(step: str) -> None:
        if step == "before_commit":
            raise RuntimeError("stop here")

    publish(database, bars(["SPY"], [MONDAY]))
    before = _everything(warehouse_url)
    with pytest.raises(RuntimeError, match="stop here"):
        publish(database, bars(["SPY"], [MONDAY], price=300.0), method=Method.REBUILD, on_step=stop)
    assert _everything(warehouse_url) == before
    assert one(warehouse_url, UNFINISHED) == 0
