"""The sandbox writes bytes that look like the vendor's."""

import gzip
import io
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from hd_pipelines.providers.massive.flat_files.layout import (
    DATASETS,
    INDEX_DAY,
    OPTION_DAY,
    OPTION_MINUTE,
    STOCK_DAY,
    STOCK_MINUTE,
    parse_key,
)
from hd_pipelines.sandbox.market.sessions import build_synthetic_session
from hd_pipelines.sandbox.vendor_csv import LIKE_THE_VENDOR, compress, to_csv_bytes

NUMBERS = {"volume": pl.Float64, "open": pl.Float64, "close": pl.Float64, "high": pl.Float64, "low": pl.Float64}
STOCK_ROW = {"ticker": ["NA"], "volume": [12.0], "open": [1.5], "close": [2.0], "high": [2.25], "low": [1.0],
             "window_start": [1_779_422_400_000_000_000], "transactions": [3]}  # fmt: skip


def test_real_sample_files_are_reproduced_byte_for_byte(shared_folder: Path):
    root = shared_folder / "data" / "massive_samples" / "flatfiles"
    samples = [(path, parse_key(path.relative_to(root).as_posix())) for path in sorted(root.rglob("*.csv.gz"))]
    compared = 0
    for path, parsed in samples:
        if parsed is None:
            continue
        dataset, session = parsed
        text = gzip.decompress(path.read_bytes())
        frame = pl.read_csv(io.BytesIO(text), schema_overrides=NUMBERS)
        assert to_csv_bytes(frame, dataset, session).decode() == text.decode(), path.name
        compared += 1
    assert compared >= 12


@pytest.mark.parametrize("session", [date(2026, 5, 22), date(2025, 5, 14)])
def test_synthetic_files_have_the_vendors_header_and_number_shapes(session):
    data = build_synthetic_session(7, session)
    lines = {dataset: to_csv_bytes(data[dataset], dataset, session).decode().splitlines() for dataset in DATASETS}
    assert {lines[dataset][0] for dataset in (STOCK_DAY, STOCK_MINUTE, OPTION_DAY, OPTION_MINUTE)} == {
        "ticker,volume,open,close,high,low,window_start,transactions"
    }
    assert lines[INDEX_DAY][0] == "ticker,open,close,high,low,window_start"
    number = r"\d+\.\d{6}" if session.year == 2026 else r"\d+\.\d{1,4}"
    volume = r"\d+\.\d{6}" if session.year == 2026 else r"\d+"
    shapes = {
        STOCK_MINUTE: rf"^[A-Z][A-Za-z.]*,{volume}(,{number}){{4}},\d{{19}},\d+$",
        OPTION_MINUTE: r"^O:[A-Z0-9]+,\d+(,\d+\.\d{1,2}){4},\d{19},\d+$",
        INDEX_DAY: r"^I:[A-Z0-9]+(,\d+\.\d{1,2}){4},\d{19}$",
    }
    for dataset, shape in shapes.items():
        rows = pl.Series(lines[dataset][1:])
        odd = rows.filter(~rows.str.contains(shape))
        assert odd.is_empty(), odd[:3].to_list()


def test_missing_values_become_empty_fields():
    row = STOCK_ROW | {"volume": [None], "transactions": [None]}
    frame = pl.DataFrame(row, schema_overrides={"volume": pl.Float64, "transactions": pl.Int64})
    assert (
        to_csv_bytes(frame, STOCK_DAY, date(2019, 2, 14)).splitlines()[1]
        == b"NA,,1.5,2.0,2.25,1.0,1779422400000000000,"
    )


def test_a_fraction_before_its_time_is_printed_not_cut():
    frame = pl.DataFrame(STOCK_ROW | {"volume": [12.5]})
    assert to_csv_bytes(frame, STOCK_DAY, date(2019, 2, 14)).splitlines()[1].startswith(b"NA,12.5,")


@pytest.mark.parametrize("level", [1, LIKE_THE_VENDOR])
def test_equal_text_gives_equal_gzip(level):
    assert compress(b"text" * 100, level) == compress(b"text" * 100, level)
    assert gzip.decompress(compress(b"text" * 100, level)) == b"text" * 100
