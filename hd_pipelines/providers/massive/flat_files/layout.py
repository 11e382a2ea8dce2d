"""Defines the layout of the vendor's bucket: datasets, object keys and column names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from hd_pipelines.market.dates import parse_iso_date

BUCKET = "flatfiles"


class AssetClass(StrEnum):
    """Asset class of a dataset. It determines columns, ticker grammar and the zone of day timestamps."""

    STOCK = "stock"
    OPTION = "option"
    INDEX = "index"


class Interval(StrEnum):
    """Length of an aggregate."""

    DAY = "day"
    MINUTE = "minute"


STOCK_COLUMNS = ("ticker", "volume", "open", "close", "high", "low", "window_start", "transactions")
INDEX_COLUMNS = ("ticker", "open", "close", "high", "low", "window_start")
_PREFIX = {AssetClass.STOCK: "us_stocks_sip", AssetClass.OPTION: "us_options_opra", AssetClass.INDEX: "us_indices"}


@dataclass(frozen=True, slots=True)
class FlatFileDataset:
    """One dataset of the bucket: one gzip CSV object per session with every ticker in it."""

    asset_class: AssetClass
    interval: Interval

    @property
    def name(self) -> str:
        """This platform's name, used for lake folders, asset keys and the manifest: `stock_minute_aggs`."""
        return f"{self.asset_class}_{self.interval}_aggs"

    @property
    def prefix(self) -> str:
        """The vendor's folder: `us_stocks_sip/minute_aggs_v1`."""
        return f"{_PREFIX[self.asset_class]}/{self.interval}_aggs_v1"

    @property
    def columns(self) -> tuple[str, ...]:
        """Header of the file in the vendor's order. Index files have neither volume nor transactions."""
        return INDEX_COLUMNS if self.asset_class is AssetClass.INDEX else STOCK_COLUMNS

    def key(self, session: date) -> str:
        """Object key of `session`."""
        return f"{self.prefix}/{session:%Y/%m/%Y-%m-%d}.csv.gz"

    def __str__(self) -> str:
        return self.name


STOCK_DAY = FlatFileDataset(AssetClass.STOCK, Interval.DAY)
STOCK_MINUTE = FlatFileDataset(AssetClass.STOCK, Interval.MINUTE)
OPTION_DAY = FlatFileDataset(AssetClass.OPTION, Interval.DAY)
OPTION_MINUTE = FlatFileDataset(AssetClass.OPTION, Interval.MINUTE)
INDEX_DAY = FlatFileDataset(AssetClass.INDEX, Interval.DAY)
INDEX_MINUTE = FlatFileDataset(AssetClass.INDEX, Interval.MINUTE)
DATASETS = (STOCK_DAY, STOCK_MINUTE, OPTION_DAY, OPTION_MINUTE, INDEX_DAY, INDEX_MINUTE)
DATASET_BY_NAME = {dataset.name: dataset for dataset in DATASETS}
_DATASET_BY_PREFIX = {dataset.prefix: dataset for dataset in DATASETS}
_KEY = re.compile(r"^(?P<prefix>[a-z_]+/[a-z_0-9]+)/(\d{4})/(\d{2})/(?P<day>\d{4}-\d{2}-\d{2})\.csv\.gz$")


def parse_key(key: str) -> tuple[FlatFileDataset, date] | None:
    """Parse an object key into dataset and session; None for another kind of key (other products, stray objects).

    A row's session is always the key's: the timestamps inside are UTC and differ by product.
    """
    match = _KEY.match(key)
    if match is None or match["prefix"] not in _DATASET_BY_PREFIX:
        return None
    dataset, session = _DATASET_BY_PREFIX[match["prefix"]], parse_iso_date(match["day"])
    return (dataset, session) if session is not None and dataset.key(session) == key else None
