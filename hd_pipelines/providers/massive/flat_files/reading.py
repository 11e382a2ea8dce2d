"""Reads a landed flat file into the columns of the lake, and refuses it if too many rows are bad.

Bytes are handled in `gzip_stream`, text in `text`, rules of a row in `bar_rules`, order of the rows in `bar_order`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import polars as pl

from hd_pipelines.market.findings import Finding
from hd_pipelines.market.frames import build_frame_schema
from hd_pipelines.providers.errors import FileRefusedError, ObjectPlace
from hd_pipelines.providers.massive.bar_order import KeyRange, is_strictly_rising, sort_by_key
from hd_pipelines.providers.massive.bar_rules import SetAside, is_sound, split_broken
from hd_pipelines.providers.massive.flat_files.gzip_stream import GzipLimits, GzipLines, count_line_feeds, read_ahead
from hd_pipelines.providers.massive.flat_files.header import Header, parse_header
from hd_pipelines.providers.massive.flat_files.layout import AssetClass, FlatFileDataset
from hd_pipelines.providers.massive.flat_files.text import parse_carefully, parse_fast
from hd_pipelines.tables.bars import LAKE_BARS
from hd_pipelines.tables.vocabulary import Rule

BAR_SCHEMA: dict[str, pl.DataType] = dict(pl.Schema(build_frame_schema(LAKE_BARS)))
"""Columns of every dataset once read: `window_start` in ns UTC, `volume` and `transactions` null where not given."""

MAX_BAD_SHARE = 0.01
MAX_BAD_ROWS_OF_A_SMALL_FILE = 5
_BLOCKS_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class FlatFileBars:
    """Contents of one file: `bars` has `BAR_SCHEMA`, sorted by (ticker, window_start), every key once.

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

    Single bad rows are set aside and reported (one finding per rule, with count, first row and example). Raises
    `FileRefusedError` if the bytes, the header or the whole file are wrong, or if more than 1 % of the rows (and more than
    five) are bad. Peak memory is about 100 bytes a row, plus 100 MB.
    """
    place = ObjectPlace(dataset.name, session, dataset.key(session))
    lines = GzipLines(path, place, limits)
    with closing(read_ahead(lines)) as blocks:
        header, rest = _header(blocks, dataset, place)
        read = [*_in_parallel(rest, partial(_read_block, header, dataset.asset_class, session))]
    rows = sum(block.lines for block in read)
    if rows == 0:
        raise FileRefusedError(
            place.error(
                Rule.NO_ROWS,
                "the file has a header and no rows on a trading session.",
                "Wait for the vendor to publish it again; the sensor takes the new version.",
            )
        )
    aside = SetAside.of(block.aside for block in read)
    bars = pl.concat([block.frame for block in read], rechunk=False)
    order_findings: tuple[Finding, ...] = ()
    if not is_strictly_rising(block.keys for block in read):
        bars, order_findings = sort_by_key(bars, place, aside)
    _refuse_if_mostly_bad(rows, bars.height, aside, place)
    findings = (*header.findings, *order_findings, *aside.findings(place))
    return FlatFileBars(_lake_columns(bars), lines.sha256, rows, aside.rows, findings)


@dataclass(frozen=True, slots=True)
class _Block:
    """Sound rows of a block with their `row` numbers, their keys, the number of lines, and what was set aside."""

    frame: pl.DataFrame
    keys: KeyRange | None
    lines: int
    aside: SetAside


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


def _in_parallel(blocks: Iterator[bytes], read: Callable[[bytes, int], _Block]) -> Iterator[_Block]:
    """Apply `read` to each block and the number of its first row; in order, two at a time.

    Polars parses a block on all cores, but the checks after it run on one.
    """
    with ThreadPoolExecutor(_BLOCKS_AT_ONCE, thread_name_prefix="flat-file-block") as pool:
        under_way: deque[Future[_Block]] = deque()
        first_row = 1
        for block in blocks:
            under_way.append(pool.submit(read, block, first_row))
            first_row += count_line_feeds(block)
            if len(under_way) > _BLOCKS_AT_ONCE:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _read_block(header: Header, asset_class: AssetClass, session: date, block: bytes, first_row: int) -> _Block:
    if header.has_carriage_returns:
        block = block.replace(b"\r\n", b"\n")
    aside = SetAside()
    frame = parse_fast(block, header)
    if frame is None:
        frame = parse_carefully(block, header, first_row, aside)
    else:
        frame = frame.with_row_index("row", first_row)
        if frame.select(is_sound(asset_class, session)).item():
            return _Block(frame, KeyRange.of(frame), frame.height, aside)
    sound = split_broken(_with_all_columns(frame), asset_class, session, aside)
    return _Block(sound[frame.columns], KeyRange.of(sound), count_line_feeds(block), aside)


def _with_all_columns(frame: pl.DataFrame) -> pl.DataFrame:
    absent = [name for name in ("volume", "transactions") if name not in frame.columns]
    if not absent:
        return frame  # with_columns() would copy the blocks of the whole file into one
    return frame.with_columns(pl.lit(None, BAR_SCHEMA[name]).alias(name) for name in absent)


def _lake_columns(frame: pl.DataFrame) -> pl.DataFrame:
    return _with_all_columns(frame)[list(BAR_SCHEMA)]  # select() would copy the blocks of the file into one


def _refuse_if_mostly_bad(rows: int, sound_rows: int, aside: SetAside, place: ObjectPlace) -> None:
    too_many = aside.rows > max(MAX_BAD_ROWS_OF_A_SMALL_FILE, MAX_BAD_SHARE * rows)
    if too_many or sound_rows == 0:
        worst, *others = aside.findings(place)
        raise FileRefusedError(worst, *others)
