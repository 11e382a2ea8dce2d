"""Sorts the rows of one file by key, drops exact copies, and finds conflicting rows. Single rows: `bar_rules`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from hd_pipelines.market.findings import Finding
from hd_pipelines.providers.errors import ObjectPlace
from hd_pipelines.providers.massive.bar_rules import SetAside
from hd_pipelines.tables.vocabulary import Rule

_KEY = ["ticker", "window_start"]


Key = tuple[str, int]
"""Ticker and window_start in nanoseconds."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """First and last key of some rows in file order, and whether every key is above the one before."""

    first: Key
    last: Key
    rises: bool

    @classmethod
    def of(cls, frame: pl.DataFrame) -> KeyRange | None:
        """The range of a frame; None without rows. Compares tickers run by run, times row by row."""
        if frame.is_empty():
            return None
        tickers, times = frame["ticker"], frame["window_start"].to_numpy()
        runs = tickers.rle().struct.unnest()
        rises = times[1:] > times[:-1]
        rises[runs["len"].cum_sum().to_numpy()[:-1] - 1] = True  # a run's first row may be earlier than the last run's
        ascending = runs.select((pl.col("value") > pl.col("value").shift()).all()).item()
        return cls((tickers[0], int(times[0])), (tickers[-1], int(times[-1])), bool(ascending and rises.all()))


def is_strictly_rising(ranges: Iterable[KeyRange | None]) -> bool:
    """Whether consecutive blocks of rows are in strict order of their keys, from the first row to the last."""
    present = [part for part in ranges if part is not None]
    return all(part.rises for part in present) and all(a.last < b.first for a, b in pairwise(present))


def sort_by_key(frame: pl.DataFrame, place: ObjectPlace, aside: SetAside) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Sort `frame` by (ticker, window_start), keep every key once, and report what had to be changed.

    `frame` has `row`, the 1-based number in the file. Of exact copies the first is kept; rows that share a key but differ
    are all counted in `aside`.
    """
    reported = []
    before = pl.col("ticker").shift(), pl.col("window_start").shift()
    behind = frame.filter(
        (pl.col("ticker") < before[0]) | ((pl.col("ticker") == before[0]) & (pl.col("window_start") < before[1]))
    )
    if behind.height:
        reported.append(
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
            reported.append(
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
    return frame, tuple(reported)


def _has_repeated_keys(ordered: pl.DataFrame) -> bool:
    same = (pl.col("ticker") == pl.col("ticker").shift()) & (pl.col("window_start") == pl.col("window_start").shift())
    return bool(ordered.select(same.any()).item())
