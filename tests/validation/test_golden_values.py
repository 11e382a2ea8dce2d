"""Prices and Greeks of books, papers and a broker; and that printed American values are approximations."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from hd_pipelines.pricing import american
from validation.golden_values import compare_golden_values

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "reference_values"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the reference values are not at {FOLDER}")


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return compare_golden_values(FOLDER)


def test_every_source_is_within_its_limit(table: pl.DataFrame):
    compared = table.drop_nulls("limit")
    assert compared["is_within"].all()
    assert compared["rows"].sum() > 2_300


def test_only_two_thetas_of_the_broker_are_not_compared(table: pl.DataFrame):
    left = table.filter(pl.col("limit").is_null())
    assert left["rows"].to_list() == [2]
    assert left["largest_error"].item() > 0.2


def test_a_missing_reference_file_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="option_prices_haug_ju"):
        compare_golden_values(tmp_path)


def test_an_exact_engine_differs_from_jus_printed_values_as_we_do():
    """Exhibit 6, calls of three years: the printed value is 0.074 off, and the exact engine agrees with ours."""
    ql = pytest.importorskip("QuantLib")
    rows = pl.read_csv(FOLDER / "option_prices_haug_ju.csv.gz").filter(pl.col("origin") == "Ju 1999 Exhibit 6")
    today, count = ql.Date(1, 1, 2024), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today

    def flat(rate: float):
        return ql.YieldTermStructureHandle(ql.FlatForward(today, rate, count))

    def exact(row: dict[str, float]) -> float:
        volatility = ql.BlackConstantVol(today, ql.NullCalendar(), row["vol"], count)
        process = ql.BlackScholesMertonProcess(
            ql.QuoteHandle(ql.SimpleQuote(row["spot"])),
            flat(row["q"]),
            flat(row["r"]),
            ql.BlackVolTermStructureHandle(volatility),
        )
        right = ql.Option.Call if row["right"] == "call" else ql.Option.Put
        exercise = ql.AmericanExercise(today, today + round(row["t"] * 365))
        option = ql.VanillaOption(ql.PlainVanillaPayoff(right, row["strike"]), exercise)
        option.setPricingEngine(ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.highPrecisionScheme()))
        return option.NPV()

    oracle = pl.Series([exact(row) for row in rows.iter_rows(named=True)])
    numbers = (rows[name].to_numpy() for name in ("spot", "strike", "t", "r", "q", "vol"))
    ours = pl.Series(american.price(*numbers, (rows["right"] == "call").to_numpy()))
    assert (ours - oracle).abs().max() < 5e-4
    assert (rows["value"] - oracle).abs().max() > 0.07
