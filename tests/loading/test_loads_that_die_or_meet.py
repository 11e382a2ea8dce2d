"""Runs that are killed and runs that meet: the tables end up as if one run had been left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hd_pipelines.lake import Lake
from hd_pipelines.loading.derived.bars import refresh_bars
from hd_pipelines.loading.inputs.flat_files import refresh_lake
from hd_pipelines.warehouse.engine import Database
from tests.support.installation import SESSIONS, SYMBOLS

# One process forks a child per point; the child refreshes the bars, two sessions at a time, and kills itself there.
DIE_AT_EACH_POINT = """
import os, signal, sys
from functools import partial
from hd_pipelines.lake import Lake
from hd_pipelines.loading.derived import bars
from hd_pipelines.warehouse.engine import Database
from tests.support.installation import SESSIONS, SYMBOLS

url, root, *points = sys.argv[1:]
publish = bars.publish_bars
bars.MAX_PAIRS_PER_BATCH = 6

def dying(batch, step):
    calls = 0
    def publish_and_die(*given, **named):
        nonlocal calls
        calls += 1
        here = calls
        def on_step(reached):
            if here == batch and reached.startswith(step):
                os.kill(os.getpid(), signal.SIGKILL)
        return publish(*given, **named, on_step=on_step)
    return publish_and_die

for point in points:
    batch, step = point.split("/")
    pid = os.fork()
    if not pid:
        bars.publish_bars = dying(int(batch), step)
        try:
            bars.refresh_bars(Database(url), Lake(root), symbols=SYMBOLS, sessions=SESSIONS)
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
POINTS = ["1/copied", "1/after_commit", "2/recorded", "2/after_commit", "1/before_commit"]
"""Each run continues where the one before was killed: committed batches are not computed again."""


@pytest.mark.slow
def test_kill_9_in_the_middle_of_a_refresh_leaves_nothing_that_the_next_run_does_not_heal(make_installation):
    undisturbed, killed = make_installation(), make_installation()
    undisturbed.publish_files()
    undisturbed.refresh()
    killed.publish_files()
    killed.to_lake()
    done = subprocess.run(
        [sys.executable, "-c", DIE_AT_EACH_POINT, killed.url, killed.lake.root, *POINTS],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([".", *sys.path])},
    )
    assert done.returncode == 0, done.stderr
    assert [int(line) for line in done.stdout.split()] == [-signal.SIGKILL] * len(POINTS)
    assert 0 < len(killed.bars()) < len(undisturbed.bars())  # it did die in the middle
    report = killed.to_bars()
    assert 0 < report.published < 30  # what was committed stayed
    assert killed.bars() == undisturbed.bars()
    assert killed.table("select count(*) from pg_class where relnamespace = 'staging'::regnamespace") == [(0,)]


@pytest.mark.parametrize("attempt", range(2))
def test_two_runs_of_the_same_sessions_at_the_same_time_end_as_one(make_installation, attempt):
    alone, met = make_installation(), make_installation()
    for installation in (alone, met):
        installation.publish_files()
    alone.refresh()
    together = threading.Barrier(2)

    def run(_):
        with Database(met.url) as database:
            lake = Lake(met.lake.root)
            together.wait()
            for dataset, files in met.landed_files.items():
                refresh_lake(database, lake, dataset, list(files.values()), sessions=SESSIONS)
            together.wait()
            return refresh_bars(database, lake, symbols=SYMBOLS, sessions=SESSIONS)

    with ThreadPoolExecutor(2) as runs:
        reports = list(runs.map(run, range(2)))
    assert [report.withheld for report in reports] == [0, 0]
    assert met.bars() == alone.bars()
    current = "select dataset, session, etag, sha256, rows from load_manifest where superseded_by is null order by 1, 2"
    assert met.table(current) == alone.table(current)
    assert met.table("select count(*) from load_manifest") == [(20,)]
    assert met.findings() == []
