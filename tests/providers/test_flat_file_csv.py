"""Text of a flat file: what is read, what is set aside, what is refused (faults F06 to F18, F25, F26)."""

import gzip
import math
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, compute_midnight_ns
from hd_pipelines.providers.errors import FileRefusedError
from hd_pipelines.providers.massive.bar_rules import compute_day_bounds_ns
from hd_pipelines.providers.massive.flat_files.gzip_stream import GzipLimits
from hd_pipelines.providers.massive.flat_files.layout import (
    INDEX_DAY,
    INDEX_MINUTE,
    OPTION_DAY,
    OPTION_MINUTE,
    STOCK_DAY,
    STOCK_MINUTE,
    AssetClass,
    FlatFileDataset,
)
from hd_pipelines.providers.massive.flat_files.reading import BAR_SCHEMA, FlatFileBars, read_flat_file
from hd_pipelines.tables.vocabulary import Rule, Severity
from tests.support.flat_files import HEADER, INDEX_HEADER, SESSION, good_rows, index_row, row, stamp, text

GOOD = good_rows(1000)
OPTION = "O:SPXW260522C07000000"


@pytest.fixture
def read(tmp_path):
    """Read rows (or a whole text) as a file of a dataset."""

    def read_it(
        rows: list[str] | bytes,
        dataset: FlatFileDataset = STOCK_MINUTE,
        *,
        header: str = HEADER,
        session: date = SESSION,
        limits: GzipLimits | None = None,
    ) -> FlatFileBars:
        path = tmp_path / "file.csv.gz"
        path.write_bytes(gzip.compress(rows if isinstance(rows, bytes) else text(rows, header), mtime=0))
        return read_flat_file(path, dataset, session, limits=limits)

    return read_it


def rules(read_file: FlatFileBars) -> set[Rule]:
    return {finding.rule for finding in read_file.findings}


def only_finding(read_file: FlatFileBars):
    (finding,) = read_file.findings
    return finding


def refusal(read, *args, **kwargs):
    with pytest.raises(FileRefusedError) as refused:
        read(*args, **kwargs)
    return refused.value.finding


# ── what is read ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sound_file_is_read_by_name_into_the_lakes_columns(read):
    file = read([row("SPY", minute=3, volume="31415.926535", transactions=125)])
    assert file.bars.schema == BAR_SCHEMA
    assert file.bars.row(0, named=True) == {
        "ticker": "SPY",
        "window_start": stamp(minute=3),
        "open": 215.03,
        "high": 216.36,
        "low": 213.675,
        "close": 214.96,
        "volume": 31415.926535,
        "transactions": 125,
    }
    assert (file.rows_in_file, file.rows_set_aside, file.findings) == (1, 0, ())


def test_an_index_file_has_no_volume_and_no_transactions(read):
    file = read([index_row(), index_row("I:VIX3M")], INDEX_MINUTE, header=INDEX_HEADER)
    assert file.bars["volume"].to_list() == [None, None]
    assert file.bars["transactions"].to_list() == [None, None]
    assert file.bars.schema == BAR_SCHEMA


@pytest.mark.parametrize("dataset", [STOCK_DAY, STOCK_MINUTE, OPTION_DAY, OPTION_MINUTE], ids=str)
def test_real_rows_of_the_vendor_are_sound(read, dataset):
    session = date(2026, 5, 22)
    sample = Path(__file__).parents[3] / "shared/data/massive_samples/flatfiles" / dataset.key(session)
    if not sample.is_file():
        pytest.skip(f"needs the vendor's sample {dataset.key(session)} in ../shared/data/massive_samples")
    lines = gzip.decompress(sample.read_bytes()).decode().splitlines()
    file = read(lines[1:], dataset, header=lines[0])
    assert file.findings == ()
    assert file.bars["window_start"].to_list() == [int(line.split(",")[6]) for line in lines[1:]]


def test_blocks_of_any_size_give_the_same_file(read):
    whole = read(GOOD)
    for block_bytes in (200, 1_000, 10_000):
        assert read(GOOD, limits=GzipLimits(block_bytes=block_bytes)).bars.equals(whole.bars)


