"""Writes and reads `option_chain_snapshots`: which option chains the lake holds and how complete each is.

Completeness is defined in `market.chain_coverage`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from hd_pipelines.tables.vocabulary import PriceSource, SnapshotKind
from hd_pipelines.warehouse.schema.tables import option_chain_snapshots


@dataclass(frozen=True, slots=True)
class ChainRecord:
    """A snapshot in the lake. `underlying` is the vendor's ticker.

    `fingerprint` names the bytes it was made from and the version of the code that read them. `completeness` is null
    while too few earlier snapshots are known.
    """

    underlying: str
    snapshot_at: datetime
    session: date
    kind: SnapshotKind
    source: PriceSource
    contracts: int
    with_quote: int
    with_open_interest: int
    with_vendor_iv: int
    completeness: float | None
    fingerprint: str
    landed_url: str


def record_chains(connection: Connection, records: Sequence[ChainRecord]) -> None:
    """Insert or replace the rows of `records` by underlying and time. `connection` is in a transaction as hd_service."""
    if not records:
        return
    statement = insert(option_chain_snapshots)
    replaced = {
        name: statement.excluded[name] for name in ChainRecord.__slots__ if name not in {"underlying", "snapshot_at"}
    }
    connection.execute(
        statement.on_conflict_do_update(index_elements=["underlying", "snapshot_at"], set_=replaced),
        [asdict(record) | {"kind": record.kind.value, "source": record.source.value} for record in records],
    )


def read_recorded_chains(
    connection: Connection, first: date, last: date, underlyings: Collection[str] | None = None
) -> list[ChainRecord]:
    """Read the records of sessions `first` to `last` (both included) by underlying and time.

    `underlyings`: tickers; None means all.
    """
    held = option_chain_snapshots.c
    statement = (
        select(*(held[name] for name in ChainRecord.__slots__))
        .where(held.session.between(first, last))
        .order_by(held.underlying, held.snapshot_at)
    )
    if underlyings is not None:
        statement = statement.where(held.underlying.in_(sorted(underlyings)))
    return [
        ChainRecord(**(row | {"kind": SnapshotKind(row["kind"]), "source": PriceSource(row["source"])}))
        for row in (dict(row) for row in connection.execute(statement).mappings())
    ]
