"""What the definitions of tables are built from: the metadata, common columns, and checks as SQL.

Belongs here: pieces that several tables share. The tables are in `tables`, `option_tables`, `analytics_tables` and
`regime_tables`; importing `tables` brings them all into `metadata`.

Two kinds of number. What a market said (prices, strikes, sizes) is `numeric`: exact decimals. What a model answered
(volatilities, Greeks, gamma dollars, ratios) is `double precision`: a fixed number of decimals throws small answers
away, as numeric(10,8) did with the gamma of an NDX option (2e-5 keeps four digits, far strikes none).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    MetaData,
    Numeric,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

SERVER_COLUMNS = ("created_at", "updated_at")
"""Filled by the server; frames that are published do not carry them."""


def now(name: str) -> Column[Any]:
    """When the server wrote the row."""
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


def moment(name: str, *, nullable: bool = True) -> Column[Any]:
    """An instant."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def day(name: str, *, nullable: bool = True) -> Column[Any]:
    """A calendar date in New York."""
    return Column(name, Date, nullable=nullable)


def byte_ordered_text(name: str) -> Column[str]:
    """Text of a key. "C": compared as bytes, whatever the database's locale, so sorted input makes a cheap key."""
    return Column(name, Text(collation="C"), nullable=False)


def word(name: str, *, nullable: bool = True) -> Column[str]:
    """A text, often one of an enum."""
    return Column(name, Text, nullable=nullable)


def price(name: str, *, nullable: bool = True) -> Column[Any]:
    """What a market said: exact."""
    return Column(name, Numeric, nullable=nullable)


def answer(name: str, *, nullable: bool = True) -> Column[Any]:
    """What a model answered: float64; null where it has no answer."""
    return Column(name, Double, nullable=nullable)


def count(name: str, *, nullable: bool = True) -> Column[Any]:
    """How many."""
    return Column(name, BigInteger, nullable=nullable)


def days(name: str, *, nullable: bool = True) -> Column[Any]:
    """A small whole number."""
    return Column(name, Integer, nullable=nullable)


def document(name: str) -> Column[Any]:
    """A list of small records."""
    return Column(name, JSONB)


def one_of(column: str, words: type[StrEnum] | tuple[str, ...]) -> str:
    """The column holds one of `words`."""
    values = tuple(member.value for member in words) if isinstance(words, type) else words
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def finite(*columns: str) -> str:
    """No NaN, no infinity: NaN sorts above everything in PostgreSQL. Null passes: missing is null."""
    return " AND ".join(f"abs({column}) < 'Infinity'::double precision" for column in columns)


def finite_from_zero(*columns: str) -> str:
    """Neither negative nor NaN nor infinite."""
    return " AND ".join(f"{column} >= 0 AND {column} < 'Infinity'::double precision" for column in columns)


def within(low: float, high: float, *columns: str) -> str:
    """Every column lies between, bounds included; NaN does not."""
    return " AND ".join(f"{column} BETWEEN {low} AND {high}" for column in columns)


def amounts(*columns: str) -> str:
    """Numerics that are neither negative nor NaN nor infinite."""
    return " AND ".join(f"{column} >= 0 AND {column} < 'Infinity'::numeric" for column in columns)


def positive(*columns: str) -> str:
    """Numerics above zero, not NaN, not infinite."""
    return " AND ".join(f"{column} > 0 AND {column} < 'Infinity'::numeric" for column in columns)


def lists(*columns: str) -> str:
    """JSON documents that are arrays."""
    return " AND ".join(f"jsonb_typeof({column}) = 'array'" for column in columns)


def none_negative(*columns: str) -> str:
    """Counts."""
    return " AND ".join(f"{column} >= 0" for column in columns)


def check(table: str, rule: str, condition: str) -> CheckConstraint:
    """A check named `<table>_<rule>`, so that a refusal names both."""
    return CheckConstraint(condition, name=f"{table}_{rule}")


def vocabulary(table: str, words: dict[str, type[StrEnum]]) -> tuple[CheckConstraint, ...]:
    """One check for each column that holds a word of an enum."""
    return tuple(check(table, column, one_of(column, enum)) for column, enum in words.items())


def same_day(stamp: str, session: str) -> str:
    """The instant lies on the session's UTC date: regular hours always do, so leaves may be cut by either."""
    return f"(\"{stamp}\" AT TIME ZONE interval '0')::date = {session}"
