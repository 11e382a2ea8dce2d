"""dbt's manifest, which Dagster reads: complete at every moment, and parsed again when the project changes."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from hd_pipelines.resources import dbt
from hd_pipelines.settings import Settings

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
PARSE = """\
#!/bin/sh
# `dbt parse ... --target-path FOLDER`, which ends when it may.
for folder; do :; done
echo "$DBT_WAREHOUSE_HOST" >>"$PARSES"
while [ ! -e "$MAY_END" ]; do sleep 0.02; done
echo whole >"$folder/partial_parse.msgpack"
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


class Parsing:
    """An installation for which dbt parses by a script: what it wrote, and when it may end."""

    def __init__(self, folder, monkeypatch):
        self.settings = Settings(home=folder / "home", database_url="postgresql://reader@warehouse:5432/db")
        self.parses, self.may_end, script = folder / "parses", folder / "may_end", folder / "dbt"
        script.write_text(PARSE)
        script.chmod(0o755)
        monkeypatch.setattr(dbt, "DBT_EXECUTABLE", str(script))
        monkeypatch.setenv("PARSES", str(self.parses))
        monkeypatch.setenv("MAY_END", str(self.may_end))

    @property
    def kept(self):
        return sorted(path.name for path in (self.settings.home / "dbt" / "target").iterdir())

    def wait_for(self, path):
        deadline = time.monotonic() + 20
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.02)


@pytest.fixture
def parsing(tmp_path, monkeypatch):
    return Parsing(tmp_path, monkeypatch)


def test_what_is_parsed_ahead_is_where_a_build_looks_for_it_and_parsed_once(parsing):
    parsing.may_end.touch()
    with dbt.parse_ahead(parsing.settings):
        parsing.wait_for(parsing.settings.home / "dbt" / "target" / "partial_parse.msgpack")
    assert parsing.kept == ["partial_parse.msgpack"]
    with dbt.parse_ahead(parsing.settings):
        pass
    assert parsing.parses.read_text() == "warehouse\n"


def test_a_parse_that_takes_longer_than_the_block_is_given_up(parsing):
    with dbt.parse_ahead(parsing.settings):
        parsing.wait_for(parsing.parses)
    assert parsing.parses.exists()
    assert parsing.kept == []


def test_only_one_command_parses_and_what_a_killed_one_left_is_removed(parsing):
    left = parsing.settings.home / "dbt" / "target" / "parsing" / "half of a manifest"
    left.mkdir(parents=True)
    with dbt.parse_ahead(parsing.settings):
        parsing.wait_for(parsing.parses)
        assert not left.exists()
        with dbt.parse_ahead(parsing.settings):
            pass
        assert parsing.kept == ["parsing"]
    assert parsing.parses.read_text() == "warehouse\n"
    assert parsing.kept == []


def test_a_dbt_that_outlives_its_command_keeps_others_from_its_folder(parsing):
    with dbt._try_lock(parsing.settings.home / "dbt" / "parsing.lock") as lock:
        outlives = subprocess.Popen(["sleep", "20"], pass_fds=[lock])
    try:
        with dbt.parse_ahead(parsing.settings):
            pass
        assert not parsing.parses.exists()
    finally:
        outlives.kill()
        outlives.wait()
    parsing.may_end.touch()
    with dbt.parse_ahead(parsing.settings):
        parsing.wait_for(parsing.parses)
    assert parsing.parses.exists()
