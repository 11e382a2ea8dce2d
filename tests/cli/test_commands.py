"""The command line: results on standard output, refusals as one line on standard error and exit code 2."""

from __future__ import annotations

import json
import logging
from datetime import UTC, date, datetime

import pytest
import structlog
from typer.testing import CliRunner

from hd_pipelines.cli import app
from hd_pipelines.cli.backfill import choose_window
from hd_pipelines.cli.terminal import Refusal, console, log_to_stderr
from hd_pipelines.warehouse.schema import revision as schema
from tests.support.installation import SESSIONS, rows

SATURDAY = datetime(2026, 5, 23, 15, tzinfo=UTC)


@pytest.fixture
def hd(monkeypatch, tmp_path, database_url):
    """Run `hd` with arguments in an empty folder; the database has the current schema."""
    schema.upgrade(database_url)
    return _runner(monkeypatch, tmp_path, database_url)


@pytest.fixture
def hd_without_database(monkeypatch, tmp_path):
    """Run `hd` with a database URL at which no server answers."""
    return _runner(monkeypatch, tmp_path, "postgresql://nobody:secret-word@127.0.0.1:9/hd")


def _runner(monkeypatch, tmp_path, url):
    import os

    for name in [name for name in os.environ if name.startswith("HD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HD_DATABASE_URL", url)

    def run(*arguments: str):
        console.cache_clear()  # it holds the standard output of the call before
        result = CliRunner().invoke(app, list(arguments))
        console.cache_clear()
        return result

    return run


def assert_refused(result, *fragments: str) -> None:
    """Assert exit code 2, one line that gives the reason, and nothing that a program could take for a result."""
    assert result.exit_code == 2, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("hd: ")
    for fragment in fragments:
        assert fragment in lines[0]
    assert "Traceback" not in result.output


def test_a_query_prints_csv(hd):
    result = hd("query", "select 1 as a, 'x,\"y' as b, null as c, date '2026-05-22' as d")
    assert result.exit_code == 0
    assert result.stdout == 'a,b,c,d\n1,"x,""y",,2026-05-22\n'


def test_a_query_of_an_empty_warehouse_is_a_header(hd):
    result = hd("query", "select symbol, timeframe, count(*) from historical_bars group by 1, 2")
    assert result.stdout == "symbol,timeframe,count\n"


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("delete from historical_bars", "returns no rows"),
        ("select 1; select 2", "multiple commands"),
        ("select * from nothing_there", '"nothing_there" does not exist'),
        ("selec 1", 'syntax error at or near "selec"'),
        ("select rolpassword from pg_authid", "permission denied"),
    ],
)
def test_a_query_that_is_not_plain_reading_is_refused_with_the_servers_message(hd, sql, reason):
    result = hd("query", sql)
    assert (result.exit_code, result.stdout) == (2, "")
    first, *place = result.stderr.strip().splitlines()  # the server points to the place in two more lines
    assert first.startswith("hd: ")
    assert reason in first
    assert len(place) in {0, 2}


def test_a_wrong_setting_is_refused_with_the_right_name(hd, monkeypatch):
    monkeypatch.setenv("HD_DATABASE_ULR", "x")
    assert_refused(hd("query", "select 1"), "HD_DATABASE_ULR", "did you mean HD_DATABASE_URL?")


def test_a_wrong_value_is_refused_with_its_name(hd, monkeypatch):
    monkeypatch.setenv("HD_UI_PORT", "eighty")
    assert_refused(hd("query", "select 1"), "HD_UI_PORT")


def test_symbols_join_and_leave_the_watchlist(hd, database_url):
    assert hd("watchlist", "list").stdout.strip() == ""
    added = hd("watchlist", "add", "SPY", "BRK.B", "SPX")
    assert added.exit_code == 0, added.output
    assert hd("watchlist", "list").stdout.split() == ["BRK.B", "SPX", "SPY"]
    assert rows(database_url, "select symbol, ticker from watchlist order by 1")[1] == ("SPX", "I:SPX")
    assert "already on the watchlist" in hd("watchlist", "add", "SPY").stdout
    assert hd("watchlist", "remove", "SPY", "NVDA").stdout.strip() == "SPY"
    assert hd("watchlist", "list").stdout.split() == ["BRK.B", "SPX"]
    assert rows(database_url, "select distinct status from historical_ingestion_queue where symbol <> 'SPY'") == [
        ("completed",)
    ]


def test_a_name_that_is_no_symbol_is_refused_and_adds_nothing(hd, database_url):
    assert_refused(hd("watchlist", "add", "SPY", "s&p 500"), "s&p 500", "is not a symbol")
    assert rows(database_url, "select count(*) from watchlist") == [(0,)]


def test_doctor_answers_in_json_and_shows_no_secret(hd, database_url):
    result = hd("doctor", "--json")
    diagnoses = {diagnosis["check"]: diagnosis for diagnosis in json.loads(result.stdout)}
    assert set(diagnoses) >= {"database", "schema and data", "disk", "calendar", "flat files"}
    assert all(isinstance(diagnosis["is_well"], bool) for diagnosis in diagnoses.values())
    assert diagnoses["schema and data"]["is_well"]
    assert "0 open findings" in diagnoses["schema and data"]["state"]
    assert database_url.split(":")[2].split("@")[0] not in result.output
    assert result.exit_code == (0 if all(diagnosis["is_well"] for diagnosis in diagnoses.values()) else 1)


