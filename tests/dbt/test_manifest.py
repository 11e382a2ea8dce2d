"""dbt's manifest, which Dagster reads: complete at every moment, and parsed again when the project changes."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from hd_pipelines.resources import dbt

SLOW_PARSE = """\
#!/bin/sh
# `dbt parse ... --target-path FOLDER` with a known outcome, which is incomplete for half a second.
for folder; do :; done
echo parsed >>"$PARSES"
head -c 1000 "$PARSED_MANIFEST" >"$folder/manifest.json"
echo whole >"$folder/partial_parse.msgpack"
sleep 0.5
cp "$PARSED_MANIFEST" "$folder/manifest.json"
"""
READ_THE_MANIFEST_IN_FOUR_PROCESSES = """
import json, os, sys
from pathlib import Path
from hd_pipelines.resources import dbt
dbt.PROJECT, dbt.TARGET, dbt.DBT_EXECUTABLE = Path(sys.argv[1]), Path(sys.argv[1]) / "target", sys.argv[2]
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        manifest = dbt.ensure_manifest()
        nodes = len(json.loads(manifest.read_bytes())["nodes"])
        os.write(1, f"{manifest.name} {nodes}\\n".encode())
        os._exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
"""


@pytest.fixture(scope="module")
def parsed():
    """The manifest of the real project."""
    return dbt.ensure_manifest()


def copy_project(tmp_path, *left_out):
    copy = tmp_path / "dbt_project"
    shutil.copytree(dbt.PROJECT, copy, ignore=shutil.ignore_patterns("logs", "parse-*", *left_out))
    return copy


@pytest.mark.slow
def test_processes_that_start_at_once_on_a_fresh_checkout_all_read_a_whole_manifest(tmp_path, parsed):
    project = copy_project(tmp_path, "target")
    slow_dbt, parses = tmp_path / "dbt", tmp_path / "parses"
    slow_dbt.write_text(SLOW_PARSE)
    slow_dbt.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", READ_THE_MANIFEST_IN_FOUR_PROCESSES, str(project), str(slow_dbt)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PARSED_MANIFEST": str(parsed), "PARSES": str(parses)},
    )
    assert done.returncode == 0, done.stderr
    manifests = done.stdout.splitlines()
    assert len(manifests) == 4
    assert set(manifests) == {f"{parsed.name} {len(json.loads(parsed.read_bytes())['nodes'])}"}
    assert len(parses.read_text().splitlines()) > 1, "the processes did not meet"
    assert sorted(path.name for path in (project / "target").iterdir()) == [parsed.name, "partial_parse.msgpack"]


@pytest.mark.slow
def test_a_changed_model_is_parsed_again_whatever_the_file_times(tmp_path, parsed, monkeypatch):
    project = copy_project(tmp_path)
    monkeypatch.setattr(dbt, "PROJECT", project)
    monkeypatch.setattr(dbt, "TARGET", project / "target")
    first = dbt.ensure_manifest()
    assert first == project / "target" / parsed.name
    times = first.stat()
    model = next(project.rglob("fct_daily_returns.sql"))
    model.write_text(model.read_text() + "\n-- changed\n")
    os.utime(model, (0, 0))  # older than the manifest, as after a checkout of an older commit
    second = dbt.ensure_manifest()
    assert second != first
    assert not first.exists()
    assert json.loads(second.read_bytes())["nodes"]
    assert dbt.ensure_manifest().stat().st_mtime_ns == second.stat().st_mtime_ns >= times.st_mtime_ns
