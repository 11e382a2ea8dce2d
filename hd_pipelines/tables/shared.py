"""Columns and checks that several table definitions share."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from hd_pipelines.tables.model import Check, Column, Type


def alike(*columns: Column, **shared: Any) -> tuple[Column, ...]:  # noqa: ANN401  (attributes of `Column`)
    """`columns` with the attributes in `shared`, except where a column sets the attribute itself."""
    defaults = {each.name: each.default for each in fields(Column)}
    return tuple(
        replace(column, **{name: value for name, value in shared.items() if getattr(column, name) == defaults[name]})
        for column in columns
    )


CREATED_AT = Column("created_at", Type.INSTANT, "When the row was written.", source="server clock", default="now()")
UPDATED_AT = Column("updated_at", Type.INSTANT, "When the row last changed.", source="trigger", default="now()")


def same_day(instant: str, session: str) -> Check:
    """The instant lies on the session's UTC date. Regular hours always do, so partitions may be by either column."""
    return Check(session, f"(\"{instant}\" AT TIME ZONE interval '0')::date = {session}")
