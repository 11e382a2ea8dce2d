"""Writes and reads `load_manifest`: which vendor file each session of each lake dataset came from.

A file that arrives again with the same identity updates its row; another file for the same session supersedes it, and both
rows stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from hd_pipelines.warehouse.schema.tables import load_manifest


@dataclass(frozen=True, slots=True)
class IngestedFile:
    """One vendor object that became one lake session. `size` is in compressed bytes, `sha256` of the same bytes."""

    dataset: str
    session: date
    etag: str
    size: int
    sha256: str
    rows: int
    rows_set_aside: int
    object_key: str
    landed_at: datetime

    @property
    def load_id(self) -> str:
        """32 hex digits, a pure function of dataset, session, etag and content: loading a file twice is one load."""
        identity = "\x1f".join((self.dataset, self.session.isoformat(), self.etag, self.sha256))
        return hashlib.sha256(identity.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class CurrentLoad:
    """The current row of `load_manifest` for one dataset and session."""

    load_id: str
    dataset: str
    session: date
    etag: str
    size: int
    sha256: str
    rows: int
    rows_set_aside: int
    object_key: str
    landed_at: datetime
    ingested_at: datetime


def record_load(connection: Connection, file: IngestedFile) -> str:
    """Make `file` the current one of its dataset and session; return its load id. Safe under concurrent calls.

    `connection` is in a transaction as hd_service. A superseded file that arrives again becomes current again.
    """
    load_id = file.load_id
    place = f"hd_pipelines:load_manifest:{file.dataset}:{file.session}"
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:place, 0))"), {"place": place})
    connection.execute(
        update(load_manifest)
        .where(load_manifest.c.dataset == file.dataset, load_manifest.c.session == file.session)
        .where(load_manifest.c.superseded_by.is_(None), load_manifest.c.load_id != load_id)
        .values(superseded_by=load_id)
    )
    values = {
        "dataset": file.dataset,
        "session": file.session,
        "etag": file.etag,
        "size": file.size,
        "sha256": file.sha256,
        "rows": file.rows,
        "rows_set_aside": file.rows_set_aside,
        "object_key": file.object_key,
        "landed_at": file.landed_at,
        "superseded_by": None,
    }
    connection.execute(
        insert(load_manifest)
        .values(load_id=load_id, **values)
        .on_conflict_do_update(index_elements=["load_id"], set_={**values, "ingested_at": func.now()})
    )
    return load_id


def read_current_loads(connection: Connection, datasets: Collection[str], first: date, last: date) -> list[CurrentLoad]:
    """Read the current manifest rows of `datasets` from `first` to `last`, both included, by dataset and session."""
    manifest = load_manifest.c
    columns: list[ColumnElement[Any]] = [manifest[name] for name in CurrentLoad.__dataclass_fields__]
    statement = (
        select(*columns)
        .where(manifest.dataset.in_(sorted(datasets)), manifest.session.between(first, last))
        .where(manifest.superseded_by.is_(None))
        .order_by(manifest.dataset, manifest.session)
    )
    return [CurrentLoad(**row) for row in connection.execute(statement).mappings()]


def find_session_by_sha256(connection: Connection, dataset: str, sha256: str) -> date | None:
    """Find the session under which `dataset` currently holds a file of this content: the earliest, or None."""
    manifest = load_manifest.c
    statement = select(func.min(manifest.session)).where(
        manifest.dataset == dataset, manifest.sha256 == sha256, manifest.superseded_by.is_(None)
    )
    return connection.execute(statement).scalar_one()
