"""The main job end to end in this process: files over HTTP, lake, bars, marts; a second run has nothing to do."""

import base64
import os
import re
import xml.etree.ElementTree as ET

import pytest
from sqlalchemy import func, update

from hd_pipelines.assets import pictures
from hd_pipelines.assets.option_pictures import prepare_volatility_histories
from hd_pipelines.cli.installation import open_installation
from hd_pipelines.cli.runs import run_main_job
from hd_pipelines.cli.sandbox import fill, serve_sandbox
from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.providers.massive.flat_files.layout import DATASETS
from hd_pipelines.resources.instance import open_instance
from hd_pipelines.settings import load_settings
from hd_pipelines.warehouse.read.reader import read_only_query
from hd_pipelines.warehouse.records.findings import read_open_findings
from hd_pipelines.warehouse.schema.tables import derivation_manifest
from tests.support.installation import SESSIONS, bars_of, rows

pytestmark = pytest.mark.slow
WINDOW = list_last_sessions(SESSIONS[-1], 3)
DBT_TESTS = 57
"""Asset checks of the dbt models; our own assets have eight more."""
SVG = re.compile(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)")


def refuse_to_draw(picture):
    raise AssertionError(f"{picture.title} is drawn again although nothing has changed")


class Ran:
    """An installation after two runs of the main job over the same three sessions, with each run's metadata."""

    def __init__(self, home, url):
        self.url, self.metadata, self.bars, self.outcomes = url, [], [], []
        settings = load_settings()
        self.installation = open_installation(settings)
        fill(settings, None, WINDOW, lambda *_: None)
        with serve_sandbox(settings, None):
            for run in range(2):
                self.progress = []
                with pytest.MonkeyPatch.context() as patch:
                    if run:
                        patch.setattr(pictures, "to_markdown", refuse_to_draw)
                    outcome = run_main_job(
                        self.installation, WINDOW, on_progress=lambda *step: self.progress.append(step)
                    )
                self.outcomes.append(outcome)
                self.bars.append(bars_of(url))
                with open_instance(settings) as instance:
                    records = instance.all_logs(outcome.run_id)
                self.metadata.append(
                    {
                        entry.dagster_event.asset_key.to_user_string(): entry.dagster_event.materialization.metadata
                        for entry in records
                        if entry.is_dagster_event and entry.dagster_event.is_step_materialization
                    }
                )


