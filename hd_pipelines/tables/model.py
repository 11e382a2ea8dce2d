"""The model that table definitions are written in: tables, columns, checks, keys and indexes as plain data.

Definitions carry what people and programs know about a column, once. The polars schema (`market.frames`), the SQLAlchemy
table (`warehouse.schema.build`), Dagster's column schema (`assets.table_metadata`), the data dictionary, dbt's source
descriptions and the validators' bounds are generated from them. Standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from functools import cached_property

NEVER = "never"
"""What `Column.null` holds for a column that cannot be null."""
SERVER_COLUMNS = ("created_at", "updated_at")
"""Filled by the database server; published frames do not carry them."""


class Type(StrEnum):
    """Type of a column. `postgres` names it in the database, `arrow` in a frame or Parquet file.

    Two kinds of number. What a market said (prices, strikes, sizes) is `PRICE`: exact decimals. What a model answered
    (volatilities, Greeks, gamma dollars, ratios) is `NUMBER`, float64: a fixed number of decimals discards small answers,
    as numeric(10,8) did with the gamma of an NDX option (2e-5 keeps four digits, far strikes none).
    """

    TEXT = "text"
    KEY_TEXT = "key_text"
    """Text compared as bytes (collation "C") whatever the database's locale, so that sorted input makes a cheap key."""
    DATE = "date"
    INSTANT = "instant"
    PRICE = "price"
    NUMBER = "number"
    INTEGER = "integer"
    COUNT = "count"
    BOOLEAN = "boolean"
    UUID = "uuid"
    JSON = "json"
    TEXT_LIST = "text_list"
    BYTES = "bytes"

    @property
    def postgres(self) -> str:
        """Name of the type in PostgreSQL."""
        return _NAMES[self][0]

    @property
    def arrow(self) -> str:
        """Name of the type in a frame or Parquet file."""
        return _NAMES[self][1]


