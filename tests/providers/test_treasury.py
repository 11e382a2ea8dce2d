"""The curve that discounts options: from the service, from an archive, and its unit."""

import math
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from hd_pipelines.providers.errors import ApiResponseError, FileRefusedError
from hd_pipelines.providers.massive.rest import treasury_yields as treasury
from hd_pipelines.providers.massive.rest.treasury_yields import fetch_yields, read_archived_yields
from hd_pipelines.sandbox.faults import Rewrite, make_rest_fault
from hd_pipelines.tables.vocabulary import Rule
from tests.support.rest import FixedMarket

RECORDING = Path(__file__).parents[2].parent / "shared" / "recordings" / "spx-2019q2"
RATES = [
    {"date": "2026-05-20", "yield_1_month": 4.31, "yield_1_year": 4.0, "yield_10_year": 4.4},
    {"date": "2026-05-21", "yield_1_month": 4.30, "yield_10_year": 4.45},
    {"date": "2026-05-22", "yield_1_month": -0.05, "yield_10_year": 4.5},
]
FIRST, LAST = date(2026, 5, 20), date(2026, 5, 22)


@pytest.fixture
def server(chains_of):
    return chains_of(FixedMarket({}, RATES))


def test_yields_become_continuously_compounded_rates(server, api_of):
    curve = fetch_yields(api_of(server), FIRST, LAST).curve
    assert dict(curve.schema) == {"date": pl.Date, "years": pl.Float64, "rate": pl.Float64}
    assert curve.height == 7
    one_year = curve.filter(date=FIRST, years=1.0)["rate"].item()
    # 4 % paid twice a year is e^(2 ln 1.02) after a year.
    assert one_year == pytest.approx(2 * math.log(1.02), abs=1e-15)
    assert math.exp(one_year) == pytest.approx(1.02**2)


def test_a_maturity_that_the_service_omits_is_absent_and_a_negative_yield_is_kept(server, api_of):
    curve = fetch_yields(api_of(server), FIRST, LAST).curve
    assert curve.filter(date=date(2026, 5, 21))["years"].to_list() == [1 / 12, 10.0]
    assert curve.filter(date=LAST, years=1 / 12)["rate"].item() < 0


def test_pages_and_window(server, api_of, monkeypatch):
    whole = fetch_yields(api_of(server), FIRST, LAST).curve
    monkeypatch.setattr(treasury, "PAGE_SIZE", 1)
    assert fetch_yields(api_of(server), FIRST, LAST).curve.equals(whole)
    assert server.rest.requests_served == 4
    assert set(fetch_yields(api_of(server), LAST, LAST).curve["date"]) == {LAST}


@pytest.mark.parametrize(
    "edit",
    [
        lambda row: row.pop("date"),
        lambda row: row.update(date="22 May 2026"),
        lambda row: row.update(yield_10_year="4.5"),
        lambda row: (row.pop("yield_1_month"), row.pop("yield_10_year"), row.update(yield_10_years=4.5)),
    ],
)
def test_a_row_in_another_form_stops_the_curve(server, api_of, edit):
    server.faults.add(make_rest_fault(Rewrite(lambda answer: edit(answer["results"][-1]))))
    with pytest.raises(ApiResponseError):
        fetch_yields(api_of(server), FIRST, LAST)


def test_yields_in_another_unit_are_refused(server, api_of):
    def in_basis_points(answer):
        answer["results"] = [
            {name: value if name == "date" else value * 100 for name, value in row.items()} for row in answer["results"]
        ]

    server.faults.add(make_rest_fault(Rewrite(in_basis_points)))
    with pytest.raises(FileRefusedError, match="Look at its unit"):
        fetch_yields(api_of(server), FIRST, LAST)


def test_a_day_given_twice_is_refused(server, api_of):
    server.faults.add(make_rest_fault(Rewrite(lambda answer: answer["results"].append(answer["results"][0]))))
    with pytest.raises(FileRefusedError, match="told twice"):
        fetch_yields(api_of(server), FIRST, LAST)


def test_an_archive_without_the_file_has_no_curve_and_one_of_other_columns_is_refused(tmp_path):
    assert read_archived_yields(tmp_path) is None
    pl.DataFrame({"day": [FIRST], "DGS1": [4.0]}).write_parquet(tmp_path / "treasury_yields.parquet")
    with pytest.raises(FileRefusedError) as caught:
        read_archived_yields(tmp_path)
    assert caught.value.finding.rule is Rule.COLUMN_MISSING


@pytest.mark.parametrize("keep", [0, 40])
def test_a_half_written_archive_file_is_refused(tmp_path, keep):
    path = tmp_path / "treasury_yields.parquet"
    pl.DataFrame({"date": [FIRST], "DGS1": [4.0]}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FileRefusedError) as caught:
        read_archived_yields(tmp_path)
    assert caught.value.finding.rule is Rule.VALUE_UNREADABLE


@pytest.mark.skipif(not RECORDING.is_dir(), reason=f"the market recordings are not at {RECORDING}")
def test_the_recorded_curve_of_2019():
    found = read_archived_yields(RECORDING)
    assert found is not None
    # FRED, DGS1MO of 2019-05-01: 2.42 percent.
    month = found.curve.filter(date=date(2019, 5, 1), years=1 / 12)["rate"].item()
    assert month == pytest.approx(2 * math.log1p(0.0242 / 2), abs=1e-12)
