"""The full-size session has the size and shape of a real one."""

import zlib
from datetime import date

import polars as pl
import pytest

from hd_pipelines.providers.massive.flat_files.layout import OPTION_DAY, OPTION_MINUTE, STOCK_DAY, STOCK_MINUTE
from hd_pipelines.sandbox.bucket import Bucket
from hd_pipelines.sandbox.market.full_market import generate_full_market

SESSION = date(2026, 5, 22)


@pytest.mark.slow
def test_rows_tickers_order_and_sizes_are_those_of_a_vendor_day(tmp_path):
    generate_full_market(tmp_path, SESSION, seed=7)
    bucket = Bucket(tmp_path)
    expected = {  # vendor day of May 2026: rows, megabytes of gzip
        STOCK_DAY: (12_093, 0.3),
        STOCK_MINUTE: (1_826_498, 27.0),
        OPTION_DAY: (364_438, 3.9),
        OPTION_MINUTE: (3_000_000, 26.0),
    }
    tickers = {}
    for dataset, (rows, megabytes) in expected.items():
        body = bucket.get(dataset.key(SESSION))
        keys = pl.read_csv(zlib.decompress(body, 31), columns=["ticker", "window_start"])
        assert len(keys) == pytest.approx(rows, rel=0.05)
        assert len(body) / 1e6 == pytest.approx(megabytes, rel=0.15)
        assert keys["ticker"].is_sorted()
        assert keys.is_unique().all()
        tickers[dataset] = set(keys["ticker"].unique())
    assert len(tickers[STOCK_MINUTE]) == pytest.approx(12_000, rel=0.05)
    assert tickers[OPTION_DAY] == tickers[OPTION_MINUTE]
    assert "NA" in tickers[STOCK_DAY]
    assert generate_full_market(tmp_path, SESSION, seed=7).objects_skipped == 4