_NAMES = {
    Type.TEXT: ("text", "string"),
    Type.KEY_TEXT: ("text", "string"),
    Type.DATE: ("date", "date"),
    Type.INSTANT: ("timestamptz", "timestamp[us, UTC]"),
    Type.PRICE: ("numeric", "float64"),
    Type.NUMBER: ("double precision", "float64"),
    Type.INTEGER: ("integer", "int32"),
    Type.COUNT: ("bigint", "int64"),
    Type.BOOLEAN: ("boolean", "boolean"),
    Type.UUID: ("uuid", "string"),
    Type.JSON: ("jsonb", "string"),
    Type.TEXT_LIST: ("text[]", "list[string]"),
    Type.BYTES: ("bytea", "binary"),
}
_UNITS = {Type.INSTANT: "UTC instant", Type.DATE: "New York date", Type.UUID: "UUID"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Range of a number. NaN and infinity are always outside. `above` and `below` exclude the bound itself."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False

    def __str__(self) -> str:
        if self == FINITE:
            return "finite"
        low = "" if math.isinf(self.low) else f"above {self.low:g}" if self.above else f"at least {self.low:g}"
        high = "" if math.isinf(self.high) else f"at most {self.high:g}"
        return " and ".join(part for part in (low, high) if part)


FINITE = Bounds()
FROM_ZERO = Bounds(low=0)
POSITIVE = Bounds(low=0, above=True)
SHARE = Bounds(low=0, high=1)
ROUNDED_SHARE = Bounds(low=0, high=1.000001)
"""A sum of parts may differ from the sum of all by a rounding error."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key to `table.column`."""

    target: str
    cascades: bool = False
    is_deferred: bool = False


Values = type[StrEnum] | tuple[str, ...]
"""The only values that a text column may hold."""


class DefinitionError(ValueError):
    """A definition contradicts itself; the message names the table or column."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    name         as stored
    type         see `Type`
    meaning      one or two sentences
    unit         "" if it has none, or the one that the type implies: UTC instant, New York date
    null         why the column may be null, or `NEVER`
    source       module or place that the value comes from
    enum         the only values that the column may hold; the database checks it
    bounds       range that the database enforces
    expected     narrower range that a validator demands before rows are published; falls back to `bounds`
    check        name of the database check that holds `bounds`; columns with the same name share one. Default: the column's
    default      SQL that the server fills in
    is_identity  numbered by the server
    references   foreign key
    """

    name: str
    type: Type
    meaning: str
    unit: str = ""
    _: KW_ONLY
    null: str = NEVER
    source: str = ""
    enum: Values | None = None
    bounds: Bounds | None = None
    expected: Bounds | None = None
    check: str = ""
    default: str = ""
    is_identity: bool = False
    references: Reference | None = None

    def __post_init__(self) -> None:
        if not self.meaning or not self.null:
            raise DefinitionError(f"column {self.name} needs a meaning, and a reason for null or `NEVER`")

    @property
    def is_nullable(self) -> bool:
        """Whether the column may be null."""
        return self.null != NEVER

    @property
    def shown_unit(self) -> str:
        """`unit`, or the one that the type implies."""
        return self.unit or _UNITS.get(self.type, "")

    @property
    def values(self) -> tuple[str, ...]:
        """Values of `enum`; empty without one."""
        if self.enum is None:
            return ()
        return self.enum if isinstance(self.enum, tuple) else tuple(member.value for member in self.enum)

    @property
    def validated_bounds(self) -> Bounds | None:
        """Range that a validator demands."""
        return self.expected or self.bounds


@dataclass(frozen=True, slots=True)
class Check:
    """A condition in SQL that every row meets; named `<table>_<name>` in the database."""

    name: str
    condition: str


@dataclass(frozen=True, slots=True)
class Unique:
    """A unique key beside the primary key."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """An index; `where` makes it partial."""

    name: str
    columns: tuple[str, ...]
    where: str = ""
    is_unique: bool = False


class Span(StrEnum):
    """How much time one partition holds."""

    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Partitioning:
    """Native range partitioning: the column it is by, the column with a row's session, and the span of a partition."""

    by: str
    session: str
    span: Span


class Store(StrEnum):
    """Where a table lives."""

    WAREHOUSE = "warehouse"
    LAKE = "lake"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table.

    about        what it holds
    grain        what one row stands for
    written_by   function or command that writes it
    key          primary key
    columns      in the order of the table
    checks       conditions over several columns, or beyond `Column.bounds`
    check_order  order of the columns inside a shared check, where it is not the order of the table: PostgreSQL compares
                 checks as text, and migrations are never edited
    """

    name: str
    about: str
    grain: str
    written_by: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    checks: tuple[Check, ...] = ()
    check_order: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unique: tuple[Unique, ...] = ()
    indexes: tuple[Index, ...] = ()
    partitioning: Partitioning | None = None
    store: Store = Store.WAREHOUSE

    def __post_init__(self) -> None:
        named = {*self.key}
        for columns in (*(each.columns for each in self.unique), *(each.columns for each in self.indexes)):
            named |= {*columns}
        if unknown := named - {*self.names}:
            raise DefinitionError(f"table {self.name}: keys and indexes name {sorted(unknown)}, which are no columns")
        if nullable := [name for name in self.key if self[name].is_nullable]:
            raise DefinitionError(f"table {self.name}: {nullable} are part of the key and may be null")

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}

    def __getitem__(self, name: str) -> Column:
        return self.by_name[name]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(self.by_name)

    @cached_property
    def published(self) -> tuple[Column, ...]:
        """Columns that a published frame carries: all but the server's own."""
        return tuple(column for column in self.columns if column.name not in SERVER_COLUMNS)

    def enums(self) -> dict[str, type[StrEnum]]:
        """Enum of each column that has one."""
        found = {}
        for column in self.columns:
            if column.enum is not None and not isinstance(column.enum, tuple):
                found[column.name] = column.enum
        return found

    def bounded_by(self, *bounds: Bounds) -> tuple[str, ...]:
        """Names of the columns for which a validator demands one of `bounds`, in the order of the table."""
        return tuple(column.name for column in self.columns if column.validated_bounds in bounds)
