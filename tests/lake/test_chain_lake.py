"""Chains in the lake as readers see them: a snapshot is there whole, replaced whole, or absent."""

import os
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.lake import ChainSource, Lake
from hd_pipelines.lake.chains import ChainsUnsettledError, to_file_name, to_underlying
from hd_pipelines.market.option_chains import CHAIN, STAMP
from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions
from hd_pipelines.tables.vocabulary import SnapshotKind
from tests.support.rest import CLOSE, SESSION, contract_rows
from tests.support.writable_s3 import writable_s3

SOURCE = ChainSource("chains/SPY/2026-05-22.parquet", "f" * 64, 1)
BEFORE = date(2026, 5, 21)
NAMES = ("AAPL", "I:SPX", "SPY")


def chain(underlying="SPY", at=CLOSE, kind=SnapshotKind.CLOSE, count=6, **changed):
    rows = contract_rows(count, underlying).with_columns(
        snapshot_at=pl.lit(at, dtype=STAMP),
        kind=pl.lit(kind.value),
        source=pl.lit("chain_snapshot"),
        quote_at=pl.lit(None, dtype=STAMP),
        open_interest_as_of=pl.lit(BEFORE),
    )
    return rows.with_columns(**changed).select(pl.col(name).cast(dtype) for name, dtype in CHAIN.items())


@pytest.fixture(params=["folder", "s3"])
def lake(request, tmp_path, monkeypatch):
    if request.param == "folder":
        yield Lake(tmp_path / "lake")
        return
    with writable_s3() as (url, _objects):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield Lake("s3://desk/lake")


def test_an_empty_lake_reads_as_no_rows(lake):
    rows = lake.chains.read(["SPY"], SESSION, SESSION)
    assert (rows.height, dict(rows.schema)) == (0, dict(CHAIN))
    assert lake.chains.list_snapshots(SESSION, SESSION) == []


def test_what_was_published_is_read_again_with_its_source(lake):
    published = lake.chains.publish(chain("I:SPX"), SOURCE)
    assert (published.underlying, published.session, published.snapshot_at) == ("I:SPX", SESSION, CLOSE)
    assert lake.chains.read(["SPX"], SESSION, SESSION).equals(chain("I:SPX"))
    assert lake.chains.source(published) == SOURCE


def test_rows_come_by_underlying_time_and_ticker(lake):
    early = get_regular_hours(SESSION).opens_at + timedelta(minutes=15)
    for one in (chain("SPY"), chain("SPY", early, SnapshotKind.INTRADAY), chain("I:SPX"), chain("AAPL")):
        lake.chains.publish(one, SOURCE)
    rows = lake.chains.read(None, SESSION, SESSION)
    assert rows.equals(rows.sort("underlying", "snapshot_at", "ticker"))
    assert rows.height == 24
    in_session = lake.chains.read(["SPY"], SESSION, SESSION, SnapshotKind.INTRADAY)
    assert in_session["snapshot_at"].unique().to_list() == [early]


def test_publishing_again_replaces_the_snapshot_and_nothing_else(lake):
    lake.chains.publish(chain("AAPL"), SOURCE)
    lake.chains.publish(chain(), SOURCE)
    lake.chains.publish(chain(count=4), SOURCE)
    assert lake.chains.read(["SPY"], SESSION, SESSION).equals(chain(count=4))
    assert len(lake.chains.list_snapshots(SESSION, SESSION)) == 2


def test_an_own_close_precedes_a_bought_one_of_the_same_session(lake):
    lake.chains.publish(chain(bid=pl.lit(1.0)), SOURCE)
    own = CLOSE + timedelta(minutes=16)
    lake.chains.publish(chain(at=own, bid=pl.lit(2.0)), SOURCE)
    closes = lake.chains.read(["SPY"], SESSION, SESSION, SnapshotKind.CLOSE)
    assert (closes["snapshot_at"].unique().to_list(), set(closes["bid"])) == ([own], {2.0})
    assert lake.chains.read(["SPY"], SESSION, SESSION).height == 12


def test_many_snapshots_are_published_as_one_by_one(lake):
    at = {session: get_regular_hours(session).closes_at for session in (BEFORE, SESSION)}
    chains = [chain(name, at[session], bid=pl.lit(float(i))) for i, (name, session) in enumerate(product(NAMES, at))]
    sources = [ChainSource(f"chains/{i}.parquet", f"{i:064}", 1) for i in range(len(chains))]
    published = lake.chains.publish_all(list(zip(chains, sources, strict=True)))
    assert lake.chains.read(None, BEFORE, SESSION).equals(pl.concat(chains))
    assert [lake.chains.source(snapshot) for snapshot in published] == sources
    assert lake.chains.list_snapshots(BEFORE, SESSION) == published