@settings(max_examples=100, deadline=None)
@given(
    prices=st.lists(
        st.tuples(*[st.floats(1e-6, 1e7, allow_nan=False)] * 2, st.integers(0, 10**12), st.integers(0, 10**9)),
        min_size=1,
        max_size=40,
    )
)
def test_what_was_written_is_what_is_read(tmp_path_factory, prices):
    rows = [
        row("T", minute=n, open=a, close=b, high=max(a, b), low=min(a, b), volume=volume / 1000, transactions=trades)
        for n, (a, b, volume, trades) in enumerate(prices)
    ]
    path = tmp_path_factory.getbasetemp() / "round-trip.csv.gz"
    path.write_bytes(gzip.compress(text(rows), compresslevel=1))
    bars = read_flat_file(path, STOCK_MINUTE, SESSION).bars
    assert bars.select("open", "close", "volume", "transactions").rows() == [
        (a, b, volume / 1000, trades) for a, b, volume, trades in prices
    ]


@settings(max_examples=100, deadline=None)
@given(offsets=st.sets(st.integers(0, 86_399_999_999_999), min_size=1, max_size=50))
def test_nanoseconds_are_exact_to_the_last_digit(tmp_path_factory, offsets):
    stamps = [compute_midnight_ns(SESSION) + offset for offset in sorted(offsets)]
    path = tmp_path_factory.getbasetemp() / "nanoseconds.csv.gz"
    path.write_bytes(gzip.compress(text([row(window_start=ns) for ns in stamps]), compresslevel=1))
    assert read_flat_file(path, STOCK_MINUTE, SESSION).bars["window_start"].to_list() == stamps


# ── the file ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_f06_a_header_without_rows_is_refused(read):
    assert refusal(read, []).rule is Rule.NO_ROWS


def test_f06_a_file_without_text_is_refused(read):
    assert refusal(read, b"").rule is Rule.FILE_EMPTY
    assert refusal(read, b"\n").rule is Rule.FILE_EMPTY


def test_f07_columns_are_found_by_name_in_any_order(read):
    swapped = "window_start,low,high,close,open,volume,transactions,ticker"
    file = read([f"{stamp()},213.675,216.36,214.96,215.03,12,3,SPY"], header=swapped)
    assert file.bars.row(0) == ("SPY", stamp(), 215.03, 216.36, 213.675, 214.96, 12.0, 3)


@pytest.mark.parametrize("missing", ["ticker", "high", "window_start", "transactions"])
def test_f07_a_missing_column_is_refused_by_name(read, missing):
    names = [name for name in HEADER.split(",") if name != missing]
    finding = refusal(read, [",".join("1" * len(names))], header=",".join(names))
    assert finding.rule is Rule.COLUMN_MISSING
    assert missing in finding.detail


def test_f07_a_repeated_column_is_refused(read):
    finding = refusal(read, GOOD, header=HEADER.replace("low", "high"))
    assert finding.rule is Rule.COLUMN_DUPLICATED
    assert "high" in finding.detail


@pytest.mark.parametrize("extra", ["vwap", "row", "line", "rule"])
def test_f07_an_extra_column_is_reported_and_ignored(read, extra):
    file = read([f"{line},99.5" for line in GOOD], header=f"{HEADER},{extra}")
    assert file.bars.height == len(GOOD)
    assert only_finding(file).rule is Rule.COLUMN_EXTRA
    assert only_finding(file).severity is Severity.WARNING
    careful = read([f'{line},"99.5"' for line in GOOD], header=f"{HEADER},{extra}")
    assert careful.bars.equals(file.bars)


def test_f07_a_file_without_header_is_refused(read):
    assert refusal(read, GOOD[1:], header=GOOD[0]).rule is Rule.HEADER_WRONG


def test_f07_another_files_header_is_refused(read):
    assert refusal(read, GOOD, INDEX_MINUTE, header="date;value").rule is Rule.HEADER_WRONG


def test_f08_a_byte_order_mark_is_ignored(read):
    assert read(b"\xef\xbb\xbf" + text(GOOD)).bars.equals(read(GOOD).bars)


def test_f09_carriage_returns_before_line_feeds_are_ignored(read):
    assert read(text(GOOD, line_end="\r\n")).bars.equals(read(GOOD).bars)


def test_f09_a_single_line_that_ends_in_cr_lf_is_read(read):
    file = read(text([*GOOD[:-1], GOOD[-1] + "\r"]))
    assert file.bars.equals(read(GOOD).bars)


