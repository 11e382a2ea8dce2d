"""dbt as a resource: the project's folder, its manifest, and the address of the desk for one invocation.

Belongs here: how dbt is started. Which models there are is the manifest's business; what they do is SQL in dbt_project/.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import dagster as dg

from hd_pipelines.settings import Settings, load_settings
from hd_pipelines.warehouse.address import database_url

PROJECT = Path(__file__).parents[2] / "dbt_project"
MANIFEST = PROJECT / "target" / "manifest.json"
DBT_EXECUTABLE = str(Path(sys.executable).with_name("dbt"))
"""Beside this Python: a service is not started from an activated environment."""
_READ_BY_DBT = ("*.sql", "*.yml")


class ManifestError(RuntimeError):
    """dbt could not read its own project; the message holds what it said."""


def address_variables(url: str) -> dict[str, str]:
    """The variables that dbt_project/profiles.yml reads, from a `postgresql://` URL.

    dbt hides variables that begin with `DBT_ENV_SECRET_` in its own output.
    """
    parts = urlsplit(url)
    return {
        "DBT_DESK_HOST": parts.hostname or "127.0.0.1",
        "DBT_DESK_PORT": str(parts.port or 5432),
        "DBT_DESK_USER": unquote(parts.username or ""),
        "DBT_ENV_SECRET_DESK_PASSWORD": unquote(parts.password or ""),
        "DBT_DESK_DATABASE": parts.path.lstrip("/"),
    }


def ensure_manifest() -> Path:
    """Path of the manifest, parsed again (about four seconds) if a model, test or macro is newer."""
    sources = [file for pattern in _READ_BY_DBT for file in PROJECT.rglob(pattern) if "target" not in file.parts]
    newest = max(file.stat().st_mtime for file in sources)
    if not MANIFEST.exists() or MANIFEST.stat().st_mtime < newest:
        command = [DBT_EXECUTABLE, "parse", "--project-dir", str(PROJECT), "--quiet"]
        done = subprocess.run(
            [*command, "--profiles-dir", str(PROJECT)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "DBT_LOG_PATH": str(PROJECT / "target" / "logs")},
        )
        if done.returncode != 0:
            raise ManifestError(f"dbt cannot parse {PROJECT}:\n{done.stdout}{done.stderr}")
        MANIFEST.touch()
    return MANIFEST


class DbtProject(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Runs dbt commands against the desk's database, writing only into HD_HOME."""

    @contextmanager
    def running(self) -> Iterator[Path]:
        """Set the address for the commands inside the block; gives the folder for dbt's output."""
        settings = load_settings()
        output = settings.home / "dbt"
        with _environment(self._variables(settings)):
            yield output / "target"

    def last_build(self) -> Path:
        """The file that remembers what the last good build was made from."""
        return load_settings().home / "dbt" / "last_build.txt"

    def _variables(self, settings: Settings) -> dict[str, str]:
        return {
            **address_variables(database_url(settings)),
            "DBT_LOG_PATH": str(settings.home / "dbt" / "logs"),
        }


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
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
