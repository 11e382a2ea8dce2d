"""Recordings of real markets through the whole way, against a plain pandas recomputation of the recording's own file.

The recomputation shares no code with the platform: it reads the recording's Parquet, cuts by clock arithmetic of pandas
and knows the hours of the few sessions itself. Where the recordings are not on this machine the tests are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from hd_pipelines.providers.massive.flat_files.layout import DATASETS, INDEX_DAY, STOCK_DAY, STOCK_MINUTE
from hd_pipelines.sandbox.recording import write_recording
from hd_pipelines.sandbox.server import SandboxServer
from tests.support.installation import SmallInstallation, rows
from tests.support.vendor_bucket import client_of

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"
PRICES = ["open", "high", "low", "close"]
HOLIDAYS = {date(2019, 4, 19), date(2019, 5, 27)}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"the market recordings are not at {RECORDINGS}"),
]


def replay(
    installation: SmallInstallation, name: str, first: date, last: date, symbols: list[str], folder: Path
) -> None:
    """The recording as vendor files over HTTP, downloaded, into the lake and the warehouse."""
    from hd_pipelines.market.sessions import list_sessions_between

    sessions = list_sessions_between(first, last)
    write_recording(folder / "bucket", RECORDINGS / name, first, last)
    with SandboxServer(folder / "bucket") as server:
        client = client_of(server, folder / "landed")
        for dataset in DATASETS:
            wanted = [remote for remote in client.list_objects(dataset, first, last) if remote.session in sessions]
            if outcome := client.download_many(wanted):
                assert outcome.errors == () or list(outcome.errors) == []
            for file in client.find_landed(dataset, sessions):
                installation.landed_files.setdefault(dataset, {})[file.session] = file
    installation.symbols = tuple(symbols)
    installation.to_lake(sessions)
    installation.to_bars(sessions)


def read_published(installation: SmallInstallation, timeframe: str) -> pd.DataFrame:
    """Bars of one timeframe by symbol and timestamp."""
    found = rows(
        installation.url,
        "select symbol, timestamp, session, open::float8, high::float8, low::float8, close::float8, volume::float8,"
        " vwap::float8 from historical_bars where timeframe = %s",
        timeframe,
    )
    frame = pd.DataFrame(found, columns=["symbol", "timestamp", "session", *PRICES, "volume", "vwap"])
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True).astype("datetime64[us, UTC]")
    return frame.set_index(["symbol", "timestamp"]).sort_index()


def recorded_minutes() -> pd.DataFrame:
    """The recording's minutes between 09:30 and 16:00 in New York; all its sessions are full days."""
    minutes = pd.read_parquet(RECORDINGS / "minutes-2019-02" / "minute_bars.parquet")
    minutes.loc[minutes["ticker"].str.startswith("I:"), "volume"] = (
        None  # the recording has 0, but an index has no volume
    )
    local = minutes["window_start"].dt.tz_convert("America/New_York")
    clock = local.dt.hour * 60 + local.dt.minute
    return minutes[(clock >= 9 * 60 + 30) & (clock < 16 * 60)].assign(day=local.dt.date)


def recompute(minutes: pd.DataFrame, length: str) -> pd.DataFrame:
    """Each symbol's day resampled from 09:30 New York."""
    parts = []
    for (symbol, day), bars in minutes.groupby(["ticker", "day"]):
        opens = pd.Timestamp(f"{day} 09:30", tz="America/New_York").tz_convert("UTC")
        by_time = bars.set_index("window_start").sort_index()
        by_time["turnover"] = (by_time["high"] + by_time["low"] + by_time["close"]) / 3 * by_time["volume"]
        by_length = by_time.resample(length, origin=opens)
        cut = by_length.agg({"open": "first", "high": "max", "low": "min", "close": "last"})
        cut = cut.join(by_length[["volume", "turnover"]].sum(min_count=1)).dropna(subset=["open"])
        cut["vwap"] = (cut["turnover"] / cut["volume"]).where(cut["volume"] > 0)
        cut["symbol"] = symbol
        parts.append(cut.reset_index(names="timestamp"))
    return pd.concat(parts).set_index(["symbol", "timestamp"]).sort_index()


