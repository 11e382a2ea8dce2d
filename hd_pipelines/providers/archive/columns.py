"""Converts the columns of an archived table to the promised types, or explains why that is not possible.

The columns of chains are listed in `providers.archive.chains`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from hd_pipelines.providers.errors import FileRefusedError, ObjectPlace
from hd_pipelines.tables.vocabulary import Rule


def select_promised_columns(
    rows: pl.DataFrame, required: Mapping[str, Any], optional: Mapping[str, Any], place: ObjectPlace
) -> pl.DataFrame:
    """Select exactly the columns `required` and `optional`, in their types; an absent optional one becomes null.

    A number of another width is accepted. Text instead of a number, or a number instead of a date, raises
    `FileRefusedError` of `place`.
    """
    have, types = rows.schema, pl.Schema({**required, **optional})
    missing = [name for name in required if name not in have]
    if missing:
        raise FileRefusedError(
            place.error(Rule.COLUMN_MISSING, f"it has no column {', '.join(missing)}.", "Rename or add the columns.")
        )
    wrong = [
        f"{name} is {have[name]}, not {dtype}"
        for name, dtype in types.items()
        if name in have and not _fits(have[name], dtype)
    ]
    if wrong:
        raise FileRefusedError(
            place.error(Rule.COLUMN_TYPE_WRONG, f"{'; '.join(wrong)}.", "Write the archive with the types it promises.")
        )
    try:
        return rows.select(
            pl.col(name).cast(dtype) if name in have else pl.lit(None, dtype=dtype).alias(name)
            for name, dtype in types.items()
        )
    except pl.exceptions.InvalidOperationError as error:
        raise FileRefusedError(
            place.error(Rule.COLUMN_TYPE_WRONG, f"a number does not fit its column ({error}).", "Fix the archive.")
        ) from error


def _fits(have: pl.DataType, wanted: pl.DataType) -> bool:
    if have in (wanted, pl.Null):
        return True
    if isinstance(wanted, pl.Datetime):
        return isinstance(have, pl.Datetime) and have.time_zone is not None
    return (wanted.is_float() and have.is_numeric()) or (wanted.is_integer() and have.is_integer())
