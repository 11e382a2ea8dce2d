"""From chains in an archive to Greeks, percentiles and gamma: once, again, changed, cut short, and killed on the way."""

import polars as pl
import pytest

from hd_pipelines.analytics import iv_percentile
from hd_pipelines.analytics.gamma_exposure import compute_gamma_exposure
from hd_pipelines.loading.derived import gamma as gamma_loading
from hd_pipelines.loading.derived import greeks as greeks_loading
from hd_pipelines.loading.derived import iv_percentiles as percentile_loading
from hd_pipelines.loading.derived.fingerprints import decode_marks, encode_marks, find_outdated
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import get_regular_hours
from hd_pipelines.tables.vocabulary import Rule, Severity
from tests.support.installation import open_small_installation, rows
from tests.support.option_installation import (
    ALL_SESSIONS,
    OPTION_SESSIONS,
    OPTION_SYMBOLS,
    THIN_SESSIONS,
    OptionInstallation,
)

GAMMA_TABLES = ("gamma_exposure_snapshots", "gamma_by_strike", "gamma_by_expiration")
TABLES = ("historical_greeks", "iv_percentile_cache", *GAMMA_TABLES)
FEWEST = 6
"""Earlier sessions that make a rank in these tests; the real limit, 126, is tested where it is defined."""
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def a_short_year(monkeypatch):
    monkeypatch.setattr(iv_percentile, "FEWEST_OBSERVATIONS", FEWEST)


@pytest.fixture(scope="module")
def refreshed_template(postgres_server, migrated_url, option_archive, tmp_path_factory):
    """Every table filled once for all tests that begin with it."""
    with postgres_server.copied_database(migrated_url) as url:
        filled = OptionInstallation(open_small_installation(url, tmp_path_factory.mktemp("filled")), option_archive)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(iv_percentile, "FEWEST_OBSERVATIONS", FEWEST)
            filled.refresh()
        filled.installation.database.close()
        yield filled


@pytest.fixture
def refreshed(make_option_installation, refreshed_template):
    """An installation whose tables are filled, to be changed at will."""
    return make_option_installation(refreshed_template)


def archived(option_installation, symbol, session):
    return option_installation.archive / "chains" / symbol / f"{session}.parquet"


def raise_price(file):
    """The same chain with every quote half a dollar dearer: calls less puts stay, volatility rises."""
    chain = pl.read_parquet(file)
    dearer = pl.when(pl.col("bid") > 0).then(pl.col("bid", "ask") + 0.5).otherwise(pl.col("bid", "ask"))
    chain.with_columns(dearer).write_parquet(file)


def test_every_contract_has_values_or_a_reason_and_a_second_refresh_does_nothing(option_installation):
    first = option_installation.refresh()
    url = option_installation.installation.url
    assert first["greeks"].rows == rows(url, "select count(*) from historical_greeks")[0][0] > 0
    assert {report.withheld for report in first.values()} == {0}
    assert rows(
        url, "select count(*) from historical_greeks where (implied_volatility is null) <> (iv_reason is not null)"
    ) == [(0,)]
    by_symbol = rows(
        url, "select symbol, avg((implied_volatility is not null)::int)::float from historical_greeks group by 1"
    )
    assert {symbol for symbol, _ in by_symbol} == set(OPTION_SYMBOLS)
    assert min(share for _, share in by_symbol) > 0.6

    before = {table: option_installation.versions(table) for table in TABLES}
    again = option_installation.refresh()
    assert {name: (report.rows, report.published) for name, report in again.items()} == dict.fromkeys(again, (0, 0))
    assert again["greeks"].up_to_date == len(OPTION_SYMBOLS) * len(ALL_SESSIONS)
    assert {table: option_installation.versions(table) for table in TABLES} == before


def test_ranks_appear_once_enough_sessions_came_before(refreshed):
    ranked = rows(
        refreshed.installation.url,
        "select symbol, min(date) filter (where iv_percentile is not null), max(n_observations)"
        " from iv_percentile_cache group by 1 order by 1",
    )
    assert ranked == [(symbol, ALL_SESSIONS[FEWEST], len(ALL_SESSIONS) - 1) for symbol in OPTION_SYMBOLS]
    contracts = rows(
        refreshed.installation.url,
        "select bool_or(iv_percentile is not null) from historical_greeks where session = %s",
        ALL_SESSIONS[FEWEST - 1],
    )
    assert contracts == [(False,)]


