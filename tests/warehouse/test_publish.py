"""What a load of bars promises: exactly its scope is replaced, all or nothing, whatever the way."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hd_pipelines.market.findings import Finding
from hd_pipelines.tables.vocabulary import Rule, Severity
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.errors import BarsRefusedError
from hd_pipelines.warehouse.publish.bar_rows import Scope
from hd_pipelines.warehouse.publish.bars import Method
from hd_pipelines.warehouse.read.bars import read_bar_fingerprints, read_bars
from hd_pipelines.warehouse.records.findings import CheckedScope, read_open_findings
from tests.warehouse.bar_frames import (
    LAST_OF_OCTOBER,
    MONDAY,
    TUESDAY,
    bars,
    one,
    publish,
    stored,
    week_bar,
)

BOTH_WAYS = pytest.mark.parametrize("method", list(Method))


def _rows(url: str) -> list[tuple[object, ...]]:
    return stored(url, 'symbol, timeframe, "timestamp", session, close')


@BOTH_WAYS
def test_bars_come_back_as_they_were_given(database: Database, method: Method) -> None:
    given_bars = bars(["SPY", "BRK.B", "NA"], [LAST_OF_OCTOBER, MONDAY, TUESDAY])
    report = publish(database, given_bars, method=method)
    read = read_bars(database, None, None, LAST_OF_OCTOBER, TUESDAY)
    assert read.equals(given_bars.sort("symbol", "timeframe", "timestamp"))
    assert (report.rows, report.symbols, report.sessions) == (given_bars.height, 3, 3)
    assert set(report.partitions) == {"historical_bars_y2025m10", "historical_bars_y2025m11"}


@BOTH_WAYS
def test_only_the_scope_is_replaced(database: Database, warehouse_url: str, method: Method) -> None:
    publish(database, bars(["SPY", "QQQ"], [MONDAY, TUESDAY]))
    before = _rows(warehouse_url)
    publish(database, bars(["SPY"], [TUESDAY], price=500.0), method=method)
    after = _rows(warehouse_url)
    untouched = [row for row in before if (row[0], row[3]) != ("SPY", TUESDAY)]
    assert [row for row in after if (row[0], row[3]) != ("SPY", TUESDAY)] == untouched
    assert all(row[4] > Decimal(400) for row in after if (row[0], row[3]) == ("SPY", TUESDAY))  # type: ignore[operator]


@BOTH_WAYS
def test_a_shorter_reload_leaves_no_old_bar_of_any_timeframe(
    database: Database, warehouse_url: str, method: Method
) -> None:
    friday = date(2025, 11, 7)
    publish(database, pl.concat([bars(["SPY"], [friday], minutes=5), week_bar("SPY", MONDAY, friday)]))
    publish(database, bars(["SPY"], [friday], minutes=2, day_bar=False), method=method)
    assert [row[1] for row in _rows(warehouse_url)] == ["1m", "1m"]


@BOTH_WAYS
def test_a_pair_without_bars_ends_up_empty_and_is_recorded_so(
    database: Database, warehouse_url: str, method: Method
) -> None:
    publish(database, bars(["SPY", "QQQ"], [MONDAY]))
    publish(database, bars(["SPY"], [MONDAY]), Scope.of(["SPY", "QQQ"], [MONDAY]), method=method)
    assert {row[0] for row in _rows(warehouse_url)} == {"SPY"}
    assert one(warehouse_url, "SELECT json_object_agg(symbol, rows) FROM bars_manifest") == {"SPY": 4, "QQQ": 0}


@BOTH_WAYS
def test_a_scope_without_any_bars_clears_it(database: Database, warehouse_url: str, method: Method) -> None:
    frame = bars(["SPY"], [MONDAY])
    publish(database, frame)
    publish(database, frame.clear(), Scope.of(["SPY"], [MONDAY]), method=method)
    assert _rows(warehouse_url) == []


def test_clearing_a_month_that_was_never_loaded_does_nothing(database: Database, warehouse_url: str) -> None:
    report = publish(database, bars(["SPY"], [MONDAY]).clear(), Scope.of(["SPY"], [MONDAY]))
    assert (report.rows, report.method, _rows(warehouse_url)) == (0, "nothing", [])


@BOTH_WAYS
def test_a_week_bar_lives_with_its_last_session(database: Database, warehouse_url: str, method: Method) -> None:
    monday, friday = date(2025, 9, 29), date(2025, 10, 3)  # begins in September, belongs to October
    publish(database, week_bar("SPY", monday, friday), method=method)
    assert [(row[1], row[3]) for row in _rows(warehouse_url)] == [("week", friday)]
    assert one(warehouse_url, "SELECT count(*) FROM historical_bars_y2025m10") == 1


@BOTH_WAYS
@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("high", 1.0, "historical_bars_prices"),
        ("low", 0.0, "historical_bars_prices"),
        ("low", -5.0, "historical_bars_prices"),
        ("close", float("nan"), "historical_bars_prices"),
        ("high", float("inf"), "historical_bars_prices"),
        ("volume", -1.0, "historical_bars_volume"),
        ("volume", float("nan"), "historical_bars_volume"),
        ("vwap", 1.0, "historical_bars_vwap"),
        ("trades", -1, "historical_bars_trades"),
        ("timeframe", "2m", "historical_bars_timeframe"),
        ("symbol", "", "historical_bars_symbol"),
        ("session", TUESDAY, "historical_bars_session"),
    ],
)
def test_one_bad_bar_publishes_nothing(
    database: Database, warehouse_url: str, method: Method, column: str, value: object, rule: str
) -> None:
    publish(database, bars(["SPY"], [MONDAY]))
    before = stored(warehouse_url)
    frame = bars(["SPY", "QQQ"], [MONDAY], price=200.0)
    is_bad = pl.int_range(pl.len()) == 2
    bad = frame.with_columns(pl.when(is_bad).then(pl.lit(value, frame.schema[column])).otherwise(column).alias(column))
    finding = Finding(Rule.NO_ROWS, Severity.ERROR, "historical_bars", MONDAY, "SPY", "d", "c")
    with pytest.raises(BarsRefusedError, match=rule):
        publish(database, bad, method=method, findings=[finding], fingerprints=_marks(bad, "new"))
    assert stored(warehouse_url) == before
    with database.connect() as connection:
        assert read_bar_fingerprints(connection, ["SPY", "QQQ"], MONDAY, TUESDAY) == {("SPY", MONDAY): "made-from-this"}
        assert read_open_findings(connection) == []
    leftovers = "SELECT count(*) FROM pg_class WHERE relnamespace = 'staging'::regnamespace"
    assert one(warehouse_url, leftovers) == 0


def _marks(frame: pl.DataFrame, mark: str) -> dict[tuple[str, date], str]:
    return dict.fromkeys(frame.select("symbol", "session").unique().iter_rows(), mark)


@BOTH_WAYS
def test_the_same_bar_twice_publishes_nothing_and_is_named(
    database: Database, warehouse_url: str, method: Method
) -> None:
    frame = bars(["SPY"], [MONDAY])
    with pytest.raises(BarsRefusedError, match=r"_pkey.*SPY"):
        publish(database, pl.concat([frame, frame.head(1)]), method=method)
    assert stored(warehouse_url) == []


@BOTH_WAYS
def test_a_raising_audit_publishes_nothing(database: Database, warehouse_url: str, method: Method) -> None:
    counted = []

    def refuse(cursor: psycopg.Cursor[tuple[int]], relation: str) -> None:
        counted.append(cursor.execute(f"SELECT count(*) FROM {relation}").fetchone()[0])  # type: ignore[index]
        raise RuntimeError("too few bars")

    with pytest.raises(RuntimeError, match="too few bars"):
        publish(database, bars(["SPY"], [MONDAY]), method=method, audit=refuse)
    assert (counted, stored(warehouse_url)) == ([4], [])


def test_fingerprints_and_findings_come_with_the_bars(database: Database) -> None:
    open_one = Finding(Rule.SESSION_INCOMPLETE, Severity.WARNING, "historical_bars", MONDAY, "SPY", "thin", "look")
    over = Finding(Rule.ROW_COUNT_UNUSUAL, Severity.ERROR, "historical_bars", MONDAY, "SPY", "few", "look")
    frame = bars(["SPY"], [MONDAY])
    publish(database, frame, findings=[over], run_id="run-1")
    checked = CheckedScope("historical_bars", frozenset({MONDAY}))
    publish(
        database, frame, findings=[open_one], checked=[checked], fingerprints=_marks(frame, "second"), run_id="run-2"
    )
    with database.connect() as connection:
        assert read_bar_fingerprints(connection, ["SPY"], MONDAY, MONDAY) == {("SPY", MONDAY): "second"}
        assert [(found.rule, found.run_id) for found in read_open_findings(connection)] == [
            ("session_incomplete", "run-2")
        ]


def test_a_pair_without_a_fingerprint_is_refused(database: Database) -> None:
    frame = bars(["SPY", "QQQ"], [MONDAY])
    with pytest.raises(BarsRefusedError, match="first QQQ 2025-11-03"):
        publish(database, frame, fingerprints={("SPY", MONDAY): "x"})


def test_a_bar_outside_the_scope_is_refused(database: Database, warehouse_url: str) -> None:
    with pytest.raises(BarsRefusedError, match=r"outside the scope.*SPY 2025-11-04"):
        publish(database, bars(["SPY"], [MONDAY, TUESDAY]), Scope.of(["SPY"], [MONDAY]))
    assert stored(warehouse_url) == []


@pytest.mark.parametrize(
    ("change", "expected_error"),
    [
        (lambda f: f.drop("vwap"), "missing: \\['vwap'\\]"),
        (lambda f: f.with_columns(extra=1), "foreign: \\['extra'\\]"),
        (lambda f: f.with_columns(pl.col("open").cast(pl.Float32)), "open of historical_bars is Float32"),
        (
            lambda f: f.with_columns(pl.col("timestamp").dt.replace_time_zone(None)),
            "timestamp of historical_bars is Datetime",
        ),
        (lambda f: f.with_columns(pl.col("session").cast(pl.Datetime)), "session of historical_bars is Datetime"),
        (
            lambda f: f.with_columns(pl.lit(None, pl.Float64).alias("close")),
            "close of historical_bars is null in row 0",
        ),
        (
            lambda f: f.with_columns(pl.col("timestamp").cast(pl.Datetime("ns", "UTC")) + pl.duration(nanoseconds=1)),
            "finer than a microsecond",
        ),
    ],
)
def test_a_frame_with_wrong_columns_is_refused_with_a_remedy(
    database: Database, change: object, expected_error: str
) -> None:
    with pytest.raises(BarsRefusedError, match=expected_error):
        publish(database, change(bars(["SPY"], [MONDAY])), Scope.of(["SPY"], [MONDAY]))  # type: ignore[operator]


def test_nanosecond_stamps_and_categorical_names_are_taken(database: Database, warehouse_url: str) -> None:
    frame = bars(["SPY", "QQQ"], [MONDAY])
    publish(database, frame)
    plain = stored(warehouse_url)
    other = frame.with_columns(
        pl.col("timestamp").cast(pl.Datetime("ns", "UTC")), pl.col("symbol", "timeframe").cast(pl.Categorical)
    )
    publish(database, other)
    assert stored(warehouse_url) == plain


def test_a_partition_is_rebuilt_when_most_of_it_is_new_and_edited_otherwise(database: Database) -> None:
    many = bars([f"S{number:03}" for number in range(60)], [MONDAY, TUESDAY], minutes=240)
    assert set(publish(database, many).partitions.values()) == {Method.REBUILD}
    assert set(publish(database, many).partitions.values()) == {Method.REBUILD}
    few = bars(["S001"], [MONDAY])
    assert set(publish(database, few).partitions.values()) == {Method.REPLACE_ROWS}


@BOTH_WAYS
def test_kept_rows_keep_their_time_of_creation(database: Database, warehouse_url: str, method: Method) -> None:
    publish(database, bars(["SPY"], [MONDAY]))
    created = one(warehouse_url, "SELECT min(created_at) FROM historical_bars")
    publish(database, bars(["QQQ"], [MONDAY]), method=method)
    assert one(warehouse_url, "SELECT max(created_at) FROM historical_bars WHERE symbol = 'SPY'") == created


@BOTH_WAYS
def test_partitions_are_identical_however_they_were_filled(
    database: Database, warehouse_url: str, method: Method
) -> None:
    publish(database, bars(["SPY"], [LAST_OF_OCTOBER, MONDAY]))
    publish(database, bars(["SPY"], [MONDAY], price=50.0), method=method)
    shape = """
        SELECT pg_get_userbyid(relowner), relrowsecurity, relforcerowsecurity, relacl::text,
               (SELECT array_agg(replace(conname, relname, '') ORDER BY conname) FROM pg_constraint
                WHERE conrelid = pg_class.oid),
               (SELECT array_agg(replace(indexrelid::regclass::text, relname, '')) FROM pg_index
                WHERE indrelid = pg_class.oid)
        FROM pg_class WHERE relname = %s
    """
    with psycopg.connect(warehouse_url) as connection:
        october, november = (
            connection.execute(shape, (f"historical_bars_y2025m{month}",)).fetchone() for month in (10, 11)
        )
    assert october == november
    assert october is not None
    assert october[:3] == ("hd_owner", True, True)
    assert october[5] == ["_pkey"]


_VALUES = st.one_of(
    st.integers(1, 9_999_999).map(lambda n: n / 100),
    st.integers(1, 10**9).map(lambda n: n / 10_000),
    st.floats(1e-4, 1e6),
    st.integers(1, 10**14).map(float),
    st.integers(50, 62).map(lambda power: 2.0**power),  # whole, but its shortest decimal is another whole number
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(prices=[2.0**59], volume=None)
@given(prices=st.lists(_VALUES, min_size=1, max_size=20), volume=st.one_of(st.none(), st.floats(0, 1e15)))
def test_the_stored_numeric_is_the_shortest_decimal_of_the_float(
    database: Database, warehouse_url: str, prices: list[float], volume: float | None
) -> None:
    opens = datetime(2025, 11, 3, 14, 30, tzinfo=UTC)
    frame = bars(["SPY"], [MONDAY], minutes=len(prices), day_bar=False).with_columns(
        pl.Series("timestamp", [opens + timedelta(minutes=n) for n in range(len(prices))]).cast(
            pl.Datetime("us", "UTC")
        ),
        *(pl.Series(name, prices) for name in ("open", "high", "low", "close")),
        volume=pl.lit(volume, pl.Float64),
        vwap=pl.Series(prices),
    )
    publish(database, frame)
    expected = [(Decimal(repr(p)), Decimal(repr(p)), None if volume is None else Decimal(repr(volume))) for p in prices]
    assert stored(warehouse_url, "open, vwap, volume") == expected


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_loads_may_be_repeated_and_come_in_any_order(
    database: Database, warehouse_url: str, data: st.DataObject
) -> None:
    parts = [
        bars(symbols, [day]) for symbols in (["SPY"], ["QQQ", "IWM"]) for day in (LAST_OF_OCTOBER, MONDAY, TUESDAY)
    ]
    with psycopg.connect(warehouse_url) as connection:
        connection.execute("DELETE FROM historical_bars")
    order = data.draw(st.permutations([*range(len(parts)), *data.draw(st.lists(st.integers(0, 5), max_size=3))]))
    for position in order:
        way = data.draw(st.sampled_from(list(Method)))
        shuffled = parts[position].sample(fraction=1.0, shuffle=True, seed=position)
        publish(database, shuffled, method=way)
    with Database(warehouse_url) as again:
        read = read_bars(again, None, None, LAST_OF_OCTOBER, TUESDAY)
    assert read.equals(pl.concat(parts).sort("symbol", "timeframe", "timestamp"))
