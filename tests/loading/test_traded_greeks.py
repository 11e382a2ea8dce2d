"""Greeks out of option bars for sessions without a chain: what is published, what gives way, and what is left alone."""

from __future__ import annotations

import polars as pl
import pytest

from hd_pipelines.checks.greeks_suite import build_greeks_suite
from hd_pipelines.checks.withholding import make_validator
from hd_pipelines.lake import Lake
from hd_pipelines.loading.derived import greeks as greeks_loading
from hd_pipelines.loading.derived.traded_greeks import refresh_traded_greeks
from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, get_regular_hours
from hd_pipelines.providers.massive.flat_files.layout import (
    DATASETS,
    INDEX_DAY,
    INDEX_MINUTE,
    OPTION_DAY,
    OPTION_MINUTE,
    STOCK_DAY,
    STOCK_MINUTE,
    FlatFileDataset,
)
from hd_pipelines.sandbox.market.sessions import build_synthetic_session
from tests.support.installation import rows, vendor_object
from tests.support.option_installation import OPTION_SESSIONS, OPTION_SYMBOLS

SEED = 7
SESSION, NEXT = OPTION_SESSIONS[2:]
PAIRS = {(symbol, session) for symbol in OPTION_SYMBOLS for session in (SESSION, NEXT)}
MINUTES = (STOCK_MINUTE, OPTION_MINUTE, INDEX_MINUTE)
CURVE = pl.DataFrame({"date": [SESSION] * 2, "years": [1 / 12, 1.0], "rate": [0.04, 0.04]})
pytestmark = pytest.mark.slow


def of_few_symbols(frame: pl.DataFrame) -> pl.DataFrame:
    """Of options only those on AAPL and SPX, and on AMD, which nobody watches."""
    name = pl.col("ticker")
    return frame.filter(name.str.contains(r"^O:(AAPL|SPXW?|AMD1?)\d{6}[CP]") | ~name.str.starts_with("O:"))


@pytest.fixture(scope="module")
def market() -> dict[tuple[FlatFileDataset, object], pl.DataFrame]:
    made = {}
    for session in (SESSION, NEXT):
        for dataset, frame in build_synthetic_session(SEED, session).items():
            made[dataset, session] = of_few_symbols(frame)
    return made


@pytest.fixture
def deliver(market):
    """Land files of both sessions and bring them into the lake of an installation."""

    def deliver(option_installation, datasets=DATASETS, *, until_minute=None):
        installation = option_installation.installation
        for (dataset, session), frame in market.items():
            if dataset not in datasets:
                continue
            bars = frame
            if until_minute is not None and dataset in MINUTES:
                end = get_regular_hours(session).opens_at_ns + until_minute * NANOSECONDS_PER_MINUTE
                bars = frame.filter(pl.col("window_start") < end)
            installation.land(dataset, session, vendor_object(bars, dataset, session))
        installation.to_lake((SESSION, NEXT))
        installation.lake.treasury_yields.merge(CURVE)
        return option_installation

    return deliver


def to_traded(option_installation, sessions=(SESSION, NEXT), symbols=OPTION_SYMBOLS, **options):
    installation = option_installation.installation
    return refresh_traded_greeks(
        installation.database, installation.lake, symbols=symbols, sessions=sessions, **options
    )


def sources(option_installation):
    """Which kind of price each symbol's session is made of."""
    return rows(
        option_installation.installation.url,
        "select symbol, session, string_agg(distinct price_source, ' '), string_agg(distinct kind, ' ')"
        " from historical_greeks group by 1, 2 order by 1, 2",
    )


