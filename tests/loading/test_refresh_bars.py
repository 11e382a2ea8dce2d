"""From the lake to published bars: only what changed is touched, and what failed is not published."""

from datetime import date

import polars as pl
import pytest

from hd_pipelines.loading.derived.backfill_queue import backfill_queue
from hd_pipelines.loading.derived.bars import list_lake_sessions
from hd_pipelines.providers.massive.flat_files.layout import STOCK_DAY, STOCK_MINUTE
from hd_pipelines.tables.vocabulary import Rule
from hd_pipelines.warehouse.records.watchlist import add_to_watchlist
from tests.support.installation import SESSIONS, SYMBOLS, day_rows, minute_rows, vendor_object

TUESDAY, FRIDAY = date(2026, 5, 12), date(2026, 5, 15)
WEEK = SESSIONS[:5]


def cut_to(symbol: str, first: int, last: int):
    """Keep only minutes `first` to `last` of `symbol`."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        minute = pl.int_range(pl.len()).over("ticker")
        return frame.filter((pl.col("ticker") != symbol) | minute.is_between(first, last))

    return change


def test_two_weeks_of_three_symbols_become_bars_of_every_timeframe(installation):
    installation.publish_files()
    report = installation.refresh()
    assert report.rows_by_timeframe == {
        "1m": 30 * 390,
        "5m": 30 * 78,
        "15m": 30 * 26,
        "1h": 30 * 7,
        "4h": 30 * 2,
        "day": 30,
        "week": 3 * 2,
    }
    assert (report.published, report.withheld, report.findings) == (30, 0, ())
    counted = installation.table("select timeframe, count(*) from historical_bars group by 1")
    assert dict(counted) == report.rows_by_timeframe


def test_a_second_run_writes_nothing(installation):
    installation.publish_files()
    installation.refresh()
    before = installation.row_versions()
    manifest = installation.table("select ctid, xmin, * from bars_manifest order by symbol, session")
    loads = installation.table("select ctid, xmin, * from load_manifest order by load_id")
    again = installation.to_lake()
    assert [(report.ingested, report.already_known) for report in again.values()] == [(0, 10), (0, 10)]
    report = installation.to_bars()
    assert (report.published, report.rows, report.up_to_date) == (0, 0, 30)
    assert installation.row_versions() == before
    assert installation.table("select ctid, xmin, * from bars_manifest order by symbol, session") == manifest
    assert installation.table("select ctid, xmin, * from load_manifest order by load_id") == loads


def test_a_republished_object_reloads_its_session_and_its_week_only(installation):
    installation.publish_files()
    installation.refresh()
    before = {row[:3]: row for row in installation.row_versions()}
    highs = installation.table(
        "select high from historical_bars where symbol = 'SPY' and timeframe = 'week' order by timestamp"
    )
    installation.publish_files([TUESDAY], shift=900.0)
    assert [report.ingested for report in installation.to_lake().values()] == [1, 1]
    report = installation.to_bars()
    assert report.published == 6  # three symbols: Tuesday, and Friday for its week bar
    reloaded = {row[:3] for row in installation.row_versions() if before.get(row[:3]) != row}
    touched = installation.table(
        "select symbol, timeframe, timestamp from historical_bars where session in (%s, %s)", TUESDAY, FRIDAY
    )
    assert reloaded == set(touched)
    after = installation.table(
        "select high from historical_bars where symbol = 'SPY' and timeframe = 'week' order by timestamp"
    )
    assert after[0][0] > 900 > highs[0][0]
    assert after[1] == highs[1]


def test_a_week_follows_its_tuesday_even_if_only_tuesday_is_asked_for(installation):
    installation.publish_files()
    installation.refresh()
    installation.publish_files([TUESDAY], shift=900.0)
    installation.refresh([TUESDAY])
    week = installation.table("select max(high) from historical_bars where timeframe = 'week' and session = %s", FRIDAY)
    day = installation.table("select max(high) from historical_bars where timeframe = 'day' and session = %s", TUESDAY)
    assert week == day


def test_nothing_that_failed_is_published_and_the_last_good_bars_stay(installation):
    installation.publish_files()
    installation.refresh()
    good = installation.bars()
    last = SESSIONS[-1]
    installation.publish_files([last], shift=3.0, minutes=cut_to("SPY", 0, 99))  # 100 of 390 minutes: 0.26 of the usual
    report = installation.refresh()
    assert (report.published, report.withheld) == (2, 1)
    assert [row for row in installation.bars() if row[0] == "SPY"] == [row for row in good if row[0] == "SPY"]
    assert [row for row in installation.bars() if row[0] == "AAPL"] != [row for row in good if row[0] == "AAPL"]
    (found,) = installation.findings()
    assert (found.rule, found.severity, found.subject, found.session) == (Rule.ROW_COUNT_UNUSUAL, "error", "SPY", last)

    installation.publish_files([last], shift=4.0)
    report = installation.refresh()
    assert (report.published, report.withheld, installation.findings()) == (3, 0, [])
    resolved = installation.table("select count(*) from data_findings where resolved_at is not null")
    assert resolved == [(1,)]


def test_a_withheld_session_is_tried_again_and_does_not_close_what_is_known_of_others(installation):
    """AAPL was halted for an hour of the last session (a warning); SPY of it is withheld and so stays pending."""
    installation.publish_files()
    installation.refresh()
    last = SESSIONS[-1]

    def change(frame):
        minute = pl.int_range(pl.len()).over("ticker")
        return cut_to("SPY", 0, 99)(frame.filter((pl.col("ticker") != "AAPL") | ~minute.is_between(100, 159)))

    installation.publish_files([last], shift=3.0, minutes=change)
    installation.refresh()
    known = {(found.rule, found.severity, found.subject) for found in installation.findings()}
    assert known == {(Rule.ROW_COUNT_UNUSUAL, "error", "SPY"), (Rule.SESSION_INCOMPLETE, "warning", "AAPL")}
    installation.publish_files([TUESDAY], shift=1.0)
    report = installation.refresh()
    assert report.withheld == 1
    assert {(found.rule, found.severity, found.subject) for found in installation.findings()} == known


def test_a_second_validator_receives_all_bars_and_their_coverage(installation):
    installation.publish_files()
    installation.to_lake()
    asked = []

    def validate(bars, coverage):
        asked.append((bars.height, coverage.height))
        return []

    installation.to_bars(validate=validate)
    assert asked == [(len(installation.table("select 1 from historical_bars")), 30)]


def test_a_symbol_that_joins_gets_its_history_from_the_lake(installation):
    installation.publish_files(symbols=(*SYMBOLS, "NVDA"))
    installation.refresh()
    with installation.database.begin() as connection:
        add_to_watchlist(connection, ["NVDA"])
    before = installation.row_versions()
    reports = backfill_queue(installation.database, installation.lake)
    assert reports["NVDA"].published == len(list_lake_sessions(installation.lake)) == 10
    assert [row for row in installation.row_versions() if row[0] != "NVDA"] == before
    assert installation.table("select count(*) from historical_bars where symbol = 'NVDA' and timeframe = '1m'") == [
        (3900,)
    ]
    assert backfill_queue(installation.database, installation.lake) == {}


def test_a_new_symbol_without_history_is_missing_by_itself_and_not_for_everybody(installation):
    installation.publish_files()
    installation.refresh()
    with installation.database.begin() as connection:
        add_to_watchlist(connection, [*SYMBOLS, "NEWCO"])
    backfill_queue(installation.database, installation.lake)
    assert {(found.rule, found.severity, found.subject) for found in installation.findings()} == {
        (Rule.SYMBOL_MISSING, "warning", "NEWCO")
    }
    with installation.database.begin() as connection:
        add_to_watchlist(connection, ["OTHER"])
    installation.to_bars(symbols=["OTHER"])
    assert {found.subject for found in installation.findings()} == {"NEWCO", "OTHER"}


def test_a_session_that_never_came_is_one_finding(installation):
    installation.publish_files([session for session in SESSIONS if session != TUESDAY])
    installation.refresh()
    (found,) = installation.findings()
    assert (found.rule, found.session, found.subject) == (Rule.SESSION_MISSING, TUESDAY, "all symbols")
    weeks = installation.table("select distinct session from historical_bars where timeframe = 'week'")
    assert weeks == [(SESSIONS[-1],)]  # the first week lacks its Tuesday


def test_an_index_given_as_a_ticker_keeps_that_name(installation):
    from hd_pipelines.providers.massive.flat_files.layout import INDEX_DAY, INDEX_MINUTE

    for session in WEEK:
        minutes, days = minute_rows(session, ["I:COMP"]), day_rows(session, ["I:COMP"])
        installation.land(INDEX_MINUTE, session, vendor_object(minutes, INDEX_MINUTE, session))
        installation.land(INDEX_DAY, session, vendor_object(days, INDEX_DAY, session))
    installation.symbols = ("I:COMP",)
    report = installation.refresh(WEEK)
    assert (report.published, report.findings) == (5, ())
    counts = installation.table(
        "select symbol, count(*), count(volume), count(vwap), count(trades) from historical_bars group by 1"
    )
    assert counts == [("I:COMP", 5 * (390 + 78 + 26 + 7 + 2 + 1) + 1, 0, 0, 0)]


def test_a_changed_rule_of_derivation_makes_all_bars_again(installation, monkeypatch):
    installation.publish_files(WEEK)
    installation.refresh(WEEK)
    same = [row[:-2] for row in installation.bars() if len(row) > 5]
    monkeypatch.setattr("hd_pipelines.loading.derived.bars.DERIVATION", 2)
    assert installation.to_bars(WEEK).published == 15
    assert [row[:-2] for row in installation.bars() if len(row) > 5] == same


@pytest.mark.parametrize("dataset", [STOCK_MINUTE, STOCK_DAY])
def test_one_kind_of_file_is_enough(installation, dataset):
    installation.publish_files(WEEK)
    installation.landed_files = {dataset: installation.landed_files[dataset]}
    assert installation.refresh(WEEK).findings == ()
    frames = {row[0] for row in installation.table("select distinct timeframe from historical_bars")}
    assert frames == ({"day", "week"} if dataset is STOCK_DAY else {"1m", "5m", "15m", "1h", "4h"})


def test_a_week_is_the_same_whether_its_days_come_together_or_one_by_one(make_installation):
    together, daily = make_installation(), make_installation()
    for installation in (together, daily):
        installation.publish_files(WEEK)
    together.refresh(WEEK)
    for session in WEEK:
        daily.refresh([session])
    week = "select symbol, volume, vwap from historical_bars where timeframe = 'week' order by 1"
    assert daily.table(week) == together.table(week)
    assert None not in {vwap for _, _, vwap in daily.table(week)}
    assert daily.bars() == together.bars()


def test_a_week_follows_minutes_alone(installation):
    """Its VWAP is made of the minutes of all its days."""
    installation.publish_files(WEEK)
    installation.refresh(WEEK)
    before = installation.table("select vwap from historical_bars where timeframe = 'week' order by symbol")
    rows = minute_rows(TUESDAY).with_columns(volume=pl.col("volume") * pl.int_range(1, pl.len() + 1))
    installation.land(STOCK_MINUTE, TUESDAY, vendor_object(rows, STOCK_MINUTE, TUESDAY))
    installation.refresh(WEEK)
    after = installation.table("select vwap from historical_bars where timeframe = 'week' order by symbol")
    assert all(new != old for (new,), (old,) in zip(after, before, strict=True))
