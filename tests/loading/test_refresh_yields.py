"""The Treasury curve from service and archive: published once, changed days again, refusals reported, the curve kept."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import polars as pl
import pytest

from hd_pipelines.lake.yields import TreasuryYields
from hd_pipelines.loading.derived.yields import refresh_yields
from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.providers.errors import ApiNotEntitledError, ApiUnavailableError, ObjectPlace
from hd_pipelines.providers.massive.rest.treasury_yields import ARCHIVE_FILE, DATASET
from hd_pipelines.tables.vocabulary import Rule
from tests.support.installation import rows

WINDOW = list_last_sessions(date(2026, 5, 22), 3)
PLACE = ObjectPlace(DATASET, WINDOW[-1], "/fed/v1/treasury-yields")


def archive_with(folder, percent: dict[date, float]):
    folder.mkdir(exist_ok=True)
    pl.DataFrame(
        {"date": list(percent), "DGS1MO": list(percent.values()), "DGS1": list(percent.values())}
    ).write_parquet(folder / ARCHIVE_FILE)
    return folder


class Refusing:
    def __init__(self, error):
        self.error = error

    def fetch_pages(self, *_):
        raise self.error


def test_only_changed_days_are_written_again(installation, tmp_path):
    archive = archive_with(tmp_path / "archive", dict.fromkeys(WINDOW, 4.0))
    first = refresh_yields(installation.database, installation.lake, None, archive, sessions=WINDOW)
    assert (first.points, first.written, first.days) == (6, 6, 3)
    again = refresh_yields(installation.database, installation.lake, None, archive, sessions=WINDOW)
    assert (again.points, again.written, again.days) == (6, 0, 3)
    archive_with(tmp_path / "archive", {**dict.fromkeys(WINDOW, 4.0), WINDOW[1]: 4.5})
    assert refresh_yields(installation.database, installation.lake, None, archive, sessions=WINDOW).written == 2
    stored = rows(installation.url, "select date, rate from treasury_yields where years = 1 order by 1")
    assert [day for day, _ in stored] == WINDOW
    assert stored[1][1] == pytest.approx(0.0445, abs=2e-4)


def test_the_two_weeks_before_the_window_reach_the_lake(installation, tmp_path):
    before = WINDOW[0] - timedelta(days=7)
    archive = archive_with(tmp_path / "archive", {before: 4.0})
    report = refresh_yields(installation.database, installation.lake, None, archive, sessions=WINDOW)
    assert (report.points, report.days) == (0, 0)
    assert installation.lake.treasury_yields.read()["date"].unique().to_list() == [before]


def test_a_plan_without_yields_is_a_finding_and_the_archive_serves_on(installation, tmp_path):
    archive = archive_with(tmp_path / "archive", dict.fromkeys(WINDOW, 4.0))
    error = ApiNotEntitledError(PLACE.error(Rule.OBJECT_NOT_ENTITLED, "Not in the plan.", "Ask for it."))
    report = refresh_yields(installation.database, installation.lake, Refusing(error), archive, sessions=WINDOW)
    assert report.days == 3
    assert [finding.rule for finding in report.findings] == [Rule.OBJECT_NOT_ENTITLED]
    assert [finding.dataset for finding in installation.findings()] == [DATASET]
    assert refresh_yields(installation.database, installation.lake, None, archive, sessions=WINDOW).findings == ()
    assert installation.findings() == []


def test_a_service_that_is_away_is_worth_another_attempt(installation):
    error = ApiUnavailableError(PLACE.error(Rule.OBJECT_UNAVAILABLE, "Away.", "Wait."))
    with pytest.raises(ApiUnavailableError):
        refresh_yields(installation.database, installation.lake, Refusing(error), None, sessions=WINDOW)
    assert installation.lake.treasury_yields.read().is_empty()


def test_two_loads_at_once_keep_the_days_of_both(installation, tmp_path, monkeypatch):
    read = TreasuryYields.read

    def read_slowly(self):
        found = read(self)
        time.sleep(0.2)
        return found

    monkeypatch.setattr(TreasuryYields, "read", read_slowly)
    archives = [archive_with(tmp_path / str(day), {day: 4.0}) for day in WINDOW]
    with ThreadPoolExecutor(3) as loads:
        list(
            loads.map(
                lambda archive: refresh_yields(
                    installation.database, installation.lake, None, archive, sessions=WINDOW
                ),
                archives,
            )
        )
    assert read(installation.lake.treasury_yields)["date"].unique().to_list() == WINDOW