def test_every_contract_that_traded_has_its_last_bar_valued_and_a_second_refresh_does_nothing(
    option_installation, deliver, market
):
    deliver(option_installation)
    report = to_traded(option_installation, validate=make_validator(build_greeks_suite()))
    assert (report.published, report.withheld, report.up_to_date) == (len(PAIRS), 0, 0)
    bars = market[OPTION_MINUTE, SESSION].filter(pl.col("ticker").str.contains(r"^O:(AAPL|SPX)"))
    last = (
        bars.sort("window_start").group_by("ticker").agg(pl.col("window_start", "close").last(), pl.col("volume").sum())
    )
    expected = {
        (ticker, begins // NANOSECONDS_PER_MINUTE + 1, close, int(volume))
        for ticker, begins, close, volume in last.iter_rows()
    }
    stored = rows(
        option_installation.installation.url,
        "select contract_ticker, (extract(epoch from timestamp) / 60)::bigint, last::float, volume, price_source, kind,"
        " price_age_seconds >= 60, iv_rank, iv_percentile from historical_greeks where session = %s",
        SESSION,
    )
    assert {row[:4] for row in stored} == expected
    assert len(stored) == len(expected)
    assert {row[4:] for row in stored} == {("option_minute_aggs", "intraday", True, None, None)}
    answered = rows(
        option_installation.installation.url,
        "select symbol, avg((implied_volatility is not null)::int)::float from historical_greeks group by 1",
    )
    assert min(share for _, share in answered) > 0.6

    before = option_installation.versions("historical_greeks")
    again = to_traded(option_installation)
    assert (again.rows, again.published, again.up_to_date) == (0, 0, len(PAIRS))
    assert option_installation.versions("historical_greeks") == before


def test_volatilities_are_near_those_of_the_chain(option_installation, deliver):
    deliver(option_installation)
    to_traded(option_installation)
    query = (
        "select contract_ticker, implied_volatility from historical_greeks"
        " where abs(delta) between 0.25 and 0.75 and dte > 7 and session = %s"
    )
    traded = dict(rows(option_installation.installation.url, query, SESSION))
    option_installation.refresh([SESSION, NEXT])
    chain = dict(rows(option_installation.installation.url, query, SESSION))
    both = traded.keys() & chain.keys()
    apart = pl.Series([abs(traded[name] - chain[name]) for name in both])
    assert len(both) > 50
    assert apart.median() < 0.02


def test_day_bars_stand_in_where_there_are_no_minutes_and_give_way_to_them(option_installation, deliver):
    deliver(option_installation, (OPTION_DAY, STOCK_DAY, INDEX_DAY, STOCK_MINUTE, INDEX_MINUTE))
    to_traded(option_installation)
    assert sources(option_installation) == [(*pair, "option_day_aggs", "close") for pair in sorted(PAIRS)]
    deliver(option_installation)
    assert to_traded(option_installation).published == len(PAIRS)
    assert sources(option_installation) == [(*pair, "option_minute_aggs", "intraday") for pair in sorted(PAIRS)]


def test_shares_need_their_own_bars_and_an_index_lives_on_parity(option_installation, deliver):
    deliver(option_installation, (OPTION_DAY,))
    assert to_traded(option_installation).published == 2
    assert {row[0] for row in sources(option_installation)} == {"SPX"}
    (known,) = rows(
        option_installation.installation.url,
        "select count(implied_volatility), count(underlying_price) from historical_greeks",
    )
    assert known[0] > 50
    assert known[1] == 0


def test_a_session_with_a_chain_is_left_alone_and_nothing_is_read(option_installation, deliver, monkeypatch):
    deliver(option_installation)
    option_installation.refresh([SESSION, NEXT])
    before = option_installation.versions("historical_greeks")
    manifest = option_installation.manifest()

    def refuse(*_given, **_named):
        raise AssertionError("the lake was read")

    monkeypatch.setattr(Lake, "read", refuse)
    report = to_traded(option_installation)
    assert (report.rows, report.published, report.up_to_date) == (0, 0, 0)
    assert option_installation.versions("historical_greeks") == before
    assert option_installation.manifest() == manifest


def test_a_chain_that_comes_later_replaces_all_that_was_valued_from_bars(make_option_installation, deliver):
    bars_first, never_bars = deliver(make_option_installation()), deliver(make_option_installation(), ())
    assert to_traded(bars_first).published == len(PAIRS)
    bars_first.refresh([SESSION, NEXT])
    never_bars.refresh([SESSION, NEXT])
    for table in ("historical_greeks", "iv_percentile_cache", "gamma_exposure_snapshots"):
        assert bars_first.contents(table) == never_bars.contents(table)
    assert bars_first.manifest() == never_bars.manifest()
    settled = bars_first.versions("historical_greeks")
    assert to_traded(bars_first).published == bars_first.to_greeks([SESSION, NEXT]).published == 0
    assert bars_first.versions("historical_greeks") == settled


def test_a_first_chain_beside_one_that_only_grew_still_replaces_its_whole_session(
    option_installation, deliver, monkeypatch
):
    deliver(option_installation)
    symbols, option_installation.symbols = option_installation.symbols, ("SPX",)
    option_installation.to_lake([SESSION])
    option_installation.to_greeks([SESSION])
    option_installation.symbols = symbols
    assert to_traded(option_installation, [SESSION]).published == 1
    assert {(row[0], row[2]) for row in sources(option_installation)} == {
        ("AAPL", "option_minute_aggs"),
        ("SPX", "chain_archive"),
    }
    option_installation.to_lake([SESSION])
    found = greeks_loading.find_outdated

    def grown(wanted, stored):
        """As if SPX had another snapshot that stays as it is."""
        due = found(wanted, stored)
        again = found({pair: marks for pair, marks in wanted.items() if pair[0] == "SPX"}, {})
        return type(due)(
            pl.concat([due.scope, again.scope]), {**due.fingerprints, **again.fingerprints}, due.whole, due.up_to_date
        )

    monkeypatch.setattr(greeks_loading, "find_outdated", grown)
    assert option_installation.to_greeks([SESSION]).published == 2
    assert {(row[0], row[2]) for row in sources(option_installation)} == {
        ("AAPL", "chain_archive"),
        ("SPX", "chain_archive"),
    }


def test_rows_of_a_chain_that_is_gone_from_the_lake_are_not_replaced_by_bars(option_installation, deliver):
    deliver(option_installation)
    option_installation.refresh([SESSION, NEXT])
    for file in sorted((option_installation.installation.folder.parent / "lake" / "option_chains").rglob("*.parquet")):
        file.unlink()
    assert to_traded(option_installation).published == 0
    assert {row[2] for row in sources(option_installation)} == {"chain_archive"}


def test_percentiles_gamma_and_ranks_pass_over_what_was_valued_from_bars(make_option_installation, deliver):
    with_bars, without = deliver(make_option_installation()), deliver(make_option_installation(), ())
    chained = [session for session in OPTION_SESSIONS if session != SESSION]
    for installation in (with_bars, without):
        for symbol in OPTION_SYMBOLS:
            (installation.archive / "chains" / symbol / f"{SESSION}.parquet").unlink()
    with_bars.to_lake(OPTION_SESSIONS)
    assert to_traded(with_bars).published == len(OPTION_SYMBOLS)
    for installation in (with_bars, without):
        installation.refresh(OPTION_SESSIONS)
    for table in ("iv_percentile_cache", "gamma_exposure_snapshots"):
        assert with_bars.contents(table) == without.contents(table)
    dates = rows(with_bars.installation.url, "select distinct date from iv_percentile_cache order by 1")
    assert [day for (day,) in dates] == chained
    assert {row[1] for row in sources(with_bars)} == set(OPTION_SESSIONS)


def test_no_row_knows_a_bar_after_its_stamp(make_option_installation, deliver):
    whole, cut = deliver(make_option_installation()), deliver(make_option_installation(), until_minute=200)
    for installation in (whole, cut):
        to_traded(installation)
    answers = "select (to_jsonb(held) - 'created_at' - 'updated_at')::text from historical_greeks as held"
    known = set(rows(cut.installation.url, answers))
    end = (
        get_regular_hours(SESSION).opens_at
        + (get_regular_hours(SESSION).closes_at - get_regular_hours(SESSION).opens_at) * 200 / 390
    )
    early = set(rows(whole.installation.url, f"{answers} where session = %s and timestamp <= %s", SESSION, end))
    assert len(early) > 100
    assert early <= known


def test_only_a_republished_file_is_valued_again(option_installation, deliver, market):
    deliver(option_installation)
    to_traded(option_installation)
    untouched = rows(
        option_installation.installation.url,
        "select ctid::text, tableoid::text from historical_greeks where session = %s",
        NEXT,
    )
    dearer = market[OPTION_MINUTE, SESSION].with_columns(pl.col("open", "high", "low", "close") * 1.01)
    option_installation.installation.land(OPTION_MINUTE, SESSION, vendor_object(dearer, OPTION_MINUTE, SESSION))
    option_installation.installation.to_lake((SESSION, NEXT))
    again = to_traded(option_installation)
    assert (again.published, again.up_to_date) == (2, 2)
    now = rows(
        option_installation.installation.url,
        "select ctid::text, tableoid::text from historical_greeks where session = %s",
        NEXT,
    )
    assert sorted(now) == sorted(untouched)


def test_a_symbol_without_options_is_looked_for_once(option_installation, deliver):
    deliver(option_installation)
    first = to_traded(option_installation, symbols=("VVIX", "GOOG"))
    assert (first.rows, first.published) == (0, 2)
    assert to_traded(option_installation, symbols=("VVIX", "GOOG")).up_to_date == 2