def test_no_row_uses_data_after_its_session(make_option_installation, refreshed):
    cut = make_option_installation()
    last = OPTION_SESSIONS[1]
    for session in OPTION_SESSIONS[2:]:
        for symbol in OPTION_SYMBOLS:
            archived(cut, symbol, session).unlink()
    cut.refresh()
    for table in TABLES:
        assert refreshed.contents(table, until=last) == cut.contents(table)


def test_the_order_in_which_sessions_come_changes_no_observation(make_option_installation, refreshed):
    at_once, in_parts = refreshed, make_option_installation()
    in_parts.refresh(OPTION_SESSIONS[1:])
    in_parts.refresh([*THIN_SESSIONS, OPTION_SESSIONS[0]])
    assert at_once.contents("iv_percentile_cache") == in_parts.contents("iv_percentile_cache")
    observed = [
        rows(
            each.installation.url,
            "select contract_ticker, timestamp, implied_volatility, delta from historical_greeks order by 1, 2",
        )
        for each in (at_once, in_parts)
    ]
    assert observed[0] == observed[1]


def test_only_a_republished_chain_is_valued_and_later_sessions_are_ranked_again(refreshed):
    untouched = [version for version in refreshed.versions("historical_greeks") if version[0] == "SPX"]
    highest = "select date, iv_52w_high from iv_percentile_cache where symbol = 'AAPL' and iv_52w_high is not null"
    before = dict(rows(refreshed.installation.url, highest))
    raise_price(archived(refreshed, "AAPL", THIN_SESSIONS[-1]))
    again = refreshed.refresh()
    assert [again[name].published for name in ("greeks", "percentiles", "gamma")] == [1, 1, 1]
    assert [version for version in refreshed.versions("historical_greeks") if version[0] == "SPX"] == untouched
    now = rows(refreshed.installation.url, "select date, current_iv from iv_percentile_cache where symbol = 'AAPL'")
    changed = dict(now)[THIN_SESSIONS[-1]]
    after = dict(rows(refreshed.installation.url, highest))
    assert changed > max(before.values())
    assert [after[session] for session in OPTION_SESSIONS if session in before] == [changed] * len(
        before.keys() & set(OPTION_SESSIONS)
    )


def test_a_load_killed_between_batches_is_continued_with_the_same_result(
    make_option_installation, refreshed, monkeypatch
):
    whole, dying = refreshed, make_option_installation()
    monkeypatch.setattr(greeks_loading, "MAX_CONTRACTS_PER_BATCH", 1_000)
    publish = greeks_loading.publish_greeks
    for allowed in (1, 2):
        left = iter(range(allowed))

        def publish_some(*given, left=left, **named):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return publish(*given, **named)

        monkeypatch.setattr(greeks_loading, "publish_greeks", publish_some)
        dying.to_lake()
        with pytest.raises(KeyboardInterrupt):
            dying.to_greeks()
    monkeypatch.setattr(greeks_loading, "publish_greeks", publish)
    assert 0 < dying.to_greeks().up_to_date < len(OPTION_SYMBOLS) * len(ALL_SESSIONS)
    dying.to_percentiles()
    dying.to_gamma()
    for table in TABLES:
        assert dying.contents(table) == whole.contents(table)
    assert dying.manifest() == whole.manifest()


def test_tables_are_the_same_however_their_load_is_split(make_option_installation, refreshed, monkeypatch):
    split = make_option_installation()
    split.to_lake()
    split.to_greeks()
    for module in (percentile_loading, gamma_loading):
        monkeypatch.setattr(module, "MAX_CONTRACTS_PER_BATCH", 1_000)
    computed = []

    def compute(*given):
        computed.append(compute_gamma_exposure(*given))
        return computed[-1]

    monkeypatch.setattr(gamma_loading, "compute_gamma_exposure", compute)
    split.to_percentiles()
    split.to_gamma()
    assert len(computed) > 2
    for table in TABLES:
        assert split.contents(table) == refreshed.contents(table)
    assert split.manifest() == refreshed.manifest()


