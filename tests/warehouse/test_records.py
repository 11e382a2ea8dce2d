"""Manifest, findings, watchlist and queue: what the pipelines remember."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import Connection, text

from hd_pipelines.market.findings import Finding
from hd_pipelines.tables.vocabulary import Rule, Severity
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records import watchlist
from hd_pipelines.warehouse.records.files import (
    CurrentLoad,
    IngestedFile,
    find_session_by_sha256,
    read_current_loads,
    record_load,
)
from hd_pipelines.warehouse.records.findings import (
    CheckedScope,
    read_open_findings,
    record_findings,
    resolve_findings,
    settle_findings,
)
from tests.warehouse.bar_frames import MONDAY, TUESDAY, one

FILE = IngestedFile(
    dataset="stock_day_aggs",
    session=MONDAY,
    etag="aaa-1",
    size=1000,
    sha256="a" * 64,
    rows=11_000,
    rows_set_aside=3,
    object_key="us_stocks_sip/day_aggs_v1/2025/11/2025-11-03.csv.gz",
    landed_at=datetime(2025, 11, 4, 16, 0, tzinfo=UTC),
)
REPUBLISHED = replace(FILE, etag="bbb-1", sha256="b" * 64, rows=11_005)
EMPTY = Finding(Rule.NO_ROWS, Severity.ERROR, "stock_day_aggs", MONDAY, "key", "No rows.", "Wait.", rows=0)
RAGGED = Finding(
    Rule.ROW_RAGGED, Severity.WARNING, "stock_day_aggs", MONDAY, "key", "Row 7 has 3 fields.", "None.", 2, 7
)


def _record(database: Database, *files: IngestedFile) -> None:
    for file in files:
        with database.begin() as connection:
            record_load(connection, file)


def _current(database: Database) -> list[CurrentLoad]:
    with database.connect() as connection:
        return read_current_loads(connection, ["stock_day_aggs"], date(2025, 1, 1), date(2026, 1, 1))


def test_a_file_loaded_twice_is_one_load(database: Database, warehouse_url: str) -> None:
    _record(database, FILE, replace(FILE, rows_set_aside=4))
    assert [(load.load_id, load.rows_set_aside) for load in _current(database)] == [(FILE.load_id, 4)]
    assert one(warehouse_url, "SELECT count(*) FROM load_manifest") == 1


def test_a_republished_file_supersedes_and_both_are_kept(database: Database, warehouse_url: str) -> None:
    _record(database, FILE, REPUBLISHED)
    assert [load.etag for load in _current(database)] == ["bbb-1"]
    superseded = "SELECT superseded_by FROM load_manifest WHERE etag = 'aaa-1'"
    assert one(warehouse_url, superseded) == REPUBLISHED.load_id


def test_a_file_that_comes_back_is_current_again(database: Database) -> None:
    _record(database, FILE, REPUBLISHED, FILE)
    assert [load.etag for load in _current(database)] == ["aaa-1"]


def test_versions_recorded_at_once_leave_one_current(warehouse_url: str) -> None:
    versions = [replace(FILE, etag=str(number), sha256=f"{number:064x}") for number in range(6)]

    def record(file: IngestedFile) -> None:
        with Database(warehouse_url) as database:
            _record(database, file)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(record, versions))
    assert one(warehouse_url, "SELECT count(*) FROM load_manifest WHERE superseded_by IS NULL") == 1
    assert one(warehouse_url, "SELECT count(*) FROM load_manifest") == 6


def test_the_database_refuses_two_current_rows(database: Database, warehouse_url: str) -> None:
    _record(database, FILE)
    with psycopg.connect(warehouse_url) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            "INSERT INTO load_manifest SELECT repeat('0', 32), dataset, session, etag, size, sha256, rows,"
            " 0, object_key, landed_at, ingested_at, NULL FROM load_manifest"
        )


def test_a_load_id_is_a_function_of_what_was_loaded() -> None:
    assert FILE.load_id == replace(FILE, rows=1, landed_at=datetime.now(UTC)).load_id
    others = {replace(FILE, **{name: value}).load_id for name, value in _OTHER.items()}
    assert len(others | {FILE.load_id}) == len(_OTHER) + 1


_OTHER = {"dataset": "option_day_aggs", "session": TUESDAY, "etag": "x", "sha256": "c" * 64}


def test_row_counts_are_those_of_the_current_loads(database: Database, warehouse_url: str) -> None:
    days = [MONDAY - timedelta(days=back) for back in range(30)]
    _record(database, *(replace(FILE, session=day, sha256=f"{n:064x}", rows=n) for n, day in enumerate(days)))
    _record(database, replace(FILE, session=days[1], etag="new", rows=777))
    counts = (
        "SELECT json_agg(rows ORDER BY session) FROM (SELECT session, rows FROM load_manifest WHERE dataset = %s"
        " AND session < %s AND superseded_by IS NULL ORDER BY session DESC LIMIT 3) AS last_loads"
    )
    assert one(warehouse_url, counts, "stock_day_aggs", MONDAY) == [3, 2, 777]
    assert one(warehouse_url, counts, "index_day_aggs", MONDAY) is None


def test_etags_and_content_of_current_loads_can_be_looked_up(database: Database) -> None:
    _record(database, FILE, REPUBLISHED)
    assert [(load.dataset, load.session, load.etag) for load in _current(database)] == [
        ("stock_day_aggs", MONDAY, "bbb-1")
    ]
    with database.connect() as connection:
        assert find_session_by_sha256(connection, "stock_day_aggs", "b" * 64) == MONDAY
        assert find_session_by_sha256(connection, "stock_day_aggs", "a" * 64) is None
        assert find_session_by_sha256(connection, "index_day_aggs", "b" * 64) is None


def _open(database: Database) -> list[tuple[str, str, int]]:
    with database.connect() as connection:
        return [(found.rule, found.detail, found.rows) for found in read_open_findings(connection)]


def test_a_finding_seen_again_is_refreshed_not_repeated(database: Database, warehouse_url: str) -> None:
    with database.begin() as connection:
        record_findings(connection, [EMPTY, RAGGED, EMPTY], run_id="first")
    first_seen = one(warehouse_url, "SELECT first_seen_at FROM data_findings WHERE rule = 'no_rows'")
    with database.begin() as connection:
        record_findings(connection, [replace(EMPTY, detail="Still no rows.")], run_id="second")
    assert _open(database) == [("no_rows", "Still no rows.", 0), ("row_ragged", "Row 7 has 3 fields.", 2)]
    moments = "SELECT first_seen_at = %s AND last_seen_at > first_seen_at FROM data_findings WHERE rule = 'no_rows'"
    assert one(warehouse_url, moments, first_seen) is True


def test_a_clean_load_resolves_and_a_relapse_reopens(database: Database, warehouse_url: str) -> None:
    checked = [CheckedScope("stock_day_aggs", frozenset({MONDAY}))]
    with database.begin() as connection:
        settle_findings(connection, [EMPTY, RAGGED], checked)
    with database.begin() as connection:
        settle_findings(connection, [RAGGED], checked)
    assert [rule for rule, *_ in _open(database)] == ["row_ragged"]
    assert one(warehouse_url, "SELECT last_seen_at < resolved_at FROM data_findings WHERE rule = 'no_rows'") is True
    with database.begin() as connection:
        settle_findings(connection, [EMPTY], checked)
    assert [rule for rule, *_ in _open(database)] == ["no_rows"]


def test_only_findings_of_validated_places_are_resolved(database: Database) -> None:
    elsewhere = [
        replace(EMPTY, dataset="index_day_aggs"),
        replace(EMPTY, session=TUESDAY),
        replace(EMPTY, session=None),
        replace(EMPTY, subject="another"),
        RAGGED,
    ]
    with database.begin() as connection:
        record_findings(connection, [EMPTY, *elsewhere])
    with database.begin() as connection:
        resolved = resolve_findings(
            connection, "stock_day_aggs", [MONDAY], rules=[Rule.NO_ROWS], subjects=["key", "third"]
        )
    assert resolved == 1
    assert len(_open(database)) == len(elsewhere)


def test_findings_can_be_asked_for_by_dataset_and_window(database: Database) -> None:
    with database.begin() as connection:
        record_findings(connection, [EMPTY, replace(EMPTY, session=TUESDAY), replace(EMPTY, dataset="x")])
    with database.connect() as connection:
        found = read_open_findings(connection, datasets=["stock_day_aggs"], first=TUESDAY, last=TUESDAY)
    assert [(finding.dataset, finding.session) for finding in found] == [("stock_day_aggs", TUESDAY)]


def _pending(connection: Connection) -> list[str]:
    waiting = "SELECT symbol FROM historical_ingestion_queue WHERE status = 'pending' ORDER BY queue_id"
    return list(connection.execute(text(waiting)).scalars())


def test_a_new_symbol_waits_in_the_queue(database: Database) -> None:
    with database.begin() as connection:
        assert watchlist.add_to_watchlist(connection, ["SPY", "SPX", "SPY"]) == ["SPX", "SPY"]
        assert watchlist.add_to_watchlist(connection, ["SPY"]) == []
        assert watchlist.read_active_symbols(connection) == ["SPX", "SPY"]
        assert sorted(_pending(connection)) == ["SPX", "SPY"]
        claimed = watchlist.claim_next_symbol(connection)
    assert claimed is not None
    assert (claimed.symbol, claimed.ticker, claimed.days_to_backfill, claimed.retry_count) == ("SPX", "I:SPX", 90, 0)


def test_a_symbol_added_by_hand_is_queued_too(database: Database, warehouse_url: str) -> None:
    with psycopg.connect(warehouse_url) as connection:
        connection.execute("INSERT INTO watchlist (symbol, ticker) VALUES ('SOFI', 'SOFI')")
    with database.connect() as connection:
        assert _pending(connection) == ["SOFI"]


def test_a_name_that_is_no_symbol_adds_nothing(database: Database) -> None:
    with database.begin() as connection, pytest.raises(ValueError, match="spy"):
        watchlist.add_to_watchlist(connection, ["QQQ", "spy"])
    with database.connect() as connection:
        assert watchlist.read_active_symbols(connection) == []


def test_a_symbol_that_leaves_and_returns_is_backfilled_again(database: Database) -> None:
    with database.begin() as connection:
        watchlist.add_to_watchlist(connection, ["SPY"])
        watchlist.mark_completed(connection, ["SPY"])
    with database.begin() as connection:
        assert watchlist.remove_from_watchlist(connection, ["SPY", "QQQ"]) == ["SPY"]
        assert watchlist.read_active_symbols(connection) == []
        assert watchlist.claim_next_symbol(connection) is None
        assert watchlist.add_to_watchlist(connection, ["SPY"]) == ["SPY"]
        assert _pending(connection) == ["SPY"]


def test_claimers_at_once_get_different_symbols_without_waiting(database: Database) -> None:
    with database.begin() as connection:
        watchlist.add_to_watchlist(connection, ["SPY", "QQQ", "IWM"])
    claimed = []
    with database.begin() as first, database.begin() as second, database.begin() as third, database.begin() as fourth:
        for connection in (first, second, third, fourth):
            taken = watchlist.claim_next_symbol(connection)
            claimed.append(taken.symbol if taken else None)
    assert sorted(symbol for symbol in claimed if symbol) == ["IWM", "QQQ", "SPY"]
    assert claimed[-1] is None


def test_three_retries_then_failed(database: Database, warehouse_url: str) -> None:
    with database.begin() as connection:
        watchlist.add_to_watchlist(connection, ["SPY"])
    statuses = []
    for attempt in range(4):
        with database.begin() as connection:
            assert watchlist.claim_next_symbol(connection) is not None
            statuses.append(watchlist.mark_failed(connection, "SPY", f"attempt {attempt}"))
    assert statuses == ["pending", "pending", "pending", "failed"]
    assert one(warehouse_url, "SELECT last_error FROM historical_ingestion_queue") == "attempt 3"
    with database.begin() as connection:
        assert watchlist.claim_next_symbol(connection) is None
        with pytest.raises(KeyError, match="QQQ"):
            watchlist.mark_failed(connection, "QQQ", "x")


def test_a_claim_whose_owner_is_gone_is_given_out_again(database: Database) -> None:
    with database.begin() as connection:
        watchlist.add_to_watchlist(connection, ["SPY"])
        assert watchlist.claim_next_symbol(connection) is not None
    with database.begin() as connection:
        assert watchlist.claim_next_symbol(connection) is None
        again = watchlist.claim_next_symbol(connection, abandoned_after=timedelta(0))
    assert again is not None
    assert again.symbol == "SPY"


def test_every_change_moves_updated_at(database: Database, warehouse_url: str) -> None:
    with database.begin() as connection:
        watchlist.add_to_watchlist(connection, ["SPY"])
    with database.begin() as connection:
        watchlist.mark_completed(connection, ["SPY"])
        watchlist.remove_from_watchlist(connection, ["SPY"])
    for table in ("watchlist", "historical_ingestion_queue"):
        began = "added_at" if table == "watchlist" else "created_at"
        assert one(warehouse_url, f"SELECT updated_at > {began} FROM {table}") is True


def test_the_watchlist_function_lists_active_symbols_for_the_reader(database: Database, warehouse_url: str) -> None:
    with database.begin() as connection:
        watchlist.add_to_watchlist(connection, ["SPY", "QQQ", "META"])
        watchlist.remove_from_watchlist(connection, ["QQQ"])
    with psycopg.connect(warehouse_url) as connection:
        connection.execute("SET LOCAL ROLE hd_reader")
        assert connection.execute("SELECT * FROM get_all_watchlist_symbols()").fetchall() == [("META",), ("SPY",)]
        connection.execute("SET LOCAL ROLE hd_webhook")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM get_all_watchlist_symbols()")