def test_windows_and_names_choose(lake):
    for session in (BEFORE, SESSION):
        for underlying in ("SPY", "BRK.B", "I:SPX"):
            lake.chains.publish(chain(underlying, get_regular_hours(session).closes_at), SOURCE)
    found = lake.chains.list_snapshots(BEFORE, SESSION, ["SPX", "BRK.B"])
    assert [(one.underlying, one.session) for one in found] == [
        ("BRK.B", BEFORE),
        ("BRK.B", SESSION),
        ("I:SPX", BEFORE),
        ("I:SPX", SESSION),
    ]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (chain().drop("bid"), "columns of CHAIN"),
        (chain().with_columns(pl.col("strike").cast(pl.Float32)), "columns of CHAIN"),
        (chain().clear(), "one underlying"),
        (pl.concat([chain(), chain("QQQ")]), "one underlying"),
        (chain(at=CLOSE + timedelta(microseconds=5)), "whole seconds"),
    ],
)
def test_what_is_no_snapshot_is_not_published(tmp_path, rows, why):
    lake = Lake(tmp_path / "lake")
    with pytest.raises(ValueError, match=why):
        lake.chains.publish(rows, SOURCE)
    assert lake.chains.list_snapshots(date(2000, 1, 3), date(2030, 1, 3)) == []


def test_an_interrupted_write_leaves_nothing_to_read(tmp_path, monkeypatch):
    lake = Lake(tmp_path / "lake")
    lake.chains.publish(chain(), SOURCE)

    def killed(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        lake.chains.publish(chain(count=4), SOURCE)
    monkeypatch.undo()
    assert lake.chains.read(["SPY"], SESSION, SESSION).equals(chain())
    assert len(list((tmp_path / "lake").rglob("*.parquet"))) == 1


def test_when_many_are_published_every_file_and_folder_has_been_synced(tmp_path, monkeypatch):
    synced, sync = set(), os.fsync

    def counted(handle):
        synced.add(os.fstat(handle).st_ino)
        sync(handle)

    monkeypatch.setattr(os, "fsync", counted)
    at = {session: get_regular_hours(session).closes_at for session in (BEFORE, SESSION)}
    published = Lake(tmp_path / "lake").chains.publish_all(
        [(chain(name, at[session]), SOURCE) for name, session in product(NAMES, at)]
    )
    files = [Path(snapshot.url) for snapshot in published]
    assert len({file.stat().st_ino for file in files}) == 6
    assert synced >= {path.stat().st_ino for file in files for path in (file, file.parent, file.parent.parent)}


def test_many_that_are_interrupted_leave_nothing_to_read(tmp_path, monkeypatch):
    def killed(*_args, **_options):
        raise KeyboardInterrupt

    lake = Lake(tmp_path / "lake")
    with monkeypatch.context() as crash:
        crash.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            lake.chains.publish_all([(chain(name), SOURCE) for name in NAMES])
    assert lake.chains.list_snapshots(SESSION, SESSION) == []
    assert list((tmp_path / "lake").rglob("*.parquet")) == []


def test_sessions_outside_the_window_are_not_even_listed(tmp_path, monkeypatch):
    lake = Lake(tmp_path / "lake")
    sessions = list_last_sessions(SESSION, 5)
    for session in sessions:
        lake.chains.publish(chain("SPY", get_regular_hours(session).closes_at), SOURCE)
    listed, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(Path(folder).name) or scandir(folder))
    found = lake.chains.list_snapshots(sessions[1], sessions[3])
    assert [snapshot.session for snapshot in found] == sessions[1:4]
    assert sorted(listed) == ["option_chains", *(f"session={session}" for session in sessions[1:4])]


def test_a_damaged_file_is_an_error_and_not_an_empty_chain(tmp_path):
    lake = Lake(tmp_path / "lake")
    published = lake.chains.publish(chain(), SOURCE)
    with Path(published.url).open("r+b") as stream:
        stream.truncate(100)
    with pytest.raises(pl.exceptions.PolarsError):
        lake.chains.read(["SPY"], SESSION, SESSION)


def test_the_source_of_a_file_from_another_writer_is_refused(tmp_path):
    lake = Lake(tmp_path / "lake")
    published = lake.chains.publish(chain(), SOURCE)
    chain().write_parquet(published.url)
    with pytest.raises(ValueError, match="was not written by this lake"):
        lake.chains.source(published)


@given(st.from_regex(r"(I:)?[A-Z]{1,5}([./][A-Z]{1,2})?[a-z]?", fullmatch=True))
def test_a_file_name_contains_its_underlying(ticker):
    assert to_underlying(to_file_name(ticker)) == ticker


def test_a_night_in_utc_is_the_evening_in_new_york(tmp_path):
    lake = Lake(tmp_path / "lake")
    after_midnight_utc = datetime(2026, 5, 23, 0, 10, tzinfo=UTC)
    assert lake.chains.publish(chain(at=after_midnight_utc), SOURCE).session == SESSION


@pytest.mark.parametrize("times", [1, 100])
def test_snapshots_replaced_while_they_are_read_are_never_mixed(tmp_path, monkeypatch, times):
    lake = Lake(tmp_path / "lake")
    reader = lake.chains
    for name in ("QQQ", "SPY"):
        reader.publish(chain(name, bid=pl.lit(1.0)), SOURCE)
    scan, replaced = reader._scan, []

    def replaced_meanwhile(urls):
        rows = scan(urls).collect()
        if len(replaced) < times:
            replaced.append(1)
            for name in ("QQQ", "SPY"):
                reader.publish(chain(name, bid=pl.lit(2.0)), SOURCE)
        return rows.lazy()

    monkeypatch.setattr(reader, "_scan", replaced_meanwhile)
    if times == 1:
        assert set(reader.read(None, SESSION, SESSION)["bid"]) == {2.0}
        return
    with pytest.raises(ChainsUnsettledError, match="replaced 5 times"):
        reader.read(None, SESSION, SESSION)