@pytest.fixture(scope="module")
def ran(module_database_url, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    before = dict(os.environ)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HD_HOME", str(home))
        patch.setenv("HD_DATABASE_URL", module_database_url)
        finished = Ran(home, module_database_url)
        yield finished
        finished.installation.database.close()
    for name in os.environ.keys() - before.keys():
        del os.environ[name]


def test_both_runs_succeed_and_report_their_progress(ran):
    assert [outcome.succeeded for outcome in ran.outcomes] == [True, True]
    assert [outcome.failed_steps for outcome in ran.outcomes] == [(), ()]
    total = ran.outcomes[0].steps
    assert ran.progress == [(done, total) for done in range(1, total + 1)]


def test_the_first_run_downloads_ingests_and_publishes_everything(ran):
    first = ran.metadata[0]
    for dataset in DATASETS:
        assert first[f"flat_files/{dataset.name}"]["downloaded"].value == 3
        assert first[f"lake/{dataset.name}"]["ingested"].value == 3
    bars = first["historical_bars"]
    assert bars["published_symbol_sessions"].value == bars["symbols"].value * 3
    counted = rows(ran.url, "select count(*) from historical_bars")[0][0]
    assert bars["dagster/row_count"].value == bars["published_rows"].value == counted > 0


def test_the_second_run_downloads_nothing_and_loads_nothing(ran):
    second = ran.metadata[1]
    for dataset in DATASETS:
        assert second[f"flat_files/{dataset.name}"]["downloaded"].value == 0
        assert second[f"flat_files/{dataset.name}"]["already_known"].value == 3
        assert second[f"lake/{dataset.name}"]["ingested"].value == 0
    assert second["historical_bars"]["published_rows"].value == 0
    assert ran.bars[0] == ran.bars[1]


def test_chains_become_greeks_percentiles_gamma_and_a_regime(ran):
    first = ran.metadata[0]
    symbols = first["historical_bars"]["symbols"].value
    assert first["option_chains"]["archive_loaded"].value == symbols * 3
    for key in ("historical_greeks", "iv_percentile_cache", "gamma_exposure_snapshots"):
        assert first[key]["published_symbol_sessions"].value == symbols * 3
        assert first[key]["withheld_symbol_sessions"].value == 0
        assert ran.metadata[1][key]["rows_written"].value == 0
    assert first["market_regime_history"]["rows_written"].value == 3
    assert first["treasury_yields"]["days_with_a_curve"].value == 3
    valued = rows(ran.url, "select count(*), count(implied_volatility) from historical_greeks")[0]
    assert valued[0] == first["option_chains"]["dagster/row_count"].value
    assert valued[1] > valued[0] / 2
    radar = rows(ran.url, "select count(*), count(iv30), count(gex_usd_per_1pct) from marts.rpt_radar")[0]
    assert radar == (symbols, symbols, symbols)


def test_a_clean_market_has_no_findings_but_its_adjusted_contracts(ran):
    with ran.installation.database.connect() as connection:
        assert {(finding.rule, finding.subject) for finding in read_open_findings(connection)} == {
            ("contract_adjusted", "AMD")
        }


PICTURED = pytest.mark.parametrize(
    "key",
    [
        "historical_bars",
        "lake/stock_minute_aggs",
        "flat_files/option_day_aggs",
        "historical_greeks",
        "iv_percentile_cache",
        "gamma_exposure_snapshots",
        "market_regime_history",
    ],
)


@PICTURED
def test_pictures_are_well_formed(ran, key):
    pictures = [SVG.search(str(value.value)) for value in ran.metadata[0][key].values()]
    drawn = [base64.b64decode(found[1]) for found in pictures if found]
    assert drawn
    for picture in drawn:
        assert ET.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
    assert b"<path" in drawn[0]


@PICTURED
def test_the_second_run_takes_the_pictures_over(ran, key):
    first, second = (
        {name: value for name, value in metadata[key].items() if SVG.search(str(value.value))}
        for metadata in ran.metadata
    )
    assert first == second
    assert first


def test_rows_that_are_published_again_are_drawn_again(ran):
    """Ranks of later sessions change with an earlier one, under the fingerprints that they had."""
    database, symbols = ran.installation.database, ran.installation.settings.watchlist
    before = prepare_volatility_histories(database, symbols, WINDOW)
    assert prepare_volatility_histories(database, symbols, WINDOW).inputs == before.inputs
    with database.begin() as connection:
        connection.execute(
            update(derivation_manifest)
            .where(
                derivation_manifest.c.table_name == "iv_percentile_cache", derivation_manifest.c.session == WINDOW[0]
            )
            .values(loaded_at=func.now())
        )
    assert prepare_volatility_histories(database, symbols, WINDOW).inputs != before.inputs


def test_marts_are_built_and_the_reader_may_read_them(ran):
    assert {"stg_bars", "fct_daily_returns"} <= {key.rsplit("/", 1)[-1] for key in ran.metadata[0]}
    columns, answer = read_only_query(
        ran.url, "select symbol, session, return_simple from fct_daily_returns order by symbol, session"
    )
    found = list(answer)
    assert columns == ["symbol", "session", "return_simple"]
    symbols = rows(ran.url, "select count(distinct symbol) from historical_bars")[0][0]
    assert len(found) == 3 * symbols
    assert {row[2] is None for row in found if row[1] == WINDOW[0]} == {True}
    assert {row[2] is None for row in found if row[1] == WINDOW[1]} == {False}


def evaluations_of(outcome):
    with open_instance(load_settings()) as instance:
        return [
            entry.dagster_event.asset_check_evaluation_data
            for entry in instance.all_logs(outcome.run_id)
            if entry.is_dagster_event and entry.dagster_event.event_type_value == "ASSET_CHECK_EVALUATION"
        ]


@pytest.mark.parametrize("run", [0, 1], ids=["first", "second"])
def test_every_planned_check_has_a_result_and_passes(ran, run):
    evaluations = evaluations_of(ran.outcomes[run])
    names = {evaluation.check_name for evaluation in evaluations}
    assert {"bars_are_sound", "sessions_are_complete"} <= names
    assert [evaluation.check_name for evaluation in evaluations if not evaluation.passed] == []
    assert len(evaluations) == 8 + DBT_TESTS


def test_dbt_tests_that_were_not_repeated_are_marked(ran):
    reported = [evaluation.metadata for evaluation in evaluations_of(ran.outcomes[1])]
    assert (
        sum("not_run_again" in metadata for metadata in reported) == 1 + DBT_TESTS
    )  # and the check of chains, since none was new
