"""Lines of a flat file into typed columns.

Belongs here: the two ways to read a block of lines. The fast one parses with polars and accepts the block only when
every line came out whole; anything it cannot vouch for goes the careful way, line by line where needed, which sets
single rows aside instead of giving up the file. Row rules are in `bar_rules`.
"""

from __future__ import annotations

import csv

import polars as pl

from hd_pipelines.providers.massive.bar_rules import SetAside
from hd_pipelines.providers.massive.flat_files.gzip_stream import line_count
from hd_pipelines.providers.massive.flat_files.header import Header
from hd_pipelines.tables.vocabulary import Rule

MAX_LINE_BYTES = 4096
_MAY_BE_EMPTY = ("volume", "transactions")


def parse_fast(block: bytes, header: Header) -> pl.DataFrame | None:
    """All lines of `block` as the wanted columns, or None if any of them is not plainly one full row of numbers.

    Integers go text → int64 and never through a float. No value is null in an accepted block.
    """
    try:
        frame = pl.read_csv(block, has_header=False, schema=header.text_schema, quote_char=None)
    except (pl.exceptions.ComputeError, pl.exceptions.SchemaError):
        return None
    if frame.height != line_count(block) or any(column.null_count() for column in frame.iter_columns()):
        return None  # a short line reads as nulls, a blank one as a row of them
    return frame[list(header.wanted)]


def parse_carefully(block: bytes, header: Header, first_row: int, aside: SetAside) -> pl.DataFrame:
    """The readable lines of `block` as the wanted columns plus `row`; every other line is tallied in `aside`.

    `first_row` is the 1-based number of the first line. A quoted field is unquoted; a line feed inside quotes breaks
    its row in two, neither of which passes for a row. Empty volume or transactions become null.
    """
    lines = pl.DataFrame({"line": _decoded_lines(block)}, schema={"line": pl.String}).with_row_index("row", first_row)
    lines = lines.with_columns(pl.col("line").str.strip_suffix("\r"))
    fields = len(header.names)
    quoted = lines["line"].str.contains('"', literal=True).fill_null(value=False)
    if quoted.any():
        unquoted = [_without_quotes(line) for line in lines.filter(quoted)["line"]]
        lines = pl.concat([lines.filter(~quoted), lines.filter(quoted).with_columns(line=pl.Series(unquoted))])
        lines = lines.sort("row")
    line = pl.col("line")
    lines = lines.with_columns(
        rule=pl.when(line.is_null())
        .then(pl.lit(Rule.TEXT_NOT_UTF8.value))
        .when(line.str.len_bytes() > MAX_LINE_BYTES)
        .then(pl.lit(Rule.LINE_TOO_LONG.value))
        .when(line.str.contains("\0", literal=True))
        .then(pl.lit(Rule.VALUE_UNREADABLE.value))
        .when(line.str.count_matches(",", literal=True) != fields - 1)
        .then(pl.lit(Rule.ROW_RAGGED.value))
    )
    _tally(lines.filter(pl.col("rule").is_not_null()), aside)
    whole = lines.filter(pl.col("rule").is_null()).drop("rule")
    texts = whole.with_columns(
        whole["line"].str.split_exact(",", fields - 1).struct.field(f"field_{header.names.index(name)}").alias(name)
        for name in header.wanted
    )
    values = texts.with_columns(
        pl.col(name).cast(header.text_schema[name], strict=False) for name in header.wanted if name != "ticker"
    )
    unreadable = pl.any_horizontal(
        (values[name].is_null() & (texts[name] != "" if name in _MAY_BE_EMPTY else pl.lit(value=True)))
        for name in header.wanted
        if name != "ticker"
    )
    values = values.with_columns(rule=pl.when(unreadable).then(pl.lit(Rule.VALUE_UNREADABLE.value)))
    _tally(values.filter(pl.col("rule").is_not_null()), aside)
    return values.filter(pl.col("rule").is_null()).select("row", *header.wanted)


def _decoded_lines(block: bytes) -> list[str | None]:
    body = block.removesuffix(b"\n")
    try:
        return list(body.decode().split("\n"))
    except UnicodeDecodeError:
        return [_decoded(line) for line in body.split(b"\n")]


def _decoded(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _without_quotes(line: str) -> str:
    """The line with its fields unquoted; unchanged (and so refused by a later rule) if that is not possible."""
    try:
        fields = next(csv.reader([line], strict=True))
    except (csv.Error, StopIteration):
        return line.replace(",", "")  # an open quote swallows line ends: no field of this line can be trusted
    return ",".join(field.replace(",", ";") for field in fields)


def _tally(lines: pl.DataFrame, aside: SetAside) -> None:
    for (name,), rows in lines.group_by("rule", maintain_order=True):
        first_row, example = rows.select("row", "line").row(0)
        aside.add(Rule(str(name)), first_row, example or "(not text)", rows.height)
