"""Rows of bars as bytes for COPY: PostgreSQL's binary format where floats allow it exactly, else CSV.

Binary spares the server parsing text, a third of a load's time. A numeric in it is a row of base-10000 digits, made
here for whole columns at once: a float x is taken as the integer v = x · 10^k with k of 0, 4 or 8, and only if v / 10^k
gives x back and v has at most 15 digits. Decimals that short belong to one float each, so what is stored is the float's
shortest decimal, the vendor's own text. Any other column (longer fractions, NaN, negatives, Decimals) goes as CSV.

Formats: PostgreSQL manual, COPY, "Binary Format"; numeric_send and date/timestamp epochs in its source, adt/numeric.c.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

NUMERIC_COLUMNS = ("open", "high", "low", "close", "volume", "vwap")
BINARY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
BINARY_TRAILER = b"\xff\xff"
_FIELDS = 11
_EXPONENTS = (0, 4, 8)
"""Tried in this order, since less is shorter: volumes are mostly whole, prices have two to four decimals."""
_LARGEST = 10**15
_EPOCH_US = 946_684_800_000_000  # 2000-01-01 in Unix microseconds
_EPOCH_DAYS = 10_957
# Of four decimals, how many are needed: 1200 → 2, 0 → 0.
_DECIMALS_USED = np.array(
    [0] + [next(4 - zeros for zeros in (3, 2, 1, 0) if group % 10**zeros == 0) for group in range(1, 10_000)],
    dtype=np.int16,
)

Exponents = Mapping[str, int]


def exact_exponents(rows: pl.DataFrame) -> Exponents | None:
    """For each numeric column the k with which all its values are exact, or None if a column has no such k."""
    if not all(rows.schema[name] == pl.Float64 for name in NUMERIC_COLUMNS):
        return None
    found: dict[str, int] = {}
    for name in NUMERIC_COLUMNS:
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


def encode_csv(rows: pl.DataFrame) -> bytes:
    """`rows` as CSV lines without a header; floats as shortest decimals, null as nothing."""
    buffer = io.BytesIO()
    rows.write_csv(buffer, include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%.6f+00")
    return buffer.getvalue()


def encode_binary(rows: pl.DataFrame, exponents: Exponents) -> memoryview:
    """`rows` (columns as the table, microsecond stamps) as binary tuples, without header and trailer."""
    symbols, timeframes = _text(rows["symbol"]), _text(rows["timeframe"])
    numerics = {name: _Digits.of(rows[name].fill_null(0.0).to_numpy(), exponents[name]) for name in NUMERIC_COLUMNS}
    layout = list(_layout(symbols[0].dtype.itemsize, timeframes[0].dtype.itemsize, numerics))
    tuples = np.empty(rows.height, np.dtype(layout))
    tuples["fields"] = _FIELDS
    tuples["symbol"], tuples["symbol_length"] = symbols
    tuples["timeframe"], tuples["timeframe_length"] = timeframes
    tuples["timestamp_length"], tuples["session_length"] = 8, 4
    tuples["timestamp"] = rows["timestamp"].to_physical().to_numpy() - _EPOCH_US
    tuples["session"] = rows["session"].to_physical().to_numpy() - _EPOCH_DAYS
    for name, digits in numerics.items():
        _put_numeric(tuples, name, digits)
    tuples["trades_length"] = 8
    tuples["trades"] = rows["trades"].fill_null(0).to_numpy()
    absent = {}
    for name in (*NUMERIC_COLUMNS, "trades"):
        if rows[name].null_count():
            absent[name] = rows[name].is_null().to_numpy()
            tuples[f"{name}_length"][absent[name]] = -1
    return _without_gaps(tuples, absent)


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
        """How many decimals each value needs."""
        if self.exponent == 0:
            return 0
        last = _DECIMALS_USED[self.groups[0]]
        if self.exponent == 4:
            return last
        before = _DECIMALS_USED[self.groups[1]] if len(self.groups) > 1 else 0
        return np.where(last > 0, last + 4, before).astype(np.int16)


def _layout(symbol_bytes: int, timeframe_bytes: int, numerics: Mapping[str, _Digits]) -> Iterator[tuple[str, str]]:
    yield "fields", ">i2"
    for name, kind in (("symbol", f"S{symbol_bytes}"), ("timeframe", f"S{timeframe_bytes}")):
        yield f"{name}_length", ">i4"
        yield name, kind
    yield from (("timestamp_length", ">i4"), ("timestamp", ">i8"), ("session_length", ">i4"), ("session", ">i4"))
    for name, digits in numerics.items():
        yield f"{name}_length", ">i4"
        positions = (f"digit{position}" for position in range(len(digits.groups)))
        for part in ("ndigits", "weight", "sign", "dscale", *positions):
            yield f"{name}_{part}", ">i2"
    yield from (("trades_length", ">i4"), ("trades", ">i8"))


def _text(column: pl.Series) -> tuple[npt.NDArray[np.bytes_], npt.NDArray[np.int32]]:
    """Texts padded to one width, and their lengths in bytes. Few are distinct, so each is encoded once."""
    distinct = column.unique(maintain_order=True)
    encoded = [name.encode() for name in distinct]
    codes = column.cast(pl.Enum(distinct)).to_physical().to_numpy()
    lengths = np.array([len(name) for name in encoded], dtype=np.int32)
    return np.array(encoded)[codes], lengths[codes]


def _put_numeric(tuples: npt.NDArray[Any], name: str, digits: _Digits) -> None:
    for position, group in enumerate(reversed(digits.groups)):
        tuples[f"{name}_digit{position}"] = group
    tuples[f"{name}_length"] = 8 + 2 * len(digits.groups)
    tuples[f"{name}_ndigits"] = len(digits.groups)
    tuples[f"{name}_weight"] = digits.weight
    tuples[f"{name}_sign"] = 0
    tuples[f"{name}_dscale"] = digits.decimals


def _without_gaps(tuples: npt.NDArray[Any], absent: Mapping[str, npt.NDArray[np.bool_]]) -> memoryview:
    """The tuples' bytes, less the unused ends of short texts and the payload of nulls."""
    fields: Any = tuples.dtype.fields
    width = tuples.dtype.itemsize
    keep = np.ones((len(tuples), width), dtype=np.bool_)
    for name in ("symbol", "timeframe"):
        start, size = fields[name][1], fields[name][0].itemsize
        lengths = tuples[f"{name}_length"].astype(np.int32)
        for position in range(int(lengths.min(initial=size)), size):
            keep[:, start + position] = lengths > position
    ends = {name: fields[f"{following}_length"][1] for name, following in pairwise((*NUMERIC_COLUMNS, "trades"))}
    for name, is_null in absent.items():
        keep[is_null, fields[f"{name}_length"][1] + 4 : ends.get(name, width)] = False
    return tuples.view(np.uint8).reshape(len(tuples), width)[keep].data
