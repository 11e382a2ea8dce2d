"""Stores Treasury yields in the lake: the whole history of the curve in one file, replaced as a whole.

`providers.massive.rest.treasury_yields` fetches yields and defines their meaning.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from datetime import date

import polars as pl

from hd_pipelines.lake.stores import Store

DATASET = "treasury_yields"
YIELDS: Mapping[str, pl.DataType] = {"date": pl.Date(), "years": pl.Float64(), "rate": pl.Float64()}
"""One point of the curve known on `date`: `years` to maturity, `rate` continuously compounded per year. Key: both."""
_PATH = f"{DATASET}/curve.parquet"


class TreasuryYields:
    """The curve's history below one root. Available as `lake.treasury_yields`."""

    def __init__(self, store: Store, storage_options: dict[str, str] | None) -> None:
        self._store, self._storage_options = store, storage_options

    def read(self) -> pl.DataFrame:
        """Read all points as `YIELDS`, ordered by date and years; empty if none were ever published."""
        if _PATH not in self._store.list_versions(DATASET):
            return pl.DataFrame(schema=YIELDS)
        return pl.read_parquet(self._store.url(_PATH), storage_options=self._storage_options)

    def merge(self, yields: pl.DataFrame) -> tuple[date, date] | None:
        """Replace the dates of `yields` in the published history, in one step. Returns first and last date, None if empty.

        Raises `ValueError` for other columns, a repeated point or a rate that is not a number.
        """
        if dict(yields.schema) != dict(YIELDS):
            raise ValueError(f"yields need columns {list(YIELDS)}, not {dict(yields.schema)}")
        if yields.select("date", "years").is_duplicated().any() or not yields["rate"].is_finite().all():
            raise ValueError("a point of the curve is given twice, or its rate is no number")
        kept = self.read().join(yields, on="date", how="anti")
        whole = pl.concat([kept, yields]).sort("date", "years")
        if whole.is_empty():
            return None
        if not yields.is_empty():
            written = self._store.scratch() / f"{DATASET}-{os.getpid()}-{uuid.uuid4().hex}.parquet"
            try:
                whole.write_parquet(written, compression="zstd")
                self._store.publish(written, _PATH)
            finally:
                written.unlink(missing_ok=True)
        return whole["date"][0], whole["date"][-1]
