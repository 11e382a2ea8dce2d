"""Builds a SQLAlchemy table with its keys, checks, indexes and comments from a definition in `tables`.

Migrations are written by hand and never edited; a test holds that they lead to the same schema as these tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.types import TypeEngine

from hd_pipelines.tables import model
from hd_pipelines.tables.model import Type

metadata = MetaData()

_TYPES: dict[Type, TypeEngine[Any]] = {
    Type.TEXT: Text(),
    Type.KEY_TEXT: Text(collation="C"),
    Type.DATE: Date(),
    Type.INSTANT: DateTime(timezone=True),
    Type.PRICE: Numeric(),
    Type.NUMBER: Double(),
    Type.INTEGER: Integer(),
    Type.COUNT: BigInteger(),
    Type.BOOLEAN: Boolean(),
    Type.UUID: UUID(as_uuid=False),
    Type.JSON: JSONB(none_as_null=True),
    Type.TEXT_LIST: ARRAY(Text),
    Type.BYTES: LargeBinary(),
}
_INFINITY = {Type.PRICE: "'Infinity'::numeric", Type.NUMBER: "'Infinity'::double precision"}


def build_table(definition: model.Table) -> Table:
    """Build the SQLAlchemy table of `definition`, registered in `metadata`."""
    checks = (
        CheckConstraint(condition, name=f"{definition.name}_{name}") for name, condition in _conditions(definition)
    )
    partitioning = definition.partitioning
    table = Table(
        definition.name,
        metadata,
        *(_build_column(column, definition.name) for column in definition.columns),
        PrimaryKeyConstraint(*definition.key, name=f"{definition.name}_pkey"),
        *(UniqueConstraint(*unique.columns, name=unique.name) for unique in definition.unique),
        *checks,
        postgresql_partition_by=f'RANGE ("{partitioning.by}")' if partitioning else None,
    )
    for index in definition.indexes:
        where = text(index.where) if index.where else None
        columns = [table.c[name] for name in index.columns]
        Index(index.name, *columns, unique=index.is_unique, postgresql_where=where)
    return table


def _build_column(column: model.Column, table_name: str) -> Column[Any]:
    extras: list[Any] = []
    if column.is_identity:
        extras.append(Identity(always=True))
    if reference := column.references:
        extras.append(
            ForeignKey(
                reference.target,
                name=f"{table_name}_{column.name}_fkey",
                ondelete="CASCADE" if reference.cascades else None,
                deferrable=reference.is_deferred or None,
                initially="DEFERRED" if reference.is_deferred else None,
            )
        )
    return Column(
        column.name,
        _TYPES[column.type],
        *extras,
        nullable=column.is_nullable,
        server_default=text(column.default) if column.default else None,
    )


def _conditions(definition: model.Table) -> Iterator[tuple[str, str]]:
    """Name and SQL of every check: one per enum column, and one per name that columns and `checks` share."""
    for column in definition.columns:
        if column.enum is not None:
            yield column.name, f"{column.name} IN ({', '.join(repr(value) for value in column.values)})"
    groups: dict[str, list[str]] = {}
    for column in _ordered_bounded_columns(definition):
        groups.setdefault(column.check or column.name, []).append(_within(column))
    for check in definition.checks:
        groups.setdefault(check.name, []).append(check.condition)
    for name, conditions in groups.items():
        yield name, " AND ".join(conditions)


def _ordered_bounded_columns(definition: model.Table) -> list[model.Column]:
    def place(column: model.Column) -> int:
        order = definition.check_order.get(column.check, ())
        return order.index(column.name) if column.name in order else 0

    return sorted((column for column in definition.columns if column.bounds is not None), key=place)


def _within(column: model.Column) -> str:
    """The column lies inside its bounds. NaN sorts above everything in PostgreSQL, so an upper limit refuses it too."""
    name, bounds = column.name, column.bounds
    if bounds is None or bounds == model.FINITE:
        return f"abs({name}) < {_INFINITY[column.type]}"
    if math.isfinite(bounds.low) and math.isfinite(bounds.high):
        return f"{name} BETWEEN {bounds.low} AND {bounds.high}"
    lower = f"{name} {'>' if bounds.above else '>='} {bounds.low}"
    return f"{lower} AND {name} < {_INFINITY[column.type]}" if column.type in _INFINITY else lower
