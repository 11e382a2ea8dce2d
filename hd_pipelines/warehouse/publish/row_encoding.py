"""Encodes rows for COPY in PostgreSQL's binary format, whole columns at once.

Binary saves the server parsing text, a third of a load's time. Every field is a length and a payload; rows are laid out
at their widest in one array, then the unused ends of short texts and the payloads of nulls are cut out.

A numeric is a row of base-10000 digits. A float x is taken as the integer v = x · 10^k with k of 0, 4 or 8, and only if
v / 10^k gives x back and v has at most 15 digits. Decimals that short belong to one float each, so what is stored is the
float's shortest decimal, the vendor's own text. Columns that have no such k (longer fractions, NaN, negatives) cannot be
encoded this way: `find_exact_exponents` returns None, and the caller writes CSV.

Formats: PostgreSQL manual, COPY, "Binary Format"; numeric_send and date/timestamp epochs in its source, adt/numeric.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

BINARY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
BINARY_TRAILER = b"\xff\xff"
_EXPONENTS = (0, 4, 8)
"""Tried in this order, shortest first: volumes are mostly whole, prices have two to four decimals."""
_LARGEST = 10**15
_EPOCH_US = 946_684_800_000_000  # 2000-01-01 in Unix microseconds
_EPOCH_DAYS = 10_957
# Of four decimals, how many are needed: 1200 → 2, 0 → 0.
_DECIMALS_USED = np.array(
    [0] + [next(4 - zeros for zeros in (3, 2, 1, 0) if group % 10**zeros == 0) for group in range(1, 10_000)],
    dtype=np.int16,
)

Exponents = Mapping[str, int]


class Wire(StrEnum):
    """Encoding of a column; the value of fixed-width ones is their numpy type."""

    TEXT = "text"
    NUMERIC = "numeric"
    INSTANT = ">i8 instant"
    DATE = ">i4 date"
    INT4 = ">i4"
    INT8 = ">i8"
    FLOAT8 = ">f8"


def find_exact_exponents(rows: pl.DataFrame, columns: Iterable[str]) -> Exponents | None:
    """Find for each of the numeric `columns` the k with which all its values are exact, or None if one has no such k."""
    found: dict[str, int] = {}
    for name in columns:
        if rows.schema[name] != pl.Float64:
            return None
        values = rows[name].fill_null(0.0).to_numpy()
        exponent = next((k for k in _EXPONENTS if _is_exact(values, k)), None)
        if exponent is None:
            return None
        found[name] = exponent
    return found


def _is_exact(values: npt.NDArray[np.float64], exponent: int) -> bool:
    scale = 10.0**exponent
    scaled = np.rint(values * scale)
    return bool(np.all((scaled / scale == values) & (scaled >= 0) & (scaled < _LARGEST)))


def encode_binary(rows: pl.DataFrame, wires: Mapping[str, Wire], exponents: Exponents) -> memoryview:
    """Encode `rows` as binary tuples with the fields of `wires` in its order, without header and trailer.

    Stamps are in microseconds. Every numeric column has its k in `exponents`.
    """
    texts = {name: _pad_texts(rows[name]) for name, wire in wires.items() if wire is Wire.TEXT}
    numerics = {
        name: _Digits.of(rows[name].fill_null(0.0).to_numpy(), exponents[name])
        for name, wire in wires.items()
        if wire is Wire.NUMERIC
    }
    tuples = np.empty(rows.height, np.dtype(list(_build_layout(wires, texts, numerics))))
    tuples["fields"] = len(wires)
    for name, wire in wires.items():
        if wire is Wire.TEXT:
            tuples[name], tuples[f"{name}_length"] = texts[name]
        elif wire is Wire.NUMERIC:
            _put_numeric(tuples, name, numerics[name])
        else:
            _put_fixed(tuples, rows[name], wire)
    absent = {name: rows[name].is_null().to_numpy() for name in wires if rows[name].null_count()}
    for name, is_null in absent.items():
        tuples[f"{name}_length"][is_null] = -1
    return _remove_gaps(tuples, wires, absent)


@dataclass(frozen=True, slots=True)
class _Digits:
    """A column as base-10000 digits, the last ones first, as many as its largest value needs."""

    groups: list[npt.NDArray[np.int16]]
    exponent: int

    @classmethod
    def of(cls, values: npt.NDArray[np.float64], exponent: int) -> _Digits:
        remaining = np.rint(values * 10.0**exponent).astype(np.int64)
        groups: list[npt.NDArray[np.int16]] = []
        while not groups or remaining.any():
            quotient = remaining // 10_000
            groups.append((remaining - quotient * 10_000).astype(np.int16))
            remaining = quotient
        return cls(groups, exponent)

    @property
    def weight(self) -> int:
        """Position of the first digit: 0 for the ones, -1 for the first four decimals."""
        return len(self.groups) - 1 - self.exponent // 4

    @property
    def decimals(self) -> npt.NDArray[np.int16] | int:
        """Number of decimals that each value needs."""
        if self.exponent == 0:
            return 0
        last = _DECIMALS_USED[self.groups[0]]
        if self.exponent == 4:
            return last
        before = _DECIMALS_USED[self.groups[1]] if len(self.groups) > 1 else 0
        return np.where(last > 0, last + 4, before).astype(np.int16)


_Text = tuple[npt.NDArray[np.bytes_], npt.NDArray[np.int32]]


def _pad_texts(column: pl.Series) -> _Text:
    """Texts padded to one width, and their lengths in bytes."""
    buffers = column.to_arrow(compat_level=pl.CompatLevel.oldest())
    height = len(buffers)
    offsets = np.frombuffer(buffers.buffers()[1], np.int64)[buffers.offset : buffers.offset + height + 1]
    lengths = np.diff(offsets).astype(np.int32)
    width = max(1, int(lengths.max(initial=1)))
    data = np.frombuffer(buffers.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    if data.size == height * width:
        padded = np.ascontiguousarray(data)
    else:
        padded = np.zeros(height * width, np.uint8)
        padded[(np.arange(width, dtype=np.int32) < lengths[:, None]).ravel()] = data
    return padded.view(f"S{width}"), lengths


def _build_layout(
    wires: Mapping[str, Wire], texts: Mapping[str, _Text], numerics: Mapping[str, _Digits]
) -> Iterator[tuple[str, str]]:
    yield "fields", ">i2"
    for name, wire in wires.items():
        yield f"{name}_length", ">i4"
        if wire is Wire.TEXT:
            yield name, texts[name][0].dtype.str
        elif wire is Wire.NUMERIC:
            positions = (f"digit{position}" for position in range(len(numerics[name].groups)))
            yield from ((f"{name}_{part}", ">i2") for part in ("ndigits", "weight", "sign", "dscale", *positions))
        else:
            yield name, wire.value.split()[0]


def _put_numeric(tuples: npt.NDArray[Any], name: str, digits: _Digits) -> None:
    for position, group in enumerate(reversed(digits.groups)):
        tuples[f"{name}_digit{position}"] = group
    tuples[f"{name}_length"] = 8 + 2 * len(digits.groups)
    tuples[f"{name}_ndigits"] = len(digits.groups)
    tuples[f"{name}_weight"] = digits.weight
    tuples[f"{name}_sign"] = 0
    tuples[f"{name}_dscale"] = digits.decimals


def _put_fixed(tuples: npt.NDArray[Any], column: pl.Series, wire: Wire) -> None:
    name = column.name
    values = column.to_physical().fill_null(0).to_numpy()
    if wire is Wire.INSTANT:
        values = values - _EPOCH_US
    elif wire is Wire.DATE:
        values = values - _EPOCH_DAYS
    tuples[name] = values
    tuples[f"{name}_length"] = tuples.dtype[name].itemsize


def _remove_gaps(
    tuples: npt.NDArray[Any], wires: Mapping[str, Wire], absent: Mapping[str, npt.NDArray[np.bool_]]
) -> memoryview:
    """The tuples' bytes, less the unused ends of short texts and the payload of nulls."""
    fields: Any = tuples.dtype.fields
    width = tuples.dtype.itemsize
    keep = np.ones((len(tuples), width), dtype=np.bool_)
    for name in (name for name, wire in wires.items() if wire is Wire.TEXT):
        start, size = fields[name][1], fields[name][0].itemsize
        lengths = tuples[f"{name}_length"].astype(np.int32)
        for position in range(max(0, int(lengths.min(initial=size))), size):
            keep[:, start + position] = lengths > position
    starts = [fields[f"{name}_length"][1] for name in wires]
    ends = dict(zip(wires, [*starts[1:], width], strict=True))
    for name, is_null in absent.items():
        keep[is_null, fields[f"{name}_length"][1] + 4 : ends[name]] = False
    return tuples.view(np.uint8).reshape(len(tuples), width)[keep].data
