"""Fetches yields of US Treasuries as the curve that discounts options, from the vendor's REST service or an archive.

Both give constant maturity yields of the Treasury in percent on a bond-equivalent basis (compounded twice a year). The
curve holds `rate = 2 ln(1 + yield / 200)`, continuously compounded per year: the conversion of Cboe's "Volatility Index
Methodology" (2022), which interpolates the same curve.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from hd_pipelines.providers.errors import ApiResponseError, FileRefusedError, ObjectPlace
from hd_pipelines.providers.massive.rest.client import VendorApi
from hd_pipelines.tables.vocabulary import Rule

DATASET = "treasury_yields"
PATH = "/fed/v1/treasury-yields"
PAGE_SIZE = 50_000
ARCHIVE_FILE = "treasury_yields.parquet"
MOST_PERCENT = 30.0
"""No yield since 1953 was above 18 %; a larger number must be in another unit."""

MATURITIES: Mapping[str, float] = {
    "1_month": 1 / 12,
    "3_month": 0.25,
    "6_month": 0.5,
    "1_year": 1.0,
    "2_year": 2.0,
    "3_year": 3.0,
    "5_year": 5.0,
    "7_year": 7.0,
    "10_year": 10.0,
    "20_year": 20.0,
    "30_year": 30.0,
}
"""Years by the vendor's name of a maturity."""
_FRED: Mapping[str, float] = {
    f"DGS{name.replace('_month', 'MO').replace('_year', '')}": years for name, years in MATURITIES.items()
}


@dataclass(frozen=True, slots=True)
class FetchedYields:
    """Points of the curve as `date`, `years`, `rate`, ordered; `sha256` of the bytes they were read from."""

    curve: pl.DataFrame
    sha256: str


def fetch_yields(api: VendorApi, first: date, last: date) -> FetchedYields:
    """Fetch the curve of `first` to `last` (both included). Days and maturities that the vendor lacks are absent.

    Raises `ApiError`s.
    """
    place = ObjectPlace(DATASET, last, PATH)
    params: dict[str, str | int] = {
        "date.gte": str(first),
        "date.lte": str(last),
        "sort": "date.asc",
        "limit": PAGE_SIZE,
    }
    digest, rows = hashlib.sha256(), []
    for page in api.fetch_pages(PATH, params, place):
        digest.update(page.body)
        rows += [_to_row(result, place) for result in page.results]
    wide = pl.DataFrame(rows, schema={"date": pl.String, **dict.fromkeys(MATURITIES, pl.Float64)})
    days = wide.with_columns(pl.col("date").str.to_date("%Y-%m-%d", strict=False))
    if days["date"].null_count():
        raise ApiResponseError(place.error(Rule.RESPONSE_MALFORMED, "a date is none.", "Tell the vendor."))
    return FetchedYields(_build_curve(days, MATURITIES, place), digest.hexdigest())


def read_archived_yields(archive: Path) -> FetchedYields | None:
    """Read the curve of an archive's `treasury_yields.parquet` (date, DGS1MO to DGS30, percent); None without that file.

    Raises `FileRefusedError` for a file that cannot be read or lacks these columns.
    """
    file = archive / ARCHIVE_FILE
    if not file.is_file():
        return None
    place = ObjectPlace(DATASET, None, ARCHIVE_FILE)
    body = file.read_bytes()
    try:
        rows = pl.read_parquet(io.BytesIO(body))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise FileRefusedError(
            place.error(Rule.VALUE_UNREADABLE, f"it is no readable Parquet file ({error}).", "Fetch it again.")
        ) from error
    given = {name: years for name, years in _FRED.items() if name in rows.columns}
    if rows.schema.get("date") != pl.Date or not given:
        raise FileRefusedError(
            place.error(
                Rule.COLUMN_MISSING,
                f"it has no column date or none of {', '.join(_FRED)}; it has {rows.columns}.",
                "Write dates and constant maturity yields in percent under FRED's names.",
            )
        )
    return FetchedYields(_build_curve(rows, given, place), hashlib.sha256(body).hexdigest())


def _to_row(result: Any, place: ObjectPlace) -> dict[str, Any]:  # noqa: ANN401  (as JSON gave it)
    fields = result if isinstance(result, dict) else {}
    yields = {name: fields.get(f"yield_{name}") for name in MATURITIES}
    is_number = all(
        value is None or (isinstance(value, int | float) and value is not True) for value in yields.values()
    )
    if not isinstance(fields.get("date"), str) or not is_number or all(value is None for value in yields.values()):
        raise ApiResponseError(
            place.error(
                Rule.RESPONSE_MALFORMED,
                f"a row lacks a date or any yield_* number; it has {', '.join(sorted(map(str, fields))) or 'no fields'}.",
                "Compare with the vendor's documentation. Nothing was taken.",
            )
        )
    return {"date": fields["date"], **{name: None if value is None else float(value) for name, value in yields.items()}}


def _build_curve(wide: pl.DataFrame, columns: Mapping[str, float], place: ObjectPlace) -> pl.DataFrame:
    """One row per day and maturity, ordered. Raises `FileRefusedError` for repeated days or numbers in another unit."""
    names: Sequence[str] = list(columns)
    long = (
        wide.unpivot(on=names, index="date", variable_name="name", value_name="percent")
        .drop_nulls("percent")
        .with_columns(
            pl.col("percent").cast(pl.Float64),
            pl.col("name").replace_strict(columns, return_dtype=pl.Float64).alias("years"),
        )
    )
    if not long["percent"].is_between(-MOST_PERCENT, MOST_PERCENT).all():
        raise FileRefusedError(
            place.error(Rule.VALUE_UNREADABLE, f"a yield is beyond ±{MOST_PERCENT:g} percent.", "Look at its unit.")
        )
    if long.select("date", "years").is_duplicated().any():
        raise FileRefusedError(place.error(Rule.KEY_CONFLICTING, "a day is told twice.", "Keep one row per day."))
    rate = 2 * (pl.col("percent") / 200).log1p()
    return long.select("date", "years", rate.alias("rate")).sort("date", "years")
