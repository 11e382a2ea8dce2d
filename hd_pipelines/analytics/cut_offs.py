"""Classifies a measure by cut-offs.

The cut-offs are defined beside the measure, the names of the classes in `tables.vocabulary`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import polars as pl


def classify_by_cut_offs(value: pl.Expr, cut_offs: Sequence[float], classes: Sequence[StrEnum]) -> pl.Expr:
    """Give `classes[i]` for the first i where `value` < `cut_offs[i]`, else the last class; null where value is null.

    NaN counts as null. `cut_offs` ascend, and `classes` is longer by one. Raises `ValueError` otherwise.
    """
    if len(classes) != len(cut_offs) + 1 or list(cut_offs) != sorted(set(cut_offs)):
        raise ValueError(f"{len(cut_offs)} ascending cut-offs divide {len(cut_offs) + 1} classes, not {len(classes)}")
    chosen_class = pl.lit(classes[-1].value)
    for cut_off, name in zip(reversed(cut_offs), reversed(classes[:-1]), strict=True):
        chosen_class = pl.when(value < cut_off).then(pl.lit(name.value)).otherwise(chosen_class)
    return pl.when(value.is_not_null() & value.is_not_nan()).then(chosen_class)
