"""Manages the folder of downloaded vendor objects: names of landed files and their sidecar records.

Every version of an object has its own file, named by its ETag, so that a republished object never overwrites what was
loaded before. Downloads are in `client`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path

from hd_pipelines.providers.massive.flat_files.layout import DATASET_BY_NAME, FlatFileDataset

_PLAIN_ETAG = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,79}")


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One complete and verified version of one object on this disk. `rows` does not count the header.

    The ETag names the version but is not a checksum (multipart uploads); `sha256` is one, over the compressed bytes.
    """

    dataset: FlatFileDataset
    session: date
    key: str
    etag: str
    size: int
    sha256: str
    rows: int
    last_modified: datetime
    path: Path


def build_landed_path(folder: Path, dataset: FlatFileDataset, session: date, etag: str) -> Path:
    """Build `<folder>/<prefix>/YYYY/MM/YYYY-MM-DD.<etag>.csv.gz`. An ETag that is not a plain word is hashed."""
    name = etag if _PLAIN_ETAG.fullmatch(etag) else hashlib.sha256(etag.encode()).hexdigest()[:32]
    return folder / dataset.prefix / f"{session:%Y/%m/%Y-%m-%d}.{name}.csv.gz"


def write_sidecar(landed: LandedFile) -> None:
    """Write the sidecar that lets a later run trust the file without reading it again."""
    known = asdict(landed) | {
        "dataset": landed.dataset.name,
        "session": landed.session.isoformat(),
        "last_modified": landed.last_modified.isoformat(),
    }
    known.pop("path")
    target = _build_sidecar_path(landed.path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    temporary.write_text(json.dumps(known, indent=1))
    temporary.replace(target)


def read_landed(path: Path) -> LandedFile | None:
    """Read the landed file at `path` if it is complete; None means that it must be downloaded."""
    try:
        known = json.loads(_build_sidecar_path(path).read_text())
        landed = LandedFile(
            dataset=DATASET_BY_NAME[known["dataset"]],
            session=date.fromisoformat(known["session"]),
            key=known["key"],
            etag=known["etag"],
            size=int(known["size"]),
            sha256=known["sha256"],
            rows=int(known["rows"]),
            last_modified=datetime.fromisoformat(known["last_modified"]),
            path=path,
        )
        return landed if path.stat().st_size == landed.size else None
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError, ValueError):
        return None  # no file, or a sidecar torn by a crash: the object is fetched again


def find_newest_version(folder: Path, dataset: FlatFileDataset, session: date) -> LandedFile | None:
    """Find the version of a session's object that the vendor published last, among all landed versions.

    The vendor's times have whole seconds; of two in the same second, the one recorded last is taken.
    """
    day = (folder / dataset.key(session)).parent
    versions = (read_landed(path) for path in day.glob(f"{session}.*.csv.gz"))
    return max(
        (version for version in versions if version is not None),
        key=lambda version: (version.last_modified, _build_sidecar_path(version.path).stat().st_mtime_ns),
        default=None,
    )


def _build_sidecar_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")
