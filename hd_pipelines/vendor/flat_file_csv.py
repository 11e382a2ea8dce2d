"""A landed flat file into the columns of the lake.

Belongs here: reading one file as a whole, the order and uniqueness of its keys, and the decision whether so many rows
are bad that the file is refused. Text is in `flat_file_text`, row rules in `bar_rules`, bytes in `gzip_stream`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from hd_pipelines.market.findings import Finding, Rule
from hd_pipelines.vendor.bar_rules import SetAside, is_sound, split_broken
from hd_pipelines.vendor.errors import FileRefusedError, ObjectPlace
from hd_pipelines.vendor.flat_file_header import Header, parse_header
from hd_pipelines.vendor.flat_file_layout import FlatFileDataset
from hd_pipelines.vendor.flat_file_text import parse_carefully, parse_fast
from hd_pipelines.vendor.gzip_stream import GzipLimits, GzipLines, line_count, read_ahead

BAR_SCHEMA: dict[str, pl.DataType] = {
    "ticker": pl.String(),
    "window_start": pl.Int64(),
    "open": pl.Float64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "close": pl.Float64(),
    "volume": pl.Float64(),
    "transactions": pl.Int64(),
}
"""Columns of every dataset once read: `window_start` in ns UTC, `volume` and `transactions` null where not given."""

MAX_BAD_SHARE = 0.01
MAX_BAD_ROWS_OF_A_SMALL_FILE = 5
_KEY = ["ticker", "window_start"]


@dataclass(frozen=True, slots=True)
class FlatFileBars:
    """One file, read: `bars` has `BAR_SCHEMA`, sorted by (ticker, window_start), every key once.

    `rows_in_file` = `bars.height` + `rows_set_aside` + exact duplicates dropped.
    """

    bars: pl.DataFrame
    sha256: str
    rows_in_file: int
    rows_set_aside: int
    findings: tuple[Finding, ...]


def read_flat_file(
    path: Path, dataset: FlatFileDataset, session: date, *, limits: GzipLimits | None = None
) -> FlatFileBars:
    """Read the csv.gz at `path`, which the vendor publishes for `session`.

    Single bad rows are set aside and told (one finding per rule, with count, first row and example). Raises
    `FileRefusedError` when the bytes, the header or the whole are wrong, or when more than 1 % of the rows (and more
    than five) are bad. Peak memory is about 100 bytes a row, plus 100 MB.
    """
    place = ObjectPlace(dataset.name, session, dataset.key(session))
    lines = GzipLines(path, place, limits)
    aside = SetAside()
    with closing(read_ahead(lines)) as blocks:
        header, rest = _header(blocks, dataset, place)
        frames, rows = [], 0
        for block in rest:
            frame, lines_read = _read_block(block, header, (dataset, session), rows + 1, aside)
            frames.append(frame)
            rows += lines_read
    if rows == 0:
        raise FileRefusedError(
            place.error(
                Rule.NO_ROWS,
                "the file has a header and no rows on a trading session.",
                "Wait for the vendor to publish it again; the sensor takes the new version.",
            )
        )
    bars, told = _in_key_order(pl.concat(frames, rechunk=False), place, aside)
    _refuse_if_mostly_bad(rows, bars.height, aside, place)
    findings = (*header.findings, *told, *aside.findings(place))
    return FlatFileBars(_lake_columns(bars), lines.sha256, rows, aside.rows, findings)


def _header(blocks: Iterator[bytes], dataset: FlatFileDataset, place: ObjectPlace) -> tuple[Header, Iterator[bytes]]:
    first = next(blocks, b"")
    if not first.strip():
        raise FileRefusedError(
            place.error(Rule.FILE_EMPTY, "the file has no text.", "Wait for the vendor to publish it again.")
        )
    line, _, body = first.partition(b"\n")
    header = parse_header(line, dataset, place)

    def rest() -> Iterator[bytes]:
        if body:
            yield body
        yield from blocks

    return header, rest()


def _read_block(
    block: bytes, header: Header, place: tuple[FlatFileDataset, date], first_row: int, aside: SetAside
) -> tuple[pl.DataFrame, int]:
    """Sound rows of a block with their `row` numbers, and how many lines it had."""
    asset_class, session = place[0].asset_class, place[1]
    if header.has_carriage_returns:
        block = block.replace(b"\r\n", b"\n")
    frame = parse_fast(block, header)
    if frame is None:
        frame = parse_carefully(block, header, first_row, aside)
    else:
        frame = frame.with_row_index("row", first_row)
        if frame.select(is_sound(asset_class, session)).item():
            return frame, frame.height
    sound = split_broken(_with_all_columns(frame), asset_class, session, aside)
    return sound[frame.columns], line_count(block)


def _with_all_columns(frame: pl.DataFrame) -> pl.DataFrame:
    absent = [name for name in ("volume", "transactions") if name not in frame.columns]
    if not absent:
        return frame  # with_columns() would copy the blocks of the whole file into one
    return frame.with_columns(pl.lit(None, BAR_SCHEMA[name]).alias(name) for name in absent)


def _lake_columns(frame: pl.DataFrame) -> pl.DataFrame:
    return _with_all_columns(frame)[list(BAR_SCHEMA)]  # select() would copy the blocks of the file into one


def _in_key_order(frame: pl.DataFrame, place: ObjectPlace, aside: SetAside) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Rows sorted by key and unique in it, and what had to be done for that. The vendor's order needs nothing."""
    if _is_strictly_ordered(frame):
        return frame, ()
    told = []
    before = pl.col("ticker").shift(), pl.col("window_start").shift()
    behind = frame.filter(
        (pl.col("ticker") < before[0]) | ((pl.col("ticker") == before[0]) & (pl.col("window_start") < before[1]))
    )
    if behind.height:
        told.append(
            place.warning(
                Rule.ROWS_OUT_OF_ORDER,
                f"{behind.height:,} rows come before their predecessor in (ticker, window_start).",
                "None needed: the rows were sorted.",
                rows=behind.height,
                first_row=behind["row"].min(),  # type: ignore[arg-type]
            )
        )
    frame = frame.sort(*_KEY, "row")
    values = [name for name in frame.columns if name != "row"]
    repeated = frame.filter(pl.struct(_KEY).is_duplicated()) if _has_repeated_keys(frame) else frame.clear()
    if repeated.height:
        first_of_each = repeated.unique(values, keep="first", maintain_order=True)
        copies = repeated.join(first_of_each, on="row", how="anti")
        conflicting = first_of_each.filter(pl.struct(_KEY).is_duplicated())
        if copies.height:
            told.append(
                place.warning(
                    Rule.ROW_DUPLICATED,
                    f"{copies.height:,} rows are exact copies of another, first of {copies['ticker'][0]}.",
                    "None needed: one of each was kept.",
                    rows=copies.height,
                    first_row=copies["row"].min(),  # type: ignore[arg-type]
                )
            )
        if conflicting.height:
            first = conflicting.sort("row").row(0, named=True)
            example = ",".join(str(first[name]) for name in values)
            aside.add(Rule.KEY_CONFLICTING, first["row"], example, conflicting.height)
        dropped = pl.concat([copies["row"], conflicting["row"]])
        frame = frame.filter(~pl.col("row").is_in(dropped.implode()))
    return frame, tuple(told)


def _is_strictly_ordered(frame: pl.DataFrame) -> bool:
    """Whether every row's key is above the one before: tickers rise from run to run, times inside a run."""
    runs = frame["ticker"].rle().struct.unnest()
    tickers_rise = runs.select((pl.col("value") > pl.col("value").shift()).all()).item()
    if not tickers_rise:
        return False
    times = frame["window_start"].to_numpy()
    rises = times[1:] > times[:-1]
    rises[runs["len"].cum_sum().to_numpy()[:-1] - 1] = True  # the first row of the next run may be earlier
    return bool(rises.all())


def _has_repeated_keys(ordered: pl.DataFrame) -> bool:
    same = (pl.col("ticker") == pl.col("ticker").shift()) & (pl.col("window_start") == pl.col("window_start").shift())
    return bool(ordered.select(same.any()).item())


def _refuse_if_mostly_bad(rows: int, sound_rows: int, aside: SetAside, place: ObjectPlace) -> None:
    too_many = aside.rows > max(MAX_BAD_ROWS_OF_A_SMALL_FILE, MAX_BAD_SHARE * rows)
    if too_many or sound_rows == 0:
        worst, *others = aside.findings(place)
        raise FileRefusedError(worst, *others)
