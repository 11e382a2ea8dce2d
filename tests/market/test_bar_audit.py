"""The audit before publication: exactly one symbol's session is withheld for a defect."""

import math
from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.market.bar_audit import (
    audit,
    find_incomplete_sessions,
    find_missing_sessions,
    measure_coverage,
    withhold_broken_sessions,
)
from hd_pipelines.market.bars import build_hours_frame, derive_intraday_bars
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions
from hd_pipelines.tables.vocabulary import Rule, Severity
from tests.support.installation import SESSIONS, minute_rows

SYMBOLS = ("AAPL", "MSFT", "SPY", "TSLA")
LAST = SESSIONS[-1]
HALF_DAY = date(2025, 11, 28)
NO_HISTORY = pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date, "share": pl.Float64})
DEFECTS = {
    Rule.PRICE_NOT_FINITE: {"open": math.nan},
    Rule.PRICE_NOT_POSITIVE: {"low": -0.01},
    Rule.HIGH_BELOW_LOW: {"high": 1.0, "low": 2.0, "open": 1.5, "close": 1.5},
    Rule.PRICE_OUTSIDE_RANGE: {"close": 9e6},
    Rule.VOLUME_NEGATIVE: {"volume": -1.0},
}


def bars(sessions=SESSIONS, symbols=SYMBOLS, keep=None) -> pl.DataFrame:
    """Bars of complete minutes; `keep(symbol, session)` gives the range of minutes that there are."""
    parts = []
    for session in sessions:
        rows = minute_rows(session, symbols).rename({"ticker": "symbol"}).with_columns(session=pl.lit(session))
        minute = pl.int_range(pl.len()).over("symbol")
        for symbol in symbols:
            kept = keep(symbol, session) if keep else None
            if kept is not None:
                rows = (
                    rows.with_columns(minute=minute)
                    .filter((pl.col("symbol") != symbol) | pl.col("minute").is_in(list(kept)))
                    .drop("minute")
                )
        parts.append(rows)
    return derive_intraday_bars(pl.concat(parts), build_hours_frame(sessions))


def with_defect(frame: pl.DataFrame, symbol: str, session: date, timeframe: str = "5m", **changed) -> pl.DataFrame:
    """The first bar of `symbol` in `session` changed."""
    here = (pl.col("symbol") == symbol) & (pl.col("session") == session) & (pl.col("timeframe") == timeframe)
    here &= pl.col("timestamp") == pl.col("timestamp").filter(here).min()
    return frame.with_columns(pl.when(here).then(pl.lit(v)).otherwise(pl.col(k)).alias(k) for k, v in changed.items())


def verdict(frame, sessions=SESSIONS, earlier=NO_HISTORY):
    return audit(frame, build_hours_frame(sessions), earlier)


def pairs(frame) -> set:
    return set(frame.select("symbol", "session").iter_rows())


def test_sound_bars_are_all_accepted():
    frame = bars()
    audited = verdict(frame)
    assert audited.findings == ()
    assert audited.accepted.equals(frame)


@pytest.mark.parametrize("rule", DEFECTS)
@pytest.mark.parametrize("timeframe", ["1m", "4h"])
def test_a_bad_bar_costs_that_symbols_session_and_nothing_else(rule, timeframe):
    frame = with_defect(bars(), "SPY", LAST, timeframe, **DEFECTS[rule])
    audited = verdict(frame)
    assert rule in {found.rule for found in audited.findings}
    assert {(found.severity, found.subject, found.session, found.rows) for found in audited.findings} == {
        (Severity.ERROR, "SPY", LAST, 1)
    }
    assert set(audited.withheld.iter_rows()) == {("SPY", LAST)}
    assert pairs(frame) - pairs(audited.accepted) == {("SPY", LAST)}
    assert audited.accepted.equals(frame.filter((pl.col("symbol") != "SPY") | (pl.col("session") != LAST)))


def test_infinity_is_no_price():
    audited = verdict(with_defect(bars(), "SPY", LAST, high=math.inf))
    assert [found.rule for found in audited.findings] == [Rule.PRICE_NOT_FINITE]


def test_a_missing_price_is_not_finite():
    audited = verdict(with_defect(bars(), "SPY", LAST, close=None))
    assert [found.rule for found in audited.findings] == [Rule.PRICE_NOT_FINITE]


