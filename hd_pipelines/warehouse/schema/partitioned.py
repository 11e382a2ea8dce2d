"""The natively partitioned tables, and the name, bounds and identifiers of a partition.

How partitions are created, exchanged and dropped is in `partitions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property

from psycopg import sql
from sqlalchemy import DateTime, Index, Table, UniqueConstraint

from hd_pipelines.tables.bars import HISTORICAL_BARS
from hd_pipelines.tables.catalogue import WAREHOUSE_TABLES
from hd_pipelines.tables.flow import OPTIONS_FLOW_HISTORY
from hd_pipelines.tables.gamma import GAMMA_EXPOSURE_SNAPSHOTS
from hd_pipelines.tables.gamma_rows import GAMMA_BY_EXPIRATION, GAMMA_BY_STRIKE
from hd_pipelines.tables.greeks import HISTORICAL_GREEKS
from hd_pipelines.tables.model import SERVER_COLUMNS, Span
from hd_pipelines.tables.model import Table as Definition
from hd_pipelines.tables.regime import MARKET_REGIME_HISTORY
from hd_pipelines.tables.volatility import IV_PERCENTILE_CACHE
from hd_pipelines.warehouse.schema.tables import metadata

STAGING_SCHEMA = "staging"
"""Schema in which partitions are built. Only the owner and the service may use it; whatever is there is unfinished."""


@dataclass(frozen=True)
class Partitioned:
    """A partitioned table. `by` is the partition key, `session` the column with the session that a row belongs to."""

    table: Table
    by: str
    session: str
    span: Span

    @classmethod
    def of(cls, definition: Definition) -> Partitioned:
        """The table of `definition`. Raises `ValueError` if it is not partitioned."""
        partitioning = definition.partitioning
        if partitioning is None:
            raise ValueError(f"{definition.name} is not partitioned")
        table = metadata.tables[definition.name]
        return cls(table, partitioning.by, partitioning.session, partitioning.span)

    @property
    def name(self) -> str:
        """`historical_greeks`."""
        return self.table.name

    @property
    def parent(self) -> sql.Identifier:
        """The table in SQL."""
        return sql.Identifier("public", self.name)

    @property
    def lock(self) -> str:
        """Name of the advisory lock held while the table is changed; the clean-up functions take it too."""
        return f"hd_pipelines:{self.name}"

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of a published frame, in the table's order."""
        return tuple(column.name for column in self.table.columns if column.name not in SERVER_COLUMNS)

    @cached_property
    def kept_columns(self) -> tuple[str, ...]:
        """Columns that a row keeps when its partition is rebuilt around it: all of them, its times of writing too."""
        return tuple(column.name for column in self.table.columns)

    @cached_property
    def key(self) -> tuple[str, ...]:
        """Columns of the primary key."""
        return tuple(column.name for column in self.table.primary_key)

    @cached_property
    def unique_keys(self) -> tuple[tuple[str, ...], ...]:
        """Columns of the other unique constraints, by name."""
        constraints = [each for each in self.table.constraints if isinstance(each, UniqueConstraint)]
        ordered = sorted(constraints, key=lambda each: str(each.name))
        return tuple(tuple(column.name for column in each.columns) for each in ordered)

    @cached_property
    def indexes(self) -> tuple[tuple[str, ...], ...]:
        """Columns of the indexes beside the keys, by name."""
        ordered: list[Index] = sorted(self.table.indexes, key=lambda each: str(each.name))
        return tuple(tuple(column.name for column in each.columns) for each in ordered)

    @property
    def is_by_instant(self) -> bool:
        """Whether `by` is an instant (partitions then begin at midnight UTC) or a date."""
        return isinstance(self.table.c[self.by].type, DateTime)


BARS = Partitioned.of(HISTORICAL_BARS)
GREEKS = Partitioned.of(HISTORICAL_GREEKS)
FLOW = Partitioned.of(OPTIONS_FLOW_HISTORY)
GAMMA = Partitioned.of(GAMMA_EXPOSURE_SNAPSHOTS)
GAMMA_STRIKES = Partitioned.of(GAMMA_BY_STRIKE)
GAMMA_EXPIRATIONS = Partitioned.of(GAMMA_BY_EXPIRATION)
IV_PERCENTILES = Partitioned.of(IV_PERCENTILE_CACHE)
REGIME = Partitioned.of(MARKET_REGIME_HISTORY)
PARTITIONED = {table.name: Partitioned.of(table) for table in WAREHOUSE_TABLES if table.partitioning}


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of a table; holds the sessions from `first` up to, not including, `end`."""

    first: date
    of_table: Partitioned = BARS

    @classmethod
    def of(cls, session: date, table: Partitioned = BARS) -> Partition:
        """The partition of `table` that holds `session`."""
        month = 1 if table.span is Span.YEAR else session.month
        return cls(session.replace(month=month, day=1), table)

    @property
    def end(self) -> date:
        """First day of the next partition."""
        length = timedelta(days=366 if self.of_table.span is Span.YEAR else 31)
        return Partition.of(self.first + length, self.of_table).first

    @property
    def name(self) -> str:
        """`historical_bars_y2025m11`, or `market_regime_history_y2025`."""
        month = "" if self.of_table.span is Span.YEAR else f"m{self.first:%m}"
        return f"{self.of_table.name}_y{self.first:%Y}{month}"

    @property
    def table(self) -> sql.Identifier:
        """The partition in SQL."""
        return sql.Identifier("public", self.name)

    @property
    def staging(self) -> sql.Identifier:
        """The staging table that is built to become this partition."""
        return sql.Identifier(STAGING_SCHEMA, self.name)

    @property
    def bounds(self) -> tuple[sql.Literal, sql.Literal]:
        """First value of the partition key that belongs to the partition, and first one after it."""
        return self._bound(self.first), self._bound(self.end)

    def _bound(self, day: date) -> sql.Literal:
        if self.of_table.is_by_instant:
            return sql.Literal(datetime.combine(day, time(), UTC))
        return sql.Literal(day)
