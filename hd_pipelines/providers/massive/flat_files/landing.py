"""The folder of downloaded vendor objects: where each version lies and what is known about it.

Belongs here: names of landed files, their sidecar records, and finding one again. Every version of an object has its
own file, named by its ETag, so a republished object never overwrites what was loaded before. Fetching is in
`flat_files`.
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
    """One version of one object on this disk, complete and verified. `rows` does not count the header.

    The ETag names the version but is no checksum (multipart uploads): `sha256` is, over the compressed bytes.
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


def landed_path(folder: Path, dataset: FlatFileDataset, session: date, etag: str) -> Path:
    """`<folder>/<prefix>/YYYY/MM/YYYY-MM-DD.<etag>.csv.gz`. An ETag that is no plain word is hashed, never a path."""
    name = etag if _PLAIN_ETAG.fullmatch(etag) else hashlib.sha256(etag.encode()).hexdigest()[:32]
    return folder / dataset.prefix / f"{session:%Y/%m/%Y-%m-%d}.{name}.csv.gz"


def record(landed: LandedFile) -> None:
    """Write the sidecar that lets a later run trust the file without reading it again."""
    known = asdict(landed) | {
        "dataset": landed.dataset.name,
        "session": landed.session.isoformat(),
        "last_modified": landed.last_modified.isoformat(),
    }
    known.pop("path")
    target = _sidecar(landed.path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    temporary.write_text(json.dumps(known, indent=1))
    temporary.replace(target)


def recall(path: Path) -> LandedFile | None:
    """The landed file at `path`, if it is there in full; None means it must be downloaded."""
    try:
        known = json.loads(_sidecar(path).read_text())
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


def newest_version(folder: Path, dataset: FlatFileDataset, session: date) -> LandedFile | None:
    """Of all landed versions of a session's object the one that the vendor published last.

    The vendor's times have whole seconds: of two in the same second it is the one recorded last.
    """
    day = (folder / dataset.key(session)).parent
    versions = (recall(path) for path in day.glob(f"{session}.*.csv.gz"))
    return max(
        (version for version in versions if version is not None),
        key=lambda version: (version.last_modified, _sidecar(version.path).stat().st_mtime_ns),
        default=None,
    )


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".json")