def assert_equal(ours: pd.DataFrame, plain: pd.DataFrame) -> None:
    """The same bars at the same times: prices and volumes exact, VWAP to the six decimals that are stored."""
    assert ours.index.tolist() == plain.index.tolist()
    for column in [*PRICES, "volume"]:
        pd.testing.assert_series_equal(ours[column], plain[column], check_exact=True, check_dtype=False)
    pd.testing.assert_series_equal(ours["vwap"], plain["vwap"], atol=1e-6, rtol=0, check_dtype=False)


@pytest.fixture(scope="module")
def module_installation(postgres_server, migrated_url, tmp_path_factory):
    """A factory of installations that live as long as the module."""
    from hd_pipelines.lake import Lake
    from hd_pipelines.warehouse.engine import Database

    made = []

    def make(name: str) -> tuple[SmallInstallation, Path]:
        home = tmp_path_factory.mktemp(name)
        (home / "landed").mkdir()
        url = postgres_server.new_database(template=migrated_url)
        made.append(SmallInstallation(url, Database(url), Lake(home / "lake"), home / "landed"))
        return made[-1], home

    yield make
    for installation in made:
        installation.database.close()
        postgres_server.drop_database(installation.url)


@pytest.fixture(scope="module")
def minutes_installation(module_installation) -> Iterator[SmallInstallation]:
    installation, folder = module_installation("minutes")
    symbols = sorted(recorded_minutes()["ticker"].unique())
    assert len(symbols) == 24
    replay(installation, "minutes-2019-02", date(2019, 2, 11), date(2019, 2, 14), symbols, folder)
    return installation


@pytest.mark.parametrize(
    ("timeframe", "length"), [("1m", "1min"), ("5m", "5min"), ("15m", "15min"), ("1h", "60min"), ("4h", "240min")]
)
def test_intraday_bars_of_real_minutes_equal_a_plain_recomputation(minutes_installation, timeframe, length):
    ours, plain = read_published(minutes_installation, timeframe), recompute(recorded_minutes(), length)
    if timeframe == "1m":
        plain["vwap"] = None
        ours["vwap"], plain["vwap"] = ours["vwap"].astype(float), plain["vwap"].astype(float)
    assert len(plain) == COUNTS[timeframe]
    assert_equal(ours, plain)
    assert ours.index.get_level_values("symbol").nunique() == 24


COUNTS = {"1m": 34_443, "5m": 7_298, "15m": 2_481, "1h": 672, "4h": 192}
"""Bars of 24 symbols in four sessions."""


def test_day_bars_of_the_minute_recording_are_its_own_with_the_minutes_vwap(minutes_installation):
    days = pd.read_parquet(RECORDINGS / "minutes-2019-02" / "day_bars.parquet")
    symbols = recorded_minutes()["ticker"].unique()
    in_window = pd.to_datetime(days["session"]).between("2019-02-11", "2019-02-14")
    days = days[in_window & days["ticker"].isin(symbols)].set_index(["ticker", "session"]).sort_index()
    ours = read_published(minutes_installation, "day").reset_index().set_index(["symbol", "session"]).sort_index()
    assert ours.index.tolist() == days.index.tolist()
    for column in [*PRICES, "volume"]:
        assert ours[column].astype(float).equals(days[column].rename_axis(ours.index.names))
    minutes = recorded_minutes().rename(columns={"ticker": "symbol", "day": "session"})
    whole = minutes.groupby(["symbol", "session"]).agg(high=("high", "max"), low=("low", "min")).reindex(ours.index)
    contradicts = (whole["high"] > ours["high"] * 1.01) | (whole["low"] < ours["low"] * 0.99)
    typical = (minutes["high"] + minutes["low"] + minutes["close"]) / 3
    sums = minutes.assign(turnover=typical * minutes["volume"]).groupby(["symbol", "session"])
    vwap = (sums["turnover"].sum(min_count=1) / sums["volume"].sum(min_count=1)).reindex(ours.index)
    held = vwap.clip(ours["low"], ours["high"]).where(~contradicts)  # a VWAP is inside its bar, or there is none
    assert ours["vwap"].isna().equals(held.isna())
    assert (ours["vwap"] - held).abs().max() <= 1e-6
    assert 0 < contradicts.sum() < len(ours)  # AAPL's day bars are adjusted for a later split
    assert ours["timestamp"].dt.strftime("%H:%M").unique().tolist() == ["14:30"]


