"""Parses lines of a flat file into typed columns, in a fast and in a careful way.

The fast way parses with polars and accepts a block only if every line is complete. Any other block is parsed the careful
way, line by line where needed, which sets single rows aside instead of refusing the file. Row rules are in `bar_rules`.
"""

from __future__ import annotations

import csv

import polars as pl

from hd_pipelines.providers.massive.bar_rules import SetAside
from hd_pipelines.providers.massive.flat_files.gzip_stream import count_line_feeds
from hd_pipelines.providers.massive.flat_files.header import Header
from hd_pipelines.tables.vocabulary import Rule

MAX_LINE_BYTES = 4096
_MAY_BE_EMPTY = ("volume", "transactions")


def parse_fast(block: bytes, header: Header) -> pl.DataFrame | None:
    """Parse all lines of `block` as the wanted columns, or return None unless each is plainly one full row of numbers.

    Integers are parsed from text to int64 and never through a float. An accepted block contains no nulls.
    """
    if _has_line_of_commas(block, len(header.names)):
        return None  # polars would take a second for each million of its fields
    try:
        frame = pl.read_csv(block, has_header=False, schema=header.text_schema, quote_char=None)
    except (pl.exceptions.ComputeError, pl.exceptions.SchemaError):
        return None
    if frame.height != count_line_feeds(block) or any(column.null_count() for column in frame.iter_columns()):
        return None  # a short line reads as nulls, a blank one as a row of them
    return frame[list(header.wanted)]


def parse_carefully(block: bytes, header: Header, first_row: int, aside: SetAside) -> pl.DataFrame:
    """Parse the readable lines of `block` as the wanted columns plus `row`; every other line is counted in `aside`.

    `first_row` is the 1-based number of the first line. A quoted field is unquoted; a line feed inside quotes breaks its
    row in two, neither of which is accepted. Empty volume or transactions become null.
    """
    lines = pl.DataFrame({"line": _decode_lines(block)}, schema={"line": pl.String}).with_row_index("row", first_row)
    lines = lines.with_columns(pl.col("line").str.strip_suffix("\r"))
    fields = len(header.names)
    quoted = lines["line"].str.contains('"', literal=True).fill_null(value=False)
    if quoted.any():
        unquoted = [_strip_quotes(line) for line in lines.filter(quoted)["line"]]
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


def _has_line_of_commas(block: bytes, fields: int) -> bool:
    """Whether a very long line has `fields` commas or more close together, as no sound one has. Reads little of others."""
    step = MAX_LINE_BYTES // 2  # a line longer than the limit covers one of these stretches whole
    return any(
        block.find(b"\n", start, start + step) < 0 and block.count(b",", start, start + step) >= fields
        for start in range(0, len(block) - step + 1, step)
    )


def _decode_lines(block: bytes) -> list[str | None]:
    body = block.removesuffix(b"\n")
    try:
        return list(body.decode().split("\n"))
    except UnicodeDecodeError:
        return [_decode(line) for line in body.split(b"\n")]


def _decode(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _strip_quotes(line: str) -> str:
    """Unquote the line's fields; unchanged (and so refused by a later rule) if that is not possible."""
    try:
        fields = next(csv.reader([line], strict=True))
    except (csv.Error, StopIteration):
        return line.replace(",", "")  # an open quote swallows line ends: no field of this line can be trusted
    return ",".join(field.replace(",", ";") for field in fields)


def _tally(lines: pl.DataFrame, aside: SetAside) -> None:
    for (name,), rows in lines.group_by("rule", maintain_order=True):
        first_row, example = rows.select("row", "line").row(0)
        aside.add(Rule(str(name)), first_row, example or "(not text)", rows.height)