def test_a_withheld_snapshot_counts_as_the_past_of_later_ones_however_the_load_is_split(
    make_option_installation, refreshed, monkeypatch
):
    withheld = OPTION_SESSIONS[0]

    def withhold(rows, *_parts):
        finding = Finding(
            rule=Rule.EXPECTATION_BROKEN,
            severity=Severity.ERROR,
            dataset="gamma_exposure_snapshots",
            session=withheld,
            subject="SPX",
            detail="refused by this test",
            cure="none",
        )
        return [finding] if withheld in rows["session"] else []

    filled = {}
    for limit in (1_000_000, 1_000):
        monkeypatch.setattr(gamma_loading, "MAX_CONTRACTS_PER_BATCH", limit)
        installation = make_option_installation()
        installation.to_lake()
        installation.to_greeks()
        assert installation.to_gamma(validate=withhold).withheld == 1
        filled[limit] = [installation.contents(table) for table in GAMMA_TABLES]
    assert filled[1_000] == filled[1_000_000]
    assert 0 < len(filled[1_000][0]) < len(refreshed.contents("gamma_exposure_snapshots"))


def test_an_error_of_the_validator_keeps_what_was_published(refreshed):
    session = OPTION_SESSIONS[-1]
    before = refreshed.contents("historical_greeks")
    raise_price(archived(refreshed, "AAPL", session))
    raise_price(archived(refreshed, "SPX", session))
    refreshed.to_lake()

    def refuse_apple(_valued):
        return [Finding(Rule.VALUE_UNREADABLE, Severity.ERROR, "historical_greeks", session, "AAPL", "Wrong.", "None.")]

    report = refreshed.to_greeks(validate=refuse_apple)
    assert (report.published, report.withheld) == (1, 1)
    now = refreshed.contents("historical_greeks")
    assert [row for row in now if "AAPL" in row[0]] == [row for row in before if "AAPL" in row[0]]
    assert [row for row in now if "SPX" in row[0]] != [row for row in before if "SPX" in row[0]]
    assert [finding.subject for finding in refreshed.installation.findings()] == ["AAPL"]
    assert refreshed.to_greeks().published == 1
    assert refreshed.installation.findings() == []


def test_an_error_about_gamma_keeps_the_snapshot_with_its_strikes_and_expirations(refreshed):
    session = OPTION_SESSIONS[-1]
    for symbol in OPTION_SYMBOLS:
        raise_price(archived(refreshed, symbol, session))
    refreshed.to_lake()
    refreshed.to_greeks()
    before = {table: refreshed.contents(table) for table in GAMMA_TABLES}
    given = []

    def refuse_apple(*frames):
        given.append([set(frame["symbol"]) for frame in frames])
        return [Finding(Rule.EXPECTATION_BROKEN, Severity.ERROR, GAMMA_TABLES[0], session, "AAPL", "Wrong.", "None.")]

    report = refreshed.to_gamma(validate=refuse_apple)
    assert (report.published, report.withheld) == (1, 1)
    assert given == [[set(OPTION_SYMBOLS)] * 3]
    for table in GAMMA_TABLES:
        now = refreshed.contents(table)
        for symbol, is_kept in (("AAPL", True), ("SPX", False)):
            versions = [[row for row in rows if f'"{symbol}"' in row[0]] for rows in (before[table], now)]
            assert versions[0]
            assert (versions[0] == versions[1]) is is_kept, (table, symbol)
    assert refreshed.to_gamma().published == 1
    assert refreshed.to_gamma().rows == 0


def test_fingerprints_of_a_session_name_its_snapshots_and_only_the_new_one_is_due():
    session = OPTION_SESSIONS[0]
    morning, close = get_regular_hours(session).opens_at, get_regular_hours(session).closes_at
    stored = {("SPX", session): encode_marks({morning: "a"})}
    due = find_outdated({("SPX", session): {morning: "a", close: "b"}}, stored)
    assert due.scope.rows() == [("SPX", session, close)]
    assert decode_marks(due.fingerprints["SPX", session]) == {morning: "a", close: "b"}
    gone = find_outdated({("SPX", session): {close: "b"}}, stored)
    assert gone.scope["timestamp"].to_list() == [morning, close]
    assert find_outdated({("SPX", session): {morning: "a"}}, stored).scope.is_empty()