@pytest.fixture(scope="module")
def quarter_installation(module_installation) -> Iterator[SmallInstallation]:
    installation, folder = module_installation("quarter")
    replay(
        installation, "spx-2019q2", date(2019, 3, 25), date(2019, 6, 28), ["AAPL", "QQQ", "SPX", "SPY", "VIX"], folder
    )
    return installation


def recorded_days() -> pd.DataFrame:
    days = pd.read_parquet(RECORDINGS / "spx-2019q2" / "day_bars.parquet")
    days = days[days["ticker"].isin(["AAPL", "QQQ", "I:SPX", "SPY", "I:VIX"])]
    days["session"] = pd.to_datetime(days["session"])
    days = days[days["session"].between("2019-03-25", "2019-06-28")]
    days = days[~days["session"].dt.date.isin(HOLIDAYS)]
    days["symbol"] = days["ticker"].str.removeprefix("I:")
    days.loc[days["ticker"].str.startswith("I:"), "volume"] = None
    return days.set_index(["symbol", "session"]).sort_index()


def test_day_bars_of_a_real_quarter_are_the_recordings(quarter_installation):
    days = recorded_days()
    ours = read_published(quarter_installation, "day").reset_index()
    ours["session"] = pd.to_datetime(ours["session"])
    ours = ours.set_index(["symbol", "session"]).sort_index()
    assert ours.index.tolist() == days.index.tolist()
    assert len(ours) == 340  # five symbols in 68 sessions
    for column in [*PRICES, "volume"]:
        pd.testing.assert_series_equal(
            ours[column], days[column], check_exact=True, check_dtype=False, check_index=False
        )
    assert ours["vwap"].isna().all()


def test_week_bars_of_a_real_quarter_equal_a_plain_recomputation(quarter_installation):
    days = recorded_days().reset_index()
    days["week"] = days["session"].dt.to_period("W-SUN")
    plain = days.groupby(["symbol", "week"]).agg(
        open=("open", "first"),
        high=("high", "max"),
        low=("low", "min"),
        close=("close", "last"),
        volume=("volume", lambda volume: volume.sum(skipna=False)),
        session=("session", "max"),
        n=("session", "size"),
    )
    expected = days["session"].drop_duplicates().dt.to_period("W-SUN").value_counts()
    plain = plain[plain["n"] == plain.index.get_level_values("week").map(expected)]
    plain = plain.reset_index().set_index(["symbol", "session"]).sort_index()
    ours = read_published(quarter_installation, "week").reset_index()
    ours["session"] = pd.to_datetime(ours["session"])
    ours = ours.set_index(["symbol", "session"]).sort_index()
    assert ours.index.tolist() == plain.index.tolist()
    assert len(ours) == 70  # five symbols in 14 weeks
    for column in [*PRICES, "volume"]:
        pd.testing.assert_series_equal(ours[column], plain[column], check_dtype=False, rtol=1e-15)


def test_a_day_recording_gives_no_minute_bars(quarter_installation):
    assert set(quarter_installation.landed_files) == {STOCK_DAY, INDEX_DAY}
    assert STOCK_MINUTE not in quarter_installation.landed_files
    assert {
        timeframe for (timeframe,) in rows(quarter_installation.url, "select distinct timeframe from historical_bars")
    } == {
        "day",
        "week",
    }
