"""From day bars in the lake to the market's regime: once, again, with a file of last year changed, and without the VIX."""

import hashlib
import math
from datetime import UTC, date, datetime

import polars as pl
import pytest

from hd_pipelines.analytics.regime.inputs import WARM_UP_SESSIONS
from hd_pipelines.lake import PartSource
from hd_pipelines.loading.derived.regime import refresh_regime
from hd_pipelines.market.sessions import compute_midnight_ns, list_last_sessions
from hd_pipelines.providers.massive.flat_files.layout import INDEX_DAY, STOCK_DAY
from hd_pipelines.warehouse.records.files import IngestedFile, record_load
from tests.support.installation import open_small_installation, rows

pytestmark = pytest.mark.slow
LAST = date(2026, 5, 22)
WINDOW = list_last_sessions(LAST, 5)
ALL = list_last_sessions(WINDOW[0], WARM_UP_SESSIONS + 1)[:-1] + WINDOW
STOCKS = ("SPY", "QQQ", "IWM", "XLB", "XLC", "XLE", "XLF", "XLI", "XLK", "XLP", "XLRE", "XLU", "XLV", "XLY")
INDICES = ("I:SPX", "I:NDX", "I:RUT", "I:VIX", "I:VIX3M")
"""Made-up prices; only the symbols are real."""


def bars(session: date, tickers, shift: float = 0.0) -> pl.DataFrame:
    """Day bars that rise slowly and waver; equal arguments give equal rows."""
    day = ALL.index(session)
    close = [
        (18 - day / 50 + math.sin(day / 3) if "VIX" in name else 100 + 10 * place + day / 5 + math.sin(day + place))
        + shift
        for place, name in enumerate(tickers)
    ]
    return pl.DataFrame(
        {
            "ticker": tickers,
            "window_start": [compute_midnight_ns(session)] * len(tickers),
            "open": close,
            "high": [value + 1 for value in close],
            "low": [value - 1 for value in close],
            "close": close,
            "volume": [1e6] * len(tickers),
            "transactions": [1000] * len(tickers),
        },
        schema_overrides={"volume": pl.Float64, "transactions": pl.Int64},
    ).sort("ticker")


def publish(installation, dataset, session: date, rows_: pl.DataFrame) -> None:
    """A part of the lake and its entry in the manifest, as ingestion leaves them."""
    digest = hashlib.sha256(str(rows_.rows()).encode()).hexdigest()
    source = PartSource(dataset.key(session), digest[:8], digest, 1, rows_.height, 0, 1)
    installation.lake.publish(dataset, session, rows_, source)
    with installation.database.begin() as connection:
        landed = datetime(2026, 5, 23, tzinfo=UTC)
        file = IngestedFile(dataset.name, session, digest[:8], 1, digest, rows_.height, 0, dataset.key(session), landed)
        record_load(connection, file)


@pytest.fixture(scope="module")
def market_template(postgres_server, migrated_url, tmp_path_factory):
    """The lake of a year, filled once for all tests."""
    with postgres_server.copied_database(migrated_url) as url:
        filled = open_small_installation(url, tmp_path_factory.mktemp("year"))
        for session in ALL:
            publish(filled, STOCK_DAY, session, bars(session, STOCKS))
            publish(filled, INDEX_DAY, session, bars(session, INDICES))
        filled.database.close()
        yield filled


@pytest.fixture
def market(make_installation, market_template):
    return make_installation(market_template)


def regimes(installation) -> list[tuple[object, ...]]:
    return rows(
        installation.url,
        "select (to_jsonb(held) - 'created_at' - 'updated_at')::text from market_regime_history as held order by 1",
    )


def test_every_session_with_a_vix_gets_a_regime_and_a_second_refresh_does_nothing(market):
    first = refresh_regime(market.database, market.lake, sessions=WINDOW)
    assert (first.rows, first.published, first.findings) == (len(WINDOW), len(WINDOW), ())
    held = rows(
        market.url, "select date, market_regime is not null, vix_level > 0 from market_regime_history order by 1"
    )
    assert held == [(session, True, True) for session in WINDOW]
    again = refresh_regime(market.database, market.lake, sessions=WINDOW)
    assert (again.rows, again.published, again.up_to_date) == (0, 0, len(WINDOW))


def test_sessions_that_come_one_by_one_end_as_those_that_come_together(market, make_installation):
    refresh_regime(market.database, market.lake, sessions=WINDOW)
    together = regimes(market)
    with market.database.begin() as connection:
        connection.exec_driver_sql("delete from market_regime_history")
        connection.exec_driver_sql("delete from derivation_manifest")
    for session in WINDOW:
        refresh_regime(market.database, market.lake, sessions=[session])
    one_by_one = regimes(market)
    # The first session alone begins without memory, as the first of many does.
    assert one_by_one == together


def test_a_republished_file_of_last_year_updates_all_later_sessions(market):
    refresh_regime(market.database, market.lake, sessions=WINDOW)
    changed = ALL[100]
    publish(market, STOCK_DAY, changed, bars(changed, STOCKS, shift=0.5))
    again = refresh_regime(market.database, market.lake, sessions=WINDOW)
    assert again.published == len(WINDOW)
    assert again.rows <= len(WINDOW)  # rows that came out the same are not written


def test_a_changed_session_also_decides_the_published_ones_after_it(market):
    refresh_regime(market.database, market.lake, sessions=WINDOW)
    publish(market, INDEX_DAY, WINDOW[0], bars(WINDOW[0], INDICES, shift=3.0))
    again = refresh_regime(market.database, market.lake, sessions=[WINDOW[0]])
    assert again.published == len(WINDOW)
    vix = dict(rows(market.url, "select date, vix_change from market_regime_history order by 1"))
    assert vix[WINDOW[1]] < -2  # against a close that is three points higher now


def test_a_session_without_the_vix_has_a_finding_and_no_row(market):
    session = WINDOW[2]
    publish(market, INDEX_DAY, session, bars(session, [name for name in INDICES if name != "I:VIX"]))
    report = refresh_regime(market.database, market.lake, sessions=WINDOW)
    assert [(finding.session, finding.subject) for finding in report.findings] == [(session, "I:VIX")]
    assert rows(market.url, "select count(*) from market_regime_history") == [(len(WINDOW) - 1,)]
    publish(market, INDEX_DAY, session, bars(session, INDICES))
    assert refresh_regime(market.database, market.lake, sessions=WINDOW).findings == ()
    assert market.findings() == []
    assert rows(market.url, "select count(*) from market_regime_history") == [(len(WINDOW),)]