def test_doctor_names_the_remedy_for_an_old_schema(monkeypatch, tmp_path, database_url):
    result = _runner(monkeypatch, tmp_path, database_url)("doctor", "--json")
    assert result.exit_code == 1
    diagnoses = {diagnosis["check"]: diagnosis for diagnosis in json.loads(result.stdout)}
    assert diagnoses["schema"]["cure"] == "hd db upgrade"


@pytest.mark.parametrize("arguments", [("query", "select 1"), ("watchlist", "list"), ("db", "upgrade"), ("backfill",)])
def test_a_database_that_does_not_answer_is_one_line_without_the_password(hd_without_database, arguments):
    result = hd_without_database(*arguments)
    assert_refused(result)
    assert "secret-word" not in result.output


@pytest.mark.parametrize("arguments", [("watchlist", "list"), ("watchlist", "add", "SPY")])
def test_a_database_without_a_schema_is_one_line_with_the_remedy(monkeypatch, tmp_path, database_url, arguments):
    assert_refused(_runner(monkeypatch, tmp_path, database_url)(*arguments), "hd db upgrade")


def test_a_server_of_the_user_is_neither_started_nor_stopped(hd):
    for verb in ("up", "stop"):
        assert_refused(hd("db", verb), "HD_DATABASE_URL is set")


def test_the_url_hides_its_password_unless_asked(hd, database_url):
    assert "***" in hd("db", "url").stdout
    assert hd("db", "url", "--show-password").stdout.strip() == database_url


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--days", "5", "--from", "2026-05-18"), "contradict each other"),
        (("--from", "2026-05-23", "--to", "2026-05-25"), "no exchange session from 2026-05-23 to 2026-05-25"),
        (("--from", "2026-05-22", "--to", "2026-05-18"), "no exchange session"),
        (("--from", "2016-12-01", "--to", "2016-12-30"), "partitions begin on 2017-01-03"),
    ],
)
def test_a_backfill_that_contradicts_itself_is_refused_before_anything_starts(hd_without_database, arguments, reason):
    assert_refused(hd_without_database("backfill", *arguments), reason)


@pytest.mark.parametrize("arguments", [("--days", "0"), ("--from", "22.5.2026"), ("--sessions", "5")])
def test_a_malformed_argument_is_named(hd_without_database, arguments):
    result = hd_without_database("backfill", *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr


def test_a_demo_without_a_session_is_refused_before_anything_starts(hd_without_database):
    assert_refused(hd_without_database("demo", "--from", "2026-05-23", "--to", "2026-05-25"), "no exchange session")


def test_a_folder_that_is_no_recording_is_refused(hd_without_database, tmp_path):
    assert_refused(hd_without_database("demo", "--replay", str(tmp_path)), "is not a market recording")


def test_help_lists_what_demo_takes(hd_without_database):
    result = hd_without_database("demo", "--help")
    assert result.exit_code == 0
    for option in ("--sessions", "--replay", "--from", "--to", "--report"):
        assert option in result.stdout


def test_the_commands_of_the_contract_exist(hd_without_database):
    output = hd_without_database("--help").stdout
    for command in (
        "demo",
        "backfill",
        "scan",
        "prewarm",
        "explain",
        "query",
        "db",
        "sandbox",
        "doctor",
        "up",
        "watchlist",
    ):
        assert command in output
    output = hd_without_database("db", "--help").stdout
    for command in ("up", "upgrade", "url", "stop"):
        assert command in output


@pytest.mark.parametrize(
    ("days", "first", "last", "window"),
    [
        (3, None, None, SESSIONS[-3:]),
        (3, None, date(2026, 5, 17), SESSIONS[2:5]),
        (None, date(2026, 5, 16), None, SESSIONS[5:]),
        (None, date(2026, 5, 16), date(2026, 5, 19), SESSIONS[5:7]),
    ],
)
def test_a_window_is_sessions_up_to_the_last_completed_one(days, first, last, window):
    assert choose_window(days, first, last, now=SATURDAY) == window


def test_ninety_sessions_are_the_default():
    assert len(choose_window(None, None, None, now=SATURDAY)) == 90


def test_more_sessions_than_there_are_partitions_is_refused():
    with pytest.raises(Refusal, match="partitions begin on"):
        choose_window(5000, None, None, now=SATURDAY)


def test_log_lines_below_the_level_of_a_command_are_left_out(capsys):
    try:
        log_to_stderr(logging.WARNING)
        structlog.get_logger().info("flat files come from the sandbox")
        structlog.get_logger().warning("the calendar ends soon")
    finally:
        log_to_stderr()
    printed = capsys.readouterr()
    assert "the calendar ends soon" in printed.err
    assert "flat files come from the sandbox" not in printed.err + printed.out