def test_a_bar_that_is_there_twice_is_kept_back():
    frame = bars()
    audited = verdict(pl.concat([frame, frame.filter(pl.col("symbol") == "SPY").head(1)]))
    assert [(found.rule, found.rows) for found in audited.findings] == [(Rule.ROW_DUPLICATED, 2)]
    assert audited.withheld.rows() == [("SPY", SESSIONS[0])]


def test_a_finding_names_the_first_bad_bar():
    audited = verdict(with_defect(bars(), "SPY", LAST, "1h", close=9e6))
    assert "1h 13:30 UTC" in audited.findings[0].detail
    assert "close 9000000.0" in audited.findings[0].detail


@given(
    st.sets(
        st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(SESSIONS[-3:]), st.sampled_from(sorted(DEFECTS))),
        max_size=4,
    )
)
@settings(max_examples=15, deadline=None)
def test_whatever_is_broken_exactly_the_broken_pairs_are_kept_back(broken):
    frame = sound = bars(SESSIONS[-3:])
    for symbol, session, rule in sorted(broken):
        frame = with_defect(frame, symbol, session, **DEFECTS[rule])
    audited = verdict(frame, SESSIONS[-3:])
    lost = {(symbol, session) for symbol, session, _ in broken}
    assert set(audited.withheld.iter_rows()) == lost
    assert pairs(audited.accepted) == pairs(sound) - lost


def test_a_halted_symbol_is_reported_and_published():
    def halted(symbol, session):
        return range(60, 390) if (symbol, session) == ("SPY", LAST) else None

    frame = bars(keep=halted)
    audited = verdict(frame)
    (found,) = audited.findings
    assert (found.rule, found.severity, found.subject) == (Rule.SESSION_INCOMPLETE, Severity.WARNING, "SPY")
    assert "330 of 390 minutes; starts 60 min after the open, ends 0 min before the close" in found.detail
    assert found.rows == 60
    assert audited.accepted.equals(frame)


def test_a_thin_session_is_reported_and_published():
    audited = verdict(bars(keep=lambda symbol, session: range(0, 390, 2) if symbol == "SPY" else None))
    assert {(found.rule, found.severity, found.subject) for found in audited.findings} == {
        (Rule.SESSION_INCOMPLETE, Severity.WARNING, "SPY")
    }
    assert len(audited.findings) == len(SESSIONS)


def test_a_file_that_ends_early_for_most_symbols_is_kept_back_for_those_it_cuts():
    """240 of 390 minutes is within the usual bounds; that most symbols stop at once is not."""

    def cut(symbol, session):
        return range(240) if session == LAST and symbol != "TSLA" else None

    audited = verdict(bars(keep=cut))
    assert {(found.rule, found.severity) for found in audited.findings} == {(Rule.SESSION_INCOMPLETE, Severity.ERROR)}
    assert set(audited.withheld.iter_rows()) == {(symbol, LAST) for symbol in SYMBOLS if symbol != "TSLA"}


def test_one_symbol_alone_is_halted_and_no_cut_off_file():
    """A thinly traded symbol that joins the watchlist is compared with itself only."""
    audited = verdict(bars(symbols=["SPY"], keep=lambda symbol, session: range(45, 390)))
    assert {found.severity for found in audited.findings} == {Severity.WARNING}
    assert audited.withheld.is_empty()


def test_index_files_are_validated_apart_from_stock_files():
    symbols = (*SYMBOLS, "SPX", "NDX")

    def cut(symbol, session):
        return range(240) if session == LAST and symbol in {"SPX", "NDX"} else None

    audited = verdict(bars(symbols=symbols, keep=cut))
    assert set(audited.withheld.iter_rows()) == {("SPX", LAST), ("NDX", LAST)}


