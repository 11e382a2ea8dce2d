"""Parses the header line of a flat file and maps its columns by name.

The order of columns is free. A missing or repeated column is an error; an unknown one is reported and ignored.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass

import polars as pl

from hd_pipelines.market.findings import Finding
from hd_pipelines.providers.errors import FileRefusedError, ObjectPlace
from hd_pipelines.providers.massive.flat_files.layout import FlatFileDataset
from hd_pipelines.tables.vocabulary import Rule

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TYPES = {"ticker": pl.String(), "window_start": pl.Int64(), "transactions": pl.Int64()}
_TELL_VENDOR = "Compare with the vendor's current file description; extend flat_files/layout.py if the format changed."


@dataclass(frozen=True, slots=True)
class Header:
    """Column names in the order of the file, and whether lines end in CR LF."""

    names: tuple[str, ...]
    wanted: tuple[str, ...]
    has_carriage_returns: bool
    findings: tuple[Finding, ...]

    @property
    def text_schema(self) -> dict[str, pl.DataType]:
        """The type as which polars parses each column of the file, in file order; unknown columns as text."""
        known = set(self.wanted)
        return {name: _TYPES.get(name, pl.Float64()) if name in known else pl.String() for name in self.names}


def parse_header(line: bytes, dataset: FlatFileDataset, place: ObjectPlace) -> Header:
    """Map the first line of a file (without its line feed). Raises `FileRefusedError`."""
    text_line = line.removeprefix(_BYTE_ORDER_MARK)
    has_carriage_returns = text_line.endswith(b"\r")
    shown = text_line[:200].decode("ascii", "backslashreplace").rstrip("\r")
    try:
        names = tuple(next(csv.reader([text_line.decode("ascii").removesuffix("\r")], strict=True)))
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        raise FileRefusedError(
            place.error(Rule.HEADER_WRONG, f"the first line is not a header: {shown!r}.", _TELL_VENDOR, first_row=0)
        ) from error
    known = set(dataset.columns)
    if not known.intersection(names) or "\r" in "".join(names):
        raise FileRefusedError(
            place.error(
                Rule.HEADER_WRONG,
                f"the first line names no known column: {shown!r}, expected {','.join(dataset.columns)}.",
                _TELL_VENDOR,
                first_row=0,
            )
        )
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise FileRefusedError(
            place.error(Rule.COLUMN_DUPLICATED, f"the header repeats {', '.join(repeated)}.", _TELL_VENDOR, first_row=0)
        )
    missing = [name for name in dataset.columns if name not in names]
    if missing:
        raise FileRefusedError(
            place.error(
                Rule.COLUMN_MISSING, f"the header lacks {', '.join(missing)}: {shown!r}.", _TELL_VENDOR, first_row=0
            )
        )
    extra = [name for name in names if name not in known]
    warning = place.warning(
        Rule.COLUMN_EXTRA, f"the header has unknown columns, ignored: {', '.join(extra)}.", _TELL_VENDOR, first_row=0
    )
    return Header(names, dataset.columns, has_carriage_returns, (warning,) if extra else ())
