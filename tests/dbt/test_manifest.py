"""dbt's manifest, which Dagster reads: complete at every moment, and parsed again when the project changes."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from hd_pipelines.resources import dbt

READ_THE_MANIFEST = """
import json, sys
from pathlib import Path
from hd_pipelines.resources import dbt
dbt.PROJECT, dbt.TARGET = Path(sys.argv[1]), Path(sys.argv[1]) / "target"
manifest = dbt.ensure_manifest()
print(manifest.name, len(json.loads(manifest.read_bytes())["nodes"]))
"""


@pytest.fixture
def project(tmp_path):
    copy = tmp_path / "dbt_project"
    shutil.copytree(dbt.PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs"))
    return copy


def read_manifest(project) -> str:
    done = subprocess.run(
        [sys.executable, "-c", READ_THE_MANIFEST, str(project)],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_processes_that_start_at_once_on_a_fresh_checkout_all_read_a_whole_manifest(project):
    with ThreadPoolExecutor(4) as pool:
        manifests = list(pool.map(read_manifest, [project] * 4))
    assert len(set(manifests)) == 1
    assert sorted(path.name for path in (project / "target").iterdir()) == [
        manifests[0].split()[0],
        "partial_parse.msgpack",
    ]


@pytest.mark.slow
def test_a_changed_model_is_parsed_again_whatever_the_file_times(project, monkeypatch):
    monkeypatch.setattr(dbt, "PROJECT", project)
    monkeypatch.setattr(dbt, "TARGET", project / "target")
    first = dbt.ensure_manifest()
    times = first.stat()
    model = next(project.rglob("fct_daily_returns.sql"))
    model.write_text(model.read_text() + "\n-- changed\n")
    os.utime(model, (0, 0))  # older than the manifest, as after a checkout of an older commit
    second = dbt.ensure_manifest()
    assert second != first
    assert not first.exists()
    assert json.loads(second.read_bytes())["nodes"]
    assert dbt.ensure_manifest().stat().st_mtime_ns == second.stat().st_mtime_ns >= times.st_mtime_ns