def test_f09_line_ends_of_carriage_returns_alone_are_refused(read):
    assert refusal(read, text(GOOD, line_end="\r")).rule is Rule.HEADER_WRONG


def test_f10_quoted_fields_are_unquoted(read):
    quoted = ['"' + line.replace(",", '","') + '"' for line in GOOD]
    header = '"' + HEADER.replace(",", '","') + '"'
    assert read(quoted, header=header).bars.equals(read(GOOD).bars)


def test_f10_a_line_feed_inside_quotes_costs_its_row_only(read):
    file = read([*GOOD, row('"SP\nY"')])
    assert file.bars.height == len(GOOD)
    assert file.rows_set_aside == 2
    assert rules(file) == {Rule.ROW_RAGGED, Rule.TICKER_MALFORMED}


def test_f10_a_thousands_separator_in_quotes_is_not_a_number(read):
    assert only_finding(read([*GOOD, row("TSLA", open='"1,150.03"')])).rule is Rule.VALUE_UNREADABLE


@pytest.mark.parametrize(
    ("line", "rule"), [(row("ZZ\0Z"), Rule.TICKER_MALFORMED), (row("Z", open="115\0"), Rule.VALUE_UNREADABLE)]
)
def test_f11_a_nul_byte_sets_its_row_aside(read, line, rule):
    file = read([*GOOD, line])
    assert (file.bars.height, file.rows_set_aside) == (len(GOOD), 1)
    assert only_finding(file).rule is rule


def test_f11_invalid_utf8_sets_its_row_aside(read):
    file = read(text(GOOD) + b"\xff\xfe" + row("X").encode() + b"\n")
    assert (file.bars.height, file.rows_set_aside) == (len(GOOD), 1)
    assert only_finding(file).rule is Rule.TEXT_NOT_UTF8
    assert only_finding(file).first_row == len(GOOD) + 1


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (row("X" * 10_000_000), Rule.TICKER_MALFORMED),
        (row("X", open="1" + "x" * 10_000_000), Rule.LINE_TOO_LONG),
        (row("X") + "," * 10_000_000, Rule.LINE_TOO_LONG),
    ],
)
def test_f12_a_line_of_ten_megabytes_sets_its_row_aside(read, line, rule):
    file = read([*GOOD, line])
    assert (file.bars.height, file.rows_set_aside) == (len(GOOD), 1)
    assert only_finding(file).rule is rule
    assert len(only_finding(file).detail) < 400


def test_f12_a_line_of_commas_is_not_given_to_polars(read, monkeypatch):
    # It would split the line into as many columns, at a second for each million.
    def parse(*_given, **_named):
        raise AssertionError

    monkeypatch.setattr(pl, "read_csv", parse)
    assert read([*GOOD, row("X") + "," * 10_000]).rows_set_aside == 1


@pytest.mark.parametrize("line", ["SPY,1,2", "", row() + ",9", row().rsplit(",", 1)[0], "," * 7 + ","])
def test_f13_a_ragged_row_is_set_aside(read, line):
    file = read([*GOOD, line, *good_rows(5, tickers=["TSLA"])])
    assert (file.bars.height, file.rows_set_aside) == (len(GOOD) + 5, 1)
    assert only_finding(file).rule is Rule.ROW_RAGGED
    assert only_finding(file).first_row == len(GOOD) + 1


@pytest.mark.parametrize("line_pair", [(row() + ",9", row().rsplit(",", 1)[0]), ("a,b", "c,d,e,f,g,h,i,j,k,l,m,n,o,p")])
def test_f13_ragged_rows_that_even_out_are_both_set_aside(read, line_pair):
    assert read([*GOOD, *line_pair]).rows_set_aside == 2


