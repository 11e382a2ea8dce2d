"""Starts dbt: the project's folder, its manifest, and the database address for one invocation.

The models are SQL in dbt_project/.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote, urlsplit

import dagster as dg

from hd_pipelines.settings import Settings, load_settings
from hd_pipelines.warehouse.address import get_database_url

PROJECT = Path(__file__).parents[2] / "dbt_project"
TARGET = PROJECT / "target"
DBT_EXECUTABLE = str(Path(sys.executable).with_name("dbt"))
"""In the same folder as this Python: a service does not run in an activated environment."""
_READ_BY_DBT = ("*.sql", "*.yml")
_PARSED = "partial_parse.msgpack"
"""Name that dbt gives to what it parsed, in the folder of its output."""


class ManifestError(RuntimeError):
    """dbt could not parse the project; the message contains its output."""


def build_address_variables(url: str) -> dict[str, str]:
    """Split a `postgresql://` URL into the variables that dbt_project/profiles.yml reads.

    dbt masks variables that begin with `DBT_ENV_SECRET_` in its output.
    """
    parts = urlsplit(url)
    return {
        "DBT_WAREHOUSE_HOST": parts.hostname or "127.0.0.1",
        "DBT_WAREHOUSE_PORT": str(parts.port or 5432),
        "DBT_WAREHOUSE_USER": unquote(parts.username or ""),
        "DBT_ENV_SECRET_WAREHOUSE_PASSWORD": unquote(parts.password or ""),
        "DBT_WAREHOUSE_DATABASE": parts.path.lstrip("/"),
    }


def digest_project() -> str:
    """Hash everything that dbt reads from the project: models, tests, macros and settings."""
    sources = [file for pattern in _READ_BY_DBT for file in PROJECT.rglob(pattern) if TARGET not in file.parents]
    digest = hashlib.sha256(version("dbt-core").encode())
    for file in sorted(sources):
        digest.update(f"\n{file.relative_to(PROJECT)}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def ensure_manifest() -> Path:
    """Return the path of the manifest of the current project; run `dbt parse` (about four seconds) if there is none.

    Several processes may call this at once: each parses into its own folder, and a rename puts the finished manifest in
    place under the digest of its sources, so no process reads an incomplete file.
    """
    manifest = TARGET / f"manifest-{digest_project()}.json"
    if manifest.exists():
        return manifest
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="parse-", dir=TARGET) as own:
        done = subprocess.run(
            [*_build_parse_command(), "--target-path", own],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "DBT_LOG_PATH": f"{own}/logs"},
        )
        if done.returncode != 0:
            raise ManifestError(f"dbt cannot parse {PROJECT}:\n{done.stdout}{done.stderr}")
        Path(own, _PARSED).replace(TARGET / _PARSED)  # dagster-dbt looks for it there
        Path(own, "manifest.json").replace(manifest)
    for older in TARGET.glob("manifest*.json"):
        if older != manifest:
            older.unlink(missing_ok=True)
    return manifest


def _build_parse_command() -> list[str]:
    return [DBT_EXECUTABLE, "parse", "--quiet", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]


@contextmanager
def parse_ahead(settings: Settings) -> Iterator[None]:
    """Let dbt parse the project in the background, if this installation has never built it.

    dbt keeps what it parsed only for the same database, so the first build of an installation parses (four seconds). If
    that is still going on when the block ends, or fails, the build parses itself, and reports what is wrong. If another
    command parses already, nothing is started.
    """
    target = settings.home / "dbt" / "target"
    if (target / _PARSED).exists():
        yield
        return
    own = target / "parsing"
    with _try_lock(settings.home / "dbt" / "parsing.lock") as lock:
        if lock is None:
            yield
            return
        shutil.rmtree(own, ignore_errors=True)  # of a command that was killed
        own.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            [*_build_parse_command(), "--target-path", str(own)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_build_variables(settings), "DBT_LOG_PATH": f"{own}/logs"},
            pass_fds=[lock],  # so that the folder is dbt's own even if this process is killed
        )
        publisher = threading.Thread(target=_publish_parsed, args=(process, own, target))
        publisher.start()
        try:
            yield
        finally:
            process.terminate()
            publisher.join()
            shutil.rmtree(own, ignore_errors=True)


@contextmanager
def _try_lock(file: Path) -> Iterator[int | None]:
    """Lock `file` until the block and all processes that inherit the descriptor end; yields None if that cannot be had."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        yield None
        return
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # taken, or a file system without locks
            yield None
        else:
            yield opened
    finally:
        os.close(opened)


def _publish_parsed(process: subprocess.Popen[bytes], own: Path, target: Path) -> None:
    """Put what `process` parsed where a build looks for it, by a rename, so that no build reads a part of it."""
    if process.wait() == 0:
        (own / _PARSED).replace(target / _PARSED)


class DbtResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Runs dbt commands against the installation's database; dbt writes only into HD_HOME."""

    @contextmanager
    def set_address(self) -> Iterator[Path]:
        """Set the database address for dbt commands inside the block; yields the folder for dbt's output."""
        settings = load_settings()
        output = settings.home / "dbt"
        with _override_environment(_build_variables(settings)):
            yield output / "target"

    @property
    def last_build(self) -> Path:
        """The file that records the inputs of the last successful build."""
        return load_settings().home / "dbt" / "last_build.txt"


def _build_variables(settings: Settings) -> dict[str, str]:
    return {
        **build_address_variables(get_database_url(settings)),
        "DBT_LOG_PATH": str(settings.home / "dbt" / "logs"),
    }


@contextmanager
def _override_environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