@pytest.mark.parametrize(
    ("minutes", "is_kept_back"), [(194, True), (195, False), (389, False)], ids=["below half", "half", "nearly all"]
)
def test_half_the_usual_minutes_is_the_limit(minutes, is_kept_back):
    def spread(symbol, session):  # over the whole session, so that nothing is cut off at an edge
        return [390 * step // minutes for step in range(minutes)] if (symbol, session) == ("SPY", LAST) else None

    audited = verdict(bars(keep=spread))
    assert audited.withheld.rows() == ([("SPY", LAST)] if is_kept_back else [])
    if is_kept_back:
        assert (audited.findings[0].rule, audited.findings[0].severity) == (Rule.ROW_COUNT_UNUSUAL, Severity.ERROR)
        assert "194 of 390 minutes, 0.50 times the usual share" in audited.findings[0].detail


@pytest.mark.parametrize(("usual", "is_kept_back"), [(0.499, True), (0.5, False), (0.501, False)])
def test_twice_the_usual_minutes_is_the_limit(usual, is_kept_back):
    history = history_of("SPY", LAST, usual)
    audited = verdict(bars([LAST]), [LAST], history)
    assert audited.withheld.rows() == ([("SPY", LAST)] if is_kept_back else [])


def history_of(symbol: str, before: date, share: float, count: int = 20) -> pl.DataFrame:
    sessions = list_last_sessions(before, count + 1)[:-1]
    return pl.DataFrame({"symbol": symbol, "session": sessions, "share": share}, schema=NO_HISTORY.schema)


def test_the_median_takes_no_notice_of_one_odd_session():
    history = history_of("SPY", LAST, 1.0).with_columns(
        share=pl.when(pl.int_range(pl.len()) == 3).then(0.01).otherwise(pl.col("share"))
    )
    assert verdict(bars([LAST]), [LAST], history).findings == ()


def test_twenty_sessions_are_the_measure_and_no_older_one():
    older = history_of("SPY", LAST, 1.0, count=25)
    recent = history_of("SPY", LAST, 0.3)
    mixed = pl.concat([older.join(recent, on="session", how="anti"), recent])
    covered = measure_coverage(bars([LAST], ["SPY"]), build_hours_frame([LAST]), mixed)
    assert covered["usual_share"].to_list() == [0.3]


def test_with_fewer_than_five_sessions_nothing_is_usual():
    covered = measure_coverage(bars([LAST], ["SPY"]), build_hours_frame([LAST]), history_of("SPY", LAST, 0.1, count=4))
    assert covered.select("usual_share", "ratio").row(0) == (None, None)
    assert find_incomplete_sessions(covered) == []


def test_a_half_day_is_not_unusual():
    sessions = list_last_sessions(HALF_DAY, 10)
    assert get_regular_hours(HALF_DAY).minutes == 210
    audited = verdict(bars(sessions), sessions)
    assert audited.findings == ()
    after = list_last_sessions(date(2025, 12, 5), 6)
    assert verdict(bars(after), after).findings == ()


def test_coverage_states_what_there_is():
    frame = bars(sessions=[HALF_DAY], symbols=["SPY"], keep=lambda *_: range(5, 200))
    covered = measure_coverage(frame, build_hours_frame([HALF_DAY]), NO_HISTORY).row(0, named=True)
    assert (covered["minutes_found"], covered["minutes_expected"]) == (195, 210)
    assert (covered["late_minutes"], covered["early_minutes"]) == (5, 10)
    assert covered["share"] == 195 / 210


def test_a_missing_session_is_one_finding_and_a_missing_symbol_another():
    have = pl.DataFrame(
        [(symbol, SESSIONS[0]) for symbol in SYMBOLS] + [("SPY", SESSIONS[2])],
        schema={"symbol": pl.String, "session": pl.Date},
        orient="row",
    )
    found = find_missing_sessions(have, SYMBOLS, SESSIONS[:3])
    assert [(f.rule, f.session, f.subject, f.severity) for f in found] == [
        (Rule.SESSION_MISSING, SESSIONS[1], "all symbols", Severity.ERROR),
        *((Rule.SYMBOL_MISSING, SESSIONS[2], symbol, Severity.WARNING) for symbol in ("AAPL", "MSFT", "TSLA")),
    ]


def test_an_empty_watchlist_misses_nothing():
    assert find_missing_sessions(pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date}), [], SESSIONS) == []


def test_the_same_fault_from_two_validators_counts_once():
    def finding(detail):
        return Finding(Rule.HIGH_BELOW_LOW, Severity.ERROR, "historical_bars", LAST, "SPY", detail, "Look.")

    audited = withhold_broken_sessions(bars(), (finding("first"), finding("second")))
    assert [found.detail for found in audited.findings] == ["first"]
    assert audited.withheld.rows() == [("SPY", LAST)]