# ── the rows ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"open": "NaN"}, Rule.PRICE_NOT_FINITE),
        ({"low": "nan"}, Rule.PRICE_NOT_FINITE),
        ({"high": "inf"}, Rule.PRICE_NOT_FINITE),
        ({"low": "-inf"}, Rule.PRICE_NOT_FINITE),
        ({"close": "1e309"}, Rule.PRICE_NOT_FINITE),
        ({"open": ""}, Rule.VALUE_UNREADABLE),
        ({"open": '""'}, Rule.VALUE_UNREADABLE),
        ({"low": "null"}, Rule.VALUE_UNREADABLE),
        ({"low": "abc"}, Rule.VALUE_UNREADABLE),
        ({"low": "-113"}, Rule.PRICE_NOT_POSITIVE),
        ({"low": "0"}, Rule.PRICE_NOT_POSITIVE),
        ({"volume": "-1"}, Rule.VOLUME_NEGATIVE),
        ({"transactions": "-1"}, Rule.VOLUME_NEGATIVE),
        ({"volume": "NaN"}, Rule.VALUE_UNREADABLE),
        ({"volume": "inf"}, Rule.VALUE_UNREADABLE),
        ({"high": "113.0"}, Rule.HIGH_BELOW_LOW),
        ({"open": "216.3600001"}, Rule.PRICE_OUTSIDE_RANGE),
        ({"close": "113.67"}, Rule.PRICE_OUTSIDE_RANGE),
    ],
)
def test_f14_a_row_of_impossible_numbers_is_set_aside(read, changed, rule):
    file = read([*GOOD[:400], row("TSLA", **changed), *GOOD[400:]])
    assert (file.bars.height, file.rows_in_file, file.rows_set_aside) == (1000, 1001, 1)
    finding = next(finding for finding in file.findings if finding.rule is not Rule.ROWS_OUT_OF_ORDER)
    assert finding.rule is rule
    assert (finding.rows, finding.first_row, finding.severity) == (1, 401, Severity.ERROR)
    assert "TSLA" in finding.detail
    assert "TSLA" not in file.bars["ticker"]


def test_f14_open_and_close_may_touch_high_and_low(read):
    assert read([row(open="216.36", close="213.675")]).findings == ()


@pytest.mark.parametrize("name", ["volume", "transactions"])
def test_f14_an_empty_volume_or_count_becomes_null(read, name):
    file = read([row(**{name: ""}), row(minute=1)])
    assert file.findings == ()
    assert file.bars[name].is_null().to_list() == [True, False]


@pytest.mark.parametrize(
    "changed",
    [
        {"window_start": f"{stamp()}.0"},
        {"window_start": "1.7794566e18"},
        {"window_start": "9223372036854775808"},
        {"window_start": "-99999999999999999999"},
        {"transactions": "1.0"},
        {"transactions": "1e3"},
        {"transactions": "170141183460469231731687303715884105728"},
        {"window_start": ""},
    ],
)
def test_f15_an_invalid_integer_sets_its_row_aside(read, changed):
    file = read([*GOOD, row("TSLA", **changed)])
    assert file.rows_set_aside == 1
    assert only_finding(file).rule is Rule.VALUE_UNREADABLE


def test_f16_of_exact_copies_one_is_kept(read):
    file = read([*GOOD, GOOD[7], GOOD[7], GOOD[900]])
    assert file.bars.equals(read(GOOD).bars)
    finding = next(finding for finding in file.findings if finding.rule is Rule.ROW_DUPLICATED)
    assert (finding.rows, finding.first_row, finding.severity) == (3, 1001, Severity.WARNING)
    assert (file.rows_in_file, file.rows_set_aside) == (1003, 0)


def test_f16_a_file_written_twice_is_read_once(read):
    assert read(GOOD + GOOD).bars.equals(read(GOOD).bars)


def test_f16_a_key_with_two_sets_of_values_is_set_aside_entirely(read):
    conflict = row("TSLA", close="215"), row("TSLA", close="214"), row("TSLA", close="214")
    file = read([*GOOD, *conflict])
    assert file.bars.equals(read(GOOD).bars)
    finding = next(finding for finding in file.findings if finding.rule is Rule.KEY_CONFLICTING)
    assert (finding.rows, finding.first_row, finding.severity) == (2, 1001, Severity.ERROR)
    assert file.rows_in_file == file.bars.height + file.rows_set_aside + 1


def test_f17_rows_out_of_order_are_sorted_and_reported(read):
    file = read(GOOD[::-1])
    assert file.bars.equals(read(GOOD).bars)
    finding = only_finding(file)
    assert (finding.rule, finding.severity) == (Rule.ROWS_OUT_OF_ORDER, Severity.WARNING)
    assert (finding.rows, finding.first_row) == (999, 2)


