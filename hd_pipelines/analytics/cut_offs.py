"""Classes by cut-off: the one way in which a measure becomes a word.

Belongs here: the mapping itself. The cut-offs live beside the measure that they cut, the words in `tables.vocabulary`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import polars as pl


def by_cut_offs(value: pl.Expr, cut_offs: Sequence[float], classes: Sequence[StrEnum]) -> pl.Expr:
    """`classes[i]` where `value` < `cut_offs[i]` for the first such i, else the last class; null where value is null.

    NaN counts as null. `classes` is one longer than `cut_offs`, which ascend. Raises `ValueError` otherwise.
    """
    if len(classes) != len(cut_offs) + 1 or list(cut_offs) != sorted(set(cut_offs)):
        raise ValueError(f"{len(cut_offs)} ascending cut-offs divide {len(cut_offs) + 1} classes, not {len(classes)}")
    word = pl.lit(classes[-1].value)
    for cut_off, name in zip(reversed(cut_offs), reversed(classes[:-1]), strict=True):
        word = pl.when(value < cut_off).then(pl.lit(name.value)).otherwise(word)
    return pl.when(value.is_not_null() & value.is_not_nan()).then(word)
