"""The option marts on a small filled warehouse: built, tested by their own tests, and readable by the reader only."""

import os
import subprocess
from datetime import date

import numpy as np
import polars as pl
import psycopg
import pytest

from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.resources.dbt import DBT_EXECUTABLE, PROJECT, build_address_variables
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.errors import MartMissingError
from hd_pipelines.warehouse.read.radar import read_radar
from hd_pipelines.warehouse.records.watchlist import add_to_watchlist
from hd_pipelines.warehouse.schema import revision as schema
from tests.support.installation import rows
from tests.warehouse.bar_frames import bars, publish
from tests.warehouse.option_frames import gamma_rows, iv_rows, put_greeks, put_rows, regime_rows, valued

FRIDAY, MONDAY = date(2025, 10, 31), date(2025, 11, 3)


@pytest.fixture(scope="module")
def built_url(module_database_url, tmp_path_factory):
    """SPY with everything, QQQ with bars only, IWM with nothing; dbt built and tested."""
    schema.upgrade(module_database_url)
    with Database(module_database_url) as database:
        with database.begin() as connection:
            add_to_watchlist(connection, ["SPY", "QQQ", "IWM"])
        publish(database, bars(["SPY", "QQQ"], [FRIDAY, MONDAY]))
        publish(database, bars(["VOL"], list_last_sessions(FRIDAY, 22), minutes=0))
        put_greeks(database, valued(["SPY"], [FRIDAY, MONDAY]))
        put_rows(database, "iv_percentile_cache", iv_rows(["SPY"], [FRIDAY, MONDAY]))
        gamma = pl.concat([gamma_rows(["SPY"], [FRIDAY], (15, 21)), gamma_rows(["SPY"], [MONDAY], (15,), gex=-2e9)])
        put_rows(database, "gamma_exposure_snapshots", gamma)
        put_rows(database, "market_regime_history", regime_rows([FRIDAY]))
    folder = tmp_path_factory.mktemp("dbt")
    environment = {**os.environ, **build_address_variables(module_database_url), "DBT_LOG_PATH": str(folder / "logs")}
    folders = ["--project-dir", PROJECT, "--profiles-dir", PROJECT, "--target-path", folder / "target"]
    done = subprocess.run(
        [DBT_EXECUTABLE, "build", "--exclude-resource-type", "unit_test", *folders],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return module_database_url


@pytest.mark.slow
def test_the_radar_has_a_row_for_every_symbol_and_knows_how_old_each_part_is(built_url):
    radar = rows(
        built_url,
        "select symbol, close_age_sessions, iv_age_sessions, gamma_age_sessions, regime_age_sessions, iv30,"
        " gex_usd_per_1pct, market_regime from marts.rpt_radar order by symbol",
    )
    assert radar == [
        ("IWM", None, None, None, 1, None, None, "RANGE_BOUND"),
        ("QQQ", 0, None, None, 1, None, None, "RANGE_BOUND"),
        ("SPY", 0, 0, 0, 1, 0.2, -2e9, "RANGE_BOUND"),
    ]


@pytest.mark.slow
def test_the_radar_gives_the_reason_why_a_part_is_missing_or_old(built_url):
    reasons = dict(rows(built_url, "select symbol, reasons from marts.rpt_radar"))
    assert reasons["IWM"] == [
        "close: no day bar",
        "iv30: no observation",
        "gamma: no snapshot",
        "regime: 1 sessions old",
    ]
    assert reasons["SPY"] == ["iv_percentile: too_few_observations", "regime: 1 sessions old"]


@pytest.mark.slow
def test_the_expected_move_is_a_session_of_iv30_around_the_last_close(built_url):
    ((close, iv30, one, five, low, high),) = rows(
        built_url,
        "select close_price::float8, iv30, expected_move_1d_pct, expected_move_5d_pct, expected_low_1d, expected_high_1d"
        " from marts.rpt_radar where symbol = 'SPY'",
    )
    assert (one, five) == pytest.approx((100 * iv30 / 252**0.5, 100 * iv30 * (5 / 252) ** 0.5))
    assert (low, high) == pytest.approx((close * (1 - one / 100), close * (1 + one / 100)))


@pytest.mark.slow
def test_realized_volatility_needs_twenty_known_returns(built_url):
    returned = rows(
        built_url,
        "select close_price::float8, realized_volatility_20d from marts.fct_daily_returns where symbol = 'VOL'"
        " order by session",
    )
    assert [row[1] for row in returned[:20]] == [None] * 20  # the first session has no return
    returns = np.diff(np.log([row[0] for row in returned]))
    assert returned[20][1] == pytest.approx(returns[:20].std(ddof=1) * 252**0.5, rel=1e-12)
    assert returned[21][1] == pytest.approx(returns[1:].std(ddof=1) * 252**0.5, rel=1e-12)


@pytest.mark.slow
def test_the_radar_ages_with_the_calendar_when_nothing_arrives(built_url):
    with Database(built_url) as database, database.connect() as connection:
        fresh = read_radar(connection, last_session=MONDAY)
        old = read_radar(connection, last_session=date(2025, 11, 6))
    assert fresh["symbol"].to_list() == ["IWM", "QQQ", "SPY"]
    assert fresh.filter(symbol="SPY").select("close_price", "gamma_as_of", "market_regime").row(0)[2] == "RANGE_BOUND"
    assert fresh["regime_age_sessions"].to_list() == [1, 1, 1]
    assert old["regime_age_sessions"].to_list() == [4, 4, 4]
    assert old["iv_age_sessions"].to_list() == [None, None, 3]
    assert old["reasons"].to_list()[2][0] == "everything: nothing newer than 2025-11-03, 3 sessions ago"
    assert old.drop("reasons").schema == fresh.drop("reasons").schema


def test_a_radar_before_the_first_build_names_the_remedy(database_url):
    schema.upgrade(database_url)
    with (
        Database(database_url) as database,
        database.connect() as connection,
        pytest.raises(MartMissingError, match="Remedy: build"),
    ):
        read_radar(connection, last_session=MONDAY)


@pytest.mark.slow
def test_the_newest_snapshot_represents_its_session(built_url):
    found = rows(
        built_url,
        "select session, snapshot_kind, gex_change_usd_per_1pct, has_changed_sign from marts.fct_gamma_exposure"
        " order by session",
    )
    assert found == [(FRIDAY, "close", None, None), (MONDAY, "intraday", -3e9, True)]


@pytest.mark.slow
@pytest.mark.parametrize("relation", ["rpt_radar", "fct_gamma_exposure", "stg_greeks", "stg_watchlist"])
def test_the_reader_reads_marts_and_the_webhook_does_not(built_url, relation):
    with psycopg.connect(built_url) as connection:
        connection.execute("set local role hd_reader")
        assert connection.execute(f"select count(*) > 0 from marts.{relation}").fetchone() == (True,)
        connection.execute("reset role")
        connection.execute("set local role hd_webhook")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"select count(*) from marts.{relation}")


@pytest.mark.slow
def test_staging_views_show_what_their_reader_may_see_and_no_more(built_url):
    with psycopg.connect(built_url) as connection:
        found = connection.execute(
            "select relname from pg_class where relnamespace = 'marts'::regnamespace and relkind = 'v'"
            " and not coalesce('security_invoker=true' = any(reloptions), false)"
        ).fetchall()
    assert found == []