def test_f17_times_may_begin_again_with_the_next_ticker(read):
    assert read([row("A", minute=9), row("B", minute=1), row("B", minute=2), row("C", minute=0)]).findings == ()


def test_f17_a_single_earlier_time_inside_a_ticker_is_seen(read):
    file = read([row("A", minute=2), row("A", minute=1), row("B", minute=0)])
    assert only_finding(file).rule is Rule.ROWS_OUT_OF_ORDER
    assert file.bars["window_start"].to_list() == [stamp(minute=1), stamp(minute=2), stamp()]


@pytest.mark.parametrize("away", [-timedelta(days=1), timedelta(days=1), timedelta(days=-365), timedelta(days=365)])
def test_f18_a_row_of_another_date_is_set_aside(read, away):
    file = read([*GOOD, row("TSLA", window_start=stamp() + int(away.total_seconds()) * 10**9)])
    assert only_finding(file).rule is Rule.FOREIGN_DATE
    assert only_finding(file).first_row == 1001


@pytest.mark.parametrize(("divisor", "unit"), [(10**9, "seconds"), (10**6, "milliseconds"), (10**3, "microseconds")])
def test_f18_a_file_in_another_unit_of_time_is_refused_and_the_unit_named(read, divisor, unit):
    finding = refusal(read, [row(minute=n, window_start=stamp(minute=n) // divisor) for n in range(100)])
    assert finding.rule is Rule.FOREIGN_DATE
    assert unit in finding.detail


@pytest.mark.parametrize("first", [0, 1])
def test_f18_the_first_and_last_nanosecond_of_the_day_belong_to_it(read, first):
    begins, ends = compute_day_bounds_ns(AssetClass.STOCK, SESSION)
    inside, outside = (begins, begins - 1) if first else (ends - 1, ends)
    file = read([*GOOD, row("TSLA", window_start=inside), row("TSLB", window_start=outside)])
    assert "TSLA" in file.bars["ticker"]
    assert "TSLB" not in file.bars["ticker"]


def test_one_percent_of_bad_rows_is_tolerated_and_no_more(read):
    bad = [row("TSLA", minute=n, low="0") for n in range(11)]
    assert read([*GOOD[:990], *bad[:10]]).rows_set_aside == 10
    finding = refusal(read, [*GOOD[:989], *bad])
    assert (finding.rule, finding.rows, finding.severity) == (Rule.PRICE_NOT_POSITIVE, 11, Severity.ERROR)


def test_a_small_file_survives_a_few_bad_rows_but_not_without_a_good_one(read):
    assert read([row("A"), row("B", low="0")]).bars["ticker"].to_list() == ["A"]
    assert refusal(read, [row("B", low="0")]).rule is Rule.PRICE_NOT_POSITIVE


def test_a_finding_is_one_per_rule_however_many_blocks_show_it(read):
    bad = [row("TSLA", minute=n, low="0") for n in range(4)] + [row("TSLB", minute=n, open="NaN") for n in range(2)]
    file = read([*GOOD, *bad], limits=GzipLimits(block_bytes=200))
    found = {finding.rule: (finding.rows, finding.first_row) for finding in file.findings}
    assert found == {Rule.PRICE_NOT_POSITIVE: (4, 1001), Rule.PRICE_NOT_FINITE: (2, 1005)}


# ── tickers ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ticker", ["NA", "NULL", "TRUE", "INF", "NAN", "BRK.B", "BACpA", "AACT.WS", "A"])
def test_f25_a_stock_may_be_called_that(read, ticker):
    file = read([row(ticker)])
    assert file.bars["ticker"].to_list() == [ticker]
    assert file.findings == ()


@pytest.mark.parametrize(
    "ticker", ["O:BRKB260522C00400000", "O:TSLA1260522P00012500", "O:SPXW260522C07000000", "O:A260522C00000500"]
)
def test_f25_adjusted_roots_and_odd_strikes_are_options(read, ticker):
    assert read([row(ticker)], OPTION_MINUTE).bars["ticker"].to_list() == [ticker]


@pytest.mark.parametrize(
    ("dataset", "ticker"),
    [
        (STOCK_MINUTE, "spy"),
        (STOCK_MINUTE, ""),
        (STOCK_MINUTE, "S\u0420Y"),
        (STOCK_MINUTE, "../x"),
        (STOCK_MINUTE, " SPY"),
        (STOCK_MINUTE, "I:SPX"),
        (OPTION_MINUTE, "O:AAPL211022C000150000"),
        (OPTION_MINUTE, "SPY"),
        (OPTION_MINUTE, "O:spxw260522C07000000"),
        (INDEX_MINUTE, "SPX"),
    ],
)
def test_f25_what_is_no_name_of_its_class_is_set_aside(read, dataset, ticker):
    good, header, name = (index_row, INDEX_HEADER, "I:VIX") if dataset is INDEX_MINUTE else (row, HEADER, "SPY")
    name = OPTION if dataset is OPTION_MINUTE else name
    file = read([good(name), good(ticker)], dataset, header=header)
    assert file.bars["ticker"].to_list() == [name]
    finding = next(finding for finding in file.findings if finding.rule is not Rule.ROWS_OUT_OF_ORDER)
    assert finding.rule is Rule.TICKER_MALFORMED


# ── clocks ────────────────────────────────────────────────────────────────────────────────────────────────────────

DST_BEGINS, DST_ENDS = date(2026, 3, 8), date(2026, 11, 1)  # Sundays; the calendar day is 23 and 25 hours long


@pytest.mark.parametrize(("day", "hours"), [(DST_BEGINS, 23), (DST_ENDS, 25), (SESSION, 24)])
def test_f26_a_day_has_the_length_of_its_clock_change(day, hours):
    begins, ends = compute_day_bounds_ns(AssetClass.STOCK, day)
    assert ends - begins == hours * 60 * NANOSECONDS_PER_MINUTE


@pytest.mark.parametrize("session", [date(2026, 3, 6), date(2026, 3, 9), date(2026, 10, 30), date(2026, 11, 2)])
def test_f26_sessions_around_a_change_of_clocks_keep_their_rows(read, session):
    extended = [compute_midnight_ns(session) + hour * 60 * NANOSECONDS_PER_MINUTE for hour in (4, 9, 19)]
    file = read([row(window_start=ns) for ns in extended], session=session)
    assert file.bars["window_start"].to_list() == extended
    assert file.findings == ()


@pytest.mark.parametrize("dataset", [STOCK_DAY, OPTION_DAY, INDEX_DAY])
@pytest.mark.parametrize("zone_hour", [0, 1])
def test_f26_a_day_bar_may_be_stamped_at_midnight_of_new_york_or_chicago(read, dataset, zone_hour):
    at = compute_midnight_ns(SESSION) + zone_hour * 60 * NANOSECONDS_PER_MINUTE
    lines, header = {
        STOCK_DAY: ([row("SPY", window_start=at)], HEADER),
        OPTION_DAY: ([row(OPTION, window_start=at)], HEADER),
        INDEX_DAY: ([index_row("I:AAVE100", window_start=at)], INDEX_HEADER),
    }[dataset]
    assert read(lines, dataset, header=header).findings == ()


def test_f26_a_stock_day_stamped_at_the_close_is_of_that_day(read):
    assert (
        read([row(window_start=compute_midnight_ns(SESSION) + 16 * 60 * NANOSECONDS_PER_MINUTE)], STOCK_DAY).findings
        == ()
    )


def test_f26_a_half_day_needs_no_special_care_to_be_read(read):
    half = date(2025, 11, 28)
    assert read(good_rows(210, tickers=["SPY"], session=half), session=half).findings == ()


# ── real samples of the layout, taken from public documentation ───────────────────────────────────────────────────


def test_prices_are_the_nearest_doubles_of_their_text(read):
    texts = ["0.1", "16.2", "215.030000", "0.000001", "640.1234567", "1e-5", "99999.999"]
    for value in texts:
        bar = read([row(open=value, close=value, high=value, low=value)]).bars
        assert bar["open"].item() == float(value)


def test_no_value_of_a_sound_file_is_null_or_nan(read):
    bars = read(GOOD).bars
    assert sum(bars.null_count().row(0)) == 0
    assert not any(math.isnan(value) for value in bars["close"])


def test_memory_does_not_grow_with_the_text_of_ignored_columns(read, tmp_path: Path):
    file = read([f"{line},{'x' * 2000}" for line in GOOD], header=f"{HEADER},comment")
    assert file.bars.select(pl.all()).estimated_size() < 200 * len(GOOD)
